"""What a party remembers, entry by entry: of its own run alone, and both sides of every limit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vecphe.errors import ProtocolError
from vecphe.flower.memory import Memory

RUN, OTHER = "a" * 32, "b" * 32
ENDED = "this run has ended; a new one needs a new key and a new roster"


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    memory = Memory(tmp_path / "memory.db", RUN)
    memory.agree("roster", b"plan")
    return memory


@pytest.fixture
def other(memory: Memory) -> Memory:
    """Of another run, in the same file."""
    other = Memory(memory.path, OTHER)
    other.agree("another-roster", b"another plan")
    return other


def refusal(work: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(ProtocolError) as told:
        work(*arguments)
    return str(told.value)


def test_h67_neither_file_may_be_open_to_others(memory: Memory) -> None:
    for path in (memory.path, memory.path.with_name("memory.db.lock")):
        path.chmod(0o604)
        with pytest.raises(PermissionError) as told:
            Memory(str(memory.path), RUN)
        assert str(told.value) == f"{path}: others can read or change this file; chmod 600 {path}"
        path.chmod(0o600)
    assert Memory(str(memory.path), RUN).plan() == b"plan"


def test_h55_what_is_written_is_on_the_disk_and_what_is_deleted_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what SQLite is asked for: some builds of it do so unasked."""
    asked: list[tuple[str, dict[str, Any]]] = []
    said: list[str] = []

    class Watched(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            said.append(statement)
            return super().execute(statement, *values)

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3,
        "connect",
        lambda path, **how: asked.append((path.name, how)) or connect(path, factory=Watched, **how),
    )
    memory = Memory(tmp_path / "m", RUN)
    assert said[:2] == ["PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON"]
    with memory.transaction():
        assert said[-1] == "BEGIN IMMEDIATE"
    with memory.alone():
        assert said[-1] == "BEGIN EXCLUSIVE"
    how = {"timeout": 3600.0, "isolation_level": None}
    assert asked == [("m", how), ("m.lock", how), ("m.lock", how)]


def test_tables_are_made_once(memory: Memory) -> None:
    """By the faster one of two processes that find none."""
    memory._make_tables()
    assert memory.plan() == b"plan"
    assert memory._db.execute("PRAGMA user_version").fetchone() == (1,)
    memory.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        memory.plan()
    with sqlite3.connect(memory.path) as file:
        file.execute("PRAGMA user_version = 2")
    assert refusal(Memory, memory.path, RUN) == "a memory of version 2, which this vecphe does not know"


def test_h51_roster_and_plan_of_a_run_are_fixed(memory: Memory, other: Memory) -> None:
    memory.agree("roster", b"plan")
    assert refusal(memory.agree, "another-roster", b"plan") == "the roster of this run is another than before"
    assert refusal(memory.agree, "roster", b"another plan") == (
        "the plan or the public key of this run is another than before; they are fixed"
    )
    memory = Memory(memory.path, "d" * 32)
    memory.agree("roster", b"plan", "A")
    text = "this memory is another party's; each party needs a file of its own"
    assert refusal(memory.agree, "roster", b"plan", "B") == refusal(memory.agree, "roster", b"plan") == text
    assert (memory.plan(), other.plan()) == (b"plan", b"another plan")
    assert refusal(Memory(memory.path, "c" * 32).plan) == "no plan was agreed on for this run yet"


def filled(memory: Memory, number: int, attempt: int) -> None:
    with memory.transaction():
        memory.begin(number, attempt)
        memory.keep_answer(number, attempt, "task", b"request", [memory.run.encode(), b"second"])
        memory.keep_update(number, "model", 7, memory.run.encode())


def kept(memory: Memory, number: int, attempt: int) -> tuple[Any, Any]:
    return memory.answer(number, attempt, "task", b"request"), memory.update(number, "model")


def of(memory: Memory) -> tuple[Any, Any]:
    return [memory.run.encode(), b"second"], (7, memory.run.encode())


def test_h54_rounds_and_attempts_go_forward(memory: Memory) -> None:
    for place in ((3, 2), (3, 2), (3, 3), (4, 1)):
        memory.begin(*place)
    assert refusal(memory.begin, 3, 9) == "a message of round 3, but round 4 has begun"
    memory.begin(4, 5)
    assert refusal(memory.begin, 4, 4) == "a message of attempt 4 of round 4, but attempt 5 has begun"
    memory.begin(4, 5)
    assert (memory.next_attempt(4), memory.next_attempt(6), memory.next_attempt(6)) == (6, 1, 2)


def test_what_belongs_to_older_rounds_of_the_run_is_forgotten(memory: Memory, other: Memory) -> None:
    for each in (memory, other):
        filled(each, 2, 1)
    memory.begin(2, 2)
    assert kept(memory, 2, 1) == of(memory)
    memory.begin(3, 1)
    assert kept(memory, 2, 1) == (None, None)
    assert kept(other, 2, 1) == of(other)
    assert memory._db.execute("SELECT run, part FROM parts ORDER BY number").fetchall() == [
        (OTHER, OTHER.encode()), (OTHER, b"second"),
    ]  # fmt: skip


def test_h54_an_answer_is_of_its_request_and_place(memory: Memory) -> None:
    filled(memory, 2, 1)
    text = "two different task messages of attempt 1 of round 2"
    assert refusal(memory.answer, 2, 1, "task", b"another request") == text
    for place in ((1, 1, "task"), (2, 2, "task"), (2, 1, "total")):
        assert memory.answer(*place, b"request") is None
    text = "round 2 began with another model; a client answers for one a round"
    assert refusal(memory.update, 2, "another model") == text
    assert memory.update(1, "model") is None


def test_the_mean_of_a_round_is_kept_for_who_asked_for_it(memory: Memory) -> None:
    assert memory.kept_mean(2, b"asked") is None
    memory.keep_answer(2, 0, "mean", b"asked", [b"the mean", b"more"])
    assert memory.kept_mean(2, b"asked") == b"the mean"
    assert memory.kept_mean(2, b"another") is None
    assert memory.kept_mean(3, b"asked") is None


def test_h55_decisions_are_those_of_the_run(memory: Memory, other: Memory) -> None:
    assert memory.decided == 0
    for number in (2, 5, 3):
        memory.decide(number, 1)
    other.decide(9, 1)
    assert (memory.decided, other.decided) == (5, 9)
    assert refusal(memory.decide, 3, 2) == "a sum of round 3 was decrypted before; at most one is"


def test_a_model_is_the_one_that_was_saved_last(memory: Memory, other: Memory) -> None:
    assert memory.model() is None
    memory.save_model(3, 2, b"model")
    memory.save_model(5, 4, b"later")
    other.save_model(1, 1, b"another")
    assert (memory.model(), other.model()) == ((5, 4, b"later"), (1, 1, b"another"))


def test_the_end_of_a_run_ends_no_other(memory: Memory, other: Memory) -> None:
    for each in (memory, other):
        filled(each, 2, 1)
    memory.end()
    assert refusal(memory.plan) == refusal(memory.agree, "roster", b"plan") == ENDED
    assert kept(memory, 2, 1) == (None, None)
    assert (other.plan(), kept(other, 2, 1)) == (b"another plan", of(other))
