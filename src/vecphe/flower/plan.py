"""What a run agrees on once: the public key, how updates are encoded, weighted and cut, and which model it is."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import ciphertext_bytes
from vecphe.errors import ProtocolError, SerializationError
from vecphe.federated.backends import PackedBackend
from vecphe.federated.interface import EncryptionKey
from vecphe.federated.wire import pack, unpack
from vecphe.flower.roster import Roster
from vecphe.keys import PublicKey
from vecphe.plaintext.encoding import FixedPoint, Floats
from vecphe.plaintext.packing import SlotLayout

__all__ = ["CHUNK_BYTES", "WEIGHTS", "Plan", "plan_for"]

WEIGHTS = ("none", "encrypted", "public")
CHUNK_BYTES = 4 << 20  # of ciphertexts an envelope: below the 5 MiB that Flower itself cuts arrays into
_MOST_VALUES = 1 << 40
_DOMAIN = b"vecphe flower plan\x00"


@dataclass(frozen=True)
class Plan:
    """The agreement of a run.

    Attributes
    ----------
    model : str
        Name of what is trained; a party may allow some names only.
    shapes : tuple of tuple of int
        Of the arrays of an update.
    rounds : int
        How many there are at most.
    clip : float
        Largest magnitude of a value of an update; a party whose update leaves it sends nothing.
    fraction_bits : int
        Of the encoding.
    weights : {"none", "encrypted", "public"}
        Whether updates are weighted by numbers of examples; these are encrypted, or told to the server.
    max_weight : int
    chunk : int
        Values an envelope holds.
    public_key : bytes
        As `PublicKey.to_bytes`.
    """

    model: str
    shapes: tuple[tuple[int, ...], ...]
    rounds: int
    clip: float
    fraction_bits: int
    weights: str
    max_weight: int
    chunk: int
    public_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not (isinstance(self.model, str) and self.model.isprintable() and len(self.model) <= 200):
            raise SerializationError("model must be at most 200 printable characters")
        if self.weights not in WEIGHTS:
            raise SerializationError(f"weights must be one of {', '.join(WEIGHTS)}, not {self.weights!r}")
        for name in ("rounds", "max_weight", "chunk", "fraction_bits"):
            value = getattr(self, name)
            if type(value) is not int or not (name == "fraction_bits" or value >= 1) or value >= _MOST_VALUES:
                raise SerializationError(f"{name} must be a positive integer")
        if type(self.clip) is not float or not 0 < self.clip < math.inf:
            raise SerializationError("clip must be a positive, finite float")
        sizes = [size for shape in self.shapes for size in shape]
        if not self.shapes or any(type(size) is not int or not 0 <= size < _MOST_VALUES for size in sizes):
            raise SerializationError("shapes must be lists of lengths, one for each array")
        if not 1 <= self.length < _MOST_VALUES:
            raise SerializationError("an update must have at least one value")
        if self.weights == "none" and self.max_weight != 1:
            raise SerializationError("without weights max_weight is 1")

    @property
    def n_values(self) -> int:
        """Values of an update."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def length(self) -> int:
        """Values that are encrypted: the update's, and its weight if that is secret."""
        return self.n_values + (self.weights == "encrypted")

    @property
    def chunks(self) -> int:
        """Envelopes a hop."""
        return -(-self.length // self.chunk)

    def encoding(self, n_clients: int) -> FixedPoint:
        """How values become integers: every weighted one has room, and so has the sum of all clients'."""
        return FixedPoint(self.fraction_bits, max(self.clip, 1.0) * self.max_weight, n_clients)

    def n_ciphertexts(self, n_clients: int, key_length: int) -> int:
        """How many an update takes, all chunks together."""
        return -(-self.length // SlotLayout.for_key(self.encoding(n_clients), key_length).slots)

    def key(self, roster: Roster, *, insecure: bool = False, n_jobs: int | None = None) -> EncryptionKey:
        """The run's key to encrypt with, which must be the one of the roster.

        Raises
        ------
        ProtocolError
            If it is another one.
        SerializationError, InvalidKeyError
        """
        key = _key(self.public_key, self.encoding(len(roster.members)), insecure, n_jobs)
        if key.fingerprint != roster.key:
            raise ProtocolError(
                f"the public key {key.fingerprint[:8]} is not the one of the roster, {roster.key[:8]}; a new key "
                "needs a new roster"
            )
        key.run.id = roster.run
        return key

    def pieces(self, arrays: Sequence[npt.NDArray[Any]], weight: int) -> list[Floats]:
        """A weighted update in one dimension, cut into what one envelope holds; the caller has checked it."""
        flat = np.concatenate([np.ravel(array).astype(np.float64) for array in arrays]) * weight
        if self.weights == "encrypted":
            flat = np.append(flat, float(weight))
        return np.split(flat, range(self.chunk, len(flat), self.chunk))

    def mean(self, total: Floats, weight: int) -> list[Floats]:
        """The arrays of the mean, of the sum of all values; `weight` is used unless the sum holds its own.

        Raises
        ------
        ProtocolError
            If the weights add up to nothing.
        """
        if self.weights == "encrypted":
            weight = round(float(total[-1]))
            total = total[:-1]
        if weight < 1:
            raise ProtocolError("the weights of all clients add up to 0")
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]
        parts = zip(np.split(total / weight, ends), self.shapes, strict=True)
        return [part.reshape(shape) for part, shape in parts]

    def to_bytes(self) -> bytes:
        """The plan, to be agreed on."""
        header = {name: value for name, value in asdict(self).items() if name != "public_key"}
        return pack("plan", header, self.public_key)

    @classmethod
    def from_bytes(cls, data: bytes) -> Plan:
        """A plan of `to_bytes`; SerializationError for anything else."""
        names = [field.name for field in fields(cls) if field.name != "public_key"]
        header, (public_key,) = unpack(data, "plan", names, 1)
        shapes = header["shapes"]
        if not isinstance(shapes, list) or not all(isinstance(shape, list) for shape in shapes):
            raise SerializationError("shapes must be lists of lengths, one for each array")
        settings = {name: header[name] for name in names if name != "shapes"}
        return cls(shapes=tuple(map(tuple, shapes)), public_key=public_key, **settings)

    @property
    def layout(self) -> str:
        """32 hexadecimal digits over all of it, which every envelope of a round is bound to."""
        return hashlib.sha256(_DOMAIN + self.to_bytes()).hexdigest()[:32]


@lru_cache(maxsize=4)  # its table costs more than a small hop; no party's memory is here
def _key(public_key: bytes, encoding: FixedPoint, insecure: bool, n_jobs: int | None) -> EncryptionKey:
    return PackedBackend(encoding=encoding, n_jobs=n_jobs).key_of(PublicKey.from_bytes(public_key, insecure=insecure))


def plan_for(
    roster: Roster,
    public_key: PublicKey,
    shapes: Sequence[Sequence[int]],
    *,
    model: str = "model",
    rounds: int = 1,
    clip: float = 2.0**15,
    fraction_bits: int = 40,
    weights: str = "none",
    max_weight: int = 1,
    chunk_bytes: int = CHUNK_BYTES,
) -> Plan:
    """A plan with chunks of about `chunk_bytes` bytes; see `Plan` for the others.

    Raises
    ------
    SerializationError
        If a setting is out of its range.
    LayoutMismatchError
        If values this large do not fit the key.
    """
    settings: dict[str, Any] = {
        "model": model,
        "shapes": tuple(tuple(int(size) for size in shape) for shape in shapes),
        "rounds": rounds,
        "clip": clip if isinstance(clip, (bool, str)) else float(clip),  # those are refused
        "fraction_bits": fraction_bits,
        "weights": weights,
        "max_weight": 1 if weights == "none" else max_weight,
        "public_key": public_key.to_bytes(),
    }
    encoding = Plan(chunk=1, **settings).encoding(len(roster.members))
    slots = SlotLayout.for_key(encoding, public_key.key_length).slots
    return Plan(chunk=max(1, chunk_bytes // ciphertext_bytes(public_key.key_length)) * slots, **settings)
