"""Private keys: who can decrypt."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NoReturn

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import Words
from vecphe.array import EncryptedArray, EncryptedArrays
from vecphe.array.data import ciphertexts_at_once
from vecphe.errors import InsecureKeyWarning, KeyMismatchError
from vecphe.keys.chunks import DecryptedChunks
from vecphe.keys.public_key import PublicKey, phe_attribute
from vecphe.numbers.key_numbers import (
    PrivateNumbers,
    check_private_numbers,
)
from vecphe.randomness.freshness import Freshness
from vecphe.serialization import (
    KEY_FILE_BYTES,
    ArrayStream,
    frame_from_json,
    frame_of_private_key,
    json_from_frame,
    primes_from_frame,
    read_frame,
    save_frame,
)
from vecphe.serialization.jwk import jwk_text, parse_private_jwk, private_jwk, public_jwk
from vecphe.system.files import PathLike, is_open_to_others
from vecphe.system.parallel import AwayContext, check_jobs, map_chunks, part_of
from vecphe.system.tracebacks import keeps_locals

__all__ = ["PrivateKey"]


class PrivateKey:
    """Decrypts.

    Parameters
    ----------
    public_key : PublicKey
    p, q : int
        Its primes, in any order.
    engine : str, optional
        Name of the engine that decrypts; by default that of `public_key`. Arrays of other engines are converted.

    Raises
    ------
    InvalidKeyError
        If they are not primes of equal length, too close, or do not belong to the public key.
    EngineUnavailableError
        If there is no such engine, or it does not run here or with this key.

    Examples
    --------
    >>> from vecphe import generate_keypair
    >>> public_key, private_key = generate_keypair(2048)
    >>> private_key.decrypt(public_key.encrypt([[1.5, -2.0]]) * 2)
    array([[ 3., -4.]])
    """

    @keeps_locals
    def __init__(self, public_key: PublicKey, p: int, q: int, *, engine: str | None = None) -> None:
        if not isinstance(public_key, PublicKey):
            raise TypeError(
                f"public_key must be a PublicKey, not {type(public_key).__name__}; "
                "PublicKey.from_phe(key) makes one of a key of phe"
            )
        numbers = check_private_numbers(public_key._numbers, p, q)
        if engine is not None:
            public_key = PublicKey._from_numbers(public_key._numbers, public_key.randomizers, engine)
        self._adopt(public_key, numbers)

    def _adopt(self, public_key: PublicKey, numbers: PrivateNumbers) -> None:
        self._public_key = public_key
        self._numbers = numbers
        self._decryptor = public_key._context.engine.decryptor(numbers.p, numbers.q)

    @classmethod
    def _from_numbers(cls, public_key: PublicKey, numbers: PrivateNumbers) -> PrivateKey:
        """Without the key rules: for keys made here, and for tests on toy keys."""
        key = cls.__new__(cls)
        key._adopt(public_key, numbers)
        return key

    @classmethod
    @keeps_locals
    def from_jwk(
        cls, key: str | bytes | dict[str, Any], *, insecure: bool = False, engine: str | None = None
    ) -> PrivateKey:
        """A key from its JSON Web Key, as JSON text (what ``pheutil genpkey`` writes) or the dict of it.

        Raises
        ------
        SerializationError
            If it is malformed.
        InvalidKeyError
            If it is another kind of key, or its numbers are refused.
        """
        n, p, q = parse_private_jwk(key)
        return cls(PublicKey(n, insecure=insecure, engine=engine), p, q)

    def to_jwk(self, kid: str | None = None, *, public_kid: str | None = None) -> str:
        """JSON Web Key as one line of JSON, as phe's command line writes it. It holds the primes: keep it secret.

        `kid` is a comment that names the key, `public_kid` (default: the same) one for the public key inside.
        """
        public = public_jwk(self._public_key.n, kid if public_kid is None else public_kid)
        return jwk_text(private_jwk(public, self.p, self.q, kid))

    @classmethod
    @keeps_locals
    def from_phe(cls, key: Any, *, insecure: bool = False, engine: str | None = None) -> PrivateKey:
        """A key from phe's `PaillierPrivateKey`, or whatever has its attributes; checked as any other."""
        public_key, p, q = (phe_attribute(key, name, "PaillierPrivateKey") for name in ("public_key", "p", "q"))
        return cls(PublicKey.from_phe(public_key, insecure=insecure, engine=engine), p, q)

    def to_phe(self, module: Any) -> Any:
        """The same key as a `PaillierPrivateKey` of `module`: ``phe`` or ``vecphe.phe``."""
        make = phe_attribute(module, "PaillierPrivateKey", "module such as phe")
        return make(self._public_key.to_phe(module), self.p, self.q)

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._public_key

    @property
    def engine(self) -> str:
        """Name of the engine that decrypts."""
        return self._public_key.engine

    @property
    def p(self) -> int:
        """The smaller prime. Secret."""
        return self._numbers.p

    @property
    def q(self) -> int:
        """The larger prime. Secret."""
        return self._numbers.q

    def __repr__(self) -> str:
        if not hasattr(self, "_public_key"):
            return "PrivateKey(no primes yet)"
        return f"PrivateKey({self._public_key.key_length} bits, fingerprint={self._public_key.fingerprint})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and self._public_key == other._public_key

    def __hash__(self) -> int:
        return hash((PrivateKey, self._public_key))

    def __copy__(self) -> PrivateKey:
        return self  # nothing changes a key, and within the process there is no need for another

    def __deepcopy__(self, memo: Any) -> PrivateKey:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a private key refuses to be pickled: it stays in the process that made it. To store it, use "
            "key.save(path) or key.to_jwk(); to decrypt on several cores, key.decrypt(array, n_jobs=-1)"
        )

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
        save_frame(path, lambda: self.to_bytes(passphrase=passphrase), force=force, private=True)

    @classmethod
    @keeps_locals
    def from_bytes(
        cls,
        data: bytes,
        *,
        passphrase: str | bytes | None = None,
        insecure: bool = False,
        engine: str | None = None,
    ) -> PrivateKey:
        """A key of the binary form, validated as in `PrivateKey`.

        Parameters
        ----------
        data : bytes
        passphrase : str or bytes, optional
            Needed if the key is encrypted, and refused if it is not.
        insecure : bool
        engine : str, optional
            As in `PublicKey`.

        Raises
        ------
        SerializationError
            If the data is not in this form, or the passphrase is wrong.
        InvalidKeyError
        """
        p, q = primes_from_frame(data, passphrase)
        return cls(PublicKey(p * q, insecure=insecure, engine=engine), p, q)

    @classmethod
    @keeps_locals
    def from_json(
        cls,
        text: str,
        *,
        passphrase: str | bytes | None = None,
        insecure: bool = False,
        engine: str | None = None,
    ) -> PrivateKey:
        """A key of the JSON form; as `from_bytes`."""
        return cls.from_bytes(frame_from_json(text), passphrase=passphrase, insecure=insecure, engine=engine)

    @classmethod
    @keeps_locals
    def load(
        cls,
        path: PathLike,
        *,
        passphrase: str | bytes | None = None,
        insecure: bool = False,
        engine: str | None = None,
    ) -> PrivateKey:
        """A key from a file that `save` wrote, in either form; as `from_bytes`, and OSError.

        An InsecureKeyWarning says so where others than its owner can read the file.
        """
        frame = read_frame(path, KEY_FILE_BYTES)
        key = cls.from_bytes(frame, passphrase=passphrase, insecure=insecure, engine=engine)
        if is_open_to_others(path):
            text = f"others can read the private key in {path}; chmod 600 {path}"
            warnings.warn(text, InsecureKeyWarning, stacklevel=3)
        return key

    @keeps_locals
    def decrypt(self, array: EncryptedArray, n_jobs: int | None = None) -> npt.NDArray[Any]:
        """Decrypt an array.

        Parameters
        ----------
        array : EncryptedArray
        n_jobs : int, optional
            As in joblib, on this machine only: None is what ``joblib.parallel_config`` says, else 1; -1 all cores.
            Under a cluster backend None is 1.

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
            If `n_jobs` could send the key to another machine, or a worker dies.
        """
        if isinstance(array, EncryptedArrays):
            raise TypeError("decrypt takes one EncryptedArray; for EncryptedArrays write decrypt_many(c)")
        if not isinstance(array, EncryptedArray):
            raise TypeError(
                f"decrypt takes an EncryptedArray, not {type(array).__name__}; "
                "vecphe.from_phe(public_key, numbers) makes one of phe's encrypted numbers"
            )
        if array.fingerprint != self._public_key.fingerprint:
            raise KeyMismatchError("the array belongs to another key; decrypt it with the private key it was made for")
        return array.format.values(self._decrypt_words(array, array.format.bias, n_jobs), array.shape)

    @keeps_locals
    def decrypt_many(self, arrays: EncryptedArrays, n_jobs: int | None = None) -> Any:
        """Decrypt what `PublicKey.encrypt_many` encrypted, and sums of it.

        Parameters
        ----------
        arrays : EncryptedArrays
        n_jobs : int, optional
            As in `decrypt`.

        Returns
        -------
        list of ndarray, or dict of str to ndarray
            What was encrypted, in its order and shapes; each a part of one array. They are float64, or of integers if
            all of them were.

        Raises
        ------
        TypeError, KeyMismatchError, InvalidCiphertextError, CorruptedAggregateError, ParallelError
            As in `decrypt`.
        """
        if not isinstance(arrays, EncryptedArrays):
            raise TypeError(f"decrypt_many takes EncryptedArrays, not {type(arrays).__name__}; there is decrypt, too")
        return arrays._structure.split(self.decrypt(arrays.array, n_jobs))

    @keeps_locals
    def decrypt_chunks(self, chunks: Iterable[bytes] | BinaryIO, *, n_jobs: int | None = None) -> DecryptedChunks:
        """Decrypt an array of the binary form part by part, with the memory of a part.

        Parameters
        ----------
        chunks : iterable of bytes, or binary file
            As in `EncryptedArray.from_chunks`.
        n_jobs : int, optional
            As in `decrypt`.

        Returns
        -------
        DecryptedChunks
            An iterator over the values, which can also write all of them to a .npy file.

        Raises
        ------
        TypeError, SerializationError, KeyMismatchError, PlaintextOverflowError
            As `EncryptedArray.from_chunks`.
        InvalidCiphertextError, CorruptedAggregateError, ParallelError
            As in `decrypt`, when a part is asked for.
        """
        check_jobs(n_jobs)
        stream = ArrayStream(self._public_key._numbers, chunks)
        return DecryptedChunks(stream.shape, stream.format, self._decrypted_parts(stream, n_jobs))

    def _decrypted_parts(self, stream: ArrayStream, n_jobs: int | None) -> Iterator[npt.NDArray[Any]]:
        ring, format, left = self._public_key._context.ring, stream.format, math.prod(stream.shape)
        count = ciphertexts_at_once(ring)
        for part in stream.ciphertexts(count):
            size = min(left, count * (format.layout.slots if format.layout else 1))
            left -= size
            residues = ring.checked(ring.load_bytes(part))
            array = EncryptedArray(self._public_key, residues, (size,), format, Freshness.none())
            yield self.decrypt(array, n_jobs)

    def _decrypt_words(self, array: EncryptedArray, offset: int, n_jobs: int | None) -> Words:
        context, residues = self._public_key._context, array._under(self._public_key).residues
        parts = map_chunks(
            context,
            lambda context, *chunk: self._decryptor.decrypt(context.ring, *chunk),
            lambda *edges: (part_of(context.ring, residues, *edges), offset),
            array.n_ciphertexts,
            n_jobs,
            least=context.engine.tuning.decrypt_task,
            away=_DecryptAway(self.p, self.q),
            private=True,
        )
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class _DecryptAway:
    """Tasks of local worker processes: the one door through which private numbers leave their process."""

    def __init__(self, p: int, q: int) -> None:
        self._p, self._q = p, q

    def __call__(self, context: AwayContext, batch: Any, offset: int) -> Words:
        return context.engine.decryptor(self._p, self._q).decrypt(context.ring, batch, offset)
