"""The public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import vecphe


def test_public_names() -> None:
    assert vecphe.__all__ == [
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
    assert all(hasattr(vecphe, name) for name in vecphe.__all__)


def test_the_core_imports_neither_phe_nor_the_command_line() -> None:
    script = "import sys, vecphe; print([m for m in ('phe', 'typer', 'rich', 'sklearn', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_error_is_also_a_builtin_one() -> None:
    from vecphe import errors

    builtin = {"ValueError", "TypeError", "OverflowError", "MemoryError", "RuntimeError", "UserWarning", "Exception"}
    for name in errors.__all__:
        assert builtin & {base.__name__ for base in getattr(errors, name).__mro__}, name
        assert name in (errors.__doc__ or "")
