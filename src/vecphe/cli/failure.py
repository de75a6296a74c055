"""How commands fail: in one line on stderr, with exit status 2."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from vecphe.errors import TableError

__all__ = ["errors_in_one_line", "fail", "one_line", "print_error"]

# What the library tells callers in Python to pass, and the option that is meant.
_OPTIONS = {
    "pass insecure=True": "give --insecure",
    "pass force=True": "give --force",
    "n_jobs == 0": "--jobs 0",
    "scale='none'": "--scale none",
    "scale='federated'": "--scale federated",
    "missing='mean'": "--missing mean",
}


_BREAKS = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
_RANGE = re.compile(r"\b(max_abs|max_terms)=(\d+)(?!\d|\*|\.\d)")


def one_line(text: object) -> str:
    """Text without line breaks; other spaces stay, for names in it may have them."""
    return _BREAKS.sub(" ", str(text)).strip()


def print_error(error: object) -> None:
    """Tell an error, or a text, on stderr, in the words of the command line; a line each of several problems."""
    if isinstance(error, TableError):  # which knows no words but those of the command line
        told = [one_line(line) for line in error.lines()]
    else:
        told = [_in_options(one_line(_text(error)))]
    print("error: " + "\n  ".join(told), file=sys.stderr)


def _text(error: object) -> object:
    if isinstance(error, MemoryError):
        return "not enough memory for this input"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return error


def _in_options(text: str) -> str:
    for words, option in _OPTIONS.items():
        text = text.replace(words, option)
    return _RANGE.sub(lambda found: f"--{found[1].replace('_', '-')} {found[2]}", text)


def fail(text: object) -> NoReturn:
    """Tell an error and end the command."""
    print_error(text)
    raise typer.Exit(2)


@contextmanager
def errors_in_one_line(*kinds: type[Exception]) -> Iterator[None]:
    """End the command where an error of these kinds is raised, or memory is short; `main` answers a broken pipe."""
    caught: tuple[type[Exception], ...] = (*kinds, MemoryError)
    try:
        yield
    except BrokenPipeError:
        raise
    except caught as error:
        fail(error)
