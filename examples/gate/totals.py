"""A project that uses vecphe: totals of encrypted columns, and amounts read from text."""

from __future__ import annotations

from vecphe import EncryptedArray


def add_up(columns: list[EncryptedArray]) -> EncryptedArray:
    """The encrypted sum of encrypted columns."""
    total = columns[0]
    for column in columns[1:]:
        total = total + column
    return total


def read_amounts(text: str) -> list[int]:
    """Amounts in cents from lines such as ``12.50``."""
    amounts = []
    for line in text.splitlines():
        whole, _, cents = line.partition(".")
        amounts.append(100 * int(whole) + int(cents))
    return amounts
