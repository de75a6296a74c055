"""What `vecphe info` tells."""

from __future__ import annotations

import json
import platform
from typing import Any

import joblib
from joblib.parallel import get_active_backend

from vecphe import __version__
from vecphe.arithmetic import active_engine, available_engines, race_result, why_not_used
from vecphe.arithmetic.race import RACE_KEY_LENGTH
from vecphe.bench.environment import cpu_fields, cpu_model
from vecphe.numbers.key_numbers import DEFAULT_KEY_LENGTH
from vecphe.system.plurals import counted

__all__ = ["collect_info", "print_info", "print_json"]

_STRENGTHS = {1024: 80, 2048: 112, 3072: 128, 7680: 192}  # NIST SP 800-57 part 1, table 2
_FEATURES = ("avx2", "fma", "bmi2", "adx", "avx512f", "avx512dq", "avx512vl", "avx512ifma", "avx_ifma")


def _cpu_features() -> list[str]:
    """Arithmetic features, as the kernel of Linux tells them; elsewhere none are known."""
    flags = cpu_fields().get("flags", "").split()
    return [feature for feature in _FEATURES if feature in flags]


def collect_info() -> dict[str, Any]:
    """Facts about this installation and machine, ready for JSON."""
    engine = active_engine()
    backend, n_jobs = get_active_backend()
    return {
        "version": __version__,
        "python": platform.python_version(),
        "engine": engine.name,
        "engine_details": engine.describe(),
        "engines": [{"name": name, "available": why is None, "why_not": why} for name, why in available_engines()],
        "why_not_used": why_not_used(),
        "race": {"key_length": RACE_KEY_LENGTH, "seconds_per_product": race_result()},
        "cpu": {"model": cpu_model(), "features": _cpu_features(), "cores": joblib.cpu_count()},
        "joblib": {
            "version": joblib.__version__,
            "backend": type(backend).__name__,
            "n_jobs": n_jobs,
            "workers": engine.tuning.workers,
        },
        "key_length": {"default": DEFAULT_KEY_LENGTH, "strength_bits": {str(k): v for k, v in _STRENGTHS.items()}},
    }


def print_json(facts: dict[str, Any]) -> None:
    """Print the facts as JSON."""
    print(json.dumps(facts, indent=2))


def print_info(facts: dict[str, Any]) -> None:
    """Print the facts as text, one a line."""
    print(f"vecphe {facts['version']}, Python {facts['python']}")
    print(f"engine: {facts['engine']}")
    print(f"engine details: {', '.join(f'{k} {v}' for k, v in facts['engine_details'].items())}")
    for name, reason in facts["why_not_used"].items():
        print(f"engine {name}: not used, {reason}")
    if seconds := facts["race"]["seconds_per_product"]:
        times = ", ".join(f"{name} {1e6 * each:.3g} us" for name, each in seconds.items())
        print(f"race of engines: {times} a product at {facts['race']['key_length']} bits; the faster one computes")
    cpu, jobs = facts["cpu"], facts["joblib"]
    print(
        f"cpu: {cpu['model']}, {counted(cpu['cores'], 'core')}, features: {' '.join(cpu['features']) or 'none known'}"
    )
    print(f"joblib: {jobs['version']}, {jobs['backend']}, n_jobs {jobs['n_jobs']}; the engine wants {jobs['workers']}")
    for bits, strength in facts["key_length"]["strength_bits"].items():
        length = int(bits)
        note = " (insecure)" if length < 2048 else " (default)" if length == facts["key_length"]["default"] else ""
        print(f"key of {bits} bits: strength {strength} bits{note}")
