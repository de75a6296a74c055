"""Runs of the protocol on the diabetes data that several test modules look at."""

import phe
import pytest

from vecphe.federated import NaiveBackend, get_data

BACKENDS = ("naive", "vectorized", "packed")


def make_backend(name):
    """The value for the `backend` argument."""
    return NaiveBackend(phe) if name == "naive" else name


@pytest.fixture(params=BACKENDS)
def backend(request):
    """Each of the three backends."""
    return make_backend(request.param)


@pytest.fixture(scope="session")
def diabetes():
    """X, y, X_test, y_test of five clients, seed 43."""
    return get_data(5)
