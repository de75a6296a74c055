"""The names that `import vecphe` gives, in one module; the package imports it when the first of them is used."""

from vecphe.array import EncryptedArray, EncryptedArrays, concatenate, group_sum
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
from vecphe.keys import DecryptedChunks, EncryptedChunks, PrivateKey, PublicKey, generate_keypair
from vecphe.numbers.key_numbers import DEFAULT_KEY_LENGTH
from vecphe.plaintext.encoding import FixedPoint
from vecphe.plaintext.packing import SlotLayout
from vecphe.system.parallel import parallel

__all__ = [
    "DEFAULT_KEY_LENGTH",
    "BatchTooLargeError",
    "CorruptedAggregateError",
    "DecryptedChunks",
    "EncryptedArray",
    "EncryptedArrays",
    "EncryptedChunks",
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
    "concatenate",
    "from_phe",
    "generate_keypair",
    "group_sum",
    "parallel",
    "to_phe",
]
