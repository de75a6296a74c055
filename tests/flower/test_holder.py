"""The party with the private key: which key it takes, and which sums it opens."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.flower.relays import SHAPES, Deployment, deploy, update_of

from vecphe.errors import CorruptedAggregateError, ProtocolError
from vecphe.federated.interface import DecryptionKey
from vecphe.flower import holder
from vecphe.flower.holder import check_contributions, destroy, open_sum, own_private_key, vector_of
from vecphe.flower.memory import Memory

ZEROS = [np.zeros(shape) for shape in SHAPES]


def refusal(work: Any, *arguments: Any) -> str:
    with pytest.raises(ProtocolError) as told:
        work(*arguments)
    return str(told.value)


def test_h51_the_private_key_is_the_one_of_the_roster(ring: Deployment, other_keypair: Any, tmp_path: Path) -> None:
    assert own_private_key(ring.server, ring.roster, "Server") == ring.private_key
    text = "Server decrypts: its settings need key, the file of the private key"
    assert refusal(own_private_key, replace(ring.server, key=None), ring.roster, "Server") == text
    other_keypair[1].save(tmp_path / "other")
    text = f"the private key of Server is not the one of the roster, {ring.roster.key[:8]}"
    assert refusal(own_private_key, replace(ring.server, key=tmp_path / "other"), ring.roster, "Server") == text
    with pytest.raises(ValueError, match="insecure"):
        own_private_key(replace(ring.server, insecure=False), ring.roster, "Server")


@pytest.fixture
def chunks(star: Deployment) -> list[Any]:
    """The sum of round 1, which nobody has opened."""
    rounds = star.rounds()
    rounds.start(ZEROS)
    place = 1, rounds._memory.next_attempt(1)
    total, _ = rounds._total(place, rounds.model, {})
    rounds.close()
    return total


def test_h54_what_is_no_vector_names_its_sender(star: Deployment, chunks: list[Any]) -> None:
    key = star.plan.key(star.roster, insecure=True)
    data = chunks[0].to_message()
    assert len(vector_of(key, data, "A")) == len(chunks[0]) == 8
    with pytest.raises(ProtocolError, match=r"^what A sent is no sum under this key and layout: ") as told:
        vector_of(key, data[:-1], "A")
    assert told.value.__suppress_context__


def test_h49_a_sum_is_of_the_first_clients_of_one_round(star: Deployment, chunks: list[Any]) -> None:
    roster = star.roster
    check_contributions(chunks[0], roster, 1, 3, "A")
    for number, upto, said in ((2, 3, "3 clients"), (1, 2, "2 clients"), (1, 1, "1 client")):
        text = f"what A sent is not the sum of the first {said} of the roster to round {number}"
        assert refusal(check_contributions, chunks[0], roster, number, upto, "A") == text
    others = replace(roster, members=roster.members[::-1])
    assert "of the first 3 clients" in refusal(check_contributions, chunks[0], others, 1, 3, "A")
    assert "of the first 3 clients" in refusal(check_contributions, chunks[0], replace(roster, run="f" * 32), 1, 3, "A")


@pytest.fixture
def memory(star: Deployment, tmp_path: Path) -> Memory:
    memory = Memory(tmp_path / "holder.db", star.roster.run)
    memory.agree(star.roster.digest, b"plan")
    return memory


def test_h53_a_sum_is_opened_once(star: Deployment, chunks: list[Any], memory: Memory) -> None:
    whole = (star.roster, star.plan, star.private_key, memory)
    found = open_sum(*whole, (1, 1), chunks)
    parts = [np.concatenate([array.ravel() for array in update_of(node)]) for node in range(3)]
    np.testing.assert_allclose(found, sum(parts), atol=1e-9)
    assert memory.decided == 1
    assert refusal(open_sum, *whole, (1, 2), chunks) == "a sum of round 1 was decrypted before; at most one is"


@pytest.mark.parametrize("fault", ["short", "long", "another round", "another order"])
def test_h53_another_sum_is_refused_before_the_decision(
    star: Deployment, chunks: list[Any], memory: Memory, fault: str
) -> None:
    given, place, roster = {
        "short": (chunks[:1], (1, 1), star.roster),
        "long": ([*chunks, chunks[1]], (1, 1), star.roster),
        "another round": (chunks, (2, 1), star.roster),
        "another order": (chunks, (1, 1), replace(star.roster, members=star.roster.members[::-1])),
    }[fault]
    of_sender = "what the sender of the sum sent is not the sum of the first 3 clients of the roster to round"
    said = {"short": "a sum of 8 values, not 11", "long": "a sum of 14 values, not 11"}
    told = refusal(open_sum, roster, star.plan, star.private_key, memory, place, given)
    assert told == said.get(fault, f"{of_sender} {place[0]}")
    assert memory.decided == 0


def test_h53_a_round_of_the_past_is_not_opened_and_not_recorded(
    star: Deployment, chunks: list[Any], memory: Memory
) -> None:
    memory.decide(5, 1)
    with pytest.raises(ProtocolError):
        open_sum(star.roster, star.plan, star.private_key, memory, (1, 1), chunks)
    assert memory._db.execute("SELECT round FROM decisions").fetchall() == [(5,)]


def test_h55_the_decision_is_there_when_it_is_decrypted_by_so_many_workers(
    star: Deployment, chunks: list[Any], memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    backend = holder.PackedBackend
    monkeypatch.setattr(holder, "PackedBackend", lambda **how: asked.append(how) or backend(**how))

    def corrupted(key: DecryptionKey, chunk: Any) -> Any:
        asked.append(memory.decided)
        raise CorruptedAggregateError

    monkeypatch.setattr(DecryptionKey, "decrypt", corrupted)
    with pytest.raises(ProtocolError) as told:
        open_sum(star.roster, star.plan, star.private_key, memory, (1, 1), chunks, 1)
    assert str(told.value) == "the sum of round 1 could not be decrypted; the round is spent"
    assert told.value.__suppress_context__
    assert asked == [{"n_jobs": 1, "encoding": star.plan.encoding(3)}, 1]


def test_h67_a_destroyed_key_is_zeros_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link, synced = tmp_path / "key", tmp_path / "link", list[bytes]()
    path.write_bytes(b"secret" * 2000)
    link.hardlink_to(path)
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(link.read_bytes()) or fsync(file))
    destroy(path)
    assert synced == [bytes(12_000)]
    assert (path.exists(), link.read_bytes()) == (False, bytes(12_000))
    destroy(path)


@pytest.mark.parametrize("topology", ["ring", "star"])
def test_a_sum_of_one_chunk_is_opened_too(tmp_path: Path, keypair: Any, topology: str) -> None:
    deployment = deploy(tmp_path, keypair[1], topology, chunk_bytes=1 << 20)
    assert deployment.plan.chunks == 1
    rounds = deployment.rounds()
    rounds.start(ZEROS)
    np.testing.assert_allclose(rounds.average(ZEROS)[0], update_of(1)[0], atol=1e-9)
