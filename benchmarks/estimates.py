"""Holds `vecphe estimate` against measured rounds: the prediction has to be within 25 % of each.

    python -m benchmarks.estimates [--engine NAME]

The calibration is short, the rounds are not: each takes about a second, in turn with a new calibration, and medians are
compared, so that a machine that is busy for a while is busy for both. Exit 1 if a prediction is off.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from functools import partial

from benchmarks.measure import once
from vecphe.bench.environment import machine_line, use_engine
from vecphe.bench.estimate import Plan, calibrate, estimate
from vecphe.bench.sides import Side
from vecphe.bench.workloads import gradients

WITHIN = 0.25
REPEATS = 5
ROUNDS = {  # values that take about a second
    "ifma": (Plan(5, 60_000, 2048), Plan(5, 25_000, 3072), Plan(5, 700, 2048, packed=False)),
    "gmp": (Plan(3, 12_000, 2048), Plan(3, 350, 2048, packed=False)),
}


def is_near(plan: Plan) -> bool:
    side = Side("packed" if plan.packed else "vectorized", plan.key_length, plan.clients)
    side.prepare(plan.clients, plan.values)
    run = partial(side.run, gradients(plan.clients, plan.values))
    pairs = [(estimate(plan, calibrate(plan)).round, once(run)) for _ in range(REPEATS)]
    predicted, actual = (statistics.median(times) for times in zip(*pairs, strict=True))
    error = predicted / actual - 1
    print(
        f"{plan.clients} clients, {plan.values} values, {plan.key_length} bits, {'' if plan.packed else 'un'}packed: "
        f"predicted {predicted:.3g} s, measured {actual:.3g} s, {100 * error:+.1f} %",
        flush=True,
    )
    return abs(error) <= WITHIN


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=list(ROUNDS), default="ifma")
    engine = parser.parse_args().engine
    with use_engine(engine):
        print(machine_line(), flush=True)
        within = [is_near(plan) for plan in ROUNDS[engine]]
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
