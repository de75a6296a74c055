"""Memory of large batches, measured on a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np, vecphe
public_key, private_key = vecphe.generate_keypair(2048, randomizers="djn-short")
x = np.random.default_rng(1).uniform(-2**15, 2**15, 1_000_000)
c = public_key.encrypt(x, packed=True)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
assert c.n_ciphertexts == -(-len(x) // 31)
head = public_key.from_ciphertexts(c.ciphertexts()[:3], shape=(93,), packed=True)
assert np.abs(private_key.decrypt(head) - x[:93]).max() <= 2**-41
print(peak - x.nbytes, c.nbytes / c.nbytes_canonical)
"""


@pytest.mark.slow
def test_a_million_packed_values_stay_under_400_mb() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    resident, ratio = map(float, done.stdout.split())
    assert resident < 400e6
    assert 1 <= ratio <= 1.5
