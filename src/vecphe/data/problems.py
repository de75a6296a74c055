"""What is wrong with tables, gathered and told at once."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from typing import Any

import numpy.typing as npt

from vecphe.errors import TableError

__all__ = ["Problems", "drop", "listed", "places", "told_indices"]

_MOST_TOLD = 20  # problems of a message
_MOST_PLACES = 5  # lines of a problem


class Problems:
    """What was found so far."""

    def __init__(self, used: Collection[str] | None = None) -> None:
        self.used = used  # names of the columns that matter, if not all do
        self._found: list[tuple[str, str]] = []
        self._more = 0

    def add(self, file: str, text: str) -> None:
        """Keep one for the message."""
        if len(self._found) < _MOST_TOLD:
            self._found.append((file, text))
        else:
            self._more += 1

    def check(self) -> None:
        """Raise TableError if there is any."""
        if self._more:
            raise TableError(
                [
                    *self._found,
                    (self._found[-1][0], f"and {self._more} problems more, which are told once these are mended"),
                ]
            )
        if self._found:
            raise TableError(self._found)


def listed(names: Sequence[object]) -> str:
    """Words of a list: `1, 2 and 3`."""
    words = list(map(str, names))
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def drop(names: Sequence[str]) -> str:
    """The options that leave columns out, as a shell takes them."""
    return " ".join(f"--drop {shlex.quote(name)}" for name in names)


def places(unit: str, numbers: npt.NDArray[Any] | Sequence[int]) -> str:
    """Where something was found: `line 3`, `lines 3 and 5`, `lines 1, 2, 3, 4, 5 and 70 more`."""
    if len(numbers) == 1:
        return f"{unit} {numbers[0]}"
    shown = [str(number) for number in numbers[:_MOST_PLACES]]
    rest = len(numbers) - len(shown)
    return f"{unit}s {listed([*shown, f'{rest} more'] if rest else shown)}"


def told_indices(numbers: Sequence[int]) -> str:
    """What is left out as an index."""
    left = "column {} is left out: it is" if len(numbers) == 1 else "columns {} are left out: they are"
    return f"{left.format(listed(numbers))} an index, as pandas writes it without a name"
