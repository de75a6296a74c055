"""The public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import vecphe
from vecphe import api


def test_public_names() -> None:
    assert vecphe.__all__ == [
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
    assert all(hasattr(vecphe, name) for name in vecphe.__all__)
    assert sorted([*api.__all__, "__version__"]) == sorted(vecphe.__all__)
    assert set(vecphe.__all__) <= set(dir(vecphe))
    with pytest.raises(AttributeError, match="no attribute 'encrypt'"):
        vecphe.encrypt  # noqa: B018


def test_the_package_imports_nothing_until_a_name_is_used() -> None:
    """The command answers signals first; what it needs then is `vecphe.cli` alone."""
    script = "import sys, vecphe.cli; print([m for m in ('numpy', 'gmpy2', 'typer', 'vecphe.api') if m in sys.modules])"
    script += "; print(vecphe.EncryptedArray.__name__, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nEncryptedArray True\n"


def test_the_core_imports_neither_phe_nor_the_command_line() -> None:
    script = (
        "import sys; from vecphe import *\nprint([m for m in ('phe', 'typer', 'rich', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_error_is_also_a_builtin_one() -> None:
    from vecphe import errors

    builtin = {"ValueError", "TypeError", "OverflowError", "MemoryError", "RuntimeError", "UserWarning", "Exception"}
    for name in errors.__all__:
        assert builtin & {base.__name__ for base in getattr(errors, name).__mro__}, name
        assert name in (errors.__doc__ or "")
