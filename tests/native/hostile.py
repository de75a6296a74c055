"""Calls of the native module with hostile numbers, in a process that may die of them; see test_boundary.py.

    python hostile.py MODULE SEED CALLS

Prints how often each exception came, as JSON. What a call may not do is crash, or raise anything else.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import random
import resource
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

ADDRESS_SPACE = 3 << 30  # bytes; what would be a larger buffer is a MemoryError
# None between 2^13 and 2^31: as a size they could be honest, and slow.
NUMBERS = [
    *(0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 100),
    *(2**e + d for e in (31, 32, 57, 58, 60, 61, 63, 64) for d in (-1, 0, 1)),
]
NUMBERS += [-1, -(2**63), 2**64 // 3 + 1, 2**64 // 20 + 1, 2**100]
REFUSALS = (ValueError, OverflowError, MemoryError, TypeError, IndexError)  # TypeError: no integer of C++ holds it


def load_module(path: str) -> Any:
    name = "vecphe.arithmetic._native"
    loader = importlib.machinery.ExtensionFileLoader(name, path)
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def to_bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "little")


def pair(prefix: str, number: int, n: int) -> dict[str, bytes]:
    high, low = divmod(number % n**2, n)
    return {f"{prefix}0": to_bytes(low), f"{prefix}1": to_bytes(high)}


def ring_constants(n: int) -> dict[str, Any]:
    k = -(-(n.bit_length() + 12) // 52)
    r = 1 << 52 * k
    numbers = {"n": n, "n_squared": n * n, "kn": -(-r // n) * n, "r2": r * r % n}
    constants: dict[str, Any] = {name: to_bytes(number) for name, number in numbers.items()}
    constants |= pair("one", r, n) | pair("r3_", r**3, n)
    return constants | {"k": k, "ciphertext_bytes": 2 * ((n.bit_length() + 7) // 8)}


def prime_constants(p: int, q: int, k: int) -> dict[str, bytes]:
    r = 1 << 52 * k
    u = pow(q, -1, p)
    numbers = {"p": p, "kp": -(-r // p) * p, "q_r3": q * r**3 % p, "h": -u * u * r % p, "q": q, "exponent": p - 1}
    return {name: to_bytes(number) for name, number in numbers.items()} | pair("one", r, p) | pair("r3_", r**3, p)


class Hostile:
    """Every entry of the module, with numbers of which most are wrong."""

    PRIMES = (2**89 - 1, 2**107 - 1)

    def __init__(self, native: Any, source: random.Random) -> None:
        self.native, self.source = native, source
        n = self.PRIMES[0] * self.PRIMES[1]
        self.constants = ring_constants(n)
        self.rings = [native.Ring("portable", self.constants), native.Ring("portable", ring_constants(2**20 - 3))]
        self.batches = [ring.ones(count) for ring in self.rings for count in (0, 1, 2, 8, 9)]
        self.halves = [prime_constants(*self.PRIMES, 3), prime_constants(*self.PRIMES[::-1], 3)]
        self.decryptor = native.Decryptor("portable", 3, 107, *self.halves)
        self.table = native.FixedBase(self.rings[0], self.rings[0].ones(2), 64, 4)

    def number(self) -> int:
        return self.source.choice(NUMBERS)

    def some(self, *choices: Any) -> Any:
        return self.source.choice(choices)

    def words(self, *rows: int) -> np.ndarray:
        if self.source.random() < 0.2:  # sizes whose product numpy takes as nothing
            return np.zeros(self.some((0, 2**58), (0, 2**59), (2**58, 0), (2**40, 0), (1, 0), (0, 0)), dtype=np.uint64)
        shape = self.some(*rows, self.some(0, 1, 2, 8, 9)), self.some(1, 1, 2, 4, 5, 6, 7, 100)
        return np.full(shape, self.some(0, 1, 2**64 - 1), dtype=np.uint64)

    def ring(self) -> None:
        name = self.source.choice(list(self.constants))
        value: Any = self.some(
            self.number(), b"", b"\0", b"\1", b"\1" * self.some(19, 20, 21, 100), b"\xff" * 10**5, None
        )
        constants = self.constants | {name: value}
        if self.source.random() < 0.05:
            del constants[name]
        ring = self.native.Ring("portable", constants)
        if not self.native.VERIFY:  # which stops at wrong constants of the right size, as it should
            ring.store(ring.multiply(ring.ones(3), ring.load(ring.store(ring.ones(3)))))

    def store(self) -> None:
        ring = self.native.Ring("portable", self.constants | {"ciphertext_bytes": self.some(self.number(), 50, 51, 52)})
        ring.store(ring.ones(self.some(1, 8, 9)))

    def new_decryptor(self) -> None:
        k, bits = self.some(3, 3, self.number()), self.some(107, self.number())
        halves = [dict(half) for half in self.halves]
        if self.source.random() < 0.5:
            half = self.source.choice(halves)
            half[self.source.choice(list(half))] = self.some(b"", b"\2", b"\xff" * 19, b"\xff" * 20, b"\xff" * 10**4)
        decryptor = self.native.Decryptor("portable", k, bits, *halves)
        if not self.native.VERIFY:
            decryptor.decrypt(self.rings[0], self.rings[0].ones(1), b"", np.zeros((1, 4), dtype=np.uint64))

    def decrypt(self) -> None:
        ring, batch = self.source.choice(self.rings[:1]), self.source.choice(self.batches)
        offset = self.some(b"", b"\1", b"\xff" * 24, b"\xff" * 10**4)
        self.decryptor.decrypt(ring, batch, offset, self.words(len(batch)))

    def on_ring(self) -> Any:
        ring, batch, other = (self.source.choice(x) for x in (self.rings, self.batches, self.batches))
        indices = np.array([self.source.choice([0, 1, 8, 2**31, 2**61, 2**63 - 1, -1, -(2**63)])], dtype=np.int64)
        calls: list[Callable[[], Any]] = [
            lambda: ring.ones(self.number()),
            lambda: ring.load(b"\1" * self.some(0, 1, 4, 6, 48, 49, 50, 51, 52, 1000)),
            lambda: ring.store(batch),
            lambda: ring.take(batch, indices),
            lambda: ring.concatenate([batch] * self.some(0, 1, 3) + [other]),
            lambda: ring.concatenate([batch, self.some(None, 1, ring)]),
            lambda: ring.multiply(batch, other),
            lambda: ring.multiply_plain(batch, self.words(len(batch)), self.some(b"", b"\1", b"\xff" * 10**4)),
            lambda: ring.product(batch, self.number(), self.number(), self.number()),
            lambda: ring.product(batch, *self.source.sample([len(batch), 1, self.number()], 3)),
            lambda: ring.grouped_product(batch, indices, self.number()),
            lambda: ring.grouped_product(batch, np.zeros(len(batch), dtype=np.int64), self.number()),
            lambda: ring.unit_witness(batch),
            lambda: ring.invert_from(batch, ring.prefix_products(other), ring.ones(self.some(7, 8, 9))),
            lambda: ring.power(batch, self.words(len(batch)), self.some(1, 64, self.number())),
            lambda: ring.matrix_power_vartime(
                batch, self.words(len(batch)), self.some(1, self.number()), self.number()
            ),
            lambda: ring.matrix_power_vartime(batch, self.words(0), self.number(), self.number()),
            lambda: self.native.FixedBase(ring, self.some(batch, ring.ones(2)), self.number(), self.number()),
            lambda: self.table.power_secret(self.words(1)),
        ]
        result = self.source.choice(calls)()
        return self.source.choice(self.rings).store(result) if isinstance(result, self.native.Batch) else result

    def call(self) -> str:
        entry = self.source.choice([self.ring, self.store, self.new_decryptor, self.decrypt, *[self.on_ring] * 6])
        try:
            entry()
        except REFUSALS as error:
            return next(kind.__name__ for kind in REFUSALS if isinstance(error, kind))
        return "done"


def main() -> None:
    path, seed, calls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    hostile = Hostile(load_module(path), random.Random(seed))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    print(json.dumps(Counter(hostile.call() for _ in range(calls))))


if __name__ == "__main__":
    main()
