"""Commands and options of `vecphe`."""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import asdict, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from vecphe import __version__
from vecphe.cli import crypt, data_options
from vecphe.cli.bench import bench
from vecphe.cli.examples import show_examples
from vecphe.cli.failure import RUN_OPTIONS, errors_in_one_line, fail, one_line, print_error
from vecphe.cli.roster import roster
from vecphe.errors import InsecureKeyWarning, VecpheError
from vecphe.numbers.key_numbers import DEFAULT_KEY_LENGTH, check_key_length

__all__ = ["app", "run_app"]

app = typer.Typer(
    name="vecphe",
    help="Vectorized Paillier encryption: keys, encrypted files, and federated learning on them.",
    context_settings={"help_option_names": ["-h", "--help"]},
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


class ScaleChoice(str, Enum):
    """Whether columns are scaled."""

    FEDERATED = "federated"
    NONE = "none"


class TaskChoice(str, Enum):
    """What is learned."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


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
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="CSV with a header, Parquet or .npz, in place of the diabetes data; several are a hospital each."
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column to predict.")] = None,
    group: Annotated[str | None, typer.Option(help="Column that names each row's hospital.")] = None,
    features: data_options.Features = None,
    drop: data_options.Drop = None,
    categories: data_options.Categories = None,
    missing: data_options.Missing = data_options.MissingCells.ERROR,
    sep: data_options.Separator = None,
    decimal: data_options.Decimal = ".",
    thousands: data_options.Thousands = None,
    encoding: data_options.Encoding = None,
    task: Annotated[TaskChoice | None, typer.Option(help="What to learn; else the target tells.")] = None,
    scale: Annotated[
        ScaleChoice | None,
        typer.Option(help="Scale columns by encrypted means and deviations, or not; federated unless it is our data."),
    ] = None,
    l2: Annotated[float, typer.Option("--l2", help="L2 penalty on the weights of standardised columns.")] = 0.0,
    tol: Annotated[
        float | None, typer.Option(help="End when the encrypted mean loss is no longer lower by so much.")
    ] = None,
    fraction_bits: Annotated[
        int | None, typer.Option(help="Encode numbers with so many fraction bits, a multiple of 4.")
    ] = None,
    max_abs: Annotated[float | None, typer.Option(help="Largest magnitude of a gradient that is encoded.")] = None,
    max_terms: Annotated[
        int | None, typer.Option(help="Sums that slots have room for; by default the clients.")
    ] = None,
    model_file: Annotated[
        Path | None, typer.Option("--model", help="Write the federated model, for vecphe predict; - is stdout.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the error a round, alone, pooled and federated: FILE.png, .svg or .pdf.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with tables and that plot into a directory.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write results as JSON; - is stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
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
    from vecphe.cli.learning import LearningFiles
    from vecphe.cli.output import check_outputs, write_json, write_text
    from vecphe.cli.report import Reporter
    from vecphe.plaintext.encoding import FixedPoint

    with errors_in_one_line(VecpheError, ValueError, OSError, options=RUN_OPTIONS), warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        check_key_length(key_length, insecure=insecure)
        pictures = LearningFiles(plot, report, force)
        check_outputs({"--json": json_file, "--model": model_file, **pictures.paths}, force)
        options = data_options.table_options(
            target,
            group,
            features,
            drop,
            categories,
            missing,
            sep=sep,
            decimal=decimal,
            encoding=encoding,
            thousands=thousands,
        )
        if options is not None and task is not None:
            options = replace(options, labels=task is TaskChoice.CLASSIFICATION)
        shards = load_shards(data or [], options, clients, seed, data_options.say)
        if topology is not None and over is None:
            raise ValueError("--topology is one of a run over Flower: give --over flower too")
        make: Any = Comparison
        if over is not None:
            from vecphe.cli.over_flower import FlowerComparison

            way = (topology or Topology.RING).value
            make = partial(FlowerComparison, way, bool(data), backend not in (BackendChoice.ALL, BackendChoice.PACKED))
        comparison: Comparison = make(
            shards,
            backend.value,
            {"data": ", ".join(map(str, data)) if data else "diabetes", "seed": seed},
            None if task is None else task.value,
            scale=("federated" if data else "none") if scale is None else scale.value,
            l2=l2,
            tol=tol,
            encoding=None if fraction_bits is None else FixedPoint(fraction_bits, max_terms=len(shards.names)),
            max_abs=max_abs,
            max_terms=max_terms,
            missing="mean" if missing is data_options.MissingCells.MEAN else "error",
            key_length=key_length,
            n_iter=iterations,
            eta=eta,
            insecure=insecure,
            n_jobs=jobs,
            engine=engine,
        )
    reporter = Reporter(to_stderr="-" in map(str, (json_file, model_file)))
    with errors_in_one_line(VecpheError, ValueError, options=RUN_OPTIONS), warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        reporter.print_start(comparison)
        comparison.run(reporter.watching)
    reporter.print_results(comparison)
    with errors_in_one_line(OSError, ValueError):
        if json_file is not None:
            write_json(json_file, comparison.as_dict(), force)
        if not comparison.models_agree:
            raise typer.Exit(1)
        if model_file is not None:
            write_text(model_file, comparison.trained.to_json(), force)
        pictures.write(comparison)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="File of vecphe run --model, or of an estimator's save.")],
    data: Annotated[Path, typer.Argument(help="File with the columns of the model, as it came.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file to write; - is the standard output.")] = Path("-"),
    missing: data_options.Missing = data_options.MissingCells.ERROR,
    sep: data_options.Separator = None,
    decimal: data_options.Decimal = ".",
    thousands: data_options.Thousands = None,
    encoding: data_options.Encoding = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the probability of each class too.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")] = False,
) -> None:
    """Predict the target for rows of a file, with a model that vecphe run wrote."""
    from vecphe.cli.predict import predict_file
    from vecphe.data import ReadOptions

    with errors_in_one_line(VecpheError, ValueError, OSError):
        reading = ReadOptions(sep, decimal, encoding, thousands)
        predict_file(model, data, out, reading, missing=missing.value, probabilities=probabilities, force=force)


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
        result = estimated(plan, calibrate(plan, lambda text: print(text, file=sys.stderr)))
    if as_json:
        print(json.dumps(asdict(result), indent=2))
    else:
        print_plan(result)


@app.command()
def layout(
    max_abs: Annotated[float, typer.Option(help="Largest magnitude of a value.")],
    precision: Annotated[float, typer.Option(help="By how much a value may be rounded, such as 1e-9.")],
    terms: Annotated[int, typer.Option(help="How many such values will be summed: the clients.")] = 255,
    key_length: Annotated[int, typer.Option(help="Bits of the Paillier modulus.")] = DEFAULT_KEY_LENGTH,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Choose the encoding of packed values: how many fit a ciphertext, for a range and a precision."""
    from vecphe.cli.layout import plan_layout, print_layout

    with errors_in_one_line(VecpheError, ValueError):
        plan = plan_layout(max_abs, precision, terms, key_length)
    if as_json:
        print(json.dumps({**asdict(plan), "encoding": plan.encoding}, indent=2))
    else:
        print_layout(plan)


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


show_examples(app)
