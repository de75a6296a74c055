"""What users call on a vector, once for all: for the suite, for the targets, and for the check of a GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, reduce
from operator import add, matmul, mul
from typing import Any, NamedTuple

import numpy as np

from vecphe import EncryptedArray, PrivateKey, PublicKey
from vecphe.bench import workloads
from vecphe.bench.peers import make_peer
from vecphe.plaintext.encoding import Floats

Keys = tuple[PublicKey, PrivateKey]


class Call(NamedTuple):
    """What is timed, the values that its result decrypts to, and their absolute error."""

    run: Callable[[], Any]
    expected: Any
    error: float = 2.0**-40


class Subject:
    """A vector, encrypted under keys."""

    def __init__(self, keys: Keys, x: Floats, packed: bool = False) -> None:
        self.public_key, self.private_key = keys
        self.x = x
        self.encrypt = partial(self.public_key.encrypt, packed=packed)
        self.c = self.encrypt(x)

    def check(self, result: Any, call: Call) -> None:
        """Compare a result, decrypted, with what is right, before its time counts."""
        if isinstance(result, bytes):
            result = EncryptedArray.from_bytes(self.public_key, result)
        plain = self.private_key.decrypt(result) if isinstance(result, EncryptedArray) else result
        np.testing.assert_allclose(plain, call.expected, atol=call.error, rtol=1e-12)

    def checked(self, name: str) -> Callable[[], Any]:
        """A call of the tables below that has given the right result once."""
        call = (ON_ANY | ON_UNPACKED)[name](self)
        self.check(call.run(), call)
        return call.run


def _multiply(s: Subject, bits: int) -> Call:
    factors = workloads.integers(len(s.x), bits)
    return Call(partial(mul, s.c, factors), s.x * factors, 0)


def _matmul(s: Subject, rows: int) -> Call:
    a = workloads.matrix(rows, len(s.x))
    return Call(partial(matmul, a, s.c), a @ s.x, 1e-3)


# Of packed arrays too, or of the others alone.
ON_ANY: dict[str, Callable[[Subject], Call]] = {
    "encrypt": lambda s: Call(partial(s.encrypt, s.x), s.x),
    "decrypt": lambda s: Call(partial(s.private_key.decrypt, s.c), s.x),
    "add": lambda s: Call(partial(add, s.c, s.encrypt(s.x[::-1])), s.x + s.x[::-1]),
    "add_plain": lambda s: Call(partial(add, s.c, s.x), 2 * s.x),
    "times_plain_scalar": lambda s: Call(partial(mul, s.c, 3), 3 * s.x, 3 * 2.0**-41),
    "serialise": lambda s: Call(s.c.to_bytes, s.x),
    "load": lambda s: Call(partial(EncryptedArray.from_bytes, s.public_key, s.c.to_bytes()), s.x),
}
ON_UNPACKED: dict[str, Callable[[Subject], Call]] = {
    "times_plain": partial(_multiply, bits=53),
    "times_plain_32": partial(_multiply, bits=32),
    "sum": lambda s: Call(s.c.sum, s.x.sum()),
    "matmul": partial(_matmul, rows=4),
}


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
