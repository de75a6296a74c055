"""phe.util, on values where phe's own tests do not look."""

from __future__ import annotations

import ast
import secrets
from pathlib import Path

import phe.util
import pytest

import vecphe
from vecphe.phe import util


def test_the_same_primes() -> None:
    assert util.first_primes == phe.util.first_primes


@pytest.mark.parametrize("value", [1, 255, 256, 2**70, 2**4096 - 1])
def test_integers_as_base64(value: int) -> None:
    assert util.int_to_base64(value) == phe.util.int_to_base64(value)
    assert phe.util.base64_to_int(util.int_to_base64(value)) == value == util.base64_to_int(util.int_to_base64(value))


@pytest.mark.parametrize("payload", [b"", b"a", b"ab", b"abc", bytes(range(256))])
def test_bytes_as_base64url(payload: bytes) -> None:
    text = util.base64url_encode(payload)
    assert text == phe.util.base64url_encode(payload)
    assert util.base64url_decode(text) == payload == phe.util.base64url_decode(text)


@pytest.mark.parametrize("text", ["", "!", "A", "ab cd", "AB+C", "AB/C", "A+/C"])
def test_what_is_no_base64url(text: str) -> None:
    told = "base64url has - and _ where other base64 has" if {*text} & {*"+/"} else "." if text else "an empty string"
    with pytest.raises(ValueError, match=told):
        util.base64_to_int(text)


@pytest.mark.parametrize(("a", "b"), [(240, 46), (0, 5), (5, 0), (45, 127), (2**200, 3**100), (77, 99)])
def test_extended_euclid(a: int, b: int) -> None:
    assert util.extended_euclidean_algorithm(a, b) == phe.util.extended_euclidean_algorithm(a, b)


def test_modular_arithmetic() -> None:
    for arguments in ((2, 3, 5), (2, -1, 5), (2**70000, 3, 101)):
        assert util.powmod(*arguments) == phe.util.powmod(*arguments)
    assert [util.mulmod(3, 5, 7), util.mulmod(-3, 5, 7)] == [1, 6]
    assert util.invert(3, 7) == 5
    with pytest.raises(ZeroDivisionError):
        util.invert(2, 4)
    with pytest.raises(ValueError, match="cannot be 0"):
        util.powmod(2, 3, 0)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8, 64, 257])
def test_primes_have_exactly_the_length_asked_for(bits: int) -> None:
    for _ in range(10):
        prime = util.getprimeover(bits)
        assert prime.bit_length() == max(bits, 2)
        assert util.is_prime(prime)
    with pytest.raises(ValueError, match="at least 1"):
        util.getprimeover(0)


def test_h10_candidates_are_tested_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those alone that gmpy2's test lets pass."""
    tested: list[tuple[int, int]] = []
    given = iter([0, 3, 5, 7])  # 64, 67, 69 and 71
    monkeypatch.setattr(secrets, "randbits", lambda _: next(given))
    monkeypatch.setattr(util, "is_probable_prime", lambda *asked: tested.append(asked) or asked[0] != 67)
    assert util.getprimeover(7) == 71
    assert tested == [(67, 5), (71, 5)]
    tested.clear()
    assert [util.is_prime(7), util.is_prime(7, 3), util.is_prime(67), util.miller_rabin(7, 4)] == [
        True,
        True,
        False,
        True,
    ]
    assert tested == [(7, 25), (7, 3), (67, 25), (7, 4)]


def test_nothing_imports_it() -> None:
    """It is a place for old code only."""
    root = Path(vecphe.__file__).parent
    importers = [
        path.relative_to(root)
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and node.module == "vecphe.phe.util")
        or (isinstance(node, ast.ImportFrom) and node.module == "vecphe.phe" and "util" in {a.name for a in node.names})
        or (isinstance(node, ast.Import) and "vecphe.phe.util" in {a.name for a in node.names})
    ]
    assert importers == [Path("phe/__init__.py")]


@pytest.mark.parametrize("n", [1, 0, -7])
def test_primality_below_two(n: int) -> None:
    with pytest.raises(ValueError, match="n must be at least 2"):
        util.miller_rabin(n, 5)
    assert not util.is_prime(n)
    assert [util.miller_rabin(number, 5) for number in (2, 3, 4)] == [True, True, False]


def test_primes_of_two_bits_are_both() -> None:
    assert {util.getprimeover(2) for _ in range(60)} == {2, 3}
    assert (util.first_primes[0], len(util.first_primes), util.first_primes[-1]) == (2, 2048, 17863)
    assert (util.HAVE_GMP, util.HAVE_CRYPTO) == (True, False)


@pytest.mark.parametrize("value", [0, -1, "1", 1.0, None])
def test_what_is_no_positive_integer_is_not_encoded(value: object) -> None:
    for kind in (ValueError, AssertionError):  # phe's own kind too
        with pytest.raises(kind, match=r"^only positive integers can be encoded$"):
            util.int_to_base64(value)
