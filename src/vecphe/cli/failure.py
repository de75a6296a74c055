"""How commands fail: in one line on stderr, with exit status 2."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

import typer

from vecphe.errors import TableError

__all__ = ["RUN_OPTIONS", "errors_in_one_line", "fail", "in_options", "one_line", "print_error"]

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
# Arguments that errors name, and the options of `vecphe run` that they come from.
RUN_OPTIONS = {
    "n_clients": "--clients",
    "n_iter": "--iterations",
    "key_length": "--key-length",
    "fraction_bits": "--fraction-bits",
    **{name: f"--{name.replace('_', '-')}" for name in ("eta", "l2", "tol", "max_abs", "max_terms")},
}

# Where an error names an argument that is to be changed; names of columns and parties stand elsewhere.
_ARGUMENT = (
    r"(?:(?<=lower )|(?<=larger )|(?<=smaller )|(?<=fewer )|(?<=more )|(?<= \* )"
    r"|(?<![\w'])(?=\w+(?:=-?[\d.]+\b| must | \* )))"
    r"({})\b=?"
)


def one_line(text: object) -> str:
    """Text without line breaks; other spaces stay, for names in it may have them."""
    return _BREAKS.sub(" ", str(text)).strip()


def print_error(error: object, options: Mapping[str, str] | None = None) -> None:
    """Tell an error, or a text, on stderr, in the words of the command line; a line each of several problems.

    The arguments that are keys of `options` are called by the options that they come from.
    """
    if isinstance(error, TableError):  # which knows no words but those of the command line
        told = [one_line(line) for line in error.lines()]
    else:
        told = [in_options(one_line(_text(error)), options or {})]
    print("error: " + "\n  ".join(told), file=sys.stderr)


def _text(error: object) -> object:
    if isinstance(error, MemoryError):
        return "not enough memory for this input"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return error


def in_options(text: str, options: Mapping[str, str]) -> str:
    """A message of the library in the words of the command line; `options` as for `print_error`."""
    for words, option in _OPTIONS.items():
        text = text.replace(words, option)
    if options:
        named = re.compile(_ARGUMENT.format("|".join(options)))
        text = named.sub(lambda found: options[found[1]] + " " * found[0].endswith("="), text)
    return _RANGE.sub(lambda found: f"--{found[1].replace('_', '-')} {found[2]}", text)


def fail(text: object, options: Mapping[str, str] | None = None) -> NoReturn:
    """Tell an error and end the command; `options` as for `print_error`."""
    print_error(text, options)
    raise typer.Exit(2)


@contextmanager
def errors_in_one_line(*kinds: type[Exception], options: Mapping[str, str] | None = None) -> Iterator[None]:
    """End the command where an error of these kinds is raised, or memory is short; `main` answers a broken pipe.

    `options` as for `print_error`.
    """
    caught: tuple[type[Exception], ...] = (*kinds, MemoryError)
    try:
        yield
    except BrokenPipeError:
        raise
    except caught as error:
        fail(error, options)
