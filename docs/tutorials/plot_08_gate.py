"""
A regression gate for your project
==================================

A test suite sees wrong results and no slow ones. The gate counts what your code makes the engine do, exactly, and times
it against a reference in the same process; a count that differs or a speed that is lost fails the build.
"""

# %%
# Rows
# ----
# A row is a function that returns your code, a reference that your project cannot make slower, and if you like counts.
# Here the project sums encrypted columns. The rows lie in a file of their own.

import json
import subprocess
import sys
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
project = """
def add_up(columns):
    total = columns[0]
    for column in columns[1:]:
        total = total + column
    return total
"""
rows = """
import numpy as np
from project import add_up
from vecphe import generate_keypair
from vecphe.arithmetic import active_engine
from vecphe.bench.counts import counting

public_key, private_key = generate_keypair(2048)

def add_up_columns():
    columns = [public_key.encrypt(np.arange(12.0), packed=True) for _ in range(21)]
    with counting(active_engine()) as counts:
        add_up(columns)
    modulus = 7**1459
    return lambda: add_up(columns), lambda: pow(3, 1 << 32, modulus), counts
"""
(folder / "project.py").write_text(project)
(folder / "rows.py").write_text(rows)


def vecphe(*arguments):
    """The command, as a shell would run it; its output and its status."""
    done = subprocess.run([sys.executable, "-m", "vecphe", *arguments], cwd=folder, capture_output=True, text=True)
    print(done.stdout, f"(exit status {done.returncode})", sep="")


# %%
# A baseline
# ----------
# It is taken once and committed. An engine counts the same on every machine, and ``gmp`` runs on all of them. Speeds
# are left out here, to save the minute.

counts = ("--rows", "rows.py", "--counts-only", "--engine", "gmp")
vecphe("bench", "baseline", "baseline.json", *counts)
vecphe("bench", "check", "baseline.json", *counts)

# %%
# A regression
# ------------
# Someone adds one column twice and takes it off again. The result is right, and all tests pass.

slower = project.replace("    return total", "    return total + columns[0] - columns[0]")
(folder / "project.py").write_text(slower)
vecphe("bench", "check", "baseline.json", *counts)

# %%
# What the engine did for it, before and after:

import matplotlib.pyplot as plt

vecphe("bench", "baseline", "slower.json", *counts)
before, after = (
    json.loads((folder / name).read_text())["engines"]["gmp"]["counts"]["add_up_columns"]
    for name in ("baseline.json", "slower.json")
)
names = sorted({*before, *after}, reverse=True)
fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
ax.plot([before.get(name, 0) for name in names], names, "o", label="before")
ax.plot([after.get(name, 0) for name in names], names, "x", markersize=9, label="after")
ax.set(xlabel="times in one call of add_up")
ax.grid(axis="x", alpha=0.4)
ax.legend()
plt.show()

# %%
# The exit status ends the build. :doc:`/gate` has the whole of it: speeds, tolerances, and how noise does not fail a
# build.
