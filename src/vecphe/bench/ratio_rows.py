"""Workloads that the gate times against GMP, or against the loop over phe, in the same process.

On a shared machine the same code takes half as long again for seconds at a time, and not by the same factor for vector
and scalar code, so the median of the quotients of two times wanders by tens of per cent. What stays is how fast each
side is while nothing disturbs it. A block therefore alternates the two sides, a fraction of a millisecond each, and
keeps the fastest time of either: its speed is their quotient. Every block has tables, batches and ciphertexts of its
own: where memory happens to lie changes a time by some per cent, so it is drawn anew each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from time import perf_counter
from typing import Any, NamedTuple

import gmpy2
import numpy as np

from vecphe.bench.count_rows import Material
from vecphe.bench.sides import Side
from vecphe.bench.workloads import gradients, integers, matrix, naive_module, values
from vecphe.errors import BenchmarkError

__all__ = ["RATIO_ROWS", "Block", "RatioRow", "Sampler", "Work"]

Work = Callable[[], object]
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


@dataclass(frozen=True)
class RatioRow:
    """A workload and its reference.

    Attributes
    ----------
    name : str
    key_length : int
    reference : str
        What it is compared with, in words.
    make : callable
        From `Material` to (ours, theirs), with fresh memory for ours. A user's rows need none.
    slack : float
        Times the tolerance that the row has: rows whose tables fill the second-level cache feel what a neighbour does
        to it, and their reference does not. Their speed moved by up to a fifth between passes on a busy machine.
    """

    name: str
    key_length: int
    reference: str
    make: Callable[[Any], tuple[Work, Work]]
    slack: float = 1.0


class Sampler:
    """Measures one row on the active engine, block by block."""

    def __init__(self, row: RatioRow, material: Material | None) -> None:
        self.row = row
        self._material = material

    @cached_property
    def _repeats(self) -> tuple[int, int, int]:
        """Calls of ours and of theirs in a row, and how often the two alternate."""
        (ours, first), (theirs, second) = (_repeats(side) for side in self.row.make(self._material))
        pairs = min(max(int(_BLOCK_SECONDS / (ours * first + theirs * second)), _FEWEST_PAIRS), _PAIRS)
        return ours, theirs, pairs

    def block(self) -> Block:
        """One more block.

        Raises
        ------
        BenchmarkError
            If its reference is not installed, or a result was wrong.
        """
        n_ours, n_theirs, pairs = self._repeats
        ours, theirs = self.row.make(self._material)
        ours()
        theirs()
        fastest_ours = fastest_theirs = math.inf
        for number in range(pairs):
            for side in (number % 2, 1 - number % 2):  # ours - theirs - theirs - ours
                if side == 0:
                    fastest_ours = min(fastest_ours, _timed(ours, n_ours) / n_ours)
                else:
                    fastest_theirs = min(fastest_theirs, _timed(theirs, n_theirs) / n_theirs)
        return Block(fastest_ours, fastest_theirs)


def _timed(work: Work, repeats: int) -> float:
    started = perf_counter()
    for _ in range(repeats):
        work()
    return perf_counter() - started


def _repeats(work: Work) -> tuple[int, float]:
    """How often it fits into a side, at least once, and the seconds of one."""
    work()
    once = max(min(_timed(work, 1) for _ in range(5)), 1e-9)
    return max(round(_SIDE_SECONDS / once), 1), once


def _check(right: Any) -> None:
    if not right:
        raise BenchmarkError("a workload of the gate gave a wrong result: its times mean nothing")


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
    exponent = (gmpy2.mpz(1) << 64) - 59

    def run() -> None:
        gmpy2.powmod(base, exponent, modulus)

    return run


@cache
def _phe_key(n: int) -> Any:
    phe = naive_module()
    if phe is None:
        raise BenchmarkError("its reference is the loop over phe, which is not installed: pip install phe")
    return phe.PaillierPublicKey(n)


def _phe_encryption(m: Material) -> Work:
    """One encryption by phe."""
    key = _phe_key(m.n)
    return lambda: key.encrypt(0.7071067811865476)


# Rows


def _product(m: Material) -> tuple[Work, Work]:
    ring = m.engine.ring(m.n)
    rng = np.random.default_rng(0)
    numbers = [int.from_bytes(rng.bytes(ring.ciphertext_bytes), "little") % ring.n_squared for _ in range(128)]
    left, right = ring.load(numbers[:64]), ring.load(numbers[64:])
    products = [x * y % ring.n_squared for x, y in zip(numbers[:64], numbers[64:], strict=True)]
    _check(ring.store(ring.multiply(left, right)) == products)
    return lambda: ring.multiply(left, right), _gmp_products(m)


def _encryption(reference: Callable[[Material], Work]) -> Callable[[Material], tuple[Work, Work]]:
    def make(m: Material) -> tuple[Work, Work]:
        key, numbers = m.fresh_key(), values(240)
        key.prepare(_ENCRYPTIONS)
        _check(np.allclose(m.private_key.decrypt(key.encrypt(numbers, packed=True)), numbers, rtol=0, atol=1e-9))
        return lambda: key.encrypt(numbers, packed=True), reference(m)

    return make


def _decryption(m: Material) -> tuple[Work, Work]:
    array = m.prepared_key.encrypt(integers(4))
    _check((m.private_key.decrypt(array) == integers(4)).all())
    return lambda: m.private_key.decrypt(array), _gmp_power(m)


def _validation(m: Material) -> tuple[Work, Work]:
    ciphertexts = m.prepared_key.encrypt(integers(64)).ciphertexts()
    key = m.public_key
    _check((m.private_key.decrypt(key.from_ciphertexts(ciphertexts, integer=True)) == integers(64)).all())
    return lambda: key.from_ciphertexts(ciphertexts, integer=True), _gmp_products(m)


def _matmul(m: Material) -> tuple[Work, Work]:
    array, factors = m.prepared_key.encrypt(integers(16)), matrix(16, 16)
    expected = (factors.astype(object) @ integers(16).astype(object)).tolist()
    _check(m.private_key.decrypt(array.__rmatmul__(factors)).tolist() == expected)
    return lambda: factors @ array, _gmp_products(m)


def _round(m: Material) -> tuple[Work, Work]:
    side, vectors = Side("packed", m.n.bit_length(), 3), gradients(3, 60)
    side.prepare(_ENCRYPTIONS, 1)
    return lambda: side.run(vectors), _gmp_power(m)  # it checks its sum


RATIO_ROWS: tuple[RatioRow, ...] = (
    RatioRow("speed: product, 2048 bits", 2048, "GMP products", _product),
    RatioRow("speed: validate, 2048 bits", 2048, "GMP products", _validation),
    RatioRow("speed: matmul, 1024 bits", 1024, "GMP products", _matmul),
    RatioRow("speed: encrypt packed, 1024 bits", 1024, "GMP powers", _encryption(_gmp_power), 2.0),
    RatioRow(
        "speed: encrypt packed, 1024 bits, against phe", 1024, "the loop over phe", _encryption(_phe_encryption), 2.0
    ),
    RatioRow("speed: decrypt, 1024 bits", 1024, "GMP powers", _decryption),
    RatioRow("speed: packed round, 1024 bits", 1024, "GMP powers", _round, 2.0),
)
