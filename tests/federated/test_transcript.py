"""What a transcript shows, hop by hop on canonical integers, and that the check catches faulty clients.

The check shows that every client added something with a fresh randomizer and that the server was given only the
full sum. It does not show that what a client added was its gradient.
"""

import dataclasses
from math import gcd

import numpy as np
import phe
import pytest

from vecphe.federated import Client, NaiveBackend, Server, federated_learning
from vecphe.federated.protocol import Message, ring_pass

N_CLIENTS, N_ITER = 5, 3


def integers(message, n):
    width = 2 * ((n.bit_length() + 7) // 8)
    data = message.payload
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]


def check_transcript(messages, n, names):
    """Raise AssertionError unless every hop of every round is as it has to be."""
    encrypted = [m for m in messages if m.kind == "encrypted-sum"]
    route = list(zip(names, [*names[1:], "Server"], strict=True))
    assert [(m.sender, m.receiver) for m in encrypted] == route * (len(encrypted) // len(route)), "wrong route"
    assert [m.sender for m in messages if m.receiver == "Server"] == names[-1:] * (len(encrypted) // len(route))
    seen = set()
    for start in range(0, len(encrypted), len(route)):
        hops = [integers(m, n) for m in encrypted[start : start + len(route)]]
        for before, after in zip([[1] * len(hops[0]), *hops], hops, strict=False):
            assert len(before) == len(after), "length changed"
            for c_in, c_out in zip(before, after, strict=True):
                assert 0 < c_out < n * n, "not a ciphertext"
                assert gcd(c_out, n) == 1, "not a unit"
                quotient = c_out * pow(c_in, -1, n * n) % (n * n)
                assert quotient != 1, "forwarded unchanged"
                assert quotient % n != 1, "added without a randomizer"
                new = {c_out % n} if c_in == 1 else {c_out % n, quotient % n}
                assert not new & seen, "a randomizer was used twice"
                seen |= new


@pytest.fixture(scope="module", params=["naive", "vectorized", "packed"])
def recorded(request, diabetes):
    """Result of a recorded run."""
    backend = NaiveBackend(phe) if request.param == "naive" else request.param
    config = {"key_length": 512, "insecure": True, "n_iter": N_ITER, "backend": backend, "record_transcript": True}
    return federated_learning(*diabetes, config)


@pytest.fixture
def n(recorded):
    """The modulus, as the clients were sent it."""
    return int.from_bytes(recorded.transcript[0].payload, "big")


NAMES = [f"Hospital {i}" for i in range(1, N_CLIENTS + 1)]


def test_h52_an_honest_run_passes(recorded, n):
    check_transcript(recorded.transcript, n, NAMES)


def test_every_message_is_recorded(recorded, n):
    kinds = [(m.round, m.kind) for m in recorded.transcript]
    assert kinds == [(0, "public-key")] * N_CLIENTS + [
        (number, kind)
        for number in range(1, N_ITER + 1)
        for kind in ["encrypted-sum"] * N_CLIENTS + ["mean-gradient"] * N_CLIENTS
    ]
    assert {m.nbytes for m in recorded.transcript if m.kind == "encrypted-sum"} == {recorded.bytes_per_hop}


def test_clients_step_by_what_the_server_broadcast(recorded):
    means = [np.frombuffer(m.payload, "<f8") for m in recorded.transcript if m.kind == "mean-gradient"]
    np.testing.assert_allclose(-1.5 * np.sum(means[::N_CLIENTS], axis=0), recorded.weights[0], rtol=1e-12)


def test_nothing_is_recorded_unless_asked_for(diabetes):
    result = federated_learning(*diabetes, {"key_length": 256, "insecure": True, "n_iter": 1})
    assert result.transcript == ()


def replaced(transcript, position, payload):
    """The transcript with the payload of the hop at `position` of round 2 replaced."""
    messages = list(transcript)
    i = [i for i, m in enumerate(messages) if m.kind == "encrypted-sum" and m.round == 2][position]
    messages[i] = dataclasses.replace(messages[i], payload=payload)
    return messages


def hop(transcript, number, position):
    return [m for m in transcript if m.kind == "encrypted-sum" and m.round == number][position]


def to_payload(values, n):
    return b"".join(value.to_bytes(2 * ((n.bit_length() + 7) // 8), "little") for value in values)


@pytest.mark.parametrize("position", [1, 2, 4])
def test_h52_forwarding_unchanged_is_caught(recorded, n, position):
    messages = replaced(recorded.transcript, position, hop(recorded.transcript, 2, position - 1).payload)
    with pytest.raises(AssertionError, match="forwarded unchanged"):
        check_transcript(messages, n, NAMES)


@pytest.mark.parametrize("position", [0, 1, 4])
def test_h52_adding_without_a_randomizer_is_caught(recorded, n, position):
    before = integers(hop(recorded.transcript, 2, position - 1), n) if position else None
    before = before or [1] * recorded.ciphertexts_per_hop
    after = [c * (1 + (m + 3) * n) % (n * n) for m, c in enumerate(before)]
    with pytest.raises(AssertionError, match="added without a randomizer"):
        check_transcript(replaced(recorded.transcript, position, to_payload(after, n)), n, NAMES)


def test_h52_a_randomizer_of_the_round_before_is_caught(recorded, n):
    before = integers(hop(recorded.transcript, 1, 0), n)
    after = [c * (1 + 5 * n) % (n * n) for c in before]
    with pytest.raises(AssertionError, match="used twice"):
        check_transcript(replaced(recorded.transcript, 0, to_payload(after, n)), n, NAMES)


def test_h52_a_partial_sum_for_the_server_is_caught(recorded, n):
    partial = dataclasses.replace(hop(recorded.transcript, 2, 3), receiver="Server")
    with pytest.raises(AssertionError):
        check_transcript([*recorded.transcript, partial], n, NAMES)


class LyingClient(Client):
    """Records a contribution of its own that is not there."""

    def lie(self, sum_to, numbers):
        honest = super().encrypted_gradient(sum_to)
        return dataclasses.replace(honest, numbers=numbers)._recorded(honest.contributions)


class ForwardingClient(LyingClient):
    """Adds nothing, and says it did."""

    def encrypted_gradient(self, sum_to=None):
        return self.lie(sum_to, sum_to.numbers)


class BareClient(LyingClient):
    """Adds its gradient without encrypting it."""

    def encrypted_gradient(self, sum_to=None):
        gradient = self.compute_gradient().tolist()
        return self.lie(sum_to, [number + value for number, value in zip(sum_to.numbers, gradient, strict=True)])


@pytest.mark.parametrize(
    ("kind", "fault"),
    [(Client, None), (ForwardingClient, "forwarded unchanged"), (BareClient, "added without a randomizer")],
)
def test_h52_a_faulty_client_is_caught_though_the_server_is_not_aware(diabetes, kind, fault):
    server = Server(512, insecure=True, backend=NaiveBackend(phe))
    classes = [Client, Client, kind, Client, Client]
    clients = [c(*own, server.pubkey) for c, *own in zip(classes, NAMES, *diabetes[:2], strict=True)]
    messages = []
    total = ring_pass(clients, record=lambda *m: messages.append(Message(*m[:4], m[4]())))
    server.decrypt_aggregate(total, N_CLIENTS)
    if fault is None:
        check_transcript(messages, server.pubkey.n, NAMES)
    else:
        with pytest.raises(AssertionError, match=fault):
            check_transcript(messages, server.pubkey.n, NAMES)
