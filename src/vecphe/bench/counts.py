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
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from threading import Lock
from typing import Any

from vecphe.arithmetic import Engine

__all__ = ["Counts", "counting"]

Counts = dict[str, int]
_Measure = Callable[..., Counts]


def _bits(exponents: Iterable[Any]) -> int:
    return sum(int(exponent).bit_length() for exponent in exponents)


# What a call counts, from its result and its arguments; "" stands for the name of the call itself.
_METHODS: dict[str, dict[str, _Measure]] = {
    "ring": {
        **dict.fromkeys(
            ("load", "load_bytes", "multiply", "multiply_plain"), lambda result, ring, *_: {"": ring.size(result)}
        ),
        **dict.fromkeys(
            ("store", "store_bytes", "all_units", "product", "invert"),
            lambda _, ring, batch, *more: {"": ring.size(batch)},
        ),
        "power_vartime": lambda _, ring, batch, exponents: {"": ring.size(batch), ".bits": _bits(exponents)},
        "power_secret": lambda _, ring, batch, words: {"": ring.size(batch), ".bits": 64 * int(words.size)},
        "matrix_power_vartime": lambda _, ring, matrix, batch: {
            "": len(matrix) * ring.size(batch),
            ".bits": sum(_bits(row) for row in matrix),
        },
        "fixed_base": lambda _, ring, base, bits, window: {"": 1, ".entries": -(-bits // window) << window},
    },
    "fixed_base": {
        "power_secret": lambda _, table, exponents: {
            "": len(exponents),
            ".steps": len(exponents) * -(-table.bits // table.window),
        }
    },
    "decryptor": {"decrypt": lambda _, decryptor, ring, batch, offset: {"": ring.size(batch)}},
}
_GMP_CALLS = ("f_divmod", "powmod", "powmod_sec", "invert", "gcd")


def _counted_functions(engine: Engine) -> list[tuple[Any, str, str, _Measure]]:
    """(where it stands, its name there, name of its count, measure): of what `engine` makes, and of GMP."""
    ring = engine.ring(15)  # any will do: it is the classes that matter
    owners = {
        "ring": type(ring),
        "fixed_base": type(ring.fixed_base(4, 4, engine.tuning.min_window)),
        "decryptor": type(engine.decryptor(3, 5)),
    }
    methods = [
        (owners[owner], method, f"{owner}.{method}", measure)
        for owner, measures in _METHODS.items()
        for method, measure in measures.items()
    ]
    if engine.counts():  # itself
        return methods
    module = sys.modules[type(engine).__module__]
    names = [name for name in _GMP_CALLS if hasattr(module, name)]
    return [*methods, *((module, name, f"gmp.{name}", lambda *_: {"": 1}) for name in names)]


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
    with ExitStack() as patches:
        for owner, function, name, measure in _counted_functions(engine):
            original = vars(owner)[function]
            patches.callback(setattr, owner, function, original)
            setattr(owner, function, _counted(original, name, measure, calls, lock))
        before = engine.counts()
        try:
            yield counts
        finally:
            calls.update({f"kernel.{name}": after - before[name] for name, after in engine.counts().items()})
            counts.update({name: number for name, number in calls.items() if number})


def _counted(
    function: Callable[..., Any], name: str, measure: _Measure, calls: Counter[str], lock: Lock
) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any) -> Any:
        result = function(*args)
        found = measure(result, *args)
        with lock:
            for suffix, number in found.items():
                calls[name + suffix] += number
        return result

    return wrapper
