"""The terminal of the commands that measure, and what `vecphe run` shows on it: the start, the progress, the tables."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from vecphe.bench.tables import duration
from vecphe.cli.comparison import POOLED, Comparison
from vecphe.cli.outcome import LABELS, Outcome
from vecphe.federated.clock import PHASES
from vecphe.system.plurals import are, counted

__all__ = ["WIDEST", "Reporter", "Terminal"]

WIDEST = 1000  # columns


class Terminal:
    """Prints to stdout, or to stderr where stdout is for JSON; progress always goes to stderr."""

    def __init__(self, to_stderr: bool = False) -> None:
        # Names and texts come from files, which may hold anything: nothing in them is markup.
        self._console, self._status = (
            Console(stderr=stderr, markup=False, emoji=False, highlight=False) for stderr in (to_stderr, True)
        )
        if not self._console.is_terminal:  # a file or pipe has no edge to break lines at
            self._console.width = WIDEST

    def _say(self, *lines: str) -> None:
        for line in lines:
            self._console.print(line, soft_wrap=True)
        sys.stdout.flush()

    def _bar(self, *columns: ProgressColumn) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *columns,
            console=self._status,
            transient=True,
            disable=not self._status.is_terminal,
        )


class Reporter(Terminal):
    """What `vecphe run` shows."""

    def print_start(self, comparison: Comparison) -> None:
        """What will run, and how long it may take."""
        c, shards = comparison.config, comparison.shards
        self._say(f"Paillier, {c.key_length}-bit key, DJN randomizers, engine {comparison.engine}")
        if c.key_length < 2048:
            self._say(f"WARNING: a {c.key_length}-bit key is insecure, for tests only")
        rows = sum(len(y) for y in shards.y)
        self._say(
            f"data: {comparison.facts['data']}, {counted(c.n_clients, 'hospital')} with {counted(rows, 'row')}, "
            f"{counted(len(shards.y_test), 'test row')}; {counted(c.n_iter, 'iteration')}, eta {c.eta:g}",
            *(f"WARNING: {name} is skipped, {reason}" for name, reason in comparison.skipped.items()),
        )
        estimates = comparison.estimates()
        each = ", ".join(f"{name} {duration(seconds, 2)}" for name, seconds in estimates.items())
        self._say(f"this takes about {duration(sum(estimates.values()), 2)} ({each})")
        if math.isfinite(limit := comparison.limit_of("naive")):
            self._say(f"naive runs as many iterations as fit in {limit:g} s; what is compared is its rate")
        self._say(self._task_line(comparison))

    @staticmethod
    def _task_line(comparison: Comparison) -> str:
        """What is learned, how else that could be where no one chose it, and how columns are scaled."""
        task, target = comparison.task, comparison.shards.target
        text = f"{task.name} of {target!r}"
        if task.classes is not None:
            text += f", {len(task.classes)} classes"
            if task.chosen and task.classes.dtype.kind in "iuf":
                text += " (--task regression if they are numbers)"
        how = "as they are" if comparison.config.scale == "none" else "scaled by encrypted means and deviations"
        return f"{text}; columns {how}"

    @contextmanager
    def watching(self, backend: str, rounds: int) -> Iterator[Callable[[int], None]]:
        """Show a bar while a backend runs, which moves when it is told the number of a round."""
        with self._bar(MofNCompleteColumn(), TimeElapsedColumn()) as bar:
            task = bar.add_task(backend, total=rounds)
            yield lambda number: bar.update(task, completed=number)

    def print_results(self, comparison: Comparison) -> None:
        """Errors by hospital, times by phase, and whether the models agree."""
        outcome = comparison.outcome()
        self._console.print()
        self._console.print(self._error_table(comparison, outcome))
        self._say(*self._remarks(comparison), outcome.sentence())
        self._console.print(self._time_table(comparison))
        self._print_agreement(comparison)

    def _error_table(self, comparison: Comparison, outcome: Outcome) -> Table:
        error, *others = outcome.federated
        columns = ["hospital", "trained alone", f"federated, {counted(comparison.longest.n_iter, 'iteration')}"]
        for figure in others:
            columns += [f"{LABELS[figure]} alone", f"{LABELS[figure]} federated"]
        title = f"{LABELS[error][0].upper()}{LABELS[error][1:]} on the test rows"
        table = _table(title, [*columns, "against alone"])
        for name, alone, change in zip(outcome.names, outcome.alone, outcome.changes(), strict=True):
            pairs = [(figure, model[figure]) for figure in (error, *others) for model in (alone, outcome.federated)]
            cells = [_FIGURES.get(figure, _share)(value) for figure, value in pairs]
            verdict = "gained" if name in outcome.of(-1) else "lost" if name in outcome.of(1) else "same"
            table.add_row(name, *cells, "-" if change is None else f"{verdict} {abs(change):.1%}")
        table.add_section()
        rows = {f"{POOLED}, in the clear": outcome.pooled, "constant predictor": outcome.constant}
        for name, model in rows.items():
            shares = [cell for figure in others for cell in ("", _share(model[figure]))]
            table.add_row(name, "", _FIGURES[error](model[error]), *shares, "")
        return table

    @staticmethod
    def _remarks(comparison: Comparison) -> list[str]:
        """What the table leaves open."""
        lines = [f"{name}: not trained in the clear, {why}" for name, why in comparison.failures.items()]
        if left_out := comparison.shards.left_out:
            rows = f"{counted(left_out, 'row')} {are(left_out)} left out"
            lines.append(f"{rows}, with hospitals of one size: pooled are the rows of all hospitals")
        if comparison.config.tol is not None:
            rounds = [own.n_iter for own in comparison.alone if not isinstance(own, str)]
            pooled = comparison.pooled
            alone = [f"{min(rounds)} to {max(rounds)} steps alone"] if rounds else []
            alone += [] if isinstance(pooled, str) else [f"{pooled.n_iter} pooled"]
            lines.append(f"training in the clear stopped by the same rule: {', '.join(alone)}")
        return lines

    def _time_table(self, comparison: Comparison) -> Table:
        results = comparison.results
        table = _table("Seconds by phase, all parties together", ("", *results))
        table.add_row("iterations", *(str(r.n_iter) for r in results.values()), end_section=True)
        for phase in PHASES:
            table.add_row(phase, *(f"{r.seconds[phase]:.3f}" for r in results.values()))
        table.add_section()
        table.add_row("seconds per iteration", *(f"{r.seconds_per_round:.4f}" for r in results.values()))
        table.add_row("of these online", *(f"{r.online_seconds_per_round:.4f}" for r in results.values()))
        if "naive" in results and len(results) > 1:
            table.add_row("speed-up per iteration", *(f"{comparison.speed_up(name):.1f}" for name in results))
        table.add_row("ciphertexts per hop", *(str(r.ciphertexts_per_hop) for r in results.values()))
        table.add_row("bytes per hop", *(str(r.bytes_per_hop) for r in results.values()))
        return table

    def _print_agreement(self, comparison: Comparison) -> None:
        for name, result in comparison.results.items():
            if result.n_iter < comparison.config.n_iter:
                self._say(f"{name} ran {result.n_iter} of {counted(comparison.config.n_iter, 'iteration')}")
        if len(comparison.results) < 2:
            return
        verdict = "agree" if comparison.models_agree else "DISAGREE"
        self._say(
            f"models {verdict} at iteration {comparison.common_iteration}, the last common one: "
            f"largest relative difference {comparison.difference:.1e}"
        )


def _table(title: str, columns: Sequence[str]) -> Table:
    """Names in the first column, figures in the others."""
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left")
    return table


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if 0.1 <= abs(value) < 1e7 else f"{value:.5g}"


def _log_loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


_FIGURES = {"mse": _figure, "log_loss": _log_loss}
