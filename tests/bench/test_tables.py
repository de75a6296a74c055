"""Figures as text, on both sides of where their units change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.bench.made import CASE, record, results

from vecphe.bench.records import Figure, Record, Results
from vecphe.bench.tables import COLUMNS, cells, duration, figure_text, latex_table, sentence, size, times
from vecphe.system.plurals import counted

HOUR, DAY, YEAR = 3600, 86_400, 365.25 * 86_400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 us"),
        (1.2345e-6, "1.23 us"),
        (999.4e-6, "999 us"),
        (999.6e-6, "1 ms"),
        (0.9994, "999 ms"),
        (0.9995, "1 s"),
        (0.9996, "1 s"),
        (12.345, "12.3 s"),
        (999.4, "999 s"),
        (999.6, "999.6 s"),
        (1234.56, "1235 s"),
        (5999.4, "5999 s"),
        (6000, "1.67 h"),
        (10.05 * HOUR - 1, "10 h"),
        (10.05 * HOUR + 1, "10.1 h"),
        (48 * HOUR - 1, "48 h"),
        (48 * HOUR, "2 days"),
        (10.05 * DAY - 1, "10 days"),
        (10.05 * DAY + 1, "10.1 days"),
        (2 * YEAR - DAY, "730 days"),
        (2 * YEAR - 365, "730 days"),
        (2 * YEAR, "2 years"),
        (12345 * YEAR, "12,300 years"),
        (9994 * YEAR, "9990 years"),
        (9996 * YEAR, "10,000 years"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(1234.56, "1235 s"), (12.345, "12 s"), (7000, "1.9 h"), (3e-6, "3 us")])
def test_durations_of_two_digits(seconds: float, text: str) -> None:
    assert duration(seconds, 2) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        ((1000 << 10) - 1, "1000 KiB"),
        (1000 << 10, "0.977 MiB"),
        (1 << 20, "1 MiB"),
        ((1000 << 20) - 1, "1000 MiB"),
        (1000 << 20, "0.977 GiB"),
        (1000 << 30, "0.977 TiB"),
        (1 << 40, "1 TiB"),
        ((1000 << 40) - 1, "1000 TiB"),
        (1000 << 40, "0.977 PiB"),
        (3 << 50, "3 PiB"),
    ],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.01234, "0.0123x"), (2, "2x"), (999.4, "999x"), (999.5, "1000x"), (999.6, "1000x"), (12345.6, "12346x")],
)
def test_ratios(ratio: float, text: str) -> None:
    assert times(ratio) == text


def made(**changes: Any) -> Record:
    times = zip(("encrypt", "add", "decrypt", "round"), (1, 2e-3, 3, 6.5), strict=True)
    return record(samples={phase: [0.9 * t, *[t] * 8, 1.1 * t] for phase, t in times}, **changes)


def test_a_row() -> None:
    whole = made(reference=[13.0] * 10, bytes_per_value=123.456, memory=5 << 20)
    assert dict(zip(COLUMNS, cells(whole), strict=True)) == {
        "key bits": "2048", "clients": "5", "values": "11", "backend": "packed", "encrypt": "1 s (0.9-1.1)",
        "add": "2 ms (1.8-2.2)", "decrypt": "3 s (2.7-3.3)", "round": "6.5 s (5.85-7.15)",
        "speed-up": "2x (1.82-2.22)", "samples": "10", "bytes/value": "123.5", "memory": "5 MiB",
    }  # fmt: skip
    less = made(reference=[], memory=None, measured_values=CASE.values - 1)
    assert cells(less)[4:7] == ("~1 s (0.9-1.1)", "~2 ms (1.8-2.2)", "~3 s (2.7-3.3)")
    assert cells(less)[8:] == ("-", "10", "512", "-")


def test_a_row_that_says_little_says_so() -> None:
    """What is held against a scaled loop is marked, few samples have no interval, and little memory is noise."""
    times = {phase: [1.0, 2.0, 3.0] for phase in ("encrypt", "add", "decrypt", "round")}
    few = record(samples=times, reference=[4.0] * 3, reference_extrapolated=True, memory=(4 << 20) - 1)
    assert cells(few)[7:] == ("2 s (?)", "~2x (?)", "3, noisy", "512", "< 4 MiB")
    assert cells(record(memory=4 << 20))[-1] == "4 MiB"
    assert cells(record("naive"))[8] == "1x"
    assert cells(record("naive"))[3] == "naive (phe)"


def test_the_result_in_a_sentence() -> None:
    assert sentence(Results()) == ""
    small, large = made(reference=[13.0] * 10), made(case=replace(CASE, values=1), reference=[])
    assert sentence(results(large, record("naive", replace(CASE, values=9)), small)) == (
        "With keys of 2048 bits, a round of 5 clients with 11 values each takes 6.5 s packed, 2x as fast as a loop "
        "over phe: the median of 10 samples, 99 % interval 1.82x to 2.22x. Engine ifma, Test CPU, 1 worker."
    )
    assert sentence(results(large)) == (
        "With keys of 2048 bits, a round of 5 clients with 1 value each takes 6.5 s packed. "
        "Engine ifma, Test CPU, 1 worker."
    )
    scaled = sentence(results(made(reference=[13.0] * 5 + [26.0] * 5, reference_extrapolated=True, jobs=2)))
    assert "a loop over phe (extrapolated from fewer values): the median" in scaled
    assert scaled.endswith("2 workers. NOISY.")
    assert "takes 998 ms naive (phe). " in sentence(results(record("naive")))


def test_a_table_for_a_paper() -> None:
    rows = [
        made(reference=[13.0] * 10, measured_values=3),
        record("naive", replace(CASE, key_length=1024), memory=None),
    ]
    lines = latex_table(results(*rows, warnings=("a warning",))).splitlines()
    assert lines[0].startswith("% With keys of 2048 bits")
    assert lines[1] == "% a warning"
    assert lines[3:7] == [r"\begin{tabular}{rrrlrrrrrrr}", r"\toprule", lines[5], r"\midrule"]
    assert lines[5] == (
        r"key bits & clients & values & backend & encrypt & add & decrypt & round & speed-up & samples & bytes/value \\"
    )
    assert lines[7].startswith("1024 & 5 & 11 & naive (phe) & 703 ms (")
    assert r" & 1$\times$ & 7 & " in lines[7]
    assert lines[8] == r"\addlinespace"
    assert lines[9] == (
        r"2048 & 5 & 11 & packed & $\sim$1 s (0.9--1.1) & $\sim$2 ms (1.8--2.2) & $\sim$3 s (2.7--3.3) & "
        r"$\sim$6.5 s (5.85--7.15) & $\sim$2$\times$ (1.82--2.22) & 10 & 512 \\"
    )
    assert lines[10:] == [r"\bottomrule", r"\end{tabular}"]


def test_the_sentence_is_of_the_fastest_row_of_the_largest_case() -> None:
    fast = made(reference=[26.0] * 10)
    slow = replace(made(reference=[2.0] * 10), backend="vectorized")
    unknown = replace(made(reference=[]), backend="vectorized")
    smaller = made(case=replace(CASE, clients=3, values=18), reference=[999.0] * 10)
    for rows in ((fast, slow), (slow, fast), (unknown, fast), (fast, unknown, smaller)):
        assert ", 4x as fast as a loop over phe: the median" in sentence(results(*rows))
    for rows in ((unknown, slow), (slow, unknown)):
        assert "vectorized, 0.308x as fast" in sentence(results(*rows))
    even = [made(case=replace(CASE, clients=c, values=v), reference=[13.0] * 10) for c, v in ((5, 10), (10, 5))]
    assert "of 10 clients with 5 values" in sentence(results(*even))


@pytest.mark.parametrize(("count", "text"), [(0, "0 cores"), (1, "1 core"), (2, "2 cores")])
def test_plurals(count: int, text: str) -> None:
    assert counted(count, "core") == text


def test_bytes_a_value_of_ckks_are_written_out() -> None:
    """Few values in a ciphertext of thousands of slots: no 2.137e+04."""
    column = COLUMNS.index("bytes/value")
    assert cells(made(reference=[], bytes_per_value=21373.4))[column] == "21,370"
    assert cells(made(reference=[], bytes_per_value=23.272))[column] == "23.27"


@pytest.mark.parametrize(
    ("figure", "in_seconds", "text"),
    [
        (Figure(0.05, 0.04, 0.0625), False, "0.05x (0.04-0.0625)"),
        (Figure(12345.0, 6000.0, 20000.0), False, "12345x (6000-20,000)"),
        (Figure(0.05, 0.04, 0.0625), True, "50 ms (40-62.5)"),
        (Figure(7200.0, 3600.0, 9000.0), True, "2 h (1-2.5)"),
        (Figure(0.05, 0.0, 9.0), False, "0.05x (?)"),
    ],
)
def test_an_interval_has_the_unit_of_its_figure(figure: Figure, in_seconds: bool, text: str) -> None:
    assert figure_text(figure, in_seconds) == text
