"""The rows that the gate times: a wrong result, or a reference that is not there, is no speed."""

from __future__ import annotations

import importlib.util
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vecphe.bench import count_rows, ratio_rows, user_rows
from vecphe.bench.baseline import Baseline, EngineRows, Speed, save_baseline
from vecphe.bench.count_rows import CALLS, COUNT_ROWS, ON_ANY, ON_UNPACKED, Call, Material, Subject
from vecphe.bench.counts import counting
from vecphe.bench.gate import check_baseline, updated_baseline
from vecphe.bench.ratio_rows import RATIO_ROWS, RatioRow, Sampler
from vecphe.bench.user_rows import Rows
from vecphe.bench.workloads import integers
from vecphe.errors import BenchmarkError, CorruptedAggregateError
from vecphe.keys import PublicKey

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


# What stands on either side of a row


class Operand:
    """It keeps which products and remainders were asked for."""

    def __init__(self, name: str, asked: list[str]) -> None:
        self.name, self._asked = name, asked

    def __mul__(self, other: Any) -> Operand:
        return Operand(f"{self.name}*{other.name}", self._asked)

    def __mod__(self, modulus: Any) -> None:
        self._asked.append(f"{self.name} % {modulus}")


def test_32_products_modulo_n_squared(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(ratio_rows.gmpy2, "powmod", lambda base, e, modulus: Operand(f"{base}^{e} of {modulus}", asked))
    run = ratio_rows._gmp_products(SimpleNamespace(n=15))  # type: ignore[arg-type]
    assert run() is None
    names = [f"3^{10_000 + i} of 225" for i in range(33)]
    assert asked == [f"{x}*{y} % 225" for x, y in pairwise(names)]


def test_a_power_of_64_bits_and_an_encryption_of_a_loop(material: Material) -> None:
    power: Any = ratio_rows._gmp_power(material)
    n_squared = material.n**2
    assert power.args == (pow(3, 10_000, n_squared), 2**64 - 59, n_squared)
    assert power() == pow(3, 10_000 * (2**64 - 59), n_squared)
    assert power.args[1].bit_length() == 64


@needs_phe
def test_an_encryption_of_the_loop_is_under_the_same_key(material: Material) -> None:
    encryption: Any = ratio_rows._phe_encryption(material)
    assert encryption.func.__self__.n == material.n
    assert (encryption.args, encryption.keywords) == ((0.7071067811865476,), {})


def test_products_are_of_64_pairs_all_over_the_ring(material: Material) -> None:
    ring = material.engine.ring(material.n)
    rng, n_squared = np.random.default_rng(0), material.n**2
    numbers = [int.from_bytes(rng.bytes(256), "little") % n_squared for _ in range(128)]
    work, seen_of = ratio_rows._product(material)
    assert ring.store(work()) == [x * y % n_squared for x, y in zip(numbers[:64], numbers[64:], strict=True)]
    assert seen_of(work()) == {}
    with pytest.raises(BenchmarkError):
        seen_of(ring.load(numbers[:64]))


def named(name: str) -> RatioRow:
    return next(row for row in RATIO_ROWS if row.name == f"speed: {name}")


def test_a_matrix_of_16_rows_and_columns(material: Material) -> None:
    work, _ = named("matmul, 1024 bits").workload(material)
    with counting(material.engine) as counts:
        work()
    assert counts["ring.matrix_power_vartime"] == 256


def test_240_values_are_encrypted_with_tables_for_30(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[Any] = []
    prepare = PublicKey.prepare
    monkeypatch.setattr(PublicKey, "prepare", lambda key, *of: prepared.append(of) or prepare(key, *of))
    for name in ("encrypt packed, 1024 bits", "encrypt packed, 1024 bits, against phe"):
        work, _ = named(name).workload(material)
        assert prepared == [(30,)]
        result = work()
        assert (result.shape, result.packed) == ((240,), True)
        prepared.clear()


def test_the_timed_side_is_packed_under_a_key_of_that_length(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    init = ratio_rows.Side.__init__
    monkeypatch.setattr(ratio_rows.Side, "__init__", lambda side, *of: made.append(of) or init(side, *of))
    ratio_rows._round(material)
    assert made == [("packed", 1024, 3)]


def test_ours_is_checked_before_it_is_timed(material: Material) -> None:
    def seen_of(result: Any) -> Any:
        raise BenchmarkError(f"wrong: {result}")

    row = RatioRow("row", 1024, lambda m: (lambda: "ours", seen_of), lambda m: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(BenchmarkError, match="wrong: ours"):
        row.make(lambda length: material)
    asked: list[int] = []
    work, theirs = lambda: None, lambda: None
    row = RatioRow("row", 1025, lambda m: (work, lambda result: {}), lambda m: theirs)
    assert row.make(lambda length: asked.append(length) or material) == (work, theirs)
    assert asked == [1025]


# What users call


ERRORS = {
    **dict.fromkeys(("encrypt", "decrypt", "add", "add_plain", "serialise", "load", "sum", "validate"), 2.0**-40),
    "times_plain_scalar": 3 * 2.0**-41,
    "times_plain": 0,
    "times_plain_32": 0,
    "matmul": 1e-3,
}


def test_what_a_result_of_each_call_may_be_off_by(material: Material) -> None:
    subject = Subject((material.public_key, material.private_key), integers(3))
    assert {name: call(subject).error for name, call in CALLS.items()} == ERRORS
    assert ON_ANY.keys() | ON_UNPACKED.keys() == CALLS.keys()
    bits = {name: CALLS[name](subject).run.args[1] for name in ("times_plain", "times_plain_32")}  # type: ignore[attr-defined]
    assert [int(max(factors)).bit_length() for factors in bits.values()] == [53, 32]
    assert CALLS["matmul"](subject).run.args[0].shape == (4, 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize("expected", [0.0, 1e9, -1e9])
@pytest.mark.parametrize("error", [2.0**-10, None])
def test_both_sides_of_what_a_result_may_be_off_by(material: Material, expected: float, error: float | None) -> None:
    """2^-10, or 2^-40 if nothing else is said, and 1e-12 of what it should be."""
    subject = Subject((material.public_key, material.private_key), np.array([expected]))
    call = Call(lambda: None, subject.x) if error is None else Call(lambda: None, subject.x, error)
    allowed = (error or 2.0**-40) + 1e-12 * abs(expected)
    for sign in (1, -1):
        assert subject.check(subject.x + sign * allowed * 0.9999, call) == {"ciphertexts": 1}
        with pytest.raises(BenchmarkError) as told:
            subject.check(subject.x + sign * allowed * 1.0001, call)
        assert str(told.value) == "decrypted to a wrong result, so what it counted or took means nothing"


def test_the_primes_of_a_key_are_in_their_order(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = material.private_key.p, material.private_key.q
    asked: list[int] = []
    for pair in ((p, q), (q, p)):
        monkeypatch.setattr(count_rows, "random_prime_pair", lambda length, pair=pair: asked.append(length) or pair)
        made = Material()
        assert (made.n, made.private_key.p, made.private_key.q) == (p * q, min(p, q), max(p, q))
    assert asked == [2048] * 2


def test_a_key_without_tables_counts_none(material: Material) -> None:
    with pytest.raises(BenchmarkError):
        material.tables_of(material.fresh_key())
    nbytes = material.prepared_key.table_bytes
    assert nbytes > 0
    assert material.tables_of(material.prepared_key) == ({"table_bytes": nbytes} if material.engine.counts() else {})
    assert material.prepared_key is material.prepared_key


def test_tables_are_those_of_1000_encryptions(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(PublicKey, "prepare", lambda key, *of: asked.append(of))
    fresh = Material.__new__(Material)
    fresh.n, fresh.engine = material.n, material.engine
    assert fresh.prepared_key.n == material.n
    count_rows._tables(material)[0]()
    assert asked == [(1000,)] * 2


def test_counts_are_sorted_by_name(material: Material) -> None:
    found = count_rows.count(COUNT_ROWS["add 256"], lambda: material)
    assert list(found) == sorted(found)
    assert found["ciphertexts"] == 256
    row = lambda m: (lambda: None, lambda result: {"b": 1, "a": 2})  # noqa: E731
    assert list(count_rows.count(row, lambda: material).items()) == [("a", 2), ("b", 1)]


def test_a_call_is_given_out_once_its_result_was_right(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Subject((material.public_key, material.private_key), integers(3))
    run = subject.checked("add_plain")
    assert material.private_key.decrypt(run()).tolist() == [2 * int(value) for value in integers(3)]
    monkeypatch.setitem(CALLS, "wrong", lambda subject: Call(lambda: 2 * subject.x, subject.x))
    with pytest.raises(BenchmarkError):
        subject.checked("wrong")
