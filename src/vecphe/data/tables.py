"""Files to one table: the columns that are wanted, as numbers, and everything that is wrong in one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.data.cells import Cells, Fault
from vecphe.data.options import ReadOptions, TableOptions
from vecphe.data.problems import Problems, listed, places
from vecphe.data.schema import Column, Floats, Schema
from vecphe.data.sheets import Labels, Sheet, open_sheet
from vecphe.data.table import Table

__all__ = ["read_rows", "read_table"]

_LONGEST_LABEL = 80  # characters of a group, level or class, which are shown
_MOST_LEVELS = 100  # of a category, and of classes

Rows = npt.NDArray[np.bool_]


@dataclass
class _Part:
    """One file: columns of numbers as rows of `cells`, the others as labels."""

    sheet: Sheet
    cells: Cells
    row_of: dict[str, int]
    labels: dict[str, Labels]

    @property
    def n_rows(self) -> int:
        return len(self.sheet.places)

    def values(self, name: str) -> Floats:
        """Numbers of a column."""
        return np.asarray(self.cells.values[self.row_of[name]])

    def faults(self, name: str) -> npt.NDArray[np.uint8]:
        """What is wrong with each of them."""
        return np.asarray(self.cells.faults[self.row_of[name]])

    def faulty(self, names: Sequence[str]) -> list[str]:
        """Those of some columns in which anything is missing or wrong."""
        any_fault = np.asarray(self.cells.faults.any(axis=1))
        return [name for name in names if name in self.labels or any_fault[self.row_of[name]]]

    def missing(self, name: str) -> Rows:
        """Rows in which a column has no value."""
        if name in self.labels:
            return np.asarray(self.labels[name].codes == -1)
        return np.asarray(self.faults(name) == Fault.MISSING)


def read_table(paths: Sequence[str], options: TableOptions) -> Table:
    """The rows of one file, or of one file for each hospital.

    Raises
    ------
    TableError
        With everything that is wrong.
    ValueError, OSError, BatchTooLargeError
        If a file cannot be read at all.
    """
    problems = Problems()
    sheets = [sheet for path in paths if (sheet := open_sheet(path, options, problems)) is not None]
    options = _resolved(options, {name for sheet in sheets for name in sheet.names})
    wanted = _wanted(sheets, options, problems) if sheets else None
    if wanted is None:
        problems.check()
        raise ValueError("there is no file of data")
    parts = [_part(sheet, wanted, options) for sheet in sheets]
    ends = set(_ends(options))
    columns = tuple(_column(name, parts, options, problems) for name in wanted if name not in ends)
    names = [column.name for column in columns]
    _check_target(parts, options, problems)
    empty = _check_numbers(parts, wanted, options, problems)
    used = [name for name in [*names, *_ends(options)] if name not in empty]
    kept = [_kept(part, used, options, problems) for part in parts]
    groups = _groups(parts, kept, options, problems)
    problems.check()
    notes = [note for sheet in sheets for note in sheet.notes]
    notes += [_told_levels(column) for column in columns if column.levels]
    notes += [_told_rows(part, rows) for part, rows in zip(parts, kept, strict=True) if not rows.all()]
    X = np.concatenate([_features(part, columns)[rows] for part, rows in zip(parts, kept, strict=True)])
    y = np.concatenate([_targets(part, options.target)[rows] for part, rows in zip(parts, kept, strict=True)])
    return Table(Schema(columns), X, y, groups, options.target, tuple(notes))


def read_rows(
    path: str, schema: Schema, options: ReadOptions | None = None, *, missing: str = "error", has_means: bool = True
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Rows to predict for: the columns of a model, found by their names, from a file that may have others too.

    Parameters
    ----------
    path : str
    schema : Schema
        Of the model.
    options : ReadOptions, optional
    missing : str
        "error" refuses cells that are missing, "drop" leaves out their rows, "mean" leaves NaN in X.
    has_means : bool
        Whether the model knows means to fill in, so that "mean" can be a way out.

    Returns
    -------
    X : ndarray
        Shape (rows, features).
    places : ndarray
        Number of the line (of Parquet and .npz: of the row) that each row of X stands in.

    Raises
    ------
    TableError, ValueError, OSError, BatchTooLargeError
        As `read_table`.
    """
    reading = options or ReadOptions()
    wanted = TableOptions(
        reading.separator, reading.decimal, reading.encoding, target="", missing=missing,
        categories=tuple(column.name for column in schema.columns if column.levels), has_means=has_means,
    )  # fmt: skip
    problems = Problems()
    names = [column.name for column in schema.columns]
    sheet = open_sheet(path, wanted, problems, used=names)
    if sheet is not None and (absent := sorted(set(names) - set(sheet.names))):
        problems.add(path, f"the model's {_columns(absent)} missing")
        sheet = None
    if sheet is None:
        problems.check()
        raise ValueError(f"{path}: no table")
    part = _part(sheet, names, wanted)
    for column in schema.columns:
        if column.levels:
            _take_levels(part, column, problems)
    empty = _check_numbers([part], names, wanted, problems)
    rows = _kept(part, [name for name in names if name not in empty], wanted, problems)
    problems.check()
    return _features(part, schema.columns)[rows], sheet.places[rows]


def _columns(names: Sequence[str]) -> str:
    shown = listed([repr(name) for name in names[:10]] + ([f"{len(names) - 10} more"] if len(names) > 10 else []))
    return f"column {shown} is" if len(names) == 1 else f"columns {shown} are"


# Which columns ----------------------------------------------------------------------------------------------------


def _ends(options: TableOptions) -> list[str]:
    """The columns that are no features."""
    return [name for name in (options.target, options.group) if name]


def _resolved(options: TableOptions, known: set[str]) -> TableOptions:
    """Lists of names taken apart, where they are no names themselves."""

    def each(names: Sequence[str]) -> tuple[str, ...]:
        apart = (name for given in names for name in ([given] if given in known else given.split(",")))
        return tuple(dict.fromkeys(name.strip() for name in apart))

    return replace(
        options,
        features=each(options.features),
        drop=each(options.drop),
        categories=each(options.categories),
    )


def _wanted(sheets: Sequence[Sheet], options: TableOptions, problems: Problems) -> list[str] | None:
    """Names of the columns to read, target and group among them, in the order of the first file."""
    whole = True
    for sheet in sheets:
        for name in _ends(options):
            if name not in sheet.names:
                whole = False
                problems.add(sheet.name, f"there is no column {name!r} among the {len(sheet.names)} that it names")
    if not whole:
        return None
    first = sheets[0]
    drop, known = set(options.drop), {name for sheet in sheets for name in sheet.names}
    for option in ("features", "drop", "categories"):
        for name in getattr(options, option):
            if name not in known:
                problems.add(first.name, f"--{option} names {name!r}, and there is no such column")
            elif name in _ends(options) and option != "categories":
                problems.add(first.name, f"--{option} names {name!r}, which is the target or the group")
    chosen = set(options.features) or known
    ends = set(_ends(options))
    wanted = [name for name in first.names if name in ends or (name in chosen and name not in drop)]
    _check_same(sheets, chosen - drop, problems)
    if len(wanted) == len(ends):
        problems.add(first.name, "no column is left to be a feature")
        return None
    common = set.intersection(*(set(sheet.names) for sheet in sheets))
    return [name for name in wanted if name in common]


def _check_same(sheets: Sequence[Sheet], chosen: set[str], problems: Problems) -> None:
    first = set(sheets[0].names)
    for sheet in sheets[1:]:
        names = set(sheet.names)
        if lacking := [name for name in sheets[0].names if name in chosen - names]:
            problems.add(sheet.name, f"{_columns(lacking)} missing, which {sheets[0].name} has; {_drop(lacking)}")
        if more := [name for name in sheet.names if name in chosen - first]:
            problems.add(sheet.name, f"{_columns(more)} in it, and not in {sheets[0].name}; {_drop(more)}")


def _drop(names: Sequence[str]) -> str:
    return " ".join(f"--drop {_quoted(name)}" for name in names[:5])


def _quoted(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else f"'{name}'" if "'" not in name else repr(name)


# What they hold ---------------------------------------------------------------------------------------------------


def _part(sheet: Sheet, wanted: Sequence[str], options: TableOptions) -> _Part:
    labelled = {name for name in wanted if name in options.categories or name == options.group}
    names = [name for name in wanted if name not in labelled]
    cells = sheet.numbers(names) if names else Cells(np.zeros((0, 0)), np.zeros((0, 0), np.uint8))
    row_of = {name: number for number, name in enumerate(names)}
    return _Part(sheet, cells, row_of, {name: sheet.labels(name) for name in wanted if name in labelled})


def _column(name: str, parts: Sequence[_Part], options: TableOptions, problems: Problems) -> Column:
    """A column with its levels; those of all files together."""
    if name not in options.categories:
        return Column(name)
    levels = sorted({level for part in parts for level in part.labels[name].levels})
    first = parts[0].sheet.name
    if len(levels) > _MOST_LEVELS:
        problems.add(
            first, f"column {name!r} has {len(levels)} values; a category may have {_MOST_LEVELS}: {_drop([name])}"
        )
    elif len(levels) < 2:
        problems.add(first, f"column {name!r} has {len(levels)} values; a category has two or more: {_drop([name])}")
    else:
        for part in parts:
            _check_labels(part, name, "a value", problems)
            part.labels[name] = _renumbered(part.labels[name], levels)
    return Column(name, tuple(levels[:_MOST_LEVELS]))


def _renumbered(labels: Labels, levels: Sequence[str]) -> Labels:
    number_of = {level: number for number, level in enumerate(levels)}
    numbers = np.array([*(number_of.get(level, -2) for level in labels.levels), -1], np.int64)
    return Labels(numbers[labels.codes], tuple(levels))


def _take_levels(part: _Part, column: Column, problems: Problems) -> None:
    labels = part.labels[column.name] = _renumbered(part.labels[column.name], column.levels)
    unknown = np.flatnonzero(labels.codes == -2)
    if len(unknown):
        problems.add(
            part.sheet.name,
            f"{_at(part, column.name, unknown)}: a value that the model does not know; leave such rows out",
        )


def _check_labels(part: _Part, name: str, what: str, problems: Problems) -> None:
    """Say which labels cannot be shown."""
    labels = part.labels[name]
    for number, label in enumerate(labels.levels):
        why = (
            "is not printable" if not label.isprintable()
            else f"is longer than {_LONGEST_LABEL} characters" if len(label) > _LONGEST_LABEL
            else ""
        )  # fmt: skip
        if why:
            problems.add(part.sheet.name, f"{_at(part, name, np.flatnonzero(labels.codes == number))}: {what} {why}")


def _at(part: _Part, name: str, rows: npt.NDArray[Any]) -> str:
    return f"column {name!r}, {places(part.sheet.unit, part.sheet.places[rows])}"


def _check_target(parts: Sequence[_Part], options: TableOptions, problems: Problems) -> None:
    """Take the targets for labels where none is a number; say what is wrong with them."""
    name = options.target
    if name not in parts[0].labels:
        faults = np.concatenate([part.faults(name) for part in parts])
        is_number, is_text = (faults == Fault.NONE).any(), (faults >= Fault.DATE).any()
        if not is_text or options.labels is False or (is_number and not options.labels):
            return
        for part in parts:
            part.labels[name] = part.sheet.labels(name)
    levels = sorted({level for part in parts for level in part.labels[name].levels})
    if len(levels) > _MOST_LEVELS:
        problems.add(
            parts[0].sheet.name, f"the target {name!r} holds {len(levels)} texts; classes can be {_MOST_LEVELS}"
        )
        return
    for part in parts:
        _check_labels(part, name, "a class", problems)


def _check_numbers(
    parts: Sequence[_Part], wanted: Sequence[str], options: TableOptions, problems: Problems
) -> set[str]:
    """Say what is wrong with columns of numbers; those without any value."""
    names = [name for name in wanted if name not in parts[0].labels]
    empty = set[str]()
    for name in dict.fromkeys(name for part in parts for name in part.faulty(names)):
        if all(part.missing(name).all() for part in parts):
            if not options.target and options.missing == "mean":
                continue  # the model has the mean
            way = _drop([name]) if options.target else "--missing mean" if options.has_means else "the model needs it"
            way = "" if name == options.target else f"; {way}"
            problems.add(parts[0].sheet.name, f"column {name!r} is empty{way}")
            empty.add(name)
            continue
        for part in parts:
            if part.faults(name).any():
                _tell_faults(part, name, options, problems)
    return empty


def _tell_faults(part: _Part, name: str, options: TableOptions, problems: Problems) -> None:
    """What is wrong with a column of numbers, by kinds."""
    faults = part.faults(name)
    is_target = name == options.target or not options.target  # which can both not be left out
    kinds = np.bincount(faults, minlength=len(Fault))
    if not kinds[Fault.NONE] and not kinds[Fault.COMMA] and kinds[Fault.DATE] + kinds[Fault.TEXT]:
        _tell_words(part, name, kinds, options, problems)
        return
    leave = "correct it" if is_target else f"correct it, or {_drop([name])}"
    ways = {
        Fault.NOT_FINITE: f"NaN and infinity are not finite numbers; {leave}",
        Fault.OUT_OF_RANGE: f"a number beyond the range of float64; {leave}",
        Fault.TOO_LONG: f"a number of too many digits; {leave}",
        Fault.COMMA: "a decimal comma; give --decimal ,",
        Fault.DATE: f"a date; {leave}",
        Fault.TEXT: f"not a number; {leave}",
    }
    for fault, way in ways.items():
        if kinds[fault]:
            problems.add(part.sheet.name, f"{_at(part, name, np.flatnonzero(faults == fault))}: {way}")


def _tell_words(part: _Part, name: str, kinds: Any, options: TableOptions, problems: Problems) -> None:
    """A column without a number."""
    file, start = part.sheet.name, f"column {name!r}"
    dates = kinds[Fault.DATE] > kinds[Fault.TEXT]
    if not options.target:
        words = "dates" if dates else "text"
        problems.add(
            file, f"{start}, from {part.sheet.unit} {_first(part, name)} on: {words}, where the model has numbers"
        )
        return
    if dates:
        way = "which cannot be predicted" if name == options.target else _drop([name])
        problems.add(file, f"{start} holds dates, from {part.sheet.unit} {_first(part, name)} on; {way}")
        return
    count = len(part.sheet.labels(name).levels)
    words = f"{start}, from {part.sheet.unit} {_first(part, name)} on: text, not numbers"
    if name == options.target:
        problems.add(file, f"{words}; it can only be predicted as classes")
        return
    encode = f"--categories {_quoted(name)} (all parties see its {count} values) or "
    problems.add(file, f"{words}; {encode if 2 <= count <= _MOST_LEVELS else ''}{_drop([name])}")


def _first(part: _Part, name: str) -> int:
    return int(part.sheet.places[np.argmax(part.faults(name) >= Fault.DATE)])


# Rows -------------------------------------------------------------------------------------------------------------


def _kept(part: _Part, names: Sequence[str], options: TableOptions, problems: Problems) -> Rows:
    """The rows to use; say which cells are missing where that is an error."""
    kept = np.ones(part.n_rows, bool)
    for name in part.faulty(names):
        missing = part.missing(name)
        if not missing.any():
            continue
        if options.missing == "drop":
            kept &= ~missing
        elif options.missing == "error" or name in _ends(options):
            _tell_missing(part, name, np.flatnonzero(missing), options, problems)
    if not kept.any() and part.n_rows:
        problems.add(part.sheet.name, "no row is left, for a cell is missing in each of them")
    return kept


def _tell_missing(
    part: _Part, name: str, rows: npt.NDArray[np.int64], options: TableOptions, problems: Problems
) -> None:
    empty = (
        not options.target and len(rows) == part.n_rows
    )  # of a category, in a file to predict for: no row would be left
    only_drop = name in _ends(options) or not options.has_means
    ways = "--missing drop" if only_drop else "--missing mean" if empty else "--missing drop or mean"
    count = "a cell is" if len(rows) == 1 else f"{len(rows)} cells are"
    problems.add(part.sheet.name, f"{_at(part, name, rows)}: {count} missing; {ways}")


def _groups(
    parts: Sequence[_Part], kept: Sequence[Rows], options: TableOptions, problems: Problems
) -> tuple[str, ...] | None:
    """The hospital of every row that is kept."""
    if options.group is None and len(parts) == 1:
        return None
    if options.group is None:
        names = _hospitals([part.sheet.name for part in parts], options.reserved)
        return tuple(name for name, rows in zip(names, kept, strict=True) for _ in range(int(rows.sum())))
    groups: list[str] = []
    for part, rows in zip(parts, kept, strict=True):
        labels = part.labels[options.group]
        _check_labels(part, options.group, "the name of the group", problems)
        for name in set(options.reserved).intersection(labels.levels):
            found = np.flatnonzero(labels.codes == labels.levels.index(name))
            problems.add(part.sheet.name, f"{_at(part, options.group, found)}: {name!r} is the name of another party")
        groups.extend(np.array([*labels.levels, ""], dtype=object)[labels.codes[rows]])
    return tuple(groups)


def _hospitals(paths: Sequence[str], reserved: Sequence[str]) -> list[str]:
    """A name for each file: its own without folder and ending where these differ."""
    stems = [Path(path).stem for path in paths]
    good = len(set(stems)) == len(stems) and all(
        stem.isprintable() and len(stem) <= _LONGEST_LABEL and stem not in reserved for stem in stems
    )
    return stems if good else [f"Hospital {number}" for number in range(1, len(paths) + 1)]


# Numbers ----------------------------------------------------------------------------------------------------------


def _features(part: _Part, columns: Sequence[Column]) -> Floats:
    if not any(column.levels for column in columns):
        return part.cells.values[[part.row_of[column.name] for column in columns]].T
    X = np.empty((part.n_rows, sum(len(column.features) for column in columns)))
    start = 0
    for column in columns:
        stop = start + len(column.features)
        if column.levels:
            X[:, start:stop] = column.encoded(part.labels[column.name].codes)
        else:
            X[:, start] = part.values(column.name)
        start = stop
    return X


def _targets(part: _Part, name: str) -> npt.NDArray[Any]:
    if name not in part.labels:
        return part.values(name)
    labels = part.labels[name]
    return np.array([*labels.levels, ""], dtype=str)[labels.codes]


def _told_levels(column: Column) -> str:
    return f"all parties come to know the {len(column.levels)} values of the column {column.name!r}"


def _told_rows(part: _Part, kept: Rows) -> str:
    count = int((~kept).sum())
    rows = "1 row" if count == 1 else f"{count} rows"
    return f"{part.sheet.name}: {rows} of {part.n_rows} {'is' if count == 1 else 'are'} left out for missing cells"
