"""What the kernels count is what their formulas say, whatever the target."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from vecphe.arithmetic import words_from_integers
from vecphe.arithmetic.native import NativeEngine, NativeRing

LENGTHS = [100, 1024, 2036]  # 3 limbs in the general kernel; 20 and 40 limbs compiled in


def counted(engine: NativeEngine, work: Callable[[], object]) -> dict[str, int]:
    before = engine.counts()
    work()
    return {name: count - before[name] for name, count in engine.counts().items() if count != before[name]}


def ring_of(engine: NativeEngine, bits: int) -> tuple[NativeRing, int]:
    ring = engine.ring((1 << bits) - 159)
    return ring, -(-(bits + 12) // 52)


@pytest.mark.parametrize("bits", LENGTHS)
@pytest.mark.parametrize(("count", "lanes"), [(0, 0), (3, 4), (5, 8), (19, 20), (24, 24)])
def test_a_product_is_ten_k_squared_multiply_adds(engine: NativeEngine, bits: int, count: int, lanes: int) -> None:
    ring, k = ring_of(engine, bits)
    batch = ring.load(range(2, 2 + count))
    expected = {"products": lanes, "multiply_adds": 10 * k * k * lanes} if count else {}
    assert counted(engine, lambda: ring.multiply(batch, batch)) == expected


@pytest.mark.parametrize("bits", LENGTHS)
def test_squares_save_almost_half_of_one_product_in_two(engine: NativeEngine, bits: int) -> None:
    ring, k = ring_of(engine, bits)
    batch = ring.load([3] * 8)
    counts = counted(engine, lambda: ring.power_vartime(batch, [4] * 8))  # two squarings with window 1, or one table
    products, squares = counts.get("products", 0), counts.get("squares", 0)
    # P = x0^2 costs between k^2 (half of 2k^2) and k^2 + 10k in blocks, x0*2x1 2k^2, the two reductions 4k^2.
    least = products * 10 * k * k + squares * 7 * k * k
    assert squares > 0
    assert least < counts["multiply_adds"] <= least + squares * 10 * k


def test_validation_is_one_product_modulo_n_a_residue(engine: NativeEngine) -> None:
    ring, k = ring_of(engine, 1024)
    batch = ring.load([3] * 24)
    expected = {"montgomeries": 24, "multiply_adds": 4 * k * k * 24}
    assert counted(engine, lambda: ring.all_units(batch)) == expected
    twice = counted(engine, lambda: (ring.all_units(batch), ring.all_units(batch)))
    assert twice == {name: 2 * count for name, count in expected.items()}


@pytest.mark.parametrize("window", [6, 7])
def test_a_randomizer_is_a_delayed_product_a_row(engine: NativeEngine, window: int) -> None:
    ring, k = ring_of(engine, 1024)
    bits, count = 512, 16
    table = ring.fixed_base(65537**90, bits, window)
    exponents = words_from_integers([random.Random(i).getrandbits(bits) for i in range(count)], bits // 64)
    counts = counted(engine, lambda: table.power_secret(exponents))
    rows = -(-bits // window)
    assert counts["delayed"] == (rows // 2 + (rows - 1) // 2) * count
    assert counts["looked_up"] == rows * 2 * k * (1 << window) * count


def test_counts_follow_from_sizes_alone(engine: NativeEngine) -> None:
    ring, _ = ring_of(engine, 1024)
    table = ring.fixed_base(65537**90, 512, 5)

    def power(seed: int) -> dict[str, int]:
        words = np.random.default_rng(seed).integers(0, 2**63, size=(9, 8), dtype=np.uint64)
        return counted(engine, lambda: table.power_secret(words))

    assert power(1) == power(2) == power(3)


def test_work_of_all_threads_is_counted(engine: NativeEngine) -> None:
    ring, _ = ring_of(engine, 1024)
    batch = ring.load([3] * 64)

    def work(_: Any) -> None:
        for _ in range(50):
            ring.multiply(batch, batch)

    with ThreadPoolExecutor(4) as pool:
        counts = counted(engine, lambda: list(pool.map(work, range(4))))
    assert counts["products"] == 4 * 50 * 64
