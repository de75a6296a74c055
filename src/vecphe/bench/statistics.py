"""How sure a median is."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["bootstrap_interval"]


def bootstrap_interval(samples: Sequence[float], confidence: float = 0.99) -> tuple[float, float]:
    """Percentile interval of the bootstrapped median, computed exactly instead of by resampling.

    Of n draws with replacement from the sorted samples x_1 <= ... <= x_n, Binomial(n, k/n) are at most x_k, and
    the median is at most x_k where half of them are. With few samples the interval is their whole range.

    Parameters
    ----------
    samples : sequence of float
    confidence : float
        Between 0 and 1.

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        If there are no samples, or `confidence` is not between 0 and 1.
    """
    if not samples or not 0 < confidence < 1:
        raise ValueError("an interval needs samples, and a confidence between 0 and 1")
    ordered = sorted(samples)
    place = _place(len(ordered), (1 - confidence) / 2)
    return ordered[place], ordered[-1 - place]


@lru_cache(maxsize=128)
def _place(n: int, tail: float) -> int:
    """Index of the least of n sorted samples that the lower median exceeds not more often than 1 - `tail`."""
    half = (n + 1) // 2
    return bisect.bisect_right(range(1, n), tail, key=lambda k: _binomial_tail(half, n, k / n))


def _binomial_tail(least: int, n: int, p: float) -> float:
    """Probability that Binomial(n, p) is `least` or more; by logarithms, since C(n, i) is beyond a float."""
    log_p, log_q, log_factorial = math.log(p), math.log1p(-p), math.lgamma(n + 1)
    return math.fsum(
        math.exp(log_factorial - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * log_p + (n - i) * log_q)
        for i in range(least, n + 1)
    )
