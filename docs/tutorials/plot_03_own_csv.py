"""
Your own CSV to a model
=======================

Three hospitals have files of their own, with columns in different order, a category and missing cells. You will train
one model on all of them, use it on new rows, and take it to scikit-learn.
"""

# %%
# The files
# ---------
# Made here, so that you can run this page; yours lie where they lie.

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

folder = Path(tempfile.mkdtemp())
rng = np.random.default_rng(7)


def rows_of(count, shift):
    """Ages, wards, weights and the cost that is to be predicted."""
    age, weight = rng.normal(50 + shift, 12, count).round(), rng.normal(75, 10, count).round(1)
    ward = rng.choice(["surgery", "medicine"], count)
    cost = 20 * age + 3 * weight + 150 * (ward == "surgery") + rng.normal(0, 40, count)
    return age, weight, ward, cost.round(2)


for number, (order, shift) in enumerate(
    [("age,weight,ward,cost", -8), ("ward,age,weight,cost", 0), ("age,cost,ward,weight", 9)]
):
    columns = dict(zip(("age", "weight", "ward", "cost"), rows_of(60, shift), strict=True))
    columns["weight"] = np.where(rng.random(60) < 0.05, "", columns["weight"].astype(str))
    names = order.split(",")
    lines = [order, *(",".join(str(columns[name][i]) for name in names) for i in range(60))]
    (folder / f"hospital{number}.csv").write_text("\n".join(lines) + "\n")

print((folder / "hospital2.csv").read_text()[:120])


def vecphe(*arguments):
    """The command, as a shell would run it."""
    done = subprocess.run([sys.executable, "-m", "vecphe", *arguments], cwd=folder, capture_output=True, text=True)
    print(done.stdout + done.stderr, f"(exit status {done.returncode})", sep="")


# %%
# What the reader says
# --------------------
# All problems come in one message, with what mends each of them.

files = [option for number in range(3) for option in ("--data", f"hospital{number}.csv")]
training = [*files, "--target", "cost", "--key-length", "1024", "--insecure", "--backend", "packed"]
vecphe("run", *training)

# %%
# Training
# --------
# Columns are scaled by means and deviations over all hospitals, of which each sees only the totals; missing cells count
# as the mean. The table says what training together bought.

training += ["--categories", "ward", "--missing", "mean"]
vecphe("run", *training, "--model", "model.json")

# %%
# Predictions
# -----------
# The model is in the units of the files, and holds nothing of a single hospital.

(folder / "new.csv").write_text("age,ward,weight\n40,surgery,80\n70,medicine,64.5\n")
vecphe("predict", "model.json", "new.csv")

# %%
# In Python, and as a plain model of scikit-learn:

from vecphe.federated import TrainedModel

model = TrainedModel.load(folder / "model.json")
plain = model.to_sklearn()
print(dict(zip(model.features, plain.coef_.ravel().round(1).tolist(), strict=True)), plain.intercept_)

# %%
# How good is it on patients whom it has never seen? Their costs vary by 40 beyond what the columns say.

import matplotlib.pyplot as plt

age, weight, ward, cost = rows_of(200, 0)
columns = {"age": age, "weight": weight, "ward=surgery": ward == "surgery"}
predicted = plain.predict(np.column_stack([columns[name] for name in model.features]))
fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for name, marker in (("surgery", "o"), ("medicine", "^")):
    ax.plot(cost[ward == name], predicted[ward == name], marker, alpha=0.6, label=name)
ax.axline((1000, 1000), slope=1, color="k", linewidth=1)
ax.set(xlabel="cost", ylabel="predicted cost")
ax.legend()
plt.show()
print(f"root mean square error: {np.sqrt(np.mean((predicted - cost) ** 2)):.0f}")
