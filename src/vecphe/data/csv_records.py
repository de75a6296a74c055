"""CSV as cells of text, each row with its line: what is read by pyarrow, and held against the strict rules."""

from __future__ import annotations

import csv
import io
import re
import shlex
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from vecphe.data.cells import SPACES
from vecphe.data.marks import POINT, Marks, Text

__all__ = ["Records", "index_columns", "read_records", "separator_option", "separator_with"]

_BLOCK = 1 << 26  # bytes that a row may have
_SEPARATORS = (",", ";", "\t", "|")  # in this order
_ONLY_NUMBERS = re.compile(rb"[-+0-9eE., '\t]*")
_TOLD_SEPARATOR = re.compile(rb"\"?sep=([;,|:^~\t ])\"?(\r\n|\r|\n)", re.IGNORECASE)  # of spreadsheets
_INDEX = re.compile(r"(Unnamed: 0(\.[0-9]+)*)?")
_WIDE = 1000  # columns from which on a column costs pyarrow more than its cells

Integers = npt.NDArray[np.int64]


class Records(ABC):
    """Rows of CSV, the first of which may be a header.

    Attributes
    ----------
    width : int
        Number of columns.
    lines : ndarray
        Number of the line that each row begins in.
    ragged : list of (int, int)
        Line and number of cells of the rows that have another number of cells than the first, and are left out.
    """

    def __init__(self, width: int, lines: Integers, ragged: Sequence[tuple[int, int]]) -> None:
        self.width, self.lines, self.ragged = width, lines, ragged

    def __len__(self) -> int:
        return len(self.lines)

    @abstractmethod
    def cells(self, columns: Sequence[int]) -> Text:
        """The cells of some columns, one column after the other."""

    @abstractmethod
    def row(self, number: int) -> list[str]:
        """The cells of a row."""

    @abstractmethod
    def cut(self, start: int, stop: int) -> Records:
        """The rows from one to before another."""

    @property
    def is_empty(self) -> npt.NDArray[np.bool_]:
        """Which cells hold nothing but spaces, shape (columns, rows)."""
        lengths = pc.binary_length(pc.utf8_trim(self.cells(range(self.width)), SPACES)).to_numpy()
        return np.asarray(lengths.reshape(self.width, len(self)) == 0)


class _ByColumns(Records):
    """Of chunked arrays of strings."""

    def __init__(self, columns: Sequence[Any], lines: Integers, ragged: Sequence[tuple[int, int]]) -> None:
        super().__init__(len(columns), lines, ragged)
        self._columns = columns

    def cells(self, columns: Sequence[int]) -> Text:
        return pa.chunked_array([chunk for number in columns for chunk in self._columns[number].chunks], pa.string())

    def row(self, number: int) -> list[str]:
        return [column[number].as_py() for column in self._columns]

    def cut(self, start: int, stop: int) -> Records:
        columns = [column.slice(start, stop - start) for column in self._columns]
        return _ByColumns(columns, self.lines[start:stop], self.ragged)


class _ByRows(Records):
    """Of an array of strings for each row: a column of its own would cost more than the few cells in it."""

    def __init__(self, rows: Sequence[Any], width: int, lines: Integers, ragged: Sequence[tuple[int, int]]) -> None:
        super().__init__(width, lines, ragged)
        self._rows = rows

    def cells(self, columns: Sequence[int]) -> Text:
        first = np.asarray(columns, np.int64)[:, np.newaxis]
        places = first + self.width * np.arange(len(self))
        return pa.chunked_array(self._rows, pa.string()).take(pa.array(places.ravel()))

    def row(self, number: int) -> list[str]:
        return self._rows[number].to_pylist()  # type: ignore[no-any-return]

    def cut(self, start: int, stop: int) -> Records:
        return _ByRows(self._rows[start:stop], self.width, self.lines[start:stop], self.ragged)


def index_columns(header: Sequence[str]) -> int:
    """How many of the first columns are an index of pandas: without a name, or named as one that it has read."""
    return next((place for place, name in enumerate(header) if not _INDEX.fullmatch(name)), 0)


def separator_with(text: bytes, name: str | None = None) -> str | None:
    """A separator that divides the first row of CSV, so that it has this name, if one is given."""
    for mark in (*_SEPARATORS, " "):
        try:
            cells: list[str] = next(_strictly(text, mark), [])
        except (csv.Error, UnicodeDecodeError):  # cut in the middle
            continue
        if len(cells) > 1 and (name is None or name in (cell.strip(SPACES) for cell in cells)):
            return mark
    return None


def separator_option(mark: str) -> str:
    """What to type for a separator."""
    return f"--sep {'tab' if mark == chr(9) else shlex.quote(mark)}"


def read_records(text: bytes, name: str, separator: str | None = None, marks: Marks = POINT) -> Records:
    """All rows of CSV.

    Parameters
    ----------
    text : bytes
        UTF-8 without byte order mark, lines ended by LF, CRLF or CR. Empty lines are rows of empty cells; those before
        the first row do not count.
    name : str
        What errors call the file.
    separator : str, optional
        Between cells. Without one it is the first of comma, semicolon, tab and bar that divides the first row, but what
        marks numbers goes last, and does not separate numbers.
    marks : Marks
        How numbers are written.

    Raises
    ------
    ValueError
        If quotation marks do not pair, or a cell is too long; the message shows no cell.
    """
    body = text.lstrip(b"\r\n")
    before = len(text[: len(text) - len(body)].splitlines())
    if named := _TOLD_SEPARATOR.match(body):
        separator, before, body = separator or named[1].decode(), before + 1, body[named.end() :]
    separator, width = _divided(body, name, [separator] if separator else _tried(body, marks), before)
    if not 0 < width <= _WIDE:  # pyarrow takes no empty text
        return _wide(_rows(body, name, separator, before), width)
    ragged: list[tuple[int, int]] = []
    columns = _parsed(body if body.endswith((b"\n", b"\r")) else body + b"\n", name, separator, width, ragged)
    total = len(columns[0]) + len(ragged)
    if b'"' in body:  # pyarrow takes some that do not pair, and counts rows
        lines = np.fromiter((line for line, _ in _rows(body, name, separator, before)), np.int64)
    else:
        lines = np.arange(before + 1, before + total + 1)
    if len(lines) != total:
        raise ValueError(f"{name}: its quotation marks do not pair")
    told = [(int(lines[number - 1]), cells) for number, cells in ragged]
    return _ByColumns(columns, np.delete(lines, np.array([number - 1 for number, _ in ragged], np.int64)), told)


def _tried(body: bytes, marks: Marks) -> list[str]:
    """Separators in the order in which they are tried."""
    in_numbers = [mark for mark in _SEPARATORS if mark in marks]
    end = _ONLY_NUMBERS.match(body).end()  # type: ignore[union-attr]  # of an empty text at least
    if body[end : end + 1] in (b"", b"\r", b"\n"):
        in_numbers = []
    return [mark for mark in _SEPARATORS if mark not in marks] + in_numbers


def _divided(body: bytes, name: str, separators: Sequence[str], before: int) -> tuple[str, int]:
    """The separator, and the number of cells in the first row."""
    widths, wrong = dict[str, int](), None
    for mark in separators:
        try:
            widths[mark] = len(next(_strictly(body, mark), []))
        except csv.Error as error:  # another mark may divide it well
            wrong = wrong or error
    if not widths:
        other = separator_with(body)
        way = f"; {separator_option(other)} divides this line" if other else ""
        raise ValueError(f"{name}, line {before + 1}: {wrong}{way}")
    return next(((mark, width) for mark, width in widths.items() if width > 1), next(iter(widths.items())))


def _strictly(body: bytes, separator: str) -> Any:
    text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8", newline="")
    return csv.reader(text, delimiter=separator, strict=True)


def _rows(body: bytes, name: str, separator: str, before: int) -> Iterator[tuple[int, list[str]]]:
    """Rows by the strict rules, each with the line that it begins in."""
    reader, line = _strictly(body, separator), 1
    try:
        for row in reader:
            yield before + line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{name}, line {before + reader.line_num}: {error}") from None


def _wide(found: Iterator[tuple[int, list[str]]], width: int) -> Records:
    """Rows of many columns."""
    rows, lines, ragged = list[Any](), array("q"), list[tuple[int, int]]()
    for line, row in found:
        if len(row) not in (width, 0):
            ragged.append((line, len(row)))
            continue
        rows.append(pa.array(row or [""] * width, pa.string()))
        lines.append(line)
    return _ByRows(rows, width, np.array(lines, np.int64), ragged)


def _parsed(body: bytes, name: str, separator: str, width: int, ragged: list[tuple[int, int]]) -> list[Any]:
    """Columns as pyarrow reads them; number and cells of each row that it leaves out are added to `ragged`."""

    def skip(row: Any) -> str:
        ragged.append((row.number, row.actual_columns))
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(body),
            pyarrow.csv.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=_BLOCK),
            pyarrow.csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=skip
            ),
            pyarrow.csv.ConvertOptions(column_types={f"f{number}": pa.string() for number in range(width)}),
        )
    except pa.ArrowInvalid:  # its text may show a row
        raise ValueError(
            f"{name}: a row is longer than {_BLOCK >> 20} MiB, or its quotation marks do not pair"
        ) from None
    return table.columns  # type: ignore[no-any-return]
