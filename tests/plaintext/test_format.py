"""Values to plaintexts and back, by the arithmetic that ciphertexts do on them: HAZARDS rows 26, 27 and 29."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vecphe import CorruptedAggregateError, FixedPoint, PlaintextOverflowError
from vecphe.arithmetic import integers_from_words, words_from_integers
from vecphe.plaintext.encoding import PACKED, UNPACKED
from vecphe.plaintext.format import Format, format_for, is_sprawling, slots_for
from vecphe.plaintext.packing import SlotLayout

N = (1 << 512) - 569  # any n of that length
WORDS = N.bit_length() // 64

ENCODINGS = [
    pytest.param(UNPACKED, False, id="unpacked"),
    pytest.param(FixedPoint(fraction_bits=8, max_abs=100.0), False, id="unpacked-narrow"),
    pytest.param(PACKED, True, id="packed"),
    pytest.param(FixedPoint(fraction_bits=20, max_abs=2.0**90, max_terms=3), True, id="packed-wide"),
]


def plaintexts_of(format: Format, x: np.ndarray) -> list[int]:
    """The plaintexts mod n."""
    words, offset = format.plaintexts(format.encoding.encode(x))
    return [(int(u) + offset) % N for u in integers_from_words(words)]


def biased(format: Format, plaintexts: list[int]) -> np.ndarray:
    """What a decryptor gives: plaintexts plus bias, modulo n."""
    return words_from_integers([(m + format.bias) % N for m in plaintexts], WORDS)


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize(("encoding", "packed"), ENCODINGS)
def test_h26_values_are_the_inverse_of_plaintexts(encoding: FixedPoint, packed: bool, integer: bool) -> None:
    encoding = encoding.integral if integer else encoding
    format = format_for(N, encoding, packed, integer, 1)
    edge = min(float(encoding.max_abs), 2.0**52)
    x = np.array([0, 1, -1, edge, -edge, -7, 42, 3, -3, 5, 6, -8, -9], dtype=np.int64 if integer else np.float64)
    assert np.array_equal(format.values(biased(format, plaintexts_of(format, x)), x.shape), x)
    doubled = (
        format_for(N, encoding, packed, integer, 2)
        if packed
        else Format(encoding, encoding.fraction_bits, 2 * encoding.unit, None, integer, 2)
    )
    sums = [2 * m % N for m in plaintexts_of(format, x)]
    result = doubled.values(biased(doubled, sums), x.shape)
    assert np.array_equal(result, 2 * x)
    assert result.dtype == x.dtype
    assert format.values(biased(format, []), (0, 3)).shape == (0, 3)


@pytest.mark.parametrize(("encoding", "packed"), ENCODINGS)
def test_h29_one_beyond_the_bound_either_way(encoding: FixedPoint, packed: bool) -> None:
    format = format_for(N, encoding, packed, False, 1)
    for sign in (1, -1):
        assert format.values(biased(format, [sign * format.bound % N]), (1,))[0] == sign * encoding.max_abs
        with pytest.raises(CorruptedAggregateError):
            format.values(biased(format, [sign * (format.bound + 1) % N]), (1,))


def test_h27_what_no_value_covers_must_be_zero() -> None:
    format = format_for(N, PACKED, True, False, 1)
    assert format.layout is not None
    beyond = 1 << format.layout.width
    with pytest.raises(CorruptedAggregateError):
        format.values(biased(format, [beyond]), (1,))
    assert format.values(biased(format, [beyond]), (2,)).tolist() == [0, 2.0**-40]


@pytest.mark.parametrize("bound", [1, 2**62, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64, 2**127, 2**128])
def test_h29_bounds_at_the_edges_of_words(bound: int) -> None:
    """Unpacked, and in slots that just hold them."""
    layout = SlotLayout(1 + bound.bit_length(), 3, bound)
    for format in (Format(UNPACKED, 0, bound, None, True), Format(UNPACKED, 0, bound, layout, True)):
        for value in (bound, -bound, bound - 1, 0):
            (found,) = format.values(biased(format, [value % N]), (1,)).tolist()
            assert found == value
        for value in (bound + 1, -bound - 1):
            if not format.layout or abs(value) < 1 << bound.bit_length():
                with pytest.raises(CorruptedAggregateError):
                    format.values(biased(format, [value % N]), (1,))
    format = Format(UNPACKED, 0, bound, None, True)
    for bit in range(64 * (1 + bound.bit_length() // 64), 511, 64):  # the lower words are those of 0
        with pytest.raises(CorruptedAggregateError):
            format.values(biased(format, [0, 1 << bit]), (2,))


def test_a_format_is_of_one_encryption_and_not_divided() -> None:
    format = Format(UNPACKED, 112, UNPACKED.unit, None, False)
    assert (format.terms, format.divisor) == (1, 1)
    assert format == format_for(N, UNPACKED, False, False, 1)


def test_h25_as_many_terms_as_the_encoding_has_slots_for() -> None:
    """Unpacked, as many as the range of plaintexts has room for."""
    narrow = FixedPoint(0, 10, 3)
    for terms in (1, 3):
        assert format_for(N, narrow, True, False, terms).bound == 10 * terms
    with pytest.raises(PlaintextOverflowError) as caught:
        format_for(N, narrow, True, False, 4)
    assert str(caught.value) == "4 terms are more than max_terms = 3 of the encoding"
    assert format_for(N, narrow, False, False, 4).bound == 40
    for terms, encoding in ((1, FixedPoint(0, N // 3 - 1)), (7, FixedPoint(0, (N // 3 - 1) // 7))):
        assert format_for(N, encoding, False, True, terms).limit(N) >= terms * encoding.unit
        with pytest.raises(PlaintextOverflowError, match="does not fit a 512-bit key"):
            format_for(N, FixedPoint(0, encoding.unit + 1), False, True, terms)


def test_h21_how_much_formats_hold() -> None:
    unpacked, packed = (format_for(N, PACKED, form, False, 1) for form in (False, True))
    assert packed.layout is not None
    assert (unpacked.limit(N), packed.limit(N)) == (N // 3 - 1, packed.layout.capacity) == (N // 3 - 1, 255 << 55)
    assert [packed.n_ciphertexts(count) for count in (0, 1, 7, 8)] == [0, 1, 1, 2]
    assert [unpacked.n_ciphertexts(count) for count in (0, 1, 8)] == [0, 1, 8]


@pytest.mark.parametrize(
    ("shape", "sprawls"),
    [
        *(((), False), ((1 << 17,), False), ((1 << 17, 1 << 17), False), ((0,), False), ((0, 0), False)),
        *(((0, 1 << 16), False), ((0, (1 << 16) + 1), True), ((1 << 8, 0, (1 << 8) + 1), True)),
    ],
)
def test_h67_shapes_of_nothing_that_would_become_large(shape: tuple[int, ...], sprawls: bool) -> None:
    assert is_sprawling(shape) is sprawls


@pytest.mark.parametrize(
    ("packed", "shape", "slots"),
    [
        *((True, (4, 2), None), (False, (4, 2), None), ("rows", (4,), 1), ("rows", (4, 2), 2), ("rows", (4, 3, 2), 6)),
        *(("rows", (4, 0), 1), ("rows", (0, 3), 3)),
    ],
)
def test_slots_of_rows(packed: Any, shape: tuple[int, ...], slots: int | None) -> None:
    assert slots_for(packed, shape) == slots
    if slots:
        layout = format_for(N, PACKED, packed, False, 1, slots).layout
        assert layout is not None
        assert (layout.width, layout.slots) == (64, slots)
