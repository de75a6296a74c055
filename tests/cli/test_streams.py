"""Files, standard streams and passphrases, each at the edges of what is taken."""

from __future__ import annotations

import getpass
import io
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from vecphe import PrivateKey, PublicKey
from vecphe.cli import streams
from vecphe.errors import EngineUnavailableError, InvalidKeyError, SerializationError
from vecphe.serialization import KEY_FILE_BYTES
from vecphe.serialization.frames import MAGIC

Keypair = tuple[PublicKey, PrivateKey]


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
