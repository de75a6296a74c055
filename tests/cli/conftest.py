"""Ways to run the command."""

import os
import subprocess
import sys
import warnings

import pytest

from vecphe.arithmetic import available_engines
from vecphe.cli import run


@pytest.fixture(autouse=True)
def _no_warning_of_a_missing_kernel(monkeypatch):
    """Where the kernel was not built (NATIVE=0), gmp by choice: its warning is tested in test_selection."""
    if "VECPHE_ENGINE" not in os.environ and dict(available_engines())["portable"] is not None:
        monkeypatch.setenv("VECPHE_ENGINE", "gmp")


@pytest.fixture
def main_here(monkeypatch, capsys):
    """Run the command in this process, which is faster; status and outputs as of a completed process."""

    def run_here(*args):
        monkeypatch.setattr(sys, "argv", ["vecphe", *args])
        with warnings.catch_warnings():
            status = run()
        return subprocess.CompletedProcess(args, status, *capsys.readouterr())

    return run_here


@pytest.fixture
def command():
    """Run `vecphe` with arguments in a process of its own; the completed process."""

    def run(*args, **options):
        return subprocess.run(
            [sys.executable, "-m", "vecphe", *args],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            **options,
        )

    return run


# A command that says so on a pipe once it calls the function named first.
TOLD = """\
import os, pkgutil, sys
from vecphe.cli import main, signals
signals.answer_signals()  # as the command does, before numpy starts threads
where, told = sys.argv[1:3]
home, _, name = where.rpartition(".")
owner = pkgutil.resolve_name(home)
original = getattr(owner, name)
setattr(owner, name, lambda *args, **options: (os.write(int(told), b"!"), original(*args, **options))[1])
del sys.argv[1:3]
sys.exit(main())
"""


@pytest.fixture
def start_command():
    """Start `vecphe` with arguments; the running process, by default at once, or once it calls a function `until`."""
    started = []

    def start(*args, until=None, **options):
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        hears, tells = os.pipe()
        how = ["-m", "vecphe"] if until is None else ["-c", TOLD, until, str(tells)]
        process = subprocess.Popen(
            [sys.executable, *how, *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            pass_fds=[tells],
            **options,
        )
        started.append(process)
        os.close(tells)
        if until is not None:
            os.read(hears, 1)  # or nothing, if the process ends
        os.close(hears)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
