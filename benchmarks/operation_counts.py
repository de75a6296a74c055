"""What the native kernel does for one encryption, counted, and how fast that is against the core's own peak.

python -m benchmarks.operation_counts [--save FILE]
"""

from __future__ import annotations

from typing import Any

from benchmarks.measure import limbs, multiply_add_peak, once
from benchmarks.saved import parser_with_save, provenance, show_and_save, table
from vecphe.arithmetic import active_engine, random_words
from vecphe.bench.count_rows import Material
from vecphe.bench.counts import counting

COUNT = 512
WINDOW = 8  # of a long run
KEY_LENGTHS = (1024, 2048, 3072, 4096)


def measured(key_length: int) -> dict[str, Any]:
    """Counts and the fastest seconds of one encryption."""
    m, bits = Material(key_length), key_length // 2
    ring = m.engine.ring(m.n)
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


def cells(row: dict[str, Any], peak: float) -> list[str]:
    adds, seconds = row["multiply_adds"], row["seconds"]
    parts = (f"{adds:,}", f"{adds / row['limbs'] ** 2:.0f}", f"{1e6 * adds / peak:.1f} us", f"{1e6 * seconds:.1f} us")
    return [str(row["key_length"]), str(row["steps"]), *parts, f"{100 * adds / peak / seconds:.0f} %"]


def as_table(content: dict[str, Any]) -> list[str]:
    """Markdown lines of a saved run."""
    header = ["key", "steps of a power", "multiply-adds", "of k^2", "at the peak", "measured", "share of the peak"]
    return [
        provenance(content, "python -m benchmarks.operation_counts"),
        f"One core, tables of window {content['window']};",
        f"the core's peak: {content['peak'] / 1e9:.1f} G multiply-adds a second.",
        "",
        *table(header, *(cells(row, content["peak"]) for row in content["rows"])),
    ]


if __name__ == "__main__":
    show_and_save("operation-counts", parser_with_save("Operations of one encryption."), lambda _: measure(), as_table)
