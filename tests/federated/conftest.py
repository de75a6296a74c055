"""Runs of the protocol on the diabetes data, and small parties, that several test modules look at."""

import numpy as np
import phe
import pytest

from vecphe.federated import Client, NaiveBackend, Server, get_data

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


class Parties:
    """A server with a short key and clients "A", "B" and so on, of 3 features and 4 rows."""

    def __init__(self, backend, n_clients=3, **options):
        rng = np.random.default_rng(n_clients)
        self.server = Server(256, insecure=True, backend=backend, **options)
        rows = [(rng.normal(size=(4, 3)), rng.normal(size=4)) for _ in range(n_clients)]
        self.clients = [Client(name, *own, self.server.pubkey) for name, own in zip("ABCDEFG", rows, strict=False)]

    @property
    def mean(self):
        return np.mean([client.compute_gradient() for client in self.clients], axis=0)


@pytest.fixture
def parties(backend):
    """Three clients and their server, with each backend."""
    return Parties(backend)
