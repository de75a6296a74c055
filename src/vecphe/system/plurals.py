"""Counts in texts that people read."""

from __future__ import annotations

__all__ = ["are", "counted"]


def counted(count: int, noun: str) -> str:
    """Such as "1 core" and "2 cores"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def are(count: int) -> str:
    """The verb of so many: "is" or "are"."""
    return "is" if count == 1 else "are"
