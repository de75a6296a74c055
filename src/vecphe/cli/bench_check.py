"""The jobs of `vecphe bench check` and `vecphe bench baseline`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from vecphe.arithmetic import engine_named
from vecphe.bench.baseline import save_baseline
from vecphe.bench.gate import check_baseline, updated_baseline
from vecphe.errors import EngineUnavailableError

__all__ = ["check", "update"]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _about_engine(error: EngineUnavailableError) -> ValueError:
    return ValueError(f"--engine: {error}")


def check(path: Path, as_json: bool, engine: str | None, **options: Any) -> bool:
    """Print what the gate finds, with the options of `check_baseline`; whether it lets the code pass."""
    try:
        report = check_baseline(path, engine=engine, say=_say, **options)
    except EngineUnavailableError as error:
        raise _about_engine(error) if engine is not None else error from None
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


def update(path: Path, counts_only: bool, engine: str | None, rows: Path | None) -> None:
    """Replace the rows of one engine, and print what that changes."""
    if engine is not None:
        try:
            engine_named(engine)
        except EngineUnavailableError as error:
            raise _about_engine(error) from None
    baseline, changed = updated_baseline(path, counts_only=counts_only, engine=engine, rows=rows, say=_say)
    save_baseline(path, baseline)
    print("\n".join(changed) or f"{path}: nothing changed")
