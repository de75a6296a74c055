"""Encrypted arrays that behave like numpy's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from vecphe import array_functions
from vecphe.array_data import ArrayData
from vecphe.encoding import (
    UNPACKED,
    as_plain_array,
    exact_fraction_bits,
    integers_at_scale,
    unit_at_scale,
)
from vecphe.errors import KeyMismatchError, LayoutMismatchError, PackedOperationError, PlaintextOverflowError
from vecphe.format import Format
from vecphe.freshness import Freshness

__all__ = ["EncryptedArray", "Format", "concatenate"]

Axis = int | tuple[int, ...] | None


class EncryptedArray(ArrayData):
    """An N-dimensional array of encrypted numbers, of one key and one encoding.

    Made by `PublicKey.encrypt`. Supports ``+``, ``-``, unary ``-``, ``*`` and ``/`` by plain numbers and arrays
    with broadcasting, ``@`` with plain matrices, `sum`, `mean`, indexing, `reshape` and numpy's functions of the same
    names. Packed arrays (several values a ciphertext) support ``+``, ``-``, unary ``-``, plain addition
    without broadcasting of the encrypted side, multiplication by one integer, and `reshape`.

    Notes
    -----
    Plain operands are encoded at a scale chosen from the array's encoding; what they multiply by is public for
    timing, and its size enters the public bound. Addition of plain values is not: it counts as one term.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> NoReturn:
        raise TypeError("an encrypted value has no truth value; decrypt it first")

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("encrypted values cannot be compared; decrypt them first")

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise TypeError("an EncryptedArray does not convert to a plain array; use private_key.decrypt(array)")

    # Arithmetic ------------------------------------------------------------------------------------------------

    def _derive(
        self, residues: Any, shape: tuple[int, ...] | None = None, freshness: Freshness | None = None, **changes: Any
    ) -> EncryptedArray:
        format = replace(self._format, **changes) if changes else self._format
        return EncryptedArray(
            self._source,
            residues,
            self._shape if shape is None else shape,
            format,
            self._freshness if freshness is None else freshness,
        )

    def _check_bound(self, bound: int) -> None:
        """Raise before the work that would give a result with that bound."""
        if bound > self._format.limit(self._source.numbers.n):
            raise PlaintextOverflowError(
                "the result could leave the plaintext's range: "
                + (
                    f"the slots hold max_terms = {self.encoding.max_terms} terms; encrypt with a larger max_terms"
                    if self.packed
                    else "use a longer key, an encoding with fewer fraction_bits, a smaller max_abs, or fewer products"
                )
            )

    def _unpacked_only(self, operation: str) -> None:
        if self.packed:
            raise PackedOperationError(
                f"a packed array cannot do {operation}: its ciphertexts hold {self._format.layout.slots} values each; "  # type: ignore[union-attr]
                "encrypt with packed=False for it"
            )

    def _broadcast(self, shape: tuple[int, ...]) -> EncryptedArray:
        """The array repeated to a larger shape."""
        if shape == self._shape:
            return self
        self._unpacked_only(f"broadcasting from {self._shape} to {shape}")
        return self._select(lambda indices: np.broadcast_to(indices, shape))

    def _scaled(self, fraction_bits: int) -> EncryptedArray:
        """The same values at a finer scale."""
        shift = fraction_bits - self._format.fraction_bits
        if shift == 0:
            return self
        bound = self.bound << shift
        self._check_bound(bound)
        powers = self._source.ring.power_vartime(self._residues, [1 << shift] * self.n_ciphertexts)
        return self._derive(powers, freshness=self._freshness.spoiled(), fraction_bits=fraction_bits, bound=bound)

    def __add__(self, other: Any) -> EncryptedArray:
        if isinstance(other, EncryptedArray):
            return self._add_encrypted(other)
        if type(other) is int and other == 0:  # what the builtin sum() starts from; costs no term
            return self
        if not array_functions.is_plain(other):
            return NotImplemented
        return self._add_plain(as_plain_array(other, "the plain operand"))

    __radd__ = __add__

    def _add_encrypted(self, other: EncryptedArray, *, negative: bool = False) -> EncryptedArray:
        """Sum, or difference if `negative`: that costs inverses, which come after all the checks."""
        if self.fingerprint != other.fingerprint:
            raise KeyMismatchError(
                f"arrays of different keys cannot be added: {self.fingerprint[:8]} and {other.fingerprint[:8]}"
            )
        if self._format.layout != other._format.layout:
            raise LayoutMismatchError("arrays of different slot layouts cannot be added; encrypt both the same way")
        finest = max(self._format.fraction_bits, other._format.fraction_bits)
        if self.packed and (self._format.fraction_bits != other._format.fraction_bits):
            raise LayoutMismatchError("packed arrays of different scale cannot be added; encrypt both the same way")
        shape = self._shape if self._shape == other._shape else np.broadcast_shapes(self._shape, other._shape)
        bound = (self.bound << (finest - self._format.fraction_bits)) + (
            other.bound << (finest - other._format.fraction_bits)
        )
        self._check_bound(bound)
        left, right = self._scaled(finest), other._scaled(finest)
        left, right = left._broadcast(shape), (-right if negative else right)._broadcast(shape)
        return left._derive(
            self._source.ring.multiply(left._residues, right._residues),
            shape,
            left._freshness.added(right._freshness),
            bound=bound,
            integer=left._format.integer and right._format.integer,
            terms=left.terms + right.terms,
        )

    def _add_plain(self, values: npt.NDArray[Any], *, negative: bool = False) -> EncryptedArray:
        shape = np.broadcast_shapes(self._shape, values.shape)
        scale = self._format.fraction_bits
        if not self.packed:
            # Exact where that takes no more fraction bits than the default encoding has, else rounded.
            scale = max(min(exact_fraction_bits(values), UNPACKED.fraction_bits), scale)
        elif self._format.integer and exact_fraction_bits(values) > scale:
            raise LayoutMismatchError(
                "fractions cannot be added to a packed array of integers; encrypt it as floats, or with packed=False"
            )
        bound = (self.bound << (scale - self._format.fraction_bits)) + unit_at_scale(self.encoding.max_abs, scale)
        self._check_bound(bound)
        target = self._scaled(scale)._broadcast(shape)
        encoding = replace(self.encoding, fraction_bits=scale)
        integers = encoding.encode(np.broadcast_to(values, shape), "the plain operand", negative=negative)
        words, offset = self._format.plaintexts(integers)
        residues = self._source.ring.multiply_plain(target._residues, words, offset)
        integer = self._format.integer and values.dtype.kind != "f"
        return target._derive(residues, shape, bound=bound, integer=integer)

    def __neg__(self) -> EncryptedArray:
        return self._derive(self._source.ring.invert(self._residues), freshness=self._freshness.spoiled())

    def __pos__(self) -> EncryptedArray:
        return self

    def __sub__(self, other: Any) -> EncryptedArray:
        if isinstance(other, EncryptedArray):
            return self._add_encrypted(other, negative=True)
        if not array_functions.is_plain(other):
            return NotImplemented
        return self._add_plain(as_plain_array(other, "the plain operand"), negative=True)

    def __rsub__(self, other: Any) -> EncryptedArray:
        if type(other) is int and other == 0:
            return -self
        difference = self.__sub__(other)  # its negative, for its checks come before any work
        return difference if difference is NotImplemented else -difference

    def __mul__(self, other: Any) -> EncryptedArray:
        if isinstance(other, EncryptedArray):
            raise TypeError("a product of two encrypted arrays cannot be computed: Paillier only adds")
        if not array_functions.is_plain(other):
            return NotImplemented
        if type(other) is int:  # of any size
            return self._multiply(np.array(other, dtype=object))
        return self._multiply(as_plain_array(other, "the plain factor"))

    __rmul__ = __mul__

    def _multiply(self, factors: npt.NDArray[Any]) -> EncryptedArray:
        bits = exact_fraction_bits(factors)
        if self.packed and (factors.ndim or bits):
            self._unpacked_only("a product with anything but one integer")
        shape = np.broadcast_shapes(self._shape, factors.shape)
        exponents = integers_at_scale(factors, bits)
        bound = self.bound * max((abs(exponent) for exponent in exponents), default=0)
        self._check_bound(bound)
        residues = self._broadcast(shape)._residues
        count = self._source.ring.size(residues)
        if len(exponents) != count:
            indices = np.broadcast_to(np.arange(factors.size).reshape(factors.shape), shape).ravel()
            exponents = exponents * count if self.packed else [exponents[i] for i in indices.tolist()]
        return self._derive(
            array_functions.signed_power(self._source.ring, residues, exponents),
            shape,
            self._freshness.spoiled(),
            bound=bound,
            fraction_bits=self._format.fraction_bits + bits,
            integer=self._format.integer and factors.dtype.kind != "f",
        )

    def __truediv__(self, other: Any) -> EncryptedArray:
        if isinstance(other, EncryptedArray) or not array_functions.is_plain(other):
            return NotImplemented
        divisors = as_plain_array(other, "the divisor").astype(np.float64)
        if not divisors.all():
            raise ZeroDivisionError("division of an encrypted array by zero")
        return self._multiply(as_plain_array(1.0 / divisors, "the reciprocal of the divisor"))

    def __matmul__(self, other: Any) -> EncryptedArray:
        if isinstance(other, EncryptedArray):
            raise TypeError("a product of two encrypted arrays cannot be computed: Paillier only adds")
        if not array_functions.is_plain(other):
            return NotImplemented
        # (C @ A) = (A^T @ C^T)^T
        matrix = as_plain_array(other, "the plain matrix")
        return self.transpose()._left_multiply(matrix.T).transpose()

    def __rmatmul__(self, other: Any) -> EncryptedArray:
        if not array_functions.is_plain(other):
            return NotImplemented
        return self._left_multiply(as_plain_array(other, "the plain matrix"))

    def _left_multiply(self, matrix: npt.NDArray[Any]) -> EncryptedArray:
        """``matrix @ self`` for one or two dimensions on either side."""
        self._unpacked_only("a matrix product")
        if matrix.ndim not in (1, 2) or self.ndim not in (1, 2):
            raise ValueError(f"matmul takes 1-d and 2-d operands, not shapes {matrix.shape} and {self._shape}")
        if matrix.shape[-1] != self._shape[0]:
            raise ValueError(f"matmul: shapes {matrix.shape} and {self._shape} do not fit")
        bits = exact_fraction_bits(matrix)
        flat = integers_at_scale(matrix, bits)
        width = matrix.shape[-1]
        rows = [flat[i * width : (i + 1) * width] for i in range(math.prod(matrix.shape[:-1]))]
        bound = self.bound * max((sum(map(abs, row)) for row in rows), default=0)
        self._check_bound(bound)
        return self._derive(
            array_functions.matrix_power(self._source, rows, self._residues, self._shape),
            matrix.shape[:-1] + self._shape[1:],
            self._freshness.spoiled(),
            bound=bound,
            fraction_bits=self._format.fraction_bits + bits,
            integer=self._format.integer and matrix.dtype.kind != "f",
        )

    def sum(self, axis: Axis = None, keepdims: bool = False) -> EncryptedArray:
        """Sum over all elements, one axis or several."""
        self._unpacked_only("a sum over its own elements")
        axes = array_functions.normalized_axes(axis, self.ndim)
        kept = tuple(i for i in range(self.ndim) if i not in axes)
        shape = tuple(self._shape[i] for i in kept)
        terms = math.prod(self._shape[i] for i in axes)
        self._check_bound(self.bound * terms)
        moved = self.transpose(kept + axes)
        residues = array_functions.row_products(self._source, moved._residues, math.prod(shape), terms)
        if keepdims:
            shape = tuple(1 if i in axes else length for i, length in enumerate(self._shape))
        freshness = self._freshness if terms else self._freshness.spoiled()  # an empty product is the bare 1
        return self._derive(residues, shape, freshness, bound=self.bound * terms, terms=self.terms * terms)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> EncryptedArray:
        """Mean over all elements, one axis or several."""
        count = math.prod(self._shape[i] for i in array_functions.normalized_axes(axis, self.ndim))
        if not count:
            raise ValueError("the mean of no elements is not defined")
        return self.sum(axis, keepdims) / count

    # Shape -----------------------------------------------------------------------------------------------------

    def reshape(self, *shape: Any) -> EncryptedArray:
        """The same values in another shape, C order; one length may be -1."""
        wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)) else shape
        return self._derive(self._residues, np.empty(self._shape, dtype=np.bool_).reshape(wanted).shape)

    def ravel(self) -> EncryptedArray:
        """The values in one dimension."""
        return self.reshape(-1)

    def transpose(self, axes: Sequence[int] | None = None) -> EncryptedArray:
        """The array with its axes permuted (reversed without `axes`)."""
        order = tuple(range(self.ndim))[::-1] if axes is None else tuple(axes)
        if order == tuple(range(self.ndim)):
            return self
        self._unpacked_only("a transposition")
        return self._select(lambda indices: indices.transpose(order))

    @property
    def T(self) -> EncryptedArray:  # noqa: N802 - numpy's name
        """The transposed array."""
        return self.transpose()

    def _select(self, selection: Callable[[npt.NDArray[np.intp]], Any]) -> EncryptedArray:
        indices = np.asarray(selection(np.arange(self.size).reshape(self._shape)))
        flat = indices.ravel()
        # A residue that stands twice would show that two values are equal, or what was added to them.
        freshness = self._freshness if len(np.unique(flat)) == len(flat) else self._freshness.spoiled()
        return self._derive(self._source.ring.take(self._residues, flat), indices.shape, freshness)

    def __getitem__(self, key: Any) -> EncryptedArray:
        self._unpacked_only("indexing inside a ciphertext")
        return self._select(lambda indices: indices[key])

    def __iter__(self) -> Iterator[EncryptedArray]:
        return (self[i] for i in range(len(self)))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return array_functions.apply_ufunc(EncryptedArray, ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return array_functions.apply_function(_FUNCTIONS, function, args, kwargs)


def concatenate(arrays: Sequence[EncryptedArray], axis: int = 0) -> EncryptedArray:
    """Join unpacked arrays of one key along an axis, as numpy.concatenate.

    Parameters
    ----------
    arrays : sequence of EncryptedArray
    axis : int

    Raises
    ------
    KeyMismatchError, PackedOperationError, ValueError
    """
    arrays = list(arrays)
    if not arrays or not all(isinstance(array, EncryptedArray) for array in arrays):
        raise TypeError("concatenate needs one or more EncryptedArrays; encrypt plain ones first")
    first = arrays[0]
    if any(array.fingerprint != first.fingerprint for array in arrays):
        raise KeyMismatchError("arrays of different keys cannot be concatenated")
    for array in arrays:
        array._unpacked_only("concatenation")
    finest = max(array._format.fraction_bits for array in arrays)
    arrays = [array._scaled(finest) for array in arrays]
    starts = np.cumsum([0, *(array.size for array in arrays)])
    order = np.concatenate(
        [start + np.arange(a.size).reshape(a.shape) for start, a in zip(starts[:-1], arrays, strict=True)], axis=axis
    )
    ring = first._source.ring
    residues = ring.take(ring.concatenate([array._residues for array in arrays]), order.ravel())
    # Its parts may have left, or share a nonce: never fresh.
    freshness = Freshness(frozenset(), frozenset().union(*(array._freshness.involved for array in arrays)))
    return first._derive(
        residues,
        order.shape,
        freshness,
        fraction_bits=finest,
        bound=max(array.bound for array in arrays),
        integer=all(array._format.integer for array in arrays),
        terms=max(array.terms for array in arrays),
    )


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: EncryptedArray.sum,
    np.mean: EncryptedArray.mean,
    np.reshape: lambda array, shape: array.reshape(shape),
    np.ravel: EncryptedArray.ravel,
    np.transpose: EncryptedArray.transpose,
    np.shape: lambda array: array.shape,
    np.ndim: lambda array: array.ndim,
    np.size: lambda array: array.size,
    np.concatenate: concatenate,
    np.dot: array_functions.dot,
}
