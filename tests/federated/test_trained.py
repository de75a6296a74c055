"""Models that leave: files, and scikit-learn's estimators with the same predictions."""

import dataclasses
import json
import math
import re
from fractions import Fraction

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vecphe.data.schema import Column, Schema
from vecphe.errors import InvalidPlaintextError, SerializationError
from vecphe.federated import FederatedLinearRegression, FederatedLogisticRegression, LinearForm, TrainedModel
from vecphe.federated.trained import checked_classes

SHORT = {"key_length": 256, "insecure": True, "n_clients": 3}
SCALED = {**SHORT, "scale": "federated", "n_iter": 30}


def data(n=60):
    """Columns far from zero and of different size."""
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.normal(500, 20, n), rng.normal(-1e6, 300, n), rng.normal(1e-9, 1e-10, n)])
    return X, 3 * X[:, 0] + 0.01 * X[:, 1] + 1e9 * X[:, 2] + rng.normal(0, 1, n)


def labels(kind):
    X, y = data()
    numbers = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
    kinds = {
        "yes or no": np.array(["no", "yes"])[(numbers > 0).astype(int)],
        "booleans": numbers > 0,
        "0 and 1": (numbers > 0).astype(int),
        "floats": np.array([-1.0, 2.0])[(numbers > 1).astype(int)],
        "three texts": np.array(["a", "b", "ü"])[numbers],
        "three integers": numbers - 7,
    }
    return X, kinds[kind]


KINDS = ["yes or no", "booleans", "0 and 1", "floats", "three texts", "three integers"]


@pytest.mark.parametrize("scale", ["federated", "none"])
def test_a_regression_in_a_file_predicts_what_the_estimator_does(tmp_path, scale):
    X, y = data()
    eta = 1.5 if scale == "federated" else 1e-14
    model = FederatedLinearRegression(**{**SCALED, "scale": scale, "eta": eta, "backend": "vectorized"}).fit(X, y)
    model.save(tmp_path / "m.json")
    again = TrainedModel.load(tmp_path / "m.json")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_allclose(X @ model.coef_ + model.intercept_, model.predict(X), rtol=1e-9)
    assert (again.features, again.target, again.classes) == (("x0", "x1", "x2"), "y", None)
    assert again.rows == (60 if scale == "federated" else None)
    for plain in (model.to_sklearn(), again.to_sklearn()):
        assert type(plain) is LinearRegression
        np.testing.assert_allclose(plain.predict(X), model.predict(X), rtol=1e-9)
        assert clone(plain).fit(X, y).score(X, y) > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_classes_in_a_file_are_those_of_the_estimator(tmp_path, kind):
    X, y = labels(kind)
    model = FederatedLogisticRegression(**SCALED).fit(X, y)
    model.save(tmp_path / "m.json")
    again = TrainedModel.load(tmp_path / "m.json")
    assert again.classes == tuple(np.unique(y).tolist())
    assert [type(label) for label in again.classes] == [type(label) for label in np.unique(y).tolist()]
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert model.score(X, y) > 0.6
    for plain in (model.to_sklearn(), again.to_sklearn()):
        assert type(plain) is LogisticRegression
        np.testing.assert_array_equal(plain.predict(X), model.predict(X))
        np.testing.assert_allclose(plain.predict_proba(X), model.predict_proba(X), rtol=1e-7)
        np.testing.assert_allclose(plain.decision_function(X), model.decision_function(X), rtol=1e-7, atol=1e-9)


def test_names_of_a_data_frame_are_those_of_the_columns():
    model = FederatedLinearRegression(**SCALED).fit(*data())
    model.feature_names_in_ = np.array(["age", "dose", "é"], dtype=object)
    content = json.loads(model._trained().to_json())
    assert [feature["name"] for feature in content["features"]] == ["age", "dose", "é"]
    assert content["columns"] == [{"name": "age"}, {"name": "dose"}, {"name": "é"}]


def test_h64_files_are_not_replaced_unless_asked_for(tmp_path):
    model = FederatedLinearRegression(**{**SCALED, "n_iter": 1}).fit(*data())
    path = tmp_path / "m.json"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        model.save(path)
    assert path.read_text() == "precious"
    with pytest.raises(FileExistsError):
        model._trained().save(path)
    model.save(path, force=True)
    assert TrainedModel.load(path).rows == 60


def test_labels_without_a_form_are_refused(tmp_path):
    X, _ = data()
    model = FederatedLogisticRegression(**{**SCALED, "n_iter": 1}).fit(X, np.array([1, 2] * 30))
    for classes in ([1, "a"], [None, None], [np.nan, 1.0], [1j, 2j], [2, 1], [1, 1], [1], [0, 2**63]):
        model.classes_ = np.array(classes, dtype=object)
        with pytest.raises((TypeError, ValueError)):
            model.save(tmp_path / "m.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ((1, 2), "classes must be a list of two labels or more"),
        ([1], "classes must be a list of two labels or more"),
        ([], "classes must be a list of two labels or more"),
        ([1, "a"], "the labels of classes must all be texts, or all integers, floats or booleans"),
        ([0, True], "the labels of classes must all be texts, or all integers, floats or booleans"),
        ([None, None], "the labels of classes must all be texts, or all integers, floats or booleans"),
        ([1.0, math.inf], "a label of a class is not finite"),
        ([math.nan, 1.0], "a label of a class is not finite"),
        ([0, 1 << 63], "a label of a class has more than 64 bits"),
        ([-(1 << 63) - 1, 0], "a label of a class has more than 64 bits"),
        ([2, 1], "the labels of classes must be sorted, and each stand once"),
        (["a", "b", "b"], "the labels of classes must be sorted, and each stand once"),
        ([7, 7], "the labels of classes must be sorted, and each stand once"),
    ],
)
def test_labels_of_classes_are_refused_to_the_letter(labels, told):
    with pytest.raises((TypeError, ValueError)) as caught:
        checked_classes(labels)
    assert str(caught.value) == told
    assert isinstance(caught.value, TypeError) == ("must all be" in told)


@pytest.mark.parametrize(
    "labels", [["a", "b"], [-(1 << 63), (1 << 63) - 1], [-1e308, 1e308], [False, True], ["", "a", "\u00fc"]]
)
def test_labels_of_classes_that_are_taken(labels):
    assert checked_classes(labels) == tuple(labels)


def test_an_estimator_without_fit_has_no_file(tmp_path):
    with pytest.raises(AttributeError, match="not fitted"):
        FederatedLinearRegression().save(tmp_path / "m.json")


def test_estimators_work_in_pipelines_and_searches():
    X, y = labels("yes or no")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), FederatedLogisticRegression(**SCALED)),
        {"federatedlogisticregression__l2": [0.0, 1.0]},
        cv=2,
    ).fit(X, y)
    assert search.best_params_ == {"federatedlogisticregression__l2": 0.0}
    assert search.predict_proba(X).shape == (60, 2)


def test_breast_cancer_with_four_biased_hospitals_equals_pooled_descent():
    X, y = load_breast_cancer(return_X_y=True)
    order = np.argsort(X[:, 0])  # by the size of the nucleus: the first hospital has hardly a malignant one
    X, y = X[order], y[order]
    test = np.arange(len(y)) % 5 == 2
    groups = np.repeat(["A", "B", "C", "D"], [40, 200, 130, 85])[: (~test).sum()]
    assert len(groups) == (~test).sum()
    train, targets = X[~test], y[~test]
    model = FederatedLogisticRegression(**SHORT, scale="federated", n_iter=200).fit(train, targets, groups=groups)
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    root = np.sqrt(X.shape[1])
    rows = np.column_stack([(train - mean) / deviation / root, np.ones(len(train))])
    weights = np.zeros(31)
    for _ in range(200):
        weights -= 1.5 * rows.T @ (1 / (1 + np.exp(-rows @ weights)) - targets) / len(rows)
    np.testing.assert_allclose(model.result_.weights[0], weights, rtol=0, atol=1e-9)
    coefficients = weights[:-1] / deviation / root
    np.testing.assert_allclose(model.coef_[0], coefficients, rtol=1e-9, atol=1e-9)
    scores = X[test] @ coefficients + weights[-1] - mean @ coefficients
    assert accuracy_score(y[test], model.predict(X[test])) == accuracy_score(y[test], scores > 0) > 0.93
    assert roc_auc_score(y[test], model.decision_function(X[test])) == roc_auc_score(y[test], scores) > 0.98


def test_scores_keep_their_digits_far_from_zero():
    X = 1e12 + np.arange(5.0)[:, np.newaxis]
    form = LinearForm(np.array([1e12 + 2]), np.array([1e-3]), np.array(7.0))
    np.testing.assert_allclose(form.scores(X) - 7, (np.arange(5) - 2) * 1e-3, rtol=1e-12)
    assert form.intercept == pytest.approx(7 - (1e12 + 2) * 1e-3, rel=1e-15)


# Hostile files -----------------------------------------------------------------------------------------------------


def content(kind="three texts"):
    X, y = data() if kind is None else labels(kind)
    estimator = FederatedLinearRegression if kind is None else FederatedLogisticRegression
    return json.loads(estimator(**{**SCALED, "n_iter": 2}).fit(X, y)._trained().to_json())


@pytest.fixture(scope="module")
def good():
    """The JSON of a model of three classes."""
    return content()


def rename(model, name):
    model["columns"][0]["name"] = model["features"][0]["name"] = name


def changed(good, change):
    copy = json.loads(json.dumps(good))
    change(copy)
    return json.dumps(copy)


CHANGES = {
    "format": (lambda c: c.update(format="vecphe"), 'with "format": "vecphe model"'),
    "version": (lambda c: c.update(version=2), "version 1"),
    "version as text": (lambda c: c.update(version="1"), "version 1"),
    "version as boolean": (lambda c: c.update(version=True), "version 1"),
    "task": (lambda c: c.update(task="clustering"), "task must be"),
    "task as list": (lambda c: c.update(task=["regression"]), "task must be"),
    "classes of a regression": (lambda c: c.update(task="regression"), "unknown field 'classes'"),
    "no classes": (lambda c: c.pop("classes"), "lacks the field 'classes'"),
    "one class": (lambda c: c.update(classes=["a"]), "two labels or more"),
    "mixed classes": (lambda c: c.update(classes=["a", 1, "c"]), "all be texts"),
    "unsorted classes": (lambda c: c.update(classes=["b", "a", "c"]), "sorted"),
    "a class twice": (lambda c: c.update(classes=["a", "a", "c"]), "sorted"),
    "classes as text": (lambda c: c.update(classes="abc"), "list of two"),
    "two classes for three": (lambda c: c.update(classes=["a", "b"]), "list of 1 number$"),
    "target": (lambda c: c.update(target=""), "target must be"),
    "target as number": (lambda c: c.update(target=5), "target must be"),
    "scale": (lambda c: c.update(scale="none"), "scale must be"),
    "rows": (lambda c: c.update(rows=0), "rows must be"),
    "rows as boolean": (lambda c: c.update(rows=True), "rows must be"),
    "rows as float": (lambda c: c.update(rows=60.0), "rows must be"),
    "no rows": (lambda c: c.update(rows=None, scale="none"), "1 without scaling"),
    "unknown field": (lambda c: c.update(secret=1), "unknown field 'secret'"),
    "missing field": (lambda c: c.pop("at_mean"), "lacks the field 'at_mean'"),
    "columns": (lambda c: c.update(columns=[]), "columns must be a list"),
    "column twice": (lambda c: c["columns"].__setitem__(1, {"name": "x0"}), "twice"),
    "too few columns": (lambda c: c["columns"].pop(), "features must be a list of 2"),
    "too few features": (lambda c: c["features"].pop(), "features must be a list of 3"),
    "features as object": (lambda c: c.update(features={}), "features must be a list of 3"),
    "other names": (lambda c: c["features"].reverse(), "names of the features"),
    "feature as list": (lambda c: c["features"].__setitem__(0, []), "a feature must be an object"),
    "field of a feature": (lambda c: c["features"][0].update(unit="mg"), "unknown field 'unit'"),
    "deviation of 0": (lambda c: c["features"][0].update(deviation=0), "must be positive"),
    "negative deviation": (lambda c: c["features"][0].update(deviation=-1.0), "must be positive"),
    "mean as text": (lambda c: c["features"][0].update(mean="5"), "list of 2 numbers"),
    "mean as boolean": (lambda c: c["features"][0].update(mean=True), "list of 2 numbers"),
    "coefficient missing": (lambda c: c["features"][0]["coefficients"].pop(), "list of 3 numbers"),
    "coefficients as number": (lambda c: c["features"][0].update(coefficients=1.0), "list of 3 numbers"),
    "at_mean": (lambda c: c["at_mean"].append(1.0), "list of 3 numbers"),
    "intercept": (lambda c: c["intercept"].__setitem__(1, c["intercept"][1] * (1 + 1e-6)), "intercept is not"),
    "mean and coefficient that overflow": (
        lambda c: c["features"][0].update(mean=1e308, coefficients=[1e9] * 3),
        "more than a float holds",
    ),
    "target of two lines": (lambda c: c.update(target="y\n=cmd"), "printable"),
    "target with an escape": (lambda c: c.update(target="\x1b[31my"), "printable"),
    "empty name": (lambda c: rename(c, ""), "printable"),
    "name with an escape": (lambda c: rename(c, "x\x1b[2J"), "printable"),
    "name with a line break": (lambda c: rename(c, "x\r"), "printable"),
    "name with a surrogate": (lambda c: rename(c, "\ud800"), "printable"),
    "class with a line break": (lambda c: c.update(classes=["a", "b", "c\n"]), "printable"),
    "empty class": (lambda c: c.update(classes=["", "b", "c"]), "printable"),
    "level with an escape": (lambda c: c["columns"][0].update(levels=["\x1b[31m", "f"]), "printable"),
    "empty level": (lambda c: c["columns"][0].update(levels=["", "f"]), "printable"),
    "coefficient": (lambda c: c["features"][0]["coefficients"].__setitem__(0, 0.5), "intercept is not"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_h36_what_is_no_model_is_refused(good, change):
    assert TrainedModel.from_json(json.dumps(good)).classes == ("a", "b", "ü")
    with pytest.raises(SerializationError, match=change[1]):
        TrainedModel.from_json(changed(good, change[0]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "[]",
        "null",
        b"\xff\xfe",
        '{"format": "vecphe model", "version": 1',
        "[" * 100000,
        '{"format": "vecphe model", "format": "vecphe model"}',
        '{"format": "vecphe model", "version": 1, "task": "regression", "rows": ' + "9" * 10**6 + "}",
        '{"format": "vecphe model", "version": 1, "rows": 1' + "0" * 100 + ".5}",
        '{"format": "vecphe model", "version": 1, "rows": NaN}',
        '{"format": "vecphe model", "version": 1, "rows": -Infinity}',
        '{"format": "vecphe model", "version": 1, "rows": 1e999}',
    ],
)
def test_h37_hostile_json_is_refused(text):
    with pytest.raises(SerializationError):
        TrainedModel.from_json(text)


def test_h37_a_field_that_stands_twice_is_refused(good):
    text = json.dumps(good)
    with pytest.raises(SerializationError, match="a field stands twice"):
        TrainedModel.from_json(text.replace('"target": "y"', '"target": "y", "target": "y"'))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "0." + "1" * 60])
def test_h37_numbers_are_finite(good, number):
    text = changed(good, lambda c: c["features"][0].update(mean="here"))
    with pytest.raises(SerializationError, match="a number is not finite"):
        TrainedModel.from_json(text.replace('"here"', number))


def test_h35_a_truncated_model_is_refused_everywhere(tmp_path):
    text = json.dumps(content(None))
    path = tmp_path / "m.json"
    for length in range(0, len(text), 7):
        path.write_text(text[:length])
        with pytest.raises(SerializationError, match=r"m\.json: "):
            TrainedModel.load(path)


def test_h35_a_file_without_end_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("vecphe.federated.trained._LONGEST_FILE", 1000)
    (tmp_path / "m.json").write_text(json.dumps(content()) + " " * 1000)
    with pytest.raises(OSError, match="longer than"):
        TrainedModel.load(tmp_path / "m.json")


def test_h35_a_model_at_its_limits_is_taken_and_refused_beyond(good):
    at_most = {**good, "rows": (1 << 63) - 1}
    assert TrainedModel.from_json(json.dumps(at_most)).rows == (1 << 63) - 1
    with pytest.raises(SerializationError, match="rows must be"):
        TrainedModel.from_json(json.dumps({**good, "rows": 1 << 63}))
    text = json.dumps({**good, "rows": "ROWS"})
    for literal, told in (("9" * 40, "rows must be"), ("9" * 41, "more than 40 characters")):
        with pytest.raises(SerializationError, match=told):
            TrainedModel.from_json(text.replace('"ROWS"', literal))
    mean = {**good, "features": [{**good["features"][0], "mean": "MEAN"}, *good["features"][1:]]}
    text = json.dumps(mean)
    with pytest.raises(SerializationError, match="intercept is not what"):  # the number was read
        TrainedModel.from_json(text.replace('"MEAN"', "0." + "1" * 38))
    for literal in ("0." + "1" * 39, "1e999", "NaN", "-Infinity"):
        with pytest.raises(SerializationError, match="not finite, or has more than 40 characters"):
            TrainedModel.from_json(text.replace('"MEAN"', literal))


def test_names_have_to_be_as_many_as_features():
    model = FederatedLinearRegression(**{**SCALED, "n_iter": 1}).fit(*data())
    for names, told in (("a", "1 name for 3 features"), ("ab", "2 names for 3 features")):
        with pytest.raises(ValueError, match=f"^{told}$"):
            TrainedModel.of(
                Schema(tuple(map(Column, names))), "y", None, model.result_.scalings[0], model.result_.linear()
            )


def test_iris_in_all_backends_has_the_same_file():
    X, y = load_iris(return_X_y=True)
    texts = [
        FederatedLogisticRegression(**{**SCALED, "n_iter": 3, "backend": backend}).fit(X, y)._trained().to_json()
        for backend in ("packed", "vectorized", "naive")
    ]
    models = [TrainedModel.from_json(text) for text in texts]
    for model in models[1:]:
        np.testing.assert_allclose(model.linear.coefficients, models[0].linear.coefficients, rtol=1e-9)
        np.testing.assert_array_equal(model.linear.mean, models[0].linear.mean)


@pytest.mark.parametrize("data", ["\ufeff{}", b"\xef\xbb\xbf{}"])
def test_h36_a_byte_order_mark_is_told(data):
    with pytest.raises(SerializationError, match="begins with a byte order mark; save it as UTF-8 without one"):
        TrainedModel.from_json(data)


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[31m", "\ud800"])
def test_what_no_reader_takes_is_not_saved(tmp_path, name):
    X, y = data()
    model = FederatedLinearRegression(**{**SCALED, "n_iter": 1}).fit(X, y)
    model.feature_names_in_ = np.array(["age", name, "dose"], dtype=object)
    with pytest.raises(ValueError, match="printable"):
        model.save(tmp_path / "m.json")
    classes = FederatedLogisticRegression(**{**SCALED, "n_iter": 1}).fit(X, np.array([name, "~"] * 30))
    with pytest.raises(ValueError, match="printable"):
        classes.save(tmp_path / "m.json")
    assert not list(tmp_path.iterdir())


def of_form(mean, coefficients, at_mean, deviation, classes=None):
    """A model of columns a, b and so on."""
    schema = Schema(tuple(Column(name) for name, _ in zip("abc", mean, strict=False)))
    form = LinearForm(np.array(mean), np.array(coefficients), np.array(at_mean))
    return TrainedModel(schema, "y", classes, form, np.array(deviation), 10)


@pytest.mark.parametrize(
    ("mean", "coefficients", "at_mean", "deviation", "digits"),
    [
        ([1e7], [1.0], 0.0, [1.0], 7),
        ([-1e7], [-1.0], 0.0, [1.0], 7),
        ([1e7], [1.0], 9e7, [1.0], math.log10(10 / 9)),  # beside a score that is as large
        ([1e7], [1.0], -9e7, [1.0], math.log10(10 / 9)),
        ([1e7, 1e7], [1.0, -3.0], 0.0, [1.0, 3.0], math.log10(4e7 / 10)),
        ([1.0], [1.0], 0.0, [5.0], 0),  # none, and not fewer
        ([1e7], [0.0], 0.0, [1.0], 0),
        ([1e7], [[1.0, 2.0, 0.0]], [0.0, 0.0, 1e9], [1.0], 7),  # those of the class that loses most
        ([1e7], [[1.0, 2.0, 4.0]], [0.0, 1e7, 1.0], [2.0], math.log10(4e7 / 8)),
    ],
)
def test_how_many_digits_plain_coefficients_lose(mean, coefficients, at_mean, deviation, digits):
    assert of_form(mean, coefficients, at_mean, deviation)._lost_digits() == pytest.approx(digits, abs=1e-5)


@pytest.mark.parametrize(("mean", "told"), [(1e6, []), (1.01e6, ["about 6 of 16"]), (1e9, ["about 9 of 16"])])
def test_more_than_six_are_told_where_it_is_asked_for(recwarn, mean, told):
    model = of_form([mean], [1.0], 0.0, [1.0])
    plain = model.to_sklearn()
    assert [str(warning.message).partition("lose ")[2][:13] for warning in recwarn] == told
    assert all(warning.filename == __file__ for warning in recwarn)
    assert (plain.coef_.tolist(), plain.intercept_, plain.n_features_in_) == ([1.0], -mean, 1)


def test_what_scikit_learn_gets_is_its_own():
    model = of_form([1.0, 2.0], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [7.0, 8.0, 9.0], [1.0, 1.0], ("a", "b", "c"))
    plain = model.to_sklearn()
    assert plain.coef_.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert plain.intercept_.tolist() == [7 - 9, 8 - 12, 9 - 15]
    assert plain.classes_.tolist() == ["a", "b", "c"]
    for made in (plain, of_form([1.0], [2.0], 3.0, [1.0]).to_sklearn()):
        made.coef_[:] = 0
    assert model.linear.coefficients[0].tolist() == [1, 2, 3]


def test_h37_models_of_too_many_parts_are_refused(good, monkeypatch):
    TrainedModel.from_json(json.dumps(good))
    monkeypatch.setattr("vecphe.federated.trained._MOST_PARTS", 10)
    with pytest.raises(SerializationError, match=r"too many lists, objects and fields for a model"):
        TrainedModel.from_json(json.dumps(good))


def test_h35_h37_how_long_a_model_may_be_and_of_how_many_parts(good, monkeypatch):
    asked = []
    monkeypatch.setattr("vecphe.system.files.read_file", lambda *given: asked.append(given) or json.dumps(good))
    monkeypatch.setattr("vecphe.federated.trained.check_parts", lambda _, *given: asked.append(given))
    TrainedModel.load("m.json")
    assert asked == [("m.json", 1 << 27), (1 << 21, "too many lists, objects and fields for a model")]


def test_a_model_that_was_not_scaled_has_no_means():
    model = dataclasses.replace(of_form([0.0, 0.0], [2.0, 3.0], 4.0, [1.0, 1.0]), rows=None)
    again = TrainedModel.from_json(model.to_json())
    assert (again.rows, again.has_means, again.scores(np.array([[1.0, 10.0]])).tolist()) == (None, False, [36.0])
    with pytest.raises(
        InvalidPlaintextError,
        match=r"^X holds NaN, and a model that was trained with scale='none' has no means to fill in; leave such rows "
        r"out, or train it with scale='federated'$",
    ):
        again.scores(np.array([[np.nan, 1.0]]))
    assert dataclasses.replace(again, rows=3).scores(np.array([[np.nan, 1.0]])).tolist() == [7.0]
    for mean, deviation in ((0.0, 2.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.5)):
        other = dataclasses.replace(of_form([mean, 0.0], [2.0, 3.0], 4.0, [deviation, 1.0]), rows=None)
        with pytest.raises(SerializationError, match=r"must be positive, and 1 without scaling, its mean 0$"):
            TrainedModel.from_json(other.to_json())


def test_a_model_of_nothing_but_zeros_is_one():
    model = TrainedModel.from_json(of_form([0.0, 5.0], [0.0, 0.0], 0.0, [1.0, 2.0]).to_json())
    assert model.predict(np.ones((2, 2))).tolist() == [0, 0]
    for coefficients, at_mean, classes in (([0.0], 0.0, ("a", "b")), ([[0.0] * 3], [0.0] * 3, ("a", "b", "c"))):
        undecided = of_form([1.0], coefficients, at_mean, [1.0], classes)
        assert TrainedModel.from_json(undecided.to_json()).predict(np.ones((2, 1))).tolist() == ["a", "a"]
    above = of_form([1.0], [1.0], 0.0, [1.0], (False, True))
    assert above.predict(np.array([[1.0 + 1e-9], [1.0], [0.0]])).tolist() == [True, False, False]


def test_a_model_is_written_to_be_read_by_people():
    text = of_form([1.0], [2.0], 3.0, [4.0]).to_json()
    assert text.endswith("}\n")
    assert text.splitlines()[1] == ' "format": "vecphe model",'
    assert json.loads(text)["intercept"] == [1.0]
    assert "\u00fc" in of_form([1.0], [[2.0, 1.0, 0.0]], [3.0] * 3, [4.0], ("a", "b", "\u00fc")).to_json()
    with pytest.raises(ValueError, match="not JSON compliant"):
        of_form([1.0], [math.nan], 3.0, [4.0]).to_json()


@pytest.mark.parametrize("estimator", [FederatedLinearRegression, FederatedLogisticRegression])
def test_without_means_no_missing_value_is_filled_in(estimator):
    X, y = data()
    X, y = X / X.std(axis=0) - X.mean(axis=0) / X.std(axis=0), y > np.median(y)
    holes = X.copy()
    holes[3, 1] = np.nan
    plain, scaled = (
        TrainedModel.from_json(estimator(**{**SCALED, "scale": scale, "eta": 0.1}).fit(X, y)._trained().to_json())
        for scale in ("none", "federated")
    )
    assert (plain.has_means, scaled.has_means) == (False, True)
    for predict in (plain.predict, plain.scores) if plain.classes is None else (plain.predict, plain.predict_proba):
        predict(X)
        with pytest.raises(ValueError, match="no means to fill in"):
            predict(holes)
    filled = np.where(np.isnan(holes), scaled.linear.mean, holes)
    np.testing.assert_array_equal(scaled.predict(holes), scaled.predict(filled))


@pytest.mark.parametrize(("far", "lost"), [(0.0, 0), (1e4, 0), (1e7, 7), (-1e7, 7), (1e12, 12)])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_what_scikit_learn_loses_is_told(recwarn, far, lost, classes):
    rng = np.random.default_rng(6)
    X = rng.normal(0, 1, (60, 2)) + np.array([far, 3])
    score = X[:, 0] - far + X[:, 1]
    y = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes)) if classes else score
    estimator = FederatedLogisticRegression if classes else FederatedLinearRegression
    model = estimator(**SCALED).fit(X, y)
    recwarn.clear()
    plain = model.to_sklearn()
    told = [str(warning.message) for warning in recwarn]
    assert len(told) == (lost > 0)
    trained = model._trained()
    scores = plain.decision_function(X) if classes else plain.predict(X)
    error = np.abs(scores - trained.scores(X)).max() / np.abs(trained.scores(X)).max()
    if lost:
        assert re.search(rf"lose about {lost} of 16 digits", told[0])
        assert 10.0 ** (lost - 18) < error < 10.0 ** (lost - 14)
    else:
        assert error < 1e-10
    columns, mean = np.atleast_2d(trained.linear.coefficients.T).tolist(), trained.linear.mean.tolist()
    exact = [
        [
            sum(Fraction(c) * (Fraction(x) - Fraction(m)) for c, x, m in zip(own, row, mean, strict=True))
            for own in columns
        ]
        for row in X[:5].tolist()
    ]
    expected = np.array(exact, dtype=float) + np.atleast_1d(trained.linear.at_mean)
    np.testing.assert_allclose(trained.scores(X[:5]).reshape(5, -1), expected, rtol=0, atol=1e-12)
