"""Envelopes, all chunks of a hop: what is bound, what is refused, and in which words."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat import primitives

from vecphe.errors import ProtocolError, VecpheError
from vecphe.federated.wire import pack
from vecphe.flower import Identity, Roster, sealing
from vecphe.flower.sealing import Header, open_all, open_envelope, place_of, seal, seal_all


@pytest.fixture(scope="module")
def identities() -> list[Identity]:
    return [Identity.generate(name) for name in ("A", "M\u00fcller", "C", "Server")]


@pytest.fixture(scope="module")
def roster(identities: list[Identity]) -> Roster:
    return Roster.collect([identity.member for identity in identities[:3]], identities[3].member, "0" * 32)


@pytest.fixture
def header(roster: Roster) -> Header:
    return Header.of(roster, roster.members[1], roster.server, (3, 2), "layout")


def refusal(work: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(VecpheError) as told:
        work(*arguments)
    return str(told.value)


def test_the_place_of_a_message(roster: Roster, header: Header) -> None:
    assert header == Header(
        roster.run, 3, 2, 1, "M\u00fcller", "Server", roster.digest, roster.key, "layout", chunk=0, chunks=1
    )
    first, server = Header.of(roster, roster.members[0], roster.server), Header.of(roster, roster.server, roster.server)
    assert (first.position, server.position) == (0, -1)
    assert (first.round, first.attempt, first.layout) == (0, 0, "")
    fields = json.dumps(["hop", *asdict(header).values()], ensure_ascii=False)
    assert header.info("hop") == b"vecphe flower seal\x00" + fields.encode()


def test_all_chunks_come_in_their_order(identities: list[Identity], roster: Roster, header: Header) -> None:
    _, sender, other, server = identities
    envelopes = seal_all("hop", header, [b"a", b"b", b""], sender, roster.server)
    assert open_all("hop", header, envelopes, 3, sender.member, server) == [b"a", b"b", b""]
    for chunk, data in enumerate(envelopes):
        place = replace(header, chunk=chunk, chunks=3)
        assert open_envelope("hop", place, data, sender.member, server) == [b"a", b"b", b""][chunk]
    text = "2 hop messages of M\u00fcller where there must be 3"
    assert refusal(open_all, "hop", header, envelopes[:2], 3, sender.member, server) == text
    text = "a hop message of M\u00fcller does not belong here: its chunk is another than 0"
    assert refusal(open_all, "hop", header, envelopes[::-1], 3, sender.member, server) == text
    text = "a hop message of M\u00fcller is not sealed for C"
    assert refusal(open_all, "hop", header, envelopes, 3, sender.member, other) == text


def test_what_is_open_is_signed(identities: list[Identity], roster: Roster, header: Header) -> None:
    sender = identities[1]
    data = seal("task", header, b"body", sender, None)
    assert data == pack("task", asdict(header), b"body") + sender.signing.sign(
        b"vecphe flower signature\x00" + data[:-64]
    )
    assert open_envelope("task", header, data, sender.member, None) == b"body"
    assert open_all("task", header, [data], 1, sender.member, None) == [b"body"]
    assert refusal(open_envelope, "task", header, data, identities[0].member, None) == (
        "a task message is not signed by A of the roster"
    )
    assert refusal(open_envelope, "task", header, data, sender.member, identities[3]) == (
        "a task message of M\u00fcller is not sealed for Server"
    )


@pytest.mark.parametrize(("name", "value"), [("round", 3.0), ("attempt", True), ("run", None), ("chunks", "1")])
def test_h54_a_field_is_of_its_type(
    identities: list[Identity], roster: Roster, header: Header, name: str, value: Any
) -> None:
    """1, 1.0 and true are equal in Python."""
    header = replace(header, attempt=1)
    data = seal("task", replace(header, **{name: value}), b"", identities[1], None)
    text = f"a task message of M\u00fcller does not belong here: its {name} is another than {getattr(header, name)!r}"
    assert refusal(open_envelope, "task", header, data, identities[1].member, None) == text


@pytest.mark.parametrize("field", ["round", "attempt"])
def test_h54_rounds_and_attempts_are_counted_from_1(identities: list[Identity], header: Header, field: str) -> None:
    def of(number: Any) -> bytes:
        return seal("task", replace(header, **{field: number}), b"", identities[1], None)

    for number in (1, (1 << 53) - 1):
        expected = replace(header, **{field: number})
        assert place_of("task", of(number)) == (expected.round, expected.attempt)
    for number in (0, -1, 1 << 53, 1.0, True, "1", None):
        with pytest.raises(ProtocolError) as told:
            place_of("task", of(number))
        assert str(told.value) == "a task message of no round"


@pytest.mark.parametrize("error", [InvalidTag(), ValueError("too short")])
def test_h54_whatever_cannot_be_opened_is_told_alike(
    identities: list[Identity], header: Header, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    data = seal("hop", header, b"body", identities[1], identities[3].member)
    monkeypatch.setattr(sealing, "_SUITE", SimpleNamespace(decrypt=fail))
    text = "a hop message of M\u00fcller is not sealed for Server"
    assert refusal(open_envelope, "hop", header, data, identities[1].member, identities[3]) == text


def test_without_hpke_what_to_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(primitives, "hpke")
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.hpke", None)
    spec: Any = importlib.util.spec_from_file_location("sealing_again", Path(str(sealing.__file__)))
    with pytest.raises(ImportError) as told:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert str(told.value) == 'vecphe.flower needs cryptography 47 or later: pip install "vecphe[flower]"'
