"""Timings on shared machines: both sides interleaved in one process, medians, never one absolute number."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from timeit import timeit
from typing import NamedTuple

from vecphe.arithmetic import active_engine

_MULTIPLY_ADDS_PER_ROUND = 16  # of each lane


@dataclass(frozen=True)
class Figure:
    """What was measured, and what it should be if it has a target; `at_most` where smaller is better."""

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
        return f"{self.name:<58} {self.value:8.3g} {self.unit:<3} {self.wanted:>8} {verdict:<6} {self.detail}"

    def cell(self) -> str:
        """Such as "74.7 x, missed 80 (142.8 us)": of a ratio also what ours took."""
        missed = "" if self.met else f", missed {self.target:g}"
        ours, _, theirs = self.detail.partition(" against ")
        value = f"{self.value:.3g} {self.unit}".strip()
        return f"{value}{missed}{f' ({ours})' if theirs else ''}"


def limit(key: str, name: str, value: float, unit: str, detail: str = "", **targets: float) -> Figure:
    """A figure that should be at most the target of the engine that runs."""
    return Figure(key, name, value, unit, detail, True, targets.get(active_engine().name))


class Comparison(NamedTuple):
    """Medians of two interleaved sides, in seconds per item, and the median of their ratios pair by pair."""

    ours: float
    theirs: float
    ratio: float

    @classmethod
    def of(cls, times: Sequence[tuple[float, float]]) -> Comparison:
        ours, theirs = (statistics.median(side) for side in zip(*times, strict=True))
        return cls(ours, theirs, statistics.median(b / a for a, b in times))

    def figure(self, key: str, name: str, peer: str = "phe", **targets: float) -> Figure:
        """The ratio, which should be at least the target of the engine that runs."""
        detail = f"{self.ours * 1e6:.4g} us against {self.theirs * 1e6:.4g} us"
        target = targets.get(active_engine().name)
        return Figure(key, f"{name}, against {peer}", self.ratio, "x", detail, target=target)


def hold(figures: Iterable[Figure]) -> tuple[list[Figure], int]:
    """All of them, each shown when it is there, and the exit status: 1 if a target was missed."""
    shown = []
    for figure in figures:
        print(figure, flush=True)
        shown.append(figure)
    if missed := [figure.name for figure in shown if not figure.met]:
        print(f"{len(missed)} of {len(shown)} targets missed: {'; '.join(missed)}", file=sys.stderr)
    return shown, 1 if missed else 0


def once(function: Callable[[], object], times: int = 1) -> float:
    """Wall seconds of one call, the mean of so many."""
    return timeit(function, number=times) / times


def compare(
    ours: Callable[[], object], theirs: Callable[[], object], items: tuple[int, int] = (1, 1), pairs: int = 7
) -> Comparison:
    """Time two functions in turn, which handle so many `items` a call, after one call of each that does not count."""
    ours()
    theirs()
    return Comparison.of([(once(ours) / items[0], once(theirs) / items[1]) for _ in range(pairs)])


def shares_of_peak(
    multiply_adds: float, function: Callable[[], object], samples: int, times: int = 1
) -> list[tuple[float, float]]:
    """Multiply-adds a second of a function that does so many, and of the core at its peak, measured in turn."""
    return [(multiply_adds / once(function, times), multiply_add_peak()) for _ in range(samples)]


def limbs(key_length: int) -> int:
    """Of 52 bits, of a number modulo n in the native kernel."""
    return -(-(key_length + 12) // 52)


def multiply_add_peak(rounds: int = 400_000) -> float:
    """Multiply-adds a second that the active target does at most on this core; about a millisecond is measured."""
    from vecphe.arithmetic import _native

    facts = active_engine().describe()
    target, lanes = facts["target"], facts["lanes"]
    return rounds * _MULTIPLY_ADDS_PER_ROUND * lanes / once(lambda: _native.multiply_add(rounds, target))
