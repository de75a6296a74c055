"""The job of ``vecphe run`` as a ServerApp and a ClientApp: hospitals train a linear model, in Flower's simulation."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from vecphe.federated import LinearRegression, Rows, get_data
from vecphe.federated.data import Shards, load_csv, shards_from_table
from vecphe.flower.client import SIMULATION, paillier_mod
from vecphe.flower.server import FlowerRelay, encrypted_rounds
from vecphe.system.files import replace_file

__all__ = ["Job", "client_app", "server_app"]


@dataclass(frozen=True)
class Job:
    """Where the rows of all hospitals come from; each takes its own shard of them.

    Attributes
    ----------
    n_clients, seed : int
    eta : float
    data, target, group : str or None
        A CSV file and its columns; the diabetes data without.
    """

    n_clients: int
    seed: int
    eta: float
    data: str | None = None
    target: str | None = None
    group: str | None = None

    def shards(self) -> Shards:
        """All shards; a party uses its own only."""
        if self.data is None or self.target is None:
            X, y, X_test, y_test = get_data(self.n_clients, self.seed)
            return Shards(tuple(f"Hospital {i}" for i in range(1, self.n_clients + 1)), X, y, X_test, y_test)
        return shards_from_table(load_csv(self.data, self.target, self.group), self.n_clients, self.seed)

    def save(self, directory: Path) -> None:
        """For the processes of a simulation."""
        (directory / "job.json").write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls) -> Job:
        """The one of the simulation that this process belongs to."""
        path = Path(os.environ[SIMULATION]) / "job.json"
        return cls(**json.loads(path.read_text(encoding="utf-8")))


client_app = ClientApp(mods=[paillier_mod])
server_app = ServerApp()


@client_app.train()
def _train(message: Message, context: Context) -> Message:
    shards, place = Job.load().shards(), int(context.node_config["partition-id"])
    model = LinearRegression(Rows.checked(shards.names[place], shards.X[place], shards.y[place]))
    (model.weights,) = message.content["arrays"].to_numpy_ndarrays()
    content = {
        "arrays": ArrayRecord(model.update()),
        "metrics": MetricRecord({"num-examples": len(shards.y[place])}),
    }
    return Message(RecordDict(content), reply_to=message)


@server_app.main()
def _serve(grid: Grid, context: Context) -> None:
    job = Job.load()
    history, began = [], perf_counter()
    with encrypted_rounds(grid, context, [np.zeros(job.shards().X[0].shape[1])]) as rounds:
        (weights,) = rounds.model.values()
        for number in rounds.left(int(context.run_config["num-server-rounds"])):
            (gradient,) = rounds.average([weights])
            weights = weights - job.eta * gradient
            rounds.save([weights])
            history.append(weights.tolist())
            print(f"vecphe round {number}", flush=True)
        relay, plan = rounds.relay, rounds.plan
    assert isinstance(relay, FlowerRelay)
    result = {
        "history": history,
        "messages": relay.messages,
        "nbytes": relay.nbytes,
        "seconds": perf_counter() - began,
        "values": plan.length,
    }
    replace_file(Path(os.environ[SIMULATION]) / "result.json", json.dumps(result).encode(), private=True)
