"""Ending the work of other threads.

Signals are answered by the main thread alone: while the others compute for it, it waits. What it then does is to say so
here, and their engines look at every step, or in native code every 50 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import local

from vecphe.errors import ParallelError

__all__ = ["Cancellation", "checkpoint", "told_of_flags"]

_thread = local()

# What an engine with checks of its own wants to be told: the flag that this thread watches from here on, or None.
told_of_flags: list[Callable[[bytearray | None], None]] = []


def checkpoint() -> None:
    """Raise ParallelError if the work of this thread was cancelled."""
    flag: bytearray | None = getattr(_thread, "flag", None)
    if flag and flag[0]:
        raise ParallelError("the work was cancelled")


class Cancellation:
    """Work in other threads that can be ended."""

    def __init__(self) -> None:
        self._flag = bytearray(1)

    def cancel(self) -> None:
        """Have all work that is done within `observed` raise soon."""
        self._flag[0] = 1

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Make what this thread computes meanwhile end when it is cancelled.

        Within another one nothing changes: that one ends all.
        """
        if getattr(_thread, "flag", None) is not None:
            yield
            return
        self._watch(self._flag)
        try:
            yield
        finally:
            self._watch(None)

    @staticmethod
    def _watch(flag: bytearray | None) -> None:
        _thread.flag = flag
        for tell in told_of_flags:
            tell(flag)
