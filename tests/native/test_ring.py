"""Ring operations of every target against Python integers."""

from __future__ import annotations

import random
from typing import Any

import gmpy2
import numpy as np
import pytest

from vecphe.arithmetic.engine import Ring
from vecphe.arithmetic.words import words_from_integers
from vecphe.errors import EngineUnavailableError, InvalidCiphertextError

LENGTHS = [4, 5, 8, 39, 40, 41, 52, 92, 93, 256, 511, 512, 1024, 1030, 2048, 2112, 2240, 3072, 4096]
SIZES = [0, 1, 7, 8, 9, 15, 16, 17]


def edge_values(n: int) -> list[int]:
    top = n * n - 1
    ones = (1 << (n.bit_length() - 1)) - 1
    return [0, 1, 2, n - 1, n, n + 1, 2 * n, top, top - 1, top - n, ones, ones * n + ones, ones * (n + 1) % (top + 1)]


def moduli(bits: int) -> list[int]:
    """All ones, one and a half ones, and a lone top bit: carries at every limb, and none."""
    return [2**bits - 1, 2**bits - 2 ** (bits // 2) - 1, 2 ** (bits - 1) + 1]


@pytest.mark.parametrize("bits", LENGTHS)
def test_products_of_edge_values_and_edge_moduli(engine: Any, bits: int) -> None:
    for n in moduli(bits):
        ring, n_squared = engine.ring(n), n * n
        values = [v for v in edge_values(n) if 0 <= v < n_squared]
        left = [x for x in values for _ in values]
        right = values * len(values)
        a, b = ring.load(left), ring.load(right)
        assert ring.store(a) == left
        assert ring.store(ring.multiply(a, b)) == [x * y % n_squared for x, y in zip(left, right, strict=True)]
        assert ring.store(ring.multiply(a, a)) == [x * x % n_squared for x in left]
        assert ring.store(ring.power_vartime(a, [2] * len(left))) == [x * x % n_squared for x in left]


@pytest.mark.parametrize("bits", LENGTHS)
def test_long_chains_of_products_keep_their_bounds(engine: Any, bits: int, numbers: random.Random, make: Any) -> None:
    n = make.runs(numbers, bits) | 1
    ring, n_squared = engine.ring(n), n * n
    values = [make.runs(numbers, 2 * bits) % n_squared for _ in range(9)]
    batch, expected = ring.load(values), list(values)
    for _ in range(20):
        batch = ring.multiply(ring.multiply(batch, batch), ring.load(values))
        expected = [x * x * y % n_squared for x, y in zip(expected, values, strict=True)]
    assert ring.store(batch) == expected


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("bits", [5, 256, 1024, 1030, 2048])
def test_batches_of_every_size(engine: Any, bits: int, count: int, numbers: random.Random, make: Any) -> None:
    n = make.prime(numbers, bits)
    ring, n_squared = engine.ring(n), n * n
    xs, ys = make.units(numbers, n, count), make.units(numbers, n, count)
    a, b = ring.load(xs), ring.load(ys)
    assert ring.size(a) == count
    assert ring.store(ring.multiply(a, b)) == [x * y % n_squared for x, y in zip(xs, ys, strict=True)]
    assert ring.store(ring.invert(a)) == [gmpy2.invert(x, n_squared) for x in xs]
    assert ring.store(ring.concatenate([a, b, a])) == xs + ys + xs
    order = np.array([numbers.randrange(count) for _ in range(2 * count)], dtype=np.intp)
    assert ring.store(ring.take(a, order)) == [xs[i] for i in order]
    assert ring.store(ring.ones(count)) == [1] * count
    assert ring.all_units(a)
    assert ring.store_bytes(a) == b"".join(x.to_bytes(ring.ciphertext_bytes, "little") for x in xs)
    assert ring.store(ring.load_bytes(ring.store_bytes(b))) == ys


def test_a_large_batch(engine: Any, numbers: random.Random, make: Any) -> None:
    n = make.prime(numbers, 300)
    ring = engine.ring(n)
    xs = make.units(numbers, n, 1023)
    batch = ring.load(xs)
    assert ring.store(ring.multiply(batch, batch)) == [x * x % (n * n) for x in xs]
    assert ring.store(ring.product(batch, 11, 31, 3)) == axis_products(xs, 11, 31, 3, n * n)


def axis_products(xs: list[int], outer: int, terms: int, inner: int, modulus: int) -> list[int]:
    results = []
    for o in range(outer):
        for i in range(inner):
            product = 1
            for t in range(terms):
                product = product * xs[(o * terms + t) * inner + i] % modulus
            results.append(product)
    return results


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (1, 17, 1), (1, 2, 8), (1, 3, 9), (2, 5, 3), (3, 0, 2), (0, 4, 2), (9, 4, 1), (1, 40, 2)],
)
def test_products_along_an_axis(engine: Any, shape: tuple[int, int, int], numbers: random.Random, make: Any) -> None:
    n = make.prime(numbers, 520)
    ring = engine.ring(n)
    outer, terms, inner = shape
    xs = make.units(numbers, n, outer * terms * inner)
    assert ring.store(ring.product(ring.load(xs), *shape)) == axis_products(xs, *shape, n * n)


@pytest.mark.parametrize("bits", [4, 8, 60, 104, 1030, 1088, 2048])
def test_multiplication_by_plaintexts(engine: Any, bits: int, numbers: random.Random, make: Any) -> None:
    n = make.runs(numbers, bits) | 1
    ring, n_squared = engine.ring(n), n * n
    width = ring.plaintext_words
    plain = [0, 1, n - 1, n // 2, 2 ** (64 * width) - 1, *(numbers.getrandbits(64 * width) for _ in range(12))]
    xs = [numbers.randrange(n_squared) for _ in plain]
    batch = ring.load(xs)
    for offset in (0, 1, -1, n, -n - 3, -(1 << (bits - 1)), 5**400):
        product = ring.multiply_plain(batch, words_from_integers(plain, width), offset)
        assert ring.store(product) == [x * (1 + (m + offset) * n) % n_squared for x, m in zip(xs, plain, strict=True)]


def test_plaintexts_multiplied_in_a_row_keep_the_bounds_of_a_pair(engine: Any, numbers: random.Random) -> None:
    n = 2**2048 - 5
    ring, n_squared = engine.ring(n), n * n
    x, m = numbers.randrange(n_squared), numbers.randrange(n - 100, n)
    batch = ring.load([x] * 9)
    for _ in range(12):
        batch = ring.multiply_plain(batch, words_from_integers([m] * 9, 32), 0)
    assert ring.store(ring.multiply(batch, batch)) == [(x * (1 + 12 * m * n)) ** 2 % n_squared] * 9


def test_what_is_out_of_range_is_refused(engine: Any) -> None:
    n = 1000003 * 1000033
    ring = engine.ring(n)
    for value in (n * n, n * n + 5, 256**ring.ciphertext_bytes - 1, 256**ring.ciphertext_bytes, -1):
        with pytest.raises(InvalidCiphertextError):
            ring.load([1, value])
    with pytest.raises(InvalidCiphertextError):
        ring.load_bytes(b"\1" * (ring.ciphertext_bytes + 1))
    with pytest.raises(InvalidCiphertextError):
        ring.invert(ring.load([5, 1000003, 7]))
    assert not ring.all_units(ring.load([5] * 20 + [1000033 * 7]))
    assert not ring.all_units(ring.load([0]))
    with pytest.raises(IndexError):
        ring.take(ring.ones(3), np.array([3]))
    with pytest.raises(ValueError, match="size"):
        ring.multiply(ring.ones(3), ring.ones(4))
    with pytest.raises(ValueError, match="ring"):
        ring.multiply(engine.ring(2**500 - 1).ones(1), ring.ones(1))
    with pytest.raises(EngineUnavailableError):
        engine.ring(2**8500 + 1)


def test_the_longest_modulus(engine: Any, numbers: random.Random) -> None:
    n = 2**8192 - 1
    ring = engine.ring(n)
    xs = [numbers.randrange(n * n) for _ in range(3)]
    batch = ring.load(xs)
    assert ring.store(ring.multiply(batch, batch)) == [x * x % (n * n) for x in xs]


@pytest.mark.parametrize("bits", [1024, 1030, 2048, 2112, 3072, 4096])
def test_memory_of_a_resident_batch(engine: Any, bits: int) -> None:
    ring = engine.ring(2**bits - 1)
    assert ring.resident_bytes(ring.ones(64)) <= 1.5 * 64 * ring.ciphertext_bytes
    assert ring.resident_bytes(ring.ones(65)) <= 1.5 * 72 * ring.ciphertext_bytes


def test_every_element_of_a_toy_ring(engine: Any) -> None:
    n = 15
    ring, n_squared = engine.ring(n), n * n
    everything = list(range(n_squared))
    left = [x for x in everything for _ in everything]
    right = everything * n_squared
    products = ring.multiply(ring.load(left), ring.load(right))
    assert ring.store(products) == [x * y % n_squared for x, y in zip(left, right, strict=True)]
    units = [x for x in everything if gmpy2.gcd(x, n) == 1]
    assert ring.store(ring.invert(ring.load(units))) == [gmpy2.invert(x, n_squared) for x in units]
    for exponent in range(30):
        powers = ring.power_vartime(ring.load(everything), [exponent] * n_squared)
        assert ring.store(powers) == [pow(x, exponent, n_squared) for x in everything]


@pytest.mark.parametrize("count", [2**57, 2**59, 2**61, 2**63])
def test_sizes_that_overflow_are_refused(engine: Any, count: int) -> None:
    ring = engine.ring(15)
    with pytest.raises(MemoryError):
        ring.ones(count)
    with pytest.raises((MemoryError, ValueError)):
        ring.product(ring.load([]), count, 0, 8)
    with pytest.raises((MemoryError, ValueError)):
        ring.native.matrix_power_vartime(ring.load([1, 2]), np.zeros((0, 1), dtype=np.uint64), count, 5)
    with pytest.raises((MemoryError, ValueError)):
        ring.fixed_base(2, count, 4)


def test_only_batches_are_concatenated(engine: Any) -> None:
    ring = engine.ring(15)
    for bad in ([None], [ring.load([1]), 5], (ring.load([1]),)):
        with pytest.raises((TypeError, RuntimeError)):
            ring.native.concatenate(bad)


@pytest.mark.parametrize(("count", "groups", "sorts"), [(23, 3, True), (24, 3, False), (7, 1, True), (8, 1, False)])
def test_from_eight_residues_a_group_on_nothing_is_sorted(
    count: int, groups: int, sorts: bool, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorted_, by_sorting = [], Ring.grouped_product
    monkeypatch.setattr(Ring, "grouped_product", lambda *arguments: sorted_.append(1) or by_sorting(*arguments))
    ring = engine.ring(2**255 - 19)
    keys = np.arange(count) % groups
    products = ring.grouped_product(ring.load([2] * count), keys, groups)
    assert ring.store(products) == [2 ** int((keys == group).sum()) for group in range(groups)]
    assert bool(sorted_) == sorts
