"""What is wrong with columns of numbers, and the options that mend it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from vecphe.data.cells import Fault
from vecphe.data.marks import Marks, readings, told_readings
from vecphe.data.options import TableOptions
from vecphe.data.parts import Part
from vecphe.data.problems import Problems, drop

__all__ = ["LONGEST_LABEL", "MOST_LEVELS", "check_numbers"]

MOST_LEVELS = 100  # of a category, and of classes
LONGEST_LABEL = 80  # characters of a group, level or class, which are shown
_LEAST_ROWS = 2  # for each value of a category, on average, to recommend it: its values become public


def check_numbers(parts: Sequence[Part], wanted: Sequence[str], options: TableOptions, problems: Problems) -> set[str]:
    """Say what is wrong with columns of numbers; those without any value."""
    names = [name for name in wanted if name not in parts[0].labels]
    marks = _way_of_marks(parts, names)
    empty = set[str]()
    for name in dict.fromkeys(name for part in parts for name in part.faulty(names)):
        if all(part.missing(name).all() for part in parts):
            if not options.target and options.missing == "mean":
                continue  # the model has the mean
            fill = "; --missing mean" if not options.target and options.has_means else ""
            way = f"; {drop([name])}" if _is_spare(name, options) else fill
            problems.add(parts[0].sheet.name, f"column {name!r} is empty{way}")
            empty.add(name)
            continue
        for part in parts:
            if not part.faults(name).any():
                continue
            if _has_words_alone(part, name):
                _tell_words(part, name, parts, options, problems)
            else:
                _tell_faults(part, name, marks, options, problems)
    return empty


def _is_spare(name: str, options: TableOptions) -> bool:
    """Whether a column can be left out: a target cannot, nor one that a model needs."""
    return options.target not in ("", name)


def _way_of_marks(parts: Sequence[Part], names: Sequence[str]) -> str:
    """Options with which all files are numbers as far as decimal marks and marks of thousands go, if there are such."""
    rows = [(part.row_of, (part.cells.faults == Fault.MARKS).any(axis=1)) for part in parts]
    marked = [name for name in names if any(has_marks[row_of[name]] for row_of, has_marks in rows)]
    if not marked:
        return ""

    in_order = dict.fromkeys([*marked, *names])  # those that have some first: other marks fail there

    def reads(marks: Marks) -> bool:
        return all(_reads(part, name, marks) for name in in_order for part in parts)

    return told_readings(readings(reads), parts[0].sheet.marks)


def _reads(part: Part, name: str, marks: Marks) -> bool:
    """Whether other marks make numbers of what is one in a column, or is none for its marks."""
    now = part.faults(name)
    wanted = (now == Fault.NONE) | (now == Fault.MARKS)
    return name in part.truths or bool((part.sheet.numbers([name], marks).faults[:, wanted] == Fault.NONE).all())


def _tell_faults(part: Part, name: str, marks: str, options: TableOptions, problems: Problems) -> None:
    """What is wrong with a column of numbers, by kinds."""
    faults = part.faults(name)
    leave = f"correct it, or {drop([name])}" if _is_spare(name, options) else "correct it"
    mark = "point" if part.sheet.marks.decimal == "." else "comma"
    ways = {
        Fault.NOT_FINITE: f"NaN and infinity are not finite numbers; {leave}",
        Fault.OUT_OF_RANGE: f"a number beyond the range of float64; {leave}",
        Fault.TOO_LONG: f"a number of too many digits; {leave}",
        Fault.MARKS: f"not a number with a decimal {mark}; "
        + (marks or f"no --decimal and --thousands fit all numbers of the columns; {leave}"),
        Fault.DATE: f"a date; {leave}",
        Fault.TEXT: f"not a number; {leave}",
    }
    for fault, way in ways.items():
        if (faults == fault).any():
            problems.add(part.sheet.name, f"{part.at(name, np.flatnonzero(faults == fault))}: {way}")


def _has_words_alone(part: Part, name: str) -> bool:
    faults = part.faults(name)
    return bool((faults >= Fault.DATE).any() and not np.isin(faults, (Fault.NONE, Fault.MARKS)).any())


def _tell_words(part: Part, name: str, parts: Sequence[Part], options: TableOptions, problems: Problems) -> None:
    """A column without a number."""
    faults = part.faults(name)
    kinds: Any = np.bincount(faults, minlength=len(Fault))
    first = f"from {part.sheet.unit} {part.sheet.places[np.argmax(faults >= Fault.DATE)]} on"
    leave = drop([name])
    if kinds[Fault.DATE] > kinds[Fault.TEXT] + kinds[Fault.NESTED]:
        told, needed = f" holds dates, {first}; ", "which cannot be predicted"
    elif kinds[Fault.NESTED]:
        told, needed = f", {first}: neither numbers nor text; ", "it cannot be predicted"
    else:
        told, needed = f", {first}: text, not numbers; ", "it can only be predicted as classes"
        leave = f"{_categories(name, parts)}{leave}"
    if not options.target:
        needed = "the model takes numbers there"
    problems.add(part.sheet.name, f"column {name!r}{told}{leave if _is_spare(name, options) else needed}")


def _categories(name: str, parts: Sequence[Part]) -> str:
    """The option that takes a column as a category, unless its values say too much of single rows."""
    faults = np.concatenate([part.faults(name) for part in parts])
    levels = {level for part in parts for level in part.sheet.labels(name).levels}
    count, can_be_shown = len(levels), all(level.isprintable() and len(level) <= LONGEST_LABEL for level in levels)
    if (faults == Fault.DATE).any() or not can_be_shown or not 2 <= count <= MOST_LEVELS:
        return ""
    if (faults != Fault.MISSING).sum() < _LEAST_ROWS * count:
        return "nearly every row has its own: "
    return f"--categories {shlex.quote(name)} (all parties see its {count} values) or "
