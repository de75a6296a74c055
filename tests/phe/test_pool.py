"""Every randomizer is used once: by one caller, in one thread, in one process."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.phe.conftest import Sides

import vecphe
import vecphe.phe
from vecphe.numbers.context import KeyContext
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.phe.pool import RandomizerPool
from vecphe.randomness.randomizers import RandomizerSource
from vecphe.system import forks


@pytest.fixture
def source(djn_sides: Sides) -> RandomizerSource:
    return RandomizerSource(KeyContext.on(PublicNumbers(djn_sides.public.n)))


def stored(source: RandomizerSource, batches: list[Any]) -> list[int]:
    return [value for batch in batches for value in source.context.ring.store(batch)]


def test_it_hands_out_what_was_drawn_once_each(source: RandomizerSource, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    draw = source.draw

    def recorded(count: int) -> Any:
        drawn.append(draw(count))
        return drawn[-1]

    monkeypatch.setattr(source, "draw", recorded)
    taken = RandomizerPool(source)
    values = stored(source, [taken.take() for _ in range(200)])
    counts = [source.context.ring.size(batch) for batch in drawn]
    assert counts == [1, 1, 8, 10, 20, 40, 64, 64]
    assert len(set(values)) == 200
    # In order, all but the 8 still in the pool.
    assert values == stored(source, drawn)[:200]


def test_threads_get_different_ones(source: RandomizerSource) -> None:
    shared = RandomizerPool(source)
    with ThreadPoolExecutor(8) as workers:
        batches = list(workers.map(lambda _: [shared.take() for _ in range(50)], range(8)))
    values = stored(source, [residue for batch in batches for residue in batch])
    assert len(values) == len(set(values)) == 400


def test_h57_a_child_uses_none_of_its_parents(djn_sides: Sides) -> None:
    key = vecphe.phe.PaillierPublicKey(djn_sides.public.n)
    for _ in range(3):
        key.encrypt(0)
    assert len(key._pool._ready) == 7
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with os.fdopen(write, "w") as pipe:
            pipe.write("\n".join(str(key.encrypt(0).ciphertext()) for _ in range(7)))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        theirs = [int(line) for line in pipe]
    assert os.waitpid(child, 0)[1] == 0
    mine = [key.encrypt(0).ciphertext() for _ in range(7)]
    assert len(theirs) == 7
    assert len({*mine, *theirs}) == 14  # encryptions of 0 are the bare randomizers
    assert forks.generation() == 0


def test_every_way_to_encrypt_is_random(djn_sides: Sides) -> None:
    public = djn_sides.public
    number = public.encrypt(0, r_value=1)
    assert number.ciphertext(be_secure=False) == 1
    assert number.ciphertext() != 1
    seen = {public.encrypt(0).ciphertext() for _ in range(20)} | {public.raw_encrypt(0) for _ in range(20)}
    for _ in range(20):
        number.obfuscate()
        seen.add(number.ciphertext())
    for _ in range(20):
        seen.add((public.encrypt(0) * 0).ciphertext())
    assert len(seen) == 80
    assert 1 not in seen
    assert {djn_sides.private.raw_decrypt(value) for value in seen} == {0}


@pytest.mark.parametrize(("n_length", "scheme"), [(512, "textbook"), (1022, "textbook"), (1024, "djn")])
def test_short_keys_have_textbook_randomizers(n_length: int, scheme: str) -> None:
    public, _ = vecphe.phe.generate_paillier_keypair(n_length=n_length)
    assert public._key.randomizers == scheme
    assert public._pool._source is public._key._source
