"""Files of results: JSON out, and strictly checked JSON in."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from vecphe.bench.environment import Environment
from vecphe.bench.records import PHASES, Case, Record, Results
from vecphe.errors import SerializationError
from vecphe.files import read_file
from vecphe.strict_text import check_parts, without_duplicates

__all__ = ["SCHEMA", "SCHEMA_VERSION", "load_json", "load_results", "results_as_dict", "results_from_dict"]

SCHEMA = "vecphe-benchmark"
SCHEMA_VERSION = 1

_MOST_BYTES = 64 << 20
_MOST_RECORDS = 100_000
_MOST_PARTS = 50 * _MOST_RECORDS  # lists, objects, fields and times of day
_MOST_SAMPLES = 10_000
_MOST_TEXT = 1000
_UNIQUE = without_duplicates("a name stands twice in one object")
_BACKENDS = ("naive", "vectorized", "packed")


def results_as_dict(results: Results) -> dict[str, Any]:
    """Results, ready for JSON."""
    return {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "complete": results.complete,
        "warnings": list(results.warnings),
        "records": [record.as_dict() for record in results.records],
    }


def load_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file that may hold anything.

    Raises
    ------
    SerializationError
        If it is no JSON, no object, or has a name twice.
    OSError
        If it cannot be read, or is too large.
    """
    data = read_file(path, _MOST_BYTES)
    check_parts(data, _MOST_PARTS, f"{path} has more parts than {_MOST_RECORDS} records have")
    try:
        content = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_UNIQUE)
    except (ValueError, RecursionError) as error:
        raise SerializationError(f"{path} is not a JSON file: {str(error)[:100]}") from None
    if not isinstance(content, dict):
        raise SerializationError(f"{path} is not a JSON object")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def load_results(path: Path) -> Results:
    """Results that ``vecphe bench run --save`` wrote.

    Raises
    ------
    SerializationError
        If the file is not of this form; the message names the file and the field.
    OSError
        If it cannot be read.
    """
    content = load_json(path)
    try:
        return results_from_dict(content)
    except SerializationError as error:
        raise SerializationError(f"{path}: {error}") from None


def results_from_dict(content: dict[str, Any]) -> Results:
    """Results from the content of a file; derived figures in it are not read but computed again.

    Raises
    ------
    SerializationError
    """
    top = _Fields(content, "")
    if top.take("schema", _is_text) != SCHEMA:
        raise SerializationError(f"schema is not {SCHEMA!r}: this is no file of `vecphe bench run --save`")
    if top.take("version", _is_count) != SCHEMA_VERSION:
        raise SerializationError(f"version is not {SCHEMA_VERSION}, the only one that this vecphe reads")
    records = [_record(entry, f"records[{i}].") for i, entry in enumerate(top.take("records", _is_list(_MOST_RECORDS)))]
    if len({record.identity for record in records}) < len(records):
        raise SerializationError("records: the same case stands there twice")
    return Results(
        tuple(records), top.take("complete", _is_bool), tuple(top.take("warnings", _is_list(_MOST_SAMPLES, _is_text)))
    )


def _record(content: Any, place: str) -> Record:
    fields = _Fields(content, place)
    case = Case(*(fields.take(name, _is_positive) for name in ("key_length", "clients", "values")))
    samples = _Fields(fields.take("samples", _is_object), f"{place}samples.")
    phases: dict[str, list[float]] = {phase: samples.take(phase, _is_times) for phase in PHASES}
    record = Record(
        backend=fields.take("backend", lambda value: value in _BACKENDS),
        case=case,
        jobs=fields.take("jobs", _is_positive),
        measured_values=fields.take("measured_values", lambda v: _is_positive(v) and v <= case.values),
        measured_clients=fields.take("measured_clients", lambda v: _is_positive(v) and v <= case.clients),
        samples=phases,
        reference=fields.take("reference", lambda value: value == [] or _is_times(value)),
        ciphertexts=fields.take("ciphertexts", _is_positive),
        bytes_per_value=fields.take("bytes_per_value", _is_time),
        setup=fields.take("setup", _is_time),
        memory=fields.take("memory", lambda value: value is None or _is_count(value)),
        date=fields.take("date", _is_date),
        environment=_environment(fields.take("environment", _is_object), f"{place}environment."),
    )
    lengths = {len(times) for times in phases.values()} | ({len(record.reference)} - {0})
    if len(lengths) > 1:
        raise SerializationError(f"{place}samples: not as many of each phase and of the reference")
    _check_sizes(record, place)
    return record


def _check_sizes(record: Record, place: str) -> None:
    """Sizes follow from the case: a ciphertext has twice the bytes of n, and one value unless values are packed."""
    values = record.case.values
    if record.ciphertexts > values or (record.backend != "packed" and record.ciphertexts < values):
        raise SerializationError(f"{place}ciphertexts has a value that cannot be: a vector has {values} values")
    width = 2 * -(-record.case.key_length // 8)
    if not math.isclose(record.bytes_per_value, width * record.ciphertexts / values):
        raise SerializationError(f"{place}bytes_per_value is not that of {record.ciphertexts} ciphertexts a vector")


def _environment(content: Any, place: str) -> Environment:
    fields = _Fields(content, place)
    return Environment(
        cpu=fields.take("cpu", _is_text),
        cores=fields.take("cores", _is_positive),
        system=fields.take("system", _is_text),
        engine=fields.take("engine", _is_text),
        target=fields.take("target", _is_text),
        versions=fields.take(
            "versions",
            lambda v: isinstance(v, dict) and len(v) < _MOST_TEXT and all(_is_text(t) for t in (*v, *v.values())),
        ),
    )


class _Fields:
    """The members of one object, taken by name; `place` says where it stands, for messages."""

    def __init__(self, content: Any, place: str) -> None:
        if not isinstance(content, dict):
            raise SerializationError(f"{place.rstrip('.')} is not an object")
        self._content, self._place = content, place

    def take(self, name: str, is_valid: Callable[[Any], bool]) -> Any:
        if name not in self._content:
            raise SerializationError(f"{self._place}{name} is missing")
        value = self._content[name]
        if not is_valid(value):
            raise SerializationError(f"{self._place}{name} has a value that cannot be")
        return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_TEXT and value.isprintable()


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _is_positive(value: Any) -> bool:
    return _is_count(value) and value > 0


def _is_time(value: Any) -> bool:
    """A positive finite number, not too small to divide by."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 1e-12 <= value <= 1e12


def _is_times(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= _MOST_SAMPLES and all(_is_time(entry) for entry in value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(most: int, is_entry: Callable[[Any], bool] = lambda _: True) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(is_entry, value))


def _is_date(value: Any) -> bool:
    try:
        return _is_text(value) and datetime.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
