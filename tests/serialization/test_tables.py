"""Cells and rows of CSV at the edges of what is read; the bad tables are with those who read them."""

from __future__ import annotations

import pytest

from vecphe.serialization.tables import check_text_start, csv_rows, number_of


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1", 1.0), ("+1.", 1.0), ("-.5", -0.5), ("1e3", 1e3), ("1E-3", 1e-3), ("0" * 999 + "7", 7.0), ("-0", 0.0)],
    ids=lambda value: str(value)[:8],
)
def test_numbers_of_cells(cell: str, number: float) -> None:
    assert number_of(cell, "here") == number


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("", "no value"),
        *((cell, "NaN and infinity are not finite numbers") for cell in ("nan", "-Inf", "+infinity", "NAN")),
        ("1e999", "a number beyond the range of float64"),
        ("0" * 1000 + "7", "a number of too many digits"),
        ("1" * 1000, "a number beyond the range of float64"),
        ("1,5", "not a number; write a decimal point"),
        ("1;5", "not a number; separate values by commas"),
        *((cell, "not a number") for cell in (".", "1_0", "0x1", "1e", "e1", "--1", "1 2", "\u0661", "1\n")),
    ],
    ids=lambda value: str(value)[:8],
)
def test_h63_cells_that_are_no_numbers(cell: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"^line 3: ") as caught:
        number_of(cell, "line 3")
    assert str(caught.value) == f"line 3: {told}"


def test_rows_have_the_numbers_of_their_lines() -> None:
    data = b'\xef\xbb\xbf1, 2\t\r\n\r\n\n"a\nb",4\r5\n\n\n'
    assert list(csv_rows(data, "x")) == [(1, ["1", "2"]), (2, []), (5, ["a\nb", "4"]), (6, ["5"])]
    assert list(csv_rows(b"", "x")) == list(csv_rows(b"\n\n", "x")) == []


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"1\n\xff", "x: no text"),
        (b'1\n"2', "x, line 2: unexpected end of data"),
        (b'1\n"2"3', "x, line 2: ',' expected"),
    ],
)
def test_h63_what_is_no_csv(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}"):
        list(csv_rows(data, "x", "no text"))


def test_h63_a_file_with_a_zero_byte_is_no_text() -> None:
    check_text_start(b"1,2\xff", "x")
    with pytest.raises(ValueError, match=r"^x: not UTF-8 text$"):
        check_text_start(b"1\0", "x")
