"""Randomizers drawn ahead, so that a loop of single encryptions computes them in full batches."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from vecphe.randomness.randomizers import RandomizerSource
from vecphe.system.forks import generation

__all__ = ["RandomizerPool"]

# Batches of 64 fill all lanes of the native engine; more of them made a randomizer no cheaper by a tenth (the
# group `facade` of the benchmarks), and every one to come costs the call that draws it.
_LARGEST_BATCH = 64
_SINGLES = 2  # the first are textbook ones, which batches do not make cheaper


class RandomizerPool:
    """Hands out randomizers of a source one by one, each to one caller only.

    Threads share it without a lock, since deques give an element to one of them only; two that find it empty both
    fill it. A child process drops what it inherits: its parent uses these randomizers as well.
    """

    def __init__(self, source: RandomizerSource) -> None:
        self._source = source
        self._drawn = 0
        self._ready: tuple[int, deque[Any]] = (generation(), deque())

    def take(self) -> Any:
        """A batch of one fresh randomizer."""
        process, ready = self._ready
        if process != generation():
            ready = deque()
            self._ready = generation(), ready
        try:
            return ready.popleft()
        except IndexError:
            return self._fill(ready)

    def _fill(self, ready: deque[Any]) -> Any:
        """Draw a batch as large as all before it together, up to a limit; keep all but one."""
        count = 1 if self._drawn < _SINGLES else min(max(8, self._drawn), _LARGEST_BATCH)
        self._drawn += count
        batch = self._source.draw(count)
        if count == 1:
            return batch
        ring = self._source.context.ring
        first, *rest = (ring.take(batch, np.array([i])) for i in range(count))
        ready.extend(rest)
        return first
