"""The help of each command ends with an example, which it can read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from vecphe.cli.app import app
from vecphe.cli.examples import EXAMPLES


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(path), command
    else:
        for name, sub in inner.items():
            yield from commands(sub, (*path, name))


COMMANDS = dict(commands(get_command(app)))


def test_every_command_has_an_example_and_no_other() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys() - {"pheutil"}  # which has a help of its own
    assert COMMANDS["pheutil"].epilog is None


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_is_shown_and_can_be_read(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"]).output
    assert f"Example: {EXAMPLES[name]}" in " ".join(shown.split())
    words = shlex.split(EXAMPLES[name])
    assert words[: 1 + len(name.split())] == ["vecphe", *name.split()]
    command = COMMANDS[name]
    with command.make_context(name, [], resilient_parsing=True) as context:
        given, rest, _ = command.make_parser(context).parse_args(words[1 + len(name.split()) :])
    assert not rest
    required = {parameter.name for parameter in command.params if parameter.required}
    assert required <= {key for key, value in given.items() if value}
