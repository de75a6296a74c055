"""The tutorial that trains on encrypted histograms; the others run when the site is built."""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib
import numpy as np
import pytest

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"


@pytest.mark.filterwarnings("ignore::vecphe.InsecureKeyWarning", "ignore:FigureCanvasAgg is non-interactive")
def test_boosted_trees_of_encrypted_histograms_are_those_of_plain_ones(capsys: pytest.CaptureFixture[str]) -> None:
    matplotlib.use("agg")
    names = runpy.run_path(str(TUTORIALS / "plot_06_histograms.py"))
    assert np.array_equal(names["encrypted"], names["plain"])
    assert names["encrypted"].shape == (10, 143)
    assert names["accuracy"][-1] > 0.9 > 1 - names["y_test"].mean()
    assert "largest difference of a score: 0.0" in capsys.readouterr().out
