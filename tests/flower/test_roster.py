"""Rosters, members and private files: as they are written, and in which words others are refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vecphe.errors import ProtocolError, SerializationError
from vecphe.flower import Identity, Member, Roster
from vecphe.flower import roster as rosters
from vecphe.serialization.strict_text import bytes_to_base64url

KEY, RUN = "0123456789abcdef" * 2, "a" * 32
NAMES = ("Klinikum M\u00fcnchen", "B", "C", "Server", "Holder")


@pytest.fixture(scope="module")
def members() -> list[Member]:
    return [Identity(name, bytes([i]) * 32, bytes([i + 100]) * 32).member for i, name in enumerate(NAMES, 1)]


@pytest.fixture
def roster(members: list[Member]) -> Roster:
    return Roster(RUN, tuple(members[:3]), members[3], members[4], KEY)


def refusal(work: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises((SerializationError, ProtocolError)) as told:
        work(*arguments)
    return str(told.value)


def test_public_keys_are_those_of_the_private_ones() -> None:
    """That of signatures as in the first test vector of RFC 8032."""
    signing = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    identity = Identity("A", signing, b"\x05" * 32)
    member = identity.member
    assert member.signing.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert member.verify_key().public_bytes_raw() == member.signing
    assert member.seal_key().public_bytes_raw() == member.sealing == identity.sealing.public_key().public_bytes_raw()
    assert (identity.name, repr(identity)) == ("A", "Identity('A')")


def fields(member: Member) -> dict[str, str]:
    keys = {"signing": bytes_to_base64url(member.signing), "sealing": bytes_to_base64url(member.sealing)}
    return {"name": member.name, **keys}


def written(kind: str, content: dict[str, Any]) -> bytes:
    whole = {"format": "vecphe", "version": 1, "kind": kind, **content}
    return (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode()


def test_files_are_what_other_versions_read(members: list[Member], roster: Roster, tmp_path: Path) -> None:
    a, _, _, server, holder = members
    assert a.to_bytes() == written("party", fields(a))
    clients = [fields(member) for member in members[:3]]
    content = {"run": RUN, "key": KEY, "server": fields(server), "holder": fields(holder), "clients": clients}
    assert roster.to_bytes() == written("roster", content)
    assert Roster.from_bytes(roster.to_bytes()) == roster
    assert roster.digest == hashlib.sha256(b"vecphe roster\x00" + roster.to_bytes()).hexdigest()
    assert a.id == hashlib.sha256(b"vecphe party\x00" + a.signing + a.sealing).hexdigest()[:32]
    keys = {"signing": bytes_to_base64url(b"\x01" * 32), "sealing": bytes_to_base64url(b"\x65" * 32)}
    Identity(NAMES[0], b"\x01" * 32, b"\x65" * 32).save(tmp_path / "party")
    assert (tmp_path / "party").read_bytes() == written("private party", {"name": NAMES[0], **keys})
    assert Identity.load(tmp_path / "party").member == a
    (tmp_path / "member").write_bytes(a.to_bytes())
    assert Member.load(tmp_path / "member") == a


def test_a_private_file_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    one, other = Identity.generate("A"), Identity.generate("B")
    one.save(tmp_path / "party")
    with pytest.raises(FileExistsError):
        other.save(tmp_path / "party")
    assert Identity.load(tmp_path / "party").member == one.member
    other.save(tmp_path / "party", force=True)
    assert Identity.load(tmp_path / "party").member == other.member
    (tmp_path / "party").chmod(0o640)
    with pytest.raises(PermissionError) as told:
        Identity.load(tmp_path / "party")
    path = tmp_path / "party"
    assert str(told.value) == f"{path}: others can read or change this private file; chmod 600 {path}"


def test_h14_an_identity_that_is_half_made_shows_nothing() -> None:
    half = Identity.__new__(Identity)
    assert repr(half) == "Identity()"
    with pytest.raises(TypeError) as told:
        half.__reduce__()
    assert str(told.value) == "the private keys of a party refuse to be pickled: they stay in its file"


NAME = "the name of a party must be 1 to 80 printable characters"
OF_PARTY = "a key of a party must be 32 bytes as base64url without padding"
OF_MEMBER = "a party must have name, signing and sealing, and nothing else"
NO_ROSTER = "not a roster of vecphe, or with fields missing or added"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": "A" * 32}, "the run must be 32 lower-case hexadecimal digits"),
        ({"run": "a" * 31}, "the run must be 32 lower-case hexadecimal digits"),
        ({"run": "a" * 33}, "the run must be 32 lower-case hexadecimal digits"),
        ({"run": 5}, "the run must be 32 lower-case hexadecimal digits"),
        ({"key": None}, "the fingerprint of the key must be 32 lower-case hexadecimal digits"),
        ({"clients": {}}, "clients must be a list"),
        ({"clients": [5]}, OF_MEMBER),
        ({"server": {"name": "A"}}, OF_MEMBER),
        ({"holder": []}, OF_MEMBER),
        ({"format": "other"}, NO_ROSTER),
        ({"kind": "party"}, "not a roster of vecphe, but a party"),
        ({"version": 2}, NO_ROSTER),
        ({"version": 1.0}, NO_ROSTER),
        ({"more": 1}, NO_ROSTER),
    ],
)
def test_h36_what_is_wrong_with_a_roster_is_told(
    roster: Roster, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    data = json.dumps({**json.loads(roster.to_bytes()), **changes}).encode()
    assert refusal(Roster.from_bytes, data) == message
    (tmp_path / "r").write_bytes(data)
    assert refusal(Roster.load, tmp_path / "r") == f"{tmp_path / 'r'}: {message}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, NAME),
        ({"name": "x" * 81}, NAME),
        ({"name": "a\nb"}, NAME),
        ({"name": ["A"]}, NAME),
        ({"signing": "A" * 42}, OF_PARTY),
        ({"sealing": "A" * 44}, OF_PARTY),
        ({"sealing": "A" * 42 + "/"}, OF_PARTY),
        ({"signing": ["A"] * 43}, OF_PARTY),
        ({"more": 1}, "not a party of vecphe, or with fields missing or added"),
        ({"kind": "private party"}, "not a party of vecphe, but a private party"),
    ],
)
def test_h36_what_is_wrong_with_a_party_is_told(members: list[Member], changes: dict[str, Any], message: str) -> None:
    data = json.dumps({**json.loads(members[0].to_bytes()), **changes}).encode()
    assert refusal(Member.from_bytes, data) == message


@pytest.mark.parametrize(("data", "message"), [(b"[]", NO_ROSTER), (b"{", NO_ROSTER)])
def test_h37_what_is_no_object_is_no_roster(data: bytes, message: str) -> None:
    assert refusal(Roster.from_bytes, data) == message


def test_h37_a_roster_has_65536_parts_at_most(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(rosters, "check_parts", lambda *arguments: asked.append(arguments))
    data = roster.to_bytes()
    assert Roster.from_bytes(data) == roster
    assert asked == [(data, 65536, NO_ROSTER)]
    twice = data.replace(b'"run"', b'"key"')
    assert refusal(Roster.from_bytes, twice) == "a field stands twice"


@pytest.mark.parametrize("what", ["name", "signing", "sealing"])
def test_h48_no_two_parties_share_anything(roster: Roster, what: str) -> None:
    for one, other in (("server", roster.members[1]), ("holder", roster.members[0]), ("holder", roster.server)):
        twice = replace(getattr(roster, one), **{what: getattr(other, what)})
        text = f"two parties of the roster have the same {what}; each needs its own"
        assert refusal(lambda: replace(roster, **{one: twice})) == text  # noqa: B023


def test_parties_by_name_and_place(members: list[Member], roster: Roster) -> None:
    assert (roster.topology, roster.names) == ("star", list(NAMES[:3]))
    assert roster.parties == members
    assert [roster.party(name) for name in NAMES] == members
    assert [roster.position(name) for name in NAMES[:3]] == [0, 1, 2]
    assert refusal(roster.party, "D") == "'D' is no party of the roster"
    assert refusal(roster.position, "Server") == "'Server' is no client of the roster"
    ring = Roster.collect(members[:3], members[3], KEY)
    assert (ring.topology, ring.holder, ring.parties) == ("ring", members[3], members[:4])
    assert (len(ring.run), ring.members) == (32, tuple(members[:3]))
    assert Roster.collect(members[:3], members[3], KEY).run != ring.run
    assert Roster.collect(members[:3], members[3], KEY, members[4]).holder == members[4]
