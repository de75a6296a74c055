"""Keys: the warning, the key ring, moving numbers between keys."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import phe
import pytest
from tests.phe.conftest import Sides

import vecphe.phe
from vecphe import InsecureKeyWarning, KeyMismatchError
from vecphe.errors import InvalidKeyError, PlaintextOverflowError
from vecphe.phe import PaillierPrivateKey, PaillierPublicKey, generate_paillier_keypair, public
from vecphe.phe.foreign import name_of
from vecphe.plaintext.encoding import UNPACKED, FixedPoint


def test_h02_one_warning_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "_warned", False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vecphe.phe.PaillierPublicKey((1 << 2047) + 1)
        assert not caught
        vecphe.phe.PaillierPublicKey((1 << 2046) + 1)
        vecphe.phe.PaillierPublicKey(15)
        vecphe.phe.generate_paillier_keypair(n_length=64)
    assert [w.category for w in caught] == [InsecureKeyWarning]
    assert "2047-bit" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_holding_a_key_computes_nothing() -> None:
    key = vecphe.phe.PaillierPublicKey((1 << 4095) + 1)
    assert vars(key._context).keys() == {"n"}


def test_a_keyring_is_a_mapping(sides: Sides) -> None:
    ring = vecphe.phe.PaillierPrivateKeyring()
    other, _ = vecphe.phe.generate_paillier_keypair(ring, 128)
    ring.add(sides.private)
    assert set(ring) == {other, sides.public}
    assert ring.get(vecphe.phe.PaillierPublicKey(15)) is None
    assert (sides.public in ring, len(ring)) == (True, 2)
    assert [ring.decrypt(key.encrypt(7)) for key in (other, sides.public)] == [7, 7]
    del ring[other]
    with pytest.raises(KeyError):
        ring.decrypt(other.encrypt(7))


def test_a_number_given_another_key_is_a_number_of_that_key(sides: Sides, djn_sides: Sides) -> None:
    number = sides.public.encrypt(5)
    ciphertext = number.ciphertext()
    number.public_key = djn_sides.public
    assert number.ciphertext(be_secure=False) == ciphertext
    with pytest.raises(KeyMismatchError):
        _ = number + sides.public.encrypt(1)
    with pytest.raises(KeyMismatchError):
        sides.private.decrypt(number)
    assert djn_sides.private.raw_decrypt(ciphertext) == djn_sides.private.decrypt_encoded(number).encoding


def test_equal_keys_are_one_key(sides: Sides) -> None:
    twin = vecphe.phe.PaillierPublicKey(sides.public.n)
    assert sides.private.decrypt(sides.public.encrypt(1.5) + twin.encrypt(2)) == 3.5


def test_max_int_can_be_changed() -> None:
    key = vecphe.phe.PaillierPublicKey(126869)
    key.max_int = 50
    with pytest.raises(ValueError, match="max_int"):
        key.encrypt(51)
    assert key.encrypt(50).exponent == 0


def test_arithmetic_leaves_its_operands_alone(sides: Sides) -> None:
    x, y = sides.public.encrypt(1.5), sides.public.encrypt(2)
    before = [(n.ciphertext(False), n.exponent) for n in (x, y)]
    results = [x + y, x - y, x * 3, x / 2, x + 1, 1 - x, x.decrease_exponent_to(-20)]
    assert [(n.ciphertext(False), n.exponent) for n in (x, y)] == before
    assert not any(n._EncryptedNumber__is_obfuscated for n in results)
    for result in results:
        unsafe = result.ciphertext(be_secure=False)
        assert result.ciphertext() != unsafe


@pytest.mark.parametrize("bad", [True, False, 1.0, "15", None, b"1"])
def test_h18_a_ciphertext_is_an_int(sides: Sides, bad: object) -> None:
    with pytest.raises(TypeError, match=f"ciphertext must be an int, not {type(bad).__name__}"):
        sides.private.raw_decrypt(bad)  # type: ignore[arg-type]
    assert sides.private.raw_decrypt(sides.public.raw_encrypt(7)) == 7


def test_a_key_of_its_totient() -> None:
    public_key, private_key = generate_paillier_keypair(n_length=256)
    p, q = private_key.p, private_key.q
    totient = (p - 1) * (q - 1)
    made = PaillierPrivateKey.from_totient(public_key, totient)
    assert (made.p, made.q, made.public_key) == (p, q, public_key)
    assert made == private_key
    other = generate_paillier_keypair(n_length=256)[1]
    assert other != private_key
    assert private_key.crt(7 % p, 7 % q) == 7
    assert (private_key.crt(3, 5) % p, private_key.crt(3, 5) % q) == (3, 5)
    for wrong in (
        totient + 1,
        totient - 1,
        totient + 2,
        totient - 4,
        0,
        -totient,
        public_key.n,
        public_key.n - 1,
        1,
        2,
    ):
        with pytest.raises(InvalidKeyError, match=r"^the totient does not belong to the public key$"):
            PaillierPrivateKey.from_totient(public_key, wrong)
    for no_int in (True, float(totient), str(totient), None):
        with pytest.raises(TypeError, match=rf"^totient must be an int, not {type(no_int).__name__}$"):
            PaillierPrivateKey.from_totient(public_key, no_int)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^public_key must be a PaillierPublicKey, not int$"):
        PaillierPrivateKey.from_totient(public_key.n, totient)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n", "told"),
    [(7, True), (8, True), (9, False), (10, True), ((1 << 16384) - 1, False), ((1 << 16384) + 1, True)],
    ids=lambda value: f"{value:x}"[:6],
)
def test_moduli_that_are_computed_with(n: int, told: bool) -> None:
    key = PaillierPublicKey(n)
    if told:
        with pytest.raises(
            InvalidKeyError, match=r"^n must be odd, above 8 and of at most 16384 bits to compute with$"
        ):
            _ = key._numbers
    else:
        assert key._numbers.n == n


def test_what_errors_call_a_thing() -> None:
    private_key = generate_paillier_keypair(n_length=256)[1]
    theirs = phe.PaillierPublicKey(private_key.public_key.n)
    assert name_of(5) == "int"
    assert name_of(private_key) == "vecphe.phe.private.PaillierPrivateKey"
    assert name_of(theirs) == "phe.paillier.PaillierPublicKey; vecphe.phe.PaillierPublicKey(key.n) makes one of it"
    assert name_of(Path("a")) == f"{type(Path('a')).__module__}.{type(Path('a')).__qualname__}"


def test_arrays_get_the_narrowest_scale_that_rounds_nothing() -> None:
    usual = (int(UNPACKED.max_abs) - 1).bit_length()
    key = PaillierPublicKey(3 * ((1 << usual + 200) + 1))  # n // 3 - 1 is 2^(usual + 200)
    tiny = 2.0**-200
    assert key._exact(np.array([1.0, tiny])) == FixedPoint(200, 1 << usual)
    for usual_scale in ([1.0, 0.5], [1.0, 2.0**-UNPACKED.fraction_bits], [1, 2]):
        assert key._exact(np.array(usual_scale)) is None
    assert key._exact(np.array([1.0, 2.0 ** -(UNPACKED.fraction_bits + 1)])) is not None
    with pytest.raises(PlaintextOverflowError, match=r"too different for one scale of a .*use a longer key"):
        PaillierPublicKey(key.n - 2)._exact(np.array([1.0, tiny]))
    wider = PaillierPublicKey(key.n << 20 | 1)
    for large in (2.0 ** (usual + 5), -(2.0 ** (usual + 5))):
        assert wider._exact(np.array([large, tiny])) == FixedPoint(200, 1 << usual + 6)
        assert wider._exact(np.array([tiny, large, 1.0])) == FixedPoint(200, 1 << usual + 6)
