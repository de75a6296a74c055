"""joblib: HAZARDS rows 43 and 56, and the one door for private numbers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from pathlib import Path
from typing import Literal

import joblib
import numpy as np
import pytest

from vecphe import InvalidCiphertextError, ParallelError, PrivateKey, PublicKey
from vecphe.arithmetic import active_engine
from vecphe.parallel import chunk_bounds, effective_jobs, run_local_tasks, run_tasks


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1, -2])
@pytest.mark.parametrize("packed", [False, True])
def test_h43_the_result_does_not_depend_on_n_jobs(
    keypair: tuple[PublicKey, PrivateKey], n_jobs: int | None, packed: bool
) -> None:
    public_key, private_key = keypair
    x = np.arange(-2000.0, 2000.0) / 8
    c = public_key.encrypt(x, packed=packed, n_jobs=n_jobs)
    assert private_key.decrypt(c, n_jobs=n_jobs).tolist() == x.tolist()
    residues = [value % public_key.n for value in c.ciphertexts()]
    assert len(set(residues)) == len(residues)


@pytest.mark.parametrize(("n_jobs", "error"), [(0, ValueError), ("2", TypeError), (1.5, TypeError), (True, TypeError)])
def test_h43_bad_n_jobs(keypair: tuple[PublicKey, PrivateKey], n_jobs: object, error: type[Exception]) -> None:
    public_key, private_key = keypair
    for size in (1, 1000):
        with pytest.raises(error, match="n_jobs"):
            public_key.encrypt(np.zeros(size), n_jobs=n_jobs)  # type: ignore[arg-type]
    c = public_key.encrypt(np.zeros(3))
    with pytest.raises(error, match="n_jobs"):
        private_key.decrypt(c, n_jobs=n_jobs)  # type: ignore[arg-type]


def _encrypt_inside_worker(n: int, engine: str, x: np.ndarray) -> tuple[str, int, set[int], list[int]]:
    os.environ["VECPHE_ENGINE"] = engine
    warnings.simplefilter("ignore")
    ciphertexts = PublicKey(n, insecure=True).encrypt(x, n_jobs=2).ciphertexts()
    backend = type(joblib.parallel.get_active_backend()[0]).__name__
    others = {pid for workers in WORKERS for pid in run_tasks(_pid, [()] * 4, 2, workers)} - {os.getpid()}
    return backend, len(multiprocessing.active_children()) + _children_of(os.getpid()), others, ciphertexts


WORKERS: tuple[Literal["threads", "processes"], ...] = ("threads", "processes")


def _pid() -> int:
    return os.getpid()


def _children_of(pid: int) -> int:
    return sum(len(task.read_text().split()) for task in Path(f"/proc/{pid}/task").glob("*/children"))


@pytest.mark.parametrize("engine", ["gmp", active_engine().name])
def test_h43_inside_another_worker_no_processes_are_started(keypair: tuple[PublicKey, PrivateKey], engine: str) -> None:
    public_key, private_key = keypair
    x = np.arange(600.0)
    results = joblib.Parallel(n_jobs=2)(
        joblib.delayed(_encrypt_inside_worker)(public_key.n, engine, x) for _ in range(2)
    )
    assert len(results) == 2
    for backend, children, others, ciphertexts in results:
        assert backend in ("ThreadingBackend", "SequentialBackend")
        assert children == 0
        assert others == set()
        assert private_key.decrypt(public_key.from_ciphertexts(ciphertexts)).tolist() == x.tolist()


def test_h43_n_jobs_counts_as_joblib_does() -> None:
    cores = joblib.cpu_count()
    assert effective_jobs(-1) == cores
    assert effective_jobs(-2) == max(cores - 1, 1)
    assert effective_jobs(3) == 3
    assert effective_jobs(1) == 1
    assert effective_jobs(None, 10, 20) == 1


def test_h43_the_engine_hints_and_joblib_chooses_the_backend() -> None:
    mine = {os.getpid()}
    assert set(run_tasks(_pid, [()] * 4, 2, "threads")) == mine
    assert mine.isdisjoint(run_tasks(_pid, [()] * 4, 2, "processes"))
    for workers in WORKERS:
        with joblib.parallel_config(backend="threading", n_jobs=2):
            assert set(run_tasks(_pid, [()] * 4, None, workers)) == mine
        with joblib.parallel_config(backend="loky", n_jobs=2):
            assert mine.isdisjoint(run_tasks(_pid, [()] * 4, None, workers))


def test_joblib_configuration_is_respected() -> None:
    assert effective_jobs(None) == 1
    with joblib.parallel_config(backend="threading", n_jobs=3):
        assert effective_jobs(None) == 3


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 4096, 100_001])
@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_chunks_cover_everything_once(count: int, jobs: int) -> None:
    bounds = chunk_bounds(count, jobs, 256, 4096)
    assert [start for start, _ in bounds][1:] == [stop for _, stop in bounds][:-1]
    assert (bounds[0][0], bounds[-1][1]) == (0, count)
    sizes = [stop - start for start, stop in bounds]
    assert max(sizes) <= 4097
    assert len(bounds) == 1 or min(sizes) >= 256 - 1


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _answer() -> int:
    return 42


def test_h56_a_killed_worker_is_a_typed_error_and_the_next_call_works() -> None:
    with pytest.raises(ParallelError, match="worker process died"):
        run_tasks(_die, [(), ()], 2, "processes")
    assert run_tasks(_answer, [(), ()], 2, "processes") == [42, 42]


def test_errors_of_workers_come_back_as_they_are(keypair: tuple[PublicKey, PrivateKey]) -> None:
    public_key, private_key = keypair
    c = public_key.encrypt(np.zeros(200))
    ring = public_key._source.ring
    broken = ring.concatenate([c.residues, ring.load([private_key.p])])
    c._residues = broken
    c._shape = (201,)
    with pytest.raises(InvalidCiphertextError, match=r"^not a valid ciphertext for this key$"):
        private_key.decrypt(c, n_jobs=2)


class _ClusterBackend(joblib.parallel.ThreadingBackend):  # type: ignore[misc]
    """Stands for dask or ray: any backend that is not one of joblib's local ones."""


def test_private_numbers_do_not_go_to_a_cluster(keypair: tuple[PublicKey, PrivateKey]) -> None:
    public_key, private_key = keypair
    joblib.register_parallel_backend("cluster", _ClusterBackend)
    c = public_key.encrypt(np.arange(200.0))
    with joblib.parallel_config(backend="cluster", n_jobs=2):
        assert run_tasks(_answer, [()], None, "processes") == [42]
        with pytest.raises(ParallelError, match="decryption stays on this machine"):
            run_local_tasks(_answer, [()], None, "processes")
        with pytest.raises(ParallelError, match="decryption stays on this machine"):
            private_key.decrypt(c)
    assert private_key.decrypt(c).tolist() == list(range(200))
