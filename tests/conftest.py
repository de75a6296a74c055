"""Keys shared by all tests. They are made once a run; the short ones are insecure on purpose."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings
from tests.toys import toy_keypair

import vecphe
from vecphe import PrivateKey, PublicKey

# What is started in the background, or by nohup, ignores these, and so would all that the tests start and send them to.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

# `make fuzz` runs the tests marked `fuzz` for longer; without a count of their own they take the profile's.
settings.register_profile("default", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=int(os.environ.get("FUZZ_EXAMPLES", "20000")))
settings.load_profile(os.environ.get("VECPHE_HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def keypair() -> tuple[PublicKey, PrivateKey]:
    """512 bits: fast, and large enough for every default encoding."""
    return vecphe.generate_keypair(512, insecure=True)


@pytest.fixture(scope="session")
def public_key(keypair: tuple[PublicKey, PrivateKey]) -> PublicKey:
    return keypair[0]


@pytest.fixture(scope="session")
def private_key(keypair: tuple[PublicKey, PrivateKey]) -> PrivateKey:
    return keypair[1]


@pytest.fixture(scope="session")
def other_keypair() -> tuple[PublicKey, PrivateKey]:
    return vecphe.generate_keypair(512, insecure=True)


@pytest.fixture(scope="session")
def secure_keypair() -> tuple[PublicKey, PrivateKey]:
    """2048 bits."""
    return vecphe.generate_keypair(2048)


@pytest.fixture(
    params=[(3, 5), (3, 11), (5, 7), (3, 17), (5, 13), (3, 23), (7, 11)], ids=lambda pq: f"n{pq[0] * pq[1]}"
)
def toy(request: pytest.FixtureRequest) -> tuple[PublicKey, PrivateKey]:
    """Keys of 4 to 7 bits, textbook randomizers."""
    return toy_keypair(*request.param)
