"""Plain numbers in files: CSV, .npy and .npz, strict on the way in."""

from __future__ import annotations

import csv
import io
import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from gmpy2 import mpz

from vecphe.data import Numbers, ReadOptions, needs_pyarrow
from vecphe.data.text import check_text_start
from vecphe.plaintext.format import is_sprawling
from vecphe.serialization.fields import MAX_DIMENSIONS
from vecphe.system.memory import check_memory

__all__ = ["check_start", "csv_of_values", "mapped_values", "npy_of_values", "parse_values", "to_native"]

_NPY_MAGIC, _ZIP_MAGIC = b"\x93NUMPY", b"PK\x03\x04"
_NOT_TEXT = "neither UTF-8 text nor a .npy file"


def check_start(start: bytes, name: str, encoding: str | None = None) -> None:
    """Raise ValueError if a file with these first bytes can hold no numbers; it may go on without end."""
    if not start.startswith((_NPY_MAGIC, _ZIP_MAGIC)):
        check_text_start(start, name, _NOT_TEXT, encoding)


def parse_values(data: bytes, name: str, options: ReadOptions | None = None) -> Numbers:
    """Numbers of a .npy file, of the one array of a .npz file, or of CSV text, told apart by the content.

    Parameters
    ----------
    data : bytes
    name : str
        What errors call the file.
    options : ReadOptions, optional
        How CSV is written.

    Raises
    ------
    ValueError
        Naming line and column of what is no finite number: TableError where there are several.
    MissingLibraryError
        If it is CSV, and what reads it is not installed.
    """
    if data.startswith(_ZIP_MAGIC):
        return Numbers(_parse_npy(_only_member(data, name), name))
    if data.startswith(_NPY_MAGIC):
        return Numbers(_parse_npy(data, name))
    with needs_pyarrow("reading CSV"):
        from vecphe.data.csv_numbers import csv_numbers
    return csv_numbers(data, name, options or ReadOptions(), _NOT_TEXT)


def _only_member(data: bytes, name: str) -> bytes:
    """The .npy file in a .npz file that has no other."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) != 1:
                raise ValueError(f"{name}: an archive of {len(members)} files (.npz?); give one array")
            check_memory(members[0].file_size, f"what {name} holds", "give less of it")
            return archive.read(members[0])
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error):
        raise ValueError(f"{name}: an archive (.npz?) that is damaged; give one array, or CSV") from None


def mapped_values(path: str, name: str) -> Numbers | None:
    """Numbers of a .npy file as `parse_values` has them, mapped where they lie; None of what is no such file.

    They are of the dtype of the file. A pipe cannot be mapped, and what is empty need not be.
    """
    if path == "-" or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        if file.read(len(_NPY_MAGIC)) != _NPY_MAGIC:
            return None
        file.seek(0)
        _check_npy(file, os.fstat(file.fileno()).st_size, name)
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    return Numbers(values) if values.size else None


def _parse_npy(data: bytes, name: str) -> npt.NDArray[Any]:
    _check_npy(io.BytesIO(data), len(data), name)
    return to_native(np.load(io.BytesIO(data), allow_pickle=False))


def to_native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers of a type that .npy files have, as one that an encoding takes."""
    return values.astype({"b": np.int64, "f": np.float64}.get(values.dtype.kind, values.dtype), copy=False)


def _check_npy(file: BinaryIO, size: int, name: str) -> None:
    """Raise ValueError unless a .npy file of so many bytes is whole, and of numbers that can be encrypted."""
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
    if size - file.tell() != wanted:
        raise ValueError(f"{name}: {size - file.tell()} bytes of numbers where the header tells {wanted}")


def csv_of_values(values: npt.NDArray[Any], columns: Sequence[str] = ()) -> bytes:
    """Lines of CSV, one a row, in digits that give the same numbers again, below the names of columns, if any.

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
    header = io.StringIO()
    if columns:
        csv.writer(header, lineterminator="\n").writerow(columns)
    return "".join([header.getvalue(), *(",".join(map(digits, row)) + "\n" for row in rows)]).encode()


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
