"""Primes of odd and of short keys: which of those that were drawn are taken."""

from __future__ import annotations

import secrets

import pytest

from vecphe.phe import key_generation

LONG = (1 << 103) + 7  # 3 mod 4, as all that are drawn


@pytest.mark.parametrize(
    ("n_length", "bits", "drawn"),
    [
        # The same twice, too close, a common factor of 6 of what is one below, a product of 18 bits; in either order.
        (17, 9, [(263, 263), (307, 311), (311, 307), (271, 283), (347, 383), (271, 263)]),
        (17, 9, [(479, 487), (263, 271)]),
        (18, 9, [(263, 271), (443, 439), (383, 379), (347, 383)]),
        (207, 104, [(LONG, LONG + 16), (LONG + 20, LONG)]),
        (205, 103, [((LONG >> 1) + 4, (LONG >> 1) + 12), ((LONG >> 1) + 4, (LONG >> 1) + 16)]),
        (203, 102, [((LONG >> 2) + 6, (LONG >> 2) + 10), ((LONG >> 2) + 6, (LONG >> 2) + 14)]),
    ],
)
def test_h09_the_first_pair_that_fits_is_taken(
    monkeypatch: pytest.MonkeyPatch, n_length: int, bits: int, drawn: list[tuple[int, int]]
) -> None:
    given = (prime for pair in drawn for prime in pair)
    asked = []
    monkeypatch.setattr(key_generation, "_blum_prime", lambda length: asked.append(length) or next(given))
    assert key_generation._searched_pair(n_length) == tuple(sorted(drawn[-1]))
    assert set(asked) == {bits}
    assert next(given, None) is None


def test_h10_primes_are_tested_in_five_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those alone that the first test lets pass."""
    tested: list[tuple[int, int]] = []
    given = iter([0, 0b1000, 0b10000])  # 67, 75 and 83
    monkeypatch.setattr(secrets, "randbits", lambda _: next(given))
    monkeypatch.setattr(key_generation, "is_probable_prime", lambda *asked: tested.append(asked) or asked[0] != 67)
    assert key_generation._blum_prime(7) == 83
    assert tested == [(67, 5), (83, 5)]
