"""Files, standard streams and passphrases of commands. ``-`` is a standard stream."""

from __future__ import annotations

import getpass
import io
import json
import os
import stat
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from vecphe import EncryptedArray, PrivateKey, PublicKey
from vecphe.arithmetic import engine_for
from vecphe.errors import InvalidKeyError, SerializationError, VecpheError
from vecphe.serialization import KEY_FILE_BYTES, columns_of_frame, frame_from_json
from vecphe.serialization.frames import MAGIC, Kind, open_frame
from vecphe.system.files import is_open_to_others, read_file, replace_file

__all__ = [
    "PASSPHRASE_VARIABLE",
    "check_frame_start",
    "check_private_place",
    "check_streams",
    "frame_of",
    "is_array_file",
    "is_jwk",
    "load_private_key",
    "load_public_key",
    "naming",
    "new_passphrase",
    "read_array",
    "read_input",
    "write_output",
    "write_private",
]

PASSPHRASE_VARIABLE = "VECPHE_PASSPHRASE_FILE"
_LONGEST_PASSPHRASE = 1 << 12  # bytes
_CONTENTS = {
    Kind.PUBLIC_KEY: "a public key",
    Kind.PRIVATE_KEY: "a private key",
    Kind.SEALED_PRIVATE_KEY: "a private key",
    Kind.ARRAY: "an encrypted array",
}


def check_streams(inputs: Sequence[str]) -> None:
    """Raise ValueError if stdin is to be read twice, or is not there."""
    wanted = inputs.count("-")
    if wanted > 1:
        raise ValueError("only one input can be -, the standard input")
    if wanted and sys.stdin is None:
        raise ValueError("the standard input is closed")


def read_input(path: str, check: Callable[[bytes], None]) -> bytes:
    """The bytes of a file, or of stdin; `check` sees the first of them before a stream without end is read."""
    if path != "-":
        return read_file(path, check=check)
    stream = cast(io.BufferedReader, sys.stdin.buffer)
    check(stream.peek())
    return stream.read()


def check_frame_start(start: bytes, name: str, wanted: str = "an encrypted file") -> None:
    """Raise ValueError if a file with these first bytes is in none of vecphe's forms; it may go on without end."""
    binary, text = start[: len(MAGIC)] == MAGIC[: len(start)], start.lstrip()[:1] in (b"{", b"")
    if not start or not (binary or text):
        raise ValueError(f"{name}: not {wanted}" + ("; it is empty" if not start else ""))


def write_output(path: str, data: bytes, force: bool, *, binary: bool = True, mode: int = 0o666) -> None:
    """Write a file whole or not at all, or to stdout; binary data not to a terminal. `mode` is as in `replace_file`."""
    if path != "-":
        replace_file(path, data, force=force, mode=mode)
        return
    if binary and sys.stdout.isatty():
        raise ValueError("the standard output is a terminal; redirect it, or name a file with --out")
    _write_stdout(data)


def _write_stdout(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        error.filename = "standard output"
        raise


def check_private_place(path: str) -> None:
    """Raise ValueError if a private key written there could be read by others."""
    if path != "-":
        return
    if sys.stdout.isatty():
        raise ValueError("a private key is not shown on a terminal; name a file with --out")
    mode = os.fstat(sys.stdout.fileno()).st_mode
    if stat.S_ISREG(mode) and mode & 0o077:
        raise ValueError("the standard output is a file that others can read; name a file with --out instead")


def write_private(path: str, data: bytes, force: bool) -> None:
    """Write a private key to a file of mode 0600, or to a pipe on stdout."""
    check_private_place(path)
    if path == "-":
        _write_stdout(data)
        return
    replace_file(path, data, force=force, private=True)
    _warn_if_readable(path, "private key")  # some file systems have no modes


def _warn_if_readable(path: Path | str, content: str) -> None:
    if is_open_to_others(path):
        print(f"warning: others can read the {content} in {path}; chmod 600 {path}", file=sys.stderr)


def new_passphrase(ask: bool, file: Path | None) -> str | None:
    """The passphrase for a new key: typed twice, from a file, or none."""
    if ask and file is not None:
        raise ValueError("--passphrase asks for it, --passphrase-file reads it: give one of them")
    if not ask:
        return _passphrase_from(file or _named_file())
    passphrase = _ask("Passphrase for the new private key: ")
    if passphrase != _ask("The same again: "):
        raise ValueError("the passphrases differ")
    return passphrase


def _named_file() -> Path | None:
    name = os.environ.get(PASSPHRASE_VARIABLE)
    return Path(name) if name else None


def _passphrase_from(file: Path | None) -> str | None:
    """The first line of a file."""
    if file is None:
        return None
    line = read_file(file, _LONGEST_PASSPHRASE).partition(b"\n")[0].removesuffix(b"\r")
    try:
        passphrase = line.decode()
    except UnicodeDecodeError:
        passphrase = ""
    if not passphrase:
        raise ValueError(f"{file}: its first line is to be the passphrase, in UTF-8, and is not")
    _warn_if_readable(file, "passphrase")
    return passphrase


def _ask(prompt: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            passphrase = getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError):  # it would be echoed, or nobody types
            passphrase = None
    if passphrase is None:
        raise ValueError(
            "there is no terminal to ask for the passphrase on; "
            f"give a file with --passphrase-file, or name it in {PASSPHRASE_VARIABLE}"
        )
    if not passphrase:
        raise ValueError("the passphrase is empty")
    return passphrase


def load_public_key(path: Path, insecure: bool, engine: str | None = None) -> PublicKey:
    """A public key from a file in any of its forms: binary, JSON, JSON Web Key."""
    engine_for(1, engine)  # raises here: it is no fault of the file
    data = _read_key(path)
    with naming(path):
        if is_jwk(data):
            return PublicKey.from_jwk(data, insecure=insecure, engine=engine)
        frame = _key_frame(data, "--key", "public", Kind.PUBLIC_KEY)
        return PublicKey.from_bytes(frame, insecure=insecure, engine=engine)


def _read_key(path: Path) -> bytes:
    if str(path) == "-":
        raise ValueError("a key comes from a file, not from - (the standard input): name that file")
    return read_file(path, KEY_FILE_BYTES)


def _key_frame(data: bytes, option: str, wanted: str, *kinds: Kind) -> bytes:
    frame = frame_of(data)
    kind = open_frame(frame, *Kind).kind
    if kind not in kinds:
        raise InvalidKeyError(f"{_CONTENTS[kind]}, but {option} wants the file of the {wanted} key")
    return frame


def load_private_key(
    path: Path, passphrase_file: Path | None, insecure: bool, option: str = "--key", engine: str | None = None
) -> PrivateKey:
    """A private key from the file of an option, in any form; asks for a passphrase where it needs one and has none."""
    engine_for(1, engine)
    data = _read_key(path)
    with naming(path):
        key = _private_key(data, path, _passphrase_from(passphrase_file), insecure, option, engine)
    _warn_if_readable(path, "private key")
    return key


def _private_key(
    data: bytes, path: Path, passphrase: str | None, insecure: bool, option: str, engine: str | None
) -> PrivateKey:
    if is_jwk(data):
        if passphrase is not None:
            raise ValueError(f"{path} is not encrypted; leave out --passphrase-file if you trust it")
        return PrivateKey.from_jwk(data, insecure=insecure, engine=engine)
    frame = _key_frame(data, option, "private", Kind.PRIVATE_KEY, Kind.SEALED_PRIVATE_KEY)
    if passphrase is None and open_frame(frame, *Kind).kind is Kind.SEALED_PRIVATE_KEY:
        passphrase = _passphrase_from(_named_file()) or _ask(f"Passphrase of {path}: ")
    return PrivateKey.from_bytes(frame, passphrase=passphrase, insecure=insecure, engine=engine)


def read_array(public_key: PublicKey, path: str) -> tuple[EncryptedArray, tuple[str, ...]]:
    """An encrypted array from a file or stdin, in either form, and the names of its columns, if it has such."""
    name = "standard input" if path == "-" else path
    data = read_input(path, partial(check_frame_start, name=name))
    with naming(name):
        if _is_number_of_phe(data):
            raise SerializationError("a number that pheutil encrypted; work on it with vecphe pheutil")
        frame = frame_of(data)
        kind = open_frame(frame, *Kind).kind
        if kind is not Kind.ARRAY:
            raise SerializationError(f"{_CONTENTS[kind]}, not an encrypted file")
        return EncryptedArray.from_bytes(public_key, frame), columns_of_frame(frame)


def is_array_file(path: str) -> bool:
    """Whether it is a regular file of an encrypted array in the binary form, by its first bytes."""
    if path == "-" or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        start = file.read(len(MAGIC) + 2)
    return start.startswith(MAGIC) and start[len(MAGIC) + 1 :] == bytes([Kind.ARRAY])


def _is_number_of_phe(data: bytes) -> bool:
    try:
        content = json.loads(data) if len(data) < KEY_FILE_BYTES and not data.startswith(MAGIC) else None
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.keys() == {"v", "e"}


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Name the file in what is wrong with its content."""
    try:
        yield
    except VecpheError as error:
        raise ValueError(f"{path}: {error}") from None
    except MemoryError:
        raise ValueError(f"{path}: not enough memory for what it asks for") from None


def is_jwk(data: bytes) -> bool:
    """Whether data is to be tried as a JSON Web Key."""
    return not data.startswith(MAGIC) and b'"kty"' in data


def frame_of(data: bytes) -> bytes:
    """The binary form of data in either form."""
    if data.startswith(MAGIC):
        return data
    try:
        return frame_from_json(data.decode())
    except UnicodeDecodeError:
        raise SerializationError("neither vecphe's binary form nor UTF-8 text") from None
