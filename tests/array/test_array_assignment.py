"""Item assignment: values and freshness of the array that changes, and of all that must not change with it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vecphe import (
    EncryptedArray,
    FixedPoint,
    KeyMismatchError,
    PackedOperationError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
    concatenate,
)

Keypair = tuple[PublicKey, PrivateKey]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (0, [9.0, 8.0, 7.0]),
        (-1, 5.0),
        ((1, 2), 5.0),
        ((0, slice(None, 2)), [9.0, 8.0]),
        (slice(None), [[9.0], [8.0]]),
        (..., 3.0),
        ((slice(None), [2, 0]), [[1.5, 2.5], [3.5, 4.5]]),
        ((slice(None, None, -1), 1), [9.0, 8.0]),
        (np.array([[True, False, True], [False, True, False]]), [7.0, 8.0, 9.0]),
        (np.array([[True, False, True], [False, True, False]]), 7.0),
        (np.zeros((2, 3), dtype=bool), 7.0),
        ([0, 0], [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]),
        (slice(2, 2), np.zeros((0, 3))),
    ],
    ids=str,
)
def test_assignment_is_numpys(keypair: Keypair, key: Any, value: Any) -> None:
    public_key, private_key = keypair
    x = np.arange(6.0).reshape(2, 3)
    c = public_key.encrypt(x)
    c[key] = public_key.encrypt(value)
    x[key] = value
    assert c.shape == x.shape
    assert private_key.decrypt(c).tolist() == x.tolist()
    assert private_key.decrypt(c * 2 + x).tolist() == (3 * x).tolist()


def test_assignment_of_what_was_computed_from_the_array(keypair: Keypair) -> None:
    public_key, private_key = keypair
    c = public_key.encrypt([1, 2, 3])
    c[0] = c[0] * 5
    assert private_key.decrypt(c).tolist() == [5, 2, 3]
    assert c.bound == 5 * c.encoding.unit
    c[1:] = c[:2] + c[2]
    assert private_key.decrypt(c).tolist() == [5, 8, 5]
    assert (c.terms, c.dtype) == (2, np.int64)
    c[2] += 1
    c[:2] = c[1::-1]
    assert private_key.decrypt(c).tolist() == [8, 5, 6]
    c[1] = c[1] * 0.25
    assert c.dtype == np.float64
    assert private_key.decrypt(c).tolist() == [8.0, 1.25, 6.0]
    c[...] = c
    assert private_key.decrypt(c.sum()) == 15.25


def relatives() -> dict[str, Callable[[EncryptedArray], Any]]:
    """What shares, or could share, the data of an array."""
    return {
        "copy": lambda c: c.copy(),
        "copy.copy": copy.copy,
        "copy.deepcopy": copy.deepcopy,
        "in a list": lambda c: copy.deepcopy([c])[0],
        "np.copy": np.copy,
        "pickle": lambda c: pickle.loads(pickle.dumps(c)),
        "+c": lambda c: +c,
        "c + 0": lambda c: c + 0,
        "0 + c": lambda c: 0 + c,
        "c - 0": lambda c: c - np.zeros(4),
        "sum": lambda c: sum([c]),
        "slice": lambda c: c[:],
        "ellipsis": lambda c: c[...],
        "reshape": lambda c: c.reshape(4),
        "ravel": lambda c: c.ravel(),
        "flatten": lambda c: c.flatten(),
        "transpose": lambda c: c.T,
        "transpose in order": lambda c: c.transpose((0,)),
        "broadcast": lambda c: np.broadcast_to(c, (4,)),
        "split": lambda c: np.split(c, 1)[0],
        "concatenate": lambda c: concatenate([c]),
        "times 1": lambda c: c * 1,
        "bytes": lambda c: EncryptedArray.from_bytes(c.public_key, c.to_bytes()),
    }


@pytest.mark.parametrize("name", relatives())
def test_assignment_changes_no_other_array(keypair: Keypair, name: str) -> None:
    public_key, private_key = keypair
    for changed in (0, 1):
        c = public_key.encrypt([1.0, 2.0, 3.0, 4.0])
        pair = [c, relatives()[name](c)]
        format = pair[1 - changed].format
        pair[changed][1:3] = public_key.encrypt([50.0, 60.0]) * 3
        assert private_key.decrypt(pair[changed]).tolist() == [1.0, 150.0, 180.0, 4.0]
        assert private_key.decrypt(pair[1 - changed]).tolist() == [1.0, 2.0, 3.0, 4.0]
        assert pair[1 - changed].format == format
    c = public_key.encrypt([1.0, 2.0, 3.0, 4.0])
    value = c[:1]
    c[3] = value[0]
    c[3] = c[3] + 1.0
    assert private_key.decrypt(value).tolist() == [1.0]


@pytest.mark.parametrize("exported", [False, True])
def test_h39_an_assigned_array_is_not_fresh(keypair: Keypair, exported: bool) -> None:
    public_key, private_key = keypair
    store = public_key._context.ring.store
    for key, value in ((0, 5.0), (slice(None), [7.0, 8.0]), (slice(0, 0), [])):
        c, new = public_key.encrypt([1.0, 2.0]), public_key.encrypt(value)
        if exported:
            c.to_bytes()
            new.to_bytes()
        c[key] = new
        assert not c.is_fresh
        leaving = c.ciphertexts()
        assert not set(leaving) & set(store(c.residues))
        assert private_key.decrypt(public_key.from_ciphertexts(leaving)).tolist() == private_key.decrypt(c).tolist()
        again = c + 1.0
        assert not set(again.ciphertexts()) & set(store(again.residues))


def test_h39_what_leaves_with_the_array_spends_what_was_assigned(public_key: PublicKey) -> None:
    n = public_key.n
    c, new = public_key.encrypt([1.0, 2.0]), public_key.encrypt(5.0)
    c[0] = new
    first = c.ciphertexts(rerandomize=False)[0]
    assert not new.is_fresh
    assert (new + 1.0).ciphertexts()[0] * pow(first, -1, n) % n != 1
    fresh = public_key.encrypt([1.0, 2.0])
    same = fresh.copy()
    assert same.is_fresh
    fresh.to_bytes()
    assert not same.is_fresh
    assert fresh.copy().ciphertexts() == fresh.ciphertexts()  # the very ciphertexts that have left


def test_bare_ones_that_were_assigned_do_not_leave(public_key: PublicKey) -> None:
    c = public_key.encrypt([1.0, 2.0])
    c[0] = c[0] * 0
    c[1] = c[1] - c[1]
    assert c.ciphertexts(rerandomize=False) == [1, 1]
    assert 1 not in c.ciphertexts()
    assert b"\x01" + bytes(127) not in c.to_bytes()


def test_assignment_that_fails_changes_nothing(keypair: Keypair, other_keypair: Keypair) -> None:
    public_key, private_key = keypair
    c = public_key.encrypt([1.0, 2.0])
    packed = public_key.encrypt([1.0, 2.0], packed=True)
    wide = public_key.encrypt([1], encoding=FixedPoint(0, public_key.n // 4))
    before = (c.residues, c.format, c.is_fresh)
    attempts: list[tuple[Any, Any, type[Exception], str]] = [
        (0, 5.0, TypeError, r"encrypted: c\[i\] = c.public_key.encrypt\(x\)"),
        (0, None, TypeError, "must be encrypted"),
        (slice(None), np.zeros(2), TypeError, "must be encrypted"),
        (2, c[0], IndexError, "out of bounds"),
        (0, c, ValueError, "sequence|broadcast|size"),
        (slice(None), public_key.encrypt(np.zeros(3)), ValueError, "broadcast"),
        (0, packed, PackedOperationError, "packed=False"),
        (0, other_keypair[0].encrypt(1.0), KeyMismatchError, "different keys"),
        (slice(0, 1), wide, PlaintextOverflowError, "plaintext's range"),
        ("a", c[0], IndexError, "indices"),
    ]
    for key, value, error, message in attempts:
        with pytest.raises(error, match=message):
            c[key] = value
        assert (c.residues, c.format, c.is_fresh) == before
    for new in (c[0], 5.0):
        with pytest.raises(PackedOperationError, match=r"cannot do item assignment: .* packed=False"):
            packed[0] = new
    assert private_key.decrypt(c).tolist() == [1.0, 2.0]


def test_an_assigned_array_travels(keypair: Keypair) -> None:
    public_key, private_key = keypair
    c = public_key.encrypt([[1, 2], [3, 4]])
    c[0] = c[0] * 3
    c[1, 1] = public_key.encrypt(-7)
    for back in (pickle.loads(pickle.dumps(c)), EncryptedArray.from_json(public_key, c.to_json()), copy.copy(c)):
        assert private_key.decrypt(back).tolist() == [[3, 6], [3, -7]]
        assert back.format == c.format
    with pytest.raises(TypeError, match="unhashable"):
        hash(c)
