"""A party that answers the server: a client, which encrypts and adds, or the holder of the key of a star.

What it does is decided by its own settings, its roster and its memory. A request can come in a new process, twice, out
of order or from an old round; the same one gets the stored answer, and what does not fit is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.errors import ProtocolError, VecpheError
from vecphe.federated.interface import EncryptionKey
from vecphe.federated.parties import Party
from vecphe.flower.holder import check_contributions, destroy, open_sum, own_private_key, vector_of
from vecphe.flower.memory import Memory
from vecphe.flower.messages import Reply, Request, content_digest, parts_digest
from vecphe.flower.plan import Plan
from vecphe.flower.roster import Identity, Member, Roster
from vecphe.flower.sealing import Header, open_all, open_envelope, place_of, seal, seal_all
from vecphe.flower.settings import Settings
from vecphe.plaintext.encoding import Floats
from vecphe.system.plurals import counted

__all__ = ["Compute", "Hospital", "check_allowed", "own_identity"]

Compute = Callable[[], "tuple[Sequence[npt.NDArray[Any]], int]"]  # arrays of the update, and its weight

_log = logging.getLogger(__name__)


def own_identity(settings: Settings, roster: Roster) -> Identity:
    """The party's keys, which must be those of the roster."""
    identity = Identity.load(settings.party)
    if identity.member not in roster.parties:
        raise ProtocolError(f"the roster has no party with the keys of {identity.name}")
    if len(roster.members) < settings.min_clients:
        raise ProtocolError(
            f"{identity.name} takes part with at least {counted(settings.min_clients, 'client')}, and the roster has "
            f"{len(roster.members)}"
        )
    if settings.key is not None and identity.member != roster.holder:
        raise ProtocolError(
            f"{roster.holder.name} holds the private key of this run, and {identity.name} must not have it: its "
            "settings name one as key"
        )
    return identity


def check_allowed(settings: Settings, plan: Plan, name: str) -> None:
    """Raise ProtocolError unless a party's own settings allow a plan."""
    if settings.models and plan.model not in settings.models:
        raise ProtocolError(f"{name} does not take part in the model {plan.model!r}")
    if plan.weights not in settings.weights:
        raise ProtocolError(f"{name} does not take part with weights {plan.weights!r}")
    if plan.rounds > settings.max_rounds:
        raise ProtocolError(f"{name} takes part in {counted(settings.max_rounds, 'round')} at most, not {plan.rounds}")


class Hospital:
    """A party between machines.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    ProtocolError
        If the party's keys are not in its roster, or the roster has fewer clients than it allows.
    SerializationError, OSError
        If a file is missing or malformed, or can be read by others and must not.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.roster = Roster.load(settings.roster)
        self._identity = own_identity(settings, self.roster)
        self.name = self._identity.name
        if self._identity.member == self.roster.server:
            raise ProtocolError("these are the keys of the server, which asks and does not answer")
        self._memory = Memory(settings.memory, self.roster.run)

    def close(self) -> None:
        """Close the memory."""
        self._memory.close()

    def reply(self, request: Request, compute: Compute | None = None) -> Reply:
        """As `answer`; errors are put into the reply, as a text that holds nothing secret."""
        clock = _Clock()
        try:
            parts = self.answer(request, None if compute is None else clock.stopped(compute))
        except VecpheError as error:
            return Reply(error=str(error))
        except Exception as error:
            _log.exception("a request failed")
            return Reply(error=f"{self.name}: {type(error).__name__}; its own log says more")
        return Reply(tuple(parts), seconds=clock.seconds)

    def answer(self, request: Request, compute: Compute | None = None) -> list[bytes]:
        """What the server gets.

        Parameters
        ----------
        request : Request
        compute : callable, optional
            For a task: trains, and returns the arrays of the update and its weight, a number of examples. Called at
            most once a round.

        Raises
        ------
        ProtocolError
            If the request is refused.
        """
        answers: dict[str, Callable[[], list[bytes]]] = {
            "hello": partial(self._hello, request),
            "plan": partial(self._agree, request),
            "task": partial(self._contribute, request, compute),
            "total": partial(self._open, request),
            "end": partial(self._end, request),
        }
        if request.kind not in answers or not request.parts:
            raise ProtocolError(f"{self.name} knows no such request")
        if request.kind == "hello":  # is answered while a long training goes on
            return answers["hello"]()
        with self._memory.alone():
            return answers[request.kind]()

    @property
    def _me(self) -> Member:
        return self._identity.member

    def _from_server(self, kind: str, data: bytes, place: tuple[int, int] = (0, 0), layout: str = "") -> bytes:
        """The body of what the server signed for this party."""
        server = self.roster.server
        return open_envelope(kind, Header.of(self.roster, server, self._me, place, layout), data, server, None)

    def _to_server(self, kind: str, body: bytes, place: tuple[int, int] = (0, 0), layout: str = "") -> bytes:
        server = self.roster.server
        return seal(kind, Header.of(self.roster, self._me, server, place, layout), body, self._identity, server)

    def _hello(self, request: Request) -> list[bytes]:
        """Who it is, for the node of the transport to be known by; anyone may ask, and the answer is signed."""
        nonce = request.parts[0]
        if len(nonce) != 32:
            raise ProtocolError("a hello must have 32 bytes")
        header = Header.of(self.roster, self._me, self.roster.server)
        return [self._me.name.encode(), seal("hello", header, nonce, self._identity, None)]

    def _agree(self, request: Request) -> list[bytes]:
        data = self._from_server("plan", request.parts[0])
        plan = Plan.from_bytes(data)
        check_allowed(self.settings, plan, self.name)
        plan.key(self.roster, insecure=self.settings.insecure)  # checks it
        self._memory.agree(self.roster.digest, data, self._me.id)
        if self._me == self.roster.holder:
            own_private_key(self.settings, self.roster, self.name)  # before anybody has trained for it
        return [self._to_server("agreed", b"", layout=plan.layout)]

    def _contribute(self, request: Request, compute: Compute | None) -> list[bytes]:
        plan = Plan.from_bytes(self._memory.plan())
        position = self.roster.position(self.name)
        place = number, attempt = place_of("task", request.parts[0])
        model = self._from_server("task", request.parts[0], place, plan.layout).decode("ascii", "replace")
        self._check_number(number, plan)
        if content_digest(request.arrays, request.config) != model:
            raise ProtocolError(f"{self.name} was sent another model than the server signed")
        asked = parts_digest(request.parts)
        kept = self._memory.answer(number, attempt, "task", asked)
        if kept is not None:
            return kept
        with self._memory.transaction():
            self._memory.begin(number, attempt)
            before = self._sums_before(request.parts[1:], position, plan, place)
            weight, pieces = self._update(number, model, plan, compute)
            sums = self._added(before, pieces, plan, number)
            answer = self._sealed(sums, weight, position, plan, place)
            self._memory.keep_answer(number, attempt, "task", asked, answer)
        return answer

    def _check_number(self, number: int, plan: Plan) -> None:
        most = min(plan.rounds, self.settings.max_rounds)
        if number > most:
            raise ProtocolError(f"{self.name} contributes to {counted(most, 'round')} at most")

    def _sums_before(
        self, envelopes: Sequence[bytes], position: int, plan: Plan, place: tuple[int, int]
    ) -> list[bytes] | None:
        """What the predecessor in a ring sealed for this client."""
        if position == 0 or self.roster.topology == "star":
            if envelopes:
                raise ProtocolError(f"{self.name} adds to no one's sum, and was sent one")
            return None
        sender = self.roster.members[position - 1]
        expected = Header.of(self.roster, sender, self._me, place, plan.layout)
        return open_all("hop", expected, envelopes, plan.chunks, sender, self._identity)

    def _update(self, number: int, model: str, plan: Plan, compute: Compute | None) -> tuple[int, list[Floats]]:
        """The one update of the round, checked, weighted and cut."""
        kept = self._memory.update(number, model)
        if kept is not None:
            weight, data = kept
            flat = np.frombuffer(data, dtype="<f8").astype(np.float64)
            return weight, plan.pieces([flat], weight)
        if compute is None:
            raise ProtocolError(f"{self.name} was asked for an update and has nothing to train")
        try:
            arrays, weight = compute()
            checked = [np.asarray(array) for array in arrays]
        except Exception as error:
            _log.exception("the training failed")
            raise ProtocolError(f"{self.name}: its training raised {type(error).__name__}; its log says more") from None
        flat = self._checked(checked, weight, plan)
        weight = 1 if plan.weights == "none" else int(weight)
        self._memory.keep_update(number, model, weight, flat.astype("<f8").tobytes())
        return weight, plan.pieces([flat], weight)

    def _checked(self, arrays: Sequence[npt.NDArray[Any]], weight: Any, plan: Plan) -> Floats:
        """All values of an update in one dimension. An error says what is wrong, and shows none."""
        if any(array.dtype.kind not in "fiub" for array in arrays):
            raise ProtocolError(f"{self.name}: its update must be arrays of real numbers. It sent nothing")
        if tuple(array.shape for array in arrays) != plan.shapes:
            raise ProtocolError(f"{self.name}: its update has other shapes than the plan. It sent nothing")
        flat: Floats = np.concatenate([np.ravel(array).astype(np.float64) for array in arrays])
        if not np.isfinite(flat).all():
            raise ProtocolError(
                f"{self.name}: its update is not finite; check its data for NaN, or take smaller steps. It sent nothing"
            )
        if np.any(np.abs(flat) > plan.clip):
            raise ProtocolError(
                f"{self.name}: its update leaves the clip of {plan.clip}; take smaller steps, for instance a lower "
                "eta, or agree on a larger clip. It sent nothing"
            )
        if plan.weights != "none" and (
            isinstance(weight, bool) or not isinstance(weight, (int, np.integer)) or not 1 <= weight <= plan.max_weight
        ):
            raise ProtocolError(f"{self.name}: its weight must be an integer from 1 to {plan.max_weight}")
        return flat

    def _added(self, before: list[bytes] | None, pieces: list[Floats], plan: Plan, number: int) -> list[bytes]:
        """The own update encrypted, added to the sums before it, as messages."""
        key = plan.key(self.roster, insecure=self.settings.insecure, n_jobs=self.settings.jobs)
        position = self.roster.position(self.name)
        key.prepare(1, plan.length)
        sums = []
        for chunk, piece in enumerate(pieces):
            total = None
            if before is not None:
                sender = self.roster.members[position - 1].name
                total = vector_of(key, before[chunk], sender)
                check_contributions(total, self.roster, number, position, sender)
            party = _Contributor(self._me, key, number, piece)
            try:
                sums.append(party.encrypted_gradient(sum_to=total).to_message())
            except VecpheError as error:  # lengths that differ
                raise ProtocolError(f"{self.name} adds nothing to the sum that it was sent: {error}") from None
        return sums

    def _sealed(self, sums: list[bytes], weight: int, position: int, plan: Plan, place: tuple[int, int]) -> list[bytes]:
        """The weight for the server, empty unless it is public, and the sums for who is next."""
        last = position == len(self.roster.members) - 1
        to_server = last or self.roster.topology == "star"
        receiver = self.roster.server if to_server else self.roster.members[position + 1]
        header = Header.of(self.roster, self._me, receiver, place, plan.layout)
        text = str(weight) if plan.weights == "public" else ""
        hops = seal_all("hop", header, sums, self._identity, receiver)
        return [self._to_server("weight", text.encode(), place, plan.layout), *hops]

    def _open(self, request: Request) -> list[bytes]:
        """Decrypt the sum of a round, as the holder of a star."""
        if self._me != self.roster.holder:
            raise ProtocolError(f"{self.name} does not hold the private key")
        plan = Plan.from_bytes(self._memory.plan())
        place = number, attempt = place_of("total", request.parts[0])
        self._check_number(number, plan)
        expected = Header.of(self.roster, self.roster.server, self._me, place, plan.layout)
        bodies = open_all("total", expected, request.parts, plan.chunks, self.roster.server, self._identity)
        asked = parts_digest(request.parts)
        kept = self._memory.answer(number, attempt, "total", asked)
        if kept is not None:
            return kept
        with self._memory.transaction():
            self._memory.begin(number, attempt)
        private_key = own_private_key(self.settings, self.roster, self.name)
        key = plan.key(self.roster, insecure=self.settings.insecure, n_jobs=self.settings.jobs)
        chunks = [vector_of(key, body, self.roster.server.name) for body in bodies]
        values = open_sum(self.roster, plan, private_key, self._memory, place, chunks, self.settings.jobs)
        answer = [self._to_server("opened", values.astype("<f8").tobytes(), place, plan.layout)]
        with self._memory.transaction():
            self._memory.keep_answer(number, attempt, "total", asked, answer)
        return answer

    def _end(self, request: Request) -> list[bytes]:
        """Forget updates and answers; the holder destroys the private key."""
        self._from_server("end", request.parts[0])
        if self._me == self.roster.holder and self.settings.key is not None:
            destroy(self.settings.key)
        self._memory.end()
        return [self._to_server("ended", b"")]


class _Clock:
    """Seconds since it was made, without those of what it was stopped for."""

    def __init__(self) -> None:
        self._start = perf_counter()

    @property
    def seconds(self) -> float:
        return perf_counter() - self._start

    def stopped(self, function: Compute) -> Compute:
        def timed() -> tuple[Sequence[npt.NDArray[Any]], int]:
            began = perf_counter()
            try:
                return function()
            finally:
                self._start += perf_counter() - began

        return timed


class _Contributor(Party):
    """A party of the federated room whose id is the one of the roster, for one chunk of one round."""

    _sends = "update"

    def __init__(self, member: Member, key: EncryptionKey, number: int, values: Floats) -> None:
        super().__init__(member.name, lambda: [values], key)
        self._party = member.id
        self.round = number
