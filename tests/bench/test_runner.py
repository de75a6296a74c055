"""Measuring: what is kept after an interrupt, what is extrapolated, and what is never reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vecphe.arithmetic import active_engine, available_engines
from vecphe.bench import environment, sides
from vecphe.bench import estimate as estimating
from vecphe.bench import runner as runner_module
from vecphe.bench.environment import Environment, engine_warning, use_engine, with_peak_memory
from vecphe.bench.estimate import Plan, estimate, rough_seconds, side_costs
from vecphe.bench.matrix import Matrix
from vecphe.bench.records import PHASES, Case, Results
from vecphe.bench.runner import Runner
from vecphe.bench.sides import Side
from vecphe.errors import BenchmarkError, EngineUnavailableError

SMALL = {"key_lengths": (512,), "clients": (3,), "values": (4,), "repeats": 2}
NO_CALLS = {"encrypt_call": 0.0, "add_call": 0.0, "decrypt_call": 0.0}


class Silent:
    """Progress that nobody watches; it can do something after a number of steps."""

    def __init__(self, after: int = -1, action: Callable[[], None] = lambda: None) -> None:
        self.steps, self.seconds = 0, 0.0
        self.texts: list[str] = []
        self.after, self.action = after, action

    def __call__(self, text: str, seconds: float) -> None:
        self.texts.append(text)
        if not seconds:  # work begins
            return
        self.steps += 1
        self.seconds += seconds
        if self.steps == self.after:
            self.action()


def calibrated(**changes: Any) -> tuple[Runner, float]:
    runner = Runner(Matrix(**{**SMALL, **changes}))
    return runner, runner.calibrate(Silent())


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_matrix_gives_a_record_a_case_and_backend() -> None:
    runner, expected = calibrated(values=(4, 9))
    progress = Silent()
    results = runner.run(progress)
    assert results.complete
    assert [(r.backend, r.case.values) for r in results.records] == [
        (backend, values) for values in (4, 9) for backend in ("naive", "vectorized", "packed")
    ]
    assert progress.seconds > expected  # few samples are noisy: there are twice as many
    for record in results.records:
        assert {len(record.samples[phase]) for phase in PHASES} == {4}
        assert record.seconds("round") >= record.seconds("encrypt") > 0
        assert len(record.reference) == 4
    packed = results.find("packed", Case(512, 3, 9))
    naive = results.find("naive", Case(512, 3, 9))
    assert packed is not None
    assert naive is not None
    assert packed.reference == naive.samples["round"]
    assert (packed.ciphertexts, packed.bytes_per_value) == (2, 2 * 128 / 9)  # 8 slots of 58 bits in 511
    assert (naive.ciphertexts, naive.bytes_per_value, naive.environment.engine) == (9, 128, "phe")
    assert packed.environment.engine == active_engine().name


def test_sides_are_made_once_with_tables_for_fifty_rounds_of_the_largest_case(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[object, ...]] = []
    prepared: list[tuple[str, int, int]] = []
    init, prepare = Side.__init__, Side.prepare

    def watched_init(side: Side, *arguments: Any) -> None:
        made.append(arguments)
        init(side, *arguments)

    def watched(side: Side, n_vectors: int, length: int) -> None:
        prepared.append((side.name, n_vectors, length))
        prepare(side, n_vectors, length)

    monkeypatch.setattr(Side, "__init__", watched_init)
    monkeypatch.setattr(Side, "prepare", watched)
    calibrated(clients=(3, 5), values=(9, 4), jobs=2, engine="gmp")
    assert sorted(made) == [
        ("naive", 512, 3, 2, "gmp"),
        ("packed", 512, 3, 2, "gmp"),
        ("packed", 512, 5, 2, "gmp"),
        ("vectorized", 512, 3, 2, "gmp"),
    ]
    assert sorted(prepared) == [(str(name), 50 * 5, 9) for name, *_ in sorted(made)]


def test_what_is_going_on_is_told_with_what_is_done() -> None:
    runner, calls = Runner(Matrix(**SMALL)), []  # type: ignore[arg-type]
    seconds = runner.calibrate(lambda *told: calls.append(told))
    assert calls == [("making keys of 512 bits and timing small rounds", 0.0)]
    planned = runner._plan(Case(512, 3, 4))
    once = sum(plan.sample_seconds for plan in planned)
    assert seconds == pytest.approx(sum(plan.estimate for plan in planned) + 2 * once)
    calls.clear()
    runner._measure(planned, "a case", True, lambda *told: calls.append(told))
    warm_up, samples = [("a case", p.estimate) for p in planned], [("a case", p.sample_seconds) for p in planned]
    assert calls == [("a case", 0.0), *warm_up, *samples, *samples]
    for plan in planned:
        assert plan.sample_seconds == plan.estimate * plan.rounds
        assert plan.rounds == min(-(-0.02 // max(plan.estimate, 1e-6)), 50)


@pytest.mark.parametrize(("seconds", "samples"), [((0.5, 0.5), 2), ((0.5, 0.5001), 1)])
def test_two_long_samples_are_not_taken_in_a_row(seconds: tuple[float, float], samples: int) -> None:
    runner = Runner(Matrix(**SMALL))  # type: ignore[arg-type]
    planned = runner._plan(Case(512, 3, 4))[:2]
    for plan, each in zip(planned, seconds, strict=True):
        plan.estimate, plan.rounds = each, 1
    runner._measure(planned, "", True, Silent())
    assert [len(plan.samples["round"]) for plan in planned] == [samples] * 2


class Made:
    """Cases that take as long as a test says, on a clock that nothing else moves; sums are not computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: Callable[[str, Case, int], float]) -> None:
        self.now, self.visits, self._runs, self._seconds = 0.0, [], Counter[Any](), seconds
        monkeypatch.setattr(Runner, "_plan", self._plan)
        monkeypatch.setattr(runner_module, "with_peak_memory", lambda work: (work(), 1))

    def runner(self, before: Results | None = None, **changes: Any) -> Runner:
        return Runner(
            Matrix(**{"key_lengths": (512,), "clients": (3,), "values": (1, 2, 3), **changes}), before, self.clock
        )

    def clock(self) -> float:
        return self.now

    def _plan(self, case: Case) -> list[Any]:
        self.visits.append(case.values)
        return [
            runner_module._Planned(_MadeSide(self, name, case), np.ones((3, case.values)), 0.3, 1)  # type: ignore[arg-type]
            for name in ("naive", "packed")
        ]

    def run(self, side: Any) -> Any:
        number = self._runs[side.name, side.case]
        self._runs[side.name, side.case] += 1
        seconds = self._seconds(side.name, side.case, number)
        self.now += seconds
        total = SimpleNamespace(n_ciphertexts=side.case.values, nbytes=128 * side.case.values)
        return sides.Round({**dict.fromkeys(("encrypt", "add", "decrypt"), seconds / 3), "round": seconds}, total)


class _MadeSide:
    def __init__(self, made: Made, name: str, case: Case) -> None:
        self.made, self.name, self.case, self.setup = made, name, case, 0.1

    def run(self, vectors: Any) -> Any:
        return self.made.run(self)


def counts(results: Results) -> list[int]:
    return [record.n_samples for record in results.records if record.backend == "packed"]


def test_all_cases_have_as_many_samples_and_none_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch, lambda name, case, number: 0.3)
    results = made.runner(repeats=6).run(Silent())
    assert (counts(results), results.complete) == ([6, 6, 6], True)
    assert made.visits == [1, 2, 3] * 3
    assert not any(record.noisy for record in results.records)
    assert not any("samples" in warning for warning in results.warnings)


def test_a_noisy_case_gets_twice_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 2 was disturbed in its third sample and is calm with more of them; case 3 never is."""

    def seconds(name: str, case: Case, number: int) -> float:
        disturbed = (case.values == 2 and number == 2) or (case.values == 3 and number % 2)
        return 0.9 if disturbed and name == "packed" else 0.3

    made = Made(monkeypatch, seconds)
    results = made.runner(repeats=10).run(Silent())
    assert counts(results) == [10, 12, 20]  # with 12 the extreme samples lie outside of the interval
    noisy = {record.case.values for record in results.records if record.noisy}
    assert noisy == {3}
    assert max(made.visits.index(values) for values in (1, 2, 3)) == 2


def test_a_budget_is_kept_and_what_it_cut_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch, lambda name, case, number: 0.3)
    results = made.runner(repeats=10, budget=9.0).run(Silent())
    assert made.now <= 9.0 + 1.2  # a visit takes two samples of either side
    assert made.now >= 9.0 - 1.2
    assert max(counts(results)) - min(counts(results)) <= 2
    assert results.complete
    low, high = min(counts(results)), max(counts(results))
    told = f"time was cut: {low} samples" if low == high else f"time was cut: {low} to {high} samples"
    assert f"{told} a case instead of 10" in results.warnings
    usual = made.runner(repeats=100, budget=40.0).run(Silent())
    assert 10 <= min(counts(usual)) < 100
    assert not any("samples" in warning for warning in usual.warnings)


def test_a_budget_that_does_not_suffice_leaves_cases_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch, lambda name, case, number: 3.0 if case.values == 2 else 0.3)
    results = made.runner(budget=3.0).run(Silent())
    assert [record.case.values for record in results.records if record.backend == "packed"] == [1, 2]
    assert not results.complete
    assert "the budget did not suffice: 1 of 3 cases were not measured" in results.warnings


def test_a_visit_for_which_there_is_no_time_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The long case is not begun again where it would go beyond the end; short ones are."""
    made = Made(monkeypatch, lambda name, case, number: 2.0 if case.values == 3 else 0.1)
    results = made.runner(budget=42.0).run(Silent())
    assert counts(results) == [11, 11, 9]
    assert made.now == pytest.approx(9 * 4.0 + 2 * 11 * 0.2)


def test_keys_of_other_libraries_are_not_of_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Safe primes take minutes, more than the whole of --quick; then nothing would be measured."""
    made = Made(monkeypatch, lambda name, case, number: 0.3)

    def make(name: str, *_: object) -> Any:
        made.now += 100.0
        return SimpleNamespace(name=name, prepare=lambda *_: None)

    monkeypatch.setattr(runner_module, "Side", make)
    monkeypatch.setattr(runner_module, "side_costs", lambda side: None)
    runner = made.runner(budget=48.0)
    runner._side("pypaillier", 2048, 3)
    assert runner._end == 148.0
    assert runner._side("pypaillier", 2048, 3) is runner._side("pypaillier", 2048, 3)
    assert runner._end == 148.0  # made once


def test_a_report_has_its_time_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer where others use the machine: then the calibration took longer than its CPU time."""
    made = Made(monkeypatch, lambda name, case, number: 0.3)
    cpu = iter([0.0, 1.0])
    monkeypatch.setattr(runner_module, "process_time", lambda: next(cpu))
    runner = made.runner(budget=40.0, afterwards=5.0)
    runner.calibrate(lambda text, seconds: setattr(made, "now", made.now + 1.0))
    assert runner._end == 40.0 - 3 * 5.0


def test_results_are_kept_whenever_a_case_has_new_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kept = Made(monkeypatch, lambda name, case, number: 0.3), []
    made.runner(repeats=4).run(Silent(), kept.append)
    assert [counts(results) for results in kept] == [[2], [2, 2], [2, 2, 2], [4, 2, 2], [4, 4, 2], [4, 4, 4]]
    assert not any(results.complete for results in kept)


def test_a_run_goes_on_where_another_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch, lambda name, case, number: 0.3)
    first = made.runner(repeats=6)
    stopped = first.run(Silent(2 * 2 + 1, interrupt))
    assert (counts(stopped), stopped.complete, first.interrupted) == ([2], False, True)
    made.visits.clear()
    again = made.runner(stopped, repeats=6).run(Silent())
    assert (counts(again), again.complete) == ([6, 6, 6], True)
    assert made.visits[:4] == [2, 3, 1, 2]
    assert {len(record.reference) for record in again.records} == {6}
    made.visits.clear()
    assert made.runner(again, repeats=6).run(Silent()).records == again.records
    assert made.visits == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"values": (1, 2)}, "values 1, 2, 3 before, 1, 2 now"),
        ({"backends": ("packed",)}, "rows naive, vectorized, packed before, packed now"),
        ({"engine": "another"}, "now"),
        ({"naive_seconds": 0.5}, "seconds of a naive sample 1 before, 0.5 now"),
        ({"jobs": 2}, "jobs 1 before, 2 now"),
    ],
)
def test_another_plan_is_not_gone_on_with(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], what: str) -> None:
    if "engine" in changes:
        changes = {"engine": "portable" if active_engine().name == "gmp" else "gmp"}
        if dict(available_engines())[changes["engine"]] is not None:
            pytest.skip(f"engine {changes['engine']} does not run here")
    made = Made(monkeypatch, lambda name, case, number: 0.3)
    before = made.runner(repeats=2).run(Silent())
    with pytest.raises(ValueError, match=f"--resume goes on only with the same plan, machine, engine.*{what}"):
        made.runner(before, **changes)
    made.runner(before, repeats=7, budget=100.0)  # only how long


@pytest.mark.parametrize("name", ["cpu", "cores", "system", "engine", "target", "version of vecphe", "version of phe"])
def test_another_machine_or_version_is_not_gone_on_with(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = Made(monkeypatch, lambda name, case, number: 0.3)
    before = made.runner(repeats=2).run(Silent())
    there = replace(before, plan={**before.plan, name: "another"})
    with pytest.raises(ValueError, match=f"{name} another before, "):
        made.runner(there)
    with pytest.raises(ValueError, match="saved by an older vecphe"):
        made.runner(replace(before, plan={}))


@pytest.mark.parametrize(("jobs", "name", "cores"), [(1, "packed", 1), (2, "packed", 2), (2, "naive", 1)])
def test_the_loop_has_one_core(jobs: int, name: str, cores: int) -> None:
    runner = Runner(Matrix(**{**SMALL, "jobs": jobs}))  # type: ignore[arg-type]
    _, costs = runner._side(name, 512, 3)
    expected = estimate(Plan(3, 100, 512, cores, packed=name == "packed"), costs).round
    assert runner._estimate(name, costs, Case(512, 3, 100)) == expected


def test_a_case_without_a_round_is_not_recorded() -> None:
    runner = Runner(Matrix(key_lengths=(512,)))
    side: Any = SimpleNamespace(name="packed")
    with pytest.raises(RuntimeError, match="without a round"):
        runner._made_record(Case(512, 3, 1), runner_module._Planned(side, np.ones((3, 1)), 1.0, 1), 1)


def test_the_naive_side_is_capped_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    runner, _ = calibrated(values=(400,), backends=("naive", "packed"), naive_seconds=1e-9)
    seconds = []

    def watched(side: Side, vectors: Any, run: Any = Side.run) -> Any:
        round_ = run(side, vectors)
        if side.name == "naive":
            seconds.append(round_.seconds["round"])
        return round_

    monkeypatch.setattr(Side, "run", watched)
    monkeypatch.setattr(runner_module, "_MOST_ROUNDS", 1)
    naive, packed = runner.run(Silent()).records
    assert naive.extrapolated
    assert naive.measured_values == 1
    assert naive.memory is None
    assert naive.measured_clients == 3
    assert naive.samples["round"] == pytest.approx(
        [400 * one for one in seconds[-4:]]
    )  # few samples are noisy: twice 2
    assert naive.bytes_per_value == 128
    assert not packed.extrapolated
    assert packed.reference == naive.samples["round"]


def test_many_clients_are_capped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    runner, _ = calibrated(clients=(41,), values=(2,), backends=("naive", "vectorized"), naive_seconds=1e-9)
    monkeypatch.setattr(runner_module, "_MOST_ROUNDS", 1)
    run, rounds = Side.run, []

    def watched(side: Side, vectors: Any) -> Any:
        round_ = run(side, vectors)
        if side.name == "naive":
            rounds.append((vectors.shape, round_.seconds))
        return round_

    monkeypatch.setattr(Side, "run", watched)
    naive, vectorized = runner.run(Silent()).records
    assert {shape for shape, _ in rounds} == {(3, 1)}
    assert (naive.measured_values, naive.measured_clients, naive.memory) == (1, 3, None)
    factors = {"encrypt": 2 * 41 / 3, "add": 2 * 40 / 2, "decrypt": 2}
    for phase, factor in factors.items():
        assert naive.samples[phase] == pytest.approx([factor * seconds[phase] for _, seconds in rounds[-4:]])
    parts = [sum(naive.samples[phase][i] for phase in factors) for i in range(4)]
    for i, (_, seconds) in enumerate(rounds[-4:]):
        rest = seconds["round"] - sum(seconds[phase] for phase in factors)
        assert naive.samples["round"][i] == pytest.approx(parts[i] + 2 * 41 / 3 * rest)
    assert (vectorized.measured_clients, vectorized.reference) == (41, naive.samples["round"])


def test_the_cap_leaves_as_many_clients_as_fit() -> None:
    runner, _ = calibrated(clients=(1000,), values=(1,), backends=("naive",))
    side, costs = runner._side("naive", 512, 3)
    costs = replace(costs, randomize=0.1, add=0.001, decrypt=0.1, **NO_CALLS)  # not those of a busy machine
    runner._side = lambda *_: (side, costs)  # type: ignore[assignment]
    object.__setattr__(runner.matrix, "naive_seconds", 1000.0)
    (whole,) = runner._plan(Case(512, 1000, 1))
    assert whole.vectors.shape == (1000, 1)
    object.__setattr__(runner.matrix, "naive_seconds", whole.estimate / 10)
    (capped,) = runner._plan(Case(512, 1000, 1))
    assert capped.vectors.shape in ((99, 1), (100, 1))
    assert capped.estimate <= whole.estimate / 9


def test_the_reference_is_measured_although_its_row_is_not_wanted() -> None:
    runner, _ = calibrated(backends=("packed",))
    (record,) = runner.run(Silent()).records
    assert record.backend == "packed"
    assert record.speed_up is not None


def test_without_phe_there_is_no_speed_up_and_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "naive_module", lambda: None)
    runner, _ = calibrated()
    results = runner.run(Silent())
    assert results.backends == ["vectorized", "packed"]
    assert [record.speed_up for record in results.records] == [None, None]
    assert any("pip install phe" in warning for warning in results.warnings)


def test_an_interrupt_keeps_the_cases_that_are_done() -> None:
    runner, _ = calibrated(values=(4, 9))
    per_case = 3 + 2 * 3  # warm-ups and samples
    results = runner.run(Silent(per_case + 1, interrupt))
    assert not results.complete
    assert {record.case.values for record in results.records} == {4}
    assert len(results.records) == 3


def test_an_interrupt_keeps_the_samples_that_all_backends_have() -> None:
    runner, _ = calibrated(repeats=4)
    results = runner.run(Silent(3 + 2 * 3 + 1, interrupt))  # naive has a third sample, the others two
    assert not results.complete
    assert [len(record.samples["round"]) for record in results.records] == [2, 2, 2]
    assert [len(record.reference) for record in results.records] == [2, 2, 2]


def test_a_wrong_sum_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    runner, _ = calibrated()
    decrypt = sides.decrypt_vector
    monkeypatch.setattr(sides, "decrypt_vector", lambda key, vector: decrypt(key, vector) + 1e-9)
    with pytest.raises(BenchmarkError, match="wrong sum"):
        runner.run(Silent())
    assert runner.results.records == ()


def test_another_engine_is_used_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default engine stays what it was, for whatever else runs in the process."""
    default = "portable" if dict(available_engines())["portable"] is None else "gmp"
    monkeypatch.setenv("VECPHE_ENGINE", default)
    used, run = set(), Side.run

    def watched(side: Side, vectors: Any) -> Any:
        used.add((active_engine().name, side.public_key.public_key._context.engine.name))
        return run(side, vectors)

    monkeypatch.setattr(Side, "run", watched)
    monkeypatch.setattr(runner_module, "naive_module", lambda: None)
    runner, _ = calibrated(engine="gmp", backends=("packed",))
    (record,) = runner.run(Silent()).records
    assert used == {(default, "gmp")}
    assert record.environment.engine == "gmp"
    assert "GMP" in record.environment.target


def test_rough_estimates_are_of_the_engine_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Side] = []
    monkeypatch.setattr(estimating, "side_costs", lambda side: made.append(side) or side_costs(side))
    rough_seconds("vectorized", Plan(3, 4, 256, packed=False, engine="gmp"), 10)
    (side,) = made
    assert side.public_key.public_key._context.engine.name == "gmp"  # type: ignore[attr-defined]
    with pytest.raises(EngineUnavailableError, match="no engine is called 'fast'"):
        rough_seconds("vectorized", Plan(3, 4, 256, packed=False, engine="fast"), 10)


def test_use_engine_puts_the_choice_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = active_engine().name
    with use_engine("gmp"):
        assert active_engine().name == "gmp"
    assert active_engine().name == before
    with pytest.raises(EngineUnavailableError), use_engine("fast"):
        pass


def test_a_fast_engine_that_did_not_run_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VECPHE_ENGINE", "gmp")
    warning = engine_warning(None)
    assert warning is not None
    assert warning.startswith("THE FAST ENGINE DID NOT RUN")
    assert engine_warning("gmp") is None
    runner = Runner(Matrix(**SMALL))  # type: ignore[arg-type]
    assert warning in runner.results.warnings


@pytest.mark.parametrize("name", ["ifma", "ifma256", "fma512", "fma256"])
def test_a_fast_engine_needs_no_warning(name: str) -> None:
    if (why_not := dict(available_engines())[name]) is not None:
        pytest.skip(f"the {name} engine does not run here: {why_not}")
    with use_engine(name):
        assert engine_warning(None) is None


def test_the_warning_names_a_fast_engine_that_would_have_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than the fastest of all, which this machine may not have."""
    engines = [("ifma", "the CPU is too old"), ("fma512", None), ("fma256", None), ("gmp", None)]
    reasons = {"ifma": "the CPU is too old", "fma512": "VECPHE_ENGINE=gmp asks", "fma256": "VECPHE_ENGINE=gmp asks"}
    monkeypatch.setattr(environment, "available_engines", lambda: engines)
    monkeypatch.setattr(environment, "why_not_used", lambda: reasons)
    assert str(engine_warning(None, "gmp")).endswith("fma512: VECPHE_ENGINE=gmp asks")
    reasons["fma512"] = reasons["fma256"] = "the CPU is too old"
    engines[1:3] = [(name, "the CPU is too old") for name in ("fma512", "fma256")]
    assert str(engine_warning(None, "gmp")).endswith("ifma: the CPU is too old")


def test_peak_memory_sees_a_block_and_not_what_was_there() -> None:
    there = np.ones(4_000_000)
    shape, peak = with_peak_memory(lambda: np.ones(8_000_000).shape)
    if peak is None:
        pytest.skip("this system does not tell the peak")
    assert shape == (8_000_000,)
    assert 60e6 < peak < 90e6
    _, none = with_peak_memory(lambda: None)
    assert none is not None
    assert none < 4e6
    assert there.any()


def test_the_environment_names_what_it_is() -> None:
    here = Environment.current("gmp")
    assert here.cpu
    assert here.cores >= 1
    assert {"vecphe", "python", "numpy", "gmpy2"} <= set(here.versions)


@pytest.mark.slow  # of what a busy machine takes
@pytest.mark.parametrize("name", ["vectorized", "packed", "naive"])
def test_estimates_are_of_the_right_order(name: str) -> None:
    side = Side(name, 512, 5)
    side.prepare(100, 100)
    costs = side_costs(side)
    vectors = np.ones((5, 60))
    measured = min(side.run(vectors).seconds["round"] for _ in range(3))
    plan = Plan(5, 60, 512, packed=name == "packed")
    assert measured / 10 < estimate(plan, costs).round < 20 * measured


def test_costs_of_a_side_are_a_line_through_two_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three clients: seconds a call, and seconds a ciphertext."""
    side = Side("vectorized", 256, 3)
    true = {"encrypt": (0.5, 0.25), "add": (0.125, 2.0), "decrypt": (4.0, 1.0)}
    times = {"encrypt": 3, "add": 2, "decrypt": 1}

    def run(vectors: Any) -> Any:
        count = vectors.shape[1]
        seconds = {phase: times[phase] * (call + each * count) for phase, (call, each) in true.items()}
        seconds["round"] = sum(seconds.values())
        return SimpleNamespace(total=SimpleNamespace(n_ciphertexts=count), seconds=seconds)

    monkeypatch.setattr(side, "run", run)
    costs = side_costs(side)
    assert (costs.encrypt_call, costs.randomize) == (0.5, 0.25)
    assert (costs.add_call, costs.add) == (0.125, 2.0)
    assert (costs.decrypt_call, costs.decrypt) == (4.0, 1.0)
    round_ = estimate(Plan(5, 10, 256, cores=2, packed=False), costs).round
    assert round_ == 5 * (0.5 + 10 * 0.25 / 2) + 4 * (0.125 + 10 * 2.0) + 4.0 + 10 * 1.0 / 2


@pytest.mark.parametrize(
    ("name", "seconds", "sizes"),
    [
        ("packed", 0.1, [1, 1, 96]),
        ("vectorized", 0.001, [1, 1, 16]),
        ("vectorized", 0.0008, [1, 1, 96]),
        ("naive", 0.1, [2, 2]),
    ],
)
def test_small_rounds_tell_what_a_side_costs(
    monkeypatch: pytest.MonkeyPatch, name: str, seconds: float, sizes: list[int]
) -> None:
    """Of one ciphertext, however many values: what the larger round took, and nothing a call."""
    side, asked = Side(name, 256, 3), list[int]()

    def run(vectors: Any) -> Any:
        asked.append(vectors.shape[1])
        took = seconds if asked[-1] < 9 else seconds / 2
        times = {"encrypt": 3 * took, "add": 2 * took, "decrypt": took, "round": 6 * took}
        return SimpleNamespace(total=SimpleNamespace(n_ciphertexts=1), seconds=times)

    monkeypatch.setattr(side, "run", run)
    costs = side_costs(side)
    assert asked == sizes
    assert (costs.encrypt_call, costs.add_call, costs.decrypt_call) == (0.0, 0.0, 0.0)
    later = seconds if sizes[-1] < 9 else seconds / 2
    assert (costs.randomize, costs.add, costs.decrypt) == pytest.approx((later, later, later))


def test_rough_estimates_of_long_keys_come_from_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    made = Side.__init__

    def watched(self: Any, name: str, key_length: int, *rest: Any, **options: Any) -> None:
        lengths.append(key_length)
        made(self, name, key_length, *rest, **options)

    costs = estimating.Costs("gmp", key_seconds=2.0, table_seconds=1.0, randomize=0.5, add=0.25, decrypt=4.0)
    monkeypatch.setattr(Side, "__init__", watched)
    monkeypatch.setattr(estimating, "_SHORT_KEY", 256)
    monkeypatch.setattr(estimating, "side_costs", lambda side: costs)
    setup, round_ = rough_seconds("vectorized", Plan(3, 4, 2048, packed=False), 10)
    assert lengths == [256]
    short = estimate(Plan(3, 4, 256, packed=False), costs)
    assert (setup, round_) == pytest.approx((short.setup * 8**2.6, short.round * 8**2.6))
    assert short.setup == 3.0
