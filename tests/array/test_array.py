"""EncryptedArray against numpy and exact integers: HAZARDS rows 17, 21, 22, 31 to 34, 39, 41, 42, 45."""

from __future__ import annotations

import inspect
import operator
import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import vecphe
from vecphe import (
    FixedPoint,
    InvalidCiphertextError,
    KeyMismatchError,
    LayoutMismatchError,
    PackedOperationError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
)
from vecphe.arithmetic import available_engines
from vecphe.numbers.key_numbers import PublicNumbers

Keypair = tuple[PublicKey, PrivateKey]
ENGINES = [name for name, why_not in available_engines() if why_not is None]
few = settings(deadline=None, max_examples=30)
integers = st.integers(-(2**62), 2**62)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def exact(array: Any) -> list[Fraction]:
    return [Fraction(value) for value in np.asarray(array).ravel().tolist()]


# Exact floats: 20 bits of integer part, 20 of fraction, so that sums and products of two stay exact in float64.
tame = st.integers(-(2**20), 2**20).map(lambda i: i / 1024)


@few
@given(
    hnp.arrays(np.float64, shapes, elements=st.floats(-(2.0**63), 2.0**63).filter(lambda x: x == 0 or abs(x) > 2**-59))
)
def test_floats_come_back_exactly(keypair: Keypair, x: np.ndarray) -> None:
    public_key, private_key = keypair
    decrypted = private_key.decrypt(public_key.encrypt(x))
    assert decrypted.dtype == np.float64
    assert decrypted.shape == x.shape
    assert decrypted.tolist() == x.tolist()


@few
@given(hnp.arrays(np.int64, shapes, elements=st.integers(-(2**63), 2**63 - 1)))
def test_integers_come_back_exactly(keypair: Keypair, x: np.ndarray) -> None:
    public_key, private_key = keypair
    decrypted = private_key.decrypt(public_key.encrypt(x))
    assert decrypted.dtype == np.int64
    assert decrypted.tolist() == x.tolist()


@few
@given(st.lists(integers, min_size=1, max_size=5), st.lists(integers, min_size=5, max_size=5), integers)
def test_every_operation_against_exact_integers(keypair: Keypair, a: list[int], b: list[int], k: int) -> None:
    public_key, private_key = keypair
    b = b[: len(a)]
    x, y = public_key.encrypt(a), public_key.encrypt(b)
    decrypt = private_key.decrypt
    assert decrypt(x + y).tolist() == [i + j for i, j in zip(a, b, strict=True)]
    assert decrypt(x - y).tolist() == [i - j for i, j in zip(a, b, strict=True)]
    assert decrypt(-x).tolist() == [-i for i in a]
    assert decrypt(x + k).tolist() == [i + k for i in a]
    assert decrypt(k - x).tolist() == [k - i for i in a]
    assert decrypt(-1 - x).tolist() == [-1 - i for i in a]
    assert decrypt(x * k).tolist() == [i * k for i in a]
    assert decrypt(x * np.array(b)).tolist() == [i * j for i, j in zip(a, b, strict=True)]
    assert decrypt(x.sum()).tolist() == sum(a)
    assert decrypt(np.array(b) @ x).tolist() == sum(i * j for i, j in zip(a, b, strict=True))
    assert decrypt(vecphe.concatenate([x, y])).tolist() == a + b


@few
@given(
    st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=20),
    st.integers(-(2**53), 2**53),
    st.integers(-255, 255),
)
def test_packed_operations_against_exact_integers(keypair: Keypair, a: list[int], plain: int, k: int) -> None:
    public_key, private_key = keypair
    x, y = public_key.encrypt(a, packed=True), public_key.encrypt(a[::-1], packed=True)
    decrypt = private_key.decrypt
    assert decrypt(x + y).tolist() == [i + j for i, j in zip(a, a[::-1], strict=True)]
    assert decrypt(x - y).tolist() == [i - j for i, j in zip(a, a[::-1], strict=True)]
    assert decrypt(-x).tolist() == [-i for i in a]
    assert decrypt(x + plain).tolist() == [i + plain for i in a]
    assert decrypt(plain - x).tolist() == [plain - i for i in a]
    assert decrypt(x + np.array(a)).tolist() == [2 * i for i in a]
    assert decrypt(x * k).tolist() == [i * k for i in a]
    assert decrypt(x.reshape(1, -1)).tolist() == [a]


@few
@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=2, max_side=3), elements=tame),
    tame,
    st.integers(1, 64),
)
def test_float_operations(keypair: Keypair, x: np.ndarray, k: float, divisor: int) -> None:
    public_key, private_key = keypair
    c, decrypt = public_key.encrypt(x), private_key.decrypt
    assert decrypt(c * k).tolist() == (x * k).tolist()
    assert decrypt(c + k).tolist() == (x + k).tolist()
    assert decrypt(c - k).tolist() == (x - k).tolist()
    assert decrypt(c @ x.T).tolist() == (x @ x.T).tolist()
    assert decrypt(x.T @ c).tolist() == (x.T @ x).tolist()
    assert decrypt(c.sum(axis=0)).tolist() == x.sum(axis=0).tolist()
    assert decrypt(c.sum(axis=-1)).tolist() == x.sum(axis=-1).tolist()
    np.testing.assert_allclose(decrypt(c / divisor), x / divisor, rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(decrypt(c.mean()), x.mean(), rtol=1e-14, atol=1e-12)


def test_plain_scalars_of_mixed_kind(keypair: Keypair) -> None:
    public_key, private_key = keypair
    c = public_key.encrypt([1, 2, 3])
    assert private_key.decrypt(c).dtype == np.int64
    assert private_key.decrypt(c * 2).dtype == np.int64
    assert private_key.decrypt(c + 0.5).tolist() == [1.5, 2.5, 3.5]
    assert private_key.decrypt(c * 0.1).tolist() == [0.1 * 1, 0.1 * 2, 0.1 * 3]
    assert private_key.decrypt(c / 2).tolist() == [0.5, 1.0, 1.5]
    assert private_key.decrypt(c + public_key.encrypt([0.25, 0.5, 1e-9])).tolist() == [1.25, 2.5, 3 + 1e-9]
    big = private_key.decrypt(public_key.encrypt(np.array([2**64 - 1], dtype=np.uint64)) * 3)
    assert big.dtype == object
    assert big.tolist() == [3 * (2**64 - 1)]
    assert private_key.decrypt(public_key.encrypt([True, False]) * 5).tolist() == [5, 0]
    assert private_key.decrypt(public_key.encrypt(np.int64(0)) - np.array(2**64 - 1, dtype=np.uint64)) == -(2**64 - 1)
    assert private_key.decrypt(public_key.encrypt([0]) - np.int64(-(2**63))).tolist() == [2**63]


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", "i4", "i1", "i2", "i8", "u1", "u2", "u4", "u8", "?", ">f8", ">i4", "<f4"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_h17_dtypes(keypair: Keypair, dtype: Any, packed: bool) -> None:
    public_key, private_key = keypair
    x = np.array([0, 1, 1, 0, 1], dtype=dtype)
    assert private_key.decrypt(public_key.encrypt(x, packed=packed)).tolist() == [0, 1, 1, 0, 1]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "u1", "i2", ">i2", "u4", "i8", "u8", ">u8"])
def test_h17_the_extremes_of_each_type(keypair: Keypair, dtype: str) -> None:
    public_key, private_key = keypair
    limits = np.finfo(dtype) if "f" in dtype else np.iinfo(dtype)
    top = min(float(limits.max), 2.0**64) if "f" in dtype else limits.max
    x = np.array([-top if "f" in dtype else limits.min, top, 1], dtype=dtype)
    decrypted = private_key.decrypt(public_key.encrypt(x))
    assert decrypted.tolist() == x.tolist()
    assert private_key.decrypt(public_key.encrypt(x[1])).tolist() == x[1].item()


@pytest.mark.parametrize("packed", [False, True])
def test_h17_memory_orders_and_array_likes(keypair: Keypair, packed: bool) -> None:
    public_key, private_key = keypair
    base = np.arange(24.0).reshape(4, 6)
    frozen = base.copy()
    frozen.flags.writeable = False
    for x in (
        np.asfortranarray(base),
        base[::2, ::-3],
        base.T,
        frozen,
        base.tolist(),
        tuple(base[0]),
        3.5,
        7,
        np.float32(2),
        np.array(-4.5),
        np.array(9, dtype=np.int16),
        np.broadcast_to(base[0], (3, 6)),
        np.asfortranarray(base.astype(np.int32))[1:, ::2],
        True,
    ):
        decrypted = private_key.decrypt(public_key.encrypt(x, packed=packed))  # type: ignore[arg-type]
        assert decrypted.shape == np.shape(x)
        assert decrypted.tolist() == np.asarray(x).tolist()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
@pytest.mark.parametrize("packed", [False, True])
def test_h22_empty_arrays(keypair: Keypair, shape: tuple[int, ...], packed: bool, engine: str) -> None:
    private_key = PrivateKey.from_bytes(keypair[1].to_bytes(), insecure=True, engine=engine)
    public_key = private_key.public_key
    c = public_key.encrypt(np.zeros(shape), packed=packed)
    for result in (c, c + c, -c, c * 3, c + 1.5):
        assert result.n_ciphertexts == 0
        assert private_key.decrypt(result).shape == shape
    if not packed:
        assert (c * np.ones(shape)).bound == (np.zeros((0, shape[0])) @ c).bound == (c * 0).bound == 0
        assert private_key.decrypt(c.sum()).tolist() == 0.0
        assert private_key.decrypt(c.sum(axis=0)).shape == shape[1:]
        assert private_key.decrypt(np.zeros((2, shape[0])) @ c).tolist() == np.zeros((2, *shape[1:])).tolist()
        assert private_key.decrypt(np.zeros((0, shape[0])) @ c).shape == (0, *shape[1:])
        assert private_key.decrypt(vecphe.concatenate([c, c])).shape == (2 * shape[0], *shape[1:])
        assert private_key.decrypt(c.reshape(-1)).shape == (0,)
    for back in (vecphe.EncryptedArray.from_chunks(public_key, c.iter_bytes()), pickle.loads(pickle.dumps(c))):
        assert (back.shape, back.n_ciphertexts, back.packed) == (shape, 0, packed)
        assert private_key.decrypt(back + c).shape == shape
    for dtype in (np.float64, np.int64):
        back = public_key.from_ciphertexts([], shape=shape, packed=packed, integer=dtype is np.int64)
        decrypted = private_key.decrypt(back)
        assert (decrypted.shape, decrypted.dtype) == (shape, dtype)


def test_h45_the_input_may_change_after_encrypt(keypair: Keypair) -> None:
    public_key, private_key = keypair
    x = np.arange(5.0)
    for packed in (False, True):
        c = public_key.encrypt(x, packed=packed)
        x += 100
        assert private_key.decrypt(c).tolist() == (x - 100).tolist()
        x -= 100


@pytest.mark.parametrize("packed", [False, True])
def test_h45_the_input_may_change_while_it_is_encrypted(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    """As another thread could: after the checks, and again after the encoding."""
    public_key, private_key = keypair
    source, check, draw = public_key._source, FixedPoint._check_range, public_key._source.draw
    for x in (np.arange(5.0), np.arange(5), np.arange(5, dtype=np.uint64)):
        expected = x.tolist()

        def checked(self: FixedPoint, values: np.ndarray, name: str, x: np.ndarray = x) -> None:
            check(self, values, name)
            x[:] = 99

        def drawn(count: int, x: np.ndarray = x) -> Any:
            x[:] = 77
            return draw(count)

        with monkeypatch.context() as patched:
            patched.setattr(FixedPoint, "_check_range", checked)
            patched.setattr(source, "draw", drawn)
            c = public_key.encrypt(x, packed=packed)
        assert x.tolist() == [77] * 5
        assert private_key.decrypt(c).tolist() == expected


# Range ---------------------------------------------------------------------------------------------------------


def test_h21_bounds_are_checked_before_anything_is_computed(keypair: Keypair, monkeypatch: pytest.MonkeyPatch) -> None:
    public_key, private_key = keypair
    limit = public_key.n // 3 - 1
    top = FixedPoint(0, limit)
    c = public_key.encrypt([1, -1], encoding=top)
    assert private_key.decrypt(c).tolist() == [1, -1]

    def never(*_: object) -> None:
        raise AssertionError("computed in spite of the overflow")

    for name in ("multiply", "power_vartime", "product", "matrix_power_vartime", "multiply_plain"):
        monkeypatch.setattr(type(public_key._context.ring), name, never)
    operations: list[Callable[[], Any]] = [
        lambda: c + c, lambda: c + 1, lambda: c * 2, lambda: c * 0.5 * 3, lambda: c.sum(),
        lambda: np.ones((1, 2), dtype=int) @ c, lambda: c - 1,
    ]  # fmt: skip
    for operation in operations:
        with pytest.raises(PlaintextOverflowError, match="plaintext's range"):
            operation()
    with pytest.raises(PlaintextOverflowError, match="512-bit key"):
        public_key.encrypt([1], encoding=FixedPoint(0, limit + 1))


def test_h21_the_range_is_used_to_its_end(keypair: Keypair) -> None:
    public_key, private_key = keypair
    half = (public_key.n // 3 - 1) // 2
    c = public_key.encrypt([0, 0], encoding=FixedPoint(0, half)) + np.array([7, -7])
    assert c.bound == 2 * half
    assert private_key.decrypt(c).tolist() == [7, -7]
    whole = public_key.encrypt([2**60, -(2**60)], encoding=FixedPoint(0, half))
    for sums in (whole + whole, whole - -whole, whole * 2, whole + np.array([2**60, -(2**60)])):
        assert sums.bound == 2 * half
        assert private_key.decrypt(sums).tolist() == [2**61, -(2**61)]
    for beyond in (lambda: whole + c, lambda: c - whole, lambda: whole * 3, lambda: whole * -3, lambda: c + 1):
        with pytest.raises(PlaintextOverflowError, match="plaintext's range"):
            beyond()
    one = public_key.encrypt([1], encoding=FixedPoint(0, 1))
    limit = public_key.n // 3 - 1  # odd or even, so that halves may not reach it
    assert private_key.decrypt(one * limit).tolist() == [limit]
    with pytest.raises(PlaintextOverflowError, match="plaintext's range"):
        one * (limit + 1)


def test_h21_differences_and_reshaped_sums_count_too(keypair: Keypair, monkeypatch: pytest.MonkeyPatch) -> None:
    public_key, _ = keypair
    coarse = public_key.encrypt([1.0], encoding=FixedPoint(0, public_key.n // 4))
    fine = public_key.encrypt([1.0], encoding=FixedPoint(4, 1))
    top = public_key.encrypt([[1, 2], [3, 4]], encoding=FixedPoint(0, public_key.n // 3 - 1))
    packed = public_key.encrypt([1.0], packed=True, encoding=FixedPoint(8, 2, 2))
    double = packed * 2

    def never(*_: object) -> None:
        raise AssertionError("computed in spite of the overflow")

    for name in ("multiply", "power_vartime", "product", "matrix_power_vartime", "multiply_plain", "invert"):
        monkeypatch.setattr(type(public_key._context.ring), name, never)
    for operation in (
        lambda: top - top,
        lambda: 1 - top,
        lambda: np.ones(2) - top,
        lambda: packed - double,
        lambda: double + 1.0,
        lambda: coarse + fine,
        lambda: coarse + 0.5,
        lambda: vecphe.concatenate([coarse, fine]),
        lambda: top.sum(axis=0),
        lambda: top.mean(),
        lambda: top @ np.array([1, 1]),
        lambda: np.array([[1, -1]]) @ top,
        lambda: packed * 3,
        lambda: packed * -3,
    ):
        with pytest.raises(PlaintextOverflowError, match="plaintext's range"):
            operation()


def test_h21_sums_of_different_scale_are_checked_as_a_whole(keypair: Keypair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each of the two would fit at the finer scale by itself, before either is brought there."""
    public_key, private_key = keypair
    limit = public_key.n // 3 - 1
    operations: list[Callable[[Any, Any], Any]] = [operator.add, operator.sub]

    def computed(*_: object) -> None:
        raise AssertionError("computed in spite of the overflow")

    def refused(left: Any, right: Any) -> None:
        with monkeypatch.context() as patched:
            for name in ("multiply", "power_vartime", "invert"):
                patched.setattr(type(public_key._context.ring), name, computed)
            for operation in operations:
                for one, other in ((left, right), (right, left)):
                    with pytest.raises(PlaintextOverflowError, match="plaintext's range"):
                        operation(one, other)

    for part, fits in ((32, True), (16, False)):
        coarse, fine = (public_key.encrypt([3.0], encoding=FixedPoint(bits, limit // part)) for bits in (0, 4))
        if fits:
            assert private_key.decrypt(coarse + fine).tolist() == private_key.decrypt(fine + coarse).tolist() == [6.0]
            assert private_key.decrypt(coarse - fine).tolist() == private_key.decrypt(fine - coarse).tolist() == [0.0]
        else:
            refused(coarse, fine)
    for terms, fits in ((7, True), (6, False)):
        c = public_key.encrypt([3.0], packed=True, encoding=FixedPoint(4, 10, terms))
        if fits:
            assert private_key.decrypt(c * 2 + c / 3).tolist() == private_key.decrypt(c / 3 + c * 2).tolist() == [7.0]
        else:
            refused(c * 2, c / 3)


def test_a_product_of_ten_full_floats_fits_2048_bits(secure_keypair: Keypair) -> None:
    public_key, private_key = secure_keypair
    factor = 1 / 3
    c, expected = public_key.encrypt([0.1]), Fraction(0.1)
    for _ in range(10):
        c, expected = c * factor, expected * Fraction(factor)
    assert private_key.decrypt(c).tolist() == [float(expected)]


def test_what_is_of_integers_alone_decrypts_to_integers(keypair: Keypair) -> None:
    """Of the two operands of each operation, whichever comes first."""
    public_key, private_key = keypair
    for packed in (False, True):
        whole, half = np.array([3, -4]), np.array([3.0, -4.0])
        encoding = FixedPoint(0, 100)
        a, b = (public_key.encrypt(x, packed=packed, encoding=encoding) for x in (whole, half))
        for result, kind in (
            *((a + a, "i"), (a + b, "f"), (b + a, "f"), (b + b, "f"), (a - a, "i"), (a - b, "f"), (b - a, "f")),
            *((a + 1, "i"), (1 - a, "i"), (a + 1.0, "f"), (1.0 - a, "f"), (b + 1, "f"), (b - 1.0, "f")),
            *((a * 2, "i"), (a * 2.0, "f"), (b * 2, "f"), (b * 2.0, "f"), (a / 1, "f"), (b / 1, "f"), (-a, "i")),
        ):
            assert private_key.decrypt(result).dtype.kind == result.dtype.kind == kind
        if not packed:
            for result, kind in (
                *((a @ whole, "i"), (whole @ a, "i"), (a @ half, "f"), (half @ a, "f"), (b @ whole, "f")),
                *((a.sum(), "i"), (a.mean(), "f"), (np.stack([a, a]), "i"), (np.stack([a, b]), "f")),
                (np.stack([b, a]), "f"),
            ):
                assert private_key.decrypt(result).dtype.kind == result.dtype.kind == kind


def test_the_bound_is_independent_of_the_data(public_key: PublicKey) -> None:
    zeros, ones = public_key.encrypt(np.zeros(3)), public_key.encrypt(np.ones(3) * 1e18)
    assert zeros.format == ones.format
    assert (zeros + 0.0).format == (ones + 123.5).format


# What cannot be done -------------------------------------------------------------------------------------------


def test_h41_shapes(keypair: Keypair) -> None:
    public_key, private_key = keypair
    a, b = public_key.encrypt(np.zeros(3)), public_key.encrypt(np.zeros(4))
    for operation in (lambda: a + b, lambda: a + np.zeros(4), lambda: a * np.zeros(4), lambda: np.zeros((2, 4)) @ a,
                      lambda: a @ np.zeros((4, 2)), lambda: a.reshape(2, 2), lambda: a.sum(axis=1)):  # fmt: skip
        with pytest.raises(ValueError):  # noqa: PT011 - numpy's own messages
            operation()
    x, y = np.arange(3.0), np.arange(4.0)[:, None]
    c = public_key.encrypt(x)
    assert private_key.decrypt(c + y).tolist() == (x + y).tolist()
    assert private_key.decrypt(c * y).tolist() == (x * y).tolist()
    assert private_key.decrypt(c + public_key.encrypt(y)).tolist() == (x + y).tolist()


def test_h42_products_powers_and_comparisons_are_type_errors(public_key: PublicKey) -> None:
    c = public_key.encrypt([1.0, 2.0])
    operations: list[Callable[[], Any]] = [
        lambda: c * c, lambda: c @ c, lambda: c**2, lambda: c < 1, lambda: c >= c, lambda: c == c, lambda: c != 0,
        lambda: np.ones(2) < c, lambda: 1 / c, lambda: c / c, lambda: c // 2, lambda: c % 2, lambda: abs(c),
        lambda: bool(c[0]), lambda: float(c[0]), lambda: np.asarray(c), lambda: np.exp(c), lambda: np.sort(c),
        lambda: c + None, lambda: c + "1", lambda: c * [1 + 2j, 1], lambda: c & 1, lambda: hash(c),
        lambda: public_key.encrypt(c), lambda: np.multiply(c, c), lambda: np.add.accumulate(c),
        lambda: operator.setitem(c, 0, 1),
    ]  # fmt: skip
    for operation in operations:
        with pytest.raises(TypeError):
            operation()
    with pytest.raises(ZeroDivisionError):
        c / 0
    with pytest.raises(ZeroDivisionError):
        c / np.array([1.0, 0.0])


def test_packed_arrays_name_the_way_out(public_key: PublicKey) -> None:
    p = public_key.encrypt(np.ones(10), packed=True)
    operations: list[Callable[[], Any]] = [
        lambda: p[0], lambda: p * np.ones(10), lambda: p / np.full(10, 3), lambda: p.sum(), lambda: p.mean(),
        lambda: np.ones((2, 10)) @ p, lambda: p @ np.ones(10), lambda: list(p), lambda: p + np.zeros((2, 10)),
        lambda: vecphe.concatenate([p, p]), lambda: p.reshape(2, 5).T,
    ]  # fmt: skip
    for operation in operations:
        with pytest.raises(PackedOperationError, match="packed=False"):
            operation()
    assert len(p) == 10
    assert p.reshape(2, 5).shape == (2, 5)


def test_numpy_on_the_left_and_by_name(keypair: Keypair) -> None:
    public_key, private_key = keypair
    x = np.arange(6.0).reshape(2, 3)
    c, decrypt = public_key.encrypt(x), private_key.decrypt
    y = np.array([[1.5, -2.0, 0.0], [4.0, 5.0, 6.0]])
    cases = [
        (y + c, y + x), (y - c, y - x), (y * c, y * x), (np.float64(2) * c, 2 * x), (np.int32(3) - c, 3 - x),
        (y.T @ c, y.T @ x), (c @ y.T, x @ y.T), (np.add(y, c), x + y), (np.negative(c), -x), (np.sum(c), x.sum()),
        (np.sum(c, axis=1), x.sum(axis=1)), (np.sum(c, axis=(0, 1)), x.sum()), (np.mean(c, axis=0), x.mean(axis=0)),
        (np.dot(y.T, c), np.dot(y.T, x)), (np.dot(2, c), 2 * x), (np.matmul(y.T, c), y.T @ x), (np.ravel(c), x.ravel()),
        (np.reshape(c, (3, 2)), x.reshape(3, 2)), (np.transpose(c), x.T),
        (np.concatenate([c, c], axis=1), np.hstack([x, x])),
        (np.add.reduce(c), x.sum(axis=0)), (np.divide(c, 4), x / 4), (+c, x),
        (operator.add([1.0, 2.0, 3.0], c), x + np.array([1, 2, 3])),
        (c[0] @ y[1], x[0] @ y[1]), (y[1] @ c[0], x[0] @ y[1]), (c @ y[1], x @ y[1]), (y[:, 0] @ c, y[:, 0] @ x),
    ]  # fmt: skip
    for result, expected in cases:
        np.testing.assert_allclose(decrypt(result), expected, rtol=1e-14)
        assert result.shape == np.shape(expected)
    assert np.shape(c) == (2, 3)
    assert np.ndim(c) == 2
    assert np.size(c) == 6


@pytest.mark.parametrize(
    "key",
    [
        *(0, -1, slice(1, None), (slice(None), 1), (1, 2), [0, 0, 1], ..., None, (slice(None, None, -1), [2, 0])),
        np.array([[True, False, True], [False, True, False]]),
    ],
    ids=str,
)
def test_indexing_is_numpys(keypair: Keypair, key: Any) -> None:
    public_key, private_key = keypair
    x = np.arange(6.0).reshape(2, 3)
    c = public_key.encrypt(x)[key]
    assert c.shape == x[key].shape
    assert private_key.decrypt(c).tolist() == x[key].tolist()


def test_iteration_and_length(keypair: Keypair) -> None:
    public_key, private_key = keypair
    c = public_key.encrypt(np.arange(6).reshape(3, 2))
    assert [private_key.decrypt(row).tolist() for row in c] == [[0, 1], [2, 3], [4, 5]]
    assert len(c) == 3
    with pytest.raises(TypeError, match="unsized"):
        len(c[0, 0])
    with pytest.raises(IndexError):
        c[3]


# From outside and to outside -----------------------------------------------------------------------------------


def test_h31_h32_h33_ciphertexts_from_outside_look_alike_when_rejected(keypair: Keypair) -> None:
    public_key, private_key = keypair
    n, good = public_key.n, public_key.encrypt([1.0]).ciphertexts()[0]
    messages = set()
    for bad in (
        0,
        n,
        7 * n,
        private_key.p,
        private_key.q * 3,
        n * n,
        n * n + good,
        -1,
        -good,
        1.5,
        "7",
        None,
        True,
        b"7",
    ):
        with pytest.raises(InvalidCiphertextError) as caught:
            public_key.from_ciphertexts([good, bad])  # type: ignore[list-item]
        messages.add(str(caught.value))
    assert messages == {"not a valid ciphertext for this key"}
    assert private_key.decrypt(public_key.from_ciphertexts([good])).tolist() == [1.0]


@pytest.mark.parametrize("packed", [False, True])
def test_h31_h32_h33_one_bad_ciphertext_anywhere_in_a_batch(keypair: Keypair, packed: bool) -> None:
    public_key, private_key = keypair
    n = public_key.n
    good = public_key.encrypt(np.zeros(40 * (7 if packed else 1)), packed=packed).ciphertexts()
    assert len(good) == 40
    for place in (0, 7, 8, 39):
        for bad in (0, n, private_key.p, n * n, -1, 2.0, np.int64(7), np.uint8(1), "7", None, [7], 7j):
            with pytest.raises(InvalidCiphertextError, match=r"^not a valid ciphertext for this key$"):
                public_key.from_ciphertexts([*good[:place], bad, *good[place + 1 :]], packed=packed)


@pytest.mark.parametrize("data", ["123", b"\x05\x07", bytearray(8), memoryview(b"123"), np.ones(3), 5, None])
def test_h33_what_is_no_sequence_of_ciphertexts(public_key: PublicKey, data: Any) -> None:
    """Bytes iterate as small integers, which are units mod n^2."""
    with pytest.raises(TypeError, match="ciphertexts must be an iterable of int"):
        public_key.from_ciphertexts(data)


def test_from_ciphertexts_checks_the_shape(public_key: PublicKey) -> None:
    good = public_key.encrypt([1.0, 2.0]).ciphertexts()
    for shape in ((1,), (3,), (2, 2), (0,)):
        with pytest.raises(LayoutMismatchError, match="cannot hold"):
            public_key.from_ciphertexts(good, shape=shape)
    for bad in (2, (2.0,), ("a",), (-1, -2), (-1,), [2]):
        with pytest.raises(LayoutMismatchError, match="shape must be"):
            public_key.from_ciphertexts(good, shape=bad)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="encoding must be a FixedPoint"):
        public_key.encrypt([1.0], encoding={})  # type: ignore[arg-type]
    for terms in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match="terms"):
            public_key.from_ciphertexts(good, terms=terms)  # type: ignore[arg-type]
    with pytest.raises(PlaintextOverflowError):
        public_key.from_ciphertexts(good, terms=public_key.n)
    with pytest.raises(PlaintextOverflowError, match="max_terms = 255"):
        public_key.from_ciphertexts(good[:1], packed=True, terms=256)
    assert public_key.from_ciphertexts(good, shape=(2, 1)).shape == (2, 1)
    for shape in ((0, 1 << 16), (1 << 8, 0, 1 << 8), (0, 0)):
        assert public_key.from_ciphertexts([], shape=shape).shape == shape
    for shape in ((0, (1 << 16) + 1), (1 << 9, 0, 1 << 8), (1 << 62, 1 << 62, 0)):
        with pytest.raises(LayoutMismatchError, match="shape is too large for an empty array"):
            public_key.from_ciphertexts([], shape=shape)


def test_h34_arrays_of_another_key(keypair: Keypair, other_keypair: Keypair) -> None:
    c, other = keypair[0].encrypt([1.0]), other_keypair[0].encrypt([1.0])
    for operation in (lambda: c + other, lambda: c - other, lambda: vecphe.concatenate([c, other]),
                      lambda: keypair[1].decrypt(other)):  # fmt: skip
        with pytest.raises(KeyMismatchError, match="key"):
            operation()
    n = keypair[0].n
    assert len({PublicNumbers(m).fingerprint for m in (n, n + 2, n + (1 << 256), n ^ (1 << 510))}) == 4
    with pytest.raises(KeyMismatchError, match="another key"):
        keypair[1].decrypt(other_keypair[0].encrypt([1.0], packed=True))
    same = PublicKey(keypair[0].n, insecure=True).encrypt([2.0])
    assert keypair[1].decrypt(c + same).tolist() == [3.0]


def test_h13_decrypt_takes_only_encrypted_arrays(private_key: PrivateKey) -> None:
    for bad in (5, [1, 2], np.zeros(3), None, private_key, private_key.public_key):
        with pytest.raises(TypeError, match="EncryptedArray"):
            private_key.decrypt(bad)  # type: ignore[arg-type]


def test_h21_the_bound_follows_the_scale_of_a_plain_summand(keypair: Keypair) -> None:
    public_key, private_key = keypair
    c = public_key.encrypt([3, -4], encoding=FixedPoint(0, 10)) + 0.25
    assert c.format.fraction_bits > 0
    assert Fraction(c.bound, 1 << c.format.fraction_bits) == 20
    assert private_key.decrypt(c).tolist() == [3.25, -3.75]


def test_h39_products_are_not_fresh(keypair: Keypair) -> None:
    c = keypair[0].encrypt([3, -4])
    assert c.is_fresh
    assert (c + 1).is_fresh
    for product in (c * 1, c * [1, 1], c * 0.5, c / 2, -c, np.eye(2, dtype=int) @ c, c @ np.eye(2), c + 0.25):
        assert not product.is_fresh


def test_h21_h39_what_arrays_joined_have_of_their_parts(keypair: Keypair) -> None:
    public_key, private_key = keypair
    integers, others = public_key.encrypt([1, 2]), public_key.encrypt([0.5])
    for parts, kind in (((integers, others), "f"), ((others, integers), "f"), ((integers, integers), "i")):
        assert private_key.decrypt(vecphe.concatenate(parts)).dtype.kind == kind
    total = integers + integers
    for parts in ((integers, total), (total, integers)):
        joined = vecphe.concatenate(parts)
        assert (joined.terms, joined.bound) == (2, 2 * integers.bound) == (total.terms, total.bound)
    assert integers.is_fresh
    vecphe.concatenate([integers]).ciphertexts(rerandomize=False)
    assert not integers.is_fresh


@pytest.mark.parametrize("engine", ENGINES)
def test_h31_a_unit_that_turns_bad_in_memory_is_found_before_decryption(engine: str) -> None:
    public_key, private_key = vecphe.generate_keypair(512, insecure=True, engine=engine)
    c = public_key.encrypt([1.0, 2.0])
    c._residues = public_key._context.ring.load([1, private_key.q])
    with pytest.raises(InvalidCiphertextError):
        private_key.decrypt(c)


def test_h29_values_beyond_the_bound_are_corrupted(keypair: Keypair) -> None:
    public_key, private_key = keypair
    n = public_key.n
    for encoding in (FixedPoint(0, 100), FixedPoint(0, 2**70)):
        for plaintext in (encoding.unit, -encoding.unit):
            c = public_key.from_ciphertexts([(1 + plaintext % n * n) % n**2], encoding=encoding)
            assert private_key.decrypt(c).tolist() == [plaintext]
        for plaintext in (encoding.unit + 1, -encoding.unit - 1, n // 2, (1 << 128) + 5):
            c = public_key.from_ciphertexts([(1 + plaintext % n * n) % n**2], encoding=encoding)
            with pytest.raises(vecphe.CorruptedAggregateError):
                private_key.decrypt(c)


def test_h39_what_is_not_fresh_leaves_re_randomised(keypair: Keypair) -> None:
    public_key, private_key = keypair
    for packed in (False, True):
        c = public_key.encrypt([1.0, 2.0], packed=packed)
        for make in (lambda c: c * 0, lambda c: c - c):
            bare = make(public_key.encrypt([1.0, 2.0], packed=packed))
            assert 1 not in bare.ciphertexts()
            assert set(make(c).ciphertexts(rerandomize=False)) == {1}
            bare = make(c)
            out = bare.ciphertexts()
            assert 1 not in out
            assert out != bare.ciphertexts()
            assert private_key.decrypt(bare).tolist() == [0.0, 0.0]


def test_h39_sums_of_values_that_enter_once_are_fresh(public_key: PublicKey) -> None:
    for shape, axes in (((4,), (None, 0, ())), ((2, 3), (None, 0, 1, -1, (0, 1), ())), ((2, 2, 2), ((0, 2), (1, 0)))):
        c = public_key.encrypt(np.ones(shape))
        for axis in axes:
            assert c.sum(axis).is_fresh
            assert c.sum(axis, keepdims=True).is_fresh
        assert not c.mean().is_fresh
        c.to_bytes()
        assert not c.sum().is_fresh


def test_concatenate_is_numpys(keypair: Keypair) -> None:
    x, y = np.arange(6).reshape(2, 3), np.arange(6).reshape(2, 3) + 10
    c, d = keypair[0].encrypt(x), keypair[0].encrypt(y)
    assert keypair[1].decrypt(vecphe.concatenate([c, d])).tolist() == np.concatenate([x, y]).tolist()
    for axis in (0, 1, -1, -2):
        expected = np.concatenate([x, y], axis=axis).tolist()
        assert keypair[1].decrypt(vecphe.concatenate((c, d), axis)).tolist() == expected
        assert keypair[1].decrypt(vecphe.concatenate(iter([c, d]), axis=axis)).tolist() == expected  # type: ignore[arg-type]
    for axis in (2, -3):
        with pytest.raises(np.exceptions.AxisError):
            vecphe.concatenate([c, d], axis=axis)


def test_what_is_joined_has_the_key_and_the_encoding_of_the_first(keypair: Keypair) -> None:
    public_key, private_key = keypair
    same = PublicKey(public_key.n, insecure=True, engine=ENGINES[-1])
    encodings = FixedPoint(4, 10), FixedPoint(8, 99)
    parts = [key.encrypt([1.5], encoding=encoding) for key, encoding in zip((public_key, same), encodings, strict=True)]
    for first, second in (parts, parts[::-1]):
        joined = vecphe.concatenate([first, second])
        assert (joined.encoding, joined.public_key) == (first.encoding, first.public_key)
        assert joined._ring is first._ring
        assert private_key.decrypt(joined).tolist() == [1.5, 1.5]


@pytest.mark.parametrize("way", ["ciphertexts", "to_bytes", "iter_bytes", "to_json", "save"])
def test_h39_every_way_out_takes_the_wish_to_leave_as_it_is(public_key: PublicKey, tmp_path: Path, way: str) -> None:
    def sent(array: vecphe.EncryptedArray, **wish: bool) -> list[int]:
        if way == "save":
            array.save(tmp_path / "c.enc", force=True, **wish)
            return residues_of(vecphe.EncryptedArray.load(public_key, tmp_path / "c.enc"))
        out = getattr(array, way)(**wish)
        if way == "ciphertexts":
            return list(out)
        data = b"".join(out) if way == "iter_bytes" else out
        read = vecphe.EncryptedArray.from_json if way == "to_json" else vecphe.EncryptedArray.from_bytes
        return residues_of(read(public_key, data))

    def residues_of(array: vecphe.EncryptedArray) -> list[int]:
        stored: list[int] = public_key._context.ring.store(array.residues)
        return stored

    bare = public_key.encrypt([1.0, 2.0]) * 0
    assert sent(bare, rerandomize=False) == [1, 1]
    assert not bare.is_fresh
    for wish in ({}, {"rerandomize": True}):
        first, second = sent(bare, **wish), sent(bare, **wish)
        assert len({1, *first, *second}) == 5
    fresh = public_key.encrypt([1.0, 2.0])
    assert sent(fresh) == sent(fresh, rerandomize=False) == sent(fresh, rerandomize=True) == residues_of(fresh)
    assert fresh.is_fresh


def test_h39_fresh_arrays_leave_as_they_are(public_key: PublicKey) -> None:
    c, d = public_key.encrypt([1.0, 2.0]), public_key.encrypt([3.0, 4.0])
    ring = public_key._context.ring
    assert (c + d).is_fresh
    assert c.ciphertexts() == ring.store(c.residues) == c.ciphertexts()
    assert d.is_fresh
    assert (c + d).is_fresh
    e = public_key.encrypt([5.0])
    (e * 2).ciphertexts(rerandomize=False)
    assert not e.is_fresh
    for stale in (c[:1], c + 1.0, c.reshape(2, 1), c + c, d - d, d * 2, -d, d + (-d), np.eye(2) @ d):
        assert not stale.is_fresh
        assert stale.ciphertexts() != ring.store(stale.residues)


def test_h39_what_was_made_of_fresh_arrays_is_not_fresh(public_key: PublicKey) -> None:
    ring = public_key._context.ring
    for make in (
        lambda c: c * 2,
        lambda c: c * 0,
        lambda c: -c,
        lambda c: c - c,
        lambda c: c + c,
        lambda c: c / 2,
        lambda c: np.eye(2) @ c,
        lambda c: c[[0, 0]],
        lambda c: c + np.zeros((2, 2)),
        lambda c: vecphe.concatenate([c, c]),
    ):
        made = make(public_key.encrypt([1.0, 2.0]))
        assert not made.is_fresh
        assert not set(made.ciphertexts()) & set(ring.store(made.residues))


def quotients_mod_n(public_key: PublicKey, ciphertexts: list[int]) -> set[int]:
    first, n = ciphertexts[0], public_key.n
    return {c * pow(first, -1, n) % n for c in ciphertexts[1:]}


def test_h39_no_randomizer_leaves_twice(public_key: PublicKey) -> None:
    """If it did, the quotient of two ciphertexts would be 1 mod n and show the difference of their plaintexts."""
    steps = np.array([1.0, 2.0, 7.0])
    c, pair = public_key.encrypt(5.0), public_key.encrypt([5.0, 6.0])
    for repeated in (
        c + steps,
        pair[[0, 0, 1]] + steps,
        vecphe.concatenate([pair, pair + steps[:2]]),
        public_key.encrypt([[5.0]]) + np.zeros((3, 1)),
        c + pair[:1] + steps,
    ):
        assert not repeated.is_fresh
        assert 1 not in quotients_mod_n(public_key, repeated.ciphertexts())
    assert 1 in quotients_mod_n(public_key, (c + steps).ciphertexts(rerandomize=False))
    assert (public_key.encrypt(steps) + public_key.encrypt(5.0)).is_fresh


def test_h39_an_empty_sum_is_not_the_bare_one(public_key: PublicKey) -> None:
    empty = public_key.encrypt(np.zeros((2, 0))).sum(axis=1)
    assert empty.ciphertexts(rerandomize=False) == [1, 1]
    assert 1 not in public_key.encrypt(np.zeros((2, 0))).sum(axis=1).ciphertexts()


def test_h39_of_two_threads_one_exports_the_shared_randomizers(public_key: PublicKey) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from sys import getswitchinterval, setswitchinterval

    before = getswitchinterval()
    setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            for _ in range(200):
                c = public_key.encrypt(1.0)
                left, right = pool.map(lambda array: array.ciphertexts(), (c, c + 5.0))
                assert (left[0] - right[0]) % public_key.n
    finally:
        setswitchinterval(before)


def test_terms_count_encryptions_and_the_bound_counts_everything(public_key: PublicKey) -> None:
    for packed in (False, True):
        c = public_key.encrypt([1.0, 2.0], packed=packed)
        unit = c.encoding.unit
        assert (c.terms, c.bound) == (1, unit)
        assert ((c + c).terms, (c + c).bound) == (2, 2 * unit)
        assert ((c + 1.0).terms, (c + 1.0).bound) == (1, 2 * unit)
        assert ((c * 3).terms, (c * 3).bound) == (1, 3 * unit)
        assert ((0 + c).terms, (0 + c).bound) == (1, unit)
        assert ((0 - c).terms, (0 - c).bound) == (1, unit)
        for zero in (False, 0.0, np.int64(0), [0, 0], 1, -1):  # all but Python's own 0 are values
            for result in (c + zero, zero + c, zero - c, c - zero):
                assert (result.terms, result.bound) == (1, 2 * unit)
    assert public_key.encrypt(np.zeros((4, 2))).sum(axis=0).terms == 4


FACTS: dict[str, tuple[Callable[[Any], Any], int, int, int, int]] = {
    # What the bound is multiplied by, the fraction bits, the terms and the divisor.
    "c": (lambda c: c, 1, 4, 1, 1),
    "c + c": (lambda c: c + c, 2, 4, 2, 1),
    "c - c - c": (lambda c: c - c - c, 3, 4, 3, 1),
    "-c": (lambda c: -c, 1, 4, 1, 1),
    "c + x": (lambda c: c + np.array([1, 2]), 2, 4, 1, 1),
    "c + a finer x": (lambda c: c + 2.0**-9, 2 << 8, 12, 1, 1),
    "c * x": (lambda c: c * [2, -3], 3, 4, 1, 1),
    "c * fractions": (lambda c: c * [0.5, 0.25], 8, 8, 1, 1),
    "c / x": (lambda c: c / [2, -4], 8, 8, 1, 1),
    "c / 4": (lambda c: c / 4, 4, 8, 1, 1),
    "X @ c": (lambda c: np.array([[1, -2], [4, 0]]) @ c, 4, 4, 1, 1),
    "fractions @ c": (lambda c: np.array([0.5, 0.25]) @ c, 12, 8, 1, 1),
    "c @ X": (lambda c: c @ np.array([[1, 5], [-2, 0]]), 5, 4, 1, 1),
    "c.sum()": (lambda c: c.sum(), 2, 4, 2, 1),
    "c.mean()": (lambda c: c.mean(), 16, 8, 2, 1),
    "c[[0, 0]]": (lambda c: c[[0, 0]], 1, 4, 1, 1),
    "joined": (lambda c: vecphe.concatenate([c, c * 0.5, c + c]), 32, 8, 2, 1),
    "fine and coarse": (lambda c: c * 0.5 + c, 8 + 16, 8, 2, 1),
    "coarse and fine": (lambda c: c - c * 0.5, 8 + 16, 8, 2, 1),
    "c.T": (lambda c: c.reshape(1, 2).T, 1, 4, 1, 1),
}
PACKED_FACTS: dict[str, tuple[Callable[[Any], Any], int, int, int, int]] = {
    **{name: FACTS[name] for name in ("c", "c + c", "c - c - c", "-c", "c + x", "fine and coarse", "coarse and fine")},
    "c / 3": (lambda c: c / 3, 1, 4, 1, 3),
    "c / -3 / 2": (lambda c: c / -3 / 2, 1, 4, 1, 6),
    "c / 3 + c / 2": (lambda c: c / 3 + c / 2, 5, 4, 2, 6),
    "c + c / 3": (lambda c: c + c / 3, 4, 4, 2, 3),
    "c / 3 - c": (lambda c: c / 3 - c, 4, 4, 2, 3),
    "c / 3 + x": (lambda c: c / 3 + 1, 1 + 3, 4, 1, 3),
    "c * 2": (lambda c: c * 2, 2, 4, 1, 1),
    "c * 0.25 / 3": (lambda c: c * 0.25 / 3, 4, 8, 1, 3),
    "c / 0.25": (lambda c: c / 0.25, 4, 4, 1, 1),
}


@pytest.mark.parametrize("packed", [False, True])
def test_h21_what_operations_make_of_the_facts_about_an_array(keypair: Keypair, packed: bool) -> None:
    public_key, private_key = keypair
    for name, (operation, bound, *facts) in (PACKED_FACTS if packed else FACTS).items():
        x = np.array([1.5, -2.25])
        c = public_key.encrypt(x, packed=packed, encoding=FixedPoint(4, 10, 500))
        result = operation(c)
        format = result.format
        assert [format.bound, format.fraction_bits, format.terms, format.divisor] == [bound * 160, *facts], name
        assert format.encoding == c.encoding
        assert format.layout == c.layout
        same = vecphe.EncryptedArray.from_bytes(public_key, result.to_bytes())
        assert same.format == format
        if name != "joined":
            np.testing.assert_allclose(private_key.decrypt(result), operation(x), rtol=1e-15)


def test_h25_the_builtin_sum_takes_exactly_max_terms(keypair: Keypair) -> None:
    public_key, private_key = keypair
    arrays = [public_key.encrypt([2.0**15], packed=True)] * 255
    assert private_key.decrypt(sum(arrays)).tolist() == [255 * 2.0**15]
    with pytest.raises(PlaintextOverflowError):
        sum([*arrays, arrays[0]])


def test_fractions_do_not_vanish_in_packed_integers(keypair: Keypair) -> None:
    c = keypair[0].encrypt([1, 2, 3], packed=True)
    for fractions in (0.5, np.array([0.25, 0.5, 0.75])):
        with pytest.raises(LayoutMismatchError, match="fractions"):
            c + fractions
        with pytest.raises(LayoutMismatchError, match="fractions"):
            c - fractions
    assert keypair[1].decrypt(c + 2.0).tolist() == [3.0, 4.0, 5.0]


def test_keywords_of_numpy_are_honoured_or_refused(keypair: Keypair) -> None:
    x = np.arange(6.0).reshape(2, 3)
    c = keypair[0].encrypt(x)
    for result, expected in (
        (np.sum(c, axis=0, keepdims=True), x.sum(axis=0, keepdims=True)),
        (np.mean(c, keepdims=True), x.mean(keepdims=True)),
        (np.add.reduce(c, axis=1, keepdims=True), x.sum(axis=1, keepdims=True)),
        # Before numpy 2.1 the keyword had another name.
        (np.reshape(c, **{list(inspect.signature(np.reshape).parameters)[1]: (3, 2)}), x.reshape(3, 2)),
    ):
        np.testing.assert_allclose(keypair[1].decrypt(result), expected, rtol=1e-15)
        assert result.shape == expected.shape
    for refused in (
        lambda: np.add.reduce(c, initial=100),
        lambda: np.add.reduce(c, where=[True, False, False]),
        lambda: np.sum(c, dtype=int),
        lambda: np.add(c, 1, out=np.zeros(6)),
    ):
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(ValueError, match="mean of no elements"):
        keypair[0].encrypt(np.zeros(0)).mean()


def test_integers_of_any_size_multiply(keypair: Keypair) -> None:
    c = keypair[0].encrypt([1, -2])
    assert keypair[1].decrypt(c * 2**100).tolist() == [2**100, -(2**101)]
    assert keypair[1].decrypt(-(3**50) * c).tolist() == [-(3**50), 2 * 3**50]


def test_tiny_factors_keep_their_value(secure_keypair: Keypair) -> None:
    public_key, private_key = secure_keypair
    c = public_key.encrypt([1.0]) * 1e-150 * 1e-150
    np.testing.assert_allclose(private_key.decrypt(c), [1e-300], rtol=1e-15)
    with pytest.raises(PlaintextOverflowError):
        c * 1e-300 + 1.0


def test_h39_the_array_itself_is_unchanged(public_key: PublicKey) -> None:
    difference = public_key.encrypt([1.0]) - public_key.encrypt([5.0]) * 2
    before = public_key._context.ring.store(difference.residues)
    difference = difference * 1
    assert difference.ciphertexts() != difference.ciphertexts()
    assert public_key._context.ring.store(difference.residues) == before


def test_repr_shows_no_values(public_key: PublicKey) -> None:
    shown = repr(public_key.encrypt([[123.25, 4.0]], packed=True))
    assert shown == f"EncryptedArray(shape=(1, 2), packed, 1 ciphertext, key {public_key.fingerprint[:8]})"
