"""One backend or library as a benchmark runs it: timed rounds of the protocol, with their results checked."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.bench.peers import make_peer
from vecphe.bench.records import BACKENDS, TIMED_PHASES
from vecphe.bench.workloads import short_keys
from vecphe.errors import BenchmarkError
from vecphe.federated import decrypt_vector, encrypt_vector, sum_encrypted_vectors
from vecphe.federated.backends import backend_named
from vecphe.federated.clock import PhaseClock

__all__ = ["Round", "Side"]

_PACKED_ERROR = 2.0**-41  # of one packed value


@dataclass(frozen=True)
class Round:
    """Seconds by phase of one round, and the encrypted sum, which tells its n_ciphertexts and nbytes."""

    seconds: dict[str, float]
    total: Any


class Side:
    """A backend, or one of `vecphe.bench.peers`, by name, with keys of its own of so many bits.

    Packed values leave room for as many terms as there are clients. The naive side has no engine; peers have neither
    that nor jobs. `setup` is the seconds it took to make keys and tables, `slots` the values a ciphertext of a peer.

    Raises
    ------
    ImportError, UnfitError
        If a peer is not installed, or takes no keys of that length.
    """

    def __init__(
        self, name: str, key_length: int, clients: int, jobs: int | None = None, engine: str | None = None
    ) -> None:
        self.name = name
        backend = backend_named(name, clients, jobs, None if name == "naive" else engine) if name in BACKENDS else None
        started = perf_counter()
        if backend is None:
            self._peer = make_peer(name, key_length)
        else:
            with short_keys():
                self.public_key, self.private_key = backend.generate_keys(key_length, insecure=True)
            self._peer = SimpleNamespace(
                encrypt=lambda vector: encrypt_vector(self.public_key, vector),
                add=sum_encrypted_vectors,
                decrypt=lambda total: decrypt_vector(self.private_key, total),
                error=_PACKED_ERROR if name == "packed" else 0.0,
            )
        self.setup = perf_counter() - started
        self.slots = int(getattr(self._peer, "slots", 1))

    def prepare(self, n_vectors: int, length: int) -> None:
        """Build the tables that so many vectors pay for; libraries have none."""
        if self.name in BACKENDS:
            started = perf_counter()
            self.public_key.prepare(n_vectors, length)
            self.setup += perf_counter() - started

    def run(self, vectors: npt.NDArray[np.float64]) -> Round:
        """One round: every row is encrypted and added to the sum, which is decrypted; BenchmarkError if it is wrong."""
        is_ours, peer, clock = self.name in BACKENDS, self._peer, PhaseClock()
        first, *others = vectors if is_ours else vectors.tolist()
        started = perf_counter()
        with clock.measure("encrypt"):
            total = peer.encrypt(first)
        for vector in others:
            with clock.measure("encrypt"):
                own = peer.encrypt(vector)
            with clock.measure("add"):
                total = peer.add(total, own)
        with clock.measure("decrypt"):
            decrypted = peer.decrypt(total)
        seconds = {"round": perf_counter() - started} | {phase: clock.seconds[phase] for phase in TIMED_PHASES}
        error = len(vectors) * peer.error * (1 if is_ours else 2)
        if not np.allclose(decrypted, np.sum(vectors, axis=0), rtol=1e-12, atol=error + 1e-12):
            raise BenchmarkError(f"the {self.name} backend decrypted a wrong sum: nothing it measured counts")
        if is_ours:
            return Round(seconds, total)
        count = -(-vectors.shape[1] // self.slots)
        return Round(seconds, SimpleNamespace(n_ciphertexts=count, nbytes=peer.nbytes(total)))
