"""Primes for keys of any length from 8 bits: phe's users make odd and very short ones for their tests."""

from __future__ import annotations

import math
import secrets
from typing import Any

from gmpy2 import is_prime

from vecphe.errors import InvalidKeyError
from vecphe.numbers.key_numbers import GREATEST_KEY_LENGTH
from vecphe.numbers.primes import is_probable_prime, random_prime_pair

__all__ = ["prime_pair"]

LEAST_LENGTH = 8
_LEAST_REGULAR = 32  # the library's own primes: 3 mod 4 with two top bits set, of which short ones are few
_LISTED = 16  # below, all pairs are listed


def prime_pair(n_length: Any) -> tuple[int, int]:
    """Primes p < q of equal length whose product has exactly `n_length` bits.

    Raises
    ------
    TypeError
        If the length is no int.
    InvalidKeyError
        If it is too small or too large.
    """
    if isinstance(n_length, bool) or not isinstance(n_length, int):
        raise TypeError(f"n_length must be an int, not {type(n_length).__name__}")
    if not LEAST_LENGTH <= n_length <= GREATEST_KEY_LENGTH:
        raise InvalidKeyError(f"n_length must be from {LEAST_LENGTH} to {GREATEST_KEY_LENGTH} bits, not {n_length}")
    if n_length < _LISTED:
        return _listed_pair(n_length)
    if n_length % 2 or n_length < _LEAST_REGULAR:
        return _searched_pair(n_length)
    return random_prime_pair(n_length)


def _listed_pair(n_length: int) -> tuple[int, int]:
    half = (n_length + 1) // 2
    primes = [value for value in range(1 << (half - 1), 1 << half) if is_prime(value)]
    # gcd(n, (p-1)(q-1)) = 1 follows: q = 1 mod p would make q at least 2p + 1, a bit longer than p.
    return secrets.choice([(p, q) for p in primes for q in primes if p < q and (p * q).bit_length() == n_length])


def _searched_pair(n_length: int) -> tuple[int, int]:
    half = (n_length + 1) // 2
    least_difference = 1 << max(half - 100, 2)
    while True:
        p, q = sorted((_blum_prime(half), _blum_prime(half)))
        if q - p > least_difference and (p * q).bit_length() == n_length and math.gcd(p - 1, q - 1) == 2:
            return p, q


def _blum_prime(bits: int) -> int:
    """A random prime = 3 mod 4 of exactly `bits` bits."""
    while True:
        candidate = secrets.randbits(bits) | 1 << (bits - 1) | 0b11
        if is_prime(candidate) and is_probable_prime(candidate, 5):
            return candidate
