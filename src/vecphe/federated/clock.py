"""Seconds by phase."""

from __future__ import annotations

from contextlib import AbstractContextManager
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

    def measure(self, phase: str) -> AbstractContextManager[None]:
        """Add the time of the body to `phase`."""
        return _Measured(self.seconds, phase)


class _Measured:
    # No generator: there are five a round and party, and each would take a microsecond more.
    __slots__ = ("_phase", "_seconds", "_start")

    def __init__(self, seconds: dict[str, float], phase: str) -> None:
        self._seconds, self._phase = seconds, phase

    def __enter__(self) -> None:
        self._start = perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._phase] += perf_counter() - self._start
