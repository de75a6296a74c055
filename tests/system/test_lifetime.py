"""Workers end with the process they work for (HAZARDS row 70), and leave nothing on disk (row 69)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import pytest

from vecphe.arithmetic import available_engines
from vecphe.system import lifetime, parallel
from vecphe.system.parallel import place_of, run_tasks

ENGINES = [name for name in ("gmp", "portable") if dict(available_engines())[name] is None]

WORK = """
import sys, warnings
import joblib, numpy, vecphe
warnings.simplefilter("ignore")
backend, work = sys.argv[1:]
public_key, private_key = vecphe.generate_keypair(2048)
public_key.prepare(100)
c = public_key.encrypt(numpy.zeros(64))[numpy.arange(16_000) // 250]
with joblib.parallel_config(backend=backend, max_nbytes=1):
    print("ready", flush=True)
    if work == "encrypt":
        public_key.encrypt(numpy.zeros(100_000), n_jobs=2)
    else:
        private_key.decrypt(c, n_jobs=2)
"""


def session_members(leader: int) -> list[int]:
    """Processes of a session that are not mere entries of the process table."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                members.append(int(stat.parent.name))
    return members


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start WORK in a session of its own, with its temporary files where they can be seen."""
    started: list[subprocess.Popen[bytes]] = []

    def make(engine: str, *arguments: str) -> subprocess.Popen[bytes]:
        folder = str(tmp_path)
        environment = {**os.environ, "VECPHE_ENGINE": engine, "JOBLIB_TEMP_FOLDER": folder, "TMPDIR": folder}
        process = subprocess.Popen(
            [sys.executable, "-c", WORK, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    yield make
    for process in started:
        for member in session_members(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        process.communicate()


def check_all_end(process: subprocess.Popen[bytes], sent: signal.Signals) -> bytes:
    """End the process, see its workers end, and return what was written last."""
    os.kill(process.pid, sent)  # to it alone, and nobody has asked for its status yet when its workers end
    assert wait_until(lambda: session_members(process.pid) == [], 10), "processes that outlived their parent"
    assert process.stdout is not None
    rest = process.stdout.read()  # returns, for nobody holds the pipe
    assert process.wait() == -sent
    return rest


def _ends() -> Iterator[Any]:
    quick = {("loky", "SIGTERM", "gmp"), ("loky", "SIGKILL", "portable"), ("multiprocessing", "SIGTERM", "gmp")}
    for backend, work in (("loky", "decrypt"), ("multiprocessing", "encrypt")):
        for sent in (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
            for engine in ENGINES:
                marks = [] if (backend, sent.name, engine) in quick else [pytest.mark.slow]
                yield pytest.param(backend, work, sent, engine, marks=marks, id=f"{backend}-{sent.name}-{engine}")


@pytest.mark.parametrize(("backend", "work", "sent", "engine"), list(_ends()))
def test_h70_no_worker_outlives_its_parent(
    start: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    backend: str,
    work: str,
    sent: signal.Signals,
    engine: str,
) -> None:
    process = start(engine, backend, work)
    assert wait_until(lambda: len(session_members(process.pid)) >= 4, 60)  # it, two workers, and a tracker
    time.sleep(0.5)
    assert process.poll() is None, "the work was done too early"
    assert check_all_end(process, sent) == b""
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_h70_nor_does_one_that_has_just_been_started(
    start: Callable[..., subprocess.Popen[bytes]], backend: str
) -> None:
    process = start("gmp", backend, "encrypt")
    assert wait_until(lambda: len(session_members(process.pid)) >= 3, 60)
    check_all_end(process, signal.SIGKILL)  # joblib's own worker may say that it read only half of what it should do


OWNER = """
import os, sys, time
from vecphe.system import lifetime
if sys.argv[1] == "looking":
    del os.pidfd_open  # as on other systems
owner = os.getpid()
if sys.argv[2] == "server":  # which outlives the owner
    if os.fork() == 0:
        if os.fork() == 0:
            lifetime.end_with(owner)
            print(os.getpid(), os.getppid(), flush=True)
            time.sleep(60)
        os.wait()
        os._exit(0)
elif os.fork() == 0:
    lifetime.end_with(owner)
    print(os.getpid(), 0, flush=True)
    time.sleep(60)
time.sleep(60)
"""


@pytest.mark.parametrize("way", ["told", "looking"])
@pytest.mark.parametrize("parent", ["owner", "server"])
def test_h70_whether_the_kernel_tells_or_not(way: str, parent: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", OWNER, way, parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = int(process.stdout.readline().split()[0])
    try:
        time.sleep(1.2)
        assert Path(f"/proc/{worker}").exists()
        process.kill()
        if way == "looking":
            process.wait()  # what is not waited for still exists to those who only look
        assert wait_until(lambda: not Path(f"/proc/{worker}").exists(), 10)
        assert process.stdout.read() == ""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
        process.kill()
        process.communicate()


def test_h70_an_owner_that_is_gone_already() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    script = f"import time; from vecphe.system.lifetime import end_with; end_with({gone.pid}); time.sleep(60)"
    assert subprocess.run([sys.executable, "-c", script], timeout=50).returncode == 1


RUNS = """
import os, subprocess, sys, time
from vecphe.system.lifetime import command_that_ends_with
code = "import subprocess, time; subprocess.Popen(['sleep', '60'], start_new_session=True)"
code += "; print('started', flush=True); time.sleep(60)"
command = command_that_ends_with(os.getpid(), [sys.executable, "-c", code])
process = subprocess.Popen(command, start_new_session=True)
print(process.pid, flush=True)
time.sleep(60)
"""


def test_h70_a_command_of_others_ends_with_who_runs_it() -> None:
    """With what it has started itself, and though it watches nobody."""
    owner = subprocess.Popen([sys.executable, "-c", RUNS], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    runner = int(owner.stdout.readline())
    try:
        assert owner.stdout.readline() == "started\n"
        (command,) = _children(runner)
        (sleeper,) = _children(command)  # in a session of its own
        owner.kill()
        for process in (runner, command, sleeper):
            assert wait_until(lambda process=process: not _runs(process), 10)
        assert owner.stdout.read() == ""
    finally:
        owner.kill()
        owner.communicate()


def _children(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_h60_a_command_hears_ctrl_c_though_who_runs_it_has_blocked_it() -> None:
    code = "import signal; signal.raise_signal(signal.SIGINT); print('deaf')"
    command = lifetime.command_that_ends_with(os.getpid(), [sys.executable, "-c", code])
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, start_new_session=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert "KeyboardInterrupt" in done.stderr
    assert done.stdout == ""


def test_h60_a_command_that_is_asked_to_end_may_clean_up() -> None:
    """Who runs it waits for it, and has its exit status."""
    code = "import signal, sys, time; signal.signal(15, lambda *_: (time.sleep(0.5), print('clean'), sys.exit(5)))"
    code += "; print('started', flush=True); time.sleep(60)"
    command = lifetime.command_that_ends_with(os.getpid(), [sys.executable, "-c", code])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    os.killpg(process.pid, signal.SIGTERM)
    assert process.communicate(timeout=50) == ("clean\n", None)
    assert process.returncode == 5


_started_with: list[str] = []


def _start(*names: str) -> None:
    _started_with.extend(names)


def _names() -> list[str]:
    return _started_with


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_the_initializer_of_the_user_is_called_too(backend: str) -> None:
    with joblib.parallel_config(backend=backend, initializer=_start, initargs=("a", "b")):
        active = parallel._active_backend("processes")
        assert run_tasks(_names, [()] * 2, active, place_of(active), 2) == [["a", "b"]] * 2


DONE = """
import os, threading
from vecphe.system.lifetime import end_with
end_with(os.getppid())
end_with(os.getppid(), print, ("initialized", "with"))
print(sorted((t.name, t.daemon) for t in threading.enumerate() if t.name.startswith("vecphe")))
"""


def test_h70_a_worker_that_is_done_does_not_wait_for_its_owner() -> None:
    done = subprocess.run([sys.executable, "-c", DONE], capture_output=True, text=True, check=True, timeout=40)
    assert done.stdout.splitlines() == ["initialized with", "[('vecphe-owner', True), ('vecphe-owner', True)]"]


def test_h70_looking_takes_next_to_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter((True, True, False))
    waits: list[float] = []
    monkeypatch.setattr(lifetime, "_exists", lambda owner: next(looks))
    monkeypatch.setattr("time.sleep", waits.append)
    lifetime._wait_by_looking(1)
    assert len(waits) == 2
    assert all(0.1 <= seconds <= 1 for seconds in waits)


@pytest.mark.parametrize(
    ("error", "looks"),
    [
        (None, False),
        (ProcessLookupError(), False),
        (AttributeError(), True),
        (PermissionError(), True),
        (OSError(), True),
    ],
    ids=repr,
)
def test_h70_who_looks_is_who_cannot_be_told(
    error: Exception | None, looks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = subprocess.Popen(["true"])
    looked, descriptor = list[int](), os.pidfd_open(gone.pid)
    gone.wait()

    def pidfd_open(owner: int) -> int:
        if error is not None:
            raise error
        return descriptor

    monkeypatch.setattr(os, "pidfd_open", pidfd_open)
    monkeypatch.setattr(lifetime, "_wait_by_looking", looked.append)
    lifetime._wait_for_end(gone.pid)
    assert looked == [gone.pid] * looks
    os.close(descriptor)


@pytest.mark.parametrize(
    ("parents", "exists", "waits"),
    [
        ([5], [False], 0),
        ([5, 5], [True, False], 1),
        ([5, 5, 9], [True, True, True], 2),  # a server is gone, and somebody else is the parent
        ([9], [True], 0),
    ],
)
def test_h70_a_worker_looks_at_its_owner_and_at_its_parent(
    parents: list[int], exists: list[bool], waits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, found, waited = iter([5, *parents]), iter(exists), list[float]()
    monkeypatch.setattr(os, "getppid", lambda: next(asked))
    monkeypatch.setattr(lifetime, "_exists", lambda owner: next(found) if owner == 7 else pytest.fail("another"))
    monkeypatch.setattr(time, "sleep", waited.append)
    lifetime._wait_by_looking(7)
    assert len(waited) == waits


@pytest.mark.parametrize(
    ("system", "error", "exists"),
    [
        ("posix", None, True),
        ("posix", ProcessLookupError(), False),
        ("posix", PermissionError(), True),
        ("nt", ProcessLookupError(), True),  # there it is not asked: the signal would be Ctrl-C
    ],
)
def test_h70_whether_a_process_exists(
    system: str, error: Exception | None, exists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def kill(process: int, number: int) -> None:
        sent.append((process, number))
        if error is not None:
            raise error

    monkeypatch.setattr(lifetime, "os", SimpleNamespace(name=system, kill=kill))
    assert lifetime._exists(7) is exists
    assert sent == [(7, 0)] * (system == "posix")


def test_h70_the_descendants_of_a_process_are_those_in_other_sessions_too() -> None:
    code = "import os, time; os.fork() and os.fork(); os.setsid() if os.getpgrp() != os.getpid() else 0; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        assert wait_until(lambda: len(lifetime.descendants(process.pid)) == 2, 10)
        children = lifetime.descendants(process.pid)
        assert set(children) == set(_children(process.pid))
        assert process.pid in lifetime.descendants(os.getpid())
        lifetime.kill([*children, process.pid, 2**22 + 1])  # the last of which is none
        assert wait_until(lambda: not any(map(_runs, children)), 10)
    finally:
        process.kill()
        process.wait()
