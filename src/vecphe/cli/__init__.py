"""The `vecphe` command. Only this package knows typer and rich."""

from __future__ import annotations

import io
import os
import sys

from vecphe.cli import signals

__all__ = ["main", "run"]


def main() -> int:
    """Run the command as all that this process does, signals included; the exit status, as of `run`."""
    signals.answer_signals()  # before numpy, typer and all else that takes long to import
    try:
        return run()
    finally:
        signals.leave_at_once_from_now_on()


def run() -> int:
    """Run the command line in `sys.argv`; the exit status.

    Returns
    -------
    int
        0; 1 if models disagree or the reader of a pipe left; 2 for errors, told in one line; 128 + its number after
        a signal: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.
    """
    try:
        _repair_streams()
        from vecphe.cli.app import run_app

        status = run_app()
        sys.stdout.flush()
    except KeyboardInterrupt:
        _flush_or_drop_stdout()
        return signals.tell()
    except BrokenPipeError:
        _drop_stdout()
        return 1
    except OSError as error:
        _drop_stdout()
        _tell(error)
        return 2
    except MemoryError as error:
        _tell(error)
        return 2
    return status


def _tell(error: Exception) -> None:
    from vecphe.cli.failure import print_error

    print_error(error)


def _repair_streams() -> None:
    """A closed stdout or stderr is one that nobody reads; what an encoding lacks is shown as a question mark."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _flush_or_drop_stdout() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _drop_stdout()


def _drop_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not fail on it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
