"""Where the time of the packed protocol goes, at 2048 bits: python -m benchmarks.time_profile [--save FILE]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any
from unittest.mock import patch

from benchmarks.saved import parser_with_save, provenance, show_and_save, table
from vecphe import SlotLayout
from vecphe.arithmetic import active_engine
from vecphe.bench.sides import Side
from vecphe.bench.tables import duration
from vecphe.bench.workloads import gradients
from vecphe.keys import public_key
from vecphe.plaintext import encoding, format
from vecphe.randomness import randomizers

KEY_LENGTH = 2048
# clients, values, rounds: the gradients of `vecphe run`, and larger ones
WORKLOADS = ((5, 11, 400), (5, 10_000, 6))
REST = "the rest: Python between these"


def watched() -> list[tuple[Any, str, str]]:
    """(owner, function, name of the part)."""
    engine = active_engine()
    ring = engine.ring(15)
    table, decryptor = ring.fixed_base(4, 4, engine.tuning.min_window), engine.decryptor(3, 5)
    return [
        (public_key, "as_plain_array", "encode and pack"),
        (encoding.FixedPoint, "encode", "encode and pack"),
        (SlotLayout, "pack", "encode and pack"),
        (randomizers, "random_words", "random exponents"),
        (type(table), "power_secret", "randomizers: fixed-base powers"),
        (type(ring), "multiply_plain", "products with plaintexts"),
        (type(ring), "multiply", "additions: products mod n^2"),
        (type(decryptor), "decrypt", "decryption: powers and CRT"),
        (SlotLayout, "unpack", "unpack and decode"),
        (format, "decode", "unpack and decode"),
    ]


@contextmanager
def watching() -> Iterator[Counter[str]]:
    """Seconds in each of the parts and in none of them; a call inside another counts for the inner one."""
    seconds: Counter[str] = Counter()
    running, since = [REST], 0.0

    def switch() -> None:
        """Book the time since the last switch."""
        nonlocal since
        before, since = since, perf_counter()
        seconds[running[-1]] += since - before

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            switch()
            running.append(name)
            try:
                return function(*args, **kwargs)
            finally:
                switch()
                running.pop()

        return wrapper

    with ExitStack() as stack:
        for owner, function, name in watched():
            stack.enter_context(patch.object(owner, function, timed(name, getattr(owner, function))))
        since = perf_counter()
        yield seconds
        switch()


def profile(clients: int, values: int, rounds: int) -> dict[str, Any]:
    """Seconds of one round by part, of the fastest of several rounds, and of the set-up."""
    side, vectors = Side("packed", KEY_LENGTH, clients), gradients(clients, values)
    side.prepare(rounds * clients, values)
    found = []
    for _ in range(rounds + 1):
        with watching() as seconds:
            side.run(vectors)  # it checks its sum
        found.append(seconds)
    fastest = min(found, key=Counter.total)
    return {"clients": clients, "values": values, "setup": side.setup, "round": fastest.total(), "parts": dict(fastest)}


def measure() -> dict[str, Any]:
    return {"key_length": KEY_LENGTH, "profiles": [profile(*workload) for workload in WORKLOADS]}


def as_table(content: dict[str, Any]) -> list[str]:
    """Markdown lines of a saved run."""
    profiles = content["profiles"]
    parts = sorted(profiles[-1]["parts"], key=profiles[-1]["parts"].get, reverse=True)
    columns = [
        [
            f"{found['clients']} clients, {found['values']:,} values",
            *(f"{duration(found['parts'][p])} ({100 * found['parts'][p] / found['round']:.1f} %)" for p in parts),
            duration(found["round"]),
            duration(found["setup"]),
        ]
        for found in profiles
    ]
    rows = zip(["part", *parts, "a round", "set-up: key pair and tables"], *columns, strict=True)
    lead = f"{provenance(content, 'python -m benchmarks.time_profile')} {content['key_length']} bits, one core."
    return [lead, "", *table(*rows)]


if __name__ == "__main__":
    show_and_save("profile", parser_with_save("Where the time of a round goes."), lambda _: measure(), as_table)
