"""The job of `vecphe run`: what it takes, how long that takes, and what is told of results that are made up."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vecphe import __version__
from vecphe.cli import comparison as module
from vecphe.cli.comparison import Comparison, load_shards
from vecphe.data import Column, Schema, TableOptions
from vecphe.errors import ProtocolError
from vecphe.federated import ProtocolResult
from vecphe.federated.clock import PHASES
from vecphe.federated.data import Shards
from vecphe.federated.scaling import Scaling

KEYS: dict[str, Any] = {"key_length": 256, "insecure": True}
RAW = Scaling.none(2, intercept=True)
OTHER = Scaling(np.ones(2), np.full(2, 2.0), intercept=True, fitted=True, rows=9)


def shards_of(columns: tuple[Column, ...] = (Column("a"), Column("b")), y: Any = (1.0, 2.0, 4.0)) -> Shards:
    """Three hospitals of two, two and three rows, and two test rows."""
    width = len(Schema(columns).features)
    X = [np.arange(rows * width, dtype=np.float64).reshape(rows, width) % 5 + 1 for rows in (2, 2, 3)]
    values = np.asarray(y)
    targets = [values[np.arange(len(rows)) % len(values)] for rows in X]
    return Shards(("p", "q", "r"), X, targets, X[2][:2], values[:2], Schema(columns), "cost", 4)


def made(
    backend: str = "packed", *, shards: Shards | None = None, task: str | None = None, **config: Any
) -> Comparison:
    return Comparison(shards or shards_of(), backend, {"data": "d", "seed": 5}, task, **KEYS, **config)


# Files and options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("clients", "names"), [(None, 5), (3, 3), (7, 7)])
def test_our_data_are_shared_out_with_their_names(clients: int | None, names: int) -> None:
    shards = load_shards([], None, clients, 43, print)
    assert shards.names == tuple(f"Hospital {i}" for i in range(1, names + 1))
    assert [column.name for column in shards.schema.columns] == list(module._DIABETES)
    assert {rows.shape[1] for rows in (*shards.X, shards.X_test)} == {10}
    assert shards.target == "progression"
    assert sum(map(len, shards.y)) + len(shards.y_test) + shards.left_out == 442
    assert not any((rows == 1.0).all(axis=0).any() for rows in shards.X)  # the intercept is no column
    other = load_shards([], None, clients, 44, print)
    assert not np.array_equal(other.y[0], shards.y[0])


def test_files_and_options_that_do_not_go_together(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.csv" for name in "xyz"]
    for number, file in enumerate(files):
        file.write_text("a,g,y\n" + "".join(f"{i},{i % (2 + number)},{i * i}\n" for i in range(35)))
    x, y, z = files
    told: list[str] = []
    several = "several files are a hospital each: give one file with --group, or leave --group out"
    alone = "--clients does not go with --group or several files: every {} is a client"
    target, grouped = TableOptions(target="y"), TableOptions(target="y", group="g")
    no_target = "--data needs --target, the name of the column to predict"
    for paths, options, clients, message in (
        ([], target, None, "options about columns and files need a file: give it with --data"),
        ([x], None, None, no_target),
        ([x], TableOptions(group="g"), None, no_target),
        ([x, y, z], grouped, None, several),
        ([x, y], grouped, None, several),
        ([x, y, z], target, 3, alone.format("file")),
        ([x], grouped, 3, alone.format("group")),
        ([x, y], target, None, "2 files are given; at least 3 are needed"),
        ([x], grouped, None, f"{x}: the column 'g' has 2 groups; at least 3 are needed"),
    ):
        with pytest.raises(ValueError, match=" ") as caught:
            load_shards(paths, options, clients, 43, told.append)
        assert str(caught.value) == message
    assert load_shards(files, target, None, 43, told.append).names == ("x", "y", "z")
    assert load_shards([y], grouped, None, 43, told.append).names == ("0", "1", "2")
    assert len(load_shards([x], target, None, 43, told.append).names) == 5
    assert len(load_shards([x], target, 3, 43, told.append).names) == 3
    assert told == []
    with x.open("a") as file:
        file.write(",1,1\n")
    load_shards([x], TableOptions(target="y", missing="drop"), 3, 43, told.append)
    assert any("1 row" in note for note in told)


def test_the_engine_that_is_told_is_that_for_a_modulus_of_the_keys_length(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(module, "engine_for", lambda *args: asked.append(args) or SimpleNamespace(name="it"))
    assert made(engine="gmp").engine == "it"
    ((modulus, name),) = asked
    assert (modulus.bit_length(), name) == (256, "gmp")


def test_a_comparison_has_what_it_was_given() -> None:
    whole = made("all", n_iter=7, engine="gmp")
    assert (whole.engine, whole.backends, whole.skipped) == ("gmp", ["naive", "vectorized", "packed"], {})
    config = whole.config
    assert (config.n_clients, config.fit_intercept, config.n_iter, config.key_length) == (3, True, 7, 256)
    assert made("vectorized").backends == ["vectorized"]
    assert made(shards=shards_of(y=(0, 1))).task.name == "classification"
    assert made(shards=shards_of(y=(0, 1)), task="regression").task.name == "regression"
    labels = made(shards=shards_of(y=("u", "v")))
    assert [y.tolist() for y in labels._y] == [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0, 0.0]]
    assert labels._y_test.tolist() == [0.0, 1.0]


def test_what_cannot_be_compared_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="naive") as caught:
        made("naive", engine="gmp")
    assert str(caught.value) == "the naive backend computes with phe, not with an engine of vecphe: leave out --engine"
    for backend in ("naive", "all"):  # phe has its own encoding, in a comparison that of the others is left out
        options = {"max_abs": 8.0}
        if backend == "naive":
            with pytest.raises(ValueError, match="max_abs"):
                made(backend, **options)
        else:
            assert made(backend, **options).backends == ["naive", "vectorized", "packed"]
    for backend in ("all", "naive", "packed"):
        assert made(backend, n_jobs=2).config.n_jobs == 2
    monkeypatch.setattr(module, "naive_module", lambda: None)
    with pytest.raises(ValueError, match="phe") as caught:
        made("naive")
    assert str(caught.value) == "the naive backend needs phe: pip install phe"
    whole = made("all")
    assert whole.backends == ["vectorized", "packed"]
    assert whole.skipped == {"naive": "phe is not installed (pip install phe)"}
    assert made("packed").skipped == {}


def test_columns_that_cannot_be_scaled_or_have_no_value_are_named() -> None:
    shards = shards_of((Column("a"), Column("drug", ("x", "y", "z"))))
    for rows in shards.X[1:]:
        rows[:, 1:] = np.nan
    assert made(shards=shards, missing="mean", scale="federated").backends == ["packed"]
    shards.X[0][:, 2] = np.nan  # no value of one level is no value
    with pytest.raises(ValueError, match="drug") as caught:
        made(shards=shards, missing="mean", scale="federated")
    assert str(caught.value) == (
        "no hospital has a value of 'drug' in the rows that it trains on; leave it out with --drop drug"
    )
    large = shards_of()
    large.X[1][0, 1] = 1e300
    with pytest.raises(ValueError, match=r"q: .*'b'.* too large"):
        made(shards=large, scale="federated")
    assert made(shards=large, scale="none").config.scale == "none"
    target = shards_of(y=(1.5, 1e300))
    with pytest.raises(ValueError, match="p: the target is too large"):
        made(shards=target, task="regression", scale="federated")
    assert made(shards=target, task="classification", scale="federated").task.classes is not None


# How long it takes ----------------------------------------------------------------------------------------------------


def test_only_a_naive_side_that_is_compared_has_a_limit() -> None:
    assert [made("all").limit_of(name) for name in ("naive", "packed")] == [10.0, math.inf]
    assert made("naive").limit_of("naive") == math.inf
    assert made("packed").limit_of("naive") == math.inf
    whole = made("all")
    whole.backends.remove("naive")
    assert whole.limit_of("naive") == math.inf


def test_the_estimate_is_of_all_rows_and_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def rough(name: str, plan: Any, n_iter: int) -> tuple[float, float]:
        asked.append((name, plan.clients, plan.values, plan.key_length, plan.packed, plan.engine, n_iter))
        return {"naive": (3.0, 6.0), "vectorized": (5.0, 2.0), "packed": (7.0, 1.0)}[name]

    timed: list[Any] = []
    monkeypatch.setattr(module, "rough_seconds", rough)
    monkeypatch.setattr(module, "learning_seconds", lambda *args: timed.append(args) or (0.5, 0.25))
    whole = made("all", n_iter=8, engine="gmp", tol=0.125)
    assert whole.estimates() == {
        "in the clear": 2 * 7 * (0.5 + 8 * 0.25),
        "naive": 3.0 + 7 * 0.5 + (6.0 + 7 * 0.25) + 10.0,  # a round, and those that begin before the limit
        "vectorized": 5.0 + 7 * 0.5 + 8 * (2.0 + 7 * 0.25),
        "packed": 7.0 + 7 * 0.5 + 8 * (1.0 + 7 * 0.25),
    }
    assert asked == [
        ("naive", 3, 4, 256, False, "gmp", 8),
        ("vectorized", 3, 4, 256, False, "gmp", 8),
        ("packed", 3, 4, 256, True, "gmp", 8),
    ]
    ((X, y, config, model),) = timed
    assert (X is whole.shards.X[0], y is whole._y[0], config) == (True, True, vars(whole.config))
    assert model == whole.task.model
    short = made("all", n_iter=1)
    assert short.estimates()["naive"] == 3.0 + 7 * 0.5 + 6.0 + 7 * 0.25


@pytest.mark.parametrize(
    ("y", "tol", "length"),
    [
        ((1.5, 2.5), None, 3), ((1.5, 2.5), 0.0, 4), ((0, 1), None, 3), ((0, 1, 2), None, 9), ((0, 1, 2), 0.5, 10),
    ],
)  # fmt: skip
def test_a_client_sends_a_number_a_feature_and_class_and_its_loss(y: Any, tol: float | None, length: int) -> None:
    assert made(shards=shards_of(y=y), tol=tol)._length == length


def test_the_naive_side_ends_after_the_round_that_passes_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    whole, told = made("all"), list[int]()
    for name, lasts in (("naive", 10.0), ("packed", 1e9)):
        count = whole._round_counter(name, told.append)
        now[0] += 50.0  # the key and the first round
        assert count(1)
        now[0] += lasts - 0.5
        assert count(2)
        now[0] += 0.5
        assert count(3) is (name == "packed")
    assert told == [1, 2, 3] * 2


# Training -------------------------------------------------------------------------------------------------------------


@contextmanager
def quietly(name: str, rounds: int) -> Iterator[Any]:
    yield lambda number: None


def test_everything_is_trained_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    alone: list[Any] = []
    together: list[Any] = []
    watched: list[Any] = []

    def local(X: Any, y: Any, *rest: Any, **options: Any) -> Any:
        alone.append((len(X), len(X[0]), len(y[0]), *rest, options))
        if len(X[0]) == 3:
            raise ProtocolError("training: it grows; lower eta")
        return f"learned from {len(X[0])}"

    def federated(X: Any, y: Any, *rest: Any, on_round: Any, **options: Any) -> Any:
        together.append((X, y, *rest, options))
        on_round(1)
        return "result"

    @contextmanager
    def watching(name: str, rounds: int) -> Iterator[Any]:
        yield lambda number: watched.append((name, rounds, number))

    monkeypatch.setattr(module, "local_learning", local)
    monkeypatch.setattr(module, "federated_learning", federated)
    whole = made("all", n_iter=9, engine="gmp", max_abs=64.0, max_terms=5)
    whole.run(watching)
    config, model = vars(whole.config), whole.task.model
    test = (whole.shards.X_test, whole._y_test)
    options = {"names": ["training"], "model": model}
    assert alone == [(1, rows, rows, *test, {**config, "n_clients": 1}, options) for rows in (2, 2, 3, 7)]
    assert whole.alone == ["learned from 2", "learned from 2", "it grows; lower --eta"]
    assert whole.pooled == "learned from 7"
    phes = {"engine": None, "encoding": None, "max_abs": None, "max_terms": None}
    assert together == [
        (
            whole.shards.X, whole._y, *test, {**config, "backend": name, **(phes if name == "naive" else {})},
            {"names": ("p", "q", "r"), "model": model},
        )
        for name in ("naive", "vectorized", "packed")
    ]  # fmt: skip
    assert watched == [(name, 9, 1) for name in whole.backends]
    assert list(whole.results) == whole.backends


def test_who_lacks_a_column_learns_nothing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shards = shards_of((Column("a"), Column("b"), Column("drug", ("x", "y", "z"))))
    shards.X[0][:, 1] = np.nan
    shards.X[1][:, 3] = np.nan
    shards.X[2][0, :] = np.nan
    whole = made(shards=shards, missing="mean", scale="federated")
    monkeypatch.setattr(module, "local_learning", lambda *args, **options: "learned")
    monkeypatch.setattr(module, "federated_learning", lambda *args, **options: "learned")
    whole.run(quietly)
    assert whole.alone == ["no value of 'b'", "no value of 'drug'", "learned"]
    shards.X[0][:, 2] = np.nan
    whole.run(quietly)
    assert whole.alone[0] == "no value of 'b' and 'drug'"


# What is told ---------------------------------------------------------------------------------------------------------


def result(*history: list[float], seconds: float = 1.0, **facts: Any) -> ProtocolResult:
    """Of weights a round; those of other clients than the first, which is the one that is told, differ here."""
    weights = np.array(history)
    return ProtocolResult(
        mse=[seconds], weights=weights[-1] + np.arange(3.0)[:, np.newaxis], history=weights, n_iter=len(history),
        seconds=dict.fromkeys(PHASES, seconds), scalings=(RAW, OTHER, OTHER), **facts,
    )  # fmt: skip


def alone_of(*history: list[float]) -> ProtocolResult:
    found = result(*history)
    return ProtocolResult(
        found.mse, found.weights[:1], found.history[:, np.newaxis], found.n_iter, found.seconds, scalings=(RAW,)
    )


A, B, C = [0.5, 0.0, 1.0], [0.25, 0.5, 0.0], [0.0, 0.0, 2.0]


def told(**changes: Any) -> Comparison:
    whole = made("all", n_iter=3)
    whole.alone = [alone_of(A), "it grows", alone_of(B, C)]
    whole.pooled = alone_of(A, B, C)
    whole.results = {
        "naive": result(A, [0.25, 0.5, 1e-12], seconds=4.0, ciphertexts_per_hop=4, bytes_per_hop=64),
        "vectorized": result(A, B, A, seconds=2.0, ciphertexts_per_hop=3),
        "packed": result(A, B, C, seconds=0.5, ciphertexts_per_hop=1, bytes_per_hop=16),
    }
    for name, value in changes.items():
        setattr(whole, name, value)
    return whole


def test_the_last_of_those_with_the_most_rounds_is_reported() -> None:
    whole = told()
    assert whole.longest is whole.results["packed"]
    del whole.results["packed"]
    assert whole.longest is whole.results["vectorized"]
    del whole.results["vectorized"]
    assert whole.longest is whole.results["naive"]


def test_models_are_compared_where_all_have_been() -> None:
    whole = told()
    assert (whole.common_iteration, whole.models_agree) == (2, True)
    assert whole.difference == pytest.approx(2e-12, rel=1e-9)  # over the largest weight, 0.5
    for weights in whole.results.values():
        weights.history[1] = [0.0, 0.0, 1.0]
    for change, agree in ((1e-9, True), (1.001e-9, False), (-1e-9, True), (-1.001e-9, False)):
        whole.results["packed"].history[1] = [0.0, change, 1.0]
        assert whole.models_agree is agree
    assert told(results={"packed": result(A, B)}).difference == 0.0
    nothing = told(results={"naive": result([0.0] * 3), "packed": result([0.0, 0.0, -1e-10])})
    assert nothing.difference == 1e-10  # of no weight that is not 0
    negative = told(results={"naive": result([0.0, -4.0, 1.0]), "packed": result([0.0, -4.0, 1.5])})
    assert negative.difference == 0.125


def test_rates_are_those_over_the_naive_side() -> None:
    whole = told()
    per_round = {name: 6 * own.seconds["add"] / own.n_iter for name, own in whole.results.items()}
    assert {name: whole.speed_up(name) for name in whole.results} == pytest.approx(
        {name: per_round["naive"] / own for name, own in per_round.items()}
    )
    del whole.results["naive"]
    assert whole.speed_up("packed") is None


def test_figures_are_of_the_last_weights_of_each() -> None:
    whole = told()
    X, y = whole.shards.X_test, whole.shards.y_test

    def mse(weights: list[float]) -> float:
        return float(np.mean((X @ np.array(weights[:2]) + weights[2] - y) ** 2))

    outcome = whole.outcome()
    none = {"mse": None, "r2": None}
    assert [own["mse"] for own in outcome.alone] == [pytest.approx(mse(A)), None, pytest.approx(mse(C))]
    assert outcome.alone[1] == none
    assert [own["mse"] for own in (outcome.federated, outcome.pooled)] == pytest.approx([mse(C)] * 2)
    mean = np.mean(np.concatenate(whole.shards.y))
    assert outcome.constant["mse"] == pytest.approx(np.mean((y - mean) ** 2))
    assert (outcome.error, outcome.names) == ("mse", ("p", "q", "r"))
    assert outcome.least == pytest.approx(1e-12 * np.mean((y - mean) ** 2))
    assert whole.failures == {"q": "it grows"}
    assert told(pooled="it ends").failures == {"q": "it grows", "all rows pooled": "it ends"}
    assert told(pooled="it ends").outcome().pooled == none
    curves = {name: pytest.approx(list(map(mse, rows))) for name, rows in (
        ("p alone", [A]), ("r alone", [B, C]), ("pooled in the clear", [A, B, C]), ("federated", [A, B, C]),
    )}  # fmt: skip
    assert whole.curves() == curves
    assert list(told(pooled="it ends").curves()) == ["p alone", "r alone", "federated"]


def test_the_model_is_in_the_units_of_the_data() -> None:
    trained = told().trained
    assert (trained.target, trained.schema, trained.classes) == ("cost", Schema((Column("a"), Column("b"))), None)
    assert trained.predict(np.array([[3.0, 4.0]])).tolist() == [2.0]
    assert not trained.has_means


def test_everything_is_told_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = told(skipped={"x": "y"})
    whole.config = whole.config.__class__(**{**vars(whole.config), "eta": 0.25, "l2": 0.5, "n_jobs": 2})
    outcome = whole.outcome()
    content = whole.as_dict()
    assert json.loads(json.dumps(content)) == json.loads(json.dumps({
        "version": __version__, "engine": whole.engine, "data": "d", "seed": 5, "clients": ["p", "q", "r"],
        "key_length": 256, "iterations": 3, "eta": 0.25, "jobs": 2, "task": "regression", "scale": "none", "l2": 0.5,
        "rows_left_out": 4, "local_iterations": [1, None, 2], "pooled_iterations": 3,
        "local_mse": [own["mse"] for own in outcome.alone], "failures": {"q": "it grows"},
        "test": {
            "alone": outcome.alone, "federated": outcome.federated, "pooled": outcome.pooled,
            "constant": outcome.constant, "gained": outcome.of(-1), "lost": outcome.of(1),
        },
        "skipped": {"x": "y"},
        "backends": {
            name: {
                "iterations": own.n_iter, "mse": own.mse, "weights": own.weights[0].tolist(), "seconds": own.seconds,
                "seconds_per_iteration": own.seconds_per_round,
                "online_seconds_per_iteration": own.online_seconds_per_round, "speed_up": whole.speed_up(name),
                "ciphertexts_per_hop": own.ciphertexts_per_hop, "bytes_per_hop": own.bytes_per_hop,
            }
            for name, own in whole.results.items()
        },
        "agreement": {"iteration": 2, "difference": whole.difference, "tolerance": 1e-9, "agree": True},
    }))  # fmt: skip
    sides = SimpleNamespace(**{**vars(outcome), "of": {-1: ["gains"], 1: ["loses"]}.get})
    monkeypatch.setattr(Comparison, "outcome", lambda self: sides)
    test = whole.as_dict()["test"]
    assert (test["gained"], test["lost"]) == (["gains"], ["loses"])
    assert told(pooled="it ends").as_dict()["pooled_iterations"] is None


def test_classes_have_no_mean_square_error() -> None:
    whole = made("packed", shards=shards_of(y=(0, 1)))
    whole.alone, whole.pooled = [alone_of(A)] * 3, alone_of(A)
    whole.results = {"packed": result(A)}
    content = whole.as_dict()
    assert "local_mse" not in content
    assert "mse" not in content["backends"]["packed"]
    assert content["test"]["federated"].keys() == {"log_loss", "accuracy", "auc"}
