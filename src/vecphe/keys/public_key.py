"""Public keys: who can encrypt."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import Engine, active_engine, engine_or_default
from vecphe.array import EncryptedArray, EncryptedArrays
from vecphe.array.data import ArrayKey
from vecphe.array.functions import check_room, checked_count
from vecphe.errors import (
    BatchTooLargeError,
    InvalidCiphertextError,
    LayoutMismatchError,
)
from vecphe.keys.chunks import EncryptedChunks, aligned_values, rows_at_once
from vecphe.numbers.context import KeyContext
from vecphe.numbers.key_numbers import (
    PublicNumbers,
    check_public_number,
)
from vecphe.plaintext.encoding import FixedPoint, as_plain_array
from vecphe.plaintext.format import Format, Packing, checked_encoding, format_for, is_sprawling, slots_for
from vecphe.plaintext.structure import Structure, in_a_row
from vecphe.randomness.freshness import Freshness
from vecphe.randomness.randomizers import RandomizerScheme, RandomizerSource
from vecphe.randomness.ready import BackgroundFilling, ReadyRandomizers
from vecphe.serialization import (
    KEY_FILE_BYTES,
    frame_from_json,
    frame_of_public_key,
    json_from_frame,
    pieces_of_array,
    public_number_from_frame,
    read_frame,
    save_frame,
)
from vecphe.serialization.jwk import jwk_text, parse_public_jwk, public_jwk
from vecphe.system.files import PathLike
from vecphe.system.memory import check_memory
from vecphe.system.parallel import check_jobs
from vecphe.system.plurals import counted

__all__ = ["PublicKey", "phe_attribute"]

_CIPHERTEXTS_AT_ONCE = 1 << 13  # of an array that is encrypted part by part: 4 MB of 2048 bits


class PublicKey(ArrayKey):
    """Encrypts.

    Parameters
    ----------
    n : int
        Modulus, from a key holder one trusts: it is checked for what can be checked without its factors.
    insecure : bool
        Accept (and warn about) fewer than 2048 bits, down to 256.
    randomizers : {"djn", "djn-short", "textbook"}
        Where ciphertexts get their randomness from; see `vecphe.randomness.randomizers`.
    engine : str, optional
        Name of the engine that computes with the key and its arrays, as ``vecphe info`` lists them. By default the
        one that VECPHE_ENGINE names, else the fastest that runs here; gmp for an n that is too long for it.

    Raises
    ------
    InvalidKeyError
    EngineUnavailableError
        If there is no such engine, or it does not run here or with this n.

    Notes
    -----
    The engine changes how long something takes and never what comes out: keys of one n are equal whatever computes
    with them, their arrays can be combined and are computed with on the engine of the left one, and no file names an
    engine. A pickle does where `engine` was given: on a machine where that one does not run, the default takes over,
    with an EngineFallbackWarning.

    Examples
    --------
    >>> from vecphe import PublicKey, generate_keypair
    >>> public_key, private_key = generate_keypair(2048)
    >>> same = PublicKey(public_key.n)  # the modulus is the whole key
    >>> private_key.decrypt(same.encrypt([1, 2]) + public_key.encrypt([10, 20]))
    array([11, 22])
    """

    def __init__(
        self, n: int, *, insecure: bool = False, randomizers: RandomizerScheme = "djn", engine: str | None = None
    ) -> None:
        numbers = check_public_number(n, insecure=insecure)
        self._adopt(KeyContext.on(numbers, engine), randomizers, engine)

    def _adopt(self, context: KeyContext, randomizers: RandomizerScheme, engine: str | None) -> None:
        self._context = context
        self._engine = engine
        self._source = RandomizerSource(context, randomizers)
        self._ready = ReadyRandomizers(context.ring)

    @classmethod
    def _from_numbers(
        cls, numbers: PublicNumbers, randomizers: RandomizerScheme = "djn", engine: str | None = None
    ) -> PublicKey:
        """Without the key rules: for keys made here, and for tests on toy keys."""
        key = cls.__new__(cls)
        key._adopt(KeyContext.on(numbers, engine), randomizers, engine)
        return key

    @classmethod
    def from_jwk(
        cls, key: str | bytes | dict[str, Any], *, insecure: bool = False, engine: str | None = None
    ) -> PublicKey:
        """A key from its JSON Web Key, as JSON text (what ``pheutil extract`` writes) or the dict of it.

        Raises
        ------
        SerializationError
            If it is malformed.
        InvalidKeyError
            If it is another kind of key, or its number is refused.
        """
        return cls(parse_public_jwk(key), insecure=insecure, engine=engine)

    def to_jwk(self, kid: str | None = None) -> str:
        """JSON Web Key as one line of JSON, as phe's command line writes it; `kid` is a comment that names it."""
        return jwk_text(public_jwk(self.n, kid))

    @classmethod
    def from_phe(cls, key: Any, *, insecure: bool = False, engine: str | None = None) -> PublicKey:
        """A key from phe's `PaillierPublicKey`, or whatever has its ``n``; checked as any other."""
        return cls(phe_attribute(key, "n", "PaillierPublicKey"), insecure=insecure, engine=engine)

    def to_phe(self, module: Any) -> Any:
        """The same key as a `PaillierPublicKey` of `module`: ``phe`` or ``vecphe.phe``."""
        return phe_attribute(module, "PaillierPublicKey", "module such as phe")(self.n)

    @property
    def _numbers(self) -> PublicNumbers:
        return self._context.numbers

    @property
    def n(self) -> int:
        """The modulus."""
        return self._numbers.n

    @property
    def key_length(self) -> int:
        """Length of n in bits."""
        return self._numbers.n.bit_length()

    @property
    def fingerprint(self) -> str:
        """Key id: 32 hexadecimal digits."""
        return self._numbers.fingerprint

    @property
    def randomizers(self) -> RandomizerScheme:
        """The randomizer scheme."""
        return self._source.scheme

    @property
    def engine(self) -> str:
        """Name of the engine that computes."""
        return self._context.engine.name

    @property
    def table_bytes(self) -> int:
        """Memory of the fixed-base table as it is now, in bytes."""
        return self._source.table_bytes

    def __repr__(self) -> str:
        if not hasattr(self, "_context"):
            return "PublicKey(no number yet)"
        return f"PublicKey({self.key_length} bits, fingerprint={self.fingerprint})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.n == other.n

    def __hash__(self) -> int:
        return hash(self._numbers)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored_public_key, (self.n, self.randomizers, self._engine)

    def __copy__(self) -> PublicKey:
        return self  # nothing changes a key

    def __deepcopy__(self, memo: Any) -> PublicKey:
        return self

    def to_bytes(self) -> bytes:
        """The binary form of docs/format.md."""
        return frame_of_public_key(self._numbers)

    def to_json(self) -> str:
        """The JSON form of docs/format.md."""
        return json_from_frame(self.to_bytes())

    def save(self, path: PathLike, *, force: bool = False) -> None:
        """Write the key to a file, whole or not at all: as JSON if the name ends in ``.json``, else in binary.

        Parameters
        ----------
        path : str or path
        force : bool
            Replace a file that exists.

        Raises
        ------
        FileExistsError
            If there is a file and not `force`.
        OSError
            If it cannot be written; what was there before stays.
        """
        save_frame(path, self.to_bytes, force=force)

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        *,
        insecure: bool = False,
        randomizers: RandomizerScheme = "djn",
        engine: str | None = None,
    ) -> PublicKey:
        """A key of the binary form, validated as in `PublicKey`; the form holds neither `randomizers` nor `engine`.

        Raises
        ------
        SerializationError
            If the data is not in this form.
        InvalidKeyError
        """
        return cls(public_number_from_frame(data), insecure=insecure, randomizers=randomizers, engine=engine)

    @classmethod
    def from_json(
        cls,
        text: str,
        *,
        insecure: bool = False,
        randomizers: RandomizerScheme = "djn",
        engine: str | None = None,
    ) -> PublicKey:
        """A key of the JSON form; as `from_bytes`."""
        return cls.from_bytes(frame_from_json(text), insecure=insecure, randomizers=randomizers, engine=engine)

    @classmethod
    def load(
        cls,
        path: PathLike,
        *,
        insecure: bool = False,
        randomizers: RandomizerScheme = "djn",
        engine: str | None = None,
    ) -> PublicKey:
        """A key from a file that `save` wrote, in either form; as `from_bytes`, and OSError."""
        frame = read_frame(path, KEY_FILE_BYTES)
        return cls.from_bytes(frame, insecure=insecure, randomizers=randomizers, engine=engine)

    def prepare(self, count: int) -> None:
        """Build the tables that `count` encryptions to come pay for (else the first ones do)."""
        self._source.prepare(count)

    @property
    def ready_randomizers(self) -> int:
        """How many randomizers are made ahead and not used yet."""
        return len(self._ready)

    def precompute(self, count: int, *, n_jobs: int | None = None) -> None:
        """Make randomizers now, for encryptions to come.

        While there are some ready, encrypting with this object, and what re-randomises an array of it, takes one
        product a ciphertext and fewer. Each is used once and in this process alone: none is pickled, copied with the
        key or saved, and a forked child has none of them. Ready randomizers are as secret as the plaintexts that they
        will hide.

        Parameters
        ----------
        count : int
            How many, besides those that are ready. An error or interrupt adds none of them.
        n_jobs : int, optional
            As in `encrypt`.

        Raises
        ------
        TypeError, ValueError
            If `count` is not an int, or negative.
        BatchTooLargeError
            If they would not fit into memory, by an estimate.
        """
        count = checked_count("count", count, 0)
        check_jobs(n_jobs)
        check_room(self._context.ring, count)
        self._make_ready(count, self._ready, n_jobs)

    def _make_ready(self, count: int, ready: ReadyRandomizers, n_jobs: int | None = None) -> None:
        if count:
            ready.add(*self._source.drawn(count, n_jobs))

    @contextmanager
    def background_randomizers(self, target: int) -> Iterator[None]:
        """Keep up to `target` randomizers ready while the body of the ``with`` statement runs, in a thread.

        It pays where the body waits, for the network or a disk, and on a second core where the engine releases the
        GIL, as the native ones do. Randomizers that are left at the end stay ready; otherwise as `precompute`.

        Parameters
        ----------
        target : int

        Raises
        ------
        TypeError, ValueError
            If `target` is not an int, or not positive.
        BatchTooLargeError
            If so many would not fit into memory, by an estimate.
        """
        target = checked_count("target", target, 1)
        check_room(self._context.ring, target)
        self._source.prepare(target)
        filling = BackgroundFilling(self._ready, self._source.draw, target, self._context.engine.tuning.full_batch)
        try:
            yield
        finally:
            filling.stop()

    def encrypt(
        self,
        x: npt.ArrayLike,
        *,
        packed: Packing = False,
        encoding: FixedPoint | None = None,
        n_jobs: int | None = None,
    ) -> EncryptedArray:
        """Encrypt real numbers.

        Parameters
        ----------
        x : array_like of real numbers
            Any shape; floats up to 64 bits, integers and booleans.
        packed : bool or "rows"
            Several values a ciphertext: fewer, but no products, sums or indexing inside. With "rows" each row, all
            values of one index of the first axis, has a ciphertext of its own, and `vecphe.group_sum` sums rows.
        encoding : FixedPoint, optional
            Default: exact for floats from 2^-60 to 2^64 and for all integers unpacked, 40 fraction bits and
            magnitudes up to 2^15 (for integers: up to 2^55) packed.
        n_jobs : int, optional
            As in joblib: None is what ``joblib.parallel_config`` says, else 1; -1 all cores.

        Returns
        -------
        EncryptedArray
            Of the shape of `x`, one value a ciphertext unless `packed`.

        Raises
        ------
        TypeError
            For complex, object, string and masked arrays.
        InvalidPlaintextError
            For NaN and infinity.
        PlaintextOverflowError
            For magnitudes beyond ``encoding.max_abs``, and encodings that do not fit the key.
        LayoutMismatchError
            If not one slot, or not a whole row where these are packed, fits a ciphertext.
        BatchTooLargeError
            If the ciphertexts would not fit into memory, by an estimate made before the work.
        """
        return self._encrypt(x, packed, encoding, n_jobs, self._ready)

    def encrypt_many(
        self,
        arrays: Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike],
        *,
        encoding: FixedPoint | None = None,
        n_jobs: int | None = None,
    ) -> EncryptedArrays:
        """Encrypt several arrays as one packed run: a model's layers, such as a ``state_dict``.

        Parameters
        ----------
        arrays : list, tuple or dict of array_like
            Of any shapes: arrays, or whatever numpy.asarray makes one of, as tensors of torch. The keys of a dict are
            text, and public.
        encoding : FixedPoint, optional
            For all numbers; by default as in `encrypt`. If one of the arrays has fractions, all decrypt to floats.
        n_jobs : int, optional
            As in `encrypt`.

        Returns
        -------
        EncryptedArrays
            Which `PrivateKey.decrypt_many` decrypts.

        Raises
        ------
        TypeError, InvalidPlaintextError, PlaintextOverflowError, LayoutMismatchError, BatchTooLargeError
            As in `encrypt`; where an array is at fault the message names it.
        ValueError
            If there are no arrays.

        Examples
        --------
        >>> import vecphe
        >>> public_key, private_key = vecphe.generate_keypair(2048)
        >>> private_key.decrypt_many(public_key.encrypt_many([[[1.5, 2.0]], 3.0]))
        [array([[1.5, 2. ]]), array(3.)]
        """
        structure, taken = Structure.taken_apart(arrays)
        row = in_a_row(taken)
        checked = checked_encoding(encoding, packed=True, integer=row.dtype.kind != "f")
        for name, array in taken.items():
            checked._check_range(array, name)
        taken.clear()
        return EncryptedArrays(self._encrypt(row, True, checked, n_jobs, self._ready), structure)

    def encrypt_chunks(
        self,
        array: npt.ArrayLike,
        *,
        chunk: int | None = None,
        packed: Packing = False,
        encoding: FixedPoint | None = None,
        n_jobs: int | None = None,
    ) -> EncryptedChunks:
        """Encrypt an array part by part, with the memory of a part.

        Parameters
        ----------
        array : array_like of real numbers
            As in `encrypt`; ``numpy.load(path, mmap_mode="r")`` reads a .npy file part by part, too. What is changed
            in it meanwhile may or may not be encrypted.
        chunk : int, optional
            Rows in a part, along the first axis; by default as many as make about 8192 ciphertexts.
        packed, encoding, n_jobs
            As in `encrypt`.

        Returns
        -------
        EncryptedChunks
            An iterator over the encrypted parts, which can also write the whole to a file or socket.

        Raises
        ------
        TypeError, ValueError, LayoutMismatchError, PlaintextOverflowError
            As in `encrypt`; for what is wrong with values when their part is asked for.
        """
        values = array if isinstance(array, np.ndarray) and array.dtype.kind in "biuf" else as_plain_array(array)
        check_jobs(n_jobs)
        kind = as_plain_array(values[:0] if values.ndim else values).dtype.kind
        values = np.asarray(values)  # a numpy.matrix does not flatten; what is mapped stays so
        format = self._format_of(values.shape, kind != "f", packed, encoding)
        slots = format.layout.slots if format.layout else 1
        if chunk is None:
            rows = rows_at_once(values.shape, _CIPHERTEXTS_AT_ONCE * slots)
            aligned = _CIPHERTEXTS_AT_ONCE * slots
        else:
            rows = checked_count("chunk", chunk, 1)
            aligned = aligned_values(rows * math.prod(values.shape[1:]), slots)

        def encrypted(part: npt.NDArray[Any], name: str) -> EncryptedArray:
            return self._encrypt(part, packed, format.encoding, n_jobs, self._ready, name)

        def ciphertexts(part: npt.NDArray[Any], name: str) -> bytes:
            words, offset = format.plaintexts(format.encoding.encode(as_plain_array(part, name), name))
            return self._context.ring.store_bytes(self._source.encrypt(words, offset, n_jobs, self._ready))

        framed = partial(pieces_of_array, self._numbers, values.shape, format)
        return EncryptedChunks(values, rows, aligned, encrypted, ciphertexts, framed)

    def _format_of(self, shape: tuple[int, ...], integer: bool, packed: Packing, encoding: FixedPoint | None) -> Format:
        encoding = checked_encoding(encoding, packed=bool(packed), integer=integer)
        return format_for(self.n, encoding, packed, integer, 1, slots_for(packed, shape))

    def _encrypt(
        self,
        x: npt.ArrayLike,
        packed: Packing,
        encoding: FixedPoint | None,
        n_jobs: int | None,
        ready: ReadyRandomizers,
        name: str = "x",
    ) -> EncryptedArray:
        """Encrypt under randomizers that are ready as far as they go."""
        try:
            values = as_plain_array(x, name)
            format = self._format_of(values.shape, values.dtype.kind != "f", packed, encoding)
            self._check_memory(values.size, format, packed)
            words, offset = format.plaintexts(format.encoding.encode(values, name))
            shape = values.shape
            del values  # words take over
            residues = self._source.encrypt(words, offset, n_jobs, ready)
        except BatchTooLargeError:
            raise
        except MemoryError:
            raise BatchTooLargeError(f"there is no memory to encrypt so much at once; {_in_parts(packed)}") from None
        return EncryptedArray(self, residues, shape, format, Freshness.new())

    def _check_memory(self, count: int, format: Format, packed: Packing) -> None:
        """Refuse at once what would fail, or have the process killed, after minutes."""
        ciphertexts = format.n_ciphertexts(count) * self._context.ring.ciphertext_bytes
        words = count * (format.encoding.unit.bit_length() // 64 + 1) * 8
        # Resident ciphertexts take up to a quarter more than canonical ones, and twice that while they are joined.
        needed = ciphertexts * 5 // 2 + words * (2 if format.layout else 1)
        check_memory(needed, f"encrypting {count} values", _in_parts(packed))

    def from_ciphertexts(
        self,
        ciphertexts: Iterable[int],
        *,
        shape: tuple[int, ...] | None = None,
        encoding: FixedPoint | None = None,
        packed: Packing = False,
        integer: bool = False,
        terms: int = 1,
    ) -> EncryptedArray:
        """An array of ciphertexts from outside, every one checked to be in Z*_{n^2}.

        Parameters
        ----------
        ciphertexts : iterable of int
            In the order in which ``EncryptedArray.ciphertexts`` gives them.
        shape : tuple of int, optional
            Shape of the plaintexts; default one value a ciphertext in one dimension.
        encoding : FixedPoint, optional
            How the values were encoded; the defaults are those of `encrypt`.
        packed : bool or "rows"
        integer : bool
            As they were when encrypted.
        terms : int
            How many encoded values each slot sums at most.

        Raises
        ------
        TypeError
            For bytes, strings, arrays and what is no iterable.
        InvalidCiphertextError
            With the same text whatever is wrong with a ciphertext.
        LayoutMismatchError
            If the number of ciphertexts does not fit the shape, or the shape of an empty array is too large.
        BatchTooLargeError
            If there is no memory for them, by an estimate.
        """
        # Bytes iterate as small integers, which are valid ciphertexts of something.
        if isinstance(ciphertexts, (str, bytes, bytearray, memoryview, np.ndarray)) or not isinstance(
            ciphertexts, Iterable
        ):
            raise TypeError(f"ciphertexts must be an iterable of int, not {type(ciphertexts).__name__}")
        values = list(ciphertexts)
        if any(isinstance(value, bool) or not isinstance(value, int) for value in values):
            raise InvalidCiphertextError
        if isinstance(terms, bool) or not isinstance(terms, int) or terms < 1:
            raise ValueError(f"terms must be a positive int, not {terms!r}")
        encoding = checked_encoding(encoding, packed=bool(packed), integer=integer)
        if shape is not None and not (
            isinstance(shape, tuple) and all(type(length) is int and length >= 0 for length in shape)
        ):
            raise LayoutMismatchError(f"shape must be a tuple of non-negative ints, not {shape!r}")
        slots = slots_for(packed, (1,) if shape is None else shape)
        format = format_for(self.n, encoding, packed, integer, terms, slots)
        if shape is None:
            shape = (len(values) * (format.layout.slots if format.layout else 1),)
        if is_sprawling(shape):
            raise LayoutMismatchError("shape is too large for an empty array: its other lengths multiply to over 2^16")
        if len(values) != format.n_ciphertexts(math.prod(shape)):
            raise LayoutMismatchError(f"{counted(len(values), 'ciphertext')} cannot hold an array of shape {shape}")
        ring = self._context.ring
        check_room(ring, len(values))
        residues = ring.checked(ring.load(values))
        return EncryptedArray(self, residues, tuple(shape), format, Freshness.none())


def _in_parts(packed: Packing) -> str:
    """What to do where a batch is too large."""
    option = f", packed={packed!r}" if packed else ""
    return ("" if packed else "use packed=True, or ") + (
        f"encrypt it part by part into a file: public_key.encrypt_chunks(x{option}).save('x.enc')"
    )


def phe_attribute(value: Any, name: str, kind: str) -> Any:
    """An attribute of what should be shaped like phe's classes."""
    try:
        return getattr(value, name)
    except AttributeError:
        raise TypeError(f"{type(value).__name__} is not a {kind}: it has no {name}") from None


def _restored_public_key(n: int, randomizers: RandomizerScheme, engine: str | None) -> PublicKey:
    """Unpickle. Where no engine was given, the default may be another one than at the last time."""
    return _kept_public_key(n, randomizers, engine, active_engine() if engine is None else None)


@lru_cache(maxsize=4)
def _kept_public_key(n: int, randomizers: RandomizerScheme, engine: str | None, default: Engine | None) -> PublicKey:
    """One key for each of these and process, so that its table is made once.

    The number is validated again, but its strength was decided by whoever made it.
    """
    context = KeyContext(check_public_number(n, insecure=True, warn=False), engine_or_default(n, engine))
    key = PublicKey.__new__(PublicKey)
    key._adopt(context, randomizers, engine)
    return key
