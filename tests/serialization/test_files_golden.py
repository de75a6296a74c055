"""Files that vecphe 0.1.0 wrote load, and hold the values that they held then."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecphe

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "files_golden.json").read_text(encoding="utf-8"))
N = int(GOLDEN["n"], 16)


def _binary(entry: dict[str, Any]) -> bytes:
    return base64.b64decode(entry["binary"])


@pytest.fixture(scope="module")
def private_key() -> vecphe.PrivateKey:
    return vecphe.PrivateKey.from_bytes(_binary(GOLDEN["private"]))


@pytest.mark.parametrize("form", ["binary", "json"])
def test_public_keys_load(form: str) -> None:
    entry = GOLDEN["public"]
    key = vecphe.PublicKey.from_json(entry["json"]) if form == "json" else vecphe.PublicKey.from_bytes(_binary(entry))
    assert key.n == N
    assert (key.to_json() if form == "json" else key.to_bytes()) == (
        entry["json"] if form == "json" else _binary(entry)
    )


@pytest.mark.parametrize("form", ["binary", "json", "jwk"])
def test_private_keys_load(form: str) -> None:
    entry = GOLDEN["private"]
    if form == "jwk":
        key = vecphe.PrivateKey.from_jwk(entry["jwk"])
        written: object = key.to_jwk()
    elif form == "json":
        key = vecphe.PrivateKey.from_json(entry["json"])
        written = key.to_json()
    else:
        key = vecphe.PrivateKey.from_bytes(_binary(entry))
        written = base64.b64encode(key.to_bytes()).decode()
    assert key.p * key.q == N
    assert written == entry[form]


@pytest.mark.parametrize("form", ["binary", "json"])
def test_sealed_keys_load(form: str) -> None:
    entry, passphrase = GOLDEN["sealed"], GOLDEN["passphrase"]
    if form == "json":
        key = vecphe.PrivateKey.from_json(entry["json"], passphrase=passphrase)
    else:
        key = vecphe.PrivateKey.from_bytes(_binary(entry), passphrase=passphrase)
    assert key.p * key.q == N


@pytest.mark.parametrize("form", ["binary", "json"])
@pytest.mark.parametrize("entry", GOLDEN["arrays"], ids=lambda entry: entry["name"])
def test_arrays_load_and_decrypt(private_key: vecphe.PrivateKey, entry: dict[str, Any], form: str) -> None:
    public_key = private_key.public_key
    if form == "json":
        array = vecphe.EncryptedArray.from_json(public_key, entry["json"])
    else:
        array = vecphe.EncryptedArray.from_bytes(public_key, _binary(entry))
    assert array.terms == entry["terms"]
    decrypted = private_key.decrypt(array)
    wanted = np.array(entry["values"], dtype=entry["dtype"]).reshape(entry["shape"])
    assert decrypted.dtype == wanted.dtype
    np.testing.assert_array_equal(decrypted, wanted)
