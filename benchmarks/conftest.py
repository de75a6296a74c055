"""Parameters that the layers share. `make test` runs each benchmark once, untimed, without what is slow.

Time them with ``pytest benchmarks -m "" --benchmark-only``, or a layer of them with its folder's name. What each
record carries besides times goes into its ``extra_info`` and so into ``--benchmark-json``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from benchmarks.common import slow, slow_but
from vecphe.arithmetic import available_engines
from vecphe.bench import workloads
from vecphe.bench.count_rows import Keys, Subject
from vecphe.bench.environment import Environment, use_engine
from vecphe.plaintext.encoding import Floats


def parameter(*values: Any, ids: list[str] | None = None) -> Any:
    return pytest.fixture(params=values, ids=ids)(lambda request: request.param)


key_length = parameter(*slow_but(1024, 2048, 3072, 4096))
batch = parameter(1, *slow_but(11, 256, 4096))
packed = parameter(False, True, ids=["unpacked", "packed"])


@pytest.fixture(params=["ifma", "fma512", *(pytest.param(name, marks=slow) for name in ("ifma256", "fma256")), "gmp"])
def engine(request: pytest.FixtureRequest) -> Any:
    """The name of an engine, which is the active one meanwhile; one that does not run here is skipped, with why."""
    why_not = dict(available_engines())[request.param]
    if why_not is not None:
        pytest.skip(f"engine {request.param} does not run here: {why_not}")
    with use_engine(request.param):
        yield request.param


@pytest.fixture
def keys(engine: str, key_length: int) -> Keys:
    """Keys on the engine, made once a process."""
    return workloads.keypair(key_length, engine)


@pytest.fixture
def x(batch: int) -> Floats:
    return workloads.values(batch)


@pytest.fixture
def subject(benchmark: Any, keys: Keys, x: Floats, packed: bool) -> Subject:
    if not benchmark.disabled:
        keys[0].prepare(1 << 20)
    return Subject(keys, x, packed)


@pytest.fixture(autouse=True)
def _record(request: pytest.FixtureRequest) -> None:
    """Put what every record carries into the benchmark's extra_info."""
    if "benchmark" not in request.fixturenames:
        return
    # The engine first: where it does not run, the test is skipped, and a benchmark that is not used would warn.
    used = {name: request.getfixturevalue(name) for name in _PARAMETERS if name in request.fixturenames}
    environment = asdict(Environment.current(used.get("engine")))
    request.getfixturevalue("benchmark").extra_info.update({**used, **environment})


_PARAMETERS = ("engine", "key_length", "batch", "packed", "clients", "backend")
