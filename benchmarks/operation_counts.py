"""Prints what the native kernel does for one encryption, counted, and how fast that is against the core's own peak.

python -m benchmarks.operation_counts
"""

from __future__ import annotations

from time import perf_counter

from vecphe.arithmetic import _native, active_engine, random_words
from vecphe.bench.count_rows import Material
from vecphe.bench.counts import counting
from vecphe.bench.environment import machine_line

COUNT = 512
WINDOW = 8  # of a long run
KEY_LENGTHS = (1024, 2048, 3072, 4096)


def peak() -> float:
    """Multiply-adds a second of one core, eight lanes, nothing loaded or stored; the best of many short runs."""
    rounds = 20_000
    return 8 * 16 * rounds / min(seconds(lambda: _native.multiply_add(rounds)) for _ in range(200))


def seconds(work: object) -> float:
    started = perf_counter()
    work()  # type: ignore[operator]
    return perf_counter() - started


def main() -> None:
    print(machine_line())
    core = peak()
    print(f"peak of one core: {core / 1e9:.1f} G multiply-adds a second\n")
    print("| key | products in the table's steps | multiply-adds | of k^2 | at the peak | measured | share |")
    print("|---|---|---|---|---|---|---|")
    for key_length in KEY_LENGTHS:
        m = Material(key_length)
        ring, bits = m.engine.ring(m.n), key_length // 2
        table = ring.fixed_base(pow(3, 1000, m.n), bits, WINDOW)
        exponents, plaintexts = random_words(COUNT, bits), random_words(COUNT, key_length - 1)
        with counting(active_engine()) as counts:
            ring.multiply_plain(table.power_secret(exponents), plaintexts, 0)
        best = min(
            seconds(lambda: ring.multiply_plain(table.power_secret(exponents), plaintexts, 0))  # noqa: B023
            for _ in range(12)
        )
        adds, k = counts["kernel.multiply_adds"] / COUNT, -(-(key_length + 12) // 52)
        least = adds / core
        print(
            f"| {key_length} | {counts['kernel.delayed'] / COUNT:.0f} | {adds:,.0f} | {adds / k**2:.0f} "
            f"| {least * 1e6:.1f} us | {best / COUNT * 1e6:.1f} us | {100 * least * COUNT / best:.0f} % |"
        )


if __name__ == "__main__":
    main()
