"""The parties of the protocol: clients, which have data, and the server, which has the private key."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.encoding import as_plain_array
from vecphe.errors import InvalidPlaintextError, KeyMismatchError, PlaintextOverflowError, ProtocolError
from vecphe.federated.backends import backend_named
from vecphe.federated.checks import check_bool, check_instance
from vecphe.federated.clock import PhaseClock
from vecphe.federated.interface import (
    Backend,
    EncryptedVector,
    EncryptionKey,
    decrypt_vector,
    encrypt_vector,
    sum_encrypted_vectors,
)
from vecphe.federated.rounds import SERVER_NAME, Contribution, Ledger, check_client_count, check_hop
from vecphe.numbers import DEFAULT_KEY_LENGTH

__all__ = ["SERVER_NAME", "Client", "Server", "checked_rows", "mean_square_error"]

Floats = npt.NDArray[np.float64]


def mean_square_error(y_pred: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Mean of the squared differences; infinity if it is too large for a float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.mean((np.asarray(y, dtype=np.float64) - np.asarray(y_pred, dtype=np.float64)) ** 2))


def _real_copy(owner: str, values: Any, name: str) -> Floats:
    try:
        return as_plain_array(values, name).astype(np.float64, copy=False)
    except (TypeError, InvalidPlaintextError) as error:
        raise type(error)(f"{owner}: {error}") from None


def checked_rows(name: str, X: npt.ArrayLike, y: npt.ArrayLike, suffix: str = "") -> tuple[Floats, Floats]:
    """Own copies of a party's rows and targets; errors call them by its name, and ``X`` and ``y`` with the suffix.

    Raises
    ------
    TypeError
        For masked arrays, complex numbers, text and objects.
    ValueError
        If they are empty, of other than two and one dimensions, of different length or (InvalidPlaintextError)
        not finite.
    """
    rows, targets = _real_copy(name, X, f"X{suffix}"), _real_copy(name, y, f"y{suffix}")
    if rows.ndim != 2 or targets.shape != rows.shape[:1]:
        raise ValueError(
            f"{name}: X{suffix} must have shape (rows, features) and y{suffix} shape (rows,), "
            f"not {rows.shape} and {targets.shape}"
        )
    if not rows.size:
        raise ValueError(f"{name} has no data: X{suffix} has shape {rows.shape}")
    return rows, targets


class Client:
    """A party with rows of its own and a model, which never sends either.

    Parameters
    ----------
    name : str
    X : array_like
        Shape (rows, features); a constant column stands for the intercept.
    y : array_like
        Shape (rows,).
    pubkey : EncryptionKey, optional
        Key that the server hands out; it decides how gradients are encrypted. A client that only learns alone
        needs none.

    Attributes
    ----------
    weights : ndarray
        Shape (features,); zeros at first.
    round : int
        The round that its next contribution is for: 1 at first, one more after each `gradient_step`.
    clock : PhaseClock
        Seconds this client spent, by phase.
    """

    def __init__(self, name: str, X: npt.ArrayLike, y: npt.ArrayLike, pubkey: EncryptionKey | None = None) -> None:
        if pubkey is not None:
            check_instance("pubkey", pubkey, EncryptionKey)
        self.name = name
        self.X, self.y = checked_rows(name, X, y)
        self.pubkey = pubkey
        self.weights: Floats = np.zeros(self.X.shape[1])
        self.round = 1
        self.clock = PhaseClock()
        self._party = secrets.token_hex(16)  # which it keeps when it is renamed or copied

    def __repr__(self) -> str:
        return f"Client({self.name!r})"

    def fit(self, n_iter: int, eta: float = 0.01) -> None:
        """Take `n_iter` steps on the own data alone."""
        for _ in range(n_iter):
            self._step(self.compute_gradient(), eta)

    def gradient_step(self, gradient: npt.ArrayLike, eta: float = 0.01) -> None:
        """Change the weights by ``-eta * gradient``, the mean that the server broadcast; the next round begins.

        Raises
        ------
        ProtocolError
            If the gradient is of another length, or it, `eta` or the weights after the step are not finite; the
            weights stay as they are, and so does the round.
        """
        self._step(gradient, eta)
        self.round += 1

    def _step(self, gradient: npt.ArrayLike, eta: float) -> None:
        with self.clock.measure("step"):
            if not math.isfinite(eta):
                raise ProtocolError(f"{self.name}: got a step size eta that is not finite")
            try:
                step = _real_copy(self.name, gradient, "gradient")
            except InvalidPlaintextError as error:
                raise ProtocolError(f"{self.name}: got a gradient that is not finite") from error
            if step.shape != self.weights.shape:
                raise ProtocolError(f"{self.name}: got a gradient of shape {step.shape}, not {self.weights.shape}")
            with np.errstate(over="ignore", invalid="ignore"):
                weights: Floats = self.weights - eta * step
            if not np.isfinite(weights).all():
                raise ProtocolError(f"{self.name}: the step would make its weights infinite; lower eta")
            self.weights = weights

    def compute_gradient(self) -> Floats:
        """Gradient of half the mean square error on the own rows: ``X.T @ (X @ w - y) / rows``.

        Raises
        ------
        ProtocolError
            If it is not finite.
        """
        with self.clock.measure("gradient"):
            with np.errstate(over="ignore", invalid="ignore"):
                gradient: Floats = (self.X @ self.weights - self.y) @ self.X / len(self.X)
            if not np.isfinite(gradient).all():
                raise ProtocolError(
                    f"{self.name}: its gradient is not finite; check its data for NaN, or lower eta. It sent nothing"
                )
            return gradient

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Predictions for rows, shape (rows,)."""
        predictions: Floats = _real_copy(self.name, X, "X") @ self.weights
        return predictions

    def encrypted_gradient(self, sum_to: EncryptedVector | None = None) -> EncryptedVector:
        """The own gradient encrypted, added to what the predecessor sent.

        Parameters
        ----------
        sum_to : EncryptedVector, optional
            Encrypted sum of the gradients of the clients before.

        Returns
        -------
        EncryptedVector

        Raises
        ------
        TypeError
            If `sum_to` is no encrypted vector.
        ProtocolError
            If the gradient is not finite or out of the encoding's range, the client has no key, or `sum_to` is not
            the sum of distinct contributions of other clients to this round.
        KeyMismatchError, LayoutMismatchError
            If `sum_to` does not fit the own gradient.
        """
        if self.pubkey is None:
            raise ProtocolError(f"{self.name} has no public key to encrypt with")
        contribution = Contribution(self.pubkey.run.id, self.round, self._party, self.name)
        if sum_to is not None:
            check_instance("sum_to", sum_to, EncryptedVector)
        gradient = self.compute_gradient()
        try:
            with self.clock.measure("encrypt"):
                own = encrypt_vector(self.pubkey, gradient)._recorded((contribution,))
        except (InvalidPlaintextError, PlaintextOverflowError) as error:
            raise ProtocolError(
                f"{self.name}: its gradient cannot be encoded; scale the data or lower eta, or give the backend an "
                "encoding with a larger max_abs. It sent nothing"
            ) from error
        if sum_to is None:
            return own
        with self.clock.measure("add"):
            total = sum_encrypted_vectors(sum_to, own)
        try:
            check_hop(sum_to, contribution)  # after the addition, which tells more of vectors that do not fit
        except ProtocolError as error:
            raise ProtocolError(f"{self.name} adds nothing to the sum that it was sent: {error}") from None
        return total


class Server:
    """The party that makes the key pair, keeps the private key and decrypts sums only.

    Parameters
    ----------
    key_length : int
        Bits of the Paillier modulus.
    insecure : bool
        Accept keys shorter than 2048 bits.
    backend : str or Backend
        "packed", "vectorized", or a backend such as ``NaiveBackend(phe)``.
    unsafe_few_clients : bool
        Decrypt sums of fewer than 3 clients too.

    Attributes
    ----------
    pubkey : EncryptionKey
        For the clients; it carries the backend.
    privkey : DecryptionKey
    ledger : Ledger
        Of which rounds a sum was decrypted, and of whom.
    clock : PhaseClock
        Seconds the server spent, by phase.
    """

    name = SERVER_NAME

    def __init__(
        self,
        key_length: int = DEFAULT_KEY_LENGTH,
        insecure: bool = False,
        backend: str | Backend = "packed",
        *,
        unsafe_few_clients: bool = False,
    ) -> None:
        check_bool("insecure", insecure)
        self.clock = PhaseClock()
        with self.clock.measure("keygen"):
            self.pubkey, self.privkey = backend_named(backend).generate_keys(key_length, insecure)
        self.ledger = Ledger(self.pubkey.run, unsafe_few_clients)

    def change_members(self, members: Sequence[str] | int) -> None:
        """Consent to go on with other clients than before; see `Ledger.change_members`."""
        self.ledger.change_members(members)

    def decrypt_aggregate(self, vector: EncryptedVector, n_clients: int) -> Floats:
        """Mean of the gradients of all clients.

        That this sum of the round is decrypted, and no other one, is recorded before it is. What was summed is what
        the vector records: this stops mistakes, not a peer that lies about it.

        Parameters
        ----------
        vector : EncryptedVector
            Sum of one encrypted gradient of each client, of one round.
        n_clients : int

        Returns
        -------
        ndarray

        Raises
        ------
        TypeError, ValueError
            If `vector` is no encrypted vector, or `n_clients` no int.
        ProtocolError
            If there are fewer than 3 clients, if the vector is not the sum of one contribution of each to one round of
            this run and nothing else, if a sum of that round was decrypted before, or if the clients are others than
            in the round before and `change_members` did not consent to it.
        """
        check_instance("vector", vector, EncryptedVector)
        check_client_count(n_clients, self.ledger.unsafe_few_clients)
        if vector.key.fingerprint != self.pubkey.fingerprint:
            raise KeyMismatchError("the vector was encrypted with another key")
        self.ledger.decide(vector, n_clients)
        with self.clock.measure("decrypt"):
            return decrypt_vector(self.privkey, vector) / n_clients
