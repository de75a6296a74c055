"""How far a command is, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vecphe.system.parallel import watched

__all__ = ["bar", "ciphertexts_bar"]


@contextmanager
def bar(name: str, total: int) -> Iterator[Callable[[int], object]]:
    """Show a bar on stderr, if that is a terminal, which moves by what it is told; it goes when it is done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(name, total=total)
        yield lambda more: progress.advance(task, more)


@contextmanager
def ciphertexts_bar(name: str, total: int) -> Iterator[None]:
    """A bar that moves as ciphertexts are computed."""
    with bar(name, total) as advance, watched(advance):
        yield
