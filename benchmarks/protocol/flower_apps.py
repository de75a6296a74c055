"""What `benchmarks.protocol.flower_rounds` runs in Flower's simulation: averages in four ways, nothing trained."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from vecphe.flower.client import paillier_mod
from vecphe.flower.server import FlowerRelay, encrypted_rounds

MODE = os.environ.get("VECPHE_FLOWER_BENCH", "fedavg")  # fedavg, secagg, ring or star


class Traffic:
    """Bytes of the records that clients send; all answers, those of `send_and_receive` too, pass `pull_messages`."""

    def __init__(self, grid: Grid) -> None:
        self._pull, self.up = grid.pull_messages, 0
        grid.pull_messages = self._counted  # type: ignore[method-assign]

    def _counted(self, message_ids: Iterable[str]) -> list[Message]:
        replies = list(self._pull(message_ids))
        self.up += sum(size(record) for reply in replies if reply.has_content() for record in reply.content.values())
        return replies


def size(value: Any) -> int:
    """Bytes of a record or of a value in one."""
    if isinstance(value, ArrayRecord):
        return sum(len(array.data) for array in value.values())
    if isinstance(value, (bytes, str)):
        return len(value)
    if isinstance(value, list):
        return sum(map(size, value))
    return sum(map(size, value.values())) if hasattr(value, "values") else 8


def tell(seconds: float, up: int, cryptography: float | None) -> None:
    print("BENCH", json.dumps({"seconds": seconds, "up": up, "cryptography": cryptography}), flush=True)


def update(length: int) -> np.ndarray:
    return np.full(length, 0.1, dtype=np.float32)


if MODE == "secagg":
    from flwr.client import Client, NumPyClient
    from flwr.client.mod import secaggplus_mod

    class One(NumPyClient):
        def fit(self, parameters: list[np.ndarray], config: dict[str, Any]) -> tuple[list[np.ndarray], int, dict]:
            return [update(len(parameters[0]))], 100, {}

    def client_fn(context: Context) -> Client:
        return One().to_client()

    client_app = ClientApp(client_fn=client_fn, mods=[secaggplus_mod])
else:
    client_app = ClientApp(mods=[] if MODE == "fedavg" else [paillier_mod])

    @client_app.train()
    def train(message: Message, context: Context) -> Message:
        (weights,) = message.content["arrays"].to_numpy_ndarrays()
        content = {"arrays": ArrayRecord([update(len(weights))]), "metrics": MetricRecord({"num-examples": 100})}
        return Message(RecordDict(content), reply_to=message)


server_app = ServerApp()


@server_app.main()
def serve(grid: Grid, context: Context) -> None:
    config = context.run_config
    length, rounds, nodes = (int(config[name]) for name in ("length", "num-server-rounds", "nodes"))
    while len(list(grid.get_node_ids())) < nodes:
        time.sleep(0.2)
    {"fedavg": fedavg, "secagg": secagg}.get(MODE, encrypted)(grid, Traffic(grid), context, length, rounds)


def fedavg(grid: Grid, traffic: Traffic, context: Context, length: int, rounds: int) -> None:
    weights = np.zeros(length, dtype=np.float32)
    for _ in range(rounds):
        began, before = time.perf_counter(), traffic.up
        content = RecordDict({"arrays": ArrayRecord([weights])})
        nodes = list(grid.get_node_ids())
        waiting = set(grid.push_messages([Message(content, dst_node_id=n, message_type="train") for n in nodes]))
        updates = []
        while waiting:
            for reply in grid.pull_messages(waiting):
                waiting.discard(reply.metadata.reply_to_message_id)
                updates.append(reply.content["arrays"].to_numpy_ndarrays()[0])
            time.sleep(0.05)
        weights = np.mean(updates, axis=0)
        tell(time.perf_counter() - began, traffic.up - before, None)


def secagg(grid: Grid, traffic: Traffic, context: Context, length: int, rounds: int) -> None:
    from flwr.common import ndarrays_to_parameters
    from flwr.server import LegacyContext, ServerConfig
    from flwr.server.strategy import FedAvg
    from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow

    class Timed(SecAggPlusWorkflow):
        def __call__(self, grid: Any, context: Any) -> None:
            began, before = time.perf_counter(), traffic.up
            super().__call__(grid, context)
            tell(time.perf_counter() - began, traffic.up - before, None)

    nodes = len(list(grid.get_node_ids()))
    strategy = FedAvg(
        fraction_evaluate=0.0, min_fit_clients=nodes, min_available_clients=nodes,
        initial_parameters=ndarrays_to_parameters([np.zeros(length, dtype=np.float32)]),
    )  # fmt: skip
    legacy = LegacyContext(context=context, config=ServerConfig(num_rounds=rounds), strategy=strategy)
    fit = Timed(num_shares=1.0, reconstruction_threshold=0.6, clipping_range=8.0)
    DefaultWorkflow(fit_workflow=fit)(grid, legacy)


def encrypted(grid: Grid, traffic: Traffic, context: Context, length: int, n_rounds: int) -> None:
    with encrypted_rounds(grid, context, [np.zeros(length)]) as rounds:
        (weights,) = rounds.model.values()
        assert isinstance(rounds.relay, FlowerRelay)
        for _ in rounds.left(n_rounds):
            began, before, crypto = time.perf_counter(), traffic.up, rounds.relay.seconds
            (weights,) = rounds.average([weights])
            tell(time.perf_counter() - began, traffic.up - before, rounds.relay.seconds - crypto)
            np.testing.assert_allclose(weights, 0.1, atol=1e-5)
            rounds.save([weights])
