"""Tables of data from files: CSV, Parquet and .npz, read by pyarrow (the extra `vecphe[data]`).

pyarrow reads CSV and Parquet without another library, says which rows have too few or too many cells, and keeps columns
of text in its own memory, at a few bytes more than the file has. What it takes too easily (quotation marks that do not
pair, infinity) is refused here. Without it, .npy and the bundled data can be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vecphe.data.options import MISSING, ReadOptions, TableOptions
from vecphe.data.schema import Column, Schema
from vecphe.data.table import Numbers, Table
from vecphe.errors import MissingLibraryError, TableError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "MISSING",
    "Column",
    "MissingLibraryError",
    "Numbers",
    "ReadOptions",
    "Schema",
    "Table",
    "TableError",
    "TableOptions",
    "needs_pyarrow",
    "read_rows",
    "read_table",
]


@contextmanager
def needs_pyarrow(what: str) -> Iterator[None]:
    """Say what to install where pyarrow is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise MissingLibraryError(f"{what} takes pyarrow: pip install 'vecphe[data]'") from None


def read_table(paths: Sequence[str], options: TableOptions) -> Table:
    r"""The rows of one file, or of one file for each hospital.

    Parameters
    ----------
    paths : sequence of str
    options : TableOptions

    Returns
    -------
    Table

    Raises
    ------
    TableError
        With everything that is wrong.
    MissingLibraryError
        If pyarrow is not installed.
    ValueError, OSError, BatchTooLargeError
        If a file cannot be read at all.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from vecphe.data import TableOptions, read_table
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "ward.csv"
    >>> _ = path.write_text("age;sex;cost\n40;f;99,5\n;m;80\n")
    >>> options = TableOptions(decimal=",", target="cost", categories=("sex",), missing="mean")
    >>> table = read_table([str(path)], options)
    >>> table.features
    ('age', 'sex=m')
    >>> table.X
    array([[40.,  0.],
           [nan,  1.]])
    >>> table.y
    array([99.5, 80. ])
    """
    with needs_pyarrow("reading data"):
        from vecphe.data.tables import read_table as read
    return read(paths, options)


def read_rows(
    path: str, schema: Schema, options: ReadOptions | None = None, *, missing: str = "error", has_means: bool = True
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    r"""Rows to predict for: the columns of a model, found by their names, from a file that may have others too.

    Parameters
    ----------
    path : str
    schema : Schema
        Of the model.
    options : ReadOptions, optional
    missing : str
        "error" refuses cells that are missing, "drop" leaves out their rows, "mean" leaves NaN in X.
    has_means : bool
        Whether the model knows means to fill in, so that "mean" can be a way out.

    Returns
    -------
    X : ndarray
        Shape (rows, features).
    places : ndarray
        Number of the line (of Parquet and .npz: of the row) that each row of X stands in.

    Raises
    ------
    TableError, MissingLibraryError, ValueError, OSError, BatchTooLargeError
        As `read_table`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from vecphe.data import TableOptions, read_rows, read_table
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "old.csv").write_text("age,cost\n40,99\n50,120\n")
    >>> _ = (folder / "new.csv").write_text("ward,age\n7,45.5\n")
    >>> schema = read_table([str(folder / "old.csv")], TableOptions(target="cost")).schema
    >>> X, lines = read_rows(str(folder / "new.csv"), schema)
    >>> X, lines
    (array([[45.5]]), array([2]))
    """
    with needs_pyarrow("reading data"):
        from vecphe.data.tables import read_rows as read
    return read(path, schema, options, missing=missing, has_means=has_means)
