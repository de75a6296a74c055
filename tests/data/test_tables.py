"""Files to tables: what is read, what is left out, and one message for all that is wrong."""

from __future__ import annotations

import builtins
import io
import json
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.archives import damaged

from vecphe.data import (
    Column,
    MissingLibraryError,
    ReadOptions,
    Schema,
    Table,
    TableError,
    TableOptions,
    needs_pyarrow,
    read_rows,
    read_table,
)
from vecphe.data.cells import Cells, Labels
from vecphe.errors import BatchTooLargeError
from vecphe.system.plurals import counted


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(*texts: str | bytes, target: str = "y", **options: Any) -> Table:
    """The table of files a.csv, b.csv and so on."""
    names = [f"{letter}.csv" for letter, _ in zip("abcdef", texts, strict=False)]
    for name, text in zip(names, texts, strict=True):
        Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(names, TableOptions(target=target, **options))


@pytest.mark.parametrize("levels", [["x", "y"], ("x", "y"), ["a", "b", "c"]])
def test_levels_of_a_schema_are_kept_as_texts_that_do_not_change(levels: Any) -> None:
    column = Schema.from_json(({"name": "a", "levels": levels},)).columns[0]
    assert (column, type(column.levels)) == (Column("a", tuple(levels)), tuple)


def refused(*texts: str | bytes, **options: Any) -> list[str]:
    """The lines of the message."""
    with pytest.raises(TableError) as caught:
        read(*texts, **options)
    return str(caught.value).splitlines()


CLEAN = "a,b,y\n1,2.5,3\n4,-5,6\n"


def is_clean(table: Table) -> bool:
    return (table.features, table.X.tolist(), table.y.tolist()) == (("a", "b"), [[1, 2.5], [4, -5]], [3, 6])


def test_a_clean_table() -> None:
    table = read(CLEAN)
    assert is_clean(table)
    assert (table.groups, table.notes, table.has_labels, table.target) == (None, (), False, "y")
    assert table.X.dtype == table.y.dtype == np.float64
    assert not table.missing.any()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252", "utf-16-le"])
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_h63_semicolons_decimal_commas_and_encodings(encoding: str, separator: str) -> None:
    text = "Größe;b;y\n1;2,5;3\n4;-5,0;6\n".replace(";", separator)
    named = {"encoding": encoding} if encoding in ("latin-1", "cp1252", "utf-16-le") else {}
    table = read(text.encode(encoding), decimal=",", **named)
    assert (table.features, table.X.tolist()) == (("Größe", "b"), [[1, 2.5], [4, -5]])
    assert read(text.encode(encoding), decimal=",", separator=separator, **named).X.tolist() == table.X.tolist()
    if named:
        with pytest.raises(ValueError, match=r"^a\.csv: not UTF-8 text.*--encoding"):
            read(text.encode(encoding), decimal=",")
    assert refused(text.encode(encoding), **named) == [
        "a.csv: column 'b', lines 2 and 3: not a number with a decimal point; --decimal , (1,234 is 1.234)"
    ]


MESSY = """id,visit,sex,weight,empty,note,y
1,2024-01-02,m,,,x1,3
2,2024-01-03,f,heavy,,x2,4
3,2024-01-04,f,"7,5",,x3,5

1,2
4,2024-01-05,m,1e999,,x4,oops
5,2024-01-05,,inf,,,8
"""


def test_one_message_lists_every_problem_with_lines_and_options() -> None:
    text = "text, not numbers; --categories"
    assert refused(MESSY, drop=("nothing",)) == [
        "a.csv: 14 problems",
        "  line 6 has 2 cells, but the header has 7",
        "  --drop names 'nothing', and there is no such column",
        "  column 'visit' holds dates, from line 2 on; --drop visit",
        f"  column 'sex', from line 2 on: {text} sex (all parties see its 2 values) or --drop sex",
        "  column 'weight', line 8: NaN and infinity are not finite numbers; correct it, or --drop weight",
        "  column 'weight', line 7: a number beyond the range of float64; correct it, or --drop weight",
        "  column 'weight', line 4: not a number with a decimal point; --decimal , (1,234 is 1.234)",
        "  column 'weight', line 3: not a number; correct it, or --drop weight",
        "  column 'empty' is empty; --drop empty",
        "  column 'note', from line 2 on: text, not numbers; nearly every row has its own: --drop note",
        "  column 'y', line 7: not a number; correct it",
        "  column 'sex', line 8: a cell is missing; --missing drop or mean",
        "  column 'weight', line 2: a cell is missing; --missing drop or mean",
        "  column 'note', line 8: a cell is missing; --missing drop or mean",
    ]


def test_what_the_message_says_mends_the_table() -> None:
    lines = MESSY.splitlines(keepends=True)
    mended = "".join([*lines[:5], lines[7].replace("inf", "1e2")]).replace("heavy", "9").replace('"7,5"', "7.5")
    table = read(mended, drop=("visit", "empty", "note"), categories=("sex",), missing="drop")
    assert table.features == ("id", "sex=m", "weight")
    assert table.X.tolist() == [[2, 0, 9], [3, 0, 7.5]]
    assert table.y.tolist() == [4, 5]
    assert table.notes == (
        "all parties come to know the 2 values of the column 'sex': 'f' and 'm'",
        "a.csv: 2 rows of 4 are left out for missing cells",
    )


K = "k" * 80


@pytest.mark.parametrize(
    ("files", "options", "told"),
    [
        (["a,y\n"], {}, "a.csv: there is no row below the header"),
        (["a,y\n"], {"missing": "drop"}, "a.csv: there is no row below the header"),
        (["a,y\n1\n"], {}, "a.csv: line 2 has 1 cell, but the header has 2"),
        (["a,y\n1\n2\n"], {}, "a.csv: lines 2 and 3 have 1 cell, but the header has 2"),
        (["a,y\n1,2\n2\n1,2,3\n"], {}, "a.csv: lines 3 and 4 have 1 and 3 cells, but the header has 2"),
        (
            ["y\n1,2\n"],
            {},
            "a.csv: 2 problems\n  line 2 has 2 cells, but the header has 1; cells are separated by commas, or "
            "as --sep says\n  no column is left to be a feature",
        ),
        (["a,y\n1,\n2,\n"], {}, "a.csv: column 'y' is empty"),
        (["a,b,y\n1,,3\n", "a,b,y\n2,,3\n"], {}, "a.csv: column 'b' is empty; --drop b"),
        (
            ["a,y\n1,c\n2,c\n"],
            {},
            "a.csv: the target 'y' is of one class in every row; name another column with --target",
        ),
        (
            ["a,y\n1,c\n2,3\n", "a,y\n1,c\n2,3\n3,4\n"],
            {"labels": False},
            "a.csv: column 'y', line 2: not a number; correct it\nb.csv: column 'y', line 2: not a number; correct it",
        ),
        (
            ["a,y\n1,2024-01-31\nx,2024-01-31\n"],
            {"labels": False},
            "a.csv: 2 problems\n  column 'a', line 3: not a number; correct it, or --drop a\n  column 'y' "
            "holds dates, from line 2 on; which cannot be predicted",
        ),
        (["a,y\n2024-01-31,1\n2,3\n"], {}, "a.csv: column 'a', line 2: a date; correct it, or --drop a"),
        (
            ['a,y\n"1,5",1\n2.5,3\n'],
            {},
            "a.csv: column 'a', line 2: not a number with a decimal point; no --decimal and --thousands fit "
            "all numbers of the columns; correct it, or --drop a",
        ),
        (
            ['a,b,y\n"1,573",2.5,3\n'],
            {},
            "a.csv: column 'a', line 2: not a number with a decimal point; --thousands , (1,234 is 1234)",
        ),
        (
            ['a,b,t,y\n1,"2,5",True,3\n1,2,False,3\n', "a,b,t,y\n1,2,True,3\n"],
            {},
            "a.csv: column 'b', line 2: not a number with a decimal point; --decimal , (1,234 is 1.234)",
        ),
        (
            ['a,b,y\n"1,573",2,3\n', "a,b,y\n1,2.5,3\n"],
            {},
            "a.csv: column 'a', line 2: not a number with a decimal point; --thousands , (1,234 is 1234)",
        ),
        (
            ["a;y\n1.5;2\n"],
            {"decimal": ","},
            "a.csv: column 'a', line 2: not a number with a decimal comma; --decimal . (1.234 is 1.234)",
        ),
        (
            ['a,y\n"1,5","2,5"\n'],
            {},
            "a.csv: 2 problems\n  column 'a', line 2: not a number with a decimal point; --decimal , (1,234 is "
            "1.234)\n  column 'y', line 2: not a number with a decimal point; --decimal , (1,234 is 1.234)",
        ),
        (
            [
                "d,y\nx,1\nx,1\nx,1\nx,1\nx,1\nx,1\nx,1\n2024-01-31,1\n2024-01-31,1\n2024-01-31,1\n2024-01-31,1\n2024-01-31,1\n"
            ],
            {},
            "a.csv: column 'd', from line 2 on: text, not numbers; --drop d",
        ),
        (["d,y\n1,1\n\nx,1\nx,1\n"], {}, "a.csv: column 'd', lines 4 and 5: not a number; correct it, or --drop d"),
        (
            [f"d,y\n,1\n{K},1\nm,2\n{K},1\nm,2\n"],
            {"missing": "drop"},
            "a.csv: column 'd', from line 3 on: text, not numbers; --categories d (all parties see its 2 "
            "values) or --drop d",
        ),
        (
            ["b c,b c=m,y\nf,1,2\nm,3,4\n", "b c,b c=m,y\nf,1,2\n"],
            {"categories": ("b c",)},
            "a.csv: the columns 'b c' and 'b c=m' both become a feature 'b c=m'; rename one, or --drop 'b c' "
            "or --drop 'b c=m'",
        ),
        (["y\n2\n"], {}, "a.csv: no column is left to be a feature"),
        (["g,y\np,2\n"], {"group": "g"}, "a.csv: no column is left to be a feature"),
        (["a,y\n1,2\n"], {"group": "h"}, "a.csv: there is no column 'h' among the 2 that it names"),
        (
            ["g,a,y\nServer,1,2\nq,1,3\nServer,1,2\n"],
            {"group": "g", "reserved": ("Server",)},
            "a.csv: column 'g', lines 2 and 4: 'Server' is the name of another party",
        ),
        (["a,y\n,2\n"], {"missing": "drop"}, "a.csv: column 'a' is empty; --drop a"),
        (
            ["a,b,y\n1,,2\n,1,2\n"],
            {"missing": "error"},
            "a.csv: 2 problems\n  column 'a', line 3: a cell is missing; --missing mean\n  column 'b', line 2: "
            "a cell is missing; --missing mean",
        ),
        (
            ["a,b,y\n1,,2\n,1,2\n"],
            {"has_means": False},
            "a.csv: 2 problems\n  column 'a', line 3: a cell is missing; fill it in\n  column 'b', line 2: a "
            "cell is missing; fill it in",
        ),
        (
            ["a,b,y\n1,1,2\n,1,2\n,2,2\n"],
            {"has_means": False},
            "a.csv: column 'a', lines 3 and 4: 2 cells are missing; --missing drop",
        ),
        ([""], {}, "a.csv: the file is empty; its first line must name the columns"),
        ([",\n1,2\n"], {}, "a.csv: the file is empty; its first line must name the columns"),
        (
            ["weight,wight,y\n1,2,3\n"],
            {"drop": ("wieght",)},
            "a.csv: --drop names 'wieght', and there is no such column; there is 'wight'",
        ),
    ],
)
def test_h63_what_is_wrong_with_a_table_to_the_letter(files: list[str], options: dict[str, Any], told: str) -> None:
    assert "\n".join(refused(*files, **options)) == told


@pytest.mark.parametrize(("count", "told"), [(10, " and 'c9'"), (11, ", 'c9' and 1 more"), (12, ", 'c9' and 2 more")])
def test_of_columns_that_are_missing_ten_are_named(count: int, told: str) -> None:
    names = [f"c{number}" for number in range(count)]
    shown = ", ".join(f"'c{number}'" for number in range(9))
    assert refused(",".join([*names, "y"]) + "\n" + "1," * count + "1\n", "y\n2\n") == [
        f"b.csv: columns {shown}{told} are missing, which a.csv has; {' '.join(f'--drop {name}' for name in names)}"
    ]


@pytest.mark.parametrize(
    ("header", "first", "told"),
    [
        ("a,,y", "1,2,3", "column 2 has no name; give it one"),
        ("a,,,y", "1,2,3,4", "columns 2 and 3 have no name; give them some"),
        ("a,b\x07,y", "1,2,3", "the name of column 2 is not printable; rename it"),
        ("a,b\x07,\x07,y", "1,2,3,4", "the names of columns 2 and 3 are not printable; rename them"),
        (f"a,{'b' * 201},y", "1,2,3", "the name of column 2 is longer than 200 characters; shorten it"),
        (
            f"a,{'b' * 201},{'c' * 300},y",
            "1,2,3,4",
            "the names of columns 2 and 3 are longer than 200 characters; shorten them",
        ),
        ("a,y,a", "1,2,3", "column 3 has a name that stands in the header before; rename it"),
        ("a,a,y,y", "1,2,3,4", "columns 2 and 4 have names that stand in the header before; rename them"),
    ],
)  # fmt: skip
def test_h63_names_of_columns(header: str, first: str, told: str) -> None:
    assert refused(f"{header}\n{first}\n1{',' * first.count(',')}\n", missing="drop") == [f"a.csv: {told}"]


@pytest.mark.parametrize("more", ["", "b\x07", "b" * 201, "b,b", "b,,b"])
def test_names_that_a_model_does_not_ask_for_may_be_any(more: str) -> None:
    count = 1 + more.count(",")
    Path("p.csv").write_text(f"a,{more},sex\n2{',9' * count},f\n")
    assert read_rows("p.csv", MODEL)[0].tolist() == [[2, 0, 0]]


def test_h63_names_that_a_model_asks_for_stand_once() -> None:
    for header, problem in (("a,sex,a", True), ("a,sex,b,b", False), ("a,b,b,sex,a,a", True), ("a,\x07,a,sex", True)):
        Path("p.csv").write_text(
            f"{header}\n" + ",".join("f" if name == "sex" else "1" for name in header.split(",")) + "\n"
        )
        if problem:
            with pytest.raises(TableError, match=r"^p\.csv: columns? [35]( and 6)? (has a name|have names) that stand"):
                read_rows("p.csv", MODEL)
        else:
            assert read_rows("p.csv", MODEL)[0].tolist() == [[1, 0, 0]]


def test_names_of_two_hundred_characters_are_taken() -> None:
    assert read(f"{'b' * 200},y\n1,2\n").features == ("b" * 200,)


@pytest.mark.parametrize("count", [1, 2, 8, 9, 10, 11])
def test_how_many_values_are_told(count: int) -> None:
    text = "k,y\n" + "".join(f"w{number:x},1\n" for number in range(count)) + "w0 ,2\nW0,3\n"
    note = read(text, categories=("k",)).notes[0]
    shown = ["'W0'", *(f"'w{number:x}'" for number in range(count))]
    assert note.startswith(f"all parties come to know the {count + 1} values of the column 'k': 'W0'")
    rest = f"{', '.join(shown[:10])} and {count - 9} more" if count > 9 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    assert note.endswith(f": {rest}; 'W0' and 'w0' differ only in case or spaces")


def test_names_of_groups_are_plain_texts() -> None:
    groups = read("g,a,y\np,1,2\n7,1,3\n", group="g ", features=("a",)).groups
    assert groups == ("p", "7")
    assert {type(name) for name in groups or ()} == {str}


@pytest.mark.parametrize("count", [100, 101])
def test_the_number_of_classes(count: int) -> None:
    text = "a,y\n" + "".join(f"1,c{number}\n" for number in range(count))
    if count == 100:
        assert len(set(read(text).y)) == 100
    else:
        assert refused(text) == [
            "a.csv: the target 'y' holds 101 texts; classes can be 100: name another with --target"
        ]


def test_the_first_row_is_searched_for_another_separator_as_far_as_it_is_kept() -> None:
    for length, way in ((65_534, "; with --sep ';' there is one"), (65_535, "")):
        lines = refused(f"{'x' * length};y\n1;2\n", separator=",")
        assert f"  there is no column 'y' among the 0 that it names{way}" in lines


def test_missing_cells() -> None:
    text = "a,b,y\n1,,3\nNA,2,4\n5,6,7\n8,9,\n"
    assert refused(text) == [
        "a.csv: 3 problems",
        "  column 'a', line 3: a cell is missing; --missing drop or mean",
        "  column 'b', line 2: a cell is missing; --missing drop or mean",
        "  column 'y', line 5: a cell is missing; --missing drop",
    ]
    table = read(text, missing="drop")
    assert (table.X.tolist(), table.y.tolist()) == ([[5, 6]], [7])
    assert refused(text, missing="mean") == ["a.csv: column 'y', line 5: a cell is missing; --missing drop"]
    table = read(text.replace("8,9,", "8,9,1"), missing="mean")
    assert table.missing.tolist() == [[False, True], [True, False], [False, False], [False, False]]
    assert table.X[~table.missing].tolist() == [1, 2, 5, 6, 8, 9]
    assert refused("a,b,y\n1,,1\n,2,1\n", missing="drop") == [
        "a.csv: no row is left, for a cell is missing in each of them; fill some in"
    ]
    assert refused("a,b,y\n1,,1\n2,,1\n", missing="mean") == ["a.csv: column 'b' is empty; --drop b"]


def test_a_column_that_one_hospital_has_empty_can_be_filled_in() -> None:
    files = ("a,b,y\n1,,3\n", "a,b,y\n1,2,3\n")
    assert read(*files, missing="mean").missing.tolist() == [[False, True], [False, False]]
    assert refused(*files)[0] == "a.csv: column 'b', line 2: a cell is missing; --missing mean"


def test_one_file_a_hospital_with_columns_in_any_order() -> None:
    table = read("a,b,y\n1,2,3\n4,5,6\n", "y,b,a\n9,8,7\n", "b,a,y,\n11,10,12,\n")
    assert table.features == ("a", "b")
    assert table.X.tolist() == [[1, 2], [4, 5], [7, 8], [10, 11]]
    assert table.y.tolist() == [3, 6, 9, 12]
    assert table.groups == ("a", "a", "b", "c")
    assert table.notes == ("c.csv: column 4 has no name and no value and is left out",)


def test_files_whose_columns_differ() -> None:
    assert refused("a,b,y\n1,2,3\n", "a,y\n1,x\n", "a,b,b c,y\n,2,3,4\n") == [
        "b.csv: 2 problems",
        "  column 'b' is missing, which a.csv has; --drop b",
        "  column 'y', from line 2 on: text, not numbers; it can only be predicted as classes",
        "c.csv: 2 problems",
        "  column 'b c' is in it, and not in a.csv; --drop 'b c'",
        "  column 'a', line 2: a cell is missing; --missing mean",
    ]
    table = read("a,b,y\n1,2,3\n", "a,y\n1,5\n", "a,b c,y\n0,2,4\n", drop=("b", "b c"))
    assert table.X.tolist() == [[1], [1], [0]]
    table = read("a,b,y\n1,2,3\n", "a,y\n1,5\n", "a,b c,y\n0,2,4\n", features=("a",))
    assert table.X.tolist() == [[1], [1], [0]]


def test_hospitals_are_called_as_their_files_where_these_differ(tmp_path: Path) -> None:
    for folder in ("north", "south"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text(CLEAN + ("" if folder == "north" else "\n"))
    (tmp_path / "Server.csv").write_text(CLEAN + "\n")
    options = TableOptions(target="y", reserved=("Server",))
    assert read_table(["north/x.csv", "south/x.csv"], options).groups == tuple(["Hospital 1"] * 2 + ["Hospital 2"] * 2)
    assert read_table(["north/x.csv", "Server.csv"], options).groups == tuple(["Hospital 1"] * 2 + ["Hospital 2"] * 2)
    for stem, kept in (("k" * 80, True), ("k" * 81, False), ("a\x07", False), ("b c", True)):
        (tmp_path / f"{stem}.csv").write_text(CLEAN)
        names = read_table([f"{stem}.csv", "Server.csv"], TableOptions(target="y")).groups
        assert names == tuple(
            name for name in ((stem, "Server") if kept else ("Hospital 1", "Hospital 2")) for _ in "ab"
        )


def test_a_level_that_only_one_hospital_has() -> None:
    files = ("ward,a,y\nnorth,1,1\nsouth,2,2\n", "a,ward,y\n3,south,3\n", "a,y,ward\n4,4,east\n")
    table = read(*files, categories=("ward",))
    assert table.schema == Schema((Column("ward", ("east", "north", "south")), Column("a")))
    assert table.features == ("ward=north", "ward=south", "a")
    assert table.X.tolist() == [[1, 0, 1], [0, 1, 2], [0, 1, 3], [0, 0, 4]]
    assert table.notes == ("all parties come to know the 3 values of the column 'ward': 'east', 'north' and 'south'",)


def test_a_missing_category_is_missing_in_each_of_its_features() -> None:
    text = "ward,y\nn,1\n,2\ns,3\ne,4\n"
    assert read(text, categories=("ward",), missing="mean").missing.tolist() == [
        [False, False], [True, True], [False, False], [False, False],
    ]  # fmt: skip
    assert read(text, categories=("ward",), missing="drop").X.tolist() == [[1, 0], [0, 1], [0, 0]]
    assert refused(text, categories=("ward",)) == [
        "a.csv: column 'ward', line 3: a cell is missing; --missing drop or mean"
    ]


@pytest.mark.parametrize("count", [1, 2, 100, 101])
def test_the_number_of_values_of_a_category(count: int) -> None:
    text = "id,y\n" + "".join(f"n{number % count},1\n" for number in range(204))
    if count in (2, 100):
        assert read(text, categories=("id",)).X.shape == (204, count - 1)
        assert f"--categories id (all parties see its {count} values)" in refused(text)[0]
    else:
        assert refused(text, categories=("id",))[0].startswith(
            f"a.csv: column 'id' has {counted(count, 'value')}; a category "
        )
        assert refused(text) == ["a.csv: column 'id', from line 2 on: text, not numbers; --drop id"]


def test_h77_labels_that_cannot_be_shown() -> None:
    for label, why in (("k" * 81, "is longer than 80 characters"), ("k\x1b[2J", "is not printable")):
        text = f"g,y\nx,p\n{label},q\nz,p\n{label},p\n"
        assert refused(text, categories=("g",)) == [f"a.csv: column 'g', lines 3 and 5: a value {why}"]
        text = f"a,y\n1,p\n2,{label}\n3,r\n"
        assert refused(text) == [f"a.csv: column 'y', line 3: a class {why}"]
    assert read(f"g,y\nx,1\n{'k' * 80},2\n", categories=("g",)).X.tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("targets", "values"),
    [
        (("0", "1"), [0.0, 1.0]),
        (("1.5", "-2e3"), [1.5, -2000.0]),
        (("yes", "no"), ["yes", "no"]),
        (("a", "b", "c"), ["a", "b", "c"]),
        (("2024-01-01", "2024-01-02", "x"), ["2024-01-01", "2024-01-02", "x"]),
        (("2024-01-01", "2024-01-02"), ["2024-01-01", "2024-01-02"]),
    ],
)
def test_targets(targets: tuple[str, ...], values: list[Any]) -> None:
    text = "a,y\n" + "".join(f"{number},{target}\n" for number, target in enumerate(targets))
    table = read(text)
    assert table.y.tolist() == values
    assert table.has_labels == isinstance(values[0], str)
    assert read(text, labels=True).y.tolist() == values
    if table.has_labels:
        assert "column 'y'" in refused(text, labels=False)[0]


def test_targets_of_numbers_and_text() -> None:
    assert refused("a,y\n1,2\n2,yes\n3,no\n") == ["a.csv: column 'y', lines 3 and 4: not a number; correct it"]
    assert read("a,y\n1,2\n2,yes\n3,no\n", labels=True).y.tolist() == ["2", "yes", "no"]
    assert refused("a,y\n1,x\n", "a,y\n1,2\n", "a,y\n1,3\n") == [
        "a.csv: column 'y', from line 2 on: text, not numbers; it can only be predicted as classes"
    ]
    assert "holds 101 texts; classes can be 100" in refused("a,y\n" + "".join(f"1,c{n}\n" for n in range(101)))[0]


def test_quoted_names_cells_and_line_ends() -> None:
    text = '"a ""x"", m",g,y\r\n1,"two, of",3\r\n2,"p ""q""",4\r\n"5","two, of",6\r\n'
    table = read(text, categories=("g",))
    assert table.schema == Schema((Column('a "x", m'), Column("g", ('p "q"', "two, of"))))
    assert table.X.tolist() == [[1, 1], [2, 0], [5, 1]]
    noted = 'note,a,y\n"two\nlines",1,2\n"x\n\ny",3,4\n'
    assert read(noted, drop=("note",)).X.tolist() == [[1], [3]]
    assert refused(noted + "z,u,5\n", drop=("note",)) == [
        "a.csv: column 'a', line 7: not a number; correct it, or --drop a"
    ]


def test_names_are_given_by_commas_or_one_by_one() -> None:
    text = '"a,b",c,d,y\n1,2,3,4\n'
    assert read(text, features=("c,d",)).features == ("c", "d")
    assert read(text, features=("a,b", "d")).features == ("a,b", "d")
    assert read(text, drop=("a,b", "c")).features == ("d",)
    assert refused(text, features=("c,e", "y")) == [
        "a.csv: 2 problems",
        "  --features names 'e', and there is no such column",
        "  --features names 'y', which is the target or the group",
    ]


def test_sizes_that_differ_by_many_orders() -> None:
    table = read("large,small,constant,y\n1e12,1e-9,7,1\n2e12,3e-9,7,2\n")
    assert table.X.tolist() == [[1e12, 1e-9, 7], [2e12, 3e-9, 7]]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        *(({"separator": mark}, "--sep must be one character, such as ';', or tab") for mark in
          ("", ",,", '"', "1", "a", ".", "+", "-", "\r", "\n", "\0", "\xa7", "\u2009")),
        *(({"decimal": mark}, "--decimal must be '.' or ','") for mark in (";", "", ",,", "comma")),
        *(({"thousands": mark}, "--thousands must be ',', '.', \"'\" or space") for mark in ("_", "  ", "\t", "comma")),
        ({"decimal": ",", "thousands": ","}, "--decimal and --thousands cannot both be ','"),
        ({"thousands": "."}, "--decimal and --thousands cannot both be '.'"),
        ({"missing": "zero"}, "--missing must be one of error, drop, mean"),
        ({"group": "y"}, "the column 'y' cannot be both target and group"),
    ],
    ids=str,
)  # fmt: skip
def test_h65_options_that_make_no_sense_to_the_letter(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=r"-|column") as caught:
        TableOptions(**{"target": "y", **options})
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("given", "kept"),
    [("tab", "\t"), ("\\t", "\t"), ("comma", ","), ("semicolon", ";"), (" ", " "), ("~", "~"), (None, None)],
)
def test_separators_by_name(given: str | None, kept: str | None) -> None:
    assert ReadOptions(given).separator == kept


@pytest.mark.parametrize(("given", "kept"), [("", None), (None, None), (" ", "space"), ("space", "space"), ("'", "'")])
def test_marks_of_thousands_by_name(given: str | None, kept: str | None) -> None:
    assert ReadOptions(thousands=given).thousands == kept


def test_what_a_table_is_made_of_does_not_change() -> None:
    kinds = {
        kind: kind.__dataclass_params__ for kind in (Column, Schema, ReadOptions, TableOptions, Table, Cells, Labels)
    }  # type: ignore[attr-defined]
    assert all(made.frozen for made in kinds.values())
    assert {kind for kind, made in kinds.items() if not made.eq} == {Table}  # arrays have no one truth value
    assert not hasattr(Column("a"), "__dict__")
    table = read("a,y\n1,1234.5\n2,3.5\n")
    assert "1234.5" not in repr(table)


@pytest.mark.parametrize(
    "options",
    [{"separator": ",,"}, {"separator": '"'}, {"separator": "1"}, {"separator": "."}, {"decimal": ";"},
     {"decimal": ",", "thousands": ","}, {"thousands": "."}, {"thousands": "_"}, {"missing": "zero"}, {"group": "y"}],
    ids=str,
)  # fmt: skip
def test_h65_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"--sep|--decimal|--thousands|--missing|both target and group"):
        TableOptions(**{"target": "y", **options})


def test_h63_of_problems_that_are_left_out_the_last_file_tells() -> None:
    columns = [f"c{number}" for number in range(12)]
    files = [",".join([*columns, "y"]) + "\n" + f"{value}," * 12 + "1\n" for value in ("x", "z")]
    told = refused(*files, drop=("one", "two"))
    assert told[0] == "a.csv: 11 problems"
    assert told[12] == "b.csv: 10 problems"
    assert told[-1] == "  and 6 problems more, told once these are mended"


def test_a_target_or_a_group_that_is_named_as_a_category_too() -> None:
    table = read("g,a,y\n1,2,7\n1.0,3,8\n", group="g", categories=("g", "y"))
    assert (table.features, table.groups, table.y.tolist()) == (("a",), ("1", "1"), ["7", "8"])
    assert table.notes == ("all parties come to know the 2 classes of the column 'y': '7' and '8'",)


def test_dictionaries_of_parquet_are_what_they_stand_for() -> None:
    columns = {"a": ["1,5", "2", "1,5"], "k": ["0,5", "0,50", "1"], "n": [7, 8, 7], "t": [True, False, True]}
    path = parquet({name: pa.array(values).dictionary_encode() for name, values in {**columns, "y": [1, 2, 3]}.items()})
    table = read_table([path], TableOptions(target="y", categories=("k",), decimal=","))
    assert (table.features, table.X.tolist()) == (
        ("a", "k=1", "n", "t"),
        [[1.5, 0, 7, 1], [2, 0, 8, 0], [1.5, 1, 7, 1]],
    )


@pytest.mark.parametrize("count", [20, 21, 50])
def test_many_problems_are_cut_short(count: int) -> None:
    names = [f"c{number}" for number in range(count)]
    lines = refused(",".join([*names, "y"]) + "\n" + ",".join(["x"] * count + ["1"]) + "\n")
    assert lines[0] == f"a.csv: {min(count, 21)} problems"
    assert [line.split("'")[1] for line in lines[1:21]] == names[:20]
    rest = {20: [], 21: ["  and 1 problem more, told once these are mended"]}
    assert lines[21:] == rest.get(count, ["  and 30 problems more, told once these are mended"])


# Parquet and .npz -------------------------------------------------------------------------------------------------


def parquet(columns: dict[str, Any], name: str = "t.parquet") -> str:
    pyarrow.parquet.write_table(pa.table(columns), name)
    return name


def test_parquet() -> None:
    path = parquet(
        {
            "n": pa.array([1, None, 3], pa.int32()),
            "f": pa.array([0.5, 1.5, float("nan")], pa.float32()),
            "b": [True, False, True],
            "d": pa.array(["1.25", "2.50", "3.75"]).cast(pa.decimal128(10, 2)),
            "s": pa.array(["1", " 2 ", "3"], pa.large_string()),
            "c": pa.array(["p", "q", None]).dictionary_encode(),
            "y": [1.0, 2.0, 3.0],
            "__index_level_0__": [7, 8, 9],
        }
    )
    table = read_table([path], TableOptions(target="y", categories=("c",), missing="mean"))
    nan = np.nan
    expected = [[1, 0.5, 1, 1.25, 1, 0], [nan, 1.5, 0, 2.5, 2, 1], [3, nan, 1, 3.75, 3, nan]]
    np.testing.assert_array_equal(table.X, expected)
    assert table.features == ("n", "f", "b", "d", "s", "c=q")
    with pytest.raises(TableError, match="column 'n', row 2: a cell is missing"):
        read_table([path], TableOptions(target="y", categories=("c",)))
    groups = read_table([path], TableOptions(target="y", group="n", features=("b",), missing="drop")).groups
    assert groups == ("1", "3")
    labels = read_table([path], TableOptions(target="s", group="b", features=("d",), labels=True)).y
    assert labels.tolist() == [1, 2, 3]


def test_h63_parquet_columns_that_are_no_numbers() -> None:
    path = parquet({"t": pa.array([0, 1], pa.timestamp("s")), "l": [[1], [2]], "i": [1.0, float("inf")], "y": [1, 2]})
    with pytest.raises(TableError) as caught:
        read_table([path], TableOptions(target="y"))
    assert str(caught.value).splitlines()[1:3] == [
        "  column 't' holds dates, from row 1 on; --drop t",
        "  column 'l', from row 1 on: neither numbers nor text; --drop l",
    ]
    with pytest.raises(TableError, match="column 'l' has 0 values; a category has two or more"):
        read_table([path], TableOptions(target="y", categories=("l",)))


def test_h63_damaged_parquet() -> None:
    path = Path(parquet({"a": list(range(100)), "y": [0.5] * 100}))
    good = path.read_bytes()
    for size in (4, 5, 20, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:size])
        with pytest.raises(ValueError, match=r"t\.parquet: not a whole Parquet file"):
            read_table([str(path)], TableOptions(target="y"))


def test_h61_parquet_that_claims_more_rows_than_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet({"a": pa.array(np.zeros(10**6)), "y": pa.array(np.zeros(10**6))})
    assert Path(path).stat().st_size < 10_000
    needed = list[int]()
    monkeypatch.setattr("vecphe.system.memory.fits_in_memory", needed.append)
    with pytest.raises(BatchTooLargeError, match=r"what t\.parquet holds takes about 0\.0 GB.*give less of it"):
        read_table([path], TableOptions(target="y"))
    assert needed == [2 * 16 * 10**6]  # two columns, as they are read and as floats


def test_h61_npz_that_claims_more_than_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed("t.npz", a=np.zeros(10**5), y=np.zeros(10**5))
    needed = list[int]()
    monkeypatch.setattr("vecphe.system.memory.fits_in_memory", needed.append)
    with pytest.raises(BatchTooLargeError, match=r"what t\.npz holds takes about 0\.0 GB.*give less of it"):
        read_table(["t.npz"], TableOptions(target="y"))
    assert needed == [2 * (8 * 10**5 + 128)]


@pytest.mark.parametrize("columns", [{}, {"__index_level_0__": [1, 2]}, {"y": []}, {"a": [], "y": []}], ids=str)
def test_h63_parquet_and_npz_without_rows_or_columns(columns: dict[str, Any]) -> None:
    np.savez("t.npz", **{name: np.array(values) for name, values in columns.items()})
    for path in (parquet({name: pa.array(values, pa.int64()) for name, values in columns.items()}), "t.npz"):
        with pytest.raises(TableError) as caught:
            read_table([path], TableOptions(target="y"))
        assert str(caught.value) == f"{path}: there is no row, or no column"


def test_h63_columns_of_parquet_without_a_name() -> None:
    table = pa.table([[1], [2], [3]], names=["a", " ", "y"])
    pyarrow.parquet.write_table(table, "t.parquet")
    with pytest.raises(TableError, match=r"^t\.parquet: column 2 has no name; give it one$"):
        read_table(["t.parquet"], TableOptions(target="y"))


def test_integers_that_no_float_holds_are_rounded_in_every_form() -> None:
    columns = {"a": [2**60 + 1, -(2**53) - 1], "y": [1, 2]}
    for path in forms_of(columns, {}):
        assert read_table([path], TableOptions(target="y")).X.tolist() == [[2.0**60], [-(2.0**53)]], path


@pytest.mark.parametrize("kind", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "g"])
def test_floats_of_npz_name_what_they_would_as_text(kind: str) -> None:
    np.savez("t.npz", k=np.array([0.5, 0.1, 0.1], kind), y=np.arange(3))
    levels = {"f2": ("0.099975586", "0.5"), "f4": ("0.1", "0.5"), "f8": ("0.1", "0.5"), "g": ("0.1", "0.5")}
    assert (
        read_table(["t.npz"], TableOptions(target="y", categories=("k",))).schema.columns[0].levels
        == (levels[kind.lstrip("<>")])
    )
    assert read_table(["t.npz"], TableOptions(target="y")).X.tolist() == np.array([[0.5], [0.1], [0.1]], kind).tolist()


def test_npz() -> None:
    np.savez("t.npz", X=np.arange(6.0).reshape(3, 2), y=np.array([1, 0, 1]), ward=np.array(["a", "b", "a"]))
    table = read_table(["t.npz"], TableOptions(target="y", group="ward"))
    assert (table.features, table.X.tolist(), table.y.tolist()) == (("X0", "X1"), [[0, 1], [2, 3], [4, 5]], [1, 0, 1])
    assert table.groups == ("a", "b", "a")
    np.savez_compressed(
        "t.npz", data=np.ones((3, 2), ">f4"), feature_names=np.array(["p", "q"]), y=np.array([b"x", b"z", b"x"])
    )
    table = read_table(["t.npz"], TableOptions(target="y"))
    assert (table.features, table.X.tolist(), table.y.tolist()) == (("p", "q"), [[1, 1]] * 3, ["x", "z", "x"])


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"X": np.ones((2, 2, 2)), "y": np.ones(2)}, "the array 'X' has 3 dimensions"),
        (
            {
                "d": np.ones((2, 2)),
                "b": np.ones(3),
                "a": np.ones((5, 1)),
                "e": np.ones(4),
                "y": np.ones(3),
                "feature_names": np.array(["p"]),
                "c": np.array(7),
            },
            r"^t\.npz: 2 problems\n  the array 'c' has 0 dimensions; columns have 1, tables 2\n"
            r"  its arrays have different numbers of rows \(a 5, b 3, d 2, e 4, y 3\)$",
        ),
        (
            {**{f"{'x' * 90}{n}": np.ones(n) for n in (1, 2, 3)}, "y": np.ones(3)},
            rf"rows \({'x' * 90}1 1, {'x' * 90}2 2, x{{10}}\)$",
        ),
        ({"X": np.ones((0, 2)), "y": np.ones(0)}, "there is no row"),
        ({"X": np.array([1j, 2]), "y": np.ones(2)}, "column 'X', from row 1 on"),
        ({"X": np.array([{}, 1], object), "y": np.ones(2)}, "not a whole .npz file of plain arrays"),
        ({"X": np.array([0, 1], "M8[s]"), "y": np.ones(2)}, "column 'X' holds dates"),
    ],
)
def test_h63_npz_that_is_no_table(arrays: dict[str, Any], told: str) -> None:
    np.savez("t.npz", **arrays)
    with pytest.raises(ValueError, match=told):
        read_table(["t.npz"], TableOptions(target="y"))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("damage", ["content", "size", "encrypted", "method", "text"])
def test_h63_archives_of_every_kind_that_are_damaged(compression: int, damage: str) -> None:
    member = io.BytesIO()
    np.save(member, np.arange(300.0))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name in ("X.npy", "y.npy"):
            archive.writestr(name, member.getvalue() if damage != "size" else b"")
        if damage == "text":
            archive.writestr("notes.txt", b"plain")
    Path("t.npz").write_bytes(damaged(file.getvalue(), "X.npy", damage))
    with pytest.raises(ValueError, match=r"^t\.npz: not a whole \.npz file of plain arrays"):
        read_table(["t.npz"], TableOptions(target="y"))


def test_h63_damaged_npz() -> None:
    np.savez_compressed("t.npz", X=np.ones((100, 3)), y=np.ones(100))
    good = Path("t.npz").read_bytes()
    for bad in (good[:4], good[: len(good) // 2], good[:60] + b"\xff" * 8 + good[68:]):
        Path("t.npz").write_bytes(bad)
        with pytest.raises(ValueError, match=r"t\.npz: not a whole \.npz file"):
            read_table(["t.npz"], TableOptions(target="y"))


# One table in every form -------------------------------------------------------------------------------------------


def forms_of(columns: dict[str, list[Any]], texts: dict[str, list[str]]) -> list[str]:
    """Files of the same columns: CSV as spelled in `texts`, Parquet as they are, and as text, and npz."""
    cells = {name: texts.get(name, [str(value) for value in values]) for name, values in columns.items()}
    Path("f.csv").write_text("\n".join(",".join(row) for row in [list(cells), *zip(*cells.values(), strict=True)]))
    np.savez("f.npz", **{name: np.array(values) for name, values in columns.items()})
    return ["f.csv", parquet(columns, "f.parquet"), parquet(cells, "t.parquet"), "f.npz"]


KEYS: dict[str, tuple[list[Any], list[str], list[str]]] = {
    "integers": ([1, 2, 10], ["01", " 2.0", "1e1"], ["1", "2", "10"]),
    "floats": ([0.5, 2.0, -1.25], [".50", "+2", "-1.250"], ["0.5", "2", "-1.25"]),
    "large floats": ([1e20, 1e-7, 3.0], ["1e+20", "1e-07", "3"], ["100000000000000000000", "0.0000001", "3"]),
    "booleans": ([True, False, True], ["TRUE", "False", "true"], ["True", "False", "True"]),
    "texts": (["a", "B", "b c"], ["a ", "B", " b c"], ["a", "B", "b c"]),
}


@pytest.mark.parametrize("kind", KEYS)
def test_levels_groups_and_classes_are_the_same_in_every_form(kind: str) -> None:
    values, texts, expected = KEYS[kind]
    columns = {"k": values, "a": [1, 2, 3], "y": [0.5, 1.5, 2.5]}
    levels = tuple(sorted(set(expected)))
    for path in forms_of(columns, {"k": texts}):
        table = read_table([path], TableOptions(target="y", categories=("k",)))
        assert table.schema.columns[0] == Column("k", levels), path
        assert table.X[:, 0].tolist() == [level == levels[1] for level in expected], path
        assert read_table([path], TableOptions(target="y", group="k")).groups == tuple(expected), path
        X, _ = read_rows(path, table.schema)
        assert X.tolist() == table.X.tolist(), path
        classes = read_table([path], TableOptions(target="k", features=("a",), labels=True))
        if kind in ("booleans", "texts"):
            assert classes.y.tolist() == expected, path
        else:
            assert [float(label) for label in classes.y] == values, path


def test_columns_of_truth_values_are_ones_and_zeros_in_every_form() -> None:
    columns = {"t": [True, False, True], "y": [0.5, 1.5, 2.5]}
    for path in forms_of(columns, {"t": ["true", "FALSE", "True"]}):
        table = read_table([path], TableOptions(target="y"))
        assert (table.features, table.X.tolist()) == (("t",), [[1], [0], [1]]), path
        assert read_rows(path, table.schema)[0].tolist() == table.X.tolist()
        assert read_table([path], TableOptions(target="t")).y.tolist() == ["True", "False", "True"]
        assert read_table([path], TableOptions(target="t", labels=False)).y.tolist() == [1, 0, 1]
    assert read("t,y\nTrue,1\n,2\nfalse,3\n", missing="mean").missing.tolist() == [[False], [True], [False]]
    assert "column 't', lines 2 and 4: not a number" in refused("t,y\nTrue,1\n1,2\nfalse,3\n")[0]
    assert "text, not numbers" in refused("t,y\nTrue,1\nyes,2\nfalse,3\n")[0]


def test_text_in_every_form_has_the_marks_that_are_said() -> None:
    columns = {"a": ["1.234,5", "7,5", "-1"], "k": ["0,5", "1", "0,50"], "y": [1, 2, 3]}
    options = {"decimal": ",", "thousands": "."}
    np.savez("f.npz", **{name: np.array(values) for name, values in columns.items()})
    Path("f.csv").write_text("a;k;y\n1.234,5;0,5;1\n7,5;1;2\n-1;0,50;3\n")
    for path in ("f.csv", "f.npz", parquet(columns)):
        table = read_table([path], TableOptions(target="y", categories=("k",), **options))  # type: ignore[arg-type]
        assert table.X.tolist() == [[1234.5, 0], [7.5, 1], [-1, 0]]
        assert table.schema.columns[1].levels == ("0.5", "1")
        with pytest.raises(TableError, match=r"a number with a decimal point; --decimal , --thousands \. "):
            read_table([path], TableOptions(target="y", categories=("k",)))


def test_text_of_parquet_with_gaps_and_bytes() -> None:
    path = parquet(
        {"a": ["1", None, "x"], "b": pa.array([b"1", b"2", b"3"]), "g": [b"p", b"\xff", b"p"], "y": [1, 2, 3]}
    )
    with pytest.raises(TableError) as caught:
        read_table([path], TableOptions(target="y"))
    assert str(caught.value).splitlines()[1:] == [
        "  column 'a', row 3: not a number; correct it, or --drop a",
        "  column 'g', from row 1 on: neither numbers nor text; --drop g",
        "  column 'a', row 2: a cell is missing; --missing drop or mean",
    ]


@pytest.mark.parametrize("first", ["", "Unnamed: 0", "Unnamed: 0.1,Unnamed: 0", ",Unnamed: 0", "Unnamed: 0.2,,", ","])
def test_the_index_columns_of_pandas_are_no_features(first: str) -> None:
    count = first.count(",") + 1
    text = f"{first},a,y\n" + "".join(f"{'5,' * count}{row},{row}\n" for row in (1, 2))
    table = read(text)
    assert (table.features, table.X.tolist()) == (("a",), [[1], [2]])
    assert len(table.notes) == 1
    assert f"column{'s' * (count > 1)} 1" in table.notes[0]
    assert read("Unnamed: 1,a,Unnamed: 0,y\n1,2,3,4\n").features == ("Unnamed: 1", "a", "Unnamed: 0")
    parts = {"__index_level_0__": [1, 2], "a": [3, 4], "y": [5, 6], "__index_level_1__": [1, 2]}
    assert read_table([parquet(parts)], TableOptions(target="y")).features == ("a",)


def test_names_have_no_spaces_around_them_in_files_and_options() -> None:
    Path("s.csv").write_text(" a , b c ,y \n1,2,3\n")
    np.savez("s.npz", **{" a ": np.ones(1), " b c": np.full(1, 2), "y": np.full(1, 3)})
    for path in ("s.csv", "s.npz", parquet({"a ": [1], " b c ": [2], " y": [3]})):
        table = read_table([path], TableOptions(target="y "))
        assert (table.features, table.X.tolist(), table.target) == (("a", "b c"), [[1, 2]], "y")
        for named in (" b c ", "b c", " b c, b c "):
            assert read_table([path], TableOptions(target=" y", drop=(named,))).features == ("a",)
    with pytest.raises(TableError, match="column 2 has a name that stands in the header before; rename it"):
        read_table([parquet({"a": [1], " a": [2], "y": [3]})], TableOptions(target="y"))


def test_a_file_is_one_hospital_once(tmp_path: Path) -> None:
    for name in ("a.csv", "copy.csv", "other.csv"):
        Path(name).write_text(CLEAN if name != "other.csv" else CLEAN + "7,8,9\n")
    Path("link.csv").symlink_to("a.csv")
    for second in ("a.csv", "./a.csv", "copy.csv", "link.csv", str(tmp_path / "a.csv")):
        with pytest.raises(TableError, match=r"it holds the same as a\.csv; give the file of each hospital once"):
            read_table(["a.csv", "other.csv", second], TableOptions(target="y"))
    assert len(read_table(["a.csv", "other.csv"], TableOptions(target="y")).y) == 5


def test_features_that_would_have_one_name() -> None:
    text = "sex,sex=m,y\nf,1,2\nm,3,4\n"
    assert refused(text, categories=("sex",)) == [
        "a.csv: the columns 'sex' and 'sex=m' both become a feature 'sex=m'; rename one, or --drop sex or --drop sex=m"
    ]
    assert read(text, categories=("sex",), drop=("sex=m",)).features == ("sex=m",)
    assert read(text, drop=("sex",)).features == ("sex=m",)
    assert len(refused("a,a=b,y\na,a,1\nb=c,c,2\n", categories=("a", "a=b"))) == 1


def test_an_array_of_one_column_is_called_as_it_is() -> None:
    np.savez("t.npz", X=np.ones((3, 1)), z=np.full((3, 2), 2), y=np.arange(3.0)[:, np.newaxis])
    assert read_table(["t.npz"], TableOptions(target="y")).features == ("X", "z0", "z1")
    for names in (np.array([["p"], ["q"]]), np.array("p"), np.array(["p"])):  # of no table
        np.savez("t.npz", X=np.ones((3, 2)), y=np.arange(3.0), feature_names=names)
        assert read_table(["t.npz"], TableOptions(target="y")).features == ("X0", "X1")
    np.savez("t.npz", X=np.ones((3, 1)), y=np.arange(3.0)[:, np.newaxis], feature_names=np.array([b"caf\xc3\xa9"]))
    table = read_table(["t.npz"], TableOptions(target="y"))
    assert (table.features, table.X.tolist(), table.y.tolist()) == (("caf\xe9",), [[1]] * 3, [0, 1, 2])
    np.savez("t.npz", X=np.ones((3, 2)), X0=np.ones(3), y=np.ones(3))
    with pytest.raises(TableError, match="column 3 has a name that stands in the header before"):
        read_table(["t.npz"], TableOptions(target="y"))


def test_h63_archives_and_arrays_that_are_no_tables() -> None:
    np.save("a.npy", np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"^a\.npy: an array has no names of columns; numpy\.savez\('data"):
        read_table(["a.npy"], TableOptions(target="y"))
    with zipfile.ZipFile("book.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    np.savez("o.npz", X=np.array(["a", None], object))
    for path in ("book.xlsx", "o.npz"):
        with pytest.raises(ValueError, match=r"not a whole \.npz file .* astype\(str\) .* saving it as CSV"):
            read_table([path], TableOptions(target="y"))


def test_a_value_that_the_model_does_not_know_is_not_missing_too() -> None:
    Path("p.csv").write_text("a,sex\n1,d\n2,m\n")
    for missing in ("error", "drop", "mean"):
        with pytest.raises(TableError) as caught:
            read_rows("p.csv", MODEL, missing=missing)
        assert str(caught.value) == (
            "p.csv: column 'sex', line 2: a value that the model does not know; leave such rows out"
        )


def test_columns_of_a_model_are_not_to_be_dropped() -> None:
    Path("p.csv").write_text("a,sex\n2024-01-01,m\n2024-01-02,f\n")
    for text, told in (
        ("a,sex\n2024-01-01,m\n", "column 'a' holds dates, from line 2 on; the model takes numbers there"),
        ("a,sex\nx,m\n", "column 'a', from line 2 on: text, not numbers; the model takes numbers there"),
        ("a,sex\nx,m\n1,f\n", "column 'a', line 2: not a number; correct it"),
        ("a,sex\n,m\n", "column 'a' is empty; --missing mean"),
    ):
        Path("p.csv").write_text(text)
        with pytest.raises(TableError) as caught:
            read_rows("p.csv", MODEL)
        assert str(caught.value) == f"p.csv: {told}"


def test_what_becomes_public_is_told_with_what_looks_alike() -> None:
    classes = read("a,y\n1,No\n2,no\n3,yes\n4,n o\n")
    assert classes.notes == (
        "all parties come to know the 4 classes of the column 'y': 'No', 'n o', 'no' and 'yes'; "
        "'No', 'n o' and 'no' differ only in case or spaces",
    )
    many = read("k,y\n" + "".join(f"v{number},1\n" for number in range(12)), categories=("k",)).notes[0]
    assert many.startswith("all parties come to know the 12 values of the column 'k': 'v0', 'v1', 'v10', 'v11', 'v2'")
    assert many.endswith("'v7' and 2 more")


def test_categories_that_tell_of_single_rows_are_not_recommended() -> None:
    """Dates, values of one row each; and those of a few rows are."""
    rows = 12
    columns = {
        "date": [f"2024-01-{number + 1:02}" if number else "x" for number in range(rows)],
        "own": [f"n{number}" for number in range(rows)],
        "pairs": [f"n{number // 2}" for number in range(rows)],
        "fewer": [f"n{max(number - 5, 0)}" for number in range(rows)],
        "y": list(map(str, range(rows))),
    }
    text = "\n".join(",".join(row) for row in [list(columns), *zip(*columns.values(), strict=True)])
    ways = {line.split("'")[1]: line.split("; ")[1] for line in refused(text)[1:]}
    assert ways == {
        "date": "--drop date",
        "own": "nearly every row has its own: --drop own",
        "pairs": "--categories pairs (all parties see its 6 values) or --drop pairs",
        "fewer": "nearly every row has its own: --drop fewer",
    }


def test_files_that_need_another_separator_say_which() -> None:
    for text, options, way in (
        ("a,x;b;y\n1;2;3\n", {}, "--sep ';'"),
        ("a,b,y\n1,2,3\n", {"separator": ";"}, "--sep ,"),
        ("a b y\n1 2 3\n", {}, "--sep ' '"),
        ("a\tb\ty\n1\t2\t3\n", {"separator": ","}, "--sep tab"),
    ):
        assert f"; with {way} there is one" in "\n".join(refused(text, **options))
    assert refused("a;b\n1;2\n") == ["a.csv: there is no column 'y' among the 2 that it names"]
    assert read("sep=;\na,x;b;y\n1;2;3\n").features == ("a,x", "b")


def test_names_that_nearly_are_some_are_told() -> None:
    assert refused(CLEAN.replace("a,", "weight,"), drop=("wieght",)) == [
        "a.csv: --drop names 'wieght', and there is no such column; there is 'weight'"
    ]


# Rows to predict for ----------------------------------------------------------------------------------------------

MODEL = Schema((Column("a"), Column("sex", ("f", "m", "x"))))


def test_rows_to_predict_for() -> None:
    Path("p.csv").write_text("note,sex,a\nhello,m,1\nyou,f,2\n\nthere,x,3\n")
    X, lines = read_rows("p.csv", MODEL)
    assert X.tolist() == [[1, 1, 0], [2, 0, 0], [3, 0, 1]]
    assert lines.tolist() == [2, 3, 5]
    Path("p.csv").write_text("sex;a\nm;1,5\n;2\n")
    X, lines = read_rows("p.csv", MODEL, ReadOptions(decimal=","), missing="drop")
    assert (X.tolist(), lines.tolist()) == ([[1.5, 1, 0]], [2])
    X, _ = read_rows("p.csv", MODEL, ReadOptions(decimal=","), missing="mean")
    np.testing.assert_array_equal(X, [[1.5, 1, 0], [2, np.nan, np.nan]])


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("a,sex\n,m\n", {}, "column 'a' is empty; --missing mean"),
        ("a,sex\n,m\n", {"has_means": False}, "column 'a' is empty"),
        ("a,sex\n1,\n2,m\n", {}, "column 'sex', line 2: a cell is missing; --missing drop or mean"),
        ("a,sex\n1,\n2,m\n", {"has_means": False}, "column 'sex', line 2: a cell is missing; --missing drop"),
        ("a,sex\n1,\n", {"has_means": False}, "column 'sex', line 2: a cell is missing; fill it in"),
        ("a,sex\n1,\n", {}, "column 'sex', line 2: a cell is missing; --missing mean"),
        ("a,sex\n1,\n,m\n", {"missing": "drop"}, "no row is left, for a cell is missing in each of them; fill some in"),
    ],
)  # fmt: skip
def test_the_ways_out_of_missing_cells(text: str, options: dict[str, Any], told: str) -> None:
    Path("p.csv").write_text(text)
    with pytest.raises(TableError) as caught:
        read_rows("p.csv", MODEL, **options)
    assert str(caught.value) == f"p.csv: {told}"


def test_means_stand_for_a_column_that_is_empty() -> None:
    Path("p.csv").write_text("a,sex\n,m\n,f\n")
    np.testing.assert_array_equal(read_rows("p.csv", MODEL, missing="mean")[0], [[np.nan, 1, 0], [np.nan, 0, 0]])


def test_a_model_of_categories_alone() -> None:
    Path("p.csv").write_text("sex,a\nx,1\nf,2\n")
    X, lines = read_rows("p.csv", Schema((MODEL.columns[1],)))
    assert (X.tolist(), lines.tolist()) == ([[0, 1], [0, 0]], [2, 3])


def test_marks_and_encodings_of_rows_to_predict_for_are_those_that_are_said() -> None:
    Path("p.csv").write_bytes("a|sex|gr\u00f6\n1.234,5|m|1\n".encode("utf-16-le"))
    schema = Schema((Column("gr\u00f6"), *MODEL.columns))
    assert read_rows("p.csv", schema, ReadOptions("|", ",", "utf-16-le", "."))[0].tolist() == [[1, 1234.5, 1, 0]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n", "the model's column 'sex' is missing"),
        ("b\n2\n", "the model's columns 'a' and 'sex' are missing"),
        ("a,sex\n1,d\n2,m\n", "column 'sex', line 2: a value that the model does not know"),
        ("a,sex\n1,\n2,m\nx,f\n", "column 'a', line 4: not a number"),
        ("a,sex\n1,\n2,m\nx,f\n", "column 'sex', line 2: a cell is missing"),
        ("", "the file is empty"),
    ],
)
def test_h63_rows_that_the_model_cannot_take(text: str, told: str) -> None:
    Path("p.csv").write_text(text)
    with pytest.raises(TableError, match=told):
        read_rows("p.csv", MODEL)


def test_a_schema_as_json() -> None:
    content = json.loads(json.dumps(MODEL.as_json()))
    assert content == [{"name": "a"}, {"name": "sex", "levels": ["f", "m", "x"]}]
    assert Schema.from_json(content) == MODEL
    bad: list[Any] = [
        None, [], "a", [{}], [{"name": 1}], [{"name": "a"}, {"name": "a"}], [{"name": "a", "levels": ["x"]}],
        [{"name": "a", "levels": ["y", "x"]}], [{"name": "a", "levels": ["x", "x"]}], [{"name": "a", "more": 1}],
        [{"name": "a", "levels": "xy"}], [{"name": "a", "levels": [1, 2]}], [["name", "a"]],
        [{"name": "a", "levels": ["x", 1]}], [{"name": 1, "levels": ["x", "y"]}], [{"name": "a", "levels": []}],
        {}, {"name": 1}, b"a",
    ]  # fmt: skip
    for content in bad:
        with pytest.raises(ValueError, match=r"column|levels"):
            Schema.from_json(content)


# Without the library ----------------------------------------------------------------------------------------------


def test_without_pyarrow_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from vecphe.cli.table import parse_values

    for name in [name for name in sys.modules if name.startswith(("pyarrow", "vecphe.data."))]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow")
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    for call in (
        lambda: read(CLEAN),
        lambda: read_rows("a.csv", MODEL),
        lambda: parse_values(b"1,2\n", "x"),
    ):
        with pytest.raises(MissingLibraryError, match=r"pip install 'vecphe\[data\]'"):
            call()
    np.save("x.npy", [1, 2])
    assert parse_values(Path("x.npy").read_bytes(), "x").values.tolist() == [1, 2]


@pytest.mark.parametrize(("name", "told"), [("pyarrow", True), ("pyarrow.csv", True), ("numpy", False), (None, False)])
def test_only_what_is_missing_of_pyarrow_is_told_with_what_to_install(name: str | None, told: bool) -> None:
    wanted = (MissingLibraryError, r"^reading X takes pyarrow: pip install 'vecphe\[data\]'$") if told else (
        ModuleNotFoundError, "^gone$",
    )  # fmt: skip
    with pytest.raises(wanted[0], match=wanted[1]), needs_pyarrow("reading X"):
        raise ModuleNotFoundError("gone", name=name)


# Random tables ----------------------------------------------------------------------------------------------------

CELLS = st.one_of(
    st.integers(-(2**60), 2**60).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["", "NA", "x", "1,5", "inf", "1e999", "2024-01-01", "a\nb", 'q"q', ";", " 7 ", "ä"]),
)


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',;"\n') else cell


@pytest.mark.fuzz
@settings(deadline=None)
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8),
    st.sampled_from(["error", "drop", "mean"]),
    st.sampled_from([",", ";", "\t"]),
)
def test_random_tables_are_read_exactly_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], missing: str, separator: str
) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    lines = [["a", "b", "y"], *rows]
    path.write_text("\n".join(separator.join(map(quoted, line)) for line in lines) + "\n", encoding="utf-8")
    try:
        table = read_table([str(path)], TableOptions(target="y", missing=missing))
    except TableError:
        bad = {"x", "1,5", "inf", "1e999", "2024-01-01", "a\nb", 'q"q', ";", "ä", "", "NA"}
        assert any(cell in bad for row in rows for cell in row)
        return
    kept = [row for row in rows if set(row) != {""}]
    if missing == "drop":
        kept = [row for row in kept if not {"", "NA"} & set(row)]
    expected = [[np.nan if cell in ("", "NA") else float(cell) for cell in row[:2]] for row in kept]
    np.testing.assert_array_equal(table.X, expected)
    assert len(table.y) == len(kept)


def test_numbers_of_their_own_types_have_no_marks() -> None:
    """What is read with a decimal comma is text; a Decimal of Parquet is none."""
    table = pa.table({"s": pa.array([Decimal("1.00"), Decimal("2.00")] * 3), "y": [1.0, 2.0] * 3})
    pyarrow.parquet.write_table(table, "d.parquet")
    Path("d.csv").write_text("s;y\n1;1,5\n2,00;2\n1;3\n")
    options = TableOptions(target="y", categories=("s",), decimal=",")
    read = read_table(["d.parquet", "d.csv"], options)
    assert read.schema.columns[0].levels == ("1", "2")


@pytest.mark.parametrize("unit", ["Y", "M", "h", "ps", "D", "ns"])
def test_times_of_npz_in_any_unit_are_dates(unit: str) -> None:
    np.savez("t.npz", X=np.array([1, 2, 3], f"M8[{unit}]"), z=[1.0, 2, 3], y=[1.0, 2.0, 3.0])
    with pytest.raises(TableError, match="column 'X' holds dates"):
        read_table(["t.npz"], TableOptions(target="y"))


def test_the_mark_of_utf_8_goes_before_the_encoding_of_all_files() -> None:
    Path("a.csv").write_bytes("gr\u00f6,y\n1,2\n3,4\n".encode("latin-1"))
    for name in "bc":
        Path(f"{name}.csv").write_bytes(b"\xef\xbb\xbf" + f"gr\u00f6,y\n1,2\n3,{name == 'b':d}\n".encode())
    read = read_table(["a.csv", "b.csv", "c.csv"], TableOptions(target="y", encoding="latin-1"))
    assert [column.name for column in read.schema.columns] == ["gr\u00f6"]


def test_a_category_that_would_be_refused_is_not_recommended() -> None:
    for value in ("a\nb", "k" * 81):
        Path("n.csv").write_text("s,c,y\n" + f'"{value}",1,2\nm,3,4\n' * 6)
        with pytest.raises(TableError) as caught:
            read_table(["n.csv"], TableOptions(target="y"))
        assert "--categories" not in str(caught.value)
        assert "--drop s" in str(caught.value)
