"""Adds up means; what is refused it tries once more, and what it has sent it sends again, out of its time."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from vecphe.errors import ClientLostError, ProtocolError
from vecphe.flower.messages import Reply, Request
from vecphe.flower.server import FlowerRelay, encrypted_rounds

app = ServerApp()


class Recorder:
    """A relay that keeps what it carries."""

    def __init__(self, relay: FlowerRelay) -> None:
        self.relay, self.tasks = relay, list[tuple[int, Request, Reply]]()

    def nodes(self) -> list[int]:
        return self.relay.nodes()

    def exchange(self, requests: Mapping[int, Request], timeout: float) -> Mapping[int, Reply]:
        replies = self.relay.exchange(requests, timeout)
        self.tasks += [(n, r, replies[n]) for n, r in requests.items() if r.kind in ("task", "total") and n in replies]
        return replies


def say(*words: object) -> None:
    print("FAULTY", *words, flush=True)


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    orders = Path(str(config["orders"]))
    with encrypted_rounds(grid, context, [np.zeros(4)]) as rounds:
        relay = rounds.relay = Recorder(rounds.relay)
        for step in rounds.left(int(config["num-server-rounds"])):
            say("step", step)
            (weights,) = rounds.model.values()
            shared = {"step": step, "orders": str(orders)}
            try:
                (mean,) = rounds.average([weights], shared)
            except ClientLostError as error:
                say("lost", error)
                raise
            except ProtocolError as error:
                say("refused", error)
                (mean,) = rounds.average([weights], shared)
            rounds.save([weights + mean])
            say("model", *(weights + mean))
            if (orders / f"replay-{step}").exists():
                replay(relay)


def replay(recorder: Recorder) -> None:
    """All that this process has sent in its rounds, once more: the same, and with its parts in another order."""
    for node, request, reply in list(recorder.tasks):
        again = recorder.relay.exchange({node: request}, 60.0)[node]
        say("repeated", again.error or ("the same" if again.parts == reply.parts else "ANOTHER ANSWER"))
    node, request, _ = recorder.tasks[-1]
    other = replace(request, parts=(*request.parts, request.parts[0]))
    say("changed", recorder.relay.exchange({node: other}, 60.0)[node].error)
