"""The README's Python examples run, and say what it says they print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 3
    X, y = load_diabetes(return_X_y=True)
    names: dict[str, Any] = {"X": X, "y": y}
    exec(blocks[0], names)
    printed = np.array(capsys.readouterr().out.strip("[]\n").split(), dtype=float)
    assert len(printed) == 3
    assert np.abs(printed).max() < 5e-12
    expression, _, promised = blocks[1].splitlines()[1].partition("#")
    exec(blocks[1].splitlines()[0], names)
    assert repr(eval(expression, names)) == promised.strip()
    exec(blocks[2], names)
    assert names["model"].score(X, y) > 0.2


def test_the_example_is_six_lines() -> None:
    first = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert first is not None
    assert len(first.group(1).splitlines()) == 6
