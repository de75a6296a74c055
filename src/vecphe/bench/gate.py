"""The gate: what the library does now, held against a baseline.

In a test::

    from vecphe.bench.gate import check_baseline
    report = check_baseline("benchmarks/baseline.json", counts_only=True)
    assert report.ok, report
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from vecphe.arithmetic import Engine, active_engine, available_engines, engine_named, why_not_used
from vecphe.bench.baseline import Baseline, EngineRows, Speed, changes, count_changes, cpu_name, load_baseline
from vecphe.bench.counts import Counts
from vecphe.bench.environment import engine_warning, use_engine
from vecphe.bench.findings import Finding, Report
from vecphe.bench.judge import MOST_BLOCKS, TOLERANCE, Judgement, judge_all, quiet_blocks
from vecphe.bench.ratio_rows import Block
from vecphe.bench.user_rows import Rows
from vecphe.errors import BenchmarkError, EngineUnavailableError, SerializationError
from vecphe.system.plurals import are, counted

__all__ = ["Finding", "Report", "check_baseline", "updated_baseline"]

_MOST_TOLERANCE = 0.95  # whatever the slack of a row
_PASSES = 5
_BLOCKS_A_PASS = 16

Say = Callable[[str], None]


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
        Compare exact counts only: seconds instead of about two minutes, and nothing that noise can change.
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
    if engine is not None and (failed := _failed_without(engine, baseline, path)) is not None:
        return failed
    with use_engine(engine):
        used = active_engine()
        report = Report(warnings=[] if engine is not None else list(_not_judged(baseline, used)))
        expected, target = baseline.engines.get(used.name), str(used.describe()["target"])
        if expected is None:
            report.notes.append(
                f"engine {used.name}, of which the baseline has no rows; "
                "take them here with `vecphe bench baseline`, or check those of another by --engine"
            )
            return report
        report.notes.append(f"engine {used.name} ({target}), baseline of {expected.date}, {expected.cpu}")
        if (warning := engine_warning(engine, used.name)) is not None:
            report.notes.append(warning)
        here = _rows(rows)
        if not speeds_only:
            say(f"counting {counted(len(here.counts), 'workload')} on {used.name}")
            report.findings.extend(_count_findings(expected.counts, here.counts))
        if target != expected.target and used.name != "gmp":
            report.findings.append(Finding("engine", "failed", f"target is not {expected.target}"))
        elif counts_only:
            report.notes.append("speeds were not measured: counts only")
        else:
            _match_speeds(report, baseline, used.name, here, speeds_only)
            _judge_speeds(report, expected, here, tolerance, say)
    return report


def _rows(file: str | Path | None) -> Rows:
    return Rows.of_library() if file is None else Rows.of_file(Path(file))


def _failed_without(engine: str, baseline: Baseline, path: str | Path) -> Report | None:
    """If that engine does not run here, all of its rows failed: what did not run cannot have held."""
    rows = baseline.engines.get(engine)
    try:
        engine_named(engine)
    except EngineUnavailableError as error:
        if rows is None or engine not in dict(available_engines()):
            raise
        text = f"needs target {rows.target}: {error}"
        note = f"ENGINE {engine} DID NOT RUN; without --engine, the rows of the one that runs are judged"
        return Report([Finding(name, "failed", text) for name in (*rows.counts, *rows.speeds)], [note])
    if rows is None:
        raise SerializationError(
            f"{path}: no rows for engine {engine!r}, only for {', '.join(sorted(baseline.engines))}; "
            f"make them with `vecphe bench baseline {path} --engine {engine}`"
        )
    return None


def _not_judged(baseline: Baseline, used: Engine) -> Iterator[str]:
    """A warning if not the engine runs that the baseline requires, with its rows that no other stands for."""
    if used.name == baseline.engine:
        return
    rows, judged = baseline.engines[baseline.engine], baseline.engines.get(used.name)
    names = [*rows.counts, *rows.speeds]
    left = [name for name in names if judged is None or name not in {*judged.counts, *judged.speeds}]
    chosen = os.environ.get("VECPHE_ENGINE")
    why = f"VECPHE_ENGINE={chosen}" if chosen else why_not_used().get(baseline.engine, "another is preferred")
    count, were = counted(len(names), "row").upper(), "WAS" if len(names) == 1 else "WERE"
    yield (
        f"{count} OF ENGINE {baseline.engine} {were} NOT JUDGED, which the baseline requires: {used.name} ran: {why}"
        + (f"; these were judged on no engine: {'; '.join(left)}" if left else "")
    )


def _unmatched(name: str, expected: Mapping[str, object]) -> Finding:
    where = "the baseline" if name in expected else "this version"
    return Finding(name, "failed", f"is only in {where}; `vecphe bench baseline` makes them agree")


def _count_findings(expected: Mapping[str, Counts], here: Mapping[str, Callable[[], Counts]]) -> Iterator[Finding]:
    for name in dict.fromkeys((*expected, *here)):
        try:
            found = here[name]() if name in here else {}
        except BenchmarkError as error:
            yield Finding(name, "failed", str(error))
            continue
        if name in expected and name in here:
            differences = "; ".join(count_changes(expected[name], found))
            held = f"{counted(len(found), 'count')} {are(len(found))} equal"
            yield Finding(name, "failed", differences) if differences else Finding(name, "held", held)
        elif name in expected or found:
            yield _unmatched(name, expected)


def _match_speeds(report: Report, baseline: Baseline, engine: str, here: Rows, speeds_only: bool) -> None:
    """Tell of rows that only the baseline has, or only this version."""
    expected = baseline.engines[engine].speeds
    unmatched = sorted(here.blocks.keys() ^ expected.keys())
    if speeds_only:
        report.notes.extend(f"{name} has no counterpart" for name in unmatched)
    elif expected or engine == baseline.engine:
        report.findings.extend(_unmatched(name, expected) for name in unmatched)
    else:
        report.notes.append(f"the baseline has no speeds of engine {engine}")


def _judge_speeds(report: Report, expected: EngineRows, here: Rows, tolerance: float, say: Say) -> None:
    """Of the rows that both have."""
    blocks = {name: block for name, block in here.blocks.items() if name in expected.speeds}
    if not blocks:
        return
    if expected.cpu != cpu_name():
        text = f"SPEEDS WERE NOT JUDGED: they were taken on {expected.cpu}, and this is {cpu_name()}"
        report.warnings.append(text)
        return
    say(f"timing {counted(len(blocks), 'workload')}, each in turn with its reference")
    tolerances = {name: min(tolerance * here.slack[name], _MOST_TOLERANCE) for name in blocks}
    judgements = judge_all(blocks, expected.speeds, tolerances)
    findings = [_speed_finding(name, judgements[name], tolerances[name]) for name in blocks]
    report.findings.extend(findings)
    drift = max((found.drift for found in judgements.values() if isinstance(found, Judgement)), default=1.0)
    if drift > 1:
        report.warnings.append(
            f"THE REFERENCE RUNS UP TO {100 * (drift - 1):.0f} % SLOWER THAN WHEN THE BASELINE WAS TAKEN: if that "
            "stays, take a new one with `vecphe bench baseline`"
        )
    if all(finding.status == "open" for finding in findings):
        report.warnings.append(
            "NO SPEED WAS DECIDED: this run says nothing about speeds. Repeat it on a quiet machine; if it stays so, "
            "the machine is slower than when the baseline was taken: take a new one with `vecphe bench baseline`"
        )


def _speed_finding(name: str, judgement: Judgement | BenchmarkError, tolerance: float) -> Finding:
    if isinstance(judgement, BenchmarkError):
        return Finding(name, "failed", str(judgement))
    blocks = f"{judgement.quiet} of {judgement.blocks} blocks quiet, {judgement.seconds * 1e3:.3g} ms"
    if judgement.relative is None:
        return Finding(name, "open", f"NOT DECIDED, the machine was never quiet: {blocks}")
    figures = f"{judgement.relative:.3f} of the baseline's speed [{judgement.low:.3f}, {judgement.high:.3f}]; {blocks}"
    if judgement.drift > 1:
        drift = 100 * (judgement.drift - 1)
        figures += f"; the reference runs {drift:.0f} % slower than when the baseline was taken"
    if judgement.verdict == "failed":
        figures = f"slower by more than {100 * tolerance:g} %: {figures}"
    elif judgement.verdict == "open":
        figures = f"NOT DECIDED after {MOST_BLOCKS} blocks, passed: {figures}"
    return Finding(name, judgement.verdict, figures)


# Updates


def updated_baseline(
    path: str | Path,
    *,
    counts_only: bool = False,
    engine: str | None = None,
    rows: str | Path | None = None,
    say: Say = lambda _: None,
) -> tuple[Baseline, list[str]]:
    """A baseline with what this installation does now in place of the rows of its engine, and what that changes.

    Parameters
    ----------
    path : str or Path
        The baseline as it was. A file that is not there is an empty one, and requires the engine that is written first.
    counts_only : bool
        Keep the speeds that the file has for the engine, if any, and the CPU that they were taken on.
    engine, rows, say
        As in `check_baseline`.

    Returns
    -------
    (Baseline, list of str)
        What to save, and one line for each change: old -> new.

    Raises
    ------
    SerializationError, OSError, EngineUnavailableError, ValueError
        As in `check_baseline`.
    BenchmarkError
        If a row fails.
    """
    path = Path(path)
    old = load_baseline(path) if path.exists() else None
    with use_engine(engine):
        used, here = active_engine(), _rows(rows)
        before = None if old is None else old.engines.get(used.name)
        say(f"counting {counted(len(here.counts), 'workload')} on {used.name}")
        counts = {name: counts for name, count in here.counts.items() if (counts := count())}
        new = EngineRows.measured(used, counts, {} if counts_only else _measured_speeds(here, say))
        if counts_only and before is not None and before.speeds:
            new = replace(new, speeds=before.speeds, cpu=before.cpu)
    baseline = Baseline(used.name, {}) if old is None else old
    baseline.engines[used.name] = new
    return baseline, [f"{used.name}: {line}" for line in changes(before, new)]


def _measured_speeds(here: Rows, say: Say) -> dict[str, Speed]:
    passes = []
    for number in range(_PASSES):
        say(f"pass {number + 1} of {_PASSES}")
        passes.append([{name: block() for name, block in here.blocks.items()} for _ in range(_BLOCKS_A_PASS)])
    return {name: _speed([[blocks[name] for blocks in taken] for taken in passes]) for name in here.blocks}


def _speed(passes: list[list[Block]]) -> Speed:
    """From the quiet blocks of all passes; a pass without any says nothing."""
    everything = [block for blocks in passes for block in blocks]
    reference = min(block.reference for block in everything)
    quiet = [quiet_blocks(blocks, reference) for blocks in passes]
    medians = sorted(statistics.median(block.speed for block in blocks) for blocks in quiet if blocks)
    return Speed(medians[len(medians) // 4], medians[-1], min(block.seconds for block in everything), reference)
