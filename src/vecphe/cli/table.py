"""Plain numbers in files: CSV, .npy and .npz, strict on the way in."""

from __future__ import annotations

import csv
import io
import math
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from gmpy2 import mpz

from vecphe.data import Numbers, ReadOptions, needs_pyarrow
from vecphe.data.text import check_text_start
from vecphe.errors import BatchTooLargeError
from vecphe.plaintext.encoding import FixedPoint
from vecphe.plaintext.format import is_sprawling
from vecphe.serialization.fields import MAX_DIMENSIONS
from vecphe.system.memory import check_memory

__all__ = [
    "check_start",
    "check_values",
    "csv_of_values",
    "csv_pieces",
    "mapped_values",
    "npy_of_values",
    "parse_values",
]

_NPY_MAGIC, _ZIP_MAGIC = b"\x93NUMPY", b"PK\x03\x04"
_AT_ONCE = 1 << 16  # values that are looked at together
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
            if len(members) == 1:
                (member,) = members
                check_memory(member.file_size, f"what {name} holds", "give less of it")
                return archive.read(member)
    except BatchTooLargeError:
        raise
    except Exception:  # what zipfile and the decompressors raise has no common base
        raise ValueError(f"{name}: an archive (.npz?) that is damaged; give one array, or CSV") from None
    raise ValueError(f"{name}: an archive of {len(members)} files (.npz?); give one array")


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
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:  # of a file system that maps nothing
        return None
    return Numbers(values) if values.size else None


def _parse_npy(data: bytes, name: str) -> npt.NDArray[Any]:
    _check_npy(io.BytesIO(data), len(data), name)
    return _to_native(np.load(io.BytesIO(data), allow_pickle=False))


def _to_native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
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


def check_values(numbers: Numbers, form: FixedPoint, name: str) -> None:
    """Raise ValueError for the first number that cannot be encrypted, with its place; they are looked at in parts."""
    values = numbers.values
    flat = values.reshape(-1) if values.flags.c_contiguous else values.flat
    for start in range(0, values.size, _AT_ONCE):
        part = _to_native(flat[start : start + _AT_ONCE])
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            found, why = int(np.isfinite(part).argmin()), "NaN or infinity, which cannot be encrypted"
        elif (outside := form.first_outside(part)) is not None:
            found, why = outside[0], f"a magnitude beyond {form.max_abs}; give the largest one with --max-abs"
        else:
            continue
        index = tuple(map(int, np.unravel_index(start + found, values.shape)))
        raise ValueError(f"{name}, {numbers.place(index)}: {why}")


def csv_of_values(values: npt.NDArray[Any], columns: Sequence[str] = ()) -> bytes:
    """The lines of `csv_pieces` of a whole array."""
    return b"".join(csv_pieces([values.ravel()], values.shape, columns))


def csv_pieces(
    parts: Iterable[npt.NDArray[Any]], shape: tuple[int, ...], columns: Sequence[str] = ()
) -> Iterator[bytes]:
    """Lines of CSV, one a row, in digits that give the same numbers again, below the names of columns, if any.

    Parameters
    ----------
    parts : iterable of ndarray
        Values of the array in C order, in one dimension; of some rows, or of a piece of one.
    shape : tuple of int
        Of the whole array.
    columns : sequence of str

    Raises
    ------
    ValueError
        For more than two dimensions, before any part is asked for.
    """
    if len(shape) > 2:
        raise ValueError(f"CSV has two dimensions, the array {len(shape)}; write it as .npy")
    return _lines(parts, max([*shape[1:], 1]), columns if math.prod(shape) else ())


def _lines(parts: Iterable[npt.NDArray[Any]], width: int, columns: Sequence[str]) -> Iterator[bytes]:
    header = io.StringIO()
    if columns:
        csv.writer(header, lineterminator="\n").writerow(columns)
        yield header.getvalue().encode()
    done = 0  # values of the row that the last part ended in
    for part in parts:
        # Python limits the digits of its own integers, gmpy2 does not.
        digits = str if part.dtype != object else lambda value: mpz(value).digits()
        cells = [digits(value) + "," for value in part.tolist()]
        cells[width - 1 - done :: width] = [cell[:-1] + "\n" for cell in cells[width - 1 - done :: width]]
        done = (done + len(part)) % width
        yield "".join(cells).encode()


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
