"""What is to be learned, chosen by the target: numbers, or classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.federated.models import GradientModel, LinearRegression, LogisticRegression, Rows
from vecphe.plaintext.encoding import Floats

__all__ = ["TASKS", "Task", "task_of"]

TASKS = ("regression", "classification")

_MOST_NUMBERED = 10  # classes that are integers, where no one says that they are
_MOST_CLASSES = 1000


@dataclass(frozen=True, eq=False)
class Task:
    """A regression, or a classification.

    Attributes
    ----------
    classes : ndarray or None
        Labels, sorted; None for a regression.
    chosen : bool
        Whether it was chosen by the target, and no one said so.
    """

    classes: npt.NDArray[Any] | None
    chosen: bool = False

    @property
    def name(self) -> str:
        """One of `TASKS`."""
        return TASKS[self.classes is not None]

    @property
    def model(self) -> Callable[[Rows, float], GradientModel]:
        """What makes the model of a client."""
        if self.classes is None:
            return LinearRegression
        return partial(LogisticRegression, n_classes=len(self.classes))

    def numbers(self, targets: npt.NDArray[Any]) -> Floats:
        """Targets as models take them: numbers, or numbers of classes."""
        if self.classes is None:
            return np.asarray(targets, dtype=np.float64)
        return np.searchsorted(self.classes, targets).astype(np.float64)


def task_of(targets: Sequence[npt.NDArray[Any]], name: str, wanted: str | None = None) -> Task:
    """The task that the targets of all parties, those of the test rows included, are for.

    Texts, booleans, two different numbers, and up to ten successive integers from 0 or 1 are classes; all else are
    numbers. The classes are known to all parties.

    Parameters
    ----------
    targets : sequence of ndarray
        Of shape (rows,): floats, or labels of one kind.
    name : str
        Of the target, for errors.
    wanted : str, optional
        One of `TASKS`, where it is not to be chosen.

    Raises
    ------
    ValueError
        If the targets are not for what is wanted.
    """
    values = np.concatenate([np.asarray(part) for part in targets])
    if values.dtype.kind not in "fiu":
        if wanted == "regression":
            raise ValueError(f"the target {name!r} holds labels, no numbers: leave out --task regression")
        return Task(_classes(np.unique(values), name), wanted is None)
    if wanted == "regression":
        return Task(None)
    levels = np.unique(values)
    if wanted == "classification":
        if len(levels) > min(_MOST_CLASSES, max(len(values) // 2, 2)):
            raise ValueError(
                f"the target {name!r} has {len(levels)} different numbers: leave out --task classification"
            )
        return Task(_classes(levels, name))
    numbered = len(levels) <= _MOST_NUMBERED and levels[0] in (0, 1)
    numbered = numbered and levels.tolist() == list(range(int(levels[0]), int(levels[0]) + len(levels)))
    if len(levels) > 1 and (numbered or len(levels) == 2):
        return Task(_classes(levels, name), chosen=True)
    return Task(None, chosen=True)


def _classes(levels: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Labels, integers as such."""
    if len(levels) < 2:
        raise ValueError(f"the target {name!r} has only one class; at least two are needed to tell apart")
    if len(levels) > _MOST_CLASSES:
        raise ValueError(f"the target {name!r} has {len(levels)} classes; at most {_MOST_CLASSES} are taken")
    if levels.dtype.kind == "f" and (levels == np.rint(levels)).all() and np.abs(levels).max() < 1 << 53:
        return levels.astype(np.int64)
    return levels
