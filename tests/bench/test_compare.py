"""A planted change is found, noise and a slower machine are not one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from tests.bench.made import CASE, ENVIRONMENT, record, results, samples

from vecphe.bench.compare import compare_results, differences, unmatched
from vecphe.bench.records import PHASES, Record, Results


def run(slower: float = 1.0, machine: float = 1.0, seed: int = 0, **changes: Any) -> Results:
    """Twenty cases; encryption `slower` times slower, everything on a machine that is `machine` times slower."""
    return Results(tuple(_record(i, slower, machine, seed * 1000 + i, changes) for i in range(20)))


def _record(i: int, slower: float, machine: float, seed: int, changes: dict[str, Any]) -> Record:
    made = samples(0.004 * machine, seed=seed)
    made["round"] = [r + (slower - 1) * e for r, e in zip(made["round"], made["encrypt"], strict=True)]
    made["encrypt"] = [slower * e for e in made["encrypt"]]
    reference = [machine * r for r in samples(5.0, seed=seed + 500)["round"]]
    return record(case=replace(CASE, values=i + 1), samples=made, reference=reference, **changes)


def verdicts(before: Results, after: Results, phase: str) -> list[str]:
    return [change.verdict for change in compare_results(before, after) if change.phase == phase]


def test_a_planted_slow_down_is_found_in_its_phase_alone() -> None:
    before, after = run(), run(1.4, seed=1)
    assert verdicts(before, after, "encrypt").count("slower") >= 18
    assert verdicts(before, after, "round").count("slower") >= 18
    assert set(verdicts(before, after, "add") + verdicts(before, after, "decrypt")) == {"no clear change"}
    assert verdicts(after, before, "encrypt").count("faster") >= 18


@pytest.mark.parametrize("seed", range(1, 6))
def test_noise_is_no_change(seed: int) -> None:
    assert {change.verdict for change in compare_results(run(), run(seed=seed))} == {"no clear change"}


@pytest.mark.parametrize("machine", [0.5, 2.0])
def test_a_slower_machine_is_no_change(machine: float) -> None:
    before, after = run(), run(machine=machine, seed=1)
    changes = compare_results(before, after)
    assert {change.verdict for change in changes} == {"no clear change"}
    assert all(0.9 < change.ratio < 1.1 for change in changes if change.phase == "round")
    assert any(f"{machine:.2f} times as long" in note for note in differences(before, after))


def test_work_that_the_machine_slowed_down_less_than_the_loop_is_no_change() -> None:
    before = results(record())
    after = results(record(reference=[2.0] * 7))
    assert {change.verdict for change in compare_results(before, after)} == {"no clear change"}


def test_without_the_naive_loop_times_are_compared_as_they_are() -> None:
    before, after = _without_reference(run()), _without_reference(run(1.4, seed=1))
    changes = compare_results(before, after)
    assert not any(change.relative for change in changes)
    assert verdicts(before, after, "encrypt").count("slower") >= 18
    assert any("no naive loop" in note for note in differences(before, after))


def _without_reference(whole: Results) -> Results:
    return Results(tuple(replace(made, reference=[]) for made in whole.records))


def test_the_naive_loop_itself_is_not_judged() -> None:
    slow = {phase: [10.0] * 7 for phase in PHASES}
    changes = compare_results(results(record("naive")), results(record("naive", samples=slow)))
    assert {change.verdict for change in changes} == {"the machine"}


def test_few_samples_are_not_judged() -> None:
    few = record(samples=samples(0.004, count=4), reference=[1.0] * 4)
    many = record(samples=samples(0.4), reference=[1.0] * 7)
    assert {change.verdict for change in compare_results(results(few), results(many))} == {"too few samples"}


def test_another_cpu_is_not_judged_but_told() -> None:
    other = record(environment=replace(ENVIRONMENT, cpu="Other CPU"), samples=samples(0.4))
    before, after = results(record()), results(other)
    assert {change.verdict for change in compare_results(before, after)} == {"other CPU"}
    told = "different CPUs: Test CPU and Other CPU; times are shown, not judged"
    assert told in differences(before, after)


def test_what_is_exact_is_told() -> None:
    unpacked = record(ciphertexts=2, environment=replace(ENVIRONMENT, engine="gmp", target="GMP"))
    notes = list(differences(results(record()), results(unpacked, complete=False)))
    assert any(note.endswith("2 ciphertexts instead of 11, 93.0909091 bytes a value instead of 512") for note in notes)
    assert any("different engines: ifma and gmp" in note for note in notes)
    assert "the second run was interrupted" in notes
    assert list(differences(results(), results())) == []


def test_bytes_alone_that_changed_are_told() -> None:
    (note,) = differences(results(record()), results(record(bytes_per_value=512.25)))
    assert note == "packed, 2048 bits, 5 clients, 11 values: 512.25 bytes a value instead of 512"


def test_rows_of_one_file_alone_are_counted() -> None:
    both, more = record(), record(case=replace(CASE, clients=3))
    assert unmatched(results(both), results(both, more)) == ([], [more])
    assert len(compare_results(results(both), results(both, more))) == len(PHASES)


def timed(before: list[float], after: list[float], reference: tuple[float, float] | None = None, **changes: Any) -> Any:
    """The change of a round between two records that have these times in every phase, and a naive loop beside."""
    beside = ([], []) if reference is None else ([reference[0]] * len(before), [reference[1]] * len(after))
    one, two = (
        results(record(samples=dict.fromkeys(PHASES, times), reference=loop, jobs=2))
        for times, loop in zip((before, after), beside, strict=True)
    )
    return compare_results(one, two)[-1]


def test_a_change_by_hand() -> None:
    before, after = [1.0, 1.1, 1.15, 1.2, 1.2, 1.25, 1.3, 1.4], [2.4, 2.5, 2.55, 2.6, 2.6, 2.65, 2.7, 2.8]
    found = timed(before, after)
    assert (found.backend, found.case, found.jobs, found.phase) == ("packed", CASE, 2, "round")
    assert (found.before, found.after, found.relative, found.verdict) == (1.2, 2.6, False, "slower")
    assert (found.ratio, found.low, found.high) == (2.6 / 1.2, 2.4 / 1.4, 2.8 / 1.0)
    back = timed(after, before)
    assert (back.verdict, back.ratio) == ("faster", 1.2 / 2.6)


def test_what_a_slower_machine_explains_is_taken_out() -> None:
    """By the loop's time to any power from -1/2 to 3/2."""
    found = timed([1.0] * 5, [8.0] * 5, (3.0, 12.0))
    assert (found.relative, found.ratio, found.low, found.high) == (True, 8 / 4, 8 / 4**1.5, 8 / 4**-0.5)
    assert found.verdict == "no clear change"
    assert timed([1.0] * 5, [8.3] * 5, (3.0, 12.0)).verdict == "slower"
    quicker = timed([1.0] * 5, [0.5] * 5, (4.0, 1.0))
    assert (quicker.ratio, quicker.low, quicker.high) == (2.0, 0.5 / 0.25**-0.5, 0.5 / 0.25**1.5)
    assert quicker.verdict == "no clear change"
    assert timed([1.0] * 5, [0.12] * 5, (4.0, 1.0)).verdict == "faster"
    assert timed([1.0] * 5, [2.1] * 5, (4.0, 1.0)).verdict == "slower"


@pytest.mark.parametrize(("count", "verdict"), [(4, "too few samples"), (5, "slower")])
def test_five_samples_are_enough(count: int, verdict: str) -> None:
    assert timed([1.0] * count, [2.0] * 7).verdict == verdict
    assert timed([1.0] * 7, [2.0] * count).verdict == verdict


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(1.0201, "no clear change"), (1.0205, "slower"), (0.9805, "no clear change"), (0.9799, "faster")],
)
def test_two_percent_are_nothing(after: float, verdict: str) -> None:
    assert timed([1.0] * 7, [after] * 7).verdict == verdict


def test_what_else_may_differ_in_its_words() -> None:
    here, there = ENVIRONMENT, replace(
        ENVIRONMENT, cores=4, system="Linux z80", target="fma512", versions={"vecphe": "0.2.0", "a": "1"}
    )  # fmt: skip
    naive = record("naive", environment=replace(here, engine="phe"))
    before = results(naive, record(environment=here))
    after = results(naive, record(environment=there), complete=False)
    assert list(differences(before, after)) == [
        "different targets: ifma512 and fma512",
        "different numbers of cores: 2 and 4",
        "different systems: Linux x86_64 and Linux z80",
        "different versions: vecphe 0.1.0 and a 1 vecphe 0.2.0",
        "the second run was interrupted",
    ]
    assert list(differences(after, before))[-1] == "the first run was interrupted"
    only = results(naive), results(record("naive", environment=replace(here, engine="other")))
    assert list(differences(*only)) == ["different engines: phe and other"]


@pytest.mark.parametrize(("loop", "told"), [(1.019, False), (1.021, True), (0.981, False), (0.979, True)])
def test_a_loop_that_took_longer_is_told_beyond_two_percent(loop: float, told: bool) -> None:
    notes = list(differences(results(record()), results(record(reference=[loop] * 7))))
    text = f"the naive loop took {loop:.2f} times as long in the second run: the machine was not the same"
    assert notes == ([text] if told else [])


def test_what_stands_in_one_file_is_told_in_order() -> None:
    names = "zyxwvut"
    rows = [
        record(case=replace(CASE, values=i + 1), environment=replace(ENVIRONMENT, engine=e))
        for i, e in enumerate(names)
    ]
    told = list(differences(results(*rows), results(*rows[:1])))
    assert told == ["different engines: t, u, v, w, x, y, z and z"]


def test_rows_without_a_loop_are_told() -> None:
    one, two = record(), record(case=replace(CASE, clients=3))
    bare = record(case=replace(CASE, clients=3), reference=[])
    text = "a file has no naive loop beside some rows: there a machine that was busier looks like a change"
    assert list(differences(results(one, two), results(one, bare))) == [text]
    assert list(differences(results(one, bare), results(one, two))) == [text]
    assert list(differences(results(one), results(one))) == []
    assert unmatched(results(one, two), results(one)) == ([two], [])


def test_fewer_than_four_samples_leave_everything_open() -> None:
    for reference in (None, (3.0, 12.0)):
        found = timed([1.0] * 3, [2.0] * 3, reference)
        assert (found.low, found.high, found.verdict) == (0.0, math.inf, "too few samples")
