"""Several signed integers in one plaintext: the sum of v_i * 2^(w*i), with checked head-room."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import Words
from vecphe.errors import CorruptedAggregateError, LayoutMismatchError
from vecphe.plaintext.encoding import FixedPoint
from vecphe.system.plurals import counted

__all__ = ["SlotLayout"]

_MAX_WIDTH = 4096
_BITS_AT_ONCE = 1 << 21  # what a block takes on the way, in bytes
_SIGN = np.uint64(1 << 63)


@dataclass(frozen=True, slots=True)
class SlotLayout:
    """Slots of equal width in a plaintext.

    Parameters
    ----------
    width : int
        Bits a slot, sign included: from 2 to 4096.
    slots : int
        Slots a plaintext, at least 1.
    capacity : int
        Largest magnitude of an integer that a slot may hold: at least 1, at most ``2**(width-1) - 1``.

    Notes
    -----
    A plaintext stands as U = M + offset with offset = sum of 2^(w-1+w*i): its base-2^w digits are then
    v_i + 2^(w-1), never negative, and there is no borrow from slot to slot.

    Examples
    --------
    >>> from vecphe import FixedPoint, SlotLayout
    >>> layout = SlotLayout.for_key(FixedPoint(fraction_bits=20, max_abs=10, max_terms=5), 3072)
    >>> layout.width, layout.slots, layout.plaintexts(1000)
    (27, 113, 9)
    """

    width: int
    slots: int
    capacity: int

    def __post_init__(self) -> None:
        for name in ("width", "slots", "capacity"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise TypeError(f"{name} must be an int, not {type(value).__name__}")
        if not 2 <= self.width <= _MAX_WIDTH:
            raise LayoutMismatchError(f"a slot must be 2 to {_MAX_WIDTH} bits wide, not {self.width}")
        if not 1 <= self.slots <= _MAX_WIDTH * 8:
            raise LayoutMismatchError(f"a plaintext must have 1 to {_MAX_WIDTH * 8} slots, not {self.slots}")
        if not 1 <= self.capacity < 1 << (self.width - 1):
            raise LayoutMismatchError(f"the capacity does not fit a slot of {self.width} bits")

    @classmethod
    def for_key(cls, encoding: FixedPoint, key_length: int) -> SlotLayout:
        """The layout with the narrowest slots that sum ``encoding.max_terms`` values of an encoding.

        Raises
        ------
        LayoutMismatchError
            If not even one slot fits the key.
        """
        capacity = encoding.max_terms * encoding.unit
        width = 1 + capacity.bit_length()
        slots = (key_length - 1) // width
        if slots < 1 or width > _MAX_WIDTH:
            raise LayoutMismatchError(
                f"max_terms * max_abs of the encoding needs slots of {width} bits, "
                f"too wide for a {key_length}-bit key; "
                "use fewer fraction_bits, a smaller max_abs or a smaller max_terms"
            )
        return cls(width, slots, capacity)

    def check_key_length(self, key_length: int) -> None:
        """Raise LayoutMismatchError if the slots do not fit a key of that length."""
        if self.width * self.slots > key_length - 1:
            slots, do = counted(self.slots, "slot"), "does" if self.slots == 1 else "do"
            raise LayoutMismatchError(f"{slots} of {self.width} bits {do} not fit a {key_length}-bit key")

    @property
    def offset(self) -> int:
        """The public bias: sum over the slots of 2^(width - 1 + width*i)."""
        return _offset(self.width, self.slots)

    def plaintexts(self, count: int) -> int:
        """Number of plaintexts that `count` values need."""
        return -(-count // self.slots)

    def pack(self, integers: Words) -> Words:
        """Biased plaintexts of signed integers.

        Parameters
        ----------
        integers : ndarray of uint64, shape (count, any)
            Two's complement words, each integer within the slot.

        Returns
        -------
        ndarray of uint64, shape (plaintexts(count), ceil(width*slots/64))
            Words of U; the plaintext is U - offset. Missing values of the last plaintext are 0.
        """
        count, rows = len(integers), self.plaintexts(len(integers))
        if self.width == 64 and integers.shape[1] == 1:
            words = np.full(rows * self.slots, _SIGN, dtype=np.uint64)
            words[:count] ^= integers[:, 0]
            return words.reshape(rows, self.slots)
        if rows == 1 and integers.shape[1] == 1:
            return self._pack_one(integers)
        step = self._rows_at_once
        if rows <= step:
            return self._pack_rows(integers, rows)
        words = np.empty((rows, -(-self.width * self.slots // 64)), dtype=np.uint64)
        for row in range(0, rows, step):
            part = integers[row * self.slots : (row + step) * self.slots]
            words[row : row + step] = self._pack_rows(part, self.plaintexts(len(part)))
        return words

    # A single plaintext as a Python integer: for so few values each call of numpy costs more than all of that.

    def _pack_one(self, integers: Words) -> Words:
        total = 0
        for value in reversed(integers[:, 0].view(np.int64).tolist()):
            total = (total << self.width) + value
        data = (total + self.offset).to_bytes(-(-self.width * self.slots // 64) * 8, "little")
        return np.frombuffer(data, dtype="<u8").reshape(1, -1)

    def _unpack_one(self, words: Words, count: int) -> Words:
        total, width = int.from_bytes(words.tobytes(), "little"), self.width
        if total >> width * count != self.offset >> width * count:  # of padding and what is above, all digits are 0
            raise CorruptedAggregateError
        mask, half = (1 << width) - 1, 1 << (width - 1)
        values = [(total >> width * i & mask) - half for i in range(count)]
        return np.array(values, dtype=np.int64).view(np.uint64).reshape(-1, 1)

    @property
    def _rows_at_once(self) -> int:
        """Plaintexts packed at once: their bits take a byte each on the way."""
        return max(_BITS_AT_ONCE // (self.width * self.slots), 1)

    def _pack_rows(self, integers: Words, rows: int) -> Words:
        count = len(integers)
        if self.width % 8 == 0:
            digits = np.zeros((rows * self.slots, self.width // 8), dtype=np.uint8)
            digits[:count] = _sign_extended(integers, self.width)[:, : self.width // 8]
            digits[:, -1] ^= 0x80
            data = digits.reshape(rows, self.slots * self.width // 8)
        elif self.width < 64:
            return self._pack_words(integers, rows)
        else:
            bits = np.zeros((rows * self.slots, self.width), dtype=np.uint8)
            extended = _sign_extended(integers, self.width)
            bits[:count] = np.unpackbits(extended, axis=1, count=self.width, bitorder="little")
            bits[:, -1] ^= 1
            data = np.packbits(bits.reshape(rows, self.slots * self.width), axis=1, bitorder="little")
        padded = np.zeros((rows, -(-data.shape[1] // 8) * 8), dtype=np.uint8)
        padded[:, : data.shape[1]] = data
        return padded.view(np.uint64)

    def _pack_words(self, integers: Words, rows: int) -> Words:
        at, half = _places(self.width, self.slots), 1 << (self.width - 1)
        digits = np.full(rows * self.slots, half, dtype=np.uint64)
        digits[: len(integers)] ^= integers[:, 0]
        digits &= np.uint64(2 * half - 1)
        by_row: Words = digits.reshape(rows, self.slots)
        words = np.zeros((rows, -(-self.width * self.slots // 64)), dtype=np.uint64)
        np.bitwise_or.reduceat(by_row << at.shift, at.first, axis=1, out=words[:, : len(at.first)])
        words[:, at.word[at.split] + 1] |= by_row[:, at.split] >> at.rest
        return words

    def _unpack_words(self, words: Words) -> Words:
        at, half = _places(self.width, self.slots), 1 << (self.width - 1)
        digits = words[:, at.word] >> at.shift
        digits[:, at.split] |= words[:, at.word[at.split] + 1] << at.rest
        digits &= np.uint64(2 * half - 1)
        digits -= np.uint64(half)
        integers: Words = digits.reshape(-1, 1)
        return integers

    def unpack(self, words: Words, count: int) -> Words:
        """The signed integers of biased plaintexts.

        Parameters
        ----------
        words : ndarray of uint64, shape (plaintexts(count), any)
            U = (M + offset) mod n.
        count : int
            How many values were packed.

        Returns
        -------
        ndarray of uint64, shape (count, ceil(width/64))
            Two's complement words.

        Raises
        ------
        CorruptedAggregateError
            If U has bits above the top slot, or the padding is not 0.
        """
        if len(words) == 1 and self.width <= 64:
            return self._unpack_one(words, count)
        step = self._rows_at_once
        parts = [
            self._unpack_rows(words[row : row + step], count - row * self.slots)
            for row in range(0, max(len(words), 1), step)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _unpack_rows(self, words: Words, count: int) -> Words:
        used = self.width * self.slots
        data = np.ascontiguousarray(words).view(np.uint8)
        if data[:, (used + 7) // 8 :].any() or (used % 8 and (data[:, used // 8] >> (used % 8)).any()):
            raise CorruptedAggregateError
        in_words = self.width % 8 and self.width < 64
        integers: npt.NDArray[Any] = self._unpack_words(words) if in_words else self._unpack_bytes(data)
        if integers[count:].any():
            raise CorruptedAggregateError
        return integers[:count].view(np.uint64)

    def _unpack_bytes(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        used = self.width * self.slots
        if self.width % 8 == 0:
            digits = data[:, : used // 8].reshape(-1, self.width // 8).copy()
            negative = digits[:, -1] < 0x80
            digits[:, -1] ^= 0x80
        else:
            bits = np.unpackbits(data, axis=1, count=used, bitorder="little").reshape(-1, self.width)
            negative = bits[:, -1] == 0
            bits[:, -1] ^= 1
            digits = np.packbits(bits, axis=1, bitorder="little")
            digits[negative, -1] |= np.uint8(0xFF << (self.width % 8) & 0xFF)
        integers = np.zeros((len(digits), -(-self.width // 64) * 8), dtype=np.uint8)
        integers[:, digits.shape[1] :] = np.where(negative, np.uint8(0xFF), np.uint8(0))[:, np.newaxis]
        integers[:, : digits.shape[1]] = digits
        return integers


class _Places(NamedTuple):
    """Where slots of less than 64 bits lie in words of 64.

    Attributes
    ----------
    word, shift : ndarray
        Of each slot: the word that its lowest bit is in, and at which place.
    first : ndarray
        The first slot of each word.
    split : ndarray
        The slots that go on in the next word.
    rest : ndarray
        Of each of these, how many of its bits are in its first word.
    """

    word: npt.NDArray[np.intp]
    shift: Words
    first: npt.NDArray[np.intp]
    split: npt.NDArray[np.intp]
    rest: Words


@lru_cache(maxsize=64)
def _places(width: int, slots: int) -> _Places:
    start = width * np.arange(slots)
    word, shift = start // 64, start % 64
    split = np.flatnonzero(shift + width > 64)
    first = np.flatnonzero(np.diff(word, prepend=-1))
    return _Places(word, shift.astype(np.uint64), first, split, (64 - shift[split]).astype(np.uint64))


@lru_cache(maxsize=64)
def _offset(width: int, slots: int) -> int:
    return ((1 << width * slots) - 1) // ((1 << width) - 1) << (width - 1)


def _sign_extended(integers: Words, bits: int) -> npt.NDArray[np.uint8]:
    """Little-endian bytes of two's complement words, widened to at least `bits` bits."""
    missing = -(-bits // 64) - integers.shape[1]
    if missing > 0:
        sign = (integers[:, -1:].view(np.int64) >> 63).view(np.uint64)
        integers = np.concatenate([integers, np.repeat(sign, missing, axis=1)], axis=1)
    return np.ascontiguousarray(integers).view(np.uint8)
