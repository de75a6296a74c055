"""Models, and parties that encrypt the updates of any model."""

from fractions import Fraction

import numpy as np
import pytest
from tests.federated.conftest import Parties

from vecphe.errors import ProtocolError
from vecphe.federated import (
    CallableModel,
    Client,
    LinearRegression,
    LogisticRegression,
    Party,
    Rows,
    Server,
    federated_learning,
    mean_square_error,
    run_rounds,
)


def rows_of(seed, n=20, features=3, classes=None):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n) if classes is None else rng.integers(0, classes, size=n)
    return Rows.checked("A", rng.normal(size=(n, features)), y)


def loss(model, rows):
    """Cross entropy, from the definition."""
    shares = model.predict(rows.X)
    if shares.ndim == 1:
        shares = np.column_stack([1 - shares, shares])
    return -np.mean(np.log(shares[np.arange(len(rows.y)), rows.y.astype(int)]))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_logistic_gradients_are_slopes_of_the_cross_entropy(classes):
    rows = rows_of(1, classes=classes)
    model = LogisticRegression(rows, n_classes=classes)
    model.weights = np.random.default_rng(2).normal(size=model.weights.shape)
    gradient, weights = model.gradient(), model.weights
    for index in np.ndindex(weights.shape):
        step = np.zeros_like(weights)
        step[index] = 1e-6
        model.weights = weights + step
        above = loss(model, rows)
        model.weights = weights - step
        assert gradient[index] == pytest.approx((above - loss(model, rows)) / 2e-6, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("classes", [None, 2, 3])
def test_the_gradient_is_the_slope_of_the_loss_that_is_told_with_it(classes):
    """With a penalty that is not the same for every weight, and a share of the rows of all clients."""
    rows = rows_of(1, classes=classes)
    model = LinearRegression(rows) if classes is None else LogisticRegression(rows, n_classes=classes)
    rng = np.random.default_rng(2)
    weights = rng.normal(size=model.weights.shape)
    model.penalties, model.share = rng.uniform(1, 2, size=weights.shape), 0.25

    def at(step):
        model.weights = weights + step
        return model.gradient_and_loss()

    gradient, _ = at(0.0)
    np.testing.assert_array_equal(gradient, model.gradient())
    for index in np.ndindex(weights.shape):
        step = np.zeros_like(weights)
        step[index] = 1e-6
        assert gradient[index] == pytest.approx((at(step)[1] - at(-step)[1]) / 2e-6, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_without_any_probability_costs_sixty_bits(classes):
    model = LogisticRegression(Rows.checked("A", [[1.0]] * 2, [0, 1]), n_classes=classes)
    model.weights = np.resize([0.0, 1e3, -1e3][-classes:] if classes == 3 else 1e3, model.weights.shape)
    assert model.predict(model.X)[0].tolist() == ([0, 1, 0] if classes == 3 else 1)
    assert model.gradient_and_loss()[1] == pytest.approx(60 * np.log(2) / 2, rel=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_overflow_nowhere(classes):
    rows = Rows.checked("A", [[1e200, 0.0], [-1e200, 1.0]], [0, 1])
    model = LogisticRegression(rows, n_classes=classes)
    model.weights = np.full(model.weights.shape, 1e100)
    assert np.isfinite(model.predict(rows.X / 1e200 * 800)).all()
    assert np.isfinite(model.error(rows))


@pytest.mark.parametrize("classes", [None, 2, 3])
@pytest.mark.parametrize(
    ("X", "weights"), [([[1e200, 1e200]], [1e200, 1e200]), ([[10.0, 10.0]], [1e308, -1e308])], ids=["over", "invalid"]
)
def test_h50_what_leaves_the_floats_is_no_warning(classes, X, weights):
    """Who asked for it sees that it is not finite."""
    rows = Rows.checked("A", X, [1.0])
    model = LinearRegression(rows) if classes is None else LogisticRegression(rows, n_classes=classes)
    model.weights = np.resize(weights, model.weights.shape[::-1]).T
    model.penalties = 1e200
    gradient, loss = model.gradient_and_loss()
    assert not np.isfinite(gradient).all()
    assert not np.isfinite(loss)
    np.testing.assert_array_equal(model.gradient(), gradient)


@pytest.mark.parametrize(("gradient", "eta"), [([1e308, 0.0], 1e10), ([np.inf, 0.0], 0.0)], ids=["over", "invalid"])
def test_h50_a_step_that_leaves_the_floats_is_refused_without_a_warning(gradient, eta):
    model = LinearRegression(rows_of(1, features=2))
    with pytest.raises(ProtocolError, match=r"^the step would make its weights infinite; lower eta$"):
        model.step(np.array(gradient), eta)
    with pytest.raises(ProtocolError, match=r"^got a step size eta that is not finite$"):
        model.step(np.zeros(2), np.inf)
    assert model.weights.tolist() == [0, 0]


def test_errors_that_leave_the_floats_are_no_warnings():
    assert mean_square_error([1e200], [0.0]) == np.inf
    assert np.isnan(mean_square_error([np.inf], [np.inf]))
    assert mean_square_error([10**200], [0.0]) == mean_square_error([0.0], [10**200]) == np.inf


def test_errors_are_those_of_floats():
    for y_pred, y in (([0, 250], [200, 0]), (np.uint8([0, 250]), np.uint8([200, 0]))):
        assert mean_square_error(y_pred, y) == (200**2 + 250**2) / 2


class _Labelled:
    """Values that put ufuncs in the order of their labels, as pandas' Series do; numpy is given them as they stand."""

    def __init__(self, *values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)

    def __array_ufunc__(self, *_, **__):
        raise AssertionError("put into another order")


def test_errors_are_of_values_in_the_order_in_which_they_stand():
    assert mean_square_error(_Labelled(1, 2), _Labelled(3, 2)) == 2
    assert mean_square_error([Fraction(1, 2)], [Fraction(3, 2)]) == 1


@pytest.mark.parametrize("y", [[0, 2], [0, -1], [0, 0.5]])
def test_targets_must_be_numbers_of_classes(y):
    with pytest.raises(ValueError, match="classes from 0 to 1"):
        LogisticRegression(Rows.checked("A", np.eye(2), y))
    with pytest.raises(ValueError, match="n_classes must be at least 2"):
        LogisticRegression(Rows.checked("A", np.eye(2), [0, 0]), n_classes=1)


def test_logistic_models_learn_by_the_functions_that_users_know(backend):
    shards = [rows_of(seed, classes=2) for seed in range(3)]
    data = [rows.X for rows in shards], [rows.y for rows in shards]
    config = {"n_clients": 3, "key_length": 256, "insecure": True, "n_iter": 3, "eta": 0.5, "backend": backend}
    result = federated_learning(*data, data[0][0], data[1][0], config, model=LogisticRegression)
    weights = np.zeros(3)
    for _ in range(3):
        gradients = [r.X.T @ (1 / (1 + np.exp(-r.X @ weights)) - r.y) / 20 for r in shards]
        weights = weights - 0.5 * np.mean(gradients, axis=0)
    np.testing.assert_allclose(result.weights[2], weights, rtol=1e-8)
    assert result.mse[0] == pytest.approx(np.mean((1 / (1 + np.exp(-shards[0].X @ weights)) - shards[0].y) ** 2))


def test_any_function_takes_part(backend):
    server = Server(256, insecure=True, backend=backend)
    arrays = [[np.full((2, 2), float(i)), np.array([i, 2 * i]), np.float64(i), np.zeros((0, 3))] for i in range(4)]
    seen = []
    parties = [
        Party("A", lambda: arrays[0], server.pubkey),
        Party("B", CallableModel(lambda: tuple(arrays[1]), seen.append), server.pubkey),
        Party("C", CallableModel(lambda: arrays[2]), server.pubkey),
        Party("D", lambda: arrays[3], server.pubkey),
    ]
    done = list(run_rounds(server, parties, 2))
    assert [one.round for one in done] == [1, 2]
    assert done[1].mean.tolist() == [1.5] * 4 + [1.5, 3.0, 1.5]
    for party in parties:
        assert [weights.tolist() for weights in party.weights] == [[[1.5, 1.5]] * 2, [1.5, 3.0], 1.5, []]
        assert party.weights[3].shape == (0, 3)
    assert len(seen) == 2
    assert done[0].parties == parties


@pytest.mark.parametrize(
    ("update", "error", "message"),
    [
        ([], TypeError, "A: its model's update must be a list"),
        (np.zeros(3), TypeError, "A: its model's update must be a list"),
        (np.zeros((2, 3)), TypeError, "A: its model's update must be a list"),
        (None, TypeError, "A: its model's update must be a list"),
        ({"w": np.zeros(3)}, TypeError, "A: its model's update must be a list"),
        ({1.0, 2.0}, TypeError, "A: its model's update must be a list"),
        ("12", TypeError, "A: its model's update must be a list"),
        ([np.array([1j])], TypeError, "^A: "),
        ([np.array(["x"])], TypeError, "^A: "),
        ([np.ma.array([1.0], mask=[True])], TypeError, "^A: .*masked"),
        ([np.array([1.0]), np.array([np.nan])], ProtocolError, "A: its update is not finite.*It sent nothing"),
        ([[1.0, np.inf]], ProtocolError, "A: its update is not finite.*It sent nothing"),
        ([np.array([1e60])], ProtocolError, "A: its update cannot be encoded.*It sent nothing"),
    ],
)
def test_updates_that_cannot_be_sent_name_the_party(update, error, message):
    server = Server(256, insecure=True)
    for model in (lambda: update, CallableModel(lambda: update)):
        with pytest.raises(error, match=message):
            Party("A", model, server.pubkey).encrypted_gradient()


@pytest.mark.parametrize("mean", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [1.0, 2.0, np.nan]])
def test_a_mean_that_does_not_fit_changes_nothing(mean):
    for party in (Party("A", lambda: [np.ones(3)], Server(256, insecure=True).pubkey), Parties("packed").clients[0]):
        with pytest.raises(ProtocolError, match="A has sent nothing yet"):
            party.receive([1.0, 2.0, 3.0])
        party.encrypted_gradient()
        with pytest.raises(ProtocolError, match="A: got a"):
            party.receive(mean)
        assert party.round == 1
        party.receive([1.0, 2.0, 3.0])
        assert party.round == 2


def test_parties_that_send_other_shapes_are_refused():
    server = Server(256, insecure=True)
    parties = [Party(name, lambda n=n: [np.ones(n)], server.pubkey) for name, n in zip("ABC", (3, 3, 4), strict=True)]
    with pytest.raises(ProtocolError, match="round 1, B -> C: lengths differ"):
        next(run_rounds(server, parties, 1))


@pytest.mark.parametrize("n_iter", [0, -1, 1.5, "2", True, None])
def test_numbers_of_rounds_that_are_none_are_refused(n_iter):
    server = Server(256, insecure=True)
    parties = [Party(name, lambda: [1.0], server.pubkey) for name in "ABC"]
    with pytest.raises(ValueError, match=r"^n_iter must be (an int|positive), not "):
        next(run_rounds(server, parties, n_iter))
    assert [done.round for done in run_rounds(server, parties, np.int64(1))] == [1]


def test_what_is_no_model_is_refused():
    for wrong in (3, None, [np.ones(3)]):
        with pytest.raises(TypeError, match="update must be callable"):
            Party("A", wrong)
    with pytest.raises(TypeError, match="apply must be callable"):
        CallableModel(list, 3)


def test_a_client_is_its_model():
    client = Client("A", np.eye(3), np.arange(3.0), model=LinearRegression, eta=0.5)
    client.weights = np.ones(3)
    assert client.model.weights.tolist() == [1.0] * 3
    client.pubkey = Server(256, insecure=True).pubkey
    client.encrypted_gradient()
    client.receive([1.0, 0.0, -1.0])
    assert client.weights.tolist() == [0.5, 1.0, 1.5]
