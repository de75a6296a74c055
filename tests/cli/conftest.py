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


@pytest.fixture
def start_command():
    """Start `vecphe` with arguments; the running process."""
    started = []

    def start(*args, **options):
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "vecphe", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
