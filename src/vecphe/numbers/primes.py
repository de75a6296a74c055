"""Prime search and tests. Witnesses come from the operating system, never from a seeded generator."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable
from functools import lru_cache

from gmpy2 import gcd, is_prime, is_selfridge_prp, is_strong_prp, mpz, primorial

__all__ = ["are_probable_primes", "has_small_factor", "is_probable_prime", "random_prime_pair"]

_SMALL_FACTOR_LIMIT = 1 << 20


@lru_cache(maxsize=1)
def _small_primes_product() -> mpz:
    return primorial(_SMALL_FACTOR_LIMIT)


def has_small_factor(n: int) -> bool:
    """Whether a prime below 2^20 divides n (n itself included)."""
    return bool(gcd(_small_primes_product(), n) > 1)


def is_probable_prime(candidate: int, rounds: int) -> bool:
    """Strong-probable-prime test to `rounds` random bases, then a Lucas test.

    Parameters
    ----------
    candidate : int
    rounds : int
        A composite chosen by an adversary passes with probability at most 4**-rounds.

    Notes
    -----
    FIPS 186-5, appendix B.3.
    """
    return are_probable_primes((candidate,), rounds)


def are_probable_primes(candidates: Iterable[int], rounds: int) -> bool:
    """`is_probable_prime` of all candidates, in turn.

    One round finds almost every composite, so that one among primes is found after a round of each.
    """
    large = [mpz(candidate) for candidate in candidates if candidate not in (2, 3)]
    if any(candidate < 5 or candidate % 2 == 0 for candidate in large):
        return False
    for _ in range(rounds):
        for candidate in large:
            base = 2 + secrets.randbelow(int(candidate) - 3)
            if gcd(base, candidate) != 1 or not is_strong_prp(candidate, base):
                return False
    return all(is_selfridge_prp(candidate) for candidate in large)


def _random_prime(bits: int) -> int:
    """A random prime = 3 mod 4 of exactly `bits` bits with its two top bits set."""
    while True:
        candidate = secrets.randbits(bits) | (0b11 << (bits - 2)) | 0b11
        # The library's test (trial division, Baillie-PSW) sorts out composites fast; five random rounds follow.
        if is_prime(candidate) and is_probable_prime(candidate, 5):
            return candidate


def random_prime_pair(key_length: int) -> tuple[int, int]:
    """Primes p < q for a Paillier key whose n = p*q has exactly `key_length` bits.

    Both are 3 mod 4 (Blum primes, which the DJN randomizers want), gcd(p-1, q-1) = 2, and they differ in
    their top 100 bits at the lengths that matter (FIPS 186-5, appendix A.1.3).

    Parameters
    ----------
    key_length : int
        Even, at least 16.
    """
    half = key_length // 2
    least_difference = 1 << max(half - 100, 2)
    p = _random_prime(half)
    while True:
        q = _random_prime(half)
        if abs(p - q) > least_difference and math.gcd(p - 1, q - 1) == 2:
            return min(p, q), max(p, q)
