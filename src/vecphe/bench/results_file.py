"""Files of measurements: JSON out, and strictly checked JSON in, for results, baselines and what documents show.

What an entry may be follows from the dataclass that it is read into: text is a printable line, integers are counts,
floats are positive and finite.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import types
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from vecphe.arithmetic import ciphertext_bytes
from vecphe.bench.records import PHASES, Record, Results
from vecphe.errors import SerializationError
from vecphe.serialization.strict_text import check_parts, without_duplicates
from vecphe.system.files import read_file, replace_file

__all__ = [
    "decoded",
    "load_as",
    "load_file",
    "load_results",
    "refuse_unless",
    "results_as_dict",
    "results_from_dict",
    "save_file",
]

_SCHEMA, _COMMAND = "vecphe-benchmark", "vecphe bench run --save"
_BACKENDS = ("naive", "vectorized", "packed")
_MOST_BYTES = 64 << 20
_MOST_ENTRIES = 100_000  # of a list
_MOST_FIELDS = 1000  # of an object
_MOST_PARTS = 50 * _MOST_ENTRIES  # lists, objects, fields and times of day
_MOST_TEXT = 1000
_UNIQUE = without_duplicates("a name stands twice in one object")
_LEAST, _MOST = 1e-12, 1e12  # of a float: nothing that cannot be divided by


def save_file(path: Path, schema: str, content: Mapping[str, Any]) -> None:
    """Write an object whole, or leave the file as it is; OSError if it cannot be written."""
    text = json.dumps({"schema": schema, "version": 1, **content}, indent=1, sort_keys=True, allow_nan=False) + "\n"
    replace_file(path, text.encode("utf-8"), force=True)


def load_file(path: Path, schema: str, command: str) -> dict[str, Any]:
    """The object in a file that may hold anything, without its schema and version.

    Parameters
    ----------
    path : Path
    schema : str
    command : str
        Which writes such files.

    Raises
    ------
    SerializationError
        If it is no JSON object, has a name twice, or is of another schema or version.
    OSError
        If it cannot be read, or is too large.
    """
    data = read_file(path, _MOST_BYTES)
    check_parts(data, _MOST_PARTS, f"{path} has more parts than {_MOST_ENTRIES} records have")
    try:
        content = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_UNIQUE)
    except (ValueError, RecursionError) as error:
        raise SerializationError(f"{path} is not a JSON file: {str(error)[:100]}") from None
    if not isinstance(content, dict):
        raise SerializationError(f"{path} is not a JSON object")
    return _without_schema(content, schema, command, f"{path}: ")


def _without_schema(content: dict[str, Any], schema: str, command: str, place: str = "") -> dict[str, Any]:
    """The rest of an object of this schema, in version 1."""
    refuse_unless("schema" in content, place, "schema is missing")
    refuse_unless(content["schema"] == schema, place, f"schema is not {schema!r}: this is no file of `{command}`")
    version = content.get("version")
    refuse_unless(
        version == 1 and not isinstance(version, bool), place, "version is not 1, the only one that this vecphe reads"
    )
    return {name: value for name, value in content.items() if name not in ("schema", "version")}


def load_as(kind: Any, path: Path, schema: str, command: str, file: str = "") -> Any:
    """What `save_file` wrote, as a dataclass; errors as of `load_file` and `decoded`, naming the file."""
    content = load_file(path, schema, command)
    try:
        return decoded(kind, content, file=file)
    except SerializationError as error:
        raise SerializationError(f"{path}: {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def refuse_unless(right: bool, place: str, message: str) -> None:
    """Raise SerializationError unless `right`."""
    if not right:
        raise SerializationError(f"{place}{message}")


_hints = cache(typing.get_type_hints)


def decoded(kind: Any, content: Any, place: str = "", file: str = "") -> Any:
    """A value of a type from what JSON held.

    Parameters
    ----------
    kind : type
        A dataclass, str, int, float, bool, or a list, tuple, dict or union of these. A field with the
        metadata ``flat`` stands among its parent's.
    content : object
    place : str
        Where it stands, for messages; "" is the file.
    file : str
        What the file is called where it has an entry that no field has; by default such entries are not read.

    Raises
    ------
    SerializationError
        Naming the place.
    """
    if dataclasses.is_dataclass(kind):
        return _decoded_fields(kind, content, place, file)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if content is None else decoded(arguments[0], content, place, file)
    if origin in (list, tuple):
        refuse_unless(
            isinstance(content, list) and len(content) <= _MOST_ENTRIES, place, f" is no list of up to {_MOST_ENTRIES}"
        )
        return origin(decoded(arguments[0], entry, f"{place}[{i}]", file) for i, entry in enumerate(content))
    if origin is dict:
        _check_object(content, place)
        return {
            decoded(str, name, place): decoded(arguments[1], entry, f"{place}.{name}", file)
            for name, entry in content.items()
        }
    is_valid, what = _KINDS[kind]
    refuse_unless(is_valid(content), place, f" is {what}")
    if kind is float:
        refuse_unless(_LEAST <= content <= _MOST, place, " is not positive and finite")
        return float(content)
    return content


def _check_object(content: Any, place: str) -> None:
    is_object = isinstance(content, dict) and len(content) <= _MOST_FIELDS
    refuse_unless(is_object, place or "the file", f" is no object of up to {_MOST_FIELDS} fields")


def _decoded_fields(kind: Any, content: Any, place: str, file: str) -> Any:
    _check_object(content, place)
    before, known, values = f"{place}." if place else "", set(), {}
    for field in dataclasses.fields(kind):
        own = _hints(kind)[field.name]
        if field.metadata.get("flat"):
            values[field.name] = decoded(own, content, place)
            known |= {inner.name for inner in dataclasses.fields(own)}
            continue
        refuse_unless(field.name in content, before, f"{field.name} is missing")
        values[field.name] = decoded(own, content[field.name], f"{before}{field.name}", file)
        known.add(field.name)
    if file and (unknown := sorted(content.keys() - known)):
        refuse_unless(False, before, f"{unknown[0][:40]} is no field of {file}")
    return kind(**values)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_TEXT and value.isprintable()


_KINDS: dict[Any, tuple[Any, str]] = {
    str: (_is_text, "no line of text"),
    int: (lambda v: isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 1 << 63, "no count"),
    float: (_is_number, "no number"),
    bool: (lambda v: isinstance(v, bool), "neither true nor false"),
}


# Results of `vecphe bench run`


def results_as_dict(results: Results) -> dict[str, Any]:
    """Results, ready for JSON, with what is derived from them for other readers."""
    return {
        "schema": _SCHEMA,
        "version": 1,
        "complete": results.complete,
        "warnings": list(results.warnings),
        "records": [record.as_dict() for record in results.records],
    }


def load_results(path: Path) -> Results:
    """Results that ``vecphe bench run --save`` wrote.

    Raises
    ------
    SerializationError
        If the file is not of this form; the message names the file and the field.
    OSError
        If it cannot be read.
    """
    content = load_file(path, _SCHEMA, _COMMAND)
    try:
        return _results(content)
    except SerializationError as error:
        raise SerializationError(f"{path}: {error}") from None


def results_from_dict(content: dict[str, Any]) -> Results:
    """Results from the content of a file; derived figures in it are not read but computed again.

    Raises
    ------
    SerializationError
    """
    return _results(_without_schema(content, _SCHEMA, _COMMAND))


def _results(content: dict[str, Any]) -> Results:
    results: Results = decoded(Results, content)
    for i, record in enumerate(results.records):
        _check_record(record, f"records[{i}].")
    identities = {record.identity for record in results.records}
    refuse_unless(len(identities) == len(results.records), "", "records: the same case stands there twice")
    return results


def _check_record(record: Record, place: str) -> None:
    """What types leave open. A ciphertext has twice the bytes of n, and one value unless values are packed."""
    case, samples = record.case, record.samples
    refuse_unless(record.backend in _BACKENDS, place, f"backend is none of {', '.join(_BACKENDS)}")
    for name, most in (
        ("measured_values", case.values),
        ("measured_clients", case.clients),
        ("ciphertexts", case.values),
    ):
        refuse_unless(1 <= getattr(record, name) <= most, place, f"{name} is not from 1 to {most}")
    for name, value in (
        ("key_length", case.key_length),
        ("jobs", record.jobs),
        ("environment.cores", record.environment.cores),
    ):
        refuse_unless(value > 0, place, f"{name} is not positive")
    refuse_unless(samples.keys() == set(PHASES), place, f"samples are not of {', '.join(PHASES)}")
    lengths = {len(times) for times in samples.values()} | ({len(record.reference)} - {0})
    refuse_unless(
        len(lengths) == 1 and 0 not in lengths, place, "samples: not as many of each phase and of the reference"
    )
    packed = record.backend == "packed"
    refuse_unless(
        packed or record.ciphertexts == case.values, place, f"ciphertexts are not {case.values}, as the values"
    )
    wire = ciphertext_bytes(case.key_length) * record.ciphertexts
    right = math.isclose(record.bytes_per_value, wire / case.values)
    refuse_unless(right, place, f"bytes_per_value is not that of {record.ciphertexts} ciphertexts a vector")
    try:
        known = datetime.datetime.fromisoformat(record.date).tzinfo is not None
    except ValueError:
        known = False
    refuse_unless(known, place, "date is none of ISO 8601 with a time zone")
