"""What the protocol asks of an encryption scheme.

::

    Backend.generate_keys() -> EncryptionKey, DecryptionKey
    encrypt_vector(EncryptionKey, values) -> EncryptedVector
    sum_encrypted_vectors(EncryptedVector, EncryptedVector) -> EncryptedVector
    decrypt_vector(DecryptionKey, EncryptedVector) -> ndarray
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import ciphertext_bytes
from vecphe.errors import KeyMismatchError, LayoutMismatchError, SerializationError
from vecphe.federated.checks import check_instance
from vecphe.federated.rounds import Contribution, Run, distinct_contributions, joined
from vecphe.federated.wire import checked_place, contributions_from_header, header_of_contributions, pack, unpack
from vecphe.plaintext.encoding import Floats, as_plain_array
from vecphe.system.plurals import counted

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Backend",
    "DecryptionKey",
    "EncryptedVector",
    "EncryptionKey",
    "Encryptor",
    "decrypt_vector",
    "encrypt_vector",
    "sum_encrypted_vectors",
]


class EncryptedVector(ABC):
    """An encrypted vector, in whatever form its backend keeps it.

    Attributes
    ----------
    key : EncryptionKey
        Key it was encrypted with.
    terms : int
        Number of encrypted vectors that were summed to make it: public, recorded, not proven.
    n_ciphertexts : int
    nbytes : int
        Size of its ciphertexts in canonical form.

    Examples
    --------
    >>> from vecphe.federated import PackedBackend, encrypt_vector
    >>> public_key, private_key = PackedBackend().generate_keys(2048)
    >>> total = encrypt_vector(public_key, [1.0, 2.0]) + encrypt_vector(public_key, [0.5, 0.5])
    >>> len(total), total.terms, total.n_ciphertexts
    (2, 2, 1)
    """

    key: EncryptionKey
    terms: int
    _record: _Record | None = None  # of what it was made here; a vector with other contents, or from outside, has none

    @abstractmethod
    def __len__(self) -> int:
        """Number of encrypted values."""

    @property
    @abstractmethod
    def n_ciphertexts(self) -> int:
        """Number of ciphertexts."""

    @property
    def nbytes(self) -> int:
        """Canonical size in bytes."""
        return self.n_ciphertexts * ciphertext_bytes(self.key.key_length)

    @abstractmethod
    def ciphertexts(self) -> list[int]:
        """Ciphertexts as integers in [0, n^2)."""

    @abstractmethod
    def _added(self, other: Any) -> EncryptedVector:
        """Sum with a vector of the same class, key and length."""

    def _contents(self) -> tuple[Any, ...]:
        """The objects that hold its ciphertexts, and integers of those that can be changed.

        Where one is another now, the record says nothing about the vector.
        """
        return ()

    @property
    def contributions(self) -> tuple[Contribution, ...] | None:
        """The encrypted vectors it is the sum of, in the order they were added; a single one twice if any stands twice.

        None for everything that was not made by `encrypt_vector`, sums of such vectors and `from_message`: arrays
        computed underneath, contents that were replaced, vectors of `from_bytes`.
        """
        record = self._record
        if record is None or len(record.contents) != len(contents := self._contents()):
            return None
        same = all(
            one == other if isinstance(one, int) else one is other
            for one, other in zip(record.contents, contents, strict=True)
        )
        return record.contributions if same else None

    @property
    def is_sum_of_terms(self) -> bool:
        """Whether it is known to be the sum of `terms` encrypted vectors and nothing else."""
        contributions = self.contributions
        return contributions is not None and len(contributions) == self.terms

    def _recorded(self, contributions: tuple[Contribution, ...] | None) -> Self:
        """The vector, just made, with the record of what is in it."""
        record = None if contributions is None else _Record(contributions, self._contents())
        object.__setattr__(self, "_record", record)
        return self

    def to_bytes(self, *, rerandomize: bool = True) -> bytes:
        """The vector as an encrypted array of docs/format.md, with the number of its terms.

        Which contributions it is the sum of is not in it, so that no server decrypts it; `to_message` has both, and
        says what `rerandomize` is.
        """
        raise TypeError(f"vectors of the backend {self.key.backend} have no form of bytes")

    @staticmethod
    def from_bytes(key: EncryptionKey, data: bytes) -> EncryptedVector:
        """A vector of `to_bytes`, everything checked.

        Parameters
        ----------
        key : EncryptionKey
            The one that it was encrypted with.
        data : bytes

        Raises
        ------
        SerializationError
            If the data are not in this form.
        KeyMismatchError, LayoutMismatchError
            If it belongs to another key, or was encrypted in another way than this key does.
        InvalidCiphertextError
            With the same text whatever is wrong with a ciphertext.
        PlaintextOverflowError
            If it claims a bound or terms beyond the range.
        """
        check_instance("key", key, EncryptionKey)
        return key._vector_from_bytes(data)

    def to_message(self, *, rerandomize: bool = True) -> bytes:
        """What one party sends to the next: the vector, and which contributions it is the sum of (docs/format.md).

        Parameters
        ----------
        rerandomize : bool
            Send a re-randomised copy of what is not fresh, as sums of vectors from outside are. What only the holder
            of the private key will see needs none: it decrypts the sum in any case, and knows nothing of its terms.

        Raises
        ------
        ProtocolError
            If it is not known to be the sum of distinct contributions to one round.
        SerializationError
            If a client's name is empty or not printable text, or all of them are too long for the header.
        """
        return pack(
            "sum", header_of_contributions(distinct_contributions(self)), self.to_bytes(rerandomize=rerandomize)
        )

    @staticmethod
    def from_message(key: EncryptionKey, data: bytes) -> EncryptedVector:
        """A vector of `to_message`; as `from_bytes`. What it says of its contributions is believed."""
        check_instance("key", key, EncryptionKey)
        header, (frame,) = unpack(data, "sum", ("run", "round", "clients"), 1)
        contributions = contributions_from_header(header)
        vector = key._vector_from_bytes(frame)
        if vector.terms != len(contributions):
            raise SerializationError(
                f"{counted(len(contributions), 'client')}, but a sum of {counted(vector.terms, 'term')}"
            )
        return vector._recorded(contributions)

    def __add__(self, other: EncryptedVector) -> EncryptedVector:
        if not isinstance(other, EncryptedVector):
            return NotImplemented
        if self.key.fingerprint != other.key.fingerprint:
            raise KeyMismatchError(f"keys differ: {self.key.fingerprint[:8]} and {other.key.fingerprint[:8]}")
        if type(self) is not type(other):
            raise LayoutMismatchError(f"backends differ: {self.key.backend} and {other.key.backend}")
        if len(self) != len(other):
            raise LayoutMismatchError(f"lengths differ: {len(self)} and {counted(len(other), 'value')}")
        contributions = joined(self.contributions, other.contributions)
        total: EncryptedVector = self._added(other)
        return total._recorded(contributions)

    def __copy__(self) -> Self:
        return self  # nothing that changes a vector is part of its interface

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_record": self.contributions}

    def __setstate__(self, state: dict[str, Any]) -> None:
        contributions = state.pop("_record")
        self.__dict__.update(state)
        self._recorded(contributions)


@dataclass(frozen=True)
class _Record:
    contributions: tuple[Contribution, ...]
    contents: tuple[Any, ...]


class EncryptionKey(ABC):
    """The public key that a server hands out; it carries the backend.

    Attributes
    ----------
    backend : str
        Name of the backend.
    n : int
        Paillier modulus.
    key_length : int
        Bits of n.
    fingerprint : str
        Key id.
    run : Run
        The run that it was made for.

    Examples
    --------
    >>> from vecphe.federated import PackedBackend
    >>> public_key, private_key = PackedBackend().generate_keys(2048)
    >>> private_key.decrypt(public_key.encrypt([1.0, 2.0]))
    array([1., 2.])
    """

    backend: str
    n: int
    fingerprint: str
    wider_range: str = ""  # what who makes the key has to type for a range that takes larger numbers

    _readers: ClassVar[dict[str, type[EncryptionKey]]] = {}

    def __init_subclass__(cls, backends: Sequence[str] = (), **options: Any) -> None:
        super().__init_subclass__(**options)
        EncryptionKey._readers.update(dict.fromkeys(backends, cls))  # who reads keys of these backends

    @cached_property
    def run(self) -> Run:
        """The run that the key was made for."""
        return Run()

    def to_bytes(self) -> bytes:
        """The key, how it encrypts, and its run, as the message of docs/format.md that a server hands out."""
        header = {"run": self.run.id, "round": self.run.round, "backend": self.backend}
        return pack("key", header, *self._frames())

    @staticmethod
    def from_bytes(
        data: bytes, *, insecure: bool = False, n_jobs: int | None = None, engine: str | None = None
    ) -> EncryptionKey:
        """A key of `to_bytes`, everything checked.

        Parameters
        ----------
        data : bytes
        insecure : bool
            Accept (and warn about) fewer than 2048 bits.
        n_jobs : int, optional
            Workers for encryption, as joblib counts them.
        engine : str, optional
            Name of the engine that computes; see `PublicKey`.

        Raises
        ------
        SerializationError
            If the data are not in this form.
        InvalidKeyError
        EngineUnavailableError
        ValueError
            If its backend is "naive", and phe is not installed or an engine is named.
        """
        header, frames = unpack(data, "key", ("run", "round", "backend"), 2)
        run = Run(*checked_place(header))
        kind = EncryptionKey._readers.get(str(header["backend"]))
        if kind is None:
            raise SerializationError("the backend of the key is unknown")
        key = kind._from_frames(header["backend"], frames, insecure, n_jobs, engine)
        key.__dict__["run"] = run
        return key

    def _frames(self) -> tuple[bytes, bytes]:
        """The public key, and an empty array that tells how it encrypts, or nothing."""
        raise TypeError(f"keys of the backend {self.backend} have no form of bytes")

    @classmethod
    def _from_frames(
        cls, backend: str, frames: Sequence[bytes], insecure: bool, n_jobs: int | None, engine: str | None
    ) -> EncryptionKey:
        raise TypeError(f"keys of the backend {backend} have no form of bytes")

    def _vector_from_bytes(self, data: bytes) -> EncryptedVector:
        raise TypeError(f"vectors of the backend {self.backend} have no form of bytes")

    @property
    def key_length(self) -> int:
        """Bits of n."""
        return self.n.bit_length()

    def for_party(self) -> Encryptor:
        """What one party encrypts its vectors with."""
        return Encryptor(self)

    @property
    def exact_integers(self) -> tuple[int, int]:
        """(bits, scale): all integers v below 2^bits in magnitude are encrypted exactly, as ``v * 2**-scale``."""
        raise TypeError(f"keys of the backend {self.backend} do not say which integers they encrypt exactly")

    @abstractmethod
    def prepare(self, n_vectors: int, length: int) -> None:
        """Do now what the encryption of `n_vectors` vectors of `length` values can have done beforehand."""

    @abstractmethod
    def encrypt(self, values: npt.NDArray[Any]) -> EncryptedVector:
        """Encrypt a vector of numbers; what the key gives is recorded as a contribution of its run."""


class Encryptor:
    """What one party encrypts its vectors with: the key, and randomizers of its own where its backend makes some ahead.

    Parameters
    ----------
    key : EncryptionKey
    """

    def __init__(self, key: EncryptionKey) -> None:
        self.key = key

    def make_ready(self, n_vectors: int, length: int) -> None:
        """See that the randomizers of the next vector are there, of `n_vectors` to come of `length` values.

        They are made in batches that use the engine fully, and no more of them than the vectors to come need. With
        none to come those that are left are dropped.
        """

    def is_busy(self, length: int | None) -> bool:
        """Whether the next vector, of `length` values if that is known, takes native work that threads can share."""
        return False

    def encrypt(self, values: npt.NDArray[Any]) -> EncryptedVector:
        """As the key's; which contribution it is the party records."""
        return self.key.encrypt(values)


class DecryptionKey(ABC):
    """The private key of a server: it decrypts, and can be neither printed nor pickled.

    Examples
    --------
    >>> from vecphe.federated import VectorizedBackend
    >>> public_key, private_key = VectorizedBackend().generate_keys(2048)
    >>> private_key.decrypt(public_key.encrypt([0.25]))
    array([0.25])
    """

    fingerprint: str

    @abstractmethod
    def _decrypted(self, vector: Any) -> Floats:
        """Decrypt a vector of this key and backend."""

    def decrypt(self, vector: EncryptedVector) -> Floats:
        """Decrypt a vector, which must be of this key."""
        if vector.key.fingerprint != self.fingerprint:
            raise KeyMismatchError("the vector was encrypted with another key")
        return self._decrypted(vector)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(fingerprint={getattr(self, 'fingerprint', 'none yet')[:8]})"

    def __copy__(self) -> DecryptionKey:
        return self

    def __deepcopy__(self, memo: Any) -> DecryptionKey:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a private key refuses to be pickled: it stays with the server that made it; send server.pubkey to the "
            "clients. Keys that are to be stored are made by vecphe.generate_keypair: they have save(path) and "
            "to_jwk(), and decrypt(array, n_jobs=-1) uses several cores"
        )


class Backend(ABC):
    """One way to encrypt vectors: a maker of key pairs.

    Attributes
    ----------
    name : str
        What the `backend` argument calls it.

    Examples
    --------
    >>> from vecphe.federated import Backend, PackedBackend, VectorizedBackend
    >>> isinstance(PackedBackend(), Backend), isinstance(VectorizedBackend(), Backend)
    (True, True)
    """

    name: ClassVar[str]

    @abstractmethod
    def generate_keys(self, key_length: int, insecure: bool = False) -> tuple[EncryptionKey, DecryptionKey]:
        """Make a key pair; lengths below 2048 bits need `insecure`."""


def encrypt_vector(public_key: EncryptionKey, x: npt.ArrayLike) -> EncryptedVector:
    """Encrypt a vector with the backend that the key carries.

    Parameters
    ----------
    public_key : EncryptionKey
        ``server.pubkey``.
    x : array_like
        One-dimensional, finite real numbers.

    Returns
    -------
    EncryptedVector

    Raises
    ------
    TypeError
        For masked arrays, complex numbers, text and objects.
    InvalidPlaintextError, PlaintextOverflowError
        If a value is not finite or out of the encoding's range.

    Examples
    --------
    >>> from vecphe.federated import PackedBackend, decrypt_vector, encrypt_vector
    >>> public_key, private_key = PackedBackend().generate_keys(2048)
    >>> decrypt_vector(private_key, encrypt_vector(public_key, [1.5, -2.0]))
    array([ 1.5, -2. ])
    """
    check_instance("public_key", public_key, EncryptionKey)
    values = x if isinstance(x, np.ndarray) else as_plain_array(x)  # arrays are copied and checked by the key
    if values.ndim != 1:
        raise ValueError(f"a vector is needed, not an array of shape {values.shape}")
    return public_key.encrypt(values)


def decrypt_vector(private_key: DecryptionKey, x: EncryptedVector) -> Floats:
    """Decrypt a vector.

    Parameters
    ----------
    private_key : DecryptionKey
        ``server.privkey``.
    x : EncryptedVector

    Returns
    -------
    ndarray
        float64.

    Examples
    --------
    >>> from vecphe.federated import PackedBackend, decrypt_vector, encrypt_vector
    >>> public_key, private_key = PackedBackend().generate_keys(2048)
    >>> decrypt_vector(private_key, encrypt_vector(public_key, [1.5, -2.0]))
    array([ 1.5, -2. ])
    """
    check_instance("private_key", private_key, DecryptionKey)
    check_instance("x", x, EncryptedVector)
    return private_key.decrypt(x)


def sum_encrypted_vectors(x: EncryptedVector, y: EncryptedVector) -> EncryptedVector:
    """Encrypted element-wise sum.

    Parameters
    ----------
    x, y : EncryptedVector
        Of the same key, backend and length.

    Returns
    -------
    EncryptedVector

    Raises
    ------
    KeyMismatchError, LayoutMismatchError
        If they do not match.
    PlaintextOverflowError
        If the sum could leave the encoding's range.

    Examples
    --------
    >>> from vecphe.federated import PackedBackend, decrypt_vector, encrypt_vector, sum_encrypted_vectors
    >>> public_key, private_key = PackedBackend().generate_keys(2048)
    >>> x, y = (encrypt_vector(public_key, values) for values in ([1.5, -2.0], [1.0, 1.0]))
    >>> decrypt_vector(private_key, sum_encrypted_vectors(x, y))
    array([ 2.5, -1. ])
    """
    check_instance("x", x, EncryptedVector)
    check_instance("y", y, EncryptedVector)
    return x + y
