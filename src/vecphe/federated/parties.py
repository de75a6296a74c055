"""The parties of the protocol: clients, which have models, and the server, which has the private key."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.errors import InvalidPlaintextError, KeyMismatchError, PlaintextOverflowError, ProtocolError
from vecphe.federated.backends import backend_named
from vecphe.federated.checks import check_bool, check_instance
from vecphe.federated.clock import PhaseClock
from vecphe.federated.descent import Growth
from vecphe.federated.interface import (
    Backend,
    EncryptedVector,
    EncryptionKey,
    Encryptor,
    decrypt_vector,
    sum_encrypted_vectors,
)
from vecphe.federated.models import (
    CallableModel,
    GradientModel,
    LinearRegression,
    Model,
    Rows,
    mean_square_error,
    real_copy,
)
from vecphe.federated.rounds import SERVER_NAME, Contribution, Ledger, check_client_count, check_hop
from vecphe.numbers.key_numbers import DEFAULT_KEY_LENGTH
from vecphe.plaintext.encoding import FixedPoint, Floats, as_plain_array
from vecphe.plaintext.structure import Structure, in_a_row

__all__ = ["SERVER_NAME", "Client", "Party", "Server", "mean_square_error"]


class Party:
    """Encrypts the updates of a model, whatever that is, and adds them to the sum of the round.

    Parameters
    ----------
    name : str
    model : Model or callable
        A function that returns a list of arrays stands for `CallableModel` of it.
    pubkey : EncryptionKey, optional
        Key that the server hands out; it decides how updates are encrypted.

    Attributes
    ----------
    model : Model
    weights : Any
        Those of the model.
    round : int
        The round that its next contribution is for: 1 at first, one more after each mean that it received.
    clock : PhaseClock
        Seconds this party spent, by phase.

    Examples
    --------
    >>> from vecphe.federated import Party, Server
    >>> server = Server(2048)
    >>> a, b, c = (Party(name, lambda: [[1.0, 2.0]], server.pubkey) for name in "ABC")
    >>> total = c.encrypted_gradient(b.encrypted_gradient(a.encrypted_gradient()))
    >>> mean = server.decrypt_aggregate(total, 3)
    >>> for party in (a, b, c):
    ...     party.receive(mean)
    >>> a.weights
    [array([1., 2.])]
    """

    _sends = "update"

    def __init__(
        self,
        name: str,
        model: Model | Callable[[], Sequence[npt.ArrayLike]],
        pubkey: EncryptionKey | None = None,
    ) -> None:
        if pubkey is not None:
            check_instance("pubkey", pubkey, EncryptionKey)
        self.name = name
        self.model: Any = model if hasattr(model, "update") else CallableModel(model)
        self.pubkey = pubkey
        self.round = 1
        self.clock = PhaseClock()
        self._party = secrets.token_hex(16)  # which it keeps when it is renamed or copied
        self._sent: Structure | None = None  # the arrays it sent last
        self._to_come = 0
        self._encryptor: Encryptor | None = None  # for as long as contributions are to come
        self._ahead: tuple[Contribution, EncryptedVector] | None = None  # encrypted before its place in the ring came
        self.slower = "lower eta, or scale the data"  # what ends a divergence, for errors

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_encryptor": None, "_ahead": None}  # a copy makes randomizers of its own

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self, 'name', None)!r})"

    @property
    def weights(self) -> Any:
        """The model's weights."""
        return self.model.weights

    @weights.setter
    def weights(self, weights: Any) -> None:
        self.model.weights = weights

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors of the model name the party."""
        try:
            yield
        except ProtocolError as error:
            raise ProtocolError(f"{self.name}: {error}") from error.__cause__

    def _arrays(self) -> list[npt.NDArray[Any]]:
        """The model's update, every item an array of real numbers."""
        with self.clock.measure("gradient"), self._named():
            arrays = self.model.update()
        if not isinstance(arrays, (list, tuple)) or not arrays:
            raise TypeError(f"{self.name}: its model's update must be a list of one or more arrays")
        try:
            return [a if type(a) is np.ndarray and a.dtype == np.float64 else as_plain_array(a) for a in arrays]
        except InvalidPlaintextError:
            raise self._not_finite() from None
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None

    def _not_finite(self) -> ProtocolError:
        return ProtocolError(
            f"{self.name}: its {self._sends} is not finite; check its data for NaN, or {self.slower}. It sent nothing"
        )

    def _out_of_range(self, pubkey: EncryptionKey, update: Floats) -> ProtocolError:
        wider = pubkey.wider_range or "ask who made the key for one with a larger max_abs"
        return ProtocolError(
            f"{self.name}: its {self._sends} cannot be encoded, a magnitude is beyond the range; {self.slower}, "
            f"or take a wider range: {wider}. It sent nothing"
        )

    def _flat_update(self) -> Floats:
        """All numbers of the update, finite, in one dimension; not copied if they are those of a single array."""
        arrays = self._arrays()
        try:
            flat = in_a_row({f"array {i} of its update": array for i, array in enumerate(arrays)})
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        if flat.dtype.kind == "f" and not np.isfinite(flat).all():
            raise self._not_finite()
        self._sent = Structure(tuple(array.shape for array in arrays))
        return flat

    def expect(self, n_rounds: int) -> None:
        """Say how many contributions are to come, so that randomizers are made ahead of them, in full batches.

        Parameters
        ----------
        n_rounds : int
            The next contribution included. With 0 the party drops those that it has left.
        """
        self._to_come, self._ahead = n_rounds, None
        if self._encryptor is not None and (not n_rounds or self._encryptor.key is not self.pubkey):
            self._encryptor.make_ready(0, 0)
            self._encryptor = None

    def _encrypted(self, pubkey: EncryptionKey, update: Floats) -> EncryptedVector:
        """The update encrypted, with the randomizers of coming rounds made beforehand if there are any."""
        if not self._to_come:
            with self.clock.measure("encrypt"):
                return pubkey.encrypt(update)
        if self._encryptor is None:
            self._encryptor = pubkey.for_party()
        with self.clock.measure("randomizers"):
            self._encryptor.make_ready(self._to_come, update.size)
        with self.clock.measure("encrypt"):
            return self._encryptor.encrypt(update)

    def _is_busy(self) -> bool:
        """Whether the next contribution takes work that is worth a thread, such as a batch of randomizers."""
        if not self._to_come or self.pubkey is None or type(self).encrypted_gradient is not Party.encrypted_gradient:
            return False
        if self._encryptor is None:
            self._encryptor = self.pubkey.for_party()
        return self._encryptor.is_busy(self._sent.size if self._sent else None)

    def _encrypt_ahead(self) -> None:
        """Make and encrypt the next contribution, which `encrypted_gradient` takes then; only the sum goes in turn.

        What goes wrong is told when its turn comes, by `encrypted_gradient`, which tries once more.
        """
        with suppress(Exception):
            contribution = self._contribution()
            self._ahead = contribution, self._own(contribution)

    def _contribution(self) -> Contribution:
        if self.pubkey is None:
            raise ProtocolError(f"{self.name} has no public key to encrypt with")
        return Contribution(self.pubkey.run.id, self.round, self._party, self.name)

    def _own(self, contribution: Contribution) -> EncryptedVector:
        """The own update encrypted, as `contribution`."""
        key: EncryptionKey = self.pubkey  # type: ignore[assignment]
        update = self._flat_update()
        try:
            return self._encrypted(key, update)._recorded((contribution,))
        except PlaintextOverflowError as error:
            raise self._out_of_range(key, update) from error

    def encrypted_gradient(self, sum_to: EncryptedVector | None = None) -> EncryptedVector:
        """The own update encrypted, added to what the predecessor sent.

        Parameters
        ----------
        sum_to : EncryptedVector, optional
            Encrypted sum of the updates of the clients before.

        Returns
        -------
        EncryptedVector

        Raises
        ------
        TypeError
            If `sum_to` is no encrypted vector, or the update no list of arrays of real numbers.
        ProtocolError
            If the update is not finite or out of the encoding's range, the party has no key, or `sum_to` is not the
            sum of distinct contributions of other clients to this round.
        KeyMismatchError, LayoutMismatchError
            If `sum_to` does not fit the own update.
        """
        contribution = self._contribution()
        if sum_to is not None:
            check_instance("sum_to", sum_to, EncryptedVector)
        ahead, self._ahead = self._ahead, None  # which is sent once
        own = ahead[1] if ahead is not None and ahead[0] == contribution else self._own(contribution)
        if sum_to is None:
            return own
        with self.clock.measure("add"):
            total = sum_encrypted_vectors(sum_to, own)
        try:
            check_hop(sum_to, contribution)  # after the addition, which tells more of vectors that do not fit
        except ProtocolError as error:
            raise ProtocolError(f"{self.name} adds nothing to the sum that it was sent: {error}") from None
        return total

    def receive(self, mean: npt.ArrayLike) -> None:
        """Hand the mean that the server broadcast to the model; the next round begins.

        Parameters
        ----------
        mean : array_like
            Shape (values,): what `Server.decrypt_aggregate` gives.

        Raises
        ------
        ProtocolError
            If it is of another length than what the party sent, not finite, or of no use to the model. The round
            stays then.
        """
        if self._sent is None:
            raise ProtocolError(f"{self.name} has sent nothing yet that this could be the mean of")
        with self.clock.measure("step"), self._named():
            self.model.apply(self._sent.split(self._received(mean, (self._sent.size,))))
        self.round += 1

    def _received(self, values: npt.ArrayLike, shape: tuple[int, ...]) -> Floats:
        try:
            received = real_copy(self.name, values, self._sends)
        except InvalidPlaintextError as error:
            raise ProtocolError(f"got a {self._sends} that is not finite") from error
        if received.shape != shape:
            raise ProtocolError(f"got a {self._sends} of shape {received.shape}, not {shape}")
        return received


class Client(Party):
    """A party with rows of its own and a model that takes steps against gradients; it never sends either.

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
    model : callable
        Makes the model of the checked rows and the step size: a `GradientModel`.
    eta : float
        Step size for the means of a run; `gradient_step` and `fit` take their own.
    sends_loss : bool
        Send the loss of the own rows behind the gradient: its mean tells when to stop.

    Attributes
    ----------
    X, y : ndarray
        Own copies.
    weights : ndarray
        Zeros at first; shape (features,) for the linear model.

    Examples
    --------
    >>> import numpy as np
    >>> from vecphe.federated import Client
    >>> X = np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]])
    >>> client = Client("A", X, X @ [2.0, 1.0])
    >>> client.fit(200, eta=0.2)
    >>> np.round(client.weights, 1)
    array([2., 1.])
    """

    _sends = "gradient"

    def __init__(
        self,
        name: str,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        pubkey: EncryptionKey | None = None,
        *,
        model: Callable[[Rows, float], GradientModel] = LinearRegression,
        eta: float = 0.01,
        sends_loss: bool = False,
    ) -> None:
        super().__init__(name, model(Rows.checked(name, X, y), eta), pubkey)
        self.sends_loss = sends_loss
        self._growth = Growth()

    @classmethod
    def of_rows(
        cls,
        name: str,
        rows: Rows,
        pubkey: EncryptionKey | None = None,
        *,
        model: Callable[[Rows, float], GradientModel] = LinearRegression,
        eta: float = 0.01,
        sends_loss: bool = False,
    ) -> Client:
        """A client of rows that were checked and copied before."""
        client = cls.__new__(cls)
        Party.__init__(client, name, model(rows, eta), pubkey)
        client.sends_loss = sends_loss
        client._growth = Growth()
        return client

    @property
    def X(self) -> Floats:
        """The own rows."""
        rows: Floats = self.model.X
        return rows

    @property
    def y(self) -> Floats:
        """The own targets."""
        targets: Floats = self.model.y
        return targets

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
        with self.clock.measure("step"), self._named():
            shape = np.shape(self.weights)
            size = math.prod(shape)
            flat = self._received(gradient, (size,) if np.shape(gradient) == (size,) else shape)
            self.model.step(flat.reshape(shape), eta)

    def _flat_update(self) -> Floats:
        if not self.sends_loss:
            gradient = self.compute_gradient()  # which checks it
            self._sent = Structure((gradient.shape,))
            return self._growth.note(gradient.ravel())
        with self.clock.measure("gradient"):
            gradient, loss = self.model.gradient_and_loss()
            flat = np.append(gradient, loss)
        if not np.isfinite(flat).all():
            raise self._not_finite()
        self._sent = Structure((gradient.shape, ()))
        return self._growth.note(flat)

    def _not_finite(self) -> ProtocolError:
        if not self._growth.has_begun:
            return super()._not_finite()
        return ProtocolError(
            f"{self.name}: its {self._sends} grew beyond all floats: the run diverges; {self.slower}. It sent nothing"
        )

    def _out_of_range(self, pubkey: EncryptionKey, update: Floats) -> ProtocolError:
        if not self._growth.is_beyond(update):  # no range is wide enough for those that grow
            return super()._out_of_range(pubkey, update)
        return ProtocolError(
            f"{self.name}: its {self._sends} grows from round to round, beyond the range: the run diverges; "
            f"{self.slower}. It sent nothing"
        )

    def compute_gradient(self) -> Floats:
        """Gradient of the model's loss on the own rows; for the linear model ``X.T @ (X @ w - y) / rows``.

        Raises
        ------
        ProtocolError
            If it is not finite.
        """
        with self.clock.measure("gradient"):
            gradient: Floats = self.model.gradient()
            if not np.isfinite(gradient).all():
                raise self._not_finite()
            return gradient

    def predict(self, X: npt.ArrayLike) -> Floats:
        """The model's predictions for rows; for the linear model shape (rows,)."""
        predictions: Floats = self.model.predict(real_copy(self.name, X, "X"))
        return predictions


class Server:
    """The party that makes the key pair, keeps the private key and decrypts sums only.

    Parameters
    ----------
    key_length : int
        Bits of the Paillier modulus.
    insecure : bool
        Accept keys shorter than 2048 bits.
    backend : str or Backend
        "packed", "vectorized", "naive" (which needs phe), or a backend.
    unsafe_few_clients : bool
        Decrypt sums of fewer than 3 clients too.
    engine : str, optional
        Name of the engine that computes; see `PublicKey`. A backend that is no name has its own.
    encoding : FixedPoint, optional
        How numbers become integers; a backend that is no name has its own.
    max_abs, max_terms : number, optional
        Range and number of sums, in place of those of the encoding.

    Attributes
    ----------
    pubkey : EncryptionKey
        For the clients; it carries the backend.
    privkey : DecryptionKey
    ledger : Ledger
        Of which rounds a sum was decrypted, and of whom.
    clock : PhaseClock
        Seconds the server spent, by phase.

    Examples
    --------
    >>> from vecphe.federated import Party, Server, run_rounds
    >>> server = Server(2048)
    >>> parties = [Party(name, lambda n=n: [[n, 2 * n]], server.pubkey) for n, name in enumerate("ABC", 1)]
    >>> for done in run_rounds(server, parties, n_iter=1):
    ...     print(done.round, done.mean)
    1 [2. 4.]
    """

    name = SERVER_NAME

    def __init__(
        self,
        key_length: int = DEFAULT_KEY_LENGTH,
        insecure: bool = False,
        backend: str | Backend = "packed",
        *,
        unsafe_few_clients: bool = False,
        engine: str | None = None,
        encoding: FixedPoint | None = None,
        max_abs: float | None = None,
        max_terms: int | None = None,
    ) -> None:
        check_bool("insecure", insecure)
        self.clock = PhaseClock()
        made = backend_named(backend, engine=engine, encoding=encoding, max_abs=max_abs, max_terms=max_terms)
        with self.clock.measure("keygen"):
            self.pubkey, self.privkey = made.generate_keys(key_length, insecure)
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
