"""Decimal marks and marks of thousands: how they are taken out of numbers, and which ones a table needs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import pyarrow.compute as pc

from vecphe.data.options import GROUPINGS

__all__ = ["MARKED", "POINT", "Marks", "Text", "readings", "told_readings"]

Text: TypeAlias = Any  # an array, or a chunked array, of strings

_EXPONENT = r"([eE][+-]?[0-9]+)?"
_BETWEEN = re.escape("".join(GROUPINGS.values()))
MARKED = re.compile(
    rf"[+-]?([0-9]*[.,][0-9]+|[0-9]+[.,]|[1-9][0-9]{{0,2}}([{_BETWEEN}])[0-9]{{3}}(\2[0-9]{{3}})*((?!\2)[.,][0-9]*)?){_EXPONENT}"
)


class Marks(NamedTuple):
    """How numbers are written.

    Attributes
    ----------
    decimal : str
        A point or a comma.
    thousands : str or None
        What may stand between groups of three digits, one of `GROUPINGS`.
    """

    decimal: str = "."
    thousands: str | None = None

    def plain(self, cells: Text) -> Text:
        """Numbers with a decimal point and no other mark; a number that is written otherwise is none then."""
        if self.thousands is not None:
            between = f"[{re.escape(GROUPINGS[self.thousands])}]"
            grouped = rf"^[+-]?[1-9][0-9]{{0,2}}({between}[0-9]{{3}})+([{self.decimal}][0-9]*)?{_EXPONENT}$"
            whole = pc.replace_substring_regex(cells, between, "")
            cells = pc.if_else(pc.match_substring_regex(cells, grouped), whole, cells)
        if self.decimal == ".":
            return cells
        return pc.replace_substring(pc.replace_substring(cells, ".", "?"), ",", ".")


POINT = Marks()


def readings(reads: Callable[[Marks], bool]) -> list[Marks]:
    """The marks with which everything is read that has to be, as `reads` tells of them; the decimal point first."""
    found = []
    for decimal in ".,":
        for thousands in (None, *(mark for mark in GROUPINGS if mark != decimal)):
            if reads(Marks(decimal, thousands)):
                found.append(Marks(decimal, thousands))
                break
    return found


def told_readings(found: Sequence[Marks], now: Marks) -> str:
    """Options that give other marks, each with what it makes of numbers."""
    return " or ".join(f"{_options(marks, now)} ({_example(marks)})" for marks in found)


def _options(marks: Marks, now: Marks) -> str:
    changed = [f"--decimal {marks.decimal}"] if marks.decimal != now.decimal else []
    if marks.thousands != now.thousands:
        changed.append(f"--thousands {shlex.quote(marks.thousands or '')}")
    return " ".join(changed)


def _example(marks: Marks) -> str:
    if marks.thousands is None:
        return f"1{marks.decimal}234 is 1.234"
    between = GROUPINGS[marks.thousands][0]
    return f"1{between}234 is 1234" if marks.decimal == "." else f"1{between}234,5 is 1234.5"
