"""Rows and cells of CSV at the edges of what is read; the bad tables are with those who read them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from vecphe.data.cells import Fault, numbers_of
from vecphe.data.csv_records import Records, read_records
from vecphe.data.text import check_text_start, utf8_of


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1", 1.0), ("+1.", 1.0), ("-.5", -0.5), ("1e3", 1e3), ("1E-3", 1e-3), ("0" * 999 + "7", 7.0), ("-0", 0.0),
     (" 2\t", 2.0), ("1e-400", 0.0), ("1.7976931348623157e308", 1.7976931348623157e308)],
    ids=lambda value: str(value)[:8],
)  # fmt: skip
@pytest.mark.parametrize("beside", ["1", "x"], ids=["among numbers", "beside text"])
def test_numbers_of_cells(cell: str, number: float, beside: str) -> None:
    assert numbers_of(pa.chunked_array([[cell, beside]])).values[0] == number


@pytest.mark.parametrize(
    ("cell", "fault", "strict"),
    [
        ("", Fault.MISSING, Fault.MISSING),
        *((cell, Fault.MISSING, Fault.NOT_FINITE) for cell in ("nan", "NaN", "NAN")),
        *((cell, Fault.NOT_FINITE, Fault.NOT_FINITE) for cell in ("-Inf", "+infinity", "-nan")),
        *((cell, Fault.MISSING, Fault.TEXT) for cell in ("NA", "n/a", "NULL", "None", "?", ".")),
        *((cell, Fault.OUT_OF_RANGE, Fault.OUT_OF_RANGE) for cell in ("1e999", "-1e999", "1" * 1000)),
        *((cell, Fault.TOO_LONG, Fault.TOO_LONG) for cell in ("1" * 1001, "1." + "9" * 5000 + "e999")),
        *((cell, Fault.COMMA, Fault.COMMA) for cell in ("1,5", "-1,5", "1.234,5", "1,5e3")),
        *(
            (cell, Fault.DATE, Fault.DATE)
            for cell in ("2024-01-31", "31.1.2024", "1/31/24", "2024-01-31 12:30", "2024-01-31T12:30:00Z", "12:30")
        ),
        *(
            (cell, Fault.TEXT, Fault.TEXT)
            for cell in ("x", "1_0", "0x1", "1e", "e1", "--1", "1 2", "\u0661", "1\n", "1;5", "12-34", "x" * 130_000)
        ),
    ],
    ids=lambda value: str(value)[:8],
)  # fmt: skip
def test_h63_cells_that_are_no_numbers(cell: str, fault: Fault, strict: Fault) -> None:
    for expected, is_strict in ((fault, False), (strict, True)):
        found = numbers_of(pa.chunked_array([["1", cell, cell]]), strict=is_strict)
        assert found.faults.tolist() == [Fault.NONE, expected, expected]
        assert np.isnan(found.values).tolist() == [False, True, True]


def test_a_decimal_comma_is_the_only_mark_where_it_is_one() -> None:
    found = numbers_of(pa.chunked_array([["1,5", "2", "1.5", "1.234,5", "-,5", "1,2,3", "", "1,5e-3"]]), ",")
    assert found.values.tolist()[:2] == [1.5, 2.0]
    assert found.values[[4, 7]].tolist() == [-0.5, 0.0015]
    assert found.faults[[2, 3, 5, 6]].tolist()[3] == Fault.MISSING
    assert (found.faults[[2, 3, 5]] != Fault.NONE).all()


def rows_of(records: Records) -> list[tuple[int, list[str]]]:
    return [(int(line), records.row(number)) for number, line in enumerate(records.lines)]


def test_rows_have_the_numbers_of_the_lines_they_begin_in() -> None:
    records = read_records(b'\r\n1, 2\t\r\n\r\n\n"a\nb",4\r5,6\n\n', "x")
    assert rows_of(records) == [
        (2, ["1", " 2\t"]), (3, ["", ""]), (4, ["", ""]), (5, ["a\nb", "4"]), (7, ["5", "6"]), (8, ["", ""]),
    ]  # fmt: skip
    assert rows_of(read_records(b"1,2\n\n3,4", "x")) == [(1, ["1", "2"]), (2, ["", ""]), (3, ["3", "4"])]
    assert records.is_empty.all(axis=0).tolist() == [False, True, True, False, False, True]
    assert len(read_records(b"", "x")) == len(read_records(b"\n\n", "x")) == 0


@pytest.mark.parametrize("width", [2, 999, 1000, 1001, 3000])
@pytest.mark.parametrize("quote", ["", '"'])
def test_wide_rows_are_read_as_narrow_ones(width: int, quote: str) -> None:
    lines = [",".join(f"{quote}{row * width + column}{quote}" for column in range(width)) for row in range(3)]
    records = read_records("\n".join([*lines, "1", "", *lines[:1], "1," * width + "1"]).encode(), "x")
    assert [line for line, _ in rows_of(records)] == [1, 2, 3, 5, 6]
    assert records.ragged == [(4, 1), (7, width + 1)]
    assert records.row(1) == [str(width + column) for column in range(width)]
    assert records.cut(1, 3).cells([1, 0]).to_pylist() == [str(n) for n in (width + 1, 2 * width + 1, width, 2 * width)]
    assert records.is_empty.all(axis=0).tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_first_row_tells_the_separator(separator: str) -> None:
    text = f'"a,b;c"{separator}d\n1{separator}2\n'.encode()
    assert rows_of(read_records(text, "x"))[0][1] == ["a,b;c", "d"]
    assert read_records(text, "x", separator).width == 2
    assert read_records(b"1:2\n", "x", ":").width == 2
    assert read_records(b"1;2,5\n", "x").width == 2  # a comma goes first
    assert read_records(b"1;2,5\n", "x", ";").row(0) == ["1", "2,5"]


@pytest.mark.parametrize("width", [1, 1500])
@pytest.mark.parametrize(
    ("data", "told"),
    [
        ('1\n"2', "x, line 2: unexpected end of data"),
        ('1\n"2"3', "x, line 2: ',' expected"),
        ('1\n\n"a\nb"3\n', "x, line 4: ',' expected"),
        ("9" * 131_073, r"x, line 1: field larger than field limit \(131072\)"),
    ],
)
def test_h63_what_is_no_csv(data: str, told: str, width: int) -> None:
    first, _, rest = data.partition("\n")
    text = first + ",0" * (width - 1) + "\n" + rest + ("" if width == 1 else ",0" * (width - 1))
    if width > 1 and "unexpected" in told:
        text = text[: -2 * (width - 1)]
    with pytest.raises(ValueError, match=f"^{told}") as caught:
        read_records(text.encode(), "x")
    assert "9" * 20 not in str(caught.value)


def test_h63_a_file_with_a_zero_byte_is_no_text() -> None:
    check_text_start(b"1,2\xff", "x")
    check_text_start("1,2".encode("utf-16"), "x")
    check_text_start(b"1\0", "x", encoding="utf-16-le")
    with pytest.raises(ValueError, match=r"^x: not UTF-8 text; .*--encoding utf-16-le"):
        check_text_start(b"1\0", "x")
    with pytest.raises(ValueError, match=r"^x: not UTF-8 text: it has NUL characters"):
        utf8_of(b"1\0", "x")


TEXT = "Größe,y\n1,2\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_h63_encodings_that_tell_themselves(encoding: str) -> None:
    assert utf8_of(TEXT.encode(encoding), "x").decode() == TEXT
    assert utf8_of(TEXT.encode(encoding), "x", encoding).decode() == TEXT


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le", "utf-16-be", "mac-roman", "Latin1", "gb18030"])
def test_h63_encodings_that_are_named(encoding: str) -> None:
    assert utf8_of(TEXT.encode(encoding), "x", encoding).decode() == TEXT


def test_h63_encodings_that_are_wrong() -> None:
    with pytest.raises(ValueError, match=r"^x: no text in line 2; name its encoding, such as --encoding latin-1"):
        utf8_of(b"a\n\xe4\n", "x", not_text="no text")
    for data, encoding in ((b"\xe4", "ascii"), (b"a", "utf-16-le"), (b"\xff\xfea", None)):
        with pytest.raises(ValueError, match=r"^x: not text in the encoding utf-?16.*|^x: not text in the enc.* ascii"):
            utf8_of(data, "x", encoding)
    for unknown in ("klingon", "base64", "rot13", "punycode", "idna", "unicode_escape", "a\0b", ""):
        with pytest.raises(ValueError, match="no such text encoding; latin-1, cp1252 and utf-16 are some"):
            utf8_of(b"a", "x", unknown)
