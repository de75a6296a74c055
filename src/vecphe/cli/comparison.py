"""The job of `vecphe run`: the same training on every backend that was asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vecphe import __version__
from vecphe.arithmetic import engine_for
from vecphe.bench.estimate import Plan, rough_seconds
from vecphe.federated import (
    Backend,
    NaiveBackend,
    PackedBackend,
    ProtocolConfig,
    ProtocolResult,
    VectorizedBackend,
    federated_learning,
    get_data,
    local_learning,
)
from vecphe.federated.data import Shards, load_csv, shards_from_table

__all__ = ["Comparison", "JobOptions", "Watcher", "load_shards"]

NAIVE_SECONDS = 10.0  # in a comparison the naive side stops after the round that passes this
TOLERANCE = 1e-9  # of the largest weight


class Watcher(Protocol):
    """Who is told about the progress of the runs."""

    def started(self, backend: str, rounds: int) -> None:
        """A run begins."""

    def advanced(self, backend: str, number: int) -> None:
        """A round is done."""

    def finished(self, backend: str) -> None:
        """A run is done, or failed."""


@dataclass(frozen=True)
class JobOptions:
    """What the command line asked for."""

    shards: Shards
    backend: str
    data: str
    key_length: int
    iterations: int
    eta: float
    seed: int
    insecure: bool
    jobs: int | None
    engine: str | None = None


def load_shards(path: Path | None, target: str | None, group: str | None, clients: int | None, seed: int) -> Shards:
    """The diabetes data, or a CSV file, shared out to clients; raise ValueError for options that do not fit."""
    n_clients = 5 if clients is None else clients
    if path is None:
        if target is not None or group is not None:
            raise ValueError("--target and --group name columns of a file: give it with --data")
        X, y, X_test, y_test = get_data(n_clients, seed)
        return Shards(tuple(f"Hospital {i}" for i in range(1, n_clients + 1)), X, y, X_test, y_test)
    if target is None:
        raise ValueError("--data needs --target, the name of the column to predict")
    if group is not None and clients is not None:
        raise ValueError("--clients and --group exclude each other: with --group, every group is a client")
    shards = shards_from_table(load_csv(path, target, group), n_clients, seed)
    if len(shards.names) < 3:
        raise ValueError(f"{path}: the column {group!r} has {len(shards.names)} groups; at least 3 are needed")
    return shards


def _naive_backend() -> NaiveBackend | None:
    try:
        return NaiveBackend(importlib.import_module("phe"))
    except ImportError:
        return None


class Comparison:
    """Runs of the same training on several backends.

    Attributes
    ----------
    options : JobOptions
    backends : dict of str to Backend
        What will run, slowest first.
    skipped : dict of str to str
        What will not, and why.
    local : ProtocolResult
        Every client trained alone.
    results : dict of str to ProtocolResult
    """

    def __init__(self, options: JobOptions) -> None:
        self.options = options
        self.skipped: dict[str, str] = {}
        self.engine = engine_for(1 << (options.key_length - 1), options.engine).name
        self.backends = self._chosen_backends()
        self.config: dict[str, Any] = {
            "n_clients": len(options.shards.names),
            "key_length": options.key_length,
            "n_iter": options.iterations,
            "eta": options.eta,
            "insecure": options.insecure,
            "n_jobs": options.jobs,
        }
        ProtocolConfig.from_mapping(self.config)
        self.results: dict[str, ProtocolResult] = {}

    def _chosen_backends(self) -> dict[str, Backend]:
        wanted, jobs, engine = self.options.backend, self.options.jobs, self.options.engine
        if wanted == "naive" and engine is not None:
            raise ValueError("the naive backend computes with phe, not with an engine of vecphe: leave out --engine")
        backends: dict[str, Backend] = {}
        if wanted in ("all", "naive"):
            naive = _naive_backend()
            if naive is not None:
                backends["naive"] = naive
            elif wanted == "naive":
                raise ValueError("the naive backend needs phe: pip install phe")
            else:
                self.skipped["naive"] = "phe is not installed (pip install phe)"
        if wanted in ("all", "vectorized"):
            backends["vectorized"] = VectorizedBackend(n_jobs=jobs, engine=engine)
        if wanted in ("all", "packed"):
            backends["packed"] = PackedBackend(max_terms=len(self.options.shards.names), n_jobs=jobs, engine=engine)
        return backends

    @property
    def naive_limit(self) -> float | None:
        """Seconds that the naive side may run; None if it runs alone."""
        return NAIVE_SECONDS if len(self.backends) > 1 else None

    def estimates(self) -> dict[str, float]:
        """Roughly how many seconds each backend will take."""
        o, n_clients = self.options, len(self.options.shards.names)
        length = o.shards.X[0].shape[1]
        seconds = {}
        for name in self.backends:
            plan = Plan(n_clients, length, o.key_length, packed=name == "packed")
            setup, one_round = rough_seconds(name, plan, o.iterations)
            limit = self.naive_limit if name == "naive" else None
            rounds = o.iterations * one_round
            seconds[name] = setup + (rounds if limit is None else min(rounds, one_round + limit))
        return seconds

    def run(self, watcher: Watcher) -> None:
        """Run everything."""
        s = self.options.shards
        self.local = local_learning(s.X, s.y, s.X_test, s.y_test, self.config, names=s.names)
        for name, backend in self.backends.items():
            watcher.started(name, self.options.iterations)
            try:
                self.results[name] = federated_learning(
                    s.X,
                    s.y,
                    s.X_test,
                    s.y_test,
                    {**self.config, "backend": backend},
                    names=s.names,
                    on_round=self._round_counter(name, watcher),
                )
            finally:
                watcher.finished(name)

    def _round_counter(self, name: str, watcher: Watcher) -> Callable[[int], bool]:
        limit = self.naive_limit if name == "naive" else None
        deadline: list[float] = []

        def count(number: int) -> bool:
            watcher.advanced(name, number)
            if limit is None:
                return True
            if not deadline:  # set after the first round, so that making the key does not count
                deadline.append(perf_counter() + limit)
            return perf_counter() < deadline[0]

        return count

    def mse(self, result: ProtocolResult) -> list[float]:
        """Errors in the target's own units."""
        return [mse * self.options.shards.target_scale**2 for mse in result.mse]

    @property
    def common_iteration(self) -> int:
        """Last iteration that every backend reached."""
        return min(result.n_iter for result in self.results.values())

    @property
    def difference(self) -> float:
        """Largest difference between backends' weights at the last common iteration, over the largest weight."""
        weights: list[npt.NDArray[np.float64]] = [
            result.history[self.common_iteration - 1] for result in self.results.values()
        ]
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
        o = self.options
        return {
            "version": __version__,
            "engine": self.engine,
            "data": o.data,
            "clients": list(o.shards.names),
            "key_length": o.key_length,
            "iterations": o.iterations,
            "eta": o.eta,
            "seed": o.seed,
            "jobs": o.jobs,
            "local_mse": self.mse(self.local),
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
            "mse": self.mse(result),
            "weights": result.weights[0].tolist(),
            "seconds": result.seconds,
            "seconds_per_iteration": result.seconds_per_round,
            "speed_up": self.speed_up(name),
            "ciphertexts_per_hop": result.ciphertexts_per_hop,
            "bytes_per_hop": result.bytes_per_hop,
        }
