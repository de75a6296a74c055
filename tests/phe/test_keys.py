"""Keys: the warning, the key ring, moving numbers between keys."""

from __future__ import annotations

import warnings

import pytest
from tests.phe.conftest import Sides

import vecphe.phe
from vecphe import InsecureKeyWarning, KeyMismatchError
from vecphe.phe import public


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
