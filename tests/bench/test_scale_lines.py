"""The lines on large arrays and many clients, on a few values: what each is held against, and what is missing."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks import clusters, scale, targets

from vecphe.arithmetic import active_engine


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"VALUES": 2000, "MAPPED": 3000, "ROWS": 640, "PAIRS": 1, "CLIENTS": (3, 4)}.items():
        monkeypatch.setattr(scale, name, value)


def test_every_target_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [((4.0, 3.0), (2.0, 1.0))]  # seconds of this process and of the workers, by the clock and by the CPUs
    monkeypatch.setattr(clusters, "rounds", lambda kind, values, count: sides)
    monkeypatch.setattr(scale, "ahead", lambda: iter([scale.skipped("ahead", "ahead", "measured elsewhere")]))
    monkeypatch.setitem(sys.modules, "distributed", math)
    monkeypatch.setitem(sys.modules, "ray", math)
    found = {figure.key: figure for figure in scale.scale()}
    wanted = {
        "large": ("%", 92, False),
        "large-jobs": ("x", 1.75, False),
        "grouped": ("x", 0.9, False),
        "streamed": ("MB", 300, True),
        "encode-and-pack": ("us", 0.08, True),
        "unpack-and-decode": ("us", 0.08, True),
        "dask": ("x", 1.5, False),
        "ray": ("x", 1.4, False),
        "loky": ("x", None, False),
        "threading": ("x", None, False),
        "clients-3": ("ms", None, False),
        "clients-4": ("ms", None, False),
    }
    for key, facts in wanted.items():
        assert (found[key].unit, found[key].target, found[key].at_most) == facts
        assert found[key].value > 0
    assert found["dask"].value == 2.0
    assert "3 x by CPU time" in found["ray"].detail
    vector = active_engine().name in ("ifma", "fma512", "fma256")
    assert found["grouped-phe"].target == (10 if vector else None)
    assert {"ahead", "ckks-8192", "ckks-4096"} <= found.keys()


def test_what_is_not_installed_is_said_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tenseal", "distributed", "ray"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(scale, "CLUSTERS", {name: scale.CLUSTERS[name] for name in ("dask", "ray")})
    figures = [*scale.ckks(), *scale.cluster()]
    assert [figure.key for figure in figures] == ["ckks-8192", "ckks-4096", "dask", "ray"]
    for figure, extra in zip(figures, ("peers", "peers", "dask", "ray"), strict=True):
        assert f"pip install 'vecphe[{extra}]'" in figure.detail
        assert "NOT MEASURED" in str(figure)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc/self/stat here")
def test_workers_are_timed_by_the_clock_and_by_their_processors() -> None:
    (((alone, own), (shared, both)),) = clusters.rounds("threading", 2000, 1)
    assert min(alone, own, shared, both) > 0
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        try:
            wall, cpu = clusters.measured(lambda: wait_for(child.pid, ticks=10))
        finally:
            child.kill()
    assert wall > 0
    assert cpu >= 10 / os.sysconf("SC_CLK_TCK") / clusters.WORKERS


def wait_for(pid: int, ticks: int) -> None:
    """Until a process has computed for so many ticks more than it had."""
    before = clusters.others().get(pid, 0)
    while clusters.others()[pid] < before + ticks:
        time.sleep(0.01)


def test_a_wrong_sum_by_groups_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecphe.group_sum", lambda c, labels, groups: c[:groups])
    with pytest.raises(AssertionError):
        list(scale.grouped())


def test_the_groups_have_names_of_their_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"scale", "grouped", "ahead", "operations"} <= targets.known_groups().keys()
    monkeypatch.setattr(sys, "argv", ["targets", "coding"])
    targets.main()
    assert "encode and pack, a value" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["targets", "none"])
    with pytest.raises(SystemExit):
        targets.main()
    assert "unknown: none; there are operations" in capsys.readouterr().err
