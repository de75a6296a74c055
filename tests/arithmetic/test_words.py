"""Integers, words and digits: both sides of every word's edge, by Python's own integers."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from tests.engines import kinds_of_engines

from vecphe import PrivateKey, PublicKey
from vecphe.arithmetic import (
    ciphertext_bytes,
    engine_for,
    engine_named,
    integers_from_bytes,
    integers_from_words,
    words_from_integers,
)
from vecphe.arithmetic.words import digits_from_words, exponent_words
from vecphe.errors import InvalidCiphertextError


@pytest.mark.parametrize(("length", "size"), [(511, 128), (512, 128), (513, 130), (520, 130), (521, 132), (3072, 768)])
def test_a_ciphertext_has_twice_the_whole_bytes_of_n(length: int, size: int) -> None:
    assert ciphertext_bytes(length) == size


@pytest.mark.parametrize(
    ("length", "words"), [(4, 1), (63, 1), (64, 1), (65, 2), (128, 2), (129, 3), (2048, 32), (3072, 48)]
)
def test_a_plaintext_has_the_whole_words_of_n(length: int, words: int) -> None:
    assert engine_named("gmp").ring((1 << length) - 1).plaintext_words == words


@pytest.mark.parametrize("width", [1, 2, 3])
def test_integers_become_words_and_come_back(width: int) -> None:
    most = 1 << 64 * width
    plain, signed = [0, 1, most // 2, most - 1], [0, -1, most // 2 - 1, -(most // 2)]
    assert integers_from_words(words_from_integers(plain, width)) == plain
    assert integers_from_words(words_from_integers(signed, width, signed=True), signed=True) == signed
    assert integers_from_words(words_from_integers(signed, width, signed=True)) == [value % most for value in signed]
    words = words_from_integers(plain, width)
    assert (words.shape, words.dtype, words[3].tolist()) == ((4, width), np.dtype("<u8"), [2**64 - 1] * width)
    assert words_from_integers([], width).shape == (0, width)
    for bad, is_signed in ((most, False), (-1, False), (most // 2, True), (-(most // 2) - 1, True)):
        with pytest.raises(OverflowError):
            words_from_integers([bad], width, signed=is_signed)


def test_integers_of_bytes() -> None:
    assert integers_from_bytes(b"\1\0\2\0\0\1", 2) == [1, 2, 256]
    assert integers_from_bytes(b"", 2) == []


@pytest.mark.parametrize(
    ("exponents", "bits", "width"),
    [
        ([], 0, 1), ([0], 0, 1), ([0, 1], 1, 1), ([5, 3], 3, 1), ([2**64 - 1, 0], 64, 1), ([2**64, 1], 65, 2),
        ([2**128 - 1], 128, 2), ([2**128, 0], 129, 3),
    ],
)  # fmt: skip
def test_exponents_have_the_words_of_the_longest(exponents: list[int], bits: int, width: int) -> None:
    words, found = exponent_words(iter(exponents))
    assert (found, words.shape, words.dtype) == (bits, (len(exponents), width), np.uint64)
    assert integers_from_words(words) == exponents


def test_no_exponent_is_negative() -> None:
    for exponents in ([-1], [3, -5, 2**70]):
        with pytest.raises(ValueError, match="exponents must not be negative"):
            exponent_words(exponents)


@pytest.mark.parametrize("bits", [1, 7, 8, 63, 64, 65, 128, 130, 200])
@pytest.mark.parametrize("window", [1, 3, 5, 8])
def test_digits_are_those_of_the_low_bits(bits: int, window: int) -> None:
    values = [0, 1, (1 << 128) - 1, 0x0123456789ABCDEF_FEDCBA9876543210]
    rows = -(-bits // window)
    expected = [
        [(value & ((1 << bits) - 1)) >> window * i & ((1 << window) - 1) for i in range(rows)] for value in values
    ]
    assert digits_from_words(words_from_integers(values, 2), bits, window) == expected


@pytest.mark.parametrize("name", kinds_of_engines())
def test_h15_tables_and_decryptors_stay_in_their_process(name: str, keypair: tuple[PublicKey, PrivateKey]) -> None:
    n, p, q = keypair[0].n, keypair[1].p, keypair[1].q
    engine = engine_named(name)
    table, decryptor = engine.ring(n).fixed_base(3, 64, 4), engine.decryptor(p, q)
    with pytest.raises(
        TypeError, match=r"^a table of a randomizer base refuses to be pickled: the base never leaves its process$"
    ):
        pickle.dumps(table)
    with pytest.raises(
        TypeError,
        match=r"^a decryptor refuses to be pickled: it holds a private key; to store that, use its save\(path\)$",
    ):
        pickle.dumps(decryptor)
    assert copy.copy(decryptor) is decryptor
    assert copy.deepcopy(decryptor) is decryptor


@pytest.mark.parametrize("name", kinds_of_engines())
def test_h31_what_an_engine_refuses(name: str, keypair: tuple[PublicKey, PrivateKey]) -> None:
    n, p, q = keypair[0].n, keypair[1].p, keypair[1].q
    engine = engine_named(name)
    ring = engine.ring(n)
    batch = ring.load([2, 3])
    for outside in (-1, n * n):
        with pytest.raises(InvalidCiphertextError):
            ring.load([outside])
    assert ring.store(ring.load([0, n * n - 1])) == [0, n * n - 1]
    for data in (b"\1", bytes(ring.ciphertext_bytes + 1), (n * n).to_bytes(ring.ciphertext_bytes, "little")):
        with pytest.raises(InvalidCiphertextError):
            ring.load_bytes(data)
    for value in (0, p, q * 5, n):
        with pytest.raises(InvalidCiphertextError):
            ring.checked(ring.load([2, value]))
        with pytest.raises(InvalidCiphertextError):
            ring.invert(ring.load([2, value]))
    assert ring.checked(batch) is batch
    with pytest.raises(InvalidCiphertextError):
        engine.decryptor(p, q).decrypt(ring, ring.load([2, p]), 0)
    assert ring.store(ring.invert(ring.load([]))) == []


def test_an_engine_is_asked_for_by_its_name() -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match=r"^engine must be the name of one, not int: one of "):
        engine_for(35, wrong)
