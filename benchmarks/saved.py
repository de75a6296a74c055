"""Results in files, and sections of documents written from them."""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vecphe.bench.environment import Environment, machine_line
from vecphe.bench.results_file import load_json
from vecphe.errors import SerializationError
from vecphe.files import replace_file

RESULTS = Path(__file__).parent / "results"


def stamped(schema: str, **content: Any) -> dict[str, Any]:
    """Content with where and when it was measured."""
    return {
        "schema": f"vecphe-{schema}",
        "version": 1,
        "date": datetime.date.today().isoformat(),
        "machine": machine_line(),
        "load": round(os.getloadavg()[1], 1),
        "environment": asdict(Environment.current()),
        **content,
    }


def save(path: Path, content: dict[str, Any]) -> None:
    replace_file(path, (json.dumps(content, indent=1) + "\n").encode(), force=True)


def load(path: Path, schema: str) -> dict[str, Any]:
    content = load_json(path)
    if content.get("schema") != f"vecphe-{schema}" or content.get("version") != 1:
        raise SerializationError(f"{path} is no file of results of the kind vecphe-{schema}")
    return content


def provenance(content: dict[str, Any], command: str) -> str:
    """A sentence: which command, when, on what."""
    versions = ", ".join(f"{name} {version}" for name, version in content["environment"]["versions"].items())
    return (
        f"Measured by `{command}` on {content['date']}: {content['machine']} ({versions}); "
        f"load {content['load']} at the end, 1 of it this run."
    )


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [_row(header), "|" + "---|" * len(header), *map(_row, rows)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def with_section(text: str, name: str, lines: list[str]) -> str:
    """A document with what stands between its markers ``<!-- name -->`` and ``<!-- end of name -->`` replaced."""
    first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if text.count(first) != 1 or text.count(last) != 1:
        raise SerializationError(f"the document needs each of {first} and {last} once")
    head, rest = text.split(first)
    return "\n".join([f"{head}{first}", *lines, f"{last}{rest.split(last)[1]}"])
