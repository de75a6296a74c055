"""pypaillier (Rust on GMP) on one thread: set RAYON_NUM_THREADS=1 before the first import of this module.

Its encryption uses short exponents, so it computes less than vecphe's default does.
"""

from __future__ import annotations

from functools import cache

import paillier

NAME = "pypaillier"
LEAST_KEY_LENGTH = 2048  # shorter ones are refused


class Peer:
    """One key pair of pypaillier, which only decrypts with keys of its own (safe primes)."""

    ERROR = 1e-8

    def __init__(self, key_length: int) -> None:
        self.public_key, self.private_key = paillier.generate_keypair(key_length)

    def encrypt(self, values: list[float]) -> list[bytes]:
        return [bytes(blob) for blob in paillier.encrypt_many(self.public_key, values)]

    def decrypt(self, blobs: list[bytes]) -> list[float]:
        return [paillier.decrypt(self.private_key, blob) for blob in blobs]

    def add(self, left: list[bytes], right: list[bytes]) -> list[bytes]:
        return [self.sum([a, b]) for a, b in zip(left, right, strict=True)]

    def sum(self, blobs: list[bytes]) -> bytes:
        return bytes(paillier.add_many(self.public_key, blobs))


@cache
def make(key_length: int) -> Peer:
    """With one key a process: safe primes take long to find."""
    return Peer(key_length)
