"""docs/hazards.md, the tests named after its rows, and the planted faults: none without the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.mutants.model import TESTS, function_names, load_table

PAGE = (Path(__file__).parents[1] / "docs" / "hazards.md").read_text(encoding="utf-8")
LIST, WITHOUT_FAULT = PAGE.split("\n## Rows without a planted fault\n")
NOT_YET_BUILT: set[int] = set()


def rows_of_the_page() -> dict[int, str]:
    rows = re.findall(r"^(\d+)\. (.*(?:\n {3,}.*)*)", LIST, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    return {int(number): text for number, text in rows}


def rows_in_names(names: set[str]) -> set[int]:
    """Of ``test_h36_...`` and ``test_h63_h66_...``."""
    named = [match[1] for name in names if (match := re.match(r"test((?:_h\d+)+)_", name))]
    return {int(row) for rows in named for row in rows.split("_h")[1:]}


def rows_with_tests() -> set[int]:
    return rows_in_names({name for path in TESTS.rglob("test_*.py") for name in function_names(path)})


def rows_with_a_reason() -> set[int]:
    return {int(number) for number in re.findall(r"^- (\d+): \S", WITHOUT_FAULT, re.MULTILINE)}


def rows_with_faults() -> set[int]:
    return {row for mutant in load_table() for row in mutant.rows}


def test_the_page_marks_exactly_what_is_not_yet_built() -> None:
    rows = rows_of_the_page()
    assert len(rows) == 84
    assert {number for number, text in rows.items() if "*Not yet built.*" in text} == NOT_YET_BUILT


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    assert rows_with_tests() == rows_of_the_page().keys() - NOT_YET_BUILT


def test_every_row_with_a_test_has_a_planted_fault_or_a_reason() -> None:
    assert rows_with_faults() == rows_with_tests() - rows_with_a_reason()
    assert rows_with_a_reason() <= rows_with_tests()


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        ({"test_h07_x", "test_h63_h66_y"}, {7, 63, 66}),
        ({"test_h100_x"}, {100}),
        ({"test_hit", "test_h5", "test_about_h5_x", "testh5_x"}, set()),
    ],
)
def test_rows_are_read_from_names(names: set[str], rows: set[int]) -> None:
    assert rows_in_names(names) == rows
