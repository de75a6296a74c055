"""Pictures and pages of what `vecphe run` learned: the error a round of each hospital alone, pooled, and federated."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from vecphe.bench.plots import FORMS, Plot, check_matplotlib, plot_style
from vecphe.bench.report import PAGE, figure_html, html_page
from vecphe.cli.comparison import Comparison
from vecphe.cli.outcome import LABELS, Outcome
from vecphe.cli.output import make_directory
from vecphe.system.files import replace_file
from vecphe.system.plurals import counted

__all__ = ["LearningFiles"]

_PICTURE = "errors.png"
_SIZE, _TALL = (7.6, 5.0), 0.13  # inches, and what a line of the legend adds
_NAMED = 6  # hospitals that have lines of their own in the legend
# Of the hospitals: colours of the Okabe-Ito palette, apart in greyscale by their line styles.
_ALONE = (
    ("#56B4E9", "--"),
    ("#009E73", "-."),
    ("#CC79A7", ":"),
    ("#E69F00", "--"),
    ("#888888", "-."),
    ("#0072B2", ":"),
)
_POOLED: dict[str, Any] = {"color": "black", "linestyle": "none", "marker": "o", "markerfacecolor": "none", "zorder": 4}
_FEDERATED: dict[str, Any] = {"color": "#D55E00", "linewidth": 2.5, "zorder": 3}
_CONSTANT: dict[str, Any] = {"color": "#888888", "linewidth": 1.0, "linestyle": (0, (1, 3))}
_MARKERS = 12  # of the pooled line, which else would hide the federated one
_SPREAD = 30  # times the least error, from which on the axis is logarithmic


class LearningFiles:
    """Where pictures go, checked before anything runs.

    Parameters
    ----------
    plot : Path or None
        A file that ends in .png, .svg or .pdf.
    report : Path or None
        A directory, for a page and its picture.
    force : bool
        Replace files that exist.

    Raises
    ------
    ValueError, OSError
        If they could not be written.
    """

    def __init__(self, plot: Path | None, report: Path | None, force: bool) -> None:
        self.plot, self.report, self.force = plot, report, force
        if plot is not None and plot.suffix[1:].lower() not in FORMS:
            raise ValueError(f"--plot {plot}: the name must end in {', '.join('.' + form for form in FORMS)}")
        if plot is not None or report is not None:
            try:
                check_matplotlib()
            except ImportError as error:
                raise ValueError(f"{'--report' if plot is None else '--plot'}: {error}") from None
        if report is not None:
            make_directory(report, PAGE, force)

    @property
    def paths(self) -> dict[str, Path]:
        """What will be written, by the options that name it."""
        of_report = {} if self.report is None else {"--report": self.report / _PICTURE}
        return of_report if self.plot is None else {**of_report, "--plot": self.plot}

    def write(self, comparison: Comparison) -> None:
        """Draw and write what was asked for."""
        if not self.paths:
            return
        outcome = comparison.outcome()
        drawn = _drawn(comparison, outcome)
        if self.plot is not None:
            replace_file(self.plot, drawn.picture(self.plot.suffix[1:].lower()), force=self.force)
        if self.report is not None:
            picture = drawn.picture("png")
            replace_file(self.report / _PICTURE, picture, force=self.force)
            replace_file(self.report / PAGE, _page(comparison, outcome, drawn, picture), force=self.force)


def _drawn(comparison: Comparison, outcome: Outcome) -> Plot:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    curves = comparison.curves()
    federated, pooled = curves["federated"], curves.get("pooled in the clear")
    alone = [(name, errors) for name, errors in curves.items() if name.endswith(" alone")]
    label = LABELS[outcome.error]
    with plot_style():
        lines = min(len(alone), _NAMED) + 3
        figure = Figure(figsize=(_SIZE[0], _SIZE[1] + _TALL * lines), layout="constrained")
        axis = figure.subplots()
        for place, (name, errors) in enumerate(alone):
            color, style = _ALONE[place] if len(alone) <= _NAMED else ("#56B4E9", "--")
            shown = _short(name) if len(alone) <= _NAMED else None if place else "each hospital alone"
            axis.plot(*_points(errors), color=color, linestyle=style, linewidth=1.3, label=shown, **_marked(errors))
        axis.plot(*_points(federated), label="federated", **_FEDERATED, **_marked(federated))
        if pooled is not None:
            step = max(len(pooled) // _MARKERS, 1)
            axis.plot(*_points(pooled), markevery=(step - 1, step), label="pooled in the clear", **_POOLED)
        constant = outcome.constant[outcome.error]
        if constant is not None:
            axis.axhline(constant, label="constant predictor", **_CONSTANT)
        highest = max(max(errors) for errors in curves.values())
        if highest > _SPREAD * min(min(errors) for errors in curves.values()) > 0:
            axis.set_yscale("log")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axis.set_xlabel("round")
        axis.set_ylabel(f"{label} on the test rows")
        title = f"{label[0].upper()}{label[1:]} of {_short(comparison.shards.target)} on the test rows"
        axis.set_title(title, fontsize=11)
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return Plot("errors", title, "Error after each round; those who trained alone scaled by their own rows.", figure)


def _points(errors: Sequence[float]) -> tuple[range, Sequence[float]]:
    return range(1, len(errors) + 1), errors


def _marked(errors: Sequence[float]) -> dict[str, Any]:
    """A line of one point is seen by its marker alone."""
    return {"marker": "."} if len(errors) == 1 else {}


def _short(name: str) -> str:
    """A name as it is, which matplotlib must take neither for mathematics nor for one that is not to be shown."""
    shown = (name if len(name) <= 40 else f"{name[:39]}…").replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def _page(comparison: Comparison, outcome: Outcome, drawn: Plot, picture: bytes) -> bytes:
    config, figures = comparison.config, list(outcome.federated)
    models = {
        **{f"{name} alone": own for name, own in zip(outcome.names, outcome.alone, strict=True)},
        "federated": outcome.federated,
        "pooled in the clear": outcome.pooled,
        "constant predictor": outcome.constant,
    }
    header = "".join(f"<th>{escape(LABELS[figure])}</th>" for figure in figures)
    rows = "\n".join(
        f'<tr><td class="text">{escape(name)}</td>'
        + "".join(f"<td>{'-' if (value := own[figure]) is None else f'{value:.5g}'}</td>" for figure in figures)
        + "</tr>"
        for name, own in models.items()
    )
    rounds = counted(comparison.longest.n_iter, "round")
    facts = {
        "Data": str(comparison.facts["data"]),
        "Target": f"{comparison.shards.target}, {comparison.task.name}",
        "Rows": f"{sum(map(len, comparison.shards.y))} to train, {len(comparison.shards.y_test)} to test",
        "Training": f"{rounds}, eta {config.eta:g}, scale {config.scale}, l2 {config.l2:g}",
        "Encryption": f"Paillier, {config.key_length} bits",
    }
    facts |= {f"{name}, in the clear": f"not trained, {why}" for name, why in comparison.failures.items()}
    if comparison.shards.left_out:
        facts["Rows"] += f", {comparison.shards.left_out} left out"
    terms = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    body = f"""<p>{escape(outcome.sentence())}</p>
<dl>
{terms}
</dl>
<h2>Test rows</h2>
<div class="wide"><table>
<thead><tr><th class="text">model</th>{header}</tr></thead>
<tbody>
{rows}
</tbody></table></div>
{figure_html(drawn, picture)}"""
    return html_page("vecphe run", body)
