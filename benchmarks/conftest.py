"""Parameters that the layers share. `make test` runs each benchmark once, untimed, without what is slow.

Time them with ``pytest benchmarks -m "" --benchmark-only``, or a layer of them with its folder's name. What each
record carries besides times goes into its ``extra_info`` and so into ``--benchmark-json``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.common import slow, slow_but
from vecphe import PrivateKey, PublicKey
from vecphe.arithmetic import available_engines
from vecphe.bench import workloads
from vecphe.bench.environment import Environment, use_engine


@pytest.fixture(params=["ifma", "fma512", *(pytest.param(name, marks=slow) for name in ("ifma256", "fma256")), "gmp"])
def engine(request: pytest.FixtureRequest) -> Any:
    """The name of an engine, which is the active one meanwhile; one that does not run here is skipped, with why."""
    why_not = dict(available_engines())[request.param]
    if why_not is not None:
        pytest.skip(f"engine {request.param} does not run here: {why_not}")
    with use_engine(request.param):
        yield request.param


@pytest.fixture(params=slow_but(1024, 2048, 3072, 4096))
def key_length(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=[1, 11, pytest.param(256, marks=slow), pytest.param(4096, marks=slow)])
def batch(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=[False, True], ids=["unpacked", "packed"])
def packed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def keys(engine: str, key_length: int) -> tuple[PublicKey, PrivateKey]:
    """Keys on the engine, made once a process."""
    return workloads.keypair(key_length, engine)


@pytest.fixture
def x(batch: int) -> npt.NDArray[np.float64]:
    return workloads.values(batch)


@pytest.fixture(autouse=True)
def _record(request: pytest.FixtureRequest) -> None:
    """Put what every record carries into the benchmark's extra_info."""
    if "benchmark" not in request.fixturenames:
        return
    # The engine first: where it does not run, the test is skipped, and a benchmark that is not used would warn.
    used = {name: request.getfixturevalue(name) for name in _PARAMETERS if name in request.fixturenames}
    benchmark = request.getfixturevalue("benchmark")
    benchmark.extra_info.update(used)
    benchmark.extra_info.update(asdict(Environment.current(used.get("engine"))))


_PARAMETERS = ("engine", "key_length", "batch", "packed", "clients", "backend")
