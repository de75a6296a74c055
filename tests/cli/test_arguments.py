"""What is typed arrives: every option of the commands, and what stands for it where nothing is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vecphe.bench.judge import TOLERANCE
from vecphe.bench.matrix import Matrix
from vecphe.cli import data_options
from vecphe.data import ReadOptions, TableOptions
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
