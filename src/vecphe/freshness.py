"""Whether the randomizers of an array still hide it once it leaves the process.

Each batch of new randomizers is a `Nonce`. An array made from it is fresh as long as some nonce enters it with
exponent exactly one, no residue stands in it twice, and no array that shares this nonce has left. Everything else
(differences, scalar products, parts of what has left) must be re-randomised on its way out: ``c - c`` and ``c * 0``
are the bare ciphertext 1, and ``(c + x) / c`` shows x to whoever sees both.
"""

from __future__ import annotations

from dataclasses import dataclass

from vecphe.forks import ForkSafeLock, generation

__all__ = ["Freshness", "Nonce"]

_LOCK = ForkSafeLock()


class Nonce:
    """One batch of randomizers, all different; `spent` once an array that depends on it has left the process.

    To a forked child it is spent: the parent has arrays with the same randomizers, and may have sent them.
    """

    __slots__ = ("_generation", "spent")

    def __init__(self) -> None:
        self.spent = False
        self._generation = generation()

    @property
    def usable(self) -> bool:
        """Whether an array may leave that only this batch hides."""
        return not self.spent and self._generation == generation()


@dataclass(frozen=True, slots=True)
class Freshness:
    """The nonces of an array.

    Attributes
    ----------
    single : frozenset of Nonce
        Those that enter with exponent one and cannot have cancelled.
    involved : frozenset of Nonce
        All that enter in whatever way.
    """

    single: frozenset[Nonce] = frozenset()
    involved: frozenset[Nonce] = frozenset()

    @classmethod
    def new(cls) -> Freshness:
        """Of an array just encrypted or re-randomised."""
        nonces = frozenset((Nonce(),))
        return cls(nonces, nonces)

    def added(self, other: Freshness) -> Freshness:
        """Of the sum of two arrays."""
        single = (self.single - other.involved) | (other.single - self.involved)
        return Freshness(single, self.involved | other.involved)

    def spoiled(self) -> Freshness:
        """Of a negative, a product, or anything in which a residue may stand twice."""
        return Freshness(frozenset(), self.involved)

    @property
    def is_fresh(self) -> bool:
        """Whether the array may leave as it is."""
        return any(nonce.usable for nonce in self.single)

    def spend(self) -> bool:
        """Note that the array leaves; return whether it was fresh. Of two arrays that share a nonce only one is."""
        with _LOCK:
            fresh = self.is_fresh
            for nonce in self.involved:
                nonce.spent = True
        return fresh
