"""Workloads on the engine: what the gate counts, and times too. Every one checks its result.

The key is made for the run: counts depend on its length only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np

from vecphe.arithmetic import Engine, active_engine
from vecphe.array import EncryptedArray
from vecphe.bench.counts import Counts, counting
from vecphe.bench.sides import Side
from vecphe.bench.workloads import gradients, integers, matrix, values
from vecphe.errors import BenchmarkError
from vecphe.keys import PrivateKey, PublicKey
from vecphe.numbers.key_numbers import PrivateNumbers, PublicNumbers
from vecphe.numbers.primes import random_prime_pair

__all__ = ["COUNT_ROWS", "Made", "Material", "Work", "check", "count", "decrypt", "encrypt", "matmul", "validate"]

_KEY_LENGTH = 2048
_ENCRYPTIONS = 1000  # what tables are made for
_CLIENTS, _VALUES = 5, 1000  # of a round
_ERROR = 1e-9  # of packed numbers; integers are exact

Work = Callable[[], Any]
SeenOf = Callable[[Any], Counts]
# The work, which alone is counted or timed, and what checks its result and tells what can be seen of it from outside.
Made = tuple[Work, SeenOf]


def check(right: object) -> None:
    """Raise BenchmarkError unless a result is right."""
    if not right:
        raise BenchmarkError("decrypted to a wrong result, so what it counted or took means nothing")


class Material:
    """A fresh key pair on the active engine, with what the workloads start from."""

    def __init__(self, key_length: int = _KEY_LENGTH) -> None:
        self.engine: Engine = active_engine()
        p, q = sorted(random_prime_pair(key_length))
        self.n = p * q
        self.public_key = self.fresh_key()
        self.private_key = PrivateKey._from_numbers(self.public_key, PrivateNumbers(p, q))

    def fresh_key(self) -> PublicKey:
        """The same key as one who has just received it: no tables yet."""
        return PublicKey._from_numbers(PublicNumbers(self.n))

    @cached_property
    def prepared_key(self) -> PublicKey:
        """The same key with the tables of a long run."""
        key = self.fresh_key()
        key.prepare(_ENCRYPTIONS)
        return key

    def tables_of(self, key: PublicKey) -> Counts:
        """Their bytes, of engines whose numbers all take the same room; those of gmp depend on their values."""
        check(key.table_bytes)
        return {"table_bytes": key.table_bytes} if self.engine.counts() else {}

    def expecting(self, expected: Any) -> SeenOf:
        """What checks that an array, encrypted or not, or its bytes hold these numbers, one a ciphertext or packed."""

        def seen_of(result: Any) -> Counts:
            if isinstance(result, bytes):
                return {**seen_of(EncryptedArray.from_bytes(self.public_key, result)), "wire_bytes": len(result)}
            if isinstance(result, EncryptedArray):
                return {**seen_of(self.private_key.decrypt(result)), "ciphertexts": result.n_ciphertexts}
            check(np.shape(result) == np.shape(expected) and np.all(abs(result - expected) <= _ERROR))
            return {"ciphertexts": np.size(result)}

        return seen_of


def count(workload: Callable[[Material], Made], material: Callable[[], Material]) -> Counts:
    """Exact counts of a workload, sorted by name; BenchmarkError if its result is wrong."""
    work, seen_of = workload(m := material())
    with counting(m.engine) as counts:
        result = work()
    return dict(sorted((counts | seen_of(result)).items()))


# Workloads


def _tables(m: Material) -> Made:
    key = m.fresh_key()
    return lambda: key.prepare(_ENCRYPTIONS), lambda _: m.tables_of(key)


def encrypt(m: Material, n: int, packed: bool = True, prepared_for: int = 0) -> Made:
    """Of n numbers under a fresh key, which makes its tables with the first unless it was prepared for so many."""
    key, numbers = m.fresh_key(), values(n)
    if prepared_for:
        key.prepare(prepared_for)
    seen_of = m.expecting(numbers)
    return lambda: key.encrypt(numbers, packed=packed), lambda array: {**seen_of(array), **m.tables_of(key)}


def _on_integers(
    n: int,
    run: Callable[[Material, Any], Any],
    expected: Any = None,
    start: Callable[[EncryptedArray], Any] = lambda array: array,
) -> Callable[[Material], Made]:
    """What `run` does with n encrypted integers, or with what `start` makes of them; they are expected by default."""

    def workload(m: Material) -> Made:
        started = start(m.prepared_key.encrypt(integers(n)))
        return lambda: run(m, started), m.expecting(integers(n) if expected is None else expected)

    return workload


def matmul(rows: int, columns: int) -> Callable[[Material], Made]:
    """A plain matrix times an encrypted vector."""
    factors = matrix(rows, columns)
    return _on_integers(columns, lambda _, array: factors @ array, factors.astype(object) @ integers(columns))


def decrypt(n: int) -> Callable[[Material], Made]:
    """Of n integers, one a ciphertext."""
    return _on_integers(n, lambda m, array: m.private_key.decrypt(array))


def validate(n: int) -> Callable[[Material], Made]:
    """Of n ciphertexts from outside."""
    return _on_integers(
        n,
        lambda m, ciphertexts: m.public_key.from_ciphertexts(ciphertexts, integer=True),
        start=lambda array: array.ciphertexts(),
    )


def _round(m: Material) -> Made:
    side = Side("packed", _KEY_LENGTH, _CLIENTS)

    def work() -> tuple[Any, bytes]:
        side.prepare(_CLIENTS, _VALUES)
        total = side.run(gradients(_CLIENTS, _VALUES)).total  # it checks its sum
        return total, total.to_bytes()

    def seen_of(result: tuple[Any, bytes]) -> Counts:
        total, data = result
        check(total.terms == _CLIENTS)
        return {"ciphertexts": total.n_ciphertexts, "wire_bytes": len(data)}

    return work, seen_of


_FACTORS = integers(64, bits=32, seed=1)
COUNT_ROWS: dict[str, Callable[[Material], Made]] = {
    "tables for 1000": _tables,
    "encrypt 256": partial(encrypt, n=256, packed=False),
    "encrypt 1000 packed": partial(encrypt, n=1000),
    "packed round, 5 clients, 1000 values": _round,
    "add 256": _on_integers(256, lambda _, array: array + array, 2 * integers(256)),
    "times plain 64": _on_integers(64, lambda _, array: array * _FACTORS, integers(64).astype(object) * _FACTORS),
    "matmul 16x64": matmul(16, 64),
    "sum 256": _on_integers(256, lambda _, array: array.sum(), integers(256).sum()),
    "decrypt 64": decrypt(64),
    "validate 256": validate(256),
    "send 256": _on_integers(256, lambda _, array: array.to_bytes()),
    "receive 256": _on_integers(
        256, lambda m, data: EncryptedArray.from_bytes(m.public_key, data), start=lambda array: array.to_bytes()
    ),
}
