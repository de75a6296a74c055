"""Lines about the core: the kernel against the processor's peak, tables, and the cost of Python around it."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import vecphe
from benchmarks.measure import Measured, compare, limbs, once, shares_of_peak
from vecphe.arithmetic import FixedBase, Words, active_engine
from vecphe.arithmetic.gmp import GmpEngine, GmpRing, Pairs
from vecphe.numbers.context import KeyContext
from vecphe.numbers.primes import random_prime_pair


def kernel() -> Iterator[Measured]:
    """Multiply-adds of the product kernel (10 k^2 a residue, in limbs of 52 bits) against the core's own peak."""
    engine = active_engine()
    if engine.name != "ifma":
        return
    for key_length in (2048, 3072):
        p, q = random_prime_pair(key_length)
        ring = engine.ring(p * q)
        batch = ring.load([3**1000 + i for i in range(64)])
        assert ring.store(ring.multiply(batch, batch))[1] == (3**1000 + 1) ** 2 % (p * q) ** 2

        def multiply(ring: Any = ring, batch: Any = batch) -> None:
            for _ in range(40):
                ring.multiply(batch, batch)

        rates = shares_of_peak(40 * 64 * 10 * limbs(key_length) ** 2, multiply, 31)
        share = statistics.median(ours / peak for ours, peak in rates)
        ours, peak = (statistics.median(side) / 1e9 for side in zip(*rates, strict=True))
        name = f"product kernel, {key_length} bits, of the core's IFMA peak"
        yield Measured(f"peak-{key_length}", name, 100 * share, "%", f"{ours:.3g} of {peak:.3g} G multiply-adds/s")


def tables() -> Iterator[Measured]:
    """The fixed-base table of a 2048-bit key at its largest window."""
    p, q = random_prime_pair(2048)
    n = p * q
    engine = active_engine()
    ring = engine.ring(n)
    base = ring.store(ring.power_vartime(ring.load([9]), [n]))[0]
    times = []
    for _ in range(7):
        started = time.perf_counter()
        table = ring.fixed_base(base, 1024, engine.tuning.max_window)
        times.append(time.perf_counter() - started)
    window = f"window {engine.tuning.max_window}"
    yield Measured("table-time", "fixed-base table, 2048 bits", statistics.median(times), "s", window, at_most=True)
    yield Measured("table-size", "fixed-base table, 2048 bits", table.table_bytes / 1e6, "MB", window, at_most=True)


def validation() -> Iterator[Measured]:
    """Reading a batch from outside, every ciphertext checked, against decrypting it."""
    public_key, private_key = vecphe.generate_keypair(2048)
    x = np.random.default_rng(6).normal(size=256)
    c = public_key.encrypt(x)
    data = c.to_bytes()

    def read() -> vecphe.EncryptedArray:
        return vecphe.EncryptedArray.from_bytes(public_key, data)

    assert private_key.decrypt(read()).tolist() == x.tolist()
    comparison = compare(lambda: private_key.decrypt(c), read, (256, 256), pairs=21)
    detail = f"{comparison.theirs * 1e6:.3g} us of {comparison.ours * 1e6:.4g} us a ciphertext"
    name = "reading and checking 256 ciphertexts, of decrypting them"
    yield Measured("validate-share", name, 100 * comparison.ratio, "%", detail, at_most=True)


class _NoOpTable(FixedBase[Pairs]):
    window, table_bytes = 8, 0

    def power_secret(self, exponents: Words) -> Pairs:
        return Pairs([], [])


class _NoOpRing(GmpRing):
    def multiply_plain(self, batch: Pairs, words: Words, offset: int) -> Pairs:
        return batch


class _NoOpEngine(GmpEngine):
    def ring(self, n: int) -> GmpRing:
        return _NoOpRing(n)


def overhead() -> Iterator[Measured]:
    """What is left of a packed encryption of 11 values when the engine computes nothing."""
    public_key, _ = vecphe.generate_keypair(2048)
    public_key._adopt(KeyContext(public_key._numbers, _NoOpEngine()), "djn", None)
    public_key._source._table, public_key._source._sized_for = _NoOpTable(), 1 << 40
    x = np.random.default_rng(5).normal(size=11)

    def calls() -> None:
        for _ in range(200):
            public_key.encrypt(x, packed=True)

    calls()
    median = statistics.median(once(calls) / 200 for _ in range(31))
    name = "Python around one packed encryption of 11 values"
    yield Measured("overhead", name, median * 1e6, "us", "engine that does nothing", at_most=True)


def imports() -> Iterator[Measured]:
    """Importing vecphe, less importing numpy, as processes."""

    def run(module: str) -> float:
        return once(lambda: subprocess.run([sys.executable, "-c", f"from {module} import *"], check=True))

    run("vecphe"), run("numpy")
    extra = statistics.median(run("vecphe") - run("numpy") for _ in range(15))
    yield Measured("import", "import vecphe, beyond import numpy", extra, "s", "", at_most=True)
