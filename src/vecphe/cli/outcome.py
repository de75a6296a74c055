"""What training together bought: errors on the test rows of each model, and a sentence that says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vecphe.federated import LinearForm
from vecphe.federated.models import class_probabilities
from vecphe.federated.tasks import Task
from vecphe.plaintext.encoding import Floats

__all__ = ["ERRORS", "LABELS", "Figures", "Outcome", "constant_form", "error_of", "least_error", "quality"]

ERRORS = {"regression": "mse", "classification": "log_loss"}  # what is less for a better model
LABELS = {"mse": "mean square error", "r2": "R^2", "log_loss": "log loss", "accuracy": "accuracy", "auc": "AUC"}

_ALL_FAILED = "there is a model, where no hospital could train alone"
_TIMES = 10  # from which on an error is told as a multiple of another, not in percent
_NOTICED = 1e-6  # share of an error: what differs by less is the same
_LEAST_SHARE = 1e-15  # that a constant predictor gives a class
_LEAST_ERROR = 1e-12  # of that of a constant predictor: what is less is rounding
_ROUNDINGS = 8  # of a target: errors within so many of them are rounding too

Figures: TypeAlias = dict[str, float | None]


def quality(task: Task, form: LinearForm, X: Floats, y: npt.NDArray[np.float64]) -> Figures:
    """Figures of a model on rows whose targets are numbers, or numbers of classes; None where one is not defined.

    `mse` and `r2` of a regression; `log_loss`, `accuracy` and `auc` of a classification, the last of one class against
    the others in the mean.
    """
    if task.classes is None:
        errors = form.scores(X) - y
        spread = float(np.sum((y - np.mean(y)) ** 2))
        return {"mse": float(np.mean(errors**2)), "r2": 1 - float(np.sum(errors**2)) / spread if spread else None}
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score  # here: they take a second to import

    numbers = np.arange(len(task.classes))
    shares = class_probabilities(form.scores(X))
    is_defined = set(numbers) == set(y.astype(int).tolist())
    scores = shares[:, 1] if len(numbers) == 2 else shares
    return {
        "log_loss": float(log_loss(y, shares, labels=numbers)),
        "accuracy": float(accuracy_score(y, shares.argmax(axis=1))),
        "auc": float(roc_auc_score(y, scores, multi_class="ovr")) if is_defined else None,
    }


def error_of(task: Task, form: LinearForm, X: Floats, y: npt.NDArray[np.float64]) -> float:
    """The one of `ERRORS` alone."""
    if task.classes is None:
        with np.errstate(over="ignore"):
            return float(np.mean((form.scores(X) - y) ** 2))
    shares = class_probabilities(form.scores(X))
    return float(-np.mean(np.log(np.maximum(shares[np.arange(len(y)), y.astype(np.intp)], np.finfo(float).eps))))


def constant_form(task: Task, y: npt.NDArray[np.float64], n_features: int) -> LinearForm:
    """What predicts the mean of these targets, or the shares of the classes, whatever the row is."""
    if task.classes is None:
        return LinearForm(np.zeros(n_features), np.zeros(n_features), np.asarray(np.mean(y)))
    n_classes = len(task.classes)
    shares = np.maximum(np.bincount(y.astype(np.intp), minlength=n_classes) / len(y), _LEAST_SHARE)
    scores = np.log(shares[1] / shares[0]) if n_classes == 2 else np.log(shares)
    return LinearForm(np.zeros(n_features), np.zeros((n_features, *np.shape(scores))), np.asarray(scores))


def least_error(task: Task, constant: Figures, y: npt.NDArray[np.float64]) -> float:
    """The error that says no more than 0 does, for what a constant predictor has on these targets."""
    share = _LEAST_ERROR * float(constant[ERRORS[task.name]] or 0.0)
    if task.classes is not None:
        return share
    return max(share, (_ROUNDINGS * float(np.spacing(np.max(np.abs(y))))) ** 2)


@dataclass(frozen=True)
class Outcome:
    """Figures of all models on the test rows, as `quality` gives them.

    Attributes
    ----------
    error : str
        The one of `ERRORS` that counts.
    names : tuple of str
        Of the hospitals.
    alone : list of dict
        Of each hospital that trained on its own rows; None for each figure where that was not possible.
    federated, pooled, constant : dict
        Of the federated model, of the same training on all rows in the clear, and of a constant predictor.
    least : float
        What errors count at least when they are compared: smaller ones are all the same.
    """

    error: str
    names: tuple[str, ...]
    alone: list[Figures]
    federated: Figures
    pooled: Figures
    constant: Figures
    least: float

    def changes(self) -> list[float | None]:
        """Error of the federated model over that of each hospital alone, less 1: below 0 it gained."""
        return [self._change(own) for own in self.alone]

    def _change(self, before: Figures) -> float | None:
        """None where there is nothing to compare with."""
        if before[self.error] is None:
            return None
        error, other = (max(float(figures[self.error] or 0.0), self.least) for figures in (self.federated, before))
        return 0.0 if error == other else error / other - 1 if other else np.inf

    def of(self, sign: int) -> list[str]:
        """Who gained (-1) or lost (1)."""
        pairs = zip(self.names, self.changes(), strict=True)
        return [name for name, change in pairs if change is not None and sign * change > _NOTICED]

    def sentence(self) -> str:
        """What the federation bought."""
        changes, n = [change for change in self.changes() if change is not None], len(self.names)
        label = LABELS[self.error]
        parts = [
            f"{len(who)} of {n} hospitals {verb} ({label} {_range(changes, sign)} than alone{_listed(who, n)})"
            for sign, verb in ((-1, "gained"), (1, "lost"))
            if (who := self.of(sign))
        ] or [f"no hospital gained or lost against training alone ({label})" if changes else _ALL_FAILED]
        others = [
            f"{_against(change)} {what}"
            for figures, what in (
                (self.pooled, "that of training on pooled data in the clear"),
                (self.constant, "that of a constant predictor"),
            )
            if (change := self._change(figures)) is not None
        ]
        return f"By training together {' and '.join(parts)}; the federated error is {', and '.join(others)}."


def _against(change: float) -> str:
    if abs(change) <= _NOTICED:
        return "the same as"
    return f"{change + 1:.3g} times" if change > _TIMES - 1 else f"{_percent(change)} than"


def _percent(change: float) -> str:
    return f"{abs(change):.2%} {'lower' if change < 0 else 'higher'}"


def _range(changes: Sequence[float], sign: int) -> str:
    sizes = sorted(abs(change) for change in changes if sign * change > _NOTICED)
    word = "lower" if sign < 0 else "higher"
    ends = " to ".join(dict.fromkeys(f"{size:.2%}" for size in (sizes[0], sizes[-1])))
    return f"{ends} {word}"


def _listed(who: Sequence[str], n: int) -> str:
    return "" if len(who) == n or len(who) > 3 else f": {', '.join(who)}"
