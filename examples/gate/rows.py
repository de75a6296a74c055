"""What the gate holds: each function is a row. `vecphe bench check baseline.json --rows rows.py` runs this file."""

from __future__ import annotations

from functools import cache

import numpy as np
from totals import add_up, read_amounts

from vecphe import PrivateKey, PublicKey, generate_keypair
from vecphe.arithmetic import active_engine
from vecphe.bench.counts import counting


@cache
def _keys(engine: str) -> tuple[PublicKey, PrivateKey]:
    return generate_keypair(2048)


def add_up_columns():
    """Work with vecphe against a power by Python itself; what the engine does is counted, and has to stay the same."""
    public_key, private_key = _keys(active_engine().name)
    values = np.arange(12.0)
    columns = [public_key.encrypt(values, packed=True) for _ in range(21)]
    with counting(active_engine()) as counts:
        total = add_up(columns)
    assert private_key.decrypt(total).tolist() == (21 * values).tolist()
    counts["ciphertexts"] = total.n_ciphertexts
    modulus = 7**1459  # 4096 bits that are no key's: a reference does the same in every run
    return lambda: add_up(columns), lambda: pow(3, 1 << 32, modulus), counts


def read_many_amounts():
    """Work without vecphe, and no counts."""
    text = "\n".join(f"{i}.{i % 90 + 10}" for i in range(1000))
    assert read_amounts(text)[:2] == [10, 111]
    return lambda: read_amounts(text), lambda: [float(line) for line in text.splitlines()]
