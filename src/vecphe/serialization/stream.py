"""An array of the binary form that comes in pieces, as from a socket or a file larger than memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from vecphe.arithmetic import ciphertext_bytes
from vecphe.errors import SerializationError
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.serialization.fields import ArrayFields, header_format
from vecphe.serialization.frames import (
    CHECKSUM_BYTES,
    HEAD_BYTES,
    Checksum,
    Kind,
    TruncatedError,
    array_header,
    checked_head,
)

__all__ = ["ArrayStream"]

_READ_BYTES = 1 << 20
_LEAST_HEADER = 256  # bytes to wait for before the header is tried
_END: Any = object()  # of the pieces: None is what a file that does not block gives while it has nothing


class ArrayStream:
    """The header of an array, read from the first pieces of it, and its ciphertexts, read as they are wanted.

    Parameters
    ----------
    numbers : PublicNumbers
        Of the key that it belongs to.
    source : iterable of bytes, or binary file
        The frame in pieces of any length; a file is read to its end.

    Raises
    ------
    TypeError
        If the source is of another kind.
    SerializationError, KeyMismatchError, PlaintextOverflowError
        As for a whole frame, but for the checksum, which comes last.
    """

    def __init__(self, numbers: PublicNumbers, source: Any) -> None:
        self._pieces = _pieces_of(source)
        self._held, self._ended, self._checksum = bytearray(), False, Checksum()
        fields = self._read_header()
        self.shape = fields.shape
        self.columns = fields.columns
        self.format, self._bytes = header_format(fields, numbers)
        self._width = ciphertext_bytes(fields.key_length)

    @property
    def n_ciphertexts(self) -> int:
        """How many the header promises."""
        return self._bytes // self._width

    def _hold(self, count: int) -> None:
        """Wait for so many bytes, or the end."""
        while len(self._held) < count and not self._ended:
            piece = next(self._pieces, _END)
            if piece is _END:
                self._ended = True
            elif not isinstance(piece, (bytes, bytearray, memoryview)):
                raise TypeError(f"each chunk must be bytes, not {type(piece).__name__}")
            else:
                self._held += piece

    def _take(self, count: int) -> bytes:
        self._hold(count)
        if len(self._held) < count:
            raise SerializationError("truncated: there are fewer bytes than the header says")
        taken = bytes(memoryview(self._held)[:count])
        del self._held[:count]
        return taken

    def _read_header(self) -> ArrayFields:
        wanted = _LEAST_HEADER
        while True:
            self._hold(wanted)
            held = bytes(self._held)
            _, fingerprint = checked_head(memoryview(held), Kind.ARRAY)
            try:
                fields, rest = array_header(fingerprint, memoryview(held)[HEAD_BYTES:])
            except TruncatedError:
                if self._ended:
                    raise
                wanted = 2 * len(held)  # so that all tries together cost no more than the last
                continue
            self._checksum.passed(self._take(len(held) - len(rest)))
            return fields

    def ciphertexts(self, count: int) -> Iterator[bytes]:
        """All ciphertexts, at most `count` at once; each can be read once. None is checked yet to be one.

        Raises
        ------
        SerializationError
            If there are too few bytes or too many, or, after the last of them, if the checksum is wrong.
        """
        while self._bytes:
            part = min(count * self._width, self._bytes)
            self._bytes -= part
            yield self._checksum.passed(self._take(part))
        if self._take(CHECKSUM_BYTES) != self._checksum.value:
            raise SerializationError("the checksum is wrong: truncated or damaged")
        self._hold(1)
        if self._held:
            raise SerializationError("there are bytes after the end of the array")


def _pieces_of(source: Any) -> Iterator[Any]:
    if isinstance(source, (bytes, bytearray, memoryview, str)) or not (
        hasattr(source, "read") or isinstance(source, Iterable)
    ):
        raise TypeError(
            f"chunks must be an iterable of bytes, or a binary file, not {type(source).__name__}; "
            "for all bytes at once there is from_bytes"
        )
    return iter(partial(source.read, _READ_BYTES), b"") if hasattr(source, "read") else iter(source)
