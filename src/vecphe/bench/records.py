"""What a benchmark found: one record a case, with every sample, and files of records.

The file format is described in docs/benchmarks.md.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from vecphe.bench.environment import Environment

__all__ = ["BACKENDS", "PHASES", "TIMED_PHASES", "Case", "Record", "Results", "csv_text"]

BACKENDS = ("naive", "vectorized", "packed")
TIMED_PHASES = ("encrypt", "add", "decrypt")
PHASES = (*TIMED_PHASES, "round")
_VERSION_COLUMNS = ("vecphe", "python", "numpy", "gmpy2", "phe")


@dataclass(frozen=True, order=True)
class Case:
    """One round of the protocol's arithmetic: every client encrypts, the sum goes round, the key holder decrypts."""

    key_length: int  # bits
    clients: int
    values: int  # length of each client's vector

    def __str__(self) -> str:
        return f"{self.key_length} bits, {self.clients} clients, {self.values} values"


@dataclass(frozen=True)
class Record:
    """What one backend needed for one case. Fields have their names in files."""

    backend: str
    case: Case = field(metadata={"flat": True})
    jobs: int  # workers
    measured_values: int  # that a client really encrypted; with fewer than the case's times are extrapolated
    measured_clients: int  # that really encrypted; with fewer than the case's too
    samples: dict[str, list[float]]  # seconds of each of `PHASES`, all clients together, one entry a repeat
    # Seconds of the naive loop's round, one entry a repeat, measured in turn with the samples and scaled to the whole
    # case; empty where phe is not installed.
    reference: list[float]
    ciphertexts: int  # of one vector
    bytes_per_value: float  # canonical ciphertext bytes on the wire, a hop and value
    setup: float  # seconds to make the key pair and its tables, once a key
    memory: int | None  # peak of resident bytes in a round beyond those before it; None if unknown
    date: str  # ISO 8601, UTC
    environment: Environment

    @property
    def extrapolated(self) -> bool:
        """Whether times were scaled up from fewer values or clients."""
        return self.measured_values < self.case.values or self.measured_clients < self.case.clients

    @property
    def speed_up(self) -> float | None:
        """Median of the time of the naive round over that of this one, pair by pair."""
        ratios = (theirs / ours for theirs, ours in zip(self.reference, self.samples["round"], strict=True))
        return statistics.median(ratios) if self.reference else None

    @property
    def identity(self) -> tuple[str, Case, int]:
        """What is compared between two files."""
        return self.backend, self.case, self.jobs

    def seconds(self, phase: str) -> float:
        """Median time of a phase."""
        return statistics.median(self.samples[phase])

    def quartiles(self, phase: str) -> tuple[float, float]:
        """Lower and upper quartile of a phase's time."""
        low, high = np.quantile(self.samples[phase], (0.25, 0.75)).tolist()
        return low, high

    def as_dict(self) -> dict[str, Any]:
        """Everything, derived figures too, ready for JSON."""
        content = asdict(self)
        first = {"backend": content.pop("backend"), **content.pop("case")}
        derived = {
            "extrapolated": self.extrapolated,
            "median": {phase: self.seconds(phase) for phase in PHASES},
            "speed_up": self.speed_up,
            "seconds_per_value": self.seconds("round") / (self.case.clients * self.case.values),
        }
        return {**first, **content, **derived}


@dataclass(frozen=True)
class Results:
    """Records of one run."""

    records: tuple[Record, ...] = ()
    complete: bool = True  # False if the run was interrupted
    # What a reader of the figures must know: a fast engine that did not run, backends left out.
    warnings: tuple[str, ...] = ()

    def find(self, backend: str, case: Case) -> Record | None:
        """The record of a backend and case."""
        return next((r for r in self.records if r.backend == backend and r.case == case), None)

    @property
    def backends(self) -> list[str]:
        """Names of backends, in the order in which they were first recorded."""
        return list(dict.fromkeys(record.backend for record in self.records))


_CSV_COLUMNS = (
    *("backend", "key_length", "clients", "values", "jobs", "measured_values", "measured_clients", "extrapolated"),
    *("speed_up", "seconds_per_value", "ciphertexts", "bytes_per_value", "setup", "memory", "date", "repeats"),
    *(phase + quartile for phase in PHASES for quartile in ("", "_q1", "_q3")),
    *("cpu", "cores", "system", "engine", "target"),
    *(f"version_{name}" for name in _VERSION_COLUMNS),
)


def csv_text(records: Sequence[Record]) -> str:
    """CSV with a header and a row a record, with medians and quartiles instead of samples; times in seconds.

    Lines end with CRLF, as RFC 4180 has it.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, _CSV_COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(map(_csv_row, records))
    return file.getvalue()


def _csv_row(record: Record) -> dict[str, Any]:
    row = {**record.as_dict(), **asdict(record.environment), "repeats": len(record.samples["round"])}
    for phase in PHASES:
        low, high = record.quartiles(phase)
        row |= {phase: record.seconds(phase), f"{phase}_q1": low, f"{phase}_q3": high}
    return row | {f"version_{name}": version for name, version in record.environment.versions.items()}
