"""What `vecphe bench` shows: the start, the progress and the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.progress import TextColumn
from rich.table import Table

from vecphe.bench.compare import Change
from vecphe.bench.environment import machine_line
from vecphe.bench.matrix import Matrix
from vecphe.bench.records import Case, Record, Results
from vecphe.bench.runner import Progress
from vecphe.bench.tables import COLUMNS, cells, duration, label, sentence
from vecphe.cli.report import WIDEST, Terminal
from vecphe.system.plurals import counted

__all__ = ["BenchReporter"]

_CASE_COLUMNS = 3  # of the table's columns, the first ones
_SIDE_BY_SIDE = 3  # backends
_CHANGE_COLUMNS = (*COLUMNS[: _CASE_COLUMNS + 1], "phase", "old", "new", "ratio", "verdict")
_TEXTS = ("", "backend", "phase", "verdict")


class BenchReporter(Terminal):
    """What `vecphe bench run` and `vecphe bench compare` show."""

    def print_start(self, matrix: Matrix, results: Results) -> None:
        """What will run, and what a reader must know about it."""
        lists = {"bit": matrix.key_lengths, "client": matrix.clients, "value": matrix.values}
        keys, clients, values = (
            ", ".join([*map(str, numbers[:-1]), counted(numbers[-1], unit)]) for unit, numbers in lists.items()
        )
        self._say(
            f"vecphe bench: {machine_line(matrix.engine)}",
            *_warnings(results),
            f"cases: {len(matrix.cases)}; keys of {keys}; {clients}; {values}; "
            f"backends {', '.join(map(label, matrix.rows))}",
            *([f"going on with {counted(len(results.records), 'row')} that --save holds"] if results.records else []),
        )

    def print_estimate(self, matrix: Matrix, seconds: float) -> None:
        """How long it will take."""
        keys = "the keys, other libraries' apart," if matrix.peers else "the keys"
        limit = "" if matrix.budget is None else f", {duration(matrix.budget, 2)} with {keys} at most"
        self._say(f"this takes about {duration(seconds, 2)}{limit}; Ctrl-C ends it and keeps what was measured")
        if "naive" in matrix.rows:
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
        """A row a case and backend, and the result in a sentence."""
        if not results.records:
            self._say("nothing was measured", *_warnings(results))
            return
        self._print_records(results)
        if any(record.is_approximate("speed_up") for record in results.records):
            self._say("~ extrapolated: measured on fewer values or clients, and scaled, or held against what was")
        if noisy := sum(record.noisy for record in results.records):
            self._say(f"{counted(noisy, 'row')} noisy: the interval is wider than a factor of 1.5")
        self._say(sentence(results), *_warnings(results))
        if not results.complete:
            self._say("INCOMPLETE: cases or samples are missing; with --save FILE --resume a run goes on")

    def _print_records(self, results: Results) -> None:
        """One table; where the terminal is too narrow for it, one a case, with backends in columns."""
        title = "A round: all clients encrypt, their sum is decrypted (medians with 99 % intervals)"
        cases = dict.fromkeys(record.case for record in results.records)
        rows = [(cells(record), record.case) for record in results.records]
        table = _table(title, COLUMNS, rows)
        if self._fits(table):
            self._console.print(table)
            return
        self._say(title)
        figures = slice(_CASE_COLUMNS + 1, None)
        for case in cases:
            columns = [cells(record) for record in results.records if record.case == case]
            for start in range(0, len(columns), _SIDE_BY_SIDE):
                some = columns[start : start + _SIDE_BY_SIDE]
                names = ["", *(column[_CASE_COLUMNS] for column in some)]
                lines = zip(COLUMNS[figures], *(column[figures] for column in some), strict=True)
                self._console.print(_table(str(case), names, [(line, case) for line in lines]))
                self._say("")

    def _fits(self, table: Table) -> bool:
        options = self._console.options.update(max_width=WIDEST)
        return self._console.measure(table, options=options).maximum <= self._console.width

    def print_comparison(
        self, changes: Sequence[Change], notes: Sequence[str], left: tuple[Sequence[Record], Sequence[Record]]
    ) -> None:
        """What else differs, then a row a phase of every case, and a count of the verdicts."""
        self._say(*(f"NOTE: {note}" for note in notes))
        alone = [
            (_alone(record, which), record.case) for which, rs in (("old", left[0]), ("new", left[1])) for record in rs
        ]
        rows = [(_change_cells(change), change.case) for change in changes] + alone
        table = _table("Old and new medians, and new over old with its 99 % interval", _CHANGE_COLUMNS, rows)
        if self._fits(table):
            self._console.print(table)
        else:
            self._say(*(", ".join(text for text in row if text) for row, _ in rows))
        for verdict, count in Counter(row[-1] for row, _ in rows).items():
            self._say(f"{verdict}: {count} of {len(rows)}")
        if any(change.relative for change in changes):
            self._say("ratios are relative to the naive loop that was measured in turn")


def _warnings(results: Results) -> Iterator[str]:
    return (f"WARNING: {warning}" for warning in results.warnings)


def _table(title: str, columns: Sequence[str], rows: Sequence[tuple[Sequence[str], Case]]) -> Table:
    """Rows of texts, with a line between cases."""
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
    )
    for column in columns:
        table.add_column(column, justify="left" if column in _TEXTS else "right", no_wrap=True)
    for (texts, case), following in zip(rows, [*rows[1:], None], strict=True):
        table.add_row(*texts, end_section=following is not None and following[1] != case)
    return table


def _change_cells(c: Change) -> tuple[str, ...]:
    ratio = f"{c.ratio:.3f} ({c.low:.3g} to {c.high:.3g})"
    return (*_case_cells(c), c.phase, duration(c.before), duration(c.after), ratio, c.verdict)


def _case_cells(of: Change | Record) -> tuple[str, ...]:
    workers = f", {counted(of.jobs, 'worker')}" if of.jobs > 1 else ""
    return (*map(str, (of.case.key_length, of.case.clients, of.case.values)), f"{label(of.backend)}{workers}")


def _alone(record: Record, which: str) -> tuple[str, ...]:
    time = duration(record.seconds("round"))
    old, new = (time, "-") if which == "old" else ("-", time)
    return (*_case_cells(record), "round", old, new, "-", f"only in the {which} file")
