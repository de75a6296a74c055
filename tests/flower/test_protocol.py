"""Whole rounds between parties that share nothing but messages, and everything that can go wrong with them."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.flower.relays import SHAPES, Deployment, deploy, update_of

import vecphe
from vecphe.arithmetic import available_engines
from vecphe.errors import ClientLostError, ProtocolError
from vecphe.federated.interface import EncryptedVector
from vecphe.flower import Hospital, Identity, Member, Reply, Request, Roster
from vecphe.flower.messages import parts_digest
from vecphe.flower.plan import plan_for
from vecphe.flower.sealing import Header, open_envelope, place_of, seal
from vecphe.keys import PrivateKey, PublicKey

ZEROS = [np.zeros(shape) for shape in SHAPES]


def mean_of(n: int, weights: list[int] | None = None) -> list[np.ndarray]:
    weights = weights or [1] * n
    columns = zip(*(update_of(i) for i in range(n)), strict=True)
    return [sum(w * a for w, a in zip(weights, column, strict=True)) / sum(weights) for column in columns]


def started(deployment: Deployment, **options: Any) -> Any:
    rounds = deployment.rounds(**options)
    rounds.start(ZEROS)
    return rounds


def assert_mean(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("weights", ["none", "encrypted", "public"])
@pytest.mark.parametrize("topology", ["ring", "star"])
def test_the_mean_is_that_of_the_updates(tmp_path: Path, keypair: Any, topology: str, weights: str) -> None:
    deployment = deploy(tmp_path, keypair[1], topology, 4, weights=weights, max_weight=100)
    assert deployment.plan.chunks > 1
    rounds = started(deployment)
    expected = mean_of(4, None if weights == "none" else [10, 20, 30, 40])
    for _ in rounds.left(3):
        mean = rounds.average(rounds.model)
        assert_mean(mean, expected)
        rounds.save(mean)
    assert rounds.steps == 3


@pytest.mark.parametrize("weights", ["none", "encrypted"])
def test_weights_that_are_not_public_reach_nobody(tmp_path: Path, keypair: Any, weights: str) -> None:
    deployment = deploy(tmp_path, keypair[1], "ring", weights=weights, max_weight=100)
    rounds = started(deployment)
    rounds.average(ZEROS)
    server = Identity.load(deployment.server.party)
    texts = []
    for node, request, reply in deployment.relay.transcript:
        if request.kind == "task":
            sender = deployment.roster.members[node]
            place = place_of("weight", reply.parts[0])
            header = Header.of(deployment.roster, sender, server.member, place, deployment.plan.layout)
            texts.append(open_envelope("weight", header, reply.parts[0], sender, server))
    assert texts == [b""] * 3


# Who sees what


def openable(deployment: Deployment, identity: Identity) -> list[tuple[str, str]]:
    """Kind and sender of everything in the transcript that a party can open, whatever header it says it has."""
    found = []
    for _, request, reply in deployment.relay.transcript:
        for part in (*request.parts, *reply.parts):
            for kind in ("hop", "total", "opened"):
                for sender in deployment.roster.parties:
                    for chunk in range(deployment.plan.chunks):
                        for chunks in (1, deployment.plan.chunks):
                            try:
                                place = place_of(kind, part)
                                header = Header.of(
                                    deployment.roster, sender, identity.member, place, deployment.plan.layout
                                )
                                header = replace(header, chunk=chunk, chunks=chunks)
                                open_envelope(kind, header, part, sender, identity)
                            except vecphe.errors.VecpheError:
                                continue
                            found.append((kind, sender.name))
    return found


def test_h52_the_server_of_a_ring_opens_only_what_the_last_client_releases(ring: Deployment) -> None:
    started(ring).average(ZEROS)
    hops = [request for _, request, _ in ring.relay.transcript if request.kind == "task"]
    assert len(hops) == 3
    assert set(openable(ring, Identity.load(ring.server.party))) == {("hop", "Hospital 3")}
    assert set(openable(ring, Identity.load(ring.relay.settings[1].party))) == {("hop", "Hospital 1")}


def test_h52_no_ciphertext_of_a_ring_is_in_the_clear(ring: Deployment) -> None:
    """An encrypted array is known by its magic bytes, with which all of them begin."""
    started(ring).average(ZEROS)
    magic = b"\x89VECPHE\n"
    parts = [part for _, request, reply in ring.relay.transcript for part in (*request.parts, *reply.parts)]
    with_frames = [part for part in parts if magic in part]
    assert len(parts) > 15
    assert len(with_frames) == 3
    assert all(b'"kind":"plan"' in part for part in with_frames)  # which have the public key


def test_h52_the_holder_of_a_star_sees_only_the_sum(star: Deployment) -> None:
    started(star).average(ZEROS)
    assert set(openable(star, Identity.load(star.relay.settings[3].party))) == {("total", "Server")}
    assert {kind for kind, _ in openable(star, Identity.load(star.server.party))} == {"hop", "opened"}
    assert star.server.key is None


def test_h52_the_sum_for_the_holder_is_sent_as_it_was_added(star: Deployment, monkeypatch: Any) -> None:
    """Whoever decrypts it learns nothing of its terms from randomizers, and new ones are a fifth of a large round."""
    from vecphe.randomness.randomizers import RandomizerSource

    drawn = []
    genuine = RandomizerSource.rerandomize
    monkeypatch.setattr(RandomizerSource, "rerandomize", lambda *args: drawn.append(1) or genuine(*args))
    assert_mean(started(star).average(ZEROS), mean_of(3))
    assert drawn == []
    key = star.plan.key(star.roster, insecure=True)

    def ciphertexts(body: bytes) -> list[int]:
        return EncryptedVector.from_message(key, body).array.ciphertexts(rerandomize=False)

    own = [opened(star, member, star.roster.server, "hop") for member in star.roster.members]
    for chunk, total in enumerate(opened(star, star.roster.server, star.roster.holder, "total")):
        terms = [ciphertexts(chunks[chunk]) for chunks in own]
        assert ciphertexts(total) == [a * b * c % key.n**2 for a, b, c in zip(*terms, strict=True)]


def opened(deployment: Deployment, sender: Member, receiver: Member, kind: str) -> list[bytes]:
    """The chunks that one party sealed for another in the first round."""
    settings = [*deployment.relay.settings.values(), deployment.server]
    reader = next(i for i in (Identity.load(own.party) for own in settings) if i.member == receiver)
    header = Header.of(deployment.roster, sender, receiver, (1, 1), deployment.plan.layout)
    bodies = []
    for chunk in range(deployment.plan.chunks):
        expected = replace(header, chunk=chunk, chunks=deployment.plan.chunks)
        for _, request, reply in deployment.relay.transcript:
            for part in (*request.parts, *reply.parts):
                with suppress(vecphe.errors.VecpheError):
                    bodies.append(open_envelope(kind, expected, part, sender, reader))
    return bodies


# Rows 48 to 51: what is refused before anything is added


def test_h48_a_roster_of_two_clients_is_refused(keypair: Any) -> None:
    a, b, server = (Identity.generate(name).member for name in ("A", "B", "Server"))
    with pytest.raises(ProtocolError, match="2 clients are too few"):
        Roster.collect([a, b], server, keypair[0].fingerprint)


def test_h48_a_party_may_ask_for_more_clients_than_three(ring: Deployment) -> None:
    with pytest.raises(ProtocolError, match="at least 4 clients, and the roster has 3"):
        Hospital(replace(ring.relay.settings[0], min_clients=4))


BAD_UPDATES: dict[str, tuple[Callable[[], Any], str]] = {
    "nan": (lambda: ([np.full((2, 3), np.nan), np.zeros(5)], 1), "not finite"),
    "inf": (lambda: ([np.zeros((2, 3)), np.full(5, -np.inf)], 1), "not finite"),
    "shape": (lambda: ([np.zeros((3, 2)), np.zeros(5)], 1), "other shapes"),
    "count": (lambda: ([np.zeros((2, 3))], 1), "other shapes"),
    "clip": (lambda: ([np.zeros((2, 3)), np.full(5, 2.0**15 + 1)], 1), "leaves the clip"),
    "text": (lambda: ([np.array([["a"] * 3] * 2), np.zeros(5)], 1), "real numbers"),
}


@pytest.mark.parametrize("bad", BAD_UPDATES)
def test_h50_a_client_with_a_bad_update_sends_nothing_and_is_named(deployment: Deployment, bad: str) -> None:
    make, message = BAD_UPDATES[bad]
    rounds = started(deployment)
    deployment.relay.compute = lambda node: make() if node == 1 else (update_of(node), 1)
    with pytest.raises(ProtocolError, match=f"^round 1, Hospital 2: its [^:]*{message}"):
        rounds.average(ZEROS)
    assert [reply.parts for node, request, reply in deployment.relay.transcript[-3:] if node == 1] == [()]
    assert "total" not in deployment.relay.kinds
    deployment.relay.compute = None
    assert_mean(rounds.average(ZEROS), mean_of(3))  # later rounds work


def test_h51_a_weight_outside_the_plan_is_refused(tmp_path: Path, keypair: Any) -> None:
    deployment = deploy(tmp_path, keypair[1], "ring", weights="public", max_weight=29)
    with pytest.raises(ProtocolError, match="Hospital 3: its weight must be an integer from 1 to 29"):
        started(deployment).average(ZEROS)


def test_h50_what_a_training_says_does_not_reach_the_server(ring: Deployment) -> None:
    def fail(node: int) -> Any:
        raise ValueError("patient 4711")

    rounds = started(ring)
    ring.relay.compute = fail
    with pytest.raises(ProtocolError, match="its training raised ValueError; its log says more") as caught:
        rounds.average(ZEROS)
    assert "4711" not in str(caught.value)


def test_h51_a_public_key_that_changes_is_refused(deployment: Deployment, other_keypair: Any) -> None:
    other = plan_for(deployment.roster, other_keypair[0], SHAPES, rounds=9)
    with pytest.raises(ProtocolError, match="is not the one of the roster"):
        deployment.rounds(other)


def test_h51_another_private_key_is_refused_before_a_round(deployment: Deployment, other_keypair: Any) -> None:
    """Whoever holds it, when the run is agreed on; and between rounds before the one sum of the round is spent."""
    star = deployment.roster.topology == "star"
    holder = deployment.relay.settings[3] if star else deployment.server
    assert holder.key is not None
    genuine = holder.key.read_bytes()
    holder.key.unlink()
    other_keypair[1].save(holder.key)
    public = {} if star else {"public_key": holder.key.with_name("public")}
    deployment.server = replace(deployment.server, **public)
    with pytest.raises(ProtocolError, match=r"the private key of .* is not the one of the roster"):
        started(deployment)
    assert deployment.relay.trained == []
    holder.key.write_bytes(genuine)
    rounds = started(deployment)
    rounds.average(ZEROS)
    holder.key.unlink()
    other_keypair[1].save(holder.key)
    if star:
        with pytest.raises(ProtocolError, match="the private key of Key holder is not the one of the roster"):
            rounds.average(ZEROS)
        hospital = Hospital(holder)
        assert hospital._memory.decided == 1
        hospital.close()
    else:
        assert_mean(rounds.average(ZEROS), mean_of(3))  # its process has the genuine one
        rounds.close()
        with pytest.raises(ProtocolError, match="the private key of Server is not the one of the roster"):
            started(deployment)


def test_h51_who_decrypts_must_have_the_private_key(deployment: Deployment) -> None:
    if deployment.roster.topology == "star":
        deployment.relay.settings[3] = replace(deployment.relay.settings[3], key=None)
    else:
        deployment.server = replace(deployment.server, key=None)
    with pytest.raises(ProtocolError, match="decrypts: its settings need key, the file of the private key"):
        started(deployment)


def test_h46_an_engine_that_does_not_run_at_a_party_ends_the_run_before_a_round(
    deployment: Deployment, monkeypatch: Any
) -> None:
    """A hospital chooses its engine in its own environment; one without a GPU does not quietly take another."""
    reasons = dict(available_engines())
    absent = next(name for name in ("cuda", "ifma", "neon") if reasons[name] is not None)

    def change(node: int, request: Request) -> Request:
        if node == 1 and request.kind == "plan":
            monkeypatch.setenv("VECPHE_ENGINE", absent)
            vecphe.flower.plan._key.cache_clear()  # as in a process of its own
        return request

    def change_reply(node: int, request: Request, reply: Reply) -> Reply:
        monkeypatch.delenv("VECPHE_ENGINE", raising=False)
        return reply

    deployment.relay.change, deployment.relay.change_reply = change, change_reply
    with pytest.raises(ProtocolError, match=f"round 0, Hospital 2: .*{absent}"):
        started(deployment)
    assert deployment.relay.trained == []


def test_h51_a_plan_that_changes_is_refused(deployment: Deployment, connections: list[sqlite3.Connection]) -> None:
    started(deployment)
    with pytest.raises(ProtocolError, match="plan or the public key of this run is another"):
        deployment.rounds(replace(deployment.plan, clip=1.0))
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):  # whoever catches the error has nothing to close
        connections[-1].execute("PRAGMA user_version")


def test_h51_parties_refuse_a_plan_that_changes_too(deployment: Deployment) -> None:
    """A server that lost its memory, or lies."""
    started(deployment)
    deployment.server.memory.unlink()
    with pytest.raises(ProtocolError, match="Hospital 1: the plan or the public key"):
        deployment.rounds(replace(deployment.plan, clip=1.0)).start(ZEROS)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"models": ("other",)}, "does not take part in the model 'model'"),
        ({"weights": ("public",)}, "does not take part with weights 'none'"),
        ({"max_rounds": 8}, "takes part in 8 rounds at most, not 9"),
        ({"insecure": False}, "insecure"),
    ],
)
def test_h51_what_a_party_does_not_allow_is_refused(deployment: Deployment, own: Any, message: str) -> None:
    deployment.relay.settings[1] = replace(deployment.relay.settings[1], **own)
    with pytest.raises(ProtocolError, match=f"round 0, Hospital 2:? .*{message}"):
        started(deployment)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"models": ("other",)}, "Server does not take part in the model 'model'"),
        ({"weights": ("public",)}, "Server does not take part with weights 'none'"),
        ({"max_rounds": 8}, "Server takes part in 8 rounds at most, not 9"),
        ({"min_clients": 4}, "Server takes part with at least 4 clients"),
    ],
)
def test_h51_what_the_server_does_not_allow_is_refused(deployment: Deployment, own: Any, message: str) -> None:
    """Its plan comes from the configuration of a run, its settings from its own file."""
    deployment.server = replace(deployment.server, **own)
    with pytest.raises(ProtocolError, match=message):
        deployment.rounds()
    assert not deployment.server.memory.exists()


def test_h52_nobody_but_the_holder_may_have_the_private_key(deployment: Deployment) -> None:
    """A client that has it opens its predecessor's sum; the server of a star that has it needs no holder."""
    key = deployment.server.key or deployment.relay.settings[3].key
    deployment.relay.settings[1] = replace(deployment.relay.settings[1], key=key)
    with pytest.raises(ProtocolError, match="holds the private key of this run, and Hospital 2 must not have it"):
        Hospital(deployment.relay.settings[1])
    if deployment.roster.topology == "star":
        deployment.server = replace(deployment.server, key=key)
        with pytest.raises(ProtocolError, match="Key holder holds the private key of this run, and Server must not"):
            deployment.rounds()


@pytest.mark.parametrize(
    ("option", "bad"),
    [("timeout", value) for value in (0, -1.0, math.nan, math.inf, "5", True, None)]
    + [("max_restarts", value) for value in (-1, 1.5, "1", True, None)],
)
def test_h30_options_of_a_run_that_cannot_be_are_refused(ring: Deployment, option: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option} must be "):
        ring.rounds(**{option: bad})
    ring.rounds(timeout=1, max_restarts=0).close()


BAD_MODELS: dict[str, tuple[Any, str]] = {
    "a name twice": ({1: np.zeros(2), "1": np.zeros(2)}, "different, printable names, and not '1'"),
    "a line break": ({"a\nb": np.zeros(2)}, "printable names"),
    "an end that files lose": ({"a\0": np.zeros(2)}, "printable names"),
    "half a character": ({"\ud800": np.zeros(2)}, "printable names"),
    "objects": ([np.array([None])], "the array '0' of the model is not one of numbers"),
    "text": ({"w": ["a"]}, "the array 'w' of the model is not one of numbers"),
}


@pytest.mark.parametrize("bad", BAD_MODELS)
def test_h51_a_model_that_cannot_be_sent_or_kept_is_refused(ring: Deployment, bad: str) -> None:
    model, message = BAD_MODELS[bad]
    rounds = started(ring)
    for use in (rounds.average, rounds.save):
        with pytest.raises(ProtocolError, match=message):
            use(model)
    assert rounds.steps == 0
    assert ring.relay.trained == []


@pytest.mark.parametrize(
    "names", [["", " "], ["a/b", "../c"], ["file", "names"], ["array_0", "array_1"], ["\u00fc", "z" * 5000], ["b", "a"]]
)
def test_a_model_with_odd_names_is_sent_and_kept_as_it_is(ring: Deployment, names: list[str]) -> None:
    model = dict(zip(names, (np.float32(1.5), np.asfortranarray(np.arange(6.0).reshape(2, 3))[:, ::2]), strict=True))
    rounds = started(ring)
    assert_mean(rounds.average(model), mean_of(3))
    sent = tasks_of(ring)[0][1].arrays
    rounds.save(model)
    rounds.close()
    again = started(ring)
    for found in (sent, again.model):
        assert list(found) == names
        for one, other in zip(found.values(), model.values(), strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


GOOD_UPDATES: dict[str, Callable[[np.ndarray], Any]] = {
    "float16": lambda x: x.astype(np.float16),
    "float32": lambda x: x.astype(np.float32),
    "longdouble": lambda x: x.astype(np.longdouble),
    "big-endian": lambda x: x.astype(">f8"),
    "int8": lambda x: x.astype(np.int8),
    "uint64": lambda x: x.astype(np.uint64),
    "Fortran's order": np.asfortranarray,
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: x[..., ::-1].copy()[..., ::-1],
    "lists": lambda x: x.tolist(),
}


@pytest.mark.parametrize("kind", GOOD_UPDATES)
def test_updates_of_every_kind_of_numbers_are_averaged(deployment: Deployment, kind: str) -> None:
    update = [np.arange(6.0).reshape(2, 3), np.arange(5.0)]
    deployment.relay.compute = lambda node: ([GOOD_UPDATES[kind](array * node) for array in update], 1)
    assert_mean(started(deployment).average(ZEROS), update)


def test_every_party_uses_the_workers_of_its_own_settings(deployment: Deployment, monkeypatch: Any) -> None:
    asked = []
    encrypt, decrypt = PublicKey._encrypt, PrivateKey.decrypt

    def encrypted(key: PublicKey, values: Any, packed: bool, encoding: Any, n_jobs: Any, ready: Any) -> Any:
        asked.append(("encrypt", n_jobs))
        return encrypt(key, values, packed, encoding, None, ready)

    def decrypted(key: PrivateKey, array: Any, n_jobs: Any = None) -> Any:
        asked.append(("decrypt", n_jobs))
        return decrypt(key, array)

    monkeypatch.setattr(PublicKey, "_encrypt", encrypted)
    monkeypatch.setattr(PrivateKey, "decrypt", decrypted)
    deployment.relay.settings[1] = replace(deployment.relay.settings[1], jobs=2)
    started(deployment).average(ZEROS)
    chunks = deployment.plan.chunks
    clients = [("encrypt", jobs) for jobs in (None, 2, None) for _ in range(chunks)]
    assert asked == clients + [("decrypt", -1)] * chunks  # who decrypts in a run on one machine has it for itself


def test_h51_a_round_beyond_the_plan_is_refused(tmp_path: Path, keypair: Any) -> None:
    deployment = deploy(tmp_path, keypair[1], "ring", rounds=1)
    rounds = started(deployment)
    rounds.average(ZEROS)
    with pytest.raises(ProtocolError, match="contributes to 1 round at most"):
        rounds.average(ZEROS)


def test_h53_the_holder_opens_no_sum_beyond_the_plan_or_its_own_limit(star: Deployment) -> None:
    """What clients contribute to such a round is the word of the server."""
    started(star).average(ZEROS)
    for number in (10, 3):
        error = str(star.relay.deliver(3, lying_server_of_all(star, (number, 1))).error)
        assert ("Key holder contributes to 9 rounds at most" in error) == (number == 10)
    star.relay.settings[3] = replace(star.relay.settings[3], max_rounds=2)
    assert "to 2 rounds at most" in str(star.relay.deliver(3, lying_server_of_all(star, (3, 1))).error)


def test_h54_two_parties_with_one_memory_are_told(deployment: Deployment) -> None:
    """One of them would send what the other one trained."""
    deployment.relay.settings[1] = replace(deployment.relay.settings[1], memory=deployment.relay.settings[0].memory)
    with pytest.raises(ProtocolError, match="Hospital 2: this memory is another party's"):
        started(deployment)
    deployment.server = replace(deployment.server, memory=deployment.relay.settings[0].memory)
    with pytest.raises(ProtocolError, match="this memory is another party's"):
        deployment.rounds()


def test_h51_a_model_that_was_changed_on_its_way_is_refused(deployment: Deployment) -> None:
    def change(node: int, request: Request) -> Request:
        if node == 2 and request.kind == "task":
            return replace(request, arrays={**request.arrays, "0": request.arrays["0"] + 1})
        return request

    rounds = started(deployment)
    deployment.relay.change = change
    with pytest.raises(ProtocolError, match="Hospital 3 was sent another model than the server signed"):
        rounds.average(ZEROS)
    assert 2 not in deployment.relay.trained


# Row 54: what comes twice, out of order, from before, or forged


def tasks_of(deployment: Deployment) -> list[tuple[int, Request, Reply]]:
    return [entry for entry in deployment.relay.transcript if entry[1].kind == "task"]


def test_h54_a_repeat_gets_the_stored_answer(deployment: Deployment) -> None:
    started(deployment).average(ZEROS)
    asked = [entry for entry in deployment.relay.transcript if entry[1].kind in ("task", "total")]
    trained = list(deployment.relay.trained)
    assert len(asked) == len(deployment.relay.settings)
    for node, request, reply in asked:
        assert deployment.relay.deliver(node, request) == reply
    assert deployment.relay.trained == trained


def test_h54_a_message_of_an_old_round_is_refused(deployment: Deployment) -> None:
    rounds = started(deployment)
    rounds.average(ZEROS)
    old = [entry for entry in deployment.relay.transcript if entry[1].kind in ("task", "total")]
    rounds.average(ZEROS)
    assert len(old) == len(deployment.relay.settings)
    for node, request, _ in old:
        assert "a message of round 1, but round 2 has begun" in str(deployment.relay.deliver(node, request).error)


def test_h54_a_message_of_an_old_attempt_is_refused(deployment: Deployment) -> None:
    """It was lost on its way, and comes when the round has been started anew."""
    rounds, lost = started(deployment), list[Request]()

    def change(node: int, request: Request) -> Request | None:
        if request.kind == "task" and node == 1 and not lost:
            lost.append(request)
            return None
        return request

    deployment.relay.change = change
    rounds.average(ZEROS)
    error = deployment.relay.deliver(1, lost[0]).error
    assert "a message of attempt 1 of round 1, but attempt 2 has begun" in str(error)


def test_h54_another_sum_in_the_same_attempt_is_refused(ring: Deployment) -> None:
    """The relay asks the second client again, with what the first one sealed in another attempt."""
    rounds = started(ring)
    rounds.average(ZEROS)
    node, request, _ = tasks_of(ring)[1]
    forged = replace(request, parts=(request.parts[0], *reversed(request.parts[1:])))
    assert "two different task messages" in str(ring.relay.deliver(node, forged).error)


RELAYS: dict[str, tuple[Callable[[Deployment, Request], Request], str]] = {
    "cut": (lambda d, r: replace(r, parts=r.parts[:-1]), "where there must be 2"),
    "extended": (lambda d, r: replace(r, parts=(*r.parts, r.parts[-1])), "where there must be 2"),
    "emptied": (lambda d, r: replace(r, parts=r.parts[:1]), "0 hop messages of Hospital 1"),
    "swapped chunks": (lambda d, r: replace(r, parts=(r.parts[0], r.parts[2], r.parts[1])), "its chunk is another"),
    "flipped": (
        lambda d, r: replace(r, parts=(*r.parts[:-1], r.parts[-1][:-80] + bytes(1) + r.parts[-1][-79:])),
        "is not signed by Hospital 1",
    ),
    "signature cut": (lambda d, r: replace(r, parts=(*r.parts[:-1], r.parts[-1][:-1])), "is not signed by"),
    "empty part": (lambda d, r: replace(r, parts=(*r.parts[:-1], b"")), "is not signed by"),
    "forged predecessor": (lambda d, r: forged(d, r, Identity.generate("Hospital 1")), "is not signed by Hospital 1"),
    "forged by the server": (lambda d, r: forged(d, r, Identity.load(d.server.party)), "is not signed by Hospital 1"),
    "task by another": (lambda d, r: task_by(d, r, Identity.generate("Server")), "is not signed by Server"),
    "task for another": (lambda d, r: replace(r, parts=(d.tasks[0], *r.parts[1:])), "its receiver is another"),
}


def forged(deployment: Deployment, request: Request, forger: Identity) -> Request:
    """The hops again, signed with other keys under the name of the first client."""
    roster, plan = deployment.roster, deployment.plan
    place = place_of("task", request.parts[0])
    header = Header.of(roster, roster.members[0], roster.members[1], place, plan.layout)
    hops = [
        seal("hop", replace(header, chunk=chunk, chunks=plan.chunks), b"any", forger, roster.members[1])
        for chunk in range(plan.chunks)
    ]
    return replace(request, parts=(request.parts[0], *hops))


def task_by(deployment: Deployment, request: Request, forger: Identity) -> Request:
    roster = deployment.roster
    header = Header.of(roster, roster.server, roster.members[1], (1, 1), deployment.plan.layout)
    return replace(request, parts=(seal("task", header, b"0" * 64, forger, None), *request.parts[1:]))


def test_h54_what_a_relay_appends_to_a_request_of_one_part_is_not_read(deployment: Deployment) -> None:
    asked = set[str]()

    def change(node: int, request: Request) -> Request:
        if len(request.parts) > 1 or request.kind in ("task", "total"):
            return request
        asked.add(request.kind)
        return replace(request, parts=(*request.parts, b"noise"))

    deployment.relay.change = change
    rounds = started(deployment)
    rounds.average(ZEROS)
    rounds.end()
    assert asked == {"hello", "plan", "end"}


@pytest.mark.parametrize("fault", RELAYS)
def test_h54_a_relay_that_changes_a_hop_is_caught(ring: Deployment, fault: str) -> None:
    alter, message = RELAYS[fault]
    ring.tasks = []

    def change(node: int, request: Request) -> Request:
        if request.kind == "task":
            ring.tasks.append(request.parts[0])
        return alter(ring, request) if request.kind == "task" and node == 1 else request

    rounds = started(ring)
    assert ring.plan.chunks == 2
    ring.relay.change = change
    with pytest.raises(ProtocolError, match=message):
        rounds.average(ZEROS)
    assert 1 not in ring.relay.trained
    assert 2 not in ring.relay.trained


def test_h54_hops_in_another_order_are_caught(ring: Deployment) -> None:
    """The relay sends what the first client sealed to the third."""
    rounds = started(ring)
    sealed: list[tuple[bytes, ...]] = []

    def change(node: int, request: Request) -> Request:
        if request.kind == "task" and node == 1:
            sealed.append(request.parts[1:])
        if request.kind == "task" and node == 2:
            return replace(request, parts=(request.parts[0], *sealed[0]))
        return request

    ring.relay.change = change
    with pytest.raises(ProtocolError, match="Hospital 3: a hop message is not signed by Hospital 2"):
        rounds.average(ZEROS)
    assert 2 not in ring.relay.trained


def test_h54_a_hop_of_another_attempt_is_caught(ring: Deployment) -> None:
    rounds = started(ring)
    first: list[tuple[bytes, ...]] = []

    def change(node: int, request: Request) -> Request | None:
        if request.kind == "task" and node == 1 and not first:
            first.append(request.parts[1:])
            return None
        if request.kind == "task" and node == 1:
            return replace(request, parts=(request.parts[0], *first[0]))
        return request

    ring.relay.change = change
    with pytest.raises(ProtocolError, match="its attempt is another than 2"):
        rounds.average(ZEROS)


def test_h54_keys_that_the_relay_swapped_are_caught(ring: Deployment) -> None:
    """A relay that plays the second client has other keys than the roster's, and is no party."""
    impostor = Identity.generate("Hospital 2")
    party = ring.relay.settings[1].party
    impostor.save(party, force=True)
    with pytest.raises(ProtocolError, match="the roster has no party with the keys of Hospital 2"):
        Hospital(ring.relay.settings[1])


def test_h54_a_node_that_only_says_who_it_is_gets_nothing(ring: Deployment) -> None:
    def change_reply(node: int, request: Request, reply: Reply) -> Reply:
        if request.kind == "hello" and node == 1:
            header = Header.of(ring.roster, ring.roster.members[1], ring.roster.server)
            forged = seal("hello", header, request.parts[0], Identity.generate("Hospital 2"), None)
            return Reply((b"Hospital 2", forged))
        return reply

    ring.relay.change_reply = change_reply
    with pytest.raises(ClientLostError, match="Hospital 2 does not answer"):
        started(ring)


def test_h54_a_hello_of_before_proves_nothing(ring: Deployment) -> None:
    started(ring)
    old = next(reply for node, request, reply in ring.relay.transcript if request.kind == "hello" and node == 1)
    ring.relay.change_reply = lambda node, request, reply: old if request.kind == "hello" and node == 1 else reply
    with pytest.raises(ClientLostError, match="Hospital 2"):
        started(ring)


def test_h54_a_roster_of_another_order_opens_nothing(ring: Deployment) -> None:
    """One party was given another roster, of the same parties in another order."""
    members = ring.roster.members
    other = replace(ring.roster, members=(members[1], members[0], members[2]))
    ring.relay.settings[2].roster.write_bytes(other.to_bytes())
    with pytest.raises((ProtocolError, ClientLostError), match="Hospital 3"):
        started(ring)


# Row 53: the holder of a star


def test_h53_a_sum_without_a_client_is_refused_by_the_holder(star: Deployment) -> None:
    rounds = started(star)
    rounds._star_sum = lambda replies, place: rounds._sums_of(  # type: ignore[method-assign]
        star.roster.members[0], replies["Hospital 1"], place
    )
    with pytest.raises(ProtocolError, match="is not the sum of the first 3 clients"):
        rounds.average(ZEROS)


def lying_server(star: Deployment, place: tuple[int, int]) -> Request:
    """One contribution of one client for the holder, from a server that lies about what it is."""
    rounds = star.rounds()
    reply = next(reply for node, request, reply in star.relay.transcript if request.kind == "task" and node == 0)
    own = rounds._sums_of(star.roster.members[0], reply, (1, 1))
    server = Identity.load(star.server.party)
    header = Header.of(star.roster, server.member, star.roster.holder, place, star.plan.layout)
    parts = [
        seal("total", replace(header, chunk=i, chunks=len(own)), vector.to_message(), server, star.roster.holder)
        for i, vector in enumerate(own)
    ]
    return Request("total", tuple(parts))


def test_h53_the_holder_refuses_a_single_contribution(star: Deployment) -> None:
    started(star).average(ZEROS)
    reply = star.relay.deliver(3, lying_server(star, (2, 1)))
    assert "is not the sum of the first 3 clients of the roster to round 2" in str(reply.error)


def test_h53_clients_do_not_decrypt(star: Deployment) -> None:
    started(star).average(ZEROS)
    total = next(request for _, request, _ in star.relay.transcript if request.kind == "total")
    assert "does not hold the private key" in str(star.relay.deliver(0, total).error)


# Row 55: who is lost, and what is decrypted


def test_h55_a_round_is_restarted_with_fresh_encryptions_of_the_same_update(deployment: Deployment) -> None:
    lost = [1]

    def change(node: int, request: Request) -> Request | None:
        return None if request.kind == "task" and node in lost and lost.pop() is not None else request

    rounds = started(deployment)
    deployment.relay.change = change
    assert_mean(rounds.average(ZEROS), mean_of(3))
    first = [(request, reply) for node, request, reply in tasks_of(deployment) if node == 0]
    assert [place_of("task", request.parts[0]) for request, _ in first] == [(1, 1), (1, 2)]
    assert deployment.relay.trained.count(0) == 1
    assert not set(first[0][1].parts) & set(first[1][1].parts)


@pytest.mark.parametrize("when", ["before", "after"])
def test_h55_without_an_answer_the_round_ends_and_nothing_is_decrypted(deployment: Deployment, when: str) -> None:
    def gone(node: int, request: Request) -> bool:
        return request.kind == "task" and node == 2

    rounds = started(deployment)
    if when == "before":
        deployment.relay.change = lambda node, request: None if gone(node, request) else request
    else:
        deployment.relay.change_reply = lambda node, request, reply: None if gone(node, request) else reply
    with pytest.raises(ClientLostError, match="round 1: Hospital 3 does not answer"):
        rounds.average(ZEROS)
    assert rounds._memory.decided == 0
    assert "total" not in deployment.relay.kinds
    deployment.relay.change = deployment.relay.change_reply = None
    assert_mean(rounds.average(ZEROS), mean_of(3))


def test_h55_a_party_that_never_came_is_named(deployment: Deployment) -> None:
    del deployment.relay.settings[1]
    with pytest.raises(ClientLostError, match="Hospital 2 does not answer"):
        started(deployment)


def test_h55_the_decision_is_recorded_before_anything_is_decrypted(ring: Deployment, monkeypatch: Any) -> None:
    rounds = started(ring)

    def die(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("vecphe.federated.interface.DecryptionKey.decrypt", die)
        with pytest.raises(KeyboardInterrupt):
            rounds.average(ZEROS)
    rounds.close()
    again = started(ring)
    assert again._memory.decided == 1
    assert_mean(again.average(ZEROS), mean_of(3))  # of a new round: the sum of the first is lost
    places = {place_of("task", request.parts[0]) for _, request, _ in tasks_of(ring)}
    assert places == {(1, 1), (2, 1)}


def test_h55_so_it_is_by_the_holder_of_a_star(star: Deployment, monkeypatch: Any) -> None:
    rounds = started(star)

    def die(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("vecphe.federated.interface.DecryptionKey.decrypt", die)
        with pytest.raises(KeyboardInterrupt):
            rounds.average(ZEROS)
    hospital = Hospital(star.relay.settings[3])
    assert hospital._memory.decided == 1
    total = lying_server_of_all(star, (1, 2))
    assert "a sum of round 1 was decrypted before" in str(star.relay.deliver(3, total).error)
    hospital.close()


def lying_server_of_all(star: Deployment, place: tuple[int, int]) -> Request:
    """The true sum of a round again, in another attempt."""
    rounds = star.rounds()
    replies = {
        star.roster.members[node].name: reply
        for node, request, reply in star.relay.transcript
        if request.kind == "task"
    }
    total = rounds._star_sum(replies, (1, 1))
    server = Identity.load(star.server.party)
    header = Header.of(star.roster, server.member, star.roster.holder, place, star.plan.layout)
    parts = [
        seal("total", replace(header, chunk=i, chunks=len(total)), vector.to_message(), server, star.roster.holder)
        for i, vector in enumerate(total)
    ]
    return Request("total", tuple(parts))


def test_h55_a_second_sum_of_a_round_is_not_decrypted(star: Deployment) -> None:
    started(star).average(ZEROS)
    error = str(star.relay.deliver(3, lying_server_of_all(star, (1, 2))).error)
    assert "a sum of round 1 was decrypted before" in error


def test_h55_a_holder_that_answers_at_the_second_time_decrypts_once(star: Deployment, monkeypatch: Any) -> None:
    from vecphe.federated.interface import DecryptionKey

    decrypted, genuine, lost = [], DecryptionKey.decrypt, [3]
    monkeypatch.setattr(DecryptionKey, "decrypt", lambda self, x: decrypted.append(x) or genuine(self, x))
    star.relay.change_reply = lambda node, request, reply: (
        None if request.kind == "total" and lost and lost.pop() else reply
    )
    assert_mean(started(star).average(ZEROS), mean_of(3))
    assert star.relay.kinds.count("total") == 2
    assert len(decrypted) == star.plan.chunks


def test_h55_a_holder_that_does_not_answer_spends_the_round(star: Deployment) -> None:
    rounds = started(star)
    star.relay.change_reply = lambda node, request, reply: None if request.kind == "total" else reply
    with pytest.raises(ProtocolError, match="round 1: Key holder does not answer; the round is spent"):
        rounds.average(ZEROS)
    star.relay.change_reply = None
    assert_mean(rounds.average(ZEROS), mean_of(3))
    assert place_of("task", tasks_of(star)[-1][1].parts[0]) == (2, 1)


def test_h55_a_server_that_was_restarted_goes_on_from_what_it_saved(deployment: Deployment) -> None:
    rounds = started(deployment)
    for _ in rounds.left(2):
        rounds.save(rounds.average(rounds.model))
    rounds.close()
    again = started(deployment)
    assert again.steps == 2
    assert_mean(list(again.model.values()), mean_of(3))
    assert list(again.left(2)) == []
    for _ in again.left(3):
        again.save(again.average(again.model))
    assert [place_of("task", r.parts[0])[0] for node, r, _ in tasks_of(deployment) if node == 0] == [1, 2, 3]


def test_h55_a_mean_that_was_not_saved_is_not_decrypted_again(deployment: Deployment) -> None:
    rounds = started(deployment)
    mean = rounds.average(ZEROS)
    rounds.close()
    asked = len(tasks_of(deployment))
    again = started(deployment)
    assert_mean(again.average(ZEROS), mean)
    assert len(tasks_of(deployment)) == asked
    other = deployment.rounds()
    other.start(ZEROS)
    other.average([array + 1 for array in ZEROS])  # of another model: a new round
    assert len(tasks_of(deployment)) == 2 * asked


def test_h55_a_step_without_save_is_told(ring: Deployment) -> None:
    rounds = started(ring)
    steps = rounds.left(2)
    next(steps)
    rounds.average(ZEROS)
    with pytest.raises(ProtocolError, match=r"a step ends with save\(arrays\)"):
        next(steps)


def test_h55_another_model_in_the_same_round_is_refused(deployment: Deployment, monkeypatch: Any) -> None:
    """Two updates for one round would be two sums for the server."""
    rounds = started(deployment)
    deployment.relay.change = lambda node, request: None if request.kind == "task" and node == 2 else request
    with pytest.raises(ClientLostError):
        rounds.average(ZEROS)
    deployment.relay.change = None
    monkeypatch.setattr(rounds._memory, "round_of", lambda model, done: 1)  # a server that does so all the same
    with pytest.raises(ProtocolError, match="round 1 began with another model"):
        rounds.average([array + 1 for array in ZEROS])


@pytest.mark.parametrize("restarted", [False, True])
def test_h55_another_model_after_a_round_that_was_lost_is_a_new_round(deployment: Deployment, restarted: bool) -> None:
    """As of an app whose first model is random, or that sends a number of its own with every try."""
    rounds = started(deployment)
    rounds.average(ZEROS)
    lose = [True]
    deployment.relay.change = lambda node, request: None if lose[0] and (request.kind, node) == ("task", 2) else request
    for number in range(3):
        with pytest.raises(ClientLostError):
            rounds.average([array + number for array in ZEROS], {"try": number})
        if restarted:
            rounds.close()
            lose[0] = False
            rounds = started(deployment)
            lose[0] = True
    lose[0] = False
    before = len(tasks_of(deployment))
    assert_mean(rounds.average([array + 2 for array in ZEROS], {"try": 2}), mean_of(3))  # the last one goes on
    places = [place_of("task", request.parts[0]) for _, request, _ in tasks_of(deployment)[before:]]
    assert places == [(4, 3)] * 3
    assert_mean(rounds.average(ZEROS), mean_of(3))
    assert rounds._memory.decided == 5


# Row 55 again, with processes that are killed

HOP = """
import json, sys, time
import numpy as np
from pathlib import Path
from vecphe.federated.interface import EncryptedVector
from vecphe.flower import Hospital, Request, Settings
from vecphe.flower.messages import parts_digest

settings, request, wait = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), float(sys.argv[3])
arrays = {"0": np.zeros((2, 3)), "1": np.zeros(5)}
request = Request("task", tuple(map(bytes.fromhex, request)), arrays, {})

def train():
    print("training", flush=True)
    time.sleep(wait)
    return [np.ones((2, 3)), np.ones(5)], 1

reply = Hospital(Settings.load(settings)).reply(request, train)
print(reply.error or parts_digest(reply.parts).hex(), flush=True)
time.sleep(wait)
"""


def asked_in_a_process(ring: Deployment, directory: Path) -> tuple[Request, Callable[[float], Any]]:
    """The task of the first client, and how a process of its own answers it."""
    rounds, asked = started(ring, max_restarts=0), list[Request]()
    ring.relay.change = lambda node, request: asked.append(request)
    with pytest.raises(ClientLostError):
        rounds.average(ZEROS)
    path = directory / "request.json"
    path.write_text(json.dumps([part.hex() for part in asked[0].parts]))
    settings = str(ring.relay.settings[0].roster.with_name("settings.json"))

    def start(wait: float) -> Any:
        command = [sys.executable, "-W", "ignore", "-c", HOP, settings, str(path), str(wait)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    return asked[0], start


def test_h55_a_process_killed_in_its_hop_leaves_nothing_behind(ring: Deployment, tmp_path: Path) -> None:
    request, start = asked_in_a_process(ring, tmp_path)
    process = start(600)
    assert process.stdout.readline() == "training\n"
    process.kill()
    process.communicate(timeout=60)
    reply = ring.relay.deliver(0, request)
    assert (reply.error, ring.relay.trained) == (None, [0])


def test_h55_a_process_killed_after_its_hop_has_answered_for_good(ring: Deployment, tmp_path: Path) -> None:
    request, start = asked_in_a_process(ring, tmp_path)
    process = start(0.5)
    assert process.stdout.readline() == "training\n"
    digest = process.stdout.readline().strip()
    process.kill()
    process.communicate(timeout=60)
    assert parts_digest(ring.relay.deliver(0, request).parts).hex() == digest
    assert ring.relay.trained == []


def test_h54_of_two_processes_with_the_same_message_one_trains(ring: Deployment, tmp_path: Path) -> None:
    _, start = asked_in_a_process(ring, tmp_path)
    outputs = [process.communicate(timeout=120)[0].split() for process in [start(0.3), start(0.3)]]
    assert sorted(map(len, outputs)) == [1, 2]
    assert len({lines[-1] for lines in outputs}) == 1
    assert len(outputs[0][-1]) == 64


def test_a_party_says_who_it_is_while_it_trains(ring: Deployment) -> None:
    hospital = Hospital(ring.relay.settings[0])
    with hospital._memory.alone(), hospital._memory.transaction():
        assert ring.relay.deliver(0, Request("hello", (bytes(32),))).error is None
    hospital.close()


def test_h55_the_end_destroys_the_key_whoever_does_not_answer(ring: Deployment) -> None:
    rounds = started(ring)
    ring.relay.change = lambda node, request: None if node == 1 else request
    with pytest.raises(ClientLostError, match="Hospital 2"):
        rounds.end()
    assert not ring.server.key.exists()


def test_h55_an_end_that_is_lost_on_its_way_is_told_again(star: Deployment) -> None:
    """Or the holder would keep the private key of a run that is over for everybody else."""
    rounds, lost = started(star), [3]
    star.relay.change = lambda node, request: (
        None if (request.kind, [node]) == ("end", lost[:1]) and lost.pop() else request
    )
    rounds.end()
    assert lost == []
    assert not star.relay.settings[3].key.exists()
    with pytest.raises(ProtocolError, match="this run has ended"):
        star.rounds()


def test_h55_an_end_without_the_holder_says_whose_key_is_left(star: Deployment, caplog: Any) -> None:
    rounds = started(star)
    star.relay.change = lambda node, request: None if (request.kind, node) == ("end", 3) else request
    with pytest.raises(ClientLostError, match="Key holder"):
        rounds.end()
    assert "Key holder must look whether its private key is gone" in caplog.text
    assert star.relay.settings[3].key.exists()
    assert star.relay.kinds.count("end") == 6  # of the others two each


# Row 29, between machines: the holder's errors are no oracle


def test_h29_what_is_wrong_with_a_sum_is_told_to_nobody(star: Deployment, monkeypatch: Any) -> None:
    rounds = started(star)

    def corrupted(*_: Any) -> Any:
        raise vecphe.errors.CorruptedAggregateError

    monkeypatch.setattr("vecphe.federated.interface.DecryptionKey.decrypt", corrupted)
    with pytest.raises(ProtocolError, match="the sum of round 1 could not be decrypted; the round is spent") as caught:
        rounds.average(ZEROS)
    assert "corrupted" not in str(caught.value)
    monkeypatch.undo()
    assert_mean(rounds.average(ZEROS), mean_of(3))


# The end


def test_the_end_destroys_the_key_and_what_is_remembered(deployment: Deployment) -> None:
    rounds = started(deployment)
    rounds.average(ZEROS)
    holder = deployment.server if deployment.roster.topology == "ring" else deployment.relay.settings[3]
    key = holder.key
    assert key is not None
    assert key.exists()
    rounds.end()
    assert not key.exists()
    node, request, _ = tasks_of(deployment)[0]
    assert "this run has ended" in str(deployment.relay.deliver(node, request).error)
    with pytest.raises((ProtocolError, FileNotFoundError)):
        started(deployment)


def test_h54_a_foreign_end_ends_nothing(ring: Deployment) -> None:
    rounds = started(ring)
    header = Header.of(ring.roster, ring.roster.server, ring.roster.members[0])
    request = Request("end", (seal("end", header, b"", Identity.generate("Server"), None),))
    assert "is not signed by Server" in str(ring.relay.deliver(0, request).error)
    assert_mean(rounds.average(ZEROS), mean_of(3))


@pytest.mark.parametrize("kind", ["task", "total", "plan", "end", "hello", "other"])
@pytest.mark.parametrize("parts", [(), (b"",), (b"x" * 100,), (b"\x89VECPHM\n" + b"\xff" * 80,)])
def test_h54_noise_is_refused_without_a_trace(deployment: Deployment, kind: str, parts: tuple[bytes, ...]) -> None:
    started(deployment)
    for node in deployment.relay.settings:
        reply = deployment.relay.deliver(node, Request(kind, parts))
        assert reply.parts == ()
        assert reply.error
        assert "Error" not in reply.error
