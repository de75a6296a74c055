"""What keys hand on: engines, options, limits and the words of errors (HAZARDS rows 2, 14, 43, 46 and 61)."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import phe
import pytest

import vecphe
from vecphe import BatchTooLargeError, EncryptedArray, FixedPoint, LayoutMismatchError, PrivateKey, PublicKey
from vecphe.errors import EngineUnavailableError
from vecphe.keys import EncryptedChunks, generation, private_key, public_key
from vecphe.keys.chunks import DecryptedChunks, aligned_values, rows_at_once

Keypair = tuple[PublicKey, PrivateKey]
PARTS = "encrypt it part by part into a file: public_key.encrypt_chunks(x{}).save('x.enc')"


@pytest.mark.parametrize("engine", ["gmp", "portable"])
def test_h46_every_way_in_takes_the_engine(keypair: Keypair, tmp_path: Path, engine: str) -> None:
    for key, name in zip(keypair, ("public", "private"), strict=True):
        kind, options = type(key), {"insecure": True, "engine": engine}
        key.save(tmp_path / name)
        key.save(tmp_path / f"{name}.json")
        for made in (
            kind.from_bytes(key.to_bytes(), **options),
            kind.from_json(key.to_json(), **options),
            kind.from_jwk(key.to_jwk(), **options),
            kind.from_phe(key.to_phe(phe), **options),
            kind.load(tmp_path / name, **options),
            kind.load(tmp_path / f"{name}.json", **options),
        ):
            assert (made, made.engine) == (key, engine)
    public, private = keypair
    made = PrivateKey(public, private.p, private.q, engine=engine)
    assert (made.engine, made.public_key.engine, made.public_key.randomizers) == (engine, engine, "djn")
    textbook = PublicKey(public.n, insecure=True, randomizers="textbook", engine=engine)
    assert (textbook.engine, textbook.randomizers) == (engine, "textbook")
    assert PrivateKey(textbook, private.p, private.q).public_key is textbook
    assert PrivateKey(textbook, private.p, private.q, engine="gmp").public_key.randomizers == "textbook"
    for made, _ in (vecphe.generate_keypair(256, True, engine=engine),):
        assert made.engine == engine


def test_h46_an_engine_that_does_not_run_is_told_before_a_prime_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refused(*given: Any) -> None:
        asked.append(given)
        raise EngineUnavailableError("it does not run here")

    monkeypatch.setattr(generation, "random_prime_pair", lambda _: pytest.fail("a prime was drawn"))
    monkeypatch.setattr(generation, "engine_for", refused)
    with pytest.raises(EngineUnavailableError, match="it does not run here"):
        vecphe.generate_keypair(512, insecure=True, engine="gmp")
    assert asked == [(1 << 511, "gmp")]


def test_a_key_that_has_nothing_yet_has_a_repr() -> None:
    for kind, text in (
        (PublicKey, "PublicKey(no number yet)"),
        (PrivateKey, "PrivateKey(no primes yet)"),
        (EncryptedChunks, "EncryptedChunks(nothing yet)"),
        (DecryptedChunks, "DecryptedChunks(nothing yet)"),
    ):
        assert repr(kind.__new__(kind)) == text


def test_h15_keys_are_compared_with_anything(keypair: Keypair, other_keypair: Keypair) -> None:
    for key, other in zip(keypair, other_keypair, strict=True):
        same = type(key).from_bytes(key.to_bytes(), insecure=True)
        assert key == key == same
        assert hash(key) == hash(same) != hash(other)
        assert not any(key == unlike for unlike in (other, None, 5, "key", *set(keypair) - {key}))
        assert all(key != unlike for unlike in (other, None, 5, "key", *set(keypair) - {key}))


def test_h14_how_a_decryption_is_shared(keypair: Keypair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among processes of this machine, and none of them gets little."""
    asked = []
    shared = private_key.map_chunks
    monkeypatch.setattr(private_key, "map_chunks", lambda *args, **kw: asked.append((args, kw)) or shared(*args, **kw))
    public, private = keypair
    assert private.decrypt(public.encrypt([1.5, 2.0]), n_jobs=1).tolist() == [1.5, 2.0]
    ((*_, count, n_jobs), options) = asked[0]
    assert (count, n_jobs) == (2, 1)
    away = options.pop("away")
    assert (type(away).__name__, away._p, away._q) == ("_DecryptAway", private.p, private.q)
    assert options == {"least": public._context.engine.tuning.decrypt_task, "private": True}


@pytest.mark.parametrize(
    ("values", "slots", "aligned"),
    [(0, 1, 1), (1, 1, 1), (9, 1, 9), (0, 7, 7), (6, 7, 7), (7, 7, 7), (13, 7, 7), (14, 7, 14), (15, 7, 14)],
)
def test_parts_fill_whole_ciphertexts(values: int, slots: int, aligned: int) -> None:
    assert aligned_values(values, slots) == aligned


@pytest.mark.parametrize(
    ("shape", "values", "rows"),
    [
        *(((10, 3), values, rows) for values, rows in ((0, 1), (2, 1), (3, 1), (5, 1), (6, 2), (9, 3))),
        *(((5, 2, 3), values, rows) for values, rows in ((6, 1), (11, 1), (12, 2), (60, 10))),
        *(((10,), values, values or 1) for values in (0, 1, 5)),
        *(((), 5, 5), ((10, 0), 5, 5), ((10, 0, 7), 5, 5)),
    ],
)
def test_rows_of_a_part(shape: tuple[int, ...], values: int, rows: int) -> None:
    assert rows_at_once(shape, values) == rows


@pytest.mark.parametrize(("packed", "sizes"), [(False, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]), (True, [21, 9])])
def test_parts_where_nothing_is_asked_for(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch, packed: bool, sizes: list[int]
) -> None:
    """So many ciphertexts each, in rows and in pieces of the binary form."""
    monkeypatch.setattr(public_key, "_CIPHERTEXTS_AT_ONCE", 3)
    x = np.arange(30.0)
    assert [len(part) for part in keypair[0].encrypt_chunks(x, packed=packed)] == sizes
    chunks = keypair[0].encrypt_chunks(x.reshape(10, 3), packed=packed)
    assert [part.size for part in chunks] == sizes
    pieces = list(keypair[0].encrypt_chunks(x, packed=packed).iter_bytes())
    assert [len(piece) // 128 for piece in pieces[2:-1]] == [-(-size // (7 if packed else 1)) for size in sizes]


def test_an_array_of_no_rows_goes_through_once_too(public_key: PublicKey) -> None:
    for x in (np.zeros(0), np.zeros((0, 3)), np.zeros((2, 0)), np.float64(1.5)):
        chunks = public_key.encrypt_chunks(x)
        b"".join(chunks.iter_bytes())
        assert list(chunks) == []
        with pytest.raises(ValueError, match="some parts are encrypted already"):
            chunks.iter_bytes()
        assert sum(len(part) if part.ndim else 1 for part in public_key.encrypt_chunks(x)) == (len(x) if x.ndim else 1)


@pytest.mark.parametrize("order", ["C", "F"])
def test_h61_an_array_is_never_copied_as_a_whole(order: Any) -> None:
    x = np.zeros((1000, 500), order=order)
    views = []

    def look(part: Any, _: str) -> bytes:
        views.append(np.shares_memory(part, x))
        return b""

    chunks = EncryptedChunks(x, 1, 1000, lambda *_: pytest.fail("rows"), look, lambda parts: parts)
    tracemalloc.start()
    try:
        assert b"".join(chunks.iter_bytes()) == b""
        assert tracemalloc.get_traced_memory()[1] < x.nbytes / 20
    finally:
        tracemalloc.stop()
    assert views == [order == "C"] * 500


def test_h61_what_is_cut_into_parts_is_looked_at_without_its_values(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, private = keypair
    sizes = []
    look = public_key.as_plain_array
    monkeypatch.setattr(public_key, "as_plain_array", lambda x, *name: sizes.append(np.size(x)) or look(x, *name))
    for dtype in ("f4", ">f8", "i2", "u8", "?"):
        x = np.ones((4, 2), dtype)
        assert public.encrypt_chunks(x)._values is x
    assert sizes == [0] * 5
    public.encrypt_chunks(np.float64(2.0))
    assert sizes[5:] == [1, 1]
    wide = np.array([2**70, -1, 3], dtype=object)
    assert not next(public.encrypt_chunks([1.0])).packed
    (part,) = public.encrypt_chunks(wide, encoding=FixedPoint(0, 2**80))
    assert private.decrypt(part).tolist() == wide.tolist()


@pytest.mark.parametrize(
    ("packed", "hint"),
    [
        (False, "use packed=True, or " + PARTS.format("")),
        (True, PARTS.format(", packed=True")),
        ("rows", PARTS.format(", packed='rows'")),
    ],
)
def test_h61_what_to_do_where_there_is_no_memory(
    public_key: PublicKey, monkeypatch: pytest.MonkeyPatch, packed: Any, hint: str
) -> None:
    def fails(error: Exception) -> None:
        def encrypt(*_: object) -> None:
            raise error

        monkeypatch.setattr(public_key._source, "encrypt", encrypt)
        with pytest.raises(BatchTooLargeError) as caught:
            public_key.encrypt([[1.0, 2.0]], packed=packed)
        texts.append(str(caught.value))

    texts: list[str] = []
    fails(MemoryError())
    fails(BatchTooLargeError("as it was"))
    assert texts == [f"there is no memory to encrypt so much at once; {hint}", "as it was"]
    monkeypatch.undo()
    asked = []
    monkeypatch.setattr("vecphe.keys.public_key.check_memory", lambda *given: asked.append(given))
    public_key.encrypt([[1.0, 2.0]], packed=packed)
    assert [(told, instead) for _, told, instead in asked] == [("encrypting 2 values", hint)]


@pytest.mark.parametrize(("bits", "words"), [(62, 1), (63, 1), (64, 2), (65, 2), (127, 2), (128, 3)])
def test_h61_words_of_a_value(public_key: PublicKey, monkeypatch: pytest.MonkeyPatch, bits: int, words: int) -> None:
    """As many as the magnitude and its sign take."""
    asked = []
    monkeypatch.setattr("vecphe.keys.public_key.check_memory", lambda needed, *_: asked.append(needed))
    encoding = FixedPoint(0, 2 ** (bits - 1))
    assert encoding.unit.bit_length() == bits
    public_key.encrypt([1.0] * 4, encoding=encoding)
    assert asked == [4 * 128 * 5 // 2 + 4 * words * 8]


def test_h61_ciphertexts_from_outside_have_room(public_key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("vecphe.keys.public_key.check_room", lambda ring, count: asked.append(count))
    good = public_key.encrypt([1, 2, 3]).ciphertexts()
    array = public_key.from_ciphertexts(good)
    assert asked == [3]
    assert (array.format.terms, array.format.integer, array.packed, array.shape) == (1, False, False, (3,))
    public_key.precompute(2)
    assert asked == [3, 2]


class Size(tuple[int, ...]):
    """As that of torch."""


def test_shapes_of_ciphertexts_from_outside(keypair: Keypair) -> None:
    public, private = keypair
    good = public.encrypt([1, 2]).ciphertexts()
    array = public.from_ciphertexts(good, shape=Size((2, 1)), integer=True, encoding=FixedPoint(112, 2**64).integral)
    assert (type(array.shape), private.decrypt(array).tolist()) == (tuple, [[1], [2]])
    assert private.decrypt(public.from_ciphertexts(iter(good))).tolist() == [1 / 2**112, 2 / 2**112]
    for shape in ((1 << 40, 1 << 40), (1 << 32, 1 << 32), (1 << 62, 4)):
        with pytest.raises(LayoutMismatchError, match="0 ciphertexts cannot hold an array of shape"):
            public.from_ciphertexts([], shape=shape)
    rows = public.encrypt([[1.0], [2.0]], packed="rows")
    assert public.from_ciphertexts(rows.ciphertexts(), packed="rows").format == rows.format
    assert private.decrypt(public.from_ciphertexts(rows.ciphertexts(), packed="rows")).tolist() == [1.0, 2.0]
    packed = public.encrypt(np.arange(14.0), packed=True)
    assert public.from_ciphertexts(packed.ciphertexts(), packed=True).shape == (14,)


def test_randomizers_are_made_in_the_background_from_one_on(keypair: Keypair, monkeypatch: pytest.MonkeyPatch) -> None:
    key = PublicKey(keypair[0].n, insecure=True)
    prepared = []
    prepare = key._source.prepare
    monkeypatch.setattr(key._source, "prepare", lambda count: prepared.append(count) or prepare(count))
    with key.background_randomizers(1):
        pass
    key.prepare(7)
    assert prepared == [1, 7]
    for bad in (0, -1):
        with pytest.raises(ValueError, match="target must be positive"), key.background_randomizers(bad):
            pass
    for bad in (-1, -5):
        with pytest.raises(ValueError, match=f"count must be at least 0, not {bad}"):
            key.precompute(bad)


def test_several_arrays_are_checked_by_name(keypair: Keypair) -> None:
    public, private = keypair
    for arrays, kind in (({"a": [1, 2], "b": [3]}, "i"), ({"a": [1, 2], "b": [3.5]}, "f")):
        many = public.encrypt_many(arrays)
        assert many.array.packed
        assert {name: part.dtype.kind for name, part in private.decrypt_many(many).items()} == {"a": kind, "b": kind}
    with pytest.raises(vecphe.PlaintextOverflowError, match=r"magnitude of .*b"):
        public.encrypt_many({"a": [1.0], "b": [1e30]})
    wide = public.encrypt_many([[2**50]])
    assert private.decrypt_many(wide)[0].tolist() == [2**50]
    assert isinstance(wide.array, EncryptedArray)
