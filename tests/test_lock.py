"""The lock of what `make` installs: complete, and true to pyproject.toml."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
LOCK, CLUSTER_LOCK, DOCS_LOCK, FLOWER_LOCK = (
    (ROOT / f"requirements{name}.lock").read_text(encoding="utf-8") for name in ("", "-cluster", "-docs", "-flower")
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = [
    name.rpartition(" ")[2]
    for name in PROJECT["project"]["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", name)
]
ENTRY = re.compile(r"^(\S+?)==(\S+)(?: ; (.+?))? \\\n((?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def locked(python: str, lock: str = LOCK) -> dict[str, str]:
    """Version by name."""
    found: dict[str, str] = {}
    environment = {"python_version": python, "python_full_version": f"{python}.9"}
    for name, version, marker, _ in ENTRY.findall(lock):
        if not marker or Requirement(f"{name} ; {marker}").marker.evaluate(environment):  # type: ignore[union-attr]
            assert name not in found, "two versions for one Python"
            found[name] = version
    return found


def asked_for(extras: tuple[str, ...] = ("dev", "bench", "build", "data", "test")) -> list[Requirement]:
    project: dict[str, Any] = PROJECT["project"]
    texts = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    texts += [text for extra in extras for text in project["optional-dependencies"][extra]]
    return [requirement for requirement in map(Requirement, texts) if requirement.name != project["name"]]


def test_the_pythons_are_those_that_the_project_names() -> None:
    assert PYTHONS[0] == PROJECT["project"]["requires-python"].removeprefix(">=")
    assert len(PYTHONS) >= 4


@pytest.mark.parametrize("python", PYTHONS)
def test_all_that_the_project_asks_for_is_locked(python: str) -> None:
    check_locked(asked_for(), locked(python))


def check_locked(requirements: list[Requirement], versions: dict[str, str]) -> None:
    for requirement in requirements:
        assert requirement.name in versions, f"{requirement} is not locked: make lock"
        assert SpecifierSet(str(requirement.specifier)).contains(versions[requirement.name]), "make lock"


@pytest.mark.parametrize("python", PYTHONS)
def test_what_clusters_need_has_a_lock_of_its_own(python: str) -> None:
    check_locked(asked_for(("dask", "ray", "build", "test")), locked(python, CLUSTER_LOCK))
    assert not {"dask", "distributed", "ray"} & locked(python).keys()


@pytest.mark.parametrize("python", PYTHONS[1:])  # Flower wants 3.11
def test_so_has_what_flower_needs(python: str) -> None:
    check_locked(asked_for(("flower", "build", "test")), locked(python, FLOWER_LOCK))
    assert not {"flwr", "ray"} & locked(python).keys()


def test_ray_may_be_the_one_that_federated_simulations_want() -> None:
    (ray,) = asked_for(("ray",))[-1:]
    assert ray.name == "ray"
    assert ray.specifier.contains("2.55.1")


@pytest.mark.parametrize("python", PYTHONS[1:])
def test_what_builds_the_site_is_locked_and_changes_nothing_that_is_installed(python: str) -> None:
    versions, others = locked(python, DOCS_LOCK), locked(python)
    check_locked(asked_for(("docs",)), versions | others)
    shared = versions.keys() & others.keys()
    assert len(shared) > 10
    assert {name: versions[name] for name in shared} == {name: others[name] for name in shared}


@pytest.mark.parametrize(
    ("lock", "least"),
    [(LOCK, 50), (CLUSTER_LOCK, 50), (DOCS_LOCK, 40), (FLOWER_LOCK, 50)],
    ids=["main", "cluster", "docs", "flower"],
)
def test_the_lock_names_versions_and_hashes_and_no_address(lock: str, least: int) -> None:
    entries = "".join(match.group() for match in ENTRY.finditer(lock))
    rest = lock.replace(entries, "")
    assert entries.count("==") > least
    assert [line for line in rest.splitlines() if not line.startswith("#")] == []
    assert "://" not in lock
    assert "index" not in rest


MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
NEWEST = (ROOT / ".github" / "workflows" / "latest.yml").read_text(encoding="utf-8")


def test_h83_the_newest_packages_are_tried_every_week_on_every_python() -> None:
    assert re.search(r'^on:\n  schedule:\n    - cron: "\d+ \d+ \* \* [0-6]"\n', NEWEST, re.MULTILINE)
    assert re.search(r"python-version: \[(.+)\]", NEWEST)[1] == ", ".join(f'"{python}"' for python in PYTHONS)  # type: ignore[index]
    steps = [line for line in NEWEST.splitlines() if "run: make" in line]
    assert steps == ["      - run: make test lint LATEST=1 PYTHON=python"]
    assert "continue-on-error" not in NEWEST


def test_h83_what_is_newest_is_installed_without_the_lock() -> None:
    asked = re.search(r"^ifdef LATEST\n(.*?)^else\n(.*?)^endif", MAKEFILE, re.MULTILINE | re.DOTALL)
    assert asked is not None
    newest, usual = asked.groups()
    assert newest.count("\n") == 1
    assert newest.endswith(',$(INSTALL) --editable ".[dev]")\n')
    assert "--require-hashes --requirement $(LOCK)" in usual


def test_h83_a_warning_of_a_dependency_fails_a_test() -> None:
    assert PROJECT["tool"]["pytest"]["ini_options"]["filterwarnings"][0] == "error"
