"""`vecphe pheutil`: phe's files are read here and those written here by phe, under the rules of this command."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from phe.command_line import cli as phe_cli

import vecphe


@pytest.fixture
def ours(main_here):
    """Run `vecphe pheutil`; what it printed."""

    def run(*args):
        done = main_here("pheutil", *(str(arg) for arg in args))
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def theirs():
    """Run phe's own command line; what it printed."""

    def run(*args):
        done = CliRunner().invoke(phe_cli, [str(arg) for arg in args], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


@pytest.mark.parametrize("writer", ["ours", "theirs"])
def test_what_one_side_writes_the_other_reads(request, tmp_path, writer):
    write, read = (
        request.getfixturevalue(name) for name in sorted(["ours", "theirs"], key=lambda name: name != writer)
    )
    key, pub, a, b, c = (tmp_path / name for name in ("key", "pub", "a", "b", "c"))
    write("genpkey", "--keysize", 512, key)
    read("extract", key, pub)
    write("encrypt", "--output", a, "--", pub, "-2.75")
    assert read("decrypt", key, a) == "-2.75\n"
    read("encrypt", pub, "1e-6", "--output", b)
    write("addenc", pub, a, b, "--output", c)
    read("add", pub, c, "100", "--output", a)
    write("multiply", pub, a, "0.5", "--output", b)
    assert float(write("decrypt", key, b)) == float(read("decrypt", key, b)) == (-2.75 + 1e-6 + 100) * 0.5
    assert json.loads(a.read_text())["e"] == -32


def test_the_two_commands_extract_the_same_bytes(ours, theirs, tmp_path):
    key = tmp_path / "key"
    for write in (ours, theirs):
        write("genpkey", "--keysize", 512, key)
        ours("extract", key, tmp_path / "a")
        theirs("extract", key, tmp_path / "b")
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_keys_work_with_the_other_commands_too(ours, main_here, tmp_path):
    key, pub, number, table = (str(tmp_path / name) for name in ("key", "key.pub", "number", "table"))
    assert main_here("keygen", "-o", key, "--form", "jwk", "--key-length", "512", "--insecure").returncode == 0
    ours("encrypt", pub, "2.5", "--output", number)
    assert ours("decrypt", key, number) == "2.5\n"
    ours("extract", key, pub)
    vecphe.PublicKey.from_jwk((tmp_path / "key.pub").read_text(), insecure=True).encrypt([2.5]).save(table)
    assert main_here("decrypt", table, "-k", key, "--insecure").stdout == "2.5\n"


def test_files_are_written_in_place_as_phe_does(ours, tmp_path):
    """Row 64 does not hold here: scripts that write over their files go on working."""
    for _ in range(2):
        ours("genpkey", "--keysize", 512, tmp_path / "key")
        ours("extract", tmp_path / "key", tmp_path / "pub")
        ours("encrypt", tmp_path / "pub", "1", "--output", tmp_path / "number")
    ours("add", tmp_path / "pub", tmp_path / "number", "2", "--output", tmp_path / "sum")
    assert ours("decrypt", tmp_path / "key", tmp_path / "sum") == "3.0\n"


def test_help_and_version(ours, main_here):
    assert ours() == ours("--help")
    for name in ("genpkey", "extract", "encrypt", "decrypt", "addenc", "add", "multiply"):
        assert f"\n  {name} " in ours("--help")
        assert ours(name, "--help").startswith(f"Usage: vecphe pheutil {name} ")
    assert vecphe.__version__ in ours("--version")
    assert "pheutil" in main_here("--help").stdout


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["nonsense"], "nonsense"),
        (["--nonsense"], "--nonsense"),
        (["encrypt"], "PUBLIC"),
        (["encrypt", "missing", "1"], "missing"),
        (["encrypt", "PUB", "-1.5"], "-1"),
        (["encrypt", "PUB", "1,5"], "not a number"),
        (["encrypt", "PUB", "nan"], "finite"),
        (["encrypt", "PUB", "1e400"], "finite"),
        (["encrypt", "KEY", "1"], "private key"),
        (["encrypt", "BAD", "1"], "JSON"),
        (["decrypt", "PUB", "NUMBER"], "public key"),
        (["decrypt", "KEY", "PUB"], "not an encrypted number"),
        (["decrypt", "KEY", "BAD"], "not an encrypted number"),
        (["genpkey", "--keysize", "abc", "x"], "--keysize"),
        (["genpkey", "--keysize", "512", "no/where"], "no/where"),
    ],
)
def test_h63_h65_h66_errors_are_one_line(ours, main_here, tmp_path, monkeypatch, args, word):
    monkeypatch.chdir(tmp_path)
    ours("genpkey", "--keysize", 512, "KEY")
    ours("extract", "KEY", "PUB")
    ours("encrypt", "PUB", "1", "--output", "NUMBER")
    (tmp_path / "BAD").write_bytes(b"\x00\xff\xfe")
    done = main_here("pheutil", *args)
    errors = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert done.returncode == 2
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert word in errors[0]
    assert done.stdout == ""


@pytest.mark.parametrize("unbuffered", ["", pytest.param("1", marks=pytest.mark.slow)], ids=["buffered", "unbuffered"])
def test_h68_a_reader_that_left_causes_no_traceback(ours, tmp_path, unbuffered):
    ours("genpkey", "--keysize", 512, tmp_path / "key")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "vecphe", "pheutil", "extract", "key", "-"],
        stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""
