"""Guards of the protocol, each named after its row in the list of hazards."""

import dataclasses
import importlib

import numpy as np
import phe
import pytest

from vecphe.errors import KeyMismatchError, LayoutMismatchError, PlaintextOverflowError, ProtocolError
from vecphe.federated import (
    Client,
    NaiveBackend,
    PackedBackend,
    Server,
    decrypt_vector,
    encrypt_vector,
    federated_learning,
    get_data,
    local_learning,
    sum_encrypted_vectors,
)
from vecphe.federated.protocol import ring_pass

INSECURE = {"key_length": 256, "insecure": True, "n_iter": 1, "eta": 0.1}


def shards(n_clients, n_features=3):
    rng = np.random.default_rng(1)
    return [rng.normal(size=(4, n_features)) for _ in range(n_clients)], [rng.normal(size=4) for _ in range(n_clients)]


def make_server(backend="packed", **options):
    return Server(256, insecure=True, backend=backend, **options)


def make_clients(server, n_clients=3, n_features=3):
    X, y = shards(n_clients, n_features)
    names = [f"Hospital {i}" for i in range(1, n_clients + 1)]
    return [Client(name, *own, server.pubkey) for name, *own in zip(names, X, y, strict=True)]


def total_of(server, clients):
    total = None
    for client in clients:
        total = client.encrypted_gradient(sum_to=total)
    return total


@pytest.mark.parametrize("n_clients", [1, 2])
def test_h48_fewer_than_three_clients_are_refused(n_clients):
    X, y = shards(n_clients)
    config = {**INSECURE, "n_clients": n_clients}
    with pytest.raises(ProtocolError, match="subtraction"):
        federated_learning(X, y, X[0], y[0], config)
    result = federated_learning(X, y, X[0], y[0], config, unsafe_few_clients=True)
    assert len(result.mse) == n_clients


def test_h48_they_are_refused_before_a_key_is_made(monkeypatch):
    monkeypatch.setattr("vecphe.federated.protocol.Server", None)
    X, y = shards(2)
    with pytest.raises(ProtocolError, match="subtraction"):
        federated_learning(X, y, X[0], y[0], {**INSECURE, "n_clients": 2})


def test_h48_the_consent_is_no_config_key():
    X, y = shards(2)
    with pytest.raises(ValueError, match="no key"):
        federated_learning(X, y, X[0], y[0], {**INSECURE, "n_clients": 2, "unsafe_few_clients": True})


def test_h49_more_clients_than_rows():
    with pytest.raises(ValueError, match="n_clients=393"):
        get_data(393)
    assert [len(y) for y in get_data(392)[1]] == [1] * 392


def test_h49_an_empty_shard_is_refused():
    X, y = shards(3)
    X[1], y[1] = np.empty((0, 3)), np.empty(0)
    with pytest.raises(ValueError, match="Hospital 2 has no data"):
        federated_learning(X, y, X[0], y[0], {**INSECURE, "n_clients": 3})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_h50_a_client_with_a_gradient_that_is_not_finite_stops(bad, backend):
    server = make_server(backend)
    clients = make_clients(server)
    clients[1].X[2, 1] = bad
    sent = []
    with pytest.raises(ProtocolError, match="Hospital 2: its gradient is not finite"):
        ring_pass(clients, record=lambda *message: sent.append(message))
    assert [message[1] for message in sent] == ["Hospital 1"]


def test_h50_it_stops_before_anything_is_encrypted(monkeypatch, backend):
    server = make_server(backend)
    client = make_clients(server)[0]
    client.y[0] = np.nan
    monkeypatch.setattr(type(server.pubkey), "encrypt", lambda *_: pytest.fail("encrypted"))
    with pytest.raises(ProtocolError, match="Hospital 1"):
        client.encrypted_gradient()


def test_h50_divergence_is_told_with_the_way_out(diabetes):
    grows = r"Hospital \d: its gradient (grows|grew) .*: the run diverges; lower eta"
    for options, way_out in (({}, r", or take scale='federated'\."), ({"scale": "federated"}, r"\.")):
        for backend in ("packed", "vectorized", "naive"):
            with pytest.raises(ProtocolError, match=grows + way_out) as caught:
                federated_learning(*diabetes, {**INSECURE, "eta": 50.0, "n_iter": 400, "backend": backend, **options})
            assert "max_abs" not in str(caught.value)
    with pytest.raises(ProtocolError, match=r"cannot be encoded.*max_abs=64"):  # from the first round on: no divergence
        federated_learning(*diabetes, {**INSECURE, "max_abs": 2.0, "n_iter": 3})


def test_h50_a_client_alone_that_diverges_is_named(diabetes):
    X, y, *test = diabetes
    for tol in (None, 1e-3):
        with pytest.raises(ProtocolError, match=r"^far: .*lower eta, or take scale='federated'"):
            local_learning(
                [X[0], X[1] * 1e3], y[:2], *test, {"n_clients": 2, "n_iter": 400, "tol": tol}, names=["near", "far"]
            )


def test_h50_a_broadcast_that_is_not_finite_changes_nothing():
    client = make_clients(make_server())[0]
    for gradient in ([1.0, np.nan, 0.0], [1.0, 2.0]):
        with pytest.raises(ProtocolError, match="Hospital 1"):
            client.gradient_step(gradient, 0.1)
    assert client.weights.tolist() == [0.0, 0.0, 0.0]


def swap(clients, position, X, y, key):
    clients[position] = Client(clients[position].name, X, y, key)


def test_h51_wrong_length_is_refused_at_the_hop_naming_both_peers(backend):
    for width in (1, 4):
        clients = make_clients(make_server(backend))
        swap(clients, 2, np.ones((4, width)), np.ones(4), clients[0].pubkey)
        with pytest.raises(ProtocolError, match="round 7, Hospital 2 -> Hospital 3: lengths differ"):
            ring_pass(clients, number=7)


def test_h51_another_key_is_refused_at_the_hop_naming_both_peers(backend):
    clients = make_clients(make_server(backend))
    swap(clients, 1, clients[1].X, clients[1].y, make_server(backend).pubkey)
    with pytest.raises(ProtocolError, match="Hospital 1 -> Hospital 2") as caught:
        ring_pass(clients)
    assert isinstance(caught.value.__cause__, KeyMismatchError)


@pytest.mark.parametrize(
    ("place", "told"), [(0, "Hospital 2 adds .* is of round 7, not 1"), (2, "Hospital 3 adds .* is of round 1, not 7")]
)
def test_h51_a_client_in_another_round_is_told_where_it_comes_in(backend, place, told):
    clients = make_clients(make_server(backend))
    clients[place].round = 7
    with pytest.raises(ProtocolError, match=told):
        ring_pass(clients)


def test_h51_another_layout_is_refused_at_the_hop_naming_both_peers():
    server = make_server(PackedBackend(max_terms=3))
    clients = make_clients(server)
    key = server.pubkey
    other = type(key)("packed", key.public_key, PackedBackend(max_terms=200).encoding, True, None)
    swap(clients, 1, clients[1].X, clients[1].y, other)
    with pytest.raises(ProtocolError, match="Hospital 1 -> Hospital 2") as caught:
        ring_pass(clients)
    assert isinstance(caught.value.__cause__, LayoutMismatchError)


def test_h51_too_many_clients_for_the_layout_are_refused_at_the_hop():
    clients = make_clients(make_server(PackedBackend(max_terms=1)), n_clients=5)
    with pytest.raises(ProtocolError, match=r"Hospital \d -> Hospital \d"):
        ring_pass(clients)


def test_h51_the_server_refuses_another_key(backend):
    total = ring_pass(make_clients(make_server(backend)))
    with pytest.raises(KeyMismatchError):
        make_server(backend).decrypt_aggregate(total, 3)


@pytest.mark.parametrize("n_clients", [2, 4, 6])
def test_h53_terms_that_are_not_the_number_of_clients_are_refused(backend, n_clients):
    server = make_server(backend)
    total = ring_pass(make_clients(server, n_clients=n_clients)[: max(n_clients - 1, 1)])
    with pytest.raises(ProtocolError):
        server.decrypt_aggregate(total, n_clients)


def test_h53_a_single_gradient_is_refused(backend):
    server = make_server(backend, unsafe_few_clients=True)
    gradient = make_clients(server)[0].encrypted_gradient()
    with pytest.raises(ProtocolError, match="1 contribution, but there are 3"):
        server.decrypt_aggregate(gradient, 3)


def test_h53_fewer_than_three_clients_are_refused_by_the_server(backend):
    server = make_server(backend)
    clients = make_clients(server)
    with pytest.raises(ProtocolError, match="subtraction"):
        server.decrypt_aggregate(ring_pass(clients[:2]), 2)
    mean = server.decrypt_aggregate(ring_pass(clients), 3)
    np.testing.assert_allclose(mean, np.mean([c.compute_gradient() for c in clients], axis=0), rtol=1e-9)


def test_a_client_without_key_sends_nothing():
    X, y = shards(1)
    with pytest.raises(ProtocolError, match="no public key"):
        Client("Hospital 1", X[0], y[0]).encrypted_gradient()


def test_a_sum_that_was_refused_leaves_the_vector_unchanged(backend):
    server = make_server(backend)
    ours, theirs = encrypt_vector(server.pubkey, [1.0, 2.0]), encrypt_vector(make_server(backend).pubkey, [1.0, 2.0])
    with pytest.raises(KeyMismatchError):
        sum_encrypted_vectors(ours, theirs)
    np.testing.assert_allclose(decrypt_vector(server.privkey, ours), [1.0, 2.0])
    assert ours.terms == 1


def test_h52_a_client_that_adds_nothing_leaves_a_sum_that_the_server_refuses(backend):
    server = make_server(backend)
    clients = make_clients(server, n_clients=4)
    clients[2].encrypted_gradient = lambda sum_to: sum_to
    with pytest.raises(ProtocolError, match="round 1, Hospital 3: the sum records 2 contributions, but there are 3"):
        ring_pass(clients)
    with pytest.raises(ProtocolError, match="3 contributions, but there are 4"):
        server.decrypt_aggregate(total_of(server, clients), 4)


MIXTURES = {
    "a multiple": lambda vector: vector * 2,
    "a value in the clear": lambda vector: vector + np.ones(3),
}


@pytest.mark.parametrize("backend", ["vectorized", "packed"])
@pytest.mark.parametrize("mix", MIXTURES.values(), ids=MIXTURES)
def test_h53_a_sum_with_something_mixed_in_is_refused(backend, mix):
    server = make_server(backend)
    total = ring_pass(make_clients(server))
    assert total.is_sum_of_terms
    mixed = dataclasses.replace(total, array=mix(total.array))
    with pytest.raises(ProtocolError, match="mixed into the sum"):
        server.decrypt_aggregate(mixed, 3)


@pytest.mark.parametrize("backend", ["vectorized", "packed"])
@pytest.mark.parametrize("mix", MIXTURES.values(), ids=MIXTURES)
def test_h53_a_mixture_does_not_stand_for_a_client(backend, mix):
    server = make_server(backend)
    total = ring_pass(make_clients(server)[:2])
    with pytest.raises(ProtocolError, match="2 contributions, but there are 3"):
        server.decrypt_aggregate(dataclasses.replace(total, array=mix(total.array)), 3)


@pytest.mark.parametrize("eta", [np.nan, np.inf, -np.inf])
def test_h50_a_step_size_that_is_not_finite_changes_nothing(eta):
    client = make_clients(make_server())[0]
    with pytest.raises(ProtocolError, match="Hospital 1: got a step size eta"):
        client.gradient_step([1.0, 0.0, 0.0], eta)
    assert client.weights.tolist() == [0.0, 0.0, 0.0]


def test_h50_a_step_to_infinite_weights_is_not_taken():
    client = make_clients(make_server())[0]
    client.gradient_step([1.0, 0.0, -1e308], 1.0)
    with pytest.raises(ProtocolError, match=r"Hospital 1: the step .* lower eta"):
        client.gradient_step([1.0, 0.0, -1e308], 1.0)
    with pytest.raises(ProtocolError, match=r"Hospital 1: the step .* lower eta"):
        client.fit(1, 1e308)
    assert client.weights.tolist() == [-1.0, 0.0, 1e308]


def test_h50_models_whose_errors_are_infinite_are_told():
    X, y = shards(3)
    with pytest.raises(ProtocolError, match=r"Hospital 1: its error on the test rows.*lower eta"):
        local_learning(X, y, X[0] * 1e200, y[0], {"n_clients": 3, "n_iter": 1})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_h50_data_that_are_not_finite_are_refused_naming_the_client(bad):
    for place in (0, 1):
        data = shards(3)
        data[place][1][2] = bad
        with pytest.raises(ValueError, match=f"Hospital 2: {'Xy'[place]} holds NaN or infinity"):
            federated_learning(*data, *[block[0] for block in shards(3)], {**INSECURE, "n_clients": 3})


def decrypt_all_doubles(server, total):
    for _ in range(256):
        total = total + total
        decrypt_vector(server.privkey, total)


def test_a_naive_sum_too_large_for_its_key_is_no_bare_error():
    server = make_server(NaiveBackend(phe))
    total = encrypt_vector(server.pubkey, [1.0])
    with pytest.raises(PlaintextOverflowError, match="too large"):
        decrypt_all_doubles(server, total)
    far_apart = encrypt_vector(server.pubkey, [1e60]), encrypt_vector(server.pubkey, [1e-40])
    with pytest.raises(PlaintextOverflowError, match="too far apart"):
        sum_encrypted_vectors(*far_apart)


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b", "Server"],
        ["a", "b", ""],
        ["a", "b", 3],
        ["a", "b", None],
        ["a", "b", ["c"]],
        ["a", "b", "b"],
        ["a", "b"],
        ["a", "b", "c", "d"],
        ["a", "b", "c", "c"],
    ],
)
def test_names_are_different_strings_and_none_is_the_servers(monkeypatch, names):
    monkeypatch.setattr("vecphe.federated.protocol.Server", None)
    X, y = shards(3)
    for learn in (federated_learning, local_learning):
        with pytest.raises(ValueError, match="names must be"):
            learn(X, y, X[0], y[0], {**INSECURE, "n_clients": 3}, names=names)


@pytest.mark.parametrize(
    ("X_test", "y_test", "message"),
    [
        (np.ones((4, 2)), np.ones(4), "X_test has 2 features, but Hospital 1 has 3"),
        (np.ones((4, 3)), np.ones((4, 1)), "y_test shape"),
        (np.ones((4, 3)), np.ones(3), "y_test shape"),
        (np.ones(3), np.ones(3), "X_test must have shape"),
        (np.ones((0, 3)), np.ones(0), "no data: X_test"),
        (np.full((4, 3), np.nan), np.ones(4), "X_test holds NaN"),
        (np.ones((4, 3)), [1, 2, 3, np.inf], "y_test holds NaN or infinity"),
    ],
)
def test_test_rows_are_checked_before_a_key_is_made(monkeypatch, X_test, y_test, message):
    monkeypatch.setattr("vecphe.federated.protocol.Server", None)
    X, y = shards(3)
    for learn in (federated_learning, local_learning):
        with pytest.raises(ValueError, match=message):
            learn(X, y, X_test, y_test, {**INSECURE, "n_clients": 3})


def test_what_parties_hand_around_does_not_change():
    X, y = shards(3)
    federated_learning(X, y, X[0], y[0], {**INSECURE, "n_clients": 3, "record_transcript": True})
    made = set()
    for name in (
        "backends",
        "data",
        "interface",
        "models",
        "protocol",
        "ring",
        "rounds",
        "scaling",
        "tasks",
        "trained",
    ):
        module = importlib.import_module(f"vecphe.federated.{name}")
        kinds = [kind for kind in vars(module).values() if dataclasses.is_dataclass(kind)]
        made |= {kind for kind in kinds if kind.__module__ == module.__name__}
    assert len(made) == 16
    assert {kind.__name__ for kind in made if not kind.__dataclass_params__.frozen} == {"Run"}  # it counts its rounds
    assert {kind.__name__ for kind in made if "__slots__" in vars(kind)} == {"Contribution"}
    by_identity = {kind.__name__ for kind in made if kind.__eq__ is object.__eq__}
    assert by_identity == {
        "_NaiveVector",
        "_ArrayVector",
        "Rows",
        "LinearForm",
        "Scaling",
        "Task",
        "TrainedModel",
    }  # arrays and ciphertexts have no one truth value


def test_vectors_do_not_print_their_ciphertexts(parties):
    vector = parties.clients[0].encrypted_gradient()
    assert repr(vector) == object.__repr__(vector)
