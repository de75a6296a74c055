"""
From phe in three steps
=======================

You have code that encrypts in a loop over `phe <https://python-paillier.readthedocs.io>`_. The first step changes one
line, the second one loop, the third uses the protocol that is there.
"""

# %%
# What you have
# -------------

from time import perf_counter

import numpy as np
import phe

gradients = [np.random.default_rng(i).normal(size=64) for i in range(3)]
times = {}


def train_step(module, public_key, private_key):
    """Three clients' gradients, encrypted value by value and summed; works with either module."""
    started = perf_counter()
    encrypted = [[public_key.encrypt(value) for value in gradient.tolist()] for gradient in gradients]
    total = [sum(column[1:], column[0]) for column in zip(*encrypted, strict=True)]
    result = [private_key.decrypt(number) for number in total]
    times[module.__name__] = perf_counter() - started
    return np.array(result)


public_key, private_key = phe.generate_paillier_keypair(n_length=2048)
expected = train_step(phe, public_key, private_key)

# %%
# One line
# --------
# ``vecphe.phe`` has phe's names, results and exceptions. Change the import.

import vecphe.phe

public_key, private_key = vecphe.phe.generate_paillier_keypair(n_length=2048)
np.abs(train_step(vecphe.phe, public_key, private_key) - expected).max()

# %%
# Arrays
# ------
# Give ``encrypt`` the array, and the loops are gone.

started = perf_counter()
total = sum(public_key.encrypt(gradient) for gradient in gradients)
result = private_key.decrypt(total)
times["arrays"] = perf_counter() - started
np.abs(result - expected).max()

# %%
# Packed
# ------
# Values share ciphertexts; this is what the classes of ``vecphe.federated`` do for you.

from vecphe.federated import Party, Server, run_rounds

server = Server(2048)
parties = [Party(f"client {i}", lambda g=g: [g], server.pubkey) for i, g in enumerate(gradients)]
started = perf_counter()
(done,) = run_rounds(server, parties, n_iter=1)
times["vecphe.federated"] = perf_counter() - started
np.abs(done.mean * 3 - expected).max()

# %%
# What it bought
# --------------
# Times of a single try on the machine that built this page; ``vecphe bench run`` measures yours with care.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
names = list(times)
ax.plot([times[name] * 1e3 for name in names], range(len(names)), "o")
ax.set(xscale="log", xlabel="milliseconds (log scale)", yticks=range(len(names)), yticklabels=names)
ax.set_ylim(len(names) - 0.5, -0.5)
ax.grid(axis="x", alpha=0.4)
plt.show()

for name in names[1:]:
    print(f"{name}: {times['phe'] / times[name]:.0f} times as fast as phe")

# %%
# Keys and numbers convert both ways, so that the two ends of a connection can change one after the other:
# :doc:`/phe` lists how, and what differs.
