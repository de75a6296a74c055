"""The data that all benchmarks share."""

from __future__ import annotations

import numpy as np

from vecphe.arithmetic import active_engine
from vecphe.bench import workloads


def test_a_seed_decides_about_data() -> None:
    assert np.array_equal(workloads.values(100), workloads.values(100))
    assert not np.array_equal(workloads.values(100), workloads.values(100, seed=1))
    assert np.array_equal(workloads.gradients(3, 5, 7), workloads.gradients(3, 5, 7))
    assert workloads.gradients(3, 5).shape == (3, 5)


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
