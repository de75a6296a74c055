"""Dask and Ray as they look from vecphe, in threads of this process: for machines where they are not installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import local
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from joblib._dask import DaskDistributedBackend
from joblib.parallel import MultiprocessingBackend, ParallelBackendBase

__all__ = ["KINDS", "FakeCluster", "fake_cluster"]


@dataclass
class FakeCluster:
    """What both have: threads, and a record of what was asked for."""

    kind: str
    pool: ThreadPoolExecutor
    threads: int = 2
    sent: list[bytes] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[Any] = field(default_factory=list)
    in_task: local = field(default_factory=local)
    most_at_once: int = 0
    lost: int = 0  # that many times a result does not come
    trouble: dict[str, BaseException] = field(default_factory=dict)  # by what is asked for
    backend: Any = None
    _running: set[Future[Any]] = field(default_factory=set)

    def asked(self, what: str) -> None:
        if what in self.trouble:
            raise self.trouble[what]

    def workers(self) -> int:
        self.asked("workers")
        return self.threads

    def submit(self, function: Callable[..., Any], parcel: Any, options: dict[str, Any]) -> Future[Any]:
        self.asked("submit")
        self.sent.append(parcel.data)
        self.options.append(options)
        task = self.pool.submit(self._run, function, parcel)
        self._running = {other for other in self._running if not other.done()} | {task}
        self.most_at_once = max(self.most_at_once, len(self._running))
        return task

    def _run(self, function: Callable[..., Any], parcel: Any) -> Any:
        self.in_task.mode = 1
        return function(parcel)

    def first(self, tasks: list[Any], seconds: float) -> list[Any]:
        self.asked("wait")
        assert isinstance(tasks, list)
        return list(wait(tasks, seconds, FIRST_COMPLETED).done) if self.threads else []

    def result(self, task: Future[Any], late: type[Exception]) -> Any:
        self.asked("result")
        if self.lost > 0:
            self.lost -= 1
            raise late
        return task.result()

    def cancel(self, tasks: list[Any]) -> None:
        self.cancelled += tasks
        for task in tasks:
            task.cancel()
        self.asked("cancel")


# Dask ------------------------------------------------------------------------------------------------------------


class NoneEndedError(Exception):
    """As asyncio's TimeoutError on Python 3.10: not the builtin one."""


class CancelledError(Exception):
    pass


class FakeDaskFuture:
    def __init__(self, cluster: FakeCluster, task: Future[Any]) -> None:
        self.cluster, self.task = cluster, task

    @property
    def status(self) -> str:
        return "finished" if self.task.done() and self.cluster.threads else "pending"

    def result(self, timeout: float) -> Any:
        return self.cluster.result(self.task, NoneEndedError)


class FakeDaskClient:
    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster

    def nthreads(self) -> dict[str, int]:
        return {f"tcp://{number}": 1 for number in range(self.cluster.workers())}

    def submit(self, function: Callable[..., Any], parcel: Any, **options: Any) -> FakeDaskFuture:
        return FakeDaskFuture(self.cluster, self.cluster.submit(function, parcel, options))

    def cancel(self, futures: list[FakeDaskFuture], force: bool = False) -> None:
        assert force
        assert isinstance(futures, list)
        assert futures, "nobody asks a cluster to cancel nothing"
        self.cluster.cancel([future.task for future in futures])


def _fake_dask(cluster: FakeCluster) -> dict[str, ModuleType]:
    module, worker = ModuleType("distributed"), ModuleType("distributed.worker")

    def wait_for(futures: list[FakeDaskFuture], timeout: float, return_when: str) -> None:
        assert return_when == "FIRST_COMPLETED"
        assert isinstance(futures, list)
        if not cluster.first([future.task for future in futures], timeout):
            raise NoneEndedError

    vars(module).update(wait=wait_for, CancelledError=CancelledError, TimeoutError=NoneEndedError)

    class ThreadState:
        def __getattr__(self, name: str) -> Any:
            if name == "execution_state" and getattr(cluster.in_task, "mode", 0):
                return {}
            raise AttributeError(name)

    vars(worker).update(thread_state=ThreadState())
    return {"distributed": module, "distributed.worker": worker}


def _dask_backend(cluster: FakeCluster, **options: Any) -> Any:
    backend = DaskDistributedBackend.__new__(DaskDistributedBackend)
    ParallelBackendBase.__init__(backend)
    backend.client, backend.submit_kwargs = FakeDaskClient(cluster), options
    backend.wait_for_workers_timeout = 0.05
    return backend


# Ray -------------------------------------------------------------------------------------------------------------


class RayBackend(MultiprocessingBackend):  # type: ignore[misc]
    def __init__(self, ray_remote_args: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.ray_remote_args = ray_remote_args


RayBackend.__module__ = "ray.util.joblib.ray_backend"


class GetTimeoutError(Exception):
    pass


class FakeRayTask:
    def __init__(self, cluster: FakeCluster, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.cluster, self.function, self.given = cluster, function, options

    def options(self, **options: Any) -> FakeRayTask:
        return FakeRayTask(self.cluster, self.function, options)

    def remote(self, parcel: Any) -> Future[Any]:
        return self.cluster.submit(self.function, parcel, self.given)


def _fake_ray(cluster: FakeCluster) -> dict[str, ModuleType]:
    module = ModuleType("ray")

    def wait_for(tasks: list[Any], num_returns: int, timeout: float, fetch_local: bool) -> tuple[list[Any], list[Any]]:
        assert num_returns == 1
        assert not fetch_local
        done = cluster.first(tasks, timeout)[:1]
        return done, [task for task in tasks if task not in done]

    vars(module).update(
        WORKER_MODE=1,
        is_initialized=lambda: cluster.backend is not None,
        cluster_resources=lambda: {"CPU": float(cluster.workers()), "memory": 1e9},
        get_runtime_context=lambda: SimpleNamespace(worker=SimpleNamespace(mode=getattr(cluster.in_task, "mode", 0))),
        remote=lambda function: FakeRayTask(cluster, function, {}),
        wait=wait_for,
        get=lambda task, timeout: cluster.result(task, GetTimeoutError),
        exceptions=SimpleNamespace(GetTimeoutError=GetTimeoutError),
        cancel=lambda task: cluster.cancel([task]),
    )
    return {"ray": module}


def _ray_backend(cluster: FakeCluster, **options: Any) -> Any:
    return RayBackend(options or None)


# Either ----------------------------------------------------------------------------------------------------------

KINDS = {"dask": (_fake_dask, _dask_backend), "ray": (_fake_ray, _ray_backend)}


@contextmanager
def fake_cluster(kind: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[FakeCluster]:
    """A cluster of two threads; `backend` is joblib's for it."""
    from vecphe.system import clusters

    modules, backend = KINDS[kind]
    with ThreadPoolExecutor(2) as pool:
        cluster = FakeCluster(kind, pool)
        for name, module in modules(cluster).items():
            monkeypatch.setitem(sys.modules, name, module)
        cluster.backend = backend(cluster, **options)
        monkeypatch.setattr(clusters.RayCluster, "patience", 0.05)
        monkeypatch.setattr(clusters, "_SECONDS_BETWEEN_LOOKS", 0.01)
        clusters._ray_task.cache_clear()
        yield cluster
        clusters._ray_task.cache_clear()
