"""The speed targets of the project, measured on this machine: ``make targets``.

Prints one line a target with what was measured, engine and CPU first, and exits with status 1 if one was missed.
Both sides of a ratio run interleaved in this process on one core; figures are medians. ``--save FILE`` writes
them as JSON; ``make documents`` makes the README's table of those in `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

os.environ["RAYON_NUM_THREADS"] = "1"  # read when a peer is imported

import vecphe
from benchmarks.measure import Measured
from benchmarks.saved import provenance, save, stamped, table
from vecphe.arithmetic import active_engine
from vecphe.bench.environment import machine_line

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
        "validate-share": 3,
        "jobs": 1.7,
    },
    "fma512": {
        "encrypt-2048": 70,
        "decrypt": 4,
        "add": 5,
        "multiply": 3,
        "protocol-1024": 60,
        "protocol-2048": 110,
        "peak-2048": 80,
        "peak-3072": 80,
    },
    "fma256": {
        "encrypt-2048": 48,
        "decrypt": 2.8,
        "add": 3.5,
        "multiply": 2,
        "protocol-1024": 40,
        "protocol-2048": 75,
        "peak-2048": 75,
        "peak-3072": 75,
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
        "facade_encrypt": 20,
        "facade_decrypt": 2,
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
        "validate-share": 3,
        "overhead": 20,
        "import": 0.15,
    },
}


def measured_lines(groups: list[str]) -> Iterator[Measured]:
    from benchmarks.lines import GROUPS

    targets = TARGETS.get(active_engine().name, {})
    for group in groups:
        for measured in GROUPS[group]():
            yield replace(measured, target=targets.get(measured.key))


def as_table(content: dict[str, Any]) -> list[str]:
    """Markdown lines of a saved run."""
    rows = [Measured(**line).cells() for line in content["lines"]]
    return [provenance(content, "make targets"), "", *table(["what", "measured", "target", "per item"], rows)]


def measure(wanted: list[str]) -> list[Measured]:
    """Measure and print groups of lines."""
    warnings.simplefilter("ignore", vecphe.InsecureKeyWarning)
    print(machine_line(), flush=True)
    lines = []
    for line in measured_lines(wanted):
        print(line, flush=True)
        lines.append(line)
    return lines


def parsed_arguments() -> argparse.Namespace:
    from benchmarks.lines import GROUPS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help="which of them (default: all)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write what was measured as JSON")
    arguments = parser.parse_args()
    arguments.groups = arguments.groups or list(GROUPS)
    if unknown := set(arguments.groups) - set(GROUPS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    return arguments


def main() -> int:
    arguments = parsed_arguments()
    lines = measure(arguments.groups)
    if arguments.save:
        save(arguments.save, "targets", stamped(lines=[asdict(line) for line in lines]))
    missed = [line.name for line in lines if not line.met]
    if missed:
        print(f"{len(missed)} of {len(lines)} targets missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
