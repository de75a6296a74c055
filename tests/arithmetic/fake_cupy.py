"""As much of CuPy as the cuda engine uses, over numpy and the kernels on the host; and the faults of a GPU."""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.arithmetic.host_device import host_library

from vecphe.arithmetic.cuda_device import Shape


class _StatusError(RuntimeError):
    def __init__(self, text: str, status: int = 999) -> None:
        super().__init__(text)
        self.status = status


class CUDARuntimeError(_StatusError):
    pass


class CUDADriverError(_StatusError):
    pass


class CompileException(Exception):  # noqa: N818 - CuPy's name
    pass


class OutOfMemoryError(MemoryError):
    pass


class OnDevice(np.ndarray[Any, np.dtype[np.uint32]]):
    def get(self) -> np.ndarray[Any, np.dtype[np.uint32]]:
        return np.array(self)


class _Current:
    """A device or stream."""

    id, mem_info = 0, (1 << 30, 1 << 31)

    def __init__(self, fake: Fake) -> None:
        self.fake = fake

    def __enter__(self) -> None:
        self.fake.current += 1

    def __exit__(self, *_: object) -> None:
        self.fake.current -= 1


class Fake:
    """A GPU with switches: what a call raises, if it is to fail."""

    def __init__(self) -> None:
        self.driver, self.runtime, self.devices, self.current, self.pool = 13000, 13020, 1, 0, 0
        self.compiler_missing = False
        self.at_start: Exception | None = None
        self.at_opening: Exception | None = None
        self.at_allocation: Exception | None = None
        self.at_launch: Exception | None = None
        self.at_compilation: Exception | None = None

    def module(self) -> ModuleType:
        runtime = SimpleNamespace(
            driverGetVersion=lambda: self.driver,
            runtimeGetVersion=lambda: self.runtime,
            getDeviceCount=lambda: self._count(),
            getDeviceProperties=lambda _: {"name": b"Fake GPU"},
            CUDARuntimeError=CUDARuntimeError,
        )
        cupy: Any = ModuleType("cupy")
        cupy.cuda = SimpleNamespace(
            runtime=runtime,
            driver=SimpleNamespace(CUDADriverError=CUDADriverError),
            nvrtc=SimpleNamespace(getVersion=self._compiler_version),
            Device=lambda: _Current(self),
            Stream=self._stream,
        )
        cupy.get_default_memory_pool = lambda: SimpleNamespace(free_bytes=lambda: self.pool)
        cupy.uint32, cupy.empty, cupy.asarray, cupy.RawModule = np.uint32, self._empty, self._asarray, self._compile
        return cupy  # type: ignore[no-any-return]

    def _stream(self, non_blocking: bool) -> _Current:
        assert non_blocking
        if self.at_opening:
            raise self.at_opening
        return _Current(self)

    def _compiler_version(self) -> tuple[int, int]:
        if self.compiler_missing:
            raise RuntimeError('Failure finding "libnvrtc.so.13"')
        return 13, 0

    def _count(self) -> int:
        if self.at_start:
            raise self.at_start
        if self.driver < 13000:  # as the real one does
            raise CUDARuntimeError("cudaErrorInsufficientDriver")
        return self.devices

    def _empty(self, words: int, dtype: Any) -> OnDevice:
        assert self.current == 2
        if self.at_allocation:
            raise self.at_allocation
        return np.full(words, 0xDEADBEEF, dtype).view(OnDevice)

    def _asarray(self, words: np.ndarray[Any, np.dtype[np.uint32]]) -> OnDevice:
        copy = self._empty(len(words), np.uint32)
        copy[:] = words
        return copy

    def _compile(self, code: str, options: tuple[str, ...]) -> Any:
        assert 'extern "C" __global__' in code
        defined = dict(option.removeprefix("-D").split("=") for option in options if option.startswith("-D"))
        shape = Shape(int(defined["GROUP_LANES"]), int(defined["LANE_LIMBS"]))

        def get_function(name: str) -> Any:
            if self.at_compilation:
                raise self.at_compilation

            def launch(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
                assert self.current == 2  # the device and the stream that the engine made
                if self.at_launch:
                    raise self.at_launch
                count, threads = int(arguments[0]), 1 if name in ("repack", "gather") else shape.lanes
                assert grid[0] * block[0] >= count * threads > (grid[0] - 1) * block[0]
                assert block[0] == int(defined["THREADS"])
                assert block[0] % 32 == 0  # whole warps, and so whole groups
                getattr(host_library(shape), name)(
                    *(a.ctypes.data_as(ctypes.c_void_p) if a.ndim else ctypes.c_longlong(int(a)) for a in arguments)
                )

            return launch

        return SimpleNamespace(get_function=get_function)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A GPU that does what the kernels on the host do, for one test."""
    found = Fake()
    module = found.module()
    module.__spec__ = SimpleNamespace(name="cupy")  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "cupy", module)
    return found
