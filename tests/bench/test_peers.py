"""Other libraries in the table: interleaved with ours, checked, and told of where they have no row."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from vecphe.bench import peers, runner, sides
from vecphe.bench.environment import Environment
from vecphe.bench.matrix import Matrix
from vecphe.bench.records import Case
from vecphe.bench.runner import Runner
from vecphe.bench.sides import Side
from vecphe.bench.workloads import gradients
from vecphe.errors import BenchmarkError


def plain(slots: int = 1, wrong: float = 0.0, **changes: Any) -> Any:
    """A library that encrypts nothing."""
    return SimpleNamespace(
        encrypt=list,
        add=lambda a, b: [x + y for x, y in zip(a, b, strict=True)],
        decrypt=lambda total: [x + wrong for x in total],
        error=1e-9,
        nbytes=lambda total: 100 * len(total),
        slots=slots,
        **changes,
    )


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stand-ins of two libraries, of which one takes no short keys; the lengths that they made keys of."""
    asked: list[int] = []

    def long_only(key_length: int) -> Any:
        asked.append(key_length)
        if key_length < 1024:
            raise peers.UnfitError("pypaillier takes keys of 1024 bits and more")
        return plain()

    made = {"pypaillier": (long_only, "json", "numpy"), "tenseal": (lambda _: plain(slots=3), "json", "gmpy2")}
    monkeypatch.setattr(peers, "_LIBRARIES", {**peers._LIBRARIES, **made})
    return asked


def test_each_library_has_a_row_and_is_measured_in_turn(two: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    run = Side.run
    monkeypatch.setattr(Side, "run", lambda side, vectors: order.append(side.name) or run(side, vectors))
    monkeypatch.setattr(runner, "_MOST_ROUNDS", 1)
    matrix = Matrix.quick(
        key_lengths=(1024,), clients=(3,), values=(4,), backends=("packed",), peers=("phe", "pypaillier", "tenseal")
    )
    measuring = Runner(matrix)
    measuring.calibrate(lambda text, seconds: None)
    order.clear()
    found = measuring.run(lambda text, seconds: None)
    names = ["naive", "packed", "pypaillier", "tenseal"]
    assert [record.backend for record in found.records] == names
    assert order[:4] == order[4:8] == names
    assert len({record.n_samples for record in found.records}) == 1
    by_name = {record.backend: record for record in found.records}
    assert by_name["tenseal"].ciphertexts == 2
    assert by_name["pypaillier"].bytes_per_value == 100
    assert by_name["pypaillier"].speed_up is not None
    assert by_name["pypaillier"].reference == by_name["naive"].samples["round"]
    e = by_name["tenseal"].environment
    assert (e.engine, e.target) == ("gmpy2", importlib.metadata.version("gmpy2"))
    assert by_name["packed"].environment == Environment.current()


def test_a_library_without_a_row_is_told_of(two: list[int]) -> None:
    matrix = Matrix.quick(
        key_lengths=(512, 1024), clients=(3,), values=(4,), backends=("packed",), peers=("pypaillier",), repeats=2
    )
    measuring = Runner(matrix)
    measuring.calibrate(lambda text, seconds: None)
    found = measuring.run(lambda text, seconds: None)
    assert "pypaillier takes keys of 1024 bits and more: it has no row at 512" in found.warnings
    rows = [("packed", 512), ("packed", 1024), ("pypaillier", 1024)]
    assert [(record.backend, record.case.key_length) for record in found.records] == rows
    assert found.complete
    assert two == [512, 1024]


def test_a_wrong_sum_of_a_library_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "make_peer", lambda name, key_length: plain(wrong=1e-7))
    with pytest.raises(BenchmarkError, match="the lightphe backend decrypted a wrong sum"):
        Side("lightphe", 1024, 3).run(gradients(3, 4))
    monkeypatch.setattr(sides, "make_peer", lambda name, key_length: plain(wrong=5e-9))
    assert Side("lightphe", 1024, 3).run(gradients(3, 4)).total.nbytes == 400


def test_slow_libraries_are_capped_and_those_that_pack_are_not(two: list[int]) -> None:
    matrix = Matrix(
        key_lengths=(1024,), clients=(3,), values=(5000,), peers=("pypaillier", "tenseal"), naive_seconds=1e-9
    )
    shapes = {plan.side.name: plan.vectors.shape for plan in Runner(matrix)._plan(Case(1024, 3, 5000))}
    assert shapes == {
        "naive": (3, 1), "vectorized": (3, 5000), "packed": (3, 5000), "pypaillier": (3, 1), "tenseal": (3, 5000)
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in peers.PEERS if name != "phe"])
def test_what_is_installed_sums_right(name: str) -> None:
    if peers.missing(name):
        pytest.skip(f"{name} NOT TESTED: {peers.missing(name)}")
    if name == "pypaillier":
        assert "paillier" in sys.modules or importlib.import_module("paillier")
        with pytest.raises(peers.UnfitError, match="pypaillier takes keys of 2048 bits and more"):
            Side(name, 1024, 3)
        return  # its safe primes take half a minute
    assert Side(name, 1024, 3).run(gradients(3, 2)).total.n_ciphertexts in (1, 2)
