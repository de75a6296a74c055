"""Numpy's functions on encrypted arrays, and signed exponents: helpers of EncryptedArray that need no access to it."""

from __future__ import annotations

import inspect
import math
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from numbers import Number
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt

from vecphe.arithmetic import AnyRing
from vecphe.errors import PlaintextOverflowError
from vecphe.plaintext.encoding import as_plain_array, is_encrypted_number, is_sparse
from vecphe.system.memory import check_memory

__all__ = [
    "NO_COMPARISON",
    "NO_DIVISOR",
    "NO_PRODUCT",
    "apply_function",
    "apply_ufunc",
    "check_no_matrix",
    "check_no_number",
    "check_no_product",
    "check_room",
    "checked_count",
    "dot",
    "is_plain",
    "normalized_axes",
    "plain_operand",
    "reciprocals",
    "takes_as_object",
]

NO_PRODUCT = "a product of two encrypted values cannot be computed: Paillier only adds"
NO_DIVISOR = "division by an encrypted value cannot be computed: Paillier only adds"
NO_COMPARISON = "encrypted values cannot be compared: only the key holder sees them"
_NONE: Any = object()  # an argument that was left away
_WORKS = (
    "there are c + x, c - x, c * x, c / x, x @ c, c + c, c - c, c.sum(), c.mean(), and functions that move elements"
)

_OPERATORS = {
    np.add: ("__add__", "__radd__"),
    np.subtract: ("__sub__", "__rsub__"),
    np.multiply: ("__mul__", "__rmul__"),
    np.true_divide: ("__truediv__", "__rtruediv__"),
    np.matmul: ("__matmul__", "__rmatmul__"),
    np.negative: ("__neg__", ""),
    np.positive: ("__pos__", ""),
}
_COMPARISONS = {np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal}


def apply_ufunc(kind: type, ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Body of ``__array_ufunc__``: the operators, and ``np.add.reduce``.

    It never returns NotImplemented: numpy would print the values of the other operand.
    """
    name, kwargs = f"numpy.{ufunc.__name__}", _that_matter(kwargs)
    if "out" in kwargs:
        raise TypeError(
            f"{name} cannot store an encrypted result in an array that exists; "
            "where you wrote x += c (or x -= c, x *= c, x @= c), write x = x + c"
        )
    if ufunc is np.add and method == "reduce" and kwargs.keys() <= {"axis", "keepdims"}:
        return inputs[0].sum(kwargs.get("axis", 0), kwargs.get("keepdims", False))
    if ufunc in _COMPARISONS:
        raise TypeError(NO_COMPARISON)
    if method != "__call__" or ufunc not in _OPERATORS:
        called = name if method == "__call__" else f"{name}.{method}"
        raise TypeError(f"{called} does not work on encrypted arrays; {_WORKS}")
    if kwargs:
        raise TypeError(f"{name} takes no {' and no '.join(sorted(kwargs))} on encrypted arrays; {_WORKS}")
    forward, reflected = _OPERATORS[ufunc]
    ours, *others = inputs if isinstance(inputs[0], kind) else inputs[::-1]
    result = getattr(ours, forward if ours is inputs[0] else reflected)(*others)
    if result is NotImplemented:
        raise TypeError(f"{name} of an encrypted array does not work with {type(others[0]).__name__}; {_WORKS}")
    return result


# numpy's functions that only move elements: they show on an array of positions where each comes from.
_MOVES = {
    *(np.take, np.take_along_axis, np.diagonal, np.delete, np.repeat, np.tile, np.roll, np.flip, np.fliplr, np.flipud),
    *(np.rot90, np.squeeze, np.expand_dims, np.swapaxes, np.moveaxis, np.broadcast_to, np.resize),
    *(np.atleast_1d, np.atleast_2d, np.atleast_3d),
}
_SPLITS = {np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit}
_JOINS = {np.concatenate, np.stack, np.vstack, np.hstack, np.dstack, np.column_stack}


def apply_function(kind: Any, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Body of ``__array_function__``; `kind` is EncryptedArray."""
    name, kwargs = f"numpy.{function.__name__}", _that_matter(kwargs)
    if function in _OWN or function in _OWN_OF_KIND:
        own = _OWN[function] if function in _OWN else partial(_OWN_OF_KIND[function], kind)
        try:
            call = inspect.signature(own).bind(*args, **kwargs)
        except TypeError:
            taken = ", ".join(inspect.signature(own).parameters)
            raise TypeError(f"{name} takes only {taken} on encrypted arrays; {_WORKS}") from None
        return own(*call.args, **call.kwargs)
    if not args and function in _MOVES | _SPLITS | _JOINS:  # as numpy.take(a=c, indices=i)
        first = next(iter(inspect.signature(function).parameters))
        args, kwargs = (kwargs[first],), {option: value for option, value in kwargs.items() if option != first}
    if function in _JOINS and kwargs.keys() <= {"axis"}:
        return kind._gathered(args[0], lambda positions: function(positions, *args[1:], **kwargs), name)
    if function in _MOVES | _SPLITS and isinstance(args[0], kind):
        if inspect.signature(function).bind(*args, **kwargs).arguments.get("out") is not None:
            raise TypeError(f"{name} cannot store encrypted values in an array that exists; leave out= away")
        args[0]._unpacked_only(name)
        moved = function(np.arange(args[0].size).reshape(args[0].shape), *args[1:], **kwargs)
        if function in _SPLITS:
            return [args[0]._selected(part) for part in moved]
        return args[0]._selected(moved)
    raise TypeError(f"{name} does not work on encrypted arrays; {_WORKS}")


def _that_matter(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a function of numpy was called with, less those that ask for what is so anyway."""
    idle = {"dtype": (None,), "out": (None,), "order": ("C", "K", "A")}
    return {
        option: value
        for option, value in options.items()
        if not (isinstance(value, (str, type(None))) and value in idle.get(option, ()))
    }


# The parameters of what follows are called as in numpy.


def dot(kind: Any, a: Any, b: Any) -> Any:
    """numpy.dot for up to two dimensions."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return operator.mul(a, b)
    return _matmul(kind, a, b)


def _matmul(kind: Any, left: Any, right: Any) -> Any:
    """``left @ right``; a data frame or tensor on the left, whose own product would read the array, is converted."""
    if not isinstance(left, kind) and is_plain(left) and not is_sparse(left):
        left = plain_operand(left, "the plain matrix x")
    return operator.matmul(left, right)


def _inner(kind: Any, a: Any, b: Any) -> Any:
    if not np.ndim(a) or not np.ndim(b):
        return operator.mul(a, b)
    return _matmul(kind, a, (b if isinstance(b, kind) else plain_operand(b, "the plain operand x")).T)


def _outer(kind: Any, a: Any, b: Any) -> Any:
    left, right = (
        (side if isinstance(side, kind) else plain_operand(side, "the plain operand x")).ravel() for side in (a, b)
    )
    return left.reshape(-1, 1) * right


def _where(kind: Any, condition: Any, x: Any = _NONE, y: Any = _NONE) -> Any:
    choices = first, second = x, y
    if x is _NONE or y is _NONE or isinstance(condition, kind):
        raise TypeError("numpy.where needs a plain condition and two choices: numpy.where(mask, c, x)")
    mask = np.asarray(condition.toarray() if is_sparse(condition) else condition, dtype=np.bool_)
    if isinstance(first, kind) and isinstance(second, kind):
        return kind._gathered(choices, lambda positions: np.where(mask, *positions), "numpy.where")
    encrypted, plain = (first, second) if isinstance(first, kind) else (second, first)
    kept = mask if encrypted is first else ~mask
    values = plain_operand(plain, "the plain choice x", unused=kept)  # where a value is missing, the other is taken
    return encrypted * kept + np.where(kept, np.zeros((), values.dtype), values)


# What has a definition of its own here, most of it a method of the array.
_OWN: dict[Any, Callable[..., Any]] = {
    np.sum: lambda a, axis=None, *, keepdims=False: a.sum(axis, keepdims),
    np.mean: lambda a, axis=None, *, keepdims=False: a.mean(axis, keepdims),
    # The keyword of numpy before 2.1 is newshape.
    np.reshape: (lambda a, shape: a.reshape(shape))
    if "shape" in inspect.signature(np.reshape).parameters
    else (lambda a, newshape: a.reshape(newshape)),
    np.ravel: lambda a: a.ravel(),
    np.transpose: lambda a, axes=None: a.transpose(axes),
    np.copy: lambda a: a.copy(),
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: math.prod(a.shape[i] for i in normalized_axes(axis, a.ndim)),
}
_OWN_OF_KIND: dict[Any, Callable[..., Any]] = {np.dot: dot, np.inner: _inner, np.outer: _outer, np.where: _where}


def is_plain(value: Any) -> bool:
    """Whether an operand is to be tried as plain numbers; None, text and foreign classes are not."""
    if isinstance(value, (Number, np.generic, np.ndarray)):
        return True
    if isinstance(value, Sequence):
        return not isinstance(value, (str, bytes, bytearray))
    return hasattr(type(value), "__array__") or hasattr(value, "__array_interface__") or is_sparse(value)


def plain_operand(value: Any, name: str, unused: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[Any]:
    """`as_plain_array`, and of sparse matrices: the zeros of an operand are no secret from who has it."""
    return as_plain_array(value.toarray() if is_sparse(value) else value, name, unused)


def check_no_number(value: Any) -> None:
    """Raise for a number of phe or of the facade: as an array it can be added."""
    if is_encrypted_number(value):
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise TypeError(
            f"a {kind} is no array; to add it, write vecphe.from_phe(c.public_key, [x], max_abs=m) for x, "
            "with m the largest magnitude that it may have"
        )


def check_no_product(kind: type, value: Any, why: str) -> None:
    """Raise for an operand that is encrypted, as an array or as a number of phe or of the facade."""
    if isinstance(value, kind) or is_encrypted_number(value):
        raise TypeError(why)


def check_no_matrix(value: Any) -> None:
    """Raise for what is multiplied as a matrix by ``*`` where both sides are plain."""
    plain = ""
    if isinstance(value, np.matrix):
        plain = "numpy.asarray(x)"
    elif is_sparse(value) and sys.modules["scipy.sparse"].isspmatrix(value):
        plain = "x.toarray()"
    if plain:
        raise TypeError(f"* with a {type(value).__name__} means a matrix product: write @ for *, or {plain} for x")


def takes_as_object(caller: FrameType) -> bool:
    """Whether a conversion to a plain array, asked for by `caller`, is to give an array of the one object.

    The operators of scipy.sparse try numpy.asanyarray on the other operand, and leave the operation to that one's
    reflected operator if what comes back is a 0-d array of an object.

    Raises
    ------
    TypeError
        For all others, with what to write instead.
    """
    module = str(caller.f_globals.get("__name__"))
    if module.startswith("scipy.sparse."):
        return True
    if module.startswith("numpy.ma."):
        raise TypeError("a masked array x and an encrypted one do not combine; fill it first: x.filled(value)")
    raise TypeError(
        "an EncryptedArray does not turn into a plain array; with a DataFrame or tensor x on the left write "
        "numpy.asarray(x) @ c, of a list of encrypted arrays numpy.mean(numpy.stack([c, d]), axis=0)"
    )


def checked_count(name: str, value: Any, least: int) -> int:
    """The value as an int; TypeError or ValueError where it is none, or below `least`, which is 0 or 1."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be {'positive' if least else 'at least 0'}, not {value}")
    return int(value)


def check_room(ring: AnyRing, count: int) -> None:
    """Refuse at once so many residues as would have the process killed; they take a quarter more than canonical ones.

    Raises
    ------
    BatchTooLargeError
    """
    check_memory(count * ring.ciphertext_bytes * 5 // 4, f"an array of {count} ciphertexts", "work on parts of it")


def reciprocals(divisors: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """``1 / divisors``, correctly rounded for integers of any size too."""
    if not divisors.all():
        raise ZeroDivisionError("division of an encrypted array by zero")
    if divisors.dtype.kind == "f":
        with np.errstate(all="ignore"):
            return as_plain_array(1.0 / divisors, "the reciprocal of the divisor")
    inverses = np.array([1 / divisor for divisor in divisors.ravel().tolist()])
    if not inverses.all():
        raise PlaintextOverflowError("a divisor is beyond the floats; divide in steps: c / 2**1000 / 2**1000")
    return inverses.reshape(divisors.shape)


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
