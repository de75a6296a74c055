"""The columns that a model learns from, by name, and the features that they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Column", "Schema"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers, or of categories.

    Attributes
    ----------
    name : str
    levels : tuple of str
        Empty for numbers. Else the values of the category, sorted: each but the first is a feature, which is 1 where
        the column has that value and 0 elsewhere.
    """

    name: str
    levels: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Names of its features: its own, or with a level each."""
        return tuple(f"{self.name}={level}" for level in self.levels[1:]) if self.levels else (self.name,)

    def encoded(self, codes: npt.NDArray[np.integer[Any]]) -> Floats:
        """Features of a category, shape (rows, levels - 1), from numbers of levels; NaN where a number is negative."""
        indicators: Floats = np.asarray(codes[:, np.newaxis] == np.arange(1, len(self.levels)), np.float64)
        indicators[codes < 0] = np.nan
        return indicators


@dataclass(frozen=True)
class Schema:
    """All columns of a model's input, in their order."""

    columns: tuple[Column, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of all features, as the columns of X."""
        return tuple(feature for column in self.columns for feature in column.features)

    def as_json(self) -> list[dict[str, Any]]:
        """A list of objects with `name` and, for categories, `levels`."""
        return [
            {"name": column.name, **({"levels": list(column.levels)} if column.levels else {})}
            for column in self.columns
        ]

    @classmethod
    def from_json(cls, content: Any) -> Schema:
        """The schema that `as_json` gave, checked.

        Raises
        ------
        ValueError
            If it is something else.
        """
        if not isinstance(content, Sequence) or isinstance(content, (str, bytes)) or not content:
            raise ValueError("the columns must be a list of objects")
        schema = cls(tuple(_column(item) for item in content))
        names = [column.name for column in schema.columns]
        if len(set(names)) < len(names):
            raise ValueError("a column stands twice")
        return schema


def _column(item: Any) -> Column:
    if not isinstance(item, Mapping) or not {"name"} <= item.keys() <= {"name", "levels"}:
        raise ValueError("a column must be an object with a name, and levels if it is a category")
    name, levels = item["name"], item.get("levels", ("", " "))
    if not isinstance(name, str) or not isinstance(levels, (list, tuple)) or not all(map(_is_text, levels)):
        raise ValueError("the name of a column must be a text, and its levels a list of texts")
    if len(levels) < 2 or sorted(set(levels)) != list(levels):
        raise ValueError("the levels of a column must be two or more, sorted, and each of them once")
    return Column(name, tuple(levels) if "levels" in item else ())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
