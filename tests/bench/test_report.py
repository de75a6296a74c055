"""The report: one page that needs nothing else, and pictures that are what they say."""

from __future__ import annotations

import base64
import html
import io
import re
import sys
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import matplotlib.image
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from tests.bench.made import matrix_results, record, results

from vecphe.bench.peers import PEERS
from vecphe.bench.plots import _PHASE_STYLES, _STYLES, FORMS, PLOT_NAMES, draw_all, parse_slice
from vecphe.bench.records import BACKENDS, Case, Results
from vecphe.bench.report import PAGE, report_files
from vecphe.bench.tables import duration, size

WHOLE = matrix_results()
TIMES = ("time_by_key_length", "time_by_clients", "time_by_values")
PLOTS = ("speed_up", "speedup_by_clients", *TIMES, "bytes_by_key_length", "setup_by_key_length", "phases_by_key_length")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    made = report_files(WHOLE)
    assert set(made) == {PAGE, *(f"{name}.{form}" for name in PLOTS for form in FORMS)}
    return made


class Page(HTMLParser):
    """Collects what a page refers to, its table and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.alternatives: list[str] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset", "action")]
        if tag == "img":
            self.alternatives.append(named.get("alt") or "")
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data.strip())


def test_the_page_needs_nothing_but_itself(files: dict[str, bytes]) -> None:
    text = files[PAGE].decode()
    page = Page(text)
    assert page.open == []
    assert len(page.references) == len(PLOTS)
    assert all(reference.startswith("data:image/png;base64,") for reference in page.references)
    assert all(page.alternatives)
    without_pictures = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]*", "", text)
    assert not re.search(r"https?:|//|url\(|@import|<script|<link|<iframe", without_pictures)


def test_the_page_has_the_pictures_that_are_beside_it(files: dict[str, bytes]) -> None:
    embedded = [base64.b64decode(r.split(",", 1)[1]) for r in Page(files[PAGE].decode()).references]
    assert embedded == [files[f"{name}.png"] for name in PLOTS]
    for data in embedded:
        picture = matplotlib.image.imread(io.BytesIO(data))
        assert picture.shape[0] >= 400
        assert picture.shape[1] >= 700
        assert len({tuple(pixel) for pixel in picture[::7, ::7].reshape(-1, picture.shape[2]).tolist()}) > 3


def test_the_table_has_every_record_and_marks_what_is_extrapolated(files: dict[str, bytes]) -> None:
    header, *rows = Page(files[PAGE].decode()).rows
    assert header[3:9] == ["backend", "encrypt", "add", "decrypt", "round", "speed-up"]
    assert len(rows) == len(WHOLE.records)
    for row in rows:
        assert row[7].startswith("~") == (row[3] == "naive (phe)"), row
        assert row[8].startswith("~") != (row[3] == "naive (phe)"), row  # held against a loop that was scaled up
        assert row[9] == "7"


def test_what_comes_from_files_is_no_markup(files: dict[str, bytes]) -> None:
    text = files[PAGE].decode()
    assert "<b>markup" not in text
    assert "&lt;b&gt;markup&lt;/b&gt; &amp; co" in text


def test_an_interrupted_run_says_so() -> None:
    assert "did not come to its end" in report_files(results(complete=False))[PAGE].decode()


def test_a_plot_needs_two_points() -> None:
    alone = draw_all(results(record("naive"), record("packed")))
    assert [plot.name for plot in alone] == ["speed_up", "phases_by_key_length"]
    assert draw_all(Results()) == []
    without = draw_all(results(record("packed", reference=[]), record("packed", Case(2048, 10, 11), reference=[])))
    assert [plot.name for plot in without] == ["time_by_clients", "phases_by_key_length"]


MANY_KEYS = Results(
    tuple(
        record(backend, Case(bits, 3, values))
        for bits in (256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 16384)
        for values in (11, 100, 1000, 10_000)
        for backend in ("naive", "vectorized", "packed")
    )
)
UNEVEN = Results(
    tuple(
        record(backend, Case(2048, clients, values))
        for clients in (3, 4, 5, 10_000)
        for values in (1, 999_999_997, 999_999_998, 999_999_999)
        for backend in ("naive", "packed")
    )
)


@pytest.mark.parametrize("found", [WHOLE, MANY_KEYS, UNEVEN], ids=["few", "many", "uneven"])
def test_axes_have_names_and_units_and_nothing_overlaps(found: Results) -> None:
    for plot in draw_all(found):
        FigureCanvasAgg(plot.figure).draw()
        for axis in plot.figure.axes:
            assert axis.get_xlabel()
        assert plot.figure.axes[0].get_ylabel() or plot.name in ("speed_up", "phases_by_key_length")
        boxes = visible_boxes(plot.figure)
        assert len(boxes) >= 6
        for i, box in enumerate(boxes):
            assert box.x0 >= 0
            assert box.x1 <= plot.figure.bbox.width
            assert not any(box.overlaps(other) for other in boxes[:i]), plot.name


def test_a_wide_axis_has_a_log_scale() -> None:
    scales = {
        plot.name: plot.figure.axes[0].get_xscale() for plot in draw_all(MANY_KEYS) if plot.name.startswith("time")
    }
    assert scales == {"time_by_key_length": "log", "time_by_values": "log"}
    by_length = [("time", "key_length")]
    assert draw_all(WHOLE, by_length)[0].figure.axes[0].get_xscale() == "linear"
    assert len(draw_all(MANY_KEYS, by_length)[0].figure.axes[0].get_xticks()) >= 4


def test_many_rows_leave_no_blank_band() -> None:
    axis = draw_all(MANY_KEYS)[-1].figure.axes[0]
    low, high = axis.get_ylim()
    edges = [edge for bar in axis.patches for edge in (bar.get_y(), bar.get_y() + bar.get_height())]
    assert len(edges) == 2 * 3 * 36
    assert 0 < min(edges) - low < 0.5
    assert 0 < high - max(edges) < 0.5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5999, "5999 s"),
        (7200, "2 h"),
        (47.9 * 3600, "47.9 h"),
        (60 * 3600, "2.5 days"),
        (1e8, "3.17 years"),
        (1e9, "31.7 years"),
        (3e12, "95,100 years"),
    ],
)
def test_long_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123456, "12 ms"), (59.96, "60 s"), (999.4, "1000 s"), (6001, "1.7 h"), (3e12, "95,000 years")],
)
def test_estimates_have_two_digits(seconds: float, text: str) -> None:
    assert duration(seconds, 2) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (12, "12 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        (2.56e9, "2.38 GiB"),
        (1e18, "888 PiB"),
        (5.2e20, "462,000 PiB"),
    ],
)
def test_sizes_are_written_out(count: float, text: str) -> None:
    assert size(count) == text


def test_titles_stand_in_the_pictures_alone(files: dict[str, bytes]) -> None:
    page = Page(files[PAGE].decode())
    for plot in draw_all(WHOLE):
        assert html.unescape(files[PAGE].decode()).count(plot.title) == 1
        assert [text for text in page.alternatives if text.startswith(plot.title)] == [f"{plot.title}. {plot.caption}"]


def test_a_speed_up_below_one_is_seen() -> None:
    slow = record("packed", reference=[0.0004] * 7, reference_extrapolated=True)  # a tenth of the packed round
    (plot, _) = draw_all(results(record("vectorized"), slow))
    (axis,) = plot.figure.axes
    frame = axis.get_window_extent()
    assert [label.get_text() for label in axis.texts] == ["50.1x", "~0.1x"]
    for label in axis.texts:
        box = label.get_window_extent()
        assert frame.x0 < box.x0 < box.x1 < frame.x1
        assert frame.y0 < box.y0 < box.y1 < frame.y1
    lines = [line for line in axis.lines if list(line.get_xdata()) == [1, 1]]
    assert len(lines) == 1  # as fast as the loop


def test_all_figures_have_one_scale() -> None:
    assert {float(plot.figure.get_size_inches()[0]) for found in (WHOLE, MANY_KEYS) for plot in draw_all(found)} == {
        7.2
    }


def test_plots_are_of_the_largest_case_that_was_measured_whole() -> None:
    rows = [record("packed", Case(2048, 5, values)) for values in (11, 100)]
    partly = record("packed", Case(2048, 5, 1000), measured_values=10)
    (speed_up, *_) = draw_all(results(*rows, partly))
    assert speed_up.title == "Speed-up of a round, 5 clients, 100 values each"


@pytest.mark.parametrize("shown", ["speedup", "time", "bytes", "setup", "phases"])
@pytest.mark.parametrize("axis", ["key-length", "clients", "values"])
def test_every_slice_can_be_chosen(shown: str, axis: str) -> None:
    (plot,) = draw_all(WHOLE, [parse_slice("--plot", f"{shown}:{axis}")] * 2)
    assert plot.name == f"{shown}_by_{axis.replace('-', '_')}"
    assert plot.name in PLOT_NAMES


@pytest.mark.parametrize(
    "text", ["", "speedup", "speedup:", ":clients", "speed:clients", "time:bits", "time:clients:values"]
)
def test_h65_what_is_no_slice_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match="--plot takes one of speedup, time, bytes, setup, phases, a colon, and one of"
    ):
        parse_slice("--plot", text)


def visible_boxes(figure: Any) -> list[Any]:
    """Where text stands; labels of ticks beyond the limits of an axis are not drawn."""
    texts = [figure._suptitle, *(text for legend in figure.legends for text in legend.get_texts())]
    boxes = []
    for axis in figure.axes:
        texts += [axis.xaxis.label, axis.yaxis.label, axis.title]
        frame = axis.get_window_extent()
        for label in (*axis.get_xticklabels(), *axis.get_yticklabels()):
            box = label.get_window_extent()
            if (
                label.get_text()
                and label.get_visible()
                and (frame.x0 <= (box.x0 + box.x1) / 2 <= frame.x1 or frame.y0 <= (box.y0 + box.y1) / 2 <= frame.y1)
            ):
                boxes.append(box)
    return boxes + [text.get_window_extent() for text in texts if text.get_text()]


def luminance(color: str) -> float:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_backends_and_phases_differ_in_grey_as_well() -> None:
    greys = sorted(luminance(_STYLES[name]["color"]) for name in BACKENDS)
    phases = sorted(luminance(style["color"]) for style in _PHASE_STYLES.values())
    assert all(lighter - darker > 0.17 for each in (greys, phases) for darker, lighter in pairwise(each))
    for name in ("marker", "linestyle"):
        assert len({style[name] for style in _STYLES.values()}) == len(_STYLES)
    assert len({style["hatch"] for style in _PHASE_STYLES.values()}) == len(_PHASE_STYLES)
    assert _STYLES.keys() == {*BACKENDS, *PEERS} - {"phe"}


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'vecphe\[bench\]'"):
        report_files(WHOLE)


def test_no_pyplot_state_is_left() -> None:
    assert "matplotlib.pyplot" not in sys.modules
