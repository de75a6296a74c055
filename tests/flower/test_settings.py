"""A party's settings: both sides of every limit, in the words that refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vecphe.errors import SerializationError
from vecphe.flower import Settings

FILES = {"roster": "r.json", "party": "/etc/party", "memory": "m.db"}
KNOWN = (
    "roster, party, memory, key, public_key, models, weights, min_clients, max_rounds, jobs, insecure, bundle"
)  # fmt: skip
JOBS = "jobs must be an integer other than 0: how many workers, or -1 for one a core"
BUNDLE = "bundle must be 64 lower-case hexadecimal digits"


def load(directory: Path, **changes: Any) -> Settings:
    (directory / "s.json").write_text(json.dumps({**FILES, **changes}))
    return Settings.load(directory / "s.json")


def refusal(path: Path) -> str:
    with pytest.raises(SerializationError) as told:
        Settings.load(path)
    return str(told.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "taken", "refused", "message"),
    [
        ("models", ["a", "b"], "a", "models must be a list of names"),
        ("models", [], [1], "models must be a list of names"),
        ("weights", ["none", "public"], ["none", 5], "weights must be a list of names"),
        ("weights", ["encrypted"], ["none", "secret"], "weights must be some of none, encrypted, public"),
        ("min_clients", 3, 2, "min_clients must be an integer of at least 3"),
        ("min_clients", 9, 9.0, "min_clients must be an integer of at least 3"),
        ("max_rounds", 1, 0, "max_rounds must be an integer of at least 1"),
        ("max_rounds", 9, True, "max_rounds must be an integer of at least 1"),
        ("jobs", None, 0, JOBS),
        ("jobs", -1, "1", JOBS),
        ("jobs", 1, False, JOBS),
        ("bundle", "0123456789abcdef" * 4, "0" * 63, BUNDLE),
        ("bundle", None, "0" * 65, BUNDLE),
        ("bundle", None, 5, BUNDLE),
        ("insecure", True, 1, "insecure must be true or false"),
        ("insecure", False, None, "insecure must be true or false"),
        ("roster", "x", "", "roster must be the path of a file"),
        ("party", "x", 5, "party must be the path of a file"),
        ("memory", "x", None, "memory must be the path of a file"),
        ("key", "x", "", "key must be the path of a file"),
        ("public_key", "x", ["x"], "public_key must be the path of a file"),
    ],
)
def test_h48_both_sides_of_every_limit(tmp_path: Path, name: str, taken: Any, refused: Any, message: str) -> None:
    found = getattr(load(tmp_path, **{name: taken}), name)
    of_file = tmp_path / taken if name in ("roster", "party", "memory", "key", "public_key") else taken
    assert found == (tuple(taken) if isinstance(taken, list) else of_file)
    (tmp_path / "s.json").write_text(json.dumps({**FILES, name: refused}))
    assert refusal(tmp_path / "s.json") == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "the settings of a party must be one JSON object"),
        ("{", "the settings of a party must be one JSON object"),
        ('{"party": "a", "party": "b"}', "a field twice"),
        ('{"rooster": 1}', f"there is no setting 'rooster'; they are {KNOWN}"),
        ('{"party": "p", "memory": "m"}', "the setting 'roster' is missing: the path of a file"),
        ('{"roster": "r", "memory": "m"}', "the setting 'party' is missing: the path of a file"),
        ('{"roster": "r", "party": "p"}', "the setting 'memory' is missing: the path of a file"),
    ],
)
def test_h36_what_is_no_file_of_settings_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    assert refusal(path) == message


def test_the_least_settings_need_neither_key(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings == Settings(tmp_path / "r.json", Path("/etc/party"), tmp_path / "m.db")
    assert (settings.key, settings.public_key) == (None, None)
