"""Pictures and the page around them, line by line as they were when somebody last looked at them.

::

    python -m tests.bench.test_plots > tests/data/plots_golden.txt

writes them anew: look at the pictures of a report then.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread
from matplotlib.ticker import FixedLocator
from tests.bench.made import ENVIRONMENT, matrix_results, record

from vecphe.bench.peers import PEERS
from vecphe.bench.plots import Plot, draw_all
from vecphe.bench.records import Case, Results
from vecphe.bench.report import PAGE, report_files

GOLDEN = Path(__file__).parents[1] / "data" / "plots_golden.txt"
# Five panels' worth of values, a long axis whose labels need room, and a middle number of clients.
WIDE = Results(
    tuple(
        record(backend, Case(bits, clients, values), measured_clients=3, memory=None)
        for bits in (1024, 2048)
        for clients in (3, 20, 100, 2000)
        for values in (1, 12, 100, 1000, 100_000, 1_000_000)
        for backend in ("vectorized", "packed")
    )
)
PICTURES = {"few": matrix_results(), "wide": WIDE}


def lines_of(plot: Plot) -> Iterator[str]:
    """What a picture shows, and how: texts, axes, points, bars and the legend."""
    figure = plot.figure
    yield f"{plot.name}: {plot.title} | {plot.caption}"
    yield f"figure {figure.get_size_inches().round(3).tolist()} inches, title {text(figure._suptitle)}"
    for axis in figure.axes:
        yield from (f"  {line}" for line in lines_of_axis(axis))
    for legend in figure.legends:
        entries = [entry.get_text() for entry in legend.get_texts()]
        yield f"  legend {entries}, {legend._ncols} columns, frame {legend.get_frame_on()}, at {legend._outside_loc}"


def lines_of_axis(axis: Any) -> Iterator[str]:
    yield f"axis {text(axis.title)}"
    for which, label, scale in (
        (axis.xaxis, axis.get_xlabel(), axis.get_xscale()),
        (axis.yaxis, axis.get_ylabel(), axis.get_yscale()),
    ):
        places = short(which.get_ticklocs()) if isinstance(which.get_major_locator(), FixedLocator) else "its own"
        names = [tick.get_text() for tick in which.get_ticklabels()] if places != "its own" else []
        minor, lines = len(which.get_minorticklocs()), which.get_gridlines()
        grid = {(line.get_visible(), line.get_alpha()) for line in lines}
        yield f"  {which.axis_name} {label!r}, {scale}, ticks {places} {names}, {minor} minor, grid {grid}"
    limits = [  # how much room matplotlib leaves by itself is another in each version
        "its own" if automatic else str(short(values))
        for automatic, values in (
            (axis.get_autoscalex_on(), axis.get_xlim()),
            (axis.get_autoscaley_on(), axis.get_ylim()),
        )
    ]
    yield f"  limits {' '.join(limits)}, grid below {axis.get_axisbelow()}"
    for line in axis.lines:
        yield (
            f"  line {line.get_linestyle()} {line.get_linewidth():g} wide {line.get_marker()} "
            f"{line.get_markersize():g} {to_hex(line.get_color())} "
            f"filled {to_hex(line.get_mfc())} edge {to_hex(line.get_mec())} order {line.get_zorder():.0f} "
            f"{named(line)}: {short(line.get_xdata())} {short(line.get_ydata())}"
        )
    for bars in axis.collections:
        yield f"  bars of errors: {[short(segment.ravel()) for segment in bars.get_segments()]}"
    for bar in axis.patches:
        place = short([bar.get_x(), bar.get_y(), bar.get_width(), bar.get_height()])
        color, edge = to_hex(bar.get_facecolor()), to_hex(bar.get_edgecolor())
        hatch = f"{str(bar.get_hatch())!r} {bar.get_hatch_linewidth():g}"
        yield f"  bar {place} {color} edge {edge} hatch {hatch}"
    for label in axis.texts:
        where = f"{label.anncoords}, {label.get_ha()}"
        yield f"  text {text(label)} at {short(label.xy)} + {label.xyann} in {where}"


def named(artist: Any) -> str:
    """As in the legend; what has no place there is given a number by matplotlib."""
    label = str(artist.get_label())
    return "unnamed" if label.startswith("_") else label


def text(found: Any) -> str:
    return f"{found.get_text()!r} of {found.get_fontsize():g} points"


def short(numbers: Any) -> list[float]:
    return [float(f"{float(number):.4g}") for number in numbers]


def page() -> str:
    """A report of rows from two machines, without its pictures."""
    there = replace(ENVIRONMENT, cpu="A < B", versions={"vecphe": "0.2.0", "numpy": "2.0"})
    rows = [
        record("packed", Case(2048, 5, 11), date="2026-01-02T00:00:00+00:00", jobs=2),
        record("naive", Case(1024, 3, 11), environment=there, measured_values=2),
        record("packed", Case(1024, 3, 11), memory=None, reference=[]),
    ]
    text = report_files(Results(tuple(rows), warnings=("a <b> warning",), complete=False))[PAGE].decode()
    return re.sub(r"base64,[^\"]*", "base64,...", text)


def drawn(found: Results) -> str:
    return "".join(f"{line}\n" for plot in draw_all(found) for line in lines_of(plot))


def test_a_file_has_150_dots_an_inch() -> None:
    for plot in draw_all(matrix_results()):
        height, width, _ = imread(io.BytesIO(plot.picture("png"))).shape
        assert [width, height] == pytest.approx(150 * plot.figure.get_size_inches(), abs=1)


def test_backends_and_peers_are_told_apart_without_colour() -> None:
    names = ("naive", "vectorized", "packed", *(peer for peer in PEERS if peer != "phe"))  # which is naive
    cases = [record("packed", Case(2048, clients, 11)) for clients in (3, 5)]
    found = Results(tuple(replace(made, backend=name) for name in names for made in cases))
    (plot,) = draw_all(found, [("time", "clients")])
    lines = [bars.lines[0] for bars in plot.figure.axes[0].containers]
    assert len({line.get_marker() for line in lines}) == len({str(line._unscaled_dash_pattern) for line in lines}) == 6
    (legend,) = plot.figure.legends
    assert (len(legend.get_texts()), legend._ncols) == (6, 4)


def whole() -> dict[str, str]:
    return {**{name: drawn(found) for name, found in PICTURES.items()}, "page": page()}


def test_pictures_and_page_are_those_that_somebody_has_looked_at() -> None:
    golden = dict(part.split(" ==\n") for part in GOLDEN.read_text(encoding="utf-8").split("== ")[1:])
    for name, text in whole().items():
        assert text.splitlines() == golden[name].splitlines()


if __name__ == "__main__":
    print(*(f"== {name} ==\n{text}" for name, text in whole().items()), sep="", end="")
