"""Time and memory of every reader grow with its input, whether that is one long part or many short ones (row 77)."""

from __future__ import annotations

import io
import json
import signal
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import click
import numpy as np
import phe
import pytest

from vecphe import EncryptedArray, PrivateKey, PublicKey, from_phe
from vecphe.bench.baseline import load_baseline
from vecphe.bench.results_file import load_results
from vecphe.cli.inspection import facts_of
from vecphe.cli.table import parse_values
from vecphe.errors import SerializationError
from vecphe.federated.data import load_csv, shards_from_table
from vecphe.phe.command_line import load_encrypted_number
from vecphe.phe.paillier import PaillierPublicKey

SIZE = 150_000  # bytes of an input
MOST_SECONDS = 8  # of CPU: far beyond what a linear reader takes, and what a quadratic one would


@contextmanager
def limited(most_bytes: int) -> Iterator[None]:
    """Not more memory than this at once; and end what computes without end."""

    def too_long(*_: FrameType | int | None) -> None:
        raise AssertionError(f"more than {MOST_SECONDS} s")

    before = signal.signal(signal.SIGVTALRM, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most_bytes
    finally:
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def repeated(part: str, before: str = "", after: str = "") -> bytes:
    return f"{before}{part * (SIZE // len(part))}{after}".encode()


def numbered(template: str, count: int, separator: str = ",") -> str:
    return separator.join(template.format(i) for i in range(count))


CSV = {
    "one long cell": b"a,g,y\n" + b"1" * 130_000 + b",x,2\n",
    "one long group": f"a,g,y\n1,{'n' * 130_000},2\n".encode() + repeated("1,x,2\n"),
    "one long cell beyond the limit": b"a,g,y\n" + b"1" * SIZE + b",x,2\n",
    "one long name": b"a" * 130_000 + b",g,y\n1,x,2\n",
    "40,000 names": f"{numbered('x{}', 40_000)},g,y\n{'1,' * 40_000}x,2\n{'3,' * 40_000}z,4\n".encode(),
    "40,000 equal names": ("x," * 40_000 + "g,y\n1").encode(),
    "40,000 groups": f"a,g,y\n{numbered('{0},g{0},1', 40_000, chr(10))}\n".encode(),
    "few groups": f"a,g,y\n{numbered('{0},g,1', 20_000, chr(10))}\n".encode(),
    "short cells": b"a,g,y\n" + repeated("1,x,2\n"),
    "short lines": repeated("1\n"),
    "one line of short cells": repeated("1,", after="1"),
    "fractions": repeated("1.5\n"),
    "large integers": repeated("9007199254740993\n"),
    "empty lines": repeated("\n", before="a,g,y\n"),
    "commas": repeated(","),
    "quotes": repeated('"'),
    "a long quoted cell": repeated("x", before='"', after='"\n'),
}


@pytest.mark.parametrize("content", CSV)
@pytest.mark.parametrize("reader", ["run", "encrypt"])
def test_h77_tables(tmp_path: Path, reader: str, content: str) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(CSV[content])
    with limited(45 * len(CSV[content]) + 500_000), suppress(ValueError):
        if reader == "run":
            shards_from_table(load_csv(path, "y", "g"), 3)
        else:
            parse_values(path.read_bytes(), "x")


def npy(header: bytes, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header + body


SHAPED = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%s)}"
NPY = {
    "many numbers": npy(SHAPED % f"{SIZE // 8},".encode(), bytes(SIZE)),
    "a long header": npy(SHAPED % b"1," + b" " * SIZE, bytes(8)),
    "many dimensions": npy(SHAPED % (b"1," * (SIZE // 2)), bytes(8)),
    "many brackets": npy(b"[" * SIZE),
    "a claim": npy(SHAPED % b"1000000000,", bytes(8)),
    "booleans": npy(SHAPED.replace(b"<f8", b"|b1") % f"{SIZE},".encode(), bytes(SIZE)),
}


@pytest.mark.parametrize("content", NPY)
def test_h77_npy(content: str) -> None:
    with limited(30 * len(NPY[content]) + 1_000_000), suppress(ValueError):
        parse_values(NPY[content], "x")


HEAD = '{"format": "vecphe", "version": 1, '
JSON = {
    "empty lists": repeated("[],", "[", "[]]"),
    "empty lists in a field": repeated("[],", HEAD + '"ciphertexts": [', "[]]}"),
    "empty objects": repeated("{},", HEAD + '"shape": [', "{}]}"),
    "nested lists": repeated("["),
    "nested objects": repeated('{"a":'),
    "many fields": (HEAD + numbered('"k{}": 1', SIZE // 12) + "}").encode(),
    "a field many times": repeated('"k":1,', "{", '"k":1}'),
    "short strings": repeated('"AQ",', HEAD + '"ciphertexts": [', '"AQ"]}'),
    "small numbers": repeated("1,", HEAD + '"shape": [', "1]}"),
    "one long string": repeated("A", HEAD + '"n": "', '"}'),
    "one long number": repeated("1", HEAD + '"n": ', "}"),
    "one long name": repeated("A", '{"', '": 1}'),
    "spaces": repeated(" ", "{", "}"),
    "escapes": repeated("\\u0041", '{"a": "', '"}'),
    "a frame": b"\x89VECPHE\n" + bytes(SIZE),
}
JSON_READERS: dict[str, Callable[[Path, PublicKey], object]] = {
    "array": lambda path, key: EncryptedArray.load(key, path),
    "array from JSON": lambda path, key: EncryptedArray.from_json(key, path.read_bytes().decode("latin1")),
    "public key": lambda path, key: PublicKey.from_json(path.read_bytes().decode("latin1")),
    "private key": lambda path, key: PrivateKey.from_json(path.read_bytes().decode("latin1")),
    "public key file": lambda path, key: PublicKey.load(path),
    "public JWK": lambda path, key: PublicKey.from_jwk(path.read_bytes()),
    "private JWK": lambda path, key: PrivateKey.from_jwk(path.read_bytes()),
    "inspect": lambda path, key: facts_of(path.read_bytes()),
    "number of phe": lambda path, key: load_encrypted_number(io.BytesIO(path.read_bytes()), PaillierPublicKey(key.n)),
    "results": lambda path, key: load_results(path),
    "baseline": lambda path, key: load_baseline(path),
}


@pytest.mark.parametrize("content", JSON)
@pytest.mark.parametrize("reader", JSON_READERS)
def test_h77_keys_arrays_and_results(tmp_path: Path, public_key: PublicKey, reader: str, content: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(JSON[content])
    factor = 30 if reader in ("results", "baseline") else 16  # those may have many lists
    with limited(factor * SIZE + 400_000), pytest.raises((ValueError, OSError, click.ClickException)):
        JSON_READERS[reader](path, public_key)


def test_h77_the_parts_that_a_form_has_and_one_more(public_key: PublicKey, tmp_path: Path) -> None:
    """The count of parts refuses nothing that is written here: the largest in number, and the first refused."""
    text = public_key.encrypt(np.ones((1,) * 32), packed=True).to_json()
    parts = sum(text.count(mark) for mark in "[{:")
    assert parts == 30
    assert EncryptedArray.from_json(public_key, text).shape == (1,) * 32
    for extra, message in ((64 - parts, "nested too deeply"), (65 - parts, "few lists, objects and fields")):
        with pytest.raises(SerializationError, match=message):
            EncryptedArray.from_json(public_key, text[:-2] + "[" * extra)
    path = tmp_path / "results.json"
    for extra, message in ((0, "schema"), (1, "more parts than 100000 records")):
        path.write_text(json.dumps({"a": ":" * (5_000_000 - 2 + extra)}))
        with pytest.raises(SerializationError, match=message):
            load_results(path)


class Number:
    """As phe's, and cheap."""

    def __init__(self, key: Any) -> None:
        self.public_key, self.exponent = key, 0

    def ciphertext(self, be_secure: bool = True) -> int:
        return 1


def doubled(number: Any, times: int) -> Any:
    for _ in range(times):
        number = [number, number]
    return number


def test_h77_numbers_whose_lists_are_shared(public_key: PublicKey) -> None:
    number = Number(phe.PaillierPublicKey(public_key.n))
    objects = np.empty(100, object)
    objects[:] = number
    windows = np.lib.stride_tricks.sliding_window_view(np.repeat(objects, 40), 2000)
    for shared in (
        doubled(number, 31),
        doubled([number] * 1000, 20),
        tuple(doubled((number,) * 3, 18)),
        [[[number] * 1000] * 1000] * 1000,
        np.broadcast_to(objects, (10**9, 100)),
        [np.broadcast_to(objects, (10**9, 100))],
        windows,
    ):
        with limited(30_000_000), pytest.raises(ValueError, match=r"share their lists.*index the array"):
            from_phe(public_key, shared)


def test_h77_what_is_shared_within_reason_is_taken(public_key: PublicKey) -> None:
    number = Number(phe.PaillierPublicKey(public_key.n))
    assert from_phe(public_key, [[number] * 3] * 2).shape == (2, 3)
    assert from_phe(public_key, doubled(number, 10)).shape == (2,) * 10
    from vecphe import interop

    interop._check_sharing(1 << 16, 1)
    interop._check_sharing((1 << 17) + 2, (1 << 16) + 1)
    for places, distinct in (((1 << 16) + 1, 1), ((1 << 17) + 3, (1 << 16) + 1)):
        with pytest.raises(ValueError, match="share their lists"):
            interop._check_sharing(places, distinct)
