"""Residues mod n^2 as batches: the engine interface, the engines and their selection."""

from vecphe.arithmetic.cancellation import Cancellation
from vecphe.arithmetic.engine import AnyRing, Decryptor, Engine, FixedBase, Ring, Tuning
from vecphe.arithmetic.selection import (
    active_engine,
    available_engines,
    engine_for,
    engine_named,
    engine_or_default,
    race_result,
    ring_of,
    why_not_used,
)
from vecphe.arithmetic.words import (
    Words,
    ciphertext_bytes,
    integers_from_bytes,
    integers_from_words,
    random_words,
    words_from_integers,
)

__all__ = [
    "AnyRing",
    "Cancellation",
    "Decryptor",
    "Engine",
    "FixedBase",
    "Ring",
    "Tuning",
    "Words",
    "active_engine",
    "available_engines",
    "ciphertext_bytes",
    "engine_for",
    "engine_named",
    "engine_or_default",
    "integers_from_bytes",
    "integers_from_words",
    "race_result",
    "random_words",
    "ring_of",
    "why_not_used",
    "words_from_integers",
]
