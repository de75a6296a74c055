"""What a batch of ciphertexts holds: public facts about its plaintexts that do not depend on the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vecphe.arithmetic import Words
from vecphe.encoding import PACKED, UNPACKED, FixedPoint
from vecphe.errors import PlaintextOverflowError
from vecphe.packing import SlotLayout

__all__ = ["Format", "checked_encoding", "format_for", "is_sprawling"]

_GREATEST_EMPTY = 1 << 16


def is_sprawling(shape: tuple[int, ...]) -> bool:
    """Whether an empty array would become very large where an axis of length 0 is summed, multiplied or listed.

    Such a shape costs its sender nothing: no ciphertext stands behind it.
    """
    return math.prod(shape) == 0 and math.prod(max(length, 1) for length in shape) > _GREATEST_EMPTY


@dataclass(frozen=True, slots=True)
class Format:
    """Public, data-independent facts about the plaintexts of an array.

    Attributes
    ----------
    encoding : FixedPoint
        How values were encoded.
    fraction_bits : int
        The scale now: products with fractions add bits to the encoding's.
    bound : int
        Largest |integer| a slot can hold.
    layout : SlotLayout or None
        None: one value a ciphertext.
    integer : bool
        Decrypts to integers.
    terms : int
        How many encryptions were summed. Plain additions and multiples do not count; they enter the bound.
    """

    encoding: FixedPoint
    fraction_bits: int
    bound: int
    layout: SlotLayout | None
    integer: bool
    terms: int = 1

    def plaintexts(self, integers: Words) -> tuple[Words, int]:
        """Unsigned words of plaintexts, and the offset that makes up for it.

        Parameters
        ----------
        integers : ndarray of uint64
            Two's complement words of values, from `FixedPoint.encode`; they are used up.
        """
        if self.layout:
            return self.layout.pack(integers), -self.layout.offset
        integers[:, -1] ^= np.uint64(1 << 63)
        return integers, -(1 << (64 * integers.shape[1] - 1))

    def limit(self, n: int) -> int:
        """Largest bound that plaintexts modulo n allow: what a slot holds, or n//3 - 1 (phe's band) unpacked."""
        return self.layout.capacity if self.layout else n // 3 - 1

    def n_ciphertexts(self, count: int) -> int:
        """Number of ciphertexts that hold `count` values."""
        return self.layout.plaintexts(count) if self.layout else count


def checked_encoding(encoding: FixedPoint | None, *, packed: bool, integer: bool) -> FixedPoint:
    """The encoding that a caller chose, or the default one."""
    if encoding is None:
        encoding = PACKED if packed else UNPACKED
        return encoding.integral if integer else encoding
    if not isinstance(encoding, FixedPoint):
        raise TypeError(f"encoding must be a FixedPoint, not {type(encoding).__name__}")
    return encoding


@lru_cache(maxsize=64)
def format_for(n: int, encoding: FixedPoint, packed: bool, integer: bool, terms: int) -> Format:
    """Format of `terms` encoded values a slot; the same object for the same arguments."""
    bound = terms * encoding.unit
    if not packed and bound > n // 3 - 1:
        raise PlaintextOverflowError(
            f"max_abs * 2**fraction_bits of the encoding does not fit a {n.bit_length()}-bit key; "
            "pass an encoding with less of either, or use a longer key"
        )
    layout = SlotLayout.for_key(encoding, n.bit_length()) if packed else None
    if layout and terms > encoding.max_terms:
        raise PlaintextOverflowError(f"{terms} terms are more than max_terms = {encoding.max_terms} of the encoding")
    return Format(encoding, encoding.fraction_bits, bound, layout, integer, terms)
