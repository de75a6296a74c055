"""The estimator follows scikit-learn's conventions and computes what the protocol computes."""

import pickle
import re

import numpy as np
import phe
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_regression
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from vecphe import federated
from vecphe.errors import ProtocolError
from vecphe.federated import (
    FederatedLinearRegression,
    FederatedLogisticRegression,
    NaiveBackend,
    PackedBackend,
    ProtocolConfig,
    federated_learning,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::vecphe.errors.InsecureKeyWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]


def short_key_regression(**options):
    return FederatedLinearRegression(**({"key_length": 256, "insecure": True, "eta": 0.1} | options))


def short_key_classification(**options):
    return FederatedLogisticRegression(**({"key_length": 256, "insecure": True, "eta": 0.1} | options))


# The checks use columns around 100, for which gradient descent needs such small steps.
@parametrize_with_checks([short_key_regression(eta=1e-5), short_key_classification(eta=1e-5)])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    """All of the diabetes data."""
    return load_diabetes(return_X_y=True)


def test_it_learns_what_the_protocol_learns(data):
    X, y = data
    model = FederatedLinearRegression(n_clients=4, key_length=512, insecure=True).fit(X, y)
    blocks = [slice(0, 111), slice(111, 222), slice(222, 332), slice(332, 442)]  # all 442 rows
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


def test_the_package_has_estimators_and_nothing_else_of_their_module():
    assert {*federated.__all__} <= {*dir(federated)}
    assert federated.FederatedLinearRegression is FederatedLinearRegression
    with pytest.raises(AttributeError, match=r"^module 'vecphe\.federated' has no attribute 'check_is_fitted'$"):
        federated.check_is_fitted  # noqa: B018


def test_parameters_survive_cloning():
    model = FederatedLinearRegression(n_clients=7, eta=0.3)
    assert clone(model).get_params() == model.get_params()
    assert model.get_params()["key_length"] == 3072


@pytest.mark.parametrize("estimator", [FederatedLinearRegression, FederatedLogisticRegression])
def test_defaults_are_those_of_a_run(estimator):
    config = ProtocolConfig()
    assert estimator().get_params() == {name: getattr(config, name) for name in estimator().get_params()}


@pytest.mark.parametrize("estimator", [short_key_regression, short_key_classification])
def test_rows_of_any_real_type_are_taken_as_floats(estimator):
    X, y = np.arange(24.0).reshape(12, 2) % 7, np.arange(12) % 2
    model = estimator(n_iter=2, n_clients=3).fit(X, y)
    for dtype in (np.longdouble, np.int8, object):
        rows = X.astype(dtype)
        again = estimator(n_iter=2, n_clients=3).fit(rows, y.astype(object) if estimator is short_key_regression else y)
        assert again.coef_.tolist() == model.coef_.tolist()
        for name in {"predict", "decision_function", "predict_proba"} & set(dir(model)):
            ours, theirs = getattr(model, name)(rows), getattr(model, name)(X)
            assert (ours.dtype, ours.tolist()) == (theirs.dtype, theirs.tolist())


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


def test_labels_of_different_type_are_different_clients(data):
    X, y = data[0][:8], data[1][:8]
    model = short_key_regression(n_iter=1).fit(X, y, groups=[1, "1", "Server", 1, "1", "Server", "1 #2", 1])
    assert model.result_.weights.shape == (4, 11)
    numbered = short_key_regression(n_iter=1).fit(X, y, groups=np.array([0, 1, 2, 0, 1, 2, 3, 0]))
    np.testing.assert_array_equal(model.coef_, numbered.coef_)


def test_clients_with_labels_that_look_the_same_have_different_names(data):
    X, y = data[0][:4], data[1][:4] * [1, 1, 1e9, 1]
    with pytest.raises(RuntimeError, match=r"^1 #2: "):
        short_key_regression().fit(X, y, groups=[1, "x", "1", "x"])
    with pytest.raises(RuntimeError, match=r"^Server #2: "):
        short_key_regression().fit(X, y, groups=["1", "x", "Server", "y"])


class NoTruthValue:
    """Compares as pandas.NA does."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), np.datetime64("NaT", "s"), "", NoTruthValue()])
def test_rows_without_label_are_refused(data, missing):
    X, y = data[0][:4], data[1][:4]
    with pytest.raises(ValueError, match="groups has no label for row 2"):
        short_key_regression().fit(X, y, groups=["a", "b", missing, "c"])


@pytest.mark.parametrize("groups", ["abca", [["a"], ["b"], ["c"], ["a"]], np.ones((4, 2)), 3])
def test_groups_of_other_shape_are_refused(data, groups):
    X, y = data[0][:4], data[1][:4]
    with pytest.raises(ValueError, match=r"groups must have shape \(rows,\)"):
        short_key_regression().fit(X, y, groups=groups)


@pytest.mark.parametrize("name", ["X", "y", "groups"])
def test_masks_are_refused(data, name):
    arguments = {"X": data[0][:6], "y": data[1][:6], "groups": np.arange(6) % 3}
    arguments[name] = np.ma.array(arguments[name], mask=np.zeros_like(arguments[name], dtype=bool))
    with pytest.raises(TypeError, match=f"^{name} is a masked array"):
        short_key_regression(n_iter=1).fit(**arguments)


@pytest.mark.parametrize(
    ("options", "name"),
    [({"n_clients": "3"}, "n_clients"), ({"n_clients": 3.0}, "n_clients"), ({"insecure": "no"}, "insecure")],
)
def test_parameters_of_other_type_are_named(data, options, name):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        short_key_regression(**options).fit(*data)


def test_parameters_may_be_numpy_integers(data):
    model = short_key_regression(n_clients=np.int64(3), key_length=np.int64(256), n_iter=np.int64(1)).fit(*data)
    assert model.n_iter_ == 1


def test_a_run_that_diverges_raises(data):
    X, y = data
    with pytest.raises(RuntimeError, match="lower eta"):
        short_key_regression(eta=1e306, n_iter=1, backend=NaiveBackend(phe)).fit(X, y)


def test_a_fitted_model_can_be_pickled(data):
    X, y = data
    model = short_key_regression(n_iter=1, backend=NaiveBackend(phe)).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.fit(X, y).n_iter_ == 1


def descent(X, targets, predict, n_iter, eta):
    """Plain gradient descent on the rows of three equal blocks, with a column of ones."""
    rows = np.column_stack([X, np.ones(len(X))])
    weights = np.zeros((rows.shape[1], *targets.shape[1:]))
    for _ in range(n_iter):
        gradients = [
            rows[k::3].T @ (predict(rows[k::3] @ weights) - targets[k::3]) / len(targets[k::3]) for k in range(3)
        ]
        weights = weights - eta * np.mean(gradients, axis=0)
    return weights


@pytest.fixture(scope="module")
def iris():
    """Standardised features, and names of three classes."""
    X, y = load_iris(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), np.array(["setosa", "versicolor", "virginica"])[y]


def test_two_classes_are_learnt_as_plain_descent_does(iris):
    X, y = iris[0][50:], iris[1][50:]
    model = short_key_classification(n_iter=4, eta=0.5).fit(X, y, groups=np.arange(100) % 3)
    expected = descent(X, (y == "virginica").astype(float), lambda scores: 1 / (1 + np.exp(-scores)), 4, 0.5)
    assert model.coef_.shape == (1, 4)
    np.testing.assert_allclose([*model.coef_[0], *model.intercept_], expected, rtol=1e-8)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-model.decision_function(X))))
    assert set(model.predict(X)) == {"versicolor", "virginica"}


def test_three_classes_are_learnt_as_plain_descent_does(iris):
    X, y = iris
    model = short_key_classification(n_iter=4, eta=0.5).fit(X, y, groups=np.arange(150) % 3)
    one_hot = (y[:, None] == np.unique(y)).astype(float)
    softmax = lambda scores: np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)  # noqa: E731
    expected = descent(X, one_hot, softmax, 4, 0.5)
    assert model.coef_.shape == (3, 4)
    np.testing.assert_allclose(np.column_stack([model.coef_, model.intercept_]).T, expected, rtol=1e-8)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("first", [0, 50])
def test_it_classifies_about_as_well_as_scikit_learns(iris, first):
    X, y = iris[0][first:], iris[1][first:]
    ours = short_key_classification(eta=1.0).fit(X, y, groups=np.arange(len(y)) % 3)
    theirs = LogisticRegression().fit(X, y)
    assert ours.score(X, y) > theirs.score(X, y) - 0.05


def test_a_client_need_not_have_every_class(iris):
    model = short_key_classification(n_clients=3, n_iter=30, eta=1.0).fit(*iris)  # sorted by class
    assert model.score(*iris) > 0.8


def test_one_class_is_refused(iris):
    with pytest.raises(ValueError, match="only one class"):
        short_key_classification().fit(iris[0], ["a"] * 150)
    with pytest.raises(TypeError, match="y is a masked array"):
        short_key_classification().fit(iris[0], np.ma.array(np.arange(150) % 2, mask=np.zeros(150)))


@pytest.mark.parametrize("estimator", [FederatedLinearRegression, FederatedLogisticRegression])
def test_errors_name_parameters_that_estimators_have(estimator):
    X, y = np.arange(12.0).reshape(6, 2), [0, 1, 0, 1, 0, 1]
    short = {"key_length": 256, "insecure": True, "n_iter": 1}
    cases = {
        "2 clients are too few": {"n_clients": 2},
        "1 client is too few": {"n_clients": 1},
        "6 samples cannot be shared out to n_clients=7": {"n_clients": 7},
        "n_clients=3: make the backend with max_terms=3 or more": {"n_clients": 3, "backend": PackedBackend(2)},
        "has no room for 3 clients: max_terms=3": {"n_clients": 3, "max_terms": 2},
    }
    for message, options in cases.items():
        with pytest.raises((ValueError, ProtocolError)) as caught:
            estimator(**short, **options).fit(X, y)
        assert message.removeprefix("n_clients=3: ") in str(caught.value)
        named = set(re.findall(r"\b([a-z]+_[a-z_]+)=", str(caught.value)))
        assert named <= {*estimator().get_params()}, named
    with pytest.raises(ProtocolError, match=r"^2 clients are too few: below 3 each learns [^;]*$"):
        estimator(**short).fit(X, y, groups=["a", "b"] * 3)


def test_rows_that_do_not_come_out_even_are_all_learned_from(data):
    X, y = (part[:101] for part in data)
    model = FederatedLinearRegression(n_clients=3, key_length=256, insecure=True, scale="federated", n_iter=5).fit(X, y)
    assert model.result_.scalings[0].rows == 101
