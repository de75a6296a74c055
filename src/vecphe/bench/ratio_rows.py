"""Workloads that the gate times against GMP, or against the loop over phe, in the same process.

A block is some pairs in a row, on tables, batches and ciphertexts made for it: where memory happens to lie changes a time
by several per cent, so it is drawn anew for every block. In a pair the two sides alternate, ours - theirs - theirs -
ours, one or two milliseconds each: what slows the machine for longer slows both.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any, NamedTuple

import gmpy2
import numpy as np

from vecphe.bench.count_rows import Material
from vecphe.bench.sides import Side
from vecphe.bench.workloads import gradients, integers, matrix, naive_module, values
from vecphe.errors import BenchmarkError

__all__ = ["RATIO_ROWS", "Block", "RatioRow", "Sampler"]

Work = Callable[[], object]
_SIDE_SECONDS = 1.5e-3
_PAIRS = 12  # a block


class Block(NamedTuple):
    """What one block measured: speed relative to the reference, and our seconds for one run of the row."""

    speed: float
    seconds: float


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
        From `Material` to (ours, theirs), with fresh memory for ours.
    """

    name: str
    key_length: int
    reference: str
    make: Callable[[Material], tuple[Work, Work]]


class Sampler:
    """Measures one row on the active engine, block by block.

    Raises
    ------
    BenchmarkError
        If its reference is not installed, or a result was wrong.
    """

    def __init__(self, row: RatioRow, material: Material) -> None:
        self.row = row
        self._material = material
        ours, theirs = row.make(material)
        self._repeats = _repeats(ours), _repeats(theirs)

    def block(self) -> Block:
        """One more block."""
        ours, theirs = self.row.make(self._material)
        ours()
        theirs()
        pairs = [self._pair(ours, theirs) for _ in range(_PAIRS)]
        return Block(statistics.median(b / a for a, b in pairs), statistics.median(a for a, _ in pairs))

    def _pair(self, ours: Work, theirs: Work) -> tuple[float, float]:
        """Seconds for one run of each."""
        n_ours, n_theirs = self._repeats
        first, second = _timed(ours, n_ours), _timed(theirs, n_theirs)
        third, fourth = _timed(theirs, n_theirs), _timed(ours, n_ours)
        return (first + fourth) / (2 * n_ours), (second + third) / (2 * n_theirs)


def _timed(work: Work, repeats: int) -> float:
    started = perf_counter()
    for _ in range(repeats):
        work()
    return perf_counter() - started


def _repeats(work: Work) -> int:
    work()
    once = min(_timed(work, 1) for _ in range(5))
    return max(round(_SIDE_SECONDS / once), 1)


def _check(right: Any) -> None:
    if not right:
        raise BenchmarkError("a workload of the gate gave a wrong result: its times mean nothing")


# References


def _gmp_products(m: Material) -> Work:
    """64 products modulo n^2."""
    modulus = gmpy2.mpz(m.n) ** 2
    operands = [gmpy2.powmod(3, i + 10_000, modulus) for i in range(65)]

    def run() -> None:
        for x, y in zip(operands, operands[1:], strict=False):
            x * y % modulus

    return run


def _gmp_power(m: Material) -> Work:
    """One power modulo n^2 with an exponent of 256 bits."""
    modulus = gmpy2.mpz(m.n) ** 2
    base = gmpy2.powmod(3, 10_000, modulus)
    exponent = (gmpy2.mpz(1) << 256) - 189

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


def _encryption(count: int, packed: bool) -> Callable[[Material], tuple[Work, Work]]:
    def make(m: Material) -> tuple[Work, Work]:
        key, numbers = m.fresh_key(), values(count)
        key.prepare(1000)
        _check(np.allclose(m.private_key.decrypt(key.encrypt(numbers, packed=packed)), numbers, rtol=0, atol=1e-9))
        reference = _gmp_power(m) if m.n.bit_length() > 1024 else _phe_encryption(m)
        return lambda: key.encrypt(numbers, packed=packed), reference

    return make


def _decryption(m: Material) -> tuple[Work, Work]:
    array = m.prepared_key.encrypt(integers(8))
    _check((m.private_key.decrypt(array) == integers(8)).all())
    return lambda: m.private_key.decrypt(array), _gmp_power(m)


def _validation(m: Material) -> tuple[Work, Work]:
    ciphertexts = m.prepared_key.encrypt(integers(64)).ciphertexts()
    key = m.public_key
    _check((m.private_key.decrypt(key.from_ciphertexts(ciphertexts, integer=True)) == integers(64)).all())
    return lambda: key.from_ciphertexts(ciphertexts, integer=True), _gmp_products(m)


def _matmul(m: Material) -> tuple[Work, Work]:
    array, factors = m.prepared_key.encrypt(integers(16)), matrix(16, 16)
    expected = (factors.astype(object) @ integers(16).astype(object)).tolist()
    _check(m.private_key.decrypt(factors @ array).tolist() == expected)
    return lambda: factors @ array, _gmp_products(m)


def _round(m: Material) -> tuple[Work, Work]:
    side, vectors = Side("packed", m.n.bit_length(), 3), gradients(3, 250)
    side.prepare(100, 250)
    return lambda: side.run(vectors), _gmp_power(m)


RATIO_ROWS: tuple[RatioRow, ...] = (
    RatioRow("product", 2048, "GMP products", _product),
    RatioRow("matmul 16x16", 2048, "GMP products", _matmul),
    RatioRow("validate 64", 2048, "GMP products", _validation),
    RatioRow("encrypt 32", 2048, "GMP powers", _encryption(32, False)),
    RatioRow("encrypt 1000 packed", 2048, "GMP powers", _encryption(1000, True)),
    RatioRow("decrypt 8", 2048, "GMP powers", _decryption),
    RatioRow("packed round, 3 clients, 250 values", 2048, "GMP powers", _round),
    RatioRow("encrypt 32, key of 1024 bits", 1024, "the loop over phe", _encryption(32, False)),
)
