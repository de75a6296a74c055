"""Tasks on Dask and Ray, chosen as backends of joblib and reached by their own interfaces. Only this knows the two.

By way of joblib a Dask whose workers die again and again is waited for without end, arrays are lost with the worker
that holds them, and Ray starts its workers, and so their tables, anew for each call. Here a task is bytes, which the
cluster keeps until there is a result: it runs a task of a dead worker again on another one, and workers live as long as
the cluster lets them. What a task returns or raises is bytes too, so whatever else comes from the cluster is about the
cluster.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar

from vecphe.errors import ParallelError

__all__ = ["Cluster", "Parcel", "check_dask", "cluster_of", "in_worker", "jobs_on", "register_ray", "run_on"]

Result = TypeVar("Result")

_TASKS_AHEAD = 3  # a worker, of which it computes one; bounds the memory of what waits, and hides the way there
_SECONDS_BETWEEN_LOOKS = 1.0  # whether there are workers left, while no task ends
_SECONDS_WITHOUT_WORKERS = 10.0  # in which a cluster can replace the last one
_SECONDS_FOR_A_RESULT = 5.0  # of megabytes, to come here; one that is lost with its worker is computed again


class Parcel:
    """Bytes that no log, error or dashboard of a cluster shows: all of them print the arguments of tasks."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[Any, ...]:
        return Parcel, (self.data,)


class Cluster(Protocol):
    """What a cluster is asked for. Each method may raise anything where the cluster is in trouble."""

    name: str
    patience: float  # seconds to wait for a worker where there is none

    def workers(self) -> int:
        """How many tasks it can run at once."""

    def start(self, parcel: Parcel) -> Hashable:
        """Have `_work` run on a parcel, also again if its worker dies; return what stands for its result."""

    def ended(self, tasks: Sequence[Any], seconds: float) -> list[Any]:
        """Those that are over, well or not, as soon as there is one; nothing where it takes longer than this."""

    def result(self, task: Any) -> Parcel | None:
        """What a task gave that is over; None where that does not come."""

    def cancel(self, tasks: Sequence[Any]) -> None:
        """Have these not run, or run in vain."""


class DaskCluster:
    """The cluster of the Dask client that joblib's backend has."""

    name = "Dask"

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._client = backend.client
        self.patience = float(backend.wait_for_workers_timeout or _SECONDS_WITHOUT_WORKERS)

    def workers(self) -> int:
        return sum(self._client.nthreads().values())

    def start(self, parcel: Parcel) -> Hashable:
        # Impure: a pure task would be named by a hash of its plaintexts, and found again by it.
        options = {"pure": False, **self._backend.submit_kwargs}
        future: Hashable = self._client.submit(_work, parcel, **options)
        return future

    def ended(self, tasks: Sequence[Any], seconds: float) -> list[Any]:
        from distributed import CancelledError, wait
        from distributed import TimeoutError as NoneEndedError  # in Python 3.10 not the builtin one

        with suppress(NoneEndedError, CancelledError):
            wait(tasks, timeout=seconds, return_when="FIRST_COMPLETED")
        return [task for task in tasks if task.status != "pending"]

    def result(self, task: Any) -> Parcel | None:
        from distributed import TimeoutError as NotComeError

        with suppress(NotComeError):
            parcel: Parcel = task.result(timeout=_SECONDS_FOR_A_RESULT)
            return parcel
        return None

    def cancel(self, tasks: Sequence[Any]) -> None:
        self._client.cancel(tasks, force=True)


class RayCluster:
    """The cluster that Ray is connected to, with the options that joblib's backend was given for it."""

    name = "Ray"
    patience = _SECONDS_WITHOUT_WORKERS

    def __init__(self, backend: Any) -> None:
        self._options = dict(backend.ray_remote_args or {})

    def workers(self) -> int:
        import ray

        if not ray.is_initialized():
            raise ParallelError("Ray is not connected to a cluster: call ray.init() first")
        return int(ray.cluster_resources().get("CPU", 0) / (self._options.get("num_cpus") or 1))

    def start(self, parcel: Parcel) -> Hashable:
        task = _ray_task()
        reference: Hashable = (task.options(**self._options) if self._options else task).remote(parcel)
        return reference

    def ended(self, tasks: Sequence[Any], seconds: float) -> list[Any]:
        import ray

        done: list[Any] = ray.wait(list(tasks), num_returns=1, timeout=seconds, fetch_local=False)[0]
        return done

    def result(self, task: Any) -> Parcel | None:
        import ray

        with suppress(ray.exceptions.GetTimeoutError):
            parcel: Parcel = ray.get(task, timeout=_SECONDS_FOR_A_RESULT)
            return parcel
        return None

    def cancel(self, tasks: Sequence[Any]) -> None:
        import ray

        for task in tasks:
            ray.cancel(task)


@cache
def _ray_task() -> Any:
    """One for the process: Ray gives a worker that has run a task to others of the same function only."""
    import ray

    return ray.remote(_work)


_KINDS: dict[tuple[str, str], Callable[[Any], Cluster]] = {
    ("joblib._dask", "DaskDistributedBackend"): DaskCluster,
    ("ray.util.joblib.ray_backend", "RayBackend"): RayCluster,
}


def cluster_of(backend: Any) -> Cluster | None:
    """The cluster that a backend of joblib stands for, if it is one of these."""
    kind = type(backend)
    make = _KINDS.get((kind.__module__, kind.__qualname__))
    return make(backend) if make else None


def in_worker() -> bool:
    """Whether this runs in a task or actor of Dask or Ray, whatever joblib's backend is there; neither is imported."""
    return any(is_worker(sys.modules[module]) for module, is_worker in _WORKERS.items() if module in sys.modules)


def _is_dask_worker(worker: Any) -> bool:
    return hasattr(getattr(worker, "thread_state", None), "execution_state")


def _is_ray_worker(ray: Any) -> bool:
    if not (hasattr(ray, "is_initialized") and ray.is_initialized()):
        return False
    worker = getattr(ray.get_runtime_context(), "worker", None)
    return bool(getattr(worker, "mode", None) == ray.WORKER_MODE)


_WORKERS: dict[str, Callable[[Any], bool]] = {"distributed.worker": _is_dask_worker, "ray": _is_ray_worker}


def check_dask() -> None:
    """Raise ParallelError if Dask is not installed: joblib would name a package that does not do."""
    if "distributed" not in sys.modules and find_spec("distributed") is None:
        raise ParallelError("Dask is not installed: pip install 'vecphe[dask]'")


def register_ray() -> None:
    """Have joblib know the backend "ray"; that changes nothing else of it.

    Raises
    ------
    ParallelError
        If Ray is not installed.
    """
    try:
        from ray.util.joblib import register_ray as register

        register()
    except ImportError:
        raise ParallelError("Ray is not installed: pip install 'vecphe[ray]'") from None


def jobs_on(cluster: Cluster, n_jobs: int) -> int:
    """Workers that `n_jobs` means: all but some if it is negative, and no more than there are.

    Raises
    ------
    ParallelError
        If there is no worker, nor comes one in some seconds.
    """
    if n_jobs == 1:
        return 1
    workers = _told(cluster, cluster.workers) or _awaited_workers(cluster)
    return max(workers + 1 + n_jobs if n_jobs < 0 else min(n_jobs, workers), 1)


def _awaited_workers(cluster: Cluster) -> int:
    """Those that come for a task: clusters that grow with their work have none before."""
    run_on(cluster, int, [()], 1)
    return _told(cluster, cluster.workers)


def run_on(
    cluster: Cluster, function: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], jobs: int
) -> list[Result]:
    """``[function(*task) for task in tasks]``, on `jobs` workers of a cluster. Everything is pickled.

    Raises
    ------
    ParallelError
        If the cluster gives up a task, or has no workers any more.
    """
    ahead = jobs if jobs < _told(cluster, cluster.workers) else _TASKS_AHEAD * jobs
    running: dict[Any, int] = {}
    results: dict[int, Result] = {}
    try:
        for number, task in enumerate(tasks):
            parcel = Parcel(pickle.dumps((function, task)))
            running[_told(cluster, cluster.start, parcel)] = number
            while len(running) >= ahead:
                _collect(cluster, running, results)
        while running:
            _collect(cluster, running, results)
    finally:
        if running:
            _give_up(cluster, list(running))
    return [results[number] for number in range(len(results))]


def _collect(cluster: Cluster, running: dict[Any, int], results: dict[int, Result]) -> None:
    """Wait for tasks that end, and keep what they give."""
    given: list[tuple[Any, Parcel]] = []
    end = time.monotonic() + cluster.patience
    while not given:
        ended = _told(cluster, cluster.ended, list(running), _SECONDS_BETWEEN_LOOKS)
        answers = ((task, _told(cluster, cluster.result, task)) for task in ended)
        given = [(task, parcel) for task, parcel in answers if parcel is not None]
        if not ended and _told(cluster, cluster.workers):
            end = time.monotonic() + cluster.patience  # they compute
        elif not given and time.monotonic() > end:
            lack = "results of its workers do not come" if ended else "there are no workers"
            raise ParallelError(f"{cluster.name}: {lack}, for {cluster.patience:g} s now; start some, and try again")
    for task, parcel in given:
        number = running.pop(task)
        good, outcome = pickle.loads(parcel.data)
        if not good:
            raise outcome
        results[number] = outcome


def _told(cluster: Cluster, ask: Callable[..., Result], *arguments: Any) -> Result:
    """What the cluster answers; whatever it raises is about the cluster."""
    try:
        return ask(*arguments)
    except ParallelError:
        raise
    except Exception as error:
        # Not chained: what clusters say of a task quotes where it came from.
        raise ParallelError(
            f"{cluster.name} could not run a task ({type(error).__name__}): its workers died, ran out of memory or "
            "cannot import the vecphe of this machine; their logs tell more. The next call can go on"
        ) from None


def _give_up(cluster: Cluster, tasks: Sequence[Any]) -> None:
    with suppress(Exception):  # a cluster that is gone does not run them either; there is an error on its way already
        cluster.cancel(tasks)


def _work(parcel: Parcel) -> Parcel:
    """One task, in a worker."""
    try:
        function, arguments = pickle.loads(parcel.data)
        outcome = True, function(*arguments)
    except Exception as error:
        outcome = False, error
    return Parcel(pickle.dumps(outcome))
