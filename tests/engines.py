"""Which engines tests run on."""

from __future__ import annotations

from typing import Any

import pytest

from vecphe.arithmetic import active_engine, available_engines

__all__ = ["kinds_of_engines"]


def kinds_of_engines() -> list[Any]:
    """Engines that run here, as parameters: of each kind one, the other targets of the native kernel marked slow.

    For tests of what is around the kernel: to Python, all vector targets are one class. Tests of what targets compute
    are in tests/native and tests/arithmetic, and run on each.
    """
    kinds = {"gmp", "portable", "cuda", active_engine().name}
    running = [name for name, why_not in available_engines() if why_not is None]
    return [name if name in kinds else pytest.param(name, marks=pytest.mark.slow) for name in running]
