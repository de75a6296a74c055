"""How sure a median is."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    tail = (1 - confidence) / 2
    return _quantile(sorted(samples), tail), -_quantile(sorted(-x for x in samples), tail)


def _quantile(ordered: list[float], tail: float) -> float:
    """The least x_k that the lower median of a resample does not exceed with more than this probability."""
    n = len(ordered)
    half = (n + 1) // 2
    for k in range(1, n):
        at_most = sum(math.comb(n, i) * (k / n) ** i * (1 - k / n) ** (n - i) for i in range(half, n + 1))
        if at_most > tail:
            return ordered[k - 1]
    return ordered[-1]
