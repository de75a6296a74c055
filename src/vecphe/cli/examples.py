"""One example of each command, shown below its help."""

from __future__ import annotations

import typer
from typer.main import get_command_name

__all__ = ["show_examples"]

EXAMPLES = {
    "info": "vecphe info --json",
    "keygen": "vecphe keygen --out lab.key",
    "pubkey": "vecphe pubkey lab.key --out lab.key.pub",
    "encrypt": "vecphe encrypt ward1.csv --key lab.key.pub --packed --out ward1.enc",
    "add": "vecphe add ward1.enc ward2.enc --key lab.key.pub --out total.enc",
    "decrypt": "vecphe decrypt total.enc --key lab.key --out total.csv",
    "inspect": "vecphe inspect total.enc",
    "layout": "vecphe layout --max-abs 100 --precision 1e-6 --key-length 2048",
    "estimate": "vecphe estimate --clients 1000 --values 10000000 --cores 64",
    "run": "vecphe run --data a.csv --data b.csv --data c.csv --target cost --model cost.json",
    "predict": "vecphe predict cost.json new.csv --out costs.csv",
    "bench run": "vecphe bench run --budget 15m --save results.json --report report",
    "bench compare": "vecphe bench compare old.json new.json",
    "bench baseline": "vecphe bench baseline benchmarks/baseline.json",
    "bench check": "vecphe bench check benchmarks/baseline.json --counts-only",
    "roster keys": 'vecphe roster keys "Hospital 1" --out h1.party',
    "roster collect": (
        "vecphe roster collect h1.party.pub h2.party.pub h3.party.pub --server s.party.pub --key run.key.pub "
        "--out roster.json"
    ),
    "roster show": "vecphe roster show roster.json",
    "roster verify": "vecphe roster verify roster.json --party h1.party",
}


def show_examples(app: typer.Typer, path: tuple[str, ...] = ()) -> None:
    """Put an example below the help of every command of an application and of those inside it."""
    for command in app.registered_commands:
        name = get_command_name(command.callback.__name__)  # type: ignore[union-attr]
        example = EXAMPLES.get(" ".join((*path, name)))
        if example:
            command.epilog = f"Example: {example}"
    for group in app.registered_groups:
        inner = group.typer_instance
        if inner is not None:
            show_examples(inner, (*path, str(inner.info.name)))
