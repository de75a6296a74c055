"""What the native module does with sizes and widths that nobody would pass: row 79 of the list of hazards."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.native import hostile

from vecphe.arithmetic import _native, native
from vecphe.arithmetic.words import integers_from_words
from vecphe.errors import EngineUnavailableError

P, Q = hostile.Hostile.PRIMES
N = P * Q
CONSTANTS = hostile.ring_constants(N)
K = CONSTANTS["k"]
WIDTH = CONSTANTS["ciphertext_bytes"]
HALVES = hostile.prime_constants(P, Q, 3), hostile.prime_constants(Q, P, 3)
REFUSED = (ValueError, OverflowError, MemoryError)


def ring_with(**changes: Any) -> _native.Ring:
    return _native.Ring("portable", CONSTANTS | changes)


@pytest.fixture
def ring() -> _native.Ring:
    return ring_with()


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(4))
def test_h79_hostile_numbers_are_refused_and_crash_nothing(seed: int) -> None:
    command = [sys.executable, hostile.__file__, _native.__file__, str(seed), "4000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert outcomes.keys() >= {"done", "ValueError", "MemoryError", "TypeError", "IndexError"}


@pytest.mark.parametrize("width", [0, 1, WIDTH - 2, 13 * K + 1, 2**31, 2**61, 2**63, 2**64 - 1, 2**64, -1, "50", None])
def test_h79_widths_of_ciphertexts_that_no_residue_has(width: Any) -> None:
    with pytest.raises(ValueError, match="ciphertext_bytes"):
        ring_with(ciphertext_bytes=width)


@pytest.mark.parametrize("width", [WIDTH, 13 * K])
def test_h79_widths_of_ciphertexts_that_hold_a_residue(width: int) -> None:
    ring = ring_with(ciphertext_bytes=width)
    assert ring.store(ring.ones(9)) == (b"\1" + bytes(width - 1)) * 9
    assert ring.store(ring.load((N * N - 1).to_bytes(width, "little"))) == (N * N - 1).to_bytes(width, "little")


@pytest.mark.parametrize("name", sorted(CONSTANTS.keys() - {"k", "ciphertext_bytes"}))
def test_h79_constants_longer_than_their_limbs(name: str) -> None:
    for value in (b"\xff" * (52 * (K + 1) // 8 + 1), b"\xff" * 10**6):
        if name == "n_squared" and len(value) <= WIDTH:
            continue
        with pytest.raises(ValueError, match=r"long|length"):
            ring_with(**{name: value})
    with pytest.raises(ValueError, match=f"no {name}"):
        ring_with(**{name: 5})
    with pytest.raises(ValueError, match=f"no {name}"):
        _native.Ring("portable", {key: value for key, value in CONSTANTS.items() if key != name})


@pytest.mark.parametrize("k", [0, -1, 161, 2**31 - 1, 2**31, 2**40, 2**64, -(2**63)])
def test_h79_limb_counts_without_a_kernel(k: int) -> None:
    with pytest.raises(ValueError, match=r"limbs|no k"):
        ring_with(k=k)
    with pytest.raises((ValueError, TypeError)):
        _native.Decryptor("portable", k, 107, *HALVES)


def test_h79_a_modulus_leaves_four_bits_of_its_limbs() -> None:
    for bits, fits in ((100, True), (101, False)):
        constants = hostile.ring_constants((1 << bits) - 1) | {"k": 2}
        constants |= {name: b"\1" for name in constants if name not in ("k", "n", "n_squared", "ciphertext_bytes")}
        if fits:
            assert len(_native.Ring("portable", constants).ones(1)) == 1
        else:
            with pytest.raises(ValueError, match="too long"):
                _native.Ring("portable", constants)
    for even in (b"", b"\0", b"\2", bytes(25)):
        with pytest.raises(ValueError, match="odd"):
            ring_with(n=even)


@pytest.mark.parametrize("bits", [0, 1, 106, 157, 2**20, 2**61, 2**63, 2**64 - 64, 2**64 - 63, 2**64 - 1])
def test_h79_widths_of_private_exponents(bits: int) -> None:
    with pytest.raises(ValueError, match="length of the longer prime"):
        _native.Decryptor("portable", 3, bits, *HALVES)


@pytest.mark.parametrize("bits", [107, 156])
def test_h79_private_exponents_that_fit_their_limbs_decrypt(ring: _native.Ring, bits: int) -> None:
    plaintexts = np.zeros((1, 4), dtype=np.uint64)
    batch = ring.load(((1 + 77 * N) * pow(3, N, N * N) % (N * N)).to_bytes(WIDTH, "little"))
    _native.Decryptor("portable", 3, bits, *HALVES).decrypt(ring, batch, b"\1", plaintexts)
    assert integers_from_words(plaintexts) == [78]


@pytest.mark.parametrize("name", sorted(HALVES[0]))
def test_h79_constants_of_a_prime(name: str) -> None:
    for bad in (b"\xff" * 21, b"\xff" * 10**5, 7, None):
        with pytest.raises(ValueError, match=r"long|odd|longer prime|no " + name):
            _native.Decryptor("portable", 3, 107, HALVES[0], HALVES[1] | {name: bad})


@pytest.mark.parametrize("words", [0, 3])
def test_h79_plaintexts_that_do_not_hold_n_are_refused(ring: _native.Ring, words: int) -> None:
    decryptor = _native.Decryptor("portable", 3, 107, *HALVES)
    with pytest.raises(ValueError, match="too few words"):
        decryptor.decrypt(ring, ring.ones(2), b"", np.zeros((2, words), dtype=np.uint64))
    wide = np.full((2, 9), 5, dtype=np.uint64)
    decryptor.decrypt(ring, ring.ones(2), b"", wide)
    assert not wide.any()
    with pytest.raises(ValueError, match="too long"):
        decryptor.decrypt(ring, ring.ones(2), b"\xff" * 100, wide)


@pytest.mark.parametrize("words", [1, 2])
def test_h79_bits_beyond_the_words_of_exponents(ring: _native.Ring, words: int) -> None:
    batch, exponents = ring.ones(2), np.full((2, words), 2**64 - 1, dtype=np.uint64)
    assert ring.store(ring.power(batch, exponents, 64 * words)) == ring.store(batch)
    assert len(ring.matrix_power_vartime(batch, exponents, 1, 64 * words)) == 1
    for bits in (64 * words + 1, 2**61, 2**63, 2**64 - 63, 2**64 - 1):
        with pytest.raises(ValueError, match="fewer words"):
            ring.power(batch, exponents, bits)
        with pytest.raises(ValueError, match="fewer words"):
            ring.matrix_power_vartime(batch, exponents, 1, bits)
        with pytest.raises(ValueError, match="fewer words"):
            ring.power(ring.ones(0), np.zeros((0, 2**57), dtype=np.uint64), 2**64 - 1)


def test_h79_widths_of_nothing(ring: _native.Ring) -> None:
    nothing = np.zeros((2, 0), dtype=np.uint64)
    table = _native.FixedBase(ring, ring.ones(2), 64, 4)
    calls = {
        "power": lambda: ring.power(ring.ones(2), nothing, 0),
        "matrix": lambda: ring.matrix_power_vartime(ring.ones(2), nothing, 1, 0),
        "plain": lambda: ring.multiply_plain(ring.ones(2), nothing, b""),
        "table": lambda: table.power_secret(nothing),
        "many": lambda: table.power_secret(np.zeros((2**40, 0), dtype=np.uint64)),
    }
    for call in calls.values():
        with pytest.raises(ValueError, match="words"):
            call()


@pytest.mark.parametrize("words", [8, 2**57, 2**58, 2**59])
def test_h79_plaintexts_wider_than_two_coordinates(ring: _native.Ring, words: int) -> None:
    with pytest.raises(ValueError, match="too many"):
        ring.multiply_plain(ring.ones(0), np.zeros((0, words), dtype=np.uint64), b"")
    assert len(ring.multiply_plain(ring.ones(1), np.ones((1, 6), dtype=np.uint64), b"")) == 1  # 385 of 416 bits


@pytest.mark.parametrize(
    ("bits", "window"),
    [(0, 4), (2**20 + 1, 4), (2**61, 4), (2**64 - 1, 4), (64, 0), (64, -1), (64, 13), (64, 2**31 - 1)],
)
def test_h79_tables_of_no_size(ring: _native.Ring, bits: int, window: int) -> None:
    with pytest.raises(ValueError, match=r"exponents of 1 to|window of 1 to"):
        _native.FixedBase(ring, ring.ones(2), bits, window)


@pytest.mark.parametrize(("bits", "window"), [(1, 1), (1, 12), (64, 12), (4096, 1)])
def test_h79_the_smallest_and_widest_tables(ring: _native.Ring, bits: int, window: int) -> None:
    table = _native.FixedBase(ring, ring.ones(2), bits, window)
    exponents = np.full((6, 1), 2**64 - 1, dtype=np.uint64)
    assert ring.store(table.power_secret(exponents)) == ring.store(ring.ones(6))


@pytest.mark.parametrize("count", [2**57, 2**58, 2**60, 2**61, 2**63, 2**64 - 8, 2**64 - 1])
def test_h79_counts_whose_memory_wraps(ring: _native.Ring, count: int) -> None:
    no_exponents = np.zeros((0, 1), dtype=np.uint64)
    for call in (
        lambda: ring.ones(count),
        lambda: ring.product(ring.ones(0), count, 0, 1),
        lambda: ring.product(ring.ones(0), 8, 0, count),
        lambda: ring.product(ring.ones(8), count, 8, count),
        lambda: ring.product(ring.ones(2**4), count // 2 + 1, 2**4, 2),
        lambda: ring.grouped_product(ring.ones(0), np.zeros(0, dtype=np.int64), count),
        lambda: ring.matrix_power_vartime(ring.ones(0), no_exponents, count, 5),
        lambda: ring.matrix_power_vartime(ring.ones(16), no_exponents, count, 5),
    ):
        with pytest.raises(REFUSED):
            call()


@pytest.mark.parametrize("index", [3, -1, 2**61, 2**63 - 1, -(2**63)])
def test_h79_indices_outside_a_batch(ring: _native.Ring, index: int) -> None:
    with pytest.raises(IndexError, match="outside"):
        ring.take(ring.ones(3), np.array([0, index]))


@pytest.mark.parametrize("key", [3, -1, 2**61, 2**63 - 1, -(2**63)])
def test_h79_keys_of_no_group(ring: _native.Ring, key: int) -> None:
    with pytest.raises(IndexError, match="no group"):
        ring.grouped_product(ring.ones(2), np.array([0, key]), 3)
    with pytest.raises(IndexError, match="no group"):
        ring.grouped_product(ring.ones(1), np.array([0]), 0)
    for count in (1, 3):
        with pytest.raises(ValueError, match="a residue"):
            ring.grouped_product(ring.ones(2), np.zeros(count, dtype=np.int64), 3)


def test_h79_the_longest_moduli_of_the_engine() -> None:
    engine = native.NativeEngine("portable")
    longest = _native.LIMB_BITS * _native.MAX_LIMBS - _native.TABLE_SLACK
    ring = engine.ring(2**longest - 1)
    assert ring.store(ring.multiply(ring.load([5]), ring.load([7]))) == [35]
    for bits in (longest + 1, 2 * longest, 2**20):
        with pytest.raises(EngineUnavailableError, match=f"up to {longest} bits"):
            engine.ring(2**bits - 1)
    assert engine.max_key_length <= longest


def test_h79_batches_of_another_ring(ring: _native.Ring) -> None:
    other = _native.Ring("portable", hostile.ring_constants(2**600 - 1))
    foreign, own = other.ones(8), ring.ones(8)
    words = np.ones((8, 1), dtype=np.uint64)
    for call in (
        lambda: ring.store(foreign),
        lambda: ring.take(foreign, np.array([0])),
        lambda: ring.concatenate([own, foreign]),
        lambda: ring.multiply(own, foreign),
        lambda: ring.multiply(foreign, own),
        lambda: ring.multiply_plain(foreign, words, b""),
        lambda: ring.product(foreign, 1, 8, 1),
        lambda: ring.grouped_product(foreign, np.zeros(8, dtype=np.int64), 1),
        lambda: ring.unit_witness(foreign),
        lambda: ring.prefix_products(foreign),
        lambda: ring.invert_from(own, foreign, own),
        lambda: ring.invert_from(own, own, foreign),
        lambda: ring.invert_from(foreign, own, own),
        lambda: ring.power(foreign, words, 1),
        lambda: ring.matrix_power_vartime(foreign, words, 1, 1),
        lambda: _native.FixedBase(ring, other.ones(2), 8, 4),
    ):
        with pytest.raises(ValueError, match="another ring"):
            call()


def test_h79_objects_that_were_never_made(ring: _native.Ring) -> None:
    words = np.ones((1, 4), dtype=np.uint64)
    calls: dict[type, Callable[[Any], object]] = {
        _native.Batch: ring.store,
        _native.Ring: lambda made: made.ones(1),
        _native.FixedBase: lambda made: made.power_secret(words),
        _native.Decryptor: lambda made: made.decrypt(ring, ring.ones(1), b"", words),
    }
    for kind, call in calls.items():
        with pytest.warns(RuntimeWarning, match="uninitialized"), pytest.raises(TypeError, match="incompatible"):
            call(kind.__new__(kind))
    with pytest.warns(RuntimeWarning, match="already-initialized"), pytest.raises(TypeError, match="incompatible"):
        ring.__init__("portable", CONSTANTS)  # type: ignore[misc]
    with pytest.raises(TypeError, match="takes batches"):
        ring.concatenate([ring.ones(1), None])  # type: ignore[list-item]


@pytest.mark.parametrize("bits", [0, 1, 7, 8, 9, 15, 16, 17, 255, 256])
def test_numbers_cross_in_as_many_bytes_as_they_have(bits: int) -> None:
    value = (1 << bits) - 1
    assert len(native._bytes(value)) == math.ceil(bits / 8)
    assert int.from_bytes(native._bytes(value), "little") == value
