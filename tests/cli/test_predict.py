"""`vecphe predict` to the letter, of models that are made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecphe.cli.predict import predict_file
from vecphe.data import Column, ReadOptions, Schema
from vecphe.federated import LinearForm, TrainedModel
from vecphe.federated.scaling import Scaling

SCHEMA = Schema((Column("a"), Column("b")))


def saved(path: Path, classes: Any = None, scaled: bool = True) -> Path:
    """A model of b over a: a + 2 b, or of classes with scores of these."""
    n = 1 if classes is None or len(classes) == 2 else len(classes)
    weights = np.array([1.0, 2.0]) if n == 1 else np.outer([1.0, 2.0], np.arange(n))
    mean = np.array([4.0, 8.0]) if scaled else np.zeros(2)
    form = LinearForm(mean, weights, np.asarray(mean @ weights if classes is None else np.zeros(n).squeeze()))
    scaling = Scaling(form.mean, np.ones(2), intercept=True, fitted=scaled, rows=9 if scaled else None)
    model = TrainedModel.of(SCHEMA, "y", None if classes is None else np.array(classes), scaling, form)
    path.write_text(model.to_json())
    assert TrainedModel.load(path).has_means is scaled
    return path


def predicted(tmp_path: Path, text: str, model: Path, *, out: str = "out", **how: Any) -> str:
    (tmp_path / "rows.csv").write_text(text)
    options = {"missing": "error", "probabilities": False, "force": False, **how}
    predict_file(model, tmp_path / "rows.csv", tmp_path / out, ReadOptions(), **options)
    return (tmp_path / out).read_bytes().decode()  # with its ends of lines


def test_a_line_a_row_below_the_name_of_the_target(tmp_path: Path) -> None:
    model = saved(tmp_path / "m")
    assert predicted(tmp_path, "b,a\n1,0.5\n0,-3\n", model) == "y\n2.5\n-3.0\n"
    with pytest.raises(ValueError, match=r"^\S+out exists; use --force to replace it$"):
        predicted(tmp_path, "b,a\n1,2\n", model)
    assert predicted(tmp_path, "b,a\n1,2\n", model, force=True) == "y\n4.0\n"


def test_rows_that_are_left_out_and_filled_in(tmp_path: Path) -> None:
    model, text = saved(tmp_path / "m"), "a,b\n1,\n3,4\n,8\n5,6\n"
    assert predicted(tmp_path, text, model, missing="drop") == "line,y\n3,11.0\n5,17.0\n"
    assert predicted(tmp_path, text, model, missing="mean", force=True) == "y\n17.0\n11.0\n20.0\n17.0\n"
    with pytest.raises(ValueError, match="missing"):
        predicted(tmp_path, text, model, out="other")
    raw = saved(tmp_path / "raw", scaled=False)
    with pytest.raises(ValueError, match="means") as caught:
        predicted(tmp_path, text, raw, out="other", missing="mean")
    assert str(caught.value) == (
        f"{raw}: the model has no means to fill in, for it was trained with --scale none: --missing drop, "
        "or train one with --scale federated"
    )
    assert predicted(tmp_path, text, raw, missing="drop", force=True) == "line,y\n3,11.0\n5,17.0\n"


def test_classes_with_and_without_their_probabilities(tmp_path: Path) -> None:
    two, three = saved(tmp_path / "two", ["n", "p"]), saved(tmp_path / "three", [5, 6, 7])
    text = "a,b\n4,8\n0,8\n9,9\n"
    assert predicted(tmp_path, text, two) == "y\nn\nn\np\n"
    lines = predicted(tmp_path, text, two, probabilities=True, force=True).splitlines()
    assert lines[:2] == ["y,y=n,y=p", "n,0.5,0.5"]
    assert [float(cell) for cell in lines[3].split(",")[1:]] == pytest.approx([1 / (1 + np.e**7), 1 / (1 + np.e**-7)])
    assert predicted(tmp_path, text, three, force=True) == "y\n5\n5\n7\n"
    dropped = predicted(tmp_path, text + "1,\n", three, probabilities=True, missing="drop", force=True).splitlines()
    assert dropped[0] == "line,y,y=5,y=6,y=7"
    assert [line.split(",")[:2] for line in dropped[1:]] == [["2", "5"], ["3", "5"], ["4", "7"]]
    assert [float(cell) for cell in dropped[1].split(",")[2:]] == pytest.approx([1 / 3] * 3)
    regression = saved(tmp_path / "m")
    with pytest.raises(ValueError, match="probabilities") as caught:
        predicted(tmp_path, text, regression, probabilities=True, out="other")
    assert str(caught.value) == (
        f"{regression}: a model of a regression has no probabilities: leave out --probabilities"
    )


def test_predictions_beyond_all_floats_are_refused(tmp_path: Path) -> None:
    text = "a,b\n1,2\n1e308,1e308\n"
    with pytest.raises(ValueError, match="beyond") as caught:
        predicted(tmp_path, text, saved(tmp_path / "m"))
    assert str(caught.value) == (
        "a prediction is beyond all floats: the rows are not of the kind that the model was trained on"
    )
    assert not (tmp_path / "out").exists()
    assert predicted(tmp_path, text, saved(tmp_path / "two", ["n", "p"])).splitlines()[-1] == "p"


def test_nothing_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        predicted(tmp_path, "", tmp_path / "missing", out="nowhere/out")
