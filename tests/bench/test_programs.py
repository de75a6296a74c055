"""The programs of `benchmarks` still find what they measure: on short keys, a few values, and nothing timed long."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks import calls, gpu, lines, operation_counts, time_profile
from benchmarks.measure import Comparison, Figure, hold
from benchmarks.peers import test_peers
from benchmarks.saved import stamped

from vecphe import PublicKey
from vecphe.arithmetic import active_engine, available_engines
from vecphe.arithmetic.gmp import GmpRing, Pairs
from vecphe.bench import workloads
from vecphe.bench.count_rows import CALLS, Subject
from vecphe.bench.environment import use_engine
from vecphe.bench.estimate import Plan
from vecphe.errors import BenchmarkError

PORTABLE = dict(available_engines())["portable"]


def test_a_profile_has_every_part_and_nothing_is_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_profile, "WORKLOADS", ((3, 11, 1),))
    content = stamped(**time_profile.measure())
    (found,) = content["profiles"]
    assert found["parts"].keys() == {name for _, _, name in time_profile.watched()} | {time_profile.REST}
    assert sum(found["parts"].values()) == pytest.approx(found["round"])
    assert min(found["parts"].values()) > 0
    table = time_profile.as_table(content)
    assert table[2] == "| part | 3 clients, 11 values |"
    assert len(table) == 4 + len(found["parts"]) + 2


@pytest.mark.skipif(PORTABLE is not None, reason=f"engine portable does not run here: {PORTABLE}")
def test_operations_of_an_encryption_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation_counts, "COUNT", 8)
    with use_engine("portable"):
        found = operation_counts.measured(1024)
    assert (found["steps"], found["limbs"]) == (63, 20)
    assert found["multiply_adds"] > 63 * 2 * 20**2
    assert operation_counts.cells(found, 1e9)[:2] == ["1024", "63"]


@pytest.mark.parametrize(
    ("call", "theirs"), [("encrypt", ""), ("decrypt", ""), ("add", ""), ("times_plain", "multiply")]
)
def test_a_row_is_a_ratio_of_checked_calls(call: str, theirs: str) -> None:
    goals = {active_engine().name: 1e9}
    figure = lines.Row("key", "name", call, (4, 2), goals, theirs=theirs, length=512, pairs=1).measured()
    assert (figure.name, figure.unit, figure.target, figure.met) == ("name, against phe", "x", 1e9, False)
    assert figure.value > 0


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_result_of_a_call_is_seen(name: str) -> None:
    subject = Subject(workloads.keypair(512), workloads.values(5))
    call = CALLS[name](subject)
    subject.check(call.run(), call)
    with pytest.raises(BenchmarkError, match="a wrong result"):
        subject.check(call.run(), call._replace(expected=call.expected * (1 + 1e-9)))


@pytest.mark.parametrize("name", ["encrypt", "decrypt", "add", "sum", "multiply"])
def test_a_wrong_result_of_another_library_is_seen(name: str) -> None:
    right = calls.peer("phe", 512)

    def wrong(numbers: list[Any]) -> list[float]:
        return [1.001 * value for value in right.decrypt(numbers)]

    parts = {**vars(right), "sum": lambda numbers: [sum(numbers[1:], numbers[0])]}
    calls.checked_of(type(right)(**parts), name, [1.5, -2.0])
    with pytest.raises(AssertionError):
        calls.checked_of(type(right)(**parts | {"decrypt": wrong}), name, [1.5, -2.0])


@pytest.mark.parametrize("method", ["multiply", "multiply_plain", "product", "invert", "power_secret", "load_bytes"])
def test_a_wrong_operation_of_an_engine_is_seen(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = workloads.keypair(512, "gmp")
    gpu.check(keys)
    right = getattr(GmpRing, method)

    def wrong(*arguments: Any) -> Pairs:
        batch = right(*arguments)
        return Pairs(batch.x0, [x1 + 1 for x1 in batch.x1])

    monkeypatch.setattr(GmpRing, method, wrong)
    with pytest.raises(SystemExit, match="WRONG at 512 bits"):
        gpu.check(keys)


def test_the_estimate_is_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "ESTIMATED", {active_engine().name: (Plan(3, 2, 512, packed=False),)})
    (figure,) = lines.estimates()
    assert figure.name == "estimate of 3 clients, 2 values, 512 bits, unpacked, off by"
    assert figure.at_most


def test_what_is_missed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    fast = Comparison(2.0, 6.0, 3.0).figure("a", "one", **{active_engine().name: 3})
    slow = Figure("b", "two", 2.0, "s", at_most=True, target=1.0)
    assert hold([fast]) == ([fast], 0)
    assert hold([fast, slow]) == ([fast, slow], 1)
    captured = capsys.readouterr()
    assert "3 x" in captured.out
    assert captured.err == "1 of 2 targets missed: two\n"


IPCL = """
class PaillierKeypair:
    def generate_keypair(key_length, djn):
        return type("Public", (), {"encrypt": Vector}), type("Private", (), {"decrypt": lambda vector: vector})

class Vector(list):
    def __add__(self, other):
        return Vector(a + b for a, b in zip(self, other))
"""


@pytest.mark.parametrize(("name", "installed"), [("ipcl", True), ("ipcl", False), ("fate_utils", False)])
def test_a_library_in_another_python_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, installed: bool
) -> None:
    if installed:
        (tmp_path / "ipcl_python.py").write_text(IPCL, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if not installed:
        with pytest.raises(pytest.skip.Exception, match=f"{name} NOT COMPARED: No module named"):
            test_peers.other_python(sys.executable, name, 1024).__enter__()
        return
    with test_peers.other_python(sys.executable, name, 1024) as ask:
        assert ask(phase="encrypt", values=[1.5, -2.0]) is None
        assert ask(phase="decrypt") == [1.5, -2.0]
        assert ask(phase="add") is None
        assert ask(phase="decrypt") == [3.0, -4.0]


@pytest.mark.parametrize("name", ["vecphe", "phe"])
def test_each_library_is_timed_by_its_own_calls(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """And not ours under the names of others."""
    timed: list[Any] = []
    seen: list[str] = []
    right = calls.peer("phe", 512)
    watched = type(right)(**{**vars(right), "encrypt": lambda values: seen.append("phe") or right.encrypt(values)})
    monkeypatch.setattr(test_peers, "peer", lambda *_: watched)
    monkeypatch.setattr(PublicKey, "encrypt", watched_encrypt(seen))
    test_peers.test_peer(timed.append, name, "encrypt", workloads.values(3), 512)
    seen.clear()
    timed[0]()
    assert seen == [name]


def watched_encrypt(seen: list[str]) -> Any:
    encrypt = PublicKey.encrypt

    def watched(key: PublicKey, *arguments: Any, **options: Any) -> Any:
        seen.append("vecphe")
        return encrypt(key, *arguments, **options)

    return watched
