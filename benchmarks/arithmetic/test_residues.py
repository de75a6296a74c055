"""Products, squares and powers modulo n^2; on the native engine also as a share of the core's multiply-add peak."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.common import slow_but
from benchmarks.measure import limbs, shares_of_peak
from vecphe import PrivateKey, PublicKey
from vecphe.arithmetic import AnyRing, engine_named, words_from_integers

COUNT = 64  # residues: eight groups of lanes
# Multiply-adds a residue, in units of k^2 for k limbs of 52 bits: two for a product of limbs.
PRODUCT, SQUARE, FIXED_BASE_STEP = 10, 7, 8


@pytest.fixture
def ring(keys: tuple[PublicKey, PrivateKey]) -> AnyRing:
    return keys[0]._context.ring


def add_share_of_peak(benchmark: Any, engine: str, key_length: int, units: float, function: Any) -> None:
    """Rate of the kernel over the core's peak, measured in turn, into the record; where benchmarks are timed."""
    if engine == "gmp" or benchmark.disabled:
        return
    rates, peaks = zip(*shares_of_peak(units * limbs(key_length) ** 2 * COUNT, function, 15), strict=True)
    benchmark.extra_info["share_of_peak"] = max(rates) / max(peaks)  # the best of each: others had company


def test_product(benchmark: Any, engine: str, key_length: int, ring: AnyRing) -> None:
    values = [3**500 + i for i in range(COUNT)]
    left, right = ring.load(values), ring.load(values[::-1])
    product = benchmark(ring.multiply, left, right)
    assert ring.store(product) == [a * b % ring.n_squared for a, b in zip(values, values[::-1], strict=True)]
    add_share_of_peak(benchmark, engine, key_length, PRODUCT, lambda: ring.multiply(left, right))


def test_square(benchmark: Any, engine: str, key_length: int, ring: AnyRing) -> None:
    """By the power 2: an engine squares inside powers only."""
    values = [3**500 + i for i in range(COUNT)]
    batch = ring.load(values)
    squares = benchmark(ring.power_vartime, batch, [2] * COUNT)
    assert ring.store(squares) == [value**2 % ring.n_squared for value in values]


def test_chain_of_squares(benchmark: Any, engine: str, key_length: int, ring: AnyRing) -> None:
    """A power of 2^64 is 64 squares: enough of them to be held against the core's peak."""
    values = [3**500 + i for i in range(COUNT)]
    batch = ring.load(values)
    powers = benchmark(ring.power_vartime, batch, [1 << 64] * COUNT)
    assert ring.store(powers) == [pow(value, 1 << 64, ring.n_squared) for value in values]
    add_share_of_peak(benchmark, engine, key_length, 64 * SQUARE, lambda: ring.power_vartime(batch, [1 << 64] * COUNT))


@pytest.mark.parametrize("bits", slow_but(53, 512))
@pytest.mark.parametrize("kind", ["secret", "vartime"])
def test_power(benchmark: Any, ring: AnyRing, kind: str, bits: int) -> None:
    values = [3**500 + i for i in range(COUNT)]
    batch = ring.load(values)
    exponents = [(1 << bits) - 1 - i for i in range(COUNT)]
    if kind == "secret":
        powers = benchmark(ring.power_secret, batch, words_from_integers(exponents, -(-bits // 64)))
    else:
        powers = benchmark(ring.power_vartime, batch, exponents)
    assert ring.store(powers) == [pow(v, e, ring.n_squared) for v, e in zip(values, exponents, strict=True)]


@pytest.mark.parametrize("window", slow_but(4, 6, 8))
def test_fixed_base(benchmark: Any, engine: str, key_length: int, ring: AnyRing, window: int) -> None:
    """Randomizers: a base to secret exponents of half the key's length."""
    bits = key_length // 2
    table = ring.fixed_base(9, bits, min(window, engine_named(engine).tuning.max_window))
    exponents = [(1 << bits) - 1 - i for i in range(COUNT)]
    words = words_from_integers(exponents, -(-bits // 64))
    powers = benchmark(table.power_secret, words)
    assert ring.store(powers) == [pow(9, exponent, ring.n_squared) for exponent in exponents]
    steps = -(-bits // table.window)
    add_share_of_peak(benchmark, engine, key_length, FIXED_BASE_STEP * steps, lambda: table.power_secret(words))
