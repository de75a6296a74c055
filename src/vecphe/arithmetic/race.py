"""A race of two engines, for machines on which nobody has measured which one is faster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

from vecphe.arithmetic.engine import Engine

__all__ = ["RACE_KEY_LENGTH", "race"]

RACE_KEY_LENGTH = 2048
_PRODUCTS = 64  # a call of a third of a millisecond in gmpy2, next to which what Python adds is nothing
_SECONDS = 0.01  # a dozen turns or more; the best of each counts, so that what else runs is left out


def race(engines: Iterable[Engine], clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """Seconds that a product of two residues takes on each engine, whose turns come one after the other.

    Parameters
    ----------
    engines : iterable of Engine
        What they compute is not checked: they have passed their self-tests.
    clock : callable
        Seconds from any time on.

    Returns
    -------
    dict of str to float
        By the names of the engines, for keys of `RACE_KEY_LENGTH` bits.
    """
    turns = {engine.name: _turn(engine) for engine in engines}
    best = dict.fromkeys(turns, math.inf)
    end = clock() + _SECONDS
    while True:
        for name, turn in turns.items():
            start = clock()
            turn()
            best[name] = min(best[name], (clock() - start) / _PRODUCTS)
        if clock() >= end:
            return best


def _turn(engine: Engine) -> Callable[[], object]:
    n = 3**1292  # odd, of 2048 bits
    ring = engine.ring(n)
    batch = ring.load(n * n // (3 * i + 2) for i in range(_PRODUCTS))
    return lambda: ring.multiply(batch, batch)
