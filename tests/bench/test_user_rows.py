"""The gate on rows of a project's own: the example, and files that are none."""

from __future__ import annotations

import runpy
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vecphe.arithmetic import active_engine, engine_named
from vecphe.bench import gate, ratio_rows, user_rows
from vecphe.bench.baseline import save_baseline
from vecphe.bench.gate import Report, check_baseline, updated_baseline
from vecphe.bench.user_rows import Rows
from vecphe.errors import BenchmarkError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "gate"
ENGINES = sorted({active_engine().name, "gmp"})
START = "    total = columns[0]\n"
# Three additions more than the 20 that are needed: 15 %.
SLOWER = f"{START}    for column in columns[1:4]:\n        total + column\n"


class Clock:
    """Tells how much work was done: 100 us a product of residues, and as much whenever it is looked at."""

    def __init__(self, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        ring = type(engine_named(engine).ring(15))
        multiply = ring.multiply

        def counted(*arguments: Any) -> Any:
            self.now += 1e-4
            return multiply(*arguments)

        monkeypatch.setattr(ring, "multiply", counted)
        monkeypatch.setattr(ratio_rows, "perf_counter", self)

    def __call__(self) -> float:
        self.now += 1e-4
        return self.now


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the example that is imported anew, and measured in short blocks."""
    shutil.copytree(EXAMPLE, tmp_path / "project")
    monkeypatch.setattr(ratio_rows, "_PAIRS", 2)
    monkeypatch.setattr(ratio_rows, "_FEWEST_PAIRS", 2)
    monkeypatch.setattr(gate, "_PASSES", 2)
    monkeypatch.setattr(gate, "_BLOCKS_A_PASS", 2)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path / "project"
    for name in ("totals", "vecphe_rows"):
        sys.modules.pop(name, None)


def take_baseline(project: Path, engine: str | None = None, **options: Any) -> Path:
    baseline, _ = updated_baseline(project / "baseline.json", engine=engine, rows=project / "rows.py", **options)
    save_baseline(project / "baseline.json", baseline)
    return project / "baseline.json"


def check(project: Path, **options: Any) -> Report:
    return check_baseline(project / "baseline.json", rows=project / "rows.py", **options)


def plant(project: Path) -> None:
    path = project / "totals.py"
    text = path.read_text(encoding="utf-8")
    assert text.count(START) == 1
    path.write_text(text.replace(START, SLOWER), encoding="utf-8")
    del sys.modules["totals"]


def test_a_planted_slow_down_of_15_per_cent_is_caught(
    project: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(engine, monkeypatch)
    take_baseline(project, engine)
    unchanged = check(project, engine=engine, speeds_only=True)
    assert [(finding.row, finding.status) for finding in unchanged.findings] == [
        ("speed: add_up_columns", "held"),
        ("speed: read_many_amounts", "held"),
    ]
    plant(project)
    report = check(project, engine=engine, speeds_only=True)
    assert report.failed == ["speed: add_up_columns"]
    assert "slower by more than 10 %" in str(report)


def test_its_counts_name_the_change(project: Path, engine: str) -> None:
    take_baseline(project, engine, counts_only=True)
    assert check(project, engine=engine, counts_only=True).summary == "1 held"
    plant(project)
    report = check(project, engine=engine, counts_only=True)
    assert report.failed == ["add_up_columns"]
    assert "ring.multiply 20 -> 23 (+15 %)" in str(report)


def test_the_command_runs_the_example(project: Path) -> None:
    from typer.testing import CliRunner

    from vecphe.cli.app import app

    options = [str(project / "baseline.json"), "--rows", str(project / "rows.py")]
    taken = CliRunner().invoke(app, ["bench", "baseline", *options])
    assert taken.exit_code == 0, taken.output
    assert "add_up_columns: no row -> " in taken.stdout
    checked = CliRunner().invoke(app, ["bench", "check", *options, "--counts-only"])
    assert checked.exit_code == 0, checked.output
    plant(project)
    assert CliRunner().invoke(app, ["bench", "check", *options, "--counts-only"]).exit_code == 1


def test_the_example_s_reference_does_the_same_under_every_key(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power takes longer for one modulus than for another: with a key's, few blocks of another run would be quiet."""
    monkeypatch.syspath_prepend(project)
    references = [runpy.run_path(str(project / "rows.py"))["add_up_columns"]()[1] for _ in range(2)]
    assert references[0]() == references[1]()


def test_the_documentation_shows_the_example_as_it_is() -> None:
    text = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    for name in ("totals.py", "rows.py"):
        assert f"```python\n{(EXAMPLE / name).read_text(encoding='utf-8')}```" in text


# Files of rows


def rows_of(tmp_path: Path, text: str) -> Rows:
    path = tmp_path / "my_rows.py"
    path.write_text(text, encoding="utf-8")
    return Rows.of_file(path)


WORK = "(lambda: None, lambda: None"


def test_functions_of_the_file_are_rows_and_nothing_else(tmp_path: Path) -> None:
    text = f"""
from math import gcd
from functools import reduce

class Helper: ...

def _helper(): ...

def first(): return {WORK})

def second(many=3): return {WORK}, {{"a": many, "b": 0}})
"""
    rows = rows_of(tmp_path, text)
    assert list(rows.blocks) == list(rows.slack) == ["speed: first", "speed: second"]
    assert {name: count() for name, count in rows.counts.items()} == {"first": {}, "second": {"a": 3, "b": 0}}


def test_a_decorated_function_is_a_row(tmp_path: Path) -> None:
    text = f"""
from functools import cache, wraps
from unittest.mock import call

def _twice(function):
    return wraps(function)(lambda: function() and function())

@cache
def first(): return {WORK}, {{"a": 1}})

@_twice
def second(): return {WORK}, {{"b": 1}})
"""
    rows = rows_of(tmp_path, text)
    assert {name: count() for name, count in rows.counts.items()} == {"first": {"a": 1}, "second": {"b": 1}}


def test_counts_are_read_after_the_candidate_has_run_once(tmp_path: Path) -> None:
    text = """
def row():
    counts = {"runs": 0}

    def candidate():
        counts["runs"] += 1

    return candidate, lambda: None, counts
"""
    assert rows_of(tmp_path, text).counts["row"]() == {"runs": 1}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("None", "returned no (candidate, reference)"),
        ("(lambda: None,)", "returned no (candidate, reference)"),
        ("(lambda: None, 3)", "returned no (candidate, reference)"),
        (f"{WORK}, {{}}, 4)", "returned no (candidate, reference)"),
        (f"{WORK}, [])", "its counts are no dict, but list"),
        (f"{WORK}, {{'a': 1.5}})", "counts['a'] is no count: 1.5"),
        (f"{WORK}, {{'a': True}})", "counts['a'] is no count: True"),
        (f"{WORK}, {{'a': -1}})", "counts['a'] is no count: -1"),
        (f"{WORK}, {{3: 1}})", "counts[3] is no count: 1"),
        ("(lambda: 1 / 0, lambda: None)", "row failed: ZeroDivisionError: division by zero"),
        ("1 / 0", "row failed: ZeroDivisionError: division by zero"),
        ("exit(0)", "row failed: SystemExit: 0"),
        ("(lambda: exit(0), lambda: None)", "row failed: SystemExit: 0"),
    ],
)
def test_a_row_that_fails_fails_alone(tmp_path: Path, returned: str, message: str) -> None:
    rows = rows_of(tmp_path, f"def row(): return {returned}\n\ndef other(): return {WORK}, {{'a': 1}})")
    assert rows.counts["other"]() == {"a": 1}
    with pytest.raises(BenchmarkError) as failed:
        rows.counts["row"]()
    assert str(failed.value).startswith("row")
    assert message in str(failed.value)


def test_a_long_error_is_one_short_line(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "def row(): raise ValueError('first\\n' + 1000 * 'x')")
    with pytest.raises(BenchmarkError, match=r"^row failed: ValueError: first x+$") as failed:
        rows.counts["row"]()
    assert len(str(failed.value)) < 350


@pytest.mark.parametrize(
    "returned",
    [
        "(lambda: 1 / 0, lambda: None)",
        "(lambda: None, lambda: 1 / 0)",
        "(lambda: None, lambda: exit(0))",
        "1 / 0",
        "None",
    ],
)
def test_an_error_while_a_row_is_timed_is_one_of_the_row(
    tmp_path: Path, returned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tmp_path / "good.py"
    good.write_text(f"def row(): return {WORK})\ndef other(): return {WORK})", encoding="utf-8")
    monkeypatch.setattr(gate, "_PASSES", 1)
    baseline, _ = updated_baseline(tmp_path / "b.json", rows=good)
    save_baseline(tmp_path / "b.json", baseline)
    good.write_text(f"def row(): return {returned}\ndef other(): return {WORK})", encoding="utf-8")
    findings = {
        finding.row: finding for finding in check_baseline(tmp_path / "b.json", rows=good, speeds_only=True).findings
    }
    assert findings["speed: row"].status == "failed"
    assert findings["speed: other"].text.count("blocks quiet") == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.py", "", "has no rows"),
        ("r.py", "def _hidden(): ...", "has no rows"),
        ("r.py", "def row(key): ...", "row takes arguments"),
        ("r.py", "def row(*, key): ...", "row takes arguments"),
        ("r.py", "def row(:", "SyntaxError"),
        ("r.py", "def row(): ...\nexit(0)", "SystemExit: 0"),
        ("r.py", "import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("r.txt", "def row(): ...", "is no Python file"),
    ],
)
def test_a_file_without_rows_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="--rows: ") as refused:
        Rows.of_file(path)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(("seconds", "pairs"), [(4e-4, 64), (0.05, 20), (0.5, 8)])
def test_long_calls_alternate_less_often(seconds: float, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**9))
    monkeypatch.setattr(ratio_rows, "perf_counter", lambda: next(clock) * seconds)
    calls: list[int] = []
    ratio_rows.Sampler(lambda: (lambda: calls.append(1), lambda: None)).block()
    assert len(calls) == 6 + 1 + pairs  # to time one, to warm up, and up to 2 s in pairs


def work() -> None:
    pass


@pytest.mark.parametrize(
    "made",
    [None, 5, [work, work], (work,), (work, work, {}, 1), (5, work), (work, 5), (5, work, {}), (work, 5, {}), ()],
)
def test_what_a_row_returns_that_is_no_pair_of_work(made: Any) -> None:
    with pytest.raises(
        BenchmarkError, match=r"returned no \(candidate, reference\) or \(candidate, reference, counts\)"
    ):
        user_rows._made(lambda: made)


def test_what_a_row_returns_is_taken_apart() -> None:
    other = lambda: None  # noqa: E731
    assert user_rows._made(lambda: (work, other)) == (work, other, {})
    assert user_rows._made(lambda: (work, other, {"a": 1})) == (work, other, {"a": 1})
    assert user_rows._sides(lambda: (work, other, {"a": 1})) == (work, other)
    with pytest.raises(BenchmarkError, match="its counts are no dict, but list"):
        user_rows._made(lambda: (work, other, []))


@pytest.mark.parametrize(("key", "number"), [("a", True), ("a", 1.0), ("a", -1), (5, 1), ("a", None)])
def test_counts_are_numbers_by_name(key: Any, number: Any) -> None:
    with pytest.raises(BenchmarkError) as told:
        user_rows._counts(lambda: (work, work, {key: number}))
    assert str(told.value) == f"counts[{key!r}] is no count: {number!r}"


def test_counts_are_read_after_one_run_of_the_candidate() -> None:
    counts = {"runs": 0, "of the reference": 0}

    def row() -> Any:
        return lambda: counts.update(runs=counts["runs"] + 1), lambda: counts.update({"of the reference": 1}), counts

    found = user_rows._counts(row)
    assert found == {"runs": 1, "of the reference": 0}
    assert found is not counts


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BenchmarkError("x"), "row: x"),
        (ValueError("a\n  b"), "row failed: ValueError: a b"),
        (SystemExit(3), "row failed: SystemExit: 3"),
        (ValueError("x" * 400), f"row failed: ValueError: {'x' * 288}"),
    ],
)
def test_what_goes_wrong_names_the_row(error: BaseException, message: str) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(BenchmarkError) as told:
        user_rows._naming("row", fail)()
    assert str(told.value) == message
    assert told.value.__cause__ is error
    assert user_rows._naming("row", lambda: 5)() == 5


def test_a_file_imports_what_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before all else of that name, and however often it is read."""
    monkeypatch.setattr(sys, "path", ["elsewhere", *sys.path])
    (tmp_path / "beside_the_rows.py").write_text("COUNT = 7", encoding="utf-8")
    text = f"from beside_the_rows import COUNT\ndef row(): return {WORK}, {{'a': COUNT}})"
    for _ in range(2):
        assert rows_of(tmp_path, text).counts["row"]() == {"a": 7}
        assert sys.path[:2] == [str(tmp_path), "elsewhere"]
        assert sys.path.count(str(tmp_path)) == 1
    del sys.modules["beside_the_rows"]
