"""What the layers share besides fixtures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from vecphe import PrivateKey

__all__ = ["check", "slow", "slow_but"]

slow = pytest.mark.slow


def slow_but(quick: Any, *others: Any) -> list[Any]:
    """Parameters of which the first alone is fast enough for every test run."""
    return [quick, *(pytest.param(other, marks=slow) for other in others)]


def check(private_key: PrivateKey, encrypted: Any, expected: npt.NDArray[Any], error: float = 2.0**-40) -> None:
    """Decrypt a result and compare it, before its time counts; `error` is absolute."""
    np.testing.assert_allclose(private_key.decrypt(encrypted), expected, atol=error, rtol=1e-12)
