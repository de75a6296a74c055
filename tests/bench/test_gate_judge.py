"""The decision rule on synthetic blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from vecphe.bench import judge as judging
from vecphe.bench.baseline import Speed
from vecphe.bench.judge import (
    FIRST_BLOCKS,
    MOST_BLOCKS,
    TOLERANCE,
    Judgement,
    judge,
    judge_all,
    quiet_blocks,
    verdict_of,
)
from vecphe.bench.ratio_rows import Block
from vecphe.errors import BenchmarkError

BASELINE = Speed(speed=4.0, highest=4.04, seconds=1.0, reference=4.0)


def machine(
    factor: float = 1.0, noise: float = 0.01, disturbed: float = 0.3, seed: int = 0, slowed: float = 1.5
) -> Callable[[], Block]:
    """Blocks of code that takes `factor` times as long, on a machine that is disturbed a part of the time."""
    rng = np.random.default_rng(seed)

    def block() -> Block:
        seconds = factor * (1 + noise * rng.exponential())
        reference = 4.0 * (1 + 0.002 * rng.exponential())
        if rng.random() < disturbed:  # slower, and not by the same factor on either side
            seconds *= slowed * rng.uniform(0.9, 1.3)
            reference *= rng.uniform(1.1, slowed)
        return Block(seconds, reference)

    return block


def verdict(sampler: Callable[[], Block]) -> str:
    return judge_all({"row": sampler}, {"row": BASELINE}, {"row": TOLERANCE})["row"].verdict


@pytest.mark.parametrize("seed", range(20))
def test_unchanged_code_holds_on_a_noisy_machine(seed: int) -> None:
    assert verdict(machine(seed=seed)) == "held"


@pytest.mark.parametrize("seed", range(20))
def test_fifteen_per_cent_more_time_is_a_regression(seed: int) -> None:
    assert verdict(machine(1.15, seed=seed)) == "failed"


def test_faster_code_holds() -> None:
    assert verdict(machine(0.7)) == "held"


@pytest.mark.parametrize("seed", range(20))
def test_a_machine_that_is_never_quiet_raises_no_alarm(seed: int) -> None:
    assert verdict(machine(disturbed=1.0, seed=seed)) != "failed"


def test_a_slow_start_is_outvoted() -> None:
    """For as long as the first blocks take, something slows this library alone."""
    slow, normal, taken = machine(1.3, disturbed=0), machine(disturbed=0), []

    def block() -> Block:
        taken.append(1)
        return slow() if len(taken) <= FIRST_BLOCKS else normal()

    assert verdict(block) == "held"
    assert len(taken) > FIRST_BLOCKS


def test_an_open_row_takes_more_blocks_and_no_others_do() -> None:
    around = itertools.cycle(Block(1 / speed, 4.0) for speed in (0.81, 0.99, 0.85, 0.95, 0.89, 0.91))
    result = judge_all(
        {"clear": machine(disturbed=0), "open": lambda: next(around)},
        {"clear": BASELINE, "open": BASELINE},
        {"clear": 0.1, "open": 0.1},
    )
    assert (result["clear"].verdict, result["clear"].blocks) == ("held", FIRST_BLOCKS)
    assert (result["open"].verdict, result["open"].blocks) == ("open", MOST_BLOCKS)


def test_the_bounds_decide_and_not_the_median() -> None:
    around = [Block(1.0, 4.0 * speed) for speed in np.linspace(0.80, 0.98, 20)]
    judgement = judge(around, Speed(4.0, 4.0, 1.0, 3.0), 0.1)  # all disturbed: the baseline's reference was faster
    assert (judgement.verdict, judgement.quiet, judgement.relative) == ("open", 0, None)
    steady = [Block(1 / speed, 4.0) for speed in np.linspace(0.80, 0.98, 20)]
    judgement = judge(steady, BASELINE, 0.1)
    assert judgement.verdict == "open"
    assert judgement.relative is not None
    assert judgement.relative < 0.9
    assert judge(steady, BASELINE, 0.04).verdict == "failed"


def test_too_few_quiet_blocks_decide_nothing() -> None:
    blocks = [Block(2.0, 4.0)] * 7 + [Block(2.0, 5.0)] * 57
    assert judge(blocks, BASELINE, 0.1).verdict == "open"
    assert judge([Block(2.0, 4.0), *blocks], BASELINE, 0.1).verdict == "failed"


def test_quiet_is_measured_by_the_reference() -> None:
    blocks = [Block(1.0, 4.0), Block(9.0, 4.11), Block(1.0, 4.13)]
    assert quiet_blocks(blocks) == blocks[:2]
    assert quiet_blocks(blocks, 4.2) == blocks[:2]
    assert quiet_blocks(blocks, 3.9) == blocks[:1]
    assert quiet_blocks(blocks, 3.0) == []


# A reference that is slower for good


def slower_for_good(factor: float, drift: float, seed: int = 0) -> Callable[[], Block]:
    """The machine's whole clock is slower: either side takes `drift` times as long."""
    usual = machine(factor, seed=seed)
    return lambda: Block(*(drift * seconds for seconds in usual()))


@pytest.mark.parametrize("drift", [1.04, 1.08, 1.2])
def test_a_slower_reference_is_judged_by_this_run_alone(drift: float) -> None:
    sampler = slower_for_good(1.0, drift)
    result = judge_all({"row": sampler}, {"row": BASELINE}, {"row": TOLERANCE})["row"]
    assert (result.verdict, result.blocks) == ("held", MOST_BLOCKS)
    assert result.drift == pytest.approx(drift, rel=0.01)
    assert verdict(slower_for_good(1.15, drift)) == "failed"


def test_what_two_threads_on_a_core_lose_decides_nothing() -> None:
    assert verdict(slower_for_good(1.15, 1.4)) == "open"


def test_this_run_alone_decides_only_if_most_blocks_were_alike() -> None:
    """Neighbours that come and go leave few blocks near the best."""
    alike = [Block(2.0, 4.4)] * 31
    others = [Block(2.0, 5.0)] * 33
    assert judge([*alike, *others], BASELINE, 0.1, last=True).verdict == "open"
    assert judge([*alike, Block(2.0, 4.4), *others[1:]], BASELINE, 0.1, last=True).verdict == "failed"


def test_this_run_alone_decides_only_in_the_end_and_in_want_of_quiet_blocks() -> None:
    slower = [Block(1.0, 4.4)] * MOST_BLOCKS
    assert judge(slower, BASELINE, 0.1).verdict == "open"
    quiet = [Block(1.2, 4.0)] * 8
    judgement = judge([*quiet, *slower], BASELINE, 0.1, last=True)
    assert (judgement.verdict, judgement.quiet, judgement.drift) == ("failed", 8, 1.0)


@pytest.mark.parametrize("good", [0, FIRST_BLOCKS])
def test_a_row_that_cannot_be_measured_leaves_the_others(good: int) -> None:
    """Not even where it could before, and was open; nor is it measured again."""
    taken = []

    def broken() -> Block:
        taken.append(1)
        if len(taken) > good:
            raise BenchmarkError("wrong")
        return Block(1.0, 9.0)

    result = judge_all(
        {"broken": broken, "sound": machine(disturbed=0)},
        {"broken": BASELINE, "sound": BASELINE},
        {"broken": 0.1, "sound": 0.1},
    )
    assert isinstance(result["broken"], BenchmarkError)
    assert len(taken) == good + 1
    assert result["sound"].verdict == "held"


# Each limit from both sides


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.9, 0.9, "held"),
        (0.9, 2.0, "held"),
        (0.8999, 0.9, "open"),
        (0.1, 2.0, "open"),
        (0.1, 0.8999, "failed"),
        (1.2, 1.5, "held"),
    ],
)
def test_where_an_interval_may_lie(low: float, high: float, verdict: str) -> None:
    assert verdict_of(low, high, 0.1) == verdict


def test_a_block_is_quiet_up_to_three_per_cent() -> None:
    blocks = [Block(1.0, 100.0), Block(1.0, 103.0), Block(1.0, 103.001)]
    assert quiet_blocks(blocks) == blocks[:2]
    assert quiet_blocks(blocks, 100.0) == blocks[:2]


@pytest.mark.parametrize(("quiet", "used", "drift"), [(8, 8, 1.0), (7, 64, 1.025)])
def test_eight_quiet_blocks_are_enough(quiet: int, used: int, drift: float) -> None:
    """However many more were quiet by this run alone."""
    blocks = [Block(1.0, 4.1)] * quiet + [Block(1.0, 4.2)] * (64 - quiet)
    found = judge(blocks, BASELINE, 0.1, last=True)
    assert (found.quiet, found.blocks) == (used, 64)
    assert found.drift == pytest.approx(drift)


@pytest.mark.parametrize(("reference", "quiet"), [(5.0, 16), (5.001, 0)])
def test_a_reference_may_be_slower_by_a_quarter(reference: float, quiet: int) -> None:
    assert judge([Block(1.0, reference)] * 16, BASELINE, 0.1, last=True).quiet == quiet


@pytest.mark.parametrize(("alike", "quiet"), [(7, 0), (8, 8)])
def test_this_run_alone_needs_eight_blocks(alike: int, quiet: int) -> None:
    blocks = [Block(1.0, 4.4)] * alike + [Block(1.0, 5.0)] * 2
    assert judge(blocks, BASELINE, 0.1, last=True).quiet == quiet


def test_a_judgement_by_hand() -> None:
    blocks = [Block(2.0 + i / 8, 8.0) for i in range(16)]
    found = judge(blocks, Speed(2.0, 2.0, 1.0, 8.0), 0.1)
    speeds = sorted(8.0 / (2.0 + i / 8) for i in range(16))
    assert (found.seconds, found.blocks, found.quiet, found.drift) == (2.0, 16, 16, 1.0)
    assert (found.low, found.high) == (speeds[2] / 2, speeds[-3] / 2)
    assert found.relative == pytest.approx((speeds[7] + speeds[8]) / 4)
    none = judge([Block(2.0, 8.5), Block(1.5, 8.4)], Speed(2.0, 2.0, 1.0, 8.0), 0.1)
    assert none == Judgement("open", None, None, None, 1.5, 2, 0, 1.0)


@pytest.mark.parametrize("held_from", [24, 32, 64])
def test_blocks_come_in_eights_until_a_row_has_held(held_from: int) -> None:
    """All undecided rows in turn."""
    taken: list[str] = []

    judged: dict[str, int] = {}

    def judge_so(blocks: list[Block], baseline: Speed, tolerance: float, last: bool) -> Judgement:
        judged[str(tolerance)] = len(blocks)
        held = len(blocks) >= (held_from if tolerance == 0.5 else 16)
        return Judgement("held" if held else "open", 1.0, 1.0, 1.0, 1.0, len(blocks), len(blocks))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "judge", judge_so)
        rows = {name: lambda name=name: taken.append(name) or Block(1.0, 4.0) for name in "ab"}
        result = judge_all(rows, dict.fromkeys("ab", BASELINE), {"a": 0.5, "b": 0.25})
    assert (judged, list(result)) == ({"0.5": held_from, "0.25": 16}, ["a", "b"])
    assert "".join(taken) == "ab" * 16 + "a" * (held_from - 16)
