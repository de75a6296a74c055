"""`vecphe run` over Flower, without Flower: what is refused, and what becomes of the result."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from vecphe.cli.comparison import load_shards
from vecphe.federated import ProtocolResult
from vecphe.federated.clock import PHASES
from vecphe.plaintext.encoding import FixedPoint

over_flower: Any = pytest.importorskip("vecphe.cli.over_flower", reason="needs cryptography 47", exc_type=ImportError)

PLAIN: dict[str, Any] = {
    "scale": "none", "l2": 0.0, "tol": None, "encoding": None, "max_abs": None, "max_terms": None, "key_length": 256,
    "insecure": True, "n_iter": 2, "eta": 0.5,
}  # fmt: skip


@pytest.fixture
def flower(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Flower look as if it was installed."""
    genuine = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: object() if name == "flwr" else genuine(name, *rest)
    )


def made(
    topology: str = "ring", own_data: bool = False, other: bool = False, task: str | None = None, **changes: Any
) -> Any:
    shards = load_shards([], None, 3, 43, print)
    facts = {"data": "diabetes", "seed": 43}
    return over_flower.FlowerComparison(topology, own_data, other, shards, "naive", facts, task, **{**PLAIN, **changes})


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"own_data": True}, "--data"),
        ({"own_data": True, "task": "regression", "l2": 0.5}, "--data"),
        ({"task": "regression"}, "--task"),
        ({"task": "regression", "tol": 0.0}, "--tol"),
        ({"scale": "federated", "l2": 0.5}, "--scale"),
        ({"l2": 0.5, "tol": 1.0}, "--l2"),
        ({"tol": 0.0}, "--tol"),
        ({"encoding": FixedPoint(20)}, "--fraction-bits"),
        ({"max_abs": 8.0, "max_terms": 5}, "--max-abs"),
        ({"max_terms": 5}, "--max-terms"),
    ],
)
def test_what_the_nodes_do_not_do_is_refused(flower: None, asked: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match="Flower") as caught:
        made(**asked)
    assert str(caught.value) == (
        f"over Flower vecphe run trains a linear model on the diabetes data, without {what}; docs/flower.md says how "
        "an app of your own is made"
    )


def test_another_backend_and_a_missing_flower_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="backend") as caught:
        made(other=True, own_data=True)
    assert str(caught.value) == "over Flower arrays are packed: leave out --backend naive"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "flwr" else object())
    with pytest.raises(ValueError, match="Flower") as caught:
        made()
    assert str(caught.value) == '--over flower needs Flower, which is not installed: pip install "vecphe[flower]"'


@pytest.mark.parametrize("topology", ["ring", "star"])
def test_a_run_is_a_comparison_of_one(flower: None, monkeypatch: pytest.MonkeyPatch, topology: str) -> None:
    whole = made(topology)
    weights = np.arange(22.0).reshape(2, 11)
    found = ProtocolResult([1.0] * 3, np.tile(weights[-1], (3, 1)), weights, 2, dict.fromkeys(PHASES, 1.0))
    calls: list[Any] = []

    def learning(*args: Any) -> Any:
        args[-1](2)
        calls.append(args[:-1])
        return found, {"messages": 7, "seconds_of_rounds": [1.5]}

    @contextmanager
    def watching(name: str, rounds: int) -> Iterator[Any]:
        yield lambda number: calls.append((name, rounds, number))

    monkeypatch.setattr(over_flower, "flower_learning", learning)
    assert whole.backends == ["packed"]
    whole.run(watching)
    job = over_flower.Job(3, 43, 0.5)
    assert calls == [("packed", 2, 2), (job, ("Hospital 1", "Hospital 2", "Hospital 3"), whole.config, topology)]
    assert whole.facts == {
        "data": "diabetes", "seed": 43, "transport": "flower", "topology": topology, "messages": 7,
        "seconds_of_rounds": [1.5],
    }  # fmt: skip
    assert list(whole.results) == ["packed"]
    assert len(whole.results["packed"].scalings) == 3
    form = whole.longest.linear(2)
    assert form.coefficients.tolist() == weights[-1][:10].tolist()
    assert form.scores(np.zeros((1, 10))).tolist() == [21.0]


def test_starting_the_nodes_takes_time(flower: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecphe.cli.comparison.rough_seconds", lambda *_: (3.0, 2.0))
    monkeypatch.setattr("vecphe.cli.comparison.learning_seconds", lambda *_: (0.0, 0.0))
    assert made().estimates() == {"in the clear": 0.0, "packed": 3.0 + 2 * 2.0 + 40.0}
