"""The race of engines where nobody knows which is faster: `neon` and gmp, played here by stand-ins with a clock."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from vecphe.arithmetic import active_engine, race_result, selection, why_not_used
from vecphe.arithmetic.gmp import GmpEngine, GmpRing, Pairs
from vecphe.arithmetic.race import RACE_KEY_LENGTH, race
from vecphe.bench import environment
from vecphe.bench.environment import engine_warning
from vecphe.cli.info import collect_info, print_info
from vecphe.errors import EngineFallbackWarning, EngineUnavailableError


class Clock:
    """Stands still but for products, each call of which takes what its engine says next, in milliseconds."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turns: list[str] = []

    def __call__(self) -> float:
        return self.now

    def engine(self, name: str, *milliseconds: float, wrong: bool = False) -> GmpEngine:
        """An engine whose calls take these times, and the last of them from then on."""
        times, clock = list(milliseconds), self

        class _Ring(GmpRing):
            def multiply(self, left: Pairs, right: Pairs) -> Pairs:
                if self.n.bit_length() == RACE_KEY_LENGTH:  # not in self-tests
                    assert self.size(left) == len(set(self.store(left))) == 64
                    assert min(self.store(left)).bit_length() > 4080  # of full length, on which its time depends
                    clock.now += (times.pop(0) if len(times) > 1 else times[0]) / 1000
                    clock.turns.append(name)
                return super().multiply(left, self.ones(self.size(left)) if wrong else right)

        class _Engine(GmpEngine):
            def ring(self, n: int) -> GmpRing:
                return _Ring(n)

        engine = _Engine()
        engine.name = name
        return engine


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_best_turn_of_each_engine_counts(clock: Clock) -> None:
    engines = [clock.engine("neon", 3.2, 0.64, 3.2, 0.32), clock.engine("gmp", 1.28)]
    assert race(engines, clock) == pytest.approx({"neon": 1e-5, "gmp": 2e-5})
    assert clock.turns == ["neon", "gmp"] * 3  # 10.9 ms, after 6.4


@pytest.mark.parametrize(("milliseconds", "turns"), [(6.0, 1), (5.1, 1), (4.9, 2), (0.51, 10), (0.49, 11)])
def test_a_race_takes_ten_milliseconds_and_at_least_a_turn(clock: Clock, milliseconds: float, turns: int) -> None:
    race([clock.engine("neon", milliseconds), clock.engine("gmp", milliseconds)], clock)
    assert clock.turns == ["neon", "gmp"] * turns


def test_a_race_by_the_clock_of_the_machine() -> None:
    assert set(race([GmpEngine()])) == {"gmp"}
    assert 0 < race([GmpEngine()])["gmp"] < 1


Play = Callable[..., None]


@pytest.fixture
def play(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Have a machine with these two engines, on which nothing was asked for yet."""

    def on_a_machine(neon: GmpEngine, gmp: GmpEngine) -> None:
        candidates = {
            "neon": selection._Candidate(lambda: None, lambda: neon, races=True),
            "gmp": selection._Candidate(lambda: None, lambda: gmp),
            "slow": selection._Candidate(lambda: None, lambda: clock.engine("slow", 1)),
        }
        monkeypatch.setattr(selection, "_ENGINES", candidates)
        monkeypatch.setattr(selection, "parent_process", lambda: None)
        monkeypatch.setattr(selection, "race", lambda engines: race(engines, clock))
        for cached in (selection._fastest, selection._passes, selection._race):
            monkeypatch.setattr(selection, cached.__name__, cache(cached.__wrapped__))
        monkeypatch.delenv("VECPHE_ENGINE", raising=False)

    return on_a_machine


@pytest.mark.parametrize(
    ("neon", "gmp", "winner", "loser"),
    [(0.32, 0.64, "neon", "gmp"), (0.64, 0.32, "gmp", "neon"), (0.32, 0.32, "neon", "gmp")],
)
def test_the_faster_one_becomes_the_default_and_they_race_once(
    clock: Clock, play: Play, neon: float, gmp: float, winner: str, loser: str
) -> None:
    play(clock.engine("neon", neon), clock.engine("gmp", gmp))
    assert active_engine().name == winner
    turns = len(clock.turns)
    assert turns >= 2
    assert active_engine().name == winner
    assert race_result() == pytest.approx({"neon": neon / 64e3, "gmp": gmp / 64e3})
    assert why_not_used() == {loser: f"{winner} is faster", "slow": f"{winner} is faster"}
    assert len(clock.turns) == turns
    assert engine_warning(None) is None  # whichever has won


def test_info_prints_the_race(clock: Clock, play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play(clock.engine("neon", 0.64), clock.engine("gmp", 0.32))
    facts = collect_info()
    assert facts["race"] == {"key_length": 2048, "seconds_per_product": pytest.approx({"neon": 1e-5, "gmp": 5e-6})}
    print_info(facts)
    told = capsys.readouterr().out
    assert "\nrace of engines: neon 10 us, gmp 5 us a product at 2048 bits; the faster one computes\n" in told
    assert "\nengine neon: not used, gmp is faster\n" in told


@pytest.mark.parametrize("name", ["neon", "gmp"])
def test_h46_an_engine_that_is_asked_for_does_not_race(
    name: str, clock: Clock, play: Play, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play(clock.engine("neon", 0.64), clock.engine("gmp", 0.32))
    monkeypatch.setenv("VECPHE_ENGINE", name)
    assert active_engine().name == name
    facts = collect_info()
    print_info(facts)
    assert facts["race"]["seconds_per_product"] == {}
    assert "race" not in capsys.readouterr().out
    assert (engine_warning(None) is None) == (name == "neon")
    assert clock.turns == []


def test_h46_an_engine_that_fails_its_self_test_does_not_race(clock: Clock, play: Play) -> None:
    play(clock.engine("neon", 0.1, wrong=True), clock.engine("gmp", 0.2))
    with pytest.warns(EngineFallbackWarning, match="'neon' failed its self-test"):
        assert active_engine().name == "gmp"
    assert race_result() == {}
    assert str(engine_warning(None)).startswith("THE FAST ENGINE DID NOT RUN")
    play(clock.engine("neon", 0.2), clock.engine("gmp", 0.1, wrong=True))
    assert active_engine().name == "neon"
    assert race_result() == {}
    with pytest.raises(EngineUnavailableError, match="'gmp' failed its self-test"):
        selection.engine_named("gmp")
    assert clock.turns == []


def test_h46_the_first_that_passes_its_self_test_races(
    clock: Clock, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(clock.engine("neon", 0.1, wrong=True), clock.engine("gmp", 0.32))
    second = selection._Candidate(lambda: None, lambda: clock.engine("sve", 0.64), races=True)
    third = selection._Candidate(lambda: None, lambda: clock.engine("third", 0.16), races=True)
    absent = selection._Candidate(lambda: "not here", lambda: clock.engine("absent", 0.01), races=True)
    neon, gmp = (selection._engines()[name] for name in ("neon", "gmp"))
    monkeypatch.setattr(
        selection, "_ENGINES", {"absent": absent, "neon": neon, "sve": second, "third": third, "gmp": gmp}
    )
    assert race_result() == pytest.approx({"sve": 1e-5, "gmp": 5e-6})


def test_a_key_too_long_for_the_winner_is_told(clock: Clock, play: Play) -> None:
    play(clock.engine("neon", 0.1), clock.engine("gmp", 0.2))
    assert "the key is too long" in str(engine_warning(None, "slow"))


def test_only_targets_whose_speed_nobody_knows_race(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = ["ifma512", "ifma256", "fma512", "fma256", "neon", "portable"]
    kernel = SimpleNamespace(supported_targets=lambda: [(name, None) for name in compiled])
    monkeypatch.setattr(selection, "_native", lambda: kernel)
    assert [name for name, each in selection._candidates().items() if each.races] == ["neon"]


def test_on_machines_without_such_a_target_nothing_races(monkeypatch: pytest.MonkeyPatch) -> None:
    if any(each.races and each.why_not() is None for each in selection._engines().values()):
        pytest.skip("engines race here")

    def raced(*arguments: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(selection, "race", raced)
    monkeypatch.delenv("VECPHE_ENGINE", raising=False)
    for cached in (selection._fastest, selection._race):
        monkeypatch.setattr(selection, cached.__name__, cached.__wrapped__)
    assert active_engine().name in dict(selection.available_engines())
    assert race_result() == {}
    assert environment.engine_warning(active_engine().name) is None
