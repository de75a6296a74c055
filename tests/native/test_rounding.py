"""The caller's floating-point environment neither changes what the kernels compute nor is changed by them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest
from tests.environments import FLAGS, INEXACT, MODES, NEAREST, TOWARD_ZERO, TRAPPING, mode, needs_modes, set_mode, under

from vecphe.arithmetic import _native, integers_from_words, native, words_from_integers

pytestmark = needs_modes

P, Q = 2**89 - 1, 2**107 - 1
LENGTHS = {"general": P * Q, "woven": 3**322}  # 4 limbs; 10 limbs


class Calls:
    """Every entry of the module that multiplies, on operands made before."""

    def __init__(self, target: str, n: int) -> None:
        engine = native.NativeEngine(target)
        self.ring = ring = engine.ring(n)
        source = random.Random(n)
        values = [n * n - 1, 1, n + 1, *(source.randrange(n * n // 3) * 3 + 1 for _ in range(8))]  # units of both
        batch, words = ring.load(values), words_from_integers([3**40 + i for i in range(len(values))], 1)
        few, data, table = ring.load(values[:3]), ring.store_bytes(batch), ring.fixed_base(4, 64, 4)
        calls: dict[str, Callable[[], Any]] = {
            "load": lambda: ring.load_bytes(data),
            "store": lambda: ring.store_bytes(batch),
            "multiply": lambda: ring.multiply(batch, batch),
            "multiply a few": lambda: ring.multiply(few, few),
            "multiply_plain": lambda: ring.multiply_plain(batch, words, -2),
            "product": lambda: ring.product(batch, 1, len(values), 1),
            "power": lambda: ring.power_secret(batch, words),
            "matrix": lambda: ring.matrix_power_vartime([[3] * len(values)], batch),
            "table": lambda: ring.native and _native.FixedBase(ring.native, ring.load([4, 1]), 8, 4) and None,
            "fixed base": lambda: table.power_secret(words),
            "one of a fixed base": lambda: table.power_secret(words[:1]),
            "units": lambda: ring.native.unit_witness(batch),
            "peak": lambda: _native.multiply_add(100, target) and None,
        }
        if n == P * Q:
            decryptor = engine.decryptor(P, Q)
            calls["decrypt"] = lambda: integers_from_words(decryptor.decrypt(ring, batch, 1))
            calls["decrypt one"] = lambda: integers_from_words(
                decryptor.decrypt(ring, ring.take(batch, np.array([1])), 1)
            )
        self.calls = calls

    def plain(self, result: Any) -> Any:
        return self.ring.store(result) if isinstance(result, _native.Batch) else result


@pytest.fixture(params=list(LENGTHS))
def calls(request: pytest.FixtureRequest, engine: native.NativeEngine) -> Calls:
    return Calls(engine.target, LENGTHS[request.param])


@pytest.mark.parametrize("name", list(MODES))
def test_h80_a_callers_mode_does_not_matter_and_stays(calls: Calls, name: str) -> None:
    for call, work in calls.calls.items():
        expected = calls.plain(work())
        result, after = under(MODES[name], work)
        assert hex(after) == hex(MODES[name]), call
        assert calls.plain(result) == expected, call


_TRAPS = """
import json, sys
sys.path[:0] = json.loads(sys.argv[3])
from tests.environments import under
from tests.native.test_rounding import Calls, LENGTHS
found = {}
for length, n in LENGTHS.items():
    calls = Calls(sys.argv[1], n)
    for call, work in calls.calls.items():
        expected = calls.plain(work())
        result, after = under(int(sys.argv[2]), work)
        found[f"{length} {call}"] = [after, calls.plain(result) == expected]
print(json.dumps(found))
"""


@pytest.mark.parametrize("name", list(TRAPPING))
def test_h80_exceptions_that_trap_are_not_raised(engine: native.NativeEngine, name: str) -> None:
    """In a process of its own: what traps is SIGFPE."""
    arguments = [engine.target, str(TRAPPING[name]), json.dumps(sys.path)]
    done = subprocess.run([sys.executable, "-c", _TRAPS, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) > 20
    assert set(map(tuple, found.values())) == {(TRAPPING[name], True)}


@pytest.mark.skipif(not TRAPPING, reason="this CPU does not trap")
def test_a_trap_would_be_seen() -> None:
    """A control: doubles that round in the caller's own environment."""
    script = (
        "import json, sys; sys.path[:0] = json.loads(sys.argv[1])\n"
        "from tests.environments import TRAPPING, under\n"
        "under(TRAPPING['inexact traps'], lambda: 1.0 / float('3'))"
    )
    done = subprocess.run([sys.executable, "-c", script, json.dumps(sys.path)], capture_output=True, check=False)
    assert done.returncode < 0


def test_a_mode_that_is_left_behind_would_be_seen() -> None:
    """A control: work that leaves another mode, and one that leaves a flag."""
    assert under(NEAREST, lambda: set_mode(TOWARD_ZERO))[1] == TOWARD_ZERO
    assert under(NEAREST, lambda: 1.0 / float("3"))[1] == NEAREST | INEXACT


def test_h80_the_mode_is_back_where_a_kernel_throws(engine: native.NativeEngine) -> None:
    ring = engine.ring(2**2000 - 1)
    batch, exponents = ring.ones(64), words_from_integers([2**2000 - 1] * 64, 32)
    flag = bytearray(b"\1")  # which has to live as long as it is watched
    _native.watch(flag)
    try:

        def work() -> None:
            with pytest.raises(_native.Cancelled):
                ring.native.power(batch, exponents, 2000)

        assert hex(under(MODES["everything at once"], work)[1]) == hex(MODES["everything at once"])
    finally:
        _native.watch(None)


def test_h80_handlers_of_signals_run_in_the_callers_mode(engine: native.NativeEngine) -> None:
    """Between two kernels Python code runs: it must not round toward zero."""
    ring = engine.ring(2**2000 - 1)
    batch, exponents = ring.ones(64), words_from_integers([2**2000 - 1] * 64, 32)
    seen: list[int] = []

    class _SeenError(Exception):
        pass

    def handler(number: int, frame: FrameType | None) -> None:
        seen.append(mode())
        raise _SeenError

    def powers() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        for _ in range(1000):
            ring.native.power(batch, exponents, 2000)

    def work() -> None:
        with pytest.raises(_SeenError):
            powers()

    before = signal.signal(signal.SIGALRM, handler)
    try:
        after = under(MODES["up"], work)[1]
    finally:
        signal.signal(signal.SIGALRM, before)
    assert [hex(word & ~FLAGS) for word in [*seen, after]] == [hex(MODES["up"])] * 2  # Python's own doubles leave flags
