"""The gate: what the library does now, held against a baseline.

In a test::

    from vecphe.bench.gate import check_baseline
    report = check_baseline("benchmarks/baseline.json", counts_only=True)
    assert report.ok, report
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vecphe.arithmetic import Engine, active_engine, available_engines, engine_named, why_not_used
from vecphe.bench.baseline import Baseline, EngineRows, Speed, changes, count_changes, cpu_identity, load_baseline
from vecphe.bench.count_rows import COUNT_ROWS, Material, count_row
from vecphe.bench.counts import Counts
from vecphe.bench.environment import engine_warning, use_engine
from vecphe.bench.findings import Finding, Report
from vecphe.bench.judge import MOST_BLOCKS, TOLERANCE, Judgement, judge_all, quiet_blocks
from vecphe.bench.ratio_rows import RATIO_ROWS, Block, RatioRow, Sampler
from vecphe.bench.user_rows import UserRows
from vecphe.errors import EngineUnavailableError, SerializationError, VecpheError

__all__ = ["Finding", "Report", "check_baseline", "updated_baseline"]

_MOST_TOLERANCE = 0.95  # whatever the slack of a row
_PASSES = 5
_BLOCKS_A_PASS = 16

Say = Callable[[str], None]
Samplers = dict[str, Callable[[], Block]]


@dataclass(frozen=True)
class _Workloads:
    """What is counted and timed: the library's own rows, or those of a user's file."""

    timed: Sequence[RatioRow]
    count: Callable[[Say, Engine], dict[str, Counts | VecpheError]]
    samplers: Callable[[Say], Samplers]

    @classmethod
    def of(cls, rows: str | Path | None) -> _Workloads:
        if rows is None:
            return cls(RATIO_ROWS, _count_all, _samplers)
        user = UserRows(Path(rows))
        return cls(user.timed, lambda say, used: user.count(), lambda say: user.samplers())


def check_baseline(
    path: str | Path,
    *,
    tolerance: float = TOLERANCE,
    counts_only: bool = False,
    speeds_only: bool = False,
    engine: str | None = None,
    rows: str | Path | None = None,
    say: Say = lambda _: None,
) -> Report:
    """Hold this installation against a baseline.

    Parameters
    ----------
    path : str or Path
        File that ``vecphe bench baseline`` wrote.
    tolerance : float
        Loss of speed that still passes; between 0 and 1. Rows that depend on the caches have twice that.
    counts_only : bool
        Compare exact counts only: seconds instead of a minute, and nothing that noise can change.
    speeds_only : bool
        Compare only the speeds of rows that this version and the baseline both have: for a baseline of other code,
        which may count differently and have other rows.
    engine : str, optional
        Compute with this engine and compare with its rows, all of which fail if it does not run here. By default those
        of the engine that runs are judged; if the baseline requires another, the report warns that its were not.
    rows : str or Path, optional
        Python file with other rows than the library's, see `vecphe.bench.user_rows`. It is run.
    say : callable
        Told what is going on.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If the tolerance is not between 0 and 1, nothing is left to compare, or `rows` is no file of rows.
    SerializationError, OSError
        If the file is no baseline, has no rows for the engine that was asked for, or cannot be read.
    EngineUnavailableError
        If there is no such engine.
    """
    if not 0 < tolerance < 1:
        raise ValueError(f"--tolerance must be between 0 and 1, such as {TOLERANCE}, not {tolerance:g}")
    if counts_only and speeds_only:
        raise ValueError("--counts-only and --speeds-only leave nothing to compare: use one of them")
    baseline = load_baseline(Path(path))
    if engine is not None:
        why_not, expected = _why_not(engine), _rows_of(baseline, engine, path)
        if why_not is not None:
            return _all_failed(engine, expected, why_not)
    with use_engine(engine):
        used = active_engine()
        left = () if engine is not None else tuple(_not_judged(baseline, used))
        if used.name not in baseline.engines:
            return Report((), (f"engine {used.name}, of which the baseline has no rows",), left)
        report = _compared(baseline, used, _Workloads.of(rows), tolerance, (counts_only, speeds_only), say)
    warning = engine_warning(engine, used.name)
    rows_of = baseline.engines[used.name]
    origin = f"engine {used.name} ({used.describe()['target']}), baseline of {rows_of.date}, {rows_of.cpu}"
    notes = (origin, *([] if warning is None else [warning]))
    return replace(report, notes=(*notes, *report.notes), warnings=(*left, *report.warnings))


def _compared(
    baseline: Baseline, used: Engine, workloads: _Workloads, tolerance: float, only: tuple[bool, bool], say: Say
) -> Report:
    rows, (counts_only, speeds_only) = baseline.engines[used.name], only
    findings = [] if speeds_only else list(_count_findings(rows, workloads.count(say, used)))
    if str(used.describe()["target"]) != rows.target and used.name != "gmp":
        return Report((*findings, Finding("engine", "failed", f"target is not {rows.target}")))
    if counts_only:
        return Report(tuple(findings), ("speeds were not measured: counts only",))
    unmatched = sorted({row.name for row in workloads.timed} ^ rows.speeds.keys())
    notes = []
    if speeds_only:
        notes = [f"{name} has no counterpart" for name in unmatched]
    elif rows.speeds or used.name == baseline.engine:
        findings += _unmatched_findings(rows, unmatched)
    else:
        notes = [f"the baseline has no speeds of engine {used.name}"]
    speeds, warnings = _speed_findings(rows, workloads, tolerance, say)
    return Report((*findings, *speeds), tuple(notes), tuple(warnings))


def _why_not(engine: str) -> str | None:
    """Why an engine that there is does not run here, or None if it does."""
    try:
        engine_named(engine)
    except EngineUnavailableError as error:
        if engine not in dict(available_engines()):
            raise
        return dict(available_engines())[engine] or str(error)
    return None


def _all_failed(engine: str, rows: EngineRows, why_not: str) -> Report:
    """Every row: what did not run cannot have held."""
    text = f"needs engine {engine} ({rows.target}), which does not run here: {why_not}"
    findings = [Finding(name, "failed", text) for name in (*rows.counts, *rows.speeds)]
    return Report(
        tuple(findings), (f"ENGINE {engine} DID NOT RUN; without --engine, the rows of the one that runs are judged",)
    )


def _not_judged(baseline: Baseline, used: Engine) -> Iterator[str]:
    """A warning if not the engine runs that the baseline requires, with its rows that no other stands for."""
    if used.name == baseline.engine:
        return
    rows, judged = baseline.engines[baseline.engine], baseline.engines.get(used.name)
    names = [*rows.counts, *rows.speeds]
    left = [name for name in names if judged is None or name not in judged.counts.keys() | judged.speeds.keys()]
    chosen = os.environ.get("VECPHE_ENGINE")
    why = f"VECPHE_ENGINE={chosen}" if chosen else why_not_used().get(baseline.engine, "another is preferred")
    yield (
        f"{len(names)} ROWS OF ENGINE {baseline.engine} WERE NOT JUDGED, which the baseline requires: {used.name} ran: "
        + why
        + (f"; these were judged on no engine: {'; '.join(left)}" if left else "")
    )


def _rows_of(baseline: Baseline, engine: str, path: str | Path) -> EngineRows:
    if engine not in baseline.engines:
        raise SerializationError(
            f"{path}: no rows for engine {engine!r}, only for {', '.join(sorted(baseline.engines))}; "
            f"make them with `vecphe bench baseline {path} --engine {engine}`"
        )
    return baseline.engines[engine]


# Counts


def _count_all(say: Say, used: Engine) -> dict[str, Counts | VecpheError]:
    """Counts of every row, or the error of one whose result was wrong or that needs what is not there."""
    say(f"counting {len(COUNT_ROWS)} workloads on {used.name}")
    material = Material()
    counted: dict[str, Counts | VecpheError] = {}
    for row in COUNT_ROWS:
        try:
            counted[row.name] = count_row(row, material)
        except VecpheError as error:
            counted[row.name] = error
    return counted


def _without_errors(counted: dict[str, Counts | VecpheError]) -> dict[str, Counts]:
    """The counts; the first error is raised."""
    counts = {}
    for name, found in counted.items():
        if isinstance(found, VecpheError):
            raise found
        counts[name] = found
    return counts


def _count_findings(rows: EngineRows, counted: dict[str, Counts | VecpheError]) -> Iterator[Finding]:
    for name in (*rows.counts, *sorted(counted.keys() - rows.counts.keys())):
        expected, found = rows.counts.get(name), counted.get(name)
        if isinstance(found, VecpheError):
            yield Finding(name, "failed", str(found))
        elif found is None:
            yield Finding(name, "failed", "is in the baseline, but this version has no such row")
        elif expected is None:
            yield Finding(name, "failed", "is not in the baseline; add it with `vecphe bench baseline`")
        elif differences := list(count_changes(expected, found)):
            yield Finding(name, "failed", "; ".join(differences))
        else:
            yield Finding(name, "held", f"{len(expected)} counts are equal")


# Speeds


def _samplers(say: Say) -> Samplers:
    say(f"timing {len(RATIO_ROWS)} workloads, each in turn with its reference")
    material = {length: Material(length) for length in sorted({row.key_length for row in RATIO_ROWS})}
    return {row.name: Sampler(row, material[row.key_length]).block for row in RATIO_ROWS}


def _unmatched_findings(rows: EngineRows, unmatched: list[str]) -> Iterator[Finding]:
    for name in unmatched:
        where = "the baseline" if name in rows.speeds else "this version"
        yield Finding(name, "failed", f"is only in {where}; `vecphe bench baseline` makes them agree")


def _speed_findings(
    rows: EngineRows, workloads: _Workloads, tolerance: float, say: Say
) -> tuple[list[Finding], list[str]]:
    """Of the rows that both have, with what was not judged."""
    names = [row.name for row in workloads.timed if row.name in rows.speeds]
    if not names:
        return [], []
    if rows.cpu != cpu_identity():
        return [], [f"SPEEDS WERE NOT JUDGED: they were taken on {rows.cpu}, and this is {cpu_identity()}"]
    samplers = workloads.samplers(say)
    tolerances = {row.name: min(tolerance * row.slack, _MOST_TOLERANCE) for row in workloads.timed}
    judgements = judge_all({name: samplers[name] for name in names}, rows.speeds, tolerances)
    findings = [_speed_finding(name, judgements[name], tolerances[name]) for name in names]
    warnings = []
    drift = max((found.drift for found in judgements.values() if isinstance(found, Judgement)), default=1.0)
    if drift > 1:
        warnings.append(
            f"THE REFERENCE RUNS UP TO {100 * (drift - 1):.0f} % SLOWER THAN WHEN THE BASELINE WAS TAKEN: if that "
            "stays, take a new one with `vecphe bench baseline`"
        )
    if all(finding.status == "open" for finding in findings):
        warnings.append(
            "NO SPEED WAS DECIDED: this run says nothing about speeds. Repeat it on a quiet machine; if it stays so, "
            "the machine is slower than when the baseline was taken: take a new one with `vecphe bench baseline`"
        )
    return findings, warnings


def _speed_finding(name: str, judgement: Judgement | VecpheError, tolerance: float) -> Finding:
    if isinstance(judgement, VecpheError):
        return Finding(name, "failed", str(judgement))
    blocks = f"{judgement.quiet} of {judgement.blocks} blocks quiet, {judgement.seconds * 1e3:.3g} ms"
    if judgement.relative is None:
        return Finding(name, "open", f"NOT DECIDED, the machine was never quiet: {blocks}")
    figures = f"{judgement.relative:.3f} of the baseline's speed [{judgement.low:.3f}, {judgement.high:.3f}]; {blocks}"
    if judgement.drift > 1:
        drift = 100 * (judgement.drift - 1)
        figures += f"; the reference runs {drift:.0f} % slower than when the baseline was taken"
    if judgement.verdict == "regressed":
        return Finding(name, "failed", f"slower by more than {100 * tolerance:g} %: {figures}")
    if judgement.verdict == "open":
        return Finding(name, "open", f"NOT DECIDED after {MOST_BLOCKS} blocks, passed: {figures}")
    return Finding(name, "held", figures)


# Updates


def updated_baseline(
    path: str | Path,
    *,
    counts_only: bool = False,
    engine: str | None = None,
    rows: str | Path | None = None,
    say: Say = lambda _: None,
) -> tuple[Baseline, list[str]]:
    """A baseline with what this installation does now, and what that changes.

    Parameters
    ----------
    path : str or Path
        The baseline as it was; a file that is not there is an empty one.
    counts_only : bool
        Keep the speeds that the file has for the engine, if any, and the CPU that they were taken on.
    engine : str, optional
        The one to compute with, whose rows are replaced; by default the one that runs here. A new file requires the
        first engine that is written into it.
    rows : str or Path, optional
        As in `check_baseline`.
    say : callable

    Returns
    -------
    (Baseline, list of str)
        What to save, and one line for each change: old -> new.

    Raises
    ------
    SerializationError, OSError, EngineUnavailableError
    """
    path = Path(path)
    old = load_baseline(path) if path.exists() else None
    with use_engine(engine):
        used, workloads = active_engine(), _Workloads.of(rows)
        before = None if old is None else old.engines.get(used.name)
        counts = _without_errors(workloads.count(say, used))
        new = EngineRows.measured(used, counts, {} if counts_only else _measured_speeds(workloads.samplers(say), say))
        if counts_only and before is not None and before.speeds:
            new = replace(new, speeds=before.speeds, cpu=before.cpu)
    baseline = Baseline(used.name, {used.name: new}) if old is None else old.with_rows(used.name, new)
    return baseline, [f"{used.name}: {line}" for line in changes(before, new)]


def _measured_speeds(samplers: Samplers, say: Say) -> dict[str, Speed]:
    passes: dict[str, list[list[Block]]] = {name: [] for name in samplers}
    for number in range(_PASSES):
        say(f"pass {number + 1} of {_PASSES}")
        for blocks in passes.values():
            blocks.append([])
        for _ in range(_BLOCKS_A_PASS):
            for name, sampler in samplers.items():
                passes[name][-1].append(sampler())
    return {name: _speed(blocks) for name, blocks in passes.items()}


def _speed(passes: list[list[Block]]) -> Speed:
    """From the quiet blocks of all passes; a pass without any says nothing."""
    everything = [block for blocks in passes for block in blocks]
    reference = min(block.reference for block in everything)
    quiet = [quiet_blocks(blocks, reference) for blocks in passes]
    medians = sorted(statistics.median(block.speed for block in blocks) for blocks in quiet if blocks)
    return Speed(medians[len(medians) // 4], medians[-1], min(block.seconds for block in everything), reference)
