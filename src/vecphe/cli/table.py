"""Plain numbers in files: CSV and .npy, strict on the way in."""

from __future__ import annotations

import csv
import io
import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
from gmpy2 import mpz

from vecphe.format import is_sprawling
from vecphe.serialization.fields import MAX_DIMENSIONS

__all__ = ["check_start", "csv_of_values", "npy_of_values", "parse_values", "place"]

_NPY_MAGIC, _ZIP_MAGIC = b"\x93NUMPY", b"PK\x03\x04"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_GREATEST_EXACT = 1 << 53  # of the integers that float64 holds without a gap
_LONGEST = 1000  # characters of a number; the longest exact decimal of a float64 has 1077, and nobody writes it


def check_start(start: bytes, name: str) -> None:
    """Raise ValueError if a file with these first bytes can hold no numbers; it may go on without end."""
    if b"\0" in start and not start.startswith((_NPY_MAGIC, _ZIP_MAGIC)):
        raise ValueError(f"{name}: neither UTF-8 text nor a .npy file")


def place(data: bytes, header: str | None, index: tuple[int, ...]) -> str:
    """Where the value at an index stood in the data that `parse_values` read, which gave this header."""
    if data.startswith(_NPY_MAGIC):
        return f"index {index}"
    line, column = (*index, 0)[:2]
    return f"line {line + 1 + (header is not None)}, column {column + 1}"


def parse_values(data: bytes, name: str) -> tuple[npt.NDArray[Any], str | None]:
    """Numbers of a .npy file or of CSV text, told apart by the content.

    Parameters
    ----------
    data : bytes
    name : str
        What errors call the file.

    Returns
    -------
    values : ndarray
        Of the shape in the .npy file. CSV: one dimension if there is one column, else two; int64 (or uint64 where
        only that fits) if every number is an integer, else float64.
    header : str or None
        The first line of CSV, if it holds names instead of numbers.

    Raises
    ------
    ValueError
        Naming line and column of what is no finite number.
    """
    if data.startswith(_ZIP_MAGIC):
        raise ValueError(f"{name}: an archive (.npz?); give one array, as numpy.save writes it, or CSV")
    if data.startswith(_NPY_MAGIC):
        return _parse_npy(data, name), None
    return _parse_csv(data, name)


def _parse_npy(data: bytes, name: str) -> npt.NDArray[Any]:
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read_header(file)
    except Exception:  # numpy evaluates the header as Python: what that raises has no common base
        raise ValueError(f"{name}: not a whole .npy file, its header is damaged") from None
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise ValueError(
            f"{name}: an array of dtype {str(dtype)[:40]}; only real numbers of up to 64 bits can be encrypted"
        )
    if len(shape) > MAX_DIMENSIONS or not all(type(length) is int and 0 <= length < 1 << 60 for length in shape):
        raise ValueError(f"{name}: no shape of an array of at most {MAX_DIMENSIONS} dimensions")
    if is_sprawling(shape):
        raise ValueError(f"{name}: a shape too large for an empty array")
    wanted = math.prod(shape) * dtype.itemsize  # before anything of that size is made
    if len(data) - file.tell() != wanted:
        raise ValueError(f"{name}: {len(data) - file.tell()} bytes of numbers where the header tells {wanted}")
    return np.load(io.BytesIO(data), allow_pickle=False)  # type: ignore[no-any-return]


def _parse_csv(data: bytes, name: str) -> tuple[npt.NDArray[Any], str | None]:
    rows = _rows(data, name)
    if not rows:
        raise ValueError(f"{name}: empty; give numbers, as CSV or .npy")
    header = None
    if rows[0] and all(_is_name(cell) for cell in rows[0]):
        header = ",".join(rows.pop(0))
        if not rows:
            raise ValueError(f"{name}: a header without numbers")
    first = 1 if header is None else 2
    width = len(rows[0])
    for line, row in enumerate(rows, first):
        if not row:
            raise ValueError(f"{name}, line {line}: empty")
        if len(row) != width:
            raise ValueError(
                f"{name}, line {line}: {len(row)} values, but line {first} has {width}; "
                "write a decimal point, and a comma between values"
            )
        for column, cell in enumerate(row, 1):
            if not _NUMBER.fullmatch(cell) or len(cell) > _LONGEST or not math.isfinite(float(cell)):
                raise ValueError(f"{name}, line {line}, column {column}: {_why_not(cell)}")
    return _as_array(rows, width, name, first), header


def _rows(data: bytes, name: str) -> list[list[str]]:
    """Cells without the spaces around them; empty lines at the end do not count."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name}: neither UTF-8 text nor a .npy file") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [[cell.strip(" \t") for cell in row] for row in reader]
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num}: {error}") from None
    while rows and not any(rows[-1]):
        rows.pop()
    return rows


def _is_name(cell: str) -> bool:
    """Whether a cell may be a column's name; what starts like a number is a mistake in one."""
    return bool(cell) and (cell[0].isalpha() or cell[0] == "_") and cell.lower() not in ("nan", "inf", "infinity")


def _why_not(cell: str) -> str:
    """What is wrong with a cell. Its content may be a secret and stays out of it."""
    if not cell:
        return "no value"
    if cell.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return "NaN and infinity cannot be encrypted"
    if _NUMBER.fullmatch(cell):
        return "a number beyond the range of float64" if len(cell) <= _LONGEST else "a number of too many digits"
    hint = "; write a decimal point" if "," in cell else "; separate values by commas" if ";" in cell else ""
    return f"not a number{hint}"


def _as_array(rows: list[list[str]], width: int, name: str, first: int) -> npt.NDArray[Any]:
    cells = [cell for row in rows for cell in row]
    values: npt.NDArray[Any]
    if all(_INTEGER.fullmatch(cell) for cell in cells):
        integers = [int(cell) for cell in cells]
        least, greatest = min(integers), max(integers)
        if least < -(1 << 63) or greatest >= (1 << 64) or (least < 0 and greatest >= 1 << 63):
            raise ValueError(f"{name}: integers beyond 64 bits; write them as floats, such as 1e30")
        values = np.array(integers, dtype=np.int64 if greatest < 1 << 63 else np.uint64)
    else:
        _check_exact(rows, name, first)
        values = np.array([float(cell) for cell in cells])
    return values if width == 1 else values.reshape(-1, width)


def _check_exact(rows: list[list[str]], name: str, first: int) -> None:
    """Raise ValueError for integers that would be rounded because other numbers of the table have fractions."""
    for line, row in enumerate(rows, first):
        for column, cell in enumerate(row, 1):
            if _INTEGER.fullmatch(cell) and abs(int(cell)) > _GREATEST_EXACT:
                raise ValueError(
                    f"{name}, line {line}, column {column}: an integer beyond 2^53, which is rounded in a table with "
                    "fractions; write it with a decimal point if you want that, or encrypt the integers on their own"
                )


def csv_of_values(values: npt.NDArray[Any]) -> bytes:
    """Lines of CSV, one a row, in digits that give the same numbers again.

    Raises
    ------
    ValueError
        For more than two dimensions.
    """
    if values.ndim > 2:
        raise ValueError(f"CSV has two dimensions, the array {values.ndim}; write it as .npy")
    if not values.size:
        return b""  # rows without values: as many lines as somebody claims
    rows = values.tolist() if values.ndim == 2 else [[value] for value in values.ravel().tolist()]
    # Python limits the digits of its own integers, gmpy2 does not.
    digits = str if values.dtype != object else lambda value: mpz(value).digits()
    return "".join(",".join(map(digits, row)) + "\n" for row in rows).encode("ascii")


def npy_of_values(values: npt.NDArray[Any]) -> bytes:
    """A .npy file.

    Raises
    ------
    ValueError
        For integers beyond 64 bits, which that form does not have.
    """
    if values.dtype == object:
        raise ValueError("some integers are beyond 64 bits, which .npy does not have; write them as CSV")
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()
