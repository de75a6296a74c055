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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from vecphe.arithmetic import ciphertext_bytes
from vecphe.bench.peers import PEERS
from vecphe.bench.records import BACKENDS, PHASES, Record, Results
from vecphe.errors import SerializationError
from vecphe.serialization.strict_text import check_parts, without_duplicates
from vecphe.system.files import read_file, replace_file
from vecphe.system.plurals import counted

__all__ = ["load_as", "load_file", "load_results", "refuse_unless", "results_as_dict", "save_file"]

_SCHEMA, _COMMAND = "vecphe-benchmark", "vecphe bench run --save"
_MOST_BYTES = 64 << 20
_MOST_ENTRIES = 100_000  # of a list
_MOST_FIELDS = 1000  # of an object
_MOST_PARTS = 50 * _MOST_ENTRIES  # lists, objects, fields and times of day
_MOST_TEXT = 1000
_STRICT: dict[str, Any] = {
    "object_pairs_hook": without_duplicates("a name stands twice in one object"),
    "parse_constant": lambda name: refuse_unless(False, name, " is no number of JSON"),
}
_LEAST, _MOST = 1e-12, 1e12  # of a float: nothing that cannot be divided by


def save_file(path: Path, schema: str, content: Mapping[str, Any]) -> None:
    """Write an object whole, or leave the file as it is; OSError if it cannot be written."""
    text = json.dumps({"schema": schema, "version": 1, **content}, indent=1, sort_keys=True, allow_nan=False) + "\n"
    replace_file(path, text.encode("utf-8"), force=True)


def load_file(path: Path, schema: str, command: str) -> dict[str, Any]:
    """The object in a file that may hold anything, without its schema and version; `command` writes such files.

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
        content = json.loads(data.decode("utf-8"), **_STRICT)
    except (ValueError, RecursionError) as error:
        raise SerializationError(f"{path} is not a JSON file: {str(error)[:100]}") from None
    if not isinstance(content, dict):
        raise SerializationError(f"{path} is not a JSON object")
    place = f"{path}: "
    refuse_unless("schema" in content, place, "schema is missing")
    refuse_unless(content.pop("schema") == schema, place, f"schema is not {schema!r}: this is no file of `{command}`")
    version = content.pop("version", None)
    is_known = version == 1 and not isinstance(version, bool)
    refuse_unless(is_known, place, "version is not 1, the only one that this vecphe reads")
    return content


def load_as(
    kind: Any,
    path: Path,
    schema: str,
    command: str,
    file: str = "",
    faults: Callable[[Any], Iterator[str]] = lambda _: iter(()),
) -> Any:
    """What a file of `load_file` holds, as a dataclass; errors as there, naming the place.

    Parameters
    ----------
    kind : type
        A dataclass of str, int, float, bool, dataclasses, and of lists, tuples, dicts and unions with None of these. A
        field with the metadata ``flat`` stands among its parent's, one with ``optional`` may be missing.
    file : str
        What the file is called where it has an entry that no field has; by default such entries are not read.
    faults : callable
        What is wrong with the values, each fault with its place, as far as types leave that open.
    """
    content = load_file(path, schema, command)
    try:
        value = _decoded(kind, content, "", file)
        for fault in faults(value):
            raise SerializationError(fault)
    except SerializationError as error:
        raise SerializationError(f"{path}: {error}") from None
    return value


def refuse_unless(right: bool, place: str, message: str) -> None:
    """Raise SerializationError unless `right`."""
    if not right:
        raise SerializationError(f"{place}{message}")


_hints = cache(typing.get_type_hints)


def _decoded(kind: Any, content: Any, place: str, file: str) -> Any:
    """A value of a type from what JSON held at a place; "" is the file."""
    if dataclasses.is_dataclass(kind):
        return _decoded_fields(kind, content, place, file)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if content is None else _decoded(arguments[0], content, place, file)
    if origin in (list, tuple):
        is_list = isinstance(content, list) and len(content) <= _MOST_ENTRIES
        refuse_unless(is_list, place, f" is no list of up to {_MOST_ENTRIES}")
        return origin(_decoded(arguments[0], entry, f"{place}[{i}]", file) for i, entry in enumerate(content))
    if origin is dict:
        return {
            _decoded(str, name, place, file): _decoded(arguments[1], entry, f"{place}.{name}", file)
            for name, entry in _checked_object(content, place).items()
        }
    is_valid, what = _KINDS[kind]
    refuse_unless(is_valid(content), place, f" is {what}")
    if kind is float:
        refuse_unless(_LEAST <= content <= _MOST, place, " is not positive and finite")
        return float(content)
    return content


def _checked_object(content: Any, place: str) -> dict[str, Any]:
    is_object = isinstance(content, dict) and len(content) <= _MOST_FIELDS
    refuse_unless(is_object, place or "the file", f" is no object of up to {_MOST_FIELDS} fields")
    return content  # type: ignore[no-any-return]


def _decoded_fields(kind: Any, content: Any, place: str, file: str) -> Any:
    _checked_object(content, place)
    before, known, values = f"{place}." if place else "", set(), {}
    for field in dataclasses.fields(kind):
        own = _hints(kind)[field.name]
        if field.metadata.get("flat"):
            values[field.name] = _decoded(own, content, place, "")
            known |= {inner.name for inner in dataclasses.fields(own)}
            continue
        if field.metadata.get("optional") and field.name not in content:  # of files that were written before it
            continue
        refuse_unless(field.name in content, before, f"{field.name} is missing")
        values[field.name] = _decoded(own, content[field.name], f"{before}{field.name}", file)
        known.add(field.name)
    if file and (unknown := sorted(content.keys() - known)):
        raise SerializationError(f"{before}{unknown[0][:40]} is no field of {file}")
    return kind(**values)


_KINDS: dict[Any, tuple[Callable[[Any], bool], str]] = {
    str: (lambda v: isinstance(v, str) and len(v) <= _MOST_TEXT and v.isprintable(), "no line of text"),
    int: (lambda v: isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 1 << 63, "no count"),
    float: (lambda v: isinstance(v, (int, float)) and not isinstance(v, bool), "no number"),
    bool: (lambda v: isinstance(v, bool), "neither true nor false"),
}


# Results of `vecphe bench run`


def results_as_dict(results: Results) -> dict[str, Any]:
    """Results, ready for JSON, with what is derived from them for other readers."""
    records = [record.as_dict() for record in results.records]
    return {"schema": _SCHEMA, "version": 1, **vars(results), "records": records}


def load_results(path: Path) -> Results:
    """Results that ``vecphe bench run --save`` wrote, as `load_as`; what is derived is not read but computed again."""
    results: Results = load_as(Results, path, _SCHEMA, _COMMAND, faults=_faults)
    scaled = {record.case for record in results.records if record.backend == "naive" and record.extrapolated}
    records = (replace(r, reference_extrapolated=r.reference_extrapolated or r.case in scaled) for r in results.records)
    return replace(results, records=tuple(records))


def _faults(results: Results) -> Iterator[str]:
    for i, record in enumerate(results.records):
        yield from (f"records[{i}].{fault}" for fault in _faults_of(record))
    if len({record.identity for record in results.records}) < len(results.records):
        yield "records: the same case stands there twice"


def _faults_of(record: Record) -> Iterator[str]:
    """What types leave open. A ciphertext has twice the bytes of n, and one value unless values are packed."""
    case, ciphertexts = record.case, record.ciphertexts
    counts = {"key_length": case.key_length, "jobs": record.jobs, "environment.cores": record.environment.cores}
    parts = {"values": record.measured_values, "clients": record.measured_clients}
    ranges = [(f"measured_{name}", count, getattr(case, name)) for name, count in parts.items()]
    lengths = {len(times) for times in record.samples.values()} | ({len(record.reference)} - {0})
    wire = ciphertext_bytes(case.key_length) * ciphertexts
    if record.backend not in (known := (*BACKENDS, *PEERS)):
        yield f"backend is none of {', '.join(known)}"
    for name, count, most in (*ranges, ("ciphertexts", ciphertexts, case.values)):
        if not 1 <= count <= most:
            yield f"{name} is not from 1 to {most}"
    yield from (f"{name} is not positive" for name, count in counts.items() if not count)
    if record.samples.keys() != set(PHASES):
        yield f"samples are not of {', '.join(PHASES)}"
    if len(lengths) != 1 or 0 in lengths:
        yield "samples: not as many of each phase and of the reference"
    is_ours = record.backend in BACKENDS
    if is_ours and record.backend != "packed" and ciphertexts != case.values:
        yield f"ciphertexts are not {case.values}, as the values"
    if is_ours and not math.isclose(record.bytes_per_value, wire / case.values):
        yield f"bytes_per_value is not that of {counted(ciphertexts, 'ciphertext')} a vector"
    if not _is_moment(record.date):
        yield "date is none of ISO 8601 with a time zone"


def _is_moment(text: str) -> bool:
    try:
        return datetime.datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
