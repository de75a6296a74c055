"""Counts in texts."""

from __future__ import annotations

import pytest

import vecphe
from vecphe.bench.records import Case
from vecphe.system.plurals import are, counted


@pytest.mark.parametrize(("count", "text"), [(0, "0 rows are"), (1, "1 row is"), (2, "2 rows are")])
def test_a_noun_and_its_verb_go_with_their_count(count: int, text: str) -> None:
    assert f"{counted(count, 'row')} {are(count)}" == text


def test_texts_of_one_have_no_plural() -> None:
    public_key, _ = vecphe.generate_keypair(512, insecure=True)
    assert "1 ciphertext, key" in repr(public_key.encrypt([1.5]))
    assert "2 ciphertexts, key" in repr(public_key.encrypt([1.5, 2.5]))
    assert "1 ciphertext, key" in repr(public_key.encrypt_many([[1.5]]))
    assert str(Case(2048, 1, 1)) == "2048 bits, 1 client, 1 value"
    assert str(Case(2048, 3, 2)) == "2048 bits, 3 clients, 2 values"
    with pytest.raises(ValueError, match="labels of shape \\(2,\\) for 1 row; give"):
        vecphe.group_sum(public_key.encrypt([1.5]), [0, 0], 1)
