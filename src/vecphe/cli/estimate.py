"""A rough guess, before anything runs, at how long `vecphe run` will take.

`vecphe estimate` measures what this one assumes (vecphe.bench.estimate), but makes a key and tables for it: that takes
longer than many a run of this command, so here a probe of some milliseconds scales figures of another machine.
"""

from __future__ import annotations

from functools import cache
from time import perf_counter

from vecphe.arithmetic import active_engine

__all__ = ["estimated_seconds"]

# Seconds at 2048 bits, where the probe takes _PROBE_SECONDS: one encryption, one decryption, key pair with tables.
# They grow with the key length like its power of _GROWTH. From the phases that `vecphe run` reports.
_NAIVE_COSTS = (11e-3, 3.0e-3, 0.15)
_COSTS = {
    "gmp": {"vectorized": (0.65e-3, 4.3e-3, 0.4), "packed": (0.85e-3, 4.3e-3, 0.3)},
    "ifma": {"vectorized": (0.24e-3, 0.42e-3, 0.2), "packed": (0.47e-3, 1.05e-3, 0.15)},
}
_GROWTH = 2.6
_PROBE_SECONDS = 0.0085
_PACKED_SLOT_BITS = 60


@cache
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
    costs = _COSTS["ifma" if active_engine().name.startswith("ifma") else "gmp"]
    encryption, decryption, once = costs.get(backend, _NAIVE_COSTS)
    slots = (key_length - 1) // _PACKED_SLOT_BITS if backend == "packed" else 1
    ciphertexts = -(-length // slots)
    seconds = once + n_iter * ciphertexts * (n_clients * encryption + decryption)
    return float(seconds * (key_length / 2048) ** _GROWTH * _machine_factor())
