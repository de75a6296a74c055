"""Encryption on a local cluster of two workers against this process alone: ``python -m benchmarks.clusters dask``.

Both sides run in turn, so that what else runs on the machine meets both. Beside the wall clock it counts CPU time,
which neighbours disturb less: of the workers the share of one of two, of this process what it spends itself.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

import vecphe
from vecphe.bench.environment import machine_line

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


def ticks(pid: int) -> int:
    """CPU time of a process and its threads."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def others() -> dict[int, int]:
    """CPU time of all that this process has started, and that they have."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: ticks(pid) for pid in found - {os.getpid()}}


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clusters", description=__doc__)
    parser.add_argument("kind", choices=["dask", "ray", "loky", "threading"])
    parser.add_argument("--values", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    alone, shared = zip(*rounds(arguments.kind, arguments.values, arguments.rounds), strict=True)
    print(f"{arguments.kind}: {arguments.values} values, 2048 bits, packed, {machine_line()}")
    print(f"load {os.getloadavg()[0]:.1f}; {arguments.rounds} rounds, medians:")
    for name, number in (("wall clock", 0), ("CPU time, two workers side by side", 1)):
        ratios = [one[number] / two[number] for one, two in zip(alone, shared, strict=True)]
        times = [statistics.median(side[number] for side in sides) for sides in (alone, shared)]
        print(
            f"  {name}: {times[0]:.2f} s alone, {times[1]:.2f} s with two workers, "
            f"{statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
