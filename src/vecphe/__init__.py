"""Vectorized Paillier encryption: numpy arrays in, numpy arrays out."""

# ruff: noqa: F403, F405 - the names of vecphe.api are those listed here

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecphe.api import *

__version__ = "0.1.0"

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
    "__version__",
    "concatenate",
    "from_phe",
    "generate_keypair",
    "group_sum",
    "parallel",
    "to_phe",
]

_ROOMS = ("federated", "phe")  # packages that need no import of their own


def __getattr__(name: str) -> Any:
    """Import everything when the first name is used: a command has to answer Ctrl-C before it imports numpy."""
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    api = import_module("vecphe.api")
    globals().update({public: getattr(api, public) for public in api.__all__})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
