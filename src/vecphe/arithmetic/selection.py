"""Which engine computes: a priority list, a self-test before use, and the VECPHE_ENGINE override."""

from __future__ import annotations

import os
from functools import cache, lru_cache

import numpy as np

from vecphe.arithmetic.engine import AnyRing, Engine
from vecphe.arithmetic.gmp import GmpEngine
from vecphe.arithmetic.words import words_from_integers
from vecphe.errors import EngineUnavailableError

__all__ = ["active_engine", "available_engines", "engine_named", "ring_for", "self_test"]

# Fastest first. A missing engine is listed with its reason, so that `vecphe info` can tell why it is not used.
_ENGINES: dict[str, type[Engine]] = {"gmp": GmpEngine}


def available_engines() -> list[tuple[str, str | None]]:
    """Engines in order of preference, each with the reason why it does not run here, or None if it does.

    Returns
    -------
    list of (str, str or None)
    """
    return [(name, None) for name in _ENGINES]


def engine_named(name: str) -> Engine:
    """The engine of that name, after its self-test.

    Raises
    ------
    EngineUnavailableError
        If there is no such engine, or it does not run on this machine.
    """
    if name not in _ENGINES:
        raise EngineUnavailableError(
            f"VECPHE_ENGINE: no engine is called {name!r}; choose one of {', '.join(_ENGINES)}, or unset it"
        )
    return _tested(name)


@cache
def _tested(name: str) -> Engine:
    engine = _ENGINES[name]()
    if not self_test(engine):
        raise EngineUnavailableError(f"engine {name!r} failed its self-test on this machine; do not use it")
    return engine


def active_engine() -> Engine:
    """The engine named by VECPHE_ENGINE, else the fastest that runs here."""
    return engine_named(os.environ.get("VECPHE_ENGINE") or next(iter(_ENGINES)))


@lru_cache(maxsize=32)
def _ring(engine_name: str, n: int) -> AnyRing:
    return engine_named(engine_name).ring(n)


def ring_for(n: int) -> AnyRing:
    """The active engine's ring Z/n^2, shared by all objects of a key."""
    return _ring(active_engine().name, n)


def self_test(engine: Engine) -> bool:
    """Known answers for the key n = 1000003 * 1000033: product, fixed-base power and decryption."""
    p, q = 1_000_003, 1_000_033
    n = p * q
    ring = engine.ring(n)
    randomizer = pow(123_456_789, n, n * n)
    base = ring.fixed_base(randomizer, 64, 4)
    exponents = words_from_integers([0, 1, 2**64 - 1], 1)
    plaintexts = words_from_integers([0, 41, n - 1], 1)
    encrypted = ring.multiply_plain(base.power_secret(exponents), plaintexts, 0)
    expected = [
        (1 + m * n) * pow(randomizer, int(a), n * n) % (n * n)
        for m, a in zip((0, 41, n - 1), exponents[:, 0], strict=True)
    ]
    doubled = ring.multiply(encrypted, encrypted)
    decrypted = engine.decryptor(p, q).decrypt(ring, doubled, 5)
    return ring.store(encrypted) == expected and np.array_equal(
        decrypted,
        words_from_integers([5, 87, 3], 1),  # 2 * (n - 1) + 5 = 3 mod n
    )
