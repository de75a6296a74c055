"""The protocol as a scikit-learn estimator."""

from __future__ import annotations

from itertools import chain, count
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from vecphe.federated.data import equal_blocks
from vecphe.federated.interface import Backend
from vecphe.federated.parties import SERVER_NAME
from vecphe.federated.protocol import ProtocolResult, federated_learning
from vecphe.numbers import DEFAULT_KEY_LENGTH

__all__ = ["FederatedLinearRegression"]


class FederatedLinearRegression(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
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
        "packed", "vectorized", or a backend such as ``NaiveBackend(phe)``. "packed" rounds gradients to multiples
        of 2^-40: where they are near 1e-12, scale the targets or take "vectorized".
    insecure : bool, default=False
        Accept keys shorter than 2048 bits.
    n_jobs : int, default=None
        Workers for encryption and decryption, as joblib counts them.

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
    """

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
    ) -> None:
        self.n_clients = n_clients
        self.key_length = key_length
        self.eta = eta
        self.n_iter = n_iter
        self.backend = backend
        self.insecure = insecure
        self.n_jobs = n_jobs

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
            Without it, the rows are cut in order into equal blocks, and the remainder is dropped.

        Returns
        -------
        FederatedLinearRegression
            Itself.
        """
        for name, values in (("X", X), ("y", y), ("groups", groups)):
            if isinstance(values, np.ma.MaskedArray):
                raise TypeError(f"{name} is a masked array; fill it first: {name}.filled(value)")
        features, targets = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        members = self._members(features, groups)
        rows = np.column_stack([features, np.ones(len(features))])
        config: dict[str, Any] = self.get_params(deep=False) | {"n_clients": len(members)}
        self.result_: ProtocolResult = federated_learning(
            [rows[own] for own in members.values()],
            [targets[own] for own in members.values()],
            rows,
            targets,
            config,
            names=list(members),
        )
        weights = self.result_.weights[0]
        self.coef_: npt.NDArray[np.float64] = weights[:-1]
        self.intercept_ = float(weights[-1])
        self.n_iter_ = self.result_.n_iter
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # after a fixed number of steps that no one fitted to the data's scale
        return tags

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
        return dict(zip(_client_names(list(rows_of)), rows_of.values(), strict=True))

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Predictions for rows, shape (rows,)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        predictions: npt.NDArray[np.float64] = rows @ self.coef_ + self.intercept_
        return predictions


def _is_missing(label: Any) -> bool:
    try:
        return label is None or not str(label) or bool(label != label)  # NaN differs from itself
    except TypeError:  # pandas.NA has no truth value
        return True


def _client_names(labels: list[Any]) -> list[str]:
    """The labels as text, told apart where they look the same."""
    taken = {SERVER_NAME}
    names: list[str] = []
    for label in labels:
        candidates = chain([str(label)], (f"{label} #{number}" for number in count(2)))
        taken.add(name := next(name for name in candidates if name not in taken))
        names.append(name)
    return names
