"""What `make gate-regressions` plants can be planted, and what it says about the gate's answers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.mutants.gate import EXAMPLE, PLANTS, PRODUCT, SLOW_PRODUCT, SLOWER, SPEEDS, Plant, complaints, slow_down
from tests.mutants.model import ROOT, SOURCE, replaced

BY_NAME = {plant.name: plant for plant in PLANTS}


@pytest.mark.parametrize("plant", [plant for plant in PLANTS if plant.fault], ids=lambda plant: plant.name)
def test_a_regression_can_be_planted(plant: Plant) -> None:
    assert plant.fault is not None
    assert plant.fault.mutated(SOURCE) != (SOURCE / "vecphe" / plant.fault.file).read_text(encoding="utf-8")


def test_the_product_can_be_slowed_down() -> None:
    path = ROOT / "src/native/generic/pair.h"
    assert "waste(x, y, k);" in replaced(path, path.name, PRODUCT, SLOW_PRODUCT)


def test_the_example_can_be_slowed_down(tmp_path: Path) -> None:
    project = shutil.copytree(EXAMPLE, tmp_path / "project")
    slow_down(project)
    changed: dict[str, Any] = {}
    exec((project / "totals.py").read_text(encoding="utf-8"), changed)
    clock = iter([0.0, 100.0, 114.9, 115.1])
    changed["perf_counter"] = lambda: next(clock)
    assert changed["add_up"]([1, 2, 3]) == 6
    assert next(clock, None) is None


def findings(**rows: str) -> list[dict[str, Any]]:
    return [{"row": row.replace("_", " "), "status": status, "text": ""} for row, status in rows.items()]


@pytest.mark.parametrize(
    ("name", "found", "status", "wrong"),
    [
        ("validation", findings(validate_256="failed", receive_256="failed", add="held"), 1, []),
        ("validation", findings(validate_256="failed", receive_256="held"), 1, ["not caught: receive 256"]),
        (
            "validation",
            findings(validate_256="failed", receive_256="failed", add="failed"),
            1,
            ["falsely named: add"],
        ),
        ("validation", findings(validate_256="failed", receive_256="failed"), 0, ["exit 0"]),
        ("nothing", findings(add="held"), 0, []),
        ("nothing", findings(add="held"), 2, ["exit 2"]),
        ("engine", findings(add="failed", sum="held"), 1, ["not caught: sum"]),
    ],
)
def test_a_wrong_answer_is_told(name: str, found: list[dict[str, Any]], status: int, wrong: list[str]) -> None:
    assert complaints(BY_NAME[name], found, status) == wrong


def test_speeds_of_other_rows_may_suffer_from_a_slower_product() -> None:
    product = [{"row": "speed: product, 2048 bits", "status": "failed", "text": ""}]
    other = [{"row": "speed: matmul", "status": "failed", "text": ""}]
    assert complaints(BY_NAME["product"], product + other, 1) == []
    assert complaints(BY_NAME["product"], product + findings(add="failed"), 1) == ["falsely named: add"]


def test_the_example_is_held_in_the_middle_between_both_speeds() -> None:
    slower = float(SLOWER.partition("started + ")[2].partition(" *")[0])
    assert slower == 1.15
    least = 1 - float(SPEEDS[-1])
    assert least * slower == pytest.approx(1 / least, abs=0.01)
