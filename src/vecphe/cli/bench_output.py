"""What `vecphe bench` shows: the start, the progress and the tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.status import Status
from rich.table import Table

from vecphe.bench.compare import Change
from vecphe.bench.environment import machine_line, use_engine
from vecphe.bench.matrix import Matrix
from vecphe.bench.records import Case, Record, Results
from vecphe.bench.tables import COLUMNS, cells, duration

__all__ = ["BenchReporter"]

_WIDEST = 1000
_CASE_COLUMNS = 3  # of the table's columns, the first ones


class BenchReporter:
    """Prints to stdout, or to stderr where stdout is for JSON; progress always goes to stderr."""

    def __init__(self, to_stderr: bool = False) -> None:
        # Files may hold anything: nothing in them is markup.
        self._console = Console(stderr=to_stderr, markup=False, emoji=False, highlight=False)
        if not self._console.is_terminal:  # a file or pipe has no edge to break lines at
            self._console.width = _WIDEST
        self._status = Console(stderr=True, markup=False, emoji=False, highlight=False)
        self._calibration: Status | None = None
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._done = self._expected = 0.0

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def _width_of(self, table: Table) -> int:
        return self._console.measure(table, options=self._console.options.update(max_width=_WIDEST)).maximum

    def print_start(self, matrix: Matrix, results: Results) -> None:
        """What will run, and what a reader must know about it."""
        with use_engine(matrix.engine):
            self._say(f"vecphe bench: {machine_line()}")
        for warning in results.warnings:
            self._say(f"WARNING: {warning}")
        lists = (matrix.key_lengths, matrix.clients, matrix.values)
        texts = [", ".join(str(number) for number in numbers) for numbers in lists]
        self._say(
            f"cases: {len(matrix.cases)}; keys of {texts[0]} bits; {texts[1]} clients; {texts[2]} values; "
            f"backends {', '.join(matrix.backends)}"
        )
        sys.stdout.flush()

    @contextmanager
    def showing_calibration(self) -> Iterator[None]:
        """Show that keys are being made."""
        with Status("making keys", console=self._status) as status:
            self._calibration = status if self._status.is_terminal else None
            yield
        self._calibration = None

    def calibrating(self, key_length: int) -> None:
        """Tell which keys are being made."""
        if self._calibration is not None:
            self._calibration.update(f"making keys of {key_length} bits and timing small rounds")

    def print_estimate(self, matrix: Matrix, seconds: float) -> None:
        """How long it will take."""
        self._say(f"this takes about {duration(seconds, 2)}; Ctrl-C ends it and keeps what was measured")
        if "naive" in matrix.backends:
            self._say(
                f"naive encrypts as many values, of as many clients, as fit in {matrix.naive_seconds:g} s a sample; "
                "where that is not all, its times are extrapolated and start with ~"
            )
        sys.stdout.flush()

    @contextmanager
    def showing_progress(self, seconds: float) -> Iterator[None]:
        """Show a bar over the estimated time, with what is left of it."""
        self._expected, self._done = max(seconds, 1e-9), 0.0
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
        with Progress(
            *columns, console=self._status, transient=True, disable=not self._status.is_terminal
        ) as self._progress:
            self._task = self._progress.add_task("", total=self._expected, left=f"{duration(seconds, 2)} left")
            yield
        self._progress = self._task = None

    def started(self, case: Case) -> None:
        """Name the case beside the bar."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=str(case))

    def advanced(self, seconds: float) -> None:
        """Move the bar; the time left is the rest of the estimate, corrected by how it held so far."""
        if self._progress is None or self._task is None:
            return
        self._done += seconds
        elapsed = self._progress.tasks[0].elapsed or 0.0
        left = max(self._expected - self._done, 0.0) * elapsed / self._done
        self._progress.update(self._task, completed=self._done, left=f"about {duration(left, 2)} left")

    def print_results(self, results: Results) -> None:
        """A row a case and backend."""
        if not results.records:
            self._say("nothing was measured")
            return
        self._print_records(results)
        self._print_notes(results)

    def _print_records(self, results: Results) -> None:
        """One table; where the terminal is too narrow for it, one a case."""
        title = "A round: all clients encrypt, their sum is decrypted (medians)"
        table = _record_table(results.records, COLUMNS, title)
        if self._width_of(table) <= self._console.width:
            self._console.print(table)
            return
        self._say(title)
        for case in dict.fromkeys(record.case for record in results.records):
            records = [record for record in results.records if record.case == case]
            self._console.print(_record_table(records, COLUMNS[_CASE_COLUMNS:], str(case)))
            self._say("")

    def _print_notes(self, results: Results) -> None:
        if any(record.extrapolated for record in results.records):
            self._say("~ extrapolated: measured on fewer values or clients, and scaled")
        for warning in results.warnings:
            self._say(f"WARNING: {warning}")
        if not results.complete:
            self._say("INTERRUPTED: cases are missing")

    def print_comparison(self, changes: Sequence[Change], notes: Sequence[str], left: tuple[int, int]) -> None:
        """What differs, then a row a phase that changed and a count of the others."""
        for note in notes:
            self._say(f"NOTE: {note}")
        shown = [change for change in changes if change.is_change or change.verdict == "other CPU"]
        for change in shown:
            self._say(_change_line(change))
        for verdict in ("no clear change", "too few samples"):
            count = sum(change.verdict == verdict for change in changes)
            if count:
                self._say(f"{verdict}: {count} of {len(changes)} times")
        if any(change.relative for change in shown):
            self._say("ratios are relative to the naive loop that was measured in turn, with 99 % intervals")
        for count, which in zip(left, ("first", "second"), strict=True):
            if count:
                self._say(f"{count} rows are in the {which} file alone")


def _record_table(records: Sequence[Record], columns: Sequence[str], title: str) -> Table:
    """The last columns of `COLUMNS` that there are names for, with a line between cases."""
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
    )
    for column in columns:
        table.add_column(column, justify="left" if column == "backend" else "right", no_wrap=True)
    for record, following in zip(records, [*records[1:], None], strict=True):
        last = following is not None and following.case != record.case
        table.add_row(*cells(record)[-len(columns) :], end_section=last)
    return table


def _change_line(c: Change) -> str:
    workers = f", {c.jobs} workers" if c.jobs > 1 else ""
    return (
        f"{c.verdict}: {c.backend}, {c.case}{workers}: {c.phase} {duration(c.before)} -> {duration(c.after)}, "
        f"ratio {c.ratio:.3f} ({c.low:.3f} to {c.high:.3f})"
    )
