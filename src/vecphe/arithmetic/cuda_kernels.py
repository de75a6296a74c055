"""What the cuda engine runs on a device: the kernels of one limb count, the constants of a modulus, work in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gmpy2 import invert

from vecphe.arithmetic.cancellation import checkpoint
from vecphe.arithmetic.cuda_device import Buffer, Device, Limbs, Shape
from vecphe.arithmetic.words import Words
from vecphe.errors import EngineUnavailableError

__all__ = ["ENTRIES", "LIMB_BITS", "SHAPES", "WINDOW", "Kernels", "halved", "powers_of", "shape_for", "words32"]

LIMB_BITS = 29
# Limb counts that are compiled; other moduli take the next one. 20, 36, 56 and 72 limbs are those of the primes of keys
# of 1024, 2048, 3072 and 4096 bits; 36, 72, 112 and 144 those of n. On an H200 9 limbs a lane are as fast as 18 and
# faster than 5, and 7 as fast as 14; more than 9 take many times longer to compile.
SHAPES = (Shape(4, 5), Shape(4, 9), Shape(8, 7), Shape(8, 9), Shape(16, 7), Shape(16, 9))
ENTRIES, WINDOW = 16, 4  # of `power` in kernels.cu
_MOST_SCRATCH = 1 << 28  # words a piece: 1 GiB


def shape_for(bits: int, slack: int) -> Shape:
    """The least shape whose R is `slack` bits longer than a modulus."""
    for shape in SHAPES:
        if bits + slack <= LIMB_BITS * shape.lanes * shape.limbs:
            return shape
    raise EngineUnavailableError(f"the cuda engine computes with moduli of up to 4096 bits, not {bits}")


class Kernels:
    """The kernels of one limb count on a device."""

    def __init__(self, device: Device, shape: Shape) -> None:
        self.device, self.shape, self.k = device, shape, shape.lanes * shape.limbs
        self.r = 1 << (LIMB_BITS * self.k)

    def run(self, kernel: str, count: int, *arguments: Any) -> None:
        """Launch a kernel; nothing for a count of 0."""
        if count:
            self.device.launch(self.shape, kernel, count, *arguments)

    def repacked(self, words: Buffer, count: int, to: tuple[int, int], of: tuple[int, int]) -> Buffer:
        """`count` rows of to[0] words of to[1] bits from rows of of[0] words of of[1] bits."""
        result = self.device.allocate(count * to[0])
        self.run("repack", count * to[0], result, words, *to, *of)
        return result

    def unpacked(self, words: Limbs, width: int, bits: int = LIMB_BITS) -> Buffer:
        """Rows of numbers in words of 32 bits as rows of `width` limbs."""
        return self.repacked(self.device.upload(words), len(words), (width, bits), (words.shape[1], 32))

    def limbs(self, values: Sequence[int]) -> Buffer:
        """Integers below 2^(32*ceil(29*k/32)), k limbs each; the topmost may be larger than a limb."""
        rows = [[value >> (LIMB_BITS * i) & ((1 << LIMB_BITS) - 1) for i in range(self.k - 1)] for value in values]
        tops = [value >> (LIMB_BITS * (self.k - 1)) for value in values]
        return self.device.upload(np.array([[*row, top] for row, top in zip(rows, tops, strict=True)], np.uint32))

    def constants(self, n: int, prime: Sequence[int] = (0, 0, 0)) -> list[int]:
        """The rows of a modulus, in the order of kernels.cu; `prime` holds those of a decryptor."""
        one, cube = divmod(self.r % (n * n), n), divmod(self.r**3 % (n * n), n)
        return [
            n,
            self._bias(n),
            one[1],
            one[0],
            cube[1],
            cube[0],
            *prime,
            -int(invert(n, 1 << LIMB_BITS)) % (1 << LIMB_BITS),
        ]

    def _bias(self, n: int) -> int:
        """A multiple of n that is >= 4R, to be given digits that exceed those of any number below 2R."""
        return -(-4 * self.r // n) * n

    def upload_constants(self, moduli: Sequence[Sequence[int]]) -> Buffer:
        """The constants of some moduli, one after the other."""
        buffer = self.limbs([value for rows in moduli for value in rows])
        rows = self.device.download(buffer).reshape(-1, self.k).copy()
        for bias in rows[1 :: len(moduli[0])]:
            # The same number, each digit larger by 2^30 at the expense of the one above.
            bias[0] += np.uint32(1 << 30)
            bias[1:-1] += np.uint32((1 << 30) - 2)
            bias[-1] -= np.uint32(2)
        return self.device.upload(rows)

    def pieces(self, count: int, words: int, most: int = 1 << 16) -> Iterator[tuple[int, int]]:
        """Cut `count` items that need `words` words of scratch each, at most so many at once."""
        if count == 0:
            return
        room = min(_MOST_SCRATCH, self.device.free_bytes() // 16)
        step = max(min(room // words, most), 1)
        for start in range(0, count, step):
            checkpoint()
            yield start, min(start + step, count)


def powers_of(kernels: Kernels, bases: Any, count: int, constants: Buffer, moduli: int) -> Buffer:
    """Tables for `power`."""
    tables = kernels.device.allocate(count * ENTRIES * 2 * kernels.k)
    kernels.run("powers", count, tables, bases, constants, moduli)
    return tables


def words32(rows: npt.NDArray[np.uint8]) -> Limbs:
    """Rows of little-endian bytes as words of 32 bits."""
    width = -(-rows.shape[1] // 4) * 4
    if width > rows.shape[1]:
        rows = np.pad(rows, ((0, 0), (0, width - rows.shape[1])))
    return np.ascontiguousarray(rows).view("<u4").astype(np.uint32, copy=False)


def halved(words: Words) -> Limbs:
    """Words of 64 bits as words of 32."""
    return np.ascontiguousarray(words, dtype="<u8").view("<u4").astype(np.uint32, copy=False)
