"""The command as a process: signals, pipes, full disks, imports."""

import contextlib
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

import vecphe
from vecphe import cli
from vecphe.arithmetic import active_engine


def test_h60_ctrl_c_ends_a_run_with_130(start_command):
    process = start_command("run", "--backend", "naive", "--key-length", "2048", "--iterations", "1000")
    assert process.stdout.readline().startswith("Paillier")
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    before = time.monotonic()
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - before < 5
    assert stderr == "interrupted\n"


@pytest.mark.slow  # `vecphe keygen` is interrupted in the same search in test_crypt
def test_h60_ctrl_c_in_key_generation(start_command):
    search = "vecphe.keys.generation.random_prime_pair"
    process = start_command("run", "--backend", "packed", "--key-length", "8192", until=search)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.fixture
def wide_table(tmp_path):
    """A table with so many columns that encrypting a gradient pays for workers."""
    path = tmp_path / "wide.csv"
    rows = [",".join(str((i * j * 7919) % 97) for j in range(1, 702)) for i in range(1, 31)]
    path.write_text("\n".join([",".join([*(f"x{j}" for j in range(700)), "y"]), *rows]))
    return str(path)


def group_members(group):
    """Processes of a process group, zombies apart."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return sum(line.split()[0] == str(group) and "Z" not in line.split()[1] for line in listed.splitlines())


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_h60_ctrl_c_leaves_no_worker_processes(start_command, monkeypatch, wide_table):
    """As a terminal does it: the signal goes to the whole group, of which gmp's workers are part."""
    monkeypatch.setenv("VECPHE_ENGINE", "gmp")
    options = ["--key-length", "2048", "--iterations", "1000", "--jobs", "2", "--data"]
    process = start_command(
        *("run", "--backend", "vectorized", *options, wide_table, "--target", "y"), start_new_session=True
    )
    try:
        assert process.stdout.readline().startswith("Paillier")
        assert wait_until(lambda: group_members(process.pid) >= 3, 30)
        os.killpg(process.pid, signal.SIGINT)
        before = time.monotonic()
        process.communicate(timeout=30)
        assert process.returncode == 130
        assert time.monotonic() - before < 5
        assert wait_until(lambda: group_members(process.pid) == 0, 5)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("work", "n_jobs"),
    [
        ("encrypt", 1),
        ("decrypt", 2),
        pytest.param("encrypt", 2, marks=pytest.mark.slow),
        pytest.param("decrypt", 1, marks=pytest.mark.slow),
    ],
)
def test_h60_ctrl_c_ends_a_batch(work, n_jobs):
    script = (
        "import sys, numpy, vecphe\n"
        "work, n_jobs = sys.argv[1], int(sys.argv[2])\n"
        "public_key, private_key = vecphe.generate_keypair(2048)\n"
        "c = public_key.encrypt(numpy.zeros(2000))[numpy.arange(400_000) // 200]\n"
        "print('ready', flush=True)\n"
        "if work == 'encrypt': public_key.encrypt(numpy.zeros(400_000), n_jobs=n_jobs)\n"
        "else: private_key.decrypt(c, n_jobs=n_jobs)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, work, str(n_jobs)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        before = time.monotonic()
        _, stderr = process.communicate(timeout=60)
        assert time.monotonic() - before < 5
        assert stderr.splitlines()[-1] == "KeyboardInterrupt"
        assert process.returncode == -signal.SIGINT
    finally:
        process.kill()
        process.communicate()


SHORT_RUN = ["run", "--backend", "packed", "--key-length", "256", "--insecure", "--iterations", "2"]


@pytest.mark.parametrize(
    ("unbuffered", "args"),
    [
        ("", ["info"]),
        ("1", ["--help"]),
        ("1", SHORT_RUN),
        ("", [*SHORT_RUN, "--json", "-"]),
        pytest.param("1", ["info"], marks=pytest.mark.slow),
        pytest.param("", ["--help"], marks=pytest.mark.slow),
        pytest.param("", SHORT_RUN, marks=pytest.mark.slow),
        pytest.param("1", [*SHORT_RUN, "--json", "-"], marks=pytest.mark.slow),
    ],
)
def test_h68_a_reader_that_left_causes_no_traceback(unbuffered, args):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "vecphe", *args],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    os.close(writing)
    assert "Traceback" not in done.stderr
    assert "roken" not in done.stderr
    assert done.returncode == 1


def test_h68_a_reader_that_leaves_after_a_line_causes_no_traceback(start_command):
    process = start_command(*SHORT_RUN)
    assert process.stdout.readline().startswith("Paillier")
    process.stdout.close()
    process.stdout = None
    _, stderr = process.communicate(timeout=60)
    assert stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("place", ["stdout", "--json"])
def test_h58_a_full_disk_is_one_line(main_here, place):
    if place == "--json":
        done = main_here(*SHORT_RUN, "--json", "/dev/full")
        stderr = done.stderr
    else:
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "vecphe", *SHORT_RUN],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        stderr = done.stderr
    assert done.returncode == 2
    assert stderr == f"error: {'' if place == 'stdout' else '/dev/full: '}No space left on device\n"


def test_h58_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    from vecphe.cli import output
    from vecphe.system import files

    path = tmp_path / "result.json"
    path.write_text("precious")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        output.write_json(path, {"a": 1}, force=True)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_are_one_line(main_here):
    done = main_here("run", "--clients", "2")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "--clients" in done.stderr
    assert done.stderr.count("\n") == 1


def test_info_names_the_engine(main_here):
    done = main_here("info")
    assert done.returncode == 0
    assert f"\nengine: {active_engine().name}\n" in done.stdout
    assert done.stdout.splitlines()[-4:] == [
        "key of 1024 bits: strength 80 bits (insecure)",
        "key of 2048 bits: strength 112 bits",
        "key of 3072 bits: strength 128 bits (default)",
        "key of 7680 bits: strength 192 bits",
    ]


def test_info_as_json(main_here):
    facts = json.loads(main_here("info", "--json").stdout)
    assert facts["engine"] in [engine["name"] for engine in facts["engines"] if engine["available"]]
    assert facts["key_length"]["default"] == 3072
    assert facts["cpu"]["cores"] >= 1


def test_an_unknown_engine_is_one_line(command):
    done = command("info", env={**os.environ, "VECPHE_ENGINE": "abacus"})
    assert done.returncode == 2
    assert "abacus" in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_and_version(main_here):
    assert "Usage" in main_here().stdout
    assert "--key-length" in main_here("run", "--help").stdout
    assert main_here("--version").stdout.startswith("vecphe ")
    assert main_here("--no-such-option").returncode == 2


def test_the_version_is_all_that_is_shown_of_it(main_here):
    done = main_here("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"vecphe {vecphe.__version__}\n", "")
    alone = main_here()
    assert (alone.returncode, alone.stderr) == (0, "")
    assert "Usage: " in alone.stdout
    assert "Usage: " not in main_here("layout", "--max-abs", "8", "--precision", "1").stdout


def test_the_library_does_not_import_the_command_line():
    code = (
        "import sys, vecphe.federated; from vecphe import *; "
        "print([m for m in ('typer', 'rich', 'phe', 'vecphe.cli') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def foreign_names(tmp_path):
    """A file whose groups have names beyond ASCII."""
    path = tmp_path / "data.csv"
    rows = [f"{i % 7},{('Örebro', 'Åre', 'Malmö')[i % 3]},{i % 5}" for i in range(60)]
    path.write_text("\n".join(["a,g,y", *rows]), encoding="utf-8")
    return ["--data", str(path), "--target", "y", "--group", "g"]


def test_names_that_stdout_cannot_show_are_replaced(command, foreign_names):
    done = command(*SHORT_RUN, *foreign_names, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "Malm?" in done.stdout
    assert done.stderr == ""


COMMANDS = [(["info"], 0), (["--version"], 0), (SHORT_RUN, 0), (["run", "--x"], 2)]
CLOSED = [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize(
    ("args", "status", "closed"),
    [
        # Each command and each way once; all pairs are slow.
        *((*command, closed) for command, closed in zip(COMMANDS, CLOSED, strict=True)),
        *(
            pytest.param(*command, closed, marks=pytest.mark.slow)
            for i, command in enumerate(COMMANDS)
            for j, closed in enumerate(CLOSED)
            if i != j
        ),
    ],
)
def test_closed_streams_cause_no_traceback(args, status, closed):
    call = shlex.join([sys.executable, "-m", "vecphe", *args])
    done = subprocess.run(["sh", "-c", f"{call} {closed}"], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "error: " not in done.stdout


@pytest.mark.parametrize(("error", "words"), [(MemoryError(), "memory"), (OSError(5, "bad disk"), "bad disk")])
def test_what_the_system_refuses_is_one_line(monkeypatch, capsys, error, words):
    def failing():
        raise error

    monkeypatch.setattr(cli, "_drop_stdout", lambda: None)
    monkeypatch.setattr("vecphe.cli.app.run_app", failing)
    assert cli.run() == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_closed_streams_are_those_that_nobody_reads(monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    cli._repair_streams()
    opened = sys.stdout, sys.stderr
    for stream in opened:
        assert (stream.name, stream.encoding.lower(), stream.mode) == (os.devnull, "utf-8", "w")
        print("Größe", file=stream, flush=True)
        stream.close()


def test_open_streams_stay_and_show_what_their_encoding_lacks_as_a_question_mark(monkeypatch):
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    cli._repair_streams()
    assert (sys.stdout, sys.stderr) == (out, err)
    assert (out.errors, err.errors) == ("replace", "strict")
    print("é", end="", flush=True)
    assert out.buffer.getvalue() == b"?"
    other = io.StringIO()  # as a notebook's, which takes everything
    monkeypatch.setattr(sys, "stdout", other)
    cli._repair_streams()
    assert sys.stdout is other


@pytest.mark.parametrize(
    ("ends", "status", "told", "is_dropped"),
    [
        (0, 0, "", False),
        (7, 7, "", False),
        (KeyboardInterrupt(), 130, "interrupted\n", False),
        (BrokenPipeError(), 1, "", True),
        (OSError(5, "bad disk", "f"), 2, "error: f: bad disk\n", True),
        (MemoryError(), 2, "error: not enough memory for this input\n", False),
    ],
)
def test_each_end_has_its_status(monkeypatch, capsys, ends, status, told, is_dropped):
    calls = []

    def run_app():
        if isinstance(ends, BaseException):
            raise ends
        return ends

    monkeypatch.setattr("vecphe.cli.app.run_app", run_app)
    monkeypatch.setattr("vecphe.cli.signals._State.told", False)
    monkeypatch.setattr(cli, "_drop_stdout", lambda: calls.append("drop"))
    monkeypatch.setattr(cli, "_flush_or_drop_stdout", lambda: calls.append("flush"))
    assert cli.run() == status
    assert capsys.readouterr() == ("", told)
    assert calls == (["drop"] if is_dropped else ["flush"] if isinstance(ends, KeyboardInterrupt) else [])


def test_what_stdout_does_not_take_at_the_end_is_an_error_too(monkeypatch, capsys):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(28, "full")

    dropped = []
    monkeypatch.setattr("vecphe.cli.app.run_app", lambda: 0)
    monkeypatch.setattr(cli, "_drop_stdout", lambda: dropped.append(True))
    monkeypatch.setattr(sys, "stdout", Full())
    assert cli.run() == 2
    assert capsys.readouterr().err == "error: full\n"
    cli._flush_or_drop_stdout()
    assert dropped == [True, True]
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    cli._flush_or_drop_stdout()
    assert len(dropped) == 2
