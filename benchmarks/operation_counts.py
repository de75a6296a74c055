"""What the native kernel does for one encryption, counted, and how fast that is against the core's own peak.

python -m benchmarks.operation_counts [--save FILE]
"""

from __future__ import annotations

from typing import Any

from benchmarks.measure import limbs, multiply_add_peak, once
from benchmarks.saved import provenance, show_and_save, table
from vecphe.arithmetic import active_engine, random_words
from vecphe.bench.count_rows import Material
from vecphe.bench.counts import counting

COUNT = 512
WINDOW = 8  # of a long run
KEY_LENGTHS = (1024, 2048, 3072, 4096)


def measured(key_length: int) -> dict[str, Any]:
    """Counts and the fastest seconds of one encryption."""
    m = Material(key_length)
    ring, bits = m.engine.ring(m.n), key_length // 2
    table = ring.fixed_base(pow(3, 1000, m.n), bits, WINDOW)
    exponents, plaintexts = random_words(COUNT, bits), random_words(COUNT, key_length - 1)

    def encrypt() -> object:
        return ring.multiply_plain(table.power_secret(exponents), plaintexts, 0)

    with counting(active_engine()) as counts:
        encrypt()
    return {
        "key_length": key_length,
        "steps": round(counts["kernel.delayed"] / COUNT),
        "multiply_adds": round(counts["kernel.multiply_adds"] / COUNT),
        "limbs": limbs(key_length),
        "seconds": min(once(encrypt) for _ in range(12)) / COUNT,
    }


def measure() -> dict[str, Any]:
    peak = max(multiply_add_peak(20_000) for _ in range(200))
    return {"peak": peak, "window": WINDOW, "rows": [measured(key_length) for key_length in KEY_LENGTHS]}


def as_table(content: dict[str, Any]) -> list[str]:
    """Markdown lines of a saved run."""
    core = content["peak"]
    header = ["key", "steps of a power", "multiply-adds", "of k^2", "at the peak", "measured", "share of the peak"]
    rows = [
        [
            str(row["key_length"]),
            str(row["steps"]),
            f"{row['multiply_adds']:,}",
            f"{row['multiply_adds'] / row['limbs'] ** 2:.0f}",
            f"{1e6 * row['multiply_adds'] / core:.1f} us",
            f"{1e6 * row['seconds']:.1f} us",
            f"{100 * row['multiply_adds'] / core / row['seconds']:.0f} %",
        ]
        for row in content["rows"]
    ]
    lead = provenance(content, "python -m benchmarks.operation_counts")
    tables = f"One core, tables of window {content['window']};"
    return [lead, tables, f"the core's peak: {core / 1e9:.1f} G multiply-adds a second.", "", *table(header, rows)]


if __name__ == "__main__":
    show_and_save("operation-counts", "Operations of one encryption.", measure, as_table)
