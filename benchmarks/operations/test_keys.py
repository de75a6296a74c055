"""Making keys and their tables."""

from __future__ import annotations

from typing import Any

import pytest

import vecphe
from benchmarks.calls import Keys
from benchmarks.common import slow_but
from vecphe.randomness.randomizers import RandomizerSource


@pytest.mark.filterwarnings("ignore::vecphe.errors.InsecureKeyWarning")
def test_generate_keypair(benchmark: Any, engine: str, key_length: int) -> None:
    public_key, private_key = benchmark(vecphe.generate_keypair, key_length, insecure=True)
    assert public_key.n.bit_length() == key_length
    assert private_key.decrypt(public_key.encrypt(12345.5)) == 12345.5


@pytest.mark.parametrize("count", slow_but(256, 1 << 20))
def test_tables(benchmark: Any, keys: Keys, count: int) -> None:
    """What so many encryptions to come pay for; ``table_bytes`` goes into the record."""

    def prepare() -> RandomizerSource:
        source = RandomizerSource(keys[0]._context)
        source.prepare(count)
        return source

    source = benchmark(prepare)
    benchmark.extra_info["table_bytes"] = source.table_bytes
    assert source.table_bytes > 0
    key = keys[0].__copy__()
    key._source = source
    assert keys[1].decrypt(key.encrypt([1.5, -2.0])).tolist() == [1.5, -2.0]
