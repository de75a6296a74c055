"""Randomizers of coming rounds: made in full batches, of each party its own, no more than are needed, none twice."""

import copy
import pickle

import numpy as np
import pytest
from tests.federated.test_transcript import NAMES, check_transcript

from vecphe.arithmetic import active_engine
from vecphe.errors import ProtocolError
from vecphe.federated import Client, PackedBackend, Party, Server, VectorizedBackend, federated_learning, run_rounds
from vecphe.federated.protocol import ring_pass
from vecphe.randomness.randomizers import RandomizerSource
from vecphe.randomness.ready import ReadyRandomizers

FULL = active_engine().tuning.full_batch
batches_pay = pytest.mark.skipif(FULL < 64, reason="an engine without lanes makes none ahead")


@pytest.fixture
def draws(monkeypatch):
    """How many randomizers each call made."""
    counts, draw = [], RandomizerSource.draw
    monkeypatch.setattr(RandomizerSource, "draw", lambda self, count: counts.append(count) or draw(self, count))
    return counts


@pytest.fixture
def stores(monkeypatch):
    """All stores of ready randomizers that are made."""
    made, init = [], ReadyRandomizers.__init__
    monkeypatch.setattr(ReadyRandomizers, "__init__", lambda self, ring: made.append(self) or init(self, ring))
    return made


def parties_of(backend, size=3, n=3):
    server = Server(256, insecure=True, backend=backend)
    return server, [Party(name, lambda: [np.arange(float(size))], server.pubkey) for name in "ABCDE"[:n]]


def run_of(diabetes, n_iter, backend="packed", **options):
    config = {"key_length": 512, "insecure": True, "n_iter": n_iter, "backend": backend, "record_transcript": True}
    return federated_learning(*diabetes, config, **options)


def test_h52_no_randomizer_of_a_long_run_is_used_twice(diabetes):
    result = run_of(diabetes, 70)
    n = int.from_bytes(result.transcript[0].payload, "big")
    check_transcript(result.transcript, n, NAMES)


@batches_pay
@pytest.mark.parametrize(
    ("n_iter", "batches"), [(1, [1]), (9, [9]), (50, [50]), (70, [40, 30]), (200, [56, 48, 48, 48])]
)
def test_each_party_makes_its_own_in_full_batches_and_no_more_than_it_needs(draws, n_iter, batches):
    server, parties = parties_of(PackedBackend(3))
    assert [done.mean.tolist() for done in run_rounds(server, parties, n_iter)] == [[0.0, 1.0, 2.0]] * n_iter
    assert sorted(draws) == sorted(3 * batches)
    assert all(party.clock.seconds["randomizers"] > 0 for party in parties)


@batches_pay
def test_vectors_of_several_ciphertexts_share_batches(draws):
    server, parties = parties_of(VectorizedBackend(), size=5)
    assert len(list(run_rounds(server, parties, 20))) == 20
    assert sum(draws) == 3 * 20 * 5
    assert sorted(draws) == sorted(3 * [56, 44])


def test_vectors_that_fill_a_batch_are_encrypted_as_ever(draws):
    server, parties = parties_of(VectorizedBackend(), size=max(FULL, 8))
    assert len(list(run_rounds(server, parties, 2))) == 2
    assert draws == [max(FULL, 8)] * 6


def test_an_engine_without_lanes_makes_none_ahead(draws):
    server, parties = parties_of(PackedBackend(3, engine="gmp"))
    assert len(list(run_rounds(server, parties, 4))) == 4
    assert draws == [1] * 12


@batches_pay
def test_no_two_parties_share_them(draws, stores):
    server, parties = parties_of(PackedBackend(3))
    rounds = run_rounds(server, parties, 20)
    next(rounds)
    own = [party._encryptor._ready for party in parties]
    assert len({id(ready) for ready in [*own, server.pubkey.public_key._ready]}) == 4
    assert [len(ready) for ready in own] == [19] * 3
    assert server.pubkey.public_key.ready_randomizers == 0
    values = [value for ready in own for value in ready._ring.store(ready.take(19))]
    assert len(set(values)) == 57
    rounds.close()


@batches_pay
@pytest.mark.parametrize("end", ["close", "error", "all", "on_round"])
def test_what_is_left_is_dropped_however_the_run_ends(stores, diabetes, end):
    if end == "on_round":
        assert run_of(diabetes, 30, on_round=lambda number: number < 2).n_iter == 2
        assert len(stores) == 6
    else:
        server, parties = parties_of(PackedBackend(3))
        rounds = run_rounds(server, parties, 30)
        next(rounds)
        assert [len(store) for store in stores] == [0, 29, 29, 29]
        if end == "close":
            rounds.close()
        elif end == "all":
            assert len(list(rounds)) == 29
        else:
            parties[1].model._update = lambda: [np.array([np.nan] * 3)]
            with pytest.raises(ProtocolError, match="B: its update is not finite"):
                next(rounds)
        assert [party._encryptor for party in parties] == [None] * 3
    assert [len(store) for store in stores] == [0] * len(stores)


@batches_pay
def test_a_round_that_is_started_anew_takes_fresh_ones(draws, monkeypatch):
    server, parties = parties_of(PackedBackend(3))
    encrypted_gradient, lost, sent = Party.encrypted_gradient, [], []

    def failing(self, sum_to=None):
        if self.name == "C" and self.round == 2 and not lost:
            lost.append(self.name)
            raise ConnectionResetError
        vector = encrypted_gradient(self, sum_to)
        sent.extend(c % server.pubkey.n for c in vector.ciphertexts())
        return vector

    monkeypatch.setattr(Party, "encrypted_gradient", failing)
    assert len(list(run_rounds(server, parties, 5))) == 5
    assert len(set(sent)) == len(sent) == 17
    assert sum(draws) == 15 + 2  # A and B lost one each, and made one more when they ran out


@batches_pay
def test_a_party_alone_looks_ahead_only_where_it_is_told_to(draws):
    server, parties = parties_of(PackedBackend(3))
    ring_pass(parties)
    assert draws == [1, 1, 1]
    party = parties[0]
    party.expect(10)
    assert len({c for _ in range(10) for c in party.encrypted_gradient().ciphertexts()}) == 10
    assert draws[3:] == [10]
    server = Server(256, insecure=True, backend=PackedBackend(3))  # whose key the party is given in place of its own
    party.pubkey = server.pubkey
    party.expect(10)
    vector = party.encrypted_gradient()
    assert vector.key is server.pubkey
    assert draws[4:] == [10]
    party.expect(0)
    assert party._encryptor is None


@batches_pay
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda party: pickle.loads(pickle.dumps(party))])
def test_a_copy_of_a_party_has_none_of_its_randomizers(copied, diabetes):
    server = Server(256, insecure=True)
    client = Client("A", diabetes[0][0], diabetes[1][0], server.pubkey)
    client.expect(12)
    each = client.encrypted_gradient().n_ciphertexts
    ready = client._encryptor._ready
    twin = copied(client)
    assert len(ready) == 11 * each == 44
    assert twin._encryptor is None
    twin.encrypted_gradient()
    assert twin._encryptor._ready is not ready
    assert (len(ready), len(twin._encryptor._ready)) == (44, 44)
