"""What products and powers of residues cost, and what they are cut into; that they are right, the operators show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from tests.engines import kinds_of_engines

from vecphe import EncryptedArray, PrivateKey, PublicKey, group_sum
from vecphe.array import powers
from vecphe.system.parallel import map_chunks

Keypair = tuple[PublicKey, PrivateKey]


class Counter:
    """How many residues the operations of a ring take, by name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ring: Any) -> None:
        self._ring, self.counts = ring, dict[str, int]()
        for name in ("take", "invert", "power_vartime"):
            monkeypatch.setitem(vars(ring), name, self._counted(name, getattr(ring, name)))

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(batch: Any, *rest: Any) -> Any:
            result = function(batch, *rest)
            self.counts[name] = self.counts.get(name, 0) + self._ring.size(result)
            return result

        return counted


def cost(monkeypatch: pytest.MonkeyPatch, c: EncryptedArray, operation: Callable[[EncryptedArray], Any]) -> Any:
    with monkeypatch.context() as patched:
        counter = Counter(patched, c._ring)
        return operation(c), counter.counts


@pytest.mark.parametrize(
    ("factors", "inverses", "powers"),
    [
        *(([3, 1, 2], 0, 3), ([3, 0, 0], 0, 1), ([3, -1, 2], 1, 3), ([-3, -1, -2], 3, 3), ([-3, 0, 5], 1, 2)),
        ([0, 0, 0], 0, 0),
    ],
)
def test_zeros_cost_no_power_and_positive_factors_no_inverse(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch, factors: list[int], inverses: int, powers: int
) -> None:
    x = np.array([5, -7, 11])
    product, counts = cost(monkeypatch, keypair[0].encrypt(x), lambda c: c * factors)
    assert (counts.get("invert", 0), counts.get("power_vartime", 0)) == (inverses, powers)
    assert keypair[1].decrypt(product).tolist() == (x * factors).tolist()


@pytest.mark.parametrize(
    ("matrix", "inverses"),
    [([[1, 2, 3]], 0), ([[1, 2, 0], [0, 0, 0]], 0), ([[1, -2, 3]], 1), ([[0, 0, 0], [1, 0, -1]], 2)],
)
def test_matrices_without_negative_entries_cost_no_inverse(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch, matrix: list[list[int]], inverses: int
) -> None:
    x = np.array([5, -7, 11])
    product, counts = cost(monkeypatch, keypair[0].encrypt(x), lambda c: np.array(matrix) @ c)
    assert counts.get("invert", 0) == inverses
    assert keypair[1].decrypt(product).tolist() == (np.array(matrix) @ x).tolist()


@pytest.mark.parametrize("engine", kinds_of_engines())
def test_a_sparse_product_on_every_engine(keypair: Keypair, engine: str) -> None:
    public_key = PublicKey(keypair[0].n, insecure=True, engine=engine)
    x = np.arange(6).reshape(3, 2) - 2
    for dense in ([[2, 0, -1], [0, 0, 0], [1, 1, 1], [0, 3, 0]], [[0, 0, 0]], [[1, -1, 4]]):
        product = sp.csr_array(np.array(dense)) @ public_key.encrypt(x)
        assert keypair[1].decrypt(product).tolist() == (np.array(dense) @ x).tolist()


@pytest.mark.parametrize("product", [np.matmul, np.dot, np.inner])
def test_numpys_products_by_a_sparse_matrix_cost_its_entries(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch, product: Callable[..., Any]
) -> None:
    x = np.array([5, -7, 11])
    matrix = sp.csr_array(np.array([[2, 0, 0], [0, 0, 3]]))
    result, counts = cost(monkeypatch, keypair[0].encrypt(x), lambda c: product(matrix, c))
    assert counts["power_vartime"] == 2
    assert keypair[1].decrypt(result).tolist() == [10, 33]


def test_h61_a_grouped_sum_by_one_worker_copies_no_ciphertexts(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by parts of the rows nor by ranges of the groups."""
    x = np.arange(70)
    for labels, groups in ((np.zeros(70, dtype=int), 1), (np.arange(70) % 5, 5)):
        total, counts = cost(monkeypatch, keypair[0].encrypt(x), lambda c, a=labels, g=groups: group_sum(c, a, g))
        assert counts == {}
        assert keypair[1].decrypt(total).tolist() == np.bincount(labels, x).tolist()


@pytest.mark.parametrize(
    ("most", "length", "width", "calls"),
    [
        *((6, 1, 1, [6, 1]), (6, 2, 1, [3, 3, 1]), (6, 2, 2, [1] * 7), (6, 3, 2, [1] * 7), (6, 7, 1, [1] * 7)),
        *((1 << 14, 1, 1, [7]), (1 << 14, 8, 8, [7])),
    ],
)
def test_how_many_powers_of_a_sparse_product_stand_in_memory_at_once(
    keypair: Keypair, monkeypatch: pytest.MonkeyPatch, most: int, length: int, width: int, calls: list[int]
) -> None:
    matrix, x = np.zeros((8, 9), dtype=int), np.arange(9 * width).reshape(9, width) + 1
    matrix[1:, :length] = 2
    powered, counts = powers.elementwise_power, []

    def recorded(context: Any, batch: Any, exponents: list[int]) -> Any:
        counts.append(len(exponents))
        return powered(context, batch, exponents)

    monkeypatch.setattr(powers, "elementwise_power", recorded)
    if most != 1 << 14:  # which is what there is
        monkeypatch.setattr(powers, "_MOST_POWERS", most)
    product = sp.csr_array(matrix) @ keypair[0].encrypt(x)
    assert counts == [rows * length * width for rows in calls]
    assert keypair[1].decrypt(product).tolist() == (matrix @ x).tolist()


CUTS: dict[str, tuple[Callable[[Any], Any], int, int, bool]] = {
    "powers": (lambda c: c * [1, -2, 7, 4], 4, 34, False),  # three bits each
    "short powers": (lambda c: c * [1, 1, 1, 1], 4, 100, False),
    "powers that pay for their way": (lambda c: c * [1, 1, -8, 1], 4, 25, True),
    "one power": (lambda c: c[:1] * [1], 1, 100, False),
    "powers of 0": (lambda c: c * [0, 0, 0, 0], 4, 400, False),
    "no powers": (lambda c: c[:0] * 2, 0, 1, False),
    "long powers": (lambda c: c * [2**200, 1, 1, 1], 4, 1, True),
    "entries of all sizes": (lambda c: np.diag([1, 1, 1 << 28, 1]) @ c, 4, 4, True),
    "a product by no rows": (lambda c: np.zeros((0, 4), dtype=int) @ c.reshape(4, 1), 4, 400, False),
    "a product of no columns": (lambda c: np.ones((5, 0), dtype=int) @ c[:0], 5, 500, False),
}


@pytest.mark.parametrize("case", CUTS)
def test_what_powers_are_cut_into(keypair: Keypair, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    public_key, private_key = keypair
    operation, *expected = CUTS[case]
    engine = public_key._context.engine
    monkeypatch.setattr(engine, "tuning", replace(engine.tuning, multiply_task=100, carry_products=4))
    calls: list[Any] = []

    def recorded(context: Any, function: Any, cut: Any, count: int, **options: Any) -> Any:
        assert options["whole"]
        calls.append([count, options["least"], options["carry"]])
        return map_chunks(context, function, cut, count, **options)

    monkeypatch.setattr(powers, "map_chunks", recorded)
    x = np.array([3, -4, 5, 6])
    assert private_key.decrypt(operation(public_key.encrypt(x))).tolist() == operation(x.astype(object)).tolist()
    assert calls == [expected]


@pytest.mark.parametrize(("products", "carry"), [(0, True), (1, True), (2, False)])
def test_grouped_sums_go_to_processes_where_a_product_pays_for_its_way(
    public_key: PublicKey, monkeypatch: pytest.MonkeyPatch, products: int, carry: bool
) -> None:
    engine, seen = public_key._context.engine, []
    monkeypatch.setattr(engine, "tuning", replace(engine.tuning, carry_products=products))

    def recorded(*arguments: Any, **options: Any) -> Any:
        seen.append(options["carry"])
        return map_chunks(*arguments, **options)

    monkeypatch.setattr(powers, "map_chunks", recorded)
    c = public_key.encrypt(np.arange(3))
    group_sum(c, [0, 1, 1], 2)
    group_sum(c[np.zeros(64, dtype=int)], np.zeros(64, dtype=int), 1)
    assert seen == [carry, carry]
