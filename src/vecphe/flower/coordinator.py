"""The server's side: it leads the rounds, and decrypts or lets the holder decrypt one sum of each.

A transport is a `Relay`: it knows nodes by number and moves requests and replies. Who a node is, it proves itself.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Protocol

import numpy as np

from vecphe.errors import ClientLostError, ProtocolError, SerializationError
from vecphe.federated.checks import check_positive, checked_int
from vecphe.federated.interface import EncryptedVector, sum_encrypted_vectors
from vecphe.flower.holder import check_contributions, destroy, open_sum, own_private_key, vector_of
from vecphe.flower.hospital import check_allowed, own_identity
from vecphe.flower.memory import Memory
from vecphe.flower.messages import Arrays, Reply, Request, content_digest
from vecphe.flower.model import Model, model_from_bytes, model_to_bytes, named_arrays
from vecphe.flower.plan import Plan
from vecphe.flower.roster import Member, Roster
from vecphe.flower.sealing import Header, open_all, open_envelope, seal, seal_all
from vecphe.flower.settings import Settings
from vecphe.keys import PrivateKey
from vecphe.plaintext.encoding import Floats

__all__ = ["Relay", "Rounds"]

_log = logging.getLogger(__name__)

_Place = tuple[int, int]  # round and attempt


class Relay(Protocol):
    """Moves bytes between the server and nodes, and decides nothing."""

    def nodes(self) -> list[int]:
        """The nodes that are connected now."""

    def exchange(self, requests: Mapping[int, Request], timeout: float) -> Mapping[int, Reply]:
        """Send each node its request; the replies that came in time."""


class Rounds:
    """The rounds of a run, as the server leads them.

    Parameters
    ----------
    settings : Settings
        Those of the server. In a ring `key` is the file of the private key.
    plan : Plan
    relay : Relay
    timeout : float
        Seconds that a party has for an answer.
    max_restarts : int
        How often a round is started anew, with fresh encryptions and the same members, when a party is lost.

    Attributes
    ----------
    model : dict of str to ndarray
        As `start` gave it, or the last one that was saved.
    steps : int
        How often a model was saved.

    Raises
    ------
    ProtocolError
        If the keys are not those of the roster's server, its own settings do not allow the plan, or the plan is another
        than before.
    ValueError
        If `timeout` or `max_restarts` cannot be.
    """

    model: Arrays

    def __init__(
        self, settings: Settings, plan: Plan, relay: Relay, *, timeout: float = 600.0, max_restarts: int = 1
    ) -> None:
        check_positive("timeout", timeout)
        self._max_restarts = checked_int("max_restarts", max_restarts, 0)
        self.settings, self.plan = settings, plan
        self.roster = Roster.load(settings.roster)
        self._identity = own_identity(settings, self.roster)
        if self._identity.member != self.roster.server:
            raise ProtocolError(f"the server of the roster is {self.roster.server.name}, not {self._identity.name}")
        self.relay, self._timeout = relay, float(timeout)
        check_allowed(settings, plan, self._identity.name)
        self._key = plan.key(self.roster, insecure=settings.insecure)
        self._private_key: PrivateKey | None = None
        if self.roster.topology == "ring":
            self._private_key = own_private_key(settings, self.roster, self._identity.name)
        self._memory = Memory(settings.memory, self.roster.run)
        try:
            self._memory.agree(self.roster.digest, plan.to_bytes(), self._identity.member.id)
            saved = self._memory.model()
        except BaseException:
            self._memory.close()
            raise
        self._nodes: dict[str, int] = {}
        self._done, self.steps = (0, 0) if saved is None else saved[:2]  # the last round that is dealt with

    # Before and after the rounds

    def start(self, arrays: Model) -> Arrays:
        """Find the parties, agree on the plan, and give the model to begin with.

        Parameters
        ----------
        arrays : list of array_like, or mapping as Flower's ArrayRecord
            The model of a new run.

        Returns
        -------
        dict of str to ndarray
            These, or what an earlier server of this run has saved.

        Raises
        ------
        ClientLostError
            If a party is not there in time.
        ProtocolError
            If one refuses.
        """
        self._find_all()
        self._agree()
        saved = self._memory.model()
        self.model = named_arrays(arrays) if saved is None else model_from_bytes(saved[2])
        return self.model

    def left(self, n_steps: int) -> Iterator[int]:
        """Numbers of the steps that are left of `n_steps`, from 1; each ends with `save`."""
        while self.steps < n_steps:
            before = self.steps
            yield before + 1
            if self.steps == before:
                raise ProtocolError("a step ends with save(arrays), which keeps the model and its number together")

    def save(self, arrays: Model) -> None:
        """Keep the model after a step, whole or not at all: a server that is started again goes on from it."""
        model = named_arrays(arrays)
        self._memory.save_model(self._done, self.steps + 1, model_to_bytes(model))
        self.model, self.steps = model, self.steps + 1

    def end(self) -> None:
        """End the run: parties forget its updates, and the private key is destroyed by who holds it.

        Raises
        ------
        ClientLostError
            If a party does not answer, also not when it is asked again; the run is over all the same.
        """
        requests = {
            party.name: Request("end", (self._signed("end", b"", party),))
            for party in self.roster.parties
            if party != self.roster.server
        }
        try:
            for name, reply in self._ask_again(requests, 0).items():
                self._opened("ended", reply.parts, self.roster.party(name), (0, 0), layout="")
        except ClientLostError as error:
            _log.error("the run is over, and %s may still have what it had of it", error.client)
            if self.roster.topology == "star":
                _log.error("%s must look whether its private key is gone", self.roster.holder.name)
            raise
        finally:  # whoever does not answer
            if self.settings.key is not None:
                self._private_key = None
                destroy(self.settings.key)
            self._memory.end()

    def close(self) -> None:
        """Close the memory; the run can go on later."""
        self._memory.close()

    def _find_all(self) -> None:
        """Learn which node is which party. Each proves it with a signature over fresh bytes."""
        deadline = time.monotonic() + self._timeout
        wanted = {party.name for party in self.roster.parties if party != self.roster.server}
        found: dict[str, int] = {}
        while True:
            nonce = secrets.token_bytes(32)
            unknown = [node for node in self.relay.nodes() if node not in found.values()]
            # Long enough for a process to start and to answer, and not all of it: a node that is gone never answers.
            wait = max(min((deadline - time.monotonic()) / 2, 60.0), 0.1)
            replies = self.relay.exchange({node: Request("hello", (nonce,)) for node in unknown}, wait)
            for node, reply in replies.items():
                name = self._who(reply, nonce)
                if name is not None:
                    found[name] = node  # the node that says so now; one of before may be gone
            if not wanted - found.keys():
                self._nodes = found
                return
            if time.monotonic() >= deadline:
                raise ClientLostError(", ".join(sorted(wanted - found.keys())), self._memory.decided)
            time.sleep(0.2)

    def _who(self, reply: Reply, nonce: bytes) -> str | None:
        """The party that answered a hello, or None for a node that is none."""
        if reply.error is not None or len(reply.parts) != 2:
            _log.warning("a node that is no party: %s", reply.error)
            return None
        try:
            party = self.roster.party(reply.parts[0].decode("utf-8", "replace"))
            header = Header.of(self.roster, party, self.roster.server, (0, 0), "")
            if open_envelope("hello", header, reply.parts[1], party, None) != nonce:
                raise ProtocolError("a hello of another time")
        except (ProtocolError, SerializationError) as error:
            _log.warning("a node that is no party: %s", error)
            return None
        return party.name

    def _agree(self) -> None:
        data = self.plan.to_bytes()
        requests = {
            name: Request("plan", (self._signed("plan", data, self.roster.party(name)),)) for name in self._nodes
        }
        for name, reply in self._ask(requests, 0).items():
            self._opened("agreed", reply.parts, self.roster.party(name), (0, 0))

    # A round

    def average(self, arrays: Model, config: Mapping[str, Any] | None = None) -> list[Floats]:
        """The mean of all clients' updates, of which only the sum is ever decrypted.

        Parameters
        ----------
        arrays : list of array_like, or mapping as Flower's ArrayRecord
            The model that clients train with, sent in the clear.
        config : mapping, optional
            Plain values for them.

        Returns
        -------
        list of ndarray
            Of the shapes of the plan.

        Raises
        ------
        ClientLostError
            If a party does not answer, after `max_restarts` more tries. Nothing was decrypted.
        ProtocolError
            If a party refuses, or sent what does not fit; it is named. The model is as it was.
        """
        model, plain = named_arrays(arrays), dict(config or {})
        asked = content_digest(model, plain).encode()
        if self._memory.decided > self._done:  # by a server that did not come to save what it made of the mean
            kept = self._memory.kept_mean(self._memory.decided, asked)
            if kept is not None:
                self._done = self._memory.decided
                return self._mean_from_bytes(kept)
            _log.warning("the sum of round %d was decided on and is lost", self._memory.decided)
        number = self._memory.round_of(asked, max(self._memory.decided, self._done))
        for tries in count():
            place = number, self._memory.next_attempt(number)
            try:
                total, weight = self._total(place, model, plain)
            except ClientLostError:
                if tries == self._max_restarts:
                    raise
                self._find_all()
                continue
            break
        values = self._opened_sum(place, total)
        mean = self.plan.mean(values, weight)
        with self._memory.transaction():
            data = b"".join(array.astype("<f8").tobytes() for array in mean)
            self._memory.keep_answer(number, 0, "mean", asked, [data])
        self._done = number
        return mean

    def _total(self, place: _Place, model: Arrays, config: dict[str, Any]) -> tuple[list[EncryptedVector], int]:
        """All chunks of the sum, and the sum of the weights that are public."""
        asked = content_digest(model, config).encode()
        tasks = {member.name: self._signed("task", asked, member, place) for member in self.roster.members}
        if self.roster.topology == "star":
            requests = {name: Request("task", (task,), model, config) for name, task in tasks.items()}
            replies = self._ask(requests, place[0])
        else:
            replies, before = {}, tuple[bytes, ...]()
            for name, task in tasks.items():
                request = Request("task", (task, *before), model, config)
                replies.update(self._ask({name: request}, place[0]))
                before = replies[name].parts[1:]
        weight = sum(self._weight(self.roster.party(name), reply, place) for name, reply in replies.items())
        if self.roster.topology == "ring":
            last = self.roster.members[-1]
            return self._sums_of(last, replies[last.name], place), weight
        return self._star_sum(replies, place), weight

    def _star_sum(self, replies: Mapping[str, Reply], place: _Place) -> list[EncryptedVector]:
        """Contributions added in the order of the roster, without the private key."""
        total: list[EncryptedVector] = []
        for member in self.roster.members:
            own = self._sums_of(member, replies[member.name], place)
            total = own if not total else [sum_encrypted_vectors(x, y) for x, y in zip(total, own, strict=True)]
        return total

    def _sums_of(self, member: Member, reply: Reply, place: _Place) -> list[EncryptedVector]:
        """What a member sealed for the server: the sum of the ring, or its own contribution to a star."""
        header = Header.of(self.roster, member, self.roster.server, place, self.plan.layout)
        bodies = open_all("hop", header, reply.parts[1:], self.plan.chunks, member, self._identity)
        vectors = [vector_of(self._key, body, member.name) for body in bodies]
        for vector in vectors:
            if self.roster.topology == "ring":
                check_contributions(vector, self.roster, place[0], len(self.roster.members), member.name)
            else:
                self._check_own(vector, member, place[0])
        return vectors

    def _check_own(self, vector: EncryptedVector, member: Member, number: int) -> None:
        found = [(c.run, c.round, c.party, c.client) for c in vector.contributions or ()]
        if found != [(self.roster.run, number, member.id, member.name)]:
            raise ProtocolError(f"what {member.name} sent is not its contribution to round {number}")

    def _weight(self, member: Member, reply: Reply, place: _Place) -> int:
        """The weight that a member states: 1 unless weights are public."""
        if not reply.parts:
            raise ProtocolError(f"{member.name} sent nothing")
        text = self._opened("weight", reply.parts[:1], member, place)
        if self.plan.weights != "public":
            return 1
        most = self.plan.max_weight
        if not text.isdigit() or len(text) > len(str(most)) or not 1 <= int(text) <= most:
            raise ProtocolError(f"the weight of {member.name} is none from 1 to {self.plan.max_weight}")
        return int(text)

    def _opened_sum(self, place: _Place, total: Sequence[EncryptedVector]) -> Floats:
        if self._private_key is not None:
            return open_sum(self.roster, self.plan, self._private_key, self._memory, place, total, self.settings.jobs)
        holder = self.roster.holder
        for vector in total:
            check_contributions(vector, self.roster, place[0], len(self.roster.members), self.roster.server.name)
        with self._memory.transaction():
            self._memory.decide(*place)  # before the holder sees it: it decrypts no second one
        header = Header.of(self.roster, self.roster.server, holder, place, self.plan.layout)
        sums = [vector.to_message(rerandomize=False) for vector in total]  # sealed for who decrypts them
        parts = seal_all("total", header, sums, self._identity, holder)
        try:  # the same request again is no second decryption, for it gets the stored answer
            reply = self._ask_again({holder.name: Request("total", tuple(parts))}, place[0])[holder.name]
        except ClientLostError:
            raise ProtocolError(f"round {place[0]}: {holder.name} does not answer; the round is spent") from None
        data = self._opened("opened", reply.parts, holder, place)
        if len(data) != 8 * self.plan.length:
            raise ProtocolError(f"{holder.name} sent another number of values than the plan's")
        values = np.frombuffer(data, dtype="<f8").astype(np.float64)
        if not np.isfinite(values).all():
            raise ProtocolError(f"{holder.name} sent values that are not finite")
        return values

    def _mean_from_bytes(self, data: bytes) -> list[Floats]:
        flat, arrays = np.frombuffer(data, dtype="<f8").astype(np.float64), []
        for shape in self.plan.shapes:
            size = math.prod(shape)
            arrays.append(flat[:size].reshape(shape))
            flat = flat[size:]
        return arrays

    # Messages

    def _signed(self, kind: str, body: bytes, receiver: Member, place: _Place = (0, 0)) -> bytes:
        layout = self.plan.layout if kind == "task" else ""
        header = Header.of(self.roster, self.roster.server, receiver, place, layout)
        return seal(kind, header, body, self._identity, None)

    def _opened(
        self, kind: str, parts: Sequence[bytes], sender: Member, place: _Place, layout: str | None = None
    ) -> bytes:
        """The one envelope that a party sealed for the server."""
        header = Header.of(
            self.roster, sender, self.roster.server, place, self.plan.layout if layout is None else layout
        )
        (body,) = open_all(kind, header, parts, 1, sender, self._identity)
        return body

    def _ask_again(self, requests: Mapping[str, Request], number: int) -> dict[str, Reply]:
        """As `_ask`, with the same requests once more after a party was lost."""
        for _ in range(self._max_restarts):
            try:
                return self._ask(requests, number)
            except ClientLostError:
                self._find_all()
        return self._ask(requests, number)

    def _ask(self, requests: Mapping[str, Request], number: int) -> dict[str, Reply]:
        """Replies of all parties that were asked.

        Raises
        ------
        ClientLostError
            If one does not answer in time.
        ProtocolError
            If one refuses; its reason is in the text.
        """
        nodes = {self._nodes[name]: name for name in requests}
        replies = self.relay.exchange({node: requests[name] for node, name in nodes.items()}, self._timeout)
        for node, name in nodes.items():
            if node not in replies:
                raise ClientLostError(name, number)
            if (error := replies[node].error) is not None:
                told = error if error.startswith((f"{name}:", f"{name} ")) else f"{name}: {error}"
                raise ProtocolError(f"round {number}, {told}")
        return {name: replies[node] for node, name in nodes.items()}
