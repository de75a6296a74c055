"""What the cuda engine asks of a device, and the one module that knows CuPy, which compiles the kernels at run time."""

from __future__ import annotations

import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from vecphe.errors import EngineUnavailableError

__all__ = ["SOURCE", "Buffer", "CupyDevice", "Device", "Limbs", "Shape", "why_no_device"]

SOURCE = Path(__file__).with_name("kernels.cu")
Limbs: TypeAlias = npt.NDArray[np.uint32]

_THREADS = 128  # a block
_BY_ITEM = {"repack", "gather"}  # kernels with a thread an item; all others have a group of lanes
_INSTALL = 'install CuPy for your driver: pip install "vecphe[cuda]" (CUDA 13) or "cupy-cuda12x[ctk]"'
_OTHER = 'or for CUDA 12 put "cupy-cuda12x[ctk]" in the place of that CuPy'
_NO_MEMORY = 2  # cudaErrorMemoryAllocation and CUDA_ERROR_OUT_OF_MEMORY
_OUT_OF_MEMORY = "out of GPU memory: free arrays or end other processes on the GPU, or work on fewer values at once"
_FORKED = (
    "the GPU was in use before this process was forked, and a child cannot use it: "
    "start workers by spawn, or choose another engine for them"
)
_NO_COMPILER = f"CuPy finds no compiler for the kernels (NVRTC); {_INSTALL}"

_asked_in: set[int] = set()  # processes in which the driver has answered: this one, or one that has forked it


class Shape(NamedTuple):
    """How a group of threads shares a residue: limbs 0 to lanes*limbs - 1, `limbs` consecutive ones to a lane."""

    lanes: int
    limbs: int


class Buffer:
    """Words of 32 bits on a device; overwritten when the last reference goes."""

    __slots__ = ("_device", "memory")

    def __init__(self, device: Device, memory: Any) -> None:
        self._device, self.memory = device, memory

    def __len__(self) -> int:
        return len(self.memory)

    def __getitem__(self, part: slice) -> Any:
        """A view for a launch, valid as long as the buffer."""
        return self.memory[part]

    def __del__(self) -> None:
        with suppress(Exception):  # the device is gone, or the parent's
            self._device.erase(self.memory)


class Device(ABC):
    """Memory and kernels. Launches run one after the other; a download waits for those before it."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Name and version, for people."""

    @abstractmethod
    def free_bytes(self) -> int:
        """Memory that can be allocated now."""

    @abstractmethod
    def allocate(self, words: int) -> Buffer:
        """Memory with undefined content."""

    @abstractmethod
    def upload(self, words: Limbs) -> Buffer:
        """A copy, flat."""

    @abstractmethod
    def download(self, buffer: Buffer) -> Limbs:
        """A copy, flat."""

    @abstractmethod
    def erase(self, memory: Any) -> None:
        """Overwrite the content of a buffer with zeros."""

    @abstractmethod
    def launch(self, shape: Shape, kernel: str, count: int, *arguments: Any) -> None:
        """Run a kernel on `count` > 0 groups or items; arguments are buffers, views of such, and integers."""


def why_no_device() -> str | None:
    """Why CuPy finds no GPU here, or None if it does. CuPy is imported only where it is installed."""
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed; {_INSTALL}"
    if _asked_in and os.getpid() not in _asked_in:
        return _FORKED  # the driver would say that it is not initialized
    try:
        import cupy

        # The driver first: one that is too old for this CuPy answers nothing but its version.
        driver, needed = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion() // 1000
        if 0 < driver < 1000 * needed:
            return f"the driver is for {_version(driver)}, too old for CuPy for CUDA {needed}: update it, {_OTHER}"
        count = cupy.cuda.runtime.getDeviceCount()
        _asked_in.add(os.getpid())
    except Exception as error:  # a broken CuPy raises what it likes
        return f"CuPy finds no GPU: {_one_line(error)}; see nvidia-smi"
    if not count:
        return "CuPy finds no GPU; see nvidia-smi"
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:
        return f"{_NO_COMPILER} ({_one_line(error)})"
    return None


def _version(number: int) -> str:
    return f"CUDA {number // 1000}.{number % 1000 // 10}"


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


class CupyDevice(Device):
    """The GPU that is CuPy's current one when this is made."""

    def __init__(self) -> None:
        if why_not := why_no_device():
            raise EngineUnavailableError(f"engine 'cuda' does not run here: {why_not}")
        import cupy

        self._cupy = cupy
        self._process = os.getpid()
        self._fault: str | None = None
        self._faults = cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError
        try:
            # Of our own, whatever the caller makes current in its threads: what is launched later must see what was
            # before.
            self._gpu, self._stream = cupy.cuda.Device(), cupy.cuda.Stream(non_blocking=True)
        except self._faults as error:
            raise EngineUnavailableError(
                f"the GPU cannot be opened ({_one_line(error)}): another process may have it for itself, or fill its "
                "memory; see nvidia-smi"
            ) from None
        self._module, self._kernel = cache(self._compiled), cache(self._function)

    @contextmanager
    def _typed(self) -> Iterator[None]:
        """Faults of the driver as our own error; after one that is not about memory nothing runs here any more."""
        if os.getpid() != self._process:
            raise EngineUnavailableError(_FORKED)
        if self._fault:
            raise EngineUnavailableError(self._fault)
        try:
            with self._gpu, self._stream:
                yield
        except MemoryError:  # of CuPy's pool, or of another that the caller has put in its place
            raise EngineUnavailableError(_OUT_OF_MEMORY) from None
        except self._faults as error:
            if getattr(error, "status", None) == _NO_MEMORY:  # for the code of a kernel, or the driver's own needs
                raise EngineUnavailableError(_OUT_OF_MEMORY) from None
            self._fault = (
                f"the GPU failed ({_one_line(error)}); what it was computing is lost. "
                "See nvidia-smi, then start this program again, or set VECPHE_ENGINE to another engine"
            )
            raise EngineUnavailableError(self._fault) from None

    def describe(self) -> dict[str, Any]:
        with self._typed():
            properties = self._cupy.cuda.runtime.getDeviceProperties(self._gpu.id)
            driver = self._cupy.cuda.runtime.driverGetVersion()
        return {"target": properties["name"].decode(), "version": _version(driver)}

    def free_bytes(self) -> int:
        with self._typed():
            free = self._gpu.mem_info[0]
            return int(free + self._cupy.get_default_memory_pool().free_bytes())

    def allocate(self, words: int) -> Buffer:
        with self._typed():
            return Buffer(self, self._cupy.empty(words, self._cupy.uint32))

    def upload(self, words: Limbs) -> Buffer:
        with self._typed():
            return Buffer(self, self._cupy.asarray(np.ascontiguousarray(words).reshape(-1)))

    def download(self, buffer: Buffer) -> Limbs:
        with self._typed():
            words: Limbs = buffer.memory.get()
            return words

    def erase(self, memory: Any) -> None:
        with self._typed():
            memory.fill(0)

    def launch(self, shape: Shape, kernel: str, count: int, *arguments: Any) -> None:
        given = [a.memory if isinstance(a, Buffer) else np.int64(a) if isinstance(a, int) else a for a in arguments]
        threads = count * (1 if kernel in _BY_ITEM else shape.lanes)
        with self._typed():
            self._kernel(shape, kernel)((-(-threads // _THREADS),), (_THREADS,), (np.int64(count), *given))

    def _function(self, shape: Shape, kernel: str) -> Any:
        """Compiled, or from CuPy's cache, on first use."""
        try:
            return self._module(shape).get_function(kernel)
        except (MemoryError, *self._faults):
            raise
        except Exception as error:  # of NVRTC, its library, or the folder of the cache
            raise EngineUnavailableError(
                f"CuPy cannot compile the kernels ({_one_line(error)}); it keeps them in CUPY_CACHE_DIR or ~/.cupy, "
                "which must be writable"
            ) from None

    def _compiled(self, shape: Shape) -> Any:
        options = ("-std=c++17", f"-DGROUP_LANES={shape.lanes}", f"-DLANE_LIMBS={shape.limbs}", f"-DTHREADS={_THREADS}")
        return self._cupy.RawModule(code=SOURCE.read_text(encoding="utf-8"), options=options)
