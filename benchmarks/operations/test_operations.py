"""What users call: keys and their tables, vectors, and one worker against two.

Workers are compared around the sizes from which two are asked (`Engine.tuning`); the pool runs already.
"""

from __future__ import annotations

from functools import partial
from operator import matmul
from typing import Any

import joblib
import numpy as np
import pytest

import vecphe
from benchmarks.calls import add_many
from benchmarks.common import slow, slow_but
from vecphe import EncryptedArray, FixedPoint, SlotLayout
from vecphe.bench.count_rows import ON_ANY, ON_UNPACKED, Call, Keys, Subject
from vecphe.plaintext.encoding import PACKED, Floats, decode
from vecphe.randomness.randomizers import RandomizerSource


@pytest.mark.filterwarnings("ignore::vecphe.errors.InsecureKeyWarning")
def test_generate_keypair(benchmark: Any, engine: str, key_length: int) -> None:
    public_key, private_key = benchmark(vecphe.generate_keypair, key_length, insecure=True)
    assert public_key.n.bit_length() == key_length
    assert private_key.decrypt(public_key.encrypt(12345.5)) == 12345.5


@pytest.mark.parametrize("count", slow_but(256, 1 << 20))
def test_tables(benchmark: Any, keys: Keys, count: int) -> None:
    """What so many encryptions to come pay for; ``table_bytes`` goes into the record."""

    def prepare() -> RandomizerSource:
        source = RandomizerSource(keys[0]._context)
        source.prepare(count)
        return source

    source = benchmark(prepare)
    benchmark.extra_info["table_bytes"] = source.table_bytes
    assert source.table_bytes > 0
    key = keys[0].__copy__()
    key._source = source
    assert keys[1].decrypt(key.encrypt([1.5, -2.0])).tolist() == [1.5, -2.0]


# Vectors


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


# Workers

BITS, ROWS = 31, 8  # of the entries of a matrix, and how many it has


@pytest.fixture(scope="module")
def pair() -> Keys:
    public_key, private_key = vecphe.generate_keypair(2048)
    public_key.prepare(1 << 12)
    return public_key, private_key


def made(pair: Keys, name: str, tasks: int) -> Call:
    """A call that is so many of the smallest tasks."""
    public_key, private_key = pair
    tuning = public_key._context.engine.tuning
    products = tasks * tuning.multiply_task
    sizes = {"encrypt": tasks * tuning.encrypt_task, "decrypt": tasks * tuning.decrypt_task, "sum": products}
    size = sizes.get(name, -(-products // (ROWS * -(-BITS // 4))))
    ones, matrix = np.ones(size), np.full((ROWS, size), 2**BITS - 1)
    c = public_key.encrypt(ones[:8])[np.arange(size) % 8]
    return {
        "encrypt": Call(partial(public_key.encrypt, ones), ones),
        "decrypt": Call(partial(private_key.decrypt, c), ones),
        "sum": Call(c.sum, size),
        "matrix": Call(partial(matmul, matrix, c), matrix.sum(axis=1)),
    }[name]


@pytest.mark.parametrize("tasks", slow_but(1, 2, 4, 16))  # how many of the smallest tasks the work is
@pytest.mark.parametrize("jobs", slow_but(1, 2))
@pytest.mark.parametrize("name", ["encrypt", "decrypt", "sum", "matrix"])
def test_workers(benchmark: Any, pair: Keys, name: str, jobs: int, tasks: int) -> None:
    call = made(pair, name, tasks)
    with joblib.parallel_config(n_jobs=jobs):
        if not benchmark.disabled:
            call.run()
        result = benchmark.pedantic(call.run, rounds=1 if benchmark.disabled else 5)
    plain = pair[1].decrypt(result) if isinstance(result, EncryptedArray) else result
    np.testing.assert_array_equal(plain, call.expected)
