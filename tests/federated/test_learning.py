"""The models that come out: known errors, and weights equal to plain numpy's."""

import sys

import numpy as np
import phe
import pytest

from vecphe.errors import ProtocolError
from vecphe.federated import NaiveBackend, federated_learning, local_learning
from vecphe.federated.clock import PHASES

LOCAL_MSE = [3810.44, 3982.58, 3569.32, 4144.15, 3848.39]
FEDERATED_MSE = 3775.50


def plain_history(X, y, n_iter=50, eta=1.5):
    """The same training in plain numpy."""
    weights = np.zeros(X[0].shape[1])
    history = []
    for _ in range(n_iter):
        gradients = [X_own.T @ (X_own @ weights - y_own) / len(y_own) for X_own, y_own in zip(X, y, strict=True)]
        weights = weights - eta * np.mean(gradients, axis=0)
        history.append(weights)
    return np.array(history)


@pytest.fixture(scope="module")
def results(diabetes):
    """Full runs at 1024 bits on the three backends."""
    backends = {"naive": NaiveBackend(phe), "vectorized": "vectorized", "packed": "packed"}
    return {
        name: federated_learning(*diabetes, {"key_length": 1024, "insecure": True, "backend": backend})
        for name, backend in backends.items()
    }


def test_local_errors_are_the_known_ones(diabetes):
    result = local_learning(*diabetes)
    assert [round(mse, 2) for mse in result.mse] == LOCAL_MSE
    assert result.weights.shape == (5, 11)
    assert result.transcript == ()


@pytest.mark.parametrize("name", ["naive", "vectorized", "packed"])
def test_federated_errors_are_the_known_ones(results, name):
    assert [round(mse, 2) for mse in results[name].mse] == [FEDERATED_MSE] * 5


@pytest.mark.parametrize("name", ["vectorized", "packed"])
def test_weights_equal_the_naive_ones_and_those_of_numpy(results, diabetes, name):
    plain = plain_history(*diabetes[:2])
    for client in range(5):
        np.testing.assert_allclose(results[name].weights[client], results["naive"].weights[client], rtol=1e-9, atol=0)
        np.testing.assert_allclose(results[name].weights[client], plain[-1], rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", ["naive", "vectorized", "packed"])
def test_history_is_the_model_after_every_round(results, diabetes, name):
    history = results[name].history
    np.testing.assert_allclose(history, plain_history(*diabetes[:2]), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(history[-1], results[name].weights[0])


@pytest.mark.parametrize(("name", "ciphertexts"), [("naive", 11), ("vectorized", 11), ("packed", 1)])
def test_sizes_and_seconds_are_reported(results, name, ciphertexts):
    result = results[name]
    assert result.ciphertexts_per_hop == ciphertexts
    assert result.bytes_per_hop == ciphertexts * 256
    assert tuple(result.seconds) == PHASES
    assert all(result.seconds[phase] > 0 for phase in PHASES)
    assert result.n_iter == 50
    online = sum(result.seconds[phase] for phase in ("gradient", "encrypt", "add", "decrypt", "step")) / 50
    assert result.online_seconds_per_round == pytest.approx(online)
    assert result.seconds_per_round == pytest.approx(online + result.seconds["randomizers"] / 50)


def test_a_run_can_be_ended_early(diabetes):
    config = {"key_length": 512, "insecure": True}
    seen = []

    def stop_after_three(number):
        seen.append(number)
        return number < 3

    result = federated_learning(*diabetes, config, on_round=stop_after_three)
    assert seen == [1, 2, 3]
    assert result.n_iter == len(result.history) == 3
    np.testing.assert_allclose(result.history, plain_history(*diabetes[:2])[:3], rtol=1e-9)


@pytest.mark.parametrize(("answer", "rounds"), [(np.False_, 1), (False, 1), (None, 2), (np.True_, 2), ("", 2)])
def test_what_ends_a_run_early(diabetes, answer, rounds):
    config = {"key_length": 512, "insecure": True, "n_iter": 2}
    assert federated_learning(*diabetes, config, on_round=lambda _: answer).n_iter == rounds


def test_what_cannot_be_called_is_refused_before_a_key_is_made(diabetes, monkeypatch):
    monkeypatch.setattr("vecphe.federated.protocol.Server", None)
    with pytest.raises(TypeError, match="on_round must be callable, not int"):
        federated_learning(*diabetes, on_round=5)


def test_the_layout_follows_the_number_of_clients():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(2, 3)) for _ in range(7)]
    y = [rng.normal(size=2) for _ in range(7)]
    config = {"n_clients": 7, "key_length": 256, "insecure": True, "n_iter": 2, "eta": 0.1}
    result = federated_learning(X, y, X[0], y[0], config)
    np.testing.assert_allclose(result.weights[6], plain_history(X, y, 2, 0.1)[-1], rtol=1e-9)


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_jobs_do_not_change_the_result(diabetes, n_jobs):
    config = {"key_length": 512, "insecure": True, "n_iter": 2, "backend": "vectorized", "n_jobs": n_jobs}
    result = federated_learning(*diabetes, config)
    np.testing.assert_allclose(result.history, plain_history(*diabetes[:2])[:2], rtol=1e-9)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"n_itr": 5}, "no key 'n_itr'"),
        ({"n_iter": 0}, "n_iter"),
        ({"n_iter": True}, "n_iter"),
        ({"n_clients": 5.0}, "n_clients"),
        ({"n_clients": "5"}, "n_clients"),
        ({"key_length": "2048"}, "key_length"),
        ({"insecure": "no"}, "insecure must be True or False"),
        ({"insecure": 1}, "insecure must be True or False"),
        ({"record_transcript": "yes"}, "record_transcript"),
        ({"eta": float("nan")}, "eta"),
        ({"eta": -1.0}, "eta"),
        ({"eta": "1"}, "eta"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"backend": "fast"}, "packed, vectorized"),
        ({"n_clients": 4}, "n_clients is 4, but there are 5"),
    ],
)
def test_wrong_options_are_refused_before_a_key_is_made(diabetes, monkeypatch, config, message):
    monkeypatch.setattr("vecphe.federated.protocol.Server", None)
    with pytest.raises(ValueError, match=message):
        federated_learning(*diabetes, config)


def test_naive_by_name_imports_phe(diabetes):
    config = {"key_length": 256, "insecure": True, "n_iter": 1, "backend": "naive"}
    result = federated_learning(*diabetes, config)
    assert result.ciphertexts_per_hop == 11
    np.testing.assert_allclose(result.history, plain_history(*diabetes[:2], 1), rtol=1e-9)


def test_naive_by_name_says_how_to_install_what_is_missing(diabetes, monkeypatch):
    monkeypatch.setitem(sys.modules, "phe", None)
    monkeypatch.setattr("vecphe.federated.protocol.Server", None)
    with pytest.raises(ValueError, match="pip install phe"):
        federated_learning(*diabetes, {"key_length": 256, "insecure": True, "backend": "naive"})


def test_short_keys_need_consent(diabetes, backend):
    with pytest.raises(ValueError, match="insecure=True"):
        federated_learning(*diabetes, {"key_length": 1024, "backend": backend})


def test_options_may_be_numpy_integers(diabetes, backend):
    config = {"n_clients": np.int32(5), "key_length": np.int64(256), "n_iter": np.int16(2), "backend": backend}
    result = federated_learning(*diabetes, {**config, "insecure": True, "record_transcript": True})
    assert result.n_iter == 2
    assert len(result.transcript[0].payload) == 32


@pytest.mark.parametrize(
    "options", [{"eta": 1.5, "l2": 1.0}, {"eta": 3.0}, {"eta": 3.0, "tol": 1e-6}], ids=["penalty", "step", "tol"]
)
def test_h50_a_run_that_goes_up_in_the_end_is_no_model(options):
    """Its loss may still be below that of zero weights, and every gradient within the range."""
    x = np.linspace(-1, 1, 30).reshape(3, 10, 1)
    y = 3 * x[..., 0]
    config = {"key_length": 512, "insecure": True, "n_clients": 3, "scale": "federated", "n_iter": 10}
    with pytest.raises(
        ProtocolError,
        match=r"the mean loss (is higher after the last step than before it|has doubled), the run diverges; lower eta",
    ):
        federated_learning(x, y, x[0], y[0], {**config, **options})
    federated_learning(x, y, x[0], y[0], {**config, **options, "n_iter": 1, "tol": None})  # a try, whatever comes out
    fitting = {**config, **options, "eta": 0.9}
    assert federated_learning(x, y, x[0], y[0], fitting).mse[0] < 3.0  # of 8.6 without a model


def test_h50_gradients_that_encode_to_nothing_are_told():
    x = np.linspace(-1, 1, 30).reshape(3, 10, 1)
    config = {"key_length": 512, "insecure": True, "n_clients": 3, "scale": "none", "n_iter": 10, "eta": 0.9}
    with pytest.raises(ProtocolError, match=r"the weights did not change, .* more fraction_bits, or scale the data"):
        federated_learning(x, 1e-13 * x[..., 0], x[0], x[0, :, 0], config)
    nothing = federated_learning(x, np.zeros((3, 10)), x[0], x[0, :, 0], config)  # where that is the optimum
    assert not nothing.weights.any()
