"""The test-only door to keys that break the key rules, and numbers that do."""

from __future__ import annotations

from gmpy2 import is_prime

from vecphe import PrivateKey, PublicKey
from vecphe.numbers.key_numbers import PrivateNumbers, PublicNumbers
from vecphe.numbers.primes import has_small_factor


def toy_keypair(p: int, q: int) -> tuple[PublicKey, PrivateKey]:
    public_key = PublicKey._from_numbers(PublicNumbers(p * q), "textbook")
    return public_key, PrivateKey._from_numbers(public_key, PrivateNumbers(min(p, q), max(p, q)))


def composite_after(prime: int) -> int:
    """The next number of the form of a key's prime that is none, though no small factor tells."""
    number = prime + 4
    while is_prime(number) or has_small_factor(number):
        number += 4
    return number
