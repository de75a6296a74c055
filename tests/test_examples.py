"""Every public object has an example, and it runs."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path
from typing import Any

import pytest

import vecphe
import vecphe.data
import vecphe.federated
import vecphe.phe

PUBLIC: dict[str, Any] = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (vecphe, vecphe.federated, vecphe.phe)
    for name in module.__all__
    if inspect.isroutine(getattr(module, name)) or inspect.isclass(getattr(module, name))
}
OBJECTS = {name: one for name, one in PUBLIC.items() if not (isinstance(one, type) and issubclass(one, Exception))}


OBJECTS |= {f"vecphe.data.{reader.__name__}": reader for reader in (vecphe.data.read_table, vecphe.data.read_rows)}


@pytest.mark.parametrize("name", OBJECTS)
def test_it_has_an_example_that_runs(name: str) -> None:
    finder = doctest.DocTestFinder(recurse=False)
    (test,) = finder.find(OBJECTS[name], name, globs={})
    assert test.examples, "no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    said: list[str] = []
    assert runner.run(test, out=said.append).failed == 0, "".join(said)


def test_a_wrong_example_would_be_seen() -> None:
    """A control."""
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner().run(test, out=lambda _: None).failed == 1


def test_there_are_many() -> None:
    assert len(OBJECTS) > 45


def test_the_reference_has_every_public_name() -> None:
    reference = Path(__file__).parents[1] / "docs" / "reference"
    pages = {"vecphe": "vecphe", "vecphe.federated": "federated", "vecphe.data": "data", "vecphe.phe": "phe"}
    for name in OBJECTS:
        module, _, own = name.rpartition(".")
        assert own in (reference / f"{pages[module]}.rst").read_text(encoding="utf-8").split(), name
