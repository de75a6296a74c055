"""Files to one table: the columns that are wanted, as numbers, and everything that is wrong in one message."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.data.cells import SPACES, Fault, Labels
from vecphe.data.csv_records import separator_option
from vecphe.data.faults import LONGEST_LABEL, MOST_LEVELS, check_numbers
from vecphe.data.options import ReadOptions, TableOptions
from vecphe.data.parts import Part, levels_of, part_of
from vecphe.data.problems import Problems, drop, listed
from vecphe.data.schema import Column, Floats, Schema
from vecphe.data.sheets import Sheet, open_sheet
from vecphe.data.table import Table
from vecphe.system.plurals import are, counted

__all__ = ["read_rows", "read_table"]

_MOST_SHOWN = 10  # values of a column

Rows = npt.NDArray[np.bool_]


def read_table(paths: Sequence[str], options: TableOptions) -> Table:
    """What `vecphe.data.read_table` gives, where pyarrow is there."""
    problems = Problems()
    sheets = [sheet for path in paths if (sheet := open_sheet(path, options, problems)) is not None]
    _check_once(sheets, problems)
    options = _resolved(options, {name for sheet in sheets for name in sheet.names})
    wanted = _wanted(sheets, options, problems) if sheets else None
    if wanted is None:
        problems.check()
        raise ValueError("there is no file of data")
    parts = [part_of(sheet, wanted, options) for sheet in sheets]
    ends = _ends(options)
    columns = tuple(_column(name, parts, options, problems) for name in wanted if name not in ends)
    _check_features(columns, sheets[0].name, problems)
    names = [column.name for column in columns]
    _check_target(parts, options, problems)
    empty = check_numbers(parts, wanted, options, problems)
    used = [name for name in [*names, *_ends(options)] if name not in empty]
    kept = [_kept(part, used, options, problems) for part in parts]
    groups = _groups(parts, kept, options, problems)
    problems.check()
    notes = [note for sheet in sheets for note in sheet.notes]
    notes += [_told_levels("values", column.name, column.levels) for column in columns if column.levels]
    if options.target in parts[0].labels:
        notes.append(_told_levels("classes", options.target, levels_of(parts, options.target)))
    notes += [_told_rows(part, rows) for part, rows in zip(parts, kept, strict=True) if not rows.all()]
    X = np.concatenate([_features(part, columns)[rows] for part, rows in zip(parts, kept, strict=True)])
    y = np.concatenate([_targets(part, options.target)[rows] for part, rows in zip(parts, kept, strict=True)])
    return Table(Schema(columns), X, y, groups, options.target, tuple(notes))


def read_rows(
    path: str, schema: Schema, options: ReadOptions | None = None, *, missing: str = "error", has_means: bool = True
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """What `vecphe.data.read_rows` gives, where pyarrow is there."""
    reading = options or ReadOptions()
    wanted = TableOptions(
        reading.separator, reading.decimal, reading.encoding, reading.thousands, missing=missing,
        categories=tuple(column.name for column in schema.columns if column.levels), has_means=has_means,
    )  # fmt: skip
    problems = Problems(used=[column.name for column in schema.columns])
    sheet = open_sheet(path, wanted, problems)
    names = [column.name for column in schema.columns]
    if sheet is not None and (absent := sorted(set(names) - set(sheet.names))):
        problems.add(path, f"the model's {_columns(absent)} missing")
        sheet = None
    if sheet is None:
        problems.check()
        raise ValueError(f"{path}: no table")
    part = part_of(sheet, names, wanted)
    for column in schema.columns:
        if column.levels:
            _take_levels(part, column, problems)
    empty = check_numbers([part], names, wanted, problems)
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
    """Names without the spaces around them, as columns have them; lists taken apart, where they are no names."""

    def each(names: Sequence[str]) -> tuple[str, ...]:
        apart = (name for given in names for name in ([given] if given.strip(SPACES) in known else given.split(",")))
        return tuple(dict.fromkeys(name.strip(SPACES) for name in apart))

    return replace(
        options,
        target=options.target.strip(SPACES),
        group=options.group and options.group.strip(SPACES),
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
                other = sheet.separator_with(name)
                way = f"; with {separator_option(other)} there is one" if other else ""
                problems.add(sheet.name, f"there is no column {name!r} among the {len(sheet.names)} that it names{way}")
    if not whole:
        return None
    first = sheets[0]
    drop, known = set(options.drop), {name for sheet in sheets for name in sheet.names}
    for option in ("features", "drop", "categories"):
        for name in getattr(options, option):
            if name not in known:
                close = difflib.get_close_matches(name, known)
                way = f"; there is {close[0]!r}" if close else ""
                problems.add(first.name, f"--{option} names {name!r}, and there is no such column{way}")
            elif name in _ends(options) and option != "categories":
                problems.add(first.name, f"--{option} names {name!r}, which is the target or the group")
    chosen = set(options.features) or known
    ends = _ends(options)
    wanted = [name for name in first.names if name in ends or (name in chosen and name not in drop)]
    _check_same(sheets, chosen - drop, problems)
    if len(wanted) == len(ends):
        problems.add(first.name, "no column is left to be a feature")
        return None
    common = set.intersection(*(set(sheet.names) for sheet in sheets))
    return [name for name in wanted if name in common]


def _check_same(sheets: Sequence[Sheet], chosen: set[str], problems: Problems) -> None:
    added = chosen - set(sheets[0].names)
    for sheet in sheets:
        absent = chosen - set(sheet.names)
        if lacking := [name for name in sheets[0].names if name in absent]:
            problems.add(sheet.name, f"{_columns(lacking)} missing, which {sheets[0].name} has; {drop(lacking)}")
        if more := [name for name in sheet.names if name in added]:
            problems.add(sheet.name, f"{_columns(more)} in it, and not in {sheets[0].name}; {drop(more)}")


def _check_once(sheets: Sequence[Sheet], problems: Problems) -> None:
    first_of: dict[bytes, Sheet] = {}
    for sheet in sheets:
        first = first_of.setdefault(sheet.digest, sheet)
        if first is not sheet:
            problems.add(sheet.name, f"it holds the same as {first.name}; give the file of each hospital once")


def _check_features(columns: Sequence[Column], file: str, problems: Problems) -> None:
    """Say which features would be called as another."""
    of: dict[str, str] = {}
    for column in columns:
        for feature in column.features:
            other = of.setdefault(feature, column.name)
            if other != column.name:
                problems.add(
                    file,
                    f"the columns {other!r} and {column.name!r} both become a feature {feature!r}; rename one, or "
                    f"{drop([other])} or {drop([column.name])}",
                )


# What they hold ---------------------------------------------------------------------------------------------------


def _column(name: str, parts: Sequence[Part], options: TableOptions, problems: Problems) -> Column:
    """A column with its levels; those of all files together."""
    if name not in options.categories:
        return Column(name)
    levels = levels_of(parts, name)
    first = parts[0].sheet.name
    if len(levels) > MOST_LEVELS:
        problems.add(
            first, f"column {name!r} has {len(levels)} values; a category may have {MOST_LEVELS}: {drop([name])}"
        )
    elif len(levels) < 2:
        problems.add(
            first, f"column {name!r} has {counted(len(levels), 'value')}; a category has two or more: {drop([name])}"
        )
    else:
        for part in parts:
            _check_labels(part, name, "a value", problems)
            part.labels[name] = _renumbered(part.labels[name], levels)
    return Column(name, levels[:MOST_LEVELS])


def _renumbered(labels: Labels, levels: tuple[str, ...]) -> Labels:
    number_of = {level: number for number, level in enumerate(levels)}
    numbers = np.array([*(number_of.get(level, -2) for level in labels.levels), -1], np.int64)
    return Labels(numbers[labels.codes], levels)


def _take_levels(part: Part, column: Column, problems: Problems) -> None:
    labels = part.labels[column.name] = _renumbered(part.labels[column.name], column.levels)
    unknown = np.flatnonzero(labels.codes == -2)
    if len(unknown):
        problems.add(
            part.sheet.name,
            f"{part.at(column.name, unknown)}: a value that the model does not know; leave such rows out",
        )


def _check_labels(part: Part, name: str, what: str, problems: Problems) -> None:
    """Say which labels cannot be shown."""
    labels = part.labels[name]
    for number, label in enumerate(labels.levels):
        why = (
            "is not printable" if not label.isprintable()
            else f"is longer than {LONGEST_LABEL} characters" if len(label) > LONGEST_LABEL
            else ""
        )  # fmt: skip
        if why:
            problems.add(part.sheet.name, f"{part.at(name, np.flatnonzero(labels.codes == number))}: {what} {why}")


def _check_target(parts: Sequence[Part], options: TableOptions, problems: Problems) -> None:
    """Take the targets for labels where none is a number; say what is wrong with them."""
    name = options.target
    if name not in parts[0].labels:
        faults = np.concatenate([part.faults(name) for part in parts])
        is_number, is_text = (faults == Fault.NONE).any(), (faults >= Fault.DATE).any()
        if not is_text or options.labels is False or (is_number and not options.labels):
            return
        for part in parts:
            part.labels[name] = part.sheet.labels(name)
    levels = levels_of(parts, name)
    if len(levels) > MOST_LEVELS:
        problems.add(
            parts[0].sheet.name,
            f"the target {name!r} holds {len(levels)} texts; classes can be {MOST_LEVELS}: name another with --target",
        )
        return
    if len(levels) == 1:
        problems.add(
            parts[0].sheet.name, f"the target {name!r} is of one class in every row; name another column with --target"
        )
    for part in parts:
        _check_labels(part, name, "a class", problems)


# Rows -------------------------------------------------------------------------------------------------------------


def _kept(part: Part, names: Sequence[str], options: TableOptions, problems: Problems) -> Rows:
    """The rows to use; say which cells are missing where that is an error."""
    missing = {name: rows for name in part.faulty(names) if (rows := part.missing(name)).any()}
    whole = np.ones(part.n_rows, bool)
    for rows in missing.values():
        whole &= ~rows
    if options.missing == "drop":
        if not whole.any() and part.n_rows:
            problems.add(part.sheet.name, "no row is left, for a cell is missing in each of them; fill some in")
        return whole
    for name, rows in missing.items():
        if options.missing == "error" or name in _ends(options):
            means = [] if name in _ends(options) or not options.has_means else ["mean"]
            ways = " or ".join([*(["drop"] if whole.any() else []), *means])
            count = "a cell is" if rows.sum() == 1 else f"{rows.sum()} cells are"
            told = f"{part.at(name, np.flatnonzero(rows))}: {count} missing; "
            problems.add(part.sheet.name, told + (f"--missing {ways}" if ways else "fill it in"))
    return np.ones(part.n_rows, bool)


def _groups(
    parts: Sequence[Part], kept: Sequence[Rows], options: TableOptions, problems: Problems
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
            problems.add(part.sheet.name, f"{part.at(options.group, found)}: {name!r} is the name of another party")
        groups.extend(np.array([*labels.levels, ""], dtype=object)[labels.codes[rows]])
    return tuple(groups)


def _hospitals(paths: Sequence[str], reserved: Sequence[str]) -> list[str]:
    """A name for each file: its own without folder and ending where these differ."""
    stems = [Path(path).stem for path in paths]
    good = len(set(stems)) == len(stems) and all(
        stem.isprintable() and len(stem) <= LONGEST_LABEL and stem not in reserved for stem in stems
    )
    return stems if good else [f"Hospital {number}" for number in range(1, len(paths) + 1)]


# Numbers ----------------------------------------------------------------------------------------------------------


def _features(part: Part, columns: Sequence[Column]) -> Floats:
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


def _targets(part: Part, name: str) -> npt.NDArray[Any]:
    if name not in part.labels:
        return part.values(name)
    labels = part.labels[name]
    return np.array([*labels.levels, ""], dtype=str)[labels.codes]


def _told_levels(what: str, name: str, levels: Sequence[str]) -> str:
    """That the values of a column are public, which they are, and which look like one that was written twice."""
    rest = [f"{len(levels) - _MOST_SHOWN} more"] if len(levels) > _MOST_SHOWN else []
    told = f"all parties come to know the {len(levels)} {what} of the column {name!r}: "
    alike: dict[str, list[str]] = {}
    for level in levels:
        alike.setdefault("".join(level.casefold().split()), []).append(repr(level))
    pairs = [f"; {listed(same)} differ only in case or spaces" for same in alike.values() if len(same) > 1]
    return told + listed([*map(repr, levels[:_MOST_SHOWN]), *rest]) + "".join(pairs[:_MOST_SHOWN])


def _told_rows(part: Part, kept: Rows) -> str:
    count = int((~kept).sum())
    rows = f"{counted(count, 'row')} of {part.n_rows}"
    return f"{part.sheet.name}: {rows} {are(count)} left out for missing cells"
