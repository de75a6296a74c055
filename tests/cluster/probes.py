"""What runs in the workers of a cluster: they import this module, and nothing of the tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

import vecphe
from vecphe import PublicKey
from vecphe.system import parallel

__all__ = [
    "die",
    "die_once",
    "encrypt_inside",
    "encrypt_on",
    "jobs_inside",
    "note",
    "pid",
    "work_and_count_tables",
    "work_and_die_once",
]


def pid(seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return os.getpid()


def jobs_inside(n_jobs: int | None) -> list[int]:
    """How many workers a call in a task of one's own has, with joblib as it starts and in a context."""
    with vecphe.parallel(2):
        within = parallel.effective_jobs(n_jobs)
    return [parallel.effective_jobs(n_jobs), within]


def note(folder: str, number: int, seconds: float) -> int:
    """Leave a file that says that the task has run."""
    Path(folder, str(number)).touch()
    time.sleep(seconds)
    return number


def die(number: int) -> int:
    """Take the worker along, each time."""
    if number == 3:
        time.sleep(0.5)  # until all know that it lives
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_once(flag: str, number: int) -> int:
    """Take the worker along the first time."""
    if number == 3:
        try:
            os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return number
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def work_and_die_once(flag: str, *task: Any) -> Any:
    """One of vecphe's own tasks, after whose work its worker dies the first time."""
    result = parallel._work(*task)
    die_once(flag, 3)
    return result


def encrypt_inside(n: int, size: int, n_jobs: int | None) -> tuple[int, list[int], list[int]]:
    """A task of the user's own that encrypts: where it ran, the ciphertexts, and threads of numeric libraries."""
    c = PublicKey(n, insecure=True).encrypt(np.arange(float(size)), n_jobs=n_jobs)
    threads = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    return os.getpid(), c.ciphertexts(), threads


def encrypt_on(backend: str, n: int, size: int) -> tuple[int, list[int], list[int]]:
    """The same, where that task asks for the cluster it is on."""
    with vecphe.parallel(2, backend):
        return encrypt_inside(n, size, None)


def work_and_count_tables(folder: str, *task: Any) -> Any:
    """One of vecphe's own tasks; a file of the process gets a line for it, and one for each fixed-base table made."""
    path = Path(folder, str(os.getpid()))
    ring = type(parallel._away_context(*task[1:5]).ring)
    if not hasattr(ring.fixed_base, "counts"):
        ring.fixed_base = _counted(ring.fixed_base)
    ring.fixed_base.counts = path
    with path.open("a") as file:
        file.write("task\n")
    return parallel._work(*task)


def _counted(make: Any) -> Any:
    def counted(*arguments: Any) -> Any:
        with counted.counts.open("a") as file:
            file.write("table\n")
        return make(*arguments)

    return counted
