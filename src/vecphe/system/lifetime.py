"""A worker process ends when the process it works for ends, however that ends.

A process that is killed cannot tell its workers. joblib's wait for the next task for minutes, with private numbers in
their memory and the output of the dead process open. So each of them watches.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["end_with"]

_SECONDS_BETWEEN_LOOKS = 0.5  # where the kernel does not tell


def end_with(owner: int, initializer: Callable[..., Any] | None = None, arguments: tuple[Any, ...] = ()) -> None:
    """Initialize a worker: it ends with the process `owner`; then call the initializer of the user, if there is one."""
    threading.Thread(target=_follow, args=(owner,), daemon=True, name="vecphe-owner").start()
    if initializer is not None:
        initializer(*arguments)


def _follow(owner: int) -> None:
    _wait_for_end(owner)
    os._exit(1)  # nobody is left to hear more


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
