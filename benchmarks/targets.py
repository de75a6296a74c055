"""The speed targets of the project, measured on this machine: ``make targets``.

Prints one line a target with what was measured, engine and CPU first, and exits with status 1 if one was missed.
Both sides of a ratio run interleaved in this process on one core; figures are medians. ``--save FILE`` writes
them as JSON; ``make documents`` makes the README's table of those in `benchmarks/results`.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
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


def as_table(content: dict[str, Any]) -> list[str]:
    """Markdown lines of a saved run."""
    rows = [Figure(**line).cells() for line in content["lines"]]
    return [provenance(content, "make targets"), "", *table(["what", "measured", "target", "per item"], *rows)]


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
