"""What every benchmark works on: the same numbers and keys for all of them.

Seeds decide about data alone. Keys and randomizers come from the operating system, as everywhere.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import engine_for
from vecphe.errors import InsecureKeyWarning
from vecphe.keys import PrivateKey, PublicKey, generate_keypair
from vecphe.plaintext.encoding import Floats

__all__ = ["gradients", "integers", "keypair", "matrix", "naive_module", "short_keys", "values"]


def values(count: int, seed: int = 0) -> Floats:
    """Normal numbers, shape (count,): magnitudes as of gradients of standardised data."""
    return np.random.default_rng([seed, 0]).normal(size=count)


def gradients(n_clients: int, count: int, seed: int = 0) -> Floats:
    """One vector a client, shape (n_clients, count)."""
    return np.random.default_rng([seed, 1]).normal(size=(n_clients, count))


def matrix(rows: int, columns: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Integers of 32 bits with the top one set, shape (rows, columns): plain multipliers of equal cost."""
    return np.random.default_rng([seed, 2]).integers(1 << 31, 1 << 32, size=(rows, columns))


def integers(count: int, bits: int = 53, seed: int = 0) -> npt.NDArray[np.int64]:
    """Integers of exactly `bits` bits, up to 62, shape (count,)."""
    return np.random.default_rng([seed, 3]).integers(1 << (bits - 1), 1 << bits, size=count)


@contextmanager
def short_keys() -> Iterator[None]:
    """No warning of insecure keys: here they are for their times only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        yield


def keypair(key_length: int, engine: str | None = None) -> tuple[PublicKey, PrivateKey]:
    """A key pair of that length in bits, made once a process and engine; short ones are allowed without a warning.

    Raises
    ------
    EngineUnavailableError
        If there is no such engine, it does not run here, or the key is too long for it.
    """
    return _made_keypair(key_length, engine_for(1 << (key_length - 1), engine).name)


@cache
def _made_keypair(key_length: int, engine: str) -> tuple[PublicKey, PrivateKey]:
    with short_keys():
        return generate_keypair(key_length, insecure=True, engine=engine)


def naive_module() -> Any | None:
    """The module `phe` that the naive loop runs on, or None where it is not installed."""
    try:
        return importlib.import_module("phe")
    except ImportError:
        return None
