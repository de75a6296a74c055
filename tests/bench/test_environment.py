"""What a benchmark says of its machine, also where the system tells little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vecphe.bench import environment
from vecphe.bench.environment import engine_warning, proc_bytes, with_peak_memory


def test_a_system_without_proc_tells_nothing() -> None:
    assert environment._proc_fields("no/such/file") == {}
    assert proc_bytes("no/such/file", "VmRSS") is None


def test_sizes_are_told_in_kilobytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_proc_fields", lambda file: {"A": "12 kB"})
    assert proc_bytes("status", "A") == 12 * 1024
    assert proc_bytes("status", "B") is None


def test_the_last_of_equal_names_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cpuinfo"
    file.write_bytes(b"a : 1\nb:2:3\n\na: 4 \nodd\xff\n")
    monkeypatch.setattr(environment, "Path", lambda *parts: file)
    assert environment._proc_fields("cpuinfo") == {"a": "4", "b": "2:3", "": "", "odd\ufffd": ""}


def test_a_key_too_long_for_the_kernel_is_the_last_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "available_engines", lambda: [("fma512", None), ("gmp", None), ("portable", None)])
    monkeypatch.setattr(
        environment, "why_not_used", lambda: {"gmp": "fma512 is faster", "portable": "fma512 is faster"}
    )
    assert engine_warning(None, "gmp") == (
        "THE FAST ENGINE DID NOT RUN: figures are of engine 'gmp'; the key is too long for the native kernel"
    )
    assert engine_warning(None, "fma512") is None
    assert engine_warning("gmp", "gmp") is None
    assert engine_warning("fma512", "gmp") is not None


@pytest.mark.parametrize("missing", ["clear_refs", "VmRSS", "VmHWM"])
def test_without_the_peak_the_work_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    def refuse(*_: Any) -> int:
        raise OSError("read-only file system")

    sizes = {"VmRSS": 100, "VmHWM": 170}
    monkeypatch.setattr(environment, "proc_bytes", lambda file, name: None if name == missing else sizes[name])
    monkeypatch.setattr(Path, "write_text", refuse if missing == "clear_refs" else lambda *_: 1)
    assert with_peak_memory(lambda: 5) == (5, None)


@pytest.mark.parametrize(("peak", "more"), [(170, 70), (90, 0)])
def test_the_peak_is_what_came_on_top(monkeypatch: pytest.MonkeyPatch, peak: int, more: int) -> None:
    sizes = {"VmRSS": 100, "VmHWM": peak}
    monkeypatch.setattr(environment, "proc_bytes", lambda file, name: sizes[name])
    monkeypatch.setattr(Path, "write_text", lambda *_: 1)
    assert with_peak_memory(lambda: 5) == (5, more)


def test_the_cpu_is_named_by_whoever_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"model name": "Test CPU"}
    monkeypatch.setattr(environment, "_proc_fields", lambda file: known if file == "cpuinfo" else {})
    monkeypatch.setattr(environment.platform, "processor", lambda: "by platform")
    monkeypatch.setattr(environment.platform, "machine", lambda: "z80")
    assert environment.cpu_model() == "Test CPU"
    known.clear()
    assert environment.cpu_model() == "by platform"
    monkeypatch.setattr(environment.platform, "processor", lambda: "")
    assert environment.cpu_model() == "z80"
    monkeypatch.setattr(environment.platform, "machine", lambda: "")
    assert environment.cpu_model() == "unknown"


def test_the_environment_and_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "cpu_model", lambda: "Test CPU")
    monkeypatch.setattr(environment.os, "cpu_count", lambda: None)
    monkeypatch.setattr(environment.platform, "system", lambda: "Linux")
    monkeypatch.setattr(environment.platform, "machine", lambda: "z80")
    here = environment.Environment.current("gmp")
    assert (here.cpu, here.cores, here.system, here.engine) == ("Test CPU", 1, "Linux z80", "gmp")
    assert here.target == environment.engine_named("gmp").describe()["target"]
    assert set(here.versions) == {"vecphe", "python", "numpy", "gmpy2", "phe"}
    assert environment.Environment.current().engine == environment.active_engine().name
    monkeypatch.setattr(environment, "_PACKAGES", ("numpy", "no-such-package"))
    assert set(environment._versions()) == {"vecphe", "python", "numpy"}
    monkeypatch.setattr(environment.platform, "python_version", lambda: "3.99")
    assert environment.machine_line("gmp") == "engine gmp, CPU Test CPU, 1 core, Python 3.99"
    assert environment.machine_line().startswith(f"engine {environment.active_engine().name}, ")
