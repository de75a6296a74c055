"""Where a benchmark ran: CPU, engine and versions, and how much memory it took."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TypeVar

from vecphe import __version__
from vecphe.arithmetic import active_engine, available_engines, engine_named, race_result, why_not_used
from vecphe.system.plurals import counted

__all__ = [
    "Environment",
    "cpu_fields",
    "cpu_model",
    "engine_warning",
    "machine_line",
    "proc_bytes",
    "use_engine",
    "with_peak_memory",
]

_PACKAGES = ("numpy", "gmpy2", "phe")
_ENGINE_VARIABLE = "VECPHE_ENGINE"
_T = TypeVar("_T")


def _proc_fields(file: str) -> dict[str, str]:
    """Names and values in a file of Linux's /proc, the last of each; empty elsewhere."""
    try:
        lines = Path("/proc", file).read_bytes().decode("utf-8", "replace").splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def proc_bytes(file: str, name: str) -> int | None:
    """A size that a file of Linux's /proc tells in kB, in bytes; None where it does not."""
    value = _proc_fields(file).get(name)
    return None if value is None else int(value.split()[0]) * 1024


def cpu_fields() -> dict[str, str]:
    """What Linux tells of the last CPU; empty elsewhere."""
    return _proc_fields("cpuinfo")


def cpu_model() -> str:
    """What the CPU calls itself."""
    return cpu_fields().get("model name") or platform.processor() or platform.machine() or "unknown"


def machine_line(engine: str | None = None) -> str:
    """Engine, which is the active one unless another is named, CPU, cores and Python, in one line."""
    name = active_engine().name if engine is None else engine
    return (
        f"engine {name}, CPU {cpu_model()}, {counted(os.cpu_count() or 1, 'core')}, Python {platform.python_version()}"
    )


@dataclass(frozen=True)
class Environment:
    """What a figure depends on besides the case that was measured."""

    cpu: str  # model name
    cores: int
    system: str  # operating system and architecture
    engine: str
    target: str  # build of the engine, or version of its library
    versions: dict[str, str]  # of vecphe, python, numpy, gmpy2, and phe if it is installed

    @classmethod
    def current(cls, engine: str | None = None) -> Environment:
        """What holds in this process, with the active engine unless another is named."""
        chosen = active_engine() if engine is None else engine_named(engine)
        return cls(
            cpu=cpu_model(),
            cores=os.cpu_count() or 1,
            system=f"{platform.system()} {platform.machine()}",
            engine=chosen.name,
            target=str(chosen.describe()["target"]),
            versions=_versions(),
        )


def _versions() -> dict[str, str]:
    versions = {"vecphe": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


@contextmanager
def use_engine(name: str | None) -> Iterator[None]:
    """Make an engine the default, as VECPHE_ENGINE would, for code that names none; None leaves the choice as it is.

    Raises
    ------
    EngineUnavailableError
        If there is no such engine, or it does not run here.
    """
    before = os.environ.get(_ENGINE_VARIABLE)
    if name is not None:
        engine_named(name)
        os.environ[_ENGINE_VARIABLE] = name  # worker processes inherit it
    try:
        yield
    finally:
        os.environ.pop(_ENGINE_VARIABLE, None)
        if before is not None:
            os.environ[_ENGINE_VARIABLE] = before


def engine_warning(asked: str | None, used: str | None = None) -> str | None:
    """One sentence if a slower engine ran than the native one and nobody asked for it on the command line.

    `asked` is what ``--engine`` named, `used` the engine that computed, by default the active one.
    """
    used = active_engine().name if used is None else used
    runs = dict(available_engines())
    fast = [*takewhile("gmp".__ne__, runs)]  # what is preferred to it
    if used in fast or asked == used or (race_result() and used == active_engine().name):  # which has won the race
        return None
    reasons = why_not_used()
    for name in sorted((name for name in reasons if name in fast), key=lambda name: runs[name] is not None):
        return f"THE FAST ENGINE DID NOT RUN: all figures are of engine {used!r}; {name}: {reasons[name]}"
    return f"THE FAST ENGINE DID NOT RUN: figures are of engine {used!r}; the key is too long for the native kernel"


def with_peak_memory(work: Callable[[], _T]) -> tuple[_T, int | None]:
    """What a function returns, and the peak of the process's resident bytes in it beyond what was there before.

    The peak is None where the system does not tell it (other than Linux).
    """
    with suppress(AttributeError, OSError):  # not glibc
        # What the allocator keeps for later is given back, so that work that uses it again is seen to.
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark to the current size
    except OSError:
        return work(), None
    before = proc_bytes("self/status", "VmRSS")
    result = work()
    peak = proc_bytes("self/status", "VmHWM")
    return result, None if before is None or peak is None else max(peak - before, 0)
