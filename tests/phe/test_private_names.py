"""What scripts take from phe's objects by private names: what phe holds there, or nothing (HAZARDS rows 14, 39, 73)."""

from __future__ import annotations

import copy
import importlib
import io
import pickle
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import phe
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.phe.conftest import Sides

import vecphe
import vecphe.phe
from vecphe import InvalidKeyError, InvalidPlaintextError, PlaintextOverflowError, SerializationError

CIPHERTEXT, OBFUSCATED = "_EncryptedNumber__ciphertext", "_EncryptedNumber__is_obfuscated"


def numbers(sides: Sides, r: int = 5) -> Iterator[tuple[Any, Any]]:
    """Numbers in every state, ours beside phe's: with a given randomizer the ciphertexts are the same integers."""
    ours, theirs = (key.encrypt(1.5, r_value=r) for key in (sides.public, sides.phe_public))
    yield ours, theirs
    for make in (
        lambda x: x + 2,
        lambda x: 3 - x,
        lambda x: x * -7,
        lambda x: x + x,
        lambda x: x.decrease_exponent_to(-20),
        copy.copy,
        copy.deepcopy,
    ):
        yield make(ours), make(theirs)
    yield vecphe.phe.EncryptedNumber(sides.public, 77, -3), phe.EncryptedNumber(sides.phe_public, 77, -3)


def test_h73_private_names_of_numbers(sides: Sides) -> None:
    for ours, theirs in list(numbers(sides)):
        for name in vars(theirs):
            if name != "public_key":
                assert getattr(ours, name) == getattr(theirs, name)
        assert ours.public_key.n == theirs.public_key.n
        ours.ciphertext()
        assert getattr(ours, CIPHERTEXT) == ours.ciphertext() == ours.ciphertext(be_secure=False)
        assert getattr(ours, OBFUSCATED) is True
        before = ours.ciphertext()
        ours.obfuscate()
        assert getattr(ours, CIPHERTEXT) == ours.ciphertext(be_secure=False) != before


def test_h73_what_is_held_is_never_stale_or_empty(sides: Sides) -> None:
    """In vars() a name has phe's value, or is not there; before and after anything is computed."""
    public, private = vecphe.phe.generate_paillier_keypair(n_length=256)
    phe_public = phe.PaillierPublicKey(public.n)
    phe_private = phe.PaillierPrivateKey(phe_public, private.p, private.q)
    for _ in range(2):
        assert vars(public) == vars(phe_public)
        assert vars(private).keys() == {"public_key"}
        for name in vars(phe_private).keys() - {"public_key"}:
            assert getattr(private, name) == getattr(phe_private, name)
        number, total = public.encrypt(5), public.encrypt(5) + 1
        for x in (number, total):
            assert vars(x).keys() == {"public_key", "exponent", OBFUSCATED}
            x.ciphertext()
            assert vars(x).keys() == {"public_key", "exponent", OBFUSCATED}
        ring = vecphe.phe.PaillierPrivateKeyring([private])
        assert vars(ring) == {"_PaillierPrivateKeyring__keyring": {public: private}}
        private.decrypt(total)
    encoded = vecphe.phe.EncodedNumber(public, 5, 0)
    assert vars(encoded) == {"public_key": public, "encoding": 5, "exponent": 0}
    for thing in (public, private, number, encoded, ring):
        with pytest.raises(AttributeError, match="_no_such_name"):
            _ = thing._no_such_name


def test_h73_a_ciphertext_can_be_put_in_by_its_private_name(sides: Sides) -> None:
    number, other = sides.public.encrypt(5), sides.public.encrypt(-7.5)
    number._EncryptedNumber__ciphertext = other.ciphertext()
    number.exponent = other.exponent
    assert sides.private.decrypt(number) == -7.5
    assert sides.private.decrypt(number + 1) == -6.5
    assert number.ciphertext() == other.ciphertext()


def test_h73_private_methods(sides: Sides) -> None:
    for module, public, private in (
        (vecphe.phe, sides.public, sides.private),
        (phe, sides.phe_public, sides.phe_private),
    ):
        x = public.encrypt(1.5)
        assert private.decrypt(x._add_scalar(2)) == 3.5
        assert private.decrypt(x._add_scalar(-0.25)) == 1.25
        assert private.decrypt(x._add_encoded(module.EncodedNumber.encode(public, 1e-9))) == 1.500000001
        assert private.decrypt(x._add_encrypted(x)) == 3
        assert private.raw_decrypt(x._raw_add(public.raw_encrypt(3), public.raw_encrypt(4))) == 7
        assert private.raw_decrypt(public.encrypt(5)._raw_mul(7)) == 35
        with pytest.raises(ValueError, match="key"):
            x._add_encoded(module.EncodedNumber(type(public)(public.n + 2), 1, 0))
    theirs = {name for kind in (phe.EncryptedNumber, phe.PaillierPublicKey) for name in vars(kind)}
    ours = {name for kind in (vecphe.phe.EncryptedNumber, vecphe.phe.PaillierPublicKey) for name in dir(kind)}
    assert {name for name in theirs if name.startswith("_") and not name.startswith("__")} <= ours


def test_h73_module_names() -> None:
    for name in ("__about__", "paillier", "encoding", "util", "command_line"):
        assert importlib.import_module(f"vecphe.phe.{name}") is getattr(vecphe.phe, name)
    for name in vecphe.phe.__about__.__all__:
        assert getattr(vecphe.phe.__about__, name) == getattr(phe.__about__, name) == getattr(vecphe.phe, name)
    for name in ("__author__", "__license__", "__copyright__"):  # they are phe's, not ours
        assert not hasattr(vecphe.phe, name)


# Copies and pickles ------------------------------------------------------------------------------------------------


class Tagged(vecphe.phe.EncryptedNumber):
    """A user's number."""


class OwnKey(vecphe.phe.PaillierPublicKey):
    """A user's key."""


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))}
COPIES |= {f"protocol {p}": lambda x, p=p: pickle.loads(pickle.dumps(x, protocol=p)) for p in range(5)}


@pytest.mark.parametrize("how", COPIES)
def test_what_a_user_set_survives_copies_and_pickles(sides: Sides, how: str) -> None:
    public = OwnKey(sides.public.n)
    public.max_int, public.label = 10**9, ["ward", 7]
    number = Tagged(public, sides.public.encrypt(5).ciphertext(), 0)
    number.note = {"unit": "mmol"}
    encoded = vecphe.phe.EncodedNumber(public, 5, -1)
    encoded.note = "kept"
    for phes in (phe.PaillierPublicKey(public.n), phe.EncryptedNumber(phe.PaillierPublicKey(public.n), 5)):
        phes.note = "kept"
        assert COPIES[how](phes).note == "kept"
    key, same, plain = COPIES[how](public), COPIES[how](number), COPIES[how](encoded)
    assert (type(key), type(same), type(plain)) == (OwnKey, Tagged, vecphe.phe.EncodedNumber)
    assert (key, key.max_int, key.label) == (public, 10**9, ["ward", 7])
    assert (same.note, same.public_key.label, plain.note) == ({"unit": "mmol"}, ["ward", 7], "kept")
    assert sides.private.decrypt(same + 1) == 6
    assert (same.note is number.note) == (how == "copy")
    key.max_int = 5
    assert public.max_int == 10**9
    same.exponent = -1
    assert number.exponent == 0


def test_deep_copies_share_what_they_shared(sides: Sides) -> None:
    x = sides.public.encrypt(5)
    key, one, two = copy.deepcopy([sides.public, x, x])
    assert one is two
    assert one.public_key is key
    assert key is not sides.public
    assert key._pool is sides.public._pool
    itself = sides.public.encrypt(1)
    itself.me = itself
    copied = copy.deepcopy(itself)
    assert copied.me is copied


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_of_private_keys_are_the_key(sides: Sides, duplicate: Any) -> None:
    assert duplicate(sides.private) is sides.private
    assert duplicate({"key": sides.private})["key"] is sides.private
    ring = duplicate(vecphe.phe.PaillierPrivateKeyring([sides.private]))
    assert ring.decrypt(sides.public.encrypt(4)) == 4


def test_h14_the_refusal_to_pickle_says_what_to_do(sides: Sides, tmp_path: Any) -> None:
    key = sides.private
    with pytest.raises(TypeError) as caught:
        pickle.dumps(key)
    for hint in (
        "vecphe.PrivateKey.from_phe(key).save(path)",
        ".to_jwk()",
        "vecphe.PrivateKey.from_phe(key).decrypt(array, n_jobs=-1)",
    ):
        assert hint in str(caught.value)
    ours = vecphe.PrivateKey.from_phe(key, insecure=True)
    ours.save(tmp_path / "key")
    assert vecphe.PrivateKey.load(tmp_path / "key", insecure=True) == ours
    assert vecphe.PrivateKey.from_jwk(ours.to_jwk(), insecure=True) == ours
    assert ours.decrypt(sides.public.encrypt(np.array([1.5])), n_jobs=1) == [1.5]
    assert not any(str(prime) in str(caught.value) for prime in (key.p, key.q))


# Objects and pickles of phe ----------------------------------------------------------------------------------------


@pytest.fixture
def alias(monkeypatch: pytest.MonkeyPatch) -> None:
    """As scripts do it: the name of the package alone."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "phe"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "phe", vecphe.phe)
    kept = dict(vars(vecphe.phe))  # an import of phe.paillier puts what it finds into its parent
    yield
    vars(vecphe.phe).update(kept)
    for name in [name for name in sys.modules if name.partition(".")[0] == "phe"]:
        sys.modules.pop(name, None)


def pickled_by_phe(sides: Sides) -> bytes:
    public, private = sides.phe_public, sides.phe_private
    number = public.encrypt(2.5) * 2
    number.note = "theirs"
    encoded = phe.EncodedNumber.encode(public, -1.25)
    return pickle.dumps([public, private, number, encoded, phe.PaillierPrivateKeyring([private])])


def test_pickles_of_phe(sides: Sides, request: pytest.FixtureRequest) -> None:
    data = pickled_by_phe(sides)
    hostile = phe.EncryptedNumber(sides.phe_public, sides.phe_private.p)
    marked = copy.copy(sides.phe_private)
    marked.note = "theirs"
    broken = copy.copy(sides.phe_private)
    broken.p += 2
    others = [pickle.dumps(hostile), pickle.dumps(broken), pickle.dumps(marked)]
    request.getfixturevalue("alias")
    public, private, number, encoded, ring = pickle.loads(data)
    assert type(public) is vecphe.phe.PaillierPublicKey
    assert vars(public) == vars(sides.public)
    assert type(encoded) is vecphe.phe.EncodedNumber
    assert (private.decrypt(number), number.note, encoded.decode()) == (5.0, "theirs", -1.25)
    assert ring.decrypt(number + encoded) == 3.75
    before = getattr(number, CIPHERTEXT)
    assert number.ciphertext() != before  # it was not obfuscated
    with pytest.raises(vecphe.InvalidCiphertextError):
        _ = pickle.loads(others[0]) + 1
    with pytest.raises(InvalidKeyError):
        pickle.loads(others[1])
    assert vars(pickle.loads(others[2])) == {"public_key": public, "note": "theirs"}


def test_our_pickles_hold_what_phes_hold(sides: Sides) -> None:
    """So that a reader of either form needs to know one."""
    number = sides.public.encrypt(2.5) + 1
    assert number.__getstate__().keys() == {*vars(sides.phe_public.encrypt(1)), "_base"}
    assert sides.public.__getstate__() == vars(sides.phe_public)
    theirs = phe.EncryptedNumber.__new__(phe.EncryptedNumber)
    vars(theirs).update(number.__getstate__(), public_key=sides.phe_public)
    assert sides.phe_private.decrypt(theirs) == 3.5


def test_h13_errors_tell_phes_objects_from_the_facades(sides: Sides) -> None:
    number, encoded = sides.phe_public.encrypt(5), phe.EncodedNumber(sides.phe_public, 5, 0)
    ring = vecphe.phe.PaillierPrivateKeyring([sides.private])
    x = sides.public.encrypt(1)
    makes_number = "phe.paillier.EncryptedNumber; vecphe.phe.EncryptedNumber(public_key, number.ciphertext(), number.ex"
    makes_encoded = "phe.encoding.EncodedNumber; vecphe.phe.EncodedNumber(public_key, number.encoding, number.exponent)"
    makes_public = "phe.paillier.PaillierPublicKey; vecphe.phe.PaillierPublicKey(key.n)"
    makes_private = "phe.paillier.PaillierPrivateKey; vecphe.phe.PaillierPrivateKey(public_key, key.p, key.q)"
    for use, text in (
        (lambda: sides.private.decrypt(number), makes_number),
        (lambda: sides.private.decrypt_encoded(number), makes_number),
        (lambda: ring.decrypt(number), makes_number),
        (lambda: x + number, makes_number),
        (lambda: x - number, makes_number),
        (lambda: x * number, makes_number),
        (lambda: sides.public.encrypt(number), makes_number),
        (lambda: x + encoded, makes_encoded),
        (lambda: sides.public.encrypt(encoded), makes_encoded),
        (lambda: vecphe.phe.EncryptedNumber(sides.phe_public, 5), makes_public),
        (lambda: vecphe.phe.PaillierPrivateKey(sides.phe_public, 3, 5), makes_public),
        (lambda: vecphe.phe.PaillierPrivateKey.from_totient(sides.phe_public, 8), makes_public),
        (lambda: vecphe.phe.PaillierPublicKey(sides.phe_public), makes_public),
        (lambda: ring.add(sides.phe_private), makes_private),
    ):
        with pytest.raises(TypeError) as caught:
            use()
        assert text in str(caught.value)
    # What they tell to type.
    public_key, key = vecphe.phe.PaillierPublicKey(sides.phe_public.n), sides.phe_private
    private = vecphe.phe.PaillierPrivateKey(public_key, key.p, key.q)
    assert private.decrypt(vecphe.phe.EncryptedNumber(public_key, number.ciphertext(), number.exponent)) == 5
    assert vecphe.phe.EncodedNumber(public_key, encoded.encoding, encoded.exponent).decode() == 5
    for use, text in (
        (lambda: vecphe.PrivateKey(sides.phe_public, key.p, key.q), "PublicKey.from_phe(key) makes one"),
        (
            lambda: vecphe.PrivateKey.from_phe(key, insecure=True).decrypt([number]),
            "vecphe.from_phe(public_key, numbers) makes one",
        ),
    ):
        with pytest.raises(TypeError) as caught:
            use()
        assert text in str(caught.value)


# Bases -------------------------------------------------------------------------------------------------------------


class Ten(vecphe.phe.EncodedNumber):
    BASE = 10
    LOG2_BASE = 3.321928094887362


def test_another_base(sides: Sides) -> None:
    public, private = sides.public, sides.private
    encrypt = lambda v: public.encrypt(Ten.encode(public, v))  # noqa: E731
    x = encrypt(2.17)
    for made, value in (
        (x + encrypt(1e-6), 2.17 + 1e-6),
        (encrypt(1e-6) + x, 2.17 + 1e-6),
        (x + 1e-6, 2.17 + 1e-6),
        (1e-6 - x, 1e-6 - 2.17),
        (x - encrypt(1e6), 2.17 - 1e6),
        (x + public.encrypt(5), 7.17),  # exponent 0: of any base
        (public.encrypt(5) + x, 7.17),
        (x * 2.5, 2.17 * 2.5),
        (x * Ten.encode(public, 0.1), 0.217),
        (x / 4, 2.17 / 4),
        (x.decrease_exponent_to(-40), 2.17),
        (sum([x, x, encrypt(1e-9)]), 4.34 + 1e-9),
        (copy.deepcopy(x) + encrypt(1e-6), 2.17 + 1e-6),
        (pickle.loads(pickle.dumps(x)) + encrypt(1e-6), 2.17 + 1e-6),
    ):
        assert private.decrypt(made) == pytest.approx(value, rel=1e-14)
        assert private.decrypt_encoded(made, Ten).decode() == pytest.approx(value, rel=1e-14)
    sixteen = public.encrypt(2.5)
    for use in (
        lambda: x + sixteen,
        lambda: sixteen + x,
        lambda: x - sixteen,
        lambda: sixteen * Ten.encode(public, 0.1),
        lambda: sixteen + Ten.encode(public, 0.1),
        lambda: private.decrypt_encoded(x, vecphe.phe.EncodedNumber),
        lambda: private.decrypt_encoded(sixteen, Ten),
    ):
        with pytest.raises(InvalidPlaintextError, match=r"base 1[06].* and .*base 1[06]"):
            use()
    key = vecphe.PublicKey.from_phe(public, insecure=True)
    with pytest.raises(SerializationError, match="BASE other than 16"):
        vecphe.from_phe(key, [x])
    # From outside a base is not told: who reads it says.
    received = vecphe.phe.EncryptedNumber(public, x.ciphertext(), x.exponent)
    assert private.decrypt_encoded(received, Ten).decode() == 2.17
    assert private.decrypt_encoded(received + Ten.encode(public, 1e-6), Ten).decode() == pytest.approx(2.17 + 1e-6)


KINDS = {10: Ten, 16: vecphe.phe.EncodedNumber}
SAID = [(base, exponent) for base in (10, 16, None) for exponent in (-2, 0)]  # None: it came from outside


def said(sides: Sides, base: int | None, exponent: int) -> Any:
    number = sides.public.encrypt(KINDS[base or 10](sides.public, 3, exponent))
    return number if base else vecphe.phe.EncryptedNumber(sides.public, number.ciphertext(), exponent)


@pytest.mark.parametrize("one", SAID)
@pytest.mark.parametrize("other", SAID)
def test_bases_of_sums(sides: Sides, one: tuple[int | None, int], other: tuple[int | None, int]) -> None:
    """At exponent 0 a base says nothing; where none is known, what is lowered is lowered in that of phe."""
    x, addends = said(sides, *one), [(said(sides, *other), 1)]
    if other[0]:
        encoded = KINDS[other[0]](sides.public, 3, other[1])
        addends += [(encoded, 1), (encoded, -1)]
    known = {base for base, exponent in (one, other) if base and exponent}
    base = max(known, default=None if one[1] == other[1] else 16)
    lower = min(one[1], other[1])
    for addend, sign in addends:
        if len(known) == 2:
            with pytest.raises(InvalidPlaintextError, match=rf"^numbers of base {one[0]} and base {other[0]} have no"):
                _ = x + addend if sign > 0 else x - addend
            continue
        total = x + addend if sign > 0 else x - addend
        assert (total.exponent, total._known_base()) == (lower, base if lower else None)
        mantissas = [3 * (base or 1) ** (exponent - lower) for _, exponent in (one, other)]
        raw = sides.private.raw_decrypt(total.ciphertext())
        assert raw == (mantissas[0] + sign * mantissas[1]) % sides.public.n


def test_bases_of_products(sides: Sides) -> None:
    public, private = sides.public, sides.private
    five, outside = public.encrypt(5), said(sides, None, -2)
    assert private.decrypt_encoded(five * Ten.encode(public, 0.5), Ten).decode() == 2.5
    assert private.decrypt(five * Ten.encode(public, 0.5) + Ten.encode(public, 0.25)) == 2.75
    assert (outside * 3)._base is None
    assert (outside * Ten.encode(public, 0.5))._base == 10
    assert "_base" not in outside.__getstate__()
    assert [said(sides, base, -2).__getstate__()["_base"] for base in KINDS] == [10, 16]


class Two(vecphe.phe.EncodedNumber):
    BASE = 2
    LOG2_BASE = 1.0


def test_an_exponent_of_base_two_is_lowered_by_one(sides: Sides) -> None:
    x = sides.public.encrypt(Two(sides.public, 3, -1))
    assert sides.private.decrypt(x.decrease_exponent_to(-2)) == 1.5
    assert sides.private.raw_decrypt(x.decrease_exponent_to(-2).ciphertext()) == 6


MIDDLING = st.one_of(st.just(0.0), st.floats(1e-30, 1e9), st.floats(-1e9, -1e-30))  # a sum of them fits the key


@pytest.mark.fuzz
@given(a=MIDDLING, b=MIDDLING, base=st.sampled_from([2, 3, 7, 10, 16, 64, 1000]))
def test_sums_in_any_base(sides: Sides, a: float, b: float, base: int) -> None:
    kind = type("Kind", (vecphe.phe.EncodedNumber,), {"BASE": base, "LOG2_BASE": np.log2(base).item()})
    x, y = (sides.public.encrypt(kind.encode(sides.public, v)) for v in (a, b))
    total = sides.private.decrypt(x + y)
    assert total == pytest.approx(a + b, rel=1e-12, abs=1e-12 * max(abs(a), abs(b)))


# Arrays ------------------------------------------------------------------------------------------------------------

EXTREMES = [4e-40, 1e-20, 0.1, 5e-324, 2.0**-112, 2.0**-113, 1e25, -3.3e30, 2.0**64, 2.0**65]


@pytest.mark.parametrize("value", EXTREMES)
def test_arrays_keep_the_precision_of_single_numbers(value: float) -> None:
    public, private = vecphe.phe.generate_paillier_keypair(n_length=1536)
    x = np.array([value, -value, 1.5, 0.0])
    assert private.decrypt(public.encrypt(x)).tolist() == x.tolist()
    assert [private.decrypt(public.encrypt(v)) for v in x.tolist()] == x.tolist()


def test_arrays_that_no_scale_holds_are_refused(sides: Sides) -> None:
    x = np.array([1e-300, 1.0])
    with pytest.raises(PlaintextOverflowError, match=r"one by one.*or use a longer key") as caught:
        sides.public.encrypt(x)
    assert "1e-300" not in str(caught.value)
    assert [sides.private.decrypt(sides.public.encrypt(v)) for v in x.tolist()] == x.tolist()
    for small in (np.float32(1e-30), np.float16(6e-8)):
        assert sides.private.decrypt(sides.public.encrypt(np.array([small]))) == [float(small)]
    with pytest.raises(InvalidPlaintextError):
        sides.public.encrypt(np.array([1e-40, np.nan]))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of numpy, for its matrices
def test_arrays_of_objects_and_of_other_classes_are_as_exact() -> None:
    public, private = vecphe.phe.generate_paillier_keypair(n_length=1536)
    for values in ([4e-40, 0.5], [4e-40, 2**70], [1e200], [2**300, -3], [-(2**300)], [2**64, 2**176], [-(2**176) - 1]):
        x = np.array(values, dtype=object)
        assert private.decrypt(public.encrypt(x)).tolist() == values
        assert [private.decrypt(public.encrypt(v)) for v in values] == values
    assert private.decrypt(public.encrypt(np.asmatrix([4e-40, 1.0]))).tolist() == [[4e-40, 1.0]]
    with pytest.raises(TypeError, match=r"is a masked array; fill it first: value\.filled\(value\)"):
        public.encrypt(np.ma.masked_array([1.0], [True]))
    with pytest.raises(PlaintextOverflowError, match="use a longer key"):
        public.encrypt(np.array([2 ** public.n.bit_length()], dtype=object))


def test_packed_arrays(sides: Sides) -> None:
    x = np.arange(6.0).reshape(2, 3) / 4
    c = sides.public.encrypt(x, packed=True)
    assert c.packed
    assert c.n_ciphertexts < x.size
    assert sides.private.decrypt(c + c).tolist() == (2 * x).tolist()
    assert not sides.public.encrypt(x, packed=False).packed
    for value in (1.5, 3, [1.5], vecphe.phe.EncodedNumber(sides.public, 5, 0)):
        with pytest.raises(TypeError, match=r"packed=True is for arrays.*numpy\.array"):
            sides.public.encrypt(value, packed=True)
    with pytest.raises(TypeError, match="without precision and r_value"):
        sides.public.encrypt(x, r_value=5, packed=True)


@pytest.mark.parametrize("r_value", [True, False, 5.0, "5", np.int64(5)])
def test_h23_r_value_is_an_int(sides: Sides, r_value: Any) -> None:
    encoded = vecphe.phe.EncodedNumber(sides.public, 5, 0)
    for use in (
        lambda: sides.public.raw_encrypt(5, r_value=r_value),
        lambda: sides.public.encrypt(5, r_value=r_value),
        lambda: sides.public.encrypt_encoded(encoded, r_value),
    ):
        with pytest.raises(TypeError, match="r_value must be an int"):
            use()
    assert sides.public.raw_encrypt(5, r_value=7) == sides.phe_public.raw_encrypt(5, r_value=7)


def test_a_pickle_of_ours_is_read_by_name_alone(sides: Sides) -> None:
    """It names no function of ours: state, as phe's."""
    stream = io.BytesIO()
    pickle.dump(sides.public.encrypt(5), stream)
    assert b"__ciphertext" in stream.getvalue()
