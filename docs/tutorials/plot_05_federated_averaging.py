"""
Weighted averaging of a neural network's layers
===============================================

Federated averaging sends the weights of a model instead of a gradient, and counts a client with more examples for more.
Here three clients train a small network with scikit-learn, and only sums are ever decrypted.
"""

# %%
# Three clients of different size
# -------------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from vecphe.federated import Party, Server, run_rounds

X, y = load_digits(return_X_y=True)
X = X / 16
X_test, y_test, X, y = X[:400], y[:400], X[400:], y[400:]
shares = np.split(np.arange(len(y)), [200, 600])
print([len(rows) for rows in shares], "examples")


class Client:
    """A network that trains on its own rows, and sends its layers times its number of examples."""

    def __init__(self, rows):
        self.X, self.y = X[rows], y[rows]
        self.network = MLPClassifier((24,), max_iter=1, random_state=0, learning_rate_init=0.01)
        self.network.partial_fit(self.X[:1], self.y[:1], classes=np.arange(10))

    def update(self):
        """What is encrypted: a list of arrays of any shapes, and the number of examples itself."""
        for _ in range(5):
            self.network.partial_fit(self.X, self.y)
        layers = [*self.network.coefs_, *self.network.intercepts_]
        return [len(self.y) * layer for layer in layers] + [np.array(float(len(self.y)))]

    def apply(self, mean):
        """Take the weighted average over."""
        *layers, examples = mean
        layers = [layer / examples for layer in layers]
        half = len(layers) // 2
        self.network.coefs_, self.network.intercepts_ = layers[:half], layers[half:]


# %%
# Rounds
# ------
# A party takes anything that has ``update`` and ``apply``. The mean that comes back is that of what was sent, so the
# quotient of two means is the weighted average; the server learns the sums, and no client's share of them.

clients = [Client(rows) for rows in shares]
server = Server(1024, insecure=True)
parties = [Party(f"client {i}", client, server.pubkey) for i, client in enumerate(clients)]
accuracy = [clients[0].network.score(X_test, y_test)]
for _ in run_rounds(server, parties, n_iter=8):
    accuracy.append(clients[0].network.score(X_test, y_test))
print(np.round(accuracy, 3))

# %%
# For comparison, what the client with the fewest examples learns alone, in as many steps:

alone = Client(shares[0])
for _ in range(8):
    alone.update()
lonely = alone.network.score(X_test, y_test)

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(accuracy, "o-", label="federated")
ax.axhline(lonely, color="C1", label=f"alone, {len(shares[0])} examples")
ax.set(xlabel="round", ylabel="accuracy on the test rows", ylim=(0, 1))
ax.legend()
plt.show()

# %%
# Every layer keeps its shape, and all of them together are packed into one run of ciphertexts:

sizes = [layer.size for layer in clients[0].update()]
print(
    f"{len(sizes)} arrays, {sum(sizes)} values, {server.pubkey.encrypt(np.zeros(sum(sizes))).n_ciphertexts} ciphertexts"
)

# %%
# Whoever averages differences to the round before in place of weights needs less range; the range of the packed form
# is chosen by ``PackedBackend(encoding=FixedPoint(...))``, and :doc:`/howto/fixed-point` says how.
