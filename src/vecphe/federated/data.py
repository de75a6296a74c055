"""Data for the protocol: the diabetes data, CSV files, and cutting rows into one shard per client."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecphe.data.schema import Column, Schema
from vecphe.federated.checks import checked_int
from vecphe.federated.parties import SERVER_NAME
from vecphe.plaintext.encoding import Floats
from vecphe.serialization.tables import Row, check_text_start, csv_rows, number_of
from vecphe.system.files import read_file

__all__ = [
    "Shards",
    "Table",
    "equal_blocks",
    "get_data",
    "load_csv",
    "read_rows",
    "shards_from_table",
]


_TEST_ROWS = 50  # of the 442 rows of the diabetes data
_LONGEST_NAME = 80  # characters of a group, which is shown as its client's name
_TEST_SHARE = 5  # one row in so many is a test row of a CSV file


def equal_blocks(n_rows: int, n_clients: int) -> list[slice]:
    """Cut `n_rows` rows, in order, into `n_clients` blocks of equal size; the remainder is dropped.

    Parameters
    ----------
    n_rows, n_clients : int

    Returns
    -------
    list of slice

    Raises
    ------
    ValueError
        If there is no client, or not one row for each, or `n_clients` is not an int.
    """
    n_clients = checked_int("n_clients", n_clients)
    if n_clients < 1:
        raise ValueError(f"n_clients={n_clients}: at least 1 client is needed")
    block = n_rows // n_clients
    if not block:
        raise ValueError(
            f"n_samples={n_rows} rows cannot be shared out to n_clients={n_clients}: a client would get none"
        )
    return [slice(start, start + block) for start in range(0, block * n_clients, block)]


def get_data(n_clients: int, seed: int = 43) -> tuple[list[Floats], list[Floats], Floats, Floats]:
    """The diabetes data with a column of ones, shuffled and shared out to clients.

    Parameters
    ----------
    n_clients : int
        Number of equal blocks.
    seed : int
        Seed of the permutation and of the choice of 50 test rows.

    Returns
    -------
    X, y : list of ndarray
        One block of rows, shape (rows, 11), and its targets for each client.
    X_test, y_test : ndarray
        The test rows, shape (50, 11), and their targets.
    """
    from sklearn.datasets import load_diabetes  # here, because it takes a second to import

    X, y = load_diabetes(return_X_y=True)
    X = np.column_stack([X, np.ones(len(X))])
    random = np.random.RandomState(seed)
    order = random.permutation(len(X))
    X, y = X[order], y[order]
    test_rows = random.choice(len(X), size=_TEST_ROWS, replace=False)
    kept = np.ones(len(X), dtype=bool)
    kept[test_rows] = False
    blocks = equal_blocks(int(kept.sum()), n_clients)
    X_train, y_train = X[kept], y[kept]
    return [X_train[rows] for rows in blocks], [y_train[rows] for rows in blocks], X[test_rows], y[test_rows]


@dataclass(frozen=True)
class Table:
    """A CSV file: features, target and, where asked for, the group of every row.

    Attributes
    ----------
    features : tuple of str
        Names of the columns of `X`.
    X : ndarray
        Shape (rows, features), float64.
    y : ndarray
        Shape (rows,), float64.
    groups : tuple of str or None
        Name of the group of each row.
    """

    features: tuple[str, ...]
    X: Floats
    y: Floats
    groups: tuple[str, ...] | None


@dataclass(frozen=True, eq=False)
class Shards:
    """Rows shared out to clients, and the test rows, all as they came.

    Attributes
    ----------
    names : tuple of str
        One for each client.
    X, y : list of ndarray
        Rows, float64, and targets of each client, numbers or labels.
    X_test, y_test : ndarray
        Test rows and their targets.
    schema : Schema
        Names of the columns of X.
    target : str
    """

    names: tuple[str, ...]
    X: list[Floats]
    y: list[Floats]
    X_test: Floats
    y_test: Floats
    schema: Schema
    target: str


def load_csv(path: str | Path, target: str, group: str | None = None) -> Table:
    """Read a CSV file with a header line; every column but `target` and `group` is a feature.

    Parameters
    ----------
    path : str or Path
        UTF-8, with or without byte order mark, lines ended by LF or CRLF.
    target : str
        Column to predict.
    group : str, optional
        Column that names each row's client. It may hold text; no other column may.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If the file is not such a table; the message names line and column, and shows no cell.
    OSError
        If the file cannot be read.
    """
    name = str(path)
    rows = csv_rows(read_file(path, check=partial(check_text_start, name=name)), name)
    _, header = next(rows, (1, []))
    if not any(header):
        raise ValueError(f"{name}: the file is empty; its first line must name the columns")
    try:
        places = _checked_header(header, target, group)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return _table(places, rows, target, group, name)


def read_rows(path: str, schema: Schema) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The rows of a CSV file in the columns of a model, and their lines."""
    rows = csv_rows(read_file(path), path)
    _, header = next(rows, (1, []))
    for name in schema.features:
        if header.count(name) != 1:
            raise ValueError(f"{path}: the column {name!r} of the model must stand in line 1, once")
    places = [header.index(name) for name in schema.features]
    values, lines = [], []
    for line, row in rows:
        if len(row) != len(header):
            raise ValueError(f"{path}: line {line} has {len(row)} cells, but the header has {len(header)}")
        values.append([number_of(row[place], f"{path}: line {line}, column {place + 1}") for place in places])
        lines.append(line)
    return np.array(values, dtype=np.float64).reshape(-1, len(places)), np.array(lines, dtype=np.int64)


def _table(places: dict[str, int], rows: Iterable[Row], target: str, group: str | None, name: str) -> Table:
    names = [name for name in places if name != group]
    columns = [places[name] for name in names]
    groups: list[str] = []
    values = array("d")  # as they come: rows of text take many times their length
    for line, row in rows:
        if not row:
            continue
        if len(row) != len(places):
            raise ValueError(f"{name}: line {line} has {len(row)} cells, but the header has {len(places)}")
        if group is not None:
            groups.append(_group_name(row[places[group]], f"{name}: column {group!r}, line {line}"))
        values.extend(_number(row[column], f"{name}: line {line}, column {column + 1}") for column in columns)
    if not values:
        raise ValueError(f"{name}: there is no row below the header")
    table = np.frombuffer(values).reshape(-1, len(columns))
    at = names.index(target)
    names.remove(target)
    return Table(
        tuple(names), np.delete(table, at, axis=1), table[:, at].copy(), None if group is None else tuple(groups)
    )


def _checked_header(header: Sequence[str], target: str, group: str | None) -> dict[str, int]:
    """The place of each column by its name. Where a header is missing, the names are values: none is shown."""
    places: dict[str, int] = {}
    for column, name in enumerate(header):
        if not name:
            raise ValueError(f"column {column + 1} has no name; pandas writes an index so: to_csv(index=False)")
        if not name.isprintable():
            raise ValueError(f"the name of column {column + 1} is not printable")
        if name in places:
            raise ValueError(f"the header has a name twice, in columns {places[name] + 1} and {column + 1}")
        places[name] = column
    for wanted in (target,) if group is None else (target, group):
        if wanted not in places:
            hint = "; cells must be separated by commas" if len(header) == 1 else ""
            raise ValueError(f"there is no column {wanted!r} among the {len(header)} that line 1 names{hint}")
    if target == group:
        raise ValueError(f"the column {target!r} cannot be both target and group")
    if len(header) - (1 if group is None else 2) < 1:
        raise ValueError("no column is left to be a feature")
    return places


def _group_name(name: str, place: str) -> str:
    if not name or not name.isprintable():
        raise ValueError(f"{place}: the name of the group is empty or not printable")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"{place}: the name of the group is longer than {_LONGEST_NAME} characters")
    if name == SERVER_NAME:
        raise ValueError(f"{place}: {SERVER_NAME!r} is the name of the party with the private key")
    return name


def _number(cell: str, place: str) -> float:
    try:
        return number_of(cell, place)
    except ValueError as error:
        raise ValueError(f"{error}; drop such columns and rows, or name the column as the group") from None


def shards_from_table(table: Table, n_clients: int, seed: int = 43, target: str = "y") -> Shards:
    """Hold out every fifth row of a table at random for testing, and share out the rest.

    Parameters
    ----------
    table : Table
    n_clients : int
        Number of equal blocks; not used if the table has groups, which then are the clients.
    seed : int
        Seed of the permutation of the rows.
    target : str
        Name of the column to predict.

    Returns
    -------
    Shards

    Raises
    ------
    ValueError
        If a client would have no row to train on.
    """
    order = np.random.RandomState(seed).permutation(len(table.y))
    n_test = len(order) // _TEST_SHARE
    if not n_test:
        raise ValueError(f"{len(order)} rows are too few; at least {_TEST_SHARE} are needed")
    test, train = order[:n_test], order[n_test:]
    X, y = table.X, table.y
    members = _members(table, train, n_clients)
    return Shards(
        names=tuple(members),
        X=[X[rows] for rows in members.values()],
        y=[y[rows] for rows in members.values()],
        X_test=X[test],
        y_test=y[test],
        schema=Schema(tuple(Column(name) for name in table.features)),
        target=target,
    )


def _members(table: Table, train: npt.NDArray[np.int64], n_clients: int) -> dict[str, npt.NDArray[np.int64]]:
    if table.groups is None:
        blocks = equal_blocks(len(train), n_clients)
        return {f"Hospital {i}": train[rows] for i, rows in enumerate(blocks, 1)}
    members: dict[str, list[int]] = {name: [] for name in table.groups}
    for row in train.tolist():
        members[table.groups[row]].append(row)
    for number, rows in enumerate(members.values(), 1):
        if not rows:
            raise ValueError(f"group {number} of {len(members)} has too few rows: none is left beside the test rows")
    return {name: np.array(rows) for name, rows in members.items()}
