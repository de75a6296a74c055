"""Files as sheets of named columns: CSV, Parquet and .npz, told apart by their first bytes."""

from __future__ import annotations

import io
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vecphe.data.cells import MISSING_LABELS, SPACES, Cells, Fault, numbers_of
from vecphe.data.csv_records import Records, read_records
from vecphe.data.options import ReadOptions
from vecphe.data.problems import Problems, listed, places
from vecphe.data.text import check_text_start, utf8_of
from vecphe.system.files import read_file
from vecphe.system.memory import check_memory

__all__ = ["Labels", "Sheet", "open_sheet"]

_PARQUET, _ZIP = b"PAR1", b"PK\x03\x04"
_LONGEST_NAME = 200  # characters of a column's name
_EMPTY = ("{} has no name and no value and is left out", "{} have no name and no value and are left out")
_NAMELESS = ("{} has no name; give it one in line 1", "{} have no name; give them some in line 1")
_UNPRINTABLE = ("the name of {} is not printable", "the names of {} are not printable")
_LONG = (
    f"the name of {{}} is longer than {_LONGEST_NAME} characters",
    f"the names of {{}} are longer than {_LONGEST_NAME} characters",
)
_TWICE = ("{} has a name that stands in the header before", "{} have names that stand in the header before")
_INDEX_OF_PANDAS = ("", "Unnamed: 0", "__index_level_0__")  # in CSV, as it names one that it read, in Parquet
_NUMERIC = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Labels:
    """Texts of a column: `codes` are places in `levels`, -1 where a cell is missing."""

    codes: npt.NDArray[np.int64]
    levels: tuple[str, ...]


class Sheet(ABC):
    """A file of named columns.

    Attributes
    ----------
    name : str
        What errors call the file.
    names : tuple of str
        Of its columns, each of which occurs once.
    notes : tuple of str
        What was left out.
    unit : str
        What the places of rows count: lines, or rows.
    """

    unit: str

    def __init__(self, name: str, names: Sequence[str], notes: Sequence[str] = ()) -> None:
        self.name, self.names, self.notes = name, tuple(names), tuple(notes)

    @property
    @abstractmethod
    def places(self) -> npt.NDArray[np.int64]:
        """Number of the line or row of the file that each row stands in."""

    @abstractmethod
    def numbers(self, names: Sequence[str]) -> Cells:
        """Numbers of some columns, shape (columns, rows)."""

    @abstractmethod
    def labels(self, name: str) -> Labels:
        """Texts of a column."""


class CsvSheet(Sheet):
    """Text; rows without any value are left out."""

    unit = "line"

    def __init__(
        self, name: str, places: dict[str, int], notes: Sequence[str], records: Records, blank: Rows, decimal: str
    ) -> None:
        super().__init__(name, tuple(places), notes)
        self._places, self._records, self._decimal = places, records, decimal
        self._kept = None if not blank.any() else np.flatnonzero(~blank)

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """Numbers of lines."""
        return self._records.lines if self._kept is None else self._records.lines[self._kept]

    def numbers(self, names: Sequence[str]) -> Cells:
        """All columns at once."""
        shape = (len(names), len(self._records))
        cells = numbers_of(self._records.cells([self._places[name] for name in names]), self._decimal)
        values, faults = cells.values.reshape(shape), cells.faults.reshape(shape)
        if self._kept is not None:
            values, faults = values[:, self._kept], faults[:, self._kept]
        return Cells(values, faults)

    def labels(self, name: str) -> Labels:
        """Without the spaces around them."""
        text = pc.utf8_trim(self._records.cells([self._places[name]]), SPACES)
        return _labels(text if self._kept is None else text.take(pa.array(self._kept)))


class TypedSheet(Sheet):
    """Columns of the types of Arrow."""

    unit = "row"

    def __init__(self, name: str, columns: dict[str, Any], notes: Sequence[str] = ()) -> None:
        super().__init__(name, tuple(columns), notes)
        self._columns = columns

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """Numbers of rows, from 1."""
        return np.arange(1, len(next(iter(self._columns.values()))) + 1)

    def numbers(self, names: Sequence[str]) -> Cells:
        """A column after the other."""
        return Cells.stacked([_numbers(self._columns[name]) for name in names])

    def labels(self, name: str) -> Labels:
        """As text."""
        column = self._columns[name]
        if pa.types.is_floating(column.type):  # 2.0 is the label 2, as an integer column with a gap has it
            whole = pc.all(pc.equal(column, pc.floor(column)), min_count=0).as_py()
            column = pc.cast(column, pa.int64(), safe=False) if whole else column
        try:
            return _labels(pc.cast(_decoded(column), pa.string()))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # lists and the like name nothing
            return Labels(np.full(len(column), -1), ())


def _labels(column: Any) -> Labels:
    encoded = pc.dictionary_encode(column).combine_chunks()
    levels = encoded.dictionary.to_pylist()
    codes = pc.fill_null(encoded.indices, len(levels)).to_numpy().astype(np.int64)
    known = [number for number, level in enumerate(levels) if level.lower() not in MISSING_LABELS]
    renumbered = np.full(len(levels) + 1, -1, np.int64)
    renumbered[known] = np.arange(len(known))
    return Labels(renumbered[codes], tuple(levels[number] for number in known))


def _decoded(column: Any) -> Any:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _numbers(column: Any) -> Cells:
    column = _decoded(column)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return numbers_of(pc.cast(column, pa.string()))
    missing = np.array(pc.is_null(column, nan_is_null=True).to_numpy())
    if not any(is_number(kind) for is_number in _NUMERIC):
        fault = Fault.DATE if pa.types.is_temporal(kind) else Fault.TEXT
        faults = np.where(missing, Fault.MISSING, fault).astype(np.uint8)
        return Cells(np.full(len(column), np.nan), faults)
    small = pc.cast(column, pa.uint8()) if pa.types.is_boolean(kind) else column
    values = np.array(pc.cast(small, pa.float64(), safe=False).to_numpy())
    faults = np.where(missing, Fault.MISSING, np.where(np.isfinite(values), Fault.NONE, Fault.NOT_FINITE))
    values[faults != Fault.NONE] = np.nan
    return Cells(values, faults.astype(np.uint8))


def open_sheet(
    path: str, options: ReadOptions, problems: Problems, used: Collection[str] | None = None
) -> Sheet | None:
    """The sheet in a file, or none and a problem more; names that are not among those `used`, if given, may be wrong.

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
    if data.startswith(_PARQUET):
        return _parquet(data, path, problems, used)
    if data.startswith(_ZIP):
        return _npz(data, path, problems, used)
    return _csv(data, path, options, problems, used)


def _check_start(start: bytes, name: str, encoding: str | None) -> None:
    if not start.startswith((_PARQUET, _ZIP)):
        check_text_start(start, name, encoding=encoding)


def _csv(
    data: bytes, name: str, options: ReadOptions, problems: Problems, used: Collection[str] | None
) -> Sheet | None:
    records = read_records(utf8_of(data, name, options.encoding), name, options.separator)
    header = [cell.strip(SPACES) for cell in records.row(0)] if len(records) else []
    if not any(header):
        problems.add(name, "the file is empty; its first line must name the columns")
        return None
    rows, notes = records.cut(1, len(records)), list[str]()
    empty = rows.is_empty
    places_of = _named(header, name, notes, problems, np.asarray(empty.all(axis=1)), used)
    blank: Rows = np.asarray(empty.all(axis=0))
    if rows.ragged:
        _tell_ragged(rows, name, problems)
    elif blank.all():
        problems.add(name, "there is no row below the header")
    return CsvSheet(name, places_of, notes, rows, blank, options.decimal)


def _tell_ragged(rows: Records, name: str, problems: Problems) -> None:
    lines, counts = [line for line, _ in rows.ragged], sorted({count for _, count in rows.ragged})
    cells = listed(counts) if len(counts) < 4 else f"{counts[0]} to {counts[-1]}"
    have = "has" if len(lines) == 1 else "have"
    hint = "; cells are separated by commas, or as --sep says" if rows.width == 1 else ""
    problems.add(name, f"{places('line', lines)} {have} {cells} cells, but the header has {rows.width}{hint}")


def _named(
    header: Sequence[str],
    name: str,
    notes: list[str],
    problems: Problems,
    empty: Rows | None = None,
    used: Collection[str] | None = None,
) -> dict[str, int]:
    """The place of each column by its name. Where a header is missing, the names are values: none is shown."""
    places_of: dict[str, int] = {}
    wrong: dict[tuple[str, str], list[int]] = {}
    for number, column in enumerate(header):
        if column in _INDEX_OF_PANDAS and (number == 0 or column == _INDEX_OF_PANDAS[-1]) and len(header) > 1:
            notes.append(f"{name}: column {number + 1} is left out: it has no name, as an index that pandas writes")
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
    for why, places_wrong in wrong.items():
        numbers = [number for number in places_wrong if used is None or header[number - 1] in used]
        if not numbers:
            continue
        told = why[len(numbers) > 1].format(places("column", numbers))
        notes.append(f"{name}: {told}") if why is _EMPTY else problems.add(name, told)
    return places_of


def _parquet(data: bytes, name: str, problems: Problems, used: Collection[str] | None) -> Sheet | None:
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(data))
        check_memory(16 * file.metadata.num_rows * file.metadata.num_columns, f"what {name} holds", "give less of it")
        table = file.read(use_threads=False)
    except (pa.ArrowException, OSError):  # whose text may show what it holds
        raise ValueError(f"{name}: not a whole Parquet file") from None
    notes: list[str] = []
    places_of = _named(table.column_names, name, notes, problems, used=used)
    return _typed(name, {column: table.column(number) for column, number in places_of.items()}, notes, problems)


def _typed(name: str, columns: dict[str, Any], notes: Sequence[str], problems: Problems) -> Sheet | None:
    if not columns or not len(next(iter(columns.values()))):
        problems.add(name, "there is no row, or no column")
        return None
    return TypedSheet(name, columns, notes)


def _npz(data: bytes, name: str, problems: Problems, used: Collection[str] | None) -> Sheet | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_memory(
                sum(member.file_size for member in archive.infolist()), f"what {name} holds", "give less of it"
            )
        with np.load(io.BytesIO(data), allow_pickle=False) as content:
            arrays = {key: content[key] for key in content.files}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, zlib.error):
        raise ValueError(f"{name}: not a whole .npz file of plain arrays, as numpy.savez writes it") from None
    names = arrays.pop("feature_names", None)
    columns: dict[str, npt.NDArray[Any]] = {}
    for key, array in arrays.items():
        if array.ndim == 1:
            columns[key] = array
        elif array.ndim == 2:
            given = names.tolist() if names is not None and names.shape == array.shape[1:] else None
            own = [f"{key}{number}" for number in range(array.shape[1])] if given is None else list(map(str, given))
            columns.update(zip(own, array.T, strict=True))
        else:
            problems.add(name, f"the array {key!r} has {array.ndim} dimensions; columns have 1, tables 2")
    if len({len(column) for column in columns.values()}) > 1:
        problems.add(name, "its arrays have different numbers of rows")
        return None
    notes: list[str] = []
    kept = _named(list(columns), name, notes, problems, used=used)
    return _typed(name, {column: pa.chunked_array([_arrow(columns[column])]) for column in kept}, notes, problems)


def _arrow(column: npt.NDArray[Any]) -> Any:
    if column.dtype.kind in "SU":
        return pa.array(np.char.decode(column, "latin-1").tolist() if column.dtype.kind == "S" else column.tolist())
    if column.dtype.kind not in "biufM":
        return pa.array([[]] * len(column))  # no numbers, and no text
    wanted = {"f": np.dtype(np.float64)}.get(column.dtype.kind, column.dtype.newbyteorder("="))
    return pa.array(np.ascontiguousarray(column, wanted))
