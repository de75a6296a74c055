"""Rounds and whole runs of the protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.common import slow_but
from vecphe.bench import workloads
from vecphe.bench.sides import Side
from vecphe.federated import NaiveBackend, federated_learning, get_data

ETA = 1.5


@pytest.fixture(params=["naive", "vectorized", "packed"])
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "naive" and workloads.naive_module() is None:
        pytest.skip("the naive backend needs phe, which is not installed: pip install phe")
    return str(request.param)


@pytest.mark.parametrize("clients", slow_but(3, 5, 10, 25, 50))
def test_round(benchmark: Any, key_length: int, clients: int, backend: str) -> None:
    """Every client encrypts 11 values, the sum goes round and is decrypted; the side compares it with the true one."""
    side, vectors = Side(backend, key_length, clients), workloads.gradients(clients, 11)
    if not benchmark.disabled:
        side.prepare(1000, 11)
    round_ = benchmark(side.run, vectors)
    benchmark.extra_info["bytes_per_value"] = round_.total.nbytes / 11


@pytest.mark.parametrize("iterations", slow_but(1, 10, 50))
@pytest.mark.filterwarnings("ignore::vecphe.errors.InsecureKeyWarning")
def test_run(benchmark: Any, backend: str, iterations: int) -> None:
    """Five hospitals learn from the diabetes data, key generation and all, as they would without encryption."""
    chosen = NaiveBackend(workloads.naive_module()) if backend == "naive" else backend
    config = {"key_length": 1024, "n_iter": iterations, "eta": ETA, "insecure": True, "backend": chosen}
    data = get_data(5)
    result = benchmark(federated_learning, *data, config)
    X, y = data[0], data[1]
    weights = np.zeros(X[0].shape[1])
    for _ in range(iterations):
        weights -= ETA * np.mean([(A @ weights - b) @ A / len(A) for A, b in zip(X, y, strict=True)], axis=0)
    assert result.n_iter == iterations
    np.testing.assert_allclose(result.weights[0], weights, rtol=1e-9)
