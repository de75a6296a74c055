"""Sums by groups against numpy's: HAZARDS rows 20 to 22, 24, 25, 39 and 41."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.engines import kinds_of_engines

import vecphe
from vecphe import (
    BatchTooLargeError,
    FixedPoint,
    LayoutMismatchError,
    PackedOperationError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
    group_sum,
)
from vecphe.system.parallel import map_chunks

Keypair = tuple[PublicKey, PrivateKey]
PAIRS = FixedPoint(20, 8, 3)


@pytest.fixture(params=kinds_of_engines())
def keys(request: pytest.FixtureRequest, keypair: Keypair) -> Keypair:
    public_key = PublicKey(keypair[0].n, insecure=True, engine=request.param)
    return public_key, PrivateKey(public_key, keypair[1].p, keypair[1].q)


def sums(x: Any, labels: Any, groups: int) -> np.ndarray:
    """numpy's."""
    x = np.asarray(x)
    result = np.zeros((groups, *x.shape[1:]), dtype=x.dtype)
    np.add.at(result, np.asarray(labels, dtype=np.int64), x)
    return result


@st.composite
def rows_and_labels(draw: Any) -> tuple[np.ndarray, list[int], int]:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    groups = draw(st.integers(1, 6))
    labels = draw(st.lists(st.integers(0, groups - 1), min_size=shape[0], max_size=shape[0]))
    return draw(hnp.arrays(np.int64, shape, elements=st.integers(-(2**40), 2**40))), labels, groups


@settings(max_examples=25)
@given(rows_and_labels())
def test_sums_by_groups_equal_numpys(keypair: Keypair, case: tuple[np.ndarray, list[int], int]) -> None:
    x, labels, groups = case
    public_key, private_key = keypair
    for packed in (False, "rows"):
        if packed and int(np.prod(x.shape[1:])) > 6:
            continue
        result = group_sum(public_key.encrypt(x, packed=packed), labels, groups)
        assert result.shape == (groups, *x.shape[1:])
        assert private_key.decrypt(result).tolist() == sums(x, labels, groups).tolist()


def test_every_engine(keys: Keypair) -> None:
    public_key, private_key = keys
    x = np.random.default_rng(1).integers(-(2**30), 2**30, (70, 2)) / 1024
    labels = np.random.default_rng(2).integers(0, 5, 70)
    for packed, encoding in ((False, None), ("rows", FixedPoint(40, 2**21, 70))):
        c = public_key.encrypt(x, packed=packed, encoding=encoding)
        assert private_key.decrypt(group_sum(c, labels, 5)).tolist() == sums(x, labels, 5).tolist()
        assert private_key.decrypt(c).tolist() == x.tolist()


LABELS: dict[str, Any] = {
    "list": [2, 0, 2],
    "tuple": (2, 0, 2),
    "uint8": np.array([2, 0, 2], dtype=np.uint8),
    "uint64": np.array([2, 0, 2], dtype=np.uint64),
    "swapped": np.array([2, 0, 2], dtype=">i4"),
    "strided": np.array([2, 9, 0, 9, 2])[::2],
}


@pytest.mark.parametrize("kind", LABELS)
def test_h17_labels_of_every_kind(keypair: Keypair, kind: str) -> None:
    c = keypair[0].encrypt([1.5, 2.5, -4.0])
    assert keypair[1].decrypt(group_sum(c, LABELS[kind], np.int64(4))).tolist() == [2.5, 0.0, -2.5, 0.0]


def test_booleans_are_two_groups_as_for_numpy(keypair: Keypair) -> None:
    c = keypair[0].encrypt([1, 2, 4])
    assert keypair[1].decrypt(group_sum(c, np.array([True, False, True]), 2)).tolist() == [2, 5]


REFUSED: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "a label below": (lambda c: group_sum(c, [0, -1, 1], 2), ValueError, "from 0 to n_groups - 1 = 1; .* at index 1"),
    "a label beyond": (lambda c: group_sum(c, [0, 1, 2], 2), ValueError, "at index 2"),
    "far beyond": (lambda c: group_sum(c, np.array([2**63, 0, 0], dtype=np.uint64), 2), ValueError, "at index 0"),
    "wider than any": (lambda c: group_sum(c, [0, 2**70, 0], 2), ValueError, "at index 1"),
    "no groups": (lambda c: group_sum(c, [0, 0, 0], 0), ValueError, "at index 0"),
    "too few": (lambda c: group_sum(c, [0, 1], 2), ValueError, r"shape \(2,\) for 3 rows"),
    "too many": (lambda c: group_sum(c, [0, 1, 1, 1], 2), ValueError, r"shape \(4,\) for 3 rows"),
    "a column": (lambda c: group_sum(c, [[0], [1], [1]], 2), ValueError, "one label a row"),
    "one for all": (lambda c: group_sum(c, 0, 2), ValueError, "one label a row"),
    "floats": (lambda c: group_sum(c, [0.0, 1.0, 1.0], 2), TypeError, r"labels.astype\(int\)"),
    "NaN": (lambda c: group_sum(c, [0.0, np.nan, 1.0], 2), ValueError, "NaN or infinity, first at index"),
    "text": (lambda c: group_sum(c, ["a", "b", "a"], 2), TypeError, "labels has dtype"),
    "None": (lambda c: group_sum(c, [0, None, 1], 2), TypeError, "labels holds an object of type NoneType"),
    "masked": (lambda c: group_sum(c, np.ma.masked_array([0, 1, 1]), 2), TypeError, "masked"),
    "sparse": (lambda c: group_sum(c, scipy.sparse.csr_array([[0, 1, 1]]), 2), TypeError, "sparse"),
    "ragged": (lambda c: group_sum(c, [[0], [1, 2], [1]], 2), ValueError, "different shapes; labels are integers"),
    "a dict": (lambda c: group_sum(c, {0: 1}, 2), TypeError, "labels is a dict; labels are integers"),
    "an iterator": (lambda c: group_sum(c, iter([0, 1, 1]), 2), TypeError, "list_iterator; labels are integers"),
    "encrypted labels": (lambda c: group_sum(c, c, 2), TypeError, "labels must be plain integers"),
    "groups of a half": (lambda c: group_sum(c, [0, 1, 1], 2.0), TypeError, "n_groups must be an int, not float"),
    "a truth": (lambda c: group_sum(c, [0, 0, 0], True), TypeError, "n_groups must be an int, not bool"),
    "fewer than none": (lambda c: group_sum(c, [0, 1, 1], -1), ValueError, "n_groups must be at least 0"),
    "plain numbers": (lambda c: group_sum([1.0, 2.0, 3.0], [0, 1, 1], 2), TypeError, "numpy.bincount"),
    "no rows": (lambda c: group_sum(c[0], [0], 1), ValueError, r"c.reshape\(1\)"),
    "too many groups": (lambda c: group_sum(c, [0, 1, 1], 1 << 50), BatchTooLargeError, "more memory than there is"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_h41_what_groups_cannot_be(keypair: Keypair, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, error, message = REFUSED[case]
    c = keypair[0].encrypt([1, 2, 3])
    monkeypatch.setattr("vecphe.array.groups.group_products", None)  # nothing is computed
    with pytest.raises(error, match=message):
        call(c)


@pytest.mark.parametrize("labels", [["b", "a", "b"], np.array(["2026-02", "2026-01", "2026-02"], "M8[D]"), [1j, 0, 1j]])
def test_h41_what_is_told_to_write_for_other_labels_works(keypair: Keypair, labels: Any) -> None:
    c = keypair[0].encrypt([1, 2, 4])
    with pytest.raises(TypeError, match="group_sum: labels has dtype") as caught:
        group_sum(c, labels, 2)
    assert "encrypt" not in str(caught.value)
    told = str(caught.value).rpartition(" are ")[2]
    assert keypair[1].decrypt(group_sum(c, eval(told, {"numpy": np, "labels": labels}), 2)).tolist() == [2, 5]


def test_h72_no_label_shows_in_an_error(public_key: PublicKey) -> None:
    c = public_key.encrypt([1, 2, 3])
    for labels in ([0, 987654, 1], ["a", "987654", "b"], [0.5, 987654.0, 1.0]):
        with pytest.raises((ValueError, TypeError)) as caught:
            group_sum(c, labels, 2)
        assert "987654" not in str(caught.value)


def test_h22_without_rows_or_groups(keypair: Keypair) -> None:
    public_key, private_key = keypair
    assert private_key.decrypt(group_sum(public_key.encrypt([]), [], 3)).tolist() == [0.0] * 3
    assert private_key.decrypt(group_sum(public_key.encrypt(np.zeros((0, 2))), [], 2)).tolist() == [[0.0, 0.0]] * 2
    assert group_sum(public_key.encrypt(np.zeros((3, 0))), [0, 1, 1], 2).shape == (2, 0)
    assert group_sum(public_key.encrypt(np.zeros((3, 0)), packed="rows"), [0, 1, 1], 2).shape == (2, 0)
    assert group_sum(public_key.encrypt(np.zeros((0, 2))), [], 0).shape == (0, 2)


def test_h21_the_bound_is_that_of_the_largest_group(keypair: Keypair) -> None:
    c = keypair[0].encrypt([1, 2, 3, 4, 5])
    grouped = group_sum(c, [1, 1, 3, 1, 0], 5)
    assert (grouped.bound, grouped.terms) == (3 * c.bound, 3)
    again = group_sum(grouped, [0, 0, 1, 1, 0], 2)
    assert (again.bound, again.terms) == (9 * c.bound, 9)
    scaled = group_sum(c * 0.25, [0, 0, 0, 0, 1], 2)
    assert keypair[1].decrypt(scaled).tolist() == [2.5, 1.25]


@pytest.mark.parametrize(
    ("shape", "packed", "groups", "count"),
    [
        *(((3,), False, 5, 5), ((3,), False, 0, 0), ((3, 2), False, 5, 10), ((3, 0), False, 5, 5)),
        *(((3, 2), "rows", 5, 5), ((3, 0), "rows", 5, 5), ((3, 14), True, 5, 10)),
    ],
)
def test_h61_room_for_all_groups_is_asked_for_first(
    public_key: PublicKey, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], packed: Any, groups: int, count: int
) -> None:
    """One ciphertext each at least: as many sizes of groups stand in memory."""
    c = public_key.encrypt(np.ones(shape), packed=packed)
    asked: list[int] = []
    monkeypatch.setattr("vecphe.array.groups.check_room", lambda ring, count: asked.append(count))
    with pytest.raises((TypeError, ValueError)):
        group_sum(c, "no labels", groups)  # type: ignore[arg-type]
    assert asked == [count]


def test_h25_exactly_max_terms_rows_a_group(keypair: Keypair) -> None:
    """At the largest magnitudes; with one more nothing is computed, and the encoding that the error names is right."""
    public_key, private_key = keypair
    x = np.array([[8.0, -8.0]] * 4)
    c = public_key.encrypt(x, packed="rows", encoding=PAIRS)
    assert (c.layout.slots, c.n_ciphertexts) == (2, 4)
    assert private_key.decrypt(group_sum(c, [0, 0, 1, 0], 2)).tolist() == [[24.0, -24.0], [8.0, -8.0]]
    with pytest.raises(PlaintextOverflowError, match="max_terms") as caught:
        group_sum(c, [1, 1, 1, 1], 2)
    wider = eval(re.search(r"FixedPoint\(.*\)", str(caught.value)).group(), {"FixedPoint": FixedPoint})  # type: ignore[union-attr]
    wide = public_key.encrypt(x, packed="rows", encoding=wider)
    assert private_key.decrypt(group_sum(wide, [1, 1, 1, 1], 2)).tolist() == [[0.0, 0.0], [32.0, -32.0]]


def test_h21_unpacked_sums_beyond_the_range(keypair: Keypair) -> None:
    n = keypair[0].n
    c = keypair[0].encrypt([1, -1, 1], encoding=FixedPoint(0, (n // 3 - 1) // 2, 1))
    assert keypair[1].decrypt(group_sum(c, [0, 1, 1], 2)).tolist() == [1, 0]
    with pytest.raises(PlaintextOverflowError, match="plaintext's range"):
        group_sum(c, [1, 1, 1], 2)


def test_rows_that_fill_whole_ciphertexts_need_no_packing_of_their_own(keypair: Keypair) -> None:
    """Also where a row takes several."""
    public_key, private_key = keypair
    slots = public_key.encrypt([1.0], packed=True).layout.slots
    x = np.arange(3.0 * 2 * slots).reshape(3, 2 * slots)
    c = public_key.encrypt(x, packed=True)
    assert private_key.decrypt(group_sum(c, [1, 1, 0], 3)).tolist() == sums(x, [1, 1, 0], 3).tolist()


@pytest.mark.parametrize("shape", [(6,), (3, 2), (2, 3)])
def test_packed_rows_that_share_a_ciphertext_are_refused(public_key: PublicKey, shape: tuple[int, ...]) -> None:
    c = public_key.encrypt(np.ones(shape), packed=True)
    with pytest.raises(PackedOperationError, match="encrypt with packed='rows', or packed=False"):
        group_sum(c, [0] * shape[0], 1)
    with pytest.raises(PackedOperationError, match="more than one row"):
        group_sum(public_key.encrypt(np.ones((3, 2)), packed="rows").reshape(6), [0] * 6, 1)


@pytest.mark.parametrize(
    ("rows", "groups", "expected"),
    [
        (128, 2, [(128, 128)]),  # parts of the rows, none so small that adding up parts costs more than it saves
        (300, 2, [(300, 128)]),
        (300, 1, [(300, 100)]),
        (127, 2, [(2, 2)]),  # ranges of the groups
        (60, 30, [(30, 50)]),
        (240, 30, [(30, 13)]),
        (1, 30, [(30, 3000)]),
        (0, 30, [(30, 3000)]),
    ],
)
def test_what_grouped_sums_are_cut_into(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch, rows: int, groups: int, expected: list[tuple[int, int]]
) -> None:
    public_key, private_key = keypair
    engine = public_key._context.engine
    monkeypatch.setattr(engine, "tuning", replace(engine.tuning, multiply_task=100))
    calls = []

    def recorded(context: Any, function: Any, cut: Any, count: int, **options: Any) -> Any:
        assert options["whole"]
        assert not options["carry"]
        calls.append((count, options["least"]))
        return map_chunks(context, function, cut, count, **options)

    monkeypatch.setattr("vecphe.array.powers.map_chunks", recorded)
    labels = np.arange(rows) ** 2 % groups
    c = public_key.encrypt(np.arange(8))[np.arange(rows) % 8]
    result = group_sum(c, labels, groups, n_jobs=2)
    assert private_key.decrypt(result).tolist() == sums(np.arange(rows) % 8, labels, groups).tolist()
    assert calls == expected


# Rows of their own ------------------------------------------------------------------------------------------------


def test_packed_rows_are_arrays_like_others(keypair: Keypair) -> None:
    public_key, private_key = keypair
    x = np.arange(12.0).reshape(3, 2, 2)
    c = public_key.encrypt(x, packed="rows")
    assert c.packed
    assert c.n_ciphertexts == 3
    assert private_key.decrypt((c + c) * 0.5 - 1).tolist() == (x - 1).tolist()
    back = vecphe.EncryptedArray.from_bytes(public_key, c.to_bytes())
    assert back.layout == c.layout
    assert private_key.decrypt(group_sum(back, [0, 0, 1], 2)).tolist() == sums(x, [0, 0, 1], 2).tolist()
    same = public_key.from_ciphertexts(c.ciphertexts(), shape=c.shape, packed="rows")
    assert same.layout == c.layout
    assert private_key.decrypt(same).tolist() == x.tolist()
    with pytest.raises(LayoutMismatchError, match="different slot layouts"):
        c + public_key.encrypt(x, packed=True)


def test_h24_a_row_that_fits_exactly_and_one_value_more(keypair: Keypair) -> None:
    public_key, private_key = keypair
    slots = public_key.encrypt([1.0], packed=True).layout.slots
    c = public_key.encrypt(np.ones((2, slots)), packed="rows")
    assert c.n_ciphertexts == 2
    assert private_key.decrypt(c).tolist() == np.ones((2, slots)).tolist()
    with pytest.raises(LayoutMismatchError, match=f"a row of {slots + 1} values does not fit the {slots} slots"):
        public_key.encrypt(np.ones((2, slots + 1)), packed="rows")


def test_what_packed_cannot_be(public_key: PublicKey) -> None:
    for packed in ("row", "columns", ""):
        with pytest.raises(ValueError, match="packed must be True, False or 'rows'"):
            public_key.encrypt([[1.0]], packed=packed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not a single number"):
        public_key.encrypt(1.0, packed="rows")
    assert public_key.encrypt([1.0, 2.0], packed="rows").n_ciphertexts == 2


# Randomizers ------------------------------------------------------------------------------------------------------


def test_h39_a_sum_of_fresh_rows_is_fresh_unless_a_group_is_empty(public_key: PublicKey) -> None:
    c = public_key.encrypt([1.0, 2.0, 3.0])
    assert group_sum(c, [0, 1, 1], 2).is_fresh
    empty = group_sum(c, [0, 2, 2], 3)
    assert not empty.is_fresh
    assert 1 not in empty.ciphertexts()
    assert empty.ciphertexts(rerandomize=False)[1] == 1  # a control: it is the bare 1 inside
    for labels, groups in (([0, 1, 1], 3), ([1, 2, 2], 3), ([0, 0, 0], 2)):  # the last groups, or the first
        empty = group_sum(public_key.encrypt([1.0, 2.0, 3.0]), labels, groups)
        assert not empty.is_fresh
        assert 1 not in empty.ciphertexts()


def test_h39_one_that_shares_its_randomizers_with_what_has_left_is_not(public_key: PublicKey) -> None:
    c = public_key.encrypt([1.0, 2.0, 3.0])
    alone = group_sum(c, [0, 1, 2], 3)
    sent = c.ciphertexts()
    assert not alone.is_fresh
    assert set(sent).isdisjoint(alone.ciphertexts())
