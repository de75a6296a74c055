"""Plots of results. They tell backends apart without colour: by marker, line style and hatch.

matplotlib is imported by `draw_all` alone; it comes with the extra ``bench``.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vecphe.bench.records import Case, Record, Results
from vecphe.bench.tables import duration, times

__all__ = ["PLOT_NAMES", "Plot", "check_matplotlib", "draw_all"]

PLOT_NAMES = ("time_by_key_length", "time_by_clients", "time_by_values", "speed_up", "phases")

# Black, blue and orange of the Okabe-Ito palette: their luminance is 0, 0.15 and 0.43, apart in greyscale too.
_STYLES: dict[str, dict[str, Any]] = {
    "naive": {"color": "#000000", "marker": "s", "linestyle": ":", "hatch": ""},
    "vectorized": {"color": "#0072B2", "marker": "o", "linestyle": "--", "hatch": "//"},
    "packed": {"color": "#E69F00", "marker": "^", "linestyle": "-", "hatch": ".."},
}
_PHASE_STYLES: dict[str, dict[str, Any]] = {
    "encrypt": {"color": "#0072B2", "hatch": ""},
    "add": {"color": "#FFFFFF", "hatch": "xx"},
    "decrypt": {"color": "#E69F00", "hatch": "//"},
}
_MOST_PANELS = 4
_WIDEST_LINEAR = 8  # a longer axis, last number over first, has a log scale
_DIGIT = 0.05  # share of an axis that a digit of its labels may take, with room between them
_PANEL_WIDTH, _HEIGHT = 3.6, 3.6  # inches
_SETTINGS: dict[Any, Any] = {
    "font.size": 10,
    "axes.grid": True,
    "grid.alpha": 0.35,
    "axes.axisbelow": True,
    "hatch.linewidth": 0.6,
}


@dataclass(frozen=True)
class Plot:
    """A finished plot.

    Attributes
    ----------
    name : str
        Name of its file, without an ending.
    title : str
    caption : str
        What the title leaves open.
    figure : matplotlib.figure.Figure
    """

    name: str
    title: str
    caption: str
    figure: Any


def check_matplotlib() -> None:
    """Raise ImportError, with the command that installs it, if matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError("a report needs matplotlib: pip install 'vecphe[bench]', or pip install matplotlib")


def draw_all(results: Results) -> list[Plot]:
    """Every plot that the results have points for.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of Plot
        Those of times have an axis each for key lengths, clients and values, if the results have two or more of it.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    check_matplotlib()
    import matplotlib as mpl

    if not results.records:
        return []
    with mpl.rc_context(_SETTINGS):
        plots = [draw(results) for draw in (_by_key_length, _by_clients, _by_values, _speed_ups, _phases)]
    return [plot for plot in plots if plot is not None]


def _middle(numbers: Sequence[int]) -> int:
    return numbers[len(numbers) // 2]


def _axis(results: Results, name: str) -> list[int]:
    return sorted({int(getattr(case, name)) for case in results.cases})


def _panels(columns: int) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(_PANEL_WIDTH * columns, 5.4), _HEIGHT), layout="constrained")
    return figure, list(figure.subplots(1, columns, sharey=True, squeeze=False)[0])


def _spread(numbers: Sequence[int]) -> list[int]:
    """As many of the numbers as there are panels, first and last among them."""
    if len(numbers) <= _MOST_PANELS:
        return list(numbers)
    last = len(numbers) - 1
    return sorted({numbers[round(i * last / (_MOST_PANELS - 1))] for i in range(_MOST_PANELS)})


def _by_key_length(results: Results) -> Plot | None:
    clients = _middle(_axis(results, "clients"))
    panels = [(f"{values} values", Case(0, clients, values)) for values in _spread(_axis(results, "values"))]
    title = f"Time of a round against key length, {clients} clients"
    return _lines(results, title, "key_length", "key length (bits)", panels)


def _by_clients(results: Results) -> Plot | None:
    values = _axis(results, "values")[-1]
    panels = [(f"{bits} bits", Case(bits, 0, values)) for bits in _spread(_axis(results, "key_length"))]
    title = f"Time of a round against clients, {values} values each"
    return _lines(results, title, "clients", "clients", panels)


def _by_values(results: Results) -> Plot | None:
    clients = _middle(_axis(results, "clients"))
    panels = [(f"{bits} bits", Case(bits, clients, 0)) for bits in _spread(_axis(results, "key_length"))]
    title = f"Time of a round against vector length, {clients} clients"
    return _lines(results, title, "values", "values in a vector", panels)


def _lines(results: Results, title: str, field: str, label: str, panels: Sequence[tuple[str, Case]]) -> Plot | None:
    """A line a backend in each panel: its case with all numbers that `field` takes."""
    numbers = _axis(results, field)
    if len(numbers) < 2:
        return None
    figure, axes = _panels(len(panels))
    for axis, (heading, case) in zip(axes, panels, strict=True):
        axis.set_title(heading, fontsize=10)
        axis.set_xlabel(label)
        axis.set_yscale("log")
        for backend in results.backends:
            _draw_line(axis, backend, [(x, results.find(backend, replace(case, **{field: x}))) for x in numbers])
        log_x = numbers[-1] > _WIDEST_LINEAR * numbers[0]
        if log_x:
            axis.set_xscale("log")
        axis.minorticks_off()
        labelled = _labelled(numbers, log_x)
        axis.set_xticks(labelled, [_short(number) for number in labelled])
        axis.margins(x=0.12)
    axes[0].set_ylabel("seconds a round")
    _finish(figure, axes, title, hollow=any(record.extrapolated for record in results.records))
    return Plot(f"time_by_{field}", title, "Medians, with quartiles as bars; log scale.", figure)


def _labelled(numbers: Sequence[int], log_x: bool) -> list[int]:
    """First and last, and of the others those whose labels have room between their neighbours'."""
    places = [math.log(number) if log_x else float(number) for number in numbers]
    room = _DIGIT * max(len(_short(number)) for number in numbers) * (places[-1] - places[0])
    chosen, at = [numbers[0]], places[0]
    for number, place in zip(numbers[1:-1], places[1:-1], strict=True):
        if place - at >= room and places[-1] - place >= room:
            chosen.append(number)
            at = place
    return [*chosen, numbers[-1]]


def _short(number: int) -> str:
    """100000 as 100k."""
    for power, unit in ((9, "G"), (6, "M"), (3, "k")):
        if number >= 10 * 10**power and number % 10 ** (power - 1) == 0:
            return f"{number / 10**power:g}{unit}"
    return str(number)


def _draw_line(axis: Any, backend: str, points: list[tuple[int, Record | None]]) -> None:
    found = [(x, record) for x, record in points if record is not None]
    if not found:
        return
    style = _STYLES[backend]
    medians = [record.seconds("round") for _, record in found]
    quartiles = [record.quartiles("round") for _, record in found]
    errors = [[m - low for m, (low, _) in zip(medians, quartiles, strict=True)]]
    errors.append([high - m for m, (_, high) in zip(medians, quartiles, strict=True)])
    axis.errorbar(
        [x for x, _ in found],
        medians,
        yerr=errors,
        color=style["color"],
        linestyle=style["linestyle"],
        capsize=3,
        zorder=2,
    )
    for x, record in found:
        face = "white" if record.extrapolated else style["color"]
        axis.plot(x, record.seconds("round"), style["marker"], mfc=face, mec=style["color"], markersize=7, zorder=3)


def _finish(figure: Any, axes: list[Any], title: str, *, hollow: bool) -> None:
    """Title above, one legend below, both outside the axes so that they cover nothing."""
    from matplotlib.lines import Line2D

    drawn = {line.get_color() for axis in axes for line in axis.get_lines()}
    handles = [
        Line2D([], [], color=s["color"], marker=s["marker"], label=backend, ls=s["linestyle"])
        for backend, s in _STYLES.items()
        if s["color"] in drawn
    ]
    if hollow:
        handles.append(Line2D([], [], linestyle="", marker="s", mfc="white", mec="black", label="extrapolated"))
    figure.suptitle(title, fontsize=11)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)


def _speed_ups(results: Results) -> Plot | None:
    clients, values = _middle(_axis(results, "clients")), _axis(results, "values")[-1]
    lengths = _axis(results, "key_length")
    backends = [
        b for b in results.backends if b != "naive" and any(r.backend == b and r.reference for r in results.records)
    ]
    if not backends:
        return None
    figure, (axis,) = _panels(1)
    figure.set_size_inches(max(5.4, 1.3 * len(lengths) * len(backends)), _HEIGHT)
    width = 0.8 / len(backends)
    for i, backend in enumerate(backends):
        records = [results.find(backend, Case(length, clients, values)) for length in lengths]
        places = [place + (i - (len(backends) - 1) / 2) * width for place in range(len(lengths))]
        shown = [(p, r.speed_up) for p, r in zip(places, records, strict=True) if r is not None and r.speed_up]
        style = _STYLES[backend]
        bars = axis.bar(
            [p for p, _ in shown],
            [s for _, s in shown],
            width * 0.92,
            color=style["color"],
            hatch=style["hatch"],
            edgecolor="black",
            label=backend,
        )
        axis.bar_label(bars, labels=[times(s) for _, s in shown], padding=2, fontsize=9)
    axis.set_yscale("log")
    axis.minorticks_off()
    heights = [1.0, *(bar.get_height() for bar in axis.patches)]
    axis.set_ylim(min(heights) / 2, 3 * max(heights))  # every bar is seen, and has room for its label
    axis.set_xticks(range(len(lengths)), [f"{length} bits" for length in lengths])
    axis.set_ylabel("times faster than the naive loop")
    axis.grid(False, axis="x")
    title = f"Speed-up of a round, {clients} clients, {values} values"
    figure.suptitle(title, fontsize=11)
    figure.legend(loc="outside lower center", ncols=len(backends), frameon=False)
    return Plot("speed_up", title, "Medians of ratios to the loop over phe, interleaved; log scale.", figure)


def _phases(results: Results) -> Plot | None:
    clients, values = _middle(_axis(results, "clients")), _axis(results, "values")[-1]
    found = [results.find(b, Case(k, clients, values)) for k in _axis(results, "key_length") for b in results.backends]
    records = [record for record in found if record is not None]
    if not records:
        return None
    figure, (axis,) = _panels(1)
    figure.set_size_inches(7.2, 1.6 + 0.34 * len(records))
    places = list(range(len(records)))[::-1]
    left = [0.0] * len(records)
    for phase, style in _PHASE_STYLES.items():
        shares = [
            100 * record.seconds(phase) / sum(record.seconds(part) for part in _PHASE_STYLES) for record in records
        ]
        axis.barh(places, shares, left=left, label=phase, edgecolor="black", height=0.7, **style)
        left = [start + share for start, share in zip(left, shares, strict=True)]
    axis.set_yticks(places, [f"{r.backend}, {r.case.key_length} bits, {duration(r.seconds('round'))}" for r in records])
    axis.set_ylim(-0.6, len(records) - 0.4)  # margins in shares of the axis would grow with the rows
    axis.set_xlim(0, 100)
    axis.set_xlabel("share of the round's time (%)")
    axis.grid(False, axis="y")
    title = f"Where a round's time goes, {clients} clients, {values} values"
    figure.suptitle(title, fontsize=11)
    figure.legend(loc="outside lower center", ncols=len(_PHASE_STYLES), frameon=False)
    return Plot("phases", title, "Encrypting and adding are the sum over all clients.", figure)
