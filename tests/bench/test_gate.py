"""The gate on synthetic measurements: what it reports for which change, engine and CPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.bench import made

from vecphe.arithmetic import active_engine, available_engines
from vecphe.bench.baseline import Baseline, EngineRows, Speed, changes, cpu_name, load_baseline, save_baseline
from vecphe.bench.count_rows import COUNT_ROWS
from vecphe.bench.gate import check_baseline, updated_baseline
from vecphe.bench.ratio_rows import RATIO_ROWS, Block
from vecphe.bench.user_rows import Rows
from vecphe.errors import EngineUnavailableError, SerializationError
from vecphe.system.files import replace_file

COUNTS = {"add": {"kernel.products": 256, "ciphertexts": 3}, "decrypt": {"kernel.squares": 77}}
SPEED = Speed(speed=4.0, highest=4.1, seconds=1.0, reference=4.0)
ROW = RATIO_ROWS[0].name


class Machine:
    """What the gate measures, in place of real work."""

    def __init__(self) -> None:
        self.reference = 4.0
        self.counts: dict[str, dict[str, int]] = {row: dict(counts) for row, counts in COUNTS.items()}
        self.slowdown = 1.0
        self.timed = False

    def block(self) -> Block:
        self.timed = True
        return Block(self.slowdown, self.reference)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(Rows, "of_library", lambda: made.rows(machine.counts, {ROW: machine.block}))
    return machine


@pytest.fixture
def rows() -> EngineRows:
    return EngineRows.measured(active_engine(), COUNTS, {ROW: SPEED})


@pytest.fixture
def file(tmp_path: Path, rows: EngineRows) -> Path:
    path = tmp_path / "baseline.json"
    save_baseline(path, Baseline(active_engine().name, {active_engine().name: rows}))
    return path


def rewrite(path: Path, rows: EngineRows, **engines: EngineRows) -> None:
    name = active_engine().name
    save_baseline(path, Baseline(name, {name: rows, **engines}))


def test_unchanged_code_passes(machine: Machine, file: Path) -> None:
    report = check_baseline(file)
    assert report.ok, report
    assert [finding.row for finding in report.findings] == ["add", "decrypt", ROW]
    assert str(report).startswith("note: engine")


def test_a_changed_count_fails_and_is_named(machine: Machine, file: Path) -> None:
    machine.counts["add"]["kernel.products"] = 512
    report = check_baseline(file)
    assert not report.ok
    assert report.failed == ["add"]
    assert "FAILED: add: kernel.products 256 -> 512 (+100 %)" in str(report)


def test_fewer_operations_have_to_be_taken_into_the_baseline(machine: Machine, file: Path) -> None:
    del machine.counts["decrypt"]["kernel.squares"]
    assert "kernel.squares 77 -> 0" in str(check_baseline(file, counts_only=True))


def test_a_slower_row_fails_within_the_tolerance_it_holds(machine: Machine, file: Path) -> None:
    machine.slowdown = 1.15
    assert check_baseline(file).failed == [ROW]
    assert check_baseline(file, tolerance=0.2).ok
    machine.slowdown = 1.08
    assert check_baseline(file).ok


def test_counts_alone_are_not_timed(machine: Machine, file: Path) -> None:
    machine.slowdown = 2.0
    report = check_baseline(file, counts_only=True)
    assert report.ok
    assert not machine.timed
    assert any("not measured" in note for note in report.notes)


def test_on_another_cpu_only_counts_are_judged(machine: Machine, file: Path, rows: EngineRows) -> None:
    rewrite(file, replace(rows, cpu="Some other CPU"))
    machine.slowdown = 2.0
    report = check_baseline(file)
    assert report.ok
    assert not machine.timed
    assert f"SPEEDS WERE NOT JUDGED: they were taken on Some other CPU, and this is {cpu_name()}" in str(report)
    machine.counts["add"]["kernel.products"] += 1
    assert check_baseline(file).failed == ["add"]


def test_an_engine_that_was_asked_for_and_does_not_run_fails_every_row(
    machine: Machine, file: Path, rows: EngineRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(file, rows, gmp=replace(rows, target="6.3"))
    why_not = EngineUnavailableError("it does not run")

    def refuse(name: str) -> None:
        raise why_not

    monkeypatch.setattr("vecphe.bench.gate.engine_named", refuse)
    report = check_baseline(file, engine="gmp")
    assert report.failed == ["add", "decrypt", ROW]
    assert "FAILED: decrypt: needs target 6.3: it does not run" in str(report)
    assert not machine.timed


def test_another_engine_can_be_asked_for(machine: Machine, file: Path, rows: EngineRows) -> None:
    if active_engine().name == "gmp":
        pytest.skip("gmp is the engine of the baseline here")
    with pytest.raises(SerializationError, match="no rows for engine 'gmp', only for"):
        check_baseline(file, engine="gmp")
    rewrite(file, rows, gmp=replace(rows, target="6.3", speeds={}))
    report = check_baseline(file, engine="gmp")
    assert report.ok, report


def test_an_engine_that_is_not_there_and_has_no_rows_is_refused(
    machine: Machine, file: Path, tmp_path: Path, rows: EngineRows
) -> None:
    with pytest.raises(EngineUnavailableError, match="no engine is called 'ifma9'"):
        check_baseline(other_baseline(tmp_path, ifma9=rows), engine="ifma9")
    missing = next((name for name, why_not in available_engines() if why_not is not None), None)
    if missing is None:
        pytest.skip("every engine runs here")
    with pytest.raises(EngineUnavailableError, match=f"engine '{missing}' does not run here"):
        check_baseline(file, engine=missing)


@pytest.mark.skipif(dict(available_engines())["portable"] is not None, reason="needs the native kernel")
def test_another_build_of_an_engine_is_not_the_one_of_the_baseline(
    machine: Machine, file: Path, rows: EngineRows
) -> None:
    rewrite(file, rows, portable=replace(rows, target="another"))
    report = check_baseline(file, engine="portable")
    assert report.failed == ["engine"]
    assert "FAILED: engine: target is not another" in str(report)
    assert not machine.timed


def other_baseline(path: Path, **engines: EngineRows) -> Path:
    """One that requires an engine which never runs."""
    save_baseline(path / "other.json", Baseline("ifma9", engines))
    return path / "other.json"


def test_the_rows_of_the_engine_that_runs_are_judged_and_the_others_named(
    machine: Machine, tmp_path: Path, rows: EngineRows
) -> None:
    path = other_baseline(tmp_path, ifma9=rows, **{active_engine().name: rows})
    report = check_baseline(path)
    assert report.ok
    assert "3 ROWS OF ENGINE ifma9 WERE NOT JUDGED, which the baseline requires" in str(report)
    assert "judged on no engine" not in str(report)
    machine.counts["add"]["kernel.products"] += 1
    assert check_baseline(path).failed == ["add"]
    assert "WERE NOT JUDGED" not in str(check_baseline(path, engine=active_engine().name))


def test_where_no_row_is_of_the_engine_that_runs_the_gate_does_not_pass(
    machine: Machine, tmp_path: Path, rows: EngineRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VECPHE_ENGINE", "gmp")
    path = other_baseline(tmp_path, ifma9=rows)
    report = check_baseline(path)
    assert not report.ok
    assert report.summary == "nothing was judged"
    assert "gmp ran: VECPHE_ENGINE=gmp" in str(report)
    assert f"judged on no engine: add; decrypt; {ROW}" in str(report)
    status, _, err = run_command("check", str(path))
    assert (status, "error: nothing was judged" in err) == (1, True)


def test_rows_that_one_side_lacks_fail(machine: Machine, file: Path, rows: EngineRows) -> None:
    rewrite(file, replace(rows, counts={"add": COUNTS["add"], "gone": {"a": 1}}, speeds={"speed: gone": SPEED}))
    assert sorted(check_baseline(file).failed) == sorted(["decrypt", "gone", "speed: gone", ROW])


def test_a_baseline_without_speeds_fails_a_full_check(machine: Machine, file: Path, rows: EngineRows) -> None:
    rewrite(file, replace(rows, speeds={}))
    report = check_baseline(file)
    assert report.failed == [ROW]
    assert "is only in this version; `vecphe bench baseline`" in str(report)
    rewrite(file, replace(rows, speeds={}, cpu="Some other CPU"))
    assert check_baseline(file).failed == [ROW]
    assert check_baseline(file, counts_only=True).ok
    save_baseline(file, Baseline("ifma9", {"ifma9": rows, active_engine().name: replace(rows, speeds={})}))
    report = check_baseline(file)
    assert report.ok
    assert f"the baseline has no speeds of engine {active_engine().name}" in str(report)
    few = replace(rows, speeds={"speed: gone": SPEED})
    save_baseline(file, Baseline("ifma9", {"ifma9": rows, active_engine().name: few}))
    assert sorted(check_baseline(file).failed) == ["speed: gone", ROW]


def test_speeds_alone_are_held_against_other_code(machine: Machine, file: Path, rows: EngineRows) -> None:
    """As on a pull request, whose counts and rows may differ from those of its merge base."""
    rewrite(file, replace(rows, counts={"gone": {"a": 1}}, speeds={ROW: SPEED, "speed: gone": SPEED}))
    assert not check_baseline(file).ok
    report = check_baseline(file, speeds_only=True)
    assert [(finding.row, finding.status) for finding in report.findings] == [(ROW, "held")]
    assert "speed: gone has no counterpart" in str(report)
    machine.slowdown = 1.3
    assert check_baseline(file, speeds_only=True).failed == [ROW]
    with pytest.raises(ValueError, match="leave nothing to compare"):
        check_baseline(file, speeds_only=True, counts_only=True)


def test_a_report_of_undecided_rows_says_so(machine: Machine, file: Path) -> None:
    machine.reference = 6.0  # far slower than in the baseline: never quiet
    report = check_baseline(file)
    assert report.ok
    assert report.undecided == [ROW]
    assert report.summary == f"2 held, 1 NOT DECIDED ({ROW})"
    assert any(warning.startswith("NO SPEED WAS DECIDED") for warning in report.warnings)


def test_a_reference_that_is_slower_for_good_is_named(machine: Machine, file: Path) -> None:
    machine.reference, machine.slowdown = 4.4, 1.1
    report = check_baseline(file)
    assert report.summary == "3 held"
    assert "THE REFERENCE RUNS UP TO 10 % SLOWER THAN WHEN THE BASELINE WAS TAKEN" in str(report)
    machine.slowdown = 1.3
    assert check_baseline(file).failed == [ROW]
    assert "the reference runs 10 % slower than when the baseline was taken" in str(check_baseline(file))


def test_a_baseline_of_a_slow_engine_is_said_aloud(
    machine: Machine, file: Path, rows: EngineRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VECPHE_ENGINE", "gmp")
    save_baseline(file, Baseline("gmp", {"gmp": replace(rows, target="6.3")}))
    report = check_baseline(file)
    assert report.ok
    assert "THE FAST ENGINE DID NOT RUN: " in str(report)
    assert "THE FAST ENGINE" not in str(check_baseline(file, engine="gmp"))


@pytest.mark.parametrize("tolerance", [0.0, 1.0, -0.1, float("nan"), 10])
def test_a_tolerance_is_a_share(machine: Machine, file: Path, tolerance: float) -> None:
    with pytest.raises(ValueError, match="--tolerance must be between 0 and 1"):
        check_baseline(file, tolerance=tolerance)


# Updates


def test_an_update_says_what_it_changes(machine: Machine, file: Path) -> None:
    machine.counts["add"]["kernel.products"] = 128
    machine.counts["new"] = {"b": 1}
    machine.slowdown = 2.0
    baseline, changed = updated_baseline(file)
    name = active_engine().name
    assert f"{name}: add: kernel.products 256 -> 128 (-50 %)" in changed
    assert f"{name}: new: no row -> 1 count" in changed
    assert f"{name}: {ROW}: 4 -> 2 (-50.0 %)" in changed
    assert len(changed) == 3
    save_baseline(file, baseline)
    assert check_baseline(file).ok
    assert updated_baseline(file)[1] == []


def test_an_update_of_counts_keeps_the_speeds(machine: Machine, file: Path) -> None:
    machine.slowdown = 2.0
    baseline, changed = updated_baseline(file, counts_only=True)
    assert changed == []
    assert baseline.engines[active_engine().name].speeds == {ROW: SPEED}
    assert not machine.timed


def test_an_update_of_counts_elsewhere_keeps_the_speeds_and_their_cpu(
    machine: Machine, file: Path, rows: EngineRows
) -> None:
    rewrite(file, replace(rows, cpu="Some other CPU"))
    machine.counts["new"] = {"b": 1}
    baseline, changed = updated_baseline(file, counts_only=True)
    found = baseline.engines[active_engine().name]
    assert (found.speeds, found.cpu, found.counts["new"]) == ({ROW: SPEED}, "Some other CPU", {"b": 1})
    assert len(changed) == 1


def test_an_update_of_counts_without_speeds_is_of_this_cpu(machine: Machine, file: Path, rows: EngineRows) -> None:
    rewrite(file, replace(rows, cpu="Some other CPU", speeds={}))
    baseline, _ = updated_baseline(file, counts_only=True)
    assert baseline.engines[active_engine().name].cpu == cpu_name()


def test_a_first_baseline_requires_the_engine_it_was_made_on(machine: Machine, tmp_path: Path) -> None:
    baseline, changed = updated_baseline(tmp_path / "new.json")
    assert baseline.engine == active_engine().name
    assert len(changed) == 2 + len(COUNTS) + 1


def test_changes_of_nothing_are_none(rows: EngineRows) -> None:
    assert list(changes(rows, rows)) == []


# Files


def content_of(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_baseline_survives_its_file(file: Path, rows: EngineRows) -> None:
    assert load_baseline(file).engines[active_engine().name] == rows


def garble(*path: str, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for name in path[:-1]:
            content = content[name if name != "E" else active_engine().name]
        if value is garble:
            del content[path[-1]]
        else:
            content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (garble("schema", value="else"), "schema is not 'vecphe-gate'"),
        (garble("schema", value=garble), "schema is missing"),
        (garble("version", value=2), "version is not 1"),
        (garble("version", value=True), "version is not 1"),
        (garble("more", value=1), "more is no field of a baseline"),
        (garble("engine", value="none"), "engine: 'none' has no rows under engines"),
        (garble("engine", value=7), "engine is no line of text"),
        (garble("engines", value=[]), "engines is no object"),
        (garble("engines", "E", "target", value=garble), "target is missing"),
        (garble("engines", "E", "cpu", value="a\nb"), "cpu is no line of text"),
        (garble("engines", "E", "counts", "add", value=3), "counts.add is no object"),
        (garble("engines", "E", "counts", "add", "x", value=-1), "counts.add.x is no count"),
        (garble("engines", "E", "counts", "add", "x", value=1.5), "counts.add.x is no count"),
        (garble("engines", "E", "counts", "add", "x", value=True), "counts.add.x is no count"),
        (garble("engines", "E", "speeds", ROW, "speed", value=0), "speed is not positive and finite"),
        (garble("engines", "E", "speeds", ROW, "speed", value="1"), "speed is no number"),
        (garble("engines", "E", "speeds", ROW, "reference", value=garble), "reference is missing"),
    ],
)
def test_garbled_baselines_are_refused_in_one_line(file: Path, change: Callable[[Any], None], message: str) -> None:
    content = content_of(file)
    change(content)
    replace_file(file, json.dumps(content).encode(), force=True)
    with pytest.raises(SerializationError, match=message) as refused:
        load_baseline(file)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"[]", b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}'])
def test_what_is_no_json_object_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(data)
    with pytest.raises(SerializationError):
        load_baseline(path)


# The command


def run_command(*arguments: str) -> tuple[int, str, str]:
    from typer.testing import CliRunner

    from vecphe.cli.app import app

    result = CliRunner().invoke(app, ["bench", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_exits_with_1_and_names_the_row(machine: Machine, file: Path) -> None:
    assert run_command("check", str(file))[0] == 0
    machine.counts["add"]["kernel.products"] = 512
    status, out, err = run_command("check", str(file))
    assert status == 1
    assert "FAILED: add: kernel.products 256 -> 512" in out
    assert "error: 1 of 3 rows failed: add" in err
    status, out, _ = run_command("check", str(file), "--json", "--counts-only")
    assert status == 1
    assert [finding["row"] for finding in json.loads(out)["findings"] if finding["status"] == "failed"] == ["add"]


def test_the_command_ends_with_what_was_not_decided(machine: Machine, file: Path) -> None:
    machine.reference = 6.0
    status, out, _ = run_command("check", str(file))
    assert status == 0
    *_, warning, last = out.splitlines()
    assert "WARNING: NO SPEED WAS DECIDED" in warning
    assert last == f"2 held, 1 NOT DECIDED ({ROW})"
    _, out, _ = run_command("check", str(file), "--json")
    assert json.loads(out)["warnings"] == [warning.removeprefix("WARNING: ")]


def test_the_command_fails_if_nothing_was_judged(machine: Machine, file: Path, rows: EngineRows) -> None:
    machine.counts = {}
    rewrite(file, replace(rows, counts={}, speeds={}))
    status, out, err = run_command("check", str(file), "--counts-only")
    assert status == 1
    assert out.splitlines()[-1] == "nothing was judged"
    assert "error: nothing was judged" in err


def test_the_workflow_lets_deliberate_changes_of_counts_pass() -> None:
    """Counts against the committed baseline, speeds against the merge base."""
    text = (Path(__file__).parents[2] / ".github/workflows/performance.yml").read_text()
    checks = [line for line in text.splitlines() if " bench check " in line]
    assert ["--counts-only" in line for line in checks] == [True, False]
    assert ["--speeds-only" in line for line in checks] == [False, True]
    assert "benchmarks/baseline.json" in checks[0]


def test_the_command_updates_and_says_so(machine: Machine, file: Path) -> None:
    machine.counts["add"]["kernel.products"] = 512
    status, out, _ = run_command("baseline", str(file), "--counts-only")
    assert status == 0
    assert "add: kernel.products 256 -> 512 (+100 %)" in out
    assert run_command("check", str(file))[0] == 0
    assert "nothing changed" in run_command("baseline", str(file), "--counts-only")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "missing.json"), "missing.json"),
        (("check", "FILE", "--tolerance", "2"), "--tolerance must be between 0 and 1"),
        (("check", "FILE", "--engine", "none"), "--engine: no engine is called 'none'"),
        (("baseline", "FILE", "--engine", "none"), "--engine: no engine is called 'none'"),
        (("check", "FILE", "--counts-only", "--speeds-only"), "--counts-only and --speeds-only leave nothing"),
        (("check", "FILE", "--rows", "missing.py"), "missing.py: No such file or directory"),
    ],
)
def test_wrong_usage_exits_with_2(machine: Machine, file: Path, arguments: tuple[str, ...], message: str) -> None:
    status, _, err = run_command(*(str(file) if argument == "FILE" else argument for argument in arguments))
    assert status == 2
    assert message in err
    assert err.count("\n") == 1


def test_the_committed_baseline_loads_and_has_every_row() -> None:
    baseline = load_baseline(Path(__file__).parents[2] / "benchmarks" / "baseline.json")
    assert baseline.engine == "ifma"
    assert {"ifma", "ifma256", "fma512", "fma256", "gmp", "portable"} == baseline.engines.keys()
    for rows in baseline.engines.values():
        assert list(rows.counts) == sorted(COUNT_ROWS)
    for engine in ("ifma", "gmp"):
        assert baseline.engines[engine].speeds.keys() == {row.name for row in RATIO_ROWS}


def test_rows_that_depend_on_the_caches_have_twice_the_tolerance(
    machine: Machine, file: Path, rows: EngineRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    (slack,) = {row.slack for row in RATIO_ROWS if "encrypt" in row.name or "round" in row.name}
    assert slack == 2.0
    loose = next(row.name for row in RATIO_ROWS if row.slack == slack)
    rewrite(file, replace(rows, speeds={ROW: SPEED, loose: SPEED}))
    blocks = {ROW: machine.block, loose: machine.block}
    monkeypatch.setattr(Rows, "of_library", lambda: made.rows(COUNTS, blocks, {loose: slack}))
    machine.slowdown = 1.15
    assert check_baseline(file).failed == [ROW]
    machine.slowdown = 1.3
    assert check_baseline(file).failed == [ROW, loose]
    assert check_baseline(file, tolerance=0.5).ok


@pytest.mark.parametrize("row", sorted(COUNT_ROWS))
def test_the_rows_of_the_library_count_what_the_baseline_holds(row: str) -> None:
    """And what each of them computes is right, or it counts nothing."""
    engines = load_baseline(Path(__file__).parents[2] / "benchmarks" / "baseline.json").engines
    assert Rows.of_library().counts[row]() == engines[active_engine().name].counts[row]
