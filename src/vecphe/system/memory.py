"""How much memory there is, so that a batch that needs more is refused before it starts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from vecphe.errors import BatchTooLargeError

__all__ = ["check_memory", "fits_in_memory"]

_SMALL = 1 << 26  # bytes not worth a look at the system
_MEMINFO = Path("/proc/meminfo")
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def check_memory(needed: int, what: str, remedy: str) -> None:
    """Raise BatchTooLargeError unless `needed` more bytes fit, in place of failing or being killed after minutes."""
    if not fits_in_memory(needed):
        raise BatchTooLargeError(f"{what} takes about {needed / 1e9:.1f} GB, more memory than there is; {remedy}")


def fits_in_memory(needed: int) -> bool:
    """Whether this process can have `needed` more bytes, as far as the system tells.

    Limits of the process (``ulimit -v``) and of what the system promises show in an attempt, which touches nothing;
    what is in use already, and the limit of a container, are looked up where Linux has them.
    """
    if needed < _SMALL:
        return True
    try:
        np.empty(needed, dtype=np.uint8)
    except (MemoryError, ValueError):  # ValueError: beyond any address
        return False
    return needed <= min(_available(), _container_limit())


def _available() -> int:
    """Bytes that the system can hand out without swapping."""
    try:
        fields = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return sys.maxsize


def _container_limit() -> int:
    try:
        return int(_CONTAINER_LIMIT.read_text())
    except (OSError, ValueError):  # no container, or "max"
        return sys.maxsize
