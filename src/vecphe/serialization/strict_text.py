"""JSON and base64url from anyone: one spelling of each value, and no error that shows what a text holds."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from vecphe.errors import SerializationError

__all__ = [
    "bytes_from_base64url",
    "bytes_to_base64url",
    "check_parts",
    "integer_to_base64url",
    "parse_json",
    "without_duplicates",
]

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def parse_json(text: str | bytes, malformed: str, **hooks: Any) -> Any:
    """What JSON text stands for.

    Parameters
    ----------
    text : str or bytes
        Bytes are UTF-8.
    malformed : str
        The message if it is no JSON, or nested too deeply.
    **hooks : callable
        As in `json.loads`; a SerializationError of theirs comes through.

    Raises
    ------
    SerializationError
    """
    try:
        return json.loads(text.decode("utf-8") if isinstance(text, bytes) else text, **hooks)
    except SerializationError:
        raise
    except (ValueError, RecursionError):
        pass
    raise SerializationError(malformed)  # here: the parser's own error holds the text, which may be a private key


def check_parts(text: str | bytes, most: int, message: str) -> None:
    """Raise SerializationError if JSON may hold more lists, objects and named values than `most`.

    Parsed, each takes a hundred times the characters that it is written in. Those in strings are counted as well.
    """
    count = text.count if isinstance(text, str) else lambda mark: text.count(mark.encode())
    if count("[") + count("{") + count(":") > most:
        raise SerializationError(message)


def without_duplicates(message: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """An ``object_pairs_hook`` that refuses a name that stands twice in one object."""

    def fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) != len(pairs):
            raise SerializationError(message)
        return content

    return fields


def bytes_to_base64url(data: bytes) -> str:
    """Base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def integer_to_base64url(value: int) -> str:
    """A non-negative integer as base64url of its shortest big-endian bytes, without padding."""
    return bytes_to_base64url(value.to_bytes(max((value.bit_length() + 7) // 8, 1), "big"))


def bytes_from_base64url(text: str, malformed: str, stray: str) -> bytes:
    """The bytes that `bytes_to_base64url` wrote so; other spellings of them are refused.

    Raises
    ------
    SerializationError
        With the message `malformed` for other characters and impossible lengths, `stray` if the last digit has bits
        that belong to no byte.
    """
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise SerializationError(malformed)
    data = base64.urlsafe_b64decode(text + "==")  # padding that is not needed is passed over
    if bytes_to_base64url(data) != text:
        raise SerializationError(stray)
    return data
