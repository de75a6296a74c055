"""``vecphe bench``: its files, its errors, and what an interrupt leaves."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress as RichProgress
from tests.arithmetic.host_device import COMPILER, NOT_TESTED, HostDevice
from tests.bench.made import CASE, record, results, samples

from vecphe.arithmetic import selection
from vecphe.arithmetic.cuda import CudaEngine
from vecphe.bench.results_file import load_results, results_as_dict
from vecphe.cli.bench import new_spelling
from vecphe.cli.bench_output import BenchReporter, _table
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
    names = ("time_by_values", "speed_up", "phases_by_key_length")
    pictures = {f"{name}.{form}" for name in names for form in ("png", "svg", "pdf")}
    assert {path.name for path in report.iterdir()} == {"index.html", *pictures}
    stale = report / "time_by_clients.svg"
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
        (["--peers", "heu"], "--peers: 'heu' is none of phe, pypaillier, lightphe, tenseal"),
        (["--budget", "15"], "--budget takes a time from 1s to 720h, such as 90s, 15m or 2h, not '15'"),
        (["--resume"], "--resume goes on with the file of --save: name it"),
        (["--resume", "--save", "-"], "--resume goes on with the file of --save: name it"),
        (["--latex", "-"], "--latex takes the name of a file"),
        (["--plot", "speedup:clients"], "--plot draws into the report: give --report DIRECTORY too"),
        (
            ["--plot", "speed:clients"],
            "--plot takes one of speedup, time, bytes, setup, phases, a colon, and one of key-",
        ),
        (["--plot", "time"], "--plot takes one of speedup, time, bytes"),
        (["--csv", "same", "--latex", "./same"], "same and same are the same file"),
        (["--report", ".", "--force", "--latex", "speed_up.pdf"], "are the same file"),
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
        ("--update-baseline", "baseline FILE"),
        ("--engine --quick", "run --quick"),
        ("--comp a.json", "run --comp a.json"),
        ("--values 4 -h", "run --values 4 -h"),
    ],
)
def test_the_old_spelling_is_answered_with_the_new_one(main_here: Any, old: str, new: str) -> None:
    done = main_here("bench", *old.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: `vecphe bench` has commands now: write `vecphe bench {new}`\n"
    assert new_spelling(old.split()) == new.split()


def test_help_is_shown_whatever_else_is_typed(main_here: Any) -> None:
    for typed in (["--help"], ["--quick", "--help"]):
        done = main_here("bench", *typed)
        assert "say what to do" not in done.stderr
        assert "commands now" not in done.stderr
    assert "baseline" in main_here("bench", "--help").stdout


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
    assert taken.stdout.splitlines()[-1].endswith("row: no row -> 1 count")
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


def test_what_is_left_is_the_rest_of_the_estimate_as_it_held_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    now, bars = [5.0], list[RichProgress]()

    def bar(self: BenchReporter, *columns: Any) -> RichProgress:
        console = Console(file=io.StringIO())
        bars.append(RichProgress(*columns, console=console, auto_refresh=False, get_time=lambda: now[0]))
        return bars[-1]

    def shown() -> tuple[str, str]:
        (task,) = bars[-1].tasks
        return task.description, task.fields["left"]

    monkeypatch.setattr(BenchReporter, "_bar", bar)
    with BenchReporter().showing(40.0) as progress:
        assert shown() == ("making keys", "40 s left")
        progress("tables", 0.0)
        assert shown() == ("tables", "40 s left")
        now[0] += 20.0
        progress("packed", 10.0)
        assert shown() == ("packed", "about 60 s left")  # it takes twice as long
        now[0] += 10.0
        progress("packed", 20.0)
        assert shown() == ("packed", "about 10 s left")
        progress("naive", 20.0)
        assert shown()[1].startswith("about 0 ")
    with BenchReporter().showing() as progress:
        progress("tables", 1.0)
        assert shown() == ("tables", "")


@pytest.mark.parametrize("which", ["save", "csv", "latex", "report"])
@pytest.mark.parametrize(("allows", "goes"), [({}, False), ({"force": True}, True), ({"resume": True}, True)])
def test_what_is_there_is_replaced_where_that_was_asked_for(
    tmp_path: Path, which: str, allows: dict[str, bool], goes: bool
) -> None:
    outputs = Outputs(**{"save": tmp_path / "save", which: tmp_path / which}, **allows)
    if which == "report":
        (tmp_path / "report").mkdir()
        (tmp_path / "report" / "index.html").write_text("before")
    else:
        (tmp_path / which).write_text("before")
    if goes:
        outputs.check()
    else:
        with pytest.raises(ValueError, match="use --force to replace it"):
            outputs.check()


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
    assert "INCOMPLETE: cases or samples are missing; with --save FILE --resume a run goes on" in stdout
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


def test_compare_tells_of_every_case(main_here: Any, tmp_path: Path) -> None:
    """Old, new, ratio, interval and verdict of each time, and what one of the files does not have."""
    alone = record(case=replace(CASE, clients=3)), record("naive", jobs=2)
    before = write(tmp_path / "a.json", results_as_dict(results(record(), record("vectorized"), alone[0])))
    slow = record(samples=samples(0.008), ciphertexts=2)
    after = write(tmp_path / "b.json", results_as_dict(results(slow, record("vectorized"), alone[1])))
    done = main_here("bench", "compare", before, after)
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    rows = [line for line in lines if line[:3] in (["2048", "5", "11"], ["2048", "3", "11"])]
    assert [line[3:5] for line in rows[:8]] == [
        [name, phase] for name in ("packed", "vectorized") for phase in ("encrypt", "add", "decrypt", "round")
    ]
    assert rows[0][5:10] == ["2.81", "ms", "5.62", "ms", "2.000"]
    assert (rows[0][11], rows[0][13]) == ("to", "slower")
    assert rows[7][5:10] == ["20", "ms", "20", "ms", "1.000"]
    assert [" ".join(line[-3:]) for line in rows[4:8]] == ["no clear change"] * 4
    assert rows[8][:2] == ["2048", "3"]
    assert rows[8][4:] == ["round", "2.4", "ms", "-", "-", "only", "in", "the", "old", "file"]
    assert " ".join(rows[9][-5:]) == "only in the new file"
    assert "naive (phe), 2 workers" in done.stdout
    assert len(rows) == 10
    assert "2 ciphertexts instead of 11" in done.stdout
    for text in ("slower: 4 of 10", "no clear change: 4 of 10", "only in the old file: 1 of 10"):
        assert text in done.stdout
    as_json = json.loads(main_here("bench", "compare", before, after, "--json").stdout)
    assert [change["verdict"] for change in as_json["changes"]] == ["slower"] * 4 + ["no clear change"] * 4
    assert [[each["backend"] for each in side] for side in as_json["unmatched"]] == [["packed"], ["naive"]]


def test_few_samples_are_compared_without_an_interval(main_here: Any, tmp_path: Path) -> None:
    few = [record(samples=samples(0.004, count=3), reference=[1.0] * 3) for _ in range(2)]
    files = [write(tmp_path / name, results_as_dict(results(made))) for name, made in zip("ab", few, strict=True)]
    done = main_here("bench", "compare", *files)
    assert done.returncode == 0
    assert done.stdout.count("1.000 (0 to inf)") == 4
    assert "too few samples: 4 of 4" in done.stdout
    assert json.loads(main_here("bench", "compare", *files, "--json").stdout)["changes"][0]["high"] is None


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


LONG = ("bench", "run", "--key-lengths", "512", "--clients", "3", "--values", "4,5,6,7", "--backends", "packed")


@pytest.mark.parametrize(("number", "word"), [(signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted")])
def test_h60_a_signal_costs_a_case_at_most(start_command: Any, tmp_path: Path, number: int, word: str) -> None:
    """The file grows case by case; --resume goes on with it, and does not without its plan."""
    saved = tmp_path / "results.json"
    process = start_command(*LONG, "--save", str(saved), "--budget", "600s")
    wait_for(lambda: saved.exists() and len(load_results(saved).records) >= 2)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (128 + number, f"{word}\n")
    assert "INCOMPLETE" in stdout
    kept = load_results(saved)
    assert not kept.complete
    assert len(kept.records) >= 2
    assert not [path for path in tmp_path.iterdir() if path != saved]


def test_h60_even_a_crash_leaves_what_was_measured(start_command: Any, main_here: Any, tmp_path: Path) -> None:
    saved = tmp_path / "results.json"
    process = start_command(*LONG, "--save", str(saved), "--budget", "600s")
    wait_for(lambda: saved.exists() and len(load_results(saved).records) >= 2)
    process.kill()
    process.wait(timeout=60)
    kept = load_results(saved)  # whole
    assert not kept.complete
    refused = main_here(*LONG, "--save", str(saved))
    assert (refused.returncode, "--force" in refused.stderr) == (2, True)
    other = main_here(*LONG[:-2], "--save", str(saved), "--resume")
    assert (other.returncode, other.stdout) == (2, "")
    assert other.stderr == (
        "error: --resume goes on only with the same plan, machine, engine and versions: "
        "rows packed before, naive, vectorized, packed now\n"
    )
    assert load_results(saved) == kept
    done = main_here(*LONG, "--save", str(saved), "--resume", "--csv", str(tmp_path / "t.csv"))
    assert done.returncode == 0
    assert f"going on with {len(kept.records)} rows" in done.stdout
    whole = load_results(saved)
    assert whole.complete
    assert [made.case.values for made in whole.records] == [4, 5, 6, 7]
    for before, after in zip(kept.records, whole.records, strict=False):
        assert after.samples["round"][: before.n_samples] == before.samples["round"]
    assert all(made.n_samples >= 10 for made in whole.records)


def test_a_run_that_has_nothing_to_go_on_with_begins(main_here: Any, tmp_path: Path) -> None:
    saved = tmp_path / "results.json"
    assert main_here(*SMALL, "--backends", "packed", "--save", str(saved), "--resume").returncode == 0
    first = load_results(saved)
    again = main_here(*SMALL, "--backends", "packed", "--save", str(saved), "--resume")
    assert again.returncode == 0
    assert load_results(saved).records[0].samples["round"][:4] == first.records[0].samples["round"][:4]


def wait_for(there: Any) -> None:
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_chosen_slices_and_a_table_for_latex(main_here: Any, tmp_path: Path) -> None:
    report, latex = tmp_path / "report", tmp_path / "table.tex"
    options = ("--plot", "bytes:values", "--plot", "phases:values", "--report", str(report), "--latex", str(latex))
    assert main_here(*SMALL, "--backends", "packed", *options).returncode == 0
    names = {f"{name}_by_values.{form}" for name in ("bytes", "phases") for form in ("png", "svg", "pdf")}
    assert {path.name for path in report.iterdir()} == {"index.html", *names}
    assert latex.read_text().splitlines()[-1] == r"\end{tabular}"
    assert (report / "bytes_by_values.pdf").read_bytes().startswith(b"%PDF")
    assert b"<svg" in (report / "bytes_by_values.svg").read_bytes()[:1000]


@pytest.mark.slow
def test_the_quick_matrix_takes_less_than_a_minute(command: Any, tmp_path: Path) -> None:
    report = tmp_path / "report"
    started = time.monotonic()
    done = command("bench", "run", "--quick", "--report", str(report), "--save", str(tmp_path / "results.json"))
    assert done.returncode == 0
    assert time.monotonic() - started < 60
    assert (report / "index.html").exists()
    assert len(load_results(tmp_path / "results.json").records) == 36


def test_a_narrow_terminal_has_backends_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = BenchReporter()
    reporter._console.width = 80
    names = ("naive", "vectorized", "packed")
    reporter.print_results(results(*map(record, names)))
    out = capsys.readouterr().out
    assert max(map(len, out.split("With keys")[0].splitlines())) <= 82
    assert "…" not in out
    assert "2048 bits, 5 clients, 11 values" in map(str.strip, out.splitlines())
    header = next(line.split() for line in out.splitlines() if line.split()[:1] == ["naive"])
    assert header == ["naive", "(phe)", "vectorized", "packed"]
    for row in ("encrypt", "add", "decrypt", "round", "speed-up", "samples", "bytes/value", "memory"):
        assert any(line.startswith(row) for line in out.splitlines())


def test_a_line_stands_between_cases_alone() -> None:
    made = [record(backend, replace(CASE, values=values)) for values in (5, 6) for backend in ("naive", "packed")]
    table = _table("title", ["backend", "round"], [((each.backend, "1"), each.case) for each in made])
    assert [row.end_section for row in table.rows] == [False, True, False, False]
