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
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

from vecphe.arithmetic import ciphertext_bytes, engine_for, random_words
from vecphe.bench.sides import Round, Side
from vecphe.bench.workloads import gradients
from vecphe.bench.workloads import values as example_values
from vecphe.errors import InsecureKeyWarning
from vecphe.keys import PrivateKey, PublicKey, generate_keypair
from vecphe.numbers.key_numbers import check_key_length
from vecphe.plaintext.encoding import UNPACKED, FixedPoint
from vecphe.plaintext.packing import SlotLayout

__all__ = ["Costs", "Estimate", "Plan", "calibrate", "estimate", "rough_seconds", "side_costs"]

_MOST_CLIENTS = 10**6
_MOST_VALUES = 10**12
_MOST_CORES = 4096
_BANDWIDTH = (1e-3, 1e6)  # Mbit/s
_SAMPLE_SECONDS = 0.2  # of encryption in the calibration
_FEWEST, _MOST_SAMPLED = 16, 1024  # ciphertexts
_MOST_DECRYPTED = 64  # ciphertexts
_REPEATS = 5
_SHORT_KEY = 1024  # bits, for rough estimates: quickly made, and times grow from there
_GROWTH = 2.6  # like the length of a key to this power
_VECTORS_HELD = 3  # the sum, the own vector, and their sum


@dataclass(frozen=True)
class Plan:
    """What to estimate.

    Attributes
    ----------
    clients, values, key_length : int
    cores : int
        Workers for encryption and decryption.
    packed : bool
    bandwidth : float
        Of a link, in Mbit/s.
    """

    clients: int
    values: int
    key_length: int
    cores: int = 1
    packed: bool = True
    bandwidth: float = 1000.0

    def check(self) -> None:
        """Raise InvalidKeyError or ValueError, named after the option of the command line, for what makes no sense."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureKeyWarning)
            check_key_length(self.key_length, insecure=True)
        for option, most in (("clients", _MOST_CLIENTS), ("values", _MOST_VALUES), ("cores", _MOST_CORES)):
            number = getattr(self, option)
            if not 1 <= number <= most:
                raise ValueError(f"--{option} must be from 1 to {most}, not {number}")
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
    """What was measured: seconds once, and seconds and bytes a ciphertext.

    Attributes
    ----------
    engine : str
    key_seconds, table_seconds : float
        The first varies by a factor of two: primes are found by chance.
    table_bytes : int
    encode, randomize, add, decrypt, decode, load, store : float
    resident_bytes : float
    encrypt_call, add_call, decrypt_call : float
        Seconds a call, whatever its batch.
    """

    engine: str
    key_seconds: float
    table_seconds: float
    table_bytes: int
    encode: float
    randomize: float
    add: float
    decrypt: float
    decode: float
    load: float
    store: float
    resident_bytes: float
    encrypt_call: float = 0.0
    add_call: float = 0.0
    decrypt_call: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """Predictions: seconds, bytes.

    Attributes
    ----------
    plan : Plan
    costs : Costs
    ciphertexts : int
        A vector.
    setup : float
    encrypt, add, decrypt : float
        Of one vector.
    round : float
        All parties on this machine, without set-up.
    hop : float
        From one client's machine to the next, transfer and check included.
    latency : float
        Of a round with every party on a machine of its own.
    bytes_per_hop, bytes_total : int
    memory : int
        Of one client: tables, plaintexts and three encrypted vectors.
    """

    plan: Plan
    costs: Costs
    ciphertexts: int
    setup: float
    encrypt: float
    add: float
    decrypt: float
    round: float
    hop: float
    latency: float
    bytes_per_hop: int
    bytes_total: int
    memory: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


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

    Parameters
    ----------
    plan : Plan
    say : callable
        Told what is going on.

    Raises
    ------
    InvalidKeyError, ValueError
        If the plan makes no sense.
    LayoutMismatchError
        If no value fits a plaintext of that key.
    """
    plan.check()
    _ = plan.slots  # raises where no value fits
    say(f"making a key pair of {plan.key_length} bits: how long that takes is chance")
    started = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        public_key, private_key = generate_keypair(plan.key_length, insecure=True)
    key_seconds = perf_counter() - started
    say(f"making tables (the key pair took {key_seconds:.3g} s)")
    started = perf_counter()
    public_key.prepare(plan.clients * plan.ciphertexts)
    table_seconds = perf_counter() - started
    count = _sample_size(public_key, plan)
    say(f"timing {count} ciphertexts (the tables took {table_seconds:.3g} s)")
    costs = _costs(plan, public_key, private_key, count)
    return replace(costs, key_seconds=key_seconds, table_seconds=table_seconds)


def side_costs(side: Side) -> Costs:
    """Costs of a backend with the keys and tables that it has, from two small rounds: good to about a factor of two."""
    naive, clients = side.name == "naive", 3  # the fewest that the protocol takes
    few, many = (1, 2) if naive else (1, 96)
    if not naive:
        side.run(gradients(clients, many))  # what is done once is done
    (low, first), (high, second) = ((r.total.n_ciphertexts, r.seconds) for r in (_small(side, n) for n in (few, many)))
    calls: dict[str, Any] = {}
    each: dict[str, Any] = {}
    for phase, times in (("encrypt", clients), ("add", clients - 1), ("decrypt", 1)):
        slope = (second[phase] - first[phase]) / (high - low) if high > low else second[phase] / high
        each[phase] = max(slope, 0.0) / times
        calls[f"{phase}_call"] = max(first[phase] / times - low * each[phase], 0.0)
    return replace(_NOTHING, engine=side.name, key_seconds=side.setup, randomize=each.pop("encrypt"), **each, **calls)


def _small(side: Side, values: int) -> Round:
    return side.run(gradients(3, values))


def rough_seconds(backend: str, plan: Plan, rounds: int) -> tuple[float, float]:
    """Seconds of the set-up for so many rounds and of one round, from shorter keys where the plan's would take long.

    Raises
    ------
    LayoutMismatchError
        If no value fits a plaintext of that key.
    """
    short = replace(plan, key_length=min(plan.key_length, _SHORT_KEY))
    side = Side(backend, short.key_length, plan.clients)
    side.prepare(rounds * plan.clients, plan.values)
    costs = side_costs(side)
    found, growth = estimate(plan, costs), (plan.key_length / short.key_length) ** _GROWTH
    return found.setup * growth, found.round * growth


def _sample_size(public_key: PublicKey, plan: Plan) -> int:
    """Ciphertexts that take about a fifth of a second to encrypt."""
    public_key._source.draw(_FEWEST)
    once = _seconds(lambda: public_key._source.draw(_FEWEST), 3)
    return min(max(int(_FEWEST * _SAMPLE_SECONDS / once), _FEWEST), _MOST_SAMPLED, plan.ciphertexts)


_NOTHING = Costs("", 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def _costs(plan: Plan, public_key: PublicKey, private_key: PrivateKey, count: int) -> Costs:
    """What such a key costs, on so many ciphertexts; its keys and tables apart."""
    numbers = example_values(min(count * plan.slots, plan.values))
    source, ring = public_key._source, public_key._context.ring
    array = public_key.encrypt(numbers, packed=plan.packed, encoding=plan.encoding)
    count, residues = array.n_ciphertexts, array.residues
    words = random_words(count, plan.key_length - 1)
    data = ring.store_bytes(residues)
    fewer = numbers[: min(count, _MOST_DECRYPTED) * plan.slots]
    few = public_key.encrypt(fewer, packed=plan.packed, encoding=plan.encoding)
    bias = few.format.bias
    decrypted = private_key._decryptor.decrypt(ring, few.residues, bias)

    def load() -> None:
        ring.all_units(ring.load_bytes(data))

    return replace(
        _NOTHING,
        engine=engine_for(public_key.n).name,
        table_bytes=public_key.table_bytes,
        encode=_seconds(lambda: array.format.plaintexts(plan.encoding.encode(numbers))) / count,
        randomize=_seconds(lambda: source.encrypt(words, 0)) / count,
        add=_seconds(lambda: ring.multiply(residues, residues)) / count,
        decrypt=_seconds(lambda: private_key._decryptor.decrypt(ring, few.residues, bias)) / few.n_ciphertexts,
        decode=_seconds(lambda: few.format.values(decrypted, few.shape)) / few.n_ciphertexts,
        load=_seconds(load) / count,
        store=_seconds(lambda: ring.store_bytes(residues)) / count,
        resident_bytes=ring.resident_bytes(residues) / count,
    )


def _seconds(work: Callable[[], object], repeats: int = _REPEATS) -> float:
    """Median of some runs."""
    times = []
    for _ in range(repeats):
        started = perf_counter()
        work()
        times.append(perf_counter() - started)
    return statistics.median(times)
