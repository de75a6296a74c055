"""Randomizers made ahead: each is used once, in one thread, in one process (HAZARDS rows 23, 44, 57, 60, 61)."""

from __future__ import annotations

import copy
import json
import os
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from tests.engines import kinds_of_engines

import vecphe
from vecphe import BatchTooLargeError, PrivateKey, PublicKey
from vecphe.bench.counts import counting
from vecphe.errors import PlaintextOverflowError
from vecphe.randomness import ready
from vecphe.randomness.randomizers import RandomizerSource
from vecphe.randomness.ready import ReadyRandomizers, batch_size
from vecphe.system.parallel import watched

Keypair = tuple[PublicKey, PrivateKey]


@pytest.fixture(scope="module", params=kinds_of_engines())
def any_keypair(request: pytest.FixtureRequest) -> Keypair:
    return vecphe.generate_keypair(256, insecure=True, engine=request.param)


@pytest.fixture
def key(any_keypair: Keypair) -> PublicKey:
    """A key object of its own, with nothing ready and its tables made."""
    key = PublicKey(any_keypair[0].n, insecure=True, engine=any_keypair[0].engine)
    key.prepare(300)
    return key


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many randomizers each call made."""
    counts: list[int] = []
    draw = RandomizerSource.draw

    def recorded(self: RandomizerSource, count: int) -> Any:
        counts.append(count)
        return draw(self, count)

    monkeypatch.setattr(RandomizerSource, "draw", recorded)
    return counts


def bare(key: PublicKey, array: Any) -> list[int]:
    """The randomizers of an array modulo n, which ciphertexts are too."""
    return [c % key.n for c in array.ciphertexts(rerandomize=False)]


def as_stored(ready: ReadyRandomizers, count: int) -> list[int]:
    batch = ready.take(count)
    return [] if batch is None else ready._ring.store(batch)


def test_each_is_handed_out_once_and_in_order(key: PublicKey) -> None:
    ring, source = key._context.ring, key._source
    batches = [source.draw(count) for count in (5, 1, 8)]
    ready = ReadyRandomizers(ring)
    for batch in batches:
        ready.add(batch)
    expected = [value for batch in batches for value in ring.store(batch)]
    assert len(ready) == len(set(expected)) == 14
    taken = [as_stored(ready, count) for count in (3, 0, 4, 6, 9, 1)]
    assert [len(part) for part in taken] == [3, 0, 4, 6, 1, 0]
    assert [value for part in taken for value in part] == expected
    assert len(ready) == 0
    assert not ready._stocks  # the last batch is freed, too


def test_what_is_cleared_is_gone(key: PublicKey) -> None:
    key.precompute(3)
    key._ready.clear()
    assert key.ready_randomizers == len(key._ready._stocks) == 0


@pytest.mark.parametrize("packed", [False, True])
def test_encryption_uses_what_is_ready_and_makes_the_rest(
    any_keypair: Keypair, key: PublicKey, draws: list[int], packed: bool
) -> None:
    x = np.arange(6.0)
    needed = 6 if not packed else key.encrypt(x, packed=True).n_ciphertexts
    draws.clear()
    key.precompute(needed + 1)
    assert (draws, key.ready_randomizers) == ([needed + 1], needed + 1)
    first = key.encrypt(x, packed=packed)
    assert (draws, key.ready_randomizers) == ([needed + 1], 1)
    second = key.encrypt(x, packed=packed)
    assert draws == ([needed + 1, needed - 1] if needed > 1 else [needed + 1])
    assert key.ready_randomizers == 0
    third = key.encrypt(x, packed=packed)
    assert draws[-1] == needed
    for array in (first, second, third):
        assert any_keypair[1].decrypt(array).tolist() == x.tolist()
    used = [value for array in (first, second, third) for value in bare(key, array)]
    assert len(set(used)) == len(used) == 3 * needed


@pytest.mark.parametrize("ahead", [0, 2, 6])
def test_who_watches_is_told_of_those_that_ready_ones_hide(key: PublicKey, ahead: int) -> None:
    key.precompute(ahead)
    told: list[int] = []
    with watched(told.append):
        c = key.encrypt(np.arange(6.0))
        assert sum(told) == 6
        key.precompute(ahead)
        told.clear()
        (-c).to_bytes()
    assert sum(told) == 6


def test_workers_share_what_is_missing(any_keypair: Keypair, key: PublicKey) -> None:
    x = np.arange(700.0)
    key.precompute(100, n_jobs=2)
    array = key.encrypt(x, n_jobs=2)
    assert key.ready_randomizers == 0
    assert any_keypair[1].decrypt(array).tolist() == x.tolist()
    assert len(set(bare(key, array))) == 700


def test_precompute_adds_also_on_several_workers(key: PublicKey) -> None:
    least = key._context.engine.tuning.encrypt_task
    key.precompute(3)
    key.precompute(0)
    key.precompute(np.int64(4 * least), n_jobs=2)
    assert key.ready_randomizers == 3 + 4 * least
    values = as_stored(key._ready, 5 * least)
    assert len(set(values)) == len(values) == 3 + 4 * least


def test_h39_re_randomising_uses_what_is_ready(any_keypair: Keypair, key: PublicKey, draws: list[int]) -> None:
    array = key.encrypt(np.arange(4.0))
    difference = array - array
    key.precompute(4)
    draws.clear()
    sent = difference.ciphertexts()
    assert not draws
    assert key.ready_randomizers == 0
    assert len({c % key.n for c in sent} - {1}) == 4
    assert any_keypair[1].decrypt(key.from_ciphertexts(sent)).tolist() == [0.0] * 4


def test_the_online_part_takes_less_than_three_products(key: PublicKey) -> None:
    key.precompute(40)
    x = np.arange(40.0)
    with counting(key._context.engine) as counts:
        array = key.encrypt(x)
        again = array.ciphertexts()
    assert counts["ring.multiply_plain"] == len(again) == 40
    assert not any("power" in name or "fixed_base" in name for name in counts)
    assert counts.get("ring.multiply", 0) == 0
    if "kernel.multiply_adds" in counts:
        with counting(key._context.engine) as of_products:
            key._context.ring.multiply(array.residues, array.residues)
        with counting(key._context.engine) as of_plain:
            key._context.ring.multiply_plain(array.residues, np.zeros((40, 1), dtype=np.uint64), 0)
        assert of_plain["kernel.multiply_adds"] <= 3 * of_products["kernel.multiply_adds"]


@pytest.mark.parametrize("count", [-1, -(10**30)])
def test_h61_a_negative_count(key: PublicKey, count: int) -> None:
    with pytest.raises(ValueError, match="count must be at least 0"):
        key.precompute(count)


@pytest.mark.parametrize("count", [True, 1.0, "3", None, np.bool_(True)])
def test_counts_are_integers(key: PublicKey, count: Any) -> None:
    with pytest.raises(TypeError, match="count must be an int"):
        key.precompute(count)
    with pytest.raises(TypeError, match="target must be an int"), key.background_randomizers(count):
        pass


def test_h61_more_than_fits_into_memory(key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RandomizerSource, "drawn", None)  # nothing is made
    with pytest.raises(BatchTooLargeError):
        key.precompute(10**14)
    with pytest.raises(BatchTooLargeError), key.background_randomizers(10**14):
        pass
    with pytest.raises(ValueError, match="target must be positive"), key.background_randomizers(0):
        pass
    assert key.ready_randomizers == 0


# Nobody else's ---------------------------------------------------------------------------------------------------


def test_they_are_neither_pickled_nor_copied(key: PublicKey) -> None:
    plain = len(pickle.dumps(key))
    key.precompute(10)
    data = pickle.dumps(key)
    assert len(data) == plain
    assert pickle.loads(data).ready_randomizers == 0
    assert copy.copy(key) is copy.deepcopy(key) is key
    for form in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="stay in their process"):
            form(key._ready)
    assert repr(key._ready) == "ReadyRandomizers(10)"
    assert repr(ReadyRandomizers.__new__(ReadyRandomizers)) == "ReadyRandomizers(nothing yet)"
    assert PublicKey.from_bytes(key.to_bytes(), insecure=True).ready_randomizers == 0


def test_h44_threads_take_different_ones(key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at a stock waits a little, so that others would look at it as well if nothing kept them from it."""

    class SlowStock(ready._Stock):
        @property
        def size(self) -> int:  # type: ignore[override]
            time.sleep(0.0005)
            return 200

        @size.setter
        def size(self, value: int) -> None:
            assert value == 200

    monkeypatch.setattr(ready, "_Stock", SlowStock)
    key.prepare(200)
    key._ready.add(key._source.draw(200))
    together = threading.Barrier(8)

    def take(_: int) -> list[int]:
        together.wait()
        return [value for _ in range(20) for value in as_stored(key._ready, 2)]

    with ThreadPoolExecutor(8) as threads:
        values = [value for part in threads.map(take, range(8)) for value in part]
    assert len(values) == len(set(values)) == 200


def test_h44_threads_encrypt_with_what_is_ready(any_keypair: Keypair, key: PublicKey) -> None:
    key.precompute(150)
    with ThreadPoolExecutor(8) as threads:
        arrays = list(threads.map(lambda i: [key.encrypt(np.full(3, i)) for _ in range(10)], range(8)))
    used = [value for part in arrays for array in part for value in bare(key, array)]
    assert len(used) == len(set(used)) == 240
    assert [any_keypair[1].decrypt(array[-1]).tolist() for array in arrays] == [[i] * 3 for i in range(8)]


def in_child(task: Callable[[], Any]) -> Any:
    """What a forked child makes of a task; it is ended if it hangs."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        threading.Timer(60, os._exit, [9]).start()
        with os.fdopen(write, "w") as pipe:
            json.dump(task(), pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    assert os.waitpid(child, 0)[1] == 0, "the child failed or hung"
    return json.loads(answer)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("looked_at", [True, False])
def test_h57_a_forked_child_has_none_of_its_parents(key: PublicKey, looked_at: bool) -> None:
    key.precompute(20)

    def task() -> Any:
        ready = key.ready_randomizers if looked_at else 0
        made = bare(key, key.encrypt(np.zeros(20)))
        key.precompute(5)
        return [ready, made, as_stored(key._ready, 9)]

    ready, theirs, ahead = in_child(task)
    assert (ready, key.ready_randomizers) == (0, 20)
    mine = bare(key, key.encrypt(np.zeros(20)))
    assert key.ready_randomizers == 0
    everything = [*mine, *theirs, *(value % key.n for value in ahead)]
    assert len(set(everything)) == len(everything) == 45


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_h57_a_child_forked_while_another_thread_takes(key: PublicKey) -> None:
    key.precompute(20)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with key._ready._lock:
            held.set()
            release.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    theirs = in_child(lambda: bare(key, key.encrypt(np.zeros(20))))
    release.set()
    holder.join()
    mine = bare(key, key.encrypt(np.zeros(20)))
    assert len({*mine, *theirs}) == 40


def test_what_an_error_cuts_off_is_never_used_again(key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    ring_type, seen = type(key._context.ring), []
    multiply_plain = ring_type.multiply_plain

    def interrupted(self: Any, batch: Any, *plain: Any) -> Any:
        seen.extend(self.store(batch))
        multiply_plain(self, batch, *plain)  # the ciphertexts are there, and someone may have them
        raise KeyboardInterrupt

    key.precompute(12)
    with monkeypatch.context() as patched:
        patched.setattr(ring_type, "multiply_plain", interrupted)
        with pytest.raises(KeyboardInterrupt):
            key.encrypt(np.zeros(5))
    assert len(seen) == 5
    assert key.ready_randomizers == 7
    used = bare(key, key.encrypt(np.zeros(12)))
    assert not {value % key.n for value in seen} & set(used)
    assert len(set(used)) == 12


def test_values_that_are_refused_cost_none(key: PublicKey) -> None:
    key.precompute(5)
    with pytest.raises(PlaintextOverflowError):
        key.encrypt([1e300])
    assert key.ready_randomizers == 5


def test_h60_an_interrupted_precompute_adds_nothing(key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    draw = RandomizerSource.draw

    def interrupted(self: RandomizerSource, count: int) -> Any:
        calls.append(count)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return draw(self, count)

    monkeypatch.setattr(RandomizerSource, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        key.precompute(40 * key._context.engine.tuning.encrypt_task)
    assert len(calls) == 2
    assert key.ready_randomizers == 0


# In the background -----------------------------------------------------------------------------------------------


def fillers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "vecphe-randomizers"]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_thread_keeps_so_many_ready_and_no_more(key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    most: list[int] = []
    add = ReadyRandomizers.add

    def watched(self: ReadyRandomizers, *batches: Any) -> None:
        add(self, *batches)
        most.append(len(self))

    monkeypatch.setattr(ReadyRandomizers, "add", watched)
    used: list[int] = []
    with key.background_randomizers(100):
        assert len(fillers()) == 1
        for _ in range(3):
            wait_until(lambda: key.ready_randomizers > 100 - 8)
            used += bare(key, key.encrypt(np.zeros(70)))
    assert not fillers()
    assert 100 - 8 < max(most) <= 100
    left = key.ready_randomizers
    assert 0 < left <= 100
    used += bare(key, key.encrypt(np.zeros(left)))
    assert key.ready_randomizers == 0
    assert len(set(used)) == len(used) == 210 + left


def test_it_makes_none_where_there_are_enough(key: PublicKey, draws: list[int]) -> None:
    key.precompute(30)
    draws.clear()
    with key.background_randomizers(30):
        time.sleep(0.2)
    assert not draws


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_h60_it_ends_with_the_body_however_that_ends(key: PublicKey, error: type[BaseException]) -> None:
    with pytest.raises(error), key.background_randomizers(50):
        raise error
    assert not fillers()


def test_h60_it_ends_within_a_batch(key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    started = threading.Event()

    def endless(self: RandomizerSource, count: int) -> Any:
        started.set()
        from vecphe.arithmetic.cancellation import checkpoint

        for _ in range(5000):
            checkpoint()
            time.sleep(0.001)
        return self.context.ring.ones(0)

    monkeypatch.setattr(RandomizerSource, "draw", endless)
    with key.background_randomizers(5):
        started.wait(60)
        before = time.monotonic()
    assert not fillers()
    assert time.monotonic() < before + 4  # it would go on for 5 s and more
    assert key.ready_randomizers == 0


def test_what_it_fails_with_is_raised_at_the_end(key: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: RandomizerSource, count: int) -> Any:
        raise OSError("no randomness")

    monkeypatch.setattr(RandomizerSource, "draw", failing)
    with pytest.raises(OSError, match="no randomness"), key.background_randomizers(5):
        wait_until(lambda: not fillers())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_h57_a_child_forked_beside_it_goes_on_alone(key: PublicKey) -> None:
    with key.background_randomizers(40) as _:
        wait_until(lambda: key.ready_randomizers > 32)
        context = key.background_randomizers(40)
        context.__enter__()

        def task() -> Any:
            made = bare(key, key.encrypt(np.zeros(40)))
            context.__exit__(None, None, None)  # ends, though no thread is there to be joined
            return made

        theirs = in_child(task)
        context.__exit__(None, None, None)
    mine = bare(key, key.encrypt(np.zeros(40)))
    assert len({*mine, *theirs}) == 80


# Batches ---------------------------------------------------------------------------------------------------------


def test_batches_are_of_about_equal_size_in_whole_vectors() -> None:
    for missing in range(1, 400):
        for full in (1, 8, 64, 100, 4096):
            left, sizes = missing, []
            while left:
                sizes.append(batch_size(left, full))
                left -= sizes[-1]
            assert sum(sizes) == missing
            assert max(sizes) <= full
            assert len(sizes) == -(-missing // full) or full % 8
            if full % 8 == 0:
                assert all(size % 8 == 0 for size in sizes[:-1])
                assert sizes[-1] > 8 or missing <= 8 or len(sizes) > 4 or full == 8
    assert [batch_size(70, 64), batch_size(50, 64), batch_size(3, 64), batch_size(30, 64)] == [40, 50, 3, 30]
