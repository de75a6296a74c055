"""The protocol as scikit-learn estimators."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from vecphe.data.schema import Column, Schema
from vecphe.federated.data import equal_blocks
from vecphe.federated.interface import Backend
from vecphe.federated.models import GradientModel, LinearRegression, LogisticRegression, Rows, class_probabilities
from vecphe.federated.protocol import ProtocolResult, federated_learning
from vecphe.federated.rounds import SERVER_NAME, check_client_count
from vecphe.federated.scaling import LinearForm
from vecphe.federated.trained import TrainedModel
from vecphe.numbers.key_numbers import DEFAULT_KEY_LENGTH
from vecphe.plaintext.encoding import FixedPoint, Floats

__all__ = ["FederatedLinearRegression", "FederatedLogisticRegression"]


class _FederatedEstimator(BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Parameters, clients and the run of the protocol, whatever the model."""

    def __init__(
        self,
        n_clients: int = 5,
        *,
        key_length: int = DEFAULT_KEY_LENGTH,
        eta: float = 1.5,
        n_iter: int = 50,
        backend: str | Backend = "packed",
        insecure: bool = False,
        n_jobs: int | None = None,
        engine: str | None = None,
        scale: str = "none",
        l2: float = 0.0,
        tol: float | None = None,
        encoding: FixedPoint | None = None,
        max_abs: float | None = None,
        max_terms: int | None = None,
    ) -> None:
        self.n_clients = n_clients
        self.key_length = key_length
        self.eta = eta
        self.n_iter = n_iter
        self.backend = backend
        self.insecure = insecure
        self.n_jobs = n_jobs
        self.engine = engine
        self.scale = scale
        self.l2 = l2
        self.tol = tol
        self.encoding = encoding
        self.max_abs = max_abs
        self.max_terms = max_terms

    def _run(
        self, X: Floats, y: Floats, groups: npt.ArrayLike | None, model: Callable[[Rows, float], GradientModel]
    ) -> LinearForm:
        """Run the protocol; the model in the units of the data."""
        members = self._members(X, groups)
        check_client_count(len(members))
        config: dict[str, Any] = self.get_params() | {"n_clients": len(members), "fit_intercept": True}
        self.result_: ProtocolResult = federated_learning(
            [X[own] for own in members.values()],
            [y[own] for own in members.values()],
            X,
            y,
            config,
            names=list(members),
            model=model,
        )
        self.n_iter_ = self.result_.n_iter
        return self.result_.linear()

    def _trained(self) -> TrainedModel:
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", [f"x{place}" for place in range(self.n_features_in_)])
        schema = Schema(tuple(Column(str(name)) for name in names))
        return TrainedModel.of(schema, "y", getattr(self, "classes_", None), self.result_.scalings[0], self._linear)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the model as a file of docs/format.md, for `vecphe predict` and `TrainedModel.load`.

        Its columns have the names that a data frame gave them, else "x0" and so on; its target is called "y".

        Parameters
        ----------
        path : str or Path
        force : bool
            Replace a file that exists.

        Raises
        ------
        TypeError, ValueError
            If the labels of the classes are no texts, numbers or booleans.
        FileExistsError, OSError
        """
        self._trained().save(path, force=force)

    def to_sklearn(self) -> Any:
        """A plain `LinearRegression` or `LogisticRegression` of scikit-learn with these coefficients."""
        return self._trained().to_sklearn()

    def _members(self, X: npt.NDArray[np.float64], groups: npt.ArrayLike | None) -> dict[str, Any]:
        """Rows of each client."""
        if groups is None:
            return {f"Hospital {i}": rows for i, rows in enumerate(equal_blocks(len(X), self.n_clients), 1)}
        labels = np.array(groups, dtype=object)  # any other dtype would make 1 and "1" the same
        if labels.ndim != 1:
            raise ValueError(f"groups must have shape (rows,), not {labels.shape}")
        check_consistent_length(X, labels)
        rows_of: dict[Any, list[int]] = {}
        for row, label in enumerate(labels):
            if _is_missing(label):
                raise ValueError(f"groups has no label for row {row}; drop the row, or fill the label in")
            rows_of.setdefault(label, []).append(row)
        return dict(zip(_client_names(rows_of), rows_of.values(), strict=True))


class FederatedLinearRegression(RegressorMixin, _FederatedEstimator):  # type: ignore[misc]
    """Linear regression by gradient descent on encrypted gradients.

    All parties run in this process: it shows what the protocol computes, and how fast, on data at hand.

    Parameters
    ----------
    n_clients : int, default=5
        Number of clients; at least 3. Not used if `fit` is given groups.
    key_length : int, default=3072
        Bits of the Paillier modulus.
    eta : float, default=1.5
        Step size. The default suits features whose squares add up to at most 1 a row, as those of the diabetes
        data; standardised features need less, about 1 divided by their number.
    n_iter : int, default=50
        Rounds.
    backend : str or Backend, default="packed"
        "packed", "vectorized", "naive" (which needs phe), or a backend. "packed" rounds gradients to multiples
        of 2^-40: where they are near 1e-12, scale the targets or take "vectorized".
    insecure : bool, default=False
        Accept keys shorter than 2048 bits.
    n_jobs : int, default=None
        Workers for encryption and decryption, as joblib counts them.
    engine : str, default=None
        Name of the engine that computes; see `PublicKey`. A backend that is no name has its own.
    scale : {"none", "federated"}, default="none"
        With "federated" all clients scale by the same means and deviations, of encrypted totals, and count by their
        rows; every `eta` below ``2 / (1 + l2)`` then suits, whatever the columns are, and the model is that of the
        pooled rows.
    l2 : float, default=0.0
        Penalty on the squared weights of the (standardised) columns, without the intercept; see `ProtocolConfig`.
    tol : float, default=None
        End the run when the mean loss of the clients, encrypted like gradients, is no longer lower by so much.
    encoding : FixedPoint, default=None
        How numbers become integers; None is the backend's default. A backend that is no name has its own.
    max_abs : float, default=None
        Largest magnitude that is accepted, in place of the encoding's.
    max_terms : int, default=None
        How many vectors may be summed, in place of the encoding's: at least the number of clients.

    Attributes
    ----------
    coef_ : ndarray
        Shape (features,).
    intercept_ : float
    n_iter_ : int
        Rounds that were run.
    result_ : ProtocolResult
        Seconds by phase, sizes of messages and the weights after every round. Its errors are those on the
        training rows.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from vecphe.federated import FederatedLinearRegression
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = FederatedLinearRegression(n_clients=5, key_length=2048, n_iter=20).fit(X, y)
    >>> model.predict(X[:2]).shape
    (2,)
    """

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> FederatedLinearRegression:
        """Run the protocol; the column for the intercept is appended here.

        Parameters
        ----------
        X : array_like
            Shape (rows, features).
        y : array_like
            Shape (rows,).
        groups : array_like, optional
            Labels each row's client, shape (rows,), none missing; labels of other type, such as 1 and "1", differ.
            Without it, the rows are cut in order into blocks whose sizes differ by one row at most.

        Returns
        -------
        FederatedLinearRegression
            Itself.
        """
        _refuse_masks(X=X, y=y, groups=groups)
        features, targets = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._linear = self._run(features, targets, groups, LinearRegression)
        self.coef_: Floats = self._linear.coefficients
        self.intercept_ = float(self._linear.intercept)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # after a fixed number of steps that no one fitted to the data's scale
        return tags

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Predictions for rows, shape (rows,)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return self._linear.scores(rows)


class FederatedLogisticRegression(ClassifierMixin, _FederatedEstimator):  # type: ignore[misc]
    """Logistic regression, of two classes or more, by gradient descent on encrypted gradients.

    All parties run in this process: it shows what the protocol computes, and how fast, on data at hand. The classes
    are known to all clients; not every client needs rows of each.

    Parameters
    ----------
    n_clients : int, default=5
        Number of clients; at least 3. Not used if `fit` is given groups.
    key_length : int, default=3072
        Bits of the Paillier modulus.
    eta : float, default=1.5
        Step size. The default suits features whose squares add up to at most 1 a row; for standardised features take
        about 1 divided by their number.
    n_iter : int, default=50
        Rounds.
    backend : str or Backend, default="packed"
        "packed", "vectorized", "naive" (which needs phe), or a backend.
    insecure : bool, default=False
        Accept keys shorter than 2048 bits.
    n_jobs : int, default=None
        Workers for encryption and decryption, as joblib counts them.
    engine : str, default=None
        Name of the engine that computes; see `PublicKey`. A backend that is no name has its own.
    scale : {"none", "federated"}, default="none"
        With "federated" all clients scale by the same means and deviations, of encrypted totals, and count by their
        rows; every `eta` below ``2 / (1 + l2)`` then suits, whatever the columns are, and the model is that of the
        pooled rows.
    l2 : float, default=0.0
        Penalty on the squared weights of the (standardised) columns, without the intercept; see `ProtocolConfig`.
    tol : float, default=None
        End the run when the mean loss of the clients, encrypted like gradients, is no longer lower by so much.
    encoding : FixedPoint, default=None
        How numbers become integers; None is the backend's default. A backend that is no name has its own.
    max_abs : float, default=None
        Largest magnitude that is accepted, in place of the encoding's.
    max_terms : int, default=None
        How many vectors may be summed, in place of the encoding's: at least the number of clients.

    Attributes
    ----------
    classes_ : ndarray
        Labels, sorted.
    coef_ : ndarray
        Shape (1, features) for two classes, else (classes, features).
    intercept_ : ndarray
        Shape (1,) or (classes,).
    n_iter_ : int
        Rounds that were run.
    result_ : ProtocolResult
        Seconds by phase, sizes of messages and the weights after every round. Its errors are those of the predicted
        probabilities on the training rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from vecphe.federated import FederatedLogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> model = FederatedLogisticRegression(n_clients=3, key_length=2048, n_iter=5).fit(X, y)
    >>> model.classes_, model.predict_proba(X[:2]).shape
    (array([0, 1, 2]), (2, 3))
    """

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, groups: npt.ArrayLike | None = None
    ) -> FederatedLogisticRegression:
        """Run the protocol; the column for the intercept is appended here.

        Parameters
        ----------
        X : array_like
            Shape (rows, features).
        y : array_like
            Labels of the classes, shape (rows,).
        groups : array_like, optional
            As for `FederatedLinearRegression.fit`. Without it, the rows are cut in order into blocks; where they
            are sorted by class, shuffle them first.

        Returns
        -------
        FederatedLogisticRegression
            Itself.
        """
        _refuse_masks(X=X, y=y, groups=groups)
        features, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y has only one class; at least two classes are needed to tell apart")
        model = partial(LogisticRegression, n_classes=len(self.classes_))
        self._linear = self._run(features, numbers.astype(np.float64), groups, model)
        self.coef_: Floats = np.atleast_2d(self._linear.coefficients.T)
        self.intercept_: Floats = np.atleast_1d(self._linear.intercept)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # after a fixed number of steps that no one fitted to the data's scale
        return tags

    def decision_function(self, X: npt.ArrayLike) -> Floats:
        """Scores of rows: of the second of two classes, shape (rows,), or of all classes, shape (rows, classes)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return self._linear.scores(rows)

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Probabilities of the classes, shape (rows, classes)."""
        return class_probabilities(self.decision_function(X))

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The most probable class of each row, shape (rows,)."""
        scores = self.decision_function(X)
        chosen = scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)
        labels: npt.NDArray[Any] = self.classes_[np.asarray(chosen, dtype=np.intp)]
        return labels


def _refuse_masks(**arguments: Any) -> None:
    for name, values in arguments.items():
        if isinstance(values, np.ma.MaskedArray):
            raise TypeError(f"{name} is a masked array; fill it first: {name}.filled(value)")


def _is_missing(label: Any) -> bool:
    try:
        return label is None or not str(label) or bool(label != label)  # NaN differs from itself
    except TypeError:  # pandas.NA has no truth value
        return True


def _client_names(labels: Iterable[Any]) -> list[str]:
    """The labels as text, told apart where they look the same."""
    taken = {SERVER_NAME}
    names: list[str] = []
    for label in labels:
        candidates = chain([str(label)], (f"{label} #{number}" for number in count(2)))
        taken.add(name := next(name for name in candidates if name not in taken))
        names.append(name)
    return names
