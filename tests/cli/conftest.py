"""Ways to run the command."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def command():
    """Run `vecphe` with arguments in a process of its own; the completed process."""

    def run(*args, **options):
        return subprocess.run(
            [sys.executable, "-m", "vecphe.cli", *args],
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
            [sys.executable, "-m", "vecphe.cli", *args],
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
