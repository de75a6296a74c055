"""One backend as a benchmark runs it: timed rounds of the protocol's arithmetic, with their results checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.bench.peers import make_peer
from vecphe.bench.records import TIMED_PHASES
from vecphe.bench.workloads import short_keys
from vecphe.errors import BenchmarkError
from vecphe.federated import decrypt_vector, encrypt_vector, sum_encrypted_vectors
from vecphe.federated.backends import backend_named
from vecphe.federated.clock import PhaseClock

__all__ = ["PeerSide", "Round", "Side"]

_PACKED_ERROR = 2.0**-41  # of one packed value


@dataclass(frozen=True)
class Round:
    """Seconds by phase of one round, and the encrypted sum, which tells its n_ciphertexts and nbytes."""

    seconds: dict[str, float]
    total: Any


class Side:
    """A backend by name, with a key pair of so many bits; `setup` is the seconds it took to make keys and tables.

    Packed values leave room for as many terms as there are clients. The naive side has no engine.
    """

    def __init__(
        self, name: str, key_length: int, clients: int, jobs: int | None = None, engine: str | None = None
    ) -> None:
        self.name = name
        backend = backend_named(name, clients, jobs, None if name == "naive" else engine)
        started = perf_counter()
        with short_keys():
            self.public_key, self.private_key = backend.generate_keys(key_length, insecure=True)
        self.setup = perf_counter() - started

    def prepare(self, n_vectors: int, length: int) -> None:
        """Build the tables that so many vectors pay for."""
        started = perf_counter()
        self.public_key.prepare(n_vectors, length)
        self.setup += perf_counter() - started

    def run(self, vectors: npt.NDArray[np.float64]) -> Round:
        """One round: every row is encrypted and added to the sum, which is decrypted; BenchmarkError if it is wrong."""
        error = _PACKED_ERROR * len(vectors) if self.name == "packed" else 0.0
        return _round(
            self.name,
            vectors,
            lambda vector: encrypt_vector(self.public_key, vector),
            sum_encrypted_vectors,
            lambda total: decrypt_vector(self.private_key, total),
            error,
        )


class PeerSide:
    """One of `vecphe.bench.peers`, with keys of its own, for the same rounds.

    Raises
    ------
    ImportError, UnfitError
        If it is not installed, or takes no keys of that length.
    """

    def __init__(self, name: str, key_length: int) -> None:
        self.name = name
        started = perf_counter()
        self._peer = make_peer(name, key_length)
        self.setup = perf_counter() - started
        self.slots = int(getattr(self._peer, "slots", 1))  # values a ciphertext

    def run(self, vectors: npt.NDArray[np.float64]) -> Round:
        """As of `Side`."""
        peer = self._peer
        decrypt, error = lambda total: np.array(peer.decrypt(total)), 2 * len(vectors) * peer.error
        done = _round(self.name, vectors.tolist(), peer.encrypt, peer.add, decrypt, error)
        count = -(-vectors.shape[1] // self.slots)
        return Round(done.seconds, SimpleNamespace(n_ciphertexts=count, nbytes=peer.nbytes(done.total)))


def _round(
    name: str,
    vectors: Any,
    encrypt: Callable[[Any], Any],
    add: Callable[[Any, Any], Any],
    decrypt: Callable[[Any], Any],
    error: float,
) -> Round:
    clock = PhaseClock()
    started = perf_counter()
    with clock.measure("encrypt"):
        total = encrypt(vectors[0])
    for vector in vectors[1:]:
        with clock.measure("encrypt"):
            own = encrypt(vector)
        with clock.measure("add"):
            total = add(total, own)
    with clock.measure("decrypt"):
        decrypted = decrypt(total)
    whole = perf_counter() - started
    if not np.allclose(decrypted, np.sum(vectors, axis=0), rtol=1e-12, atol=error + 1e-12):
        raise BenchmarkError(f"the {name} backend decrypted a wrong sum: nothing it measured counts")
    return Round({**{phase: clock.seconds[phase] for phase in TIMED_PHASES}, "round": whole}, total)
