"""Ciphertexts made here decrypt under phe with the same primes, and the reverse."""

from __future__ import annotations

import math

import numpy as np
import phe
import pytest

import vecphe
from vecphe import FixedPoint, PrivateKey, PublicKey

X = np.array([0.0, 1.0, -1.0, math.pi, -1e-9, 123456.789, 2.0**-52])


@pytest.fixture(scope="module", params=[1024, 2048, 3072])
def keypair(request: pytest.FixtureRequest) -> tuple[PublicKey, PrivateKey]:
    return vecphe.generate_keypair(request.param, insecure=True)


@pytest.fixture
def phe_keypair(
    keypair: tuple[PublicKey, PrivateKey],
) -> tuple[phe.PaillierPublicKey, phe.PaillierPrivateKey]:
    public_key = phe.PaillierPublicKey(keypair[0].n)
    return public_key, phe.PaillierPrivateKey(public_key, keypair[1].p, keypair[1].q)


def test_ours_decrypt_under_phe(
    keypair: tuple[PublicKey, PrivateKey], phe_keypair: tuple[phe.PaillierPublicKey, phe.PaillierPrivateKey]
) -> None:
    phe_public, phe_private = phe_keypair
    for c, expected in ((keypair[0].encrypt(X), X), (keypair[0].encrypt(X) * 3 - 1.5, 3 * X - 1.5)):
        exponent = -c.format.fraction_bits // 4
        numbers = [phe.EncryptedNumber(phe_public, value, exponent) for value in c.ciphertexts()]
        np.testing.assert_allclose([phe_private.decrypt(number) for number in numbers], expected, rtol=1e-15)
    assert [
        phe_private.decrypt(phe.EncryptedNumber(phe_public, v, -28)) for v in keypair[0].encrypt(X).ciphertexts()
    ] == (X.tolist())


def test_phes_decrypt_here(
    keypair: tuple[PublicKey, PrivateKey], phe_keypair: tuple[phe.PaillierPublicKey, phe.PaillierPrivateKey]
) -> None:
    numbers = [phe_keypair[0].encrypt(value, precision=2.0**-112) for value in X.tolist()]
    (exponent,) = {number.exponent for number in numbers}
    c = keypair[0].from_ciphertexts(
        [number.ciphertext() for number in numbers], encoding=FixedPoint(-4 * exponent, 2**64)
    )
    assert keypair[1].decrypt(c).tolist() == X.tolist()
    total = c + keypair[0].encrypt(X)
    assert keypair[1].decrypt(total).tolist() == (2 * X).tolist()


def test_random_encryptors_of_one_key_add_up(keypair: tuple[PublicKey, PrivateKey]) -> None:
    """Different bases, textbook and DJN, all under one n."""
    n = keypair[0].n
    total = keypair[0].encrypt(X)
    for scheme in ("djn", "djn-short", "textbook"):
        total = total + PublicKey(n, insecure=True, randomizers=scheme).encrypt(X)  # type: ignore[arg-type]
    assert keypair[1].decrypt(total).tolist() == (4 * X).tolist()
