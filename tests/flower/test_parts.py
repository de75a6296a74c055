"""Rosters, envelopes, memory, plans and settings, each by itself."""

from __future__ import annotations

import json
import math
import pickle
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecphe.errors import ProtocolError, SerializationError
from vecphe.flower import Identity, Member, Plan, Roster, Settings
from vecphe.flower.holder import destroy
from vecphe.flower.memory import Memory
from vecphe.flower.messages import content_digest, parts_digest
from vecphe.flower.plan import plan_for
from vecphe.flower.sealing import Header, open_envelope, place_of, seal

KEY = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def identities() -> list[Identity]:
    return [Identity.generate(name) for name in ("A", "B", "C", "Server", "Holder")]


@pytest.fixture
def roster(identities: list[Identity]) -> Roster:
    return Roster.collect([identity.member for identity in identities[:3]], identities[3].member, KEY)


# Rosters and keys


def test_a_roster_comes_back_with_its_digest(roster: Roster, tmp_path: Path) -> None:
    (tmp_path / "roster").write_bytes(roster.to_bytes())
    again = Roster.load(tmp_path / "roster")
    assert again == roster
    assert again.digest == roster.digest
    assert again.topology == "ring"


def test_a_holder_of_its_own_makes_a_star(identities: list[Identity], roster: Roster) -> None:
    members = [identity.member for identity in identities]
    star = Roster.collect(members[:3], members[3], KEY, members[4])
    assert star.topology == "star"
    assert star.digest != roster.digest
    assert Roster.from_bytes(star.to_bytes()) == star


def test_the_digest_binds_everything(roster: Roster, identities: list[Identity]) -> None:
    a, b, c = roster.members
    others = [
        replace(roster, members=(b, a, c)),
        replace(roster, members=(a, b, replace(c, name="D"))),
        replace(roster, members=(a, b, replace(c, sealing=identities[4].member.sealing))),
        replace(roster, key="f" * 32),
        replace(roster, run="f" * 32),
        replace(roster, holder=identities[4].member),
    ]
    assert len({roster.digest, *(other.digest for other in others)}) == 7


@pytest.mark.parametrize("what", ["name", "signing", "sealing"])
def test_h48_a_party_that_stands_there_twice_is_refused(roster: Roster, what: str) -> None:
    """With the keys of one party, three clients could be two."""
    a, b, c = roster.members
    twice = replace(c, **{what: getattr(a, what)})
    with pytest.raises((ProtocolError, ValueError), match=r"same|different"):
        replace(roster, members=(a, b, twice))


def test_h48_the_server_is_no_client(roster: Roster) -> None:
    with pytest.raises(ProtocolError, match="two parties of the roster have the same signing"):
        replace(roster, members=(*roster.members, replace(roster.server, name="D")))


@pytest.mark.parametrize(
    "change",
    [
        {"version": True},
        {"version": 2},
        {"kind": "party"},
        {"run": "x"},
        {"key": "F" * 32},
        {"clients": {}},
        {"clients": [1, 2, 3]},
        {"server": None},
        {"more": 1},
    ],
)
def test_h36_another_roster_is_refused(roster: Roster, change: dict[str, Any]) -> None:
    content = {**json.loads(roster.to_bytes()), **change}
    with pytest.raises(SerializationError):
        Roster.from_bytes(json.dumps(content).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"kind": "roster", "kind": "roster"}'])
def test_h37_noise_is_no_roster(data: bytes) -> None:
    with pytest.raises(SerializationError):
        Roster.from_bytes(data)


def test_h37_a_roster_has_a_mebibyte_at_most(roster: Roster, tmp_path: Path) -> None:
    path, data = tmp_path / "roster", roster.to_bytes()
    longest = data + b" " * ((1 << 20) - len(data))
    path.write_bytes(longest)
    assert Roster.from_bytes(longest) == Roster.load(path) == roster
    path.write_bytes(longest + b" ")
    with pytest.raises(SerializationError, match="not a roster of vecphe"):
        Roster.from_bytes(longest + b" ")
    with pytest.raises(OSError, match="longer than"):
        Roster.load(path)


@pytest.mark.parametrize(
    ("taken", "refused"), [("x" * 80, "x" * 81), ("x", ""), ("Klinikum M\u00fcnchen", "a\nb"), ("5", 5)]
)
def test_h77_the_name_of_a_party_is_a_short_line(identities: list[Identity], taken: str, refused: Any) -> None:
    member = replace(identities[0].member, name=taken)
    assert Member.from_bytes(member.to_bytes()) == member
    content = {**json.loads(member.to_bytes()), "name": refused}
    with pytest.raises(SerializationError, match="1 to 80 printable characters"):
        Member.from_bytes(json.dumps(content).encode())


@pytest.mark.parametrize("text", ["", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "B", 5, None])
def test_h36_a_key_of_a_party_has_one_spelling(identities: list[Identity], text: Any) -> None:
    content = {**json.loads(identities[0].member.to_bytes()), "signing": text}
    with pytest.raises(SerializationError):
        Member.from_bytes(json.dumps(content).encode())


def test_h67_the_private_file_is_its_owners_alone(identities: list[Identity], tmp_path: Path) -> None:
    path = tmp_path / "party"
    identities[0].save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Identity.load(path).member == identities[0].member
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        Identity.load(path)


def test_h14_an_identity_shows_and_ships_nothing(identities: list[Identity]) -> None:
    assert repr(identities[0]) == "Identity('A')"
    with pytest.raises(TypeError, match="refuse to be pickled"):
        pickle.dumps(identities[0])


# Envelopes


def place(roster: Roster) -> Header:
    return Header.of(roster, roster.members[0], roster.members[1], (3, 2), "c" * 32)


def test_an_envelope_opens_for_its_receiver(identities: list[Identity], roster: Roster) -> None:
    data = seal("hop", place(roster), b"body", identities[0], roster.members[1])
    assert place_of("hop", data) == (3, 2)
    assert open_envelope("hop", place(roster), data, roster.members[0], identities[1]) == b"body"
    assert b"body" not in data


CHANGES: dict[str, Any] = {
    "run": "f" * 32,
    "round": 4,
    "attempt": 1,
    "position": 1,
    "sender": "B",
    "receiver": "C",
    "roster": "f" * 64,
    "key": "f" * 32,
    "layout": "d" * 32,
    "chunk": 1,
    "chunks": 2,
}


@pytest.mark.parametrize("name", CHANGES)
def test_h54_an_envelope_of_another_place_is_refused(identities: list[Identity], roster: Roster, name: str) -> None:
    elsewhere = replace(place(roster), **{name: CHANGES[name]})
    data = seal("hop", elsewhere, b"body", identities[0], roster.members[1])
    with pytest.raises(ProtocolError, match=f"its {name} is another than"):
        open_envelope("hop", place(roster), data, roster.members[0], identities[1])


def test_every_field_of_the_place_is_under_test() -> None:
    assert list(CHANGES) == list(Header.__dataclass_fields__)


@pytest.mark.parametrize("name", CHANGES)
def test_h54_the_place_is_sealed_too(identities: list[Identity], roster: Roster, name: str) -> None:
    """A sender that signs another place over what it has sealed."""
    elsewhere = replace(place(roster), **{name: CHANGES[name]})
    sealed = seal("hop", elsewhere, b"body", identities[0], roster.members[1])
    inner = sealed[:-64]
    start = inner.rindex(b"}") + 1 + 8  # after the header and the length of the part
    again = seal("hop", place(roster), inner[start:], identities[0], None)
    with pytest.raises(ProtocolError, match="is not sealed for B"):
        open_envelope("hop", place(roster), again, roster.members[0], identities[1])


def test_h54_another_kind_of_message_is_refused(identities: list[Identity], roster: Roster) -> None:
    data = seal("weight", place(roster), b"body", identities[0], roster.members[1])
    with pytest.raises(SerializationError, match="another message where a hop"):
        open_envelope("hop", place(roster), data, roster.members[0], identities[1])


def test_h54_another_party_opens_nothing(identities: list[Identity], roster: Roster) -> None:
    data = seal("hop", place(roster), b"body", identities[0], roster.members[1])
    with pytest.raises(ProtocolError, match="is not sealed for C"):
        open_envelope("hop", place(roster), data, roster.members[0], identities[2])
    with pytest.raises(ProtocolError, match="is not signed by C"):
        open_envelope("hop", place(roster), data, roster.members[2], identities[1])


def test_h54_no_bit_of_an_envelope_can_change(identities: list[Identity], roster: Roster) -> None:
    data = seal("hop", place(roster), b"body", identities[0], roster.members[1])
    for at in range(0, len(data), 7):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(ProtocolError, match="is not signed by A"):
            open_envelope("hop", place(roster), changed, roster.members[0], identities[1])


def test_two_seals_of_the_same_differ(identities: list[Identity], roster: Roster) -> None:
    one, other = (seal("hop", place(roster), b"body", identities[0], roster.members[1]) for _ in range(2))
    assert one != other


@pytest.mark.parametrize("number", [0, -1, True, 1.0, "1", 1 << 53])
def test_h54_a_round_is_a_positive_integer(identities: list[Identity], roster: Roster, number: Any) -> None:
    data = seal("task", replace(place(roster), round=number), b"", identities[0], None)
    with pytest.raises(ProtocolError, match="of no round"):
        place_of("task", data)


# Memory


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    memory = Memory(tmp_path / "memory.db", "a" * 32)
    memory.agree("roster", b"plan")
    return memory


def test_h67_a_memory_is_its_owners_alone(memory: Memory) -> None:
    for path in (memory.path, memory.path.with_name("memory.db.lock")):
        assert path.stat().st_mode & 0o777 == 0o600
    memory.path.chmod(0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        Memory(memory.path, "a" * 32)


def test_h55_a_decision_is_on_the_disk_when_it_is_made(memory: Memory) -> None:
    with memory.transaction():
        memory.decide(3, 1)
    with sqlite3.connect(memory.path) as other:
        assert other.execute("SELECT round FROM decisions").fetchall() == [(3,)]
    assert Memory(memory.path, "a" * 32).decided == 3
    assert Memory(memory.path, "b" * 32).decided == 0


def test_h55_a_second_decision_of_a_round_is_refused(memory: Memory) -> None:
    memory.decide(3, 1)
    with pytest.raises(ProtocolError, match="round 3 was decrypted before"):
        memory.decide(3, 2)


def test_what_fails_changes_nothing(memory: Memory) -> None:
    def fail() -> None:
        with memory.transaction():
            memory.decide(3, 1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert memory.decided == 0


def test_a_disk_that_is_full_changes_nothing_and_is_told(memory: Memory) -> None:
    """SQLite takes a transaction back by itself then, and there is none to take back any more."""
    memory._db.execute("PRAGMA max_page_count = 20")

    def fill() -> None:
        with memory.transaction():
            memory.decide(3, 1)
            memory.keep_update(1, "model", 1, bytes(1 << 20))

    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            fill()
    assert memory.decided == 0
    with memory.transaction():
        memory.decide(3, 1)
    assert memory.decided == 3


def test_what_cannot_be_committed_is_taken_back(memory: Memory) -> None:
    memory._db.execute("PRAGMA busy_timeout = 10")
    reader = sqlite3.connect(memory.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM runs").fetchall()

    def decide() -> None:
        with memory.transaction():
            memory.decide(3, 1)

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        decide()
    reader.close()
    assert memory.decided == 0
    decide()
    assert memory.decided == 3


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_h36_a_file_that_is_no_memory_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "memory.db"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"memory\.db cannot be the memory of a party: "):
        Memory(path, "a" * 32)
    assert path.read_bytes() == content


def test_h54_a_memory_is_one_partys_in_each_run(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    Memory(path, "a" * 32).agree("roster", b"plan", "me")
    again = Memory(path, "a" * 32)
    again.agree("roster", b"plan", "me")
    for party in ("another", ""):
        with pytest.raises(ProtocolError, match="this memory is another party's"):
            again.agree("roster", b"plan", party)
    Memory(path, "b" * 32).agree("roster", b"plan", "another")  # of another run
    with pytest.raises(ProtocolError, match="the roster of this run is another"):
        again.agree("other", b"plan", "me")


def test_h54_attempts_have_numbers_that_never_come_again(memory: Memory) -> None:
    numbers = [memory.next_attempt(1), memory.next_attempt(1)]
    memory.close()
    again = Memory(memory.path, "a" * 32)
    numbers += [again.next_attempt(1), again.next_attempt(2), again.next_attempt(2)]
    assert numbers == [1, 2, 3, 1, 2]
    with pytest.raises(ProtocolError, match="a message of round 1, but round 2 has begun"):
        again.next_attempt(1)


def test_h54_a_repeat_waits_for_the_answer(memory: Memory) -> None:
    """Two processes get the same message: the second one comes when the first is at work."""
    order = []

    def second() -> None:
        other = Memory(memory.path, "a" * 32)
        with other.alone():
            order.append(other.answer(1, 1, "task", b"request"))
        other.close()

    with memory.alone():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        with memory.transaction():
            memory.keep_answer(1, 1, "task", b"request", [b"a", b"b"])
    thread.join(20)
    assert order == [[b"a", b"b"]]


def test_what_is_old_is_forgotten(memory: Memory) -> None:
    memory.begin(1, 1)
    memory.keep_answer(1, 1, "task", b"request", [b"secret"])
    memory.keep_update(1, "model", 1, b"very secret")
    assert memory.update(1, "model") == (1, b"very secret")
    memory.begin(2, 1)
    assert memory.answer(1, 1, "task", b"request") is None
    assert memory.update(1, "model") is None
    assert b"very secret" not in memory.path.read_bytes()


def test_a_memory_of_the_future_is_refused(memory: Memory, connections: list[sqlite3.Connection]) -> None:
    with sqlite3.connect(memory.path) as other:
        other.execute("PRAGMA user_version = 9")
    with pytest.raises(ProtocolError, match="version 9"):
        Memory(memory.path, "a" * 32)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[-1].execute("PRAGMA user_version")


# Plans


def test_a_plan_comes_back(roster: Roster, keypair: Any) -> None:
    plan = plan_for(roster, keypair[0], [(2, 3), (), (0,)], weights="encrypted", max_weight=7, clip=0.5)
    assert Plan.from_bytes(plan.to_bytes()) == plan
    assert (plan.n_values, plan.length) == (7, 8)
    assert replace(plan, clip=1.0).layout != plan.layout


@pytest.mark.parametrize(
    "change",
    [
        {"clip": 0.0},
        {"clip": float("nan")},
        {"clip": 1},
        {"shapes": ()},
        {"shapes": ((-1,),)},
        {"shapes": ((1 << 40,),)},
        {"shapes": ((1 << 30, 1 << 30),)},
        {"shapes": ((0,),)},
        {"shapes": ((True,),)},
        {"rounds": 0},
        {"rounds": True},
        {"chunk": 0},
        {"max_weight": 0},
        {"weights": "secret"},
        {"weights": "none", "max_weight": 2},
        {"model": "a\nb"},
        {"model": 5},
    ],
)
def test_h30_a_plan_that_cannot_be_is_refused(roster: Roster, keypair: Any, change: dict[str, Any]) -> None:
    plan = plan_for(roster, keypair[0], [(2,)], weights="public", max_weight=2)
    with pytest.raises(SerializationError):
        replace(plan, **change)


FIELDS = ("rounds", "max_weight", "chunk", "fraction_bits")


@pytest.mark.parametrize(
    ("largest", "beyond"),
    [
        ({"clip": 1e308}, {"clip": math.inf}),
        ({"clip": 5e-324}, {"clip": -1.0}),
        ({"model": "m" * 200}, {"model": "m" * 201}),
        *(({name: (1 << 40) - 1}, {name: 1 << 40}) for name in FIELDS),
        *(({name: 1}, {name: 1.0}) for name in FIELDS),
        ({"fraction_bits": -5}, {"fraction_bits": "5"}),
        ({"shapes": (((1 << 40) - 1,),)}, {"shapes": ((1 << 39,), (1 << 39,))}),
        ({"shapes": ((), (0, 5))}, {"shapes": ((0, 5), (5, 0))}),
        ({"shapes": ((2,), (3,))}, {"shapes": ((2,), (3.0,))}),
        ({"weights": "none", "max_weight": 1}, {"weights": "none", "max_weight": 3}),
        (
            {"weights": "encrypted", "shapes": (((1 << 40) - 2,),)},
            {"weights": "encrypted", "shapes": (((1 << 40) - 1,),)},
        ),
    ],
)
def test_h30_the_largest_plans_are_taken_and_those_beyond_refused(
    roster: Roster, keypair: Any, largest: dict[str, Any], beyond: dict[str, Any]
) -> None:
    plan = plan_for(roster, keypair[0], [(2,)], weights="public", max_weight=2)
    taken = replace(plan, **largest)
    assert Plan.from_bytes(taken.to_bytes()) == taken
    with pytest.raises(SerializationError):
        replace(plan, **beyond)


def test_pieces_and_mean_are_inverse(roster: Roster, keypair: Any) -> None:
    plan = plan_for(roster, keypair[0], [(2, 3), (4,)], weights="encrypted", max_weight=5, chunk_bytes=1)
    arrays = [np.arange(6.0).reshape(2, 3), np.ones(4)]
    pieces = plan.pieces(arrays, 5)
    assert len(pieces) == plan.chunks == plan.n_ciphertexts(3, keypair[0].key_length) == 2
    for one, other in zip(plan.mean(np.concatenate(pieces), 0), arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ProtocolError, match="add up to 0"):
        plan.mean(np.zeros(11), 0)


# Digests


def test_the_digest_of_a_model_binds_names_types_shapes_and_values() -> None:
    zeros = np.zeros((2, 3))
    digests = {
        content_digest({"a": zeros}, {}),
        content_digest({"b": zeros}, {}),
        content_digest({"a": zeros.reshape(3, 2)}, {}),
        content_digest({"a": zeros.astype(np.float32)}, {}),
        content_digest({"a": zeros + 1}, {}),
        content_digest({"a": zeros}, {"eta": 1}),
        content_digest({"a": zeros}, {"eta": 1.5}),
    }
    assert len(digests) == 7
    assert content_digest({"a": zeros.T.copy().T}, {}) == content_digest({"a": zeros}, {})
    assert parts_digest([b"ab", b"c"]) != parts_digest([b"a", b"bc"])


# Settings


def settings_file(directory: Path, **change: Any) -> Path:
    content = {"roster": "roster.json", "party": "/etc/party", "memory": "m.db", **change}
    path = directory / "settings.json"
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return path


def test_paths_start_from_the_settings(tmp_path: Path) -> None:
    settings = Settings.load(settings_file(tmp_path, models=["a"], bundle="f" * 64))
    assert (settings.roster, settings.party) == (tmp_path / "roster.json", Path("/etc/party"))
    assert (settings.models, settings.min_clients, settings.bundle) == (("a",), 3, "f" * 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rooster": "x"}, "no setting 'rooster'"),
        ({"roster": None}, "'roster' is missing"),
        ({"party": 5}, "party must be the path"),
        ({"min_clients": 2}, "min_clients must be an integer of at least 3"),
        ({"min_clients": True}, "min_clients"),
        ({"jobs": 0}, "jobs must be an integer other than 0"),
        ({"jobs": True}, "jobs must be an integer other than 0"),
        ({"jobs": "2"}, "jobs must be an integer other than 0"),
        ({"max_rounds": 0}, "max_rounds"),
        ({"insecure": "yes"}, "insecure"),
        ({"models": "a"}, "models must be a list"),
        ({"models": [1]}, "models must be a list"),
        ({"weights": ["secret"]}, "weights must be some of"),
        ({"bundle": "F" * 64}, "bundle must be 64"),
    ],
)
def test_h48_settings_that_cannot_be_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(SerializationError, match=message):
        Settings.load(settings_file(tmp_path, **change))


def test_h37_settings_have_64_kib_at_most(tmp_path: Path) -> None:
    path = settings_file(tmp_path)
    text = path.read_text()
    path.write_text(text.ljust(1 << 16))
    settings = Settings.load(path)
    assert (settings.min_clients, settings.jobs, settings.insecure) == (3, None, False)
    path.write_text(text.ljust((1 << 16) + 1))
    with pytest.raises(OSError, match="longer than"):
        Settings.load(path)


@pytest.mark.parametrize(
    "change", [{"min_clients": 3}, {"min_clients": 4}, {"max_rounds": 1}, {"jobs": -1}, {"jobs": 1}]
)
def test_settings_at_their_limits_are_taken(tmp_path: Path, change: dict[str, Any]) -> None:
    settings = Settings.load(settings_file(tmp_path, **change))
    assert {name: getattr(settings, name) for name in change} == change


def test_a_key_is_overwritten_and_gone(tmp_path: Path) -> None:
    path, link = tmp_path / "key", tmp_path / "link"
    path.write_bytes(b"secret")
    link.hardlink_to(path)
    destroy(path)
    assert not path.exists()
    assert link.read_bytes() == bytes(6)
    destroy(path)
