"""joblib: HAZARDS rows 43, 56, 69, 71 and 84, where work runs, and the one door for private numbers."""

from __future__ import annotations

import contextlib
import functools
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import pytest
import scipy.sparse
from joblib.executor import MemmappingExecutor
from joblib.externals.loky.process_executor import BrokenProcessPool
from joblib.pool import MemmappingPool, PicklingPool
from tests.engines import kinds_of_engines

import vecphe
from vecphe import InvalidCiphertextError, ParallelError, PrivateKey, PublicKey
from vecphe.arithmetic import active_engine, engine_named
from vecphe.arithmetic.cancellation import checkpoint
from vecphe.errors import EngineUnavailableError
from vecphe.system import parallel
from vecphe.system.parallel import chunk_bounds, effective_jobs, map_chunks, place_of, run_tasks

BACKENDS = {"loky": "processes", "multiprocessing": "processes", "threading": "threads", "sequential": "threads"}
ENGINES = kinds_of_engines()
WORKERS: tuple[Literal["threads", "processes"], ...] = ("threads", "processes")


def active(hint: Literal["threads", "processes"] = "processes") -> Any:
    return parallel._active_backend(hint)


def run(function: Callable[..., Any], tasks: list[tuple[Any, ...]], jobs: int, hint: Any = "processes") -> list[Any]:
    """The tasks on joblib's active backend."""
    backend = active(hint)
    return run_tasks(function, tasks, backend, place_of(backend), jobs)


# n_jobs ----------------------------------------------------------------------------------------------------------


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
    others = {pid for workers in WORKERS for pid in run(_pid, [()] * 4, 2, workers)} - {os.getpid()}
    return backend, len(multiprocessing.active_children()) + _children_of(os.getpid()), others, ciphertexts


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


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_h43_inside_another_worker_there_is_one_job(backend: str) -> None:
    """Threads would share the core of the worker, too."""
    with joblib.parallel_config(backend=backend, n_jobs=2):
        tasks = (joblib.delayed(effective_jobs)(n_jobs) for n_jobs in (None, 1, 2, -1, -2))
        assert joblib.Parallel()(tasks) == [1] * 5


def test_a_context_says_how_many_workers_there_are_and_where(
    engine_keys: tuple[PublicKey, PrivateKey], places: list[str]
) -> None:
    with vecphe.parallel(3, "threading"):
        assert effective_jobs(None) == 3
        assert effective_jobs(None, 8, least=8) == 1  # too few to pay for a task
        assert effective_jobs(None, 9, least=8) == 3
        assert effective_jobs(2, 8, least=8) == 2
        with vecphe.parallel(2):
            assert effective_jobs(None) == 2
            assert place_of(active()) == "threads"
        assert effective_jobs(1) == 1
    assert effective_jobs(None) == 1
    with vecphe.parallel():
        assert effective_jobs(None) == joblib.cpu_count()
    with vecphe.parallel(2, "loky", inner_max_num_threads=1):
        check_operations(*engine_keys, places, {"processes"})


@pytest.mark.parametrize(("n_jobs", "error"), [(0, ValueError), ("2", TypeError), (1.5, TypeError), (True, TypeError)])
def test_h43_a_context_takes_what_n_jobs_can_be(n_jobs: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="n_jobs"), vecphe.parallel(n_jobs):  # type: ignore[arg-type]
        pass
    with pytest.raises(ValueError, match="Invalid backend: nowhere"), vecphe.parallel(2, "nowhere"):
        pass


@pytest.mark.parametrize("backend", [5, 2.0, ["loky"], object(), True])
def test_h43_a_backend_is_a_name_or_one_of_joblibs(backend: Any) -> None:
    with pytest.raises(TypeError, match=f"backend must be the name of one of joblib's, not {type(backend).__name__}"):
        parallel.parallel(2, backend).__enter__()
    with vecphe.parallel(2, joblib.parallel.ThreadingBackend()):  # type: ignore[arg-type]
        assert effective_jobs(None) == 2


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_a_cluster_library_that_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecphe.system.clusters.find_spec", lambda _: None)
    for module in ("distributed", "ray"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "ray.util.joblib", None)
    with pytest.raises(ParallelError, match=rf"{name.title()} is not installed: pip install 'vecphe\[{name}\]'"):
        parallel.parallel(2, name).__enter__()


def test_h43_n_jobs_counts_as_joblib_does() -> None:
    cores = joblib.cpu_count()
    assert effective_jobs(-1) == cores
    assert effective_jobs(-2) == max(cores - 1, 1)
    assert effective_jobs(3) == 3
    assert effective_jobs(1) == 1
    assert effective_jobs(None, 10, 20) == 1


def test_h43_the_engine_hints_and_joblib_chooses_the_backend() -> None:
    mine = {os.getpid()}
    assert set(run(_pid, [()] * 4, 2, "threads")) == mine
    assert mine.isdisjoint(run(_pid, [()] * 4, 2, "processes"))
    for workers in WORKERS:
        with joblib.parallel_config(backend="threading"):
            assert set(run(_pid, [()] * 4, 2, workers)) == mine
        with joblib.parallel_config(backend="loky"):
            assert mine.isdisjoint(run(_pid, [()] * 4, 2, workers))
        with joblib.parallel_config(require="sharedmem"):
            assert set(run(_pid, [()] * 4, 2, workers)) == mine


def test_joblib_configuration_is_respected() -> None:
    assert effective_jobs(None) == 1
    with joblib.parallel_config(backend="threading", n_jobs=3):
        assert effective_jobs(None) == 3
        assert [effective_jobs(None, count, 20) for count in (0, 20, 21)] == [1, 1, 3]
        assert [effective_jobs(2, count, 20) for count in (0, 20, 21)] == [2, 2, 2]  # asked for
        assert effective_jobs(1, 21, 20) == 1


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 4096, 100_001])
@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_chunks_cover_everything_once(count: int, jobs: int) -> None:
    bounds = chunk_bounds(count, jobs, 256, 4096)
    assert [start for start, _ in bounds][1:] == [stop for _, stop in bounds][:-1]
    assert (bounds[0][0], bounds[-1][1]) == (0, count)
    sizes = [stop - start for start, stop in bounds]
    assert max(sizes) <= 4097
    assert len(bounds) == 1 or min(sizes) >= 256 - 1


@pytest.mark.parametrize(
    ("count", "jobs", "sizes"),
    [
        (0, 2, [0]),
        (100, 2, [100]),
        (101, 2, [101]),
        (199, 2, [199]),
        (200, 2, [100, 100]),
        (399, 2, [133, 133, 133]),
        (1000, 1, [250] * 4),
        (1001, 1, [200, 200, 200, 200, 201]),
        (800, 2, [100] * 8),
        (1000, 2, [125] * 8),
        (1000, 3, [100] * 10),
        (3000, 2, [250] * 12),
        (110, 1, [110]),
        (250, 1, [250]),  # for one, no more tasks than bound their memory
        (251, 1, [125, 126]),
    ],
)
def test_how_work_is_cut(count: int, jobs: int, sizes: list[int]) -> None:
    assert [stop - start for start, stop in chunk_bounds(count, jobs, 100, 250)] == sizes


def test_h60_a_call_bounds_its_memory_and_its_time(keypair: tuple[PublicKey, PrivateKey]) -> None:
    """A chunk is interrupted between its numbers, and nothing of it is kept until it ends."""
    sizes = map_chunks(
        keypair[0]._context, lambda _, *edges: edges[1] - edges[0], lambda *edges: edges, 10_000, None, least=10
    )
    assert 10 < max(sizes) <= 160
    assert sum(sizes) == 10_000


@pytest.mark.parametrize(("size", "workers"), [(255, 0), (512, 2), (800, 3), (2000, 7), (9000, 24)])
def test_h71_no_more_workers_than_tasks(
    public_key: PublicKey, monkeypatch: pytest.MonkeyPatch, size: int, workers: int
) -> None:
    asked: list[int] = []
    original = joblib.Parallel

    def recorded(n_jobs: int, **options: Any) -> Any:
        asked.append(n_jobs)
        return original(n_jobs=n_jobs, **options)

    monkeypatch.setattr(joblib, "Parallel", recorded)
    engine = public_key._context.engine
    monkeypatch.setattr(engine, "tuning", replace(engine.tuning, encrypt_task=256))
    with joblib.parallel_config(backend="threading"):
        public_key.encrypt(np.zeros(size), n_jobs=24)
    assert asked == ([workers] if workers else [])


@pytest.mark.parametrize("n_jobs", [None, 1])
def test_h71_one_worker_is_this_one(public_key: PublicKey, monkeypatch: pytest.MonkeyPatch, n_jobs: int | None) -> None:
    """However many chunks there are."""
    monkeypatch.setattr(joblib, "Parallel", lambda *_, **__: pytest.fail("a worker was asked for"))
    sizes = map_chunks(
        public_key._context, lambda _, *edges: edges[1] - edges[0], lambda *edges: edges, 100, n_jobs, least=1
    )
    assert sum(sizes) == 100
    assert len(sizes) > 1


def test_few_items_ask_joblib_for_nothing(public_key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is imported when it is first asked, which takes longer than they do."""
    monkeypatch.setattr(parallel, "_active_backend", lambda _: pytest.fail("joblib was asked"))
    for private in (False, True):
        for count in (0, 1, 5):
            parts = map_chunks(
                public_key._context, lambda _, *edges: edges, lambda *edges: edges, count, least=5, private=private
            )
            assert parts == [(0, count)]


@pytest.mark.parametrize(("count", "jobs", "share"), [(12, 2, 6), (13, 2, 7), (13, 3, 5), (13, 5, 3), (4, 9, 1)])
def test_h62_a_worker_knows_how_much_is_its_share(
    public_key: PublicKey, monkeypatch: pytest.MonkeyPatch, count: int, jobs: int, share: int
) -> None:
    """And who watches is told once all of them are back."""
    context, told, asked = public_key._context, list[int](), list[int]()

    def here(function: Any, tasks: Iterator[Any], backend: Any, place: str, jobs: int) -> list[Any]:
        asked.append(jobs)
        done = [function(*task) for task in tasks]
        assert told == []
        return done

    def of_worker(away: parallel.AwayContext, start: int, stop: int) -> np.ndarray[Any, Any]:
        return np.array([[away.share, stop - start]], np.uint64)

    monkeypatch.setattr(parallel, "run_tasks", here)
    with joblib.parallel_config(backend="loky"), parallel.watched(told.append):
        monkeypatch.setattr(context.engine, "tuning", replace(context.engine.tuning, workers="processes"))
        parts = map_chunks(
            context, lambda *_: pytest.fail("here"), lambda *edges: edges, count, jobs, least=1, away=of_worker
        )
    assert {int(part[0, 0]) for part in parts} == {share}
    assert sum(int(part[0, 1]) for part in parts) == count
    assert told == [count]
    assert asked == [min(jobs, count)]


def test_parts_of_a_batch_are_those_between_their_edges(public_key: PublicKey) -> None:
    ring = public_key._context.ring
    batch = ring.load(range(6))
    assert parallel.part_of(ring, batch, 0, 6) is batch
    for start, stop in ((2, 4), (0, 3), (3, 6), (1, 5), (2, 2)):
        assert ring.store(parallel.part_of(ring, batch, start, stop)) == list(range(start, stop))


@pytest.mark.parametrize(
    ("count", "n_jobs", "backend", "called"),
    [
        (3, 2, None, 3), (2, 2, None, 2), (2, 3, None, 2), (1, 2, None, 0), (0, 2, None, 0),
        (3, 1, None, 0), (3, None, None, 0), (3, 2, "threading", 3), (3, 2, "loky", 0),
    ],
)  # fmt: skip
def test_tasks_go_to_threads_where_there_are_some(
    count: int, n_jobs: int | None, backend: str | None, called: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, asked = list[int](), list[int]()
    run_them = parallel.run_tasks
    monkeypatch.setattr(parallel, "run_tasks", lambda *given: asked.append(given[-1]) or run_them(*given))
    with joblib.parallel_config(backend=backend) if backend else contextlib.nullcontext():
        parallel.run_in_threads(done.append, [(number,) for number in range(count)], n_jobs)
    assert sorted(done) == list(range(called))
    assert asked == ([min(n_jobs or 1, count)] if called else [])


@pytest.mark.parametrize("error", [EOFError, parallel._WorkerDiedError, BrokenProcessPool])
def test_h56_whatever_a_dead_worker_shows_as_is_told_alike(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(self: joblib.Parallel, tasks: Iterator[Any]) -> list[Any]:
        raise error("of the arguments")

    monkeypatch.setattr(joblib.Parallel, "__call__", failing)
    with pytest.raises(ParallelError) as caught:
        run(_answer, [(), ()], 2)
    assert str(caught.value) == (
        f"a worker process died ({error.__name__}): out of memory or killed; retry with a lower n_jobs"
    )
    assert caught.value.__suppress_context__


def test_h60_calls_in_threads_are_ended_and_waited_for() -> None:
    started, ended = threading.Event(), list[type[BaseException]]()

    def works(seconds: float) -> None:
        started.set()
        try:
            while True:
                checkpoint()
                time.sleep(0.001)
        finally:
            time.sleep(seconds)
            ended.append(ParallelError)

    def calls(seconds: float) -> None:
        with contextlib.suppress(ParallelError):
            call(seconds)

    call = parallel._ThreadCall(works)
    threads = [threading.Thread(target=calls, args=(seconds,), daemon=True) for seconds in (0.1, 0.3)]
    for thread in threads:
        thread.start()
    started.wait(10)
    time.sleep(0.05)
    call.stop()
    assert len(ended) == 2
    with pytest.raises(ParallelError, match="the batch was interrupted"):
        call(0.0)
    assert len(ended) == 2


PROCESSES_STARTED = """
import os, pathlib, sys, warnings
import numpy, vecphe
warnings.simplefilter("ignore")
public_key, private_key = vecphe.generate_keypair(512, insecure=True)
c = public_key.encrypt(numpy.zeros(64))
private_key.decrypt(c, n_jobs=24)
children = [task.read_text().split() for task in pathlib.Path("/proc/self/task").glob("*/children")]
commands = [pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pids in children for pid in pids]
print(sum(b"popen_loky" in command for command in commands))
"""


def test_h71_two_tasks_start_two_processes() -> None:
    environment = {**os.environ, "VECPHE_ENGINE": "gmp"}
    done = subprocess.run(
        [sys.executable, "-c", PROCESSES_STARTED], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "2\n"


# Every operation, on every engine, wherever joblib runs it -------------------------------------------------------


@pytest.fixture(params=ENGINES)
def engine_keys(
    request: pytest.FixtureRequest, keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch
) -> tuple[PublicKey, PrivateKey]:
    """The key on an engine for which little work is worth a task, and all of it worth carrying away."""
    monkeypatch.setenv("VECPHE_ENGINE", request.param)
    engine = engine_named(request.param)
    small = replace(engine.tuning, encrypt_task=4, decrypt_task=4, multiply_task=8, carry_products=1)
    monkeypatch.setattr(engine, "tuning", small)
    public_key = PublicKey(keypair[0].n, insecure=True)
    assert public_key._context.engine is engine
    return public_key, PrivateKey(public_key, keypair[1].p, keypair[1].q)


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where tasks were sent, and that what leaves the process is of plain types only."""
    sent: list[str] = []
    original = parallel.run_tasks

    def recorded(function: Any, tasks: Iterator[Any], backend: Any, place: Any, jobs: int) -> Any:
        tasks = list(tasks)
        sent.append(place)
        for task in tasks if place != "threads" else []:
            assert not any(isinstance(part, np.ndarray) for part in task)
        return original(function, tasks, backend, place, jobs)

    monkeypatch.setattr(parallel, "run_tasks", recorded)
    return sent


def grouped(x: np.ndarray, labels: np.ndarray, groups: int) -> np.ndarray:
    sums = np.zeros((groups, *x.shape[1:]), dtype=x.dtype)
    np.add.at(sums, labels, x)
    return sums


def check_operations(public_key: PublicKey, private_key: PrivateKey, places: list[str], expected: set[str]) -> None:
    """Each operation gives what numpy gives, and went where it should."""
    x = np.arange(-30.0, 30.0).reshape(3, 20)
    m = np.arange(-40, 40).reshape(20, 4)

    def value(array: vecphe.EncryptedArray) -> list[Any]:
        return private_key.decrypt(array, n_jobs=1).tolist()

    c = public_key.encrypt(x, n_jobs=2)
    tall = public_key.encrypt(x.reshape(20, 3))
    sparse = scipy.sparse.csr_matrix(m[:, :3])
    labels = np.arange(20) % 7 * 2  # every other group is empty
    many = np.arange(130) % 60
    repeated = c.reshape(-1)[many]
    fine = public_key.encrypt(x * 0 + 2.0**-70, encoding=vecphe.FixedPoint(120, 2**10))
    with joblib.parallel_config(n_jobs=2):
        operations: list[tuple[Callable[[], Any], Any]] = [
            (lambda: private_key.decrypt(c).tolist(), x.tolist()),
            (lambda: value(c.sum()), x.sum()),
            (lambda: value(c.sum(axis=0)), x.sum(axis=0).tolist()),
            (lambda: value(c.sum(axis=1)), x.sum(axis=1).tolist()),
            (lambda: value(tall.sum(axis=1)), x.reshape(20, 3).sum(axis=1).tolist()),
            (lambda: value(vecphe.group_sum(tall, labels, 14)), grouped(x.reshape(20, 3), labels, 14).tolist()),
            (lambda: value(vecphe.group_sum(repeated, many * 0, 1)), [x.ravel()[many].sum()]),
            (lambda: value(m[:, :3] @ c), (m[:, :3] @ x).tolist()),
            (lambda: value(c @ m), (x @ m).tolist()),
            (lambda: value(sparse @ c), (m[:, :3] @ x).tolist()),
            (lambda: value(c * x), (x * x).tolist()),
            (lambda: value(c / 4), (x / 4).tolist()),
            (lambda: value(c + fine), (x + 2.0**-70).tolist()),
            (lambda: value(public_key.from_ciphertexts((c * 2).ciphertexts())), (2 * x).ravel().tolist()),
        ]
        for number, (operation, value_expected) in enumerate(operations):
            places.clear()
            assert operation() == value_expected, number
            assert set(places) == expected, number


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_operation_gives_the_same_on_every_engine_and_backend(
    engine_keys: tuple[PublicKey, PrivateKey], places: list[str], backend: str
) -> None:
    with joblib.parallel_config(backend=backend):
        check_operations(*engine_keys, places, {BACKENDS[backend]} if backend != "sequential" else set())


def test_sums_that_do_not_pay_for_their_way_stay_in_the_process(
    engine_keys: tuple[PublicKey, PrivateKey], places: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    public_key, private_key = engine_keys
    engine = public_key._context.engine
    monkeypatch.setattr(engine, "tuning", replace(engine.tuning, carry_products=4))
    c = public_key.encrypt(np.arange(40.0))
    matrix = np.ones((3, 40), dtype=np.int64) * 15
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert private_key.decrypt(c.sum(), n_jobs=1) == 780
        assert private_key.decrypt(matrix @ c, n_jobs=1).tolist() == [11700] * 3
        assert places == []
        assert private_key.decrypt(16 * matrix @ c, n_jobs=1).tolist() == [11700 * 16] * 3
        assert places == ["processes"]


def bits(shape: tuple[int, int], length: int) -> np.ndarray:
    return np.full(shape, (1 << length) - 1)


CUTS: dict[str, tuple[Callable[[Any], Any], tuple[int, int, bool], list[Any]]] = {
    "all": (lambda c: c.sum(), (60, 100, False), [1, 1, 1]),
    "few sums of many terms": (lambda c: c.sum(axis=1), (20, 34, False), [3, 1, 1]),
    "many sums of few terms": (lambda c: c.sum(axis=0), (20, 34, False), [1, 3, 1]),
    "as many sums as terms": (lambda c: c[:, :3].sum(axis=0), (3, 34, False), [1, 3, 1]),
    "as many sums of a row": (lambda c: c[:, :3].sum(axis=1), (3, 34, False), [1, 3, 1]),
    "sums in the middle": (lambda c: c.reshape(2, 3, 10).sum(axis=1), (10, 17, False), [2, 3, 1]),
    "many in the middle": (lambda c: c.reshape(2, 10, 3).sum(axis=1), (10, 17, False), [2, 1, 3]),
    "over two axes": (lambda c: c.reshape(2, 3, 10).sum(axis=(1, 0)), (10, 17, False), [1, 6, 1]),
    "over axes apart": (lambda c: c.reshape(2, 3, 10).sum(axis=(2, 0)), (20, 34, False), [3, 1, 1]),
    "tall matrix": (lambda c: bits((8, 3), 29) @ c, (8, 1, True), [bits((1, 3), 29).tolist(), 20]),
    "square matrix": (lambda c: bits((3, 3), 4) @ c[:, 0], (3, 34, False), [bits((1, 3), 4).tolist(), 1]),
    "wide matrix": (lambda c: bits((2, 20), 4) @ c[0], (20, 50, False), [bits((2, 1), 4).tolist(), 1]),
    "one more bit": (lambda c: bits((2, 20), 5) @ c[0], (20, 25, True), [bits((2, 1), 5).tolist(), 1]),
    "negative entries": (lambda c: -bits((2, 20), 5) @ c[0], (20, 25, True), [(-bits((2, 1), 5)).tolist(), 1]),
    "zeros": (lambda c: np.zeros((2, 20), dtype=np.int64) @ c[0], (20, 2000, False), [[[0], [0]], 1]),
}


@pytest.mark.parametrize("case", CUTS)
def test_what_sums_and_matrices_are_cut_into(
    keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Along the longer side, from a number of products on that is worth a task."""
    engine = keypair[0]._context.engine
    monkeypatch.setattr(engine, "tuning", replace(engine.tuning, multiply_task=100, carry_products=4))
    calls: list[Any] = []

    def recorded(context: Any, function: Any, cut: Any, count: int, **options: Any) -> Any:
        assert options.pop("whole")
        calls.append(((count, options["least"], options["carry"]), list(cut(0, 1)[1:])))
        return map_chunks(context, function, cut, count, whole=True, **options)

    monkeypatch.setattr("vecphe.array.powers.map_chunks", recorded)
    operation, counts, arguments = CUTS[case]
    x = np.arange(60).reshape(3, 20)
    c = keypair[0].encrypt(x)
    assert keypair[1].decrypt(operation(c)).tolist() == operation(x).tolist()
    assert calls == [(counts, arguments)]


TAKES_JOBS: dict[str, Callable[[PublicKey, PrivateKey, int], Any]] = {
    "encrypt": lambda key, _, n: key.encrypt([1.0], n_jobs=n),
    "encrypt_many": lambda key, _, n: key.encrypt_many([[1.0]], n_jobs=n),
    "encrypt_chunks": lambda key, _, n: list(key.encrypt_chunks([1.0], n_jobs=n)),
    "its bytes": lambda key, _, n: list(key.encrypt_chunks([1.0], n_jobs=n).iter_bytes()),
    "precompute": lambda key, _, n: key.precompute(1, n_jobs=n),
    "group_sum": lambda key, _, n: vecphe.group_sum(key.encrypt([1.0], n_jobs=n), [0], 1, n_jobs=n),
    "decrypt": lambda key, private, n: private.decrypt(key.encrypt([1.0], n_jobs=n), n),
    "decrypt_many": lambda key, private, n: private.decrypt_many(key.encrypt_many([[1.0]], n_jobs=n), n),
    "decrypt_chunks": lambda key, private, n: list(
        private.decrypt_chunks([key.encrypt([1.0], n_jobs=n).to_bytes()], n_jobs=n)
    ),
}


@pytest.mark.parametrize("operation", TAKES_JOBS)
def test_h43_what_is_asked_for_arrives(
    keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    asked: list[int | None] = []

    def seen(n_jobs: int | None, *rest: int) -> int:
        asked.append(n_jobs)
        return effective_jobs(n_jobs, *rest)

    monkeypatch.setattr(parallel, "effective_jobs", seen)
    TAKES_JOBS[operation](PublicKey(keypair[0].n, insecure=True), keypair[1], 3)
    assert len(asked) == (2 if operation.startswith(("decrypt", "group")) else 1)
    assert set(asked) == {3}


AXES: list[Any] = [None, 0, 1, 2, -1, (0, 1), (1, 2), (2, 1), (0, 2), (1, 0, 2), ()]


@pytest.mark.parametrize("shape", [(2, 3, 20), (2, 20, 3), (20, 3, 2), (1, 4, 9), (3, 2, 2), (2, 0, 3), (0, 0, 2)])
def test_h43_sums_over_any_axes_are_the_same_on_workers(
    engine_keys: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    public_key, private_key = engine_keys
    engine = public_key._context.engine
    monkeypatch.setattr(engine, "tuning", replace(engine.tuning, multiply_task=4))
    x = np.arange(math.prod(shape)).reshape(shape)
    c = public_key.encrypt(x)
    for axis in AXES:
        for jobs in (1, 3):
            with joblib.parallel_config(backend="threading", n_jobs=jobs):
                total = c.sum(axis)
            assert np.array_equal(private_key.decrypt(total), x.sum(axis))
            assert total.shape == x.sum(axis).shape


def test_h61_sums_copy_no_ciphertexts(
    engine_keys: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless they are over axes that are not side by side."""
    public_key, private_key = engine_keys
    ring = public_key._context.ring
    x = np.arange(24.0).reshape(2, 3, 4)
    c = public_key.encrypt(x)
    with monkeypatch.context() as patch:
        patch.setattr(type(ring), "take", None)
        patch.setattr(type(ring), "concatenate", None)
        sums = {axis: c.sum(axis) for axis in (None, 0, 1, 2, -2, (0, 1), (2, 1), ())}
        mean = c.mean(0)
        c += c
        c += 1.0
        with pytest.raises(TypeError, match="not callable"):
            c.sum((0, 2))
    for axis, total in sums.items():
        assert np.array_equal(private_key.decrypt(total), x.sum(axis))
    assert np.array_equal(private_key.decrypt(mean), x.mean(0))
    assert np.array_equal(private_key.decrypt(c), 2 * x + 1)


def test_small_work_is_not_handed_out(keypair: tuple[PublicKey, PrivateKey], places: list[str]) -> None:
    public_key, private_key = keypair
    tuning = active_engine().tuning
    with joblib.parallel_config(n_jobs=2):
        c = public_key.encrypt(np.ones((2, tuning.encrypt_task // 2)))
        private_key.decrypt(c[0, : tuning.decrypt_task])
        (np.ones((3, 2)) @ c).sum().to_bytes()
    assert places == []


def test_a_worker_keeps_one_source_for_a_key(engine_keys: tuple[PublicKey, PrivateKey]) -> None:
    """Randomizers of different workers and tasks have nothing in common; those of one come from one table."""
    public_key, private_key = engine_keys
    with joblib.parallel_config(backend="loky"):
        c = public_key.encrypt(np.zeros(64), n_jobs=2)
    residues = [value % public_key.n for value in c.ciphertexts()]
    assert len(set(residues)) == 64
    assert public_key.table_bytes == 0  # nothing was drawn here
    phi = (private_key.p - 1) * (private_key.q - 1)
    assert {pow(value, phi, public_key.n**2) for value in c.ciphertexts()} == {1}


WARNED = """
import sys

def unbuilt():
    import sys
    sys.modules["vecphe.arithmetic._native"] = None  # as where it was not built

unbuilt()
import joblib, numpy, vecphe
import vecphe.phe as phe

def here(key):
    return key.encrypt(numpy.zeros(3)).size

def main(backend):
    public_key, private_key = vecphe.generate_keypair(512, insecure=True)
    drop_in = phe.PaillierPublicKey(public_key.n)
    with joblib.parallel_config(backend=backend, n_jobs=2, initializer=unbuilt):
        private_key.decrypt(public_key.encrypt(numpy.zeros(600)))
        assert joblib.Parallel()(joblib.delayed(here)(key) for key in [public_key, drop_in] * 2) == [3] * 4

if __name__ == "__main__":
    main(sys.argv[1])
"""


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_workers_do_not_warn_again(tmp_path: Path, backend: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(WARNED)
    environment = {name: value for name, value in os.environ.items() if name != "VECPHE_ENGINE"}
    command = [sys.executable, "-W", "always", str(script), backend]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("many times slower") == 1
    assert done.stderr.count("(shown once)") == 1
    assert done.stderr.count("InsecureKeyWarning: ") == 2  # of the key, and of the drop-in's


# Workers that die ------------------------------------------------------------------------------------------------


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _answer() -> int:
    return 42


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_h56_a_killed_worker_is_a_typed_error_and_the_next_call_works(backend: str) -> None:
    with joblib.parallel_config(backend=backend):
        with pytest.raises(ParallelError, match="worker process died"):
            run(_die, [(), ()], 2)
        assert run(_answer, [(), ()], 2) == [42, 42]


@pytest.mark.parametrize(
    ("first", "expected"), [(KeyboardInterrupt, KeyboardInterrupt), (ValueError, RuntimeError), (None, RuntimeError)]
)
def test_h60_ctrl_c_while_workers_start_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, first: type[BaseException] | None, expected: type[BaseException]
) -> None:
    """On Python 3.10 joblib cannot end a pool whose thread a Ctrl-C found being started."""

    def failing(self: joblib.Parallel, tasks: Iterator[Any]) -> list[Any]:
        try:
            if first is not None:
                raise first
        finally:
            raise RuntimeError("cannot join thread before it is started")

    monkeypatch.setattr(joblib.Parallel, "__call__", failing)
    with pytest.raises(expected) as caught:
        run(_answer, [(), ()], 2)
    assert type(caught.value) is expected


def _die_late(number: int) -> int:
    if number == 3:
        _die()
    time.sleep(0.1)
    return number


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_h56_among_workers_that_go_on(backend: str) -> None:
    with joblib.parallel_config(backend=backend):
        with pytest.raises(ParallelError, match="worker process died"):
            run(_die_late, [(number,) for number in range(20)], 2)
        assert run(_die_late, [(number,) for number in (5, 6, 7)], 2) == [5, 6, 7]


def test_h56_a_worker_that_ends_in_order_is_not_missed() -> None:
    with joblib.parallel_config(backend="multiprocessing", maxtasksperchild=1):
        assert run(_die_late, [(number,) for number in (4, 5, 6, 7, 8, 9)], 2) == [4, 5, 6, 7, 8, 9]


def test_h56_the_guard_of_a_pool_ends_with_it_and_holds_nothing_up() -> None:
    seen = set()

    def guards() -> set[tuple[str, bool]]:
        return {(thread.name, thread.daemon) for thread in threading.enumerate() if thread.name.startswith("vecphe")}

    def tasks() -> Iterator[tuple[int]]:
        for number in range(8):
            seen.update(guards())
            yield (-number,)

    with joblib.parallel_config(backend="multiprocessing"):
        assert run_tasks(abs, tasks(), active(), "processes", 2) == list(range(8))
    assert seen == {("vecphe-guard", True)}
    end = time.monotonic() + 20
    while guards() and time.monotonic() < end:
        time.sleep(0.02)
    assert not guards()


def test_errors_of_workers_come_back_as_they_are(engine_keys: tuple[PublicKey, PrivateKey]) -> None:
    public_key, private_key = engine_keys
    c = public_key.encrypt(np.zeros(20))
    ring = public_key._context.ring
    c._residues, c._shape = ring.concatenate([c.residues, ring.load([private_key.p])]), (21,)
    for backend in BACKENDS:
        with (
            joblib.parallel_config(backend=backend),
            pytest.raises(InvalidCiphertextError, match=r"^not a valid ciphertext for this key$"),
        ):
            private_key.decrypt(c, n_jobs=2)


# Other machines --------------------------------------------------------------------------------------------------


class ClusterBackend(joblib.parallel.ParallelBackendBase):  # type: ignore[misc]
    """A scheduler that joblib does not know: one process, to which only what the plain pickle takes can go."""

    supports_retrieve_callback = True
    executor: Any = None

    def effective_n_jobs(self, n_jobs: int) -> int:
        return n_jobs or 1

    def submit(self, func: Any, callback: Any = None) -> Any:
        future = self.executor.submit(func)
        future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, future: Any) -> Any:
        return future.result()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[ClusterBackend]]:
    joblib.register_parallel_backend("cluster", ClusterBackend)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        monkeypatch.setattr(ClusterBackend, "executor", executor)
        yield ClusterBackend


def test_a_cluster_gets_bytes_and_no_private_numbers(
    engine_keys: tuple[PublicKey, PrivateKey], cluster: type[ClusterBackend], places: list[str]
) -> None:
    public_key, private_key = engine_keys
    x = np.arange(-20.0, 20.0)
    with joblib.parallel_config(backend="cluster", n_jobs=2):
        assert os.getpid() not in run(_pid, [()] * 2, 2)
        places.clear()
        c = public_key.encrypt(x)
        total = c.sum()
        sent = vecphe.EncryptedArray.from_bytes(public_key, (c * 2).to_bytes())
        assert places == ["machines"] * 4
        with pytest.raises(ParallelError, match="decryption stays on this machine"):
            private_key.decrypt(c, n_jobs=2)
        assert private_key.decrypt(c).tolist() == x.tolist()
        assert private_key.decrypt(c, n_jobs=1).tolist() == x.tolist()
        assert private_key.decrypt(total) == x.sum()
        assert private_key.decrypt(sent).tolist() == (2 * x).tolist()
        assert places == ["machines"] * 4
        with joblib.parallel_config(backend="loky"):  # what the error says
            assert private_key.decrypt(c, n_jobs=2).tolist() == x.tolist()
        assert places == ["machines"] * 4 + ["processes"]


def test_another_machine_takes_the_engine_it_has() -> None:
    assert parallel._away_context("gmp", 35, 1, "machines").engine.name == "gmp"
    assert parallel._away_context("no such engine", 35, 1, "machines").engine is active_engine()
    with pytest.raises(EngineUnavailableError):
        parallel._away_context("no such engine", 35, 1, "processes")


OWN = joblib._parallel_backends


class ForeignPool:
    """As Ray's: not a pool of the standard library, but shaped like one."""

    submitted = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def apply_async(self, *_: Any, **__: Any) -> None:
        type(self).submitted += 1
        raise AssertionError("a task left")

    def close(self) -> None:
        pass

    terminate = close


class DerivedPool(multiprocessing.pool.Pool):
    """A pool of the standard library, changed."""


class DerivedExecutor(MemmappingExecutor):  # type: ignore[misc]
    """An executor of joblib, changed."""


def foreign_function(*_: Any, **__: Any) -> None:
    raise AssertionError("a task left")


@functools.wraps(OWN.LokyBackend.submit)
def wrapping(*_: Any, **__: Any) -> None:
    raise AssertionError("a task left")


def with_bases(kind: type, *bases: type) -> Callable[[pytest.MonkeyPatch], Any]:
    def change(monkeypatch: pytest.MonkeyPatch) -> Any:
        before, kind.__bases__ = kind.__bases__, bases
        return lambda: setattr(kind, "__bases__", before)

    return change


def with_name(owner: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], Any]:
    return lambda monkeypatch: monkeypatch.setattr(owner, name, value)


CHANGES = {
    "base of the pool": ("multiprocessing", with_bases(PicklingPool, ForeignPool)),
    "derived base of the pool": ("multiprocessing", with_bases(PicklingPool, DerivedPool)),
    "base of joblib's pool": ("multiprocessing", with_bases(MemmappingPool, ForeignPool)),
    "pool": ("multiprocessing", with_name(OWN, "MemmappingPool", ForeignPool)),
    "method of the pool": ("multiprocessing", with_name(multiprocessing.pool.Pool, "apply_async", foreign_function)),
    "method of the backend": ("loky", with_name(OWN.LokyBackend, "submit", foreign_function)),
    "base class of the backends": ("loky", with_name(OWN.AutoBatchingMixin, "compute_batch_size", foreign_function)),
    "executor": ("loky", with_name(OWN, "get_memmapping_executor", foreign_function)),
    "derived executor": ("loky", with_name(sys.modules["joblib.executor"], "MemmappingExecutor", DerivedExecutor)),
    "method of the executor": ("loky", with_name(MemmappingExecutor, "submit", foreign_function)),
    "method by its old name": ("loky", with_name(OWN.LokyBackend, "submit", wrapping)),
    "partial method": ("loky", with_name(OWN.LokyBackend, "submit", functools.partialmethod(foreign_function))),
    "object for a method": ("loky", with_name(OWN.LokyBackend, "submit", functools.partial(foreign_function))),
    "property for a method": ("loky", with_name(OWN.LokyBackend, "submit", property(foreign_function))),
    "static method": ("multiprocessing", with_name(multiprocessing.pool.Pool, "Process", staticmethod(wrapping))),
    "class for a method": ("multiprocessing", with_name(multiprocessing.pool.Pool, "Process", ForeignPool)),
    "class method": (
        "loky",
        with_name(MemmappingExecutor, "get_memmapping_executor", classmethod(foreign_function)),
    ),
    "thread pool": ("threading", with_name(OWN, "ThreadPool", ForeignPool)),
    "thread backend": ("threading", with_name(OWN.ThreadingBackend, "submit", foreign_function)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_h84_private_numbers_stay_when_a_library_changes_what_is_joblibs(
    engine_keys: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    public_key, private_key = engine_keys
    backend, make = CHANGES[change]
    x = np.arange(20.0)
    c = public_key.encrypt(x)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert place_of(active()) == BACKENDS[backend]
        with monkeypatch.context() as patch:
            undo = make(patch)
            try:
                assert place_of(active()) == "machines"
                with pytest.raises(ParallelError, match="decryption stays on this machine"):
                    private_key.decrypt(c, n_jobs=2)
                assert private_key.decrypt(c).tolist() == x.tolist()
                other = "loky" if backend != "loky" else "threading"
                with joblib.parallel_config(backend=other, n_jobs=2):
                    assert private_key.decrypt(c, n_jobs=2).tolist() == x.tolist()
            finally:
                if undo:
                    undo()
        assert place_of(active()) == BACKENDS[backend]
        assert private_key.decrypt(c, n_jobs=2).tolist() == x.tolist()


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
@pytest.mark.parametrize(
    "change",
    [
        with_name(joblib, "Parallel", type("Parallel", (joblib.Parallel,), {})),
        with_name(joblib.Parallel, "_dispatch", wrapping),
    ],
    ids=["class", "method"],
)
def test_h84_private_numbers_stay_when_joblibs_loop_is_changed(
    engine_keys: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch, backend: str, change: Callable[..., Any]
) -> None:
    public_key, private_key = engine_keys
    c = public_key.encrypt(np.arange(20.0))
    change(monkeypatch)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        with pytest.raises(ParallelError, match="decryption stays on this machine"):
            private_key.decrypt(c, n_jobs=2)
        assert private_key.decrypt(c, n_jobs=1).tolist() == np.arange(20.0).tolist()


@pytest.mark.parametrize("base", ["LokyBackend", "MultiprocessingBackend", "ThreadingBackend", "SequentialBackend"])
def test_h84_what_is_derived_from_a_local_backend_is_not_local(
    engine_keys: tuple[PublicKey, PrivateKey], base: str
) -> None:
    """By the same name, too: the class tells, not its name."""
    original = getattr(joblib.parallel, base)
    derived = type(base, (original,), {"effective_n_jobs": lambda self, n_jobs: 2})
    derived.__module__ = original.__module__
    public_key, private_key = engine_keys
    c = public_key.encrypt(np.arange(20.0))
    assert place_of(original(nesting_level=0)) in ("threads", "processes")
    assert place_of(derived(nesting_level=0)) == "machines"
    with (
        joblib.parallel_config(backend=derived(nesting_level=0), n_jobs=2),
        pytest.raises(ParallelError, match="decryption stays on this machine"),
    ):
        private_key.decrypt(c, n_jobs=2)


@pytest.mark.parametrize("kind", ["LokyBackend", "MultiprocessingBackend", "ThreadingBackend", "SequentialBackend"])
def test_h84_nor_is_one_object_that_was_changed(kind: str) -> None:
    backend = getattr(joblib.parallel, kind)(nesting_level=0)
    backend.harmless = 1
    assert place_of(backend) in ("threads", "processes")
    for change in (foreign_function, functools.partial(foreign_function), ForeignPool.close):
        backend.submit = change
        assert place_of(backend) == "machines"
        del backend.submit
    assert place_of(backend) in ("threads", "processes")


# What is carried away --------------------------------------------------------------------------------------------


def _kind(values: Any) -> str:
    return type(values).__name__


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_h69_even_a_large_array_would_not_go_through_a_file(backend: str) -> None:
    with joblib.parallel_config(backend=backend, max_nbytes=1):
        assert run(_kind, [(np.zeros(1 << 18),)] * 2, 2) == ["ndarray", "ndarray"]


def _context(share: int = 1) -> parallel.AwayContext:
    engine = engine_named("gmp")
    return parallel.AwayContext(engine, engine.ring(35), share)


def test_chunks_come_back_in_order_and_whole() -> None:
    def function(_: Any, numbers: list[int]) -> list[int]:
        return [math.factorial(number) for number in numbers]

    with joblib.parallel_config(backend="threading", n_jobs=2):
        parts = map_chunks(_context(), function, lambda start, stop: (list(range(start, stop)),), 50, least=3)
    assert len(parts) == 8
    assert [value for part in parts for value in part] == [math.factorial(number) for number in range(50)]
    assert len(map_chunks(_context(), function, lambda start, stop: (list(range(start, stop)),), 50, least=3)) == 2
    whole = map_chunks(_context(), function, lambda start, stop: (list(range(start, stop)),), 50, least=3, whole=True)
    assert len(whole) == 1
