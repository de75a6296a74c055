"""Runs a matrix of cases: calibrates, estimates, then measures all backends of a case in turn, and case after case.

A case is visited for a sample or two, then the one that has the fewest, so that its samples are not all of the same
seconds of a machine in use, and all have about as many when the time is over. A noisy one gets twice as many.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from time import perf_counter, process_time

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import engine_for
from vecphe.bench.environment import Environment, engine_warning, with_peak_memory
from vecphe.bench.estimate import Costs, Plan, estimate, side_costs
from vecphe.bench.matrix import LEAST_CLIENTS, USUAL_REPEATS, Matrix
from vecphe.bench.peers import UnfitError, distribution, is_loop
from vecphe.bench.records import BACKENDS, PHASES, TIMED_PHASES, Case, Record, Results
from vecphe.bench.sides import Round, Side
from vecphe.bench.workloads import gradients, naive_module
from vecphe.system.parallel import effective_jobs
from vecphe.system.plurals import counted

__all__ = ["Progress", "Runner"]

_PREPARED_ROUNDS = 50  # tables are those of a training run of so many rounds
_LEAST_SAMPLE_SECONDS = 0.02  # shorter rounds are repeated within a sample
_MOST_ROUNDS = 50  # within a sample
_WARM_UP_SECONDS = 0.2  # a round longer than this needs none
_LONG_SECONDS = 1.0  # of a sample of all backends: two of them in a row would be too much

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

    `results` is what was measured so far: complete unless `run` was interrupted, or the budget did not suffice.

    Parameters
    ----------
    matrix : Matrix
    before : Results, optional
        Go on with these; ValueError if they are of another plan, machine, engine or version.
    clock : callable
        Seconds, from which the budget is spent.
    """

    def __init__(
        self, matrix: Matrix, before: Results | None = None, clock: Callable[[], float] = perf_counter
    ) -> None:
        matrix.check()
        self.matrix, self._clock = matrix, clock
        self._end = math.inf if matrix.budget is None else clock() + matrix.budget
        self._seconds_of: dict[Case, float] = {}  # of the last visit
        self.interrupted = False
        self._side = cache(self._made_side)
        self._workers = effective_jobs(matrix.jobs)
        self._engines = {length: engine_for(1 << (length - 1), matrix.engine) for length in matrix.key_lengths}
        # The naive loop runs wherever it can, since the others are held against it.
        naive = ["naive"] if naive_module() is not None else []
        self._names = naive + [name for name in matrix.rows if name != "naive"]
        self.results = Results(complete=False, warnings=tuple(self._warnings()), plan=matrix.plan())
        if before is not None:
            _check_same_plan(before.plan, self.results.plan)
            self.results = replace(self.results, records=before.records)

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
        seconds, started, cpu = 0.0, self._clock(), process_time()
        for case in self.matrix.cases:
            progress(f"making keys of {case.key_length} bits and timing small rounds", 0.0)
            seconds += self._seconds(self._plan(case), self.matrix.repeats - self._taken(case))
        busy = (self._clock() - started) / max(process_time() - cpu, 1e-3)  # by how much others slow this process down
        left = max(self._end - self._clock(), 0.0)
        self._end -= min(self.matrix.afterwards * max(busy, 1.0), left / 2)
        return min(seconds, max(self._end - self._clock(), 0.0))

    def _made_side(self, name: str, key_length: int, clients: int) -> tuple[Side, Costs] | None:
        """A side and what it costs; None of a library that does not take such keys, which is told."""
        started = self._clock()
        try:
            side = Side(name, key_length, clients, self.matrix.jobs, self.matrix.engine)
        except UnfitError as error:
            warning = f"{error}: it has no row at {key_length}"
            self.results = replace(self.results, warnings=(*self.results.warnings, warning))
            return None
        if name not in BACKENDS:  # minutes with safe primes, and what was asked for; not of the budget
            self._end += self._clock() - started
        side.prepare(_PREPARED_ROUNDS * max(self.matrix.clients), max(self.matrix.values))
        return side, side_costs(side)

    def _estimate(self, name: str, costs: Costs, case: Case) -> float:
        """Seconds of a round."""
        cores = self._workers if name in BACKENDS[1:] else 1
        plan = Plan(case.clients, case.values, case.key_length, cores, packed=name == "packed")
        return estimate(plan, costs).round

    def _plan(self, case: Case) -> list[_Planned]:
        vectors = gradients(case.clients, case.values)
        planned = []
        for name in self._names:
            # The number of clients changes a packed key alone: it leaves room for so many terms.
            made = self._side(name, case.key_length, case.clients if name == "packed" else LEAST_CLIENTS)
            if made is None:
                continue
            side, costs = made
            measured = self._capped(name, case, costs) if name == "naive" or name not in BACKENDS else case
            seconds = self._estimate(name, costs, replace(measured, values=-(-measured.values // side.slots)))
            rounds = min(math.ceil(_LEAST_SAMPLE_SECONDS / max(seconds, 1e-6)), _MOST_ROUNDS)
            planned.append(_Planned(side, vectors[: measured.clients, : measured.values], seconds, rounds))
        return planned

    def _capped(self, name: str, case: Case, costs: Costs) -> Case:
        """As many values as the cap has time for; where it has none for one value, fewer clients too."""
        cap = self.matrix.naive_seconds
        if not is_loop(name) or (seconds := self._estimate(name, costs, case)) <= cap:
            return case
        case = replace(case, values=max(int(case.values * cap / seconds), 1))
        if (seconds := self._estimate(name, costs, case)) > cap:
            case = replace(case, clients=max(int(case.clients * cap / seconds), LEAST_CLIENTS))
        return case

    def _seconds(self, planned: list[_Planned], wanted: int) -> float:
        warm_up = sum(plan.estimate for plan in planned if plan.warms_up)
        return warm_up + max(wanted, 0) * sum(plan.sample_seconds for plan in planned)

    # Measuring

    def run(self, progress: Progress, keep: Callable[[Results], None] = lambda _: None) -> Results:
        """Measure everything; after an interrupt, what was measured until then, and `interrupted` is set.

        Parameters
        ----------
        progress : callable
        keep : callable
            Told the results each time that a case has new samples.

        Raises
        ------
        BenchmarkError
            If a decrypted sum was wrong.
        """
        try:
            while (case := self._next()) is not None:
                self._visit(case, progress)
                keep(self.results)
            self.results = self._ended()
        except KeyboardInterrupt:
            self.interrupted = True
        return self.results

    def _next(self) -> Case | None:
        """The case with the fewest samples that is to have more, and for which there is time; noisy ones count half."""
        wanted, left = self.matrix.repeats, self._end - self._clock()
        found = {case: self._counted(case) for case in self.matrix.cases}
        open_ = [case for case, count in found.items() if count < wanted and self._seconds_of.get(case, 0.0) < left]
        return min(open_, key=found.__getitem__, default=None)

    def _counted(self, case: Case) -> float:
        """Samples that a case has, or half of them if one of its rows is noisy."""
        noisy = any(record.noisy for record in self.results.records if record.case == case)
        return self._taken(case) / (2 if noisy else 1)

    def _taken(self, case: Case) -> int:
        found = [record for name in self.matrix.rows if (record := self.results.find(name, case)) is not None]
        return min((record.n_samples for record in found), default=0)

    def _ended(self) -> Results:
        """What there is when the time is over or everything is measured."""
        taken = [self._taken(case) for case in self.matrix.cases]
        warnings = self.results.warnings
        if not min(taken):
            warnings += (f"the budget did not suffice: {taken.count(0)} of {len(taken)} cases were not measured",)
        elif min(taken) < (usual := min(self.matrix.repeats, USUAL_REPEATS)) and self.matrix.budget is not None:
            few = "" if min(taken) == max(taken) else f"{min(taken)} to "
            warnings += (f"time was cut: {few}{counted(max(taken), 'sample')} a case instead of {usual}",)
        return replace(self.results, complete=min(taken) > 0, warnings=warnings)

    def _visit(self, case: Case, progress: Progress) -> None:
        planned, first, started = self._plan(case), self._taken(case) == 0, self._clock()
        try:
            self._measure(planned, str(case), first, progress)
        finally:
            self._record(case, planned)
        self._seconds_of[case] = self._clock() - started

    def _measure(self, planned: list[_Planned], text: str, first: bool, progress: Progress) -> None:
        """Take a sample of all in turn, or two if they are short and there is time."""
        progress(text, 0.0)
        for plan in planned:
            if plan.warms_up and (first or plan.side.name in BACKENDS[1:]):
                plan.run_for_memory()
                progress(text, plan.estimate if first else 0.0)
        is_long = sum(plan.sample_seconds for plan in planned) > _LONG_SECONDS
        # Within a budget every case has its first sample before any has a second.
        for number in range(1 if is_long or (first and self.matrix.budget is not None) else 2):
            for plan in planned:
                plan.take_sample(first=first and number == 0)
                progress(text, plan.sample_seconds)

    def _record(self, case: Case, planned: list[_Planned]) -> None:
        """Keep what all backends of a case have in common: after an interrupt fewer samples, or none."""
        common = min(len(plan.samples["round"]) for plan in planned)
        if not common:
            return
        records = [self._made_record(case, plan, common) for plan in planned]
        if (naive := records[0]).backend == "naive":
            loop, scaled = naive.samples["round"], naive.extrapolated
            records = [replace(record, reference=loop, reference_extrapolated=scaled) for record in records]
        self.results = self.results.with_more([record for record in records if record.backend in self.matrix.rows])

    def _made_record(self, case: Case, plan: _Planned, repeats: int) -> Record:
        if plan.last is None:
            raise RuntimeError("a case without a round cannot be recorded")
        engine, name = self._engines[case.key_length], plan.side.name
        measured_clients, measured_values = plan.vectors.shape
        is_whole = plan.vectors.shape == (case.clients, case.values)
        in_other_processes = self._workers > 1 and engine.tuning.workers == "processes"
        return Record(
            backend=name,
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
            environment=_environment(name, engine.name),
        )


def _check_same_plan(before: dict[str, str], now: dict[str, str]) -> None:
    """Raise ValueError, naming what differs, unless both are the same."""
    if not before:
        raise ValueError("--resume: the file does not say what was to be measured: it was saved by an older vecphe")
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if names:
        told = "; ".join(f"{name} {before.get(name, 'none')} before, {now.get(name, 'none')} now" for name in names)
        raise ValueError(f"--resume goes on only with the same plan, machine, engine and versions: {told}")


def _environment(name: str, engine: str) -> Environment:
    """Of a row: the loop and other libraries have no engine of vecphe."""
    if name in BACKENDS[1:]:
        return Environment.current(engine)
    here = Environment.current("gmp")
    package, version = distribution("phe" if name == "naive" else name)
    return replace(here, engine=package, target=version, versions={**here.versions, package: version})


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
