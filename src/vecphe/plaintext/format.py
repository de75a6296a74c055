"""What a batch of ciphertexts holds, by public facts that do not depend on the data: values to plaintexts and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import Words, integers_from_words
from vecphe.errors import CorruptedAggregateError, LayoutMismatchError, PlaintextOverflowError
from vecphe.plaintext.encoding import PACKED, UNPACKED, FixedPoint, decode
from vecphe.plaintext.packing import SlotLayout

__all__ = ["Format", "Packing", "checked_encoding", "format_for", "is_sprawling", "slots_for"]

Packing: TypeAlias = bool | Literal["rows"]

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
        Largest magnitude of an integer that a slot can hold.
    layout : SlotLayout or None
        None: one value a ciphertext.
    integer : bool
        Decrypts to integers.
    terms : int
        How many encryptions were summed. Plain additions and multiples do not count; they enter the bound.
    divisor : int
        What the values are divided by besides, from 1 and below 2^64: to divide a packed array changes nothing else.
    """

    encoding: FixedPoint
    fraction_bits: int
    bound: int
    layout: SlotLayout | None
    integer: bool
    terms: int = 1
    divisor: int = 1

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

    @property
    def bias(self) -> int:
        """What decryption adds to plaintexts, so that those within the bound come out unsigned."""
        return self.layout.offset if self.layout else self.bound

    def values(self, words: Words, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """What `plaintexts` were made of.

        Parameters
        ----------
        words : ndarray of uint64
            Plaintexts plus `bias`, modulo n.
        shape : tuple of int

        Returns
        -------
        ndarray of float64, int64 or object
            Of that shape.

        Raises
        ------
        CorruptedAggregateError
            If an integer is beyond the bound, or what no slot covers is not 0.
        """
        if self.layout:
            integers = _bounded(self.layout.unpack(words, math.prod(shape)), self.bound)
        else:
            integers = _debiased(words, self.bound)
        return decode(integers, self.fraction_bits, integer=self.integer, divisor=self.divisor).reshape(shape)

    def limit(self, n: int) -> int:
        """Largest bound that plaintexts modulo n allow: what a slot holds, or n//3 - 1 (phe's band) unpacked."""
        return self.layout.capacity if self.layout else n // 3 - 1

    def n_ciphertexts(self, count: int) -> int:
        """Number of ciphertexts that hold `count` values."""
        return self.layout.plaintexts(count) if self.layout else count


def _bounded(integers: Words, bound: int) -> npt.NDArray[np.int64] | list[int]:
    """Signed integers from two's complement words, each checked against the bound."""
    if integers.shape[1] == 1:  # slots of up to 64 bits, whose bound is below 2^63
        values = integers[:, 0].view(np.int64)
        if ((values > bound) | (values < -bound)).any():
            raise CorruptedAggregateError
        return values
    big = integers_from_words(integers, signed=True)
    if any(abs(value) > bound for value in big):
        raise CorruptedAggregateError
    return [int(value) for value in big]


def _debiased(words: Words, bound: int) -> npt.NDArray[np.int64] | list[int]:
    """Signed integers from words of v + bound, each checked to be in [-bound, bound]."""
    if bound < 1 << 63:
        if words[:, 1:].any() or (words[:, 0] > np.uint64(2 * bound)).any():
            raise CorruptedAggregateError
        return (words[:, 0] - np.uint64(bound)).view(np.int64)
    big = integers_from_words(words)
    if any(value > 2 * bound for value in big):
        raise CorruptedAggregateError
    return [int(value) - bound for value in big]


def checked_encoding(encoding: FixedPoint | None, *, packed: bool, integer: bool) -> FixedPoint:
    """The encoding that a caller chose, or the default one."""
    if encoding is None:
        encoding = PACKED if packed else UNPACKED
        return encoding.integral if integer else encoding
    if not isinstance(encoding, FixedPoint):
        raise TypeError(f"encoding must be a FixedPoint, not {type(encoding).__name__}")
    return encoding


def slots_for(packed: Packing, shape: tuple[int, ...]) -> int | None:
    """How many slots a plaintext has to have for rows of their own; None where it has as many as fit, or is unpacked.

    Raises
    ------
    ValueError
        If `packed` is another text than "rows", or there are no rows.
    """
    if not isinstance(packed, str):
        return None
    if packed != "rows":
        raise ValueError(f"packed must be True, False or 'rows', not {packed!r}")
    if not shape:
        raise ValueError("packed='rows' takes an array of rows, not a single number; write packed=True")
    return max(math.prod(shape[1:]), 1)


@lru_cache(maxsize=64)
def format_for(
    n: int, encoding: FixedPoint, packed: Packing, integer: bool, terms: int, slots: int | None = None
) -> Format:
    """Format of `terms` encoded values a slot, in `slots` or as many as fit; the same object for the same arguments."""
    bound = terms * encoding.unit
    if not packed and bound > n // 3 - 1:
        raise PlaintextOverflowError(
            f"max_abs * 2**fraction_bits of the encoding does not fit a {n.bit_length()}-bit key; "
            "pass an encoding with less of either, or use a longer key"
        )
    layout = SlotLayout.for_key(encoding, n.bit_length()) if packed else None
    if layout and slots:
        if slots > layout.slots:
            raise LayoutMismatchError(
                f"a row of {slots} values does not fit the {layout.slots} slots of a ciphertext; cut it into shorter "
                "ones, or use an encoding with fewer fraction_bits, a smaller max_abs or a smaller max_terms"
            )
        layout = replace(layout, slots=slots)
    if layout and terms > encoding.max_terms:
        raise PlaintextOverflowError(f"{terms} terms are more than max_terms = {encoding.max_terms} of the encoding")
    return Format(encoding, encoding.fraction_bits, bound, layout, integer, terms)
