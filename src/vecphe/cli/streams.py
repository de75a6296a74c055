"""Files, standard streams and passphrases of commands. ``-`` is a standard stream."""

from __future__ import annotations

import getpass
import os
import stat
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vecphe import EncryptedArray, PrivateKey, PublicKey
from vecphe.cli.output import replace_file
from vecphe.errors import SerializationError, VecpheError
from vecphe.files import read_file
from vecphe.serialization import KEY_FILE_BYTES, frame_from_json
from vecphe.serialization.frames import MAGIC, Kind, open_frame

__all__ = [
    "check_private_place",
    "check_streams",
    "frame_of",
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


def check_streams(inputs: Sequence[str]) -> None:
    """Raise ValueError if stdin is to be read twice, or is not there."""
    wanted = inputs.count("-")
    if wanted > 1:
        raise ValueError("only one input can be -, the standard input")
    if wanted and sys.stdin is None:
        raise ValueError("the standard input is closed")


def read_input(path: str) -> bytes:
    """The bytes of a file, or of stdin."""
    return sys.stdin.buffer.read() if path == "-" else read_file(path)


def write_output(path: str, data: bytes, force: bool, *, binary: bool = True) -> None:
    """Write a file whole or not at all, or to stdout; binary data not to a terminal."""
    if path != "-":
        replace_file(path, data, force=force)
        return
    if binary and sys.stdout.isatty():
        raise ValueError("the standard output is a terminal; redirect it, or name a file with --out")
    _write_stdout(data)


def _write_stdout(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


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
    _warn_if_readable(path)  # some file systems have no modes


def _warn_if_readable(path: str) -> None:
    status = os.stat(path)
    if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
        print(f"warning: others can read the private key in {path}; chmod 600 {path}", file=sys.stderr)


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


def load_public_key(path: Path, insecure: bool) -> PublicKey:
    """A public key from a file in any of its forms: binary, JSON, JSON Web Key."""
    data = read_file(path, KEY_FILE_BYTES)
    with naming(path):
        if is_jwk(data):
            return PublicKey.from_jwk(data, insecure=insecure)
        return PublicKey.from_bytes(frame_of(data), insecure=insecure)


def load_private_key(path: Path, passphrase_file: Path | None, insecure: bool) -> PrivateKey:
    """A private key from a file in any of its forms; asks for a passphrase where it needs one and has none."""
    data = read_file(path, KEY_FILE_BYTES)
    with naming(path):
        key = _private_key(data, path, _passphrase_from(passphrase_file), insecure)
    _warn_if_readable(str(path))
    return key


def _private_key(data: bytes, path: Path, passphrase: str | None, insecure: bool) -> PrivateKey:
    if is_jwk(data):
        if passphrase is not None:
            raise ValueError(f"{path} is not encrypted; leave out --passphrase-file if you trust it")
        return PrivateKey.from_jwk(data, insecure=insecure)
    frame = frame_of(data)
    if passphrase is None and _is_sealed(frame):
        passphrase = _passphrase_from(_named_file()) or _ask(f"Passphrase of {path}: ")
    return PrivateKey.from_bytes(frame, passphrase=passphrase, insecure=insecure)


def read_array(public_key: PublicKey, path: str) -> EncryptedArray:
    """An encrypted array from a file or stdin, in either form."""
    data = read_input(path)
    with naming("standard input" if path == "-" else path):
        return EncryptedArray.from_bytes(public_key, frame_of(data))


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Name the file in what is wrong with its content."""
    try:
        yield
    except VecpheError as error:
        raise ValueError(f"{path}: {error}") from None


def is_jwk(data: bytes) -> bool:
    """Whether data is to be tried as a JSON Web Key."""
    return not data.startswith(MAGIC) and b'"kty"' in data


def _is_sealed(frame: bytes) -> bool:
    return open_frame(frame, Kind.PRIVATE_KEY, Kind.SEALED_PRIVATE_KEY).kind is Kind.SEALED_PRIVATE_KEY


def frame_of(data: bytes) -> bytes:
    """The binary form of data in either form."""
    if data.startswith(MAGIC):
        return data
    try:
        return frame_from_json(data.decode())
    except UnicodeDecodeError:
        raise SerializationError("neither vecphe's binary form nor UTF-8 text") from None
