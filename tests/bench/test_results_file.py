"""Files of measurements, entry by entry: both ends of every range, and what is said beyond."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from vecphe.bench import results_file
from vecphe.bench.results_file import load_as, load_file, save_file
from vecphe.errors import SerializationError


@dataclass(frozen=True)
class Inner:
    count: int
    text: str


@dataclass(frozen=True)
class Whole:
    flat: Inner = field(metadata={"flat": True})
    below: Inner
    number: float
    right: bool
    some: int | None
    row: tuple[float, ...]
    rows: list[str]
    named: dict[str, list[int]]


GOOD: dict[str, Any] = {
    "count": 3,
    "text": "a line",
    "below": {"count": 0, "text": ""},
    "number": 2,
    "right": False,
    "some": None,
    "row": [1.5, 2],
    "rows": ["a"],
    "named": {"x": [1, 2], "y": []},
}


def load(tmp_path: Path, content: dict[str, Any], **options: Any) -> Any:
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"schema": "s", "version": 1, **content}))
    return load_as(Whole, path, "s", "command", **options)


def refusal(tmp_path: Path, content: dict[str, Any], **options: Any) -> str:
    with pytest.raises(SerializationError) as told:
        load(tmp_path, content, **options)
    return str(told.value).removeprefix(f"{tmp_path / 'f.json'}: ")


def test_a_file_is_read_by_types(tmp_path: Path) -> None:
    whole = load(tmp_path, GOOD)
    assert whole == Whole(Inner(3, "a line"), Inner(0, ""), 2.0, False, None, (1.5, 2.0), ["a"], {"x": [1, 2], "y": []})
    assert type(whole.number) is float
    assert type(whole.row[1]) is float
    assert load(tmp_path, {**GOOD, "some": 5}).some == 5
    assert load(tmp_path, {**GOOD, "more": 1}) == whole


@pytest.mark.parametrize(
    ("changes", "last", "first", "message"),
    [
        ("text", "x" * 1000, "x" * 1001, "text is no line of text"),
        ("text", "", "a\nb", "text is no line of text"),
        ("text", "", 5, "text is no line of text"),
        ("count", (1 << 63) - 1, 1 << 63, "count is no count"),
        ("count", 0, -1, "count is no count"),
        ("count", 1, True, "count is no count"),
        ("count", 1, 1.0, "count is no count"),
        ("some", None, "1", "some is no count"),
        ("number", 1e12, 1e12 + 0.5, "number is not positive and finite"),
        ("number", 1e-12, 0.9999999e-12, "number is not positive and finite"),
        ("number", 1, True, "number is no number"),
        ("number", 1, "1", "number is no number"),
        ("right", True, 1, "right is neither true nor false"),
        ("row", [1, 2.5], [1, 0], "row[1] is not positive and finite"),
        ("row", [], {}, "row is no list of up to 100000"),
        ("rows", ["a"] * 100_000, ["a"] * 100_001, "rows is no list of up to 100000"),
        ("rows", ["a"], ["a", 3], "rows[1] is no line of text"),
        ("named", {}, [], "named is no object of up to 1000 fields"),
        ("named", {"x": [5]}, {"x": [5, 1.5]}, "named.x[1] is no count"),
        ("named", {"x" * 1000: []}, {"x" * 1001: []}, "named is no line of text"),
        (
            "named",
            {str(i): [] for i in range(1000)},
            {str(i): [] for i in range(1001)},
            "named is no object of up to 1000 fields",
        ),
        ("below", {"count": 1, "text": "b"}, {"count": 1}, "below.text is missing"),
        ("below", {"count": 1, "text": "b"}, {"count": True, "text": "b"}, "below.count is no count"),
        ("below", {"count": 1, "text": "b"}, [], "below is no object of up to 1000 fields"),
    ],
)
def test_both_sides_of_every_limit(tmp_path: Path, changes: str, last: Any, first: Any, message: str) -> None:
    load(tmp_path, {**GOOD, changes: last})
    assert refusal(tmp_path, {**GOOD, changes: first}) == message


def test_what_is_missing_or_unknown_is_named(tmp_path: Path) -> None:
    for name in GOOD:
        assert refusal(tmp_path, {key: value for key, value in GOOD.items() if key != name}) == f"{name} is missing"
    more = {**GOOD, "b" * 50: 1, "c": 2}
    assert refusal(tmp_path, more, file="a page") == f"{'b' * 40} is no field of a page"
    inner = {**GOOD, "below": {"count": 1, "text": "b", "x": 1}}
    assert refusal(tmp_path, inner, file="a page") == "below.x is no field of a page"
    assert load(tmp_path, GOOD, file="a page")
    several = {**GOOD, **dict.fromkeys("hgfedcb", 1)}
    assert refusal(tmp_path, several, file="a page") == "b is no field of a page"
    many = {**GOOD, **{f"x{i}": 1 for i in range(1000)}}
    assert refusal(tmp_path, many) == "the file is no object of up to 1000 fields"


def test_faults_are_told_one_at_a_time(tmp_path: Path) -> None:
    faults = lambda whole: iter([f"count is {whole.flat.count}", "more"])  # noqa: E731
    assert refusal(tmp_path, GOOD, faults=faults) == "count is 3"
    assert load(tmp_path, GOOD, faults=lambda _: iter(()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": 1}', "schema is missing"),
        ('{"schema": "t", "version": 1}', "schema is not 's': this is no file of `command`"),
        ('{"schema": "s"}', "version is not 1, the only one that this vecphe reads"),
        ('{"schema": "s", "version": 2}', "version is not 1, the only one that this vecphe reads"),
        ('{"schema": "s", "version": true}', "version is not 1, the only one that this vecphe reads"),
    ],
)
def test_a_file_of_something_else(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(SerializationError) as told:
        load_file(path, "s", "command")
    assert str(told.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is not a JSON object"),
        ("{", "is not a JSON file: Expecting property name"),
        ('{"a": 1, "a": 1}', "is not a JSON file: a name stands twice in one object"),
        ('{"a": NaN}', "is not a JSON file: NaN is no number of JSON"),
    ],
)
def test_what_is_no_json_object(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(SerializationError) as told:
        load_file(path, "s", "command")
    assert str(told.value).startswith(f"{path} {message}")
    assert len(str(told.value)) <= len(f"{path} is not a JSON file: ") + 100


def test_a_file_is_written_for_people_too(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text("old")
    save_file(path, "s", {"b": [1, 2], "a": "\u00e9"})
    assert path.read_text() == '{\n "a": "\\u00e9",\n "b": [\n  1,\n  2\n ],\n "schema": "s",\n "version": 1\n}\n'
    assert load_file(path, "s", "command") == {"a": "\u00e9", "b": [1, 2]}
    with pytest.raises(ValueError, match="Out of range float"):
        save_file(path, "s", {"a": float("nan")})


def test_h37_no_file_is_read_beyond_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        results_file, "read_file", lambda path, most: asked.append(most) or b'{"schema": "s", "version": 1}'
    )
    monkeypatch.setattr(results_file, "check_parts", lambda data, most, message: asked.append((most, message)))
    assert load_file(tmp_path, "s", "command") == {}
    assert asked == [64 * 2**20, (5_000_000, f"{tmp_path} has more parts than 100000 records have")]
