"""The public names, and what importing them costs."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import vecphe
from vecphe import PrivateKey, PublicKey, api, parallel
from vecphe.context import KeyContext
from vecphe.freshness import Freshness
from vecphe.serialization.fields import Number, array_fields
from vecphe.serialization.frames import SealedFields


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


def _slotted(keypair: tuple[PublicKey, PrivateKey]) -> Iterator[Any]:
    """Values that arrays, keys and files have in great number."""
    public_key, private_key = keypair
    c = public_key.encrypt([1.0, 2.0], packed=True)
    yield from (c.format, c.encoding, c.layout, c._freshness, public_key._context, private_key._numbers)
    yield public_key._context.numbers
    yield from (array_fields(public_key._context.numbers, c.shape, c.format), Number.of(1.5))
    yield SealedFields(14, 8, 1, b"salt", b"nonce", b"")


def test_what_is_shared_does_not_change(keypair: tuple[PublicKey, PrivateKey]) -> None:
    engine = keypair[0]._context.engine
    context = parallel._away_context(engine.name, keypair[0].n, 1, "processes")
    words = parallel._carried(context.ring, np.zeros((2, 1), dtype=np.uint64))
    slotted = list(_slotted(keypair))
    for value in (*slotted, engine.tuning, context, words):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, dataclasses.fields(value)[0].name, 0)
    assert [value for value in slotted if hasattr(value, "__dict__")] == []
    assert repr(words) == object.__repr__(words)  # plaintexts on their way


def test_records_of_freshness_are_themselves_alone() -> None:
    one, other = Freshness.none(), Freshness.none()
    assert one != other
    assert len({one, other}) == 2


def test_contexts_of_a_key_are_themselves_alone(public_key: PublicKey) -> None:
    one, other = (KeyContext.on(public_key._context.numbers) for _ in range(2))
    assert one != other
    assert one.ring is other.ring
