"""Ctrl-C, SIGTERM and SIGHUP at every moment: one line, 128 + the number of the signal, nothing half-written."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

import vecphe
import vecphe.cli
from vecphe.cli import signals

WORDS = {signal.SIGINT: "interrupted\n", signal.SIGTERM: "terminated\n", signal.SIGHUP: "hung up\n"}
# Lines that are not about the signal, though it may have ended one of them.
UNASKED = re.compile(r"^(?:import time|warning):.*?((?:interrupted|terminated|hung up)?\n)", re.MULTILINE)
every_signal = pytest.mark.parametrize("number", WORDS, ids=lambda number: number.name)

CONSOLE_SCRIPT = "import sys; from vecphe.cli import main; sys.exit(main())"
ENTRIES = {"vecphe": ["-c", CONSOLE_SCRIPT], "-m vecphe": ["-m", "vecphe"], "-m vecphe.cli": ["-m", "vecphe.cli"]}
# What takes long: the search for primes, until it is interrupted.
KEYGEN = ["keygen", "-o", "key", "--key-length", "16384"]
READING = ["encrypt", "-", "-k", "pub", "-o", "out", "--insecure"]


@pytest.fixture
def start(tmp_path):
    """Start Python in an empty directory, in a session of its own; what is left of the session is killed."""
    started = []

    def start(*args, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen([sys.executable, *args], text=True, cwd=tmp_path, start_new_session=True, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ends_by(process, number, to_group=False):
    """Send a signal; what stderr then tells, once the process has ended as it should."""
    (os.killpg if to_group else os.kill)(process.pid, number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 128 + number, stderr
    return UNASKED.sub(lambda line: line[1].removeprefix("\n"), stderr)


def wait_for_import(process, module):
    """Read what -X importtime prints until a module was imported."""
    for line in process.stderr:
        assert line.startswith("import time:"), line
        if line.split("|")[-1].strip() == module:
            return
    raise AssertionError(f"{module} was not imported")


# In the order of their import: by the entry, by the command line, by the library.
MODULES = ["typer.models", "gmpy2.gmpy2", "numpy.version", "numpy.linalg._umath_linalg", "vecphe.array.data"]


@pytest.mark.parametrize(
    ("entry", "module", "number"),
    [
        *(("-m vecphe", module, signal.SIGINT) for module in MODULES),
        *(("-m vecphe", "numpy.version", number) for number in (signal.SIGTERM, signal.SIGHUP)),
        *((entry, "numpy.version", signal.SIGINT) for entry in ENTRIES if entry != "-m vecphe"),
    ],
)
def test_h60_h70_a_signal_while_something_is_imported(start, tmp_path, entry, module, number):
    process = start("-X", "importtime", *ENTRIES[entry], *KEYGEN)
    wait_for_import(process, module)
    assert ends_by(process, number) == WORDS[number]
    assert os.listdir(tmp_path) == []


@every_signal
def test_h60_h70_an_import_that_would_swallow_the_interruption(start, tmp_path, number):
    """As extension modules do: numpy makes an ImportError of whatever its import meets, and prints it."""
    (tmp_path / "greedy.py").write_text(
        "import time\n"
        "try:\n"
        "    print('importing', flush=True)\n"
        "    time.sleep(60)\n"
        "except BaseException:\n"
        "    raise ImportError('failed to import') from None\n"
    )
    process = start("-c", "from vecphe.cli import signals; signals.answer_signals(); import greedy")
    assert process.stdout.readline() == "importing\n"
    time.sleep(0.1)  # Python answers when the sleep is over where a signal comes in the instant before it
    assert ends_by(process, number) == WORDS[number]


def test_h60_ctrl_c_while_a_command_imports_what_it_needs(start):
    process = start("-X", "importtime", "-m", "vecphe", "run", "--iterations", "1000", "--key-length", "2048")
    wait_for_import(process, "sklearn.utils._bunch")
    assert ends_by(process, signal.SIGINT) == WORDS[signal.SIGINT]


@every_signal
def test_h60_h70_a_signal_while_a_key_is_made(start, tmp_path, number):
    process = start("-X", "importtime", "-m", "vecphe", *KEYGEN)
    wait_for_import(process, "vecphe.cli.streams")
    time.sleep(0.5)
    assert ends_by(process, number) == WORDS[number]
    assert os.listdir(tmp_path) == []


@every_signal
def test_h60_h70_a_signal_while_input_is_awaited(start_command, tmp_path, public_key, number):
    public_key.save(tmp_path / "pub")
    reader, writer = os.pipe()  # open until the process has ended
    process = start_command(*READING, until="vecphe.cli.streams.check_streams", cwd=tmp_path, stdin=reader)
    time.sleep(0.1)
    assert ends_by(process, number) == WORDS[number]
    assert os.listdir(tmp_path) == ["pub"]
    os.close(reader)
    os.close(writer)


WRITING_FOR_LONG = """
import sys, time
from vecphe.system import files
from vecphe.cli import main
def fsync(descriptor):
    print("writing", flush=True)
    time.sleep(60)
files.os.fsync = fsync
sys.exit(main())
"""


@every_signal
def test_h58_h70_a_signal_while_a_file_is_written_leaves_the_old_one(start, tmp_path, keypair, number):
    public_key, private_key = keypair
    private_key.save(tmp_path / "key")
    public_key.encrypt(np.arange(3.0)).save(tmp_path / "c")
    (tmp_path / "out.csv").write_text("precious")
    call = ["decrypt", "c", "-k", "key", "-o", "out.csv", "--insecure", "--force"]
    process = start("-c", WRITING_FOR_LONG, *call)
    assert process.stdout.readline() == "writing\n"
    assert ends_by(process, number) == WORDS[number]
    assert sorted(os.listdir(tmp_path)) == ["c", "key", "out.csv"]
    assert (tmp_path / "out.csv").read_text() == "precious"


@every_signal
def test_h60_h70_a_signal_while_the_process_ends(start, number):
    script = (
        "import atexit, sys, time\n"
        "from vecphe.cli import main\n"
        # Short sleeps: Python answers when one is over where a signal comes in the instant before it.
        "atexit.register(lambda: (print('leaving', flush=True), [time.sleep(0.1) for _ in range(600)]))\n"
        "sys.exit(main())\n"
    )
    process = start("-c", script, "--version")
    assert process.stdout.readline().startswith("vecphe ")
    assert process.stdout.readline() == "leaving\n"
    assert ends_by(process, number) == WORDS[number]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_signals_that_were_ignored_stay_ignored(start_command, tmp_path, keypair, number):
    """As nohup and a shell's background jobs do it."""
    keypair[0].save(tmp_path / "pub")
    process = start_command(
        *READING,
        until="vecphe.cli.streams.check_streams",
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN),
    )
    os.kill(process.pid, number)
    time.sleep(0.1)
    process.communicate("1\n", timeout=30)
    assert process.returncode == 0
    assert keypair[1].decrypt(vecphe.EncryptedArray.load(keypair[0], tmp_path / "out")).tolist() == [1]


@pytest.mark.parametrize(
    ("number", "delay"),
    [*((signal.SIGINT, delay) for delay in (0.0, 0.1, 0.4)), (signal.SIGHUP, 0.4), (signal.SIGHUP, 1.5)],
)
def test_h60_h70_a_terminal_that_signals_workers_too(start, tmp_path, monkeypatch, keypair, number, delay):
    """The whole group. Python would print tracebacks: while it starts, and where joblib's helper is gone."""
    monkeypatch.setenv("VECPHE_ENGINE", "gmp")
    keypair[1].save(tmp_path / "key")
    keypair[0].encrypt(np.zeros(2000))[np.arange(200_000) // 100].save(tmp_path / "c", rerandomize=False)
    script = (
        "import sys\n"
        "from joblib.externals.loky.backend import fork_exec\n"
        "from vecphe.cli import main\n"
        "start = fork_exec.fork_exec\n"
        "fork_exec.fork_exec = lambda *a, **k: (print('worker', flush=True), start(*a, **k))[1]\n"
        "sys.exit(main())\n"
    )
    process = start("-c", script, "decrypt", "c", "-k", "key", "--insecure", "--jobs", "2", "-o", "out.csv")
    assert process.stdout.readline() == "worker\n"
    time.sleep(delay)
    assert ends_by(process, number, to_group=True) == WORDS[number]
    assert sorted(os.listdir(tmp_path)) == ["c", "key"]


def test_h60_helpers_of_workers_leave_the_mask_that_these_inherit(start):
    script = (
        "import signal\n"
        "from vecphe.cli.signals import answer_signals, before_workers\n"
        "answer_signals()\n"
        "assert before_workers(2) == 2\n"
        "from multiprocessing import resource_tracker\n"
        "from joblib.externals.loky.backend import resource_tracker as of_joblib\n"
        "for tracker in (resource_tracker, of_joblib):\n"
        "    tracker.ensure_running()\n"  # as starting a worker does
        "    print(sorted(n.name for n in signal.pthread_sigmask(signal.SIG_BLOCK, ())), flush=True)\n"
    )
    process = start("-c", script)
    assert [process.stdout.readline() for _ in range(2)] == ["['SIGHUP', 'SIGINT']\n"] * 2


# One step at a time, in this process ----------------------------------------------------------------------------------


@pytest.fixture
def state(monkeypatch):
    """What the module knows, as when nothing has come, and as it was once the test is over."""
    monkeypatch.setattr(signals._State, "pid", os.getpid(), raising=False)
    for name, value in (("received", None), ("told", False), ("leaving", False), ("masked", frozenset())):
        monkeypatch.setattr(signals._State, name, value)
    return signals._State


class Left(BaseException):
    """In place of the end of this process."""


def frames(*files):
    """The innermost first."""
    frame = None
    for file in reversed(files):
        frame = SimpleNamespace(f_code=SimpleNamespace(co_filename=file), f_back=frame)
    return frame


@pytest.mark.parametrize("number", [None, *WORDS])
def test_what_ended_a_command_is_told_once(state, capsys, number):
    state.received = number
    for word in (WORDS[number or signal.SIGINT], ""):
        assert signals.tell() == 128 + (number or signal.SIGINT)
        assert capsys.readouterr() == ("", word)


@pytest.mark.parametrize("error", [OSError, ValueError, None])
def test_what_ended_a_command_is_told_at_once_if_anyone_can_hear_it(state, monkeypatch, error):
    class Stream(io.StringIO):
        flushed = 0

        def flush(self):
            Stream.flushed += 1
            if error:
                raise error

    monkeypatch.setattr(sys, "stderr", Stream())
    assert signals.tell() == 130
    assert Stream.flushed


@every_signal
def test_a_signal_interrupts_and_the_first_one_counts(state, monkeypatch, number):
    monkeypatch.setattr(os, "_exit", lambda status: pytest.fail("left at once"))
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("no worker"))
    for later in (number, *WORDS):
        with pytest.raises(KeyboardInterrupt):
            signals._answer(later, frames("a.py", "b.py"))
        assert state.received == number
    with pytest.raises(KeyboardInterrupt):
        signals._answer(number, None)
    assert not state.told


@pytest.mark.parametrize("is_terminal", [True, False, None])
@pytest.mark.parametrize(
    ("leaving", "files"),
    [
        (True, ["a.py"]),
        (False, ["<frozen importlib._bootstrap>"]),
        (False, ["a.py", "<frozen importlib._bootstrap_external>", "b.py"]),
    ],
)
def test_a_process_that_imports_or_ends_is_left_at_once(state, monkeypatch, capsys, is_terminal, leaving, files):
    """With the cursor that a bar has hidden shown again, where there is a terminal."""
    written = []

    def is_a_terminal(descriptor):
        if is_terminal is None:
            raise OSError
        return is_terminal and descriptor == 2

    def leave(status):
        raise Left(status)

    monkeypatch.setattr(os, "isatty", is_a_terminal)
    monkeypatch.setattr(os, "write", lambda *args: written.append(args))
    monkeypatch.setattr(os, "_exit", leave)
    if leaving:
        signals.leave_at_once_from_now_on()
    with pytest.raises(Left, match="143"):
        signals._answer(signal.SIGTERM, frames(*files))
    assert written == ([(2, b"\x1b[?25h")] if is_terminal else [])
    assert capsys.readouterr().err == "terminated\n"


def test_a_forked_worker_ends_as_if_nobody_answered(state, monkeypatch):
    calls = []
    state.pid = os.getpid() + 1
    monkeypatch.setattr(signal, "signal", lambda *args: calls.append(args))
    monkeypatch.setattr(os, "kill", lambda *args: calls.append(args))
    with pytest.raises(KeyboardInterrupt):  # not reached where the signal ends it
        signals._answer(signal.SIGTERM, None)
    assert calls == [(signal.SIGTERM, signal.SIG_DFL), (os.getpid(), signal.SIGTERM)]


@pytest.mark.parametrize(
    ("masked", "jobs", "is_done"),
    [(True, None, False), (True, 1, False), (True, 2, True), (True, -1, True), (True, 0, True), (False, 2, False)],
)
def test_helpers_of_workers_start_before_these(state, monkeypatch, masked, jobs, is_done):
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_joblib

    calls, numbers = [], frozenset([signal.SIGINT]) if masked else frozenset()
    state.masked = numbers
    for tracker in (resource_tracker, of_joblib):
        monkeypatch.setattr(tracker, "ensure_running", lambda name=tracker.__name__: calls.append(name))
    monkeypatch.setattr(signal, "pthread_sigmask", lambda *args: calls.append(args))
    assert signals.before_workers(jobs) == jobs
    helpers = ["multiprocessing.resource_tracker", "joblib.externals.loky.backend.resource_tracker"]
    assert calls == ([*helpers, (signal.SIG_BLOCK, numbers)] if is_done else [])


@pytest.mark.parametrize("ignored", [(), ("SIGHUP",), ("SIGINT", "SIGHUP"), ("SIGTERM",)])
@pytest.mark.parametrize("has_masks", [True, False])
def test_what_is_not_ignored_is_answered_and_kept_from_workers(state, monkeypatch, ignored, has_masks):
    handlers = {getattr(signal, name): signal.SIG_IGN if name in ignored else "other" for name in signals._WORDS}
    masks, threads = [], []
    state.pid = 0
    monkeypatch.setattr(signal, "getsignal", handlers.get)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(signals.threading, "Thread", lambda **options: threads.append(options) or Started())
    if has_masks:
        monkeypatch.setattr(signal, "pthread_sigmask", lambda *args: masks.append(args))
    else:  # as on Windows, which has no such signal either
        monkeypatch.delattr(signal, "pthread_sigmask")
        monkeypatch.delattr(signal, "SIGHUP")
    signals.answer_signals()
    assert state.pid == os.getpid()
    names = {number: signal.Signals(number).name for number in handlers}
    answered = {names[number] for number, handler in handlers.items() if handler == signals._answer}
    assert answered == signals._WORDS.keys() - set(ignored) - (set() if has_masks else {"SIGHUP"})
    masked = frozenset(n for n in handlers if names[n] in answered & {"SIGINT", "SIGHUP"} and has_masks)
    assert state.masked == masked
    thread = {"target": signals._forward, "args": (threading.get_ident(),), "daemon": True}
    assert masks == ([(signal.SIG_BLOCK, masked)] if masked else [])
    assert threads == ([thread] if masked else [])
    assert Started.count == len(threads)


class Started:
    count = 0

    def start(self):
        Started.count += 1


@pytest.fixture(autouse=True)
def _no_thread_started():
    Started.count = 0


def test_a_thread_hears_for_the_main_one(state, monkeypatch):
    numbers, sent = iter([signal.SIGHUP, signal.SIGINT]), []
    state.masked = frozenset(WORDS)

    def wait(masked):
        assert masked == state.masked
        return next(numbers)

    monkeypatch.setattr(signal, "sigwait", wait)
    monkeypatch.setattr(signal, "pthread_kill", lambda *args: sent.append(args))
    with pytest.raises(StopIteration):
        signals._forward(42)
    assert sent == [(42, signal.SIGTERM)] * 2
    assert state.received == signal.SIGHUP


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_signals_are_answered_first_and_need_not_wait_at_the_end(state, monkeypatch, error):
    calls = []

    def run():
        calls.append(("run", state.leaving))
        if error:
            raise error
        return 7

    monkeypatch.setattr(signals, "answer_signals", lambda: calls.append("answer"))
    monkeypatch.setattr(vecphe.cli, "run", run)
    with pytest.raises(error) if error else contextlib.nullcontext():
        assert vecphe.cli.main() == 7
    assert calls == ["answer", ("run", False)]
    assert state.leaving
