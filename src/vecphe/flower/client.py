"""The client's side in Flower: one mod, which answers the protocol and lets the app train.

::

    app = ClientApp(mods=[paillier_mod])

    @app.train()
    def train(message, context): ...  # as ever: returns an ArrayRecord, and "num-examples" in a MetricRecord
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context, Message, RecordDict

from vecphe.errors import ProtocolError
from vecphe.flower.hospital import Hospital
from vecphe.flower.messages import Reply
from vecphe.flower.records import ARRAYS, HEAD, PARTS, is_ours, reply_to_record, request_from
from vecphe.flower.settings import NODE_CONFIG, SIMULATION, Settings

__all__ = ["paillier_mod", "settings_path"]

_log = logging.getLogger(__name__)


def settings_path(node_config: Any) -> Path:
    """Where a party's settings are: as its own node configuration says, or in a simulation its environment.

    Raises
    ------
    ProtocolError
        If neither does.
    """
    if NODE_CONFIG in node_config:
        return Path(str(node_config[NODE_CONFIG]))
    directory = os.environ.get(SIMULATION)
    if directory and "partition-id" in node_config:
        return Path(directory) / str(int(node_config["partition-id"])) / "settings.json"
    raise ProtocolError(
        f"this node has no settings: start it with --node-config \"{NODE_CONFIG}='/path/settings.json'\""
    )


def paillier_mod(message: Message, context: Context, call_next: Callable[[Message, Context], Message]) -> Message:
    """Answer messages of the protocol; refuse others that train: their answers would be in the clear.

    Parameters
    ----------
    message : Message
    context : Context
    call_next : callable
        The app's function; for a task it trains.

    Returns
    -------
    Message
    """
    trains = message.metadata.message_type.partition(".")[0] == "train"
    if trains and is_ours(message.content):
        reply = _answer(message, context, call_next)
    elif trains:
        reply = Reply(error="this node trains for encrypted rounds only; the server must use vecphe.flower.server")
    else:
        return call_next(message, context)
    return Message(reply_to_record(reply), reply_to=message)


def _answer(message: Message, context: Context, call_next: Callable[[Message, Context], Message]) -> Reply:
    try:
        request = request_from(message.content)
        hospital = Hospital(Settings.load(settings_path(context.node_config)))
    except ProtocolError as error:
        return Reply(error=str(error))
    except Exception as error:  # its text may name files of this node; the server needs the kind only
        _log.exception("the settings of this node do not work")
        return Reply(error=f"the settings of a node do not work: {type(error).__name__}; its own log says more")
    try:
        return hospital.reply(request, lambda: _trained(message, context, call_next))
    finally:
        hospital.close()


def _trained(
    message: Message, context: Context, call_next: Callable[[Message, Context], Message]
) -> tuple[Sequence[np.ndarray[Any, Any]], Any]:
    """What the app's function answers to the message without our records."""
    plain = {name: record for name, record in message.content.items() if name not in (HEAD, PARTS)}
    names = list(message.content.get(ARRAYS, {}))
    message.content = RecordDict(plain)
    reply = call_next(message, context)
    if reply.has_error():
        raise ProtocolError("the app answered with an error")
    records = list(reply.content.array_records.values())
    if len(records) != 1:
        raise ProtocolError(f"the app must return one ArrayRecord, and returned {len(records)}")
    arrays = records[0]
    if arrays.keys() != set(names):  # an update that has other names is in the order of the model
        names = list(arrays)
    return [arrays[name].numpy() for name in names], _weight(reply.content)


def _weight(content: RecordDict) -> Any:
    """The number of examples, None if there is none; what cannot be one is refused where the plan is known."""
    found = [record["num-examples"] for record in content.metric_records.values() if "num-examples" in record]
    if len(found) > 1:
        raise ProtocolError("the app must return num-examples in one MetricRecord")
    weight = found[0] if found else None
    return int(weight) if isinstance(weight, float) and weight.is_integer() else weight
