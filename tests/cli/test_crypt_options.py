"""Every option of the commands on files reaches what it is for, by every way in and out that they have."""

from __future__ import annotations

import io
import os
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecphe
from vecphe import EncryptedArray, PrivateKey, PublicKey
from vecphe.cli import crypt, streams
from vecphe.data.problems import told_indices
from vecphe.plaintext.encoding import FixedPoint
from vecphe.serialization import frame_with_columns, passphrase

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


# What is said to the letter -------------------------------------------------------------------------------------------


@pytest.fixture
def files(place: Path, keypair: tuple[PublicKey, PrivateKey], other_keypair: tuple[PublicKey, PrivateKey]) -> Path:
    """More files: packed ones, of other bounds, shapes and keys."""
    key = keypair[0]
    named = key.encrypt([[1, 2]]).to_bytes()
    for name, columns in (("ab", ("a", "b")), ("ba", ("b", "a"))):
        (place / name).write_bytes(frame_with_columns(named, columns))
    (place / "unnamed").write_bytes(named)
    floats, integers = FixedPoint(max_abs=1 << 15), FixedPoint(0, 1 << 55)
    for name, array in {
        "packed": key.encrypt([1.5, 2.0], packed=True, encoding=floats),
        "whole": key.encrypt([1, 2], packed=True, encoding=integers),
        "whole2": key.encrypt([1, 2], packed=True, encoding=replace(integers, max_abs=9)),
        "wide": key.encrypt([1.5, 2.0], packed=True, encoding=replace(floats, max_abs=9)),
        "full": key.encrypt([1.5, 2.0], packed=True, encoding=replace(floats, max_terms=1)),
        "row": key.encrypt([[1.5, -2.0]]),
        "other": other_keypair[0].encrypt([1.5, -2.0]),
    }.items():
        array.save(place / name)
    return place


DECIMAL = (
    "packed integers and packed floats do not add; encrypt the integers as floats, one of them with a decimal point "
    "(1.0 for 1), or all with --unpacked"
)
MIXED = "one is packed and the other is not; encrypt all with --packed, or all with --unpacked"
OTHER_BOUND = "it was encrypted with another --max-abs; encrypt all with the same"


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("a", "give two or more encrypted files to add"),
        ("a row", "row has shape (1, 2), those before it (2,)"),
        ("ab unnamed ba", "ba: its columns have other names, or another order, than before"),
        ("unnamed ab ba", "ba: its columns have other names, or another order, than before"),
        ("a packed", f"packed: {MIXED}"),
        ("packed a", f"a: {MIXED}"),
        ("packed whole", f"whole: {DECIMAL}"),
        ("whole packed", f"packed: {DECIMAL}"),
        ("packed wide", f"wide: {OTHER_BOUND}"),
        ("whole whole2", f"whole2: {OTHER_BOUND}"),
        (
            "full full",
            "full: it would be one too many: packed files hold sums of 1; encrypt with --unpacked what is to be added "
            "more often",
        ),
    ],
)
def test_why_files_do_not_add(main_here: Here, files: Path, added: str, told: str) -> None:
    done = main_here("add", *added.split(), "-k", "key.pub", "-o", "out", "--insecure")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"error: {told}"
    assert not (files / "out").exists()


def test_files_of_another_key_do_not_add(main_here: Here, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "another key" in main_here("add", "a", "other", "-k", "key.pub", "-o", "out", "--insecure").stderr
    feed(monkeypatch, "row")
    done = main_here("add", "a", "-", "-k", "key.pub", "-o", "out", "--insecure")
    assert done.stderr.endswith("error: standard input has shape (1, 2), those before it (2,)\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("keygen", "-o", "-"), "the private key goes to a pipe: give --public FILE for the public one"),
        (("keygen", "-o", "-", "--public", "-"), "the public key needs a file of its own: give --public FILE"),
        (("keygen", "-o", "k", "--public", "-"), "the public key needs a file of its own: give --public FILE"),
        (("keygen", "-o", "k", "--public", "./k"), "the public key needs a file of its own: give --public FILE"),
        (("keygen", "-o", "key"), "key exists; use --force to replace it"),
        (("keygen", "-o", "k", "--public", "a"), "a exists; use --force to replace it"),
        (
            ("keygen", "-o", "k", "--form", "jwk", "--passphrase-file", "words"),
            "a JSON Web Key is never encrypted; leave out the passphrase, or take another --form",
        ),
        (
            ("keygen", "-o", "k", "--form", "jwk", "--passphrase"),
            "a JSON Web Key is never encrypted; leave out the passphrase, or take another --form",
        ),
        (
            ("keygen", "-o", "k", "--passphrase", "--passphrase-file", "words"),
            "--passphrase asks for it, --passphrase-file reads it: give one of them",
        ),
        (("decrypt", "a", "-k", "key", "-o", "x"), "x: name it .csv or .npy, or choose with --form"),
        (("decrypt", "a", "-k", "key", "-o", "x.txt"), "x.txt: name it .csv or .npy, or choose with --form"),
        *(
            (
                ("encrypt", "plain.csv", "-k", "key.pub", "-o", "x", "--max-abs", bound),
                f"--max-abs must be positive and finite, and at least 1 for integers, not {shown}",
            )
            for bound, shown in (("0", "0.0"), ("-1", "-1.0"), ("inf", "inf"), ("nan", "nan"))
        ),
        (
            ("encrypt", "named.csv", "-k", "key.pub", "-o", "x", "--max-abs", "0.5"),
            "--max-abs must be positive and finite, and at least 1 for integers, not 0.5",
        ),
        (
            ("encrypt", "plain.csv", "-k", "key.pub", "-o", "x", "--packed", "--max-abs", "1e200"),
            "magnitudes up to 1e+200 do not fit this key of 512 bits; give less with --max-abs, or take a longer key",
        ),
        (
            ("encrypt", "plain.csv", "-k", "key.pub", "-o", "x", "--max-abs", "1.75"),
            "plain.csv, line 2, column 1: a magnitude beyond 1.75; give the largest one with --max-abs",
        ),
    ],
)
def test_what_is_refused_is_told_to_the_letter(
    main_here: Here, files: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    """Before a key is made, and before anything is written."""
    (files / "words").write_text("word")
    (files / "words").chmod(0o600)
    monkeypatch.setattr(streams, "_ask", lambda prompt: "word")
    monkeypatch.setattr("vecphe.keys.generate_keypair", lambda *_: pytest.fail("a key was made"))
    monkeypatch.delenv("VECPHE_PASSPHRASE_FILE", raising=False)
    before = sorted(path.name for path in files.iterdir())
    done = main_here(*arguments, "--insecure")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"error: {told}"
    assert sorted(path.name for path in files.iterdir()) == before


def test_a_web_key_and_the_variable_of_a_passphrase(
    main_here: Here, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "words").write_text("word")
    (place / "words").chmod(0o600)
    monkeypatch.setenv("VECPHE_PASSPHRASE_FILE", "words")
    done = main_here("keygen", "-o", "k", "--form", "jwk", "--insecure")
    told = "a JSON Web Key is never encrypted; unset VECPHE_PASSPHRASE_FILE, or take another --form"
    assert (done.returncode, done.stderr) == (2, f"error: {told}\n")


def test_a_terminal_is_seen_before_a_passphrase_is_asked_for(
    main_here: Here, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_ask", lambda prompt: pytest.fail("asked"))
    monkeypatch.setattr(sys, "stdout", Screen(True))
    done = main_here("keygen", "-o", "-", "--public", "p", "--passphrase", "--insecure")
    assert (done.returncode, done.stderr) == (2, f"error: {PRIVATE}\n")


def test_what_was_done_with_a_table_is_told(main_here: Here, place: Path) -> None:
    for text, notes in (
        ("a,b\n1,2\n", ["x.csv, line 1 is taken as a header"]),
        ("1,2\n", []),
        (
            "a,a\n1,2\n",
            [
                "x.csv, line 1 is taken as a header",
                "x.csv: its names are not kept, for one stands twice or is not printable",
            ],
        ),
        (
            "a,b\x7f\n1,2\n",
            [
                "x.csv, line 1 is taken as a header",
                "x.csv: its names are not kept, for one stands twice or is not printable",
            ],
        ),
        (",a\n0,5\n1,6\n", [f"x.csv: {told_indices(range(1, 2))}", "x.csv, line 1 is taken as a header"]),
    ):
        (place / "x.csv").write_text(text)
        done = main_here("encrypt", "x.csv", "-k", "key.pub", "-o", "x", "--insecure", "--force")
        assert done.returncode == 0, done.stderr
        told = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
        assert told == [f"note: {note}" for note in notes]


@pytest.mark.parametrize(
    ("arguments", "bars"),
    [
        ("encrypt plain.csv -k key.pub -o out", [("encrypting", 2)]),
        ("encrypt plain.csv -k key.pub -o out --packed", [("encrypting", 1)]),
        ("encrypt named.csv -k key.pub -o out", [("encrypting", 2)]),
        ("encrypt named.csv -k key.pub -o out --packed", [("encrypting", 1)]),
        ("add a a.json -k key.pub -o out", [("adding", 2, [1, 1]), ("re-randomising", 2)]),
        ("add packed packed packed -k key.pub -o out", [("adding", 3, [1, 1, 1]), ("re-randomising", 1)]),
        ("decrypt a -k key -o out.csv", [("decrypting", 2)]),
        ("decrypt packed -k key -o out.npy", [("decrypting", 1)]),
        ("decrypt a.json -k key -o out.csv", [("decrypting", 2)]),
    ],
)
def test_bars_are_as_long_as_the_work(
    main_here: Here, files: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, bars: list[Any]
) -> None:
    seen: list[Any] = []

    @contextmanager
    def bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
        moved: list[int] = []
        yield moved.append
        seen.append((name, total, moved))

    @contextmanager
    def ciphertexts_bar(name: str, total: int) -> Iterator[None]:
        yield
        seen.append((name, total))

    monkeypatch.setattr("vecphe.cli.progress.bar", bar)
    monkeypatch.setattr("vecphe.cli.progress.ciphertexts_bar", ciphertexts_bar)
    done = main_here(*arguments.split(), "--insecure")
    assert done.returncode == 0, done.stderr
    assert seen == bars


STREAMED = {
    "encrypt": ("encrypt", "-", "-k", "key.pub", "-o", "out"),
    "add": ("add", "a", "-", "-k", "key.pub", "-o", "out"),
    "decrypt": ("decrypt", "-", "-k", "key", "-o", "out.csv"),
    "inspect": ("inspect", "-"),
}


@pytest.mark.parametrize("command", STREAMED)
def test_a_stream_that_is_none_and_one_of_something_else(
    main_here: Here, place: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    more = [] if command == "inspect" else ["--insecure"]
    (place / "garbage").write_bytes(b"\x00\xff\xfe\x9c")
    monkeypatch.setattr(sys, "stdin", None)
    done = main_here(*STREAMED[command], *more)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "error: the standard input is closed")
    feed(monkeypatch, "garbage")
    done = main_here(*STREAMED[command], *more)
    wanted = {"encrypt": "neither UTF-8 text nor a .npy file", "inspect": "not a key or an encrypted file"}
    told = f"error: standard input: {wanted.get(command, 'not an encrypted file')}"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(told)
    if command == "encrypt":
        (place / "wide").write_text(CSV, encoding="utf-16-le")
        feed(monkeypatch, "wide")
        done = main_here(*STREAMED[command], "--encoding", "utf-16-le", *more)
        assert done.returncode == 0, done.stderr
        arrived("encrypt", place, "out")
