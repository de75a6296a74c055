"""Every option of the commands on files reaches what it is for, by every way in and out that they have."""

from __future__ import annotations

import io
import os
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecphe
from vecphe import EncryptedArray, PrivateKey, PublicKey
from vecphe.cli import crypt, streams
from vecphe.serialization import passphrase

Here = Callable[..., Any]
CSV, NAMED, NPY = "1.5\n-2.0\n", "a,b\n1,2\n", "x.npy"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keypair: tuple[PublicKey, PrivateKey]) -> Iterator[Path]:
    """A directory of keys and files of every kind, which a command runs in."""
    public_key, private_key = keypair
    private_key.save(tmp_path / "key")
    public_key.save(tmp_path / "key.pub")
    (tmp_path / "plain.csv").write_text(CSV)
    (tmp_path / "named.csv").write_text(NAMED)
    np.save(tmp_path / NPY, [1.5, -2.0])
    public_key.encrypt([1.5, -2.0]).save(tmp_path / "a")
    public_key.encrypt([1.5, -2.0]).save(tmp_path / "a.json")
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    yield tmp_path
    os.umask(before)


def feed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What stands in a file comes from the standard input."""
    data = io.BytesIO(Path(name).read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(data)))  # type: ignore[type-var]


# The arguments, the output, the input if it is a stream, and the permissions of a new output.
WAYS: dict[str, tuple[tuple[str, ...], str, str, int]] = {
    "encrypt": (("encrypt", "plain.csv", "-k", "key.pub"), "out", "", 0o644),
    "encrypt names": (("encrypt", "named.csv", "-k", "key.pub"), "out", "", 0o644),
    "encrypt npy": (("encrypt", NPY, "-k", "key.pub"), "out", "", 0o644),
    "encrypt stream": (("encrypt", "-", "-k", "key.pub"), "out", "plain.csv", 0o644),
    "add": (("add", "a", "a", "-k", "key.pub"), "out", "", 0o644),
    "add stream": (("add", "-", "a.json", "-k", "key.pub"), "out", "a", 0o644),
    "decrypt csv": (("decrypt", "a", "-k", "key"), "out.csv", "", 0o600),
    "decrypt npy": (("decrypt", "a", "-k", "key"), "out.npy", "", 0o600),
    "decrypt json": (("decrypt", "a.json", "-k", "key"), "out.csv", "", 0o600),
    "decrypt json to npy": (("decrypt", "a.json", "-k", "key"), "out.npy", "", 0o600),
    "decrypt stream": (("decrypt", "-", "-k", "key", "--form", "npy"), "out", "a", 0o600),
    "pubkey": (("pubkey", "key"), "out", "", 0o644),
    "keygen": (("keygen", "--key-length", "512"), "out", "", 0o600),
}


def arrived(command: str, place: Path, out: str) -> None:
    """The output is whole, and what was asked for."""
    if command.startswith("decrypt"):
        values = np.load(place / out) if (place / out).read_bytes()[:1] == b"\x93" else np.loadtxt(place / out)
        assert values.tolist() == [1.5, -2.0]
    elif command == "pubkey":
        assert PublicKey.load(place / out, insecure=True) == PublicKey.load(place / "key.pub", insecure=True)
    elif command == "keygen":
        assert PrivateKey.load(place / out, insecure=True)
        assert PublicKey.load(place / f"{out}.pub", insecure=True)
    else:
        key = PrivateKey.load(place / "key", insecure=True)
        times, names = 2 if "add" in command else 1, "names" in command
        wanted = [[1, 2]] if names else [1.5 * times, -2.0 * times]
        array = EncryptedArray.load(key.public_key, place / out)
        assert array.shape == (1, 2) if names else array.size == 2
        assert key.decrypt(array).ravel().tolist() == np.ravel(wanted).tolist()


@pytest.mark.parametrize("command", WAYS)
def test_h64_h67_an_output_is_replaced_where_that_is_asked_for_and_keeps_its_permissions(
    main_here: Here, place: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    arguments, out, source, mode = WAYS[command]

    def run(*more: str) -> Any:
        if source:
            feed(monkeypatch, source)
        return main_here(*arguments, "-o", out, "--insecure", *more)

    done = run()
    assert done.returncode == 0, done.stderr
    arrived(command, place, out)
    assert stat.S_IMODE((place / out).stat().st_mode) == mode
    (place / out).write_text("precious")
    refused = run()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"error: {out} exists; use --force to replace it\n" in refused.stderr
    assert (place / out).read_text() == "precious"
    (place / out).chmod(0o640)
    assert run("--force").returncode == 0
    arrived(command, place, out)
    assert stat.S_IMODE((place / out).stat().st_mode) == (0o600 if command == "keygen" else 0o640)


class Screen(io.TextIOWrapper):
    """A standard output, a terminal or not, without a file behind it."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self.is_terminal, self.sink = is_terminal, os.open(os.devnull, os.O_WRONLY)

    def isatty(self) -> bool:
        return self.is_terminal

    def fileno(self) -> int:
        return self.sink


BINARY = "the standard output is a terminal; redirect it, or name a file with --out"
PRIVATE = "a private key is not shown on a terminal; name a file with --out"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("encrypt", "plain.csv", "-k", "key.pub", "-o", "-"), BINARY),
        (("add", "a", "a", "-k", "key.pub", "-o", "-"), BINARY),
        (("decrypt", "a", "-k", "key", "--form", "npy"), BINARY),
        (("decrypt", "a", "-k", "key", "--form", "csv"), ""),
        (("decrypt", "a", "-k", "key"), ""),
        (("pubkey", "key", "-o", "-"), BINARY),
        (("pubkey", "key", "-o", "-", "--form", "json"), ""),
        (("pubkey", "key", "-o", "-", "--form", "jwk"), ""),
        (("keygen", "--key-length", "512", "-o", "-", "--public", "new"), PRIVATE),
        (("keygen", "--key-length", "512", "-o", "-", "--public", "new", "--form", "json"), PRIVATE),
    ],
)
def test_h67_a_terminal_shows_text_and_no_private_key(
    main_here: Here, place: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    shown = {}
    for is_terminal in (True, False):
        monkeypatch.setattr(sys, "stdout", Screen(is_terminal))
        done = main_here(*arguments, "--insecure", *(["--force"] if "new" in arguments else []))
        shown[is_terminal] = sys.stdout.buffer.getvalue()  # type: ignore[attr-defined]
        assert done.returncode == (2 if told and is_terminal else 0), done.stderr
        assert (f"error: {told}\n" in done.stderr) == bool(told and is_terminal)
    assert shown[False]
    assert not shown[True] if told else shown[True] == shown[False]


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("encrypt", "plain.csv", "-k", "key.pub", "-o", "out"), "PublicKey.encrypt_chunks"),
        (("encrypt", "named.csv", "-k", "key.pub", "-o", "out"), "PublicKey.encrypt"),
        (("decrypt", "a", "-k", "key", "-o", "out.csv"), "PrivateKey.decrypt_chunks"),
        (("decrypt", "a", "-k", "key"), "PrivateKey.decrypt"),
    ],
)
def test_the_number_of_workers_arrives(
    main_here: Here, place: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], where: str
) -> None:
    kind, name = where.split(".")
    method, given = getattr(getattr(vecphe, kind), name), []

    def noted(self: Any, *args: Any, **options: Any) -> Any:
        given.append(options["n_jobs"])
        return method(self, *args, **{**options, "n_jobs": None})

    monkeypatch.setattr(getattr(vecphe, kind), name, noted)
    for more, wanted in (((), None), (("--jobs", "2"), 2), (("--jobs", "-1"), -1)):
        done = main_here(*arguments, "--insecure", *(["--force"] if "-o" in arguments else []), *more)
        assert done.returncode == 0, done.stderr
        assert given.pop() == wanted
    assert not given


@pytest.mark.parametrize("form", ["binary", "json"])
def test_h67_a_passphrase_arrives_and_is_needed(
    main_here: Here, place: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(passphrase, "LOG2_N", 10)
    (place / "words").write_text("open sesame\r\nmore\n")
    (place / "words").chmod(0o600)
    words = ("--passphrase-file", "words")
    done = main_here("keygen", "-o", "k", "--key-length", "512", "--insecure", "--form", form, *words)
    assert done.returncode == 0, done.stderr
    assert PrivateKey.load("k", passphrase="open sesame", insecure=True)
    PublicKey.load("k.pub", insecure=True).encrypt([7]).save("b")
    asked: list[str] = []
    monkeypatch.setattr(streams, "_ask", lambda prompt: asked.append(prompt) or "open sesame")
    for command in (("decrypt", "b", "-k", "k", "-o", "b.csv", "--force"), ("pubkey", "k", "-o", "p", "--force")):
        assert main_here(*command, "--insecure", *words).returncode == 0
        assert asked == []
        assert main_here(*command, "--insecure").returncode == 0
        assert asked.pop() == "Passphrase of k: "
        monkeypatch.setenv("VECPHE_PASSPHRASE_FILE", "words")
        assert main_here(*command, "--insecure").returncode == 0
        monkeypatch.delenv("VECPHE_PASSPHRASE_FILE")
        assert asked == []
    assert Path("b.csv").read_text() == "7\n"


@pytest.mark.parametrize("form", ["json", "jwk"])
def test_a_key_in_text_is_lines_with_one_end(main_here: Here, place: Path, form: str) -> None:
    assert main_here("pubkey", "key", "-o", "p", "--form", form, "--insecure").returncode == 0
    text = Path("p").read_text()
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
    assert PublicKey.load("key.pub", insecure=True) == streams.load_public_key(Path("p"), insecure=True)


def test_a_pair_of_short_keys_is_told_once(main_here: Here, place: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        done = main_here("keygen", "-o", "k", "--key-length", "512", "--insecure")
    assert (done.returncode, done.stderr) == (0, "warning: a 512-bit Paillier key is insecure: for tests only\n")
    assert done.stdout.startswith("private key: k\npublic key: k.pub\nfingerprint: ")
    assert main_here("keygen", "-o", "k2", "--key-length", "512", "--insecure", "--public", "p2").returncode == 0
    assert sorted(path.name for path in place.iterdir() if "2" in path.name) == ["k2", "p2"]


def test_what_the_pair_is_called_goes_beside_a_key_on_stdout(
    main_here: Here, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Screen(False))
    done = main_here("keygen", "-o", "-", "--public", "p", "--key-length", "512", "--insecure")
    assert done.stderr.startswith("private key: -\npublic key: p\nfingerprint: ")
    (place / "k").write_bytes(sys.stdout.buffer.getvalue())  # type: ignore[attr-defined]
    assert PrivateKey.load("k", insecure=True).public_key == PublicKey.load("p", insecure=True)


@pytest.mark.parametrize(("private", "told"), [("-", "on the standard output"), ("k", "in k")])
def test_h58_where_the_private_key_is_when_the_public_one_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, private: str, told: str
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "p")

    monkeypatch.setattr(streams, "write_output", failing)
    file = "FILE" if private == "-" else private
    with pytest.raises(ValueError, match="No space") as caught:
        crypt._write_public("p", b"", False, private)
    assert str(caught.value) == (
        f"p: No space left on device; the private key is whole {told}, "
        f"and vecphe pubkey {file} --out PUBLIC writes its public key"
    )


@pytest.mark.parametrize(
    ("count", "largest", "max_abs", "told"),
    [
        (499, 1.0, None, ""),
        (500, 1.0, None, "--packed would make 72 ciphertexts of these 500 values, about 6 times faster"),
        (500, 2.0**15, None, "--packed would make 72 "),
        (500, -(2.0**15), None, "--packed would make 72 "),
        (500, 2.0**15 + 1, None, "--packed --max-abs 65536 would make "),
        (500, -(2.0**15) - 1, None, "--packed --max-abs 65536 would make "),
        (500, 1.0, 2.0**60, "--packed would make 125 ciphertexts of these 500 values, about 4 times faster"),
        (501, 1.0, 2.0**60, ""),  # 126 ciphertexts: less than 4 times
        (500, 2.0**500, None, ""),  # not even one value a ciphertext
    ],
)
def test_packing_is_recommended_from_500_values_and_4_a_ciphertext(
    public_key: PublicKey, count: int, largest: float, max_abs: float | None, told: str
) -> None:
    values = np.zeros(count)
    values[7] = largest
    hint = crypt._packing_hint(public_key.n, values, max_abs)
    assert (hint or "").startswith(told)
    assert bool(hint) == bool(told)
