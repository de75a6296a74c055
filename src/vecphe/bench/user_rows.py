"""Rows of the gate: the library's, or those of a Python file of its user's, for ``--rows``.

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
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from vecphe.bench.count_rows import COUNT_ROWS, Material, Work, count
from vecphe.bench.counts import Counts
from vecphe.bench.ratio_rows import RATIO_ROWS, Sampler
from vecphe.errors import BenchmarkError

__all__ = ["Rows"]

_MODULE = "vecphe_rows"
_Result = TypeVar("_Result")


class Rows:
    """What counts a row, which may have none, and what measures one more block of a row, by the names of rows.

    Whatever goes wrong in them is a BenchmarkError that names the row.
    """

    def __init__(self, counted: Mapping[str, Callable[[], Counts]], timed: Mapping[str, Sampler]) -> None:
        self.counts = {name: _naming(name, row) for name, row in counted.items()}
        self.blocks = {name: _naming(name, row.block) for name, row in timed.items()}
        self.slack = {name: row.slack for name, row in timed.items()}

    @classmethod
    def of_library(cls) -> Rows:
        """On the engine that is active when they run."""
        material = cache(Material)
        return cls(
            {name: partial(count, workload, material) for name, workload in COUNT_ROWS.items()},
            {row.name: Sampler(partial(row.make, material), row.slack) for row in RATIO_ROWS},
        )

    @classmethod
    def of_file(cls, path: Path) -> Rows:
        """A user's; OSError if the file cannot be read, ValueError if it is no Python, fails, or has no rows."""
        functions = _functions(path).items()
        return cls(
            {name: partial(_counts, function) for name, function in functions},
            {f"speed: {name}": Sampler(partial(_sides, function)) for name, function in functions},
        )


def _naming(row: str, work: Callable[[], _Result]) -> Callable[[], _Result]:
    def named() -> _Result:
        try:
            return work()
        except BenchmarkError as error:
            raise BenchmarkError(f"{row}: {error}") from error
        except (Exception, SystemExit) as error:  # sys.exit() in a row would end the gate as if all had held
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise BenchmarkError(f"{row} failed: {text[:300]}") from error

    return named


def _made(row: Callable[[], Any]) -> tuple[Work, Work, Counts]:
    made = row()
    if not (isinstance(made, tuple) and len(made) in (2, 3) and callable(made[0]) and callable(made[1])):
        raise BenchmarkError("returned no (candidate, reference) or (candidate, reference, counts)")
    counts = made[2] if len(made) == 3 else {}
    if not isinstance(counts, dict):
        raise BenchmarkError(f"its counts are no dict, but {type(counts).__name__}")
    return made[0], made[1], counts


def _sides(row: Callable[[], Any]) -> tuple[Work, Work]:
    return _made(row)[:2]


def _counts(row: Callable[[], Any]) -> Counts:
    """After one run of its candidate."""
    candidate, _, counts = _made(row)
    candidate()
    for key, number in counts.items():
        if not isinstance(key, str) or isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise BenchmarkError(f"counts[{key!r}] is no count: {number!r}")
    return dict(counts)


def _is_row(value: Any) -> bool:
    """Whether it is a function of the file, bare or under a decorator such as functools.cache."""
    return getattr(value, "__module__", None) == _MODULE and inspect.isfunction(inspect.unwrap(value))


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
    except (Exception, SystemExit) as error:
        raise ValueError(f"--rows: {path}: {type(error).__name__}: {error}") from error
    found = {name: value for name, value in vars(module).items() if not name.startswith("_") and _is_row(value)}
    if not found:
        raise ValueError(f"--rows: {path} has no rows: no function of its own without an underscore before its name")
    for name, function in found.items():
        try:
            inspect.signature(function).bind()
        except TypeError:
            raise ValueError(
                f"--rows: {path}: {name} takes arguments; what is no row starts with an underscore"
            ) from None
    return found
