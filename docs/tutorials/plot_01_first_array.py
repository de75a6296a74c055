"""
Encrypt your first array
========================

You will make a key pair, encrypt a numpy array, compute with it while it is encrypted, and decrypt the result.
"""

# %%
# A key pair
# ----------
# The public key encrypts and can be given to anyone. The private key decrypts, and stays where it was made. The default
# length is 3072 bits; 2048 is the least that is accepted without ``insecure=True``.

import numpy as np

import vecphe

public_key, private_key = vecphe.generate_keypair(2048)
public_key

# %%
# Encrypting
# ----------
# An array goes in, an encrypted array comes out, of the same shape. By default each value has a ciphertext of its own.

temperatures = np.array([[36.6, 38.2, 37.0], [39.1, 36.9, 36.5]])
encrypted = public_key.encrypt(temperatures)
encrypted

# %%
# Computing without the key
# -------------------------
# Whoever has the encrypted array can add encrypted and plain numbers, multiply by plain ones, index, reshape and sum,
# with numpy's own operators. Nothing of this needs the private key, and nobody learns a value.

fahrenheit = encrypted * 1.8 + 32
warmest_ward = fahrenheit.sum(axis=1) / 3

private_key.decrypt(warmest_ward)

# %%
# The same on plain numbers:

(temperatures * 1.8 + 32).mean(axis=1)

# %%
# Packed: many values in one ciphertext
# -------------------------------------
# Sums are all that federated learning needs. With ``packed=True`` as many fixed-point numbers share a ciphertext as
# fit, which is faster and smaller by about that factor. Packed arrays add and subtract; they do not index.

gradient = np.random.default_rng(0).normal(size=1000)
packed, unpacked = public_key.encrypt(gradient, packed=True), public_key.encrypt(gradient)
print(f"{packed.n_ciphertexts} ciphertexts packed, {unpacked.n_ciphertexts} unpacked")
print(f"{len(packed.to_bytes()):,} bytes packed, {len(unpacked.to_bytes()):,} unpacked")

# %%
# A ciphertext of 512 bytes is the least. From there on a packed array takes about twice the bytes of the plain one.

import matplotlib.pyplot as plt

sizes = np.array([1, 3, 10, 30, 100, 300, 1000])
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for label, style, is_packed in (("unpacked", "o-", False), ("packed", "s--", True)):
    arrays = [public_key.encrypt(gradient[:size], packed=is_packed) for size in sizes]
    ax.plot(sizes, [len(array.to_bytes()) for array in arrays], style, label=label)
ax.plot(sizes, 8 * sizes, "k:", label="not encrypted")
ax.set(xscale="log", yscale="log", xlabel="values", ylabel="bytes")
ax.grid(alpha=0.4)
ax.legend()
plt.show()

# %%
# The range is fixed when values are encrypted, and checked before every addition, so that a sum never overflows into
# its neighbour: what does not fit raises an error that says what to do.

try:
    public_key.encrypt([1e9], packed=True)
except vecphe.PlaintextOverflowError as error:
    print(error)

# %%
# Next: :ref:`sphx_glr_generated_tutorials_plot_02_five_hospitals.py`, where the key holder decrypts only a sum.
