"""Clusters of two worker processes on this machine, of Dask and Ray where they are installed."""

from __future__ import annotations

import gc
import importlib.util
import logging
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import probes

import vecphe
from vecphe.system.clusters import Cluster, cluster_of
from vecphe.system.parallel import run_tasks

ROOT = Path(__file__).parents[2]
MODULES = {"dask": "distributed", "ray": "ray"}


@dataclass
class LocalCluster:
    """One that runs, as `backend` of joblib."""

    kind: str
    scale: Callable[[int], Any] | None = None  # sets the number of workers

    @contextmanager
    def active(self, n_jobs: int | None = None) -> Iterator[Any]:
        """joblib's backend for it, which is the active one."""
        from joblib.parallel import get_active_backend

        with vecphe.parallel(n_jobs, self.kind):
            yield get_active_backend()[0]

    def run(self, function: Callable[..., Any], tasks: list[tuple[Any, ...]], jobs: int = 2) -> list[Any]:
        """The tasks on it."""
        with self.active() as backend:
            return run_tasks(function, tasks, backend, "machines", jobs)

    def adaptor(self) -> Cluster:
        with self.active() as backend:
            cluster = cluster_of(backend)
        assert cluster is not None
        return cluster

    def heal(self) -> None:
        """Wait for both workers; what starts those of Dask gives up on one that dies while it starts."""
        try:
            wait_until(lambda: self.adaptor().workers() == 2, 20)
        except AssertionError:
            if self.scale is None:
                raise
            self.scale(0)
            wait_until(lambda: self.adaptor().workers() == 0)
            self.scale(2)
            wait_until(lambda: self.adaptor().workers() == 2)


@contextmanager
def dask() -> Iterator[LocalCluster]:
    from distributed import Client
    from distributed import LocalCluster as Processes

    with (
        Processes(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as processes,
        Client(processes),
    ):
        yield LocalCluster("dask", processes.scale)


@contextmanager
def ray() -> Iterator[LocalCluster]:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    import ray as library

    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    library.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        object_store_memory=100 * 2**20,
        runtime_env={"env_vars": {"PYTHONPATH": path}},
    )
    try:
        yield LocalCluster("ray")
    finally:
        library.shutdown()
        with warnings.catch_warnings():  # of processes that Ray does not wait for
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture(scope="session", params=["dask", "ray"])
def running_cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    name = MODULES[request.param]
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"NOT UNDER TEST: {request.param} is not installed; make test-cluster installs it")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with ExitStack() as stack:
        made = stack.enter_context({"dask": dask, "ray": ray}[request.param]())
        for number, handler in handlers.items():  # Ray takes SIGTERM
            signal.signal(number, handler)
        assert len({*made.run(probes.pid, [(0.2,)] * 8)}) == 2
        yield made


@pytest.fixture
def cluster(running_cluster: LocalCluster) -> LocalCluster:
    """With both workers, even if the test before has killed some."""
    running_cluster.heal()
    return running_cluster


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Fail if it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
