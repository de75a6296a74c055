"""Calls besides those of `vecphe.bench.count_rows`: of many vectors, and of other libraries."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, reduce
from operator import add
from typing import Any

import numpy as np

from vecphe.bench import workloads
from vecphe.bench.count_rows import Call, Subject
from vecphe.bench.peers import make_peer


def add_many(s: Subject, terms: int) -> Call:
    """The key holder's view of a round: many vectors become one."""
    parts = [s.encrypt(s.x) for _ in range(terms)]
    return Call(partial(reduce, add, parts), terms * s.x, terms * 2.0**-40)


@cache
def peer(name: str, key_length: int) -> Any:
    """Another library with keys, made once a process: safe primes take long to find."""
    return make_peer(name, key_length)


def checked_of(them: Any, name: str, values: list[float]) -> Callable[[], Any]:
    """A call of another library on so many values, which has given the right result once."""
    x, numbers, factors = np.array(values), them.encrypt(values), workloads.integers(len(values))
    arguments, expected = {
        "encrypt": ((values,), x),
        "decrypt": ((numbers,), x),
        "add": ((numbers, numbers), 2 * x),
        "sum": ((numbers,), [x.sum()]),
        "multiply": ((numbers, factors.tolist()), factors * x),
    }[name]
    run = partial(getattr(them, name), *arguments)
    plain = run() if name == "decrypt" else them.decrypt(run())
    terms = len(values) if name == "sum" else 2
    np.testing.assert_allclose(plain, expected, atol=terms * them.error, rtol=1e-12)
    return run
