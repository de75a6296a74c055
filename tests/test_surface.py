"""What users type and what records hold, line by line as it was when somebody last looked at it.

::

    python -m tests.test_surface > tests/data/surface_golden.txt
    python -m tests.test_surface flower > tests/data/surface_flower_golden.txt

write it anew, for changes that users are told of.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer

import vecphe
from vecphe.cli.app import app
from vecphe.phe.command_line import cli

DATA = Path(__file__).parent / "data"
MODULES = ("vecphe", "vecphe.federated", "vecphe.phe", "vecphe.phe.util")


NAMES = ("min", "max", "allow_dash", "exists", "is_eager", "hidden", "prompt", "envvar", "metavar")
CALLED = ("callback", "parser")  # functions that an option has
OF_GROUPS = ("name", "context_settings", "no_args_is_help")


def commands(name: str, group: typer.Typer) -> Iterator[str]:
    """A group of commands and those below it, with the options and arguments of each."""
    yield f"{name}: {_plain(group.info.help)}"
    said = {key: value for key in OF_GROUPS if (value := _plain(getattr(group.info, key)))}
    cls = _plain(group.info.cls)
    yield f"  {said}, class {getattr(cls, '__name__', 'its own')}, pretty exceptions {group.pretty_exceptions_enable}"
    if start := group.registered_callback:
        yield f"  without a command {_plain(start.invoke_without_command)}"
        yield from (f"  {line}" for line in options(start.callback))
    for command in sorted(group.registered_commands, key=lambda command: str(command.callback.__name__)):
        function: Any = command.callback
        text = " ".join((command.help or function.__doc__ or "").split())
        yield f"{name} {command.name or function.__name__}: {text}"
        yield f"  hidden {command.hidden}, class {getattr(command.cls, '__name__', 'its own')}"
        yield from (f"  {line}" for line in options(function))
    for below in group.registered_groups:
        assert below.typer_instance is not None
        yield from commands(f"{name} {below.typer_instance.info.name}", below.typer_instance)


def _plain(value: Any) -> Any:
    """What was given, or what stands for nothing in typer."""
    return getattr(value, "value", value)


def options(function: Any) -> Iterator[str]:
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints[name]  # Python 3.10 makes it optional where None is the default
        for info in chain.from_iterable(getattr(part, "__metadata__", ()) for part in (hint, *get_args(hint))):
            default = getattr(parameter.default, "value", parameter.default)
            said = {
                key: value for key in NAMES if (value := getattr(info, key, None)) is not None and value is not False
            }
            said |= {key: value.__name__ for key in CALLED if (value := getattr(info, key, None)) is not None}
            written = " ".join([name, *(info.param_decls or ())])
            yield f"{written}: {'required' if default is parameter.empty else repr(default)}, {said}, {info.help}"


def phes_commands() -> Iterator[str]:
    for name, command in sorted(cli.commands.items()):
        yield f"pheutil {name}: {' '.join((command.help or '').split())}"
        for option in command.params:
            default, help_ = option.to_info_dict()["default"], " ".join((getattr(option, "help", "") or "").split())
            kind = {
                key: str(value) for key, value in vars(option.type).items() if key in ("allow_dash", "mode", "exists")
            }
            yield f"  {' '.join(option.opts)}: {option.type.name} {kind}, {option.required}, {default!r}, {help_}"


def functions(module: str) -> Iterator[str]:
    """Public functions, and the public methods and constructors of public classes."""
    found = importlib.import_module(module)
    for name in sorted(found.__all__):
        thing = getattr(found, name)
        if inspect.isclass(thing):
            members = {"": getattr(thing, "__init__", None)} if "__init__" in vars(thing) else {}
            members |= {f".{key}": getattr(thing, key) for key in sorted(vars(thing)) if is_ours(key)}
            for key, member in members.items():
                if callable(member) and not inspect.isclass(member):
                    yield f"{module}.{name}{key}({arguments(member)})"
        elif callable(thing):
            yield f"{module}.{name}({arguments(thing)})"


def defaults(modules: list[str]) -> Iterator[str]:
    """Every function and method of some modules that has arguments by default, with all of its arguments."""
    for name in modules:
        for found in vars(importlib.import_module(name)).values():
            own = getattr(found, "__module__", None) == name
            members = [found, *(vars(found).values() if own and inspect.isclass(found) else ())]
            for member in members:
                function = getattr(
                    member, "__func__", getattr(member, "func", inspect.unwrap(member) if callable(member) else None)
                )
                if inspect.isfunction(function) and function.__module__ == name and has_defaults(function):
                    yield f"{name}.{function.__qualname__}({arguments(function)})"


def has_defaults(function: Any) -> bool:
    """Of its own: a dataclass makes those of its constructor of its fields."""
    made = "<" in function.__code__.co_filename
    return not made and any(p.default is not p.empty for p in inspect.signature(function).parameters.values())


def modules(of_flower: bool) -> list[str]:
    """Those of the protocol over Flower, or all others; what imports Flower itself is looked at where it is tested."""
    names = sorted(module.name for module in pkgutil.walk_packages(vecphe.__path__, "vecphe."))
    left_out = ("__main__", "._native", *(f"flower.{name}" for name in ("apps", "client", "records", "server")))
    return [name for name in names if not name.endswith(left_out) and ("flower" in name) == of_flower]


def is_ours(name: str) -> bool:
    """Whether a method is public, and not one that scikit-learn adds."""
    return not name.startswith("_") and not name.endswith("_request")


def arguments(function: Any) -> str:
    """Names, with defaults: how a type is written is another matter."""
    written = []
    for parameter in inspect.signature(function).parameters.values():
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**", parameter.KEYWORD_ONLY: "[by name] "}
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}".split(" at 0x")[0]
        written.append(f"{stars.get(parameter.kind, '')}{parameter.name}{default}")
    return ", ".join(written)


def records(modules: list[str]) -> Iterator[str]:
    """Classes of data: what cannot be changed, is compared, is shown, and what it holds by default."""
    for name in modules:
        for key, found in sorted(vars(importlib.import_module(name)).items()):
            if inspect.isclass(found) and found.__module__ == name and dataclasses.is_dataclass(found):
                flags: Any = found.__dataclass_params__  # type: ignore[attr-defined]
                facts = {flag: getattr(flags, flag) for flag in ("frozen", "eq", "order", "repr")}
                facts |= {"slots": "__slots__" in vars(found), "own repr": "__repr__" in vars(found) and not flags.repr}
                yield f"{name}.{key}: {', '.join(flag for flag, value in facts.items() if value)}"
                yield from (f"  {line}" for line in map(field_line, dataclasses.fields(found)))


def field_line(field: Any) -> str:
    made = "" if field.default_factory is dataclasses.MISSING else f" made by {field.default_factory.__name__}"
    default = "" if field.default is dataclasses.MISSING else f" = {field.default!r}"
    without = [flag for flag in ("init", "repr", "compare") if not getattr(field, flag)]
    return f"{field.name}{default}{made}{' without ' if without else ''}{', '.join(without)}"


def surface() -> str:
    lines = [*commands("vecphe", app), *phes_commands()]
    for module in MODULES:
        lines += functions(module)
    return "".join(f"{line}\n" for line in [*lines, *data(modules(of_flower=False))])


def flower_surface() -> str:
    return "".join(f"{line}\n" for line in data(modules(of_flower=True)))


def data(modules: list[str]) -> list[str]:
    return [*sorted(set(defaults(modules))), *records(modules)]


def test_commands_and_signatures_are_those_that_somebody_has_looked_at() -> None:
    assert surface().splitlines() == (DATA / "surface_golden.txt").read_text(encoding="utf-8").splitlines()


def test_so_are_those_of_the_protocol_over_flower() -> None:
    pytest.importorskip("cryptography.hazmat.primitives.hpke", reason="needs cryptography 47")
    golden = (DATA / "surface_flower_golden.txt").read_text(encoding="utf-8")
    assert flower_surface().splitlines() == golden.splitlines()


if __name__ == "__main__":
    print(flower_surface() if sys.argv[1:] == ["flower"] else surface(), end="")
