"""Encrypted arrays that behave like numpy's."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from vecphe.array import functions as array_functions
from vecphe.array.data import ArrayData
from vecphe.array.powers import axis_products, elementwise_power, matrix_power, sparse_matrix_power
from vecphe.errors import KeyMismatchError, LayoutMismatchError, PackedOperationError, PlaintextOverflowError
from vecphe.plaintext.encoding import (
    GREATEST_DIVISOR,
    UNPACKED,
    as_plain_array,
    exact_fraction_bits,
    integers_at_scale,
    is_sparse,
    unit_at_scale,
)
from vecphe.plaintext.packing import SlotLayout
from vecphe.randomness.freshness import Freshness

__all__ = ["EncryptedArray", "concatenate"]

Axis = int | tuple[int, ...] | None

_SPARE_BITS = (8, 4, 2, 1)  # of the room that errors tell to give, for what follows: as many as the key has


class EncryptedArray(ArrayData):
    """An N-dimensional array of encrypted numbers, of one key and one encoding.

    Made by `PublicKey.encrypt`. Supports ``+``, ``-``, unary ``-``, ``*`` and ``/`` by plain numbers and arrays
    with broadcasting, ``@`` with plain matrices, `sum`, `mean`, indexing, `reshape` and numpy's functions of the same
    names. Plain operands may be anything that numpy.asarray turns into real numbers, and sparse matrices.
    Packed arrays (several values a ciphertext) support ``+``, ``-``, unary ``-``, plain addition
    without broadcasting of the encrypted side, ``*`` and ``/`` by one number, and `reshape`. A factor takes of the
    room that `max_terms` of the encoding gives, an integer as much as its size; to divide by an integer takes none:
    ``(c1 * n1 + c2 * n2) / (n1 + n2)`` is a weighted mean.

    Notes
    -----
    Plain operands are encoded at a scale chosen from the array's encoding; what they multiply by is public for
    timing, and its size enters the public bound. Addition of plain values is not: it counts as one term.

    Item assignment changes the array alone: whatever was made of it before, by indexing, `reshape` or a copy, has
    values of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from vecphe import EncryptedArray, generate_keypair
    >>> public_key, private_key = generate_keypair(2048)
    >>> c = public_key.encrypt(np.arange(6).reshape(2, 3))
    >>> c.shape, c.n_ciphertexts
    ((2, 3), 6)
    >>> private_key.decrypt(np.array([[1, 10]]) @ c - 1)
    array([[29, 40, 51]])
    >>> private_key.decrypt(EncryptedArray.from_bytes(public_key, c[1].to_bytes()))
    array([3, 4, 5])
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]
    __pandas_priority__ = 5000  # above a DataFrame's: pandas leaves its operators to those below

    def __bool__(self) -> NoReturn:
        raise TypeError("an encrypted value has no truth value: only the key holder sees it")

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError(array_functions.NO_COMPARISON)

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        whole = np.empty((), dtype=np.object_)
        if array_functions.takes_as_object(sys._getframe(1)):
            whole[()] = self
        return whole

    # Arithmetic ------------------------------------------------------------------------------------------------

    def _derive(
        self, residues: Any, shape: tuple[int, ...] | None = None, freshness: Freshness | None = None, **changes: Any
    ) -> EncryptedArray:
        format = replace(self._format, **changes) if changes else self._format
        return EncryptedArray(
            self._key,
            residues,
            self._shape if shape is None else shape,
            format,
            self._freshness if freshness is None else freshness,
        )

    def _check_bound(self, bound: int) -> None:
        """Raise before the work that would give a result with that bound."""
        if bound > self._format.limit(self._key._context.numbers.n):
            raise PlaintextOverflowError(
                "the result could leave the plaintext's range: "
                + (
                    f"the slots hold max_terms = {self.encoding.max_terms} times the largest value; "
                    + self._wider(bound)
                    if self.packed
                    else "use a longer key, an encoding with fewer fraction_bits, a smaller max_abs, or fewer products"
                )
            )

    def _wider(self, bound: int) -> str:
        """What to type for slots that hold such a bound, with room for what may follow; or that none do."""
        e, terms = self.encoding, -(-bound // self.encoding.unit)
        for enough in [*(1 << (terms - 1).bit_length() + spare for spare in _SPARE_BITS), terms]:
            try:
                wider = replace(e, max_terms=enough)
                SlotLayout.for_key(wider, self._key._context.numbers.n.bit_length())
            except ValueError:
                continue
            encoding = f"FixedPoint({e.fraction_bits}, max_abs={e.max_abs!r}, max_terms={enough})"
            return f"encrypt with a larger max_terms: encoding={encoding}"
        return (
            "no max_terms is enough for this key; encrypt with packed=False, or multiply by integers and divide once, "
            "as (c1 * n1 + c2 * n2) / (n1 + n2)"
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

    def _same_way(self, other: EncryptedArray) -> str:
        """What to do with arrays that cannot be added."""
        if self.packed and other.packed and self._is_of_integers != other._is_of_integers:
            return "encrypt both the same way: the integers as floats, x.astype(float)"
        return "encrypt both the same way"

    @property
    def _is_of_integers(self) -> bool:
        """Whether it was encrypted as integers, which factors and divisors may have made fractions of since."""
        changed = (self._format.fraction_bits, self._format.divisor) != (self.encoding.fraction_bits, 1)
        return self._format.integer or (not self.encoding.fraction_bits and changed)

    def _finer(self, fraction_bits: int, divisor: int) -> int:
        """What integers are multiplied with to be at a finer scale."""
        return (divisor // self._format.divisor) << (fraction_bits - self._format.fraction_bits)

    def _scaled(self, fraction_bits: int, divisor: int = 1) -> EncryptedArray:
        """The same values at a finer scale."""
        factor = self._finer(fraction_bits, divisor)
        if factor == 1:
            return self
        bound = self.bound * factor
        self._check_bound(bound)
        powers = elementwise_power(self._key._context, self._residues, [factor] * self.n_ciphertexts)
        freshness = self._freshness.spoiled()
        return self._derive(powers, None, freshness, fraction_bits=fraction_bits, divisor=divisor, bound=bound)

    def __add__(self, other: Any) -> EncryptedArray:
        if isinstance(other, EncryptedArray):
            return self._add_encrypted(other)
        if type(other) is int and other == 0:  # what the builtin sum() starts from; costs no term
            return self.copy()
        array_functions.check_no_number(other)
        if not array_functions.is_plain(other):
            return NotImplemented
        return self._add_plain(array_functions.plain_operand(other, "the plain operand x"))

    __radd__ = __add__

    def _add_encrypted(self, other: EncryptedArray, *, negative: bool = False) -> EncryptedArray:
        """Sum, or difference if `negative`: that costs inverses, which come after all the checks."""
        if self.fingerprint != other.fingerprint:
            raise KeyMismatchError(
                f"arrays of different keys cannot be added: {self.fingerprint[:8]} and {other.fingerprint[:8]}"
            )
        if self._format.layout != other._format.layout:
            raise LayoutMismatchError(f"arrays of different slot layouts cannot be added; {self._same_way(other)}")
        if self.packed and self.encoding.fraction_bits != other.encoding.fraction_bits:
            raise LayoutMismatchError(f"packed arrays of different scale cannot be added; {self._same_way(other)}")
        finest = max(self._format.fraction_bits, other._format.fraction_bits)
        divisor = math.lcm(self._format.divisor, other._format.divisor)
        shape = self._shape if self._shape == other._shape else np.broadcast_shapes(self._shape, other._shape)
        self._check_bound(self.bound * self._finer(finest, divisor) + other.bound * other._finer(finest, divisor))
        left, right = self._scaled(finest, divisor), other._under(self._key)._scaled(finest, divisor)
        bound = left.bound + right.bound
        left, right = left._broadcast(shape), (-right if negative else right)._broadcast(shape)
        return left._derive(
            self._ring.multiply(left._residues, right._residues),
            shape,
            left._freshness.added(right._freshness),
            bound=bound,
            integer=left._format.integer and right._format.integer,
            terms=left.terms + right.terms,
        )

    def _add_plain(self, values: npt.NDArray[Any], *, negative: bool = False) -> EncryptedArray:
        shape = np.broadcast_shapes(self._shape, values.shape)
        scale, divisor = self._format.fraction_bits, self._format.divisor
        if divisor > 1:  # the integers are those of the values times the divisor
            self.encoding._check_range(values, "the plain operand x")
            values = as_plain_array([value * divisor for value in values.ravel().tolist()]).reshape(values.shape)
        if not self.packed:
            # Exact where that takes no more fraction bits than the default encoding has, else rounded.
            scale = max(min(exact_fraction_bits(values), UNPACKED.fraction_bits), scale)
        elif self._is_of_integers and exact_fraction_bits(values) > scale:
            raise LayoutMismatchError(
                "fractions cannot be added to a packed array of integers; encrypt it as floats, or with packed=False"
            )
        encoding = replace(self.encoding, fraction_bits=scale, max_abs=self.encoding.max_abs * divisor)
        bound = (self.bound << (scale - self._format.fraction_bits)) + unit_at_scale(encoding.max_abs, scale)
        self._check_bound(bound)
        target = self._scaled(scale, divisor)._broadcast(shape)
        integers = encoding.encode(np.broadcast_to(values, shape), "the plain operand x", negative=negative)
        words, offset = self._format.plaintexts(integers)
        residues = self._ring.multiply_plain(target._residues, words, offset)
        integer = self._format.integer and values.dtype.kind != "f"
        return target._derive(residues, shape, bound=bound, integer=integer)

    def __neg__(self) -> EncryptedArray:
        return self._derive(self._ring.invert(self._residues), freshness=self._freshness.spoiled())

    def __pos__(self) -> EncryptedArray:
        return self.copy()

    def __sub__(self, other: Any) -> EncryptedArray:
        if isinstance(other, EncryptedArray):
            return self._add_encrypted(other, negative=True)
        array_functions.check_no_number(other)
        if not array_functions.is_plain(other):
            return NotImplemented
        return self._add_plain(array_functions.plain_operand(other, "the plain operand x"), negative=True)

    def __rsub__(self, other: Any) -> EncryptedArray:
        if type(other) is int and other == 0:
            return -self
        difference = self.__sub__(other)  # its negative, for its checks come before any work
        return difference if difference is NotImplemented else -difference

    def __mul__(self, other: Any) -> EncryptedArray:
        array_functions.check_no_product(EncryptedArray, other, array_functions.NO_PRODUCT)
        if not array_functions.is_plain(other):
            return NotImplemented
        array_functions.check_no_matrix(other)
        return self._multiply(array_functions.plain_operand(other, "the plain factor x"))

    __rmul__ = __mul__

    def _multiply(self, factors: npt.NDArray[Any]) -> EncryptedArray:
        bits = exact_fraction_bits(factors)
        if factors.ndim:
            self._unpacked_only("a product with anything but one number")
        shape = np.broadcast_shapes(self._shape, factors.shape)
        exponents = integers_at_scale(factors, bits)
        bound = self.bound * max((abs(exponent) for exponent in exponents), default=0)
        self._check_bound(bound)
        residues = self._broadcast(shape)._residues
        count = self._ring.size(residues)
        if len(exponents) != count:
            indices = np.broadcast_to(np.arange(factors.size).reshape(factors.shape), shape).ravel()
            exponents = exponents * count if self.packed else [exponents[i] for i in indices.tolist()]
        return self._derive(
            elementwise_power(self._key._context, residues, exponents),
            shape,
            self._freshness.spoiled(),
            bound=bound,
            fraction_bits=self._format.fraction_bits + bits,
            integer=self._format.integer and factors.dtype.kind != "f",
        )

    def __truediv__(self, other: Any) -> EncryptedArray:
        array_functions.check_no_product(EncryptedArray, other, array_functions.NO_DIVISOR)
        if not array_functions.is_plain(other):
            return NotImplemented
        divisors = array_functions.plain_operand(other, "the divisor x")
        if self.packed and not divisors.ndim and divisors and exact_fraction_bits(divisors) == 0:
            return self._divided(int(divisors))
        return self._multiply(array_functions.reciprocals(divisors))

    def _divided(self, divisor: int) -> EncryptedArray:
        """The quotient by an integer: the ciphertexts of a packed array stay, and its scale says the rest."""
        total = self._format.divisor * abs(divisor)
        if total >= GREATEST_DIVISOR:
            raise PlaintextOverflowError("divisors of a packed array that multiply to 2^64 or more; decrypt it before")
        signed = -self if divisor < 0 else self.copy()
        return signed._derive(signed._residues, divisor=total, integer=False)

    def __rtruediv__(self, other: Any) -> NoReturn:
        raise TypeError(array_functions.NO_DIVISOR)

    def __matmul__(self, other: Any) -> EncryptedArray:
        array_functions.check_no_product(EncryptedArray, other, array_functions.NO_PRODUCT)
        if not array_functions.is_plain(other):
            return NotImplemented
        # (C @ A) = (A^T @ C^T)^T
        matrix = other if is_sparse(other) else as_plain_array(other, "the plain matrix x")
        return self.transpose()._left_multiply(matrix.T).transpose()

    def __rmatmul__(self, other: Any) -> EncryptedArray:
        array_functions.check_no_product(EncryptedArray, other, array_functions.NO_PRODUCT)
        if not array_functions.is_plain(other):
            return NotImplemented
        return self._left_multiply(other if is_sparse(other) else as_plain_array(other, "the plain matrix x"))

    def dot(self, other: Any) -> EncryptedArray:
        """``self @ other``, or ``self * other`` where one has no dimensions, as numpy.dot."""
        return array_functions.dot(EncryptedArray, self, other)  # type: ignore[no-any-return]

    def _left_multiply(self, matrix: Any) -> EncryptedArray:
        """``matrix @ self`` for one or two dimensions on either side; of a sparse matrix only what it stores costs."""
        self._unpacked_only("a matrix product")
        if matrix.ndim not in (1, 2) or self.ndim not in (1, 2):
            raise ValueError(f"matmul takes 1-d and 2-d operands, not shapes {matrix.shape} and {self._shape}")
        if matrix.shape[-1] != self._shape[0]:
            raise ValueError(f"matmul: shapes {matrix.shape} and {self._shape} do not fit")
        sparse = matrix.reshape(-1, matrix.shape[-1]).tocsr() if is_sparse(matrix) else None
        values = matrix if sparse is None else as_plain_array(sparse.data, "the data of the sparse matrix x")
        bits = exact_fraction_bits(values)
        flat = integers_at_scale(values, bits)
        width = matrix.shape[-1]
        starts = (
            np.arange(math.prod(matrix.shape[:-1]) + 1) * width if sparse is None else sparse.indptr.astype(np.intp)
        )
        rows = [flat[start:stop] for start, stop in pairwise(starts.tolist())]
        bound = self.bound * max((sum(map(abs, row)) for row in rows), default=0)
        array_functions.check_room(self._ring, len(rows) * math.prod(self._shape[1:]))
        self._check_bound(bound)
        if sparse is None:
            residues = matrix_power(self._key._context, rows, self._residues, self._shape)
        else:
            residues = sparse_matrix_power(
                self._key._context,
                starts,
                sparse.indices.astype(np.intp),
                flat,
                self._residues,
                math.prod(self._shape[1:]),
            )
        return self._derive(
            residues,
            matrix.shape[:-1] + self._shape[1:],
            self._freshness.spoiled(),
            bound=bound,
            fraction_bits=self._format.fraction_bits + bits,
            integer=self._format.integer and values.dtype.kind != "f",
        )

    def sum(self, axis: Axis = None, keepdims: bool = False) -> EncryptedArray:
        """Sum over all elements, one axis or several."""
        self._unpacked_only("a sum over its own elements")
        axes = array_functions.normalized_axes(axis, self.ndim)
        kept = tuple(i for i in range(self.ndim) if i not in axes)
        shape = tuple(self._shape[i] for i in kept)
        terms = math.prod(self._shape[i] for i in axes)
        self._check_bound(self.bound * terms)
        array, start, stop = self, min(axes, default=0), max(axes, default=-1) + 1
        if stop - start > len(axes):  # axes side by side stay where they are, so that nothing is copied
            array, start, stop = self.transpose(kept + axes), len(kept), self.ndim
        lengths = math.prod(array._shape[:start]), terms, math.prod(array._shape[stop:])
        residues = axis_products(self._key._context, array._residues, lengths)
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
        return self._derive(self._residues, np.empty(self._shape, np.bool_).reshape(*shape).shape)

    def ravel(self) -> EncryptedArray:
        """The values in one dimension."""
        return self.reshape(-1)

    flatten = ravel

    def copy(self) -> EncryptedArray:
        """The same values, and the same randomizers, in an array of its own."""
        return self.__copy__()

    def transpose(self, axes: Sequence[int] | None = None) -> EncryptedArray:
        """The array with its axes permuted (reversed without `axes`)."""
        order = tuple(range(self.ndim))[::-1] if axes is None else tuple(axes)
        if order == tuple(range(self.ndim)):
            return self.copy()
        self._unpacked_only("a transposition")
        return self._select(lambda indices: indices.transpose(order))

    @property
    def T(self) -> EncryptedArray:  # noqa: N802 - numpy's name
        """The transposed array."""
        return self.transpose()

    def _select(self, selection: Callable[[npt.NDArray[np.intp]], Any]) -> EncryptedArray:
        return self._selected(selection(np.arange(self.size).reshape(self._shape)))

    def _selected(self, positions: Any) -> EncryptedArray:
        """The values that stand at the given positions of the flattened array."""
        indices = np.asarray(positions)
        array_functions.check_room(self._ring, indices.size)
        flat = indices.ravel()
        # A residue that stands twice would show that two values are equal, or what was added to them.
        taken = np.zeros(self.size, np.bool_)
        taken[flat] = True  # no sorting: a signal would wait for it
        freshness = self._freshness if np.count_nonzero(taken) == len(flat) else self._freshness.spoiled()
        return self._derive(self._ring.take(self._residues, flat), indices.shape, freshness)

    @staticmethod
    def _gathered(arrays: Any, pick: Callable[[list[npt.NDArray[np.intp]]], Any], operation: str) -> EncryptedArray:
        """Values of several unpacked arrays of one key; `pick` places them, by arrays of their positions."""
        arrays = [*arrays]
        if not arrays or not all(isinstance(array, EncryptedArray) for array in arrays):
            raise TypeError(f"{operation} needs one or more EncryptedArrays; encrypt plain ones first")
        first = arrays[0]
        if any(array.fingerprint != first.fingerprint for array in arrays):
            raise KeyMismatchError(f"{operation}: the arrays are of different keys")
        for array in arrays:
            array._unpacked_only(operation)
        starts = np.cumsum([0, *(array.size for array in arrays)])
        order = np.asarray(
            pick([start + np.arange(a.size).reshape(a.shape) for start, a in zip(starts[:-1], arrays, strict=True)])
        )
        array_functions.check_room(first._ring, starts[-1] + order.size)
        finest = max(array._format.fraction_bits for array in arrays)
        arrays = [array._under(first._key)._scaled(finest) for array in arrays]
        ring = first._ring
        residues = ring.take(ring.concatenate([array._residues for array in arrays]), order.ravel())
        joined: EncryptedArray = first._derive(
            residues,
            order.shape,
            Freshness.joined(array._freshness for array in arrays),
            fraction_bits=finest,
            bound=max(array.bound for array in arrays),
            integer=all(array._format.integer for array in arrays),
            terms=max(array.terms for array in arrays),
        )
        return joined

    def __getitem__(self, key: Any) -> EncryptedArray:
        self._unpacked_only("indexing inside a ciphertext")
        return self._select(lambda indices: indices[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        """Replace values of an unpacked array by encrypted ones; scale and bound become those that both need."""
        self._unpacked_only("item assignment")
        array_functions.check_no_number(value)
        if not isinstance(value, EncryptedArray):
            raise TypeError("what is assigned must be encrypted: c[i] = c.public_key.encrypt(x)")

        def placed(positions: list[npt.NDArray[np.intp]]) -> npt.NDArray[np.intp]:
            own, new = positions
            own[key] = new
            return own

        changed = self._gathered([self, value], placed, "item assignment")
        self._residues, self._format, self._freshness = changed._residues, changed._format, changed._freshness
        self._exported = False

    def __iter__(self) -> Iterator[EncryptedArray]:
        return (self[i] for i in range(len(self)))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return array_functions.apply_ufunc(EncryptedArray, ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return array_functions.apply_function(EncryptedArray, function, args, kwargs)


def concatenate(arrays: Sequence[EncryptedArray], axis: int = 0) -> EncryptedArray:
    """Join unpacked arrays of one key along an axis, as numpy.concatenate.

    Parameters
    ----------
    arrays : sequence of EncryptedArray
    axis : int

    Raises
    ------
    KeyMismatchError, PackedOperationError, ValueError

    Examples
    --------
    >>> from vecphe import concatenate, generate_keypair
    >>> public_key, private_key = generate_keypair(2048)
    >>> private_key.decrypt(concatenate([public_key.encrypt([1, 2]), public_key.encrypt([3])]))
    array([1, 2, 3])
    """
    return EncryptedArray._gathered(arrays, lambda positions: np.concatenate(positions, axis=axis), "concatenation")
