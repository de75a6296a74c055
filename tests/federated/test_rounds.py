"""Which sums are decrypted: those of distinct contributions to one round, one a round; rows 53, 54, 55 and 75."""

import copy
import dataclasses
import pickle
import subprocess
import sys
import threading
from collections import Counter
from typing import ClassVar

import numpy as np
import phe
import pytest
from tests.federated.conftest import Parties

import vecphe
from vecphe.errors import ClientLostError, CorruptedAggregateError, ProtocolError
from vecphe.federated import (
    Client,
    NaiveBackend,
    Party,
    Server,
    decrypt_vector,
    encrypt_vector,
    federated_learning,
    local_learning,
    run_rounds,
    sum_encrypted_vectors,
)
from vecphe.federated.protocol import ring_pass
from vecphe.federated.rounds import (
    Contribution,
    Ledger,
    RingRound,
    Run,
    check_client_count,
    check_hop,
    checked_names,
    distinct_contributions,
    joined,
)

ARRAYS = ["vectorized", "packed"]


def refusal(server, vector, n_clients=3):
    """The text of the refusal; nothing may be decided or decrypted."""
    decided, key, server.privkey = server.ledger.decided, server.privkey, None
    with pytest.raises(ProtocolError, match=r"^refused to decrypt: ") as caught:
        server.decrypt_aggregate(vector, n_clients)
    server.privkey = key
    assert server.ledger.decided == decided
    return str(caught.value)


def vectors_of(parties):
    return [client.encrypted_gradient() for client in parties.clients]


def summed(vectors):
    total = vectors[0]
    for vector in vectors[1:]:
        total = sum_encrypted_vectors(total, vector)
    return total


# What is in the sum --------------------------------------------------------------------------------------------------

UNDERNEATH = {
    "v0 - v1 + v1": lambda v0, v1, v2: v0 - v1 + v1,
    "v0 + v1 - v1": lambda v0, v1, v2: v0 + v1 - v1,
    "v0 - v1 - v2": lambda v0, v1, v2: v0 - v1 - v2,
    "v1 + v0 - v2": lambda v0, v1, v2: v1 + v0 - v2,
    "v0 + v0 + v0": lambda v0, v1, v2: v0 + v0 + v0,
    "-(-(v0 + v1 + v2))": lambda v0, v1, v2: np.negative(-(v0 + v1 + v2)),
    "-v0 - v1 - v2": lambda v0, v1, v2: -v0 - v1 - v2,
    "3 * v0": lambda v0, v1, v2: 3 * v0,
    "v0 + 2 * v1": lambda v0, v1, v2: v0 + 2 * v1,
    "v0 + v1 + values": lambda v0, v1, v2: v0 + v1 + np.array([1.0, 0.0, 0.0]),
    "v0 + v1 + v2 + 0.0": lambda v0, v1, v2: v0 + v1 + v2 + 0.0,
    "the honest sum, made underneath": lambda v0, v1, v2: v0 + v1 + v2,
    "reshaped": lambda v0, v1, v2: (v0 + v1 + v2).reshape(1, 3).reshape(3),
    "from bytes": lambda v0, v1, v2: vecphe.EncryptedArray.from_bytes(v0.public_key, (v0 + v1 + v2).to_bytes()),
    "pickled": lambda v0, v1, v2: pickle.loads(pickle.dumps(v0 + v1 + v2)),
}
UNPACKED = {
    "sliced": lambda v0, v1, v2: (v0 + v1 + v2)[::-1],
    "indexed": lambda v0, v1, v2: (v0 + v1 + v2)[[0, 0, 0]],
    "concatenated": lambda v0, v1, v2: vecphe.concatenate([v0[:1], v1[:1], v2[:1]]) + v0 + v1,
    "scaled": lambda v0, v1, v2: (v0 + v1 + v2) / 2,
    "a matrix product": lambda v0, v1, v2: np.diag([1, 1, 1]) @ (v0 + v1 + v2),
    "a sum of rows": lambda v0, v1, v2: vecphe.concatenate([v0, v0, v0]).reshape(3, 3).sum(axis=0),
}


@pytest.mark.parametrize("backend", ARRAYS)
@pytest.mark.parametrize("compute", UNDERNEATH.values(), ids=UNDERNEATH)
def test_h75_what_was_computed_underneath_is_refused(backend, compute):
    parties = Parties(backend)
    vectors = vectors_of(parties)
    array = compute(*(vector.array for vector in vectors))
    for disguise in (dataclasses.replace(vectors[0], array=array), dataclasses.replace(summed(vectors), array=array)):
        assert not disguise.is_sum_of_terms
        refusal(parties.server, disguise, max(disguise.terms, 3))
        with pytest.raises(ProtocolError, match="D adds nothing"):
            Client("D", np.ones((4, 3)), np.ones(4), parties.server.pubkey).encrypted_gradient(disguise)


@pytest.mark.parametrize("compute", UNPACKED.values(), ids=UNPACKED)
def test_h75_parts_and_products_of_unpacked_arrays_are_refused(compute):
    parties = Parties("vectorized")
    vectors = vectors_of(parties)
    array = compute(*(vector.array for vector in vectors))
    for disguise in (dataclasses.replace(vectors[0], array=array), dataclasses.replace(summed(vectors), array=array)):
        assert not disguise.is_sum_of_terms
        refusal(parties.server, disguise, max(disguise.terms, 3))


@pytest.mark.parametrize("backend", ARRAYS)
def test_h75_contents_that_were_replaced_are_not_what_the_record_is_about(backend):
    parties = Parties(backend)
    v0, v1, v2 = vectors_of(parties)
    total = v0 + v1 + v2
    other = v0.array - v1.array + v1.array
    object.__setattr__(total, "array", other)
    assert total.contributions is None
    assert "mixed into the sum" in refusal(parties.server, total)
    assert "mixed into the sum" in refusal(parties.server, pickle.loads(pickle.dumps(total)))
    total = v0 + v1 + v2
    total.array._residues = other._residues
    assert "mixed into the sum" in refusal(parties.server, total)
    total = v0 + v1 + v2
    total.array._format = dataclasses.replace(total.array.format, fraction_bits=total.array.format.fraction_bits - 4)
    assert "mixed into the sum" in refusal(parties.server, total)


def test_h75_numbers_of_phe_that_were_replaced_are_not_either():
    parties = Parties(NaiveBackend(phe))
    v0, v1, v2 = vectors_of(parties)
    for numbers in (
        [x - y + y for x, y in zip(v0.numbers, v1.numbers, strict=True)],
        [3 * x for x in v0.numbers],
        [x + y + z for x, y, z in zip(v0.numbers, v1.numbers, v2.numbers, strict=True)],
    ):
        assert "mixed" in refusal(parties.server, dataclasses.replace(v0 + v1 + v2, numbers=numbers))
        assert "mixed" in refusal(parties.server, dataclasses.replace(v0, numbers=numbers, terms=3))
        total = v0 + v1 + v2
        total.numbers[1] = numbers[1]
        assert "mixed" in refusal(parties.server, total)
    total = v0 + v1 + v2
    total.numbers.pop()
    assert "mixed" in refusal(parties.server, total)


@pytest.mark.parametrize("package", [phe, vecphe.phe])
def test_h75_numbers_of_phe_that_were_changed_in_place_are_not_either(package):
    parties = Parties(NaiveBackend(package))
    v0, v1, v2 = vectors_of(parties)
    for name, change in (
        ("_EncryptedNumber__ciphertext", lambda total: v0.numbers[0].ciphertext(be_secure=False)),
        ("exponent", lambda total: total.numbers[0].exponent - 1),
    ):
        total = v0 + v1 + v2
        assert len(total.contributions) == 3
        setattr(total.numbers[0], name, change(total))
        assert "mixed" in refusal(parties.server, total)
    total = v0 + v1 + v2
    assert total.to_message() == total.to_message()  # which changes nothing
    parties.server.decrypt_aggregate(total, 3)


def test_h75_a_contribution_twice_is_refused(parties):
    v0, v1, v2 = vectors_of(parties)
    copies = copy.copy(v0), copy.deepcopy(v0), pickle.loads(pickle.dumps(v0)), parties.clients[0].encrypted_gradient()
    for again in (v0, *copies):
        for total in (v0 + v1 + again, v1 + v0 + again, (v0 + v1) + (again + v2) + v1):
            assert "twice" in refusal(parties.server, total, total.terms)
        with pytest.raises(ProtocolError, match=r"A adds nothing .*already"):
            parties.clients[0].encrypted_gradient(again + v1)


def test_h75_an_honest_sum_is_decrypted_in_whatever_order_it_was_made(parties):
    v0, v1, v2 = vectors_of(parties)
    assert (v0 + v1 + v2).is_sum_of_terms
    total = pickle.loads(pickle.dumps(v2)) + copy.copy(v0 + v1)
    np.testing.assert_allclose(parties.server.decrypt_aggregate(total, 3), parties.mean, rtol=1e-9)


def test_h75_one_client_four_times_is_refused(parties):
    client = parties.clients[0]
    renamed = copy.copy(client)
    renamed.name = "Z"
    namesake = Client("A", np.ones((4, 3)), np.ones(4), parties.server.pubkey)
    with pytest.raises(ProtocolError, match="A is in the ring 4 times"):
        ring_pass([client] * 4)
    with pytest.raises(ProtocolError, match="A is in the ring 2 times"):
        ring_pass([client, parties.clients[1], namesake])
    with pytest.raises(ProtocolError, match=r"Z adds nothing .*already"):
        ring_pass([client, parties.clients[1], renamed])
    for other in (client, renamed, namesake):
        total = client.encrypted_gradient() + parties.clients[1].encrypted_gradient() + other.encrypted_gradient()
        assert "twice" in refusal(parties.server, total)


def test_h75_vectors_of_another_run_are_refused(parties, backend):
    server, other = parties.server, Server(256, insecure=True, backend=backend)
    other.pubkey, other.privkey = server.pubkey, server.privkey
    assert "another run" in refusal(other, summed(vectors_of(parties)))
    again = pickle.loads(pickle.dumps(server.pubkey))
    del again.__dict__["run"]  # as if it had been made for another run
    parties.clients[1].pubkey = again
    v0, v1, v2 = vectors_of(parties)
    assert "different runs" in refusal(server, v0 + v1 + v2)
    with pytest.raises(ProtocolError, match=r"C adds nothing .*another run"):
        parties.clients[2].encrypted_gradient(v1)


def test_h75_vectors_of_other_rounds_are_refused(parties):
    server, clients = parties.server, parties.clients
    old = vectors_of(parties)
    mean = server.decrypt_aggregate(ring_pass(clients), 3)
    assert "round 1 was decrypted before" in refusal(server, summed(old))
    for client in clients:
        client.gradient_step(mean, 0.1)
    new = vectors_of(parties)
    for total in (old[0] + new[1] + new[2], new[0] + new[1] + old[2]):
        assert "different runs or rounds" in refusal(server, total)
    with pytest.raises(ProtocolError, match=r"B adds nothing .*of round 1, not 2"):
        clients[1].encrypted_gradient(old[0])
    np.testing.assert_allclose(server.decrypt_aggregate(summed(new), 3), parties.mean, rtol=1e-9)


def test_h75_vectors_of_no_client_belong_to_the_round_that_was_open(backend):
    server = Server(256, insecure=True, backend=backend)
    old = [encrypt_vector(server.pubkey, [value]) for value in (1.0, 2.0, 4.0, 8.0)]
    assert server.decrypt_aggregate(summed(old[:3]), 3).tolist() == pytest.approx([7 / 3])
    new = [encrypt_vector(server.pubkey, [value]) for value in (1.0, 2.0, 3.0)]
    for total in (summed([old[3], *new[:2]]), summed(old[:3]), summed(old[1:])):
        refusal(server, total)
    assert server.decrypt_aggregate(summed(new), 3).tolist() == [2.0]


def test_h75_vectors_of_no_client_do_not_stand_for_clients(parties):
    v0, v1, _ = vectors_of(parties)
    zeros = [encrypt_vector(parties.server.pubkey, np.zeros(3)) for _ in range(2)]
    for total in (v0 + zeros[0] + zeros[1], zeros[1] + v0 + v1):
        assert total.is_sum_of_terms
        assert "of no client were mixed" in refusal(parties.server, total)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_h75_a_copy_of_the_ledger_decides_no_second_time(parties, duplicate):
    ledger = duplicate(parties.server.ledger)
    server = copy.copy(parties.server)
    parties.server.decrypt_aggregate(summed(vectors_of(parties)), 3)
    server.ledger = ledger
    assert "was decrypted before" in refusal(server, summed(vectors_of(parties)))
    assert duplicate(parties.server).ledger is ledger
    with pytest.raises(TypeError, match="refuses to be pickled"):
        pickle.dumps(ledger)


def test_h75_a_second_sum_of_a_round_is_refused(parties):
    server, clients = parties.server, parties.clients
    total = ring_pass(clients)
    server.decrypt_aggregate(total, 3)
    for second in (total, ring_pass(clients), pickle.loads(pickle.dumps(total))):
        assert "a sum of round 1 was decrypted before" in refusal(server, second)
    for client in clients:
        client.fit(1, 0.1)  # alone: no new round
    assert "a sum of round 1" in refusal(server, ring_pass(clients))


def test_h75_doubling_a_sum_does_not_double_its_record(parties):
    total = summed(vectors_of(parties)[:2])
    for _ in range(5):
        total = total + total
    assert len(total.contributions) == 2
    assert not total.is_sum_of_terms
    assert "twice" in refusal(parties.server, total, total.terms)


def test_h53_more_terms_than_clients_are_refused():
    parties = Parties("packed", 4)
    total = ring_pass(parties.clients)
    assert "4 contributions, but there are 3" in refusal(parties.server, total, 3)
    assert "4 contributions, but there are 5" in refusal(parties.server, total, 5)
    np.testing.assert_allclose(parties.server.decrypt_aggregate(total, 4), parties.mean, rtol=1e-9)


def test_h53_terms_that_are_changed_are_not_believed():
    parties = Parties(NaiveBackend(phe))
    total = summed(vectors_of(parties)[:2])
    assert "mixed" in refusal(parties.server, dataclasses.replace(total, terms=3))
    object.__setattr__(total, "terms", 3)
    assert "mixed" in refusal(parties.server, total)


# Messages ------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Sum:
    """A sum that says what is in it."""

    contributions: tuple
    terms: int = -1

    def __post_init__(self):
        self.terms = len(self.contributions) if self.terms < 0 else self.terms


def made(names, number=4, run="run"):
    return Sum(tuple(Contribution(run, number, name * 2, name) for name in names))


@pytest.fixture
def ring():
    """Round 4 of four members, of which two have sent."""
    rules = RingRound("run", 4, "ABCD")
    rules.accept("A", made("A"))
    rules.accept("B", made("AB"))
    return rules


@pytest.mark.parametrize(
    ("sender", "total", "message"),
    [
        ("B", made("AB"), "B sent its sum of round 4 twice"),
        ("A", made("A"), "A sent its sum of round 4 twice"),
        ("D", made("ABCD"), "out of order: C is next"),
        ("E", made("ABE"), "E is no member"),
        ("C", made("ABC", 3), "C: the contribution of A is of round 3, not 4"),
        ("C", made("ABC", 5), "of round 5, not 4"),
        ("C", made("ABC", run="other"), "of another run"),
        ("C", Sum((*made("AB").contributions, *made("C", 3).contributions)), "different runs or rounds"),
        ("C", made("AB"), "2 contributions, but there are 3"),
        ("C", made("ABCD"), "4 contributions, but there are 3"),
        ("C", made("ABD"), "not that of the members up to C"),
        ("C", made("ABB"), "the contribution of B is in the sum twice"),
        ("C", Sum(made("ABC").contributions, 4), "mixed into the sum"),
        ("C", Sum((), 0), "mixed into the sum"),
    ],
)
def test_h54_a_message_that_is_not_the_next_is_refused_and_counts_nothing(ring, sender, total, message):
    with pytest.raises(ProtocolError, match=message):
        ring.accept(sender, total)
    assert not ring.is_complete
    ring.accept("C", made("ABC"))
    ring.accept("D", made("ABCD"))
    assert ring.is_complete
    with pytest.raises(ProtocolError, match="D sent its sum of round 4 twice"):
        ring.accept("D", made("ABCD"))


def test_h54_a_sum_that_comes_twice_counts_once(parties):
    server, clients = parties.server, parties.clients
    first = clients[0].encrypted_gradient()
    second, again = clients[1].encrypted_gradient(first), clients[1].encrypted_gradient(first)
    for total in (clients[2].encrypted_gradient(second), clients[2].encrypted_gradient(again)):
        assert sorted(contribution.client for contribution in total.contributions) == ["A", "B", "C"]
    with pytest.raises(ProtocolError, match="twice"):
        clients[2].encrypted_gradient(second + again)
    with pytest.raises(ProtocolError, match=r"A adds nothing .*already"):
        clients[0].encrypted_gradient(second)
    np.testing.assert_allclose(server.decrypt_aggregate(total, 3), parties.mean, rtol=1e-9)


def test_h54_a_client_that_sends_the_sum_of_an_old_round_is_named(parties):
    server, clients = parties.server, parties.clients
    old = ring_pass(clients)
    mean = server.decrypt_aggregate(old, 3)
    for client in clients:
        client.gradient_step(mean, 0.1)
    clients[2].encrypted_gradient = lambda sum_to: old
    with pytest.raises(ProtocolError, match="round 2, C: the contribution of A is of round 1, not 2"):
        ring_pass(clients)


def test_h54_a_client_that_missed_a_mean_is_told(parties):
    server, clients = parties.server, parties.clients
    mean = server.decrypt_aggregate(ring_pass(clients), 3)
    for client in clients[::2]:
        client.gradient_step(mean, 0.1)
    with pytest.raises(ProtocolError, match=r"B adds nothing to .*of round 2, not 1"):
        ring_pass(clients)
    clients[1].gradient_step(mean, 0.1)
    np.testing.assert_allclose(server.decrypt_aggregate(ring_pass(clients), 3), parties.mean, rtol=1e-9)


# One decryption a round ----------------------------------------------------------------------------------------------


def test_h55_the_decision_is_recorded_before_anything_is_decrypted(parties, monkeypatch):
    server, decided = parties.server, []

    def fail(key, vector):
        decided.append(server.ledger.decided)
        raise CorruptedAggregateError

    total = ring_pass(parties.clients)
    with monkeypatch.context() as patch:
        patch.setattr(type(server.privkey), "_decrypted", fail)
        with pytest.raises(CorruptedAggregateError):
            server.decrypt_aggregate(total, 3)
    assert decided == [1]
    for second in (total, ring_pass(parties.clients)):
        assert "a sum of round 1 was decrypted before" in refusal(server, second)


def test_h55_of_many_threads_one_decides():
    ledger, barrier, verdicts = Ledger(Run("run")), threading.Barrier(8), []

    def decide():
        barrier.wait()
        try:
            ledger.decide(made("ABC", 1), 3)
            verdicts.append("decided")
        except ProtocolError:
            verdicts.append("refused")

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(verdicts) == ["decided"] + ["refused"] * 7


FORKED = """\
import os
from vecphe.errors import ProtocolError
from vecphe.federated.rounds import Contribution, Ledger, Run
from types import SimpleNamespace
ledger = Ledger(Run("run"))
total = SimpleNamespace(terms=3, contributions=tuple(Contribution("run", 1, name, name) for name in "ABC"))
child = os.fork()
try:
    ledger.decide(total, 3)
    verdict = "decided"
except ProtocolError as error:
    verdict = str(error)
os.write(1, verdict.encode() + b"\\n")
if child:
    os.waitpid(child, 0)
"""


def test_h55_a_forked_process_decides_nothing():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True)
    refused = "refused to decrypt: this process was forked from the one that decides what is decrypted"
    assert sorted(done.stdout.splitlines()) == ["decided", refused]


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ("ABC", r"D left.*change_members\(\['A', 'B', 'C'\]\)"),
        ("ABCDE", r"E joined.*change_members\(\['A', 'B', 'C', 'D', 'E'\]\)"),
        ("ABCE", "D left, E joined"),
    ],
)
def test_h55_going_on_with_other_members_needs_consent(others, message):
    ledger = Ledger(Run("run"))
    ledger.decide(made("ABCD", 1), 4)
    total = made(others, 2)
    with pytest.raises(ProtocolError, match=message):
        ledger.decide(total, len(others))
    assert ledger.decided == 1
    with pytest.raises(ProtocolError, match="too few"):
        ledger.change_members(["A", "B"])
    ledger.change_members(list(others))
    ledger.decide(total, len(others))
    assert ledger.decided == 2
    with pytest.raises(ProtocolError, match="fixed"):
        ledger.decide(made("ABCD", 3), 4)


def test_h55_so_does_another_number_of_vectors_of_no_client():
    run = Run()
    ledger = Ledger(run)
    ledger.decide(Sum(tuple(run.contribution() for _ in range(4))), 4)
    total = Sum(tuple(run.contribution() for _ in range(3)))
    with pytest.raises(ProtocolError, match=r"4 clients, and now 3.*change_members\(3\)"):
        ledger.decide(total, 3)
    for wrong in (True, 3.0, 2, "ABC"):
        with pytest.raises((ValueError, TypeError, ProtocolError)):
            ledger.change_members(wrong)
        with pytest.raises(ProtocolError, match="fixed"):
            ledger.decide(total, 3)
    ledger.change_members(np.int64(3))
    ledger.decide(total, 3)


class MortalClient(Client):
    """Dies at the calls in `deaths`, counted over all instances of a run."""

    deaths: ClassVar = {}
    calls: ClassVar = {}

    def encrypted_gradient(self, sum_to=None):
        count = self.calls[self.name] = self.calls.get(self.name, 0) + 1
        if count in self.deaths.get(self.name, ()):
            raise ConnectionResetError("broken pipe")
        return super().encrypted_gradient(sum_to)


def learn(monkeypatch, deaths, **options):
    """A run of 3 rounds of four clients, its transcript, and how often each client encrypted."""
    monkeypatch.setattr("vecphe.federated.protocol.Client", MortalClient)
    monkeypatch.setattr(MortalClient, "deaths", deaths)
    monkeypatch.setattr(MortalClient, "calls", {})
    rng = np.random.default_rng(3)
    data = [rng.normal(size=(5, 2)) for _ in range(4)], [rng.normal(size=5) for _ in range(4)]
    config = {"n_clients": 4, "key_length": 256, "insecure": True, "n_iter": 3, "eta": 0.1, "record_transcript": True}
    consent = options.pop("unsafe_drop_clients", False)
    result = federated_learning(
        *data, data[0][0], data[1][0], {**config, **options}, names=list("ABCD"), unsafe_drop_clients=consent
    )
    return data, result


def plain_weights(data, members, n_iter=3):
    weights = np.zeros(2)
    for number in range(1, n_iter + 1):
        gradients = [data[0][i].T @ (data[0][i] @ weights - data[1][i]) / 5 for i in members(number)]
        weights = weights - 0.1 * np.mean(gradients, axis=0)
    return weights


def test_h55_a_round_is_restarted_with_fresh_encryptions_and_the_same_members(monkeypatch):
    decrypted = []
    real = Server.decrypt_aggregate
    monkeypatch.setattr(Server, "decrypt_aggregate", lambda *call: decrypted.append(call) or real(*call))
    data, result = learn(monkeypatch, {"C": {2}})
    np.testing.assert_allclose(result.weights[3], plain_weights(data, lambda _: range(4)), rtol=1e-9)
    hops = [m for m in result.transcript if m.kind == "encrypted-sum" and m.round == 2]
    assert [m.sender for m in hops] == list("ABABCD")
    assert len({m.payload for m in hops}) == 6
    assert [vector.terms for _, vector, _ in decrypted] == [4, 4, 4]


def test_h55_without_consent_the_run_ends_when_a_client_is_lost_for_good(monkeypatch):
    decrypted = []
    real = Server.decrypt_aggregate
    monkeypatch.setattr(Server, "decrypt_aggregate", lambda *call: decrypted.append(call) or real(*call))
    with pytest.raises(ClientLostError, match="round 2: C does not answer") as caught:
        learn(monkeypatch, {"C": {2, 3}})
    assert (caught.value.client, caught.value.round) == ("C", 2)
    assert len(decrypted) == 1
    assert MortalClient.calls == {"A": 3, "B": 3, "C": 3, "D": 1}
    with pytest.raises(ClientLostError):
        learn(monkeypatch, {"C": {2}}, max_restarts=0)
    assert learn(monkeypatch, {"C": {2, 3, 4}}, max_restarts=3)[1].n_iter == 3


def test_h55_with_consent_it_goes_on_while_three_are_left(monkeypatch):
    data, result = learn(monkeypatch, {"C": {2, 3}}, unsafe_drop_clients=True)
    assert result.weights.shape == (3, 2)
    expected = plain_weights(data, lambda number: range(4) if number == 1 else (0, 1, 3))
    np.testing.assert_allclose(result.weights[2], expected, rtol=1e-9)
    with pytest.raises(ProtocolError, match="2 clients are too few"):
        learn(monkeypatch, {"C": {2, 3}, "A": {4, 5, 6, 7}}, unsafe_drop_clients=True)


@pytest.mark.parametrize("max_restarts", [0, 1, 2])
def test_h55_each_client_that_is_lost_has_all_the_tries(max_restarts):
    calls = Counter()

    class Dead(Party):
        def encrypted_gradient(self, sum_to=None):
            calls[self.name] += 1
            raise TimeoutError

    server = Server(256, insecure=True)
    kinds = {"A": Party, "B": Dead, "C": Party, "D": Dead, "E": Party}
    parties = [kind(name, lambda: [np.ones(2)], server.pubkey) for name, kind in kinds.items()]
    (done,) = run_rounds(server, parties, 1, max_restarts=max_restarts, unsafe_drop_clients=True)
    assert [party.name for party in done.parties] == ["A", "C", "E"]
    assert calls == {"B": max_restarts + 1, "D": max_restarts + 1}


def test_a_lost_client_is_no_reason_for_other_errors_to_pass(monkeypatch):
    monkeypatch.setattr(MortalClient, "compute_gradient", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        learn(monkeypatch, {}, unsafe_drop_clients=True)


def test_learning_alone_takes_nothing_from_the_rounds():
    X, y = [np.eye(3)] * 3, [np.ones(3)] * 3
    assert local_learning(X, y, X[0], y[0], {"n_clients": 3, "n_iter": 2}).n_iter == 2


def test_the_key_holder_may_decrypt_any_vector_of_its_own(parties):
    v0, v1, _ = vectors_of(parties)
    expected = parties.clients[0].compute_gradient() + parties.clients[1].compute_gradient()
    np.testing.assert_allclose(decrypt_vector(parties.server.privkey, v0 + v1), expected, rtol=1e-9)


# The rules by themselves ------------------------------------------------------------------------------------------

A, B, C, D = made("ABCD").contributions


@pytest.mark.parametrize(
    ("ours", "theirs", "both"),
    [
        (None, (A,), None),
        ((A,), None, None),
        ((A,), (B,), (A, B)),
        ((A,), (A,), (A, A)),
        ((A, B), (A,), (A, B, A)),
        ((A,), (A, B), (A, A, B)),
        ((A, B), (C, D), (A, B, C, D)),
        ((A, B), (B, C), (B, B)),
        ((A, B), (C, A, D), (A, A)),
    ],
)
def test_h75_the_record_of_a_sum_of_two(ours, theirs, both):
    assert joined(ours, theirs) == both


FEW = "too few: below 3 each learns the other's gradient by subtraction"
WAY = "; unsafe_few_clients=True allows it for benchmarks"


@pytest.mark.parametrize(
    ("n_clients", "unsafe", "told"),
    [
        (1, None, f"1 client is {FEW}"),
        (2, None, f"2 clients are {FEW}"),
        (2, False, f"2 clients are {FEW}{WAY}"),
        (0, False, f"0 clients are {FEW}{WAY}"),
        (0, True, f"0 clients are {FEW}"),
        (-1, True, f"-1 clients are {FEW}"),
        *((n_clients, True, None) for n_clients in (1, 2, 3)),
        *((3, unsafe, None) for unsafe in (None, False)),
    ],
)
def test_h48_how_many_clients_are_too_few(n_clients, unsafe, told):
    if told is None:
        check_client_count(n_clients, unsafe)
        return
    with pytest.raises(ProtocolError) as caught:
        check_client_count(n_clients, unsafe)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("AB", "names must be a list of them, not the string 'AB'"),
        (["A", ""], "names must be non-empty strings other than 'Server', not ['A', '']"),
        (["A", "Server"], "names must be non-empty strings other than 'Server', not ['A', 'Server']"),
        (["A", 5], "names must be non-empty strings other than 'Server', not ['A', 5]"),
        (["A", "B", "A"], "names must be different ones, not ['A', 'B', 'A']"),
    ],
)
def test_names_are_refused_to_the_letter(names, told):
    with pytest.raises(ValueError, match=r"^names must be") as caught:
        checked_names(names)
    assert str(caught.value) == told
    assert checked_names(iter(("B", "A", "server"))) == ["B", "A", "server"]


def of_no_client(*ids):
    return Sum(tuple(Contribution("run", 1, name * 16) for name in ids))


TWICE = "is in the sum twice, or two clients have that name"
MIXED = (
    "a multiple, a difference, a copy, or something in the clear was mixed into the sum: only sums that "
    "sum_encrypted_vectors made of encrypted vectors, or messages of such, are taken"
)


@pytest.mark.parametrize(
    ("total", "told"),
    [
        (made("ABA"), f"the contribution of A {TWICE}"),
        (of_no_client("ab", "cd", "cd"), f"the contribution of a vector of no client (cdcdcdcd) {TWICE}"),
        (Sum((A, dataclasses.replace(B, client="A"))), f"the contribution of A {TWICE}"),
        (Sum((A, dataclasses.replace(B, party="AA"))), f"the contribution of A {TWICE}"),
        (Sum(None, 3), MIXED),
        (Sum((), 0), MIXED),
        (Sum((A, B), 3), MIXED),
        (Sum((A, B), 1), MIXED),
        (
            Sum((A, dataclasses.replace(B, round=5))),
            "contributions of different runs or rounds were mixed into the sum",
        ),
        (
            Sum((A, dataclasses.replace(B, run="r"))),
            "contributions of different runs or rounds were mixed into the sum",
        ),
    ],
)
def test_h53_what_is_no_sum_of_contributions_is_told_to_the_letter(total, told):
    with pytest.raises(ProtocolError) as caught:
        distinct_contributions(total)
    assert str(caught.value) == told


def test_h53_sums_of_one_two_and_no_client():
    for total in (made("A"), made("AB"), of_no_client("ab"), of_no_client("ab", "cd")):
        assert distinct_contributions(total) == total.contributions


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (Contribution("run", 4, "C", "C"), None),
        (Contribution("run", 4, "C"), None),
        (Contribution("run", 4, "AA", "Z"), "the contribution of Z is in the sum already; it is added once a round"),
        (Contribution("run", 4, "Z", "B"), "the contribution of B is in the sum already; it is added once a round"),
        (
            Contribution("run", 4, "BB"),
            "the contribution of a vector of no client (BB) is in the sum already; it is added once a round",
        ),
        (Contribution("run", 5, "C", "C"), "the contribution of A is of round 4, not 5"),
        (Contribution("other", 4, "C", "C"), "the contribution of A is of another run"),
    ],
)
def test_h75_what_a_client_asks_of_a_sum(own, told):
    if told is None:
        check_hop(made("AB"), own)
        return
    with pytest.raises(ProtocolError) as caught:
        check_hop(made("AB"), own)
    assert str(caught.value) == told


def test_h75_vectors_of_no_client_have_no_name_in_common():
    check_hop(of_no_client("ab"), Contribution("run", 1, "cd"))


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ("", "a ring needs clients"),
        ("ABA", "A is in the ring 2 times; each client adds once a round"),
        ("ABBB", "B is in the ring 3 times; each client adds once a round"),
    ],
)
def test_h75_members_of_a_ring(members, told):
    with pytest.raises(ProtocolError) as caught:
        RingRound("run", 4, members)
    assert str(caught.value) == told
    ring = RingRound("run", 4, "A")
    assert not ring.is_complete
    ring.accept("A", made("A"))
    assert ring.is_complete


@pytest.mark.parametrize(
    ("sender", "total", "told"),
    [
        ("E", made("A"), "E is no member of round 4"),
        ("B", made("AB"), "B sent its sum of round 4 out of order: A is next"),
        ("A", made("AB"), "round 4, A: the sum records 2 contributions, but there is 1 client so far"),
        ("A", made("B"), "round 4, A: the sum is not that of the members up to A"),
        ("A", made("A", 3), "round 4, A: the contribution of A is of round 3, not 4"),
        ("A", Sum((), 0), f"round 4, A: {MIXED}"),
    ],
)
def test_h54_the_first_message_is_refused_to_the_letter(sender, total, told):
    ring = RingRound("run", 4, "AB")
    with pytest.raises(ProtocolError) as caught:
        ring.accept(sender, total)
    assert str(caught.value) == told
    ring.accept("A", made("A"))
    for wrong, told in ((made("A"), "1 contribution, but there are 2 clients so far"), (made("BA"), None)):
        with pytest.raises(ProtocolError, match=told or "not that of the members up to B"):
            ring.accept("B", wrong)
    ring.accept("B", made("AB"))
    assert ring.is_complete


def test_h55_a_process_that_goes_on_knows_what_was_decided():
    ledger = Ledger(Run("run", 3), decided=3)
    assert (ledger.decided, Ledger(Run()).decided) == (3, 0)
    for number in (2, 3):
        with pytest.raises(
            ProtocolError, match=rf"a sum of round 3 was decrypted before, and this one is of round {number}; "
        ):
            ledger.decide(made("ABC", number), 3)
    ledger.decide(made("ABC", 4), 3)
    assert (ledger.decided, ledger.run.round) == (4, 5)


def of_none(count, number):
    return Sum(tuple(Contribution("run", number, f"{name}") for name in range(count)))


@pytest.mark.parametrize(
    ("before", "after", "told", "members"),
    [
        (made("A", 1), made("AB", 2), "B joined", ["A", "B"]),
        (made("ABC", 1), made("BD", 2), "A left, C left, D joined", ["B", "D"]),
        (of_none(1, 1), of_none(2, 2), "there was 1 client, and now 2", 2),
        (of_none(2, 1), of_none(1, 2), "there were 2 clients, and now 1", 1),
        (made("AB", 1), of_none(2, 2), "A left, B left", 2),
    ],
)
def test_h55_members_that_change_are_told_to_the_letter(before, after, told, members):
    ledger = Ledger(Run("run"), unsafe_few_clients=True)
    ledger.decide(before, before.terms)
    with pytest.raises(ProtocolError) as caught:
        ledger.decide(after, after.terms)
    assert str(caught.value) == (
        f"refused to decrypt: the members of a run are fixed, but {told}; the last gradient of one that leaves becomes "
        f"computable: server.change_members({members!r}) consents to that"
    )
    assert ledger.decided == 1
    ledger.change_members(members)
    ledger.decide(after, after.terms)


def test_h75_clients_and_vectors_of_none_are_not_mixed():
    ledger = Ledger(Run("run"))
    total = Sum((*made("AB", 1).contributions, Contribution("run", 1, "x")))
    with pytest.raises(
        ProtocolError, match=r"^refused to decrypt: vectors of no client were mixed into the sum of A, B: wh"
    ):
        ledger.decide(total, 3)
