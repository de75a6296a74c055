"""Runs of the protocol in one process, from data to models: clients in a ring, and a server that sees only sums.

What may be added and decrypted is decided in :mod:`vecphe.federated.rounds`; :mod:`vecphe.federated.ring` is the loop.

What this promises, and no more: the parties are honest but curious, and the membership of a run is fixed. A client
learns the others' mean gradient from its own and the broadcast; the server with a client's successor and
predecessor opens that client; after a client leaves, the change of the sum approximates its last gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import engine_for
from vecphe.errors import ProtocolError
from vecphe.federated.backends import backend_named
from vecphe.federated.checks import check_bool, checked_int
from vecphe.federated.clock import PHASES, PhaseClock
from vecphe.federated.interface import Backend, EncryptionKey
from vecphe.federated.models import GradientModel, LinearRegression, Rows
from vecphe.federated.parties import Client, Server
from vecphe.federated.ring import ring_pass, run_rounds
from vecphe.federated.rounds import check_client_count, checked_names
from vecphe.numbers.key_numbers import DEFAULT_KEY_LENGTH
from vecphe.plaintext.encoding import Floats
from vecphe.system.parallel import effective_jobs

__all__ = [
    "Message",
    "ProtocolConfig",
    "ProtocolResult",
    "federated_learning",
    "local_learning",
    "ring_pass",
    "run_rounds",
]


@dataclass(frozen=True)
class ProtocolConfig:
    """Options of a run; the keys of the mapping that the learning functions take.

    Attributes
    ----------
    n_clients : int
    key_length : int
        Bits of the Paillier modulus.
    n_iter : int
        Rounds.
    eta : float
        Step size.
    backend : str or Backend
        "packed", "vectorized", "naive" (which needs phe), or a backend.
    insecure : bool
        Accept keys shorter than 2048 bits.
    n_jobs : int or None
        Workers for encryption and decryption, as joblib counts them; the naive backend always has one.
    record_transcript : bool
        Keep every message, with its payload.
    max_restarts : int
        How often a round is started anew, with fresh encryptions and the same members, when a client is lost.
    engine : str or None
        Name of the engine that computes; see `PublicKey`. A backend that is no name has its own.
    """

    n_clients: int = 5
    key_length: int = DEFAULT_KEY_LENGTH
    n_iter: int = 50
    eta: float = 1.5
    backend: str | Backend = "packed"
    insecure: bool = False
    n_jobs: int | None = None
    record_transcript: bool = False
    max_restarts: int = 1
    engine: str | None = None

    def __post_init__(self) -> None:
        for name, least in {"n_clients": 1, "key_length": 1, "n_iter": 1, "max_restarts": 0}.items():
            object.__setattr__(self, name, checked_int(name, getattr(self, name), least))
        for name in ("insecure", "record_transcript"):
            check_bool(name, getattr(self, name))
        if isinstance(self.eta, bool) or not isinstance(self.eta, (int, float, np.number)):
            raise ValueError(f"eta must be a number, not {self.eta!r}")
        if not (math.isfinite(self.eta) and self.eta > 0):
            raise ValueError(f"eta must be positive and finite, not {self.eta!r}")
        effective_jobs(self.n_jobs)  # raises for what joblib does not take
        engine_for(1, self.engine)  # raises for one that does not run

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any] | None) -> ProtocolConfig:
        """Fill in the defaults; a key that is not an option raises ValueError."""
        known = [field.name for field in fields(cls)]
        for key in config or {}:
            if key not in known:
                raise ValueError(f"config has no key {key!r}; the keys are {', '.join(known)}")
        return cls(**(config or {}))


@dataclass(frozen=True)
class Message:
    """One message of a run.

    Attributes
    ----------
    round : int
        From 1; 0 is before the first round.
    sender, receiver : str
    kind : {"public-key", "encrypted-sum", "mean-gradient"}
    payload : bytes
        What there is to learn from it: big-endian modulus, concatenated little-endian ciphertexts, or little-endian
        float64.
    """

    round: int
    sender: str
    receiver: str
    kind: str
    payload: bytes

    @property
    def nbytes(self) -> int:
        """Size of the payload."""
        return len(self.payload)


@dataclass(frozen=True)
class ProtocolResult:
    """What a run gives.

    Attributes
    ----------
    mse : list of float
        Mean square error of each client's model on the test rows.
    weights : ndarray
        Shape (clients, features).
    history : ndarray
        Shape (rounds, features): the shared model after every round; no rounds for local learning.
    n_iter : int
        Rounds that were run.
    seconds : dict of str to float
        Wall-clock time by phase: keygen, setup, gradient, encrypt, add, decrypt, step; all parties together.
    ciphertexts_per_hop, bytes_per_hop : int
        What one client sends to the next in a round.
    transcript : tuple of Message
        Every message, if the run was to record them.
    """

    mse: list[float]
    weights: Floats
    history: Floats
    n_iter: int
    seconds: dict[str, float]
    ciphertexts_per_hop: int = 0
    bytes_per_hop: int = 0
    transcript: tuple[Message, ...] = ()

    @property
    def seconds_per_round(self) -> float:
        """Time of one round, without the phases keygen and setup."""
        once = self.seconds["keygen"] + self.seconds["setup"]
        return (sum(self.seconds.values()) - once) / self.n_iter


class _Transcript:
    """Messages of a run; records nothing unless it is switched on."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.messages: list[Message] = []

    def add(self, number: int, sender: str, receiver: str, kind: str, payload: Callable[[], bytes]) -> None:
        if self.enabled:
            self.messages.append(Message(number, sender, receiver, kind, payload()))


def _names(n_clients: int, names: Sequence[str] | None) -> list[str]:
    checked = checked_names([f"Hospital {i}" for i in range(1, n_clients + 1)] if names is None else names)
    if len(checked) != n_clients:
        raise ValueError(f"names must be {n_clients} different ones, not {checked!r}")
    return checked


@dataclass(frozen=True)
class _Data:
    """Rows of all clients and of the test, checked and copied; the only copy there is."""

    shards: dict[str, Rows]
    test: Rows

    @classmethod
    def checked(
        cls, X: Sequence[Any], y: Sequence[Any], X_test: Any, y_test: Any, n_clients: int, names: Sequence[str] | None
    ) -> _Data:
        """Raise for everything that can be wrong with the data."""
        if not len(X) == len(y) == n_clients:
            raise ValueError(f"n_clients is {n_clients}, but there are {len(X)} blocks X and {len(y)} blocks y")
        own = zip(_names(len(X), names), X, y, strict=True)
        shards = {name: Rows.checked(name, X_own, y_own) for name, X_own, y_own in own}
        test = Rows.checked("the test data", X_test, y_test, "_test")
        (first, rows), *others = [*shards.items(), ("X_test", test)]
        for name, other in others:
            if other.n_features != rows.n_features:
                raise ValueError(f"{name} has {other.n_features} features, but {first} has {rows.n_features}")
        return cls(shards, test)

    def clients(
        self, model: Callable[[Rows, float], GradientModel], eta: float, pubkey: EncryptionKey | None = None
    ) -> list[Client]:
        """One for each shard."""
        return [Client.of_rows(name, rows, pubkey, model=model, eta=eta) for name, rows in self.shards.items()]


def _test_errors(clients: Sequence[Client], test: Rows) -> list[float]:
    with np.errstate(over="ignore", invalid="ignore"):
        errors = [float(client.model.error(test)) for client in clients]
    for client, error in zip(clients, errors, strict=True):
        if not math.isfinite(error):
            raise ProtocolError(f"{client.name}: its error on the test rows is not finite, the run diverged; lower eta")
    return errors


def _total_seconds(*clocks: PhaseClock) -> dict[str, float]:
    return {phase: sum(clock.seconds[phase] for clock in clocks) for phase in PHASES}


def federated_learning(
    X: Sequence[npt.ArrayLike],
    y: Sequence[npt.ArrayLike],
    X_test: npt.ArrayLike,
    y_test: npt.ArrayLike,
    config: Mapping[str, Any] | None = None,
    *,
    names: Sequence[str] | None = None,
    model: Callable[[Rows, float], GradientModel] = LinearRegression,
    unsafe_few_clients: bool = False,
    unsafe_drop_clients: bool = False,
    on_round: Callable[[int], bool] | None = None,
) -> ProtocolResult:
    """Train one model on the data of all clients, which share only encrypted gradients.

    Parameters
    ----------
    X, y : sequence of array_like
        Rows, shape (rows, features), and targets, shape (rows,), of each client.
    X_test, y_test : array_like
        Rows to test the models on, shape (rows, features), and their targets, shape (rows,).
    config : mapping, optional
        Options: the attributes of `ProtocolConfig`.
    names : sequence of str, optional
        Names of the clients, different and other than "Server"; by default "Hospital 1" and so on.
    model : callable
        Makes the model of a client of its `Rows` and the step size: `LinearRegression`, `LogisticRegression`, or
        another `GradientModel`.
    unsafe_few_clients : bool
        Allow fewer than 3 clients, for benchmarks only: they learn each other's gradients.
    unsafe_drop_clients : bool
        Go on without a client that is lost for good, while at least 3 are left: its last gradient becomes computable,
        from the sums before and after. Otherwise the run ends.
    on_round : callable, optional
        Called with the number of every finished round; the run ends early if it returns False.

    Returns
    -------
    ProtocolResult

    Raises
    ------
    TypeError, ValueError
        If the data or the options are wrong, before a key is made.
    EngineUnavailableError
        If there is no such engine, or it does not run here.
    ClientLostError
        If a client does not answer, after `max_restarts` more tries.
    ProtocolError
        If a guard stops the run, or it diverges; it names the party or the peers.
    """
    options = ProtocolConfig.from_mapping(config)
    check_client_count(options.n_clients, unsafe_few_clients)
    data = _Data.checked(X, y, X_test, y_test, options.n_clients, names)
    backend = backend_named(options.backend, options.n_clients, options.n_jobs, options.engine)
    server = Server(options.key_length, options.insecure, backend, unsafe_few_clients=unsafe_few_clients)
    clients = data.clients(model, options.eta, server.pubkey)
    with server.clock.measure("setup"):
        server.pubkey.prepare(len(clients) * options.n_iter, clients[0].weights.size)
    transcript = _Transcript(options.record_transcript)
    for client in clients:
        transcript.add(0, server.name, client.name, "public-key", lambda: _modulus_bytes(server.pubkey))
    history = []
    for done in run_rounds(
        server,
        clients,
        options.n_iter,
        max_restarts=options.max_restarts,
        unsafe_drop_clients=unsafe_drop_clients,
        record=transcript.add,
    ):
        clients = [client for client in clients if client in done.parties]
        history.append(clients[0].weights)
        if on_round is not None and on_round(done.round) is False:
            break
    return ProtocolResult(
        mse=_test_errors(clients, data.test),
        weights=np.array([client.weights for client in clients]),
        history=np.array(history),
        n_iter=len(history),
        seconds=_total_seconds(server.clock, *(client.clock for client in clients)),
        ciphertexts_per_hop=done.total.n_ciphertexts,
        bytes_per_hop=done.total.nbytes,
        transcript=tuple(transcript.messages),
    )


def _modulus_bytes(key: EncryptionKey) -> bytes:
    return key.n.to_bytes((key.key_length + 7) // 8, "big")


def local_learning(
    X: Sequence[npt.ArrayLike],
    y: Sequence[npt.ArrayLike],
    X_test: npt.ArrayLike,
    y_test: npt.ArrayLike,
    config: Mapping[str, Any] | None = None,
    *,
    names: Sequence[str] | None = None,
    model: Callable[[Rows, float], GradientModel] = LinearRegression,
) -> ProtocolResult:
    """Train each client alone on its own data, for comparison; nothing is encrypted or sent.

    Parameters
    ----------
    X, y, X_test, y_test, config, names, model
        As for `federated_learning`.

    Returns
    -------
    ProtocolResult
        With one model for each client.
    """
    options = ProtocolConfig.from_mapping(config)
    data = _Data.checked(X, y, X_test, y_test, options.n_clients, names)
    clients = data.clients(model, options.eta)
    for client in clients:
        client.fit(options.n_iter, options.eta)
    return ProtocolResult(
        mse=_test_errors(clients, data.test),
        weights=np.array([client.weights for client in clients]),
        history=np.empty((0, *clients[0].weights.shape)),
        n_iter=options.n_iter,
        seconds=_total_seconds(*(client.clock for client in clients)),
    )
