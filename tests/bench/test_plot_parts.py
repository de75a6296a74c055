"""The parts of a plot, by what they ask matplotlib for."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from tests.bench.made import record, results

from vecphe.bench import plots
from vecphe.bench.plots import Plot, draw_all, parse_slice
from vecphe.bench.records import PHASES, Case, Figure


class Asked:
    """Whatever it is asked for, it keeps: name, arguments and options."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *of, **how: self.calls.append((name, of, how))

    def of(self, name: str) -> list[Any]:
        return [(of, how) for called, of, how in self.calls if called == name]


@pytest.mark.parametrize(
    ("numbers", "panels"),
    [
        ([7], [7]),
        ([1, 2], [1, 2]),
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, 4], [1, 3, 4]),
        ([1, 2, 3, 4, 5], [1, 3, 5]),
        ([1, 2, 3, 4, 5, 6], [1, 3, 6]),
        ([1, 2, 3, 4, 5, 6, 7], [1, 4, 7]),
    ],
)
def test_three_panels_at_most_with_the_first_and_the_last(numbers: list[int], panels: list[int]) -> None:
    assert plots._spread(numbers) == panels


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1000, "1000"),
        (9900, "9900"),
        (10_000, "10k"),
        (10_100, "10.1k"),
        (10_150, "10150"),
        (123_400, "123.4k"),
        (1_000_000, "1000k"),
        (9_900_000, "9900k"),
        (10_000_000, "10M"),
        (12_300_000, "12.3M"),
        (12_340_000, "12340k"),
        (9_900_000_000, "9900M"),
        (10_000_000_000, "10G"),
        (12_300_000_000, "12.3G"),
        (12_340_000_000, "12340M"),
        (12_345_678_901, "12345678901"),
    ],
)
def test_numbers_on_an_axis_are_short(number: int, text: str) -> None:
    assert plots._short(number) == text


def ticks(*numbers: int) -> tuple[list[int], Asked]:
    axis = Asked()
    plots._set_ticks(axis, numbers)
    (((labelled, names), how),) = axis.of("set_xticks")
    assert (names, how) == ([plots._short(number) for number in labelled], {})
    assert axis.of("minorticks_off") == [((), {})]
    assert axis.of("margins") == [((), {"x": 0.12})]
    return labelled, axis


@pytest.mark.parametrize(("numbers", "log"), [((1, 8), False), ((1, 9), True), ((5, 7, 40), False), ((5, 7, 41), True)])
def test_a_long_axis_has_a_log_scale(numbers: tuple[int, ...], log: bool) -> None:
    labelled, axis = ticks(*numbers)
    assert axis.of("set_xscale") == ([(("log",), {})] if log else [])
    assert (labelled[0], labelled[-1]) == (numbers[0], numbers[-1])


@pytest.mark.parametrize(
    ("numbers", "labelled"),
    [
        (range(10, 21), [10, 12, 14, 16, 18, 20]),  # 0.12 of 10 for each
        ((10, 11, 12, 13, 14), [10, 11, 12, 13, 14]),
        ((100, 117, 119, 181, 183, 200), [100, 119, 181, 200]),
        ((1000, 1100, 2000, 2799, 3000), [1000, 2000, 3000]),
        ((300, 1000, 2000), [300, 1000, 2000]),
        ((100, 1000, 2000), [100, 2000]),  # a log axis
        ((1, 2, 4, 8, 16, 32, 64), [1, 2, 4, 8, 16, 32, 64]),
        ((1, 900, 950, 1000), [1, 1000]),
        ((10, 11, 12, 1000, 9_999), [10, 1000, 9_999]),
    ],
)
def test_labels_have_room_between_their_neighbours(numbers: Any, labelled: list[int]) -> None:
    assert ticks(*numbers)[0] == labelled


@pytest.mark.parametrize(
    ("place", "fits"), [(223, False), (224, True), (544, True), (545, False)], ids=["before", "first", "last", "after"]
)
def test_room_is_enough_to_the_last_bit(monkeypatch: pytest.MonkeyPatch, place: int, fits: bool) -> None:
    """A sixteenth of 512 for each of three digits."""
    assert plots._DIGIT == 0.06
    monkeypatch.setattr(plots, "_DIGIT", 1 / 16)
    assert (len(ticks(128, place, 640)[0]) == 3) == fits


POINTS = [
    plots._Point(1.0, Figure(5.0, 4.0, 7.0), False),
    plots._Point(2.0, Figure(6.0, 0.0, math.inf), True),
]
STYLE = {"color": "#E69F00", "marker": "^"}
USUAL = {"markersize": 7, "capsize": 3, "zorder": 2, "label": "packed"}
HOLLOW = {"mfc": "white", "mec": "#E69F00", "markersize": 7, "zorder": 3}


def test_points_are_drawn_with_what_is_known_of_their_intervals() -> None:
    upright, lying = Asked(), Asked()
    plots._draw(upright, "packed", POINTS, upright=True)
    plots._draw(lying, "packed", POINTS, upright=False)
    bars = [[1.0, 0.0], [2.0, 0.0]]
    assert upright.calls == [
        ("errorbar", ([1.0, 2.0], [5.0, 6.0]), {**STYLE, "linestyle": "-", "yerr": bars, **USUAL}),
        ("plot", (2.0, 6.0, "^"), HOLLOW),
    ]
    assert lying.calls == [
        ("errorbar", ([5.0, 6.0], [1.0, 2.0]), {**STYLE, "linestyle": "none", "xerr": bars, **USUAL}),
        ("plot", (6.0, 2.0, "^"), HOLLOW),
    ]


def test_what_is_hollow_is_explained_once() -> None:
    axis = Asked()
    plots._explain_hollow(axis, POINTS[:1])
    plots._explain_hollow(axis, [])
    assert axis.calls == []
    plots._explain_hollow(axis, POINTS)
    how = {"mfc": "white", "mec": "black", "linestyle": "none", "label": "extrapolated"}
    assert axis.calls == [("plot", ([], [], "o"), how)]


def test_exact_numbers_are_never_hollow_and_what_is_unknown_is_no_point() -> None:
    rows = [record("packed", reference_extrapolated=True), record("packed", reference=[], measured_clients=3)]
    for name, expected in (("speed_up", [True]), ("round", [False, True]), ("setup", [False, False])):
        shown = plots._Measure("", "", name, "")
        points = plots._points(rows, shown, lambda row: float(rows.index(row)))
        assert [point.hollow for point in points] == expected
        assert [point.place for point in points] == [float(i) for i in range(len(expected))]
    assert points[0].figure == Figure(0.1, 0.1, 0.1)
    figure = rows[0].figure("round")
    assert plots._points(rows[:1], plots._Measure("", "", "round", ""), lambda row: 5.0) == [
        plots._Point(5.0, figure, False)  # type: ignore[arg-type]
    ]


def test_rows_have_their_names_from_the_top_and_a_margin() -> None:
    axis = Asked()
    plots._set_rows(axis, ["a", "b", "c"])
    ((of, _),) = axis.of("set_yticks")
    assert (list(of[0]), of[1]) == ([2, 1, 0], ["a", "b", "c"])
    assert axis.of("set_ylim") == [((-0.6, 2.6), {})]
    assert axis.of("grid") == [((False,), {"axis": "y"})]


def test_a_plot_is_finished_with_a_title_and_one_legend() -> None:
    for labels, columns in ((["a", "b", "a"], 2), (["a", "b", "c", "d"], 4), (list("abcdef"), 4)):
        figure = Asked()
        handles = [f"handle {i}" for i in range(len(labels))]
        axis = SimpleNamespace(get_legend_handles_labels=lambda labels=labels, handles=handles: (handles, labels))
        figure.axes = [axis, axis]  # type: ignore[attr-defined]
        plot = plots._finished(figure, "name", "title", "caption")
        assert plot == Plot("name", "title", "caption", figure)
        assert figure.of("suptitle") == [(("title",), {"fontsize": 11})]
        (((found, names), how),) = figure.of("legend")
        assert (len(found), list(names)) == (len({*labels}), list(dict.fromkeys(labels)))
        assert how == {"loc": "outside lower center", "ncols": columns, "frameon": False}
        assert [name for name, *_ in figure.calls[-2:]] == ["draw_without_rendering", "set_layout_engine"]
        assert figure.of("set_layout_engine") == [(("none",), {})]


@pytest.mark.parametrize("columns", [1, 3])
def test_panels_stand_in_a_row_and_share_their_scale(columns: int) -> None:
    figure, axes = plots._panels(2.5, columns)
    assert figure.get_size_inches().tolist() == [7.2, 2.5]
    assert (len(axes), figure.axes, type(axes)) == (columns, axes, list)
    assert type(figure.get_layout_engine()).__name__ == "ConstrainedLayoutEngine"
    assert all(axis.get_shared_y_axes().joined(axes[0], axis) for axis in axes[1:])
    figure, axes = plots._panels()
    assert (figure.get_size_inches().tolist(), len(axes)) == ([7.2, 3.6], 1)


def test_the_settings_that_all_plots_have() -> None:
    import matplotlib as mpl

    with plots.plot_style():
        for name, value in {
            "axes.grid": True,
            "grid.alpha": 0.35,
            "axes.axisbelow": True,
            "font.size": 10.0,
            "hatch.linewidth": 0.8,
            "svg.fonttype": "none",
            "svg.hashsalt": "vecphe",
        }.items():
            assert mpl.rcParams[name] == value


def test_a_picture_is_a_file_of_its_form() -> None:
    asked: list[Any] = []
    figure = SimpleNamespace(savefig=lambda file, **how: asked.append(how) or file.write(b"a picture"))
    assert Plot("", "", "", figure).picture("svg") == b"a picture"
    assert asked == [{"format": "svg", "dpi": 150}]


def test_h65_a_slice_is_told_of_in_its_words() -> None:
    assert parse_slice("--plot", "time:key-length") == ("time", "key_length")
    for text in ("speed:clients", "time:speed", "time", "x" * 50):
        with pytest.raises(ValueError, match="--plot") as told:
            parse_slice("--plot", text)
        assert str(told.value) == (
            "--plot takes one of speedup, time, bytes, setup, phases, a colon, and one of key-length, clients, values, "
            f"not {text[:40]!r}"
        )


def test_without_matplotlib_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots.importlib.util, "find_spec", lambda name: None if name == "matplotlib" else object())
    for found in (results(), plots.Results()):
        with pytest.raises(ImportError) as told:
            draw_all(found)
        assert str(told.value) == "a report needs matplotlib: pip install 'vecphe[bench]', or pip install matplotlib"
    monkeypatch.undo()
    assert draw_all(plots.Results()) == []


@pytest.mark.parametrize(
    ("rows", "largest"),
    [
        ([(2048, 5, 10), (2048, 3, 20)], (2048, 3, 20)),
        ([(2048, 3, 20), (1024, 5, 100)], (1024, 5, 100)),
        ([(1024, 5, 10), (2048, 5, 10), (2048, 10, 5)], (2048, 10, 5)),
    ],
)
def test_the_largest_case_has_the_most_work(rows: list[Any], largest: Any) -> None:
    made = [record("packed", Case(*row)) for row in rows]
    more = record("packed", Case(2048, 9, 99), measured_values=5)
    assert plots._largest(results(*made)) == plots._largest(results(more, *made)) == Case(*largest)
    assert plots._largest(results(*[record("packed", Case(*row), measured_clients=2) for row in rows])) == Case(
        *largest
    )
    numbers = plots._numbers(results(*made, more), "values")
    assert numbers == sorted({row[2] for row in rows} | {99})


def steady(count: int) -> dict[str, list[float]]:
    return {phase: [1.0] * count for phase in PHASES}


def test_intervals_that_say_little_do_not_stretch_the_axis() -> None:
    """Of too few samples they are from nothing to infinity."""
    few = record("packed", samples=steady(3), reference=[8.0] * 3)
    slow = record("vectorized", samples=steady(3), reference=[0.5] * 3)
    for rows, low, high in (([few], 1.0, 32.0), ([slow], 0.125, 2.0), ([few, slow], 0.125, 32.0)):
        (plot, *_) = draw_all(results(*rows))
        assert plot.figure.axes[0].get_xlim() == pytest.approx((low / 1.6, high * 1.6))
    exact = record("packed", samples=steady(8), reference=[8.0] * 8)
    assert draw_all(results(exact))[0].figure.axes[0].get_xlim() == pytest.approx((1.0 / 1.6, 8.0 * 1.6))


def test_rows_without_a_loop_have_no_speed_up() -> None:
    rows = [record("naive"), record("vectorized", reference=[]), record("packed")]
    (plot, *_) = draw_all(results(*rows))
    assert [tick.get_text() for tick in plot.figure.axes[0].get_yticklabels()] == ["packed, 2048 bits"]
    assert len(plot.figure.axes[0].texts) == 1


def test_a_backend_stands_in_the_panels_that_have_it() -> None:
    cases = [Case(bits, clients, 11) for bits in (1024, 2048) for clients in (3, 5)]
    rows = [record("packed", case) for case in cases] + [record("vectorized", case) for case in cases[2:]]
    (plot,) = draw_all(results(*rows), [("time", "clients")])
    drawn = [[bars.get_label() for bars in axis.containers] for axis in plot.figure.axes]
    assert drawn == [["packed"], ["packed", "vectorized"]]
    assert [axis.get_title() for axis in plot.figure.axes] == ["1024 bits", "2048 bits"]
