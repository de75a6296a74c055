"""The kernels of the cuda engine compiled for the host: every lane of a group in a loop, with bounds asserted."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vecphe.arithmetic.cuda_device import SOURCE, Buffer, Device, Limbs, Shape

COMPILER = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
NOT_TESTED = "no C++ compiler here: THE KERNELS OF THE CUDA ENGINE ARE NOT UNDER TEST"


_FLAGS = ("-x", "c++", "-std=c++17", "-O2", "-march=native", "-fPIC", "-shared", f"-I{Path(__file__).parent}")


@cache
def folder() -> Path:
    """Where what is compiled is kept, by what it is compiled from."""
    read = SOURCE.read_bytes(), Path(__file__).with_name("lanes_of_host.h").read_bytes()
    digest = hashlib.sha256(b"\0".join((*read, repr((COMPILER, _FLAGS)).encode()))).hexdigest()
    made = Path(__file__).parents[2] / "build" / "host_kernels" / digest[:16]
    made.mkdir(parents=True, exist_ok=True)
    return made


@cache
def host_library(shape: Shape) -> ctypes.CDLL:
    library = folder() / f"kernels-{shape.lanes}-{shape.limbs}.so"
    if not library.exists():
        new, defined = f"{library}.{os.getpid()}", (f"-DGROUP_LANES={shape.lanes}", f"-DLANE_LIMBS={shape.limbs}")
        subprocess.run([str(COMPILER), *_FLAGS, *defined, str(SOURCE), "-o", new], check=True)
        os.replace(new, library)
    return ctypes.CDLL(str(library))


# Words that a kernel writes for each of `count`; the others write a residue, or what is as long.
WRITTEN: dict[str, Callable[[int], int]] = {
    "repack": lambda k: 1,
    "gather": lambda k: 1,
    "powers": lambda k: 32 * k,
    "logarithms": lambda k: k,
    "finish": lambda k: k,
}


class HostDevice(Device):
    """Runs kernels on this CPU; `free` is the memory it says is left."""

    def __init__(self, free: int = 1 << 30) -> None:
        self.free = free
        self.launches: list[tuple[str, int]] = []
        self.erased = 0

    def describe(self) -> dict[str, Any]:
        return {"target": "host", "version": str(COMPILER)}

    def free_bytes(self) -> int:
        return self.free

    def allocate(self, words: int) -> Buffer:
        return Buffer(self, np.full(words, 0xDEADBEEF, np.uint32))

    def upload(self, words: Limbs) -> Buffer:
        return Buffer(self, np.array(words, np.uint32).reshape(-1))

    def download(self, buffer: Buffer) -> Limbs:
        words: Limbs = buffer.memory.copy()
        return words

    def erase(self, memory: Any) -> None:
        memory[:] = 0
        self.erased += len(memory)

    def launch(self, shape: Shape, kernel: str, count: int, *arguments: Any) -> None:
        assert count > 0
        self.launches.append((kernel, count))
        arrays = [a.memory if isinstance(a, Buffer) else a for a in arguments]
        written = WRITTEN.get(kernel, lambda k: 2 * k)(shape.lanes * shape.limbs)
        assert count * written <= len(arrays[0]), f"{kernel} writes beyond what was allocated"
        getattr(host_library(shape), kernel)(
            ctypes.c_longlong(count),
            *(ctypes.c_longlong(a) if isinstance(a, int) else ctypes.c_void_p(a.ctypes.data) for a in arrays),
        )
