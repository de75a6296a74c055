"""The ring in one process: a loop around the rules of a round, one user of them among others.

One round: client 1 encrypts its update and sends it to client 2; each next client adds its own; the last sends the
sum to the server, which decrypts it and sends the mean to all clients in the clear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from vecphe.arithmetic import ciphertext_bytes
from vecphe.errors import ClientLostError, ProtocolError, VecpheError
from vecphe.federated.checks import checked_int
from vecphe.federated.interface import EncryptedVector
from vecphe.federated.parties import Party, Server
from vecphe.federated.rounds import RingRound
from vecphe.plaintext.encoding import Floats
from vecphe.system.parallel import run_in_threads

__all__ = ["Record", "RoundDone", "ring_pass", "run_rounds"]

Record = Callable[[int, str, str, str, Callable[[], bytes]], None]


@contextmanager
def _hop(number: int, sender: str, receiver: str) -> Iterator[None]:
    """Errors on a message name its round and both peers; those of the rules (ProtocolError) already do."""
    try:
        yield
    except ProtocolError:
        raise
    except VecpheError as error:
        raise ProtocolError(f"round {number}, {sender} -> {receiver}: {error}") from error


def ring_pass(
    clients: Sequence[Party],
    receiver: str = Server.name,
    number: int | None = None,
    record: Record | None = None,
    n_jobs: int | None = None,
) -> EncryptedVector:
    """Pass an encrypted sum through all clients, each adding its update.

    Parameters
    ----------
    clients : sequence of Party
    receiver : str
        Who is sent the full sum.
    number : int, optional
        Number of the round, which the clients take over; by default the one they are all in.
    record : callable, optional
        Called with (round, sender, receiver, kind, function that makes the payload) for every message.
    n_jobs : int, optional
        Threads in which clients make and encrypt their updates side by side, where that is worth it; with 1, and by
        default outside of `vecphe.parallel`, one client after another.

    Returns
    -------
    EncryptedVector

    Raises
    ------
    ClientLostError
        If a client raises OSError, as broken connections and time-outs do. Nothing was decrypted: the round may be
        run again, with fresh encryptions and the same members.
    ProtocolError
        If a client stops, is in the ring twice, is sent what it cannot add to, or sends anything but the sum of one
        contribution of each client so far; it names the peers.
    """
    if number is not None:
        for client in clients:
            client.round = number
    names = [client.name for client in clients]
    rules = RingRound(_run_of(clients), clients[0].round if clients else 0, names)
    _encrypt_ahead(clients, n_jobs)
    total: Any = None
    for client, sender, successor in zip(clients, [receiver, *names], [*names[1:], receiver], strict=False):
        with _hop(rules.number, sender, client.name):
            try:
                total = client.encrypted_gradient(sum_to=total)
            except OSError as error:  # a connection that broke or timed out
                raise ClientLostError(client.name, rules.number) from error
            rules.accept(client.name, total)
        if record is not None:
            record(rules.number, client.name, successor, "encrypted-sum", partial(_ciphertext_payload, total))
    result: EncryptedVector = total
    return result


def _encrypt_ahead(clients: Sequence[Party], n_jobs: int | None) -> None:
    """Contributions do not depend on each other: threads make those that take long, before the sum goes round."""
    busy = [client for client in clients if client._is_busy()]
    if len(busy) > 1:
        run_in_threads(Party._encrypt_ahead, [(client,) for client in busy], n_jobs)


def _ciphertext_payload(vector: EncryptedVector) -> bytes:
    width = ciphertext_bytes(vector.key.key_length)
    return b"".join(ciphertext.to_bytes(width, "little") for ciphertext in vector.ciphertexts())


def _run_of(clients: Sequence[Party]) -> str:
    key = clients[0].pubkey if clients else None
    return "" if key is None else key.run.id  # a client without key says so itself


@dataclass(frozen=True)
class RoundDone:
    """A round that is over.

    Attributes
    ----------
    round : int
    parties : list of Party
        Who took part.
    total : EncryptedVector
        The sum that was decrypted.
    mean : ndarray
        What the server broadcast, shape (values,).

    Examples
    --------
    >>> from vecphe.federated import Party, Server, run_rounds
    >>> server = Server(2048)
    >>> parties = [Party(name, lambda n=n: [[n, 2 * n]], server.pubkey) for n, name in enumerate("ABC", 1)]
    >>> (done,) = run_rounds(server, parties, n_iter=1)
    >>> done.round, len(done.parties), done.mean.tolist()
    (1, 3, [2.0, 4.0])
    """

    round: int
    parties: list[Party]
    total: EncryptedVector
    mean: Floats


def run_rounds(
    server: Server,
    parties: Sequence[Party],
    n_iter: int,
    *,
    max_restarts: int = 1,
    unsafe_drop_clients: bool = False,
    record: Record | None = None,
    broadcast: str = "mean-gradient",
    n_jobs: int | None = None,
) -> Iterator[RoundDone]:
    """Run rounds of the protocol with any models; each is run when the iterator is asked for it.

    Parameters
    ----------
    server : Server
    parties : sequence of Party
        With the server's public key, in the order of the ring.
    n_iter : int
    max_restarts : int
        How often a round is started anew, with fresh encryptions and the same members, when a party is lost.
    unsafe_drop_clients : bool
        Go on without a party that is lost for good: its last update becomes computable.
    record : callable, optional
        Called with (round, sender, receiver, kind, function that makes the payload) for every message.
    broadcast : str
        The kind of the messages with the mean.
    n_jobs : int, optional
        As in `ring_pass`: models are called in threads then.

    Yields
    ------
    RoundDone

    Raises
    ------
    ValueError
        If `n_iter` is not an int, or not positive.
    ClientLostError
        If a party does not answer, after `max_restarts` more tries.
    ProtocolError
        If a guard stops the run.

    Examples
    --------
    >>> from vecphe.federated import Party, Server, run_rounds
    >>> server = Server(2048)
    >>> parties = [Party(name, lambda n=n: [[n, 2 * n]], server.pubkey) for n, name in enumerate("ABC", 1)]
    >>> [(done.round, done.total.terms) for done in run_rounds(server, parties, n_iter=2)]
    [(1, 3), (2, 3)]
    >>> parties[0].weights
    [array([2., 4.])]
    """
    rounds, everyone = checked_int("n_iter", n_iter, least=1), list(parties)
    members = everyone
    try:
        for left in range(rounds, 0, -1):
            for party in members:
                party.expect(left)
            total, members = _surviving_sum(server, members, max_restarts, unsafe_drop_clients, record, n_jobs)
            number = members[0].round
            with _hop(number, members[-1].name, server.name):
                mean = server.decrypt_aggregate(total, len(members))
            for party in members:
                if record is not None:
                    record(number, server.name, party.name, broadcast, partial(_mean_payload, mean))
                party.receive(mean)
            yield RoundDone(number, members, total, mean)
    finally:
        for party in everyone:
            party.expect(0)


def _mean_payload(mean: Floats) -> bytes:
    return mean.astype("<f8").tobytes()


def _surviving_sum(
    server: Server,
    members: list[Party],
    max_restarts: int,
    unsafe_drop_clients: bool,
    record: Record | None,
    n_jobs: int | None,
) -> tuple[EncryptedVector, list[Party]]:
    """The sum of a round, and who is in it: each try starts with fresh encryptions, and none is decrypted here."""
    tries = 0
    while True:
        try:
            return ring_pass(members, server.name, record=record, n_jobs=n_jobs), members
        except ClientLostError as error:
            tries += 1
            if tries <= max_restarts:
                continue
            if not unsafe_drop_clients:
                raise
            members = [member for member in members if member.name != error.client]
            server.change_members([member.name for member in members])
            tries = 0
