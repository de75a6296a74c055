"""What the gate found, row by row, and how it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Finding", "Report", "Status"]

Status = Literal["held", "open", "failed"]


@dataclass(frozen=True)
class Finding:
    """What the gate says about one row, and why, in one line."""

    row: str
    status: Status
    text: str

    def __str__(self) -> str:
        return f"{self.status.upper() if self.status == 'failed' else self.status}: {self.row}: {self.text}"


@dataclass(frozen=True)
class Report:
    """What the gate found."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what was compared with what
    warnings: list[str] = field(default_factory=list)  # what was not judged, and why

    def _rows(self, status: str) -> list[str]:
        return [finding.row for finding in self.findings if finding.status == status]

    @property
    def failed(self) -> list[str]:
        """Names of the rows that regressed."""
        return self._rows("failed")

    @property
    def undecided(self) -> list[str]:
        """Names of the rows that passed without having been decided."""
        return self._rows("open")

    @property
    def ok(self) -> bool:
        """Whether nothing failed, and something was judged."""
        return bool(self.findings) and not self.failed

    def lines(self, everything: bool = True) -> Iterator[str]:
        """Notes, findings with the failed ones last, warnings; without `everything` those that held are left out."""
        yield from (f"note: {note}" for note in self.notes)
        for status in ("held", "open", "failed") if everything else ("open", "failed"):
            yield from (str(finding) for finding in self.findings if finding.status == status)
        yield from (f"WARNING: {warning}" for warning in self.warnings)

    @property
    def summary(self) -> str:
        """How many rows there were of each kind, in one line."""
        if not self.findings:
            return "nothing was judged"
        kinds = (("FAILED", self.failed), ("NOT DECIDED", self.undecided))
        held = f"{len(self._rows('held'))} held"
        return ", ".join([held, *(f"{len(rows)} {kind} ({'; '.join(rows)})" for kind, rows in kinds if rows)])

    def __str__(self) -> str:
        return "\n".join([*self.lines(everything=False), self.summary])
