"""The party with the private key: it opens at most one sum a round, of all clients, and records that before it does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from vecphe.errors import ProtocolError, VecpheError
from vecphe.federated.backends import PackedBackend
from vecphe.federated.interface import EncryptedVector, EncryptionKey
from vecphe.federated.rounds import Ledger, Run, distinct_contributions
from vecphe.flower.memory import Memory
from vecphe.flower.plan import Plan
from vecphe.flower.roster import Roster
from vecphe.flower.settings import Settings
from vecphe.keys import PrivateKey
from vecphe.plaintext.encoding import Floats
from vecphe.system.plurals import counted

__all__ = ["check_contributions", "destroy", "open_sum", "own_private_key", "vector_of"]


def own_private_key(settings: Settings, roster: Roster, name: str) -> PrivateKey:
    """The private key of who holds it, which must be the one of the roster.

    Raises
    ------
    ProtocolError
        If the settings name none, or it is another one.
    SerializationError, InvalidKeyError, OSError
    """
    if settings.key is None:
        raise ProtocolError(f"{name} decrypts: its settings need key, the file of the private key")
    private_key = PrivateKey.load(settings.key, insecure=settings.insecure)
    if private_key.public_key.fingerprint != roster.key:
        raise ProtocolError(f"the private key of {name} is not the one of the roster, {roster.key[:8]}")
    return private_key


def vector_of(key: EncryptionKey, data: bytes, sender: str) -> EncryptedVector:
    """A vector from another party's envelope; errors name that party, and nothing else of what was wrong with it."""
    try:
        return EncryptedVector.from_message(key, data)
    except VecpheError as error:
        raise ProtocolError(f"what {sender} sent is no sum under this key and layout: {error}") from None


def check_contributions(vector: EncryptedVector, roster: Roster, number: int, upto: int, sender: str) -> None:
    """Raise ProtocolError unless a vector is the sum of the first `upto` clients' contributions to a round."""
    found = [(c.run, c.round, c.party, c.client) for c in distinct_contributions(vector)]  # which refuses doubles
    if found != [(roster.run, number, member.id, member.name) for member in roster.members[:upto]]:
        raise ProtocolError(
            f"what {sender} sent is not the sum of the first {counted(upto, 'client')} of the roster to round {number}"
        )


def open_sum(
    roster: Roster,
    plan: Plan,
    private_key: PrivateKey,
    memory: Memory,
    place: tuple[int, int],
    chunks: Sequence[EncryptedVector],
    n_jobs: int | None = None,
) -> Floats:
    """Decrypt the sum of a round.

    Parameters
    ----------
    roster : Roster
    plan : Plan
    private_key : PrivateKey
        Of `own_private_key`.
    memory : Memory
        Where the decision is recorded before anything is decrypted.
    place : tuple of int
        Round and attempt.
    chunks : sequence of EncryptedVector
        All chunks of the sum.
    n_jobs : int, optional
        Workers that decrypt.

    Returns
    -------
    ndarray
        The sums of all values.

    Raises
    ------
    ProtocolError
        If it is not the sum of all clients' contributions to this round, if one of the round was decrypted before, or
        with one text for all that can be wrong with a ciphertext.
    """
    number, attempt = place
    if sum(map(len, chunks)) != plan.length:
        raise ProtocolError(f"a sum of {counted(sum(map(len, chunks)), 'value')}, not {plan.length}")
    for chunk in chunks:
        check_contributions(chunk, roster, number, len(roster.members), "the sender of the sum")
    with memory.transaction():
        ledger = Ledger(Run(roster.run), decided=memory.decided)
        memory.decide(number, attempt)  # taken back if the ledger refuses
        ledger.change_members(roster.names)
        ledger.decide(chunks[0], len(roster.members))
    _, decryption_key = PackedBackend(n_jobs=n_jobs, encoding=plan.encoding(len(roster.members))).keys_of(private_key)
    try:
        return np.concatenate([decryption_key.decrypt(chunk) for chunk in chunks])
    except VecpheError:
        # One text: what is wrong with a sum would answer questions about the ciphertexts in it.
        raise ProtocolError(f"the sum of round {number} could not be decrypted; the round is spent") from None


def destroy(path: Path) -> None:
    """Overwrite the file of a private key with zeros and delete it; nothing happens where there is none.

    Copies that the file system or a backup keeps are beyond its reach.
    """
    with suppress(FileNotFoundError):
        with open(path, "r+b") as file:
            file.write(bytes(os.fstat(file.fileno()).st_size))
            file.flush()
            os.fsync(file.fileno())
        os.unlink(path)
