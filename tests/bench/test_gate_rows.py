"""The rows that the gate times: a wrong result, or a reference that is not there, is no speed."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from vecphe.bench import ratio_rows, user_rows
from vecphe.bench.baseline import Baseline, EngineRows, Speed, save_baseline
from vecphe.bench.count_rows import COUNT_ROWS, Material
from vecphe.bench.gate import check_baseline, updated_baseline
from vecphe.bench.ratio_rows import RATIO_ROWS, RatioRow, Sampler
from vecphe.bench.user_rows import Rows
from vecphe.errors import BenchmarkError, CorruptedAggregateError

needs_phe = pytest.mark.skipif(importlib.util.find_spec("phe") is None, reason="needs phe")
ROWS = [pytest.param(row, id=row.name, marks=[needs_phe] if "against phe" in row.name else []) for row in RATIO_ROWS]


@pytest.fixture(scope="module")
def material() -> Material:
    return Material(1024)


def break_engine(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products lose their second factor, and decryption turns the order around."""
    monkeypatch.setattr(type(material.engine.ring(material.n)), "multiply", lambda self, left, right: left)
    decryptor = type(material.private_key._decryptor)
    decrypt = decryptor.decrypt
    monkeypatch.setattr(decryptor, "decrypt", lambda self, *arguments: decrypt(self, *arguments)[::-1].copy())


@pytest.mark.parametrize("row", ROWS)
def test_a_wrong_result_has_no_speed(row: RatioRow, material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    row.make(lambda _: material)[0]()
    break_engine(material, monkeypatch)
    # The slots of the round notice before its sum is compared.
    with pytest.raises(CorruptedAggregateError if "round" in row.name else BenchmarkError):
        Sampler(partial(row.make, lambda _: material)).block()


TIMED = {
    "speed: product, 2048 bits": ("_gmp_products", 1.0),
    "speed: validate, 2048 bits": ("_gmp_products", 1.0),
    "speed: matmul, 1024 bits": ("_gmp_products", 1.0),
    "speed: encrypt packed, 1024 bits": ("_gmp_power", 2.0),
    "speed: encrypt packed, 1024 bits, against phe": ("_phe_encryption", 2.0),
    "speed: decrypt, 1024 bits": ("_gmp_power", 1.0),
    "speed: packed round, 1024 bits": ("_gmp_power", 2.0),
}


def test_what_is_timed_against_what() -> None:
    assert {row.name: (row.reference.__name__, row.slack) for row in RATIO_ROWS} == TIMED
    for row in RATIO_ROWS:
        assert f", {row.key_length} bits" in row.name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("speed: product, 2048 bits", {}),
        ("speed: validate, 2048 bits", {"ciphertexts": 64}),
        ("speed: matmul, 1024 bits", {"ciphertexts": 16}),
        ("speed: encrypt packed, 1024 bits", {"ciphertexts": 16}),
        ("speed: decrypt, 1024 bits", {"ciphertexts": 4}),
    ],
)
def test_how_much_is_timed(material: Material, name: str, expected: dict[str, int]) -> None:
    (row,) = [row for row in RATIO_ROWS if row.name == name]
    work, seen_of = row.workload(material)
    found = seen_of(result := work())
    assert {key: found[key] for key in found if key == "ciphertexts"} == expected
    if row.name.startswith("speed: product"):
        assert material.engine.ring(material.n).size(result) == 64


def test_the_timed_round_is_of_three_clients_with_short_tables(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    run, prepare = ratio_rows.Side.run, ratio_rows.Side.prepare
    monkeypatch.setattr(ratio_rows.Side, "run", lambda side, v: (calls.append(v.shape), run(side, v))[1])
    monkeypatch.setattr(ratio_rows.Side, "prepare", lambda side, *n: (calls.append(n), prepare(side, *n))[1])
    work, _ = ratio_rows._round(material)
    work()
    assert calls == [(30, 1), (3, 60)]


class Ticks:
    """Time that passes only while work is done."""

    now = 0.0

    def work(self, seconds: float) -> Any:
        def run() -> None:
            self.now += seconds

        return run


@pytest.mark.parametrize(
    ("ours", "theirs", "repeats", "pairs"),
    [
        (1e-4, 2e-4, [4, 2], 64),
        (1e-3, 1e-3, [1, 1], 64),
        (0.03, 0.0101, [1, 1], 49),  # two seconds
        (0.3, 0.1, [1, 1], 8),
        (1.7e-4, 1.5e-4, [2, 3], 64),
        (0.0, 4e-4, [400_000, 1], 64),
    ],
)
def test_how_often_the_sides_of_a_block_run(
    monkeypatch: pytest.MonkeyPatch, ours: float, theirs: float, repeats: list[int], pairs: int
) -> None:
    ticks = Ticks()
    monkeypatch.setattr(ratio_rows, "perf_counter", lambda: ticks.now)
    sampler = Sampler(lambda: (ticks.work(ours), ticks.work(theirs)))
    assert sampler._repeats == (repeats, pairs)
    assert sampler.slack == 1.0


def test_a_block_has_the_fastest_of_either_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which take turns in going first, after one run of each that is not timed."""
    ticks, order = Ticks(), []
    slow = {"a": [9.0, 3.0, 1.0, 2.0], "b": [9.0, 4.0, 5.0, 6.0]}

    def side(name: str) -> Any:
        def run() -> None:
            order.append(name)
            ticks.now += slow[name].pop(0)

        return run

    monkeypatch.setattr(ratio_rows, "perf_counter", lambda: ticks.now)
    sampler = Sampler(lambda: (side("a"), side("b")))
    sampler.__dict__["_repeats"] = ([1, 1], 3)
    block = sampler.block()
    assert (block.seconds, block.reference, block.speed) == (1.0, 4.0, 4.0)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"


def test_the_library_is_counted_and_timed_by_its_tables() -> None:
    rows = Rows.of_library()
    assert list(rows.counts) == list(COUNT_ROWS)
    assert rows.slack == {row.name: row.slack for row in RATIO_ROWS}
    assert rows.blocks.keys() == rows.slack.keys()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, material: Material) -> Path:
    """A baseline of two rows of either kind, one of which needs phe."""
    counted = {name: COUNT_ROWS[name] for name in ("add 256", "decrypt 64")}
    timed = [row for row in RATIO_ROWS if row.name == "speed: decrypt, 1024 bits" or "against phe" in row.name]
    monkeypatch.setattr(user_rows, "COUNT_ROWS", counted)
    monkeypatch.setattr(user_rows, "RATIO_ROWS", timed)
    monkeypatch.setattr(user_rows, "Material", lambda *_: material)
    speed = Speed(1e-9, 1e-9, 1.0, 1.0)
    counts: Any = {name: {} for name in counted}
    rows = EngineRows.measured(material.engine, counts, {row.name: speed for row in timed})
    path = tmp_path / "baseline.json"
    save_baseline(path, Baseline(material.engine.name, {material.engine.name: rows}))
    return path


def test_without_phe_its_row_fails_and_the_others_are_judged(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratio_rows, "naive_module", lambda: None)
    by_row = {finding.row: finding for finding in check_baseline(file, speeds_only=True).findings}
    assert "pip install phe" in by_row["speed: encrypt packed, 1024 bits, against phe"].text
    assert by_row["speed: encrypt packed, 1024 bits, against phe"].status == "failed"
    assert by_row["speed: decrypt, 1024 bits"].status != "failed"


def test_a_wrong_result_fails_its_row(file: Path, material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    decryptor = type(material.private_key._decryptor)
    decrypt = decryptor.decrypt
    monkeypatch.setattr(decryptor, "decrypt", lambda self, *arguments: decrypt(self, *arguments)[::-1].copy())
    by_row = {finding.row: finding for finding in check_baseline(file, counts_only=True).findings}
    assert by_row["decrypt 64"].status == "failed"
    assert "wrong result" in by_row["decrypt 64"].text
    with pytest.raises(BenchmarkError, match=r"(add 256|decrypt 64): decrypted to a wrong result"):
        updated_baseline(file, counts_only=True)
