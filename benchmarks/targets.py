"""The speed targets of the project, measured on this machine: ``make bench``.

Prints one line a target with what was measured, engine and CPU first, and exits with status 1 if one was missed.
Both sides of a ratio run interleaved in this process on one core; figures are medians. ``--readme FILE`` writes the
table between the markers of a Markdown file as well.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"  # read when a peer is imported

import vecphe
from benchmarks.lines import GROUPS
from benchmarks.measure import Measured
from vecphe.arithmetic import active_engine
from vecphe.bench.environment import machine_line

MARKERS = ("<!-- targets -->", "<!-- end of targets -->")

# By engine and line; ratios are lower bounds, times and sizes upper bounds. A first encryption is to be no slower
# than phe's: 5 % are left to the noise of the machine.
TARGETS: dict[str, dict[str, float]] = {
    "gmp": {
        "encrypt-2048": 17,
        "add": 1,
        "decrypt": 0.7,
        "first": 0.95,
        "keygen": 1,
        "protocol-1024": 40,
        "protocol-2048": 70,
        "setup": 0.25,
        "jobs": 1.7,
    },
    "ifma": {
        "encrypt-2048": 150,
        "encrypt-pypaillier": 12,
        "decrypt": 9,
        "decrypt-pypaillier": 10,
        "add": 15,
        "add-pypaillier": 10,
        "multiply": 8,
        "matmul": 40,
        "matmul-elementwise": 4,
        "encrypt-1": 30,
        "decrypt-1": 2.2,
        "encrypt-1024": 120,
        "encrypt-3072": 140,
        "encrypt-4096": 140,
        "first": 0.95,
        "keygen": 1,
        "protocol-1024": 120,
        "protocol-2048": 200,
        "setup": 0.3,
        "peak-2048": 70,
        "peak-3072": 70,
        "table-time": 0.05,
        "table-size": 32,
        "overhead": 20,
        "import": 0.15,
    },
}


@dataclass(frozen=True)
class Line:
    """What was measured, held against its target if it has one on this engine."""

    measured: Measured
    target: float | None

    @property
    def met(self) -> bool:
        if self.target is None:
            return True
        value = self.measured.value
        return value <= self.target if self.measured.at_most else value >= self.target

    @property
    def wanted(self) -> str:
        if self.target is None:
            return "-"
        return f"{'<=' if self.measured.at_most else '>='} {self.target:g}"

    def __str__(self) -> str:
        verdict = "" if self.target is None else "met" if self.met else "MISSED"
        m = self.measured
        return f"{m.name:<58} {m.value:8.3g} {m.unit:<2} {self.wanted:>8} {verdict:<6} {m.detail}"

    def markdown(self) -> str:
        m = self.measured
        return f"| {m.name} | {m.value:.3g} {m.unit} | {self.wanted}{'' if self.met else ' (missed)'} | {m.detail} |"


def measured_lines(groups: list[str]) -> Iterator[Line]:
    targets = TARGETS.get(active_engine().name, {})
    for group in groups:
        for measured in GROUPS[group]():
            yield Line(measured, targets.get(measured.key))


def write_table(path: Path, lines: list[Line]) -> None:
    """Replace what stands between the markers of a Markdown file."""
    head, rest = path.read_text(encoding="utf-8").split(MARKERS[0])
    tail = rest.split(MARKERS[1])[1]
    table = [
        f"Measured by `make bench` on {datetime.date.today()}: {machine_line()}.\n",
        "| what | measured | target | per item |",
        "|---|---|---|---|",
        *(line.markdown() for line in lines),
    ]
    path.write_text(f"{head}{MARKERS[0]}\n" + "\n".join(table) + f"\n{MARKERS[1]}{tail}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"which of {', '.join(GROUPS)} (default: all)")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write the table into this file as well")
    arguments = parser.parse_args()
    wanted = arguments.groups or list(GROUPS)
    if unknown := set(wanted) - set(GROUPS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore", vecphe.InsecureKeyWarning)
    print(machine_line(), flush=True)
    lines = []
    for line in measured_lines(wanted):
        print(line, flush=True)
        lines.append(line)
    if arguments.readme:
        write_table(arguments.readme, lines)
    missed = [line.measured.name for line in lines if not line.met]
    if missed:
        print(f"{len(missed)} of {len(lines)} targets missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
