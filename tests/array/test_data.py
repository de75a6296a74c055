"""An array as data: what it shows of itself, its pieces, and who asks for workers when it leaves."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.engines import kinds_of_engines

from vecphe import EncryptedArray, PrivateKey, PublicKey, SerializationError
from vecphe.array import data
from vecphe.array.data import ciphertexts_at_once
from vecphe.array.functions import checked_count, normalized_axes, reciprocals
from vecphe.system import parallel

Keypair = tuple[PublicKey, PrivateKey]


@pytest.mark.parametrize(
    ("length", "count"), [(128, 8192), (1 << 19, 2), ((1 << 20) - 1, 1), (1 << 20, 1), ((1 << 20) + 1, 1), (1 << 30, 1)]
)
def test_a_piece_has_a_megabyte_or_one_ciphertext(length: int, count: int) -> None:
    assert ciphertexts_at_once(SimpleNamespace(ciphertext_bytes=length)) == count  # type: ignore[arg-type]


@pytest.mark.parametrize(("at_once", "pieces"), [(1, 5), (256, 3), (512, 2), (640, 1), (1 << 20, 1)])
def test_pieces_are_the_whole(keypair: Keypair, monkeypatch: pytest.MonkeyPatch, at_once: int, pieces: int) -> None:
    public_key, private_key = keypair
    c = public_key.encrypt(np.arange(5.0))
    whole = c.to_bytes()
    monkeypatch.setattr(data, "_BYTES_AT_ONCE", at_once)
    assert b"".join(c.iter_bytes()) == whole
    assert sum(len(piece) >= 128 for piece in c.iter_bytes()) == pieces
    cuts = [whole[i : i + 50] for i in range(0, len(whole), 50)]
    assert private_key.decrypt(EncryptedArray.from_chunks(public_key, cuts)).tolist() == [0, 1, 2, 3, 4]


def test_what_an_array_shows(public_key: PublicKey) -> None:
    key = f"key {public_key.fingerprint[:8]})"
    c = public_key.encrypt([[1.0, 2.0, 3.0]])
    assert repr(c) == f"EncryptedArray(shape=(1, 3), 3 ciphertexts, {key}"
    assert repr(c[0, 0]) == f"EncryptedArray(shape=(), 1 ciphertext, {key}"
    assert repr(public_key.encrypt([1.0] * 8, packed=True)).endswith(f"(shape=(8,), packed, 2 ciphertexts, {key}")
    assert repr(EncryptedArray.__new__(EncryptedArray, public_key)) == "EncryptedArray(nothing yet)"
    assert (c.shape, c.ndim, c.size, len(c), c.n_ciphertexts, c.terms) == ((1, 3), 2, 3, 1, 3, 1)
    assert (c.nbytes_canonical, c.fingerprint, c.packed, c.layout) == (384, public_key.fingerprint, False, None)
    assert c.nbytes == public_key._context.ring.resident_bytes(c.residues) > 0
    assert (c[0, 0].ndim, c[0, 0].size) == (0, 1)


def test_an_array_is_not_made_by_hand(public_key: PublicKey) -> None:
    for arguments in ((), ([1.0],), (None, public_key), (public_key.n,)):
        with pytest.raises(TypeError) as caught:
            EncryptedArray(*arguments)  # type: ignore[arg-type]
        assert str(caught.value) == "EncryptedArray is not called: public_key.encrypt(x) makes one of numbers"


READS: dict[str, tuple[Callable[..., Any], str]] = {
    "bytes": (EncryptedArray.from_bytes, "from_bytes(public_key, data)"),
    "chunks": (EncryptedArray.from_chunks, "from_chunks(public_key, chunks)"),
    "json": (EncryptedArray.from_json, "from_json(public_key, text)"),
    "file": (EncryptedArray.load, "load(public_key, path)"),
}


@pytest.mark.parametrize("way", READS)
def test_a_key_that_is_left_away_is_missed(public_key: PublicKey, private_key: PrivateKey, way: str) -> None:
    read, call = READS[way]
    for arguments in ((b"",), ("x", public_key), (private_key, b""), (None, None)):
        kind = type(arguments[0]).__name__
        with pytest.raises(TypeError) as caught:
            read(*arguments)
        assert str(caught.value) == f"public_key must be a PublicKey, not {kind}: write EncryptedArray.{call}"
    with pytest.raises(TypeError) as caught:
        read(public_key)
    assert str(caught.value) == f"what to read is missing: write EncryptedArray.{call}"


@pytest.mark.parametrize("packed", [False, True])
def test_h39_a_pickle_holds_what_may_leave_and_is_made_by_one_worker(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    public_key, private_key = keypair
    asked: list[int | None] = []

    def seen(n_jobs: int | None, *rest: int) -> int:
        asked.append(n_jobs)
        return 1

    monkeypatch.setattr(parallel, "effective_jobs", seen)
    bare = public_key.encrypt([1.0, 2.0], packed=packed) * 0
    asked.clear()
    back = pickle.loads(pickle.dumps(bare))
    assert set(asked) == {1}
    assert 1 not in public_key._context.ring.store(back.residues)
    assert private_key.decrypt(back).tolist() == [0.0, 0.0]
    asked.clear()
    bare.to_bytes()
    assert set(asked) == {None}


def test_h39_what_cannot_be_written_spends_no_randomizers(public_key: PublicKey, tmp_path: Path) -> None:
    sprawling = public_key.encrypt(np.zeros((0, (1 << 16) + 1)))
    ways = (sprawling.to_bytes, sprawling.iter_bytes, sprawling.to_json, lambda: sprawling.save(tmp_path / "c.enc"))
    for way in ways:
        with pytest.raises(SerializationError, match="too large for an empty array"):
            way()
        assert sprawling.is_fresh
    assert list(tmp_path.iterdir()) == []
    copied = sprawling + np.zeros(1)
    assert copied.is_fresh
    sprawling.ciphertexts()
    assert not copied.is_fresh


@pytest.mark.parametrize("engine", kinds_of_engines())
def test_an_array_goes_over_to_the_engine_of_another_key(keypair: Keypair, engine: str) -> None:
    """As it is where the engine is the same, with its randomizers where it is not."""
    public_key, private_key = keypair
    same, other = (PublicKey(public_key.n, insecure=True, engine=name) for name in (None, engine))
    c = public_key.encrypt([1.0, -2.0])
    assert c._under(same) is c
    moved = c._under(other)
    assert (moved.public_key, moved.shape, moved.format) == (other, c.shape, c.format)
    assert other._context.ring.store(moved.residues) == public_key._context.ring.store(c.residues)
    assert (moved is c) == (other._context.ring is public_key._context.ring)
    moved.to_bytes()
    assert (c + 1.0).is_fresh is False
    assert private_key.decrypt(c + other.encrypt([1.0, 1.0])).tolist() == [2.0, -1.0]


# What is asked of arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axis", "ndim", "axes"),
    [
        *((None, 0, ()), (None, 3, (0, 1, 2)), (0, 3, (0,)), (-1, 3, (2,)), (-3, 3, (0,)), (2, 3, (2,))),
        *(((), 3, ()), ((2, 0), 3, (2, 0)), ((-1, -3), 3, (2, 0)), (np.int64(1), 3, (1,)), ((0,), 1, (0,))),
    ],
)
def test_axes_are_counted_as_numpy_does(axis: Any, ndim: int, axes: tuple[int, ...]) -> None:
    assert normalized_axes(axis, ndim) == axes
    assert np.zeros((1,) * ndim).sum(axis).ndim == ndim - len(axes)


@pytest.mark.parametrize("axis", [3, -4, (0, 3), (-4, 1), 2**70, -(2**70)])
def test_axes_that_there_are_not(axis: Any) -> None:
    with pytest.raises(np.exceptions.AxisError) as caught:
        normalized_axes(axis, 3)
    assert str(caught.value) == f"axis {axis} is out of bounds for an array of dimension 3"


@pytest.mark.parametrize("axis", [(0, 0), (0, -3), (2, 1, -1)])
def test_axes_twice(axis: Any) -> None:
    with pytest.raises(ValueError, match="duplicate value in axis"):
        normalized_axes(axis, 3)


@pytest.mark.parametrize("axis", [0.0, "0", (0, None), [0]])
def test_axes_that_are_none(axis: Any) -> None:
    with pytest.raises(TypeError):
        normalized_axes(axis, 3)


def test_counts_are_integers_from_the_least_on() -> None:
    for value, least in ((0, 0), (1, 0), (1, 1), (2**70, 1), (np.uint8(3), 1), (np.int64(0), 0)):
        assert (checked_count("k", value, least), type(checked_count("k", value, least))) == (int(value), int)
    for value, least, told in (
        *((0, 1, "k must be positive, not 0"), (-1, 1, "k must be positive, not -1")),
        *((-1, 0, "k must be at least 0, not -1"), (np.int8(-3), 0, "k must be at least 0, not -3")),
    ):
        with pytest.raises(ValueError, match="must be") as caught:
            checked_count("k", value, least)
        assert str(caught.value) == told
    for value in (True, np.False_, 1.0, np.float64(1), "1", None, [1]):
        with pytest.raises(TypeError) as wrong:
            checked_count("k", value, 0)
        assert str(wrong.value) == f"k must be an int, not {type(value).__name__}"


@pytest.mark.parametrize("dtype", ["i8", "u8", "O", "f8"])
def test_reciprocals_of_every_kind(dtype: str) -> None:
    divisors = np.array([[1, 2], [3, 7]], dtype=dtype)
    found = reciprocals(divisors)
    assert (found.dtype, found.tolist()) == (np.float64, [[1.0, 0.5], [1 / 3, 1 / 7]])
    assert reciprocals(divisors[0, 0:0]).shape == (0,)
    for place in ((0, 0), (1, 1)):
        zero = divisors.copy()
        zero[place] = 0
        with pytest.raises(ZeroDivisionError, match=r"^division of an encrypted array by zero$"):
            reciprocals(zero)
