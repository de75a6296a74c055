"""The model of a run over Flower: arrays by name, from what users give, and as bytes in the server's memory."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.errors import ProtocolError
from vecphe.flower.messages import Arrays

__all__ = ["Model", "model_from_bytes", "model_to_bytes", "named_arrays"]

Model = Sequence[npt.ArrayLike] | Mapping[str, Any]  # arrays, or by their names arrays or what Flower has for them


def named_arrays(arrays: Model) -> Arrays:
    """Arrays by name; without names they are numbered.

    Raises
    ------
    ProtocolError
        If an array is not one of numbers, or a name is not printable or stands there twice.
    """
    named: Arrays = {}
    for key, value in arrays.items() if isinstance(arrays, Mapping) else enumerate(arrays):
        name, array = str(key), np.asarray(value.numpy() if hasattr(value, "numpy") else value)
        if not name.isprintable() or name in named:
            raise ProtocolError(f"arrays of a model need different, printable names, and not {name!r}")
        if array.dtype.kind not in "biufc":
            raise ProtocolError(f"the array {name!r} of the model is not one of numbers, but of {array.dtype}")
        named[name] = array
    return named


def model_to_bytes(arrays: Arrays) -> bytes:
    """An .npz archive, names in an array of their own."""
    buffer = io.BytesIO()
    numbered: dict[str, Any] = {f"array_{i}": array for i, array in enumerate(arrays.values())}
    np.savez(buffer, names=np.array(list(arrays), dtype=np.str_), **numbered)
    return buffer.getvalue()


def model_from_bytes(data: bytes) -> Arrays:
    """What `model_to_bytes` was given."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {str(name): file[f"array_{i}"] for i, name in enumerate(file["names"])}
