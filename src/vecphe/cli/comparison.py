"""The job of `vecphe run`: the same training on every backend that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from vecphe import __version__
from vecphe.arithmetic import engine_for
from vecphe.bench.estimate import Plan, rough_seconds
from vecphe.bench.records import BACKENDS
from vecphe.bench.workloads import naive_module
from vecphe.data import TableOptions
from vecphe.federated import ProtocolConfig, ProtocolResult, federated_learning, get_data, local_learning
from vecphe.federated.data import Shards, load_tables, shards_from_table

__all__ = ["Comparison", "load_shards"]

NAIVE_SECONDS = 10.0  # in a comparison the naive side stops after the round that passes this
TOLERANCE = 1e-9  # of the largest weight

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
        return Shards(tuple(f"Hospital {i}" for i in range(1, n_clients + 1)), X, y, X_test, y_test)
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
    shards = shards_from_table(table, n_clients, seed)
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
    **config
        Options of a run, as in `ProtocolConfig`.
    """

    local: ProtocolResult  # every client trained alone

    def __init__(self, shards: Shards, backend: str, facts: dict[str, Any], **config: Any) -> None:
        self.shards, self.facts = shards, facts
        self.config = ProtocolConfig.from_mapping({"n_clients": len(shards.names), **config})
        self.engine = engine_for(1 << (self.config.key_length - 1), self.config.engine).name
        self.backends = list(BACKENDS) if backend == "all" else [backend]  # what will run, slowest first
        self.skipped: dict[str, str] = {}  # what will not, and why
        self.results: dict[str, ProtocolResult] = {}
        if backend == "naive" and self.config.engine is not None:
            raise ValueError("the naive backend computes with phe, not with an engine of vecphe: leave out --engine")
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
        """Roughly how many seconds each backend will take."""
        c, length = self.config, self.shards.X[0].shape[1]
        seconds = {}
        for name in self.backends:
            plan = Plan(c.n_clients, length, c.key_length, packed=name == "packed", engine=c.engine)
            setup, one_round = rough_seconds(name, plan, c.n_iter)
            seconds[name] = setup + min(c.n_iter * one_round, one_round + self.limit_of(name))
        return seconds

    def run(self, watching: Watching) -> None:
        """Run everything."""
        s, config = self.shards, vars(self.config)
        data = (s.X, s.y, s.X_test, s.y_test)
        self.local = local_learning(*data, config, names=s.names)
        for name in self.backends:
            own = {**config, "backend": name, "engine": None if name == "naive" else self.config.engine}
            with watching(name, self.config.n_iter) as advanced:
                on_round = self._round_counter(name, advanced)
                self.results[name] = federated_learning(*data, own, names=s.names, on_round=on_round)

    def _round_counter(self, name: str, advanced: Callable[[int], None]) -> Callable[[int], bool]:
        deadline: float | None = None

        def count(number: int) -> bool:
            nonlocal deadline
            advanced(number)
            if deadline is None:  # set after the first round, so that making the key does not count
                deadline = perf_counter() + self.limit_of(name)
            return perf_counter() < deadline

        return count

    def mse(self, result: ProtocolResult) -> list[float]:
        """Errors in the target's own units."""
        return [mse * self.shards.target_scale**2 for mse in result.mse]

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
        c = self.config
        return {
            "version": __version__,
            "engine": self.engine,
            **self.facts,
            "clients": list(self.shards.names),
            "key_length": c.key_length,
            "iterations": c.n_iter,
            "eta": c.eta,
            "jobs": c.n_jobs,
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
