"""Several arrays in one row of numbers, and back: a model's layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.errors import LayoutMismatchError
from vecphe.plaintext.encoding import as_plain_array, exact_floats

__all__ = ["Structure", "in_a_row"]


@dataclass(frozen=True, slots=True)
class Structure:
    """Shapes of a list of arrays, or of a dict of them by name.

    In the row those of a dict stand in the order of their names, so that dicts which list them otherwise add up.

    Attributes
    ----------
    shapes : tuple of tuple of int
        In the order in which the arrays were given.
    names : tuple of str, optional
        In the same order; None of a list.
    """

    shapes: tuple[tuple[int, ...], ...]
    names: tuple[str, ...] | None = None

    @classmethod
    def taken_apart(
        cls, arrays: Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike], name: str = "arrays"
    ) -> tuple[Structure, dict[str, npt.NDArray[Any]]]:
        """The structure of arrays, and each of them, checked, by what errors call it; in their order in the row.

        Raises
        ------
        TypeError
            If they are no list, tuple or dict of arrays of real numbers, or a key of the dict is no text.
        ValueError
            If there is none.
        InvalidPlaintextError
            For NaN and infinity.
        """
        if not isinstance(arrays, (Mapping, list, tuple)):
            raise TypeError(
                f"{name} must be a list, tuple or dict of arrays, not {type(arrays).__name__}; "
                f"write [{name}] for a single one, list({name}) for an iterator"
            )
        if not len(arrays):
            raise ValueError(f"{name} is empty; one or more arrays are needed")
        names = tuple(arrays) if isinstance(arrays, Mapping) else None
        for key in names or ():
            if not isinstance(key, str):
                raise TypeError(f"the keys of {name} must be text, not {type(key).__name__}")
        keys: Sequence[Any] = names if names is not None else range(len(arrays))
        taken = {f"{name}[{key!r}]": as_plain_array(arrays[key], f"{name}[{key!r}]") for key in keys}
        structure = cls(tuple(array.shape for array in taken.values()), names)
        called = list(taken)
        return structure, {called[i]: taken[called[i]] for i in structure._order}

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return sum(map(math.prod, self.shapes))

    @property
    def _order(self) -> Sequence[int]:
        """Which array comes first in the row, which next."""
        if self.names is None:
            return range(len(self.shapes))
        return sorted(range(len(self.shapes)), key=self.names.__getitem__)

    def split(self, row: npt.NDArray[Any]) -> Any:
        """The arrays of a row of `size` numbers, as parts of it: a list, or a dict by name."""
        ends = list(accumulate(math.prod(self.shapes[i]) for i in self._order))
        starts = [0, *ends][: len(ends)]
        parts = {
            i: row[start:end].reshape(self.shapes[i]) for i, start, end in zip(self._order, starts, ends, strict=True)
        }
        given = [parts[i] for i in range(len(parts))]
        return given if self.names is None else dict(zip(self.names, given, strict=True))

    def check_fits(self, other: Structure) -> None:
        """Raise LayoutMismatchError unless the other has arrays of the same names and shapes."""
        mine, theirs = self._by_name(), other._by_name()
        for name in (*mine, *theirs):
            if mine.get(name) != theirs.get(name):
                here, there = (f"of shape {kept[name]}" if name in kept else "missing" for kept in (mine, theirs))
                raise LayoutMismatchError(
                    "only arrays of the same names and shapes can be added: "
                    f"[{name!r}] is {here} on the left and {there} on the right"
                )

    def _by_name(self) -> dict[str | int, tuple[int, ...]]:
        return dict(zip(self.names or range(len(self.shapes)), self.shapes, strict=True))


def in_a_row(arrays: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """All numbers of plain arrays in one dimension; none is rounded. A single array is not copied.

    Raises
    ------
    TypeError
        If there are fractions, and integers that no float holds.
    """
    kinds = {array.dtype for array in arrays.values()}
    if len(kinds) == 1:
        parts = [array.ravel() for array in arrays.values()]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    if np.dtype(np.float64) in kinds:
        return np.concatenate([_as_floats(array, name).ravel() for name, array in arrays.items()])
    return as_plain_array(np.concatenate([array.ravel().astype(object) for array in arrays.values()]))


def _as_floats(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    if array.dtype.kind == "f":
        return array
    floats = exact_floats(array.ravel().tolist())
    if floats is None:
        raise TypeError(
            f"{name} has integers beyond 2^53 beside fractions of other arrays, which floats would round; "
            "encrypt the integers on their own"
        )
    return np.array(floats, np.float64)
