"""Records, and the files they are kept in."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.bench.made import CASE, matrix_results, record, results, samples

from vecphe.bench.records import PHASES, csv_text
from vecphe.bench.results_file import load_results, results_as_dict
from vecphe.errors import SerializationError


def test_results_survive_a_file(tmp_path: Path) -> None:
    whole = matrix_results()
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results_as_dict(whole)))
    assert load_results(path) == whole


def test_a_file_from_before_there_were_plans_is_read(tmp_path: Path) -> None:
    """It does not say which speed-ups were scaled up, but the loop's own rows do."""
    content = json.loads(json.dumps(results_as_dict(matrix_results())))
    del content["plan"]
    for entry in content["records"]:
        del entry["reference_extrapolated"]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    loaded = load_results(path)
    assert loaded == replace(matrix_results(), plan={})
    assert loaded.records[2].is_approximate("speed_up")
    assert not loaded.records[2].is_approximate("round")


def test_derived_figures() -> None:
    times = [0.5, 0.25, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5]
    made = record(samples=dict.fromkeys(("encrypt", "add", "decrypt", "round"), times), reference=[10.0] * 8)
    assert made.seconds("round") == 0.5
    assert made.speed_up == 20.0
    assert made.figure("add") == (0.5, 0.25, 1.0)
    assert made.figure("speed_up") == (20.0, 10.0, 40.0)
    assert made.figure("seconds_per_value") == (0.5 / 55, 0.25 / 55, 1.0 / 55)
    assert record(reference=[]).speed_up is None
    content = made.as_dict()
    assert content["seconds_per_value"] == 0.5 / 55
    assert content["environment"]["cpu"] == "Test CPU"
    assert (content["n_samples"], content["noisy"]) == (8, True)
    assert content["interval"] == {
        **{phase: [0.25, 1.0] for phase in ("encrypt", "add", "decrypt", "round")},
        "speed_up": [10.0, 40.0],
        "seconds_per_value": [0.25 / 55, 1.0 / 55],
    }
    assert "speed_up" not in record(reference=[]).as_dict()["interval"]


def test_few_samples_have_no_interval() -> None:
    few = record(samples={phase: [1.0, 2.0, 3.0] for phase in PHASES}, reference=[4.0] * 3)
    whole = record(samples=dict.fromkeys(PHASES, [2.0] * 8), reference=[4.0] * 8)
    assert few.as_dict()["interval"] == dict.fromkeys((*PHASES, "speed_up", "seconds_per_value"))
    assert whole.as_dict()["interval"]["round"] == [2.0, 2.0]
    rows = list(csv.DictReader(io.StringIO(csv_text([few, whole]))))
    assert [(row["round"], row["round_low"], row["round_high"]) for row in rows] == [("2.0", "", ""), ("2.0",) * 3]
    assert [row["speed_up"] for row in rows] == ["2.0", "2.0"]


@pytest.mark.parametrize(
    ("times", "loop", "noisy"),
    [
        ([1.0] * 7 + [1.5], [1.0] * 7 + [1.5], False),
        ([1.0] * 7 + [1.51], [1.0] * 7 + [1.51], True),  # the time
        ([1.0] * 8, [1.0] * 7 + [1.51], True),  # the speed-up
        ([1.0] * 8, [], False),
        ([1.0] * 3, [], True),  # too few
    ],
)
def test_samples_that_disagree(times: list[float], loop: list[float], noisy: bool) -> None:
    made = record(samples=dict.fromkeys(("encrypt", "add", "decrypt", "round"), times), reference=loop)
    assert made.noisy == made.as_dict()["noisy"] == noisy


def test_later_samples_of_a_case_come_after_the_first() -> None:
    first = record(memory=5, measured_values=3)
    later = record(memory=7, measured_clients=3, reference_extrapolated=True, setup=9.0, samples=samples(1.0, seed=1))
    both = results(first, record("vectorized")).with_more([later, record("naive")])
    assert [made.backend for made in both.records] == ["packed", "vectorized", "naive"]
    merged = both.records[0]
    assert merged.samples["add"] == first.samples["add"] + later.samples["add"]
    assert (merged.n_samples, len(merged.reference)) == (14, 14)
    assert (merged.measured_values, merged.measured_clients, merged.memory, merged.setup) == (3, 3, 5, 0.1)
    assert merged.reference_extrapolated


@pytest.mark.parametrize("swapped", [False, True])
def test_what_was_scaled_up_in_one_of_two_is_in_both(swapped: bool) -> None:
    pair = [
        record("naive", measured_values=2, reference_extrapolated=True, memory=None, setup=0.5, reference=[1.0, 2.0]),
        record("naive", measured_clients=4, memory=9, setup=0.7, date="2026-02-02T00:00:00+00:00", reference=[3.0]),
    ]
    first, later = pair[::-1] if swapped else pair
    merged = first.with_more(later)
    assert (merged.measured_values, merged.measured_clients, merged.reference_extrapolated) == (2, 4, True)
    assert (merged.memory, merged.setup, merged.date) == (9, first.setup, later.date)
    assert merged.reference == first.reference + later.reference
    assert not record().with_more(record()).reference_extrapolated


def test_a_record_of_fewer_values_says_so() -> None:
    assert record("naive", measured_values=2).extrapolated
    assert record("naive", measured_values=2).as_dict()["extrapolated"] is True
    assert record("naive", measured_clients=4).extrapolated
    assert not record("naive").extrapolated


def test_csv_has_a_row_a_record() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(matrix_results().records))))
    assert len(rows) == 24
    first = rows[0]
    assert (first["backend"], first["key_length"], first["extrapolated"]) == ("naive", "1024", "True")
    figure = matrix_results().records[0].figure("round")
    assert figure is not None
    assert [float(first[name]) for name in ("round", "round_low", "round_high")] == [*figure]
    assert (first["n_samples"], first["noisy"]) == ("7", "False")
    assert float(rows[2]["speed_up_low"]) < float(rows[2]["speed_up"]) < float(rows[2]["speed_up_high"])
    assert first["cpu"] == "Test CPU"
    assert first["version_vecphe"] == "0.1.0"


def refusal(tmp_path: Path, content: dict[str, Any]) -> str:
    """What is said of a file with that content."""
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    with pytest.raises(SerializationError) as caught:
        load_results(path)
    return str(caught.value).removeprefix(f"{path}: ")


def changed(path: str, value: Any) -> dict[str, Any]:
    """The content of a good file with one entry changed; ... removes it."""
    content: dict[str, Any] = json.loads(json.dumps(results_as_dict(results(record(), record("vectorized")))))
    *way, last = path.split(".")
    place: Any = content
    for name in way:
        place = place[int(name)] if isinstance(place, list) else place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "another"),
        ("schema", None),
        ("version", 2),
        ("version", True),
        ("complete", 1),
        ("warnings", "text"),
        ("warnings", ["\x1b[31mred"]),
        ("records", {}),
        ("records", [1]),
        ("plan", ["a"]),
        ("plan", {"engine": 1}),
        ("records.0.reference_extrapolated", 1),
        ("records.0.backend", "fast"),
        ("records.0.backend", ["packed"]),
        ("records.0.key_length", 0),
        ("records.0.key_length", 2048.0),
        ("records.0.clients", "5"),
        ("records.0.values", 1 << 80),
        ("records.0.jobs", ...),
        ("records.0.measured_values", 12),
        ("records.0.measured_clients", 6),
        ("records.0.measured_clients", ...),
        ("records.0.samples", []),
        ("records.0.samples.round", ...),
        ("records.0.samples.round", []),
        ("records.0.samples.round", [1.0]),
        ("records.0.samples.encrypt", [0.0] * 7),
        ("records.0.samples.encrypt", [-1.0] * 7),
        ("records.0.samples.encrypt", [True] * 7),
        ("records.0.samples.encrypt", [10**400] * 7),
        ("records.0.reference", [1.0]),
        ("records.0.reference", "fast"),
        ("records.0.bytes_per_value", None),
        ("records.0.bytes_per_value", 513.0),
        ("records.0.ciphertexts", 12),
        ("records.1.ciphertexts", 10),
        ("records.0.memory", -1),
        ("records.0.memory", 1.5),
        ("records.0.date", "yesterday"),
        ("records.0.date", "2026-01-01"),
        ("records.0.environment", None),
        ("records.0.environment.cpu", "x" * 2000),
        ("records.0.environment.cores", 0),
        ("records.0.environment.versions", {"vecphe": 1}),
        ("records.0.environment.versions", []),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, path: str, value: Any) -> None:
    *_, before, name = ("", *path.split("."))
    said = refusal(tmp_path, changed(path, value))
    assert re.search(rf"\b{before if before == 'samples' else name}\b", said)


def test_a_case_twice_is_refused(tmp_path: Path) -> None:
    assert "twice" in refusal(tmp_path, results_as_dict(results(record(), record())))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{",
        b'{"schema": NaN}',
        b'{"schema": "vecphe-benchmark", "schema": "vecphe-benchmark"}',
        b"[" * 100_000,
        b'{"version": 1' + b"0" * 10_000 + b"}",
    ],
    ids=["empty", "binary", "list", "cut", "nan", "twice", "deep", "digits"],
)
def test_h37_what_is_no_json_object_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(data)
    with pytest.raises(SerializationError, match=r"results\.json"):
        load_results(path)


def test_find_takes_backend_and_case() -> None:
    whole = matrix_results()
    assert whole.find("packed", CASE) is whole.records[-4]
    assert whole.find("packed", CASE) is not None
    assert whole.backends == ["naive", "vectorized", "packed"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("backend", "fast", "backend is none of naive, vectorized, packed, phe, pypaillier, lightphe, tenseal"),
        ("measured_values", 0, "measured_values is not from 1 to 11"),
        ("measured_values", 12, "measured_values is not from 1 to 11"),
        ("measured_clients", 0, "measured_clients is not from 1 to 5"),
        ("measured_clients", 6, "measured_clients is not from 1 to 5"),
        ("values", 0, "measured_values is not from 1 to 0"),
        ("ciphertexts", 0, "ciphertexts is not from 1 to 11"),
        ("ciphertexts", 12, "ciphertexts is not from 1 to 11"),
        ("key_length", 0, "key_length is not positive"),
        ("jobs", 0, "jobs is not positive"),
        ("environment.cores", 0, "environment.cores is not positive"),
        ("samples.more", [1.0] * 7, "samples are not of encrypt, add, decrypt, round"),
        ("samples.add", [1.0] * 6, "samples: not as many of each phase and of the reference"),
        ("reference", [1.0] * 6, "samples: not as many of each phase and of the reference"),
        ("bytes_per_value", 512.000001, "bytes_per_value is not that of 11 ciphertexts a vector"),
        ("date", "2026-01-01T00:00:00", "date is none of ISO 8601 with a time zone"),
        ("date", "2026-13-01T00:00:00+00:00", "date is none of ISO 8601 with a time zone"),
    ],
)
def test_what_types_leave_open_is_told_in_its_words(tmp_path: Path, path: str, value: Any, message: str) -> None:
    assert refusal(tmp_path, changed(f"records.0.{path}", value)) == f"records[0].{message}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("measured_values", 1),
        ("measured_values", 11),
        ("measured_clients", 1),
        ("measured_clients", 5),
        ("jobs", 1),
        ("environment.cores", 1),
        ("reference", []),
        ("memory", None),
        ("memory", 0),
        ("bytes_per_value", 512.0000000001),
        ("date", "2026-01-01T00:00:00-03:30"),
    ],
)
def test_the_last_that_is_right_is_read(tmp_path: Path, path: str, value: Any) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(changed(f"records.0.{path}", value)))
    assert len(load_results(file).records) == 2


def test_an_unpacked_record_has_a_ciphertext_a_value(tmp_path: Path) -> None:
    for backend, said in (("vectorized", "records[0].ciphertexts are not 11, as the values"), ("packed", "")):
        file = tmp_path / f"{backend}.json"
        file.write_text(json.dumps(results_as_dict(results(record(backend, ciphertexts=10)))))
        if said:
            with pytest.raises(SerializationError) as told:
                load_results(file)
            assert str(told.value) == f"{file}: {said}"
        else:
            assert load_results(file).records[0].ciphertexts == 10
    none = {phase: [] for phase in ("encrypt", "add", "decrypt", "round")}
    file.write_text(json.dumps({**changed("records.0.samples", none)}))
    with pytest.raises(SerializationError, match="not as many of each phase"):
        load_results(file)


def test_a_row_of_another_library_has_ciphertexts_and_bytes_of_its_own(tmp_path: Path) -> None:
    row = replace(record("packed", ciphertexts=1), backend="tenseal", bytes_per_value=9999.5)
    file = tmp_path / "peers.json"
    file.write_text(json.dumps(results_as_dict(results(row))))
    assert load_results(file).records == (row,)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_number_of_samples_is_read(tmp_path: Path, count: int) -> None:
    row = record(samples={phase: [1.0] * count for phase in PHASES}, reference=[2.0] * count)
    file = tmp_path / "few.json"
    file.write_text(json.dumps(results_as_dict(results(row, record("vectorized", reference=[])))))
    assert load_results(file).records[0] == row


def test_a_row_is_held_against_a_scaled_loop_if_that_is_what_the_file_says(tmp_path: Path) -> None:
    """By itself, or by the loop's row of the same case; no other row tells."""
    other, own = replace(CASE, clients=3), replace(CASE, values=2)
    rows = [
        record("naive"),
        record("packed"),
        replace(record("vectorized", measured_clients=3), backend="lightphe"),
        record("naive", other, measured_values=5),
        record("packed", other),
        record("vectorized", own, reference_extrapolated=True),
        record("packed", own),
    ]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results_as_dict(results(*rows))))
    loaded = load_results(file)
    assert [row.reference_extrapolated for row in loaded.records] == [False, False, False, True, True, True, False]
