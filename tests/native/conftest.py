"""Every compiled-in target that this CPU runs, and another build of the module on request.

VECPHE_NATIVE_MODULE names a build of `_native` to test in place of the installed one: the VERIFY build, say.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import random
import sys
from typing import TYPE_CHECKING, Any

import gmpy2
import pytest

if TYPE_CHECKING:
    from vecphe.arithmetic.native import NativeEngine

_OTHER_BUILD = os.environ.get("VECPHE_NATIVE_MODULE")
if _OTHER_BUILD:
    import vecphe.arithmetic

    _name = "vecphe.arithmetic._native"
    _loader = importlib.machinery.ExtensionFileLoader(_name, _OTHER_BUILD)
    _spec = importlib.util.spec_from_loader(_name, _loader)
    assert _spec is not None
    sys.modules[_name] = importlib.util.module_from_spec(_spec)
    _loader.exec_module(sys.modules[_name])
    vecphe.arithmetic._native = sys.modules[_name]

if os.environ.get("VECPHE_REQUIRE_NATIVE") == "0":
    native = pytest.importorskip(
        "vecphe.arithmetic.native", reason="THE NATIVE KERNEL IS NOT UNDER TEST", exc_type=ImportError
    )
else:
    from vecphe.arithmetic import native


def _supported() -> list[str]:
    return [name for name, reason in native.supported_targets() if reason is None]


# Seconds each. On vector targets beside the fastest one they are slow tests; the others run on all targets.
_HEAVY = ("test_batches_of_every_size", "test_fixed_base_of_long_moduli", "test_thousands_of_rows")


@pytest.hookimpl(tryfirst=True)  # before items are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    beside = [name for name in _supported() if name != "portable"][1:]
    for item in items:
        if getattr(item, "originalname", None) in _HEAVY and item.callspec.params.get("engine") in beside:  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=_supported())
def engine(request: pytest.FixtureRequest) -> NativeEngine:
    engine: NativeEngine = native.NativeEngine(request.param)
    return engine


@pytest.fixture
def numbers() -> random.Random:
    return random.Random(20240229)


class Numbers:
    """Random operands and moduli, biased to long runs of equal bits."""

    @staticmethod
    def runs(source: random.Random, bits: int) -> int:
        value = 0
        while value.bit_length() < bits:
            length = source.randint(1, 70)
            value = value << length | (((1 << length) - 1) if source.random() < 0.5 else 0)
            value = value or 1
        return value >> max(0, value.bit_length() - bits)

    @staticmethod
    def prime(source: random.Random, bits: int) -> int:
        while True:
            candidate = int(gmpy2.next_prime(source.getrandbits(bits) | 1 << (bits - 1)))
            if candidate.bit_length() == bits:
                return candidate

    @classmethod
    def key(cls, source: random.Random, bits: int) -> tuple[int, int]:
        while True:
            p, q = cls.prime(source, bits - bits // 2), cls.prime(source, bits // 2)
            if p != q and gmpy2.gcd(p * q, (p - 1) * (q - 1)) == 1:
                return p, q

    @staticmethod
    def units(source: random.Random, n: int, count: int) -> list[int]:
        found: list[int] = []
        while len(found) < count:
            x = source.randrange(1, n * n)
            if gmpy2.gcd(x, n) == 1:
                found.append(x)
        return found


@pytest.fixture
def make() -> Any:
    return Numbers
