"""Made-up results: records with samples that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from vecphe.bench.environment import Environment
from vecphe.bench.ratio_rows import Block
from vecphe.bench.records import PHASES, Case, Record, Results
from vecphe.bench.user_rows import Rows

ENVIRONMENT = Environment(
    cpu="Test CPU", cores=2, system="Linux x86_64", engine="ifma", target="ifma512", versions={"vecphe": "0.1.0"}
)
CASE = Case(2048, 5, 11)


def record(backend: str = "packed", case: Case = CASE, **changes: Any) -> Record:
    seconds = {"naive": 1.0, "vectorized": 0.02, "packed": 0.004}[backend]
    ciphertexts = changes.get("ciphertexts", case.values)
    facts: dict[str, Any] = {
        "jobs": 1,
        "measured_values": case.values,
        "measured_clients": case.clients,
        "samples": samples(seconds * case.values * case.clients / 55),
        "reference": [1.0] * 7,
        "ciphertexts": ciphertexts,
        "bytes_per_value": case.key_length / 4 * ciphertexts / case.values,
        "setup": 0.1,
        "memory": 1 << 20,
        "date": "2026-01-01T00:00:00+00:00",
        "environment": ENVIRONMENT,
        **changes,
    }
    return Record(backend=backend, case=case, **facts)


def samples(seconds: float, noise: float = 0.03, seed: int = 0, count: int = 7) -> dict[str, list[float]]:
    """Of a round of so many seconds, most of them for encryption; each with independent relative noise."""
    random = np.random.default_rng(seed)
    shares = {"encrypt": 0.7, "add": 0.1, "decrypt": 0.2}
    parts = {name: share * seconds * np.exp(noise * random.normal(size=count)) for name, share in shares.items()}
    parts["round"] = np.sum(list(parts.values()), axis=0)
    return {phase: parts[phase].tolist() for phase in PHASES}


def results(*records: Record, **changes: Any) -> Results:
    return Results(records or (record(),), **changes)


def rows(
    counts: Mapping[str, Mapping[str, int]], blocks: Mapping[str, Callable[[], Block]], slack: Mapping[str, float] = {}
) -> Rows:
    """Of a gate whose blocks a test chooses."""
    timed: Any = {name: SimpleNamespace(block=block, slack=slack.get(name, 1.0)) for name, block in blocks.items()}
    return Rows({name: lambda name=name: dict(counts[name]) for name in counts}, timed)


def matrix_results() -> Results:
    """All backends over two key lengths, client numbers and vector lengths; naive rows partly extrapolated."""
    rows = [
        record(
            backend,
            Case(bits, clients, values),
            measured_values=2 if backend == "naive" else values,
            reference_extrapolated=True,
        )
        for bits in (1024, 2048)
        for clients in (3, 5)
        for values in (11, 100)
        for backend in ("naive", "vectorized", "packed")
    ]
    return Results(tuple(rows), warnings=("<b>markup</b> & co",))
