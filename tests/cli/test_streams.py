"""Files, standard streams and passphrases, each at the edges of what is taken."""

from __future__ import annotations

import getpass
import io
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vecphe import PrivateKey, PublicKey
from vecphe.cli import streams
from vecphe.errors import EngineUnavailableError, InvalidKeyError, SerializationError
from vecphe.serialization import KEY_FILE_BYTES
from vecphe.serialization.frames import MAGIC

Keypair = tuple[PublicKey, PrivateKey]


def test_the_standard_input_is_read_once_and_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for inputs in ([], ["a"], ["-"], ["a", "-", "b"]):
        streams.check_streams(inputs)
    for inputs in (["-", "-"], ["-", "a", "-", "-"]):
        with pytest.raises(ValueError, match="only one input can be -, the standard input"):
            streams.check_streams(inputs)
    monkeypatch.setattr(sys, "stdin", None)
    streams.check_streams(["a", "b"])
    with pytest.raises(ValueError, match="the standard input is closed"):
        streams.check_streams(["a", "-"])


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (MAGIC, ""), (MAGIC + b"x", ""), (MAGIC[:3], ""), (b"{", ""), (b" \n{\"a\"", ""), (b"  ", ""),
        (b"", "n: not an encrypted file; it is empty"), (b"a,b", "n: not an encrypted file"),
        (b"[1]", "n: not an encrypted file"), (MAGIC[:-1] + b"x", "n: not an encrypted file"),
    ],
)  # fmt: skip
def test_h63_first_bytes_that_no_file_of_ours_has(start: bytes, told: str) -> None:
    for wanted in ("an encrypted file", "a key"):
        if told:
            with pytest.raises(ValueError, match="n: ") as caught:
                streams.check_frame_start(start, "n", *([] if wanted.startswith("an") else [wanted]))
            assert str(caught.value) == told.replace("an encrypted file", wanted)
        else:
            streams.check_frame_start(start, "n", wanted)


class Stdout(io.TextIOWrapper):
    """A standard output over a file, that says to be a terminal or not."""

    is_terminal = False

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Stdout]:
    with Stdout((tmp_path / "out").open("wb"), encoding="utf-8") as screen:
        yield screen


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, True), (0o604, True), (0o700, False),
                                               (0o610, True), (0o602, True)])  # fmt: skip
def test_h67_a_private_key_goes_where_its_owner_alone_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screen: Stdout, mode: int, is_open: bool
) -> None:
    file = tmp_path / "out"
    file.chmod(mode)
    monkeypatch.setattr(sys, "stdout", screen)
    streams.check_private_place(str(file))
    if is_open:
        for place in (streams.check_private_place, lambda path: streams.write_private(path, b"key", False)):
            with pytest.raises(ValueError, match="file") as caught:
                place("-")
            assert str(caught.value) == (
                "the standard output is a file that others can read; name a file with --out instead"
            )
        assert file.read_bytes() == b""
    else:
        print("before", end=" ")
        streams.write_private("-", b"key", False)
        assert file.read_bytes() == b"before key"
    screen.is_terminal = True
    with pytest.raises(ValueError, match="terminal") as caught:
        streams.check_private_place("-")
    assert str(caught.value) == "a private key is not shown on a terminal; name a file with --out"


def test_a_pipe_takes_a_private_key(monkeypatch: pytest.MonkeyPatch, screen: Stdout) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(screen, "fileno", lambda: writer)
    monkeypatch.setattr(sys, "stdout", screen)
    os.fchmod(writer, 0o666)
    streams.check_private_place("-")
    os.close(reader)
    os.close(writer)


def test_what_is_written_names_the_standard_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, screen: Stdout
) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Full()))
    with pytest.raises(OSError, match="standard output"):
        streams.write_output("-", b"data", False)
    monkeypatch.setattr(sys, "stdout", screen)
    screen.is_terminal = True
    streams.write_output("-", b"text", False, binary=False)
    with pytest.raises(ValueError, match="terminal") as caught:
        streams.write_output("-", b"data", False)
    assert str(caught.value) == "the standard output is a terminal; redirect it, or name a file with --out"
    assert (tmp_path / "out").read_bytes() == b"text"


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o077])
def test_h67_new_files_have_the_permissions_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        streams.write_output(str(tmp_path / "a"), b"1", False)
        streams.write_output(str(tmp_path / "b"), b"1", False, mode=0o600)
        streams.write_private(str(tmp_path / "c"), b"1", False)
    finally:
        os.umask(old)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in "abc"]
    assert modes == [0o666 & ~umask, 0o600 & ~umask, 0o600]


def test_h67_what_others_can_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], keypair: Keypair
) -> None:
    monkeypatch.setattr(streams, "is_open_to_others", lambda path: True)
    words, key = tmp_path / "words", tmp_path / "key"
    words.write_text("word")
    streams.new_passphrase(False, words)
    streams.write_private(str(key), keypair[1].to_bytes(), False)
    streams.load_private_key(key, None, True)
    assert capsys.readouterr().err == "".join(
        f"warning: others can read the {what} in {path}; chmod 600 {path}\n"
        for what, path in (("passphrase", words), ("private key", key), ("private key", key))
    )
    monkeypatch.setattr(streams, "is_open_to_others", lambda path: False)
    streams.load_private_key(key, None, True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "passphrase"),
    [
        (b"word", "word"),
        (b"word\n", "word"),
        (b"word\r\nmore\n", "word"),
        (b"word\r", "word"),
        (b"w\rd\r\r\n", "w\rd\r"),
        ("Größe \n".encode(), "Größe "),
        (b"x" * 4096, "x" * 4096),
        (b"x" * 4095 + b"\n", "x" * 4095),
    ],
)
def test_a_passphrase_is_the_first_line_of_a_file(tmp_path: Path, content: bytes, passphrase: str) -> None:
    file = tmp_path / "words"
    file.write_bytes(content)
    file.chmod(0o600)
    assert streams._passphrase_from(file) == passphrase == streams.new_passphrase(False, file)
    assert streams._passphrase_from(None) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\nword", b"\xff\n", b"\xe4"])
def test_h67_a_first_line_that_is_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "words"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="first line") as caught:
        streams._passphrase_from(file)
    assert str(caught.value) == f"{file}: its first line is to be the passphrase, in UTF-8, and is not"


def test_h67_a_file_that_is_no_passphrase_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "words"
    file.write_bytes(b"x" * 4097)
    with pytest.raises(OSError, match="longer than the 4096 bytes that it can have"):
        streams._passphrase_from(file)


def test_the_environment_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, other = tmp_path / "words", tmp_path / "others"
    for path, content in ((file, "word"), (other, "other")):
        path.write_text(content)
        path.chmod(0o600)
    monkeypatch.delenv(streams.PASSPHRASE_VARIABLE, raising=False)
    assert streams.new_passphrase(False, None) is None
    monkeypatch.setenv(streams.PASSPHRASE_VARIABLE, "")
    assert streams.new_passphrase(False, None) is None
    monkeypatch.setenv("VECPHE_PASSPHRASE_FILE", str(file))
    assert streams.new_passphrase(False, None) == "word"
    assert streams.new_passphrase(False, other) == "other"


NO_TERMINAL = (
    "there is no terminal to ask for the passphrase on; "
    "give a file with --passphrase-file, or name it in VECPHE_PASSPHRASE_FILE"
)


def test_h67_what_would_be_shown_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(prompt: str) -> str:
        warnings.warn("it would be echoed", getpass.GetPassWarning, stacklevel=1)
        return "word"

    def nobody(prompt: str) -> str:
        raise EOFError

    for ask, told in ((shown, NO_TERMINAL), (nobody, NO_TERMINAL), (lambda prompt: "", "the passphrase is empty")):
        monkeypatch.setattr(getpass, "getpass", ask)
        with pytest.raises(ValueError, match="passphrase") as caught:
            streams.new_passphrase(True, None)
        assert str(caught.value) == told


def test_a_new_passphrase_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(getpass, "getpass", lambda prompt: [asked.append(prompt), "word"][1])
    assert streams.new_passphrase(True, None) == "word"
    assert asked == ["Passphrase for the new private key: ", "The same again: "]


def test_h63_the_start_is_checked_before_the_rest_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"content")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"content"))))

    def refuse(start: bytes) -> None:
        assert start == b"content"
        raise ValueError("refused")

    for path in (str(file), "-"):
        with pytest.raises(ValueError, match="refused"):
            streams.read_input(path, refuse)
        assert streams.read_input(path, lambda start: None) == b"content"


def test_a_file_of_an_array_is_known_by_its_first_bytes(keypair: Keypair, tmp_path: Path) -> None:
    public_key, private_key = keypair
    array = public_key.encrypt([1])
    contents = {
        "array": array.to_bytes(), "start": array.to_bytes()[:10], "short": array.to_bytes()[:9], "empty": b"",
        "json": array.to_json().encode(), "public": public_key.to_bytes(), "private": private_key.to_bytes(),
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert streams.is_array_file(str(tmp_path / name)) is (name in ("array", "start"))
    for path in ("-", str(tmp_path), str(tmp_path / "missing")):
        assert streams.is_array_file(path) is False


def test_a_number_of_phe_is_short(public_key: PublicKey) -> None:
    number = b'{"v": "5", "e": 0}'
    assert streams._is_number_of_phe(number.ljust(KEY_FILE_BYTES - 1)) is True
    for other in (number.ljust(KEY_FILE_BYTES), MAGIC + number, b"[]", b'["v", "e"]', b'{"v": 5}', b"5", b'{"v": 1,'):
        assert streams._is_number_of_phe(other) is False


def test_a_web_key_is_tried_as_such() -> None:
    for data, is_one in ((b'{"kty": 1}', True), (b"{}", False), (b'"kty"', True), (MAGIC + b'{"kty": 1}', False)):
        assert streams.is_jwk(data) is is_one


def test_a_file_is_named_in_what_is_wrong_with_it() -> None:
    for error, told in (
        (SerializationError("the checksum is wrong"), "a/b: the checksum is wrong"),
        (MemoryError(), "a/b: not enough memory for what it asks for"),
    ):
        with pytest.raises(ValueError, match="a/b") as caught, streams.naming("a/b"):
            raise error
        assert str(caught.value) == told
        assert caught.value.__suppress_context__
    with pytest.raises(KeyError), streams.naming("a/b"):
        raise KeyError("x")


def key_files(keypair: Keypair, folder: Path) -> dict[str, Path]:
    for half, key in zip(("public", "private"), keypair, strict=True):
        for form, content in (
            ("binary", key.to_bytes()),
            ("json", key.to_json().encode()),
            ("jwk", key.to_jwk().encode()),
        ):
            (folder / f"{half}-{form}").write_bytes(content)
            (folder / f"{half}-{form}").chmod(0o600)
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize("form", ["binary", "json", "jwk"])
def test_keys_in_every_form(keypair: Keypair, tmp_path: Path, form: str) -> None:
    files = key_files(keypair, tmp_path)
    public, private = files[f"public-{form}"], files[f"private-{form}"]
    loaded = streams.load_public_key(public, True, "gmp")
    assert (loaded, loaded._context.engine.name) == (keypair[0], "gmp")
    own = streams.load_private_key(private, None, True, engine="gmp")
    assert (own, own.public_key._context.engine.name) == (keypair[1], "gmp")
    for load, path in (
        (lambda path: streams.load_public_key(path, False), public),
        (lambda path: streams.load_private_key(path, None, False), private),
    ):
        with pytest.raises(ValueError, match="insecure") as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: ")
    for load in (
        streams.load_public_key,
        lambda path, *rest: streams.load_private_key(path, None, *rest, engine="warp"),
    ):
        with pytest.raises((EngineUnavailableError, ValueError), match="no engine is called 'warp'") as told:
            load(tmp_path / "missing", True, *(["warp"] if load is streams.load_public_key else []))
        assert "missing" not in str(told.value)


def test_h13_keys_in_each_others_place_are_told_by_the_option(keypair: Keypair, tmp_path: Path) -> None:
    files = key_files(keypair, tmp_path)
    array = keypair[0].encrypt([1]).to_bytes()
    for data, told in (
        (files["private-json"].read_bytes(), "a private key, but --key wants the file of the public key"),
        (array, "an encrypted array, but --key wants the file of the public key"),
    ):
        with pytest.raises(InvalidKeyError, match=f"^{told}$"):
            streams._key_frame(data, "--key", "public", streams.Kind.PUBLIC_KEY)
    with pytest.raises(ValueError, match="a public key, but PRIVATE wants the file of the private key"):
        streams.load_private_key(files["public-binary"], None, True, "PRIVATE")
    with pytest.raises(ValueError, match="a public key, but --key wants the file of the private key"):
        streams.load_private_key(files["public-binary"], None, True)
    told = "a key comes from a file, not from - (the standard input): name that file"
    with pytest.raises(ValueError, match="a key comes from") as caught:
        streams.load_public_key(Path("-"), True)
    assert str(caught.value) == told
    long = tmp_path / "long"
    long.write_bytes(b" " * (KEY_FILE_BYTES + 1))
    with pytest.raises(OSError, match=f"longer than the {KEY_FILE_BYTES} bytes"):
        streams.load_public_key(long, True)


def test_what_is_no_array_is_called_what_it_is(keypair: Keypair, tmp_path: Path) -> None:
    files = key_files(keypair, tmp_path)
    (tmp_path / "number").write_text(json.dumps({"v": "5", "e": 0}))
    (tmp_path / "latin").write_bytes(b"{\xe4}")
    told: dict[Any, str] = {
        files["public-json"]: "a public key, not an encrypted file",
        files["private-binary"]: "a private key, not an encrypted file",
        tmp_path / "number": "a number that pheutil encrypted; work on it with vecphe pheutil",
        tmp_path / "latin": "neither vecphe's binary form nor UTF-8 text",
    }
    for path, message in told.items():
        with pytest.raises(ValueError, match="a") as caught:
            streams.read_array(keypair[0], str(path))
        assert str(caught.value) == f"{path}: {message}"
