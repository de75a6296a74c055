"""Several arrays in one row, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vecphe import LayoutMismatchError
from vecphe.plaintext.structure import Structure, in_a_row


def test_a_single_array_is_not_copied() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert np.shares_memory(in_a_row({"x": x}), x)
    assert in_a_row({"x": x}).tolist() == x.ravel().tolist()
    assert not np.shares_memory(in_a_row({"x": x, "y": x}), x)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        *((("f8", "f8"), "f8"), (("i8", "i8"), "i8"), (("u8", "u8"), "u8"), (("O", "O"), "O"), (("i8", "u8"), "i8")),
        *((("u8", "O"), "i8"), (("f8", "i8"), "f8"), (("u8", "f8"), "f8"), (("O", "f8"), "f8")),
        (("i8", "u8", "f8"), "f8"),
    ],
)
def test_the_row_has_one_type(kinds: tuple[str, ...], expected: str) -> None:
    arrays = {f"{i}": np.array([[1, 2], [3, i]], dtype=kind) for i, kind in enumerate(kinds)}
    row = in_a_row(arrays)
    assert row.dtype == np.dtype(expected)
    assert row.tolist() == [value for i in range(len(kinds)) for value in (1, 2, 3, i)]


MODELS: list[Any] = [
    [np.arange(3), np.zeros((2, 0)), np.array(7), np.arange(4).reshape(2, 2) + 9],
    {"b": np.arange(3), "a": np.zeros((2, 0)), "d": np.array(7), "c": np.arange(4).reshape(2, 2) + 9},
    {"x": np.array(3)},
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_row_is_split_into_what_it_was_made_of(model: Any) -> None:
    structure, taken = Structure.taken_apart(model)
    named = isinstance(model, dict)
    keys = list(model) if named else list(range(len(model)))
    assert list(taken) == [f"arrays[{key!r}]" for key in sorted(keys)]
    assert structure.names == (tuple(keys) if named else None)
    assert structure.shapes == tuple(model[key].shape for key in keys)
    assert structure.size == sum(model[key].size for key in keys)
    parts = structure.split(in_a_row(taken))
    assert type(parts) is type(model)
    assert list(parts) == keys if named else len(parts) == len(keys)
    for key in keys:
        assert parts[key].tolist() == model[key].tolist()
        assert parts[key].shape == model[key].shape


@pytest.mark.parametrize(
    ("arrays", "error", "told"),
    [
        (np.ones(2), TypeError, "m must be a list, tuple or dict of arrays, not ndarray; write [m] for a single one, "
         "list(m) for an iterator"),
        (5, TypeError, "m must be a list, tuple or dict of arrays, not int; write [m] for a single one, list(m) for an "
         "iterator"),
        (iter([]), TypeError, "m must be a list, tuple or dict of arrays, not list_iterator; write [m] for a single "
         "one, list(m) for an iterator"),
        *((none, ValueError, "m is empty; one or more arrays are needed") for none in ([], (), {})),
        ({"a": [1], 2: [1]}, TypeError, "the keys of m must be text, not int"),
        ({None: [1]}, TypeError, "the keys of m must be text, not NoneType"),
        ([[1.0], [2.0, np.nan]], ValueError, "m[1] holds NaN or infinity, first at index (1,)"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_arrays(arrays: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error) as caught:
        Structure.taken_apart(arrays, "m")
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        ({"a": (2,)}, {"a": (3,)}, "['a'] is of shape (2,) on the left and of shape (3,) on the right"),
        ({"a": (2,)}, {"b": (2,)}, "['a'] is of shape (2,) on the left and missing on the right"),
        ({"a": (2,)}, {"a": (2,), "b": ()}, "['b'] is missing on the left and of shape () on the right"),
        ([(2,)], [(2,), (0,)], "[1] is missing on the left and of shape (0,) on the right"),
        ([(2,), (1,)], [(2,), (3,)], "[1] is of shape (1,) on the left and of shape (3,) on the right"),
        ([(2,)], {"a": (2,)}, "[0] is of shape (2,) on the left and missing on the right"),
    ],
)
def test_h28_what_does_not_fit_is_told_of_the_first_that_differs(left: Any, right: Any, told: str) -> None:
    one, other = (
        Structure(tuple(kept.values()), tuple(kept)) if isinstance(kept, dict) else Structure(tuple(kept))
        for kept in (left, right)
    )
    one.check_fits(one)
    other.check_fits(other)
    with pytest.raises(LayoutMismatchError) as caught:
        one.check_fits(other)
    assert str(caught.value) == f"only arrays of the same names and shapes can be added: {told}"
