"""``vecphe bench``: its files, its errors, and what an interrupt leaves."""

from __future__ import annotations

import csv
import importlib.util
import json
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.arithmetic.host_device import COMPILER, NOT_TESTED, HostDevice
from tests.bench.made import CASE, record, results, samples

from vecphe.arithmetic import selection
from vecphe.arithmetic.cuda import CudaEngine
from vecphe.bench.results_file import load_results, results_as_dict
from vecphe.cli.bench import new_spelling
from vecphe.cli.bench_output import _record_table
from vecphe.cli.bench_run import Outputs

SMALL = ("bench", "run", "--quick", "--key-lengths", "512", "--clients", "3", "--values", "4,6")


def test_a_run_prints_a_table_and_writes_every_file(main_here: Any, tmp_path: Path) -> None:
    saved, table, report = tmp_path / "results.json", tmp_path / "results.csv", tmp_path / "report"
    done = main_here(*SMALL, "--save", str(saved), "--csv", str(table), "--report", str(report))
    assert (done.returncode, done.stderr) == (0, "")
    assert "this takes about" in done.stdout
    assert "keys of 512 bits are insecure" in done.stdout
    for column in ("encrypt", "add", "decrypt", "round", "speed-up", "bytes/value"):
        assert column in done.stdout
    loaded = load_results(saved)
    assert loaded.complete
    assert loaded.backends == ["naive", "vectorized", "packed"]
    assert len(list(csv.DictReader(table.read_text().splitlines()))) == len(loaded.records) == 6
    assert {path.name for path in report.iterdir()} == {
        "index.html",
        "time_by_values.png",
        "speed_up.png",
        "phases.png",
    }
    stale = report / "time_by_clients.png"
    stale.write_bytes(b"of an earlier report")
    assert main_here(*SMALL, "--backends", "packed", "--report", str(report), "--force").returncode == 0
    assert not stale.exists()
    again = main_here(*SMALL, "--save", str(saved))
    assert again.returncode == 2
    assert again.stderr == f"error: {saved} exists; use --force to replace it\n"
    assert load_results(saved) == loaded


def test_saving_to_stdout_leaves_nothing_else_there(main_here: Any) -> None:
    done = main_here(*SMALL, "--backends", "packed", "--save", "-")
    assert done.returncode == 0
    assert json.loads(done.stdout)["schema"] == "vecphe-benchmark"
    assert "this takes about" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--key-lengths", "65"], "key_length must be even"),
        (["--key-lengths", "abc"], "--key-lengths takes positive integers"),
        (["--clients", "2"], "--clients must be from 3"),
        (["--values", "-1"], "--values takes positive integers"),
        (["--backends", "fast"], "--backends: 'fast' is none of naive, vectorized, packed"),
        (["--engine", "fast"], "--engine: no engine is called 'fast'"),
        (["--jobs", "0"], "--jobs 0"),
        (["--save", "nowhere/results.json"], "nowhere"),
        (["--csv", "-"], "--csv takes the name of a file"),
        (["--report", "nowhere/report"], "--report: nowhere does not exist"),
        (["--save", "same", "--csv", "./same"], "same and same are the same file"),
        (["--report", ".", "--force", "--csv", "index.html"], "are the same file"),
        (["--report", ""], "name a directory"),
        (["--report", "/proc/report"], "/proc"),
        (["--report", "/proc"], "/proc"),
        (["--save", "/proc/results.json"], "/proc: no file can be created here"),
        (["--csv", "/proc/results.csv"], "/proc"),
    ],
)
def test_h65_bad_options_are_one_line(
    main_here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = main_here(*SMALL, *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("--quick", "run --quick"),
        ("--values 4 --save c.json", "run --values 4 --save c.json"),
        ("--engine gmp --backends packed", "run --backends packed --engine gmp"),
        ("--compare a.json b.json --json", "compare a.json b.json --json"),
        ("--json --compare a.json b.json", "compare a.json b.json --json"),
        ("--check a.json", "check a.json"),
        ("--check", "check FILE"),
        ("--check --update-baseline", "baseline FILE"),
        ("--compare", "compare BEFORE AFTER"),
        ("--check=a.json --counts-only --engine active", "check a.json --counts-only"),
        ("--engine gmp --check a.json --tolerance 0.2", "check a.json --tolerance 0.2 --engine gmp"),
        ("--check a.json --update-baseline --engine gmp", "baseline a.json --engine gmp"),
    ],
)
def test_the_old_spelling_is_answered_with_the_new_one(main_here: Any, old: str, new: str) -> None:
    done = main_here("bench", *old.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: `vecphe bench` has commands now: write `vecphe bench {new}`\n"
    assert new_spelling(old.split()) == new.split()


def test_a_short_option_is_no_old_spelling(main_here: Any) -> None:
    done = main_here("bench", "-z")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "error: No such option: -z\n")


def test_bench_alone_names_its_commands(main_here: Any) -> None:
    done = main_here("bench")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: say what to do: vecphe bench run, compare, check or baseline; --help lists their options\n"
    )


@pytest.mark.parametrize(
    ("job", "option"),
    [
        (["compare", "a.json", "b.json"], "--engine=gmp"),
        (["compare", "a.json", "b.json"], "--quick"),
        (["check", "a.json"], "--quick"),
        (["check", "a.json"], "--values=3"),
        (["check", "a.json"], "--save=b.json"),
        (["baseline", "a.json"], "--tolerance=0.2"),
        (["baseline", "a.json"], "--speeds-only"),
        (["baseline", "a.json"], "--json"),
        (["run"], "--counts-only"),
        (["run"], "--json"),
    ],
)
def test_each_command_takes_its_own_options_alone(main_here: Any, job: list[str], option: str) -> None:
    done = main_here("bench", *job, option)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert option.split("=")[0] in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_file_is_named(main_here: Any) -> None:
    assert "missing.json" in main_here("bench", "compare", "missing.json", "missing.json").stderr


@pytest.mark.parametrize("place", ["nowhere/base.json", "file/base.json", "."])
def test_a_baseline_has_a_place_before_anything_is_counted(main_here: Any, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "rows.py").write_text("raise KeyboardInterrupt", encoding="utf-8")  # as if minutes had begun
    done = main_here("bench", "baseline", str(tmp_path / place), "--rows", str(tmp_path / "rows.py"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path}")
    assert done.stderr.count("\n") == 1


def test_what_rows_print_is_no_part_of_the_report(main_here: Any, tmp_path: Path) -> None:
    row = "print('loaded')\ndef row():\n    print('made')\n    return (lambda: print('run')), (lambda: None), {'a': 1}"
    (tmp_path / "rows.py").write_text(row, encoding="utf-8")
    options = [str(tmp_path / "base.json"), "--rows", str(tmp_path / "rows.py"), "--counts-only"]
    taken = main_here("bench", "baseline", *options)
    assert taken.stdout.splitlines()[-1].endswith("row: no row -> 1 counts")
    assert "run" not in taken.stdout.split()
    checked = main_here("bench", "check", *options, "--json")
    assert json.loads(checked.stdout)["ok"]
    assert {"loaded", "made", "run"} <= set(checked.stderr.splitlines())


def test_a_file_that_appeared_during_the_run_stays(tmp_path: Path) -> None:
    outputs = Outputs(csv=tmp_path / "x.csv")
    outputs.check()
    (tmp_path / "x.csv").write_text("mine")
    with pytest.raises(FileExistsError, match=r"x\.csv exists"):
        outputs.write(results())
    assert (tmp_path / "x.csv").read_text() == "mine"


def test_the_report_directory_is_there_before_the_run(tmp_path: Path) -> None:
    Outputs(save=tmp_path / "a", csv=tmp_path / "b", report=tmp_path / "report").check()
    assert [path.name for path in tmp_path.rglob("*")] == ["report"]


def test_a_report_needs_matplotlib_before_anything_runs(
    main_here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = main_here(*SMALL, "--report", str(tmp_path / "report"))
    assert done.returncode == 2
    assert "pip install 'vecphe[bench]'" in done.stderr
    assert done.stdout == ""


def test_a_report_is_not_replaced_unasked(main_here: Any, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    done = main_here(*SMALL, "--report", str(tmp_path))
    assert (done.returncode, "--force" in done.stderr) == (2, True)
    assert (tmp_path / "index.html").read_text() == "mine"


def test_an_engine_that_was_asked_for_ran(main_here: Any, tmp_path: Path) -> None:
    saved = tmp_path / "results.json"
    done = main_here(*SMALL, "--backends", "packed", "--engine", "gmp", "--save", str(saved))
    assert done.stdout.startswith("vecphe bench: engine gmp")
    assert "DID NOT RUN" not in done.stdout
    assert {made.environment.engine for made in load_results(saved).records} == {"gmp"}


def test_without_a_gpu_the_engine_for_it_is_one_clear_line(main_here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = main_here(*SMALL, "--engine", "cuda")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: engine 'cuda' does not run here: CuPy is not installed; install CuPy")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not COMPILER, reason=NOT_TESTED)
def test_the_engine_for_a_gpu_is_measured_and_reported(
    main_here: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = CudaEngine(HostDevice())
    monkeypatch.setitem(selection._engines(), "cuda", selection._Candidate(lambda: None, lambda: engine, True))
    monkeypatch.setattr(selection, "_passes", selection._passes.__wrapped__)
    saved, report = tmp_path / "results.json", tmp_path / "report"
    options = ("--backends", "packed", "--engine", "cuda", "--save", str(saved), "--report", str(report))
    done = main_here(*SMALL, *options)
    assert done.returncode == 0, done.stderr
    assert {(made.environment.engine, made.environment.target) for made in load_results(saved).records} == {
        ("cuda", "host")
    }
    assert "cuda, target host" in (report / "index.html").read_text()


def test_a_slow_engine_that_nobody_asked_for_is_loud(main_here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VECPHE_ENGINE", "gmp")
    done = main_here(*SMALL, "--backends", "packed")
    assert done.stdout.count("WARNING: THE FAST ENGINE DID NOT RUN") == 2  # before the run, and below its table


def test_h60_ctrl_c_keeps_what_was_measured(start_command: Any, tmp_path: Path) -> None:
    saved = tmp_path / "results.json"
    process = start_command(
        "bench", "run", "--key-lengths", "512,2048", "--values", "4,4000", "--clients", "3", "--save", str(saved)
    )
    for line in process.stdout:
        if line.startswith("naive encrypts"):
            break
    time.sleep(3.0)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr == "interrupted\n"
    assert "INTERRUPTED: cases are missing" in stdout
    kept = load_results(saved)
    assert not kept.complete
    assert kept.records[0].case.values == 4
    assert all(made.case.key_length == 512 or made.case.values == 4 for made in kept.records)


def test_a_key_that_does_not_fill_its_bytes_can_be_read_again(main_here: Any, tmp_path: Path) -> None:
    saved = tmp_path / "results.json"
    options = ("--key-lengths", "514", "--clients", "3", "--values", "20", "--save", str(saved))
    assert main_here("bench", "run", "--quick", *options).returncode == 0
    assert load_results(saved).records[0].bytes_per_value == 130


def write(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def test_compare_tells_what_changed(main_here: Any, tmp_path: Path) -> None:
    before = write(tmp_path / "a.json", results_as_dict(results(record(), record("vectorized"))))
    slow = record(samples=samples(0.008), ciphertexts=2)
    after = write(tmp_path / "b.json", results_as_dict(results(slow, record("vectorized"))))
    done = main_here("bench", "compare", before, after)
    assert done.returncode == 0
    assert "slower: packed, 2048 bits, 5 clients, 11 values: encrypt" in done.stdout
    assert "ratio 2.000" in done.stdout
    assert "2 ciphertexts instead of 11" in done.stdout
    assert "no clear change: 4 of 8 times" in done.stdout
    as_json = json.loads(main_here("bench", "compare", before, after, "--json").stdout)
    assert [change["verdict"] for change in as_json["changes"]] == ["slower"] * 4 + ["no clear change"] * 4


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": "vecphe-benchmark", "version": 9}', b"\x00\xff"])
def test_h63_garbled_files_are_one_line(main_here: Any, tmp_path: Path, content: bytes) -> None:
    bad, good = tmp_path / "bad.json", write(tmp_path / "good.json", results_as_dict(results()))
    bad.write_bytes(content)
    done = main_here("bench", "compare", good, str(bad))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {bad}")
    assert done.stderr.count("\n") == 1


def test_files_without_a_common_case_cannot_be_compared(main_here: Any, tmp_path: Path) -> None:
    a = write(tmp_path / "a.json", results_as_dict(results(record())))
    b = write(tmp_path / "b.json", results_as_dict(results(record("vectorized"))))
    assert "no case in common" in main_here("bench", "compare", a, b).stderr


def test_h60_ctrl_c_before_anything_was_measured_writes_nothing(start_command: Any, tmp_path: Path) -> None:
    saved = tmp_path / "results.json"
    process = start_command(
        "bench", "run", "--key-lengths", "8192", "--clients", "3", "--values", "4", "--save", str(saved)
    )
    assert process.stdout.readline().startswith("vecphe bench: engine ")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "interrupted\n")
    assert not saved.exists()


@pytest.mark.slow
def test_the_quick_matrix_takes_less_than_a_minute(command: Any, tmp_path: Path) -> None:
    report = tmp_path / "report"
    started = time.monotonic()
    done = command("bench", "run", "--quick", "--report", str(report), "--save", str(tmp_path / "results.json"))
    assert done.returncode == 0
    assert time.monotonic() - started < 60
    assert (report / "index.html").exists()
    assert len(load_results(tmp_path / "results.json").records) == 36


def test_a_line_stands_between_cases_alone() -> None:
    made = [record(backend, replace(CASE, values=values)) for values in (5, 6) for backend in ("naive", "packed")]
    table = _record_table(made, ["backend", "round"], "title")
    assert [row.end_section for row in table.rows] == [False, True, False, False]
