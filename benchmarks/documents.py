"""Writes the tables of README.md and docs/performance.md from the saved results: python -m benchmarks.documents

``--check`` writes nothing and exits with status 1 if a document says something else than the results.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks import operation_counts, targets, time_profile
from benchmarks.saved import RESULTS, load, provenance, table, with_section
from vecphe.bench.results_file import load_results
from vecphe.bench.tables import COLUMNS, cells
from vecphe.system.files import replace_file

ROOT = Path(__file__).parent.parent


def rounds_table() -> list[str]:
    """Markdown lines of the rounds that `vecphe bench run --save` measured."""
    results = load_results(RESULTS / "rounds.json")
    e = next(record.environment for record in results.records if record.backend != "naive")
    versions = ", ".join(f"{name} {version}" for name, version in e.versions.items())
    date = min(record.date for record in results.records)[:10]
    return [
        f"Measured by `make results` on {date}: engine {e.engine}, target {e.target}, CPU {e.cpu}, {e.cores} cores",
        f"({versions}). One core; times that start with ~ are of fewer values, scaled up.",
        "",
        *table(list(COLUMNS), [list(cells(record)) for record in results.records]),
    ]


def regressions_table(content: dict[str, Any]) -> list[str]:
    """Markdown lines of what `make gate-regressions --save` planted; of the gate's lines the first three counts."""
    rows = []
    for plant in content["plants"]:
        said = [line.split("; ") for line in plant["said"]]
        short = ["; ".join(p[:3]) + (f" and {len(p) - 3} more counts" if len(p) > 3 else "") for p in said]
        rows.append([plant["what"], "<br>".join(short), "; ".join(plant["wrong"]) or "yes"])
    lead = provenance(content, "make gate-regressions")
    return [lead, "", *table(["planted", "what the gate says", "as it should be"], rows)]


def sections() -> dict[str, dict[str, list[str]]]:
    """Lines by document and marker."""
    return {
        "README.md": {"targets": targets.as_table(load(RESULTS / "targets.json", "targets"))},
        "docs/performance.md": {
            "rounds": rounds_table(),
            "profile": time_profile.as_table(load(RESULTS / "profile.json", "profile")),
            "operation counts": operation_counts.as_table(load(RESULTS / "operation_counts.json", "operation-counts")),
            "regressions": regressions_table(load(RESULTS / "regressions.json", "regressions")),
        },
    }


def stale_documents(write: bool) -> list[str]:
    """Names of documents that differ from the results; brought up to date if `write`."""
    stale = []
    for name, by_marker in sections().items():
        path = ROOT / name
        old = new = path.read_text(encoding="utf-8")
        for marker, lines in by_marker.items():
            new = with_section(new, marker, lines)
        if new != old:
            stale.append(name)
            if write:
                replace_file(path, new.encode(), force=True)
    return stale


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if a document is stale")
    check = parser.parse_args().check
    stale = stale_documents(write=not check)
    for name in stale:
        print(f"{name}: {'stale; run make documents' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
