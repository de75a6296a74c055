"""Envelopes: what one party sends another, signed by the sender, sealed for the receiver, bound to its place.

A reader knows beforehand what the header must be, and refuses every other one. Sealing is HPKE (RFC 9180, base mode,
X25519, HKDF-SHA256, AES-256-GCM) with the header as its info; the signature (Ed25519) is over all of the envelope.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

from cryptography.exceptions import InvalidSignature, InvalidTag

from vecphe.errors import ProtocolError
from vecphe.federated.wire import pack, unpack
from vecphe.flower.roster import Identity, Member, Roster

try:
    from cryptography.hazmat.primitives import hpke
except ImportError:
    text = 'vecphe.flower needs cryptography 47 or later: pip install "vecphe[flower]"'
    raise ImportError(text, name="cryptography") from None

__all__ = ["Header", "open_all", "open_envelope", "place_of", "seal", "seal_all"]

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_SIGNATURE_BYTES = 64
_GREATEST = 1 << 53  # of rounds and attempts
_SIGNED, _SEALED = b"vecphe flower signature\x00", b"vecphe flower seal\x00"


@dataclass(frozen=True)
class Header:
    """The place of an envelope.

    Attributes
    ----------
    run : str
    round, attempt : int
        0 for what belongs to no round.
    position : int
        Place of the sender among the clients, from 0; -1 for a party that is none.
    sender, receiver : str
        Names.
    roster : str
        Digest of the roster.
    key : str
        Fingerprint of n.
    layout : str
        Digest of the plan: encoding, shapes and chunks; empty before there is one.
    chunk, chunks : int
        Number of the part, from 0, and how many there are.
    """

    run: str
    round: int
    attempt: int
    position: int
    sender: str
    receiver: str
    roster: str
    key: str
    layout: str
    chunk: int = 0
    chunks: int = 1

    @classmethod
    def of(
        cls, roster: Roster, sender: Member, receiver: Member, place: tuple[int, int] = (0, 0), layout: str = ""
    ) -> Header:
        """That of a message of one party of a roster to another, in a round and an attempt."""
        members = roster.members
        return cls(
            run=roster.run,
            round=place[0],
            attempt=place[1],
            position=members.index(sender) if sender in members else -1,
            sender=sender.name,
            receiver=receiver.name,
            roster=roster.digest,
            key=roster.key,
            layout=layout,
        )

    def info(self, kind: str) -> bytes:
        """All of it as bytes, one way only."""
        return _SEALED + json.dumps([kind, *asdict(self).values()], ensure_ascii=False).encode()


_FIELDS = tuple(field.name for field in fields(Header))


def seal(kind: str, header: Header, body: bytes, sender: Identity, receiver: Member | None) -> bytes:
    """An envelope.

    Parameters
    ----------
    kind : str
    header : Header
    body : bytes
    sender : Identity
        Whose name is in the header.
    receiver : Member or None
        None for what is signed and left open, as tasks and plans are, which hold nothing secret.
    """
    sealed = body if receiver is None else _SUITE.encrypt(body, receiver.seal_key(), header.info(kind))
    data = pack(kind, asdict(header), sealed)
    return data + sender.signing.sign(_SIGNED + data)


def open_envelope(kind: str, expected: Header, data: bytes, sender: Member, receiver: Identity | None) -> bytes:
    """The body of an envelope, which must be of that kind, with that header, signed by that sender.

    Raises
    ------
    ProtocolError
        If it is not signed by the sender, is of another place, or cannot be opened.
    SerializationError
        If it is signed, but malformed.
    """
    content, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
    try:
        sender.verify_key().verify(signature, _SIGNED + content)
    except InvalidSignature:
        raise ProtocolError(f"a {kind} message is not signed by {sender.name} of the roster") from None
    found, (sealed,) = unpack(content, kind, _FIELDS, 1)
    for name, value in asdict(expected).items():
        if type(found[name]) is not type(value) or found[name] != value:
            raise ProtocolError(
                f"a {kind} message of {sender.name} does not belong here: its {name} is another than {value!r}"
            )
    if receiver is None:
        return sealed
    try:
        return bytes(_SUITE.decrypt(sealed, receiver.sealing, expected.info(kind)))
    except (InvalidTag, ValueError):
        raise ProtocolError(f"a {kind} message of {sender.name} is not sealed for {receiver.name}") from None


def place_of(kind: str, data: bytes) -> tuple[int, int]:
    """Round and attempt that an envelope says it is of; to be opened as of these, for nothing is believed before.

    Raises
    ------
    ProtocolError, SerializationError
    """
    found, _ = unpack(data[:-_SIGNATURE_BYTES], kind, _FIELDS, 1)
    place = found["round"], found["attempt"]
    if not all(type(number) is int and 1 <= number < _GREATEST for number in place):
        raise ProtocolError(f"a {kind} message of no round")
    return place


def seal_all(
    kind: str, header: Header, bodies: Sequence[bytes], sender: Identity, receiver: Member | None
) -> list[bytes]:
    """One envelope a chunk."""
    chunks = len(bodies)
    return [
        seal(kind, replace(header, chunk=chunk, chunks=chunks), body, sender, receiver)
        for chunk, body in enumerate(bodies)
    ]


def open_all(
    kind: str, expected: Header, envelopes: Sequence[bytes], chunks: int, sender: Member, receiver: Identity | None
) -> list[bytes]:
    """The bodies of all chunks, none missing; raises as `open_envelope`."""
    if len(envelopes) != chunks:
        raise ProtocolError(f"{len(envelopes)} {kind} messages of {sender.name} where there must be {chunks}")
    return [
        open_envelope(kind, replace(expected, chunk=chunk, chunks=chunks), data, sender, receiver)
        for chunk, data in enumerate(envelopes)
    ]
