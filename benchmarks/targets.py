"""The speed targets of the project, measured on this machine: ``make targets``.

Prints one line a target with what was measured, engine and CPU first, and exits with status 1 if one was missed.
Both sides of a ratio run interleaved in this process on one core; figures are medians. ``--save FILE`` writes
them as JSON; ``make documents`` makes tables, one column an engine, of those in `benchmarks/results/targets`.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

os.environ["RAYON_NUM_THREADS"] = "1"  # read when a peer is imported

import vecphe
from benchmarks.measure import Figure, hold
from benchmarks.saved import parser_with_save, provenance, stamped, table
from vecphe.bench.environment import machine_line
from vecphe.bench.results_file import save_file


def known_groups() -> dict[str, Callable[[], Iterator[Figure]]]:
    from benchmarks import lines, scale

    return {**lines.GROUPS, **scale.GROUPS, "scale": scale.scale}


def measured_lines(groups: list[str]) -> Iterator[Figure]:
    return (line for group in groups for line in known_groups()[group]())


# What the README shows; docs/performance.md has every line.
FIRST = ("encrypt-2048", "encrypt-3072", "decrypt", "add", "multiply", "protocol-1024", "protocol-2048", "peak-2048")


def as_columns(contents: list[dict[str, Any]], keys: Sequence[str] = ()) -> list[str]:
    """Markdown lines of saved runs, one column an engine; with `keys` only these lines, without notes on each run."""
    runs = [{line["key"]: Figure(**line) for line in content["lines"]} for content in contents]
    names = {key: figure.name for run in runs for key, figure in run.items()}
    rows = [
        [names[key], *(run[key].cell() if key in run else "" for run in runs)] for key in keys or names if key in names
    ]
    columns = _columns([content["environment"] for content in contents])
    notes = [] if keys else [f"- {provenance(content, 'make targets')}" for content in contents] + [""]
    return [*notes, *table(["what", *columns], *rows)]


def _columns(environments: list[dict[str, Any]]) -> list[str]:
    """The engine of each run, and who made the CPU where one engine was measured on several."""
    of_engine = Counter(e["engine"] for e in environments)
    makers = [re.split(r"\W", e["cpu"])[0] for e in environments]
    return [
        f"{e['engine']}, {maker}" if of_engine[e["engine"]] > 1 else e["engine"]
        for e, maker in zip(environments, makers, strict=True)
    ]


def main() -> int:
    from benchmarks.lines import GROUPS

    parser = parser_with_save(__doc__)
    known = ", ".join(known_groups())
    parser.add_argument("groups", nargs="*", help=f"which of {known} (default: {', '.join(GROUPS)})")
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(known_groups()):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {known}")
    warnings.simplefilter("ignore", vecphe.InsecureKeyWarning)
    print(machine_line(), flush=True)
    lines, status = hold(measured_lines(arguments.groups or list(GROUPS)))
    if arguments.save:
        save_file(arguments.save, "vecphe-targets", stamped(lines=[asdict(line) for line in lines]))
    return status


if __name__ == "__main__":
    sys.exit(main())
