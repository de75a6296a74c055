"""Rows and cells of CSV at the edges of what is read; the bad tables are with those who read them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from vecphe.data.cells import Fault, labels_of, numbers_of
from vecphe.data.csv_records import Records, index_columns, read_records, separator_with
from vecphe.data.marks import POINT, Marks, readings, told_readings
from vecphe.data.text import check_text_start, utf8_of


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1", 1.0), ("+1.", 1.0), ("-.5", -0.5), ("1e3", 1e3), ("1E-3", 1e-3), ("-0", 0.0),
     (" 2\t", 2.0), ("4.94065645841247e-324", 5e-324), ("0.000e-400", 0.0),
     ("0" * 999 + "7", 7.0), ("1.7976931348623157e308", 1.7976931348623157e308)],
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
        *((cell, Fault.OUT_OF_RANGE, Fault.OUT_OF_RANGE) for cell in ("1e-324", "-1e-400", "0.0003e-400", ".1e-323")),
        *((cell, Fault.TOO_LONG, Fault.TOO_LONG) for cell in ("1" * 1001, "1." + "9" * 5000 + "e999")),
        *(
            (cell, Fault.MARKS, Fault.MARKS)
            for cell in ("1,5", "-1,5", "1.234,5", "1,5e3", "1,", ",5", "1,234,567", "1,234.5", "1'234", "1\u2019234.5",
                         "1 234 567", "1\xa0234,5", "12\u202f345", "1.234.567", "1,5" + "0" * 997)
        ),
        *(
            (cell, Fault.DATE, Fault.DATE)
            for cell in ("2024-01-31", "31.1.2024", "1/31/24", "2024-01-31 12:30", "2024-01-31T12:30:00Z", "12:30")
        ),
        *(
            (cell, Fault.TEXT, Fault.TEXT)
            for cell in ("x", "1_0", "0x1", "1e", "e1", "--1", "1 2", "\u0661", "1\n", "1;5", "12-34", "x" * 130_000,
                         "1,5" + "0" * 998, "1,2,3", "1 23", "1,234 567", "0 123", ",", "1.234.56")
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
    found = numbers_of(pa.chunked_array([["1,5", "2", "1.5", "1.234,5", "-,5", "1,2,3", "", "1,5e-3"]]), Marks(","))
    assert found.values.tolist()[:2] == [1.5, 2.0]
    assert found.values[[4, 7]].tolist() == [-0.5, 0.0015]
    assert found.faults[[2, 3, 5, 6]].tolist()[3] == Fault.MISSING
    assert found.faults[[2, 3, 5]].tolist() == [Fault.MARKS, Fault.MARKS, Fault.TEXT]
    assert numbers_of(pa.chunked_array([["2", "1.5"]]), Marks(",")).faults.tolist() == [Fault.NONE, Fault.MARKS]


@pytest.mark.parametrize(
    ("marks", "cells"),
    [
        (Marks(".", ","), {"1,234": 1234, "-12,345,678.5e1": -123456785, "1234.5": 1234.5, "7": 7}),
        (Marks(",", "."), {"1.234": 1234, "+1.234,5": 1234.5, "1234,5": 1234.5, ",5": 0.5}),
        (Marks(".", "'"), {"1'234.5": 1234.5, "1\u2019234": 1234}),
        (Marks(",", "space"), {"1 234,5": 1234.5, "1\xa0234\u202f567": 1234567, "1\u2009000": 1000}),
    ],
    ids=str,
)
def test_marks_of_thousands_stand_between_groups_of_three(marks: Marks, cells: dict[str, float]) -> None:
    found = numbers_of(pa.chunked_array([[*cells, *cells]]), marks)
    assert found.values.tolist() == [*cells.values()] * 2
    mark = {"space": " "}.get(str(marks.thousands), marks.thousands)
    wrong = [
        f"1{mark}23",
        f"0{mark}123",
        f"1{mark}{mark}234",
        f"1234{mark}567",
        f"1{marks.decimal}5{mark}000",
    ]
    assert np.isnan(numbers_of(pa.chunked_array([wrong]), marks).values).all()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,573", "20"], [Marks(".", ","), Marks(",")]),  # nobody can tell
        (["1,573", "2.5"], [Marks(".", ",")]),
        (["1,573", "0,5"], [Marks(",")]),
        (["1,573", "0,573"], [Marks(",")]),
        (["1,573", "1234,567"], [Marks(",")]),
        (["1,234,567", "7,654"], [Marks(".", ",")]),
        (["1.030,5", "1.030"], [Marks(",", ".")]),
        (["1'234.5", "7"], [Marks(".", "'")]),
        (["1 234", "1 234,5"], [Marks(",", "space")]),
        (["1,5", "2.5"], []),
    ],
    ids=str,
)
def test_the_marks_that_read_all_numbers(cells: list[str], expected: list[Marks]) -> None:
    text = pa.chunked_array([cells])
    assert readings(lambda marks: not numbers_of(text, marks).faults.any()) == expected


@pytest.mark.parametrize(
    ("marks", "now", "told"),
    [
        (Marks(".", ","), Marks(), "--thousands , (1,234 is 1234)"),
        (Marks(".", "'"), Marks(), "--thousands ''\"'\"'' (1'234 is 1234)"),
        (Marks(".", "space"), Marks(","), "--decimal . --thousands space (1 234 is 1234)"),
        (Marks(",", "."), Marks(), "--decimal , --thousands . (1.234,5 is 1234.5)"),
        (Marks(","), Marks(), "--decimal , (1,234 is 1.234)"),
        (Marks(","), Marks(",", "."), "--thousands '' (1,234 is 1.234)"),
        (Marks(), Marks(","), "--decimal . (1.234 is 1.234)"),
    ],
    ids=str,
)
def test_what_to_type_for_marks(marks: Marks, now: Marks, told: str) -> None:
    assert told_readings([marks], now) == told
    assert told_readings([marks, POINT], now).startswith(f"{told} or ")


def rows_of(records: Records) -> list[tuple[int, list[str]]]:
    return [(int(line), records.row(number)) for number, line in enumerate(records.lines)]


def test_rows_have_the_numbers_of_the_lines_they_begin_in() -> None:
    records = read_records(b'\r\n1, 2\t\r\n\r\n\n"a\nb",4\r5,6\n\n', "x")
    assert rows_of(records) == [
        (2, ["1", " 2\t"]), (3, ["", ""]), (4, ["", ""]), (5, ["a\nb", "4"]), (7, ["5", "6"]), (8, ["", ""]),
    ]  # fmt: skip
    assert rows_of(read_records(b"1,2\n\n3,4", "x")) == [(1, ["1", "2"]), (2, ["", ""]), (3, ["3", "4"])]
    assert records.is_empty.all(axis=0).tolist() == [False, True, True, False, False, True]
    for nothing in (read_records(b"", "x"), read_records(b"\n\n", "x")):
        assert (len(nothing), nothing.width, nothing.ragged) == (0, 0, [])


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


@pytest.mark.parametrize(
    ("text", "name", "mark"),
    [
        (b"a;y\n", "y", ";"),
        (b"a\ty\n", None, "\t"),
        (b" a|  y \n", "y", "|"),
        (b"a y\n", "y", " "),
        (b"a b y", None, " "),
        (b"a,b;y\n", "y", ";"),  # the first one that gives the name
        (b"a,b;y\n", None, ","),
        (b"a\n", None, None),
        (b"y\n", "y", None),
        (b'"a" ;y\n', None, " "),  # no CSV with the others
        ("a;y\u00e4".encode()[:-1], "y", None),  # cut in the middle of a character
        ("a;y\n\u00e4".encode()[:-1], "y", ";"),
        (b"", None, None),
    ],
    ids=str,
)
def test_another_separator(text: bytes, name: str | None, mark: str | None) -> None:
    assert separator_with(text, name) == mark


def test_where_no_separator_makes_rows_one_that_does_is_told() -> None:
    with pytest.raises(ValueError, match=r"""^x, line 3: ',' expected after '"'; --sep ' ' divides this line$"""):
        read_records(b'\n\n"a" "b"\n', "x")
    with pytest.raises(ValueError, match=r"""^x, line 1: ',' expected after '"'$"""):
        read_records(b'"a"b\n', "x")


@pytest.mark.parametrize(
    ("header", "count"),
    [([""], 0), (["", "Unnamed: 0"], 0), (["", "a"], 1), (["Unnamed: 0.2", "", "a", ""], 2), (["a", ""], 0), ([], 0)],
)
def test_how_many_columns_are_an_index(header: list[str], count: int) -> None:
    assert index_columns(header) == count


@pytest.mark.parametrize("place", [-1, 0])
def test_h63_rows_that_the_strict_rules_count_otherwise_are_refused(
    monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """So that no line is told of another row; nothing is known of which pyarrow makes other rows."""
    monkeypatch.setattr("vecphe.data.csv_records._parsed", lambda *_: [pa.chunked_array([["a", "b"]])] * 2)
    text = b'"a",1\n"b",2\n'
    assert rows_of(read_records(text, "x")) == [(1, ["a", "a"]), (2, ["b", "b"])]
    with pytest.raises(ValueError, match=r"^x: its quotation marks do not pair$"):
        read_records(text + text[:6] if place else text[:6], "x")


@pytest.mark.parametrize(
    ("text", "marks", "first"),
    [
        ("1,5;2,5\n", Marks(","), ["1,5", "2,5"]),
        ("1,5\n2,5\n", Marks(","), ["1,5"]),
        ("1,5\t2,5\n", Marks(","), ["1,5", "2,5"]),
        ('"1,5","2,5"\n', Marks(","), ["1,5", "2,5"]),
        ("a,b\n", Marks(","), ["a", "b"]),
        ("a,b;c\n", Marks(","), ["a,b", "c"]),
        ("1,000;2\n", Marks(".", ","), ["1,000", "2"]),
        ("a|b,c\n", Marks("."), ["a|b", "c"]),
        ("", Marks(","), []),
    ],
)
def test_what_marks_numbers_separates_only_what_is_none(text: str, marks: Marks, first: list[str]) -> None:
    records = read_records(text.encode(), "x", marks=marks)
    assert (records.row(0) if len(records) else []) == first


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_separator_that_a_spreadsheet_names_above_the_header(end: str) -> None:
    for mark, shown in ((";", ";"), ("\t", "\t"), (",", '","')):
        line = f"sep={mark}" if shown == mark else f'"sep={mark}"'
        records = read_records(f"{line}{end}a{mark}b{end}1{mark}2{end}".encode(), "x")
        assert rows_of(records) == [(2, ["a", "b"]), (3, ["1", "2"])]
    told = b"sep=;\na,b;c\n"
    assert [read_records(told, "x", given).row(0) for given in (None, ",")] == [["a,b", "c"], ["a", "b;c"]]
    assert rows_of(read_records(b"sep=x,b\n1,2\n", "x"))[0] == (1, ["sep=x", "b"])


LABELS = {
    "1": "1", "1.0": "1", "01": "1", "+1": "1", " 1\t": "1", "1e0": "1", "-1.50": "-1.5", ".5": "0.5", "-0.0": "0",
    "2e3": "2000", "1e-07": "0.0000001", "12345678901234567890123": "12345678901234567890123", "1e400": "1e400",
    "TRUE": "True", "true": "True", "False": "False", "1,5": "1,5", " a b ": "a b", "A": "A", "e\u0301": "\xe9",
    "None": "None", "1 2": "1 2", "0x1": "0x1", "1" * 101 + ".0": "1" * 101 + ".0",
    "1" * 98 + ".0": "1" * 98, "1" * 98 + ".00": "1" * 98 + ".00",
}  # fmt: skip


def test_labels_have_one_spelling() -> None:
    found = labels_of(pa.chunked_array([[*LABELS, "NA", None, ""], ["1.00"]]))
    assert [found.levels[code] for code in found.codes[: len(LABELS)]] == [*LABELS.values()]
    assert found.codes[len(LABELS) : -1].tolist() == [-1, -1, -1]
    assert found.levels[found.codes[-1]] == "1"
    assert len(set(found.levels)) == len(found.levels)
    assert labels_of(pa.chunked_array([["1,50", "1.234"]]), Marks(",", ".")).levels == ("1.5", "1234")


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


READS = """\
import sys
from vecphe.data import TableOptions, read_table
table = read_table(sys.argv[1:], TableOptions(target="y", drop=("n",)))
print(ascii(table.features), table.X.tolist(), "--", end="")
"""


def test_h63_text_is_utf_8_wherever_it_is_read(tmp_path: Path) -> None:
    """That of a locale, which is ASCII here, is asked for nowhere."""
    path = tmp_path / "a.csv"
    path.write_text('n,Gr\u00f6\u00dfe,y\n"\u00e4\n",1,2\n', encoding="utf-8")
    command = [sys.executable, "-X", "utf8=0", "-X", "warn_default_encoding", "-W", "error::EncodingWarning"]
    done = subprocess.run([*command, "-c", READS, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == "('Gr\\xf6\\xdfe',) [[1.0]] --", done.stderr


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


def test_h76_a_row_without_end_is_refused() -> None:
    """Its limit is one of memory: 144 MiB are too much, and 60 are not."""
    start, end = b"a,b\n1,2\n", b",1\n3,4\n"
    assert len(read_records(start + b"x" * (60 << 20) + end, "f.csv", None)) == 4
    with pytest.raises(ValueError, match=r"^f\.csv: a row is longer than 64 MiB, or its quotation marks do not pair$"):
        read_records(start + b"x" * (144 << 20) + end, "f.csv", None)
