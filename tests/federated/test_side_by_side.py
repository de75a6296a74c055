"""Clients that make and encrypt their updates side by side; only the sum goes from one to the next."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import pytest
from tests.federated.test_transcript import NAMES, check_transcript

from vecphe import parallel
from vecphe.arithmetic import active_engine
from vecphe.errors import ProtocolError
from vecphe.federated import PackedBackend, Party, Server, federated_learning, run_rounds
from vecphe.federated import ring as ring_module
from vecphe.federated.ring import ring_pass

in_threads = pytest.mark.skipif(active_engine().tuning.workers != "threads", reason="this engine has processes")


def parties_of(updates: list[Any], **options: Any) -> tuple[Server, list[Party]]:
    server = Server(512, insecure=True, backend=PackedBackend(len(updates), **options))
    return server, [Party(name, update, server.pubkey) for name, update in zip("ABCDE", updates, strict=False)]


def meeting(number: int, met: list[bool]) -> list[Any]:
    """Updates that wait for each other, for some seconds."""
    barrier = threading.Barrier(number)

    def update() -> list[np.ndarray[Any, Any]]:
        try:
            barrier.wait(0.3 if met[-1:] == [False] else 20)
        except threading.BrokenBarrierError:
            met.append(False)
        else:
            met.append(True)
        return [np.arange(3.0)]

    return [update] * 4


@in_threads
def test_updates_are_made_side_by_side() -> None:
    met: list[bool] = []
    server, parties = parties_of(meeting(2, met))
    (done,) = run_rounds(server, parties, 1, n_jobs=2)
    assert done.mean.tolist() == [0.0, 1.0, 2.0]
    assert met == [True] * 4


@in_threads
def test_a_context_says_so_as_well() -> None:
    met: list[bool] = []
    server, parties = parties_of(meeting(4, met))
    with parallel(n_jobs=4):
        list(run_rounds(server, parties, 1))
    assert met == [True] * 4


@pytest.mark.parametrize(("n_jobs", "engine"), [(None, None), (1, None), (2, "gmp")])
def test_they_are_made_one_after_another_where_threads_are_not_asked_for_or_no_use(
    n_jobs: int | None, engine: str | None
) -> None:
    met = [False]  # nobody waits long
    server, parties = parties_of(meeting(2, met), engine=engine)
    list(run_rounds(server, parties, 1, n_jobs=n_jobs))
    assert not any(met)


@in_threads
def test_threads_are_taken_only_where_randomizers_are_to_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    original = ring_module.run_in_threads
    monkeypatch.setattr(
        ring_module, "run_in_threads", lambda f, tasks, jobs: calls.append(len(tasks)) or original(f, tasks, jobs)
    )
    server, parties = parties_of([lambda: [np.arange(3.0)]] * 3)
    for done in run_rounds(server, parties, 100, n_jobs=2):
        assert done.mean.tolist() == [0.0, 1.0, 2.0]
    batches = 2 if active_engine().tuning.full_batch >= 50 else 100
    assert calls == [3] * batches


def test_h52_a_run_is_what_it_is_without_threads(diabetes: Any) -> None:
    config = {"key_length": 512, "insecure": True, "n_iter": 70, "backend": "packed", "record_transcript": True}
    alone, together = (federated_learning(*diabetes, {**config, "n_jobs": n_jobs}) for n_jobs in (1, 3))
    np.testing.assert_array_equal(together.history, alone.history)
    check_transcript(together.transcript, int.from_bytes(together.transcript[0].payload, "big"), NAMES)


@in_threads
@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_what_goes_wrong_is_told_as_without_threads(wrong: int) -> None:
    def told(n_jobs: int) -> str:
        updates: list[Any] = [lambda: [np.arange(3.0)]] * 4
        updates[wrong] = lambda: [np.full(3, np.nan)]
        server, parties = parties_of(updates)
        with pytest.raises(ProtocolError) as caught:
            list(run_rounds(server, parties, 1, n_jobs=n_jobs))
        return str(caught.value)

    assert told(2) == told(1)
    assert f"{'ABCD'[wrong]}: its update is not finite" in told(2)


@in_threads
def test_h52_what_was_encrypted_ahead_is_sent_once_and_in_its_round_alone() -> None:
    _, parties = parties_of([lambda: [np.arange(3.0)]] * 3)
    party = parties[0]
    party.expect(9)
    party._encrypt_ahead()
    assert party._ahead is not None
    made = party._ahead[1]
    assert copy.copy(party)._ahead is copy.deepcopy(party)._ahead is None
    assert party.__getstate__()["_ahead"] is None
    assert party.encrypted_gradient() is made
    assert party.encrypted_gradient() is not made
    party._encrypt_ahead()
    of_last_round = party._ahead[1]
    party.round += 1
    assert party.encrypted_gradient() is not of_last_round
    party._encrypt_ahead()
    party.expect(0)
    assert party._ahead is None


@in_threads
def test_h55_after_a_loss_no_ciphertext_is_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    server, parties = parties_of([lambda: [np.arange(3.0)]] * 4)
    original, lost, sent = Party._own, [], []

    def own(self: Party, contribution: Any) -> Any:
        if self.name == "C" and len(lost) < 2:  # in its thread, and when its turn comes
            lost.append(self.name)
            raise ConnectionResetError
        vector = original(self, contribution)
        sent.extend(vector.ciphertexts())
        return vector

    monkeypatch.setattr(Party, "_own", own)
    assert [done.mean.tolist() for done in run_rounds(server, parties, 3, n_jobs=2)] == [[0.0, 1.0, 2.0]] * 3
    assert len(lost) == 2
    assert len(set(sent)) == len(sent)


def test_a_party_of_another_kind_adds_in_turn() -> None:
    class Slow(Party):
        def encrypted_gradient(self, sum_to: Any = None) -> Any:
            return super().encrypted_gradient(sum_to)

    server, parties = parties_of([lambda: [np.arange(3.0)]] * 3)
    own = [Slow(name, lambda: [np.arange(3.0)], server.pubkey) for name in "XYZ"]
    for party in [*parties, *own]:
        party.expect(1)
    assert [party._is_busy() for party in own] == [False] * 3
    assert ring_pass(own, n_jobs=2).terms == 3
