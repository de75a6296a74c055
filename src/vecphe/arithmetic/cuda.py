"""The cuda engine: batches that stay in the memory of a GPU, one residue to a group of threads (kernels.cu)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from gmpy2 import gcd, invert, mpz

from vecphe.arithmetic.cuda_device import Buffer, CupyDevice, Device, Limbs, Shape
from vecphe.arithmetic.cuda_kernels import (
    ENTRIES,
    LIMB_BITS,
    SHAPES,
    WINDOW,
    Kernels,
    halved,
    powers_of,
    shape_for,
    words32,
)
from vecphe.arithmetic.engine import AnyRing, Decryptor, Engine, FixedBase, Ring, Tuning
from vecphe.arithmetic.words import Words, exponent_words, integers_from_bytes, words_from_integers
from vecphe.errors import EngineUnavailableError, InvalidCiphertextError

__all__ = ["SHAPES", "CudaEngine"]

_RING_SLACK = 12  # bits of R above n: sums of 2048 logarithms stay below R
_PRIME_SLACK = 7
_MOST_DECRYPTED = 1 << 13  # at once: they fill a GPU, and 4096 bits take 0.17 s, for which a signal waits
_PAYS = "from 3 ciphertexts against a core with gmp, from 30 against one with ifma"  # 2048 bits, docs/gpu.md
_ALL_DIGITS = 0xFEDCBA9876543210
_GROUPS_TO_FILL = 1 << 14  # that keep a GPU busy: rows of a matrix are cut so that there are as many


class Batch:
    """Residues on the device: pairs of coordinates, 2K words each."""

    __slots__ = ("buffer", "count", "n")

    def __init__(self, n: int, count: int, buffer: Buffer) -> None:
        self.n, self.count, self.buffer = n, count, buffer

    def __len__(self) -> int:
        return self.count


class CudaRing(Ring[Batch]):
    """Z/n^2 on a device."""

    def __init__(self, n: int, kernels: Kernels) -> None:
        super().__init__(n)
        self.kernels, self._width = kernels, 2 * kernels.k
        self.constants = kernels.upload_constants([kernels.constants(n)])

    def _batch(self, count: int) -> Batch:
        return Batch(self.n, count, self.kernels.device.allocate(count * self._width))

    def part(self, batch: Batch, start: int) -> Any:
        """View of a batch from residue `start` on, for a launch."""
        return batch.buffer[start * self._width :]

    def _own(self, *batches: Batch) -> None:
        if any(batch.n != self.n for batch in batches):
            raise ValueError("the batch is that of another ring")

    def size(self, batch: Batch) -> int:
        return batch.count

    def resident_bytes(self, batch: Batch) -> int:
        return 4 * len(batch.buffer)

    def load(self, values: Iterable[int]) -> Batch:
        return self._loaded_as_bytes(values)

    def load_bytes(self, data: bytes) -> Batch:
        width, kernels = self.ciphertext_bytes, self.kernels
        if len(data) % width:
            raise InvalidCiphertextError
        rows = np.frombuffer(data, np.uint8).reshape(-1, width)
        if not _all_below(rows, self.n_squared):
            raise InvalidCiphertextError
        result = self._batch(len(rows))
        for start, stop in kernels.pieces(len(rows), self._width + width // 4 + 1):
            limbs = kernels.unpacked(words32(rows[start:stop]), self._width)
            kernels.run("load", stop - start, self.part(result, start), limbs, self.constants)
        return result

    def store(self, batch: Batch) -> list[int]:
        return integers_from_bytes(self.store_bytes(batch), self.ciphertext_bytes)

    def store_bytes(self, batch: Batch) -> bytes:
        self._own(batch)
        kernels, words, parts = self.kernels, -(-self.ciphertext_bytes // 4), []
        for start, stop in kernels.pieces(batch.count, self._width + words):
            limbs, count = self.plain_form(batch, start, stop, whole=True), stop - start
            packed = kernels.repacked(limbs, count, (words, 32), (self._width, LIMB_BITS))
            rows = kernels.device.download(packed).astype("<u4", copy=False).view(np.uint8).reshape(count, -1)
            parts.append(np.ascontiguousarray(rows[:, : self.ciphertext_bytes]).data)
        return b"".join(parts)

    def plain_form(self, batch: Batch, start: int, stop: int, *, whole: bool) -> Buffer:
        """Residues out of Montgomery scaling: 2k limbs of the number (`whole`), or of its coordinates."""
        limbs = self.kernels.device.allocate((stop - start) * self._width)
        self.kernels.run("store", stop - start, limbs, self.part(batch, start), self.constants, int(whole))
        return limbs

    def ones(self, count: int) -> Batch:
        one = self.constants[2 * self.kernels.k : 4 * self.kernels.k]
        return self._gathered(one, np.zeros(count, np.uint32))

    def take(self, batch: Batch, indices: npt.NDArray[np.intp]) -> Batch:
        self._own(batch)
        if len(indices) and not 0 <= indices.min() <= indices.max() < batch.count:
            raise IndexError("index out of range")
        return self._gathered(batch.buffer, indices.astype(np.uint32))

    def _gathered(self, rows: Any, indices: Limbs) -> Batch:
        result = self._batch(len(indices))
        where = self.kernels.device.upload(indices)
        self.kernels.run("gather", len(indices) * self._width, result.buffer, rows, where, self._width)
        return result

    def concatenate(self, batches: Sequence[Batch]) -> Batch:
        self._own(*batches)
        result, start = self._batch(sum(batch.count for batch in batches)), 0
        for batch in batches:
            words = len(batch.buffer)  # as one word of as many bits, copied whole
            self.kernels.run("repack", words, self.part(result, start), batch.buffer, max(words, 1), 32, words, 32)
            start += batch.count
        return result

    def all_units(self, batch: Batch) -> bool:
        return bool(gcd(self.store(self.product(batch, 1, batch.count, 1))[0], self.n) == 1)

    def _multiply(self, out: Any, count: int, left: Any, right: Any, block: int, span: int, shift: int) -> None:
        self.kernels.run("multiply", count, out, left, right, self.constants, block, span, shift)

    def multiply(self, left: Batch, right: Batch) -> Batch:
        self._own(left, right)
        if left.count != right.count:
            raise ValueError("batches of different sizes")
        result = self._batch(left.count)
        self._multiply(result.buffer, left.count, left.buffer, right.buffer, left.count, left.count, 0)
        return result

    def multiply_plain(self, batch: Batch, words: Words, offset: int) -> Batch:
        self._own(batch)
        if len(words) != batch.count:
            raise ValueError("as many plaintexts as residues are needed")
        if 64 * words.shape[1] >= LIMB_BITS * self._width:
            raise ValueError("plaintexts of too many words")
        kernels, result = self.kernels, self._batch(batch.count)
        shift = kernels.limbs([offset % self.n])
        for start, stop in kernels.pieces(batch.count, self._width + 2 * words.shape[1]):
            limbs = kernels.unpacked(halved(words[start:stop]), self._width)
            views = self.part(result, start), self.part(batch, start)
            kernels.run("multiply_plain", stop - start, *views, limbs, shift, self.constants)
        return result

    def product(self, batch: Batch, outer: int, terms: int, inner: int) -> Batch:
        self._own(batch)
        if outer * terms * inner != batch.count:
            raise ValueError("the shape is not that of the batch")
        if terms == 0:
            return self.ones(outer * inner)
        while terms > 1:
            half = (terms + 1) // 2
            result, block = self._batch(outer * half * inner), half * inner
            self._multiply(result.buffer, result.count, batch.buffer, batch.buffer, block, terms * inner, block)
            batch, terms = result, half
        return batch

    def invert(self, batch: Batch) -> Batch:
        """By a tree of products: of the inverse of a product, times one factor, remains that of the other."""
        self._own(batch)
        if batch.count == 0:
            return batch
        levels = [batch]
        while levels[-1].count > 1:
            below, above = levels[-1], self._batch((levels[-1].count + 1) // 2)
            self._multiply(above.buffer, above.count, below.buffer, below.buffer, above.count, below.count, above.count)
            levels.append(above)
        try:
            inverse = self.load([int(invert(mpz(self.store(levels.pop())[0]), self.n_squared))])
        except ZeroDivisionError:
            raise InvalidCiphertextError from None
        for level in reversed(levels):
            half, result = inverse.count, self._batch(level.count)
            rest = level.count - half
            high = self.part(level, half) if rest else level.buffer
            self._multiply(result.buffer, half, inverse.buffer, high, half, rest, 0)
            self._multiply(self.part(result, half), rest, inverse.buffer, level.buffer, half, half, 0)
            inverse = result
        return inverse

    def power_vartime(self, batch: Batch, exponents: Sequence[int]) -> Batch:
        words, bits = exponent_words(exponents)
        return self._power(batch, words, max(bits, 1))

    def power_secret(self, batch: Batch, exponents: Words) -> Batch:
        return self._power(batch, exponents, 64 * exponents.shape[1])

    def _power(self, batch: Batch, exponents: Words, bits: int) -> Batch:
        self._own(batch)
        if len(exponents) != batch.count:
            raise ValueError("as many exponents as residues are needed")
        kernels, result, steps = self.kernels, self._batch(batch.count), -(-bits // WINDOW)
        for start, stop in kernels.pieces(batch.count, ENTRIES * self._width + steps + 2 * exponents.shape[1]):
            count = stop - start
            tables = powers_of(kernels, self.part(batch, start), count, self.constants, 1)
            digits = kernels.unpacked(halved(exponents[start:stop]), steps, WINDOW)
            shape = (1, count, count, 1, count, steps)
            kernels.run("power", count, self.part(result, start), tables, digits, self.constants, *shape)
        return result

    def matrix_power_vartime(self, matrix: Sequence[Sequence[int]], batch: Batch) -> Batch:
        self._own(batch)
        if any(len(row) != batch.count for row in matrix):
            raise ValueError("every row of the matrix needs one entry a residue")
        words, bits = exponent_words(chain.from_iterable(matrix))
        if not len(matrix) or not batch.count:
            return self.ones(len(matrix))
        grid = words.reshape(len(matrix), batch.count, -1)
        result = None
        for start, stop in self.kernels.pieces(batch.count, ENTRIES * self._width):
            some = self.take(batch, np.arange(start, stop)) if stop - start < batch.count else batch
            part = self._straus(grid[:, start:stop], max(bits, 1), some)
            result = part if result is None else self.multiply(result, part)
        assert result is not None
        return result

    def _straus(self, grid: npt.NDArray[np.uint64], bits: int, batch: Batch) -> Batch:
        """Columns in segments, so that few rows fill the device too."""
        kernels, (rows, columns, width), steps = self.kernels, grid.shape, -(-bits // WINDOW)
        length = -(-columns // min(columns, -(-_GROUPS_TO_FILL // rows)))
        segments = -(-columns // length)
        missing = segments * length - columns
        bases = self.concatenate([batch, self.ones(missing)]) if missing else batch
        tables = powers_of(kernels, bases.buffer, len(bases), self.constants, 1)
        padded = np.pad(grid, ((0, 0), (0, missing), (0, 0)))
        result = self._batch(rows * segments)
        for start, stop in kernels.pieces(rows, len(bases) * (steps + 2 * width)):
            exponents = padded[start:stop].reshape(-1, width)
            digits = kernels.unpacked(halved(exponents), steps, WINDOW)
            shape = (1, len(bases), segments, length, len(exponents), steps)
            out = self.part(result, start * segments)
            kernels.run("power", (stop - start) * segments, out, tables, digits, self.constants, *shape)
        return self.product(result, rows, segments, 1)

    def fixed_base(self, base: int, bits: int, window: int) -> CudaFixedBase:
        return CudaFixedBase(self, base, bits, window)


def _all_below(rows: npt.NDArray[np.uint8], bound: int) -> bool:
    """Whether all little-endian numbers are below the bound; byte by byte from the top, for those not yet told."""
    limit = np.frombuffer(bound.to_bytes(rows.shape[1], "little"), np.uint8)
    equal = np.arange(len(rows))
    for i in reversed(range(rows.shape[1])):
        column = rows[equal, i]
        if (column > limit[i]).any():
            return False
        equal = equal[column == limit[i]]
        if not len(equal):
            return True
    return False


class CudaFixedBase(FixedBase[Batch]):
    """Table of powers in logarithmic form; see kernels.cu. The window is cut where the table would not fit."""

    def __init__(self, ring: CudaRing, base: int, bits: int, window: int) -> None:
        kernels = ring.kernels
        k, room = kernels.k, kernels.device.free_bytes() // 4
        while window > 1 and 12 * k * (-(-bits // window) << window) > room:
            window -= 1
        self._ring, self.window, self._rows = ring, window, -(-bits // window)
        entries = self._rows << window
        self._table = kernels.device.allocate(entries * 2 * k)
        self.table_bytes = 4 * len(self._table)
        powers = kernels.limbs(self._squares(base))
        inverses = kernels.device.allocate(entries * k)
        one = self._logarithmic(1, 1)
        self._start(one, inverses, entries)
        for bit in range(window):
            views = self._table, inverses, powers, ring.constants
            kernels.run("grow_table", self._rows << bit, *views, window, bit)
        kernels.run("close_table", entries, self._table, ring.constants)

    def _start(self, one: list[int], inverses: Buffer, entries: int) -> None:
        """Entry 0 of each row, the power 1: its number and logarithm, and -R^2 over it."""
        kernels, ring = self._ring.kernels, self._ring
        first = kernels.limbs([one[0], one[1], ring.n - one[2]])
        nothing = kernels.device.upload(np.zeros(entries, np.uint32))
        kernels.run("gather", entries * 2 * kernels.k, self._table, first, nothing, 2 * kernels.k)
        kernels.run("gather", entries * kernels.k, inverses, first[slice(2 * kernels.k, None)], nothing, kernels.k)

    def _logarithmic(self, value: int, inverse: int) -> list[int]:
        """Of a unit: y0 in Montgomery scaling, its logarithm times R^2, and R^2/y0."""
        n, r = self._ring.n, self._ring.kernels.r
        high, low = divmod(value * r % self._ring.n_squared, n)
        inverse = inverse * r % n
        return [low, high * inverse % n, inverse]

    def _squares(self, base: int) -> list[int]:
        """Base ** 2^i for each bit of the exponents, in logarithmic form."""
        n, n_squared = self._ring.n, self._ring.n_squared
        try:
            value, inverse = mpz(base), invert(mpz(base), n)
        except ZeroDivisionError:
            raise InvalidCiphertextError from None
        found: list[int] = []
        for _ in range(self._rows * self.window):
            found += map(int, self._logarithmic(value, inverse))
            value, inverse = value * value % n_squared, inverse * inverse % n
        return found

    def power_secret(self, exponents: Words) -> Batch:
        ring, kernels = self._ring, self._ring.kernels
        result = Batch(ring.n, len(exponents), kernels.device.allocate(len(exponents) * 2 * kernels.k))
        for start, stop in kernels.pieces(len(exponents), self._rows + 2 * exponents.shape[1]):
            digits = kernels.unpacked(halved(exponents[start:stop]), self._rows, self.window)
            views = ring.part(result, start), self._table, digits, ring.constants
            kernels.run("fixed_base", stop - start, *views, self._rows, self.window)
        return result


class CudaDecryptor(Decryptor):
    """Halves mod p^2 and mod q^2 of each ciphertext, one after the other; as in src/native/decryptor.cpp."""

    def __init__(self, p: int, q: int, kernels: Kernels) -> None:
        self._n, self._kernels = p * q, kernels
        self._exponent_bits = max(p.bit_length(), q.bit_length())
        halves = [kernels.constants(a, self._of_prime(a, b)) for a, b in ((p, q), (q, p))]
        self._constants = kernels.upload_constants(halves)
        exponents = words_from_integers([p - 1, q - 1], -(-self._exponent_bits // 64))
        self._steps = -(-self._exponent_bits // WINDOW)
        self._digits = kernels.unpacked(halved(exponents), self._steps, WINDOW)

    def _of_prime(self, p: int, q: int) -> tuple[int, int, int]:
        """To take x1*n into the pair mod p^2; the scale of its logarithm; the other prime."""
        q_inverse = int(invert(q, p))
        return q * self._kernels.r**3 % p, -q_inverse * q_inverse * self._kernels.r % p, q

    def decrypt(self, ring: AnyRing, batch: Any, offset: int) -> Words:
        if not isinstance(ring, CudaRing) or ring.n != self._n or batch.n != self._n:
            raise ValueError("the ring is that of another key")
        plaintexts = np.empty((batch.count, ring.plaintext_words), dtype=np.uint64)
        device = self._kernels.device
        shift, wrong = ring.kernels.limbs([offset % ring.n]), device.upload(np.zeros(1, np.uint32))
        for start, stop in self._kernels.pieces(batch.count, (4 * ENTRIES + 16) * self._kernels.k, _MOST_DECRYPTED):
            words = device.download(self._decrypted(ring, batch, start, stop, shift, wrong))
            plaintexts[start:stop] = words.astype("<u4", copy=False).view("<u8").reshape(stop - start, -1)
            words[:] = 0
        if device.download(wrong)[0]:
            plaintexts[:] = 0
            raise InvalidCiphertextError
        return plaintexts

    def _decrypted(self, ring: CudaRing, batch: Batch, start: int, stop: int, shift: Buffer, wrong: Buffer) -> Buffer:
        kernels, k, count = self._kernels, self._kernels.k, stop - start
        halves = kernels.device.allocate(count * 4 * k)
        plain = ring.plain_form(batch, start, stop, whole=False)
        kernels.run("enter_halves", 2 * count, halves, plain, ring.kernels.k, self._constants)
        tables = powers_of(kernels, halves.memory, 2 * count, self._constants, 2)
        shape = (2, 2 * count, 2 * count, 1, 2, self._steps)
        kernels.run("power", 2 * count, halves, tables, self._digits, self._constants, *shape)
        logs, sums = kernels.device.allocate(count * 2 * k), kernels.device.allocate(count * 2 * k)
        kernels.run("logarithms", 2 * count, logs, wrong, halves, self._constants)
        kernels.run("combine", count, sums, logs, self._constants)
        limbs = kernels.device.allocate(count * ring.kernels.k)
        ring.kernels.run("finish", count, limbs, sums, 2 * k, shift, ring.constants)
        return ring.kernels.repacked(limbs, count, (2 * ring.plaintext_words, 32), (ring.kernels.k, LIMB_BITS))


class CudaEngine(Engine):
    """An NVIDIA GPU, or what else is given as a device."""

    name = "cuda"
    tuning = Tuning(
        workers="threads",
        # 16 of these are cut off at once: some 15 ms on a GPU at 2048 bits, benchmarks/gpu.py.
        encrypt_task=1 << 12,
        decrypt_task=1 << 9,
        multiply_task=1 << 18,
        carry_products=4,
        entry_cost=1.7,  # 6k^2 an entry against 3.5k^2 a step
        min_window=8,  # a smaller table leaves most of the device idle while it is made
        max_window=16,  # 2048 bits: 2.4 GB, and half the time a power of window 8
        table_memory=100,
        full_batch=1 << 12,
    )
    max_key_length = 4096

    def __init__(self, device: Device | None = None) -> None:
        self._device = device or CupyDevice()
        self._kernels: dict[Shape, Kernels] = {}

    def describe(self) -> dict[str, Any]:
        return {**self._device.describe(), "lanes": _GROUPS_TO_FILL, "pays": _PAYS}

    def known_answers(self) -> bool:
        return _known_answer(Kernels(self._device, SHAPES[0]))

    def _kernels_for(self, bits: int, slack: int) -> Kernels:
        """The kernels of the next limb count, tested on first use: compiling all of them would take too long."""
        shape = shape_for(bits, slack)
        if shape not in self._kernels:
            kernels = Kernels(self._device, shape)
            if not _known_answer(kernels):
                raise EngineUnavailableError("engine 'cuda' failed its self-test on this machine; do not use it")
            self._kernels[shape] = kernels
        return self._kernels[shape]

    def ring(self, n: int) -> CudaRing:
        return CudaRing(n, self._kernels_for(n.bit_length(), _RING_SLACK))

    def decryptor(self, p: int, q: int) -> CudaDecryptor:
        return CudaDecryptor(p, q, self._kernels_for(max(p.bit_length(), q.bit_length()), _PRIME_SLACK))


def _known_answer(kernels: Kernels) -> bool:
    n = 3 ** int((LIMB_BITS * kernels.k - _RING_SLACK) / 1.585)  # odd, and just short enough
    n_squared = n * n
    ring = CudaRing(n, kernels)
    values = [(5 << n.bit_length()) + 21, n_squared - 7, 1, n + 2, n_squared - 1]
    batch, exponents = ring.load(values), words_from_integers([0, 1, 45, 62, 63], 1)
    plain = ring.multiply_plain(batch, exponents, -1)
    base = ring.fixed_base(values[3], 6, 2)
    return (
        ring.store(ring.multiply(batch, plain))
        == [v * v * (1 + (int(m) - 1) * n) % n_squared for v, m in zip(values, exponents[:, 0], strict=True)]
        and ring.store(base.power_secret(exponents)) == [pow(n + 2, int(e), n_squared) for e in exponents[:, 0]]
        and ring.store(ring.power_vartime(batch, [_ALL_DIGITS] * 5)) == [pow(v, _ALL_DIGITS, n_squared) for v in values]
    )
