"""Options of a run, and what it gives."""

from types import SimpleNamespace

import numpy as np
import pytest

from vecphe.errors import ProtocolError
from vecphe.federated import (
    LinearRegression,
    PackedBackend,
    ProtocolConfig,
    ProtocolResult,
    federated_learning,
    local_learning,
    protocol,
)
from vecphe.federated.backends import _ArrayKey
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
    rng, signs = np.random.default_rng(1), np.array([1, -1] * 4)
    X = [rng.normal(size=(40, 8)) for _ in range(2)]
    y = [10 * rows @ signs for rows in X]
    config = {"n_clients": 2, "n_iter": 100, "eta": 0.4}
    assert local_learning(X, y, X[0], y[0], config).mse[0] < 1e-3
    for far in ([[1e308] * 8] * 2, [1e308 * signs]):
        with pytest.raises(ProtocolError, match=r"^Hospital 1: its error on the test rows is not finite, the run div"):
            local_learning(X, y, far, [0.0] * len(far), config)


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


def three(**options):
    """Data of three clients and of the test, and options of a short run."""
    rng = np.random.default_rng(5)
    X, y = [rng.normal(size=(6, 2)) for _ in range(3)], [rng.normal(size=6) for _ in range(3)]
    config = {"n_clients": 3, "key_length": 256, "insecure": True, "n_iter": 4, "eta": 0.1, **options}
    return X, y, X[0], y[0], config


def test_what_a_run_is_told_is_handed_on_to_its_rounds(monkeypatch):
    calls = []
    real = protocol.run_rounds

    def noted(*given, **named):
        calls.append((given[2], dict(named)))
        return real(*given, **named)

    monkeypatch.setattr(protocol, "run_rounds", noted)
    for drop in (False, True):
        for scale in ("none", "federated"):
            calls.clear()
            config = three(scale=scale, max_restarts=3, n_jobs=2)
            federated_learning(*config, unsafe_drop_clients=drop)
            named = {"max_restarts": 3, "unsafe_drop_clients": drop, "n_jobs": 2}
            for _, options in calls:
                assert callable(options.pop("record"))
            first = [(1, {**named, "broadcast": "column-totals"})] if scale == "federated" else []
            assert calls == [*first, (4, named)]


@pytest.mark.parametrize(("tol", "length"), [(None, 3), (1e-3, 4)])
def test_what_is_prepared_before_the_first_round(monkeypatch, tol, length):
    asked = []
    monkeypatch.setattr(_ArrayKey, "prepare", lambda _, *given: asked.append(given))
    federated_learning(*three(tol=tol, fit_intercept=True))
    assert asked == [(12, length)]
    federated_learning(*three(tol=tol, scale="federated"))
    # The totals of 3 columns, and of the rows: digits of 48 bits.
    assert asked[1:] == [(12, length), (3, 1 + 3 * (5 + 9))]


@pytest.mark.parametrize("scale", ["none", "federated"])
def test_each_phase_takes_the_time_of_its_own_rounds(monkeypatch, scale):
    """On a clock that goes on by one whenever it is looked at."""
    ticks = iter(range(10**6))
    monkeypatch.setattr("vecphe.federated.clock.perf_counter", lambda: next(ticks))
    result = federated_learning(*three(scale=scale, n_jobs=1))
    assert [result.seconds[phase] for phase in ("keygen", "decrypt", "encrypt", "step", "add")] == [1, 4, 12, 12, 8]
    assert result.seconds["gradient"] == 12
    setup = result.seconds["setup"]
    assert setup == 1 if scale == "none" else setup > 8


def test_the_model_of_a_run_is_made_of_rows_and_step_size():
    made = []

    class Noted(LinearRegression):
        def __init__(self, rows, eta):
            made.append((rows.X.shape, eta))
            super().__init__(rows, eta)

    for learn in (federated_learning, local_learning):
        made.clear()
        learn(*three(), model=Noted)
        assert made == [((6, 2), 0.1)] * 3
    with pytest.raises(ValueError, match=r"^names must be 3 different ones, not \['A', 'B'\]$"):
        federated_learning(*three(), names=["A", "B"])
    with pytest.raises(ValueError, match=r"^n_clients is 3, but there are 3 blocks X and 2 blocks y$"):
        local_learning(three()[0], three()[1][:2], *three()[2:])


@pytest.mark.parametrize("place", ["Hospital 2", "X_test"])
def test_features_have_to_be_as_many_everywhere(place):
    X, y, X_test, y_test, config = three()
    if place == "X_test":
        X_test = X_test[:, :1]
    else:
        X[1] = X[1][:, :1]
    for learn in (federated_learning, local_learning):
        with pytest.raises(ValueError, match=rf"^{place} has 1 feature, but Hospital 1 has 2$"):
            learn(X, y, X_test, y_test, config)


def test_what_is_recorded_of_keys_and_means():
    messages = federated_learning(*three(record_transcript=True, n_iter=1)).transcript
    keys = [message for message in messages if message.kind == "public-key"]
    assert [(m.round, m.sender, m.receiver, m.nbytes) for m in keys] == [
        (0, "Server", f"Hospital {number}", 32) for number in (1, 2, 3)
    ]
    means = [message for message in messages if message.kind == "mean-gradient"]
    assert len({message.payload for message in means}) == 1
    result = federated_learning(*three(n_iter=1))
    np.testing.assert_allclose(-0.1 * np.frombuffer(means[0].payload, "<f8"), result.history[0], rtol=1e-12)
    n = int.from_bytes(keys[0].payload, "big")
    assert n.bit_length() == 256
    assert n % 2 == 1
    odd = SimpleNamespace(n=(1 << 256) + 1, key_length=257)
    assert protocol._modulus_bytes(odd) == b"\1" + bytes(31) + b"\1"


def test_a_column_that_one_client_has_empty_is_told_with_its_name():
    X, y, *rest = three(scale="federated", missing="mean")
    X[1][:, 1] = np.nan
    with pytest.raises(ProtocolError, match=r"^Hospital 2: column 2 of X has no value; leave it out$"):
        local_learning(X, y, *rest)
    assert np.isfinite(federated_learning(X, y, *rest).mse).all()
