"""Runs a matrix of cases: calibrates, estimates, then measures all backends of a case in turn."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import engine_for
from vecphe.bench.environment import Environment, engine_warning, with_peak_memory
from vecphe.bench.estimate import Costs, Plan, estimate, side_costs
from vecphe.bench.matrix import LEAST_CLIENTS, Matrix
from vecphe.bench.records import PHASES, TIMED_PHASES, Case, Record, Results
from vecphe.bench.sides import Round, Side
from vecphe.bench.workloads import gradients, naive_module
from vecphe.system.parallel import effective_jobs

__all__ = ["Progress", "Runner"]

_PREPARED_ROUNDS = 50  # tables are those of a training run of so many rounds
_LEAST_SAMPLE_SECONDS = 0.02  # shorter rounds are repeated within a sample
_MOST_ROUNDS = 50  # within a sample
_REPEATS_OF_LONG_CASES = 2
_WARM_UP_SECONDS = 1.0  # a round longer than this needs none

Progress = Callable[[str, float], None]  # told what is going on, and how many seconds of the estimate are done with it


@dataclass
class _Planned:
    """One backend of a case: what it encrypts, how long that takes a round, and how many rounds a sample has."""

    side: Side
    vectors: npt.NDArray[np.float64]
    estimate: float
    rounds: int
    samples: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in PHASES})
    memory: int | None = None
    last: Round | None = None

    @property
    def warms_up(self) -> bool:
        return self.estimate < _WARM_UP_SECONDS

    @property
    def sample_seconds(self) -> float:
        return self.estimate * self.rounds

    def run(self) -> Round:
        self.last = self.side.run(self.vectors)
        return self.last

    def run_for_memory(self) -> Round:
        round_, self.memory = with_peak_memory(self.run)
        return round_

    def take_sample(self, first: bool) -> None:
        """Average some rounds; the first one tells the memory if no other came before."""
        rounds = [self.run_for_memory()] if first and not self.warms_up else [self.run() for _ in range(self.rounds)]
        for phase in PHASES:
            self.samples[phase].append(sum(round_.seconds[phase] for round_ in rounds) / len(rounds))


class Runner:
    """Measures a matrix; TypeError, ValueError or EngineUnavailableError if that cannot be done here.

    `results` is what was measured so far: complete unless `run` was interrupted.
    """

    def __init__(self, matrix: Matrix) -> None:
        matrix.check()
        self.matrix = matrix
        self._side = cache(self._made_side)
        self._workers = effective_jobs(matrix.jobs)
        self._engines = {length: engine_for(1 << (length - 1), matrix.engine) for length in matrix.key_lengths}
        # The naive loop runs wherever it can, since the others are held against it.
        naive = ["naive"] if naive_module() is not None else []
        self._names = naive + [name for name in matrix.backends if name != "naive"]
        self.results = Results(warnings=tuple(self._warnings()))

    def _warnings(self) -> Iterator[str]:
        for engine in sorted({engine.name for engine in self._engines.values()}):
            if (warning := engine_warning(self.matrix.engine, engine)) is not None:
                yield warning
        if "naive" not in self._names:
            yield "no speed-up is known, and nothing naive was run: phe is not installed (pip install phe)"
        short = [str(length) for length in self.matrix.key_lengths if length < 2048]
        if short:
            yield f"keys of {', '.join(short)} bits are insecure: they are here for their times only"

    def calibrate(self, progress: Progress) -> float:
        """Make the keys and calibrate; seconds that `run` will take, good to about a factor of two."""
        seconds = 0.0
        for case in self.matrix.cases:
            progress(f"making keys of {case.key_length} bits and timing small rounds", 0.0)
            seconds += self._seconds(self._plan(case))
        return seconds

    def _made_side(self, name: str, key_length: int, clients: int) -> tuple[Side, Costs]:
        side = Side(name, key_length, clients, self.matrix.jobs, self.matrix.engine)
        side.prepare(_PREPARED_ROUNDS * max(self.matrix.clients), max(self.matrix.values))
        return side, side_costs(side)

    def _estimate(self, name: str, costs: Costs, case: Case) -> float:
        """Seconds of a round."""
        cores = 1 if name == "naive" else self._workers
        plan = Plan(case.clients, case.values, case.key_length, cores, packed=name == "packed")
        return estimate(plan, costs).round

    def _plan(self, case: Case) -> list[_Planned]:
        vectors = gradients(case.clients, case.values)
        planned = []
        for name in self._names:
            # The number of clients changes a packed key alone: it leaves room for so many terms.
            clients = case.clients if name == "packed" else LEAST_CLIENTS
            side, costs = self._side(name, case.key_length, clients)
            measured = self._capped(case, costs) if name == "naive" else case
            seconds = self._estimate(name, costs, measured)
            rounds = min(math.ceil(_LEAST_SAMPLE_SECONDS / max(seconds, 1e-6)), _MOST_ROUNDS)
            planned.append(_Planned(side, vectors[: measured.clients, : measured.values], seconds, rounds))
        return planned

    def _capped(self, case: Case, costs: Costs) -> Case:
        """As many values as the cap has time for; where it has none for one value, fewer clients too."""
        cap = self.matrix.naive_seconds
        if (seconds := self._estimate("naive", costs, case)) > cap:
            case = replace(case, values=max(int(case.values * cap / seconds), 1))
            if (seconds := self._estimate("naive", costs, case)) > cap:
                case = replace(case, clients=max(int(case.clients * cap / seconds), LEAST_CLIENTS))
        return case

    def _repeats(self, planned: list[_Planned]) -> int:
        once = sum(plan.sample_seconds for plan in planned)
        if once > self.matrix.case_seconds:
            return _REPEATS_OF_LONG_CASES
        return min(max(int(self.matrix.case_seconds / max(once, 1e-9)), self.matrix.least_repeats), self.matrix.repeats)

    def _seconds(self, planned: list[_Planned]) -> float:
        warm_up = sum(plan.estimate for plan in planned if plan.warms_up)
        return warm_up + self._repeats(planned) * sum(plan.sample_seconds for plan in planned)

    def run(self, progress: Progress) -> Results:
        """Measure everything; after an interrupt, what was measured until then, with ``complete`` False.

        Raises
        ------
        BenchmarkError
            If a decrypted sum was wrong.
        """
        try:
            for case in self.matrix.cases:
                planned = self._plan(case)
                try:
                    self._measure(planned, str(case), progress)
                finally:
                    self._record(case, planned)
        except KeyboardInterrupt:
            self.results = replace(self.results, complete=False)
        return self.results

    def _measure(self, planned: list[_Planned], text: str, progress: Progress) -> None:
        progress(text, 0.0)
        for plan in planned:
            if plan.warms_up:
                plan.run_for_memory()
                progress(text, plan.estimate)
        for number in range(self._repeats(planned)):
            for plan in planned:
                plan.take_sample(first=number == 0)
                progress(text, plan.sample_seconds)

    def _record(self, case: Case, planned: list[_Planned]) -> None:
        """Keep what all backends of a case have in common: after an interrupt fewer samples, or none."""
        common = min(len(plan.samples["round"]) for plan in planned)
        if not common:
            return
        records = [self._made_record(case, plan, common) for plan in planned]
        reference = records[0].samples["round"] if records[0].backend == "naive" else []
        wanted = [replace(r, reference=reference) for r in records if r.backend in self.matrix.backends]
        self.results = replace(self.results, records=(*self.results.records, *wanted))

    def _made_record(self, case: Case, plan: _Planned, repeats: int) -> Record:
        if plan.last is None:
            raise RuntimeError("a case without a round cannot be recorded")
        engine, is_naive = self._engines[case.key_length], plan.side.name == "naive"
        measured_clients, measured_values = plan.vectors.shape
        is_whole = plan.vectors.shape == (case.clients, case.values)
        in_other_processes = self._workers > 1 and engine.tuning.workers == "processes"
        environment = Environment.current("gmp" if is_naive else engine.name)
        return Record(
            backend=plan.side.name,
            case=case,
            jobs=self._workers,
            measured_values=measured_values,
            measured_clients=measured_clients,
            samples=_scaled(plan, case, repeats),
            reference=[],
            ciphertexts=plan.last.total.n_ciphertexts * case.values // measured_values,
            bytes_per_value=plan.last.total.nbytes / measured_values,
            setup=plan.side.setup,
            memory=plan.memory if is_whole and not in_other_processes else None,
            date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            environment=replace(environment, engine="phe") if is_naive else environment,
        )


def _scaled(plan: _Planned, case: Case, repeats: int) -> dict[str, list[float]]:
    """Samples of the whole case: k clients encrypt k vectors, add k - 1 of them, and one is decrypted."""
    clients, values = plan.vectors.shape
    factors = {"encrypt": case.clients / clients, "add": (case.clients - 1) / (clients - 1), "decrypt": 1.0}
    taken = {phase: np.array(plan.samples[phase][:repeats]) for phase in PHASES}
    samples = {phase: factor * case.values / values * taken[phase] for phase, factor in factors.items()}
    # What a round takes beyond its phases goes with the clients.
    rest = taken["round"] - sum(taken[phase] for phase in TIMED_PHASES)
    samples["round"] = sum(samples.values()) + case.clients / clients * case.values / values * rest
    return {phase: seconds.tolist() for phase, seconds in samples.items()}
