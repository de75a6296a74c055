"""How sure a median is: its 99 % interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from scipy.special import bdtr

__all__ = ["median_bounds"]

_CONFIDENCE = 0.99
# From 8 samples on their range holds the median often enough, however they are distributed. With fewer it does not:
# logarithms of the ends are moved away from that of the sample median by the factor that makes it so for normal ones.
_STRETCH = {4: 3.78, 5: 2.31, 6: 1.49, 7: 1.15}


def median_bounds(samples: Sequence[float]) -> tuple[float, float]:
    """The 99 % interval of the median of what positive samples were drawn from.

    Of n samples x_1 <= ... <= x_n, Binomial(n, 1/2) lie below the median, so it is from x_j to x_(n+1-j) but for
    2 P(Binomial(n, 1/2) < j); j is the largest for which that is at most 1 %. Fewer than 4 samples say nothing: from 0
    to infinity.
    """
    if not samples:
        raise ValueError("an interval needs samples")
    ordered, n = sorted(samples), len(samples)
    if n < min(_STRETCH):
        return 0.0, math.inf
    if n in _STRETCH:
        middle = statistics.median(ordered)
        low, high = (middle * math.exp(_STRETCH[n] * math.log(end / middle)) for end in (ordered[0], ordered[-1]))
        return low, high
    j = next(j for j in range(1, n) if bdtr(j, n, 0.5) > (1 - _CONFIDENCE) / 2)
    return ordered[j - 1], ordered[-j]
