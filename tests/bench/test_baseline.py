"""What an update of a baseline tells, line by line."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from vecphe.arithmetic import engine_named
from vecphe.bench import baseline
from vecphe.bench.baseline import Baseline, EngineRows, Speed, changes, count_changes, load_baseline, save_baseline
from vecphe.bench.environment import Environment
from vecphe.errors import SerializationError

OLD = EngineRows(
    "t",
    "A CPU",
    "2026-01-01",
    {"vecphe": "1"},
    {"a": {"x": 4, "y": 1}, "b": {}},
    {"speed: a": Speed(2.0, 2.5, 1.0, 3.0)},
)


def test_counts_that_differ() -> None:
    assert list(count_changes({"a": 4, "b": 2, "c": 0}, {"a": 5, "b": 2, "d": 3, "e": 0})) == [
        "a 4 -> 5 (+25 %)",
        "d 0 -> 3",
    ]
    assert list(count_changes({"a": 8}, {})) == ["a 8 -> 0 (-100 %)"]
    assert list(count_changes({"a": 3000}, {"a": 3001})) == ["a 3000 -> 3001 (+0.0333 %)"]


def test_what_an_update_changes() -> None:
    assert list(changes(OLD, OLD)) == []
    new = replace(
        OLD,
        target="u",
        cpu="B CPU",
        date="2027-01-01",
        counts={"a": {"x": 5, "y": 1}, "c": {"z": 1}},
        speeds={"speed: a": Speed(2.5, 9.0, 9.0, 9.0), "speed: c": Speed(12.34567, 13.0, 1.0, 1.0)},
    )
    assert list(changes(OLD, new)) == [
        "target: t -> u",
        "cpu: A CPU -> B CPU",
        "a: x 4 -> 5 (+25 %)",
        "b: 0 counts -> no row",
        "c: no row -> 1 count",
        "speed: a: 2 -> 2.5 (+25.0 %)",
        "speed: c: no row -> 12.35",
    ]
    assert list(changes(None, replace(OLD, counts={}))) == [
        "target: none -> t", "cpu: none -> A CPU", "speed: a: no row -> 2",
    ]  # fmt: skip


def test_a_baseline_survives_a_file_and_has_rows_of_the_engine_it_requires(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    whole = Baseline("fma512", {"fma512": OLD, "gmp": replace(OLD, speeds={})})
    save_baseline(path, whole)
    assert load_baseline(path) == whole
    save_baseline(path, Baseline("x" * 41, {"gmp": OLD}))
    with pytest.raises(SerializationError) as told:
        load_baseline(path)
    assert str(told.value) == f"{path}: engine: '{'x' * 40}' has no rows under engines"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"cpu family": "6", "model": "85"}, "Test CPU (family 6, model 85)"),
        ({"model": "85"}, "Test CPU (model 85)"),
        ({}, "Test CPU"),
    ],
)
def test_a_cpu_is_named_as_finely_as_the_system_tells(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], name: str
) -> None:
    monkeypatch.setattr(baseline, "cpu_model", lambda: "Test CPU")
    monkeypatch.setattr(baseline, "cpu_fields", lambda: fields)
    assert baseline.cpu_name() == name


def test_rows_that_go_are_told_too() -> None:
    new = replace(OLD, counts={}, speeds={})
    assert list(changes(OLD, new)) == ["a: 2 counts -> no row", "b: 0 counts -> no row", "speed: a: 2 -> no row"]
    assert list(changes(OLD, replace(OLD, speeds={"speed: a": Speed(2.0, 9.0, 9.0, 9.0)}))) == []


def test_rows_that_were_taken_here_say_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "cpu_name", lambda: "A CPU (family 6)")
    engine = engine_named("gmp")
    speeds = {"speed: a": Speed(1.0, 1.0, 1.0, 1.0)}
    rows = EngineRows.measured(engine, {"a": {"x": 1}}, speeds)
    here = Environment.current("gmp")
    today = datetime.date.today().isoformat()
    assert rows == EngineRows(here.target, "A CPU (family 6)", today, here.versions, {"a": {"x": 1}}, speeds)
