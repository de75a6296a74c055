"""Requests and replies as records of Flower's messages: parts are arrays of bytes, which Flower cuts and moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from vecphe.errors import SerializationError
from vecphe.flower.messages import Reply, Request

__all__ = ["ARRAYS", "CONFIG", "HEAD", "is_ours", "reply_from", "reply_to_record", "request_from", "request_to_record"]

ARRAYS, CONFIG = "arrays", "config"  # as Flower's own strategies name the model and the configuration of a round
HEAD, PARTS = "vecphe", "vecphe-parts"


def is_ours(content: RecordDict) -> bool:
    """Whether a message is one of the protocol."""
    return HEAD in content


def _parts_to_record(parts: Sequence[bytes]) -> ArrayRecord:
    return ArrayRecord({f"{i}": Array(np.frombuffer(part, np.uint8)) for i, part in enumerate(parts)})


def _arrays_from(record: Any) -> dict[str, npt.NDArray[Any]]:
    if not isinstance(record, ArrayRecord):
        raise TypeError("not an ArrayRecord")
    arrays = {name: array.numpy() for name, array in record.items()}
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise TypeError("not an array but an archive")  # which numpy reads as well
    return arrays


def _parts_from(content: RecordDict) -> tuple[bytes, ...]:
    arrays = _arrays_from(content[PARTS]).values()
    if any(array.dtype != np.uint8 for array in arrays):
        raise TypeError("not arrays of bytes")
    return tuple(array.tobytes() for array in arrays)


def request_to_record(request: Request) -> RecordDict:
    """The content of a message to a party."""
    records: dict[str, Any] = {
        HEAD: ConfigRecord({"kind": request.kind}),
        PARTS: _parts_to_record(request.parts),
    }
    if request.kind == "task":
        records[ARRAYS] = ArrayRecord({name: Array(array) for name, array in request.arrays.items()})
        records[CONFIG] = ConfigRecord(dict(request.config))
    return RecordDict(records)


def request_from(content: RecordDict) -> Request:
    """What the server asks; SerializationError if it is malformed."""
    try:
        kind, parts = str(content[HEAD]["kind"]), _parts_from(content)
        arrays = _arrays_from(content[ARRAYS]) if ARRAYS in content else {}
        config: Mapping[str, Any] = dict(content.config_records[CONFIG]) if CONFIG in content else {}
    except Exception:  # there is no list of what Flower and numpy raise on records that a relay made up
        raise SerializationError("a message of the protocol that is malformed") from None
    return Request(kind, parts, arrays, config)


def reply_to_record(reply: Reply) -> RecordDict:
    """The content of an answer to the server."""
    head = ConfigRecord({"error": reply.error or "", "seconds": reply.seconds})
    return RecordDict({HEAD: head, PARTS: _parts_to_record(reply.parts)})


def reply_from(content: RecordDict) -> Reply:
    """What a party answered."""
    try:
        error, parts = str(content[HEAD]["error"]), _parts_from(content)
        seconds = float(content[HEAD]["seconds"])
    except Exception:  # as above
        return Reply(error="an answer that is none of the protocol")
    return Reply(parts, error or None, seconds)
