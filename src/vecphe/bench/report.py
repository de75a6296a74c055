"""A report that needs nothing but itself: one HTML page with tables and pictures in it, and the pictures as files."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape
from string import Template

from vecphe.bench.plots import FORMS, Plot, draw_all
from vecphe.bench.records import Record, Results
from vecphe.bench.tables import COLUMNS, cells, sentence
from vecphe.system.plurals import counted

__all__ = ["PAGE", "figure_html", "html_page", "report_files"]

PAGE = "index.html"

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #111;
  background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.result { font-size: 1.15rem; max-width: 60rem; }
.wide { overflow: auto; max-height: 90vh; }
table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; font-size: .87rem; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #ccc; white-space: nowrap; }
th { border-bottom: 2px solid #333; background: #fff; position: sticky; top: 0; z-index: 1; }
td.text, th.text { text-align: left; }
td small { display: block; color: #444; font-size: .95em; }
tr.first td { border-top: 2px solid #888; }
.warning { border-left: .4rem solid #b00; padding: .3rem 1rem; background: #fee; font-weight: 600; }
figure { margin: 1.5rem 0; } figure img { width: 720px; max-width: 100%; height: auto; } figcaption { color: #444; }
dt { font-weight: 600; float: left; clear: left; width: 8rem; } dd { margin-left: 8.5rem; }
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { margin: 0; padding: 0; max-width: none; font-size: 10pt; }
  .wide { overflow: visible; max-height: none; }
  table { width: 100%; font-size: 7pt; }
  th { position: static; } th, td { padding: .1rem .25rem; white-space: normal; }
  body { orphans: 1; widows: 1; }  /* a row of pictures counts as a line */
  figure { display: inline-block; vertical-align: top; width: 48%; margin: 0 1% 5mm 0; }
  h2 { break-after: avoid; } figure, tr, .warning { break-inside: avoid; }
}
</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")

_BENCHMARK = Template("""<p class="result">$sentence</p>
$warnings
$plots
<h2>Results</h2>
<div class="wide"><table>
<thead>$header</thead>
<tbody>
$rows
</tbody></table></div>
<p>A round: every client encrypts its vector, the sum passes through all of them, the key holder decrypts it;
encrypting and adding are the sum over all clients. Times are medians, with 99 % intervals in brackets; (?) stands
for that of fewer than 4 samples. The speed-up is the median ratio to a loop over phe that was measured in turn, in
the same process. A tilde marks what was scaled up from fewer values or clients than the row says, or held against
what was. A row is noisy if the upper end of the interval of its round or of its speed-up is more than 1.5 times the
lower one. Bytes are those of canonical ciphertexts, a hop and value. Memory is the peak of a round beyond what the
process had before it; below 4 MiB that is noise.</p>
<h2>Where it was measured</h2>
<dl>
$environment
</dl>
""")


def html_page(title: str, body: str) -> bytes:
    """A page of HTML in the style of all reports."""
    return _PAGE.substitute(title=escape(title), body=body).encode("utf-8")


def report_files(results: Results, slices: Sequence[tuple[str, str]] = ()) -> dict[str, bytes]:
    """The files of a report by name: the page, and each plot in all `FORMS`; ImportError if matplotlib is missing.

    Parameters
    ----------
    results : Results
    slices : sequence of (str, str)
        What to draw against what, as `vecphe.bench.plots.parse_slice` gives it; by default what there are points for.
    """
    plots = draw_all(results, slices)
    pictures = {f"{plot.name}.{form}": plot.picture(form) for plot in plots for form in FORMS}
    warnings = [
        *results.warnings,
        *([] if results.complete else ["The run did not come to its end: cases or samples are missing."]),
    ]
    figures = [figure_html(plot, pictures[f"{plot.name}.png"]) for plot in plots]
    parts = {
        "sentence": [escape(sentence(results))],
        "warnings": [f'<p class="warning">{escape(text)}</p>' for text in warnings],
        "environment": _environment(results.records),
        "header": [_row("th", COLUMNS)],
        "rows": _rows(results.records),
        "plots": figures,
    }
    body = _BENCHMARK.substitute({name: "\n".join(lines) for name, lines in parts.items()})
    return {PAGE: html_page("vecphe benchmark", body), **pictures}


def figure_html(plot: Plot, picture: bytes) -> str:
    """The title is in the picture, which is a file of its own too."""
    data = base64.b64encode(picture).decode("ascii")
    text, caption = escape(f"{plot.title}. {plot.caption}"), escape(plot.caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'


def _environment(records: Sequence[Record]) -> Iterator[str]:
    facts: dict[str, dict[str, None]] = {}
    for record in records:
        e = record.environment
        engine = {} if record.backend not in ("vectorized", "packed") else {"Engine": f"{e.engine}, target {e.target}"}
        versions = ", ".join(f"{name} {version}" for name, version in e.versions.items())
        row = {"CPU": f"{e.cpu}, {counted(e.cores, 'core')}", "System": e.system, **engine, "Versions": versions}
        for name, value in {**row, "Workers": str(record.jobs), "Date": record.date[:10]}.items():
            facts.setdefault(name, {})[value] = None
    for name, values in facts.items():
        yield f"<dt>{name}</dt><dd>{escape('; '.join(values))}</dd>"


def _rows(records: Sequence[Record]) -> Iterator[str]:
    before = None
    for record in sorted(records, key=lambda record: record.case):
        yield _row("td", cells(record), ' class="first"' if record.case != before else "")
        before = record.case


def _row(tag: str, texts: Sequence[str], attribute: str = "") -> str:
    classes = [' class="text"' if column == "backend" else "" for column in COLUMNS]
    entries = [f"<{tag}{own}>{_two_lines(text)}</{tag}>" for own, text in zip(classes, texts, strict=True)]
    return f"<tr{attribute}>{''.join(entries)}</tr>"


def _two_lines(text: str) -> str:
    """The interval below its figure."""
    figure, bracket, interval = escape(text).partition(" (")
    return f"{figure} <small>({interval}</small>" if bracket and figure != "naive" else escape(text)
