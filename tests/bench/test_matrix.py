"""Options of a benchmark, refused before anything runs."""

from __future__ import annotations

import pytest

from vecphe.bench.matrix import Matrix, parse_backends, parse_counts
from vecphe.bench.records import Case
from vecphe.errors import InvalidKeyError


def test_lists_are_sorted_and_each_entry_counts_once() -> None:
    assert parse_counts("--values", "1000, 11,1000") == (11, 1000)
    assert parse_backends("--backends", "packed,naive,packed") == ("naive", "packed")


@pytest.mark.parametrize("text", ["", "3,", "3,,5", "0", "-3", "1.5", "1e3", "abc", "0x10", "٣", "9" * 30, "3;5"])
def test_h65_what_is_no_positive_integer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--clients takes positive integers"):
        parse_counts("--clients", text)


@pytest.mark.parametrize("text", ["", "fast", "naive;packed", "all", "Packed"])
def test_h65_unknown_backends_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"--backends: .* is none of naive, vectorized, packed"):
        parse_backends("--backends", text)


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


def test_h61_memory_is_asked_for_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("vecphe.bench.matrix.fits_in_memory", lambda needed: asked.append(needed) or len(asked) < 2)
    with pytest.raises(ValueError, match=r"5 clients.* need about .* more memory than there is; lower --values"):
        Matrix(key_lengths=(1024,), clients=(3, 5), values=(1000,), backends=("packed",)).check()
    assert asked == [8 * clients * 1000 + 4 * 1000 * (3 * 128 + 200) for clients in (3, 5)]


def test_cases_are_every_combination_with_little_work_first() -> None:
    matrix = Matrix(key_lengths=(2048, 1024), clients=(3, 5), values=(1000, 11))
    assert len(matrix.cases) == 8
    assert matrix.cases[0] == Case(1024, 3, 11)
    assert matrix.cases[3] == Case(1024, 5, 1000)


def test_the_quick_matrix_takes_changes() -> None:
    assert Matrix.quick(values=(7,)).values == (7,)
    assert len(Matrix.quick().cases) == 12
