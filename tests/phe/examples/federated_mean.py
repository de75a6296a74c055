"""Linear regression over several hospitals that add encrypted gradients in a ring: a script of a phe user.

Only the import differs between phe and the drop-in; tests/phe/test_examples.py runs it with both.
"""

import json

import numpy as np
import phe


class Hospital:
    def __init__(self, X, y, public_key):
        self.X, self.y, self.public_key = X, y, public_key
        self.weights = np.zeros(X.shape[1])

    def encrypted_gradient(self, sum_to=None):
        gradient = (self.X @ self.weights - self.y) @ self.X / len(self.y)
        encrypted = [self.public_key.encrypt(v) for v in gradient]
        if sum_to is None:
            return encrypted
        return [mine + theirs for mine, theirs in zip(encrypted, sum_to, strict=True)]

    def step(self, gradient, rate=0.1):
        self.weights -= rate * gradient


def main(n_length, n_rounds=3):
    rng = np.random.default_rng(17)
    true = np.array([1.5, -2.0, 0.5])
    public_key, private_key = phe.generate_paillier_keypair(n_length=n_length)
    hospitals = []
    for size in (20, 30, 25):
        X = rng.normal(size=(size, 3))
        hospitals.append(Hospital(X, X @ true + 0.01 * rng.normal(size=size), public_key))
    for _ in range(n_rounds):
        total = None
        for hospital in hospitals:
            total = hospital.encrypted_gradient(sum_to=total)
        mean = np.array([private_key.decrypt(v) for v in total]) / len(hospitals)
        for hospital in hospitals:
            hospital.step(mean)
    # numpy's own functions over objects, as people do with phe.
    encrypted = np.array([public_key.encrypt(w) for w in hospitals[0].weights.tolist()])
    return {
        "weights": hospitals[0].weights.tolist(),
        "mean": private_key.decrypt(np.mean(encrypted)),
        "dot": private_key.decrypt(np.dot(encrypted, [1, 2.5, -3])),
        "scaled": [private_key.decrypt(v) for v in np.arange(3) * encrypted],
    }


if __name__ == "__main__":
    print(json.dumps(main(n_length=1024)))
