"""A run whose transport is in this process: each request gets a new party, as it gets a new process in a deployment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vecphe import PrivateKey
from vecphe.flower import Hospital, Plan, Reply, Request, Roster, Rounds, Settings
from vecphe.flower.parties import make_run
from vecphe.flower.plan import plan_for

SHAPES = ((2, 3), (5,))


def update_of(place: int) -> list[np.ndarray]:
    return [np.arange(6.0).reshape(2, 3) + place, np.linspace(-1, 1, 5) * (place + 1)]


@dataclass
class FakeRelay:
    """Carries requests; `change` may answer in the place of a party, or alter what it is sent or sends."""

    settings: dict[int, Settings]
    trained: list[int] = field(default_factory=list)
    transcript: list[tuple[int, Request, Reply]] = field(default_factory=list)
    change: Callable[[int, Request], Request | None] | None = None
    change_reply: Callable[[int, Request, Reply], Reply | None] | None = None
    compute: Callable[[int], Any] | None = None

    def nodes(self) -> list[int]:
        return list(self.settings)

    def exchange(self, requests: Mapping[int, Request], timeout: float) -> Mapping[int, Reply]:
        replies = {}
        for node, asked in requests.items():
            request = self.change(node, asked) if self.change else asked
            if request is None:
                continue  # lost on its way
            reply = self.deliver(node, request)
            reply_or_none = self.change_reply(node, request, reply) if self.change_reply else reply
            if reply_or_none is not None:
                replies[node] = reply_or_none
        return replies

    def deliver(self, node: int, request: Request) -> Reply:
        hospital = Hospital(self.settings[node])
        try:
            reply = hospital.reply(request, lambda: self._train(node))
        finally:
            hospital.close()
        self.transcript.append((node, request, reply))
        return reply

    @property
    def kinds(self) -> list[str]:
        return [request.kind for _, request, _ in self.transcript]

    def _train(self, node: int) -> tuple[Sequence[Any], int]:
        self.trained.append(node)
        if self.compute is not None:
            return self.compute(node)
        return update_of(node), 10 * (node + 1)


@dataclass
class Deployment:
    roster: Roster
    server: Settings
    relay: FakeRelay
    private_key: PrivateKey
    plan: Plan
    tasks: list[bytes] = field(default_factory=list)

    def rounds(self, plan: Plan | None = None, **options: Any) -> Rounds:
        return Rounds(self.server, plan or self.plan, self.relay, **{"timeout": 0.5, **options})


def deploy(directory: Path, key: PrivateKey, topology: str, n_clients: int = 3, **plan: Any) -> Deployment:
    names = [f"Hospital {i + 1}" for i in range(n_clients)]
    roster, parties, server = make_run(directory, key, topology, names, insecure=True)
    agreed = plan_for(roster, key.public_key, SHAPES, **{"rounds": 9, "chunk_bytes": 128, **plan})
    return Deployment(roster, server, FakeRelay(parties), key, agreed)
