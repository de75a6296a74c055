"""Scaling inside the protocol: encrypted totals of each column, and the mean and deviation that all clients scale by.

Every client sends count, sum and sum of squares of its columns in one vector, as exact integers. So nothing cancels in
``count * squares - sum^2``, whatever the sizes of the columns, a constant column has a deviation of exactly 0, and no
party has to tell how large its values are: one round does, where floats would take a second one for centred squares.

An integer is sent as its digits to a base of some 40 bits, as each backend encrypts numbers of that size exactly; sums
of digits over the clients are digits of the sum, without carries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vecphe.errors import ProtocolError
from vecphe.plaintext.encoding import Floats

Integers: TypeAlias = npt.NDArray[np.object_]  # Python's own

__all__ = ["ColumnTotals", "LinearForm", "Scaling", "check_columns"]

_FRACTION_BITS = 100  # values count as multiples of 2^-100
_WHOLE_BITS = 80  # and are below 2^80 in magnitude
_LEAST_BITS = 30  # of the largest value of a column, so that its deviation has some digits
_ROW_BITS = 40
_WIDTHS = tuple(power * (_WHOLE_BITS + _FRACTION_BITS) + _ROW_BITS for power in (1, 2))  # of sums of powers
_EXACT_BITS = 50  # totals of digits below 2^50 come back from their mean without error
_LEAST_DIGIT = 4  # bits
_HALF = 26  # bits of the lower half of a mantissa of 53
_CHUNK = 1 << 20  # rows: sums of so many halves are exact in int64, and as floats


@dataclass(frozen=True, eq=False)
class LinearForm:
    """A model as what it is in the units of the data: ``at_mean + (x - mean) @ coefficients``.

    Attributes
    ----------
    mean : ndarray
        Shape (features,).
    coefficients : ndarray
        Shape (features,), or (features, classes).
    at_mean : ndarray
        Score of a row of means: shape (), or (classes,).

    Examples
    --------
    >>> import numpy as np
    >>> from vecphe.federated import LinearForm
    >>> form = LinearForm(np.array([10.0]), np.array([2.0]), np.array(5.0))
    >>> form.scores(np.array([[10.0], [11.0]])), float(form.intercept)
    (array([5., 7.]), -15.0)
    """

    mean: Floats
    coefficients: Floats
    at_mean: Floats

    @property
    def intercept(self) -> Floats:
        """Score of a row of zeros, shape () or (classes,)."""
        columns = np.atleast_2d((-self.mean[:, np.newaxis] * self.coefficients.reshape(len(self.mean), -1)).T)
        scores = [math.fsum([at, *terms]) for at, terms in zip(np.atleast_1d(self.at_mean), columns, strict=True)]
        return np.array(scores).reshape(np.shape(self.at_mean))

    def scores(self, X: Floats) -> Floats:
        """Of rows, shape (rows,) or (rows, classes); a missing value, NaN, counts as the mean."""
        centred = X - self.mean
        centred[np.isnan(centred)] = 0.0
        result: Floats = self.at_mean + centred @ self.coefficients
        return result


@dataclass(frozen=True, eq=False)
class Scaling:
    """What columns are centred on and divided by.

    Attributes
    ----------
    mean, deviation : ndarray
        Of each feature, shape (features,); the deviation of a constant column counts as 1.
    target_mean, target_deviation : float
        Of the target of a regression; 0 and 1 where the target stays as it is.
    intercept : bool
        Whether a column of ones follows the features.
    fitted : bool
        False where columns stay as they are.
    rows : int or None
        How many rows it was fitted on.

    Examples
    --------
    >>> import numpy as np
    >>> from vecphe.federated import Scaling
    >>> scaling = Scaling.of(np.array([[1.0, 7.0], [3.0, 7.0]]), None)
    >>> scaling.mean, scaling.deviation
    (array([2., 7.]), array([1., 1.]))
    """

    mean: Floats
    deviation: Floats
    target_mean: float = 0.0
    target_deviation: float = 1.0
    intercept: bool = False
    fitted: bool = False
    rows: int | None = None

    @classmethod
    def none(cls, n_features: int, intercept: bool = False) -> Scaling:
        """Columns as they are."""
        return cls(np.zeros(n_features), np.ones(n_features), intercept=intercept)

    @classmethod
    def of(cls, X: Floats, y: Floats | None) -> Scaling:
        """Fitted on the rows at hand; `y` is the target, where it is to be scaled."""
        totals = [np.array(values, dtype=object) for values in _exact_totals(X, y)]
        return cls.of_totals(len(X), *totals, has_target=y is not None)

    @classmethod
    def of_totals(cls, n: int, counts: Integers, sums: Integers, squares: Integers, *, has_target: bool) -> Scaling:
        """Of exact totals over `n` rows: of values that are there, of these times 2^100, and of their squares.

        Missing values count as the mean of the others. The totals of the target are the last.

        Raises
        ------
        ProtocolError
            If they are those of no rows, or of a column without a value.
        """
        if n < 1 or min(counts) < 0 or max(counts) > n:
            raise ProtocolError("got totals that are those of no rows")
        for place, count in enumerate(counts, 1):
            if not count:
                raise ProtocolError(f"column {place} of X has no value; leave it out")
        variances = counts * squares - sums * sums  # times counts * n * 2^200
        if min(variances) < 0:
            raise ProtocolError("got totals that are those of no rows")
        mean = np.array(
            [int(total) / (int(count) << _FRACTION_BITS) for total, count in zip(sums, counts, strict=True)]
        )
        pairs = zip(variances, counts, strict=True)
        deviation = np.array(
            [_root(int(variance), n * int(count)) / 2.0**_FRACTION_BITS or 1.0 for variance, count in pairs]
        )
        if not has_target:
            return cls(mean, deviation, intercept=True, fitted=True, rows=n)
        return cls(mean[:-1], deviation[:-1], float(mean[-1]), float(deviation[-1]), True, True, n)

    @property
    def divisor(self) -> Floats:
        """What columns are divided by: the deviation, times the root of their number.

        So the largest eigenvalue of ``X.T @ X / rows`` is at most 1 however the features are correlated, and gradient
        descent for a linear model converges for every step size below 2.
        """
        return self.deviation * math.sqrt(len(self.mean)) if self.fitted else self.deviation

    def apply(self, X: Floats, y: Floats | None = None) -> None:
        """Scale rows in place, and the targets of a regression; the columns that follow the features stay."""
        if not self.fitted:
            return
        columns = X[:, : len(self.mean)]
        columns -= self.mean
        columns /= self.divisor
        columns[np.isnan(columns)] = 0.0  # a missing value counts as the mean
        if y is not None:
            y -= self.target_mean
            y /= self.target_deviation

    def penalties(self, l2: float, n_dimensions: int) -> Floats:
        """What an L2 penalty on the weights of columns of variance 1 adds to the gradient, a weight.

        ``l2 / 2 * sum((w / sqrt(features))^2)`` for weights w of columns divided by `divisor`; none on the intercept.
        """
        penalties = np.full(len(self.mean) + self.intercept, l2 / (len(self.mean) if self.fitted else 1))
        if self.intercept:
            penalties[-1] = 0.0
        return penalties.reshape(-1, *[1] * (n_dimensions - 1))

    def linear(self, weights: Floats) -> LinearForm:
        """The model in the units of the data, of weights for the scaled columns."""
        divisor = self.divisor.reshape(-1, *[1] * (weights.ndim - 1))
        own = weights[: len(self.mean)]
        at_mean = weights[-1] if self.intercept else np.zeros(weights.shape[1:])
        return LinearForm(
            self.mean,
            own / divisor * self.target_deviation,
            np.asarray(at_mean * self.target_deviation + self.target_mean),
        )


def check_columns(name: str, X: Floats, y: Floats | None, names: Sequence[str] | None = None) -> None:
    """Raise ValueError if a column cannot be scaled with others, before anything is sent; errors name its owner.

    Errors call columns by their `names`, or by numbers from 1.
    """
    called = [f"column {place + 1} of X" for place in range(X.shape[1])] if names is None else map(repr, names)
    columns = list(zip(called, X.T, strict=True))
    for what, values in columns if y is None else [*columns, ("the target", y)]:
        greatest = float(np.max(np.abs(values), where=~np.isnan(values), initial=0.0))
        if greatest >= 2.0**_WHOLE_BITS:
            raise ValueError(
                f"{name}: {what} is too large to be scaled, beyond 1e24; divide it by a power of ten, or leave all "
                "columns as they are with scale='none'"
            )
        if 0 < greatest < 2.0 ** (_LEAST_BITS - _FRACTION_BITS):
            raise ValueError(
                f"{name}: {what} is too small to be scaled, below 1e-21; multiply it by a power of ten, or leave all "
                "columns as they are with scale='none'"
            )


class ColumnTotals:
    """Takes part in one round as the model of a `Party`: what each client sends, and what all get to scale by.

    Parameters
    ----------
    X : ndarray
        Shape (rows, features), float64, below 2^80 in magnitude; counted as multiples of 2^-100.
    y : ndarray or None
        Targets, where they are to be scaled.
    n_clients : int
        How many clients there are.
    grid : (int, int)
        ``pubkey.exact_integers``.
    missing : bool
        Send how many values each column has: NaN in X is none.

    Attributes
    ----------
    weights : Scaling or None
        None before the round.

    Examples
    --------
    >>> import numpy as np
    >>> from vecphe.federated import ColumnTotals, Party, Server, run_rounds
    >>> server, rows = Server(2048), [np.array([[1.0], [2.0]]), np.array([[3.0]]), np.array([[6.0]])]
    >>> totals = [ColumnTotals(X, None, 3, server.pubkey.exact_integers) for X in rows]
    >>> parties = [Party(name, model, server.pubkey) for name, model in zip("ABC", totals)]
    >>> (done,) = run_rounds(server, parties, n_iter=1)
    >>> totals[0].weights.mean, totals[0].weights.rows
    (array([3.]), 4)
    """

    def __init__(
        self, X: Floats, y: Floats | None, n_clients: int, grid: tuple[int, int], missing: bool = False
    ) -> None:
        self.weights: Scaling | None = None
        self._X, self._y, self._n_clients = X, y, n_clients
        bits, self._scale = grid
        self._bits = min(bits, _EXACT_BITS - n_clients.bit_length())
        if self._bits < _LEAST_DIGIT:
            raise ProtocolError(
                "the encoding is too coarse for the totals of columns; give one with a larger max_abs or more "
                "fraction_bits, or leave columns as they are with scale='none'"
            )

        columns = X.shape[1] + (y is not None)
        # How many totals there are, and of how many bits: of rows, of values in each column, and of their powers.
        self._totals = [(1, _ROW_BITS)] + [(columns, _ROW_BITS)] * missing + [(columns, bits) for bits in _WIDTHS]

    @property
    def size(self) -> int:
        """Numbers that are sent."""
        return sum(count * self._digits(bits) for count, bits in self._totals)

    def _digits(self, bits: int) -> int:
        return -(-(bits + 1) // self._bits)

    def update(self) -> list[npt.NDArray[Any]]:
        """Digits of the number of rows, of the sums and the sums of squares."""
        counts, *powers = _exact_totals(self._X, self._y)
        totals = [[len(self._X)], *([counts] if len(self._totals) == 4 else []), *powers]
        widths = [bits for _, bits in self._totals]
        digits = np.concatenate(
            [self._split(own, self._digits(bits)) for own, bits in zip(totals, widths, strict=True)]
        )
        return [np.ldexp(digits.astype(np.float64), -self._scale) if self._scale else digits]

    def _split(self, totals: list[int], n_digits: int) -> npt.NDArray[np.int64]:
        """Digits of each, the lowest first; the highest has the sign."""
        lower = (1 << self._bits) - 1
        last = n_digits - 1
        digits = [
            [*(total >> (self._bits * i) & lower for i in range(last)), total >> (self._bits * last)]
            for total in totals
        ]
        return np.array(digits, dtype=np.int64).ravel()

    def apply(self, mean: list[Floats]) -> None:
        """Take the scaling from the mean of all clients' digits."""
        (sent,) = mean
        digits = np.rint(np.ldexp(sent * self._n_clients, self._scale)).astype(np.int64).astype(object)
        totals: list[Integers] = []
        for count, bits in self._totals:
            own, digits = np.split(digits, [count * self._digits(bits)])
            places = [1 << (self._bits * i) for i in range(self._digits(bits))]
            totals.append(own.reshape(count, -1) @ np.array(places, dtype=object))
        (n,), *columns = totals
        counts = columns[0] if len(columns) == 3 else np.full(len(columns[0]), n, dtype=object)
        self.weights = Scaling.of_totals(int(n), counts, *columns[-2:], has_target=self._y is not None)


def _root(numerator: int, denominator: int) -> float:
    """The square root of a quotient of integers: to 64 bits more than its integer part has, then rounded."""
    return math.isqrt((numerator << 128) // denominator) / (1 << 64)


def _exact_totals(X: Floats, y: Floats | None) -> list[list[int]]:
    """Of each column how many values there are, their sum times 2^100, and that of their squares times 2^200."""
    columns = [X[:, place] for place in range(X.shape[1])]
    totals = [_column_totals(column[~np.isnan(column)]) for column in (columns if y is None else [*columns, y])]
    return [list(own) for own in zip(*totals, strict=True)]


def _column_totals(column: Floats) -> tuple[int, int, int]:
    total = squares = 0
    for start in range(0, len(column), _CHUNK):
        own = _chunk_totals(column[start : start + _CHUNK])
        total, squares = total + own[0], squares + own[1]
    return len(column), total, squares


def _chunk_totals(values: Floats) -> tuple[int, int]:
    """Sum of integers, and of their squares: by exponents, of halves of the mantissas."""
    fractions, powers = np.frexp(np.rint(values * 2.0**_FRACTION_BITS))
    exponents = powers.astype(np.intp)
    mantissas = (fractions * 2.0**53).astype(np.int64)  # value = mantissa * 2^(exponent - 53)
    high, low = mantissas >> _HALF, mantissas & ((1 << _HALF) - 1)
    sums = _by_exponent(exponents, high, _HALF) + _by_exponent(exponents, low, 0)
    squares = (
        _by_exponent(exponents, high * high, 2 * _HALF, 2)
        + _by_exponent(exponents, high * low, _HALF + 1, 2)
        + _by_exponent(exponents, low * low, 0, 2)
    )
    return sums >> 53, squares >> 106


def _by_exponent(exponents: npt.NDArray[np.intp], parts: npt.NDArray[np.int64], shift: int, power: int = 1) -> int:
    """``sum(part * 2^(power * exponent + shift))`` of parts of up to 54 bits, exactly."""
    lower = (1 << _HALF) - 1
    total = 0
    for half, more in ((parts >> _HALF, _HALF), (parts & lower, 0)):
        sums = np.bincount(exponents, weights=half)  # below 2^(28 + 20), where floats are exact
        total += sum(int(sums[exponent]) << (power * int(exponent) + shift + more) for exponent in np.flatnonzero(sums))
    return total
