"""
Five hospitals in ten minutes
=============================

Five hospitals train one model on the records of all, and no hospital shows its records or its gradients to anyone.
"""

# %%
# The protocol
# ------------
# A server makes a key pair and gives the public key to all. In each round every hospital computes the gradient on its
# own rows, encrypts it, adds it to the encrypted sum that it got from its neighbour, and passes the sum on. The server
# decrypts the last one, which is the sum over all hospitals, and sends the mean to everyone.
#
# The data are scikit-learn's diabetes data, cut into five parts.

import matplotlib.pyplot as plt
import numpy as np

from vecphe.federated import federated_learning, get_data, local_learning

X, y, X_test, y_test = get_data(5, seed=43)
print([len(rows) for rows in X], "rows;", X[0].shape[1], "features;", len(y_test), "test rows")

# %%
# Alone, and together
# -------------------

config = {"key_length": 1024, "insecure": True, "n_iter": 50, "eta": 1.5, "backend": "packed"}
alone = local_learning(X, y, X_test, y_test, config)
together = federated_learning(X, y, X_test, y_test, config)
print(f"{together.ciphertexts_per_hop} ciphertext and {together.bytes_per_hop} bytes a hop")

# %%
# The mean square error on the test rows. Each hospital ends with the same model:

shared, single = together.mse[0], alone.mse
print(f"together {shared:.2f}; alone", np.round(single, 2))

# %%
# Which hospital gained?

fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
places = np.arange(5)
ax.plot(single, places, "o", label="trained alone")
ax.axvline(shared, color="C1", label="federated, the same for all")
ax.set(yticks=places, yticklabels=[f"hospital {i + 1}" for i in places], xlabel="mean square error on the test rows")
ax.invert_yaxis()
ax.legend()
plt.show()

# %%
# What was sent
# -------------
# With ``record_transcript=True`` every message is kept. Gradients of single hospitals only travel encrypted; the only
# thing in the clear is the mean over all of them.

seen = federated_learning(X, y, X_test, y_test, {**config, "n_iter": 1, "record_transcript": True})
for message in seen.transcript:
    print(message.sender, "->", message.receiver, message.kind, len(message.payload), "bytes")

# %%
# What the parties could still learn, alone or together, is in :doc:`/generated/security`. ``vecphe run`` does all of
# this at a prompt, and compares it with a loop over phe.
