"""The jobs of `vecphe bench run` and `vecphe bench compare`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vecphe.bench.compare import compare_results, differences, unmatched
from vecphe.bench.matrix import Matrix, parse_backends, parse_counts
from vecphe.bench.plots import PLOT_NAMES, check_matplotlib
from vecphe.bench.records import Results, csv_text
from vecphe.bench.report import PAGE, report_files
from vecphe.bench.results_file import load_results, results_as_dict
from vecphe.bench.runner import Runner
from vecphe.cli.bench_output import BenchReporter
from vecphe.cli.output import check_writable, make_directory, write_json
from vecphe.system.files import check_directory, replace_file

__all__ = ["Outputs", "compare_files", "make_matrix", "run_matrix"]

_PICTURES = tuple(f"{name}.png" for name in PLOT_NAMES)


@dataclass(frozen=True)
class Outputs:
    """Where results go besides the terminal."""

    save: Path | None = None  # JSON; - is stdout
    csv: Path | None = None
    report: Path | None = None  # a directory
    force: bool = False  # replace what is there

    def check(self) -> None:
        """Raise OSError or ValueError now for what would fail after the work is done; create the report's directory."""
        if str(self.csv) == "-":
            raise ValueError("--csv takes the name of a file")
        files = [path for path in (self.save, self.csv) if path is not None and str(path) != "-"]
        for path in files:
            check_writable(path, self.force)
        self._check_distinct(files)
        if self.report is not None:
            try:
                check_matplotlib()
            except ImportError as error:
                raise ValueError(f"--report: {error}") from None
            make_directory(self.report, PAGE, self.force)
        for path in files:
            if not path.exists() or path.is_file():  # a device or pipe is written to as it is
                check_directory(path.resolve().parent)

    def _check_distinct(self, files: list[Path]) -> None:
        """Of two results with one name the second would replace the first, or fail."""
        of_report = [] if self.report is None else [self.report / name for name in (PAGE, *_PICTURES)]
        seen: dict[Path, Path] = {}
        for path in [*of_report, *files]:
            if (first := seen.setdefault(path.resolve(), path)) is not path:
                raise ValueError(
                    f"{first} and {path} are the same file; give --save, --csv and --report places of their own"
                )

    def write(self, results: Results) -> None:
        """Write every file that was asked for, each whole or not at all."""
        if self.save is not None:
            write_json(self.save, results_as_dict(results), self.force)
        if self.csv is not None:
            replace_file(self.csv, csv_text(results.records).encode("utf-8"), force=self.force)
        if self.report is not None:
            files = report_files(results)
            for name in set(_PICTURES) - files.keys():  # of a report that was there
                (self.report / name).unlink(missing_ok=True)
            for name, data in files.items():
                replace_file(self.report / name, data, force=True)


def make_matrix(
    quick: bool,
    key_lengths: str | None,
    clients: str | None,
    values: str | None,
    backends: str | None,
    engine: str | None,
    jobs: int | None,
) -> Matrix:
    """The matrix that the options ask for; what they leave out is that of `Matrix`, or of its quick form."""
    changes: dict[str, object] = {"engine": engine, "jobs": jobs}
    for name, text in (("key_lengths", key_lengths), ("clients", clients), ("values", values)):
        if text is not None:
            changes[name] = parse_counts("--" + name.replace("_", "-"), text)
    if backends is not None:
        changes["backends"] = parse_backends("--backends", backends)
    return Matrix.quick(**changes) if quick else Matrix(**changes)  # type: ignore[arg-type]


def run_matrix(matrix: Matrix, outputs: Outputs) -> Results:
    """Measure, print and write; results may be incomplete after Ctrl-C, and are written all the same."""
    outputs.check()
    runner = Runner(matrix)
    reporter = BenchReporter(to_stderr=str(outputs.save) == "-")
    reporter.print_start(matrix, runner.results)
    with reporter.showing() as progress:
        seconds = runner.calibrate(progress)
    reporter.print_estimate(matrix, seconds)
    with reporter.showing(seconds) as progress:
        results = runner.run(progress)
    reporter.print_results(results)
    if results.records:
        outputs.write(results)
    return results


def compare_files(before: Path, after: Path, as_json: bool = False) -> None:
    """Print what changed from one file of results to another."""
    old, new = load_results(before), load_results(after)
    changes, notes, left = compare_results(old, new), list(differences(old, new)), unmatched(old, new)
    if not changes:
        raise ValueError(f"{before} and {after} have no case in common")
    if as_json:
        rows = [{**vars(change), "case": vars(change.case)} for change in changes]
        print(json.dumps({"differences": notes, "changes": rows, "unmatched": left}, indent=2))
    else:
        BenchReporter().print_comparison(changes, notes, left)
