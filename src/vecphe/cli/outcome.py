"""What training together bought: errors on the test rows of each model, and a sentence that says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecphe.federated import LinearForm, TrainedModel
from vecphe.federated.tasks import Task
from vecphe.plaintext.encoding import Floats

__all__ = ["ERRORS", "LABELS", "Outcome", "constant_form", "error_of", "quality"]

ERRORS = {"regression": "mse", "classification": "log_loss"}  # what is less for a better model
LABELS = {"mse": "mean square error", "r2": "R^2", "log_loss": "log loss", "accuracy": "accuracy", "auc": "AUC"}

_NOTICED = 1e-6  # share of an error: what differs by less is the same
_LEAST_SHARE = 1e-15  # that a constant predictor gives a class


def quality(task: Task, form: LinearForm, X: Floats, y: npt.NDArray[np.float64]) -> dict[str, float | None]:
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
    shares = _model(task, form).predict_proba(X)
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
    shares = _model(task, form).predict_proba(X)
    return float(-np.mean(np.log(np.maximum(shares[np.arange(len(y)), y.astype(np.intp)], np.finfo(float).eps))))


def constant_form(task: Task, y: npt.NDArray[np.float64], n_features: int) -> LinearForm:
    """What predicts the mean of these targets, or the shares of the classes, whatever the row is."""
    if task.classes is None:
        return LinearForm(np.zeros(n_features), np.zeros(n_features), np.asarray(np.mean(y)))
    n_classes = len(task.classes)
    shares = np.maximum(np.bincount(y.astype(np.intp), minlength=n_classes) / len(y), _LEAST_SHARE)
    scores = np.log(shares[1] / shares[0]) if n_classes == 2 else np.log(shares)
    return LinearForm(np.zeros(n_features), np.zeros((n_features, *np.shape(scores))), np.asarray(scores))


def _model(task: Task, form: LinearForm) -> TrainedModel:
    from vecphe.data.schema import Schema

    classes = tuple(range(len(task.classes))) if task.classes is not None else None
    return TrainedModel(Schema(()), "", classes, form, np.ones(len(form.mean)))


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
        Of each hospital that trained on its own rows.
    federated, pooled, constant : dict
        Of the federated model, of the same training on all rows in the clear, and of a constant predictor.
    """

    error: str
    names: tuple[str, ...]
    alone: list[dict[str, float | None]]
    federated: dict[str, float | None]
    pooled: dict[str, float | None]
    constant: dict[str, float | None]

    def changes(self) -> list[float]:
        """Error of the federated model over that of each hospital alone, less 1: below 0 it gained."""
        return [_change(self._error(self.federated), self._error(own)) for own in self.alone]

    def _error(self, figures: dict[str, float | None]) -> float:
        return float(figures[self.error] or 0.0)

    def of(self, sign: int) -> list[str]:
        """Who gained (-1) or lost (1)."""
        pairs = zip(self.names, self.changes(), strict=True)
        return [name for name, change in pairs if sign * change > _NOTICED]

    def sentence(self) -> str:
        """What the federation bought."""
        changes, n = self.changes(), len(self.names)
        label = LABELS[self.error]
        parts = [
            f"{len(who)} of {n} hospitals {verb} ({label} {_range(changes, sign)} than alone{_listed(who, n)})"
            for sign, verb in ((-1, "gained"), (1, "lost"))
            if (who := self.of(sign))
        ] or [f"no hospital gained or lost against training alone ({label})"]
        pooled = _change(self._error(self.federated), self._error(self.pooled))
        against = "the same as" if abs(pooled) <= _NOTICED else f"{_percent(pooled)} than"
        constant = _percent(_change(self._error(self.federated), self._error(self.constant)))
        return (
            f"By training together {' and '.join(parts)}; the federated error is {against} that of training on pooled "
            f"data in the clear, and {constant} than that of a constant predictor."
        )


def _change(error: float, before: float) -> float:
    if error == before:
        return 0.0
    return error / before - 1 if before else np.inf


def _percent(change: float) -> str:
    return f"{abs(change):.2%} {'lower' if change < 0 else 'higher'}"


def _range(changes: Sequence[float], sign: int) -> str:
    sizes = sorted(abs(change) for change in changes if sign * change > _NOTICED)
    word = "lower" if sign < 0 else "higher"
    ends = f"{sizes[0]:.2%}" if len(sizes) == 1 else f"{sizes[0]:.2%} to {sizes[-1]:.2%}"
    return f"{ends} {word}"


def _listed(who: Sequence[str], n: int) -> str:
    return "" if len(who) == n or len(who) > 3 else f": {', '.join(who)}"
