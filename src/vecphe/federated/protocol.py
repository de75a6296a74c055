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
from vecphe.federated.backends import PackedBackend, backend_named
from vecphe.federated.checks import check_bool, check_positive, checked_int
from vecphe.federated.clock import PHASES, PhaseClock
from vecphe.federated.descent import Stopping, check_descent
from vecphe.federated.interface import Backend, EncryptionKey
from vecphe.federated.models import GradientModel, LinearRegression, Rows
from vecphe.federated.parties import Client, Party, Server
from vecphe.federated.ring import Record, ring_pass, run_rounds
from vecphe.federated.rounds import check_client_count, checked_names
from vecphe.federated.scaling import ColumnTotals, LinearForm, Scaling, check_columns
from vecphe.numbers.key_numbers import DEFAULT_KEY_LENGTH
from vecphe.plaintext.encoding import FixedPoint, Floats
from vecphe.system.parallel import effective_jobs
from vecphe.system.plurals import counted

__all__ = [
    "Message",
    "ProtocolConfig",
    "ProtocolResult",
    "federated_learning",
    "local_learning",
    "ring_pass",
    "run_rounds",
]

SCALES = ("none", "federated")


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
        Workers for encryption and decryption, as joblib counts them: clients work side by side where the engine takes
        threads. The naive backend always has one.
    record_transcript : bool
        Keep every message, with its payload.
    max_restarts : int
        How often a round is started anew, with fresh encryptions and the same members, when a client is lost.
    engine : str or None
        Name of the engine that computes; see `PublicKey`. A backend that is no name has its own.
    scale : {"none", "federated"}
        With "federated" a round before the first adds up count, sum and sum of squares of each column, encrypted, and
        all clients scale by the same mean and deviation; a column of ones is appended for the intercept, and gradients
        count by rows, so that the model is that of the pooled rows. With "none" columns stay as they are, and every
        client counts the same.
    l2 : float
        Penalty: ``l2 / 2`` times the sum of the squared weights of standardised columns, the intercept apart, is added
        to the loss. With ``scale="none"`` the weights are those of the columns as they are.
    fit_intercept : bool
        Append a column of ones with ``scale="none"`` too.
    tol : float or None
        Clients send their loss too, encrypted, and the run ends after 5 rounds without one whose mean loss is
        lower by `tol` than the best before. None: all rounds are run, and no loss is sent. Who trains alone stops by
        the same rule, applied to the own loss.
    missing : {"error", "mean"}
        With "mean" NaN in X stands for a missing value, and the mean of all clients, of the round of the scaling, is
        filled in: how many values a column has is sent too, encrypted.
    encoding : FixedPoint or None
        How numbers become integers; None is the backend's default. A backend that is no name has its own.
    max_abs, max_terms : number or None
        Largest magnitude, and how many vectors may be summed, in place of those of the encoding.

    Examples
    --------
    >>> from vecphe.federated import ProtocolConfig
    >>> ProtocolConfig(n_iter=10).key_length
    3072
    >>> ProtocolConfig(n_iter=0)
    Traceback (most recent call last):
        ...
    ValueError: n_iter must be positive, not 0
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
    scale: str = "none"
    l2: float = 0.0
    fit_intercept: bool = False
    tol: float | None = None
    missing: str = "error"
    encoding: FixedPoint | None = None
    max_abs: float | None = None
    max_terms: int | None = None

    def __post_init__(self) -> None:
        for name, least in {"n_clients": 1, "key_length": 1, "n_iter": 1, "max_restarts": 0}.items():
            object.__setattr__(self, name, checked_int(name, getattr(self, name), least))
        for name in ("insecure", "record_transcript", "fit_intercept"):
            check_bool(name, getattr(self, name))
        check_positive("eta", self.eta)
        check_positive("l2", self.l2, or_zero=True)
        if self.tol is not None:
            check_positive("tol", self.tol, or_zero=True)
        if self.scale not in SCALES:
            raise ValueError(f"scale must be {' or '.join(map(repr, SCALES))}, not {self.scale!r}")
        if self.missing not in ("error", "mean"):
            raise ValueError(f"missing must be 'error' or 'mean', not {self.missing!r}")
        if self.missing == "mean" and self.scale != "federated":
            raise ValueError("missing='mean' fills in the means that scale='federated' finds; set both")
        effective_jobs(self.n_jobs)  # raises for what joblib does not take
        engine_for(1, self.engine)  # raises for one that does not run

    def named_backend(self) -> Backend:
        """The backend, with room for the sums of all clients.

        Raises
        ------
        TypeError, ValueError
            If there is none such, or it has no room.
        """
        given = {name: getattr(self, name) for name in ("encoding", "max_abs", "max_terms")}
        backend = backend_named(self.backend, self.n_clients, self.n_jobs, self.engine, **given)
        if isinstance(backend, PackedBackend) and backend.encoding.max_terms < self.n_clients:
            enough = f"max_terms={self.n_clients}"
            raise ValueError(
                f"max_terms={backend.encoding.max_terms} has no room for {counted(self.n_clients, 'client')}: "
                + (f"make the backend with {enough} or more" if backend is self.backend else enough)
            )
        return backend

    @property
    def slower(self) -> str:
        """What to change in a run that diverges, for errors."""
        return "lower eta" if self.scale != "none" else "lower eta, or take scale='federated'"

    @property
    def has_intercept(self) -> bool:
        """Whether a column of ones follows the columns of the data."""
        return self.fit_intercept or self.scale != "none"

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
    kind : {"public-key", "encrypted-sum", "column-totals", "mean-gradient"}
    payload : bytes
        What there is to learn from it: big-endian modulus, concatenated little-endian ciphertexts, or little-endian
        float64: of a round of scaling the totals of the columns over all clients, divided by the number of clients,
        digit by digit; else the mean gradient, followed by the mean loss where that is sent.

    Examples
    --------
    >>> from vecphe.federated import Message
    >>> Message(1, "Server", "A", "mean-gradient", bytes(88)).nbytes
    88
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
        Mean square error of each client's model on the test rows, in the units of the targets.
    weights : ndarray
        Shape (clients, features): for the columns as they were scaled, that of the intercept last.
    history : ndarray
        Shape (rounds, features): the shared model after every round; for local learning (rounds, clients, features),
        where the last weights of a client that stopped before others are repeated.
    n_iter : int
        Rounds that were run, that of the scaling apart; for local learning those of the client that took most.
    seconds : dict of str to float
        Wall-clock time by phase: keygen, setup, gradient, randomizers, encrypt, add, decrypt, step; all parties
        together. The phase randomizers is what a party can do while it waits for others.
    ciphertexts_per_hop, bytes_per_hop : int
        What one client sends to the next in a round.
    transcript : tuple of Message
        Every message, if the run was to record them.
    scalings : tuple of Scaling
        What each client scaled its rows by: in a federated run all by the same.
    losses : tuple of float
        Mean loss of all clients before the step of each round, if `tol` was set.

    Examples
    --------
    >>> import warnings
    >>> from vecphe.federated import federated_learning, get_data
    >>> config = {"key_length": 1024, "insecure": True, "n_iter": 50}
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # short keys, for an example
    ...     result = federated_learning(*get_data(5), config)
    >>> result.n_iter, result.weights.shape, result.ciphertexts_per_hop
    (50, (5, 11), 1)
    """

    mse: list[float]
    weights: Floats
    history: Floats
    n_iter: int
    seconds: dict[str, float]
    ciphertexts_per_hop: int = 0
    bytes_per_hop: int = 0
    transcript: tuple[Message, ...] = ()
    scalings: tuple[Scaling, ...] = ()
    losses: tuple[float, ...] = ()

    def linear(self, client: int = 0) -> LinearForm:
        """The model of a client in the units of the data."""
        return self.scalings[client].linear(self.weights[client])

    @property
    def seconds_per_round(self) -> float:
        """Time of one round, without the phases keygen and setup."""
        once = self.seconds["keygen"] + self.seconds["setup"]
        return (sum(self.seconds.values()) - once) / self.n_iter

    @property
    def online_seconds_per_round(self) -> float:
        """The same without the randomizers that were made ahead of their rounds."""
        return self.seconds_per_round - self.seconds["randomizers"] / self.n_iter


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
        cls,
        X: Sequence[Any],
        y: Sequence[Any],
        X_test: Any,
        y_test: Any,
        options: ProtocolConfig,
        names: Sequence[str] | None,
    ) -> _Data:
        """Raise for everything that can be wrong with the data."""
        if not len(X) == len(y) == options.n_clients:
            raise ValueError(f"n_clients is {options.n_clients}, but there are {len(X)} blocks X and {len(y)} blocks y")
        own = zip(_names(len(X), names), X, y, strict=True)
        how: dict[str, Any] = {"intercept": options.has_intercept, "missing": options.missing == "mean"}
        shards = {name: Rows.checked(name, X_own, y_own, **how) for name, X_own, y_own in own}
        test = Rows.checked("the test data", X_test, y_test, "_test", **how)
        (first, rows), *others = [*shards.items(), ("X_test", test)]
        for name, other in others:
            if other.n_features != rows.n_features:
                features = counted(other.n_features, "feature")
                raise ValueError(f"{name} has {features}, but {first} has {rows.n_features}")
        return cls(shards, test)

    def clients(
        self,
        model: Callable[[Rows, float], GradientModel],
        options: ProtocolConfig,
        pubkey: EncryptionKey | None = None,
    ) -> list[Client]:
        """One for each shard, with rows and targets as they came."""
        sends_loss = options.tol is not None
        clients = [
            Client.of_rows(name, rows, pubkey, model=model, eta=options.eta, sends_loss=sends_loss)
            for name, rows in self.shards.items()
        ]
        for client in clients:
            client.slower = options.slower
        return clients


def _columns(model: GradientModel) -> tuple[Floats, Floats | None]:
    """What of a model's rows is to be scaled; the column of ones is not."""
    return model.X[:, :-1], model.y if model.scales_target else None


def _unscaled(client: Client, options: ProtocolConfig) -> Scaling:
    return Scaling.none(client.X.shape[1] - options.has_intercept, options.has_intercept)


def _rescale(client: Client, scaling: Scaling, options: ProtocolConfig, n_clients: int) -> None:
    """Let a client learn from its rows as they are scaled, in place."""
    model = client.model
    scaling.apply(model.X, model.y if model.scales_target else None)
    model.penalties = scaling.penalties(options.l2, model.weights.ndim) if options.l2 else 0.0
    if scaling.rows is not None:
        model.share = len(model.X) * n_clients / scaling.rows


def _federated_scaling(
    server: Server, clients: list[Client], options: ProtocolConfig, unsafe_drop_clients: bool, record: Record
) -> tuple[list[Client], Scaling]:
    """The round of the scaling: who is left after it, and what all scale by."""
    if options.scale == "none":
        return clients, _unscaled(clients[0], options)
    grid, missing = server.pubkey.exact_integers, options.missing == "mean"
    models = [ColumnTotals(*_columns(client.model), len(clients), grid, missing) for client in clients]
    parties = [Party(client.name, model, server.pubkey) for client, model in zip(clients, models, strict=True)]
    decrypted = server.clock.seconds["decrypt"]
    with server.clock.measure("setup"):
        server.pubkey.prepare(len(parties), models[0].size)
        (done,) = run_rounds(
            server,
            parties,
            1,
            max_restarts=options.max_restarts,
            unsafe_drop_clients=unsafe_drop_clients,
            record=record,
            broadcast="column-totals",
            n_jobs=options.n_jobs,
        )
    server.clock.seconds["decrypt"] = decrypted  # it is in the set-up
    left = [party.name for party in done.parties]
    clients = [client for client in clients if client.name in left]
    for client in clients:
        client.round = done.parties[0].round
    return clients, done.parties[0].weights


def _test_errors(clients: Sequence[Client], test: Rows, scalings: Sequence[Scaling]) -> list[float]:
    """In the units of the targets; the test rows are scaled once for all that scale the same way."""
    errors, last, rows = [], None, test
    with np.errstate(over="ignore", invalid="ignore"):
        for client, scaling in zip(clients, scalings, strict=True):
            if scaling is not last and scaling.fitted:
                rows = Rows(test.X.copy(), test.y.copy())
                scaling.apply(*((rows.X, rows.y) if client.model.scales_target else (rows.X,)))
            last = scaling
            errors.append(float(client.model.error(rows)) * scaling.target_deviation**2)
    for client, error in zip(clients, errors, strict=True):
        if not math.isfinite(error):
            raise ProtocolError(
                f"{client.name}: its error on the test rows is not finite, the run diverged; {client.slower}"
            )
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

    Examples
    --------
    >>> import warnings
    >>> from vecphe.federated import federated_learning, get_data
    >>> config = {"key_length": 1024, "insecure": True, "n_iter": 50}
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # short keys, for an example
    ...     result = federated_learning(*get_data(5), config)
    >>> [round(error, 2) for error in result.mse]
    [3775.5, 3775.5, 3775.5, 3775.5, 3775.5]
    """
    options = ProtocolConfig.from_mapping(config)
    if on_round is not None and not callable(on_round):
        raise TypeError(f"on_round must be callable, not {type(on_round).__name__}")
    check_client_count(options.n_clients, unsafe_few_clients)
    data = _Data.checked(X, y, X_test, y_test, options, names)
    _check_scalable(data, model, options)
    backend = options.named_backend()
    server = Server(options.key_length, options.insecure, backend, unsafe_few_clients=unsafe_few_clients)
    clients = data.clients(model, options, server.pubkey)
    with server.clock.measure("setup"):
        server.pubkey.prepare(len(clients) * options.n_iter, clients[0].weights.size + (options.tol is not None))
    transcript = _Transcript(options.record_transcript)
    for client in clients:
        transcript.add(0, server.name, client.name, "public-key", lambda: _modulus_bytes(server.pubkey))
    clients, scaling = _federated_scaling(server, clients, options, unsafe_drop_clients, transcript.add)
    for client in clients:
        _rescale(client, scaling, options, len(clients))
    history, stopping = [], Stopping(options.tol, options.slower)
    for done in run_rounds(
        server,
        clients,
        options.n_iter,
        max_restarts=options.max_restarts,
        unsafe_drop_clients=unsafe_drop_clients,
        record=transcript.add,
        n_jobs=options.n_jobs,
    ):
        clients = [client for client in clients if client in done.parties]
        history.append(clients[0].weights)
        # None goes on; numpy's False ends it as Python's does.
        if (on_round is not None and on_round(len(history)) in (False,)) | stopping.is_over(done.mean):
            break
    check_descent([client.model for client in clients], history, options.slower)
    scalings = (scaling,) * len(clients)
    return ProtocolResult(
        mse=_test_errors(clients, data.test, scalings),
        weights=np.array([client.weights for client in clients]),
        history=np.array(history),
        n_iter=len(history),
        seconds=_total_seconds(server.clock, *(client.clock for client in clients)),
        ciphertexts_per_hop=done.total.n_ciphertexts,
        bytes_per_hop=done.total.nbytes,
        transcript=tuple(transcript.messages),
        scalings=scalings,
        losses=tuple(stopping.losses),
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

    Raises
    ------
    TypeError, ValueError
        If the data or the options are wrong.
    ProtocolError
        If a client's training diverges, or one of its columns has no value at all; it names the client.

    Examples
    --------
    >>> from vecphe.federated import get_data, local_learning
    >>> [round(error) for error in local_learning(*get_data(5), {"n_iter": 50}).mse]
    [3810, 3983, 3569, 4144, 3848]
    """
    options = ProtocolConfig.from_mapping(config)
    data = _Data.checked(X, y, X_test, y_test, options, names)
    _check_scalable(data, model, options)
    clients, scalings, histories = data.clients(model, options), [], []
    for client in clients:
        fitted = options.scale != "none"
        scalings.append(_own_scaling(client) if fitted else _unscaled(client, options))
        _rescale(client, scalings[-1], options, 1)
        histories.append(_fitted_history(client, options))
    n_iter = max(map(len, histories))
    return ProtocolResult(
        mse=_test_errors(clients, data.test, scalings),
        weights=np.array([client.weights for client in clients]),
        history=np.stack([np.concatenate([own, own[-1:].repeat(n_iter - len(own), 0)]) for own in histories], axis=1),
        n_iter=n_iter,
        seconds=_total_seconds(*(client.clock for client in clients)),
        scalings=tuple(scalings),
    )


def _own_scaling(client: Client) -> Scaling:
    """Fitted on the rows of one client."""
    try:
        return Scaling.of(*_columns(client.model))
    except ProtocolError as error:
        raise ProtocolError(f"{client.name}: {error}") from None


def _fitted_history(client: Client, options: ProtocolConfig) -> Floats:
    """Weights after each step on the own data alone: each update is its own mean."""
    history: list[Floats] = []
    stopping = Stopping(options.tol, options.slower)
    while len(history) < options.n_iter:
        update = client._flat_update()
        client.receive(update)
        history.append(client.weights)
        with client._named():
            if stopping.is_over(update):
                break
    return np.array(history)


def _check_scalable(data: _Data, model: Callable[[Rows, float], GradientModel], options: ProtocolConfig) -> None:
    """Raise for columns that the round of the scaling would not take."""
    if options.scale == "none":
        return
    for name, rows in data.shards.items():
        check_columns(name, *_columns(model(rows, options.eta)))
