"""What commands refuse, each in one line that says what to type instead; and what they show where little is to show."""

from __future__ import annotations

import getpass
import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import typer
from rich.console import Console
from tests.bench.made import CASE, matrix_results, record, results

import vecphe
import vecphe.cli
from vecphe.bench.compare import Change
from vecphe.bench.records import Case
from vecphe.bench.results_file import results_as_dict
from vecphe.cli import app as app_module
from vecphe.cli import comparison, info, streams
from vecphe.cli.bench_output import BenchReporter

SHORT = ("--key-length", "512", "--insecure")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What somebody types at a terminal, one after the other."""
    words: list[str] = []
    monkeypatch.setattr(getpass, "getpass", lambda prompt: words.pop(0))
    return words


def error_of(done: Any) -> str:
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return str(line.removeprefix("error: "))


def test_a_passphrase_is_typed_twice_alike_and_is_not_empty(main_here: Any, tmp_path: Path, typed: list[str]) -> None:
    command = ("keygen", "--out", str(tmp_path / "key"), "--passphrase", *SHORT)
    typed[:] = ["one", "two"]
    assert error_of(main_here(*command)) == "the passphrases differ"
    typed[:] = [""]
    assert error_of(main_here(*command)) == "the passphrase is empty"
    assert list(tmp_path.iterdir()) == []
    typed[:] = ["one", "one"]
    assert main_here(*command).returncode == 0
    assert vecphe.PrivateKey.load(tmp_path / "key", passphrase="one", insecure=True)
    (tmp_path / "words").write_text("one\n")
    both = main_here(*command, "--passphrase-file", str(tmp_path / "words"), "--force")
    assert error_of(both) == "--passphrase asks for it, --passphrase-file reads it: give one of them"


def test_a_passphrase_for_what_is_not_encrypted_is_refused(main_here: Any, tmp_path: Path) -> None:
    """Whoever replaces a sealed key by one of his own must not go unnoticed."""
    key, words = tmp_path / "key", tmp_path / "words"
    vecphe.generate_keypair(512, insecure=True)[1].save(key)
    words.write_text("one\n")
    command = ("pubkey", str(key), "--out", str(tmp_path / "pub"), "--insecure", "--passphrase-file", str(words))
    assert "passphrase" in error_of(main_here(*command))
    key.write_text(vecphe.PrivateKey.load(key, insecure=True).to_jwk())
    assert error_of(main_here(*command)) == f"{key} is not encrypted; leave out --passphrase-file if you trust it"
    assert not (tmp_path / "pub").exists()


def test_a_key_to_a_pipe_needs_a_name_for_the_public_one(main_here: Any, tmp_path: Path) -> None:
    message = "the private key goes to a pipe: give --public FILE for the public one"
    assert error_of(main_here("keygen", "--out", "-", *SHORT)) == message
    key = str(tmp_path / "key")
    for public in ("-", key):
        told = error_of(main_here("keygen", "--out", key, "--public", public, *SHORT))
        assert told == "the public key needs a file of its own: give --public FILE"


@pytest.mark.parametrize(("name", "values"), [("x.CSV", "1.0\n"), ("x.npy", None)])
def test_the_form_follows_the_name_and_the_option_goes_before(
    main_here: Any, tmp_path: Path, name: str, values: str | None
) -> None:
    public_key, private_key = vecphe.generate_keypair(512, insecure=True)
    private_key.save(tmp_path / "key")
    public_key.encrypt([[1.0]]).save(tmp_path / "a")
    command = ("decrypt", str(tmp_path / "a"), "--key", str(tmp_path / "key"), "--insecure", "--out")
    out = tmp_path / name
    assert main_here(*command, str(out)).returncode == 0
    assert (out.read_bytes()[:6] == b"\x93NUMPY") == (values is None)
    assert main_here(*command, str(out), "--form", "csv", "--force").returncode == 0
    assert out.read_text() == "1.0\n"
    told = error_of(main_here(*command, str(tmp_path / "x")))
    assert told == f"{tmp_path / 'x'}: name it .csv or .npy, or choose with --form"


@pytest.mark.parametrize("content", ["[" * 5000, '{"v": 5', "\xff"])
def test_what_is_no_json_is_no_number_of_phe(content: str) -> None:
    assert not streams._is_number_of_phe(content.encode("latin-1"))
    assert streams._is_number_of_phe(b'{"v": "5", "e": 0}')
    assert not streams._is_number_of_phe(b'{"v": "5", "e": 0, "x": 1}')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "a"), "options about columns and files need a file: give it with --data"),
        (("--group", "a"), "options about columns and files need a file: give it with --data"),
        (("--data", "x.csv"), "--data needs --target, the name of the column to predict"),
        (
            ("--data", "x.csv", "--target", "a", "--group", "b", "--clients", "3"),
            "--clients does not go with --group or several files: every group is a client",
        ),
        (
            ("--backend", "naive", "--engine", "gmp"),
            "the naive backend computes with phe, not with an engine of vecphe: leave out --engine",
        ),
    ],
)
def test_options_of_a_run_that_do_not_fit(main_here: Any, options: tuple[str, ...], message: str) -> None:
    assert error_of(main_here("run", *SHORT, *options)) == message


def test_the_naive_backend_alone_needs_phe(main_here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "naive_module", lambda: None)
    told = error_of(main_here("run", *SHORT, "--backend", "naive"))
    assert told == "the naive backend needs phe: pip install phe"


def test_two_groups_are_too_few(main_here: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b,g\n" + "".join(f"{i},{i * i},{group}\n" for i in range(6) for group in "xy"))
    told = error_of(main_here("run", *SHORT, "--data", str(path), "--target", "a", "--group", "g"))
    assert told == f"{path}: the column 'g' has 2 groups; at least 3 are needed"


def test_a_report_needs_a_directory_or_a_place_for_one(main_here: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    command = ("bench", "run", "--quick", "--report")
    assert error_of(main_here(*command, str(file))) == f"--report: {file} is not a directory"
    missing = tmp_path / "a" / "b"
    told = error_of(main_here(*command, str(missing)))
    assert told == f"--report: {missing.parent} does not exist; create this directory first"


def test_only_a_loop_over_phe_needs_phe(monkeypatch: pytest.MonkeyPatch, main_here: Any) -> None:
    monkeypatch.setattr("vecphe.bench.matrix.naive_module", lambda: None)
    told = error_of(main_here("bench", "run", "--quick", "--backends", "naive"))
    assert told == "--backends: naive needs phe: pip install phe"


# Ctrl-C and pipes ---------------------------------------------------------------------------------------------------


def raising(error: BaseException) -> Any:
    def raise_it(*_: object, **__: object) -> None:
        raise error

    return raise_it


def test_an_abort_of_either_library_is_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecphe.phe.command_line.cli.main", raising(click.Abort()))
    context: Any = SimpleNamespace(args=[])
    with pytest.raises(KeyboardInterrupt):
        app_module.pheutil(context)
    monkeypatch.setattr(app_module, "app", raising(typer.Abort()))
    with pytest.raises(KeyboardInterrupt):
        app_module.run_app()


@pytest.mark.parametrize(("status", "expected"), [(None, 0), (0, 0), (3, 3)])
def test_the_status_of_pheutil_is_that_of_the_command(
    main_here: Any, monkeypatch: pytest.MonkeyPatch, status: int | None, expected: int
) -> None:
    monkeypatch.setattr("vecphe.phe.command_line.cli.main", lambda *_, **__: status)
    assert main_here("pheutil", "genpkey").returncode == expected


def test_an_error_that_is_not_of_usage_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "app", raising(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        app_module.run_app()


def test_an_interrupted_command_drops_what_no_pipe_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Full(io.StringIO):
        descriptor = os.open(tmp_path / "out", os.O_CREAT | os.O_WRONLY)

        def flush(self) -> None:
            raise OSError("no space left")

        def fileno(self) -> int:
            return self.descriptor

    monkeypatch.setattr(sys, "stdout", Full())
    vecphe.cli._flush_or_drop_stdout()
    os.write(Full.descriptor, b"to nowhere")
    os.close(Full.descriptor)
    assert (tmp_path / "out").read_bytes() == b""


# What `vecphe bench` shows ------------------------------------------------------------------------------------------


def shown(width: int, show: Any) -> str:
    reporter, file = BenchReporter(), io.StringIO()
    reporter._console = Console(file=file, width=width)
    show(reporter)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def test_nothing_measured_is_said() -> None:
    assert shown(80, lambda r: r.print_results(results().__class__())) == "nothing was measured"


def test_what_is_extrapolated_and_what_is_missing_is_said() -> None:
    text = shown(200, lambda r: r.print_results(matrix_results()))
    assert text.splitlines()[-2:] == [
        "~ extrapolated: measured on fewer values or clients, and scaled",
        "WARNING: <b>markup</b> & co",
    ]
    whole = shown(200, lambda r: r.print_results(results(record(), complete=False)))
    assert whole.splitlines()[-1] == "INTERRUPTED: cases are missing"
    assert "extrapolated" not in whole
    assert "INTERRUPTED" not in text


def test_a_narrow_terminal_has_a_table_a_case() -> None:
    found = results(record("naive"), record("packed"), record("packed", Case(2048, 10, 11)))
    wide, narrow = (shown(width, lambda r: r.print_results(found)) for width in (200, 70))
    assert wide == WIDE_TABLE
    assert narrow == NARROW_TABLES


WIDE_TABLE = """\
A round: all clients encrypt, their sum is decrypted (medians)
key bits  clients  values  backend  encrypt      add  decrypt    round  speed-up  bytes/value  memory
─────────────────────────────────────────────────────────────────────────────────────────────────────
    2048        5      11  naive     703 ms  98.1 ms   198 ms   998 ms        1x          512   1 MiB
    2048        5      11  packed   2.81 ms   393 us   792 us  3.99 ms      250x          512   1 MiB

    2048       10      11  packed   5.62 ms   785 us  1.58 ms  7.99 ms      125x          512   1 MiB"""
NARROW_TABLES = """\
A round: all clients encrypt, their sum is decrypted (medians)
2048 bits, 5 clients, 11 values
backend  encry…      add  decry…    round  speed-…  bytes/value  memo…
──────────────────────────────────────────────────────────────────────
naive    703 ms  98.1 ms  198 ms   998 ms       1x          512  1 MiB
packed   2.81 …   393 us  792 us  3.99 ms     250x          512  1 MiB

2048 bits, 10 clients, 11 values
backend  encrypt     add  decry…    round  speed-…  bytes/value  memo…
──────────────────────────────────────────────────────────────────────
packed   5.62 ms  785 us  1.58 …  7.99 ms     125x          512  1 MiB
"""


def change(verdict: str, **changes: Any) -> Change:
    facts: dict[str, Any] = {
        "case": CASE, "backend": "packed", "jobs": 1, "phase": "round", "before": 0.5, "after": 0.25, "ratio": 0.5,
        "low": 0.4, "high": 0.6, "relative": False, "verdict": verdict,
    }  # fmt: skip
    return Change(**{**facts, **changes})


def test_a_comparison_shows_what_changed_and_counts_the_rest() -> None:
    changes = [
        change("faster"),
        change("slower", jobs=2, relative=True, ratio=1.5, low=1.25, high=2.0, after=0.75),
        change("other CPU", phase="add"),
        *[change("no clear change")] * 3,
        *[change("too few samples")] * 2,
        change("the machine"),
    ]
    text = shown(200, lambda r: r.print_comparison(changes, ["another engine"], (1, 2)))
    assert text.splitlines() == [
        "NOTE: another engine",
        "faster: packed, 2048 bits, 5 clients, 11 values: round 500 ms -> 250 ms, ratio 0.500 (0.400 to 0.600)",
        "slower: packed, 2048 bits, 5 clients, 11 values, 2 workers: round 500 ms -> 750 ms, "
        "ratio 1.500 (1.250 to 2.000)",
        "other CPU: packed, 2048 bits, 5 clients, 11 values: add 500 ms -> 250 ms, ratio 0.500 (0.400 to 0.600)",
        "no clear change: 3 of 9 times",
        "too few samples: 2 of 9 times",
        "ratios are relative to the naive loop that was measured in turn, with 99 % intervals",
        "1 rows are in the first file alone",
        "2 rows are in the second file alone",
    ]
    assert shown(200, lambda r: r.print_comparison([change("the machine", relative=True)], [], (0, 0))) == ""


def test_what_is_left_follows_how_the_estimate_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an estimate of 100 s, 25 s are done after 50 s: what is left takes 150 s."""
    reporter = BenchReporter()
    bars: list[Any] = []
    make = reporter._bar

    def watched(*columns: Any) -> Any:
        bars.append(make(*columns))
        return bars[-1]

    monkeypatch.setattr(reporter, "_bar", watched)
    with reporter.showing(100.0) as progress:
        (task,) = bars[0].tasks
        now = task.start_time
        bars[0].get_time = lambda: now + 50.0
        task.get_time = bars[0].get_time
        assert (task.description, task.total, task.fields["left"]) == ("making keys", 100.0, "100 s left")
        progress("a case", 0.0)
        assert (task.description, task.completed, task.fields["left"]) == ("a case", 0.0, "100 s left")
        progress("a case", 25.0)
        assert (task.completed, task.fields["left"]) == (25.0, "about 150 s left")
        progress("another", 100.0)
        assert (task.description, task.fields["left"]) == ("another", "about 0 us left")
    with reporter.showing() as progress:
        (task,) = bars[1].tasks
        progress("keys", 3.0)
        assert (task.total, task.fields["left"]) == (None, "")


# What is printed for people and for programs -------------------------------------------------------------------------


def test_facts_are_printed_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    facts: dict[str, Any] = {
        "version": "1", "python": "3.99", "engine": "gmp", "engine_details": {"target": "GMP", "version": "6"},
        "why_not_used": {"ifma": "the CPU is too old"},
        "race": {"key_length": 2048, "seconds_per_product": {}},
        "cpu": {"model": "Test CPU", "cores": 3, "features": []},
        "joblib": {"version": "9", "backend": "Loky", "n_jobs": 1, "workers": "processes"},
        "key_length": {"default": 3072, "strength_bits": {"1024": 80, "2048": 112, "3072": 128}},
    }  # fmt: skip
    info.print_info(facts)
    assert capsys.readouterr().out.splitlines() == [
        "vecphe 1, Python 3.99",
        "engine: gmp",
        "engine details: target GMP, version 6",
        "engine ifma: not used, the CPU is too old",
        "cpu: Test CPU, 3 cores, features: none known",
        "joblib: 9, Loky, n_jobs 1; the engine wants processes",
        "key of 1024 bits: strength 80 bits (insecure)",
        "key of 2048 bits: strength 112 bits",
        "key of 3072 bits: strength 128 bits (default)",
    ]
    facts["cpu"]["features"] = ["a", "b"]
    facts["race"]["seconds_per_product"] = {"gmp": 2e-6, "fma512": 1.5e-6}
    info.print_info(facts)
    lines = capsys.readouterr().out.splitlines()
    assert "cpu: Test CPU, 3 cores, features: a b" in lines
    assert "race of engines: gmp 2 us, fma512 1.5 us a product at 2048 bits; the faster one computes" in lines
    assert info._STRENGTHS == {1024: 80, 2048: 112, 3072: 128, 7680: 192}  # NIST SP 800-57 part 1, table 2


def test_json_is_indented(main_here: Any, tmp_path: Path) -> None:
    vecphe.generate_keypair(512, insecure=True)[0].save(tmp_path / "pub")
    saved = tmp_path / "r.json"
    saved.write_text(json.dumps(results_as_dict(results(record()))))
    for command in (
        ("info", "--json"),
        ("inspect", str(tmp_path / "pub")),
        ("estimate", "--clients", "3", "--values", "3", "--key-length", "512", "--json"),
        ("bench", "compare", str(saved), str(saved), "--json"),
    ):
        done = main_here(*command)
        assert done.returncode == 0, done.stderr
        assert done.stdout == json.dumps(json.loads(done.stdout), indent=2) + "\n"
    found = json.loads(main_here("bench", "compare", str(saved), str(saved), "--json").stdout)
    assert found.keys() == {"differences", "changes", "unmatched"}
    assert (found["differences"], found["unmatched"], len(found["changes"])) == ([], [0, 0], 4)
