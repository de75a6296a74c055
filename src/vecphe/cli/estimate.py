"""A rough guess, before anything runs, at how long it will take."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter

__all__ = ["estimated_seconds"]

# Seconds at 2048 bits on the machine whose probe took _PROBE_SECONDS: encryption, decryption, key pair and tables.
# They grow with the key length like its power of _GROWTH; measured by the protocol benchmark.
_COSTS = {
    "naive": (9.2e-3, 2.7e-3, 0.5),
    "vectorized": (0.45e-3, 3.0e-3, 0.7),
    "packed": (0.45e-3, 3.0e-3, 0.5),
}
_GROWTH = 2.6
_PROBE_SECONDS = 0.03
_PACKED_SLOT_BITS = 60


@lru_cache(maxsize=None)
def _machine_factor() -> float:
    """Time of a fixed modular power here, over that where the costs were measured."""
    modulus = (1 << 1024) - 105
    start = perf_counter()
    for _ in range(3):
        pow(3, modulus - 1, modulus)
    return (perf_counter() - start) / _PROBE_SECONDS


def estimated_seconds(backend: str, key_length: int, n_iter: int, n_clients: int, length: int) -> float:
    """Seconds of a run, good to about a factor of two.

    Parameters
    ----------
    backend : str
    key_length : int
        Bits.
    n_iter, n_clients : int
    length : int
        Values in a gradient.

    Returns
    -------
    float
    """
    encryption, decryption, once = _COSTS[backend]
    slots = (key_length - 1) // _PACKED_SLOT_BITS if backend == "packed" else 1
    ciphertexts = -(-length // slots)
    seconds = once + n_iter * ciphertexts * (n_clients * encryption + decryption)
    return seconds * (key_length / 2048) ** _GROWTH * _machine_factor()
