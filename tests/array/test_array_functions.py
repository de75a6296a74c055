"""numpy's functions on encrypted arrays, and what an array has in common with numpy's."""

from __future__ import annotations

import re
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import vecphe
from vecphe import (
    EncryptedArray,
    FixedPoint,
    KeyMismatchError,
    PackedOperationError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
)

Keypair = tuple[PublicKey, PrivateKey]

X = np.array([[1.0, -2.5, 3.0, 0.5], [4.0, 5.0, -6.25, 7.0]])
Y = np.array([[10.0, 20.0, 30.0, 40.0], [-1.0, 0.25, 2.0, 3.0]])
MASK = np.array([[True, False, True, False], [False, False, True, True]])
MISSING = np.where(MASK, np.nan, Y)


@pytest.fixture(scope="module")
def encrypted(keypair: Keypair) -> tuple[EncryptedArray, EncryptedArray]:
    return keypair[0].encrypt(X), keypair[0].encrypt(Y)


def assert_equal(private_key: PrivateKey, result: Any, expected: Any) -> None:
    if isinstance(expected, list | tuple):
        assert len(result) == len(expected) > 0
        for part, plain in zip(result, expected, strict=True):
            assert_equal(private_key, part, plain)
    else:
        assert isinstance(result, EncryptedArray)
        assert result.shape == expected.shape
        np.testing.assert_allclose(private_key.decrypt(result), expected, rtol=1e-14)


ONE: list[Callable[[Any], Any]] = [
    lambda a: np.take(a, [3, 0, 0]),
    lambda a: np.take(a, [-1, 2], axis=1),
    lambda a: np.take(a, [[0, 9]], mode="clip"),
    lambda a: np.take(a, 5, mode="wrap"),
    lambda a: np.take_along_axis(a, np.array([[0], [2]]), axis=1),
    lambda a: np.split(a, 2, axis=1),
    lambda a: np.split(a, [1, 3], axis=1),
    lambda a: np.array_split(a, 3, axis=1),
    lambda a: np.hsplit(a, 2),
    lambda a: np.vsplit(a, 2),
    lambda a: np.dsplit(a.reshape(1, 2, 4), 2),
    lambda a: np.squeeze(a.reshape(1, 8)),
    lambda a: np.expand_dims(a, 1),
    lambda a: np.swapaxes(a, 0, 1),
    lambda a: np.moveaxis(a.reshape(2, 2, 2), 0, -1),
    lambda a: np.flip(a),
    lambda a: np.fliplr(a),
    lambda a: np.flipud(a),
    lambda a: np.rot90(a),
    lambda a: np.roll(a, 3),
    lambda a: np.roll(a, -1, axis=1),
    lambda a: np.repeat(a, 2, axis=0),
    lambda a: np.tile(a, (2, 1)),
    lambda a: np.broadcast_to(a, (3, 2, 4)),
    lambda a: np.resize(a, (3, 3)),
    lambda a: np.diagonal(a),
    lambda a: np.delete(a, 1, axis=1),
    lambda a: np.atleast_1d(a[0, 0]),
    lambda a: np.atleast_2d(a[0]),
    lambda a: np.atleast_3d(a),
    lambda a: np.copy(a),
    lambda a: np.ravel(a),
    lambda a: np.reshape(a, (4, 2)),
    lambda a: np.transpose(a),
    lambda a: np.transpose(a, (1, 0)),
    lambda a: np.sum(a, axis=0),
    lambda a: np.mean(a, axis=1, keepdims=True),
    lambda a: a.copy(),
    lambda a: a.flatten(),
    lambda a: a.dot(Y.T),
    lambda a: a.dot(2),
    lambda a: a.dot(Y[0]),
    lambda a: np.dot(Y.T, a),
    lambda a: np.inner(a, Y),
    lambda a: np.inner(Y, a),
    lambda a: np.inner(a[0], Y[1]),
    lambda a: np.inner(Y[0], a),
    lambda a: np.inner(a, Y.tolist()),
    lambda a: np.inner(a, 2.0),
    lambda a: np.outer(a[0], [1.0, 2.0]),
    lambda a: np.outer(Y, a),
    lambda a: np.outer([3, 4], a[1]),
    lambda a: np.outer(2, a),
    lambda a: np.where(MASK, a, 0),
    lambda a: np.where(MASK, a, Y),
    lambda a: np.where(MASK, 7, a),
    lambda a: np.where(MASK[0], Y[0], a),
    lambda a: np.where(np.array([[[True]], [[False]]]), a, Y),
    lambda a: np.where(MASK.tolist(), a, Y.tolist()),
    lambda a: np.where(True, a, Y),
    lambda a: np.where([2, 0, -1, 0], a, Y),
    lambda a: np.where([0.5, 0.0, np.nan, 0.0], 7, a),
    # Called by keywords, and with options that ask for what is so anyway.
    lambda a: np.sum(a=a, axis=0, dtype=None, out=None),
    lambda a: np.mean(a=a, keepdims=True),
    lambda a: np.take(a=a, indices=[1], axis=1),
    lambda a: np.split(ary=a, indices_or_sections=2)[1],
    lambda a: np.flip(m=a),
    lambda a: np.stack(arrays=[a, a], out=None, dtype=None),
    lambda a: np.reshape(a, (4, 2), order="C"),
    lambda a: np.copy(a=a, order="K"),
    lambda a: np.dot(a=a, b=Y.T),
    lambda a: np.outer(b=a, a=Y),
    lambda a: np.add(a, 1, dtype=None),
    lambda a: np.add.reduce(a, axis=1, dtype=None),
    lambda a: np.add.reduce(a),
    lambda a: np.where(np.isnan(MISSING), a, MISSING),  # what missing values are filled with
    lambda a: np.where(~np.isnan(MISSING), MISSING.tolist(), a),
    lambda a: +a,
    lambda a: 0 + a,
    lambda a: a.transpose((0, 1)),
    lambda a: a.transpose((-1, 0)),
    lambda a: a.reshape((4, 2)),
    lambda a: a.reshape([2, 4]),
    lambda a: a.reshape(4, 2),
    lambda a: a.reshape(np.int64(8)),
    lambda a: a.reshape(-1, 4, 1),
    lambda a: a.reshape((-1,)),
    lambda a: a[0, :1].reshape(()),
    lambda a: np.sum(a, ()),
    lambda a: np.add(a, 1, order=np.str_("A"), dtype=None),
]
TWO: list[Callable[[Any, Any], Any]] = [
    lambda a, b: np.stack([a, b]),
    lambda a, b: np.stack((a, b, a), axis=-1),
    lambda a, b: np.concatenate([a, b], axis=1),
    lambda a, b: np.concatenate((a, b)),
    lambda a, b: np.concatenate((a, b), 1),
    lambda a, b: np.stack([a, b], 2),
    lambda a, b: np.concatenate([a, b], axis=None),
    lambda a, b: np.vstack([a, b]),
    lambda a, b: np.hstack([a, b]),
    lambda a, b: np.dstack([a, b]),
    lambda a, b: np.column_stack([a[0], b[1]]),
    lambda a, b: np.where(MASK, a, b),
    lambda a, b: np.where(MASK[:, :1], a[0], b),
]


@pytest.mark.parametrize("number", range(len(ONE)))
def test_functions_of_one_array(
    private_key: PrivateKey, encrypted: tuple[EncryptedArray, EncryptedArray], number: int
) -> None:
    assert_equal(private_key, ONE[number](encrypted[0]), ONE[number](X))


@pytest.mark.parametrize("number", range(len(TWO)))
def test_functions_of_two_arrays(
    private_key: PrivateKey, encrypted: tuple[EncryptedArray, EncryptedArray], number: int
) -> None:
    assert_equal(private_key, TWO[number](*encrypted), TWO[number](X, Y))
    assert not TWO[number](*encrypted).is_fresh


def test_h39_what_repeats_elements_is_not_fresh(public_key: PublicKey) -> None:
    for move in (
        lambda c: np.repeat(c, 2),
        lambda c: np.tile(c, 2),
        lambda c: np.take(c, [0, 0]),
        lambda c: np.resize(c, 3),
        lambda c: np.broadcast_to(c, (2, 2)),
        lambda c: np.where([True, False], c, 0),
        lambda c: np.stack([c, c]),
    ):
        moved = move(public_key.encrypt([1.0, 2.0]))
        assert not moved.is_fresh
        assert not set(moved.ciphertexts()) & set(public_key._context.ring.store(moved.residues))
    for move in (np.flip, np.squeeze, lambda c: np.take(c, [1]), lambda c: np.split(c, 2)[0]):
        c = public_key.encrypt([1.0, 2.0])
        assert move(c).is_fresh
        c.to_bytes()
        assert not move(c).is_fresh


def test_sizes_along_axes(keypair: Keypair) -> None:
    c = keypair[0].encrypt(np.zeros((2, 3)))
    assert (np.size(c), np.size(c, 0), np.size(c, axis=-1), np.shape(a=c)) == (6, 2, 3, (2, 3))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda c: np.sum(c, dtype=float), "numpy.sum takes only a, axis, keepdims on encrypted arrays"),
        (lambda c: np.sum(c, where=[True, False]), "numpy.sum takes only a, axis, keepdims"),
        (lambda c: np.mean(c, 0, float), "numpy.mean takes only a, axis, keepdims"),
        (lambda c: np.reshape(c, (2, 1), order="F"), "numpy.reshape takes only a, "),
        (lambda c: np.ravel(c, "F"), "numpy.ravel takes only a on"),
        (lambda c: np.dot(c, [1, 2], out=np.zeros(1)), "numpy.dot takes only a, b"),
        (lambda c: np.outer([1], c, out=np.zeros((1, 2))), "numpy.outer takes only a, b"),
        (lambda c: np.concatenate([c, c], dtype=float), "numpy.concatenate does not work"),
    ],
)
def test_options_that_arrays_do_not_have_are_named_as_in_numpy(
    keypair: Keypair, call: Callable[[Any], Any], told: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(told)):
        call(keypair[0].encrypt([1.0, 2.0]))


WORKS = "there are c + x, c - x, c * x, c / x, x @ c, c + c, c - c, c.sum(), c.mean(), and functions that move elements"
NO_COMPARISON = "encrypted values cannot be compared: only the key holder sees them"
NO_PRODUCT = "a product of two encrypted values cannot be computed: Paillier only adds"
NO_DIVISOR = "division by an encrypted value cannot be computed: Paillier only adds"
OUT = (
    "numpy.add cannot store an encrypted result in an array that exists; where you wrote x += c (or x -= c, x *= c, "
    "x @= c), write x = x + c"
)
NO_ARRAY = (
    "an EncryptedArray does not turn into a plain array; with a DataFrame or tensor x on the left write "
    "numpy.asarray(x) @ c, of a list of encrypted arrays numpy.mean(numpy.stack([c, d]), axis=0)"
)
OF_UFUNCS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda c: np.add(c, 1, out=np.zeros(2)), OUT),
    (lambda c: np.add(np.zeros(2), np.zeros(2), out=c), OUT),
    (lambda c: np.add.reduce(c, initial=1), f"numpy.add.reduce does not work on encrypted arrays; {WORKS}"),
    (lambda c: np.add.accumulate(c), f"numpy.add.accumulate does not work on encrypted arrays; {WORKS}"),
    (lambda c: np.add.outer(c, [1]), f"numpy.add.outer does not work on encrypted arrays; {WORKS}"),
    *(
        (lambda c, u=ufunc: u.reduce(c), f"numpy.{ufunc.__name__}.reduce does not work on encrypted arrays; {WORKS}")
        for ufunc in (np.multiply, np.subtract, np.maximum)
    ),
    (lambda c: np.maximum(c, c), f"numpy.maximum does not work on encrypted arrays; {WORKS}"),
    (lambda c: np.exp(c), f"numpy.exp does not work on encrypted arrays; {WORKS}"),
    (lambda c: np.add(c, 1, where=[True, False]), f"numpy.add takes no where on encrypted arrays; {WORKS}"),
    (lambda c: np.add(c, 1, where=True), f"numpy.add takes no where on encrypted arrays; {WORKS}"),
    (
        lambda c: np.add(c, 1, subok=False, dtype=float, casting="no"),
        f"numpy.add takes no casting and no dtype and no subok on encrypted arrays; {WORKS}",
    ),
    (lambda c: np.add(c, 1, order="F"), f"numpy.add takes no order on encrypted arrays; {WORKS}"),
    (lambda c: np.multiply(None, c), f"numpy.multiply of an encrypted array does not work with NoneType; {WORKS}"),
    (lambda c: np.subtract(c, "1"), f"numpy.subtract of an encrypted array does not work with str; {WORKS}"),
    *((lambda c, u=ufunc: u(1.0, c), NO_COMPARISON) for ufunc in (np.equal, np.not_equal, np.less, np.less_equal)),
    *((lambda c, u=ufunc: u(c, 1.0), NO_COMPARISON) for ufunc in (np.greater, np.greater_equal)),
    (lambda c: np.equal.reduce(c), NO_COMPARISON),
    (lambda c: c == 1, NO_COMPARISON),
    (bool, "an encrypted value has no truth value: only the key holder sees it"),
    (lambda c: np.multiply(c, c), NO_PRODUCT),
    (lambda c: np.matmul(c, c), NO_PRODUCT),
    (lambda c: c * c[0], NO_PRODUCT),
    (lambda c: c @ c, NO_PRODUCT),
    (lambda c: np.true_divide(c, c), NO_DIVISOR),
    (lambda c: c / c, NO_DIVISOR),
    (lambda c: 1 / c, NO_DIVISOR),
    (lambda c: np.ones(2) / c, NO_DIVISOR),
    (lambda c: np.asarray(c), NO_ARRAY),
    (lambda c: np.array([c, c]), NO_ARRAY),
    (lambda c: c * [c, c], NO_ARRAY),
    (
        lambda c: np.ma.masked_array([1.0, 2.0], [True, False]) + c,
        "a masked array x and an encrypted one do not combine; fill it first: x.filled(value)",
    ),
]


@pytest.mark.parametrize("number", range(len(OF_UFUNCS)))
def test_what_operators_and_ufuncs_say(public_key: PublicKey, number: int) -> None:
    call, told = OF_UFUNCS[number]
    with pytest.raises(TypeError) as caught:
        call(public_key.encrypt([1.0, 2.0]))
    assert str(caught.value) == told


ALLOWED: list[Callable[[Any], Any]] = [
    *(lambda a, o=order: np.add(a, 1.0, order=o) for order in ("C", "K", "A")),
    lambda a: np.negative(a),
    lambda a: np.positive(a),
    lambda a: np.subtract(1.0, a),
    lambda a: np.subtract(a, [[1.0, 2.0, 3.0, 4.0]]),
    lambda a: np.multiply(2.0, a),
    lambda a: np.true_divide(a, 4.0),
    lambda a: np.matmul(a, Y.T),
    lambda a: np.matmul(Y.T, a),
    lambda a: np.dot(2.0, a),
    lambda a: np.dot(a, 2.0),
    lambda a: np.inner(2.0, a),
    lambda a: np.inner(a, 2.0),
    lambda a: np.dot(a[0], Y[0]),
    lambda a: np.dot(Y[1], a[1]),
    lambda a: np.add.reduce(a, keepdims=True),
    lambda a: np.add.reduce(a, axis=None),
    lambda a: np.sum(a),
    lambda a: np.sum(a, 1),
    lambda a: np.mean(a),
    lambda a: np.mean(a, 0),
]


@pytest.mark.parametrize("number", range(len(ALLOWED)))
def test_ufuncs_are_the_operators(
    private_key: PrivateKey, encrypted: tuple[EncryptedArray, EncryptedArray], number: int
) -> None:
    expected = np.asarray(ALLOWED[number](X))
    result = ALLOWED[number](encrypted[0])
    assert result.shape == expected.shape
    np.testing.assert_allclose(private_key.decrypt(result), expected, rtol=1e-14)


def test_choices_carry_scale_bound_and_kind(keypair: Keypair) -> None:
    public_key, private_key = keypair
    small, large = public_key.encrypt([1, 2]), public_key.encrypt([3, 4]) * 2**40
    halves = public_key.encrypt([0.5, 1.5]) * 0.5
    for joined in (np.stack([small, large]), np.where([True, False], small, large), np.hstack([large, small])):
        assert joined.bound == large.bound
        assert joined.dtype == np.int64
    assert private_key.decrypt(np.where(sp.csr_array([[True, False]]), small, 5)).tolist() == [[1, 5]]
    missing = np.array([np.nan, 2**40], dtype=object)
    assert private_key.decrypt(np.where([True, False], small, missing)).tolist() == [1, 2**40]
    mixed = np.where([True, False], small, halves)
    assert (mixed.dtype, mixed.format.fraction_bits) == (np.float64, halves.format.fraction_bits)
    assert private_key.decrypt(mixed).tolist() == [1.0, 0.75]
    assert np.where([True, False], small, 5).bound == small.bound + small.encoding.unit
    assert private_key.decrypt(np.where([False, True], small, np.uint64(2**64 - 1))).tolist() == [2**64 - 1, 2]
    wide = public_key.encrypt([1, 2], encoding=FixedPoint(0, public_key.n // 4))
    with pytest.raises(PlaintextOverflowError):
        np.stack([wide, halves])
    assert (small + small).terms == np.stack([small + small, small]).terms == 2


def test_what_functions_refuse(keypair: Keypair, other_keypair: Keypair) -> None:
    public_key = keypair[0]
    c, packed = public_key.encrypt([1.0, 2.0]), public_key.encrypt([1.0, 2.0], packed=True)
    for function in (np.take, np.repeat, np.tile, np.split, np.roll):
        with pytest.raises(PackedOperationError, match=f"cannot do numpy.{function.__name__}: .* packed=False"):
            function(packed, 1)
    for join in (np.stack, np.concatenate, np.vstack):
        with pytest.raises(PackedOperationError, match="packed=False"):
            join([packed, packed])
        with pytest.raises(KeyMismatchError, match="different keys"):
            join([c, other_keypair[0].encrypt([1.0, 2.0])])
        with pytest.raises(TypeError, match="encrypt plain ones first"):
            join([c, np.zeros(2)])
    with pytest.raises(PackedOperationError, match="packed=False"):
        np.where([True, False], packed, packed)
    assert keypair[1].decrypt(np.copy(packed)).tolist() == [1.0, 2.0]
    for nothing in ([], (), [np.zeros(2)], [c, 1.0], [1.0, c]):
        with pytest.raises(TypeError) as caught:
            vecphe.concatenate(nothing)
        assert str(caught.value) == "concatenation needs one or more EncryptedArrays; encrypt plain ones first"
    for call in (
        lambda: np.where(c, 1, 2),
        lambda: np.where(c),
        lambda: np.where([True], c),
        lambda: np.where(c, c, c),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value) == "numpy.where needs a plain condition and two choices: numpy.where(mask, c, x)"
    assert keypair[1].decrypt(packed.T + packed.transpose((0,)) + packed.transpose([0])).tolist() == [3.0, 6.0]
    for refused in (
        lambda: np.where(c, 1, 2), lambda: np.where(c), lambda: np.where([True, False], c), lambda: np.einsum("i->", c),
        lambda: np.concatenate([c, c], dtype=float), lambda: np.stack([c, c], out=np.zeros((2, 2))),
        lambda: np.diag(c), lambda: np.outer(c, c), lambda: np.inner(c, c), lambda: np.sort(c), lambda: np.take([1], c),
        lambda: np.take(c, [0], out=np.zeros(1)), lambda: np.linalg.norm(c), lambda: np.median(c), lambda: c.dot(c),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(IndexError):
        np.take(c, [2])
    with pytest.raises(ValueError, match="equal division"):
        np.split(c, 3)
    with pytest.raises(ValueError, match="same shape"):
        np.stack([c, c[:1]])


def test_joins_check_before_they_compute(public_key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    c, finer = public_key.encrypt([1, 2]), public_key.encrypt([[0.5], [1.0], [2.0]])
    monkeypatch.setattr(type(public_key._context.ring), "power_vartime", lambda *_: pytest.fail("computed"))
    for join in (np.concatenate, np.stack, np.hstack):
        with pytest.raises(ValueError, match=r"dimension|shape"):
            join([c, finer])


# Attributes -----------------------------------------------------------------------------------------------------


def test_dtype_is_what_decryption_gives(keypair: Keypair) -> None:
    public_key, private_key = keypair
    for values in ([1, 2], [1.0, 2.0], [True, False], np.array([1, 2], dtype=np.uint8), np.float32([1, 2])):
        for packed in (False, True):
            c = public_key.encrypt(values, packed=packed)
            for result in (c, c + 1, c * 2, -c, c + 0.0 if not packed else c):
                assert result.dtype == private_key.decrypt(result).dtype
    assert (public_key.encrypt([1]) * 0.5).dtype == np.float64


def test_public_key_is_the_one_it_was_encrypted_with(keypair: Keypair) -> None:
    public_key, private_key = keypair
    c = public_key.encrypt([1.0])
    for array in (c, c + c, c[:0], EncryptedArray.from_bytes(public_key, c.to_bytes())):
        key = array.public_key
        assert isinstance(key, PublicKey)
        assert key == public_key
        assert private_key.decrypt(array.sum() + key.encrypt(2.0)).shape == ()
    textbook = PublicKey(public_key.n, insecure=True, randomizers="textbook")
    assert textbook.encrypt([1.0]).public_key.randomizers == "textbook"


def test_weak_references(public_key: PublicKey) -> None:
    c = public_key.encrypt([1.0])
    assert weakref.ref(c)() is c
    kept = weakref.WeakValueDictionary({"c": c})
    del c
    assert "c" not in kept


def test_the_larger_rooms_are_attributes_of_the_package() -> None:
    script = (
        "import sys, vecphe; before = 'sklearn' in sys.modules; assert {'federated', 'phe'} < set(dir(vecphe)); "
        "print(before, vecphe.federated.Server.__name__, vecphe.phe.generate_paillier_keypair.__name__, "
        "hasattr(vecphe, 'nothing'), vecphe.federated is sys.modules['vecphe.federated'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "Server", "generate_paillier_keypair", "False", "True"]
