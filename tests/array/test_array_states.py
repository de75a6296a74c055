"""Arrays made of arrays made of arrays: values, bounds, terms and freshness against models, in random order.

Every residue is followed as a product of powers of randomizers, so that the test knows whether what has left the
process determines what leaves next: rank, not rules. Beside it stands the rule itself, with exact sets of batches.
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, multiple, rule, run_state_machine_as_test

import vecphe
from vecphe import EncryptedArray, FixedPoint, PrivateKey, PublicKey
from vecphe.randomness import freshness

SHAPES: list[tuple[int, ...]] = [(), (1,), (2,), (3,), (2, 3), (1, 3), (2, 1), (3, 2), (0,), (2, 0)]
ENCODINGS = [FixedPoint(0, 100), FixedPoint(4, 50), FixedPoint(8, 10)]
FACTORS = st.sampled_from([0, 1, -1, 2, -3, 0.5, -0.25])
PRIME = 10**18 + 9  # rank modulo a prime is at most that over the rationals
# Shrinking takes minutes; a failing run is short enough to be read.
SETTINGS = settings(stateful_step_count=30, phases=[Phase.explicit, Phase.reuse, Phase.generate])
KEYS: tuple[PublicKey, PrivateKey] = vecphe.generate_keypair(256, insecure=True)

Vector = dict[Any, int]


@dataclass(frozen=True)
class Model:
    """What an array must be.

    Attributes
    ----------
    values : ndarray of Fraction
    vectors : tuple of dict
        For each residue the exponents of the randomizers in it.
    limit : Fraction
        What no magnitude exceeds.
    single, involved : frozenset of int
        Batches that enter exactly once and hide every residue by itself; all that enter.
    integer : bool
        Whether it decrypts to integers.
    """

    values: Any
    vectors: tuple[Vector, ...]
    limit: Fraction
    terms: int
    single: frozenset[int]
    involved: frozenset[int]
    packed: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.asarray(self.values, dtype=object))  # numpy unpacks 0-d results

    def spoiled(self) -> Model:
        return replace(self, single=frozenset())


def fractions(values: Any) -> Any:
    exact = np.empty(np.shape(values), dtype=object)
    for position, value in np.ndenumerate(np.asarray(values)):
        exact[position] = Fraction(value.item())
    return exact


def combined(pairs: Sequence[tuple[Vector, Any]]) -> Vector:
    """Product of powers of residues."""
    total: Vector = {}
    for vector, power in pairs:
        for name, exponent in vector.items():
            total[name] = total.get(name, 0) + exponent * power
    return {name: exponent for name, exponent in total.items() if exponent}


def of_indices(model: Model, indices: Any) -> Model:
    """A selection; what stands there twice spoils it."""
    flat = np.asarray(indices).ravel().tolist()
    values = np.array([model.values.ravel()[i] for i in flat], dtype=object).reshape(np.shape(indices))
    chosen = replace(model, values=values, vectors=tuple(model.vectors[i] for i in flat))
    return chosen if len(set(flat)) == len(flat) else chosen.spoiled()


def spread(model: Model, shape: tuple[int, ...]) -> Model:
    if shape == model.values.shape:
        return model
    return of_indices(model, np.broadcast_to(np.arange(model.values.size).reshape(model.values.shape), shape))


class Span:
    """What has left, as exponents of randomizers in echelon form."""

    def __init__(self) -> None:
        self.rows: dict[Any, Vector] = {}

    def adds(self, vector: Vector) -> bool:
        """Take a vector in; whether it was not determined by the others."""
        rest = {name: exponent % PRIME for name, exponent in vector.items() if exponent % PRIME}
        while rest:
            pivot = min(rest, key=repr)
            if pivot not in self.rows:
                inverse = pow(rest[pivot], -1, PRIME)
                self.rows[pivot] = {name: exponent * inverse % PRIME for name, exponent in rest.items()}
                return True
            factor = rest[pivot]
            for name, exponent in self.rows[pivot].items():
                rest[name] = (rest.get(name, 0) - factor * exponent) % PRIME
            rest = {name: exponent for name, exponent in rest.items() if exponent}
        return False


COPIES: dict[str, Callable[[Any], Any]] = {"+": lambda array: +array, "copy": copy.copy, "deepcopy": copy.deepcopy}
INDICES: list[Any] = [0, -1, slice(None), slice(1, None), slice(None, None, -1), [0, 0], [-1, 0], None, ..., (..., 0)]

# What is made of an array and then added to it, or subtracted.
OWN: dict[str, Callable[[Any, Any], Any]] = {
    "itself": lambda arrays, pair: pair,
    "concatenated": lambda arrays, pair: arrays.concatenate([pair]),
    "concatenated twice": lambda arrays, pair: arrays.concatenate([pair, pair]),
    "negative": lambda arrays, pair: arrays.negative(pair),
    "more": lambda arrays, pair: arrays.add_plain(pair, [1, 2, 3, 4, 5, 6], False),
    "repeated": lambda arrays, pair: arrays.add_plain(pair, [1, 2, 3, 4, 5, 6], True),
    "half more": lambda arrays, pair: arrays.add_plain(pair, [1, 2, 3, 4, 5, 6], False, True),
    "product": lambda arrays, pair: arrays.multiply(pair, [1, 1, 1, 1, 1, 1], False),
    "fraction": lambda arrays, pair: arrays.multiply(pair, [0.5, 1, 1, 1, 1, 1], False),
    "matrix product": lambda arrays, pair: arrays.matmul(pair, [1, 0, 0, 0, 0, 1]),
    "sum": lambda arrays, pair: arrays.sum(pair, 0, True),
    "grand total": lambda arrays, pair: arrays.sum(pair, None, False),
    "first": lambda arrays, pair: arrays.select(pair, 0),
    "reversed": lambda arrays, pair: arrays.select(pair, slice(None, None, -1)),
    "doubled": lambda arrays, pair: arrays.select(pair, [0, 0]),
    "reshaped": lambda arrays, pair: arrays.reshape(pair, "flat"),
    "transposed": lambda arrays, pair: arrays.reshape(pair, "transposed"),
    "copied": lambda arrays, pair: arrays.reshape(pair, "deepcopy"),
}


class Arrays(RuleBasedStateMachine):
    """Encrypted arrays beside their models."""

    pairs = Bundle("pairs")

    def __init__(self) -> None:
        super().__init__()
        self.public_key, self.private_key = KEYS
        self.ring = self.public_key._context.ring
        self.batches = 0
        self.gone: set[int] = set()
        self.span = Span()
        self.sent: list[EncryptedArray] = []

    def checked(self, array: EncryptedArray, model: Model) -> tuple[EncryptedArray, Model]:
        decrypted = self.private_key.decrypt(array)
        assert array.shape == model.values.shape == decrypted.shape
        assert fractions(decrypted).tolist() == model.values.tolist()
        assert Fraction(array.bound, 1 << array.format.fraction_bits) == model.limit
        assert array.terms == model.terms
        assert array.packed == model.packed
        assert (decrypted.dtype.kind != "f") == model.integer
        hidden = bool(model.single - self.gone)
        is_fresh = any(array is other for other in self.sent) or hidden
        if freshness._EXACT >= 16 and len(model.involved) <= 16:
            assert array.is_fresh == is_fresh
        assert is_fresh or not array.is_fresh
        return array, model

    @rule(
        target=pairs,
        shape=st.sampled_from(SHAPES),
        encoding=st.sampled_from(ENCODINGS),
        packed=st.sampled_from([False, False, False, True]),
        values=st.lists(st.integers(-40, 40), min_size=6, max_size=6),
    )
    def encrypt(self, shape: tuple[int, ...], encoding: FixedPoint, packed: bool, values: list[int]) -> Any:
        plain = np.array(values[: math.prod(shape)], dtype=float).reshape(shape)
        plain = plain.astype(int) if encoding.fraction_bits == 0 else plain / 4
        array = self.public_key.encrypt(plain, encoding=encoding, packed=packed)
        batch, self.batches = self.batches, self.batches + 1
        vectors = tuple({(batch, i): 1} for i in range(array.n_ciphertexts))
        own = frozenset({batch})
        return self.checked(
            array,
            Model(fractions(plain), vectors, Fraction(encoding.max_abs), 1, own, own, packed, plain.dtype.kind == "i"),
        )

    def added(self, left: Any, right: Any, sign: int) -> Any:
        (a, model_a), (b, model_b) = left, right
        operate: Callable[[], EncryptedArray] = (lambda: a + b) if sign > 0 else (lambda: a - b)
        try:
            shape = np.broadcast_shapes(a.shape, b.shape)
        except ValueError:
            with pytest.raises(ValueError, match="shape"):
                operate()
            return multiple()
        if a.packed and (a.shape != shape or b.shape != shape):
            with pytest.raises(vecphe.PackedOperationError):
                operate()
            return multiple()
        x, y = (m if m.packed else spread(m, shape) for m in (model_a, model_b))
        if sign < 0:
            y = y.spoiled()
        model = replace(
            x,
            values=x.values + sign * y.values,
            vectors=tuple(combined([(v, 1), (w, sign)]) for v, w in zip(x.vectors, y.vectors, strict=True)),
            limit=x.limit + y.limit,
            terms=x.terms + y.terms,
            single=(x.single - y.involved) | (y.single - x.involved),
            involved=x.involved | y.involved,
            integer=x.integer and y.integer,
        )
        if a.format.fraction_bits != b.format.fraction_bits:  # the coarser one is scaled, which is a product
            coarse = x if a.format.fraction_bits < b.format.fraction_bits else y
            fine = y if coarse is x else x
            power = 1 << abs(a.format.fraction_bits - b.format.fraction_bits)
            powers = (power, sign) if coarse is x else (1, sign * power)
            model = replace(
                model,
                vectors=tuple(
                    combined([(v, powers[0]), (w, powers[1])]) for v, w in zip(x.vectors, y.vectors, strict=True)
                ),
                single=fine.single - coarse.involved,
            )
        return self.checked(operate(), model)

    @rule(target=pairs, left=pairs, right=pairs, sign=st.sampled_from([1, 1, -1]))
    def add(self, left: Any, right: Any, sign: int) -> Any:
        a, b = left[0], right[0]
        if not (a.layout == b.layout and (not a.packed or a.format.fraction_bits == b.format.fraction_bits)):
            return multiple()
        if not (max(a.bound, b.bound).bit_length() < 150):
            return multiple()
        if a.packed and left[1].limit + right[1].limit > 200 * Fraction(a.encoding.max_abs):
            return multiple()
        return self.added(left, right, sign)

    @rule(target=pairs, pair=pairs)
    def negative(self, pair: Any) -> Any:
        array, model = pair
        vectors = tuple(combined([(v, -1)]) for v in model.vectors)
        return self.checked(-array, replace(model, values=-model.values, vectors=vectors).spoiled())

    @rule(
        target=pairs,
        pair=pairs,
        steps=st.lists(st.integers(-9, 9), min_size=6, max_size=6),
        repeat=st.booleans(),
        halves=st.booleans(),
    )
    def add_plain(self, pair: Any, steps: list[int], repeat: bool, halves: bool = False) -> Any:
        array, model = pair
        if not (array.bound.bit_length() < 150):
            return multiple()
        if array.packed and model.limit > 200 * Fraction(array.encoding.max_abs):
            return multiple()
        shape = (2, *array.shape) if repeat and not array.packed and array.ndim < 3 else array.shape
        plain = np.resize(steps, shape)
        if halves and not array.packed:
            plain = plain / 2
        model = spread(model, shape) if not model.packed else model
        limit = model.limit + Fraction(array.encoding.max_abs)
        model = replace(model, values=model.values + fractions(plain), limit=limit)
        if array.format.fraction_bits == 0 and (plain % 1).any():  # the array is scaled, which is a product
            model = replace(model, vectors=tuple(combined([(v, 16)]) for v in model.vectors)).spoiled()
        return self.checked(array + plain, replace(model, integer=model.integer and plain.dtype.kind == "i"))

    @rule(target=pairs, pair=pairs, factors=st.lists(FACTORS, min_size=6, max_size=6), scalar=st.booleans())
    def multiply(self, pair: Any, factors: list[float], scalar: bool) -> Any:
        array, model = pair
        if not (array.bound.bit_length() < 150):
            return multiple()
        plain: Any = factors[0] if scalar or array.packed else np.resize(np.array(factors), array.shape)
        if array.packed:
            plain = int(plain)
            if not (model.limit * abs(plain) <= 200 * Fraction(array.encoding.max_abs)):
                return multiple()
        exact = np.broadcast_to(fractions(plain), array.shape)
        # One power of two makes integers of all factors.
        scale = 1 << max(
            (f.denominator.bit_length() - 1 + 3) // 4 * 4 for f in [Fraction(1), *fractions(plain).ravel()]
        )
        powers = [exact.ravel()[0 if array.packed else i] * scale for i in range(len(model.vectors))]
        limit = model.limit * max((abs(f) for f in fractions(plain).ravel()), default=Fraction(0))
        vectors = tuple(combined([(v, int(p))]) for v, p in zip(model.vectors, powers, strict=True))
        made = replace(model, values=model.values * exact, vectors=vectors, limit=limit)
        made = replace(made, integer=model.integer and np.asarray(plain).dtype.kind != "f")
        return self.checked(array * plain, made.spoiled())

    @rule(target=pairs, pair=pairs, entries=st.lists(st.integers(-2, 2), min_size=6, max_size=6))
    def matmul(self, pair: Any, entries: list[int]) -> Any:
        array, model = pair
        if not (not array.packed and array.ndim in (1, 2) and array.bound.bit_length() < 150):
            return multiple()
        matrix = np.resize(entries, (2, array.shape[0]))
        columns = math.prod(array.shape[1:])
        vectors = tuple(
            combined([(model.vectors[j * columns + column], int(row[j])) for j in range(array.shape[0])])
            for row in matrix
            for column in range(columns)
        )
        grid = model.values.reshape(array.shape[0], columns)
        values = np.empty((2, columns), dtype=object)
        for i, row in enumerate(matrix.tolist()):
            for column in range(columns):
                values[i, column] = sum(
                    (Fraction(f) * v for f, v in zip(row, grid[:, column], strict=True)), Fraction()
                )
        limit = model.limit * max(sum(map(abs, row)) for row in matrix.tolist())
        made = replace(model, values=values.reshape(2, *array.shape[1:]), vectors=vectors, limit=limit)
        return self.checked(matrix @ array, made.spoiled())

    @rule(target=pairs, pair=pairs, axis=st.sampled_from([None, 0, -1]), keepdims=st.booleans())
    def sum(self, pair: Any, axis: int | None, keepdims: bool) -> Any:
        array, model = pair
        if not (not array.packed and (array.ndim or axis is None) and array.bound.bit_length() < 150):
            return multiple()
        positions = np.arange(array.size).reshape(array.shape)
        summed = positions.ravel() if axis is None else np.moveaxis(positions, axis, -1)
        groups = summed.reshape(-1, summed.shape[-1]) if summed.size else np.empty((0, 0), dtype=int)
        terms = array.size if axis is None else array.shape[axis]
        shape = np.empty(array.shape, dtype=bool).sum(axis=axis, keepdims=keepdims).shape
        if not summed.size:
            groups = np.empty((math.prod(shape), 0), dtype=int)
        flat = model.values.ravel()
        values = np.empty(len(groups), dtype=object)
        for i, group in enumerate(groups):
            values[i] = sum((flat[j] for j in group), Fraction())
        made = replace(
            model,
            values=values.reshape(shape),
            vectors=tuple(combined([(model.vectors[j], 1) for j in group]) for group in groups),
            limit=model.limit * terms,
            terms=model.terms * terms,
        )
        return self.checked(array.sum(axis, keepdims), made if terms else made.spoiled())

    @rule(target=pairs, pair=pairs, index=st.sampled_from(INDICES))
    def select(self, pair: Any, index: Any) -> Any:
        array, model = pair
        if not (not array.packed and array.ndim < 4):
            return multiple()
        positions = np.arange(array.size).reshape(array.shape)
        try:
            indices = positions[index]
        except IndexError:
            with pytest.raises(IndexError):
                array[index]
            return multiple()
        return self.checked(array[index], of_indices(model, indices))

    @rule(target=pairs, pair=pairs, how=st.sampled_from(["flat", "column", "transposed", "+", "copy", "deepcopy"]))
    def reshape(self, pair: Any, how: str) -> Any:
        array, model = pair
        if how == "transposed":
            if not (not array.packed or array.ndim < 2):
                return multiple()
            if array.ndim > 1:
                return self.checked(array.T, of_indices(model, np.arange(array.size).reshape(array.shape).T))
            return self.copied(array, array.T, model)
        if how in ("+", "copy", "deepcopy"):
            return self.copied(array, COPIES[how](array), model)
        shape = (-1,) if how == "flat" else (array.size, 1)
        return self.checked(array.reshape(shape), replace(model, values=model.values.reshape(shape)))

    def copied(self, array: EncryptedArray, copied: EncryptedArray, model: Model) -> Any:
        """A copy leaves as the array itself does: who sees both sees one thing twice."""
        if any(array is other for other in self.sent):
            self.sent.append(copied)
        return self.checked(copied, model)

    @rule(target=pairs, parts=st.lists(pairs, min_size=1, max_size=3))
    def concatenate(self, parts: list[Any]) -> Any:
        if not (all(not array.packed and array.ndim and array.bound.bit_length() < 150 for array, _ in parts)):
            return multiple()
        if len({array.shape[1:] for array, _ in parts}) != 1:
            return multiple()
        finest = max(array.format.fraction_bits for array, _ in parts)
        vectors = [
            combined([(v, 1 << (finest - array.format.fraction_bits))]) for array, model in parts for v in model.vectors
        ]
        models = [model for _, model in parts]
        made = Model(
            np.concatenate([model.values for model in models]),
            tuple(vectors),
            max(model.limit for model in models),
            max(model.terms for model in models),
            frozenset(),
            frozenset[int]().union(*(model.involved for model in models)),
            integer=all(model.integer for model in models),
        )
        return self.checked(vecphe.concatenate([array for array, _ in parts]), made)

    @rule(target=pairs, pair=pairs, how=st.sampled_from(sorted(OWN)), action=st.sampled_from("+-|"), swap=st.booleans())
    def combine_with_its_source(self, pair: Any, how: str, action: str, swap: bool) -> Any:
        made = OWN[how](self, pair)
        if not isinstance(made, tuple):
            return multiple()
        parts = [made, pair] if swap else [pair, made]
        return self.concatenate(parts) if action == "|" else self.add(*parts, 1 if action == "+" else -1)

    def note_sent(self, array: EncryptedArray, model: Model, was_fresh: bool, sent: list[int]) -> tuple[Vector, ...]:
        """Exponents of the residues sent, of randomizers of which those who saw all that left know that many."""
        as_it_is = sent == self.ring.store(array.residues)
        again = any(array is other for other in self.sent)
        assert as_it_is or not was_fresh
        if was_fresh and not again:
            self.sent.append(array)
            assert all(self.span.adds(vector) for vector in model.vectors)
        self.gone |= model.involved
        if as_it_is:
            for vector in model.vectors:
                self.span.adds(vector)
            return model.vectors
        batch, self.batches = self.batches, self.batches + 1
        vectors: tuple[Vector, ...] = tuple({(batch, i): 1} for i in range(len(sent)))
        assert all(self.span.adds(vector) for vector in vectors)
        return vectors

    @rule(target=pairs, pair=pairs, pickled=st.booleans())
    def send(self, pair: Any, pickled: bool) -> Any:
        array, model = pair
        was_fresh, residues = array.is_fresh, self.ring.store(array.residues)
        received = pickle.loads(pickle.dumps(array)) if pickled else None
        sent = self.ring.store(received.residues) if pickled else array.ciphertexts()
        assert was_fresh or not set(sent) & {1, *residues}
        vectors = self.note_sent(array, model, was_fresh, sent)
        self.checked(array, model)
        if not pickled:
            return multiple()
        return self.checked(received, replace(model, vectors=vectors, single=frozenset(), involved=frozenset()))

    @rule(pair=pairs)
    def send_as_it_is(self, pair: Any) -> None:
        array, model = pair
        self.note_sent(array, model, array.is_fresh, array.ciphertexts(rerandomize=False))
        self.checked(array, model)


@pytest.mark.fuzz
@pytest.mark.parametrize("exact", [16, 2])
def test_h21_h39_arrays_made_of_arrays(exact: int) -> None:
    with patch.object(freshness, "_EXACT", exact):
        run_state_machine_as_test(Arrays, settings=SETTINGS)
