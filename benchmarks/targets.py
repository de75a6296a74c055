"""The speed targets of the project, measured on this machine: ``make bench``.

Prints one line a target with what was measured, engine and CPU first, and exits with status 1 if one was missed.
Both sides of a ratio run interleaved in this process on one core; figures are medians. ``--readme FILE`` writes the
table between the markers of a Markdown file as well, ``--save FILE`` the figures as JSON, from which
``--from FILE --readme FILE`` writes the table again.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ["RAYON_NUM_THREADS"] = "1"  # read when a peer is imported

import vecphe
from benchmarks.measure import Measured
from vecphe.arithmetic import active_engine
from vecphe.bench.environment import Environment, machine_line
from vecphe.bench.results_file import load_json
from vecphe.errors import SerializationError
from vecphe.files import replace_file

SCHEMA = "vecphe-targets"
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
    from benchmarks.lines import GROUPS

    targets = TARGETS.get(active_engine().name, {})
    for group in groups:
        for measured in GROUPS[group]():
            yield Line(measured, targets.get(measured.key))


def as_saved(lines: list[Line]) -> dict[str, Any]:
    """What `load` reads: the lines, and where and when they were measured."""
    return {
        "schema": SCHEMA,
        "version": 1,
        "date": datetime.date.today().isoformat(),
        "machine": machine_line(),
        "load": round(os.getloadavg()[1], 1),
        "environment": asdict(Environment.current()),
        "lines": [{**asdict(line.measured), "target": line.target} for line in lines],
    }


def load(path: Path) -> dict[str, Any]:
    content = load_json(path)
    if content.get("schema") != SCHEMA or content.get("version") != 1:
        raise SerializationError(f"{path} is no file of `make bench ARGS='--save FILE'`")
    return content


def saved_lines(content: dict[str, Any]) -> list[Line]:
    return [
        Line(Measured(**{k: v for k, v in line.items() if k != "target"}), line["target"]) for line in content["lines"]
    ]


def write_table(path: Path, content: dict[str, Any]) -> None:
    """Replace what stands between the markers of a Markdown file by the lines of a saved run."""
    head, rest = path.read_text(encoding="utf-8").split(MARKERS[0])
    tail = rest.split(MARKERS[1])[1]
    versions = ", ".join(f"{name} {version}" for name, version in content["environment"]["versions"].items())
    table = [
        f"Measured by `make bench` on {content['date']}: {content['machine']} ({versions}); "
        f"load {content['load']} at the end, 1 of it this run.\n",
        "| what | measured | target | per item |",
        "|---|---|---|---|",
        *(line.markdown() for line in saved_lines(content)),
    ]
    replace_file(path, (f"{head}{MARKERS[0]}\n" + "\n".join(table) + f"\n{MARKERS[1]}{tail}").encode(), force=True)


def measure(wanted: list[str]) -> dict[str, Any]:
    """Measure and print groups of lines."""
    warnings.simplefilter("ignore", vecphe.InsecureKeyWarning)
    print(machine_line(), flush=True)
    lines = []
    for line in measured_lines(wanted):
        print(line, flush=True)
        lines.append(line)
    return as_saved(lines)


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help="which of them (default: all)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write what was measured as JSON")
    parser.add_argument("--from", type=Path, metavar="FILE", dest="source", help="measure nothing: take a saved file")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write the table into this Markdown file")
    arguments = parser.parse_args()
    if arguments.source and (arguments.groups or arguments.save):
        parser.error("--from measures nothing: leave out the groups and --save")
    if not arguments.source:
        from benchmarks.lines import GROUPS

        arguments.groups = arguments.groups or list(GROUPS)
        if unknown := set(arguments.groups) - set(GROUPS):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    return arguments


def main() -> int:
    arguments = parsed_arguments()
    content = load(arguments.source) if arguments.source else measure(arguments.groups)
    if arguments.save:
        replace_file(arguments.save, (json.dumps(content, indent=1) + "\n").encode(), force=True)
    if arguments.readme:
        write_table(arguments.readme, content)
    lines = saved_lines(content)
    missed = [line.measured.name for line in lines if not line.met]
    if missed:
        print(f"{len(missed)} of {len(lines)} targets missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed and not arguments.source else 0


if __name__ == "__main__":
    sys.exit(main())
