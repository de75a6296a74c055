"""Vectors, clients and servers by themselves."""

import copy
import pickle

import numpy as np
import phe
import pytest

import vecphe
from vecphe.errors import InvalidPlaintextError, PlaintextOverflowError, ProtocolError
from vecphe.federated import (
    Client,
    EncryptedVector,
    EncryptionKey,
    LogisticRegression,
    NaiveBackend,
    Party,
    Server,
    VectorizedBackend,
    decrypt_vector,
    encrypt_vector,
    federated_learning,
    mean_square_error,
    models,
    ring,
    run_rounds,
    sum_encrypted_vectors,
)
from vecphe.federated.ring import ring_pass


@pytest.fixture
def server(backend):
    """A server with a short key."""
    return Server(256, insecure=True, backend=backend)


def test_vectors_go_there_and_back(server):
    values = [0.0, -1.5, 1e-3, 152.13348416289594, -32768.0, 3.0, -0.0]
    vector = encrypt_vector(server.pubkey, values)
    assert len(vector) == 7
    assert vector.terms == 1
    np.testing.assert_allclose(decrypt_vector(server.privkey, vector), values, atol=1e-12, rtol=1e-15)


def test_sums_count_their_terms(server):
    x = encrypt_vector(server.pubkey, [1.0, -2.0])
    total = sum_encrypted_vectors(sum_encrypted_vectors(x, encrypt_vector(server.pubkey, [0.25, 7])), x)
    assert total.terms == 3
    np.testing.assert_allclose(decrypt_vector(server.privkey, total), [2.25, 3.0])


def test_vectors_of_integers_and_of_floats_add_up(server):
    integers, floats = encrypt_vector(server.pubkey, [1, -2]), encrypt_vector(server.pubkey, [0.5, 0.25])
    for total in (integers + floats, floats + integers):
        assert decrypt_vector(server.privkey, total).tolist() == [1.5, -1.75]


@pytest.mark.parametrize("values", [[np.nan], [1.0, np.inf]])
def test_values_that_are_not_finite_are_refused(server, values):
    with pytest.raises(InvalidPlaintextError, match=f"{len(values) - 1}"):
        encrypt_vector(server.pubkey, values)


def test_matrices_are_refused(server):
    with pytest.raises(ValueError, match="vector"):
        encrypt_vector(server.pubkey, np.ones((2, 2)))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda server, _: encrypt_vector(server.privkey, [1.0]), "public_key must be of class EncryptionKey"),
        (lambda server, vector: decrypt_vector(server.pubkey, vector), "private_key must be of class DecryptionKey"),
        (lambda server, _: decrypt_vector(server.privkey, [1.0]), "x must be of class EncryptedVector, not list"),
        (lambda _, vector: sum_encrypted_vectors([1.0], vector), "x must be of class EncryptedVector, not list"),
        (lambda _, vector: sum_encrypted_vectors(vector, 5), "y must be of class EncryptedVector, not int"),
        (lambda server, _: server.decrypt_aggregate([1.0], 3), "vector must be of class EncryptedVector, not list"),
        (lambda server, _: Party("A", lambda: [[1.0]], server.privkey), "pubkey must be of class EncryptionKey"),
        (
            lambda server, _: Party("A", lambda: [[1.0]], server.pubkey).encrypted_gradient(sum_to=[1.0]),
            "sum_to must be of class EncryptedVector, not list",
        ),
        (lambda server, _: EncryptedVector.from_bytes(server.privkey, b""), "key must be of class EncryptionKey"),
        (
            lambda server, _: EncryptedVector.from_message(server.pubkey.n, b""),
            "key must be of class EncryptionKey, not int",
        ),
    ],
)
def test_h18_what_is_no_key_or_vector_is_told_by_its_name(server, call, told):
    with pytest.raises(TypeError, match=f"^{told}"):
        call(server, encrypt_vector(server.pubkey, [1.0]))


def test_the_key_carries_the_backend(server, backend):
    assert server.pubkey.backend == (backend if isinstance(backend, str) else backend.name)
    assert server.pubkey.key_length == server.pubkey.n.bit_length() == 256


def test_private_keys_show_nothing_and_stay_here(server):
    key = server.privkey
    assert repr(key).endswith(f"(fingerprint={server.pubkey.fingerprint[:8]})")
    with pytest.raises(TypeError, match="refuses to be pickled"):
        pickle.dumps(key)
    assert copy.copy(key) is copy.deepcopy(key) is key


def test_a_server_takes_a_backend_with_options():
    server = Server(256, insecure=True, backend=VectorizedBackend(n_jobs=1))
    assert server.pubkey.backend == "vectorized"


def test_naive_wants_the_module():
    with pytest.raises(TypeError, match="pip install phe"):
        NaiveBackend("phe")
    assert Server(256, insecure=True, backend="naive").pubkey.backend == "naive"


def test_gradient_is_that_of_half_the_mean_square_error():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(9, 4)), rng.normal(size=9)
    client = Client("Hospital 1", X, y)
    client.weights = rng.normal(size=4)
    steps = 1e-6 * np.eye(4)
    slopes = [
        (mean_square_error(X @ (client.weights + s), y) - mean_square_error(X @ (client.weights - s), y)) / 4e-6
        for s in steps
    ]
    np.testing.assert_allclose(client.compute_gradient(), slopes, rtol=1e-5)


def test_the_gradient_is_encrypted_without_a_copy_of_its_own(server, monkeypatch):
    client = Client("Hospital 1", np.eye(3), np.arange(3.0), server.pubkey)
    gradient, taken = client.compute_gradient(), []
    monkeypatch.setattr(client.model, "gradient", lambda: gradient)
    encrypt = type(server.pubkey).encrypt
    monkeypatch.setattr(type(server.pubkey), "encrypt", lambda key, x: taken.append(x) or encrypt(key, x))
    client.encrypted_gradient()
    assert len(taken) == 1
    assert np.shares_memory(taken[0], gradient)


def test_rows_are_copied_once_in_a_run(monkeypatch):
    copies = []
    real = models.as_plain_array
    monkeypatch.setattr(models, "as_plain_array", lambda values, name: copies.append(name) or real(values, name))
    X, y = [np.eye(3)] * 3, [np.ones(3)] * 3
    federated_learning(X, y, X[0], y[0], {"n_clients": 3, "key_length": 256, "insecure": True, "n_iter": 1, "eta": 0.1})
    rows = [name for name in copies if name != "gradient"]
    assert rows == ["X", "y"] * 3 + ["X_test", "y_test"]


def test_fit_takes_steps_alone():
    X, y = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([3.0, 4.0])
    client = Client("Hospital 1", X, y)
    client.fit(200, 0.4)
    np.testing.assert_allclose(client.predict(X), y, rtol=1e-9)


def test_a_client_keeps_copies_of_its_rows():
    X, y = np.ones((2, 2)), np.ones(2)
    client = Client("Hospital 1", X, y)
    X[0, 0] = 5
    assert client.X[0, 0] == 1


@pytest.mark.parametrize("shape", [(3,), (0, 2), (3, 0), (2, 2, 2), (4, 2)])
def test_rows_of_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match="Hospital 9"):
        Client("Hospital 9", np.ones(shape), np.ones(0 if 0 in shape[:1] else 3))


MASKED = np.ma.array([1.0, 2.0], mask=[True, False])


@pytest.mark.parametrize(
    "values", [MASKED, [1j, 2.0], ["1", "2"], [None, 1.0]], ids=["masked", "complex", "text", "None"]
)
def test_what_is_no_real_number_is_refused_and_not_converted(server, values):
    with pytest.raises(TypeError, match=r"x has dtype|x is a masked array|x holds an object"):
        encrypt_vector(server.pubkey, values)
    for data in ((np.eye(2), values), ([values, values], [1.0, 2.0])):
        with pytest.raises(TypeError, match=r"Hospital 9: [Xy]"):
            Client("Hospital 9", *data)
    client = Client("Hospital 9", np.eye(2), [1.0, 2.0])
    with pytest.raises(TypeError, match="Hospital 9: gradient"):
        client.gradient_step(values)


def test_masked_rows_are_refused():
    with pytest.raises(TypeError, match="Hospital 9: X is a masked array"):
        Client("Hospital 9", np.ma.array(np.eye(2), mask=np.eye(2)), [1.0, 2.0])
    with pytest.raises(TypeError, match="masked"):
        Client("Hospital 9", np.eye(2), [1.0, 2.0]).predict(np.ma.array(np.eye(2), mask=np.eye(2)))


def test_arguments_of_another_class_are_named(server):
    vector = encrypt_vector(server.pubkey, [1.0, 2.0])
    client = Client("Hospital 9", np.eye(2), [1.0, 2.0], server.pubkey)
    for name, call in {
        "vector": lambda: server.decrypt_aggregate("foo", 3),
        "sum_to": lambda: client.encrypted_gradient("x"),
        "pubkey": lambda: Client("Hospital 9", np.eye(2), [1.0, 2.0], "key"),
        "public_key": lambda: encrypt_vector("key", [1.0]),
        "private_key": lambda: decrypt_vector("key", vector),
        "x": lambda: decrypt_vector(server.privkey, "foo"),
        "y": lambda: sum_encrypted_vectors(vector, "foo"),
    }.items():
        with pytest.raises(TypeError, match=rf"^{name} must be of class"):
            call()
    with pytest.raises(TypeError, match=r"^x must be of class"):
        sum_encrypted_vectors("foo", "bar")


@pytest.mark.parametrize("n_clients", ["3", None, 3.0, True])
def test_the_number_of_clients_is_an_int(server, n_clients):
    x, y, z = (encrypt_vector(server.pubkey, [value]) for value in (1.0, 2.0, 0.0))
    with pytest.raises(ValueError, match="n_clients must be an int"):
        server.decrypt_aggregate(x + y + z, n_clients)
    assert server.decrypt_aggregate(x + y + z, np.int64(3)).tolist() == [1.0]


def test_key_lengths_may_be_numpy_integers(backend):
    assert Server(np.int64(256), insecure=True, backend=backend).pubkey.key_length == 256


def test_consent_is_a_bool():
    with pytest.raises(ValueError, match="insecure must be True or False"):
        Server(256, insecure="no")


def test_the_naive_backend_is_pickled_by_the_name_of_its_module():
    backend = pickle.loads(pickle.dumps(NaiveBackend(phe)))
    assert isinstance(backend, NaiveBackend)
    assert Server(256, insecure=True, backend=backend).pubkey.backend == "naive"


def test_what_was_encrypted_ahead_is_sent_once_and_in_its_round(server):
    party = Party("A", lambda: [[1.0, 2.0]], server.pubkey)
    party._encrypt_ahead()
    ahead = party._ahead[1]
    assert party.encrypted_gradient() is ahead
    assert party.encrypted_gradient() is not ahead
    party._encrypt_ahead()
    party.round = 5
    assert party.encrypted_gradient().contributions[0].round == 5
    party._encrypt_ahead()
    assert copy.copy(party)._ahead is None
    party.expect(3)
    assert party._ahead is None


def test_parties_without_a_key_say_so_in_a_ring_too(server):
    keyless = [Party(name, lambda: [[1.0]]) for name in "ABC"]
    for parties in (keyless, [Party("D", lambda: [[1.0]], server.pubkey), keyless[0]]):
        with pytest.raises(ProtocolError, match=r"^A has no public key to encrypt with$"):
            ring_pass(parties)
    with pytest.raises(ProtocolError, match=r"^a ring needs clients$"):
        ring_pass([])


def test_what_the_server_cannot_decrypt_names_who_sent_it(server, backend):
    parties = [Party(name, lambda: [[1.0]], server.pubkey) for name in "ABC"]
    with pytest.raises(ProtocolError, match=r"^round 1, C -> Server: the vector was encrypted with another key$"):
        next(run_rounds(Server(256, insecure=True, backend=backend), parties, 1))


def test_what_goes_wrong_ahead_is_told_when_its_turn_comes(server):
    party = Party("A", lambda: [[np.nan]], server.pubkey)
    party._encrypt_ahead()
    assert party._ahead is None
    with pytest.raises(ProtocolError, match="A: its update is not finite"):
        party.encrypted_gradient()


def test_a_party_alone_makes_nothing_ahead(server):
    party = Party("A", lambda: [[1.0]], server.pubkey)
    party.encrypted_gradient()
    assert party._encryptor is None
    assert not party._is_busy()
    assert (repr(party), repr(Client("B", np.eye(2), [1.0, 2.0]))) == ("Party('A')", "Client('B')")
    assert repr(Party.__new__(Party)) == "Party(None)"


def test_an_update_of_floats_is_not_copied(server, monkeypatch):
    update, taken = np.array([1.0, 2.0]), []
    encrypt = type(server.pubkey).encrypt
    monkeypatch.setattr(type(server.pubkey), "encrypt", lambda key, x: taken.append(x) or encrypt(key, x))
    Party("A", lambda: [update], server.pubkey).encrypted_gradient()
    assert np.shares_memory(taken[0], update)


@pytest.mark.parametrize(
    "backend",
    ["packed", "vectorized", NaiveBackend(phe), NaiveBackend(vecphe.phe)],
    ids=["packed", "vectorized", "naive of phe", "naive of vecphe.phe"],
)
def test_h50_integers_of_any_size_are_encrypted_or_refused_by_name(backend):
    server = Server(256, insecure=True, backend=backend)
    wide = server.pubkey.wider_range or "ask who made the key for one with a larger max_abs"
    with pytest.raises(ProtocolError) as caught:
        Party("A", lambda: [[1 << 300, 1]], server.pubkey).encrypted_gradient()
    assert str(caught.value) == (
        "A: its update cannot be encoded, a magnitude is beyond the range; lower eta, or scale the data, or take a "
        f"wider range: {wide}. It sent nothing"
    )
    assert isinstance(caught.value.__cause__, PlaintextOverflowError)
    total = Party("A", lambda: [[1 << 14, -3]], server.pubkey).encrypted_gradient()
    assert decrypt_vector(server.privkey, total).tolist() == [1 << 14, -3]


def test_h50_who_did_not_make_the_key_asks_for_a_wider_range():
    key = EncryptionKey.from_bytes(Server(256, insecure=True).pubkey.to_bytes(), insecure=True)
    with pytest.raises(
        ProtocolError, match=r"wider range: ask who made the key for one with a larger max_abs\. It sent"
    ):
        Party("A", lambda: [[1e9]], key).encrypted_gradient()


@pytest.mark.parametrize("sends_loss", [False, True])
def test_h50_a_gradient_that_left_the_floats_has_grown_or_never_began(server, sends_loss):
    client = Client("A", [[1.0, 0.0], [2.0, 0.0]], [1.0, 2.0], server.pubkey, sends_loss=sends_loss)
    way = "lower eta, or scale the data. It sent nothing"
    client.weights = np.array([np.inf, 0.0])
    with pytest.raises(ProtocolError) as caught:
        client.encrypted_gradient()
    assert str(caught.value) == f"A: its gradient is not finite; check its data for NaN, or {way}"
    client.weights = np.zeros(2)
    client.encrypted_gradient()
    client.weights = np.array([np.inf, 0.0])
    with pytest.raises(ProtocolError) as caught:
        client.encrypted_gradient()
    assert str(caught.value) == f"A: its gradient grew beyond all floats: the run diverges; {way}"


def test_a_gradient_is_taken_in_its_shape_and_in_a_row(server):
    def made():
        rows = np.random.default_rng(1).normal(size=(6, 2))
        return Client("A", rows, [0, 1, 2] * 2, model=lambda own, eta: LogisticRegression(own, eta, n_classes=3))

    gradient = np.arange(6.0).reshape(2, 3)
    for form in (gradient, gradient.ravel(), gradient.tolist()):
        client = made()
        client.gradient_step(form, 0.5)
        assert client.weights.tolist() == (-0.5 * gradient).tolist()
        assert client.round == 2
    for wrong in (gradient.T, gradient[:1], np.arange(5.0), 1.0):
        with pytest.raises(ProtocolError) as caught:
            made().gradient_step(wrong)
        assert str(caught.value) == f"A: got a gradient of shape {np.shape(wrong)}, not (2, 3)"
    with pytest.raises(ProtocolError, match=r"^A: got a gradient that is not finite$"):
        made().gradient_step(np.full((2, 3), np.inf))


@pytest.mark.parametrize("busy", [0, 1, 2, 3])
def test_threads_are_for_several_parties_that_are_busy(server, monkeypatch, busy):
    parties, started = [Party(name, lambda: [[1.0]], server.pubkey) for name in "ABC"], []
    for party in parties[:busy]:
        party._is_busy = lambda: True
    monkeypatch.setattr(ring, "run_in_threads", lambda _, tasks, n_jobs: started.append((tasks, n_jobs)))
    ring_pass(parties, n_jobs=7)
    assert started == ([([(party,) for party in parties[:busy]], 7)] if busy > 1 else [])


def test_h51_the_run_is_that_of_the_first(server, backend):
    parties = [Party(name, lambda: [[1.0]], server.pubkey) for name in "ABC"]
    parties[2].pubkey = Server(256, insecure=True, backend=backend).pubkey
    with pytest.raises(ProtocolError, match=r"^round 1, B -> C: keys differ"):
        ring_pass(parties)


def test_where_messages_of_a_ring_go(server):
    parties, sent = [Party(name, lambda: [[1.0]], server.pubkey) for name in "ABC"], []
    ring_pass(parties, "Z", 9, lambda *message: sent.append(message[:4]))
    assert sent == [(9, *pair, "encrypted-sum") for pair in ("AB", "BC", "CZ")]
    assert [party.round for party in parties] == [9, 9, 9]
