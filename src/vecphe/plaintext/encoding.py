"""Real numbers to integers with an explicit scale, and back."""

from __future__ import annotations

import math
import sys
from collections import UserList, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView, Set
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from numbers import Integral, Number, Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import Words, words_from_integers
from vecphe.errors import InvalidPlaintextError, PlaintextOverflowError

__all__ = [
    "GREATEST_DIVISOR",
    "PACKED",
    "UNPACKED",
    "FixedPoint",
    "Floats",
    "as_plain_array",
    "decode",
    "exact_floats",
    "exact_fraction_bits",
    "integer_type",
    "integers_at_scale",
    "is_encrypted_number",
    "is_sparse",
    "unit_at_scale",
]

Floats: TypeAlias = npt.NDArray[np.float64]

FRACTION_STEP = 4  # one digit of phe's base-16 exponents, so that converting needs no arithmetic
_MAX_FRACTION_BITS = 16384  # far beyond the 1074 of float64: products add up
GREATEST_DIVISOR = 1 << 64  # that a format has besides its fraction bits
_MAX_MAX_ABS_BITS = 14000  # Python prints integers of up to 4300 digits
_INT64_SAFE = 1 << 63
_FLOAT_SAFE = 2.0**53  # below it every integer is a float
_LISTS = (list, tuple, deque, UserList)  # whose parts numpy makes one array of
_CHUNK = 1 << 14  # values encoded at once: what they take on the way, as Python integers, is some megabytes


def as_plain_array(values: Any, name: str = "x", unused: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[Any]:
    """A real array-like as a fresh native-endian array of dtype float64, int64, uint64 or (of Python integers) object.

    Parameters
    ----------
    values : array_like
        Whatever numpy.asarray turns into floats of up to 64 bits, integers of any size or booleans: scalars, lists,
        data frames, tensors, any memory order. No integer is ever rounded to a float.
    name : str
        What errors call it; its last word stands for it in what they tell to write.
    unused : ndarray of bool, optional
        Where it is true, fractions count as 0, NaN and infinity too, in the shape that both broadcast to.

    Raises
    ------
    TypeError
        For complex, string and masked arrays, for objects that are no integers or floats (Decimal, None), and for
        integers beyond 2^53 among fractions that no float holds.
    InvalidPlaintextError
        For NaN and infinity; the message names the first index. For parts of different shapes.
    """
    if type(values) is not np.ndarray:
        _refuse_containers(values, name)
    try:
        array = np.asarray(values)
    except ValueError:
        if not isinstance(values, _LISTS):
            raise
        raise InvalidPlaintextError(_ragged(name)) from None
    if array.dtype.kind == "O":
        array = _from_objects(array, name)
    elif array.dtype == np.float64 and not hasattr(values, "dtype") and (np.abs(array) >= _FLOAT_SAFE).any():
        # numpy turns integers of different types, and integers among floats, into rounded floats.
        array = _from_objects(_objects(values), name)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "f" and size <= 8:
        array = array.astype(np.float64)
        if unused is not None:
            array = np.where(unused, 0.0, array)
        _check_finite(array, name)
        return array
    if kind in "bi":
        return array.astype(np.int64)
    if kind == "u":
        return array.astype(np.uint64)
    if kind == "O":
        return array
    x = name.split()[-1]
    remedy = {
        "c": f"take numpy.real({x}) and numpy.imag({x}) apart",
        "V": f"take its fields apart, each as {x}[name]",
    }.get(kind, f"convert with numpy.asarray({x}, dtype=float)")
    raise TypeError(f"{name} has dtype {array.dtype}; only real numbers of up to 64 bits can be encrypted ({remedy})")


def is_encrypted_number(value: Any) -> bool:
    """Whether it is a number of phe or of the facade, by its shape: neither is known here."""
    return type(value).__name__ == "EncryptedNumber" and hasattr(value, "public_key")


def is_sparse(values: Any) -> bool:
    """Whether it is a sparse matrix or array of scipy, which then has been imported."""
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and bool(scipy_sparse.issparse(values))


def _refuse_containers(values: Any, name: str) -> None:
    """Raise for what numpy.asarray would take for a single object, or for its data alone."""
    x = name.split()[-1]
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; fill it first: {x}.filled(value)")
    if _has_masked(values):
        raise TypeError(f"{name} has masked arrays in it; fill each of them first: part.filled(value)")
    if is_sparse(values):
        raise TypeError(f"{name} is a sparse matrix, whose zeros would show; encrypt {x}.toarray()")
    if isinstance(values, Mapping):
        raise TypeError(
            f"{name} is a {type(values).__name__}; encrypt its values: "
            f"{{key: public_key.encrypt(value) for key, value in {x}.items()}}"
        )
    if isinstance(values, (Set, MappingView, Iterator)):
        raise TypeError(f"{name} is a {type(values).__name__}; make a list of it: list({x})")


def _has_masked(values: Any) -> bool:
    if isinstance(values, _LISTS):
        return any(isinstance(value, (*_LISTS, np.ma.MaskedArray)) and _has_masked(value) for value in values)
    return isinstance(values, np.ma.MaskedArray)


def _ragged(name: str) -> str:
    x = name.split()[-1]
    return (
        f"{name} has parts of different shapes; encrypt each of them: [public_key.encrypt(part) for part in {x}], "
        f"or all in one row: numpy.concatenate([numpy.ravel(part) for part in {x}])"
    )


def _objects(values: Any) -> npt.NDArray[Any]:
    """The numbers as they are before numpy finds a common type for them."""
    if isinstance(values, _LISTS):
        values = [_objects(value) if isinstance(value, _LISTS) or _rows_of(value) else value for value in values]
        values = [value[()] if isinstance(value, np.ndarray) else value for value in values]  # of 0-d ones the number
    elif rows := _rows_of(values):
        values = list(rows())
    return np.asarray(values, dtype=object)


def _rows_of(value: Any) -> Callable[[], Iterable[tuple[Any, ...]]] | None:
    """What iterates over the rows of a data frame, which has one type for all its columns ready for numpy."""
    if hasattr(value, "itertuples"):  # pandas
        return partial(value.itertuples, index=False, name=None)
    return getattr(value, "iter_rows", None)  # polars


_INTEGERS = (int, np.integer, np.bool_)
_FLOATS = (float, np.float16, np.float32)


def _from_objects(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Numbers of an object array, exactly: int64, uint64, Python integers where these are too narrow, or float64."""
    numbers = array.ravel().tolist()
    for place, number in enumerate(numbers):
        if not isinstance(number, (*_INTEGERS, *_FLOATS)):
            if isinstance(number, (np.ndarray, *_LISTS)):
                raise InvalidPlaintextError(_ragged(name))
            raise TypeError(_foreign(number, tuple(int(i) for i in np.unravel_index(place, array.shape)), name))
    if not all(isinstance(number, _INTEGERS) for number in numbers):
        floats = exact_floats(numbers)
        if floats is None:
            raise TypeError(
                f"{name} mixes fractions with integers beyond 2^53, which floats would round; "
                "encrypt the integers and the fractions as arrays of their own"
            )
        return np.array(floats).reshape(array.shape)
    integers = [int(number) for number in numbers]
    least, greatest = min(integers, default=0), max(integers, default=0)
    return np.array(integers, dtype=integer_type(least, greatest)).reshape(array.shape)


def integer_type(least: float, greatest: int) -> type[np.generic]:
    """The first of int64, uint64 and Python's own integers that holds all from `least` to `greatest`."""
    fits = [t for t in (np.int64, np.uint64) if np.iinfo(t).min <= least and greatest <= np.iinfo(t).max]
    return fits[0] if fits else np.object_


def exact_floats(numbers: list[Any]) -> list[float] | None:
    """The numbers as floats, or None where that would round an integer."""
    try:
        floats = [float(number) for number in numbers]
    except OverflowError:
        return None
    pairs = zip(numbers, floats, strict=True)
    exact = all(not isinstance(number, _INTEGERS) or int(number) == value for number, value in pairs)
    return floats if exact else None


def _foreign(number: Any, index: tuple[int, ...], name: str) -> str:
    """Message for an element that is no integer or float."""
    remedy = ""
    if isinstance(number, (Number, np.number, str)) and not isinstance(number, (complex, np.complexfloating)):
        remedy = f" (convert with numpy.asarray({name.split()[-1]}, dtype=float))"
    if is_encrypted_number(number):
        remedy = f" (vecphe.from_phe(public_key, {name.split()[-1]}, max_abs=m) makes an array of encrypted numbers)"
    place = f" at index {index}" if index else ""
    return (
        f"{name} holds an object of type {type(number).__name__}{place}; "
        f"only integers, and floats of up to 64 bits, can be encrypted{remedy}"
    )


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
    if _floats_as_usual():
        with np.errstate(over="ignore"):
            scaled = np.rint(np.ldexp(flat, fraction_bits))
        if np.isfinite(scaled).all():
            return [int(value) for value in scaled.tolist()]
    return [_integer_at_scale(bits, fraction_bits) for bits in flat.view(np.uint64).tolist()]


def _integer_at_scale(bits: int, fraction_bits: int) -> int:
    """``round_half_even(v * 2**fraction_bits)`` of the float64 v of these bits, which integers alone compute."""
    exponent = bits >> 52 & 0x7FF
    mantissa = bits & ((1 << 52) - 1) | (exponent > 0) << 52  # |v| = mantissa * 2^(max(exponent, 1) - 1075)
    magnitude = round(Fraction(mantissa << max(exponent, 1) + fraction_bits, 1 << 1075))
    return -magnitude if bits >> 63 else magnitude


_ONE, _HALF_ULP, _QUARTER_ULP, _DENORMAL = (math.ldexp(1.0, exponent) for exponent in (0, -53, -54, -1074))


def _floats_as_usual() -> bool:
    """Whether this thread rounds to nearest and reads denormal numbers; its caller may have set the CPU otherwise."""
    return _ONE + _HALF_ULP == _ONE == _ONE - _QUARTER_ULP and _DENORMAL > 0.0


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
    >>> from vecphe import FixedPoint
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
        """Largest magnitude that the integer of a value can have: ``round(max_abs * 2**fraction_bits)``."""
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
            From `as_plain_array`: finite float64, int64, uint64 or Python integers.
        name : str
            What errors call it.
        negative : bool
            Give the integers of ``-values``, also where numpy's own negative would wrap around.

        Returns
        -------
        ndarray of uint64, shape (size, ``unit.bit_length() // 64 + 1``)
            Two's complement words, the caller's own.

        Raises
        ------
        PlaintextOverflowError
            If a magnitude exceeds `max_abs`; the message names the first index, not the value.
        """
        self._check_range(values, name)
        flat = values.ravel()
        if len(flat) <= _CHUNK:
            return self._words(flat, negative)
        words = np.empty((len(flat), self.unit.bit_length() // 64 + 1), dtype=np.uint64)
        for start in range(0, len(flat), _CHUNK):
            words[start : start + _CHUNK] = self._words(flat[start : start + _CHUNK], negative)
        return words

    def _words(self, flat: npt.NDArray[Any], negative: bool) -> Words:
        """Words of some values that are known to be in range."""
        if self.unit < _INT64_SAFE and (flat.dtype.kind != "f" or _floats_as_usual()):
            if flat.dtype.kind == "f":
                integers = np.rint(flat * 2.0**self.fraction_bits).astype(np.int64)  # the product is exact
            else:
                integers = flat.astype(np.int64) << self.fraction_bits
            words: Words = (-integers if negative else integers).view(np.uint64).reshape(-1, 1)
            return words
        big = integers_at_scale(flat, self.fraction_bits)
        given = words_from_integers(
            [-i for i in big] if negative else big, self.unit.bit_length() // 64 + 1, signed=True
        )
        return given.copy()  # which can be written to

    def first_outside(self, values: npt.NDArray[Any]) -> tuple[int, ...] | None:
        """Index of the first value whose magnitude exceeds `max_abs`, or None; `values` as in `encode`."""
        if values.dtype.kind == "f":
            outside = np.abs(values) > min(self.max_abs, sys.float_info.max)
        elif values.dtype.kind == "O":
            outside = np.asarray(np.abs(values) > int(self.max_abs))
        else:
            info = np.iinfo(values.dtype)
            limit = int(self.max_abs)
            outside = (values > min(limit, info.max)) | (values < max(-limit, info.min))
        if not np.logical_or.reduce(outside, axis=None):
            return None
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(outside)), values.shape))

    def _check_range(self, values: npt.NDArray[Any], name: str) -> None:
        """Raise PlaintextOverflowError, as `encode`, for the first value whose magnitude exceeds `max_abs`."""
        index = self.first_outside(values)
        if index is not None:
            raise PlaintextOverflowError(
                f"the magnitude of {name} at index {index} exceeds max_abs = {self.max_abs} of the encoding; "
                "scale the data, or encrypt with encoding=FixedPoint(..., max_abs=...)"
            )


PACKED = FixedPoint()
UNPACKED = FixedPoint(fraction_bits=112, max_abs=2**64)


def decode(
    integers: npt.NDArray[np.int64] | list[int], fraction_bits: int, *, integer: bool, divisor: int = 1
) -> npt.NDArray[Any]:
    """Numbers of signed integers at a scale: correctly rounded float64, or integers if `integer`.

    Parameters
    ----------
    integers : ndarray of int64, or list of int where they do not fit
    fraction_bits : int
    integer : bool
        Return int64, or Python integers (dtype object) where one does not fit.
    divisor : int
        Positive; what the numbers are divided by besides. With more than 1 they are no integers.
    """
    if divisor > 1:
        integers = integers.tolist() if isinstance(integers, np.ndarray) else integers
    if isinstance(integers, np.ndarray):
        if integer:
            return integers >> fraction_bits
        if _floats_as_usual():
            # int64 to float64 rounds once, to even; the power of two is exact.
            return np.ldexp(integers.astype(np.float64), -fraction_bits)
    elif integer:
        shifted = [value >> fraction_bits for value in integers]
        fits = all(-_INT64_SAFE <= value < _INT64_SAFE for value in shifted)
        return np.array(shifted, dtype=np.int64 if fits else object)
    try:
        # Integers are divided in any rounding mode as in the usual one, where the result is not denormal.
        return np.array([int(value) / (divisor << fraction_bits) for value in integers], np.float64)
    except OverflowError:
        raise PlaintextOverflowError("a decrypted value is too large for a float64") from None
