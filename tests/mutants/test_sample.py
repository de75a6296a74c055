"""Planting faults drawn at random: which tests run on each, and what is said of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.mutants import covering as measuring
from tests.mutants import equivalents, sample
from tests.mutants.covering import Covering
from tests.mutants.model import ROOT, SOURCE, StaleMutantError
from tests.mutants.operators import Change, changes_of
from tests.mutants.replay import _NATIVE, Copies, can_be_told

EQUALITY = "return isinstance(other, PublicKey) and self.n == other.n"
UNEQUAL = "return isinstance(other, PublicKey) and (self.n != other.n)"
SEES_IT = "tests/numbers/test_numbers.py::test_h15_equality_and_hash"
DOES_NOT = "tests/test_public_api.py::test_public_names"


def verdict_on(fault: Change, covering: Covering, copies: Copies) -> tuple[str, str]:
    return sample.Planted(fault, covering, copies).verdict()


def passes(directory: Path, test: str) -> bool:
    return sample._passes_without(Copies(directory), test)


def measured_part(copies: Copies, node_ids: list[str]) -> dict[str, Any]:
    return measuring.Measured(copies, node_ids).part()


def change(file: str, before: str, after: str) -> Change:
    return next(c for c in changes_of(SOURCE, file) if (c.before, c.after) == (before, after))


def covering_of(found: Change, *tests: str) -> Covering:
    return Covering(dict.fromkeys(tests, 1.0), {found.file: {found.runs_in[0]: set(tests)}})


@pytest.fixture(scope="module")
def new_process() -> Iterator[ProcessPoolExecutor]:
    """A process like that of the command: tests forked from this one hold on to the package which it has imported."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.mark.parametrize(
    ("tests", "verdict", "remark"),
    [
        ((DOES_NOT, SEES_IT), "caught", f"by {SEES_IT}"),
        ((DOES_NOT,), "SURVIVED", f"1 tests pass, of 1 files; first {DOES_NOT}"),
        ((), "SURVIVED", "no test runs it"),
    ],
)
def test_a_fault_is_caught_where_a_test_fails(
    tmp_path: Path, new_process: ProcessPoolExecutor, tests: tuple[str, ...], verdict: str, remark: str
) -> None:
    fault = change("keys/public_key.py", EQUALITY, UNEQUAL)
    told = new_process.submit(verdict_on, fault, covering_of(fault, *tests), Copies(tmp_path))
    assert told.result() == (verdict, remark)


def test_a_fault_is_caught_where_nothing_can_be_imported(tmp_path: Path, new_process: ProcessPoolExecutor) -> None:
    fault = change("system/forks.py", "os.register_at_fork(after_in_child=_in_child)", "os.register_at_fork()")
    covering = Covering({DOES_NOT: 1.0}, {"system/forks.py": {24: {DOES_NOT}}})
    verdict, remark = new_process.submit(verdict_on, fault, covering, Copies(tmp_path)).result()
    assert verdict == "caught"
    assert remark.endswith("TypeError: At least one argument is required.")


def test_what_fails_without_the_fault_has_not_seen_it(tmp_path: Path, new_process: ProcessPoolExecutor) -> None:
    file = tmp_path / "test_wrong.py"
    file.write_text("import vecphe.numbers\n\ndef test_it() -> None:\n    assert 0\n", encoding="utf-8")
    wrong = f"{os.path.relpath(file, ROOT)}::test_it"
    fault = change("keys/public_key.py", EQUALITY, UNEQUAL)
    told = new_process.submit(verdict_on, fault, covering_of(fault, wrong), Copies(tmp_path))
    verdict, remark = told.result()
    assert verdict == "UNSURE"
    # How pytest names a file outside of the root depends on where that is.
    assert remark.startswith("without it this does not pass, either: ")
    assert remark.endswith("test_wrong.py::test_it")
    assert not new_process.submit(passes, tmp_path / "more", wrong).result()


def test_one_test_is_tried_without_the_fault_and_no_file() -> None:
    groups = [["tests/a.py::x", "tests/a.py::y"], ["tests/b.py::x", "tests/b.py::y"]]
    tried = {first: sample._one_of(first, groups) for first in ("tests/b.py::y", "tests/b.py", "tests", "")}
    assert tried == {
        "tests/b.py::y": "tests/b.py::y",
        "tests/b.py": "tests/b.py::x",
        "tests": "tests/a.py::x",
        "": "tests/a.py::x",
    }


def test_tests_that_are_only_slow_have_not_seen_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "_PATIENCE", (0.05, 0.0))
    fault = change("keys/public_key.py", EQUALITY, UNEQUAL)
    told = verdict_on(fault, covering_of(fault, DOES_NOT), Copies(tmp_path))
    assert told == ("TOO SLOW", "no test failed or exceeded its limit")


def test_what_waits_for_ever_while_it_is_imported_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "_LEAST_LIMIT", 0.05)
    monkeypatch.setattr(sample, "_PATIENCE", (60.0, 0.0))
    (tmp_path / "test_waits.py").write_text("import time\n\ntime.sleep(100)\n", encoding="utf-8")
    waits = f"{os.path.relpath(tmp_path / 'test_waits.py', ROOT)}::test_it"
    fault = change("keys/public_key.py", EQUALITY, UNEQUAL)
    assert verdict_on(fault, covering_of(fault, waits), Copies(tmp_path)) == ("TIMED OUT", "")


def test_only_what_was_seen_counts_as_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = changes_of(SOURCE, "system/forks.py")[:1] * 100

    def result(verdicts: dict[str, int]) -> int:
        told = [verdict for verdict, count in verdicts.items() for _ in range(count)]
        monkeypatch.setattr(
            sample, "plant", lambda changes, copies: [(c, v, "") for c, v in zip(changes, told, strict=True)]
        )
        return sample._plant_all(faults, Copies(tmp_path))

    assert result({"caught": 90, "TIMED OUT": 7, "SURVIVED": 3}) == 0
    assert "97.0% caught" in capsys.readouterr().out
    for other in ("SURVIVED", "TOO SLOW", "UNSURE"):
        assert result({"caught": 96, other: 4}) == 1
        assert "96.0% caught" in capsys.readouterr().out


def test_a_test_that_waits_for_ever_is_told_before_all_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "_PATIENCE", (500.0, 0.0))
    monkeypatch.setattr(sample, "_LEAST_LIMIT", 0.05)
    fault = change("keys/public_key.py", EQUALITY, UNEQUAL)
    slow = "tests/test_public_api.py::test_the_core_imports_neither_phe_nor_the_command_line"
    assert verdict_on(fault, covering_of(fault, slow), Copies(tmp_path)) == ("TIMED OUT", "")


def test_the_mirror_of_a_module_goes_first_and_fast_tests_before_slow_ones() -> None:
    fault = change("keys/public_key.py", EQUALITY, UNEQUAL)
    seconds = {
        "tests/a.py::x": 3.0,
        "tests/a.py::y": 1.0,
        "tests/b.py::x": 0.5,
        "tests/keys/test_public_key.py::x": 9.0,
    }
    covering = Covering(seconds, {"keys/public_key.py": {fault.runs_in[0]: set(seconds)}})
    groups = covering.of(fault)
    assert groups == [["tests/keys/test_public_key.py::x"], ["tests/b.py::x"], ["tests/a.py::y", "tests/a.py::x"]]
    assert covering.time_of(groups) == 13.5


def test_what_runs_at_import_is_seen_by_the_tests_of_lines_that_name_it() -> None:
    lines = (SOURCE / "vecphe" / "serialization/jwk.py").read_text(encoding="utf-8").splitlines()
    used = next(i for i, line in enumerate(lines, 1) if "> _GREATEST_NUMBER" in line)
    covering = Covering(
        {"tests/a.py::uses": 1.0, "tests/a.py::other": 1.0},
        {"serialization/jwk.py": {used: {"tests/a.py::uses"}, used + 1: {"tests/a.py::other"}}},
    )
    named = [c for c in changes_of(SOURCE, "serialization/jwk.py") if c.target == "_GREATEST_NUMBER"]
    assert named
    for fault in named:
        assert covering.of(fault) == [["tests/a.py::uses"]]


def test_what_runs_at_import_and_names_nothing_is_seen_by_the_folder_that_mirrors_it() -> None:
    fault = next(c for c in changes_of(SOURCE, "cli/app.py") if not c.runs_in and not c.target)
    seconds = {"tests/cli/a.py::x": 2.0, "tests/a.py::x": 1.0}
    assert Covering(seconds, {"cli/app.py": {1: set(seconds)}}).of(fault) == [["tests/cli/a.py::x"]]
    assert Covering(seconds, {"cli/app.py": {1: {"tests/a.py::x"}}}).of(fault) == [["tests/a.py::x"]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--count", "0"], "argument --count: invalid number from 1 value: '0'"),
        (["--count", "-5"], "argument --count: invalid number from 1 value: '-5'"),
        (["--count", "x"], "argument --count: invalid number from 1 value: 'x'"),
        (["--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["--only", "nothing"], "no file of src/vecphe with faults has 'nothing' in its path"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    monkeypatch.setattr("sys.argv", ["sample", *arguments, "--list"])
    with pytest.raises(SystemExit, match=r"[12]"):
        sys.exit(sample.main())
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip().endswith(told)


def test_all_there_are_are_drawn_where_more_are_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "sys.argv", ["sample", "--count", "100000", "--seed", "1", "--only", "system/forks.py", "--list"]
    )
    assert sample.main() == 0
    count = len(changes_of(SOURCE, "system/forks.py"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{count} of {count} faults, seed 1; 0 equivalent ones were drawn"
    assert len(lines) == 1 + 3 * count


def test_sources_that_were_changed_meanwhile_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(chosen: list[Change], copies: Copies) -> int:
        raise StaleMutantError("draw again")

    monkeypatch.setattr(sample, "_plant_all", fails)
    monkeypatch.setattr("sys.argv", ["sample", "--count", "1", "--seed", "1", "--only", "system/forks.py"])
    assert sample.main() == 1
    assert capsys.readouterr().err == "draw again\n"


def test_equivalent_faults_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = changes_of(SOURCE, "system/forks.py")
    one = faults[0]
    monkeypatch.setattr(equivalents, "EQUIVALENTS", [equivalents.Equivalent(*one.key, "the reason")])
    chosen, passed_over = sample.draw(faults, len(faults), 1)
    assert passed_over == [one]
    assert set(chosen) == {*faults} - {one}


def test_a_seed_draws_the_same_whatever_changes_elsewhere() -> None:
    some, more = changes_of(SOURCE, "system/forks.py"), changes_of(SOURCE, "system/memory.py")
    before, _ = sample.draw(some, 5, 3)
    after, _ = sample.draw([*more, *some], len(some) + len(more), 3)
    assert [change for change in after if change in some][:5] == before
    assert after[:5] != before
    others = [sample.draw(some, 5, seed)[0] for seed in (4, 5)]
    assert before not in others
    assert others[0] != others[1]


def test_lines_are_those_that_a_test_runs_itself_and_in_processes_that_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_CACHE", tmp_path / "build" / "cache.json")
    monkeypatch.setattr(measuring, "_is_measured", lambda path: path.name == "test_public_api.py")
    covering = measuring.measure(Copies(tmp_path))
    here = "tests/test_public_api.py::"
    assert {test.split("::")[0] for test in covering.seconds} == {here.removesuffix("::")}
    ran = covering.tests["system/forks.py"]  # at import: before any test in this process, and by a test in another
    lines = (SOURCE / "vecphe" / "system/forks.py").read_text(encoding="utf-8").splitlines()
    assert ran[lines.index("        self._lock = Lock()") + 1] == {
        f"{here}test_the_core_imports_neither_phe_nor_the_command_line",
        f"{here}test_the_package_imports_nothing_until_a_name_is_used",
    }
    assert lines.index("    return _generation") + 1 not in ran
    assert lines.index("_generation = 0") + 1 not in ran


MODULE = """\
LIMIT = 1

class A:
    def one(self):
        return LIMIT

    @property
    def two(self):
        def inner():
            return 2
        return inner()
"""
RAN = {"one": [1], "two": [2, 3, 4]}  # lines from where each function starts


@pytest.fixture
def measured_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[list[str], Covering]]:
    """Measure a package of one module with two test files, of which each test runs the function of its name."""
    for name, text in {
        "src/vecphe/a.py": MODULE,
        "tests/test_x.py": "one two",
        "tests/test_y.py": "two",
        "tests/helper.py": "helper",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name, path in {"ROOT": "", "TESTS": "tests", "SOURCE": "src", "_CACHE": "build/cache.json"}.items():
        monkeypatch.setattr(measuring, name, tmp_path / path)
    tests = {"tests/test_x.py": ["one", "two"], "tests/test_y.py": ["two"]}
    measured: list[str] = []

    def measure(copies: Copies, node_ids: list[str]) -> Any:
        measured.extend(node_ids)
        now = measuring._functions(tmp_path / "src/vecphe/a.py")
        keys = {key.split()[0].rpartition(".")[2]: key for key in now.starts}
        names = {f"{id_}::{name}": name for id_ in node_ids if id_ in tests for name in tests[id_]}
        names |= {id_: id_.split("::")[1] for id_ in node_ids if id_ not in tests}
        ran = {test: {"a.py": {keys[name]: RAN[name]}} for test, name in names.items()}
        read = ["tests/helper.py", *{id_.split("::")[0] for id_ in node_ids}]
        part = {
            "files": {file: measuring._digest(tmp_path / file) for file in read},
            "seconds": dict.fromkeys(names, 1.0),
            "lines": ran,
            "rests": {"a.py": now.rest},
        }
        return SimpleNamespace(part=lambda: part)

    monkeypatch.setattr(measuring, "Measured", measure)
    monkeypatch.setattr(measuring, "side_by_side", lambda files, start: [(file, start(file)) for file in files])

    def now() -> tuple[list[str], Covering]:
        measured.clear()
        covering = measuring.measure(Copies(tmp_path))
        return sorted(measured), covering

    return now


def test_an_interrupted_measurement_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured_now: Callable[[], tuple[list[str], Covering]]
) -> None:
    measured_now()
    edit(tmp_path / "src/vecphe/a.py", "            return 2", "            return 3")
    with monkeypatch.context() as patch:
        patch.setattr(measuring, "side_by_side", lambda files, start: [(files[0], start(files[0]))])
        assert measured_now()[0] == ALL[1:2]
    measured, covering = measured_now()
    assert measured == FILES[1:]
    assert set(covering.seconds) == set(ALL)


@pytest.mark.parametrize(
    "left", ["", "{", "null", "[1]", '{"tests/test_x.py": 1}', '{"tests/test_x.py": {"files": {}}}']
)
def test_a_damaged_cache_is_measured_anew(
    tmp_path: Path, measured_now: Callable[[], tuple[list[str], Covering]], left: str
) -> None:
    covering = measured_now()[1]
    (tmp_path / "build/cache.json").write_text(left, encoding="utf-8")
    assert measured_now() == (FILES, covering)


def test_tests_that_do_not_end_while_they_are_measured_are_told_and_left_out(
    monkeypatch: pytest.MonkeyPatch,
    measured_now: Callable[[], tuple[list[str], Covering]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    measure = measuring.Measured
    hangs = SimpleNamespace(part=lambda: None)
    with monkeypatch.context() as patch:
        patch.setattr(measuring, "Measured", lambda copies, ids: hangs if ids == FILES[:1] else measure(copies, ids))
        covering = measured_now()[1]
        assert set(covering.seconds) == set(ALL[2:])
    assert "tests/test_x.py\n          NOT MEASURED, no end in 900 s" in capsys.readouterr().out
    assert measured_now()[0] == FILES[:1]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


FILES = ["tests/test_x.py", "tests/test_y.py"]
ALL = ["tests/test_x.py::one", "tests/test_x.py::two", "tests/test_y.py::two"]


def test_tests_are_measured_again_once_they_have_changed(
    tmp_path: Path, measured_now: Callable[[], tuple[list[str], Covering]]
) -> None:
    assert measured_now()[0] == FILES
    assert measured_now()[0] == []
    edit(tmp_path / "tests/test_y.py", "two", "two, changed")
    assert measured_now()[0] == FILES[1:]
    edit(tmp_path / "tests/helper.py", "helper", "changed")
    assert measured_now()[0] == FILES
    assert measured_now()[0] == []


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("        return LIMIT", "        return LIMIT + 1", ALL[:1]),
        ("            return 2", "            return 3", ALL[1:]),
        ("    @property\n", "", ALL[1:]),
        ("LIMIT = 1", "LIMIT = 2", ALL),
        ("class A:", "class A:\n    def three(self): ...", ALL),
        ("LIMIT = 1", "LIMIT = 1\n\n", []),
    ],
)
def test_tests_are_measured_again_once_what_they_ran_has_changed(
    tmp_path: Path,
    measured_now: Callable[[], tuple[list[str], Covering]],
    old: str,
    new: str,
    again: list[str],
) -> None:
    """The function, or anything that stands beside functions; what only moved keeps its tests."""
    measured_now()
    path = tmp_path / "src/vecphe/a.py"
    edit(path, old, new)
    measured, covering = measured_now()
    assert measured == again
    assert set(covering.seconds) == set(ALL)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert covering.tests["a.py"][lines.index("        return inner()") + 1] == {ALL[1], ALL[2]}
    assert measured_now() == ([], covering)


def test_a_line_has_the_test_that_runs_it(tmp_path: Path, new_process: ProcessPoolExecutor) -> None:
    measured = new_process.submit(measured_part, Copies(tmp_path), ["tests/system/test_forks.py"]).result()
    (key,) = (key for key in measuring._functions(SOURCE / "vecphe" / "system/forks.py").starts if "__enter__ " in key)
    locks = "tests/system/test_forks.py::test_the_lock_locks"
    assert measured["lines"][locks]["system/forks.py"][key] == [1]
    assert measured["seconds"][locks] > 0


COMMAND = """
import os, sys, time
from tests.mutants.replay import Forked, as_command, side_by_side

def wait():
    os.setsid()
    print(os.getpid(), flush=True)
    time.sleep(60)

sys.exit(as_command(lambda: len(list(side_by_side([1], lambda _: Forked(60, wait))))))
"""


@pytest.mark.parametrize(
    ("number", "told"), [(signal.SIGINT, "interrupted\n"), (signal.SIGTERM, ""), (signal.SIGHUP, "")]
)
def test_what_was_started_ends_with_the_command(number: signal.Signals, told: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("", told)
    assert process.returncode == 128 + number
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize(("missing", "untold"), [("flwr", "flower/client.py"), (_NATIVE, "arithmetic/native.py")])
def test_faults_in_what_cannot_be_imported_here_are_not_planted(
    monkeypatch: pytest.MonkeyPatch, missing: str, untold: str
) -> None:
    there = SimpleNamespace()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else there)
    files = ["flower/client.py", "flower/plan.py", "flower/supernode.py", "arithmetic/native.py", "arithmetic/gmp.py"]
    told = {file for file in files if can_be_told(changes_of(SOURCE, file)[0])}
    assert told == {*files} - {untold}
