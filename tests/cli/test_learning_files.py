"""Where pictures and pages of a run go, and what a page says, of results that are made up."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vecphe.cli import learning
from vecphe.cli.learning import LearningFiles
from vecphe.cli.outcome import Outcome
from vecphe.federated.tasks import Task


def model(mse: float | None, r2: float | None) -> dict[str, float | None]:
    return {"mse": mse, "r2": r2}


OUTCOME = Outcome(
    "mse", ("A&B", "C"), [model(4.0, 0.25), model(None, None)], model(2.0, 0.123456789), model(123456.789, 0.0),
    model(8.0, None), 1e-9,
)  # fmt: skip


def comparison(**changes: Any) -> Any:
    facts: dict[str, Any] = {
        "config": SimpleNamespace(eta=0.25, scale="federated", l2=0.5, key_length=2048),
        "facts": {"data": "<a>.csv"},
        "shards": SimpleNamespace(target="cost", y=[[0.0] * 3, [0.0] * 4], y_test=[0.0] * 2, left_out=0),
        "task": Task(None),
        "longest": SimpleNamespace(n_iter=1),
        "failures": {},
        "outcome": lambda: OUTCOME,
        "curves": lambda: {"A&B alone": [4.0, 3.0], "federated": [3.0, 2.0]},
    }
    return SimpleNamespace(**{**facts, **changes})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("form", ["gif", "", "pn"])
def test_other_forms_are_told(here: Path, form: str) -> None:
    with pytest.raises(ValueError, match="--plot") as caught:
        LearningFiles(Path(f"p.{form}"), Path("new"), True)
    assert str(caught.value) == f"--plot p.{form}: the name must end in .png, .svg, .pdf"
    assert os.listdir() == []


def test_what_needs_matplotlib_says_so(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("it needs matplotlib")

    monkeypatch.setattr(learning, "check_matplotlib", missing)
    for plot, report, option in (
        (Path("p.png"), None, "--plot"), (None, Path("new"), "--report"), (Path("p.png"), Path("new"), "--plot"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="matplotlib") as caught:
            LearningFiles(plot, report, False)
        assert str(caught.value) == f"{option}: it needs matplotlib"
        assert caught.value.__suppress_context__
    LearningFiles(None, None, False).write(None)  # type: ignore[arg-type]
    assert os.listdir() == []


def test_a_page_that_is_there_stays_unless_forced(here: Path) -> None:
    (here / "old").mkdir()
    (here / "old/index.html").write_text("precious")
    with pytest.raises(ValueError, match=r"--report: old/index\.html exists; use --force to replace it"):
        LearningFiles(None, Path("old"), False)
    LearningFiles(None, Path("old"), True)


@pytest.mark.parametrize("force", [False, True])
def test_each_file_is_written_where_it_was_named(here: Path, monkeypatch: pytest.MonkeyPatch, force: bool) -> None:
    drawn = SimpleNamespace(title="t", caption="c", picture=lambda form: form.encode())
    monkeypatch.setattr(learning, "_drawn", lambda *_: drawn)
    for plot, report, paths in (
        (None, None, {}),
        ("p.SVG", None, {"--plot": "p.SVG"}),
        (None, "a", {"--report": "a/errors.png"}),
        ("q.pdf", "b", {"--report": "b/errors.png", "--plot": "q.pdf"}),
    ):
        files = LearningFiles(Path(plot) if plot else None, Path(report) if report else None, force)
        assert files.paths == {option: Path(path) for option, path in paths.items()}
        files.write(comparison())
        for path in paths.values():
            assert Path(path).read_text() == path[-3:].lower()
        if report:
            assert sorted(os.listdir(report)) == ["errors.png", "index.html"]
        for path in [*paths.values(), *([f"{report}/index.html"] if report else [])]:
            if force:
                files.write(comparison())
            else:  # it appeared while the run went on
                for other in [*paths.values(), *([f"{report}/index.html"] if report else [])]:
                    Path(other).unlink(missing_ok=True)
                Path(path).write_text("precious")
                with pytest.raises(FileExistsError):
                    files.write(comparison())
                assert Path(path).read_text() == "precious"


def test_a_page_says_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(learning, "html_page", lambda *parts: made.append(parts) or b"page")
    monkeypatch.setattr(learning, "figure_html", lambda *parts: f"FIGURE {parts}")
    assert learning._page(comparison(), OUTCOME, "drawn", b"png") == b"page"  # type: ignore[arg-type]
    assert made == [("vecphe run", f"<p>{SENTENCE}</p>\n{PAGE}")]
    shards = SimpleNamespace(target="cost", y=[[0.0]], y_test=[0.0], left_out=3)
    changed = comparison(
        failures={"C<": "it & grows"}, shards=shards, longest=SimpleNamespace(n_iter=7), task=Task(np.array([0, 1]))
    )
    learning._page(changed, OUTCOME, "drawn", b"png")  # type: ignore[arg-type]
    for line in (
        "<dt>Rows</dt><dd>1 to train, 1 to test, 3 left out</dd>",
        "<dt>C&lt;, in the clear</dt><dd>not trained, it &amp; grows</dd>",
        "<dt>Training</dt><dd>7 rounds, eta 0.25, scale federated, l2 0.5</dd>",
        "<dt>Target</dt><dd>cost, classification</dd>",
    ):
        assert line in made[-1][1].splitlines()


SENTENCE = (
    "By training together 1 of 2 hospitals gained (mean square error 50.00% lower than alone: A&amp;B); the federated "
    "error is 100.00% lower than that of training on pooled data in the clear, and 75.00% lower than that of a "
    "constant predictor."
)
PAGE = """\
<dl>
<dt>Data</dt><dd>&lt;a&gt;.csv</dd>
<dt>Target</dt><dd>cost, regression</dd>
<dt>Rows</dt><dd>7 to train, 2 to test</dd>
<dt>Training</dt><dd>1 round, eta 0.25, scale federated, l2 0.5</dd>
<dt>Encryption</dt><dd>Paillier, 2048 bits</dd>
</dl>
<h2>Test rows</h2>
<div class="wide"><table>
<thead><tr><th class="text">model</th><th>mean square error</th><th>R^2</th></tr></thead>
<tbody>
<tr><td class="text">A&amp;B alone</td><td>4</td><td>0.25</td></tr>
<tr><td class="text">C alone</td><td>-</td><td>-</td></tr>
<tr><td class="text">federated</td><td>2</td><td>0.12346</td></tr>
<tr><td class="text">pooled in the clear</td><td>1.2346e+05</td><td>0</td></tr>
<tr><td class="text">constant predictor</td><td>8</td><td>-</td></tr>
</tbody></table></div>
FIGURE ('drawn', b'png')"""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x" * 40, "x" * 40), ("x" * 41, "x" * 39 + "…"), ("_a", " _a"), ("a_b", "a_b"), ("$a$", r"\$a\$"), ("", ""),
        ("x" * 38 + "$$$", "x" * 38 + r"\$…"),
    ],
)  # fmt: skip
def test_names_are_cut_and_are_no_mathematics(name: str, shown: str) -> None:
    assert learning._short(name) == shown


def test_a_picture_grows_with_its_legend(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, lines in ((3, 3), (6, 6), (7, 6), (20, 6)):
        curves = {f"{number} alone": [4.0, 3.0] for number in range(count)} | {"federated": [3.0, 2.0]}
        plot = learning._drawn(comparison(curves=lambda curves=curves: curves), OUTCOME)
        assert tuple(plot.figure.get_size_inches()) == pytest.approx((7.6, 5.0 + 0.13 * (lines + 3)))
        assert plot.name == "errors"
        assert plot.title == "Mean square error of cost on the test rows"
        assert plot.caption == "Error after each round; those who trained alone scaled by their own rows."
    unbounded = Outcome(**{**vars(OUTCOME), "constant": model(None, None)})
    lines = learning._drawn(comparison(), unbounded).figure.axes[0].lines
    assert [line.get_label() for line in lines] == ["A&B alone", "federated"]
