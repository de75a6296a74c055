"""What users call, once for all: the gate counts and times it, the targets and the suite time it. Results are checked.

The gate's key is made for the run: counts depend on its length only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from operator import add, matmul, mul
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import Engine, active_engine
from vecphe.array import EncryptedArray
from vecphe.bench.counts import Counts, counting
from vecphe.bench.sides import Side
from vecphe.bench.workloads import gradients, integers, matrix, values
from vecphe.errors import BenchmarkError
from vecphe.keys import PrivateKey, PublicKey
from vecphe.numbers.key_numbers import PrivateNumbers, PublicNumbers
from vecphe.numbers.primes import random_prime_pair

__all__ = [
    *("CALLS", "COUNT_ROWS", "ON_ANY", "ON_UNPACKED", "Call", "Keys", "Made", "Material", "Subject", "Work"),
    *("check", "count", "encrypt", "on_integers"),
]

_KEY_LENGTH = 2048
_ENCRYPTIONS = 1000  # what tables are made for
_CLIENTS, _VALUES = 5, 1000  # of a round

Work = Callable[[], Any]
SeenOf = Callable[[Any], Counts]
# The work, which alone is counted or timed, and what checks its result and tells what can be seen of it from outside.
Made = tuple[Work, SeenOf]


def check(right: object) -> None:
    """Raise BenchmarkError unless a result is right."""
    if not right:
        raise BenchmarkError("decrypted to a wrong result, so what it counted or took means nothing")


# Calls

Keys = tuple[PublicKey, PrivateKey]


class Call(NamedTuple):
    """What is timed, the values that its result decrypts to, and their absolute error."""

    run: Work
    expected: Any
    error: float = 2.0**-40


class Subject:
    """A vector, encrypted under keys."""

    def __init__(self, keys: Keys, x: npt.NDArray[Any], packed: bool = False) -> None:
        self.public_key, self.private_key = keys
        self.x = x if x.dtype.kind == "f" else x.astype(object)  # products of integers may be long
        self.encrypt = partial(self.public_key.encrypt, packed=packed)

    @cached_property
    def c(self) -> EncryptedArray:
        """The ciphertexts, made when they are first asked for."""
        return self.encrypt(self.x)

    def check(self, result: Any, call: Call) -> Counts:
        """What can be seen of a result, encrypted or not, from outside; BenchmarkError if it is wrong."""
        if isinstance(result, bytes):
            return {**self.check(EncryptedArray.from_bytes(self.public_key, result), call), "wire_bytes": len(result)}
        if isinstance(result, EncryptedArray):
            return {**self.check(self.private_key.decrypt(result), call), "ciphertexts": result.n_ciphertexts}
        allowed = call.error + 1e-12 * abs(call.expected)
        check(np.shape(result) == np.shape(call.expected) and np.all(abs(result - call.expected) <= allowed))
        return {"ciphertexts": np.size(result)}

    def checked(self, name: str) -> Work:
        """One of `CALLS` that has given the right result once."""
        call = CALLS[name](self)
        self.check(call.run(), call)
        return call.run


def _multiplication(s: Subject, bits: int, seed: int = 0) -> Call:
    factors = integers(len(s.x), bits, seed)
    return Call(partial(mul, s.c, factors), s.x * factors, 0)


def _matrix_product(s: Subject, rows: int) -> Call:
    a = matrix(rows, len(s.x))
    return Call(partial(matmul, a, s.c), a @ s.x, 1e-3)


def _validation(s: Subject) -> Call:
    is_integer = s.x.dtype.kind == "O"
    return Call(partial(s.public_key.from_ciphertexts, s.c.ciphertexts(), integer=is_integer), s.x)


# Of packed arrays too, or of the others alone.
ON_ANY: dict[str, Callable[..., Call]] = {
    "encrypt": lambda s: Call(partial(s.encrypt, s.x), s.x),
    "decrypt": lambda s: Call(partial(s.private_key.decrypt, s.c), s.x),
    "add": lambda s: Call(partial(add, s.c, s.encrypt(s.x[::-1])), s.x + s.x[::-1]),
    "add_plain": lambda s: Call(partial(add, s.c, s.x), 2 * s.x),
    "times_plain_scalar": lambda s: Call(partial(mul, s.c, 3), 3 * s.x, 3 * 2.0**-41),
    "serialise": lambda s: Call(s.c.to_bytes, s.x),
    "load": lambda s: Call(partial(EncryptedArray.from_bytes, s.public_key, s.c.to_bytes()), s.x),
}
ON_UNPACKED: dict[str, Callable[..., Call]] = {
    "times_plain": partial(_multiplication, bits=53),
    "times_plain_32": partial(_multiplication, bits=32),
    "sum": lambda s: Call(s.c.sum, s.x.sum()),
    "matmul": partial(_matrix_product, rows=4),
    "validate": _validation,
}
CALLS = ON_ANY | ON_UNPACKED


# Workloads of the gate


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


def count(workload: Callable[[Material], Made], material: Callable[[], Material]) -> Counts:
    """Exact counts of a workload, sorted by name; BenchmarkError if its result is wrong."""
    work, seen_of = workload(m := material())
    with counting(m.engine) as counts:
        result = work()
    return dict(sorted((counts | seen_of(result)).items()))


def _tables(m: Material) -> Made:
    key = m.fresh_key()
    return lambda: key.prepare(_ENCRYPTIONS), lambda _: m.tables_of(key)


def encrypt(m: Material, n: int, packed: bool = True, prepared_for: int = 0) -> Made:
    """Of n numbers under a fresh key, which makes its tables with the first unless it was prepared for so many."""
    key = m.fresh_key()
    if prepared_for:
        key.prepare(prepared_for)
    subject = Subject((key, m.private_key), values(n), packed)
    call = CALLS["encrypt"](subject)
    return call.run, lambda array: {**subject.check(array, call), **m.tables_of(key)}


def on_integers(name: str, n: int, **options: int) -> Callable[[Material], Made]:
    """One of `CALLS` on n encrypted integers, one a ciphertext."""

    def workload(m: Material) -> Made:
        subject = Subject((m.prepared_key, m.private_key), integers(n))
        call = CALLS[name](subject, **options)
        return call.run, partial(subject.check, call=call)

    return workload


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


COUNT_ROWS: dict[str, Callable[[Material], Made]] = {
    "tables for 1000": _tables,
    "encrypt 256": partial(encrypt, n=256, packed=False),
    "encrypt 1000 packed": partial(encrypt, n=1000),
    "packed round, 5 clients, 1000 values": _round,
    "add 256": on_integers("add", 256),
    "times plain 64": on_integers("times_plain", 64, bits=32, seed=1),
    "matmul 16x64": on_integers("matmul", 64, rows=16),
    "sum 256": on_integers("sum", 256),
    "decrypt 64": on_integers("decrypt", 64),
    "validate 256": on_integers("validate", 256),
    "send 256": on_integers("serialise", 256),
    "receive 256": on_integers("load", 256),
}
