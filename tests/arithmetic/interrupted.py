"""One long piece of work, to be interrupted by a real signal; see test_signals.py.

    python interrupted.py ENGINE WORK

Says "working" once the main thread, or with threads any, has computed for a moment. After Ctrl-C it prints as JSON how
much was done, and a moment later, and how much there was to do.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from joblib.parallel import ThreadingBackend

from vecphe.arithmetic import Engine, engine_named
from vecphe.system.parallel import run_tasks

BITS = 2036  # 40 limbs
P, Q = 2**521 - 1, 2**607 - 1
MOMENT = 0.02  # seconds of CPU time
BEGUN = threading.Event()  # work is about to begin


class Work(NamedTuple):
    """A call that takes seconds, and the same on a small part, of which there are `parts` in it."""

    whole: Callable[[], Any]
    part: Callable[[], Any]
    parts: int
    done: Callable[[], int]


def native_work(engine: Engine, name: str) -> Work:
    n = P * Q if name == "decrypt" else (1 << 8180 if name == "long power" else 1 << BITS) - 159
    ring = engine.ring(n)

    def over(count: int, function: Callable[[Any], Any], least: int = 8) -> Work:
        whole, part = ring.ones(count), ring.ones(least)
        return Work(lambda: function(whole), lambda: function(part), count // least, done)

    def done() -> int:
        counts = engine.counts()
        return counts["multiply_adds"] + counts["looked_up"]

    def tables(bits: int) -> Any:
        return ring.fixed_base(3, bits, 8)

    def matrix(rows: int) -> Any:
        return ring.matrix_power_vartime([[2**60 - 1] * 64] * rows, ring.ones(64))

    def first_half_of_invert(batch: Any) -> Any:
        return ring.native.prefix_products(batch)  # type: ignore[attr-defined]

    words = np.full((1 << 17, 16), 2**64 - 1, dtype=np.uint64)
    makers: dict[str, Callable[[], Work]] = {
        "multiply": lambda: over(1 << 17, lambda batch: ring.multiply(batch, batch)),
        "multiply_plain": lambda: over(1 << 17, lambda batch: ring.multiply_plain(batch, words[: len(batch)], 5)),
        "sum": lambda: over(1 << 17, lambda batch: ring.product(batch, 1, len(batch), 1), 64),
        "sum of columns": lambda: over(1 << 17, lambda batch: ring.product(batch, 1, len(batch) // 64, 64), 1024),
        "grouped sum": lambda: over(
            1 << 17, lambda batch: ring.grouped_product(batch, np.arange(len(batch)) % 32, 32), 1024
        ),
        "times": lambda: over(1 << 12, lambda batch: ring.power_vartime(batch, [2**53 - 1] * len(batch))),
        "secret power": lambda: over(64, lambda batch: ring.power_secret(batch, words[: len(batch)])),
        "long power": lambda: over(8, lambda batch: ring.power_vartime(batch, [2**4000 - 1] * 8)),
        "invert": lambda: over(1 << 17, first_half_of_invert, 16),
        "all_units": lambda: over(1 << 18, ring.all_units),
        "load": lambda: over(1 << 17, lambda batch: ring.load_bytes(bytes(ring.ciphertext_bytes * len(batch)))),
        "store": lambda: over(1 << 17, ring.store_bytes),
        "decrypt": lambda: over(1 << 10, lambda batch: engine.decryptor(P, Q).decrypt(ring, batch, 0)),
        "matrix": lambda: Work(lambda: matrix(1 << 10), lambda: matrix(64), 16, done),
        "row": lambda: over(1 << 12, lambda batch: ring.matrix_power_vartime([[2**60 - 1] * len(batch)], batch), 64),
        "table": lambda: Work(lambda: tables(1 << 12), lambda: tables(64), 64, done),
    }
    if name == "encrypt":
        table, exponents = tables(1024), np.full((1 << 13, 16), 2**64 - 1, dtype=np.uint64)
        return Work(lambda: table.power_secret(exponents), lambda: table.power_secret(exponents[:8]), 1 << 10, done)
    if name == "take":
        indices = np.arange(1 << 23) % 100
        batch = engine.ring(2**90 - 1).ones(100)
        indices[-1] = 100  # which is an IndexError, were it reached
        return Work(lambda: engine.ring(2**90 - 1).take(batch, indices), lambda: None, 1, lambda: 0)
    if name == "threads":

        def power(count: int) -> Any:
            BEGUN.set()
            return ring.power_vartime(ring.ones(count), [2**53 - 1] * count)

        arguments = [(1 << 11,)] * 2
        return Work(
            lambda: run_tasks(power, arguments, ThreadingBackend(), "threads", 2), lambda: power(8), 2 << 8, done
        )
    return makers[name]()


def gmp_work(engine: Engine, name: str) -> Work:
    """Counted in numbers that it took from its operand."""
    n = (1 << 2048) - 159
    ring, taken = engine.ring(n), []

    def counting(count: int, value: int) -> Iterator[int]:
        for _ in range(count):
            taken.append(None)
            yield value

    def power() -> Any:
        BEGUN.set()
        return ring.power_vartime(ring.load([3] * 1000), counting(1000, n))  # type: ignore[arg-type]

    makers = {
        "load": (1 << 24, lambda: ring.load(counting(1 << 24, 3))),
        "power": (1000, power),
        "threads": (2000, lambda: run_tasks(power, [()] * 2, ThreadingBackend(), "threads", 2)),
    }
    size, whole = makers[name]
    return Work(whole, lambda: None, size, lambda: len(taken))


def announce(clock: Callable[[], float]) -> None:
    """Say so once work is under way."""
    BEGUN.wait()
    before = clock()
    while clock() < before + MOMENT:
        time.sleep(0.001)
    os.write(1, b"working\n")


def main() -> None:
    engine, name = engine_named(sys.argv[1]), sys.argv[2]
    work = (gmp_work if engine.name == "gmp" else native_work)(engine, name)
    before = work.done()
    work.part()
    to_do = (work.done() - before) * work.parts or work.parts
    BEGUN.clear()
    main_clock = time.pthread_getcpuclockid(threading.get_ident())
    clock = time.process_time if name == "threads" else lambda: time.clock_gettime(main_clock)
    threading.Thread(target=announce, args=(clock,), daemon=True).start()
    before, other = work.done(), None
    try:
        if name != "threads":
            BEGUN.set()
        work.whole()
        outcome = "finished"
    except KeyboardInterrupt as error:
        outcome = "interrupted"
        other = type(error.__context__).__name__ if error.__context__ else None
    done = work.done() - before
    if name == "threads":
        time.sleep(0.5)
    report = {"outcome": outcome, "other": other, "done": done, "later": work.done() - before, "to do": to_do}
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
