"""The native engine: several residues at a time in vector registers (src/native).

Python prepares the constants of a modulus, which need divisions; the module `_native` does the rest in
Montgomery form with R = 2^(52k). Its buffers stay on its side; only bytes and words cross.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from gmpy2 import gcd, invert, mpz

from vecphe.arithmetic import _native
from vecphe.arithmetic.cancellation import told_of_flags
from vecphe.arithmetic.engine import AnyRing, Decryptor, Engine, FixedBase, Ring, Tuning, engine_name
from vecphe.arithmetic.words import Words, exponent_words, integers_from_bytes, words_from_integers
from vecphe.errors import EngineUnavailableError, InvalidCiphertextError

__all__ = ["NativeEngine", "known_answers", "supported_targets"]

_GREATEST_LENGTH = _native.LIMB_BITS * _native.MAX_LIMBS - _native.TABLE_SLACK  # bits of n

told_of_flags.append(_native.watch)


# Multiples of 10 are woven of blocks, one or several; the others go through general kernels.
_TESTED_LIMBS = (10, 13, 20, 40, 60)


def supported_targets() -> list[tuple[str, str | None]]:
    """Compiled-in targets, fastest first, each with the reason why this CPU does not run it, or None."""
    return [(name, why_not) for name, _, why_not in _native.targets()]


def known_answers(target: str) -> bool:
    """Whether a target computes right: woven kernels and general ones against Python integers.

    Some milliseconds; meant to run once, before the target is used.
    """
    return all(_known_answer(target, limbs) for limbs in _TESTED_LIMBS)


def _known_answer(target: str, limbs: int) -> bool:
    n = 3 ** int((_native.LIMB_BITS * limbs - _native.TABLE_SLACK) / 1.585)  # odd, and just short enough for `limbs`
    n_squared = n * n
    x, y = (5 << n.bit_length()) + 21, n_squared - 7
    ring = NativeRing(n, target)
    batch = ring.load([x, y, 1, n + 2, n_squared - 1])
    exponents = words_from_integers([0, 1, 45, 62, 63], 1)
    base = ring.fixed_base(x, 6, 2)
    plain = ring.multiply_plain(batch, exponents, -1)
    return (
        ring.store(ring.multiply(batch, batch)) == [v * v % n_squared for v in ring.store(batch)]
        and ring.store(ring.multiply(batch, plain))
        == [v * v * (1 + (int(m) - 1) * n) % n_squared for v, m in zip(ring.store(batch), exponents[:, 0], strict=True)]
        and ring.store(base.power_secret(exponents)) == [pow(x, int(e), n_squared) for e in exponents[:, 0]]
        and ring.store(ring.power_vartime(batch, [45] * 5)) == [pow(v, 45, n_squared) for v in ring.store(batch)]
    )


def _bytes(value: int | mpz) -> bytes:
    return int(value).to_bytes((int(value).bit_length() + 7) // 8, "little")


def _limbs(bits: int, slack: int) -> int:
    k = -(-(bits + slack) // _native.LIMB_BITS)
    if k > _native.MAX_LIMBS:
        raise EngineUnavailableError(
            f"the native engine computes with moduli of up to {_GREATEST_LENGTH} bits, not {bits}; use gmp"
        )
    return k


def _pair(prefix: str, value: int, n: int) -> dict[str, bytes]:
    high, low = divmod(value % (n * n), n)
    return {f"{prefix}0": _bytes(low), f"{prefix}1": _bytes(high)}


def _common_constants(n: int, k: int) -> dict[str, bytes]:
    r = 1 << (_native.LIMB_BITS * k)
    return _pair("one", r, n) | _pair("r3_", r**3, n)


class NativeRing(Ring[_native.Batch]):
    """Z/n^2 on the native module."""

    def __init__(self, n: int, target: str) -> None:
        super().__init__(n)
        k = _limbs(n.bit_length(), _native.TABLE_SLACK)
        r = 1 << (_native.LIMB_BITS * k)
        self.native = _native.Ring(
            target,
            _common_constants(n, k)
            | {
                "k": k,
                "n": _bytes(n),
                "n_squared": _bytes(n * n),
                "kn": _bytes(-(-r // n) * n),
                "r2": _bytes(r * r % n),
                "ciphertext_bytes": self.ciphertext_bytes,
            },
        )

    def size(self, batch: _native.Batch) -> int:
        return len(batch)

    def resident_bytes(self, batch: _native.Batch) -> int:
        return batch.nbytes

    def load(self, values: Iterable[int]) -> _native.Batch:
        return self._loaded_as_bytes(values)

    def load_bytes(self, data: bytes) -> _native.Batch:
        try:
            return self.native.load(data)
        except _native.InvalidResidue:
            raise InvalidCiphertextError from None

    def store(self, batch: _native.Batch) -> list[int]:
        return integers_from_bytes(self.native.store(batch), self.ciphertext_bytes)

    def store_bytes(self, batch: _native.Batch) -> bytes:
        return self.native.store(batch)

    def ones(self, count: int) -> _native.Batch:
        return self.native.ones(count)

    def take(self, batch: _native.Batch, indices: npt.NDArray[np.intp]) -> _native.Batch:
        return self.native.take(batch, np.ascontiguousarray(indices, dtype=np.int64))

    def concatenate(self, batches: Sequence[_native.Batch]) -> _native.Batch:
        return self.native.concatenate(list(batches))

    def all_units(self, batch: _native.Batch) -> bool:
        witness = self.native.unit_witness(batch)
        step = len(witness) // _native.LANES
        products = (mpz.from_bytes(witness[i : i + step], "little") for i in range(0, len(witness), step))  # by lane
        return bool(gcd(math.prod(products), self.n) == 1)  # one gcd costs as much as several products

    def multiply(self, left: _native.Batch, right: _native.Batch) -> _native.Batch:
        return self.native.multiply(left, right)

    def multiply_plain(self, batch: _native.Batch, words: Words, offset: int) -> _native.Batch:
        return self.native.multiply_plain(batch, _contiguous(words), _bytes(offset % self.n))

    def product(self, batch: _native.Batch, outer: int, terms: int, inner: int) -> _native.Batch:
        return self.native.product(batch, outer, terms, inner)

    def grouped_product(self, batch: _native.Batch, keys: npt.NDArray[np.int64], groups: int) -> _native.Batch:
        if len(batch) < _RESIDUES_A_GROUP * groups:
            return super().grouped_product(batch, keys, groups)
        return self.native.grouped_product(batch, np.ascontiguousarray(keys, dtype=np.int64), groups)

    def invert(self, batch: _native.Batch) -> _native.Batch:
        if len(batch) == 0:
            return batch
        # Lane by lane: invert the product of the whole lane, then unwind the prefixes.
        prefixes = self.native.prefix_products(batch)
        last = np.arange(len(prefixes) - _native.LANES, len(prefixes))
        try:
            inverses = [invert(mpz(x), self.n_squared) for x in self.store(self.take(prefixes, last))]
        except ZeroDivisionError:
            raise InvalidCiphertextError from None
        return self.native.invert_from(batch, prefixes, self.load(inverses))

    def power_vartime(self, batch: _native.Batch, exponents: Sequence[int]) -> _native.Batch:
        words, bits = exponent_words(exponents)
        return self.native.power(batch, words, bits)

    def power_secret(self, batch: _native.Batch, exponents: Words) -> _native.Batch:
        return self.native.power(batch, _contiguous(exponents), 64 * exponents.shape[1])

    def matrix_power_vartime(self, matrix: Sequence[Sequence[int]], batch: _native.Batch) -> _native.Batch:
        if any(len(row) != len(batch) for row in matrix):
            raise ValueError("every row of the matrix needs one entry a residue")
        words, bits = exponent_words(chain.from_iterable(matrix))
        return self.native.matrix_power_vartime(batch, words, len(matrix), bits)

    def fixed_base(self, base: int, bits: int, window: int) -> NativeFixedBase:
        return NativeFixedBase(self, base, bits, window)


# Fewer, and the products of the eight parts of each group cost more than sorting: `grouped` of benchmarks/lines.py.
_RESIDUES_A_GROUP = 8


def _contiguous(words: Words) -> Words:
    return np.ascontiguousarray(words, dtype=np.uint64)


class NativeFixedBase(FixedBase[_native.Batch]):
    """Table of powers in delayed pair form; see src/native/fixed_base.h."""

    def __init__(self, ring: NativeRing, base: int, bits: int, window: int) -> None:
        self.bits, self.window = bits, window
        try:
            inverse = int(invert(mpz(base), ring.n))
        except ZeroDivisionError:
            raise InvalidCiphertextError from None
        self._native = _native.FixedBase(ring.native, ring.load([base, inverse]), bits, window)
        self.table_bytes = self._native.table_bytes

    def power_secret(self, exponents: Words) -> _native.Batch:
        return self._native.power_secret(_contiguous(exponents))


class NativeDecryptor(Decryptor):
    """p and q halves of each ciphertext side by side; see src/native/decryptor.h."""

    def __init__(self, p: int, q: int, target: str) -> None:
        self._n = p * q
        bits = max(p.bit_length(), q.bit_length())
        k = _limbs(bits, _native.MODULUS_SLACK)
        halves = _prime_constants(p, q, k), _prime_constants(q, p, k)
        self._native = _native.Decryptor(target, k, bits, *halves)

    def decrypt(self, ring: AnyRing, batch: Any, offset: int) -> Words:
        if not isinstance(ring, NativeRing) or ring.n != self._n:
            raise ValueError("the ring is that of another key")
        plaintexts = np.empty((len(batch), ring.plaintext_words), dtype=np.uint64)
        try:
            self._native.decrypt(ring.native, batch, _bytes(offset % ring.n), plaintexts)
        except _native.InvalidResidue:
            raise InvalidCiphertextError from None
        return plaintexts


def _prime_constants(p: int, q: int, k: int) -> dict[str, bytes]:
    r = 1 << (_native.LIMB_BITS * k)
    q_inverse = int(invert(q, p))
    numbers = {
        "p": p,
        "kp": -(-r // p) * p,
        "q_r3": q * r**3 % p,
        "h": -q_inverse * q_inverse * r % p,
        "q": q,
        "exponent": p - 1,
    }
    return _common_constants(p, k) | {name: _bytes(number) for name, number in numbers.items()}


_TUNING = Tuning(
    workers="threads",
    # Tasks of a few milliseconds at 2048 bits, where one costs about one: benchmarks/operations/test_operations.py.
    encrypt_task=128,
    decrypt_task=16,
    multiply_task=8192,
    carry_products=16,  # a product on vectors takes a tenth of what it takes in gmpy2, a pipe does not
    entry_cost=1.7,  # 6k^2 an entry against 3.5k^2 a step
    min_window=4,  # rows are padded to 16 entries
    max_window=8,  # 2048 bits: 21 MB, and 3 MB for single powers
    full_batch=64,  # more of them made a randomizer no cheaper by a tenth: the group `facade` of the benchmarks
)
# The same tasks for targets without IFMA, which take 2 to 5 times as long for each item.
_TUNINGS = {
    "fma512": replace(_TUNING, encrypt_task=64, decrypt_task=8, multiply_task=4096, carry_products=8),
    # Four lanes are looked up four entries at a time: the last bit of a window saves no more than it costs.
    "fma256": replace(_TUNING, encrypt_task=32, decrypt_task=4, multiply_task=2048, carry_products=4, max_window=7),
    # Measured on no machine yet.
    "neon": replace(_TUNING, encrypt_task=32, decrypt_task=4, multiply_task=2048, carry_products=4, max_window=7),
}


class NativeEngine(Engine):
    """The native module on one of its targets."""

    max_key_length = 8192

    def __init__(self, target: str) -> None:
        why_not = dict(supported_targets()).get(target, "not compiled in")
        if why_not is not None:
            raise EngineUnavailableError(f"target {target!r}: {why_not}")
        self.target = target
        self.name = engine_name(target)
        self.tuning = _TUNINGS.get(target, _TUNING)

    def counts(self) -> dict[str, int]:
        return _native.counts()

    def known_answers(self) -> bool:
        return known_answers(self.target)

    def describe(self) -> dict[str, Any]:
        lanes = {name: lanes for name, lanes, _ in _native.targets()}
        return {"target": self.target, "lanes": lanes[self.target], "version": "native kernel"}

    def ring(self, n: int) -> NativeRing:
        return NativeRing(n, self.target)

    def decryptor(self, p: int, q: int) -> NativeDecryptor:
        return NativeDecryptor(p, q, self.target)
