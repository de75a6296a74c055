"""A SuperNode that runs one bundle: what it takes from its command line, and what it refuses, with Flower played."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vecphe.errors import ProtocolError
from vecphe.flower import supernode

BUNDLE = hashlib.sha256(b"read by us").hexdigest()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Flower's modules; the list holds how each SuperNode that was started checks bundles."""
    found: list[Any] = []
    inside = SimpleNamespace(_pull_and_store_message=lambda **_: None, _verify_fab=lambda *_: True)
    played = {
        "flwr.common.config": {"parse_config_args": parsed},
        "flwr.supernode": {"start_client_internal": inside},
        "flwr.supernode.cli.flower_supernode": {"flower_supernode": lambda: found.append(inside._verify_fab)},
    }
    for name, parts in played.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**parts))
    monkeypatch.setattr("importlib.metadata.version", lambda name: {"flwr": "1.42.0"}[name])
    monkeypatch.setattr(supernode, "Hospital", lambda settings: SimpleNamespace(close=lambda: None))
    return found


def parsed(arguments: list[str]) -> dict[str, Any]:
    """As Flower does it, of one setting."""
    (text,) = arguments
    name, _, value = text.partition("=")
    return {name: value.strip("'")}


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., list[str]]:
    """Arguments that name settings with so many entries more."""

    def written(name: str = "vecphe", **more: Any) -> list[str]:
        content = {"roster": "r", "party": "p", "memory": "m", **more}
        (tmp_path / "settings.json").write_text(json.dumps(content))
        return ["flower-supernode", "--insecure", "--node-config", f"{name}='{tmp_path / 'settings.json'}'"]

    return written


def own_bundle(arguments: list[str]) -> str | None:
    return supernode.own_settings(arguments).bundle


def refused(arguments: list[str]) -> str:
    with pytest.raises(ProtocolError) as told:
        own_bundle(arguments)
    return str(told.value)


def test_the_bundle_is_that_of_the_settings(started: list[Any], settings: Callable[..., list[str]]) -> None:
    arguments = settings(bundle=BUNDLE)
    assert own_bundle(arguments) == BUNDLE
    assert own_bundle([*arguments, "--max-retries", "3"]) == BUNDLE
    assert own_bundle(arguments[2:]) == BUNDLE


def test_h54_without_a_pinned_bundle_none_is_run(started: list[Any], settings: Callable[..., list[str]]) -> None:
    give = "give one --node-config \"vecphe='/path/settings.json'\""
    arguments = settings(bundle=BUNDLE)
    assert refused(["--insecure"]) == refused([*arguments, *arguments[-2:]]) == give
    none = "the node configuration has no 'vecphe', the path of the settings"
    assert refused(settings("partition-id", bundle=BUNDLE)) == none
    text = 'the settings pin no bundle: "bundle" is the SHA-256 of the file that flwr build makes'
    assert refused(settings()) == text


def test_h54_a_supernode_is_started_pinned_and_says_so(
    started: list[Any],
    settings: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", settings(bundle=BUNDLE))
    supernode.main()
    assert capsys.readouterr().out == f"this SuperNode runs the bundle {BUNDLE} and no other\n"
    (verify,) = started
    taken = [verify(SimpleNamespace(content=content), {"pinned": BUNDLE}) for content in (b"read by us", b"another")]
    assert taken == [True, False]


@pytest.mark.parametrize("wrong", ["version", "nothing pinned", "settings", "no settings", "not Flower's"])
def test_h54_a_supernode_that_cannot_be_pinned_is_not_started(
    started: list[Any], settings: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str
) -> None:
    monkeypatch.setattr(sys, "argv", settings(bundle=None if wrong == "nothing pinned" else BUNDLE))
    said = 'the settings pin no bundle: "bundle" is the SHA-256 of the file that flwr build makes'
    path = tmp_path / "settings.json"
    if wrong == "version":
        monkeypatch.setattr("importlib.metadata.version", lambda _: "1.43.0")
        said = "bundles can be pinned in flwr 1.42.0 only, and this is 1.43.0"
    elif wrong == "settings":
        path.write_text("[]")
        said = f"{path}: the settings of a party must be one JSON object"
    elif wrong == "no settings":
        path.unlink()
        said = f"[Errno 2] No such file or directory: '{path}'"
    elif wrong == "not Flower's":
        monkeypatch.setattr(sys.modules["flwr.common.config"], "parse_config_args", lambda _: float("none"))
        said = "the node configuration cannot be read: could not convert string to float: 'none'"
    with pytest.raises(SystemExit) as ended:
        supernode.main()
    assert ended.value.code == f"error: {said}"
    assert started == []


def test_h54_a_bundle_without_a_licence_is_read_and_one_with_it_keeps_it() -> None:
    """And whatever else Flower gives goes on to it."""
    seen: list[Any] = []

    def pull(*, get_fab: Any, trusted_entities: Any, state: Any) -> str:
        seen.append((get_fab("a hash", 7).verifications, trusted_entities, state))
        return "what Flower returns"

    inside = SimpleNamespace(_pull_and_store_message=pull, _verify_fab=None)
    supernode.pin(inside, BUNDLE)
    asked: list[tuple[str, int]] = []
    for verifications in ({}, {"valid_license": "Valid"}):
        fab = SimpleNamespace(content=b"", verifications=dict(verifications))
        get_fab = lambda *of, fab=fab: asked.append(of) or fab  # noqa: E731
        told = inside._pull_and_store_message(get_fab=get_fab, trusted_entities={"theirs": "key"}, state=3)
        assert told == "what Flower returns"
    assert asked == [("a hash", 7)] * 2
    pinned = {"pinned": BUNDLE}
    assert seen == [({"valid_license": "pinned"}, pinned, 3), ({"valid_license": "Valid"}, pinned, 3)]
