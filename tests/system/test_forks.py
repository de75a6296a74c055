"""A child forked while other threads work: it neither hangs nor repeats what its parent uses (HAZARDS row 57)."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from vecphe import PublicKey
from vecphe.system import forks
from vecphe.system.forks import ForkSafeLock

# One thread holds both locks, as while it builds a table and spends a nonce; the child then encrypts and sends.
FORK_WHILE_LOCKED = """
import json, os, signal, threading, warnings
warnings.simplefilter("ignore")
import numpy as np, vecphe
from vecphe.randomness import freshness

public_key, private_key = vecphe.generate_keypair(512, insecure=True)
public_key.prepare(3)
source, held, release = public_key._source, threading.Event(), threading.Event()
window = source._table.window

def hold():
    with source._lock, freshness._LOCK:
        held.set()
        release.wait(60)

threading.Thread(target=hold, daemon=True).start()
held.wait()
read, write = os.pipe()
child = os.fork()
if child == 0:
    signal.alarm(30)  # ends a child that hangs
    array = public_key.encrypt(np.zeros(2000))
    grown = source._table.window > window
    residues = [c % public_key.n for c in array.ciphertexts()]
    with os.fdopen(write, "w") as pipe:
        json.dump([grown, residues], pipe)
    os._exit(0)
os.close(write)
with os.fdopen(read) as pipe:
    theirs = pipe.read()
status = os.waitpid(child, 0)[1]
release.set()
mine = source.context.ring.store(source.draw(500))
print(json.dumps([status, json.loads(theirs or "null"), [c % public_key.n for c in mine]]), flush=True)
os._exit(0)
"""


def test_h57_a_child_forked_under_the_locks_works_and_repeats_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK_WHILE_LOCKED], capture_output=True, text=True, check=True, timeout=100
    )
    status, child, mine = json.loads(done.stdout)
    assert status == 0, "the child hung"
    grown, theirs = child
    assert grown  # it had to take the lock
    assert len({*theirs, *mine}) == len(theirs) + len(mine) == 2500


def _in_child(task: str, public_key: PublicKey) -> list[int]:
    """Residues mod n, the bare randomizers of what a forked child sends, of an array from before the fork."""
    array = public_key.encrypt(np.zeros(3))
    sent = {"as it is": array, "with a plain sum": array + 5}[task]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(write, "w") as pipe:
            json.dump(sent.ciphertexts(), pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        theirs = json.load(pipe)
    assert os.waitpid(child, 0)[1] == 0
    assert array.is_fresh
    return [c % public_key.n for c in [*theirs, *array.ciphertexts()]]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("task", ["as it is", "with a plain sum"])
def test_h57_an_array_is_not_sent_by_parent_and_child_under_one_randomizer(public_key: PublicKey, task: str) -> None:
    residues = _in_child(task, public_key)
    assert len(set(residues)) == len(residues) == 6


def test_the_lock_locks() -> None:
    lock = ForkSafeLock()
    with lock:
        assert not lock._lock.acquire(blocking=False)
    with pytest.raises(RuntimeError), lock:
        raise RuntimeError
    assert lock._lock.acquire(blocking=False)
    assert forks.generation() == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_h57_a_child_is_one_fork_away_and_its_child_two() -> None:
    before = forks.generation()
    child = os.fork()
    if child == 0:
        own = forks.generation() - before
        if (grandchild := os.fork()) == 0:
            os._exit(forks.generation() - before)
        os._exit(own * 10 + os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 12
    assert forks.generation() == before
