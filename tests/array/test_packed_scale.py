"""Factors and divisors of packed arrays: the scale says them, and only a bound that is left refuses them."""

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecphe import EncryptedArray, FixedPoint
from vecphe.errors import LayoutMismatchError, PackedOperationError, PlaintextOverflowError, SerializationError
from vecphe.federated import EncryptedVector, Server, encrypt_vector

A, B = np.array([1.5, -2.25, 30000.0, 0.0, -(2.0**-40)]), np.array([0.125, 7.0, -30000.0, 1.0, 2.0**15])
ROOM = FixedPoint(40, 2**15, 2**62)


def packed(public_key, values, **options):
    return public_key.encrypt(values, packed=True, **options)


@pytest.mark.parametrize(("n1", "n2"), [(78, 42), (1, 254), (7, 3), (100, 1)])
def test_weighted_means_are_correctly_rounded(keypair, n1, n2):
    public_key, private_key = keypair
    c1, c2 = packed(public_key, A), packed(public_key, B)
    mean = (c1 * n1 + c2 * n2) / (n1 + n2)
    exact = [float((Fraction(a) * n1 + Fraction(b) * n2) / (n1 + n2)) for a, b in zip(A, B, strict=True)]
    assert private_key.decrypt(mean).tolist() == exact
    assert mean.bound == (n1 + n2) * c1.bound
    with pytest.raises(PlaintextOverflowError, match=f"max_terms={(1 << (n1 + 254).bit_length()) << 8}"):
        c1 * n1 + c2 * 255


def test_an_integer_divisor_costs_nothing(keypair):
    public_key, private_key = keypair
    c = packed(public_key, A)
    for divisor in (1, -1, 3, -3, np.int8(7), np.array(10), 4.0, 2**63, -(2**63)):
        quotient = c / divisor
        assert quotient.bound == c.bound
        assert private_key.decrypt(quotient).tolist() == [float(Fraction(a) / int(divisor)) for a in A]
    assert private_key.decrypt(c).tolist() == A.tolist()  # as it was
    assert private_key.decrypt(c / 3 / 5 / 7).tolist() == [float(Fraction(a) / 105) for a in A]
    assert (c / 2**63 / 1).bound == c.bound
    with pytest.raises(PlaintextOverflowError, match="2\\^64"):
        c / 2**63 / 2
    with pytest.raises(ZeroDivisionError):
        c / 0
    for divisors in (np.array([2, 2, 2, 2, 2]), [2], np.array([[4]]), [0.5], [3.0]):
        with pytest.raises(PackedOperationError, match="a product with anything but one number"):
            c / divisors


def test_float_factors_take_the_room_that_there_is(keypair):
    public_key, private_key = keypair
    c = packed(public_key, A)
    assert private_key.decrypt(c * 0.5).tolist() == (A / 2).tolist()
    assert private_key.decrypt(-1.5 * c).tolist() == (A * -1.5).tolist()
    assert private_key.decrypt(c / 0.25).tolist() == (A * 4).tolist()
    with pytest.raises(PlaintextOverflowError, match="larger max_terms"):
        c * 0.3
    wide = packed(public_key, A[:2], encoding=ROOM)
    np.testing.assert_allclose(private_key.decrypt(wide * 0.3), A[:2] * 0.3, rtol=1e-15)


def test_h21_the_bound_says_exactly_which_factor_is_too_much(keypair):
    public_key, private_key = keypair
    c = packed(public_key, A, encoding=FixedPoint(40, 2**15, 24))
    assert private_key.decrypt(c * 1.5).tolist() == (A * 1.5).tolist()  # 24 sixteenths
    with pytest.raises(PlaintextOverflowError):
        c * 1.5625


def test_h28_arrays_of_other_scale_add_where_they_were_encrypted_the_same_way(keypair):
    public_key, private_key = keypair
    c1, c2 = packed(public_key, A), packed(public_key, B)
    total = c1 / 3 + c2 / 2
    assert private_key.decrypt(total).tolist() == [
        float(Fraction(a) / 3 + Fraction(b) / 2) for a, b in zip(A, B, strict=True)
    ]
    assert total.bound == 5 * c1.bound
    assert private_key.decrypt(c1 * 0.5 - c2).tolist() == (A / 2 - B).tolist()
    assert private_key.decrypt(c2 - c1 / 3).tolist() == [float(b - Fraction(a) / 3) for a, b in zip(A, B, strict=True)]
    with pytest.raises(PlaintextOverflowError, match="max_terms=65536"):
        c1 / 255 + c2
    with pytest.raises(LayoutMismatchError, match="different scale"):
        c1 / 3 + packed(public_key, A / 64, encoding=FixedPoint(44, 2**11))


_LAYOUTS = "arrays of different slot layouts cannot be added; encrypt both the same way"
_SCALES = "packed arrays of different scale cannot be added; encrypt both the same way"
_AS_FLOATS = ": the integers as floats, x.astype(float)"
_NARROW, _COARSE = FixedPoint(8, 2), FixedPoint(36, 2**19)  # the other layout, and the same one
DIFFERENT = {
    "unpacked floats": ((False, None, 1.0), (True, None, 1.0), _LAYOUTS),
    "unpacked integers": ((False, None, 1), (True, None, 1.0), _LAYOUTS),
    "packed integers beside unpacked floats": ((True, None, 1), (False, None, 1.0), _LAYOUTS),
    "integers and floats": ((True, None, 1), (True, None, 1.0), _SCALES + _AS_FLOATS),
    "integers and floats in other slots": ((True, None, 1), (True, _NARROW, 1.0), _LAYOUTS + _AS_FLOATS),
    "floats in other slots": ((True, None, 1.0), (True, _NARROW, 1.0), _LAYOUTS),
    "floats of another scale": ((True, None, 1.0), (True, _COARSE, 1.0), _SCALES),
    "integers in other slots": ((True, None, 1), (True, FixedPoint(0, 2), 1), _LAYOUTS),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_h28_what_is_told_of_arrays_that_do_not_add(public_key, case):
    *operands, told = DIFFERENT[case]
    c, d = (public_key.encrypt([value], packed=form, encoding=encoding) for form, encoding, value in operands)
    for operation in (lambda: c + d, lambda: d + c, lambda: c - d, lambda: d - c):
        with pytest.raises(LayoutMismatchError) as caught:
            operation()
        assert str(caught.value) == told


def test_plain_values_are_added_to_quotients(keypair):
    public_key, private_key = keypair
    c = packed(public_key, A)
    for x in (1.5, B, -7, np.array([1, 2, 3, 4, 5])):
        assert private_key.decrypt(c / 3 + x) == pytest.approx(A / 3 + x, rel=1e-12)
        assert private_key.decrypt(x - c / 3) == pytest.approx(x - A / 3, rel=1e-12)
    with pytest.raises(PlaintextOverflowError, match="exceeds max_abs"):
        c / 3 + 2.0**15 * 1.001
    with pytest.raises(PlaintextOverflowError, match="max_terms=65536"):
        c / 255 + 1


def test_quotients_of_integers_are_floats(keypair):
    public_key, private_key = keypair
    c = packed(public_key, [7, 8, -9])
    assert private_key.decrypt(c / 4).tolist() == [1.75, 2.0, -2.25]
    assert private_key.decrypt(c * 0.5).tolist() == [3.5, 4.0, -4.5]
    assert private_key.decrypt(c / 4 + 1).tolist() == [2.75, 3.0, -1.25]
    assert private_key.decrypt(c / 4 + 0.25).tolist() == [2.0, 2.25, -2.0]
    with pytest.raises(LayoutMismatchError, match="encrypt it as floats"):
        c / 4 + 0.3
    with pytest.raises(LayoutMismatchError, match="encrypt it as floats"):
        c * 0.5 + 0.01


def test_floats_of_an_encoding_without_fractions_are_rounded_like_others(keypair):
    """Until they are divided: nothing then tells them from integers, of which fractions must not vanish."""
    public_key, private_key = keypair
    c = packed(public_key, [7.0, -8.0], encoding=FixedPoint(0, 100, 50))
    for array in (c, c + c, -c):
        assert private_key.decrypt(array + 0.25).tolist() == private_key.decrypt(array).tolist()
    for divisor in (2, 3):
        with pytest.raises(LayoutMismatchError, match="encrypt it as floats"):
            c / divisor + 0.3
    assert private_key.decrypt(c / 2 + 0.0).tolist() == [3.5, -4.0]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(["*", "/"]), st.integers(-40, 40).filter(bool)), max_size=6),
    st.lists(st.integers(-(2**30), 2**30), min_size=1, max_size=6),
)
def test_any_chain_of_factors_and_divisors_is_exact(keypair, steps, values):
    public_key, private_key = keypair
    c = packed(public_key, np.array(values) / 2**20, encoding=FixedPoint(40, 2**15, 2**40))
    exact = [Fraction(value, 2**20) for value in values]
    for sign, number in steps:
        c = c * number if sign == "*" else c / number
        exact = [value * number if sign == "*" else value / number for value in exact]
    again = EncryptedArray.from_json(public_key, EncryptedArray.from_bytes(public_key, c.to_bytes()).to_json())
    assert private_key.decrypt(again).tolist() == [float(value) for value in exact]


def test_h36_a_divisor_that_cannot_be_is_refused(keypair):
    public_key, _ = keypair
    c = packed(public_key, A)
    text = (c / 3).to_json()
    for wrong in ("0", "1", "-3", "true", "null", "18446744073709551616", '"3"'):
        with pytest.raises(SerializationError):
            EncryptedArray.from_json(public_key, text.replace('"divisor": 3', f'"divisor": {wrong}'))
    for array in (public_key.encrypt(A), packed(public_key, [1, 2])):
        with pytest.raises(SerializationError, match=r"divisor|divided|checksum"):
            EncryptedArray.from_json(
                public_key, array.to_json().replace('"ciphertexts"', '"divisor": 3, "ciphertexts"')
            )


def test_h36_a_divisor_is_written_one_way(keypair):
    public_key, _ = keypair
    data = (packed(public_key, A) / 3).to_bytes()
    place = data.index((3).to_bytes(8, "little"), 62)
    for divisor in (0, 1):
        body = data[:place] + divisor.to_bytes(8, "little") + data[place + 8 : -16]
        with pytest.raises(SerializationError, match="2 or more"):
            EncryptedArray.from_bytes(public_key, body + hashlib.sha256(body).digest()[:16])


def test_h51_vectors_of_a_protocol_have_the_scale_of_their_key():
    server = Server(256, insecure=True)
    vector = encrypt_vector(server.pubkey, A)
    assert len(EncryptedVector.from_bytes(server.pubkey, vector.to_bytes())) == 5
    for array in (vector.array / 3, vector.array * 0.0625):
        with pytest.raises(LayoutMismatchError, match="encrypted in another way"):
            EncryptedVector.from_bytes(server.pubkey, array.to_bytes())


@pytest.mark.parametrize("factor", [2, 3, 4, 5, 255])
@pytest.mark.parametrize("room", range(11))
def test_the_encoding_that_is_told_leaves_as_much_room_as_the_key_has(keypair, room, factor):
    """Of the factor itself, and of 8, 4, 2 or 1 bits more: as many as fit, or nothing but the terms."""
    public_key, private_key = keypair
    terms = 1 << (factor - 1).bit_length()
    encoding = FixedPoint(0, 2 ** (public_key.key_length - 2 - (terms << room).bit_length()), 1)
    c = packed(public_key, [3], encoding=encoding)
    spare = max((bits for bits in (8, 4, 2, 1) if bits <= room), default=None)
    enough = factor if spare is None else terms << spare
    with pytest.raises(PlaintextOverflowError) as caught:
        c * factor
    assert str(caught.value).endswith(
        "the slots hold max_terms = 1 times the largest value; encrypt with a larger max_terms: "
        f"encoding=FixedPoint(0, max_abs={encoding.max_abs!r}, max_terms={enough})"
    )
    wider = FixedPoint(0, encoding.max_abs, enough)
    assert private_key.decrypt(packed(public_key, [3], encoding=wider) * factor).tolist() == [3 * factor]


def test_no_encoding_is_told_where_none_fits(keypair):
    encoding = FixedPoint(0, 2 ** (keypair[0].key_length - 5), 4)
    c = packed(keypair[0], [3], encoding=encoding)
    assert keypair[1].decrypt(c * 4).tolist() == [12]
    for factor in (7, 8, 9):
        told = r"max_terms=7\)" if factor == 7 else "no max_terms is enough for this key"
        with pytest.raises(PlaintextOverflowError, match=told):
            c * factor
