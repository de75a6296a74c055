"""Options of a run, and what it gives."""

import numpy as np
import pytest

from vecphe.errors import ProtocolError
from vecphe.federated import LinearRegression, PackedBackend, ProtocolConfig, ProtocolResult, local_learning
from vecphe.federated.clock import PHASES
from vecphe.plaintext.encoding import FixedPoint


@pytest.mark.parametrize(("name", "least"), [("n_clients", 1), ("key_length", 1), ("n_iter", 1), ("max_restarts", 0)])
def test_numbers_of_things_have_a_least_value(name, least):
    assert getattr(ProtocolConfig(**{name: np.int16(least)}), name) == least
    assert type(getattr(ProtocolConfig(**{name: np.int16(least)}), name)) is int
    wanted = "positive" if least else "at least 0"
    with pytest.raises(ValueError, match=rf"^{name} must be {wanted}, not {least - 1}$"):
        ProtocolConfig(**{name: least - 1})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"eta": 0}, "eta must be positive and finite, not 0"),
        ({"eta": np.inf}, "eta must be positive and finite, not inf"),
        ({"eta": np.True_}, f"eta must be a number, not {np.True_!r}"),
        ({"eta": True}, "eta must be a number, not True"),
        ({"l2": -0.5}, "l2 must be at least 0 and finite, not -0.5"),
        ({"l2": np.inf}, "l2 must be at least 0 and finite, not inf"),
        ({"tol": -0.5}, "tol must be at least 0 and finite, not -0.5"),
        ({"scale": "local"}, "scale must be 'none' or 'federated', not 'local'"),
        ({"missing": "drop"}, "missing must be 'error' or 'mean', not 'drop'"),
        ({"missing": "mean"}, "missing='mean' fills in the means that scale='federated' finds; set both"),
        ({"insecure": 1}, "insecure must be True or False, not 1"),
        ({"record_transcript": None}, "record_transcript must be True or False, not None"),
        ({"fit_intercept": "no"}, "fit_intercept must be True or False, not 'no'"),
        ({"n_iter": 2.0}, "n_iter must be an int, not 2.0"),
    ],
)
def test_options_are_refused_to_the_letter(options, told):
    with pytest.raises(ValueError, match=r"must|missing") as caught:
        ProtocolConfig(**options)
    assert str(caught.value) == told


def test_the_least_that_may_be_zero_is():
    config = ProtocolConfig(l2=0, tol=0, insecure=np.True_, scale="federated", missing="mean", eta=np.float32(1e-30))
    assert (config.l2, config.tol, config.insecure) == (0, 0, True)


def test_defaults_are_those_that_the_documents_tell():
    config = ProtocolConfig()
    assert ProtocolConfig.from_mapping(None) == ProtocolConfig.from_mapping({}) == config
    assert (config.n_clients, config.n_iter, config.eta, config.max_restarts) == (5, 50, 1.5, 1)
    assert (config.insecure, config.record_transcript, config.fit_intercept, config.l2) == (False, False, False, 0.0)
    with pytest.raises(
        ValueError, match=r"^config has no key 'n_itr'; the keys are n_clients, key_length, .*max_terms$"
    ):
        ProtocolConfig.from_mapping({"n_itr": 5})


@pytest.mark.parametrize(
    ("scale", "fit_intercept", "has_intercept", "slower"),
    [
        ("none", False, False, "lower eta, or take scale='federated'"),
        ("none", True, True, "lower eta, or take scale='federated'"),
        ("federated", False, True, "lower eta"),
        ("federated", True, True, "lower eta"),
    ],
)
def test_what_follows_from_the_scale(scale, fit_intercept, has_intercept, slower):
    config = ProtocolConfig(scale=scale, fit_intercept=fit_intercept)
    assert (config.has_intercept, config.slower) == (has_intercept, slower)


def test_room_for_the_sums_of_all_clients():
    assert ProtocolConfig(n_clients=7).named_backend().encoding.max_terms == 7
    assert ProtocolConfig(n_clients=7, max_terms=7).named_backend().encoding.max_terms == 7
    for given, way in (
        ({"max_terms": 6}, "max_terms=7"),
        ({"encoding": FixedPoint(max_terms=6)}, "max_terms=7"),
        ({"backend": PackedBackend(6)}, "make the backend with max_terms=7 or more"),
    ):
        with pytest.raises(ValueError, match=rf"^max_terms=6 has no room for 7 clients: {way}$"):
            ProtocolConfig(n_clients=7, **given).named_backend()
    with pytest.raises(ValueError, match=r"^max_terms=1 has no room for 2 clients: max_terms=2$"):
        ProtocolConfig(n_clients=2, max_terms=1).named_backend()
    assert ProtocolConfig(n_clients=6, backend=PackedBackend(6)).named_backend().encoding.max_terms == 6


def test_seconds_of_a_round_are_those_of_all_phases_but_the_first_two():
    seconds = {phase: 2.0**place for place, phase in enumerate(PHASES)}
    result = ProtocolResult([], np.zeros((0, 0)), np.zeros((0, 0)), 4, seconds)
    assert PHASES[:4] == ("keygen", "setup", "gradient", "randomizers")
    assert result.seconds_per_round == (4 + 8 + 16 + 32 + 64 + 128) / 4
    assert result.online_seconds_per_round == (4 + 16 + 32 + 64 + 128) / 4
    assert (result.ciphertexts_per_hop, result.bytes_per_hop, result.transcript, result.losses) == (0, 0, (), ())


def two(n_iter, **options):
    """Two clients, each alone; that of the first goes on for longer."""
    x = np.linspace(-1, 1, 10)[:, np.newaxis]
    config = {"n_clients": 2, "n_iter": n_iter, "eta": 0.5, **options}
    return local_learning([x, x], [3 * x[:, 0], np.zeros(10)], x, np.zeros(10), config)


def test_what_a_client_learned_is_repeated_where_others_go_on():
    result = two(30, tol=1e-3)
    assert 6 < result.n_iter < 30
    assert result.history.shape == (result.n_iter, 2, 1)
    assert not result.history[:, 1].any()
    assert (np.diff(result.history[:, 0, 0]) > 0).all()
    other = two(30, tol=1e-3, scale="federated")
    assert len(other.scalings) == 2
    np.testing.assert_array_equal(other.history[-1], other.weights)
    assert other.linear(1).coefficients.tolist() == [0.0]
    assert other.linear().coefficients.tolist() == other.linear(0).coefficients.tolist() != [0.0]


def test_h50_errors_that_are_no_numbers_are_told_as_infinite_ones():
    rng = np.random.default_rng(1)
    X = [rng.normal(size=(20, 2)) for _ in range(2)]
    y = [10 * (rows[:, 0] - rows[:, 1]) for rows in X]
    config = {"n_clients": 2, "n_iter": 50, "eta": 0.5}
    assert local_learning(X, y, X[0], y[0], config).mse[0] < 1e-3
    for far in ([[1e308, 1e308]], [[1e308, -1e308]]):
        with pytest.raises(ProtocolError, match=r"^Hospital 1: its error on the test rows is not finite, the run div"):
            local_learning(X, y, far, [0.0], config)


def test_test_rows_are_scaled_for_each_by_what_it_has_learned_with():
    class Counted(LinearRegression):
        seen: list = []  # noqa: RUF012

        def error(self, rows):
            self.seen.append(rows.X.tolist())
            return super().error(rows)

    X, y = [np.array([[0.0], [2.0]]), np.array([[0.0], [4.0]])], [np.array([0.0, 1.0])] * 2
    for scale, seen in (("none", [[[2.0]], [[2.0]]]), ("federated", [[[1.0, 1.0]], [[0.0, 1.0]]])):
        Counted.seen.clear()
        config = {"n_clients": 2, "n_iter": 1, "eta": 0.1, "scale": scale}
        local_learning(X, y, [[2.0]], [1.0], config, model=Counted)
        assert Counted.seen == seen
