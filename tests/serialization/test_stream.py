"""Arrays in pieces: HAZARDS rows 31, 34 to 36, 39 and 61."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from vecphe import (
    BatchTooLargeError,
    EncryptedArray,
    InvalidCiphertextError,
    KeyMismatchError,
    PrivateKey,
    PublicKey,
    SerializationError,
    VecpheError,
)
from vecphe.serialization.frames import Kind, build_frame

Keypair = tuple[PublicKey, PrivateKey]
X = np.arange(-10.0, 11.0).reshape(3, 7) / 8


def cut(data: bytes, length: int) -> list[bytes]:
    return [data[i : i + length] for i in range(0, len(data), length)]


@pytest.fixture(params=[False, True, "rows"], scope="module")
def frame(request: pytest.FixtureRequest, keypair: Keypair) -> bytes:
    return keypair[0].encrypt(X, packed=request.param).to_bytes()


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three ciphertexts a piece."""
    monkeypatch.setattr("vecphe.array.data._BYTES_AT_ONCE", 400)


@pytest.mark.parametrize("length", [1, 7, 26, 100, 128, 129, 10**6])
@pytest.mark.usefixtures("small_pieces")
def test_pieces_of_any_length_make_the_array(keypair: Keypair, frame: bytes, length: int) -> None:
    array = EncryptedArray.from_chunks(keypair[0], cut(frame, length))
    assert array.to_bytes(rerandomize=False) == frame
    assert array.format == EncryptedArray.from_bytes(keypair[0], frame).format
    assert not array.is_fresh
    assert keypair[1].decrypt(array).tolist() == X.tolist()


@pytest.mark.usefixtures("small_pieces")
def test_the_pieces_are_the_bytes(keypair: Keypair) -> None:
    c = keypair[0].encrypt(X)
    pieces = list(c.iter_bytes())
    assert b"".join(pieces) == c.to_bytes()
    assert len(pieces) == 2 + 7 + 1
    assert max(map(len, pieces)) <= 400
    nothing = keypair[0].encrypt(np.zeros((0, 3)))
    assert EncryptedArray.from_chunks(keypair[0], nothing.iter_bytes()).shape == (0, 3)


def test_kinds_of_pieces_and_files(keypair: Keypair, frame: bytes) -> None:
    pieces: list[Any] = [frame[:50], bytearray(frame[50:90]), b"", memoryview(frame[90:])]
    asked = []

    class Reads:
        """As a socket's file, or one in a remote store: it can be read and no more."""

        def __init__(self) -> None:
            self._file = io.BytesIO(frame)

        def read(self, count: int) -> bytes:
            asked.append(count)
            return self._file.read(min(count, 100))

    for source in (pieces, iter(pieces), io.BytesIO(frame), Reads()):
        assert EncryptedArray.from_chunks(keypair[0], source).shape == X.shape
    assert min(asked) >= 1 << 10


def test_through_a_socket(keypair: Keypair) -> None:
    c = keypair[0].encrypt(np.arange(500))
    here, there = socket.socketpair()

    def send() -> None:
        with here:
            for piece in c.iter_bytes():
                here.sendall(piece)

    thread = threading.Thread(target=send)
    thread.start()
    with there:
        received = EncryptedArray.from_chunks(keypair[0], iter(lambda: there.recv(777), b""))
    thread.join()
    assert keypair[1].decrypt(received).tolist() == list(range(500))


def test_h35_one_bit_flipped_anywhere(keypair: Keypair, frame: bytes) -> None:
    """Header, ciphertexts and checksum alike."""
    for place in (*range(200), *range(200, len(frame), 41), *range(len(frame) - 16, len(frame))):
        damaged = bytearray(frame)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(VecpheError):
            EncryptedArray.from_chunks(keypair[0], cut(bytes(damaged), 64))
    with pytest.raises(SerializationError, match="the checksum is wrong"):
        EncryptedArray.from_chunks(keypair[0], [frame[:-1], bytes([frame[-1] ^ 1])])


def test_h35_truncated_at_every_byte_and_bytes_too_many(keypair: Keypair, frame: bytes) -> None:
    for stop in (*range(150), *range(150, len(frame), 37), *range(len(frame) - 17, len(frame))):
        with pytest.raises(SerializationError):
            EncryptedArray.from_chunks(keypair[0], cut(frame[:stop], 50))
    for more in ([b"\0"], [b"", b"x"], [frame]):
        with pytest.raises(SerializationError, match="bytes after the end"):
            EncryptedArray.from_chunks(keypair[0], [frame, *more])


def test_no_piece_is_asked_for_that_is_not_needed(keypair: Keypair, frame: bytes) -> None:
    def pieces(*parts: bytes) -> Iterator[bytes]:
        yield from parts
        pytest.fail("asked for more")

    for parts in ([frame, b"x"], [frame[:-1], frame[-1:], b"", b"x"], [frame + b"x"]):
        with pytest.raises(SerializationError, match="there are bytes after the end of the array"):
            EncryptedArray.from_chunks(keypair[0], pieces(*parts))
    with pytest.raises(SerializationError, match="the checksum is wrong"):
        EncryptedArray.from_chunks(keypair[0], pieces(frame[:-1] + bytes([frame[-1] ^ 1])))
    with pytest.raises(KeyMismatchError):
        EncryptedArray.from_chunks(keypair[0], pieces(frame[:10] + bytes(16) + frame[26:300]))


def with_shape(frame: bytes, *shape: int) -> Iterator[bytes]:
    """The header of a frame with the lengths of another shape of two dimensions, and zeros for as long as one reads."""
    head = bytearray(frame[:2000])
    at = 26 + 4 + 1 + 1 + 2 + 8 + 4 + 8 + 4 + 4
    for i, length in enumerate(shape):
        head[at + 8 * i : at + 8 * i + 8] = length.to_bytes(8, "little")
    yield bytes(head)
    while True:
        yield bytes(1 << 20)


@pytest.mark.parametrize(("length", "error"), [(2**62, SerializationError), (2**45, BatchTooLargeError)])
def test_h35_h61_a_header_that_promises_too_much(keypair: Keypair, length: int, error: type[Exception]) -> None:
    """Whatever follows is not read."""
    frame = keypair[0].encrypt(X).to_bytes()
    read: list[int] = []
    pieces = (read.append(len(piece)) or piece for piece in with_shape(frame, length, 7))  # type: ignore[func-returns-value]
    with pytest.raises(error):
        EncryptedArray.from_chunks(keypair[0], pieces)
    assert len(read) == 1


def test_h35_a_long_header_in_short_pieces_takes_linear_time(public_key: PublicKey, monkeypatch: Any) -> None:
    from vecphe.serialization import frame_with_columns, stream

    names = [f"column {i}" for i in range(5000)]
    frame = frame_with_columns(public_key.encrypt(np.zeros((0, 5000))).to_bytes(), names)
    calls = []
    original = stream.array_header
    monkeypatch.setattr(stream, "array_header", lambda *a: calls.append(len(a[1])) or original(*a))
    assert EncryptedArray.from_chunks(public_key, cut(frame, 8)).shape == (0, 5000)
    assert sum(calls) < 3 * len(frame)


def test_h34_h36_of_another_key_or_kind(keypair: Keypair, other_keypair: Keypair, frame: bytes) -> None:
    with pytest.raises(KeyMismatchError):
        EncryptedArray.from_chunks(other_keypair[0], [frame])
    with pytest.raises(SerializationError, match="load it with PublicKey"):
        EncryptedArray.from_chunks(keypair[0], [keypair[0].to_bytes()])
    with pytest.raises(SerializationError, match="version 2"):
        EncryptedArray.from_chunks(keypair[0], [frame[:8] + b"\2" + frame[9:]])
    with pytest.raises(SerializationError, match="magic"):
        EncryptedArray.from_chunks(keypair[0], [b"{" + frame[1:]])
    with pytest.raises(SerializationError, match="magic"):
        EncryptedArray.from_chunks(keypair[0], [])


@pytest.mark.usefixtures("small_pieces")
def test_h31_a_ciphertext_that_is_none_in_a_later_piece(keypair: Keypair) -> None:
    """With a checksum that is right."""
    public_key = keypair[0]
    frame = public_key.encrypt(np.arange(9)).to_bytes()
    width = 128
    start = len(frame) - 16 - 9 * width
    for bad in (0, public_key.n, public_key.n**2, keypair[1].p):
        body = bytearray(frame[26:-16])
        at = start - 26 + 7 * width
        body[at : at + width] = bad.to_bytes(width, "little")
        damaged = build_frame(Kind.ARRAY, public_key.fingerprint, bytes(body))
        with pytest.raises(InvalidCiphertextError):
            EncryptedArray.from_chunks(public_key, [damaged])
        with pytest.raises(InvalidCiphertextError):
            list(keypair[1].decrypt_chunks([damaged]))


@pytest.mark.parametrize("cut", [0, 100, 800, None])
def test_h35_none_is_no_end(keypair: Keypair, frame: bytes, cut: int | None) -> None:
    """It is what a file or socket that does not block gives while nothing has come yet."""
    cut = len(frame) if cut is None else cut
    with pytest.raises(TypeError, match="each chunk must be bytes, not NoneType"):
        EncryptedArray.from_chunks(keypair[0], [frame[:cut], None, frame[cut:], b"more"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="each chunk must be bytes, not NoneType"):
        list(keypair[1].decrypt_chunks([frame[:cut], None, frame[cut:]]))  # type: ignore[list-item]


@pytest.mark.parametrize("source", [b"bytes", "text", 5, None])
def test_h36_what_chunks_cannot_be(public_key: PublicKey, source: Any) -> None:
    with pytest.raises(TypeError, match="chunks must be an iterable of bytes, or a binary file"):
        EncryptedArray.from_chunks(public_key, source)
    with pytest.raises(TypeError, match="each chunk must be bytes, not str"):
        EncryptedArray.from_chunks(public_key, ["text"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="each chunk must be bytes, not int"):
        EncryptedArray.from_chunks(public_key, [1, 2])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"from_chunks\(public_key, chunks\)"):
        EncryptedArray.from_chunks(source)


@pytest.mark.usefixtures("small_pieces")
def test_h39_what_is_not_fresh_leaves_re_randomised(keypair: Keypair) -> None:
    c = keypair[0].encrypt(np.arange(5))
    zero = c - c
    back = EncryptedArray.from_chunks(keypair[0], zero.iter_bytes())
    assert 1 not in back.ciphertexts(rerandomize=False)
    assert zero.ciphertexts(rerandomize=False) == [1] * 5
    bare = EncryptedArray.from_chunks(keypair[0], zero.iter_bytes(rerandomize=False))
    assert bare.ciphertexts(rerandomize=False) == [1] * 5
    other = keypair[0].encrypt(np.arange(5))
    shifted = other + 1
    first = b"".join(other.iter_bytes())
    assert first == other.to_bytes()
    assert not shifted.is_fresh  # it shares randomizers with what has left


def test_h39_an_array_that_is_changed_while_it_leaves_leaves_as_it_was(keypair: Keypair) -> None:
    c = keypair[0].encrypt([1, 2, 3])
    pieces = c.iter_bytes()
    c[0] = keypair[0].encrypt(9)
    assert keypair[1].decrypt(EncryptedArray.from_chunks(keypair[0], pieces)).tolist() == [1, 2, 3]
