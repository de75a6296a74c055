"""What every benchmark works on: the same numbers and keys for all of them.

Seeds decide about data alone. Keys and randomizers come from the operating system, as everywhere.
"""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import active_engine
from vecphe.bench.environment import use_engine
from vecphe.errors import InsecureKeyWarning
from vecphe.keys import PrivateKey, PublicKey, generate_keypair
from vecphe.plaintext.encoding import Floats

__all__ = ["gradients", "integers", "keypair", "matrix", "naive_module", "values"]


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


def keypair(key_length: int, engine: str | None = None) -> tuple[PublicKey, PrivateKey]:
    """A key pair of that length in bits, made once a process and engine; short ones are allowed without a warning.

    Parameters
    ----------
    key_length : int
    engine : str, optional
        Engine that its operations run on; default the active one.

    Returns
    -------
    (PublicKey, PrivateKey)

    Raises
    ------
    EngineUnavailableError
        If there is no such engine, or it does not run here.
    """
    return _made_keypair(key_length, active_engine().name if engine is None else engine)


@cache
def _made_keypair(key_length: int, engine: str) -> tuple[PublicKey, PrivateKey]:
    with use_engine(engine), warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        return generate_keypair(key_length, insecure=True)


@cache
def naive_module() -> Any | None:
    """The module `phe` that the naive loop runs on, or None where it is not installed."""
    try:
        return importlib.import_module("phe")
    except ImportError:
        return None
