"""The speed targets of the project, measured on this machine: ``make targets``.

Prints one line a target with what was measured, engine and CPU first, and exits with status 1 if one was missed.
Both sides of a ratio run interleaved in this process on one core; figures are medians. ``--save FILE`` writes
them as JSON; ``make documents`` makes tables, one column an engine, of those in `benchmarks/results/targets`.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

os.environ["RAYON_NUM_THREADS"] = "1"  # read when a peer is imported

import vecphe
from benchmarks.measure import Figure, hold
from benchmarks.saved import parser_with_save, provenance, stamped, table
from vecphe.bench.environment import machine_line
from vecphe.bench.results_file import save_file


def measured_lines(groups: list[str]) -> Iterator[Figure]:
    from benchmarks.lines import GROUPS

    return (line for group in groups for line in GROUPS[group]())


# What the README shows; docs/performance.md has every line.
FIRST = ("encrypt-2048", "encrypt-3072", "decrypt", "add", "multiply", "protocol-1024", "protocol-2048", "peak-2048")


def as_columns(contents: list[dict[str, Any]], keys: Sequence[str] = ()) -> list[str]:
    """Markdown lines of saved runs, one column an engine; with `keys` only these lines, without notes on each run."""
    runs = [{line["key"]: Figure(**line) for line in content["lines"]} for content in contents]
    names = {key: figure.name for run in runs for key, figure in run.items()}
    rows = [
        [names[key], *(run[key].cell() if key in run else "" for run in runs)] for key in keys or names if key in names
    ]
    engines = [content["environment"]["engine"] for content in contents]
    notes = [] if keys else [f"- {provenance(content, 'make targets')}" for content in contents] + [""]
    return [*notes, *table(["what", *engines], *rows)]


def main() -> int:
    from benchmarks.lines import GROUPS

    parser = parser_with_save(__doc__)
    parser.add_argument("groups", nargs="*", help=f"which of {', '.join(GROUPS)} (default: all)")
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(GROUPS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    warnings.simplefilter("ignore", vecphe.InsecureKeyWarning)
    print(machine_line(), flush=True)
    lines, status = hold(measured_lines(arguments.groups or list(GROUPS)))
    if arguments.save:
        save_file(arguments.save, "vecphe-targets", stamped(lines=[asdict(line) for line in lines]))
    return status


if __name__ == "__main__":
    sys.exit(main())
