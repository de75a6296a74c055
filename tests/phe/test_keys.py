"""Keys: the warning, the key ring, moving numbers between keys."""

from __future__ import annotations

import importlib.util
import secrets
import warnings
from pathlib import Path

import numpy as np
import phe
import pytest
from tests.phe.conftest import Sides

import vecphe.phe
from vecphe import InsecureKeyWarning, InvalidPlaintextError, KeyMismatchError, PublicKey
from vecphe.errors import InvalidKeyError, PlaintextOverflowError
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.phe import (
    EncodedNumber,
    EncryptedNumber,
    PaillierPrivateKey,
    PaillierPublicKey,
    generate_paillier_keypair,
    public,
)
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


@pytest.mark.parametrize("bad", [1.0, "15", None, b"1", 2.5 + 0j])
def test_h18_a_plaintext_of_the_scheme_is_an_int(sides: Sides, bad: object) -> None:
    number = sides.public.encrypt(1)
    for use in (lambda: sides.public.raw_encrypt(bad), lambda: number._raw_mul(bad)):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=f"^plaintext must be an int, not {type(bad).__name__}$"):
            use()


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
    assert private_key._key is private_key._key
    for x in (9, 10, 11, 1 + 7 * p, 2 + 7 * p):
        assert [private_key.l_function(x, y) for y in (3, p)] == [(x - 1) // 3, (x - 1) // p]
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
        (p + 1) * (q + 1),  # whose roots are -p and -q
    ):
        with pytest.raises(InvalidKeyError, match=r"^the totient does not belong to the public key$"):
            PaillierPrivateKey.from_totient(public_key, wrong)
    # Their own, of keys that are refused for another reason.
    for n, own, told in (
        (22, 10, "n must be odd"),
        (10007**2, 10006**2, "too close"),
        (35, 24, "too close"),
        (15, 8, "equal length"),
    ):
        with pytest.raises(InvalidKeyError, match=told):
            PaillierPrivateKey.from_totient(PaillierPublicKey(n), own)
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


def test_the_longest_way_that_an_exponent_can_be_lowered() -> None:
    public_key, private_key = generate_paillier_keypair(n_length=256)
    number = public_key.encrypt(1)
    for greatest, is_refused in ((16**3, False), (16**3 + 1, False), (16**3 - 1, True)):
        public_key.max_int = greatest
        if is_refused:
            with pytest.raises(InvalidPlaintextError, match=r"^exponents are too far apart for this key: nothing fits"):
                number.decrease_exponent_to(-3)
        else:
            assert private_key.raw_decrypt(number.decrease_exponent_to(-3).ciphertext()) == 16**3
        assert private_key.raw_decrypt(number.decrease_exponent_to(0).ciphertext()) == 1


def test_numbers_that_do_not_fit_at_the_lower_exponent(sides: Sides) -> None:
    number = sides.public.encrypt(1e-100)
    for use in (lambda: number + 10**60, lambda: number - 10**60, lambda: number._add_scalar(-(10**60))):
        with pytest.raises(InvalidPlaintextError, match=rf"does not fit: at exponent {number.exponent} it is beyond"):
            use()


def test_what_is_no_plain_number_divides_nothing(sides: Sides) -> None:
    number = sides.public.encrypt(6)
    for divisor in (number, EncodedNumber(sides.public, 2, 0), sides.public.encrypt(np.array([2.0]))):
        told = f"^an encrypted number can be divided by a plain number, not by an {type(divisor).__name__}$"
        with pytest.raises(TypeError, match=told):
            _ = number / divisor
    assert sides.private.decrypt(number / 4) == 1.5


def test_ciphertexts_of_ours_are_never_read_again(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those from outside once, when they are first computed with."""
    loaded = []
    load = PaillierPublicKey._loaded
    monkeypatch.setattr(PaillierPublicKey, "_loaded", lambda key, value: loaded.append(value) or load(key, value))
    x = sides.public.encrypt(1.5)
    y = ((x + x) * 3 - 1) / 2 + sides.public.encrypt(2, r_value=7)
    y.obfuscate()
    assert sides.private.decrypt(y) == 6
    assert not loaded
    monkeypatch.setattr(EncryptedNumber, "_EncryptedNumber__ciphertext", property(lambda _: pytest.fail("read")))
    assert sides.private.decrypt(y + x) == 7.5
    monkeypatch.undo()
    monkeypatch.setattr(PaillierPublicKey, "_loaded", lambda key, value: loaded.append(value) or load(key, value))
    outside = EncryptedNumber(sides.public, x.ciphertext(), x.exponent)
    assert sides.private.decrypt(outside) == 1.5
    assert not loaded
    for _ in range(3):
        assert sides.private.decrypt(outside * 2 + outside) == 4.5
    assert loaded == [x.ciphertext()]


def test_a_twin_of_a_key_may_compute_on_another_engine(sides: Sides) -> None:
    twin = PaillierPublicKey(sides.public.n)
    twin._context.key = PublicKey._from_numbers(PublicNumbers(twin.n), "textbook", "gmp")
    assert twin._ring is not sides.public._ring
    x, y = sides.public.encrypt(1.5), twin.encrypt(2)
    assert [sides.private.decrypt(total) for total in (x + y, y + x, y - x, y)] == [3.5, 3.5, 0.5, 2]
    assert (x + y).public_key is sides.public


def test_a_key_is_the_number_that_it_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else a pickle says."""
    key = PaillierPublicKey.__new__(PaillierPublicKey)
    assert repr(key) == "<PaillierPublicKey without n>"
    key.__setstate__({"n": 35, "g": 5, "nsquare": 7, "max_int": 3, "note": "kept"})
    assert (key.n, key.g, key.nsquare, key.max_int, key.note) == (35, 36, 35**2, 3, "kept")
    assert vars(key) == {"n": 35, "g": 36, "nsquare": 35**2, "max_int": 3, "note": "kept"}
    assert repr(key) == f"<PaillierPublicKey {hash(35):x}>"
    asked = []
    for drawn in (0, 33):
        monkeypatch.setattr(secrets, "randbelow", lambda most, drawn=drawn: asked.append(most) or drawn)
        assert key.get_random_lt_n() == drawn + 1
    assert asked == [34, 34]


@pytest.mark.parametrize(("bits", "scheme"), [(1022, "textbook"), (1023, "textbook"), (1024, "djn"), (1025, "djn")])
def test_who_has_textbook_randomizers(bits: int, scheme: str) -> None:
    assert PaillierPublicKey((1 << bits - 1) + 1)._key.randomizers == scheme


def test_nothing_was_warned_of_before_the_first_key() -> None:
    specification = importlib.util.find_spec(public.__name__)
    assert specification is not None
    assert specification.loader is not None
    anew = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(anew)
    with pytest.warns(InsecureKeyWarning, match=r"^a 4-bit Paillier key is insecure: for tests only \(shown once\)$"):
        anew.PaillierPublicKey(15)


def test_integers_of_any_size_have_the_usual_scale(sides: Sides) -> None:
    for values in (np.array([2**63 - 1, -(2**63)]), np.array([2**100], dtype=object), np.array([2**64 - 1], np.uint64)):
        assert sides.public._exact(values) is None
    assert sides.public._exact(np.array([2.0**-112, 2.0**63])) is None
    assert sides.public._exact(np.array([2.0**-113, 1.0])) == FixedPoint(116, 2**64)
    assert sides.public._exact(np.array([2.0**-112, 2.0**65])) == FixedPoint(112, 2**66)
