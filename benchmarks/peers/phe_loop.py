"""phe as its users call it: a Python loop."""

from __future__ import annotations

import phe

from vecphe.bench import workloads

NAME = "phe"


class Peer:
    """One key pair of phe with given primes; values keep 112 fraction bits, so exponents are equal."""

    ERROR = 0.0

    def __init__(self, n: int, p: int, q: int) -> None:
        self.public_key = phe.PaillierPublicKey(n)
        self.private_key = phe.PaillierPrivateKey(self.public_key, p, q)

    def encrypt(self, values: list[float]) -> list[phe.EncryptedNumber]:
        return [self.public_key.encrypt(value, precision=2.0**-112) for value in values]

    def decrypt(self, numbers: list[phe.EncryptedNumber]) -> list[float]:
        return [self.private_key.decrypt(number) for number in numbers]

    @staticmethod
    def add(left: list[phe.EncryptedNumber], right: list[phe.EncryptedNumber]) -> list[phe.EncryptedNumber]:
        return [a + b for a, b in zip(left, right, strict=True)]

    @staticmethod
    def multiply(numbers: list[phe.EncryptedNumber], factors: list[int]) -> list[phe.EncryptedNumber]:
        return [number * factor for number, factor in zip(numbers, factors, strict=True)]


def make(key_length: int) -> Peer:
    """On the key that the other benchmarks of this process use."""
    public_key, private_key = workloads.keypair(key_length)
    return Peer(public_key.n, private_key.p, private_key.q)
