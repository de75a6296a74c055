"""The cost model, and the command that calibrates it. benchmarks/lines.py holds it against measured rounds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from vecphe.arithmetic import active_engine, available_engines
from vecphe.bench import estimate as estimating
from vecphe.bench.environment import use_engine
from vecphe.bench.estimate import Costs, Plan, calibrate, estimate
from vecphe.bench.sides import Side
from vecphe.bench.workloads import gradients
from vecphe.cli.app import app
from vecphe.cli.estimate import print_plan
from vecphe.errors import EngineUnavailableError, InvalidKeyError, ProtocolError
from vecphe.federated.models import LinearRegression
from vecphe.keys import PublicKey
from vecphe.plaintext import format as formats
from vecphe.plaintext.encoding import FixedPoint
from vecphe.randomness.randomizers import RandomizerSource

COSTS = Costs(
    engine="ifma",
    key_seconds=1.0,
    table_seconds=2.0,
    table_bytes=1000,
    encode=0.25,
    randomize=8.0,
    add=0.5,
    decrypt=16.0,
    decode=0.125,
    load=0.0625,
    store=0.03125,
    resident_bytes=600.0,
)


def test_the_model_by_hand() -> None:
    plan = Plan(clients=10, values=100, key_length=2048, cores=4, packed=False, bandwidth=8.0)
    e = estimate(plan, COSTS)
    assert e.ciphertexts == 100
    assert e.setup == 3.0
    assert e.encrypt == 100 * (0.25 + 8 / 4)
    assert e.add == 50.0
    assert e.decrypt == 100 * (0.125 + 16 / 4)
    assert e.round == 10 * e.encrypt + 9 * e.add + e.decrypt
    assert e.bytes_per_hop == 100 * 512
    assert e.hop == 100 * (0.0625 + 0.5 + 0.03125) + 51200 * 8 / 8e6
    assert e.latency == e.encrypt + 10 * e.hop + e.decrypt
    assert e.bytes_total == 10 * (51200 + 800)
    assert e.memory == 1000 + 3 * (60_000 + 800)


def test_ciphertexts_and_bytes_are_those_of_a_round() -> None:
    plan = Plan(clients=5, values=333, key_length=1024)
    total = Side("packed", 1024, 5).run(gradients(5, 333)).total
    e = estimate(plan, COSTS)
    assert (e.ciphertexts, e.bytes_per_hop) == (total.n_ciphertexts, total.nbytes)
    plain = Side("vectorized", 1024, 5).run(gradients(5, 7)).total
    e = estimate(Plan(5, 7, 1024, packed=False), COSTS)
    assert (e.ciphertexts, e.bytes_per_hop) == (plain.n_ciphertexts, plain.nbytes)


def test_more_work_takes_longer_and_more_cores_less() -> None:
    plan = Plan(clients=100, values=10**6, key_length=3072)
    base = estimate(plan, COSTS)
    assert estimate(replace(plan, cores=8), COSTS).round < base.round / 4
    assert estimate(replace(plan, clients=200), COSTS).latency > base.latency
    assert estimate(replace(plan, packed=False), COSTS).bytes_total > 20 * base.bytes_total
    assert estimate(replace(plan, bandwidth=1.0), COSTS).hop > base.hop


@pytest.mark.parametrize("clients", [1, 3])
@pytest.mark.parametrize("packed", [True, False])
def test_calibration_measures_every_cost(packed: bool, clients: int) -> None:
    costs = calibrate(Plan(clients=clients, values=300, key_length=512, packed=packed))
    zero = {name for name, value in vars(costs).items() if name not in ("engine", "table_bytes") and not value > 0}
    assert zero == {"encrypt_call", "add_call", "decrypt_call"}  # which large batches do not show
    assert costs.randomize > costs.add
    assert costs.decrypt > costs.add


class Clock:
    """Time that only the work told to takes."""

    def __init__(self) -> None:
        self.now = 7.0
        self.sizes: dict[str, set[int]] = defaultdict(set)

    def __call__(self) -> float:
        return self.now

    def charge(
        self, patch: pytest.MonkeyPatch, owner: Any, name: str, seconds: float, size: Callable[..., int]
    ) -> None:
        """Let a function take `seconds` times its size, which is found from its result and arguments."""
        work = owner.__dict__[name]

        def charged(*args: Any, **options: Any) -> Any:
            result = work(*args, **options)
            self.sizes[name].add(size(result, *args))
            self.now += seconds * size(result, *args)
            return result

        patch.setattr(owner, name, charged)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(estimating, "perf_counter", clock)
    with use_engine("gmp"):
        engine = active_engine()
        ring = type(engine.ring(15))
        table, decryptor = type(engine.ring(15).fixed_base(4, 4, 1)), type(engine.decryptor(3, 5))
        clock.charge(monkeypatch, ring, "multiply", 2, lambda result, *_: len(result.x0))
        clock.charge(monkeypatch, ring, "multiply_plain", 3, lambda result, *_: len(result.x0))
        clock.charge(monkeypatch, ring, "load_bytes", 7, lambda result, *_: len(result.x0))
        clock.charge(monkeypatch, ring, "all_units", 11, lambda _, ring, batch: len(batch.x0))
        clock.charge(monkeypatch, ring, "store_bytes", 13, lambda _, ring, batch: len(batch.x0))
        clock.charge(monkeypatch, table, "power_secret", 2**-9, lambda result, *_: len(result.x0))
        clock.charge(monkeypatch, decryptor, "decrypt", 17, lambda result, *_: len(result))
        clock.charge(monkeypatch, FixedPoint, "encode", 19, lambda _, encoding, values, *more: len(values))
        clock.charge(monkeypatch, formats, "decode", 23, lambda result, *_: result.size)
        clock.charge(monkeypatch, estimating, "generate_keypair", 100, lambda *_: 1)
        clock.charge(monkeypatch, PublicKey, "prepare", 1000, lambda *_: 1)
        yield clock


@pytest.mark.parametrize("packed", [True, False])
def test_each_cost_is_that_of_its_own_work(clock: Clock, packed: bool) -> None:
    values_each = Plan(clients=4, values=1, key_length=512, packed=packed).slots
    costs = calibrate(Plan(clients=4, values=90 * values_each, key_length=512, packed=packed))
    assert (clock.sizes["multiply"], clock.sizes["decrypt"]) == ({90}, {64})
    assert values_each == (8 if packed else 1)
    assert (costs.key_seconds, costs.table_seconds) == (100, 1000)
    assert (costs.encode, costs.randomize, costs.add) == (19 * values_each, 2**-9 + 3, 2)
    assert (costs.load, costs.store) == (7 + 11, 13)
    assert (costs.decrypt, costs.decode) == (17 + 11, 23 * values_each)  # the decryptor checks for units


@pytest.mark.parametrize(
    ("seconds", "values", "expected"),
    [(1.0, 2000, 16), (2**-11, 2000, 409), (2**-11, 408, 408), (2**-20, 2000, 1024), (1.0, 10, 10)],
    ids=["slow", "a fifth of a second", "few values", "fast", "very few values"],
)
def test_ciphertexts_that_are_timed(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, seconds: float, values: int, expected: int
) -> None:
    table = type(active_engine().ring(15).fixed_base(4, 4, 1))
    clock.charge(monkeypatch, table, "power_secret", seconds - 2**-9, lambda result, *_: len(result.x0))
    said: list[str] = []
    calibrate(Plan(clients=4, values=values, key_length=256, packed=False), said.append)
    assert said[-1].startswith(f"timing {expected} ciphertexts ")
    assert expected in clock.sizes["multiply"]
    assert clock.sizes["decrypt"] == {min(expected, 64)}


def test_a_time_is_the_median_of_five_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, times = Clock(), [1.0, 9.0, 2.0, 8.0, 3.0]
    left = iter(times)
    monkeypatch.setattr(estimating, "perf_counter", clock)

    def work() -> None:
        clock.now += next(left)

    assert estimating._seconds(work) == 3.0
    assert list(left) == []


@pytest.mark.parametrize(
    ("plan", "error", "message"),
    [
        (Plan(0, 1, 2048), ValueError, "--clients must be from 1"),
        (Plan(3, 0, 2048), ValueError, "--values must be from 1"),
        (Plan(3, 1, 2048, cores=0), ValueError, "--cores must be from 1"),
        (Plan(3, 10**13, 2048), ValueError, "--values must be from 1"),
        (Plan(3, 1, 2047), InvalidKeyError, "key_length"),
        (Plan(3, 1, 2048, bandwidth=1e-320), ValueError, "--bandwidth must be from 0.001"),
        (Plan(3, 1, 2048, bandwidth=float("nan")), ValueError, "--bandwidth must be from 0.001"),
        (Plan(3, 1, 2048, engine="fast"), EngineUnavailableError, "no engine is called 'fast'"),
        (Plan(3, 1, 1 << 14, engine="portable"), EngineUnavailableError, "computes with keys of up to"),
    ],
)
def test_plans_that_make_no_sense(plan: Plan, error: type[Exception], message: str) -> None:
    said: list[str] = []
    with pytest.raises(error, match=message):
        calibrate(plan, said.append)
    assert not said  # nothing was begun


def test_the_command() -> None:
    arguments = ["estimate", "--clients", "1000", "--values", "10000000", "--key-length", "1024", "--cores", "64"]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["ciphertexts"] == -(-(10**7) // Plan(1000, 10**7, 1024).slots)
    assert found["plan"]["cores"] == 64
    assert found["latency"] > 1000 * found["hop"]
    text = CliRunner().invoke(app, [*arguments, "--unpacked"]).stdout
    assert "one value a ciphertext, 10000000 ciphertexts a vector" in text
    assert "bytes a hop             2.38 GiB" in text


def test_long_times_and_much_traffic_are_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_plan(estimate(Plan(10**6, 10**12, 2048, packed=False), COSTS))
    text = capsys.readouterr().out
    assert " years" in text
    assert "e+" not in text
    assert " 462,000 PiB" in text


def test_the_calibration_says_what_it_does() -> None:
    result = CliRunner().invoke(app, ["estimate", "--clients", "1", "--values", "5", "--key-length", "1024"])
    assert result.exit_code == 0, result.stderr
    assert [line.split(" (")[0] for line in result.stderr.splitlines()] == [
        "making a key pair of 1024 bits: how long that takes is chance",
        "making tables",
        "timing 1 ciphertext",
    ]
    assert "making" not in result.stdout


def test_the_command_refuses_in_one_line() -> None:
    result = CliRunner().invoke(app, ["estimate", "--clients", "0", "--values", "5"])
    assert result.exit_code == 2
    assert result.stderr == "error: --clients must be from 1 to 1000000, not 0\n"


def test_the_command_calibrates_the_engine_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    default = "portable" if dict(available_engines())["portable"] is None else "gmp"
    monkeypatch.setenv("VECPHE_ENGINE", default)
    arguments = ["estimate", "--clients", "3", "--values", "5", "--key-length", "512", "--json"]
    engines = [
        json.loads(CliRunner().invoke(app, [*arguments, *more]).stdout)["costs"]["engine"]
        for more in ([], ["--engine", "gmp"])
    ]
    assert engines == [default, "gmp"]
    refused = CliRunner().invoke(app, [*arguments, "--engine", "fast"])
    assert refused.exit_code == 2
    assert "error: no engine is called 'fast'; choose one of ifma" in refused.stderr


def test_learning_in_the_clear_is_timed_on_some_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, seen = Clock(), set()
    monkeypatch.setattr(estimating, "perf_counter", clock)

    def learned(X: Any, y: Any, X_test: Any, y_test: Any, config: Any, **_: Any) -> None:
        seen.add((len(X[0]), len(y[0]), config["n_iter"], config["n_clients"], config["tol"], config["eta"]))
        clock.now += len(X[0]) * (3.0 + 0.5 * config["n_iter"])

    monkeypatch.setattr(estimating, "local_learning", learned)
    X, config = np.zeros((50_000, 2)), {"eta": 0.25, "n_iter": 70, "tol": 1.0}
    assert estimating.learning_seconds(X, X[:, 0], config, LinearRegression) == pytest.approx((3.0, 0.5))
    assert {(40_000, 40_000, rounds, 1, None, 0.25) for rounds in (1, 5)} <= seen
    assert max(rows for rows, *_ in seen) == 40_000
    assert estimating.learning_seconds(X[:7], X[:7, 0], config, LinearRegression) == pytest.approx((3.0, 0.5))


def test_rows_that_cannot_be_learned_from_take_no_time() -> None:
    X = np.full((20, 2), 1e300) * np.arange(20)[:, np.newaxis]
    assert estimating.learning_seconds(X, X[:, 0], {"scale": "federated"}, LinearRegression) == (0.0, 0.0)


LIMITS = {"clients": (1, 10**6), "values": (1, 10**12), "cores": (1, 4096)}


@pytest.mark.parametrize("name", LIMITS)
def test_h65_both_ends_of_what_can_be_estimated(name: str) -> None:
    least, most = LIMITS[name]
    plan = Plan(3, 5, 2048)
    for number in (least, most):
        replace(plan, **{name: number}).check()  # type: ignore[arg-type]
    for number in (least - 1, most + 1):
        with pytest.raises(ValueError, match=rf"^--{name} must be from {least} to {most}, not {number}$"):
            replace(plan, **{name: number}).check()  # type: ignore[arg-type]


def test_h65_both_ends_of_a_bandwidth() -> None:
    for bandwidth in (1e-3, 1e6):
        Plan(3, 5, 2048, bandwidth=bandwidth).check()
    for bandwidth in (0.000999, 1000001.0, 0.0, -1.0):
        with pytest.raises(ValueError, match="--bandwidth") as told:
            Plan(3, 5, 2048, bandwidth=bandwidth).check()
        assert str(told.value) == f"--bandwidth must be from 0.001 to 1000000 Mbit/s, not {bandwidth:g}"


def test_what_is_made_and_timed_is_that_of_the_plan(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def watch(owner: Any, name: str) -> None:
        work = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            result = work(*arguments, **options)
            asked.setdefault(name, []).append((arguments, options, result))
            return result

        monkeypatch.setattr(owner, name, watched)

    for owner, name in (
        (estimating, "engine_for"),
        (estimating, "generate_keypair"),
        (PublicKey, "prepare"),
        (estimating, "random_words"),
        (RandomizerSource, "encrypt"),
    ):
        watch(owner, name)
    costs = calibrate(Plan(clients=5, values=40, key_length=512, packed=False))
    (key, _), n_vectors = asked["generate_keypair"][0][2], asked["prepare"][0][0][1]
    assert asked["engine_for"][0][0] == (2**511, None)
    assert (asked["prepare"][0][0][0], n_vectors) == (key, 5 * 40)
    assert asked["random_words"][0][0] == (40, 511)
    words = asked["random_words"][0][2]
    timed = [arguments for arguments, *_ in asked["encrypt"] if arguments[1] is words]
    assert [offset for _, _, offset in timed] == [0] * 5
    assert costs.table_bytes == key.table_bytes > 0
    ring = key._context.ring
    each = ring.resident_bytes(ring.load([key.n**2 - 2] * 40)) / 40
    assert costs.resident_bytes == pytest.approx(each, rel=0.1)


def test_costs_that_noise_makes_negative_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a larger round that was faster, and of one that took more than as much longer."""
    side = Side("vectorized", 256, 3)
    for times, each, calls in (((8.0, 4.0), 0.0, 8.0), ((1.0, 200.0), 199 / 95, 0.0)):
        monkeypatch.setattr(side, "run", made_rounds(*times))
        costs = estimating.side_costs(side)
        assert (costs.randomize, costs.encrypt_call) == (each, calls)
        assert (costs.add, costs.add_call) == (each, calls)
        assert (costs.decrypt, costs.decrypt_call) == (each, calls)
        assert (costs.engine, costs.key_seconds) == ("vectorized", side.setup)


def made_rounds(small: float, large: float, round_: float = 0.0) -> Callable[[Any], Any]:
    """Of so many seconds a phase and party, and a ciphertext a value."""

    def run(vectors: Any) -> Any:
        clients, count = vectors.shape
        each = small if count == 1 else large
        seconds = {"encrypt": clients * each, "add": (clients - 1) * each, "decrypt": each, "round": round_}
        return SimpleNamespace(total=SimpleNamespace(n_ciphertexts=count), seconds=seconds)

    return run


@pytest.mark.parametrize(("seconds", "size"), [(0.005, 96), (0.00501, 16)])
def test_a_slow_round_has_a_bound(monkeypatch: pytest.MonkeyPatch, seconds: float, size: int) -> None:
    side, sizes = Side("vectorized", 256, 3), list[Any]()
    run = made_rounds(1.0, 2.0, seconds)
    monkeypatch.setattr(side, "run", lambda vectors: sizes.append(vectors.shape) or run(vectors))
    estimating.side_costs(side)
    assert sizes == [(3, 1), (3, 1), (3, size)]


@pytest.mark.parametrize(("key_length", "made", "growth"), [(512, 512, 1), (1024, 1024, 1), (2048, 1024, 2**2.6)])
def test_keys_for_a_rough_estimate_are_short(
    monkeypatch: pytest.MonkeyPatch, key_length: int, made: int, growth: float
) -> None:
    asked: list[Any] = []

    class Fake:
        def __init__(self, *arguments: Any, **options: Any) -> None:
            asked.append((arguments, options))

        def prepare(self, *arguments: Any) -> None:
            asked.append(arguments)

    costs = Costs("gmp", key_seconds=2.0, table_seconds=0.5, randomize=3.0, add=0.25, decrypt=4.0)
    monkeypatch.setattr(estimating, "Side", Fake)
    monkeypatch.setattr(estimating, "side_costs", lambda side: costs)
    found = estimating.rough_seconds("vectorized", Plan(5, 7, key_length, packed=False, engine="gmp"), 10)
    assert asked == [(("vectorized", made, 5), {"engine": "gmp"}), (50, 7)]
    round_ = estimate(Plan(5, 7, made, packed=False), costs).round
    assert found == pytest.approx((2.5 * growth, round_ * growth))


def test_learning_is_tried_on_two_rows_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, then on all of them, and three times with either number of rounds; the first row has a value everywhere."""
    clock, calls = Clock(), list[Any]()
    monkeypatch.setattr(estimating, "perf_counter", clock)

    def learned(X: Any, y: Any, X_test: Any, y_test: Any, config: Any, **more: Any) -> None:
        calls.append((len(X[0]), config["n_iter"]))
        assert (X_test.tolist(), y_test.tolist()) == ([[0.0, 1.0]], [5.0])
        assert X[0][0].tolist() == [0.0, 1.0]
        assert np.isnan(X[0][1, 0])
        assert more == {"names": ["a sample"], "model": LinearRegression}

    monkeypatch.setattr(estimating, "local_learning", learned)
    X = np.array([[np.nan, 1.0], [np.nan, 2.0], [3.0, 3.0], [4.0, 4.0]])
    estimating.learning_seconds(X, np.array([5.0, 6.0, 7.0, 8.0]), {}, LinearRegression)
    assert calls == [(2, 1), (4, 1), *[(4, 1)] * 3, *[(4, 5)] * 3]
    assert np.isnan(X[0, 0])


@pytest.mark.parametrize(
    ("first", "more", "expected"),
    [(10.0, 30.0, (5 / 4, 5 / 4)), (10.0, 4.0, (10 / 4, 0.0)), (1.0, 41.0, (0.0, 10 / 4))],
    ids=["usual", "more rounds were faster", "one round took less than a later one"],
)
def test_no_time_of_learning_is_negative(
    monkeypatch: pytest.MonkeyPatch, first: float, more: float, expected: tuple[float, float]
) -> None:
    clock = Clock()
    monkeypatch.setattr(estimating, "perf_counter", clock)

    def learned(*of: Any, **_: Any) -> None:
        clock.now += first if of[4]["n_iter"] == 1 else more

    monkeypatch.setattr(estimating, "local_learning", learned)
    X = np.zeros((4, 2))
    assert estimating.learning_seconds(X, X[:, 0], {}, LinearRegression) == expected


@pytest.mark.parametrize("error", [InvalidKeyError("a"), ProtocolError("a"), ValueError("a")])
def test_an_error_of_learning_is_told_by_the_run_itself(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def learned(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(estimating, "local_learning", learned)
    X = np.zeros((4, 2))
    assert estimating.learning_seconds(X, X[:, 0], {}, LinearRegression) == (0.0, 0.0)
