"""Private keys that are copied, pickled, half-built or read from open files (HAZARDS rows 14, 67, 81)."""

from __future__ import annotations

import copy
import enum
import importlib
import importlib.util
import os
import pickle
import pkgutil
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.test_secrets import leaks
from tests.toys import composite_after

import vecphe
import vecphe.phe
from vecphe import InsecureKeyWarning, PrivateKey, PublicKey
from vecphe.arithmetic import Decryptor, available_engines, engine_named
from vecphe.federated import Server
from vecphe.numbers.key_numbers import PrivateNumbers, PublicNumbers

Keypair = tuple[PublicKey, PrivateKey]


def runnable(name: str) -> Any:
    try:
        return engine_named(name)
    except vecphe.EngineUnavailableError:
        pytest.skip(f"engine {name} does not run here")


@pytest.mark.parametrize("name", [name for name, _ in available_engines()])
def test_h14_decryptors_of_all_engines_stay_in_the_process(keypair: Keypair, name: str) -> None:
    """Each holds the primes, and gmpy2's integers would go into a pickle as they are."""
    engine = runnable(name)
    decryptor = engine.decryptor(keypair[1].p, keypair[1].q)
    assert isinstance(decryptor, Decryptor)
    for held in (decryptor, decryptor.decrypt, [decryptor], {"of": (decryptor,)}):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="refuses to be pickled"):
                pickle.dumps(held, protocol=protocol)
    assert copy.copy(decryptor) is copy.deepcopy(decryptor) is decryptor
    assert leaks(repr(decryptor), keypair[1]) == set()


@pytest.mark.parametrize("name", [name for name, _ in available_engines()])
def test_tables_of_a_randomizer_base_stay_in_the_process(keypair: Keypair, name: str) -> None:
    table = runnable(name).ring(keypair[0].n).fixed_base(4, 64, 4)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="refuses to be pickled"):
            pickle.dumps(table, protocol=protocol)


def test_h14_no_pickle_of_anything_that_decrypts(keypair: Keypair) -> None:
    private_key = keypair[1]
    server = Server(256, insecure=True)
    for held in (
        private_key,
        private_key.decrypt,
        private_key._numbers,
        {"key": [private_key]},
        server.privkey,
        server,
    ):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match=r"refuses? to be pickled"):
                pickle.dumps(held, protocol=protocol)


def test_copies_in_the_process_are_the_key(keypair: Keypair) -> None:
    private_key, server = keypair[1], Server(256, insecure=True)
    for held in (private_key, private_key._numbers, server.privkey):
        for duplicate in (copy.copy, copy.deepcopy):
            assert duplicate(held) is held
            assert duplicate({"key": held})["key"] is held


def test_h14_the_refusals_say_what_to_do(keypair: Keypair, tmp_path: Path) -> None:
    """And what they say works."""
    key, array = keypair[1], keypair[0].encrypt([1.5])
    with pytest.raises(TypeError) as caught:
        pickle.dumps(key)
    for hint in ("key.save(path)", "key.to_jwk()", "key.decrypt(array, n_jobs=-1)"):
        assert hint in str(caught.value)
    path = tmp_path / "lab.key"
    key.save(path)
    assert PrivateKey.load(path, insecure=True) == PrivateKey.from_jwk(key.to_jwk(), insecure=True) == key
    assert key.decrypt(array, n_jobs=-1) == [1.5]
    with pytest.raises(TypeError, match=r"save\(path\) or to_jwk\(\)"):
        pickle.dumps(key._numbers)
    server = Server(256, insecure=True)
    with pytest.raises(
        TypeError, match=r"send server\.pubkey .*generate_keypair: they have save\(path\) and to_jwk\(\)"
    ):
        pickle.dumps(server.privkey)
    pickle.loads(pickle.dumps(server.pubkey))


# Half-built objects ------------------------------------------------------------------------------------------------


def classes_with_a_repr() -> list[type]:
    """All classes of the package that write a repr of their own."""
    found = set()
    left_out = {"vecphe.arithmetic._native"}
    if importlib.util.find_spec("vecphe.arithmetic._native") is None:
        left_out.add("vecphe.arithmetic.native")
    for module in pkgutil.walk_packages(vecphe.__path__, "vecphe."):
        if module.name.endswith("__main__") or module.name in left_out:
            continue
        try:
            contents = vars(importlib.import_module(module.name))
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("flwr", "cryptography"):  # of the extra flower
                raise
            continue
        for value in contents.values():
            if not isinstance(value, type) or issubclass(value, (tuple, enum.Enum)):
                continue  # they are whole or not at all
            if value.__module__.startswith("vecphe") and "__repr__" in vars(value):
                found.add(value)
    return sorted(found, key=lambda kind: kind.__qualname__)


WRITTEN = [kind for kind in classes_with_a_repr() if not hasattr(kind, "__dataclass_fields__")]
WRITTEN += [PublicNumbers, PrivateNumbers]


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.__qualname__)
def test_h81_half_built_objects_have_a_repr(kind: Any) -> None:
    made = type(kind.__name__, (kind,), dict.fromkeys(getattr(kind, "__abstractmethods__", ())))
    shown = repr(object.__new__(made))
    assert kind.__name__.removeprefix("_") in shown


def test_h81_there_are_such_classes() -> None:
    names = {kind.__name__ for kind in WRITTEN}
    assert {"PublicKey", "PrivateKey", "ArrayData", "PaillierPublicKey", "PaillierPrivateKey"} <= names


def test_h81_a_traceback_with_locals_keeps_its_error() -> None:
    p, q = vecphe.generate_keypair(512, insecure=True)[1]._numbers.__getstate__()
    for make in (
        lambda: PublicKey(15),
        lambda: PublicKey(-5, insecure=True),
        lambda: PublicNumbers(-1),
        lambda: vecphe.FixedPoint(-4, 1.0),
        lambda: vecphe.FixedPoint(0, -1.0),
        lambda: PrivateKey(PublicKey(p * q, insecure=True), p, composite_after(q)),
        lambda: vecphe.phe.PaillierPublicKey("15"),
        lambda: vecphe.phe.PaillierPrivateKey(vecphe.phe.PaillierPublicKey(15), 3, 7),
        lambda: vecphe.phe.EncryptedNumber(None, 5),
    ):
        with pytest.raises((ValueError, TypeError, OverflowError)) as caught:
            make()
        lines = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
        assert str(caught.value) in lines
        assert "AttributeError" not in lines


def test_h81_no_error_takes_primes_passphrases_or_values_along(keypair: Keypair) -> None:
    """Those who send reports of errors send the variables of all calls with them."""
    public_key, private_key = keypair
    p, q = private_key.p, private_key.q
    plain, sealed = private_key.to_bytes(), private_key.to_bytes(passphrase="open sesame")
    jwk, theirs = private_key.to_jwk(), private_key.to_phe(vecphe.phe)
    flipped = plain[:-1] + bytes([plain[-1] ^ 1])
    one = public_key.encrypt([7_654_321])
    beyond = one._derive(one.residues, bound=1_000_000)  # which decryption adds
    other = vecphe.generate_keypair(512, insecure=True)[0]
    for name, call in (
        ("constructor", lambda: PrivateKey(other, p, q)),
        ("from_bytes", lambda: PrivateKey.from_bytes(plain)),
        ("from_bytes, flipped", lambda: PrivateKey.from_bytes(flipped, insecure=True)),
        ("from_bytes, sealed", lambda: PrivateKey.from_bytes(sealed, passphrase="open sesam")),
        ("from_json", lambda: PrivateKey.from_json(private_key.to_json())),
        ("from_jwk", lambda: PrivateKey.from_jwk(jwk)),
        ("from_phe", lambda: PrivateKey.from_phe(theirs)),
        ("decrypt", lambda: private_key.decrypt(beyond)),
        ("facade", lambda: vecphe.phe.PaillierPrivateKey(vecphe.phe.PaillierPublicKey(other.n), p, q)),
        ("facade, decrypt", lambda: theirs.decrypt(theirs.public_key.encrypt(public_key.n // 3 - 1) * 2)),
    ):
        with pytest.raises((ValueError, OverflowError)) as caught:
            call()
        frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
        ours = [frame for frame in frames if "vecphe" in frame.filename and "tests" not in frame.filename]
        assert ours, name
        shown = "".join(f"{frame.name}: {frame.locals}" for frame in ours)
        for secret in (str(p), str(q), repr(plain), repr(flipped), jwk, "open sesam", "7654321", "8654321"):
            assert secret not in shown, name


# Files -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(keypair: Keypair, tmp_path: Path) -> Path:
    path = tmp_path / "lab.key"
    keypair[1].save(path)
    return path


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o666])
def test_h67_a_private_key_that_others_can_read_is_told(key_file: Path, mode: int) -> None:
    os.chmod(key_file, mode)
    with pytest.warns(InsecureKeyWarning) as caught:
        PrivateKey.load(key_file, insecure=True)
    (told,) = [w for w in caught if "others can read" in str(w.message)]
    assert str(told.message) == f"others can read the private key in {key_file}; chmod 600 {key_file}"
    assert told.filename == __file__


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_h67_of_a_file_of_the_owner_alone_nothing_is_said(key_file: Path, mode: int) -> None:
    os.chmod(key_file, mode)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        PrivateKey.load(key_file, insecure=True)
    assert not [w for w in caught if "others" in str(w.message)]


def test_h67_a_passphrase_does_not_silence_it_and_pipes_have_no_modes(keypair: Keypair, tmp_path: Path) -> None:
    path = tmp_path / "lab.key"
    keypair[1].save(path, passphrase="correct horse")
    os.chmod(path, 0o644)
    with pytest.warns(InsecureKeyWarning, match="others can read"):
        PrivateKey.load(path, passphrase="correct horse", insecure=True)
    assert vecphe.system.files.is_open_to_others(tmp_path) is False
    assert vecphe.system.files.is_open_to_others(tmp_path / "absent") is False


def test_arrays_are_copied_by_key_holders_too(keypair: Keypair) -> None:
    holder = {"key": keypair[1], "c": keypair[0].encrypt([1.0])}
    copied = copy.deepcopy(holder)
    np.testing.assert_array_equal(copied["key"].decrypt(copied["c"]), [1.0])
