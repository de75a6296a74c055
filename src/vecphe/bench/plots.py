"""Plots of results. They tell backends apart without colour: by marker, line style and hatch.

matplotlib is imported by `draw_all` alone; it comes with the extra ``bench``.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from vecphe.bench.records import TIMED_PHASES, Case, Record, Results
from vecphe.bench.tables import duration, times

__all__ = ["FORMS", "PLOT_NAMES", "Plot", "check_matplotlib", "draw_all", "plot_style"]

FORMS = ("png", "svg", "pdf")

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
_UNITS = {"key_length": "bits", "clients": "clients", "values": "values"}
# Of each plot of times: the field on its axis, what that is called, the axis' label, the field that has a panel a
# number, and the one that is held, with what stands behind its number in the title.
_TIMES = (
    ("key_length", "key length", "key length (bits)", "values", "clients", "clients"),
    ("clients", "clients", "clients", "key_length", "values", "values each"),
    ("values", "vector length", "values in a vector", "key_length", "clients", "clients"),
)
PLOT_NAMES = (*(f"time_by_{field}" for field, *_ in _TIMES), "speed_up", "phases")

_MOST_PANELS = 4
_WIDEST_LINEAR = 8  # a longer axis, last number over first, has a log scale
_DIGIT = 0.05  # share of an axis that a digit of its labels may take, with room between them
_PANEL_WIDTH, _HEIGHT, _LEAST_WIDTH = 3.6, 3.6, 5.4  # inches
_GRID: dict[Any, Any] = {"axes.grid": True, "grid.alpha": 0.35, "axes.axisbelow": True}
_SETTINGS = {**_GRID, "font.size": 10, "hatch.linewidth": 0.6}


@dataclass(frozen=True)
class Plot:
    """A finished plot."""

    name: str  # of its file, without an ending
    title: str
    caption: str  # what the title leaves open
    figure: Any  # of matplotlib

    def png(self) -> bytes:
        """The picture as a file."""
        return self.picture("png")

    def picture(self, form: str) -> bytes:
        """The picture as a file of one of `FORMS`."""
        file = io.BytesIO()
        self.figure.savefig(file, format=form, dpi=150)
        return file.getvalue()


def check_matplotlib() -> None:
    """Raise ImportError, with the command that installs it, if matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError("a report needs matplotlib: pip install 'vecphe[bench]', or pip install matplotlib")


def plot_style() -> AbstractContextManager[None]:
    """Settings of matplotlib under which all plots are drawn."""
    import matplotlib as mpl

    style: AbstractContextManager[None] = mpl.rc_context(_SETTINGS)
    return style


def draw_all(results: Results) -> list[Plot]:
    """Every plot that the results have points for; ImportError if matplotlib is missing.

    Those of times have an axis each for key lengths, clients and values, if the results have two or more of it.
    """
    check_matplotlib()
    if not results.records:
        return []
    with plot_style():
        plots = [*(_times(results, *row) for row in _TIMES), _speed_ups(results), _phases(results)]
    return [plot for plot in plots if plot is not None]


def _numbers(results: Results, field: str) -> list[int]:
    return sorted({int(getattr(record.case, field)) for record in results.records})


def _held(results: Results) -> dict[str, int]:
    """Clients and values where a plot has no axis or panels for them."""
    clients = _numbers(results, "clients")
    return {"clients": clients[len(clients) // 2], "values": _numbers(results, "values")[-1]}


def _panels(width: float, height: float = _HEIGHT, columns: int = 1) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(width, _LEAST_WIDTH), height), layout="constrained")
    return figure, list(figure.subplots(1, columns, sharey=True, squeeze=False)[0])


def _finished(figure: Any, name: str, title: str, caption: str) -> Plot:
    """Title above, one legend below, both outside the axes so that they cover nothing."""
    pairs = [pair for axis in figure.axes for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    handles = {label: handle for handle, label in pairs}
    figure.suptitle(title, fontsize=11)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), frameon=False)
    return Plot(name, title, caption, figure)


# Times


def _times(results: Results, field: str, called: str, label: str, panel: str, held: str, held_unit: str) -> Plot | None:
    """A panel for some numbers of one field, a line a backend in each, over all numbers of another."""
    numbers, fixed = _numbers(results, field), _held(results)
    if len(numbers) < 2:
        return None
    shown = _spread(_numbers(results, panel))
    figure, axes = _panels(_PANEL_WIDTH * len(shown), columns=len(shown))
    for axis, number in zip(axes, shown, strict=True):
        cases = [Case(**{held: fixed[held], panel: number, field: x}) for x in numbers]
        for backend in results.backends:
            _draw_line(axis, backend, field, [r for case in cases if (r := results.find(backend, case)) is not None])
        axis.set_title(f"{number} {_UNITS[panel]}", fontsize=10)
        axis.set_xlabel(label)
        axis.set_yscale("log")
        _set_ticks(axis, numbers)
    axes[0].set_ylabel("seconds a round")
    if any(record.extrapolated for record in results.records):
        axes[-1].plot([], [], "s", mfc="white", mec="black", label="extrapolated")
    title = f"Time of a round against {called}, {fixed[held]} {held_unit}"
    return _finished(figure, f"time_by_{field}", title, "Medians, with quartiles as bars; log scale.")


def _spread(numbers: Sequence[int]) -> list[int]:
    """As many of the numbers as there are panels, first and last among them."""
    panels = min(len(numbers), _MOST_PANELS)
    return [numbers[round(i * (len(numbers) - 1) / max(panels - 1, 1))] for i in range(panels)]


def _draw_line(axis: Any, backend: str, field: str, records: Sequence[Record]) -> None:
    """Points with quartiles; what is extrapolated is hollow."""
    if not records:
        return
    style = {name: _STYLES[backend][name] for name in ("color", "marker", "linestyle")}
    points = [(getattr(r.case, field), r.seconds("round"), *r.quartiles("round")) for r in records]
    x, medians, low, high = zip(*points, strict=True)
    errors = [[m - q for m, q in zip(medians, low, strict=True)], [q - m for m, q in zip(medians, high, strict=True)]]
    axis.errorbar(x, medians, yerr=errors, **style, markersize=7, capsize=3, zorder=2, label=backend)
    hollow = [point[:2] for point, record in zip(points, records, strict=True) if record.extrapolated]
    for place in hollow:
        axis.plot(*place, style["marker"], mfc="white", mec=style["color"], markersize=7, zorder=3)


def _set_ticks(axis: Any, numbers: Sequence[int]) -> None:
    """At the numbers; labels at the first and last, and at the others that have room between their neighbours."""
    log_x = numbers[-1] > _WIDEST_LINEAR * numbers[0]
    if log_x:
        axis.set_xscale("log")
    axis.minorticks_off()
    places = [math.log(number) if log_x else float(number) for number in numbers]
    room = _DIGIT * max(len(_short(number)) for number in numbers) * (places[-1] - places[0])
    labelled, at = [numbers[0]], places[0]
    for number, place in zip(numbers[1:-1], places[1:-1], strict=True):
        if place - at >= room and places[-1] - place >= room:
            labelled.append(number)
            at = place
    labelled.append(numbers[-1])
    axis.set_xticks(labelled, [_short(number) for number in labelled])
    axis.margins(x=0.12)


def _short(number: int) -> str:
    """100000 as 100k."""
    for power, unit in ((9, "G"), (6, "M"), (3, "k")):
        if number >= 10 * 10**power and number % 10 ** (power - 1) == 0:
            return f"{number / 10**power:g}{unit}"
    return str(number)


# Bars


def _speed_ups(results: Results) -> Plot | None:
    held, lengths = _held(results), _numbers(results, "key_length")
    backends = [
        b for b in results.backends if b != "naive" and any(r.reference for r in results.records if r.backend == b)
    ]
    if not backends:
        return None
    figure, (axis,) = _panels(1.3 * len(lengths) * len(backends))
    width = 0.8 / len(backends)
    for i, backend in enumerate(backends):
        records = [results.find(backend, Case(length, **held)) for length in lengths]
        found = {place: r.speed_up for place, r in enumerate(records) if r is not None and r.speed_up}
        places = [place + (i - (len(backends) - 1) / 2) * width for place in found]
        style = {name: _STYLES[backend][name] for name in ("color", "hatch")}
        bars = axis.bar(places, found.values(), width * 0.92, **style, edgecolor="black", label=backend)
        axis.bar_label(bars, labels=[times(speed_up) for speed_up in found.values()], padding=2, fontsize=9)
    axis.set_yscale("log")
    axis.minorticks_off()
    heights = [1.0, *(bar.get_height() for bar in axis.patches)]
    axis.set_ylim(min(heights) / 2, 3 * max(heights))  # every bar is seen, and has room for its label
    axis.set_xticks(range(len(lengths)), [f"{length} bits" for length in lengths])
    axis.set_ylabel("times faster than the naive loop")
    axis.grid(False, axis="x")
    title = "Speed-up of a round, {clients} clients, {values} values".format(**held)
    caption = "Medians of ratios to the loop over phe, interleaved; log scale."
    return _finished(figure, "speed_up", title, caption)


def _phases(results: Results) -> Plot | None:
    held = _held(results)
    cases = [Case(length, **held) for length in _numbers(results, "key_length")]
    found = [results.find(backend, case) for case in cases for backend in results.backends]
    records = [record for record in found if record is not None]
    if not records:
        return None
    figure, (axis,) = _panels(7.2, 1.6 + 0.34 * len(records))
    places, left = range(len(records))[::-1], [0.0] * len(records)
    for phase, style in _PHASE_STYLES.items():
        shares = [100 * r.seconds(phase) / sum(map(r.seconds, TIMED_PHASES)) for r in records]
        axis.barh(places, shares, left=left, label=phase, edgecolor="black", height=0.7, **style)
        left = [start + share for start, share in zip(left, shares, strict=True)]
    axis.set_yticks(places, [f"{r.backend}, {r.case.key_length} bits, {duration(r.seconds('round'))}" for r in records])
    axis.set_ylim(-0.6, len(records) - 0.4)  # margins in shares of the axis would grow with the rows
    axis.set_xlim(0, 100)
    axis.set_xlabel("share of the round's time (%)")
    axis.grid(False, axis="y")
    title = "Where a round's time goes, {clients} clients, {values} values".format(**held)
    return _finished(figure, "phases", title, "Encrypting and adding are the sum over all clients.")
