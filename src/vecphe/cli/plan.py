"""What `vecphe estimate` prints."""

from __future__ import annotations

import json

from vecphe.bench.estimate import Estimate

__all__ = ["print_plan", "print_plan_json"]

_DAY = 86_400
_YEAR = 365.25 * _DAY


def print_plan_json(estimate: Estimate) -> None:
    """Print an estimate as JSON: seconds and bytes."""
    print(json.dumps(estimate.as_dict(), indent=2))


def print_plan(estimate: Estimate) -> None:
    """Print an estimate as text, one figure a line."""
    e, plan = estimate, estimate.plan
    kind = f"{plan.slots} values a ciphertext" if plan.packed else "one value a ciphertext"
    print(f"{plan.clients} clients, {plan.values} values each, {plan.key_length}-bit key, {plan.cores} cores a party")
    print(f"engine {e.costs.engine}, calibrated on one core; {kind}, {e.ciphertexts} ciphertexts a vector")
    lines = [
        ("set-up, once a key", _duration(e.setup), "key pair and tables; primes are found by chance"),
        ("encrypt", _duration(e.encrypt), "one vector"),
        ("add", _duration(e.add), "one vector"),
        ("decrypt", _duration(e.decrypt), "the sum"),
        ("round on one machine", _duration(e.round), "all parties one after the other"),
        ("hop", _duration(e.hop), f"check, add, store, and {plan.bandwidth:g} Mbit/s"),
        ("round in a ring", _duration(e.latency), "every party on a machine of its own"),
        ("bytes a hop", _size(e.bytes_per_hop), ""),
        ("bytes in all", _size(e.bytes_total), "with the mean, sent to everyone"),
        ("memory of a party", _size(e.memory), f"tables {_size(e.costs.table_bytes)}, three encrypted vectors"),
    ]
    for name, figure, note in lines:
        print(f"{name:<21} {figure:>10}  {note}".rstrip())


def _duration(seconds: float) -> str:
    for limit, unit, size in ((1e-3, "us", 1e-6), (1.0, "ms", 1e-3), (120.0, "s", 1.0), (7200.0, "min", 60.0)):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    if seconds < _DAY * 2:
        return f"{seconds / 3600:.3g} h"
    return f"{seconds / _DAY:.3g} days" if seconds < 2 * _YEAR else f"{_three_digits(seconds / _YEAR)} years"


def _three_digits(number: float) -> str:
    """Three digits that count, written out: no exponent."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:g}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{_three_digits(count)} PB"
