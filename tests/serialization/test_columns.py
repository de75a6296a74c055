"""Names of columns in stored arrays."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any

import numpy as np
import pytest

from vecphe import EncryptedArray, PrivateKey, PublicKey
from vecphe.cli.inspection import facts_of
from vecphe.errors import SerializationError
from vecphe.serialization import columns_of_frame, frame_from_json, frame_with_columns, json_from_frame

NAMES = ("age", "Größe, cm", "[{:")


@pytest.mark.parametrize("packed", [False, True])
def test_names_travel_with_the_array(keypair: tuple[PublicKey, PrivateKey], packed: bool) -> None:
    public_key, private_key = keypair
    values = np.arange(6.0).reshape(2, 3)
    plain = public_key.encrypt(values, packed=packed).to_bytes()
    named = frame_with_columns(plain, NAMES)
    assert (columns_of_frame(plain), columns_of_frame(named)) == ((), NAMES)
    assert frame_with_columns(plain, ()) is plain
    assert frame_from_json(json_from_frame(named)) == named
    assert "columns" not in json_from_frame(plain)
    assert facts_of(named)["columns"] == list(NAMES)
    assert "columns" not in facts_of(plain)
    array = EncryptedArray.from_bytes(public_key, named)
    assert private_key.decrypt(array).tolist() == values.tolist()
    assert columns_of_frame(array.to_bytes()) == ()


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((2, 3), NAMES[:2]), ((2, 3), (*NAMES, "more")), ((2, 3), ("a", "b", "a")), ((2, 3), ("a", "", "b")),
        ((2, 3), ("a", "b\x1b", "c")), ((2, 0), ("a",)), ((3, 1), ("",)),
        ((1, 1, 1), ("a", "b", "c")), ((2, 2), ("a", "a")), ((3, 2, 2), ("a", "b", "c", "d")),
        ((2, 3), ("a", "b\nd", "c")), ((3,), NAMES), ((), ("a",)), ((1, 1, 1), ("a",)),
    ],
    ids=repr,
)  # fmt: skip
def test_h36_names_that_are_none_of_the_array(
    public_key: PublicKey, shape: tuple[int, ...], names: tuple[str, ...]
) -> None:
    plain = public_key.encrypt(np.zeros(shape)).to_bytes()
    with pytest.raises(SerializationError, match="name"):
        frame_with_columns(plain, names)


def test_one_name_for_one_dimension(public_key: PublicKey) -> None:
    frame = frame_with_columns(public_key.encrypt([1, 2]).to_bytes(), ["a"])
    assert columns_of_frame(frame) == ("a",)
    assert EncryptedArray.from_bytes(public_key, frame).shape == (2,)


def resealed(frame: bytes) -> bytes:
    return frame[:-16] + hashlib.sha256(frame[:-16]).digest()[:16]


def test_h36_stored_names_are_checked(public_key: PublicKey) -> None:
    frame = frame_with_columns(public_key.encrypt([[1, 2]]).to_bytes(), ["ab", "cd"])
    at = frame.index(struct.pack("<I", 5) + b"ab\ncd")
    faults: dict[bytes, str] = {
        struct.pack("<I", 5) + b"ab\n\xffd": "UTF-8",
        struct.pack("<I", 5) + b"ab\nab": "no name twice",
        struct.pack("<I", 5) + b"ab c\n": "must be printable",
        struct.pack("<I", 5) + b"ab\n\x07d": "must be printable",
        struct.pack("<I", 5) + b"abxcd": "a name for each",
        struct.pack("<I", 1 << 31) + b"ab\ncd": "truncated",
        struct.pack("<I", 4) + b"ab\ncd": "bytes of ciphertexts",
    }
    for bad, told in faults.items():
        data = resealed(frame[:at] + bad + frame[at + len(bad) :])
        with pytest.raises(SerializationError, match=told):
            EncryptedArray.from_bytes(public_key, data)
        if told != "bytes of ciphertexts":  # which only a key tells
            with pytest.raises(SerializationError, match=told):
                columns_of_frame(data)
    content: dict[str, Any] = json.loads(json_from_frame(frame))
    for value in (1, "?", base64.urlsafe_b64encode(b"\xff\xff").decode(), "A"):
        with pytest.raises(SerializationError, match="columns"):
            frame_from_json(json.dumps({**content, "columns": value}))
