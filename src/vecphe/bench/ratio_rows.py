"""Workloads that the gate times against GMP, or against the loop over phe, in the same process.

A block alternates the two sides, a fraction of a millisecond each, and keeps the fastest time of either: its speed is
their quotient. On a shared machine nothing else stays the same, as docs/performance.md tells under
"How a speed is judged". Every block has tables, batches and ciphertexts of its own: where memory happens to lie changes
a time by some per cent, so it is drawn anew each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from time import perf_counter
from timeit import Timer
from typing import Any, NamedTuple

import gmpy2
import numpy as np

from vecphe.bench.count_rows import Made, Material, Work, check, encrypt, on_integers
from vecphe.bench.sides import Side
from vecphe.bench.workloads import gradients, naive_module
from vecphe.errors import BenchmarkError

__all__ = ["RATIO_ROWS", "Block", "RatioRow", "Sampler"]

# As in the measurements of docs/performance.md: with 16 pairs, or millisecond sides, hardly any is undisturbed.
_SIDE_SECONDS = 4e-4
_PAIRS = 64
_FEWEST_PAIRS, _BLOCK_SECONDS = 8, 2.0  # of rows whose calls take longer: a user's may
_ENCRYPTIONS = 30  # what tables are made for: they stay in the second-level cache, which no neighbour shares


class Block(NamedTuple):
    """What one block measured: the fastest seconds of one run of either side."""

    seconds: float
    reference: float

    @property
    def speed(self) -> float:
        """Relative to the reference; larger is faster."""
        return self.reference / self.seconds


class Sampler:
    """Measures one row, block by block; `make` returns (ours, theirs), with fresh memory for ours."""

    def __init__(self, make: Callable[[], tuple[Work, Work]], slack: float = 1.0) -> None:
        self._make = make
        self.slack = slack

    def _timers(self) -> list[Timer]:
        return [Timer(side, timer=perf_counter) for side in self._make()]

    @cached_property
    def _repeats(self) -> tuple[list[int], int]:
        """How often either side runs in a row, at least once, and how often the two alternate."""
        once = [max(min(timer.repeat(6, 1)), 1e-9) for timer in self._timers()]
        repeats = [max(round(_SIDE_SECONDS / seconds), 1) for seconds in once]
        pairs = int(_BLOCK_SECONDS / sum(map(math.prod, zip(once, repeats, strict=True))))
        return repeats, min(max(pairs, _FEWEST_PAIRS), _PAIRS)

    def block(self) -> Block:
        """One more block; BenchmarkError if its reference is not installed, or a result was wrong."""
        repeats, pairs = self._repeats
        timers = self._timers()
        for timer in timers:
            timer.timeit(1)
        fastest = [math.inf, math.inf]
        for number in range(pairs):
            for i in (number % 2, 1 - number % 2):  # ours - theirs - theirs - ours
                fastest[i] = min(fastest[i], timers[i].timeit(repeats[i]) / repeats[i])
        return Block(*fastest)


# References


def _gmp_products(m: Material) -> Work:
    """32 products modulo n^2."""
    modulus = gmpy2.mpz(m.n) ** 2
    operands = [gmpy2.powmod(3, i + 10_000, modulus) for i in range(33)]

    def run() -> None:
        for x, y in pairwise(operands):
            x * y % modulus

    return run


def _gmp_power(m: Material) -> Work:
    """One power modulo n^2 with an exponent of 64 bits."""
    modulus = gmpy2.mpz(m.n) ** 2
    base = gmpy2.powmod(3, 10_000, modulus)
    return partial(gmpy2.powmod, base, (gmpy2.mpz(1) << 64) - 59, modulus)


def _phe_encryption(m: Material) -> Work:
    phe = naive_module()
    if phe is None:
        raise BenchmarkError("its reference is the loop over phe, which is not installed: pip install phe")
    return partial(phe.PaillierPublicKey(m.n).encrypt, 0.7071067811865476)


# Rows


def _product(m: Material) -> Made:
    ring = m.engine.ring(m.n)
    rng = np.random.default_rng(0)
    numbers = [int.from_bytes(rng.bytes(ring.ciphertext_bytes), "little") % ring.n_squared for _ in range(128)]
    left, right = ring.load(numbers[:64]), ring.load(numbers[64:])
    products = [x * y % ring.n_squared for x, y in zip(numbers[:64], numbers[64:], strict=True)]

    def seen_of(result: Any) -> dict[str, int]:
        check(ring.store(result) == products)
        return {}

    return partial(ring.multiply, left, right), seen_of


def _round(m: Material) -> Made:
    side, vectors = Side("packed", m.n.bit_length(), 3), gradients(3, 60)
    side.prepare(_ENCRYPTIONS, 1)
    return partial(side.run, vectors), lambda _: {}  # it checks its sum


@dataclass(frozen=True)
class RatioRow:
    """A workload and its reference, for keys of one length in bits."""

    name: str
    key_length: int
    workload: Callable[[Material], Made]
    reference: Callable[[Material], Work]
    slack: float = 1.0  # times the tolerance that the row has

    def make(self, material: Callable[[int], Material]) -> tuple[Work, Work]:
        """(ours, theirs), with fresh memory for ours, whose result has been checked."""
        ours, seen_of = self.workload(m := material(self.key_length))
        seen_of(ours())
        return ours, self.reference(m)


# Rows whose tables fill the second-level cache feel what a neighbour does to it, and their reference does not: their
# speed moved by up to a fifth between passes on a busy machine.
_OF_CACHES = 2.0
_packed = partial(encrypt, n=240, prepared_for=_ENCRYPTIONS)
RATIO_ROWS: tuple[RatioRow, ...] = (
    RatioRow("speed: product, 2048 bits", 2048, _product, _gmp_products),
    RatioRow("speed: validate, 2048 bits", 2048, on_integers("validate", 64), _gmp_products),
    RatioRow("speed: matmul, 1024 bits", 1024, on_integers("matmul", 16, rows=16), _gmp_products),
    RatioRow("speed: encrypt packed, 1024 bits", 1024, _packed, _gmp_power, _OF_CACHES),
    RatioRow("speed: encrypt packed, 1024 bits, against phe", 1024, _packed, _phe_encryption, _OF_CACHES),
    RatioRow("speed: decrypt, 1024 bits", 1024, on_integers("decrypt", 4), _gmp_power),
    RatioRow("speed: packed round, 1024 bits", 1024, _round, _gmp_power, _OF_CACHES),
)
