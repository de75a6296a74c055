"""The `vecphe` command. Only this package knows typer and rich."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command; the exit status.

    Returns
    -------
    int
        0; 1 if models disagree or the reader of a pipe left; 2 for errors, told in one line; 130 after Ctrl-C.
    """
    try:
        from vecphe.cli.app import run_app  # here, so that Ctrl-C during the imports is answered too

        status = run_app()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _drop_stdout()
        return 1
    except OSError as error:
        _drop_stdout()
        print(f"error: {error}", file=sys.stderr)
        return 2
    return status


def _drop_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not fail on it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
