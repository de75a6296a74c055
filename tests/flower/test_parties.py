"""The files of a whole run, and whose they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vecphe.flower import Identity, Roster
from vecphe.flower.parties import make_run, write_settings
from vecphe.keys import PrivateKey, PublicKey

NAMES = ("A", "B", "C")


def contents(directory: Path) -> dict[str, set[str]]:
    return {path.name: {file.name for file in path.iterdir()} for path in directory.iterdir()}


@pytest.mark.parametrize("topology", ["ring", "star"])
def test_every_party_has_its_own_files(tmp_path: Path, keypair: Any, topology: str) -> None:
    public_key, private_key = keypair
    roster, parties, server = make_run(tmp_path, private_key, topology, NAMES, insecure=True, max_rounds=7)
    star = topology == "star"
    assert (roster.topology, roster.names, roster.key) == (topology, list(NAMES), public_key.fingerprint)
    assert (roster.server.name, roster.holder.name) == ("Server", "Key holder" if star else "Server")
    usual = {"party", "roster.json", "settings.json"}
    clients = {str(number): usual for number in range(3)}
    holder = {"3": {*usual, "key"}} if star else {}
    assert contents(tmp_path) == {**clients, **holder, "server": {*usual, "public_key" if star else "key"}}
    assert list(parties) == [0, 1, 2, *([3] if star else [])]
    of = {name: Identity.load(own.party).member for name, own in [*parties.items(), ("server", server)]}
    assert [*of.values()] == roster.parties[:3] + [roster.holder] * star + [roster.server]
    for own in (*parties.values(), server):
        assert Roster.load(own.roster) == roster
        assert (own.insecure, own.max_rounds) == (True, 7)
        assert own.roster.parent.stat().st_mode & 0o777 == 0o700
    decrypts = parties[3] if star else server
    assert [own.jobs for own in (*parties.values(), server) if own is not decrypts] == [None] * (3 + star)
    assert decrypts.jobs == -1
    assert decrypts.key is not None
    assert PrivateKey.load(decrypts.key, insecure=True) == private_key
    if star:
        assert (server.key, server.public_key) == (None, tmp_path / "server" / "public_key")
        assert PublicKey.load(tmp_path / "server" / "public_key", insecure=True) == public_key


def test_own_settings_come_before_those_of_a_run(tmp_path: Path, keypair: Any) -> None:
    _, parties, server = make_run(tmp_path, keypair[1], "ring", NAMES, jobs=2)
    assert {own.jobs for own in (*parties.values(), server)} == {2}


def test_settings_are_a_file_for_people(tmp_path: Path, keypair: Any) -> None:
    identity = Identity.generate("A")
    members = [Identity.generate(name).member for name in ("B", "C", "Server")]
    roster = Roster.collect([identity.member, *members[:2]], members[2], keypair[0].fingerprint)
    settings = write_settings(tmp_path / "a", identity, roster, max_rounds=5)
    text = (tmp_path / "a" / "settings.json").read_text()
    assert text == json.dumps(
        {"roster": "roster.json", "party": "party", "memory": "memory.db", "max_rounds": 5}, indent=1
    )
    assert (settings.key, settings.public_key, settings.max_rounds) == (None, None, 5)


def test_there_are_two_topologies(tmp_path: Path, keypair: Any) -> None:
    with pytest.raises(ValueError, match=r"^topology must be ring or star, not 'tree'$"):
        make_run(tmp_path, keypair[1], "tree", NAMES)
    assert not list(tmp_path.iterdir())
