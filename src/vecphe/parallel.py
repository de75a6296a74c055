"""Chunks over joblib: the one place that knows it.

Which backend runs is joblib's decision (``joblib.parallel_config``); this module only hints. The engine says
whether threads or processes pay. joblib is imported when it is first needed: it doubles the time to import vecphe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Integral
from threading import Condition
from typing import Any, Generic, Literal, TypeVar

from vecphe.arithmetic import Cancellation
from vecphe.errors import ParallelError

__all__ = ["chunk_bounds", "effective_jobs", "run_local_tasks", "run_tasks"]

Result = TypeVar("Result")
Workers = Literal["threads", "processes"]

_LOCAL_BACKENDS = {"LokyBackend", "MultiprocessingBackend", "ThreadingBackend", "SequentialBackend"}


def effective_jobs(n_jobs: int | None, count: int = 1 << 62, least: int = 1) -> int:
    """Number of workers that `n_jobs` means here and now, as joblib counts.

    Parameters
    ----------
    n_jobs : int or None
        None is 1 unless ``joblib.parallel_config`` says otherwise; -1 all cores, -2 all but one. Inside
        another worker it is 1.
    count, least : int
        By default, `count` items of which fewer than `least` do not pay for a task have one worker.

    Raises
    ------
    TypeError
        If it is neither an int nor None.
    ValueError
        If it is 0.
    """
    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral)):
        raise TypeError(f"n_jobs must be an int or None, not {type(n_jobs).__name__}")
    if n_jobs == 0:
        raise ValueError("n_jobs == 0 has no meaning; use 1 for no parallelism or -1 for all cores")
    if n_jobs == 1 or (n_jobs is None and count <= least):
        return 1
    import joblib

    return int(joblib.effective_n_jobs(n_jobs))


def chunk_bounds(count: int, jobs: int, least: int, most: int) -> list[tuple[int, int]]:
    """Cut `count` items into (start, stop) chunks of about equal size, `least` to `most` items each.

    Parameters
    ----------
    count, jobs : int
    least : int
        Fewer items than this do not pay for a task; so few chunks are made that each has them.
    most : int
        Bound on the memory of one task.

    Returns
    -------
    list of (int, int)
        Four chunks a job where there is enough work, so that one slow core does not hold up the rest.
    """
    if count <= least:
        return [(0, count)]
    chunks = max(min(4 * jobs, count // least) if jobs > 1 else 1, -(-count // most))
    edges = [count * i // chunks for i in range(chunks + 1)]
    return list(pairwise(edges))


def run_tasks(
    function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]], n_jobs: int | None, workers: Workers
) -> list[Result]:
    """``[function(*args) for args in arguments]`` on up to `n_jobs` workers.

    Raises
    ------
    ParallelError
        If a worker dies.
    """
    import joblib
    from joblib.parallel import get_active_backend

    in_threads = getattr(get_active_backend(prefer=workers)[0], "uses_threads", False)
    task = _ThreadTask(function) if in_threads else function
    try:
        results: list[Result] = joblib.Parallel(n_jobs=n_jobs, prefer=workers)(
            joblib.delayed(task)(*args) for args in arguments
        )
    except (joblib.externals.loky.process_executor.BrokenProcessPool, EOFError) as error:
        # Not chained: the message of the pool can quote the arguments.
        raise ParallelError(
            f"a worker process died ({type(error).__name__}): out of memory or killed; retry with a lower n_jobs"
        ) from None
    finally:
        if isinstance(task, _ThreadTask):
            task.stop()
    return results


class _ThreadTask(Generic[Result]):
    """A function whose calls in threads can be waited for.

    After Ctrl-C joblib leaves its threads to themselves; an interpreter that ends while one of them computes in
    native code aborts instead of exiting.
    """

    def __init__(self, function: Callable[..., Result]) -> None:
        self._function = function
        self._cancellation = Cancellation()
        self._changed = Condition()
        self._running = 0
        self._stopped = False

    def __call__(self, *args: Any) -> Result:
        with self._changed:
            if self._stopped:
                raise ParallelError("the batch was interrupted")
            self._running += 1
        try:
            with self._cancellation.observed():
                return self._function(*args)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def stop(self) -> None:
        """Start no further call, and end those that still run."""
        self._cancellation.cancel()
        with self._changed:
            self._stopped = True
            self._changed.wait_for(lambda: self._running == 0)


def run_local_tasks(
    function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]], n_jobs: int | None, workers: Workers
) -> list[Result]:
    """As `run_tasks`, for arguments that must not leave this machine (private keys).

    Raises
    ------
    ParallelError
        If the active joblib backend is not one of the local ones.
    """
    from joblib.parallel import get_active_backend

    backend = type(get_active_backend()[0]).__name__
    if backend not in _LOCAL_BACKENDS:
        raise ParallelError(
            f"decryption stays on this machine, but the active joblib backend is {backend}; "
            "use joblib.parallel_config(backend='loky') or n_jobs=1 for it"
        )
    return run_tasks(function, arguments, n_jobs, workers)
