"""Files as hospitals have them, through `vecphe run`: a right model, or one message that names all problems."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from vecphe.cli.app import app
from vecphe.data import TableOptions, read_table
from vecphe.federated import TrainedModel

Run = Callable[..., CompletedProcess[str]]
SHORT = ["run", "--key-length", "256", "--insecure", "--backend", "packed", "--iterations", "25"]
ROWS = 60


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def numbers() -> dict[str, list[Any]]:
    """Columns of a clean table."""
    random = np.random.default_rng(1)
    age, dose = random.normal(50, 10, ROWS).round(2), random.normal(0, 1, ROWS).round(3)
    y = (3 * age - 20 * dose + random.normal(0, 5, ROWS)).round(3)
    return {"age": age.tolist(), "dose": dose.tolist(), "y": y.tolist()}


def csv_of(columns: dict[str, list[Any]], separator: str = ",", decimal: str = ".") -> str:
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    cells = (
        (str(cell).replace(".", decimal) if isinstance(cell, float) else str(cell) for cell in row) for row in rows
    )
    return "".join(separator.join(row) + "\n" for row in cells)


def trained(*args: str, code: int = 0) -> dict[str, Any]:
    """Results of a run, the federated model equal to that of all rows together."""
    result = CliRunner().invoke(app, [*SHORT, "--json", "r.json", "--model", "m.json", "--force", *args])
    assert result.exit_code == code, result.output
    content: dict[str, Any] = json.loads(Path("r.json").read_text())
    federated, pooled = content["test"]["federated"], content["test"]["pooled"]
    assert federated.keys() == pooled.keys()
    for name, value in federated.items():
        assert value == pytest.approx(pooled[name], rel=1e-6, abs=1e-9), name
    return content


def predicted(path: str, *args: str) -> list[str]:
    result = CliRunner().invoke(app, ["predict", "m.json", path, *args])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[1:]


@pytest.fixture
def clean() -> list[str]:
    """Predictions of the model of a clean file."""
    Path("clean.csv").write_text(csv_of(numbers()))
    trained("--data", "clean.csv", "--target", "y")
    return predicted("clean.csv")


PANDAS = {"": list(range(ROWS)), **numbers()}


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (csv_of(numbers(), ";", ",").encode(), ["--decimal", ","]),
        (csv_of(numbers(), "\t").encode("utf-16"), []),
        (csv_of({"größe": [1] * ROWS, **numbers()}).encode("latin-1"), ["--encoding", "latin-1", "--drop", "größe"]),
        (csv_of(PANDAS).encode(), []),
        (csv_of({"note": ['"two\nlines"'] * ROWS, **numbers()}).encode(), ["--drop", "note"]),
        (csv_of({"visit": ["2024-01-02"] * ROWS, "empty": [""] * ROWS, "name": ["x"] * ROWS, **numbers()}).encode(),
         ["--drop", "visit,empty,name"]),
        (csv_of({"z": [1] * ROWS, **numbers()}).encode("utf-8-sig"), ["--features", "age", "--features", "dose"]),
        (csv_of(dict(reversed(numbers().items()))).replace("\n", "\r\n").encode(), ["--features", "age,dose"]),
    ],
    ids=["semicolons", "utf-16", "latin-1", "pandas", "quoted lines", "dates and text", "features", "other order"],
)  # fmt: skip
def test_a_file_that_is_written_otherwise_gives_the_same_model(
    clean: list[str], data: bytes, options: list[str]
) -> None:
    Path("data.csv").write_bytes(data)
    trained("--data", "data.csv", "--target", "y", *options)
    how = [word for word in options if word not in ("--drop", "--features")]
    how = how[: 2 * (how[:1] in (["--decimal"], ["--encoding"]))]
    found = predicted("data.csv", *how)
    np.testing.assert_allclose(np.array(found, float), np.array(clean, float), rtol=1e-9)


def test_other_forms_of_files_give_the_same_model(clean: list[str]) -> None:
    pyarrow.parquet.write_table(pa.table(numbers()), "t.parquet")
    np.savez("t.npz", **{name: np.array(values) for name, values in numbers().items()})
    for path in ("t.parquet", "t.npz"):
        trained("--data", path, "--target", "y")
        np.testing.assert_allclose(np.array(predicted(path), float), np.array(clean, float), rtol=1e-9)


def test_every_problem_of_a_messy_file_is_in_one_message(main_here: Run) -> None:
    columns = {"visit": ["2024-01-02"] * ROWS, "sex": ["f", "m"] * (ROWS // 2), "empty": [""] * ROWS, **numbers()}
    columns["age"] = ["", *columns["age"][1:]]
    columns["dose"] = [*columns["dose"][:-1], "low"]
    Path("data.csv").write_text(csv_of(columns) + "1,2\n")
    done = main_here("run", "--data", "data.csv", "--target", "y")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: data.csv: 6 problems",
        "  line 62 has 2 cells, but the header has 6",
        "  column 'visit' holds dates, from line 2 on; --drop visit",
        "  column 'sex', from line 2 on: text, not numbers; "
        "--categories sex (all parties see its 2 values) or --drop sex",
        "  column 'empty' is empty; --drop empty",
        "  column 'dose', line 61: not a number; correct it, or --drop dose",
        "  column 'age', line 2: a cell is missing; --missing drop or mean",
    ]
    Path("data.csv").write_text(csv_of(columns).replace("low", "0.5"))
    options = ["--drop", "visit", "--drop", "empty", "--categories", "sex"]
    for missing in ("drop", "mean"):
        trained("--data", "data.csv", "--target", "y", *options, "--missing", missing)


def test_the_mean_that_is_filled_in_is_that_of_the_training_rows() -> None:
    columns = numbers()
    holes = {**columns, "age": ["" if row % 4 == 0 else value for row, value in enumerate(columns["age"])]}
    Path("data.csv").write_text(csv_of(holes))
    trained("--data", "data.csv", "--target", "y", "--missing", "mean")
    assert len(predicted("data.csv", "--missing", "mean")) == ROWS


def test_one_file_a_hospital_in_any_order_of_columns() -> None:
    columns = numbers()
    orders = [["age", "dose", "y"], ["y", "age", "dose"], ["dose", "y", "age"]]
    for number, order in enumerate(orders):
        part = {name: columns[name][20 * number : 20 * number + 20] for name in order}
        Path(f"{'abc'[number]}.csv").write_text(csv_of(part))
    files = [word for name in "abc" for word in ("--data", f"{name}.csv")]
    content = trained(*files, "--target", "y")
    assert content["clients"] == ["a", "b", "c"]
    assert content["data"] == "a.csv, b.csv, c.csv"


@pytest.mark.parametrize("names", ["a.csv", "a.csv b.csv"])
def test_too_few_files_and_options_that_exclude_each_other(main_here: Run, names: str) -> None:
    for name in ("a.csv", "b.csv"):
        Path(name).write_text(csv_of({"g": ["p", "q", name[0]] * 20, **numbers()}))
    files = [word for name in names.split() for word in ("--data", name)]
    several = len(files) > 2
    calls = [(["--clients", "4", "--group", "g"], "every group is a client")]
    if several:
        calls = [([], "at least 3 are needed"), (["--group", "g"], "give one file with --group"),
                 (["--clients", "4"], "every file is a client")]  # fmt: skip
    for options, told in calls:
        done = main_here("run", *files, "--target", "y", *([] if "--group" in options else ["--drop", "g"]), *options)
        assert done.returncode == 2
        assert told in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_group_with_two_rows_and_a_level_of_one_hospital_alone() -> None:
    columns = {"ward": ["n"] * 30 + ["s"] * 28 + ["e"] * 2, "drug": ["p", "q"] * 29 + ["z"] * 2, **numbers()}
    Path("data.csv").write_text(csv_of(columns))
    content = trained("--data", "data.csv", "--target", "y", "--group", "ward", "--categories", "drug")
    assert content["clients"] == ["n", "s", "e"]
    assert TrainedModel.load("m.json").features == ("drug=q", "drug=z", "age", "dose")


@pytest.mark.parametrize(
    ("classes", "task"),
    [([0, 1], "classification"), (["yes", "no"], "classification"), (["a", "b", "c"], "classification")],
    ids=str,
)
def test_targets_that_name_classes(classes: list[Any], task: str) -> None:
    columns = numbers()
    bounds = np.quantile(columns["y"], np.linspace(0, 1, len(classes) + 1)[1:-1])
    columns["y"] = [classes[place] for place in np.digitize(columns["y"], bounds)]
    Path("data.csv").write_text(csv_of(columns))
    content = trained("--data", "data.csv", "--target", "y")
    assert content["task"] == task
    found = predicted("data.csv")
    assert set(found) <= set(map(str, classes))
    assert np.mean([str(label) == other for label, other in zip(columns["y"], found, strict=True)]) > 0.6


def test_a_target_of_numbers_and_words(main_here: Run) -> None:
    columns = numbers()
    columns["y"] = ["1" if value > 150 else "none given" if value > 140 else "2" for value in columns["y"]]
    Path("data.csv").write_text(csv_of(columns))
    done = main_here(*SHORT, "--data", "data.csv", "--target", "y")
    assert done.returncode == 2
    assert "column 'y', line" in done.stderr
    assert "not a number; correct it" in done.stderr
    content = trained("--data", "data.csv", "--target", "y", "--task", "classification")
    assert content["task"] == "classification"
    done = main_here(*SHORT, "--data", "data.csv", "--target", "y", "--task", "regression")
    assert done.returncode == 2


def test_sizes_of_many_orders_and_a_constant_column() -> None:
    columns = numbers()
    columns = {
        "huge": [value * 1e12 for value in columns["age"]],
        "tiny": [value * 1e-9 for value in columns["dose"]],
        "same": [7] * ROWS,
        "y": columns["y"],
    }
    Path("data.csv").write_text(csv_of(columns))
    content = trained("--data", "data.csv", "--target", "y")
    assert content["test"]["federated"]["r2"] > 0.3


@pytest.mark.slow
def test_200000_rows_of_30_columns() -> None:
    random = np.random.default_rng(5)
    X = random.normal(0, 1, (200_000, 30)).round(4)
    columns = {f"x{number}": X[:, number] for number in range(30)}
    table = pa.table({**columns, "y": X @ np.arange(30.0) + random.normal(0, 1, len(X))})
    pyarrow.csv.write_csv(table, "large.csv")
    np.testing.assert_array_equal(read_table(["large.csv"], TableOptions(target="y")).X, X)
    assert trained("--data", "large.csv", "--target", "y")["test"]["federated"]["r2"] > 0.9


CELLS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: f"{value:.6g}")
TABLES = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.tuples(*[CELLS] * width, st.sampled_from("pq"), CELLS), min_size=20, max_size=30)
)


@pytest.mark.fuzz
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(TABLES, st.floats(0, 0.2), st.sampled_from(["drop", "mean"]))
def test_what_is_accepted_gives_the_pooled_model(rows: list[tuple[str, ...]], share: float, missing: str) -> None:
    width = len(rows[0]) - 2
    random = np.random.default_rng(len(rows))
    header = [*(f"x{number}" for number in range(width)), "kind", "y"]
    lines = [
        [cell if random.random() > share or column == width + 1 else "" for column, cell in enumerate(row)]
        for row in rows
    ]
    Path("data.csv").write_text("".join(",".join(line) + "\n" for line in [header, *lines]))
    result = CliRunner().invoke(
        app,
        [*SHORT, "--data", "data.csv", "--target", "y", "--categories", "kind", "--missing", missing, "--task",
         "regression", "--clients", "3", "--json", "r.json", "--force"],
    )  # fmt: skip
    if result.exit_code:
        assert result.output.splitlines()[-1].startswith(("error: ", "  "))
        return
    test = json.loads(Path("r.json").read_text())["test"]
    for name, value in test["pooled"].items():
        if value is not None:
            assert test["federated"][name] == pytest.approx(value, rel=1e-6, abs=1e-9)
