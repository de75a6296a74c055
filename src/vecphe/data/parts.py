"""A file of a table: its columns as numbers, or as what they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.data.cells import FALSE, TRUE, Cells, Fault, Labels
from vecphe.data.options import TableOptions
from vecphe.data.problems import places
from vecphe.data.schema import Floats
from vecphe.data.sheets import Sheet

__all__ = ["Part", "levels_of", "part_of"]

Rows = npt.NDArray[np.bool_]


@dataclass
class Part:
    """One file: columns of numbers as rows of `cells`, the others as labels."""

    sheet: Sheet
    cells: Cells
    row_of: dict[str, int]
    labels: dict[str, Labels]
    truths: set[str] = field(default_factory=set)  # columns of nothing but True and False, which are 1 and 0

    @property
    def n_rows(self) -> int:
        """Number of rows."""
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

    def at(self, name: str, rows: npt.NDArray[Any]) -> str:
        """Where something was found."""
        return f"column {name!r}, {places(self.sheet.unit, self.sheet.places[rows])}"


def part_of(sheet: Sheet, wanted: Sequence[str], options: TableOptions) -> Part:
    """The wanted columns of a file."""
    labelled = {name for name in wanted if name in options.categories or name == options.group}
    names = [name for name in wanted if name not in labelled]
    cells = sheet.numbers(names) if names else Cells(np.zeros((0, 0)), np.zeros((0, 0), np.uint8))
    row_of = {name: number for number, name in enumerate(names)}
    part = Part(sheet, cells, row_of, {name: sheet.labels(name) for name in wanted if name in labelled})
    for name in part.faulty(names):
        if name != options.target or options.labels is False:
            _take_truth(part, name)
    return part


def _take_truth(part: Part, name: str) -> None:
    """Where a column holds nothing but True and False, 1 and 0 for them."""
    faults, values = part.faults(name), part.cells.values[part.row_of[name]]
    text = faults == Fault.TEXT
    if not text.any() or not (text | (faults == Fault.MISSING)).all():
        return
    labels = part.sheet.labels(name)
    number_of = np.array([(FALSE, TRUE).index(level) if level in (FALSE, TRUE) else np.nan for level in labels.levels])
    found = number_of[labels.codes[text]]
    if not np.isnan(found).any():
        values[text], faults[text] = found, Fault.NONE
        part.truths.add(name)


def levels_of(parts: Sequence[Part], name: str) -> tuple[str, ...]:
    """What a column names, in all files together."""
    return tuple(sorted({level for part in parts for level in part.labels[name].levels}))
