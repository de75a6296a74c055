"""Number theory under phe's names, for code that took it from ``phe.util``. Nothing here uses this module."""

from __future__ import annotations

import base64
import math
import secrets
from typing import Any

import gmpy2

from vecphe.numbers.primes import is_probable_prime

__all__ = [
    "HAVE_CRYPTO",
    "HAVE_GMP",
    "base64_to_int",
    "base64url_decode",
    "base64url_encode",
    "extended_euclidean_algorithm",
    "first_primes",
    "getprimeover",
    "improved_i_sqrt",
    "int_to_base64",
    "invert",
    "is_prime",
    "isqrt",
    "miller_rabin",
    "mulmod",
    "powmod",
]

HAVE_GMP = True  # always: it is required
HAVE_CRYPTO = False

first_primes = [2]
while len(first_primes) < 2048:
    first_primes.append(int(gmpy2.next_prime(first_primes[-1])))


def powmod(a: int, b: int, c: int) -> int:
    """``a**b mod c``; not constant-time."""
    return int(gmpy2.powmod(a, b, c))


def mulmod(a: int, b: int, c: int) -> int:
    """``a * b mod c``."""
    return int(gmpy2.mpz(a) * b % c)


def invert(a: int, b: int) -> int:
    """Inverse of a mod b; ZeroDivisionError if there is none."""
    return int(gmpy2.invert(a, b))


def extended_euclidean_algorithm(a: int, b: int) -> tuple[int, int, int]:
    """The greatest common divisor r of a and b, and s and t with ``r == s*a + t*b``."""
    r, s, t = gmpy2.gcdext(a, b)
    return int(r), int(s), int(t)


def getprimeover(N: int) -> int:  # noqa: N803 - phe's name
    """Random prime of exactly N bits, from the operating system's randomness; 2 for N = 1."""
    if N < 1:
        raise ValueError("N must be at least 1")
    if N == 1:
        return 2
    while True:
        candidate = secrets.randbits(N) | 1 << (N - 1)
        if gmpy2.is_prime(candidate) and is_probable_prime(candidate, 5):
            return candidate


def isqrt(N: int) -> int:  # noqa: N803 - phe's name
    """Largest integer whose square is at most N."""
    return math.isqrt(N)


def improved_i_sqrt(n: int) -> int:
    """Largest integer whose square is at most n."""
    return math.isqrt(n)


def miller_rabin(n: int, k: int) -> bool:
    """Whether n > 1 is probably prime: k strong-probable-prime rounds with random bases, then a Lucas test."""
    if n < 2:
        raise ValueError("n must be at least 2")
    return is_probable_prime(n, k)


def is_prime(n: int, mr_rounds: int = 25) -> bool:
    """Whether n is probably prime; False for all n below 2."""
    return is_probable_prime(n, mr_rounds)


def base64url_encode(payload: str | bytes) -> str:
    """Base64url without padding."""
    data = payload.encode("utf-8") if isinstance(payload, str) else payload
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def base64url_decode(payload: str) -> bytes:
    """Bytes of base64url, with or without padding; ValueError for anything else."""
    if "+" in payload or "/" in payload:
        raise ValueError("base64url has - and _ where other base64 has + and /")
    payload = payload.rstrip("=")
    return base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True)


class _NotPositiveError(ValueError, AssertionError):
    """What phe says with an assertion."""


def base64_to_int(source: str) -> int:
    """The integer of big-endian bytes in base64url."""
    data = base64url_decode(source)
    if not data:
        raise ValueError("there is no integer in an empty string")
    return int.from_bytes(data, "big")


def int_to_base64(source: Any) -> str:
    """Base64url of the big-endian bytes of a positive integer."""
    if not isinstance(source, int) or source <= 0:
        raise _NotPositiveError("only positive integers can be encoded")
    return base64url_encode(source.to_bytes((source.bit_length() + 7) // 8, "big"))
