"""What training together bought, in figures and words: by hand, and at the edges between words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from vecphe.cli.outcome import Outcome, constant_form, error_of, least_error, quality
from vecphe.federated import LinearForm
from vecphe.federated.tasks import Task

NUMBERS, TWO, THREE = Task(None), Task(np.array(["no", "yes"])), Task(np.array(["a", "b", "c"]))
X = np.array([[1.0], [2.0], [4.0], [-1.0]])


def form(weights: Any, intercept: Any) -> LinearForm:
    return LinearForm(np.zeros(1), np.asarray(weights, dtype=float), np.asarray(intercept, dtype=float))


def test_figures_of_a_regression_are_those_by_hand() -> None:
    y = np.array([3.0, 4.0, 9.0, 0.0])
    errors = [2 * x + 1 - target for x, target in zip((1, 2, 4, -1), y, strict=True)]  # 0, 1, 0, -1
    mse, spread = sum(error**2 for error in errors) / 4, sum((target - 4.0) ** 2 for target in y)
    assert quality(NUMBERS, form([2.0], 1.0), X, y) == {"mse": mse, "r2": 1 - 4 * mse / spread}
    assert error_of(NUMBERS, form([2.0], 1.0), X, y) == mse == 0.5
    assert quality(NUMBERS, form([0.0], 7.5), X, np.full(4, 7.0)) == {"mse": 0.25, "r2": None}
    assert math.isinf(error_of(NUMBERS, form([1e300], 0.0), X, y))  # and no warning


def test_figures_of_classes_are_those_by_hand() -> None:
    y = np.array([1.0, 0.0, 1.0, 0.0])
    scores = [x - 0.5 for x in (1, 2, 4, -1)]
    shares = [1 / (1 + math.exp(-score)) for score in scores]
    loss = -sum(math.log(share if target else 1 - share) for share, target in zip(shares, y, strict=True)) / 4
    found = quality(TWO, form([1.0], -0.5), X, y)
    assert found == {"log_loss": pytest.approx(loss), "accuracy": 0.75, "auc": 0.75}
    assert error_of(TWO, form([1.0], -0.5), X, y) == pytest.approx(loss)
    assert quality(TWO, form([1.0], -0.5), X, np.ones(4))["auc"] is None
    assert error_of(TWO, form([-1e3], 0.0), X[:1], np.ones(1)) == pytest.approx(-math.log(np.finfo(float).eps))


def test_figures_of_three_classes_are_those_by_hand() -> None:
    y = np.array([0.0, 1.0, 2.0, 1.0])
    scores = [[x * weight for weight in (0.5, 1.0, -1.0)] for x in (1, 2, 4, -1)]
    shares = [[math.exp(score) / sum(map(math.exp, row)) for score in row] for row in scores]
    loss = -sum(math.log(row[int(target)]) for row, target in zip(shares, y, strict=True)) / 4
    three = form([[0.5, 1.0, -1.0]], [0.0, 0.0, 0.0])
    found = quality(THREE, three, X, y)
    assert found["log_loss"] == pytest.approx(loss) == error_of(THREE, three, X, y)
    assert found["accuracy"] == 0.25
    assert 0 < found["auc"] < 1  # type: ignore[operator]
    assert quality(THREE, three, X, np.array([0.0, 1.0, 1.0, 0.0]))["auc"] is None


def test_a_constant_predictor_has_the_mean_or_the_shares() -> None:
    assert constant_form(NUMBERS, np.array([1.0, 2.0, 6.0]), 1).scores(X).tolist() == [3.0] * 4
    two = constant_form(TWO, np.array([0.0, 1.0, 1.0, 1.0]), 1).scores(X)
    np.testing.assert_allclose(two, [math.log(3)] * 4)
    three = constant_form(THREE, np.array([0.0, 2.0, 2.0, 2.0]), 2)
    assert (three.coefficients.shape, three.mean.shape) == ((2, 3), (2,))
    np.testing.assert_allclose(three.scores(np.ones((1, 2))), [np.log([0.25, 1e-15, 0.75])])


def test_errors_below_the_rounding_of_targets_are_all_the_same() -> None:
    y = np.array([3.0, -1e6, 5.0])
    ulps = 8 * math.ulp(1e6)
    assert least_error(NUMBERS, {"mse": 1.0}, y) == pytest.approx(1e-12, rel=1e-9)
    assert least_error(NUMBERS, {"mse": 0.0}, y) == ulps**2 == least_error(NUMBERS, {"mse": None}, y)
    assert least_error(TWO, {"log_loss": 0.5}, y) == pytest.approx(0.5e-12, rel=1e-9)
    assert least_error(TWO, {"log_loss": None}, y) == 0.0


def outcome(federated: float, alone: list[float | None], pooled: float, constant: float, least: float = 0.0) -> Outcome:
    names = tuple("ABCDEF"[: len(alone)])
    own = [{"mse": error} for error in alone]
    return Outcome("mse", names, own, {"mse": federated}, {"mse": pooled}, {"mse": constant}, least)


def test_changes_are_shares_of_what_each_had_alone() -> None:
    found = outcome(1.0, [2.0, 0.5, 1.0, None, 0.0], 1.0, 1.0)
    assert found.changes() == [-0.5, 1.0, 0.0, None, math.inf]
    assert (found.of(-1), found.of(1)) == (["A"], ["B", "E"])
    found = outcome(1e-9, [2e-9, 0.0, 1.0], 1.0, 1.0, least=1e-8)
    assert found.changes() == [0.0, 0.0, 1e-8 - 1]


@pytest.mark.parametrize(
    ("factor", "gained", "lost", "told"),
    [
        (1 - 3e-6, True, False, "0.00% lower than"),
        (1 - 7e-7, False, False, "the same as"),
        (1.0, False, False, "the same as"),
        (1 + 7e-7, False, False, "the same as"),
        (1 + 3e-6, False, True, "0.00% higher than"),
        (0.5, True, False, "50.00% lower than"),
        (10.0, False, True, "900.00% higher than"),
        (10.1, False, True, "10.1 times"),
    ],
)
def test_a_change_is_told_in_words_from_a_millionth_on(factor: float, gained: bool, lost: bool, told: str) -> None:
    found = outcome(factor, [1.0], 1.0, factor)
    assert (bool(found.of(-1)), bool(found.of(1))) == (gained, lost)
    against = " than" if told.endswith("than") else ""
    assert f"the federated error is {told.removesuffix(' than')}{against} that of training on pooled" in (
        found.sentence()
    )
    assert found.sentence().endswith(", and the same as that of a constant predictor.")


@pytest.mark.parametrize(
    ("alone", "told"),
    [
        ([2.0, 4.0, 1.0, 1.0], "2 of 4 hospitals gained (mean square error 50.00% to 75.00% lower than alone: A, B); "),
        ([0.5, 0.25, 1.0], "2 of 3 hospitals lost (mean square error 100.00% to 300.00% higher than alone: A, B); "),
        ([0.5, 0.5, 0.5, 0.5, 1.0], "4 of 5 hospitals lost (mean square error 100.00% higher than alone); "),
        (
            [0.5, 0.5, 0.5, 1.0],
            "3 of 4 hospitals lost (mean square error 100.00% higher than alone: A, B, C); ",
        ),
        ([0.5, 0.5, 0.5], "3 of 3 hospitals lost (mean square error 100.00% higher than alone); "),
        ([1.0 + 7e-7, 1.0 - 7e-7, 1.0], "no hospital gained or lost against training alone (mean square error); "),
        ([1.0, None], "no hospital gained or lost against training alone (mean square error); "),
        ([None, None], "there is a model, where no hospital could train alone; "),
    ],
)
def test_who_gained_and_who_lost(alone: list[float | None], told: str) -> None:
    assert outcome(1.0, alone, 1.0, 1.0).sentence().startswith(f"By training together {told}the federated error is ")
