"""CSV of nothing but numbers: exact, or refused with line and column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vecphe.data.cells import INTEGER, SPACES, Fault, numbers_of
from vecphe.data.csv_records import Records, index_columns, read_records
from vecphe.data.marks import Marks, Text, readings, told_readings
from vecphe.data.options import ReadOptions
from vecphe.data.problems import counted_cells, places
from vecphe.data.table import Numbers
from vecphe.data.text import utf8_of
from vecphe.errors import TableError
from vecphe.plaintext.encoding import integer_type
from vecphe.system.plurals import counted

__all__ = ["csv_numbers"]

_GREATEST_EXACT = 1 << 53  # of the integers that float64 holds without a gap
_MOST_TOLD = 20  # columns
_WHY = {
    Fault.MISSING: "no value",
    Fault.NOT_FINITE: "NaN and infinity are not finite numbers",
    Fault.OUT_OF_RANGE: "a number beyond the range of float64",
    Fault.TOO_LONG: "a number of too many digits",
    Fault.DATE: "not a number, but a date",
    Fault.TEXT: "not a number",
}


def csv_numbers(data: bytes, name: str, options: ReadOptions, not_text: str) -> Numbers:
    """The numbers of CSV, and the names of its columns if the first row holds such.

    Raises
    ------
    ValueError
        Naming line and column of what is no finite number: TableError where there are several.
    """
    marks = Marks(options.decimal, options.thousands)
    records = read_records(utf8_of(data, name, options.encoding, not_text), name, options.separator, marks)
    if not len(records):
        raise ValueError(f"{name}: empty; give numbers, as CSV or .npy")
    first = [cell.strip(SPACES) for cell in records.row(0)]
    skipped = index_columns(first)
    names = tuple(first[skipped:]) if all(map(_is_name, first[skipped:])) else None
    if names is None and len(first) > 1 and (skipped or not first[0]):
        raise ValueError(
            f"{name}, line 1, column 1: no {'number' if first[0] else 'value'}; pandas writes an index so: "
            "to_csv(index=False, header=False)"
        )
    line = int(records.lines[0])
    rows = records.cut(int(names is not None), _end(records))
    if not len(rows) and not rows.ragged:
        raise ValueError(f"{name}: a header without numbers")
    columns = range(skipped, records.width)
    text = rows.cells(columns)
    cells = numbers_of(text, marks, strict=True)
    shape = (len(columns), len(rows))
    why = {**_WHY, Fault.MARKS: _marks_needed(text, cells.faults, marks)}
    _check([*_ragged(rows, line), *_wrong(rows, cells.faults.reshape(shape), skipped, why)], name)
    values = _exact(marks.plain(pc.utf8_trim(text, SPACES)), cells.values, rows, skipped, name).reshape(shape).T
    return Numbers(np.ascontiguousarray(values[:, 0] if shape[0] == 1 else values), names, rows.lines, skipped)


def _marks_needed(text: Text, faults: npt.NDArray[np.uint8], marks: Marks) -> str:
    """What is wrong with numbers that have other marks."""
    wanted = (faults == Fault.NONE) | (faults == Fault.MARKS)
    if not (faults == Fault.MARKS).any():
        return ""
    found = readings(lambda other: bool((numbers_of(text, other).faults[wanted] == Fault.NONE).all()))
    point = "point" if marks.decimal == "." else "comma"
    ways = told_readings(found, marks) or "no --decimal and --thousands fit all numbers, write a point in each of them"
    return f"not a number with a decimal {point}; {ways}"


def _is_name(cell: str) -> bool:
    """Whether a cell may be a column's name; what starts like a number is a mistake in one."""
    return bool(cell) and (cell[0].isalpha() or cell[0] == "_") and cell.lower() not in ("nan", "inf", "infinity")


def _end(records: Records) -> int:
    """Number of rows without the empty ones at the end."""
    return int(np.flatnonzero(~records.is_empty.all(axis=0))[-1]) + 1


def _check(found: list[str], name: str) -> None:
    if len(found) == 1:
        raise ValueError(f"{name}, {found[0]}")
    if found:
        raise TableError([(name, text) for text in found])


def _ragged(rows: Records, line: int) -> list[str]:
    if not rows.ragged:
        return []
    lines = [line for line, _ in rows.ragged]
    return [
        f"{places('line', lines)}: {counted_cells(rows.ragged, 'value')}, but line {line} has {rows.width}; "
        "write a decimal point, and a comma between values, or say otherwise with --decimal and --sep"
    ]


def _wrong(rows: Records, faults: npt.NDArray[np.uint8], skipped: int, why: Mapping[Fault, str]) -> list[str]:
    """Lines and columns of cells that are no numbers, by what is wrong with them."""
    blank = (faults == Fault.MISSING).all(axis=0)
    found = [f"{places('line', rows.lines[blank])}: empty"] if blank.any() else []
    columns = np.flatnonzero((faults[:, ~blank] != Fault.NONE).any(axis=1)).tolist()
    for column in columns[:_MOST_TOLD]:
        for fault in np.unique(faults[column][~blank]):
            if fault:
                lines = rows.lines[(faults[column] == fault) & ~blank]
                found.append(f"{places('line', lines)}, column {column + 1 + skipped}: {why[Fault(fault)]}")
    return found + ([f"and {counted(len(columns) - _MOST_TOLD, 'column')} more"] if len(columns) > _MOST_TOLD else [])


def _exact(text: Text, values: npt.NDArray[np.float64], rows: Records, skipped: int, name: str) -> npt.NDArray[Any]:
    """All cells in a type that holds them without rounding: integers if all are, else floats."""
    is_integer = np.array(pc.match_substring_regex(text, INTEGER).to_numpy())
    if is_integer.all():
        return _integers(text, name)
    large = np.flatnonzero(is_integer & (np.abs(values) >= _GREATEST_EXACT))
    for place in large[np.argsort(large % len(rows), kind="stable")].tolist():
        if abs(int(text[place].as_py())) > _GREATEST_EXACT:
            column, row = divmod(place, len(rows))
            raise ValueError(
                f"{name}, line {rows.lines[row]}, column {column + 1 + skipped}: an integer beyond 2^53, which is "
                "rounded in a table with fractions; write it with a decimal point if you want that, or encrypt the "
                "integers on their own"
            )
    return values


def _integers(text: Text, name: str) -> npt.NDArray[Any]:
    try:
        return np.array(pc.cast(pc.utf8_ltrim(text, "+"), pa.int64()).to_numpy())
    except pa.ArrowInvalid:  # its text shows a cell
        exact = [int(cell) for cell in text.to_pylist()]
    if max(map(abs, exact)) >= 1 << 64:
        raise ValueError(
            f"{name}: integers beyond 64 bits; in Python, "
            "PublicKey.encrypt(x, encoding=FixedPoint(0, max_abs=2**128)) takes them"
        )
    return np.array(exact, integer_type(min(exact), max(exact)))
