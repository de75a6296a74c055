"""Timings on shared machines: both sides interleaved in one process, medians, never one absolute number."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from vecphe.arithmetic import active_engine

_MULTIPLY_ADDS_PER_ROUND = 16  # of each lane


@dataclass(frozen=True)
class Comparison:
    """Medians of two interleaved sides, in seconds per item, and the median of their ratios pair by pair."""

    ours: float
    theirs: float
    ratio: float


@dataclass(frozen=True)
class Measured:
    """One figure, held against its target if it has one on this engine; `at_most` where smaller is better."""

    key: str
    name: str
    value: float
    unit: str
    detail: str = ""
    at_most: bool = False
    target: float | None = None

    @property
    def met(self) -> bool:
        return self.target is None or (self.value <= self.target if self.at_most else self.value >= self.target)

    @property
    def wanted(self) -> str:
        return "-" if self.target is None else f"{'<=' if self.at_most else '>='} {self.target:g}"

    def __str__(self) -> str:
        verdict = "" if self.target is None else "met" if self.met else "MISSED"
        return f"{self.name:<58} {self.value:8.3g} {self.unit:<2} {self.wanted:>8} {verdict:<6} {self.detail}"

    def cells(self) -> list[str]:
        wanted = f"{self.wanted}{'' if self.met else ' (missed)'}"
        return [self.name, f"{self.value:.3g} {self.unit}", wanted, self.detail]


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


def shares_of_peak(multiply_adds: float, function: Callable[[], object], times: int) -> list[tuple[float, float]]:
    """Multiply-adds a second of a function that does so many, and of the core at its peak, measured in turn."""
    return [(multiply_adds / once(function), multiply_add_peak()) for _ in range(times)]


def limbs(key_length: int) -> int:
    """Of 52 bits, of a number modulo n in the native kernel."""
    return -(-(key_length + 12) // 52)


def multiply_add_peak(rounds: int = 400_000) -> float:
    """Multiply-adds a second that the active target does at most on this core; about a millisecond is measured."""
    from vecphe.arithmetic import _native

    facts = active_engine().describe()
    target, lanes = facts["target"], facts["lanes"]
    return rounds * _MULTIPLY_ADDS_PER_ROUND * lanes / once(lambda: _native.multiply_add(rounds, target))
