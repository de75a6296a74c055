"""Arrays that are encrypted and decrypted part by part: HAZARDS rows 16, 17, 20, 22, 27, 29, 45, 58, 61 and 67."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vecphe import (
    CorruptedAggregateError,
    EncryptedArray,
    FixedPoint,
    InvalidCiphertextError,
    InvalidPlaintextError,
    KeyMismatchError,
    LayoutMismatchError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
    SerializationError,
)

Keypair = tuple[PublicKey, PrivateKey]
tame = st.integers(-(2**20), 2**20).map(lambda i: i / 1024)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few ciphertexts at once, where nothing else is said."""
    monkeypatch.setattr("vecphe.keys.public_key._CIPHERTEXTS_AT_ONCE", 3)
    monkeypatch.setattr("vecphe.array.data._BYTES_AT_ONCE", 400)


@settings(max_examples=25)
@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5), elements=tame),
    st.one_of(st.none(), st.integers(1, 4)),
    st.sampled_from([False, True, "rows"]),
)
def test_the_parts_are_the_array(keypair: Keypair, x: np.ndarray, chunk: int | None, packed: Any) -> None:
    public_key, private_key = keypair
    if packed == "rows" and (not x.ndim or int(np.prod(x.shape[1:])) > 6):
        packed = True
    whole = public_key.encrypt(x, packed=packed)
    parts = [private_key.decrypt(part) for part in public_key.encrypt_chunks(x, chunk=chunk, packed=packed)]
    if x.ndim:
        assert [len(part) for part in parts if chunk] == [
            len(x[i : i + chunk]) for i in range(0, len(x), chunk or 1) if chunk
        ]
        assert np.concatenate([x[:0], *parts]).tolist() == x.tolist()
    else:
        assert [part.tolist() for part in parts] == [x.tolist()]
    chunks = public_key.encrypt_chunks(x, chunk=chunk, packed=packed)
    assert chunks.shape == x.shape
    back = EncryptedArray.from_bytes(public_key, b"".join(chunks.iter_bytes()))
    assert back.format == whole.format
    assert back.shape == x.shape
    assert private_key.decrypt(back).tolist() == x.tolist()
    assert list(chunks) == []
    decrypted = private_key.decrypt_chunks(whole.iter_bytes())
    assert (decrypted.shape, decrypted.dtype) == (x.shape, np.dtype(np.float64))
    assert np.concatenate([np.zeros(0), *decrypted]).tolist() == x.ravel().tolist()


@pytest.mark.parametrize("chunk", [1, 3, 7, 8, 20, 100])
def test_h27_parts_of_a_packed_stream_fill_their_ciphertexts(keypair: Keypair, chunk: int) -> None:
    """All but the last, whatever was asked for: padding within the array would be values of others."""
    x = np.arange(60.0)
    data = b"".join(keypair[0].encrypt_chunks(x, chunk=chunk, packed=True).iter_bytes())
    back = EncryptedArray.from_bytes(keypair[0], data)
    assert back.n_ciphertexts == keypair[0].encrypt(x, packed=True).n_ciphertexts
    assert keypair[1].decrypt(back).tolist() == x.tolist()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("packed", [False, True])
def test_h17_a_file_that_is_mapped(keypair: Keypair, tmp_path: Path, order: Any, packed: bool) -> None:
    """In and out, and never loaded as a whole."""
    public_key, private_key = keypair
    x = np.asarray(np.arange(35.0).reshape(5, 7), dtype=">f4", order=order)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    public_key.encrypt_chunks(mapped, packed=packed).save(tmp_path / "x.enc")
    assert private_key.decrypt(EncryptedArray.load(public_key, tmp_path / "x.enc")).tolist() == x.tolist()
    with open(tmp_path / "x.enc", "rb") as file:
        private_key.decrypt_chunks(file).save(tmp_path / "y.npy")
    y = np.load(tmp_path / "y.npy", mmap_mode="r")
    assert (y.dtype, y.tolist()) == (np.dtype(np.float64), x.tolist())
    assert stat.S_IMODE((tmp_path / "y.npy").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.enc", "x.npy", "y.npy"]


@pytest.mark.parametrize("dtype", [np.int16, np.uint64, np.bool_])
def test_h17_integers_stay_integers(keypair: Keypair, tmp_path: Path, dtype: Any) -> None:
    x = np.arange(9).astype(dtype)
    chunks = keypair[1].decrypt_chunks(keypair[0].encrypt_chunks(x, chunk=4).iter_bytes())
    assert chunks.dtype == np.int64
    chunks.save(tmp_path / "y.npy")
    assert np.load(tmp_path / "y.npy").tolist() == x.astype(np.int64).tolist()


def test_lists_and_integers_of_any_size(keypair: Keypair, tmp_path: Path) -> None:
    public_key, private_key = keypair
    x = [2**70, -1, 5, 7]
    wide = FixedPoint(0, 2**80)
    parts = [private_key.decrypt(part).tolist() for part in public_key.encrypt_chunks(x, chunk=3, encoding=wide)]
    assert parts == [[2**70, -1, 5], [7]]
    stream = public_key.encrypt_chunks(x, encoding=wide).iter_bytes()
    with pytest.raises(ValueError, match="beyond 64 bits"):
        private_key.decrypt_chunks(stream).save(tmp_path / "y.npy")
    assert list(tmp_path.iterdir()) == []


def test_h16_h20_what_is_wrong_is_named_where_it_is(public_key: PublicKey) -> None:
    x = np.zeros((10, 2))
    x[7, 1] = np.nan
    chunks = public_key.encrypt_chunks(x, chunk=4)
    next(chunks)
    with pytest.raises(InvalidPlaintextError, match=r"x\[4:8\] holds NaN or infinity, first at index \(3, 1\)"):
        next(chunks)
    with pytest.raises(InvalidPlaintextError, match=r"numpy.ravel\(x\)\[8:16\] holds NaN .* at index \(7,\)"):
        list(public_key.encrypt_chunks(x, chunk=4).iter_bytes())
    x[7, 1] = 1e30
    with pytest.raises(PlaintextOverflowError, match=r"magnitude of x\[4:8\] at index \(3, 1\)"):
        list(public_key.encrypt_chunks(x, chunk=4, packed=True))
    with pytest.raises(PlaintextOverflowError, match=r"numpy.ravel\(x\)\[14:20\] at index \(1,\)"):
        list(public_key.encrypt_chunks(x, chunk=4, packed=True).iter_bytes())


def test_h60_what_an_error_cuts_off_is_the_next_part_still(public_key: PublicKey) -> None:
    """No part is ever left out: neither one that is wrong nor one during which Ctrl-C came."""
    x = np.arange(9.0)
    x[4] = np.nan
    chunks = public_key.encrypt_chunks(x, chunk=3)
    assert len(next(chunks)) == 3
    for _ in range(2):
        with pytest.raises(InvalidPlaintextError, match=r"x\[3:6\]"):
            next(chunks)
    x[4] = 4.0
    assert [len(chunk) for chunk in chunks] == [3, 3]


def test_h60_a_decryption_that_was_cut_off_does_not_end_as_if_it_were_whole(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = keypair[1].decrypt_chunks([keypair[0].encrypt(np.arange(9.0)).to_bytes()])
    assert next(chunks).tolist() == [0.0, 1.0, 2.0]
    with monkeypatch.context() as patch:
        patch.setattr(PrivateKey, "_decrypt_words", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            next(chunks)
    for _ in range(2):
        with pytest.raises(ValueError, match="cut the decryption off; take decrypt_chunks anew"):
            next(chunks)
    whole = keypair[1].decrypt_chunks([keypair[0].encrypt(np.arange(9.0)).to_bytes()])
    assert [len(part) for part in whole] == [3, 3, 3]
    assert list(whole) == []


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_h61_a_matrix_is_cut_into_parts_too(keypair: Keypair, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of numpy.matrix has two dimensions, however it is flattened."""
    x = np.matrix([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    chunks = keypair[0].encrypt_chunks(x, chunk=1)
    sizes = []
    encrypt = keypair[0]._source.encrypt
    monkeypatch.setattr(
        keypair[0]._source, "encrypt", lambda words, *rest: sizes.append(len(words)) or encrypt(words, *rest)
    )
    back = EncryptedArray.from_chunks(keypair[0], chunks.iter_bytes())
    assert sizes == [3, 3]
    assert keypair[1].decrypt(back).tolist() == x.tolist()


@pytest.mark.parametrize(("n_jobs", "error"), [(0, ValueError), ("2", TypeError), (1.5, TypeError)])
def test_h43_jobs_are_looked_at_before_the_first_part(keypair: Keypair, n_jobs: Any, error: type[Exception]) -> None:
    """Also where there will be none."""
    public_key, private_key = keypair
    for x in ([1.0], []):
        with pytest.raises(error, match="n_jobs"):
            public_key.encrypt_chunks(x, n_jobs=n_jobs)
        with pytest.raises(error, match="n_jobs"):
            private_key.decrypt_chunks([public_key.encrypt(x).to_bytes()], n_jobs=n_jobs)
    for count in (0, 1):
        with pytest.raises(error, match="n_jobs"):
            public_key.precompute(count, n_jobs=n_jobs)


@pytest.mark.parametrize(
    ("chunk", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError), ("3", TypeError)]
)
def test_what_a_chunk_cannot_be(public_key: PublicKey, chunk: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="chunk must be"):
        public_key.encrypt_chunks([1.0], chunk=chunk)


def test_what_is_refused_before_the_first_part(public_key: PublicKey) -> None:
    with pytest.raises(TypeError, match="complex"):
        public_key.encrypt_chunks(np.zeros(3, dtype=complex))
    with pytest.raises(TypeError, match="masked"):
        public_key.encrypt_chunks(np.ma.masked_array([1.0, 2.0], [True, False]))
    with pytest.raises(ValueError, match="'rows'"):
        public_key.encrypt_chunks([1.0], packed="row")  # type: ignore[arg-type]
    with pytest.raises(LayoutMismatchError, match="a row of 50 values"):
        public_key.encrypt_chunks(np.zeros((2, 50)), packed="rows")
    odd = public_key.encrypt_chunks([1.0], encoding=FixedPoint(4, 2**200 + 1))
    with pytest.raises(SerializationError, match="max_abs has an odd part"):
        odd.iter_bytes()


def test_each_goes_through_once(keypair: Keypair, tmp_path: Path) -> None:
    public_key, private_key = keypair
    chunks = public_key.encrypt_chunks(np.arange(9.0), chunk=4)
    next(chunks)
    with pytest.raises(ValueError, match="encrypt_chunks anew"):
        chunks.iter_bytes()
    with pytest.raises(ValueError, match="encrypt_chunks anew"):
        chunks.save(tmp_path / "x.enc")
    (tmp_path / "old").write_bytes(b"")
    whole = public_key.encrypt_chunks(np.arange(9.0), chunk=4)
    with pytest.raises(FileExistsError):
        whole.save(tmp_path / "old")
    whole.save(tmp_path / "old", force=True)  # nothing was used up
    (tmp_path / "old").unlink()
    decrypted = private_key.decrypt_chunks(public_key.encrypt(np.arange(9.0)).iter_bytes())
    next(decrypted)
    with pytest.raises(ValueError, match="decrypt_chunks anew"):
        decrypted.save(tmp_path / "x.npy")
    assert list(tmp_path.iterdir()) == []
    assert repr(decrypted) == "DecryptedChunks(shape=(9,))"
    assert repr(chunks) == "EncryptedChunks(shape=(9,))"


def test_h45_randomizers_are_new_for_each_part(public_key: PublicKey) -> None:
    x = np.zeros(12)
    parts = [value for part in public_key.encrypt_chunks(x, chunk=4) for value in part.ciphertexts()]
    stream = b"".join(public_key.encrypt_chunks(x, chunk=4).iter_bytes())
    parts += EncryptedArray.from_bytes(public_key, stream).ciphertexts(rerandomize=False)
    assert len(set(parts)) == 24


def test_ready_randomizers_are_used(keypair: Keypair) -> None:
    public_key = PublicKey(keypair[0].n, insecure=True)
    public_key.precompute(10)
    list(public_key.encrypt_chunks(np.zeros(4), chunk=3))
    b"".join(public_key.encrypt_chunks(np.zeros(4), chunk=3).iter_bytes())
    assert public_key.ready_randomizers == 2


# Decryption ------------------------------------------------------------------------------------------------------


def test_h27_h29_corrupted_aggregates(keypair: Keypair) -> None:
    """In the last part and before it; and a sum that filled what is padding."""
    public_key, private_key = keypair
    c = public_key.encrypt(np.ones(60), packed=True)
    slots, width = c.layout.slots, c.layout.width
    good = c.ciphertexts()
    n, square = public_key.n, public_key.n**2
    last = c.n_ciphertexts - 1
    for place, slot in ((0, slots - 1), (last, 60 - last * slots)):
        bad = [*good]
        bad[place] = bad[place] * (1 + (1 << width * slot + width - 2) * n) % square
        damaged = public_key.from_ciphertexts(bad, shape=(60,), packed=True)
        with pytest.raises(CorruptedAggregateError):
            private_key.decrypt(damaged)
        with pytest.raises(CorruptedAggregateError):
            list(private_key.decrypt_chunks(damaged.iter_bytes(rerandomize=False)))


def test_what_decryption_refuses(keypair: Keypair, other_keypair: Keypair, tmp_path: Path) -> None:
    public_key, private_key = keypair
    data = public_key.encrypt(np.arange(9.0)).to_bytes()
    with pytest.raises(KeyMismatchError):
        other_keypair[1].decrypt_chunks([data])
    with pytest.raises(TypeError, match="from_bytes"):
        private_key.decrypt_chunks(data)  # type: ignore[arg-type]
    damaged = bytearray(data)
    damaged[-1] ^= 1
    (tmp_path / "y.npy").write_bytes(b"as it was")
    with pytest.raises(SerializationError, match="checksum"):
        private_key.decrypt_chunks([bytes(damaged)]).save(tmp_path / "y.npy", force=True)
    damaged[-16 - 128 : -16] = bytes(128)
    with pytest.raises(InvalidCiphertextError):
        list(private_key.decrypt_chunks([bytes(damaged)]))
    with pytest.raises(FileExistsError):
        private_key.decrypt_chunks([data]).save(tmp_path / "y.npy")
    assert (tmp_path / "y.npy").read_bytes() == b"as it was"
    assert len(list(tmp_path.iterdir())) == 1


# Disks and memory ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_h58_a_full_disk_while_streaming(keypair: Keypair) -> None:
    public_key, private_key = keypair
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        public_key.encrypt_chunks(np.zeros(9)).save("/dev/full", force=True)
    data = public_key.encrypt(np.zeros(9)).to_bytes()
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        private_key.decrypt_chunks([data]).save("/dev/full", force=True)
    pieces = public_key.encrypt(np.zeros(9)).iter_bytes()
    with open("/dev/full", "wb", buffering=0) as device, pytest.raises(OSError, match="No space left"):
        device.writelines(pieces)


LIMITED = """
import resource, signal, numpy as np, sys, vecphe
public_key, _ = vecphe.generate_keypair(512, insecure=True)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
try:
    public_key.encrypt_chunks(np.zeros(100), chunk=5).save(sys.argv[1], force=True)
except OSError as error:
    print(error.strerror, error.filename)
"""


def test_h58_a_file_beyond_its_limit_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x.enc"
    path.write_bytes(b"as it was")
    command = [sys.executable, "-W", "ignore", "-c", LIMITED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"File too large {path}\n"
    assert path.read_bytes() == b"as it was"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("force", [False, True])
def test_h58_values_that_are_wrong_leave_the_old_file(public_key: PublicKey, tmp_path: Path, force: bool) -> None:
    path = tmp_path / "x.enc"
    if force:
        path.write_bytes(b"as it was")
    x = np.zeros(20)
    x[-1] = np.inf
    with pytest.raises(InvalidPlaintextError):
        public_key.encrypt_chunks(x).save(path, force=force)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"as it was"] * force


MEMORY = """
import resource, sys, numpy as np, vecphe
public_key, private_key = vecphe.generate_keypair(512, insecure=True)
public_key.encrypt(np.zeros(20000), packed=True)  # tables, and what numpy and the heap want
x = np.load(sys.argv[1], mmap_mode="r")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20),) * 2)
try:
    public_key.encrypt(x)
except vecphe.BatchTooLargeError as error:
    print("encrypt_chunks(x).save" in str(error))
public_key.encrypt_chunks(x).save(sys.argv[2])
with open(sys.argv[2], "rb") as file:
    first = next(private_key.decrypt_chunks(file))
    print(first.tolist() == x[: len(first)].tolist(), len(first) > 1000)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_h61_an_array_beyond_a_limit_is_encrypted_part_by_part(tmp_path: Path) -> None:
    """The address space has room for a part, not for the whole, as the error of the other way says."""
    count = 500_000
    np.save(tmp_path / "x.npy", np.arange(count) / 8)
    command = [sys.executable, "-W", "ignore", "-c", MEMORY, str(tmp_path / "x.npy"), str(tmp_path / "x.enc")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "True\nTrue True\n"
    assert (tmp_path / "x.enc").stat().st_size > count * 128
