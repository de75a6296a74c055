"""What the target is for."""

import numpy as np
import pytest

from vecphe.federated import LinearRegression, Rows
from vecphe.federated.tasks import task_of


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([0.0, 1.0, 1.0, 0.0], [0, 1]),
        ([1.0, 2.0, 2.0, 1.0], [1, 2]),
        ([-0.5, 3.25, 3.25], [-0.5, 3.25]),
        (["yes", "no", "no"], ["no", "yes"]),
        ([True, False, True], [False, True]),
        ([0.0, 1.0, 2.0, 1.0], [0, 1, 2]),
        ([1.0, 2.0, 3.0], [1, 2, 3]),
        (list(map(float, range(10))), list(range(10))),
        (["a", "b", "c", "a"], ["a", "b", "c"]),
    ],
)
def test_these_are_classes(values, classes):
    task = task_of([np.array(values[:1]), np.array(values[1:])], "y")
    assert (task.name, task.chosen, task.classes.tolist()) == ("classification", True, classes)
    numbers = task.numbers(np.array(values))
    assert [classes[int(number)] for number in numbers] == values
    model = task.model(Rows.checked("A", np.ones((len(values), 1)), numbers), 0.1)
    assert model.n_classes == len(classes)


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 1.0, 3.0],  # a gap
        [2.0, 3.0, 4.0],  # from 2
        [0.0, 0.5, 1.0],
        list(map(float, range(11))),
        [1e300, -1e300, 0.0],
        [5.0],
    ],
)
def test_these_are_numbers(values):
    task = task_of([np.array(values)], "y")
    assert (task.name, task.classes, task.model) == ("regression", None, LinearRegression)
    assert task.numbers(np.array(values)).tolist() == values


def test_what_is_wanted_counts():
    numbers = np.array([0.0, 1.0, 1.0, 0.0])
    assert task_of([numbers], "y", "regression").name == "regression"
    levels = np.array([2.0, 5.0, 9.0] * 4)
    assert task_of([levels], "y").name == "regression"
    assert task_of([levels], "y", "classification").classes.tolist() == [2, 5, 9]
    assert task_of([levels + 0.5], "y", "classification").classes.dtype.kind == "f"


@pytest.mark.parametrize(
    ("values", "wanted", "message"),
    [
        (["a", "b"], "regression", "leave out --task regression"),
        ([1.0, 2.0, 3.5], "classification", "3 different numbers: leave out --task classification"),
        ([1.0, 1.0], "classification", "only one class"),
        (["a", "a"], None, "only one class"),
        ([f"{i}" for i in range(1001)], None, "1001 classes"),
    ],
)
def test_what_does_not_fit_is_refused(values, wanted, message):
    with pytest.raises(ValueError, match=f"'sick'.*{message}"):
        task_of([np.array(values)], "sick", wanted)
