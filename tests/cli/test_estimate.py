"""What `vecphe estimate` prints, line by line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vecphe.cli.estimate import print_plan


def estimate(**plan: Any) -> Any:
    facts = {
        "clients": 3,
        "values": 100,
        "slots": 45,
        "key_length": 2048,
        "cores": 2,
        "packed": True,
        "bandwidth": 12.5,
    }
    return SimpleNamespace(
        plan=SimpleNamespace(**{**facts, **plan}), costs=SimpleNamespace(engine="gmp", table_bytes=3 << 20),
        ciphertexts=3, setup=1.5, encrypt=0.25, add=1e-3, decrypt=0.125, round=2.0, hop=0.5, latency=4.0,
        bytes_per_hop=2048, bytes_total=3 << 20, memory=5 << 30,
    )  # fmt: skip


def test_figures_stand_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_plan(estimate())
    assert capsys.readouterr().out == TEXT


TEXT = """\
3 clients, 100 values each, 2048-bit key, 2 cores a party
engine gmp, calibrated on one core; 45 values a ciphertext, 3 ciphertexts a vector
set-up, once a key         1.5 s  key pair and tables; primes are found by chance
encrypt                   250 ms  one vector
add                         1 ms  one vector
decrypt                   125 ms  the sum
round on one machine         2 s  all parties one after the other
hop                       500 ms  check, add, store, and 12.5 Mbit/s
round in a ring              4 s  every party on a machine of its own
bytes a hop                2 KiB
bytes in all               3 MiB  with the mean, sent to everyone
memory of a party          5 GiB  tables 3 MiB, three encrypted vectors
"""


def test_one_of_a_kind_is_no_plural(capsys: pytest.CaptureFixture[str]) -> None:
    one = estimate(clients=1, values=1, cores=1, slots=1)
    one.ciphertexts = 1
    for packed, kind in ((True, "1 value a ciphertext"), (False, "one value a ciphertext")):
        one.plan.packed = packed
        print_plan(one)
        assert capsys.readouterr().out.splitlines()[:2] == [
            "1 client, 1 value each, 2048-bit key, 1 core a party",
            f"engine gmp, calibrated on one core; {kind}, 1 ciphertext a vector",
        ]
