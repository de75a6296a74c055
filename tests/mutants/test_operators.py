"""Faults drawn at random: what may be changed in a text, and what is left alone."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from tests.mutants.equivalents import EQUIVALENTS, KINDS, Kind, Tuned, is_equivalent
from tests.mutants.model import SOURCE, StaleMutantError
from tests.mutants.operators import Change, changes_of
from tests.mutants.sample import all_changes, draw


@pytest.fixture(scope="module")
def everything() -> list[Change]:
    return all_changes()


def changes(tmp_path: Path, text: str) -> list[Change]:
    (tmp_path / "vecphe").mkdir()
    (tmp_path / "vecphe" / "a.py").write_text(text, encoding="utf-8")
    return changes_of(tmp_path, "a.py")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = a < b", {"x = (a <= b)", "x = (a >= b)"}),
        ("x = a is b", {"x = (a is not b)"}),
        ("x = a in b", {"x = (a not in b)"}),
        ("x = 1", {"x = 2", "x = 0"}),
        ("x = 0", {"x = 1", "x = (-1)"}),
        ("x = True", {"x = False"}),
        ("x = a and b", {"x = (a or b)", "x = (a)", "x = (b)"}),
        ("x = not a", {"x = (a)"}),
        ("x = -a", {"x = (a)"}),
        ("x = ~a", {"x = (a)"}),
        ("x = a + b", {"x = (a - b)"}),
        ("x += a", {"x -= a"}),
        ("x = a << b", {"x = (a >> b)"}),
        ("x = a if b else c", {"x = (a if True else c)", "x = (a if False else c)"}),
        ("x = min(a, b)", {"x = max(a, b)"}),
        ("x = np.any(a)", {"x = np.all(a)"}),
        ("x = abs(a)", {"x = (a)"}),
        ("f(a, b=c)", {"pass", "f(a)"}),
        ("x = [a for a in b if c]", {"x = [a for a in b]"}),
        ("raise A", {"pass"}),
        ("def f(a=1): pass", {"def f(a=2): pass", "def f(a=0): pass"}),
        ("def f(a): return a", {"def f(a): return None"}),
        ("if a: b = c", {"if True: b = c", "if False: b = c", "if not (a): b = c"}),
        ("while a: b = c", {"while False: b = c"}),
        ("for a in b: break", {"for a in b: continue"}),
        ("@f(a=b)\ndef g(): pass", {"@f()"}),
        ("é = '€', 1", {"é = '€', 2", "é = '€', 0"}),
        ("'docstring'", set()),
        ("__all__ = [f(a=1)]", set()),
        ("if TYPE_CHECKING: x = 1", set()),
        ("def f(a: A[1]) -> B[1]: pass", set()),
        ("x: A[1] = a", set()),
        ("x = f'{1:>5}'", set()),
        ("x = '%d' % a", set()),
    ],
)
def test_the_faults_of_a_line(tmp_path: Path, line: str, expected: set[str]) -> None:
    found = changes(tmp_path, line)
    assert {change.after for change in found} == expected
    for change in found:
        assert change.mutated(tmp_path) == line.replace(change.before.split("#")[0], change.after)


def test_exceptions_are_left_out_one_by_one(tmp_path: Path) -> None:
    found = changes(tmp_path, "try:\n    x = a\nexcept (A, B):\n    x = b\n")
    assert {change.after for change in found} == {"except (A,):", "except (B,):"}


def test_a_fault_says_where_it_is_and_which_lines_run_then(tmp_path: Path) -> None:
    head = "X = 1\nclass A(\n    b=True\n):\n    def f(\n        self, a=0\n    ):\n"
    text = f"{head}        if (\n            a > b\n        ):\n            c\n"
    found = {
        change.after: (change.name, change.line, change.runs_in, change.target) for change in changes(tmp_path, text)
    }
    assert found["X = 2"] == ("vecphe.a", 1, range(0), "X")
    assert found["b=False"] == ("vecphe.a.A", 3, range(0), "A")
    assert found["self, a=1"] == ("vecphe.a.A.f", 6, range(8, 12), "")
    assert found["(a >= b)"] == ("vecphe.a.A.f", 9, range(8, 11), "")


def test_no_fault_is_planted_in_a_line_that_has_changed(tmp_path: Path) -> None:
    """At the place of another text it would make no Python, which every test sees."""
    text = "x = 1\ny = a < b\n"
    *_, fault = changes(tmp_path, text)
    file = tmp_path / "vecphe" / "a.py"
    file.write_text(text + "z = 3\n", encoding="utf-8")
    assert fault.mutated(tmp_path) == f"x = 1\n{fault.after}\nz = 3\n"
    for changed in ("x = 1\n\ny = a < b\n", "x = 1\ny = a < c\n", "x = 1\n", ""):
        file.write_text(changed, encoding="utf-8")
        with pytest.raises(StaleMutantError, match=r"^src/vecphe/a.py was changed after .*; draw again$"):
            fault.mutated(tmp_path)


def test_every_fault_of_the_package_is_python(everything: list[Change]) -> None:
    assert len(everything) > 5000
    for change in everything[:: len(everything) // 300]:
        ast.parse(change.mutated(SOURCE))


def test_a_draw_is_repeated_by_its_seed(everything: list[Change]) -> None:
    chosen, passed_over = draw(everything, 60, 1)
    assert len(set(chosen)) == 60
    assert draw(everything, 60, 1) == (chosen, passed_over)
    assert draw(everything, 60, 2)[0] != chosen
    assert not any(map(is_equivalent, chosen))
    assert all(map(is_equivalent, passed_over))


def test_equivalents_stand_in_the_sources_and_have_a_reason(everything: list[Change]) -> None:
    keys = [known.key for known in EQUIVALENTS]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= {change.key for change in everything}
    assert all(len(known.reason) > 20 for known in EQUIVALENTS)


@pytest.mark.parametrize("module", ["vecphe.randomness.ready", "vecphe.system.lifetime"])
def test_a_negative_time_to_sleep_is_no_equivalent(everything: list[Change], module: str) -> None:
    """`time.sleep` refuses it."""
    looks = [c for c in everything if c.name == module and c.before.startswith("_SECONDS_BETWEEN_LOOKS")]
    assert [("(-" in c.after, is_equivalent(c)) for c in looks] == [(True, False), (False, True)]


def test_what_an_estimate_tells_is_no_tuning(everything: list[Change]) -> None:
    told = [c for c in everything if c.before.startswith(("_START_SECONDS =", "_REPORT_SECONDS ="))]
    assert len(told) == 4
    assert not any(map(is_equivalent, told))


def test_kinds_of_equivalents_are_found_and_nothing_else(everything: list[Change]) -> None:
    found = {kind: [change for change in everything if kind.has(change)] for kind in KINDS}
    for kind, changes in found.items():
        assert 0 < len(changes) < 300
        assert len(kind.reason) > 20
    reshape, strict = (
        next(changes for kind, changes in found.items() if isinstance(kind, Kind) and word in kind.pattern)
        for word in ("reshape", "strict")
    )
    assert {change.after.count("-2") - change.before.count("-2") for change in reshape} == {1}
    assert {change.after.count("strict=True") - change.before.count("strict=True") for change in strict} == {-1}
    assert not any("csv.reader" in change.before for change in strict)
    assert not any(change.name == "vecphe.arithmetic.gmp.GmpRing.multiply" for change in strict)


@pytest.mark.parametrize(
    ("before", "after", "has"),
    [
        ("_CHUNK = 1 << 14 # values", "_CHUNK = 1 << 15 # values", True),
        ("_CHUNK = 1 << 14 # values", "_CHUNK = 1 << 16", True),
        ("_CHUNK = 1 << 14", "_CHUNK = 1 << 17", False),
        ("_CHUNK = 1 << 14", "_CHUNK = (1 >> 14)", False),
        ("_CHUNK = 1 << 14", "_CHUNK = 0 << 14", False),
        ("_OTHER = 1 << 14", "_OTHER = 1 << 15", False),
        ("_CHUNK = len(x)", "_CHUNK = len(y)", False),
        ("chunk=8,", "chunk=9,", True),
    ],
)
def test_constants_of_tuning_may_have_a_near_value(before: str, after: str, has: bool) -> None:
    kind = Tuned("vecphe.a", "_CHUNK|chunk")
    change = Change("a.py", "vecphe.a", 0, 1, b"", 1, range(0), "", before, after)
    assert kind.has(change) == has
    assert not kind.has(replace(change, name="vecphe.b"))
