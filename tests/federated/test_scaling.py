"""Scaling inside the protocol: exact totals, a round like any other, and the model of the pooled rows."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.federated.test_transcript import check_transcript

from vecphe.errors import ProtocolError
from vecphe.federated import (
    Client,
    ColumnTotals,
    FederatedLinearRegression,
    LinearForm,
    LinearRegression,
    LogisticRegression,
    PackedBackend,
    Party,
    Server,
    federated_learning,
    local_learning,
    run_rounds,
)
from vecphe.federated.scaling import Scaling, check_columns
from vecphe.plaintext.encoding import FixedPoint

SHORT = {"key_length": 256, "insecure": True, "scale": "federated"}
NAMES = ["A", "B", "C", "D"]


def exact(column):
    """Mean and variance as fractions, of values rounded to multiples of 2^-100."""
    values = [Fraction(round(Fraction(x) * 2**100), 2**100) for x in column.tolist()]
    mean = sum(values) / len(values)
    return mean, sum((x - mean) ** 2 for x in values) / len(values)


HARD = {
    "far from zero": 1e12 + np.arange(9) * 1e-3,
    "tiny": np.array([1e-9, 2e-9, 1e-9 + 1e-18, -3e-9]),
    "mixed sizes": np.array([1e-20, 1e20, -5.5, 3e-7, 0.0, 1e20]),
    "greatest": np.array([-(2.0**80) * (1 - 2**-53), 2.0**80 * (1 - 2**-53), 2.0**-70]),
    "one row": np.array([0.1]),
    "subnormal beside one": np.array([5e-324, 1.0, -0.0]),
}


@pytest.mark.parametrize("column", HARD.values(), ids=HARD.keys())
def test_mean_and_deviation_are_exact(column):
    scaling = Scaling.of(column[:, np.newaxis], None)
    mean, variance = exact(column)
    assert scaling.mean[0] == float(mean)
    expected = math.isqrt(int(variance * 2**600)) / 2**300 if variance else 1.0
    assert scaling.deviation[0] == pytest.approx(expected, rel=1e-15)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-(2.0**79), 2.0**79), min_size=1, max_size=30))
def test_any_column_has_its_exact_totals(values):
    scaling = Scaling.of(np.array(values)[:, np.newaxis], np.array(values))
    mean, variance = exact(np.array(values))
    assert scaling.mean[0] == scaling.target_mean == float(mean)
    assert scaling.deviation[0] == scaling.target_deviation
    if variance:
        assert Fraction(scaling.deviation[0]) ** 2 == pytest.approx(variance, rel=1e-14)
    else:
        assert scaling.deviation[0] == 1


@pytest.mark.parametrize("value", [0.1, 1e12, -1e-9, 0.0])
def test_a_constant_column_is_centred_on_itself_and_divided_by_one(value):
    scaling = Scaling.of(np.full((7, 1), value), None)
    assert scaling.mean[0] == pytest.approx(value, rel=1e-15)
    assert scaling.deviation.tolist() == [1.0]
    rows = np.array([[value, 1.0]])
    scaling.apply(rows)
    assert rows[0, 0] == pytest.approx(0, abs=1e-28)


def totals_of(parts, grid, y=True):
    """What clients with these rows get to scale by, in the clear."""
    models = [ColumnTotals(part, part[:, 0] if y else None, len(parts), grid) for part in parts]
    mean = np.sum([model.update()[0].astype(np.float64) for model in models], axis=0) / len(parts)
    for model in models:
        model.apply([mean])
    return models


@pytest.mark.parametrize("grid", [(52, 0), (52, 112), (52, 40), (22, 20), (4, 3)])
@pytest.mark.parametrize("sizes", [(3, 2, 8), (1,) * 200])
def test_digits_of_any_width_add_up_exactly(grid, sizes):
    rng = np.random.default_rng(len(sizes))
    columns = np.column_stack([rng.normal(1e12, 1, sum(sizes)), rng.normal(-1, 1e-9, sum(sizes)), np.zeros(sum(sizes))])
    parts = np.split(columns, np.cumsum(sizes)[:-1])
    expected = Scaling.of(columns, columns[:, 0])
    for model in totals_of(parts, grid):
        assert model.weights.rows == sum(sizes)
        assert model.weights.mean.tolist() == expected.mean.tolist()
        assert model.weights.deviation.tolist() == expected.deviation.tolist()
        assert model.weights.target_deviation == expected.target_deviation
        assert len(model.update()[0]) == model.size


def test_too_coarse_an_encoding_is_refused():
    ColumnTotals(np.ones((1, 1)), None, 3, (4, 0))
    with pytest.raises(ProtocolError, match="larger max_abs or more fraction_bits"):
        ColumnTotals(np.ones((1, 1)), None, 3, (3, 0))


@pytest.mark.parametrize("count", [0, -1])
def test_totals_of_no_rows_are_refused(count):
    zero = np.array([0], dtype=object)
    with pytest.raises(ProtocolError, match="no rows"):
        Scaling.of_totals(count, zero + count, zero, zero, has_target=False)
    with pytest.raises(ProtocolError, match="no rows"):
        Scaling.of_totals(2, zero + 2, zero + 3, zero + 4, has_target=False)  # less than the square of the mean
    for values in (-1, 3):
        with pytest.raises(ProtocolError, match="no rows"):
            Scaling.of_totals(2, zero + values, zero, zero, has_target=False)


@pytest.mark.parametrize(
    ("value", "word"),
    [(2.0**80, "too large"), (-(2.0**80), "too large"), (2.0**-71, "too small"), (5e-324, "too small")],
)
@pytest.mark.parametrize("place", ["column 2 of X", "the target"])
def test_columns_out_of_range_are_refused_before_a_key_is_made(monkeypatch, value, word, place):
    monkeypatch.setattr("vecphe.federated.protocol.Server", None)
    X, y = [np.ones((2, 2)) for _ in range(3)], [np.ones(2) for _ in range(3)]
    if place == "the target":
        y[1][:] = [value, 0]
    else:
        X[1][:, 1] = [0, value]
    with pytest.raises(ValueError, match=f"^B: {place} is {word}.*scale='none'"):
        federated_learning(X, y, X[0], y[0], {**SHORT, "n_clients": 3}, names=["A", "B", "C"])


@pytest.mark.parametrize("value", [np.nextafter(2.0**80, 0), -np.nextafter(2.0**80, 0), 2.0**-70, 0.0])
def test_columns_just_within_range_are_taken(value):
    check_columns("A", np.array([[value]]), np.array([value]))


def table(rng, n):
    """Features of very different size, one constant, and a target."""
    X = np.column_stack(
        [
            rng.normal(1e12, 1e11, n),
            rng.normal(1e-9, 2e-9, n),
            np.full(n, 7.25),
            rng.normal(0, 1, n),
            rng.integers(0, 2, n),
        ]
    )
    y = 1e6 + X[:, 0] * 1e-8 + X[:, 1] * 1e12 - 50 * X[:, 3] + rng.normal(0, 10, n)
    return X, y


def uneven(classes=None):
    """Four hospitals, of 2 to 90 rows, each with rows of another kind."""
    rng = np.random.default_rng(5)
    X, y = table(rng, 160)
    order = np.argsort(X[:, 3])
    X, y = X[order], y[order]
    if classes:
        y = np.digitize(X[:, 3] + X[:, 4] + rng.normal(0, 1, 160), np.linspace(-0.5, 1, classes - 1)).astype(float)
    cuts = [2, 50, 70]
    return np.split(X, cuts), np.split(y, cuts), *table(rng, 30)


def pooled_descent(X, y, predict, n_iter, eta, l2=0.0, scale_target=True):
    """Plain gradient descent on all rows, standardised; weights, the intercept last, and what columns are scaled by."""
    d = X.shape[1]
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    deviation[deviation < 1e-12 * abs(mean)] = 1
    rows = np.column_stack([(X - mean) / deviation / math.sqrt(d), np.ones(len(X))])
    targets = (y - y.mean()) / y.std() if scale_target else y
    weights = np.zeros((d + 1, *targets.shape[1:]))
    penalty = np.r_[np.full(d, l2 / d), 0].reshape(-1, *[1] * (weights.ndim - 1))
    for _ in range(n_iter):
        weights = weights - eta * (rows.T @ (predict(rows @ weights) - targets) / len(X) + penalty * weights)
    return weights, mean, deviation


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_unequal_clients_learn_the_pooled_model(backend, l2):
    X, y, X_test, y_test = uneven()
    config = {**SHORT, "n_clients": 4, "n_iter": 60, "backend": backend, "l2": l2}
    result = federated_learning(X, y, X_test, y_test, config)
    X_all, y_all = np.concatenate(X), np.concatenate(y)
    weights, mean, deviation = pooled_descent(X_all, y_all, lambda scores: scores, 60, 1.5, l2)
    np.testing.assert_allclose(result.weights[3], weights, rtol=0, atol=1e-9)
    linear = result.linear()
    np.testing.assert_allclose(
        linear.coefficients, weights[:-1] / deviation / math.sqrt(5) * y_all.std(), rtol=1e-7, atol=1e-9
    )
    assert linear.coefficients[2] == 0  # of the constant column, exactly
    errors = y_all.mean() + weights[-1] * y_all.std() + (X_test - mean) @ linear.coefficients - y_test
    assert result.mse[0] == pytest.approx(np.mean(errors**2), rel=1e-9)
    assert np.mean((linear.scores(X_test) - y_test) ** 2) == pytest.approx(result.mse[0], rel=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("l2", [0.0, 0.2])
def test_unequal_clients_learn_the_pooled_classes(classes, l2):
    X, y, X_test, _ = uneven(classes)
    model = lambda rows, eta: LogisticRegression(rows, eta, n_classes=classes)  # noqa: E731
    config = {**SHORT, "n_clients": 4, "n_iter": 40, "l2": l2}
    result = federated_learning(X, y, X_test, np.zeros(30), config, model=model)
    targets = np.concatenate(y)
    if classes > 2:
        targets = (targets[:, np.newaxis] == np.arange(classes)).astype(float)
        predict = lambda scores: np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)  # noqa: E731
    else:
        predict = lambda scores: 1 / (1 + np.exp(-scores))  # noqa: E731
    weights, *_ = pooled_descent(np.concatenate(X), targets, predict, 40, 1.5, l2, scale_target=False)
    np.testing.assert_allclose(result.weights[0], weights, rtol=0, atol=1e-9)
    assert result.scalings[0].target_deviation == 1


def test_every_backend_scales_by_the_same_numbers(diabetes):
    results = [
        federated_learning(*diabetes, {**SHORT, "n_iter": 1, "backend": backend})
        for backend in ("packed", "vectorized", "naive", PackedBackend(encoding=FixedPoint(20, 64, 5)))
    ]
    pooled = Scaling.of(np.concatenate(diabetes[0]), np.concatenate(diabetes[1]))
    for result in results:
        assert result.scalings[0].mean.tolist() == pooled.mean.tolist()
        assert result.scalings[0].deviation.tolist() == pooled.deviation.tolist()
        assert (result.scalings[0].target_mean, result.scalings[0].rows) == (pooled.target_mean, 390)


def test_diabetes_comes_within_a_thousandth_of_least_squares(diabetes, backend):
    """After 50 rounds, in which training on columns as they are comes to 3775.50."""
    X, y, X_test, y_test = diabetes
    result = federated_learning(*diabetes, {**SHORT, "key_length": 512, "backend": backend})
    rows = np.concatenate(X)  # with a column of ones
    best = np.linalg.lstsq(rows, np.concatenate(y), rcond=None)[0]
    assert result.mse[0] == pytest.approx(np.mean((X_test @ best - y_test) ** 2), rel=1e-3)
    assert result.n_iter == len(result.history) == 50


def test_test_rows_have_no_part_in_it(diabetes):
    X, y, X_test, y_test = diabetes
    config = {**SHORT, "n_iter": 2}
    results = [federated_learning(X, y, rows, y_test, config) for rows in (X_test, X_test * 100 + 5)]
    assert results[0].weights.tolist() == results[1].weights.tolist()
    assert results[0].scalings[0].mean.tolist() == results[1].scalings[0].mean.tolist()


def test_what_is_handed_in_is_not_changed(diabetes):
    copies = [[part.copy() for part in parts] for parts in diabetes]
    for learn in (federated_learning, local_learning):
        learn(*diabetes, {**SHORT, "n_iter": 1})
    for parts, before in zip(diabetes, copies, strict=True):
        for part, copy in zip(parts, before, strict=True):
            np.testing.assert_array_equal(part, copy)


def test_those_who_train_alone_scale_by_their_own_rows(diabetes):
    X, y, X_test, y_test = diabetes
    result = local_learning(*diabetes, {**SHORT, "n_iter": 300})
    for client in range(5):
        own = Scaling.of(X[client], y[client])
        assert result.scalings[client].mean.tolist() == own.mean.tolist()
        linear = result.linear(client)
        assert np.mean((linear.scores(X_test) - y_test) ** 2) == pytest.approx(result.mse[client], rel=1e-9)
    assert result.history.shape == (300, 5, 12)
    assert result.history[-1].tolist() == result.weights.tolist()


def with_gaps():
    """Unequal clients with missing values: one of them has none of column 4 at all."""
    X, y, X_test, y_test = uneven()
    rng = np.random.default_rng(9)
    for rows in (*X, X_test):
        rows[rng.random(rows.shape) < 0.2] = np.nan
    X[1][:, 3] = np.nan
    return X, y, X_test, y_test


def test_a_missing_value_counts_as_the_mean_of_all_clients(backend):
    X, y, X_test, y_test = with_gaps()
    config = {**SHORT, "n_clients": 4, "n_iter": 20, "backend": backend, "missing": "mean"}
    result = federated_learning(X, y, X_test, y_test, config)
    mean = np.nanmean(np.concatenate(X), axis=0)
    filled = [np.where(np.isnan(rows), mean, rows) for rows in (*X, X_test)]
    expected = federated_learning(filled[:-1], y, filled[-1], y_test, {**config, "missing": "error"})
    np.testing.assert_allclose(result.scalings[0].mean, expected.scalings[0].mean, rtol=1e-12)
    np.testing.assert_allclose(result.scalings[0].deviation[[0, 1, 3, 4]], expected.scalings[0].deviation[[0, 1, 3, 4]])
    np.testing.assert_allclose(result.weights, expected.weights, rtol=0, atol=1e-9)
    assert result.mse == pytest.approx(expected.mse, rel=1e-9)
    assert np.mean((result.linear().scores(X_test) - y_test) ** 2) == pytest.approx(result.mse[0], rel=1e-9)
    local = local_learning(X[2:], y[2:], X_test, y_test, {**config, "n_clients": 2})
    assert np.isfinite(local.mse).all()


def test_missing_values_are_refused_unless_they_are_to_be_filled_in():
    X, y, X_test, y_test = with_gaps()
    for config in ({**SHORT}, {**SHORT, "scale": "none"}):
        with pytest.raises(ValueError, match="X holds NaN"):
            federated_learning(X, y, X_test, y_test, {**config, "n_clients": 4})
    with pytest.raises(ValueError, match="missing='mean' fills in the means that scale='federated' finds"):
        federated_learning(X, y, X_test, y_test, {**SHORT, "scale": "none", "missing": "mean"})
    with pytest.raises(ValueError, match="missing must be 'error' or 'mean'"):
        federated_learning(X, y, X_test, y_test, {**SHORT, "missing": "drop"})
    config = {**SHORT, "n_clients": 4, "missing": "mean"}
    y[2][0] = np.nan
    with pytest.raises(ValueError, match="y holds NaN"):
        federated_learning(X, y, X_test, y_test, config)
    y[2][0] = 0
    X[1][0, 0] = np.inf
    with pytest.raises(ValueError, match="X holds NaN or infinity"):
        federated_learning(X, y, X_test, y_test, config)


def test_a_column_without_a_value_anywhere_is_named():
    X, y, X_test, y_test = with_gaps()
    for rows in X:
        rows[:, 2] = np.nan
    with pytest.raises(ProtocolError, match="column 3 of X has no value"):
        federated_learning(X, y, X_test, y_test, {**SHORT, "n_clients": 4, "missing": "mean"})


# The round itself -----------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(backend):
    """A run of four unequal clients with its transcript."""
    config = {**SHORT, "key_length": 512, "n_clients": 4, "n_iter": 2, "backend": backend, "record_transcript": True}
    return federated_learning(*uneven(), config, names=NAMES)


def test_h52_the_round_of_the_scaling_is_in_the_transcript_like_any_other(recorded):
    n = int.from_bytes(recorded.transcript[0].payload, "big")
    rounds = [[m for m in recorded.transcript if m.round == number] for number in (1, 2, 3)]
    for messages, kind in zip(rounds, ("column-totals", "mean-gradient", "mean-gradient"), strict=True):
        assert [m.kind for m in messages] == ["encrypted-sum"] * 4 + [kind] * 4
        assert [(m.sender, m.receiver) for m in messages[4:]] == [("Server", name) for name in NAMES]
        assert len({m.payload for m in messages[4:]}) == 1
    for number in (1, 2):  # vectors of one length at a time
        check_transcript([m for m in recorded.transcript if (m.round == 1) == (number == 1)], n, NAMES)


def test_h48_nothing_stands_in_the_clear_but_totals_over_all_clients(recorded, backend):
    X, y, *_ = uneven()
    clear = [m for m in recorded.transcript if m.kind != "encrypted-sum"]
    assert [m.kind for m in clear] == ["public-key"] * 4 + ["column-totals"] * 4 + ["mean-gradient"] * 8
    (payload,) = {m.payload for m in clear if m.kind == "column-totals"}
    grid = (52, {"packed": 40, "vectorized": 112}.get(backend, 0))
    digits = [ColumnTotals(*own, 4, grid).update()[0] for own in zip(X, y, strict=True)]
    assert np.frombuffer(payload, "<f8").tolist() == (np.sum(digits, axis=0) / 4).tolist()
    assert [m.sender for m in recorded.transcript if m.receiver == "Server"] == ["D"] * 3
    for message in recorded.transcript:  # what one client alone has is in no payload
        for own in digits:
            assert (own[own != 0] / 4).astype("<f8").tobytes() not in message.payload


@pytest.mark.parametrize("n_clients", [1, 2])
def test_h48_fewer_than_three_clients_scale_nothing(n_clients):
    X, y, X_test, y_test = uneven()
    with pytest.raises(ProtocolError, match="3"):
        federated_learning(X[:n_clients], y[:n_clients], X_test, y_test, {**SHORT, "n_clients": n_clients})


def scaling_parties(server, kinds=(ColumnTotals,) * 3):
    return [
        Party(name, kind(x, None, 3, server.pubkey.exact_integers), server.pubkey)
        for name, kind, x in zip(NAMES, kinds, uneven()[0], strict=False)
    ]


def test_h53_the_totals_of_some_clients_are_not_decrypted(backend):
    server = Server(256, insecure=True, backend=backend)
    parties = scaling_parties(server)
    partial = parties[1].encrypted_gradient(sum_to=parties[0].encrypted_gradient())
    with pytest.raises(ProtocolError, match="2 clients are too few"):
        server.decrypt_aggregate(partial, 2)
    with pytest.raises(ProtocolError, match="refused to decrypt"):
        server.decrypt_aggregate(partial, 3)


def test_h75_totals_are_decrypted_once(backend):
    server = Server(256, insecure=True, backend=backend)
    parties = scaling_parties(server)
    list(run_rounds(server, parties, 1))
    for party in parties:
        party.round = 1
    with pytest.raises(ProtocolError, match="decrypted before"):
        list(run_rounds(server, parties, 1))


class Lost(ColumnTotals):
    """Does not answer the first time."""

    tries = 0

    def update(self):
        type(self).tries += 1
        if self.tries == 1:
            raise TimeoutError
        return super().update()


def test_h55_the_round_is_run_again_when_a_client_does_not_answer():
    Lost.tries = 0
    server = Server(256, insecure=True)
    parties = scaling_parties(server, (ColumnTotals, Lost, ColumnTotals))
    list(run_rounds(server, parties, 1))
    X = uneven()[0]
    assert Lost.tries == 2
    assert all(
        party.weights.mean.tolist() == Scaling.of(np.concatenate(X[:3]), None).mean.tolist() for party in parties
    )


# Stopping ---------------------------------------------------------------------------------------------------------


def test_a_run_ends_when_the_mean_loss_stops_improving(backend):
    X, y, X_test, y_test = uneven()
    config = {**SHORT, "n_clients": 4, "n_iter": 200, "backend": backend}
    stopped = federated_learning(X, y, X_test, y_test, {**config, "tol": 1e-3, "record_transcript": True})
    assert 6 < stopped.n_iter < 60
    assert len(stopped.losses) == stopped.n_iter == len(stopped.history)
    rows, losses = np.concatenate(X), []
    targets = np.concatenate(y)
    for round_ in range(stopped.n_iter):
        weights = np.zeros(6) if not round_ else stopped.history[round_ - 1]
        linear = stopped.scalings[0].linear(weights)
        losses.append(np.mean((linear.scores(rows) - targets) ** 2) / 2 / targets.var())
    np.testing.assert_allclose(stopped.losses, losses, rtol=0, atol=1e-11)
    best = np.minimum.accumulate(losses)
    assert (best[-6] - best[-1]) < 1e-3 * 5
    assert losses[-7] - losses[-6] > 0
    whole = federated_learning(X, y, X_test, y_test, {**config, "n_iter": stopped.n_iter})
    np.testing.assert_allclose(stopped.weights, whole.weights, rtol=0, atol=1e-10)
    assert whole.losses == ()
    lengths = {len(m.payload) for m in stopped.transcript if m.kind == "mean-gradient"}
    assert lengths == {8 * 7}  # the loss is one more number


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_loss_of_classes_is_their_cross_entropy(classes):
    rng = np.random.default_rng(classes)
    X, y = rng.normal(size=(40, 3)), rng.integers(0, classes, 40).astype(float)
    client = Client("A", X, y, model=lambda rows, eta: LogisticRegression(rows, eta, n_classes=classes))
    client.weights = rng.normal(size=client.weights.shape)
    client.model.penalties = np.array([0.5, 0.25, 0.0]).reshape(-1, *[1] * (client.weights.ndim - 1))
    shares = client.predict(X)
    shares = np.column_stack([1 - shares, shares]) if shares.ndim == 1 else shares
    penalty = np.sum(client.model.penalties * client.weights**2) / 2
    expected = -np.mean(np.log(shares[np.arange(40), y.astype(int)])) + penalty
    gradient, loss = client.model.gradient_and_loss()
    assert loss == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(gradient, client.model.gradient())


def test_a_certain_and_wrong_prediction_has_a_finite_loss():
    client = Client("A", [[1.0], [1.0]], [0.0, 1.0], model=LogisticRegression)
    client.weights = np.array([1e4])
    assert 1 < client.model.gradient_and_loss()[1] < 100


def test_h50_a_loss_that_grows_ends_the_run():
    X, y, X_test, y_test = uneven()
    with pytest.raises(ProtocolError, match="lower eta"):
        federated_learning(X, y, X_test, y_test, {**SHORT, "n_clients": 4, "eta": 15, "n_iter": 500, "tol": 1e-4})


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"scale": "local"}, "scale must be 'none' or 'federated'"),
        ({"scale": None}, "scale must be"),
        ({"l2": -1.0}, "l2 must be at least 0"),
        ({"l2": "1"}, "l2 must be a number"),
        ({"l2": float("nan")}, "l2 must be at least 0 and finite"),
        ({"tol": -1e-9}, "tol must be at least 0"),
        ({"tol": True}, "tol must be a number"),
        ({"fit_intercept": 1}, "fit_intercept must be True or False"),
    ],
)
def test_wrong_options_are_named(diabetes, option, message):
    for learn in (federated_learning, local_learning):
        with pytest.raises(ValueError, match=message):
            learn(*diabetes, {**SHORT, **option})


def test_without_scaling_a_penalty_is_that_of_ridge_regression():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    parts = np.split(X, 3), np.split(y, 3)
    config = {**SHORT, "scale": "none", "fit_intercept": True, "l2": 0.5, "n_clients": 3, "n_iter": 400, "eta": 0.5}
    result = federated_learning(*parts, X, y, config)
    rows = np.column_stack([X, np.ones(60)])
    best = np.linalg.solve(rows.T @ rows / 60 + np.diag([0.5, 0.5, 0.5, 0]), rows.T @ y / 60)
    np.testing.assert_allclose(result.weights[0], best, atol=1e-9)
    np.testing.assert_allclose(result.linear().intercept, best[-1], atol=1e-9)


def test_models_of_ones_own_need_not_know_of_it():
    class Halves(LinearRegression):
        scales_target = False

    X, y, X_test, y_test = uneven()
    y = [np.clip(part / 1e6, -1, 1) for part in y]
    config = {**SHORT, "n_clients": 4, "n_iter": 3}
    result = federated_learning(X, y, X_test, y_test, config, model=Halves)
    assert (result.scalings[0].target_mean, result.scalings[0].target_deviation) == (0, 1)


def test_estimators_hand_the_options_on():
    X, y = table(np.random.default_rng(1), 60)
    options = {"key_length": 256, "insecure": True, "n_clients": 3, "scale": "federated"}
    model = FederatedLinearRegression(**options, n_iter=300, tol=1e-6).fit(X, y)
    assert model.n_iter_ < 300
    assert model.score(X, y) > 0.9
    assert FederatedLinearRegression(**options, l2=2.0).fit(X, y).score(X, y) < 0.9


@pytest.mark.parametrize("n_clients", [1, 3, 4, 255, 511, 512])
@pytest.mark.parametrize("missing", [False, True])
def test_as_few_digits_are_sent_as_hold_the_totals(n_clients, missing):
    """Of 2^40 rows of numbers below 2^80, as multiples of 2^-100: sums have 220 bits, those of squares 400."""
    X = np.ones((2, 3))
    for bits in range(4, 60):
        digit = min(bits, 50 - n_clients.bit_length())
        rows, sums, squares = (-(-(width + 1) // digit) for width in (40, 220, 400))
        for y, columns in ((None, 3), (np.ones(2), 4)):
            totals = ColumnTotals(X, y, n_clients, (bits, 0), missing)
            assert totals.size == rows + columns * (rows * missing + sums + squares)
            assert len(totals.update()[0]) == totals.size


@pytest.mark.parametrize("has_target", [False, True])
def test_what_a_scaling_is_that_was_fitted(has_target):
    X, y = np.array([[1.0, 2.0], [3.0, 8.0]]), np.array([10.0, 30.0])
    scaling = Scaling.of(X, y if has_target else None)
    assert (scaling.intercept, scaling.fitted, scaling.rows) == (True, True, 2)
    assert (scaling.mean.tolist(), scaling.deviation.tolist()) == ([2, 5], [1, 3])
    assert (scaling.target_mean, scaling.target_deviation) == ((20, 10) if has_target else (0, 1))
    np.testing.assert_allclose(scaling.divisor, np.array([1, 3]) * np.sqrt(2), rtol=1e-15)
    rows, targets = np.column_stack([X, [7, 7]]), y.copy()
    rows[0, 1] = np.nan
    scaling.apply(rows, targets)
    np.testing.assert_allclose(rows, [[-1 / np.sqrt(2), 0, 7], [1 / np.sqrt(2), 1 / np.sqrt(2), 7]], rtol=1e-15)
    assert targets.tolist() == ([-1, 1] if has_target else [10, 30])
    assert scaling.penalties(3.0, 1).tolist() == [1.5, 1.5, 0]
    assert scaling.penalties(3.0, 2).tolist() == [[1.5], [1.5], [0]]


@pytest.mark.parametrize("intercept", [False, True])
def test_what_a_scaling_is_that_was_not(intercept):
    scaling = Scaling.none(2, intercept)
    assert (scaling.intercept, scaling.fitted, scaling.rows) == (intercept, False, None)
    rows = np.array([[1.0, np.nan, 5.0]])
    scaling.apply(rows, rows[0])
    np.testing.assert_array_equal(rows, [[1, np.nan, 5]])
    assert scaling.divisor.tolist() == [1, 1]
    assert scaling.penalties(3.0, 1).tolist() == [3, 3, *[0] * intercept]
    weights = np.array([2.0, 3.0, 4.0][: 2 + intercept])
    form = scaling.linear(weights)
    assert (form.mean.tolist(), form.coefficients.tolist(), float(form.at_mean)) == ([0, 0], [2, 3], 4 * intercept)
    many = scaling.linear(np.outer(weights, [1, 10]))
    assert many.coefficients.tolist() == [[2, 20], [3, 30]]
    assert many.at_mean.tolist() == [4 * intercept, 40 * intercept]
    assert many.intercept.tolist() == many.at_mean.tolist()


def test_scores_and_intercepts_of_many_classes():
    form = LinearForm(np.array([10.0, 20.0]), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([7.0, 8.0, 9.0]))
    assert form.intercept.tolist() == [7 - 10 - 80, 8 - 20 - 100, 9 - 30 - 120]
    assert form.scores(np.array([[10.0, 21.0], [np.nan, 20.0]])).tolist() == [[11, 13, 15], [7, 8, 9]]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (2.0**80, "is too large to be scaled, beyond 1e24; divide"),
        (2.0**-71, "is too small to be scaled, below 1e-21; multiply"),
    ],
)
def test_columns_out_of_range_are_told_by_their_names(value, told):
    end = f"{told} it by a power of ten, or leave all columns as they are with scale='none'"
    X = np.array([[1.0, np.nan], [1.0, -value]])
    for arguments, called in (
        ((X, None), "column 2 of X"),
        ((X, None, ["a", "b"]), "'b'"),
        ((X[:, :1], X[:, 1]), "the target"),
    ):
        with pytest.raises(ValueError, match=r"^A: ") as caught:
            check_columns("A", *arguments)
        assert str(caught.value) == f"A: {called} {end}"
    check_columns("A", np.full((2, 1), np.nan), None)


def test_a_chunk_after_another_adds_up(monkeypatch):
    columns = np.random.default_rng(3).normal(1e3, 1, (20, 1))
    whole = Scaling.of(columns, None)
    monkeypatch.setattr("vecphe.federated.scaling._CHUNK", 7)
    parts = Scaling.of(columns, None)
    assert (parts.mean.tolist(), parts.deviation.tolist()) == (whole.mean.tolist(), whole.deviation.tolist())


def test_columns_without_a_value_are_numbered_from_one():
    with pytest.raises(ProtocolError, match=r"^column 2 of X has no value; leave it out$"):
        Scaling.of(np.array([[1.0, np.nan], [2.0, np.nan]]), None)
    with pytest.raises(ProtocolError, match=r"^got totals that are those of no rows$"):
        Scaling.of(np.zeros((0, 1)), None)
