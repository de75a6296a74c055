"""One worker against two, around the sizes from which two are asked (`Engine.tuning`); the pool runs already."""

from __future__ import annotations

from functools import partial
from operator import matmul
from typing import Any

import joblib
import numpy as np
import pytest

from benchmarks.calls import Call, Keys
from benchmarks.common import slow_but
from vecphe import EncryptedArray, generate_keypair

BITS, ROWS = 31, 8  # of the entries of a matrix, and how many it has


@pytest.fixture(scope="module")
def pair() -> Keys:
    public_key, private_key = generate_keypair(2048)
    public_key.prepare(1 << 12)
    return public_key, private_key


def made(pair: Keys, name: str, tasks: int) -> Call:
    """A call that is so many of the smallest tasks."""
    public_key, private_key = pair
    tuning = public_key._context.engine.tuning
    products = tasks * tuning.multiply_task
    sizes = {"encrypt": tasks * tuning.encrypt_task, "decrypt": tasks * tuning.decrypt_task, "sum": products}
    size = sizes.get(name, -(-products // (ROWS * -(-BITS // 4))))
    ones, matrix = np.ones(size), np.full((ROWS, size), 2**BITS - 1)
    c = public_key.encrypt(ones[:8])[np.arange(size) % 8]
    return {
        "encrypt": Call(partial(public_key.encrypt, ones), ones),
        "decrypt": Call(partial(private_key.decrypt, c), ones),
        "sum": Call(c.sum, size),
        "matrix": Call(partial(matmul, matrix, c), matrix.sum(axis=1)),
    }[name]


@pytest.mark.parametrize("tasks", slow_but(1, 2, 4, 16))  # how many of the smallest tasks the work is
@pytest.mark.parametrize("jobs", slow_but(1, 2))
@pytest.mark.parametrize("name", ["encrypt", "decrypt", "sum", "matrix"])
def test_workers(benchmark: Any, pair: Keys, name: str, jobs: int, tasks: int) -> None:
    call = made(pair, name, tasks)
    with joblib.parallel_config(n_jobs=jobs):
        if not benchmark.disabled:
            call.run()
        result = benchmark.pedantic(call.run, rounds=1 if benchmark.disabled else 5)
    plain = pair[1].decrypt(result) if isinstance(result, EncryptedArray) else result
    np.testing.assert_array_equal(plain, call.expected)
