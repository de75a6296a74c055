"""vecphe and other libraries on the same values; every side's sum is checked before its time counts.

The seconds of the other side go into the record of this one, measured before and after it. Libraries that are not
installed are skipped with the command that installs them. VECPHE_PEER_PYTHON names an interpreter of Python 3.8 that
has ipcl-python or fate_utils.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from typing import Any

import numpy as np
import pytest

from benchmarks.calls import ON_ANY, Subject, checked_of, peer
from benchmarks.common import slow, slow_but
from benchmarks.measure import once
from benchmarks.peers import libraries
from vecphe.bench import workloads

NAMES = ("phe_loop", "pypaillier", "lightphe_loop", "tenseal_ckks")
PHASES = ("encrypt", "add", "decrypt")


def time_ours(benchmark: Any, phase: str, key_length: int, x: Any) -> None:
    """Our own phase under the benchmark, checked."""
    subject = Subject(workloads.keypair(key_length), x)
    call = ON_ANY[phase](subject)
    subject.check(benchmark(call.run), call)


def record(benchmark: Any, name: str, seconds: list[float]) -> None:
    benchmark.extra_info |= {"peer": name, "peer_seconds": seconds}
    if not benchmark.disabled:
        benchmark.extra_info["ratio"] = statistics.median(seconds) / benchmark.stats.stats.median


@pytest.mark.parametrize("key_length", slow_but(1024, 2048, 3072))
@pytest.mark.parametrize("batch", slow_but(3, 11, 256))
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", NAMES)
def test_peer(benchmark: Any, name: str, phase: str, x: Any, key_length: int) -> None:
    try:
        them = peer(name, key_length)
    except ImportError as error:
        pytest.skip(f"{name} NOT COMPARED: {error}; pip install 'vecphe[bench,peers]'")
    except NotImplementedError as error:
        pytest.skip(f"{name} {error}")
    call, repeats = checked_of(them, phase, x.tolist()), 1 if benchmark.disabled else 5
    before = [once(call) for _ in range(repeats)]
    time_ours(benchmark, phase, key_length, x)
    record(benchmark, name, before + [once(call) for _ in range(repeats)])


@pytest.mark.parametrize("key_length", [pytest.param(1024, marks=slow), pytest.param(2048, marks=slow)])
@pytest.mark.parametrize("batch", [11, 256])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ["ipcl", "fate_utils"])
def test_peer_of_another_python(benchmark: Any, name: str, phase: str, x: Any, key_length: int) -> None:
    interpreter = os.environ.get("VECPHE_PEER_PYTHON")
    if not interpreter:
        pytest.skip(f"{name} NOT COMPARED: set VECPHE_PEER_PYTHON to a Python 3.8 that has it")
    job = {"peer": name, "key_length": key_length, "values": x.tolist(), "repeats": 1 if benchmark.disabled else 9}
    command, text = [interpreter, str(libraries.__file__)], json.dumps(job)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=600)
    answer = json.loads(done.stdout)
    if "missing" in answer:
        pytest.skip(f"{name} NOT COMPARED: {answer['missing']} in {interpreter}")
    np.testing.assert_allclose(answer["decrypted"], 2 * x, rtol=1e-9)
    time_ours(benchmark, phase, key_length, x)
    record(benchmark, name, answer["seconds"][phase])
