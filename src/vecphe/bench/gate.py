"""The gate: what the library does now, held against a baseline.

In a test::

    from vecphe.bench.gate import check_baseline
    report = check_baseline("benchmarks/baseline.json", counts_only=True)
    assert report.ok, report
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vecphe.arithmetic import Engine, active_engine, available_engines, why_not_used
from vecphe.bench.baseline import Baseline, EngineRows, Speed, changes, count_changes, cpu_identity, load_baseline
from vecphe.bench.count_rows import COUNT_ROWS, Material, count_row
from vecphe.bench.counts import Counts
from vecphe.bench.environment import engine_warning, use_engine
from vecphe.bench.judge import MOST_BLOCKS, TOLERANCE, Judgement, judge_all, quiet_blocks
from vecphe.bench.ratio_rows import RATIO_ROWS, Block, Sampler
from vecphe.errors import SerializationError, VecpheError

__all__ = ["ACTIVE", "Finding", "Report", "check_baseline", "updated_baseline"]

ACTIVE = "active"  # as the name of an engine: whichever runs here
_MOST_TOLERANCE = 0.95  # whatever the slack of a row
_PASSES = 5
_BLOCKS_A_PASS = 16

Say = Callable[[str], None]


@dataclass(frozen=True)
class Finding:
    """What the gate says about one row.

    Attributes
    ----------
    row : str
    status : {"held", "open", "failed"}
    text : str
        Why, in one line.
    """

    row: str
    status: Literal["held", "open", "failed"]
    text: str

    def __str__(self) -> str:
        return f"{self.status.upper() if self.status == 'failed' else self.status}: {self.row}: {self.text}"


@dataclass(frozen=True)
class Report:
    """What the gate found.

    Attributes
    ----------
    findings : tuple of Finding
    notes : tuple of str
        What was compared with what.
    warnings : tuple of str
        What was not judged, and why.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def failed(self) -> list[str]:
        """Names of the rows that regressed."""
        return self._rows("failed")

    @property
    def undecided(self) -> list[str]:
        """Names of the rows that passed without having been decided."""
        return self._rows("open")

    def _rows(self, status: str) -> list[str]:
        return [finding.row for finding in self.findings if finding.status == status]

    @property
    def ok(self) -> bool:
        """Whether nothing failed, and something was judged."""
        return bool(self.findings) and not self.failed

    def lines(self, everything: bool = True) -> Iterator[str]:
        """Notes, findings with the failed ones last, warnings; without `everything` those that held are left out."""
        yield from (f"note: {note}" for note in self.notes)
        for status in ("held", "open", "failed"):
            for finding in self.findings:
                if finding.status == status and (everything or status != "held"):
                    yield str(finding)
        yield from (f"WARNING: {warning}" for warning in self.warnings)

    @property
    def summary(self) -> str:
        """How many rows there were of each kind, in one line."""
        if not self.findings:
            return "nothing was judged"
        kinds = (("FAILED", self.failed), ("NOT DECIDED", self.undecided))
        held = f"{len(self._rows('held'))} held"
        return ", ".join([held, *(f"{len(rows)} {kind} ({'; '.join(rows)})" for kind, rows in kinds if rows)])

    def __str__(self) -> str:
        return "\n".join([*self.lines(everything=False), self.summary])


def check_baseline(
    path: str | Path,
    *,
    tolerance: float = TOLERANCE,
    counts_only: bool = False,
    speeds_only: bool = False,
    engine: str | None = None,
    say: Say = lambda _: None,
) -> Report:
    """Hold this installation against a baseline.

    Parameters
    ----------
    path : str or Path
        File that ``vecphe bench --update-baseline`` wrote.
    tolerance : float
        Loss of speed that still passes; between 0 and 1. Rows that depend on the caches have twice that.
    counts_only : bool
        Compare exact counts only: seconds instead of a minute, and nothing that noise can change.
    speeds_only : bool
        Compare only the speeds of rows that this version and the baseline both have: for a baseline of other code,
        which may count differently and have other rows.
    engine : str, optional
        Compute with this engine and compare with its rows; "active" is the one that runs here. By default the active
        engine has to be the one that the baseline requires, or every row fails.
    say : callable
        Told what is going on.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If the tolerance is not between 0 and 1, or nothing is left to compare.
    SerializationError, OSError
        If the file is no baseline, has no rows for the engine, or cannot be read.
    EngineUnavailableError
        If the engine that was asked for does not run here.
    """
    if not 0 < tolerance < 1:
        raise ValueError(f"--tolerance must be between 0 and 1, such as {TOLERANCE}, not {tolerance:g}")
    if counts_only and speeds_only:
        raise ValueError("--counts-only and --speeds-only leave nothing to compare: use one of them")
    baseline = load_baseline(Path(path))
    with use_engine(None if engine == ACTIVE else engine):
        used = active_engine()
        if engine is None and used.name != baseline.engine:
            return _wrong_engine(baseline, used)
        rows = _rows_of(baseline, used, path)
        notes = _notes(baseline, rows, used, engine)
        findings = [] if speeds_only else list(_count_findings(rows, say, used))
        if str(used.describe()["target"]) != rows.target and used.name != "gmp":
            findings.append(Finding("engine", "failed", f"target is not {rows.target}"))
            return Report(tuple(findings), tuple(notes))
        if counts_only:
            notes.append("speeds were not measured: counts only")
            return Report(tuple(findings), tuple(notes))
        unmatched = sorted({row.name for row in RATIO_ROWS} ^ rows.speeds.keys())
        if speeds_only:
            notes += [f"{name} has no counterpart" for name in unmatched]
        elif rows.speeds or used.name == baseline.engine:
            findings += _unmatched_findings(rows, unmatched)
        else:
            notes.append(f"the baseline has no speeds of engine {used.name}")
        speeds, warnings = _speed_findings(rows, tolerance, say)
    return Report((*findings, *speeds), tuple(notes), tuple(warnings))


def _wrong_engine(baseline: Baseline, used: Engine) -> Report:
    """Every row failed: what did not run cannot have held."""
    rows = baseline.engines[baseline.engine]
    chosen = os.environ.get("VECPHE_ENGINE")
    why = f"VECPHE_ENGINE={chosen}" if chosen else why_not_used().get(baseline.engine, "another is preferred")
    text = f"needs engine {baseline.engine} ({rows.target}), but {used.name} ran: {why}"
    findings = [Finding(name, "failed", text) for name in (*rows.counts, *rows.speeds)]
    notes = [f"THE ENGINE OF THE BASELINE DID NOT RUN; --engine {used.name} compares with the rows of {used.name}"]
    return Report(tuple(findings), tuple(notes))


def _rows_of(baseline: Baseline, used: Engine, path: str | Path) -> EngineRows:
    if used.name not in baseline.engines:
        raise SerializationError(
            f"{path}: no rows for engine {used.name!r}, only for {', '.join(sorted(baseline.engines))}; "
            "make them with --update-baseline"
        )
    return baseline.engines[used.name]


def _notes(baseline: Baseline, rows: EngineRows, used: Engine, asked: str | None) -> list[str]:
    notes = [f"engine {used.name} ({used.describe()['target']}), baseline of {rows.date}, {rows.cpu}"]
    if used.name != baseline.engine:
        why = dict(available_engines()).get(baseline.engine) or "another was asked for"
        notes.append(f"THIS IS NOT THE ENGINE THAT THE BASELINE REQUIRES: {used.name}, not {baseline.engine}: {why}")
    if (warning := engine_warning(asked, used.name)) is not None:
        notes.append(warning)
    return notes


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


def _count_findings(rows: EngineRows, say: Say, used: Engine) -> Iterator[Finding]:
    counted = _count_all(say, used)
    for name, expected in rows.counts.items():
        if name not in counted:
            yield Finding(name, "failed", "is in the baseline, but this version has no such row")
            continue
        found = counted[name]
        if isinstance(found, VecpheError):
            yield Finding(name, "failed", str(found))
            continue
        differences = list(count_changes(expected, found))
        if differences:
            yield Finding(name, "failed", "; ".join(differences))
        else:
            yield Finding(name, "held", f"{len(expected)} counts are equal")
    for name in sorted(counted.keys() - rows.counts.keys()):
        yield Finding(name, "failed", "is not in the baseline; add it with --update-baseline")


# Speeds


def _samplers(say: Say) -> dict[str, Callable[[], Block]]:
    say(f"timing {len(RATIO_ROWS)} workloads, each in turn with its reference")
    material = {length: Material(length) for length in sorted({row.key_length for row in RATIO_ROWS})}
    return {row.name: Sampler(row, material[row.key_length]).block for row in RATIO_ROWS}


def _unmatched_findings(rows: EngineRows, unmatched: list[str]) -> Iterator[Finding]:
    for name in unmatched:
        where = "the baseline" if name in rows.speeds else "this version"
        yield Finding(name, "failed", f"is only in {where}; --update-baseline makes them agree")


def _speed_findings(rows: EngineRows, tolerance: float, say: Say) -> tuple[list[Finding], list[str]]:
    """Of the rows that both have, with what was not judged."""
    names = [row.name for row in RATIO_ROWS if row.name in rows.speeds]
    if not names:
        return [], []
    if rows.cpu != cpu_identity():
        return [], [f"SPEEDS WERE NOT JUDGED: they were taken on {rows.cpu}, and this is {cpu_identity()}"]
    samplers = _samplers(say)
    tolerances = {row.name: min(tolerance * row.slack, _MOST_TOLERANCE) for row in RATIO_ROWS}
    judgements = judge_all({name: samplers[name] for name in names}, rows.speeds, tolerances)
    findings = [_speed_finding(name, judgements[name], tolerances[name]) for name in names]
    warnings = []
    drift = max((found.drift for found in judgements.values() if isinstance(found, Judgement)), default=1.0)
    if drift > 1:
        warnings.append(
            f"THE REFERENCE RUNS UP TO {100 * (drift - 1):.0f} % SLOWER THAN WHEN THE BASELINE WAS TAKEN: if that "
            "stays, take a new one with --update-baseline"
        )
    if all(finding.status == "open" for finding in findings):
        warnings.append(
            "NO SPEED WAS DECIDED: this run says nothing about speeds. Repeat it on a quiet machine; if it stays so, "
            "the machine is slower than when the baseline was taken: take a new one with --update-baseline"
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
    path: str | Path, *, counts_only: bool = False, engine: str | None = None, say: Say = lambda _: None
) -> tuple[Baseline, list[str]]:
    """A baseline with what this installation does now, and what that changes.

    Parameters
    ----------
    path : str or Path
        The baseline as it was; a file that is not there is an empty one.
    counts_only : bool
        Keep the speeds that the file has for the engine, if any, and the CPU that they were taken on.
    engine : str, optional
        As in `check_baseline`: the rows to replace. A new file requires the first engine that is written into it.
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
    with use_engine(None if engine == ACTIVE else engine):
        used = active_engine()
        before = None if old is None else old.engines.get(used.name)
        counts = _without_errors(_count_all(say, used))
        rows = EngineRows.measured(used, counts, {} if counts_only else _measured_speeds(say))
        if counts_only and before is not None and before.speeds:
            rows = replace(rows, speeds=before.speeds, cpu=before.cpu)
    baseline = Baseline(used.name, {used.name: rows}) if old is None else old.with_rows(used.name, rows)
    return baseline, [f"{used.name}: {line}" for line in changes(before, rows)]


def _measured_speeds(say: Say) -> dict[str, Speed]:
    samplers = _samplers(say)
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
