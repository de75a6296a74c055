"""Plain numbers in files: CSV and .npy, strict on the way in."""

from __future__ import annotations

import io
import math
from array import array
from collections.abc import Iterable
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt
from gmpy2 import mpz

from vecphe.plaintext.encoding import integer_type
from vecphe.plaintext.format import is_sprawling
from vecphe.serialization.fields import MAX_DIMENSIONS
from vecphe.serialization.tables import INTEGER, Row, check_text_start, csv_rows, number_of

__all__ = ["check_start", "csv_of_values", "npy_of_values", "parse_values", "place"]

_NPY_MAGIC, _ZIP_MAGIC = b"\x93NUMPY", b"PK\x03\x04"
_NOT_TEXT = "neither UTF-8 text nor a .npy file"
_GREATEST_EXACT = 1 << 53  # of the integers that float64 holds without a gap


def check_start(start: bytes, name: str) -> None:
    """Raise ValueError if a file with these first bytes can hold no numbers; it may go on without end."""
    if not start.startswith((_NPY_MAGIC, _ZIP_MAGIC)):
        check_text_start(start, name, _NOT_TEXT)


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
    values = np.load(io.BytesIO(data), allow_pickle=False)
    return values.astype({"b": np.int64, "f": np.float64}.get(dtype.kind, dtype), copy=False)  # type: ignore[no-any-return]


def _parse_csv(data: bytes, name: str) -> tuple[npt.NDArray[Any], str | None]:
    rows = csv_rows(data, name, _NOT_TEXT)
    line, row = next(rows, (1, []))
    header = None
    if row and all(map(_is_name, row)):
        header = ",".join(row)
        line, row = next(rows, (0, []))
        if not line:
            raise ValueError(f"{name}: a header without numbers")
    elif row[:1] == [""] and len(row) > 1:
        raise ValueError(
            f"{name}, line {line}, column 1: no value; pandas writes an index so: to_csv(index=False, header=False)"
        )
    elif not row:
        raise ValueError(f"{name}: empty; give numbers, as CSV or .npy")
    floats, integers = _numbers(chain([(line, row)], rows), name)
    values = np.frombuffer(floats)
    if integers is not None:
        # Floats hold them exactly as long as none is large; else they are read once more.
        again = islice(csv_rows(data, name), 0 if header is None else 1, None)
        exact = (int(cell) for _, row in again for cell in row)
        values = values.astype(np.int64) if integers is np.float64 else np.fromiter(exact, integers, len(floats))
    return values if len(row) == 1 else values.reshape(-1, len(row)), header


def _numbers(rows: Iterable[Row], name: str) -> tuple[array[float], type[np.generic] | None]:
    """All numbers as floats, and the narrowest type that holds them exactly if all are integers."""
    floats = array("d")
    width = first = least = greatest = 0
    all_integers, inexact = True, ""
    for line, row in rows:
        width, first = width or len(row), first or line
        if not row:
            raise ValueError(f"{name}, line {line}: empty")
        if len(row) != width:
            raise ValueError(
                f"{name}, line {line}: {len(row)} values, but line {first} has {width}; "
                "write a decimal point, and a comma between values"
            )
        for column, cell in enumerate(row, 1):
            place = f"{name}, line {line}, column {column}"
            floats.append(number_of(cell, place))
            if not INTEGER.fullmatch(cell):
                all_integers = False
            elif abs(value := int(cell)) > _GREATEST_EXACT:
                inexact = inexact or place
                least, greatest = min(least, value), max(greatest, value)
    if not all_integers and inexact:
        raise ValueError(
            f"{inexact}: an integer beyond 2^53, which is rounded in a table with fractions; "
            "write it with a decimal point if you want that, or encrypt the integers on their own"
        )
    if not all_integers:
        return floats, None
    if not inexact:
        return floats, np.float64
    return floats, _integer_type(least if least else min(floats), greatest, name)


def _is_name(cell: str) -> bool:
    """Whether a cell may be a column's name; what starts like a number is a mistake in one."""
    return bool(cell) and (cell[0].isalpha() or cell[0] == "_") and cell.lower() not in ("nan", "inf", "infinity")


def _integer_type(least: float, greatest: int, name: str) -> type[np.generic]:
    if max(-least, greatest) >= 1 << 64:
        raise ValueError(
            f"{name}: integers beyond 64 bits; in Python, "
            "PublicKey.encrypt(x, encoding=FixedPoint(0, max_abs=2**128)) takes them"
        )
    return integer_type(least, greatest)


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
