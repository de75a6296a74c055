"""What a transport carries between the server and the parties: bytes, and the model that the server hands out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Arrays", "Reply", "Request", "content_digest", "parts_digest"]

Arrays = dict[str, npt.NDArray[Any]]

_CONTENT, _PARTS = b"vecphe flower content\x00", b"vecphe flower parts\x00"


@dataclass(frozen=True)
class Request:
    """What the server asks of a party.

    Attributes
    ----------
    kind : {"hello", "plan", "task", "total", "end"}
    parts : tuple of bytes
        Envelopes.
    arrays : dict of str to ndarray
        The model of the round, in the clear; its digest is in the task, which the server signs.
    config : mapping
        Plain values for the model, likewise.
    """

    kind: str
    parts: tuple[bytes, ...]
    arrays: Arrays = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What a party answers.

    Attributes
    ----------
    parts : tuple of bytes
        Envelopes.
    error : str or None
        Why there are none.
    seconds : float
        That it took, training apart.
    """

    parts: tuple[bytes, ...] = ()
    error: str | None = None
    seconds: float = field(default=0.0, compare=False)


def content_digest(arrays: Mapping[str, npt.NDArray[Any]], config: Mapping[str, Any]) -> str:
    """64 hexadecimal digits over names, types, shapes and values."""
    digest = hashlib.sha256(_CONTENT)
    head = [[name, np.asarray(array).dtype.str, np.shape(array)] for name, array in arrays.items()]
    values = {name: value.hex() if isinstance(value, bytes) else value for name, value in config.items()}
    digest.update(json.dumps([head, sorted(values.items())], ensure_ascii=False).encode())
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def parts_digest(parts: Sequence[bytes]) -> bytes:
    """32 bytes over envelopes, each with its length."""
    digest = hashlib.sha256(_PARTS)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
