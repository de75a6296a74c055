"""Who takes part in a run, pinned by a file that does not come through the server, and the keys of a party.

A roster names the clients in the order of the ring, the server, the holder of the private key and the fingerprint of n.
All that parties send each other is signed and sealed with the keys that stand there, and bound to the roster's digest.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from vecphe.errors import ProtocolError, SerializationError
from vecphe.federated.rounds import check_client_count, checked_names
from vecphe.serialization.strict_text import (
    bytes_from_base64url,
    bytes_to_base64url,
    check_parts,
    parse_json,
    without_duplicates,
)
from vecphe.system.files import PathLike, is_open_to_others, read_file, replace_file

__all__ = ["Identity", "Member", "Roster"]

_FORMAT, _VERSION = "vecphe", 1
_KINDS = ("party", "private party", "roster")
_MOST_BYTES = 1 << 20
_MOST_PARTS = 1 << 16
_LONGEST_NAME = 80
_HEX = re.compile(r"[0-9a-f]{32}")
_ID_DOMAIN = b"vecphe party\x00"
_ROSTER_DOMAIN = b"vecphe roster\x00"


def _checked_name(name: Any) -> str:
    if not (isinstance(name, str) and name and name.isprintable() and len(name) <= _LONGEST_NAME):
        raise SerializationError(f"the name of a party must be 1 to {_LONGEST_NAME} printable characters")
    if name != name.strip():  # nobody would see on the telephone what tells it from another
        raise SerializationError("the name of a party must not begin or end with a space")
    return name


def _key_bytes(text: Any) -> bytes:
    malformed = "a key of a party must be 32 bytes as base64url without padding"
    if not isinstance(text, str) or len(text) != 43:
        raise SerializationError(malformed)
    return bytes_from_base64url(text, malformed, malformed)


def _to_json(kind: str, fields: dict[str, Any]) -> bytes:
    text = json.dumps({"format": _FORMAT, "version": _VERSION, "kind": kind, **fields}, indent=1, ensure_ascii=False)
    return (text + "\n").encode()


def _from_json(data: bytes, kind: str, names: Sequence[str]) -> dict[str, Any]:
    malformed = f"not a {kind} of vecphe, or with fields missing or added"
    if len(data) > _MOST_BYTES:
        raise SerializationError(malformed)
    check_parts(data, _MOST_PARTS, malformed)
    content = parse_json(data, malformed, object_pairs_hook=without_duplicates("a field stands twice"))
    other = content.get("kind") if isinstance(content, dict) else None
    if other in _KINDS and other != kind:
        raise SerializationError(f"not a {kind} of vecphe, but a {other}")
    if not isinstance(content, dict) or content.keys() != {"format", "version", "kind", *names}:
        raise SerializationError(malformed)
    if (content["format"], content["kind"]) != (_FORMAT, kind) or content["version"] is not _VERSION:
        raise SerializationError(malformed)
    return content


def _load(path: PathLike, read: Callable[[bytes], Any]) -> Any:
    data = read_file(path, most=_MOST_BYTES)
    try:
        return read(data)
    except SerializationError as error:
        raise SerializationError(f"{path}: {error}") from None


@dataclass(frozen=True)
class Member:
    """The public part of a party.

    Attributes
    ----------
    name : str
    signing, sealing : bytes
        Public keys, of Ed25519 and X25519.
    """

    name: str
    signing: bytes
    sealing: bytes

    @cached_property
    def id(self) -> str:
        """32 hexadecimal digits: a fingerprint of both keys."""
        return hashlib.sha256(_ID_DOMAIN + self.signing + self.sealing).hexdigest()[:32]

    def verify_key(self) -> Ed25519PublicKey:
        """The key that its signatures are checked with."""
        return Ed25519PublicKey.from_public_bytes(self.signing)

    def seal_key(self) -> X25519PublicKey:
        """The key that what it alone may read is sealed with."""
        return X25519PublicKey.from_public_bytes(self.sealing)

    def _fields(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "signing": bytes_to_base64url(self.signing),
            "sealing": bytes_to_base64url(self.sealing),
        }

    @classmethod
    def _from_fields(cls, fields: Any) -> Member:
        if not isinstance(fields, dict) or fields.keys() != {"name", "signing", "sealing"}:
            raise SerializationError("a party must have name, signing and sealing, and nothing else")
        return cls(_checked_name(fields["name"]), _key_bytes(fields["signing"]), _key_bytes(fields["sealing"]))

    def to_bytes(self) -> bytes:
        """The file to give away."""
        return _to_json("party", self._fields())

    @classmethod
    def from_bytes(cls, data: bytes) -> Member:
        """A party of `to_bytes`; raises SerializationError for anything else."""
        content = _from_json(data, "party", ("name", "signing", "sealing"))
        return cls._from_fields({name: content[name] for name in ("name", "signing", "sealing")})

    @classmethod
    def load(cls, path: PathLike) -> Member:
        """Read the file that a party gave away."""
        member: Member = _load(path, cls.from_bytes)
        return member


class Identity:
    """The private keys of a party: for signatures, and to open what is sealed for it.

    Parameters
    ----------
    name : str
    signing, sealing : bytes
        Private keys, of Ed25519 and X25519.
    """

    def __init__(self, name: str, signing: bytes, sealing: bytes) -> None:
        self.signing = Ed25519PrivateKey.from_private_bytes(signing)
        self.sealing = X25519PrivateKey.from_private_bytes(sealing)
        self.member = Member(
            _checked_name(name),
            self.signing.public_key().public_bytes_raw(),
            self.sealing.public_key().public_bytes_raw(),
        )

    @classmethod
    def generate(cls, name: str) -> Identity:
        """New keys, of the operating system's randomness."""
        return cls(name, secrets.token_bytes(32), secrets.token_bytes(32))

    @property
    def name(self) -> str:
        """Name of the party."""
        return self.member.name

    def __repr__(self) -> str:
        member = getattr(self, "member", None)
        return f"Identity({member.name!r})" if member else "Identity()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the private keys of a party refuse to be pickled: they stay in its file")

    def save(self, path: PathLike, *, force: bool = False) -> None:
        """Write the private file, which only its owner can read."""
        fields = {
            "name": self.name,
            "signing": bytes_to_base64url(self.signing.private_bytes_raw()),
            "sealing": bytes_to_base64url(self.sealing.private_bytes_raw()),
        }
        replace_file(path, _to_json("private party", fields), force=force, private=True)

    @classmethod
    def load(cls, path: PathLike) -> Identity:
        """Read the private file.

        Raises
        ------
        PermissionError
            If others can read or write it.
        SerializationError, OSError
        """
        identity: Identity = _load(path, cls._from_bytes)
        if is_open_to_others(path):
            raise PermissionError(f"{path}: others can read or change this private file; chmod 600 {path}")
        return identity

    @classmethod
    def _from_bytes(cls, data: bytes) -> Identity:
        content = _from_json(data, "private party", ("name", "signing", "sealing"))
        return cls(_checked_name(content["name"]), _key_bytes(content["signing"]), _key_bytes(content["sealing"]))


@dataclass(frozen=True)
class Roster:
    """The parties of one run under one key.

    Attributes
    ----------
    run : str
        32 hexadecimal digits, drawn when the roster is made.
    members : tuple of Member
        The clients, in the order of the ring.
    server : Member
        Who leads the rounds.
    holder : Member
        Who has the private key: the server in a ring, a party of its own in a star.
    key : str
        Fingerprint of n.
    """

    run: str
    members: tuple[Member, ...]
    server: Member
    holder: Member
    key: str

    def __post_init__(self) -> None:
        for text, what in ((self.run, "run"), (self.key, "fingerprint of the key")):
            if not (isinstance(text, str) and _HEX.fullmatch(text)):
                raise SerializationError(f"the {what} must be 32 lower-case hexadecimal digits")
        checked_names(self.names)
        check_client_count(len(self.members))
        parties = self.parties
        for what in ("name", "signing", "sealing"):
            values = [getattr(party, what) for party in parties]
            if len(set(values)) != len(values):
                raise ProtocolError(f"two parties of the roster have the same {what}; each needs its own")

    @classmethod
    def collect(cls, members: Sequence[Member], server: Member, key: str, holder: Member | None = None) -> Roster:
        """A roster for a new run: a ring, or with a holder apart from the server a star.

        Raises
        ------
        ValueError, SerializationError
            If names are empty, not printable, or those of others.
        ProtocolError
            If there are fewer than 3 clients, two parties share a key, or the holder is the server.
        """
        if holder == server:
            raise ProtocolError("the holder of a star is another party than the server; of a ring there is none")
        return cls(secrets.token_hex(16), tuple(members), server, server if holder is None else holder, key)

    @property
    def topology(self) -> str:
        """Either "ring" or "star"."""
        return "ring" if self.holder == self.server else "star"

    @property
    def names(self) -> list[str]:
        """Those of the clients, in their order."""
        return [member.name for member in self.members]

    @property
    def parties(self) -> list[Member]:
        """Clients, server and, in a star, the holder."""
        return [*self.members, self.server, *([self.holder] if self.topology == "star" else [])]

    def party(self, name: str) -> Member:
        """The party of that name; ProtocolError if there is none."""
        for party in self.parties:
            if party.name == name:
                return party
        raise ProtocolError(f"{name!r} is no party of the roster")

    def position(self, name: str) -> int:
        """Place of a client, from 0; ProtocolError for others."""
        if name not in self.names:
            raise ProtocolError(f"{name!r} is no client of the roster")
        return self.names.index(name)

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits: SHA-256 of everything in it, for people to compare and for messages to be bound to."""
        return hashlib.sha256(_ROSTER_DOMAIN + self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The file that every party gets, by a way that is not the server's."""
        return _to_json(
            "roster",
            {
                "run": self.run,
                "key": self.key,
                "server": self.server._fields(),
                "holder": self.holder._fields(),
                "clients": [member._fields() for member in self.members],
            },
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Roster:
        """A roster of `to_bytes`.

        Raises
        ------
        SerializationError, ProtocolError, ValueError
        """
        content = _from_json(data, "roster", ("run", "key", "server", "holder", "clients"))
        if not isinstance(content["clients"], list):
            raise SerializationError("clients must be a list")
        server, holder = (Member._from_fields(content[name]) for name in ("server", "holder"))
        return cls(content["run"], tuple(map(Member._from_fields, content["clients"])), server, holder, content["key"])

    @classmethod
    def load(cls, path: PathLike) -> Roster:
        """Read a roster's file."""
        roster: Roster = _load(path, cls.from_bytes)
        return roster
