"""Which tests run which lines of the package: measured once, and again for test files that have changed."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.mutants.model import ROOT, SOURCE, TESTS
from tests.mutants.operators import FUNCTION, Change, body_of
from tests.mutants.replay import OPTIONS, Copies, Forked, Outcome, Run, enter, function_of, side_by_side

__all__ = ["MARKED", "Covering", "measure", "outcome_without_fault"]

MARKED = "not slow"  # the tests of `make test`
_CACHE = ROOT / "build" / "covering.json"
_OF_HEADS = "tests/test_surface.py"  # its tests read what stands in the heads of functions, and run none of their lines
_PART = {"files", "seconds", "lines", "rests"}  # what is kept of each file of tests
_TIMEOUT = 900.0  # seconds for the tests of one file
# A process that a test starts says which test it was: pytest keeps its name in the environment.
_SETTINGS = """\
[run]
source = {source}
data_file = {data}
parallel = true
context = ${{PYTEST_CURRENT_TEST-}}
"""
_START = "import coverage\ncoverage.process_startup()\n"


@dataclass(frozen=True)
class Covering:
    """What the tests run.

    Attributes
    ----------
    seconds : dict
        Of each test, as ``path::function``, with coverage measured.
    tests : dict
        Of each file below src/vecphe and line, the tests that run it.
    """

    seconds: dict[str, float]
    tests: dict[str, dict[int, set[str]]]

    def of(self, change: Change) -> list[list[str]]:
        """Tests that can see a change, file by file: the one that mirrors the module first, then the fast ones."""
        return self._in_order(self._found(change), change.file)

    def _found(self, change: Change) -> set[str]:
        of_heads = set() if change.line in change.runs_in else self._of_file(_OF_HEADS)
        return of_heads | (
            self._running(change.file, change.runs_in)
            or (self._naming(change.target) if change.target else set())
            or self._mirroring(change.file)
        )

    def _mirroring(self, file: str) -> set[str]:
        """Tests of what runs at import, or in processes that end so that nothing measured is left of them."""
        module = self._running(file, self.tests.get(file, {}))
        folder = Path("tests", file).parent
        mirror = {test for test in self.seconds if Path(test.split("::")[0]).parent == folder}
        return module & mirror or module or mirror

    def _of_file(self, file: str) -> set[str]:
        return {test for test in self.seconds if test.split("::")[0] == file}

    def _running(self, file: str, lines: Iterable[int]) -> set[str]:
        of_file = self.tests.get(file, {})
        return {test for line in lines for test in of_file.get(line, ())}

    def _naming(self, target: str) -> set[str]:
        """Tests that run a line which names something given a value at import."""
        found, word = set(), re.compile(rf"\b{re.escape(target)}\b")
        for file in self.tests:
            text = (SOURCE / "vecphe" / file).read_text(encoding="utf-8").splitlines()
            found |= self._running(file, (i for i, line in enumerate(text, 1) if word.search(line)))
        return found

    def _in_order(self, tests: set[str], file: str) -> list[list[str]]:
        groups = defaultdict(list)
        for test in sorted(tests, key=lambda test: self.seconds[test]):
            groups[test.split("::")[0]].append(test)
        mirror = f"tests/{Path(file).parent / f'test_{Path(file).stem}.py'}"
        return sorted(groups.values(), key=lambda group: self._rank(group, mirror))

    def _rank(self, group: list[str], mirror: str) -> tuple[bool, float]:
        return not group[0].startswith(f"{mirror}::"), self.time_of([group])

    def time_of(self, groups: list[list[str]]) -> float:
        """Seconds that tests took while they were measured."""
        return sum(self.seconds[test] for group in groups for test in group)


@dataclass(frozen=True)
class _Functions:
    """A module's functions that stand in no other, and the rest of it.

    Attributes
    ----------
    starts : dict
        First line of each, by its name and what it says.
    lines : dict
        Of each line that runs when one is called, its key in `starts` and how far it is from there.
    rest : str
        Digest of all other lines.
    """

    starts: dict[str, int]
    lines: dict[int, tuple[str, int]]
    rest: str


def measure(copies: Copies) -> Covering:
    """What the tests run: measured where the tests, or what they ran of the package, are no longer what they were."""
    files = [str(path.relative_to(ROOT)) for path in sorted(TESTS.rglob("test_*.py")) if _is_measured(path)]
    parts = {file: part for file, part in _read().items() if file in files and _is_same(part["files"])}
    missing = {file: _dropped(parts[file]) if file in parts else [file] for file in files}
    missing = {file: node_ids for file, node_ids in missing.items() if node_ids}
    started = side_by_side(list(missing), lambda file: Measured(copies, missing[file]))
    count = len(missing)
    for number, (file, process) in enumerate(started, 1):
        print(f"[{number:3}/{count}] which lines the tests run: {file}", flush=True)
        if (part := process.part()) is None:
            print(f"{'':10}NOT MEASURED, no end in {_TIMEOUT:g} s: what only its tests see will be told as surviving")
            continue
        known = parts.get(file, {})
        parts[file] = {key: known.get(key, {}) | found for key, found in part.items()}
        del missing[file]
        _write({file: part for file, part in parts.items() if file not in missing})
    return _joined(parts.values())


def _is_measured(path: Path) -> bool:
    return path.is_relative_to(TESTS) and not path.is_relative_to(TESTS / "mutants")


def _is_same(files: dict[str, str]) -> bool:
    """Whether a file of tests, and those of ours that it imports, are what they were."""
    return all((ROOT / file).exists() and _digest(ROOT / file) == digest for file, digest in files.items())


def _dropped(part: dict[str, Any]) -> list[str]:
    """Tests that ran what has changed since, and are no longer in the part."""
    dropped = [test for test in part["seconds"] if not _holds(part["rests"], part["lines"].get(test, {}))]
    for test in dropped:
        del part["seconds"][test], part["lines"][test]
    return dropped


def _holds(rests: dict[str, str], ran: dict[str, dict[str, list[int]]]) -> bool:
    """Whether what a test ran is still there, and whatever else stands beside it."""
    current = {file: _functions(SOURCE / "vecphe" / file) for file in ran}
    return all(
        current[file].rest == rests[file] and current[file].starts.keys() >= functions.keys()
        for file, functions in ran.items()
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _functions(path: Path) -> _Functions:
    return _functions_of(path.read_text(encoding="utf-8") if path.exists() else "")


@cache
def _functions_of(text: str) -> _Functions:
    starts, lines, rest = {}, {}, text.splitlines()
    for name, node in _outermost(ast.parse(text), ""):
        start = min(part.lineno for part in (node, *node.decorator_list))
        place = slice(start - 1, node.end_lineno)
        key = f"{name} {hashlib.sha256(chr(10).join(text.splitlines()[place]).encode()).hexdigest()[:16]}"
        starts[key] = start
        inside = {line for part in ast.walk(node) if isinstance(part, FUNCTION) for line in body_of(part)}
        lines |= {line: (key, line - start) for line in inside}
        rest[place] = [name, *[""] * (len(rest[place]) - 1)]
    return _Functions(starts, lines, hashlib.sha256("\n".join(filter(None, rest)).encode()).hexdigest())


def _outermost(tree: ast.AST, name: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        own = f"{name}.{node.name}" if isinstance(node, (*FUNCTION, ast.ClassDef)) else name
        if isinstance(node, FUNCTION):
            yield own, node
        else:
            yield from _outermost(node, own)


def _read() -> dict[str, Any]:
    """What is kept, without what something else than `_write` has left there."""
    try:
        cache = json.loads(_CACHE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    parts = cache.items() if isinstance(cache, dict) else ()
    return {file: part for file, part in parts if isinstance(part, dict) and part.keys() >= _PART}


def _write(cache: dict[str, Any]) -> None:
    _CACHE.parent.mkdir(exist_ok=True)
    new = _CACHE.with_suffix(".new")
    new.write_text(json.dumps(cache), encoding="utf-8")
    new.replace(_CACHE)


def _joined(parts: Iterable[dict[str, Any]]) -> Covering:
    seconds: dict[str, float] = {}
    tests: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for part in parts:
        seconds |= part["seconds"]
        for test, files in part["lines"].items():
            for file, functions in files.items():
                starts = _functions(SOURCE / "vecphe" / file).starts
                for function, lines in functions.items():
                    for line in lines:
                        tests[file][starts[function] + line].add(test)
    return Covering(seconds, tests)


def outcome_without_fault(copies: Copies, node_ids: list[str]) -> Outcome | None:
    """Outcome of tests on an unchanged copy; None if they do not end."""
    run = Run(copies.make(), [node_ids], None, _TIMEOUT, MARKED)
    outcome = run.outcome()
    copies.discard(run.copy)
    return outcome


class Measured(Forked):
    """Tests of one file, with coverage."""

    def __init__(self, copies: Copies, node_ids: list[str]) -> None:
        self._copies, self._node_ids, self._copy = copies, node_ids, copies.make()
        super().__init__(_TIMEOUT, _measure_in_child, self._copy, node_ids)

    def part(self) -> dict[str, Any] | None:
        """What they took and ran; None if they do not end, and RuntimeError is raised if they fail."""
        if not self.ends_in_time():
            return None
        if self.child.exitcode:
            raise RuntimeError(f"{self._node_ids} could not be measured: {(self._copy / 'output').read_text()[-2000:]}")
        part = json.loads((self._copy / "covering.json").read_text(encoding="utf-8"))
        self._copies.discard(self._copy)
        if failed := part.pop("failed"):
            self._check_failures(failed)
        return part

    def _check_failures(self, failed: list[str]) -> None:
        """Raise RuntimeError where a test fails without being measured, too: it would fail on every fault."""
        outcome = outcome_without_fault(self._copies, failed)
        if outcome is None or outcome.failed or outcome.broken:
            raise RuntimeError(f"tests fail without any fault: {outcome and [*outcome.failed, *outcome.broken]}")


class _Recorder:
    """Pytest plugin: tells coverage which test runs, and how long it takes."""

    def __init__(self, coverage: Any) -> None:
        self._coverage = coverage
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(function_of(item.nodeid))
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[function_of(item.nodeid)] += time.perf_counter() - started
            self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(function_of(report.nodeid))


def _measure_in_child(copy: Path, node_ids: list[str]) -> None:
    import coverage

    settings = copy / "coveragerc"
    settings.write_text(_SETTINGS.format(source=copy / "vecphe", data=copy / "data"), encoding="utf-8")
    with (copy / "sitecustomize.py").open("a", encoding="utf-8") as site:
        site.write(_START)
    enter(copy)
    measuring = coverage.Coverage(config_file=str(settings))
    os.environ["COVERAGE_PROCESS_START"] = str(settings)
    recorder = _Recorder(measuring)
    measuring.start()
    pytest.main([*OPTIONS, "-m", MARKED, *node_ids], plugins=[recorder])
    measuring.stop()
    measuring.save()
    measuring.combine(strict=False)
    lines = _lines(measuring.get_data(), copy / "vecphe")
    ran = {test: lines.get(test, {}) for test in recorder.seconds}
    imported = {Path(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
    content = {
        "files": {str(path.relative_to(ROOT)): _digest(path) for path in sorted(imported) if _is_measured(path)},
        "seconds": recorder.seconds,
        "failed": sorted(recorder.failed),
        "lines": ran,
        "rests": {file: _functions(copy / "vecphe" / file).rest for files in ran.values() for file in files},
    }
    (copy / "covering.json").write_text(json.dumps(content), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)


def _lines(data: Any, package: Path) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Of each test, file and function, the lines that it runs; other lines run when any test imports the module."""
    ran: dict[str, dict[str, dict[str, list[int]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for path in map(Path, data.measured_files()):
        inside = _functions(path).lines
        for line, contexts in data.contexts_by_lineno(str(path)).items():
            for test in {_test_of(context) for context in contexts if line in inside} - {""}:
                function, offset = inside[line]
                ran[test][str(path.relative_to(package))][function].append(offset)
    return ran


def _test_of(context: str) -> str:
    """Of a context such as "tests/a.py::test[x] (call)", which a process has, or "...|tests/a.py::test"."""
    return function_of(context.rpartition("|")[2].split(" (")[0])
