"""Encrypting, decrypting and computing on vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.calls import ON_ANY, ON_UNPACKED, Call, Subject, add_many
from benchmarks.common import slow, slow_but
from vecphe import FixedPoint, SlotLayout
from vecphe.plaintext.encoding import PACKED, Floats, decode


def measure(benchmark: Any, subject: Subject, call: Call) -> None:
    result = benchmark(call.run)
    subject.check(result, call)
    benchmark.extra_info["bytes_per_value"] = subject.c.nbytes_canonical / len(subject.x)
    if isinstance(result, bytes):
        benchmark.extra_info["bytes"] = len(result)


@pytest.mark.parametrize("name", ON_ANY)
def test_call(benchmark: Any, subject: Subject, name: str) -> None:
    measure(benchmark, subject, ON_ANY[name](subject))


@pytest.mark.parametrize("packed", [False], ids=["unpacked"])
@pytest.mark.parametrize("name", [pytest.param(name, marks=slow if "32" in name else ()) for name in ON_UNPACKED])
def test_call_on_unpacked(benchmark: Any, subject: Subject, name: str) -> None:
    measure(benchmark, subject, ON_UNPACKED[name](subject))


@pytest.mark.parametrize("packed", [True], ids=["packed"])
@pytest.mark.parametrize("terms", slow_but(10, 50))
def test_add_many(benchmark: Any, subject: Subject, terms: int) -> None:
    measure(benchmark, subject, add_many(subject, terms))


@pytest.mark.parametrize("encoding", [PACKED, FixedPoint(fraction_bits=20, max_abs=8)], ids=["default", "compact"])
def test_pack(benchmark: Any, key_length: int, x: Floats, encoding: FixedPoint) -> None:
    """Encoding and packing alone, without any cryptography."""
    layout = SlotLayout.for_key(encoding, key_length)
    words = benchmark(lambda: layout.pack(encoding.encode(x)))
    integers = layout.unpack(words, len(x))[:, 0].view(np.int64)
    plain = decode(integers, encoding.fraction_bits, integer=False)
    np.testing.assert_allclose(plain, x, atol=2.0**-21, rtol=0)
    benchmark.extra_info["slots"] = layout.slots
