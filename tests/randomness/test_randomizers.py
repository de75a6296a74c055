"""Randomizers: HAZARDS rows 11, 23, 44, 57 and the choice of tables."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.toys import toy_keypair

import vecphe
from vecphe import InvalidPlaintextError, PrivateKey, PublicKey
from vecphe.arithmetic import active_engine, engine_named
from vecphe.randomness.randomizers import (
    RandomizerSource,
    choose_window,
    exponent_bits,
    table_size,
    textbook_randomizers,
)


def is_nth_residue(value: int, public_key: PublicKey, private_key: PrivateKey) -> bool:
    phi = (private_key.p - 1) * (private_key.q - 1)
    return pow(value, phi, public_key.n**2) == 1


@pytest.mark.parametrize("scheme", ["djn", "djn-short", "textbook"])
@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_randomizers_are_distinct_nth_residues(scheme: str, count: int) -> None:
    public_key, private_key = vecphe.generate_keypair(256, insecure=True, randomizers=scheme)  # type: ignore[arg-type]
    source, ring = public_key._source, public_key._context.ring
    values = ring.store(source.draw(count)) + ring.store(source.draw(count))
    assert len(set(values)) == 2 * count
    assert all(is_nth_residue(value, public_key, private_key) for value in values)
    assert not is_nth_residue(values[0] * (1 + public_key.n) % public_key.n**2, public_key, private_key)


def test_the_first_two_randomizers_need_no_table() -> None:
    public_key, _ = vecphe.generate_keypair(512, insecure=True)
    public_key.encrypt(1.0)
    public_key.encrypt(1.0)
    assert public_key.table_bytes == 0
    public_key.encrypt(1.0)
    assert public_key.table_bytes > 0


def test_tables_grow_with_the_encryptions_to_come_and_keep_their_base() -> None:
    source = RandomizerSource(vecphe.generate_keypair(512, insecure=True)[0]._context)
    sizes = []
    for count in (3, 30, 300, 100_000):
        source.prepare(count)
        assert source._table is not None
        assert source._table.window == choose_window(source.context.engine, 256, count)
        sizes.append(source.table_bytes)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    base = source._base
    source.prepare(3)
    assert source.table_bytes == sizes[-1]
    source.draw(5)
    assert source._base == base


def test_window_minimises_the_cost() -> None:
    engine = active_engine()
    windows = [choose_window(engine, 1024, count) for count in (1, 10, 100, 1000, 10**6)]
    assert windows == sorted(windows)
    assert windows[0] <= max(2, engine.tuning.min_window)
    assert windows[-1] == engine.tuning.max_window


def test_h62_tables_have_the_documented_size_and_a_cap() -> None:
    engine = engine_named("gmp")  # whose windows go up to 8
    for length in (2048, 3072, 4096):  # which the cap leaves alone
        assert choose_window(engine, length // 2, 10**9, length) == engine.tuning.max_window == 8
    for length in (6144, 8192, 16384):
        window = choose_window(engine, length // 2, 10**9, length)
        assert engine.tuning.min_window <= window < engine.tuning.max_window
        assert table_size(length // 2, window, length) <= 128 << 20 or window == engine.tuning.min_window
        assert table_size(length // 2, window + 1, length) > 128 << 20
    assert 80e6 < table_size(2048, 8, 4096) < 90e6


def test_h62_the_cap_is_128_mebibytes() -> None:
    engine = engine_named("gmp")  # whose windows go up to 8
    assert [table_size(2048, 8, length) for length in (6553, 6554)] == [134_205_440, 134_225_920]
    assert [choose_window(engine, 2048, 10**9, length) for length in (6553, 6554)] == [8, 7]


@pytest.mark.parametrize("count", [10, 1000, 10**6])
def test_h62_the_source_of_a_key_keeps_to_the_cap(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    source = RandomizerSource(vecphe.generate_keypair(512, insecure=True)[0]._context)
    source.prepare(count)
    assert source._table is not None
    estimated = table_size(256, source._table.window, 512)
    assert estimated / 2.5 < source.table_bytes < estimated * 2.5
    monkeypatch.setattr("vecphe.randomness.randomizers._MOST_TABLE_BYTES", table_size(256, 5, 512))
    capped = RandomizerSource(source.context)
    capped.prepare(count)
    assert capped._table is not None
    assert capped._table.window == min(source._table.window, 5)
    assert len(set(capped.context.ring.store(capped.draw(20)))) == 20


def tuned(**changed: Any) -> Any:
    """An engine of which only the tuning is asked for."""
    return SimpleNamespace(tuning=replace(engine_named("gmp").tuning, **changed))


@pytest.mark.parametrize("cost", [0.5, 1.0, 1.7])
@pytest.mark.parametrize(("least", "greatest"), [(1, 8), (4, 7), (3, 3), (8, 16)])
def test_no_other_window_is_cheaper(cost: float, least: int, greatest: int) -> None:
    """All entries are made, and twice as many powers taken as are known to come."""
    engine = tuned(min_window=least, max_window=greatest, entry_cost=cost)
    for bits, count in itertools.product((1, 128, 256, 1024, 1536), (1, 3, 20, 100, 1000, 10**6)):
        costs = {w: math.ceil(bits / w) * (2**w * cost + 2 * count) for w in range(least, greatest + 1)}
        assert costs[choose_window(engine, bits, count)] == min(costs.values())


def test_h62_an_engine_may_have_room_for_more_and_takes_its_least_window_whatever_that_is() -> None:
    for room, window in ((1, 7), (2, 8), (100, 8)):
        assert choose_window(tuned(table_memory=room), 2048, 10**9, 6554) == window
    for least in (6, 8):
        assert choose_window(tuned(min_window=least, max_window=12), 2048, 10**9, 10**7) == least


def test_roots_may_come_one_by_one() -> None:
    ring = engine_named("gmp").ring(35)
    residues = textbook_randomizers(ring, iter([1, 2, 34]))
    assert ring.store(residues) == [1, pow(2, 35, 35**2), pow(34, 35, 35**2)]


def test_textbook_randomizers_need_no_table(public_key: PublicKey) -> None:
    source = RandomizerSource(public_key._context, "textbook")
    source.prepare(1000)
    source.draw(5)
    assert (source._table, source._base, source.table_bytes) == (None, None, 0)


def test_exponent_lengths() -> None:
    assert [exponent_bits("djn", length) for length in (1024, 2048, 3072, 2049)] == [512, 1024, 1536, 1025]
    lengths = (256, 512, 514, 2048, 2049, 3072, 3073, 8192, 8193, 16384)
    short = [exponent_bits("djn-short", length) for length in lengths]
    assert short == [128, 256, 256, 256, 320, 320, 512, 512, 640, 640]


def test_bases_differ_between_key_objects_and_are_never_pickled(public_key: PublicKey) -> None:
    import pickle

    one, two = PublicKey(public_key.n, insecure=True), PublicKey(public_key.n, insecure=True)
    one.prepare(100)
    two.prepare(100)
    assert one._source._base != two._source._base
    assert pickle.loads(pickle.dumps(one))._source._base is None


@pytest.mark.parametrize("root", [0, -1, "n", "n+1", "p", "2q"])
def test_h23_bad_roots(keypair: tuple[PublicKey, PrivateKey], root: int | str) -> None:
    public_key, private_key = keypair
    n = public_key.n
    value = {"n": n, "n+1": n + 1, "p": private_key.p, "2q": 2 * private_key.q}.get(root, root)  # type: ignore[call-overload]
    with pytest.raises(InvalidPlaintextError, match="coprime"):
        textbook_randomizers(public_key._context.ring, [1, value])


def test_every_plaintext_and_every_root_of_toy_keys(toy: tuple[PublicKey, PrivateKey]) -> None:
    public_key, private_key = toy
    n = public_key.n
    ring = public_key._context.ring
    roots = [r for r in range(1, n) if math.gcd(r, n) == 1]
    randomizers = textbook_randomizers(ring, roots)
    assert ring.store(randomizers) == [pow(r, n, n * n) for r in roots]
    seen = set()
    for m in range(n):
        words = np.full((len(roots), 1), m, dtype=np.uint64)
        encrypted = ring.multiply_plain(randomizers, words, 0)
        ciphertexts = ring.store(encrypted)
        assert ciphertexts == [(1 + m * n) * pow(r, n, n * n) % (n * n) for r in roots]
        assert private_key._decryptor.decrypt(ring, encrypted, 0)[:, 0].tolist() == [m] * len(roots)
        seen.update(ciphertexts)
    # Encryption is a bijection from (m, r) onto the units mod n^2.
    assert seen == {c for c in range(n * n) if math.gcd(c, n) == 1}


def test_toy_roots_cover_the_units() -> None:
    public_key, _ = toy_keypair(3, 5)
    drawn = public_key._context.ring.store(public_key._source.draw(400))
    assert set(drawn) == {pow(r, 15, 225) for r in range(1, 15) if math.gcd(r, 15) == 1}


def test_h44_threads_that_share_a_key_while_its_table_is_built() -> None:
    public_key, private_key = vecphe.generate_keypair(512, insecure=True)
    x = np.arange(50.0)
    with ThreadPoolExecutor(8) as pool:
        arrays = list(pool.map(lambda i: public_key.encrypt(x + i), range(16)))
    for i, array in enumerate(arrays):
        assert private_key.decrypt(array).tolist() == (x + i).tolist()
    ciphertexts = [c for array in arrays for c in array.ciphertexts()]
    assert len({c % public_key.n for c in ciphertexts}) == len(ciphertexts)


def test_h44_threads_draw_one_base_and_build_each_table_once(monkeypatch: pytest.MonkeyPatch) -> None:
    source = RandomizerSource(vecphe.generate_keypair(512, insecure=True)[0]._context)
    ring_type, built = type(source.context.ring), []
    fixed_base, together = ring_type.fixed_base, threading.Barrier(8)

    def slow_fixed_base(self: Any, base: int, bits: int, window: int) -> Any:
        built.append((base, window))
        time.sleep(0.05)
        return fixed_base(self, base, bits, window)

    def draw(_: int) -> None:
        together.wait()
        source.draw(20)

    monkeypatch.setattr(ring_type, "fixed_base", slow_fixed_base)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(draw, range(8)))
    assert len(built) == len(set(built)) >= 1
    assert len({base for base, _ in built}) == 1


def _residues_after_fork(public_key: PublicKey) -> list[int]:
    return [c % public_key.n for c in public_key.encrypt(np.zeros(5)).ciphertexts()]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_h57_forked_processes_do_not_repeat_randomness() -> None:
    public_key, _ = vecphe.generate_keypair(512, insecure=True)
    public_key.prepare(100)
    encryption = _ForkedEncryption(public_key)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        children = pool.map(encryption, range(4), chunksize=1)
    residues = [c for part in [*children, _residues_after_fork(public_key)] for c in part]
    assert len(set(residues)) == len(residues) == 25


class _ForkedEncryption:
    """Carries the key's table through fork: a plain pickle of the key would leave it behind."""

    keys: dict[int, PublicKey] = {}  # noqa: RUF012

    def __init__(self, public_key: PublicKey) -> None:
        self.keys[public_key.n] = public_key
        self.n = public_key.n

    def __call__(self, _: int) -> list[int]:
        assert self.keys[self.n].table_bytes > 0
        return _residues_after_fork(self.keys[self.n])


def test_unknown_scheme(public_key: PublicKey) -> None:
    with pytest.raises(ValueError, match="textbook"):
        PublicKey(public_key.n, insecure=True, randomizers="none")  # type: ignore[arg-type]
