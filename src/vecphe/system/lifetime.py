"""A worker process ends when the process it works for ends, however that ends.

A process that is killed cannot tell its workers. joblib's wait for the next task for minutes, with private numbers in
their memory and the output of the dead process open. So each of them watches. Servers of others do not watch: they
are run by a process that does.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["command_that_ends_with", "descendants", "end_with", "kill", "run_with"]

_SECONDS_BETWEEN_LOOKS = 0.5  # where the kernel does not tell


def end_with(owner: int, initializer: Callable[..., Any] | None = None, arguments: tuple[Any, ...] = ()) -> None:
    """Initialize a worker: it ends with the process `owner`; then call the initializer of the user, if there is one."""
    _follow(owner, lambda: os._exit(1))  # nobody is left to hear more
    if initializer is not None:
        initializer(*arguments)


def command_that_ends_with(owner: int, command: Sequence[str]) -> list[str]:
    """A command that runs another, to be started in a session of its own: all in it ends with the process `owner`."""
    code = f"import sys; from {__name__} import run_with; sys.exit(run_with({int(owner)}, sys.argv[1:]))"
    return [sys.executable, "-c", code, *command]


def run_with(owner: int, command: Sequence[str]) -> int:
    """Run a command; its exit status. It ends with the process `owner`, and so does all that it has started."""
    _follow(owner, _end_all)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # the command hears it as well, and this waits for it
    # The command line of vecphe blocks Ctrl-C in what it starts; servers of others send it to themselves, to end.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGHUP})
    return subprocess.call(command)


def descendants(process: int) -> list[int]:
    """All that a process has started, in other sessions too; nothing where there is no /proc to tell."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    below = parents.get(process, [])
    for one in below:
        below += parents.get(one, [])
    return below


def kill(processes: Sequence[int]) -> None:
    """End those that are still there."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _end_all() -> None:
    kill(descendants(os.getpid()))
    os.killpg(0, signal.SIGKILL)


def _follow(owner: int, end: Callable[[], object]) -> None:
    def follow() -> None:
        _wait_for_end(owner)
        end()

    threading.Thread(target=follow, daemon=True, name="vecphe-owner").start()


def _wait_for_end(owner: int) -> None:
    # Not PR_SET_PDEATHSIG: it goes by the thread that started the worker, which may end before its process.
    try:
        descriptor = os.pidfd_open(owner)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # not Linux, an old kernel, or a sandbox
        _wait_by_looking(owner)
    else:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()  # also returns for a process whose end nobody has asked for yet


def _wait_by_looking(owner: int) -> None:
    parent = os.getppid()  # the owner, or a server that forks for it
    while os.getppid() == parent and _exists(owner):
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _exists(process: int) -> bool:
    if os.name != "posix":  # there signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
