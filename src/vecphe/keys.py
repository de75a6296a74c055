"""Public and private keys: who can encrypt, and who can decrypt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import Words, engine_named, integers_from_words
from vecphe.array import EncryptedArray
from vecphe.encoding import FixedPoint, as_plain_array, decode
from vecphe.errors import (
    CorruptedAggregateError,
    InvalidCiphertextError,
    KeyMismatchError,
    LayoutMismatchError,
)
from vecphe.files import PathLike, check_writable
from vecphe.format import checked_encoding, format_for
from vecphe.freshness import Freshness
from vecphe.numbers import (
    DEFAULT_KEY_LENGTH,
    PrivateNumbers,
    PublicNumbers,
    check_key_length,
    check_private_numbers,
    check_public_number,
)
from vecphe.parallel import chunk_bounds, effective_jobs, run_local_tasks
from vecphe.primes import random_prime_pair
from vecphe.randomizers import RandomizerScheme, RandomizerSource
from vecphe.serialization import (
    KEY_FILE_BYTES,
    frame_from_json,
    frame_of_private_key,
    frame_of_public_key,
    json_from_frame,
    primes_from_frame,
    public_number_from_frame,
    read_frame,
    write_frame,
)

__all__ = ["PrivateKey", "PublicKey", "generate_keypair"]


class PublicKey:
    """Encrypts.

    Parameters
    ----------
    n : int
        Modulus, from a key holder one trusts: it is checked for what can be checked without its factors.
    insecure : bool
        Accept (and warn about) fewer than 2048 bits, down to 256.
    randomizers : {"djn", "djn-short", "textbook"}
        Where ciphertexts get their randomness from; see `vecphe.randomizers`.

    Raises
    ------
    InvalidKeyError
    """

    def __init__(self, n: int, *, insecure: bool = False, randomizers: RandomizerScheme = "djn") -> None:
        self._adopt(check_public_number(n, insecure=insecure), randomizers)

    def _adopt(self, numbers: PublicNumbers, randomizers: RandomizerScheme) -> None:
        self._numbers = numbers
        self._source = RandomizerSource(numbers, randomizers)

    @classmethod
    def _from_numbers(cls, numbers: PublicNumbers, randomizers: RandomizerScheme = "djn") -> PublicKey:
        """Without the key rules: for keys made here, and for tests on toy keys."""
        key = cls.__new__(cls)
        key._adopt(numbers, randomizers)
        return key

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
    def table_bytes(self) -> int:
        """Memory of the fixed-base table as it is now, in bytes."""
        return self._source.table_bytes

    def __repr__(self) -> str:
        return f"PublicKey({self.key_length} bits, fingerprint={self.fingerprint})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.n == other.n

    def __hash__(self) -> int:
        return hash(self._numbers)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_public_key, (self._source,)

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
        write_frame(path, self.to_bytes(), force=force)

    @classmethod
    def from_bytes(cls, data: bytes, *, insecure: bool = False, randomizers: RandomizerScheme = "djn") -> PublicKey:
        """A key of the binary form, validated as in `PublicKey`; the form does not hold `randomizers`.

        Raises
        ------
        SerializationError
            If the data is not in this form.
        InvalidKeyError
        """
        return cls(public_number_from_frame(data), insecure=insecure, randomizers=randomizers)

    @classmethod
    def from_json(cls, text: str, *, insecure: bool = False, randomizers: RandomizerScheme = "djn") -> PublicKey:
        """A key of the JSON form; as `from_bytes`."""
        return cls.from_bytes(frame_from_json(text), insecure=insecure, randomizers=randomizers)

    @classmethod
    def load(cls, path: PathLike, *, insecure: bool = False, randomizers: RandomizerScheme = "djn") -> PublicKey:
        """A key from a file that `save` wrote, in either form; as `from_bytes`, and OSError."""
        return cls.from_bytes(read_frame(path, KEY_FILE_BYTES), insecure=insecure, randomizers=randomizers)

    def prepare(self, count: int) -> None:
        """Build the tables that `count` encryptions to come pay for (else the first ones do)."""
        self._source.prepare(count)

    def encrypt(
        self,
        x: npt.ArrayLike,
        *,
        packed: bool = False,
        encoding: FixedPoint | None = None,
        n_jobs: int | None = None,
    ) -> EncryptedArray:
        """Encrypt real numbers.

        Parameters
        ----------
        x : array_like of real numbers
            Any shape; floats up to 64 bits, integers and booleans.
        packed : bool
            Several values a ciphertext: fewer, but no products, sums or indexing inside.
        encoding : FixedPoint, optional
            Default: exact for floats from 2^-60 to 2^64 and for all integers unpacked, 40 fraction bits and
            magnitudes up to 2^15 (for integers: up to 2^55) packed.
        n_jobs : int, optional
            As in joblib: None is 1, -1 all cores.

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
        """
        values = as_plain_array(x)
        integer = values.dtype.kind != "f"
        encoding = checked_encoding(encoding, packed=packed, integer=integer)
        format = format_for(self.n, encoding, packed, integer, 1)
        words, offset = format.plaintexts(encoding.encode(values))
        residues = self._source.encrypt(words, offset, n_jobs)
        return EncryptedArray(self._source, residues, values.shape, format, Freshness.new())

    def from_ciphertexts(
        self,
        ciphertexts: Iterable[int],
        *,
        shape: tuple[int, ...] | None = None,
        encoding: FixedPoint | None = None,
        packed: bool = False,
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
        packed, integer : bool
            As they were when encrypted.
        terms : int
            How many encoded values each slot sums at most.

        Raises
        ------
        InvalidCiphertextError
            With the same text whatever is wrong with a ciphertext.
        LayoutMismatchError
            If the number of ciphertexts does not fit the shape.
        """
        values = list(ciphertexts)
        if any(isinstance(value, bool) or not isinstance(value, int) for value in values):
            raise InvalidCiphertextError
        if isinstance(terms, bool) or not isinstance(terms, int) or terms < 1:
            raise ValueError(f"terms must be a positive int, not {terms!r}")
        encoding = checked_encoding(encoding, packed=packed, integer=integer)
        format = format_for(self.n, encoding, packed, integer, terms)
        if shape is not None and not (
            isinstance(shape, tuple) and all(type(length) is int and length >= 0 for length in shape)
        ):
            raise LayoutMismatchError(f"shape must be a tuple of non-negative ints, not {shape!r}")
        if shape is None:
            shape = (len(values) * (format.layout.slots if format.layout else 1),)
        count = int(np.prod(shape, dtype=object))
        if len(values) != format.n_ciphertexts(count):
            raise LayoutMismatchError(f"{len(values)} ciphertexts cannot hold an array of shape {shape}")
        ring = self._source.ring
        residues = ring.load(values)
        if not ring.all_units(residues):
            raise InvalidCiphertextError
        return EncryptedArray(self._source, residues, tuple(shape), format, Freshness())


def _restore_public_key(source: RandomizerSource) -> PublicKey:
    """Unpickle: the source was validated and is shared with the other objects of its key."""
    key = PublicKey.__new__(PublicKey)
    key._numbers, key._source = source.numbers, source
    return key


class PrivateKey:
    """Decrypts.

    Parameters
    ----------
    public_key : PublicKey
    p, q : int
        Its primes, in any order.

    Raises
    ------
    InvalidKeyError
        If they are not primes of equal length, too close, or do not belong to the public key.
    """

    def __init__(self, public_key: PublicKey, p: int, q: int) -> None:
        if not isinstance(public_key, PublicKey):
            raise TypeError(f"public_key must be a PublicKey, not {type(public_key).__name__}")
        self._adopt(public_key, check_private_numbers(public_key._numbers, p, q))

    def _adopt(self, public_key: PublicKey, numbers: PrivateNumbers) -> None:
        self._public_key = public_key
        self._numbers = numbers
        self._decryptor = public_key._source.engine.decryptor(numbers.p, numbers.q)

    @classmethod
    def _from_numbers(cls, public_key: PublicKey, numbers: PrivateNumbers) -> PrivateKey:
        """Without the key rules: for keys made here, and for tests on toy keys."""
        key = cls.__new__(cls)
        key._adopt(public_key, numbers)
        return key

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._public_key

    @property
    def p(self) -> int:
        """The smaller prime. Secret."""
        return self._numbers.p

    @property
    def q(self) -> int:
        """The larger prime. Secret."""
        return self._numbers.q

    def __repr__(self) -> str:
        return f"PrivateKey({self._public_key.key_length} bits, fingerprint={self._public_key.fingerprint})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and self._public_key == other._public_key

    def __hash__(self) -> int:
        return hash((PrivateKey, self._public_key))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key refuses to be pickled or copied; it stays in the process that made it")

    def to_bytes(self, *, passphrase: str | bytes | None = None) -> bytes:
        """The binary form of docs/format.md. Secret, and without a passphrase in the clear.

        Parameters
        ----------
        passphrase : str or bytes, optional
            Encrypt with it, by scrypt and AES-256-GCM; takes about half a second and 128 MiB.
        """
        return frame_of_private_key(self._public_key._numbers, self._numbers, passphrase)

    def to_json(self, *, passphrase: str | bytes | None = None) -> str:
        """The JSON form of docs/format.md; as `to_bytes`."""
        return json_from_frame(self.to_bytes(passphrase=passphrase))

    def save(self, path: PathLike, *, passphrase: str | bytes | None = None, force: bool = False) -> None:
        """Write the key to a file that only its owner can read (mode 0600 from its creation); as `PublicKey.save`.

        Parameters
        ----------
        path : str or path
        passphrase : str or bytes, optional
            As in `to_bytes`.
        force : bool
            Replace a file that exists.
        """
        check_writable(path, force=force)
        write_frame(path, self.to_bytes(passphrase=passphrase), force=force, private=True)

    @classmethod
    def from_bytes(cls, data: bytes, *, passphrase: str | bytes | None = None, insecure: bool = False) -> PrivateKey:
        """A key of the binary form, validated as in `PrivateKey`.

        Parameters
        ----------
        data : bytes
        passphrase : str or bytes, optional
            Needed if the key is encrypted, and refused if it is not.
        insecure : bool
            As in `PublicKey`.

        Raises
        ------
        SerializationError
            If the data is not in this form, or the passphrase is wrong.
        InvalidKeyError
        """
        p, q = primes_from_frame(data, passphrase)
        return cls(PublicKey(p * q, insecure=insecure), p, q)

    @classmethod
    def from_json(cls, text: str, *, passphrase: str | bytes | None = None, insecure: bool = False) -> PrivateKey:
        """A key of the JSON form; as `from_bytes`."""
        return cls.from_bytes(frame_from_json(text), passphrase=passphrase, insecure=insecure)

    @classmethod
    def load(cls, path: PathLike, *, passphrase: str | bytes | None = None, insecure: bool = False) -> PrivateKey:
        """A key from a file that `save` wrote, in either form; as `from_bytes`, and OSError."""
        return cls.from_bytes(read_frame(path, KEY_FILE_BYTES), passphrase=passphrase, insecure=insecure)

    def decrypt(self, array: EncryptedArray, n_jobs: int | None = None) -> npt.NDArray[Any]:
        """Decrypt an array.

        Parameters
        ----------
        array : EncryptedArray
        n_jobs : int, optional
            As in joblib, on this machine only: None is 1, -1 all cores.

        Returns
        -------
        ndarray of float64
            Of the array's shape. Integers come back as int64 (Python integers, dtype object, where they do not fit).

        Raises
        ------
        KeyMismatchError
            If the array belongs to another key.
        InvalidCiphertextError
            If a ciphertext is not in Z*_{n^2}.
        CorruptedAggregateError
            If a value is beyond the array's bound. Never tell the sender which of the two it was.
        ParallelError
            If `n_jobs` would send the key to another machine.
        """
        if not isinstance(array, EncryptedArray):
            raise TypeError(f"decrypt takes an EncryptedArray, not {type(array).__name__}")
        if array.fingerprint != self._public_key.fingerprint:
            raise KeyMismatchError("the array belongs to another key; decrypt it with the private key it was made for")
        format = array.format
        if format.layout:
            words = self._decrypt_words(array, format.layout.offset, n_jobs)
            integers = _bounded(format.layout.unpack(words, array.size), format.bound)
        else:
            integers = _debiased(self._decrypt_words(array, format.bound, n_jobs), format.bound)
        return decode(integers, format.fraction_bits, integer=format.integer).reshape(array.shape)

    def _decrypt_words(self, array: EncryptedArray, offset: int, n_jobs: int | None) -> Words:
        ring, engine = self._public_key._source.ring, self._public_key._source.engine
        count = array.n_ciphertexts
        least = max(engine.task_size // 8, 1)  # decrypting costs about eight times as much as encrypting
        jobs = effective_jobs(n_jobs, count, least)
        bounds = chunk_bounds(count, jobs, least, 16 * least)
        if len(bounds) == 1:
            return self._decryptor.decrypt(ring, array.residues, offset)
        parts = [ring.take(array.residues, np.arange(start, stop)) for start, stop in bounds]
        if jobs == 1:
            return np.concatenate([self._decryptor.decrypt(ring, part, offset) for part in parts])
        if engine.workers == "threads":
            tasks = [(ring, part, offset) for part in parts]
            return np.concatenate(run_local_tasks(self._decryptor.decrypt, tasks, n_jobs, "threads"))
        remote = [(engine.name, self.p, self.q, ring.store_bytes(part), offset) for part in parts]
        return np.concatenate(run_local_tasks(_decrypt_in_worker, remote, n_jobs, "processes"))


def _decrypt_in_worker(engine_name: str, p: int, q: int, data: bytes, offset: int) -> Words:
    """One task of a local worker process: the one door through which private numbers leave their process."""
    engine = engine_named(engine_name)
    ring = engine.ring(p * q)
    return engine.decryptor(p, q).decrypt(ring, ring.load_bytes(data), offset)


def _bounded(integers: Words, bound: int) -> npt.NDArray[np.int64] | list[int]:
    """Signed integers from two's complement words, each checked against the bound."""
    if integers.shape[1] == 1 and bound < 1 << 63:
        values = integers[:, 0].view(np.int64)
        if ((values > bound) | (values < -bound)).any():
            raise CorruptedAggregateError
        return values
    big = integers_from_words(integers, signed=True)
    if any(abs(value) > bound for value in big):
        raise CorruptedAggregateError
    return [int(value) for value in big]


def _debiased(words: Words, bound: int) -> npt.NDArray[np.int64] | list[int]:
    """Signed integers from words of v + bound, each checked to be in [-bound, bound]."""
    if bound < 1 << 63:
        if words[:, 1:].any() or (words[:, 0] > np.uint64(2 * bound)).any():
            raise CorruptedAggregateError
        return (words[:, 0] - np.uint64(bound)).view(np.int64)
    big = integers_from_words(words)
    if any(value > 2 * bound for value in big):
        raise CorruptedAggregateError
    return [int(value) - bound for value in big]


def generate_keypair(
    key_length: int = DEFAULT_KEY_LENGTH, insecure: bool = False, *, randomizers: RandomizerScheme = "djn"
) -> tuple[PublicKey, PrivateKey]:
    """Make a key pair.

    Parameters
    ----------
    key_length : int
        Length of n in bits: even, at least 2048.
    insecure : bool
        Accept (and warn about) 256 to 2046 bits, for tests and benchmarks.
    randomizers : {"djn", "djn-short", "textbook"}
        See `PublicKey`.

    Returns
    -------
    public_key : PublicKey
    private_key : PrivateKey

    Raises
    ------
    InvalidKeyError

    Examples
    --------
    >>> public_key, private_key = generate_keypair(2048)
    >>> private_key.decrypt(public_key.encrypt([1.5, -2.25]) * 2)
    array([ 3. , -4.5])
    """
    p, q = random_prime_pair(check_key_length(key_length, insecure=insecure))
    public_key = PublicKey._from_numbers(PublicNumbers(p * q), randomizers)
    return public_key, PrivateKey._from_numbers(public_key, PrivateNumbers(p, q))
