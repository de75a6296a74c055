"""Figures as text, for the terminal and for the report."""

from __future__ import annotations

from vecphe.bench.records import Record

__all__ = ["COLUMNS", "cells", "duration", "size", "times"]

COLUMNS = (
    "key bits",
    "clients",
    "values",
    "backend",
    "encrypt",
    "add",
    "decrypt",
    "round",
    "speed-up",
    "bytes/value",
    "memory",
)


def cells(record: Record) -> tuple[str, ...]:
    """One row, in the order of `COLUMNS`; extrapolated times start with a tilde."""
    about = "~" if record.extrapolated else ""
    case = record.case
    return (
        str(case.key_length),
        str(case.clients),
        str(case.values),
        record.backend,
        *(about + duration(record.seconds(phase)) for phase in ("encrypt", "add", "decrypt", "round")),
        "-" if record.speed_up is None else times(record.speed_up),
        f"{record.bytes_per_value:.4g}",
        "-" if record.memory is None else size(record.memory),
    )


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for factor, unit in ((1e-6, "us"), (1e-3, "ms"), (1.0, "s")):
        if seconds < 999.5 * factor:
            return f"{seconds / factor:.3g} {unit}"
    if seconds < 6000:
        return f"{seconds:.0f} s"
    hours = seconds / 3600
    return (
        f"{hours:.3g} h" if hours < 48 else f"{hours / 24:.3g} days" if hours < 24 * 999.5 else f"{hours / 24:.0f} days"
    )


def size(count: int) -> str:
    """Bytes with three digits and a unit."""
    for power, unit in enumerate(("B", "KiB", "MiB")):
        if count < 1000 << (10 * power):
            return f"{count / (1 << (10 * power)):.3g} {unit}"
    return f"{count / (1 << 30):.3g} GiB"


def times(ratio: float) -> str:
    """A ratio with three digits."""
    return f"{ratio:.3g}x" if ratio < 999.5 else f"{ratio:.0f}x"
