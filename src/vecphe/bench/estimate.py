"""Time, traffic and memory of a round before it is tried, from a short calibration on this machine.

The model, with c ciphertexts a vector, k clients and w cores::

    set-up    = key pair + tables                       once a key, for k*c encryptions
    encrypt   = call + c * (serial_e + parallel_e / w)  encoding is serial, randomizers and products are not
    add       = call + c * add_1
    decrypt   = call + c * (serial_d + parallel_d / w)
    round     = k * encrypt + (k - 1) * add + decrypt   all parties on this machine, one after the other
    hop       = c * (load and check + add + store) + bytes / bandwidth
    latency   = encrypt + k * hop + decrypt             each party on a machine like this, encrypting beforehand
    bytes     = c * 2|n|/8 a hop, k hops; and 8 bytes a value to each client for the mean

Every cost per ciphertext is measured here, on batches large enough that what a call costs once vanishes, and the table
is the one that the round would use. Rounds that are about to be measured may be small: their estimates are rough, and
take calls into account. Scaling to more cores takes workers to be independent, which threads of the native
kernel are until memory is the limit.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import ciphertext_bytes, engine_for, random_words
from vecphe.array import EncryptedArray
from vecphe.bench.matrix import check_range
from vecphe.bench.records import BACKENDS
from vecphe.bench.sides import Side
from vecphe.bench.workloads import gradients, short_keys
from vecphe.bench.workloads import values as example_values
from vecphe.errors import VecpheError
from vecphe.federated import local_learning
from vecphe.keys import PrivateKey, PublicKey, generate_keypair
from vecphe.numbers.key_numbers import check_key_length
from vecphe.plaintext.encoding import UNPACKED, FixedPoint
from vecphe.plaintext.packing import SlotLayout
from vecphe.system.plurals import counted

__all__ = ["Costs", "Estimate", "Plan", "calibrate", "estimate", "learning_seconds", "rough_seconds", "side_costs"]

_MOST = {"clients": 10**6, "values": 10**12, "cores": 4096}
_BANDWIDTH = (1e-3, 1e6)  # Mbit/s
_SAMPLE_SECONDS = 0.2  # of encryption in the calibration
_FEWEST, _MOST_SAMPLED = 16, 1024  # ciphertexts
_MOST_DECRYPTED = 64  # ciphertexts
_REPEATS = 5
_SLOW_ROUND = 0.005  # seconds of three clients with a value each
_SHORT_KEY = 1024  # bits, for rough estimates: quickly made, and times grow from there
_GROWTH = 2.6  # like the length of a key to this power
_ROWS_TRIED, _ROUNDS_TRIED = 40_000, 4  # of learning in the clear
_VECTORS_HELD = 3  # the sum, the own vector, and their sum
_T = TypeVar("_T")


@dataclass(frozen=True)
class Plan:
    """What to estimate."""

    clients: int
    values: int
    key_length: int
    cores: int = 1  # workers for encryption and decryption
    packed: bool = True
    bandwidth: float = 1000.0  # of a link, in Mbit/s
    engine: str | None = None  # None is the active one

    def check(self) -> None:
        """Raise InvalidKeyError or ValueError, named after the option of the command line, for what makes no sense."""
        with short_keys():
            check_key_length(self.key_length, insecure=True)
        for option, most in _MOST.items():
            check_range(option, most, getattr(self, option))
        low, high = _BANDWIDTH
        if not low <= self.bandwidth <= high:
            raise ValueError(f"--bandwidth must be from {low:g} to {high:.0f} Mbit/s, not {self.bandwidth:g}")

    @property
    def encoding(self) -> FixedPoint:
        """That of the protocol's backends."""
        return FixedPoint(max_terms=self.clients) if self.packed else UNPACKED

    @property
    def slots(self) -> int:
        """Values a ciphertext."""
        return SlotLayout.for_key(self.encoding, self.key_length).slots if self.packed else 1

    @property
    def ciphertexts(self) -> int:
        """Ciphertexts a vector."""
        return -(-self.values // self.slots)


@dataclass(frozen=True)
class Costs:
    """What was measured on an engine."""

    engine: str
    # Seconds once a key; of its primes by a factor of two, since they are found by chance.
    key_seconds: float = 0.0
    table_seconds: float = 0.0
    table_bytes: int = 0
    # Seconds and bytes a ciphertext.
    encode: float = 0.0
    randomize: float = 0.0
    add: float = 0.0
    decrypt: float = 0.0
    decode: float = 0.0
    load: float = 0.0
    store: float = 0.0
    resident_bytes: float = 0.0
    # Seconds a call, whatever its batch.
    encrypt_call: float = 0.0
    add_call: float = 0.0
    decrypt_call: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """Predictions: seconds, bytes."""

    plan: Plan
    costs: Costs
    ciphertexts: int  # a vector
    setup: float
    encrypt: float  # of one vector, as the next two
    add: float
    decrypt: float
    round: float  # all parties on this machine, without set-up
    hop: float  # from one client's machine to the next, transfer and check included
    latency: float  # of a round with every party on a machine of its own
    bytes_per_hop: int
    bytes_total: int
    memory: int  # of one client: tables, plaintexts and three encrypted vectors


def estimate(plan: Plan, costs: Costs) -> Estimate:
    """The model, from measured costs."""
    c, k = plan.ciphertexts, plan.clients
    encrypt = costs.encrypt_call + c * (costs.encode + costs.randomize / plan.cores)
    decrypt = costs.decrypt_call + c * (costs.decode + costs.decrypt / plan.cores)
    add = costs.add_call + c * costs.add
    bytes_per_hop = c * ciphertext_bytes(plan.key_length)
    hop = c * (costs.load + costs.add + costs.store) + bytes_per_hop * 8 / (plan.bandwidth * 1e6)
    return Estimate(
        plan=plan,
        costs=costs,
        ciphertexts=c,
        setup=costs.key_seconds + costs.table_seconds,
        encrypt=encrypt,
        add=add,
        decrypt=decrypt,
        round=k * encrypt + (k - 1) * add + decrypt,
        hop=hop,
        latency=encrypt + k * hop + decrypt,
        bytes_per_hop=bytes_per_hop,
        bytes_total=k * (bytes_per_hop + 8 * plan.values),
        memory=round(costs.table_bytes + _VECTORS_HELD * (c * costs.resident_bytes + 8 * plan.values)),
    )


def calibrate(plan: Plan, say: Callable[[str], None] = lambda _: None) -> Costs:
    """Measure the costs of a plan on one core of this machine: some seconds, with the longest keys some minutes.

    Raises
    ------
    InvalidKeyError, ValueError
        If the plan makes no sense; LayoutMismatchError if no value fits a plaintext of that key.
    EngineUnavailableError
        If there is no such engine, it does not run here, or the key is too long for it.
    """
    plan.check()
    _ = plan.slots  # raises where no value fits
    engine_for(1 << (plan.key_length - 1), plan.engine)  # raises for one that does not run
    say(f"making a key pair of {plan.key_length} bits: how long that takes is chance")
    with short_keys():
        key_seconds, keys = _timed(lambda: generate_keypair(plan.key_length, insecure=True, engine=plan.engine))
    say(f"making tables (the key pair took {key_seconds:.3g} s)")
    table_seconds, _ = _timed(lambda: keys[0].prepare(plan.clients * plan.ciphertexts))
    within = int(_FEWEST * _SAMPLE_SECONDS / _seconds(partial(keys[0]._source.draw, _FEWEST), 3))
    count = min(max(within, _FEWEST), _MOST_SAMPLED, plan.ciphertexts)
    say(f"timing {counted(count, 'ciphertext')} (the tables took {table_seconds:.3g} s)")
    return replace(_costs(plan, *keys, count), key_seconds=key_seconds, table_seconds=table_seconds)


def side_costs(side: Side) -> Costs:
    """Costs of a backend with the keys and tables that it has, from two small rounds: good to about a factor of two."""
    clients = 3  # the fewest that the protocol takes
    is_loop = side.name not in BACKENDS[1:]  # it costs nothing a call
    few = 2 if is_loop else 1
    if not is_loop:
        side.run(gradients(clients, few))  # what is done once is done
    first = side.run(gradients(clients, few))
    is_slow = side.name == "vectorized" and first.seconds["round"] > _SLOW_ROUND
    second = side.run(gradients(clients, few if is_loop else 16 if is_slow else 96))
    low, high = first.total.n_ciphertexts, second.total.n_ciphertexts
    each: dict[str, float] = {}
    calls: dict[str, Any] = {}
    for phase, times in (("encrypt", clients), ("add", clients - 1), ("decrypt", 1)):
        short, long = first.seconds[phase] / times, second.seconds[phase] / times
        is_line = high > low
        each[phase] = max((long - short) / (high - low), 0.0) if is_line else long / high
        calls[f"{phase}_call"] = max(short - low * each[phase], 0.0) if is_line else 0.0
    randomize, add, decrypt = each.values()
    return Costs(side.name, key_seconds=side.setup, randomize=randomize, add=add, decrypt=decrypt, **calls)


def rough_seconds(backend: str, plan: Plan, rounds: int) -> tuple[float, float]:
    """Seconds of the set-up for so many rounds and of one round, from shorter keys where the plan's would take long."""
    short = replace(plan, key_length=min(plan.key_length, _SHORT_KEY))
    side = Side(backend, short.key_length, plan.clients, engine=plan.engine)
    side.prepare(rounds * plan.clients, plan.values)
    found, growth = estimate(plan, side_costs(side)), (plan.key_length / short.key_length) ** _GROWTH
    return found.setup * growth, found.round * growth


def learning_seconds(
    X: npt.NDArray[np.float64], y: npt.NDArray[Any], config: Mapping[str, Any], model: Callable[..., Any]
) -> tuple[float, float]:
    """Seconds a row of learning in the clear, once (for the scaling) and each round, from short runs on some rows.

    0 where the rows cannot be learned from; the run itself says why.
    """
    some = slice(0, _ROWS_TRIED)
    X = X[some].copy()
    X[0] = np.nan_to_num(X[0])  # so that every column has a value, in the shortest run too

    def learn(rounds: int, rows: slice = some) -> None:
        options = {**config, "n_clients": 1, "n_iter": rounds, "tol": None}
        local_learning([X[rows]], [y[rows]], X[:1], y[:1], options, names=["a sample"], model=model)

    try:
        learn(1, slice(0, 2))  # what is done once is done
        learn(1)
    except (VecpheError, ValueError):
        return 0.0, 0.0
    first, more = (_seconds(partial(learn, rounds), 3) for rounds in (1, 1 + _ROUNDS_TRIED))
    each, count = max(more - first, 0.0) / _ROUNDS_TRIED, len(X[some])
    return max(first - each, 0.0) / count, each / count


def _costs(plan: Plan, public_key: PublicKey, private_key: PrivateKey, count: int) -> Costs:
    """What such a key costs, on so many ciphertexts; its keys and tables apart."""
    source, ring, decryptor = public_key._source, public_key._context.ring, private_key._decryptor
    numbers = example_values(min(count * plan.slots, plan.values))
    fewer = numbers[: min(count, _MOST_DECRYPTED) * plan.slots]
    array, few = (public_key.encrypt(x, packed=plan.packed, encoding=plan.encoding) for x in (numbers, fewer))
    residues, bias = array.residues, few.format.bias
    words = random_words(array.n_ciphertexts, plan.key_length - 1)
    data = ring.store_bytes(residues)
    decrypted = decryptor.decrypt(ring, few.residues, bias)
    works: dict[str, tuple[EncryptedArray, Callable[[], object]]] = {
        "encode": (array, lambda: array.format.plaintexts(plan.encoding.encode(numbers))),
        "randomize": (array, lambda: source.encrypt(words, 0)),
        "add": (array, lambda: ring.multiply(residues, residues)),
        "load": (array, lambda: ring.all_units(ring.load_bytes(data))),
        "store": (array, lambda: ring.store_bytes(residues)),
        "decrypt": (few, lambda: decryptor.decrypt(ring, few.residues, bias)),
        "decode": (few, lambda: few.format.values(decrypted, few.shape)),
    }
    seconds: dict[str, Any] = {name: _seconds(work) / of.n_ciphertexts for name, (of, work) in works.items()}
    return Costs(
        public_key._context.engine.name,
        table_bytes=public_key.table_bytes,
        resident_bytes=ring.resident_bytes(residues) / array.n_ciphertexts,
        **seconds,
    )


def _timed(work: Callable[[], _T]) -> tuple[float, _T]:
    """Seconds of a call, and what it returns."""
    started = perf_counter()
    result = work()
    return perf_counter() - started, result


def _seconds(work: Callable[[], object], repeats: int = _REPEATS) -> float:
    """Median of some runs."""
    return statistics.median(_timed(work)[0] for _ in range(repeats))
