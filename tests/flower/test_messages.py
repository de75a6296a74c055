"""Digests, as every party computes them."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from vecphe.flower import Reply
from vecphe.flower.messages import content_digest, parts_digest


def test_the_digest_of_what_is_sent_is_what_other_versions_compute() -> None:
    arrays = {"b": np.arange(6.0).reshape(2, 3).T, "\u00e4": np.int8(5)}
    config = {"z": 1.5, "a": b"\x01\xff", "n": "\u00fc"}
    head = [["b", "<f8", [3, 2]], ["\u00e4", "|i1", []]]
    text = json.dumps([head, [["a", "01ff"], ["n", "\u00fc"], ["z", 1.5]]], ensure_ascii=False)
    values = np.array([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]).tobytes() + b"\x05"
    expected = hashlib.sha256(b"vecphe flower content\x00" + text.encode() + values).hexdigest()
    assert content_digest(arrays, config) == content_digest(arrays, dict(reversed(config.items()))) == expected


def test_the_digest_of_parts_has_their_lengths() -> None:
    parts = [b"ab", b"", b"x" * 300]
    content = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    assert parts_digest(parts) == hashlib.sha256(b"vecphe flower parts\x00" + content).digest()


def test_replies_are_equal_however_long_they_took() -> None:
    assert Reply((b"a",), seconds=1.0) == Reply((b"a",), seconds=2.0)
    assert Reply((b"a",)) != Reply((b"b",))
