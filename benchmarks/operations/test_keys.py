"""Making keys and their tables."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import pytest

import vecphe
from benchmarks.common import slow_but
from vecphe import PublicKey
from vecphe.bench import workloads
from vecphe.randomness.randomizers import RandomizerSource


@pytest.mark.filterwarnings("ignore::vecphe.errors.InsecureKeyWarning")
def test_generate_keypair(benchmark: Any, engine: str, key_length: int) -> None:
    public_key, private_key = benchmark(vecphe.generate_keypair, key_length, insecure=True)
    assert public_key.n.bit_length() == key_length
    value = float(secrets.randbelow(1 << 20))
    assert private_key.decrypt(public_key.encrypt(value)) == value


@pytest.mark.parametrize("count", slow_but(256, 1 << 20))
def test_tables(benchmark: Any, engine: str, key_length: int, count: int) -> None:
    """What so many encryptions to come pay for; ``table_bytes`` goes into the record."""
    context = workloads.keypair(key_length, engine)[0]._context

    def prepare() -> RandomizerSource:
        source = RandomizerSource(context, "djn")
        source.prepare(count)
        return source

    source = benchmark(prepare)
    assert source.table_bytes > 0
    benchmark.extra_info["table_bytes"] = source.table_bytes
    key = PublicKey._from_numbers(context.numbers, engine=engine)
    key._source = source
    private_key = workloads.keypair(key_length, engine)[1]
    assert np.array_equal(private_key.decrypt(key.encrypt([1.5, -2.0])), [1.5, -2.0])
