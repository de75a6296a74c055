"""Figures as text, on both sides of where their units change."""

from __future__ import annotations

import pytest
from tests.bench.made import CASE, record

from vecphe.bench.tables import COLUMNS, cells, duration, size, times

HOUR, DAY, YEAR = 3600, 86_400, 365.25 * 86_400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 us"),
        (1.2345e-6, "1.23 us"),
        (999.4e-6, "999 us"),
        (999.6e-6, "1 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (12.345, "12.3 s"),
        (999.4, "999 s"),
        (999.6, "999.6 s"),
        (1234.56, "1235 s"),
        (5999.4, "5999 s"),
        (6000, "1.67 h"),
        (48 * HOUR - 1, "48 h"),
        (48 * HOUR, "2 days"),
        (2 * YEAR - DAY, "730 days"),
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
    ("ratio", "text"), [(0.01234, "0.0123x"), (2, "2x"), (999.4, "999x"), (999.6, "1000x"), (12345.6, "12346x")]
)
def test_ratios(ratio: float, text: str) -> None:
    assert times(ratio) == text


def test_a_row() -> None:
    same = {
        phase: [seconds] * 3
        for phase, seconds in zip(("encrypt", "add", "decrypt", "round"), (1, 2, 3, 6.5), strict=True)
    }
    made = record(samples=same, reference=[13.0] * 3, bytes_per_value=123.456, memory=3 << 20)
    assert dict(zip(COLUMNS, cells(made), strict=True)) == {
        "key bits": "2048", "clients": "5", "values": "11", "backend": "packed", "encrypt": "1 s", "add": "2 s",
        "decrypt": "3 s", "round": "6.5 s", "speed-up": "2x", "bytes/value": "123.5", "memory": "3 MiB",
    }  # fmt: skip
    less = record(samples=same, reference=[], memory=None, measured_values=CASE.values - 1)
    assert cells(less)[4:] == ("~1 s", "~2 s", "~3 s", "~6.5 s", "-", "512", "-")
