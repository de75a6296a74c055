"""Plain numbers in CSV and .npy files: read exactly, or refused with line and column."""

import io
import os
import re
import struct
import zipfile

import numpy as np
import pytest
from tests.archives import damaged

from vecphe.cli import table
from vecphe.cli.table import csv_of_values, csv_pieces, npy_of_values, parse_values
from vecphe.data import ReadOptions
from vecphe.errors import BatchTooLargeError
from vecphe.plaintext.encoding import FixedPoint
from vecphe.serialization.fields import MAX_DIMENSIONS
from vecphe.system.plurals import counted


def parse(text):
    return parse_values(text.encode() if isinstance(text, str) else text, "x")[0]


def npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1\n2\n3\n", [1, 2, 3]),
        ("1,2\n3,4", [[1, 2], [3, 4]]),
        ("1.5,2,3\n", [[1.5, 2.0, 3.0]]),
        ("-1.5\n+2\n", [-1.5, 2.0]),
        ("1e3\n.5\n5.\n1E-3\n", [1000.0, 0.5, 5.0, 0.001]),
        ("\ufeff1,2\r\n3,4\r\n", [[1, 2], [3, 4]]),
        ("a,b\n1,2\n", [[1, 2]]),
        ('"age, years",b_2\r\n1,2\r\n\r\n', [[1, 2]]),
        (" 1 ,\t2\n", [[1, 2]]),
        ('"1","2"\n', [[1, 2]]),
        ("1\r2\r", [1, 2]),
        ("1\n\n\n", [1]),
        ("9223372036854775807\n-9223372036854775808\n", [2**63 - 1, -(2**63)]),
        ("18446744073709551615\n0\n", [2**64 - 1, 0]),
        ("0.1\n0e-400\n1.7976931348623157e308\n", [0.1, 0.0, 1.7976931348623157e308]),
    ],
)
def test_numbers_of_csv(text, values):
    array = parse(text)
    assert array.tolist() == values
    assert (array.dtype.kind == "f") == bool(re.search("[.e]", text.split("b")[-1]))


@pytest.mark.parametrize(
    ("text", "options", "values"),
    [
        ("1,5;2,5\n3;4\n", {"decimal": ","}, [[1.5, 2.5], [3.0, 4.0]]),
        ("1,5\n2,5\n", {"decimal": ","}, [1.5, 2.5]),
        ("a,b\n1,2\n", {"decimal": ","}, [[1, 2]]),  # names say that it divides
        (" a,b\n1,2\n", {"decimal": ","}, [[1, 2]]),
        ('"1,573",2\n3,4\n', {"thousands": ","}, [[1573, 2], [3, 4]]),
        ("1.573;2\n3;9.007.199.254.740.993\n", {"decimal": ",", "thousands": "."}, [[1573, 2], [3, 2**53 + 1]]),
    ],
)
def test_numbers_with_other_marks(text, options, values):
    found = parse_values(text.encode(), "x", ReadOptions(**options)).values
    assert found.tolist() == values
    assert found.dtype.kind == ("f" if type(np.ravel(values)[0]) is np.float64 else "i")


def test_the_header_is_told():
    assert parse_values(b"age,cost\n1,2\n", "x").names == ("age", "cost")
    assert parse_values(b"1,2\n3,4\n", "x").names is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("\ufeff\r\n", "empty"),
        ("a,b\n", "header without numbers"),
        ("1,2\n3\n", "line 2: 1 value, but line 1 has 2"),
        ("1\n1,5\n", "line 2: 2 values.*decimal point"),
        ('1\n"1,5"\n', r"line 2, column 1: not a number with a decimal point; --decimal , \(1,234 is 1\.234\)$"),
        ('1\n"1,500"\n', r"decimal point; --thousands , \(1,234 is 1234\) or --decimal , \(1,234 is 1\.234\)$"),
        ('1.5\n"1,5"\n', "line 2, column 1: .*no --decimal and --thousands fit all numbers, write a point in each"),
        ("1\n1e-400\n", "line 2, column 1: a number beyond"),
        ("1 2\n", "line 1, column 1: not a number"),
        ("1,2\n3,nan\n", "line 2, column 2: NaN"),
        ("nan\n", "line 1, column 1: NaN"),
        ("NaN\n1\n", "line 1, column 1: NaN"),
        ("-inf\n", "line 1, column 1: NaN and infinity"),
        ("a\n1\n1e400\n", "line 3, column 1: a number beyond"),
        ("-1e999\n", "line 1, column 1: a number beyond"),
        ("1\n\n2\n", "line 2: empty"),
        ("1,\n", "line 1, column 2: no value"),
        ("1.5x\n2\n", "line 1, column 1: not a number"),
        ("a,1\n2,3\n", "line 1, column 1: not a number"),
        ("1_000\n", "not a number"),
        ("0x10\n", "not a number"),
        ("1e\n", "not a number"),
        ("1 000\n", "not a number"),
        ("--1\n", "not a number"),
        ("\u0661\n", "not a number"),
        ("\u22121\n", "not a number"),
        ("1\x00\n", "x: neither UTF-8 text nor"),
        ('"1\n', "x, line 1"),
        ("1" * 5000 + "\n", "column 1: a number of too many digits"),
        ("1\n" + "1" * 200_000 + "\n", "x, line 2"),
        ("1" * 30 + "\n", "integers beyond 64 bits"),
        ("-1\n18446744073709551616\n", "integers beyond 64 bits"),
        ("1\n-18446744073709551616\n", "integers beyond 64 bits"),
        (b"\x00\xff\xfe\x9c", "neither UTF-8 text nor"),
        ("1\n".encode("utf-16-le"), "neither UTF-8 text nor"),
        (b"PK\x03\x04....", "archive"),
    ],
)  # fmt: skip
def test_h63_h66_what_is_no_table_of_numbers(text, words):
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(("count", "told"), [(19, 19), (20, 20), (21, 20), (40, 20)])
def test_of_many_columns_the_first_twenty_are_told(count, told):
    with pytest.raises(ValueError, match="not a number") as caught:
        parse(",".join("1" * 5) + "," + ",".join(["2"] * count) + "\n1,2,3,4,5" + ",x" * count + "\n")
    lines = str(caught.value).splitlines()[1:]
    assert lines[:told] == [f"  line 2, column {column}: not a number" for column in range(6, 6 + told)]
    assert lines[told:] == ([f"  and {counted(count - 20, 'column')} more"] if count > 20 else [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1,2\n3\n4,5,6\n7\n", ["lines 2, 3 and 4: 1 and 3 values, but line 1 has 2; write a decimal point"]),
        ("1\n2,2\n3,3,3\n4,4,4,4\n", ["lines 2, 3 and 4: 2, 3 and 4 values, but line 1 has 1; write a decimal point"]),
        ("1\n2,2\n3,3,3\n4,4,4,4\n5,5,5,5,5\n", ["lines 2, 3, 4 and 5: 2 to 5 values, but line 1 has 1; write"]),
        ("1\n" + "x\n" * 5, ["lines 2, 3, 4, 5 and 6, column 1: not a number"]),
        ("1\n" + "x\n" * 6, ["lines 2, 3, 4, 5, 6 and 1 more, column 1: not a number"]),
        (
            "1,2\n,\nx,3\n,\n-inf,y\n",
            [
                "lines 2 and 4: empty",
                "line 5, column 1: NaN and infinity are not finite numbers",
                "line 3, column 1: not a number",
                "line 5, column 2: not a number",
            ],
        ),
    ],
)
def test_all_that_is_wrong_is_told_at_once(text, told):
    with pytest.raises(ValueError, match="x") as caught:
        parse(text)
    lines = str(caught.value).removeprefix("x, ").splitlines()
    found = [line.strip() for line in (lines[1:] if len(lines) > 1 else lines)]
    assert [line[: len(start)] for line, start in zip(found, told, strict=True)] == told


INDEX = "; pandas writes an index so: to_csv(index=False, header=False)"
RAGGED = "; write a decimal point, and a comma between values, or say otherwise with --decimal and --sep"
BEYOND = (
    "an integer beyond 2^53, which is rounded in a table with fractions; write it with a decimal point if you want "
    "that, or encrypt the integers on their own"
)
NEITHER = (
    "not a number with a decimal point; no --decimal and --thousands fit all numbers, write a point in each of them"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ": empty; give numbers, as CSV or .npy"),
        ("\n\n", ": empty; give numbers, as CSV or .npy"),
        ("a,b\n", ": a header without numbers"),
        ("a,b\n1\n", f", line 2: 1 value, but line 1 has 2{RAGGED}"),
        ("a,b\n1\n2\n", f", lines 2 and 3: 1 value, but line 1 has 2{RAGGED}"),
        ("\n\n1,2\n3\n4,5\n", f", line 4: 1 value, but line 3 has 2{RAGGED}"),
        ("1,2\n3,4,5\n4,5\n", f", line 2: 3 values, but line 1 has 2{RAGGED}"),
        (",\n1,2\n", f", line 1, column 1: no value{INDEX}"),
        (",0\n0,5\n", f", line 1, column 1: no value{INDEX}"),
        ("Unnamed: 0,0\n0,5\n", f", line 1, column 1: no number{INDEX}"),
        ('""\n1\n', ", line 1: empty"),
        ('1,2\n"",3\n', ", line 2, column 1: no value"),
        ("1_\n2\n", ", line 1, column 1: not a number"),
        ("nan\n1\n", ", line 1, column 1: NaN and infinity are not finite numbers"),
        ("x,nan\n1,2\n", ": 2 problems\n  line 1, column 1: not a number\n  line 1, column 2: NaN and infinity are not "
         "finite numbers"),
        ("1\n1e999\n", ", line 2, column 1: a number beyond the range of float64"),
        ("1\n2024-01-31\n", ", line 2, column 1: not a number, but a date"),
        ("1\n" + "1" * 1001, ", line 2, column 1: a number of too many digits"),
        ('1\n"1,500"\n', ", line 2, column 1: not a number with a decimal point; --thousands , (1,234 is 1234) or "
         "--decimal , (1,234 is 1.234)"),
        ('1.5\n"1,5"\n', f", line 2, column 1: {NEITHER}"),
        ('1.5\nNA\n"1,5"\n', f": 2 problems\n  line 3, column 1: {NEITHER}\n  line 2, column 1: not a number"),
        ("0.5,1\n2,-9007199254740993\n9007199254740993,4\n", f", line 2, column 2: {BEYOND}"),
        (",a\n0,0.5\n1,9007199254740993\n", f", line 3, column 2: {BEYOND}"),
    ],
)  # fmt: skip
def test_h63_what_is_wrong_with_plain_numbers_to_the_letter(text, told):
    with pytest.raises(ValueError, match="x") as caught:
        parse(text)
    assert str(caught.value) == f"x{told}"


def test_h63_what_is_no_number_with_a_decimal_comma():
    with pytest.raises(
        ValueError, match=r"^x, line 1, column 1: not a number with a decimal comma; --decimal \. \(1\.234 is"
    ):
        parse_values(b"1.5\n2\n", "x", ReadOptions(decimal=","))


def test_integers_that_a_float_holds_may_stand_beside_fractions():
    assert parse("0.5\n9007199254740992\n-9007199254740992\n").tolist() == [0.5, 2.0**53, -(2.0**53)]


@pytest.mark.parametrize(
    ("text", "names", "skipped"),
    [("_a\n1\n", ("_a",), 0), ("a, b c\n1,2\n", ("a", "b c"), 0), (",a\n5,1\n", ("a",), 1), ("1\n2\n", None, 0)],
)
def test_what_a_header_of_plain_numbers_is(text, names, skipped):
    found = parse_values(text.encode(), "x")
    assert (found.names, found.skipped) == (names, skipped)
    assert found.lines.tolist() == ([2] if names else [1, 2])


def test_where_a_number_stood():
    column = parse_values(b"1\n2\n3\n", "x")
    assert [column.place((row,)) for row in (0, 2)] == ["line 1, column 1", "line 3, column 1"]
    table = parse_values(b",a,b\n5,1,2\n6,3,4\n", "x")
    assert [table.place(index) for index in ((0, 0), (1, 1))] == ["line 2, column 2", "line 3, column 3"]
    assert parse_values(npy(np.ones((2, 2))), "x").place((1, 0)) == "index (1, 0)"


@pytest.mark.parametrize("integers", [[-1, 2**64 - 1], [2**63, -(2**63)], [-(2**64) + 1, 0], [2**63 + 1, -1]])
def test_h74_integers_that_no_type_of_numpy_holds_are_exact(integers):
    values = parse("".join(f"{value}\n" for value in integers))
    assert values.dtype == object
    assert values.tolist() == integers


def test_errors_do_not_show_the_values():
    with pytest.raises(ValueError, match="line 1, column 2") as caught:
        parse("12345,secret:678\n")
    assert "678" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [[1.5, -2.0], [[1], [2]], [], np.zeros((0, 3)), 7, np.arange(24).reshape(2, 3, 4), np.array([1, 2], dtype=">u2"),
     np.array([[1, 2], [3, 4]], order="F", dtype=np.float32), [True, False]],
    ids=repr,
)  # fmt: skip
def test_numbers_of_npy(values):
    array = parse(npy(values))
    assert array.shape == np.shape(values)
    assert array.tolist() == np.asarray(values).tolist()


@pytest.mark.parametrize(
    ("dtype", "result"),
    [
        (bool, np.int64),
        (np.float16, np.float64),
        (np.float32, np.float64),
        (np.uint8, np.uint8),
        (np.uint64, np.uint64),
    ],
)
def test_npy_of_every_real_type_becomes_what_can_be_encrypted(dtype, result):
    values = np.array([0, 1, 1], dtype)
    assert parse(npy(values)).dtype == result
    assert parse(npy(values)).tolist() == values.tolist()


def test_the_index_that_pandas_writes_unasked_is_left_out_and_told():
    found = parse_values(b",a,b\n0,1.5,2\n1,0.5,3\n", "x")
    assert (found.values.tolist(), found.names, found.skipped) == ([[1.5, 2], [0.5, 3]], ("a", "b"), 1)
    assert found.place((1, 0)) == "line 3, column 2"
    with pytest.raises(ValueError, match=r"line 1, column 1: no value; pandas .*index=False, header=False"):
        parse(",0\n0,1.5\n")
    twice = parse_values(b"Unnamed: 0.1,Unnamed: 0,a,b\n0,0,1.5,2\n1,1,0.5,x\n".replace(b"x", b"3"), "x")
    assert (twice.values.tolist(), twice.names, twice.place((0, 1))) == (
        found.values.tolist(),
        ("a", "b"),
        "line 2, column 4",
    )
    with pytest.raises(ValueError, match=r"line 1, column 1: no number; pandas .*index=False, header=False"):
        parse("Unnamed: 0,0\n0,1.5\n")
    assert parse("1.5,2\n0.5,3\n").tolist() == [[1.5, 2], [0.5, 3]]
    with pytest.raises(ValueError, match=r"line 2, column 1: no value$"):
        parse("1,2\n,3\n")


def test_h63_damaged_npy():
    good = npy(np.arange(5.0))
    for size in range(6, len(good)):
        with pytest.raises(ValueError, match="x"):
            parse(good[:size])
    with pytest.raises(ValueError, match=r"48 bytes.*40"):
        parse(good + b"\0" * 8)
    huge = good.replace(b"(5,)", b"(10000000000000,)")
    assert huge != good
    with pytest.raises(ValueError, match="x"):
        parse(huge)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("damage", ["content", "encrypted", "method"])
def test_h63_archives_of_every_kind_that_are_damaged(compression, damage):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("x.npy", npy(np.arange(300.0)))
    assert parse(file.getvalue()).tolist() == list(range(300))
    with pytest.raises(ValueError, match=r"an archive .* that is damaged; give one array, or CSV"):
        parse(damaged(file.getvalue(), "x.npy", damage))


def header(text, body=b"\0" * 8):
    """A .npy file with this header."""
    text = text.encode("latin1")
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def shaped(shape, descr="'<f8'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


@pytest.mark.parametrize(
    "text",
    [
        "{[]: 1}",
        shaped("(" + "-" * 5000 + "1,)"),
        shaped("(1,)", "',,'"),
        shaped("(1,)", "[]"),
        shaped("(1,)", "'f' * 3"),
        shaped("(1,)", "[('a',), ('b',)]"),
        shaped("(1,)", "{'names': ['a']}"),
        shaped("(1,)", "'M8[99999999999999999999s]'"),
        shaped("(1,)", f"('<f8', {2**70})"),
        shaped("(1,)", "[('a', '<f8', (1, 2, 3, -4))]"),
        shaped("(1,)", "'<f8\0'"),
        shaped("(1,)")[:-1] + ", 1: 2}",
        "{" * 150,
        shaped("(" + "1" * 5000 + ",)"),
        shaped("(" + "9" * 4000 + "," + "9" * 4000 + ")"),
        shaped("(True,)"),
        shaped("(-1, -1)"),
        shaped("(" + "1," * 70 + ")"),
    ],
    ids=lambda text: text[:30] + text[-30:],
)
def test_h63_hostile_headers_of_npy(text):
    with pytest.raises(ValueError, match=r"^x: ") as caught:
        parse(header(text))
    assert type(caught.value) is ValueError
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("shape", ["(0, 65537)", f"({2**40}, 0)", f"({2**59}, 0)", f"({2**70}, 0)"])
def test_h35_empty_arrays_of_great_length(shape):
    with pytest.raises(ValueError, match=r"^x: .*shape"):
        parse(header(shaped(shape), b""))


def test_an_empty_array_is_an_empty_file():
    assert parse(header(shaped("(65536, 0)"), b"")).shape == (1 << 16, 0)
    assert csv_of_values(np.zeros((1 << 16, 0))) == b""


def test_integers_that_float64_would_round_are_refused():
    for text, where in (
        ("9007199254740993\n1.5\n", "line 1, column 1"),
        ("a,b\n1.5,2\n3,-9007199254740993\n", "line 3, column 2"),
    ):
        with pytest.raises(ValueError, match=f"^x, {where}: an integer beyond"):
            parse(text)
    assert parse("9007199254740992\n-9007199254740992\n0.5\n").tolist() == [2.0**53, -(2.0**53), 0.5]
    assert parse("9007199254740993.0\n").tolist() == [2.0**53]
    assert parse("9007199254740993\n2\n").tolist() == [2**53 + 1, 2]


@pytest.mark.parametrize("values", [[1j], ["1"], [None], np.array([1], dtype="M8[s]"), np.array([1], np.longdouble)])
def test_h18_npy_of_other_types(values):
    with pytest.raises(ValueError, match="real numbers"):
        parse(npy(np.asarray(values)))


@pytest.mark.parametrize(
    "values",
    [[0.1, -1e-300, 1.7976931348623157e308, -0.0], [1, -(2**63)], [[1, 2], [3, 4]], [[0.5]], np.zeros((0,)),
     np.zeros((3, 0)), 2.5],
    ids=repr,
)  # fmt: skip
def test_what_is_written_reads_the_same(values):
    array = np.asarray(values)
    assert parse(npy_of_values(array)).tolist() == array.tolist()
    if array.size:
        assert parse(csv_of_values(array)).ravel().tolist() == array.ravel().tolist()
    else:
        assert csv_of_values(array).strip() == b""


def test_what_a_form_does_not_have():
    with pytest.raises(ValueError, match=r"\.npy"):
        csv_of_values(np.zeros((2, 2, 2)))
    big = np.array([2**20000, -1], dtype=object)
    with pytest.raises(ValueError, match="CSV"):
        npy_of_values(big)
    assert len(csv_of_values(big)) > 6000


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_both_forms_of_a_npy_header_are_read(version):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.array([1.5, -2.0]), version=version)
    assert parse(file.getvalue()).tolist() == [1.5, -2.0]


@pytest.mark.parametrize("shape", [(), (0,), (7,), (4, 3), (3, 4), (1, 12), (12, 1), (0, 3), (3, 0)])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_h61_csv_of_parts_is_that_of_the_whole(shape, size):
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape) / 4
    flat = values.ravel()
    parts = [flat[i : i + size] for i in range(0, len(flat), size)]
    rows = values.reshape(-1, shape[1]) if len(shape) == 2 and values.size else flat.reshape(-1, 1)
    lines = "".join(",".join(map(str, row)) + "\n" for row in rows.tolist())
    assert b"".join(csv_pieces(parts, shape)).decode() == lines == csv_of_values(values).decode()
    names = ["a", "b,c", "d"][: shape[1] if len(shape) == 2 else 1]
    head = 'a,"b,c",d\n'[: {1: 1, 3: 9}.get(len(names), 0)].strip() + "\n"
    if len(names) in (1, 3) and lines:
        assert b"".join(csv_pieces(parts, shape, names)).decode() == head + lines


# What is wrong, to the letter -----------------------------------------------------------------------------------------

LONG_DTYPE = [("a_field_of_a_long_name", "<f8"), ("another_field_of_a_long_name", "<f8")]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (npy(np.array([1j])), "an array of dtype complex128; only real numbers of up to 64 bits can be encrypted"),
        (npy(np.array([1], np.longdouble)),
         f"an array of dtype {np.dtype(np.longdouble)}; only real numbers of up to 64 bits can be encrypted"),
        (npy(np.zeros(1, LONG_DTYPE)),
         f"an array of dtype {str(np.dtype(LONG_DTYPE))[:40]}; only real numbers of up to 64 bits can be encrypted"),
        (header("{"), "not a whole .npy file, its header is damaged"),
        (header(shaped("(1,)"))[:6] + b"\x03\x00" + header(shaped("(1,)"))[8:],
         "not a whole .npy file, its header is damaged"),
        (header(shaped("(" + "1," * (MAX_DIMENSIONS + 1) + ")")),
         f"no shape of an array of at most {MAX_DIMENSIONS} dimensions"),
        (header(shaped(f"({1 << 60},)")), f"no shape of an array of at most {MAX_DIMENSIONS} dimensions"),
        (header(shaped("(-1,)")), f"no shape of an array of at most {MAX_DIMENSIONS} dimensions"),
        (header(shaped("(2, -1)")), f"no shape of an array of at most {MAX_DIMENSIONS} dimensions"),
        (header(shaped("(True,)")), f"no shape of an array of at most {MAX_DIMENSIONS} dimensions"),
        (header(shaped(f"({(1 << 60) - 1},)")), f"8 bytes of numbers where the header tells {((1 << 60) - 1) * 8}"),
        (header(shaped("(2, 3)")), "8 bytes of numbers where the header tells 48"),
        (header(shaped("(0,)")), "8 bytes of numbers where the header tells 0"),
        (header(shaped("(0, 65537)"), b""), "a shape too large for an empty array"),
    ],
)  # fmt: skip
def test_h18_h63_what_is_no_npy_to_the_letter(data, told):
    with pytest.raises(ValueError, match="x: ") as caught:
        parse(data)
    assert str(caught.value) == f"x: {told}"
    assert caught.value.__suppress_context__ == ("damaged" in told)


def test_the_largest_shapes_are_read():
    assert parse(header(shaped("(" + "1," * MAX_DIMENSIONS + ")"))).shape == (1,) * MAX_DIMENSIONS
    assert parse(header(shaped("(0,)"), b"")).shape == (0,)
    assert parse(header(shaped("()"))).shape == ()


def archive_of(count):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.npy", npy(np.arange(3)))
    return file.getvalue()


def test_an_archive_has_one_array_for_which_there_is_memory(monkeypatch):
    assert parse(archive_of(1)).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="archive") as caught:
        parse(archive_of(2))
    assert str(caught.value) == "x: an archive of 2 files (.npz?); give one array"
    with pytest.raises(ValueError, match="archive") as caught:
        parse(b"PK\x03\x04" + archive_of(1)[4:30])
    assert str(caught.value) == "x: an archive (.npz?) that is damaged; give one array, or CSV"
    assert caught.value.__suppress_context__
    asked = []

    def check_memory(*args):
        asked.append(args)
        raise BatchTooLargeError("too large")

    monkeypatch.setattr(table, "check_memory", check_memory)
    with pytest.raises(BatchTooLargeError, match=r"^too large$"):
        parse(archive_of(1))
    assert asked == [(len(npy(np.arange(3))), "what x holds", "give less of it")]


def test_files_of_which_nothing_is_mapped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("-", [1.0])
    os.rename("-.npy", "-")
    np.save("a.npy", [1.5, 2.5])
    np.save("empty.npy", [])
    (tmp_path / "x.csv").write_text("1\n")
    (tmp_path / "short").write_bytes(b"\x93NUM")
    for path in ("-", "missing", ".", "x.csv", "short", "empty.npy"):
        assert table.mapped_values(path, "n") is None
    mapped = table.mapped_values("a.npy", "n")
    assert isinstance(mapped.values, np.memmap)
    assert (mapped.values.tolist(), mapped.values.mode) == ([1.5, 2.5], "r")
    (tmp_path / "b.npy").write_bytes(npy(np.arange(3))[:-1])
    with pytest.raises(ValueError, match=r"^n: 23 bytes of numbers where the header tells 24$"):
        table.mapped_values("b.npy", "n")

    def failing(*_, **options):
        assert options == {"mmap_mode": "r", "allow_pickle": False}
        raise OSError("no mapping")

    monkeypatch.setattr(np, "load", failing)
    assert table.mapped_values("a.npy", "n") is None


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 2), (3, 2)])
def test_h16_h20_the_first_number_that_cannot_be_encrypted_is_named(monkeypatch, order, place):
    monkeypatch.setattr(table, "_AT_ONCE", 5)
    nan = "NaN or infinity, which cannot be encrypted"
    beyond = "a magnitude beyond 8; give the largest one with --max-abs"
    form = FixedPoint(max_abs=8)
    for value, why in ((np.nan, nan), (np.inf, nan), (-np.inf, nan), (8.5, beyond), (-9.0, beyond)):
        values = np.full((4, 3), 8.0, order=order)
        table.check_values(table.Numbers(values), form, "x")
        values[place] = value
        values[3, 2] = values[place] if place == (3, 2) else np.nan
        with pytest.raises(ValueError, match="x, ") as caught:
            table.check_values(table.Numbers(values), form, "x")
        assert str(caught.value) == f"x, index {place}: {why}"
    halves = np.array([[1.0, np.inf]], np.float16)
    with pytest.raises(ValueError, match=r"^x, index \(0, 1\): NaN"):
        table.check_values(table.Numbers(halves), form, "x")
    table.check_values(table.Numbers(np.array([True, False])), FixedPoint(0, 1), "x")
    with pytest.raises(ValueError, match=r"^x, index \(1,\): a magnitude beyond 1;"):
        table.check_values(table.Numbers(np.array([1, 2])), FixedPoint(0, 1), "x")


def test_what_is_not_written_is_told_to_the_letter():
    asked = iter(lambda: pytest.fail("a part was asked for"), None)
    with pytest.raises(ValueError, match="CSV") as caught:
        csv_pieces(asked, (2, 2, 2))
    assert str(caught.value) == "CSV has two dimensions, the array 3; write it as .npy"
    with pytest.raises(ValueError, match="npy") as caught:
        npy_of_values(np.array([2**70], dtype=object))
    assert str(caught.value) == "some integers are beyond 64 bits, which .npy does not have; write them as CSV"
    for shape in ((0,), (0, 2), (2, 0)):
        assert csv_of_values(np.zeros(shape), ["a", "b"]) == b""


@pytest.mark.parametrize(
    ("start", "encoding", "is_good"),
    [(b"\x93NUMPY\0", None, True), (b"PK\x03\x04\0", None, True), (b"1,2\n", None, True), (b"1\0", None, False),
     (b"\x93NUMP\0", None, False), (b"PK\x03\x05\0", None, False), (b"1\0", "utf-16-le", True)],
)  # fmt: skip
def test_h63_first_bytes_that_no_table_has(start, encoding, is_good):
    if is_good:
        table.check_start(start, "x", encoding)
    else:
        with pytest.raises(ValueError, match=r"^x: neither UTF-8 text nor a \.npy file"):
            table.check_start(start, "x", encoding)
