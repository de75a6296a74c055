"""The estimator follows scikit-learn's conventions and computes what the protocol computes."""

import numpy as np
import phe
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_regression
from sklearn.utils.estimator_checks import parametrize_with_checks

from vecphe.federated import FederatedLinearRegression, NaiveBackend, federated_learning

pytestmark = [
    pytest.mark.filterwarnings("ignore::vecphe.errors.InsecureKeyWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]


def short_key_regression(**options):
    return FederatedLinearRegression(**({"key_length": 256, "insecure": True, "eta": 0.1} | options))


# The checks use columns around 100, for which gradient descent needs such small steps.
@parametrize_with_checks([short_key_regression(eta=1e-5)])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    """All of the diabetes data."""
    return load_diabetes(return_X_y=True)


def test_it_learns_what_the_protocol_learns(data):
    X, y = data
    model = FederatedLinearRegression(n_clients=4, key_length=512, insecure=True).fit(X, y)
    blocks = [slice(start, start + 110) for start in range(0, 440, 110)]
    rows = np.column_stack([X, np.ones(len(X))])
    config = {"n_clients": 4, "key_length": 512, "insecure": True}
    expected = federated_learning([rows[b] for b in blocks], [y[b] for b in blocks], rows, y, config).weights[0]
    np.testing.assert_allclose([*model.coef_, model.intercept_], expected, rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), rows @ expected, rtol=1e-9)
    assert model.n_iter_ == 50
    assert 0.2 < model.score(X, y) < 0.6


def test_groups_are_the_clients(data):
    X, y = data
    groups = np.array(["north", "south", "east"])[np.arange(len(y)) % 3]
    model = short_key_regression(n_iter=3).fit(X, y, groups=groups)
    rows = np.column_stack([X, np.ones(len(X))])
    weights = np.zeros(11)
    for _ in range(3):
        gradients = [rows[k::3].T @ (rows[k::3] @ weights - y[k::3]) / len(y[k::3]) for k in range(3)]
        weights -= 0.1 * np.mean(gradients, axis=0)
    np.testing.assert_allclose([*model.coef_, model.intercept_], weights, rtol=1e-9)


def test_groups_of_wrong_length_are_refused(data):
    with pytest.raises(ValueError, match="inconsistent"):
        short_key_regression().fit(*data, groups=["a", "b", "c"])


def test_errors_name_the_group(data):
    X, y = data
    groups = ["a", "b", "c"] * 147 + ["c"]
    with pytest.raises(RuntimeError, match="a: its gradient cannot be encoded"):
        short_key_regression().fit(X, y * 1e9, groups=groups)


def test_parameters_survive_cloning():
    model = FederatedLinearRegression(n_clients=7, eta=0.3)
    assert clone(model).get_params() == model.get_params()
    assert model.get_params()["key_length"] == 3072


def test_every_backend_serves(data):
    X, y = data
    models = [
        clone(short_key_regression(n_iter=2, backend=backend)).fit(X[:30], y[:30])
        for backend in (NaiveBackend(phe), "vectorized", "packed")
    ]
    for model in models[1:]:
        np.testing.assert_allclose(model.coef_, models[0].coef_, rtol=1e-9)


def test_a_step_that_suits_the_data_scores_well():
    X, y = make_regression(n_samples=200, n_features=5, noise=5, random_state=0)
    assert short_key_regression(eta=0.3).fit(X, y).score(X, y) > 0.95
