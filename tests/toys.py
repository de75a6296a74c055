"""The test-only door to keys that break the key rules."""

from __future__ import annotations

from vecphe import PrivateKey, PublicKey
from vecphe.numbers import PrivateNumbers, PublicNumbers


def toy_keypair(p: int, q: int) -> tuple[PublicKey, PrivateKey]:
    public_key = PublicKey._from_numbers(PublicNumbers(p * q), "textbook")
    return public_key, PrivateKey._from_numbers(public_key, PrivateNumbers(min(p, q), max(p, q)))
