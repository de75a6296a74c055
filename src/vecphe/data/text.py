"""Text in any encoding, as UTF-8."""

from __future__ import annotations

import codecs
import re

__all__ = ["NOT_TEXT", "check_text_start", "utf8_of"]

NOT_TEXT = "not UTF-8 text"
# Of UTF-32 first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Those of Python that are no text encodings, or take more than linear time, are left out.
_KNOWN = re.compile(r"utf-(8|16|32)(-.*)?|ascii|iso8859-\d+|cp\d+|koi8-.|mac-.*|gb\w+|big5.*|euc_.*|shift_.*|tis-620")


def check_text_start(start: bytes, name: str, not_text: str = NOT_TEXT, encoding: str | None = None) -> None:
    """Raise ValueError if a file with these first bytes is no text; it may go on without end."""
    if b"\0" in start and _marked(start) is None and encoding is None:
        raise ValueError(
            f"{name}: {not_text}; if it is UTF-16 without a byte order mark, give --encoding utf-16-le or utf-16-be"
        )


def utf8_of(data: bytes, name: str, encoding: str | None = None, not_text: str = NOT_TEXT) -> bytes:
    """Text as UTF-8 without byte order mark.

    Parameters
    ----------
    data : bytes
    name : str
        What errors call the file.
    encoding : str, optional
        Its encoding, unless it begins with the mark of UTF-8; without one UTF-8, or what its byte order mark says.
    not_text : str
        What errors say where the file is no text.

    Raises
    ------
    ValueError
        If the encoding is unknown, or the data is not in it; the message shows no part of it.
    """
    named, marked = None if encoding is None else _checked(encoding), _marked(data)
    # No text in another encoding begins with the mark of UTF-8.
    source = marked if marked == "utf-8-sig" else named or marked or "utf-8"
    try:
        text = data.decode(source)
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: {_why_not(data, source, error.start, encoding, not_text)}") from None
    if "\0" in text:
        raise ValueError(f"{name}: {not_text}: it has NUL characters")
    plain = source in ("utf-8", "ascii")
    return data if plain else text.encode()


def _marked(data: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)


def _checked(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        name = ""
    if not _KNOWN.fullmatch(name):
        raise ValueError(f"--encoding {encoding}: no such text encoding; latin-1, cp1252 and utf-16 are some")
    return name


def _why_not(data: bytes, source: str, start: int, encoding: str | None, not_text: str) -> str:
    if encoding is not None or source not in ("utf-8", "utf-8-sig"):
        return f"not text in the encoding {source}; --encoding names another"
    line = data.count(b"\n", 0, start) + 1
    return f"{not_text} in line {line}; name its encoding, such as --encoding latin-1, cp1252 or utf-16"
