"""What changed between two files of results, and how sure that is.

Times of two runs cannot be compared as they are: the machine may have been slower as a whole. Where both files have the
naive loop that was measured in turn, its time tells by how much (the drift d). A machine in use slows different work
down differently, so the time of a phase is allowed to follow it by any power of d from -1/2 to 3/2: only what
none of them explains is called a change. What then is left, with the 99 % intervals of both medians, is
judged as the gate judges, with a tolerance of 2 %: slower is what has regressed, faster is what had been slower.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vecphe.bench.environment import Environment
from vecphe.bench.intervals import median_bounds
from vecphe.bench.judge import verdict_of
from vecphe.bench.records import PHASES, Case, Record, Results
from vecphe.system.plurals import counted

__all__ = ["Change", "compare_results", "differences", "unmatched"]

_LEAST_SAMPLES = 5  # with fewer, two runs of the same code lie apart by chance too often: 1 in 10 with 3
_LEAST_CHANGE = 0.02  # below this nobody cares, and caches and clocks do it


@dataclass(frozen=True)
class Change:
    """One phase of one case in two files, in median seconds.

    The ratio is time after over time before, relative to the naive loop if `relative`, and lies between `low` and
    `high`. The verdict is "slower", "faster", "no clear change", or why there is none: "too few samples", "other CPU",
    "the machine" for the naive loop, which is no code of this library.
    """

    backend: str
    case: Case
    jobs: int
    phase: str
    before: float
    after: float
    ratio: float
    low: float
    high: float
    relative: bool
    verdict: str


def _pairs(before: Results, after: Results) -> list[tuple[Record, Record]]:
    """Records of the same case, in the order of `after`."""
    old = {record.identity: record for record in before.records}
    return [(old[record.identity], record) for record in after.records if record.identity in old]


def compare_results(before: Results, after: Results) -> list[Change]:
    """Every phase of every case that both have, in the order of `after`."""
    return [_change(was, now, phase) for was, now in _pairs(before, after) for phase in PHASES]


def _change(was: Record, now: Record, phase: str) -> Change:
    drift = _drift(was, now)
    (a_low, a_high), (b_low, b_high) = (median_bounds(r.samples[phase]) for r in (was, now))
    before, after = was.seconds(phase), now.seconds(phase)
    ratio, low, high = after / before, b_low / a_high, b_high / a_low if a_low else math.inf
    if drift is not None:
        powers = [drift**-0.5, drift**1.5]
        ratio, low, high = ratio / drift, low / max(powers), high / min(powers)
    figures = (before, after, ratio, low, high, drift is not None)
    return Change(was.backend, was.case, was.jobs, phase, *figures, _verdict(was, now, low, high))


def _drift(was: Record, now: Record) -> float | None:
    """Time of the naive loop beside the second record over that beside the first; None if one had none."""
    if not (was.reference and now.reference):
        return None
    return statistics.median(now.reference) / statistics.median(was.reference)


def _verdict(was: Record, now: Record, low: float, high: float) -> str:
    if was.environment.cpu != now.environment.cpu:
        return "other CPU"
    if was.backend == "naive":
        return "the machine"
    if min(len(was.samples["round"]), len(now.samples["round"])) < _LEAST_SAMPLES:
        return "too few samples"
    if verdict_of(1 / high, 1 / low, _LEAST_CHANGE) == "failed":
        return "slower"
    return "faster" if verdict_of(low, high, _LEAST_CHANGE) == "failed" else "no clear change"


# What else may differ

_WHERE: dict[str, Callable[[Environment], object]] = {
    "CPUs": lambda e: e.cpu,
    "engines": lambda e: e.engine,
    "targets": lambda e: e.target,
    "numbers of cores": lambda e: e.cores,
    "systems": lambda e: e.system,
    "versions": lambda e: " ".join(f"{name} {version}" for name, version in sorted(e.versions.items())),
}


def differences(before: Results, after: Results) -> Iterator[str]:
    """What else differs between the files, one sentence each: where they ran, and what is exact."""
    for name, value in _WHERE.items():
        a, b = (", ".join(sorted({str(value(e)) for e in _environments(results)})) for results in (before, after))
        if a != b:
            yield f"different {name}: {a} and {b}" + ("; times are shown, not judged" if name == "CPUs" else "")
    pairs = _pairs(before, after)
    drifts = [drift for was, now in pairs if (drift := _drift(was, now)) is not None]
    if len(drifts) < len(pairs):
        yield "a file has no naive loop beside some rows: there a machine that was busier looks like a change"
    if drifts and abs(median := statistics.median(drifts) - 1) > _LEAST_CHANGE:
        yield f"the naive loop took {1 + median:.2f} times as long in the second run: the machine was not the same"
    for was, now in pairs:
        if changed := list(_changed_sizes(was, now)):
            yield f"{now.backend}, {now.case}: {', '.join(changed)}"
    for results, which in ((before, "first"), (after, "second")):
        if not results.complete:
            yield f"the {which} run was interrupted"


def _environments(results: Results) -> list[Environment]:
    """Of the rows of this library; the naive loop has an engine of its own."""
    rows = [record for record in results.records if record.backend != "naive"] or results.records
    return [record.environment for record in rows]


def _changed_sizes(was: Record, now: Record) -> Iterator[str]:
    if was.ciphertexts != now.ciphertexts:
        yield f"{counted(now.ciphertexts, 'ciphertext')} instead of {was.ciphertexts}"
    if not math.isclose(was.bytes_per_value, now.bytes_per_value):
        yield f"{now.bytes_per_value:.9g} bytes a value instead of {was.bytes_per_value:.9g}"


def unmatched(before: Results, after: Results) -> tuple[list[Record], list[Record]]:
    """The records that only the first and only the second file has."""
    a, b = ({record.identity: record for record in results.records} for results in (before, after))
    return [a[key] for key in a if key not in b], [b[key] for key in b if key not in a]
