"""Encrypting, decrypting and computing on vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.common import check, slow_but
from vecphe import EncryptedArray, FixedPoint, PrivateKey, PublicKey, SlotLayout
from vecphe.bench import workloads
from vecphe.plaintext.encoding import PACKED, decode

Keys = tuple[PublicKey, PrivateKey]
Floats = npt.NDArray[np.float64]


@pytest.fixture
def c(keys: Keys, x: Floats, packed: bool) -> EncryptedArray:
    return keys[0].encrypt(x, packed=packed)


def test_encrypt(benchmark: Any, keys: Keys, x: Floats, packed: bool) -> None:
    if not benchmark.disabled:
        keys[0].prepare(1 << 20)
    c = benchmark(keys[0].encrypt, x, packed=packed)
    check(keys[1], c, x)
    benchmark.extra_info["bytes_per_value"] = c.nbytes_canonical / len(x)


def test_decrypt(benchmark: Any, keys: Keys, c: EncryptedArray, x: Floats) -> None:
    decrypted = benchmark(keys[1].decrypt, c)
    np.testing.assert_allclose(decrypted, x, atol=2.0**-40, rtol=0)


def test_add(benchmark: Any, keys: Keys, c: EncryptedArray, x: Floats, packed: bool) -> None:
    d = keys[0].encrypt(x[::-1].copy(), packed=packed)
    check(keys[1], benchmark(lambda: c + d), x + x[::-1])


def test_add_plain(benchmark: Any, keys: Keys, c: EncryptedArray, x: Floats) -> None:
    check(keys[1], benchmark(lambda: c + x), 2 * x)


def test_times_plain_scalar(benchmark: Any, keys: Keys, c: EncryptedArray, x: Floats) -> None:
    check(keys[1], benchmark(lambda: c * 3), 3 * x, error=3 * 2.0**-41)


@pytest.mark.parametrize("bits", slow_but(53, 32))
def test_times_plain(benchmark: Any, keys: Keys, x: Floats, bits: int) -> None:
    c, factors = keys[0].encrypt(x), workloads.integers(len(x), bits)
    check(keys[1], benchmark(lambda: c * factors), x * factors, error=0)


def test_sum(benchmark: Any, keys: Keys, x: Floats) -> None:
    c = keys[0].encrypt(x)
    check(keys[1], benchmark(lambda: c.sum()), x.sum())


@pytest.mark.parametrize("terms", slow_but(10, 50))
def test_add_many(benchmark: Any, keys: Keys, x: Floats, terms: int) -> None:
    """The key holder's view of a round: many vectors become one."""
    parts = [keys[0].encrypt(x, packed=True) for _ in range(terms)]

    def total() -> EncryptedArray:
        result = parts[0]
        for part in parts[1:]:
            result = result + part
        return result

    check(keys[1], benchmark(total), terms * x, error=terms * 2.0**-40)


def test_matmul(benchmark: Any, keys: Keys, x: Floats) -> None:
    a, c = workloads.matrix(4, len(x)), keys[0].encrypt(x)
    check(keys[1], benchmark(lambda: a @ c), a @ x, error=1e-3)


@pytest.mark.parametrize("encoding", [PACKED, FixedPoint(fraction_bits=20, max_abs=8)], ids=["default", "compact"])
def test_pack(benchmark: Any, key_length: int, x: Floats, encoding: FixedPoint) -> None:
    """Encoding and packing alone, without any cryptography."""
    layout = SlotLayout.for_key(encoding, key_length)
    words = benchmark(lambda: layout.pack(encoding.encode(x)))
    np.testing.assert_allclose(
        decode(layout.unpack(words, len(x))[:, 0].view(np.int64), encoding.fraction_bits, integer=False),
        x,
        atol=2.0**-21,
        rtol=0,
    )
    benchmark.extra_info["slots"] = layout.slots


def test_serialise(benchmark: Any, keys: Keys, c: EncryptedArray) -> None:
    data = benchmark(c.to_bytes)
    assert keys[1].decrypt(EncryptedArray.from_bytes(keys[0], data)).tolist() == keys[1].decrypt(c).tolist()
    benchmark.extra_info["bytes"] = len(data)


def test_load(benchmark: Any, keys: Keys, c: EncryptedArray) -> None:
    loaded = benchmark(EncryptedArray.from_bytes, keys[0], c.to_bytes())
    assert keys[1].decrypt(loaded).tolist() == keys[1].decrypt(c).tolist()
