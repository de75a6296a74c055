"""The job of `vecphe bench --check`: hold this installation against a baseline, or take a new one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vecphe.arithmetic import engine_named
from vecphe.bench.baseline import save_baseline
from vecphe.bench.gate import ACTIVE, check_baseline, updated_baseline
from vecphe.bench.judge import TOLERANCE
from vecphe.errors import EngineUnavailableError

__all__ = ["check", "update"]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _check_engine(engine: str | None) -> None:
    """Raise a ValueError that names the option for an engine that does not run here."""
    if engine not in (None, ACTIVE):
        try:
            engine_named(str(engine))
        except EngineUnavailableError as error:
            raise ValueError(f"--engine: {str(error).removeprefix('VECPHE_ENGINE: ')}") from None


def check(
    path: Path, tolerance: float | None, counts_only: bool, speeds_only: bool, engine: str | None, as_json: bool
) -> bool:
    """Print what the gate finds; whether it lets the code pass."""
    _check_engine(engine)
    report = check_baseline(
        path,
        tolerance=TOLERANCE if tolerance is None else tolerance,
        counts_only=counts_only,
        speeds_only=speeds_only,
        engine=engine,
        say=_say,
    )
    if as_json:
        findings = [vars(finding) for finding in report.findings]
        content = {"ok": report.ok, "notes": report.notes, "warnings": report.warnings, "findings": findings}
        print(json.dumps(content, indent=2))
    else:
        print("\n".join([*report.lines(), report.summary]))
    if report.failed:
        _say(f"error: {len(report.failed)} of {len(report.findings)} rows failed: {'; '.join(report.failed)}")
    elif not report.findings:
        _say("error: nothing was judged: the baseline has no rows that could be compared here")
    return report.ok


def update(path: Path, counts_only: bool, engine: str | None) -> None:
    """Replace the rows of one engine, and print what that changes."""
    _check_engine(engine)
    baseline, changed = updated_baseline(path, counts_only=counts_only, engine=engine, say=_say)
    save_baseline(path, baseline)
    print("\n".join(changed) or f"{path}: nothing changed")
