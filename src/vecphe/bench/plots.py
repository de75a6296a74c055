"""Plots of results. They tell backends apart without colour: by marker and line style, phases by grey and hatch.

matplotlib is imported by what draws alone; it comes with the extra ``bench``.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from vecphe.bench.records import FIGURES, TIMED_PHASES, Case, Figure, Record, Results
from vecphe.bench.tables import duration, label, times

__all__ = ["FORMS", "PLOT_NAMES", "Plot", "check_matplotlib", "draw_all", "parse_slice", "plot_style"]

FORMS = ("png", "svg", "pdf")

# Of the Okabe-Ito palette; the three backends' luminances are 0, 0.15 and 0.43, apart in greyscale too.
_STYLES: dict[str, dict[str, Any]] = {
    "naive": {"color": "#000000", "marker": "s", "linestyle": ":"},
    "vectorized": {"color": "#0072B2", "marker": "o", "linestyle": "--"},
    "packed": {"color": "#E69F00", "marker": "^", "linestyle": "-"},
    "pypaillier": {"color": "#009E73", "marker": "D", "linestyle": "-."},
    "lightphe": {"color": "#888888", "marker": "v", "linestyle": (0, (1, 3))},
    "tenseal": {"color": "#CC79A7", "marker": "P", "linestyle": (0, (5, 3, 1, 3, 1, 3))},
}
_PHASE_STYLES: dict[str, dict[str, Any]] = {
    "encrypt": {"color": "#3B6FA0", "hatch": ""},
    "add": {"color": "#FFFFFF", "hatch": "xxx"},
    "decrypt": {"color": "#F2C57C", "hatch": "///"},
}


class _Axis(NamedTuple):
    """A field of cases: what it is called, its unit, and the field that has a panel a number beside it."""

    called: str
    unit: str
    panel: str


class _Measure(NamedTuple):
    """What a plot shows of a record: a figure of that name, or an exact number, and how it is called."""

    title: str
    label: str
    name: str
    caption: str

    def figure(self, record: Record) -> Figure | None:
        if self.name in FIGURES:
            return record.figure(self.name)
        number = getattr(record, self.name)
        return Figure(number, number, number)


_AXES = {
    "key_length": _Axis("key length", "bits", "values"),
    "clients": _Axis("clients", "clients", "key_length"),
    "values": _Axis("vector length", "values", "key_length"),
}
_MEDIANS = "Medians with 99 % intervals; log scale."
_MEASURES = {
    "speedup": _Measure("Speed-up of a round", "times as fast as phe", "speed_up", _MEDIANS),
    "time": _Measure("Time of a round", "seconds a round", "round", _MEDIANS),
    "bytes": _Measure(
        "Bytes on the wire", "bytes a value and hop", "bytes_per_value", "Exact, for canonical ciphertexts."
    ),
    "setup": _Measure("Set-up", "seconds once a key", "setup", "Key pair and tables, made once; log scale."),
}
_SLICES = (*_MEASURES, "phases")
_USUAL = (
    ("speedup", "clients"),
    *(("time", field) for field in _AXES),
    *((shown, "key_length") for shown in ("bytes", "setup", "phases")),
)
PLOT_NAMES = ("speed_up", *(f"{shown}_by_{field}" for shown in _SLICES for field in _AXES))
_MOST_PANELS = 3
_WIDEST_LINEAR = 8  # a longer axis, last number over first, has a log scale
_FARTHEST = 4  # times: ends of intervals farther from their median lie outside of the axis
_DIGIT = 0.06  # share of an axis that a digit of its labels may take, with room between them
_WIDTH, _HEIGHT, _ROW = 7.2, 3.6, 0.34  # inches: all figures have one width, and so one scale on the page
_GRID: dict[Any, Any] = {"axes.grid": True, "grid.alpha": 0.35, "axes.axisbelow": True}
_SETTINGS = {**_GRID, "font.size": 10, "hatch.linewidth": 0.8, "svg.fonttype": "none", "svg.hashsalt": "vecphe"}


@dataclass(frozen=True)
class Plot:
    """A finished plot."""

    name: str  # of its file, without an ending
    title: str
    caption: str  # what the title leaves open
    figure: Any  # of matplotlib

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


def parse_slice(option: str, text: str) -> tuple[str, str]:
    """What to draw against what, such as ``speedup:clients``; ValueError for what cannot be drawn."""
    shown, _, field = text.partition(":")
    field = field.replace("-", "_")
    if shown not in _SLICES or field not in _AXES:
        axes = ", ".join(name.replace("_", "-") for name in _AXES)
        raise ValueError(f"{option} takes one of {', '.join(_SLICES)}, a colon, and one of {axes}, not {text[:40]!r}")
    return shown, field


def draw_all(results: Results, slices: Sequence[tuple[str, str]] = ()) -> list[Plot]:
    """Every plot that the results have points for, or those of some slices; ImportError if matplotlib is missing.

    A plot against key lengths, clients or values needs two or more of it. What has neither axis nor panels is that of
    the largest case.
    """
    check_matplotlib()
    if not results.records:
        return []
    with plot_style():
        if slices:
            plots = [_slice(results, *each) for each in dict.fromkeys(slices)]
        else:
            plots = [_speed_ups(results), *(_slice(results, *each) for each in _USUAL)]
    return [plot for plot in plots if plot is not None]


def _slice(results: Results, shown: str, field: str) -> Plot | None:
    return _phases(results, field) if shown == "phases" else _lines(results, shown, field)


def _numbers(results: Results, field: str) -> list[int]:
    return sorted({int(getattr(record.case, field)) for record in results.records})


def _largest(results: Results) -> Case:
    """The largest case that was measured, whole by one backend at least if there is such a one."""
    whole = [record.case for record in results.records if not record.extrapolated]
    return max(whole or [r.case for r in results.records], key=lambda case: (case.clients * case.values, case))


def _panels(height: float = _HEIGHT, columns: int = 1) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(1, columns, sharey=True, squeeze=False)[0])


def _finished(figure: Any, name: str, title: str, caption: str) -> Plot:
    """Title above, one legend below, both outside the axes so that they cover nothing."""
    pairs = [pair for axis in figure.axes for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    handles = {text: handle for handle, text in pairs}
    figure.suptitle(title, fontsize=11)
    columns = min(len(handles), 4)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns, frameon=False)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # once for all forms: it takes as long as to write a file
    return Plot(name, title, caption, figure)


# Points with intervals


class _Point(NamedTuple):
    place: float
    figure: Figure
    hollow: bool  # extrapolated


def _draw(axis: Any, backend: str, points: Sequence[_Point], upright: bool) -> None:
    """Medians with their intervals, hollow where they are extrapolated; on a line if places are numbers of an axis."""
    style = {**_STYLES[backend]} if upright else {**_STYLES[backend], "linestyle": "none"}
    places, medians = [point.place for point in points], [point.figure.value for point in points]
    below = [value - low if low else 0.0 for _, (value, low, _), _ in points]
    above = [high - value if math.isfinite(high) else 0.0 for _, (value, _, high), _ in points]
    x, y, errors = (places, medians, "yerr") if upright else (medians, places, "xerr")
    bars: dict[str, Any] = {errors: [below, above]}
    axis.errorbar(x, y, **bars, **style, markersize=7, capsize=3, zorder=2, label=label(backend))
    for point in points:
        if point.hollow:
            place = (point.place, point.figure.value) if upright else (point.figure.value, point.place)
            axis.plot(*place, style["marker"], mfc="white", mec=style["color"], markersize=7, zorder=3)


def _explain_hollow(axis: Any, points: Sequence[_Point]) -> None:
    if any(point.hollow for point in points):
        axis.plot([], [], "o", mfc="white", mec="black", linestyle="none", label="extrapolated")


def _points(records: Sequence[Record], shown: _Measure, places: Callable[[Record], float]) -> list[_Point]:
    return [
        _Point(places(record), figure, shown.name in FIGURES and record.is_approximate(shown.name))
        for record in records
        if (figure := shown.figure(record)) is not None
    ]


def _lines(results: Results, measure: str, field: str) -> Plot | None:
    """A panel for some numbers of one field, a line a backend in each, over all numbers of another."""
    shown, axis_of, held = _MEASURES[measure], _AXES[field], _largest(results)
    numbers = _numbers(results, field)
    others = [b for b in results.backends if not (measure == "speedup" and b == "naive")]
    panel = axis_of.panel if measure in ("speedup", "time") else None
    panels = _spread(_numbers(results, panel)) if panel else [0]
    beside = {number: {panel: number} if panel else {} for number in panels}
    cases = {number: [replace(held, **{field: x, **beside[number]}) for x in numbers] for number in panels}
    found = {
        (number, backend): _points(
            [record for case in cases[number] if (record := results.find(backend, case)) is not None],
            shown,
            lambda record: float(getattr(record.case, field)),
        )
        for number in panels
        for backend in others
    }
    if len(numbers) < 2 or not any(found.values()):
        return None
    figure, axes = _panels(columns=len(panels))
    for axis, number in zip(axes, panels, strict=True):
        for backend in others:
            if points := found[number, backend]:
                _draw(axis, backend, points, upright=True)
        if panel:
            axis.set_title(f"{number} {_AXES[panel].unit}", fontsize=10)
        axis.set_xlabel(f"{axis_of.called} ({axis_of.unit})" if axis_of.unit not in axis_of.called else axis_of.called)
        if measure == "bytes":
            axis.set_ylim(bottom=0)
        else:
            axis.set_yscale("log")
        _set_ticks(axis, numbers)
    axes[0].set_ylabel(shown.label)
    if measure == "speedup":
        for axis in axes:
            axis.axhline(1.0, color="black", linewidth=1)
    _explain_hollow(axes[-1], [point for points in found.values() for point in points])
    fields = [name for name in _AXES if name not in (field, panel)]
    title = f"{shown.title} against {axis_of.called}, {held.text(*fields)}"
    return _finished(figure, f"{measure}_by_{field}", title, shown.caption)


def _spread(numbers: Sequence[int]) -> list[int]:
    """As many of the numbers as there are panels, first and last among them."""
    panels = min(len(numbers), _MOST_PANELS)
    return [numbers[round(i * (len(numbers) - 1) / max(panels - 1, 1))] for i in range(panels)]


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


# A row a key length and backend


def _rows_of(results: Results, field: str) -> tuple[Case, list[Record]]:
    """The largest case, and every record of it at all numbers of a field, in their order."""
    held = _largest(results)
    cases = [replace(held, **{field: number}) for number in _numbers(results, field)]
    found = [results.find(backend, case) for case in cases for backend in results.backends]
    return held, [record for record in found if record is not None]


def _set_rows(axis: Any, names: Sequence[str]) -> None:
    axis.set_yticks(range(len(names))[::-1], names)
    axis.set_ylim(-0.6, len(names) - 0.4)  # margins in shares of the axis would grow with the rows
    axis.grid(False, axis="y")


def _speed_ups(results: Results) -> Plot | None:
    held, found = _rows_of(results, "key_length")
    shown = _MEASURES["speedup"]
    records = [record for record in found if record.backend != "naive" and record.reference]
    if not records:
        return None
    figure, (axis,) = _panels(1.7 + _ROW * len(records))
    places = {record.identity: len(records) - 1 - i for i, record in enumerate(records)}
    points = []
    for backend in dict.fromkeys(record.backend for record in records):
        own = [record for record in records if record.backend == backend]
        points += _points(own, shown, lambda record: float(places[record.identity]))
        _draw(axis, backend, points[-len(own) :], upright=False)
    for point in points:
        text = f"{'~' if point.hollow else ''}{times(point.figure.value)}"
        axis.annotate(
            text, (point.figure.value, point.place), (0, 6), textcoords="offset points", ha="center", fontsize=8
        )
    axis.axvline(1.0, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.minorticks_off()
    ends = [1.0]
    for _, (value, low, high), _ in points:
        ends += [max(low, value / _FARTHEST), min(high, value * _FARTHEST)]
    axis.set_xlim(min(ends) / 1.6, max(ends) * 1.6)
    axis.set_xlabel("times as fast as the loop over phe (the line: as fast)")
    _set_rows(axis, [f"{label(r.backend)}, {r.case.key_length} bits" for r in records])
    axis.set_ylim(-0.6, len(records) - 0.2)
    _explain_hollow(axis, points)
    title = f"Speed-up of a round, {held.text('clients', 'values')} each"
    caption = "Medians of ratios to the loop over phe, measured in turn, with 99 % intervals; log scale."
    return _finished(figure, "speed_up", title, caption)


def _phases(results: Results, field: str) -> Plot | None:
    held, records = _rows_of(results, field)
    figure, (axis,) = _panels(1.6 + _ROW * len(records))
    places, left = range(len(records))[::-1], [0.0] * len(records)
    for phase, style in _PHASE_STYLES.items():
        shares = [100 * r.seconds(phase) / sum(map(r.seconds, TIMED_PHASES)) for r in records]
        axis.barh(places, shares, left=left, label=phase, edgecolor="black", height=0.7, **style)
        left = [start + share for start, share in zip(left, shares, strict=True)]
    names = [
        f"{label(r.backend)}, {r.case.text(field)}, {'~' * r.extrapolated}{duration(r.seconds('round'))}"
        for r in records
    ]
    _set_rows(axis, names)
    axis.set_xlim(0, 100)
    axis.set_xlabel("share of the round's time (%)")
    title = f"Where a round's time goes, {held.text(*(name for name in _AXES if name != field))} each"
    caption = "Encrypting and adding are the sum over all clients; ~ extrapolated."
    return _finished(figure, f"phases_by_{field}", title, caption)
