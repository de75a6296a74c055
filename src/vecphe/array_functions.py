"""Helpers of EncryptedArray that need no access to it: numpy's protocols and signed exponents."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vecphe.arithmetic import AnyRing
from vecphe.parallel import Context, map_chunks, part_of

__all__ = [
    "apply_function",
    "apply_ufunc",
    "dot",
    "is_plain",
    "matrix_power",
    "normalized_axes",
    "row_products",
    "signed_power",
]

_DIGIT_BITS = 4  # of the windows that powers of many bases are computed with

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


def row_products(context: Context, batch: Any, outer: int, terms: int) -> Any:
    """Products along the last axis of a batch of shape (outer, terms), for sums of the plaintexts."""
    ring = context.ring

    def rows(start: int, stop: int) -> tuple[Any, int, int]:
        return part_of(ring, batch, start * terms, stop * terms), stop - start, terms

    def columns(start: int, stop: int) -> tuple[Any, int, int]:
        indices = np.arange(outer * terms).reshape(outer, terms)[:, start:stop]
        return ring.take(batch, indices.ravel()) if stop - start < terms else batch, outer, stop - start

    if outer >= terms:
        return _joined(ring, _shared(context, _row_products, rows, outer, outer * terms, 1))
    return _multiplied(ring, _shared(context, _row_products, columns, terms, outer * terms, 1))


def _row_products(context: Context, batch: Any, outer: int, terms: int) -> Any:
    return context.ring.product(batch, outer, terms, 1)


def matrix_power(context: Context, matrix: list[list[int]], batch: Any, shape: tuple[int, ...]) -> Any:
    """Products of powers for an integer matrix times an encrypted vector or matrix of that shape."""
    ring, width, depth = context.ring, shape[0], math.prod(shape[1:])
    bits = max((abs(entry).bit_length() for row in matrix for entry in row), default=0)
    each = len(matrix) * -(-bits // _DIGIT_BITS)  # products that a residue enters, about

    def rows(start: int, stop: int) -> tuple[Any, list[list[int]], int]:
        return batch, matrix[start:stop], depth

    def columns(start: int, stop: int) -> tuple[Any, list[list[int]], int]:
        return part_of(ring, batch, start * depth, stop * depth), [row[start:stop] for row in matrix], depth

    if len(matrix) >= width:
        return _joined(ring, _shared(context, _matrix_power, rows, len(matrix), width * depth * each, each))
    return _multiplied(ring, _shared(context, _matrix_power, columns, width, width * depth * each, each))


def _shared(
    context: Context,
    function: Callable[..., Any],
    cut: Callable[[int, int], tuple[Any, ...]],
    count: int,
    products: int,
    each: int,
) -> list[Any]:
    """Chunks of `count` items, which take that many products in all and that many a residue, over the workers."""
    tuning = context.engine.tuning
    least = -(-tuning.multiply_task * count // max(products, 1))
    carry = each >= tuning.carry_products
    return map_chunks(context, function, cut, count, least=max(least, 1), whole=True, carry=carry)


def _joined(ring: AnyRing, parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else ring.concatenate(parts)


def _multiplied(ring: AnyRing, parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else ring.product(ring.concatenate(parts), 1, len(parts), ring.size(parts[0]))


def _matrix_power(context: Context, batch: Any, rows: list[list[int]], columns: int) -> Any:
    """One chunk of it.

    Entries of either sign: the product of the negative part is inverted, so no row needs inverses of its own.
    """
    ring = context.ring
    indices = np.arange(ring.size(batch)).reshape(-1, max(columns, 1))
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
