"""Bytes and text from peers who mean no good: typed errors, no secrets, no large allocation, no long wait."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.toys import composite_after

from vecphe import (
    EncryptedArray,
    FixedPoint,
    InvalidCiphertextError,
    InvalidKeyError,
    KeyMismatchError,
    LayoutMismatchError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
    SerializationError,
    VecpheError,
)
from vecphe.serialization import frame_from_json, json_from_frame
from vecphe.serialization import passphrase as sealing

Keypair = tuple[PublicKey, PrivateKey]
Load = Callable[[bytes], object]
HEAD, CHECKSUM = 26, 16
# The header of an array by the specification: offset and struct code of each field.
FIELDS = {
    "key_length": (26, "<I"),
    "flags": (30, "<B"),
    "ndim": (31, "<B"),
    "fraction_bits": (32, "<H"),
    "max_terms": (34, "<Q"),
    "scale": (42, "<I"),
    "terms": (46, "<Q"),
    "width": (54, "<I"),
    "slots": (58, "<I"),
    "length": (62, "<Q"),
}


def reseal(data: bytes, drop: int = CHECKSUM) -> bytes:
    """With the right checksum for what has become of the rest."""
    rest = data[: len(data) - drop]
    return rest + hashlib.sha256(rest).digest()[:CHECKSUM]


def with_field(data: bytes, name: str, value: int) -> bytes:
    offset, code = FIELDS[name]
    return reseal(data[:offset] + struct.pack(code, value) + data[offset + struct.calcsize(code) :])


@pytest.fixture(scope="module")
def frames(keypair: Keypair) -> dict[str, tuple[bytes, Load]]:
    public_key, private_key = keypair
    cost, sealing.LOG2_N = sealing.LOG2_N, 10
    sealed = private_key.to_bytes(passphrase="x")
    sealing.LOG2_N = cost
    return {
        "public": (public_key.to_bytes(), lambda data: PublicKey.from_bytes(data, insecure=True)),
        "private": (private_key.to_bytes(), lambda data: PrivateKey.from_bytes(data, insecure=True)),
        "sealed": (sealed, lambda data: PrivateKey.from_bytes(data, passphrase="x", insecure=True)),
        "array": (
            public_key.encrypt([1.5, -2.0]).to_bytes(),
            lambda data: EncryptedArray.from_bytes(public_key, data),
        ),
        "packed": (
            public_key.encrypt(np.arange(12).reshape(3, 4), packed=True).to_bytes(),
            lambda data: EncryptedArray.from_bytes(public_key, data),
        ),
    }


KINDS = ["public", "private", "sealed", "array", "packed"]
Frames = dict[str, tuple[bytes, Load]]


@contextmanager
def cheap(seconds: float = 1.0, size: int = 2_000_000) -> Iterator[None]:
    """No large allocation and no long wait inside."""
    tracemalloc.start()
    started = time.process_time()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
        assert time.process_time() - started < seconds
    finally:
        tracemalloc.stop()


# Binary ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_frames_load(frames: Frames, kind: str) -> None:
    data, load = frames[kind]
    load(data)
    assert reseal(data) == data


@pytest.mark.parametrize("kind", KINDS)
def test_h35_truncated_at_every_byte(frames: Frames, kind: str) -> None:
    data, load = frames[kind]
    for length in range(len(data)):
        with pytest.raises(SerializationError):
            load(data[:length])
    for length in range(HEAD, len(data) - CHECKSUM):
        # A whole checksum over a part of the frame; what is cut off the sealed key breaks its tag.
        with pytest.raises(SerializationError):
            load(reseal(data[:length], 0))


@pytest.mark.parametrize("kind", KINDS)
def test_h35_trailing_bytes(frames: Frames, kind: str) -> None:
    data, load = frames[kind]
    for more in (b"\0", b"\n", bytes(128), data):
        with pytest.raises(SerializationError):
            load(data + more)
        with pytest.raises(SerializationError):
            load(reseal(data[:-CHECKSUM] + more, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_h35_one_byte_flipped(frames: Frames, kind: str) -> None:
    data, load = frames[kind]
    for position in range(min(len(data), 110)):
        for bit in (0x01, 0x80, 0xFF):
            with pytest.raises(SerializationError):
                load(data[:position] + bytes([data[position] ^ bit]) + data[position + 1 :])


@pytest.mark.parametrize("length", [0, 1, 3, 1 << 31, (1 << 60) - 1, 1 << 60, 1 << 63, (1 << 64) - 1])
def test_h35_length_fields_of_arrays(frames: Frames, length: int) -> None:
    for kind in ("array", "packed"):
        data, load = frames[kind]
        with cheap(), pytest.raises(SerializationError, match="shape"):
            # Rows of 4 values, 7 slots: 3 rows take as many ciphertexts as 2, and 4 take one more.
            load(with_field(data, "length", length + 1 if (kind, length) == ("packed", 3) else length))


@pytest.mark.parametrize("ndim", [0, 2, 32, 33, 255])
def test_h35_numbers_of_dimensions(frames: Frames, ndim: int) -> None:
    data, load = frames["array"]
    with cheap(), pytest.raises(SerializationError):
        load(with_field(data, "ndim", ndim))


def test_h35_shapes_whose_product_wraps_around(frames: Frames) -> None:
    data, load = frames["packed"]
    wrapping = data[:62] + struct.pack("<QQ", (1 << 62) + 3, 4) + data[78:]
    with cheap(), pytest.raises(SerializationError, match="too large"):
        load(reseal(wrapping))
    with cheap(), pytest.raises(SerializationError, match="too large"):
        load(reseal(data[:62] + struct.pack("<QQ", 1 << 63, 0) + data[78:]))


@pytest.mark.parametrize("kind", ["unpacked", "packed"])
def test_h35_empty_arrays_of_great_length(keypair: Keypair, kind: str) -> None:
    public_key, private_key = keypair
    data = public_key.encrypt(np.zeros((3, 0)), packed=kind == "packed").to_bytes()
    for length in ((1 << 16) + 1, 1 << 33, 1 << 40, 1 << 59):
        with cheap(), pytest.raises(SerializationError, match="empty array"):
            EncryptedArray.from_bytes(public_key, reseal(data[:62] + struct.pack("<QQ", length, 0) + data[78:]))
        with cheap(), pytest.raises(LayoutMismatchError, match="empty array"):
            public_key.from_ciphertexts([], shape=(length, 0), packed=kind == "packed")
    longest = EncryptedArray.from_bytes(public_key, reseal(data[:62] + struct.pack("<QQ", 1 << 16, 0) + data[78:]))
    assert private_key.decrypt(longest).shape == (1 << 16, 0)


@pytest.mark.parametrize("length", [0, 63, 65, 2048, 2049, 1 << 31, (1 << 32) - 1])
def test_h35_length_fields_of_keys(frames: Frames, length: int) -> None:
    for kind in ("public", "private"):
        data, load = frames[kind]
        with cheap(), pytest.raises(SerializationError):
            load(reseal(data[:HEAD] + struct.pack("<I", length) + data[HEAD + 4 :]))


def test_h36_magic_version_kind_and_flags_are_named(frames: Frames) -> None:
    data, load = frames["array"]
    for magic in (b"\x89VECPHE\r", b"\x89PNG\r\n\x1a\n", b'{"format"', bytes(8)):
        with pytest.raises(SerializationError, match="magic"):
            load(reseal(magic + data[8:]))
    for version in (0, 2, 255):
        with pytest.raises(SerializationError, match=f"version {version} "):
            load(reseal(data[:8] + bytes([version]) + data[9:]))
    for kind in (0, 5, 255):
        with pytest.raises(SerializationError, match=f"kind {kind} "):
            load(reseal(data[:9] + bytes([kind]) + data[10:]))
    for flags in (4, 128, 255):
        with pytest.raises(SerializationError, match="flags"):
            load(with_field(data, "flags", flags))


def test_h13_no_kind_passes_for_another(frames: Frames, keypair: Keypair) -> None:
    names = {"public": "a public key", "private": "a private key", "sealed": "a private key"}
    names |= {"array": "an encrypted array", "packed": "an encrypted array"}
    for kind, (_, load) in frames.items():
        for other, (data, _) in frames.items():
            if names[kind] != names[other]:
                with pytest.raises(SerializationError, match=f"{names[other]} where {names[kind]} belongs"):
                    load(data)
    public_key, private_key = keypair
    with pytest.raises(SerializationError, match="load it with PrivateKey"):
        PublicKey.from_json(private_key.to_json(), insecure=True)
    with pytest.raises(SerializationError, match="load it with PublicKey"):
        PrivateKey.from_json(public_key.to_json(), insecure=True)
    with pytest.raises(SerializationError, match="load it with PublicKey"):
        EncryptedArray.from_json(public_key, public_key.to_json())


# Fields of arrays --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("width", [0, 1, 513, 4097, (1 << 32) - 1], "slot"),
        ("slots", [0, 1 << 31, (1 << 32) - 1], "slot"),
        ("fraction_bits", [1, 2, 16388], "fraction_bits"),
        ("max_terms", [0, 1 << 63], "max_terms"),
        ("scale", [4, 1, (1 << 20) + 4], "scale"),
        ("key_length", [511, 513, 0, (1 << 32) - 1], "key_length"),
    ],
)
def test_h30_fields_of_packed_arrays(frames: Frames, name: str, values: list[int], text: str) -> None:
    data, load = frames["packed"]
    for value in values:
        with cheap(), pytest.raises(SerializationError, match=text):
            load(with_field(data, name, value))


def test_h30_slots_that_do_not_fit_the_key_or_the_encoding(frames: Frames) -> None:
    data, load = frames["packed"]
    for field, value in (("slots", 8), ("width", 74), ("width", 63)):  # 7 slots of 64 bits in 512
        with pytest.raises(SerializationError, match="not a slot layout"):
            load(with_field(data, field, value))


def test_h30_layouts_of_unpacked_arrays(frames: Frames) -> None:
    data, load = frames["array"]
    for field in ("width", "slots"):
        with pytest.raises(SerializationError, match="must be 0"):
            load(with_field(data, field, 64))
    for scale in (1, (1 << 20) + 4, (1 << 32) - 4):
        with pytest.raises(SerializationError, match="scale"):
            load(with_field(data, "scale", scale))


def test_h30_layouts_in_json(keypair: Keypair) -> None:
    public_key, _ = keypair
    content = json.loads(public_key.encrypt([1.0], packed=True).to_json())
    for layout in (
        {"width": 1 << 64, "slots": 7},
        {"width": 64, "slots": 1 << 64},
        {"width": -64, "slots": 7},
        {"width": 64.0, "slots": 7},
        {"width": True, "slots": 7},
        {"width": "64", "slots": 7},
        {"width": 64},
        {"width": 64, "slots": 7, "capacity": 5},
        [64, 7],
        False,
    ):
        with pytest.raises(SerializationError):
            EncryptedArray.from_json(public_key, json.dumps({**content, "layout": layout}))


def number(mantissa: bytes, exponent: int) -> bytes:
    return struct.pack("<Bh", len(mantissa), exponent) + mantissa


def with_numbers(data: bytes, max_abs: bytes | None, bound: bytes | None) -> bytes:
    """A one-dimensional array with other numbers after its shape."""
    start = 70
    middle = start + 3 + data[start]
    end = middle + 3 + data[middle]
    parts = data[:start], max_abs or data[start:middle], bound or data[middle:end], data[end:]
    return reseal(b"".join(parts))


@pytest.mark.parametrize(
    "max_abs",
    [
        number(b"", 0),
        number(b"", 5),
        number(b"\x02", 3),
        number(b"\x01\x00", 3),
        number(b"\x01", 14000),
        number(b"\x01", 32767),
        number(b"\x01", -1075),
        number(b"\x01", -1074),
        number(b"\x01", -32768),
        number(b"\x01" + bytes(6) + b"\x01", -3),
        number(b"\xff" * 255, -300),
        number(b"\xff" * 255, 32767),
        number(b"\x01" * 17, 0),
    ],
    ids=repr,
)
def test_h30_numbers_that_are_no_max_abs(frames: Frames, max_abs: bytes) -> None:
    data, load = frames["array"]
    with cheap(), pytest.raises(SerializationError):
        load(with_numbers(data, max_abs, None))


@pytest.mark.parametrize(
    "bound", [number(b"", 1), number(b"\x04", 0), number(b"\x01", -1), number(b"\x01" * 17, 0), number(b"\x01\x00", 0)]
)
def test_h30_numbers_that_are_no_bound(frames: Frames, bound: bytes) -> None:
    data, load = frames["array"]
    with pytest.raises(SerializationError):
        load(with_numbers(data, None, bound))


def test_h21_bounds_and_terms_beyond_the_range(frames: Frames, keypair: Keypair) -> None:
    public_key, _ = keypair
    data, load = frames["array"]
    limit = public_key.n // 3 - 1
    shift = limit.bit_length() - 128
    least = (limit >> shift) + 1  # in units of 2^shift: the limit rounded up
    for mantissa, exponent in ((least + 1, shift), (1, limit.bit_length()), (1, 32767)):
        while mantissa % 2 == 0:
            mantissa, exponent = mantissa // 2, exponent + 1
        bound = number(mantissa.to_bytes((mantissa.bit_length() + 7) // 8, "little"), exponent)
        with cheap(), pytest.raises(PlaintextOverflowError):
            load(with_numbers(data, None, bound))
    packed, load = frames["packed"]
    with pytest.raises(PlaintextOverflowError, match="max_terms"):
        load(with_field(packed, "terms", 256))
    single = public_key.encrypt([1.0], packed=True).to_bytes()
    with pytest.raises(PlaintextOverflowError):
        load(with_numbers(single, None, number(b"\x01", 63)))


# Ciphertexts -------------------------------------------------------------------------------------------------------


def bad_ciphertexts(keypair: Keypair) -> dict[str, int]:
    n, p, q = keypair[0].n, keypair[1].p, keypair[1].q
    valid = keypair[0].encrypt([1.0]).ciphertexts()[0]
    return {
        "0": 0,
        "n": n,
        "k*n": 12345 * n,
        "p": p,
        "q*r": q * (n + 2),
        "n^2 - n": n * n - n,
        "n^2": n * n,
        "n^2 + 1": n * n + 1,
        "n^2 + valid": n * n + valid if n * n + valid < 1 << 1024 else n * n + 7,
        "all ones": (1 << 1024) - 1,
    }


def test_h31_h32_bad_ciphertexts_look_all_the_same(keypair: Keypair) -> None:
    public_key, _ = keypair
    c = public_key.encrypt(np.ones(9))
    data = c.to_bytes()
    texts = set()
    for value in bad_ciphertexts(keypair).values():
        for position in (0, 8):
            end = len(data) - CHECKSUM - 128 * (8 - position)
            bad = reseal(data[: end - 128] + value.to_bytes(128, "little") + data[end:])
            content = json.loads(c.to_json())
            content["ciphertexts"][position] = base64url(value)
            content["checksum"] = bad[-CHECKSUM:].hex()
            for load in (
                lambda bad=bad: EncryptedArray.from_bytes(public_key, bad),
                lambda content=content: EncryptedArray.from_json(public_key, json.dumps(content)),
            ):
                with pytest.raises(InvalidCiphertextError) as caught:
                    load()
                texts.add((type(caught.value), str(caught.value)))
    assert texts == {(InvalidCiphertextError, "not a valid ciphertext for this key")}


def base64url(value: int) -> str:
    data = value.to_bytes(max((value.bit_length() + 7) // 8, 1), "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "value", [1.5, "1", None, True, 5, -1, [], {}, "", "AAE", "AA==", "A", "+/+/", "é", "AR", "A" * 10**6]
)
def test_h33_ciphertexts_of_another_type(keypair: Keypair, value: Any) -> None:
    content = json.loads(keypair[0].encrypt([1.0]).to_json())
    content["ciphertexts"] = [value]
    with pytest.raises((InvalidCiphertextError, SerializationError)):
        EncryptedArray.from_json(keypair[0], json.dumps(content))


def test_one_gcd_serves_a_batch(keypair: Keypair, monkeypatch: pytest.MonkeyPatch) -> None:
    data = keypair[0].encrypt(np.ones(100)).to_bytes()
    module = sys.modules[type(keypair[0]._context.ring).__module__]
    gcd, calls = module.gcd, []
    monkeypatch.setattr(module, "gcd", lambda a, b: calls.append(1) or gcd(a, b))
    EncryptedArray.from_bytes(keypair[0], data)
    assert 1 <= len(calls) <= 8  # a product for each lane


# Keys --------------------------------------------------------------------------------------------------------------


def key_frame(kind: int, n: int, *numbers: int) -> bytes:
    fingerprint = hashlib.sha256(b"vecphe public key\0" + n.to_bytes((n.bit_length() + 7) // 8, "big")).digest()[:16]
    data = b"\x89VECPHE\n" + bytes([1, kind]) + fingerprint
    for value in numbers:
        length = (value.bit_length() + 7) // 8
        data += struct.pack("<I", length) + value.to_bytes(length, "little")
    return reseal(data, 0)


def test_h06_a_long_n_is_refused_before_any_arithmetic() -> None:
    n = (1 << 10**6) - 1
    data = key_frame(1, n, n)
    with cheap(0.2), pytest.raises(SerializationError, match="longer than 2048"):
        PublicKey.from_bytes(data, insecure=True)
    text = json.dumps({**head("public key"), "n": "A" * 10**6})
    with cheap(0.2, 5_000_000), pytest.raises(SerializationError, match="longer than 2048"):
        PublicKey.from_json(text, insecure=True)


def test_bad_public_numbers_stay_invalid_keys() -> None:
    for n in (1, 3 << 600, (1 << 521) - 1, 3 * ((1 << 521) - 1), (2**127 - 1) ** 4):
        with pytest.raises(InvalidKeyError):
            PublicKey.from_bytes(key_frame(1, n, n), insecure=True)


def test_the_fingerprint_must_be_that_of_the_key(keypair: Keypair) -> None:
    n, p, q = keypair[0].n, keypair[1].p, keypair[1].q
    for data, load in (
        (key_frame(1, n + 2, n), PublicKey.from_bytes),
        (key_frame(2, n + 2, p, q), PrivateKey.from_bytes),
        (key_frame(2, n, p, q + 2), PrivateKey.from_bytes),
    ):
        with pytest.raises(SerializationError, match="fingerprint"):
            load(data, insecure=True)


def test_h07_h08_bad_private_numbers(keypair: Keypair) -> None:
    n, p, q = keypair[0].n, keypair[1].p, keypair[1].q
    with pytest.raises(SerializationError, match="smaller prime"):
        PrivateKey.from_bytes(key_frame(2, n, q, p), insecure=True)
    for a, b in ((1, n), (p, p + 2), (p, composite_after(q))):
        with pytest.raises(VecpheError):
            PrivateKey.from_bytes(key_frame(2, a * b, a, b), insecure=True)


def json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def test_h14_no_message_holds_a_secret(frames: Frames, keypair: Keypair) -> None:
    """Whatever is wrong with a private key, neither the error nor what it was raised from shows it."""
    _, private_key = keypair
    data, load = frames["private"]
    text = private_key.to_json()
    secrets = [str(private_key.p), str(private_key.q), f"{private_key.p:x}", f"{private_key.q:x}"]
    secrets += [base64url(private_key.p)[4:40], base64url(private_key.q)[4:40]]
    # Where lengths are wrong, digits of a prime stand where a length should.
    for prime in (private_key.p, private_key.q):
        digits = prime.to_bytes(32, "little")
        secrets += [str(int.from_bytes(digits[i : i + 4], "little")) for i in range(29)]
    shown = []
    for position in range(HEAD, len(data) - CHECKSUM):
        with pytest.raises(VecpheError) as caught:
            load(reseal(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]))
        shown.append(caught.value)
    for length in range(29):  # then digits of p are the length of q
        with pytest.raises(VecpheError) as caught:
            load(reseal(data[:HEAD] + struct.pack("<I", length) + data[HEAD + 4 :]))
        shown.append(caught.value)
    for position in range(len(text)):
        for broken in (
            text[:position],
            text[:position] + "!" + text[position + 1 :],
            text[:position] + text[position:][1:],
        ):
            if json_or_none(broken) == json.loads(text):  # white space was cut
                assert PrivateKey.from_json(broken, insecure=True) == private_key
                continue
            with pytest.raises(VecpheError) as caught:
                PrivateKey.from_json(broken, insecure=True)
            shown.append(caught.value)
    assert len(shown) > 500
    for error in shown:
        link: BaseException | None = error
        while link is not None:
            told = f"{link} {link!r} {vars(link)}"
            assert not any(secret in told for secret in secrets)
            link = link.__cause__ or link.__context__


# Passphrases -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log2_n", "r", "p"), [(9, 8, 1), (21, 8, 1), (63, 8, 1), (255, 255, 255), (17, 0, 1), (17, 255, 1), (17, 8, 255)]
)
def test_h35_a_file_cannot_ask_for_any_cost(frames: Frames, log2_n: int, r: int, p: int) -> None:
    data, load = frames["sealed"]
    with cheap(), pytest.raises(SerializationError, match="not accepted"):
        load(reseal(data[:HEAD] + bytes([log2_n, r, p]) + data[HEAD + 3 :]))


def test_everything_under_a_passphrase_is_authenticated(frames: Frames, other_keypair: Keypair) -> None:
    data, load = frames["sealed"]
    texts = set()
    for position in [10, 25, *range(HEAD + 3, len(data) - CHECKSUM)]:
        with pytest.raises(SerializationError) as caught:
            load(reseal(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]))
        texts.add(str(caught.value))
    with pytest.raises(SerializationError) as caught:
        load(reseal(data[:HEAD] + b"\x0b" + data[HEAD + 1 :]))
    texts.add(str(caught.value))
    assert texts == {"wrong passphrase, or the file was altered"}


# JSON --------------------------------------------------------------------------------------------------------------


def head(kind: str) -> dict[str, Any]:
    return {"format": "vecphe", "version": 1, "kind": kind, "fingerprint": "00" * 16, "checksum": "00" * 16}


PUBLIC = json.dumps(head("public key")).removesuffix("}") + ', "n": %s}'
HOSTILE_JSON = {
    "million digits": PUBLIC % ("7" * 10**6),
    "million digits as version": PUBLIC.replace('"version": 1', '"version": ' + "1" * 10**6) % '"AQ"',
    "million digits in a string": PUBLIC % ('"' + "7" * 10**6 + '"'),
    "underscores": PUBLIC % "1_000",
    "underscores in a version": PUBLIC.replace('"version": 1', '"version": 1_0') % '"AQ"',
    "plus": PUBLIC % "+5",
    "hex": PUBLIC % "0x10",
    "hex in a string": PUBLIC % '"0x10!"',
    "NaN": PUBLIC % "NaN",
    "Infinity": PUBLIC % "-Infinity",
    "fraction": PUBLIC % "1.0",
    "exponent": PUBLIC.replace('"version": 1', '"version": 1e0') % '"AQ"',
    "minus zero": PUBLIC % "-0",
    "true as version": PUBLIC.replace('"version": 1', '"version": true') % '"AQ"',
    "leading zero": PUBLIC.replace('"version": 1', '"version": 01') % '"AQ"',
    "duplicate": PUBLIC % '"AQ", "n": "AQ"',
    "duplicate inside": PUBLIC % '{"a": 1, "a": 1}',
    "unknown field": PUBLIC % '"AQ", "m": 1',
    "long unknown field": PUBLIC % ('"AQ", "' + "m" * 10**6 + '": 1'),
    "missing field": '{"format": "vecphe", "version": 1, "kind": "public key"}',
    "deep list": "[" * 10**6,
    "deep object": '{"a":' * 10**5,
    "deep value": PUBLIC % ("[" * 10**5 + "]" * 10**5),
    "padding": PUBLIC % '"AQ=="',
    "unused bits": PUBLIC % '"AR"',
    "leading zero byte": PUBLIC % '"AAE"',
    "empty number": PUBLIC % '""',
    "standard alphabet": PUBLIC % '"+/+/"',
    "space": PUBLIC % '"A Q"',
    "newline": PUBLIC % '"AQ\\n"',
    "trailing": PUBLIC % '"AQ"' + "x",
    "two values": PUBLIC % '"AQ"' + "{}",
    "mark": "\ufeff" + PUBLIC % '"AQ"',
    "upper-case fingerprint": (PUBLIC % '"AQ"').replace('"fingerprint": "00', '"fingerprint": "AA'),
    "wrong checksum": PUBLIC % '"AQ"',
    "other format": (PUBLIC % '"AQ"').replace("vecphe", "phe"),
    "version 2": (PUBLIC % '"AQ"').replace('"version": 1', '"version": 2'),
    "no kind": (PUBLIC % '"AQ"').replace("public key", "key"),
    "list as kind": (PUBLIC % '"AQ"').replace('"public key"', "[]"),
    "empty": "",
    "null": "null",
    "number": "5",
    "list": "[]",
    "surrogate": PUBLIC % '"\\ud800"',
    "nul": PUBLIC % '"\x00"',
}


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_h37_json(public_key: PublicKey, name: str) -> None:
    for load in (
        lambda text: PublicKey.from_json(text, insecure=True),
        lambda text: PrivateKey.from_json(text, insecure=True),
        lambda text: EncryptedArray.from_json(public_key, text),
    ):
        with cheap(1.0, 30_000_000), pytest.raises(SerializationError) as caught:
            load(HOSTILE_JSON[name])
        assert len(str(caught.value)) < 200


def test_h37_a_value_has_one_spelling_in_json(public_key: PublicKey) -> None:
    """Each text differs from a valid one in nothing but its spelling, so no other check refuses it."""
    text = public_key.to_json()
    n = json.loads(text)["n"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    leading = base64.urlsafe_b64encode(b"\0" + public_key.n.to_bytes(64, "big")).rstrip(b"=").decode()
    assert PublicKey.from_json(text.replace("\n", "\r\n"), insecure=True) == public_key
    for old, new, message in (
        (f'"{n}"', f'"{n[:-1]}{alphabet[alphabet.index(n[-1]) + 1]}"', "unused bits"),
        (f'"{n}"', f'"{n}=="', "without padding"),
        (f'"{n}"', f'"{leading}"', "leading zero byte"),
        (f'"{n}"', f'"{n}", "n": "{n}"', "stands twice"),
        (f'"{n}"', f'"{n}", "m": 0', "unknown field 'm'"),
        ('"version": 1', '"version": 1, "version": 1', "stands twice"),
        ('"version": 1', '"version": true', "version"),
        ('"version": 1', '"version": ' + "1" * 21, "too long"),
        ('"version": 1', '"version": 1.0', "do not occur"),
        ('"version": 1', '"version": 1e0', "do not occur"),
    ):
        assert old in text
        with pytest.raises(SerializationError, match=message):
            PublicKey.from_json(text.replace(old, new), insecure=True)
    array = public_key.encrypt([1], encoding=FixedPoint(0, 1, 1)).to_json()
    assert '"exponent": 0' in array
    with pytest.raises(SerializationError, match="too long"):
        EncryptedArray.from_json(public_key, array.replace('"exponent": 0', '"exponent": -0'))


def test_h36_unknown_and_missing_fields_are_named(public_key: PublicKey) -> None:
    content = json.loads(public_key.encrypt([1.0]).to_json())
    with pytest.raises(SerializationError, match="unknown field 'colour'"):
        EncryptedArray.from_json(public_key, json.dumps({**content, "colour": 1}))
    for name in content:
        with pytest.raises(SerializationError):
            EncryptedArray.from_json(public_key, json.dumps({key: content[key] for key in content if key != name}))


def test_h35_an_edited_field_shows(public_key: PublicKey) -> None:
    content = json.loads(public_key.encrypt([1.0]).to_json())
    for name, value in (("terms", 2), ("scale", 116), ("integer", True), ("shape", [1, 1])):
        with pytest.raises(SerializationError, match="checksum"):
            EncryptedArray.from_json(public_key, json.dumps({**content, name: value}))


def test_files_in_neither_form(public_key: PublicKey, tmp_path: Any) -> None:
    path = tmp_path / "file"
    for content in (
        b"",
        b"\0" * 100,
        b"\xef\xbb\xbf{}",
        b"x,y\r\n1,2\r\n",
        public_key.to_bytes()[1:],
        b'{"a": "\xff"}',
    ):
        path.write_bytes(content)
        with pytest.raises(SerializationError):
            PublicKey.load(path)
        with pytest.raises(SerializationError):
            EncryptedArray.load(public_key, path)
    path.write_bytes(b"{" + b" " * 10**6)
    with pytest.raises(OSError, match="longer than"):
        PublicKey.load(path)


# Fuzzing -----------------------------------------------------------------------------------------------------------


def attempt(load: Load, data: Any) -> None:
    """Only our own errors may come out; whatever loads is used."""
    try:
        loaded = load(data)
    except VecpheError:
        return
    if isinstance(loaded, EncryptedArray):
        repr(loaded)
        assert loaded.bound <= loaded.format.limit(loaded.public_key.n)
        assert EncryptedArray.from_bytes(loaded.public_key, loaded.to_bytes()).format == loaded.format


EDITS = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from(["set", "insert", "delete"]), st.binary(min_size=1, max_size=9)),
    min_size=1,
    max_size=4,
)


def edited(data: bytes, edits: list[tuple[int, str, bytes]]) -> bytes:
    for position, action, new in edits:
        position %= len(data) + 1
        length = 0 if action == "insert" else len(new)
        data = data[:position] + (b"" if action == "delete" else new) + data[position + length :]
    return data


@pytest.mark.fuzz
@given(kind=st.sampled_from(KINDS), edits=EDITS, sealed=st.booleans())
def test_fuzz_binary(frames: Frames, kind: str, edits: list[tuple[int, str, bytes]], sealed: bool) -> None:
    data, load = frames[kind]
    changed = edited(data[HEAD:], edits)
    attempt(load, reseal(data[:HEAD] + changed) if sealed else edited(data, edits))


@pytest.mark.fuzz
@given(body=st.binary(max_size=300), kind=st.sampled_from(KINDS))
def test_fuzz_random_bodies(frames: Frames, body: bytes, kind: str) -> None:
    data, load = frames[kind]
    attempt(load, body)
    attempt(load, reseal(data[:HEAD] + body, 0))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["AQ", "AA", "_w"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcn"), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.fuzz
@given(data=st.data(), value=JSON_VALUES)
def test_fuzz_json_fields(keypair: Keypair, data: st.DataObject, value: Any) -> None:
    public_key, private_key = keypair
    array = EncryptedArray.from_bytes(public_key, public_key.encrypt([1.0], packed=True).to_bytes())
    loads: list[tuple[str, Load]] = [
        (public_key.to_json(), lambda text: PublicKey.from_json(text, insecure=True)),  # type: ignore[arg-type]
        (private_key.to_json(), lambda text: PrivateKey.from_json(text, insecure=True)),  # type: ignore[arg-type]
        (array.to_json(), lambda text: EncryptedArray.from_json(public_key, text)),  # type: ignore[arg-type]
    ]
    text, load = data.draw(st.sampled_from(loads))
    content = json.loads(text)
    place = content
    name = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[name], dict) and data.draw(st.booleans()):
        place = place[name]
        name = data.draw(st.sampled_from(sorted(place)))
    place[name] = value
    attempt(load, json.dumps(content))


@pytest.mark.fuzz
@given(position=st.integers(0, 5000), new=st.text(max_size=5), length=st.integers(0, 5))
def test_fuzz_json_text(frames: Frames, keypair: Keypair, position: int, new: str, length: int) -> None:
    public_key, _ = keypair
    text = ARRAY_TEXT.setdefault(public_key.n, public_key.encrypt([1.0, 2.0]).to_json())
    position %= len(text)
    changed = text[:position] + new + text[position + length :]
    attempt(lambda text: EncryptedArray.from_json(public_key, text), changed)  # type: ignore[arg-type]


ARRAY_TEXT: dict[int, str] = {}


@pytest.mark.fuzz
@given(
    values=st.lists(st.floats(-8, 8), max_size=5),
    fraction_bits=st.integers(0, 10).map(lambda k: 4 * k),
    max_abs=st.floats(8, 1e6) | st.integers(8, 10**30),
    max_terms=st.integers(1, 9),
    factor=st.integers(-3, 3),
    packed=st.booleans(),
)
def test_fuzz_round_trips(
    keypair: Keypair,
    values: list[float],
    fraction_bits: int,
    max_abs: float,
    max_terms: int,
    factor: int,
    packed: bool,
) -> None:
    public_key, private_key = keypair
    encoding = FixedPoint(fraction_bits, max_abs, max_terms)
    array = public_key.encrypt(np.array(values, dtype=float), packed=packed, encoding=encoding)
    if not packed or abs(factor) <= max_terms:
        array = array * factor
    for again in (
        EncryptedArray.from_bytes(public_key, array.to_bytes()),
        EncryptedArray.from_json(public_key, array.to_json()),
    ):
        assert again.encoding == array.encoding
        assert again.layout == array.layout
        assert array.bound <= again.bound
        np.testing.assert_array_equal(private_key.decrypt(again), private_key.decrypt(array))


def test_the_key_is_compared_before_anything_else(frames: Frames, other_keypair: Keypair) -> None:
    data, _ = frames["array"]
    with pytest.raises(KeyMismatchError):
        EncryptedArray.from_bytes(other_keypair[0], with_field(data, "terms", 0))


@pytest.mark.parametrize("costs", [(0, 0, 0), (255, 255, 255)])
def test_both_forms_hold_every_cost(frames: Frames, costs: tuple[int, int, int]) -> None:
    """Whether it is one to compute with is decided where it is opened."""
    data = frames["sealed"][0]
    frame = reseal(data[:HEAD] + bytes(costs) + data[HEAD + 3 :])
    assert frame_from_json(json_from_frame(frame)) == frame
