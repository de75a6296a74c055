"""The speeds of the cuda engine against their targets: part of ``make check-gpu``.

Prints one line a figure, the device first, and exits with status 1 if a target was missed. ``--save FILE`` writes them
as JSON. ``--quick`` runs every kernel once on few residues and measures nothing: for a memory checker.
``--dry-run`` does that with the kernels compiled for this machine's CPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from operator import neg
from typing import Any

import numpy as np

import vecphe
from benchmarks.measure import Figure, hold, limit, once
from benchmarks.saved import parser_with_save
from vecphe.arithmetic import Engine, engine_named, random_words, selection, words_from_integers
from vecphe.bench import workloads
from vecphe.bench.count_rows import CALLS, Call, Keys, Subject
from vecphe.numbers.context import KeyContext
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.numbers.primes import random_prime_pair
from vecphe.randomness.randomizers import RandomizerSource, exponent_bits

FEW = 33
Timed = Iterator[tuple[str, Callable[[], Any], int]]


def check(keys: Keys) -> None:
    """Every operation on few residues, held against gmp; stops at the first wrong result."""
    subject, ring = Subject(keys, workloads.values(FEW)), keys[0]._context.ring
    calls = {name: make(subject) for name, make in CALLS.items()}
    calls["negate"] = Call(partial(neg, subject.c), -subject.x)
    subject.private_key = vecphe.PrivateKey(keys[0], keys[1].p, keys[1].q, engine="gmp")
    try:
        for call in calls.values():
            subject.check(call.run(), call)
        powers = ring.power_secret(ring.load([3, 5]), words_from_integers([7, 1 << 69], 2))
        assert ring.store(powers) == [3**7, pow(5, 1 << 69, ring.n_squared)]
    except (AssertionError, vecphe.VecpheError) as error:
        raise SystemExit(f"WRONG at {keys[0].key_length} bits: {error}") from error


def seconds(function: Callable[[], Any], engine: Engine) -> float:
    """The least of three times until the device has done all work, after one run that is not counted."""
    ring = engine.ring(15)
    one = ring.ones(1)

    def run() -> None:
        function()
        ring.store(one)

    run()
    return min(once(run) for _ in range(3))


def operations(engine: Engine, bits: int, count: int, targets: dict[str, float]) -> Iterator[Figure]:
    """Millions a second of each operation on a batch that is on the device."""
    check(workloads.keypair(bits, "cuda"))
    p, q = random_prime_pair(bits)
    for timed in (_encryption, _on_ciphertexts):
        for name, function, many in timed(engine, p, q, count):
            speed = many / seconds(function, engine) / 1e6
            yield Figure("", f"{bits} bits: {name}", speed, "M/s", target=targets.get(name))


def _encryption(engine: Engine, p: int, q: int, count: int) -> Timed:
    context = KeyContext(PublicNumbers(p * q), engine)
    n, bits = p * q, exponent_bits("djn", (p * q).bit_length())
    exponents, plaintexts = random_words(count, bits), random_words(count, n.bit_length() - 1)
    table = context.ring.fixed_base(pow(3, n, n * n), bits, engine.tuning.max_window)
    yield "randomizers", partial(table.power_secret, exponents), count
    source = RandomizerSource(context)
    source.prepare(1 << 30)
    yield "encrypt, with randomness from the system", partial(source.encrypt, plaintexts, 0), count


def _on_ciphertexts(engine: Engine, p: int, q: int, count: int) -> Timed:
    n = p * q
    ring, decryptor, plaintexts = engine.ring(n), engine.decryptor(p, q), random_words(count, n.bit_length() - 1)
    batch = ring.multiply_plain(ring.take(ring.load([pow(5, n, n * n)]), np.zeros(count, np.intp)), plaintexts, 0)
    yield "add", partial(ring.multiply, batch, batch), count
    yield "plaintext product", partial(ring.multiply_plain, batch, plaintexts, 0), count
    data = ring.store_bytes(batch)
    yield "to canonical bytes", partial(ring.store_bytes, batch), count
    yield "from canonical bytes", partial(ring.load_bytes, data), count
    part = ring.take(batch, np.arange(count // 4))
    yield "decrypt", partial(decryptor.decrypt, ring, part, 0), count // 4


def cross_over(engine: Engine, bits: int) -> Iterator[Figure]:
    """Times of small batches, beside those of gmp on one core."""
    p, q = random_prime_pair(bits)
    n, exponent = p * q, exponent_bits("djn", bits)
    for other, counts in ((engine, (1, 16, 256, 4096, 16384)), (engine_named("gmp"), (1, 16, 256))):
        table = other.ring(n).fixed_base(pow(3, n, n * n), exponent, 8)
        for count in counts:
            time = seconds(partial(table.power_secret, random_words(count, exponent)), other)
            yield limit("", f"{bits} bits: {count} randomizers, engine {other.name}", time, "s")


def whole(values: int, target: float) -> Iterator[Figure]:
    """From a numpy array to canonical bytes in host memory, packed."""
    public_key, _ = vecphe.generate_keypair(2048)
    x, name = workloads.values(values), f"2048 bits: {values:.0e} float64 packed, to canonical bytes"
    data: list[bytes] = []  # kept: to give them back would count
    for which, targets in (("first, with tables", {}), ("again", {"cuda": target})):
        time = once(lambda: data.append(public_key.encrypt(x, packed=True).to_bytes()))
        yield limit("", f"{name}, {which}", time, "s", **targets)
    assert len(data[-1]) > 8 * values


FIRST_USE = """
import time; start = time.perf_counter()
from vecphe.arithmetic import engine_named, words_from_integers
engine = engine_named("cuda")
import sys; p, q = int(sys.argv[1]), int(sys.argv[2]); n = p * q
ring = engine.ring(n); words = words_from_integers([5], ring.plaintext_words)
encrypted = ring.multiply_plain(ring.fixed_base(pow(3, n, n * n), 1024, 8).power_secret(words), words, 0)
assert engine.decryptor(p, q).decrypt(ring, encrypted, 0)[0, 0] == 5
print(time.perf_counter() - start)
"""


def first_use() -> Iterator[Figure]:
    """From import to the first decrypted ciphertext: kernels compiled, then taken from CuPy's cache."""
    command = [sys.executable, "-W", "ignore", "-c", FIRST_USE, *map(str, random_prime_pair(2048))]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "CUPY_CACHE_DIR": cache}
        for name, target in (("first use", 20.0), ("use in a later process", 1.5)):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            yield limit("", f"2048 bits: {name}", float(done.stdout), "s", cuda=target)


def measured() -> Iterator[Figure]:
    """All figures, on the device."""
    yield from first_use()
    engine = engine_named("cuda")
    at_2048 = {"randomizers": 2.2, "encrypt, with randomness from the system": 2.0, "add": 60, "decrypt": 0.28}
    yield from operations(engine, 2048, 1 << 19, at_2048)
    yield from whole(10**7, 1.5)
    yield from cross_over(engine, 2048)
    for bits, count, target in ((1024, 1 << 20, 16), (3072, 1 << 18, 0.6), (4096, 1 << 17, 0.25)):
        yield from operations(engine, bits, count, {"randomizers": target})


def quick() -> int:
    """Every kernel of two key lengths."""
    for bits in (1024, 2048):
        check(workloads.keypair(bits, "cuda"))
        print(f"{bits} bits: every operation is right on {FEW} residues", flush=True)
    return 0


def dry_run() -> int:
    from tests.arithmetic.host_device import HostDevice

    from vecphe.arithmetic.cuda import CudaEngine

    print("NO DEVICE IS UNDER TEST: the kernels run on the CPU")
    selection._engines()["cuda"] = selection._Candidate(lambda: None, lambda: CudaEngine(HostDevice()))
    return quick()


def main() -> int:
    """Run from the command line."""
    parser = parser_with_save("speeds of the cuda engine")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args()
    if arguments.dry_run:
        return dry_run()
    os.environ["VECPHE_ENGINE"] = "cuda"
    device = engine_named("cuda").describe()
    print(f"{device['target']}, {device['version']}, vecphe {vecphe.__version__}", flush=True)
    if arguments.quick:
        return quick()
    figures, status = hold(measured())
    if arguments.save:
        shown = [{name: getattr(figure, name) for name in ("name", "value", "unit", "target")} for figure in figures]
        content = {"device": device, "vecphe": vecphe.__version__, "figures": shown}
        arguments.save.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
