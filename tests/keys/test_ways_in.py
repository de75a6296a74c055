"""Every guard on a key, at every way that a key comes in: constructor, bytes, JSON, files, web keys, phe, commands."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gmpy2 import next_prime
from tests.toys import composite_after

from vecphe import InvalidKeyError, PrivateKey, PublicKey, VecpheError
from vecphe.cli.streams import load_private_key, load_public_key
from vecphe.numbers.key_numbers import PublicNumbers
from vecphe.numbers.primes import has_small_factor, random_prime_pair
from vecphe.serialization import KEY_FILE_BYTES, json_from_frame
from vecphe.serialization.frames import Kind, build_frame, primes_body, public_body
from vecphe.serialization.jwk import (
    GREATEST_TEXT,
    integer_from_base64url,
    integer_to_base64url,
    private_jwk,
    public_jwk,
)

# Whatever the numbers are: what is written here is not checked, so that the way in has to.


def public_frame(n: int) -> bytes:
    return build_frame(Kind.PUBLIC_KEY, PublicNumbers(n).fingerprint, public_body(n))


def private_frame(p: int, q: int) -> bytes:
    return build_frame(Kind.PRIVATE_KEY, PublicNumbers(p * q).fingerprint, primes_body(p, q))


def private_web_key(p: int, q: int) -> str:
    return json.dumps(private_jwk(public_jwk(p * q), p, q))


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return path


PublicWay = Callable[[int, bool, Path], Any]
PUBLIC: dict[str, PublicWay] = {
    "constructor": lambda n, insecure, path: PublicKey(n, insecure=insecure),
    "from_bytes": lambda n, insecure, path: PublicKey.from_bytes(public_frame(n), insecure=insecure),
    "from_json": lambda n, insecure, path: PublicKey.from_json(json_from_frame(public_frame(n)), insecure=insecure),
    "load": lambda n, insecure, path: PublicKey.load(written(path, public_frame(n)), insecure=insecure),
    "load JSON": lambda n, insecure, path: PublicKey.load(
        written(path, json_from_frame(public_frame(n))), insecure=insecure
    ),
    "from_jwk": lambda n, insecure, path: PublicKey.from_jwk(json.dumps(public_jwk(n)), insecure=insecure),
    "from_jwk of a dict": lambda n, insecure, path: PublicKey.from_jwk(public_jwk(n), insecure=insecure),
    "from_phe": lambda n, insecure, path: PublicKey.from_phe(SimpleNamespace(n=n), insecure=insecure),
    "command": lambda n, insecure, path: load_public_key(written(path, public_frame(n)), insecure),
    "command, JSON": lambda n, insecure, path: load_public_key(
        written(path, json_from_frame(public_frame(n))), insecure
    ),
    "command, JWK": lambda n, insecure, path: load_public_key(written(path, json.dumps(public_jwk(n))), insecure),
}
PrivateWay = Callable[[int, int, bool, Path], Any]
PRIVATE: dict[str, PrivateWay] = {
    "constructor": lambda p, q, insecure, path: PrivateKey(PublicKey(p * q, insecure=insecure), p, q),
    "from_bytes": lambda p, q, insecure, path: PrivateKey.from_bytes(private_frame(p, q), insecure=insecure),
    "from_json": lambda p, q, insecure, path: PrivateKey.from_json(
        json_from_frame(private_frame(p, q)), insecure=insecure
    ),
    "load": lambda p, q, insecure, path: PrivateKey.load(written(path, private_frame(p, q)), insecure=insecure),
    "from_jwk": lambda p, q, insecure, path: PrivateKey.from_jwk(private_web_key(p, q), insecure=insecure),
    "from_phe": lambda p, q, insecure, path: PrivateKey.from_phe(
        SimpleNamespace(public_key=SimpleNamespace(n=p * q), p=p, q=q), insecure=insecure
    ),
    "command": lambda p, q, insecure, path: load_private_key(written(path, private_frame(p, q)), None, insecure),
    "command, JWK": lambda p, q, insecure, path: load_private_key(written(path, private_web_key(p, q)), None, insecure),
}
REFUSED = (VecpheError, ValueError)


@pytest.fixture(params=PUBLIC)
def public_way(request: pytest.FixtureRequest) -> PublicWay:
    return PUBLIC[request.param]


@pytest.fixture(params=PRIVATE)
def private_way(request: pytest.FixtureRequest) -> PrivateWay:
    return PRIVATE[request.param]


@cache
def primes_of(bits: int) -> tuple[int, int]:
    return random_prime_pair(bits)


def test_h02_public_keys_below_2048_bits_need_insecure(public_way: PublicWay, tmp_path: Path) -> None:
    for bits in (256, 2046):
        n = math.prod(primes_of(bits))
        with pytest.raises(REFUSED, match="insecure"):
            public_way(n, False, tmp_path / "key")
        assert public_way(n, True, tmp_path / "key").n == n
    n = math.prod(primes_of(2048))
    assert public_way(n, False, tmp_path / "key").n == n


def test_h02_private_keys_below_2048_bits_need_insecure(private_way: PrivateWay, tmp_path: Path) -> None:
    for bits in (256, 2046):
        with pytest.raises(REFUSED, match="insecure"):
            private_way(*primes_of(bits), False, tmp_path / "key")
        key = private_way(*primes_of(bits), True, tmp_path / "key")
        assert (key.p, key.q) == primes_of(bits)
    assert private_way(*primes_of(2048), False, tmp_path / "key").public_key.n == math.prod(primes_of(2048))


def test_h02_insecure_is_no_default() -> None:
    public, (p, q) = PublicKey(math.prod(primes_of(512)), insecure=True), primes_of(512)
    private = PrivateKey(public, p, q)
    phe_key = SimpleNamespace(n=public.n)
    for load in (
        lambda: PublicKey(public.n),
        lambda: PublicKey.from_bytes(public.to_bytes()),
        lambda: PublicKey.from_json(public.to_json()),
        lambda: PublicKey.from_jwk(public.to_jwk()),
        lambda: PublicKey.from_phe(phe_key),
        lambda: PrivateKey.from_bytes(private.to_bytes()),
        lambda: PrivateKey.from_json(private.to_json()),
        lambda: PrivateKey.from_jwk(private.to_jwk()),
        lambda: PrivateKey.from_phe(SimpleNamespace(public_key=phe_key, p=p, q=q)),
    ):
        with pytest.raises(InvalidKeyError, match="insecure=True"):
            load()


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_h02_insecure_is_no_default_of_load(tmp_path: Path, keypair: tuple[PublicKey, PrivateKey], suffix: str) -> None:
    for key in keypair:
        path = tmp_path / f"{type(key).__name__}{suffix}"
        key.save(path)
        with pytest.raises(InvalidKeyError, match="insecure=True"):
            type(key).load(path)
        assert type(key).load(path, insecure=True) == key


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (lambda p, q: 2 * p * q, "small factor"),
        (lambda p, q: 3 * p * q, "small factor"),
        (lambda p, q: 1_048_573 * p * q, "small factor"),  # the largest prime below 2^20
        (lambda p, q: int(next_prime(p * q)), "prime or a perfect power"),
        (lambda p, q: p * p, "prime or a perfect power"),
        (lambda p, q: p**3, "prime or a perfect power"),
        (lambda p, q: math.prod(primes_of(254)), "254 bits; at least 256"),
    ],
)
def test_h03_h04_h05_what_is_no_modulus(
    public_way: PublicWay, tmp_path: Path, number: Callable[[int, int], int], words: str
) -> None:
    with pytest.raises(REFUSED, match=words):
        public_way(number(*primes_of(512)), True, tmp_path / "key")
    assert public_way(1_048_583 * math.prod(primes_of(512)), True, tmp_path / "key")  # the least prime that is large


@cache
def modulus_of(bits: int, below: int = 0) -> int:
    """No product of two primes, but nothing that an outsider could see."""
    n = (1 << bits) - 1 - below
    while has_small_factor(n):
        n -= 2
    return n


def test_h06_the_longest_n_and_the_next(public_way: PublicWay, tmp_path: Path) -> None:
    with pytest.raises(REFUSED, match=r"at most 16384 bits|longer than (16384 bits|2048 bytes)"):
        public_way(modulus_of(16385), False, tmp_path / "key")
    assert public_way(modulus_of(16384), False, tmp_path / "key").key_length == 16384


@pytest.mark.slow
def test_h06_the_longest_primes_and_the_next(private_way: PrivateWay, tmp_path: Path) -> None:
    """They are none, which is seen only once their lengths are accepted."""
    for p, words in ((modulus_of(8192), "must be primes"), (modulus_of(8193), "16384 bits|longer than")):
        with pytest.raises(REFUSED, match=words):
            private_way(modulus_of(p.bit_length(), 1 << 8190), p, False, tmp_path / "key")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, q: (p, int(next_prime(p))), "too close"),
        (lambda p, q: (p, composite_after(q)), "must be primes"),
        (lambda p, q: (p, int(next_prime(q << 8))), "equal length"),
        (lambda p, q: (p, p), "perfect power|smaller prime"),
    ],
    ids=["close", "composite", "unequal", "equal"],
)
def test_h07_h08_h09_h10_bad_primes(
    private_way: PrivateWay, tmp_path: Path, change: Callable[[int, int], tuple[int, int]], words: str
) -> None:
    p, q = primes_of(512)
    with pytest.raises(REFUSED, match=words) as caught:
        private_way(*change(p, q), True, tmp_path / "key")
    for prime in (p, q):
        assert str(prime)[:20] not in str(caught.value)


def test_h12_the_longest_key_file_and_the_next(tmp_path: Path, keypair: tuple[PublicKey, PrivateKey]) -> None:
    assert KEY_FILE_BYTES == 1 << 16
    loads: list[Callable[[Path], Any]] = [
        lambda path: PublicKey.load(path, insecure=True),
        lambda path: load_public_key(path, True),
    ]
    text = keypair[0].to_json()
    for load in loads:
        assert load(written(tmp_path / "key", text.ljust(KEY_FILE_BYTES))) == keypair[0]
        with pytest.raises(OSError, match="longer than the 65536 bytes"):
            load(written(tmp_path / "key", text.ljust(KEY_FILE_BYTES + 1)))
    for load in (lambda path: PrivateKey.load(path, insecure=True), lambda path: load_private_key(path, None, True)):
        assert load(written(tmp_path / "key", keypair[1].to_json().ljust(KEY_FILE_BYTES))) == keypair[1]
        with pytest.raises(OSError, match="longer than the 65536 bytes"):
            load(written(tmp_path / "key", keypair[1].to_json().ljust(KEY_FILE_BYTES + 1)))


def test_h12_the_longest_web_key_and_the_next(keypair: tuple[PublicKey, PrivateKey]) -> None:
    for key in keypair:
        text = key.to_jwk()
        assert type(key).from_jwk(text.ljust(GREATEST_TEXT), insecure=True) == key
        with pytest.raises(VecpheError, match="longer than 65536 characters"):
            type(key).from_jwk(text.ljust(GREATEST_TEXT + 1), insecure=True)


def test_h12_the_longest_number_of_a_web_key_and_the_next() -> None:
    longest = (1 << 16384) - 1
    assert integer_from_base64url(integer_to_base64url(longest), "n") == longest
    digits = integer_to_base64url(1 << 16384)  # a byte more
    assert integer_from_base64url(digits, "n") == 1 << 16384  # for n to be refused by its own rule
    with pytest.raises(VecpheError, match="n of the key is longer than 16384 bits"):
        integer_from_base64url("A" * (len(digits) + 2), "n")
