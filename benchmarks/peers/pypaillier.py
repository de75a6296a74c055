"""pypaillier (Rust on GMP) on one thread: set RAYON_NUM_THREADS=1 before the first import of this module.

Its encryption uses short exponents, so it computes less than vecphe's default does.
"""

from __future__ import annotations

import paillier

NAME = "pypaillier"


class Peer:
    """One key pair of pypaillier, which only decrypts with keys of its own (safe primes)."""

    def __init__(self, key_length: int) -> None:
        self.public_key, self.private_key = paillier.generate_keypair(key_length)

    def encrypt(self, values: list[float]) -> list[bytes]:
        return [bytes(blob) for blob in paillier.encrypt_many(self.public_key, values)]

    def decrypt(self, blobs: list[bytes]) -> list[float]:
        return [paillier.decrypt(self.private_key, blob) for blob in blobs]

    def sum(self, blobs: list[bytes]) -> bytes:
        return bytes(paillier.add_many(self.public_key, blobs))
