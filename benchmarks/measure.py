"""Timings on shared machines: both sides interleaved in one process, medians, never one absolute number."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vecphe.arithmetic import active_engine


@dataclass(frozen=True)
class Comparison:
    """Medians of two interleaved sides, in seconds per item, and the median of their ratios pair by pair."""

    ours: float
    theirs: float
    ratio: float


@dataclass(frozen=True)
class Measured:
    """One figure; `at_most` where smaller is better."""

    key: str
    name: str
    value: float
    unit: str
    detail: str = ""
    at_most: bool = False


def once(function: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def compare(
    ours: Callable[[], object], theirs: Callable[[], object], items: tuple[int, int], pairs: int = 7
) -> Comparison:
    """Time two functions in turn, after one call of each that does not count.

    `items` says how many values each of them handles a call.
    """
    ours()
    theirs()
    return compare_times([(once(ours) / items[0], once(theirs) / items[1]) for _ in range(pairs)])


def compare_times(times: list[tuple[float, float]]) -> Comparison:
    """Summarise (ours, theirs) pairs."""
    return Comparison(
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
        statistics.median(b / a for a, b in times),
    )


def machine() -> str:
    """Engine and CPU, for the head of every report."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"engine {active_engine().name}, CPU {model}, {os.cpu_count()} cores, Python {platform.python_version()}"
