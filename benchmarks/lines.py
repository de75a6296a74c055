"""What the targets are held against: each group yields measured lines, results compared for equality first."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import phe

import vecphe.phe
from benchmarks.calls import checked_of, peer
from benchmarks.measure import Comparison, Figure, compare, limbs, limit, once, shares_of_peak
from vecphe.arithmetic import active_engine
from vecphe.arithmetic.gmp import GmpRing, Pairs
from vecphe.bench import workloads
from vecphe.bench.count_rows import Subject
from vecphe.bench.estimate import Plan, calibrate, estimate
from vecphe.bench.sides import Side
from vecphe.federated import NaiveBackend, Party, federated_learning, get_data
from vecphe.numbers.primes import random_prime_pair
from vecphe.randomness.ready import ReadyRandomizers

Lines = Iterator[Figure]


class Row(NamedTuple):
    """A call of ours, and one of a peer's on so many values; targets are ratios, lower bounds, by engine."""

    key: str
    name: str
    call: str
    counts: tuple[int, int]
    targets: dict[str, float]
    peer: str = "phe"
    theirs: str = ""
    length: int = 2048  # of the key
    pairs: int = 7

    def measured(self) -> Figure:
        keys, (ours, theirs) = workloads.keypair(self.length), self.counts
        keys[0].prepare(4096)
        them, values = peer(self.peer, self.length), workloads.values(theirs).tolist()
        call = checked_of(them, self.theirs or self.call, values)
        subject = Subject(keys, workloads.values(ours))
        comparison = compare(subject.checked(self.call), call, self.counts, self.pairs)
        return comparison.figure(self.key, self.name, self.peer, **self.targets)


def goals(ifma: float, fma512: float, fma256: float, **others: float) -> dict[str, float]:
    """Targets of the vector engines, and of others."""
    return {"ifma": ifma, "fma512": fma512, "fma256": fma256, **others}


ROWS = {
    "operations": (
        Row("encrypt-2048", "encrypt 256 values, 2048 bits", "encrypt", (256, 8), goals(150, 70, 48, gmp=17)),
        Row("encrypt-pypaillier", "encrypt 256 values, 2048 bits", "encrypt", (256, 32), {"ifma": 12}, "pypaillier"),
        Row("decrypt", "decrypt 64 values, 2048 bits", "decrypt", (64, 8), goals(9, 4, 2.8, gmp=0.7)),
        Row("decrypt-pypaillier", "decrypt 64 values, 2048 bits", "decrypt", (64, 8), {"ifma": 10}, "pypaillier"),
        Row("add", "add 256 ciphertexts", "add", (256, 256), goals(15, 5, 3.5, gmp=1)),
        Row("add-pypaillier", "add 256 ciphertexts", "add", (256, 256), {"ifma": 10}, "pypaillier", "sum"),
        Row("multiply", "ciphertext * 53-bit plain", "times_plain", (256, 8), goals(8, 3, 2), theirs="multiply"),
    ),
    "key-lengths": tuple(
        Row(f"encrypt-{bits}", f"encrypt 256 values, {bits} bits", "encrypt", (256, 4), {"ifma": least}, length=bits)
        for bits, least in ((1024, 120), (3072, 140), (4096, 140))
    ),
    "singles": (  # whole calls, without a pool
        Row("encrypt-1", "encrypt one value, 2048 bits", "encrypt", (1, 1), {"ifma": 30}, pairs=21),
        Row("decrypt-1", "decrypt one value, 2048 bits", "decrypt", (1, 1), {"ifma": 2.2}, pairs=21),
    ),
}


FACADE: dict[str, tuple[str, Callable[..., object], dict[str, float]]] = {
    "encrypt": ("pub.encrypt(v)", lambda public, private, x, v: public.encrypt(v), {"ifma": 20}),
    "decrypt": ("priv.decrypt(x)", lambda public, private, x, v: private.decrypt(x), {"ifma": 2}),
    "add": ("x + x", lambda public, private, x, v: x + x, {}),
    "add-plain": ("x + v", lambda public, private, x, v: x + v, {}),
    "multiply": ("x * v", lambda public, private, x, v: x * v, {}),
}


def facade() -> Lines:
    """Loops of single calls with phe's names, on vecphe.phe and on phe, 2048 bits, per call."""
    counts, sides = (256, 8), []
    for module, count in zip((vecphe.phe, phe), counts, strict=True):
        public, private = module.generate_paillier_keypair(n_length=2048)
        values = workloads.values(count).tolist()
        numbers = [public.encrypt(value) for value in values]
        assert [private.decrypt(number) for number in numbers] == values
        sides.append((public, private, list(zip(numbers, values, strict=True))))

    def loop(call: Callable[..., object], public: Any, private: Any, pairs: list[tuple[Any, float]]) -> None:
        for x, v in pairs:
            call(public, private, x, v)

    for key, (name, call, targets) in FACADE.items():
        comparison = compare(*(partial(loop, call, *side) for side in sides), counts)
        yield comparison.figure(f"facade_{key}", f"vecphe.phe: loop over {name}, 2048 bits", **targets)


def matrix() -> Lines:
    """A plain 100 x 100 matrix of 32-bit integers times an encrypted vector, per entry."""
    a, x = workloads.matrix(100, 100), workloads.values(100)
    subject, them = Subject(workloads.keypair(2048), x), peer("phe", 2048)
    c, numbers, row = subject.c, them.encrypt(x.tolist()), a[0].tolist()

    def dot() -> phe.EncryptedNumber:
        total, *rest = them.multiply(numbers, row)
        return sum(rest, total)

    np.testing.assert_allclose(subject.private_key.decrypt(a[:2] @ c), a[:2] @ x, rtol=1e-12)
    np.testing.assert_allclose(them.decrypt([dot()]), a[:1] @ x, rtol=1e-12)
    name = "100 x 100 matrix @ vector, 32-bit entries"
    yield compare(lambda: a @ c, dot, (10_000, 100), pairs=5).figure("matmul", name, ifma=40)
    elementwise = compare(lambda: a @ c, lambda: (c * a[:10]).sum(axis=1), (10_000, 1000), pairs=5)
    yield elementwise.figure("matmul-elementwise", name, "products and sums here", ifma=4)


def first() -> Lines:
    """The very first encryption under a new key, tables and all; no slower than phe's, but for 5 % of noise."""
    times = []
    for _ in range(11):
        public_key, _ = vecphe.generate_keypair(2048)
        keys = (public_key, phe.PaillierPublicKey(public_key.n))
        ours, theirs = (once(partial(key.encrypt, 1.5)) for key in keys)
        times.append((ours, theirs))
    name = "first encryption under a new key, 2048 bits"
    yield Comparison.of(times).figure("first", name, gmp=0.95, ifma=0.95)


def keygen() -> Lines:
    median = statistics.median(once(lambda: vecphe.generate_keypair(2048)) for _ in range(20))
    yield limit("keygen", "key generation, 2048 bits, median of 20", median, "s", gmp=1, ifma=1)


def protocol() -> Lines:
    """Whole runs of 5 clients on the diabetes data, per iteration, without making keys and tables."""
    data = get_data(5)
    least = {1024: goals(120, 60, 40, gmp=40), 2048: goals(200, 110, 75, gmp=70)}
    for key_length, naive_iterations in ((1024, 4), (2048, 2)):
        times, setups = [], []
        for _ in range(7):
            config = {"key_length": key_length, "insecure": True}
            ours = federated_learning(*data, {**config, "n_iter": 50, "backend": "packed"})
            naive = {"n_iter": naive_iterations, "backend": NaiveBackend(phe)}
            theirs = federated_learning(*data, {**config, **naive})
            np.testing.assert_allclose(ours.history[naive_iterations - 1], theirs.weights[0], rtol=1e-9)
            times.append((ours.seconds_per_round, theirs.seconds_per_round))
            setups.append(ours.seconds["setup"])
        name = f"protocol round, 5 clients, packed, {key_length} bits"
        yield Comparison.of(times).figure(f"protocol-{key_length}", name, **least[key_length])
    yield limit("setup", "protocol set-up, 2048 bits", statistics.median(setups), "s", gmp=0.25, ifma=0.3)


def ahead() -> Lines:
    """What randomizers made ahead save: in a run of the protocol, and of an encryption that has all of them ready."""
    data, least = get_data(5), {1024: {}, 2048: goals(1.6, 1.6, 1.6)}
    for key_length in least:
        config, times = {"key_length": key_length, "insecure": True, "n_iter": 50}, []
        for _ in range(11):
            ours = federated_learning(*data, config)
            with patch.object(Party, "expect", lambda party, n_rounds: None):
                theirs = federated_learning(*data, config)
            np.testing.assert_allclose(ours.weights, theirs.weights, rtol=1e-9)
            times.append((ours.seconds_per_round, theirs.seconds_per_round))
        name = f"50 rounds, 5 clients, packed, {key_length} bits, randomizers in batches"
        yield Comparison.of(times).figure(f"ahead-{key_length}", name, "one a round", **least[key_length])
    public_key, _ = workloads.keypair(2048)
    source, ring, count, times = public_key._source, public_key._context.ring, 256, []
    ready, words = ReadyRandomizers(ring), np.arange(32 * count, dtype=np.uint64).reshape(count, 32) >> np.uint64(1)
    batch = source.draw(count)
    for _ in range(31):
        ready.add(source.draw(count))
        online = once(lambda: source.encrypt(words, 0, None, ready))
        assert len(ready) == 0
        times.append((online, once(lambda: ring.multiply(batch, batch))))
    online, product = (statistics.median(side) / count * 1e6 for side in zip(*times, strict=True))
    detail = f"{online:.3g} us against {product:.3g} us a ciphertext"
    products = statistics.median(ours / theirs for ours, theirs in times)
    name = "hiding 256 plaintexts under ready randomizers, 2048 bits, in products"
    yield limit("online", name, products, "", detail, gmp=3, ifma=3, fma512=3, fma256=3)


ESTIMATED = {  # by engine: values that take about a second
    "ifma": (Plan(5, 60_000, 2048), Plan(5, 25_000, 3072), Plan(5, 700, 2048, packed=False)),
    "gmp": (Plan(3, 12_000, 2048), Plan(3, 350, 2048, packed=False)),
}


def estimates() -> Lines:
    """How far `vecphe estimate` is off measured rounds; 25 % are allowed.

    The calibration is short, the rounds are not: each takes about a second, in turn with a new calibration, and medians
    are compared, so that a machine that is busy for a while is busy for both.
    """
    for plan in ESTIMATED.get(active_engine().name, ()):
        side = Side("packed" if plan.packed else "vectorized", plan.key_length, plan.clients)
        side.prepare(plan.clients, plan.values)
        run = partial(side.run, workloads.gradients(plan.clients, plan.values))
        pairs = [(estimate(plan, calibrate(plan)).round, once(run)) for _ in range(5)]
        predicted, actual = (statistics.median(times) for times in zip(*pairs, strict=True))
        kind, error = "packed" if plan.packed else "unpacked", 100 * (predicted / actual - 1)
        name = f"estimate of {plan.clients} clients, {plan.values} values, {plan.key_length} bits, {kind}, off by"
        detail = f"predicted {predicted:.3g} s, measured {actual:.3g} s, {error:+.1f} %"
        yield limit(f"estimate-{kind}-{plan.key_length}", name, abs(error), "%", detail, gmp=25, ifma=25)


def kernel() -> Lines:
    """Multiply-adds of the product kernel (10 k^2 a residue, in limbs of 52 bits) against the core's own peak."""
    engine = active_engine()
    least = goals(70, 80, 75).get(engine.name)
    if least is None:
        return
    for key_length in (2048, 3072):
        p, q = random_prime_pair(key_length)
        ring = engine.ring(p * q)
        batch = ring.load([3**1000 + i for i in range(64)])
        assert ring.store(ring.multiply(batch, batch))[1] == (3**1000 + 1) ** 2 % (p * q) ** 2
        rates = shares_of_peak(64 * 10 * limbs(key_length) ** 2, partial(ring.multiply, batch, batch), 31, 40)
        share = statistics.median(ours / peak for ours, peak in rates)
        ours, peak = (statistics.median(side) / 1e9 for side in zip(*rates, strict=True))
        name = f"product kernel, {key_length} bits, of the core's own peak"
        detail = f"{ours:.3g} of {peak:.3g} G multiply-adds/s"
        yield Figure(f"peak-{key_length}", name, 100 * share, "%", detail, target=least)


def tables() -> Lines:
    """The fixed-base table of a 2048-bit key at its largest window."""
    engine, (p, q) = active_engine(), random_prime_pair(2048)
    ring, largest = engine.ring(p * q), engine.tuning.max_window
    base = ring.store(ring.power_vartime(ring.load([9]), [p * q]))[0]
    seconds = statistics.median(once(lambda: ring.fixed_base(base, 1024, largest)) for _ in range(7))
    megabytes = ring.fixed_base(base, 1024, largest).table_bytes / 1e6
    name, window = "fixed-base table, 2048 bits, largest window", f"window {largest}"
    yield limit("table-time", name, seconds, "s", window, ifma=0.05)
    yield limit("table-size", name, megabytes, "MB", window, ifma=32)


def validation() -> Lines:
    """Reading a batch from outside, every ciphertext checked, against decrypting it."""
    subject = Subject(workloads.keypair(2048), workloads.values(256))
    decryption = compare(subject.checked("decrypt"), subject.checked("load"), (256, 256), pairs=21)
    detail = f"{decryption.theirs * 1e6:.3g} us of {decryption.ours * 1e6:.4g} us a ciphertext"
    name = "reading and checking 256 ciphertexts, of decrypting them"
    yield limit("validate-share", name, 100 * decryption.ratio, "%", detail, gmp=3, ifma=3)


def overhead() -> Lines:
    """What is left of a packed encryption of 11 values when the engine computes nothing."""
    public_key, _ = vecphe.generate_keypair(2048, engine="gmp")
    nothing = SimpleNamespace(power_secret=lambda exponents: Pairs([], []))
    public_key._source._table, public_key._source._sized_for = nothing, 1 << 40
    call = partial(public_key.encrypt, workloads.values(11), packed=True)
    with patch.object(GmpRing, "multiply_plain", lambda ring, batch, words, offset: batch):
        call()
        median = statistics.median(once(call, 200) for _ in range(31))
    name = "Python around one packed encryption of 11 values"
    yield limit("overhead", name, median * 1e6, "us", "engine that does nothing", ifma=20)


def imports() -> Lines:
    """Importing vecphe, less importing numpy, as processes."""

    def run(module: str) -> float:
        return once(lambda: subprocess.run([sys.executable, "-c", f"from {module} import *"], check=True))

    run("vecphe"), run("numpy")
    extra = statistics.median(run("vecphe") - run("numpy") for _ in range(15))
    yield limit("import", "import vecphe, beyond import numpy", extra, "s", ifma=0.15)


def jobs() -> Lines:
    """Two workers against one, with the pool already running."""
    (public_key, private_key), x = vecphe.generate_keypair(2048), workloads.values(4096)
    assert private_key.decrypt(public_key.encrypt(x, n_jobs=2)[:32]).tolist() == x[:32].tolist()
    two, one, ratio = compare(*(partial(public_key.encrypt, x, n_jobs=count) for count in (2, 1)), pairs=5)
    detail, target = f"{two:.3g} s against {one:.3g} s", {"gmp": 1.7}.get(active_engine().name)
    yield Figure("jobs", "encrypt 4096 values with n_jobs=2, against 1", ratio, "x", detail, target=target)


ALONE = (facade, matrix, first, keygen, protocol, ahead, estimates, kernel, tables, validation, overhead, imports, jobs)
GROUPS: dict[str, Callable[[], Lines]] = {
    **{name: partial(map, Row.measured, rows) for name, rows in ROWS.items()},
    **{group.__name__: group for group in ALONE},
}
