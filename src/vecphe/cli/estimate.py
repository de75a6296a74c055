"""What `vecphe estimate` prints."""

from __future__ import annotations

from vecphe.bench.estimate import Estimate
from vecphe.bench.tables import duration, size
from vecphe.system.plurals import counted

__all__ = ["print_plan"]


def print_plan(estimate: Estimate) -> None:
    """Print an estimate as text, one figure a line."""
    e, plan = estimate, estimate.plan
    kind = f"{counted(plan.slots, 'value')} a ciphertext" if plan.packed else "one value a ciphertext"
    values, cores = counted(plan.values, "value"), counted(plan.cores, "core")
    print(f"{counted(plan.clients, 'client')}, {values} each, {plan.key_length}-bit key, {cores} a party")
    print(f"engine {e.costs.engine}, calibrated on one core; {kind}, {counted(e.ciphertexts, 'ciphertext')} a vector")
    lines = [
        ("set-up, once a key", duration(e.setup), "key pair and tables; primes are found by chance"),
        ("encrypt", duration(e.encrypt), "one vector"),
        ("add", duration(e.add), "one vector"),
        ("decrypt", duration(e.decrypt), "the sum"),
        ("round on one machine", duration(e.round), "all parties one after the other"),
        ("hop", duration(e.hop), f"check, add, store, and {plan.bandwidth:g} Mbit/s"),
        ("round in a ring", duration(e.latency), "every party on a machine of its own"),
        ("bytes a hop", size(e.bytes_per_hop), ""),
        ("bytes in all", size(e.bytes_total), "with the mean, sent to everyone"),
        ("memory of a party", size(e.memory), f"tables {size(e.costs.table_bytes)}, three encrypted vectors"),
    ]
    for name, figure, note in lines:
        print(f"{name:<21} {figure:>10}  {note}".rstrip())
