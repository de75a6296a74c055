"""The README's table comes from saved results."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import targets
from benchmarks.measure import Measured
from vecphe.errors import SerializationError

LINES = [
    targets.Line(Measured("encrypt", "encrypt something", 163.4, "x", "1 us against 2 us"), 150),
    targets.Line(Measured("setup", "set-up", 0.5, "s", at_most=True), 0.3),
    targets.Line(Measured("jobs", "two workers", 1.8, "x"), None),
]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["targets", *arguments])
    return targets.main()


def test_a_saved_run_gives_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, readme = tmp_path / "saved.json", tmp_path / "README.md"
    monkeypatch.setattr(targets, "measured_lines", lambda wanted: iter(LINES))
    assert run(monkeypatch, "--save", str(saved)) == 1  # one target is missed
    monkeypatch.undo()
    readme.write_text("before\n<!-- targets -->\nold\n<!-- end of targets -->\nafter\n", encoding="utf-8")
    assert run(monkeypatch, "--from", str(saved), "--readme", str(readme)) == 0
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- targets -->\nMeasured by `make bench` on ")
    assert text.endswith("<!-- end of targets -->\nafter\n")
    assert "old" not in text
    assert "| encrypt something | 163 x | >= 150 | 1 us against 2 us |" in text
    assert "| set-up | 0.5 s | <= 0.3 (missed) |  |" in text
    assert "| two workers | 1.8 x | - |  |" in text
    content = targets.load(saved)
    assert content["machine"] in text
    assert content["environment"]["versions"]["vecphe"] in text


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"schema": "vecphe-benchmark", "version": 1}')
    with pytest.raises(SerializationError, match=r"other\.json is no file of"):
        targets.load(path)
