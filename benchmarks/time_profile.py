"""Where the time of the packed protocol goes, at 2048 bits: python -m benchmarks.time_profile [--save FILE]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any
from unittest.mock import patch

from benchmarks.saved import provenance, show_and_save, table
from vecphe import SlotLayout
from vecphe.arithmetic import active_engine
from vecphe.bench.sides import Side
from vecphe.bench.tables import duration
from vecphe.bench.workloads import gradients
from vecphe.keys import private_key, public_key
from vecphe.plaintext import encoding
from vecphe.randomness import randomizers

KEY_LENGTH = 2048
# clients, values, rounds: the gradients of `vecphe run`, and larger ones
WORKLOADS = ((5, 11, 400), (5, 10_000, 6))
REST = "the rest: Python between these"


class Stopwatches:
    """Time spent in each of several functions and in none of them; a call inside another counts for the inner one."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._running = [REST]
        self._since = perf_counter()

    def switch(self) -> None:
        """Book the time since the last switch."""
        now = perf_counter()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self.switch()
            self._running.append(name)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch()
                self._running.pop()

        return wrapper


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
        (private_key, "decode", "unpack and decode"),
    ]


@contextmanager
def watching() -> Iterator[Stopwatches]:
    watches = Stopwatches()
    with ExitStack() as stack:
        for owner, function, name in watched():
            stack.enter_context(patch.object(owner, function, watches.timed(name, getattr(owner, function))))
        watches.switch()
        watches.seconds.clear()
        yield watches
        watches.switch()


def profile(clients: int, values: int, rounds: int) -> dict[str, Any]:
    """Seconds of one round by part, of the fastest of several rounds, and of the set-up."""
    side, vectors = Side("packed", KEY_LENGTH, clients), gradients(clients, values)
    side.prepare(rounds * clients, values)
    fastest: Counter[str] = Counter()
    for _ in range(rounds + 1):
        with watching() as watches:
            side.run(vectors)  # it checks its sum
        if not fastest or watches.seconds.total() < fastest.total():
            fastest = watches.seconds
    return {"clients": clients, "values": values, "setup": side.setup, "round": fastest.total(), "parts": dict(fastest)}


def measure() -> dict[str, Any]:
    return {"key_length": KEY_LENGTH, "profiles": [profile(*workload) for workload in WORKLOADS]}


def as_table(content: dict[str, Any]) -> list[str]:
    """Markdown lines of a saved run."""
    profiles = content["profiles"]
    header = ["part", *(f"{one['clients']} clients, {one['values']:,} values" for one in profiles)]
    names = sorted(profiles[-1]["parts"], key=lambda name: -profiles[-1]["parts"][name])
    rows = [[name, *(_share(one["parts"][name], one["round"]) for one in profiles)] for name in names]
    rows.append(["a round", *(duration(one["round"]) for one in profiles)])
    rows.append(["set-up: key pair and tables", *(duration(one["setup"]) for one in profiles)])
    lead = f"{provenance(content, 'python -m benchmarks.time_profile')} {content['key_length']} bits, one core."
    return [lead, "", *table(header, rows)]


def _share(seconds: float, whole: float) -> str:
    return f"{duration(seconds)} ({100 * seconds / whole:.1f} %)"


if __name__ == "__main__":
    show_and_save("profile", "Where the time of a round goes.", measure, as_table)
