"""One worker against two, around the sizes from which two are asked (`Engine.tuning`); the pool runs already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pytest

from benchmarks.common import slow_but
from vecphe import EncryptedArray, PrivateKey, PublicKey, generate_keypair
from vecphe.arithmetic import Tuning

BITS = 31  # of the entries of a matrix
Keys = tuple[PublicKey, PrivateKey]


@pytest.fixture(scope="module")
def pair() -> Keys:
    public_key, private_key = generate_keypair(2048)
    public_key.prepare(1 << 12)
    return public_key, private_key


@pytest.fixture
def tuning(pair: Keys) -> Tuning:
    return pair[0]._context.engine.tuning


@pytest.fixture(params=slow_but(1, 2))
def jobs(request: pytest.FixtureRequest) -> Iterator[int]:
    with joblib.parallel_config(n_jobs=request.param):
        yield request.param


@pytest.fixture(params=slow_but(1, 2, 4, 16))
def tasks(request: pytest.FixtureRequest) -> int:
    """How many of the smallest tasks the work is."""
    return int(request.param)


def measured(benchmark: Any, call: Any) -> Any:
    if not benchmark.disabled:
        call()
    return benchmark.pedantic(call, rounds=1 if benchmark.disabled else 5)


def repeated(public_key: PublicKey, count: int) -> EncryptedArray:
    return public_key.encrypt(np.ones(8))[np.arange(count) % 8]


def test_encrypt(benchmark: Any, pair: Keys, tuning: Tuning, jobs: int, tasks: int) -> None:
    x = np.ones(tasks * tuning.encrypt_task)
    assert measured(benchmark, lambda: pair[0].encrypt(x)).size == len(x)


def test_decrypt(benchmark: Any, pair: Keys, tuning: Tuning, jobs: int, tasks: int) -> None:
    c = repeated(pair[0], tasks * tuning.decrypt_task)
    assert measured(benchmark, lambda: pair[1].decrypt(c)).all()


def test_sum(benchmark: Any, pair: Keys, tuning: Tuning, jobs: int, tasks: int) -> None:
    c = repeated(pair[0], tasks * tuning.multiply_task)
    assert pair[1].decrypt(measured(benchmark, c.sum)) == c.size


def test_matrix(benchmark: Any, pair: Keys, tuning: Tuning, jobs: int, tasks: int) -> None:
    rows = 8
    c = repeated(pair[0], -(-tasks * tuning.multiply_task // (rows * -(-BITS // 4))))
    matrix = np.full((rows, c.size), 2**BITS - 1)
    assert pair[1].decrypt(measured(benchmark, lambda: matrix @ c)).tolist() == [c.size * (2**BITS - 1)] * rows
