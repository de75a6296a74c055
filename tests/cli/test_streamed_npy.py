"""Large files of the command line, part by part: HAZARDS rows 16, 20, 22, 35, 58, 61, 63 and 74."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from vecphe import EncryptedArray, FixedPoint, PrivateKey, PublicKey


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


def test_h61_csv_is_written_part_by_part(main_here, files, tmp_path, monkeypatch):
    """Parts begin and end within rows."""
    key, pub, _, encrypted, _ = files
    (tmp_path / "x.csv").write_text("".join(f"{i / 4},{-i},{i % 3}\n" for i in range(9)))
    assert main_here("encrypt", str(tmp_path / "x.csv"), "-k", pub, "-o", encrypted, "--insecure").returncode == 0
    monkeypatch.setattr(EncryptedArray, "from_bytes", lambda *_: pytest.fail("all at once"))
    monkeypatch.setattr("vecphe.array.data._BYTES_AT_ONCE", 5 * 128)
    sizes = []
    decrypt = PrivateKey.decrypt
    monkeypatch.setattr(PrivateKey, "decrypt", lambda self, c, n: sizes.append((c.size, n)) or decrypt(self, c, n))
    out = tmp_path / "y.csv"
    done = main_here("decrypt", encrypted, "-k", key, "-o", str(out), "--insecure", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert sizes == [(5, 2)] * 5 + [(2, 2)]
    assert np.array_equal(np.loadtxt(out, delimiter=","), np.loadtxt(tmp_path / "x.csv", delimiter=","))
    assert out.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["a,b c\n1.5,2\n3,4\n", "a\n1\n2\n"])
def test_names_of_columns_come_back_part_by_part(main_here, files, tmp_path, monkeypatch, text):
    key, pub, _, encrypted, _ = files
    (tmp_path / "x.csv").write_text(text)
    assert main_here("encrypt", str(tmp_path / "x.csv"), "-k", pub, "-o", encrypted, "--insecure").returncode == 0
    monkeypatch.setattr(EncryptedArray, "from_bytes", lambda *_: pytest.fail("all at once"))
    out = tmp_path / "y.csv"
    assert main_here("decrypt", encrypted, "-k", key, "-o", str(out), "--insecure").returncode == 0
    assert out.read_text().replace(".0", "") == text


def test_h18_three_dimensions_are_no_csv(main_here, files, tmp_path):
    key, pub, x, encrypted, _ = files
    np.save(x, np.ones((2, 2, 2)))
    assert main_here("encrypt", x, "-k", pub, "-o", encrypted, "--insecure").returncode == 0
    done = main_here("decrypt", encrypted, "-k", key, "-o", str(tmp_path / "y.csv"), "--insecure")
    assert done.returncode == 2
    assert "CSV has two dimensions, the array 3; write it as .npy" in done.stderr
    assert not (tmp_path / "y.csv").exists()


@pytest.mark.parametrize("name", ["y.npy", "y.csv"])
@pytest.mark.parametrize("place", [3, 30, 200, -1])
def test_h35_h58_a_damaged_file_leaves_what_was_there(main_here, files, tmp_path, place, name):
    key, pub, x, encrypted, _ = files
    y = str(tmp_path / name)
    assert main_here("encrypt", x, "-k", pub, "-o", encrypted, "--insecure").returncode == 0
    data = bytearray((tmp_path / "x.enc").read_bytes())
    data[place] ^= 1
    (tmp_path / "x.enc").write_bytes(data)
    (tmp_path / name).write_bytes(b"as it was")
    done = main_here("decrypt", encrypted, "-k", key, "-o", y, "--insecure", "--force")
    assert done.returncode == 2
    assert "x.enc: " in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / name).read_bytes() == b"as it was"
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("dtype", ["?", "i1", ">i4", "u8", "f2", "<f4", ">f8", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("form", ["--packed", "--unpacked"])
def test_h61_a_file_is_mapped_and_looked_at_in_parts(main_here, files, monkeypatch, dtype, order, form):
    key, pub, x, encrypted, y = files
    values = np.asarray(np.arange(60).reshape(5, 12) % 2, dtype=dtype, order=order)
    np.save(x, values)
    monkeypatch.setattr("vecphe.cli.table._AT_ONCE", 7)
    monkeypatch.setattr("vecphe.keys.public_key._CIPHERTEXTS_AT_ONCE", 1)
    monkeypatch.setattr("vecphe.cli.streams.read_input", lambda *_: pytest.fail("read as a whole"))
    sizes = []
    first_outside = FixedPoint.first_outside
    monkeypatch.setattr(
        FixedPoint, "first_outside", lambda self, part: sizes.append(part.size) or first_outside(self, part)
    )
    done = main_here("encrypt", x, "-k", pub, "-o", encrypted, "--insecure", form)
    assert done.returncode == 0, done.stderr
    assert max(sizes) == 7
    done = main_here("decrypt", encrypted, "-k", key, "-o", y, "--insecure")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(y), values)
    assert (np.load(y).dtype.kind == "f") == (values.dtype.kind == "f")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("option", ["--packed", "--unpacked", None])
def test_h16_h20_what_cannot_be_encrypted_is_named_by_its_place(
    main_here, files, tmp_path, monkeypatch, order, bad, option
):
    """Also where so many would be worth a note about packing."""
    x, encrypted = files[2], files[3]
    monkeypatch.setattr("vecphe.cli.table._AT_ONCE", 7)
    values = np.asarray(np.ones((60, 12)), order=order)
    values[31, 5] = values[44, 1] = bad
    np.save(x, values)
    done = main_here("encrypt", x, "-k", files[1], "-o", encrypted, "--insecure", *filter(None, [option]))
    why = "a magnitude beyond " if np.isfinite(bad) else "NaN or infinity, which cannot be encrypted"
    assert done.returncode == 2
    assert f"{x}, index (31, 5): {why}" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert ("--max-abs" in done.stderr) == bool(np.isfinite(bad))


def test_h74_a_note_about_packing_holds_for_the_least_integer(main_here, files):
    key, pub, x, encrypted, y = files
    values = np.full(600, 5)
    values[3] = -(2**63)
    np.save(x, values)
    done = main_here("encrypt", x, "-k", pub, "-o", encrypted, "--insecure")
    assert done.returncode == 0
    assert "overflow" not in done.stderr
    told = done.stderr.partition("note: ")[2].partition(" would")[0].split()
    assert told[0] == "--packed"
    done = main_here("encrypt", x, "-k", pub, "-o", encrypted, "--insecure", "--force", *told)
    assert done.returncode == 0, done.stderr
    assert main_here("decrypt", encrypted, "-k", key, "-o", y, "--insecure").returncode == 0
    assert np.load(y).tolist() == values.tolist()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), ()])
def test_h22_files_of_no_values_and_of_one(main_here, files, shape):
    key, pub, x, encrypted, y = files
    np.save(x, np.ones(shape))
    assert main_here("encrypt", x, "-k", pub, "-o", encrypted, "--insecure").returncode == 0
    assert main_here("decrypt", encrypted, "-k", key, "-o", y, "--insecure").returncode == 0
    assert np.load(y).tolist() == np.ones(shape).tolist()


def test_h61_where_nothing_can_be_mapped_a_file_is_read(main_here, files, monkeypatch):
    _, pub, x, encrypted, _ = files
    load = np.load

    def unmapped(file, mmap_mode=None, **options):
        if mmap_mode is not None:
            raise OSError(errno.ENODEV, "No such device")
        return load(file, **options)

    monkeypatch.setattr(np, "load", unmapped)
    done = main_here("encrypt", x, "-k", pub, "-o", encrypted, "--insecure")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("cut", [4, 60, 150, -1])
def test_h63_a_file_that_is_cut_short(main_here, files, tmp_path, cut):
    x = files[2]
    data = (tmp_path / "x.npy").read_bytes()
    for damaged in (data[:cut], data + b"more"):
        (tmp_path / "x.npy").write_bytes(damaged)
        done = main_here("encrypt", x, "-k", files[1], "-o", files[3], "--insecure")
        assert done.returncode == 2
        assert f"{x}: " in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
