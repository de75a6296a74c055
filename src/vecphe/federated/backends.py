"""The three ways to encrypt a vector.

=============  =====================================================================
``naive``      a Python loop over phe, one EncryptedNumber a value
``vectorized`` an EncryptedArray with one ciphertext a value
``packed``     an EncryptedArray with as many values in a ciphertext as fit
=============  =====================================================================
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from vecphe.array import EncryptedArray
from vecphe.errors import LayoutMismatchError, PlaintextOverflowError, SerializationError
from vecphe.federated.interface import Backend, DecryptionKey, EncryptedVector, EncryptionKey, Encryptor
from vecphe.federated.rounds import Contribution
from vecphe.interop import from_phe, to_phe
from vecphe.keys import PrivateKey, PublicKey, generate_keypair
from vecphe.numbers.key_numbers import PublicNumbers, check_key_length
from vecphe.plaintext.encoding import UNPACKED, FixedPoint, Floats, as_plain_array
from vecphe.plaintext.packing import SlotLayout
from vecphe.randomness.ready import ReadyRandomizers, batch_size

__all__ = ["NaiveBackend", "PackedBackend", "VectorizedBackend", "backend_named"]


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

    def to_bytes(self, *, rerandomize: bool = True) -> bytes:
        # Numbers of different exponents are aligned to the least: a frame has one scale.
        array = from_phe(PublicKey._from_numbers(PublicNumbers(self.key.n)), self.numbers)
        return array._derive(array.residues, terms=self.terms).to_bytes(rerandomize=False)

    def ciphertexts(self) -> list[int]:
        # As they are: be_secure=True would change the numbers in place.
        return [number.ciphertext(be_secure=False) for number in self.numbers]

    def _contents(self) -> tuple[Any, ...]:
        # Numbers can be changed in place, too.
        return *self.numbers, *self.ciphertexts(), *(number.exponent for number in self.numbers)

    def _added(self, other: _NaiveVector) -> _NaiveVector:
        try:
            numbers = [x + y for x, y in zip(self.numbers, other.numbers, strict=True)]
        except ValueError:  # phe brings numbers of different exponents to the smaller one
            raise PlaintextOverflowError("numbers too far apart in size to be added under this key") from None
        return _NaiveVector(self.key, numbers, self.terms + other.terms)


class _NaiveKey(EncryptionKey, backends=["naive"]):
    backend = "naive"

    def __init__(self, public_key: Any) -> None:
        self.public_key = public_key
        self.n = public_key.n
        self.fingerprint = PublicNumbers(public_key.n).fingerprint

    @property
    def exact_integers(self) -> tuple[int, int]:
        return 52, 0  # an exponent of 0 for each, where that of a float would tell its size

    def prepare(self, n_vectors: int, length: int) -> None:
        """Nothing: phe computes every randomizer from scratch."""

    def encrypt(self, values: npt.NDArray[Any]) -> _NaiveVector:
        plain = as_plain_array(values).tolist()
        try:
            numbers = [self.public_key.encrypt(value) for value in plain]
        except ValueError:  # of integers; every float fits
            raise PlaintextOverflowError("an integer is too large for the key") from None
        return _NaiveVector(self, numbers)._recorded((self.run.contribution(),))

    def _frames(self) -> tuple[bytes, bytes]:
        return PublicKey._from_numbers(PublicNumbers(self.n)).to_bytes(), b""

    @classmethod
    def _from_frames(
        cls, backend: str, frames: Sequence[bytes], insecure: bool, n_jobs: int | None, engine: str | None
    ) -> _NaiveKey:
        key, encoding = frames
        _refuse_engine(engine)
        if encoding:
            raise SerializationError("keys of the naive backend have no encoding")
        return cls(PublicKey.from_bytes(key, insecure=insecure).to_phe(_imported_phe()))

    def _vector_from_bytes(self, data: bytes) -> _NaiveVector:
        array = EncryptedArray.from_bytes(PublicKey._from_numbers(PublicNumbers(self.n)), data)
        if array.packed or array.ndim != 1:
            raise LayoutMismatchError("the naive backend takes vectors with one value a ciphertext")
        package = importlib.import_module(type(self.public_key).__module__.rpartition(".")[0])
        return _NaiveVector(self, to_phe(array, package, rerandomize=False), array.terms)


class _NaivePrivateKey(DecryptionKey):
    def __init__(self, private_key: Any, fingerprint: str) -> None:
        self._private_key = private_key
        self.fingerprint = fingerprint

    def _decrypted(self, vector: _NaiveVector) -> Floats:
        try:
            return np.array([self._private_key.decrypt(number) for number in vector.numbers], dtype=np.float64)
        except OverflowError:
            raise PlaintextOverflowError("a decrypted value is too large for its plaintext or a float64") from None


class NaiveBackend(Backend):
    """A Python loop over phe, one ciphertext a value.

    Parameters
    ----------
    phe : module
        The imported module `phe`, or one of the same shape.

    Examples
    --------
    >>> import phe
    >>> from vecphe.federated import NaiveBackend
    >>> public_key, private_key = NaiveBackend(phe).generate_keys(2048)
    >>> private_key.decrypt(public_key.encrypt([0.5]))
    array([0.5])
    """

    name = "naive"

    def __init__(self, phe: Any) -> None:
        if not hasattr(phe, "generate_paillier_keypair"):
            raise TypeError(f"NaiveBackend takes the module phe, not {type(phe).__name__}: pip install phe")
        self._phe = phe

    def __deepcopy__(self, memo: Any) -> NaiveBackend:
        return self  # modules cannot be copied, but estimators that hold a backend can

    def __reduce__(self) -> tuple[Any, ...]:
        return _import_naive_backend, (self._phe.__name__,)  # modules cannot be pickled either

    def generate_keys(self, key_length: int, insecure: bool = False) -> tuple[EncryptionKey, DecryptionKey]:
        """Make a key pair with phe, under the rules for key lengths of this library."""
        length = check_key_length(key_length, insecure=insecure)
        public_key, private_key = self._phe.generate_paillier_keypair(n_length=length)
        key = _NaiveKey(public_key)
        return key, _NaivePrivateKey(private_key, key.fingerprint)


def _refuse_engine(engine: str | None) -> None:
    if engine is not None:
        raise ValueError("the naive backend computes with phe, not with an engine of vecphe: leave the engine away")


def _import_naive_backend(module: str) -> NaiveBackend:
    return NaiveBackend(importlib.import_module(module))


def _imported_phe() -> Any:
    try:
        return importlib.import_module("phe")
    except ImportError:
        raise ValueError("the naive backend needs phe, which is not installed: pip install phe") from None


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

    def _contents(self) -> tuple[Any, ...]:
        return self.array, self.array.residues, self.array.format

    @property
    def contributions(self) -> tuple[Contribution, ...] | None:
        honest = self.array.bound == self.array.terms * self.array.encoding.unit
        return super().contributions if honest else None

    def to_bytes(self, *, rerandomize: bool = True) -> bytes:
        return self.array.to_bytes(rerandomize=rerandomize)

    def ciphertexts(self) -> list[int]:
        return self.array.ciphertexts()

    def _added(self, other: _ArrayVector) -> _ArrayVector:
        return _ArrayVector(self.key, self.array + other.array)


class _ArrayKey(EncryptionKey, backends=["vectorized", "packed"]):
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

    def for_party(self) -> _ArrayEncryptor:
        return _ArrayEncryptor(self)

    @cached_property
    def _slots(self) -> int:
        return SlotLayout.for_key(self._encoding, self.key_length).slots if self._packed else 1

    def n_ciphertexts(self, length: int) -> int:
        """Of a vector of so many values."""
        return -(-length // self._slots)

    @property
    def exact_integers(self) -> tuple[int, int]:
        return min(self._encoding.unit.bit_length() - 1, 52), self._encoding.fraction_bits

    def prepare(self, n_vectors: int, length: int) -> None:
        self.public_key.prepare(n_vectors * self.n_ciphertexts(length))

    def encrypt(self, values: npt.NDArray[Any]) -> _ArrayVector:
        return self.encrypt_under(values, self.public_key._ready)._recorded((self.run.contribution(),))

    def encrypt_under(self, values: npt.NDArray[Any], ready: ReadyRandomizers) -> _ArrayVector:
        """Encrypt under randomizers that are ready as far as they go, and leave the record to the caller."""
        return _ArrayVector(self, self.public_key._encrypt(values, self._packed, self._encoding, self._n_jobs, ready))

    def _frames(self) -> tuple[bytes, bytes]:
        return self.public_key.to_bytes(), self.encrypt(np.empty(0)).array.to_bytes()

    @classmethod
    def _from_frames(
        cls, backend: str, frames: Sequence[bytes], insecure: bool, n_jobs: int | None, engine: str | None
    ) -> _ArrayKey:
        public_key = PublicKey.from_bytes(frames[0], insecure=insecure, engine=engine)
        example = EncryptedArray.from_bytes(public_key, frames[1])
        if example.size or example.packed != (backend == "packed"):
            raise SerializationError(f"the encoding of the key is not one of the backend {backend}")
        return cls(backend, public_key, example.encoding, example.packed, n_jobs)

    def _vector_from_bytes(self, data: bytes) -> _ArrayVector:
        array = EncryptedArray.from_bytes(self.public_key, data)
        format = array.format
        as_encrypted = not format.layout or (format.fraction_bits, format.divisor) == (self._encoding.fraction_bits, 1)
        if array.ndim != 1 or array.packed != self._packed or array.encoding != self._encoding or not as_encrypted:
            raise LayoutMismatchError("not a vector, or encrypted in another way than this key does")
        return _ArrayVector(self, array)


class _ArrayEncryptor(Encryptor):
    def __init__(self, key: _ArrayKey) -> None:
        super().__init__(key)
        self._array_key = key
        context = key.public_key._context
        self._full = context.engine.tuning.full_batch
        self._ready = ReadyRandomizers(context.ring)

    def make_ready(self, n_vectors: int, length: int) -> None:
        if not n_vectors:
            self._ready.clear()
            return
        each, ready = self._array_key.n_ciphertexts(length), len(self._ready)
        if ready < each < self._full:  # vectors of more have batches that are large enough
            count = batch_size(each * n_vectors - ready, self._full)
            self._array_key.public_key._make_ready(count, self._ready, self._array_key._n_jobs)

    def is_busy(self, length: int | None) -> bool:
        in_threads = self._array_key.public_key._context.engine.tuning.workers == "threads"
        return in_threads and (length is None or len(self._ready) < self._array_key.n_ciphertexts(length))

    def encrypt(self, values: npt.NDArray[Any]) -> _ArrayVector:
        return self._array_key.encrypt_under(values, self._ready)


class _ArrayPrivateKey(DecryptionKey):
    def __init__(self, private_key: PrivateKey, n_jobs: int | None) -> None:
        self._private_key = private_key
        self._n_jobs = n_jobs
        self.fingerprint = private_key.public_key.fingerprint

    def _decrypted(self, vector: _ArrayVector) -> Floats:
        return np.asarray(self._private_key.decrypt(vector.array, n_jobs=self._n_jobs), dtype=np.float64)


class _ArrayBackend(Backend):
    packed: ClassVar[bool]

    def __init__(self, encoding: FixedPoint, n_jobs: int | None, engine: str | None) -> None:
        self.encoding = encoding
        self.n_jobs = n_jobs
        self.engine = engine
        self._by_name = False  # which is how a range is given, too

    def generate_keys(self, key_length: int, insecure: bool = False) -> tuple[EncryptionKey, DecryptionKey]:
        _, private_key = generate_keypair(key_length, insecure=insecure, engine=self.engine)
        return self.keys_of(private_key)

    def key_of(self, public_key: PublicKey) -> EncryptionKey:
        """A public key that was made or read elsewhere, with this way to encrypt."""
        key = _ArrayKey(self.name, public_key, self.encoding, self.packed, self.n_jobs)
        key.wider_range = self._wider_range()
        return key

    def keys_of(self, private_key: PrivateKey) -> tuple[EncryptionKey, DecryptionKey]:
        """The pair of a private key that was made or read elsewhere."""
        return self.key_of(private_key.public_key), _ArrayPrivateKey(private_key, self.n_jobs)

    def _wider_range(self) -> str:
        """What to type for a range that is 32 times as wide."""
        wider = int(max(self.encoding.max_abs * 32, 32))
        if self._by_name:
            return f"max_abs={wider}"
        encoding = f"FixedPoint({self.encoding.fraction_bits}, max_abs={wider}, max_terms={self.encoding.max_terms})"
        return f"backend={type(self).__name__}(encoding={encoding})"


class VectorizedBackend(_ArrayBackend):
    """One ciphertext a value.

    Parameters
    ----------
    n_jobs : int, optional
        Workers for encryption and decryption, as joblib counts them.
    encoding : FixedPoint
        How numbers become integers; the default is exact for all but extreme values.
    engine : str, optional
        Name of the engine that computes; see `PublicKey`.

    Examples
    --------
    >>> from vecphe.federated import VectorizedBackend
    >>> public_key, private_key = VectorizedBackend().generate_keys(2048)
    >>> public_key.encrypt([0.0] * 5).n_ciphertexts
    5
    """

    name = "vectorized"
    packed = False

    def __init__(self, n_jobs: int | None = None, encoding: FixedPoint = UNPACKED, engine: str | None = None) -> None:
        super().__init__(encoding, n_jobs, engine)


class PackedBackend(_ArrayBackend):
    """As many values in a ciphertext as fit.

    The default encoding has 40 fraction bits: every value is rounded to a multiple of 2^-40, so what is left of
    values near 1e-12 is a rounding error, without a warning. Where gradients are that small, scale the targets,
    give an encoding with more fraction bits, or use `VectorizedBackend`.

    Parameters
    ----------
    max_terms : int
        How many vectors may be summed: the number of clients.
    n_jobs : int, optional
        Workers for encryption and decryption, as joblib counts them.
    encoding : FixedPoint, optional
        How numbers become integers; `max_terms` is not used if it is given.
    engine : str, optional
        Name of the engine that computes; see `PublicKey`.

    Examples
    --------
    >>> from vecphe import FixedPoint
    >>> from vecphe.federated import PackedBackend
    >>> narrow = PackedBackend(encoding=FixedPoint(fraction_bits=20, max_abs=10, max_terms=5))
    >>> public_key, private_key = narrow.generate_keys(2048)
    >>> public_key.encrypt([0.0] * 75).n_ciphertexts
    1
    """

    name = "packed"
    packed = True

    def __init__(
        self,
        max_terms: int = 255,
        n_jobs: int | None = None,
        encoding: FixedPoint | None = None,
        engine: str | None = None,
    ) -> None:
        super().__init__(FixedPoint(max_terms=max_terms) if encoding is None else encoding, n_jobs, engine)


def backend_named(
    backend: str | Backend,
    n_clients: int = 255,
    n_jobs: int | None = None,
    engine: str | None = None,
    *,
    encoding: FixedPoint | None = None,
    max_abs: float | None = None,
    max_terms: int | None = None,
) -> Backend:
    """The backend of that name; a backend is returned as it is.

    Parameters
    ----------
    backend : str or Backend
        "packed", "vectorized", "naive" (which needs phe), or an instance.
    n_clients : int
        How many vectors will be summed at most.
    n_jobs : int, optional
        Workers for encryption and decryption.
    engine : str, optional
        Name of the engine that computes; see `PublicKey`.
    encoding : FixedPoint, optional
        How numbers become integers; else the default of the backend.
    max_abs : real number, optional
        Largest magnitude that is accepted, in place of the encoding's.
    max_terms : int, optional
        How many vectors may be summed, in place of the encoding's; only "packed" needs to know.

    Returns
    -------
    Backend

    Raises
    ------
    TypeError
        If the encoding is no FixedPoint.
    ValueError
        If there is no such backend, it is "naive" and phe is not installed, an engine or a part of an encoding is named
        where the backend is "naive" or an instance, or the range is none.
    """
    ranges = {"encoding": encoding, "max_abs": max_abs, "max_terms": max_terms}
    given = [name for name, value in ranges.items() if value is not None]
    if isinstance(backend, Backend):
        if engine is not None:
            raise ValueError("a backend has its engine already: make it with one, as PackedBackend(engine=...)")
        if given:
            raise ValueError(
                f"a backend has its encoding already: leave out {given[0]}, and make the backend with one, as "
                "PackedBackend(encoding=FixedPoint(...))"
            )
        return backend
    if backend == "naive":
        _refuse_engine(engine)
        if given:
            raise ValueError(f"the naive backend encodes as phe does: leave out {given[0]}")
        return NaiveBackend(_imported_phe())
    default = {"packed": FixedPoint(max_terms=n_clients), "vectorized": UNPACKED}.get(backend)
    if default is None:
        raise ValueError(f"no backend is called {backend!r}; choose packed, vectorized or naive, or pass a Backend")
    chosen = _ranged(default if encoding is None else encoding, max_abs, max_terms)
    made: _ArrayBackend
    if backend == "packed":
        made = PackedBackend(n_jobs=n_jobs, encoding=chosen, engine=engine)
    else:
        made = VectorizedBackend(n_jobs=n_jobs, encoding=chosen, engine=engine)
    made._by_name = True
    return made


def _ranged(encoding: FixedPoint, max_abs: float | None, max_terms: int | None) -> FixedPoint:
    if not isinstance(encoding, FixedPoint):
        raise TypeError(f"encoding must be a FixedPoint, not {type(encoding).__name__}")
    changes = {name: value for name, value in (("max_abs", max_abs), ("max_terms", max_terms)) if value is not None}
    try:
        return replace(encoding, **changes)  # type: ignore[arg-type]
    except TypeError as error:  # for a text where a number belongs, as all options of a run
        raise ValueError(str(error)) from None
