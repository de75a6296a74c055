"""What Dask and Ray are asked for, on stand-ins: rows 14, 43, 56, 60 and 84; real ones are in tests/cluster."""

from __future__ import annotations

import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import joblib
import numpy as np
import pytest
from joblib.parallel import get_active_backend
from tests.system.fake_clusters import KINDS, FakeCluster, fake_cluster

import vecphe
from vecphe import ParallelError, PrivateKey, PublicKey
from vecphe.system import clusters
from vecphe.system.clusters import Parcel, cluster_of
from vecphe.system.parallel import effective_jobs, place_of, run_tasks


@pytest.fixture(params=KINDS)
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    with fake_cluster(request.param, monkeypatch) as cluster:
        yield cluster


@pytest.fixture
def small_tasks(keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch) -> None:
    """Little work is worth a task, and all of it worth carrying away."""
    engine = keypair[0]._context.engine
    small = replace(engine.tuning, encrypt_task=4, decrypt_task=4, multiply_task=8, carry_products=1)
    monkeypatch.setattr(engine, "tuning", small)


def run(cluster: FakeCluster, function: Callable[..., Any], tasks: list[tuple[Any, ...]], jobs: int = 2) -> list[Any]:
    return run_tasks(function, tasks, cluster.backend, place_of(cluster.backend), jobs)


def late(number: int) -> int:
    time.sleep(0.05 if number % 2 else 0)
    return -number


def fail(number: int) -> int:
    raise KeyError("own error", number)


# What goes there -------------------------------------------------------------------------------------------------


def forms_of(number: int) -> list[bytes]:
    """In which it could travel, whole or in part."""
    data = number.to_bytes((number.bit_length() + 7) // 8, "little")
    text = str(number).encode(), f"{number:x}".encode()
    return [data[:16], data[-16:], data[::-1][:16], *(form[:24] for form in text)]


def leaks(sent: list[bytes], private_key: PrivateKey) -> list[bytes]:
    p, q = private_key.p, private_key.q
    numbers = (p, q, p - 1, q - 1, p * p, q * q, (p - 1) * (q - 1))
    known = b"".join(forms_of(private_key.public_key.n))
    forms = [form for number in numbers for form in forms_of(number) if form not in known]
    # The upper half of phi is that of n.
    return [form for form in forms if any(form in data for data in sent)]


@pytest.mark.usefixtures("small_tasks")
def test_h84_private_numbers_stay_and_all_else_goes(
    keypair: tuple[PublicKey, PrivateKey], cluster: FakeCluster
) -> None:
    public_key, private_key = keypair
    x = np.arange(-30.0, 30.0).reshape(3, 20)
    matrix = np.arange(12).reshape(4, 3)
    counts = []
    with joblib.parallel_config(backend=cluster.backend, n_jobs=2):
        c = public_key.encrypt(x)
        counts.append(len(cluster.sent))
        total = c.sum()
        counts.append(len(cluster.sent))
        product = matrix @ c
        counts.append(len(cluster.sent))
        sent = vecphe.EncryptedArray.from_bytes(public_key, (c * 2).to_bytes())
        counts.append(len(cluster.sent))
        assert sorted(set(counts)) == counts
        assert counts[0] > 1
        assert private_key.decrypt(c).tolist() == x.tolist()
        assert private_key.decrypt(total) == x.sum()
        assert private_key.decrypt(product).tolist() == (matrix @ x).tolist()
        assert private_key.decrypt(sent, n_jobs=1).tolist() == (2 * x).tolist()
        for n_jobs in (2, -1):
            with pytest.raises(ParallelError, match="decryption stays on this machine"):
                private_key.decrypt(c, n_jobs=n_jobs)
    assert len(cluster.sent) == counts[-1]
    assert leaks(cluster.sent, private_key) == []
    assert leaks([pickle.dumps((abs, (private_key.p,)))], private_key)  # a control: what looks for them must see one


@pytest.mark.usefixtures("small_tasks")
def test_h84_decryption_does_not_ask_a_cluster_that_is_gone(
    keypair: tuple[PublicKey, PrivateKey], cluster: FakeCluster
) -> None:
    c = keypair[0].encrypt(np.arange(40.0))
    cluster.trouble["workers"] = ConnectionError("gone")
    with joblib.parallel_config(backend=cluster.backend):
        assert keypair[1].decrypt(c).tolist() == np.arange(40.0).tolist()
        with pytest.raises(ParallelError, match=r"could not run a task \(ConnectionError\)"):
            keypair[0].encrypt(np.arange(40.0), n_jobs=2)


def test_h84_the_backends_of_clusters_are_known_and_not_of_this_machine(cluster: FakeCluster) -> None:
    assert place_of(cluster.backend) == "machines"
    assert cluster_of(cluster.backend) is not None
    derived = type(type(cluster.backend).__name__, (type(cluster.backend),), {})
    other = derived.__new__(derived)
    assert cluster_of(other) is None  # may do as it likes
    assert place_of(other) == "machines"
    assert cluster_of(joblib.parallel.LokyBackend()) is None


@pytest.mark.usefixtures("small_tasks")
def test_h62_a_worker_makes_its_table_once(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each task, nor for each call."""
    public_key, private_key = vecphe.generate_keypair(512, insecure=True)
    ring, tables = type(public_key._context.ring), []
    original = ring.fixed_base
    monkeypatch.setattr(ring, "fixed_base", lambda *arguments: tables.append(arguments[-1]) or original(*arguments))
    x = np.arange(64.0)
    with joblib.parallel_config(backend=cluster.backend, n_jobs=2):
        for _ in range(3):
            c = public_key.encrypt(x)
    assert private_key.decrypt(c).tolist() == x.tolist()
    assert len(cluster.sent) == 24
    assert 1 <= len(tables) <= 4  # two threads can begin at once, and twice its share wants a larger window


def test_h14_no_value_in_what_a_cluster_shows_of_its_tasks(cluster: FakeCluster) -> None:
    """They print the arguments of a task that fails, into logs and pages of all who use the cluster."""
    assert run(cluster, abs, [(-918273645,)]) == [918273645]
    parcel = Parcel(b"918273645")
    assert "918273645" not in f"{parcel} {parcel!r} {[parcel]}"
    assert pickle.loads(pickle.dumps(parcel)).data == parcel.data
    for options in cluster.options:
        assert options.get("pure", False) is False  # a pure task is named by a hash of its arguments


@pytest.mark.parametrize("kind", KINDS)
def test_options_of_the_backend_reach_the_cluster(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_cluster(kind, monkeypatch, num_cpus=2) as cluster:
        assert run(cluster, abs, [(-1,)]) == [1]
        assert cluster.options[0]["num_cpus"] == 2
        cluster.threads = 5
        with joblib.parallel_config(backend=cluster.backend):
            assert effective_jobs(-1) == (2 if kind == "ray" else 5)


# How many --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_jobs", "workers", "jobs"),
    [(-1, 6, 6), (-2, 6, 5), (-6, 6, 1), (-9, 6, 1), (2, 6, 2), (6, 6, 6), (9, 6, 6), (1, 6, 1), (-1, 1, 1)],
)
def test_h43_n_jobs_counts_workers(cluster: FakeCluster, n_jobs: int, workers: int, jobs: int) -> None:
    cluster.threads = workers
    with joblib.parallel_config(backend=cluster.backend):
        assert effective_jobs(n_jobs) == jobs
    with joblib.parallel_config(backend=cluster.backend, n_jobs=n_jobs):
        assert effective_jobs(None) == jobs
        assert effective_jobs(1) == 1
    with joblib.parallel_config(backend=cluster.backend, n_jobs=0):  # which only joblib lets pass
        assert effective_jobs(None) == 1
    cluster.trouble["workers"] = RuntimeError("gone")
    with joblib.parallel_config(backend=cluster.backend, n_jobs=1):
        assert effective_jobs(None) == 1  # nobody is asked


def test_a_cluster_without_cpus_has_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_cluster("ray", monkeypatch) as cluster:
        ray = cluster_of(cluster.backend)
        assert ray is not None
        assert ray.workers() == 2
        monkeypatch.setattr(sys.modules["ray"], "cluster_resources", lambda: {"memory": 1e9})
        assert ray.workers() == 0


def test_how_long_a_worker_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_cluster("dask", monkeypatch) as cluster:
        for given, seconds in ((0.05, 0.05), (3, 3.0), (None, clusters._SECONDS_WITHOUT_WORKERS)):
            cluster.backend.wait_for_workers_timeout = given
            dask = cluster_of(cluster.backend)
            assert dask is not None
            assert dask.patience == seconds


@pytest.mark.parametrize(
    ("module", "is_worker"),
    [
        ({}, False),
        ({"is_initialized": False}, False),
        ({"is_initialized": True, "mode": 0}, False),
        ({"is_initialized": True}, False),
        ({"is_initialized": True, "mode": 1}, True),
    ],
)
def test_h43_a_worker_of_ray_is_known_by_its_mode(module: dict[str, Any], is_worker: bool) -> None:
    ray = ModuleType("ray")
    if "is_initialized" in module:
        mode = {"mode": module["mode"]} if "mode" in module else {}
        context = SimpleNamespace(worker=SimpleNamespace(**mode))
        vars(ray).update(WORKER_MODE=1, is_initialized=lambda: module["is_initialized"])
        vars(ray).update(get_runtime_context=lambda: context)
    assert clusters._is_ray_worker(ray) is is_worker


def test_h43_without_n_jobs_it_is_what_the_backend_says(cluster: FakeCluster) -> None:
    with joblib.parallel_config(backend=cluster.backend):
        assert effective_jobs(None) == {"dask": 2, "ray": 1}[cluster.kind]


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (2, 2), (3, 3), (4, 12)])
def test_h43_no_more_tasks_at_once_than_jobs(cluster: FakeCluster, jobs: int, most: int) -> None:
    """And where all workers serve, a bounded number waits there, so that none of them has to."""
    cluster.threads = 4
    assert run(cluster, late, [(number,) for number in range(40)], jobs) == [-number for number in range(40)]
    assert 1 <= cluster.most_at_once <= most
    assert cluster.most_at_once > jobs or jobs < 4


class InTurn:
    """A cluster whose tasks end one after the other, each when it is looked for."""

    name, patience = "one", 1.0

    def __init__(self) -> None:
        self.running, self.most, self.cancelled = list[Parcel](), 0, list[Any]()

    def workers(self) -> int:
        return 4

    def start(self, parcel: Parcel) -> Parcel:
        self.running.append(parcel)
        self.most = max(self.most, len(self.running))
        return parcel

    def ended(self, tasks: list[Parcel], seconds: float) -> list[Parcel]:
        assert tasks == self.running
        return tasks[:1]

    def result(self, task: Parcel) -> Parcel:
        self.running.remove(task)
        return clusters._work(task)

    def cancel(self, tasks: list[Parcel]) -> None:
        self.cancelled.append(tasks)


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (2, 2), (3, 3), (4, 12)])
def test_h43_just_so_many_tasks_wait_at_the_cluster(jobs: int, most: int) -> None:
    """Those that its workers compute, and where all of them serve two more for each."""
    one = InTurn()
    assert clusters.run_on(one, abs, [(-number,) for number in range(40)], jobs) == list(range(40))
    assert (one.most, one.cancelled) == (most, [])
    with pytest.raises(KeyError, match="own error"):
        clusters.run_on(one, fail, [(number,) for number in range(40)], jobs)
    assert one.cancelled == ([one.running] if one.running else [])


def jobs_in_a_task(backend: Any) -> list[int]:
    with joblib.parallel_config(backend=backend, n_jobs=2):
        return [effective_jobs(n_jobs) for n_jobs in (None, 2, -1)]


def test_h43_in_a_worker_of_the_cluster_there_is_one(cluster: FakeCluster) -> None:
    assert cluster.pool.submit(cluster._run, jobs_in_a_task, cluster.backend).result() == [1, 1, 1]
    assert jobs_in_a_task(cluster.backend) == [2, 2, 2]


def test_h43_in_a_worker_there_is_one_on_any_backend_unless_the_call_says_more(cluster: FakeCluster) -> None:
    """Also where somebody's own task or actor calls, for which joblib's backend is the one that it starts with."""
    for backend in ("threading", "loky"):
        assert cluster.pool.submit(cluster._run, jobs_in_a_task, backend).result() == [1, 2, joblib.cpu_count()]
        assert jobs_in_a_task(backend) == [2, 2, joblib.cpu_count()]
    for module in ("distributed.worker", "ray"):  # nothing but the names are there
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, module, ModuleType(module))
            assert jobs_in_a_task("threading")[0] == 2


# Trouble ---------------------------------------------------------------------------------------------------------


def test_results_come_in_order_and_errors_of_tasks_as_they_are(cluster: FakeCluster) -> None:
    assert run(cluster, late, [(number,) for number in range(9)]) == [-number for number in range(9)]
    assert run(cluster, late, []) == []
    with pytest.raises(KeyError, match="own error") as caught:
        run(cluster, fail, [(number,) for number in range(9)])
    assert caught.value.args[0] == "own error"
    assert len(cluster.cancelled) > 0


@pytest.mark.parametrize("what", ["workers", "submit", "wait", "result"])
def test_h56_trouble_of_the_cluster_is_a_typed_error_and_the_next_call_works(cluster: FakeCluster, what: str) -> None:
    cluster.trouble[what] = RuntimeError("of task f(b'plaintext')")
    cluster.trouble["cancel"] = RuntimeError("and worse")
    with pytest.raises(ParallelError, match=r"could not run a task \(RuntimeError\)") as caught:
        run(cluster, late, [(number,) for number in range(9)])
    assert "plaintext" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    cluster.trouble.clear()
    assert run(cluster, late, [(3,)]) == [-3]


def test_h56_without_workers_nobody_waits_for_ever(cluster: FakeCluster) -> None:
    cluster.threads = 0
    with pytest.raises(ParallelError, match=r"there are no workers, for 0\.05 s now"):
        run(cluster, late, [(1,), (2,)])
    assert len(cluster.cancelled) == 2
    with joblib.parallel_config(backend=cluster.backend), pytest.raises(ParallelError, match="there are no workers"):
        effective_jobs(2)


def test_h56_results_that_are_lost_are_not_waited_for_for_ever(cluster: FakeCluster) -> None:
    """A worker dies with them after it has told that they are there."""
    cluster.lost = 4
    assert run(cluster, late, [(number,) for number in range(9)]) == [-number for number in range(9)]
    assert cluster.lost == 0
    cluster.lost = 1 << 60
    with pytest.raises(ParallelError, match=r"results of its workers do not come, for 0\.05 s now"):
        run(cluster, late, [(number,) for number in range(9)])


def test_h56_workers_that_come_in_time_are_waited_for(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters.RayCluster, "patience", 60.0)
    cluster.backend.wait_for_workers_timeout = 60.0
    for ask in (lambda: run(cluster, late, [(3,)]) == [-3], lambda: jobs_in_a_task(cluster.backend) == [2, 2, 2]):
        cluster.threads = 0
        threading.Timer(0.1, setattr, (cluster, "threads", 2)).start()
        assert ask()


def test_h56_a_cluster_that_works_is_given_all_the_time_it_takes(cluster: FakeCluster) -> None:
    """Longer than the patience with one without workers."""
    assert run(cluster, time.sleep, [(0.3,)]) == [None]


def test_h60_an_interruption_cancels_what_waits(cluster: FakeCluster) -> None:
    cluster.trouble["result"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run(cluster, late, [(number,) for number in range(50)])
    assert cluster.cancelled
    assert len(cluster.sent) < 10
    cluster.trouble.clear()
    assert run(cluster, late, [(3,)]) == [-3]


# Ray alone -------------------------------------------------------------------------------------------------------


def test_without_ray_or_a_connection_the_error_says_what_to_type(
    keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_cluster("ray", monkeypatch) as cluster:
        backend, cluster.backend = cluster.backend, None
        with joblib.parallel_config(backend=backend), pytest.raises(ParallelError, match=r"call ray\.init\(\) first"):
            keypair[0].encrypt(np.zeros(1000), n_jobs=2)
    for name in ("ray", "ray.util", "ray.util.joblib"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ParallelError, match=r"pip install 'vecphe\[ray\]'"), vecphe.parallel(backend="ray"):
        pass


def test_h84_of_joblib_ray_gets_a_name_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_cluster("ray", monkeypatch) as cluster:
        util, joblib_room = type(sys)("ray.util"), type(sys)("ray.util.joblib")
        vars(joblib_room)["register_ray"] = lambda: joblib.register_parallel_backend("ray", type(cluster.backend))
        monkeypatch.setitem(sys.modules, "ray.util", util)
        monkeypatch.setitem(sys.modules, "ray.util.joblib", joblib_room)
        monkeypatch.setattr(joblib.parallel, "BACKENDS", dict(joblib.parallel.BACKENDS))
        with vecphe.parallel(2, "ray"):
            assert type(get_active_backend()[0]) is type(cluster.backend)
            assert effective_jobs(None) == 2
            with joblib.parallel_config(backend="multiprocessing"):
                assert place_of(get_active_backend()[0]) == "processes"
