"""The parties of the protocol: clients, which have data, and the server, which has the private key."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecphe.errors import InvalidPlaintextError, PlaintextOverflowError, ProtocolError
from vecphe.federated.backends import backend_named
from vecphe.federated.clock import PhaseClock
from vecphe.federated.interface import (
    Backend,
    EncryptedVector,
    EncryptionKey,
    decrypt_vector,
    encrypt_vector,
    sum_encrypted_vectors,
)
from vecphe.numbers import DEFAULT_KEY_LENGTH

__all__ = ["Client", "Server", "check_client_count", "checked_rows", "mean_square_error"]

Floats = npt.NDArray[np.float64]

_LEAST_CLIENTS = 3


def mean_square_error(y_pred: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Mean of the squared differences."""
    return float(np.mean((np.asarray(y, dtype=np.float64) - np.asarray(y_pred, dtype=np.float64)) ** 2))


def check_client_count(n_clients: int, unsafe_few_clients: bool = False) -> None:
    """Refuse fewer than 3 clients: one of two gets the other's gradient by a subtraction.

    Raises
    ------
    ProtocolError
        Unless `unsafe_few_clients` is set.
    """
    if n_clients < 1 or (n_clients < _LEAST_CLIENTS and not unsafe_few_clients):
        raise ProtocolError(
            f"{n_clients} clients are too few: below {_LEAST_CLIENTS} each learns the other's gradient by subtraction; "
            "unsafe_few_clients=True allows it for benchmarks"
        )


def checked_rows(name: str, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Own copies of a client's rows and targets.

    Raises
    ------
    ValueError
        If they are empty, of other than two and one dimensions, or of different length; it names the client.
    """
    rows, targets = np.array(X, dtype=np.float64), np.array(y, dtype=np.float64)
    if rows.ndim != 2 or targets.shape != rows.shape[:1]:
        raise ValueError(
            f"{name}: X must have shape (rows, features) and y shape (rows,), not {rows.shape} and {targets.shape}"
        )
    if not rows.size:
        raise ValueError(f"{name} has no data: X has shape {rows.shape}")
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
    clock : PhaseClock
        Seconds this client spent, by phase.
    """

    def __init__(self, name: str, X: npt.ArrayLike, y: npt.ArrayLike, pubkey: EncryptionKey | None = None) -> None:
        self.name = name
        self.X, self.y = checked_rows(name, X, y)
        self.pubkey = pubkey
        self.weights: Floats = np.zeros(self.X.shape[1])
        self.clock = PhaseClock()

    def __repr__(self) -> str:
        return f"Client({self.name!r})"

    def fit(self, n_iter: int, eta: float = 0.01) -> None:
        """Take `n_iter` steps on the own data alone."""
        for _ in range(n_iter):
            self.gradient_step(self.compute_gradient(), eta)

    def gradient_step(self, gradient: npt.ArrayLike, eta: float = 0.01) -> None:
        """Change the weights by ``-eta * gradient``.

        Raises
        ------
        ProtocolError
            If the gradient is of another length or not finite; the weights stay as they are.
        """
        with self.clock.measure("step"):
            step = np.asarray(gradient, dtype=np.float64)
            if step.shape != self.weights.shape:
                raise ProtocolError(f"{self.name}: got a gradient of shape {step.shape}, not {self.weights.shape}")
            if not np.isfinite(step).all():
                raise ProtocolError(f"{self.name}: got a gradient that is not finite")
            self.weights = self.weights - eta * step

    def compute_gradient(self) -> Floats:
        """Gradient of half the mean square error on the own rows: ``X.T @ (X @ w - y) / rows``.

        Raises
        ------
        ProtocolError
            If it is not finite.
        """
        with self.clock.measure("gradient"):
            with np.errstate(over="ignore", invalid="ignore"):
                gradient: Floats = (self.predict(self.X) - self.y) @ self.X / len(self.X)
            if not np.isfinite(gradient).all():
                raise ProtocolError(
                    f"{self.name}: its gradient is not finite; check its data for NaN, or lower eta. It sent nothing"
                )
            return gradient

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Predictions for rows, shape (rows,)."""
        predictions: Floats = np.asarray(X, dtype=np.float64) @ self.weights
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
        ProtocolError
            If the gradient is not finite or out of the encoding's range, or the client has no key.
        KeyMismatchError, LayoutMismatchError
            If `sum_to` does not fit the own gradient.
        """
        if self.pubkey is None:
            raise ProtocolError(f"{self.name} has no public key to encrypt with")
        gradient = self.compute_gradient()
        try:
            with self.clock.measure("encrypt"):
                own = encrypt_vector(self.pubkey, gradient)
        except (InvalidPlaintextError, PlaintextOverflowError) as error:
            raise ProtocolError(
                f"{self.name}: its gradient cannot be encoded; scale the data or lower eta, or give the backend an "
                "encoding with a larger max_abs. It sent nothing"
            ) from error
        if sum_to is None:
            return own
        with self.clock.measure("add"):
            return sum_encrypted_vectors(sum_to, own)


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
    clock : PhaseClock
        Seconds the server spent, by phase.
    """

    name = "Server"

    def __init__(
        self,
        key_length: int = DEFAULT_KEY_LENGTH,
        insecure: bool = False,
        backend: str | Backend = "packed",
        *,
        unsafe_few_clients: bool = False,
    ) -> None:
        self.unsafe_few_clients = unsafe_few_clients
        self.clock = PhaseClock()
        with self.clock.measure("keygen"):
            self.pubkey, self.privkey = backend_named(backend).generate_keys(key_length, insecure)

    def decrypt_aggregate(self, vector: EncryptedVector, n_clients: int) -> Floats:
        """Mean of the gradients of all clients.

        The number of terms is what the vector records: this stops mistakes, not a peer that lies about it.

        Parameters
        ----------
        vector : EncryptedVector
            Sum of one encrypted gradient of each client.
        n_clients : int

        Returns
        -------
        ndarray

        Raises
        ------
        ProtocolError
            If there are fewer than 3 clients, or the vector is not the sum of `n_clients` terms.
        """
        check_client_count(n_clients, self.unsafe_few_clients)
        if vector.terms != n_clients:
            raise ProtocolError(
                f"refused to decrypt: the sum records {vector.terms} contributions, but there are {n_clients} clients"
            )
        with self.clock.measure("decrypt"):
            return decrypt_vector(self.privkey, vector) / n_clients
