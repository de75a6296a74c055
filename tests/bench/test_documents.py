"""The documents' tables come from saved results."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("cryptography.hazmat.primitives.hpke", reason="one of the tables is made by what needs it")
from benchmarks import documents, targets
from benchmarks.measure import Figure
from benchmarks.saved import stamped, with_section

from vecphe.bench.results_file import load_file, save_file
from vecphe.errors import SerializationError

LINES = [
    Figure("encrypt", "encrypt something", 163.4, "x", "1 us against 2 us", target=150),
    Figure("setup", "set-up", 0.5, "s", at_most=True, target=0.3),
    Figure("jobs", "two workers", 1.8, "x"),
]


def test_a_saved_run_gives_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = tmp_path / "saved.json"
    monkeypatch.setattr(targets, "measured_lines", lambda wanted: iter(LINES))
    monkeypatch.setattr(sys, "argv", ["targets", "--save", str(saved)])
    assert targets.main() == 1  # one target is missed
    content = load_file(saved, "vecphe-targets", "make results")
    other = {**content, "lines": content["lines"][::2], "environment": {**content["environment"], "engine": "other"}}
    text = "\n".join(targets.as_columns([content, other]))
    assert text.count("Measured by `make targets` on ") == 2
    assert f"| what | {content['environment']['engine']} | other |" in text
    assert "| encrypt something | 163 x (1 us) | 163 x (1 us) |" in text
    assert "| set-up | 0.5 s, missed 0.3 |  |" in text
    assert "| two workers | 1.8 x | 1.8 x |" in text
    assert content["machine"] in text
    assert content["environment"]["versions"]["vecphe"] in text
    amd, intel = (
        {**content, "environment": {**content["environment"], "engine": "ifma", "cpu": cpu}}
        for cpu in ("AMD EPYC", "Intel(R) Xeon(R) Processor")
    )
    assert targets.as_columns([amd, intel, other], ("jobs",))[0] == "| what | ifma, AMD | ifma, Intel | other |"
    short = targets.as_columns([content, other], ("jobs", "not there"))
    assert short == ["| what |" + short[0][8:], "|---|---|---|", "| two workers | 1.8 x | 1.8 x |"]


def test_another_file_is_refused(tmp_path: Path) -> None:
    save_file(tmp_path / "other.json", "vecphe-profile", stamped())
    with pytest.raises(SerializationError, match=r"other\.json: schema is not 'vecphe-targets'"):
        load_file(tmp_path / "other.json", "vecphe-targets", "make results")


def test_a_section_is_replaced_and_nothing_else() -> None:
    text = "before\n<!-- x -->\nold\n<!-- end of x -->\nafter\n"
    assert with_section(text, "x", ["new", "lines"]) == text.replace("old", "new\nlines")
    for bad in ("no markers", text + "<!-- x -->"):
        with pytest.raises(SerializationError, match="once"):
            with_section(bad, "x", [])


def test_the_documents_say_what_was_saved() -> None:
    assert documents.stale_documents(write=False) == []
