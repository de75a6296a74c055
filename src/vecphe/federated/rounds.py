"""The rules of a round: who adds, who may decrypt, what is refused. No loop, no transport and no ciphertext is here.

A *contribution* is one client's encrypted update for one round of one run. A sum records which contributions are in
it. What is not a sum of distinct contributions of one round is never decrypted, and of each round at most one sum is;
the decision is recorded before the decryption. This stops mistakes and replayed messages; a party that lies about
what it added can state any record.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import numpy as np

from vecphe.errors import ProtocolError
from vecphe.federated.checks import checked_int
from vecphe.system.forks import ForkSafeLock, generation
from vecphe.system.plurals import are, counted

__all__ = [
    "SERVER_NAME",
    "Contribution",
    "Ledger",
    "RecordedSum",
    "RingRound",
    "Run",
    "check_client_count",
    "check_hop",
    "checked_names",
    "distinct_contributions",
    "joined",
]

SERVER_NAME = "Server"  # that no client may have
_LEAST_CLIENTS = 3


@dataclass(frozen=True, slots=True)
class Contribution:
    """Which encrypted update it is.

    Attributes
    ----------
    run : str
    round : int
        From 1.
    party : str
        Id of the client, whatever it is called; one of its own for a vector that was encrypted by no client.
    client : str or None
        Name of the client.

    Examples
    --------
    >>> from vecphe.federated import PackedBackend, encrypt_vector
    >>> public_key, _ = PackedBackend().generate_keys(2048)
    >>> (contribution,) = encrypt_vector(public_key, [1.0]).contributions
    >>> contribution.round, contribution.run == public_key.run.id
    (1, True)
    """

    run: str
    round: int
    party: str
    client: str | None = None

    def __str__(self) -> str:
        return self.client or f"a vector of no client ({self.party[:8]})"


@dataclass
class Run:
    """One run under one key.

    Attributes
    ----------
    id : str
        Random.
    round : int
        The round that is open, as far as this process knows.

    Examples
    --------
    >>> from vecphe.federated import Run
    >>> run = Run()
    >>> run.round, len(run.id)
    (1, 32)
    """

    id: str = field(default_factory=lambda: secrets.token_hex(16))
    round: int = 1

    def contribution(self) -> Contribution:
        """A new one to the open round, of no client."""
        return Contribution(self.id, self.round, secrets.token_hex(16))


def joined(
    ours: tuple[Contribution, ...] | None, theirs: tuple[Contribution, ...] | None
) -> tuple[Contribution, ...] | None:
    """The contributions of the sum of two vectors.

    Where one is in both, only that one is left, twice: there is nothing more to tell of such a sum, and doubling does
    not double the record.
    """
    if ours is None or theirs is None:
        return None
    if len(ours) > 1 < len(theirs) and (both := set(ours).intersection(theirs)):
        return (both.pop(),) * 2
    return ours + theirs


class RecordedSum(Protocol):
    """An encrypted vector, as far as these rules know it.

    Attributes
    ----------
    terms : int
        How many encryptions it records to be the sum of.
    contributions : tuple of Contribution or None
        Which ones, see `joined`; None where it is something else than their sum, or no one knows.
    """

    @property
    def terms(self) -> int: ...  # noqa: D102

    @property
    def contributions(self) -> tuple[Contribution, ...] | None: ...  # noqa: D102


def check_client_count(n_clients: int, unsafe_few_clients: bool | None = None) -> None:
    """Refuse fewer than 3 clients: one of two gets the other's gradient by a subtraction.

    `unsafe_few_clients` is None where there is no such argument, which then is not offered.

    Raises
    ------
    ValueError
        If `n_clients` is not an int.
    ProtocolError
        Unless `unsafe_few_clients` is set.
    """
    n_clients = checked_int("n_clients", n_clients)
    if n_clients < 1 or (n_clients < _LEAST_CLIENTS and not unsafe_few_clients):
        way_out = "; unsafe_few_clients=True allows it for benchmarks" if unsafe_few_clients is False else ""
        raise ProtocolError(
            f"{counted(n_clients, 'client')} {are(n_clients)} too few: below {_LEAST_CLIENTS} each learns the other's "
            "gradient by subtraction" + way_out
        )


def checked_names(names: Iterable[str]) -> list[str]:
    """Names of the clients of a run: different non-empty strings, none of them the server's.

    Raises
    ------
    ValueError
    """
    if isinstance(names, str):
        raise ValueError(f"names must be a list of them, not the string {names!r}")
    names = list(names)
    if not all(isinstance(name, str) and name and name != SERVER_NAME for name in names):
        raise ValueError(f"names must be non-empty strings other than {SERVER_NAME!r}, not {names!r}")
    if len(set(names)) != len(names):
        raise ValueError(f"names must be different ones, not {names!r}")
    return names


def distinct_contributions(total: RecordedSum) -> tuple[Contribution, ...]:
    """The contributions of a sum, which must be nothing but that: of one run and round, each client's once.

    Raises
    ------
    ProtocolError
    """
    contributions = total.contributions or ()
    for ids in (
        [contribution.party for contribution in contributions],
        [contribution.client for contribution in contributions if contribution.client is not None],
    ):
        if len(set(ids)) < len(ids):
            twice = next(id for id, count in Counter(ids).items() if count > 1)
            who = next(str(c) for c in contributions if twice in (c.party, c.client))
            raise ProtocolError(f"the contribution of {who} is in the sum twice, or two clients have that name")
    if not contributions or len(contributions) != total.terms:
        raise ProtocolError(
            "a multiple, a difference, a copy, or something in the clear was mixed into the sum: only sums that "
            "sum_encrypted_vectors made of encrypted vectors, or messages of such, are taken"
        )
    if len({(contribution.run, contribution.round) for contribution in contributions}) > 1:
        raise ProtocolError("contributions of different runs or rounds were mixed into the sum")
    return contributions


def _check_place(contributions: Sequence[Contribution], run: str, number: int) -> None:
    """Raise ProtocolError unless they are of that round of that run."""
    for contribution in contributions:
        if contribution.run != run:
            raise ProtocolError(f"the contribution of {contribution} is of another run")
        if contribution.round != number:
            raise ProtocolError(f"the contribution of {contribution} is of round {contribution.round}, not {number}")


def check_hop(total: RecordedSum, own: Contribution) -> None:
    """What a client asks of a sum before it adds its own contribution.

    Raises
    ------
    ProtocolError
        Unless the sum consists of distinct contributions to the same round of the same run, without its own.
    """
    contributions = distinct_contributions(total)
    _check_place(contributions, own.run, own.round)
    if any(own.party == c.party or (own.client and own.client == c.client) for c in contributions):
        raise ProtocolError(f"the contribution of {own} is in the sum already; it is added once a round")


class RingRound:
    """One attempt at a round in a ring: which message may come now, and what must be in it.

    Parameters
    ----------
    run : str
    number : int
    members : sequence of str
        Names in the order of the ring.

    Raises
    ------
    ProtocolError
        If there is no member, or one stands there twice.

    Examples
    --------
    >>> from vecphe.federated import Party, RingRound, Server
    >>> server = Server(2048)
    >>> a, b, c = (Party(name, lambda: [[1.0, 2.0]], server.pubkey) for name in "ABC")
    >>> ring = RingRound(server.pubkey.run.id, 1, ["A", "B", "C"])
    >>> total = a.encrypted_gradient()
    >>> ring.accept("A", total)
    >>> ring.accept("C", c.encrypted_gradient(total))
    Traceback (most recent call last):
        ...
    vecphe.errors.ProtocolError: C sent its sum of round 1 out of order: B is next
    """

    def __init__(self, run: str, number: int, members: Sequence[str]) -> None:
        self.run, self.number, self.members = run, number, tuple(members)
        self._sent = 0
        if not self.members:
            raise ProtocolError("a ring needs clients")
        for name, count in Counter(self.members).items():
            if count > 1:
                raise ProtocolError(f"{name} is in the ring {count} times; each client adds once a round")

    @property
    def is_complete(self) -> bool:
        """Whether the last member's sum has been accepted."""
        return self._sent == len(self.members)

    def accept(self, sender: str, total: RecordedSum) -> None:
        """Take note of the sum that a member sends on.

        Raises
        ------
        ProtocolError
            If the message is not the next one, is of another round, or holds anything but one contribution of each
            member up to its sender. Nothing changes then.
        """
        if sender not in self.members:
            raise ProtocolError(f"{sender} is no member of round {self.number}")
        position = self.members.index(sender)
        if position < self._sent:
            raise ProtocolError(f"{sender} sent its sum of round {self.number} twice; the first one counts")
        if position > self._sent:
            raise ProtocolError(
                f"{sender} sent its sum of round {self.number} out of order: {self.members[self._sent]} is next"
            )
        try:
            contributions = distinct_contributions(total)
            _check_place(contributions, self.run, self.number)
        except ProtocolError as error:
            raise ProtocolError(f"round {self.number}, {sender}: {error}") from None
        if len(contributions) != position + 1:
            raise ProtocolError(
                f"round {self.number}, {sender}: the sum records {counted(len(contributions), 'contribution')}, "
                f"but there {are(position + 1)} {counted(position + 1, 'client')} so far"
            )
        if [c.client for c in contributions] != list(self.members[: position + 1]):
            raise ProtocolError(f"round {self.number}, {sender}: the sum is not that of the members up to {sender}")
        self._sent += 1


class Ledger:
    """What the key holder has decided to decrypt: at most one sum a round, of the members of the run.

    The members are those of the first sum. The ledger is of use only to the process that made it.

    Parameters
    ----------
    run : Run
    unsafe_few_clients : bool
        Allow sums of fewer than 3 clients.
    decided : int
        The last round that was decided before, where a process goes on with what another has recorded.

    Examples
    --------
    >>> from vecphe.federated import Ledger, Run
    >>> ledger = Ledger(Run())
    >>> ledger.decided  # no sum so far
    0
    """

    def __init__(self, run: Run, unsafe_few_clients: bool = False, decided: int = 0) -> None:
        self.run = run
        self.unsafe_few_clients = unsafe_few_clients
        self._decided = decided
        self._names: frozenset[str] | None = None
        self._n_clients: int | None = None
        self._lock = ForkSafeLock()
        self._generation = generation()

    def __copy__(self) -> Ledger:
        return self  # another would let a second sum of a round pass

    def __deepcopy__(self, memo: object) -> Ledger:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ledger stays with the process that decides what is decrypted, and refuses to be pickled")

    @property
    def decided(self) -> int:
        """The last round of which a sum was, or was about to be, decrypted; 0 before the first."""
        return self._decided

    def change_members(self, members: Sequence[str] | int) -> None:
        """Consent to go on with these members, by name or, for vectors of no client, by number.

        From the next sum without a client its last gradient becomes computable, by a subtraction from the one before.

        Raises
        ------
        ProtocolError
            If they are too few.
        """
        names: frozenset[str] = frozenset()
        if isinstance(members, (int, np.integer)):
            n_clients = checked_int("members", members)
        else:
            names = frozenset(checked_names(members))
            n_clients = len(names)
        check_client_count(n_clients, self.unsafe_few_clients)
        with self._lock:
            self._names, self._n_clients = names, n_clients

    def decide(self, total: RecordedSum, n_clients: int) -> None:
        """Check a sum and record that it is the one of its round; call before it is decrypted.

        Raises
        ------
        ValueError
            If `n_clients` is not an int.
        ProtocolError
            If it must not be decrypted; nothing is recorded then.
        """
        check_client_count(n_clients, self.unsafe_few_clients)
        if total.terms != n_clients:
            raise ProtocolError(
                f"refused to decrypt: the sum records {counted(total.terms, 'contribution')}, but there "
                f"{are(n_clients)} {counted(n_clients, 'client')}"
            )
        try:
            contributions = distinct_contributions(total)
            with self._lock:
                self._record(contributions)
        except ProtocolError as error:
            raise ProtocolError(f"refused to decrypt: {error}") from None

    def _record(self, contributions: Sequence[Contribution]) -> None:
        if self._generation != generation():
            raise ProtocolError("this process was forked from the one that decides what is decrypted")
        number = contributions[0].round
        _check_place(contributions, self.run.id, number)
        if number <= self._decided:
            raise ProtocolError(
                f"a sum of round {self._decided} was decrypted before, and this one is of round {number}; a client's "
                "next round begins with its gradient_step"
            )
        names = frozenset(contribution.client for contribution in contributions if contribution.client is not None)
        if names and len(names) != len(contributions):
            raise ProtocolError(
                f"vectors of no client were mixed into the sum of {', '.join(sorted(names))}: where clients add, only "
                "they do"
            )
        self._check_members(names, len(contributions))
        self._names, self._n_clients = names, len(contributions)
        self._decided = number
        self.run.round = number + 1

    def _check_members(self, names: frozenset[str], n_clients: int) -> None:
        if self._n_clients is None or (names, n_clients) == (self._names, self._n_clients):
            return
        before = self._names or frozenset()
        changes = [f"{name} left" for name in sorted(before - names)] + [f"{n} joined" for n in sorted(names - before)]
        were = "was" if self._n_clients == 1 else "were"
        what = ", ".join(changes) or f"there {were} {counted(self._n_clients, 'client')}, and now {n_clients}"
        call: Any = sorted(names) if len(names) == n_clients else n_clients
        raise ProtocolError(
            f"the members of a run are fixed, but {what}; the last gradient of one that leaves becomes computable: "
            f"server.change_members({call!r}) consents to that"
        )
