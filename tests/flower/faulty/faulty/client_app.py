"""A hospital that does what a file says which the test has laid down: ``orders/PLACE-STEP``, read and taken away."""

import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from vecphe.flower.client import paillier_mod

app = ClientApp(mods=[paillier_mod])


@app.train()
def train(message: Message, context: Context) -> Message:
    config = message.content["config"]
    orders, step, place = Path(config["orders"]), int(config["step"]), int(context.node_config["partition-id"])
    with open(orders / "trained", "a") as log:
        log.write(f"{place}-{step}\n")
    order = orders / f"{place}-{step}"
    what = order.read_text() if order.exists() else ""
    order.unlink(missing_ok=True)
    update = np.full(4, float(10 * step + place))
    if what.startswith("sleep"):
        time.sleep(float(what.split()[1]))
    if what == "raise":
        raise RuntimeError("patient 4711")
    changed = {"nan": update * np.nan, "shape": update[:3], "clip": update + 1000.0}
    return Message(RecordDict({"arrays": ArrayRecord([changed.get(what, update)])}), reply_to=message)
