"""The parts of a binary frame, each at its edges and both ways."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from tests.serialization.test_fields import fields_of

from vecphe import PublicKey, SerializationError
from vecphe.serialization import frame_from_json, json_from_frame, public_number_from_frame
from vecphe.serialization.fields import ArrayFields, Number
from vecphe.serialization.frames import (
    Kind,
    SealedFields,
    _Reader,
    array_body,
    array_from_body,
    build_frame,
    integer_from_body,
    primes_body,
    primes_from_body,
    public_body,
)

NOT_MINIMAL = "it must have no leading zero byte and not be empty"


def told(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except SerializationError as error:
        return str(error)


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (struct.pack("<Bh", 0, 0), Number(0, 0)),
        (struct.pack("<Bh", 0, 1), "the mantissa of it must be odd"),
        (struct.pack("<Bh", 0, -1), "the mantissa of it must be odd"),
        (struct.pack("<Bh", 1, 0) + b"\x01", Number(1, 0)),
        (struct.pack("<Bh", 1, -32768) + b"\x03", Number(3, -32768)),
        (struct.pack("<Bh", 2, 32767) + b"\x01\x02", Number(513, 32767)),
        (struct.pack("<Bh", 1, 0) + b"\x02", "the mantissa of it must be odd"),
        (struct.pack("<Bh", 2, 0) + b"\x00\x01", "the mantissa of it must be odd"),
        (struct.pack("<Bh", 1, 0) + b"\x00", NOT_MINIMAL),
        (struct.pack("<Bh", 2, 0) + b"\x01\x00", NOT_MINIMAL),
        (struct.pack("<Bh", 2, 0) + b"\x01", "truncated: it takes more bytes than are left"),
        (b"\x00\x00", "truncated: it takes more bytes than are left"),
    ],
)
def test_h35_numbers_of_a_header(data: bytes, result: Any) -> None:
    assert told(lambda: _Reader(memoryview(data)).number("it")) == result


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (public_body(1), 1),
        (public_body(256), 256),
        (public_body(0x10203), 0x10203),
        (public_body(255) + b"\x01", "1 byte too many"),
        (public_body(255) + b"\x01\x02", "2 bytes too many"),
        (struct.pack("<I", 0), "n must have no leading zero byte and not be empty"),
        (struct.pack("<I", 2) + b"\x01\x00", "n must have no leading zero byte and not be empty"),
        (struct.pack("<I", 2) + b"\x01", "truncated: n takes more bytes than are left"),
        (b"", "truncated: the length of n takes more bytes than are left"),
    ],
)
def test_h35_the_body_of_a_public_key(data: bytes, result: Any) -> None:
    assert told(lambda: integer_from_body(memoryview(data))) == result
    frame = build_frame(Kind.PUBLIC_KEY, "0" * 32, data)
    other = "the fingerprint is not that of the key"
    assert told(lambda: public_number_from_frame(frame)) == (result if isinstance(result, str) else other)


@pytest.mark.parametrize(
    ("p", "q", "result"), [(3, 5, (3, 5)), (5, 3, None), (5, 5, None), (255, 256, (255, 256)), (1 << 80, 7, None)]
)
def test_h35_the_smaller_prime_comes_first(p: int, q: int, result: Any) -> None:
    wanted = result or "the smaller prime must come first"
    assert told(lambda: primes_from_body(memoryview(primes_body(p, q)))) == wanted


def test_h36_what_is_shorter_than_a_head(public_key: PublicKey) -> None:
    data = public_key.to_bytes()
    for length in range(8, 42):
        assert told(lambda length=length: public_number_from_frame(data[:length])) == "truncated: not even a whole head"
    for length in range(8):
        wanted = "not in vecphe's binary form: the magic bytes are missing"
        assert told(lambda length=length: public_number_from_frame(data[:length])) == wanted
    wanted = "the checksum is wrong: truncated or damaged"
    assert told(lambda: public_number_from_frame(data[:42])) == wanted


def test_bytes_of_any_kind_of_memory_are_read(public_key: PublicKey) -> None:
    data = public_key.to_bytes()
    spread = memoryview(bytes(byte for pair in zip(data, data, strict=True) for byte in pair))[::2]
    for same in (bytearray(data), memoryview(data), spread, memoryview(data + bytes(-len(data) % 4))[: len(data)]):
        assert public_number_from_frame(same) == public_key.n  # type: ignore[arg-type]
    wide = memoryview(build_frame(Kind.PUBLIC_KEY, "0" * 32, struct.pack("<I", 2))).cast("H")
    assert told(lambda: public_number_from_frame(wide)) == "truncated: n takes more bytes than are left"  # type: ignore[arg-type]


ROUND_TRIPS: list[tuple[str, dict[str, Any]]] = [
    ("floats", {}),
    ("integers", {}),
    ("unpacked floats", {}),
    ("unpacked integers", {}),
    ("floats", {"divisor": 2}),
    ("floats", {"divisor": 3}),
    ("floats", {"shape": (1,) * 32}),
    ("floats", {"shape": (), "columns": ("a", "b")}),
    ("floats", {"shape": (0, 7, 1 << 63), "divisor": (1 << 64) - 1, "columns": ("",)}),
    ("unpacked floats", {"width": 7, "slots": 9, "divisor": 5, "bound": Number(0, 0), "columns": ("ä", "[{:")}),
    ("integers", {"fraction_bits": 3, "max_terms": 0, "scale": 5, "terms": 0}),
]


@pytest.mark.parametrize(("kind", "changes"), ROUND_TRIPS, ids=repr)
def test_what_is_written_of_an_array_is_read(public_key: PublicKey, kind: str, changes: dict[str, Any]) -> None:
    """Whatever it means."""
    fields = replace(fields_of(public_key, kind), ciphertexts=bytes(range(1, 129)), **changes)
    body = b"".join(array_body(fields))
    assert array_from_body(fields.fingerprint, memoryview(body)) == fields
    for cut in range(len(body) - 128):
        assert told(lambda cut=cut: array_from_body("0" * 32, memoryview(body)[:cut])).startswith("truncated: ")
    if not fields.packed and fields.slots:
        return  # of what is not packed JSON has no room for them
    fields = replace(fields, ciphertexts=fields.ciphertexts * 2)
    frame = build_frame(Kind.ARRAY, fields.fingerprint, *array_body(fields))
    assert frame_from_json(json_from_frame(frame)) == frame


def test_h36_headers_that_no_array_has(public_key: PublicKey) -> None:
    fields = fields_of(public_key, "floats")
    body = b"".join(array_body(replace(fields, shape=(1,) * 32)))
    wrong = body[:5] + b"\x21" + body[6:]
    assert told(lambda: array_from_body("0" * 32, memoryview(wrong))) == "an array has at most 32 dimensions, not 33"
    for flags in (4, 16, 32, 128, 255):
        wrong = body[:4] + bytes([flags]) + body[5:]
        assert (
            told(lambda wrong=wrong: array_from_body("0" * 32, memoryview(wrong))) == f"flags {flags:#04x} are unknown"
        )
    divided = array_body(replace(fields, divisor=2))[0]
    for divisor in (0, 1):
        wrong = divided[:-8] + struct.pack("<Q", divisor)
        message = "a divisor that is written must be 2 or more"
        assert told(lambda wrong=wrong: array_from_body("0" * 32, memoryview(wrong))) == message
    assert array_from_body("0" * 32, memoryview(divided)).divisor == 2


def test_what_was_read_does_not_change(public_key: PublicKey) -> None:
    for plain, name in (
        (Number(1, 0), "mantissa"),
        (fields_of(public_key, "floats"), "shape"),
        (SealedFields(17, 8, 1, bytes(16), bytes(12), b""), "salt"),
    ):
        assert not hasattr(plain, "__dict__")
        with pytest.raises(FrozenInstanceError):
            setattr(plain, name, None)
    assert (ArrayFields.__dataclass_fields__["divisor"].default, fields_of(public_key, "floats").columns) == (1, ())


@pytest.mark.parametrize(
    ("value", "exact", "rounded"),
    [
        (0, Number(0, 0), Number(0, 0)),
        (1, Number(1, 0), Number(1, 0)),
        (3, Number(3, 0), Number(3, 0)),
        (12, Number(3, 2), Number(3, 2)),
        ((1 << 128) - 1, Number((1 << 128) - 1, 0), Number((1 << 128) - 1, 0)),
        ((1 << 129) - 2, Number((1 << 128) - 1, 1), Number((1 << 128) - 1, 1)),
        ((1 << 128) + 1, Number((1 << 128) + 1, 0), Number((1 << 127) + 1, 1)),
        ((1 << 129) - 1, Number((1 << 129) - 1, 0), Number(1, 129)),
        ((1 << 300) + 1, Number((1 << 300) + 1, 0), Number((1 << 127) + 1, 173)),
    ],
)
def test_bounds_have_128_bits(value: int, exact: Number, rounded: Number) -> None:
    assert (Number.of(value), Number.at_least(value)) == (exact, rounded)
    assert (exact.integer, exact.real("it")) == (value, value)
    assert type(exact.real("it")) is int


@pytest.mark.parametrize("value", [0.5, 0.1, 1.5, 2.0**-1074, 3 * 2.0**-1074, (2.0**53 - 1) / 2])
def test_fractions_are_exact(value: float) -> None:
    number = Number.of(value)
    assert number.mantissa % 2 == 1
    assert number.real("it") == value
    assert type(number.real("it")) is float
