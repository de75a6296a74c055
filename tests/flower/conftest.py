"""HPKE is in cryptography from version 47 on; with less there is no vecphe.flower, and nothing of it to test."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

if importlib.util.find_spec("cryptography.hazmat.primitives.hpke") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from tests.flower.relays import Deployment, deploy

    from vecphe.flower import memory

    @pytest.fixture(autouse=True)
    def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[sqlite3.Connection]]:
        """Those to memories that a test made, closed at its end: Python 3.13 warns of each that is left open."""
        made, connect = list[sqlite3.Connection](), sqlite3.connect

        def connected(*arguments: object, **options: object) -> sqlite3.Connection:
            made.append(connect(*arguments, **options))
            return made[-1]

        monkeypatch.setattr(memory.sqlite3, "connect", connected)
        yield made
        for connection in made:
            with suppress(sqlite3.ProgrammingError):  # of another thread, which closes its own
                connection.close()

    @pytest.fixture(params=["ring", "star"])
    def deployment(request: pytest.FixtureRequest, tmp_path: Path, keypair: tuple) -> Deployment:
        return deploy(tmp_path, keypair[1], request.param)

    @pytest.fixture
    def ring(tmp_path: Path, keypair: tuple) -> Deployment:
        return deploy(tmp_path, keypair[1], "ring")

    @pytest.fixture
    def star(tmp_path: Path, keypair: tuple) -> Deployment:
        return deploy(tmp_path, keypair[1], "star")
