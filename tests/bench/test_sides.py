"""One backend or library as a benchmark runs it: which errors are allowed, and what is timed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vecphe.bench import sides
from vecphe.bench.sides import Side
from vecphe.errors import BenchmarkError


class Ticks:
    now = 50.0

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float, result: Any = None) -> Any:
        self.now += seconds
        return result


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    ticks = Ticks()
    monkeypatch.setattr(sides, "perf_counter", ticks)
    monkeypatch.setattr("vecphe.federated.clock.perf_counter", ticks)
    return ticks


def plain(ticks: Ticks, wrong: float = 0.0, error: float = 0.0, **more: Any) -> Any:
    """What adds in the clear, and is off by so much; its phases take 1, 20 and 300 seconds."""
    return SimpleNamespace(
        encrypt=lambda vector: ticks.after(1.0, np.array(vector)),
        add=lambda x, y: ticks.after(20.0, x + y),
        decrypt=lambda total: ticks.after(300.0, total + wrong),
        error=error,
        nbytes=lambda total: 7 * len(total),
        **more,
    )


@pytest.fixture
def backend(ticks: Ticks, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Backends without keys to make; the list has what each was made with."""
    made: list[Any] = []

    def generate_keys(key_length: int, **how: Any) -> Any:
        made.append((key_length, how))
        prepare = lambda *of: made.append(of) or ticks.after(0.5)  # noqa: E731
        return ticks.after(4.0, (SimpleNamespace(prepare=prepare), "private"))

    def named(*arguments: Any) -> Any:
        made.append(arguments)
        return SimpleNamespace(generate_keys=generate_keys)

    monkeypatch.setattr(sides, "backend_named", named)
    return made


@pytest.mark.parametrize(("name", "engine"), [("naive", None), ("vectorized", "gmp"), ("packed", "gmp")])
def test_a_backend_is_made_with_what_was_asked_for(backend: list[Any], name: str, engine: str | None) -> None:
    side = Side(name, 512, 5, 2, "gmp")
    assert backend == [(name, 5, 2, engine), (512, {"insecure": True})]
    assert (side.name, side.setup, side.slots, side.private_key) == (name, 4.0, 1, "private")
    side.prepare(100, 7)
    assert (backend[2], side.setup) == ((100, 7), 4.5)


def test_what_a_backend_s_sums_may_be_off_by() -> None:
    errors = {name: Side(name, 256, 3)._peer.error for name in ("naive", "vectorized", "packed")}
    assert errors == {"naive": 0.0, "vectorized": 0.0, "packed": 2.0**-41}


def test_a_library_has_neither_tables_nor_jobs(ticks: Ticks, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(sides, "make_peer", lambda *of: asked.append(of) or ticks.after(9.0, plain(ticks)))
    side = Side("lightphe", 1024, 3, 2, "gmp")
    side.prepare(100, 7)
    assert (asked, side.setup, side.slots) == ([("lightphe", 1024)], 9.0, 1)
    monkeypatch.setattr(sides, "make_peer", lambda *of: plain(ticks, slots=4096))
    assert Side("tenseal", 1024, 3).slots == 4096


def side_of(name: str, peer: Any) -> Side:
    side = Side.__new__(Side)
    side.name, side._peer, side.slots = name, peer, int(getattr(peer, "slots", 1))
    return side


@pytest.mark.parametrize("name", ["naive", "packed", "lightphe"])
def test_what_is_timed(ticks: Ticks, name: str) -> None:
    round_ = side_of(name, plain(ticks)).run(np.arange(12.0).reshape(4, 3))
    assert round_.seconds == {"round": 4 * 1.0 + 3 * 20.0 + 300.0, "encrypt": 4.0, "add": 60.0, "decrypt": 300.0}


@pytest.mark.parametrize(("name", "times"), [("naive", 1), ("packed", 1), ("lightphe", 2)])
@pytest.mark.parametrize(("clients", "error"), [(3, 0.0), (3, 1e-9), (5, 2.0**-41)])
def test_both_sides_of_what_a_sum_may_be_off_by(
    ticks: Ticks, name: str, times: int, clients: int, error: float
) -> None:
    """That of each term, twice of others' libraries, and 1e-12, of the sum and beside it."""
    for values, relative in ((np.zeros((clients, 2)), 0.0), (np.full((clients, 2), 1000.0), clients * 1e-9)):
        allowed = clients * times * error + 1e-12 + relative
        for sign in (1, -1):
            assert side_of(name, plain(ticks, sign * allowed * 0.999, error)).run(values)
            with pytest.raises(BenchmarkError) as told:
                side_of(name, plain(ticks, sign * allowed * 1.001, error)).run(values)
            assert str(told.value) == f"the {name} backend decrypted a wrong sum: nothing it measured counts"


def test_each_value_is_summed_over_the_clients(ticks: Ticks) -> None:
    vectors = np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    peer = plain(ticks)
    assert side_of("packed", peer).run(vectors).total.tolist() == [3.0, 30.0, 300.0]
    peer.decrypt = lambda total: total[::-1]
    with pytest.raises(BenchmarkError):
        side_of("packed", peer).run(vectors)


@pytest.mark.parametrize(("values", "slots", "ciphertexts"), [(5, 1, 5), (5, 2, 3), (4, 2, 2), (1, 4096, 1)])
def test_ciphertexts_of_a_library_are_those_of_its_slots(
    ticks: Ticks, values: int, slots: int, ciphertexts: int
) -> None:
    total = side_of("tenseal", plain(ticks, slots=slots)).run(np.zeros((3, values))).total
    assert (total.n_ciphertexts, total.nbytes) == (ciphertexts, 7 * values)


def test_libraries_get_lists_and_backends_arrays(ticks: Ticks) -> None:
    kinds: list[type] = []
    peer = plain(ticks)
    peer.encrypt = lambda vector: kinds.append(type(vector)) or np.array(vector)
    side_of("packed", peer).run(np.zeros((2, 3)))
    side_of("lightphe", peer).run(np.zeros((2, 3)))
    assert kinds == [np.ndarray, np.ndarray, list, list]
