"""The speeds of the cuda engine against their targets: part of ``make check-gpu``.

Prints one line a figure, the device first, and exits with status 1 if a target was missed. ``--save FILE`` writes them
as JSON. ``--quick`` runs every kernel once on few residues and measures nothing: for a memory checker.
``--dry-run`` does that with the kernels compiled for this machine's CPU.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import vecphe
from vecphe.arithmetic import Engine, engine_named, integers_from_words, random_words
from vecphe.numbers.context import KeyContext
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.numbers.primes import random_prime_pair
from vecphe.randomness.randomizers import RandomizerSource, exponent_bits

FEW = 33


@dataclass(frozen=True)
class Figure:
    """What was measured, and what it should be: at least for speeds, at most for times in seconds."""

    name: str
    value: float
    unit: str
    target: float | None = None

    @property
    def missed(self) -> bool:
        if self.target is None:
            return False
        return self.value > self.target if self.unit == "s" else self.value < self.target

    def __str__(self) -> str:
        sign = "<=" if self.unit == "s" else ">="
        wanted = "" if self.target is None else f"   {sign} {self.target:g}{'   MISSED' if self.missed else ''}"
        return f"{self.name:<58} {self.value:>10.4g} {self.unit:<9}{wanted}"


def seconds(function: Callable[[], Any], wait: Callable[[], None], repeats: int = 3) -> float:
    """The least of some times, after one run that is not counted."""
    function()
    wait()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        wait()
        times.append(time.perf_counter() - start)
    return min(times)


def waiting(engine: Engine) -> Callable[[], None]:
    """A function that returns when the device has done all work."""
    ring = engine.ring(15)
    one = ring.ones(1)
    return lambda: (ring.store(one), None)[1]


def check(engine: Engine, p: int, q: int, count: int) -> None:
    """Every operation against Python's own integers; stops at the first that is wrong."""
    n, n_squared = p * q, (p * q) ** 2
    ring = engine.ring(n)
    words, plaintexts = random_words(count, 70), random_words(count, n.bit_length() - 1)
    exponents, values = [int(e) for e in integers_from_words(words)], [int(m) for m in integers_from_words(plaintexts)]
    base = pow(3, n, n_squared)
    powers = ring.fixed_base(base, 70, 8).power_secret(words)
    encrypted = ring.multiply_plain(powers, plaintexts, -7)
    expected = [pow(base, e, n_squared) * (1 + (m - 7) * n) % n_squared for e, m in zip(exponents, values, strict=True)]
    data = ring.store_bytes(encrypted)
    checks = {
        "fixed base and plaintexts": ring.store(encrypted) == expected,
        "load": ring.store_bytes(ring.load_bytes(data)) == data,
        "units": ring.all_units(encrypted) and not ring.all_units(ring.load([1, p])),
        "inverse": ring.store(ring.multiply(ring.invert(encrypted), encrypted)) == [1] * count,
        "product": ring.store(ring.product(encrypted, 1, count, 1)) == [_product(expected, n_squared)],
        "power": ring.store(ring.power_secret(ring.take(encrypted, np.arange(3)), words[:3]))
        == [pow(c, e, n_squared) for c, e in zip(expected[:3], exponents[:3], strict=True)],
        "matrix": ring.store(ring.matrix_power_vartime([exponents], encrypted))
        == [_product((pow(c, e, n_squared) for c, e in zip(expected, exponents, strict=True)), n_squared)],
        "decryption": np.array_equal(engine.decryptor(p, q).decrypt(ring, encrypted, 7), plaintexts),
    }
    if wrong := [name for name, right in checks.items() if not right]:
        sys.exit(f"WRONG at {n.bit_length()} bits: {', '.join(wrong)}")


def _product(values: Iterable[int], modulus: int) -> int:
    return reduce(lambda product, value: product * value % modulus, values, 1)


def operations(engine: Engine, bits: int, count: int, targets: dict[str, float]) -> Iterator[Figure]:
    """Millions a second of each operation on a batch that is on the device."""
    wait = waiting(engine)
    p, q = random_prime_pair(bits)
    check(engine, p, q, FEW)
    for timed in (_encryption, _on_ciphertexts):
        for name, function, many in timed(engine, p, q, count):
            speed = many / seconds(function, wait) / 1e6
            yield Figure(f"{bits} bits: {name}", speed, "M/s", targets.get(name))


Timed: TypeAlias = tuple[str, Callable[[], Any], int]


def _encryption(engine: Engine, p: int, q: int, count: int) -> Iterator[Timed]:
    n = p * q
    bits = exponent_bits("djn", n.bit_length())
    exponents, plaintexts = random_words(count, bits), random_words(count, n.bit_length() - 1)
    table = engine.ring(n).fixed_base(pow(3, n, n * n), bits, engine.tuning.max_window)
    yield "randomizers", lambda: table.power_secret(exponents), count
    source = RandomizerSource(KeyContext(PublicNumbers(n), engine))
    source.prepare(1 << 30)
    yield "encrypt, with randomness from the system", lambda: source.encrypt(plaintexts, 0), count


def _on_ciphertexts(engine: Engine, p: int, q: int, count: int) -> Iterator[Timed]:
    n = p * q
    ring, decryptor = engine.ring(n), engine.decryptor(p, q)
    plaintexts = random_words(count, n.bit_length() - 1)
    batch = ring.multiply_plain(ring.take(ring.load([pow(5, n, n * n)]), np.zeros(count, np.intp)), plaintexts, 0)
    yield "add", lambda: ring.multiply(batch, batch), count
    yield "plaintext product", lambda: ring.multiply_plain(batch, plaintexts, 0), count
    data = ring.store_bytes(batch)
    yield "to canonical bytes", lambda: ring.store_bytes(batch), count
    yield "from canonical bytes", lambda: ring.load_bytes(data), count
    part = ring.take(batch, np.arange(count // 4))
    yield "decrypt", lambda: decryptor.decrypt(ring, part, 0), count // 4


def cross_over(engine: Engine, bits: int) -> Iterator[Figure]:
    """Times of small batches, beside those of gmp on one core."""
    n = math.prod(random_prime_pair(bits))
    for other, counts in ((engine, (1, 16, 256, 4096, 16384)), (engine_named("gmp"), (1, 16, 256))):
        wait, table = waiting(other), other.ring(n).fixed_base(pow(3, n, n * n), exponent_bits("djn", bits), 8)
        for count in counts:
            time = seconds(partial(table.power_secret, random_words(count, exponent_bits("djn", bits))), wait)
            yield Figure(f"{bits} bits: {count} randomizers, engine {other.name}", time, "s")


def whole(values: int, target: float | None) -> Iterator[Figure]:
    """From a numpy array to canonical bytes in host memory, packed."""
    public_key, _ = vecphe.generate_keypair(2048)
    x = np.random.default_rng(1).normal(size=values)
    name = f"2048 bits: {values:.0e} float64 packed, to canonical bytes"
    for which, limit in (("first, with tables", None), ("again", target)):
        start = time.perf_counter()
        data = public_key.encrypt(x, packed=True).to_bytes()
        yield Figure(f"{name}, {which}", time.perf_counter() - start, "s", limit)
    assert len(data) > values * 8


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
    p, q = random_prime_pair(2048)
    with tempfile.TemporaryDirectory() as cache:
        for name, target in (("first use", 20.0), ("use in a later process", 1.5)):
            command = [sys.executable, "-W", "ignore", "-c", FIRST_USE, str(p), str(q)]
            environment = {**os.environ, "CUPY_CACHE_DIR": cache}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            yield Figure(f"2048 bits: {name}", float(done.stdout), "s", target)


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


def quick(engine: Engine) -> None:
    """Every kernel of two key lengths."""
    for bits in (1024, 2048):
        check(engine, *random_prime_pair(bits), FEW)
        print(f"{bits} bits: every operation is right on {FEW} residues", flush=True)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="speeds of the cuda engine")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--save", type=Path)
    arguments = parser.parse_args()
    if arguments.dry_run:
        from tests.arithmetic.host_device import HostDevice

        from vecphe.arithmetic.cuda import CudaEngine

        print("NO DEVICE IS UNDER TEST: the kernels run on the CPU")
        quick(CudaEngine(HostDevice()))
        return 0
    os.environ["VECPHE_ENGINE"] = "cuda"
    engine = engine_named("cuda")
    device = engine.describe()
    print(f"{device['target']}, {device['version']}, vecphe {vecphe.__version__}", flush=True)
    if arguments.quick:
        quick(engine)
        return 0
    figures = []
    for figure in measured():
        print(figure, flush=True)
        figures.append(figure)
    if arguments.save:
        content = {"device": device, "vecphe": vecphe.__version__, "figures": [asdict(f) for f in figures]}
        arguments.save.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return int(any(figure.missed for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
