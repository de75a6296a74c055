"""The job of ``vecphe run`` as a ServerApp and a ClientApp: hospitals train a linear model, in Flower's simulation."""

from __future__ import annotations

import json
import os
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from vecphe.errors import VecpheError
from vecphe.flower.client import paillier_mod
from vecphe.flower.server import FlowerRelay, encrypted_rounds
from vecphe.flower.settings import SIMULATION
from vecphe.flower.simulation import Job
from vecphe.keys import PublicKey
from vecphe.system.files import replace_file

__all__ = ["client_app", "server_app"]


client_app = ClientApp(mods=[paillier_mod])
server_app = ServerApp()


@client_app.train()
def _train(message: Message, context: Context) -> Message:
    model = Job.load().models()[int(context.node_config["partition-id"])]
    (model.weights,) = message.content["arrays"].to_numpy_ndarrays()
    content = {
        "arrays": ArrayRecord(model.update()),
        "metrics": MetricRecord({"num-examples": len(model.y)}),
    }
    return Message(RecordDict(content), reply_to=message)


@server_app.main()
def _serve(grid: Grid, context: Context) -> None:
    try:
        result = _trained(grid, int(context.run_config["num-server-rounds"]), context)
    except VecpheError as error:
        _keep({"error": str(error)})  # for who started the simulation
        raise
    _keep(result)


def _trained(grid: Grid, n_iter: int, context: Context) -> dict[str, Any]:
    job = Job.load()
    history, began = [], perf_counter()
    with encrypted_rounds(grid, context, [np.zeros(job.shards()[0][0].shape[1])]) as rounds:
        (weights,) = rounds.model.values()
        for number in rounds.left(n_iter):
            (gradient,) = rounds.average([weights])
            weights = weights - job.eta * gradient
            rounds.save([weights])
            history.append(weights.tolist())
            print(f"vecphe round {number}", flush=True)
        relay, plan = rounds.relay, rounds.plan
    assert isinstance(relay, FlowerRelay)
    return {
        "history": history,
        "messages": relay.messages,
        "bytes_per_hop": relay.bytes_per_hop,
        "seconds": perf_counter() - began,
        "cryptography": relay.seconds,
        "ciphertexts": plan.n_ciphertexts(
            job.n_clients, PublicKey.from_bytes(plan.public_key, insecure=True).key_length
        ),
    }


def _keep(result: dict[str, Any]) -> None:
    replace_file(Path(os.environ[SIMULATION]) / "result.json", json.dumps(result).encode(), private=True)
