"""Options of commands that read files of data."""

from __future__ import annotations

import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from vecphe.cli.failure import one_line

if TYPE_CHECKING:
    from vecphe.data import TableOptions

__all__ = [
    "Categories",
    "Decimal",
    "Drop",
    "Encoding",
    "Features",
    "Missing",
    "MissingCells",
    "Separator",
    "Thousands",
    "say",
    "table_options",
]


class MissingCells(str, Enum):
    """What to do with rows in which a cell is missing."""

    ERROR = "error"
    DROP = "drop"
    MEAN = "mean"


Separator = Annotated[
    str | None, typer.Option("--sep", help="Character between cells of CSV, or tab; without it the first line tells.")
]
Decimal = Annotated[str, typer.Option(help="Decimal mark of numbers in text: . or ,")]
Thousands = Annotated[
    str | None, typer.Option(help="Mark between groups of three digits of numbers in text: , . ' or space.")
]
Encoding = Annotated[
    str | None, typer.Option(help="Of CSV, as latin-1 or cp1252; else UTF-8, or what its byte order mark says.")
]
Features = Annotated[
    list[str] | None, typer.Option(help="Columns to learn from, by commas or one an option; else all others.")
]
Drop = Annotated[list[str] | None, typer.Option(help="Columns to leave out, by commas or one an option.")]
Categories = Annotated[
    list[str] | None,
    typer.Option(
        help="Columns of names: each value but the first, of all hospitals, is a feature. All parties see the values."
    ),
]
Missing = Annotated[
    MissingCells,
    typer.Option(help="Rows with a missing cell: refused, left out, or filled in with the mean of all hospitals."),
]


def table_options(
    target: str | None,
    group: str | None,
    features: list[str] | None,
    drop: list[str] | None,
    categories: list[str] | None,
    missing: MissingCells,
    *,
    sep: str | None,
    decimal: str,
    encoding: str | None,
    thousands: str | None,
) -> TableOptions | None:
    """How files are to be read, or none where nothing is said about it."""
    from vecphe.data import TableOptions

    options = TableOptions(
        sep,
        decimal,
        encoding,
        thousands,
        target=target or "",
        group=group,
        features=tuple(features or ()),
        drop=tuple(drop or ()),
        categories=tuple(categories or ()),
        missing=missing.value,
    )
    return None if options == TableOptions() else options


def say(note: str) -> None:
    """Tell what was done with the data."""
    print(f"note: {one_line(note)}", file=sys.stderr)
