"""Numbers in cells of text, whole columns at a time, and why a cell holds none; what cells name."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vecphe.data.marks import MARKED, POINT, Marks, Text

__all__ = ["FALSE", "INTEGER", "SPACES", "TRUE", "Cells", "Fault", "Labels", "labels_of", "numbers_of"]

SPACES = " \t"
INTEGER = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_NUMBERS = re.compile(_NUMBER[:-1] + r"\Z", re.ASCII)
_NOT_ZERO = r"^[ \t]*[+-]?[0.]*[1-9]"
_SHORTEST_TINY = 6  # characters of a number that float64 rounds to 0: 1e-324
_DAY = r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.]([0-9]{4}|[0-9]{2})"
_DATE = re.compile(rf"({_DAY})([T ][0-9:.+\-ZAPMapm ]*)?|[0-9]{{1,2}}:[0-9]{{2}}(:[0-9.]+)?", re.ASCII)
_LONGEST = 1000  # characters of a number; the longest exact decimal of a float64 has 1077, and nobody writes it
_MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "<na>", "nat", "?", "."})
_MISSING_LABELS = _MISSING - {"none", "."}  # which name something
_LONGEST_LABEL_NUMBER = 100  # characters of a label that is taken for a number
TRUE, FALSE = "True", "False"
_EXACT = Context(prec=_LONGEST_LABEL_NUMBER)
_NOT_FINITE = frozenset({"nan", "inf", "infinity"})


class Fault(IntEnum):
    """Why there is no number in a cell."""

    NONE = 0
    MISSING = 1
    NOT_FINITE = 2
    OUT_OF_RANGE = 3
    TOO_LONG = 4
    MARKS = 5  # it could be one with other marks
    DATE = 6
    TEXT = 7
    NESTED = 8  # neither numbers nor text


@dataclass(frozen=True)
class Cells:
    """Numbers of cells.

    Attributes
    ----------
    values : ndarray
        float64, NaN where there is none.
    faults : ndarray
        A `Fault` a cell, uint8, of the same shape.
    """

    values: npt.NDArray[np.float64]
    faults: npt.NDArray[np.uint8]

    @classmethod
    def stacked(cls, parts: list[Cells]) -> Cells:
        """One more dimension, first."""
        return cls(np.stack([part.values for part in parts]), np.stack([part.faults for part in parts]))


@dataclass(frozen=True)
class Labels:
    """What cells name: `codes` are places in `levels`, -1 where a cell is missing."""

    codes: npt.NDArray[np.int64]
    levels: tuple[str, ...]


def numbers_of(cells: Text, marks: Marks = POINT, *, strict: bool = False) -> Cells:
    """The numbers in cells of text.

    Parameters
    ----------
    cells : chunked array of strings
    marks : Marks
        How they are written.
    strict : bool
        No word stands for what is missing.

    Returns
    -------
    Cells
        Of one dimension.
    """
    if marks.decimal == ".":
        values = _quickly(cells)
        if values is not None:
            return Cells(values, np.zeros(len(values), np.uint8))
    text = pc.utf8_trim(cells, SPACES)
    plain = marks.plain(text)
    numeric = pc.match_substring_regex(plain, _NUMBER)
    short = pc.and_(numeric, pc.less_equal(pc.utf8_length(plain), _LONGEST))
    values = _cast(pc.if_else(short, plain, pa.scalar(None, pa.string())))
    values[~np.isfinite(values) | _are_tiny(plain, values)] = np.nan
    wrong = np.isnan(values)
    faults = np.zeros(len(values), np.uint8)
    faults[wrong] = _faults(text.filter(pa.array(wrong)), strict)
    faults[wrong & np.array(numeric)] = Fault.TOO_LONG
    faults[wrong & np.array(short)] = Fault.OUT_OF_RANGE
    return Cells(values, faults)


def _quickly(cells: Text) -> npt.NDArray[np.float64] | None:
    """The numbers, if there is nothing else."""
    try:
        values = _cast(cells)
    except pa.ArrowInvalid:  # its text shows a cell
        return None
    return values if np.isfinite(values).all() and not _are_tiny(cells, values).any() else None


def _cast(cells: Text) -> npt.NDArray[np.float64]:
    return np.array(pc.cast(cells, pa.float64()).to_numpy())


def _are_tiny(cells: Text, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which cells are zero in float64 alone."""
    zero: npt.NDArray[np.bool_] = values == 0
    if zero.any():
        zero &= pc.binary_length(cells).to_numpy() >= _SHORTEST_TINY
        zero[zero] = np.array(pc.match_substring_regex(cells.filter(pa.array(zero)), _NOT_ZERO), bool)
    return zero


def _faults(cells: Text, strict: bool) -> npt.NDArray[np.uint8]:
    """Why cells hold no numbers; equal ones are looked at once."""
    encoded = pc.dictionary_encode(cells).combine_chunks()
    why = np.array([_fault_of(cell, strict) for cell in encoded.dictionary.to_pylist()], np.uint8)
    return np.asarray(why[encoded.indices.to_numpy()])


def _fault_of(cell: str, strict: bool) -> Fault:
    word = cell.lower()
    if not cell or (not strict and word in _MISSING):
        return Fault.MISSING
    if word.lstrip("+-") in _NOT_FINITE:
        return Fault.NOT_FINITE
    if len(cell) > _LONGEST:
        return Fault.TEXT
    if MARKED.fullmatch(cell):
        return Fault.MARKS
    return Fault.DATE if _DATE.fullmatch(cell) else Fault.TEXT


def labels_of(cells: Text, marks: Marks = POINT) -> Labels:
    """What cells of text name, which does not depend on the form of the file that they are from.

    Numbers are compared as such (1, 1.0 and 01 are one label, written 1), and so are True and False, in any case of
    letters; all else is text without the spaces around it.

    Parameters
    ----------
    cells : chunked array of strings
    marks : Marks
        How numbers are written.
    """
    encoded = pc.dictionary_encode(cells).combine_chunks()
    text = pc.utf8_trim(encoded.dictionary, SPACES)
    number_of: dict[str, int] = {}
    codes = np.full(len(text) + 1, -1, np.int64)
    for place, (cell, plain) in enumerate(zip(text.to_pylist(), marks.plain(text).to_pylist(), strict=True)):
        if cell.lower() not in _MISSING_LABELS:
            codes[place] = number_of.setdefault(_label_of(cell, plain), len(number_of))
    places = pc.fill_null(encoded.indices, len(text)).to_numpy().astype(np.int64)
    return Labels(codes[places], tuple(number_of))


def _label_of(cell: str, plain: str) -> str:
    if len(plain) <= _LONGEST_LABEL_NUMBER and _NUMBERS.match(plain):
        return _shortest(plain)
    word = cell.capitalize()
    return word if word in (TRUE, FALSE) else unicodedata.normalize("NFC", cell)


def _shortest(number: str) -> str:
    """A number without zeros, signs and points that say nothing, and without an exponent where that is short."""
    digits, _, exponent = number.lower().partition("e")
    if len(exponent.lstrip("+-0")) > 2:
        return number
    text = f"{Decimal(digits).scaleb(int(exponent or 0), _EXACT):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
