"""Randomizers drawn ahead, so that a loop of single encryptions computes them in full batches."""

from __future__ import annotations

from typing import Any

from vecphe.randomness.randomizers import RandomizerSource
from vecphe.randomness.ready import ReadyRandomizers
from vecphe.system.parallel import part_of

__all__ = ["RandomizerPool"]

# Batches of 64 fill all lanes of the native engine; more of them made a randomizer no cheaper by a tenth (the
# group `facade` of the benchmarks), and every one to come costs the call that draws it.
_LARGEST_BATCH = 64
_SINGLES = 2  # the first are textbook ones, which batches do not make cheaper


class RandomizerPool:
    """Hands out randomizers of a source one by one, each to one caller only.

    Two threads that find it empty both fill it.
    """

    def __init__(self, source: RandomizerSource) -> None:
        self._source = source
        self._drawn = 0
        self._ready = ReadyRandomizers(source.context.ring)

    def take(self) -> Any:
        """A batch of one fresh randomizer."""
        ready = self._ready.take(1)
        return self._fill() if ready is None else ready

    def _fill(self) -> Any:
        """Draw a batch as large as all before it together, up to a limit; keep all but one."""
        count = 1 if self._drawn < _SINGLES else min(max(8, self._drawn), _LARGEST_BATCH)
        self._drawn += count
        batch = self._source.draw(count)
        ring = self._source.context.ring
        self._ready.add(part_of(ring, batch, 1, count))
        return part_of(ring, batch, 0, 1)
