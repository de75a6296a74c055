"""Seconds by phase."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

__all__ = ["PHASES", "PhaseClock"]

PHASES = ("keygen", "setup", "gradient", "randomizers", "encrypt", "add", "decrypt", "step")


class PhaseClock:
    """Adds up the wall-clock time of the phases of one party.

    Attributes
    ----------
    seconds : dict of str to float
        Every phase, also those that never ran.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)

    @contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Add the time of the body to `phase`."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[phase] += perf_counter() - start
