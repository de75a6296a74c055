"""Options about files of data: what is said and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from vecphe.cli.data_options import MissingCells, say, table_options
from vecphe.data import TableOptions

NOTHING: dict[str, Any] = {
    **dict.fromkeys(("target", "group", "features", "drop", "categories")), "missing": MissingCells.ERROR, "sep": None,
    "decimal": ".", "encoding": None, "thousands": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ({}, None),
        ({"target": "", "features": [], "drop": [], "categories": []}, None),
        ({"target": "y"}, {"target": "y"}),
        ({"group": "g"}, {"group": "g"}),
        ({"features": ["a", "b,c"]}, {"features": ("a", "b,c")}),
        ({"drop": ["a"]}, {"drop": ("a",)}),
        ({"categories": ["a"]}, {"categories": ("a",)}),
        ({"missing": MissingCells.DROP}, {"missing": "drop"}),
        ({"missing": MissingCells.MEAN}, {"missing": "mean"}),
        ({"sep": ";"}, {"separator": ";"}),
        ({"decimal": ","}, {"decimal": ","}),
        ({"encoding": "latin-1"}, {"encoding": "latin-1"}),
        ({"thousands": "'"}, {"thousands": "'"}),
    ],
)
def test_each_option_alone_says_something(said: dict[str, Any], options: dict[str, Any] | None) -> None:
    wanted = None if options is None else TableOptions(**options)
    assert table_options(**{**NOTHING, **said}) == wanted


def test_notes_are_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say(" a column\n of rows ")
    assert capsys.readouterr() == ("", "note: a column of rows\n")
