"""
Encrypted histograms
====================

Boosted trees split where the gradients on either side differ most, and find that by histograms: for each bin of a
feature, the sum of the gradients of its rows. When one party has the labels, hence the gradients, and another has the
features, the first encrypts its gradients, and the second sums them by bin without seeing one.
"""

# %%
# Two parties
# -----------
# The breast-cancer data: one party holds the diagnosis, the other a measurement.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import vecphe

X, y = load_breast_cancer(return_X_y=True)
feature, labels = X[:, 0], y.astype(float)
edges = np.quantile(feature, np.linspace(0, 1, 9)[1:-1])
bins = np.searchsorted(edges, feature)

# %%
# The party with the labels encrypts
# ----------------------------------
# Of the first tree, the gradient of the logistic loss is the predicted probability less the label.

public_key, private_key = vecphe.generate_keypair(1024, insecure=True)
gradients = labels.mean() - labels
encrypted = public_key.encrypt(gradients)
encrypted

# %%
# The party with the feature sums
# -------------------------------
# A matrix with a row for each bin, and a one where the row's bin is, times the encrypted vector. Zeros cost nothing.

one_hot = (bins == np.arange(8)[:, None]).astype(int)
histogram = one_hot @ encrypted
histogram

# %%
# The party with the labels decrypts
# ----------------------------------
# It sees eight sums and no row's bin; the other saw no gradient.

sums = private_key.decrypt(histogram)
counts = one_hot.sum(axis=1)
np.abs(sums - one_hot @ gradients).max()

# %%
# The gain of a split after each bin, from the sums alone:

left, right = np.cumsum(sums)[:-1], sums.sum() - np.cumsum(sums)[:-1]
n_left, n_right = np.cumsum(counts)[:-1], counts.sum() - np.cumsum(counts)[:-1]
gain = left**2 / n_left + right**2 / n_right

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(edges, gain, "o-")
ax.set(xlabel="split at (mean radius)", ylabel="gain")
ax.axvline(edges[gain.argmax()], color="C1", label=f"best split, {edges[gain.argmax()]:.1f}")
ax.legend()
plt.show()
