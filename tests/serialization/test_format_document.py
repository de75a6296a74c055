"""The vectors of docs/format.md, read with nothing but the specification, and read and written by this library."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from vecphe import EncryptedArray, FixedPoint, PrivateKey, PublicKey
from vecphe.serialization import frame_from_json, json_from_frame
from vecphe.serialization import passphrase as sealing

TEXT = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
BINARY = {name: bytes.fromhex(block) for name, block in re.findall(r"```hex (\S+)\n(.*?)```", TEXT, re.DOTALL)}
JSON = dict(re.findall(r"```json (\S+)\n(.*?)```", TEXT, re.DOTALL))
P, Q = (int(digits) for digits in re.findall(r"\b[pq] = (\d{39})", TEXT))
N = P * Q
PASSPHRASE = "correct horse battery staple"
NAMES = ["public-key", "private-key", "encrypted-private-key", "unpacked-array", "packed-array", "empty-array"]


@pytest.fixture(scope="module")
def public_key() -> PublicKey:
    return PublicKey(N, insecure=True)


@pytest.fixture(scope="module")
def private_key(public_key: PublicKey) -> PrivateKey:
    return PrivateKey(public_key, P, Q)


def test_there_are_vectors() -> None:
    assert sorted(BINARY) == sorted(JSON) == sorted(NAMES)
    assert f"`{PASSPHRASE}`" in TEXT


# By the specification alone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_heads_and_checksums(name: str) -> None:
    data = BINARY[name]
    kind = {"public-key": 1, "private-key": 2, "encrypted-private-key": 3}.get(name, 4)
    fingerprint = hashlib.sha256(b"vecphe public key\0" + N.to_bytes(32, "big")).digest()[:16]
    assert data[:26] == bytes.fromhex("89 56 45 43 50 48 45 0a") + bytes([1, kind]) + fingerprint
    assert data[-16:] == hashlib.sha256(data[:-16]).digest()[:16]
    content = json.loads(JSON[name])
    assert content["fingerprint"] == fingerprint.hex()
    assert content["checksum"] == data[-16:].hex()


def test_keys() -> None:
    assert BINARY["public-key"][26:-16] == struct.pack("<I", 32) + N.to_bytes(32, "little")
    primes = b"".join(struct.pack("<I", 16) + prime.to_bytes(16, "little") for prime in (P, Q))
    assert BINARY["private-key"][26:-16] == primes
    sealed = BINARY["encrypted-private-key"]
    log2_n, r, p, salt, nonce = struct.unpack_from("<BBB16s12s", sealed, 26)
    key = Scrypt(salt=salt, length=32, n=2**log2_n, r=r, p=p).derive(PASSPHRASE.encode())
    assert AESGCM(key).decrypt(nonce, sealed[57:-16], sealed[:57]) == primes


def number(mantissa: int, exponent: int) -> bytes:
    return struct.pack("<BhB", 1, exponent, mantissa)


def ciphertexts(plaintexts: list[int], roots: list[int]) -> bytes:
    square = N * N
    values = [(1 + m * N) * pow(r, N, square) % square for m, r in zip(plaintexts, roots, strict=True)]
    return b"".join(value.to_bytes(64, "little") for value in values)


def test_arrays() -> None:
    header = "<IBBHQIQII"
    unpacked = struct.pack(header, 256, 0, 1, 8, 7, 8, 1, 0, 0) + struct.pack("<Q", 2)
    unpacked += number(1, 4) + number(1, 12) + ciphertexts([384, -512], [2, 3])
    assert BINARY["unpacked-array"][26:-16] == unpacked
    packed = struct.pack(header, 256, 3, 2, 0, 3, 0, 1, 10, 25) + struct.pack("<QQ", 3, 3)
    values = [1, -1, 100, -100, 0, 7, 8, 9, -10]
    packed += number(127, 0) + number(127, 0)
    packed += ciphertexts([sum(value * 2 ** (10 * i) for i, value in enumerate(values))], [5])
    assert BINARY["packed-array"][26:-16] == packed
    empty = struct.pack(header, 256, 0, 2, 8, 1, 8, 1, 0, 0) + struct.pack("<QQ", 0, 3)
    assert BINARY["empty-array"][26:-16] == empty + number(1, -1) + number(1, 7)


# By this library ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_both_forms_hold_the_same(name: str) -> None:
    assert frame_from_json(JSON[name]) == BINARY[name]
    assert json_from_frame(BINARY[name]) == JSON[name]


def test_keys_are_read_and_reproduced(
    public_key: PublicKey, private_key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PublicKey.from_bytes(BINARY["public-key"], insecure=True) == public_key
    assert public_key.to_bytes() == BINARY["public-key"]
    assert PrivateKey.from_bytes(BINARY["private-key"], insecure=True) == private_key
    assert private_key.to_bytes() == BINARY["private-key"]
    sealed = BINARY["encrypted-private-key"]
    assert PrivateKey.from_bytes(sealed, passphrase=PASSPHRASE, insecure=True) == private_key
    randomness = iter([sealed[29:45], sealed[45:57]])
    monkeypatch.setattr(sealing, "LOG2_N", 10)
    monkeypatch.setattr(sealing.secrets, "token_bytes", lambda _: next(randomness))
    assert private_key.to_bytes(passphrase=PASSPHRASE) == sealed


@pytest.mark.parametrize(
    ("name", "values", "encoding"),
    [
        ("unpacked-array", [1.5, -2.0], FixedPoint(8, 16, 7)),
        ("packed-array", [[1, -1, 100], [-100, 0, 7], [8, 9, -10]], FixedPoint(0, 127, 3)),
        ("empty-array", np.zeros((0, 3)), FixedPoint(8, 0.5, 1)),
    ],
)
def test_arrays_are_read_and_reproduced(
    public_key: PublicKey, private_key: PrivateKey, name: str, values: object, encoding: FixedPoint
) -> None:
    array = EncryptedArray.from_bytes(public_key, BINARY[name])
    assert array.encoding == encoding
    np.testing.assert_array_equal(private_key.decrypt(array), np.array(values), strict=True)
    assert array.to_bytes(rerandomize=False) == BINARY[name]
    assert array.to_json(rerandomize=False) == JSON[name]
