"""phe's own tests, from the installed package, with ``phe`` meaning ``vecphe.phe``.

Its four modules are imported anew under other names; what ``phe`` means to everyone else stays as it was. All of
them pass; what differs where phe's tests do not look is in docs/phe.md and tests/phe/test_deviations.py.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import phe

import vecphe.phe

MODULES = ("paillier_test", "math_test", "util_test", "cli_test")

# How many tests phe has: an empty load must not pass.
COUNTS = {"1.5.0": {"paillier_test": 188, "math_test": 2, "util_test": 15, "cli_test": 29}}


@contextmanager
def _aliased() -> Iterator[None]:
    facade = {"phe": vecphe.phe} | {
        f"phe.{name}": getattr(vecphe.phe, name) for name in ("paillier", "encoding", "util", "command_line")
    }
    names = [name for name in sys.modules if name == "phe" or name.startswith("phe.")]
    kept = {name: sys.modules.pop(name) for name in names}
    sys.modules.update(facade)
    try:
        yield
    finally:
        for name in facade:
            del sys.modules[name]
        sys.modules.update(kept)


def _load(name: str) -> ModuleType:
    path = Path(phe.__file__).parent / "tests" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"phe_suite_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _aliased():
        spec.loader.exec_module(module)
    return module


LOADED = {name: _load(name) for name in MODULES}


def _cases(module: ModuleType) -> dict[str, type[unittest.TestCase]]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, unittest.TestCase)
        and unittest.defaultTestLoader.getTestCaseNames(value)
    }


def _close_files(holder: object) -> None:
    for value in vars(holder).values():
        if hasattr(value, "read") and hasattr(value, "close"):
            value.close()


# phe leaves these temporary files to the garbage collector, which warns about them.
_Helpers = LOADED["cli_test"].TestConsoleHelpers
_Helpers.tearDown = _close_files
_Helpers.tearDownClass = classmethod(_close_files)

# pytest collects them from here as it does any unittest class.
for _name, _module in LOADED.items():
    for _case_name, _case in _cases(_module).items():
        globals()[f"{_name}_{_case_name}"] = _case
del _name, _module, _case_name, _case


def test_all_of_phes_tests_are_here() -> None:
    counts = {
        name: sum(len(unittest.defaultTestLoader.getTestCaseNames(case)) for case in _cases(module).values())
        for name, module in LOADED.items()
    }
    assert counts == COUNTS[importlib.metadata.version("phe")]


def test_they_test_the_facade_and_nothing_leaks() -> None:
    assert LOADED["paillier_test"].paillier is vecphe.phe.paillier
    assert LOADED["math_test"].paillier is vecphe.phe.paillier
    assert LOADED["util_test"].util is vecphe.phe.util
    assert LOADED["cli_test"].cli is vecphe.phe.command_line.cli
    assert sys.modules["phe"] is phe
    assert sys.modules["phe.paillier"] is phe.paillier
    assert phe.paillier.__name__ == "phe.paillier"
