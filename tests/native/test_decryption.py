"""Decryption of every target against the definition of the scheme."""

from __future__ import annotations

import random
from typing import Any

import gmpy2
import pytest

from vecphe.arithmetic.gmp import GmpRing
from vecphe.arithmetic.words import integers_from_words
from vecphe.errors import InvalidCiphertextError


def encrypt(m: int, r: int, n: int) -> int:
    return int((1 + m * n) * gmpy2.powmod(r, n, n * n) % (n * n))


@pytest.mark.parametrize("bits", [8, 20, 64, 104, 200, 1024, 1030, 2048])
def test_decryption(engine: Any, bits: int, numbers: random.Random, make: Any) -> None:
    p, q = make.key(numbers, bits)
    n = p * q
    ring, decryptor = engine.ring(n), engine.decryptor(p, q)
    plain = [0, 1, n - 1, n // 2, *(numbers.randrange(n) for _ in range(13))]
    ciphertexts = [encrypt(m, make.units(numbers, n, 1)[0] % n, n) for m in plain]
    for count in (0, 1, 2, 3, 4, 5, 8, 9, 17):
        batch = ring.load(ciphertexts[:count])
        for offset in (0, 7, -1, n - 1):
            words = decryptor.decrypt(ring, batch, offset)
            assert words.shape == (count, ring.plaintext_words)
            assert integers_from_words(words) == [(m + offset) % n for m in plain[:count]]


@pytest.mark.parametrize("bits", [2112, 2240, 3072, 4096])
def test_decryption_of_long_keys(engine: Any, bits: int, numbers: random.Random, make: Any) -> None:
    if engine.target not in ("ifma512", "fma512") and bits > 2240:
        pytest.skip("long keys take seconds on this target")
    p, q = make.key(numbers, bits)
    n = p * q
    ring = engine.ring(n)
    batch = ring.load([encrypt(n - 2, 3, n), encrypt(5, n - 2, n), encrypt(0, 1, n)])
    assert integers_from_words(engine.decryptor(p, q).decrypt(ring, batch, 0)) == [n - 2, 5, 0]


@pytest.mark.parametrize(("p", "q"), [(3, 5), (5, 7), (7, 5), (3, 11), (11, 23), (101, 3)])
def test_every_ciphertext_of_a_toy_key(engine: Any, p: int, q: int) -> None:
    n = p * q
    ring, decryptor = engine.ring(n), engine.decryptor(p, q)
    pairs = [(m, r) for m in range(n) for r in range(1, n) if gmpy2.gcd(r, n) == 1]
    batch = ring.load([encrypt(m, r, n) for m, r in pairs])
    assert integers_from_words(decryptor.decrypt(ring, batch, 0)) == [m for m, _ in pairs]


@pytest.mark.parametrize("position", [0, 3, 4, 8, 9])
def test_what_is_no_unit_is_refused(engine: Any, position: int, numbers: random.Random, make: Any) -> None:
    p, q = make.key(numbers, 512)
    n = p * q
    ring, decryptor = engine.ring(n), engine.decryptor(p, q)
    for bad in (0, p, q, p * p, n, 12345 * q, n * (n - 1)):
        values = make.units(numbers, n, 10)
        values[position] = bad
        with pytest.raises(InvalidCiphertextError):
            decryptor.decrypt(ring, ring.load(values), 0)


def test_the_ring_of_another_key_is_refused(engine: Any, numbers: random.Random, make: Any) -> None:
    n = 2**255 - 19
    p, q = make.key(numbers, 255)
    ring = engine.ring(n)
    with pytest.raises(ValueError, match="another key"):
        engine.decryptor(p, q).decrypt(ring, ring.load([3, 5]), 0)
    own, of_gmp = engine.ring(p * q), GmpRing(p * q)
    with pytest.raises(ValueError, match="another key"):
        engine.decryptor(p, q).decrypt(of_gmp, own.load([3, 5]), 0)
