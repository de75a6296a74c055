"""What the terminal shows: names as they are, and figures at the edges of their forms."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from vecphe.cli import info, report
from vecphe.cli.outcome import Outcome
from vecphe.cli.report import WIDEST, Reporter, Terminal, _figure, _log_loss, _share
from vecphe.federated.clock import PHASES
from vecphe.federated.tasks import Task

NAME = "[bold]Ward[/bold] :smile: 42 'x' https://a.b"


@pytest.mark.parametrize("to_stderr", [False, True])
def test_names_are_shown_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], to_stderr: bool
) -> None:
    """On a terminal too, which rich would colour numbers and texts on."""
    for colours in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", colours) if colours else monkeypatch.delenv("FORCE_COLOR", raising=False)
        terminal = Terminal(to_stderr)
        terminal._say(NAME, "x" * 300)
        shown = capsys.readouterr()
        assert (shown.err if to_stderr else shown.out) == f"{NAME}\n{'x' * 300}\n"
        assert (shown.out if to_stderr else shown.err) == ""


def test_a_file_has_no_edge_and_a_terminal_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Terminal()._console.width == WIDEST == 1000
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    assert Terminal()._console.width == 60


def test_a_bar_is_drawn_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Terminal()._bar().disable
    monkeypatch.setenv("FORCE_COLOR", "1")
    bar = Terminal()._bar()
    assert not bar.disable
    assert bar.live.transient
    assert bar.console.stderr
    assert len(bar.columns) == 2


def test_names_stand_left_and_figures_right() -> None:
    table = report._table("T", ["", "a", "b"])
    assert isinstance(table, Table)
    assert [(column.header, column.justify) for column in table.columns] == [
        ("", "left"),
        ("a", "right"),
        ("b", "right"),
    ]
    assert (table.title, table.title_justify) == ("T", "left")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "-"), (0.1, "0.10"), (-0.1, "-0.10"), (0.09999, "0.09999"), (0.0, "0"), (1.005e2, "100.50"),
        (9999999.0, "9999999.00"), (1e7, "1e+07"), (10000000.5, "1e+07"), (-1e7, "-1e+07"), (123456789.0, "1.2346e+08"),
        (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_errors_have_two_digits_where_these_say_enough(value: float | None, told: str) -> None:
    assert _figure(value) == told


def test_shares_and_losses() -> None:
    assert [_share(value) for value in (None, 0.0, 0.12345, 1.0)] == ["-", "0.000", "0.123", "1.000"]
    assert [_log_loss(value) for value in (None, 0.0, 0.12345, 12.0)] == ["-", "0.0000", "0.1235", "12.0000"]


def test_what_is_shown_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(io.StringIO):
        flushed = 0

        def flush(self) -> None:
            type(self).flushed += 1

    monkeypatch.setattr("sys.stdout", Slow())
    terminal = Terminal(to_stderr=True)
    terminal._say("x")
    assert Slow.flushed


def test_strengths_are_those_of_the_standard() -> None:
    """NIST SP 800-57 part 1, table 2."""
    assert info._STRENGTHS == {1024: 80, 2048: 112, 3072: 128, 7680: 192}
    assert info.collect_info()["key_length"] == {
        "default": 3072,
        "strength_bits": {"1024": 80, "2048": 112, "3072": 128, "7680": 192},
    }


def test_strengths_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    info.print_info(info.collect_info())
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "key of 1024 bits: strength 80 bits (insecure)",
        "key of 2048 bits: strength 112 bits",
        "key of 3072 bits: strength 128 bits (default)",
        "key of 7680 bits: strength 192 bits",
    ]


# `vecphe run` as a whole, of a comparison that is made up -------------------------------------------------------------


def model(mse: float | None, r2: float | None) -> dict[str, float | None]:
    return {"mse": mse, "r2": r2}


def result(n_iter: int, seconds: float) -> Any:
    return SimpleNamespace(
        n_iter=n_iter,
        seconds={phase: seconds * place for place, phase in enumerate(PHASES)},
        seconds_per_round=seconds / 10,
        online_seconds_per_round=seconds / 20,
        ciphertexts_per_hop=int(seconds * 8),
        bytes_per_hop=int(seconds * 1000),
    )


def comparison(**changes: Any) -> Any:
    outcome = Outcome(
        "mse", ("A", "B", "C", "D"), [model(4.0, 0.25), model(1.0, 0.5), model(None, None), model(2.0, 0.75)],
        model(2.0, 0.75),
        model(2.0, 0.625), model(8.0, -0.125), 1e-9,
    )  # fmt: skip
    results = {"naive": result(3, 4.0), "packed": result(5, 0.5)}
    facts: dict[str, Any] = {
        "config": SimpleNamespace(key_length=3072, n_clients=3, n_iter=5, eta=1.5, scale="federated", tol=None),
        "shards": SimpleNamespace(y=[[0.0] * 4, [0.0] * 5, [0.0]], y_test=[0.0], target="cost", left_out=0),
        "facts": {"data": "a.csv"},
        "engine": "gmp",
        "task": Task(None, chosen=True),
        "skipped": {},
        "failures": {"C": "it grows"},
        "results": results,
        "longest": results["packed"],
        "alone": [result(4, 1.0), result(2, 1.0), "it grows"],
        "pooled": result(7, 1.0),
        "common_iteration": 3,
        "difference": 2.5e-13,
        "models_agree": True,
        "outcome": lambda: outcome,
        "estimates": lambda: {"in the clear": 3.0, "naive": 9.5},
        "limit_of": {"naive": 10.0}.get,
        "speed_up": lambda name: results["naive"].seconds_per_round / results[name].seconds_per_round,
    }
    return SimpleNamespace(**{**facts, **changes})


def shown(show: Callable[[Reporter], None], width: int = 200) -> list[str]:
    reporter, file = Reporter(), io.StringIO()
    reporter._console = Console(file=file, width=width)
    show(reporter)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_the_start_tells_what_runs() -> None:
    made = comparison()
    assert shown(lambda r: r.print_start(made)) == [
        "Paillier, 3072-bit key, DJN randomizers, engine gmp",
        "data: a.csv, 3 hospitals with 10 rows, 1 test row; 5 iterations, eta 1.5",
        "this takes about 12 s (in the clear 3 s, naive 9.5 s)",
        "naive runs as many iterations as fit in 10 s; what is compared is its rate",
        "regression of 'cost'; columns scaled by encrypted means and deviations",
    ]


@pytest.mark.parametrize(("bits", "is_told"), [(2047, True), (2048, False)])
def test_a_short_key_what_is_skipped_and_no_limit_are_told(bits: int, is_told: bool) -> None:
    config = SimpleNamespace(key_length=bits, n_clients=3, n_iter=1, eta=0.25, scale="none", tol=None)
    lines = shown(
        lambda r: r.print_start(
            comparison(config=config, skipped={"naive": "phe is away"}, limit_of=lambda name: math.inf)
        )
    )
    warnings = [line for line in lines if line.startswith("WARNING")]
    short = [f"WARNING: a {bits}-bit key is insecure, for tests only"] if is_told else []
    assert warnings == [*short, "WARNING: naive is skipped, phe is away"]
    assert lines[1 + is_told].endswith("1 test row; 1 iteration, eta 0.25")
    assert lines[-2].startswith("this takes about")
    assert lines[-1] == "regression of 'cost'; columns as they are"


@pytest.mark.parametrize(
    ("classes", "chosen", "told"),
    [
        (["a", "b", "c"], True, "classification of 'cost', 3 classes"),
        ([0, 1], True, "classification of 'cost', 2 classes (--task regression if they are numbers)"),
        ([0.0, 1.0], True, "classification of 'cost', 2 classes (--task regression if they are numbers)"),
        ([True, False], True, "classification of 'cost', 2 classes"),
        ([0, 1], False, "classification of 'cost', 2 classes"),
    ],
)
def test_that_numbers_were_taken_for_classes_is_told(classes: list[Any], chosen: bool, told: str) -> None:
    task = Task(np.array(classes), chosen)
    assert shown(lambda r: r.print_start(comparison(task=task)))[-1] == (
        f"{told}; columns scaled by encrypted means and deviations"
    )
    assert Task(np.array([1], np.uint8), True).classes is not None
    unsigned = Task(np.array([1, 2], np.uint8), True)
    assert "--task regression" in shown(lambda r: r.print_start(comparison(task=unsigned)))[-1]


def test_results_are_told() -> None:
    lines = shown(lambda r: r.print_results(comparison()))
    assert "\n".join(lines) == RESULTS


RESULTS = """
Mean square error on the test rows
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ hospital                      ┃ trained alone ┃ federated, 5 iterations ┃ R^2 alone ┃ R^2 federated ┃ against alone ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ A                             │          4.00 │                    2.00 │     0.250 │         0.750 │  gained 50.0% │
│ B                             │          1.00 │                    2.00 │     0.500 │         0.750 │   lost 100.0% │
│ C                             │             - │                    2.00 │         - │         0.750 │             - │
│ D                             │          2.00 │                    2.00 │     0.750 │         0.750 │     same 0.0% │
├───────────────────────────────┼───────────────┼─────────────────────────┼───────────┼───────────────┼───────────────┤
│ all rows pooled, in the clear │               │                    2.00 │           │         0.625 │               │
│ constant predictor            │               │                    8.00 │           │        -0.125 │               │
└───────────────────────────────┴───────────────┴─────────────────────────┴───────────┴───────────────┴───────────────┘
C: not trained in the clear, it grows
By training together 1 of 4 hospitals gained (mean square error 50.00% lower than alone: A) and 1 of 4 hospitals lost (mean square error 100.00% higher than alone: B); the federated error is the same as that of training on pooled data in the clear, and 75.00% lower than that of a constant predictor.
Seconds by phase, all parties together
┏━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━┓
┃                        ┃  naive ┃ packed ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━┩
│ iterations             │      3 │      5 │
├────────────────────────┼────────┼────────┤
│ keygen                 │  0.000 │  0.000 │
│ setup                  │  4.000 │  0.500 │
│ gradient               │  8.000 │  1.000 │
│ randomizers            │ 12.000 │  1.500 │
│ encrypt                │ 16.000 │  2.000 │
│ add                    │ 20.000 │  2.500 │
│ decrypt                │ 24.000 │  3.000 │
│ step                   │ 28.000 │  3.500 │
├────────────────────────┼────────┼────────┤
│ seconds per iteration  │ 0.4000 │ 0.0500 │
│ of these online        │ 0.2000 │ 0.0250 │
│ speed-up per iteration │    1.0 │    8.0 │
│ ciphertexts per hop    │     32 │      4 │
│ bytes per hop          │   4000 │    500 │
└────────────────────────┴────────┴────────┘
naive ran 3 of 5 iterations
models agree at iteration 3, the last common one: largest relative difference 2.5e-13"""  # noqa: E501


def test_one_backend_has_nothing_to_agree_with() -> None:
    alone = comparison(results={"naive": result(5, 4.0)})
    text = "\n".join(shown(lambda r: r.print_results(alone)))
    assert not re.search("agree|speed-up|ran ", text)


@pytest.mark.parametrize("agree", [True, False])
def test_rows_left_out_the_rule_to_stop_and_a_difference_are_told(agree: bool) -> None:
    config = SimpleNamespace(key_length=3072, n_clients=3, n_iter=5, eta=1.5, scale="none", tol=0.0)
    shards = SimpleNamespace(y=[[0.0]], y_test=[0.0], target="cost", left_out=1)
    differing = {"config": config, "shards": shards, "failures": {}, "models_agree": agree}
    told = [
        "1 row is left out, with hospitals of one size: pooled are the rows of all hospitals",
        "training in the clear stopped by the same rule: 2 to 4 steps alone, 7 pooled",
    ]
    lines = shown(lambda r: r.print_results(comparison(**differing)))
    assert [line for line in lines if line in told] == told
    assert lines[-1] == (
        f"models {'agree' if agree else 'DISAGREE'} at iteration 3, the last common one: "
        "largest relative difference 2.5e-13"
    )
    shards.left_out = 2
    nobody = comparison(**differing, alone=["it grows"], pooled=result(7, 1.0))
    assert {
        "2 rows are left out, with hospitals of one size: pooled are the rows of all hospitals",
        "training in the clear stopped by the same rule: 7 pooled",
    } <= set(shown(lambda r: r.print_results(nobody)))
    unpooled = comparison(**differing, pooled="it grows")
    assert "training in the clear stopped by the same rule: 2 to 4 steps alone" in shown(
        lambda r: r.print_results(unpooled)
    )


def test_a_bar_shows_the_rounds_of_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    reporter, bars = Reporter(), []
    make = reporter._bar
    monkeypatch.setattr(reporter, "_bar", lambda *columns: bars.append(make(*columns)) or bars[-1])
    with reporter.watching("packed", 7) as advanced:
        (task,) = bars[0].tasks
        assert (task.description, task.total, task.completed) == ("packed", 7, 0)
        advanced(3)
        advanced(5)
        assert task.completed == 5
    assert [type(column).__name__ for column in bars[0].columns[2:]] == ["MofNCompleteColumn", "TimeElapsedColumn"]
