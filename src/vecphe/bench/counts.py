"""Exact counts of what a piece of work does: the same on every run, and on every CPU that runs the same engine.

Four sources, all of things that happened, none predicted:

* the native kernels count products, squarings and multiply-adds themselves (src/native/tally.h), for all threads;
* of the gmp engine, whose arithmetic is GMP's, the calls of GMP for a quotient with its remainder (one a product of
  pairs), a power, an inverse and a gcd are counted;
* calls of the engine's interface are counted in residues, whatever the engine: ``all_units`` once for every
  ciphertext that is checked, ``FixedBase.power_secret`` once for every step of every randomizer;
* a workload adds what it can see from outside: ciphertexts, bytes on the wire, bytes of tables.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import count
from threading import Lock
from typing import Any

from vecphe.arithmetic import AnyRing, Engine, FixedBase

__all__ = ["Counts", "counting"]

Counts = dict[str, int]
_Measure = Callable[..., Counts]


def _of_argument(ring: AnyRing, batch: Any, *_: Any, result: Any) -> Counts:
    return {"": ring.size(batch)}


def _of_result(ring: AnyRing, *_: Any, result: Any) -> Counts:
    return {"": ring.size(result)}


def _with_bits(ring: AnyRing, batch: Any, exponents: Any, result: Any) -> Counts:
    return {"": ring.size(batch), ".bits": sum(int(exponent).bit_length() for exponent in exponents)}


def _with_words(ring: AnyRing, batch: Any, exponents: Any, result: Any) -> Counts:
    return {"": ring.size(batch), ".bits": 64 * int(exponents.size)}


def _matrix(ring: AnyRing, matrix: Any, batch: Any, result: Any) -> Counts:
    return {"": len(matrix) * ring.size(batch), ".bits": sum(int(e).bit_length() for row in matrix for e in row)}


def _table(ring: AnyRing, base: int, bits: int, window: int, result: Any) -> Counts:
    return {"": 1, ".entries": -(-bits // window) << window}


def _steps(table: Any, exponents: Any, result: Any) -> Counts:
    return {"": len(exponents), ".steps": len(exponents) * -(-table.bits // table.window)}


def _decrypted(decryptor: Any, ring: AnyRing, batch: Any, offset: int, result: Any) -> Counts:
    return {"": ring.size(batch)}


_RING: dict[str, _Measure] = {
    "load": _of_result,
    "load_bytes": _of_result,
    "store": _of_argument,
    "store_bytes": _of_argument,
    "all_units": _of_argument,
    "multiply": _of_result,
    "multiply_plain": _of_result,
    "product": _of_argument,
    "invert": _of_argument,
    "power_vartime": _with_bits,
    "power_secret": _with_words,
    "matrix_power_vartime": _matrix,
    "fixed_base": _table,
}


_GMP_CALLS = ("f_divmod", "powmod", "powmod_sec", "invert", "gcd")


@contextmanager
def _counting_gmp(engine: Engine, calls: Counter[str]) -> Iterator[None]:
    """Count what the module of an engine that counts nothing itself asks of GMP."""
    module = sys.modules[type(engine).__module__]
    names = [name for name in _GMP_CALLS if not engine.counts() and hasattr(module, name)]
    tallies = {name: count() for name in names}
    originals = {name: getattr(module, name) for name in names}
    for name, function in originals.items():
        setattr(module, name, _tallied(function, tallies[name]))
    try:
        yield
    finally:
        for name, function in originals.items():
            setattr(module, name, function)
            calls[f"gmp.{name}"] = next(tallies[name])


def _tallied(function: Callable[..., Any], tally: Iterator[int]) -> Callable[..., Any]:
    """Millions of calls are counted: no more is done than what no other thread can come between."""

    def wrapper(*args: Any) -> Any:
        next(tally)
        return function(*args)

    return wrapper


def _methods(engine: Engine) -> list[tuple[type, str, str, _Measure]]:
    """(class, method, name of its count, measure) of what `engine` makes."""
    ring = engine.ring(15)  # any will do: it is the classes that matter
    table: type[FixedBase[Any]] = type(ring.fixed_base(4, 4, engine.tuning.min_window))
    decryptor = type(engine.decryptor(3, 5))
    found: list[tuple[type, str, str, _Measure]] = [
        (type(ring), method, f"ring.{method}", measure) for method, measure in _RING.items()
    ]
    found.append((table, "power_secret", "fixed_base.power_secret", _steps))
    found.append((decryptor, "decrypt", "decryptor.decrypt", _decrypted))
    return found


@contextmanager
def counting(engine: Engine) -> Iterator[Counts]:
    """Count what `engine` does in this process while the block runs.

    The counts are complete when the block has ended. Calls inside the engine count too: what is loaded as integers by
    way of bytes is counted under both names. Nothing else may use the engine meanwhile.

    Parameters
    ----------
    engine : Engine

    Yields
    ------
    dict of str to int
        Empty until the block ends; then only counts that are not 0, by name: ``ring.multiply``, ``kernel.products``,
        ``gmp.f_divmod``.
    """
    counts: Counts = {}
    calls: Counter[str] = Counter()
    lock = Lock()
    methods = _methods(engine)
    originals = [(owner, method, owner.__dict__[method]) for owner, method, _, _ in methods]
    for owner, method, name, measure in methods:
        setattr(owner, method, _counted(owner.__dict__[method], name, measure, calls, lock))
    before = engine.counts()
    try:
        with _counting_gmp(engine, calls):
            yield counts
    finally:
        after = engine.counts()
        for owner, method, original in originals:
            setattr(owner, method, original)
        calls.update({f"kernel.{name}": after[name] - before[name] for name in after})
        counts.update({name: number for name, number in sorted(calls.items()) if number})


def _counted(
    function: Callable[..., Any], name: str, measure: _Measure, calls: Counter[str], lock: Lock
) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any) -> Any:
        result = function(*args)
        found = measure(*args, result=result)
        with lock:
            calls.update({name + suffix: number for suffix, number in found.items()})
        return result

    return wrapper
