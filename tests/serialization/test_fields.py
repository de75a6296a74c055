"""Every field of an array's header at its edges: the last value that loads, the next one, and what is said of that."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from vecphe import FixedPoint, KeyMismatchError, PlaintextOverflowError, PublicKey, SerializationError
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.plaintext.format import Format, format_for
from vecphe.plaintext.packing import SlotLayout
from vecphe.serialization.fields import ArrayFields, Number, _bound, array_fields, array_format, header_format
from vecphe.serialization.frames import SealedFields, array_body, integer_from_body, primes_from_body
from vecphe.serialization.stream import ArrayStream

SHAPE_TOO_LARGE = "the shape is too large for an array"
EMPTY_TOO_LARGE = "the shape is too large for an empty array: its other lengths multiply to over 2^16"
SCALE = "the scale must be a multiple of 4 fraction bits from 0 to 1048576, not {}"
PACKED_SCALE = "a packed array must be at the scale of its encoding, or of floats at a finer one"
DIVISOR = "the divisor must be positive and below 2^64"
DIVIDED = "only a packed array of floats is divided by a number of its own"
NOT_PACKED = "width and slots must be 0 in an array that is not packed"
TERMS = "the number of terms must be below 2^64"
MANTISSA = "max_abs has an odd part of more than 128 bits; encrypt with a rounder one, say a power of two"
BOUND = "the bound must be an integer with a mantissa of at most 128 bits"
BEYOND = "the array claims a bound beyond the range of its plaintexts"
NAMES = "an array has a name for each of its columns, no name twice, or none at all"
CAPACITY = 255 << 55  # of the default packing: max_terms values of up to 2^15, at 40 fraction bits


def fields_of(public_key: PublicKey, kind: str) -> ArrayFields:
    """Of three values: a kind is such as "packed integers"."""
    integer, packed = "integers" in kind, "unpacked" not in kind
    encoding = FixedPoint() if packed else FixedPoint(112, 2**64)
    numbers = PublicNumbers(public_key.n)
    format = format_for(public_key.n, encoding.integral if integer else encoding, packed, integer, 1)
    return array_fields(numbers, (3,), format)


# What changes, and what is said of it; nothing where it is good.
CASES: list[tuple[str, dict[str, Any], str]] = [
    *(
        case
        for kind in ("floats", "integers", "unpacked floats", "unpacked integers")
        for case in (
            (kind, {}, ""),
            (kind, {"shape": (1,) * 32}, ""),
            (kind, {"shape": (1,) * 33}, "an array has at most 32 dimensions, not 33"),
            (kind, {"shape": ((1 << 60) - 1,)}, ""),
            (kind, {"shape": ((1 << 59) - 1, 1, 1)}, ""),
            (kind, {"shape": (1 << 60,)}, SHAPE_TOO_LARGE),
            (kind, {"shape": (1 << 59, 2)}, SHAPE_TOO_LARGE),
            (kind, {"shape": (0, 1 << 60)}, SHAPE_TOO_LARGE),
            (kind, {"shape": (0, 0, (1 << 60) - 1)}, EMPTY_TOO_LARGE),
            (kind, {"shape": (0, (1 << 16) + 1)}, EMPTY_TOO_LARGE),
            (kind, {"shape": (0, 0, 1 << 16)}, ""),
            (kind, {"key_length": 511}, "key_length is 511, but the key has 512 bits"),
            (kind, {"key_length": 513}, "key_length is 513, but the key has 512 bits"),
            (kind, {"scale": -4}, SCALE.format(-4)),
            (kind, {"scale": 42}, SCALE.format(42)),
            (kind, {"scale": (1 << 20) + 4}, SCALE.format((1 << 20) + 4)),
            (kind, {"divisor": 0}, DIVISOR),
            (kind, {"divisor": 1 << 64}, DIVISOR),
            (kind, {"terms": -1}, TERMS),
            (kind, {"terms": 0}, ""),
            (kind, {"terms": 1 << 64}, TERMS),
            (kind, {"max_abs": Number((1 << 129) - 1, 0)}, MANTISSA),
            (kind, {"bound": Number(1, -1)}, BOUND),
            (kind, {"bound": Number((1 << 129) - 1, 0)}, BOUND),
            (kind, {"bound": Number(0, 0)}, ""),
            (kind, {"columns": ("a",)}, ""),
            (kind, {"columns": ("a", "b")}, NAMES),
        )
    ),
    ("floats", {"scale": 36}, PACKED_SCALE),
    ("floats", {"scale": 44}, ""),
    ("floats", {"scale": 1 << 20}, ""),
    ("integers", {"scale": 4}, PACKED_SCALE),
    ("unpacked floats", {"scale": 0}, ""),
    ("unpacked integers", {"scale": 4}, ""),
    ("unpacked floats", {"scale": 1 << 20}, ""),
    ("floats", {"divisor": 2}, ""),
    ("floats", {"divisor": (1 << 64) - 1}, ""),
    *((kind, {"divisor": 2}, DIVIDED) for kind in ("integers", "unpacked floats", "unpacked integers")),
    *(("unpacked floats", {name: 1}, NOT_PACKED) for name in ("width", "slots")),
    ("unpacked floats", {"terms": (1 << 64) - 1}, ""),
    ("floats", {"terms": 255}, ""),
    ("floats", {"terms": 256}, "256 terms are more than max_terms = 255"),
    ("floats", {"max_terms": 1 << 63}, f"not an encoding: max_terms must be at least 1 and below 2^63, not {1 << 63}"),
    ("floats", {"slots": 8}, "not a slot layout: 8 slots of 64 bits do not fit a 512-bit key"),
    ("floats", {"slots": 1, "width": 512}, "not a slot layout: 1 slot of 512 bits does not fit a 512-bit key"),
    ("floats", {"slots": 1, "width": 511}, ""),
    ("floats", {"bound": Number.of(CAPACITY)}, ""),
    ("floats", {"bound": Number.of(CAPACITY + 1)}, BEYOND),
    ("floats", {"bound": Number(1, 32767)}, BEYOND),
    ("unpacked floats", {"max_abs": Number((1 << 128) - 1, 0)}, ""),
    ("unpacked floats", {"max_abs": Number((1 << 53) - 1, -1)}, ""),
    ("unpacked floats", {"max_abs": Number((1 << 53) + 1, -1)}, "max_abs is neither an integer nor a float64"),
    ("unpacked floats", {"max_abs": Number(3, -1075)}, "max_abs is not a float64"),
    ("unpacked floats", {"max_abs": Number(1, -112)}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "changes", "told"), CASES, ids=repr)
def test_h30_every_field_at_its_edges(public_key: PublicKey, kind: str, changes: dict[str, Any], told: str) -> None:
    fields = replace(fields_of(public_key, kind), **changes)
    numbers = PublicNumbers(public_key.n)
    if not told:
        format, wanted = header_format(fields, numbers)
        assert (format.fraction_bits, format.terms, format.divisor) == (fields.scale, fields.terms, fields.divisor)
        assert (format.bound, format.integer) == (fields.bound.integer, "integers" in kind)
        count = math.prod(fields.shape)
        assert wanted == 128 * (-(-count // fields.slots) if fields.slots else count)
        assert bool(format.layout) is fields.packed
        return
    with pytest.raises((SerializationError, PlaintextOverflowError), match=f"^{re.escape(told)}$") as caught:
        header_format(fields, numbers)
    overflows = told == BEYOND or "terms are more" in told
    assert isinstance(caught.value, PlaintextOverflowError) is overflows


def test_h30_what_the_ciphertexts_have_to_be(public_key: PublicKey) -> None:
    fields, numbers = fields_of(public_key, "unpacked floats"), PublicNumbers(public_key.n)
    assert array_format(replace(fields, ciphertexts=bytes(384)), numbers).terms == 1
    for count, told in ((383, "383 bytes"), (385, "385 bytes"), (1, "1 byte"), (0, "0 bytes")):
        with pytest.raises(SerializationError, match=f"^{told} of ciphertexts where the shape needs 384$"):
            array_format(replace(fields, ciphertexts=bytes(count)), numbers)
    other = f"{1:032x}"
    with pytest.raises(
        KeyMismatchError, match=f"^the array belongs to another key: 00000000, not {numbers.fingerprint[:8]}$"
    ):
        header_format(replace(fields, fingerprint=other), numbers)


def test_h30_slots_of_another_capacity_are_not_written(public_key: PublicKey) -> None:
    format = format_for(public_key.n, FixedPoint(), True, False, 1)
    assert format.layout is not None
    for capacity in (CAPACITY - 1, CAPACITY + 1):
        other = replace(format, layout=SlotLayout(64, 7, capacity))
        told = "^the slots have another capacity than max_terms values of the encoding$"
        with pytest.raises(SerializationError, match=told):
            array_fields(PublicNumbers(public_key.n), (3,), other)


@pytest.mark.parametrize("bits", [129, 200, 500])
def test_h21_a_bound_that_was_rounded_up_beyond_a_limit_of_ones_is_the_limit(bits: int) -> None:
    """It has a bit more than the limit."""
    limit = (1 << bits) - 1
    assert _bound(Number.at_least(limit), limit) == limit
    assert _bound(Number(1, bits), limit) == limit
    assert _bound(Number(1, bits - 1), limit) == 1 << (bits - 1)
    for beyond in (Number(3, bits), Number(1, bits + 1), Number((1 << 127) + 1, bits - 127)):
        with pytest.raises(PlaintextOverflowError):
            _bound(beyond, limit)


def test_an_unpacked_format_says_so(public_key: PublicKey) -> None:
    format = Format(FixedPoint(112, 2**64), 112, 1, None, False)
    fields = array_fields(PublicNumbers(public_key.n), (2, 3), format)
    assert (fields.packed, fields.width, fields.slots, fields.divisor, fields.columns) == (False, 0, 0, 1, ())


def test_what_is_long_is_not_shown(public_key: PublicKey) -> None:
    fields = replace(fields_of(public_key, "floats"), ciphertexts=b"many bytes")
    sealed = SealedFields(17, 8, 1, bytes(16), bytes(12), b"many bytes")
    for shown in (repr(fields), repr(sealed)):
        assert "many bytes" not in shown
        assert "ciphertext" not in shown


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("key_length", (1 << 32) - 1),
        ("fraction_bits", (1 << 16) - 1),
        ("max_terms", (1 << 64) - 1),
        ("scale", (1 << 32) - 1),
        ("terms", (1 << 64) - 1),
        ("width", (1 << 32) - 1),
        ("slots", (1 << 32) - 1),
        ("divisor", (1 << 64) - 1),
    ],
)
def test_h35_what_does_not_fit_its_field_is_not_written(public_key: PublicKey, name: str, last: int) -> None:
    fields = fields_of(public_key, "floats")
    assert array_body(replace(fields, **{name: last}))[0] != array_body(fields)[0]
    with pytest.raises(SerializationError, match=r"^a number does not fit its field: "):
        array_body(replace(fields, **{name: last + 1}))


def test_h35_numbers_that_do_not_fit_are_not_written(public_key: PublicKey) -> None:
    fields = fields_of(public_key, "floats")
    for good in (Number(1, 32767), Number(1, -32768), Number((1 << 2040) - 1, 0)):
        array_body(replace(fields, max_abs=good))
    for bad in (Number(1, 32768), Number(1, -32769), Number((1 << 2041) - 1, 0)):
        with pytest.raises(SerializationError, match=r"^a number does not fit its field: "):
            array_body(replace(fields, bound=bad))
    with pytest.raises(SerializationError, match=r"^a number does not fit its field: "):
        array_body(replace(fields, shape=(1 << 64,)))


@pytest.mark.parametrize(
    ("read", "name", "most", "before"),
    [
        (integer_from_body, "n", 2048, b""),
        (primes_from_body, "p", 1024, b""),
        (primes_from_body, "q", 1024, b"\1\0\0\0\3"),
    ],
)
def test_h06_numbers_of_keys_have_a_length(
    read: Callable[[memoryview], Any], name: str, most: int, before: bytes
) -> None:
    for length, told in (
        (most + 1, f"{name} is longer than {most} bytes"),
        (most, f"truncated: {name} takes more bytes"),
    ):
        with pytest.raises(SerializationError, match=f"^{told}"):
            read(memoryview(before + struct.pack("<I", length) + b"\1" * (most - 1)))


@pytest.mark.parametrize("kind", ["floats", "unpacked floats"])
def test_a_stream_knows_how_many_ciphertexts_there_will_be(public_key: PublicKey, kind: str) -> None:
    array = public_key.encrypt([1.5] * 15, packed=kind == "floats")
    stream = ArrayStream(PublicNumbers(public_key.n), [array.to_bytes()])
    assert stream.n_ciphertexts == array.n_ciphertexts == (3 if kind == "floats" else 15)
    assert (stream.shape, stream.columns) == ((15,), ())
    for count, sizes in ((1, [128] * stream.n_ciphertexts), (2, None), (100, [128 * stream.n_ciphertexts])):
        read = [len(part) for part in ArrayStream(PublicNumbers(public_key.n), [array.to_bytes()]).ciphertexts(count)]
        assert sum(read) == array.nbytes_canonical
        assert read == sizes if sizes else max(read) == 256
