"""
Boosted trees from encrypted histograms
=======================================

Boosted trees split where the gradients on either side differ most, and find that by histograms: for each bin of a
feature, the sums of the gradients and hessians of its rows. Here one party has the labels, hence the gradients, and
another has the features. The first encrypts its gradients, and the second sums them by bin without seeing one.
"""

# %%
# The party with the labels
# -------------------------
# It has the diagnoses of the breast-cancer data and the private key. For each tree it encrypts a pair a row, gradient
# and hessian of the logistic loss, each pair in a ciphertext of its own; it decrypts histograms and chooses splits.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import vecphe

N_BINS, DEPTH, SHRINKAGE, L2 = 8, 2, 0.4, 1.0


class LabelParty:
    """Knows y and sees which rows go which way; what else it learns of the features are sums."""

    def __init__(self, y, encrypted):
        self.y, self.scores = y, np.zeros(len(y))
        if encrypted:
            self.public_key, self.private_key = vecphe.generate_keypair(1024, insecure=True)
            self.encoding = vecphe.FixedPoint(fraction_bits=20, max_abs=1, max_terms=len(y))

    def pairs(self):
        """Gradients and hessians, in multiples of 2^-20, which the encoding holds exactly."""
        p = 1 / (1 + np.exp(-self.scores))
        self.own = np.round(np.stack([p - self.y, p * (1 - p)], axis=1) * 2**20) / 2**20
        return self.own

    def encrypted_pairs(self):
        return self.public_key.encrypt(self.pairs(), packed="rows", encoding=self.encoding)

    def splits(self, histograms):
        """The best (feature, bin) of each node, by the gain that the sums on its left and right promise."""
        left = np.cumsum(histograms, axis=2)[:, :, :-1]  # features, nodes, bins, pair
        g, h = np.moveaxis(left, -1, 0)
        total_g, total_h = np.moveaxis(histograms.sum(axis=2, keepdims=True), -1, 0)
        gain = g**2 / (h + L2) + (total_g - g) ** 2 / (total_h - h + L2)
        gain = np.moveaxis(gain, 1, 0)
        return [np.unravel_index(each.argmax(), each.shape) for each in gain]

    def leaves(self, node):
        """The step of each leaf, from the sums that only this party knows."""
        g, h = np.stack([np.bincount(node, column, minlength=2**DEPTH) for column in self.own.T])
        return -SHRINKAGE * g / (h + L2)


# %%
# The party with the features
# ---------------------------
# It cuts each feature into bins. The label that a row is summed by says its node and its bin, so one call of
# `vecphe.group_sum` gives the histograms of all nodes of a level.


class FeatureParty:
    """Knows X; of the gradients it sees ciphertexts."""

    def __init__(self, X):
        quantiles = np.linspace(0, 1, N_BINS + 1)[1:-1]
        self.edges = [np.unique(np.quantile(column, quantiles)) for column in X.T]
        self.bins = self.binned(X)

    def binned(self, X):
        return np.stack([np.searchsorted(edges, x) for edges, x in zip(self.edges, X.T, strict=True)], axis=1)

    def histograms(self, pairs, node, group_sum):
        n_groups = (node.max() + 1) * N_BINS
        return [group_sum(pairs, node * N_BINS + bins, n_groups) for bins in self.bins.T]


def sides(bins, node, splits):
    """Which rows go right, by the split of the node that they are in."""
    feature, edge = np.array(splits)[node].T
    return bins[np.arange(len(bins)), feature] > edge


# %%
# Training
# --------
# A level of a tree is a message each way, twice: encrypted pairs there and encrypted histograms back, a split for each
# node there and the side of each row back. With ``encrypted=False`` the same is done on plain numbers.


def plain_group_sum(pairs, labels, n_groups):
    sums = np.zeros((n_groups, 2))
    np.add.at(sums, labels, pairs)
    return sums


def train(X, y, n_trees, encrypted):
    holder, owner, trees = LabelParty(y, encrypted), FeatureParty(X), []
    for _ in range(n_trees):
        pairs = holder.encrypted_pairs() if encrypted else holder.pairs()
        node, levels = np.zeros(len(y), dtype=int), []
        for _ in range(DEPTH):
            sums = owner.histograms(pairs, node, vecphe.group_sum if encrypted else plain_group_sum)
            if encrypted:
                sums = [holder.private_key.decrypt(each) for each in sums]
            levels.append(holder.splits(np.stack(sums).reshape(X.shape[1], -1, N_BINS, 2)))
            node = 2 * node + sides(owner.bins, node, levels[-1])
        steps = holder.leaves(node)
        holder.scores += steps[node]
        trees.append((levels, steps))
    return owner, trees


def predict(owner, trees, X):
    """The score after each tree, shape (trees, rows)."""
    bins, scores = owner.binned(X), []
    for levels, steps in trees:
        node = np.zeros(len(X), dtype=int)
        for splits in levels:
            node = 2 * node + sides(bins, node, splits)
        scores.append(steps[node])
    return np.cumsum(scores, axis=0)


X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y.astype(float), random_state=0)
encrypted = predict(*train(X_train, y_train, 10, encrypted=True), X_test)
plain = predict(*train(X_train, y_train, 10, encrypted=False), X_test)

# %%
# Both are the same model, to the last bit: sums of encrypted numbers are exact.

print("largest difference of a score:", np.abs(encrypted - plain).max())
accuracy = ((encrypted > 0) == y_test).mean(axis=1)
print(f"accuracy on the {len(y_test)} test rows after 10 trees: {accuracy[-1]:.3f}")

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(np.arange(1, 11), accuracy, "o-", label="encrypted")
ax.plot(np.arange(1, 11), ((plain > 0) == y_test).mean(axis=1), "x", ms=9, label="plain")
ax.set(xlabel="trees", ylabel="accuracy on the test rows")
ax.legend()
plt.show()

# %%
# Who learns what
# ---------------
# The party with the features learns the shape of the trees and no gradient. The other sees the sums of its own numbers
# by bins, hence how many rows are in each, and the side of each row: that much is what a tree is. Before a tree is
# used on new rows, both have to take part, as each knows one half of it.
