"""A report that needs nothing but itself: one HTML page with tables and pictures in it, and the pictures as PNG."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence

from vecphe.bench.plots import Plot, draw_all
from vecphe.bench.records import Record, Results
from vecphe.bench.tables import COLUMNS, cells

__all__ = ["PAGE", "report_files"]

PAGE = "index.html"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #111;
  background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ccc; white-space: nowrap; }
th { border-bottom: 2px solid #333; background: #fff; }
td.text, th.text { text-align: left; }
tr.first td { border-top: 2px solid #888; }
.warning { border-left: .4rem solid #b00; padding: .3rem 1rem; background: #fee; font-weight: 600; }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; height: auto; } figcaption { color: #444; }
dt { font-weight: 600; float: left; clear: left; width: 8rem; } dd { margin-left: 8.5rem; }
"""


def report_files(results: Results) -> dict[str, bytes]:
    """The files of a report by name: the page, and a PNG a plot.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of str to bytes

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    plots = draw_all(results)
    pictures = {f"{plot.name}.png": _picture(plot) for plot in plots}
    return {PAGE: "".join(_page(results, plots, pictures)).encode("utf-8"), **pictures}


def _picture(plot: Plot) -> bytes:
    file = io.BytesIO()
    plot.figure.savefig(file, format="png", dpi=150)
    return file.getvalue()


def _page(results: Results, plots: Sequence[Plot], pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>vecphe benchmark</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>vecphe benchmark</h1>\n"
    yield from (f'<p class="warning">{html.escape(text)}</p>\n' for text in _warnings(results))
    yield from _environment(results.records)
    yield "<h2>Results</h2>\n"
    yield from _table(results.records)
    yield f"<p>{_EXPLANATION}</p>\n"
    if plots:
        yield "<h2>Plots</h2>\n"
    for plot in plots:  # the title is in the picture, which is a file of its own too
        data = base64.b64encode(pictures[f"{plot.name}.png"]).decode("ascii")
        text = html.escape(f"{plot.title}. {plot.caption}")
        yield f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
        yield f"<figcaption>{html.escape(plot.caption)}</figcaption></figure>\n"
    yield "</body>\n</html>\n"


_EXPLANATION = (
    "A round: every client encrypts its vector, the sum passes through all of them, the key holder decrypts it; "
    "encrypting and adding are the sum over all clients. Times are medians. The speed-up is the median ratio to a loop "
    "over phe that was measured in turn, in the same process. A tilde marks times that were scaled up from fewer "
    "values or clients than the row says. Bytes are those of canonical ciphertexts, a hop and value. Memory is the "
    "peak of a round beyond what the process had before it."
)


def _warnings(results: Results) -> Iterator[str]:
    yield from results.warnings
    if not results.complete:
        yield "The run was interrupted: cases are missing."


def _environment(records: Sequence[Record]) -> Iterator[str]:
    yield "<dl>\n"
    facts: dict[str, dict[str, None]] = {}
    for record in records:
        e = record.environment
        engine = {} if record.backend == "naive" else {"Engine": f"{e.engine}, target {e.target}"}
        versions = ", ".join(f"{name} {version}" for name, version in e.versions.items())
        row = {"CPU": f"{e.cpu}, {e.cores} cores", "System": e.system, **engine, "Versions": versions}
        for name, value in {**row, "Workers": str(record.jobs), "Date": record.date[:10]}.items():
            facts.setdefault(name, {})[value] = None
    for name, values in facts.items():
        yield f"<dt>{name}</dt><dd>{html.escape('; '.join(values))}</dd>\n"
    yield "</dl>\n"


def _table(records: Sequence[Record]) -> Iterator[str]:
    yield '<div class="wide"><table>\n<thead><tr>'
    yield from (f"<th{_class(name)}>{html.escape(name)}</th>" for name in COLUMNS)
    yield "</tr></thead>\n<tbody>\n"
    before = None
    for record in sorted(records, key=lambda record: record.case):
        first = ' class="first"' if record.case != before else ""
        before = record.case
        row = "".join(
            f"<td{_class(name)}>{html.escape(text)}</td>" for name, text in zip(COLUMNS, cells(record), strict=True)
        )
        yield f"<tr{first}>{row}</tr>\n"
    yield "</tbody></table></div>\n"


def _class(column: str) -> str:
    return ' class="text"' if column == "backend" else ""
