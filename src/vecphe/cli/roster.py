"""`vecphe roster`: the keys of the parties of a run between machines, and the file that pins them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecphe.cli.crypt import Force, Insecure
from vecphe.cli.failure import errors_in_one_line
from vecphe.errors import VecpheError

if TYPE_CHECKING:
    from vecphe.flower.roster import Roster

__all__ = ["roster"]

_ERRORS = (VecpheError, ValueError, OSError, ImportError)  # of cryptography, where it is too old

roster = typer.Typer(
    name="roster",
    help="Keys of the parties of a run between machines, and the roster that pins them (docs/flower.md).",
    no_args_is_help=True,
)

RosterFile = Annotated[Path, typer.Argument(metavar="ROSTER", help="File of the roster.")]


@roster.command()
def keys(
    name: Annotated[str, typer.Argument(help="Name of the party.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the private keys; OUT.pub gets the public ones.")],
    force: Force = False,
) -> None:
    """Make the keys of a party: a private file that only you can read, and a public one to give away."""
    from vecphe.cli.output import check_writable
    from vecphe.system.files import replace_file

    public = out.with_name(out.name + ".pub")
    with errors_in_one_line(*_ERRORS):
        from vecphe.flower.roster import Identity

        for path in (out, public):
            check_writable(path, force)
        identity = Identity.generate(name)
        identity.save(out, force=force)
        replace_file(public, identity.member.to_bytes(), force=force)
    print(f"private keys: {out}\npublic keys: {public}\nid: {identity.member.id}")


@roster.command()
def collect(
    clients: Annotated[list[Path], typer.Argument(metavar="CLIENT...", help="Public files of the clients, in order.")],
    server: Annotated[Path, typer.Option(help="Public file of the server.")],
    key: Annotated[Path, typer.Option("--key", "-k", help="File of the run's public Paillier key.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the roster.")],
    holder: Annotated[
        Path | None, typer.Option(help="Public file of the holder of the private key: a star. Without, a ring.")
    ] = None,
    force: Force = False,
    insecure: Insecure = False,
) -> None:
    """Make the roster of a new run. Every party gets this file by a way that is not the server's."""
    from vecphe.cli.output import check_writable
    from vecphe.cli.streams import load_public_key
    from vecphe.system.files import replace_file

    with errors_in_one_line(*_ERRORS):
        from vecphe.flower.roster import Member, Roster

        check_writable(out, force)
        public_key = load_public_key(key, insecure)
        made = Roster.collect(
            [Member.load(path) for path in clients],
            Member.load(server),
            public_key.fingerprint,
            None if holder is None else Member.load(holder),
        )
        replace_file(out, made.to_bytes(), force=force)
    print(f"roster: {out}\n{_described(made)}")


@roster.command()
def show(path: RosterFile) -> None:
    """Tell what a roster pins: compare its digest with the other parties, by telephone for instance."""
    with errors_in_one_line(*_ERRORS):
        from vecphe.flower.roster import Roster

        loaded = Roster.load(path)
    print(_described(loaded))


@roster.command()
def verify(
    path: RosterFile,
    party: Annotated[
        Path | None, typer.Option(help="Private file of a party, which must be in the roster with these keys.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", "-k", help="File of the public Paillier key, which must be the roster's.")
    ] = None,
    digest: Annotated[str | None, typer.Option(help="The digest that the other parties have.")] = None,
    insecure: Insecure = False,
) -> None:
    """Hold a roster against your own keys, the public key and the digest that others have; exit 2 if one differs."""
    from vecphe.cli.streams import load_public_key

    if party is None and key is None and digest is None:
        raise typer.BadParameter("give --party, --key or --digest, to hold the roster against")
    with errors_in_one_line(*_ERRORS):
        from vecphe.flower.roster import Identity, Roster

        loaded = Roster.load(path)
        if party is not None and (member := Identity.load(party).member) not in loaded.parties:
            raise ValueError(f"{path}: no party has the keys of {member.name} in {party}")
        if key is not None and load_public_key(key, insecure).fingerprint != loaded.key:
            raise ValueError(f"{path}: the public key in {key} is another than the roster's {loaded.key}")
        if digest is not None and digest.strip().lower() != loaded.digest:
            raise ValueError(f"{path}: its digest is {loaded.digest}, not the one that was given")
    print(f"{path} is right\n{_described(loaded)}")


def _described(made: Roster) -> str:
    parties: list[tuple[str, Any]] = [(f"client {i}", member) for i, member in enumerate(made.members, 1)]
    parties += [("server", made.server)]
    if made.topology == "star":
        parties += [("holder", made.holder)]
    lines = [f"{what}: {member.name}, id {member.id}" for what, member in parties]
    head = [f"topology: {made.topology}", f"run: {made.run}", f"public key: {made.key}"]
    return "\n".join([*head, *lines, f"digest: {made.digest}"])
