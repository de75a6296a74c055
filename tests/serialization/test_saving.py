"""Whatever saves itself to a file: what is there stays unless it is forced, and private keys are private."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecphe import EncryptedArray, PrivateKey, PublicKey
from vecphe.errors import SerializationError
from vecphe.plaintext.encoding import FixedPoint
from vecphe.serialization import check_storable, passphrase, save_frame
from vecphe.serialization.frames import SealedFields

Keypair = tuple[PublicKey, PrivateKey]
Save = Callable[..., None]

SAVERS: dict[str, tuple[Callable[[Keypair], Save], str, int]] = {
    "public key": (lambda keys: keys[0].save, "key", 0o640),
    "public key as JSON": (lambda keys: keys[0].save, "key.JSON", 0o640),
    "private key": (lambda keys: keys[1].save, "key", 0o600),
    "private key as JSON": (lambda keys: keys[1].save, "key.json", 0o600),
    "array": (lambda keys: keys[0].encrypt([1.5]).save, "array", 0o640),
    "array as JSON": (lambda keys: keys[0].encrypt([1.5]).save, "array.json", 0o640),
    "array in pieces": (lambda keys: keys[0].encrypt_chunks([1.5]).save, "array", 0o640),
    "values in pieces": (
        lambda keys: keys[1].decrypt_chunks([keys[0].encrypt([1.5]).to_bytes()]).save,
        "values.npy",
        0o600,
    ),
}


def loaded(keypair: Keypair, path: Path) -> Any:
    if path.name == "values.npy":
        return np.load(path).tolist()
    if path.name.startswith("array"):
        return keypair[1].decrypt(EncryptedArray.load(keypair[0], path)).tolist()
    return None


@pytest.mark.parametrize("what", SAVERS)
def test_h64_h67_what_is_there_stays_unless_it_is_forced(keypair: Keypair, tmp_path: Path, what: str) -> None:
    make, name, mode = SAVERS[what]
    path = tmp_path / name
    before = os.umask(0o027)
    try:
        make(keypair)(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        content = path.read_bytes()
        path.write_bytes(b"precious")
        for options in ({}, {"force": False}):
            with pytest.raises(FileExistsError, match="exists; pass force=True to replace it"):
                make(keypair)(path, **options)
        assert path.read_bytes() == b"precious"
        path.chmod(0o604)
        make(keypair)(str(path), force=True)
        assert len(path.read_bytes()) == pytest.approx(len(content), abs=9)
        assert (content[:1] == b"{") == ("JSON" in what)
        assert stat.S_IMODE(path.stat().st_mode) == (0o600 if "private" in what else 0o604)
    finally:
        os.umask(before)
    if "key" not in what:
        assert loaded(keypair, path) == [1.5]
    elif "private" in what:
        assert PrivateKey.load(path, insecure=True) == keypair[1]
    else:
        assert PublicKey.load(path, insecure=True) == keypair[0]


@pytest.mark.parametrize("name", ["key", "key.json"])
def test_h67_a_passphrase_seals_what_is_saved(
    keypair: Keypair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(passphrase, "LOG2_N", 10)
    keypair[1].save(tmp_path / name, passphrase="open sesame")
    with pytest.raises(ValueError, match="the private key is encrypted; pass its passphrase"):
        PrivateKey.load(tmp_path / name, insecure=True)
    assert PrivateKey.load(tmp_path / name, passphrase="open sesame", insecure=True) == keypair[1]
    keypair[1].save(tmp_path / name, force=True)
    with pytest.raises(ValueError, match="the private key is not encrypted; load it without a passphrase if you trust"):
        PrivateKey.load(tmp_path / name, passphrase="open sesame", insecure=True)


def test_h64_nothing_is_made_for_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    made = []
    (tmp_path / "key").write_bytes(b"precious")
    for path in (tmp_path / "key", tmp_path / "no" / "key"):
        with pytest.raises(OSError, match=r"exists; pass force=True|create this directory first"):
            save_frame(path, lambda: made.append(1) or b"", force=False)
    assert not made
    assert (tmp_path / "key").read_bytes() == b"precious"


def test_what_has_no_room_is_told_before_anything_is_made(keypair: Keypair) -> None:
    array = keypair[0].encrypt([1.0], encoding=FixedPoint(4, 2**200 + 1))
    with pytest.raises(SerializationError, match=r"^max_abs has an odd part of more than 128 bits"):
        check_storable(keypair[0]._numbers, array.shape, array.format)


@pytest.mark.parametrize(
    ("costs", "is_accepted"),
    [
        *(((log2_n, 8, 1), 10 <= log2_n <= 20) for log2_n in (0, 9, 10, 11, 17, 19, 20, 21, 255)),
        *(((17, r, p), False) for r, p in ((7, 1), (9, 1), (8, 0), (8, 2), (0, 0))),
    ],
)
def test_h35_what_a_file_may_ask_for(
    monkeypatch: pytest.MonkeyPatch, costs: tuple[int, int, int], is_accepted: bool
) -> None:
    asked = []
    monkeypatch.setattr(passphrase, "_derive_key", lambda *given: asked.append(given) or bytes(32))
    fields = SealedFields(*costs, bytes(16), bytes(12), bytes(40))
    with pytest.raises(SerializationError) as caught:
        passphrase.unseal(fields, "open sesame", "0" * 32)
    if is_accepted:
        assert str(caught.value) == "wrong passphrase, or the file was altered"
        assert asked == [("open sesame", fields)]
    else:
        n, r, p = costs
        told = f"scrypt with n = 2^{n}, r = {r}, p = {p} is not accepted; n must be 2^10 to 2^20, r = 8, p = 1"
        assert (str(caught.value), asked) == (told, [])


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        (5, TypeError, "passphrase must be str or bytes, not int"),
        (bytearray(b"x"), TypeError, "passphrase must be str or bytes, not bytearray"),
        ("", ValueError, "the passphrase must not be empty; pass None to store the key without one"),
        (b"", ValueError, "the passphrase must not be empty; pass None to store the key without one"),
        ("open \ud800", ValueError, "the passphrase cannot be encoded as UTF-8"),
    ],
)
def test_h67_what_is_no_passphrase_and_is_not_shown(given: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error) as caught:
        passphrase.seal(b"the body", given, "0" * 32)
    assert str(caught.value) == told
    assert caught.value.__context__ is caught.value.__cause__ is None
