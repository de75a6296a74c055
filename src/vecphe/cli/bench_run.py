"""The jobs of `vecphe bench run` and `vecphe bench compare`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vecphe.bench.compare import compare_results, differences, unmatched
from vecphe.bench.matrix import Matrix, parse_counts, parse_names, parse_seconds
from vecphe.bench.peers import PEERS
from vecphe.bench.plots import FORMS, PLOT_NAMES, check_matplotlib, parse_slice
from vecphe.bench.records import Results, csv_text
from vecphe.bench.report import PAGE, report_files
from vecphe.bench.results_file import load_results, results_as_dict
from vecphe.bench.runner import Runner
from vecphe.bench.tables import latex_table
from vecphe.cli.bench_output import BenchReporter
from vecphe.cli.output import check_writable, make_directory, write_json
from vecphe.system.files import check_directory, replace_file

__all__ = ["Outputs", "compare_files", "make_matrix", "run_matrix"]

_REPORT_SECONDS = 7.0  # to draw it
_MOST_REPEATS = 100  # of a case that a budget has time for


@dataclass(frozen=True)
class Outputs:
    """Where results go besides the terminal."""

    save: Path | None = None  # JSON; - is stdout
    csv: Path | None = None
    latex: Path | None = None
    report: Path | None = None  # a directory
    plots: Sequence[str] = ()  # slices for the report
    resume: bool = False  # go on with the file of `save`, which is replaced
    force: bool = False  # replace what is there

    @property
    def _tables(self) -> list[tuple[Path, Callable[[Results], str]]]:
        written = ((self.csv, lambda results: csv_text(results.records)), (self.latex, latex_table))
        return [(path, text) for path, text in written if path is not None]

    @property
    def slices(self) -> list[tuple[str, str]]:
        """What to draw against what; ValueError for what cannot be drawn."""
        return [parse_slice("--plot", text) for text in self.plots]

    def check(self) -> None:
        """Raise OSError or ValueError now for what would fail after the work is done; create the report's directory."""
        for option, path in (("--csv", self.csv), ("--latex", self.latex)):
            if str(path) == "-":
                raise ValueError(f"{option} takes the name of a file")
        saved = [] if self.save is None or str(self.save) == "-" else [self.save]
        if self.resume and not saved:
            raise ValueError("--resume goes on with the file of --save: name it")
        if self.slices and self.report is None:
            raise ValueError("--plot draws into the report: give --report DIRECTORY too")
        files = [*saved, *(path for path, _ in self._tables)]
        for path in files:
            check_writable(path, self.force or self.resume)
        self._check_distinct(files)
        if self.report is not None:
            try:
                check_matplotlib()
            except ImportError as error:
                raise ValueError(f"--report: {error}") from None
            make_directory(self.report, PAGE, self.force or self.resume)
        for path in files:
            if not path.exists() or path.is_file():  # a device or pipe is written to as it is
                check_directory(path.resolve().parent)

    def _check_distinct(self, files: list[Path]) -> None:
        """Of two results with one name the second would replace the first, or fail."""
        of_report = [] if self.report is None else [self.report / PAGE, *_pictures(self.report)]
        seen: dict[Path, Path] = {}
        for path in [*of_report, *files]:
            if (first := seen.setdefault(path.resolve(), path)) is not path:
                raise ValueError(
                    f"{first} and {path} are the same file; give --save, --csv, --latex, --report places of their own"
                )

    def before(self) -> Results | None:
        """What to go on with; None where there is nothing yet."""
        return load_results(self.save) if self.resume and self.save is not None and self.save.exists() else None

    def keeper(self) -> Callable[[Results], None]:
        """What keeps results in the file of `save` as they grow, each time whole; stdout gets them at the end alone."""
        force = self.force or self.resume

        def keep(results: Results) -> None:
            nonlocal force
            if self.save is not None:
                write_json(self.save, results_as_dict(results), force)
                force = True

        return keep

    def write(self, results: Results) -> None:
        """Write every other file that was asked for, each whole or not at all."""
        for path, text in self._tables:
            replace_file(path, text(results).encode("utf-8"), force=self.force or self.resume)
        if self.report is not None:
            files = report_files(results, self.slices)
            for path in _pictures(self.report):  # of a report that was there
                if path.name not in files:
                    path.unlink(missing_ok=True)
            for name, data in files.items():
                replace_file(self.report / name, data, force=True)


def _pictures(report: Path) -> list[Path]:
    """Of every report, whatever is drawn in it."""
    return [report / f"{name}.{form}" for name in PLOT_NAMES for form in FORMS]


def make_matrix(
    quick: bool,
    key_lengths: str | None,
    clients: str | None,
    values: str | None,
    backends: str | None,
    engine: str | None,
    jobs: int | None,
    peers: str | None = None,
    budget: str | None = None,
) -> Matrix:
    """The matrix that the options ask for; what they leave out is that of `Matrix`, or of its quick form."""
    changes: dict[str, object] = {"engine": engine, "jobs": jobs}
    for name, text in (("key_lengths", key_lengths), ("clients", clients), ("values", values)):
        if text is not None:
            changes[name] = parse_counts("--" + name.replace("_", "-"), text)
    if backends is not None:
        changes["backends"] = parse_names("--backends", backends)
    if peers is not None:
        changes["peers"] = parse_names("--peers", peers, PEERS)
    if budget is not None:
        changes |= {"budget": parse_seconds("--budget", budget), "repeats": _MOST_REPEATS}
    return Matrix.quick(**changes) if quick else Matrix(**changes)  # type: ignore[arg-type]


def run_matrix(matrix: Matrix, outputs: Outputs) -> bool:
    """Measure, print and write; whether it came to its end. After a signal what was measured is written too."""
    outputs.check()
    if outputs.report is not None:
        matrix = replace(matrix, afterwards=_REPORT_SECONDS)
    runner, keep = Runner(matrix, outputs.before()), outputs.keeper()
    to_stdout = str(outputs.save) == "-"
    reporter = BenchReporter(to_stderr=to_stdout)
    reporter.print_start(matrix, runner.results)
    with reporter.showing() as progress:
        seconds = runner.calibrate(progress)
    reporter.print_estimate(matrix, seconds)
    with reporter.showing(seconds) as progress:
        results = runner.run(progress, (lambda _: None) if to_stdout else keep)
    reporter.print_results(results)
    if results.records:
        keep(results)
        outputs.write(results)
    elif not runner.interrupted:
        raise ValueError("the budget was over before anything was measured: give more time, such as --budget 5m")
    return not runner.interrupted


def compare_files(before: Path, after: Path, as_json: bool = False) -> None:
    """Print what changed from one file of results to another."""
    old, new = load_results(before), load_results(after)
    changes, notes, left = compare_results(old, new), list(differences(old, new)), unmatched(old, new)
    if not changes:
        raise ValueError(f"{before} and {after} have no case in common")
    if as_json:
        rows = [{**vars(change), "case": vars(change.case)} for change in changes]
        alone = [[{"backend": r.backend, "jobs": r.jobs, "case": vars(r.case)} for r in records] for records in left]
        content = {"differences": notes, "changes": rows, "unmatched": alone}
        write_json(Path("-"), content, force=False)
    else:
        BenchReporter().print_comparison(changes, notes, left)
