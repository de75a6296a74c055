"""What randomizers are made of: their range, their structure under known primes, what is asked of the system.

That outputs differ says little: roots of 64 bits differ as well, and x in place of x^2 gives a base that is an n-th
residue all the same. With p and q known, symbols and orders tell (HAZARDS rows 11, 23, 57).
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from typing import Any

import gmpy2
import pytest
from tests.phe.conftest import Sides, sides_of

from vecphe import PrivateKey, PublicKey
from vecphe.arithmetic import words
from vecphe.numbers import primes
from vecphe.numbers.context import KeyContext
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.phe import key_generation
from vecphe.randomness.randomizers import RandomizerSource

Keypair = tuple[PublicKey, PrivateKey]
BASES = 40  # a wrong one passes each check with a chance of 1/4 at most


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What was asked of the operating system's randomness: function and argument."""
    calls: list[tuple[str, int]] = []
    for name in ("randbelow", "randbits", "token_bytes"):
        true: Callable[[int], Any] = getattr(secrets, name)

        def recorded(argument: int, name: str = name, true: Callable[[int], Any] = true) -> Any:
            calls.append((name, argument))
            return true(argument)

        monkeypatch.setattr(secrets, name, recorded)
    return calls


def bases_of(n: int) -> list[int]:
    return [RandomizerSource(KeyContext.on(PublicNumbers(n)))._random_base() for _ in range(BASES)]


def test_h11_a_base_is_the_nth_power_of_a_square(keypair: Keypair) -> None:
    """h^n with odd n is a square mod p and mod q exactly where h is: Legendre symbols of (1, 1)."""
    n, p, q = keypair[0].n, keypair[1].p, keypair[1].q
    bases = bases_of(n)
    assert len(set(bases)) == BASES
    assert {(gmpy2.legendre(base % p, p), gmpy2.legendre(base % q, q)) for base in bases} == {(1, 1)}
    assert {gmpy2.jacobi(base, n) for base in bases} == {1}
    for base in bases:
        assert 1 < base < n * n
        assert pow(base, (p - 1) * (q - 1), n * n) == 1  # an n-th residue
        assert pow(base, (p - 1) * (q - 1) // 4, n * n) == 1  # of a square, p and q being 3 mod 4
        # h, the only n-th root mod n that there is.
        h = pow(base, pow(n, -1, (p - 1) * (q - 1)), n)
        assert math.gcd(h * h - 1, n) == 1
        assert pow(h, n, n * n) == base
        assert n.bit_length() - h.bit_length() < 64


def test_h11_the_roots_of_bases_are_uniform_below_n(keypair: Keypair, asked: list[tuple[str, int]]) -> None:
    n, p, q = keypair[0].n, keypair[1].p, keypair[1].q
    bases = bases_of(n)
    assert asked == [("randbelow", n - 1)] * BASES
    # Both halves of [1, n).
    roots = [pow(base, pow(n, -1, (p - 1) * (q - 1)), n) for base in bases]
    assert 0 < sum(2 * root > n for root in roots) < BASES


def test_h23_textbook_roots_are_uniform_units(keypair: Keypair, asked: list[tuple[str, int]]) -> None:
    n, p, q = keypair[0].n, keypair[1].p, keypair[1].q
    source = RandomizerSource(KeyContext.on(PublicNumbers(n)), "textbook")
    values = source.context.ring.store(source.draw(BASES))
    assert asked == [("randbelow", n - 1)] * BASES
    roots = [pow(value, pow(n, -1, (p - 1) * (q - 1)), n) for value in values]
    assert [pow(root, n, n * n) for root in roots] == values
    assert max(root.bit_length() for root in roots) >= n.bit_length() - 8
    assert 0 < sum(2 * root > n for root in roots) < BASES
    symbols = {(gmpy2.legendre(root % p, p), gmpy2.legendre(root % q, q)) for root in roots}
    assert symbols == {(1, 1), (1, -1), (-1, 1), (-1, -1)}  # no structure


@pytest.mark.parametrize(("scheme", "bits"), [("djn", 256), ("djn-short", 256)])
@pytest.mark.parametrize("count", [1, 3, 40])
def test_exponents_have_all_their_bits(
    keypair: Keypair, asked: list[tuple[str, int]], scheme: Any, bits: int, count: int
) -> None:
    source = RandomizerSource(keypair[0]._context, scheme)
    source.prepare(1000)
    asked.clear()
    seen: list[Any] = []
    power = source._table.power_secret  # type: ignore[union-attr]
    source._table.power_secret = lambda exponents: (seen.append(exponents), power(exponents))[1]  # type: ignore
    source.draw(count)
    assert asked == [("token_bytes", bits // 8 * count)]
    assert [exponents.shape for exponents in seen] == [(count, bits // 64)]


@pytest.mark.parametrize("bits", [1, 63, 64, 65, 129, 512])
def test_random_words_reach_every_bit_and_no_other(bits: int) -> None:
    integers = [int(value) for value in words.integers_from_words(words.random_words(200, bits))]
    union = 0
    for value in integers:
        union |= value
    assert union == (1 << bits) - 1
    assert len(set(integers)) == (2 if bits == 1 else 200)


def test_randomizers_of_a_base_fill_its_group(keypair: Keypair) -> None:
    """Powers of one base are squares too, of order beyond what short exponents would reach."""
    n, p, q = keypair[0].n, keypair[1].p, keypair[1].q
    source = RandomizerSource(KeyContext.on(PublicNumbers(n)))
    values = source.context.ring.store(source.draw(200))
    assert len({value % n for value in values}) == 200
    assert {(gmpy2.legendre(value % p, p), gmpy2.legendre(value % q, q)) for value in values} == {(1, 1)}
    assert 0 < sum(value % n > n // 2 for value in values) < 200


def test_the_facade_asks_for_as_much(asked: list[tuple[str, int]]) -> None:
    short, djn = sides_of(512), sides_of(1024)
    asked.clear()
    short.public.encrypt(5)
    assert asked == [("randbelow", short.public.n - 1)]
    for _ in range(2):
        djn.public.encrypt(5)
    asked.clear()
    djn.public.encrypt(5)  # draws a batch of 8 behind a base of its own
    assert asked == [("randbelow", djn.public.n - 1), ("token_bytes", 8 * 64)]
    asked.clear()
    assert 1 <= djn.public.get_random_lt_n() < djn.public.n
    assert asked == [("randbelow", djn.public.n - 1)]
    number: Any = djn.public.encrypt(5, r_value=1)
    number.obfuscate()
    assert number.ciphertext(False) % djn.public.n != 1
    _is_nth_residue_times(djn, number, 5)


def _is_nth_residue_times(sides: Sides, number: Any, value: int) -> None:
    n, p, q = sides.public.n, sides.private.p, sides.private.q
    residue = number.ciphertext(False) * pow(1 + n, -value, n * n) % (n * n)
    assert pow(residue, (p - 1) * (q - 1), n * n) == 1


@pytest.mark.parametrize("bits", [128, 256])
def test_primes_are_asked_in_full_length(asked: list[tuple[str, int]], bits: int) -> None:
    p, q = primes.random_prime_pair(2 * bits)
    asks = [argument for name, argument in asked if name == "randbits"]
    assert len(asks) >= 2
    assert set(asks) == {bits}
    assert (p % 4, q % 4, p.bit_length(), q.bit_length()) == (3, 3, bits, bits)
    asked.clear()
    p, q = key_generation.prime_pair(2 * bits - 1)  # odd lengths are the facade's
    asks = [argument for name, argument in asked if name == "randbits"]
    assert len(asks) >= 2
    assert set(asks) == {bits}


def test_prime_bits_are_free_but_for_the_fixed_ones() -> None:
    """Over many primes each bit takes both values: two at the top and two at the bottom are set."""
    found = [prime for _ in range(30) for prime in primes.random_prime_pair(256)]
    ones, zeros = 0, 0
    for prime in found:
        ones |= prime
        zeros |= ~prime
    assert ones == (1 << 128) - 1
    assert zeros & ((1 << 128) - 1) == ((1 << 128) - 1) ^ 0b11 ^ (0b11 << 126)
