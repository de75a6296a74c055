"""Memory of large batches: HAZARDS row 61."""

from __future__ import annotations

import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from vecphe import BatchTooLargeError, FixedPoint, PrivateKey, PublicKey
from vecphe.plaintext.encoding import PACKED, UNPACKED
from vecphe.plaintext.format import Format, format_for
from vecphe.system import memory

SCRIPT = """
import resource, sys
import numpy as np, vecphe
public_key, private_key = vecphe.generate_keypair(2048, randomizers="djn-short")
x = np.random.default_rng(1).uniform(-2**15, 2**15, 1_000_000)
c = public_key.encrypt(x, packed=True)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
assert c.n_ciphertexts == -(-len(x) // 31)
head = public_key.from_ciphertexts(c.ciphertexts()[:3], shape=(93,), packed=True)
assert np.abs(private_key.decrypt(head) - x[:93]).max() <= 2**-41
print(peak - x.nbytes, c.nbytes / c.nbytes_canonical)
"""


@pytest.mark.slow
def test_a_million_packed_values_stay_under_400_mb() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    resident, ratio = map(float, done.stdout.split())
    assert resident < 400e6
    assert 1 <= ratio <= 1.5


def peak_of(function: Callable[[], Any]) -> tuple[Any, int]:
    """Result of a call, and the most memory that it took, the result included."""
    tracemalloc.start()
    try:
        result = function()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


ENCODINGS = [
    (UNPACKED, False),
    (PACKED, True),  # 64 bits a slot
    (FixedPoint(20, 8), True),  # whole bytes
    (FixedPoint(40, 2**20, 2**12), True),  # 73 bits: bit by bit
]


@pytest.mark.parametrize(("encoding", "packed"), ENCODINGS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint64, object])
def test_h61_encoding_takes_little_beyond_its_result(
    public_key: PublicKey, encoding: FixedPoint, packed: bool, dtype: Any
) -> None:
    count = 100_000
    x = np.random.default_rng(1).integers(0, 8, count).astype(dtype)
    format = format_for(public_key.n, encoding, packed, False, 1)
    integers, encoding_peak = peak_of(lambda: encoding.encode(x))
    assert encoding_peak < integers.nbytes + 40 * count + 4e6
    (words, _), packing_peak = peak_of(lambda: format.plaintexts(integers))
    assert packing_peak < (words.nbytes + 1e6 if packed and encoding is not UNPACKED else 1e6) + 10e6 * packed
    if format.layout:
        unpacked, unpacking_peak = peak_of(lambda: format.layout.unpack(words, count))  # type: ignore[union-attr]
        assert (unpacked[:, 0].view(np.int64) >> encoding.fraction_bits).tolist() == x.tolist()
        assert unpacking_peak < 3 * unpacked.nbytes + 12e6


def test_h61_blocks_do_not_show(keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(1).uniform(-7, 7, 101)
    formats = [(encoding, format_for(keypair[0].n, encoding, packed, False, 1)) for encoding, packed in ENCODINGS]

    def words(encoding: FixedPoint, format: Format, negative: bool) -> list[Any]:
        plain, offset = format.plaintexts(encoding.encode(x, negative=negative))
        return [plain.tolist(), offset, format.layout and format.layout.unpack(plain, len(x)).tolist()]

    whole = [words(*of, negative) for of in formats for negative in (False, True)]
    for at_once in (1, 7, 8, 60, 100, 101):
        monkeypatch.setattr("vecphe.plaintext.encoding._CHUNK", at_once)
        monkeypatch.setattr("vecphe.plaintext.packing._BITS_AT_ONCE", 448 * at_once)
        assert [words(*of, negative) for of in formats for negative in (False, True)] == whole


LIMITED = """
import resource, time
import numpy as np, vecphe
public_key, _ = vecphe.generate_keypair(2048)
x = np.zeros(30_000_000)
resource.setrlimit(resource.RLIMIT_AS, (3_000_000_000, 3_000_000_000))
try:
    public_key.encrypt(x)
except MemoryError as error:
    print(type(error).__name__, error)
print(public_key.encrypt(x[:300], packed=True).n_ciphertexts)
"""


def test_h61_a_batch_beyond_a_limit_is_refused_before_it_is_encrypted() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True, timeout=50)
    refused, then = done.stdout.splitlines()
    assert refused.startswith("BatchTooLargeError encrypting 30000000 values takes about 39.1 GB, more memory than")
    assert refused.endswith(
        "use packed=True, or encrypt it part by part into a file: public_key.encrypt_chunks(x).save('x.enc')"
    )
    assert then == "10"


@pytest.mark.parametrize("packed", [False, True])
def test_h61_what_the_system_has_decides(
    keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, packed: bool
) -> None:
    public_key, private_key = keypair
    x = np.arange(3_000_000) % 100
    monkeypatch.setattr(public_key._source, "encrypt", lambda *_: pytest.fail("encrypted"))
    meminfo, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(memory, "_CONTAINER_LIMIT", limit)
    for free, contained in (("MemTotal: 9 kB\nMemAvailable:   90000 kB\n", "max"), ("", "92160000")):
        meminfo.write_text(free)
        limit.write_text(contained)
        with pytest.raises(BatchTooLargeError, match="more memory than there is") as caught:
            public_key.encrypt(x, packed=packed)
        assert isinstance(caught.value, MemoryError)
        assert ("packed=True, or" in str(caught.value)) is not packed
    monkeypatch.undo()
    # As the error says to.
    option = f", packed={packed}" if packed else ""
    assert str(caught.value).endswith(f"public_key.encrypt_chunks(x{option}).save('x.enc')")
    public_key.encrypt_chunks(x[:20], packed=packed).save(tmp_path / "x.enc")
    whole = type(public_key.encrypt(1)).load(public_key, tmp_path / "x.enc")
    assert private_key.decrypt(whole).tolist() == list(range(20))


def test_h61_arrays_that_would_not_fit_are_refused(
    keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of few ciphertexts, or of those of others, any number can be made."""
    public_key, private_key = keypair
    c, tall = public_key.encrypt([[1.0, 2.0]]), public_key.encrypt([[1.0], [2.0]])
    asked: list[int] = []
    monkeypatch.setattr("vecphe.system.memory.fits_in_memory", lambda needed: asked.append(needed))
    ciphertexts = c.ciphertexts()
    for make, count in (
        (lambda: np.broadcast_to(c, (1 << 40, 2)), 1 << 41),
        (lambda: c + np.zeros((5, 1)), 10),
        (lambda: c * np.ones((5, 1)), 10),
        (lambda: c[np.zeros(7, dtype=int)], 14),
        (lambda: np.tile(c, 3), 6),
        (lambda: np.ones((6, 1)) @ c, 12),
        (lambda: sp.csr_array(np.ones((6, 1))) @ c, 12),
        (lambda: np.ones((6, 2)) @ tall, 6),
        (lambda: np.ones(2) @ tall, 1),
        (lambda: np.concatenate([c, c]), 8),
        (lambda: public_key.from_ciphertexts(ciphertexts), 2),
    ):
        with pytest.raises(BatchTooLargeError, match=f"an array of {count} ciphertexts takes about .*work on parts"):
            make()
        assert asked.pop() == count * (c.nbytes_canonical // 2) * 5 // 4
    monkeypatch.undo()
    assert private_key.decrypt(np.ones((6, 1)) @ c).tolist() == [[1.0, 2.0]] * 6


def test_h61_memory_that_runs_out_on_the_way(public_key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*_: object) -> None:
        raise MemoryError

    for place in ("vecphe.keys.public_key.as_plain_array", "vecphe.plaintext.encoding.FixedPoint.encode"):
        with monkeypatch.context() as patched:
            patched.setattr(place, out_of_memory)
            with pytest.raises(BatchTooLargeError, match="encrypt_chunks") as caught:
                public_key.encrypt([1.0])
            assert caught.value.__suppress_context__


def test_h61_what_fits_is_not_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "missing")
    monkeypatch.setattr(memory, "_CONTAINER_LIMIT", tmp_path / "missing")
    assert memory.fits_in_memory(1 << 28)
    assert memory.fits_in_memory(1 << 60) is False
    assert memory.fits_in_memory(1 << 80) is False
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text(f"MemAvailable: {1 << 18} kB\n")
    assert memory.fits_in_memory(1 << 28)
    assert memory.fits_in_memory((1 << 28) + 1) is False
    for unknown in ("MemFree: 1 kB\n", "MemAvailable: some kB\n", "of no such form\n"):
        (tmp_path / "meminfo").write_text(unknown)
        assert memory.fits_in_memory(1 << 28)
    (tmp_path / "meminfo").write_text("MemAvailable: 1 kB\nOther: of: two\n")
    assert memory.fits_in_memory((1 << 26) - 1)  # not worth a look
    assert memory.fits_in_memory(1 << 26) is False
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    (tmp_path / "meminfo").unlink()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 27), hard))
    try:
        assert memory.fits_in_memory(1 << 28) is False
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), hard))
        assert memory.fits_in_memory(1 << 28)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
