"""The data that all benchmarks share."""

from __future__ import annotations

import numpy as np
import pytest

from vecphe.arithmetic import active_engine
from vecphe.bench import workloads


def test_a_seed_decides_about_data() -> None:
    assert np.array_equal(workloads.values(100), workloads.values(100))
    assert not np.array_equal(workloads.values(100), workloads.values(100, seed=1))
    assert np.array_equal(workloads.gradients(3, 5, 7), workloads.gradients(3, 5, 7))
    assert workloads.gradients(3, 5).shape == (3, 5)


def test_every_run_of_every_version_works_on_the_same_data() -> None:
    """Times and counts of two versions say something together because of that."""

    def random(*seeds: int) -> np.random.Generator:
        return np.random.default_rng(seeds)

    for seed in (0, 5):
        assert workloads.values(9, seed).tolist() == random(seed, 0).normal(size=9).tolist()
        assert workloads.gradients(2, 3, seed).tolist() == random(seed, 1).normal(size=(2, 3)).tolist()
        factors = random(seed, 2).integers(2**31, 2**32, size=(2, 3))
        assert workloads.matrix(2, 3, seed).tolist() == factors.tolist()
        assert workloads.integers(9, 20, seed).tolist() == random(seed, 3).integers(2**19, 2**20, size=9).tolist()
    assert workloads.values(9).tolist() == workloads.values(9, 0).tolist()
    assert workloads.gradients(2, 3).tolist() == workloads.gradients(2, 3, 0).tolist()
    assert workloads.matrix(2, 3).tolist() == workloads.matrix(2, 3, 0).tolist()
    assert workloads.integers(9).tolist() == workloads.integers(9, 53, 0).tolist()


def test_multipliers_have_the_bits_that_they_promise() -> None:
    assert {int(entry).bit_length() for entry in workloads.matrix(9, 9).ravel()} == {32}
    assert {int(entry).bit_length() for entry in workloads.integers(99, 53)} == {53}


def test_keys_are_made_once_and_work() -> None:
    public_key, private_key = workloads.keypair(512)
    assert workloads.keypair(512)[0] is public_key
    assert public_key.key_length == 512
    x = workloads.values(3)
    assert private_key.decrypt(public_key.encrypt(x)).tolist() == x.tolist()


def test_keys_belong_to_an_engine() -> None:
    public_key, private_key = workloads.keypair(512, "gmp")
    assert public_key._context.engine.name == "gmp"
    assert workloads.keypair(512)[0]._context.engine.name == active_engine().name
    assert private_key.decrypt(public_key.encrypt([1.5])) == [1.5]


def test_an_engine_has_to_take_keys_of_that_length(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    engine_for = workloads.engine_for
    monkeypatch.setattr(workloads, "engine_for", lambda *of: asked.append(of) or engine_for(*of))
    assert workloads.keypair(512, "gmp") is workloads.keypair(512, "gmp")
    workloads.keypair(512)
    assert asked == [(2**511, "gmp")] * 2 + [(2**511, None)]
