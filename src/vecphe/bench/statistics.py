"""How sure a median is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import bdtrc

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
    ordered, n = sorted(samples), len(samples)
    half_are_at_most = bdtrc((n - 1) // 2, n, np.arange(1, n) / n)  # P(Binomial(n, k/n) > (n - 1) // 2) for each k
    place = int(np.searchsorted(half_are_at_most, (1 - confidence) / 2, side="right"))
    return ordered[place], ordered[-1 - place]
