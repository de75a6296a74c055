"""Values that are shared: none of them changes, and records of state are equal to themselves alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from vecphe import PrivateKey, PublicKey
from vecphe.numbers.context import KeyContext
from vecphe.randomness.freshness import Freshness
from vecphe.serialization.fields import Number, array_fields
from vecphe.serialization.frames import SealedFields
from vecphe.system import parallel


def _slotted(keypair: tuple[PublicKey, PrivateKey]) -> Iterator[Any]:
    """Values that arrays, keys and files have in great number."""
    public_key, private_key = keypair
    c = public_key.encrypt([1.0, 2.0], packed=True)
    yield from (c.format, c.encoding, c.layout, c._freshness, public_key._context, private_key._numbers)
    yield public_key._context.numbers
    yield from (array_fields(public_key._context.numbers, c.shape, c.format), Number.of(1.5))
    yield public_key.encrypt_many([[1.0]])._structure
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
