"""docs/architecture.md against the layers of import-linter and the sources."""

from __future__ import annotations

import importlib
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

tomllib = pytest.importorskip("tomllib")  # Python 3.11

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
_, DRAWING, BESIDE, WAY, NOTES = PAGE.split("\n```\n")


def layers() -> list[set[str]]:
    """Modules by floor, from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = (contract for contract in contracts if contract["id"] == "layers")
    return [set(re.findall(r"\w+", floor)) & modules() for floor in contract["layers"]]


def modules() -> set[str]:
    package = ROOT / "src" / "vecphe"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    return rooms | {path.stem for path in package.glob("*.py")} - {"__init__"}


def drawn() -> list[list[str]]:
    """The modules of each line of the drawing, in the order of the page."""
    lines = [re.split(r" {3,}", line.strip())[0].split() for line in DRAWING.splitlines()]
    return [names for line in lines if (names := [word for word in line if word in modules()])]


def test_every_module_has_one_place_on_the_page() -> None:
    placed = [name for names in drawn() for name in names]
    beside = [name for name in re.findall(r"`(\w+)`", BESIDE) if name in modules()]
    assert sorted(placed + beside) == sorted(modules())


def test_the_drawing_has_the_order_of_the_layers() -> None:
    floor = {name: number for number, names in enumerate(layers()) for name in names}
    heights = [[floor[name] for name in names] for names in drawn()]
    assert len(heights) > 8
    for upper, lower in pairwise(heights):
        assert max(upper) <= min(lower), (upper, lower)


def named_on_the_way() -> list[str]:
    return re.findall(r"\b(\w+\.[a-z_]\w+)\b", WAY)


HOMES: dict[str, Any] = {
    "FixedPoint": "plaintext.encoding",
    "Format": "plaintext.format",
    "RandomizerSource": "randomness.randomizers",
    "Ring": "arithmetic",
    "Decryptor": "arithmetic",
    "KeyContext": "numbers.context",
    "ArrayData": "array.data",
    "_DecryptAway": "keys.private_key",
}
ROOMS = {"encoding": "plaintext.encoding", "format": "plaintext.format", "parallel": "system.parallel"}


def test_what_the_way_names_is_there() -> None:
    names = [name for name in named_on_the_way() if not name.startswith(("c.", "public_key.", "private_key."))]
    assert len(names) > 10
    for owner, name in (name.split(".") for name in names):
        if (ROOT / "src" / "native" / f"{owner}.{name}").exists():
            continue
        home = importlib.import_module(f"vecphe.{(HOMES | ROOMS).get(owner, owner)}")
        target = getattr(home, owner) if owner in HOMES else home
        assert hasattr(target, name) or importlib.import_module(f"vecphe.{owner}.{name}"), (owner, name)


def test_what_the_notes_name_is_there() -> None:
    names = [name for name in re.findall(r"`(\w+)(?:\.\w+)?`", NOTES) if name in HOMES]
    assert {"KeyContext", "Format", "ArrayData", "_DecryptAway"} <= set(names)
    for owner, attribute in re.findall(r"`(\w+)\.(\w+)`", NOTES):
        if owner in HOMES:
            assert hasattr(getattr(importlib.import_module(f"vecphe.{HOMES[owner]}"), owner), attribute)
