"""Vectorized Paillier encryption: numpy arrays in, numpy arrays out."""

from vecphe.array import EncryptedArray, concatenate
from vecphe.encoding import FixedPoint
from vecphe.errors import (
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
