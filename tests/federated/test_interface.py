"""What a backend of one's own gets from the interface, and what it has to bring."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from tests.federated.conftest import Parties

from vecphe.errors import KeyMismatchError, LayoutMismatchError
from vecphe.federated import DecryptionKey, EncryptedVector, EncryptionKey, encrypt_vector
from vecphe.federated.wire import pack


class PlainVector(EncryptedVector):
    """Not encrypted at all."""

    def __init__(self, key: PlainKey, values: Any, terms: int = 1) -> None:
        self.key, self.values, self.terms = key, values, terms

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_ciphertexts(self) -> int:
        return len(self.values)

    def ciphertexts(self) -> list[int]:
        return [int(value) for value in self.values]

    def _added(self, other: Any) -> PlainVector:
        return PlainVector(self.key, self.values + other.values, self.terms + other.terms)  # type: ignore[arg-type]


class OtherVector(PlainVector):
    pass


class PlainKey(EncryptionKey, backends=["plain"]):
    backend, n, fingerprint = "plain", 3**40, "f" * 32

    def prepare(self, n_vectors: int, length: int) -> None:
        pass

    def encrypt(self, values: Any) -> EncryptedVector:
        return PlainVector(self, values)._recorded((self.run.contribution(),))


@pytest.fixture
def key() -> Any:
    yield PlainKey()
    EncryptionKey._readers.pop("plain", None)


def test_sums_of_a_backend_of_ones_own_are_recorded(key: PlainKey) -> None:
    one, two = (encrypt_vector(key, np.array([x, 2.0])) for x in (1.0, 5.0))
    total = one + two
    assert (total.ciphertexts(), total.terms, len(total), total.nbytes) == ([6, 4], 2, 2, 2 * 16)
    assert total.contributions == (*(one.contributions or ()), *(two.contributions or ()))
    assert total.is_sum_of_terms
    assert total.contributions is not None  # without contents of its own a record is never out of date
    assert copy.copy(total) is copy.deepcopy(total) is total


def test_without_a_form_of_bytes_of_its_own_it_has_none(key: PlainKey) -> None:
    vector = encrypt_vector(key, np.ones(2))
    for call, message in (
        (vector.to_bytes, "vectors of the backend plain have no form of bytes"),
        (vector.to_message, "vectors of the backend plain have no form of bytes"),
        (key.to_bytes, "keys of the backend plain have no form of bytes"),
        (lambda: key._vector_from_bytes(b""), "vectors of the backend plain have no form of bytes"),
    ):
        with pytest.raises(TypeError, match=message):
            call()
    EncryptionKey._readers["plain"] = PlainKey
    data = pack("key", {"run": "0" * 32, "round": 1, "backend": "plain"}, b"", b"")
    with pytest.raises(TypeError, match="keys of the backend plain have no form of bytes"):
        EncryptionKey.from_bytes(data)


def test_vectors_of_two_kinds_are_not_added(key: PlainKey) -> None:
    vector = encrypt_vector(key, np.ones(2))
    with pytest.raises(LayoutMismatchError, match="backends differ: plain and plain"):
        vector + OtherVector(key, np.ones(2))
    with pytest.raises(LayoutMismatchError, match="lengths differ: 2 and 3 values"):
        vector + PlainVector(key, np.ones(3))
    with pytest.raises(TypeError, match="unsupported operand"):
        vector + 1  # type: ignore[operator]


def test_h34_a_key_decrypts_its_own_vectors_alone() -> None:
    parties, other = Parties("packed"), Parties("packed")
    with pytest.raises(KeyMismatchError, match="the vector was encrypted with another key"):
        parties.server.privkey.decrypt(encrypt_vector(other.server.pubkey, np.ones(2)))
    assert parties.server.privkey.decrypt(encrypt_vector(parties.server.pubkey, np.ones(2))).tolist() == [1.0, 1.0]


def test_a_private_key_half_made_has_a_repr_and_is_not_pickled() -> None:
    class Key(DecryptionKey):
        def _decrypted(self, vector: Any) -> Any: ...

    half = Key()
    assert repr(half) == "Key(fingerprint=none yet)"
    half.fingerprint = "0123456789"
    assert repr(half) == "Key(fingerprint=01234567)"
    assert copy.copy(half) is copy.deepcopy(half) is half
    with pytest.raises(TypeError, match="refuses to be pickled"):
        pickle.dumps(half)
