"""The job of `vecphe run`: the same training on every backend that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from vecphe import __version__
from vecphe.arithmetic import engine_for
from vecphe.bench.estimate import Plan, learning_seconds, rough_seconds
from vecphe.bench.records import BACKENDS
from vecphe.bench.workloads import naive_module
from vecphe.cli.failure import RUN_OPTIONS, in_options
from vecphe.cli.outcome import ERRORS, Figures, Outcome, constant_form, error_of, least_error, quality
from vecphe.data import Column, Schema, TableOptions
from vecphe.data.problems import drop, listed
from vecphe.errors import ProtocolError
from vecphe.federated import (
    ProtocolConfig,
    ProtocolResult,
    TrainedModel,
    federated_learning,
    get_data,
    local_learning,
)
from vecphe.federated.data import Shards, load_tables, shards_from_table
from vecphe.federated.scaling import check_columns
from vecphe.federated.tasks import task_of
from vecphe.plaintext.encoding import Floats

__all__ = ["POOLED", "Comparison", "load_shards"]

NAIVE_SECONDS = 10.0  # in a comparison the naive side stops after the round that passes this
_NOT_FOR_NAIVE = dict.fromkeys(("engine", "encoding", "max_abs", "max_terms"))  # phe has its own
TOLERANCE = 1e-9  # of the largest weight

_DIABETES_ROWS = 442
_DIABETES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")

POOLED = "all rows pooled"

# Shows that a backend runs for so many rounds, and is told the number of each that is done.
Watching = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def load_shards(
    paths: Sequence[Path], options: TableOptions | None, clients: int | None, seed: int, say: Callable[[str], None]
) -> Shards:
    """The diabetes data, or files, shared out to clients; raise ValueError for options that do not fit."""
    n_clients = 5 if clients is None else clients
    if not paths:
        if options is not None:
            raise ValueError("options about columns and files need a file: give it with --data")
        X, y, X_test, y_test = get_data(n_clients, seed)
        left_out = _DIABETES_ROWS - len(y_test) - sum(map(len, y))
        names = tuple(f"Hospital {i}" for i in range(1, n_clients + 1))
        schema = Schema(tuple(map(Column, _DIABETES)))
        return Shards(names, [rows[:, :-1] for rows in X], y, X_test[:, :-1], y_test, schema, "progression", left_out)
    if options is None or not options.target:
        raise ValueError("--data needs --target, the name of the column to predict")
    if options.group is not None and len(paths) > 1:
        raise ValueError("several files are a hospital each: give one file with --group, or leave --group out")
    if clients is not None and (options.group is not None or len(paths) > 1):
        each = "file" if len(paths) > 1 else "group"
        raise ValueError(f"--clients does not go with --group or several files: every {each} is a client")
    table = load_tables(paths, options)
    for note in table.notes:
        say(note)
    shards = shards_from_table(table, n_clients, seed, options.target)
    if len(shards.names) < 3:
        found = f"{len(paths)} files" if len(paths) > 1 else f"{paths[0]}: the column {options.group!r}"
        count = "are given" if len(paths) > 1 else f"has {len(shards.names)} groups"
        raise ValueError(f"{found} {count}; at least 3 are needed")
    return shards


class Comparison:
    """Runs of the same training on several backends.

    Parameters
    ----------
    shards : Shards
    backend : str
        One, or "all".
    facts : dict
        What else a reader of the results has to know: where the data are from, and how they were cut.
    task : str, optional
        "regression" or "classification"; by default the target tells.
    **config
        Options of a run, as in `ProtocolConfig`.

    Attributes
    ----------
    task : Task
    alone : list of ProtocolResult or str
        Every client trained alone, or why it could not.
    pooled : ProtocolResult or str
        The rows of all clients together, in the clear; or why that failed.
    """

    alone: list[ProtocolResult | str]
    pooled: ProtocolResult | str

    def __init__(
        self, shards: Shards, backend: str, facts: dict[str, Any], task: str | None = None, **config: Any
    ) -> None:
        self.shards, self.facts = shards, facts
        self.task = task_of([*shards.y, shards.y_test], shards.target, task)
        self._y, self._y_test = [self.task.numbers(y) for y in shards.y], self.task.numbers(shards.y_test)
        self.config = ProtocolConfig.from_mapping({"n_clients": len(shards.names), "fit_intercept": True, **config})
        self.engine = engine_for(1 << (self.config.key_length - 1), self.config.engine).name
        self.backends = list(BACKENDS) if backend == "all" else [backend]  # what will run, slowest first
        self.skipped: dict[str, str] = {}  # what will not, and why
        self.results: dict[str, ProtocolResult] = {}
        if self.config.scale != "none":  # here, where columns have names
            for name, X, y in zip(shards.names, shards.X, self._y, strict=True):
                check_columns(name, X, y if self.task.classes is None else None, shards.schema.features)
        absent = set.intersection(*(set(_absent(shards.schema, X)) for X in shards.X))
        for column in shards.schema.columns:
            if column.name in absent:
                raise ValueError(
                    f"no hospital has a value of {column.name!r} in the rows that it trains on; "
                    f"leave it out with {drop([column.name])}"
                )
        if backend == "naive" and self.config.engine is not None:
            raise ValueError("the naive backend computes with phe, not with an engine of vecphe: leave out --engine")
        for name in self.backends:  # raises for what does not go together, before anything runs
            if name != "naive" or backend == "naive":
                replace(self.config, backend=name, n_jobs=None).named_backend()
        if "naive" in self.backends and naive_module() is None:
            if backend == "naive":
                raise ValueError("the naive backend needs phe: pip install phe")
            self.backends.remove("naive")
            self.skipped["naive"] = "phe is not installed (pip install phe)"

    def limit_of(self, backend: str) -> float:
        """Seconds that a backend may run: the naive one, unless it runs alone; the others as long as they take."""
        limited = backend == "naive" and backend in self.backends and len(self.backends) > 1
        return NAIVE_SECONDS if limited else math.inf

    def estimates(self) -> dict[str, float]:
        """Roughly how many seconds each backend will take, and training in the clear: each alone, and pooled."""
        c, length, rows = self.config, self._length, sum(map(len, self._y))
        once, each = learning_seconds(self.shards.X[0], self._y[0], vars(c), self.task.model)
        seconds = {"in the clear": 2 * rows * (once + c.n_iter * each)}
        for name in self.backends:
            plan = Plan(c.n_clients, length, c.key_length, packed=name == "packed", engine=c.engine)
            setup, one_round = rough_seconds(name, plan, c.n_iter)
            one_round += rows * each
            seconds[name] = setup + rows * once + min(c.n_iter * one_round, one_round + self.limit_of(name))
        return seconds

    @property
    def _length(self) -> int:
        """Numbers that a client sends in a round."""
        classes = self.task.classes
        scores = 1 if classes is None or len(classes) == 2 else len(classes)
        return (len(self.shards.schema.features) + 1) * scores + (self.config.tol is not None)

    def run(self, watching: Watching) -> None:
        """Run everything."""
        s = self.shards
        self.alone = [self._in_the_clear(*own) for own in zip(s.X, self._y, strict=True)]
        self.pooled = self._in_the_clear(np.concatenate(s.X), np.concatenate(self._y))
        self._train_encrypted(watching)

    def _in_the_clear(self, X: Floats, y: Floats) -> ProtocolResult | str:
        """What these rows alone teach, by the same steps and the same rule when to stop; or why nothing."""
        if absent := _absent(self.shards.schema, X):
            return f"no value of {listed([repr(name) for name in absent])}"
        name, config = "training", {**vars(self.config), "n_clients": 1}
        test = (self.shards.X_test, self._y_test)
        try:
            return local_learning([X], [y], *test, config, names=[name], model=self.task.model)
        except ProtocolError as error:
            return in_options(str(error).removeprefix(f"{name}: "), RUN_OPTIONS)

    def _train_encrypted(self, watching: Watching) -> None:
        s, config, model = self.shards, vars(self.config), self.task.model
        test = (s.X_test, self._y_test)
        for name in self.backends:
            own = {**config, "backend": name, **(_NOT_FOR_NAIVE if name == "naive" else {})}
            with watching(name, self.config.n_iter) as advanced:
                on_round = self._round_counter(name, advanced)
                self.results[name] = federated_learning(
                    s.X, self._y, *test, own, names=s.names, model=model, on_round=on_round
                )

    def _round_counter(self, name: str, advanced: Callable[[int], None]) -> Callable[[int], bool]:
        deadline: float | None = None

        def count(number: int) -> bool:
            nonlocal deadline
            advanced(number)
            if deadline is None:  # set after the first round, so that making the key does not count
                deadline = perf_counter() + self.limit_of(name)
            return perf_counter() < deadline

        return count

    @property
    def longest(self) -> ProtocolResult:
        """The federated run that is reported: the last of those with the most rounds."""
        return max(reversed(self.results.values()), key=lambda result: result.n_iter)

    @property
    def trained(self) -> TrainedModel:
        """The federated model, in the units of the data."""
        result = self.longest
        classes = self.task.classes
        return TrainedModel.of(self.shards.schema, self.shards.target, classes, result.scalings[0], result.linear())

    def outcome(self) -> Outcome:
        """Figures on the test rows, of all models."""
        test = (self.shards.X_test, self._y_test)
        constant = constant_form(self.task, np.concatenate(self._y), self.shards.X_test.shape[1])
        figures = quality(self.task, constant, *test)

        def figures_of(result: ProtocolResult | str) -> Figures:
            return dict.fromkeys(figures) if isinstance(result, str) else quality(self.task, result.linear(), *test)

        return Outcome(
            ERRORS[self.task.name],
            self.shards.names,
            alone=[figures_of(own) for own in self.alone],
            federated=figures_of(self.longest),
            pooled=figures_of(self.pooled),
            constant=figures,
            least=least_error(self.task, figures, self._y_test),
        )

    @property
    def failures(self) -> dict[str, str]:
        """Who did not learn in the clear, and why."""
        results = {**dict(zip(self.shards.names, self.alone, strict=True)), POOLED: self.pooled}
        return {name: result for name, result in results.items() if isinstance(result, str)}

    def curves(self) -> dict[str, list[float]]:
        """Error on the test rows after each round: of each hospital alone, pooled, and federated."""
        results = {f"{name} alone": own for name, own in zip(self.shards.names, self.alone, strict=True)}
        lines = {
            name: (result.history[:, 0], result.scalings[0])
            for name, result in {**results, "pooled in the clear": self.pooled}.items()
            if not isinstance(result, str)
        }
        lines["federated"] = self.longest.history, self.longest.scalings[0]
        test = (self.shards.X_test, self._y_test)
        return {
            name: [error_of(self.task, scaling.linear(weights), *test) for weights in history]
            for name, (history, scaling) in lines.items()
        }

    @property
    def common_iteration(self) -> int:
        """Last iteration that every backend reached."""
        return min(result.n_iter for result in self.results.values())

    @property
    def difference(self) -> float:
        """Largest difference between backends' weights at the last common iteration, over the largest weight."""
        weights = [result.history[self.common_iteration - 1] for result in self.results.values()]
        scale = np.max(np.abs(weights[0])) or 1.0
        return float(max(np.max(np.abs(other - weights[0])) for other in weights) / scale)

    @property
    def models_agree(self) -> bool:
        """Whether all backends came to the same model."""
        return self.difference <= TOLERANCE

    def speed_up(self, name: str) -> float | None:
        """Rate of rounds, keygen and setup apart, over that of the naive side."""
        naive = self.results.get("naive")
        return None if naive is None else naive.seconds_per_round / self.results[name].seconds_per_round

    def as_dict(self) -> dict[str, Any]:
        """Everything that is reported, ready for JSON."""
        c, outcome = self.config, self.outcome()
        return {
            "version": __version__,
            "engine": self.engine,
            **self.facts,
            "clients": list(self.shards.names),
            "key_length": c.key_length,
            "iterations": c.n_iter,
            "eta": c.eta,
            "jobs": c.n_jobs,
            "task": self.task.name,
            "scale": c.scale,
            "l2": c.l2,
            "rows_left_out": self.shards.left_out,
            "local_iterations": [None if isinstance(own, str) else own.n_iter for own in self.alone],
            "pooled_iterations": None if isinstance(self.pooled, str) else self.pooled.n_iter,
            **({"local_mse": [figures["mse"] for figures in outcome.alone]} if self.task.classes is None else {}),
            "failures": self.failures,
            "test": {
                "alone": outcome.alone,
                **{name: getattr(outcome, name) for name in ("federated", "pooled", "constant")},
                "gained": outcome.of(-1),
                "lost": outcome.of(1),
            },
            "skipped": self.skipped,
            "backends": {name: self._result_dict(name, result) for name, result in self.results.items()},
            "agreement": {
                "iteration": self.common_iteration,
                "difference": self.difference,
                "tolerance": TOLERANCE,
                "agree": self.models_agree,
            },
        }

    def _result_dict(self, name: str, result: ProtocolResult) -> dict[str, Any]:
        return {
            "iterations": result.n_iter,
            **({"mse": result.mse} if self.task.classes is None else {}),
            "weights": result.weights[0].tolist(),
            "seconds": result.seconds,
            "seconds_per_iteration": result.seconds_per_round,
            "online_seconds_per_iteration": result.online_seconds_per_round,
            "speed_up": self.speed_up(name),
            "ciphertexts_per_hop": result.ciphertexts_per_hop,
            "bytes_per_hop": result.bytes_per_hop,
        }


def _absent(schema: Schema, X: Floats) -> list[str]:
    """Names of the columns that have no value in these rows."""
    empty = np.asarray(np.isnan(X).all(axis=0))
    is_absent = dict(zip(schema.features, empty.tolist(), strict=True))
    return [column.name for column in schema.columns if any(is_absent[feature] for feature in column.features)]
