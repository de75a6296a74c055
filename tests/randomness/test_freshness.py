"""Records of long sums: short, and never fresher than what they stand for (HAZARDS rows 39 and 76)."""

from __future__ import annotations

import os
import random
import weakref
from functools import reduce

import numpy as np
import pytest

import vecphe
from vecphe import PrivateKey, PublicKey
from vecphe.randomness.freshness import _EXACT, Freshness, Nonce, _merged


def fresh(count: int) -> list[Freshness]:
    return [Freshness.new() for _ in range(count)]


def total_of(records: list[Freshness]) -> Freshness:
    return reduce(Freshness.added, records)


def tree_of(records: list[Freshness]) -> Freshness:
    while len(records) > 1:
        records = [total_of(records[i : i + 2]) for i in range(0, len(records), 2)]
    return records[0]


SUMS = {"in turn": total_of, "as a tree": tree_of}


@pytest.mark.parametrize("how", SUMS)
def test_h76_a_long_sum_has_a_short_record(how: str) -> None:
    records = fresh(20_000)
    random.Random(5).shuffle(records)
    total = SUMS[how](records)
    assert len(total.singles) <= _EXACT
    assert total.is_fresh
    families = {nonce.root for nonce in total.singles if nonce.is_family}
    assert 20_000 - _EXACT <= sum(family.size for family in families) <= 20_000
    for record in records[:100]:
        assert record.is_fresh
        (nonce,) = record.singles
        assert _depth(nonce) <= 16  # a logarithm


def _depth(nonce: Nonce) -> int:
    depth = 0
    while nonce._family is not None:
        nonce, depth = nonce._family, depth + 1
    return depth


def test_h76_a_hundred_thousand_additions_into_one_array() -> None:
    """Sizes at each step, not times: of the record, and of what hangs on it."""
    total = Freshness.new()
    for _ in range(100_000):
        total = total.added(Freshness.new())
        assert len(total.singles) <= _EXACT
    assert total.is_fresh
    nodes = set(total.singles)
    for nonce in total.singles:
        while nonce._family is not None:
            nonce = nonce._family
            nodes.add(nonce)
    assert len(nodes) <= _EXACT + 1


@pytest.mark.parametrize("make", [Freshness.spoiled, lambda record: record.added(record)])
def test_h76_sums_of_products(make: object) -> None:
    total = Freshness.none()
    for _ in range(1000):
        total = total.added(make(Freshness.new()))  # type: ignore[operator]
    assert len(total.singles) <= _EXACT
    assert not total.is_fresh
    assert total.added(Freshness.new()).is_fresh


class Named(Nonce):
    """A nonce that can be watched."""

    __slots__ = ("__weakref__",)


def test_h76_a_record_tells_16_batches_apart() -> None:
    """One more, and all but the last 8 become a family, of which 9 enter with exponent one."""
    records = fresh(17)
    names = [nonce for record in records for nonce in record.singles]
    assert dict(total_of(records[:16]).singles) == dict.fromkeys(names[:16], 1)
    total = total_of(records)
    (family,) = (nonce for nonce in total.singles if nonce.is_family)
    assert dict(total.singles) == {**dict.fromkeys(names[9:], 1), family: 9}
    assert (family.size, family.lost) == (9, 0)


def test_h76_what_nothing_names_is_freed() -> None:
    watched = [Named() for _ in range(10 * _EXACT)]
    kept = Freshness({watched[0]: 1})
    alive = [weakref.ref(nonce) for nonce in watched]
    total = total_of([Freshness({nonce: 1}) for nonce in watched])
    del watched
    assert sum(ref() is not None for ref in alive) <= _EXACT
    assert not total.added(kept.added(total)).is_fresh
    assert kept.is_fresh


def test_h76_what_has_left_is_forgotten() -> None:
    """A running total that is sent after each addition keeps no record of what it was."""
    total = Freshness.new()
    for _ in range(3 * _EXACT):
        total = total.added(Freshness.new())
        assert total.spend()
        assert not total.is_fresh
        assert not total.added(Freshness.none()).singles


def test_h39_a_family_touched_twice_is_not_fresh() -> None:
    records = fresh(3 * _EXACT)
    total = total_of(records)
    same, most = total_of(records), total_of(records[:-1])
    for other in (total, same):
        for touching in (other, other.spoiled()):
            assert not total.added(touching).is_fresh
            assert not touching.added(total).is_fresh
    assert total.added(most.spoiled()).is_fresh  # by the last
    # Each member can cancel one at most: all of them, all.
    rest = total
    for record in records[:-1]:
        rest = rest.added(record.spoiled())
    assert len(rest.singles) <= _EXACT
    left = [rest.added(records[-1].spoiled()), records[-1].spoiled().added(rest)]
    assert not any(record.is_fresh for record in left)
    assert total.added(records[0].spoiled()).is_fresh
    assert records[0].spoiled().added(total).is_fresh


def test_h39_members_that_leave_one_by_one() -> None:
    """The sum is fresh until the last has left, and each of them by itself."""
    records = fresh(2 * _EXACT)
    early = total_of(records[:_EXACT])
    assert records[0].spend()
    total = early.added(total_of(records[_EXACT:]))
    for record in records[1:]:
        assert total.is_fresh
        assert total.added(record.spoiled()).is_fresh == (record is not records[-1])
        assert total.added(record).is_fresh == (record is not records[-1])
        assert record.spend()
        assert not record.spend()
    assert not total.is_fresh
    assert not total.spend()


def test_h39_a_member_that_enters_twice_hides_nothing() -> None:
    """Where it is the only one that has not left."""
    records = fresh(2 * _EXACT)
    total = total_of(records)
    for record in records[1:]:
        record.spend()
    assert total.is_fresh
    assert records[0].is_fresh
    for touching in (records[0], records[0].spoiled()):
        assert not total.added(touching).is_fresh
        assert not touching.added(total).is_fresh


def test_h39_of_two_families_that_met_both_have_lost() -> None:
    left, right = fresh(2 * _EXACT), fresh(2 * _EXACT)
    one, two = total_of(left), total_of(right)
    for record in (*left[1:], right[1]):
        record.spend()
    more = fresh(_EXACT)
    both = total_of([one, two, *more])
    families = {nonce.root for record in (left[0], right[0]) for nonce in record.singles}
    assert len(families) == 1
    for record in (*right[2:], *more):
        record.spend()
    assert both.is_fresh
    assert left[0].spend()
    assert right[0].spend()
    assert not both.is_fresh


def test_h39_a_family_that_left_takes_its_members() -> None:
    records = fresh(2 * _EXACT)
    total = total_of(records)
    later = total.added(Freshness.new())
    assert total.spend()
    assert not any(record.is_fresh for record in records)
    assert later.is_fresh  # by the one that came after
    assert not total_of(records).is_fresh
    other = fresh(2 * _EXACT)
    assert total_of(other).added(records[0]).is_fresh


def test_h39_what_was_spoiled_in_a_family_stays_so() -> None:
    records = fresh(2 * _EXACT)
    spoiled = total_of([record.spoiled() for record in records])
    assert not spoiled.is_fresh
    assert not spoiled.added(records[0]).is_fresh
    assert spoiled.added(Freshness.new()).is_fresh
    assert all(record.is_fresh for record in records)
    spoiled.spend()
    assert not any(record.is_fresh for record in records)


def test_h57_families_of_the_parent_hide_nothing_in_a_child() -> None:
    records = fresh(2 * _EXACT)
    total = total_of(records)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        mixed = total.added(Freshness.new())
        answers = [total.is_fresh, records[0].is_fresh, mixed.is_fresh, len(mixed.singles) == 1]
        os.write(write, repr(answers).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == "[False, False, True, True]"
    assert os.waitpid(child, 0)[1] == 0
    assert total.is_fresh


def test_h39_h76_long_sums_of_arrays(keypair: tuple[PublicKey, PrivateKey]) -> None:
    """The same, seen from outside: what leaves as it is and what does not."""
    public_key, private_key = keypair
    ring = public_key._context.ring
    arrays = [public_key.encrypt([i, -i]) for i in range(50)]
    total = sum(arrays)
    again = sum(arrays)
    for made in (total - again, total + again, total - total, vecphe.concatenate(arrays)):
        assert not made.is_fresh
        assert not {1, *ring.store(made.residues)} & set(made.ciphertexts(rerandomize=True))
    arrays = [public_key.encrypt([i, -i]) for i in range(50)]
    total = sum(arrays)
    assert arrays[0].ciphertexts() == ring.store(arrays[0].residues)
    assert total.is_fresh
    assert total.ciphertexts() == ring.store(total.residues)
    assert not arrays[1].is_fresh
    assert arrays[1].ciphertexts() != ring.store(arrays[1].residues)
    rest = total - sum(arrays[1:])
    assert not rest.is_fresh
    np.testing.assert_array_equal(private_key.decrypt(rest), [0, 0])


@pytest.mark.parametrize("sizes", [(5, 20, 9), (20, 9, 5), (9, 5, 20)])
def test_h76_the_largest_family_takes_the_others_in(sizes: tuple[int, ...]) -> None:
    """So that the way to the one that a nonce belongs to stays short."""
    families = [Nonce(is_family=True) for _ in sizes]
    for family, size in zip(families, sizes, strict=True):
        family.size = size
    merged = _merged(dict.fromkeys([*families, *(Nonce() for _ in range(14))], 1))
    largest = families[sizes.index(20)]
    assert [family.root for family in families] == [largest] * 3
    assert largest._family is None
    assert largest.size == sum(sizes) + 6
    assert merged[largest] == 9
    assert len(merged) == 9
