"""How commands fail: in one line on stderr, with exit status 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

__all__ = ["errors_in_one_line", "fail", "one_line", "print_error"]


def one_line(text: object) -> str:
    """Text without line breaks."""
    return " ".join(str(text).split())


def print_error(text: object) -> None:
    """Tell an error on stderr."""
    print(f"error: {one_line(text)}", file=sys.stderr)


def fail(text: object) -> NoReturn:
    """Tell an error and end the command."""
    print_error(text)
    raise typer.Exit(2)


@contextmanager
def errors_in_one_line(*kinds: type[Exception]) -> Iterator[None]:
    """End the command where an error of these kinds is raised; a broken pipe is for `main` to answer."""
    try:
        yield
    except BrokenPipeError:
        raise
    except kinds as error:
        fail(error)
