"""Checks of arguments that several modules of this room share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["check_bool", "check_instance", "check_positive", "checked_int"]


def checked_int(name: str, value: Any, least: int | None = None) -> int:
    """The value as int, also of numpy's integers; ValueError for everything else, bool included, and below `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name} must be an int, not {value!r}")
    if least is not None and value < least:
        raise ValueError(f"{name} must be {'positive' if least == 1 else f'at least {least}'}, not {value}")
    return int(value)


def check_bool(name: str, value: Any) -> None:
    """Raise ValueError unless the value is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, not {value!r}")


def check_instance(name: str, value: Any, kind: type) -> None:
    """Raise TypeError unless the value is of that class."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be of class {kind.__name__}, not {type(value).__name__}")


def check_positive(name: str, value: Any, *, or_zero: bool = False) -> None:
    """Raise ValueError unless the value is a number above 0, or 0 where that may be, and finite."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        raise ValueError(f"{name} must be a number, not {value!r}")
    if not (math.isfinite(value) and (value > 0 or (or_zero and value == 0))):
        raise ValueError(f"{name} must be {'at least 0' if or_zero else 'positive'} and finite, not {value!r}")
