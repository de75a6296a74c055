"""Every error and warning that vecphe raises on purpose.

::

    VecpheError
    ├── InvalidKeyError              (ValueError)    a key or key parameter that is unsafe or inconsistent
    ├── KeyMismatchError             (ValueError)    objects of different keys were mixed
    ├── InvalidPlaintextError        (ValueError)    NaN, infinity, or a plaintext outside its domain
    ├── PlaintextOverflowError       (OverflowError) a value or a tracked bound leaves the plaintext's range
    ├── InvalidCiphertextError       (ValueError)    not an element of Z*_{n^2}; deliberately without detail
    │   └── CorruptedAggregateError                  decrypted to what no honest sum can be (key holder only)
    ├── LayoutMismatchError          (ValueError)    different encodings, scales or slot layouts were mixed
    ├── PackedOperationError         (TypeError)     an operation that packed arrays cannot do
    ├── SerializationError           (ValueError)    malformed bytes or text
    ├── TableError                   (ValueError)    files of data that are no table to work with
    ├── MissingLibraryError          (ImportError)   a library that is no part of the base installation
    ├── EngineUnavailableError       (RuntimeError)  an engine that is unknown or does not run here
    ├── ParallelError                (RuntimeError)  workers died, or are not allowed for this work
    ├── BatchTooLargeError           (MemoryError)   more values than there is memory for their ciphertexts
    ├── ProtocolError                (RuntimeError)  a party broke the protocol, or a guard stopped it
    │   └── ClientLostError                          a client does not answer
    └── BenchmarkError               (RuntimeError)  a benchmark whose results were wrong, and so have no time

    UserWarning
    ├── InsecureKeyWarning           a key shorter than 2048 bits
    └── EngineFallbackWarning        a faster engine was expected and does not run
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BatchTooLargeError",
    "BenchmarkError",
    "ClientLostError",
    "CorruptedAggregateError",
    "EngineFallbackWarning",
    "EngineUnavailableError",
    "InsecureKeyWarning",
    "InvalidCiphertextError",
    "InvalidKeyError",
    "InvalidPlaintextError",
    "KeyMismatchError",
    "LayoutMismatchError",
    "MissingLibraryError",
    "PackedOperationError",
    "ParallelError",
    "PlaintextOverflowError",
    "ProtocolError",
    "SerializationError",
    "TableError",
    "VecpheError",
]


class VecpheError(Exception):
    """Base of all errors raised by vecphe."""


class InvalidKeyError(VecpheError, ValueError):
    """A key or a key parameter is unsafe or inconsistent."""


class KeyMismatchError(VecpheError, ValueError):
    """Objects that belong to different keys were mixed."""


class InvalidPlaintextError(VecpheError, ValueError):
    """A plaintext is NaN, infinite or outside its domain."""


class PlaintextOverflowError(VecpheError, OverflowError):
    """A value, or the tracked bound of a result, does not fit the plaintext."""


class InvalidCiphertextError(VecpheError, ValueError):
    """A ciphertext is not an element of Z*_{n^2}.

    The text is the same whatever the reason, so that it tells an attacker nothing.
    """

    def __init__(self, message: str = "not a valid ciphertext for this key") -> None:
        super().__init__(message)


class CorruptedAggregateError(InvalidCiphertextError):
    """A ciphertext decrypts to what no honest computation can give.

    For the key holder only: sent back to whoever supplied the ciphertext it would be a decryption oracle.
    """

    def __init__(self, message: str = "corrupted aggregate: a value or the padding is outside its bound") -> None:
        super().__init__(message)


class LayoutMismatchError(VecpheError, ValueError):
    """Encodings, scales or slot layouts do not match."""


class PackedOperationError(VecpheError, TypeError):
    """The operation needs one value a ciphertext; encrypt with ``packed=False``."""


class SerializationError(VecpheError, ValueError):
    """Bytes or text are not in the expected form."""


class TableError(VecpheError, ValueError):
    """Files of data are no table to work with.

    Attributes
    ----------
    found : tuple of (str, str)
        All that is wrong: a file, and a problem with its lines and the option that mends it. No cell is shown.
    """

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        self.found = tuple(found)
        super().__init__(found)

    def lines(self) -> list[str]:
        """The message: a line a problem, below the name of the file where it has several."""
        files: dict[str, list[str]] = {}
        for file, text in self.found:
            files.setdefault(file, []).append(text)
        told: list[str] = []
        for file, texts in files.items():
            one = len(texts) == 1
            told += (
                [f"{file}: {texts[0]}"] if one else [f"{file}: {len(texts)} problems", *(f"  {text}" for text in texts)]
            )
        return told

    def __str__(self) -> str:
        return "\n".join(self.lines())


class MissingLibraryError(VecpheError, ImportError):
    """A library is missing that is no part of the base installation."""


class EngineUnavailableError(VecpheError, RuntimeError):
    """The engine is unknown or does not run on this machine."""


class ParallelError(VecpheError, RuntimeError):
    """Workers died, or the active joblib backend is not allowed for this work."""


class BatchTooLargeError(VecpheError, MemoryError):
    """There is not enough memory for the ciphertexts of so many values; raised before any is computed."""


class ProtocolError(VecpheError, RuntimeError):
    """A party of the protocol misbehaved, or a guard refused to go on."""


class ClientLostError(ProtocolError):
    """A client does not answer.

    Attributes
    ----------
    client : str
        Its name.
    round : int
    """

    def __init__(self, client: str, round: int) -> None:
        super().__init__(client, round)
        self.client, self.round = client, round

    def __str__(self) -> str:
        return f"round {self.round}: {self.client} does not answer; no sum of this round was decrypted"


class BenchmarkError(VecpheError, RuntimeError):
    """What was benchmarked gave a wrong result; its time means nothing."""


class InsecureKeyWarning(UserWarning):
    """The key is shorter than 2048 bits and protects nothing."""


class EngineFallbackWarning(UserWarning):
    """A faster engine was expected but does not run; results are right, only slower."""
