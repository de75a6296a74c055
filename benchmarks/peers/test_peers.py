"""Each library by its own times, vecphe among them, on the same values; results are checked before their times count.

Libraries that are not installed are skipped with the command that installs them. VECPHE_PEER_PYTHON names an
interpreter of Python 3.8 that has ipcl-python or fate_utils; their calls cross a pipe, which takes some 50 us. Measured
in turn, with ratios and intervals: ``vecphe bench run --peers``.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest

from benchmarks.calls import checked_of, peer
from benchmarks.common import slow, slow_but
from benchmarks.peers import libraries
from vecphe.bench import workloads
from vecphe.bench.count_rows import Subject
from vecphe.bench.peers import PEERS, UnfitError

PHASES = ("encrypt", "add", "decrypt")


@pytest.mark.parametrize("key_length", slow_but(1024, 2048, 3072))
@pytest.mark.parametrize("batch", slow_but(3, 11, 256))
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ["vecphe", *PEERS])
def test_peer(benchmark: Any, name: str, phase: str, x: Any, key_length: int) -> None:
    if name == "vecphe":
        benchmark(Subject(workloads.keypair(key_length), x).checked(phase))
        return
    try:
        benchmark(checked_of(peer(name, key_length), phase, x.tolist()))
    except ImportError as error:
        pytest.skip(f"{name} NOT COMPARED: {error}; pip install 'vecphe[bench,peers]'")
    except UnfitError as error:
        pytest.skip(str(error))


@contextmanager
def other_python(interpreter: str, name: str, key_length: int) -> Iterator[Callable[..., Any]]:
    """What calls a phase of a library in another interpreter, and returns its answer."""
    command = [interpreter, str(libraries.__file__)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(**job: Any) -> Any:
            print(json.dumps(job), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        if missing := ask(peer=name, key_length=key_length)["missing"]:
            pytest.skip(f"{name} NOT COMPARED: {missing} in {interpreter}")
        yield ask


@pytest.mark.parametrize("key_length", [pytest.param(1024, marks=slow), pytest.param(2048, marks=slow)])
@pytest.mark.parametrize("batch", [11, 256])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ["ipcl", "fate_utils"])
def test_peer_of_another_python(benchmark: Any, name: str, phase: str, x: Any, key_length: int) -> None:
    interpreter = os.environ.get("VECPHE_PEER_PYTHON")
    if not interpreter:
        pytest.skip(f"{name} NOT COMPARED: set VECPHE_PEER_PYTHON to a Python 3.8 that has it")
    with other_python(interpreter, name, key_length) as ask:
        calls = {each: partial(ask, phase=each) for each in PHASES}
        calls["encrypt"] = partial(ask, phase="encrypt", values=x.tolist())
        calls["encrypt"](), calls["add"]()
        np.testing.assert_allclose(calls["decrypt"](), 2 * x, rtol=1e-9)
        benchmark(calls[phase])
