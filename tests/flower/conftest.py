"""HPKE is in cryptography from version 47 on; with less there is no vecphe.flower, and nothing of it to test."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

if importlib.util.find_spec("cryptography.hazmat.primitives.hpke") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from tests.flower.relays import Deployment, deploy

    @pytest.fixture(params=["ring", "star"])
    def deployment(request: pytest.FixtureRequest, tmp_path: Path, keypair: tuple) -> Deployment:
        return deploy(tmp_path, keypair[1], request.param)

    @pytest.fixture
    def ring(tmp_path: Path, keypair: tuple) -> Deployment:
        return deploy(tmp_path, keypair[1], "ring")

    @pytest.fixture
    def star(tmp_path: Path, keypair: tuple) -> Deployment:
        return deploy(tmp_path, keypair[1], "star")
