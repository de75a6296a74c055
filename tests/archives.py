"""Archives that are damaged."""

from __future__ import annotations


def damaged(archive: bytes, first: str, damage: str) -> bytes:
    """A .zip file whose first member has zeros for "content", or says to be "encrypted" or of an unknown "method"."""
    data = bytearray(archive)
    start, directory = 30 + len(first), data.index(b"PK\x01\x02")
    if damage == "content":
        data[start : start + 40] = bytes(40)
    elif damage == "encrypted":
        data[directory + 8] |= 1
        data[6] |= 1
    elif damage == "method":
        data[directory + 10] = data[8] = 77
    return bytes(data)
