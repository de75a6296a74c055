"""docs/phe.md: its examples run, and what it says of phe's tests is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from tests.phe.test_phe_suite import COUNTS

DOCS = Path(__file__).parents[2] / "docs" / "phe.md"


def test_the_examples_run() -> None:
    text = DOCS.read_text(encoding="utf-8")
    first, second = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {"gradient": np.array([1.5, -2.0])}
    exec(first, names)
    expression, _, promised = first.splitlines()[-1].partition("#")
    assert repr(eval(expression, names)) == promised.split(",")[0].strip()
    exec(second, names)
    expression = second.splitlines()[-1].partition("#")[0]
    assert eval(expression, names).tolist() == [3.0, -4.0]


def test_the_number_of_phes_tests() -> None:
    assert f"all {sum(COUNTS['1.5.0'].values())} of them" in DOCS.read_text(encoding="utf-8")
