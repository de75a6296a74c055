"""Counts: equal on every run, and changed by what they are there to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import vecphe.arithmetic.gmp
import vecphe.randomness.randomizers
from vecphe.arithmetic import active_engine, available_engines, engine_named
from vecphe.bench.baseline import load_baseline
from vecphe.bench.count_rows import COUNT_ROWS, Call, Material, Subject, count
from vecphe.bench.counts import _METHODS, Counts, _counted_functions, counting
from vecphe.bench.environment import use_engine
from vecphe.bench.workloads import integers
from vecphe.errors import BenchmarkError
from vecphe.federated import PackedBackend

BASELINE = Path(__file__).parents[2] / "benchmarks" / "baseline.json"
ENGINES = [name for name, why_not in available_engines() if why_not is None]


@cache
def material(engine: str) -> Material:
    """One key for each engine: prime search and tables take longer than what is counted."""
    return Material()


def counts_of(name: str) -> Counts:
    return count(COUNT_ROWS[name], lambda: material(active_engine().name))


def expecting(m: Material, expected: Any) -> Callable[[Any], Counts]:
    """What checks a result that may be off by 1e-9."""
    subject = Subject((m.public_key, m.private_key), expected)
    return lambda result: subject.check(result, Call(lambda: None, expected, 1e-9))


@pytest.fixture(params=list(dict.fromkeys([active_engine().name, "gmp"])))
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    with use_engine(request.param):
        yield request.param


@pytest.mark.parametrize("name", list(COUNT_ROWS))
def test_counts_are_those_of_the_baseline(engine: str, name: str) -> None:
    """As `make gate` holds them: what is computed how often, window sizes, bytes on the wire."""
    rows = load_baseline(BASELINE).engines
    if engine not in rows:
        pytest.skip(f"{BASELINE} has no rows of {engine}")
    assert counts_of(name) == rows[engine].counts[name]


@pytest.mark.parametrize("name", ["encrypt 1000 packed", "decrypt 64"])
def test_counts_are_equal_on_every_run_and_for_every_key(engine: str, name: str) -> None:
    assert counts_of(name) == count(COUNT_ROWS[name], Material)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(COUNT_ROWS))
def test_all_counts_are_equal_five_times(engine: str, name: str) -> None:
    counts = [counts_of(name) for _ in range(5)]
    assert all(again == counts[0] for again in counts)


@pytest.mark.skipif("portable" not in ENGINES, reason="the native kernel was not built")
@pytest.mark.parametrize("name", ["matmul 16x64", "encrypt 1000 packed"])
def test_targets_of_the_kernel_do_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for engine in (engine for engine in ENGINES if engine not in ("gmp", "cuda")):
        monkeypatch.setattr(engine_named(engine), "tuning", engine_named("portable").tuning)
        with use_engine(engine):
            found[engine] = counts_of(name)
    for wide, narrow in (("ifma", "ifma256"), ("fma512", "fma256")):
        assert found.get(wide, found.get(narrow)) == found.get(narrow, found.get(wide))
    for counts in found.values():
        del counts["kernel.multiply_adds"]  # squares are cut into blocks of other sizes
    assert all(counts == found["portable"] for counts in found.values())


def test_a_doubled_validation_shows(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counts_of("validate 256")
    ring = type(engine_named(engine).ring(15))
    once = ring.all_units

    def twice(self: Any, batch: Any) -> bool:
        return once(self, batch) and once(self, batch)

    monkeypatch.setattr(ring, "all_units", twice)
    after = counts_of("validate 256")
    if engine == "gmp":  # the interface sees the same call
        assert after == {**before, "gmp.gcd": 2 * before["gmp.gcd"]}
    else:
        assert after["kernel.montgomeries"] > before["kernel.montgomeries"]
    monkeypatch.undo()

    keys = vecphe.keys.PublicKey

    def validating_twice(self: Any, ciphertexts: Any, **options: Any) -> Any:
        checked = list(ciphertexts)
        if not self._context.ring.all_units(self._context.ring.load(checked)):
            raise AssertionError
        return original(self, checked, **options)

    original = keys.from_ciphertexts
    monkeypatch.setattr(keys, "from_ciphertexts", validating_twice)
    assert counts_of("validate 256")["ring.all_units"] == 2 * before["ring.all_units"]


def test_a_smaller_window_shows(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counts_of("tables for 1000"), counts_of("encrypt 1000 packed")
    choose = vecphe.randomness.randomizers.choose_window
    monkeypatch.setattr(vecphe.randomness.randomizers, "choose_window", lambda *arguments: choose(*arguments) - 1)
    tables, encryptions = counts_of("tables for 1000"), counts_of("encrypt 1000 packed")
    assert tables["ring.fixed_base.entries"] < before[0]["ring.fixed_base.entries"]
    assert encryptions["fixed_base.power_secret.steps"] > before[1]["fixed_base.power_secret.steps"]
    if engine != "gmp":
        assert tables["table_bytes"] < before[0]["table_bytes"]
        assert encryptions["kernel.delayed"] != before[1]["kernel.delayed"]


def test_another_window_of_straus_shows_on_gmp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the interface does not see: only what GMP is asked for."""
    with use_engine("gmp"):
        before = counts_of("matmul 16x64")
        monkeypatch.setattr("vecphe.arithmetic.gmp._straus_window", lambda bits, rows: 8)
        after = counts_of("matmul 16x64")
    assert after["gmp.f_divmod"] > before["gmp.f_divmod"]
    assert {**after, "gmp.f_divmod": before["gmp.f_divmod"]} == before


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("add 256", {"f_divmod": 256}),  # one a product of pairs
        ("times plain 64", {"powmod": 64, "f_divmod": 64}),
        ("decrypt 64", {"powmod_sec": 128, "f_divmod": 128, "gcd": 1}),
        ("validate 256", {"gcd": 1, "f_divmod": 256}),
    ],
)
def test_what_gmp_is_asked_for_is_counted(name: str, calls: Counts) -> None:
    with use_engine("gmp"):
        counts = counts_of(name)
    assert {key.removeprefix("gmp."): n for key, n in counts.items() if key.startswith("gmp.")} == calls


def test_packing_switched_off_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "packed round, 5 clients, 1000 values"
    packed = counts_of(name)
    monkeypatch.setattr(PackedBackend, "packed", False)
    plain = counts_of(name)
    assert packed["ciphertexts"] < 40
    assert plain["ciphertexts"] == 1000
    frames = [counts["wire_bytes"] - 512 * counts["ciphertexts"] for counts in (packed, plain)]
    assert all(0 < frame <= 128 + 8 for frame in frames)  # what docs/format.md puts around the ciphertexts


def test_what_is_patched_is_put_back() -> None:
    ring = active_engine().ring(15)
    before = {name: value for name, value in vars(type(ring)).items() if callable(value)}
    calls = vars(vecphe.arithmetic.gmp).copy()
    with pytest.raises(ZeroDivisionError), counting(active_engine()):
        _ = 1 / 0
    assert {name: value for name, value in vars(type(ring)).items() if callable(value)} == before
    assert vars(vecphe.arithmetic.gmp) == calls


def test_only_the_block_is_counted() -> None:
    key = material(active_engine().name).public_key
    array = key.encrypt(integers(3))
    with counting(active_engine()) as counts:
        array + array
    assert counts["ring.multiply"] == 3
    with counting(active_engine()) as nothing:
        pass
    assert nothing == {}


def test_what_is_seen_of_a_result_is_checked() -> None:
    m = material(active_engine().name)
    sevens = np.full(3, 7)
    array, seen_of = m.public_key.encrypt(sevens), expecting(m, sevens)
    data = array.to_bytes()
    assert seen_of(array) == seen_of(sevens) == seen_of(sevens + 5e-10) == {"ciphertexts": 3}
    assert seen_of(data) == {"ciphertexts": 3, "wire_bytes": len(data)}
    for wrong in (array + 1, array[:1], (array + 1).to_bytes(), sevens - 1, sevens[:1], sevens + 2e-9):
        with pytest.raises(BenchmarkError, match="decrypted to a wrong result"):
            seen_of(wrong)


def test_a_wrong_result_has_no_counts() -> None:
    m = material(active_engine().name)
    array = m.public_key.encrypt(integers(3))
    with pytest.raises(BenchmarkError, match="decrypted to a wrong result"):
        count(lambda _: (lambda: array + array, expecting(m, integers(3))), lambda: m)


@pytest.mark.parametrize(
    ("expected", "result", "right"),
    [
        ([1.0, 2.0], np.array([1.0, 2.0 + 0.9e-9]), True),
        ([1.0, 2.0], np.array([1.0, 2.0 + 1.1e-9]), False),
        ([1.0, -2.0], np.array([1.0, 2.0]), False),
        ([1.0, 2.0], np.array([1.0, 2.0, 3.0]), False),
        ([[1.0], [2.0]], np.array([1.0, 2.0]), False),
        (3, np.int64(3), True),
        (3, np.int64(4), False),
    ],
)
def test_what_is_counted_has_to_be_right(expected: Any, result: Any, right: bool) -> None:
    seen_of = expecting(material(active_engine().name), np.array(expected))
    if right:
        assert seen_of(result) == {"ciphertexts": np.size(expected)}
    else:
        with pytest.raises(BenchmarkError, match="a wrong result"):
            seen_of(result)


SEVEN = SimpleNamespace(size=lambda batch: {"result": 5, "batch": 7}[batch])


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        *((f"ring.{name}", (SEVEN, "batch"), {"": 5}) for name in ("load", "load_bytes", "multiply", "multiply_plain")),
        *((f"ring.{name}", (SEVEN, "batch"), {"": 7}) for name in ("store", "all_units", "product", "invert")),
        ("ring.store_bytes", (SEVEN, "batch", "more"), {"": 7}),
        ("ring.power_vartime", (SEVEN, "batch", [1, 7, 8]), {"": 7, ".bits": 1 + 3 + 4}),
        ("ring.power_secret", (SEVEN, "batch", np.zeros((3, 2))), {"": 7, ".bits": 64 * 6}),
        ("ring.matrix_power_vartime", (SEVEN, [[1, 2], [4, 8], [16, 0]], "batch"), {"": 3 * 7, ".bits": 3 + 7 + 5}),
        ("ring.fixed_base", (SEVEN, 3, 30, 6), {"": 1, ".entries": 5 * 64}),
        ("ring.fixed_base", (SEVEN, 3, 31, 6), {"": 1, ".entries": 6 * 64}),
        ("fixed_base.power_secret", (SimpleNamespace(bits=30, window=6), [1, 2]), {"": 2, ".steps": 10}),
        ("fixed_base.power_secret", (SimpleNamespace(bits=31, window=6), [1, 2]), {"": 2, ".steps": 12}),
        ("decryptor.decrypt", ("decryptor", SEVEN, "batch", 0), {"": 7}),
    ],
)
def test_what_a_call_counts(method: str, arguments: Any, expected: Counts) -> None:
    owner, name = method.split(".")
    assert _METHODS[owner][name]("result", *arguments) == expected


def test_a_call_of_gmp_counts_once() -> None:
    measures = {name: measure for *_, name, measure in _counted_functions(engine_named("gmp")) if name[:4] == "gmp."}
    assert measures.keys() == {f"gmp.{name}" for name in ("f_divmod", "powmod", "powmod_sec", "invert", "gcd")}
    assert all(measure("result", 1, 2, 3) == {"": 1} for measure in measures.values())
    fast = active_engine()
    if fast.counts():
        assert not any(name.startswith("gmp.") for *_, name, _ in _counted_functions(fast))
