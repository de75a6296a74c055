"""Words: arrays of uint64, shape (count, width), each row one unsigned little-endian integer."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from gmpy2 import mpz

__all__ = [
    "Words",
    "ciphertext_bytes",
    "digits_from_words",
    "exponent_words",
    "integers_from_bytes",
    "integers_from_words",
    "random_words",
    "words_from_integers",
]

_THREADS = 4
_IN_THREADS_FROM = 1 << 22  # bytes, some 10 ms of one core: the system makes them on as many cores as ask

Words: TypeAlias = npt.NDArray[np.uint64]


def ciphertext_bytes(key_length: int) -> int:
    """Size of one canonical ciphertext: twice that of an n of `key_length` bits."""
    return 2 * ((key_length + 7) // 8)


def words_from_integers(values: Iterable[int], width: int, *, signed: bool = False) -> Words:
    """Words of integers (int or mpz); two's complement if `signed`. OverflowError if one does not fit."""
    data = b"".join(value.to_bytes(8 * width, "little", signed=signed) for value in values)
    return np.frombuffer(data, dtype="<u8").reshape(-1, width)


def integers_from_words(words: Words, *, signed: bool = False) -> list[mpz]:
    """The integers (mpz) of words; two's complement if `signed`."""
    step = 8 * words.shape[1]
    data = words.astype("<u8", copy=False).tobytes()
    return [mpz.from_bytes(data[i : i + step], "little", signed=signed) for i in range(0, len(data), step)]


def integers_from_bytes(data: bytes | memoryview, width: int) -> list[int]:
    """Little-endian integers of `width` bytes each."""
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]


def exponent_words(exponents: Iterable[int]) -> tuple[Words, int]:
    """Public exponents as words, and the length in bits of the longest; ValueError if one is negative."""
    integers = [int(exponent) for exponent in exponents]
    if min(integers, default=0) < 0:
        raise ValueError("exponents must not be negative")
    bits = max(integers, default=0).bit_length()
    if bits <= 64:
        return np.array(integers, dtype=np.uint64).reshape(-1, 1), bits
    return words_from_integers(integers, -(-bits // 64)), bits


def digits_from_words(words: Words, bits: int, window: int) -> list[list[int]]:
    """Base-2^window digits of the low `bits` bits, least significant first, ceil(bits/window) a row; window <= 8."""
    rows = -(-bits // window)
    data = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
    binary = np.zeros((len(words), rows * window), dtype=np.uint8)
    binary[:, :bits] = np.unpackbits(data, axis=1, count=bits, bitorder="little")
    digits = np.packbits(binary.reshape(-1, window), axis=1, bitorder="little")
    rows_of_digits: list[list[int]] = digits.reshape(len(words), rows).tolist()
    return rows_of_digits


def _random_bytes(count: int) -> bytes:
    if count < _IN_THREADS_FROM:
        return secrets.token_bytes(count)
    with ThreadPoolExecutor(_THREADS) as threads:
        edges = [count * i // _THREADS for i in range(_THREADS + 1)]
        return b"".join(threads.map(secrets.token_bytes, (stop - start for start, stop in pairwise(edges))))


def random_words(count: int, bits: int) -> Words:
    """Uniform integers below 2^bits from the operating system, fresh at each call and after a fork."""
    width = -(-bits // 64)
    words = np.frombuffer(_random_bytes(8 * width * count), dtype="<u8").reshape(count, width)
    if bits % 64:
        words = words.copy()
        words[:, -1] &= np.uint64((1 << bits % 64) - 1)
    return words
