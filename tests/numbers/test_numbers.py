"""Key rules: HAZARDS rows 1 to 11, 13 to 15."""

from __future__ import annotations

import copy
import itertools
import logging
import math
import pickle
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from gmpy2 import is_prime, next_prime
from tests.toys import composite_after, toy_keypair

import vecphe
from vecphe import InsecureKeyWarning, InvalidKeyError, PrivateKey, PublicKey
from vecphe.numbers import primes
from vecphe.numbers.key_numbers import GREATEST_KEY_LENGTH, PublicNumbers, check_private_numbers
from vecphe.numbers.primes import is_probable_prime, random_prime_pair


@pytest.mark.parametrize("key_length", [0, -2048, 3, 65, 2049, 254, 16386, 10**9, True, 2048.0, "2048", None])
def test_h01_bad_key_lengths(key_length: object) -> None:
    started = time.perf_counter()
    with pytest.raises(InvalidKeyError, match="key_length"):
        vecphe.generate_keypair(key_length, insecure=True)  # type: ignore[arg-type]
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("key_length", [256, 1024, 2046])
def test_h02_short_keys_need_insecure(key_length: int) -> None:
    with pytest.raises(InvalidKeyError, match="insecure=True"):
        vecphe.generate_keypair(key_length)


def test_h02_short_keys_warn_once() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vecphe.generate_keypair(256, insecure=True)
    assert [warning.category for warning in caught] == [InsecureKeyWarning]
    assert caught[0].filename == __file__


def test_h02_a_short_n_from_outside_needs_insecure_and_warns_once() -> None:
    n = math.prod(random_prime_pair(512))
    with pytest.raises(InvalidKeyError, match="insecure=True"):
        PublicKey(n)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        PublicKey(n, insecure=True)
    assert [warning.category for warning in caught] == [InsecureKeyWarning]
    assert caught[0].filename == __file__


def test_h02_below_256_bits_there_is_only_the_door_of_the_tests() -> None:
    p, q = random_prime_pair(254)
    with pytest.raises(InvalidKeyError, match="254 bits; at least 256"):
        PublicKey(p * q, insecure=True)
    public_key, private_key = toy_keypair(p, q)
    wide = vecphe.FixedPoint(0, 2**60)
    assert private_key.decrypt(public_key.encrypt([-7], encoding=wide)).tolist() == [-7]


def test_numpy_integers_are_key_lengths() -> None:
    assert vecphe.generate_keypair(np.int64(256), insecure=True)[0].key_length == 256  # type: ignore[arg-type]


def test_h02_a_2048_bit_key_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        public_key, _ = vecphe.generate_keypair(2048)
    assert public_key.key_length == 2048


def test_the_default_key_length_is_3072() -> None:
    assert vecphe.DEFAULT_KEY_LENGTH == 3072
    assert vecphe.generate_keypair()[0].key_length == 3072


@pytest.mark.parametrize("key_length", [256, 512, 514, 1024])
def test_generated_keys_follow_the_rules(key_length: int) -> None:
    public_key, private_key = vecphe.generate_keypair(key_length, insecure=True)
    p, q, n = private_key.p, private_key.q, public_key.n
    assert n == p * q
    assert n.bit_length() == key_length
    assert p.bit_length() == q.bit_length() == key_length // 2
    assert p % 4 == q % 4 == 3
    assert math.gcd(p - 1, q - 1) == 2
    assert abs(p - q) > 1 << (key_length // 2 - 100)
    assert is_probable_prime(p, 10)
    assert is_probable_prime(q, 10)


@pytest.mark.parametrize("n", [0, 1, -15, 2**2048, True, 3.0, "15", None, b"15"])
def test_h03_n_of_wrong_kind(n: object) -> None:
    with pytest.raises(InvalidKeyError):
        PublicKey(n, insecure=True)  # type: ignore[arg-type]


def test_h03_what_only_looks_like_a_good_n() -> None:
    n = math.prod(random_prime_pair(512))
    for bad in (-n, float(n), str(n), f"{n:x}", n.to_bytes(64, "big"), [n], 2 * n, n + 1):
        with pytest.raises(InvalidKeyError, match=r"^n "):
            PublicKey(bad, insecure=True)  # type: ignore[arg-type]


def test_h03_h04_h05_n_that_is_no_modulus() -> None:
    p, q = random_prime_pair(512)
    prime = int(next_prime(1 << 511))
    for n, reason in (
        (2 * p * q, "small factor"),
        (3 * p * q, "small factor"),
        (1_048_573 * p * q, "small factor"),  # the largest prime below 2^20
        (prime, "prime or a perfect power"),
        (p * p, "prime or a perfect power"),
        (p**3, "prime or a perfect power"),
        (p**5, "prime or a perfect power"),
    ):
        with pytest.raises(InvalidKeyError, match=reason):
            PublicKey(n, insecure=True)
    assert PublicKey(p * q, insecure=True).n == p * q
    above = 1_048_583 * p * q  # by the smallest prime above 2^20
    assert PublicKey(above, insecure=True).n == above


def test_h06_a_huge_n_is_rejected_before_any_arithmetic() -> None:
    n = (1 << 10**6) + 1
    started = time.perf_counter()
    with pytest.raises(InvalidKeyError, match="at most 16384 bits"):
        PublicKey(n)
    assert time.perf_counter() - started < 1


def test_h07_h13_primes_of_another_key(keypair: tuple[PublicKey, PrivateKey]) -> None:
    public_key, private_key = keypair
    p, q = private_key.p, private_key.q
    for bad in ((p, p), (1, p * q), (p * q, 1), (p, composite_after(q)), (-p, -q), (0, 0), (p, 10**100_000 + 1)):
        with pytest.raises(InvalidKeyError):
            PrivateKey(public_key, *bad)
    for bad in ((float(p), q), (True, q), (str(p), q), (None, q)):
        with pytest.raises(InvalidKeyError):
            PrivateKey(public_key, *bad)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a PublicKey"):
        PrivateKey(private_key, p, q)  # type: ignore[arg-type]
    assert PrivateKey(public_key, q, p).p == min(p, q)


def test_h07_primes_whose_product_is_another_n() -> None:
    p, q = random_prime_pair(512)
    other, another = random_prime_pair(512)
    public_key = PublicKey(p * q, insecure=True)
    for bad in ((p, other), (other, q), (other, another)):
        with pytest.raises(InvalidKeyError, match="not the public key's n"):
            PrivateKey(public_key, *bad)


def test_h07_a_square_is_no_modulus_even_with_its_root_at_hand() -> None:
    p, _ = random_prime_pair(512)
    with pytest.raises(InvalidKeyError, match="too close"):
        check_private_numbers(PublicNumbers(p * p), p, p)


def test_h08_composite_factors() -> None:
    p, q = random_prime_pair(256)
    r, s = random_prime_pair(260)
    public_key = PublicKey(p * q * r * s, insecure=True)
    pairs = [(p * r, q * s), (p * s, q * r)]
    equal = [pair for pair in pairs if pair[0].bit_length() == pair[1].bit_length()]
    assert equal
    for pair in equal:
        with pytest.raises(InvalidKeyError, match="must be primes"):
            PrivateKey(public_key, *pair)


def test_h08_one_composite_factor_is_enough() -> None:
    r, s = random_prime_pair(256)
    p, _ = random_prime_pair(512)
    public_key = PublicKey(p * r * s, insecure=True)
    for pair in ((p, r * s), (r * s, p)):
        with pytest.raises(InvalidKeyError, match="must be primes"):
            PrivateKey(public_key, *pair)


def test_h08_imported_primes_have_64_rounds_with_bases_of_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = random_prime_pair(512)
    bases: list[int] = []
    draw = primes.secrets.randbelow

    def counted(bound: int) -> int:
        bases.append(draw(bound))
        return bases[-1]

    monkeypatch.setattr(primes.secrets, "randbelow", counted)
    public_key = PublicKey(p * q, insecure=True)
    bases.clear()
    PrivateKey(public_key, p, q)
    assert len(bases) == 2 * 64
    assert len(set(bases)) == len(bases)


def test_h08_a_composite_beside_a_prime_is_found_after_a_round_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 rounds of a prime of 8192 bits take eight seconds; a file that is to be refused cannot ask for them."""
    r, s = random_prime_pair(256)
    p, _ = random_prime_pair(512)
    public_key = PublicKey(p * r * s, insecure=True)
    draw, bounds = primes.secrets.randbelow, list[int]()
    monkeypatch.setattr(primes.secrets, "randbelow", lambda bound: bounds.append(bound) or draw(bound))
    for pair in ((p, r * s), (r * s, p)):
        bounds.clear()
        with pytest.raises(InvalidKeyError, match="must be primes"):
            PrivateKey(public_key, *pair)
        assert len(bounds) <= 2


def test_h08_strong_pseudoprimes_are_found() -> None:
    # Strong pseudoprimes to the bases 2, 3, 5, 7 (OEIS A014233) and an Arnault-style Carmichael number.
    for composite in (3215031751, 2152302898747, 3474749660383, 341550071728321, 561):
        assert is_probable_prime(composite, 64) is False
    for prime in (2, 3, 5, 2**127 - 1, 2**521 - 1):
        assert is_probable_prime(prime, 64)


def test_h09_unequal_lengths_and_a_shared_factor_of_phi() -> None:
    p, _ = random_prime_pair(512)
    small, _ = random_prime_pair(400)
    with pytest.raises(InvalidKeyError, match="equal length"):
        PrivateKey(PublicKey(p * small, insecure=True), p, small)
    # q = 1 mod p makes gcd(n, phi) = p; q then is longer than p, which is rejected already.
    q = 2 * p + 1
    while not is_probable_prime(q, 5):
        q += 2 * p
    with pytest.raises(InvalidKeyError):
        PrivateKey(PublicKey(p * q, insecure=True), p, q)


def test_h10_close_primes() -> None:
    p = int(next_prime(3 << 510))
    q = int(next_prime(p + 1000))
    with pytest.raises(InvalidKeyError, match="too close"):
        PrivateKey(PublicKey(p * q, insecure=True), p, q)


def test_h10_primes_may_not_share_their_top_100_bits() -> None:
    p = int(next_prime(3 << 510))
    for distance, accepted in ((1 << 411, False), (1 << 413, True)):
        q = int(next_prime(p + distance))
        public_key = PublicKey(p * q, insecure=True)
        if accepted:
            assert PrivateKey(public_key, p, q).q == q
        else:
            with pytest.raises(InvalidKeyError, match="too close"):
                PrivateKey(public_key, p, q)


@pytest.mark.parametrize(
    ("p", "q", "told"),
    [
        ((1 << GREATEST_KEY_LENGTH) + 1, 3, "must be odd primes"),
        (3, (1 << GREATEST_KEY_LENGTH) + 1, "must be odd primes"),
        ((1 << GREATEST_KEY_LENGTH) - 1, 3, "not the public key's n"),
        (3, (1 << GREATEST_KEY_LENGTH) - 1, "not the public key's n"),
        (2, 7, "must be odd primes"),
        (7, 2, "must be odd primes"),
        (3, 5, "of equal length"),
        (19, 23, "too close"),
        (23, 19, "too close"),
        (17, 25, "must be primes"),
        (17, 23, None),
        (29, 23, None),
    ],
    ids=range(12),
)
def test_h10_what_primes_have_to_be(p: int, q: int, told: str | None) -> None:
    n = p * q if p * q < 1000 else 15
    if told is None:
        found = check_private_numbers(PublicNumbers(n), p, q)
        assert (found.p, found.q) == (min(p, q), max(p, q))
    else:
        with pytest.raises(InvalidKeyError, match=told):
            check_private_numbers(PublicNumbers(n), p, q)


def test_h10_close_primes_are_not_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    def blum_prime_above(start: int) -> int:
        return next(c for c in itertools.count(start | 3, 4) if is_probable_prime(c, 5))

    p = blum_prime_above(3 << 510)
    near, far = blum_prime_above(p + 1000), blum_prime_above(p + (1 << 509))
    while math.gcd(p - 1, near - 1) != 2:
        near = blum_prime_above(near + 4)
    while math.gcd(p - 1, far - 1) != 2:
        far = blum_prime_above(far + 4)
    drawn = iter([p, near, p, far])
    monkeypatch.setattr(primes, "_random_prime", lambda bits: next(drawn))
    assert random_prime_pair(1024) == (p, far)


def test_h11_a_base_that_factors_n_rejects_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    from vecphe.randomness import randomizers

    p, q = random_prime_pair(512)
    key = PublicKey(p * q, insecure=True)
    for x in (p, 5 * q, p + 1, q - 1, 1, p * q - 1):  # gcd(x, n) > 1, or x^2 = 1 modulo a prime
        monkeypatch.setattr(randomizers.secrets, "randbelow", lambda bound, x=x: x - 1)
        with pytest.raises(InvalidKeyError, match="never use this key"):
            key.prepare(100)
        with pytest.raises(InvalidKeyError, match="never use this key"):
            key.encrypt(np.zeros(5))
        assert key.table_bytes == 0


def test_h14_private_keys_keep_their_secrets(
    keypair: tuple[PublicKey, PrivateKey], caplog: pytest.LogCaptureFixture
) -> None:
    _, private_key = keypair
    caplog.set_level(logging.DEBUG)
    logging.getLogger("test").warning("%s %r", private_key, private_key._numbers)
    shown = caplog.text + repr(private_key) + str(private_key) + f"{private_key}" + repr(private_key._numbers)
    for secret in (private_key.p, private_key.q, (private_key.p - 1) * (private_key.q - 1)):
        for form in (str(secret), f"{secret:x}"):
            assert form not in shown
    for secret_thing in (private_key, private_key._numbers):
        with pytest.raises(TypeError, match="refuse"):
            pickle.dumps(secret_thing)
        assert copy.copy(secret_thing) is copy.deepcopy(secret_thing) is secret_thing


def test_h14_messages_of_rejected_primes_hold_no_digits() -> None:
    p, q = random_prime_pair(512)
    public_key = PublicKey(p * q, insecure=True)
    with pytest.raises(InvalidKeyError) as caught:
        PrivateKey(public_key, p, q + 2)
    assert str(p) not in str(caught.value)
    assert str(q) not in str(caught.value)


def test_h15_equality_and_hash(
    keypair: tuple[PublicKey, PrivateKey], other_keypair: tuple[PublicKey, PrivateKey]
) -> None:
    public_key, private_key = keypair
    assert (public_key == None) is False  # noqa: E711
    assert (public_key == 5) is False
    assert (private_key == None) is False  # noqa: E711
    assert (private_key == public_key) is False
    same = PublicKey(public_key.n, insecure=True)
    assert public_key == same
    assert hash(public_key) == hash(same)
    assert public_key != other_keypair[0]
    again = PrivateKey(same, private_key.p, private_key.q)
    assert again == private_key
    assert hash(again) == hash(private_key)


def test_h15_the_hash_is_that_of_the_numbers_in_every_process(public_key: PublicKey) -> None:
    script = f"import vecphe; print(hash(vecphe.PublicKey({public_key.n}, insecure=True)))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    before = hash(public_key)
    public_key.prepare(100)
    public_key.encrypt(np.zeros(3))
    assert before == hash(public_key) == int(done.stdout)
    assert len({public_key, PublicKey(public_key.n, insecure=True)}) == 1


def test_public_keys_pickle_without_their_base(public_key: PublicKey) -> None:
    public_key.prepare(1000)
    data = pickle.dumps(public_key)
    assert len(data) < 300
    assert pickle.loads(data) == public_key


@pytest.mark.parametrize(
    ("key_length", "drawn", "pair"),
    [(32, (3, 7, 11, 23), (3, 11)), (208, (3, 19, 23), (3, 23)), (32, (23, 3, 7), (3, 23)), (32, (7, 19, 23), (7, 23))],
)
def test_h10_primes_differ_by_more_than_the_least_and_share_no_factor_but_2(
    key_length: int, drawn: tuple[int, ...], pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By more than 4, and by more than 2^(half - 100); 7 - 1 and 19 - 1 have the factor 3 in common."""
    left = iter(drawn)
    monkeypatch.setattr("vecphe.numbers.primes._random_prime", lambda _: next(left))
    assert random_prime_pair(key_length) == pair


def test_small_numbers_are_told_from_primes() -> None:
    small = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47}
    for candidate in range(-5, 50):
        assert is_probable_prime(candidate, 5) is (candidate in small)


def test_what_the_library_takes_for_a_prime_has_five_more_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        primes, "is_probable_prime", lambda candidate, rounds: asked.append((candidate, rounds)) or True
    )
    assert primes._random_prime(64) == asked[0][0]
    assert is_prime(asked[0][0])
    assert [rounds for _, rounds in asked] == [5]
