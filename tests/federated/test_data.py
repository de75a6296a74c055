"""Diabetes data, CSV files and shards."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from vecphe.data import Column, Schema, Table
from vecphe.federated.data import equal_blocks, get_data, load_csv, shards_from_table


def write(tmp_path, data):
    path = tmp_path / "data.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_blocks_hold_all_rows_in_order():
    assert equal_blocks(9, 3) == [slice(0, 3), slice(3, 6), slice(6, 9)]
    assert equal_blocks(11, 3) == [slice(0, 4), slice(4, 8), slice(8, 11)]
    for n_rows, n_clients in [(10, 3), (11, 7), (7, 7), (100, 1)]:
        blocks = equal_blocks(n_rows, n_clients)
        assert np.concatenate([np.arange(n_rows)[rows] for rows in blocks]).tolist() == list(range(n_rows))
        sizes = [rows.stop - rows.start for rows in blocks]
        assert sizes == sorted(sizes, reverse=True)
        assert max(sizes) - min(sizes) <= 1
    assert equal_blocks(11, np.int64(3)) == equal_blocks(11, 3)
    for n_rows, n_clients in [(2, 3), (0, 1), (5, 0), (5, -1)]:
        with pytest.raises(ValueError, match="n_clients"):
            equal_blocks(n_rows, n_clients)


def test_diabetes_is_cut_the_same_way_every_time():
    first, again, other = get_data(5), get_data(5), get_data(5, seed=44)
    X, y, X_test, y_test = first
    assert [x.shape for x in X] == [(78, 11)] * 5
    assert X_test.shape == (50, 11)
    assert all((x[:, -1] == 1).all() for x in [*X, X_test])
    np.testing.assert_array_equal(y, again[1])
    assert not np.array_equal(y_test, other[3])
    rows = {tuple(row) for row in np.concatenate([*X, X_test])}
    assert len(rows) == 440


@pytest.mark.parametrize(("seed", "n_clients"), [(43, 5), (43, 391), (7, 392)])
def test_which_rows_of_diabetes_go_where(seed, n_clients):
    data, targets = load_diabetes(return_X_y=True)
    random = np.random.RandomState(seed)
    order = random.permutation(442)
    tested = random.choice(442, 50, replace=False)
    kept = [row for place, row in enumerate(order) if place not in set(tested)]
    each = 392 // n_clients
    X, y, X_test, y_test = get_data(n_clients) if seed == 43 else get_data(n_clients, seed)
    assert [block.tolist() for block in y] == [
        targets[kept[start : start + each]].tolist() for start in range(0, each * n_clients, each)
    ]
    np.testing.assert_array_equal(y_test, targets[order[tested]])
    np.testing.assert_array_equal(X_test, np.column_stack([data, np.ones(442)])[order[tested]])
    np.testing.assert_array_equal(np.concatenate(X)[:, :-1], data[kept[: each * n_clients]])


@pytest.mark.parametrize(
    ("n_rows", "n_clients", "told"),
    [
        (1, 2, "1 sample cannot be shared out to n_clients=2: a client would get none"),
        (0, 1, "0 samples cannot be shared out to n_clients=1: a client would get none"),
        (5, 6, "5 samples cannot be shared out to n_clients=6: a client would get none"),
        (5, 0, "n_clients=0: at least 1 client is needed"),
        (5, -1, "n_clients=-1: at least 1 client is needed"),
    ],
)
def test_h49_blocks_that_cannot_be(n_rows, n_clients, told):
    with pytest.raises(ValueError, match=r"n_clients") as caught:
        equal_blocks(n_rows, n_clients)
    assert str(caught.value) == told
    with pytest.raises(ValueError, match=r"^392 samples cannot be shared out to n_clients=393"):
        get_data(393)
    with pytest.raises(ValueError, match=r"^n_clients=0: at least"):
        get_data(0)


def rows_in_order(n_rows, groups=None):
    """A table of which each row says its number."""
    numbers = np.arange(float(n_rows))
    return Table(Schema((Column("a"),)), numbers[:, np.newaxis] * 10, numbers, groups, "z")


@pytest.mark.parametrize("n_rows", [5, 9, 10, 17])
def test_which_rows_of_a_table_go_where(n_rows):
    order = np.random.RandomState(43).permutation(n_rows)
    tested, train = order[: n_rows // 5], order[n_rows // 5 :]
    shards = shards_from_table(rows_in_order(n_rows), 3)
    assert shards.y_test.tolist() == tested.tolist()
    assert np.concatenate(shards.y).tolist() == train.tolist()
    assert [len(rows) for rows in shards.y] == [len(block) for block in np.array_split(train, 3)]
    assert (shards.names, shards.target, shards.left_out) == (("Hospital 1", "Hospital 2", "Hospital 3"), "y", 0)
    for X, y in zip([*shards.X, shards.X_test], [*shards.y, shards.y_test], strict=True):
        assert X.tolist() == [[10 * number] for number in y]
    assert shards_from_table(rows_in_order(n_rows), 3, 44, "w").target == "w"
    assert shards_from_table(rows_in_order(n_rows), 3, 44).y_test.tolist() == (
        np.random.RandomState(44).permutation(n_rows)[: n_rows // 5].tolist()
    )


def test_which_rows_of_a_group_go_where():
    groups = tuple("bacab" * 5 + "ccccc")
    order = np.random.RandomState(43).permutation(30)
    shards = shards_from_table(rows_in_order(30, groups), 99)
    assert shards.names == ("b", "a", "c")
    own = {name: [row for row in order if groups[row] == name] for name in "bac"}
    assert [rows.tolist() for rows in shards.y] == [own[name][2:] for name in "bac"]
    assert shards.y_test.tolist() == [row for name in "bac" for row in own[name][:2]]


@pytest.mark.parametrize(
    ("n_rows", "groups", "told"),
    [
        (4, None, "4 rows are too few; at least 5 are needed"),
        (1, ("a",), "1 row is too few; at least 5 of one hospital are needed"),
        (8, tuple("aabbaabb"), "8 rows are too few; at least 5 of one hospital are needed"),
    ],
)
def test_rows_that_are_too_few_are_told_to_the_letter(n_rows, groups, told):
    with pytest.raises(ValueError, match=r"too few") as caught:
        shards_from_table(rows_in_order(n_rows, groups), 1)
    assert str(caught.value) == told


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_h63_a_table_is_read(tmp_path, prefix, newline):
    text = newline.join(["age,city,pressure,y", "30,Oslo,-1.5,1", '31,"Ber,gen",1e3,2', "", "32,Oslo, 7 ,3", ""])
    table = load_csv(write(tmp_path, prefix + text.encode()), "y", "city")
    assert table.features == ("age", "pressure")
    assert table.X.tolist() == [[30, -1.5], [31, 1000], [32, 7]]
    assert table.y.tolist() == [1, 2, 3]
    assert table.groups == ("Oslo", "Ber,gen", "Oslo")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("a,b,y\n", "no row"),
        ("a,b,y\n\n,,\n", "no row"),
        ("a,b\n1,2\n", "no column 'y' among the 2"),
        ("a y\n1 2\n", "no column 'y' among the 1"),
        ("a,a,y\n1,2,3\n", "column 2 has a name that stands in the header before"),
        ("y\n1\n", "no column is left"),
        ("a,y\n1,2\n1,2,3\n", "line 3 has 3 cells, but the header has 2"),
        ("a,y\n1,2\n1,2,3\n1\n", "lines 3 and 4 have 1 and 3 cells, but the header has 2"),
        ("a,y\n1,2\nOslo,3\n", "column 'a', line 3: not a number; correct it, or --drop a"),
        ("a,y\n1,\n2,3\n", "column 'y', line 2: a cell is missing; --missing drop"),
        ("a,y\n1,2\n,3\nNA,3\n", "column 'a', lines 3 and 4: 2 cells are missing; --missing drop or mean"),
        ("a,y\n1,\n", "column 'y' is empty"),
        ("a,y\n,1\n", "column 'a' is empty; --drop a"),
        ("a,y\n1_0,2\n1,2\n", "column 'a', line 2: not a number"),
        ('a,y\n"1,5",2\n', "column 'a', line 2: not a number with a decimal point; --decimal ,"),
        ("a,y\nnan,2\n1,2\n", "column 'a', line 2: a cell is missing"),
        ("a,y\n1e400,2\n", "column 'a', line 2: a number beyond the range"),
        ("a,y\n1,-inf\n", "column 'y', line 2: NaN and infinity"),
        (b"\x7fELF\x02\x01\xff\xfe\x00\x81", "UTF-8"),
        ('a,y\n"1,2\n', "data.csv"),
        ("a,\x1b[2J,y\n1,2,3\n", "column 2 is not printable"),
        ("a,y\n1,2\n\n,1\n", "line 4: a cell is missing"),
        ("a,y\n\u0661,2\n1,2\n", "line 2: not a number"),
        ('"a\n",y\n1,2\nx,3\n', "column 1 is not printable"),
        ('a,y\n"1\n",2\nx,3\n4,5\n', "column 'a', lines 2 and 4: not a number"),
        ("a,,y\n1,2,3\n", "column 2 has no name"),
        ("1" * 200_000 + ",y\n1,2\n", "field limit"),
        ("a" * 201 + ",y\n1,2\n", "the name of column 1 is longer than 200 characters"),
    ],
)
def test_h63_h66_what_is_no_table_is_refused(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        load_csv(path, "y")
    assert str(path) in str(caught.value)


def test_the_index_that_pandas_writes_unasked_is_left_out_and_told(tmp_path):
    for first in ("", "Unnamed: 0"):
        table = load_csv(write(tmp_path, f"{first},a,y\n0,1.0,3.0\n1,2.0,4.0\n"), "y")
        assert (table.features, table.X.tolist(), table.y.tolist()) == (("a",), [[1], [2]], [3, 4])
        assert ["column 1 is left out" in note for note in table.notes] == [True]
    table = load_csv(write(tmp_path, "a,y\n1.0,3.0\n2.0,4.0\n"), "y")
    assert (table.features, table.notes) == (("a",), ())


SECRET = "s3cret"  # in every cell in turn, one that is shown nowhere


@pytest.mark.parametrize("place", range(15))
@pytest.mark.parametrize("fault", ["word", "twice", "long", "unprintable", "number"])
def test_h72_no_message_shows_a_cell(tmp_path, place, fault):
    cells = ["a", "b", "g", "h", "y", "1", "2", "x", "3", "4", "5", "6", "z", "7", "8"]
    cells[place] = {
        "word": SECRET,
        "twice": SECRET,
        "long": SECRET * 20_000,
        "unprintable": f"{SECRET}\x1b",
        "number": f"{SECRET},5",
    }[fault]
    if fault == "twice":
        cells[place - 1] = SECRET  # of names; other cells are no numbers then
    lines = [",".join(f'"{cell}"' for cell in cells[i : i + 5]) for i in (0, 5, 10)]
    with pytest.raises(ValueError, match=r"data\.csv: |too few") as caught:
        load_csv(write(tmp_path, "\n".join([*lines, "1;2"])), "y", "g")
    assert SECRET not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_h77_the_longest_name_of_a_group(tmp_path):
    rows = ["x,g,y", *(f"{i},{'mkl'[i % 3] * 80},{i % 2}" for i in range(60))]
    shards = shards_from_table(load_csv(write(tmp_path, "\n".join(rows)), "y", "g"), 3)
    assert sorted(shards.names) == ["k" * 80, "l" * 80, "m" * 80]
    with pytest.raises(ValueError, match="column 'g', line 62: the name of the group is longer than 80 characters"):
        load_csv(write(tmp_path, "\n".join([*rows, f"1,{'n' * 81},2"])), "y", "g")


def test_groups_are_refused_where_they_make_no_sense(tmp_path):
    path = write(tmp_path, "a,g,y\n1,x,2\n1,,3\n")
    with pytest.raises(ValueError, match=r"column 'g', line 3"):
        load_csv(path, "y", "g")
    with pytest.raises(ValueError, match="no column 'h'"):
        load_csv(path, "y", "h")
    with pytest.raises(ValueError, match="both"):
        load_csv(path, "y", "y")


def table_of(tmp_path, n_rows, groups):
    rng = np.random.default_rng(0)
    lines = [
        f"{rng.normal()},{rng.normal()},{g},{rng.normal() * 7 + 100}"
        for g, _ in zip(groups[:n_rows], range(n_rows), strict=True)
    ]
    return load_csv(write(tmp_path, "\n".join(["a,b,g,y", *lines])), "y", "g")


def test_groups_become_clients(tmp_path):
    shards = shards_from_table(table_of(tmp_path, 40, ["x", "z", "y", "z"] * 10), 5)
    assert shards.names == ("x", "z", "y")
    assert sum(len(y) for y in shards.y) + len(shards.y_test) == 40
    assert len(shards.y_test) == 8
    assert shards.X_test.shape[1] == 2
    assert 90 < np.mean(shards.y_test) < 110  # as it stands in the file
    assert (shards.schema.features, shards.target) == (("a", "b"), "y")


def test_each_group_holds_out_a_fifth_of_its_own_rows(tmp_path):
    table = table_of(tmp_path, 40, ["x"] * 30 + ["y"] * 8 + ["two"] * 2)
    for seed in range(5):
        shards = shards_from_table(table, 5, seed)
        assert dict(zip(shards.names, map(len, shards.y), strict=True)) == {"x": 24, "y": 7, "two": 2}
        assert len(shards.y_test) == 7
    assert not np.array_equal(shards_from_table(table, 5, 1).y[0], shards_from_table(table, 5, 2).y[0])


def test_too_few_rows_are_refused(tmp_path):
    with pytest.raises(ValueError, match="4 rows are too few; at least 5 of one hospital"):
        shards_from_table(table_of(tmp_path, 4, ["x"] * 4), 3)
    with pytest.raises(ValueError, match="too few"):
        shards_from_table(table_of(tmp_path, 8, ["x", "y"] * 4), 3)


@pytest.mark.parametrize("n_clients", ["3", 3.5, 3.0, None, True])
def test_the_number_of_clients_is_an_int(n_clients):
    with pytest.raises(ValueError, match="n_clients must be an int"):
        get_data(n_clients)


def test_a_group_is_not_called_as_the_server(tmp_path):
    path = write(tmp_path, "a,g,y\n1,x,2\n1,Server,3\n")
    with pytest.raises(ValueError, match="column 'g', line 3: 'Server'"):
        load_csv(path, "y", "g")
