"""Faults that no test can see, since the program does the same with them: `make mutants-random` passes them over.

Each is named by the function and by the changed line as it stands and as the fault has it, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EQUIVALENTS", "Equivalent"]


@dataclass(frozen=True)
class Equivalent:
    """One fault, and why nothing differs."""

    name: str
    before: str
    after: str
    reason: str

    @property
    def key(self) -> tuple[str, str, str]:
        """As `Change.key`."""
        return self.name, self.before, self.after


EQUIVALENTS: list[Equivalent] = []
