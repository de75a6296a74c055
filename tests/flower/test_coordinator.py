"""The server's side: whom it asks, how often, what it believes, and what it says."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.flower.relays import SHAPES, Deployment, FakeRelay, deploy, update_of

from vecphe.errors import ClientLostError, ProtocolError
from vecphe.flower import Identity, Reply, Request, Rounds, coordinator
from vecphe.flower.sealing import Header, place_of, seal, seal_all

ZEROS = [np.zeros(shape) for shape in SHAPES]
MEAN = [update_of(1)[0], update_of(1)[1]]


def started(deployment: Deployment, **options: Any) -> Rounds:
    rounds = deployment.rounds(**options)
    rounds.start(ZEROS)
    return rounds


def refusal(work: Any, *arguments: Any) -> str:
    with pytest.raises(ProtocolError) as told:
        work(*arguments)
    return str(told.value)


def lose(relay: FakeRelay, kind: str, times: int, node: int = 1) -> list[int]:
    """So many requests of that kind are lost on their way to a node; the list grows with each."""
    lost: list[int] = []

    def change(to: int, request: Request) -> Request | None:
        if (to, request.kind) == (node, kind) and len(lost) < times:
            lost.append(to)
            return None
        return request

    relay.change = change
    return lost


# Who is there


def test_only_the_server_of_the_roster_leads(star: Deployment) -> None:
    star.server = replace(star.server, party=star.relay.settings[0].party)
    assert refusal(star.rounds) == "the server of the roster is Server, not Hospital 1"


class Time(SimpleNamespace):
    """A clock that only waiting moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(now=1000.0, slept=[], waits=[])
        monkeypatch.setattr(coordinator, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.mark.parametrize(
    ("timeout", "waits"),
    [(140.0, [60.0, 39.9, 19.85, 9.825, 4.8125]), (0.125, [0.1, 0.1]), (2.0, [1.0, 0.4, 0.1, 0.1])],
    ids=["a minute at most", "a tenth of a second at least", "half of what is left"],
)
def test_h55_parties_are_looked_for_until_the_time_is_over(
    ring: Deployment, monkeypatch: pytest.MonkeyPatch, timeout: float, waits: list[float]
) -> None:
    rounds, clock = ring.rounds(timeout=timeout), Time(monkeypatch)
    exchange = ring.relay.exchange

    def slow(requests: Mapping[int, Request], wait: float) -> Mapping[int, Reply]:
        clock.waits.append(wait)
        clock.now += wait
        return exchange({node: request for node, request in requests.items() if node != 1}, wait)

    monkeypatch.setattr(ring.relay, "exchange", slow)
    with pytest.raises(ClientLostError) as told:
        rounds.start(ZEROS)
    assert (told.value.client, told.value.round) == ("Hospital 2", 0)
    assert clock.waits[: len(waits)] == pytest.approx(waits)
    assert set(clock.slept) == {0.2}
    before = clock.now - clock.waits[-1] - 0.2  # when it was looked for once more
    assert before < 1000.0 + timeout <= clock.now


def test_h55_a_party_that_comes_late_is_found(ring: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """And who was found is not asked again."""
    clock = Time(monkeypatch)
    lost = lose(ring.relay, "hello", 3)
    rounds = started(ring, timeout=100.0)
    assert (lost, clock.slept) == ([1, 1, 1], [0.2] * 3)
    assert rounds._nodes == {"Hospital 1": 0, "Hospital 2": 1, "Hospital 3": 2}
    asked = [node for node, request, _ in ring.relay.transcript if request.kind == "hello"]
    assert sorted(asked) == [0, 1, 2]


def test_all_who_are_missing_are_named(ring: Deployment) -> None:
    for node in (0, 2):
        del ring.relay.settings[node]
    with pytest.raises(ClientLostError) as told:
        started(ring, timeout=0.05)
    assert told.value.client == "Hospital 1, Hospital 3"


def test_h54_nodes_that_are_no_parties_are_told_to_the_log(ring: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    rounds, nonce = ring.rounds(), bytes(32)
    identity, server = Identity.load(ring.relay.settings[0].party), ring.roster.server

    def hello(body: bytes, who: Identity = identity) -> bytes:
        return seal("hello", Header.of(ring.roster, who.member, server), body, who, None)

    signed = b"junk" + identity.signing.sign(b"vecphe flower signature\x00junk")
    assert rounds._who(Reply((b"Hospital 1", hello(nonce))), nonce) == "Hospital 1"
    assert caplog.records == []
    for reply, said in (
        (Reply(error="this node has no settings"), "this node has no settings"),
        (Reply((b"Hospital 1", hello(nonce)), error="any"), "any"),
        (Reply((b"Hospital 1",)), "None"),
        (Reply((b"Hospital 1", hello(nonce), b"")), "None"),
        (Reply((b"Hospital 9", hello(nonce))), "'Hospital 9' is no party of the roster"),
        (Reply((b"\xff", hello(nonce))), "'\ufffd' is no party of the roster"),
        (Reply((b"Hospital 1", hello(b"another"))), "a hello of another time"),
        (Reply((b"Hospital 2", hello(nonce))), "a hello message is not signed by Hospital 2 of the roster"),
        (Reply((b"Hospital 1", signed)), "not a hello message of vecphe.federated: the magic bytes are missing"),
    ):
        caplog.clear()
        assert rounds._who(reply, nonce) is None
        assert [(r.levelno, r.message) for r in caplog.records] == [
            (logging.WARNING, f"a node that is no party: {said}")
        ]


# What it begins with


def test_a_model_is_named_and_comes_back_as_it_was(ring: Deployment) -> None:
    rounds = ring.rounds()
    assert (rounds.steps, rounds._done) == (0, 0)
    model = {"w": np.arange(3, dtype=np.float32), "b": np.array(2)}
    assert rounds.start([[1.0], 2]).keys() == {"0", "1"}
    for _ in rounds.left(2):
        rounds.average(ZEROS)
        rounds.save(model)
    assert (rounds.steps, rounds._done, rounds.model.keys()) == (2, 2, {"w", "b"})
    rounds.close()
    again = ring.rounds()
    assert (again.steps, again._done) == (2, 2)
    found = again.start([[5.0]])
    assert again.model is found
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
        "w": (np.float32, [0.0, 1.0, 2.0]), "b": (model["b"].dtype, 2),
    }  # fmt: skip
    assert list(again.left(2)) == list(again.left(1)) == []
    assert next(again.left(3)) == 3


def test_h55_every_step_ends_with_a_save(ring: Deployment) -> None:
    steps = started(ring).left(3)
    assert next(steps) == 1
    text = "a step ends with save(arrays), which keeps the model and its number together"
    assert refusal(next, steps) == text


# A round


def test_clients_get_the_model_and_what_is_said_with_it(deployment: Deployment) -> None:
    rounds = started(deployment)
    rounds.average({"w": [1.0, 2.0]}, {"eta": 0.5})
    rounds.average([[3.0]])
    tasks = [request for _, request, _ in deployment.relay.transcript if request.kind == "task"]
    sent = [({name: array.tolist() for name, array in r.arrays.items()}, dict(r.config)) for r in tasks]
    assert sent == [({"w": [1.0, 2.0]}, {"eta": 0.5})] * 3 + [({"0": [3.0]}, {})] * 3
    assert {type(request.parts) for _, request, _ in deployment.relay.transcript} == {tuple}


@pytest.mark.parametrize(("max_restarts", "lost", "held"), [(0, 0, True), (0, 1, False), (2, 2, True), (2, 3, False)])
def test_h55_a_round_is_started_anew_so_often(deployment: Deployment, max_restarts: int, lost: int, held: bool) -> None:
    rounds = started(deployment, max_restarts=max_restarts)
    gone = lose(deployment.relay, "task", lost)
    if held:
        for one, other in zip(rounds.average(ZEROS), MEAN, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-9)
    else:
        with pytest.raises(ClientLostError) as told:
            rounds.average(ZEROS)
        assert (told.value.client, told.value.round) == ("Hospital 2", 1)
    assert len(gone) == lost
    places = {place_of("task", r.parts[0]) for _, r, _ in deployment.relay.transcript if r.kind == "task"}
    assert places == {(1, attempt) for attempt in range(1, min(lost, max_restarts) + 2)}
    hellos = [node for node, request, _ in deployment.relay.transcript if request.kind == "hello" and node == 1]
    assert len(hellos) == 1 + min(lost, max_restarts)  # it may be another node now


@pytest.mark.parametrize(("max_restarts", "lost", "held"), [(0, 0, True), (0, 1, False), (2, 2, True), (2, 3, False)])
def test_h55_the_holder_is_asked_so_often(star: Deployment, max_restarts: int, lost: int, held: bool) -> None:
    rounds = started(star, max_restarts=max_restarts)
    gone = lose(star.relay, "total", lost, node=3)
    if held:
        rounds.average(ZEROS)
    else:
        text = "round 1: Key holder does not answer; the round is spent"
        with pytest.raises(ProtocolError) as told:
            rounds.average(ZEROS)
        assert (str(told.value), told.value.__suppress_context__) == (text, True)
        star.relay.change = None
        rounds.average(ZEROS)
        assert rounds._done == rounds._memory.decided == 2
    assert len(gone) == lost
    hellos = [node for node, request, _ in star.relay.transcript if request.kind == "hello" and node == 3]
    assert len(hellos) == 1 + min(lost, max_restarts)


def test_h55_a_mean_that_was_kept_is_given_once_more(deployment: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    rounds = started(deployment)
    mean = rounds.average(ZEROS, {"a": 1})
    rounds.close()
    again = started(deployment)
    kept = again.average(ZEROS, {"a": 1})
    assert [array.tolist() for array in kept] == [array.tolist() for array in mean]
    assert (again._done, caplog.records) == (1, [])
    again.average(ZEROS, {"a": 1})
    assert again._done == again._memory.decided == 2
    again.close()
    other = started(deployment)
    other.average(ZEROS, {"a": 2})
    (record,) = caplog.records
    assert (record.levelno, record.message) == (logging.WARNING, "the sum of round 2 was decided on and is lost")
    assert other._done == 3


# What parties send


@pytest.fixture
def public(tmp_path: Path, keypair: Any) -> Deployment:
    return deploy(tmp_path, keypair[1], "ring", weights="public", max_weight=29)


@pytest.mark.parametrize(
    ("text", "weight"),
    [(b"1", 1), (b"29", 29), (b"0", 0), (b"30", 0), (b"", 0), (b"-1", 0), (b"1.5", 0), (b" 5", 0), (b"5\n", 0)],
)
def test_h51_a_public_weight_is_within_the_plan(public: Deployment, text: bytes, weight: int) -> None:
    rounds, member = public.rounds(), public.roster.members[1]
    header = Header.of(public.roster, member, public.roster.server, (1, 1), public.plan.layout)
    identity = Identity.load(public.relay.settings[1].party)
    reply = Reply((seal("weight", header, text, identity, public.roster.server), b"a hop"))
    if weight:
        assert rounds._weight(member, reply, (1, 1)) == weight
    else:
        assert refusal(rounds._weight, member, reply, (1, 1)) == "the weight of Hospital 2 is none from 1 to 29"
    assert refusal(rounds._weight, member, Reply(()), (1, 1)) == "Hospital 2 sent nothing"


def test_h51_a_weight_that_nobody_asked_for_counts_once(ring: Deployment) -> None:
    rounds, member = ring.rounds(), ring.roster.members[1]
    header = Header.of(ring.roster, member, ring.roster.server, (1, 1), ring.plan.layout)
    identity = Identity.load(ring.relay.settings[1].party)
    reply = Reply((seal("weight", header, b"7", identity, ring.roster.server),))
    assert rounds._weight(member, reply, (1, 1)) == 1


def replies_of(deployment: Deployment) -> dict[int, Reply]:
    return {node: reply for node, request, reply in deployment.relay.transcript if request.kind == "task"}


def test_h49_a_contribution_to_a_star_is_of_its_sender_alone(star: Deployment) -> None:
    """Not of another client, of another round, nor of several."""
    rounds = started(star)
    rounds.average(ZEROS)
    first, second, third = star.roster.members
    vectors = {m: rounds._sums_of(m, replies_of(star)[node], (1, 1)) for node, m in enumerate((first, second, third))}
    both = [coordinator.sum_encrypted_vectors(x, y) for x, y in zip(vectors[first], vectors[second], strict=True)]
    rounds._check_own(vectors[first][0], first, 1)
    for vector, member, number in (
        (vectors[second][0], first, 1),
        (both[0], first, 1),
        (both[0], second, 1),
        (vectors[first][0], first, 2),
        (SimpleNamespace(contributions=None), first, 1),
    ):
        text = f"what {member.name} sent is not its contribution to round {number}"
        assert refusal(rounds._check_own, vector, member, number) == text


@pytest.mark.parametrize("chunk", [0, 1])
def test_h49_every_chunk_is_looked_at(deployment: Deployment, chunk: int) -> None:
    """One of the client before, sealed by the last one itself."""
    rounds = started(deployment)
    rounds.average(ZEROS)
    star = deployment.roster.topology == "star"
    sender, before = deployment.roster.members[2], deployment.roster.members[1]
    reply = replies_of(deployment)[2]
    messages = [vector.to_message() for vector in rounds._sums_of(sender, reply, (1, 1))]
    receiver = deployment.roster.server if star else sender
    reader = rounds._identity if star else Identity.load(deployment.relay.settings[2].party)
    header = Header.of(deployment.roster, before, receiver, (1, 1), deployment.plan.layout)
    hops = replies_of(deployment)[1].parts[1:]
    messages[chunk] = coordinator.open_all("hop", header, hops, 2, before, reader)[chunk]
    header = Header.of(deployment.roster, sender, deployment.roster.server, (1, 1), deployment.plan.layout)
    identity = Identity.load(deployment.relay.settings[2].party)
    forged = Reply((reply.parts[0], *seal_all("hop", header, messages, identity, deployment.roster.server)))
    told = refusal(rounds._sums_of, sender, forged, (1, 1))
    assert told == (
        "what Hospital 3 sent is not its contribution to round 1"
        if star
        else "what Hospital 3 sent is not the sum of the first 3 clients of the roster to round 1"
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.0] * 10, "Key holder sent another number of values than the plan's"),
        ([0.0] * 12, "Key holder sent another number of values than the plan's"),
        ([0.0] * 10 + [np.inf], "Key holder sent values that are not finite"),
        ([np.nan] + [0.0] * 10, "Key holder sent values that are not finite"),
        ([3.0] * 11, ""),
    ],
)
def test_h53_what_a_holder_sends_fits_the_plan(star: Deployment, values: list[float], message: str) -> None:
    rounds = started(star)
    holder = Identity.load(star.relay.settings[3].party)

    def change_reply(node: int, request: Request, reply: Reply) -> Reply:
        if request.kind != "total":
            return reply
        header = Header.of(star.roster, holder.member, star.roster.server, (1, 1), star.plan.layout)
        return Reply((seal("opened", header, np.array(values).tobytes(), holder, star.roster.server),))

    star.relay.change_reply = change_reply
    if message:
        assert refusal(rounds.average, ZEROS) == message
    else:
        assert [array.tolist() for array in rounds.average(ZEROS)] == [[[1.0] * 3] * 2, [1.0] * 5]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("Hospital 2: because", "round 5, Hospital 2: because"),
        ("Hospital 2 knows no such request", "round 5, Hospital 2 knows no such request"),
        ("because", "round 5, Hospital 2: because"),
        ("Hospital 22: because", "round 5, Hospital 2: Hospital 22: because"),
    ],
)
def test_who_refuses_is_named_once(ring: Deployment, error: str, told: str) -> None:
    rounds = started(ring)
    ring.relay.change_reply = lambda node, request, reply: Reply(error=error) if node == 1 else reply
    hello = Request("hello", (bytes(32),))
    requests = dict.fromkeys(("Hospital 1", "Hospital 2", "Hospital 3"), hello)
    assert refusal(rounds._ask, requests, 5) == told
    assert rounds._ask({"Hospital 3": hello, "Hospital 1": hello}, 5).keys() == {"Hospital 1", "Hospital 3"}


def test_parties_have_so_long_for_an_answer(ring: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds, waits = started(ring, timeout=7.5), list[float]()
    exchange = ring.relay.exchange
    monkeypatch.setattr(ring.relay, "exchange", lambda requests, wait: waits.append(wait) or exchange(requests, wait))
    rounds.average(ZEROS)
    assert waits == [7.5] * 3


# The end


def test_the_end_is_told_to_all_others(deployment: Deployment) -> None:
    rounds = started(deployment)
    key = deployment.server.key
    rounds.end()
    ended = [node for node, request, _ in deployment.relay.transcript if request.kind == "end"]
    assert ended == list(deployment.relay.settings)
    assert rounds._private_key is None
    assert key is None or not key.exists()
    assert refusal(rounds._memory.plan) == "this run has ended; a new one needs a new key and a new roster"


@pytest.mark.parametrize(("kind", "number"), [("plan", 0), ("end", 0), ("task", 2), ("total", 2)])
def test_h55_who_does_not_answer_is_named_with_the_round(star: Deployment, kind: str, number: int) -> None:
    rounds = star.rounds(max_restarts=0)
    if kind != "plan":
        rounds.start(ZEROS)
    if number == 2:  # rounds and attempts at one of them differ
        rounds.average(ZEROS)
    star.relay.change_reply = lambda node, request, reply: Reply(error="no") if request.kind == kind else reply
    work = {"plan": lambda: rounds.start(ZEROS), "end": rounds.end}.get(kind, lambda: rounds.average(ZEROS))
    who = "Key holder" if kind == "total" else "Hospital 1"
    assert refusal(work) == f"round {number}, {who}: no"


@pytest.mark.parametrize("kind", ["plan", "end"])
def test_h54_an_answer_of_another_kind_is_none(deployment: Deployment, kind: str) -> None:
    """What a party sealed for the server at another time."""
    rounds = deployment.rounds()
    if kind == "end":
        rounds.start(ZEROS)
    sealed = {"plan": "agreed", "end": "ended"}[kind]
    identity = Identity.load(deployment.relay.settings[1].party)
    layout = deployment.plan.layout if kind == "end" else ""  # of the other one
    header = Header.of(deployment.roster, identity.member, deployment.roster.server, (0, 0), layout)
    wrong = Reply((seal(sealed, header, b"", identity, deployment.roster.server),))
    deployment.relay.change_reply = lambda node, r, reply: wrong if (node, r.kind) == (1, kind) else reply
    expected = deployment.plan.layout if kind == "plan" else ""
    told = f"a {sealed} message of Hospital 2 does not belong here: its layout is another than {expected!r}"
    assert refusal(rounds.end if kind == "end" else lambda: rounds.start(ZEROS)) == told


def test_a_closed_memory_is_closed(ring: Deployment) -> None:
    rounds = started(ring)
    rounds.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        rounds.average(ZEROS)


def test_h54_nodes_that_are_no_parties_are_asked_for_nothing(ring: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange, asked = ring.relay.exchange, set[str]()

    def with_stranger(requests: Mapping[int, Request], wait: float) -> Mapping[int, Reply]:
        asked.update(request.kind for node, request in requests.items() if node == 9)
        known = {node: request for node, request in requests.items() if node != 9}
        return {**exchange(known, wait), **({9: Reply(error="this node has no settings")} if 9 in requests else {})}

    monkeypatch.setattr(ring.relay, "nodes", lambda: [9, 2, 1, 0])
    monkeypatch.setattr(ring.relay, "exchange", with_stranger)
    rounds = started(ring)
    rounds.average(ZEROS)
    assert rounds._nodes == {"Hospital 1": 0, "Hospital 2": 1, "Hospital 3": 2}
    assert asked == {"hello"}


def test_h53_a_server_spends_no_round_on_a_sum_that_the_holder_would_refuse(star: Deployment) -> None:
    rounds = started(star)
    rounds._star_sum = lambda replies, place: rounds._sums_of(  # type: ignore[method-assign]
        star.roster.members[0], replies["Hospital 1"], place
    )
    text = "what Server sent is not the sum of the first 3 clients of the roster to round 1"
    assert (refusal(rounds.average, ZEROS), rounds._memory.decided) == (text, 0)
    assert "total" not in star.relay.kinds
