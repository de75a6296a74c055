"""What is read from files: a table of rows to learn from, and plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vecphe.data.schema import Floats, Schema

__all__ = ["Numbers", "Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Features, target and, where there are some, the group of every row; in the units of the files.

    Attributes
    ----------
    schema : Schema
        The columns that the features were made of.
    X : ndarray
        Shape (rows, features), float64; NaN where a cell is missing and its mean is to be filled in.
    y : ndarray
        Shape (rows,): float64, or texts that name classes.
    groups : tuple of str or None
        Name of the hospital of each row: that of its group, or of its file where there are several.
    target : str
        Name of the column that y is.
    notes : tuple of str
        What was left out, or has to be known.
    """

    schema: Schema
    X: Floats
    y: npt.NDArray[Any] = field(repr=False)
    groups: tuple[str, ...] | None
    target: str
    notes: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        return self.schema.features

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Where X has no value, of its shape."""
        return np.isnan(self.X)

    @property
    def has_labels(self) -> bool:
        """Whether the targets name classes."""
        return self.y.dtype.kind == "U"


class Numbers(NamedTuple):
    """What was read.

    Attributes
    ----------
    values : ndarray
        Of the shape of the array. CSV: one dimension if there is one column, else two; int64 (or what else holds them
        exactly) if every number is an integer, else float64.
    names : tuple of str or None
        Of the columns, if the first line of CSV holds names instead of numbers.
    lines : ndarray or None
        Number of the line of each row of CSV.
    skipped : int
        How many first columns were left out, for they are an index as pandas writes it.
    """

    values: npt.NDArray[Any]
    names: tuple[str, ...] | None = None
    lines: npt.NDArray[np.int64] | None = None
    skipped: int = 0

    def place(self, index: tuple[int, ...]) -> str:
        """Where the value at an index stood."""
        if self.lines is None:
            return f"index {index}"
        row, column = (*index, 0)[:2]
        return f"line {self.lines[row]}, column {column + 1 + self.skipped}"
