"""Encoded numbers at the edges of what they hold."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from vecphe import InvalidPlaintextError, KeyMismatchError, PlaintextOverflowError
from vecphe.phe import EncodedNumber, PaillierPublicKey
from vecphe.phe.encoded import check_encoded, checked_exponent, encoding_of_base, exponent_factor

KEY = PaillierPublicKey((1 << 255) - 19)
GREATEST = KEY.max_int


def test_exponents_up_to_65536_in_size() -> None:
    for good in (65536, -65536, 0, np.int64(-3)):
        assert checked_exponent(good) == good
        assert type(checked_exponent(good)) is int
    for beyond in (65537, -65537):
        with pytest.raises(InvalidPlaintextError, match="from -65536 to 65536"):
            checked_exponent(beyond)
    for bad in (True, np.True_, 1.0, "1", None):
        with pytest.raises(TypeError, match=f"an exponent must be an int, not {type(bad).__name__}"):
            checked_exponent(bad)


def test_encodings_stand_for_numbers_of_both_signs_with_a_band_between() -> None:
    n = KEY.n
    for encoding, number in ((0, 0), (1, 1), (GREATEST, GREATEST), (n - GREATEST, -GREATEST), (n - 1, -1)):
        assert EncodedNumber(KEY, encoding, 0).decode() == number
        assert EncodedNumber(KEY, encoding, 2).decode() == 256 * number
    for encoding in (GREATEST + 1, n - GREATEST - 1):
        with pytest.raises(PlaintextOverflowError, match="overflow band"):
            EncodedNumber(KEY, encoding, 0).decode()
    with pytest.raises(InvalidPlaintextError, match="not below n"):
        EncodedNumber(KEY, n, 0).decode()


def test_the_greatest_numbers_that_fit() -> None:
    for number in (GREATEST, -GREATEST, 0, np.int8(-3), np.True_):
        encoded = EncodedNumber.encode(KEY, number)
        assert (encoded.encoding, encoded.exponent) == (int(number) % KEY.n, 0)
    for beyond in (GREATEST + 1, -GREATEST - 1):
        with pytest.raises(InvalidPlaintextError, match="beyond max_int of the 255-bit key"):
            EncodedNumber.encode(KEY, beyond)


@pytest.mark.parametrize("number", [1.0, 0.1, -1.5, 2.0**52, 5e-324, 2.0**-1022, 3, -16, 17])
def test_exponents_lose_no_bit(number: float) -> None:
    encoded = EncodedNumber.encode(KEY, number)
    lowest = 0 if isinstance(number, int) else math.floor((math.frexp(number)[1] - 53) / 4)
    assert encoded.exponent == lowest
    assert encoded.decode() == number
    assert EncodedNumber.encode(KEY, number, max_exponent=lowest + 1).exponent == lowest
    lower = EncodedNumber.encode(KEY, number, max_exponent=lowest - 1)
    assert (lower.exponent, lower.decode()) == (lowest - 1, number)
    assert lower.encoding == encoded.decrease_exponent_to(lowest - 1).encoding


@pytest.mark.parametrize(
    ("number", "precision", "encoding", "exponent"),
    [
        *((8, 16.0, 0, 1), (24, 16, 2, 1), (40, 16.0, 2, 1), (25, 16.0, 2, 1), (-8, 16.0, 0, 1)),
        *((7, 16.0, 0, 1), (56, 16.0, 4, 1), (72, 16.0, 4, 1), (71, 16.0, 4, 1), (73, 16.0, 5, 1)),
        *(
            (-24, 16.0, -2, 1),
            (0.5, 1, 0, 0),
            (1.5, 1.0, 2, 0),
            (2.5, 1.0, 2, 0),
            (0.3, 0.1, 5, -1),
            (-0.3, 0.1, -5, -1),
        ),
        *((7, 15.9, 7, 0), (300, np.float32(256), 1, 2), (1, np.int16(255), 0, 1)),
    ],
)
def test_precision_rounds_half_to_even(number: float, precision: float, encoding: int, exponent: int) -> None:
    assert round(Fraction(number) / Fraction(16) ** exponent) == encoding
    encoded = EncodedNumber.encode(KEY, number, precision=precision)
    assert (encoded.encoding, encoded.exponent) == (encoding % KEY.n, exponent)


@pytest.mark.parametrize(
    ("precision", "error", "told"),
    [
        (0, ValueError, "must be positive"),
        (-1e-3, ValueError, "must be positive"),
        (math.nan, ValueError, "must be positive"),
        (math.inf, OverflowError, "must be finite"),
        ("1", TypeError, "must be a positive number, not str"),
    ],
)
def test_h16_bad_precisions(precision: float, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        EncodedNumber.encode(KEY, 1.0, precision=precision)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, np.float32("nan"), np.longdouble(1), "1", 1j, None])
def test_h16_h18_what_is_no_number(number: float) -> None:
    with pytest.raises((InvalidPlaintextError, PlaintextOverflowError, TypeError)):
        EncodedNumber.encode(KEY, number)


def test_exponents_only_decrease() -> None:
    assert [exponent_factor(3, new, 16) for new in (3, 2, -1)] == [1, 16, 16**4]
    assert exponent_factor(0, -3, 10) == 1000
    with pytest.raises(InvalidPlaintextError, match="can only be decreased"):
        exponent_factor(3, 4, 16)


def test_bases_have_a_class_each() -> None:
    assert encoding_of_base(None) is encoding_of_base(16) is EncodedNumber
    ten = encoding_of_base(10)
    assert ten is encoding_of_base(10)
    assert (ten.BASE, ten.LOG2_BASE, ten.__name__) == (10, math.log(10, 2), "EncodedNumber")
    assert ten.encode(KEY, 1.5, precision=0.1).encoding == 15


def test_h34_numbers_of_another_key_or_kind_are_refused() -> None:
    good = EncodedNumber(KEY, 1, 0)
    check_encoded(good, KEY)
    with pytest.raises(KeyMismatchError):
        check_encoded(good, PaillierPublicKey(KEY.n + 2))
    with pytest.raises(TypeError, match="encoding must be an int, not float"):
        check_encoded(EncodedNumber(KEY, 1.0, 0), KEY)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="an exponent must be an int, not float"):
        check_encoded(EncodedNumber(KEY, 1, 0.0), KEY)  # type: ignore[arg-type]


def test_numbers_beyond_the_floats() -> None:
    key = PaillierPublicKey((1 << 2047) + 1)
    with pytest.raises(PlaintextOverflowError, match="too large for a float"):
        EncodedNumber(key, 1 << 1040, -1).decode()
    assert EncodedNumber(key, 1 << 1027, -1).decode() == 2.0**1023
