"""The commands of `vecphe bench`: run, compare, check and baseline."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vecphe.cli.crypt import Jobs
from vecphe.cli.failure import errors_in_one_line, fail
from vecphe.errors import EngineUnavailableError, VecpheError
from vecphe.system.plurals import counted

__all__ = ["bench"]


class _Group(TyperGroup):
    """Names the new command to those who type the options of old."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args:
            fail("say what to do: vecphe bench run, compare, check or baseline; --help lists their options")
        if args[0].startswith("--") and "--help" not in args:
            fail(f"`vecphe bench` has commands now: write `{shlex.join(['vecphe', 'bench', *new_spelling(args)])}`")
        return super().parse_args(ctx, args)


def new_spelling(old: list[str]) -> list[str]:
    """Arguments of `vecphe bench` as they were before it had commands, as they are now."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--compare", nargs="*")
    for name in ("--check", "--engine", "--update-baseline"):
        options.add_argument(name, nargs="?", const="")
    known, args = options.parse_known_args(old)
    if known.engine not in (None, "", "active"):
        args += ["--engine", known.engine]
    if known.compare is not None:
        return ["compare", *(known.compare or ["BEFORE", "AFTER"]), *args]
    if known.update_baseline is not None:
        return ["baseline", known.check or "FILE", *args]
    return ["run", *args] if known.check is None else ["check", known.check or "FILE", *args]


bench = typer.Typer(
    name="bench",
    cls=_Group,
    help="Measure rounds of encrypted sums, and hold counts and speeds against a baseline.",
)

Engine = Annotated[str | None, typer.Option(help="Engine to compute with, as VECPHE_ENGINE.")]
Rows = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Python file with rows of your own in place of vecphe's; it is run.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Baseline = Annotated[Path, typer.Argument(metavar="FILE", help="The baseline.")]


@contextmanager
def _errors(engine: str | None = None) -> Iterator[None]:
    """Told in one line, with the option where an engine was asked for that is not there."""
    with errors_in_one_line(VecpheError, ValueError, OSError):
        try:
            yield
        except EngineUnavailableError as error:
            raise ValueError(f"--engine: {error}") if engine is not None else error from None


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _directory(name: str) -> Path:
    if not name:  # Path("") is the current directory, which nobody meant
        raise typer.BadParameter("name a directory")
    return Path(name)


@bench.command()
def run(
    key_lengths: Annotated[str | None, typer.Option(help="Bits, such as 1024,2048,3072.")] = None,
    clients: Annotated[str | None, typer.Option(help="Numbers of clients, such as 3,5,10.")] = None,
    values: Annotated[str | None, typer.Option(help="Lengths of their vectors, such as 11,1000.")] = None,
    backends: Annotated[str | None, typer.Option(help="Some of naive,vectorized,packed.")] = None,
    engine: Engine = None,
    jobs: Jobs = None,
    peers: Annotated[
        str | None, typer.Option(help="Other libraries, a row each: some of phe,pypaillier,lightphe,tenseal.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small matrix: less than a minute, with fewer samples on a busy machine.")
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(help="Time for all of it, such as 90s, 15m or 2h: as many samples of each case as fit."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write results as JSON, again whenever a case is measured; - is stdout.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what --save holds; the plan and the machine must be the same.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write a table as CSV.")] = None,
    latex: Annotated[Path | None, typer.Option(help="Write a table for LaTeX, in the rules of booktabs.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            parser=_directory, metavar="DIRECTORY", help="Directory for a web page, with plots as PNG, SVG and PDF."
        ),
    ] = None,
    plot: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT:AXIS", help="Draw this into the report instead, such as speedup:clients; repeat."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Measure rounds over key lengths, clients and vector lengths, against a loop over phe."""
    from vecphe.cli.bench_run import Outputs, make_matrix, run_matrix

    with _errors():
        matrix = make_matrix(quick, key_lengths, clients, values, backends, engine, jobs, peers, budget)
        finished = run_matrix(matrix, Outputs(save, csv, latex, report, plot or (), resume, force))
    if not finished:
        raise KeyboardInterrupt


@bench.command()
def compare(
    before: Annotated[Path, typer.Argument(help="Results of `vecphe bench run --save`.")],
    after: Annotated[Path, typer.Argument(help="Later ones.")],
    as_json: Json = False,
) -> None:
    """Print every time in two files of results, old and new, with a verdict; nothing is run."""
    from vecphe.cli.bench_run import compare_files

    with _errors():
        compare_files(before, after, as_json)


@bench.command()
def check(
    file: Baseline,
    rows: Rows = None,
    engine: Annotated[
        str | None,
        typer.Option(help="Judge the rows of this engine, which fail if it does not run. [default: the one that runs]"),
    ] = None,
    tolerance: Annotated[float | None, typer.Option(help="Loss of speed that still passes. [default: 0.10]")] = None,
    counts_only: Annotated[bool, typer.Option("--counts-only", help="Compare exact counts and no speeds.")] = False,
    speeds_only: Annotated[bool, typer.Option("--speeds-only", help="Compare speeds and no counts.")] = False,
    as_json: Json = False,
) -> None:
    """Run the gate: exit 1 if a count differs from the baseline, speed is lost, or nothing could be judged."""
    from vecphe.bench.gate import check_baseline
    from vecphe.bench.judge import TOLERANCE

    with _errors(engine):
        with redirect_stdout(sys.stderr):  # what rows print is no part of the report
            report = check_baseline(
                file,
                tolerance=TOLERANCE if tolerance is None else tolerance,
                counts_only=counts_only,
                speeds_only=speeds_only,
                engine=engine,
                rows=rows,
                say=_say,
            )
        if as_json:
            findings = [vars(finding) for finding in report.findings]
            content = {"ok": report.ok, "notes": report.notes, "warnings": report.warnings, "findings": findings}
            print(json.dumps(content, indent=2))
        else:
            print("\n".join([*report.lines(), report.summary]))
    if report.failed:
        _say(
            f"error: {len(report.failed)} of {counted(len(report.findings), 'row')} failed: {'; '.join(report.failed)}"
        )
    elif not report.findings:
        _say("error: nothing was judged: the baseline has no rows that could be compared here")
    if not report.ok:
        raise typer.Exit(1)


@bench.command()
def baseline(
    file: Baseline,
    rows: Rows = None,
    engine: Engine = None,
    counts_only: Annotated[bool, typer.Option("--counts-only", help="Keep the speeds that are there.")] = False,
) -> None:
    """Write what is counted and measured here into a baseline, new or old, and print what that changes."""
    from vecphe.bench.baseline import save_baseline
    from vecphe.bench.gate import updated_baseline
    from vecphe.system.files import check_directory, check_writable

    with _errors(engine):
        check_writable(file, force=True)  # before minutes of work
        check_directory(file.resolve().parent)
        with redirect_stdout(sys.stderr):
            updated, changed = updated_baseline(file, counts_only=counts_only, engine=engine, rows=rows, say=_say)
        save_baseline(file, updated)
        print("\n".join(changed) or f"{file}: nothing changed")
