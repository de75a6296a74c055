"""Where the facade does not do as phe does, on purpose: every line of the table in docs/phe.md.

Each test shows phe's behaviour first, so that it fails once phe changes its mind.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import phe
import pytest
from tests.phe.conftest import Sides
from tests.toys import composite_after

import vecphe.phe
from vecphe import InvalidCiphertextError, InvalidKeyError, InvalidPlaintextError, KeyMismatchError


def _bad_ciphertexts(sides: Sides) -> dict[str, int]:
    n = sides.public.n
    valid = sides.public.raw_encrypt(5)
    return {"0": 0, "n": n, "3n": 3 * n, "p": sides.private.p, "n^2": n * n, "n^2 + valid": n * n + valid, "-1": -1}


@pytest.mark.parametrize("which", ["0", "n", "3n", "p", "n^2", "n^2 + valid", "-1"])
def test_h31_h32_what_is_no_ciphertext_is_refused_with_one_text(sides: Sides, which: str) -> None:
    value = _bad_ciphertexts(sides)[which]
    sides.phe_private.raw_decrypt(value)  # phe gives some number
    number = vecphe.phe.EncryptedNumber(sides.public, value)
    texts = set()
    for use in (
        lambda: sides.private.decrypt(number),
        lambda: sides.private.raw_decrypt(value),
        lambda: number + 1,
        lambda: number + number,
        lambda: number * 2,
        number.obfuscate,
        number.ciphertext,
        lambda: sides.public.encrypt(1)._raw_add(value, 1),
    ):
        with pytest.raises(InvalidCiphertextError) as caught:
            use()
        texts.add(str(caught.value))
    assert texts == {"not a valid ciphertext for this key"}
    assert number.ciphertext(be_secure=False) == value


@pytest.mark.parametrize("value", [5.0, "5", None, True, np.int64(5)])
def test_h33_a_ciphertext_is_an_int(sides: Sides, value: Any) -> None:
    phe.EncryptedNumber(sides.phe_public, value)  # as phe's documentation says it does not
    with pytest.raises(TypeError, match="ciphertext must be an int"):
        vecphe.phe.EncryptedNumber(sides.public, value)


def test_h23_r_value_is_a_root_mod_n(sides: Sides) -> None:
    n, p = sides.public.n, sides.private.p
    assert sides.phe_public.raw_encrypt(5, n) == 0
    for r in (0, -1, n, n + 1, p):
        with pytest.raises(InvalidPlaintextError, match=r"\[1, n\) and coprime"):
            sides.public.encrypt(5, r_value=r)
        with pytest.raises(InvalidPlaintextError, match=r"\[1, n\) and coprime"):
            sides.public.raw_encrypt(5, r)


@pytest.mark.parametrize("n", [14, 1, 0, -15, 1 << 17000 | 1], ids=["even", "1", "0", "negative", "long"])
def test_h03_h06_an_n_that_cannot_be_computed_with_can_be_held(n: int) -> None:
    key = vecphe.phe.PaillierPublicKey(n)
    assert (key.n, key.g, key.nsquare, key.max_int) == (n, n + 1, n * n, n // 3 - 1)
    assert key == vecphe.phe.PaillierPublicKey(n)
    assert hash(key) == hash(phe.PaillierPublicKey(n))
    for _ in range(2):
        with pytest.raises(InvalidKeyError, match="odd, above 8 and of at most 16384 bits"):
            key.raw_encrypt(0)


@pytest.mark.parametrize("n", [True, 15.0, "15", None])
def test_h03_n_is_an_int(n: Any) -> None:
    with pytest.raises(TypeError, match="n must be an int"):
        vecphe.phe.PaillierPublicKey(n)


@pytest.mark.parametrize(
    ("p", "q", "text"),
    [
        (33, 59, "must be primes"),  # 3 * 11
        (11, 13, "too close"),
        (11, 131, "equal length"),
        (3, 7, "equal length"),  # gcd(n, (p-1)*(q-1)) = 3
    ],
)
def test_h08_h09_h10_private_numbers_are_examined(p: int, q: int, text: str) -> None:
    phe.PaillierPrivateKey(phe.PaillierPublicKey(p * q), p, q)
    with pytest.raises(InvalidKeyError, match=text):
        vecphe.phe.PaillierPrivateKey(vecphe.phe.PaillierPublicKey(p * q), p, q)


def test_h07_private_numbers_of_another_key(sides: Sides) -> None:
    p, q = sides.private.p, sides.private.q
    for pair in ((p, composite_after(q)), (p, p), (1, p * q), (-p, -q), ("p", "q"), (float(p), q)):
        with pytest.raises(InvalidKeyError):
            vecphe.phe.PaillierPrivateKey(sides.public, *pair)
    for totient in (0, (p - 1) * (q - 1) + 2, (p - 1) * (q - 1) - 4, sides.public.n, 10**400, -5):
        with pytest.raises(InvalidKeyError, match="totient does not belong"):
            vecphe.phe.PaillierPrivateKey.from_totient(sides.public, totient)
    with pytest.raises(TypeError, match="totient must be an int, not float"):
        vecphe.phe.PaillierPrivateKey.from_totient(sides.public, 1.5)


def test_h13_a_public_key_is_no_private_one(sides: Sides) -> None:
    with pytest.raises(TypeError, match="must be a PaillierPublicKey"):
        vecphe.phe.PaillierPrivateKey(sides.private, sides.private.p, sides.private.q)
    with pytest.raises(AttributeError):
        phe.PaillierPrivateKeyring([sides.phe_public])
    with pytest.raises(TypeError, match="must be a PaillierPrivateKey"):
        vecphe.phe.PaillierPrivateKeyring([sides.public])
    with pytest.raises(TypeError, match="must be a PaillierPublicKey"):
        vecphe.phe.EncryptedNumber(sides.private, 5)


def test_h14_private_keys_show_no_secrets_and_stay_in_the_process(sides: Sides) -> None:
    pickle.loads(pickle.dumps(sides.phe_private))
    ring = vecphe.phe.PaillierPrivateKeyring([sides.private])
    for shown in (repr(sides.private), str(sides.private), repr(ring), f"{sides.private}"):
        assert not any(str(number) in shown or f"{number:x}" in shown for number in (sides.private.p, sides.private.q))
    for secret in (sides.private, ring, {"key": sides.private}, sides.private.decrypt):
        with pytest.raises(TypeError, match="refuses to be pickled"):
            pickle.dumps(secret)


def test_h15_keys_compare_with_anything(sides: Sides) -> None:
    with pytest.raises(AttributeError):
        _ = sides.phe_public == None  # noqa: E711
    for key in (sides.public, sides.private):
        assert key != None  # noqa: E711
        assert key != 5
        assert key == key
        assert hash(key) == hash(key)


@pytest.mark.parametrize("n_length", [9, 11, 13, 15, 17, 31, 65, 255, 513])
def test_odd_lengths_end(n_length: int) -> None:
    """phe searches for ever for some of them."""
    public, private = vecphe.phe.generate_paillier_keypair(n_length=n_length)
    assert public.n.bit_length() == n_length
    assert [private.raw_decrypt(public.raw_encrypt(m)) for m in (0, 1, public.n - 1)] == [0, 1, public.n - 1]


@pytest.mark.parametrize("n_length", [8, 10, 12, 14, 16, 18, 30, 32, 64])
def test_short_even_lengths(n_length: int) -> None:
    for _ in range(5):
        public, private = vecphe.phe.generate_paillier_keypair(n_length=n_length)
        assert public.n.bit_length() == n_length
        assert private.p * private.q == public.n
        assert private.raw_decrypt(public.raw_encrypt(public.n - 2)) == public.n - 2


@pytest.mark.parametrize("n_length", [7, 0, -8, 16385])
def test_h01_lengths_that_no_key_has(n_length: int) -> None:
    phe.generate_paillier_keypair(n_length=7)
    with pytest.raises(InvalidKeyError, match="n_length must be from 8 to 16384"):
        vecphe.phe.generate_paillier_keypair(n_length=n_length)


@pytest.mark.parametrize("n_length", [64.0, True, "64", None])
def test_h01_lengths_are_ints(n_length: Any) -> None:
    with pytest.raises((TypeError, OverflowError)):
        phe.generate_paillier_keypair(n_length=n_length)
    with pytest.raises(TypeError, match="n_length must be an int"):
        vecphe.phe.generate_paillier_keypair(n_length=n_length)


def test_helpers_are_in_util_alone() -> None:
    for name in ("getprimeover", "invert", "isqrt", "mulmod", "powmod"):
        assert hasattr(phe.paillier, name)
        assert not hasattr(vecphe.phe.paillier, name)
        assert hasattr(vecphe.phe.util, name)


@pytest.mark.parametrize("value", [np.int64(-3), np.uint8(5), np.float32(1.5), np.float16(0.5), np.bool_(True)])
def test_numpys_scalars_are_numbers(sides: Sides, value: Any) -> None:
    with pytest.raises(TypeError, match="precision of type"):
        sides.phe_public.encrypt(value)
    assert sides.private.decrypt(sides.public.encrypt(value)) == value
    assert sides.private.decrypt(sides.public.encrypt(2.5) + value) == 2.5 + float(value)


def test_arrays_become_encrypted_arrays(sides: Sides) -> None:
    x = np.array([[1.5, -2.25], [0.0, 1e9]])
    with pytest.raises(TypeError, match="precision of type"):
        sides.phe_public.encrypt(x)
    c = sides.public.encrypt(x)
    assert isinstance(c, vecphe.EncryptedArray)
    np.testing.assert_array_equal(sides.private.decrypt(c * 2), 2 * x)
    with pytest.raises(TypeError, match="without precision and r_value"):
        sides.public.encrypt(x, precision=0.1)


def test_single_numbers_and_arrays(sides: Sides, djn_sides: Sides) -> None:
    """A key ring decrypts both; what adds them is told."""
    ring = vecphe.phe.PaillierPrivateKeyring([sides.private, djn_sides.private])
    for public in (sides.public, djn_sides.public):
        assert ring.decrypt(public.encrypt(np.array([1.5, -2.0]))).tolist() == [1.5, -2.0]
    with pytest.raises(KeyError):
        vecphe.phe.PaillierPrivateKeyring([sides.private]).decrypt(djn_sides.public.encrypt(np.array([1.5])))
    with pytest.raises(TypeError, match="not list"):
        ring.decrypt([])
    number, array = sides.public.encrypt(3), sides.public.encrypt(np.array([1.5, -2.0]))
    for use in (
        lambda: number + array,
        lambda: array + number,
        lambda: number - array,
        lambda: array - number,
        lambda: number * array,
    ):
        with pytest.raises(TypeError, match=r"to add (it|them), (write )?vecphe\.from_phe\("):
            use()
    for use in (lambda: number / array, lambda: array / number, lambda: array * number):
        with pytest.raises(TypeError, match=r"encrypted value|divided by a plain number"):
            use()
    key = vecphe.PublicKey.from_phe(sides.public, insecure=True)
    total = array + vecphe.from_phe(key, number, max_abs=100)
    assert sides.private.decrypt(total).tolist() == [4.5, 1.0]


def test_a_number_encoded_for_another_key(sides: Sides, djn_sides: Sides) -> None:
    sides.phe_public.encrypt(phe.EncodedNumber(djn_sides.phe_public, 5, 0))
    encoded = vecphe.phe.EncodedNumber(djn_sides.public, 5, 0)
    number = sides.public.encrypt(1)
    for use in (lambda: sides.public.encrypt(encoded), lambda: number * encoded, lambda: number + encoded):
        with pytest.raises(KeyMismatchError):
            use()


def test_h34_numbers_of_another_key_are_not_added(sides: Sides, djn_sides: Sides) -> None:
    number, other = sides.public.encrypt(1), djn_sides.public.encrypt(1)
    for use in (lambda: number + other, lambda: number - other, lambda: other + number):
        with pytest.raises(KeyMismatchError):
            use()


def test_encoded_numbers_can_be_subtracted(sides: Sides) -> None:
    encoded = phe.EncodedNumber.encode(sides.phe_public, 2.5)
    with pytest.raises(TypeError, match="unsupported operand"):
        _ = sides.phe_public.encrypt(1) - encoded
    encoded = vecphe.phe.EncodedNumber.encode(sides.public, 2.5)
    assert sides.private.decrypt(sides.public.encrypt(1) - encoded) == -1.5


@pytest.mark.parametrize("exponent", [1.5, "x", None, True])
def test_exponents_are_ints(sides: Sides, exponent: Any) -> None:
    phe.EncryptedNumber(sides.phe_public, 5, exponent)
    with pytest.raises(TypeError, match="an exponent must be an int"):
        vecphe.phe.EncryptedNumber(sides.public, 5, exponent)
    assert sides.phe_public.encrypt(phe.EncodedNumber(sides.phe_public, 1, exponent)).exponent == exponent
    number, encoded = sides.public.encrypt(5), vecphe.phe.EncodedNumber(sides.public, 1, exponent)
    for use in (
        lambda: sides.public.encrypt(encoded),
        lambda: number + encoded,
        lambda: number - encoded,
        lambda: number * encoded,
        lambda: encoded.decrease_exponent_to(-3),
    ):
        with pytest.raises(TypeError, match="an exponent must be an int"):
            use()


@pytest.mark.parametrize("encoding", ["5", 5.0, None, np.int64(5)])
def test_an_encoding_is_an_int(sides: Sides, encoding: Any) -> None:
    with pytest.raises(TypeError, match="Expected int type"):
        sides.phe_public.encrypt(phe.EncodedNumber(sides.phe_public, encoding, 0))
    number, encoded = sides.public.encrypt(5), vecphe.phe.EncodedNumber(sides.public, encoding, 0)
    for use in (
        lambda: sides.public.encrypt(encoded),
        lambda: number + encoded,
        lambda: number - encoded,
        lambda: number * encoded,
    ):
        with pytest.raises(TypeError, match=f"encoding must be an int, not {type(encoding).__name__}"):
            use()


def test_products_keep_exponents_in_range(sides: Sides) -> None:
    one, far = sides.public.encrypt(1), vecphe.phe.EncodedNumber(sides.public, 1, 60000)
    product = one * far
    assert pickle.loads(pickle.dumps(product)).exponent == 60000
    with pytest.raises(InvalidPlaintextError, match="an exponent must be from -65536 to 65536"):
        _ = product * far
    product.exponent = 10**8
    for use in (lambda: product + 1, lambda: product * 1, lambda: product.decrease_exponent_to(0)):
        with pytest.raises(InvalidPlaintextError, match="an exponent must be from -65536 to 65536"):
            use()


@pytest.mark.parametrize("exponent", [10**9, -(10**9)])
def test_exponents_whose_powers_fill_the_memory(sides: Sides, exponent: int) -> None:
    number = sides.public.encrypt(5)
    for use in (
        lambda: vecphe.phe.EncryptedNumber(sides.public, 5, exponent),
        lambda: vecphe.phe.EncodedNumber(sides.public, 5, exponent).decode(),
        lambda: number.decrease_exponent_to(exponent),
        lambda: sides.public.encrypt(vecphe.phe.EncodedNumber(sides.public, 5, exponent)),
        lambda: number + vecphe.phe.EncodedNumber(sides.public, 5, exponent),
        lambda: vecphe.phe.EncodedNumber(sides.public, 5, exponent) - number,
        lambda: vecphe.phe.EncodedNumber(sides.public, 5, exponent).decrease_exponent_to(0),
        lambda: vecphe.phe.EncodedNumber.encode(sides.public, 5, max_exponent=-(10**9)),
    ):
        with pytest.raises(InvalidPlaintextError, match="an exponent must be from -65536 to 65536"):
            use()


def test_pickled_numbers_are_rerandomised(sides: Sides) -> None:
    """As all that leaves the process; the number itself stays as it is."""
    number = sides.public.encrypt(3) * 2
    before = number.ciphertext(be_secure=False)
    moved = pickle.loads(pickle.dumps(number))
    assert moved.ciphertext(be_secure=False) != before
    assert number.ciphertext(be_secure=False) == before
    assert sides.private.decrypt(moved) == 6
    fresh = sides.public.encrypt(1.5)
    assert pickle.loads(pickle.dumps(fresh)).ciphertext() == fresh.ciphertext()
    for copied in (copy.copy(number), copy.deepcopy(number)):
        assert copied.ciphertext(be_secure=False) == before
    public = pickle.loads(pickle.dumps(sides.public))
    assert public == sides.public
    assert public.max_int == sides.public.max_int
    assert sides.private.decrypt(public.encrypt(4)) == 4


def test_no_message_holds_a_plaintext(sides: Sides) -> None:
    value = 10**300 + 123456789
    with pytest.raises(ValueError, match=str(value)):
        sides.phe_public.encrypt(value)
    with pytest.raises(ValueError, match="does not fit") as caught:
        sides.public.encrypt(value)
    assert "123456789" not in str(caught.value)
