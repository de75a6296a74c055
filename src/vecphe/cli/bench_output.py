"""What `vecphe bench` shows: the start, the progress and the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.progress import TextColumn
from rich.table import Table

from vecphe.bench.compare import Change
from vecphe.bench.environment import machine_line
from vecphe.bench.matrix import Matrix
from vecphe.bench.records import Record, Results
from vecphe.bench.runner import Progress
from vecphe.bench.tables import COLUMNS, cells, duration
from vecphe.cli.report import WIDEST, Terminal

__all__ = ["BenchReporter"]

_CASE_COLUMNS = 3  # of the table's columns, the first ones


class BenchReporter(Terminal):
    """What `vecphe bench run` and `vecphe bench compare` show."""

    def print_start(self, matrix: Matrix, results: Results) -> None:
        """What will run, and what a reader must know about it."""
        lists = (matrix.key_lengths, matrix.clients, matrix.values)
        keys, clients, values = (", ".join(map(str, numbers)) for numbers in lists)
        self._say(
            f"vecphe bench: {machine_line(matrix.engine)}",
            *_warnings(results),
            f"cases: {len(matrix.cases)}; keys of {keys} bits; {clients} clients; {values} values; "
            f"backends {', '.join(matrix.backends)}",
        )

    def print_estimate(self, matrix: Matrix, seconds: float) -> None:
        """How long it will take."""
        self._say(f"this takes about {duration(seconds, 2)}; Ctrl-C ends it and keeps what was measured")
        if "naive" in matrix.backends:
            self._say(
                f"naive encrypts as many values, of as many clients, as fit in {matrix.naive_seconds:g} s a sample; "
                "where that is not all, its times are extrapolated and start with ~"
            )

    @contextmanager
    def showing(self, seconds: float | None = None) -> Iterator[Progress]:
        """Show what is going on, and if its seconds are estimated a bar over them with what is left.

        That is the rest of the estimate, corrected by how it held so far.
        """
        with self._bar(TextColumn("{task.fields[left]}")) as bar:
            left = "" if seconds is None else f"{duration(seconds, 2)} left"
            bar.add_task("making keys", total=seconds, left=left)
            (task,) = bar.tasks

            def progress(text: str, done: float) -> None:
                bar.update(task.id, description=text, advance=done)
                if seconds is not None and task.completed:
                    rest = max(seconds - task.completed, 0.0) * (task.elapsed or 0.0) / task.completed
                    bar.update(task.id, left=f"about {duration(rest, 2)} left")

            yield progress

    def print_results(self, results: Results) -> None:
        """A row a case and backend."""
        if not results.records:
            self._say("nothing was measured")
            return
        self._print_records(results)
        if any(record.extrapolated for record in results.records):
            self._say("~ extrapolated: measured on fewer values or clients, and scaled")
        self._say(*_warnings(results))
        if not results.complete:
            self._say("INTERRUPTED: cases are missing")

    def _print_records(self, results: Results) -> None:
        """One table; where the terminal is too narrow for it, one a case."""
        title = "A round: all clients encrypt, their sum is decrypted (medians)"
        table = _record_table(results.records, COLUMNS, title)
        options = self._console.options.update(max_width=WIDEST)
        if self._console.measure(table, options=options).maximum <= self._console.width:
            self._console.print(table)
            return
        self._say(title)
        for case in dict.fromkeys(record.case for record in results.records):
            records = [record for record in results.records if record.case == case]
            self._console.print(_record_table(records, COLUMNS[_CASE_COLUMNS:], str(case)))
            self._say("")

    def print_comparison(self, changes: Sequence[Change], notes: Sequence[str], left: tuple[int, int]) -> None:
        """What differs, then a row a phase that changed and a count of the others."""
        shown = [change for change in changes if change.is_change or change.verdict == "other CPU"]
        self._say(*(f"NOTE: {note}" for note in notes), *map(_change_line, shown))
        for verdict in ("no clear change", "too few samples"):
            if count := sum(change.verdict == verdict for change in changes):
                self._say(f"{verdict}: {count} of {len(changes)} times")
        if any(change.relative for change in shown):
            self._say("ratios are relative to the naive loop that was measured in turn, with 99 % intervals")
        for count, which in zip(left, ("first", "second"), strict=True):
            if count:
                self._say(f"{count} rows are in the {which} file alone")


def _warnings(results: Results) -> Iterator[str]:
    return (f"WARNING: {warning}" for warning in results.warnings)


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
