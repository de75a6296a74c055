"""The jobs of `vecphe bench run` and `vecphe bench compare`, one step at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
from tests.bench.made import CASE, record, results

from vecphe.bench.matrix import Matrix
from vecphe.bench.records import Case, csv_text
from vecphe.bench.results_file import load_results, results_as_dict
from vecphe.bench.tables import latex_table
from vecphe.cli import bench_run
from vecphe.cli.bench_run import Outputs, compare_files, make_matrix, run_matrix

FOUND = results(record("naive"), record("packed"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_where_results_go_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Outputs().force = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        ({"csv": "-"}, "--csv takes the name of a file"),
        ({"latex": "-", "csv": "a"}, "--latex takes the name of a file"),
        ({"resume": True}, "--resume goes on with the file of --save: name it"),
        ({"resume": True, "save": "-"}, "--resume goes on with the file of --save: name it"),
        ({"plots": ["time:values"]}, "--plot draws into the report: give --report DIRECTORY too"),
        ({"csv": "there"}, "there exists; use --force to replace it"),
        ({"latex": "there"}, "there exists; use --force to replace it"),
        ({"save": "there"}, "there exists; use --force to replace it"),
        ({"report": "pages"}, "--report: pages/index.html exists; use --force to replace it"),
        (
            {"save": "a", "csv": "./a"},
            "a and a are the same file; give --save, --csv, --latex, --report places of their own",
        ),
        (
            {"report": "empty", "csv": "empty/setup_by_clients.svg"},
            "empty/setup_by_clients.svg and empty/setup_by_clients.svg are the same file; give --save, --csv, --latex, "
            "--report places of their own",
        ),
        (
            {"report": "empty", "save": "empty/index.html"},
            "empty/index.html and empty/index.html are the same file; give --save, --csv, --latex, --report places of "
            "their own",
        ),
    ],
)
def test_places_that_do_not_go_are_told_before_anything_runs(here: Path, outputs: dict[str, Any], told: str) -> None:
    (here / "there").write_text("precious")
    (here / "pages").mkdir()
    (here / "pages/index.html").write_text("precious")
    (here / "empty").mkdir()
    with pytest.raises(ValueError, match="e") as caught:
        made(**outputs).check()
    assert str(caught.value) == told
    assert not list((here / "empty").iterdir())


def made(**outputs: Any) -> Outputs:
    files = ("save", "csv", "latex", "report")
    return Outputs(**{name: Path(value) if name in files else value for name, value in outputs.items()})


@pytest.mark.parametrize("how", ["force", "resume"])
def test_what_is_there_is_no_hindrance_where_it_is_to_be_replaced(here: Path, how: str) -> None:
    for name in ("save", "csv", "latex"):
        (here / name).write_text("old")
    (here / "pages").mkdir()
    (here / "pages/index.html").write_text("old")
    made(save="save", csv="csv", latex="latex", report="pages", plots=["time:values"], **{how: True}).check()


def test_a_report_without_matplotlib_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("it needs matplotlib")

    monkeypatch.setattr(bench_run, "check_matplotlib", missing)
    made(csv="a").check()
    with pytest.raises(ValueError, match="matplotlib") as caught:
        made(report="new").check()
    assert str(caught.value) == "--report: it needs matplotlib"
    assert caught.value.__suppress_context__
    assert not (here / "new").exists()


def test_a_directory_in_which_no_file_can_be_made_is_told_and_a_device_is_none(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    monkeypatch.setattr(bench_run, "check_directory", looked.append)
    (here / "sub").mkdir()
    (here / "sub/old").write_text("old")
    made(save="new.json", csv="sub/old", latex=os.devnull, force=True).check()
    assert looked == [here, here / "sub"]


def test_it_goes_on_with_what_is_there(here: Path) -> None:
    saved = here / "r.json"
    assert made(save="r.json", resume=True).before() is None
    saved.write_text(json.dumps(results_as_dict(FOUND)))
    assert made(save="r.json", resume=True).before() == FOUND
    assert made(save="r.json").before() is None
    assert made(resume=True).before() is None


@pytest.mark.parametrize(("how", "replaces"), [({}, False), ({"force": True}, True), ({"resume": True}, True)])
def test_results_are_kept_as_they_grow(here: Path, how: dict[str, bool], replaces: bool) -> None:
    made(**how).keeper()(FOUND)
    assert list(here.iterdir()) == []
    one = results(record())
    keep = made(save="r.json", **how).keeper()
    keep(one)
    keep(FOUND)  # over its own
    assert load_results(here / "r.json") == FOUND
    again = made(save="r.json", **how).keeper()
    if replaces:
        again(one)
    else:
        with pytest.raises(ValueError, match=r"^r\.json exists; use --force to replace it$"):
            again(one)
    assert load_results(here / "r.json") == (one if replaces else FOUND)


@pytest.mark.parametrize(("how", "replaces"), [({}, False), ({"force": True}, True), ({"resume": True}, True)])
def test_tables_and_pages_are_written_at_the_end(
    here: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, bool], replaces: bool
) -> None:
    asked: list[Any] = []
    pages = {"index.html": b"page", "speed_up.png": b"new"}
    monkeypatch.setattr(bench_run, "report_files", lambda *args: asked.append(args) or pages)
    report = here / "pages"
    report.mkdir()
    for name in ("speed_up.png", "speed_up.svg", "time_by_values.pdf", "mine.png"):
        (report / name).write_bytes(b"old")
    outputs = made(csv="r.csv", latex="r.tex", report="pages", plots=["time:key-length"], **how)
    outputs.write(FOUND)
    assert asked == [(FOUND, [("time", "key_length")])]
    assert {path.name: path.read_bytes() for path in report.iterdir()} == {**pages, "mine.png": b"old"}
    assert (here / "r.csv").read_bytes() == csv_text(FOUND.records).encode()
    assert (here / "r.tex").read_text() == latex_table(FOUND)
    for name in ("r.csv", "r.tex"):
        (here / name).write_text("precious")
        alone = made(**{"csv" if name == "r.csv" else "latex": name}, **how)
        if replaces:
            alone.write(FOUND)
        else:
            with pytest.raises(FileExistsError):
                alone.write(FOUND)
        assert (here / name).read_text().startswith("precious") is not replaces
    made(**how).write(FOUND)
    assert sorted(path.name for path in here.iterdir()) == ["pages", "r.csv", "r.tex"]


def test_the_matrix_is_what_was_asked_for() -> None:
    nothing: list[Any] = [None] * 6
    assert make_matrix(False, *nothing) == Matrix()
    assert make_matrix(True, *nothing) == Matrix.quick()
    every = ("512,1024", "3,4", "7", "packed", "gmp", 2)
    given = {"key_lengths": (512, 1024), "clients": (3, 4), "values": (7,), "backends": ("packed",), "engine": "gmp",
             "jobs": 2}  # fmt: skip
    assert make_matrix(False, *every) == Matrix(**given)
    assert make_matrix(True, *every) == Matrix.quick(**given)
    assert make_matrix(False, *nothing, "phe", "2m") == Matrix(peers=("phe",), budget=120.0, repeats=100)
    for place, option in enumerate(("--key-lengths", "--clients", "--values", "--backends")):
        wrong = [*nothing]
        wrong[place] = "x"
        with pytest.raises(ValueError, match=f"^{option}"):
            make_matrix(False, *wrong)
    for more, option in ((("x", None), "--peers"), ((None, "x"), "--budget")):
        with pytest.raises(ValueError, match=f"^{option}"):
            make_matrix(False, *nothing, *more)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `run_matrix` does, one after the other; the results of a run and whether it was interrupted come first."""
    noted: list[Any] = [FOUND, False]

    class Fake:
        def __init__(self, matrix: Matrix, before: Any) -> None:
            noted.append(("runner", matrix, before))
            self.results, self.interrupted = "started", noted[1]

        def calibrate(self, progress: Any) -> float:
            noted.append(("calibrate", progress))
            return 12.5

        def run(self, progress: Any, keep: Callable[[Any], None]) -> Any:
            keep("so far")
            noted.append(("run", progress))
            return noted[0]

    class Shown:
        def __init__(self, to_stderr: bool) -> None:
            noted.append(("to_stderr", to_stderr))

        def print_start(self, *args: Any) -> None:
            noted.append(("start", *args))

        def print_estimate(self, *args: Any) -> None:
            noted.append(("estimate", *args))

        def print_results(self, *args: Any) -> None:
            noted.append(("results", *args))

        @contextmanager
        def showing(self, seconds: float | None = None) -> Iterator[str]:
            yield f"bar over {seconds}"

    monkeypatch.setattr(bench_run, "Runner", Fake)
    monkeypatch.setattr(bench_run, "BenchReporter", Shown)
    for name in ("check", "write"):
        monkeypatch.setattr(Outputs, name, lambda self, *args, name=name: noted.append((name, *args)))
    monkeypatch.setattr(Outputs, "before", lambda self: "before")
    monkeypatch.setattr(Outputs, "keeper", lambda self: lambda found: noted.append(("keep", found)))
    return noted


@pytest.mark.parametrize("save", [None, "r.json", "-"])
@pytest.mark.parametrize("report", [None, "pages"])
@pytest.mark.parametrize("interrupted", [False, True])
def test_a_run_measures_shows_and_writes(
    steps: list[Any], save: str | None, report: str | None, interrupted: bool
) -> None:
    steps[1] = interrupted
    asked = Matrix((512,), (3,), (4,))
    outputs = made(**{name: place for name, place in (("save", save), ("report", report)) if place})
    assert run_matrix(asked, outputs) is not interrupted
    matrix = asked if report is None else replace(asked, afterwards=7.0)
    assert steps[2:] == [
        ("check",),
        ("runner", matrix, "before"),
        ("to_stderr", save == "-"),
        ("start", matrix, "started"),
        ("calibrate", "bar over None"),
        ("estimate", matrix, 12.5),
        *([] if save == "-" else [("keep", "so far")]),  # stdout gets them at the end alone
        ("run", "bar over 12.5"),
        ("results", FOUND),
        ("keep", FOUND),
        ("write", FOUND),
    ]


@pytest.mark.parametrize("interrupted", [False, True])
def test_of_nothing_nothing_is_written(steps: list[Any], interrupted: bool) -> None:
    empty = FOUND.__class__()
    steps[:2] = [empty, interrupted]
    if interrupted:
        assert run_matrix(Matrix(), Outputs()) is False
    else:
        with pytest.raises(ValueError, match="budget") as caught:
            run_matrix(Matrix(), Outputs())
        assert str(caught.value) == (
            "the budget was over before anything was measured: give more time, such as --budget 5m"
        )
    assert steps[-1] == ("results", empty)


def test_two_files_are_compared(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, other = (here / name for name in ("old", "new", "other"))
    left = record(case=Case(2048, 3, 11), jobs=2)
    for path, found in (
        (old, results(record(), record("vectorized"))), (new, results(record(), left)),
        (other, results(record(case=Case(1024, 3, 9)))),
    ):  # fmt: skip
        path.write_text(json.dumps(results_as_dict(found)))
    with pytest.raises(ValueError, match="common") as caught:
        compare_files(old, other)
    assert str(caught.value) == f"{old} and {other} have no case in common"
    compare_files(old, new, True)
    text = capsys.readouterr().out
    found = json.loads(text)
    assert text == json.dumps(found, indent=2) + "\n"
    assert found["unmatched"] == [
        [{"backend": "vectorized", "jobs": 1, "case": vars(CASE)}],
        [{"backend": "packed", "jobs": 2, "case": {"key_length": 2048, "clients": 3, "values": 11}}],
    ]
    assert [change["phase"] for change in found["changes"]] == ["encrypt", "add", "decrypt", "round"]
    assert all(change["case"] == vars(CASE) and change["backend"] == "packed" for change in found["changes"])
    shown: list[Any] = []
    monkeypatch.setattr(bench_run.BenchReporter, "print_comparison", lambda self, *args: shown.append(args))
    compare_files(old, new)
    ((changes, notes, (before, after)),) = shown
    assert (len(changes), notes) == (4, found["differences"])
    assert ([each.backend for each in before], list(after)) == (["vectorized"], [left])
