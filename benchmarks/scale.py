"""What large arrays and many clients are held against: groups of `benchmarks.targets`, all of them as ``scale``.

A side that is not installed makes a line that says so in capitals; nothing is left out silently.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import vecphe
from benchmarks import clusters
from benchmarks.calls import peer
from benchmarks.lines import ahead, goals
from benchmarks.measure import Comparison, Figure, compare, limit, once
from vecphe.bench import workloads
from vecphe.bench.peers import make_peer
from vecphe.federated import federated_learning
from vecphe.plaintext.encoding import PACKED
from vecphe.plaintext.format import format_for
from vecphe.randomness.randomizers import RandomizerScheme

Lines = Iterator[Figure]
VALUES, MAPPED, ROWS = 1_000_000, 10_000_000, 100_000
PAIRS = 3
CLIENTS = (3, 10, 50, 100, 500)
NARROW = vecphe.FixedPoint(fraction_bits=20, max_abs=8, max_terms=255)  # slots of 32 bits


def skipped(key: str, name: str, why: str) -> Figure:
    """A line for what cannot be measured here."""
    return Figure(key, name, float("nan"), "", f"NOT MEASURED: {why}")


def large() -> Lines:
    """From numpy to bytes on one core, against drawing the randomizers alone; and two jobs against one."""
    public_key, private_key = workloads.keypair(2048)
    x, source = workloads.values(VALUES), public_key._source
    encrypt = partial(public_key.encrypt, packed=True)
    c = encrypt(x[:10_000])
    np.testing.assert_allclose(private_key.decrypt(c), x[:10_000], atol=2.0**-40)
    count = c.layout.plaintexts(VALUES)
    source.prepare(count)
    times = [(once(lambda: encrypt(x).to_bytes()), once(lambda: source.drawn(count))) for _ in range(PAIRS)]
    ours, rate = (statistics.median(side) / count * 1e6 for side in zip(*times, strict=True))
    share = 100 * statistics.median(b / a for a, b in times)
    detail = f"{rate:.4g} of {ours:.4g} us a ciphertext"
    name = f"{VALUES} values packed to bytes, one core: share of randomizers"
    yield Figure("large", name, share, "%", detail, target=92)
    two, one, ratio = compare(partial(encrypt, x, n_jobs=2), partial(encrypt, x, n_jobs=1), pairs=PAIRS)
    yield Figure(
        "large-jobs", "the same with n_jobs=2, against 1", ratio, "x", f"{two:.3g} s against {one:.3g} s", target=1.75
    )


def ckks() -> Lines:
    """Slots of 32 bits, on one core, against TenSEAL's CKKS, whose sums cost about as little."""
    yield from _against_ckks("djn", 8192, {"ifma": 1.0}, {"ifma": 0.2})
    yield from _against_ckks("djn-short", 4096, {"ifma": 2.0}, {})


def _against_ckks(scheme: RandomizerScheme, degree: int, speeds: dict[str, float], sizes: dict[str, float]) -> Lines:
    name = f"encrypt in 32-bit slots, 2048 bits, {scheme}"
    try:
        them = make_peer("tenseal", 2048, degree=degree)
    except ImportError:
        yield skipped(f"ckks-{degree}", name, "TenSEAL is not installed: pip install 'vecphe[peers]'")
        return
    x, private_key = workloads.values(VALUES // 10), workloads.keypair(2048)[1]
    public_key = vecphe.PublicKey(private_key.public_key.n, randomizers=scheme)
    public_key.prepare(len(x))
    ours = partial(public_key.encrypt, x, packed=True, encoding=NARROW)
    parts = [part.tolist() for part in np.split(x, range(degree // 2, len(x), degree // 2))]  # a ciphertext each

    def theirs() -> list[Any]:
        return [them.encrypt(part) for part in parts]

    np.testing.assert_allclose(private_key.decrypt(ours()), x, atol=2.0**-20)
    np.testing.assert_allclose(np.concatenate([them.decrypt(c) for c in theirs()]), x, atol=them.error)
    yield compare(ours, theirs, (len(x), len(x)), PAIRS).figure(
        f"ckks-{degree}", name, f"CKKS with N = {degree}", **speeds
    )
    own, other = (size / len(x) for size in (len(ours().to_bytes()), sum(them.nbytes(c) for c in theirs())))
    detail = f"{own:.3g} of {other:.3g} bytes a value"
    yield limit(f"ckks-bytes-{degree}", f"bytes, of those of CKKS with N = {degree}", own / other, "x", detail, **sizes)


def coding() -> Lines:
    """Numbers to packed plaintexts and back, without encryption."""
    x, n = workloads.values(VALUES), workloads.keypair(2048)[0].n
    format = format_for(n, PACKED, True, False, 1)
    words, _ = format.plaintexts(PACKED.encode(x))
    np.testing.assert_allclose(format.values(words, x.shape), x, atol=2.0**-40)
    ways: dict[str, Callable[[], object]] = {
        "encode and pack": lambda: format.plaintexts(PACKED.encode(x)),
        "unpack and decode": lambda: format.values(words, x.shape),
    }
    for name, call in ways.items():
        median = statistics.median(once(call) for _ in range(7)) / VALUES * 1e6
        yield Figure(name.replace(" ", "-"), f"{name}, a value", median, "us", "", at_most=True, target=0.08)


def grouped() -> Lines:
    """Sums of unpacked ciphertexts by 32 labels, against additions of as many, and against a loop over phe."""
    public_key, private_key = workloads.keypair(2048)
    few = workloads.values(256)
    places = np.arange(ROWS) % len(few)
    c, x = public_key.encrypt(few)[places], few[places]
    labels = np.random.default_rng(0).integers(0, 32, ROWS)
    sums = private_key.decrypt(vecphe.group_sum(c, labels, 32))
    np.testing.assert_allclose(sums, np.bincount(labels, x, 32), rtol=1e-12)
    group = partial(vecphe.group_sum, c, labels, 32)
    name = f"group_sum of {ROWS} ciphertexts into 32 groups"
    pairs = 2 * PAIRS + 1
    against_sum = compare(group, lambda: c + c, (ROWS, ROWS), pairs)
    detail = f"{against_sum.ours * 1e6:.4g} us against {against_sum.theirs * 1e6:.4g} us"
    yield Figure("grouped", f"{name}, of the rate of additions", against_sum.ratio, "x", detail, target=0.9)
    them = peer("phe", 2048)
    numbers, some = them.encrypt(few.tolist()), labels[: ROWS // 10].tolist()

    def loop() -> None:
        totals: dict[int, object] = {}
        for i, label in enumerate(some):
            number = numbers[i % len(few)]
            totals[label] = totals[label] + number if label in totals else number  # type: ignore[operator]

    yield compare(group, loop, (ROWS, len(some)), pairs).figure("grouped-phe", name, **goals(10, 10, 10))


STREAM = """
import sys
import numpy as np, vecphe
from vecphe.bench.environment import with_peak_memory
key = vecphe.PublicKey(int(sys.argv[1]), randomizers="djn-short")
key.encrypt(np.zeros(100_000), packed=True)
values = np.load(sys.argv[2], mmap_mode="r")
print(with_peak_memory(lambda: key.encrypt_chunks(values, packed=True).save(sys.argv[3]))[1])
"""


def streamed() -> Lines:
    """Memory beyond that of a process with its tables, to encrypt a file that is mapped into another."""
    name = f"memory of {MAPPED} values packed, from a mapped file to a file"
    if not Path("/proc/self/clear_refs").exists():
        yield skipped("streamed", name, "no /proc/self/clear_refs here")
        return
    with tempfile.TemporaryDirectory() as folder:
        x = np.lib.format.open_memmap(f"{folder}/x.npy", "w+", np.float64, (MAPPED,))
        x[:] = np.arange(MAPPED) % 1024 / 8
        x.flush()
        n = str(workloads.keypair(2048)[0].n)
        command = [sys.executable, "-c", STREAM, n, f"{folder}/x.npy", f"{folder}/x.enc"]
        started = time.perf_counter()
        extra = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 2**20
        seconds = time.perf_counter() - started
        size = os.path.getsize(f"{folder}/x.enc") / MAPPED
    detail = f"djn-short, {seconds:.3g} s, {size:.3g} bytes a value"
    yield Figure("streamed", name, extra, "MB", detail, at_most=True, target=300)


CLUSTERS = {"dask": ("distributed", 1.5), "ray": ("ray", 1.4), "loky": ("joblib", None), "threading": ("joblib", None)}


def cluster() -> Lines:
    """Two workers of a cluster, or of joblib's own, against this process."""
    for kind, (library, least) in CLUSTERS.items():
        name = f"{kind}, two workers, {VALUES} values packed, against one process"
        try:
            __import__(library)
        except ImportError:
            yield skipped(kind, name, f"{library} is not installed: pip install 'vecphe[{kind}]'")
            continue
        rounds = clusters.rounds(kind, VALUES, PAIRS)
        wall, cpu = (Comparison.of([(shared[i], alone[i]) for alone, shared in rounds]) for i in (0, 1))
        detail = f"{wall.ours:.3g} s against {wall.theirs:.3g} s; {cpu.ratio:.3g} x by CPU time"
        yield Figure(kind, name, wall.ratio, "x", detail, target=least)


def clients() -> Lines:
    """A round of the protocol on synthetic rows, 20 for each client."""
    rng = np.random.default_rng(0)
    for count in CLIENTS:
        X = rng.normal(size=(count + 1, 20, 11))
        y = X @ rng.normal(size=11)
        data = list(X[1:]), list(y[1:]), X[0], y[0]
        config = {"n_clients": count, "key_length": 2048, "n_iter": 5, "eta": 0.1}
        seconds = statistics.median(federated_learning(*data, config).seconds_per_round for _ in range(PAIRS))
        yield Figure(f"clients-{count}", f"a round of {count} clients, 11 values, 2048 bits", seconds * 1e3, "ms")


GROUPS: dict[str, Callable[[], Lines]] = {
    group.__name__: group for group in (large, ckks, coding, grouped, streamed, cluster, clients)
}


def scale() -> Lines:
    """All of them, and the randomizers made ahead."""
    for group in (*GROUPS.values(), ahead):
        yield from group()
