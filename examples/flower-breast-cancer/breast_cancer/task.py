"""The rows: scikit-learn's breast cancer data, of which every hospital takes its own part."""

import numpy as np
from sklearn.datasets import load_breast_cancer

N_FEATURES = 30
_TEST_ROWS = 114
# What the hospitals have agreed on beforehand, as parties of a real run have to: here that of the public data.
_MEAN, _SCALE = (f(load_breast_cancer().data, axis=0) for f in (np.mean, np.std))


def _rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_breast_cancer(return_X_y=True)
    order = np.random.RandomState(seed).permutation(len(y))
    return ((X - _MEAN) / _SCALE)[order], y[order]


def rows_of_test(seed: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = _rows(seed)
    return X[:_TEST_ROWS], y[:_TEST_ROWS]


def rows_of(place: int, hospitals: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = _rows(seed)
    own = np.array_split(np.arange(_TEST_ROWS, len(y)), hospitals)[place]
    return X[own], y[own]
