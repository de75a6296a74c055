"""Keys and arrays as bytes, JSON, files and pickles: what goes in comes out, and nothing leaves that should not."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from tests.toys import toy_keypair

import vecphe
from vecphe import (
    EncryptedArray,
    FixedPoint,
    KeyMismatchError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
    SerializationError,
)
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.serialization import frame_from_json, public_number_from_frame
from vecphe.serialization import passphrase as sealing
from vecphe.serialization.fields import Number

Keypair = tuple[PublicKey, PrivateKey]
X = np.array([[1.5, -2.25, 0.0], [1e-9, -(2.0**40), 3.0]])

ARRAYS: dict[str, Callable[[PublicKey], EncryptedArray]] = {
    "floats": lambda key: key.encrypt(X),
    "integers": lambda key: key.encrypt(np.arange(-3, 4)),
    "scalar": lambda key: key.encrypt(0.1),
    "empty": lambda key: key.encrypt(np.zeros((0, 3))),
    "packed": lambda key: key.encrypt(np.linspace(-5, 5, 24).reshape(2, 3, 4), packed=True),
    "packed integers": lambda key: key.encrypt(np.arange(-9, 9), packed=True),
    "packed sum": lambda key: key.encrypt([1.0, 2.0], packed=True) * -3 + key.encrypt([1.0, 2.0], packed=True),
    "product": lambda key: key.encrypt(X / 2**40) * 0.1 * -3.3 + 17.7,
    "zero product": lambda key: key.encrypt(X) * 0,
    "matrix": lambda key: np.array([[0.1, 0.7], [2.0, -3.0]]) @ key.encrypt(X),
    "sum": lambda key: key.encrypt(X).sum(axis=1),
    "no terms": lambda key: key.encrypt(np.zeros((2, 0))).sum(axis=1),
    "odd encoding": lambda key: key.encrypt([0.3], encoding=FixedPoint(20, 0.7, 1)),
    "big encoding": lambda key: key.encrypt([3], encoding=FixedPoint(0, 3**80, 1)),
    "many dimensions": lambda key: key.encrypt(np.ones((1,) * 32)),
}


@pytest.fixture(params=ARRAYS)
def array(request: pytest.FixtureRequest, public_key: PublicKey) -> EncryptedArray:
    return ARRAYS[request.param](public_key)


def ways(public_key: PublicKey, path: Path) -> dict[str, Callable[[EncryptedArray], EncryptedArray]]:
    def file(name: str) -> Callable[[EncryptedArray], EncryptedArray]:
        def there_and_back(array: EncryptedArray) -> EncryptedArray:
            array.save(path / name)
            return EncryptedArray.load(public_key, path / name)

        return there_and_back

    return {
        "bytes": lambda array: EncryptedArray.from_bytes(public_key, array.to_bytes()),
        "json": lambda array: EncryptedArray.from_json(public_key, array.to_json()),
        "file": file("array"),
        "json file": file("array.JSON"),
        "pickle": lambda array: pickle.loads(pickle.dumps(array)),
    }


@pytest.mark.parametrize("way", ["bytes", "json", "file", "json file", "pickle"])
def test_arrays_come_back(array: EncryptedArray, keypair: Keypair, tmp_path: Path, way: str) -> None:
    public_key, private_key = keypair
    again = ways(public_key, tmp_path)[way](array)
    assert again.shape == array.shape
    assert again.format == array.format
    assert not again.is_fresh
    plain, wanted = private_key.decrypt(again), private_key.decrypt(array)
    assert plain.dtype == wanted.dtype
    np.testing.assert_array_equal(plain, wanted)
    if array.size:
        assert type(again) is EncryptedArray
        np.testing.assert_array_equal(private_key.decrypt(again + again), 2 * wanted)


def test_the_form_is_canonical(array: EncryptedArray, public_key: PublicKey) -> None:
    data = array.to_bytes(rerandomize=False)
    again = EncryptedArray.from_bytes(public_key, data)
    assert again.to_bytes(rerandomize=False) == data
    text = EncryptedArray.from_json(public_key, again.to_json(rerandomize=False)).to_json(rerandomize=False)
    assert text == again.to_json(rerandomize=False)


@pytest.mark.parametrize("name", ["scalar", "floats", "packed", "product", "packed sum", "odd encoding"])
def test_size(public_key: PublicKey, secure_keypair: Keypair, name: str) -> None:
    for key in (public_key, secure_keypair[0]):
        array = ARRAYS[name](key)
        assert len(array.to_bytes()) <= 128 + array.nbytes_canonical + 8 * array.ndim
    # What makes the bound as long as it gets.
    long = secure_keypair[0].encrypt([1.0]) * 3**1000 + 0.7
    assert long.bound.bit_length() > 1000
    assert long.bound % 2**500
    assert len(long.to_bytes()) <= 128 + 512 + 8
    # And max_abs.
    for packed in (False, True):
        long = secure_keypair[0].encrypt([1], encoding=FixedPoint(0, (2**128 - 1) << 900, 1), packed=packed)
        assert len(long.to_bytes()) <= 128 + 512 + 8
        longer = secure_keypair[0].encrypt([1], encoding=FixedPoint(0, 2**128 + 1, 1), packed=packed)
        with pytest.raises(SerializationError, match="power of two"):
            longer.to_bytes()


def test_a_long_bound_is_rounded_up(secure_keypair: Keypair) -> None:
    public_key, private_key = secure_keypair
    c = public_key.encrypt([3], encoding=FixedPoint(0, 5, 1)) * 3**1000
    again = EncryptedArray.from_bytes(public_key, c.to_bytes())
    assert c.bound < again.bound <= c.bound + (c.bound >> 127)
    assert private_key.decrypt(again * 1).tolist() == private_key.decrypt(c).tolist()


def test_a_bound_at_the_limit_stays_there(keypair: Keypair) -> None:
    public_key, private_key = keypair
    limit = public_key.n // 3 - 1
    encoding = FixedPoint(0, 1, 1)
    c = public_key.encrypt([1], encoding=encoding) * limit
    assert c.bound == limit
    again = EncryptedArray.from_bytes(public_key, c.to_bytes())
    assert again.bound == limit
    assert private_key.decrypt(again)[0] == limit
    with pytest.raises(PlaintextOverflowError):
        again + 1


@pytest.mark.parametrize(
    "value", [0, 1, 2, 7, 2**127 + 1, 2**128 - 1, 2**128 + 1, 3**200, 2**500 - 1, 0.5, 0.1, 5e-324]
)
def test_numbers(value: float) -> None:
    number = Number.of(value)
    assert number.mantissa * 2**number.exponent == value if value != 5e-324 else number == Number(1, -1074)
    assert number.mantissa % 2 == 1 or number == Number(0, 0)
    if isinstance(value, int):
        rounded = Number.at_least(value)
        assert value <= rounded.integer <= value + (value >> 127)
        assert rounded.mantissa.bit_length() <= 128
        assert Number.at_least(rounded.integer) == rounded


def test_what_has_no_room_is_refused_before_anything_leaves(public_key: PublicKey) -> None:
    c = public_key.encrypt([1.0], encoding=FixedPoint(0, 1, 1))
    fine = c
    for _ in range(1000):
        fine = fine * 2.0**-1072
    many = c * 1
    object.__setattr__(many, "_format", c.format.__class__(c.encoding, 0, 1, None, False, 1 << 64))
    refused = [(fine, "scale"), (many, "terms")]
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":  # before, no array has more than 32 dimensions
        refused.append((c.reshape((1,) * 33), "32 dimensions"))
    for array, text in refused:
        with pytest.raises(SerializationError, match=text):
            array.to_bytes()
    assert c.is_fresh


# Freshness ---------------------------------------------------------------------------------------------------------


class Counting:
    """Stands before a ring and counts the products of ciphertexts."""

    def __init__(self, ring: Any) -> None:
        self.ring, self.products = ring, 0

    def __getattr__(self, name: str) -> Any:
        if name in ("multiply", "multiply_plain", "power_vartime", "product"):
            self.products += 1
        return getattr(self.ring, name)


@pytest.mark.parametrize("leave", [EncryptedArray.to_bytes, EncryptedArray.to_json, pickle.dumps])
def test_h39_fresh_arrays_cost_nothing(monkeypatch: pytest.MonkeyPatch, keypair: Keypair, leave: Any) -> None:
    public_key = PublicKey(keypair[0].n, insecure=True)
    c = public_key.encrypt([1.0, 2.0]) + public_key.encrypt([3.0, 4.0])
    d = public_key.encrypt([1.0, 2.0]) - public_key.encrypt([3.0, 4.0]) * 2
    d = d * 1
    counting = Counting(public_key._context.ring)
    object.__setattr__(public_key._context, "ring", counting)
    leave(c)
    assert counting.products == 0
    leave(c)
    assert counting.products == 0
    leave(d)
    assert counting.products > 0


@pytest.mark.parametrize("leave", ["to_bytes", "to_json", "save", "pickle"])
@pytest.mark.parametrize("bare", [lambda c: c - c, lambda c: c * 0], ids=["c - c", "c * 0"])
def test_h39_the_bare_one_never_leaves(public_key: PublicKey, tmp_path: Path, leave: str, bare: Any) -> None:
    array = bare(public_key.encrypt([1.0, 5.0]))
    # A copy for one trusted place does not make the array fit for others.
    array.to_bytes(rerandomize=False)
    again = {
        "to_bytes": lambda: EncryptedArray.from_bytes(public_key, array.to_bytes()),
        "to_json": lambda: EncryptedArray.from_json(public_key, array.to_json()),
        "save": lambda: (array.save(tmp_path / "a"), EncryptedArray.load(public_key, tmp_path / "a"))[1],
        "pickle": lambda: pickle.loads(pickle.dumps(array)),
    }[leave]()
    ring = public_key._context.ring
    assert set(ring.store(array.residues)) == {1}
    sent = ring.store(again.residues)
    assert 1 not in sent
    assert len(set(sent)) == 2


def test_h39_the_caller_can_say_otherwise(public_key: PublicKey, tmp_path: Path) -> None:
    array = public_key.encrypt([1.0]) * 0
    path = tmp_path / "array.json"
    array.save(path, rerandomize=False)
    for again in (
        EncryptedArray.from_bytes(public_key, array.to_bytes(rerandomize=False)),
        EncryptedArray.from_json(public_key, array.to_json(rerandomize=False)),
        EncryptedArray.load(public_key, path),
    ):
        assert public_key._context.ring.store(again.residues) == [1]


def test_h39_what_shares_a_nonce_with_what_left_is_rerandomised(public_key: PublicKey) -> None:
    c = public_key.encrypt([1.0])
    d = c + 5.0
    first = EncryptedArray.from_bytes(public_key, c.to_bytes())
    second = EncryptedArray.from_bytes(public_key, d.to_bytes())
    store, n = public_key._context.ring.store, public_key.n
    quotient = store(second.residues)[0] * pow(store(first.residues)[0], -1, n * n) % (n * n)
    assert quotient % n != 1
    assert c.to_bytes() == c.to_bytes()  # it has left already


# Copies, pickles, workers ------------------------------------------------------------------------------------------


def test_copies_in_the_process_share(public_key: PublicKey) -> None:
    c = public_key.encrypt([1.0])
    for duplicate in (copy.copy, copy.deepcopy):
        assert duplicate(c)._freshness is c._freshness
        assert duplicate(c)._residues is c._residues
        assert duplicate(public_key) is public_key
    c.to_bytes()
    assert copy.copy(c)._exported


def test_pickled_arrays_share_a_key(keypair: Keypair) -> None:
    public_key = PublicKey(keypair[0].n, insecure=True, randomizers="textbook")
    key, one, two = pickle.loads(pickle.dumps([public_key, public_key.encrypt([1.0]), public_key.encrypt([2.0])]))
    assert key == public_key
    assert key.randomizers == "textbook"
    assert one.public_key is two.public_key is key
    assert keypair[1].decrypt(one + two).tolist() == [3.0]


def test_pickles_are_validated(public_key: PublicKey, toy: Keypair) -> None:
    c = public_key.encrypt([1.0])
    data = pickle.dumps(c)
    residue = public_key._context.ring.store_bytes(c.residues)
    assert residue in data
    with pytest.raises(SerializationError):
        pickle.loads(data.replace(residue, bytes(len(residue))))
    with pytest.raises(vecphe.InvalidKeyError):
        pickle.loads(pickle.dumps(toy[0]))


def _double(array: EncryptedArray) -> EncryptedArray:
    return array + array


def test_joblib_workers_take_and_give_arrays(keypair: Keypair) -> None:
    public_key, private_key = keypair
    arrays = [public_key.encrypt([i, -i]) for i in range(3)]
    with joblib.parallel_config(backend="loky", n_jobs=2):
        doubled = joblib.Parallel()(joblib.delayed(_double)(array) for array in arrays)
    assert [private_key.decrypt(array).tolist() for array in doubled] == [[2 * i, -2 * i] for i in range(3)]


def test_joblib_dump(keypair: Keypair, tmp_path: Path) -> None:
    joblib.dump({"key": keypair[0], "c": keypair[0].encrypt([1.5])}, tmp_path / "dump")
    again = joblib.load(tmp_path / "dump")
    assert again["key"] == keypair[0]
    assert keypair[1].decrypt(again["c"]).tolist() == [1.5]


def test_dumping_does_not_consult_n_jobs(public_key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    array = public_key.encrypt(np.ones(1000)) * 2

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("parallel work asked for")

    monkeypatch.setattr("vecphe.system.parallel.run_tasks", fail)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        pickle.loads(pickle.dumps(array))


# Keys --------------------------------------------------------------------------------------------------------------


def test_public_keys_come_back(public_key: PublicKey, tmp_path: Path) -> None:
    public_key.save(tmp_path / "key")
    public_key.save(tmp_path / "key.json")
    assert json.loads((tmp_path / "key.json").read_text())["kind"] == "public key"
    for again in (
        PublicKey.from_bytes(public_key.to_bytes(), insecure=True),
        PublicKey.from_json(public_key.to_json(), insecure=True, randomizers="textbook"),
        PublicKey.load(tmp_path / "key", insecure=True),
        PublicKey.load(str(tmp_path / "key.json"), insecure=True),
    ):
        assert again == public_key
    (tmp_path / "key").rename(tmp_path / "renamed.json")  # the content tells, not the name
    assert PublicKey.load(tmp_path / "renamed.json", insecure=True) == public_key


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scrypt at its least cost."""
    monkeypatch.setattr(sealing, "LOG2_N", 10)


@pytest.mark.parametrize("passphrase", [None, "pässword", b"\xff\x00"])
@pytest.mark.usefixtures("quick")
def test_private_keys_come_back(keypair: Keypair, tmp_path: Path, passphrase: str | bytes | None) -> None:
    _, private_key = keypair
    for name in ("key", "key.json"):
        private_key.save(tmp_path / name, passphrase=passphrase)
        again = PrivateKey.load(tmp_path / name, passphrase=passphrase, insecure=True)
        assert (again.p, again.q) == (private_key.p, private_key.q)
        assert again.decrypt(keypair[0].encrypt([2.5])).tolist() == [2.5]
    data = private_key.to_bytes(passphrase=passphrase)
    assert PrivateKey.from_bytes(data, passphrase=passphrase, insecure=True) == private_key
    text = private_key.to_json(passphrase=passphrase)
    assert PrivateKey.from_json(text, passphrase=passphrase, insecure=True) == private_key
    for secret in (private_key.p, private_key.q):
        assert (secret.to_bytes(32, "little") in data) == (passphrase is None)


def test_the_default_cost_of_a_passphrase(private_key: PrivateKey) -> None:
    data = private_key.to_bytes(passphrase="long enough")
    assert tuple(data[26:29]) == (17, 8, 1)
    assert PrivateKey.from_bytes(data, passphrase=b"long enough", insecure=True) == private_key


@pytest.mark.usefixtures("quick")
def test_the_same_key_is_never_sealed_alike(private_key: PrivateKey) -> None:
    sealed = [private_key.to_bytes(passphrase="x") for _ in range(20)]
    assert len({data[29:45] for data in sealed}) == len({data[45:57] for data in sealed}) == 20


@pytest.mark.usefixtures("quick")
def test_passphrases_that_do_not_fit(private_key: PrivateKey) -> None:
    sealed, plain = private_key.to_bytes(passphrase="right"), private_key.to_bytes()
    texts = set()
    for wrong in ("wrong", b"Right", "right "):
        with pytest.raises(SerializationError) as caught:
            PrivateKey.from_bytes(sealed, passphrase=wrong, insecure=True)
        texts.add(str(caught.value))
    assert texts == {"wrong passphrase, or the file was altered"}
    with pytest.raises(SerializationError, match="pass its passphrase"):
        PrivateKey.from_bytes(sealed, insecure=True)
    with pytest.raises(SerializationError, match="not encrypted"):
        PrivateKey.from_bytes(plain, passphrase="right", insecure=True)
    for dump in (private_key.to_bytes, private_key.to_json):
        with pytest.raises(ValueError, match="empty"):
            dump(passphrase="")
        with pytest.raises(TypeError, match="str or bytes"):
            dump(passphrase=5)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="UTF-8"):
            dump(passphrase="\ud800")
    with pytest.raises(ValueError, match="empty"):
        PrivateKey.from_bytes(sealed, passphrase=b"", insecure=True)


def test_short_keys_need_insecure(keypair: Keypair) -> None:
    for load in (
        lambda **options: PublicKey.from_bytes(keypair[0].to_bytes(), **options),
        lambda **options: PublicKey.from_json(keypair[0].to_json(), **options),
        lambda **options: PrivateKey.from_bytes(keypair[1].to_bytes(), **options),
        lambda **options: PrivateKey.from_json(keypair[1].to_json(), **options),
    ):
        with pytest.raises(vecphe.InvalidKeyError, match="insecure=True"):
            load()
        with pytest.warns(vecphe.InsecureKeyWarning):
            load(insecure=True)


def test_h38_8192_bits_through_json() -> None:
    # No key, but a number of that length, whose square has more than 4300 digits.
    key = PublicKey._from_numbers(PublicNumbers(3**5168), "textbook")
    assert key.key_length == 8192
    assert public_number_from_frame(frame_from_json(key.to_json())) == key.n
    residue = 2**16000
    c = key.from_ciphertexts([residue], encoding=FixedPoint(0, 1, 1))
    assert EncryptedArray.from_json(key, c.to_json(rerandomize=False)).ciphertexts(rerandomize=False) == [residue]


@pytest.mark.slow
def test_h38_8192_bit_keys_and_arrays_through_json() -> None:
    public_key, private_key = vecphe.generate_keypair(8192)
    assert PublicKey.from_json(public_key.to_json()) == public_key
    assert PrivateKey.from_json(private_key.to_json()) == private_key
    again = EncryptedArray.from_json(public_key, public_key.encrypt([1.5]).to_json())
    assert private_key.decrypt(again).tolist() == [1.5]


def test_toy_keys_store_too() -> None:
    public_key, _ = toy_keypair(7, 11)
    c = public_key.encrypt([1, 0], encoding=FixedPoint(0, 1, 1))
    assert EncryptedArray.from_bytes(public_key, c.to_bytes()).format == c.format


def test_what_is_no_key(public_key: PublicKey, private_key: PrivateKey) -> None:
    data = public_key.encrypt([1.0]).to_bytes()
    for wrong in (private_key, None, data):
        with pytest.raises(TypeError, match="must be a PublicKey"):
            EncryptedArray.from_bytes(wrong, data)  # type: ignore[arg-type]
    for wrong in (None, "text", 5):
        with pytest.raises(TypeError, match="must be bytes"):
            EncryptedArray.from_bytes(public_key, wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="must be bytes"):
            PublicKey.from_bytes(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be str"):
        PublicKey.from_json(b"{}")  # type: ignore[arg-type]
    assert EncryptedArray.from_bytes(public_key, bytearray(data)).shape == (1,)
    assert EncryptedArray.from_bytes(public_key, memoryview(data)).shape == (1,)  # type: ignore[arg-type]


def test_h34_arrays_of_another_key(keypair: Keypair, other_keypair: Keypair) -> None:
    c = keypair[0].encrypt([1.0])
    for load in (
        lambda: EncryptedArray.from_bytes(other_keypair[0], c.to_bytes()),
        lambda: EncryptedArray.from_json(other_keypair[0], c.to_json()),
    ):
        with pytest.raises(KeyMismatchError, match=c.fingerprint[:8]):
            load()


def test_storing_keys_does_not_import_what_only_passphrases_need() -> None:
    script = "import sys, vecphe; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "False\n"


def test_h78_signals_are_answered_while_a_checksum_is_computed(
    public_key: PublicKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for one call of SHA-256 at most; none gets a whole file."""
    from vecphe.serialization import frames

    lengths: list[int] = []
    sha256 = hashlib.sha256

    class Counted:
        def __init__(self, data: bytes = b"") -> None:
            self._whole = sha256()
            self.digest = self._whole.digest
            self.update(data)

        def update(self, data: bytes | memoryview) -> None:
            lengths.append(len(data))
            self._whole.update(data)

    c = public_key.encrypt(np.arange(40.0))
    data = c.to_bytes(rerandomize=False)
    monkeypatch.setattr(frames, "_MOST_AT_ONCE", 1000)
    monkeypatch.setattr(hashlib, "sha256", Counted)
    assert c.to_bytes(rerandomize=False) == data
    assert vecphe.EncryptedArray.from_bytes(public_key, data).shape == (40,)
    assert max(lengths) == 1000
    assert sum(lengths) == 2 * (len(data) - 16)


def test_every_way_in_takes_the_randomizer_scheme(public_key: PublicKey, tmp_path: Path) -> None:
    public_key.save(tmp_path / "key")
    for scheme in ("djn", "djn-short", "textbook"):
        for key in (
            PublicKey.from_bytes(public_key.to_bytes(), insecure=True, randomizers=scheme),
            PublicKey.from_json(public_key.to_json(), insecure=True, randomizers=scheme),
            PublicKey.load(tmp_path / "key", insecure=True, randomizers=scheme),
        ):
            assert key.randomizers == scheme
