"""The files of a whole run in one directory, for simulations and tests: in a deployment each party makes its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vecphe.flower.roster import Identity, Roster
from vecphe.flower.settings import Settings
from vecphe.keys import PrivateKey, PublicKey

__all__ = ["HOLDER", "make_run", "write_settings"]

HOLDER = "Key holder"


def write_settings(
    directory: Path, identity: Identity, roster: Roster, key: PrivateKey | PublicKey | None = None, **own: Any
) -> Settings:
    """A party's files in a new directory: its keys, the roster, its settings and, where it has one, a Paillier key."""
    directory.mkdir(mode=0o700)
    identity.save(directory / "party")
    (directory / "roster.json").write_bytes(roster.to_bytes())
    content = {"roster": "roster.json", "party": "party", "memory": "memory.db", **own}
    if key is not None:
        name = "key" if isinstance(key, PrivateKey) else "public_key"
        content[name] = name
        key.save(directory / name)
    (directory / "settings.json").write_bytes(json.dumps(content, indent=1).encode())
    return Settings.load(directory / "settings.json")


def make_run(
    directory: Path, private_key: PrivateKey, topology: str, names: Sequence[str], **own: Any
) -> tuple[Roster, dict[int, Settings], Settings]:
    """The files of every party of a run under a key.

    Parameters
    ----------
    directory : Path
        Gets ``0``, ``1`` and so on for the clients, then the holder of a star, and ``server``.
    private_key : PrivateKey
    topology : {"ring", "star"}
    names : sequence of str
        Of the clients.
    **own : Any
        Further settings of all parties.

    Returns
    -------
    roster : Roster
    parties : dict of int to Settings
        Of those that answer, by the number of their directory.
    server : Settings
    """
    if topology not in ("ring", "star"):
        raise ValueError(f"topology must be ring or star, not {topology!r}")
    star = topology == "star"
    identities = [Identity.generate(name) for name in (*names, *([HOLDER] if star else []))]
    server = Identity.generate("Server")
    members = [identity.member for identity in identities[: len(names)]]
    public_key = private_key.public_key
    roster = Roster.collect(members, server.member, public_key.fingerprint, identities[-1].member if star else None)
    parties = {}
    for number, identity in enumerate(identities):
        key = private_key if identity.member == roster.holder else None
        parties[number] = write_settings(directory / str(number), identity, roster, key, **{**_jobs(key), **own})
    own_key = public_key if star else private_key
    return roster, parties, write_settings(directory / "server", server, roster, own_key, **{**_jobs(own_key), **own})


def _jobs(key: PrivateKey | PublicKey | None) -> dict[str, int]:
    """Whoever decrypts has the machine for itself meanwhile."""
    return {"jobs": -1} if isinstance(key, PrivateKey) else {}
