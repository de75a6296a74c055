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
        ([0.0, 0.5, 0.5], [0.0, 0.5]),  # of which one is no integer
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
    assert not task_of([numbers], "y", "regression").chosen
    assert not task_of([numbers], "y", "classification").chosen
    assert not task_of([np.array(["a", "b"])], "y", "classification").chosen
    levels = np.array([2.0, 5.0, 9.0] * 4)
    assert task_of([levels], "y").name == "regression"
    assert task_of([levels], "y", "classification").classes.tolist() == [2, 5, 9]
    assert task_of([levels + 0.5], "y", "classification").classes.dtype.kind == "f"


@pytest.mark.parametrize(
    ("levels", "rows"), [(3, 6), (2, 2), (2, 3), (7, 15), (1000, 2000), (4, 7), (3, 4), (8, 15), (1001, 4000)]
)
def test_wanted_classes_are_half_as_many_as_rows_at_most(levels, rows):
    """Two may always be."""
    values = np.resize(np.arange(levels) * 2.0, rows)
    if levels in (4, 8, 1001) or rows == 4:
        with pytest.raises(ValueError, match=f"{levels} different numbers"):
            task_of([values], "y", "classification")
    else:
        assert task_of([values], "y", "classification").classes.tolist() == [2 * level for level in range(levels)]


def test_as_many_classes_as_may_be_and_numbers_that_stay_floats():
    assert len(task_of([np.array([f"{i}" for i in range(1000)])], "y").classes) == 1000
    for top, kind in ((2.0**53 - 1, "i"), (2.0**53, "f"), (-(2.0**53), "f")):
        assert task_of([np.array([1.0, top])], "y").classes.dtype.kind == kind


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
