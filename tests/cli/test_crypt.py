"""The commands on keys and encrypted files: keygen, encrypt, add, decrypt."""

import io
import json
import os
import pty
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import phe
import pytest
from click.testing import CliRunner
from phe.command_line import cli as phe_cli

import vecphe
from vecphe import EncryptedArray, PrivateKey, PublicKey
from vecphe.arithmetic import available_engines
from vecphe.numbers.context import KeyContext
from vecphe.serialization import passphrase

SHORT = ["--key-length", "512", "--insecure"]


@pytest.fixture(scope="module")
def key_files(tmp_path_factory):
    """Files of a private and a public key of 512 bits."""
    folder = tmp_path_factory.mktemp("keys")
    public_key, private_key = vecphe.generate_keypair(512, insecure=True)
    private_key.save(folder / "key")
    public_key.save(folder / "key.pub")
    return str(folder / "key"), str(folder / "key.pub")


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("age,cost\n1.5,-2\n0.1,1e6\n")
    return str(path)


VALUES = [[1.5, -2.0], [0.1, 1e6]]


def succeeds(done):
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if not line.startswith(("warning: ", "note: "))]
    return done.stdout


def fails(done, word, *words):
    """One line of error with these words, exit status 2, nothing on stdout."""
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if not line.startswith(("warning: ", "note: "))]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    for each in (word, *words):
        assert each in errors[0]
    assert done.stdout == ""


@pytest.mark.parametrize("form", ["binary", "json", "jwk"])
def test_keys_numbers_and_sums_through_files(main_here, tmp_path, data, form):
    key, pub = str(tmp_path / "key"), str(tmp_path / "key.pub")
    told = succeeds(main_here("keygen", "--out", key, "--form", form, *SHORT))
    assert f"private key: {key}\npublic key: {pub}\nfingerprint: " in told
    files = [str(tmp_path / name) for name in ("a.enc", "b.enc", "c.enc")]
    for file in files:
        assert "line 1 is taken as a header" in main_here("encrypt", data, "-k", pub, "-o", file, "--insecure").stderr
    assert len({Path(file).read_bytes() for file in files}) == 3
    total = str(tmp_path / "total.enc")
    succeeds(main_here("add", *files, "--key", pub, "--out", total, "--insecure"))
    assert (
        succeeds(main_here("decrypt", total, "--key", key, "--insecure"))
        == "age,cost\n4.5,-6.0\n0.30000000000000004,3000000.0\n"
    )
    assert sorted(os.listdir(tmp_path)) == sorted(
        ["a.enc", "b.enc", "c.enc", "data.csv", "key", "key.pub", "total.enc"]
    )


@pytest.mark.parametrize("packed", [[], ["--packed"]], ids=["unpacked", "packed"])
def test_names_of_columns_survive(main_here, tmp_path, key_files, packed):
    key, pub = key_files
    source, encrypted, total, out = (str(tmp_path / name) for name in ("x.csv", "x.enc", "t.enc", "y.csv"))
    for text in ('"age, years","a ""b""",Größe\n1,2,3\n4,5,6\n', "only\n1\n2\n", "1,2\n3,4\n"):
        Path(source).write_text(text, encoding="utf-8")
        succeeds(main_here("encrypt", source, "-k", pub, "-o", encrypted, "--insecure", "--force", *packed))
        succeeds(main_here("add", encrypted, encrypted, "-k", pub, "-o", total, "--insecure", "--force"))
        succeeds(main_here("decrypt", encrypted, "-k", key, "-o", out, "--insecure", "--force"))
        assert Path(out).read_text(encoding="utf-8") == text
        doubled = succeeds(main_here("decrypt", total, "-k", key, "--insecure")).splitlines()
        assert (doubled[0] == text.splitlines()[0]) == (not text[0].isdigit())
        assert EncryptedArray.load(PublicKey.load(pub, insecure=True), encrypted).packed == bool(packed)


def test_names_of_columns_that_differ_are_not_added(main_here, tmp_path, key_files):
    key, pub = key_files
    for name, text in {"a": "x,y\n1,2\n", "b": "y,x\n1,2\n", "c": "1,2\n", "d": "x,x\n1,2\n"}.items():
        (tmp_path / f"{name}.csv").write_text(text)
        done = main_here("encrypt", str(tmp_path / f"{name}.csv"), "-k", pub, "-o", str(tmp_path / name), "--insecure")
        succeeds(done)
        assert ("its names are not kept" in done.stderr) == (name == "d")
    a, b, c, d, out = (str(tmp_path / name) for name in "abcdo")
    fails(main_here("add", a, b, "-k", pub, "-o", out, "--insecure"), f"{b}: its columns have other names")
    fails(main_here("add", c, a, b, "-k", pub, "-o", out, "--insecure"), f"{b}: its columns have other names")
    for files in ((a, c), (c, a), (d, a)):
        succeeds(main_here("add", *files, "-k", pub, "-o", out, "--insecure", "--force"))
        assert succeeds(main_here("decrypt", out, "-k", key, "--insecure")) == "x,y\n2,4\n"


@pytest.mark.parametrize("packed", [[], ["--packed"]], ids=["unpacked", "packed"])
def test_npy_in_and_out(main_here, tmp_path, key_files, packed):
    key, pub = key_files
    values = np.arange(24).reshape(2, 3, 4) - 7
    np.save(tmp_path / "x.npy", values)
    source, encrypted, out = (str(tmp_path / name) for name in ("x.npy", "x.enc", "y.npy"))
    succeeds(main_here("encrypt", source, "-k", pub, "-o", encrypted, "--insecure", *packed))
    array = EncryptedArray.load(PublicKey.load(pub, insecure=True), encrypted)
    assert array.packed == bool(packed)
    succeeds(main_here("decrypt", encrypted, "-k", key, "-o", out, "--insecure", "--jobs", "1"))
    result = np.load(out)
    assert result.dtype == np.int64
    assert (result == values).all()
    fails(main_here("decrypt", encrypted, "-k", key, "--insecure"), ".npy")
    fails(main_here("decrypt", encrypted, "-k", key, "-o", str(tmp_path / "y"), "--insecure"), "--form")


@pytest.mark.parametrize("dtype", [bool, np.float16, np.float32, np.int8, np.uint64])
@pytest.mark.parametrize("packed", [[], ["--packed"]], ids=["unpacked", "packed"])
def test_npy_of_every_real_type(main_here, tmp_path, key_files, dtype, packed):
    values = np.array([[0, 1], [1, 0]], dtype)
    np.save(tmp_path / "x.npy", values)
    source, encrypted, out = (str(tmp_path / name) for name in ("x.npy", "x.enc", "y.npy"))
    done = main_here("encrypt", source, "-k", key_files[1], "-o", encrypted, "--insecure", *packed)
    succeeds(done)
    assert "overflow" not in done.stderr
    succeeds(main_here("decrypt", encrypted, "-k", key_files[0], "-o", out, "--insecure"))
    assert np.load(out).tolist() == values.tolist()


def test_standard_streams(tmp_path, key_files):
    key, pub = key_files
    run = f"{sys.executable} -m vecphe"
    script = (
        f"printf '%s\\n' -1.5 2 | {run} encrypt - -k {pub} -o - --insecure > one.enc; < one.enc"
        f" {run} add - one.enc -k {pub} -o - --insecure | {run} decrypt - -k {key} --insecure"
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == "-3.0\n4.0\n", done.stderr


def test_keys_of_2048_bits_need_no_option(main_here, tmp_path):
    key = str(tmp_path / "key")
    (tmp_path / "x").write_text("7\n")
    succeeds(main_here("keygen", "-o", key, "--key-length", "2048"))
    assert main_here("encrypt", str(tmp_path / "x"), "-k", key + ".pub", "-o", str(tmp_path / "y")).stderr == ""
    assert main_here("decrypt", str(tmp_path / "y"), "-k", key).stdout == "7\n"


def test_packed_values_of_another_range(main_here, tmp_path, key_files, data):
    key, pub = key_files
    out = str(tmp_path / "out")
    args = ["encrypt", data, "-k", pub, "-o", out, "--insecure", "--packed"]
    fails(main_here(*args), "data.csv, line 3, column 2: ", "32768", "--max-abs")
    fails(main_here(*args, "--max-abs", "nan"), "--max-abs must be positive")
    fails(main_here(*args, "--max-abs", "-1"), "--max-abs must be positive")
    fails(main_here(*args, "--max-abs", "1e300"), "do not fit this key", "--max-abs")
    succeeds(main_here(*args, "--max-abs", "1e6"))
    assert EncryptedArray.load(PublicKey.load(pub, insecure=True), out).encoding.max_abs == 1e6
    assert succeeds(main_here("decrypt", out, "-k", key, "--insecure")).endswith(",1000000.0\n")
    integers = tmp_path / "integers.csv"
    integers.write_text("7\n-8\n")
    args = ["encrypt", str(integers), "-k", pub, "-o", out, "--insecure", "--packed", "--force"]
    fails(main_here(*args, "--max-abs", "7.5"), "integers.csv, line 2, column 1: ", "--max-abs")
    np.save(tmp_path / "x.npy", [[0.5], [1e6]])
    fails(main_here("encrypt", str(tmp_path / "x.npy"), *args[2:]), "x.npy, index (1, 0): ", "--max-abs")
    succeeds(main_here(*args, "--max-abs", "8"))
    assert succeeds(main_here("decrypt", out, "-k", key, "--insecure")) == "7\n-8\n"


def test_short_keys_need_insecure(main_here, tmp_path, key_files, data):
    key, pub = key_files
    out = str(tmp_path / "out.csv")
    fails(main_here("encrypt", data, "-k", pub, "-o", out), "give --insecure")
    fails(main_here("decrypt", data, "-k", key, "-o", out), "give --insecure")
    fails(main_here("keygen", "-o", out, "--key-length", "512"), "give --insecure")
    assert not os.path.exists(out)


@pytest.mark.parametrize("length", ["65", "abc", "-1", "0", "100000"])
def test_h65_key_lengths(main_here, tmp_path, length):
    fails(main_here("keygen", "-o", str(tmp_path / "key"), "--key-length", length, "--insecure"), "key")
    assert os.listdir(tmp_path) == []


def test_h65_jobs(main_here, tmp_path, key_files, data):
    fails(
        main_here("encrypt", data, "-k", key_files[1], "-o", str(tmp_path / "x"), "--insecure", "--jobs", "0"),
        "--jobs 0",
    )


# Files that are not what they should be -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["missing", "directory", "empty", "binary", "text"])
@pytest.mark.parametrize("role", ["numbers", "public key", "private key", "array", "array to add"])
def test_h63_files_that_are_something_else(main_here, tmp_path, key_files, data, kind, role):
    bad, out = tmp_path / "bad", str(tmp_path / "out.csv")
    if kind == "directory":
        bad.mkdir()
    elif kind != "missing":
        bad.write_bytes({"empty": b"", "binary": b"\x00\xff\xfe\x9c" * 9, "text": b"lorem ipsum\n"}[kind])
    key, pub = key_files
    calls = {
        "numbers": ["encrypt", str(bad), "-k", pub],
        "public key": ["encrypt", data, "-k", str(bad)],
        "private key": ["decrypt", data, "-k", str(bad)],
        "array": ["decrypt", str(bad), "-k", key],
        "array to add": ["add", str(bad), str(bad), "-k", pub],
    }
    words = {
        "missing": "bad: No such file",
        "directory": "bad: Is a directory",
        ("numbers", "empty"): "bad: empty",
        ("numbers", "binary"): "bad: neither UTF-8 text nor",
        ("numbers", "text"): "bad: a header without numbers",
        "empty": "bad: not ",
        "binary": "bad: n",
        "text": "bad: not ",
    }
    word = words.get((role, kind)) or words[kind]
    fails(main_here(*calls[role], "-o", out, "--insecure"), word)
    assert not os.path.exists(out)


@pytest.mark.parametrize("value", ["nan", "1e400", "1,5\n2", "inf"])
def test_h66_values_that_cannot_be_encrypted(main_here, tmp_path, key_files, value):
    path = tmp_path / "x.csv"
    path.write_text(value + "\n")
    fails(main_here("encrypt", str(path), "-k", key_files[1], "-o", str(tmp_path / "out"), "--insecure"), "x.csv, line")
    assert not (tmp_path / "out").exists()


def test_h13_keys_in_each_others_place(main_here, tmp_path, key_files, data):
    key, pub = key_files
    out = str(tmp_path / "out.csv")
    fails(
        main_here("encrypt", data, "-k", key, "-o", out, "--insecure"), "key: a private key, but --key wants", "public"
    )
    fails(
        main_here("decrypt", data, "-k", pub, "-o", out, "--insecure"), "pub: a public key, but --key wants", "private"
    )
    fails(main_here("pubkey", pub, "-o", out, "--insecure"), "pub: a public key, but PRIVATE wants", "private")
    fails(main_here("decrypt", pub, "-k", key, "-o", out, "--insecure"), "pub: a public key, not an encrypted file")
    fails(main_here("encrypt", data, "-k", "-", "-o", out, "--insecure"), "a key comes from a file")


def test_h63_decrypting_what_is_not_an_encrypted_file(main_here, tmp_path, key_files, data):
    fails(main_here("decrypt", data, "-k", key_files[0], "--insecure"), "data.csv: not an encrypted file")
    (tmp_path / "number").write_text('{"v": "12345678901234567890", "e": -32}\n')
    done = main_here("decrypt", str(tmp_path / "number"), "-k", key_files[0], "--insecure")
    fails(done, "number: a number that pheutil encrypted", "vecphe pheutil")


# Ends that never come, and costs that are too high -----------------------------------------------------------------

LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); from vecphe.cli import main; "
)


def with_little_memory(*args, stdin=subprocess.DEVNULL):
    """Run the command in 1 GiB of address space."""
    code = f"{LIMITED} sys.argv = ['vecphe', *{args!r}]; sys.exit(main())"
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "VECPHE_ENGINE": "gmp"}
    return subprocess.run(
        [sys.executable, "-c", code],
        stdin=stdin, capture_output=True, text=True, check=False, timeout=60, env=environment,
    )  # fmt: skip


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no /dev/zero here")
def test_h63_input_without_end(tmp_path, key_files):
    with open("/dev/zero", "rb") as zeros:
        done = with_little_memory(
            "encrypt", "-", "-k", key_files[1], "-o", str(tmp_path / "x"), "--insecure", stdin=zeros
        )
    fails(done, "standard input: neither UTF-8 text nor")
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        fails(with_little_memory("inspect", "-", stdin=endless.stdout), "standard input: not a key")
        endless.kill()
    with subprocess.Popen(["yes", "1"], stdout=subprocess.PIPE) as endless:
        done = with_little_memory(
            "encrypt", "-", "-k", key_files[1], "-o", str(tmp_path / "x"), "--insecure", stdin=endless.stdout
        )
        endless.kill()
    fails(done, "not enough memory")
    assert not (tmp_path / "x").exists()


def test_h35_a_key_that_asks_for_more_memory_than_there_is(tmp_path, key_files, monkeypatch):
    monkeypatch.setattr(passphrase, "LOG2_N", 20)
    private_key = PrivateKey.load(key_files[0], insecure=True)
    derive = passphrase._derive_key
    monkeypatch.setattr(passphrase, "_derive_key", lambda secret, fields: bytes(32))  # 1 GiB here, too
    private_key.save(tmp_path / "key", passphrase="x")
    monkeypatch.setattr(passphrase, "_derive_key", derive)
    (tmp_path / "secret").write_text("x\n")
    (tmp_path / "secret").chmod(0o600)
    secret = ["--passphrase-file", str(tmp_path / "secret")]
    done = with_little_memory("pubkey", str(tmp_path / "key"), "-o", str(tmp_path / "pub"), "--insecure", *secret)
    fails(done, str(tmp_path / "key") + ": not enough memory")


def test_h28_h34_sums_that_make_no_sense(main_here, tmp_path, key_files, other_keypair, data):
    _, pub = key_files
    public_key = PublicKey.load(pub, insecure=True)
    arrays = {
        "good": public_key.encrypt(VALUES),
        "packed": public_key.encrypt(np.ones((2, 2)), packed=True),
        "row": public_key.encrypt(VALUES[0]),
        "other": other_keypair[0].encrypt(VALUES),
    }
    for name, array in arrays.items():
        array.save(tmp_path / name)
    good, out = str(tmp_path / "good"), str(tmp_path / "out")
    for name, word in [("packed", "one is packed and the other is not"), ("row", "shape"), ("other", "another key")]:
        bad = str(tmp_path / name)
        fails(main_here("add", good, bad, "-k", pub, "-o", out, "--insecure"), bad, word)
    fails(main_here("add", good, "-k", pub, "-o", out, "--insecure"), "two or more")
    fails(main_here("add", "-", "-", "-k", pub, "-o", out, "--insecure"), "only one")
    assert not os.path.exists(out)


def test_h39_a_file_added_to_its_negative_is_rerandomised(main_here, tmp_path, key_files):
    key, pub = key_files
    public_key = PublicKey.load(pub, insecure=True)
    c = public_key.encrypt([1.0, 2.0])
    c.save(tmp_path / "c")
    (-c).save(tmp_path / "d", rerandomize=False)
    out = str(tmp_path / "out")
    succeeds(main_here("add", str(tmp_path / "c"), str(tmp_path / "d"), "-k", pub, "-o", out, "--insecure"))
    assert 1 not in EncryptedArray.load(public_key, out).ciphertexts(rerandomize=False)
    assert succeeds(main_here("decrypt", out, "-k", key, "--insecure")) == "0.0\n0.0\n"


# What is there stays --------------------------------------------------------------------------------------------


def test_h64_outputs_are_not_replaced_unless_forced(main_here, tmp_path, key_files, data):
    key, pub = key_files
    encrypted = tmp_path / "x.enc"
    succeeds(main_here("encrypt", data, "-k", pub, "-o", str(encrypted), "--insecure"))
    out = tmp_path / "out.csv"
    calls = [
        ["encrypt", data, "-k", pub],
        ["add", str(encrypted), str(encrypted), "-k", pub],
        ["decrypt", str(encrypted), "-k", key],
        ["keygen", "--key-length", "512"],
    ]
    for call in calls:
        out.write_text("precious")
        fails(main_here(*call, "-o", str(out), "--insecure"), "out.csv exists", "--force")
        assert out.read_text() == "precious"
        succeeds(main_here(*call, "-o", str(out), "--insecure", "--force"))
        assert out.read_bytes() != b"precious"


def test_h64_an_output_that_exists_stops_before_anything_is_read(main_here, tmp_path):
    out, nothing = tmp_path / "out.csv", str(tmp_path / "nothing")
    out.write_text("precious")
    for call in (["encrypt", nothing], ["add", nothing, nothing], ["decrypt", nothing]):
        fails(main_here(*call, "-k", nothing, "-o", str(out)), "out.csv exists")
    fails(main_here("pubkey", nothing, "-o", str(out)), "out.csv exists")


def test_h64_a_public_key_that_exists_stops_keygen_before_it_writes(main_here, tmp_path):
    (tmp_path / "key.pub").write_text("precious")
    fails(main_here("keygen", "-o", str(tmp_path / "key"), *SHORT), "key.pub exists")
    assert os.listdir(tmp_path) == ["key.pub"]
    fails(main_here("keygen", "-o", str(tmp_path / "k"), "--public", str(tmp_path / "k"), *SHORT), "of its own")
    fails(main_here("keygen", "-o", str(tmp_path / "no" / "k"), *SHORT), "does not exist")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_h58_a_full_disk_is_one_line(main_here, key_files, data):
    fails(main_here("encrypt", data, "-k", key_files[1], "-o", "/dev/full", "--insecure"), "/dev/full: No space left")


def test_h58_a_pair_of_which_the_public_half_cannot_be_written(main_here, tmp_path, monkeypatch):
    from vecphe.cli import streams

    key, pub, write = str(tmp_path / "key"), str(tmp_path / "no" / "pub"), streams.replace_file

    def failing(path, data, **options):
        if path == pub:
            raise OSError(28, "No space left on device", pub)
        write(path, data, **options)

    (tmp_path / "no").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(streams, "replace_file", failing)
        done = main_here("keygen", "-o", key, "--public", pub, *SHORT)
    fails(done, f"{pub}: No space left on device", f"whole in {key}", f"vecphe pubkey {key}")
    succeeds(main_here("pubkey", key, "--out", pub, "--insecure"))
    assert PublicKey.load(pub, insecure=True) == PrivateKey.load(key, insecure=True).public_key


@pytest.mark.parametrize("form", ["binary", "json", "jwk"])
def test_the_public_key_of_a_private_one(main_here, tmp_path, cheap_passphrases, form):
    key, pub, again, secret = (str(tmp_path / name) for name in ("key", "key.pub", "again", "secret"))
    Path(secret).write_text("open sesame\n")
    option = [] if form == "jwk" else ["--passphrase-file", secret]
    succeeds(main_here("keygen", "-o", key, "--form", form, *option, *SHORT))
    succeeds(main_here("pubkey", key, "--out", again, "--form", form, *option, "--insecure"))
    assert Path(again).read_bytes() == Path(pub).read_bytes()
    fails(main_here("pubkey", key, "--out", again, *option, "--insecure"), "again exists", "--force")


def test_h58_what_the_system_says_names_the_file_and_no_number(main_here, tmp_path, key_files, data, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vecphe.system.files.os.write", full)
    done = main_here("encrypt", data, "-k", key_files[1], "-o", str(tmp_path / "out"), "--insecure")
    fails(done, f"error: {tmp_path / 'out'}: No space left on device")
    fails(main_here("inspect", str(tmp_path / "missing")), f"error: {tmp_path / 'missing'}: No such file")


# Secrets --------------------------------------------------------------------------------------------------------


def test_h67_private_keys_are_for_their_owner_alone(main_here, tmp_path):
    key = tmp_path / "key"
    before = os.umask(0)
    try:
        succeeds(main_here("keygen", "-o", str(key), *SHORT))
        key.chmod(0o644)
        succeeds(main_here("keygen", "-o", str(key), *SHORT, "--force"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_h67_a_private_key_that_others_can_read_is_told(main_here, tmp_path, key_files):
    key = tmp_path / "key"
    key.write_bytes(Path(key_files[0]).read_bytes())
    PublicKey.load(key_files[1], insecure=True).encrypt([1]).save(tmp_path / "x")
    for mode, told in [(0o644, True), (0o600, False)]:
        key.chmod(mode)
        done = main_here("decrypt", str(tmp_path / "x"), "-k", str(key), "--insecure")
        assert succeeds(done) == "1\n"
        assert ("chmod 600" in done.stderr) == told


def test_h67_decrypted_values_are_for_their_owner_unless_the_file_was_there(main_here, tmp_path, key_files):
    PublicKey.load(key_files[1], insecure=True).encrypt([1]).save(tmp_path / "x")
    out = tmp_path / "out.csv"
    call = ["decrypt", str(tmp_path / "x"), "-k", key_files[0], "-o", str(out), "--insecure", "--force"]
    for mode in (0o600, 0o640, 0o600):
        succeeds(main_here(*call))
        if mode != 0o600:
            out.chmod(mode)
            succeeds(main_here(*call))
        assert stat.S_IMODE(out.stat().st_mode) == mode
        out.unlink()


def test_h67_a_passphrase_that_others_can_read_is_told(main_here, tmp_path, cheap_passphrases):
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    for mode, told in [(0o644, True), (0o600, False)]:
        secret.chmod(mode)
        done = main_here("keygen", "-o", str(tmp_path / f"{mode}"), *SHORT, "--passphrase-file", str(secret))
        succeeds(done)
        assert (f"others can read the passphrase in {secret}" in done.stderr) == told
        assert "sesame" not in done.stderr


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_h67_a_private_key_redirected_to_a_file(tmp_path, mode):
    path, pub = tmp_path / "key", tmp_path / "pub"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, mode)
    call = [sys.executable, "-m", "vecphe", "keygen", "-o", "-", "--public", str(pub), *SHORT]
    done = subprocess.run(call, stdout=descriptor, stderr=subprocess.PIPE, text=True, check=False)
    os.close(descriptor)
    if mode == 0o600:
        assert done.returncode == 0, done.stderr
        assert PrivateKey.load(path, insecure=True).public_key == PublicKey.load(pub, insecure=True)
    else:
        assert done.returncode == 2
        assert "others can read" in done.stderr
        assert path.read_bytes() == b""
        assert not pub.exists()


@pytest.fixture
def cheap_passphrases(monkeypatch):
    """Keys that this process encrypts take little time to."""
    monkeypatch.setattr(passphrase, "LOG2_N", 10)


def on_a_terminal(call, *answers):
    """Run the command with a terminal for all streams; the exit status and what the terminal showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "vecphe", *call])
    shown = b""
    pending = [answer.encode() + b"\n" for answer in answers]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        shown += part
        if pending and shown.rstrip().endswith(b":") and part.rstrip().endswith(b":"):
            os.write(terminal, pending.pop(0))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return status, shown.decode().replace("\r\n", "\n")


def test_h67_nothing_binary_and_no_private_key_on_a_terminal(tmp_path, key_files, data):
    status, shown = on_a_terminal(["keygen", "-o", "-", "--public", str(tmp_path / "pub"), *SHORT])
    assert status == 2
    assert "not shown on a terminal" in shown
    assert not (tmp_path / "pub").exists()
    status, shown = on_a_terminal(["encrypt", data, "-k", key_files[1], "-o", "-", "--insecure"])
    assert status == 2
    assert "is a terminal" in shown


def test_h67_a_passphrase_is_asked_for_twice_and_not_shown(tmp_path, cheap_passphrases):
    key = str(tmp_path / "key")
    status, shown = on_a_terminal(["keygen", "-o", key, "--passphrase", *SHORT], "open sesame", "open sesame")
    assert status == 0, shown
    assert "sesame" not in shown
    private_key = PrivateKey.load(key, passphrase="open sesame", insecure=True)
    private_key.public_key.encrypt([3.5]).save(tmp_path / "x")
    private_key.save(key, passphrase="open sesame", force=True)
    status, shown = on_a_terminal(["decrypt", str(tmp_path / "x"), "-k", key, "--insecure"], "open sesame")
    assert status == 0
    assert shown.endswith("3.5\n")
    assert "sesame" not in shown


@pytest.mark.slow
def test_h67_passphrases_that_are_wrong_are_not_shown(tmp_path, cheap_passphrases):
    key, other = str(tmp_path / "key"), str(tmp_path / "other")
    public_key, private_key = vecphe.generate_keypair(512, insecure=True)
    private_key.save(key, passphrase="open sesame")
    public_key.encrypt([3.5]).save(tmp_path / "x")
    status, shown = on_a_terminal(["decrypt", str(tmp_path / "x"), "-k", key, "--insecure"], "open says me")
    assert status == 2
    assert "passphrase" in shown.splitlines()[-1]
    assert "says me" not in shown
    status, shown = on_a_terminal(["keygen", "-o", other, "--passphrase", *SHORT], "open sesame", "close sesame")
    assert status == 2
    assert "differ" in shown
    assert not os.path.exists(other)


@pytest.mark.parametrize("way", ["option", "environment", "pipe"])
def test_h67_a_passphrase_from_a_file(main_here, tmp_path, monkeypatch, cheap_passphrases, way):
    key, secret = str(tmp_path / "key"), tmp_path / "secret"
    secret.write_bytes(b"p\xc3\xa4ss phrase\r\nanother line\n")
    if way == "environment":
        monkeypatch.setenv("VECPHE_PASSPHRASE_FILE", str(secret))
        option = []
    else:
        option = ["--passphrase-file", str(secret)]
    if way == "pipe":
        content = secret.read_bytes()
        secret.unlink()
        os.mkfifo(secret)
        writers = [threading.Thread(target=secret.write_bytes, args=(content,), daemon=True) for _ in range(2)]
        writers[0].start()
    succeeds(main_here("keygen", "-o", key, *SHORT, *option))
    private_key = PrivateKey.load(key, passphrase="p\u00e4ss phrase", insecure=True)
    private_key.public_key.encrypt([3.5]).save(tmp_path / "x")
    if way == "pipe":
        writers[1].start()
    assert succeeds(main_here("decrypt", str(tmp_path / "x"), "-k", key, "--insecure", *option)) == "3.5\n"


def test_h67_passphrases_that_are_none(command, main_here, tmp_path, key_files, monkeypatch):
    key, secret = str(tmp_path / "key"), tmp_path / "secret"
    for content in (b"", b"\nword\n", b"\xff\n"):
        secret.write_bytes(content)
        fails(main_here("keygen", "-o", key, *SHORT, "--passphrase-file", str(secret)), "first line")
    secret.write_text("word")
    fails(main_here("keygen", "-o", key, *SHORT, "--passphrase-file", str(secret), "--passphrase"), "one of them")
    fails(main_here("keygen", "-o", key, *SHORT, "--passphrase-file", str(secret), "--form", "jwk"), "never encrypted")
    fails(main_here("keygen", "-o", key, *SHORT, "--passphrase-file", str(tmp_path)), str(tmp_path))
    done = command("keygen", "-o", key, *SHORT, "--passphrase", stdin=subprocess.DEVNULL, start_new_session=True)
    fails(done, "no terminal", "--passphrase-file")
    assert not os.path.exists(key)
    args = ["decrypt", str(tmp_path / "x.enc"), "-k", key_files[0], "--insecure"]
    PublicKey.load(key_files[1], insecure=True).encrypt([1]).save(tmp_path / "x.enc")
    fails(main_here(*args, "--passphrase-file", str(secret)), "not encrypted")
    monkeypatch.setenv("VECPHE_PASSPHRASE_FILE", str(secret))
    assert succeeds(main_here(*args)) == "1\n"  # it is there for keys that are
    fails(main_here("keygen", "-o", key, *SHORT, "--form", "jwk"), "never encrypted", "unset VECPHE_PASSPHRASE_FILE")


def test_h67_no_option_takes_a_secret(main_here):
    for name in ("keygen", "decrypt"):
        text = " ".join(main_here(name, "--help").stdout.split())
        assert "--passphrase-file" in text
    assert main_here("keygen", "-o", "k", "--passphrase=open sesame").returncode == 2
    assert main_here("decrypt", "x", "-k", "k", "--passphrase", "open sesame").returncode == 2


@pytest.mark.parametrize("fault", ["other p", "wrong passphrase", "cut", "flipped"])
def test_h14_no_secret_in_errors(main_here, tmp_path, cheap_passphrases, fault):
    _, private_key = vecphe.generate_keypair(512, insecure=True)
    key, secret = tmp_path / "key", tmp_path / "secret"
    secret.write_text("wrong")
    key.write_text(private_key.to_jwk())
    fields = json.loads(private_key.to_jwk())
    key.chmod(0o600)
    options = []
    if fault == "other p":
        key.write_text(json.dumps({**fields, "p": fields["q"]}))
    elif fault == "wrong passphrase":
        private_key.save(key, passphrase="right", force=True)
        options = ["--passphrase-file", str(secret)]
    elif fault == "cut":
        key.write_text(private_key.to_jwk()[:-9])
    else:
        data = bytearray(private_key.to_bytes())
        data[40] ^= 1
        key.write_bytes(data)
    done = main_here("decrypt", str(secret), "-k", str(key), "--insecure", *options)
    words = {"other p": "p * q", "wrong passphrase": "wrong passphrase", "cut": "not JSON", "flipped": "checksum"}
    fails(done, words[fault])
    for prime, text in ((private_key.p, fields["p"]), (private_key.q, fields["q"])):
        assert not any(form in done.stderr for form in (str(prime), f"{prime:x}", text))


# Pipes and signals ----------------------------------------------------------------------------------------------


def test_h68_a_reader_that_left_causes_no_traceback(tmp_path, key_files):
    key, pub = key_files
    public_key = PublicKey.load(pub, insecure=True)
    public_key.encrypt(np.arange(2000)).save(tmp_path / "x")
    np.save(tmp_path / "x.npy", np.arange(500))
    for call in (["decrypt", "x", "-k", key], ["encrypt", "x.npy", "-k", pub, "-o", "-"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "-m", "vecphe", *call, "--insecure"],
            stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        os.close(writing)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "roken" not in done.stderr


def test_h60_ctrl_c_in_key_generation(start_command, tmp_path):
    import signal

    search = "vecphe.keys.generation.random_prime_pair"
    process = start_command("keygen", "-o", str(tmp_path / "key"), "--key-length", "16384", until=search)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr == "interrupted\n"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "args",
    [
        ["decrypt", "-", "-k", "KEY"],
        pytest.param(["encrypt", "-", "-k", "KEY.pub", "-o", "out"], marks=pytest.mark.slow),
    ],
)
def test_a_closed_standard_input_is_one_line(tmp_path, key_files, args):
    args = [arg.replace("KEY", key_files[0]) for arg in args]
    call = " ".join([sys.executable, "-m", "vecphe", *args, "--insecure"])
    done = subprocess.run(["sh", "-c", f"{call} <&-"], capture_output=True, text=True, check=False, cwd=tmp_path)
    fails(done, "standard input is closed")


# phe's files ----------------------------------------------------------------------------------------------------


def run_phe(*args):
    done = CliRunner().invoke(phe_cli, [str(arg) for arg in args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_keys_that_phes_command_line_wrote_work_here(main_here, tmp_path, data):
    key, pub, out = tmp_path / "key", tmp_path / "pub", str(tmp_path / "out")
    run_phe("genpkey", "--keysize", 512, key)
    run_phe("extract", key, pub)
    succeeds(main_here("encrypt", data, "-k", str(pub), "-o", out, "--insecure"))
    assert (
        np.loadtxt(
            io.StringIO(main_here("decrypt", out, "-k", str(key), "--insecure").stdout), delimiter=",", skiprows=1
        ).tolist()
        == VALUES
    )
    number = tmp_path / "number"
    run_phe("encrypt", pub, "2.5", "--output", number)
    content = json.loads(number.read_text())
    private_key = PrivateKey.from_jwk(key.read_text(), insecure=True)
    theirs = phe.EncryptedNumber(private_key.public_key.to_phe(phe), int(content["v"]), content["e"])
    assert private_key.decrypt(vecphe.from_phe(private_key.public_key, theirs)) == 2.5


def test_phes_command_line_reads_keys_made_here(main_here, tmp_path):
    key, pub, number = tmp_path / "key", tmp_path / "key.pub", tmp_path / "number"
    succeeds(main_here("keygen", "-o", str(key), "--form", "jwk", *SHORT))
    run_phe("extract", key, tmp_path / "extracted")
    assert (tmp_path / "extracted").read_bytes() == pub.read_bytes()
    run_phe("encrypt", pub, "2.5", "--output", number)
    assert run_phe("decrypt", key, number).splitlines()[-1] == "2.5"


@pytest.mark.parametrize("engine", [name for name, why_not in available_engines() if why_not is None])
def test_commands_compute_on_the_engine_that_is_named(main_here, tmp_path, monkeypatch, engine):
    used, on = [], KeyContext.on.__func__

    def noted(cls, numbers, name=None):
        used.append(on(cls, numbers, name).engine.name)
        return on(cls, numbers, name)

    monkeypatch.setattr(KeyContext, "on", classmethod(noted))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("1.5\n-2\n")
    succeeds(main_here("keygen", "--out", "k", *SHORT))
    for command in (
        ("encrypt", "x.csv", "--key", "k.pub", "--out", "x.enc"),
        ("add", "x.enc", "x.enc", "--key", "k.pub", "--out", "sum.enc"),
        ("decrypt", "sum.enc", "--key", "k", "--out", "sum.csv"),
    ):
        used.clear()
        succeeds(main_here(*command, "--insecure", "--engine", engine))
        assert set(used) == {engine}
        refused = main_here(*command, "--insecure", "--force", "--engine", "warp")
        assert refused.returncode == 2
        assert "no engine is called 'warp'; choose one of ifma" in refused.stderr
        assert "k.pub" not in refused.stderr
    assert (tmp_path / "sum.csv").read_text() == "3.0\n-4.0\n"


def test_packed_files_that_do_not_add_say_how_they_would(main_here, tmp_path, key_files):
    key, pub = key_files

    def encrypted(name, text, *options):
        (tmp_path / f"{name}.csv").write_text(text)
        out = str(tmp_path / name)
        succeeds(main_here("encrypt", str(tmp_path / f"{name}.csv"), "-k", pub, "-o", out, "--insecure", *options))
        return out

    floats = encrypted("floats", "1.5\n2\n", "--packed")
    integers = encrypted("integers", "1\n2\n", "--packed")
    out = str(tmp_path / "out")
    add = ("add", "-k", pub, "-o", out, "--insecure", "--force")
    fails(main_here(*add, integers, floats), "one of them with a decimal point (1.0 for 1), or all with --unpacked")
    fails(main_here(*add, floats, integers), "one of them with a decimal point (1.0 for 1), or all with --unpacked")
    succeeds(main_here(*add, encrypted("again", "1.0\n2\n", "--packed"), floats))
    assert succeeds(main_here("decrypt", out, "-k", key, "--insecure")).split() == ["2.5", "4.0"]
    exact = [encrypted(f"u{name}", text, "--unpacked") for name, text in (("i", "1\n2\n"), ("f", "1.5\n2\n"))]
    succeeds(main_here(*add, *exact))
    assert succeeds(main_here("decrypt", out, "-k", key, "--insecure")).split() == ["2.5", "4.0"]
    fails(main_here(*add, exact[1], floats), "one is packed and the other is not")
    fails(main_here(*add, encrypted("wide", "1.5\n2\n", "--packed", "--max-abs", "99"), floats), "another --max-abs")
    fails(main_here(*add, *[floats] * 256), "packed files hold sums of 255; encrypt with --unpacked")
    succeeds(main_here(*add, *[floats] * 255))
