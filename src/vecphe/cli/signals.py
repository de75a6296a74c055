"""Ctrl-C, SIGTERM and SIGHUP: one line, and the exit status 128 + the signal's number.

A signal raises KeyboardInterrupt in the main thread, so that files and workers are cleaned up, except while something
is imported or the process ends: there exceptions are printed, replaced or lost, and nothing is to be cleaned up.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType

__all__ = ["answer_signals", "before_workers", "leave_at_once_from_now_on", "tell"]

_WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
_IMPORTING = "<frozen importlib._bootstrap"
_SHOW_CURSOR = b"\x1b[?25h"  # a progress bar hides it


class _State:
    """What came, and what was said of it."""

    pid: int  # of the process that answers
    received: int | None = None
    told = False
    leaving = False
    masked: frozenset[int] = frozenset()


def answer_signals() -> None:
    """Answer signals from now on; those that this process was started to ignore stay ignored."""
    _State.pid = os.getpid()
    for name in _WORDS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _answer)
    if hasattr(signal, "pthread_sigmask"):
        # A terminal sends these to workers as well. Python, while it starts, answers Ctrl-C with a traceback, and of a
        # hang-up joblib's own helper dies, and the next prints what it does not know of. They inherit the mask, so none
        # of them hears it; a thread hears it for the main one.
        _State.masked = frozenset(n for n in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(n) == _answer)
    if _State.masked:
        signal.pthread_sigmask(signal.SIG_BLOCK, _State.masked)
        threading.Thread(target=_forward, args=(threading.get_ident(),), daemon=True).start()


def before_workers(jobs: int | None) -> int | None:
    """The value of an option for workers, after what would unmask Ctrl-C in them has been done."""
    if _State.masked and jobs not in (None, 1):
        from multiprocessing import resource_tracker

        from joblib.externals.loky.backend import resource_tracker as of_joblib

        for tracker in (resource_tracker, of_joblib):
            tracker.ensure_running()  # unmasks, before Python 3.12
        signal.pthread_sigmask(signal.SIG_BLOCK, _State.masked)
    return jobs


def _forward(main_thread: int) -> None:
    while True:
        number = signal.sigwait(_State.masked)
        _State.received = _State.received or number
        signal.pthread_kill(main_thread, signal.SIGTERM)


def _answer(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _State.pid:  # a forked worker, which its parent ends so
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    _State.received = _State.received or number
    if _State.leaving or _is_importing(frame):
        tell()
        with suppress(OSError):
            if os.isatty(2):
                os.write(2, _SHOW_CURSOR)
        os._exit(_status())
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False


def leave_at_once_from_now_on() -> None:
    """All that is left to do is to end: a signal need not wait for it."""
    _State.leaving = True


def _status() -> int:
    return 128 + (_State.received or signal.SIGINT)


def tell() -> int:
    """Say what ended the command, once, if anyone can still hear it; the exit status."""
    if not _State.told:
        _State.told = True
        word = _WORDS[signal.Signals(_status() - 128).name]
        with suppress(OSError, ValueError):
            print(word, file=sys.stderr, flush=True)
    return _status()
