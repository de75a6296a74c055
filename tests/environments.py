"""The floating-point environments that a caller may have set, by the registers of the CPU and through glibc."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from typing import Any

import pytest

__all__ = [
    "FLAGS",
    "INEXACT",
    "MODES",
    "NEAREST",
    "TOWARD_ZERO",
    "TRAPPING",
    "mode",
    "needs_modes",
    "set_mode",
    "under",
]

_GLIBC = platform.libc_ver()[0] == "glibc"
if platform.machine() == "aarch64":
    # FPCR: 0x400000 up, 0x800000 down, both toward zero, 0x1000000 flush to zero, 0x2000000 default NaNs. Above: FPSR.
    _PLACE = slice(0, 8)  # in glibc's fenv_t
    NEAREST, TOWARD_ZERO, INEXACT, FLAGS = 0, 0xC00000, 0x10 << 32, 0x0800009F << 32
    MODES = {
        "usual": NEAREST,
        "down": 0x800000,
        "up": 0x400000,
        "toward zero": TOWARD_ZERO,
        "flush to zero": 0x1000000,
        "default NaNs": 0x2000000,
        "all flags": FLAGS,
        "everything at once": 0x3400000 | INEXACT,
    }
    TRAPPING: dict[str, int] = {}  # few of these CPUs trap at all
else:
    # MXCSR: 0x3f flags, 0x40 denormal operands are zero, 0x1f80 masks, 0x6000 the rounding mode, 0x8000 flush to zero.
    _PLACE = slice(28, 32)
    NEAREST, TOWARD_ZERO, INEXACT, FLAGS = 0x1F80, 0x7F80, 0x20, 0x3F
    MODES = {
        "usual": NEAREST,
        "down": NEAREST | 0x2000,
        "up": NEAREST | 0x4000,
        "toward zero": TOWARD_ZERO,
        "denormal operands are zero": NEAREST | 0x0040,
        "flush to zero": NEAREST | 0x8000,
        "all flags": NEAREST | FLAGS,
        "everything at once": NEAREST | 0x4000 | 0x8000 | 0x0040 | INEXACT,
    }
    TRAPPING = {"inexact traps": 0x0F80, "all trap, up, flush, no denormals": 0x0000 | 0x4000 | 0x8000 | 0x0040}

needs_modes = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64") or not _GLIBC,
    reason="MXCSR or FPCR is read and written by glibc's fegetenv and fesetenv: THE CALLER'S MODE IS NOT UNDER TEST",
)
_libm = ctypes.CDLL("libm.so.6") if _GLIBC else None
_environment = ctypes.create_string_buffer(64)


def mode() -> int:
    """The registers as they are."""
    assert _libm is not None
    _libm.fegetenv(_environment)
    return int.from_bytes(_environment.raw[_PLACE], "little")


def set_mode(word: int) -> None:
    """Set the registers of this thread."""
    assert _libm is not None
    _libm.fegetenv(_environment)
    size = _PLACE.stop - _PLACE.start
    ctypes.memmove(ctypes.byref(_environment, _PLACE.start), word.to_bytes(size, "little"), size)
    _libm.fesetenv(_environment)


def under(word: int, work: Callable[[], Any]) -> tuple[Any, int]:
    """What the work returns in that mode, and the mode after it."""
    before = mode()
    set_mode(word)
    try:
        result = work()
        after = mode()
    finally:
        set_mode(before)
    return result, after
