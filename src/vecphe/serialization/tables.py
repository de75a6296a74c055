"""Tables of numbers as CSV text from anyone: the one place that reads it. No error shows what a cell holds."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator

__all__ = ["INTEGER", "Row", "check_text_start", "csv_rows", "number_of"]

INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
NOT_TEXT = "not UTF-8 text"
_LONGEST = 1000  # characters of a number; the longest exact decimal of a float64 has 1077, and nobody writes it

Row = tuple[int, list[str]]


def check_text_start(start: bytes, name: str, not_text: str = NOT_TEXT) -> None:
    """Raise ValueError if a file with these first bytes is no text; it may go on without end."""
    if b"\0" in start:
        raise ValueError(f"{name}: {not_text}")


def csv_rows(data: bytes, name: str, not_text: str = NOT_TEXT) -> Iterator[Row]:
    """Rows of CSV, each with the number of its line, one at a time: a row costs many times its length.

    Parameters
    ----------
    data : bytes
        UTF-8, with or without byte order mark, lines ended by LF, CRLF or CR.
    name : str
        What errors call the file.
    not_text : str
        What errors say where the file is no text.

    Yields
    ------
    (int, list of str)
        Cells without the spaces around them. Empty lines are one empty list; at the end they do not count.

    Raises
    ------
    ValueError
    """
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline=""), strict=True)
    empty = 0
    try:
        for cells in reader:
            row = [cell.strip(" \t") for cell in cells]
            if row in ([], [""]):
                empty = empty or reader.line_num
                continue
            if empty:
                yield empty, []
                empty = 0
            yield reader.line_num, row
    except UnicodeDecodeError:
        raise ValueError(f"{name}: {not_text}") from None
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num}: {error}") from None


def number_of(cell: str, place: str) -> float:
    """The number in a cell.

    Raises
    ------
    ValueError
        Naming the place and what is wrong, if it is no finite decimal number. The cell may be a secret: no part of it
        is shown.
    """
    if _NUMBER.fullmatch(cell) and len(cell) <= _LONGEST:
        value = float(cell)
        if math.isfinite(value):
            return value
    raise ValueError(f"{place}: {_why_not(cell)}")


def _why_not(cell: str) -> str:
    if not cell:
        return "no value"
    if cell.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return "NaN and infinity are not finite numbers"
    if _NUMBER.fullmatch(cell):
        return "a number beyond the range of float64" if len(cell) <= _LONGEST else "a number of too many digits"
    hint = "; write a decimal point" if "," in cell else "; separate values by commas" if ";" in cell else ""
    return f"not a number{hint}"
