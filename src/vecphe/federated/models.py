"""What is learned: models know rows, weights and updates, and nothing of keys, parties or rounds.

A party asks its model for an update, sends it encrypted, and hands the mean of all updates back to it::

    arrays = model.update()
    model.apply(mean)  # a list of arrays of the same shapes
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from vecphe.errors import InvalidPlaintextError, ProtocolError
from vecphe.plaintext.encoding import Floats, as_plain_array

__all__ = [
    "CallableModel",
    "GradientModel",
    "LinearRegression",
    "LogisticRegression",
    "Model",
    "Rows",
    "class_probabilities",
    "mean_square_error",
    "probabilities",
    "real_copy",
]

_LEAST_SHARE = 2.0**-60  # that a loss counts: a probability that rounds to 0 has no logarithm


class Model(Protocol):
    """What a party learns with.

    Attributes
    ----------
    weights : Any
        What was learned so far: an array, or whatever the model keeps.

    Examples
    --------
    >>> import numpy as np
    >>> class Mean:
    ...     def __init__(self, numbers):
    ...         self.numbers, self.weights = np.array(numbers), None
    ...     def update(self):
    ...         return [self.numbers]
    ...     def apply(self, mean):
    ...         (self.weights,) = mean
    """

    @property
    def weights(self) -> Any: ...  # noqa: D102

    def update(self) -> list[npt.NDArray[Any]]:
        """Arrays to be averaged over all parties, of the same number and shapes in each of them."""

    def apply(self, mean: list[Floats]) -> None:
        """Learn from the mean of all parties' updates."""


def real_copy(owner: str, values: Any, name: str, *, missing: bool = False) -> Floats:
    """An own copy as float64, in which NaN may stand where values are missing; errors name the owner."""
    absent = np.isnan(values) if missing and isinstance(values, np.ndarray) and values.dtype.kind == "f" else None
    try:
        if absent is None:
            return as_plain_array(values, name).astype(np.float64, copy=False)
        copy: Floats = as_plain_array(values, name, absent).astype(np.float64, copy=False)
        copy[absent] = np.nan
        return copy
    except (TypeError, InvalidPlaintextError) as error:
        raise type(error)(f"{owner}: {error}") from None


def mean_square_error(y_pred: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Mean of the squared differences; infinity if it is too large for a float64.

    Examples
    --------
    >>> from vecphe.federated import mean_square_error
    >>> mean_square_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.mean((np.asarray(y, dtype=np.float64) - np.asarray(y_pred, dtype=np.float64)) ** 2))


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows and targets that were checked and copied.

    Attributes
    ----------
    X : ndarray
        Shape (rows, features), float64.
    y : ndarray
        Shape (rows,), float64.

    Examples
    --------
    >>> from vecphe.federated import Rows
    >>> Rows.checked("A", [[1, 2], [3, 4], [5, 6]], [0, 1, 0]).n_features
    2
    >>> Rows.checked("A", [[1, 2]], [0, 1])
    Traceback (most recent call last):
        ...
    ValueError: A: X must have shape (rows, features) and y shape (rows,), not (1, 2) and (2,)
    """

    X: Floats
    y: Floats

    @classmethod
    def checked(
        cls, name: str, X: Any, y: Any, suffix: str = "", *, intercept: bool = False, missing: bool = False
    ) -> Rows:
        """Own copies of a party's rows and targets; errors call them by its name, and ``X`` and ``y`` with the suffix.

        With `intercept` a column of ones follows those of X; with `missing` X may hold NaN where a value is missing.

        Raises
        ------
        TypeError
            For masked arrays, complex numbers, text and objects.
        ValueError
            If they are empty, of other than two and one dimensions, of different length or (InvalidPlaintextError)
            not finite.
        """
        rows = real_copy(name, X, f"X{suffix}", missing=missing)
        targets = real_copy(name, y, f"y{suffix}")
        if rows.ndim != 2 or targets.shape != rows.shape[:1]:
            raise ValueError(
                f"{name}: X{suffix} must have shape (rows, features) and y{suffix} shape (rows,), "
                f"not {rows.shape} and {targets.shape}"
            )
        if not rows.size:
            raise ValueError(f"{name} has no data: X{suffix} has shape {rows.shape}")
        return cls(np.column_stack([rows, np.ones(len(rows))]) if intercept else rows, targets)

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return int(self.X.shape[1])


class GradientModel(ABC):
    """A model that takes steps against a mean gradient.

    Parameters
    ----------
    rows : Rows
        Kept, not copied.
    eta : float
        Step size of `apply`.

    Attributes
    ----------
    weights : ndarray
        Zeros at first.
    penalties : ndarray or float
        What is added to the gradient of the loss, a weight: an L2 penalty. Broadcasts to the weights.
    share : float
        What the own loss counts: 1, or rows over the mean of all clients' rows, so that the mean over the clients is
        that over all rows.

    Examples
    --------
    >>> import numpy as np
    >>> from vecphe.federated import GradientModel, Rows
    >>> class Location(GradientModel):
    ...     def gradient(self):
    ...         return 2 * (self.weights - self.X.mean(axis=0))
    ...     def predict(self, X):
    ...         return X @ self.weights
    >>> model = Location(Rows.checked("A", [[1.0], [3.0]], [0, 0]), eta=0.5)
    >>> model.apply(model.update())
    >>> model.weights
    array([2.])
    """

    scales_target: ClassVar[bool] = False  # whether the targets are numbers that scaling centres

    def __init__(self, rows: Rows, eta: float = 0.01) -> None:
        self.X, self.y, self.eta = rows.X, rows.y, eta
        self.penalties: Floats | float = 0.0
        self.share = 1.0
        self.weights: Floats = np.zeros(self._shape())

    def _shape(self) -> tuple[int, ...]:
        return self.X.shape[1:]

    @abstractmethod
    def predict(self, X: Floats) -> Floats:
        """What is compared with the targets, shape (rows, ...)."""

    def _targets(self, y: Floats) -> Floats:
        return y

    def _residuals(self) -> Floats:
        """Predictions for the own rows, less the targets: one pass over X."""
        return self.predict(self.X) - self._targets(self.y)

    def _slope(self, residuals: Floats) -> Floats:
        # In this order, and not X.T @ residuals, which reads X across. A round reads X twice, once for the predictions
        # and once here, where the residuals are known; neither product copies it.
        gradient: Floats = (residuals.T @ self.X).T / len(self.X) + self.penalties * self.weights
        return gradient * self.share

    def _mean_loss(self, residuals: Floats) -> float:
        return float(np.mean(residuals**2)) / 2

    def gradient(self) -> Floats:
        """Gradient of the mean loss over the own rows, of the shape of the weights; it may not be finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._slope(self._residuals())

    def gradient_and_loss(self) -> tuple[Floats, float]:
        """Both of one look at the rows; the loss has the penalty in it."""
        with np.errstate(over="ignore", invalid="ignore"):
            residuals = self._residuals()
            penalty = float(np.sum(self.penalties * self.weights**2)) / 2
            return self._slope(residuals), (self._mean_loss(residuals) + penalty) * self.share

    def step(self, gradient: Floats, eta: float) -> None:
        """Change the weights by ``-eta * gradient``.

        Raises
        ------
        ProtocolError
            If `eta` or the weights after the step are not finite; they stay as they are then.
        """
        if not math.isfinite(eta):
            raise ProtocolError("got a step size eta that is not finite")
        with np.errstate(over="ignore", invalid="ignore"):
            weights: Floats = self.weights - eta * gradient
        if not np.isfinite(weights).all():
            raise ProtocolError("the step would make its weights infinite; lower eta")
        self.weights = weights

    def update(self) -> list[npt.NDArray[Any]]:
        """The gradient."""
        return [self.gradient()]

    def apply(self, mean: list[Floats]) -> None:
        """A step against the mean gradient."""
        self.step(mean[0], self.eta)

    def error(self, rows: Rows) -> float:
        """Mean square error of the predictions."""
        return mean_square_error(self.predict(rows.X), self._targets(rows.y))


class LinearRegression(GradientModel):
    """Least squares: half the mean square error is the loss, and weights have shape (features,).

    Examples
    --------
    >>> import numpy as np
    >>> from vecphe.federated import LinearRegression, Rows
    >>> model = LinearRegression(Rows.checked("A", [[1.0], [2.0]], [2.0, 4.0]), eta=0.1)
    >>> for _ in range(100):
    ...     model.apply(model.update())
    >>> np.round(model.weights, 6)
    array([2.])
    """

    scales_target = True

    def predict(self, X: Floats) -> Floats:
        """Predicted targets, shape (rows,)."""
        predictions: Floats = X @ self.weights
        return predictions


class LogisticRegression(GradientModel):
    """Logistic regression: the cross entropy is the loss; the targets of the rows are the numbers of their classes.

    Parameters
    ----------
    rows : Rows
        Targets from 0 to ``n_classes - 1``; not every class needs a row here.
    eta : float
    n_classes : int
        With 2 classes the weights have shape (features,), and are those of class 1; with more, shape
        (features, n_classes).

    Examples
    --------
    >>> import numpy as np
    >>> from vecphe.federated import LogisticRegression, Rows
    >>> model = LogisticRegression(Rows.checked("A", [[-1.0], [1.0]], [0, 1]), eta=1.0)
    >>> for _ in range(10):
    ...     model.apply(model.update())
    >>> bool(model.weights[0] > 1)
    True
    """

    def __init__(self, rows: Rows, eta: float = 0.01, n_classes: int = 2) -> None:
        if n_classes < 2:
            raise ValueError(f"n_classes must be at least 2, not {n_classes}")
        if not np.isin(rows.y, np.arange(n_classes)).all():
            raise ValueError(f"targets must be numbers of classes from 0 to {n_classes - 1}")
        self.n_classes = n_classes
        super().__init__(rows, eta)

    def _shape(self) -> tuple[int, ...]:
        return self.X.shape[1:] if self.n_classes == 2 else (self.X.shape[1], self.n_classes)

    def _targets(self, y: Floats) -> Floats:
        if self.n_classes == 2:
            return y
        return np.asarray(y[:, np.newaxis] == np.arange(self.n_classes), dtype=np.float64)

    def _residuals(self) -> Floats:
        if self.n_classes == 2:
            return super()._residuals()
        residuals = self.predict(self.X)
        residuals[np.arange(len(self.y)), self.y.astype(np.intp)] -= 1  # no matrix of ones and zeros a round
        return residuals

    def _mean_loss(self, residuals: Floats) -> float:
        # What is missing to 1 at the true class, where alone a residual is negative (with two classes: of either sign).
        missing = np.abs(residuals) if residuals.ndim == 1 else -residuals.min(axis=1)
        return float(-np.mean(np.log(np.maximum(1 - missing, _LEAST_SHARE))))

    def predict(self, X: Floats) -> Floats:
        """Probabilities: of class 1, shape (rows,), or of each of more than 2 classes, shape (rows, n_classes)."""
        return probabilities(X @ self.weights)


def probabilities(scores: Floats) -> Floats:
    """Of class 1, for one score a row; of each class, for a score of each, shape (rows, classes)."""
    if scores.ndim == 1:
        shares: Floats = 0.5 * (1 + np.tanh(0.5 * scores))  # the logistic function, which overflows nowhere
        return shares
    exponentials: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def class_probabilities(scores: Floats) -> Floats:
    """Of each of two classes or more, shape (rows, classes), of scores as `probabilities` takes them."""
    shares = probabilities(scores)
    return np.column_stack([1 - shares, shares]) if shares.ndim == 1 else shares


class CallableModel:
    """Any function that returns a list of arrays.

    Parameters
    ----------
    update : callable
        Called without arguments; returns a list of arrays of real numbers.
    apply : callable, optional
        Called with the mean of all parties' updates, a list of float64 arrays of the same shapes.

    Attributes
    ----------
    weights : list of ndarray
        The last mean; empty at first.

    Examples
    --------
    >>> from vecphe.federated import CallableModel
    >>> model = CallableModel(lambda: [[1.0, 2.0], 3.0])
    >>> model.update()
    [[1.0, 2.0], 3.0]
    """

    def __init__(
        self,
        update: Callable[[], Sequence[npt.ArrayLike]],
        apply: Callable[[list[Floats]], object] | None = None,
    ) -> None:
        for name, function in (("update", update), ("apply", apply)):
            if not callable(function) and (name == "update" or function is not None):
                raise TypeError(f"{name} must be callable, not {type(function).__name__}")
        self._update, self._apply = update, apply
        self.weights: list[Floats] = []

    def update(self) -> list[npt.NDArray[Any]]:
        """What the function returns; the party refuses what is no list of arrays and plain numbers."""
        return self._update()  # type: ignore[return-value]

    def apply(self, mean: list[Floats]) -> None:
        """Keep the mean, and hand it to the other function."""
        if self._apply is not None:
            self._apply(mean)
        self.weights = mean
