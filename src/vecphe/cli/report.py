"""What `vecphe run` shows: the start, the progress and the tables."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from vecphe.bench.tables import duration
from vecphe.cli.comparison import Comparison
from vecphe.federated.clock import PHASES

__all__ = ["Reporter"]


class Reporter:
    """Prints to stdout, or to stderr where stdout is for JSON; progress always goes to stderr."""

    def __init__(self, to_stderr: bool = False) -> None:
        # Names of columns and groups come from files: nothing in them is markup.
        self._console = Console(stderr=to_stderr, markup=False, emoji=False, highlight=False)
        self._status = Console(stderr=True, markup=False, emoji=False, highlight=False)
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def print_start(self, comparison: Comparison) -> None:
        """What will run, and how long it may take."""
        o = comparison.options
        self._say(f"Paillier, {o.key_length}-bit key, DJN randomizers, engine {comparison.engine}")
        if o.key_length < 2048:
            self._say(f"WARNING: a {o.key_length}-bit key is insecure, for tests only")
        rows = sum(len(y) for y in o.shards.y)
        self._say(
            f"data: {o.data}, {len(o.shards.names)} hospitals with {rows} rows, {len(o.shards.y_test)} test rows; "
            f"{o.iterations} iterations, eta {o.eta:g}"
        )
        for name, reason in comparison.skipped.items():
            self._say(f"WARNING: {name} is skipped, {reason}")
        estimates = comparison.estimates()
        each = ", ".join(f"{name} {duration(seconds, 2)}" for name, seconds in estimates.items())
        self._say(f"this takes about {duration(sum(estimates.values()), 2)} ({each})")
        if "naive" in comparison.backends and comparison.naive_limit is not None:
            self._say(
                f"naive runs as many iterations as fit in {comparison.naive_limit:g} s; what is compared is its rate"
            )
        sys.stdout.flush()

    def started(self, backend: str, rounds: int) -> None:
        """Show a progress bar."""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._status,
            transient=True,
            disable=not self._status.is_terminal,
        )
        self._task = self._progress.add_task(backend, total=rounds)
        self._progress.start()

    def advanced(self, backend: str, number: int) -> None:
        """Move the bar."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=number)

    def finished(self, backend: str) -> None:
        """Remove the bar."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def print_results(self, comparison: Comparison) -> None:
        """Errors by hospital, times by phase, and whether the models agree."""
        self._console.print()
        self._console.print(self._error_table(comparison))
        self._console.print(self._time_table(comparison))
        self._print_agreement(comparison)

    def _error_table(self, comparison: Comparison) -> Table:
        longest = max(comparison.results.values(), key=lambda result: result.n_iter)
        table = Table(title="Mean square error on the test rows", title_justify="left")
        table.add_column("hospital")
        table.add_column("trained alone", justify="right")
        table.add_column(f"federated, {longest.n_iter} iterations", justify="right")
        errors = zip(comparison.mse(comparison.local), comparison.mse(longest), strict=True)
        for name, (alone, federated) in zip(comparison.options.shards.names, errors, strict=True):
            table.add_row(name, _figure(alone), _figure(federated))
        return table

    def _time_table(self, comparison: Comparison) -> Table:
        results = comparison.results
        table = Table(title="Seconds by phase, all parties together", title_justify="left")
        table.add_column("")
        for name in results:
            table.add_column(name, justify="right")
        table.add_row("iterations", *(str(r.n_iter) for r in results.values()), end_section=True)
        for phase in PHASES:
            table.add_row(phase, *(f"{r.seconds[phase]:.3f}" for r in results.values()))
        table.add_section()
        table.add_row("seconds per iteration", *(f"{r.seconds_per_round:.4f}" for r in results.values()))
        if "naive" in results and len(results) > 1:
            table.add_row("speed-up per iteration", *(f"{comparison.speed_up(name):.1f}" for name in results))
        table.add_row("ciphertexts per hop", *(str(r.ciphertexts_per_hop) for r in results.values()))
        table.add_row("bytes per hop", *(str(r.bytes_per_hop) for r in results.values()))
        return table

    def _print_agreement(self, comparison: Comparison) -> None:
        for name, result in comparison.results.items():
            if result.n_iter < comparison.options.iterations:
                self._say(f"{name} ran {result.n_iter} of {comparison.options.iterations} iterations")
        if len(comparison.results) < 2:
            return
        verdict = "agree" if comparison.models_agree else "DISAGREE"
        self._say(
            f"models {verdict} at iteration {comparison.common_iteration}, the last common one: "
            f"largest relative difference {comparison.difference:.1e}"
        )


def _figure(value: float) -> str:
    return f"{value:.2f}" if 0.1 <= abs(value) < 1e7 else f"{value:.5g}"
