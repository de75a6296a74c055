"""Where a benchmark ran: CPU, engine and versions, and how much memory it took."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vecphe import __version__
from vecphe.arithmetic import active_engine, available_engines, engine_named, why_not_used

__all__ = ["Environment", "PeakMemory", "cpu_fields", "cpu_model", "engine_warning", "machine_line", "use_engine"]

_PACKAGES = ("numpy", "gmpy2", "phe")
_FAST = ("ifma", "ifma256", "fma512", "fma256")
_ENGINE_VARIABLE = "VECPHE_ENGINE"


def cpu_fields() -> dict[str, str]:
    """The last entry of Linux's /proc/cpuinfo; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def cpu_model() -> str:
    """What the CPU calls itself."""
    return cpu_fields().get("model name") or platform.processor() or platform.machine() or "unknown"


def machine_line() -> str:
    """Engine, CPU, cores and Python, in one line."""
    return (
        f"engine {active_engine().name}, CPU {cpu_model()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )


@dataclass(frozen=True)
class Environment:
    """What a figure depends on besides the case that was measured.

    Attributes
    ----------
    cpu : str
        Model name.
    cores : int
    system : str
        Operating system and architecture.
    engine, target : str
        What computed, and its build or library version.
    versions : dict of str to str
        Of vecphe, python, numpy, gmpy2, and phe if it is installed.
    """

    cpu: str
    cores: int
    system: str
    engine: str
    target: str
    versions: dict[str, str]

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
            versions={"vecphe": __version__, "python": platform.python_version(), **_package_versions()},
        )


def _package_versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@contextmanager
def use_engine(name: str | None) -> Iterator[None]:
    """Compute with the engine of that name, as VECPHE_ENGINE would choose it; None leaves the choice as it is.

    Raises
    ------
    EngineUnavailableError
        If there is no such engine, or it does not run here.
    """
    if name is None:
        yield
        return
    engine_named(name)
    before = os.environ.get(_ENGINE_VARIABLE)
    os.environ[_ENGINE_VARIABLE] = name  # worker processes inherit it
    try:
        yield
    finally:
        if before is None:
            del os.environ[_ENGINE_VARIABLE]
        else:
            os.environ[_ENGINE_VARIABLE] = before


def engine_warning(asked: str | None, used: str | None = None) -> str | None:
    """One sentence if a slower engine ran than the native one and nobody asked for it on the command line.

    Parameters
    ----------
    asked : str or None
        What ``--engine`` named.
    used : str, optional
        Engine that computed; default the active one.
    """
    used = active_engine().name if used is None else used
    if used in _FAST or asked == used:
        return None
    reasons = why_not_used()
    for name, _ in sorted(available_engines(), key=lambda engine: engine[1] is not None):  # what runs here comes first
        if name in _FAST and name in reasons:
            return f"THE FAST ENGINE DID NOT RUN: all figures are of engine {used!r}; {name}: {reasons[name]}"
    return f"THE FAST ENGINE DID NOT RUN: figures are of engine {used!r}; the key is too long for the native kernel"


class PeakMemory:
    """Peak of the process's resident memory within a ``with`` block, beyond what it was at its start.

    Attributes
    ----------
    bytes : int or None
        None where the system does not tell (other than Linux), or worker processes share the work.
    """

    def __init__(self) -> None:
        self.bytes: int | None = None
        self._before: int | None = None

    def __enter__(self) -> PeakMemory:
        _release_free_memory()
        try:
            Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark to the current size
            self._before = _status_bytes("VmRSS")
        except OSError:
            self._before = None
        return self

    def __exit__(self, *_: Any) -> None:
        if self._before is not None:
            peak = _status_bytes("VmHWM")
            self.bytes = None if peak is None else max(peak - self._before, 0)


def _release_free_memory() -> None:
    """Give back what the allocator keeps for later, so that a block that uses it again is seen to."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):  # not glibc
        return


def _status_bytes(field: str) -> int | None:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None
