"""One worker against two, around the sizes from which two are asked (`Engine.tuning`); the pool runs already."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import matmul
from typing import Any

import joblib
import numpy as np
import pytest

from benchmarks.calls import Keys
from benchmarks.common import slow_but
from vecphe import EncryptedArray, PublicKey, generate_keypair

BITS, ROWS = 31, 8  # of the entries of a matrix, and how many it has


@pytest.fixture(scope="module")
def pair() -> Keys:
    public_key, private_key = generate_keypair(2048)
    public_key.prepare(1 << 12)
    return public_key, private_key


def repeated(public_key: PublicKey, count: int) -> EncryptedArray:
    return public_key.encrypt(np.ones(8))[np.arange(count) % 8]


def _encrypt(pair: Keys, tasks: int) -> tuple[Callable[[], Any], Any]:
    x = np.ones(tasks * pair[0]._context.engine.tuning.encrypt_task)
    return partial(pair[0].encrypt, x), x


def _decrypt(pair: Keys, tasks: int) -> tuple[Callable[[], Any], Any]:
    c = repeated(pair[0], tasks * pair[0]._context.engine.tuning.decrypt_task)
    return partial(pair[1].decrypt, c), np.ones(c.size)


def _sum(pair: Keys, tasks: int) -> tuple[Callable[[], Any], Any]:
    c = repeated(pair[0], tasks * pair[0]._context.engine.tuning.multiply_task)
    return c.sum, c.size


def _matrix(pair: Keys, tasks: int) -> tuple[Callable[[], Any], Any]:
    products = tasks * pair[0]._context.engine.tuning.multiply_task
    c = repeated(pair[0], -(-products // (ROWS * -(-BITS // 4))))
    matrix = np.full((ROWS, c.size), 2**BITS - 1)
    return partial(matmul, matrix, c), matrix.sum(axis=1)


@pytest.mark.parametrize("tasks", slow_but(1, 2, 4, 16))  # how many of the smallest tasks the work is
@pytest.mark.parametrize("jobs", slow_but(1, 2))
@pytest.mark.parametrize("make", [_encrypt, _decrypt, _sum, _matrix])
def test_workers(benchmark: Any, pair: Keys, make: Callable[..., Any], jobs: int, tasks: int) -> None:
    call, expected = make(pair, tasks)
    with joblib.parallel_config(n_jobs=jobs):
        if not benchmark.disabled:
            call()
        result = benchmark.pedantic(call, rounds=1 if benchmark.disabled else 5)
    plain = pair[1].decrypt(result) if isinstance(result, EncryptedArray) else result
    np.testing.assert_array_equal(plain, expected)
