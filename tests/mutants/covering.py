"""Which tests run which lines of the package: measured once, and again for test files that have changed."""

from __future__ import annotations

import ast
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.mutants.model import ROOT, SOURCE, TESTS
from tests.mutants.operators import FUNCTION, Change, body_of
from tests.mutants.replay import OPTIONS, Copies, Run, ends_in_time, enter, function_of

__all__ = ["MARKED", "Covering", "measure"]

MARKED = "not slow"  # the tests of `make test`
_CACHE = ROOT / "build" / "covering.json"
_TIMEOUT = 1200.0  # seconds for the tests of one file
# A process that a test starts says which test it was: pytest keeps its name in the environment.
_SETTINGS = """\
[run]
source = {source}
data_file = {data}
parallel = true
context = ${{PYTEST_CURRENT_TEST-}}
"""
_START = "import coverage\ncoverage.process_startup()\n"
_FORK = multiprocessing.get_context("fork")


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
        if change.runs_in:
            return self._running(change.file, change.runs_in)
        if change.target and (named := self._naming(change.target)):
            return named
        module = self._running(change.file, self.tests.get(change.file, {}))
        folder = Path("tests", change.file).parent
        mirror = {test for test in self.seconds if Path(test.split("::")[0]).parent == folder}
        return module & mirror or module or mirror

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


def measure(copies: Copies) -> Covering:
    """What the tests run: measured where the tests, or what they ran of the package, are no longer what they were."""
    tests = [path for path in sorted(TESTS.rglob("*.py")) if "mutants" not in path.parts]
    digests = {str(path.relative_to(ROOT)): _digest([path]) for path in tests if _holds_tests(path)}
    helpers = _digest(path for path in tests if not _holds_tests(path))
    cached = _read()
    parts = {file: cached[file] for file in digests if file in cached and _holds(cached[file], digests[file], helpers)}
    missing = [file for file in digests if file not in parts]
    for number, file in enumerate(missing, 1):
        print(f"[{number:3}/{len(missing)}] which lines do its tests run: {file}", flush=True)
        parts[file] = {"digest": digests[file], "helpers": helpers, **_measured(copies, file)}
        _write(cached | parts)
    return _joined(parts.values())


def _holds(part: dict[str, Any], digest: str, helpers: str) -> bool:
    return (
        part["digest"] == digest
        and part["helpers"] == helpers
        and all(_digest_of_source(file) == then for file, then in part["sources"].items())
    )


def _holds_tests(path: Path) -> bool:
    return path.is_relative_to(TESTS) and path.name.startswith("test_")


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() + b"\0" for path in sorted(paths))).hexdigest()


def _digest_of_source(file: str) -> str:
    path = SOURCE / "vecphe" / file
    return _digest([path]) if path.exists() else ""


def _read() -> dict[str, Any]:
    try:
        return json.loads(_CACHE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


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
            for file, lines in files.items():
                for line in lines:
                    tests[file][line].add(test)
    return Covering(seconds, tests)


def _measured(copies: Copies, file: str) -> dict[str, Any]:
    copy = copies.make()
    child = _FORK.Process(target=_measure_in_child, args=(copy, file))
    child.start()
    if not ends_in_time(child, _TIMEOUT) or child.exitcode:
        raise RuntimeError(f"{file} could not be measured: {(copy / 'output').read_text()[-2000:]}")
    part = json.loads((copy / "covering.json").read_text(encoding="utf-8"))
    shutil.rmtree(copy, ignore_errors=True)  # what a test has left running may still write there
    if failed := part.pop("failed"):
        _check_failures(copies, failed)
    return part


def _check_failures(copies: Copies, failed: list[str]) -> None:
    """Raise RuntimeError where a test fails without being measured, too: it would fail on every fault."""
    outcome = Run(copies.make(), [failed], None, _TIMEOUT, MARKED).outcome()
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


def _measure_in_child(copy: Path, file: str) -> None:
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
    pytest.main([*OPTIONS, "-m", MARKED, file], plugins=[recorder])
    measuring.stop()
    measuring.save()
    measuring.combine(strict=False)
    lines = _lines(measuring.get_data(), copy / "vecphe")
    content = {
        "seconds": recorder.seconds,
        "failed": sorted(recorder.failed),
        "lines": {test: files for test, files in lines.items() if test in recorder.seconds},
        "sources": {file: _digest_of_source(file) for files in lines.values() for file in files},
    }
    (copy / "covering.json").write_text(json.dumps(content), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)


def _lines(data: Any, package: Path) -> dict[str, dict[str, list[int]]]:
    """Of each test and file, the lines of functions that it runs; the others run when any test imports the module."""
    lines: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for path in map(Path, data.measured_files()):
        inside = _lines_of_functions(path)
        for line, contexts in data.contexts_by_lineno(str(path)).items():
            for test in {_test_of(context) for context in contexts if line in inside} - {""}:
                lines[test][str(path.relative_to(package))].append(line)
    return lines


def _lines_of_functions(path: Path) -> set[int]:
    functions = (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, FUNCTION))
    return {line for node in functions for line in body_of(node)}


def _test_of(context: str) -> str:
    """Of a context such as "tests/a.py::test[x] (call)", which a process has, or "...|tests/a.py::test"."""
    return function_of(context.rpartition("|")[2].split(" (")[0])
