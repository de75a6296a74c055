"""What an engine computes: batches of residues mod n^2 in a resident form of the engine's own choice.

Conventions shared by every engine:

* A *batch* is an immutable sequence of residues mod n^2. Only the ring that made it may compute with it.
* *Words* are numpy arrays of dtype uint64 and shape (count, width): unsigned little-endian integers.
* A plaintext is given as words ``u`` and one public integer ``offset``; it means ``(u + offset) mod n``.
  The offset carries the sign of a batch (biased digits), so no code branches on the sign of a value.
* ``..._secret`` treats its exponents as secrets, as far as the engine claims constant time (SECURITY.md);
  ``..._vartime`` does not and must only see public exponents.
* Canonical bytes are little-endian and ``Ring.ciphertext_bytes`` wide.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, NoReturn, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic.words import Words, ciphertext_bytes
from vecphe.errors import InvalidCiphertextError

__all__ = ["AnyRing", "Decryptor", "Engine", "FixedBase", "Ring", "Tuning", "engine_name"]

Batch = TypeVar("Batch")


class Ring(ABC, Generic[Batch]):
    """The ring Z/n^2 for odd n, with batched operations.

    Parameters
    ----------
    n : int
        Odd modulus of at least 4 bits. The caller has validated it as a key.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.n_squared = n * n
        self.plaintext_words = (n.bit_length() + 63) // 64
        self.ciphertext_bytes = ciphertext_bytes(n.bit_length())

    @abstractmethod
    def size(self, batch: Batch) -> int:
        """Number of residues in the batch."""

    @abstractmethod
    def resident_bytes(self, batch: Batch) -> int:
        """Memory the batch occupies, in bytes."""

    @abstractmethod
    def load(self, values: Iterable[int]) -> Batch:
        """Make a batch of canonical integers; raise InvalidCiphertextError outside [0, n^2)."""

    @abstractmethod
    def load_bytes(self, data: bytes) -> Batch:
        """Make a batch of concatenated canonical bytes; raise InvalidCiphertextError outside [0, n^2)."""

    def _loaded_as_bytes(self, values: Iterable[int]) -> Batch:
        """`load`, for engines whose batches are made of bytes."""
        width = self.ciphertext_bytes
        try:
            return self.load_bytes(b"".join(int(value).to_bytes(width, "little") for value in values))
        except OverflowError:  # negative, or wider than n^2
            raise InvalidCiphertextError from None

    @abstractmethod
    def store(self, batch: Batch) -> list[int]:
        """Canonical integers in [0, n^2)."""

    @abstractmethod
    def store_bytes(self, batch: Batch) -> bytes:
        """Canonical bytes, concatenated."""

    @abstractmethod
    def ones(self, count: int) -> Batch:
        """The residue 1, `count` times."""

    @abstractmethod
    def take(self, batch: Batch, indices: npt.NDArray[np.intp]) -> Batch:
        """The residues at the given (non-negative) indices."""

    @abstractmethod
    def concatenate(self, batches: Sequence[Batch]) -> Batch:
        """One batch after the other."""

    @abstractmethod
    def all_units(self, batch: Batch) -> bool:
        """Whether every residue is coprime to n (true for an empty batch)."""

    def checked(self, batch: Batch) -> Batch:
        """The batch, which came from outside; raise InvalidCiphertextError unless all of it is in Z*_{n^2}."""
        if not self.all_units(batch):
            raise InvalidCiphertextError
        return batch

    @abstractmethod
    def multiply(self, left: Batch, right: Batch) -> Batch:
        """Element-wise product of two batches of equal size."""

    @abstractmethod
    def multiply_plain(self, batch: Batch, words: Words, offset: int) -> Batch:
        """Element-wise product by 1 + m*n, with m the (secret) plaintexts ``(words + offset) mod n``."""

    @abstractmethod
    def product(self, batch: Batch, outer: int, terms: int, inner: int) -> Batch:
        """Products along the middle axis of a batch of shape (outer, terms, inner), in C order."""

    def grouped_product(self, batch: Batch, keys: npt.NDArray[np.int64], groups: int) -> Batch:
        """Products of the residues with the same key, a number in [0, groups); 1 for a key that none has.

        This way to it sorts, and folds the runs of a key to a fraction of their length until each is of one residue.
        """
        if not len(keys):
            return self.ones(groups)
        order = np.argsort(keys, kind="stable")  # where the residues of the first run are, of the second, ...
        starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
        found, sizes = keys[order[starts]], np.diff(starts, append=len(order))
        runs = np.arange(len(sizes))
        while (longest := int(sizes.max())) > 1:
            terms = _terms_of_fold(sizes, longest)
            folds, rest = np.divmod(sizes, terms)
            place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            whole = place < np.repeat(folds * terms, sizes)
            folded = self.product(self.take(batch, order[whole]), int(folds.sum()), terms, 1)
            batch = self.concatenate([folded, self.take(batch, order[~whole])])
            order = np.argsort(np.concatenate([np.repeat(runs, folds), np.repeat(runs, rest)]), kind="stable")
            sizes = folds + rest
        where = np.full(groups, len(order))  # the 1 that comes last
        where[found] = order
        return self.take(self.concatenate([batch, self.ones(1)]), where)

    @abstractmethod
    def invert(self, batch: Batch) -> Batch:
        """Element-wise inverse; raise InvalidCiphertextError where there is none."""

    @abstractmethod
    def power_vartime(self, batch: Batch, exponents: Sequence[int]) -> Batch:
        """Element-wise power by public, non-negative exponents."""

    @abstractmethod
    def power_secret(self, batch: Batch, exponents: Words) -> Batch:
        """Element-wise power by secret exponents; their width in words is public."""

    @abstractmethod
    def matrix_power_vartime(self, matrix: Sequence[Sequence[int]], batch: Batch) -> Batch:
        """Residue i of the result is the product over j of batch[j] ** matrix[i][j], entries public and >= 0."""

    @abstractmethod
    def fixed_base(self, base: int, bits: int, window: int) -> FixedBase[Batch]:
        """Precompute the powers of a unit `base` for exponents of up to `bits` bits, `window` bits a row."""


def _terms_of_fold(sizes: npt.NDArray[np.intp], longest: int) -> int:
    """The most terms of products that take in three quarters of what is left to multiply, at least 2."""
    least = 3 * sizes[sizes > 1].sum()
    fitting = (terms for terms in (16, 8, 4) if terms <= longest and 4 * (sizes // terms * terms).sum() >= least)
    return next(fitting, 2)


class FixedBase(ABC, Generic[Batch]):
    """Table of powers of one base."""

    window: int
    table_bytes: int

    def __reduce__(self) -> NoReturn:
        raise TypeError("a table of a randomizer base refuses to be pickled: the base never leaves its process")

    @abstractmethod
    def power_secret(self, exponents: Words) -> Batch:
        """The base to each of the secret exponents, which must fit the `bits` the table was made for."""


class Decryptor(ABC):
    """Private side of a key: discrete logarithms of ciphertexts by CRT. It holds the primes, in whatever form."""

    def __copy__(self) -> Decryptor:
        return self

    def __deepcopy__(self, memo: Any) -> Decryptor:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a decryptor refuses to be pickled: it holds a private key; to store that, use its save(path)")

    @abstractmethod
    def decrypt(self, ring: AnyRing, batch: Any, offset: int) -> Words:
        """``(m + offset) mod n`` for each ciphertext, shape (count, ring.plaintext_words).

        Raises
        ------
        InvalidCiphertextError
            Where a residue is not a unit, or a fault was detected.
        """


@dataclass(frozen=True)
class Tuning:
    """Sizes at which an engine is fastest. They change how long something takes, never what comes out.

    Attributes
    ----------
    workers : {"threads", "processes"}
        What ``n_jobs`` hints at: threads if the engine releases the GIL.
    encrypt_task, decrypt_task : int
        Fewest ciphertexts worth a task for a worker.
    multiply_task : int
        Fewest products of residues worth a task, for sums and matrices.
    carry_products : int
        Fewest products that each residue must enter to be worth carrying to another process and back.
    entry_cost : float
        Time to build one entry of a fixed-base table, in units of one step of a fixed-base power.
    min_window, max_window : int
        Smallest and largest window (bits a row) worth their memory.
    table_memory : int
        How many times the memory that others spend on a table at most.
    full_batch : int
        How many randomizers at once fill the engine: more of them cost no less each.
    """

    workers: Literal["threads", "processes"]
    encrypt_task: int
    decrypt_task: int
    multiply_task: int
    carry_products: int
    entry_cost: float
    min_window: int
    max_window: int
    table_memory: int = 1
    full_batch: int = 1


class Engine(ABC):
    """One way to compute: a factory of rings and decryptors.

    Attributes
    ----------
    name : str
        What VECPHE_ENGINE calls it.
    tuning : Tuning
        Where it is fastest.
    max_key_length : int
        Longest n it computes with, in bits.
    """

    name: str
    tuning: Tuning
    max_key_length: int

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Target, lanes, version: for ``vecphe info``."""

    def counts(self) -> dict[str, int]:
        """What the engine's kernels did in this process so far, by name; empty where nothing counts."""
        return {}

    def known_answers(self) -> bool:
        """Whether what is particular to this engine computes right; part of the self-test."""
        return True

    @abstractmethod
    def ring(self, n: int) -> AnyRing:
        """The ring Z/n^2."""

    @abstractmethod
    def decryptor(self, p: int, q: int) -> Decryptor:
        """The decryptor of the key n = p*q (p != q odd primes, gcd(n, (p-1)(q-1)) = 1)."""


AnyRing: TypeAlias = Ring[Any]


def engine_name(target: str) -> str:
    """What VECPHE_ENGINE calls the engine on a target of the native module."""
    return "ifma" if target == "ifma512" else target
