"""Writes tables of README.md, docs/performance.md, docs/flower.md from saved results: python -m benchmarks.documents

``--check`` writes nothing and exits with status 1 if a document says something else than the results.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks import operation_counts, targets, time_profile
from benchmarks.protocol import flower_rounds
from benchmarks.saved import provenance, table, versions, with_section
from vecphe.bench.results_file import load_file, load_results
from vecphe.bench.tables import COLUMNS, cells
from vecphe.system.files import replace_file

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def rounds_table() -> list[str]:
    """Markdown lines of the rounds that `vecphe bench run --save` measured."""
    records = load_results(RESULTS / "rounds.json").records
    e = next(record.environment for record in records if record.backend != "naive")
    date = min(record.date for record in records)[:10]
    return [
        f"Measured by `make results` on {date}: engine {e.engine}, target {e.target}, CPU {e.cpu}, {e.cores} cores",
        f"({versions(e.versions)}). One core; times that start with ~ are of fewer values, scaled up.",
        "",
        *table(COLUMNS, *map(cells, records)),
    ]


def regressions_table(content: dict[str, Any]) -> list[str]:
    """Markdown lines of what `make gate-regressions --save` planted; of the gate's lines the first three counts."""
    rows = []
    for plant in content["plants"]:
        said = [line.split("; ") for line in plant["said"]]
        short = ["; ".join(p[:3]) + (f" and {len(p) - 3} more counts" if len(p) > 3 else "") for p in said]
        rows.append([plant["what"], "<br>".join(short), "; ".join(plant["wrong"]) or "yes"])
    header = ["planted", "what the gate says", "as it should be"]
    return [provenance(content, "make gate-regressions"), "", *table(header, *rows)]


TARGETS = ("ifma", "ifma_intel", "fma512", "fma256", "neon", "gmp")  # those that are there are a column each

# Document, marker, kind of the file, and what makes lines of its content.
SECTIONS = (
    ("docs/performance.md", "profile", "profile", time_profile.as_table),
    ("docs/performance.md", "operation counts", "operation-counts", operation_counts.as_table),
    ("docs/performance.md", "regressions", "regressions", regressions_table),
    ("docs/flower.md", "rounds over Flower", "flower-rounds", flower_rounds.as_table),
)


def stale_documents(write: bool) -> list[str]:
    """Names of documents that differ from the results; brought up to date if `write`."""
    files = [RESULTS / "targets" / f"{name}.json" for name in TARGETS]
    saved = [load_file(file, "vecphe-targets", "make results") for file in files if file.exists()]
    lines = [
        ("README.md", "targets", targets.as_columns(saved, targets.FIRST)),
        ("docs/performance.md", "targets", targets.as_columns(saved)),
        ("docs/performance.md", "rounds", rounds_table()),
    ]
    for name, marker, kind, as_lines in SECTIONS:
        content = load_file(RESULTS / f"{kind.replace('-', '_')}.json", f"vecphe-{kind}", "make results")
        lines.append((name, marker, as_lines(content)))
    old = {name: (ROOT / name).read_text(encoding="utf-8") for name, _, _ in lines}
    new = dict(old)
    for name, marker, section in lines:
        new[name] = with_section(new[name], marker, section)
    stale = [name for name in old if new[name] != old[name]]
    for name in stale if write else []:
        replace_file(ROOT / name, new[name].encode(), force=True)
    return sorted(stale)


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
