"""Several arrays in one run of ciphertexts: HAZARDS rows 16 to 18, 20, 21, 25, 28, 34, 39, 41, 42 and 74."""

from __future__ import annotations

import math
import operator
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.engines import kinds_of_engines

from vecphe import (
    EncryptedArray,
    EncryptedArrays,
    FixedPoint,
    InvalidPlaintextError,
    KeyMismatchError,
    LayoutMismatchError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
)
from vecphe.federated import Party

Keypair = tuple[PublicKey, PrivateKey]
MODEL = {"fc.weight": np.arange(6.0).reshape(2, 3) / 4, "bias": np.array([1.5, -2.5]), "steps": 7}


class Tensor:
    """A tensor of torch as numpy sees it."""

    def __init__(self, data: Any, *, attached: bool = False) -> None:
        self.data, self.attached = np.asarray(data), attached

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        if self.attached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        return self.data


def assert_same(decrypted: Any, expected: Any) -> None:
    assert type(decrypted) is type(expected)
    assert len(decrypted) == len(expected) > 0
    if isinstance(expected, dict):
        assert list(decrypted) == list(expected)
        decrypted, expected = decrypted.values(), expected.values()
    for one, plain in zip(decrypted, expected, strict=True):
        assert one.shape == np.shape(plain)
        assert one.tolist() == np.asarray(plain).tolist()


shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
layers = st.lists(shapes, min_size=1, max_size=4)


@settings(max_examples=25)
@given(layers, st.data())
def test_sums_of_lists_equal_numpys(keypair: Keypair, shapes: list[tuple[int, ...]], data: st.DataObject) -> None:
    public_key, private_key = keypair
    whole = st.integers(-(2**40), 2**40)
    a, b = ([data.draw(hnp.arrays(np.int64, shape, elements=whole)) for shape in shapes] for _ in range(2))
    c, d = public_key.encrypt_many(a), public_key.encrypt_many(tuple(b))
    assert len(c) == len(shapes)
    assert c.shapes == tuple(shapes)
    assert c.names is None
    assert_same(private_key.decrypt_many(c + d), [x + y for x, y in zip(a, b, strict=True)])
    assert_same(private_key.decrypt_many(c - d), [x - y for x, y in zip(a, b, strict=True)])
    assert_same(private_key.decrypt_many(-c), [-x for x in a])
    assert all(array.dtype == np.int64 for array in private_key.decrypt_many(c))


@pytest.mark.parametrize("engine", kinds_of_engines())
def test_one_run_holds_all_layers(keypair: Keypair, engine: str) -> None:
    public_key = PublicKey(keypair[0].n, insecure=True, engine=engine)
    many = public_key.encrypt_many(MODEL)
    slots = many.array.layout.slots
    assert many.array.shape == (9,)
    assert many.array.n_ciphertexts == math.ceil(9 / slots) == 2
    assert_same(keypair[1].decrypt_many(many), {name: np.asarray(x, dtype=float) for name, x in MODEL.items()})


def test_names_and_shapes_show_and_nothing_else(public_key: PublicKey) -> None:
    many = public_key.encrypt_many(MODEL)
    assert many.names == ("fc.weight", "bias", "steps")
    assert many.shapes == ((2, 3), (2,), ())
    assert repr(many).startswith("EncryptedArrays({'fc.weight': (2, 3), 'bias': (2,), 'steps': ()}, 2 ciphertexts")
    assert repr(public_key.encrypt_many([[1.0]])).startswith("EncryptedArrays([(1,)], 1 ciphertext")
    assert repr(EncryptedArrays.__new__(EncryptedArrays)) == "EncryptedArrays(nothing yet)"


def test_dicts_in_another_order_are_added_by_name(keypair: Keypair) -> None:
    """Also where the shapes are those of other arrays: positions would mix them up."""
    public_key, private_key = keypair
    one = {"b": np.array([1.0, 2.0]), "a": np.array([10.0, 20.0])}
    other = OrderedDict(a=np.array([100.0, 200.0]), b=np.array([0.5, 0.25]))
    total = public_key.encrypt_many(one) + public_key.encrypt_many(other)
    assert_same(private_key.decrypt_many(total), {"b": one["b"] + other["b"], "a": one["a"] + other["a"]})
    assert_same(private_key.decrypt_many(public_key.encrypt_many(other) - public_key.encrypt_many(one)),
                {"a": other["a"] - one["a"], "b": other["b"] - one["b"]})  # fmt: skip


def test_a_weighted_mean_of_three_models(keypair: Keypair) -> None:
    public_key, private_key = keypair
    models = [{name: np.asarray(x) * i for name, x in MODEL.items()} for i in (1, 2, 5)]
    counts = [3, 10, 7]
    encrypted = [public_key.encrypt_many(model) for model in models]
    mean = sum(c * count for c, count in zip(encrypted, counts, strict=True)) / sum(counts)
    plain = {name: np.asarray(x) * (3 * 1 + 10 * 2 + 7 * 5) / 20 for name, x in MODEL.items()}
    for name, array in private_key.decrypt_many(mean).items():
        np.testing.assert_allclose(array, plain[name], rtol=1e-12)
    assert isinstance(np.float64(2.0) * encrypted[0], EncryptedArrays)
    alone = sum([encrypted[0]])
    assert (alone.array.bound, alone.array.terms) == (encrypted[0].array.bound, 1)
    assert_same(private_key.decrypt_many(alone), private_key.decrypt_many(encrypted[0]))


def test_h17_tensors_lists_and_numbers(keypair: Keypair) -> None:
    public_key, private_key = keypair
    given = [Tensor([[1, 2]]), [3.5, 4], 5, np.float32(0.5), np.array([True, False]), np.asfortranarray(np.eye(2))]
    expected = [np.array(x, dtype=float) for x in ([[1, 2]], [3.5, 4], 5, 0.5, [1, 0], np.eye(2))]
    assert_same(private_key.decrypt_many(public_key.encrypt_many(given)), expected)


def test_h45_the_arrays_may_change_afterwards(keypair: Keypair) -> None:
    x = np.ones(3)
    many = keypair[0].encrypt_many([x])
    x[:] = 9
    assert_same(keypair[1].decrypt_many(many), [np.ones(3)])
    first = keypair[1].decrypt_many(many)
    first[0][:] = 5
    assert_same(keypair[1].decrypt_many(many), [np.ones(3)])


def test_h74_integers_of_several_types_are_exact(keypair: Keypair) -> None:
    public_key, private_key = keypair
    wide = FixedPoint(0, 2**80, 3)
    for parts in (([2**63 + 1], [-(2**62) - 1]), ([2**63 + 1], [-(2**62) - 1], [2**70 + 1]), ([2**60 + 1], [True])):
        kinds = (np.uint64, np.int64, object)
        given = [np.array(part, dtype=kind) for part, kind in zip(parts, kinds, strict=False)]
        decrypted = private_key.decrypt_many(public_key.encrypt_many(given, encoding=wide))
        assert [array.tolist() for array in decrypted] == [*parts]


@pytest.mark.parametrize("big", [2**53 + 1, -(2**53) - 1, 2**63 + 1, 2**70 + 1])
def test_h74_integers_that_no_float_holds_are_refused_beside_fractions(public_key: PublicKey, big: int) -> None:
    with pytest.raises(TypeError, match=r"arrays\['steps'\] has integers beyond 2\^53"):
        public_key.encrypt_many({"w": [0.5], "steps": [1, big]}, encoding=FixedPoint(4, 2**80, 1))
    with pytest.raises(TypeError, match=r"ward 3: array 1 of its update has integers beyond 2\^53"):
        Party("ward 3", lambda: [np.array([0.5]), [1, big]])._flat_update()


@pytest.mark.parametrize("big", [2**53, -(2**53), 2**60, 2**70])
def test_h74_integers_that_are_floats_go_with_fractions(keypair: Keypair, big: int) -> None:
    many = keypair[0].encrypt_many([[0.5], [big]], encoding=FixedPoint(4, 2**80, 1))
    assert_same(keypair[1].decrypt_many(many), [np.array([0.5]), np.array([float(big)])])
    assert Party("ward", lambda: [np.array([0.5]), np.array([big])])._flat_update().tolist() == [0.5, float(big)]


REFUSED: dict[str, tuple[Callable[[PublicKey], Any], type[Exception], str]] = {
    "an array": (lambda key: key.encrypt_many(np.ones((2, 2))), TypeError, r"not ndarray; write \[arrays\]"),
    "an iterator": (lambda key: key.encrypt_many(iter([[1.0]])), TypeError, r"list\(arrays\) for an iterator"),
    "text": (lambda key: key.encrypt_many("ab"), TypeError, "must be a list, tuple or dict"),
    "none": (lambda key: key.encrypt_many([]), ValueError, "one or more arrays are needed"),
    "an empty dict": (lambda key: key.encrypt_many({}), ValueError, "one or more arrays are needed"),
    "numbers as keys": (lambda key: key.encrypt_many({1: [1.0]}), TypeError, "keys of arrays must be text, not int"),
    "NaN": (lambda key: key.encrypt_many([[1.0], [0.0, np.nan]]), InvalidPlaintextError,
            r"arrays\[1\] holds NaN or infinity, first at index \(1,\)"),
    "out of range": (lambda key: key.encrypt_many({"a": [1.0], "b": [[1.0, 1e9]]}), PlaintextOverflowError,
                     r"magnitude of arrays\['b'\] at index \(0, 1\) exceeds max_abs"),
    "complex": (lambda key: key.encrypt_many([1j]), TypeError, r"arrays\[0\] has dtype complex"),
    "a sparse one": (lambda key: key.encrypt_many([np.ma.masked_array([1.0])]), TypeError, "masked"),
    "a list of lists": (lambda key: key.encrypt_many([[[1.0], [1.0, 2.0]]]), InvalidPlaintextError, "different shapes"),
    "nested dicts": (lambda key: key.encrypt_many({"a": {"b": [1.0]}}), TypeError, r"arrays\['a'\] is a dict"),
    "attached": (lambda key: key.encrypt_many([Tensor([1.0], attached=True)]), RuntimeError, "detach"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_h16_h18_h20_what_is_refused_is_named(
    public_key: PublicKey, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, error, message = REFUSED[case]
    monkeypatch.setattr(public_key._source, "draw", None)
    with pytest.raises(error, match=message):
        call(public_key)


def test_h28_other_names_or_shapes_are_not_added(public_key: PublicKey) -> None:
    c = public_key.encrypt_many({"a": np.ones((2, 3)), "b": [1.0]})
    others: dict[str, Any] = {
        r"\['a'\] is of shape \(2, 3\) on the left and of shape \(3, 2\)": {"a": np.ones((3, 2)), "b": [1.0]},
        r"\['b'\] is of shape \(1,\) on the left and missing": {"a": np.ones((2, 3)), "c": [1.0]},
        r"\['d'\] is missing on the left": {"a": np.ones((2, 3)), "b": [1.0], "d": np.ones(0)},
        r"\['a'\] is of shape \(2, 3\) on the left and missing on the right": [np.ones((2, 3)), [1.0]],
    }
    for message, other in others.items():
        for operation in (lambda d: c + d, lambda d: c - d):
            with pytest.raises(LayoutMismatchError, match=message):
                operation(public_key.encrypt_many(other))
    with pytest.raises(LayoutMismatchError, match="different slot layouts"):
        c + public_key.encrypt_many({"a": np.ones((2, 3)), "b": [1.0]}, encoding=FixedPoint(8, 8, 5))


def test_h34_another_key(public_key: PublicKey, other_keypair: Keypair) -> None:
    c = public_key.encrypt_many([[1.0]])
    with pytest.raises(KeyMismatchError):
        c + other_keypair[0].encrypt_many([[1.0]])
    with pytest.raises(KeyMismatchError):
        other_keypair[1].decrypt_many(c)


def test_h25_exactly_max_terms_of_them(keypair: Keypair) -> None:
    public_key, private_key = keypair
    c = public_key.encrypt_many([[8.0], -8.0], encoding=FixedPoint(4, 8, 3))
    assert_same(private_key.decrypt_many(c + c + c), [np.array([24.0]), np.array(-24.0)])
    with pytest.raises(PlaintextOverflowError, match="max_terms"):
        c + c + c + c


def test_h42_operands_that_are_none(public_key: PublicKey) -> None:
    c = public_key.encrypt_many([[1.0]])
    calls: list[Callable[[], Any]] = [
        *(lambda: operator.add(c, [[1.0]]), lambda: operator.add([[1.0]], c), lambda: c + 1, lambda: c - 0),
        *(lambda zero=zero: c + zero for zero in (False, 0.0, np.int64(0), np.zeros(1), "", None)),
        *(lambda: c + c.array, lambda: c * c, lambda: c / c, lambda: 1 / c, lambda: np.ones(1) + c),
        *(lambda: c == c, lambda: c != c, lambda: c == 3, lambda: EncryptedArrays()),  # type: ignore[call-arg]
    ]
    for call in calls:
        with pytest.raises(TypeError):
            call()
    with pytest.raises(TypeError, match=r"called: public_key\.encrypt_many"):
        EncryptedArrays(c.array, [(1,)])  # type: ignore[arg-type]


def test_each_is_decrypted_its_own_way(keypair: Keypair) -> None:
    public_key, private_key = keypair
    many = public_key.encrypt_many([[1.0]])
    with pytest.raises(TypeError, match=r"decrypt_many\(c\)"):
        private_key.decrypt(many)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="EncryptedArrays, not EncryptedArray; there is decrypt"):
        private_key.decrypt_many(many.array)  # type: ignore[arg-type]


def test_the_run_travels_and_comes_back(keypair: Keypair) -> None:
    public_key, private_key = keypair
    many = public_key.encrypt_many(MODEL)
    received = many.like(EncryptedArray.from_bytes(public_key, many.array.to_bytes()))
    plain = private_key.decrypt_many(many)
    assert_same(private_key.decrypt_many(received), plain)
    assert_same(private_key.decrypt_many(pickle.loads(pickle.dumps(many))), plain)
    with pytest.raises(ValueError, match=r"shape \(8,\) where these arrays make one of \(9,\)"):
        many.like(public_key.encrypt(np.ones(8), packed=True))
    with pytest.raises(TypeError, match="must be an EncryptedArray, not list"):
        many.like([1.0])  # type: ignore[arg-type]


def test_h39_differences_leave_re_randomised(public_key: PublicKey) -> None:
    c = public_key.encrypt_many([[1.0]])
    assert (c + c).array.is_fresh is False
    assert 1 not in (c - c).array.ciphertexts()
