"""Replay the planted faults: ``make mutants``, or ``python -m tests.mutants.replay --rows 16,21``.

Each fault is planted in a copy of the package in a temporary directory, never in the working tree, and the tests that
it names run on this copy. A mutant is caught if each of them fails in the test itself: an error while the test is
collected or set up, or one that any broken source gives (ImportError, NameError, SyntaxError), does not count.
The tests must pass on an unchanged copy first.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import pytest
from tests.mutants.model import ROOT, SOURCE, Mutant, StaleMutantError, load_table

_TIMEOUT = 120.0  # seconds for the tests of one mutant
_AT_ONCE = min(os.cpu_count() or 1, 2)  # mutants; more would disturb tests that measure time
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_FORK = multiprocessing.get_context("fork")
_BROKEN = (ImportError, NameError, SyntaxError)
_NATIVE = "vecphe.arithmetic._native"
# Processes that a test starts import the package anew: without this the finder of an editable install, which stands
# before sys.path, would give them the working tree.
_SITE = """\
import sys
sys.meta_path[:] = [f for f in sys.meta_path if not f.__module__.startswith("_editable_")]
"""
T = TypeVar("T")
P = TypeVar("P", bound="Forked")


@dataclass
class Outcome:
    """What became of the tests on one copy, by ``path::function``."""

    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    imported_from: str = ""
    first: str = ""  # test, or file of tests, that failed or was broken first


class Observer:
    """Pytest plugin: records outcomes; stops once a test has failed, and so have those that must.

    Without `must_fail` every test runs; with it, the other cases of a test are left out once one has failed.
    A test that takes longer than its limit ends the process, and a file says so.
    """

    def __init__(self, must_fail: Sequence[str] | None, limits: Mapping[str, float], told: IO[str]) -> None:
        self.outcome = Outcome()
        self.is_done = False
        self._must_fail = None if must_fail is None else set(must_fail)
        self._limits, self._told = limits, told

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if limit := self._limits.get(function_of(item.nodeid)):
            faulthandler.dump_traceback_later(limit, exit=True, file=self._told)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._note(report.nodeid)
            self.outcome.broken.append(f"collecting {report.nodeid}: {report.longreprtext.strip()[-300:]}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if self._must_fail is not None and function_of(item.nodeid) in self.outcome.failed:
            pytest.skip("another case has failed")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        name, error = function_of(item.nodeid), call.excinfo
        if report.failed:
            self._note(name)
        if call.when == "call" and report.passed:
            self.outcome.passed.add(name)
        elif report.failed and (call.when != "call" or (error and isinstance(error.value, _BROKEN))):
            self.outcome.broken.append(f"{call.when} of {item.nodeid}: {error.exconly()[:300] if error else ''}")
        elif report.failed:
            self.outcome.failed.add(name)
        if report.failed and self._must_fail is not None and self._must_fail <= self.outcome.failed:
            self.is_done = True
            item.session.shouldstop = "enough has failed"
        return report

    def _note(self, name: str) -> None:
        self.outcome.first = self.outcome.first or name

    def pytest_sessionfinish(self) -> None:
        self.outcome.imported_from = getattr(sys.modules.get("vecphe"), "__file__", "") or ""


def function_of(node_id: str) -> str:
    """The test without its case, as ``path::function``."""
    return node_id.split("[", 1)[0]


class Fault(Protocol):
    """What can be planted in a copy."""

    @property
    def file(self) -> str:
        """Path below src/vecphe."""

    def mutated(self, source: Path) -> str:
        """Text of the file with the fault."""


class Copies:
    """Throw-away copies of the package in a temporary directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def make(self, fault: Fault | None = None) -> Path:
        """A directory to put on sys.path, with the fault planted."""
        self._count += 1
        copy = self._directory / str(self._count)
        shutil.copytree(SOURCE / "vecphe", copy / "vecphe", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        kernel = importlib.util.find_spec(_NATIVE)
        if kernel is not None and kernel.origin:
            (copy / "vecphe" / "arithmetic" / Path(kernel.origin).name).symlink_to(kernel.origin)
        (copy / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
        if fault is not None:
            (copy / "vecphe" / fault.file).write_text(fault.mutated(SOURCE), encoding="utf-8")
        return copy

    @staticmethod
    def discard(copy: Path) -> None:
        """Remove one that was used; what a test has left running may still write there."""
        shutil.rmtree(copy, ignore_errors=True)


def environment(copy: Path) -> dict[str, str]:
    """Variables with which a new process imports the copy."""
    return {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(copy / "hypothesis"),
        "PYTEST_DEBUG_TEMPROOT": str(copy),  # where all share one, each clears up what others still use
    }


OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:benchmark", "--hypothesis-seed=0", "--tb=short")


def enter(copy: Path) -> None:
    """Make a forked process one that imports the package from the copy, and writes its output there."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what is started in the background ignores it
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)  # the command's own raises, and a worker of a test may lose that
    os.chdir(ROOT)
    os.environ.update(environment(copy))
    sys.path[:] = [str(copy), *(p for p in sys.path if Path(p or ".").resolve() != SOURCE)]
    exec(_SITE, {})
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.split(".")[0] == "vecphe"]:
        del sys.modules[name]
    output = os.open(copy / "output", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _run_in_child(
    copy: Path,
    groups: Iterable[Sequence[str]],
    must_fail: Sequence[str] | None,
    marked: str,
    limits: Mapping[str, float],
) -> None:
    """Body of a forked process: pytest on the copy, its outcome to a file."""
    enter(copy)
    overdue = (copy / "overdue").open("w")
    observer = Observer(must_fail, limits, overdue)
    for node_ids in groups:
        if limits:  # also for what is imported before the first test
            faulthandler.dump_traceback_later(max(limits.values()), exit=True, file=overdue)
        with suppress(Warning):  # of what a fault left open, raised once all tests have told their outcome
            pytest.main([*OPTIONS, "-m", marked, *node_ids], plugins=[observer])
        if observer.is_done:
            break
    content = {
        key: value if isinstance(value, str) else sorted(value) for key, value in asdict(observer.outcome).items()
    }
    (copy / "outcome.json").write_text(json.dumps(content), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # threads of an interrupted test must not hold it up


class Forked:
    """A forked process whose body calls `enter` first, and that has `timeout` seconds."""

    def __init__(self, timeout: float, body: Callable[..., None], *arguments: Any) -> None:
        self.child = _FORK.Process(target=body, args=arguments)
        self.child.start()
        self.deadline = time.monotonic() + timeout

    @property
    def is_over(self) -> bool:
        """Whether `ends_in_time` has nothing to wait for."""
        return not self.child.is_alive() or time.monotonic() >= self.deadline

    def ends_in_time(self) -> bool:
        """Wait until it ends or has to; then, or when this process is told to end, so does all that it started."""
        try:
            self.child.join(max(self.deadline - time.monotonic(), 0))
            return self.child.exitcode is not None
        finally:
            self.end()

    def end(self) -> None:
        """End it, and all that it started."""
        if self.child.exitcode is None and self.child.pid is not None:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.join()


def side_by_side(tasks: Iterable[T], start: Callable[[T], P]) -> Iterator[tuple[T, P]]:
    """Each task with the process started for it, once that is over, however many run at a time."""
    waiting, running = deque(tasks), list[tuple[T, P]]()
    try:
        while waiting or running:
            while waiting and len(running) < _AT_ONCE:
                task = waiting.popleft()
                running.append((task, start(task)))
            deadline = min(process.deadline for _, process in running)
            wait([process.child.sentinel for _, process in running], max(deadline - time.monotonic(), 0))
            for pair in [pair for pair in running if pair[1].is_over]:
                running.remove(pair)
                yield pair
    finally:
        for _, process in running:
            process.end()


class Run(Forked):
    """Groups of tests on a copy, one after the other; a test that exceeds its limit, in seconds, ends them all."""

    def __init__(
        self,
        copy: Path,
        groups: Iterable[Sequence[str]],
        must_fail: Sequence[str] | None,
        timeout: float,
        marked: str = "",
        limits: Mapping[str, float] = {},
    ) -> None:
        super().__init__(timeout, _run_in_child, copy, groups, must_fail, marked, limits)
        self.copy = copy

    def outcome(self) -> Outcome | None:
        """Wait for the outcome; None if it takes too long."""
        if not self.ends_in_time() or self.has_overdue:
            return None
        path = self.copy / "outcome.json"
        if not path.exists():
            return Outcome(broken=[f"pytest died: {_tail(self.copy)}"])
        content = json.loads(path.read_text(encoding="utf-8"))
        outcome = Outcome(**content | {key: set(content[key]) for key in ("passed", "failed")})
        source = outcome.imported_from
        if not Path(source).is_relative_to(self.copy) and not outcome.broken:
            outcome.broken.append(f"not the copy was tested, but {source or 'nothing'}: {_tail(self.copy)}")
        return outcome

    @property
    def has_overdue(self) -> bool:
        """Whether it has ended itself because of a test that took too long."""
        told = self.copy / "overdue"
        return told.exists() and bool(told.read_text(encoding="utf-8"))


def _tail(copy: Path) -> str:
    output = copy / "output"
    return output.read_text(encoding="utf-8", errors="replace")[-500:] if output.exists() else "no output"


def check_processes(copy: Path) -> None:
    """Raise RuntimeError unless a process that a test starts imports the copy."""
    done = subprocess.run(
        [sys.executable, "-c", "import vecphe; print(vecphe.__file__)"],
        env={**os.environ, **environment(copy)}, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if not Path(done.stdout.strip() or "/").is_relative_to(copy):
        raise RuntimeError(f"processes do not import the copy, but {done.stdout or done.stderr}")


def replay(mutants: Iterable[Mutant], copies: Copies) -> Iterator[tuple[Mutant, str, str]]:
    """Of each mutant, as it is told: its verdict ("caught" is the good one), and what there is to say about it."""
    fresh = []
    for mutant in mutants:
        try:
            mutant.mutated(SOURCE)
        except StaleMutantError as error:
            yield mutant, "STALE", str(error)
        else:
            fresh.append(mutant)
    for mutant, run in side_by_side(fresh, lambda mutant: _started(mutant, copies)):
        yield mutant, *_verdict(mutant, run.outcome())
        copies.discard(run.copy)


def _started(mutant: Mutant, copies: Copies) -> Run:
    return Run(copies.make(mutant), [mutant.node_ids], mutant.node_ids, _TIMEOUT)


def _verdict(mutant: Mutant, outcome: Outcome | None) -> tuple[str, str]:
    if outcome is None:
        return "TIMED OUT", f"no verdict in {_TIMEOUT:g} s"
    if missing := [name for name in mutant.node_ids if name not in outcome.failed]:
        if outcome.broken:
            return "BROKEN", outcome.broken[0]
        return "SURVIVED", f"does not fail: {', '.join(missing)}"
    return "caught", ""


def check_baseline(mutants: Iterable[Mutant], copies: Copies) -> list[str]:
    """What is wrong with the named tests on an unchanged copy."""
    node_ids = sorted({name for mutant in mutants for name in mutant.node_ids})
    copy = copies.make()
    check_processes(copy)
    outcome = Run(copy, [node_ids], None, 20 * _TIMEOUT).outcome()
    if outcome is None:
        return ["the tests take too long"]
    wrong = [f"{name} fails without any fault" for name in sorted(outcome.failed)]
    wrong += [f"{name} did not run" for name in node_ids if name not in outcome.passed | outcome.failed]
    return outcome.broken + wrong


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description="Plant each fault, and see its tests fail.")
    parser.add_argument("--rows", help="only these rows of the list of hazards, such as 16,21")
    parser.add_argument("-k", dest="keyword", default="", help="only mutants with this text in their name or tests")
    parser.add_argument("--list", action="store_true", help="print the table and run nothing")
    parser.add_argument("--table", default="tests.mutants.table", help=argparse.SUPPRESS)
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> list[Mutant]:
    rows = {int(row) for row in arguments.rows.split(",")} if arguments.rows else None
    return [
        mutant
        for mutant in load_table(arguments.table)
        if (rows is None or rows & set(mutant.rows)) and arguments.keyword in f"{mutant.name} {mutant.tests}"
    ]


def can_be_told(mutant: Fault) -> bool:
    """Whether the faulty file is imported at all: without the kernel its Python side is not, nor what needs Flower."""
    return all(importlib.util.find_spec(name) is not None for name in _needed(mutant.file))


@cache
def _needed(file: str) -> list[str]:
    path = SOURCE / "vecphe" / file
    imports_flower = path.exists() and re.search("^(from|import) flwr", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [_NATIVE] * (file == "arithmetic/native.py") + ["flwr"] * bool(imports_flower)


def preload() -> None:
    """Import once, before many forks, what takes long and is not under test."""
    for name in ("gmpy2", "joblib", "numpy", "phe", "rich.console", "sklearn.datasets", "typer.testing"):
        importlib.import_module(name)


def as_command(main: Callable[[], int]) -> int:
    """Status of a command: whatever ends it, also a terminal that is closed, ends what it has started."""
    for number in _ENDING:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        return main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


def main() -> int:
    """Replay; 0 if every mutant was caught."""
    arguments = _arguments()
    mutants = _chosen(arguments)
    if arguments.list:
        for mutant in mutants:
            print(mutant.name, *mutant.tests, sep="\n         ")
        return 0
    if untold := [mutant for mutant in mutants if not can_be_told(mutant)]:
        print(f"{len(untold)} mutants LEFT OUT: the kernel was not built, or Flower is missing", file=sys.stderr)
        mutants = [mutant for mutant in mutants if mutant not in untold]
    if not mutants:
        print("no mutant fits", file=sys.stderr)
        return 1
    if len(mutants) > 8:
        preload()
    with tempfile.TemporaryDirectory(prefix="vecphe-mutants-", ignore_cleanup_errors=True) as directory:
        return _replay_all(mutants, Copies(Path(directory)))


def _replay_all(mutants: list[Mutant], copies: Copies) -> int:
    started = time.perf_counter()
    print(f"{len(mutants)} mutants; first their tests on the unchanged source", flush=True)
    if wrong := check_baseline(mutants, copies):
        print(*wrong, sep="\n")
        return 1
    verdicts = Counter[str]()
    for number, (mutant, verdict, remark) in enumerate(replay(mutants, copies), 1):
        verdicts[verdict] += 1
        print(f"[{number:3}/{len(mutants)}] {verdict:9} {mutant.name}", flush=True)
        if remark:
            print(f"{'':10}{remark}", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()), end="")
    print(f" in {time.perf_counter() - started:.0f} s")
    return 0 if set(verdicts) == {"caught"} else 1


if __name__ == "__main__":
    sys.exit(as_command(main))
