"""The server's side in Flower: a relay over its grid, and the rounds of a run as its configuration says."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flwr.app import Context, Message
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from vecphe.errors import ProtocolError
from vecphe.federated.checks import checked_int
from vecphe.flower.coordinator import Rounds
from vecphe.flower.messages import Arrays, Reply, Request
from vecphe.flower.model import Model, named_arrays
from vecphe.flower.plan import Plan, plan_for
from vecphe.flower.records import reply_from, request_to_record
from vecphe.flower.roster import Roster
from vecphe.flower.settings import NODE_CONFIG, SIMULATION, Settings
from vecphe.keys import PrivateKey, PublicKey

__all__ = ["FlowerRelay", "encrypted_rounds", "plan_of"]

_log = logging.getLogger(__name__)

# What Flower says of a node that was killed, went away or did not answer in time: it is lost, and refused nothing.
_LOST = (
    ErrorCode.MESSAGE_UNAVAILABLE,
    ErrorCode.REPLY_MESSAGE_UNAVAILABLE,
    ErrorCode.NODE_UNAVAILABLE,
    ErrorCode.CLIENT_APP_CRASHED,
)
# Seconds between looks, where Flower's own send_and_receive waits 3. A look costs both sides some milliseconds: the
# longer it has waited, the rarer they are.
_POLL, _SHARE, _LONGEST = 0.05, 0.02, 1.0

# What a run's configuration may set, and what stands there otherwise.
DEFAULTS: dict[str, Any] = {
    "vecphe-model": "model",
    "vecphe-clip": 2.0**15,
    "vecphe-fraction-bits": 40,
    "vecphe-weights": "none",
    "vecphe-max-weight": 1,
    "vecphe-timeout": 600.0,
    "vecphe-max-restarts": 1,
}


class FlowerRelay:
    """Moves requests and replies through a grid, and counts them.

    Parameters
    ----------
    grid : Grid

    Attributes
    ----------
    messages : int
        How many Flower has carried, both ways.
    seconds : float
        That the parties say they took, training apart.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.messages = 0
        self.seconds = 0.0
        self._hops = self._hop_bytes = 0

    def nodes(self) -> list[int]:
        """The nodes that are connected now."""
        return sorted(self._grid.get_node_ids())

    def exchange(self, requests: Mapping[int, Request], timeout: float) -> Mapping[int, Reply]:
        """Send each node its request; the replies that came in time. What Flower itself answers for a node is none."""
        messages = [
            Message(request_to_record(request), dst_node_id=node, message_type="train", ttl=timeout)
            for node, request in requests.items()
        ]
        sent = set(self._grid.push_messages(messages)) if messages else set()
        # Grids give messages their numbers. Those for a node that is gone they leave out, or have None in their place.
        numbers = [message.metadata.message_id for message in messages]
        waiting = {number: node for number, node in zip(numbers, requests, strict=True) if number in sent}
        self.messages += len(waiting)
        replies: dict[int, Reply] = {}
        began = time.monotonic()
        while waiting and (waited := time.monotonic() - began) < timeout:
            for message in self._grid.pull_messages(list(waiting)):
                node = waiting.pop(message.metadata.reply_to_message_id, None)
                if node is None:  # a relay's second answer to a message, or one to a message that was not sent
                    continue
                self.messages += 1
                if (reply := _reply_of(message, node)) is not None:
                    replies[node] = reply
                    self._count(requests[node], reply)
            time.sleep(min(_POLL + _SHARE * waited, _LONGEST) if waiting else 0)
        return replies

    def _count(self, request: Request, reply: Reply) -> None:
        self.seconds += reply.seconds
        if request.kind == "task" and reply.error is None:
            self._hops += 1
            self._hop_bytes += sum(map(len, reply.parts))

    @property
    def bytes_per_hop(self) -> int:
        """Bytes that a client sends in a round, on average; 0 before the first."""
        return self._hop_bytes // max(1, self._hops)


def _reply_of(message: Message, node: int) -> Reply | None:
    """What a node answered; None if it is lost."""
    if not message.has_error():
        return reply_from(message.content)
    if message.error.code not in _LOST:
        return Reply(error=message.error.reason or f"error {message.error.code} of Flower")
    _log.warning("node %d is lost: %s", node, message.error.reason)
    return None


def _server_settings(run_config: Mapping[str, Any]) -> Settings:
    if run_config.get(NODE_CONFIG):
        return Settings.load(Path(str(run_config[NODE_CONFIG])))
    directory = os.environ.get(SIMULATION)
    if not directory:
        raise ProtocolError(f"the server has no settings: give their path with --run-config \"{NODE_CONFIG}='...'\"")
    return Settings.load(Path(directory) / "server" / "settings.json")


def plan_of(run_config: Mapping[str, Any], settings: Settings, arrays: Arrays) -> Plan:
    """The plan of a run: shapes of the model, and the rest from the run's configuration.

    Raises
    ------
    ProtocolError
        If a key that begins with "vecphe-" is unknown, or the settings name no key.
    SerializationError, ValueError
        If a value is out of its range.
    """
    unknown = [name for name in run_config if name.startswith("vecphe-") and name not in DEFAULTS]
    if unknown:
        raise ProtocolError(f"the run configuration has no key {unknown[0]!r}; they are {', '.join(DEFAULTS)}")
    if "num-server-rounds" not in run_config:
        raise ProtocolError("the run configuration needs num-server-rounds, how many steps there are")
    steps = checked_int("num-server-rounds", run_config["num-server-rounds"], 1)
    return plan_for(
        Roster.load(settings.roster),
        _public_key(settings),
        [array.shape for array in arrays.values()],
        model=_option(run_config, "vecphe-model"),
        rounds=2 * steps,  # a round that is lost takes a number
        clip=_option(run_config, "vecphe-clip"),
        fraction_bits=_option(run_config, "vecphe-fraction-bits"),
        weights=_option(run_config, "vecphe-weights"),
        max_weight=_option(run_config, "vecphe-max-weight"),
    )


def _option(run_config: Mapping[str, Any], name: str) -> Any:
    return run_config.get(name, DEFAULTS[name])


def _public_key(settings: Settings) -> PublicKey:
    try:
        if settings.public_key is not None:
            return PublicKey.load(settings.public_key, insecure=settings.insecure)
        if settings.key is not None:
            return PrivateKey.load(settings.key, insecure=settings.insecure).public_key
    except FileNotFoundError as error:
        raise ProtocolError(
            f"{error.filename} does not exist; the key of a run that has ended was destroyed, and a new run needs a "
            "new key and a new roster"
        ) from None
    raise ProtocolError("the settings of the server need key in a ring, or public_key in a star: a file")


@contextmanager
def encrypted_rounds(grid: Grid, context: Context, arrays: Model) -> Iterator[Rounds]:
    """The rounds of a run; use it in the app's main function.

    Parameters
    ----------
    grid : Grid
    context : Context
        Of the ServerApp. Its run configuration has the server's settings ("vecphe", a path), "num-server-rounds" and
        what `DEFAULTS` names.
    arrays : list of array_like, or mapping as Flower's ArrayRecord
        The model to begin with; of a run that goes on, the saved one takes its place in ``rounds.model``.

    Yields
    ------
    Rounds
        When the body ends well the run ends, and the private key is destroyed. After an error it can go on: the model
        of the last step is saved.
    """
    config = context.run_config
    settings, model = _server_settings(config), named_arrays(arrays)
    relay = FlowerRelay(grid)
    rounds = Rounds(
        settings,
        plan_of(config, settings, model),
        relay,
        timeout=_option(config, "vecphe-timeout"),
        max_restarts=_option(config, "vecphe-max-restarts"),
    )
    try:
        rounds.start(model)
        yield rounds
        rounds.end()
    finally:
        rounds.close()
