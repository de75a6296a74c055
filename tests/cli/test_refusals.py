"""What commands refuse, each in one line that says what to type instead; and what they show where little is to show."""

from __future__ import annotations

import getpass
import io
import json
import math
import os
import sys
from dataclasses import replace
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
from vecphe.bench.matrix import Matrix
from vecphe.bench.records import PHASES, Case
from vecphe.bench.results_file import results_as_dict
from vecphe.cli import app as app_module
from vecphe.cli import bench_run, comparison, info, streams
from vecphe.cli.bench_output import BenchReporter, _table

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
    assert streams._is_number_of_phe(content.encode("latin-1")) is False
    assert streams._is_number_of_phe(b'{"v": "5", "e": 0}')
    assert streams._is_number_of_phe(b'{"v": "5", "e": 0, "x": 1}') is False


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


@pytest.mark.parametrize(("ends", "status"), [(None, 0), ("text", 0), (0, 0), (1, 1), (129, 129), (131, 131)])
def test_the_status_is_what_the_command_line_gives(monkeypatch: pytest.MonkeyPatch, ends: Any, status: int) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(app_module, "app", lambda **options: asked.append(options) or ends)
    assert app_module.run_app() == status
    assert asked == [{"standalone_mode": False}]
    monkeypatch.setattr(app_module, "app", lambda **_: 130)  # as newer versions of typer answer Ctrl-C
    with pytest.raises(KeyboardInterrupt):
        app_module.run_app()


def test_a_usage_error_is_one_line_and_a_bug_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app_module, "app", raising(click.UsageError("no\nsuch thing")))
    assert app_module.run_app() == 2
    assert capsys.readouterr() == ("", "error: no such thing\n")
    monkeypatch.setattr("vecphe.phe.command_line.cli.main", raising(click.UsageError("no such file")))
    context: Any = SimpleNamespace(args=["extract"])
    with pytest.raises(typer.Exit) as caught:
        app_module.pheutil(context)
    assert caught.value.exit_code == 2
    assert capsys.readouterr() == ("", "error: no such file\n")


@pytest.mark.parametrize(("typed", "given"), [([], ["--help"]), (["add", "-h"], ["add", "-h"])])
def test_pheutil_gets_what_was_typed(monkeypatch: pytest.MonkeyPatch, typed: list[str], given: list[str]) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("vecphe.phe.command_line.cli.main", lambda *args, **options: asked.append((*args, options)))
    context: Any = SimpleNamespace(args=typed)
    app_module.pheutil(context)
    assert asked == [(given, {"prog_name": "vecphe pheutil", "standalone_mode": False})]


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


def test_what_will_run_and_how_long_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecphe.cli.bench_output.machine_line", lambda engine: f"here, {engine}")
    matrix = Matrix((1024, 2048), (3, 5), (1,), ("naive", "packed"), "gmp", budget=90.0)
    found = results(record(), warnings=("it is slow",))
    assert shown(200, lambda r: r.print_start(matrix, found)).splitlines() == [
        "vecphe bench: here, gmp",
        "WARNING: it is slow",
        f"cases: {len(matrix.cases)}; keys of 1024, 2048 bits; 3, 5 clients; 1 value; backends naive (phe), packed",
        "going on with 1 row that --save holds",
    ]
    more = shown(200, lambda r: r.print_start(matrix, results(record(), record())))
    assert more.splitlines()[-1] == "going on with 2 rows that --save holds"
    assert "going on" not in shown(200, lambda r: r.print_start(matrix, results().__class__()))
    of_naive = (
        f"naive encrypts as many values, of as many clients, as fit in {matrix.naive_seconds:g} s a sample; "
        "where that is not all, its times are extrapolated and start with ~"
    )
    for changes, limit in (
        ({"budget": None}, ""),
        ({}, ", 90 s with the keys at most"),
        ({"peers": ("lightphe",)}, ", 90 s with the keys, other libraries' apart, at most"),
    ):
        for backends, lines in ((("naive", "packed"), [of_naive]), (("vectorized", "packed"), [])):
            planned = replace(matrix, backends=backends, **changes)
            assert shown(200, lambda r, planned=planned: r.print_estimate(planned, 61.5)).splitlines() == [
                f"this takes about 62 s{limit}; Ctrl-C ends it and keeps what was measured",
                *lines,
            ]


def test_nothing_measured_is_said() -> None:
    assert shown(80, lambda r: r.print_results(results().__class__())) == "nothing was measured"


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_budget_in_which_nothing_was_measured_is_an_error(monkeypatch: pytest.MonkeyPatch, interrupted: bool) -> None:
    """Not after an interrupt, which has a status of its own."""
    empty = results().__class__()
    monkeypatch.setattr(bench_run.Runner, "calibrate", lambda self, progress: 0.0)
    monkeypatch.setattr(bench_run.Runner, "run", lambda self, *_: setattr(self, "interrupted", interrupted) or empty)
    matrix = bench_run.Matrix((1024,), (3,), (1,), budget=1.0)
    if interrupted:
        assert not bench_run.run_matrix(matrix, bench_run.Outputs())
    else:
        with pytest.raises(ValueError, match="give more time, such as --budget 5m"):
            bench_run.run_matrix(matrix, bench_run.Outputs())


def test_what_is_extrapolated_and_what_is_missing_is_said() -> None:
    text = shown(200, lambda r: r.print_results(matrix_results()))
    *_, scaled, sentence, warning = text.splitlines()
    assert scaled == "~ extrapolated: measured on fewer values or clients, and scaled, or held against what was"
    assert sentence.startswith("With keys of 2048 bits, a round of 5 clients with 100 values each takes ")
    assert warning == "WARNING: <b>markup</b> & co"
    noisy = record("vectorized", samples={phase: [0.1, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1] for phase in PHASES})
    whole = shown(200, lambda r: r.print_results(results(record(), noisy, complete=False)))
    assert whole.splitlines()[-1] == "INCOMPLETE: cases or samples are missing; with --save FILE --resume a run goes on"
    assert "1 row noisy: the interval is wider than a factor of 1.5" in whole
    assert "extrapolated" not in whole
    assert "INCOMPLETE" not in text
    assert "row noisy" not in text


def test_a_narrow_terminal_has_a_table_a_case() -> None:
    found = results(record("naive"), record("packed"), record("packed", Case(2048, 10, 11)))
    wide, narrow = (shown(width, lambda r: r.print_results(found)) for width in (200, 70))
    assert wide == WIDE_TABLE
    assert narrow == NARROW_TABLES
    just = max(map(len, WIDE_TABLE.splitlines()[:3]))
    for width, is_wide in ((just, True), (just - 1, False)):
        lines = shown(width, lambda r: r.print_results(found)).splitlines()
        assert (lines[1].split()[0] == "key") is is_wide


def test_no_more_than_three_stand_side_by_side_and_no_cell_is_broken() -> None:
    four = results(record("naive"), record("vectorized"), record("packed"), record("packed", jobs=2))
    lines = shown(90, lambda r: r.print_results(four)).splitlines()
    heads = [line for line in lines if not line.startswith(" " * 40) and line.startswith("    ")]
    assert [head.split() for head in heads] == [["naive", "(phe)", "vectorized", "packed"], ["packed"]]
    assert sum(line.startswith("encrypt ") for line in lines) == 2
    made = _table("title", ("", "naive (phe)"), [(("a b", "1 ms (2-3)"), CASE)])
    assert all(column.no_wrap for column in made.columns)


WIDE_TABLE = """\
A round: all clients encrypt, their sum is decrypted (medians with 99 % intervals)
key bits  clients  values  backend                  encrypt                 add              decrypt                round        speed-up  samples  bytes/value   memory
────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    2048        5      11  naive (phe)     703 ms (687-732)  98.1 ms (92.6-104)     198 ms (192-208)    998 ms (990-1030)              1x        7          512  < 4 MiB
    2048        5      11  packed       2.81 ms (2.75-2.93)    393 us (370-414)     792 us (767-830)  3.99 ms (3.96-4.12)  250x (243-253)        7          512  < 4 MiB

    2048       10      11  packed       5.62 ms (5.49-5.85)    785 us (740-829)  1.58 ms (1.53-1.66)  7.99 ms (7.92-8.25)  125x (121-126)        7          512  < 4 MiB
With keys of 2048 bits, a round of 10 clients with 11 values each takes 7.99 ms packed, 125x as fast as a loop over phe: the median of 7 samples, 99 % interval 121x to 126x. Engine ifma, Test CPU, 1 worker."""  # noqa: E501
NARROW_TABLES = """\
A round: all clients encrypt, their sum is decrypted (medians with 99 % intervals)
2048 bits, 5 clients, 11 values
                    naive (phe)               packed
────────────────────────────────────────────────────
encrypt        703 ms (687-732)  2.81 ms (2.75-2.93)
add          98.1 ms (92.6-104)     393 us (370-414)
decrypt        198 ms (192-208)     792 us (767-830)
round         998 ms (990-1030)  3.99 ms (3.96-4.12)
speed-up                     1x       250x (243-253)
samples                       7                    7
bytes/value                 512                  512
memory                  < 4 MiB              < 4 MiB

2048 bits, 10 clients, 11 values
                          packed
────────────────────────────────
encrypt      5.62 ms (5.49-5.85)
add             785 us (740-829)
decrypt      1.58 ms (1.53-1.66)
round        7.99 ms (7.92-8.25)
speed-up          125x (121-126)
samples                        7
bytes/value                  512
memory                   < 4 MiB

With keys of 2048 bits, a round of 10 clients with 11 values each takes 7.99 ms packed, 125x as fast as a loop over phe: the median of 7 samples, 99 % interval 121x to 126x. Engine ifma, Test CPU, 1 worker."""  # noqa: E501


def change(verdict: str, **changes: Any) -> Change:
    facts: dict[str, Any] = {
        "case": CASE, "backend": "packed", "jobs": 1, "phase": "round", "before": 0.5, "after": 0.25, "ratio": 0.5,
        "low": 0.4, "high": 0.6, "relative": False, "verdict": verdict,
    }  # fmt: skip
    return Change(**{**facts, **changes})


def test_a_comparison_shows_every_time_and_counts_verdicts() -> None:
    changes = [
        change("faster"),
        change("slower", jobs=2, relative=True, ratio=1.5, low=1.25, high=2.0, after=0.75),
        change("other CPU", phase="add", case=Case(2048, 10, 11)),
        change("the machine", backend="naive", low=0.0, high=math.inf),
    ]
    left = ([record("vectorized")], [record(case=Case(2048, 3, 11), jobs=2)])
    wide, narrow = (
        shown(width, lambda r: r.print_comparison(changes, ["another engine"], left)) for width in (200, 60)
    )
    assert wide == WIDE_COMPARISON
    assert narrow.splitlines()[:3] == [
        "NOTE: another engine",
        "2048, 5, 11, packed, round, 500 ms, 250 ms, 0.500 (0.4 to 0.6), faster",
        "2048, 5, 11, packed, 2 workers, round, 500 ms, 750 ms, 1.500 (1.25 to 2), slower",
    ]
    assert len(narrow.splitlines()) == 1 + 6 + 6 + 1
    assert "relative" not in shown(200, lambda r: r.print_comparison(changes[:1], [], ([], [])))


WIDE_COMPARISON = """\
NOTE: another engine
Old and new medians, and new over old with its 99 % interval
key bits  clients  values  backend            phase     old     new               ratio  verdict
─────────────────────────────────────────────────────────────────────────────────────────────────────────────
    2048        5      11  packed             round  500 ms  250 ms  0.500 (0.4 to 0.6)  faster
    2048        5      11  packed, 2 workers  round  500 ms  750 ms   1.500 (1.25 to 2)  slower

    2048       10      11  packed             add    500 ms  250 ms  0.500 (0.4 to 0.6)  other CPU

    2048        5      11  naive (phe)        round  500 ms  250 ms    0.500 (0 to inf)  the machine
    2048        5      11  vectorized         round   20 ms       -                   -  only in the old file

    2048        3      11  packed, 2 workers  round       -  2.4 ms                   -  only in the new file
faster: 1 of 6
slower: 1 of 6
other CPU: 1 of 6
the machine: 1 of 6
only in the old file: 1 of 6
only in the new file: 1 of 6
ratios are relative to the naive loop that was measured in turn"""


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
    assert (found["differences"], found["unmatched"], len(found["changes"])) == ([], [[], []], 4)
