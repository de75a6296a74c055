"""An array of ciphertexts as data: what it is, how it leaves the process and how it comes back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from vecphe.arithmetic import AnyRing
from vecphe.array.functions import check_room
from vecphe.numbers.context import KeyContext
from vecphe.plaintext.encoding import FixedPoint
from vecphe.plaintext.format import Format
from vecphe.plaintext.packing import SlotLayout
from vecphe.randomness.freshness import Freshness
from vecphe.randomness.randomizers import RandomizerSource
from vecphe.randomness.ready import ReadyRandomizers
from vecphe.serialization import (
    ArrayStream,
    array_from_frame,
    check_storable,
    frame_from_json,
    json_from_frame,
    pieces_of_array,
    read_frame,
    save_frame,
)
from vecphe.system.files import PathLike
from vecphe.system.parallel import joined, part_of
from vecphe.system.plurals import counted

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ArrayData", "ArrayKey", "ciphertexts_at_once"]

_BYTES_AT_ONCE = 1 << 20  # of ciphertexts that go to a file or socket, or come from there

_MISSING: Any = object()  # an argument that was left away


def ciphertexts_at_once(ring: AnyRing) -> int:
    """How many ciphertexts a piece of a stream has."""
    return max(_BYTES_AT_ONCE // ring.ciphertext_bytes, 1)


class ArrayKey:
    """A public key as its arrays know it: what they are computed with, and randomizers for those that leave."""

    _context: KeyContext
    _source: RandomizerSource
    _ready: ReadyRandomizers


class ArrayData:
    """Ciphertexts of one key and one encoding in a shape, without the arithmetic: the base of EncryptedArray."""

    __slots__ = ("__weakref__", "_exported", "_format", "_freshness", "_key", "_residues", "_shape")

    def __new__(cls, *parts: Any) -> Self:
        """Refuse what users may try, before the call fails for want of arguments they need not know."""
        if not parts or not isinstance(parts[0], ArrayKey):
            raise TypeError(f"{cls.__name__} is not called: public_key.encrypt(x) makes one of numbers")
        return super().__new__(cls)

    def __init__(
        self,
        key: ArrayKey,
        residues: Any,
        shape: tuple[int, ...],
        format: Format,
        freshness: Freshness,
    ) -> None:
        self._key, self._residues, self._shape = key, residues, shape
        self._format, self._freshness, self._exported = format, freshness, False

    # What it is ------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the plaintext array."""
        return self._shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self._shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What decryption gives: int64 (object where one is too wide for that) or float64."""
        return np.dtype(np.int64 if self._format.integer else np.float64)

    @property
    def public_key(self) -> Any:
        """The PublicKey that the array was encrypted with."""
        return self._key

    @property
    def packed(self) -> bool:
        """Whether a ciphertext holds several values."""
        return self._format.layout is not None

    @property
    def encoding(self) -> FixedPoint:
        """How the values were encoded."""
        return self._format.encoding

    @property
    def layout(self) -> SlotLayout | None:
        """The slots of a packed array."""
        return self._format.layout

    @property
    def format(self) -> Format:
        """Encoding, scale, bound and layout."""
        return self._format

    @property
    def bound(self) -> int:
        """Public bound on the magnitude of the integer in every slot."""
        return self._format.bound

    @property
    def terms(self) -> int:
        """How many encryptions were summed; an honest sum of `terms` has ``bound == terms * encoding.unit``."""
        return self._format.terms

    @property
    def fingerprint(self) -> str:
        """Key id: which public key the array belongs to."""
        return self._key._context.numbers.fingerprint

    @property
    def n_ciphertexts(self) -> int:
        """Number of ciphertexts."""
        return self._ring.size(self._residues)

    @property
    def nbytes(self) -> int:
        """Memory of the resident ciphertexts, in bytes."""
        return self._ring.resident_bytes(self._residues)

    @property
    def nbytes_canonical(self) -> int:
        """Size of the ciphertexts once they leave the process, in bytes."""
        return self.n_ciphertexts * self._ring.ciphertext_bytes

    @property
    def residues(self) -> Any:
        """The batch of residues mod n^2, in the engine's resident form (for the key holder and for other rooms)."""
        return self._residues

    @property
    def _ring(self) -> AnyRing:
        return self._key._context.ring

    def _under(self, key: ArrayKey) -> Self:
        """The same values and randomizers in the form of another engine that a key of the same number computes on."""
        context = key._context
        if context.ring is self._ring:
            return self
        moved = context.taken(self._residues, self._key._context)
        return type(self)(key, moved, self._shape, self._format, self._freshness)

    def __repr__(self) -> str:
        if not hasattr(self, "_exported"):  # the last to be set
            return f"{type(self).__name__}(nothing yet)"
        form = "packed, " if self.packed else ""
        ciphertexts = counted(self.n_ciphertexts, "ciphertext")
        return f"EncryptedArray(shape={self._shape}, {form}{ciphertexts}, key {self.fingerprint[:8]})"

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of an unsized (0-d) array")
        return self._shape[0]

    # Leaving the process ---------------------------------------------------------------------------------------

    @property
    def is_fresh(self) -> bool:
        """Whether the ciphertexts may leave the process as they are."""
        return self._exported or self._freshness.is_fresh

    def _outgoing(self, rerandomize: bool, n_jobs: int | None = None) -> Any:
        """The residues to send: these, or a re-randomised copy where they are not fresh and it is wanted."""
        fresh = self._exported or self._freshness.spend()
        if rerandomize and not fresh:
            return self._key._source.rerandomize(self._residues, n_jobs, self._key._ready)
        self._exported = fresh  # what left as it was at the caller's wish is still not fresh
        return self._residues

    def ciphertexts(self, *, rerandomize: bool = True) -> list[int]:
        """Canonical integers in [1, n^2), one a ciphertext, for use outside this process.

        Parameters
        ----------
        rerandomize : bool
            Give a re-randomised copy where the array is not fresh: differences, scalar products and parts of what
            has already left would show relations between plaintexts. The array itself stays as it is.
        """
        return self._ring.store(self._outgoing(rerandomize))

    def to_bytes(self, *, rerandomize: bool = True) -> bytes:
        """The binary form of docs/format.md: the ciphertexts, at most 128 bytes, and 8 bytes a dimension.

        Parameters
        ----------
        rerandomize : bool
            As in `ciphertexts`.

        Raises
        ------
        SerializationError
            If the form has no room for what was done to the array: a scale of more than 2^20 fraction bits, 2^64
            terms, more than 32 dimensions, a max_abs whose odd part has more than 128 bits, an empty shape whose
            other lengths multiply to more than 2^16.
        """
        return self._frame(rerandomize)

    def _frame(self, rerandomize: bool, n_jobs: int | None = None) -> bytes:
        return b"".join(self._pieces(rerandomize, self.n_ciphertexts, n_jobs))

    def iter_bytes(self, *, rerandomize: bool = True) -> Iterator[bytes]:
        """The bytes of `to_bytes` in pieces of about a megabyte, for a file or socket: none but one is in memory.

        Parameters
        ----------
        rerandomize : bool
            As in `ciphertexts`. What is not fresh is re-randomised as a whole, before the first piece.

        Raises
        ------
        SerializationError
            As `to_bytes`, before the first piece.

        Examples
        --------
        >>> import vecphe
        >>> public_key, private_key = vecphe.generate_keypair(2048)
        >>> pieces = public_key.encrypt([1, 2]).iter_bytes()
        >>> private_key.decrypt(vecphe.EncryptedArray.from_chunks(public_key, pieces))
        array([1, 2])
        """
        return self._pieces(rerandomize, ciphertexts_at_once(self._ring))

    def _pieces(self, rerandomize: bool, count: int, n_jobs: int | None = None) -> Iterator[bytes]:
        numbers, ring = self._key._context.numbers, self._ring
        check_storable(numbers, self._shape, self._format)  # before any freshness is spent
        outgoing = self._outgoing(rerandomize, n_jobs)
        edges = range(0, ring.size(outgoing), max(count, 1))
        parts = (part_of(ring, outgoing, i, min(i + count, ring.size(outgoing))) for i in edges)
        return pieces_of_array(numbers, self._shape, self._format, map(ring.store_bytes, parts))

    def to_json(self, *, rerandomize: bool = True) -> str:
        """The JSON form of docs/format.md; as `to_bytes`, half as long again."""
        return json_from_frame(self.to_bytes(rerandomize=rerandomize))

    def save(self, path: PathLike, *, rerandomize: bool = True, force: bool = False) -> None:
        """Write the array to a file, whole or not at all: as JSON if the name ends in ``.json``, else in binary.

        Parameters
        ----------
        path : str or path
        rerandomize : bool
            As in `ciphertexts`.
        force : bool
            Replace a file that exists.

        Raises
        ------
        FileExistsError
            If there is a file and not `force`.
        OSError
            If it cannot be written; what was there before stays.
        """
        save_frame(path, lambda: self.to_bytes(rerandomize=rerandomize), force=force)

    # Coming back -----------------------------------------------------------------------------------------------

    @classmethod
    def from_bytes(cls, public_key: ArrayKey, data: bytes = _MISSING) -> Self:
        """An array of the binary form, everything checked; see `to_bytes`.

        Parameters
        ----------
        public_key : PublicKey
            The key that the array was encrypted with.
        data : bytes

        Raises
        ------
        SerializationError
            If the data is not in this form.
        KeyMismatchError
            If the array belongs to another key.
        InvalidCiphertextError
            With the same text whatever is wrong with a ciphertext.
        PlaintextOverflowError
            If it claims a bound or terms beyond the range.
        """
        return cls._restored(_checked_key(public_key, data, "from_bytes(public_key, data)"), data)

    @classmethod
    def from_chunks(cls, public_key: ArrayKey, chunks: Iterable[bytes] | BinaryIO = _MISSING) -> Self:
        """An array of the binary form that comes in pieces; as `from_bytes`, without all bytes in memory at once.

        Parameters
        ----------
        public_key : PublicKey
        chunks : iterable of bytes, or binary file
            Pieces of any length, such as `iter_bytes` gives or a socket receives, to the end of the array: there is
            nothing after it.

        Raises
        ------
        TypeError
            If the chunks are no bytes.
        BatchTooLargeError
            If the header promises more than fits into memory, by an estimate made before the ciphertexts are read.
        SerializationError, KeyMismatchError, InvalidCiphertextError, PlaintextOverflowError
            As in `from_bytes`, as soon as it shows; a wrong checksum shows last.
        """
        key = _checked_key(public_key, chunks, "from_chunks(public_key, chunks)")
        ring, stream = key._context.ring, ArrayStream(key._context.numbers, chunks)
        check_room(ring, stream.n_ciphertexts)
        parts = [ring.checked(ring.load_bytes(part)) for part in stream.ciphertexts(ciphertexts_at_once(ring))]
        return cls(key, joined(ring, parts or [ring.ones(0)]), stream.shape, stream.format, Freshness.none())

    @classmethod
    def from_json(cls, public_key: ArrayKey, text: str = _MISSING) -> Self:
        """An array of the JSON form; as `from_bytes`."""
        key = _checked_key(public_key, text, "from_json(public_key, text)")
        return cls._restored(key, frame_from_json(text))

    @classmethod
    def load(cls, public_key: ArrayKey, path: PathLike = _MISSING) -> Self:
        """An array from a file that `save` wrote, in either form; as `from_bytes`, and OSError."""
        key = _checked_key(public_key, path, "load(public_key, path)")
        return cls._restored(key, read_frame(path))

    @classmethod
    def _restored(cls, key: ArrayKey, data: bytes) -> Self:
        numbers, ring = key._context.numbers, key._context.ring
        shape, format, ciphertexts = array_from_frame(numbers, data)
        residues = ring.checked(ring.load_bytes(ciphertexts))
        return cls(key, residues, shape, format, Freshness.none())

    def __reduce__(self) -> tuple[Any, ...]:
        # joblib pickles while it hands out tasks of its own: nothing is dispatched meanwhile.
        return type(self)._restored, (self._key, self._frame(True, n_jobs=1))

    def __copy__(self) -> Self:
        copied = type(self)(self._key, self._residues, self._shape, self._format, self._freshness)
        copied._exported = self._exported
        return copied

    def __deepcopy__(self, memo: Any) -> Self:
        return self.__copy__()  # what it refers to is never changed, or is shared on purpose


def _checked_key(public_key: Any, rest: Any, call: str) -> ArrayKey:
    """The public key, which users forget to give."""
    if not isinstance(public_key, ArrayKey):
        raise TypeError(f"public_key must be a PublicKey, not {type(public_key).__name__}: write EncryptedArray.{call}")
    if rest is _MISSING:
        raise TypeError(f"what to read is missing: write EncryptedArray.{call}")
    return public_key
