"""The header of a stored array as plain numbers, and what they mean for a key."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction

from vecphe.arithmetic import ciphertext_bytes
from vecphe.errors import KeyMismatchError, LayoutMismatchError, PlaintextOverflowError, SerializationError
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.plaintext.encoding import FRACTION_STEP, GREATEST_DIVISOR, FixedPoint
from vecphe.plaintext.format import Format, is_sprawling
from vecphe.plaintext.packing import SlotLayout
from vecphe.system.plurals import counted

__all__ = ["ArrayFields", "Number", "array_fields", "array_format", "check_columns", "header_format"]

BOUND_BITS = 128  # room for any product of a 64-bit count and a float64 or 64-bit integer
MAX_DIMENSIONS = 32  # as in numpy 1
_MAX_SCALE = 1 << 20
_FLOAT_BITS = 53


@dataclass(frozen=True, slots=True)
class Number:
    """``mantissa * 2**exponent``, exactly; the mantissa is odd, or both are 0."""

    mantissa: int
    exponent: int

    @classmethod
    def of(cls, value: float) -> Number:
        """Of a non-negative integer or float."""
        mantissa, denominator = value.as_integer_ratio()
        zeros = max((mantissa & -mantissa).bit_length() - 1, 0)
        return cls(mantissa >> zeros, zeros - (denominator.bit_length() - 1))

    @classmethod
    def at_least(cls, value: int) -> Number:
        """The least number not below a non-negative integer whose mantissa has at most 128 bits."""
        shift = max(value.bit_length() - BOUND_BITS, 0)
        rounded = cls.of(-(-value >> shift))
        return cls(rounded.mantissa, rounded.exponent + shift)

    @property
    def integer(self) -> int:
        """The number, if its exponent is not negative."""
        return self.mantissa << self.exponent

    def real(self, name: str) -> float:
        """The number as an int where it is one, else as a float; SerializationError if it is neither."""
        if self.exponent >= 0:
            return self.integer
        if self.mantissa.bit_length() > _FLOAT_BITS:
            raise SerializationError(f"{name} is neither an integer nor a float64")
        value = math.ldexp(self.mantissa, self.exponent)
        if Fraction(value) != Fraction(self.mantissa, 1 << -self.exponent):
            raise SerializationError(f"{name} is not a float64")
        return value


@dataclass(frozen=True, slots=True)
class ArrayFields:
    """What docs/format.md lists for an array, in its order. Width and slots are 0 where nothing is packed."""

    fingerprint: str
    key_length: int
    integer: bool
    packed: bool
    shape: tuple[int, ...]
    fraction_bits: int
    max_terms: int
    max_abs: Number
    scale: int
    terms: int
    bound: Number
    width: int
    slots: int
    ciphertexts: bytes = field(repr=False)
    divisor: int = 1
    columns: tuple[str, ...] = ()


def array_fields(numbers: PublicNumbers, shape: tuple[int, ...], format: Format) -> ArrayFields:
    """The fields of an array, its ciphertexts left out.

    Raises
    ------
    SerializationError, PlaintextOverflowError
        If they would not load again.
    """
    layout, encoding = format.layout, format.encoding
    if layout and layout.capacity != encoding.max_terms * encoding.unit:
        raise SerializationError("the slots have another capacity than max_terms values of the encoding")
    fields = ArrayFields(
        fingerprint=numbers.fingerprint,
        key_length=numbers.n.bit_length(),
        integer=format.integer,
        packed=layout is not None,
        shape=shape,
        fraction_bits=encoding.fraction_bits,
        max_terms=encoding.max_terms,
        max_abs=Number.of(encoding.max_abs),
        scale=format.fraction_bits,
        terms=format.terms,
        bound=Number.at_least(format.bound),
        width=layout.width if layout else 0,
        slots=layout.slots if layout else 0,
        ciphertexts=b"",
        divisor=format.divisor,
    )
    _format(fields, numbers)
    return fields


def array_format(fields: ArrayFields, numbers: PublicNumbers) -> Format:
    """The format that fields describe, every one checked for the key and with the others.

    Raises
    ------
    KeyMismatchError
        If the array belongs to another key.
    SerializationError
        If a field is out of its range or contradicts another one.
    PlaintextOverflowError
        If the bound or the number of terms is more than the plaintexts can hold.
    """
    format, wanted = header_format(fields, numbers)
    if len(fields.ciphertexts) != wanted:
        raise SerializationError(
            f"{counted(len(fields.ciphertexts), 'byte')} of ciphertexts where the shape needs {wanted}"
        )
    return format


def header_format(fields: ArrayFields, numbers: PublicNumbers) -> tuple[Format, int]:
    """As `array_format`, before the ciphertexts have come; and how many bytes of them have to."""
    if fields.fingerprint != numbers.fingerprint:
        raise KeyMismatchError(
            f"the array belongs to another key: {fields.fingerprint[:8]}, not {numbers.fingerprint[:8]}"
        )
    if fields.key_length != numbers.n.bit_length():
        raise SerializationError(f"key_length is {fields.key_length}, but the key has {numbers.n.bit_length()} bits")
    format = _format(fields, numbers)
    if fields.columns:
        check_columns(fields.columns, fields.shape)
    return format, format.n_ciphertexts(math.prod(fields.shape)) * ciphertext_bytes(fields.key_length)


def _format(fields: ArrayFields, numbers: PublicNumbers) -> Format:
    if len(fields.shape) > MAX_DIMENSIONS:
        raise SerializationError(f"an array has at most {MAX_DIMENSIONS} dimensions, not {len(fields.shape)}")
    if math.prod(max(length, 1) for length in fields.shape) >= 1 << 60:
        raise SerializationError("the shape is too large for an array")
    if is_sprawling(fields.shape):
        raise SerializationError("the shape is too large for an empty array: its other lengths multiply to over 2^16")
    encoding = _encoding(fields)
    layout = _layout(fields, encoding)
    _check_scale(fields)
    _check_terms(fields)
    format = Format(encoding, fields.scale, 0, layout, fields.integer, fields.terms, fields.divisor)
    return replace(format, bound=_bound(fields.bound, format.limit(numbers.n)))


def check_columns(columns: tuple[str, ...], shape: tuple[int, ...]) -> None:
    """Raise SerializationError unless names of columns are those of an array of this shape.

    They are public, as the shape is; and as they are shown, nothing in them is more than a printable character.
    """
    if len(shape) not in (1, 2) or not len(columns) == len(set(columns)) == math.prod(shape[1:]):
        raise SerializationError("an array has a name for each of its columns, no name twice, or none at all")
    if not all(name and name.isprintable() for name in columns):
        raise SerializationError("the name of a column must be printable, and not be empty")


def _encoding(fields: ArrayFields) -> FixedPoint:
    if fields.max_abs.mantissa.bit_length() > BOUND_BITS:
        raise SerializationError(
            f"max_abs has an odd part of more than {BOUND_BITS} bits; encrypt with a rounder one, say a power of two"
        )
    max_abs = fields.max_abs.real("max_abs")
    try:
        return FixedPoint(fields.fraction_bits, max_abs, fields.max_terms)
    except (ValueError, OverflowError) as error:
        raise SerializationError(f"not an encoding: {error}") from None


def _layout(fields: ArrayFields, encoding: FixedPoint) -> SlotLayout | None:
    if not fields.packed:
        if fields.width or fields.slots:
            raise SerializationError("width and slots must be 0 in an array that is not packed")
        return None
    try:
        layout = SlotLayout(fields.width, fields.slots, encoding.max_terms * encoding.unit)
        layout.check_key_length(fields.key_length)
    except LayoutMismatchError as error:
        raise SerializationError(f"not a slot layout: {error}") from None
    return layout


def _check_scale(fields: ArrayFields) -> None:
    if fields.scale % FRACTION_STEP or not 0 <= fields.scale <= _MAX_SCALE:
        raise SerializationError(
            f"the scale must be a multiple of {FRACTION_STEP} fraction bits from 0 to {_MAX_SCALE}, not {fields.scale}"
        )
    finer = fields.scale - fields.fraction_bits
    if fields.packed and (finer < 0 or (finer and fields.integer)):
        raise SerializationError("a packed array must be at the scale of its encoding, or of floats at a finer one")
    if not 1 <= fields.divisor < GREATEST_DIVISOR:
        raise SerializationError("the divisor must be positive and below 2^64")
    if fields.divisor > 1 and (fields.integer or not fields.packed):
        raise SerializationError("only a packed array of floats is divided by a number of its own")


def _check_terms(fields: ArrayFields) -> None:
    if not 0 <= fields.terms < 1 << 64:
        raise SerializationError("the number of terms must be below 2^64")
    if fields.packed and fields.terms > fields.max_terms:
        raise PlaintextOverflowError(f"{fields.terms} terms are more than max_terms = {fields.max_terms}")


def _bound(bound: Number, limit: int) -> int:
    """The bound; one that was rounded up beyond the limit is the limit."""
    if bound.exponent < 0 or bound.mantissa.bit_length() > BOUND_BITS:
        raise SerializationError(f"the bound must be an integer with a mantissa of at most {BOUND_BITS} bits")
    # Neither form holds an exponent of more than 16 bits, so that the integer is of at most 4 KiB.
    if bound.integer > Number.at_least(limit).integer:
        raise PlaintextOverflowError("the array claims a bound beyond the range of its plaintexts")
    return min(bound.integer, limit)
