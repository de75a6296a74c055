"""What may stand beside an encrypted array, and what errors about it show: HAZARDS rows 18, 19, 72 and 74."""

from __future__ import annotations

import array as buffers
import operator
import sys
import traceback
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from vecphe import (
    EncryptedArray,
    FixedPoint,
    InvalidPlaintextError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
    concatenate,
)
from vecphe.plaintext.encoding import as_plain_array

Keypair = tuple[PublicKey, PrivateKey]

# Errors that show no values -------------------------------------------------------------------------------------

SECRET = 918273645.125
FORMS = ("918273645", "9.18273645", "9.1827", "91827")
OPERATORS = [
    *(operator.iadd, operator.isub, operator.imul, operator.imatmul, operator.itruediv, operator.ifloordiv),
    *(operator.imod, operator.ipow, operator.iand, operator.ior, operator.ixor, operator.ilshift, operator.irshift),
    *(operator.truediv, operator.floordiv, operator.mod, operator.pow, divmod, operator.and_, operator.or_),
    *(operator.xor, operator.lshift, operator.rshift),
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
]
BINARY = sorted(
    {f for f in vars(np).values() if isinstance(f, np.ufunc) and f.nin == 2}, key=lambda ufunc: ufunc.__name__
)
WORKING = {np.add, np.subtract, np.multiply, np.matmul}


def shown_by(operation: Callable[[], Any]) -> str:
    """Type and text of the error and of all it is chained to, as a traceback shows them."""
    with pytest.raises((TypeError, ValueError, NotImplementedError, RuntimeError)) as caught:
        operation()
    error, texts = caught.value, []
    while error is not None:
        texts += traceback.format_exception_only(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(texts)


def secrets_of(kind: str) -> Any:
    values = np.array([SECRET, 2.0])
    return {
        "array": values,
        "integers": values.astype(np.int64),
        "complex": values + 1j,
        "objects": np.array([SECRET, None], dtype=object),
        "text": np.array([str(SECRET), "b"]),
        "records": np.array([(SECRET, 1), (2.0, 2)], dtype=[("a", float), ("b", int)]),
        "scalar": np.float64(SECRET),
        "zero-d": np.array(SECRET),
        "longdouble": values.astype(np.longdouble),
        "masked": np.ma.masked_array(values, [False, True]),
        "list": values.tolist(),
        "tuple": tuple(values.tolist()),
        "float": SECRET,
        "sparse": sp.csr_array([[SECRET, 2.0]]),
    }[kind]


KINDS = [
    *("array", "integers", "complex", "objects", "text", "records", "scalar", "zero-d", "longdouble", "masked"),
    *("list", "tuple", "float", "sparse"),
]


@pytest.mark.parametrize("function", OPERATORS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, for what is plain
def test_h72_operators_on_plain_left_operands_show_no_values(
    public_key: PublicKey, kind: str, function: Callable[[Any, Any], Any]
) -> None:
    c = public_key.encrypt([1.0, 2.0])
    if kind in ("list", "tuple", "float", "scalar") and function in (operator.iadd, operator.isub, operator.imul):
        if kind == "list" and function is operator.iadd:  # Python's own: the list takes the elements
            return
        assert isinstance(function(secrets_of(kind), c), EncryptedArray)  # rebinds the name
        return
    if kind in ("list", "tuple", "float", "scalar") and function is operator.imatmul and np.ndim(secrets_of(kind)):
        assert isinstance(function(secrets_of(kind), c), EncryptedArray)
        return
    if kind == "records" and function in (operator.eq, operator.ne):
        return  # numpy gives up on records before it asks the other side, and warns
    if kind == "sparse" and function in (operator.iadd, operator.isub, operator.imul, operator.imatmul):
        return  # works too, see below
    shown = shown_by(lambda: function(secrets_of(kind), c))
    assert not any(form in shown for form in FORMS), shown


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda ufunc: ufunc.__name__)
def test_h72_ufuncs_and_their_methods_show_no_values(public_key: PublicKey, ufunc: np.ufunc) -> None:
    c, secret = public_key.encrypt([1.0, 2.0]), np.array([SECRET, 2.0])
    calls: list[Callable[[], Any]] = [
        lambda: ufunc(secret, c, out=secret.copy()),
        lambda: ufunc(secret, c, out=(secret.copy(),) * ufunc.nout),
        lambda: ufunc(secret, secret, out=(c,) * ufunc.nout),
        lambda: ufunc(secret, c, where=[True, False]),
        lambda: ufunc(secret, c, dtype=float),
        lambda: ufunc.outer(secret, c),
        lambda: ufunc.outer(c, secret),
        lambda: ufunc.at(secret, [0], c),
        lambda: ufunc.reduceat(c, [0]),
        lambda: ufunc.accumulate(c),
        lambda: ufunc.reduce(c, initial=SECRET),
    ]
    if ufunc not in WORKING:
        calls += [lambda: ufunc(secret, c)]
        if ufunc is not np.true_divide:
            calls += [lambda: ufunc(c, secret), lambda: ufunc(c, c), lambda: ufunc(np.ma.masked_array(secret), c)]
    for call in calls:
        shown = shown_by(call)
        assert not any(form in shown for form in FORMS), shown


def test_h72_numpys_functions_show_no_values(public_key: PublicKey) -> None:
    c, secret = public_key.encrypt([1.0, 2.0]), np.array([SECRET, 2.0])
    calls: list[Callable[[], Any]] = [
        lambda: operator.setitem(secret, 0, c),
        lambda: operator.setitem(secret, slice(None), c),
        lambda: np.copyto(secret, c),
        lambda: np.stack([secret, c]),
        lambda: np.array([secret, c]),
        lambda: np.array([SECRET, c], dtype=object),
        lambda: np.einsum("i,i", secret, c),
        lambda: np.where(c, secret, secret),
        lambda: np.clip(secret, c, None),
        lambda: np.isclose(secret, c),
        lambda: np.take(secret, c),
        lambda: np.take(c, [0], out=secret),
        lambda: np.take(c, [0], None, secret),
        lambda: secret.dot(c),
        lambda: secret.put([0], c),
        lambda: secret.searchsorted(c),
        lambda: c[secret],
        lambda: c[0] + [SECRET, c],
        lambda: operator.setitem(c, 0, SECRET),
        lambda: public_key.encrypt([secret, c]),
    ]
    for call in calls:
        try:
            call()
        except (TypeError, ValueError, IndexError) as error:
            shown = "".join(traceback.format_exception_only(error))
            assert not any(form in shown for form in FORMS), shown
        else:
            assert call is calls[5]  # an object array of both: each element's own business


@pytest.mark.parametrize("function", [np.add, np.subtract, np.multiply, np.matmul, np.true_divide, np.maximum])
def test_h72_the_error_is_ours_and_says_what_to_write(public_key: PublicKey, function: np.ufunc) -> None:
    x, c = np.array([1.0, 2.0]), public_key.encrypt([1.0, 2.0])
    with pytest.raises(TypeError, match=r"where you wrote x \+= c .* write x = x \+ c$"):
        function(x, c, out=x)
    assert x.tolist() == [1.0, 2.0]
    with pytest.raises(TypeError, match=r"does not work with NoneType; there are c \+ x"):
        np.add(c, None)


def test_h72_data_frames_show_no_values(keypair: Keypair) -> None:
    pd = pytest.importorskip("pandas")
    c = keypair[0].encrypt([1.0, 2.0])
    series = pd.Series([SECRET, 2.0], name="salary")
    frame = pd.DataFrame({"a": [SECRET, 2.0], "b": [3.0, 4.0]})
    for value in (series, frame, pd.Index([SECRET, 2.0]), pd.array([SECRET, 2.0])):
        for function in (operator.truediv, operator.gt, operator.eq, operator.le, operator.pow, operator.floordiv):
            shown = shown_by(lambda function=function, value=value: function(value, c))
            assert not any(form in shown for form in FORMS), shown
    for call in (lambda: np.greater(series, c), lambda: np.maximum(frame, c), lambda: frame @ c, lambda: frame.dot(c)):
        shown = shown_by(call)
        assert not any(form in shown for form in FORMS), shown


# Integers are exact or refused ----------------------------------------------------------------------------------

BIG = 2**63 + 1
MIXED: list[tuple[Any, list[Any]]] = [
    ([np.uint64(BIG), np.int64(-1)], [BIG, -1]),
    ((BIG, -1), [BIG, -1]),
    ([2**63, 1], [2**63, 1]),
    ([2**63, -1], [2**63, -1]),
    ([2**70, True], [2**70, 1]),
    ([[np.uint64(BIG)], [np.int8(-1)]], [[BIG], [-1]]),
    ([np.array([BIG], np.uint64), np.array([-1], np.int64)], [[BIG], [-1]]),
    ([[2**63], (-1,)], [[2**63], [-1]]),
    (np.array([BIG, -1], dtype=object), [BIG, -1]),
    (np.array([2**60 + 1, np.int32(5), np.bool_(True)], dtype=object), [2**60 + 1, 5, 1]),
    (2**70, 2**70),
    (-(2**64), -(2**64)),
    (deque([2**63, -1]), [2**63, -1]),
]


@pytest.mark.parametrize(("values", "expected"), MIXED, ids=str)
def test_h74_integers_that_numpy_would_round_are_exact(keypair: Keypair, values: Any, expected: Any) -> None:
    public_key, private_key = keypair
    decrypt = private_key.decrypt
    assert decrypt(public_key.encrypt(values)).tolist() == expected
    exact = np.array(expected, dtype=object)
    assert decrypt(public_key.encrypt(values).ravel()).tolist() == exact.ravel().tolist()
    zeros, ones = (public_key.encrypt(np.full(exact.shape, k)) for k in (0, 1))
    assert decrypt(zeros + values).tolist() == decrypt(values + zeros).tolist() == expected
    assert decrypt(-(zeros - values)).tolist() == expected
    assert decrypt(values - zeros).tolist() == expected
    assert decrypt(ones * values).tolist() == decrypt(values * ones).tolist() == expected
    if exact.ndim:
        row = public_key.encrypt(np.ones(exact.shape[-1], dtype=int))
        ones = public_key.encrypt(np.ones(len(exact), dtype=int))
        assert decrypt(values @ row).tolist() == (exact.sum(axis=-1).tolist() if exact.ndim > 1 else sum(expected))
        assert decrypt(ones @ values).tolist() == (exact.sum(axis=0).tolist() if exact.ndim > 1 else sum(expected))
        assert decrypt(np.outer(row, values)).tolist() == np.outer(np.ones(len(row), dtype=object), exact).tolist()


ROUNDED: list[Any] = [
    [2**60 + 1, 0.5],
    (np.int64(2**53 + 1), np.float32(1)),
    [[2**53 + 1, 1], [2, 0.25]],
    np.array([2**60 + 1, 0.5], dtype=object),
    [np.array([2**60 + 1]), np.array([0.5])],
    [np.uint64(BIG), -1.0],
    [10**400, 0.5],
    [True, -(2**60) - 1, 1.5],
]


@pytest.mark.parametrize("values", ROUNDED, ids=str)
def test_h74_integers_that_no_float_holds_are_refused_among_fractions(public_key: PublicKey, values: Any) -> None:
    c = public_key.encrypt(np.ones(np.shape(np.array(values, dtype=object))))
    for operation in (
        public_key.encrypt, c.__add__, c.__radd__, c.__sub__, c.__rsub__, c.__mul__, c.__truediv__, c.__matmul__,
        c.__rmatmul__, lambda x: public_key.encrypt(x, packed=True),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=r"mixes fractions with integers beyond 2\^53"):
            operation(values)


@pytest.mark.parametrize("values", [[2**60, 0.5], [2**53, -0.5], [1e300, 7], [2.0**70, 2**70], [True, 0.5, -(2**62)]])
def test_h74_integers_that_are_floats_go_with_fractions(values: list[Any]) -> None:
    for given in (values, np.array(values, dtype=object)):
        assert as_plain_array(given).dtype == np.float64
        assert as_plain_array(given).tolist() == values


class Frame:
    """As a pandas DataFrame: columns of types of their own, which become one for numpy."""

    def __init__(self, **columns: Any) -> None:
        self.columns = {name: np.asarray(column) for name, column in columns.items()}
        self.dtypes = [column.dtype for column in self.columns.values()]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        common = np.stack(list(self.columns.values()), axis=1)
        return common if dtype is None else common.astype(dtype)

    def itertuples(self, index: bool = True, name: str | None = "Pandas") -> Any:
        assert not index  # it would be one value more
        assert name is None
        return zip(*(column.tolist() for column in self.columns.values()), strict=True)


class PolarsFrame(Frame):
    """As a polars DataFrame."""

    itertuples = property()  # has none

    def iter_rows(self) -> Any:
        return zip(*(column.tolist() for column in self.columns.values()), strict=True)


def frames(**columns: Any) -> list[Any]:
    found: list[Any] = [Frame(**columns), PolarsFrame(**columns)]
    for library in ("pandas", "polars"):
        try:
            module = __import__(library)
        except ImportError:
            continue
        found.append(module.DataFrame({name: np.asarray(column) for name, column in columns.items()}))
    return found


def test_h74_data_frames_of_several_integer_types(keypair: Keypair) -> None:
    expected = [[BIG, -1], [3, -4]]
    c = keypair[0].encrypt(np.ones((2, 2), dtype=int))
    given = frames(a=np.array([BIG, 3], np.uint64), b=np.array([-1, -4]))
    assert len(given) >= 2
    for frame in given:
        assert keypair[1].decrypt(keypair[0].encrypt(frame)).tolist() == expected
        assert keypair[1].decrypt(c * frame).tolist() == expected
        assert keypair[1].decrypt(keypair[0].encrypt([frame, frame])).tolist() == [expected, expected]
    for frame in frames(a=np.array([2**60 + 1, 3]), b=np.array([0.5, 1.5])):
        for operation in (keypair[0].encrypt, c.__add__, lambda x: c * [x]):
            with pytest.raises(TypeError, match="mixes fractions with integers"):
                operation(frame)
    for frame in frames(a=np.array([2, 3]), b=np.array([0.5, 1e300])):
        assert as_plain_array(frame).tolist() == [[2.0, 0.5], [3.0, 1e300]]


@pytest.mark.parametrize(
    "divisor",
    [
        2**60 + 1,
        [2**63 + 1, -1],
        3537890141242968453,
        [3697771462597728510, 2726213999444109617],
        np.uint64(2**64 - 1),
        3**80,
        np.int64(-3),
        True,
    ],
)
def test_h74_divisors_are_not_rounded_before_their_reciprocal(keypair: Keypair, divisor: Any) -> None:
    exact = np.array(divisor, dtype=object)
    c = keypair[0].encrypt(np.ones(exact.shape), encoding=FixedPoint(0, 1))
    expected = np.array([1 / int(d) for d in exact.ravel()]).reshape(exact.shape)  # Python rounds once
    assert keypair[1].decrypt(c / divisor).tolist() == expected.tolist()


def test_h74_a_divisor_beyond_the_floats_is_no_zero(keypair: Keypair, secure_keypair: Keypair) -> None:
    c = keypair[0].encrypt([1.0])
    with pytest.raises(PlaintextOverflowError, match="divide in steps"):
        c / 2**1200
    with pytest.raises(InvalidPlaintextError, match="reciprocal"), np.errstate(all="raise"):
        c / 5e-324
    c = secure_keypair[0].encrypt([3.0], encoding=FixedPoint(0, 3))
    assert secure_keypair[1].decrypt(c / 2**600 / 2**600).tolist() == [0.0]  # below the least float


def test_h18_elements_of_object_arrays(public_key: PublicKey) -> None:
    for bad, name in ((Decimal(1), "Decimal"), (Fraction(1, 3), "Fraction"), (None, "NoneType"), ("1", "str"),
                      (np.longdouble(1), "longdouble"), (1j, "complex"), (object(), "object")):  # fmt: skip
        with pytest.raises(TypeError, match=rf"of type {name} at index \(1, 0\)"):
            public_key.encrypt(np.array([[1], [bad]], dtype=object))
    for scalar in (Decimal(1), Fraction(1, 3)):
        with pytest.raises(TypeError, match="plain factor x holds an object of type"):
            public_key.encrypt([1.0]) * scalar


# Integers of any size -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_h20_big_integers_up_to_max_abs(keypair: Keypair, packed: bool) -> None:
    public_key, private_key = keypair
    top = 2**128
    encoding = FixedPoint(0, top, 2)
    x = np.array([top, -top, 2**70, -1, 0], dtype=object)
    c = public_key.encrypt(x, packed=packed, encoding=encoding)
    assert private_key.decrypt(c).tolist() == x.tolist()
    assert private_key.decrypt(c + x).tolist() == (2 * x).tolist()
    assert private_key.decrypt(c - x).tolist() == [0] * 5
    assert private_key.decrypt(c + 2**70).tolist() == (x + 2**70).tolist()
    assert private_key.decrypt(2**70 - c).tolist() == (2**70 - x).tolist()
    for beyond in (top + 1, -top - 1):
        values = np.array([0, 0, 0, beyond, 0], dtype=object)
        for operation in (lambda v: public_key.encrypt(v, packed=packed, encoding=encoding), c.__add__, c.__sub__):
            with pytest.raises(PlaintextOverflowError, match=r"at index \(3,\) exceeds max_abs"):
                operation(values)


def test_h20_the_default_encoding_holds_big_integers(keypair: Keypair) -> None:
    public_key, private_key = keypair
    top = 2**176  # what floats of up to 2^64 become
    assert private_key.decrypt(public_key.encrypt([top, -top, 1])).tolist() == [top, -top, 1]
    assert private_key.decrypt(public_key.encrypt([1, 2]) + 2**70).tolist() == [2**70 + 1, 2**70 + 2]
    with pytest.raises(PlaintextOverflowError, match=r"index \(0,\) exceeds"):
        public_key.encrypt([top + 1])
    with pytest.raises(PlaintextOverflowError, match="exceeds max_abs"):
        public_key.encrypt([1.5]) + 2**70


# What numpy.asarray turns into numbers --------------------------------------------------------------------------


class Tensor:
    """Reacts as a torch tensor: its operators leave what they do not know to the other operand."""

    __array_priority__ = 1000

    def __init__(self, values: Any, requires_grad: bool = False) -> None:
        self.values, self.requires_grad = np.asarray(values), requires_grad
        self.dtype, self.shape = f"tensor.{self.values.dtype}", self.values.shape

    def __array__(self, dtype: Any = None) -> np.ndarray:
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        return self.values if dtype is None else self.values.astype(dtype)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return NotImplemented

    def _other(self, other: Any) -> Any:
        if not isinstance(other, (Tensor, int, float)):
            return NotImplemented
        raise AssertionError("not a case of these tests")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __rmatmul__ = __truediv__ = _other
    __lt__ = __gt__ = __le__ = __ge__ = _other

    def __len__(self) -> int:
        return len(self.values)


class Interface:
    """Only numpy's array interface, as images have."""

    def __init__(self, values: np.ndarray) -> None:
        self.__array_interface__ = values.__array_interface__
        self.kept = values


X = np.array([[1.5, -2.0], [0.25, 4.0]])


def operands() -> list[Any]:
    given: list[Any] = [X.tolist(), Tensor(X), Interface(X), deque(X.tolist()), Frame(a=X[:, 0], b=X[:, 1]), [*X]]
    given += [memoryview(np.ascontiguousarray(X)), sp.csr_array(X), sp.coo_array(X), sp.csc_array(X), sp.lil_array(X)]
    try:
        import pandas as pd
    except ImportError:
        return given
    return [*given, pd.DataFrame(X), pd.DataFrame(X, columns=["a", "b"])]


@pytest.mark.parametrize("operand", operands(), ids=lambda operand: type(operand).__name__)
def test_operands_that_numpy_makes_numbers_of(keypair: Keypair, operand: Any) -> None:
    y = np.array([[1.0, 2.0], [3.0, 4.5]])
    c, decrypt = keypair[0].encrypt(y), keypair[1].decrypt
    for result, expected in (
        (c + operand, y + X), (c - operand, y - X), (c * operand, y * X), (c @ operand, y @ X), (c.dot(operand), y @ X),
        (np.add(c, operand), y + X), (np.dot(c, operand), y @ X), (np.outer(c[0], operand), np.outer(y[0], X)),
        (np.inner(c, operand), np.inner(y, X)),
    ):  # fmt: skip
        np.testing.assert_allclose(decrypt(result), expected, rtol=1e-14)
    if not isinstance(operand, memoryview | Interface | deque | Frame):
        for function in (operator.add, operator.sub, operator.mul):
            np.testing.assert_allclose(decrypt(function(operand, c)), function(X, y), rtol=1e-14)
    if hasattr(operand, "to_numpy"):
        with pytest.raises(TypeError, match=r"write numpy.asarray\(x\) @ c"):
            operand @ c
        operand = np.asarray(operand)
    if isinstance(operand, list | Tensor | np.ndarray) or sp.issparse(operand):
        np.testing.assert_allclose(decrypt(operand @ c), X @ y, rtol=1e-14)


def test_operands_of_one_dimension(keypair: Keypair) -> None:
    y = np.array([1.0, 2.0, 3.5])
    c, decrypt = keypair[0].encrypt(y), keypair[1].decrypt
    for operand in (range(3), buffers.array("d", [0, 1, 2]), Tensor([0.0, 1, 2]), sp.coo_array([0.0, 1, 2]), [0, 1, 2]):
        np.testing.assert_allclose(decrypt(c + operand), y + np.arange(3))
        np.testing.assert_allclose(decrypt(c @ operand), y @ [0, 1, 2])
        np.testing.assert_allclose(decrypt(c / [1, 2, 4]), y / [1, 2, 4])
        assert (c @ operand).shape == ()
    assert decrypt(keypair[0].encrypt(range(3))).tolist() == [0, 1, 2]
    for foreign in (None, "12", b"12", bytearray(3), {"a": 1}, object(), {1, 2}):
        for function in (operator.add, operator.sub, operator.mul, operator.matmul, operator.truediv):
            with pytest.raises(TypeError, match=r"unsupported operand|can't multiply sequence"):
                function(c, foreign)
            with pytest.raises(TypeError, match=r"unsupported|multiply sequence|concat|division by an encrypted"):
                function(foreign, c)


def test_pandas_on_the_left(keypair: Keypair) -> None:
    pd = pytest.importorskip("pandas")
    y = np.array([1.0, 2.0])
    c, decrypt = keypair[0].encrypt(y), keypair[1].decrypt
    for value in (pd.Series([3.0, 4.5]), pd.DataFrame([[3.0, 4.5], [1.0, 0.5]]), pd.Index([3, 4]), pd.array([3, 4])):
        plain = np.asarray(value, dtype=float)
        for function in (operator.add, operator.sub, operator.mul):
            np.testing.assert_allclose(decrypt(function(value, c)), function(plain, y))
            np.testing.assert_allclose(decrypt(function(c, value)), function(y, plain))
        if not isinstance(value, pd.Index):  # which makes an Index of every result
            np.testing.assert_allclose(decrypt(np.multiply(value, c)), plain * y)
    with pytest.raises((TypeError, InvalidPlaintextError), match=r"index \(1,\)"):
        c + pd.array([1, None])


def test_a_tensor_with_gradients_keeps_its_own_hint(public_key: PublicKey) -> None:
    c = public_key.encrypt([1.0, 2.0])
    for operation in (lambda x: c + x, lambda x: x * c, public_key.encrypt):
        with pytest.raises(RuntimeError, match="detach"):
            operation(Tensor([1.0, 2.0], requires_grad=True))


def test_matrices_do_not_multiply_element_by_element(keypair: Keypair) -> None:
    """``*`` of numpy's and scipy's matrices is a matrix product."""
    c, x = keypair[0].encrypt([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.5], [2.0, 0.0]])
    with pytest.warns(PendingDeprecationWarning):
        matrices = (sp.csr_matrix(x), np.matrix(x))
    for matrix in matrices:
        for product in (lambda m: c * m, lambda m: m * c):
            with pytest.raises(TypeError, match="matrix product: write @"):
                product(matrix)
    assert keypair[1].decrypt(matrices[0] @ c).tolist() == (x @ [[1.0, 2.0], [3.0, 4.0]]).tolist()
    assert keypair[1].decrypt(np.asarray(matrices[1]) @ c).tolist() == (x @ [[1.0, 2.0], [3.0, 4.0]]).tolist()


def test_who_has_no_scipy_needs_none(keypair: Keypair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "scipy.sparse")
    c = keypair[0].encrypt([[1.0, 2.0], [3.0, 4.0]])
    for result in (c * 2, c * [[2, 2], [2, 2]], 2 * (np.eye(2) @ c), np.where(True, c, 0) * 2, c @ (2 * np.eye(2))):
        assert keypair[1].decrypt(result).tolist() == [[2.0, 4.0], [6.0, 8.0]]


# Sparse matrices ------------------------------------------------------------------------------------------------


class Counter:
    """The ring of a key, counting the residues that its operations compute."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ring: Any) -> None:
        self.powers = self.products = 0
        power, product, multiply = (getattr(ring, name) for name in ("power_vartime", "product", "multiply"))
        invert = ring.invert

        def powers(batch: Any, exponents: Any) -> Any:
            self.powers += len(exponents)
            return power(batch, exponents)

        def products(batch: Any, outer: int, terms: int, inner: int) -> Any:
            self.products += outer * terms * inner
            return product(batch, outer, terms, inner)

        def pairs(left: Any, right: Any) -> Any:
            self.products += ring.size(left)
            return multiply(left, right)

        def inverses(batch: Any) -> Any:
            self.products += 3 * ring.size(batch)
            return invert(batch)

        # Not by setattr, which would leave the ring its own methods as attributes, before what others set on its class.
        own = {"power_vartime": powers, "product": products, "multiply": pairs, "invert": inverses}
        for name, method in {**own, "matrix_power_vartime": lambda *_: pytest.fail("dense")}.items():
            monkeypatch.setitem(vars(ring), name, method)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr"])
@pytest.mark.parametrize(("dtype", "kind"), [(np.float64, sp.csr_matrix), (np.int64, sp.csr_array)])
def test_only_the_entries_of_a_sparse_matrix_cost(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch, form: str, dtype: Any, kind: Any
) -> None:
    random = np.random.default_rng(3)
    x = np.zeros((60, 50), dtype=dtype)
    places = random.choice(x.size, 20, replace=False)
    x.ravel()[places] = random.integers(1, 100, 20) * random.choice([-1, 1], 20)
    x[7, :5] = [1, 2, 3, 4, -5]
    matrix = kind(x).asformat(form)
    vector, square = random.integers(-9, 9, 50), random.integers(-9, 9, (50, 2))
    stored = int(np.count_nonzero(x))
    for plain, columns in ((vector, 1), (square, 2)):
        c = keypair[0].encrypt(plain)
        counter = Counter(monkeypatch, c._ring)
        result, mirrored = matrix @ c, c.T @ matrix.T
        monkeypatch.undo()
        assert counter.powers == 2 * stored * columns
        assert counter.products <= 2 * 4 * stored * columns
        assert result.shape == (x @ plain).shape
        assert keypair[1].decrypt(result).tolist() == (x @ plain).tolist()
        assert keypair[1].decrypt(mirrored).tolist() == (x @ plain).T.tolist()
        assert result.bound == c.bound * int(np.abs(x).sum(axis=1).max())
        assert result.format.integer == (dtype is np.int64)
        assert not result.is_fresh
    weights = random.integers(-9, 9, x.shape)
    c = keypair[0].encrypt(weights[:8, :6])
    counter = Counter(monkeypatch, c._ring)
    product = c * sp.csr_array(x[:8, :6])
    monkeypatch.undo()
    assert counter.powers == np.count_nonzero(x[:8, :6])
    assert keypair[1].decrypt(product).tolist() == (weights[:8, :6] * x[:8, :6]).tolist()


def test_sparse_matrices_of_odd_shapes_and_entries(keypair: Keypair, monkeypatch: pytest.MonkeyPatch) -> None:
    public_key, private_key = keypair
    monkeypatch.setattr("vecphe.array.powers._MOST_POWERS", 3)  # several groups of rows
    c = public_key.encrypt([1, 2, 3])
    repeated = sp.coo_array(([5, 7, 0], ([0, 0, 1], [1, 1, 2])), shape=(2, 3))  # the first place twice, a stored zero
    assert private_key.decrypt(repeated @ c).tolist() == [24, 0]
    for rows in (0, 1, 5):
        empty = sp.csr_array((rows, 3))
        assert private_key.decrypt(empty @ c).tolist() == [0] * rows
        assert 1 not in (empty @ c).ciphertexts()
    assert (sp.csr_array(np.eye(3)) @ public_key.encrypt(np.zeros((3, 0)))).shape == (3, 0)
    big = sp.csr_array(np.array([[2**62, 0, 1], [0, -(2**62), 0], [1, 1, 1], [1, 1, 1], [1, 1, 1]]))
    assert private_key.decrypt(big @ c).tolist() == [2**62 + 3, -(2**63), 6, 6, 6]
    assert private_key.decrypt(sp.coo_array([0, 4, 0]) @ c).tolist() == 8
    with pytest.raises(ValueError, match="do not fit"):
        sp.csr_array(np.eye(2)) @ c
    with pytest.raises(InvalidPlaintextError, match="data of the sparse matrix x holds NaN"):
        sp.csr_array(np.array([[np.nan, 0, 1]])) @ c
    with pytest.raises(TypeError, match="complex"):
        sp.csr_array(np.array([[1j, 0, 1]])) @ c
    with pytest.raises(PlaintextOverflowError, match="plaintext's range"):
        sp.csr_array(np.array([[1, 0, -1]])) @ public_key.encrypt([1, 2, 3], encoding=FixedPoint(0, public_key.n // 4))


def test_a_sparse_product_spends_no_freshness_of_its_own(public_key: PublicKey) -> None:
    c = public_key.encrypt([1.0, 2.0])
    once = sp.csr_array(np.eye(2)) @ c
    assert public_key._context.ring.store(once.residues) == public_key._context.ring.store(c.residues)
    assert not set(once.ciphertexts()) & set(public_key._context.ring.store(c.residues))


def test_sequences_of_encrypted_arrays(keypair: Keypair) -> None:
    public_key, private_key = keypair
    c, d = public_key.encrypt([1.0, 2.0]), public_key.encrypt([3.0, 6.0])
    for function in (np.mean, np.sum, np.asarray, np.array, np.average, np.cumsum):
        with pytest.raises(TypeError, match=r"numpy.mean\(numpy.stack\(\[c, d\]\), axis=0\)"):
            function([c, d])
    assert private_key.decrypt(np.mean(np.stack([c, d]), axis=0)).tolist() == [2.0, 4.0]
    assert private_key.decrypt(np.sum(np.stack([c, d]), axis=0)).tolist() == [4.0, 8.0]
    assert private_key.decrypt(concatenate([c, d])).tolist() == [1.0, 2.0, 3.0, 6.0]


def test_h74_integers_in_0d_arrays_of_a_list_are_exact_or_refused(keypair: Keypair) -> None:
    public_key, private_key = keypair
    wide = np.array(2**63 + 1, dtype=np.uint64)
    assert private_key.decrypt(public_key.encrypt([wide, -1])).tolist() == [2**63 + 1, -1]
    for kind in (list, tuple, deque):
        for nested in (kind([kind([wide, -1])]), [kind([wide, -1])], kind([[wide, -1]])):
            assert as_plain_array(nested).tolist() == [[2**63 + 1, -1]]
    with pytest.raises(TypeError, match="mixes fractions with integers beyond"):
        public_key.encrypt([np.array(2**60 + 1), 0.5])


@pytest.mark.parametrize(
    ("module", "told"),
    [
        *(
            ("scipy.sparse._base", ""),
            ("scipy.sparse.x", ""),
            ("scipy.sparse", "plain"),
            ("scipy.sparsetools", "plain"),
        ),
        *(("numpy.ma.core", "filled"), ("numpy.ma", "plain"), ("numpy.matlib", "plain"), ("mine", "plain")),
        (None, "plain"),
    ],
)
def test_who_may_have_an_array_of_the_one_object(public_key: PublicKey, module: str | None, told: str) -> None:
    """The operators of scipy.sparse, which then leave the operation to the array."""
    c = public_key.encrypt([1.0, 2.0])
    names = {"c": c, "numpy": np} if module is None else {"__name__": module, "c": c, "numpy": np}
    for call in ("numpy.asarray(c)", "numpy.asanyarray(c)", "numpy.array(c)"):
        if told:
            with pytest.raises(
                TypeError, match=r"x\.filled\(value\)$" if told == "filled" else "turn into a plain array"
            ):
                eval(call, names)
        else:
            whole = eval(call, names)
            assert (whole.shape, whole.dtype) == ((), object)
            assert whole[()] is c


class EncryptedNumber:
    """As one of phe."""

    public_key = "a key"


class Alike:
    public_key = "a key"


NO_ARRAY = (
    f"a {__name__}.EncryptedNumber is no array; to add it, write vecphe.from_phe(c.public_key, [x], max_abs=m) for x, "
    "with m the largest magnitude that it may have"
)
OF_NUMBERS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "c + x": (lambda c, x: c + x, NO_ARRAY),
    "x + c": (lambda c, x: x + c, NO_ARRAY),
    "c - x": (lambda c, x: c - x, NO_ARRAY),
    "x - c": (lambda c, x: x - c, NO_ARRAY),
    "c[0] = x": (lambda c, x: operator.setitem(c, 0, x), NO_ARRAY),
    "c * x": (lambda c, x: c * x, "a product of two encrypted values cannot be computed: Paillier only adds"),
    "x @ c": (lambda c, x: x @ c, "a product of two encrypted values cannot be computed: Paillier only adds"),
    "c @ x": (lambda c, x: c @ x, "a product of two encrypted values cannot be computed: Paillier only adds"),
    "c / x": (lambda c, x: c / x, "division by an encrypted value cannot be computed: Paillier only adds"),
    "x / c": (lambda c, x: x / c, "division by an encrypted value cannot be computed: Paillier only adds"),
    "c + [x]": (
        lambda c, x: c + [1.0, x],  # noqa: RUF005
        "the plain operand x holds an object of type EncryptedNumber at index (1,); only integers, and floats of up to "
        "64 bits, can be encrypted (vecphe.from_phe(public_key, x, max_abs=m) makes an array of encrypted numbers)",
    ),
}


@pytest.mark.parametrize("case", OF_NUMBERS)
def test_numbers_of_phe_are_told_apart_by_name_and_key(public_key: PublicKey, case: str) -> None:
    operation, told = OF_NUMBERS[case]
    c = public_key.encrypt([1.0, 2.0])
    with pytest.raises(TypeError) as caught:
        operation(c, EncryptedNumber())
    assert str(caught.value) == told
    if case == "x / c":
        return
    nameless = type("EncryptedNumber", (), {})()
    for other in (Alike(), nameless):
        with pytest.raises(TypeError) as wrong:
            operation(c, other)
        assert str(wrong.value) != told
        assert "from_phe" not in str(wrong.value)
        assert "Paillier" not in str(wrong.value)


class OwnProduct:
    """Like a data frame: its own product reads the other operand."""

    shape, ndim = (2, 2), 2

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([[1.0, 2.0], [3.0, 4.0]], dtype=dtype)

    def __matmul__(self, other: Any) -> Any:
        return np.asarray(self) @ np.asarray(other)


@pytest.mark.parametrize("product", [np.dot, np.inner])
def test_products_of_numpy_convert_a_frame_on_the_left(keypair: Keypair, product: Callable[..., Any]) -> None:
    public_key, private_key = keypair
    assert private_key.decrypt(product(OwnProduct(), public_key.encrypt([1.0, 10.0]))).tolist() == [21.0, 43.0]


class ForeignProduct:
    """Of no numbers that numpy knows."""

    ndim = 2

    def __matmul__(self, other: Any) -> Any:
        return type(other)


@pytest.mark.parametrize("product", [np.dot, np.inner])
def test_products_of_numpy_leave_what_is_no_array_to_itself(public_key: PublicKey, product: Callable[..., Any]) -> None:
    assert product(ForeignProduct(), public_key.encrypt([1.0, 10.0])) is EncryptedArray


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        *(((), (2,), "takes 1-d and 2-d"), ((2,), (), "takes 1-d and 2-d"), ((1, 2, 2), (2,), "takes 1-d and 2-d")),
        *(((2,), (1, 2, 2), "takes 1-d and 2-d"), ((2, 2, 2), (2, 2, 2), "takes 1-d and 2-d")),
        *(((3,), (2,), "do not fit"), ((2, 3), (2,), "do not fit"), ((2,), (3, 2), "do not fit")),
        *(((2, 3), (2, 3), "do not fit"), ((0,), (1,), "do not fit"), ((1, 1), (0, 2), "do not fit")),
    ],
)
def test_shapes_that_do_not_multiply(
    public_key: PublicKey, left: tuple[int, ...], right: tuple[int, ...], told: str
) -> None:
    x, c = np.ones(left), public_key.encrypt(np.ones(right))
    y, d = np.ones(right), public_key.encrypt(np.ones(left))
    for product, shapes in ((lambda: x @ c, f"{left} and {right}"), (lambda: d @ y, f"{right[::-1]} and {left[::-1]}")):
        with pytest.raises(ValueError, match="matmul") as caught:
            product()
        assert str(caught.value) == (
            f"matmul takes 1-d and 2-d operands, not shapes {shapes}"
            if told.startswith("takes")
            else f"matmul: shapes {shapes} do not fit"
        )
