"""
A benchmark for your paper
==========================

How much faster is a vectorized round than a loop over phe, on this machine, and how sure is that? At a prompt it is
``vecphe bench run``; here the same is called from Python on a matrix so small that it is done in seconds.
"""

# %%
# Measuring
# ---------
# Each case is a round: all clients encrypt, the sum is decrypted and checked. All backends are measured in turn.

from vecphe.bench.matrix import Matrix
from vecphe.bench.runner import Runner

matrix = Matrix.quick(key_lengths=(1024,), clients=(3, 5), values=(11,))
results = Runner(matrix).run(lambda text, seconds: None)
for warning in results.warnings:
    print(warning)

# %%
# The figures
# -----------

from vecphe.bench.tables import COLUMNS, cells

shown = [COLUMNS.index(name) for name in ("clients", "backend", "round", "speed-up", "samples", "bytes/value")]
table = [[row[i] for i in shown] for row in (COLUMNS, *map(cells, results.records))]
widths = [max(map(len, column)) for column in zip(*table, strict=True)]
for row in table:
    print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))

# %%
# Every sample is kept, so that you can compute what your paper wants: here the pairwise speed-ups.

import matplotlib.pyplot as plt
import numpy as np

packed = [record for record in results.records if record.backend == "packed"]
fig, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
for place, record in enumerate(packed):
    ratios = np.array(record.reference) / np.array(record.samples["round"])
    ax.plot(ratios, np.full(len(ratios), place), "o", color="C0", alpha=0.6)
    ax.plot(record.speed_up, place, "|", color="C1", markersize=24, markeredgewidth=3)
ax.set(yticks=range(len(packed)), yticklabels=[f"{record.case.clients} clients" for record in packed])
ax.set(xlabel="times as fast as the loop over phe (bar: median)", ylim=(len(packed) - 0.5, -0.5))
ax.grid(axis="x", alpha=0.4)
plt.show()

# %%
# For the paper itself, on a quiet machine: ``vecphe bench run --budget 15m --save results.json --latex table.tex
# --report report``. The report has each plot as PDF and SVG, and ``--plot speedup:clients`` chooses another one. Name
# the engine and the CPU that the files carry. :doc:`/benchmarks` says what is measured and how.
