"""From data to a model to predictions: what `vecphe run` says that training together bought, and `vecphe predict`."""

import csv
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from vecphe.cli.app import app
from vecphe.cli.comparison import Comparison, load_shards
from vecphe.cli.outcome import Outcome
from vecphe.data import TableOptions
from vecphe.federated import TrainedModel

SHORT = ["run", "--key-length", "256", "--insecure", "--backend", "packed", "--iterations", "40"]


def invoke(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def write_table(path, kind, n=120):
    """Four wards of unequal size, columns of very different size and one constant; rows as they were written."""
    rng = np.random.default_rng(8)
    big, tiny, dose = rng.normal(1e12, 1e11, n), rng.normal(1e-9, 2e-9, n), rng.normal(0, 1, n)
    score = (big - 1e12) / 1e11 + tiny * 1e9 + dose + rng.normal(0, 0.5, n)
    target = {
        "floats": score * 1e4 + 5e6,
        "0 and 1": (score > 1).astype(int),
        "three classes": np.digitize(score, [0.3, 1.7]) + 1,
    }[kind]
    wards = np.repeat(["north", "south", "east", "west"], [n - 80, 40, 30, 10])
    order = rng.permutation(n)
    lines = ["big,tiny,dose,same,ward,y"]
    lines += [f"{big[i]},{tiny[i]},{dose[i]},7,{wards[i]},{target[i]}" for i in order]
    path.write_text("\n".join(lines) + "\n")
    return path


def shards_of(path):
    return load_shards([path], TableOptions(target="y", group="ward"), None, 43, print)


@pytest.fixture(params=["floats", "0 and 1", "three classes"])
def outcome(request, tmp_path):
    """Output, results, model file and data file of a run."""
    data = write_table(tmp_path / "data.csv", request.param)
    result = invoke(
        *SHORT, "--data", data, "--target", "y", "--group", "ward", "--json", tmp_path / "r.json",
        "--model", tmp_path / "m.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return request.param, result.output, json.loads((tmp_path / "r.json").read_text()), tmp_path


def test_what_is_learned_is_told(outcome):
    kind, text, content, _ = outcome
    words = {
        "floats": "regression of 'y'; columns scaled",
        "0 and 1": "classification of 'y', 2 classes (--task regression if they are numbers); columns scaled",
        "three classes": "classification of 'y', 3 classes (--task regression if they are numbers); columns scaled",
    }
    assert words[kind] in text
    assert content["task"] == ("regression" if kind == "floats" else "classification")
    assert content["scale"] == "federated"


def test_the_table_compares_with_pooled_training_and_a_constant(outcome):
    kind, text, content, _ = outcome
    test = content["test"]
    figures = ["mse", "r2"] if kind == "floats" else ["log_loss", "accuracy", "auc"]
    assert [list(test[name]) for name in ("federated", "pooled", "constant")] == [figures] * 3
    assert all(list(own) == figures for own in test["alone"])
    for figure in figures:
        assert test["federated"][figure] == pytest.approx(test["pooled"][figure], rel=1e-6)
    assert test["federated"][figures[0]] < 0.8 * test["constant"][figures[0]]
    for label in ("all rows pooled, in the clear", "constant predictor", "against alone"):
        assert label in text
    changes = [test["federated"][figures[0]] / own[figures[0]] - 1 for own in test["alone"]]
    names = content["clients"]
    assert test["gained"] == [name for name, change in zip(names, changes, strict=True) if change < -1e-6]
    assert test["lost"] == [name for name, change in zip(names, changes, strict=True) if change > 1e-6]
    for name, change in zip(names, changes, strict=True):
        assert re.search(rf"{name} .*{'gained' if change < 0 else 'lost'} {abs(change):.1%}", text)
    sentence = next(line for line in text.splitlines() if line.startswith("By training together"))
    assert f"{len(test['gained'])} of 4 hospitals gained" in sentence
    assert "the same as that of training on pooled data in the clear" in sentence


def test_figures_are_those_of_scikit_learn(outcome):
    from sklearn import metrics

    kind, _, content, path = outcome
    model = TrainedModel.load(path / "m.json")
    shards = shards_of(path / "data.csv")
    X, y = shards.X_test, shards.y_test
    figures = content["test"]["federated"]
    plain = model.to_sklearn()
    if kind == "floats":
        assert figures["mse"] == pytest.approx(metrics.mean_squared_error(y, plain.predict(X)), rel=1e-9)
        assert figures["r2"] == pytest.approx(metrics.r2_score(y, plain.predict(X)), rel=1e-9)
        train = np.concatenate(shards.y)
        assert content["test"]["constant"]["mse"] == pytest.approx(np.mean((y - train.mean()) ** 2))
        return
    shares = plain.predict_proba(X)
    assert figures["log_loss"] == pytest.approx(metrics.log_loss(y, shares), rel=1e-9)
    assert figures["accuracy"] == metrics.accuracy_score(y, plain.predict(X))
    scores = shares[:, 1] if shares.shape[1] == 2 else shares
    assert figures["auc"] == pytest.approx(metrics.roc_auc_score(y, scores, multi_class="ovr"), rel=1e-12)
    assert content["test"]["constant"]["auc"] == 0.5


def test_predictions_for_the_raw_columns_have_the_reported_error(outcome):
    """The test rows, as they stand in the file, through `vecphe predict`."""
    kind, _, content, path = outcome
    result = invoke("predict", path / "m.json", path / "data.csv", "--out", path / "p.csv")
    assert result.exit_code == 0, result.output
    lines = (path / "p.csv").read_text().splitlines()
    assert lines[0] == "y"
    rows = list(csv.DictReader((path / "data.csv").read_text().splitlines()))
    assert len(lines) == len(rows) + 1
    test_rows = {tuple(row) for row in shards_of(path / "data.csv").X_test.tolist()}
    raw = [tuple(float(row[name]) for name in ("big", "tiny", "dose", "same")) for row in rows]
    test = [place for place, row in enumerate(raw) if row in test_rows]
    predicted, true = np.array(lines[1:], dtype=float)[test], np.array([float(row["y"]) for row in rows])[test]
    if kind == "floats":
        assert np.mean((predicted - true) ** 2) == pytest.approx(content["test"]["federated"]["mse"], rel=1e-9)
        assert np.mean((predicted - true) ** 2) == pytest.approx(content["backends"]["packed"]["mse"][0], rel=1e-9)
    else:
        assert np.mean(predicted == true) == content["test"]["federated"]["accuracy"]
        assert set(lines[1:]) <= {"0", "1", "2", "3"}


def test_probabilities_are_written_where_they_are_wanted(outcome):
    kind, *_, path = outcome
    result = invoke("predict", path / "m.json", path / "data.csv", "--probabilities")
    if kind == "floats":
        assert result.exit_code == 2
        assert "leave out --probabilities" in result.output
        return
    header, *rows = csv.reader(io.StringIO(result.stdout))
    classes = ["0", "1"] if kind == "0 and 1" else ["1", "2", "3"]
    assert header == ["y", *(f"y={label}" for label in classes)]
    shares = np.array([row[1:] for row in rows], dtype=float)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert [classes[i] for i in shares.argmax(axis=1)] == [row[0] for row in rows]


def test_columns_are_found_by_name(outcome):
    _, _, _, path = outcome
    rows = list(csv.reader((path / "data.csv").read_text().splitlines()))
    order = [4, 3, 5, 1, 0, 2]
    (path / "other.csv").write_text("\n".join(",".join(row[i] for i in order) for row in rows))
    first, second = (invoke("predict", path / "m.json", path / name).stdout for name in ("data.csv", "other.csv"))
    assert first == second
    (path / "less.csv").write_text("\n".join(",".join(row[1:]) for row in rows))
    result = invoke("predict", path / "m.json", path / "less.csv")
    assert result.exit_code == 2
    assert "'big'" in result.output


def test_texts_are_classes_and_categories_are_columns(tmp_path):
    """A target of yes and no, a category of which one level is at one hospital alone, missing cells, a semicolon."""
    rng = np.random.default_rng(2)
    lines = ["dose;drug;ward;sick"]
    for i in range(90):
        dose, ward = rng.normal(), "abc"[i % 3]
        drug = "z" if ward == "c" and i % 2 else "xy"[int(rng.integers(0, 2))]
        sick = "yes" if dose + (drug == "x") > 0.5 else "no"
        cell = "" if i % 9 == 0 else f"{dose}".replace(".", ",")
        lines.append(f"{cell};{drug};{ward};{sick}")
    data = tmp_path / "data.csv"
    data.write_text("\n".join(lines))
    how = ["--sep", ";", "--decimal", ",", "--missing", "mean"]
    arguments = ["--data", data, "--target", "sick", "--group", "ward", "--categories", "drug", *how]
    result = invoke(*SHORT, *arguments, "--model", tmp_path / "m.json")
    assert result.exit_code == 0, result.output
    assert "classification of 'sick', 2 classes; columns scaled" in result.output
    model = TrainedModel.load(tmp_path / "m.json")
    assert (model.features, model.classes) == (("dose", "drug=y", "drug=z"), ("no", "yes"))
    header, *predicted = invoke("predict", tmp_path / "m.json", data, *how).stdout.split()
    assert (header, len(predicted)) == ("sick", 90)
    assert np.mean([line.endswith(label) for line, label in zip(lines[1:], predicted, strict=True)]) > 0.75
    dropped = invoke("predict", tmp_path / "m.json", data, *how[:-1], "drop").stdout.splitlines()
    assert dropped[0] == "line,sick"
    assert [int(line.split(",")[0]) for line in dropped[1:]] == [i + 2 for i in range(90) if i % 9]
    assert [line.split(",")[1] for line in dropped[1:]] == [label for i, label in enumerate(predicted) if i % 9]
    refused = invoke("predict", tmp_path / "m.json", data, *how[:-2])
    assert refused.exit_code == 2
    assert "--missing" in refused.output
    wrong = invoke(*SHORT, *arguments, "--scale", "none").output
    assert "--missing mean fills in the means that --scale federated finds" in wrong


def test_h64_predictions_replace_nothing_unless_forced(outcome):
    *_, path = outcome
    (path / "p.csv").write_text("precious")
    arguments = ["predict", path / "m.json", path / "data.csv", "--out", path / "p.csv"]
    assert invoke(*arguments).exit_code == 2
    assert (path / "p.csv").read_text() == "precious"
    assert invoke(*arguments, "--force").exit_code == 0
    assert (path / "p.csv").read_text().startswith("y\n")


def test_h63_what_is_no_model_is_told_in_one_line(main_here, tmp_path):
    path = write_table(tmp_path / "data.csv", "floats")
    for model, word in ((path, "data.csv: not the JSON of a model"), (tmp_path / "none", "No such file")):
        done = main_here("predict", str(model), str(path))
        assert done.returncode == 2
        assert word in done.stderr
        assert done.stderr.count("\n") == 1


def test_task_and_scaling_can_be_chosen(tmp_path):
    data = write_table(tmp_path / "data.csv", "0 and 1")
    arguments = [*SHORT, "--data", data, "--target", "y", "--group", "ward"]
    result = invoke(*arguments, "--task", "regression", "--l2", "0.1", "--json", tmp_path / "r.json")
    assert "regression of 'y'; columns scaled" in result.output
    content = json.loads((tmp_path / "r.json").read_text())
    assert (content["task"], content["l2"]) == ("regression", 0.1)
    result = invoke(*arguments, "--scale", "none")
    assert result.exit_code == 2  # a column of 10^12
    assert "cannot be encoded, a magnitude is beyond the range; lower --eta, or take --scale federated" in result.output
    numbers = write_table(tmp_path / "numbers.csv", "floats")
    result = invoke(*SHORT, "--data", numbers, "--target", "y", "--group", "ward", "--task", "classification")
    assert result.exit_code == 2
    assert "120 different numbers: leave out --task classification" in result.output


def test_h63_a_column_that_cannot_be_scaled_is_called_by_its_name(tmp_path):
    data = write_table(tmp_path / "data.csv", "0 and 1")
    data.write_text(re.sub(r"^\S+?,", "1e25,", data.read_text(), count=0, flags=re.M).replace("1e25,", "big,", 1))
    result = invoke(*SHORT, "--data", data, "--target", "y", "--group", "ward")
    assert result.exit_code == 2
    assert re.fullmatch(r"error: \w+: 'big' is too large to be scaled.*--scale none\n", result.output)


def test_a_run_ends_when_the_loss_stops_improving(tmp_path):
    data = write_table(tmp_path / "data.csv", "floats")
    result = invoke(*SHORT[:-1], 500, "--data", data, "--target", "y", "--group", "ward", "--tol", "1e-3")
    assert result.exit_code == 0
    assert re.search(r"packed ran \d\d of 500 iterations", result.output)


def test_our_data_stay_as_they_are_unless_asked_for(tmp_path):
    result = invoke(*SHORT, "--json", tmp_path / "r.json", "--model", tmp_path / "m.json")
    assert "regression of 'progression'; columns as they are" in result.output
    assert json.loads((tmp_path / "r.json").read_text())["scale"] == "none"
    model = TrainedModel.load(tmp_path / "m.json")
    assert model.features[:3] == ("age", "sex", "bmi")
    assert "encrypted means" in invoke(*SHORT, "--scale", "federated").output


def test_no_model_is_written_where_backends_differ(monkeypatch, tmp_path):
    monkeypatch.setattr("vecphe.cli.comparison.TOLERANCE", -1.0)
    assert invoke(*SHORT, "--model", tmp_path / "m.json").exit_code == 1
    assert not list(tmp_path.iterdir())


def test_h64_models_and_pictures_replace_nothing_unless_forced(tmp_path):
    for option, name in (("--model", "m.json"), ("--plot", "p.png")):
        (tmp_path / name).write_text("precious")
        result = invoke(*SHORT, option, tmp_path / name)
        assert result.exit_code == 2
        assert "--force" in result.output
        assert (tmp_path / name).read_text() == "precious"
    result = invoke(*SHORT, "--model", tmp_path / "x", "--json", tmp_path / "x")
    assert result.exit_code == 2
    assert "--json and --model write to the same place" in result.output


@pytest.mark.parametrize(("name", "magic"), [("e.png", b"\x89PNG"), ("e.svg", b"<?xml"), ("e.PDF", b"%PDF")])
def test_pictures_come_in_three_forms(tmp_path, name, magic):
    assert invoke(*SHORT, "--plot", tmp_path / name).exit_code == 0
    assert (tmp_path / name).read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["e.gif", "e", "e.png.txt"])
def test_other_forms_are_refused_before_anything_runs(monkeypatch, tmp_path, name):
    monkeypatch.setattr(Comparison, "run", None)
    result = invoke(*SHORT, "--plot", tmp_path / name)
    assert result.exit_code == 2
    assert "must end in .png, .svg, .pdf" in result.output


def test_a_report_is_a_page_with_its_picture(tmp_path):
    data = write_table(tmp_path / "data.csv", "three classes")
    arguments = [*SHORT, "--data", data, "--target", "y", "--group", "ward", "--report", tmp_path / "report"]
    assert invoke(*arguments).exit_code == 0
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"index.html", "errors.png"}
    page = (tmp_path / "report" / "index.html").read_text()
    for text in (
        "By training together",
        "north alone",
        "pooled in the clear",
        "constant predictor",
        "AUC",
        "data:image/png",
    ):
        assert text in page
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "--force" in result.output
    assert invoke(*arguments, "--force").exit_code == 0


def test_names_are_drawn_as_they_are(tmp_path):
    data = write_table(tmp_path / "data.csv", "floats")
    text = data.read_text().replace("north", "$x^{$").replace("south", "_south").replace(",y\n", ",$\\frac{$\n", 1)
    data.write_text(text)
    arguments = [*SHORT, "--data", data, "--target", "$\\frac{$", "--group", "ward", "--plot", tmp_path / "e.svg"]
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "e.svg").read_text().count("<!--") > 10
    assert all(f"<!-- {name} -->" in (tmp_path / "e.svg").read_text() for name in ("$x^{$ alone", " _south alone"))


def test_curves_end_at_the_reported_errors(tmp_path):
    data = write_table(tmp_path / "data.csv", "floats")
    comparison = Comparison(
        shards_of(data), "packed", {}, key_length=256, insecure=True, n_iter=5,
        scale="federated",
    )  # fmt: skip
    from contextlib import nullcontext

    comparison.run(lambda name, rounds: nullcontext(lambda number: None))
    curves, outcome = comparison.curves(), comparison.outcome()
    assert list(curves) == [*(f"{name} alone" for name in outcome.names), "pooled in the clear", "federated"]
    ends = [errors[-1] for errors in curves.values()]
    expected = [own["mse"] for own in (*outcome.alone, outcome.pooled, outcome.federated)]
    assert ends == pytest.approx(expected, rel=1e-12)
    assert {len(errors) for errors in curves.values()} == {5}


# Hospitals and columns that are special ------------------------------------------------------------------------------


def write_wards(path, lacking="east", n=90, extra=""):
    """Three wards; one of them has no value of `dose`, and none of the category `drug` where it is called so."""
    rng = np.random.default_rng(12)
    lines = ["age,dose,drug,ward,y"]
    for i in range(n):
        age, dose, drug, ward = (
            rng.normal(50, 9),
            rng.normal(3, 1),
            "xyz"[i // 3 % 3],
            ["east", "west", "north"][i % 3],
        )
        y = age / 9 + dose + (drug == "y")
        lines.append(f"{age},{'' if ward == lacking else dose},{'' if ward == lacking else drug},{ward},{y}")
    path.write_text("\n".join(lines) + "\n")
    return path


WARDS = ["--target", "y", "--group", "ward", "--categories", "drug", "--missing", "mean"]


def test_a_hospital_without_a_column_learns_with_the_others_and_not_alone(tmp_path):
    data = write_wards(tmp_path / "data.csv")
    files = ["--json", tmp_path / "r.json", "--plot", tmp_path / "p.svg", "--report", tmp_path / "report"]
    result = invoke(*SHORT, "--data", data, *WARDS, *files)
    assert result.exit_code == 0, result.output
    assert "\neast: not trained in the clear, no value of 'dose' and 'drug'\n" in result.output
    assert re.search(r"│ east +│ +- │ +[\d.]+ │ +- │ +[-\d.]+ │ +- │", result.output)
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["failures"] == {"east": "no value of 'dose' and 'drug'"}
    assert content["local_iterations"] == [None, 40, 40]
    assert content["local_mse"][0] is None
    assert content["test"]["alone"][0] == {"mse": None, "r2": None}
    assert content["test"]["federated"]["mse"] == pytest.approx(content["test"]["pooled"]["mse"], rel=1e-6)
    assert "east" not in content["test"]["gained"] + content["test"]["lost"]
    page = (tmp_path / "report" / "index.html").read_text()
    assert '<td class="text">east alone</td><td>-</td><td>-</td>' in page
    assert "not trained, no value of &#x27;dose&#x27;" in page
    picture = (tmp_path / "p.svg").read_text()
    assert "<!-- west alone -->" in picture
    assert "<!-- east alone -->" not in picture


@pytest.mark.parametrize(("name", "typed"), [("dose", "dose"), ("dose $ a day", "'dose $ a day'")])
def test_a_column_without_a_value_to_train_on_is_named_before_anything_runs(tmp_path, monkeypatch, name, typed):
    monkeypatch.setattr(Comparison, "run", None)
    data = write_wards(tmp_path / "data.csv", lacking="none")
    data.write_text(data.read_text().replace("dose", name, 1))
    shards = load_shards(
        [data], TableOptions(target="y", group="ward", categories=("drug",), missing="mean"), None, 43, print
    )
    for rows in shards.X:
        rows[:, 1] = np.nan
    told = f"no hospital has a value of {name!r} in the rows that it trains on; leave it out with --drop {typed}"
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        Comparison(shards, "packed", {}, key_length=256, insecure=True, scale="federated", missing="mean")


def test_who_diverges_alone_is_told_where_the_federation_does_not(tmp_path):
    lines = ["a,ward,y"]
    for i in range(60):
        ward = ["east", "west", "north"][i % 3]
        a = (i % 7 - 3) * (4 if ward == "east" else 0.5)
        lines.append(f"{a},{ward},{a + i % 2}")
    data = tmp_path / "data.csv"
    data.write_text("\n".join(lines))
    arguments = ["--data", data, "--target", "y", "--group", "ward", "--task", "regression", "--scale", "none"]
    result = invoke(*SHORT[:-1], 300, *arguments, "--eta", "0.025", "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    steady = json.loads((tmp_path / "r.json").read_text())
    assert steady["failures"] == {}
    result = invoke(*SHORT[:-1], 3000, *arguments, "--eta", "0.035", "--json", tmp_path / "r.json", "--force")
    assert result.exit_code == 0, result.output
    assert re.search(r"\neast: not trained in the clear, .*lower --eta, or take --scale federated", result.output)
    assert list(json.loads((tmp_path / "r.json").read_text())["failures"]) == ["east"]


def test_all_stop_by_the_same_rule(tmp_path):
    data = write_table(tmp_path / "data.csv", "floats")
    arguments = ["--data", data, "--target", "y", "--group", "ward", "--json", tmp_path / "r.json", "--force"]
    result = invoke(*SHORT[:-1], 500, *arguments, "--tol", "1e-3", "--plot", tmp_path / "p.png")
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "r.json").read_text())
    rounds = content["backends"]["packed"]["iterations"]
    assert content["pooled_iterations"] == rounds < 100  # the same losses: the mean over all rows
    assert all(6 < own < 100 for own in content["local_iterations"])
    assert f"training in the clear stopped by the same rule: {min(content['local_iterations'])} to" in result.output
    assert content["test"]["federated"]["mse"] == pytest.approx(content["test"]["pooled"]["mse"], rel=1e-6)
    result = invoke(*SHORT, *arguments)
    assert "same rule" not in result.output
    assert json.loads((tmp_path / "r.json").read_text())["local_iterations"] == [40] * 4


@pytest.mark.parametrize(("rows", "clients"), [(59, 3), (60, 5), (61, 7)])
def test_no_row_of_a_file_is_left_out(tmp_path, rows, clients):
    data = tmp_path / "data.csv"
    data.write_text("a,y\n" + "".join(f"{i},{i * 1.5 + i % 3}\n" for i in range(rows)))
    result = invoke(
        *SHORT, "--data", data, "--target", "y", "--clients", clients, "--json", tmp_path / "r.json", "--model",
        tmp_path / "m.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert f"{clients} hospitals with {rows - rows // 5} rows, {rows // 5} test rows" in result.output
    assert "left out" not in result.output
    assert json.loads((tmp_path / "r.json").read_text())["rows_left_out"] == 0
    assert TrainedModel.load(tmp_path / "m.json").rows == rows - rows // 5


@pytest.mark.parametrize(("clients", "left_out"), [(5, 2), (4, 0), (3, 2), (7, 0), (391, 1)])
def test_rows_of_our_data_that_are_left_out_are_told(tmp_path, clients, left_out, monkeypatch):
    shards = load_shards([], None, clients, 43, print)
    assert shards.left_out == left_out == 442 - 50 - sum(map(len, shards.y))
    if clients > 7:
        return
    result = invoke(*SHORT, "--clients", clients, "--json", tmp_path / "r.json", "--report", tmp_path / "report")
    assert json.loads((tmp_path / "r.json").read_text())["rows_left_out"] == left_out
    assert ("2 rows are left out, with hospitals of one size" in result.output) == (left_out == 2)
    assert (", 2 left out" in (tmp_path / "report" / "index.html").read_text()) == (left_out == 2)


def outcome_of(federated, alone, pooled, constant, least=0.0):
    figures = [None if error is None else {"mse": error} for error in (federated, *alone, pooled, constant)]
    figures = [{"mse": None} if own is None else own for own in figures]
    return Outcome("mse", ("A", "B"), figures[1:3], figures[0], figures[3], figures[4], least)


@pytest.mark.parametrize(
    ("alone", "told"),
    [
        ([2.0] * 3 + [1.0] * 2, "3 of 5 hospitals gained (mean square error 50.00% lower than alone: A, B, C); "),
        ([2.0] * 4 + [1.0], "4 of 5 hospitals gained (mean square error 50.00% lower than alone); "),
        ([2.0, 4.0], "2 of 2 hospitals gained (mean square error 50.00% to 75.00% lower than alone); "),
        (
            [4.0, 0.5, 1.0],
            "1 of 3 hospitals gained (mean square error 75.00% lower than alone: A) and 1 of 3 hospitals lost (mean "
            "square error 100.00% higher than alone: B); ",
        ),
    ],
)
def test_hospitals_that_gained_or_lost_are_named_if_they_are_few(alone, told):
    figures = [{"mse": error} for error in alone]
    outcome = Outcome("mse", tuple("ABCDE"[: len(alone)]), figures, {"mse": 1.0}, {"mse": 1.0}, {"mse": 1.0}, 0.0)
    assert outcome.sentence().startswith(f"By training together {told}")


def test_errors_that_are_rounding_are_all_the_same():
    sentence = outcome_of(3e-25, [1e-26, 7e-24], 2e-25, 2.0, least=2e-12).sentence()
    assert "no hospital gained or lost" in sentence
    assert "is the same as that of training on pooled data in the clear, and 100.00% lower than that" in sentence
    assert "hospitals gained (mean square error 99.00% lower than alone) and" not in sentence
    gained = outcome_of(3e-25, [1e-3, 7e-24], 2e-25, 2.0, least=2e-12)
    assert (gained.of(-1), gained.of(1)) == (["A"], [])
    assert (
        outcome_of(5.0, [1.0, 1.0], 5.0, 1.0)
        .sentence()
        .endswith("and 400.00% higher than that of a constant predictor.")
    )
    assert outcome_of(500.0, [1.0, 1.0], 5.0, 1.0).sentence().endswith(
        "the federated error is 100 times that of training on pooled data in the clear, and 500 times that of a "
        "constant predictor."
    )  # fmt: skip
    assert outcome_of(1.0, [1.0, 2.0], 1.0, 1.0).sentence().endswith("and the same as that of a constant predictor.")


def test_a_sentence_leaves_out_who_could_not_train():
    assert "By training together 1 of 2 hospitals gained" in outcome_of(1.0, [None, 2.0], 1.0, 4.0).sentence()
    text = outcome_of(1.0, [None, None], None, 4.0).sentence()
    assert text == (
        "By training together there is a model, where no hospital could train alone; the federated error is 75.00% "
        "lower than that of a constant predictor."
    )


@pytest.mark.parametrize("shift", [0.0, 1e12])
def test_a_target_without_noise_says_nothing_by_its_rounding(tmp_path, shift):
    data = tmp_path / "data.csv"
    data.write_text("a,ward,y\n" + "".join(f"{i % 11},{'ABC'[i % 3]},{shift + 2.5 * (i % 11)}\n" for i in range(60)))
    result = invoke(*SHORT[:-1], 400, "--data", data, "--target", "y", "--group", "ward", "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    test = json.loads((tmp_path / "r.json").read_text())["test"]
    assert test["federated"]["mse"] < 1e-8 * test["constant"]["mse"]
    assert (test["gained"], test["lost"]) == ([], [])
    assert "no hospital gained or lost" in result.output


def test_rounds_are_counted_in_whole_numbers(tmp_path, monkeypatch):
    from vecphe.cli import learning

    drawn = []
    monkeypatch.setattr(learning, "replace_file", lambda *_, **__: None)
    monkeypatch.setattr(
        learning, "Plot", lambda *parts: drawn.append(parts[-1]) or SimpleNamespace(picture=lambda _: b"")
    )
    for iterations in (1, 2, 3, 4, 7, 50):
        assert invoke(*SHORT[:-1], iterations, "--plot", tmp_path / "p.png").exit_code == 0
        (axis,) = drawn[-1].axes
        drawn[-1].canvas.draw()
        assert all(float(tick).is_integer() for tick in axis.get_xticks())


def drawn_of(monkeypatch, tmp_path, curves):
    """The axis on which errors are drawn, and its figure."""
    from vecphe.cli import learning

    figures = []
    monkeypatch.setattr(learning, "replace_file", lambda *_, **__: None)
    monkeypatch.setattr(
        learning, "Plot", lambda *parts: figures.append(parts[-1]) or SimpleNamespace(picture=lambda _: b"")
    )
    outcome = outcome_of(1.0, [2.0, 2.0], 1.0, 3.0)
    comparison = SimpleNamespace(curves=lambda: curves, outcome=lambda: outcome, shards=SimpleNamespace(target="cost"))
    learning.LearningFiles(tmp_path / "p.png", None, False).write(comparison)
    (axis,) = figures[-1].axes
    return axis, figures[-1]


def curves_of(count, rounds=24, highest=30.0, pooled=True):
    errors = np.linspace(highest, 1.0, rounds).tolist() if rounds > 1 else [highest]
    curves = {f"H{number} alone": [*errors[:-1], 2.0] for number in range(count)}
    return {**curves, **({"pooled in the clear": errors} if pooled else {}), "federated": errors}


@pytest.mark.parametrize(("count", "named"), [(3, True), (6, True), (7, False)])
def test_all_that_learned_is_seen_in_the_picture(monkeypatch, tmp_path, count, named):
    axis, figure = drawn_of(monkeypatch, tmp_path, curves_of(count))
    *alone, federated, pooled, constant = axis.lines
    assert len(alone) == count
    (legend,) = figure.legends
    told = [f"H{number} alone" for number in range(count)] if named else ["each hospital alone"]
    others = ["federated", "pooled in the clear", "constant predictor"]
    assert [entry.get_text() for entry in legend.get_texts()] == [*told, *others]
    assert (legend._ncols, legend.get_frame_on()) == (3, False)
    assert len({(line.get_color(), line.get_linestyle()) for line in alone}) == (count if named else 1)
    assert all(line.get_linewidth() > 0 for line in axis.lines)
    assert max(axis.lines, key=lambda line: line.get_linewidth()) is federated
    assert pooled.get_zorder() > federated.get_zorder() > max(line.get_zorder() for line in [*alone, constant])
    assert [*federated.get_xdata()] == [*range(1, 25)]
    assert (pooled.get_markevery(), pooled.get_marker(), pooled.get_linestyle()) == ((1, 2), "o", "None")
    assert [*constant.get_ydata()] == [3.0, 3.0]
    figure.canvas.draw()  # dashes that matplotlib does not take are refused here


@pytest.mark.parametrize(
    ("curves", "scale"),
    [
        (curves_of(3), "linear"),
        (curves_of(3, highest=30.1), "log"),
        (curves_of(3, highest=0.0), "linear"),
        ({**curves_of(3, highest=90.0), "federated": [90.0] * 23 + [0.0]}, "linear"),
        ({"federated": [0.5, 1e-9]}, "log"),
    ],
)
def test_errors_that_differ_by_far_have_a_log_axis(monkeypatch, tmp_path, curves, scale):
    axis, _ = drawn_of(monkeypatch, tmp_path, curves)
    assert (axis.get_xscale(), axis.get_yscale()) == ("linear", scale)
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("round", "mean square error on the test rows")
    assert axis.get_title() == "Mean square error of cost on the test rows"


def test_lines_of_one_point_have_a_marker_and_pooled_ones_have_some(monkeypatch, tmp_path):
    axis, figure = drawn_of(monkeypatch, tmp_path, curves_of(3, rounds=1))
    assert [line.get_marker() for line in axis.lines] == [".", ".", ".", ".", "o", "None"]
    for rounds, every in ((2, (0, 1)), (11, (0, 1)), (23, (0, 1)), (24, (1, 2)), (36, (2, 3)), (120, (9, 10))):
        axis, _ = drawn_of(monkeypatch, tmp_path, curves_of(3, rounds=rounds))
        assert [line.get_marker() for line in axis.lines] == ["None"] * 4 + ["o", "None"]
        assert axis.lines[4].get_markevery() == every
    axis, figure = drawn_of(monkeypatch, tmp_path, curves_of(3, pooled=False))
    assert "pooled in the clear" not in [entry.get_text() for entry in figure.legends[0].get_texts()]


# Predictions ---------------------------------------------------------------------------------------------------------


def test_missing_values_are_not_filled_in_where_no_mean_is_known(tmp_path):
    data = write_wards(tmp_path / "data.csv", lacking="none")
    columns = ["--target", "y", "--group", "ward", "--drop", "drug"]
    arguments = [*SHORT, "--data", data, *columns, "--eta", "1e-4", "--model", tmp_path / "m.json", "--force"]
    (tmp_path / "new.csv").write_text("age,dose\n50,\n50,3\n")
    new = ["predict", tmp_path / "m.json", tmp_path / "new.csv"]
    assert invoke(*arguments, "--scale", "none").exit_code == 0
    result = invoke(*new, "--missing", "mean")
    assert result.exit_code == 2
    assert re.search(r"m\.json: the model has no means .* --scale none: --missing drop, or train one", result.output)
    assert invoke(*new).output == f"error: {new[2]}: column 'dose', line 2: a cell is missing; --missing drop\n"
    assert invoke(*new, "--missing", "drop").stdout.splitlines()[1].startswith("3,")
    assert invoke(*arguments).exit_code == 0
    assert "--missing drop or mean" in invoke(*new).output
    filled, whole = map(float, invoke(*new, "--missing", "mean").stdout.split()[1:])
    model = TrainedModel.load(tmp_path / "m.json")
    assert filled - whole == pytest.approx((model.linear.mean[1] - 3) * model.linear.coefficients[1], rel=1e-9)


@pytest.mark.parametrize(
    ("text", "error", "mean"),
    [
        ("age,dose,drug\n50,,x\n60,,y\n", "column 'dose' is empty; --missing mean", None),
        ("age,dose,drug\n50,1,\n60,2,\n", "column 'drug', lines 2 and 3: 2 cells are missing; --missing mean", None),
        ("age,dose,drug\n50,1,x\n60,,y\n", "line 3: a cell is missing; --missing drop or mean", None),
        (
            "age,dose,drug\n50,a,x\n60,b,y\n",
            "column 'dose', from line 2 on: text, not numbers; the model takes numbers there",
            ...,
        ),
        (
            "age,dose,drug\n2020-01-01,1,x\n",
            "column 'age' holds dates, from line 2 on; the model takes numbers there",
            ...,
        ),
        ("age,dose,drug\n50,1,x\n60,b,y\n", "column 'dose', line 3: not a number; correct it", ...),
        ("age,dose,drug\n50,1,x\n60,1e999,y\n", "line 3: a number beyond the range of float64; correct it", ...),
        (
            "age,dose,drug\n50,1,x\n60,1,q\n",
            "column 'drug', line 3: a value that the model does not know; leave such rows out",
            ...,
        ),
        ("age,dose,dose,drug\n50,1,1,x\n", "column 3 has a name that stands in the header before", ...),
    ],
)
def test_problems_of_rows_to_predict_name_options_of_predict(tmp_path, text, error, mean):
    data = write_wards(tmp_path / "data.csv")
    assert invoke(*SHORT, "--data", data, *WARDS, "--model", tmp_path / "m.json").exit_code == 0
    (tmp_path / "new.csv").write_text(text)
    result = invoke("predict", tmp_path / "m.json", tmp_path / "new.csv")
    assert result.output == f"error: {tmp_path / 'new.csv'}: {error}\n" or error in result.output
    assert result.output.count("\n") == 1
    assert not re.search("--drop|--categories", result.output)
    filled = invoke("predict", tmp_path / "m.json", tmp_path / "new.csv", "--missing", "mean")
    assert (filled.exit_code == 0) == (mean is None), filled.output


def test_columns_that_the_model_does_not_use_may_be_anything(tmp_path):
    data = write_wards(tmp_path / "data.csv")
    assert invoke(*SHORT, "--data", data, *WARDS, "--model", tmp_path / "m.json").exit_code == 0
    lines = ["age,dose,drug", "50,1,x", "60,2,z"]
    (tmp_path / "plain.csv").write_text("\n".join(lines))
    more = [",a,a,,b\x07", ",1,2,3,4", ",q,,5,6"]
    (tmp_path / "more.csv").write_text("\n".join(own + rest for own, rest in zip(lines, more, strict=True)))
    plain, other = (invoke("predict", tmp_path / "m.json", tmp_path / f"{name}.csv") for name in ("plain", "more"))
    assert other.exit_code == 0, other.output
    assert plain.stdout == other.stdout
    (tmp_path / "none.csv").write_text("a,a\n1,2\n")
    missing = invoke("predict", tmp_path / "m.json", tmp_path / "none.csv").output
    assert "the model's columns 'age', 'dose' and 'drug' are missing" in missing
