"""Workloads whose operations the gate counts.

The key is made for the run: counts depend on its length only. Every workload checks its result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
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

__all__ = ["COUNT_ROWS", "KEY_LENGTH", "CountRow", "Material", "count_row"]

KEY_LENGTH = 2048
_ENCRYPTIONS = 1000  # what tables are made for
_ROUND = (5, 1000)  # clients, values


class Material:
    """A fresh key pair on the active engine, with what the workloads start from."""

    def __init__(self, key_length: int = KEY_LENGTH) -> None:
        self.engine: Engine = active_engine()
        self._p, self._q = random_prime_pair(key_length)
        self.n = self._p * self._q
        self.private_key = PrivateKey._from_numbers(
            self.fresh_key(), PrivateNumbers(min(self._p, self._q), max(self._p, self._q))
        )
        self.public_key = self.private_key.public_key

    def fresh_key(self) -> PublicKey:
        """The same key as one who has just received it: no tables yet."""
        return PublicKey._from_numbers(PublicNumbers(self.n))

    @cached_property
    def prepared_key(self) -> PublicKey:
        """The same key with the tables of a long run."""
        key = self.fresh_key()
        key.prepare(_ENCRYPTIONS)
        return key


# Rows

Check = Callable[[], object]


@dataclass(frozen=True)
class CountRow:
    """A workload whose operations are counted.

    Attributes
    ----------
    name : str
    prepare : callable
        From `Material` to what `run` starts from; not counted.
    run : callable
        From the material and what was prepared to what it sees from outside, and a check that is true of a right
        result; the check is not counted either.
    """

    name: str
    prepare: Callable[[Material], Any]
    run: Callable[[Material, Any], tuple[Counts, Check]]


def count_row(row: CountRow, material: Material) -> Counts:
    """Exact counts of one row, sorted by name.

    Raises
    ------
    BenchmarkError
        If its result is wrong.
    """
    subject = row.prepare(material)
    with counting(material.engine) as counts:
        seen, right = row.run(material, subject)
    if not right():
        raise BenchmarkError(f"{row.name}: decrypted to a wrong result, so what it counted means nothing")
    return dict(sorted((counts | seen).items()))


def _table_bytes(m: Material, key: PublicKey) -> Counts:
    """Of engines whose numbers all take the same room; those of gmp depend on their values, so entries are counted."""
    return {"table_bytes": key.table_bytes} if m.engine.counts() else {}


def _tables(m: Material, key: PublicKey) -> tuple[Counts, Check]:
    key.prepare(_ENCRYPTIONS)
    return _table_bytes(m, key), lambda: key.table_bytes


def _encryption(packed: bool, count: int) -> CountRow:
    def run(m: Material, key: PublicKey) -> tuple[Counts, Check]:
        array = key.encrypt(values(count), packed=packed)
        seen = {"ciphertexts": array.n_ciphertexts, **_table_bytes(m, key)}
        return seen, lambda: np.allclose(m.private_key.decrypt(array), values(count), rtol=0, atol=1e-9)

    return CountRow(f"encrypt {count}{' packed' if packed else ''}", Material.fresh_key, run)


def _encrypted(count: int) -> Callable[[Material], Any]:
    return lambda m: m.prepared_key.encrypt(integers(count))


def _result(m: Material, array: EncryptedArray, expected: Any) -> tuple[Counts, Check]:
    seen = {"ciphertexts": array.n_ciphertexts}
    return seen, lambda: m.private_key.decrypt(array).tolist() == expected.tolist()


def _add(m: Material, array: EncryptedArray) -> tuple[Counts, Check]:
    return _result(m, array + array, 2 * integers(256))


def _times(m: Material, array: EncryptedArray) -> tuple[Counts, Check]:
    factors = integers(64, bits=32, seed=1)
    return _result(m, array * factors, integers(64).astype(object) * factors.astype(object))


def _matmul(m: Material, array: EncryptedArray) -> tuple[Counts, Check]:
    product: EncryptedArray = array.__rmatmul__(matrix(16, 64))
    return _result(m, product, matrix(16, 64).astype(object) @ integers(64).astype(object))


def _sum(m: Material, array: EncryptedArray) -> tuple[Counts, Check]:
    return _result(m, array.sum(), integers(256).sum())


def _decrypt(m: Material, array: EncryptedArray) -> tuple[Counts, Check]:
    plain = m.private_key.decrypt(array)
    return {"ciphertexts": array.n_ciphertexts}, lambda: (plain == integers(64)).all()


def _validate(m: Material, ciphertexts: list[int]) -> tuple[Counts, Check]:
    return _result(m, m.public_key.from_ciphertexts(ciphertexts, integer=True), integers(256))


def _send(m: Material, array: EncryptedArray) -> tuple[Counts, Check]:
    data = array.to_bytes()
    seen = {"ciphertexts": array.n_ciphertexts, "wire_bytes": len(data)}
    return (
        seen,
        lambda: m.private_key.decrypt(EncryptedArray.from_bytes(m.public_key, data)).sum() == (integers(256).sum()),
    )


def _receive(m: Material, data: bytes) -> tuple[Counts, Check]:
    return _result(m, EncryptedArray.from_bytes(m.public_key, data), integers(256))


def _round(m: Material, side: Side) -> tuple[Counts, Check]:
    side.prepare(*_ROUND)
    total = side.run(gradients(*_ROUND)).total  # it checks its sum
    return {"ciphertexts": total.n_ciphertexts, "wire_bytes": len(total.to_bytes())}, lambda: total.terms == _ROUND[0]


COUNT_ROWS: tuple[CountRow, ...] = (
    CountRow("tables for 1000", Material.fresh_key, _tables),
    _encryption(False, 256),
    _encryption(True, 1000),
    CountRow("packed round, 5 clients, 1000 values", lambda m: Side("packed", KEY_LENGTH, _ROUND[0]), _round),
    CountRow("add 256", _encrypted(256), _add),
    CountRow("times plain 64", _encrypted(64), _times),
    CountRow("matmul 16x64", _encrypted(64), _matmul),
    CountRow("sum 256", _encrypted(256), _sum),
    CountRow("decrypt 64", _encrypted(64), _decrypt),
    CountRow("validate 256", lambda m: _encrypted(256)(m).ciphertexts(), _validate),
    CountRow("send 256", _encrypted(256), _send),
    CountRow("receive 256", lambda m: _encrypted(256)(m).to_bytes(), _receive),
)
