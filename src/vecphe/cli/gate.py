"""The job of `vecphe bench --check`: hold this installation against a baseline, or take a new one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vecphe.bench.baseline import save_baseline
from vecphe.bench.gate import check_baseline, updated_baseline
from vecphe.bench.judge import TOLERANCE

__all__ = ["check", "update"]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def check(path: Path, tolerance: float | None, counts_only: bool, engine: str | None, as_json: bool) -> bool:
    """Print what the gate finds; whether it lets the code pass."""
    report = check_baseline(
        path,
        tolerance=TOLERANCE if tolerance is None else tolerance,
        counts_only=counts_only,
        engine=engine,
        say=_say,
    )
    if as_json:
        findings = [vars(finding) for finding in report.findings]
        print(json.dumps({"ok": report.ok, "notes": report.notes, "findings": findings}, indent=2))
        return report.ok
    print("\n".join(report.lines()))
    if report.failed:
        _say(f"error: {len(report.failed)} of {len(report.findings)} rows failed: {'; '.join(report.failed)}")
    else:
        print(f"{len(report.findings)} rows passed")
    return report.ok


def update(path: Path, counts_only: bool, engine: str | None) -> None:
    """Replace the rows of one engine, and print what that changes."""
    baseline, changed = updated_baseline(path, counts_only=counts_only, engine=engine, say=_say)
    save_baseline(path, baseline)
    print("\n".join(changed) or f"{path}: nothing changed")
