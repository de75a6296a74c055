"""Every engine that runs here against Python's own integers."""

from __future__ import annotations

import math
import random
import secrets
import sys
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpz
from tests.arithmetic.host_device import COMPILER, NOT_TESTED, HostDevice

from vecphe.arithmetic import (
    Engine,
    available_engines,
    engine_for,
    engine_named,
    integers_from_words,
    random_words,
    words,
    words_from_integers,
)
from vecphe.arithmetic.cuda import CudaEngine
from vecphe.arithmetic.engine import Ring, _terms_of_fold
from vecphe.arithmetic.gmp import GmpFixedBase, GmpRing, _straus_window
from vecphe.errors import EngineUnavailableError, InvalidCiphertextError
from vecphe.numbers.primes import random_prime_pair

RUNNING = [name for name, reason in available_engines() if reason is None]
BATCHES = [0, 1, 7, 8, 9, 15, 16, 17, 1023]


ON_HOST = "cuda on the host"


@cache
def engine_on_host() -> Engine:
    return CudaEngine(HostDevice())


@pytest.fixture(params=[*RUNNING, ON_HOST])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param != ON_HOST:
        return engine_named(request.param)
    if not COMPILER:
        pytest.skip(NOT_TESTED)
    return engine_on_host()


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("at_once", [4096, 8])
def test_operands_of_another_length_are_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, count: int, at_once: int
) -> None:
    """Not cut off at the shorter of both."""
    monkeypatch.setattr("vecphe.arithmetic.gmp._MOST_BITS_AT_ONCE", at_once)
    ring = engine.ring(1000003)
    batch, numbers = ring.load([3, 5, 7]), [1, 2, 3, 4][:count]
    for compute in (
        lambda: ring.multiply(batch, ring.load(numbers)),
        lambda: ring.multiply(ring.load(numbers), batch),
        lambda: ring.multiply_plain(batch, words_from_integers(numbers, 1), 1),
        lambda: ring.power_vartime(batch, numbers),
        lambda: ring.power_secret(batch, words_from_integers(numbers, 1)),
    ):
        with pytest.raises(
            ValueError, match=r"zip|of different size|one row of words a residue|as many .* as residues"
        ):
            ring.store(compute())


@pytest.fixture(scope="module")
def primes() -> tuple[int, int]:
    return random_prime_pair(512)


def edge_operands(n: int, count: int) -> list[int]:
    """Units mod n^2: edges, long runs of ones and zeros, then random ones."""
    generator = random.Random(count + n)
    edges = [1, 2, n - 1, n + 1, n * n - 1, n * n - n + 1, (1 << (n.bit_length() - 1)) - 1, (1 << n.bit_length()) + 1]
    values = [edge for edge in edges if 0 < edge < n * n and math.gcd(edge, n) == 1]
    while len(values) < count:
        value = generator.randrange(1, n * n)
        if math.gcd(value, n) == 1:
            values.append(value)
    return values[:count]


@pytest.mark.parametrize("count", BATCHES)
def test_h47_product_power_inverse_of_batches_equal_python(engine: Engine, primes: tuple[int, int], count: int) -> None:
    n = math.prod(primes)
    ring = engine.ring(n)
    left, right = edge_operands(n, count), edge_operands(n, count)[::-1]
    x, y = ring.load(left), ring.load(right)
    assert ring.size(x) == count
    assert ring.store(x) == left
    assert ring.store(ring.multiply(x, y)) == [a * b % n**2 for a, b in zip(left, right, strict=True)]
    assert ring.store(ring.invert(x)) == [pow(a, -1, n**2) for a in left]
    assert ring.store_bytes(x) == b"".join(a.to_bytes(ring.ciphertext_bytes, "little") for a in left)
    assert ring.store(ring.load_bytes(ring.store_bytes(x))) == left
    assert ring.store(ring.product(x, 1, count, 1)) == [math.prod(left) % n**2]


@pytest.mark.parametrize("bits", [0, 1, 64, 65, 512])
def test_h47_exponents_of_every_length(engine: Engine, primes: tuple[int, int], bits: int) -> None:
    n = math.prod(primes)
    ring = engine.ring(n)
    bases = edge_operands(n, 17)
    generator = random.Random(bits)
    exponents = [(1 << bits) - 1, 1 << (bits - 1) if bits else 0, 0] + [generator.getrandbits(bits) for _ in range(14)]
    expected = [pow(base, exponent, n**2) for base, exponent in zip(bases, exponents, strict=True)]
    words = words_from_integers(exponents, max(-(-bits // 64), 1))
    batch = ring.load(bases)
    assert ring.store(ring.power_vartime(batch, exponents)) == expected
    assert ring.store(ring.power_secret(batch, words)) == expected
    base = bases[-1]
    for window in (1, 3, 4, 7):
        table = ring.fixed_base(base, max(bits, 1), window)
        assert ring.store(table.power_secret(words)) == [pow(base, exponent, n**2) for exponent in exponents]


@pytest.mark.parametrize("window", [1, 2, 5, 8])
def test_fixed_base_of_an_empty_and_a_single_batch(engine: Engine, primes: tuple[int, int], window: int) -> None:
    n = math.prod(primes)
    ring = engine.ring(n)
    table = ring.fixed_base(3, 70, window)
    assert ring.store(table.power_secret(words_from_integers([], 2))) == []
    assert ring.store(table.power_secret(words_from_integers([2**70 - 1], 2))) == [pow(3, 2**70 - 1, n**2)]
    assert table.table_bytes > 2 * 2**window * (70 // window) * 64  # 64 bytes a coordinate


def test_plaintext_product_decryption_and_offsets(engine: Engine, primes: tuple[int, int]) -> None:
    p, q = primes
    n = p * q
    ring, decryptor = engine.ring(n), engine.decryptor(p, q)
    plaintexts = [0, 1, n - 1, n // 2, 2**64 - 1, 2**64, *(random.Random(1).randrange(n) for _ in range(20))]
    words = words_from_integers(plaintexts, ring.plaintext_words)
    for offset in (0, 1, -1, -(2**63), n - 1, -n + 1):
        encrypted = ring.multiply_plain(ring.ones(len(plaintexts)), words, offset)
        assert ring.store(encrypted) == [(1 + (m + offset) % n * n) % n**2 for m in plaintexts]
        decrypted = decryptor.decrypt(ring, encrypted, -offset)
        assert integers_from_words(decrypted) == plaintexts
        assert decrypted.dtype == np.uint64
        assert decrypted.shape == (len(plaintexts), ring.plaintext_words)


def test_take_concatenate_and_products_along_an_axis(engine: Engine, primes: tuple[int, int]) -> None:
    n = math.prod(primes)
    ring = engine.ring(n)
    values = edge_operands(n, 30)
    batch = ring.load(values)
    order = np.array([29, 0, 0, 7])
    assert ring.store(ring.take(batch, order)) == [values[i] for i in order]
    assert ring.store(ring.concatenate([batch, ring.ones(1), batch])) == [*values, 1, *values]
    assert ring.store(ring.concatenate((batch, batch))) == [*values, *values]
    grid = np.array(values, dtype=object).reshape(2, 5, 3)
    expected = [math.prod(grid[o, :, i]) % n**2 for o in range(2) for i in range(3)]
    assert ring.store(ring.product(batch, 2, 5, 3)) == expected
    assert ring.store(ring.product(ring.load([]), 2, 0, 3)) == [1] * 6


GROUPED: dict[str, tuple[list[int], int]] = {
    "none": ([], 3),
    "no groups": ([], 0),
    "one": ([2], 3),
    "each its own": ([*range(17)][::-1], 17),
    "one of all": ([0] * 41, 1),
    "as many as lanes": ([0] * 8 + [1] * 8, 2),
    "one more than lanes": ([1] * 9, 3),
    "a long run among short ones": ([5] * 100 + [0, 1, 1, 3, 3, 3] + [5] * 3, 7),
    "of every length": ([i for i in range(20) for _ in range(i)], 20),
    "every residue of a vector in another": ([i % 8 for i in range(160)], 8),
    "shuffled": (random.Random(3).choices(range(5), k=203), 5),
    "one residue less than pays for parts": ([i % 3 for i in range(23)], 3),
    "just as many": ([i % 3 for i in range(24)], 3),
}


@pytest.mark.parametrize("case", GROUPED)
def test_h47_products_by_keys_equal_python(engine: Engine, primes: tuple[int, int], case: str) -> None:
    n, (keys, groups) = math.prod(primes), GROUPED[case]
    ring, values = engine.ring(n), edge_operands(n, len(keys))
    expected = [math.prod(v for v, k in zip(values, keys, strict=True) if k == g) % n**2 for g in range(groups)]
    batch = ring.load(values)
    for way in (ring.grouped_product, partial(Ring.grouped_product, ring)):
        assert ring.store(way(batch, np.array(keys, dtype=np.int64), groups)) == expected
    assert ring.store(batch) == values


@pytest.mark.parametrize(
    ("rows", "columns", "bits"), [(1, 1, 1), (3, 5, 32), (7, 4, 53), (2, 3, 600), (4, 0, 8), (0, 3, 8)]
)
def test_matrix_power(engine: Engine, primes: tuple[int, int], rows: int, columns: int, bits: int) -> None:
    n = math.prod(primes)
    ring = engine.ring(n)
    generator = random.Random(bits)
    matrix = [[generator.getrandbits(bits) for _ in range(columns)] for _ in range(rows)]
    values = edge_operands(n, columns)
    expected = [math.prod(pow(v, e, n**2) for v, e in zip(values, row, strict=True)) % n**2 for row in matrix]
    assert ring.store(ring.matrix_power_vartime(matrix, ring.load(values))) == expected


@pytest.mark.parametrize("n", [15, 33, 35, 51, 65, 69, 77])
def test_exhaustive_products_on_toy_moduli(engine: Engine, n: int) -> None:
    ring = engine.ring(n)
    units = [x for x in range(n * n) if math.gcd(x, n) == 1]
    batch = ring.load(units)
    assert ring.all_units(batch)
    for y in units[:: max(len(units) // 60, 1)]:
        products = ring.store(ring.multiply(batch, ring.load([y] * len(units))))
        assert products == [x * y % (n * n) for x in units]


def test_h31_h32_h33_load_rejects_what_is_no_residue(engine: Engine, primes: tuple[int, int]) -> None:
    n = math.prod(primes)
    ring = engine.ring(n)
    for bad in (-1, n * n, n * n + 5, 1 << 5000):
        with pytest.raises(InvalidCiphertextError, match=r"^not a valid ciphertext for this key$"):
            ring.load([1, bad])
    with pytest.raises(InvalidCiphertextError):
        ring.load_bytes(b"\xff" * ring.ciphertext_bytes)
    with pytest.raises(InvalidCiphertextError):
        ring.load_bytes(b"\x01" * (ring.ciphertext_bytes + 1))


def test_h31_units_are_told_from_zero_divisors(engine: Engine, primes: tuple[int, int]) -> None:
    p, q = primes
    n = p * q
    ring, decryptor = engine.ring(n), engine.decryptor(p, q)
    units = edge_operands(n, 20)
    assert ring.all_units(ring.load(units))
    assert ring.all_units(ring.load([]))
    for bad in (0, n, 5 * n, p, q * 7, p * p):
        batch = ring.load([*units, bad])
        assert not ring.all_units(batch)
        with pytest.raises(InvalidCiphertextError, match=r"^not a valid ciphertext for this key$"):
            decryptor.decrypt(ring, batch, 0)
        with pytest.raises(InvalidCiphertextError):
            ring.invert(batch)


def test_words_hold_uniform_bits() -> None:
    values = integers_from_words(random_words(400, 70))
    assert all(0 <= value < 2**70 for value in values)
    assert max(values) > 2**69
    assert len(set(values)) == 400
    assert random_words(0, 70).shape == (0, 2)


def test_many_words_are_made_in_threads_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    token_bytes = secrets.token_bytes
    monkeypatch.setattr(words.secrets, "token_bytes", lambda count: [asked.append(count), token_bytes(count)][1])
    monkeypatch.setattr(words, "_IN_THREADS_FROM", 8 * 1001)
    made = random_words(1001, 64)
    assert len(asked) == 4
    assert sum(asked) == 8 * 1001
    assert len(np.unique(made)) == 1001
    assert len(random_words(1000, 64)) == 1000
    assert len(asked) == 5


def test_a_fault_during_decryption_is_found(primes: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    from vecphe.arithmetic import gmp

    p, q = primes
    engine = gmp.GmpEngine()
    ring, decryptor = engine.ring(p * q), engine.decryptor(p, q)
    monkeypatch.setattr(gmp, "powmod_sec", lambda base, exponent, modulus: pow(base, exponent, modulus) ^ 2)
    with pytest.raises(InvalidCiphertextError):
        decryptor.decrypt(ring, ring.load([7]), 0)


@pytest.mark.parametrize("key_length", [1030, 2048, 2112, 2240, 3072])
def test_key_lengths(engine: Engine, key_length: int) -> None:
    p, q = random_prime_pair(key_length)
    n = p * q
    ring = engine.ring(n)
    values = edge_operands(n, 9)
    batch = ring.load(values)
    assert ring.store(ring.multiply(batch, batch)) == [v * v % n**2 for v in values]
    words = words_from_integers([2**100 - 1, 5], 2)
    assert ring.store(ring.fixed_base(values[-1], 100, 4).power_secret(words)) == [
        pow(values[-1], e, n**2) for e in (2**100 - 1, 5)
    ]
    plain = words_from_integers([n - 1, 12345], ring.plaintext_words)
    encrypted = ring.multiply_plain(ring.power_vartime(ring.load([7, 8]), [n, n]), plain, 0)
    assert np.array_equal(engine.decryptor(p, q).decrypt(ring, encrypted, 0), plain)


def test_resident_memory_is_at_most_one_and_a_half_times_canonical(engine: Engine) -> None:
    n = math.prod(random_prime_pair(2048))
    ring = engine.ring(n)
    loaded = ring.load(edge_operands(n, 64))
    table = ring.fixed_base(edge_operands(n, 64)[-1], 64, 4)
    powers = table.power_secret(words_from_integers(range(64, 128), 1))
    for batch in (loaded, ring.multiply(loaded, loaded), ring.invert(loaded), powers):
        assert ring.size(batch) == 64
        canonical = 64 * ring.ciphertext_bytes
        assert canonical <= ring.resident_bytes(batch) <= 1.5 * canonical


def test_words_and_indices_in_other_forms_are_the_same(engine: Engine, primes: tuple[int, int]) -> None:
    """Those of another byte order, every second row of a longer array, and indices of 32 bits."""
    p, q = primes
    ring = engine.ring(p * q)
    table, batch = ring.fixed_base(3, 128, 4), ring.load([5, 7, 11])
    words = words_from_integers([1, 2**64 + 2, 2**127 + 3], 2)
    expected = [ring.store(ring.power_secret(batch, words)), ring.store(table.power_secret(words))]
    expected.append(ring.store(ring.multiply_plain(batch, words, 0)))
    for form in (words.astype(">u8"), words.repeat(2, axis=0)[::2], np.asfortranarray(words)):
        made = [ring.power_secret(batch, form), table.power_secret(form), ring.multiply_plain(batch, form, 0)]
        assert [ring.store(one) for one in made] == expected
    indices: Any = np.array([2, 0, 2], np.int32)
    assert ring.store(ring.take(batch, indices)) == [11, 5, 11]
    for way in (ring.grouped_product, partial(Ring.grouped_product, ring)):
        assert ring.store(way(batch, indices, 3)) == [7, 1, 55]
        many = ring.load([2, 3] * 12)
        assert ring.store(way(many, np.array([0, 1] * 12, np.int32), 2)) == [2**12, 3**12]  # type: ignore[arg-type]


def test_decryption_of_primes_of_two_lengths(engine: Engine) -> None:
    for p, q in ((2**127 - 1, 2**521 - 1), (2**521 - 1, 2**127 - 1)):
        ring = engine.ring(p * q)
        plaintexts = words_from_integers([0, 1, p * q - 1], ring.plaintext_words)
        encrypted = ring.multiply_plain(ring.power_vartime(ring.load([2, 3, 5]), [p * q] * 3), plaintexts, 0)
        assert np.array_equal(engine.decryptor(p, q).decrypt(ring, encrypted, 0), plaintexts)


@pytest.mark.parametrize(
    ("sizes", "terms"),
    [
        ([2], 2),
        ([3], 2),
        ([4], 4),
        ([8], 8),
        ([15], 4),
        ([16], 16),
        ([31], 8),
        ([32], 16),
        ([16, 5], 16),
        ([16, 5, 1], 16),  # nothing is left to multiply of one
        ([16, 2, 2, 2], 2),
        ([7, 9], 4),  # just three quarters
        ([16, 8], 8),
    ],
)
def test_folds_take_in_three_quarters_of_what_is_left(sizes: list[int], terms: int) -> None:
    assert _terms_of_fold(np.array(sizes), max(sizes)) == terms


# Workers, least and greatest window, and of how many randomizers at once each becomes no cheaper.
TUNED = {
    "ifma": ("threads", 4, 8, 64),
    "ifma256": ("threads", 4, 8, 64),
    "fma512": ("threads", 4, 8, 64),
    "fma256": ("threads", 4, 7, 64),
    "neon": ("threads", 4, 7, 64),
    "portable": ("threads", 4, 8, 64),
    "gmp": ("processes", 1, 8, 1),
    ON_HOST: ("threads", 8, 16, 4096),
}


def test_what_engines_are_tuned_for(engine: Engine, request: pytest.FixtureRequest) -> None:
    """Windows are not only faster or slower, but take twice the memory a bit: a key's cap on it is that of others."""
    name, tuning = request.node.callspec.params["engine"], engine.tuning
    workers, least, greatest, full = TUNED[name]
    assert (tuning.workers, tuning.min_window, tuning.max_window) == (workers, least, greatest)
    assert full / 4 <= tuning.full_batch <= 4 * full
    assert tuning.table_memory == (100 if name == ON_HOST else 1)
    assert tuning.entry_cost > 0
    assert min(tuning.encrypt_task, tuning.multiply_task) > tuning.decrypt_task > 1
    assert tuning.carry_products > 1


def test_gmp_takes_keys_of_a_million_bits() -> None:
    assert engine_for((1 << (1 << 20)) - 1, "gmp").name == "gmp"
    with pytest.raises(EngineUnavailableError, match="keys of up to 1048576 bits, not 1048577; leave the engine away"):
        engine_for(1 << (1 << 20), "gmp")


def test_the_memory_of_gmp_is_that_of_its_numbers_and_of_what_points_at_them() -> None:
    """8 bytes a number."""
    ring = GmpRing(2**521 - 1)
    batch = ring.load([5, 2**900, 0])
    assert ring.resident_bytes(batch) == sum(sys.getsizeof(x) for x in (*batch.x0, *batch.x1)) + 8 * 6
    table = ring.fixed_base(3, 10, 4)
    rows = [*table._y0, *table._logs]
    assert [len(row) for row in rows] == [16] * 6
    assert table.table_bytes == sum(sys.getsizeof(x) for row in rows for x in row) + 8 * 6 * 16


def test_what_engines_say_of_themselves(engine: Engine, request: pytest.FixtureRequest) -> None:
    lanes = {"ifma": 8, "ifma256": 4, "fma512": 8, "fma256": 4, "neon": 2, "portable": 1, "gmp": 1, ON_HOST: 1 << 14}
    facts = engine.describe()
    assert facts["lanes"] == lanes[request.node.callspec.params["engine"]]
    assert facts["target"]
    assert facts["version"]


# What gmp's own algorithms cost: a choice that is off by one gives the same results, only later. --------------------


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts products of pairs, and squares."""
    counts, product, squares = [0, 0], GmpRing._product_pair, GmpRing._squares

    def counted_product(self: GmpRing, *pairs: Any) -> Any:
        counts[0] += 1
        return product(self, *pairs)

    def counted_squares(self: GmpRing, low: Any, high: Any, times: int) -> Any:
        counts[1] += times
        return squares(self, low, high, times)

    monkeypatch.setattr(GmpRing, "_product_pair", counted_product)
    monkeypatch.setattr(GmpRing, "_squares", counted_squares)
    return counts


@pytest.mark.parametrize(
    ("exponent", "window"),
    [
        *((1, 1), (2**5 - 1, 1), (2**12 - 1, 2), (2**512 - 1, 5), (2**1024 - 1, 6), (2**4096 - 1, 7)),
        (2**12000 - 1, 7),  # the greatest
    ],
)
def test_sliding_windows_take_the_products_that_they_must(products: list[int], exponent: int, window: int) -> None:
    n = 1_000_003 * 1_000_033
    x1, x0 = divmod(1234567891011, n)
    low, high = GmpRing(n)._power(mpz(x0), mpz(x1), mpz(exponent))
    assert low + high * n == pow(1234567891011, exponent, n * n)
    bits, table = exponent.bit_length(), 2 ** (window - 1)  # odd powers, made of the square and products by it
    assert products == [table + -(-bits // window), bits]


@pytest.mark.parametrize(("bits", "rows"), [(1, 1), (8, 1), (53, 1), (53, 10), (53, 1000), (600, 3), (4096, 2000)])
def test_no_other_window_of_a_matrix_takes_fewer_products(bits: int, rows: int) -> None:
    products = {window: 2**window + rows * math.ceil(bits / window) for window in range(1, 9)}
    assert products[_straus_window(bits, rows)] == min(products.values())


def test_a_matrix_shares_the_powers_of_a_column_between_its_rows(products: list[int]) -> None:
    n, ones = 1_000_003 * 1_000_033, 2**60 - 1
    ring = GmpRing(n)
    matrix = [[ones, ones, ones]] * 4
    powers = ring.matrix_power_vartime(matrix, ring.load([2, 3, 5]))
    assert ring.store(powers) == [pow(30, ones, n * n)] * 4
    window = _straus_window(60, 4)
    assert products == [3 * (2**window - 2) + 4 * 3 * -(-60 // window), 4 * -(-60 // window) * window]


def test_digits_of_zero_cost_no_product(products: list[int]) -> None:
    n = 1_000_003 * 1_000_033
    ring, window = GmpRing(n), _straus_window(61, 2)
    powers = ring.matrix_power_vartime([[2**60, 0], [0, 2**60]], ring.load([2, 3]))
    assert ring.store(powers) == [pow(2, 2**60, n * n), pow(3, 2**60, n * n)]
    assert products[0] == 2 * (2**window - 2) + 2


@pytest.mark.parametrize(("bits", "own"), [(4096, 0), (4097, 2)])
def test_powers_modulo_a_longer_n_are_made_of_products_that_signals_interrupt(
    bits: int, own: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, power = [], GmpRing._power
    monkeypatch.setattr(GmpRing, "_power", lambda self, *pair: made.append(pair) or power(self, *pair))
    ring = GmpRing(2 ** (bits - 1) + 1)
    assert ring.store(ring.power_vartime(ring.load([3, 5]), [7, 2])) == [3**7, 25]
    assert len(made) == own


@pytest.mark.parametrize("count", [1, 7, 8, 9])
def test_from_8_exponents_on_a_row_of_the_table_stays_in_the_cache(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, by_rows = [], GmpFixedBase._powers_by_rows
    monkeypatch.setattr(
        GmpFixedBase, "_powers_by_rows", lambda self, digits: rows.append(len(digits)) or by_rows(self, digits)
    )
    ring = GmpRing(1_000_003 * 1_000_033)
    exponents = list(range(count))
    powers = ring.fixed_base(7, 4, 2).power_secret(words_from_integers(exponents, 1))
    assert ring.store(powers) == [7**e for e in exponents]
    assert rows == ([count] if count >= 8 else [])


@pytest.mark.parametrize(("count", "calls"), [(0, [0]), (2**22 - 1, [2**22 - 1]), (2**22, [2**20] * 4)])
def test_much_randomness_is_asked_for_by_four_threads(
    count: int, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(secrets, "token_bytes", lambda size: asked.append(size) or bytes(size))
    assert words._random_bytes(count) == bytes(count)
    assert asked == calls
