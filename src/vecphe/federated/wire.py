"""Messages of the protocol as bytes, specified in docs/format.md: a header of JSON and frames, strict on the way in."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from vecphe.errors import SerializationError
from vecphe.federated.rounds import Contribution
from vecphe.serialization.strict_text import parse_json, without_duplicates
from vecphe.system.plurals import counted

__all__ = ["checked_place", "contributions_from_header", "header_of_contributions", "pack", "unpack"]

MAGIC = b"\x89VECPHM\n"
VERSION = 1

_LENGTH = struct.Struct("<Q")
_ID = re.compile(r"[0-9a-f]{32}")
_GREATEST_ROUND = 1 << 63
_LONGEST_HEADER = 1 << 20  # bytes: parsed, a list takes thirty times the three that it is written in
_TOO_LONG = f"the header of the message has more than {_LONGEST_HEADER} bytes: fewer clients, or shorter names"


def pack(kind: str, header: Mapping[str, Any], *parts: bytes) -> bytes:
    """A message: magic bytes, then the header and every part, each after its length.

    Raises
    ------
    SerializationError
        If the header is longer than any may be.
    """
    text = json.dumps({"version": VERSION, "kind": kind, **header}, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) > _LONGEST_HEADER:
        raise SerializationError(_TOO_LONG)
    return b"".join([MAGIC, *(piece for part in (text, *parts) for piece in (_LENGTH.pack(len(part)), part))])


def unpack(data: bytes, kind: str, fields: Sequence[str], n_parts: int) -> tuple[dict[str, Any], list[bytes]]:
    """The header's `fields`, none missing and no other, and so many parts.

    Raises
    ------
    SerializationError
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"data must be bytes, not {type(data).__name__}")
    view = memoryview(bytes(data))  # which copies no bytes
    if bytes(view[: len(MAGIC)]) != MAGIC:
        raise SerializationError(f"not a {kind} message of vecphe.federated: the magic bytes are missing")
    text, *parts = _pieces(view[len(MAGIC) :], n_parts + 1)
    if len(text) > _LONGEST_HEADER:
        raise SerializationError(_TOO_LONG)
    malformed = "the header of the message is not the JSON that it must be"
    header = parse_json(text, malformed, object_pairs_hook=without_duplicates("a field of the header stands twice"))
    if not isinstance(header, dict) or header.keys() != {"version", "kind", *fields}:
        raise SerializationError(malformed)
    if header["version"] != VERSION or type(header["version"]) is not int:
        raise SerializationError("the version of the message is unknown")
    if header["kind"] != kind:
        raise SerializationError(f"another message where a {kind} message belongs")
    return header, parts


def _pieces(view: memoryview, count: int) -> list[bytes]:
    pieces = []
    for _ in range(count):
        if len(view) < _LENGTH.size:
            raise SerializationError("the message is truncated")
        (length,) = _LENGTH.unpack_from(view)
        view = view[_LENGTH.size :]
        if length > len(view):
            raise SerializationError("the message is truncated")
        pieces.append(bytes(view[:length]))
        view = view[length:]
    if len(view):
        raise SerializationError(f"the message has {counted(len(view), 'byte')} too many")
    return pieces


def header_of_contributions(contributions: Sequence[Contribution]) -> dict[str, Any]:
    """Run, round and clients of contributions to one round.

    Raises
    ------
    SerializationError
        If a client has a name that no reader takes.
    """
    first = contributions[0]
    clients = [_client([contribution.party, contribution.client]) for contribution in contributions]
    return {"run": first.run, "round": first.round, "clients": clients}


def contributions_from_header(header: Mapping[str, Any]) -> tuple[Contribution, ...]:
    """What `header_of_contributions` wrote down.

    Raises
    ------
    SerializationError
    """
    run, number = checked_place(header)
    clients = header["clients"]
    if not isinstance(clients, list) or not clients:
        raise SerializationError("clients must be a list")
    return tuple(Contribution(run, number, *_client(item)) for item in clients)


def checked_place(header: Mapping[str, Any]) -> tuple[str, int]:
    """Run and round of a header."""
    run, number = header["run"], header["round"]
    if not _is_id(run):
        raise SerializationError("run must be 32 hexadecimal digits")
    if type(number) is not int or not 1 <= number < _GREATEST_ROUND:
        raise SerializationError("round must be a positive integer")
    return run, number


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _client(item: Any) -> tuple[str, str | None]:
    if not isinstance(item, list) or len(item) != 2 or not _is_id(item[0]):
        raise SerializationError("a client must be its id, of 32 hexadecimal digits, and its name or null")
    if item[1] is not None and not (isinstance(item[1], str) and item[1] and item[1].isprintable()):
        raise SerializationError("the name of a client must be printable text, not empty, or null")
    return item[0], item[1]
