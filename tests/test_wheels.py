"""What is built for those who have no compiler."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.test_lock import MAKEFILE, PROJECT, PYTHONS

ROOT = Path(__file__).resolve().parents[1]


def build(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build a wheel where no compiler works."""
    options = ["--no-build-isolation", "--no-deps", "--no-index", f"--wheel-dir={folder}"]
    command = [sys.executable, "-m", "pip", "wheel", *options, f"--config-settings=build-dir={folder}/build", str(ROOT)]
    without = {name: text for name, text in os.environ.items() if name != "VECPHE_REQUIRE_NATIVE"}
    return subprocess.run(
        command, env=without | {"CC": "false", "CXX": "false"} | environment, capture_output=True, text=True
    )


@pytest.mark.slow
def test_a_wheel_without_the_kernel_suits_every_python(tmp_path: Path) -> None:
    assert build(tmp_path).returncode == 0
    assert [wheel.name for wheel in tmp_path.glob("*.whl")] == ["vecphe-0.1.0-py3-none-any.whl"]


@pytest.mark.slow
def test_no_wheel_without_the_kernel_where_it_is_required(tmp_path: Path) -> None:
    assert build(tmp_path, VECPHE_REQUIRE_NATIVE="1").returncode != 0
    assert list(tmp_path.glob("*.whl")) == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout")
def test_the_sdist_holds_the_sources_and_nothing_that_lies_around(tmp_path: Path) -> None:
    backend = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", backend, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        found = {name.partition("/")[2] for name in sdist.getnames()}
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    sources = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    assert found == {name for name in sources if (ROOT / name).is_file()} | {"PKG-INFO"}


def test_wheels_are_built_and_tested_for_every_python() -> None:
    released = PROJECT["tool"]["cibuildwheel"]["build"].split()
    here = re.search(r"^PYTHON_VERSIONS \?= (.*)$", MAKEFILE, re.MULTILINE)[1].split()  # type: ignore[index]
    assert set(PYTHONS) <= set(here)
    assert [f"cp{python.replace('.', '')}-*" for python in here] == released
