"""Files as sheets of named columns: CSV, Parquet and .npz, told apart by their first bytes."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vecphe.data.cells import SPACES, Cells, Fault, Labels, labels_of, numbers_of
from vecphe.data.csv_records import Records, index_columns, read_records, separator_with
from vecphe.data.marks import POINT, Marks, Text
from vecphe.data.options import ReadOptions
from vecphe.data.problems import Problems, counted_cells, places, told_indices
from vecphe.data.text import check_text_start, utf8_of
from vecphe.errors import BatchTooLargeError
from vecphe.system.files import read_file
from vecphe.system.memory import check_memory
from vecphe.system.plurals import counted

__all__ = ["Sheet", "open_sheet"]

_PARQUET, _NPY = b"PAR1", b"\x93NUMPY"
_ZIP = b"PK\x03\x04", b"PK\x05\x06"  # of members, and of none
_FIRST_ROW = 1 << 16  # bytes that are looked at for another separator
_LONGEST_NAME = 200  # characters of a column's name
_EMPTY = ("{} has no name and no value and is left out", "{} have no name and no value and are left out")
_NAMELESS = ("{} has no name; give it one", "{} have no name; give them some")
_UNPRINTABLE = ("the name of {} is not printable; rename it", "the names of {} are not printable; rename them")
_LONG = (
    f"the name of {{}} is longer than {_LONGEST_NAME} characters; shorten it",
    f"the names of {{}} are longer than {_LONGEST_NAME} characters; shorten them",
)
_TWICE = (
    "{} has a name that stands in the header before; rename it",
    "{} have names that stand in the header before; rename them",
)
_NAMES = "feature_names"  # in .npz
_INDEX_IN_PARQUET = re.compile(r"__index_level_[0-9]+__")
_NUMERIC = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
_TEXTUAL = (
    pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_boolean,
)  # fmt: skip

Rows = npt.NDArray[np.bool_]


class Sheet(ABC):
    """A file of named columns.

    Attributes
    ----------
    name : str
        What errors call the file.
    names : tuple of str
        Of its columns, each of which occurs once.
    notes : sequence of str
        What was left out.
    marks : Marks
        How numbers in text are written.
    unit : str
        What the places of rows count: lines, or rows.
    digest : bytes
        Of the content of the file.
    """

    unit: str
    digest: bytes

    def __init__(self, name: str, columns: Mapping[str, Any], notes: Sequence[str], marks: Marks) -> None:
        self.name, self.names, self.notes, self.marks = name, tuple(columns), notes, marks

    @property
    @abstractmethod
    def places(self) -> npt.NDArray[np.int64]:
        """Number of the line or row of the file that each row stands in."""

    @abstractmethod
    def numbers(self, names: Sequence[str], marks: Marks | None = None) -> Cells:
        """Numbers of some columns, shape (columns, rows), with other marks than their own where such are given."""

    @abstractmethod
    def text(self, name: str) -> Text:
        """A column as text, null where there is none."""

    def labels(self, name: str) -> Labels:
        """What the cells of a column name."""
        return labels_of(self.text(name), self.marks)

    @abstractmethod
    def separator_with(self, name: str) -> str | None:
        """Another separator, with which the header has this name."""


class CsvSheet(Sheet):
    """Text; rows without any value are left out."""

    unit = "line"

    def __init__(
        self,
        name: str,
        places: dict[str, int],
        notes: Sequence[str],
        records: Records,
        blank: Rows,
        marks: Marks,
        first_row: bytes,
    ) -> None:
        super().__init__(name, places, notes, marks)
        self._places, self._records, self._first_row = places, records, first_row
        self._kept = None if not blank.any() else np.flatnonzero(~blank)

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """Numbers of lines."""
        return self._records.lines if self._kept is None else self._records.lines[self._kept]

    def numbers(self, names: Sequence[str], marks: Marks | None = None) -> Cells:
        """All columns at once."""
        shape = (len(names), len(self._records))
        cells = numbers_of(self._records.cells([self._places[name] for name in names]), marks or self.marks)
        values, faults = cells.values.reshape(shape), cells.faults.reshape(shape)
        if self._kept is not None:
            values, faults = values[:, self._kept], faults[:, self._kept]
        return Cells(values, faults)

    def text(self, name: str) -> Text:
        """As it stands there."""
        text = self._records.cells([self._places[name]])
        return text if self._kept is None else text.take(pa.array(self._kept))

    def separator_with(self, name: str) -> str | None:
        """In the first row."""
        return separator_with(self._first_row, name)


class TypedSheet(Sheet):
    """Columns of the types of Arrow."""

    unit = "row"

    def __init__(self, name: str, columns: dict[str, Any], notes: Sequence[str], marks: Marks) -> None:
        super().__init__(name, columns, notes, marks)
        self._columns = {name: _plain(column) for name, column in columns.items()}

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """Numbers of rows, from 1."""
        return np.arange(1, len(next(iter(self._columns.values()))) + 1)

    def numbers(self, names: Sequence[str], marks: Marks | None = None) -> Cells:
        """A column after the other."""
        return Cells.stacked([_numbers(self._columns[name], marks or self.marks) for name in names])

    def text(self, name: str) -> Text:
        """As Arrow writes it; of lists and the like there is none."""
        return _text(self._columns[name])

    def labels(self, name: str) -> Labels:
        """What the cells of a column name; numbers of their own types have a decimal point, as Arrow writes them."""
        kind = self._columns[name].type
        return labels_of(self.text(name), self.marks if pa.types.is_string(kind) else POINT)

    def separator_with(self, name: str) -> str | None:
        """There is none."""
        return None


def _plain(column: Any) -> Any:
    """A column without a dictionary, and with text where it holds bytes or truth values."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if any(is_text(kind) for is_text in _TEXTUAL):
        try:
            return pc.cast(column, pa.string())
        except pa.ArrowInvalid:  # bytes that are no text
            return column
    return column


def _text(column: Any) -> Text:
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.chunked_array([pa.nulls(len(column), pa.string())])


def _numbers(column: Any, marks: Marks) -> Cells:
    kind = column.type
    if pa.types.is_string(kind):
        return numbers_of(pc.fill_null(column, ""), marks)
    missing = np.array(pc.is_null(column, nan_is_null=True).to_numpy())
    if not any(is_number(kind) for is_number in _NUMERIC):
        fault = Fault.DATE if pa.types.is_temporal(kind) else Fault.NESTED
        faults = np.where(missing, Fault.MISSING, fault).astype(np.uint8)
        return Cells(np.full(len(column), np.nan), faults)
    values = np.array(pc.cast(column, pa.float64(), safe=False).to_numpy())
    faults = np.where(missing, Fault.MISSING, np.where(np.isfinite(values), Fault.NONE, Fault.NOT_FINITE))
    values[faults != Fault.NONE] = np.nan
    return Cells(values, faults.astype(np.uint8))


def open_sheet(path: str, options: ReadOptions, problems: Problems) -> Sheet | None:
    """The sheet in a file, or none and a problem more.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is none of the forms.
    BatchTooLargeError
        If its content would not fit into memory.
    """
    data = read_file(path, check=partial(_check_start, name=path, encoding=options.encoding))
    marks = Marks(options.decimal, options.thousands)
    if data.startswith(_PARQUET):
        sheet = _parquet(data, path, marks, problems)
    elif data.startswith(_ZIP):
        sheet = _npz(data, path, marks, problems)
    else:
        sheet = _csv(data, path, options, marks, problems)
    if sheet is not None:
        sheet.digest = hashlib.blake2b(data).digest()
    return sheet


def _check_start(start: bytes, name: str, encoding: str | None) -> None:
    if start.startswith(_NPY):
        raise ValueError(
            f"{name}: an array has no names of columns; numpy.savez('data.npz', X=array, y=target) gives it some"
        )
    if not start.startswith((_PARQUET, *_ZIP)):
        check_text_start(start, name, encoding=encoding)


def _csv(data: bytes, name: str, options: ReadOptions, marks: Marks, problems: Problems) -> Sheet | None:
    text = utf8_of(data, name, options.encoding)
    records = read_records(text, name, options.separator, marks)
    header = [cell.strip(SPACES) for cell in records.row(0)] if len(records) else []
    if not any(header):
        problems.add(name, "the file is empty; its first line must name the columns")
        return None
    rows, notes = records.cut(1, len(records)), list[str]()
    empty = rows.is_empty
    places_of = _named(header, name, notes, problems, np.asarray(empty.all(axis=1)))
    blank: Rows = np.asarray(empty.all(axis=0))
    if rows.ragged:
        _tell_ragged(rows, name, problems)
    elif blank.all():
        problems.add(name, "there is no row below the header")
    return CsvSheet(name, places_of, notes, rows, blank, marks, text.lstrip(b"\r\n")[:_FIRST_ROW])


def _tell_ragged(rows: Records, name: str, problems: Problems) -> None:
    lines = [line for line, _ in rows.ragged]
    have = "has" if len(lines) == 1 else "have"
    hint = "; cells are separated by commas, or as --sep says" if rows.width == 1 else ""
    cells = counted_cells(rows.ragged, "cell")
    problems.add(name, f"{places('line', lines)} {have} {cells}, but the header has {rows.width}{hint}")


def _named(
    header: Sequence[str], name: str, notes: list[str], problems: Problems, empty: Rows | None = None
) -> dict[str, int]:
    """The place of each column by its name. Where a header is missing, the names are values: none is shown."""
    places_of: dict[str, int] = {}
    wrong: dict[tuple[str, str], list[int]] = {}
    indices, first = list[int](), index_columns(header)
    for number, column in enumerate(header):
        if number < first or _INDEX_IN_PARQUET.fullmatch(column):
            indices.append(number + 1)
        elif not column:
            wrong.setdefault(_EMPTY if empty is not None and empty[number] else _NAMELESS, []).append(number + 1)
        elif not column.isprintable():
            wrong.setdefault(_UNPRINTABLE, []).append(number + 1)
        elif len(column) > _LONGEST_NAME:
            wrong.setdefault(_LONG, []).append(number + 1)
        elif column in places_of:
            wrong.setdefault(_TWICE, []).append(number + 1)
        else:
            places_of[column] = number
    if indices:
        notes.append(f"{name}: {told_indices(indices)}")
    for why, places_wrong in wrong.items():
        numbers = [number for number in places_wrong if problems.used is None or header[number - 1] in problems.used]
        if not numbers:
            continue
        told = why[len(numbers) > 1].format(places("column", numbers))
        notes.append(f"{name}: {told}") if why is _EMPTY else problems.add(name, told)
    return places_of


def _parquet(data: bytes, name: str, marks: Marks, problems: Problems) -> Sheet | None:
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(data))
        check_memory(16 * file.metadata.num_rows * file.metadata.num_columns, f"what {name} holds", "give less of it")
        table = file.read(use_threads=False)
    except (pa.ArrowException, OSError):  # whose text may show what it holds
        raise ValueError(f"{name}: not a whole Parquet file") from None
    return _typed(name, table.column_names, table.columns, marks, problems)


def _typed(name: str, names: Sequence[str], columns: Sequence[Any], marks: Marks, problems: Problems) -> Sheet | None:
    notes: list[str] = []
    places_of = _named([column.strip(SPACES) for column in names], name, notes, problems)
    if not places_of or not len(columns[0]):
        problems.add(name, "there is no row, or no column")
        return None
    return TypedSheet(name, {column: columns[number] for column, number in places_of.items()}, notes, marks)


def _npz(data: bytes, name: str, marks: Marks, problems: Problems) -> Sheet | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_memory(
                sum(member.file_size for member in archive.infolist()), f"what {name} holds", "give less of it"
            )
        with np.load(io.BytesIO(data), allow_pickle=False) as content:
            arrays = {key: content[key] for key in content.files}
    except BatchTooLargeError:
        raise
    except Exception:  # what zipfile, the decompressors and numpy raise has no common base
        arrays = None
    if arrays is None or not all(isinstance(array, np.ndarray) for array in arrays.values()):  # bytes in other archives
        raise ValueError(
            f"{name}: not a whole .npz file of plain arrays, as numpy.savez writes it; of objects, astype(str) makes "
            "such, and of a spreadsheet, saving it as CSV"
        )
    names, columns = _columns_of(arrays, name, problems)
    if len({len(column) for column in columns}) > 1:
        counts = sorted({f"{key} {len(array)}" for key, array in arrays.items() if array.ndim and key != _NAMES})
        problems.add(name, f"its arrays have different numbers of rows ({', '.join(counts)[:_LONGEST_NAME]})")
        return None
    return _typed(name, names, [pa.chunked_array([_arrow(column)]) for column in columns], marks, problems)


def _columns_of(
    arrays: dict[str, npt.NDArray[Any]], name: str, problems: Problems
) -> tuple[list[str], list[npt.NDArray[Any]]]:
    """Columns with their names: those of a table are in `feature_names`, or its own with numbers if it has several."""
    given = _strings(arrays[_NAMES]) if _NAMES in arrays and arrays[_NAMES].ndim == 1 else None
    names, columns = list[str](), list[npt.NDArray[Any]]()
    for key, array in arrays.items():
        if key == _NAMES:
            continue
        if array.ndim not in (1, 2):
            problems.add(name, f"the array {key!r} has {counted(array.ndim, 'dimension')}; columns have 1, tables 2")
            continue
        table = array[:, np.newaxis] if array.ndim == 1 else array
        count = table.shape[1]
        if array.ndim == 2 and given is not None and len(given) == count:
            names, given = names + given, None  # of one table alone
        else:
            names += [key] if count == 1 else [f"{key}{number}" for number in range(count)]
        columns += list(table.T)
    return names, columns


def _strings(column: npt.NDArray[Any]) -> list[str]:
    if column.dtype.kind != "S":
        return list(map(str, column.tolist()))
    try:
        return np.char.decode(column, "utf-8").tolist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        return np.char.decode(column, "latin-1").tolist()  # type: ignore[no-any-return]


def _arrow(column: npt.NDArray[Any]) -> Any:
    if column.dtype.kind in "SU":
        return pa.array(_strings(column), pa.string())
    if column.dtype.kind not in "biufM":
        return pa.array([[]] * len(column))  # no numbers, and no text
    kind = column.dtype.newbyteorder("=")
    if column.dtype.kind == "M":  # of any unit: that these are times is all that counts
        return pa.array(np.where(np.isnat(column), np.datetime64("NaT", "s"), np.datetime64(0, "s")))
    if column.dtype.kind == "f":
        kind = np.dtype(f"f{min(max(kind.itemsize, 4), 8)}")
    return pa.array(np.ascontiguousarray(column, kind))
