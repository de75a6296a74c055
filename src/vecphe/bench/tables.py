"""Figures as text, for the terminal and for the report."""

from __future__ import annotations

from vecphe.bench.records import PHASES, Record

__all__ = ["COLUMNS", "cells", "duration", "size", "times"]

_CASE_COLUMNS = ("key bits", "clients", "values", "backend")
COLUMNS = (*_CASE_COLUMNS, *PHASES, "speed-up", "bytes/value", "memory")
_YEAR = 365.25 * 86_400


def cells(record: Record) -> tuple[str, ...]:
    """One row, in the order of `COLUMNS`; extrapolated times start with a tilde."""
    about, case = "~" if record.extrapolated else "", record.case
    return (
        *(str(case.key_length), str(case.clients), str(case.values), record.backend),
        *(about + duration(record.seconds(phase)) for phase in PHASES),
        "-" if record.speed_up is None else times(record.speed_up),
        f"{record.bytes_per_value:.4g}",
        "-" if record.memory is None else size(record.memory),
    )


def duration(seconds: float, digits: int = 3) -> str:
    """Seconds with so many digits and a unit, from us to years."""
    for factor, unit in ((1e-6, "us"), (1e-3, "ms"), (1.0, "s")):
        if seconds < 999.5 * factor:
            return f"{_figure(seconds / factor, digits)} {unit}"
    for limit, factor, unit in ((6000, 1, "s"), (48 * 3600, 3600, "h"), (2 * _YEAR, 86_400, "days")):
        if seconds < limit:
            return f"{_figure(seconds / factor, max(digits, 4) if unit == 's' else digits)} {unit}"
    return f"{_figure(seconds / _YEAR, digits)} years"


def size(count: float) -> str:
    """Bytes with three digits and a unit, from B to PiB."""
    for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB")):
        if count < 1000 << (10 * power):
            return f"{_figure(count / (1 << (10 * power)))} {unit}"
    return f"{_figure(count / (1 << 50))} PiB"


def _figure(number: float, digits: int = 3) -> str:
    """So many digits that count, written out: no exponent."""
    rounded = float(f"{number:.{digits}g}")
    if rounded < 10**digits:
        return f"{rounded:.{digits}g}"
    return f"{rounded:,.0f}" if rounded >= 10_000 else f"{rounded:.0f}"


def times(ratio: float) -> str:
    """A ratio with three digits."""
    return f"{ratio:.3g}x" if ratio < 999.5 else f"{ratio:.0f}x"
