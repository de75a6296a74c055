"""What is typed arrives: every option of the commands, and what stands for it where nothing is typed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vecphe.bench.findings import Finding, Report
from vecphe.bench.judge import TOLERANCE
from vecphe.bench.matrix import Matrix
from vecphe.cli import data_options
from vecphe.data import ReadOptions, TableOptions
from vecphe.errors import EngineUnavailableError, InsecureKeyWarning, InvalidKeyError, ProtocolError
from vecphe.plaintext.encoding import FixedPoint

Here = Callable[..., Any]
SHARDS = SimpleNamespace(names=("a", "b", "c"))


class ArrivedError(ValueError):
    """What a command stops with once it has called what it is for."""


@pytest.fixture
def arrived(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[Any, ...]]]:
    """Have calls of functions noted, positional arguments and others, in place of doing what they do."""
    noted: list[tuple[Any, ...]] = []

    def note(place: str, result: Any = ArrivedError) -> list[tuple[Any, ...]]:
        def called(*args: Any, **options: Any) -> Any:
            noted.append((place.rpartition(".")[2], list(args), options))
            if result is ArrivedError:
                raise ArrivedError("stop here")
            return result

        monkeypatch.setattr(place, called)
        return noted

    return note


LOADED: list[Any] = [[], None, None, 43, data_options.say]
COMPARED: dict[str, Any] = {
    "scale": "none", "l2": 0.0, "tol": None, "encoding": None, "max_abs": None, "max_terms": None,
    "missing": "error", "key_length": 3072, "n_iter": 50, "eta": 1.5, "insecure": False, "n_jobs": None,
    "engine": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "changed"),
    [
        ("", {}),
        (
            "--key-length 512 --insecure --iterations 7 --eta 0.25 --l2 0.5 --tol 0.125 --max-abs 8 --max-terms 9 "
            "--fraction-bits 20 --jobs 2 --engine gmp --scale federated",
            {
                "key_length": 512,
                "insecure": True,
                "n_iter": 7,
                "eta": 0.25,
                "l2": 0.5,
                "tol": 0.125,
                "max_abs": 8.0,
                "max_terms": 9,
                "encoding": FixedPoint(20, max_terms=3),
                "n_jobs": 2,
                "engine": "gmp",
                "scale": "federated",
            },
        ),
    ],
)
def test_options_of_a_run_arrive(main_here: Here, arrived: Any, typed: str, changed: dict[str, Any]) -> None:
    arrived("vecphe.cli.comparison.load_shards", SHARDS)
    noted = arrived("vecphe.cli.comparison.Comparison")
    done = main_here("run", *typed.split())
    assert done.stderr.endswith("error: stop here\n")
    assert noted == [
        ("load_shards", LOADED, {}),
        ("Comparison", [SHARDS, "all", {"data": "diabetes", "seed": 43}, None], {**COMPARED, **changed}),
    ]


@pytest.mark.parametrize(
    ("typed", "changed"),
    [
        (
            "--seed 5 --clients 7 --data x.csv --data y.csv --target t --group g --features a --features b,c --drop d "
            "--categories a --categories b --missing mean --sep ; --decimal , --thousands ' --encoding latin-1",
            {
                0: [Path("x.csv"), Path("y.csv")],
                1: TableOptions(
                    ";", ",", "latin-1", "'", "t", "g", ("a", "b,c"), drop=("d",), categories=("a", "b"), missing="mean"
                ),
                2: 7,
                3: 5,
            },
        ),
        ("--seed 0 --clients 3 --missing drop", {1: TableOptions(missing="drop"), 2: 3, 3: 0}),
        ("--data x.csv --scale none", {0: [Path("x.csv")]}),
        ("--task classification", {}),
        ("--target t --task classification", {1: TableOptions(target="t", labels=True)}),
        ("--target t --task regression --backend naive", {1: TableOptions(target="t", labels=False)}),
    ],
)
def test_what_a_run_is_to_read_arrives(main_here: Here, arrived: Any, typed: str, changed: dict[int, Any]) -> None:
    arrived("vecphe.cli.comparison.load_shards", SHARDS)
    noted = arrived("vecphe.cli.comparison.Comparison")
    main_here("run", *typed.split())
    words = typed.split()
    (_, loaded, _), (_, compared, options) = noted
    assert loaded == [changed.get(place, value) for place, value in enumerate(LOADED)]
    has_data = "--data" in words
    data = ", ".join(map(str, changed.get(0, []))) or "diabetes"
    facts = {"data": data, "seed": changed.get(3, 43)}
    task = words[words.index("--task") + 1] if "--task" in words else None
    assert compared == [SHARDS, "naive" if "naive" in words else "all", facts, task]
    assert options["scale"] == ("federated" if has_data and "none" not in words else "none")
    assert options["missing"] == ("mean" if "mean" in words else "error")


@pytest.mark.parametrize(
    ("typed", "way", "has_data", "compares"),
    [
        ("--backend packed", "ring", False, False),
        ("--topology star --data x.csv", "star", True, False),
        ("--topology ring --backend naive", "ring", False, True),
    ],
)
def test_a_run_over_flower_is_told_how(
    main_here: Here, arrived: Any, typed: str, way: str, has_data: bool, compares: bool
) -> None:
    pytest.importorskip("cryptography.hazmat.primitives.hpke", reason="needs cryptography 47")
    arrived("vecphe.cli.comparison.load_shards", SHARDS)
    noted = arrived("vecphe.cli.over_flower.FlowerComparison")
    main_here("run", "--over", "flower", *typed.split())
    (name, args, options) = noted[-1]
    assert (name, args[:4]) == ("FlowerComparison", [way, has_data, compares, SHARDS])
    assert options == {**COMPARED, "scale": "federated" if has_data else "none"}


def test_files_of_a_run_are_checked_before_anything_is_read(main_here: Here, arrived: Any, tmp_path: Path) -> None:
    arrived("vecphe.cli.comparison.load_shards")
    noted = arrived("vecphe.cli.output.check_outputs", None)
    json_file, model, plot = (tmp_path / name for name in ("r.json", "m.json", "p.png"))
    files = ("--json", str(json_file), "--model", str(model), "--plot", str(plot))
    for more, force in (((), False), (("--force",), True)):
        noted.clear()
        main_here("run", *files, *more)
        checked = {"--json": json_file, "--model": model, "--plot": plot}
        assert noted[0] == ("check_outputs", [checked, force], {})
        assert noted[1][0] == "load_shards"


READ = ReadOptions()
LATIN = ("latin-1", "'")
ONE, OTHER = {"missing": "drop", "force": True}, {"missing": "mean", "probabilities": True}


@pytest.mark.parametrize(
    ("typed", "out", "reading", "changed"),
    [
        ("", "-", READ, {}),
        ("-o y.csv --missing drop --force --sep ; --decimal ,", "y.csv", ReadOptions(";", ","), ONE),
        ("--missing mean --probabilities --thousands ' --encoding latin-1", "-", ReadOptions(None, ".", *LATIN), OTHER),
    ],
)
def test_options_of_predict_arrive(
    main_here: Here, arrived: Any, typed: str, out: str, reading: ReadOptions, changed: dict[str, Any]
) -> None:
    noted = arrived("vecphe.cli.predict.predict_file")
    main_here("predict", "m.json", "x.csv", *typed.split())
    options = {"missing": "error", "probabilities": False, "force": False, **changed}
    assert noted == [("predict_file", [Path("m.json"), Path("x.csv"), Path(out), reading], options)]


@pytest.mark.parametrize(
    ("typed", "changed"),
    [
        ("--packed", {}),
        (
            "--key-length 1024 --cores 4 --unpacked --bandwidth 10 --engine gmp",
            {2: 1024, 3: 4, 4: False, 5: 10.0, 6: "gmp"},
        ),
    ],
)
def test_options_of_estimate_arrive(main_here: Here, arrived: Any, typed: str, changed: dict[int, Any]) -> None:
    noted = arrived("vecphe.bench.estimate.Plan")
    main_here("estimate", "--clients", "5", "--values", "1000", *typed.split())
    plan = [5, 1000, 3072, 1, True, 1000.0, None]
    assert noted == [("Plan", [changed.get(place, value) for place, value in enumerate(plan)], {})]


@pytest.mark.parametrize(("typed", "changed"), [("", {}), ("--terms 5 --key-length 2048", {2: 5, 3: 2048})])
def test_options_of_layout_arrive(main_here: Here, arrived: Any, typed: str, changed: dict[int, Any]) -> None:
    noted = arrived("vecphe.cli.layout.plan_layout")
    main_here("layout", "--max-abs", "8", "--precision", "1e-6", *typed.split())
    plan = [8.0, 1e-6, 255, 3072]
    assert noted == [("plan_layout", [changed.get(place, value) for place, value in enumerate(plan)], {})]


@pytest.mark.parametrize(
    ("typed", "matrix", "outputs"),
    [
        ("", Matrix(), {}),
        (
            "--key-lengths 512,1024 --clients 3,4 --values 11 --backends packed --engine gmp --jobs 2 --peers phe "
            "--save r.json --csv r.csv --latex r.tex --plot speedup:clients --plot round:values",
            Matrix(
                key_lengths=(512, 1024),
                clients=(3, 4),
                values=(11,),
                backends=("packed",),
                engine="gmp",
                jobs=2,
                peers=("phe",),
            ),
            {0: Path("r.json"), 1: Path("r.csv"), 2: Path("r.tex"), 4: ["speedup:clients", "round:values"]},
        ),
        (
            "--quick --budget 90s --report pages --resume",
            Matrix.quick(budget=90.0, repeats=100),
            {3: Path("pages"), 5: True},
        ),
        ("--budget 2m --force", Matrix(budget=120.0, repeats=100), {6: True}),
    ],
)
def test_options_of_bench_run_arrive(
    main_here: Here, arrived: Any, typed: str, matrix: Matrix, outputs: dict[int, Any]
) -> None:
    arrived("vecphe.cli.bench_run.Outputs", "outputs")
    noted = arrived("vecphe.cli.bench_run.run_matrix")
    main_here("bench", "run", *typed.split())
    wanted = [outputs.get(place, value) for place, value in enumerate([None, None, None, None, (), False, False])]
    assert noted == [("Outputs", wanted, {}), ("run_matrix", [matrix, "outputs"], {})]


CHECKED = {"tolerance": TOLERANCE, "counts_only": False, "speeds_only": False, "engine": None, "rows": None}


@pytest.mark.parametrize(
    ("typed", "changed"),
    [
        ("", {}),
        ("--tolerance 0 --counts-only --engine gmp", {"tolerance": 0.0, "counts_only": True, "engine": "gmp"}),
        ("--speeds-only --rows mine.py", {"speeds_only": True, "rows": Path("mine.py")}),
    ],
)
def test_options_of_the_gate_arrive(main_here: Here, arrived: Any, typed: str, changed: dict[str, Any]) -> None:
    noted = arrived("vecphe.bench.gate.check_baseline")
    done = main_here("bench", "check", "b.json", *typed.split())
    ((_, args, options),) = noted
    say = options.pop("say")
    assert (args, options) == ([Path("b.json")], {**CHECKED, **changed})
    assert done.stderr.endswith("error: stop here\n")
    assert callable(say)


@pytest.mark.parametrize(
    ("typed", "changed"),
    [
        ("", {}),
        (
            "--counts-only --engine gmp --rows mine.py",
            {"counts_only": True, "engine": "gmp", "rows": Path("mine.py")},
        ),
    ],
)
def test_options_of_a_baseline_arrive(
    main_here: Here, arrived: Any, tmp_path: Path, typed: str, changed: dict[str, Any]
) -> None:
    file = tmp_path / "b.json"
    noted = arrived("vecphe.bench.gate.updated_baseline")
    main_here("bench", "baseline", str(file), *typed.split())
    ((_, args, options),) = noted
    assert callable(options.pop("say"))
    assert (args, options) == ([file], {"counts_only": False, "engine": None, "rows": None, **changed})


@pytest.mark.parametrize(("typed", "as_json"), [("", False), ("--json", True)])
def test_options_of_a_comparison_arrive(main_here: Here, arrived: Any, typed: str, as_json: bool) -> None:
    noted = arrived("vecphe.cli.bench_run.compare_files")
    main_here("bench", "compare", "a.json", "b.json", *typed.split())
    assert noted == [("compare_files", [Path("a.json"), Path("b.json"), as_json], {})]


# What a command does once it has what it is for -----------------------------------------------------------------------


class Ran:
    """A comparison that has run."""

    trained = SimpleNamespace(to_json=lambda: '{"model": 1}\n')

    def __init__(self, agree: bool = True, error: Exception | None = None) -> None:
        self.models_agree, self.error, self.watched = agree, error, Any

    def run(self, watching: Any) -> None:
        self.watched = watching
        if self.error is not None:
            raise self.error

    def as_dict(self) -> dict[str, Any]:
        return {"a": 1}


@pytest.fixture
def shows(monkeypatch: pytest.MonkeyPatch, arrived: Any) -> Callable[[Ran], list[Any]]:
    """Have a run give a comparison; what is noted of showing it."""

    def show(ran: Ran) -> list[Any]:
        noted: list[Any] = []

        class Shown:
            def __init__(self, to_stderr: bool) -> None:
                noted.append(to_stderr)

            watching = "watching"

            def print_start(self, comparison: Any) -> None:
                noted.append(("start", comparison))

            def print_results(self, comparison: Any) -> None:
                noted.append(("results", comparison))

        monkeypatch.setattr("vecphe.cli.report.Reporter", Shown)
        arrived("vecphe.cli.comparison.load_shards", SHARDS)
        arrived("vecphe.cli.comparison.Comparison", ran)
        arrived("vecphe.cli.learning.LearningFiles.write", None)
        return noted

    return show


@pytest.mark.parametrize(
    ("typed", "to_stderr", "out"),
    [
        ("", False, ""),
        ("--json r.json --model m.json", False, ""),
        ("--json -", True, '{\n  "a": 1\n}\n'),
        ("--model - --json r.json", True, '{"model": 1}\n'),
    ],
)
@pytest.mark.parametrize("agree", [True, False])
def test_results_are_shown_and_then_written(
    main_here: Here, shows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, to_stderr: bool, out: str,
    agree: bool,
) -> None:  # fmt: skip
    """A model and pictures only where backends agree."""
    monkeypatch.chdir(tmp_path)
    drawn: list[Any] = []
    ran = Ran(agree)
    noted = shows(ran)
    monkeypatch.setattr("vecphe.cli.learning.LearningFiles.write", lambda self, comparison: drawn.append(comparison))
    done = main_here("run", *typed.split())
    assert done.returncode == (0 if agree else 1)
    assert noted == [to_stderr, ("start", ran), ("results", ran)]
    assert ran.watched == "watching"
    assert done.stdout == (out if agree or "model" not in out else "")
    assert done.stderr == ""
    files = {"r.json": '{\n  "a": 1\n}\n'} if "r.json" in typed else {}
    if "m.json" in typed and agree:
        files["m.json"] = '{"model": 1}\n'
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files
    assert drawn == ([ran] if agree else [])


@pytest.mark.parametrize("name", ["r.json", "m.json"])
@pytest.mark.parametrize("force", [True, False])
def test_h64_what_appeared_while_it_ran_is_replaced_where_that_is_asked_for(
    main_here: Here, shows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, force: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = Ran()
    shows(ran)
    monkeypatch.setattr(ran, "run", lambda watching: Path(name).write_text("precious"))
    done = main_here("run", "--json", "r.json", "--model", "m.json", *(["--force"] if force else []))
    assert (done.returncode, done.stderr) == (
        (0, "") if force else (2, f"error: {name} exists; use --force to replace it\n")
    )
    assert (Path(name).read_text() == "precious") is not force


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ProtocolError("A: it grows; lower eta"), "A: it grows; lower --eta"),
        (ValueError("n_iter must be less"), "--iterations must be less"),
        (InvalidKeyError("pass insecure=True"), "give --insecure"),
    ],
)
def test_what_stops_a_run_is_told_in_its_options(
    main_here: Here, shows: Any, arrived: Any, error: Exception, told: str
) -> None:
    noted = shows(Ran(error=error))
    done = main_here("run")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {told}\n")
    assert len(noted) == 2

    def failing(*_: object, **__: object) -> None:
        raise error

    for place in ("load_shards", "Comparison"):
        shows(Ran())
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(f"vecphe.cli.comparison.{place}", failing)
            assert main_here("run").stderr == f"error: {told}\n"


def test_a_short_key_that_was_asked_for_is_no_warning(main_here: Here, shows: Any, monkeypatch: Any) -> None:
    def warning(*_: object, **__: object) -> Any:
        warnings.warn("short", InsecureKeyWarning, stacklevel=1)
        return ran

    ran = Ran()
    shows(ran)
    monkeypatch.setattr(ran, "run", warning)
    monkeypatch.setattr("vecphe.cli.comparison.Comparison", warning)
    warnings.simplefilter("always")
    assert main_here("run", "--key-length", "256", "--insecure").stderr == ""
    monkeypatch.setattr(ran, "run", lambda watching: warnings.warn("a\n b", UserWarning, stacklevel=1))
    assert main_here("run").stderr == "warning: a b\n"


FOUND = [Finding("a", "ok", "as before"), Finding("b", "failed", "3 and not 2"), Finding("c", "failed", "too slow")]


@pytest.mark.parametrize(
    ("report", "status", "told"),
    [
        (Report(FOUND[:1], ["n"], ["w"]), 0, ""),
        (Report(FOUND[:2]), 1, "error: 1 of 2 rows failed: b\n"),
        (Report(FOUND, ["n"], ["w"]), 1, "error: 2 of 3 rows failed: b; c\n"),
        (Report(FOUND[1:2]), 1, "error: 1 of 1 row failed: b\n"),
        (Report([], [], ["w"]), 1, "error: nothing was judged: the baseline has no rows that could be compared here\n"),
    ],
)
def test_a_report_of_the_gate_is_shown(main_here: Here, arrived: Any, report: Report, status: int, told: str) -> None:
    arrived("vecphe.bench.gate.check_baseline", report)
    done = main_here("bench", "check", "b.json")
    text = "".join(f"{line}\n" for line in [*report.lines(), report.summary])
    assert (done.returncode, done.stdout, done.stderr) == (status, text, told)
    done = main_here("bench", "check", "b.json", "--json")
    content = {
        "ok": status == 0,
        "notes": report.notes,
        "warnings": report.warnings,
        "findings": [{"row": f.row, "status": f.status, "text": f.text} for f in report.findings],
    }
    assert (done.returncode, done.stdout, done.stderr) == (status, json.dumps(content, indent=2) + "\n", told)


@pytest.mark.parametrize(("changed", "told"), [([], "{}: nothing changed"), (["a: 1 -> 2", "b"], "a: 1 -> 2\nb")])
def test_what_changes_in_a_baseline_is_printed_once_it_is_saved(
    main_here: Here, arrived: Any, tmp_path: Path, changed: list[str], told: str
) -> None:
    file = tmp_path / "b.json"
    file.write_text("old")
    noted = arrived("vecphe.bench.baseline.save_baseline", None)
    arrived("vecphe.bench.gate.updated_baseline", ("new", changed))
    done = main_here("bench", "baseline", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, told.format(file) + "\n", "")
    assert noted[-1] == ("save_baseline", [file, "new"], {})


@pytest.mark.parametrize(("command", "place"), [("check", "check_baseline"), ("baseline", "updated_baseline")])
def test_progress_of_the_gate_goes_to_stderr_and_a_missing_engine_names_the_option(
    main_here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, place: str
) -> None:
    def failing(*_: object, say: Callable[[str], None], **__: object) -> None:
        say("it goes on")
        print("of a row")
        raise EngineUnavailableError("it is not there")

    monkeypatch.setattr(f"vecphe.bench.gate.{place}", failing)
    for engine, told in (([], "it is not there"), (["--engine", "gmp"], "--engine: it is not there")):
        done = main_here("bench", command, str(tmp_path / "b.json"), *engine)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"it goes on\nof a row\nerror: {told}\n"


@pytest.mark.parametrize(("finished", "status", "told"), [(True, 0, ""), (False, 130, "interrupted\n")])
def test_a_benchmark_that_was_interrupted_has_a_status_of_its_own(
    main_here: Here, arrived: Any, monkeypatch: pytest.MonkeyPatch, finished: bool, status: int, told: str
) -> None:
    monkeypatch.setattr("vecphe.cli.signals._State.told", False)
    arrived("vecphe.cli.bench_run.run_matrix", finished)
    done = main_here("bench", "run")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", told)


def test_an_estimate_and_a_layout_are_printed_for_people_and_programs(
    main_here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass
    class Found:
        a: int = 1
        encoding: str = "E"

    monkeypatch.setattr("vecphe.bench.estimate.calibrate", lambda plan, say: say("it is timed"))
    monkeypatch.setattr("vecphe.bench.estimate.estimate", lambda plan, costs: Found())
    monkeypatch.setattr("vecphe.cli.layout.plan_layout", lambda *_: Found())
    monkeypatch.setattr("vecphe.cli.estimate.print_plan", lambda found: print("estimate of", found.a))
    monkeypatch.setattr("vecphe.cli.layout.print_layout", lambda found: print("layout of", found.a))
    for command, said in (
        ("estimate --clients 5 --values 9", "it is timed\n"),
        ("layout --max-abs 8 --precision 1e-6", ""),
    ):
        done = main_here(*command.split())
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{command.split()[0]} of 1\n", said)
        done = main_here(*command.split(), "--json")
        text = json.dumps({"a": 1, "encoding": "E"}, indent=2) + "\n"
        assert (done.returncode, done.stdout, done.stderr) == (0, text, said)
