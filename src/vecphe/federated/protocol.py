"""Linear regression by gradient descent, in a ring of clients and with a server that sees only sums.

One round: client 1 encrypts its gradient and sends it to client 2; each next client adds its own; the last
sends the sum to the server, which decrypts it and sends the mean to all clients in the clear.

What this promises, and no more: the parties are honest but curious, and the membership of a run is fixed. A client
learns the others' mean gradient from its own and the broadcast; the server with a client's successor and
predecessor opens that client; after a client leaves, the change of the sum approximates its last gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.errors import ClientLostError, ProtocolError, VecpheError
from vecphe.federated.backends import backend_named
from vecphe.federated.checks import check_bool, checked_int
from vecphe.federated.clock import PHASES, PhaseClock
from vecphe.federated.interface import Backend, EncryptedVector, EncryptionKey
from vecphe.federated.parties import (
    Client,
    Server,
    checked_rows,
    mean_square_error,
)
from vecphe.federated.rounds import RingRound, check_client_count, checked_names
from vecphe.numbers import DEFAULT_KEY_LENGTH
from vecphe.parallel import effective_jobs

__all__ = [
    "Message",
    "ProtocolConfig",
    "ProtocolResult",
    "federated_learning",
    "local_learning",
    "ring_pass",
]

Floats = npt.NDArray[np.float64]


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
        "packed", "vectorized", or a backend such as ``NaiveBackend(phe)``.
    insecure : bool
        Accept keys shorter than 2048 bits.
    n_jobs : int or None
        Workers for encryption and decryption, as joblib counts them; the naive backend always has one.
    record_transcript : bool
        Keep every message, with its payload.
    max_restarts : int
        How often a round is started anew, with fresh encryptions and the same members, when a client is lost.
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

    def __post_init__(self) -> None:
        for name, least in {"n_clients": 1, "key_length": 1, "n_iter": 1, "max_restarts": 0}.items():
            value = checked_int(name, getattr(self, name))
            if value < least:
                raise ValueError(f"{name} must be {'positive' if least else 'at least 0'}, not {value}")
            object.__setattr__(self, name, value)
        for name in ("insecure", "record_transcript"):
            check_bool(name, getattr(self, name))
        if isinstance(self.eta, bool) or not isinstance(self.eta, (int, float, np.number)):
            raise ValueError(f"eta must be a number, not {self.eta!r}")
        if not (math.isfinite(self.eta) and self.eta > 0):
            raise ValueError(f"eta must be positive and finite, not {self.eta!r}")
        effective_jobs(self.n_jobs)  # raises for what joblib does not take

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
        Big-endian modulus, concatenated little-endian ciphertexts, or little-endian float64.
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


@contextmanager
def _hop(number: int, sender: str, receiver: str) -> Iterator[None]:
    """Errors on a message name its round and both peers; those of the rules (ProtocolError) already do."""
    try:
        yield
    except ProtocolError:
        raise
    except VecpheError as error:
        raise ProtocolError(f"round {number}, {sender} -> {receiver}: {error}") from error


def ring_pass(
    clients: Sequence[Client],
    receiver: str = Server.name,
    number: int | None = None,
    record: Callable[[int, str, str, str, Callable[[], bytes]], None] | None = None,
) -> EncryptedVector:
    """Pass an encrypted sum through all clients, each adding its gradient.

    Parameters
    ----------
    clients : sequence of Client
    receiver : str
        Who is sent the full sum.
    number : int, optional
        Number of the round, which the clients take over; by default the one that the first client is in.
    record : callable, optional
        Called with (round, sender, receiver, kind, function that makes the payload) for every message.

    Returns
    -------
    EncryptedVector

    Raises
    ------
    ClientLostError
        If a client raises OSError, as broken connections and time-outs do. Nothing was decrypted: the round may be
        run again, with fresh encryptions and the same members.
    ProtocolError
        If a client stops, is in the ring twice, is sent what it cannot add to, or sends anything but the sum of one
        contribution of each client so far; it names the peers.
    """
    if clients and number is None:
        number = clients[0].round
    names = [client.name for client in clients]
    rules = RingRound(_run_of(clients), number or 0, names)
    total: Any = None
    for client, sender, successor in zip(clients, [receiver, *names], [*names[1:], receiver], strict=False):
        client.round = rules.number
        with _hop(rules.number, sender, client.name):
            try:
                total = client.encrypted_gradient(sum_to=total)
            except OSError as error:  # a connection that broke or timed out
                raise ClientLostError(client.name, rules.number) from error
            rules.accept(client.name, total)
        if record is not None:
            record(rules.number, client.name, successor, "encrypted-sum", total.to_bytes)
    result: EncryptedVector = total
    return result


def _run_of(clients: Sequence[Client]) -> str:
    key = clients[0].pubkey if clients else None
    return "" if key is None else key.run.id  # a client without key says so itself


def _names(n_clients: int, names: Sequence[str] | None) -> list[str]:
    checked = checked_names([f"Hospital {i}" for i in range(1, n_clients + 1)] if names is None else names)
    if len(checked) != n_clients:
        raise ValueError(f"names must be {n_clients} different ones, not {checked!r}")
    return checked


def _check_data(
    X: Sequence[Any], y: Sequence[Any], X_test: Any, y_test: Any, config: ProtocolConfig, names: Sequence[str] | None
) -> list[str]:
    """Names of the clients, after everything that can be wrong with the data."""
    if not len(X) == len(y) == config.n_clients:
        raise ValueError(f"n_clients is {config.n_clients}, but there are {len(X)} blocks X and {len(y)} blocks y")
    names = _names(len(X), names)
    widths = [checked_rows(name, X_own, y_own)[0].shape[1] for name, X_own, y_own in zip(names, X, y, strict=True)]
    widths.append(checked_rows("the test data", X_test, y_test, "_test")[0].shape[1])
    for name, width in zip([*names, "X_test"], widths, strict=True):
        if width != widths[0]:
            raise ValueError(f"{name} has {width} features, but {names[0]} has {widths[0]}")
    return names


def _make_clients(
    names: Sequence[str], X: Sequence[Any], y: Sequence[Any], pubkey: EncryptionKey | None = None
) -> list[Client]:
    return [Client(name, X_own, y_own, pubkey) for name, X_own, y_own in zip(names, X, y, strict=True)]


def _test_errors(clients: Sequence[Client], X_test: npt.ArrayLike, y_test: npt.ArrayLike) -> list[float]:
    with np.errstate(over="ignore", invalid="ignore"):
        errors = [mean_square_error(client.predict(X_test), y_test) for client in clients]
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
    unsafe_few_clients: bool = False,
    unsafe_drop_clients: bool = False,
    on_round: Callable[[int], bool] | None = None,
) -> ProtocolResult:
    """Train one linear model on the data of all clients, which share only encrypted gradients.

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
    ClientLostError
        If a client does not answer, after `max_restarts` more tries.
    ProtocolError
        If a guard stops the run, or it diverges; it names the party or the peers.
    """
    options = ProtocolConfig.from_mapping(config)
    check_client_count(options.n_clients, unsafe_few_clients)
    names = _check_data(X, y, X_test, y_test, options, names)
    backend = backend_named(options.backend, options.n_clients, options.n_jobs)
    server = Server(options.key_length, options.insecure, backend, unsafe_few_clients=unsafe_few_clients)
    clients = _make_clients(names, X, y, server.pubkey)
    with server.clock.measure("setup"):
        server.pubkey.prepare(len(clients) * options.n_iter, len(clients[0].weights))
    transcript = _Transcript(options.record_transcript)
    for client in clients:
        transcript.add(0, server.name, client.name, "public-key", lambda: _modulus_bytes(server.pubkey))
    history = []
    for number in range(1, options.n_iter + 1):
        total, clients = _surviving_sum(server, clients, number, transcript, options.max_restarts, unsafe_drop_clients)
        _finish_round(server, clients, total, options.eta, transcript)
        history.append(clients[0].weights)
        if on_round is not None and on_round(number) is False:
            break
    return ProtocolResult(
        mse=_test_errors(clients, X_test, y_test),
        weights=np.array([client.weights for client in clients]),
        history=np.array(history),
        n_iter=len(history),
        seconds=_total_seconds(server.clock, *(client.clock for client in clients)),
        ciphertexts_per_hop=total.n_ciphertexts,
        bytes_per_hop=total.nbytes,
        transcript=tuple(transcript.messages),
    )


def _modulus_bytes(key: EncryptionKey) -> bytes:
    return key.n.to_bytes((key.key_length + 7) // 8, "big")


def _surviving_sum(
    server: Server,
    clients: list[Client],
    number: int,
    transcript: _Transcript,
    max_restarts: int,
    unsafe_drop_clients: bool,
) -> tuple[EncryptedVector, list[Client]]:
    """The sum of a round, and who is in it: each try starts with fresh encryptions, and none is decrypted here."""
    tries = 0
    while True:
        try:
            return ring_pass(clients, server.name, number, transcript.add), clients
        except ClientLostError as error:
            tries += 1
            if tries <= max_restarts:
                continue
            if not unsafe_drop_clients:
                raise
            clients = [client for client in clients if client.name != error.client]
            server.change_members([client.name for client in clients])
            tries = 0


def _finish_round(
    server: Server, clients: Sequence[Client], total: EncryptedVector, eta: float, transcript: _Transcript
) -> None:
    number = clients[0].round
    with _hop(number, clients[-1].name, server.name):
        mean = server.decrypt_aggregate(total, len(clients))
    for client in clients:
        transcript.add(number, server.name, client.name, "mean-gradient", lambda: mean.astype("<f8").tobytes())
        client.gradient_step(mean, eta)


def local_learning(
    X: Sequence[npt.ArrayLike],
    y: Sequence[npt.ArrayLike],
    X_test: npt.ArrayLike,
    y_test: npt.ArrayLike,
    config: Mapping[str, Any] | None = None,
    *,
    names: Sequence[str] | None = None,
) -> ProtocolResult:
    """Train each client alone on its own data, for comparison; nothing is encrypted or sent.

    Parameters
    ----------
    X, y, X_test, y_test, config, names
        As for `federated_learning`.

    Returns
    -------
    ProtocolResult
        With one model for each client.
    """
    options = ProtocolConfig.from_mapping(config)
    names = _check_data(X, y, X_test, y_test, options, names)
    clients = _make_clients(names, X, y)
    for client in clients:
        client.fit(options.n_iter, options.eta)
    return ProtocolResult(
        mse=_test_errors(clients, X_test, y_test),
        weights=np.array([client.weights for client in clients]),
        history=np.empty((0, len(clients[0].weights))),
        n_iter=options.n_iter,
        seconds=_total_seconds(*(client.clock for client in clients)),
    )
