"""Which targets there are, what they say of themselves, that they agree, and that threads may share them."""

from __future__ import annotations

import os
import platform
import random
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vecphe.arithmetic import _native, native
from vecphe.arithmetic.words import random_words
from vecphe.errors import EngineUnavailableError

NEEDED = {
    "ifma512": {"avx512ifma", "avx512f", "avx512dq", "avx512vl"},
    "ifma256": {"avx512ifma", "avx512f", "avx512dq", "avx512vl"},
    "fma512": {"avx512f", "avx512dq", "avx2", "fma"},
    "fma256": {"avx2", "fma"},
}
LANES = {"ifma512": 8, "ifma256": 4, "fma512": 8, "fma256": 4, "neon": 2, "portable": 1}
NAMES = {
    "avx512ifma": "AVX-512 IFMA",
    "avx512f": "AVX-512 F",
    "avx512dq": "AVX-512 DQ",
    "avx512vl": "AVX-512 VL",
    "avx2": "AVX2",
    "fma": "FMA",
}


def _fastest() -> str:
    return next(name for name, reason in native.supported_targets() if reason is None)


@pytest.mark.skipif(platform.system() != "Linux", reason="Linux tells what the CPU has")
def test_the_cpu_decides() -> None:
    with open("/proc/cpuinfo", encoding="ascii") as cpuinfo:
        flags = next((line for line in cpuinfo if line.startswith("flags")), "")
    reasons = dict(native.supported_targets())
    for target, needed in NEEDED.items():
        missing = needed - set(flags.split())
        assert (reasons.get(target, "not compiled in") is None) == (not missing)
        if len(missing) == 1 and target in reasons:  # the reason names what is missing
            assert NAMES[missing.pop()] in str(reasons[target])
    assert (reasons.get("neon", "not compiled in") is None) == (platform.machine() == "aarch64")
    assert reasons["portable"] is None


def test_engines_name_their_target(engine: Any) -> None:
    described = engine.describe()
    assert described["target"] == engine.target
    assert described["lanes"] == LANES[engine.target]


def test_the_build_under_test_is_the_one_asked_for() -> None:
    wanted = os.environ.get("VECPHE_NATIVE_MODULE")
    if wanted is not None:
        assert _native.__file__ == wanted
        assert ("verify" in wanted) == _native.VERIFY


def test_a_target_that_does_not_run_here_is_refused_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [("ifma512", 8, "no big registers"), ("portable", 1, None)]
    monkeypatch.setattr(_native, "targets", lambda: listed)
    with pytest.raises(EngineUnavailableError, match="no big registers"):
        native.NativeEngine("ifma512")
    assert native.NativeEngine("portable").name == "portable"


def test_unknown_targets_are_refused() -> None:
    with pytest.raises(EngineUnavailableError, match="avx1024"):
        native.NativeEngine("avx1024")


def test_known_answers(engine: Any) -> None:
    assert native.known_answers(engine.target)


def test_known_answers_fail_on_a_wrong_product(monkeypatch: pytest.MonkeyPatch) -> None:
    target = native.NativeEngine(_fastest()).target
    right = native.NativeRing.multiply
    monkeypatch.setattr(native.NativeRing, "multiply", lambda self, a, b: right(self, a, self.ones(len(b))))
    assert not native.known_answers(target)


def _wrong_for(ring: native.NativeRing, batch: Any, places: list[bool]) -> Any:
    """The batch with a wrong residue in some places."""
    values = zip(ring.store(batch), places, strict=True)
    return ring.load([(v + 1) % ring.n**2 if wrong else v for v, wrong in values])


@pytest.mark.parametrize("limbs", [10, 13, 20, 40, 60])
@pytest.mark.parametrize("method", ["multiply", "multiply_plain", "power_vartime", "fixed_base"])
def test_known_answers_ask_for_every_operation_at_every_size(
    method: str, limbs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel of one size that is wrong in one operation is not used."""
    most = _native.LIMB_BITS * limbs - _native.TABLE_SLACK  # bits of n
    right = getattr(native.NativeRing, method)

    def wrong(self: native.NativeRing, *arguments: Any) -> Any:
        result = right(self, *arguments)
        if not most - 8 < self.n.bit_length() <= most:
            return result
        if method == "fixed_base":
            return SimpleNamespace(power_secret=lambda words: self.ones(len(words)))
        return _wrong_for(self, result, [True] + [False] * (len(result) - 1))

    monkeypatch.setattr(native.NativeRing, method, wrong)
    assert not native.known_answers(_fastest())


@pytest.mark.parametrize("exponent", [0, 1, 45, 62, 63])
@pytest.mark.parametrize("method", ["multiply_plain", "fixed_base"])
def test_known_answers_ask_for_exponents_with_all_kinds_of_digits(
    method: str, exponent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None, few, mixed and all bits set, in the digits of a window of two."""
    right = getattr(native.NativeRing, method)

    def wrong(self: native.NativeRing, *arguments: Any) -> Any:
        result = right(self, *arguments)
        if method == "multiply_plain":
            return _wrong_for(self, result, (arguments[1][:, 0] == exponent).tolist())
        assert (result.bits, result.window) == (6, 2)
        return SimpleNamespace(
            power_secret=lambda words: _wrong_for(self, result.power_secret(words), (words[:, 0] == exponent).tolist())
        )

    monkeypatch.setattr(native.NativeRing, method, wrong)
    assert not native.known_answers(_fastest())


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("method", ["multiply", "power_vartime"])
def test_known_answers_ask_for_residues_at_the_edges(method: str, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(native.NativeRing, method)

    def wrong(self: native.NativeRing, batch: Any, other: Any) -> Any:
        n, result = self.n, right(self, batch, other)
        edge = ((5 << n.bit_length()) + 21, n * n - 7, 1, n + 2, n * n - 1)[place]
        return _wrong_for(self, result, [value == edge for value in self.store(batch)])

    monkeypatch.setattr(native.NativeRing, method, wrong)
    assert not native.known_answers(_fastest())


def test_targets_agree(numbers: random.Random, make: Any) -> None:
    p, q = make.key(numbers, 1024)
    n = p * q
    base, x = make.units(numbers, n, 2)
    exponents, plain = random_words(11, 512), random_words(11, 1000)
    results = []
    for name, reason in native.supported_targets():
        if reason is not None:
            continue
        engine = native.NativeEngine(name)
        ring = engine.ring(n)
        batch = ring.multiply_plain(ring.fixed_base(base, 512, 5).power_secret(exponents), plain, -3)
        batch = ring.multiply(batch, ring.power_secret(ring.load([x] * 11), exponents))
        opened = engine.decryptor(p, q).decrypt(ring, batch, 1)
        results.append((ring.store(batch), opened.tolist()))
    assert len(results) >= 1
    assert all(result == results[0] for result in results)


def test_threads_share_a_ring_and_a_table(numbers: random.Random, make: Any) -> None:
    engine = native.NativeEngine(_fastest())
    p, q = make.key(numbers, 512)
    n = p * q
    ring, decryptor = engine.ring(n), engine.decryptor(p, q)
    table = ring.fixed_base(pow(make.units(numbers, n, 1)[0], n, n * n), 256, 6)

    def round_trip(seed: int) -> bool:
        plain = np.random.default_rng(seed).integers(0, 2**63, size=(40, ring.plaintext_words), dtype=np.uint64)
        plain[:, -1] >>= np.uint64(8)
        batch = ring.multiply_plain(table.power_secret(random_words(40, 256)), plain, 0)
        return np.array_equal(decryptor.decrypt(ring, batch, 0), plain)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(round_trip, range(16)))
