"""The same keys in phe and in the facade."""

from __future__ import annotations

from typing import Any, NamedTuple

import phe
import pytest

import vecphe.phe


class Sides(NamedTuple):
    """Key pairs of one n: real phe's and the facade's."""

    public: Any
    private: Any
    phe_public: Any
    phe_private: Any


def sides_of(n_length: int) -> Sides:
    public, private = vecphe.phe.generate_paillier_keypair(n_length=n_length)
    phe_public = phe.PaillierPublicKey(public.n)
    return Sides(public, private, phe_public, phe.PaillierPrivateKey(phe_public, private.p, private.q))


@pytest.fixture(scope="session")
def sides() -> Sides:
    """512 bits: textbook randomizers."""
    return sides_of(512)


@pytest.fixture(scope="session")
def djn_sides() -> Sides:
    """1024 bits: the least length with DJN randomizers."""
    return sides_of(1024)
