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
from vecphe.serialization import passphrase

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
