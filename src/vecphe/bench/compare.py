"""What changed between two files of results, and how sure that is.

Times of two runs cannot be compared as they are: the machine may have been slower as a whole. Where both files have the
naive loop that was measured in turn, its time tells by how much (the drift d). A machine in use slows different work
down differently, so the time of a phase is allowed to follow it by any power of d from -1/2 to 3/2: only what
none of them explains is called a change. What then is left, with the 99 % bootstrap intervals of both medians, is
judged as the gate judges, with a tolerance of 2 %: slower is what has regressed, faster is what had been slower.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vecphe.bench.judge import CONFIDENCE, verdict_of
from vecphe.bench.records import PHASES, Case, Record, Results
from vecphe.bench.statistics import bootstrap_interval

__all__ = ["Change", "compare_results", "differences", "machine_drift", "unmatched"]

_LEAST_SAMPLES = 5  # with fewer, two runs of the same code lie apart by chance too often: 1 in 10 with 3
_LEAST_CHANGE = 0.02  # below this nobody cares, and caches and clocks do it


@dataclass(frozen=True)
class Change:
    """One phase of one case in two files.

    Attributes
    ----------
    backend : str
    case : Case
    jobs : int
    phase : str
    before, after : float
        Median seconds.
    ratio, low, high : float
        Time after over time before, relative to the naive loop if `relative`, and the interval it lies in.
    relative : bool
    verdict : str
        "slower", "faster", "no clear change", or why there is none: "too few samples", "other CPU", "the machine"
        for the naive loop, which is no code of this library.
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

    @property
    def is_change(self) -> bool:
        """Whether the verdict is that something changed."""
        return self.verdict in ("slower", "faster")


def compare_results(before: Results, after: Results) -> list[Change]:
    """Every phase of every case that both have.

    Returns
    -------
    list of Change
        In the order of `after`.
    """
    old = {record.identity: record for record in before.records}
    pairs = [(old[record.identity], record) for record in after.records if record.identity in old]
    return [_change(was, now, phase) for was, now in pairs for phase in PHASES]


def _change(was: Record, now: Record, phase: str) -> Change:
    drift = machine_drift(was, now)
    low, high = _ratio_interval(was.samples[phase], now.samples[phase])
    ratio = now.seconds(phase) / was.seconds(phase)
    if drift is not None:
        powers = [drift**-0.5, drift**1.5]
        low, high, ratio = low / max(powers), high / min(powers), ratio / drift
    return Change(
        was.backend,
        was.case,
        was.jobs,
        phase,
        was.seconds(phase),
        now.seconds(phase),
        ratio,
        low,
        high,
        drift is not None,
        _verdict(was, now, low, high),
    )


def machine_drift(was: Record, now: Record) -> float | None:
    """Time of the naive loop beside the second record over that beside the first; None if one had none."""
    if not (was.reference and now.reference):
        return None
    return statistics.median(now.reference) / statistics.median(was.reference)


def _ratio_interval(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    (a_low, a_high), (b_low, b_high) = (bootstrap_interval(side, CONFIDENCE) for side in (before, after))
    return b_low / a_high, b_high / a_low


def _verdict(was: Record, now: Record, low: float, high: float) -> str:
    if was.environment.cpu != now.environment.cpu:
        return "other CPU"
    if was.backend == "naive":
        return "the machine"
    if min(len(was.samples["round"]), len(now.samples["round"])) < _LEAST_SAMPLES:
        return "too few samples"
    if verdict_of(1 / high, 1 / low, _LEAST_CHANGE) == "regressed":
        return "slower"
    return "faster" if verdict_of(low, high, _LEAST_CHANGE) == "regressed" else "no clear change"


def differences(before: Results, after: Results) -> Iterator[str]:
    """What else differs between the files, one sentence each: where they ran, and what is exact."""
    names = {"cpu": "CPUs", "engine": "engines", "target": "targets", "cores": "numbers of cores", "system": "systems"}
    for field, name in names.items():
        a, b = (_environment_values(results, field) for results in (before, after))
        if a != b:
            yield f"different {name}: {a} and {b}" + ("; times are shown, not judged" if field == "cpu" else "")
    a, b = (_versions(results) for results in (before, after))
    if a != b:
        yield f"different versions: {a} and {b}"
    yield from _drift(before, after)
    old = {record.identity: record for record in before.records}
    for record in after.records:
        was = old.get(record.identity)
        if was is not None and (changed := list(_changed_sizes(was, record))):
            yield f"{record.backend}, {record.case}: {', '.join(changed)}"
    for results, which in ((before, "first"), (after, "second")):
        if not results.complete:
            yield f"the {which} run was interrupted"


def _changed_sizes(was: Record, now: Record) -> Iterator[str]:
    if was.ciphertexts != now.ciphertexts:
        yield f"{now.ciphertexts} ciphertexts instead of {was.ciphertexts}"
    if not math.isclose(was.bytes_per_value, now.bytes_per_value):
        yield f"{now.bytes_per_value:.9g} bytes a value instead of {was.bytes_per_value:.9g}"


def _drift(before: Results, after: Results) -> Iterator[str]:
    old = {record.identity: record for record in before.records}
    pairs = [(old[record.identity], record) for record in after.records if record.identity in old]
    drifts = [drift for was, now in pairs if (drift := machine_drift(was, now)) is not None]
    if len(drifts) < len(pairs):
        yield "a file has no naive loop beside some rows: there a machine that was busier looks like a change"
    if drifts and abs(median := statistics.median(drifts) - 1) > _LEAST_CHANGE:
        yield f"the naive loop took {1 + median:.2f} times as long in the second run: the machine was not the same"


def _environment_values(results: Results, field: str) -> str:
    """Of the rows of this library; the naive loop has an engine of its own."""
    rows = [record for record in results.records if record.backend != "naive"] or results.records
    return ", ".join(sorted({str(getattr(record.environment, field)) for record in rows}))


def _versions(results: Results) -> str:
    return "; ".join(
        sorted({" ".join(f"{k} {v}" for k, v in sorted(r.environment.versions.items())) for r in results.records})
    )


def unmatched(before: Results, after: Results) -> tuple[int, int]:
    """How many records only the first and only the second file has."""
    a, b = ({record.identity for record in results.records} for results in (before, after))
    return len(a - b), len(b - a)
