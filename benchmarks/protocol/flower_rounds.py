"""Rounds over Flower's simulation on this machine: plain FedAvg, Flower's SecAgg+, vecphe star and vecphe ring.

python -m benchmarks.protocol.flower_rounds [--values 1000,100000] [--clients 3,5] [--modes ...] [--save FILE]

It needs Flower (`make flower-environment`, then build/flower/bin/python) and takes minutes: each case starts a
SuperLink and its simulation. Seconds are medians of rounds after the first; cryptography is what the parties took, all
together.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.saved import parser_with_save, provenance, show_and_save, table
from vecphe.flower.parties import make_run
from vecphe.flower.settings import SIMULATION
from vecphe.flower.simulation import environment, free_port, run_app, superlink
from vecphe.keys import PrivateKey, generate_keypair

ROOT = Path(__file__).resolve().parents[2]
# Slots of 32 bits for up to 255 clients: 20 fraction bits, magnitudes up to 8. The defaults have 64.
SLOTS = {"32": "vecphe-fraction-bits=20 vecphe-clip=8.0", "64": "vecphe-fraction-bits=40 vecphe-clip=16384.0"}
PYPROJECT = """\
[project]
name = "bench-app"
version = "1.0.0"
description = "Averages in four ways"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "vecphe"

[tool.flwr.app.components]
serverapp = "bench_app.server:app"
clientapp = "bench_app.client:app"

[tool.flwr.app.config]
length = 1
num-server-rounds = 1
nodes = 1
vecphe = ""
vecphe-fraction-bits = 20
vecphe-clip = 8.0
"""
MODES = ("fedavg", "secagg", "star", "star-64", "ring", "ring-64")


def case(mode: str, length: int, clients: int, rounds: int, key: PrivateKey) -> list[dict[str, Any]]:
    """What every round took."""
    kind, _, slots = mode.partition("-")
    with tempfile.TemporaryDirectory(prefix="vecphe-flower-bench-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        nodes = clients
        if kind in ("ring", "star"):
            nodes = len(make_run(home, key, kind, [f"Hospital {i}" for i in range(1, clients + 1)])[1])
        more = {SIMULATION: str(home), "VECPHE_FLOWER_BENCH": kind, "PYTHONPATH": str(ROOT)}
        config = f"length={length} num-server-rounds={rounds} nodes={nodes}"
        if kind in ("ring", "star"):
            config += f" {SLOTS[slots or '32']}"
        return run(home, environment(home / "flwr", **more), config, nodes)


def run(home: Path, env: dict[str, str], config: str, nodes: int) -> list[dict[str, Any]]:
    app, port, lines = written(home / "app"), free_port(), list[str]()
    (home / "flwr").mkdir()
    connection = f'[superlink]\ndefault = "bench"\n[superlink.bench]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'
    (home / "flwr" / "config.toml").write_text(connection)
    with superlink(home / "flwr", env, "--insecure", "--simulation", port=port):
        used = min(nodes, os.cpu_count() or 1)
        cpus = f"num-supernodes={nodes} client-resources-num-cpus=1 init-args-num-cpus={used}"
        run_app(app, "bench", env, "--run-config", config, "--federation-config", cpus, on_line=lines.append)
    found = [json.loads(line.split("BENCH ", 1)[1]) for line in lines if "BENCH {" in line]
    if not found:
        raise RuntimeError("no round was measured: " + "\n".join(lines[-25:]))
    return found


def written(app: Path) -> Path:
    """A bundle that calls `benchmarks.protocol.flower_apps`."""
    (app / "bench_app").mkdir(parents=True)
    (app / "pyproject.toml").write_text(PYPROJECT)
    (app / "bench_app" / "__init__.py").touch()
    for side in ("server", "client"):
        text = f'from benchmarks.protocol.flower_apps import {side}_app as app\n\n__all__ = ["app"]\n'
        (app / "bench_app" / f"{side}.py").write_text(text)
    return app


def measured(length: int, clients: int, mode: str, rounds: int) -> dict[str, Any]:
    """Medians of the rounds of one case after the first."""
    _, key = generate_keypair(2048)  # one a case: a run destroys its key
    found = case(mode, length, clients, rounds, key)
    later = found[1:] or found
    crypto = [entry["cryptography"] for entry in later if entry["cryptography"] is not None]
    row = {
        "mode": mode,
        "values": length,
        "clients": clients,
        "seconds": statistics.median(entry["seconds"] for entry in later),
        "cryptography": statistics.median(crypto) if crypto else None,
        "bytes_per_client": statistics.median(entry["up"] for entry in later) / clients,
    }
    print(row, flush=True)
    return row


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    lengths, clients = (map(int, text.split(",")) for text in (arguments.values, arguments.clients))
    cases = itertools.product(lengths, clients, arguments.modes.split(","))
    return {
        "rounds": arguments.rounds,
        "key_length": 2048,
        "rows": [measured(*each, arguments.rounds) for each in cases],
    }


def cell(row: dict[str, Any] | None) -> str:
    """Seconds, those of all parties' cryptography, and bytes sent a client beside those of 32-bit floats."""
    if row is None:
        return ""
    crypto = "" if row["cryptography"] is None else f" ({row['cryptography']:.2f} s)"
    return f"{row['seconds']:.2f} s{crypto}, {row['bytes_per_client'] / (4 * row['values']):.2f} x"


def as_table(content: dict[str, Any]) -> list[str]:
    """Markdown lines of a saved run: a line a size, a column a way."""
    found = {(row["values"], row["clients"], row["mode"]): row for row in content["rows"]}
    modes = list(dict.fromkeys(mode for *_, mode in found))
    lines = [
        [f"{values:,}", str(clients), *(cell(found.get((values, clients, mode))) for mode in modes)]
        for values, clients in dict.fromkeys((values, clients) for values, clients, _ in found)
    ]
    lead = provenance(content, "python -m benchmarks.protocol.flower_rounds")
    return [lead, "", *table(["values", "clients", *modes], *lines)]


if __name__ == "__main__":
    parser = parser_with_save(__doc__)
    parser.add_argument("--values", default="1000,100000,1000000")
    parser.add_argument("--clients", default="3,5,10")
    parser.add_argument(
        "--modes", default=",".join(MODES), help="ring and star have 32-bit slots, ring-64 the defaults'"
    )
    parser.add_argument("--rounds", type=int, default=4)
    show_and_save("flower-rounds", parser, measure, as_table)
