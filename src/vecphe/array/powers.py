"""Products and powers of the residues of an array, chunk by chunk: for sums, and for products by plain matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import AnyRing
from vecphe.system.parallel import Context, joined, map_chunks, part_of

__all__ = [
    "axis_products",
    "elementwise_power",
    "group_products",
    "matrix_power",
    "signed_power",
    "sparse_matrix_power",
]

_DIGIT_BITS = 4  # of the windows that powers of many bases are computed with
_ROWS_A_GROUP = 64  # in a part of the rows of a grouped sum, so that adding up the parts takes little
_MOST_POWERS = 1 << 14  # powers that stand in memory at once in a product by a sparse matrix, if its rows allow it


def signed_power(ring: AnyRing, batch: Any, exponents: Sequence[int]) -> Any:
    """Element-wise power by public integers of either sign; those by 0 cost nothing."""
    kept = [i for i, exponent in enumerate(exponents) if exponent]
    if len(kept) < len(exponents):
        powers = signed_power(ring, ring.take(batch, np.array(kept, np.intp)), [exponents[i] for i in kept])
        order = np.full(len(exponents), len(kept))
        order[kept] = np.arange(len(kept))
        return ring.take(ring.concatenate([powers, ring.ones(1)]), order)
    negative = [i for i, exponent in enumerate(exponents) if exponent < 0]
    if negative:
        inverses = ring.invert(ring.take(batch, np.array(negative, np.intp)))
        order = np.arange(len(exponents))
        order[negative] = len(exponents) + np.arange(len(negative))
        batch = ring.take(ring.concatenate([batch, inverses]), order)
    return ring.power_vartime(batch, [abs(exponent) for exponent in exponents])


def elementwise_power(context: Context, batch: Any, exponents: list[int]) -> Any:
    """As `signed_power`, shared among workers where it is worth it."""
    ring = context.ring
    bits = max((exponent.bit_length() for exponent in exponents), default=0)

    def cut(start: int, stop: int) -> tuple[Any, list[int]]:
        return part_of(ring, batch, start, stop), exponents[start:stop]

    return joined(ring, _shared(context, _elementwise_power, cut, len(exponents), len(exponents) * bits, bits))


def _elementwise_power(context: Context, batch: Any, exponents: list[int]) -> Any:
    return signed_power(context.ring, batch, exponents)


def axis_products(context: Context, batch: Any, shape: tuple[int, int, int]) -> Any:
    """Products along the middle axis of a batch of that shape, for sums of the plaintexts: (first, last), in C order.

    Workers share its longest axis; where there are none, nothing is copied.
    """
    ring, first = context.ring, shape[0]
    longest = max((0, 2, 1), key=shape.__getitem__)  # the middle one costs a product of what the workers give

    def cut(start: int, stop: int) -> tuple[Any, int, int, int]:
        if stop - start == shape[longest]:
            return batch, *shape
        places = np.arange(math.prod(shape)).reshape(shape)[(slice(None),) * longest + (slice(start, stop),)]
        return ring.take(batch, places.ravel()), *places.shape

    parts = _shared(context, _axis_products, cut, shape[longest], math.prod(shape), 1)
    if longest == 1:
        return _multiplied(ring, parts)
    if longest == 0 or len(parts) == 1:
        return joined(ring, parts)
    edges = np.cumsum([0, *map(ring.size, parts)])
    order = np.concatenate([np.arange(*ends).reshape(first, -1) for ends in pairwise(edges)], axis=1)
    return ring.take(joined(ring, parts), order.ravel())


def _axis_products(context: Context, batch: Any, first: int, terms: int, last: int) -> Any:
    return context.ring.product(batch, first, terms, last)


def group_products(
    context: Context, batch: Any, keys: npt.NDArray[np.int64], groups: int, n_jobs: int | None = None
) -> Any:
    """Products of the residues with the same key, of which there are so many; 1 for a key that none has."""
    ring, count = context.ring, len(keys)
    least = context.engine.tuning.multiply_task
    carry = context.engine.tuning.carry_products <= 1

    def rows(start: int, stop: int) -> tuple[Any, npt.NDArray[np.uint64], int]:
        return part_of(ring, batch, start, stop), _as_words(keys[start:stop]), groups

    def ranges(start: int, stop: int) -> tuple[Any, npt.NDArray[np.uint64], int]:
        inside = np.flatnonzero((start <= keys) & (keys < stop))
        part = batch if len(inside) == count else ring.take(batch, inside)
        return part, _as_words(keys[inside] - start), stop - start

    shared = partial(map_chunks, context, _group_products, n_jobs=n_jobs, whole=True, carry=carry)
    if count >= _ROWS_A_GROUP * groups:
        return _multiplied(ring, shared(rows, count, least=max(least, _ROWS_A_GROUP * groups)))
    return joined(ring, shared(ranges, groups, least=-(-least * groups // max(count, 1))))


def _as_words(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    return keys.astype(np.uint64).reshape(-1, 1)


def _group_products(context: Context, batch: Any, keys: npt.NDArray[np.uint64], groups: int) -> Any:
    return context.ring.grouped_product(batch, keys[:, 0].astype(np.int64), groups)


def matrix_power(context: Context, matrix: list[list[int]], batch: Any, shape: tuple[int, ...]) -> Any:
    """Products of powers for an integer matrix times an encrypted vector or matrix of that shape."""
    ring, width, depth = context.ring, shape[0], math.prod(shape[1:])
    bits = max((entry.bit_length() for row in matrix for entry in row), default=0)
    each = len(matrix) * -(-bits // _DIGIT_BITS)  # products that a residue enters, about

    def rows(start: int, stop: int) -> tuple[Any, list[list[int]], int]:
        return batch, matrix[start:stop], depth

    def columns(start: int, stop: int) -> tuple[Any, list[list[int]], int]:
        return part_of(ring, batch, start * depth, stop * depth), [row[start:stop] for row in matrix], depth

    if len(matrix) >= width:
        return joined(ring, _shared(context, _matrix_power, rows, len(matrix), width * depth * each, each))
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


def sparse_matrix_power(
    context: Context,
    starts: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    entries: Sequence[int],
    batch: Any,
    width: int,
) -> Any:
    """As `matrix_power`, for a matrix in compressed rows and an encrypted one of `width` columns: a power an entry."""
    ring = context.ring
    lengths = np.diff(starts)
    place = np.zeros((len(lengths), width), dtype=np.intp)  # where the results are; those of empty rows come first
    parts, done = [ring.ones(1)], 1
    for length in np.unique(lengths[lengths > 0]).tolist():
        same = np.flatnonzero(lengths == length)
        step = max(_MOST_POWERS // max(length * width, 1), 1)
        for group in (same[i : i + step] for i in range(0, len(same), step)):
            stored = starts[group][:, np.newaxis] + np.arange(length)
            residues = columns[stored][..., np.newaxis] * width + np.arange(width)
            exponents = [entries[i] for i in np.repeat(stored.ravel(), width).tolist()]
            powers = elementwise_power(context, ring.take(batch, residues.ravel()), exponents)
            parts.append(ring.product(powers, len(group), length, width))
            place[group] = done + np.arange(len(group) * width).reshape(len(group), width)
            done += len(group) * width
    return ring.take(ring.concatenate(parts), place.ravel())
