"""Encryption on a local cluster of two workers against this process alone: the group ``cluster`` of the targets.

Both sides run in turn, so that what else runs on the machine meets both. Beside the wall clock it counts CPU time,
which neighbours disturb less: of the workers the share of one of two, of this process what it spends itself.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import numpy as np

import vecphe
from vecphe.system.lifetime import descendants

WORKERS = 2


@contextmanager
def dask() -> Iterator[None]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.ERROR
        ) as cluster,
        Client(cluster),
    ):
        yield


@contextmanager
def ray() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray as library

    library.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, object_store_memory=200 * 2**20)
    yield
    library.shutdown()


def others() -> dict[int, int]:
    """CPU time of all that this process has started, and that they have, in ticks by process."""
    ticks = {}
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # it has ended
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks[pid] = int(fields[11]) + int(fields[12])
    return ticks


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and by the CPUs if `WORKERS` of them were free."""
    before, own, started = others(), time.process_time(), time.perf_counter()
    work()
    wall, own = time.perf_counter() - started, time.process_time() - own
    away = sum(count - before.get(pid, 0) for pid, count in others().items()) / os.sysconf("SC_CLK_TCK")
    return wall, own + away / WORKERS


def rounds(kind: str, values: int, count: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """What so many rounds took this process alone, and the workers; each as `measured` says."""
    public_key, private_key = vecphe.generate_keypair(2048)
    x = np.random.default_rng(0).normal(size=values)
    started = {"dask": dask, "ray": ray}.get(kind, nullcontext)
    with started(), vecphe.parallel(WORKERS, kind):
        small = public_key.encrypt(x[:10_000], packed=True)
        np.testing.assert_allclose(private_key.decrypt(small, n_jobs=1), x[:10_000], atol=2.0**-40)
        sides = [
            measured(lambda n_jobs=n_jobs: public_key.encrypt(x, packed=True, n_jobs=n_jobs))
            for _ in range(count + 1)
            for n_jobs in (1, None)
        ][2:]  # the first round makes the tables
    return list(zip(sides[::2], sides[1::2], strict=True))
