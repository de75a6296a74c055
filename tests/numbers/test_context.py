"""Engines by name: keys of one number on two engines in one process, and what their arrays do together."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import vecphe
from vecphe import EncryptedArray, EngineFallbackWarning, EngineUnavailableError, PrivateKey, PublicKey
from vecphe.arithmetic import active_engine, available_engines, engine_named, ring_of, selection
from vecphe.federated import (
    FederatedLinearRegression,
    NaiveBackend,
    PackedBackend,
    Server,
    VectorizedBackend,
    decrypt_vector,
    encrypt_vector,
    federated_learning,
    get_data,
    sum_encrypted_vectors,
)
from vecphe.federated.backends import backend_named
from vecphe.federated.interface import EncryptionKey
from vecphe.numbers.context import KeyContext
from vecphe.phe import EncryptedNumber, PaillierPrivateKey, PaillierPublicKey

KINDS = {"gmp", "portable", active_engine().name}
RUNNING = [name for name, why_not in available_engines() if why_not is None and name in KINDS]
PAIRS = [(one, two) for one in RUNNING for two in RUNNING if one != two]


@pytest.fixture(params=PAIRS, ids=["-".join(pair) for pair in PAIRS])
def sides(request: pytest.FixtureRequest, keypair: tuple[PublicKey, PrivateKey]) -> tuple[PublicKey, PublicKey]:
    """Two keys of one number on two engines."""
    left, right = request.param
    n = keypair[0].n
    return PublicKey(n, insecure=True, engine=left), PublicKey(n, insecure=True, engine=right)


@pytest.mark.parametrize("engine", RUNNING)
def test_every_way_to_a_key_takes_an_engine(engine: str, tmp_path: Any, keypair: tuple[PublicKey, PrivateKey]) -> None:
    public_key, private_key = keypair
    public_key.save(tmp_path / "public")
    private_key.save(tmp_path / "private")
    options: dict[str, Any] = {"insecure": True, "engine": engine}
    made = vecphe.generate_keypair(512, **options)
    publics = [
        made[0],
        PublicKey(public_key.n, **options),
        PublicKey.from_bytes(public_key.to_bytes(), **options),
        PublicKey.from_json(public_key.to_json(), **options),
        PublicKey.load(tmp_path / "public", **options),
        PublicKey.from_jwk(public_key.to_jwk(), **options),
        PublicKey.from_phe(PaillierPublicKey(public_key.n), **options),
    ]
    theirs = PaillierPrivateKey(PaillierPublicKey(public_key.n), private_key.p, private_key.q)
    privates = [
        made[1],
        PrivateKey(public_key, private_key.p, private_key.q, engine=engine),
        PrivateKey.from_bytes(private_key.to_bytes(), **options),
        PrivateKey.from_json(private_key.to_json(), **options),
        PrivateKey.load(tmp_path / "private", **options),
        PrivateKey.from_jwk(private_key.to_jwk(), **options),
        PrivateKey.from_phe(theirs, **options),
    ]
    for key in (*publics, *(private.public_key for private in privates)):
        assert key.engine == engine
        assert key._context.engine is engine_named(engine)
        assert type(key.encrypt([1.0]).residues) is type(engine_named(engine).ring(key.n).ones(1))
    for private in privates:
        assert private.engine == engine
        assert type(private._decryptor) is type(engine_named(engine).decryptor(private.p, private.q))
        assert private.decrypt(private.public_key.encrypt([1.5, -2.0])).tolist() == [1.5, -2.0]


def test_the_engine_is_no_part_of_a_key(sides: tuple[PublicKey, PublicKey], keypair: Any) -> None:
    left, right = sides
    assert left == right
    assert hash(left) == hash(right)
    assert left.to_bytes() == right.to_bytes()
    assert left.to_json() == right.to_json()
    assert PrivateKey(left, keypair[1].p, keypair[1].q) == PrivateKey(right, keypair[1].p, keypair[1].q)


COMBINED: dict[str, Any] = {
    "sum": lambda c, d: c + d,
    "difference": lambda c, d: c - d,
    "a ufunc": np.add,
    "broadcast": lambda c, d: c + d[:1],
    "another scale": lambda c, d: c / 2 + d * 3,
    "builtin sum": lambda c, d: sum([c, d, c]),
    "concatenation": lambda c, d: (vecphe if isinstance(c, EncryptedArray) else np).concatenate([c, d]),
    "stack": lambda c, d: np.stack([c, d]),
    "where": lambda c, d: np.where([True, False, True], c, d),
    "where, one scaled": lambda c, d: np.where([True, False, True], c, d / 4),
}


@pytest.mark.parametrize("combine", COMBINED.values(), ids=COMBINED)
def test_h47_arrays_of_two_engines_together(
    sides: tuple[PublicKey, PublicKey], keypair: tuple[PublicKey, PrivateKey], combine: Any
) -> None:
    left, right = sides
    x, y = np.array([1.5, -2.25, 1e9]), np.array([-7.0, 0.125, 3.0])
    c, d = left.encrypt(x), right.encrypt(y)
    before = d._ring.store(d.residues)
    result = combine(c, d)
    assert result.public_key is left
    assert type(result.residues) is type(c.residues)
    for private in (keypair[1], PrivateKey(left, keypair[1].p, keypair[1].q)):
        assert np.array_equal(private.decrypt(result), combine(x, y))
    assert d.public_key is right
    assert d._ring.store(d.residues) == before


def test_h47_packed_arrays_of_two_engines_add(sides: tuple[PublicKey, PublicKey], keypair: Any) -> None:
    x = np.arange(-20.0, 20.0) / 8
    total = sides[0].encrypt(x, packed=True) + sides[1].encrypt(2 * x, packed=True)
    assert np.array_equal(keypair[1].decrypt(total), 3 * x)


def test_h47_assignment_from_another_engine(sides: tuple[PublicKey, PublicKey], keypair: Any) -> None:
    c = sides[0].encrypt([1.0, 2.0, 3.0])
    c[1] = sides[1].encrypt(0.0625)
    assert c.public_key is sides[0]
    assert keypair[1].decrypt(c).tolist() == [1.0, 0.0625, 3.0]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_h47_decryption_on_another_engine(sides: tuple[PublicKey, PublicKey], keypair: Any, n_jobs: int | None) -> None:
    private = PrivateKey(sides[0], keypair[1].p, keypair[1].q)
    x = np.arange(100.0).reshape(4, 25)
    assert np.array_equal(private.decrypt(sides[1].encrypt(x), n_jobs=n_jobs), x)
    assert np.array_equal(private.decrypt(sides[1].encrypt(x, packed=True), n_jobs=n_jobs), x)


def test_what_is_converted_keeps_its_freshness(sides: tuple[PublicKey, PublicKey]) -> None:
    """The residues are the same: a sum with a fresh array is fresh, and each randomizer hides one array that leaves."""
    c, d = sides[0].encrypt([1.0]) * 2, sides[1].encrypt([2.0])
    total = c + d
    assert not c.is_fresh
    assert total.is_fresh
    d.to_bytes()
    assert not total.is_fresh


def test_one_engine_converts_nothing(monkeypatch: pytest.MonkeyPatch, keypair: Any) -> None:
    one, two = (PublicKey(keypair[0].n, insecure=True, engine="gmp") for _ in range(2))
    c, d = one.encrypt([1.0]), two.encrypt([2.0])
    private_key = PrivateKey(one, keypair[1].p, keypair[1].q)
    monkeypatch.setattr(type(c._ring), "store_bytes", lambda *_: pytest.fail("converted"))
    assert private_key.decrypt(c + d).tolist() == [3.0]


def test_contexts_of_one_engine_share_their_ring(keypair: Any) -> None:
    one, two = (KeyContext.on(keypair[0]._numbers, "gmp") for _ in range(2))
    batch = one.ring.ones(3)
    assert one.ring is two.ring
    assert two.taken(batch, one) is batch


def test_a_ring_is_shared_as_long_as_one_uses_it(keypair: Any) -> None:
    """However many other keys were used since; keys of one number would convert their arrays to and fro else."""
    one = KeyContext.on(keypair[0]._numbers, "gmp")
    ring_of.cache_clear()
    assert KeyContext.on(keypair[0]._numbers, "gmp").ring is one.ring


def test_numbers_of_the_facade_and_arrays_of_another_engine(sides: tuple[PublicKey, PublicKey], keypair: Any) -> None:
    theirs = PaillierPrivateKey(PaillierPublicKey(keypair[0].n), keypair[1].p, keypair[1].q)
    for key in sides:
        assert theirs.decrypt(key.encrypt([1.5, 2.0])).tolist() == [1.5, 2.0]


# Names that do not work --------------------------------------------------------------------------------------------


WAYS: dict[str, Any] = {
    "generate_keypair": lambda key, engine: vecphe.generate_keypair(512, insecure=True, engine=engine),
    "PublicKey": lambda key, engine: PublicKey(key.public_key.n, insecure=True, engine=engine),
    "PrivateKey": lambda key, engine: PrivateKey(key.public_key, key.p, key.q, engine=engine),
    "from_bytes": lambda key, engine: PrivateKey.from_bytes(key.to_bytes(), insecure=True, engine=engine),
    "Server": lambda key, engine: Server(512, True, engine=engine),
    "backend": lambda key, engine: Server(512, True, PackedBackend(engine=engine)),
    "config": lambda key, engine: federated_learning([], [], [], [], {"engine": engine}),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_h46_names_that_are_no_engine(way: Any, keypair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecphe.keys.generation.random_prime_pair", lambda *_: pytest.fail("primes were drawn"))
    for name in ("warp", ""):
        with pytest.raises(EngineUnavailableError, match=rf"no engine is called '{name}'; choose one of ifma, .*gmp"):
            way(keypair[1], name)
    with pytest.raises(TypeError, match="engine must be the name of one, not int: one of ifma"):
        way(keypair[1], 5)
    unsupported = selection._Candidate(lambda: "this CPU lacks avx1024", lambda: pytest.fail("made"))
    monkeypatch.setitem(selection._engines(), "wide", unsupported)
    with pytest.raises(EngineUnavailableError, match="'wide' does not run here: this CPU lacks avx1024"):
        way(keypair[1], "wide")


@pytest.mark.skipif("portable" not in RUNNING, reason="the native kernel was not built")
def test_h46_a_key_that_is_too_long_for_the_engine_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_named("portable"), "max_key_length", 510, raising=True)
    with pytest.raises(EngineUnavailableError, match="up to 510 bits, not 512; leave the engine away"):
        vecphe.generate_keypair(512, insecure=True, engine="portable")
    assert vecphe.generate_keypair(510, insecure=True, engine="portable")[0].engine == "portable"
    monkeypatch.setenv("VECPHE_ENGINE", "portable")
    assert vecphe.generate_keypair(512, insecure=True)[0].engine == "gmp"


def test_h46_the_argument_is_stronger_than_the_environment(monkeypatch: pytest.MonkeyPatch, keypair: Any) -> None:
    monkeypatch.setenv("VECPHE_ENGINE", "warp")
    assert PublicKey(keypair[0].n, insecure=True, engine="gmp").engine == "gmp"
    with pytest.raises(EngineUnavailableError, match="VECPHE_ENGINE: no engine is called 'warp'"):
        PublicKey(keypair[0].n, insecure=True)


# Pickles -----------------------------------------------------------------------------------------------------------


def test_pickles_keep_an_engine_that_was_asked_for(sides: tuple[PublicKey, PublicKey], keypair: Any) -> None:
    for key in sides:
        again, c = pickle.loads(pickle.dumps((key, key.encrypt([1.0]))))
        assert again.engine == key.engine
        assert c.public_key is again
        assert copy.deepcopy(c).public_key is again
        assert keypair[1].decrypt(c).tolist() == [1.0]


def test_h46_a_pickle_of_an_engine_that_does_not_run_here(
    monkeypatch: pytest.MonkeyPatch, sides: tuple[PublicKey, PublicKey], keypair: Any
) -> None:
    key = PublicKey(keypair[0].n, insecure=True, randomizers="textbook", engine=sides[0].engine)
    data = pickle.dumps(key.encrypt([1.0]))
    there = selection._Candidate(lambda: "this CPU lacks avx1024", lambda: pytest.fail("made"))
    monkeypatch.setitem(selection._engines(), sides[0].engine, there)
    monkeypatch.setenv("VECPHE_ENGINE", sides[1].engine)
    monkeypatch.setattr(selection, "parent_process", lambda: None)  # workers do not warn
    vecphe.keys.public_key._kept_public_key.cache_clear()
    with pytest.warns(EngineFallbackWarning, match=f"lacks avx1024; computing with {sides[1].engine}"):
        array = pickle.loads(data)
    vecphe.keys.public_key._kept_public_key.cache_clear()
    assert array.public_key.engine == sides[1].engine
    assert keypair[1].decrypt(array).tolist() == [1.0]


def test_a_default_key_takes_the_default_of_where_it_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(vecphe.generate_keypair(256, insecure=True)[0])
    keys = []
    for name in [*RUNNING, RUNNING[0]]:  # no file of rows of the gate is counted on the engine of the one before
        monkeypatch.setenv("VECPHE_ENGINE", name)
        keys.append(pickle.loads(data))
        assert keys[-1].engine == name
    assert keys[-1] is keys[0]  # with its table


# The drop-in -------------------------------------------------------------------------------------------------------


def test_numbers_of_the_drop_in_meet_across_engines(monkeypatch: pytest.MonkeyPatch, keypair: Any) -> None:
    keys = {}
    for name in RUNNING:
        monkeypatch.setenv("VECPHE_ENGINE", name)
        public_key = PaillierPublicKey(keypair[0].n)
        keys[name] = public_key, PaillierPrivateKey(public_key, keypair[1].p, keypair[1].q), public_key.encrypt(1.5)
        assert public_key._key.engine == name
    for own, other in PAIRS:
        (public_key, private_key, number), (_, theirs, another) = keys[own], keys[other]
        for total in (number + another, number - another * -1, sum([another, number]), number + another * 0.5 + 0.75):
            assert private_key.decrypt(total) == theirs.decrypt(total) == 3.0
        assert (number + another).public_key is public_key
        assert theirs.decrypt(EncryptedNumber(public_key, number.ciphertext(), number.exponent)) == 1.5


# The protocol ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", RUNNING)
@pytest.mark.parametrize("backend", ["packed", "vectorized"])
def test_servers_runs_and_estimators_take_an_engine(engine: str, backend: str) -> None:
    assert Server(512, True, backend, engine=engine).pubkey.public_key.engine == engine  # type: ignore[attr-defined]
    X, y, X_test, y_test = get_data(3)
    config = {"n_clients": 3, "key_length": 512, "insecure": True, "n_iter": 1, "backend": backend}
    default = federated_learning(X, y, X_test, y_test, config)
    assert np.allclose(federated_learning(X, y, X_test, y_test, {**config, "engine": engine}).weights, default.weights)
    model = FederatedLinearRegression(3, key_length=512, insecure=True, n_iter=1, backend=backend, engine=engine)
    assert np.isfinite(model.fit(X_test, y_test).coef_).all()
    assert model.get_params()["engine"] == engine


@pytest.mark.parametrize("backend", [PackedBackend, VectorizedBackend])
def test_parties_of_different_engines(backend: Any) -> None:
    for own, other in PAIRS:
        server = Server(512, True, backend(engine=own))
        key = EncryptionKey.from_bytes(server.pubkey.to_bytes(), insecure=True, engine=other)
        assert key.public_key.engine == other  # type: ignore[attr-defined]
        total = sum_encrypted_vectors(encrypt_vector(key, [1.0, 2.0]), encrypt_vector(server.pubkey, [0.5, -2.0]))
        assert decrypt_vector(server.privkey, total).tolist() == [1.5, 0.0]


def test_an_engine_that_nobody_would_use_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a backend has its engine already: make it with one, as PackedBackend\(eng"):
        Server(512, True, PackedBackend(), engine="gmp")
    with pytest.raises(ValueError, match="naive backend computes with phe"):
        backend_named("naive", engine="gmp")
    import phe

    server = Server(512, True, NaiveBackend(phe))
    with pytest.raises(ValueError, match="naive backend computes with phe"):
        EncryptionKey.from_bytes(server.pubkey.to_bytes(), insecure=True, engine="gmp")
