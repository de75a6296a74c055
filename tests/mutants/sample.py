"""Plant faults drawn at random: ``make mutants-random COUNT=60 SEED=1``.

Each is planted in a copy of the package, as `replay` does, and the tests that run the changed line run on it until one
fails. A fault is caught if one does that passes without it, or if one does not end; at least 97 % must be.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.mutants.covering import MARKED, Covering, measure, outcome_without_fault
from tests.mutants.equivalents import is_equivalent
from tests.mutants.model import SOURCE, StaleMutantError
from tests.mutants.operators import Change, changes_of
from tests.mutants.replay import Copies, Run, as_command, can_be_told, check_processes, preload, side_by_side

_ENOUGH = 0.97  # of the faults planted
_LEAST_LIMIT = 60.0  # seconds for one test, and `times` what it took
# Seconds for the tests of one fault: so many, and so many times what they took. More than one test has, so that
# whatever waits for ever is known by its own limit, and the rest is only slow: the fault's doing, or the machine's.
_PATIENCE = 90.0, 4.0
_CAUGHT = ("caught", "TIMED OUT")


def all_changes(only: str = "") -> list[Change]:
    """Every fault that can be drawn, those listed as equivalent too."""
    package = SOURCE / "vecphe"
    files = sorted(str(path.relative_to(package)) for path in package.rglob("*.py"))
    return [change for file in files if only in file for change in changes_of(SOURCE, file)]


def draw(changes: list[Change], count: int, seed: int) -> tuple[list[Change], list[Change]]:
    """`count` faults, and the equivalent ones that were drawn before there were enough.

    Each has its place by itself, so that a change elsewhere in the package leaves those that a seed draws.
    """
    chosen, passed_over = list[Change](), list[Change]()
    alike = Counter[tuple[str, str, str]]()

    def place(change: Change) -> bytes:
        alike[change.key] += 1
        return hashlib.sha256("\0".join((str(seed), *change.key, str(alike[change.key]))).encode()).digest()

    for change in sorted(changes, key=place):
        if len(chosen) == count:
            break
        (passed_over if is_equivalent(change) else chosen).append(change)
    return chosen, passed_over


class Planted(Run):
    """The tests that can see a fault, on a copy that has it."""

    def __init__(self, change: Change, covering: Covering, copies: Copies) -> None:
        self._groups, self._copies = covering.of(change), copies
        first, times = _PATIENCE
        patience = first + times * covering.time_of(self._groups)
        # A test that waits for ever is known by itself, long before all that were to follow could have ended.
        limits = {test: _LEAST_LIMIT + times * covering.seconds[test] for group in self._groups for test in group}
        super().__init__(copies.make(change), self._groups, (), patience, MARKED, limits)

    def verdict(self) -> tuple[str, str]:
        """ "caught" and "TIMED OUT", or "SURVIVED", "TOO SLOW" and "UNSURE", and what there is to say about it."""
        outcome, waits = self.outcome(), self.has_overdue
        self._copies.discard(self.copy)
        if not self._groups:
            return "SURVIVED", "no test runs it"
        if outcome is None:
            return ("TIMED OUT", "") if waits else ("TOO SLOW", "no test failed or exceeded its limit")
        if outcome.failed or outcome.broken:
            if not _passes_without(self._copies, test := _one_of(outcome.first, self._groups)):
                return "UNSURE", f"without it this does not pass, either: {test}"
            return "caught", f"by {outcome.first}" if outcome.first else outcome.broken[0].strip().splitlines()[-1]
        return "SURVIVED", f"{len(outcome.passed)} tests pass, of {len(self._groups)} files; first {self._groups[0][0]}"


def _one_of(first: str, groups: list[list[str]]) -> str:
    """The test that has failed, or one of those that could not run: of that file if there is one."""
    return (
        first if "::" in first else next((group for group in groups if group[0].startswith(f"{first}::")), groups[0])[0]
    )


@cache
def _passes_without(copies: Copies, test: str) -> bool:
    """Whether a test that has failed on a fault passes on an unchanged copy."""
    outcome = outcome_without_fault(copies, [test])
    return outcome is not None and bool(outcome.passed) and not outcome.failed and not outcome.broken


def plant(changes: list[Change], copies: Copies) -> Iterator[tuple[Change, str, str]]:
    """Each fault with its verdict."""
    covering = measure(copies)
    check_processes(copies.make())
    for change, planted in side_by_side(changes, lambda change: Planted(change, covering, copies)):
        yield change, *planted.verdict()


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


_positive.__name__ = "number from 1"  # as argparse calls it: a negative one would draw nearly all there are


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants-random", description="Plant faults drawn at random.")
    parser.add_argument("--count", type=_positive, default=60, help="how many")
    parser.add_argument("--seed", type=int, help="the same faults again; a new one by default")
    parser.add_argument("--only", default="", help="only files with this in their path below src/vecphe")
    parser.add_argument("--list", action="store_true", help="print the faults and plant none")
    return parser.parse_args()


def main() -> int:
    """Plant; 0 if enough were caught."""
    arguments = _arguments()
    seed = random.SystemRandom().randrange(10_000) if arguments.seed is None else arguments.seed
    everything = all_changes(arguments.only)
    if not everything:
        print(f"no file of src/vecphe with faults has {arguments.only!r} in its path", file=sys.stderr)
        return 1
    changes = [change for change in everything if can_be_told(change)]
    if left_out := len(everything) - len(changes):
        print(f"{left_out} faults LEFT OUT: the kernel was not built, or Flower is missing", file=sys.stderr)
    chosen, passed_over = draw(changes, arguments.count, seed)
    print(
        f"{len(chosen)} of {len(changes)} faults, seed {seed}; {len(passed_over)} equivalent ones were drawn",
        flush=True,
    )
    if not chosen:
        return 1
    if arguments.list:
        print(*map(_told, chosen), sep="\n")
        return 0
    preload()
    with tempfile.TemporaryDirectory(prefix="vecphe-mutants-", ignore_cleanup_errors=True) as directory:
        try:
            return _plant_all(chosen, Copies(Path(directory)))
        except StaleMutantError as error:
            print(error, file=sys.stderr)
            return 1


def _told(change: Change) -> str:
    return f"src/vecphe/{change.file}:{change.line}  {change.name}\n{'':10}- {change.before}\n{'':10}+ {change.after}"


def _plant_all(chosen: list[Change], copies: Copies) -> int:
    started, verdicts = time.perf_counter(), Counter[str]()
    for number, (change, told, remark) in enumerate(plant(chosen, copies), 1):
        verdicts[told] += 1
        print(f"[{number:3}/{len(chosen)}] {told:9} {_told(change)}", flush=True)
        if remark:
            print(f"{'':10}{remark}", flush=True)
    caught = sum(verdicts[told] for told in _CAUGHT) / len(chosen)
    counts = ", ".join(f"{count} {told}" for told, count in verdicts.items())
    print(f"{counts}: {caught:.1%} caught, {_ENOUGH:.0%} wanted, in {time.perf_counter() - started:.0f} s")
    return 0 if caught >= _ENOUGH else 1


if __name__ == "__main__":
    sys.exit(as_command(main))
