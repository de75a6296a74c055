"""Helpers of EncryptedArray that need no access to it: numpy's protocols and signed exponents."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vecphe.arithmetic import AnyRing

__all__ = [
    "apply_function",
    "apply_ufunc",
    "dot",
    "is_plain",
    "matrix_power",
    "normalized_axes",
    "signed_power",
]

_OPERATORS = {
    np.add: ("__add__", "__radd__"),
    np.subtract: ("__sub__", "__rsub__"),
    np.multiply: ("__mul__", "__rmul__"),
    np.true_divide: ("__truediv__", ""),
    np.matmul: ("__matmul__", "__rmatmul__"),
    np.negative: ("__neg__", ""),
    np.positive: ("__pos__", ""),
}


def apply_ufunc(kind: type, ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Body of ``__array_ufunc__``: the operators, and ``np.add.reduce``."""
    if ufunc is np.add and method == "reduce" and kwargs.keys() <= {"axis", "keepdims"}:
        return inputs[0].sum(kwargs.get("axis", 0), kwargs.get("keepdims", False))
    if ufunc not in _OPERATORS or method != "__call__" or kwargs:
        return NotImplemented
    forward, reflected = _OPERATORS[ufunc]
    if isinstance(inputs[0], kind):
        return getattr(inputs[0], forward)(*inputs[1:])
    return getattr(inputs[1], reflected)(inputs[0]) if reflected else NotImplemented


def apply_function(
    functions: Mapping[Any, Callable[..., Any]], function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """Body of ``__array_function__``."""
    if function not in functions:
        raise TypeError(f"numpy.{function.__name__} does not work on encrypted arrays")
    return functions[function](*args, **kwargs)


def dot(left: Any, right: Any) -> Any:
    """numpy.dot for up to two dimensions."""
    if np.ndim(left) == 0 or np.ndim(right) == 0:
        return operator.mul(left, right)
    return operator.matmul(left, right)


def is_plain(value: Any) -> bool:
    """Whether an operand is to be tried as plain numbers; None and foreign classes are not."""
    return isinstance(value, (int, float, complex, np.generic, np.ndarray, list, tuple))


def normalized_axes(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """Axes as distinct numbers in [0, ndim); None means all."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(operator.index(a) for a in (axis if isinstance(axis, tuple) else (axis,)))
    if any(not -ndim <= a < ndim for a in axes):
        raise np.exceptions.AxisError(f"axis {axis} is out of bounds for an array of dimension {ndim}")
    normal = tuple(a % ndim for a in axes)
    if len(set(normal)) != len(normal):
        raise ValueError(f"duplicate value in axis {axis}")
    return normal


def signed_power(ring: AnyRing, batch: Any, exponents: Sequence[int]) -> Any:
    """Element-wise power by public integers of either sign."""
    negative = [i for i, exponent in enumerate(exponents) if exponent < 0]
    if negative:
        inverses = ring.invert(ring.take(batch, np.array(negative, dtype=np.intp)))
        order = np.arange(len(exponents))
        order[negative] = len(exponents) + np.arange(len(negative))
        batch = ring.take(ring.concatenate([batch, inverses]), order)
    return ring.power_vartime(batch, [abs(exponent) for exponent in exponents])


def matrix_power(ring: AnyRing, rows: Sequence[Sequence[int]], batch: Any, shape: tuple[int, ...]) -> Any:
    """Products of powers for an integer matrix times an encrypted vector or matrix of that shape.

    Entries of either sign: the product of the negative part is inverted, so no row needs inverses of its own.
    """
    columns = shape[1] if len(shape) == 2 else 1
    indices = np.arange(ring.size(batch)).reshape(shape[0], columns)
    positive = [[max(entry, 0) for entry in row] for row in rows]
    negative = [[max(-entry, 0) for entry in row] for row in rows]
    results = []
    for column in range(columns):
        vector = ring.take(batch, indices[:, column])
        result = ring.matrix_power_vartime(positive, vector)
        if any(map(any, negative)):
            result = ring.multiply(result, ring.invert(ring.matrix_power_vartime(negative, vector)))
        results.append(result)
    if not results:
        return ring.ones(0)
    order = np.arange(len(rows) * columns).reshape(columns, len(rows)).T
    return ring.take(ring.concatenate(results), order.ravel())
