"""Vectorized Paillier encryption: numpy arrays in, numpy arrays out."""

from importlib import import_module as _import_module
from types import ModuleType as _ModuleType

from vecphe.array import EncryptedArray, concatenate
from vecphe.encoding import FixedPoint
from vecphe.errors import (
    BatchTooLargeError,
    CorruptedAggregateError,
    EngineFallbackWarning,
    EngineUnavailableError,
    InsecureKeyWarning,
    InvalidCiphertextError,
    InvalidKeyError,
    InvalidPlaintextError,
    KeyMismatchError,
    LayoutMismatchError,
    PackedOperationError,
    ParallelError,
    PlaintextOverflowError,
    ProtocolError,
    SerializationError,
    VecpheError,
)
from vecphe.interop import from_phe, to_phe
from vecphe.keys import PrivateKey, PublicKey, generate_keypair
from vecphe.numbers import DEFAULT_KEY_LENGTH
from vecphe.packing import SlotLayout

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_KEY_LENGTH",
    "BatchTooLargeError",
    "CorruptedAggregateError",
    "EncryptedArray",
    "EngineFallbackWarning",
    "EngineUnavailableError",
    "FixedPoint",
    "InsecureKeyWarning",
    "InvalidCiphertextError",
    "InvalidKeyError",
    "InvalidPlaintextError",
    "KeyMismatchError",
    "LayoutMismatchError",
    "PackedOperationError",
    "ParallelError",
    "PlaintextOverflowError",
    "PrivateKey",
    "ProtocolError",
    "PublicKey",
    "SerializationError",
    "SlotLayout",
    "VecpheError",
    "__version__",
    "concatenate",
    "from_phe",
    "generate_keypair",
    "to_phe",
]


def __getattr__(name: str) -> _ModuleType:
    """The larger rooms, imported when they are first asked for."""
    if name in ("federated", "phe"):
        return _import_module(f"vecphe.{name}")
    raise AttributeError(f"module 'vecphe' has no attribute {name!r}")
