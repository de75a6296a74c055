"""Intervals of medians: as wide as they have to be, and no wider."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from vecphe.bench.intervals import median_bounds


def test_a_median_by_its_samples_in_order() -> None:
    assert median_bounds([5.0, 1.0, 3.0, 2.0, 4.0, 8.0, 7.0, 6.0]) == (1.0, 8.0)
    assert median_bounds([float(i) for i in range(1, 102)]) == (38.0, 64.0)
    with pytest.raises(ValueError, match="an interval needs samples"):
        median_bounds([])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_samples_say_nothing(n: int) -> None:
    assert median_bounds([7.0] * n) == (0.0, math.inf)
    assert median_bounds([7.0] * 4) == (7.0, 7.0)


@pytest.mark.parametrize("n", [8, 9, 10, 16, 51, 301])
def test_the_interval_is_that_of_exact_fractions(n: int) -> None:
    """The largest j with P(Binomial(n, 1/2) < j) <= 1/200."""
    below = [Fraction(sum(math.comb(n, i) for i in range(j)), 2**n) for j in range(n)]
    j = max(j for j, tail in enumerate(below) if tail <= Fraction(1, 200))
    assert median_bounds(range(1, n + 1)) == (j, n + 1 - j)


@pytest.mark.parametrize("n", range(4, 13))
@pytest.mark.parametrize("sigma", [0.03, 0.4])
def test_the_median_lies_in_it_99_times_of_100(n: int, sigma: float) -> None:
    """Of times with relative noise; with 8 and more it does so for every distribution."""
    random, runs = np.random.default_rng(n), 4000
    bounds = [median_bounds(np.exp(sigma * random.normal(size=n)).tolist()) for _ in range(runs)]
    held = sum(low <= 1.0 <= high for low, high in bounds) / runs
    assert held >= 0.985
    if n < 8:
        assert held <= 0.997  # and not by being wider than that takes


def test_as_many_samples_as_a_file_may_have() -> None:
    low, high = median_bounds([float(i) for i in range(10_000)])
    assert 5000 - low == pytest.approx(2.576 * 50, rel=0.05)  # the binomial is almost normal: sqrt(n) / 2 a sigma
    assert high == 9999 - low


@pytest.mark.parametrize(("n", "stretch"), [(4, 3.78), (5, 2.31), (6, 1.49), (7, 1.15)])
def test_ends_of_few_samples_are_moved_away_from_the_median(n: int, stretch: float) -> None:
    samples = [1.0, 2.0, *[3.0] * (n - 4), 4.0, 8.0]
    middle = float(np.median(samples))
    expected = middle * (1.0 / middle) ** stretch, middle * (8.0 / middle) ** stretch
    assert median_bounds(samples[::-1]) == pytest.approx(expected, rel=1e-12)
