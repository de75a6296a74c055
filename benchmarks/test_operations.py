"""pytest-benchmark timings of the basic operations; `make test` runs them once, untimed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecphe
from vecphe import PrivateKey, PublicKey

X = np.random.default_rng(1).normal(size=64)


@pytest.fixture(scope="module", params=[1024, 2048])
def keypair(request: pytest.FixtureRequest) -> tuple[PublicKey, PrivateKey]:
    public_key, private_key = vecphe.generate_keypair(request.param, insecure=True)
    public_key.prepare(4096)
    return public_key, private_key


@pytest.mark.parametrize("packed", [False, True])
def test_encrypt(benchmark: Any, keypair: tuple[PublicKey, PrivateKey], packed: bool) -> None:
    c = benchmark(keypair[0].encrypt, X, packed=packed)
    np.testing.assert_allclose(keypair[1].decrypt(c), X, atol=2.0**-41, rtol=0)


@pytest.mark.parametrize("packed", [False, True])
def test_add(benchmark: Any, keypair: tuple[PublicKey, PrivateKey], packed: bool) -> None:
    c = keypair[0].encrypt(X, packed=packed)
    total = benchmark(lambda: c + c)
    np.testing.assert_allclose(keypair[1].decrypt(total), 2 * X, atol=2.0**-40, rtol=0)


def test_multiply_by_floats(benchmark: Any, keypair: tuple[PublicKey, PrivateKey]) -> None:
    c = keypair[0].encrypt(X)
    product = benchmark(lambda: c * X)
    np.testing.assert_allclose(keypair[1].decrypt(product), X * X, rtol=1e-15)


@pytest.mark.parametrize("packed", [False, True])
def test_decrypt(benchmark: Any, keypair: tuple[PublicKey, PrivateKey], packed: bool) -> None:
    c = keypair[0].encrypt(X, packed=packed)
    decrypted = benchmark(keypair[1].decrypt, c)
    np.testing.assert_allclose(decrypted, X, atol=2.0**-41, rtol=0)
