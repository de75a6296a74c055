"""What the layers share besides fixtures."""

from __future__ import annotations

from typing import Any

import pytest

slow = pytest.mark.slow


def slow_but(quick: Any, *others: Any) -> list[Any]:
    """Parameters of which the first alone is fast enough for every test run."""
    return [quick, *(pytest.param(other, marks=slow) for other in others)]
