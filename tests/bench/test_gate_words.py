"""The gate, word for word: all that it says of made-up rows, while it works and in the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.bench import made

from vecphe.arithmetic import active_engine
from vecphe.bench import gate
from vecphe.bench.baseline import Baseline, EngineRows, Speed, load_baseline, save_baseline
from vecphe.bench.findings import Finding
from vecphe.bench.gate import Report, check_baseline, updated_baseline
from vecphe.bench.ratio_rows import Block
from vecphe.bench.user_rows import Rows
from vecphe.errors import BenchmarkError, EngineUnavailableError, SerializationError

NAME = active_engine().name
TARGET = str(active_engine().describe()["target"])
SPEED = Speed(speed=4.0, highest=4.1, seconds=1.0, reference=4.0)
OLD = EngineRows(TARGET, "A CPU", "2026-01-02", {}, {"add": {"x": 3}, "mul": {"y": 5}}, {"speed: add": SPEED})
FIRST = f"engine {NAME} ({TARGET}), baseline of 2026-01-02, A CPU"
COUNTS_ONLY = "speeds were not measured: counts only"
HELD = "1.000 of the baseline's speed [1.000, 1.000]; 16 of 16 blocks quiet, 1e+03 ms"
ADD, MUL = ("add", "held", "1 count is equal"), ("mul", "held", "1 count is equal")
UNDECIDED = (
    "NO SPEED WAS DECIDED: this run says nothing about speeds. Repeat it on a quiet machine; if it stays so, the "
    "machine is slower than when the baseline was taken: take a new one with `vecphe bench baseline`"
)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "cpu_name", lambda: "A CPU")
    monkeypatch.setattr(gate, "engine_warning", lambda asked, used: None)


class Gate:
    """A baseline in a file, and rows that count and take what a test says."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self._monkeypatch = path, monkeypatch
        self.counts: dict[str, Any] = {"add": {"x": 3}, "mul": {"y": 5}}
        self.blocks: dict[str, Any] = {"speed: add": Block(1.0, 4.0)}
        self.slack: dict[str, float] = {}
        self.said: list[str] = []
        self.taken: list[str] = []

    def rows(self) -> Rows:
        def block(name: str) -> Block:
            self.taken.append(name)
            if isinstance(self.blocks[name], Exception):
                raise self.blocks[name]
            return self.blocks[name]

        blocks: Mapping[str, Callable[[], Block]] = {name: lambda name=name: block(name) for name in self.blocks}
        rows = made.rows({}, blocks, self.slack)
        for name, counts in self.counts.items():
            rows.counts[name] = lambda counts=counts: self._counted(counts)
        return rows

    @staticmethod
    def _counted(counts: Any) -> dict[str, int]:
        if isinstance(counts, Exception):
            raise counts
        return dict(counts)

    def save(self, rows: EngineRows = OLD, engine: str = NAME, **engines: EngineRows) -> None:
        save_baseline(self.path, Baseline(engine, {NAME: rows, **engines}))

    def check(self, **options: Any) -> Report:
        self._monkeypatch.setattr(Rows, "of_library", self.rows)
        return check_baseline(self.path, say=self.said.append, **options)

    def update(self, **options: Any) -> tuple[Baseline, list[str]]:
        self._monkeypatch.setattr(Rows, "of_library", self.rows)
        return updated_baseline(self.path, say=self.said.append, **options)


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    found = Gate(tmp_path / "b.json", monkeypatch)
    found.save()
    return found


def told(report: Report) -> list[tuple[str, str, str]]:
    return [(finding.row, finding.status, finding.text) for finding in report.findings]


COUNTING, TIMING = f"counting 2 workloads on {NAME}", "timing 1 workload, each in turn with its reference"


def test_all_that_held(whole: Gate) -> None:
    report = whole.check()
    assert told(report) == [ADD, MUL, ("speed: add", "held", HELD)]
    assert (report.notes, report.warnings) == ([FIRST], [])
    assert whole.said == [COUNTING, TIMING]
    assert (report.ok, report.summary) == (True, "3 held")
    assert str(report) == f"note: {FIRST}\n3 held"


def test_a_run_of_counts_alone(whole: Gate) -> None:
    report = whole.check(counts_only=True)
    assert (told(report), report.notes, whole.said) == ([ADD, MUL], [FIRST, COUNTS_ONLY], [COUNTING])
    assert whole.taken == []


def test_a_run_of_speeds_alone(whole: Gate) -> None:
    whole.blocks |= {f"speed: {name}": Block(1.0, 4.0) for name in "fedcb"}
    report = whole.check(speeds_only=True)
    assert told(report) == [("speed: add", "held", HELD)]
    assert report.notes == [FIRST, *(f"speed: {name} has no counterpart" for name in "bcdef")]
    assert whole.said == [TIMING]
    assert set(whole.taken) == {"speed: add"}


def test_nothing_to_compare(whole: Gate) -> None:
    with pytest.raises(ValueError, match="leave nothing") as refused:
        whole.check(counts_only=True, speeds_only=True)
    text = "--counts-only and --speeds-only leave nothing to compare: use one of them"
    assert str(refused.value) == text
    with pytest.raises(ValueError, match=r"^--tolerance must be between 0 and 1, such as 0\.1, not 1\.5$"):
        whole.check(tolerance=1.5)


def test_counts_row_by_row(whole: Gate) -> None:
    """A row that fails hides no other; one of this version alone that counts nothing is none."""
    whole.counts = {
        "mul": {"y": 7, "z": 1}, "add": BenchmarkError("add: wrong"), "new": {"a": 1, "b": 2}, "of speed": {},
    }  # fmt: skip
    old = replace(OLD, counts={**OLD.counts, "gone": {"a": 1}, "empty": {}}, speeds={})
    whole.save(old)
    agree = "`vecphe bench baseline` makes them agree"
    assert told(whole.check(counts_only=True)) == [
        ("add", "failed", "add: wrong"),
        ("empty", "failed", f"is only in the baseline; {agree}"),
        ("gone", "failed", f"is only in the baseline; {agree}"),
        ("mul", "failed", "y 5 -> 7 (+40 %); z 0 -> 1"),
        ("new", "failed", f"is only in this version; {agree}"),
    ]
    whole.counts = {"add": {"x": 3, "w": 0}}
    whole.save(replace(OLD, counts={"add": {"x": 3}}))
    assert told(whole.check(counts_only=True)) == [("add", "held", "2 counts are equal")]


def test_speeds_that_only_one_side_has(whole: Gate) -> None:
    whole.blocks = {f"speed: {name}": Block(1.0, 4.0) for name in ("e", "add", "c", "a", "d", "b")}
    whole.save(replace(OLD, speeds={"speed: add": SPEED, "speed: gone": SPEED}))
    agree = "`vecphe bench baseline` makes them agree"
    only = [(f"speed: {name}", "failed", f"is only in this version; {agree}") for name in "abcde"]
    gone = ("speed: gone", "failed", f"is only in the baseline; {agree}")
    assert told(whole.check()) == [ADD, MUL, *only, gone, ("speed: add", "held", HELD)]


@pytest.mark.parametrize(("required", "speeds"), [(NAME, {}), ("other", {}), ("other", {"speed: gone": SPEED})])
def test_an_engine_of_which_the_baseline_has_no_speeds(whole: Gate, required: str, speeds: Any) -> None:
    whole.save(replace(OLD, speeds=speeds), required, **({} if required == NAME else {"other": OLD}))
    report = whole.check(engine=NAME)
    if required == NAME or speeds:
        assert {"speed: add"} <= set(report.failed)
        assert report.notes == [FIRST]
    else:
        assert told(report) == [ADD, MUL]
        assert report.notes == [FIRST, f"the baseline has no speeds of engine {NAME}"]
    assert whole.taken == []


def test_another_build_and_another_cpu(whole: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    whole.save(replace(OLD, target="another"))
    report = whole.check()
    expected = [] if NAME == "gmp" else [("engine", "failed", "target is not another")]
    assert told(report)[2:3] == (expected or [("speed: add", "held", HELD)])
    whole.save(replace(OLD, cpu="B CPU"))
    report = whole.check()
    text = "SPEEDS WERE NOT JUDGED: they were taken on B CPU, and this is A CPU"
    assert (told(report), report.warnings, whole.said[-1]) == ([ADD, MUL], [text], COUNTING)
    whole.save()
    monkeypatch.setattr(gate, "engine_warning", lambda asked, used: f"{asked} {used}")
    assert whole.check(counts_only=True).notes == [FIRST, f"None {NAME}", COUNTS_ONLY]
    assert whole.check(counts_only=True, engine=NAME).notes == [FIRST, f"{NAME} {NAME}", COUNTS_ONLY]


@pytest.mark.skipif(NAME == "gmp", reason="gmp is the engine of the baseline here")
def test_another_version_of_gmp_may_count_and_take_the_same(whole: Gate) -> None:
    whole.save(OLD, gmp=replace(OLD, target="another"))
    assert told(whole.check(engine="gmp")) == [ADD, MUL, ("speed: add", "held", HELD)]


def figures(speed: str, quiet: int = 64) -> str:
    return f"{speed} of the baseline's speed [{speed}, {speed}]; {quiet} of 64 blocks quiet, 1e+03 ms"


def slower(percent: int) -> str:
    """A reference that is slower for good."""
    return f"{figures('1.245')}; the reference runs {percent} % slower than when the baseline was taken"


def warned(percent: int) -> str:
    text = f"THE REFERENCE RUNS UP TO {percent} % SLOWER THAN WHEN THE BASELINE WAS TAKEN"
    return f"{text}: if that stays, take a new one with `vecphe bench baseline`"


NEVER = "NOT DECIDED, the machine was never quiet: 0 of 64 blocks quiet, 1e+03 ms"


@pytest.mark.parametrize(
    ("block", "status", "text", "warnings"),
    [
        (Block(1.0, 4.0 * 0.8), "failed", f"slower by more than 10 %: {figures('0.800')}", []),
        (Block(1.0, 6.0), "open", NEVER, [UNDECIDED]),
        (Block(1.0, 4.0 * 1.2449), "held", slower(24), [warned(24)]),
        (Block(1.0, 4.0 * 1.2451), "held", slower(25), [warned(25)]),
        (BenchmarkError("wrong"), "failed", "speed: add: wrong", []),
    ],
    ids=["slower", "never quiet", "24 %", "25 %", "wrong"],
)
def test_what_is_said_of_a_speed(whole: Gate, block: Any, status: str, text: str, warnings: list[str]) -> None:
    whole.blocks["speed: add"] = block
    report = whole.check()
    assert told(report)[2:] == [("speed: add", status, text)]
    assert report.warnings == warnings
    assert whole.said == [COUNTING, TIMING]


def test_a_speed_that_stays_open(whole: Gate) -> None:
    speeds = [0.81, 0.99, 0.85, 0.95, 0.89, 0.91]
    left = [Block(1 / speed, 4.0) for speed in speeds] * 11
    whole.blocks["speed: b"] = Block(1.0, 4.0)
    whole.save(replace(OLD, speeds={"speed: add": SPEED, "speed: b": SPEED}))
    rows = whole.rows()
    rows.blocks["speed: add"] = left.pop
    whole.rows = lambda: rows  # type: ignore[method-assign]
    report = whole.check()
    assert report.undecided == ["speed: add"]
    start = "NOT DECIDED after 64 blocks, passed: 0.900 of the baseline's speed ["
    assert report.findings[2].text.startswith(start)
    assert report.warnings == []
    assert whole.said[-1] == "timing 2 workloads, each in turn with its reference"


def test_rows_have_their_own_tolerance_up_to_95_per_cent(whole: Gate) -> None:
    whole.blocks = {f"speed: {name}": Block(1.15, 4.0) for name in ("add", "b", "c")}
    whole.slack = {"speed: b": 2.0, "speed: c": 100.0}
    whole.save(replace(OLD, speeds=dict.fromkeys(whole.blocks, SPEED)))
    assert whole.check().failed == ["speed: add"]
    whole.blocks = {name: Block(30.0, 4.0) for name in whole.blocks}
    texts = {row: text.split(":")[0] for row, _, text in told(whole.check())[2:]}
    assert texts == {
        "speed: add": "slower by more than 10 %",
        "speed: b": "slower by more than 20 %",
        "speed: c": "slower by more than 95 %",
    }


# Engines

PREFERRED = "another is preferred"


@pytest.mark.skipif("VECPHE_ENGINE" in os.environ, reason="VECPHE_ENGINE asks for an engine, which is told as that")
def test_engines_that_were_not_judged(whole: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "why_not_used", lambda: {"slow": "it was asked for"})
    other = replace(OLD, counts={"add": {"x": 1}, "div": {"x": 1}}, speeds={})
    which = f"which the baseline requires: {NAME} ran"
    judged = "; these were judged on no engine: "
    for required, rows, said in (
        ("slow", OLD, f"3 ROWS OF ENGINE slow WERE NOT JUDGED, {which}: it was asked for"),
        ("fast", other, f"2 ROWS OF ENGINE fast WERE NOT JUDGED, {which}: {PREFERRED}{judged}div"),
        ("fast", replace(other, counts={"add": {}}), f"1 ROW OF ENGINE fast WAS NOT JUDGED, {which}: {PREFERRED}"),
    ):
        whole.save(OLD, required, **{required: rows})
        assert whole.check(counts_only=True).warnings == [said]
        assert whole.check(counts_only=True, engine=NAME).warnings == []
    save_baseline(whole.path, Baseline("fast", {"fast": OLD}))
    report = whole.check(counts_only=True)
    text = f"3 ROWS OF ENGINE fast WERE NOT JUDGED, {which}: {PREFERRED}"
    assert report.warnings == [f"{text}{judged}add; mul; speed: add"]
    assert report.notes == [
        f"engine {NAME}, of which the baseline has no rows; take them here with `vecphe bench baseline`, or check "
        "those of another by --engine"
    ]
    assert (told(report), report.ok, report.summary) == ([], False, "nothing was judged")


def test_an_engine_without_rows_is_told_with_what_makes_them(whole: Gate) -> None:
    save_baseline(whole.path, Baseline("c", dict.fromkeys("cab", OLD)))
    with pytest.raises(SerializationError) as refused:
        whole.check(engine=NAME)
    assert str(refused.value) == (
        f"{whole.path}: no rows for engine {NAME!r}, only for a, b, c; make them with `vecphe bench baseline "
        f"{whole.path} --engine {NAME}`"
    )


def test_an_engine_that_does_not_run_fails_in_every_row(whole: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise EngineUnavailableError(f"no {name}")

    monkeypatch.setattr(gate, "engine_named", refuse)
    monkeypatch.setattr(gate, "available_engines", lambda: [("a", "why not"), ("b", "why not")])
    whole.save(OLD, a=replace(OLD, target="t"), c=OLD)
    report = whole.check(engine="a")
    assert told(report) == [(row, "failed", "needs target t: no a") for row in ("add", "mul", "speed: add")]
    assert report.notes == ["ENGINE a DID NOT RUN; without --engine, the rows of the one that runs are judged"]
    assert (report.warnings, whole.said) == ([], [])
    for engine in ("b", "c", "d"):  # without rows, or that nobody knows
        with pytest.raises(EngineUnavailableError, match=f"^no {engine}$"):
            whole.check(engine=engine)


# Updates


def test_a_baseline_is_taken_in_five_passes(whole: Gate) -> None:
    whole.counts["nothing"] = {}
    baseline, lines = whole.update()
    assert whole.said == [f"counting 3 workloads on {NAME}", *(f"pass {number} of 5" for number in range(1, 6))]
    assert whole.taken == ["speed: add"] * 5 * 16
    rows = baseline.engines[NAME]
    assert rows.speeds == {"speed: add": Speed(4.0, 4.0, 1.0, 4.0)}
    assert rows.counts == OLD.counts
    assert [line for line in lines if not line.startswith(f"{NAME}: cpu")] == []
    assert baseline.engine == NAME


def test_an_update_of_an_engine_leaves_the_others(whole: Gate, tmp_path: Path) -> None:
    whole.save(OLD, "other", other=OLD)
    whole.blocks = {"speed: add": Block(2.0, 4.0)}
    baseline, lines = whole.update()
    assert (baseline.engine, baseline.engines["other"]) == ("other", OLD)
    assert f"{NAME}: speed: add: 4 -> 2 (-50.0 %)" in lines
    whole.path = tmp_path / "new.json"
    baseline, lines = whole.update(counts_only=True)
    assert (baseline.engine, list(baseline.engines), baseline.engines[NAME].speeds) == (NAME, [NAME], {})
    assert [line for line in lines if "row" in line] == [
        f"{NAME}: {name}: no row -> 1 count" for name in ("add", "mul")
    ]
    save_baseline(whole.path, baseline)
    assert load_baseline(whole.path) == baseline


# A report by itself


def test_a_report_tells_what_failed_last() -> None:
    found = [
        Finding("a", "failed", "1"),
        Finding("b", "held", "2"),
        Finding("c", "open", "3"),
        Finding("d", "failed", "4"),
    ]
    report = Report(found, ["x"], ["y"])
    short = ["note: x", "open: c: 3", "FAILED: a: 1", "FAILED: d: 4", "WARNING: y"]
    assert list(report.lines(everything=False)) == short
    assert list(report.lines()) == list(report.lines(everything=True)) == [short[0], "held: b: 2", *short[1:]]
    assert (report.ok, report.failed, report.undecided) == (False, ["a", "d"], ["c"])
    assert report.summary == "1 held, 2 FAILED (a; d), 1 NOT DECIDED (c)"
    assert str(report) == "\n".join([*short, report.summary])
    passed = Report(found[1:3])
    assert (passed.ok, passed.summary) == (True, "1 held, 1 NOT DECIDED (c)")
    assert (Report().ok, Report().summary, Report().findings is Report().findings) == (
        False,
        "nothing was judged",
        False,
    )
