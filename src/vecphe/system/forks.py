"""What a forked child must not take over from its parent: locks that other threads hold, and unused randomness."""

from __future__ import annotations

import os
from threading import Lock
from weakref import WeakSet

__all__ = ["ForkSafeLock", "generation"]

_generation = 0
_locks: WeakSet[ForkSafeLock] = WeakSet()


def generation() -> int:
    """How many forks lie between the first process and this one: what was made at another count is the parent's."""
    return _generation


class ForkSafeLock:
    """A lock that is free in a child process, whoever held it: of the threads, only the one that forked lives on.

    What it guards must be in order between any two statements, for the holder may have got as far as that.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _in_child() -> None:
    global _generation
    _generation += 1
    for lock in _locks:
        lock._lock = Lock()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_in_child)
