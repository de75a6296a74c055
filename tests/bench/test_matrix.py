"""Options of a benchmark, refused before anything runs."""

from __future__ import annotations

import pytest

from vecphe.bench import matrix as matrix_module
from vecphe.bench import peers
from vecphe.bench.environment import Environment
from vecphe.bench.matrix import Matrix, parse_counts, parse_names, parse_seconds
from vecphe.bench.peers import PEERS
from vecphe.bench.records import Case
from vecphe.errors import InvalidKeyError


def test_lists_are_sorted_and_each_entry_counts_once() -> None:
    assert parse_counts("--values", "1000, 11,1000") == (11, 1000)
    assert parse_names("--backends", "packed,naive,packed") == ("naive", "packed")


@pytest.mark.parametrize("text", ["", "3,", "3,,5", "0", "-3", "1.5", "1e3", "abc", "0x10", "٣", "9" * 30, "3;5"])
def test_h65_what_is_no_positive_integer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--clients takes positive integers"):
        parse_counts("--clients", text)


@pytest.mark.parametrize("text", ["", "fast", "naive;packed", "all", "Packed"])
def test_h65_unknown_backends_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"--backends: .* is none of naive, vectorized, packed"):
        parse_names("--backends", text)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"key_lengths": (255,)}, InvalidKeyError, "key_length must be even"),
        ({"key_lengths": (1 << 20,)}, InvalidKeyError, "key_length must be even"),
        ({"clients": (2,)}, ValueError, "--clients must be from 3"),
        ({"values": (10**10,)}, ValueError, "--values must be from 1"),
        ({"engine": "fast"}, ValueError, "--engine: no engine is called 'fast'; choose one of ifma"),
        ({"jobs": 0}, ValueError, "n_jobs == 0 has no meaning"),
        ({"values": (10**9,), "clients": (100,)}, ValueError, "lower --values or --clients"),
    ],
)
def test_what_cannot_be_measured_is_refused(changes: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Matrix(**changes).check()  # type: ignore[arg-type]


def test_h65_the_largest_of_each_is_taken() -> None:
    assert parse_counts("--values", "9" * 18) == (10**18 - 1,)
    with pytest.raises(
        ValueError, match=rf"--values takes positive integers with commas between them, not '{'9' * 19}'"
    ):
        parse_counts("--values", "9" * 19)
    with pytest.raises(ValueError, match=rf", not '{'x' * 40}'$"):
        parse_counts("--values", "x" * 41)
    with pytest.raises(ValueError, match=rf"--backends: '{'x' * 40}' is none of"):
        parse_names("--backends", "x" * 41)


@pytest.mark.parametrize(("option", "least", "most"), [("clients", 3, 10_000), ("values", 1, 10**9)])
def test_h65_both_ends_of_a_range(monkeypatch: pytest.MonkeyPatch, option: str, least: int, most: int) -> None:
    monkeypatch.setattr(matrix_module, "fits_in_memory", lambda _: True)
    Matrix(**{option: (least, most)}).check()  # type: ignore[arg-type]
    for number in (least - 1, most + 1):
        with pytest.raises(ValueError, match=f"--{option} must be from {least} to {most}, not {number}"):
            Matrix(**{option: (least, number)}).check()  # type: ignore[arg-type]


def test_only_naive_alone_needs_phe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_module, "naive_module", lambda: None)
    Matrix(backends=("naive", "packed")).check()
    with pytest.raises(ValueError, match="naive needs phe: pip install phe"):
        Matrix(backends=("naive",)).check()
    monkeypatch.undo()
    Matrix(backends=("naive",)).check()


def test_what_is_measured_by_default() -> None:
    """As docs and help tell it."""
    assert Matrix() == Matrix(
        (1024, 2048, 3072),
        (3, 5, 10),
        (11, 1000),
        ("naive", "vectorized", "packed"),
        None,
        None,
        (),
        10,
        None,
        0.0,
        1.0,
    )
    quick = Matrix((1024, 2048, 3072), (3, 5), (11, 100), budget=48.0, naive_seconds=0.1)
    assert Matrix.quick() == quick


def test_h61_memory_is_asked_for_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("vecphe.bench.matrix.fits_in_memory", lambda needed: asked.append(needed) or len(asked) < 2)
    with pytest.raises(ValueError, match=r"5 clients.* need about .* more memory than there is; lower --values"):
        Matrix(key_lengths=(1024,), clients=(3, 5), values=(1000,), backends=("packed",)).check()
    monkeypatch.setattr(matrix_module, "fits_in_memory", lambda _: False)
    with pytest.raises(ValueError, match=r"^1024 bits, 5 clients, 1000 values need about 0\.00238 GB, more memory"):
        Matrix(key_lengths=(1024,), clients=(5,), values=(1000,), backends=("packed",)).check()
    assert asked == [8 * clients * 1000 + 4 * 1000 * (3 * 128 + 200) for clients in (3, 5)]


def test_cases_are_every_combination_with_little_work_first() -> None:
    matrix = Matrix(key_lengths=(2048, 1024), clients=(3, 5), values=(1000, 11))
    of_one = [(3, 11), (5, 11), (3, 1000), (5, 1000)]
    assert matrix.cases == [Case(bits, *numbers) for bits in (1024, 2048) for numbers in of_one]
    even = Matrix(key_lengths=(1024,), clients=(5, 3), values=(6, 10))
    assert [(case.clients, case.values) for case in even.cases] == [(3, 6), (3, 10), (5, 6), (5, 10)]


def test_the_quick_matrix_takes_changes() -> None:
    assert Matrix.quick(values=(7,)).values == (7,)
    assert len(Matrix.quick().cases) == 12


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("90s", 90), ("15m", 900), ("1.5h", 5400), ("720h", 2592000), (" 2h ", 7200)]
)
def test_h65_times_of_a_budget(text: str, seconds: float) -> None:
    assert parse_seconds("--budget", text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "15",
        "m",
        "-1m",
        "0s",
        "0.9s",
        "720.1h",
        "720.005h",
        "1e3s",
        "15 m",
        "15min",
        "1d",
        "\u0663m",
        "nan",
        "9" * 30 + "s",
    ],
)
def test_h65_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--budget takes a time from 1s to 720h, such as 90s, 15m or 2h, not '"):
        parse_seconds("--budget", text)


def test_h65_other_libraries_are_named_with_what_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_names("--peers", "tenseal,phe", PEERS) == ("phe", "tenseal")
    with pytest.raises(ValueError, match="--peers: 'heu' is none of phe, pypaillier, lightphe, tenseal"):
        parse_names("--peers", "heu", PEERS)
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda module: None if module == "tenseal" else object())
    Matrix(peers=("phe",)).check()
    with pytest.raises(ValueError, match="--peers: tenseal is not installed: pip install tenseal"):
        Matrix(peers=("phe", "tenseal")).check()


def test_phe_has_the_row_of_the_loop() -> None:
    assert Matrix(backends=("packed",)).rows == ("packed",)
    assert Matrix(backends=("packed",), peers=("phe", "tenseal")).rows == ("naive", "packed", "tenseal")
    assert Matrix(peers=("phe",)).rows == ("naive", "vectorized", "packed")


def test_a_plan_says_what_is_measured_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_module, "distribution", lambda name: (f"package of {name}", f"1.{len(name)}"))
    here = Environment("A CPU", 7, "Linux z80", "gmp", "6.3", {"vecphe": "0.1", "phe": "1.5"})
    asked: list[str | None] = []
    monkeypatch.setattr(matrix_module.Environment, "current", lambda engine: asked.append(engine) or here)
    matrix = Matrix((1024, 2048), (3,), (11, 1000), ("packed",), "gmp", 2, ("phe", "tenseal"), naive_seconds=0.25)
    assert matrix.plan() == {
        "key lengths": "1024, 2048",
        "clients": "3",
        "values": "11, 1000",
        "rows": "naive, packed, tenseal",
        "jobs": "2",
        "seconds of a naive sample": "0.25",
        "engine": "gmp",
        "target": "6.3",
        "cpu": "A CPU",
        "cores": "7",
        "system": "Linux z80",
        "version of vecphe": "0.1",
        "version of phe": "1.3",
        "version of tenseal": "1.7",
    }
    assert asked == ["gmp"]


def test_jobs_are_looked_at_before_anything_runs() -> None:
    Matrix(jobs=-1).check()
    with pytest.raises(ValueError, match="n_jobs == 0 has no meaning"):
        Matrix(jobs=0, backends=("packed",)).check()
