"""What the protocol asks of an encryption scheme, and the three that answer.

::

    Backend.generate_keys() -> EncryptionKey, DecryptionKey
    EncryptionKey.encrypt(values) -> EncryptedVector
    EncryptedVector + EncryptedVector -> EncryptedVector
    DecryptionKey.decrypt(EncryptedVector) -> ndarray

=============  =====================================================================
``naive``      a Python loop over phe, one EncryptedNumber a value
``vectorized`` an EncryptedArray with one ciphertext a value
``packed``     an EncryptedArray with as many values in a ciphertext as fit
=============  =====================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np
import numpy.typing as npt

from vecphe.array import EncryptedArray
from vecphe.encoding import UNPACKED, FixedPoint, as_plain_array
from vecphe.errors import KeyMismatchError, LayoutMismatchError
from vecphe.keys import PrivateKey, PublicKey, generate_keypair
from vecphe.numbers import PublicNumbers, check_key_length
from vecphe.packing import SlotLayout

__all__ = [
    "Backend",
    "DecryptionKey",
    "EncryptedVector",
    "EncryptionKey",
    "NaiveBackend",
    "PackedBackend",
    "VectorizedBackend",
    "backend_named",
    "decrypt_vector",
    "encrypt_vector",
    "sum_encrypted_vectors",
]

Floats = npt.NDArray[np.float64]


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
    """

    key: EncryptionKey
    terms: int

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
        return self.n_ciphertexts * ciphertext_bytes(self.key.n)

    @abstractmethod
    def ciphertexts(self) -> list[int]:
        """Ciphertexts as integers in [0, n^2)."""

    @abstractmethod
    def _added(self, other: Any) -> EncryptedVector:
        """Sum with a vector of the same class, key and length."""

    def to_bytes(self) -> bytes:
        """Ciphertexts as little-endian integers of equal width, one after the other."""
        width = ciphertext_bytes(self.key.n)
        return b"".join(c.to_bytes(width, "little") for c in self.ciphertexts())

    def __add__(self, other: EncryptedVector) -> EncryptedVector:
        if not isinstance(other, EncryptedVector):
            return NotImplemented
        if self.key.fingerprint != other.key.fingerprint:
            raise KeyMismatchError(f"keys differ: {self.key.fingerprint[:8]} and {other.key.fingerprint[:8]}")
        if type(self) is not type(other):
            raise LayoutMismatchError(f"backends differ: {self.key.backend} and {other.key.backend}")
        if len(self) != len(other):
            raise LayoutMismatchError(f"lengths differ: {len(self)} and {len(other)} values")
        return self._added(other)


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
    """

    backend: str
    n: int
    fingerprint: str

    @property
    def key_length(self) -> int:
        """Bits of n."""
        return self.n.bit_length()

    @abstractmethod
    def prepare(self, n_vectors: int, length: int) -> None:
        """Do now what the encryption of `n_vectors` vectors of `length` values can have done beforehand."""

    @abstractmethod
    def encrypt(self, values: Floats) -> EncryptedVector:
        """Encrypt a vector of floats."""


class DecryptionKey(ABC):
    """The private key of a server: it decrypts, and can be neither printed nor pickled."""

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
        return f"{type(self).__name__}(fingerprint={self.fingerprint[:8]})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("private keys refuse to be pickled or copied")


class Backend(ABC):
    """One way to encrypt vectors: a maker of key pairs.

    Attributes
    ----------
    name : str
        What the `backend` argument calls it.
    """

    name: ClassVar[str]

    @abstractmethod
    def generate_keys(self, key_length: int, insecure: bool = False) -> tuple[EncryptionKey, DecryptionKey]:
        """Make a key pair; lengths below 2048 bits need `insecure`."""


def ciphertext_bytes(n: int) -> int:
    """Size of one canonical ciphertext under modulus n."""
    return 2 * ((n.bit_length() + 7) // 8)


# naive: the loop over phe that everything else is compared with


@dataclass(frozen=True, eq=False, repr=False)
class _NaiveVector(EncryptedVector):
    key: EncryptionKey
    numbers: list[Any]
    terms: int = 1

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def n_ciphertexts(self) -> int:
        return len(self.numbers)

    def ciphertexts(self) -> list[int]:
        # As they are: be_secure=True would change the numbers in place.
        return [number.ciphertext(be_secure=False) for number in self.numbers]

    def _added(self, other: _NaiveVector) -> _NaiveVector:
        numbers = [x + y for x, y in zip(self.numbers, other.numbers, strict=True)]
        return _NaiveVector(self.key, numbers, self.terms + other.terms)


class _NaiveKey(EncryptionKey):
    backend = "naive"

    def __init__(self, public_key: Any) -> None:
        self.public_key = public_key
        self.n = public_key.n
        self.fingerprint = PublicNumbers(public_key.n).fingerprint

    def prepare(self, n_vectors: int, length: int) -> None:
        """Nothing: phe computes every randomizer from scratch."""

    def encrypt(self, values: Floats) -> _NaiveVector:
        return _NaiveVector(self, [self.public_key.encrypt(value) for value in as_plain_array(values).tolist()])


class _NaivePrivateKey(DecryptionKey):
    def __init__(self, private_key: Any, fingerprint: str) -> None:
        self._private_key = private_key
        self.fingerprint = fingerprint

    def _decrypted(self, vector: _NaiveVector) -> Floats:
        return np.array([self._private_key.decrypt(number) for number in vector.numbers], dtype=np.float64)


class NaiveBackend(Backend):
    """A Python loop over phe, one ciphertext a value.

    Parameters
    ----------
    phe : module
        The imported module `phe`, or one of the same shape.
    """

    name = "naive"

    def __init__(self, phe: Any) -> None:
        if not hasattr(phe, "generate_paillier_keypair"):
            raise TypeError(f"NaiveBackend takes the module phe, not {type(phe).__name__}; {_GET_PHE}")
        self._phe = phe

    def generate_keys(self, key_length: int, insecure: bool = False) -> tuple[EncryptionKey, DecryptionKey]:
        """Make a key pair with phe, under the rules for key lengths of this library."""
        length = check_key_length(key_length, insecure=insecure)
        public_key, private_key = self._phe.generate_paillier_keypair(n_length=length)
        key = _NaiveKey(public_key)
        return key, _NaivePrivateKey(private_key, key.fingerprint)


# vectorized and packed: EncryptedArray


@dataclass(frozen=True, eq=False, repr=False)
class _ArrayVector(EncryptedVector):
    key: EncryptionKey
    array: EncryptedArray

    def __len__(self) -> int:
        return self.array.size

    @property
    def terms(self) -> int:  # type: ignore[override]
        return self.array.terms

    @property
    def n_ciphertexts(self) -> int:
        return self.array.n_ciphertexts

    def ciphertexts(self) -> list[int]:
        return self.array.ciphertexts()

    def _added(self, other: _ArrayVector) -> _ArrayVector:
        return _ArrayVector(self.key, self.array + other.array)


class _ArrayKey(EncryptionKey):
    def __init__(
        self, backend: str, public_key: PublicKey, encoding: FixedPoint, packed: bool, n_jobs: int | None
    ) -> None:
        self.backend = backend
        self.public_key = public_key
        self.n = public_key.n
        self.fingerprint = public_key.fingerprint
        self._encoding = encoding
        self._packed = packed
        self._n_jobs = n_jobs

    def prepare(self, n_vectors: int, length: int) -> None:
        slots = SlotLayout.for_key(self._encoding, self.key_length).slots if self._packed else 1
        self.public_key.prepare(n_vectors * -(-length // slots))

    def encrypt(self, values: Floats) -> _ArrayVector:
        array = self.public_key.encrypt(values, packed=self._packed, encoding=self._encoding, n_jobs=self._n_jobs)
        return _ArrayVector(self, array)


class _ArrayPrivateKey(DecryptionKey):
    def __init__(self, private_key: PrivateKey, n_jobs: int | None) -> None:
        self._private_key = private_key
        self._n_jobs = n_jobs
        self.fingerprint = private_key.public_key.fingerprint

    def _decrypted(self, vector: _ArrayVector) -> Floats:
        return np.asarray(self._private_key.decrypt(vector.array, n_jobs=self._n_jobs), dtype=np.float64)


class _ArrayBackend(Backend):
    packed: ClassVar[bool]

    def __init__(self, encoding: FixedPoint, n_jobs: int | None) -> None:
        self.encoding = encoding
        self.n_jobs = n_jobs

    def generate_keys(self, key_length: int, insecure: bool = False) -> tuple[EncryptionKey, DecryptionKey]:
        public_key, private_key = generate_keypair(key_length, insecure=insecure)
        key = _ArrayKey(self.name, public_key, self.encoding, self.packed, self.n_jobs)
        return key, _ArrayPrivateKey(private_key, self.n_jobs)


class VectorizedBackend(_ArrayBackend):
    """One ciphertext a value.

    Parameters
    ----------
    n_jobs : int, optional
        Workers for encryption and decryption, as joblib counts them.
    encoding : FixedPoint
        How numbers become integers; the default is exact for all but extreme values.
    """

    name = "vectorized"
    packed = False

    def __init__(self, n_jobs: int | None = None, encoding: FixedPoint = UNPACKED) -> None:
        super().__init__(encoding, n_jobs)


class PackedBackend(_ArrayBackend):
    """As many values in a ciphertext as fit.

    Parameters
    ----------
    max_terms : int
        How many vectors may be summed: the number of clients.
    n_jobs : int, optional
        Workers for encryption and decryption, as joblib counts them.
    encoding : FixedPoint, optional
        How numbers become integers; `max_terms` is not used if it is given.
    """

    name = "packed"
    packed = True

    def __init__(self, max_terms: int = 255, n_jobs: int | None = None, encoding: FixedPoint | None = None) -> None:
        super().__init__(FixedPoint(max_terms=max_terms) if encoding is None else encoding, n_jobs)


_GET_PHE = "install it with `pip install phe` and pass backend=NaiveBackend(phe)"


def backend_named(backend: str | Backend, n_clients: int = 255, n_jobs: int | None = None) -> Backend:
    """The backend of that name; a backend is returned as it is.

    Parameters
    ----------
    backend : str or Backend
        "packed", "vectorized", or an instance.
    n_clients : int
        How many vectors will be summed at most.
    n_jobs : int, optional
        Workers for encryption and decryption.

    Returns
    -------
    Backend

    Raises
    ------
    ValueError
        If there is no such backend, or it is "naive", which needs the module phe.
    """
    if isinstance(backend, Backend):
        return backend
    if backend == "packed":
        return PackedBackend(max_terms=n_clients, n_jobs=n_jobs)
    if backend == "vectorized":
        return VectorizedBackend(n_jobs=n_jobs)
    if backend == "naive":
        raise ValueError(f"the naive backend needs the module phe: {_GET_PHE}")
    raise ValueError(f"no backend is called {backend!r}; choose packed, vectorized, or pass a Backend")


def encrypt_vector(public_key: EncryptionKey, x: npt.ArrayLike) -> EncryptedVector:
    """Encrypt a vector with the backend that the key carries.

    Parameters
    ----------
    public_key : EncryptionKey
        ``server.pubkey``.
    x : array_like
        One-dimensional, finite numbers.

    Returns
    -------
    EncryptedVector

    Raises
    ------
    InvalidPlaintextError, PlaintextOverflowError
        If a value is not finite or out of the encoding's range.
    """
    values = np.asarray(x)
    if values.ndim != 1:
        raise ValueError(f"a vector is needed, not an array of shape {values.shape}")
    if values.dtype.kind in "biu":  # so that vectors of integers and of floats can be added
        values = values.astype(np.float64)
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
    """
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
    """
    return x + y
