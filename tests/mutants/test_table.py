"""The table of planted faults itself; `make mutants` replays it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.mutants.model import ROOT, SOURCE, TESTS, Mutant, StaleMutantError, function_names, load_table

TABLE = load_table()


@pytest.mark.parametrize("mutant", TABLE, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_planted_and_names_tests_that_exist(mutant: Mutant) -> None:
    assert mutant.mutated(SOURCE) != (SOURCE / "vecphe" / mutant.file).read_text(encoding="utf-8")
    assert mutant.rows
    assert mutant.tests
    for test in mutant.tests:
        path, function = test.split("::")
        assert function in function_names(TESTS / path)


def test_each_mutant_stands_there_once() -> None:
    edits = [(mutant.file, mutant.old, mutant.new) for mutant in TABLE]
    assert len(set(edits)) == len(edits)


def test_text_that_is_missing_or_stands_twice_is_stale(tmp_path: Path) -> None:
    (tmp_path / "vecphe").mkdir()
    (tmp_path / "vecphe" / "a.py").write_text("x = 1\nx = 1\ny = 2\n", encoding="utf-8")
    assert Mutant((1,), "a.py", "y = 2", "y = 3", ("a::b",)).mutated(tmp_path) == "x = 1\nx = 1\ny = 3\n"
    for file, old in (("a.py", "x = 1"), ("a.py", "z = 1"), ("b.py", "x = 1")):
        with pytest.raises(StaleMutantError, match="not once"):
            Mutant((1,), file, old, "", ("a::b",)).mutated(tmp_path)


def test_lines_may_be_broken_anew(tmp_path: Path) -> None:
    (tmp_path / "vecphe").mkdir()
    broken = "if a:\n    check(\n        x,\n        [y, 1],\n    )\n"
    (tmp_path / "vecphe" / "a.py").write_text(broken, encoding="utf-8")
    for old in ("check(x, [y, 1])", "check(x, [y, 1],)", "check(\n  x,\n  [\n y,\n 1,\n],\n)"):
        assert Mutant((1,), "a.py", old, "pass", ("a::b",)).mutated(tmp_path) == "if a:\n    pass\n"
    for old in ("check(x, [y, 2])", "check(x, [y 1])", "    check(x, y)", "      check(x, [y, 1])"):
        with pytest.raises(StaleMutantError):
            Mutant((1,), "a.py", old, "pass", ("a::b",)).mutated(tmp_path)


EQUALITY = "return isinstance(other, PublicKey) and self.n == other.n"
EDITS = {
    (EQUALITY, "return self.n == other.n"): "caught",
    (EQUALITY, f"{EQUALITY}  # no change"): "SURVIVED",
    (EQUALITY, "return undefined_name"): "BROKEN",
    ("no such text", ""): "STALE",
}
SAMPLE = """\
from tests.mutants.model import Mutant
TEST = ("numbers/test_numbers.py::test_h15_equality_and_hash",)
MUTANTS = [Mutant((15,), "keys/public_key.py", old, new, TEST) for old, new in {edits!r}]
"""
LAUNCH = """\
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module("tests.mutants.replay", run_name="__main__")
"""


def test_the_replay_tells_what_became_of_each_mutant(tmp_path: Path) -> None:
    package = tmp_path / "sample_table"
    package.mkdir()
    (package / "one.py").write_text(SAMPLE.format(edits=list(EDITS)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(tmp_path), "--table", "sample_table"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    told = {name.strip(): verdict for verdict, name in re.findall(r"^\[.*?\] (\w+) +(.*)$", done.stdout, re.MULTILINE)}
    mutants = {Mutant((15,), "keys/public_key.py", *edit, ("",)): verdict for edit, verdict in EDITS.items()}
    assert told == {mutant.name.strip(): verdict for mutant, verdict in mutants.items()}, done.stdout + done.stderr
    assert done.returncode == 1


def test_a_library_that_installs_a_package_called_tests_does_not_matter(tmp_path: Path) -> None:
    package = tmp_path / "tests"
    package.mkdir()
    (package / "__init__.py").write_text("FOREIGN = True\n", encoding="utf-8")

    def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False, cwd=cwd,
        )  # fmt: skip

    elsewhere = run("-c", "import tests; assert tests.FOREIGN", cwd=tmp_path.parent)
    assert elsewhere.returncode == 0, elsewhere.stderr  # it would be found
    done = run("-m", "tests.mutants.replay", "--list", cwd=ROOT)
    assert TABLE[0].node_ids[0].removeprefix("tests/") in done.stdout, done.stderr
