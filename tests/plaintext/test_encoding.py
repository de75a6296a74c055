"""Plaintexts: HAZARDS rows 16 to 20, and the exactness that the defaults promise."""

from __future__ import annotations

import math
import platform
import re
from collections import UserList, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.environments import FLAGS, MODES, needs_modes, under

from vecphe import FixedPoint, InvalidPlaintextError, PlaintextOverflowError, PrivateKey, PublicKey
from vecphe.arithmetic import integers_from_words, words_from_integers
from vecphe.plaintext import encoding as module
from vecphe.plaintext.encoding import PACKED, UNPACKED, as_plain_array, decode, exact_fraction_bits, integers_at_scale

floats = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("packed", [False, True])
def test_h16_nan_and_infinity(public_key: PublicKey, bad: float, packed: bool) -> None:
    x = np.zeros((3, 4))
    x[1, 2] = bad
    x[2, 0] = np.nan
    with pytest.raises(InvalidPlaintextError, match=r"\(1, 2\)"):
        public_key.encrypt(x, packed=packed)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8"])
@pytest.mark.parametrize(("shape", "index"), [((), ()), ((5,), (4,)), ((2, 3), (0, 0)), ((2, 3), (1, 2))])
def test_h16_the_first_index_is_named_before_anything_is_encrypted(
    public_key: PublicKey, monkeypatch: pytest.MonkeyPatch, dtype: str, shape: tuple[int, ...], index: tuple[int, ...]
) -> None:
    c = public_key.encrypt(np.zeros(shape))
    monkeypatch.setattr(public_key._source, "encrypt", lambda *_: pytest.fail("encrypted"))
    monkeypatch.setattr(type(public_key._context.ring), "multiply_plain", lambda *_: pytest.fail("multiplied"))
    for bad in (np.nan, np.inf, -np.inf):
        x = np.zeros(shape, dtype=dtype)
        x[index] = bad
        for operation in (public_key.encrypt, c.__add__, c.__sub__, c.__mul__, c.__truediv__):
            with pytest.raises(InvalidPlaintextError, match=f"first at index {re.escape(str(index))}"):
                operation(x)
        with pytest.raises(InvalidPlaintextError, match="first at index"):
            public_key.encrypt(x.tolist(), packed=True)


@pytest.mark.parametrize(
    "bad",
    [
        [1 + 2j],
        np.array([Decimal(1)]),
        [None],
        ["1.5"],
        np.ma.masked_array([1.0, 2.0], [True, False]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.array([1.0], dtype=np.longdouble),
        np.array([(1, 2)], dtype=[("a", int), ("b", int)]),
        [np.ma.masked_array([1.0], [True]), np.ma.masked_array([2.0], [False])],
        [[np.ma.masked_array([1.0], [True])], [np.ma.masked_array([2.0], [False])]],
    ],
    ids=lambda bad: str(getattr(bad, "dtype", bad))[:30],
)
def test_h18_what_is_no_real_number(public_key: PublicKey, bad: object) -> None:
    with pytest.raises(
        TypeError,
        match=r"x has dtype|x is a masked array|x has masked arrays in it|x holds an object of type (Decimal|NoneType)",
    ):
        public_key.encrypt(bad)  # type: ignore[arg-type]


@given(floats)
def test_fixed_point_rounds_half_to_even(value: float) -> None:
    encoding = FixedPoint(8, 2**1023)
    (integer,) = (
        integers_from_words(encoding.encode(np.array([value])), signed=True) if abs(value) <= 2.0**1023 else (0,)
    )
    if abs(value) <= 2.0**1023:
        assert integer == round(Fraction(value) * 256)


@given(st.integers(-(2**55), 2**55), st.sampled_from([0.0, 0.25, 0.5, 0.75]))
def test_narrow_encoding_is_exact_rounding(integer: int, fraction: float) -> None:
    value = float((Fraction(integer) + Fraction(fraction)) / 2**40)
    if abs(value) > 2**15:
        return
    (encoded,) = integers_from_words(PACKED.encode(np.array([value])), signed=True)
    assert encoded == round(Fraction(value) * 2**40)


@pytest.mark.parametrize("value", [-0.0, 5e-324, -5e-324])
def test_h19_tiny_values_round_to_zero(value: float) -> None:
    for encoding in (PACKED, UNPACKED):
        (integer,) = integers_from_words(encoding.encode(np.array([value])), signed=True)
        assert integer == 0


def test_h20_a_max_abs_beyond_all_floats() -> None:
    encoding = FixedPoint(0, 1 << 2000)
    values = np.array([1.7976931348623157e308, -1.0])
    assert integers_from_words(encoding.encode(values), signed=True) == [int(values[0]), -1]


def test_h19_huge_values_are_a_range_error(public_key: PublicKey) -> None:
    for packed in (False, True):
        with pytest.raises(PlaintextOverflowError, match="max_abs"):
            public_key.encrypt([1.7976931348623157e308], packed=packed)


@pytest.mark.parametrize("encoding", [PACKED, UNPACKED, FixedPoint(20, 8), FixedPoint(0, 7), FixedPoint(4, 0.1)])
def test_h20_max_abs_is_the_last_value_accepted(encoding: FixedPoint) -> None:
    edge = float(encoding.max_abs)
    integers = integers_from_words(encoding.encode(np.array([edge, -edge])), signed=True)
    assert integers == [encoding.unit, -encoding.unit]
    for beyond in (math.nextafter(edge, math.inf), -math.nextafter(edge, math.inf)):
        with pytest.raises(PlaintextOverflowError, match=r"index \(1,\)"):
            encoding.encode(np.array([0.0, beyond]))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
def test_h20_integers_up_to_max_abs(
    keypair: tuple[PublicKey, PrivateKey], dtype: str, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    public_key, private_key = keypair
    encoding = FixedPoint(0, 100)
    signs = (1,) if dtype[0] == "u" else (1, -1)
    edges = np.array([100 * sign for sign in signs], dtype=dtype)
    c = public_key.encrypt(edges, packed=packed, encoding=encoding)
    assert private_key.decrypt(c).tolist() == edges.tolist()
    monkeypatch.setattr(public_key._source, "encrypt", lambda *_: pytest.fail("encrypted"))
    for beyond in (101 * sign for sign in signs):
        with pytest.raises(PlaintextOverflowError, match=r"index \(1,\) exceeds max_abs = 100"):
            public_key.encrypt(np.array([0, beyond], dtype=dtype), packed=packed, encoding=encoding)


def test_h20_the_least_integers_have_no_magnitude_of_their_own_type(public_key: PublicKey) -> None:
    """``abs`` of -128 wraps around to -128 in int8."""
    for dtype in (np.int8, np.int16, np.int32, np.int64):
        least = np.iinfo(dtype).min
        assert integers_from_words(UNPACKED.integral.encode(as_plain_array([least])), signed=True) == [least]
        with pytest.raises(PlaintextOverflowError, match="max_abs"):
            public_key.encrypt(np.array([least], dtype=dtype), encoding=FixedPoint(0, -least - 1))


def test_h19_extremes_as_plain_operands(secure_keypair: tuple[PublicKey, PrivateKey]) -> None:
    public_key, private_key = secure_keypair
    c, tiny, huge = public_key.encrypt([3.0]), 5e-324, 1.7976931348623157e308
    assert private_key.decrypt(c + tiny).tolist() == [3.0]
    assert private_key.decrypt(c - -0.0).tolist() == [3.0]
    assert private_key.decrypt(c * -0.0).tolist() == [0.0]
    assert private_key.decrypt(c * tiny).tolist() == [1.5e-323]
    with pytest.raises(PlaintextOverflowError, match="max_abs"):
        c + huge
    assert private_key.decrypt(public_key.encrypt([1]) * huge).tolist() == [huge]
    with pytest.raises(PlaintextOverflowError, match="too large for a float64"):
        private_key.decrypt(public_key.encrypt([2]) * huge)
    with pytest.raises(PlaintextOverflowError, match="plaintext's range"):
        c * huge * huge


@given(st.lists(floats.filter(lambda x: x == 0 or abs(x) > 1e-290), min_size=1, max_size=5))
def test_exact_fraction_bits_is_the_least_multiple_of_four(values: list[float]) -> None:
    bits = exact_fraction_bits(np.array(values))
    assert bits % 4 == 0
    assert all((Fraction(value) * 2**bits).denominator == 1 for value in values)
    assert bits == 0 or any((Fraction(value) * 2 ** (bits - 4)).denominator != 1 for value in values)
    assert integers_at_scale(np.array(values), bits) == [int(Fraction(value) * 2**bits) for value in values]


@given(st.lists(st.integers(-(2**200), 2**200), min_size=1), st.sampled_from([0, 40, 112]))
def test_decoding_is_correctly_rounded(integers: list[int], fraction_bits: int) -> None:
    expected = [float(Fraction(value, 2**fraction_bits)) for value in integers]
    assert decode(integers, fraction_bits, integer=False).tolist() == expected
    small = [value >> 138 for value in integers]
    expected = [float(Fraction(value, 2**fraction_bits)) for value in small]
    assert decode(np.array(small, dtype=np.int64), fraction_bits, integer=False).tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((41,), ValueError),
        ((-4,), ValueError),
        ((16388,), ValueError),
        ((0, 0.1), ValueError),
        ((True,), TypeError),
        ((40.0,), TypeError),
        ((40, 0), ValueError),
        ((40, -1), ValueError),
        ((40, math.nan), ValueError),
        ((40, math.inf), ValueError),
        ((40, "8"), TypeError),
        ((0, 1 << 14000), ValueError),
        ((0, -(1 << 20000)), ValueError),
        ((40, 8, 0), ValueError),
        ((40, 8, 2**63), ValueError),
        ((40, 8, 2.5), TypeError),
    ],
)
def test_bad_encodings(arguments: tuple[object, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        FixedPoint(*arguments)  # type: ignore[arg-type]


_OF_INTS, _OF_REALS = " must be an int, not ", "max_abs must be a real number, not "
_BITS, _TERMS = (
    "fraction_bits must be a multiple of 4 from 0 to 16384, not ",
    "max_terms must be at least 1 and below 2^63",
)


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        *(((bad,), TypeError, f"fraction_bits{_OF_INTS}{type(bad).__name__}") for bad in (True, 40.0, "40", None)),
        *(((40, 8, bad), TypeError, f"max_terms{_OF_INTS}{type(bad).__name__}") for bad in (False, 2.5, "2", None)),
        *(((bad,), ValueError, f"{_BITS}{bad}") for bad in (-4, -1, 1, 2, 3, 41, 16385, 16388)),
        *(((40, 8, bad), ValueError, f"{_TERMS}, not {bad}") for bad in (0, -1, 2**63)),
        *(((40, bad), TypeError, f"{_OF_REALS}{type(bad).__name__}") for bad in (True, "8", None, 1j, Decimal(1))),
        *(
            ((40, bad), ValueError, f"max_abs must be positive and finite, not {bad}")
            for bad in (0, -1, 0.0, -1e-9, math.nan, math.inf, -math.inf, -(1 << 13999))
        ),
        *(((0, bad), ValueError, "max_abs must be below 2^14000") for bad in (1 << 14000, -(1 << 14000))),
        *(
            ((bits, bad), ValueError, f"max_abs = {bad} is 0 at {bits} fraction_bits; use more of them")
            for bits, bad in ((0, 0.5), (0, 0.1), (0, Fraction(1, 3)), (40, 2.0**-41))
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_errors_of_encodings_say(arguments: tuple[Any, ...], error: type[Exception], told: str) -> None:
    with pytest.raises(error) as caught:
        FixedPoint(*arguments)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "arguments",
    [(16384, 1), (0, (1 << 14000) - 1), (0, 1), (4, 1 / 16), (40, 8, 1), (40, 8, (1 << 63) - 1), (np.int64(40), 8)],
    ids=lambda arguments: str(arguments)[:20],
)
def test_the_last_encodings_that_are_good(arguments: tuple[Any, ...]) -> None:
    encoding = FixedPoint(*arguments)
    assert (encoding.fraction_bits, encoding.max_abs) == arguments[:2]
    assert encoding.unit == encoding.max_abs * 2**encoding.fraction_bits
    assert type(encoding.fraction_bits) is int


@pytest.mark.parametrize(
    ("encoding", "integral"),
    [(FixedPoint(4, 0.5, 3), 8), (FixedPoint(0, 7, 3), 7), (FixedPoint(0, 3.7, 3), 3), (FixedPoint(0, 0.7, 3), 1)],
)
def test_the_encoding_of_integer_arrays(encoding: FixedPoint, integral: int) -> None:
    """Without fraction bits no integer above max_abs, whatever it rounds to."""
    assert encoding.integral == FixedPoint(0, integral, 3)


@pytest.mark.parametrize("unit", [2**63 - 1, 2**63, 2**64 - 1, 2**127 - 1, 2**127])
def test_h20_edges_of_words(unit: int) -> None:
    """One bit more than the magnitude is for the sign."""
    encoding = FixedPoint(0, unit)
    values = as_plain_array([unit, -unit, 0])
    for negative in (False, True):
        words = encoding.encode(values, negative=negative)
        assert words.shape == (3, unit.bit_length() // 64 + 1)
        assert words.flags.writeable
        sign = -1 if negative else 1
        assert integers_from_words(words, signed=True) == [sign * unit, -sign * unit, 0]


@pytest.mark.parametrize("dtype", ["i1", "u2", "i8", "u8", "f4", object])
def test_integers_stand_at_the_scale(dtype: Any) -> None:
    """Encodings of one word and of several."""
    for encoding in (PACKED, UNPACKED, FixedPoint(4, 100)):
        values = as_plain_array(np.array([0, 1, 100], dtype=dtype))
        expected = [value << encoding.fraction_bits for value in (0, 1, 100)]
        for negative in (False, True):
            integers = integers_from_words(encoding.encode(values, negative=negative), signed=True)
            assert integers == [-value if negative else value for value in expected]


@pytest.mark.parametrize("encoding", [PACKED, UNPACKED], ids=["one word", "several"])
@pytest.mark.parametrize("count", [2**14 - 1, 2**14, 2**14 + 1, 2**15])
def test_long_arrays_are_encoded_in_parts(encoding: FixedPoint, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths, whole = [], FixedPoint._words

    def recorded(self: FixedPoint, flat: np.ndarray, negative: bool) -> Any:
        lengths.append(len(flat))
        return whole(self, flat, negative)

    monkeypatch.setattr(FixedPoint, "_words", recorded)
    values = np.arange(count) - 100
    words = encoding.encode(values, negative=True)
    scale = 1 << encoding.fraction_bits
    assert lengths == [min(2**14, count - start) for start in range(0, count, 2**14)]
    some = [*range(0, count, 997), count - 1, min(2**14, count - 1)]
    assert integers_from_words(words[some], signed=True) == [-(i - 100) * scale for i in some]


@pytest.mark.parametrize("bound", [2**63 - 1, 2**63, -(2**63), -(2**63) - 1])
def test_integers_decode_to_the_narrowest_type(bound: int) -> None:
    fits = -(2**63) <= bound < 2**63
    for fraction_bits in (0, 4):
        decoded = decode([bound << fraction_bits, 0], fraction_bits, integer=True)
        assert decoded.tolist() == [bound, 0]
        assert decoded.dtype == (np.int64 if fits else object)
    decoded = decode(np.array([-48, 48]), 4, integer=True)
    assert decoded.tolist() == [-3, 3]
    assert decoded.dtype == np.int64


@pytest.mark.parametrize(
    ("integers", "dtype"),
    [
        ([], np.int64),
        ([2**63 - 1, -(2**63)], np.int64),
        ([2**63, 0], np.uint64),
        ([2**64 - 1], np.uint64),
        ([2**64], object),
        ([2**63, -1], object),
        ([-(2**63) - 1], object),
        ([True, np.int8(-3)], np.int64),
    ],
)
def test_integers_are_kept_in_the_narrowest_type(integers: list[int], dtype: Any) -> None:
    array = as_plain_array(np.array([*integers, None], dtype=object)[:-1])
    assert array.dtype == dtype
    assert array.tolist() == [int(i) for i in integers]


def test_h19_integers_among_fractions_stay_exact() -> None:
    """numpy.asarray gives floats, and 2^53 + 1 is none of them."""
    for good in ([2**53, 0.5], [2**60, 0.5], [[-(2**53), 0.5]]):
        assert as_plain_array(good).tolist() == good
    for bad in ([2**53 + 1, 0.5], [-(2**53) - 1, 0.5], [[2**53 + 1, 0.5]], [0.5, 10**400]):
        with pytest.raises(TypeError, match="x mixes fractions with integers beyond 2"):
            as_plain_array(bad)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (np.ma.masked_array([1.0], [False]), "fill it first: y.filled(value)"),
        ([np.ma.masked_array([1.0], [False])], "has masked arrays in it"),
        ([[1.0], ([np.ma.masked_array([1.0], [False])],)], "has masked arrays in it"),
        ({"a": 1}, "for key, value in y.items()"),
        ({1, 2}, "list(y)"),
        ({"a": 1}.keys(), "list(y)"),
        (iter([1]), "list(y)"),
        (np.array([1j]), "numpy.real(y) and numpy.imag(y)"),
        (np.array([(1,)], dtype=[("a", int)]), "each as y[name]"),
        (np.array([1], dtype=np.longdouble), "numpy.asarray(y, dtype=float)"),
        (np.array(["1"]), "numpy.asarray(y, dtype=float)"),
        ([Decimal(1)], "at index (0,); only integers, and floats of up to 64 bits, can be encrypted (convert with"),
        ([1, [2, Decimal(1)]][1], "Decimal at index (1,)"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_h18_errors_say_what_to_write(bad: object, told: str) -> None:
    with pytest.raises(TypeError, match=re.escape(told)) as caught:
        as_plain_array(bad, "the operand y")
    assert str(caught.value).startswith("the operand y ")


@pytest.mark.parametrize(
    ("bad", "helps"),
    [
        *(
            (Decimal(1), True),
            (Fraction(1, 3), True),
            (np.longdouble(1), True),
            ("1", True),
            (1j, False),
            (b"1", False),
        ),
        *((np.complex64(1), False), (np.clongdouble(1), False), (None, False), (object(), False), ({}, False)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_h18_what_is_told_of_an_object(bad: object, helps: bool) -> None:
    for shape in ((), (3,), (2, 2)):
        objects = np.zeros(shape, dtype=object)
        objects[(-1,) * len(shape)] = bad
        with pytest.raises(TypeError) as caught:
            as_plain_array(objects, "the operand y")
        place = f" at index {tuple(length - 1 for length in shape)}" if shape else ""
        assert str(caught.value) == (
            f"the operand y holds an object of type {type(bad).__name__}{place}; only integers, and floats of up to 64 "
            f"bits, can be encrypted{' (convert with numpy.asarray(y, dtype=float))' if helps else ''}"
        )


@pytest.mark.parametrize("bad", [[1j, None], [None], [object()]], ids=["complex", "none", "object"])
def test_h18_what_no_conversion_helps(bad: list[object]) -> None:
    with pytest.raises(TypeError, match=r"can be encrypted$"):
        as_plain_array(np.array(bad, dtype=object))


def test_h18_h74_other_lists_are_lists() -> None:
    for kind in (deque, UserList, tuple):
        with pytest.raises(TypeError, match="has masked arrays in it"):
            as_plain_array(kind([np.ma.masked_array([1.0], [True])]))
        with pytest.raises(TypeError, match="has masked arrays in it"):
            as_plain_array([kind([np.ma.masked_array([1.0], [True])])])
        exact = [np.array([2**63 + 1], dtype=np.uint64), np.array([-1])]
        assert (
            as_plain_array(kind(exact)).tolist()
            == as_plain_array([kind(x) for x in exact]).tolist()
            == [
                [2**63 + 1],
                [-1],
            ]
        )


def test_h16_what_is_not_used_is_not_examined() -> None:
    values, unused = [np.nan, 1.0, np.inf], np.array([True, False, True])
    assert as_plain_array(values, unused=unused).tolist() == [0.0, 1.0, 0.0]
    single = as_plain_array(np.array(values, dtype=np.float32), unused=unused)
    assert (single.dtype, single.tolist()) == (np.float64, [0.0, 1.0, 0.0])
    assert as_plain_array(np.nan, unused=np.array([True, True])).tolist() == [0.0, 0.0]
    for wrong in ([True, False, False], [False, False, True]):
        with pytest.raises(InvalidPlaintextError):
            as_plain_array(values, unused=np.array(wrong))


def test_h16_parts_of_different_shapes() -> None:
    objects = np.empty(2, dtype=object)
    objects[:] = [[1, 2], [3]]
    for bad in ([[1, 2], [3]], objects, deque([[1, 2], [3]]), UserList([[1, 2], [3]]), [deque([1, 2]), [3]]):
        with pytest.raises(
            InvalidPlaintextError, match=r"the operand y has parts of different shapes.* for part in y\]"
        ):
            as_plain_array(bad, "the operand y")


def test_errors_of_what_is_no_list_are_its_own() -> None:
    class Failing:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise ValueError("a reason of its own")

    for bad in (Failing(), [Failing()]):
        with pytest.raises(ValueError, match=r"^a reason of its own$|different shapes") as caught:
            as_plain_array(bad)
        assert isinstance(caught.value, InvalidPlaintextError) is isinstance(bad, list)


@pytest.mark.parametrize(
    ("values", "bits"),
    [([], 0), ([0.0], 0), ([3.0, 2.0**60], 0), ([0.5], 4), ([2.0**-4, 0.0], 4), ([2.0**-5], 8), ([5e-324], 1076)],
)
def test_exact_fraction_bits_of_known_values(values: list[float], bits: int) -> None:
    assert exact_fraction_bits(np.array(values)) == bits
    assert exact_fraction_bits(np.array([1, 2])) == 0


@pytest.mark.parametrize("dtype", ["f8", "i8", "u8"])
def test_h45_plain_arrays_are_copies(dtype: str) -> None:
    x = np.zeros(3, dtype=dtype)
    assert not np.shares_memory(as_plain_array(x), x)


VALUES = [0.1, -1 / 3, 32767.99, -32767.99, 1e-12, 2.0**-41, -(3 * 2.0**-41), 5e-324, 0.0, -0.0, -1.5]
BIG = FixedPoint(1100, 1e9)  # at which a denormal number is an integer
DENORMAL = [5e-324, -3e-310, 2.0**-1022, -1.5 * 2.0**-1022, 2.0**-1021, 1.0, -(2.0**-1022 - 2.0**-1074)]  # and near
BOUNDARY = [2**53 + 1, 2**53 + 3, -(2**53) - 1, 2**62 + 2**9 - 1, -(2**63), 2**63 - 1, 3, 0, -1]


def _encoded_and_decoded() -> list[Any]:
    values, integers = np.array(VALUES), np.array(BOUNDARY)
    return [
        PACKED.encode(values).view(np.int64).ravel().tolist(),
        PACKED.encode(values, negative=True).view(np.int64).ravel().tolist(),
        integers_at_scale(values, 112),
        integers_at_scale(np.array(DENORMAL[:2]), 1100),  # the way of small ones
        integers_at_scale(np.array(DENORMAL), 1100),
        [BIG.encode(values).tobytes(), exact_fraction_bits(values[:5])],
        [decode(integers, bits, integer=False).view(np.int64).tolist() for bits in (0, 40, 64)],
        decode([*BOUNDARY, 2**70 + 1], 112, integer=False).view(np.int64).tolist(),
        decode(integers, 4, integer=True).tolist(),
    ]


def _exact_encoded_and_decoded() -> list[Any]:
    packed, small, big = ([round(Fraction(value) * 2**bits) for value in VALUES] for bits in (40, 112, 1100))
    bits_of = lambda numbers: np.array(numbers, dtype=np.float64).view(np.int64).tolist()  # noqa: E731
    return [
        packed,
        [-integer for integer in packed],
        small,
        *([int(Fraction(value) * 2**1100) for value in numbers] for numbers in (DENORMAL[:2], DENORMAL)),
        [words_from_integers(big, BIG.unit.bit_length() // 64 + 1, signed=True).tobytes(), 92],
        [bits_of([integer / 2**bits for integer in BOUNDARY]) for bits in (0, 40, 64)],
        bits_of([integer / 2**112 for integer in (*BOUNDARY, 2**70 + 1)]),
        [integer >> 4 for integer in BOUNDARY],
    ]


@needs_modes
@pytest.mark.parametrize("name", list(MODES))
def test_h80_the_callers_environment_does_not_matter(name: str) -> None:
    expected = _exact_encoded_and_decoded()
    found, after = under(MODES[name], _encoded_and_decoded)
    assert found == expected
    assert after & ~FLAGS == MODES[name] & ~FLAGS


def test_h80_the_ways_of_other_environments_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system lets no test set one, too."""
    assert _encoded_and_decoded() == _exact_encoded_and_decoded()
    monkeypatch.setattr(module, "_floats_as_usual", lambda: False)
    assert _encoded_and_decoded() == _exact_encoded_and_decoded()


@needs_modes
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", list(MODES))
def test_h80_there_and_back_in_another_environment(
    public_key: PublicKey, private_key: PrivateKey, name: str, packed: bool
) -> None:
    values = np.array([value for value in VALUES if value])

    def there_and_back() -> list[int]:
        decrypted: list[int] = private_key.decrypt(public_key.encrypt(values, packed=packed)).view(np.int64).tolist()
        return decrypted

    assert under(MODES[name], there_and_back)[0] == there_and_back()


@pytest.mark.parametrize("encoding", [PACKED, UNPACKED, FixedPoint(20, 8), FixedPoint(0, 2**63)], ids=str)
def test_h80_arrays_of_every_encoding_are_encrypted_in_other_environments(
    public_key: PublicKey, private_key: PrivateKey, monkeypatch: pytest.MonkeyPatch, encoding: FixedPoint
) -> None:
    """By the exact way, which has to give words of its own as well."""
    monkeypatch.setattr(module, "_floats_as_usual", lambda: False)
    x = np.array([1.0, -2.0, 0.0])
    assert encoding.encode(x).flags.writeable
    assert private_key.decrypt(public_key.encrypt(x, encoding=encoding)).tolist() == x.tolist()
    assert private_key.decrypt(public_key.encrypt(x, encoding=encoding) - x).tolist() == [0.0] * 3


@needs_modes
def test_h80_a_change_of_the_environment_is_noticed() -> None:
    assert {name: under(word, module._floats_as_usual)[0] for name, word in MODES.items()} == {
        name: name in ("usual", "all flags", "default NaNs")
        or (name == "flush to zero" and platform.machine() == "x86_64")  # which keeps what is read
        for name in MODES
    }


@needs_modes
def test_h80_values_are_rounded_by_no_instruction_that_heeds_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """On most CPUs numpy rounds to the nearest integer in every mode. Elsewhere it does as C says: down, for one."""
    monkeypatch.setattr(module.np, "rint", np.floor)
    expected = [round(Fraction(value) * 2**40) for value in VALUES]
    encode = lambda: PACKED.encode(np.array(VALUES)).view(np.int64).ravel().tolist()  # noqa: E731
    assert encode() != expected
    assert under(MODES["down"], encode)[0] == expected
