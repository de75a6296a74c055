"""Products, squares and powers modulo n^2; on the native engine also as a share of the core's multiply-add peak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.common import slow_but
from benchmarks.measure import limbs, shares_of_peak
from vecphe.arithmetic import AnyRing, engine_named, words_from_integers
from vecphe.bench.count_rows import Keys

COUNT = 64  # residues: eight groups of lanes
VALUES = [3**500 + i for i in range(COUNT)]
# Multiply-adds a residue, in units of k^2 for k limbs of 52 bits: two for a product of limbs.
PRODUCT, SQUARE, FIXED_BASE_STEP = 10, 7, 8


@pytest.fixture
def ring(keys: Keys) -> AnyRing:
    return keys[0]._context.ring


@pytest.fixture
def measure(benchmark: Any, engine: str, key_length: int, ring: AnyRing) -> Callable[..., None]:
    def measure(right: list[int], units: float, function: Callable[..., Any], *arguments: Any) -> None:
        """Time a checked call; one of so many `units` goes into the record as a share of the core's peak too."""
        assert ring.store(benchmark(function, *arguments)) == [value % ring.n_squared for value in right]
        if units and engine != "gmp" and not benchmark.disabled:
            adds = units * limbs(key_length) ** 2 * COUNT
            rates, peaks = zip(*shares_of_peak(adds, lambda: function(*arguments), 15), strict=True)
            benchmark.extra_info["share_of_peak"] = max(rates) / max(peaks)  # the best of each: others had company

    return measure


def test_product(ring: AnyRing, measure: Callable[..., None]) -> None:
    products = [a * b for a, b in zip(VALUES, VALUES[::-1], strict=True)]
    measure(products, PRODUCT, ring.multiply, ring.load(VALUES), ring.load(VALUES[::-1]))


def test_square(ring: AnyRing, measure: Callable[..., None]) -> None:
    """By the power 2: an engine squares inside powers only."""
    measure([value**2 for value in VALUES], 0, ring.power_vartime, ring.load(VALUES), [2] * COUNT)


def test_chain_of_squares(ring: AnyRing, measure: Callable[..., None]) -> None:
    """A power of 2^64 is 64 squares: enough of them to be held against the core's peak."""
    powers = [pow(value, 1 << 64, ring.n_squared) for value in VALUES]
    measure(powers, 64 * SQUARE, ring.power_vartime, ring.load(VALUES), [1 << 64] * COUNT)


@pytest.mark.parametrize("bits", slow_but(53, 512))
@pytest.mark.parametrize("kind", ["secret", "vartime"])
def test_power(ring: AnyRing, measure: Callable[..., None], kind: str, bits: int) -> None:
    exponents: Any = [(1 << bits) - 1 - i for i in range(COUNT)]
    powers = [pow(v, e, ring.n_squared) for v, e in zip(VALUES, exponents, strict=True)]
    if kind == "secret":
        exponents = words_from_integers(exponents, -(-bits // 64))
    measure(powers, 0, getattr(ring, f"power_{kind}"), ring.load(VALUES), exponents)


@pytest.mark.parametrize("window", slow_but(4, 6, 8))
def test_fixed_base(engine: str, key_length: int, ring: AnyRing, measure: Callable[..., None], window: int) -> None:
    """Randomizers: a base to secret exponents of half the key's length."""
    bits = key_length // 2
    table = ring.fixed_base(9, bits, min(window, engine_named(engine).tuning.max_window))
    exponents = [(1 << bits) - 1 - i for i in range(COUNT)]
    powers = [pow(9, exponent, ring.n_squared) for exponent in exponents]
    steps = -(-bits // table.window)
    measure(powers, FIXED_BASE_STEP * steps, table.power_secret, words_from_integers(exponents, -(-bits // 64)))
