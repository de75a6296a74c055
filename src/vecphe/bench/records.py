"""What a benchmark found: one record a case, with every sample, and files of records.

The file format is described in docs/benchmarks.md.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from vecphe.bench.environment import Environment

__all__ = ["PHASES", "Case", "Record", "Results", "csv_text"]

PHASES = ("encrypt", "add", "decrypt", "round")


@dataclass(frozen=True, order=True)
class Case:
    """One round of the protocol's arithmetic: every client encrypts, the sum goes round, the key holder decrypts.

    Attributes
    ----------
    key_length : int
        Bits.
    clients : int
    values : int
        Length of each client's vector.
    """

    key_length: int
    clients: int
    values: int

    def __str__(self) -> str:
        return f"{self.key_length} bits, {self.clients} clients, {self.values} values"


@dataclass(frozen=True)
class Record:
    """What one backend needed for one case.

    Attributes
    ----------
    backend : str
        "naive", "vectorized" or "packed".
    case : Case
    jobs : int
        Workers.
    measured_values : int
        Values a client that were really encrypted; with fewer than ``case.values`` times are extrapolated.
    measured_clients : int
        Clients that really encrypted; with fewer than ``case.clients`` too.
    samples : dict of str to list of float
        Seconds of each of `PHASES`, all clients together, one entry a repeat.
    reference : list of float
        Seconds of the naive loop's round, one entry a repeat, measured in turn with `samples` and scaled to the
        whole case; empty where phe is not installed.
    ciphertexts : int
        Of one vector.
    bytes_per_value : float
        Canonical ciphertext bytes on the wire, a hop and value.
    setup : float
        Seconds to make the key pair and its tables, once a key.
    memory : int or None
        Peak of resident bytes in a round beyond those before it; None if unknown.
    date : str
        ISO 8601, UTC.
    environment : Environment
    """

    backend: str
    case: Case = field(metadata={"flat": True})
    jobs: int
    measured_values: int
    measured_clients: int
    samples: dict[str, list[float]]
    reference: list[float]
    ciphertexts: int
    bytes_per_value: float
    setup: float
    memory: int | None
    date: str
    environment: Environment

    @property
    def extrapolated(self) -> bool:
        """Whether times were scaled up from fewer values or clients."""
        return self.measured_values < self.case.values or self.measured_clients < self.case.clients

    @property
    def ratios(self) -> list[float]:
        """Time of the naive round over that of this one, pair by pair."""
        return [theirs / ours for theirs, ours in zip(self.reference, self.samples["round"], strict=True)]

    @property
    def speed_up(self) -> float | None:
        """Median of `ratios`."""
        return statistics.median(self.ratios) if self.reference else None

    @property
    def identity(self) -> tuple[str, Case, int]:
        """What is compared between two files."""
        return self.backend, self.case, self.jobs

    def seconds(self, phase: str) -> float:
        """Median time of a phase."""
        return statistics.median(self.samples[phase])

    def quartiles(self, phase: str) -> tuple[float, float]:
        """Lower and upper quartile of a phase's time."""
        samples = self.samples[phase]
        if len(samples) < 2:
            return samples[0], samples[0]
        low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
        return low, high

    def as_dict(self) -> dict[str, Any]:
        """Everything, derived figures too, ready for JSON."""
        return {
            "backend": self.backend,
            **asdict(self.case),
            "jobs": self.jobs,
            "measured_values": self.measured_values,
            "measured_clients": self.measured_clients,
            "extrapolated": self.extrapolated,
            "samples": self.samples,
            "median": {phase: self.seconds(phase) for phase in PHASES},
            "reference": self.reference,
            "speed_up": self.speed_up,
            "seconds_per_value": self.seconds("round") / (self.case.clients * self.case.values),
            "ciphertexts": self.ciphertexts,
            "bytes_per_value": self.bytes_per_value,
            "setup": self.setup,
            "memory": self.memory,
            "date": self.date,
            "environment": asdict(self.environment),
        }


@dataclass(frozen=True)
class Results:
    """Records of one run.

    Attributes
    ----------
    records : tuple of Record
    complete : bool
        False if the run was interrupted.
    warnings : tuple of str
        What a reader of the figures must know: a fast engine that did not run, backends left out.
    """

    records: tuple[Record, ...] = ()
    complete: bool = True
    warnings: tuple[str, ...] = field(default=())

    def with_record(self, record: Record) -> Results:
        """These and one more."""
        return replace(self, records=(*self.records, record))

    def find(self, backend: str, case: Case) -> Record | None:
        """The record of a backend and case."""
        return next((r for r in self.records if r.backend == backend and r.case == case), None)

    @property
    def backends(self) -> list[str]:
        """Names of backends, in the order in which they were first recorded."""
        return list(dict.fromkeys(record.backend for record in self.records))

    @property
    def cases(self) -> list[Case]:
        """Cases, sorted."""
        return sorted({record.case for record in self.records})


def csv_text(records: Sequence[Record]) -> str:
    """One row a record, with medians and quartiles instead of samples; times in seconds.

    Parameters
    ----------
    records : sequence of Record

    Returns
    -------
    str
        CSV with a header, CRLF at the ends of lines (RFC 4180).
    """
    rows = [_csv_row(record) for record in records]
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0] if rows else ["backend"])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _csv_row(record: Record) -> dict[str, Any]:
    flat = record.as_dict()
    environment = flat.pop("environment")
    for name in ("samples", "median", "reference"):
        del flat[name]
    row = {**flat, "repeats": len(record.samples["round"])}
    for phase in PHASES:
        low, high = record.quartiles(phase)
        row |= {phase: record.seconds(phase), f"{phase}_q1": low, f"{phase}_q3": high}
    versions = environment.pop("versions")
    return {**row, **environment, **{f"version_{name}": versions.get(name) for name in _VERSION_COLUMNS}}


_VERSION_COLUMNS = ("vecphe", "python", "numpy", "gmpy2", "phe")
