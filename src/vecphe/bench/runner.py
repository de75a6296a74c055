"""Runs a matrix of cases: calibrates, estimates, then measures all backends of a case in turn."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import active_engine, engine_for
from vecphe.bench.environment import Environment, PeakMemory, engine_warning, use_engine
from vecphe.bench.estimate import Costs, Plan, estimate, side_costs
from vecphe.bench.matrix import LEAST_CLIENTS, Matrix
from vecphe.bench.records import PHASES, Case, Record, Results
from vecphe.bench.sides import Round, Side
from vecphe.bench.workloads import gradients, naive_module
from vecphe.system.parallel import effective_jobs

__all__ = ["Progress", "Runner"]

_PREPARED_ROUNDS = 50  # tables are those of a training run of so many rounds
_LEAST_SAMPLE_SECONDS = 0.02  # shorter rounds are repeated within a sample
_MOST_ROUNDS = 50  # within a sample
_REPEATS_OF_LONG_CASES = 2
_WARM_UP_SECONDS = 1.0  # a round longer than this needs none


class Progress(Protocol):
    """Who is told how far the runner is, in seconds of its own estimate."""

    def calibrating(self, key_length: int) -> None:
        """Keys of this length are being made and small rounds timed."""

    def started(self, case: Case) -> None:
        """A case begins."""

    def advanced(self, seconds: float) -> None:
        """Work that was estimated to take so long is done."""


@dataclass
class _Planned:
    """One backend of a case: how many values it encrypts, and how often in a sample."""

    side: Side
    vectors: npt.NDArray[np.float64]
    estimate: float
    rounds: int
    samples: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in PHASES})
    memory: int | None = None
    last: Round | None = None

    @property
    def measured_values(self) -> int:
        return int(self.vectors.shape[1])

    @property
    def warms_up(self) -> bool:
        return self.estimate < _WARM_UP_SECONDS


class Runner:
    """Measures a matrix.

    Parameters
    ----------
    matrix : Matrix
        Checked here.

    Attributes
    ----------
    results : Results
        What was measured so far: complete unless `run` was interrupted.

    Raises
    ------
    TypeError, ValueError, EngineUnavailableError
        If the matrix cannot be measured here.
    """

    def __init__(self, matrix: Matrix) -> None:
        matrix.check()
        self.matrix = matrix
        self.results = Results()
        self._sides: dict[tuple[str, int, int], Side] = {}
        self._costs: dict[Side, Costs] = {}
        with use_engine(matrix.engine):
            self._workers = effective_jobs(matrix.jobs)
            self._engine_workers = active_engine().tuning.workers
            self.results = replace(self.results, warnings=tuple(self._warnings()))

    @cached_property
    def _names(self) -> list[str]:
        """Backends to run: the naive loop wherever it can, since the others are held against it."""
        naive = ["naive"] if naive_module() is not None else []
        return naive + [name for name in self.matrix.backends if name != "naive"]

    def _warnings(self) -> Iterator[str]:
        used = {engine_for(1 << (length - 1)).name for length in self.matrix.key_lengths}
        for engine in sorted(used):
            if (warning := engine_warning(self.matrix.engine, engine)) is not None:
                yield warning
        if naive_module() is None:
            yield "no speed-up is known, and nothing naive was run: phe is not installed (pip install phe)"
        short = [str(length) for length in self.matrix.key_lengths if length < 2048]
        if short:
            yield f"keys of {', '.join(short)} bits are insecure: they are here for their times only"

    def calibrate(self, progress: Progress) -> float:
        """Make the keys and calibrate; seconds that `run` will take, good to about a factor of two."""
        with use_engine(self.matrix.engine):
            for case in self.matrix.cases:
                for name in self._names:
                    if self._side_key(name, case) not in self._sides:
                        progress.calibrating(case.key_length)
                        self._sides[self._side_key(name, case)] = self._made_side(name, case)
        return sum(self._seconds(case) for case in self.matrix.cases)

    @staticmethod
    def _side_key(name: str, case: Case) -> tuple[str, int, int]:
        return name, case.key_length, case.clients if name == "packed" else 0

    def _made_side(self, name: str, case: Case) -> Side:
        side = Side(name, case.key_length, case.clients, self.matrix.jobs)
        side.prepare(_PREPARED_ROUNDS * max(self.matrix.clients), max(self.matrix.values))
        self._costs[side] = side_costs(side)
        return side

    def _plan_of(self, side: Side, case: Case) -> Plan:
        cores = 1 if side.name == "naive" else self._workers
        return Plan(case.clients, case.values, case.key_length, cores, packed=side.name == "packed")

    def _estimate(self, side: Side, case: Case) -> float:
        """Seconds of a round."""
        return estimate(self._plan_of(side, case), self._costs[side]).round

    def _plan(self, case: Case) -> list[_Planned]:
        vectors = gradients(case.clients, case.values)
        planned = []
        for name in self._names:
            side = self._sides[self._side_key(name, case)]
            capped = name == "naive" and self._estimate(side, case) > self.matrix.naive_seconds
            measured = self._capped(case, side) if capped else case
            seconds = self._estimate(side, measured)
            rounds = min(math.ceil(_LEAST_SAMPLE_SECONDS / max(seconds, 1e-6)), _MOST_ROUNDS)
            planned.append(_Planned(side, vectors[: measured.clients, : measured.values], seconds, rounds))
        return planned

    def _capped(self, case: Case, side: Side) -> Case:
        """As many values as the cap has time for; where it has none for one value, fewer clients too."""
        cap = self.matrix.naive_seconds
        case = replace(case, values=max(int(case.values * cap / self._estimate(side, case)), 1))
        if (seconds := self._estimate(side, case)) > cap:
            case = replace(case, clients=max(int(case.clients * cap / seconds), LEAST_CLIENTS))
        return case

    def _repeats(self, planned: list[_Planned]) -> int:
        once = sum(plan.estimate * plan.rounds for plan in planned)
        if once > self.matrix.case_seconds:
            return _REPEATS_OF_LONG_CASES
        return min(max(int(self.matrix.case_seconds / max(once, 1e-9)), self.matrix.least_repeats), self.matrix.repeats)

    def _seconds(self, case: Case) -> float:
        planned = self._plan(case)
        warm_up = sum(plan.estimate for plan in planned if plan.warms_up)
        return warm_up + self._repeats(planned) * sum(plan.estimate * plan.rounds for plan in planned)

    def run(self, progress: Progress) -> Results:
        """Measure everything; after an interrupt, what was measured until then, with ``complete`` False.

        Raises
        ------
        BenchmarkError
            If a decrypted sum was wrong.
        """
        with use_engine(self.matrix.engine), self._keeping_what_it_has():
            for case in self.matrix.cases:
                progress.started(case)
                planned = self._plan(case)
                try:
                    self._measure(planned, progress)
                finally:
                    self._record(case, planned)
        return self.results

    @contextmanager
    def _keeping_what_it_has(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            self.results = replace(self.results, complete=False)

    def _measure(self, planned: list[_Planned], progress: Progress) -> None:
        for plan in planned:
            if plan.warms_up:
                self._remember_memory(plan)
                progress.advanced(plan.estimate)
        for number in range(self._repeats(planned)):
            for plan in planned:
                if number == 0 and not plan.warms_up:
                    self._take_sample(plan, self._remember_memory(plan))
                else:
                    self._take_sample(plan, *(plan.side.run(plan.vectors) for _ in range(plan.rounds)))
                progress.advanced(plan.estimate * plan.rounds)

    def _remember_memory(self, plan: _Planned) -> Round:
        with PeakMemory() as peak:
            plan.last = plan.side.run(plan.vectors)
        in_other_processes = self._workers > 1 and self._engine_workers == "processes"
        plan.memory = None if in_other_processes else peak.bytes
        return plan.last

    @staticmethod
    def _take_sample(plan: _Planned, *rounds: Round) -> None:
        plan.last = rounds[-1]
        for phase in PHASES:
            plan.samples[phase].append(sum(round_.seconds[phase] for round_ in rounds) / len(rounds))

    def _record(self, case: Case, planned: list[_Planned]) -> None:
        """Keep what all backends of a case have in common: after an interrupt fewer samples, or none."""
        common = min(len(plan.samples["round"]) for plan in planned)
        if not common:
            return
        records = [self._made_record(case, plan, common) for plan in planned]
        reference = records[0].samples["round"] if planned[0].side.name == "naive" else []
        for record in records:
            if record.backend in self.matrix.backends:
                self.results = self.results.with_record(replace(record, reference=reference))

    def _made_record(self, case: Case, plan: _Planned, repeats: int) -> Record:
        if plan.last is None:
            raise RuntimeError("a case without a round cannot be recorded")
        samples = _scaled(plan, case, repeats)
        is_whole = plan.vectors.shape == (case.clients, case.values)
        return Record(
            backend=plan.side.name,
            case=case,
            jobs=self._workers,
            measured_values=plan.measured_values,
            measured_clients=len(plan.vectors),
            samples=samples,
            reference=[],
            ciphertexts=plan.last.total.n_ciphertexts * case.values // plan.measured_values,
            bytes_per_value=plan.last.total.nbytes / plan.measured_values,
            setup=plan.side.setup,
            memory=plan.memory if is_whole else None,
            date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            environment=self._environment(plan.side),
        )

    @staticmethod
    def _environment(side: Side) -> Environment:
        if side.name == "naive":
            return replace(Environment.current("gmp"), engine="phe")
        return Environment.current(engine_for(side.public_key.n).name)


def _scaled(plan: _Planned, case: Case, repeats: int) -> dict[str, list[float]]:
    """Samples of the whole case: k clients encrypt k vectors, add k - 1 of them, and one is decrypted."""
    clients, values = plan.vectors.shape
    factors = {"encrypt": case.clients / clients, "add": (case.clients - 1) / (clients - 1), "decrypt": 1.0}
    taken = {phase: plan.samples[phase][:repeats] for phase in PHASES}
    samples = {phase: [factors[phase] * case.values / values * t for t in taken[phase]] for phase in factors}
    parts = [sum(times) for times in zip(*(taken[phase] for phase in factors), strict=True)]
    whole = [sum(times) for times in zip(*samples.values(), strict=True)]
    loop = factors["encrypt"] * case.values / values  # what a round takes beyond its phases goes with the clients
    rest = [loop * (t - part) for t, part in zip(taken["round"], parts, strict=True)]
    return {**samples, "round": [a + b for a, b in zip(whole, rest, strict=True)]}
