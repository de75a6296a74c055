"""Signals are answered while engines compute, in time that no batch or key lengthens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gmpy2
import pytest

from vecphe import ParallelError
from vecphe.arithmetic import Cancellation, available_engines, cancellation, engine_named, gmp
from vecphe.arithmetic.words import words_from_integers

SCRIPT = Path(__file__).parent / "interrupted.py"
RUNNING = [name for name, why_not in available_engines() if why_not is None]
# On faster targets these are over before a signal comes; the loops are the same.
SLOW_NATIVE = "portable"
NATIVE_WORK = [
    *("sum", "long power", "load", "decrypt", "table", "encrypt", "take", "threads"),
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("multiply", "multiply_plain", "sum of columns", "times", "secret power", "invert", "all_units")
    ),
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("store", "matrix", "row", "grouped sum")),
]


def interrupted(engine: str, work: str) -> dict[str, Any]:
    """What the work says that got a real SIGINT while it was under way."""
    process = subprocess.Popen([sys.executable, str(SCRIPT), engine, work], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        report: dict[str, Any] = json.loads(process.communicate(timeout=60)[0])
        return report
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(SLOW_NATIVE not in RUNNING, reason="the native kernel was not built")
@pytest.mark.parametrize("work", NATIVE_WORK)
def test_h78_native_work_ends_before_it_is_done(work: str) -> None:
    report = interrupted(SLOW_NATIVE, work)
    assert report["outcome"] == "interrupted"
    assert report["other"] is None  # what stands at the end of the work was not reached
    assert report["done"] == report["later"] < report["to do"] / 2


@pytest.mark.parametrize("work", ["load", "power", "threads"])
def test_h78_gmp_work_ends_before_it_is_done(work: str) -> None:
    report = interrupted("gmp", work)
    assert report["outcome"] == "interrupted"
    assert report["done"] == report["later"] < report["to do"] / 2


@pytest.mark.parametrize("bits", [2048, 4096, 8192, 16384])
def test_h78_no_call_of_gmp_is_long(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work as bits of the exponent times those of the modulus squared: 2^37 take a tenth of a second, or less."""
    calls = []

    def pretend(x: object, exponent: gmpy2.mpz, modulus: gmpy2.mpz) -> gmpy2.mpz:
        assert exponent > 0
        calls.append((exponent.bit_length(), modulus.bit_length()))
        return gmpy2.mpz(3)

    monkeypatch.setattr(gmp, "powmod", pretend)
    monkeypatch.setattr(gmp, "powmod_sec", pretend)
    n = gmpy2.mpz(2) ** bits - 1
    gmp._power_secret(gmpy2.mpz(3), gmpy2.mpz(2) ** (bits // 2) - 1, (gmpy2.mpz(2) ** (bits // 2) - 1) ** 2)
    gmp._power_secret(gmpy2.mpz(3), n, n**2)
    ring = gmp.GmpRing(int(n))
    steps = []
    monkeypatch.setattr(gmp.GmpRing, "_squares", lambda self, low, high, times: steps.append(times) or (low, high))
    ring.power_vartime(ring.load([3]), [int(n)])
    assert all(exponent * modulus**2 <= 1 << 38 for exponent, modulus in calls)
    assert calls
    assert (sum(steps) == bits) == (bits > 4096)
    assert max(steps, default=1) <= 8


@pytest.mark.parametrize("bits", [1, 2, 3, 64, 65, 128, 129, 300])
def test_powers_in_short_calls_are_powers(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 1000003 * 1000033
    exponents = [1, (1 << bits) - 1, 1 << (bits - 1), (1 << bits) // 3 | 1, 3**200 % (1 << bits) or 1]
    xs = [5, n - 1, n * n - 1, n + 7, n]
    expected = [pow(x, e, n * n) for x, e in zip(xs, exponents, strict=True)]
    ring = gmp.GmpRing(n)
    assert ring.store(ring.power_vartime(ring.load(xs), exponents)) == expected
    monkeypatch.setattr(gmp, "_MOST_BITS_AT_ONCE", 0)
    monkeypatch.setattr(gmp, "_MOST_SECRET_WORK", 1)  # digits of 128 bits
    assert ring.store(ring.power_vartime(ring.load(xs), exponents)) == expected
    assert ring.store(ring.power_vartime(ring.load(xs), [0] * 5)) == [1] * 5
    words = words_from_integers(exponents, 5)
    assert ring.store(ring.power_secret(ring.load(xs), words)) == expected


@pytest.mark.parametrize(
    ("exponent", "work", "digits"),
    [
        (1, 0, [1]),
        (2**128 - 1, 0, [128]),  # at least so long, however long the modulus is
        (2**129 - 1, 0, [1, 128]),
        (2**300 - 1, 0, [44, 128, 128]),
        (2**300 - 1, 200 * 100**2, [100, 200]),
        (2**300 - 1, 201 * 100**2 - 1, [100, 200]),
        (2**300, 150 * 100**2, [1]),  # no call for digits of zero
        (0, 0, []),
    ],
)
def test_secret_exponents_are_cut_into_digits(
    exponent: int, work: int, digits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, raised = list[int](), []
    modulus, powmod, powmod_sec = gmpy2.mpz(2) ** 100 - 15, gmp.powmod, gmp.powmod_sec
    monkeypatch.setattr(gmp, "powmod_sec", lambda x, e, n: calls.append(e.bit_length()) or powmod_sec(x, e, n))
    monkeypatch.setattr(gmp, "powmod", lambda x, e, n: raised.append(e) or powmod(x, e, n))
    monkeypatch.setattr(gmp, "_MOST_SECRET_WORK", work)
    assert gmp._power_secret(gmpy2.mpz(3), gmpy2.mpz(exponent), modulus) == pow(3, exponent, modulus)
    assert calls == digits
    length = max(work // 100**2, 128)
    assert raised == [1 << length] * max(-(-exponent.bit_length() // length) - 1, 0)


GMP_WORK: dict[str, Callable[[gmp.GmpRing], object]] = {
    "power": lambda ring: ring.power_vartime(ring.ones(1), [3]),
    "secret power": lambda ring: ring.power_secret(ring.ones(1), words_from_integers([3], 1)),
    "matrix": lambda ring: ring.matrix_power_vartime([[3]], ring.ones(1)),
    "table": lambda ring: ring.fixed_base(2, 4, 2),
    "decryption": lambda ring: gmp.GmpDecryptor(3, 11).decrypt(ring, ring.ones(1), 0),
}


@pytest.mark.parametrize("work", GMP_WORK)
def test_h78_each_work_of_gmp_looks_whether_it_was_cancelled(work: str) -> None:
    ring, mine = gmp.GmpRing(33), Cancellation()
    table = ring.fixed_base(2, 4, 2)
    with mine.observed():
        mine.cancel()
        with pytest.raises(ParallelError, match="cancelled"):
            GMP_WORK[work](ring)
        with pytest.raises(ParallelError, match="cancelled"):
            table.power_secret(words_from_integers(range(8), 1))
    GMP_WORK[work](ring)


@pytest.mark.parametrize("name", RUNNING)
def test_h78_a_cancelled_thread_ends_and_others_go_on(name: str) -> None:
    engine = engine_named(name)
    ring = engine.ring(2**4000 - 1)
    batch, exponents = ring.ones(8), [2**4000 - 1] * 8
    mine = Cancellation()
    mine.cancel()
    with mine.observed(), pytest.raises((ParallelError, RuntimeError), match="cancelled"):
        ring.power_vartime(ring.ones(64), exponents * 8)
    assert ring.store(ring.power_vartime(batch, [3] * 8)) == [1] * 8  # and this thread is free again


def test_h78_cancelling_reaches_the_threads_that_observe(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bytearray | None] = []
    monkeypatch.setattr(cancellation, "told_of_flags", [told.append])
    outer, inner = Cancellation(), Cancellation()
    with outer.observed():
        with inner.observed():
            cancellation.checkpoint()
            inner.cancel()
            cancellation.checkpoint()  # the outer one is observed
            outer.cancel()
            with pytest.raises(ParallelError, match="cancelled"):
                cancellation.checkpoint()
        with pytest.raises(ParallelError, match="cancelled"):
            cancellation.checkpoint()
        other = threading.Thread(target=cancellation.checkpoint)
        other.start()
        other.join()
    cancellation.checkpoint()
    assert told == [bytearray(b"\1"), None]
