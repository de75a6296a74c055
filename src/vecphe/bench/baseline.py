"""The baseline of the gate: what was counted and measured when it was taken, in a file that is checked on load."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vecphe.arithmetic import Engine
from vecphe.bench.counts import Counts
from vecphe.bench.environment import Environment, cpu_fields, cpu_model
from vecphe.bench.results_file import load_json
from vecphe.errors import SerializationError
from vecphe.files import replace_file

__all__ = [
    "Baseline",
    "EngineRows",
    "Speed",
    "changes",
    "count_changes",
    "cpu_identity",
    "load_baseline",
    "save_baseline",
]

_SCHEMA = "vecphe-gate"
_VERSION = 1
_MOST_ROWS = 1000


@dataclass(frozen=True)
class Speed:
    """Speed of a row relative to its reference.

    Attributes
    ----------
    speed : float
        What is judged against: the lower quartile of the medians of several passes, since one on a shared machine can
        be lucky, or not.
    highest : float
        The highest of these medians; how far above it is says what the machine did meanwhile.
    seconds : float
        Of one run; reported, never judged.
    reference : float
        Seconds of one run of the reference on a quiet machine: by it a block knows whether it was disturbed.
    """

    speed: float
    highest: float
    seconds: float
    reference: float


@dataclass(frozen=True)
class EngineRows:
    """Rows of one engine.

    Attributes
    ----------
    target : str
        What the engine computed on: instruction set or library.
    cpu : str
        Where the speeds were measured; counts hold on any CPU.
    date : str
    versions : dict of str to str
    counts : dict of str to dict of str to int
    speeds : dict of str to Speed
        Empty for engines whose speed nobody guards.
    """

    target: str
    cpu: str
    date: str
    versions: dict[str, str]
    counts: dict[str, Counts]
    speeds: dict[str, Speed] = field(default_factory=dict)

    @classmethod
    def measured(cls, engine: Engine, counts: dict[str, Counts], speeds: dict[str, Speed]) -> EngineRows:
        """Rows that were taken here and now."""
        environment = Environment.current(engine.name)
        date = datetime.date.today().isoformat()
        return cls(environment.target, cpu_identity(), date, environment.versions, counts, speeds)


@dataclass(frozen=True)
class Baseline:
    """A baseline file.

    Attributes
    ----------
    engine : str
        The engine that it requires.
    engines : dict of str to EngineRows
        Rows of that one, and of others that may be asked for.
    """

    engine: str
    engines: dict[str, EngineRows]

    def with_rows(self, engine: str, rows: EngineRows) -> Baseline:
        """The same with other rows for one engine."""
        return Baseline(self.engine, {**self.engines, engine: rows})


def cpu_identity() -> str:
    """The CPU by name, family and model: names of virtual machines alone tell little."""
    fields = cpu_fields()
    numbers = [f"{name} {fields[key]}" for name, key in (("family", "cpu family"), ("model", "model")) if key in fields]
    return f"{cpu_model()} ({', '.join(numbers)})" if numbers else cpu_model()


def save_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline; OSError if it cannot be written."""
    content = {"schema": _SCHEMA, "version": _VERSION, **asdict(baseline)}
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"
    replace_file(path, text.encode("utf-8"), force=True)


def load_baseline(path: Path) -> Baseline:
    """A baseline from a file that may hold anything.

    Raises
    ------
    SerializationError
        If it is no baseline; the message is one line that names the file and the field.
    OSError
        If it cannot be read.
    """
    content = load_json(path)
    try:
        return _baseline(content)
    except SerializationError as error:
        raise SerializationError(f"{path}: {error}") from None


def _baseline(content: Any) -> Baseline:
    schema, version, engine, engines = _fields(content, "", "schema", "version", "engine", "engines")
    if schema != _SCHEMA:
        raise SerializationError(f"schema is not {_SCHEMA!r}: this is no baseline of `vecphe bench baseline`")
    if version != _VERSION or isinstance(version, bool):
        raise SerializationError(f"version is not {_VERSION}, the only one that this vecphe reads")
    rows = {name: _engine_rows(entry, f"engines.{name}") for name, entry in _object(engines, "engines").items()}
    if _text(engine, "engine") not in rows:
        raise SerializationError(f"engine: {engine[:40]!r} has no rows under engines")
    return Baseline(engine, rows)


def _engine_rows(content: Any, place: str) -> EngineRows:
    names = ("target", "cpu", "date", "versions", "counts", "speeds")
    target, cpu, date, versions, counts, speeds = _fields(content, place, *names)
    return EngineRows(
        _text(target, f"{place}.target"),
        _text(cpu, f"{place}.cpu"),
        _text(date, f"{place}.date"),
        _mapping(versions, f"{place}.versions", _text),
        _mapping(counts, f"{place}.counts", lambda entry, row: _mapping(entry, row, _count)),
        _mapping(speeds, f"{place}.speeds", _speed),
    )


def _speed(content: Any, place: str) -> Speed:
    names = ("speed", "highest", "seconds", "reference")
    values = _fields(content, place, *names)
    return Speed(*(_positive(value, f"{place}.{name}") for name, value in zip(names, values, strict=True)))


def _fields(content: Any, place: str, *names: str) -> tuple[Any, ...]:
    content = _object(content, place or "the file")
    for name in names:
        if name not in content:
            raise SerializationError(f"{place}{'.' if place else ''}{name} is missing")
    if unknown := sorted(set(content) - set(names)):
        raise SerializationError(f"{place}{'.' if place else ''}{unknown[0][:40]} is no field of a baseline")
    return tuple(content[name] for name in names)


def _mapping(content: Any, place: str, check: Callable[[Any, str], Any]) -> dict[str, Any]:
    return {name: check(entry, f"{place}.{name}") for name, entry in _object(content, place).items()}


def _object(content: Any, place: str) -> dict[str, Any]:
    if not isinstance(content, dict) or len(content) > _MOST_ROWS:
        raise SerializationError(f"{place} is no object of up to {_MOST_ROWS} fields")
    return content


def _text(content: Any, place: str) -> str:
    if not isinstance(content, str) or not 0 < len(content) <= 200 or not content.isprintable():
        raise SerializationError(f"{place} is no line of text")
    return content


def _count(content: Any, place: str) -> int:
    if isinstance(content, bool) or not isinstance(content, int) or not 0 <= content < 1 << 64:
        raise SerializationError(f"{place} is no count")
    return content


def _positive(content: Any, place: str) -> float:
    if isinstance(content, bool) or not isinstance(content, (int, float)):
        raise SerializationError(f"{place} is no number")
    if not (math.isfinite(content) and content > 0):
        raise SerializationError(f"{place} is not positive and finite")
    return float(content)


def changes(old: EngineRows | None, new: EngineRows) -> Iterator[str]:
    """What an update changes, one line each: old -> new."""
    old = EngineRows("none", "none", "none", {}, {}) if old is None else old
    for name in ("target", "cpu"):
        if getattr(old, name) != getattr(new, name):
            yield f"{name}: {getattr(old, name)} -> {getattr(new, name)}"
    for row in sorted(old.counts.keys() | new.counts.keys()):
        yield from _changed_counts(row, old.counts.get(row), new.counts.get(row))
    for row in sorted(old.speeds.keys() | new.speeds.keys()):
        was, now = old.speeds.get(row), new.speeds.get(row)
        if was is None or now is None:
            yield f"{row}: {'no row' if was is None else format(was.speed, '.4g')} -> " + (
                "no row" if now is None else format(now.speed, ".4g")
            )
        elif was.speed != now.speed:
            yield f"{row}: {was.speed:.4g} -> {now.speed:.4g} ({100 * (now.speed / was.speed - 1):+.1f} %)"


def _changed_counts(row: str, old: Counts | None, new: Counts | None) -> Iterator[str]:
    if old is None or new is None:
        yield f"{row}: {'no row' if old is None else f'{len(old)} counts'} -> " + (
            "no row" if new is None else f"{len(new)} counts"
        )
        return
    yield from (f"{row}: {line}" for line in count_changes(old, new))


def count_changes(old: Counts, new: Counts) -> Iterator[str]:
    """Counts that differ, one line each."""
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name, 0), new.get(name, 0)
        if was != now:
            yield f"{name} {was} -> {now}" + (f" ({100 * (now / was - 1):+.3g} %)" if was else "")
