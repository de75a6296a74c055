"""Whether the randomizers of an array still hide it once it leaves the process.

Each batch of new randomizers is a `Nonce`. An array made from it is fresh as long as some nonce enters it with
exponent exactly one, no residue stands in it twice, and no array that shares this nonce has left. Everything else
(differences, scalar products, parts of what has left) must be re-randomised on its way out: ``c - c`` and ``c * 0``
are the bare ciphertext 1, and ``(c + x) / c`` shows x to whoever sees both.

A sum of many arrays would name many nonces. Beyond `_EXACT` of them its record merges them into a family (union by
size, as in R. E. Tarjan, "Efficiency of a good but not linear set union algorithm"), of which it only knows how many
enter it with exponent one. A family does not know its members, so that those that nothing else names are freed. What
cannot be told apart any more counts as touched: this can cost a re-randomisation, and never saves one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

from vecphe.system.forks import ForkSafeLock, generation

__all__ = ["Freshness", "Nonce"]

_LOCK = ForkSafeLock()
_EXACT = 16  # nonces a record tells apart


class Nonce:
    """One batch of randomizers, all different, or a family of such batches.

    To a forked child all of its parent's are gone: the parent has arrays with the same randomizers, and may have sent
    them.

    Attributes
    ----------
    is_family : bool
    size : int
        Number of batches.
    lost : int
        At least how many of them arrays depend on that have left the process.
    """

    __slots__ = ("_family", "_generation", "is_family", "lost", "size")

    def __init__(self, *, is_family: bool = False) -> None:
        self.is_family = is_family
        self.size = 0 if is_family else 1
        self.lost = 0
        self._family: Nonce | None = None
        self._generation = generation()

    @property
    def root(self) -> Nonce:
        """The largest family it is part of; itself if there is none."""
        nonce = self
        while nonce._family is not None:
            nonce = nonce._family
        return nonce

    @property
    def gone(self) -> bool:
        """Whether nothing of it can hide an array any more."""
        root = self.root
        return root.lost >= root.size or (self.lost > 0 and not self.is_family) or self._generation != generation()

    def spend(self) -> None:
        """Note that an array that depends on it has left. What an interrupt cuts off has counted too much."""
        root = self.root
        if self.is_family:
            root.lost = root.size
        elif not self.lost:
            if root is not self:
                root.lost += 1
            self.lost = 1

    def join(self, family: Nonce) -> None:
        """Become a part of a family; both must be roots."""
        family.size += self.size
        family.lost += self.lost
        self._family = family


@dataclass(frozen=True, slots=True, eq=False)
class Freshness:
    """The nonces of an array.

    Attributes
    ----------
    singles : mapping of Nonce to int
        All nonces that enter in whatever way, each with at least how many of its batches enter with exponent one
        and cannot have cancelled. No batch counts in two of them.
    """

    singles: Mapping[Nonce, int]

    @classmethod
    def none(cls) -> Freshness:
        """Of an array from outside: whoever made it knows its randomizers."""
        return cls({})

    @classmethod
    def new(cls) -> Freshness:
        """Of an array just encrypted or re-randomised."""
        return cls({Nonce(): 1})

    @classmethod
    def joined(cls, parts: Iterable[Freshness]) -> Freshness:
        """Of an array of the residues of others: they may have left, or share a nonce."""
        return reduce(cls.added, parts, cls.none()).spoiled()

    def _standing(self) -> dict[Nonce, int]:
        """What of it still matters, families by the one they have become."""
        standing: dict[Nonce, int] = {}
        for nonce, count in self.singles.items():
            if not nonce.gone:
                name = nonce.root if nonce.is_family else nonce
                standing[name] = standing.get(name, 0) + count
        return standing

    def added(self, other: Freshness) -> Freshness:
        """Of the sum of two arrays."""
        with _LOCK:
            left, right = self._standing(), other._standing()
            singles = _untouched(left, right) | _untouched(right, left)
            return Freshness(singles if len(singles) <= _EXACT else _merged(singles))

    def spoiled(self) -> Freshness:
        """Of a negative, a product, or anything in which a residue may stand twice."""
        return Freshness(dict.fromkeys(self._standing(), 0))

    @property
    def is_fresh(self) -> bool:
        """Whether the array may leave as it is."""
        return any(count > nonce.lost for nonce, count in self._standing().items())

    def spend(self) -> bool:
        """Note that the array leaves; return whether it was fresh. Of two arrays that share a nonce only one is."""
        with _LOCK:
            fresh = self.is_fresh
            for nonce in self.singles:
                nonce.spend()
        return fresh


def _untouched(mine: dict[Nonce, int], theirs: dict[Nonce, int]) -> dict[Nonce, int]:
    """The counts of one summand, less all that the other may cancel: of a family, one for each member it names."""
    members: dict[Nonce, int] = {}
    for nonce in theirs:
        if (root := nonce.root) is not nonce:
            members[root] = members.get(root, 0) + 1
    return {
        nonce: 0 if nonce in theirs or nonce.root in theirs else max(count - members.get(nonce, 0), 0)
        for nonce, count in mine.items()
    }


def _merged(singles: dict[Nonce, int]) -> dict[Nonce, int]:
    """All but the last of them as one family."""
    names = list(singles)
    older, newer = names[: -(_EXACT // 2)], names[-(_EXACT // 2) :]
    roots = {nonce.root for nonce in older}
    family = max((root for root in roots if root.is_family), key=lambda root: root.size, default=Nonce(is_family=True))
    for root in roots - {family}:
        root.join(family)
    merged = {nonce: singles[nonce] for nonce in newer}
    merged[family] = merged.get(family, 0) + sum(singles[nonce] for nonce in older)
    return merged
