"""Backends by name: what is handed on to them, and what is refused."""

import sys
from types import SimpleNamespace

import numpy as np
import phe
import pytest

import vecphe
from vecphe.errors import LayoutMismatchError, PlaintextOverflowError, SerializationError
from vecphe.federated import (
    EncryptedVector,
    EncryptionKey,
    NaiveBackend,
    PackedBackend,
    Server,
    VectorizedBackend,
    decrypt_vector,
    encrypt_vector,
)
from vecphe.federated.backends import backend_named
from vecphe.federated.wire import pack
from vecphe.plaintext.encoding import UNPACKED, FixedPoint

ENCODED = "a backend has its encoding already: leave out max_abs, and make the backend with one,"
PHE = "the naive backend computes with phe, not with an engine of vecphe:"
CLASSES = {"packed": PackedBackend, "vectorized": VectorizedBackend}


@pytest.mark.parametrize("name", CLASSES)
def test_what_a_backend_is_made_with(name):
    made = backend_named(name, 7)
    assert type(made) is CLASSES[name]
    assert (made.n_jobs, made.engine) == (None, None)
    assert made.encoding == (FixedPoint(max_terms=7) if name == "packed" else UNPACKED)
    made = backend_named(name, 7, 3, "portable", encoding=FixedPoint(20, 64, 9), max_abs=32, max_terms=8)
    assert (made.n_jobs, made.engine, made.encoding) == (3, "portable", FixedPoint(20, 32, 8))
    own = CLASSES[name](n_jobs=2, encoding=FixedPoint(20, 64, 9), engine="portable")
    assert backend_named(own) is own
    assert (own.n_jobs, own.engine, own.encoding) == (2, "portable", FixedPoint(20, 64, 9))
    public_key, private_key = own.generate_keys(256, insecure=True)
    assert (public_key._n_jobs, private_key._n_jobs) == (2, 2)
    assert public_key.public_key.engine == "portable"
    again = EncryptionKey.from_bytes(public_key.to_bytes(), insecure=True, n_jobs=4, engine="portable")
    assert (again._n_jobs, again.public_key.engine) == (4, "portable")
    assert EncryptionKey.from_bytes(public_key.to_bytes(), insecure=True)._n_jobs is None
    assert private_key.decrypt(encrypt_vector(again, [1.5, -2.0])).tolist() == [1.5, -2.0]


def test_what_a_server_is_told_is_handed_on():
    server = Server(256, True, "packed", engine="portable", encoding=FixedPoint(20, 64, 9), max_abs=32, max_terms=8)
    assert server.pubkey.public_key.engine == "portable"
    assert server.pubkey._encoding == FixedPoint(20, 32, 8)
    assert not server.ledger.unsafe_few_clients
    assert Server(256, True, unsafe_few_clients=True).ledger.unsafe_few_clients


def test_backends_without_arguments():
    assert Server(256, True).pubkey._encoding.max_terms == PackedBackend().encoding.max_terms == 255
    assert (PackedBackend().encoding, PackedBackend(5).encoding) == (FixedPoint(), FixedPoint(max_terms=5))
    assert PackedBackend(5, encoding=FixedPoint(max_terms=9)).encoding.max_terms == 9
    assert VectorizedBackend().encoding == UNPACKED


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("fast", {}, "no backend is called 'fast'; choose packed, vectorized or naive, or pass a Backend"),
        ("naive", {"engine": "gmp"}, f"{PHE} leave the engine away"),
        ("naive", {"max_terms": 5}, "the naive backend encodes as phe does: leave out max_terms"),
        ("naive", {"encoding": UNPACKED, "max_abs": 5.0}, "the naive backend encodes as phe does: leave out encoding"),
        (PackedBackend(), {"engine": "gmp"},
            "a backend has its engine already: make it with one, as PackedBackend(engine=...)"),
        (PackedBackend(), {"max_abs": 5.0}, f"{ENCODED} as PackedBackend(encoding=FixedPoint(...))"),
        ("packed", {"encoding": "wide"}, "encoding must be a FixedPoint, not str"),
    ],
)  # fmt: skip
def test_what_makes_no_backend_is_told_to_the_letter(name, options, told):
    with pytest.raises((TypeError, ValueError)) as caught:
        backend_named(name, **options)
    assert str(caught.value) == told
    assert isinstance(caught.value, TypeError) == ("must be a FixedPoint" in told)


@pytest.mark.parametrize(
    ("max_abs", "wider"), [(32768.0, 1 << 20), (1.0, 32), (0.5, 32), (0.01, 32), (1.5, 48), (2.0, 64)]
)
@pytest.mark.parametrize("name", CLASSES)
def test_a_range_that_is_wider_is_told_as_it_is_typed(name, max_abs, wider):
    def told(backend):
        return backend.generate_keys(512, insecure=True)[0].wider_range

    assert told(backend_named(name, max_abs=max_abs)) == f"max_abs={wider}"
    own = CLASSES[name](encoding=FixedPoint(20, max_abs, 9))
    assert told(own) == (f"backend={CLASSES[name].__name__}(encoding=FixedPoint(20, max_abs={wider}, max_terms=9))")


def test_how_many_ciphertexts_a_vector_has():
    packed, vectorized = (backend_named(name).generate_keys(512, insecure=True)[0] for name in CLASSES)
    slots = encrypt_vector(packed, np.zeros(1000)).array.format.layout.slots
    assert slots > 2
    for length, count in ((0, 0), (1, 1), (slots, 1), (slots + 1, 2), (2 * slots, 2), (2 * slots + 1, 3)):
        assert packed.n_ciphertexts(length) == encrypt_vector(packed, np.zeros(length)).n_ciphertexts == count
        assert vectorized.n_ciphertexts(length) == length


@pytest.mark.parametrize(
    ("backend", "grid"),
    [
        (PackedBackend(encoding=FixedPoint(20, 64, 5)), (26, 20)),
        (PackedBackend(encoding=FixedPoint(20, 65, 5)), (26, 20)),
        (PackedBackend(encoding=FixedPoint(40, 1 << 15, 5)), (52, 40)),
        (VectorizedBackend(), (52, 112)),
        (NaiveBackend(phe), (52, 0)),
    ],
)
def test_integers_that_are_encrypted_exactly(backend, grid):
    public_key, private_key = backend.generate_keys(512, insecure=True)
    assert public_key.exact_integers == grid
    bits, scale = grid
    values = np.ldexp([(1 << bits) - 1.0, -((1 << bits) - 1.0), 1.0, 0.0], -scale)
    assert private_key.decrypt(public_key.encrypt(values)).tolist() == values.tolist()


def test_what_is_prepared_are_ciphertexts(monkeypatch):
    asked = []
    for name in CLASSES:
        key = backend_named(name).generate_keys(512, insecure=True)[0]
        monkeypatch.setattr(type(key.public_key), "prepare", lambda _, count: asked.append(count))
        key.prepare(5, 100)
        assert asked.pop() == 5 * key.n_ciphertexts(100)


def test_h36_keys_whose_frames_are_not_of_their_backend():
    keys = {name: backend_named(name).generate_keys(256, insecure=True)[0] for name in (*CLASSES, "naive")}
    place = {"run": "0" * 32, "round": 1}
    frames = {name: key._frames() for name, key in keys.items()}
    full = keys["packed"].encrypt(np.zeros(1)).array.to_bytes()
    for backend, parts, told in (
        ("packed", frames["vectorized"], "the encoding of the key is not one of the backend packed"),
        ("vectorized", frames["packed"], "the encoding of the key is not one of the backend vectorized"),
        ("packed", (frames["packed"][0], full), "the encoding of the key is not one of the backend packed"),
        ("naive", frames["packed"], "keys of the naive backend have no encoding"),
        ("other", frames["packed"], "the backend of the key is unknown"),
    ):
        with pytest.raises(SerializationError, match=f"^{told}$"):
            EncryptionKey.from_bytes(pack("key", {**place, "backend": backend}, *parts), insecure=True)
    with pytest.raises(ValueError, match=f"^{PHE}"):
        EncryptionKey.from_bytes(keys["naive"].to_bytes(), insecure=True, engine="gmp")


@pytest.mark.parametrize("name", CLASSES)
def test_vectors_that_were_computed_with_are_not_as_the_key_encrypts(name):
    key = backend_named(name).generate_keys(512, insecure=True)[0]
    array = encrypt_vector(key, [1.0, 2.0]).array
    assert len(EncryptedVector.from_bytes(key, array.to_bytes())) == 2
    assert len(EncryptedVector.from_bytes(key, (array + array).to_bytes())) == 2
    other_form = key.public_key.encrypt([1.0], packed=name != "packed", encoding=array.encoding)
    with pytest.raises(LayoutMismatchError):
        EncryptedVector.from_bytes(key, other_form.to_bytes())
    for other in (array / 3, array * 0.5) if name == "packed" else (array.reshape(2, 1), array.reshape(1, 2)):
        with pytest.raises(
            LayoutMismatchError, match=r"^not a vector, or encrypted in another way than this key does$"
        ):
            EncryptedVector.from_bytes(key, other.to_bytes())


@pytest.mark.parametrize("package", [phe, vecphe.phe])
def test_the_naive_backend_takes_a_module(package):
    server = Server(256, insecure=True, backend=NaiveBackend(package))
    vector = encrypt_vector(server.pubkey, [1.5, 2.0])
    assert (vector.n_ciphertexts, vector.terms, len(vector)) == (2, 1, 2)
    assert type(vector.numbers[0]).__module__.partition(".")[0] == package.__name__.partition(".")[0]
    again = EncryptedVector.from_bytes(server.pubkey, vector.to_bytes())
    assert type(again.numbers[0]) is type(vector.numbers[0])
    same = encrypt_vector(server.pubkey, [1.5, 1.75])
    assert EncryptedVector.from_bytes(server.pubkey, same.to_bytes()).ciphertexts() == same.ciphertexts()
    assert decrypt_vector(server.privkey, again + vector).tolist() == [3.0, 4.0]
    with pytest.raises(TypeError, match=r"^NaiveBackend takes the module phe, not SimpleNamespace: pip install phe$"):
        NaiveBackend(SimpleNamespace())
    with pytest.raises(ValueError, match=r"2048|insecure"):
        NaiveBackend(package).generate_keys(256)


def test_phe_that_is_missing_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "phe", None)
    with pytest.raises(ValueError, match=r"^the naive backend needs phe, which is not installed: pip install phe$"):
        backend_named("naive")


def test_naive_sums_that_do_not_fit_are_told_to_the_letter():
    server = Server(256, insecure=True, backend=NaiveBackend(phe))
    far_apart = encrypt_vector(server.pubkey, [1e60]), encrypt_vector(server.pubkey, [1e-40])
    with pytest.raises(PlaintextOverflowError, match=r"^numbers too far apart in size to be added under this key$"):
        far_apart[0] + far_apart[1]


@pytest.mark.parametrize("name", CLASSES)
def test_what_only_the_key_holder_sees_is_sent_as_it_is(name):
    key = backend_named(name).generate_keys(512, insecure=True)[0]
    from_outside = EncryptedVector.from_message(key, encrypt_vector(key, [1.0, 2.0]).to_message())
    total = from_outside + encrypt_vector(key, [1.0, 2.0])
    plain = total.to_message(rerandomize=False)
    sent = EncryptedVector.from_message(key, plain).array
    assert sent.ciphertexts(rerandomize=False) == total.array.ciphertexts(rerandomize=False)
    assert plain == total.to_message(rerandomize=False)
    for write in (from_outside.to_message, from_outside.to_bytes):
        assert write(rerandomize=False) == write(rerandomize=False)
        assert len({write(), write(rerandomize=True), write(rerandomize=False)}) == 3
