"""Keys and arrays as bytes, as JSON and in files: plain data in and out, strict on the way in.

Every form is specified in docs/format.md. The JSON form is read by building the binary one from it, so what a frame
must hold is checked in one place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from vecphe.errors import SerializationError
from vecphe.numbers.key_numbers import PrivateNumbers, PublicNumbers
from vecphe.plaintext.format import Format
from vecphe.serialization.fields import array_fields, array_format, check_columns
from vecphe.serialization.frames import (
    MAGIC,
    Kind,
    array_body,
    array_from_body,
    build_frame,
    frame_pieces,
    integer_from_body,
    open_frame,
    primes_body,
    primes_from_body,
    public_body,
    sealed_body,
    sealed_from_body,
)
from vecphe.serialization.passphrase import seal, unseal
from vecphe.serialization.stream import ArrayStream
from vecphe.serialization.text import frame_from_json, json_from_frame
from vecphe.system.files import PathLike, check_writable, read_file, replace_file

__all__ = [
    "KEY_FILE_BYTES",
    "ArrayStream",
    "array_from_frame",
    "check_storable",
    "columns_of_frame",
    "frame_from_json",
    "frame_of_private_key",
    "frame_of_public_key",
    "frame_with_columns",
    "json_from_frame",
    "pieces_of_array",
    "primes_from_frame",
    "public_number_from_frame",
    "read_frame",
    "save_frame",
]

KEY_FILE_BYTES = 1 << 16  # more than the JSON form of the longest key


def frame_of_public_key(numbers: PublicNumbers) -> bytes:
    """The binary form of a public key."""
    return build_frame(Kind.PUBLIC_KEY, numbers.fingerprint, public_body(numbers.n))


def public_number_from_frame(data: bytes) -> int:
    """The n of a public key, not yet checked to be one.

    Raises
    ------
    SerializationError
    """
    frame = open_frame(data, Kind.PUBLIC_KEY)
    n = integer_from_body(frame.body)
    _check_fingerprint(frame.fingerprint, n)
    return n


def frame_of_private_key(
    public: PublicNumbers, private: PrivateNumbers, passphrase: str | bytes | None = None
) -> bytes:
    """The binary form of a private key, encrypted if there is a passphrase."""
    body = primes_body(private.p, private.q)
    if passphrase is None:
        return build_frame(Kind.PRIVATE_KEY, public.fingerprint, body)
    sealed = seal(body, passphrase, public.fingerprint)
    return build_frame(Kind.SEALED_PRIVATE_KEY, public.fingerprint, sealed_body(sealed))


def primes_from_frame(data: bytes, passphrase: str | bytes | None = None) -> tuple[int, int]:
    """The p and q of a private key, not yet checked to be primes.

    Raises
    ------
    SerializationError
        Also if the passphrase is wrong, missing, or given for a key that is not encrypted.
    """
    frame = open_frame(data, Kind.PRIVATE_KEY, Kind.SEALED_PRIVATE_KEY)
    body = frame.body
    if frame.kind is Kind.SEALED_PRIVATE_KEY:
        if passphrase is None:
            raise SerializationError("the private key is encrypted; pass its passphrase")
        body = memoryview(unseal(sealed_from_body(body), passphrase, frame.fingerprint))
    elif passphrase is not None:
        raise SerializationError("the private key is not encrypted; load it without a passphrase if you trust it")
    p, q = primes_from_body(body)
    _check_fingerprint(frame.fingerprint, p * q)
    return p, q


def _check_fingerprint(fingerprint: str, n: int) -> None:
    if PublicNumbers(n).fingerprint != fingerprint:
        raise SerializationError("the fingerprint is not that of the key")


def check_storable(numbers: PublicNumbers, shape: tuple[int, ...], format: Format) -> None:
    """Raise now what `pieces_of_array` would raise for another reason than the ciphertexts."""
    array_fields(numbers, shape, format)


def pieces_of_array(
    numbers: PublicNumbers, shape: tuple[int, ...], format: Format, ciphertexts: Iterable[bytes]
) -> Iterator[bytes]:
    """The binary form of an array in pieces, its ciphertexts as they come.

    Raises
    ------
    SerializationError, PlaintextOverflowError
        Now, if it has no room for the format.
    """
    header, _ = array_body(array_fields(numbers, shape, format))
    return frame_pieces(Kind.ARRAY, numbers.fingerprint, chain([header], ciphertexts))


def array_from_frame(numbers: PublicNumbers, data: bytes) -> tuple[tuple[int, ...], Format, bytes]:
    """Shape, format and ciphertexts of an array; the ciphertexts are not yet checked to be such.

    Raises
    ------
    SerializationError, KeyMismatchError, PlaintextOverflowError
    """
    frame = open_frame(data, Kind.ARRAY)
    fields = array_from_body(frame.fingerprint, frame.body)
    return fields.shape, array_format(fields, numbers), fields.ciphertexts


def columns_of_frame(data: bytes) -> tuple[str, ...]:
    """Names of the columns of an array in the binary form; none if it has none.

    Raises
    ------
    SerializationError
    """
    frame = open_frame(data, Kind.ARRAY)
    fields = array_from_body(frame.fingerprint, frame.body)
    if fields.columns:
        check_columns(fields.columns, fields.shape)
    return fields.columns


def frame_with_columns(data: bytes, columns: Sequence[str]) -> bytes:
    """The binary form of an array with names of its columns, which are public; without any, as it is.

    Raises
    ------
    SerializationError
        If the names are none of columns of this array.
    """
    if not columns:
        return data
    frame = open_frame(data, Kind.ARRAY)
    fields = replace(array_from_body(frame.fingerprint, frame.body), columns=tuple(columns))
    check_columns(fields.columns, fields.shape)
    return build_frame(Kind.ARRAY, frame.fingerprint, *array_body(fields))


def save_frame(path: PathLike, made: Callable[[], bytes], *, force: bool, private: bool = False) -> None:
    """Write the frame that `made` gives to a file: as JSON if its name ends in ``.json``, else as it is.

    Raises
    ------
    OSError
        As `replace_file`, before anything is made where that can be told.
    """
    check_writable(path, force=force)
    frame = made()
    data = json_from_frame(frame).encode() if str(os.fspath(path)).lower().endswith(".json") else frame
    replace_file(path, data, force=force, private=private)


def read_frame(path: PathLike, most: int | None = None) -> bytes:
    """The frame in a file, in whichever form its content is.

    Raises
    ------
    SerializationError
        If it is in neither form.
    OSError
        If it cannot be read, or has more than `most` bytes.
    """
    data = read_file(path, most)
    if data.startswith(MAGIC):
        return data
    if not data.lstrip()[:1] == b"{":
        raise SerializationError(f"{path} is neither vecphe's binary form nor its JSON form")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SerializationError(f"{path} is not UTF-8 text") from None
    return frame_from_json(text)
