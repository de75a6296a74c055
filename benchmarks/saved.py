"""Results in files, and sections of documents written from them."""

from __future__ import annotations

import argparse
import datetime
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vecphe.bench.environment import Environment, machine_line
from vecphe.bench.results_file import save_file
from vecphe.errors import SerializationError


def stamped(**content: Any) -> dict[str, Any]:
    """Content with where and when it was measured."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine_line(),
        "load": round(os.getloadavg()[1], 1),
        "environment": asdict(Environment.current()),
        **content,
    }


def parser_with_save(about: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path, metavar="FILE", help="write what was measured as JSON")
    return parser


def show_and_save(
    kind: str,
    parser: argparse.ArgumentParser,
    measure: Callable[[argparse.Namespace], dict[str, Any]],
    as_table: Callable[[dict[str, Any]], list[str]],
) -> None:
    """A program that prints the table of what it measures, and saves that with ``--save FILE``."""
    arguments = parser.parse_args()
    content = stamped(**measure(arguments))
    print("\n".join(as_table(content)))
    if arguments.save:
        save_file(arguments.save, f"vecphe-{kind}", content)


def provenance(content: dict[str, Any], command: str) -> str:
    """A sentence: which command, when, on what."""
    return (
        f"Measured by `{command}` on {content['date']}: {content['machine']} "
        f"({versions(content['environment']['versions'])}); load {content['load']} at the end, 1 of it this run."
    )


def versions(numbers: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


def table(*rows: Sequence[str]) -> list[str]:
    """Lines of a Markdown table, its header first."""
    header, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return [header, "|" + "---|" * len(rows[0]), *rest]


def with_section(text: str, name: str, lines: list[str]) -> str:
    """A document with what stands between its markers ``<!-- name -->`` and ``<!-- end of name -->`` replaced."""
    first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if text.count(first) != 1 or text.count(last) != 1:
        raise SerializationError(f"the document needs each of {first} and {last} once")
    head, rest = text.split(first)
    return "\n".join([f"{head}{first}", *lines, f"{last}{rest.split(last)[1]}"])
