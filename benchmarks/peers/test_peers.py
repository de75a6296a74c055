"""vecphe and other libraries on the same values; every side's sum is checked before its time counts.

The seconds of the other side go into the record of this one, measured before and after it. Libraries that are not
installed are skipped with the command that installs them. VECPHE_PEER_PYTHON names an interpreter of Python 3.8 that
has ipcl-python or fate_utils.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.common import slow, slow_but
from benchmarks.measure import once
from vecphe.bench import workloads

INSTALL = {
    "phe_loop": "phe",
    "pypaillier": "pypaillier",
    "lightphe_loop": "'vecphe[peers]'",
    "tenseal_ckks": "'vecphe[peers]'",
}
PHASES = ("encrypt", "add", "decrypt")
REPEATS = 5


def peer_module(name: str) -> Any:
    try:
        return importlib.import_module(f"benchmarks.peers.{name}")
    except ImportError as error:
        pytest.skip(f"{name} NOT COMPARED: {error}; pip install {INSTALL[name]}")


def timed_side(benchmark: Any, phase: str, key_length: int, x: Any) -> Any:
    """Our own phase under the benchmark, checked."""
    public_key, private_key = workloads.keypair(key_length)
    c = public_key.encrypt(x)
    result = benchmark(
        {"encrypt": lambda: public_key.encrypt(x), "add": lambda: c + c, "decrypt": lambda: private_key.decrypt(c)}[
            phase
        ]
    )
    decrypted = result if phase == "decrypt" else private_key.decrypt(result)
    np.testing.assert_allclose(decrypted, 2 * x if phase == "add" else x, rtol=1e-12)


def record(benchmark: Any, name: str, seconds: list[float]) -> None:
    benchmark.extra_info |= {"peer": name, "peer_seconds": seconds}
    if not benchmark.disabled:
        benchmark.extra_info["ratio"] = statistics.median(seconds) / benchmark.stats.stats.median


@pytest.mark.parametrize("key_length", slow_but(1024, 2048, 3072))
@pytest.mark.parametrize("batch", slow_but(3, 11, 256))
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", list(INSTALL))
def test_peer(benchmark: Any, name: str, phase: str, batch: int, key_length: int) -> None:
    module, x = peer_module(name), workloads.values(batch)
    if key_length < (least := getattr(module, "LEAST_KEY_LENGTH", 0)):
        pytest.skip(f"{name} takes keys of {least} bits and more")
    peer = module.make(key_length)
    values = x.tolist()
    numbers = peer.encrypt(values)
    np.testing.assert_allclose(peer.decrypt(peer.add(numbers, numbers)), 2 * x, atol=2 * peer.ERROR, rtol=1e-12)
    calls = {
        "encrypt": lambda: peer.encrypt(values),
        "add": lambda: peer.add(numbers, numbers),
        "decrypt": lambda: peer.decrypt(numbers),
    }
    repeats = 1 if benchmark.disabled else REPEATS
    before = [once(calls[phase]) for _ in range(repeats)]
    timed_side(benchmark, phase, key_length, x)
    record(benchmark, name, before + [once(calls[phase]) for _ in range(repeats)])


@pytest.mark.parametrize("key_length", [pytest.param(1024, marks=slow), pytest.param(2048, marks=slow)])
@pytest.mark.parametrize("batch", [11, 256])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ["ipcl", "fate_utils"])
def test_peer_of_another_python(benchmark: Any, name: str, phase: str, batch: int, key_length: int) -> None:
    interpreter = os.environ.get("VECPHE_PEER_PYTHON")
    if not interpreter:
        pytest.skip(f"{name} NOT COMPARED: set VECPHE_PEER_PYTHON to a Python 3.8 that has it")
    x = workloads.values(batch)
    job = {"peer": name, "key_length": key_length, "values": x.tolist(), "repeats": 1 if benchmark.disabled else 9}
    done = subprocess.run(
        [interpreter, str(Path(__file__).with_name("python38.py"))],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    answer = json.loads(done.stdout)
    if "missing" in answer:
        pytest.skip(f"{name} NOT COMPARED: {answer['missing']} in {interpreter}")
    np.testing.assert_allclose(answer["decrypted"], 2 * x, rtol=1e-9)
    timed_side(benchmark, phase, key_length, x)
    record(benchmark, name, answer["seconds"][phase])
