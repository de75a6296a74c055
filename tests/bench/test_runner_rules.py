"""The rules of a run, one at a time, on sides that compute nothing and a clock that nothing else moves."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vecphe.arithmetic import active_engine
from vecphe.bench import runner as runner_module
from vecphe.bench.environment import Environment
from vecphe.bench.estimate import Costs
from vecphe.bench.matrix import Matrix
from vecphe.bench.peers import UnfitError
from vecphe.bench.records import PHASES, Case, Results
from vecphe.bench.runner import Runner, _Planned
from vecphe.bench.sides import Round

CASE = Case(512, 3, 4)
NO_COSTS = Costs("gmp")


def silent(text: str, seconds: float) -> None:
    pass


class FakeSide:
    """It keeps which of its rounds were run for their memory."""

    def __init__(self, name: str, seconds: float = 0.5, slots: int = 1) -> None:
        self.name, self.seconds, self.slots, self.setup = name, seconds, slots, 0.25
        self.runs: list[str] = []

    def run(self, vectors: Any) -> Round:
        self.runs.append("run")
        values = vectors.shape[1]
        each = {**dict.fromkeys(PHASES, self.seconds / 3), "round": self.seconds}
        return Round(each, SimpleNamespace(n_ciphertexts=2 * values, nbytes=100 * values))

    def prepare(self, n_vectors: int, length: int) -> None:
        self.runs.append(f"prepare {n_vectors} of {length}")


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of which the memory is told say so: 1000 bytes the first, one more each later one."""
    told: list[int] = []

    def with_peak_memory(work: Any) -> tuple[Any, int]:
        result = work()
        result.total.told = True
        told.append(1)
        return result, 999 + len(told)

    monkeypatch.setattr(runner_module, "with_peak_memory", with_peak_memory)


def made(**changes: Any) -> Runner:
    options = {"key_lengths": (512,), "clients": (3,), "values": (4,), "repeats": 2, **changes}
    return Runner(Matrix(**options))


def planned(name: str = "packed", estimate: float = 0.5, rounds: int = 1, shape: Any = (3, 4)) -> _Planned:
    side: Any = FakeSide(name)
    return _Planned(side, np.ones(shape), estimate, rounds)


# Before anything runs


def test_a_matrix_that_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="--clients must be from 3"):
        made(clients=(2,))


def test_nothing_is_measured_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "engine_warning", lambda asked, used: None)
    runner = made()
    assert not runner.interrupted
    assert runner.results == Results(
        (), False, ("keys of 512 bits are insecure: they are here for their times only",), runner.matrix.plan()
    )
    assert made(key_lengths=(2048, 3072)).results.warnings == ()
    some = made(key_lengths=(1024, 2046, 2048)).results.warnings
    assert some == ("keys of 1024, 2046 bits are insecure: they are here for their times only",)


def test_every_engine_that_runs_is_warned_of_by_name_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def engine_for(limit: int, name: str | None) -> Any:
        asked.append((limit, name))
        return SimpleNamespace(name="edcba"[len(asked) % 5] if len(asked) < 8 else "fine")

    monkeypatch.setattr(runner_module, "engine_for", engine_for)
    monkeypatch.setattr(runner_module, "engine_warning", lambda a, b: None if b == "fine" else f"{a} {b}")
    lengths = (2048, 2050, 2052, 2054, 2056, 2058, 2060, 2062)
    assert made(key_lengths=lengths, engine="gmp").results.warnings == tuple(f"gmp {name}" for name in "abcde")
    assert asked == [(2 ** (length - 1), "gmp") for length in lengths]


def test_without_phe_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(backends=("packed",))._names == ["naive", "packed"]
    monkeypatch.setattr(runner_module, "naive_module", lambda: None)
    runner = made(backends=("packed", "naive"), key_lengths=(2048,))
    assert runner._names == ["packed"]
    text = "no speed-up is known, and nothing naive was run: phe is not installed (pip install phe)"
    assert text in runner.results.warnings


# Estimates


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("budget", "afterwards", "took", "cpu", "end", "left"),
    [
        (None, 5.0, 4.0, 2.0, math.inf, 60.0),
        (90.0, 0.0, 4.0, 2.0, 190.0, 60.0),
        (90.0, 5.0, 4.0, 2.0, 180.0, 60.0),  # busy: half of the time went to others
        (90.0, 5.0, 4.0, 8.0, 185.0, 60.0),  # not busy, but with several threads
        (90.0, 5.0, 4.0, 0.0, 147.0, 43.0),  # half of what is left at most
        (64.0, 20.0, 4.0, 2.0, 134.0, 30.0),
        (3.0, 5.0, 4.0, 4.0, 103.0, 0.0),  # nothing is left
    ],
)
def test_time_is_kept_for_what_comes_afterwards(
    monkeypatch: pytest.MonkeyPatch, budget: float, afterwards: float, took: float, cpu: float, end: float, left: float
) -> None:
    clock, used = Clock(), iter([7.0, 7.0 + cpu])
    monkeypatch.setattr(runner_module, "process_time", lambda: next(used))
    matrix = Matrix(key_lengths=(512,), clients=(3,), values=(4,), repeats=2, budget=budget, afterwards=afterwards)
    runner = Runner(matrix, clock=clock)

    def plan(case: Case) -> Any:
        clock.now += took
        return [planned(estimate=30.0)]

    monkeypatch.setattr(runner, "_plan", plan)
    told: list[Any] = []
    assert runner.calibrate(lambda *each: told.append(each)) == left
    assert runner._end == end
    assert told == [("making keys of 512 bits and timing small rounds", 0.0)]


def test_what_was_taken_before_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for repeats, seconds in ((5, 90.0), (2, 0.0), (1, 0.0)):
        runner = made(repeats=repeats)
        monkeypatch.setattr(runner, "_plan", lambda case: [planned(estimate=30.0)])
        monkeypatch.setattr(runner, "_taken", lambda case: 2)
        assert runner.calibrate(silent) == seconds
    warm = [planned(estimate=0.125, rounds=4), planned(estimate=0.25, rounds=2)]
    assert runner._seconds(warm, 3) == 0.125 + 3 * (0.5 + 0.5)
    assert runner._seconds(warm, -1) == 0.125


@pytest.mark.parametrize(("name", "kept"), [("packed", 0.0), ("naive", 0.0), ("tenseal", 50.0)])
def test_the_keys_of_other_libraries_alone_are_not_of_the_budget(
    monkeypatch: pytest.MonkeyPatch, name: str, kept: float
) -> None:
    clock, sides = Clock(), list[Any]()

    def make(*arguments: Any) -> FakeSide:
        clock.now += 50.0
        sides.append(arguments)
        return FakeSide(name)

    monkeypatch.setattr(runner_module, "Side", make)
    monkeypatch.setattr(runner_module, "side_costs", lambda side: NO_COSTS)
    matrix = Matrix(key_lengths=(512,), clients=(3, 5), values=(4, 7), budget=10.0, jobs=2, engine="gmp")
    runner = Runner(matrix, clock=clock)
    made_side: Any = runner._side(name, 512, 3)
    assert runner._end == 110.0 + kept
    assert (made_side[0].runs, made_side[1]) == (["prepare 250 of 7"], NO_COSTS)
    assert sides == [(name, 512, 3, 2, "gmp")]


def test_a_library_that_takes_no_such_keys_stops_none_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(name: str, *_: Any) -> FakeSide:
        if name == "pypaillier":
            raise UnfitError("pypaillier takes keys of 2048 bits and more")
        return FakeSide(name)

    monkeypatch.setattr(runner_module, "Side", make)
    monkeypatch.setattr(runner_module, "side_costs", lambda side: NO_COSTS)
    runner = made()
    before = runner.results.warnings
    runner._names = ["packed", "pypaillier", "tenseal"]
    assert [plan.side.name for plan in runner._plan(CASE)] == ["packed", "tenseal"]
    text = "pypaillier takes keys of 2048 bits and more: it has no row at 512"
    assert runner.results.warnings == (*before, text)


@pytest.mark.parametrize(
    ("name", "cores"), [("naive", 1), ("vectorized", 3), ("packed", 3), ("lightphe", 1), ("tenseal", 1)]
)
def test_workers_are_of_this_library_alone(monkeypatch: pytest.MonkeyPatch, name: str, cores: int) -> None:
    plans: list[Any] = []

    def estimate(plan: Any, costs: Costs) -> Any:
        plans.append(plan)
        return SimpleNamespace(round=7.0)

    monkeypatch.setattr(runner_module, "estimate", estimate)
    runner = made(jobs=3)
    assert runner._estimate(name, NO_COSTS, CASE) == 7.0
    (plan,) = plans
    facts = (plan.clients, plan.values, plan.key_length, plan.cores, plan.packed)
    assert facts == (3, 4, 512, cores, name == "packed")


@pytest.mark.parametrize(
    ("name", "clients", "values", "cap", "expected"),
    [
        ("naive", 10, 100, 1000.0, (10, 100)),
        ("naive", 10, 100, 999.0, (10, 99)),
        ("naive", 10, 100, 25.0, (10, 2)),
        ("naive", 10, 100, 10.0, (10, 1)),
        ("naive", 10, 100, 9.5, (9, 1)),
        ("naive", 10, 100, 0.5, (3, 1)),
        ("lightphe", 10, 100, 25.0, (10, 2)),
        ("tenseal", 10, 100, 0.5, (10, 100)),
        ("packed", 10, 100, 0.5, (10, 100)),
    ],
)
def test_what_the_cap_leaves(
    monkeypatch: pytest.MonkeyPatch, name: str, clients: int, values: int, cap: float, expected: tuple[int, int]
) -> None:
    """Of sides that take a second a value and client."""
    runner = made(naive_seconds=cap)
    monkeypatch.setattr(runner, "_estimate", lambda name, costs, case: float(case.clients * case.values))
    monkeypatch.setattr(runner, "_side", lambda *_: (FakeSide(name), NO_COSTS))
    runner._names = [name]
    (plan,) = runner._plan(Case(512, clients, values))
    assert plan.vectors.shape == expected
    assert plan.estimate == math.prod(expected)
    assert plan.rounds == 1


@pytest.mark.parametrize(
    ("seconds", "rounds"),
    [(0.0, 50), (1e-7, 50), (3.9e-4, 50), (4.1e-4, 49), (0.0101, 2), (0.0199, 2), (0.02, 1), (5.0, 1)],
)
def test_rounds_of_a_sample(monkeypatch: pytest.MonkeyPatch, seconds: float, rounds: int) -> None:
    runner, asked = made(), list[Case]()
    monkeypatch.setattr(runner, "_estimate", lambda name, costs, case: asked.append(case) or seconds)
    monkeypatch.setattr(runner, "_side", lambda *_: (FakeSide("packed", slots=3), NO_COSTS))
    runner._names = ["packed"]
    (plan,) = runner._plan(CASE)
    assert plan.rounds == rounds
    assert asked == [replace(CASE, values=2)]  # of three values a ciphertext


# Which case comes next


@pytest.mark.parametrize(
    ("counts", "seconds", "left", "chosen"),
    [
        ((0, 0, 0), {}, 5.0, 0),
        ((2, 1, 1), {}, 5.0, 1),
        ((2, 2, 1.5), {}, 5.0, 2),
        ((2, 4, 3), {0: 5.0}, 5.0, 2),  # for which there is no time
        ((2, 4, 3), {0: 4.9}, 5.0, 0),
        ((2, 4, 3), {0: 9.0, 2: 9.0}, 5.0, None),
        ((4, 4, 4), {}, 5.0, None),
        ((3.5, 4, 4), {}, 5.0, 0),
        ((0, 0, 0), {}, 0.5, 0),
        ((0, 0, 0), {}, 0.0, None),
    ],
)
def test_the_case_with_the_fewest_samples_comes_next(
    monkeypatch: pytest.MonkeyPatch, counts: Any, seconds: Any, left: float, chosen: int | None
) -> None:
    clock = Clock()
    matrix = Matrix(key_lengths=(512,), clients=(3,), values=(4, 5, 6), repeats=4, budget=left)
    runner = Runner(matrix, clock=clock)
    cases = matrix.cases
    runner._seconds_of = {cases[i]: took for i, took in seconds.items()}
    monkeypatch.setattr(runner, "_counted", lambda case: counts[cases.index(case)])
    assert runner._next() == (None if chosen is None else cases[chosen])


def test_how_long_a_visit_took_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    runner = Runner(Matrix(key_lengths=(512,), clients=(3,), values=(4,), repeats=2), clock=clock)
    firsts: list[bool] = []

    def measure(plans: Any, text: str, first: bool, progress: Any) -> None:
        clock.now += 3.0
        firsts.append(first)
        for plan in plans:
            plan.take_sample(first)

    monkeypatch.setattr(runner, "_plan", lambda case: [planned("naive"), planned("vectorized"), planned("packed")])
    monkeypatch.setattr(runner, "_measure", measure)
    for _ in range(3):
        runner._visit(CASE, silent)
    assert runner._seconds_of == {CASE: 3.0}
    assert firsts == [True, False, False]
    assert runner._taken(CASE) == 3
    naive, vectorized, packed = runner.results.records
    runner.results = runner.results.with_more([naive, packed])  # an interrupt left one behind
    assert runner._taken(CASE) == 3
    runner.results = runner.results.with_more([vectorized])
    assert runner._taken(CASE) == 6


def taken(runner: Runner, *counts: int) -> Results:
    """As at the end, with so many samples of each case."""
    found = dict(zip(runner.matrix.cases, counts, strict=True))
    runner._taken = found.__getitem__  # type: ignore[method-assign,assignment]
    return runner._ended()


@pytest.mark.parametrize(
    ("repeats", "budget", "counts", "complete", "said"),
    [
        (10, 9.0, (0, 5), False, "the budget did not suffice: 1 of 2 cases were not measured"),
        (10, 9.0, (0, 0), False, "the budget did not suffice: 2 of 2 cases were not measured"),
        (10, 9.0, (1, 1), True, "time was cut: 1 sample a case instead of 10"),
        (10, 9.0, (1, 9), True, "time was cut: 1 to 9 samples a case instead of 10"),
        (10, 9.0, (9, 30), True, "time was cut: 9 to 30 samples a case instead of 10"),
        (10, 9.0, (10, 10), True, None),
        (10, None, (1, 9), True, None),
        (4, 9.0, (3, 3), True, "time was cut: 3 samples a case instead of 4"),
        (4, 9.0, (4, 4), True, None),
        (40, 9.0, (10, 12), True, None),
    ],
)
def test_what_the_time_did_not_suffice_for_is_told(
    repeats: int, budget: float | None, counts: Any, complete: bool, said: str | None
) -> None:
    runner = made(values=(4, 5), repeats=repeats, budget=budget)
    before = runner.results.warnings
    results = taken(runner, *counts)
    assert results.complete is complete
    assert results.warnings == (before if said is None else (*before, said))


# A visit


@pytest.mark.parametrize(
    ("estimate", "first", "budget", "warm", "samples"),
    [
        (0.1, True, None, ("naive", "packed", "vectorized", "tenseal"), 2),
        (0.1, False, None, ("packed", "vectorized"), 2),
        (0.2, True, None, (), 2),
        (0.2, False, None, (), 2),
        (0.1, True, 9.0, ("naive", "packed", "vectorized", "tenseal"), 1),
        (0.1, False, 9.0, ("packed", "vectorized"), 2),
        (0.3, True, None, (), 1),
        (0.3, False, None, (), 1),
    ],
)
def test_what_a_visit_runs(estimate: float, first: bool, budget: float | None, warm: Any, samples: int) -> None:
    """Of short rounds one more before; the first of long ones tells the memory."""
    runner, told = made(budget=budget), list[Any]()
    names = ("naive", "vectorized", "packed", "tenseal")
    plans = [planned(name, estimate, rounds=1) for name in names]
    runner._measure(plans, "a case", first, lambda *each: told.append(each))
    for plan in plans:
        assert len(plan.side.runs) == samples + (plan.side.name in warm)  # type: ignore[attr-defined]
        assert (plan.memory is not None) == (plan.side.name in warm or (first and estimate >= 0.2))
        assert {len(plan.samples[phase]) for phase in PHASES} == {samples}
    warmed = [("a case", estimate if first else 0.0)] * len(warm)
    assert told == [("a case", 0.0), *warmed, *[("a case", estimate)] * (4 * samples)]


@pytest.mark.parametrize(
    ("estimate", "first", "runs"), [(0.1, True, 5), (0.1, False, 5), (0.3, True, 1), (0.3, False, 5)]
)
def test_a_sample_is_the_mean_of_its_rounds(estimate: float, first: bool, runs: int) -> None:
    plan = planned(estimate=estimate, rounds=5)
    side: Any = plan.side
    side.run = lambda vectors: (
        FakeSide.run(side, vectors) and Round({phase: float(len(side.runs)) for phase in PHASES}, SimpleNamespace())
    )
    plan.take_sample(first)
    assert plan.samples == {phase: [sum(range(1, runs + 1)) / runs] for phase in PHASES}
    assert (plan.memory is not None) == (runs == 1)
    assert plan.run() is plan.last
    assert plan.run_for_memory() is plan.last


def test_the_memory_is_that_of_the_first_round_that_tells_it() -> None:
    runner = made()
    plans = [planned(name, 0.3) for name in ("naive", "packed")]
    runner._measure(plans[:1], "", True, silent)
    assert plans[0].memory == 1000
    short = planned("packed", 0.1)
    runner._measure([short], "", True, silent)
    assert short.memory == 1001


@pytest.mark.parametrize(
    ("workers", "of_engine", "shape", "memory"),
    [
        (1, "processes", (3, 4), 77),
        (2, "processes", (3, 4), None),  # which have memory of their own
        (3, "processes", (3, 4), None),
        (2, "threads", (3, 4), 77),
        (1, "threads", (3, 2), None),
        (1, "threads", (2, 4), None),
        (1, "processes", (2, 4), None),
    ],
)
def test_what_is_recorded(workers: int, of_engine: str, shape: tuple[int, int], memory: int | None) -> None:
    runner = made()
    runner._workers = workers
    engine: Any = SimpleNamespace(name=active_engine().name, tuning=SimpleNamespace(workers=of_engine))
    runner._engines = {512: engine}
    plan = planned("vectorized", 0.1, shape=shape)
    for _ in range(3):
        plan.take_sample(False)
    plan.memory = 77
    record = runner._made_record(CASE, plan, 2)
    assert (record.backend, record.case, record.jobs, record.setup) == ("vectorized", CASE, workers, 0.25)
    assert (record.measured_clients, record.measured_values, record.memory) == (*shape, memory)
    assert (record.ciphertexts, record.bytes_per_value) == (8, 100.0)
    assert record.n_samples == 2
    assert (record.reference, record.reference_extrapolated) == ([], False)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record.date)
    assert record.environment == Environment.current(active_engine().name)


def test_what_computes_a_row_is_named() -> None:
    engine = active_engine().name
    for name in ("vectorized", "packed"):
        assert runner_module._environment(name, engine) == Environment.current(engine)
    here = Environment.current("gmp")
    version = here.versions["phe"]
    assert runner_module._environment("naive", engine) == replace(here, engine="phe", target=version)


def test_another_library_is_named_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "distribution", lambda name: (f"package of {name}", "1.5"))
    found = runner_module._environment("tenseal", "gmp")
    assert (found.engine, found.target, found.versions["package of tenseal"]) == ("package of tenseal", "1.5", "1.5")
    assert found.versions.keys() > {"vecphe", "python", "numpy"}


def test_a_case_of_which_a_side_has_no_sample_is_not_recorded() -> None:
    runner, plans = made(), [planned("naive"), planned("packed")]
    plans[0].take_sample(False)
    runner._record(CASE, plans)
    assert runner.results.records == ()
    plans[1].take_sample(False)
    plans[1].take_sample(False)
    runner._record(CASE, plans)
    assert [(r.backend, r.n_samples, len(r.reference)) for r in runner.results.records] == [
        ("naive", 1, 1),
        ("packed", 1, 1),
    ]


def test_what_a_row_is_held_against_is_scaled_with_it() -> None:
    runner = made(backends=("packed",))
    runner._record(CASE, [planned("naive", shape=(3, 2)), planned("packed")])
    assert runner.results.records == ()
    plans = [planned("naive", shape=(3, 2)), planned("packed")]
    for plan in plans:
        plan.take_sample(False)
    runner._record(CASE, plans)
    (record,) = runner.results.records
    assert (record.backend, record.reference_extrapolated) == ("packed", True)
    assert record.reference == pytest.approx([0.5 * 2])


@pytest.mark.parametrize(
    ("shape", "case", "factors", "of_rest"),
    [
        ((3, 2), Case(512, 9, 8), {"encrypt": 12, "add": 16, "decrypt": 4}, 12),
        ((3, 4), Case(512, 3, 4), {"encrypt": 1, "add": 1, "decrypt": 1}, 1),
        ((5, 4), Case(512, 10, 4), {"encrypt": 2, "add": 9 / 4, "decrypt": 1}, 2),
        ((3, 1), Case(512, 3, 7), {"encrypt": 7, "add": 7, "decrypt": 7}, 7),
    ],
)
def test_what_was_measured_of_a_part_is_scaled_to_the_whole(
    shape: tuple[int, int], case: Case, factors: dict[str, float], of_rest: float
) -> None:
    """A sample more than all sides have is left out; what a round takes beside its phases goes with the clients."""
    plan = planned("naive", shape=shape)
    plan.samples.update(encrypt=[1.0, 2.0, 9.0], add=[0.5, 0.25, 9.0], decrypt=[4.0, 8.0, 9.0], round=[8.0, 16.0, 99.0])
    scaled = runner_module._scaled(plan, case, 2)
    for phase, factor in factors.items():
        assert scaled[phase] == [factor * seconds for seconds in plan.samples[phase][:2]]
    rest = [8.0 - 5.5, 16.0 - 10.25]
    parts = [sum(scaled[phase][i] for phase in factors) for i in range(2)]
    assert scaled["round"] == [part + of_rest * more for part, more in zip(parts, rest, strict=True)]
