"""Two worker processes of Dask and of Ray: HAZARDS rows 43 to 45, 56, 57, 60 to 62 and 84. The clusters are real."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from tests.cluster import probes
from tests.cluster.conftest import LocalCluster, wait_until
from tests.engines import kinds_of_engines
from tests.system.test_clusters import leaks

import vecphe
from vecphe import BatchTooLargeError, InvalidCiphertextError, ParallelError, PrivateKey, PublicKey
from vecphe.arithmetic import active_engine, engine_named
from vecphe.system import parallel
from vecphe.system.clusters import DaskCluster, RayCluster

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of what Ray leaves open and running
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Each parcel that leaves for a cluster."""
    parcels: list[bytes] = []
    for kind in (DaskCluster, RayCluster):
        monkeypatch.setattr(kind, "start", _recorded(kind.start, parcels))
    return parcels


def _recorded(start: Any, parcels: list[bytes]) -> Any:
    def recorded(self: Any, parcel: Any) -> Any:
        parcels.append(parcel.data)
        return start(self, parcel)

    return recorded


@pytest.fixture(params=kinds_of_engines())
def engine_keys(
    request: pytest.FixtureRequest, keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch
) -> tuple[PublicKey, PrivateKey]:
    """The key on an engine for which little work is worth a task, and all of it worth carrying away."""
    engine = engine_named(request.param)
    small = replace(engine.tuning, encrypt_task=4, decrypt_task=4, multiply_task=8, carry_products=1)
    monkeypatch.setattr(engine, "tuning", small)
    public_key = PublicKey(keypair[0].n, insecure=True, engine=request.param)
    return public_key, PrivateKey(public_key, keypair[1].p, keypair[1].q)


@pytest.fixture
def fresh_keypair() -> tuple[PublicKey, PrivateKey]:
    """Of which no worker has a table."""
    return vecphe.generate_keypair(512, insecure=True)


# The same values, and what travels -------------------------------------------------------------------------------


def test_h43_every_operation_gives_the_same(
    cluster: LocalCluster, engine_keys: tuple[PublicKey, PrivateKey], sent: list[bytes]
) -> None:
    public_key, private_key = engine_keys
    x = np.arange(-30.0, 30.0).reshape(3, 20)
    matrix = np.arange(-40, 40).reshape(20, 4)
    with cluster.active(2):
        c = public_key.encrypt(x)
        counts = [0, len(sent)]
        places = np.arange(130) % 60
        many, many_labels = c.ravel()[places], np.zeros(130, dtype=int)
        for value, expected in (
            (lambda: c.sum(axis=0), x.sum(axis=0)),
            (lambda: vecphe.group_sum(c.T, np.arange(20) % 7, 7), [[*x.T[i::7].sum(axis=0)] for i in range(7)]),
            (lambda: vecphe.group_sum(many, many_labels, 1), [x.ravel()[places].sum()]),
            (lambda: next(public_key.encrypt_chunks(x.T, chunk=15)), x.T[:15]),
            (lambda: c @ matrix, x @ matrix),
            (lambda: vecphe.EncryptedArray.from_bytes(public_key, (c * 2).to_bytes()), 2 * x),
        ):
            assert private_key.decrypt(value()).tolist() == np.asarray(expected).tolist()
            counts.append(len(sent))
        assert sorted(set(counts)) == counts  # each of them went there
        assert private_key.decrypt(c).tolist() == x.tolist()
    assert len(sent) == counts[-1]
    assert public_key.table_bytes == 0  # nothing was drawn here
    residues = [value % public_key.n for value in c.ciphertexts()]
    assert len(set(residues)) == len(residues)


def test_h84_private_keys_never_travel(
    cluster: LocalCluster, engine_keys: tuple[PublicKey, PrivateKey], sent: list[bytes]
) -> None:
    public_key, private_key = engine_keys
    x = np.arange(40.0)
    with cluster.active(2):
        c = public_key.encrypt(x)
        count = len(sent)
        assert count > 1
        for n_jobs in (2, -1):
            with pytest.raises(ParallelError, match="decryption stays on this machine"):
                private_key.decrypt(c, n_jobs=n_jobs)
        with joblib.parallel_config(backend="loky"):  # what the error says
            assert private_key.decrypt(c, n_jobs=2).tolist() == x.tolist()
        assert private_key.decrypt(c, n_jobs=1).tolist() == x.tolist()
    with cluster.active():  # as `parallel_config(backend=...)` without more
        assert private_key.decrypt(c).tolist() == x.tolist()
    assert len(sent) == count
    assert leaks(sent, private_key) == []


def test_h62_a_worker_makes_a_table_once_and_a_task_takes_little_more_than_its_plaintexts(
    cluster: LocalCluster,
    fresh_keypair: tuple[PublicKey, PrivateKey],
    sent: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    public_key, private_key = fresh_keypair
    monkeypatch.setattr(parallel, "_work", partial(probes.work_and_count_tables, str(tmp_path)))
    x = np.arange(3000.0)
    calls = 3
    with cluster.active(2):
        for _ in range(calls):
            c = public_key.encrypt(x)
    assert private_key.decrypt(c).tolist() == x.tolist()
    counts = [Counter(path.read_text().split()) for path in tmp_path.iterdir()]
    assert len(counts) == 2
    assert sum(count["task"] for count in counts) == len(sent) == 8 * calls
    # One; another, with a larger window, where this worker did far more than its share.
    assert all(1 <= count["table"] <= 2 for count in counts)
    plaintexts = calls * len(x) * 3 * 8  # three words, for 112 fraction bits and those of the number
    assert plaintexts < sum(map(len, sent)) < plaintexts + 500 * len(sent)


def test_h44_two_threads_share_a_key_and_a_cluster(
    cluster: LocalCluster, fresh_keypair: tuple[PublicKey, PrivateKey]
) -> None:
    public_key, private_key = fresh_keypair
    arrays: dict[int, Any] = {}

    def encrypt(number: int) -> None:
        with cluster.active(2):
            arrays[number] = public_key.encrypt(np.full(600, number))

    threads = [threading.Thread(target=encrypt, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert [private_key.decrypt(arrays[number]).tolist() for number in range(3)] == [[n] * 600 for n in range(3)]


def test_h45_what_changes_while_the_cluster_works_is_not_what_it_encrypts(
    cluster: LocalCluster, keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    public_key, private_key = keypair
    x = np.arange(3000.0)

    def changing(start: Any) -> Any:
        def changed(self: Any, parcel: Any) -> Any:
            x[:] = -1
            return start(self, parcel)

        return changed

    for kind in (DaskCluster, RayCluster):
        monkeypatch.setattr(kind, "start", changing(kind.start))
    with cluster.active(2):
        c = public_key.encrypt(x)
        stream = b"".join(public_key.encrypt_chunks(np.arange(3000.0), packed=True).iter_bytes())
    assert set(x) == {-1}
    assert private_key.decrypt(c).tolist() == list(range(3000))
    back = vecphe.EncryptedArray.from_bytes(public_key, stream)
    assert private_key.decrypt(back).tolist() == list(range(3000))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_h57_a_child_forked_beside_a_cluster_works_and_repeats_nothing(
    cluster: LocalCluster, keypair: tuple[PublicKey, PrivateKey]
) -> None:
    """In threads of the child's own: connections to the cluster are its parent's."""
    public_key, private_key = keypair
    public_key.precompute(4)
    with cluster.active(2):
        public_key.encrypt(np.arange(600.0))
        here, there = os.pipe()
        child = os.fork()
        if not child:
            status = 1
            try:
                c = public_key.encrypt(np.arange(4.0), n_jobs=1)
                os.write(there, repr((private_key.decrypt(c, n_jobs=1).tolist(), c.ciphertexts())).encode())
                status = 0
            finally:
                os._exit(status)
        os.close(there)
        own = public_key.encrypt(np.arange(4.0), n_jobs=1).ciphertexts()
        with os.fdopen(here) as pipe:
            values, ciphertexts = ast.literal_eval(pipe.read())
        assert os.waitpid(child, 0)[1] == 0
        assert private_key.decrypt(public_key.encrypt(np.arange(600.0))).tolist() == list(range(600))
    assert values == [0.0, 1.0, 2.0, 3.0]
    assert set(own).isdisjoint(ciphertexts)


def test_h61_what_is_beyond_memory_is_refused_before_anything_travels(
    cluster: LocalCluster, keypair: tuple[PublicKey, PrivateKey], sent: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one call; part by part it goes."""
    public_key, private_key = keypair
    x = np.arange(20_000.0)
    monkeypatch.setattr("vecphe.system.memory._SMALL", 1 << 20)
    monkeypatch.setattr("vecphe.system.memory._available", lambda: 3 << 20)
    with cluster.active(2):
        with pytest.raises(BatchTooLargeError, match="encrypt_chunks"):
            public_key.encrypt(x)
        assert sent == []
        stream = public_key.encrypt_chunks(x, chunk=4000).iter_bytes()
        parts = list(stream)
        assert len(sent) > 5
    assert max(map(len, parts)) <= 4000 * 128
    monkeypatch.undo()
    back = vecphe.EncryptedArray.from_chunks(public_key, parts)
    assert private_key.decrypt(back[-5:]).tolist() == x[-5:].tolist()


def test_h43_nothing_is_handed_on_in_a_worker_nor_do_numeric_libraries_start_threads(
    cluster: LocalCluster, keypair: tuple[PublicKey, PrivateKey]
) -> None:
    public_key, private_key = keypair
    x = np.arange(600.0)
    tasks = [(public_key.n, len(x), n_jobs) for n_jobs in (None, 2, -1)]
    seen = cluster.run(probes.encrypt_inside, tasks)
    seen += cluster.run(probes.encrypt_on, [(cluster.kind, public_key.n, len(x))] * 2)
    with joblib.parallel_config(backend=cluster.kind):
        seen += joblib.Parallel(2)(joblib.delayed(probes.encrypt_inside)(*task) for task in tasks)
    assert len(seen) == 8
    for _, ciphertexts, threads in seen:
        assert private_key.decrypt(public_key.from_ciphertexts(ciphertexts)).tolist() == x.tolist()
        assert set(threads) <= {1}


def test_h43_a_task_of_ones_own_has_one_worker_unless_the_call_says_more(cluster: LocalCluster) -> None:
    asked = 2 if cluster.kind == "ray" else 1  # Dask's workers are daemons, in which joblib starts nothing
    assert cluster.run(probes.jobs_inside, [(None,), (2,)]) == [[1, 1], [asked, asked]]
    assert probes.jobs_inside(2) == [2, 2]


def test_errors_of_tasks_come_back_as_they_are(
    cluster: LocalCluster, engine_keys: tuple[PublicKey, PrivateKey]
) -> None:
    public_key, _ = engine_keys
    ring = public_key._context.ring
    forms = ring.store_bytes(ring.load([5] * 40)), ring.store_bytes(ring.load([public_key.n] * 40))

    def cut(start: int, stop: int) -> tuple[Any, ...]:
        return (list(forms[start > 20]),)

    with cluster.active(2), pytest.raises(InvalidCiphertextError, match=r"^not a valid ciphertext for this key$"):
        parallel.map_chunks(public_key._context, _checked, cut, 40, None, least=4)


def _checked(context: Any, data: list[int]) -> Any:
    return context.ring.checked(context.ring.load_bytes(bytes(data)))


# Workers that die ------------------------------------------------------------------------------------------------


def test_h56_the_death_of_a_worker_in_the_middle_is_survived(
    cluster: LocalCluster, keypair: tuple[PublicKey, PrivateKey], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    public_key, private_key = keypair
    assert active_engine().name == public_key.engine
    assert cluster.run(partial(probes.die_once, str(tmp_path / "a task")), [(n,) for n in range(6)]) == [*range(6)]
    cluster.heal()
    flag = tmp_path / "an encryption"
    monkeypatch.setattr(parallel, "_work", partial(probes.work_and_die_once, str(flag)))
    x = np.arange(-1000.0, 1000.0)
    with cluster.active(2):
        c = public_key.encrypt(x)
    assert flag.exists()
    assert private_key.decrypt(c).tolist() == x.tolist()
    residues = [value % public_key.n for value in c.ciphertexts()]
    assert len(set(residues)) == len(residues)


def test_h56_the_death_of_each_worker_that_takes_a_task_is_a_typed_error_and_the_next_call_works(
    cluster: LocalCluster, keypair: tuple[PublicKey, PrivateKey]
) -> None:
    with pytest.raises(ParallelError, match=r"could not run a task|there are no workers|do not come"):
        cluster.run(probes.die, [(n,) for n in range(6)])
    cluster.heal()
    x = np.arange(600.0)
    with cluster.active(2):
        c = keypair[0].encrypt(x)
    assert keypair[1].decrypt(c).tolist() == x.tolist()


def test_h56_without_any_worker_there_is_an_error_and_new_ones_are_found(
    cluster: LocalCluster, keypair: tuple[PublicKey, PrivateKey]
) -> None:
    if cluster.scale is None:
        pytest.skip("Ray starts the workers of a machine by itself; tests/system has a stand-in without any")
    x = np.arange(600.0)
    cluster.scale(0)
    try:
        wait_until(lambda: cluster.adaptor().workers() == 0)
        with vecphe.parallel(2, cluster.kind, wait_for_workers_timeout=1):
            with pytest.raises(ParallelError, match="Dask: there are no workers, for 1 s now"):
                keypair[0].encrypt(x)
            assert keypair[1].decrypt(keypair[0].encrypt(x, n_jobs=1)).tolist() == x.tolist()
    finally:
        cluster.scale(2)
    cluster.heal()
    with cluster.active(2):
        assert keypair[1].decrypt(keypair[0].encrypt(x)).tolist() == x.tolist()


# Ctrl-C ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def interrupted() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupted")
def test_h60_ctrl_c_ends_the_call_and_what_waits_is_not_run(
    cluster: LocalCluster, keypair: tuple[PublicKey, PrivateKey], tmp_path: Path
) -> None:
    def interrupt() -> None:
        wait_until(lambda: len([*tmp_path.iterdir()]) >= 3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        cluster.run(probes.note, [(str(tmp_path), number, 0.4) for number in range(200)])
    count = len([*tmp_path.iterdir()])
    assert count < 20
    x = np.arange(600.0)
    with cluster.active(2):
        assert keypair[1].decrypt(keypair[0].encrypt(x)).tolist() == x.tolist()
    assert len([*tmp_path.iterdir()]) <= count + 2  # those that had begun


# Joblib under Ray ------------------------------------------------------------------------------------------------

AFTER_RAY = """
import warnings
import joblib, numpy, ray, vecphe
from joblib.pool import PicklingPool
from ray.util.joblib import register_ray

warnings.simplefilter("ignore")
public_key, private_key = vecphe.generate_keypair(512, insecure=True)
register_ray()
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
x = numpy.arange(600.0)
with joblib.parallel_config(backend="ray"):
    c = public_key.encrypt(x, n_jobs=2)
    assert not PicklingPool.__bases__[0].__module__.startswith("ray."), "vecphe does not have Ray change joblib"
    joblib.Parallel(2)(joblib.delayed(abs)(number) for number in range(4))
assert PicklingPool.__bases__[0].__module__.startswith("ray."), "Ray does no more what this test is about"
for backend in ("ray", "multiprocessing"):
    with joblib.parallel_config(backend=backend):
        try:
            private_key.decrypt(c, n_jobs=2)
        except vecphe.ParallelError as error:
            assert "decryption stays on this machine" in str(error)
        else:
            raise AssertionError(backend)
        assert private_key.decrypt(c).tolist() == x.tolist()
with joblib.parallel_config(backend="loky"):
    assert private_key.decrypt(c, n_jobs=2).tolist() == x.tolist()
print("stayed")
"""


def test_h84_private_numbers_stay_when_ray_has_run() -> None:
    pytest.importorskip("ray", reason="NOT UNDER TEST: ray is not installed; make test-cluster installs it")
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run([sys.executable, "-c", AFTER_RAY], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("stayed\n")  # Ray has its say before
