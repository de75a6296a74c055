"""Plans: what each field may be, in the words that refuse it, and what follows from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vecphe.errors import ProtocolError, SerializationError
from vecphe.federated.wire import pack
from vecphe.flower import Identity, Plan, Roster
from vecphe.flower import plan as plans
from vecphe.flower.plan import plan_for
from vecphe.keys import PublicKey

ANY = {"rounds": 9, "clip": 4.0, "fraction_bits": 20, "weights": "public", "max_weight": 5}


@pytest.fixture(scope="module")
def roster(keypair: Any) -> Roster:
    members = [Identity.generate(name).member for name in ("A", "B", "C", "Server")]
    return Roster.collect(members[:3], members[3], keypair[0].fingerprint)


def made(**changes: Any) -> Plan:
    return Plan(**{"model": "m", "shapes": ((2, 3), (4,)), **ANY, "chunk": 8, "public_key": b"key", **changes})


MODEL = "model must be at most 200 printable characters"
CLIP = "clip must be a positive, finite float"
SHAPES = "shapes must be lists of lengths, one for each array"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": 5}, MODEL),
        ({"model": "a\tb"}, MODEL),
        ({"model": "m" * 201}, MODEL),
        ({"weights": "secret"}, "weights must be one of none, encrypted, public, not 'secret'"),
        *(({name: 1.5}, f"{name} must be a positive integer") for name in ("rounds", "max_weight", "chunk")),
        *(({name: 0}, f"{name} must be a positive integer") for name in ("rounds", "max_weight", "chunk")),
        ({"fraction_bits": True}, "fraction_bits must be a positive integer"),
        ({"fraction_bits": 1 << 40}, "fraction_bits must be a positive integer"),
        ({"clip": 1}, CLIP),
        ({"clip": 0.0}, CLIP),
        ({"clip": -0.5}, CLIP),
        ({"clip": float("inf")}, CLIP),
        ({"shapes": ()}, SHAPES),
        ({"shapes": ((-1,), (2,))}, SHAPES),
        ({"shapes": ((2.0,),)}, SHAPES),
        ({"shapes": ((1 << 40,),)}, SHAPES),
        ({"shapes": ((0,), (5, 0))}, "an update must have at least one value"),
        ({"shapes": ((1 << 20, 1 << 20),)}, "an update must have at least one value"),
        ({"weights": "none", "max_weight": 2}, "without weights max_weight is 1"),
    ],
)
def test_h30_what_a_plan_may_not_be_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SerializationError) as told:
        made(**changes)
    assert str(told.value) == message


@pytest.mark.parametrize(
    ("name", "value"),
    [("fraction_bits", 0), ("fraction_bits", -3), ("rounds", 1), ("clip", 1e-300), ("shapes", ((),)), ("model", "")],
)
def test_h30_what_it_may_be_is_taken(name: str, value: Any) -> None:
    assert getattr(made(**{name: value}), name) == value


@pytest.mark.parametrize("shapes", ["((2,))", {"a": 1}, 5, None, [1], [[1], 2], [[1], None]])
def test_h36_shapes_are_lists_of_lists(shapes: Any) -> None:
    fields = {"model": "m", **ANY, "chunk": 8}
    read = lambda shapes: Plan.from_bytes(pack("plan", {**fields, "shapes": shapes}, b"key"))  # noqa: E731
    assert read([[2, 3], []]) == made(shapes=((2, 3), ()))
    with pytest.raises(SerializationError) as told:
        read(shapes)
    assert str(told.value) == SHAPES


def test_values_chunks_and_room_of_a_plan() -> None:
    plan = made()
    assert (plan.n_values, plan.length, plan.chunks) == (10, 10, 2)
    assert (made(chunk=10).chunks, made(chunk=9).chunks, made(chunk=100).chunks) == (1, 2, 1)
    secret = made(weights="encrypted", chunk=10)
    assert (secret.n_values, secret.length, secret.chunks) == (10, 11, 2)
    room = plan.encoding(3)
    assert (room.fraction_bits, room.max_abs, room.max_terms) == (20, 20.0, 3)
    assert made(clip=0.5).encoding(3).max_abs == 5.0  # a weight has room, too
    assert plan.n_ciphertexts(3, 512) == 1
    assert made(shapes=((1000,),)).n_ciphertexts(3, 512) == -(-1000 // plans.SlotLayout.for_key(room, 512).slots)
    assert (len(plan.layout), int(plan.layout, 16) > 0, plan.layout == made(rounds=8).layout) == (32, True, False)
    assert "key" not in repr(plan).replace("public_key", "")


def test_pieces_are_weighted_and_cut() -> None:
    arrays = [np.arange(6).reshape(2, 3), np.full(4, 0.5)]
    flat = [0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 1.5, 1.5, 1.5, 1.5]
    assert [piece.tolist() for piece in made().pieces(arrays, 3)] == [flat[:8], flat[8:]]
    cut = made(weights="encrypted", chunk=5).pieces(arrays, 3)
    assert [piece.tolist() for piece in cut] == [flat[:5], flat[5:], [3.0]]


def test_a_mean_is_the_sum_over_its_weights() -> None:
    total = np.arange(10.0)
    first, second = made().mean(total, 4)
    assert first.tolist() == [[0.0, 0.25, 0.5], [0.75, 1.0, 1.25]]
    assert second.tolist() == [1.5, 1.75, 2.0, 2.25]
    secret = made(weights="encrypted").mean(np.append(total, 3.9999999), 100)
    assert [array.tolist() for array in secret] == [first.tolist(), second.tolist()]
    assert made().mean(total, 1)[1].tolist() == [6.0, 7.0, 8.0, 9.0]
    for plan, sums, weight in ((made(), total, 0), (made(weights="encrypted"), np.append(total, 0.4), 9)):
        with pytest.raises(ProtocolError) as told:
            plan.mean(sums, weight)
        assert str(told.value) == "the weights of all clients add up to 0"


def test_h51_the_key_is_the_one_of_the_roster_and_of_the_run(roster: Roster, keypair: Any, other_keypair: Any) -> None:
    plan = plan_for(roster, keypair[0], [(2,)], model="x")
    key = plan.key(roster, insecure=True)
    assert (key.fingerprint, key.run.id) == (roster.key, roster.run)
    with pytest.raises(ProtocolError) as told:
        plan_for(roster, other_keypair[0], [(2,)]).key(roster, insecure=True)
    found = other_keypair[0].fingerprint
    assert str(told.value) == (
        f"the public key {found[:8]} is not the one of the roster, {roster.key[:8]}; a new key needs a new roster"
    )
    with pytest.raises(ValueError, match="insecure"):
        plan.key(roster)


def test_a_key_has_the_encoding_and_the_workers_that_were_asked_for(
    roster: Roster, keypair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    backend = plans.PackedBackend
    monkeypatch.setattr(plans, "PackedBackend", lambda **how: asked.append(how) or backend(**how))
    plans._key.cache_clear()
    plan = plan_for(roster, keypair[0], [(2,)], model="workers")
    plan.key(roster, insecure=True, n_jobs=2)
    plans._key.cache_clear()
    assert asked == [{"encoding": plan.encoding(3), "n_jobs": 2}]


def test_a_plan_is_made_of_what_was_asked_for(roster: Roster, keypair: Any) -> None:
    """Chunks are whole ciphertexts, as many as fit, and at least one."""
    public_key: PublicKey = keypair[0]
    plan = plan_for(roster, public_key, [[np.int64(2), 3], (4,)], **ANY, model="x", chunk_bytes=400)
    slots = plans.SlotLayout.for_key(plan.encoding(3), 512).slots
    assert plan == Plan("x", ((2, 3), (4,)), 9, 4.0, 20, "public", 5, 3 * slots, public_key.to_bytes())
    assert all(type(size) is int for shape in plan.shapes for size in shape)
    for nbytes, chunk in ((1, slots), (127, slots), (128, slots), (256, 2 * slots), (383, 2 * slots)):
        assert plan_for(roster, public_key, [(2,)], **ANY, chunk_bytes=nbytes).chunk == chunk
    unweighted = plan_for(roster, public_key, [(2,)], weights="none", max_weight=7, clip=3)
    assert (unweighted.max_weight, unweighted.clip, type(unweighted.clip)) == (1, 3.0, float)
