"""What a benchmark says of its machine, also where the system tells little."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
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


def test_a_size_is_the_first_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_proc_fields", lambda file: {"A": "12 34 kB"} if file == "self/status" else {})
    assert proc_bytes("self/status", "A") == 12 * 1024
    assert proc_bytes("meminfo", "A") is None


@pytest.mark.parametrize(("cores", "told"), [(7, 7), (None, 1)])
def test_cores_are_counted_where_they_can_be(monkeypatch: pytest.MonkeyPatch, cores: int | None, told: int) -> None:
    monkeypatch.setattr(environment.os, "cpu_count", lambda: cores)
    assert environment.Environment.current("gmp").cores == told
    assert f", {told} core" in environment.machine_line("gmp")


@pytest.mark.parametrize("name", ["gmp", None])
@pytest.mark.parametrize("before", ["portable", None])
def test_an_engine_is_the_default_for_a_while(
    monkeypatch: pytest.MonkeyPatch, name: str | None, before: str | None
) -> None:
    if before is None:
        monkeypatch.delenv("VECPHE_ENGINE", raising=False)
    else:
        monkeypatch.setenv("VECPHE_ENGINE", before)
    with suppress(KeyError), environment.use_engine(name):
        assert os.environ.get("VECPHE_ENGINE") == (name or before)
        raise KeyError
    assert os.environ.get("VECPHE_ENGINE") == before


LOST = "THE FAST ENGINE DID NOT RUN: all figures are of engine {!r}; {}"


@pytest.mark.parametrize(
    ("asked", "used", "raced", "said"),
    [
        (None, "a", {}, None),
        (None, "gmp", {}, LOST.format("gmp", "b: why not b")),
        (None, "portable", {}, LOST.format("portable", "b: why not b")),
        ("gmp", "gmp", {}, None),
        ("gmp", "portable", {}, LOST.format("portable", "b: why not b")),
        (None, None, {}, LOST.format("gmp", "b: why not b")),
        (None, None, {"b": 1.0}, None),  # which has won the race
        (None, "gmp", {"b": 1.0}, None),
        (None, "portable", {"b": 1.0}, LOST.format("portable", "b: why not b")),
    ],
)
def test_a_slow_engine_is_told_unless_it_was_asked_for_or_is_the_faster_one(
    monkeypatch: pytest.MonkeyPatch, asked: str | None, used: str | None, raced: Any, said: str | None
) -> None:
    engines = [("a", "the CPU is too old"), ("b", None), ("c", None), ("gmp", None), ("portable", None)]
    reasons = {"portable": "slow", "a": "the CPU is too old", "b": "why not b", "c": "why not c"}
    monkeypatch.setattr(environment, "available_engines", lambda: engines)
    monkeypatch.setattr(environment, "why_not_used", lambda: reasons)
    monkeypatch.setattr(environment, "race_result", lambda: raced)
    monkeypatch.setattr(environment, "active_engine", lambda: SimpleNamespace(name="gmp"))
    assert engine_warning(asked, used) == said


def test_memory_is_given_back_and_the_mark_set_anew_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    libc = SimpleNamespace(malloc_trim=lambda pad: done.append(("trim", pad)))
    monkeypatch.setattr(environment.ctypes, "CDLL", lambda name: done.append(name) or libc)
    monkeypatch.setattr(Path, "write_text", lambda path, text: done.append((str(path), text)) or 1)
    monkeypatch.setattr(environment, "proc_bytes", lambda file, name: done.append((file, name)) or 5)
    with_peak_memory(lambda: done.append("work"))
    assert done == [
        None,
        ("trim", 0),
        ("/proc/self/clear_refs", "5"),
        ("self/status", "VmRSS"),
        "work",
        ("self/status", "VmHWM"),
    ]


def test_where_nothing_can_be_given_back_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (AttributeError, OSError):

        def refuse(name: Any, error: type[Exception] = error) -> Any:
            raise error

        monkeypatch.setattr(environment.ctypes, "CDLL", refuse)
        assert with_peak_memory(lambda: 5)[0] == 5
