"""Powers, fixed bases and products of powers of every target against Python integers."""

from __future__ import annotations

import random
from typing import Any

import pytest

from vecphe.arithmetic.words import words_from_integers
from vecphe.errors import InvalidCiphertextError


def exponents_of(numbers: random.Random, bits: int, count: int) -> list[int]:
    full = (1 << bits) - 1
    edge = [0, full, full // 2 + 1, 1 if bits else 0, full // 3, 2**64 & full]
    return (edge + [numbers.getrandbits(bits) if bits else 0 for _ in range(count)])[:count]


@pytest.mark.parametrize("exponent_bits", [0, 1, 2, 31, 63, 64, 65, 200])
@pytest.mark.parametrize("bits", [6, 300, 1024])
def test_powers(engine: Any, bits: int, exponent_bits: int, numbers: random.Random) -> None:
    n = 2**bits - 1
    ring, n_squared = engine.ring(n), n * n
    exponents = exponents_of(numbers, exponent_bits, 9)
    xs = [0, 1, n - 1, n, *(numbers.randrange(n_squared) for _ in range(5))]
    expected = [pow(x, e, n_squared) for x, e in zip(xs, exponents, strict=True)]
    batch = ring.load(xs)
    assert ring.store(ring.power_vartime(batch, exponents)) == expected
    width = -(-exponent_bits // 64)
    assert ring.store(ring.power_secret(batch, words_from_integers(exponents, width + 1))) == expected


def test_full_length_exponent(engine: Any, numbers: random.Random, make: Any) -> None:
    n = make.prime(numbers, 1024)
    ring = engine.ring(n)
    xs = make.units(numbers, n, 3)
    exponents = [n, n - 1, numbers.randrange(n * n)]
    expected = [pow(x, e, n * n) for x, e in zip(xs, exponents, strict=True)]
    assert ring.store(ring.power_vartime(ring.load(xs), exponents)) == expected
    assert ring.store(ring.power_secret(ring.load(xs), words_from_integers(exponents, 32))) == expected


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 8, 9, 17])
@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 7, 8])
@pytest.mark.parametrize("bits", [5, 150, 512, 1024])
def test_fixed_base(engine: Any, bits: int, window: int, count: int, numbers: random.Random, make: Any) -> None:
    n = make.prime(numbers, bits)
    ring, n_squared = engine.ring(n), n * n
    base = make.units(numbers, n, 1)[0]
    for exponent_bits in (1, 65, 100):
        table = ring.fixed_base(base, exponent_bits, window)
        exponents = exponents_of(numbers, exponent_bits, count)
        powers = table.power_secret(words_from_integers(exponents, 2).reshape(-1, 2))
        assert ring.store(powers) == [pow(base, e, n_squared) for e in exponents]
        assert table.table_bytes > 0


@pytest.mark.parametrize("bits", [1030, 2048, 2064, 2069, 3072])
def test_fixed_base_of_long_moduli(engine: Any, bits: int, numbers: random.Random, make: Any) -> None:
    n = make.runs(numbers, bits) | 1
    ring, n_squared = engine.ring(n), n * n
    base = make.units(numbers, n, 1)[0]
    table = ring.fixed_base(base, bits // 2, 6)
    for count in (1, 9):
        exponents = exponents_of(numbers, bits // 2, count)
        powers = table.power_secret(words_from_integers(exponents, -(-bits // 128)))
        assert ring.store(powers) == [pow(base, e, n_squared) for e in exponents]


def test_thousands_of_rows(engine: Any, numbers: random.Random, make: Any) -> None:
    # More logarithms than fit R unreduced; and as n ends 12 bits below R, one delayed product in 2^12 overflows R.
    n = 2**508 - 1
    ring = engine.ring(n)
    base = make.units(numbers, n, 1)[0]
    table = ring.fixed_base(base, 4500, 1)
    exponents = [2**4500 - 1, *(numbers.getrandbits(4500) for _ in range(39))]
    expected = [pow(base, e, n * n) for e in exponents]
    assert ring.store(table.power_secret(words_from_integers(exponents, 71))) == expected
    assert ring.store(table.power_secret(words_from_integers(exponents[:3], 71))) == expected[:3]


def test_exponent_bits_above_the_table_are_ignored_and_bases_must_be_units(engine: Any) -> None:
    n = 1000003 * 1000033
    ring = engine.ring(n)
    table = ring.fixed_base(7, 10, 4)
    exponents = words_from_integers([2**10 + 3] * 6, 1)
    assert ring.store(table.power_secret(exponents)) == [343] * 6
    with pytest.raises(InvalidCiphertextError):
        ring.fixed_base(1000003, 10, 4)


@pytest.mark.parametrize("columns", [1, 5, 8, 17])
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 5, 8, 9, 40])
def test_matrix_powers(engine: Any, rows: int, columns: int, numbers: random.Random, make: Any) -> None:
    n = make.prime(numbers, 515)
    ring, n_squared = engine.ring(n), n * n
    xs = make.units(numbers, n, columns)
    for bits in (0, 1, 32, 70):
        matrix = [exponents_of(numbers, bits, columns) for _ in range(rows)]
        expected = []
        for row in matrix:
            product = 1
            for x, e in zip(xs, row, strict=True):
                product = product * pow(x, e, n_squared) % n_squared
            expected.append(product)
        assert ring.store(ring.matrix_power_vartime(matrix, ring.load(xs))) == expected


def test_public_exponents_are_checked(engine: Any) -> None:
    ring = engine.ring(1000003 * 1000033)
    with pytest.raises(ValueError, match="negative"):
        ring.power_vartime(ring.ones(2), [1, -1])
    with pytest.raises(ValueError, match="entry"):
        ring.matrix_power_vartime([[1, 2], [1]], ring.ones(2))
