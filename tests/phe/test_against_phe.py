"""Numbers, exponents and errors of the facade are those of phe, on random input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import phe
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.phe.conftest import Sides

import vecphe.phe

BOTH = (phe, vecphe.phe)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SMALL_FLOATS = st.floats(-1e12, 1e12)
INTS = st.integers(-(2**130), 2**130)
NUMBERS = st.one_of(INTS, FLOATS, SMALL_FLOATS, st.sampled_from([0, 1, -1, 0.0, -0.0, 5e-324, 2.0**53, 16.0]))
PRECISIONS = st.one_of(st.none(), st.floats(1e-30, 1e10), st.sampled_from([1, 16, 256, 2.0**-52]))
EXPONENTS = st.integers(-120, 40)
BASES = st.sampled_from([2, 13, 16, 64])

# Errors need not be of the same class, only caught by the same except clauses.
CAUGHT = (TypeError, ValueError, OverflowError, ZeroDivisionError, NotImplementedError)


def outcome(call: Callable[[], Any]) -> Any:
    """Result, or which of the exceptions that phe's documentation names was raised."""
    try:
        result = call()
    except CAUGHT as error:
        return next(kind for kind in CAUGHT if isinstance(error, kind))
    return (type(result), repr(result))  # repr tells -0.0 from 0.0


def class_of(module: Any, base: int) -> Any:
    return type("Alternative", (module.EncodedNumber,), {"BASE": base, "LOG2_BASE": math.log(base, 2)})


@pytest.mark.fuzz
@given(scalar=NUMBERS, precision=PRECISIONS, max_exponent=st.none() | EXPONENTS, base=BASES)
def test_encoding(sides: Sides, scalar: Any, precision: Any, max_exponent: Any, base: int) -> None:
    def encoded(module: Any, key: Any) -> Any:
        number = class_of(module, base).encode(key, scalar, precision, max_exponent)
        return number.encoding, number.exponent, number.decode()

    expected = outcome(lambda: encoded(phe, sides.phe_public))
    assert outcome(lambda: encoded(vecphe.phe, sides.public)) == expected


@pytest.mark.fuzz
@given(part=st.floats(0, 1.01), offset=st.integers(-2, 2), exponent=st.integers(-400, 60), base=BASES)
def test_decoding_anywhere_in_the_range(sides: Sides, part: float, offset: int, exponent: int, base: int) -> None:
    """Also at the borders of the overflow band: n/3 and 2n/3."""
    n = sides.public.n
    encoding = {0.25: n // 3, 0.5: n - n // 3, 0.75: n}.get(round(part * 4) / 4, 0) + offset
    for value in (encoding, int(part * n)):
        expected = outcome(lambda v=value: class_of(phe, base)(sides.phe_public, v, exponent).decode())
        actual = outcome(lambda v=value: class_of(vecphe.phe, base)(sides.public, v, exponent).decode())
        assert actual == expected


OPERATIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "x + y": lambda x, y, v: x + y,
    "x - y": lambda x, y, v: x - y,
    "x + v": lambda x, y, v: x + v,
    "v + x": lambda x, y, v: v + x,
    "x - v": lambda x, y, v: x - v,
    "v - x": lambda x, y, v: v - x,
    "x * v": lambda x, y, v: x * v,
    "v * x": lambda x, y, v: v * x,
    "x / v": lambda x, y, v: x / v,
    "x * v + y": lambda x, y, v: x * v + y,
    "lowered": lambda x, y, v: x.decrease_exponent_to(int(v) % 200 - 150),
    "sum": lambda x, y, v: sum([x, y, y, x]),
}


@pytest.mark.fuzz
@given(a=NUMBERS, b=NUMBERS, v=NUMBERS, operation=st.sampled_from(sorted(OPERATIONS)))
def test_arithmetic(sides: Sides, a: Any, b: Any, v: Any, operation: str) -> None:
    def result(public: Any, private: Any) -> Any:
        c = OPERATIONS[operation](public.encrypt(a), public.encrypt(b), v)
        return c.exponent, private.decrypt(c)

    expected = outcome(lambda: result(sides.phe_public, sides.phe_private))
    assert outcome(lambda: result(sides.public, sides.private)) == expected


@pytest.mark.fuzz
@given(v=st.integers(-(2**600), 2**600), r=st.integers(1, 2**100))
def test_ciphertexts_with_a_given_randomizer_are_the_same_integers(sides: Sides, v: int, r: int) -> None:
    assert sides.public.raw_encrypt(v, r) == sides.phe_public.raw_encrypt(v, r)
    small = v % 1000 - 500
    mine, theirs = (key.encrypt(small, r_value=r) for key in (sides.public, sides.phe_public))
    for f in (lambda x: x, lambda x: x * -7, lambda x: x * 1.5, lambda x: x + 3, lambda x: 2 - x, lambda x: x + x):
        assert f(mine).ciphertext(be_secure=False) == f(theirs).ciphertext(be_secure=False)
    assert mine._raw_add(mine.ciphertext(False), 1) == theirs._raw_add(theirs.ciphertext(False), 1)
    plaintext = v % sides.public.n
    assert mine._raw_mul(plaintext) == theirs._raw_mul(plaintext)


@pytest.mark.parametrize("fixture", ["sides", "djn_sides"])
def test_each_decrypts_what_the_other_encrypted(fixture: str, request: pytest.FixtureRequest) -> None:
    sides: Sides = request.getfixturevalue(fixture)
    for value in (0, -5, 1.5, -1e-9, math.pi, 10**30, 2.0**70):
        ours, theirs = sides.public.encrypt(value), sides.phe_public.encrypt(value)
        moved = phe.EncryptedNumber(sides.phe_public, ours.ciphertext(), ours.exponent)
        back = vecphe.phe.EncryptedNumber(sides.public, theirs.ciphertext(), theirs.exponent)
        assert sides.phe_private.decrypt(moved) == value
        assert sides.private.decrypt(back) == value
        assert sides.private.decrypt(back + ours) == 2 * value


def test_attributes_of_keys_are_phes(sides: Sides) -> None:
    for name in ("n", "g", "nsquare", "max_int"):
        assert getattr(sides.public, name) == getattr(sides.phe_public, name)
    for name in ("p", "q", "psquare", "qsquare", "p_inverse", "hp", "hq"):
        assert getattr(sides.private, name) == getattr(sides.phe_private, name)
    assert sides.private.crt(3, 7) == sides.phe_private.crt(3, 7)
    assert repr(sides.public) == repr(sides.phe_public)
    assert repr(sides.private) == repr(sides.phe_private)
    assert hash(sides.public) == hash(sides.phe_public)


def test_everything_that_phe_exports_is_here() -> None:
    for module in ("paillier", "encoding", "util", "command_line"):
        theirs, ours = getattr(phe, module), getattr(vecphe.phe, module)
        public = {
            name
            for name, value in vars(theirs).items()
            if not name.startswith("_") and getattr(value, "__module__", "").startswith("phe")
        }
        assert public - vars(ours).keys() <= {
            # Helpers of phe's own modules that its documentation does not know.
            *("invert", "powmod", "mulmod", "getprimeover", "isqrt", "log"),
            *("serialise_encrypted", "load_public_key", "load_encrypted_number"),
        }
    for kind in ("PaillierPublicKey", "PaillierPrivateKey", "PaillierPrivateKeyring", "EncryptedNumber"):
        theirs, ours = getattr(phe, kind), getattr(vecphe.phe, kind)
        assert {name for name in vars(theirs) if not name.startswith("_")} <= {*dir(ours)}
    assert phe.__version__ == vecphe.phe.__version__
    assert phe.paillier.DEFAULT_KEYSIZE == vecphe.phe.paillier.DEFAULT_KEYSIZE
