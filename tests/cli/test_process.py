"""The command as a process: signals, pipes, full disks, imports."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

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


def test_h60_ctrl_c_in_key_generation(start_command):
    process = start_command("run", "--backend", "packed", "--key-length", "8192")
    process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


SHORT_RUN = ["run", "--backend", "packed", "--key-length", "256", "--insecure", "--iterations", "2"]


@pytest.mark.parametrize("args", [["info"], ["--help"], SHORT_RUN, [*SHORT_RUN, "--json", "-"]])
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_h68_a_reader_that_left_causes_no_traceback(args, unbuffered):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "vecphe.cli", *args],
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
def test_h58_a_full_disk_is_one_line(command, place):
    if place == "--json":
        done = command(*SHORT_RUN, "--json", "/dev/full")
        stderr = done.stderr
    else:
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "vecphe.cli", *SHORT_RUN],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        stderr = done.stderr
    assert done.returncode == 2
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1


def test_h58_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    from vecphe import files
    from vecphe.cli import output

    path = tmp_path / "result.json"
    path.write_text("precious")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        output.write_json(path, {"a": 1}, force=True)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_are_one_line(command):
    done = command("run", "--clients", "2")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_info_names_the_engine(command):
    done = command("info")
    assert done.returncode == 0
    assert f"\nengine: {active_engine().name}\n" in done.stdout
    assert "key of 3072 bits: strength 128 bits (default)" in done.stdout


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


def test_the_library_does_not_import_the_command_line():
    code = (
        "import sys, vecphe, vecphe.federated; "
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


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("args", "status"), [(["info"], 0), (["--version"], 0), (SHORT_RUN, 0), (["run", "--x"], 2)])
def test_closed_streams_cause_no_traceback(closed, args, status):
    call = shlex.join([sys.executable, "-m", "vecphe.cli", *args])
    done = subprocess.run(["sh", "-c", f"{call} {closed}"], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "error: " not in done.stdout
