"""Numbers in cells of text, whole columns at a time, and why a cell holds none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["INTEGER", "MISSING_LABELS", "SPACES", "Cells", "Fault", "Text", "fault_of", "numbers_of"]

Text: TypeAlias = Any  # a chunked array of strings

SPACES = " \t"
INTEGER = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_NUMBERS = re.compile(_NUMBER[:-1] + r"\Z", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+(\.[0-9]{3})*,[0-9]+([eE][+-]?[0-9]+)?", re.ASCII)
_DAY = r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.]([0-9]{4}|[0-9]{2})"
_DATE = re.compile(rf"({_DAY})([T ][0-9:.+\-ZAPMapm ]*)?|[0-9]{{1,2}}:[0-9]{{2}}(:[0-9.]+)?", re.ASCII)
_LONGEST = 1000  # characters of a number; the longest exact decimal of a float64 has 1077, and nobody writes it
_MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "<na>", "nat", "?", "."})
MISSING_LABELS = _MISSING - {"none", "."}  # which name something
_NOT_FINITE = frozenset({"nan", "inf", "infinity"})


class Fault(IntEnum):
    """Why there is no number in a cell."""

    NONE = 0
    MISSING = 1
    NOT_FINITE = 2
    OUT_OF_RANGE = 3
    TOO_LONG = 4
    COMMA = 5
    DATE = 6
    TEXT = 7


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


def numbers_of(cells: Text, decimal: str = ".", *, strict: bool = False) -> Cells:
    """The numbers in cells of text.

    Parameters
    ----------
    cells : chunked array of strings
    decimal : str
        The decimal mark, a point or a comma.
    strict : bool
        No word stands for what is missing.

    Returns
    -------
    Cells
        Of one dimension.
    """
    if decimal == ".":
        values = _quickly(cells)
        if values is not None:
            return Cells(values, np.zeros(len(values), np.uint8))
    text = pc.utf8_trim(cells, SPACES)
    marked = text if decimal == "." else pc.replace_substring(pc.replace_substring(text, ".", "?"), decimal, ".")
    numeric = pc.and_(pc.match_substring_regex(marked, _NUMBER), pc.less_equal(pc.utf8_length(marked), _LONGEST))
    values = _cast(pc.if_else(numeric, marked, pa.scalar(None, pa.string())))
    values[~np.isfinite(values)] = np.nan
    return Cells(values, _faults(text, np.isnan(values), strict))


def _quickly(cells: Text) -> npt.NDArray[np.float64] | None:
    """The numbers, if there is nothing else."""
    try:
        values = _cast(cells)
    except pa.ArrowInvalid:  # its text shows a cell
        return None
    return values if np.isfinite(values).all() else None


def _cast(cells: Text) -> npt.NDArray[np.float64]:
    return np.array(pc.cast(cells, pa.float64()).to_numpy())


def _faults(text: Text, wrong: npt.NDArray[np.bool_], strict: bool) -> npt.NDArray[np.uint8]:
    """What is wrong with the cells marked as such; equal ones are looked at once."""
    faults = np.zeros(len(wrong), np.uint8)
    encoded = pc.dictionary_encode(text.filter(pa.array(wrong))).combine_chunks()
    if len(encoded):
        why = np.array([fault_of(cell, strict) for cell in encoded.dictionary.to_pylist()], np.uint8)
        faults[wrong] = why[encoded.indices.to_numpy()]
    return faults


def fault_of(cell: str, strict: bool) -> Fault:
    """Why a cell holds no number."""
    word = cell.lower()
    if not cell or (not strict and word in _MISSING):
        return Fault.MISSING
    if word.lstrip("+-") in _NOT_FINITE:
        return Fault.NOT_FINITE
    if _NUMBERS.match(cell):
        return Fault.OUT_OF_RANGE if len(cell) <= _LONGEST else Fault.TOO_LONG
    if len(cell) > _LONGEST:
        return Fault.TEXT
    if _DECIMAL_COMMA.fullmatch(cell):
        return Fault.COMMA
    return Fault.DATE if _DATE.fullmatch(cell) else Fault.TEXT
