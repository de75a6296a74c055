"""Rows of the gate from a Python file of its user's, for ``--rows``.

The file is run as it is, like a conftest.py: give only what you would run yourself. Each of its functions is a row,
unless its name starts with an underscore or it was imported::

    def total():                              # the row "total", timed as "speed: total"
        data, counts = ..., {}
        return lambda: my_total(data), lambda: a_loop(data), counts

It takes nothing and returns the candidate, a reference that the project cannot make slower, and maybe a dict of exact
counts, which is read after the candidate has run once. It is called anew for each block, so that memory is drawn anew.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vecphe.bench.counts import Counts
from vecphe.bench.ratio_rows import Block, RatioRow, Sampler, Work
from vecphe.errors import BenchmarkError, VecpheError

__all__ = ["UserRows"]

_MODULE = "vecphe_rows"
_Result = TypeVar("_Result")


class UserRows:
    """The rows of a file.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    timed : list of RatioRow

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no Python, fails, or has no rows.
    """

    def __init__(self, path: Path) -> None:
        self._functions = _functions(path)
        self.timed = [
            RatioRow(f"speed: {name}", 0, "its own", lambda _, name=name: self._made(name)[:2])  # type: ignore[misc]
            for name in self._functions
        ]

    def _made(self, name: str) -> tuple[Work, Work, Counts]:
        made = self._functions[name]()
        if not (isinstance(made, tuple) and len(made) in (2, 3) and callable(made[0]) and callable(made[1])):
            raise BenchmarkError("returned no (candidate, reference) or (candidate, reference, counts)")
        counts = made[2] if len(made) == 3 else {}
        if not isinstance(counts, dict):
            raise BenchmarkError(f"its counts are no dict, but {type(counts).__name__}")
        return made[0], made[1], counts

    def count(self) -> dict[str, Counts | VecpheError]:
        """Counts of the rows that have any, after one run of their candidate; or the error of those that fail."""
        found = {name: _guarded(name, lambda name=name: self._counted(name)) for name in self._functions}  # type: ignore[misc]
        return {name: counts for name, counts in found.items() if counts}

    def _counted(self, name: str) -> Counts:
        candidate, _, counts = self._made(name)
        candidate()
        for key, count in counts.items():
            if not isinstance(key, str) or isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise BenchmarkError(f"counts[{key!r}] is no count: {count!r}")
        return dict(counts)

    def samplers(self) -> dict[str, Callable[[], Block]]:
        """Row to what measures one more block of it."""
        return {row.name: _guarding(row) for row in self.timed}


def _guarding(row: RatioRow) -> Callable[[], Block]:
    sampler = Sampler(row, None)

    def block() -> Block:
        found = _guarded(row.name, sampler.block)
        if isinstance(found, VecpheError):
            raise found
        return found

    return block


def _guarded(name: str, work: Callable[[], _Result]) -> _Result | VecpheError:
    """What `work` returns, or its error, whatever it is, as one of the row."""
    try:
        return work()
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return BenchmarkError(str(error) if isinstance(error, BenchmarkError) else f"{name} failed: {text[:300]}")


def _functions(path: Path) -> Mapping[str, Callable[[], Any]]:
    path = path.resolve()
    path.read_bytes()  # OSError names the file
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"--rows: {path} is no Python file: its name has to end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    if str(path.parent) not in sys.path:  # as for a script: it may import what lies beside it
        sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"--rows: {path}: {type(error).__name__}: {error}") from error
    found = {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == _MODULE and not name.startswith("_")
    }
    if not found:
        raise ValueError(f"--rows: {path} has no rows: no function of its own without an underscore before its name")
    for name, function in found.items():
        if any(
            p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            for p in inspect.signature(function).parameters.values()
        ):
            raise ValueError(f"--rows: {path}: {name} takes arguments; what is no row starts with an underscore")
    return found
