"""Real numbers to integers with an explicit scale, and back."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import Words, words_from_integers
from vecphe.errors import InvalidPlaintextError, PlaintextOverflowError

__all__ = [
    "PACKED",
    "UNPACKED",
    "FixedPoint",
    "as_plain_array",
    "decode",
    "exact_fraction_bits",
    "integers_at_scale",
    "unit_at_scale",
]

FRACTION_STEP = 4  # one digit of phe's base-16 exponents, so that converting needs no arithmetic
_MAX_FRACTION_BITS = 16384  # far beyond the 1074 of float64: products add up
_MAX_MAX_ABS_BITS = 14000  # Python prints integers of up to 4300 digits
_INT64_SAFE = 1 << 63


def as_plain_array(values: Any, name: str = "x") -> npt.NDArray[Any]:
    """A real array-like as a fresh native-endian array of dtype float64, int64 or uint64.

    Parameters
    ----------
    values : array_like
        Floats up to 64 bits, integers up to 64 bits, booleans; scalars, lists, any memory order.
    name : str
        What errors call it.

    Raises
    ------
    TypeError
        For complex, object (Decimal, integers beyond 64 bits, None), string and masked arrays.
    InvalidPlaintextError
        For NaN and infinity; the message names the first index.
    """
    if isinstance(values, np.ma.MaskedArray) or (
        isinstance(values, (list, tuple)) and any(isinstance(value, np.ma.MaskedArray) for value in values)
    ):
        raise TypeError(f"{name} is a masked array; fill it first: {name}.filled(value)")
    array = np.asarray(values)
    if array.dtype == np.float64 and not isinstance(values, np.ndarray) and (np.abs(array) >= _INT64_SAFE).any():
        # numpy turns lists of integers that fit neither int64 nor uint64 into rounded floats.
        array = _refuse_rounded_integers(values, array)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "f" and size <= 8:
        array = array.astype(np.float64)
        _check_finite(array, name)
        return array
    if kind in "bi":
        return array.astype(np.int64)
    if kind == "u":
        return array.astype(np.uint64)
    raise TypeError(
        f"{name} has dtype {array.dtype}; only real numbers of up to 64 bits can be encrypted "
        f"(convert with numpy.asarray({name}, dtype=float))"
    )


def _refuse_rounded_integers(values: Any, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    exact = np.asarray(values, dtype=object)
    return exact if all(isinstance(value, int) for value in exact.ravel().tolist()) else array


def _check_finite(array: npt.NDArray[np.float64], name: str) -> None:
    finite = np.isfinite(array)
    if not np.logical_and.reduce(finite, axis=None):
        index = tuple(int(i) for i in np.unravel_index(int(np.argmin(finite)), array.shape))
        raise InvalidPlaintextError(f"{name} holds NaN or infinity, first at index {index}")


def exact_fraction_bits(values: npt.NDArray[Any]) -> int:
    """The least multiple of 4 fraction bits at which every finite value is an integer; 0 for integers."""
    if values.dtype.kind != "f":
        return 0
    mantissas, exponents = np.frexp(values[values != 0])
    integers = np.ldexp(mantissas, 53).astype(np.int64)  # value = integer * 2^(exponent - 53)
    lowest = integers & -integers
    trailing = np.frexp(lowest.astype(np.float64))[1] - 1
    bits = int(np.max(53 - exponents - trailing, initial=0))
    return -(-bits // FRACTION_STEP) * FRACTION_STEP


def integers_at_scale(values: npt.NDArray[Any], fraction_bits: int) -> list[int]:
    """``round_half_even(value * 2**fraction_bits)`` as Python integers, in C order."""
    flat = values.ravel()
    if flat.dtype.kind != "f":
        return [int(value) << fraction_bits for value in flat.tolist()]
    with np.errstate(over="ignore"):
        scaled = np.rint(np.ldexp(flat, fraction_bits))
    if np.isfinite(scaled).all():
        return [int(value) for value in scaled.tolist()]
    return [round(Fraction(value) * (1 << fraction_bits)) for value in flat.tolist()]


@lru_cache(maxsize=256)
def unit_at_scale(max_abs: float, fraction_bits: int) -> int:
    """``round(max_abs * 2**fraction_bits)``, exactly."""
    return round(Fraction(max_abs) * (1 << fraction_bits))


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """Fixed-point numbers: v is the integer ``round_half_even(v * 2**fraction_bits)``.

    Parameters
    ----------
    fraction_bits : int
        A multiple of 4, from 0 to 16384.
    max_abs : float or int
        Largest magnitude that is accepted; nothing is ever clipped.
    max_terms : int
        How many such values a slot of a packed array must be able to sum.

    Examples
    --------
    >>> FixedPoint(fraction_bits=4, max_abs=8).unit
    128
    """

    fraction_bits: int = 40
    max_abs: float = 2**15
    max_terms: int = 255

    def __post_init__(self) -> None:
        for name in ("fraction_bits", "max_terms"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise TypeError(f"{name} must be an int, not {type(value).__name__}")
            object.__setattr__(self, name, int(value))
        if self.fraction_bits % FRACTION_STEP or not 0 <= self.fraction_bits <= _MAX_FRACTION_BITS:
            raise ValueError(
                f"fraction_bits must be a multiple of {FRACTION_STEP} from 0 to {_MAX_FRACTION_BITS}, "
                f"not {self.fraction_bits}"
            )
        if not 1 <= self.max_terms < 1 << 63:
            raise ValueError(f"max_terms must be at least 1 and below 2^63, not {self.max_terms}")
        self._check_max_abs()

    def _check_max_abs(self) -> None:
        value = self.max_abs
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"max_abs must be a real number, not {type(value).__name__}")
        plain = int(value) if isinstance(value, Integral) else float(value)
        if isinstance(plain, int) and plain.bit_length() > _MAX_MAX_ABS_BITS:
            raise ValueError(f"max_abs must be below 2^{_MAX_MAX_ABS_BITS}")
        if not plain > 0 or plain == math.inf:
            raise ValueError(f"max_abs must be positive and finite, not {value}")
        object.__setattr__(self, "max_abs", plain)
        if self.unit < 1:
            raise ValueError(f"max_abs = {value} is 0 at {self.fraction_bits} fraction_bits; use more of them")

    @property
    def unit(self) -> int:
        """Largest |integer| that one value can become: ``round(max_abs * 2**fraction_bits)``."""
        return unit_at_scale(self.max_abs, self.fraction_bits)

    @property
    def integral(self) -> FixedPoint:
        """The encoding of integer arrays: no fraction bits, the same integers."""
        return FixedPoint(0, max(self.unit if self.fraction_bits else int(self.max_abs), 1), self.max_terms)

    def encode(self, values: npt.NDArray[Any], name: str = "x", *, negative: bool = False) -> Words:
        """Signed integers of values, in C order.

        Parameters
        ----------
        values : ndarray
            From `as_plain_array`: finite float64, int64 or uint64.
        name : str
            What errors call it.
        negative : bool
            Give the integers of ``-values``, also where numpy's own negative would wrap around.

        Returns
        -------
        ndarray of uint64, shape (size, ``unit.bit_length() // 64 + 1``)
            Two's complement words.

        Raises
        ------
        PlaintextOverflowError
            If a magnitude exceeds `max_abs`; the message names the first index, not the value.
        """
        self._check_range(values, name)
        unit = self.unit
        flat = values.ravel()
        if unit < _INT64_SAFE:
            if flat.dtype.kind == "f":
                integers = np.rint(flat * 2.0**self.fraction_bits).astype(np.int64)  # the product is exact
            else:
                integers = flat.astype(np.int64) << self.fraction_bits
            words: Words = (-integers if negative else integers).view(np.uint64).reshape(-1, 1)
            return words
        big = integers_at_scale(flat, self.fraction_bits)
        return words_from_integers([-i for i in big] if negative else big, unit.bit_length() // 64 + 1, signed=True)

    def first_outside(self, values: npt.NDArray[Any]) -> tuple[int, ...] | None:
        """Index of the first value whose magnitude exceeds `max_abs`, or None; `values` as in `encode`."""
        if values.dtype.kind == "f":
            outside = np.abs(values) > min(self.max_abs, sys.float_info.max)
        else:
            info = np.iinfo(values.dtype)
            limit = int(self.max_abs)
            outside = (values > min(limit, info.max)) | (values < max(-limit, info.min))
        if not np.logical_or.reduce(outside, axis=None):
            return None
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(outside)), values.shape))

    def _check_range(self, values: npt.NDArray[Any], name: str) -> None:
        index = self.first_outside(values)
        if index is not None:
            raise PlaintextOverflowError(
                f"the magnitude of {name} at index {index} exceeds max_abs = {self.max_abs} of the encoding; "
                "scale the data, or pass encoding=FixedPoint(..., max_abs=...)"
            )


PACKED = FixedPoint()
UNPACKED = FixedPoint(fraction_bits=112, max_abs=2**64)


def decode(integers: npt.NDArray[np.int64] | list[int], fraction_bits: int, *, integer: bool) -> npt.NDArray[Any]:
    """Numbers of signed integers at a scale: correctly rounded float64, or integers if `integer`.

    Parameters
    ----------
    integers : ndarray of int64, or list of int where they do not fit
    fraction_bits : int
    integer : bool
        Return int64, or Python integers (dtype object) where one does not fit.
    """
    if isinstance(integers, np.ndarray):
        if integer:
            return integers >> fraction_bits
        # int64 to float64 rounds once, to even; the power of two is exact.
        return np.ldexp(integers.astype(np.float64), -fraction_bits)
    if integer:
        shifted = [value >> fraction_bits for value in integers]
        fits = all(-_INT64_SAFE <= value < _INT64_SAFE for value in shifted)
        return np.array(shifted, dtype=np.int64 if fits else object)
    try:
        return np.array([int(value) / (1 << fraction_bits) for value in integers], dtype=np.float64)
    except OverflowError:
        raise PlaintextOverflowError("a decrypted value is too large for a float64") from None
