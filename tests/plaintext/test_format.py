"""Values to plaintexts and back, by the arithmetic that ciphertexts do on them: HAZARDS rows 26, 27 and 29."""

from __future__ import annotations

import numpy as np
import pytest

from vecphe import CorruptedAggregateError, FixedPoint
from vecphe.arithmetic import integers_from_words, words_from_integers
from vecphe.plaintext.encoding import PACKED, UNPACKED
from vecphe.plaintext.format import Format, format_for

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
