"""Rounds and whole runs of the protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.common import slow, slow_but
from vecphe.bench import workloads
from vecphe.bench.sides import Side
from vecphe.federated import NaiveBackend, federated_learning, get_data

ETA = 1.5
BACKENDS = ["naive", "vectorized", "packed"]


def side(backend: str, key_length: int, clients: int) -> Side:
    if backend == "naive" and workloads.naive_module() is None:
        pytest.skip("the naive backend needs phe, which is not installed: pip install phe")
    return Side(backend, key_length, clients)


@pytest.mark.parametrize("clients", slow_but(3, 5, 10, 25, 50))
@pytest.mark.parametrize("backend", BACKENDS)
def test_round(benchmark: Any, key_length: int, clients: int, backend: str) -> None:
    """Every client encrypts 11 values, the sum goes round and is decrypted; the side compares it with the true one."""
    here, vectors = side(backend, key_length, clients), workloads.gradients(clients, 11)
    if not benchmark.disabled:
        here.prepare(1000, 11)
    round_ = benchmark(here.run, vectors)
    benchmark.extra_info["bytes_per_value"] = round_.total.nbytes / 11


@pytest.mark.parametrize("iterations", [1, pytest.param(10, marks=slow), pytest.param(50, marks=slow)])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("ignore::vecphe.errors.InsecureKeyWarning")
def test_run(benchmark: Any, backend: str, iterations: int) -> None:
    """Five hospitals learn from the diabetes data; key generation and all."""
    phe = workloads.naive_module()
    if backend == "naive" and phe is None:
        pytest.skip("the naive backend needs phe, which is not installed: pip install phe")
    config = {"key_length": 1024, "n_iter": iterations, "eta": ETA, "insecure": True}
    data = get_data(5)
    chosen = NaiveBackend(phe) if backend == "naive" else backend
    result = benchmark(federated_learning, *data, {**config, "backend": chosen})
    assert result.n_iter == iterations
    np.testing.assert_allclose(result.weights[0], _plain_weights(data, iterations), rtol=1e-9)


def _plain_weights(data: Any, iterations: int) -> Any:
    """The same steps without encryption: all clients' gradients, averaged."""
    X, y = data[0], data[1]
    weights = np.zeros(X[0].shape[1])
    for _ in range(iterations):
        weights -= ETA * np.mean([(A @ weights - b) @ A / len(A) for A, b in zip(X, y, strict=True)], axis=0)
    return weights
