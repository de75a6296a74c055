"""What `vecphe info` collects, of a machine that is made up."""

from __future__ import annotations

import platform
from types import SimpleNamespace
from typing import Any

import joblib
import pytest

from vecphe import __version__
from vecphe.cli import info


@pytest.mark.parametrize(
    ("fields", "features"),
    [
        ({}, []),
        ({"flags": "fpu adx avx512f avx2 avx512ifmax"}, ["avx2", "adx", "avx512f"]),
        (
            {"flags": "avx_ifma avx512ifma avx512vl avx512dq avx512f adx bmi2 fma avx2"},
            ["avx2", "fma", "bmi2", "adx", "avx512f", "avx512dq", "avx512vl", "avx512ifma", "avx_ifma"],
        ),
    ],
)
def test_facts_are_those_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], features: list[str]
) -> None:
    engine = SimpleNamespace(
        name="gmp", describe=lambda: {"target": "GMP"}, tuning=SimpleNamespace(workers="processes")
    )
    made: dict[str, Any] = {
        "active_engine": engine, "available_engines": [("ifma", "too old"), ("gmp", None)], "cpu_fields": fields,
        "why_not_used": {"ifma": "too old"}, "race_result": {"gmp": 1e-6}, "cpu_model": "Test CPU",
        "get_active_backend": (SimpleNamespace(), 3),
    }  # fmt: skip
    for name, value in made.items():
        monkeypatch.setattr(info, name, lambda value=value: value)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 5)
    assert info.collect_info() == {
        "version": __version__, "python": platform.python_version(), "engine": "gmp",
        "engine_details": {"target": "GMP"},
        "engines": [
            {"name": "ifma", "available": False, "why_not": "too old"},
            {"name": "gmp", "available": True, "why_not": None},
        ],
        "why_not_used": {"ifma": "too old"},
        "race": {"key_length": 2048, "seconds_per_product": {"gmp": 1e-6}},
        "cpu": {"model": "Test CPU", "features": features, "cores": 5},
        "joblib": {"version": joblib.__version__, "backend": "SimpleNamespace", "n_jobs": 3, "workers": "processes"},
        "key_length": {"default": 3072, "strength_bits": {"1024": 80, "2048": 112, "3072": 128, "7680": 192}},
    }  # fmt: skip
