"""The numbers that the gate and the estimate are tuned with, each from both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import comb
from pathlib import Path
from typing import Any

import pytest
from tests.bench import made

from vecphe.arithmetic import active_engine
from vecphe.bench import gate
from vecphe.bench.baseline import Baseline, EngineRows, Speed, save_baseline
from vecphe.bench.gate import Report, check_baseline
from vecphe.bench.judge import judge
from vecphe.bench.ratio_rows import RATIO_ROWS, Block
from vecphe.bench.user_rows import Rows

FIRST, SECOND = RATIO_ROWS[:2]
STEADY = Speed(speed=4.0, highest=4.0, seconds=1.0, reference=4.0)
QUIET, DISTURBED = 4.0, 5.0  # seconds of the reference


def blocks(*speeds: float, reference: float = QUIET) -> list[Block]:
    return [Block(reference / speed, reference) for speed in speeds]


# The speed of a baseline, from passes that differ


@pytest.mark.parametrize(
    ("passes", "speed", "highest"),
    [
        ([blocks(3.0)], 3.0, 3.0),
        ([blocks(3.0), blocks(1.0), blocks(2.0)], 1.0, 3.0),
        ([blocks(2.0), blocks(4.0), blocks(1.0), blocks(3.0)], 2.0, 4.0),
        ([blocks(5.0), blocks(2.0), blocks(4.0), blocks(1.0), blocks(3.0)], 2.0, 5.0),
        ([blocks(float(speed)) for speed in (8, 1, 7, 2, 6, 3, 5, 4)], 3.0, 8.0),
        ([blocks(1.0, 2.0, 6.0), blocks(5.0, 4.0, 3.0)], 2.0, 4.0),
        ([blocks(1.0, 2.0, 5.0, 6.0)], 3.5, 3.5),
        ([[*blocks(2.0), *blocks(9.0, 9.0, reference=DISTURBED)], blocks(3.0)], 2.0, 3.0),
        ([blocks(3.0), blocks(1.0, reference=DISTURBED), blocks(2.0)], 2.0, 3.0),
    ],
    ids=[
        "one pass",
        "the least of three",
        "the second of four",
        "the second of five",
        "the third of eight",
        "the median of a pass",
        "between the two in the middle",
        "quiet blocks alone",
        "a pass without a quiet block says nothing",
    ],
)
def test_a_baseline_takes_the_lower_quartile_of_its_passes(
    passes: list[list[Block]], speed: float, highest: float
) -> None:
    found = gate._speed(passes)
    assert (found.speed, found.highest) == (speed, highest)
    assert found.reference == QUIET
    assert found.seconds == min(block.seconds for blocks in passes for block in blocks)


# How sure a verdict is


def place(n: int, confidence: Fraction) -> int:
    """Index of the lower bound: the median lies below it as seldom as half of all samples do."""
    tails = (Fraction(sum(comb(n, i) for i in range(j)), 2**n) for j in range(1, n))
    return sum(tail <= (1 - confidence) / 2 for tail in tails) - 1


@pytest.mark.parametrize("n", [8, 16, 24, 40, 64])
def test_bounds_are_those_of_99_per_cent(n: int) -> None:
    speeds = [3.0 + i / n for i in range(n)]
    judgement = judge(blocks(*speeds), STEADY, 0.1)
    lowest = place(n, Fraction("0.99"))
    assert (judgement.low, judgement.high) == (
        pytest.approx(speeds[lowest] / 4.0),
        pytest.approx(speeds[-1 - lowest] / 4.0),
    )


@pytest.mark.parametrize("n", [24, 40, 64])
def test_that_many_blocks_tell_99_per_cent_from_others(n: int) -> None:
    assert place(n, Fraction("0.999")) < place(n, Fraction("0.99")) < place(n, Fraction("0.95"))


# The gate as a whole


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Report]:
    def checked(rows: dict[Any, Block], **options: Any) -> Report:
        blocks = {row.name: lambda b=b: b for row, b in rows.items()}
        made_up = made.rows({"add": {"ciphertexts": 3}}, blocks, {row.name: row.slack for row in rows})
        monkeypatch.setattr(Rows, "of_library", lambda: made_up)
        engine = active_engine()
        speeds = {row.name: STEADY for row in rows}
        measured = EngineRows.measured(engine, {"add": {"ciphertexts": 3}}, speeds)
        save_baseline(tmp_path / "baseline.json", Baseline(engine.name, {engine.name: measured}))
        return check_baseline(tmp_path / "baseline.json", **options)

    return checked


@pytest.mark.parametrize(("slack", "tolerance"), [(2.0, 0.9), (1.0, 0.97), (5.0, 0.5)])
def test_whatever_the_slack_a_row_that_lost_more_than_95_per_cent_fails(
    check: Callable[..., Report], slack: float, tolerance: float
) -> None:
    row = replace(FIRST, slack=slack)
    (slower, slow) = blocks(4.0 * 0.049, 4.0 * 0.051)
    assert check({row: slower}, tolerance=tolerance).failed == [row.name]
    assert check({row: slow}, tolerance=tolerance).ok


@pytest.mark.parametrize(
    ("references", "undecided", "warned"),
    [((QUIET, QUIET), 0, False), ((QUIET, 9.0), 1, False), ((9.0, QUIET), 1, False), ((9.0, 9.0), 2, True)],
)
def test_only_if_no_speed_was_decided_it_says_so(
    check: Callable[..., Report], references: tuple[float, float], undecided: int, warned: bool
) -> None:
    report = check({row: Block(1.0, seconds) for row, seconds in zip((FIRST, SECOND), references, strict=True)})
    assert len(report.undecided) == undecided
    assert any("NO SPEED WAS DECIDED" in warning for warning in report.warnings) == warned


@pytest.mark.parametrize(
    ("references", "said"), [((4.0, 4.0), None), ((4.4, 4.0), "10 %"), ((4.2, 4.4), "10 %"), ((4.4, 4.2), "10 %")]
)
def test_the_largest_drift_is_said(
    check: Callable[..., Report], references: tuple[float, float], said: str | None
) -> None:
    rows = {row: Block(s / 4.0, s) for row, s in zip((FIRST, SECOND), references, strict=True)}
    warnings = [warning for warning in check(rows).warnings if "SLOWER THAN WHEN" in warning]
    assert len(warnings) == (said is not None)
    assert all(f"UP TO {said} SLOWER" in warning for warning in warnings)
