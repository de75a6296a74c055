"""Tables of data from files: CSV, Parquet and .npz, read by pyarrow (the extra `vecphe[data]`).

pyarrow reads CSV and Parquet without another library, says which rows have too few or too many cells, and keeps columns
of text in its own memory, at a few bytes more than the file has. What it takes too easily (quotation marks that do not
pair, infinity) is refused here. Without it, .npy and the bundled data can be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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
    """The rows of one file, or of one file for each hospital; see `vecphe.data.tables.read_table`."""
    with needs_pyarrow("reading data"):
        from vecphe.data.tables import read_table as read
    return read(paths, options)


def read_rows(
    path: str, schema: Schema, options: ReadOptions | None = None, **how: Any
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The rows of a file in the columns of a model, and their lines; see `vecphe.data.tables.read_rows`."""
    with needs_pyarrow("reading data"):
        from vecphe.data.tables import read_rows as read
    return read(path, schema, options, **how)
