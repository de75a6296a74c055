"""Key data and its validation: what a key is, apart from what it can do."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from numbers import Integral
from typing import NoReturn

from gmpy2 import is_power, is_prime, mpz

from vecphe.errors import InsecureKeyWarning, InvalidKeyError
from vecphe.numbers.primes import are_probable_primes, has_small_factor

__all__ = [
    "DEFAULT_KEY_LENGTH",
    "GREATEST_KEY_LENGTH",
    "PrivateNumbers",
    "PublicNumbers",
    "check_key_length",
    "check_private_numbers",
    "check_public_number",
]

DEFAULT_KEY_LENGTH = 3072  # 128-bit strength: NIST SP 800-57 part 1, table 2
SECURE_KEY_LENGTH = 2048  # 112-bit strength
LEAST_KEY_LENGTH = 256
GREATEST_KEY_LENGTH = 16384
_IMPORT_ROUNDS = 64


@dataclass(frozen=True, slots=True)
class PublicNumbers:
    """The public number of a key.

    Attributes
    ----------
    n : int
        Modulus.
    fingerprint : str
        Key id: 32 hexadecimal digits of SHA-256 over the big-endian bytes of n.
    """

    n: int
    fingerprint: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        data = self.n.to_bytes((self.n.bit_length() + 7) // 8, "big")
        object.__setattr__(self, "fingerprint", hashlib.sha256(b"vecphe public key\0" + data).hexdigest()[:32])

    def __repr__(self) -> str:
        if not hasattr(self, "fingerprint"):
            return "PublicNumbers(no number yet)"
        return f"PublicNumbers({self.n.bit_length()} bits, fingerprint={self.fingerprint})"


@dataclass(frozen=True, slots=True, repr=False)
class PrivateNumbers:
    """The primes of a key. Never printed, never pickled."""

    p: int
    q: int

    def __repr__(self) -> str:
        return "PrivateNumbers(...)"

    def __copy__(self) -> PrivateNumbers:
        return self

    def __deepcopy__(self, memo: object) -> PrivateNumbers:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("private key numbers refuse to be pickled; to store a key, use its save(path) or to_jwk()")


def _check_int(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InvalidKeyError(f"{name} must be an int, not {type(value).__name__}")
    return int(value)


def check_key_length(key_length: object, *, insecure: bool = False) -> int:
    """Return an acceptable key length, or raise InvalidKeyError; warn once if it is insecure.

    Parameters
    ----------
    key_length : object
        Wanted length of n in bits: even, 2048 to 16384, or from 256 if `insecure`.
    insecure : bool
        Accept (and warn about) lengths below 2048.
    """
    length = _check_int(key_length, "key_length")
    if length % 2 or not LEAST_KEY_LENGTH <= length <= GREATEST_KEY_LENGTH:
        raise InvalidKeyError(
            f"key_length must be even and from {LEAST_KEY_LENGTH} to {GREATEST_KEY_LENGTH} bits, not {length}; "
            f"the default is {DEFAULT_KEY_LENGTH}"
        )
    _check_strength(length, insecure)
    return length


def _check_strength(length: int, insecure: bool) -> None:
    if length >= SECURE_KEY_LENGTH:
        return
    if not insecure:
        raise InvalidKeyError(
            f"a {length}-bit key protects nothing; use at least {SECURE_KEY_LENGTH} bits, "
            "or pass insecure=True for tests and benchmarks"
        )
    warnings.warn(f"a {length}-bit Paillier key is insecure: for tests only", InsecureKeyWarning, stacklevel=4)


def check_public_number(n: object, *, insecure: bool = False, warn: bool = True) -> PublicNumbers:
    """Validate a modulus from outside.

    Parameters
    ----------
    n : object
    insecure : bool
        Accept fewer than 2048 bits, down to 256.
    warn : bool
        Warn about them.

    Raises
    ------
    InvalidKeyError
        If n is no int, even, out of range, prime, a perfect power, or has a factor below 2^20. None of
        this proves that n is a product of two large primes; only its maker can know.
    """
    n = _check_int(n, "n")
    if n < 1 or n.bit_length() > GREATEST_KEY_LENGTH:
        raise InvalidKeyError(f"n must be positive and of at most {GREATEST_KEY_LENGTH} bits")
    if n.bit_length() < LEAST_KEY_LENGTH:
        raise InvalidKeyError(f"n has {n.bit_length()} bits; at least {LEAST_KEY_LENGTH} are needed even for tests")
    if n % 2 == 0 or has_small_factor(n):
        raise InvalidKeyError("n has a small factor: not a Paillier modulus")
    if is_prime(n) or is_power(mpz(n)):
        raise InvalidKeyError("n is a prime or a perfect power: not a Paillier modulus")
    if warn or not insecure:
        _check_strength(n.bit_length(), insecure)
    return PublicNumbers(n)


def check_private_numbers(public: PublicNumbers, p: object, q: object) -> PrivateNumbers:
    """Validate primes from outside against their public number.

    Raises
    ------
    InvalidKeyError
        If p*q != n, p or q is composite, or they are of unequal length or too close. The message never holds
        their digits.
    """
    p, q = _check_int(p, "p"), _check_int(q, "q")
    if min(p, q) < 3 or p.bit_length() > GREATEST_KEY_LENGTH or q.bit_length() > GREATEST_KEY_LENGTH:
        raise InvalidKeyError("p and q must be odd primes")
    if p * q != public.n:
        raise InvalidKeyError("p * q is not the public key's n")
    if p.bit_length() != q.bit_length():
        raise InvalidKeyError("p and q must be of equal length")
    if abs(p - q) <= 1 << max(p.bit_length() - 100, 2):
        raise InvalidKeyError("p and q are too close to each other: n is easily factored")
    if not are_probable_primes((p, q), _IMPORT_ROUNDS):
        raise InvalidKeyError("p and q must be primes")
    # gcd(n, (p-1)(q-1)) = 1 follows: q = 1 mod p would make q at least 2p + 1, a bit longer than p.
    return PrivateNumbers(min(p, q), max(p, q))
