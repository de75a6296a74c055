"""When a speed counts as regressed.

Only *quiet* blocks count: those in which the reference, which does not change with the library, took at most 3 % longer
than at its best, in this run or when the baseline was taken. What slows it is the machine.

A row has *failed* if the 99 % interval of the median speed of its quiet blocks lies below 1 - tolerance times the
baseline's, and still does when all the blocks are there that may be taken. It has *held* as soon as none of it lies
there. Between the two it is *open*: more blocks are taken, and if the last leave it open, it passes and says so. So an
undecided row errs on the side of passing: a gate that cries wolf is switched off.

Where the reference is slower for good than when the baseline was taken (another clock, another GMP), no block would
ever be quiet: then this run's own best counts, where most blocks are near it, as they are not while neighbours come
and go, and the reference lost no more than a neighbour on the same core costs.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vecphe.bench.baseline import Speed
from vecphe.bench.findings import Status
from vecphe.bench.intervals import median_bounds
from vecphe.bench.ratio_rows import Block
from vecphe.errors import BenchmarkError

__all__ = ["MOST_BLOCKS", "TOLERANCE", "Judgement", "judge", "judge_all", "quiet_blocks", "verdict_of"]

TOLERANCE = 0.10
FIRST_BLOCKS = 16
MOST_BLOCKS = 64
LEAST_QUIET = 8  # with fewer, the interval of a median is the whole range
_MORE_BLOCKS = 8
_QUIET = 1.03
_MOST_DRIFT = 1.25  # of the reference, to judge by this run alone; two threads that share a core lose more


@dataclass(frozen=True)
class Judgement:
    """Verdict on one row."""

    verdict: Status
    relative: float | None  # speed, to the baseline's, with its interval; None where no block was quiet
    low: float | None
    high: float | None
    seconds: float  # of one run at its best: reported, never judged
    blocks: int
    quiet: int
    drift: float = 1.0  # by which factor the reference is slower, if blocks are quiet by this run alone


def quiet_blocks(blocks: Sequence[Block], reference: float | None = None) -> list[Block]:
    """Blocks whose reference was about as fast as at its best here, or as `reference` seconds if that is less."""
    best = min(block.reference for block in blocks)
    limit = _QUIET * (best if reference is None else min(best, reference))
    return [block for block in blocks if block.reference <= limit]


def _chosen_blocks(blocks: Sequence[Block], baseline: Speed, last: bool) -> tuple[list[Block], float]:
    """Blocks that count, and the drift of the reference if they are quiet by this run alone."""
    quiet = quiet_blocks(blocks, baseline.reference)
    drift = min(block.reference for block in blocks) / baseline.reference
    if last and len(quiet) < LEAST_QUIET and drift <= _MOST_DRIFT:
        here = quiet_blocks(blocks)
        if len(here) >= max(LEAST_QUIET, len(blocks) / 2):
            return here, drift
    return quiet, 1.0


def verdict_of(low: float, high: float, tolerance: float) -> Status:
    """On a speed that lies in this interval, relative to that before."""
    least = 1 - tolerance
    return "held" if low >= least else "failed" if high < least else "open"


def judge(blocks: Sequence[Block], baseline: Speed, tolerance: float, last: bool = False) -> Judgement:
    """The verdict that these blocks give; `last` if there will be no more."""
    chosen, drift = _chosen_blocks(blocks, baseline, last)
    quiet = [block.speed for block in chosen]
    seconds = min(block.seconds for block in blocks)
    if not quiet:
        return Judgement("open", None, None, None, seconds, len(blocks), 0)
    low, high = (bound / baseline.speed for bound in median_bounds(quiet))
    verdict = verdict_of(low, high, tolerance) if len(quiet) >= LEAST_QUIET else "open"
    relative = statistics.median(quiet) / baseline.speed
    return Judgement(verdict, relative, low, high, seconds, len(blocks), len(quiet), drift)


def judge_all(
    samplers: Mapping[str, Callable[[], Block]],
    baselines: Mapping[str, Speed],
    tolerances: Mapping[str, float],
) -> dict[str, Judgement | BenchmarkError]:
    """Measure rows in turn, so that all see the same stretches of time, until each has held or has all its blocks.

    Tolerances are the loss of speed that still passes, between 0 and 1. A row that could not be measured, or whose
    result was wrong, has its error in place of a judgement.
    """
    blocks: dict[str, list[Block]] = {row: [] for row in samplers}
    judgements: dict[str, Judgement] = {}
    errors: dict[str, BenchmarkError] = {}
    undecided, taken = list(samplers), 0
    while undecided:
        wanted = min(taken + _MORE_BLOCKS if taken else FIRST_BLOCKS, MOST_BLOCKS)
        for row in undecided * (wanted - taken):
            try:
                if row not in errors:
                    blocks[row].append(samplers[row]())
            except BenchmarkError as error:
                errors[row] = error
        taken, last = wanted, wanted >= MOST_BLOCKS
        measured = [row for row in undecided if row not in errors]
        judgements |= {row: judge(blocks[row], baselines[row], tolerances[row], last) for row in measured}
        undecided = [row for row in measured if judgements[row].verdict != "held" and not last]
    return {**judgements, **errors}
