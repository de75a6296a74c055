"""What a benchmark found: one record a case and backend, with every sample, and the figures that follow from them.

The file format is described in docs/benchmarks.md.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from vecphe.bench.environment import Environment
from vecphe.bench.intervals import median_bounds
from vecphe.bench.peers import PEERS
from vecphe.system.plurals import counted

__all__ = ["BACKENDS", "FIGURES", "PHASES", "TIMED_PHASES", "Case", "Figure", "Record", "Results", "csv_text"]

BACKENDS = ("naive", "vectorized", "packed")
TIMED_PHASES = ("encrypt", "add", "decrypt")
PHASES = (*TIMED_PHASES, "round")
FIGURES = (*PHASES, "speed_up", "seconds_per_value")  # what has an interval
_VERSION_COLUMNS = ("vecphe", "python", "numpy", "gmpy2", *PEERS)
_NOISY = 1.5


@dataclass(frozen=True, order=True)
class Case:
    """One round of the protocol's arithmetic: every client encrypts, the sum goes round, the key holder decrypts."""

    key_length: int  # bits
    clients: int
    values: int  # length of each client's vector

    def text(self, *fields: str) -> str:
        """Some fields with their units, such as "2048 bits, 5 clients"."""
        units = {"key_length": "bit", "clients": "client", "values": "value"}
        return ", ".join(counted(getattr(self, field), units[field]) for field in fields or units)

    __str__ = text


class Figure(NamedTuple):
    """A median of samples, and its 99 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Figure:
        """The median and its interval."""
        return cls(statistics.median(samples), *median_bounds(samples))

    @property
    def ends(self) -> list[float] | None:
        """Those of the interval; None of too few samples."""
        return [self.low, self.high] if self.low else None

    @property
    def noisy(self) -> bool:
        """Whether the interval's upper end is more than 1.5 times the lower one."""
        return self.high > _NOISY * self.low


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
    # Whether the reference was scaled up from fewer values or clients; files from before it was kept do not say.
    reference_extrapolated: bool = field(default=False, metadata={"optional": True})

    @property
    def extrapolated(self) -> bool:
        """Whether times were scaled up from fewer values or clients."""
        return self.measured_values < self.case.values or self.measured_clients < self.case.clients

    @property
    def n_samples(self) -> int:
        """How many samples each figure is the median of."""
        return len(self.samples["round"])

    @property
    def noisy(self) -> bool:
        """Whether samples disagree: the interval of the round's time or of the speed-up spans more than 1.5 times."""
        return any(figure is not None and figure.noisy for figure in map(self.figure, ("round", "speed_up")))

    @property
    def speed_up(self) -> float | None:
        """Median of the time of the naive round over that of this one, pair by pair."""
        figure = self.figure("speed_up")
        return None if figure is None else figure.value

    @property
    def identity(self) -> tuple[str, Case, int]:
        """What is compared between two files."""
        return self.backend, self.case, self.jobs

    def figure(self, name: str) -> Figure | None:
        """One of `FIGURES` with its interval; None for a speed-up without a reference."""
        if name == "speed_up":
            pairs = zip(self.reference, self.samples["round"], strict=True)
            return Figure.of([theirs / ours for theirs, ours in pairs]) if self.reference else None
        if name == "seconds_per_value":
            count = self.case.clients * self.case.values
            return Figure.of([seconds / count for seconds in self.samples["round"]])
        return Figure.of(self.samples[name])

    def is_approximate(self, name: str) -> bool:
        """Whether a figure was scaled up, itself or in what it is held against."""
        return self.extrapolated or (name == "speed_up" and self.reference_extrapolated)

    def seconds(self, phase: str) -> float:
        """Median time of a phase."""
        return statistics.median(self.samples[phase])

    def with_more(self, later: Record) -> Record:
        """The samples of both in one record, those of a later one of the same case last."""
        return replace(
            later,
            samples={phase: self.samples[phase] + later.samples[phase] for phase in PHASES},
            reference=self.reference + later.reference,
            measured_values=min(self.measured_values, later.measured_values),
            measured_clients=min(self.measured_clients, later.measured_clients),
            reference_extrapolated=self.reference_extrapolated or later.reference_extrapolated,
            memory=later.memory if self.memory is None else self.memory,
            setup=self.setup,
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything, derived figures too, ready for JSON."""
        content = asdict(self)
        first = {"backend": content.pop("backend"), **content.pop("case")}
        figures = {name: figure for name in FIGURES if (figure := self.figure(name)) is not None}
        derived = {
            "extrapolated": self.extrapolated,
            "n_samples": self.n_samples,
            "noisy": self.noisy,
            "median": {phase: figures[phase].value for phase in PHASES},
            "speed_up": self.speed_up,
            "seconds_per_value": figures["seconds_per_value"].value,
            "interval": {name: figure.ends for name, figure in figures.items()},
        }
        return {**first, **content, **derived}


@dataclass(frozen=True)
class Results:
    """Records of one run."""

    records: tuple[Record, ...] = ()
    complete: bool = True  # False if cases are missing, or samples that were to come
    # What a reader of the figures must know: a fast engine that did not run, backends left out.
    warnings: tuple[str, ...] = ()
    # What was to be measured, and where: a run goes on only with the same.
    plan: dict[str, str] = field(default_factory=dict, metadata={"optional": True})

    def find(self, backend: str, case: Case) -> Record | None:
        """The record of a backend and case."""
        return next((r for r in self.records if r.backend == backend and r.case == case), None)

    def with_more(self, records: Sequence[Record]) -> Results:
        """These and later records, samples of the same case in one record."""
        merged = {record.identity: record for record in self.records}
        for record in records:
            old = merged.get(record.identity)
            merged[record.identity] = record if old is None else old.with_more(record)
        return replace(self, records=tuple(merged.values()))

    @property
    def backends(self) -> list[str]:
        """Names of backends, in the order in which they were first recorded."""
        return list(dict.fromkeys(record.backend for record in self.records))


_CSV_COLUMNS = (
    *("backend", "key_length", "clients", "values", "jobs", "measured_values", "measured_clients", "extrapolated"),
    *("reference_extrapolated", "n_samples", "noisy"),
    *(name + end for name in FIGURES for end in ("", "_low", "_high")),
    *("ciphertexts", "bytes_per_value", "setup", "memory", "date", "cpu", "cores", "system", "engine", "target"),
    *(f"version_{name}" for name in _VERSION_COLUMNS),
)


def csv_text(records: Sequence[Record]) -> str:
    """CSV with a header and a row a record, with medians and their intervals instead of samples; times in seconds.

    Lines end with CRLF, as RFC 4180 has it.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, _CSV_COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(map(_csv_row, records))
    return file.getvalue()


def _csv_row(record: Record) -> dict[str, Any]:
    row = {**record.as_dict(), **asdict(record.environment)}
    for name in FIGURES:
        if (figure := record.figure(name)) is not None:
            low, high = figure.ends or ("", "")
            row |= {name: figure.value, f"{name}_low": low, f"{name}_high": high}
    return row | {f"version_{name}": version for name, version in record.environment.versions.items()}
