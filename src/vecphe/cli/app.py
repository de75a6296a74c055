"""Commands and options of `vecphe`."""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from vecphe import __version__
from vecphe.cli import crypt
from vecphe.cli.bench import bench
from vecphe.cli.failure import errors_in_one_line, fail, one_line, print_error
from vecphe.cli.roster import roster
from vecphe.errors import InsecureKeyWarning, VecpheError
from vecphe.numbers.key_numbers import DEFAULT_KEY_LENGTH, check_key_length

__all__ = ["app", "run_app"]

app = typer.Typer(
    name="vecphe",
    help="Vectorized Paillier encryption: keys, encrypted files, and federated learning on them.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

_INTERRUPTED = 130


class Transport(str, Enum):
    """What else than this process `vecphe run` can run over."""

    FLOWER = "flower"


class Topology(str, Enum):
    """Ways of the encrypted updates over Flower."""

    RING = "ring"
    STAR = "star"


class BackendChoice(str, Enum):
    """Backends that `vecphe run` offers."""

    ALL = "all"
    PACKED = "packed"
    VECTORIZED = "vectorized"
    NAIVE = "naive"


def run_app() -> int:
    """Run the command line in `sys.argv`; the exit status."""
    warnings.showwarning = _show_warning
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        if not hasattr(error, "format_message"):  # what every usage error of typer has, in all its versions
            raise
        print_error(error.format_message())
        return 2
    if status == _INTERRUPTED:  # newer versions of typer answer Ctrl-C themselves
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"warning: {one_line(message)}", file=sys.stderr)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"vecphe {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def info(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Version, engine, CPU features, parallelism and key strengths."""
    from vecphe.cli.info import collect_info, print_info, print_json

    with errors_in_one_line(VecpheError):
        facts = collect_info()
    (print_json if as_json else print_info)(facts)


@app.command()
def run(
    clients: Annotated[int | None, typer.Option(min=3, help="Number of hospitals, 5 by default.")] = None,
    key_length: Annotated[int, typer.Option(help="Bits of the Paillier modulus.")] = DEFAULT_KEY_LENGTH,
    iterations: Annotated[int, typer.Option(min=1, help="Rounds of gradient descent.")] = 50,
    eta: Annotated[float, typer.Option(help="Step size.")] = 1.5,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed that cuts the data.")] = 43,
    backend: Annotated[BackendChoice, typer.Option(help="What to run; all compares.")] = BackendChoice.ALL,
    data: Annotated[Path | None, typer.Option(help="CSV file with a header, instead of the diabetes data.")] = None,
    target: Annotated[str | None, typer.Option(help="Column of the CSV file to predict.")] = None,
    group: Annotated[str | None, typer.Option(help="Column of the CSV file that names each row's hospital.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write results as JSON; - is stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the JSON file if it exists.")] = False,
    insecure: Annotated[bool, typer.Option("--insecure", help="Allow keys below 2048 bits.")] = False,
    jobs: crypt.Jobs = None,
    engine: crypt.EngineName = None,
    over: Annotated[
        Transport | None, typer.Option(help="Run the hospitals as nodes of Flower's simulation, packed only.")
    ] = None,
    topology: Annotated[Topology | None, typer.Option(help="Over Flower: ring (the default) or star.")] = None,
) -> None:
    """Train hospitals on encrypted gradients, and compare naive with vectorized encryption."""
    from vecphe.cli.comparison import Comparison, load_shards
    from vecphe.cli.output import check_writable, write_json
    from vecphe.cli.report import Reporter

    with errors_in_one_line(VecpheError, ValueError, OSError), warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        check_key_length(key_length, insecure=insecure)
        if json_file is not None:
            check_writable(json_file, force)
        shards = load_shards(data, target, group, clients, seed)
        facts = {"data": "diabetes" if data is None else str(data), "seed": seed}
        config: dict[str, Any] = {
            "key_length": key_length,
            "n_iter": iterations,
            "eta": eta,
            "insecure": insecure,
            "n_jobs": jobs,
            "engine": engine,
        }
        if over is None:
            if topology is not None:
                raise ValueError("--topology is one of a run over Flower: give --over flower too")
            comparison = Comparison(shards, backend.value, facts, **config)
        else:
            if backend not in (BackendChoice.ALL, BackendChoice.PACKED):
                raise ValueError(f"over Flower arrays are packed: leave out --backend {backend.value}")
            from vecphe.cli.over_flower import FlowerComparison, Job

            path = None if data is None else str(data.resolve())
            job = Job(len(shards.names), seed, eta, path, target, group)
            comparison = FlowerComparison(shards, (topology or Topology.RING).value, job, facts, **config)
    reporter = Reporter(to_stderr=json_file is not None and str(json_file) == "-")
    with errors_in_one_line(VecpheError), warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        reporter.print_start(comparison)
        comparison.run(reporter.watching)
    reporter.print_results(comparison)
    if json_file is not None:
        with errors_in_one_line(OSError):
            write_json(json_file, comparison.as_dict(), force)
    if not comparison.models_agree:
        raise typer.Exit(1)


app.add_typer(bench)
app.add_typer(roster)


@app.command()
def estimate(
    clients: Annotated[int, typer.Option(help="Number of clients.")],
    values: Annotated[int, typer.Option(help="Values a client sends.")],
    key_length: Annotated[int, typer.Option(help="Bits of the Paillier modulus.")] = DEFAULT_KEY_LENGTH,
    cores: Annotated[int, typer.Option(help="Workers of a party for encryption and decryption.")] = 1,
    packed: Annotated[bool, typer.Option("--packed/--unpacked", help="Several values a ciphertext, or one.")] = True,
    bandwidth: Annotated[float, typer.Option(help="Of a link between parties, in Mbit/s.")] = 1000.0,
    engine: crypt.EngineName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Predict time, traffic and memory of a round, from some seconds of calibration on this machine."""
    from vecphe.bench.estimate import Plan, calibrate
    from vecphe.bench.estimate import estimate as estimated
    from vecphe.cli.estimate import print_plan

    with errors_in_one_line(VecpheError, ValueError):
        plan = Plan(clients, values, key_length, cores, packed, bandwidth, engine)
        result = estimated(plan, calibrate(plan, lambda text: print(text, file=sys.stderr, flush=True)))
    if as_json:
        print(json.dumps(asdict(result), indent=2))
    else:
        print_plan(result)


for _command in (crypt.keygen, crypt.pubkey, crypt.encrypt, crypt.add, crypt.decrypt, crypt.inspect):
    app.command()(_command)


class _Unparsed(TyperCommand):
    """A command that gets its arguments as they are, ``--help`` and ``--`` included."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        super().parse_args(ctx, [])
        ctx.args = list(args)
        return []


@app.command(cls=_Unparsed)
def pheutil(context: typer.Context) -> None:
    """The commands of phe's pheutil on its file formats: genpkey, extract, encrypt, decrypt, addenc, add, multiply."""
    import click

    from vecphe.phe.command_line import cli

    try:
        status = cli.main(context.args or ["--help"], prog_name="vecphe pheutil", standalone_mode=False)
    except click.ClickException as error:
        fail(error.format_message())
    except click.Abort:
        raise KeyboardInterrupt from None
    if isinstance(status, int) and status:
        raise typer.Exit(status)
