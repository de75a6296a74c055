"""Large .npy files of the command line, part by part: HAZARDS rows 35, 58 and 61."""

from __future__ import annotations

import numpy as np
import pytest

from vecphe import EncryptedArray, PrivateKey, PublicKey


@pytest.fixture
def files(main_here, tmp_path):
    """A key, its public half, an array and an encrypted file of it."""
    key = str(tmp_path / "lab.key")
    assert main_here("keygen", "-o", key, "--key-length", "512", "--insecure").returncode == 0
    np.save(tmp_path / "x.npy", np.arange(24.0).reshape(2, 12))
    return key, f"{key}.pub", str(tmp_path / "x.npy"), str(tmp_path / "x.enc"), str(tmp_path / "y.npy")


def test_h61_neither_way_holds_the_whole(main_here, files, monkeypatch):
    """The whole is never encrypted, read or decrypted at once."""
    key, pub, x, encrypted, y = files
    for owner, name in ((PublicKey, "encrypt"), (EncryptedArray, "from_bytes"), (EncryptedArray, "to_bytes")):
        monkeypatch.setattr(owner, name, lambda *_, **__: pytest.fail("all at once"))
    monkeypatch.setattr("vecphe.keys.public_key._CIPHERTEXTS_AT_ONCE", 5)
    monkeypatch.setattr("vecphe.array.data._BYTES_AT_ONCE", 5 * 128)
    sizes = []
    decrypt = PrivateKey.decrypt
    monkeypatch.setattr(PrivateKey, "decrypt", lambda self, c, n: sizes.append(c.size) or decrypt(self, c, n))
    done = main_here("encrypt", x, "-k", pub, "-o", encrypted, "--insecure")
    assert done.returncode == 0, done.stderr
    done = main_here("decrypt", encrypted, "-k", key, "-o", y, "--insecure")
    assert done.returncode == 0, done.stderr
    assert np.load(y).tolist() == np.load(x).tolist()
    assert sizes == [5, 5, 5, 5, 4]


@pytest.mark.parametrize("place", [3, 30, 200, -1])
def test_h35_h58_a_damaged_file_leaves_what_was_there(main_here, files, tmp_path, place):
    key, pub, x, encrypted, y = files
    assert main_here("encrypt", x, "-k", pub, "-o", encrypted, "--insecure").returncode == 0
    data = bytearray((tmp_path / "x.enc").read_bytes())
    data[place] ^= 1
    (tmp_path / "x.enc").write_bytes(data)
    (tmp_path / "y.npy").write_bytes(b"as it was")
    done = main_here("decrypt", encrypted, "-k", key, "-o", y, "--insecure", "--force")
    assert done.returncode == 2
    assert "x.enc: " in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "y.npy").read_bytes() == b"as it was"
    assert len(list(tmp_path.iterdir())) == 5
