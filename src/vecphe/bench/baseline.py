"""The baseline of the gate: what was counted and measured when it was taken, in a file that is checked on load."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from vecphe.arithmetic import Engine
from vecphe.bench.counts import Counts
from vecphe.bench.environment import Environment, cpu_fields, cpu_model
from vecphe.bench.results_file import load_as, refuse_unless, save_file
from vecphe.system.plurals import counted

__all__ = ["Baseline", "EngineRows", "Speed", "changes", "count_changes", "cpu_name", "load_baseline", "save_baseline"]

_SCHEMA = "vecphe-gate"


@dataclass(frozen=True)
class Speed:
    """Speed of a row relative to its reference, from the medians of several passes: one can be lucky, or not."""

    speed: float  # their lower quartile, which is judged against
    highest: float  # of them; how far above it is says what the machine did meanwhile
    seconds: float  # of one run; reported, never judged
    reference: float  # seconds of one run of it on a quiet machine: by this a block knows whether it was disturbed


@dataclass(frozen=True)
class EngineRows:
    """Rows of one engine, by name."""

    target: str  # what it computed on: instruction set or library
    cpu: str  # where the speeds were measured; counts hold on any
    date: str
    versions: dict[str, str]
    counts: dict[str, Counts]
    speeds: dict[str, Speed] = field(default_factory=dict)  # none of engines whose speed nobody guards

    @classmethod
    def measured(cls, engine: Engine, counts: dict[str, Counts], speeds: dict[str, Speed]) -> EngineRows:
        """Rows that were taken here and now."""
        environment = Environment.current(engine.name)
        date = datetime.date.today().isoformat()
        return cls(environment.target, cpu_name(), date, environment.versions, counts, speeds)


@dataclass(frozen=True)
class Baseline:
    """A baseline file."""

    engine: str  # the one that it requires
    engines: dict[str, EngineRows]  # of that one, and of others that may be asked for


def cpu_name() -> str:
    """The CPU by name, family and model: names of virtual machines alone tell little."""
    fields = cpu_fields()
    numbers = [f"{name} {fields[key]}" for name, key in (("family", "cpu family"), ("model", "model")) if key in fields]
    return f"{cpu_model()} ({', '.join(numbers)})" if numbers else cpu_model()


def save_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline; OSError if it cannot be written."""
    save_file(path, _SCHEMA, asdict(baseline))


def load_baseline(path: Path) -> Baseline:
    """A baseline from a file that may hold anything.

    Raises
    ------
    SerializationError
        If it is no baseline; the message is one line that names the file and the field.
    OSError
        If it cannot be read.
    """
    baseline: Baseline = load_as(Baseline, path, _SCHEMA, "vecphe bench baseline", "a baseline")
    required = f"engine: {baseline.engine[:40]!r} has no rows under engines"
    refuse_unless(baseline.engine in baseline.engines, f"{path}: ", required)
    return baseline


def changes(old: EngineRows | None, new: EngineRows) -> Iterator[str]:
    """What an update changes, one line each: old -> new."""
    old = EngineRows("none", "none", "none", {}, {}) if old is None else old
    for name in ("target", "cpu"):
        if getattr(old, name) != getattr(new, name):
            yield f"{name}: {getattr(old, name)} -> {getattr(new, name)}"
    for before, after in ((old.counts, new.counts), (old.speeds, new.speeds)):
        for row in sorted(before.keys() | after.keys()):
            yield from (f"{row}: {line}" for line in _row_changes(before.get(row), after.get(row)))


def _row_changes(was: Counts | Speed | None, now: Counts | Speed | None) -> Iterator[str]:
    if isinstance(was, dict) and isinstance(now, dict):
        yield from count_changes(was, now)
    elif not (isinstance(was, Speed) and isinstance(now, Speed)):
        yield f"{_shown(was)} -> {_shown(now)}"
    elif was.speed != now.speed:
        yield f"{_shown(was)} -> {_shown(now)} ({100 * (now.speed / was.speed - 1):+.1f} %)"


def _shown(row: Counts | Speed | None) -> str:
    return "no row" if row is None else f"{row.speed:.4g}" if isinstance(row, Speed) else counted(len(row), "count")


def count_changes(old: Counts, new: Counts) -> Iterator[str]:
    """Counts that differ, one line each."""
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name, 0), new.get(name, 0)
        if was != now:
            yield f"{name} {was} -> {now}" + (f" ({100 * (now / was - 1):+.3g} %)" if was else "")
