"""Data for the protocol: the diabetes data, CSV files, and cutting rows into one shard per client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.data import Schema, Table, TableOptions, read_table
from vecphe.federated.checks import checked_int
from vecphe.federated.parties import SERVER_NAME
from vecphe.plaintext.encoding import Floats
from vecphe.system.plurals import are, counted

__all__ = [
    "Shards",
    "Table",
    "equal_blocks",
    "get_data",
    "load_csv",
    "load_tables",
    "shards_from_table",
]


_TEST_ROWS = 50  # of the 442 rows of the diabetes data
_TEST_SHARE = 5  # one row in so many is a test row of a file
Rows = npt.NDArray[np.int64]


def equal_blocks(n_rows: int, n_clients: int) -> list[slice]:
    """Cut `n_rows` rows, in order, into `n_clients` blocks of one size, or of one row more for the first ones.

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
    block, more = divmod(n_rows, n_clients)
    if not block:
        raise ValueError(
            f"{counted(n_rows, 'sample')} cannot be shared out to n_clients={n_clients}: a client would get none"
        )
    ends = [number * block + min(number, more) for number in range(n_clients + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]


def get_data(n_clients: int, seed: int = 43) -> tuple[list[Floats], list[Floats], Floats, Floats]:
    """The diabetes data with a column of ones, shuffled and shared out to clients.

    Parameters
    ----------
    n_clients : int
        Number of blocks, all of one size: what is left of the 392 rows is in none of them.
    seed : int
        Seed of the permutation and of the choice of 50 test rows.

    Returns
    -------
    X, y : list of ndarray
        One block of rows, shape (rows, 11), and its targets for each client.
    X_test, y_test : ndarray
        The test rows, shape (50, 11), and their targets.

    Examples
    --------
    >>> from vecphe.federated import get_data
    >>> X, y, X_test, y_test = get_data(5)
    >>> len(X), X[0].shape, X_test.shape
    (5, (78, 11), (50, 11))
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
    n_rows, n_clients = int(kept.sum()), checked_int("n_clients", n_clients)
    n_rows -= n_rows % n_clients if 0 < n_clients <= n_rows else 0
    blocks = equal_blocks(n_rows, n_clients)
    X_train, y_train = X[kept], y[kept]
    return [X_train[rows] for rows in blocks], [y_train[rows] for rows in blocks], X[test_rows], y[test_rows]


@dataclass(frozen=True)
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
    left_out : int
        How many rows are neither.
    """

    names: tuple[str, ...]
    X: list[Floats]
    y: list[npt.NDArray[Any]]
    X_test: Floats
    y_test: npt.NDArray[Any]
    schema: Schema
    target: str
    left_out: int = 0


def load_csv(path: str | Path, target: str, group: str | None = None, **options: Any) -> Table:
    """Read one file with named columns; every column but `target` and `group` is a feature.

    Parameters
    ----------
    path : str or Path
        CSV, Parquet or .npz.
    target : str
        Column to predict.
    group : str, optional
        Column that names each row's client.
    **options
        As in `TableOptions`.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        With everything that is wrong with the file.
    ValueError
        If it is no such file, or the options are none.
    OSError
        If it cannot be read.
    """
    return load_tables([path], TableOptions(target=target, group=group, **options))


def load_tables(paths: Sequence[str | Path], options: TableOptions) -> Table:
    """Read one file of rows, or one of each hospital; as `load_csv`."""
    return read_table([str(path) for path in paths], replace(options, reserved=(SERVER_NAME,)))


def shards_from_table(table: Table, n_clients: int, seed: int = 43, target: str = "y") -> Shards:
    """Hold out a fifth of the rows of a table at random for testing, and share out the rest.

    Parameters
    ----------
    table : Table
    n_clients : int
        Number of blocks, whose sizes differ by one row at most; not used if the table has groups, which then are the
        clients, and each of which holds out a fifth of its own rows.
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
        If there is no row to test on, or a client would have none to train on.
    """
    order = np.random.RandomState(seed).permutation(len(table.y))
    members, test = _in_blocks(order, n_clients) if table.groups is None else _by_groups(order, table.groups)
    if not len(test):
        own = "" if table.groups is None else " of one hospital"
        raise ValueError(
            f"{counted(len(order), 'row')} {are(len(order))} too few; at least {_TEST_SHARE}{own} are needed"
        )
    X, y = table.X, table.y
    return Shards(
        names=tuple(members),
        X=[X[rows] for rows in members.values()],
        y=[y[rows] for rows in members.values()],
        X_test=X[test],
        y_test=y[test],
        schema=table.schema,
        target=target,
    )


def _in_blocks(order: Rows, n_clients: int) -> tuple[dict[str, Rows], Rows]:
    """Rows of each client and test rows, the first of these."""
    n_test = len(order) // _TEST_SHARE
    train = order[n_test:]
    blocks = equal_blocks(len(train), n_clients)
    return {f"Hospital {i}": train[rows] for i, rows in enumerate(blocks, 1)}, order[:n_test]


def _by_groups(order: Rows, groups: Sequence[str]) -> tuple[dict[str, Rows], Rows]:
    """Rows of each group and test rows, some of each group that has enough."""
    number_of = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    numbers = np.array([number_of[name] for name in groups])
    sorted_rows = order[np.argsort(numbers[order], kind="stable")]
    of_groups = np.split(sorted_rows, np.cumsum(np.bincount(numbers))[:-1])
    held_out = [rows[: len(rows) // _TEST_SHARE] for rows in of_groups]
    kept = [rows[len(rows) // _TEST_SHARE :] for rows in of_groups]
    return dict(zip(number_of, kept, strict=True)), np.concatenate(held_out)
