"""A party: what it checks, refuses and says, one request at a time."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.flower.relays import SHAPES, Deployment, deploy, update_of

from vecphe.errors import ProtocolError
from vecphe.flower import Hospital, Identity, Request, hospital
from vecphe.flower.messages import content_digest
from vecphe.flower.sealing import Header, open_envelope, seal

MODEL = {"w": np.zeros(3)}


def party(deployment: Deployment, node: int, **own: Any) -> Hospital:
    """A party that has agreed on the plan, if its settings allow it."""
    found = Hospital(replace(deployment.relay.settings[node], **own))
    found.answer(plan_for(deployment, node))
    return found


def signed(deployment: Deployment, node: int, kind: str, body: bytes, place: Any = (0, 0), layout: str = "") -> bytes:
    server, receiver = Identity.load(deployment.server.party), deployment.roster.parties[:-1]
    parties = [*deployment.roster.members, deployment.roster.holder] if len(receiver) > 3 else receiver
    return seal(kind, Header.of(deployment.roster, server.member, parties[node], place, layout), body, server, None)


def plan_for(deployment: Deployment, node: int, **changes: Any) -> Request:
    data = replace(deployment.plan, **changes).to_bytes()
    return Request("plan", (signed(deployment, node, "plan", data),))


def task(deployment: Deployment, node: int, place: tuple[int, int] = (1, 1), *before: bytes) -> Request:
    asked = content_digest(MODEL, {"eta": 2}).encode()
    return Request(
        "task", (signed(deployment, node, "task", asked, place, deployment.plan.layout), *before), MODEL, {"eta": 2}
    )


def refusal(found: Hospital, request: Request, compute: Any = None) -> str:
    with pytest.raises(ProtocolError) as told:
        found.answer(request, compute)
    return str(told.value)


def opened(deployment: Deployment, node: int, kind: str, data: bytes, place: Any = (0, 0), layout: str = "") -> bytes:
    server, sender = Identity.load(deployment.server.party), deployment.roster.members[node]
    return open_envelope(kind, Header.of(deployment.roster, sender, server.member, place, layout), data, sender, server)


def bodies_of(deployment: Deployment, place: tuple[int, int], hops: list[bytes]) -> list[bytes]:
    """What the first client sealed for the second."""
    receiver, sender = Identity.load(deployment.relay.settings[1].party), deployment.roster.members[0]
    header = Header.of(deployment.roster, sender, receiver.member, place, deployment.plan.layout)
    return hospital.open_all("hop", header, hops, deployment.plan.chunks, sender, receiver)


# Who it is


def test_h48_a_party_is_one_of_the_roster_and_asks_for_enough_clients(ring: Deployment) -> None:
    settings = ring.relay.settings[0]
    assert Hospital(replace(settings, min_clients=3)).name == "Hospital 1"
    with pytest.raises(ProtocolError) as told:
        Hospital(replace(settings, min_clients=4))
    assert str(told.value) == "Hospital 1 takes part with at least 4 clients, and the roster has 3"
    with pytest.raises(ProtocolError) as told:
        Hospital(ring.server)
    assert str(told.value) == "these are the keys of the server, which asks and does not answer"
    Identity.generate("Hospital 1").save(settings.party, force=True)
    with pytest.raises(ProtocolError) as told:
        Hospital(settings)
    assert str(told.value) == "the roster has no party with the keys of Hospital 1"


@pytest.mark.parametrize("request_", [Request("other", (b"x",)), Request("hello", ()), Request("end", ())])
def test_h54_what_is_no_request_is_refused(ring: Deployment, request_: Request) -> None:
    assert refusal(Hospital(ring.relay.settings[1]), request_) == "Hospital 2 knows no such request"


def test_h54_a_hello_signs_32_bytes_and_no_other_number(ring: Deployment) -> None:
    found = Hospital(ring.relay.settings[1])
    for length in (31, 33, 0):
        assert refusal(found, Request("hello", (bytes(length),))) == "a hello must have 32 bytes"
    name, data = found.answer(Request("hello", (b"n" * 32,)))
    assert name == b"Hospital 2"
    header = Header.of(ring.roster, ring.roster.members[1], ring.roster.server)
    assert open_envelope("hello", header, data, ring.roster.members[1], None) == b"n" * 32


def test_a_closed_memory_is_closed(ring: Deployment) -> None:
    found = party(ring, 0)
    found.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        found.answer(task(ring, 0))


# What it agrees to


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"models": ("a", "b")}, "Hospital 2 does not take part in the model 'model'"),
        ({"weights": ("public", "encrypted")}, "Hospital 2 does not take part with weights 'none'"),
        ({"max_rounds": 8}, "Hospital 2 takes part in 8 rounds at most, not 9"),
        ({"max_rounds": 1}, "Hospital 2 takes part in 1 round at most, not 9"),
    ],
)
def test_h51_a_party_agrees_to_what_it_allows(ring: Deployment, own: dict[str, Any], message: str) -> None:
    found = Hospital(replace(ring.relay.settings[1], **own))
    assert refusal(found, plan_for(ring, 1)) == message
    assert "no plan was agreed on" in refusal(found, task(ring, 1))
    allowed = party(ring, 1, models=("a", "model"), weights=("none",), max_rounds=9)
    (data,) = allowed.answer(plan_for(ring, 1))
    assert opened(ring, 1, "agreed", data, layout=ring.plan.layout) == b""


def test_h51_a_party_contributes_to_no_round_beyond_its_own_limit(ring: Deployment) -> None:
    found = party(ring, 0)
    assert refusal(found, task(ring, 0, (10, 1))) == "Hospital 1 contributes to 9 rounds at most"
    found.settings = replace(found.settings, max_rounds=2)
    assert refusal(found, task(ring, 0, (3, 1))) == "Hospital 1 contributes to 2 rounds at most"
    assert len(found.answer(task(ring, 0, (2, 1)), lambda: (update_of(0), 1))) == 1 + ring.plan.chunks


def test_h51_a_model_is_the_one_that_was_signed(ring: Deployment) -> None:
    found, request = party(ring, 0), task(ring, 0)
    text = "Hospital 1 was sent another model than the server signed"
    for changed in (replace(request, arrays={"w": np.ones(3)}), replace(request, config={"eta": 3})):
        assert refusal(found, changed) == text


def test_h54_who_adds_to_no_sum_takes_none(deployment: Deployment) -> None:
    found = party(deployment, 0)
    assert refusal(found, task(deployment, 0, (1, 1), b"a hop")) == "Hospital 1 adds to no one's sum, and was sent one"
    if deployment.roster.topology == "ring":
        text = "0 hop messages of Hospital 1 where there must be 2"
        assert refusal(party(deployment, 1), task(deployment, 1)) == text
    else:
        text = "Hospital 2 adds to no one's sum, and was sent one"
        assert refusal(party(deployment, 1), task(deployment, 1, (1, 1), b"a hop")) == text


# Its update


def test_a_party_trains_once_a_round(tmp_path: Path, keypair: Any) -> None:
    """What it made is weighted again, in another attempt too; of another round it makes another."""
    deployment = deploy(tmp_path, keypair[1], "ring", weights="public", max_weight=30)
    found, trained = party(deployment, 0), list[int]()

    def compute() -> Any:
        trained.append(1)
        return update_of(0), np.int64(20)

    weights = []
    for place in ((1, 1), (1, 2), (2, 1)):
        weight, *hops = found.answer(task(deployment, 0, place), compute)
        weights.append(opened(deployment, 0, "weight", weight, place, deployment.plan.layout))
        bodies = bodies_of(deployment, place, hops)
        key = deployment.plan.key(deployment.roster, insecure=True)
        array = [hospital.vector_of(key, body, "").array for body in bodies]
        sent = np.concatenate([keypair[1].decrypt(each) for each in array])
        np.testing.assert_allclose(sent, 20 * np.concatenate([each.ravel() for each in update_of(0)]), atol=1e-9)
        assert len(trained) == place[0]
    assert weights == [b"20"] * 3
    assert refusal(party(deployment, 0), task(deployment, 0, (3, 1))) == (
        "Hospital 1 was asked for an update and has nothing to train"
    )


def test_tables_are_those_of_one_update(ring: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    key, asked = ring.plan.key(ring.roster, insecure=True), list[Any]()
    monkeypatch.setattr(type(key), "prepare", lambda key, *of: asked.append(of))
    party(ring, 0).answer(task(ring, 0), lambda: (update_of(0), 1))
    assert asked == [(1, 11)]


REAL = "Hospital 1: its update must be arrays of real numbers. It sent nothing"
OTHER = "Hospital 1: its update has other shapes than the plan. It sent nothing"
FINITE = "Hospital 1: its update is not finite; check its data for NaN, or take smaller steps. It sent nothing"
CLIP = (
    "Hospital 1: its update leaves the clip of 4.0; take smaller steps, for instance a lower eta, or agree on a "
    "larger clip. It sent nothing"
)
WEIGHT = "Hospital 1: its weight must be an integer from 1 to 30"


def arrays(first: Any = 0.0, last: Any = 0.0, kind: Any = np.float64) -> list[Any]:
    one, other = np.zeros(SHAPES[0], kind), np.zeros(SHAPES[1], kind)
    one[0, 0], other[-1] = first, last
    return [one, other]


@pytest.mark.parametrize(
    ("made", "weight", "message"),
    [
        (arrays(), 1, ""),
        (arrays(4.0, -4.0), 30, ""),
        (arrays(4, -4, np.int8), np.uint8(30), ""),
        (arrays(True, False, np.bool_), 1, ""),
        (arrays(2, 3, np.uint16), 1, ""),
        (arrays(1j, 0, np.complex128), 1, REAL),
        ([arrays()[0], np.array(["a"] * 5)], 1, REAL),
        (arrays()[:1], 1, OTHER),
        (arrays()[::-1], 1, OTHER),
        ([*arrays(), np.zeros(1)], 1, OTHER),
        (arrays(np.nan), 1, FINITE),
        (arrays(0, np.inf), 1, FINITE),
        (arrays(np.nextafter(4.0, 5)), 1, CLIP),
        (arrays(0, -np.nextafter(4.0, 5)), 1, CLIP),
        (arrays(), 0, WEIGHT),
        (arrays(), 31, WEIGHT),
        (arrays(), True, WEIGHT),
        (arrays(), 1.0, WEIGHT),
        (arrays(), "1", WEIGHT),
    ],
)
def test_h50_both_sides_of_what_an_update_may_be(
    tmp_path: Path, keypair: Any, made: list[Any], weight: Any, message: str
) -> None:
    deployment = deploy(tmp_path, keypair[1], "ring", weights="public", max_weight=30, clip=4.0)
    found = Hospital(deployment.relay.settings[0])
    if message:
        with pytest.raises(ProtocolError) as told:
            found._checked(made, weight, deployment.plan)
        assert str(told.value) == message
    else:
        flat = found._checked(made, weight, deployment.plan)
        assert (flat.dtype, flat.tolist()) == (np.float64, [float(x) for array in made for x in array.ravel()])


def test_without_weights_any_will_do(ring: Deployment) -> None:
    weight, pieces = party(ring, 0)._update(1, "m", ring.plan, lambda: (update_of(0), "many"))
    assert weight == 1
    assert np.concatenate(pieces).tolist() == [float(x) for array in update_of(0) for x in array.ravel()]


def test_h50_a_training_that_fails_is_told_by_its_kind(ring: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Any:
        raise KeyError("patient 4711")

    text = "Hospital 1: its training raised KeyError; its log says more"
    with pytest.raises(ProtocolError) as told:
        party(ring, 0).answer(task(ring, 0), fail)
    assert (str(told.value), told.value.__suppress_context__) == (text, True)
    assert [(record.message, record.exc_info is not None) for record in caplog.records] == [
        ("the training failed", True)
    ]
    assert refusal(party(ring, 0), task(ring, 0), lambda: 5) == text.replace("KeyError", "TypeError")


def test_h54_a_sum_of_another_length_is_named(ring: Deployment) -> None:
    _, *hops = party(ring, 0).answer(task(ring, 0), lambda: (update_of(0), 1))
    bodies, pieces = bodies_of(ring, (1, 1), hops), ring.plan.pieces(update_of(1), 1)
    found = party(ring, 1)
    assert len(found._added(bodies, pieces, ring.plan, 1)) == 2
    with pytest.raises(ProtocolError, match=r"^Hospital 2 adds nothing to the sum that it was sent: ") as told:
        found._added(bodies[::-1], pieces, ring.plan, 1)
    assert told.value.__suppress_context__
    text = "what Hospital 1 sent is not the sum of the first 1 client of the roster to round 2"
    with pytest.raises(ProtocolError, match=f"^{text}$"):
        found._added(bodies, pieces, ring.plan, 2)


# What it says, and how long it took


class Ticks:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_seconds_of_a_reply_are_without_the_training(ring: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = Ticks()
    monkeypatch.setattr(hospital, "perf_counter", ticks)
    found = party(ring, 0)

    def train() -> Any:
        ticks.now += 100.0
        return update_of(0), 1

    def answer(request: Request, compute: Any) -> list[bytes]:
        ticks.now += 3.0
        if compute is not None:
            assert compute()[1] == 1
        ticks.now += 0.25
        return [b"a", b"b"]

    monkeypatch.setattr(found, "answer", answer)
    for compute in (train, None):
        reply = found.reply(Request("task", (b"",)), compute)
        assert (reply.parts, reply.error, reply.seconds) == ((b"a", b"b"), None, 3.25)


def test_h29_an_error_of_ours_is_told_and_any_other_by_its_kind(
    ring: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = party(ring, 0)
    reply = found.reply(Request("other", (b"",)))
    assert (reply.parts, reply.error) == ((), "Hospital 1 knows no such request")
    assert caplog.records == []

    def fail(*_: Any) -> Any:
        raise ValueError("secret")

    monkeypatch.setattr(found, "answer", fail)
    reply = found.reply(Request("task", (b"",)))
    assert (reply.parts, reply.error) == ((), "Hospital 1: ValueError; its own log says more")
    (record,) = caplog.records
    assert (record.message, record.levelno, record.exc_info is not None) == ("a request failed", logging.ERROR, True)


# The end


@pytest.mark.parametrize("node", [0, 3])
def test_the_end_destroys_the_key_of_the_holder_alone(star: Deployment, tmp_path: Path, node: int) -> None:
    own = tmp_path / "own.key"
    own.write_bytes(b"a key")
    if node == 3:
        star.private_key.save(own, force=True)
    found = party(star, node)
    found.settings = replace(found.settings, key=own)
    (data,) = found.answer(Request("end", (signed(star, node, "end", b""),)))
    assert own.exists() == (node == 0)
    assert refusal(found, task(star, 0)).startswith("this run has ended") or node == 3
    if node == 0:
        assert opened(star, 0, "ended", data) == b""
    found.close()


def test_a_holder_whose_key_is_gone_ends_all_the_same(star: Deployment) -> None:
    found = party(star, 3)
    found.settings = replace(found.settings, key=None)
    assert len(found.answer(Request("end", (signed(star, 3, "end", b""),)))) == 1


def test_h53_only_the_holder_opens_a_sum(star: Deployment) -> None:
    assert refusal(party(star, 0), Request("total", (b"",))) == "Hospital 1 does not hold the private key"
