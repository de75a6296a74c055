"""How commands fail: in one line, in the words of the command line."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from vecphe.cli.failure import RUN_OPTIONS, errors_in_one_line, fail, in_options, one_line, print_error
from vecphe.errors import InvalidKeyError, ProtocolError


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  a  b ", "a  b"), ("a \n\t b\r\nc", "a b c"), ("a\u2028b\x85c\x1cd\x1ee\x0bf\x0cg\u2029", "a b c d e f g"),
        ("a\tb", "a\tb"), (ValueError("x\ny"), "x y"), ("", ""),
    ],
)  # fmt: skip
def test_a_text_is_one_line_and_keeps_its_other_spaces(text: object, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pass insecure=True to allow it", "give --insecure to allow it"),
        ("it exists; pass force=True", "it exists; give --force"),
        ("n_jobs == 0 has no meaning", "--jobs 0 has no meaning"),
        ("with scale='none' or scale='federated'", "with --scale none or --scale federated"),
        ("or missing='mean'", "or --missing mean"),
        ("lower eta, or larger max_terms", "lower --eta, or larger --max-terms"),
        ("smaller l2, fewer n_iter, more n_clients", "smaller --l2, fewer --iterations, more --clients"),
        ("key_length must be even", "--key-length must be even"),
        ("max_abs=8 is too small; tol=-1.5 too", "--max-abs 8 is too small; --tol -1.5 too"),
        ("max_abs * max_terms is too large", "--max-abs * --max-terms is too large"),
        ("the column 'eta' has no value; eta is a column", "the column 'eta' has no value; eta is a column"),
        ("'eta must be'", "'eta must be'"),
        ("beta must be", "beta must be"),
    ],
)
def test_arguments_are_called_by_their_options(text: str, told: str) -> None:
    assert in_options(text, RUN_OPTIONS) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_abs=8 and max_terms=9.", "--max-abs 8 and --max-terms 9."),
        ("max_abs=8.5, max_abs=8**2", "max_abs=8.5, max_abs=8**2"),
        ("key_length must be even; lower eta", "key_length must be even; lower eta"),
        ("my_max_abs=8", "my_max_abs=8"),
    ],
)
def test_commands_without_these_options_leave_most_names(text: str, told: str) -> None:
    assert in_options(text, {}) == told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError("1 TB"), "not enough memory for this input"),
        (OSError(28, "No space left", "f"), "f: No space left"),
        (OSError(28, "No space left"), "No space left"),
        (OSError("no number"), "no number"),
        (ValueError("a\n b, lower eta"), "a b, lower --eta"),
        ("a text; lower eta", "a text; lower --eta"),
    ],
)
def test_an_error_is_told_on_stderr(capsys: pytest.CaptureFixture[str], error: object, told: str) -> None:
    print_error(error, {"eta": "--eta"})
    assert capsys.readouterr() == ("", f"error: {told}\n")
    with pytest.raises(typer.Exit) as caught:
        fail(error, {"eta": "--eta"})
    assert caught.value.exit_code == 2
    assert capsys.readouterr() == ("", f"error: {told}\n")
    if isinstance(error, Exception):
        with pytest.raises(typer.Exit), errors_in_one_line(ValueError, OSError, options={"eta": "--eta"}):
            raise error
        assert capsys.readouterr() == ("", f"error: {told}\n")


@pytest.mark.parametrize(
    ("kinds", "error"),
    [((ValueError, OSError), BrokenPipeError()), ((ValueError,), ProtocolError("x")), ((), OSError("x"))],
)
def test_other_errors_are_left_to_others(kinds: Any, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, errors_in_one_line(*kinds):
        raise error
    assert caught.value is error


def test_memory_that_is_short_is_told_by_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), errors_in_one_line():
        raise MemoryError
    with pytest.raises(typer.Exit), errors_in_one_line(InvalidKeyError):
        raise InvalidKeyError("lower eta")
    assert capsys.readouterr().err == "error: not enough memory for this input\nerror: lower eta\n"
