"""Slots: HAZARDS rows 24 to 30."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecphe import (
    CorruptedAggregateError,
    FixedPoint,
    KeyMismatchError,
    LayoutMismatchError,
    PlaintextOverflowError,
    PrivateKey,
    PublicKey,
    SlotLayout,
)
from vecphe.arithmetic import integers_from_words, words_from_integers


@pytest.mark.parametrize(("key_length", "slots"), [(1024, 15), (2048, 31), (3072, 47)])
def test_default_slots(key_length: int, slots: int) -> None:
    layout = SlotLayout.for_key(FixedPoint(), key_length)
    assert (layout.width, layout.slots) == (64, slots)


@pytest.mark.parametrize(("key_length", "slots"), [(1024, 31), (2048, 63), (3072, 95)])
def test_compact_slots(key_length: int, slots: int) -> None:
    layout = SlotLayout.for_key(FixedPoint(20, 8), key_length)
    assert (layout.width, layout.slots) == (32, slots)


@given(st.integers(2, 200), st.integers(1, 20), st.integers(0, 60), st.data())
def test_packing_is_the_sum_of_shifted_values(width: int, slots: int, count: int, data: st.DataObject) -> None:
    capacity = (1 << (width - 1)) - 1
    layout = SlotLayout(width, slots, capacity)
    edges = st.sampled_from([0, 1, -1, capacity, -capacity])
    values = data.draw(st.lists(edges | st.integers(-capacity, capacity), min_size=count, max_size=count))
    words = words_from_integers(values, width // 64 + 1, signed=True)
    packed = layout.pack(words)
    assert len(packed) == layout.plaintexts(count) == -(-count // slots)
    padded = values + [0] * (len(packed) * slots - count)
    expected = [
        sum(v << (width * i) for i, v in enumerate(padded[row * slots : (row + 1) * slots]))
        for row in range(len(packed))
    ]
    assert [value - layout.offset for value in integers_from_words(packed)] == expected
    assert integers_from_words(layout.unpack(packed, count), signed=True) == values


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("width", range(2, 66))
def test_h26_the_extremes_of_slots_at_every_place_in_a_word(width: int, rows: int) -> None:
    greatest = (1 << (width - 1)) - 1
    layout, pattern = SlotLayout(width, 67, greatest), [-greatest, greatest, -1, 0, 1, greatest]
    values = (pattern * 67)[: 67 * rows - 1]
    packed = layout.pack(words_from_integers(values, -(-width // 64), signed=True))
    expected = [sum(v << (width * i) for i, v in enumerate(values[67 * r : 67 * r + 67])) for r in range(rows)]
    assert [value - layout.offset for value in integers_from_words(packed)] == expected
    assert integers_from_words(layout.unpack(packed, len(values)), signed=True) == values


@pytest.mark.parametrize(
    ("width", "slots"), [(2, 32), (4, 16), (12, 16), (20, 16), (60, 16), (62, 32), (63, 64), (66, 32)]
)
def test_h26_slots_that_end_with_a_word(width: int, slots: int) -> None:
    """The last of a plaintext goes on in no word."""
    greatest = (1 << (width - 1)) - 1
    values = [(-1) ** i * (greatest - i % 3 * (greatest > 3)) for i in range(3 * slots - 1)]
    layout = SlotLayout(width, slots, greatest)
    packed = layout.pack(words_from_integers(values, -(-width // 64), signed=True))
    assert packed.shape == (3, width * slots // 64)
    expected = [sum(v << (width * i) for i, v in enumerate(values[slots * r : slots * r + slots])) for r in range(3)]
    assert [value - layout.offset for value in integers_from_words(packed)] == expected
    assert integers_from_words(layout.unpack(packed, len(values)), signed=True) == values


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("width", [7, 8, 20, 63, 64, 65, 72, 127, 128, 129, 136, 191, 192, 200])
def test_h26_integers_of_fewer_or_more_words_than_their_slots(width: int, rows: int) -> None:
    """Each is extended by its sign, whatever the bits below."""
    for words in range(1, -(-width // 64) + 2):
        greatest = (1 << min(64 * words, width) - 1) - 1
        layout = SlotLayout(width, 3, greatest)
        values = ([greatest, -greatest, greatest >> 1, -greatest >> 1, (greatest >> 1) + 1, -1] * rows)[: 3 * rows]
        packed = layout.pack(words_from_integers(values, words, signed=True))
        assert packed.shape == (rows, -(-3 * width // 64))
        expected = [sum(v << (width * i) for i, v in enumerate(values[3 * r : 3 * r + 3])) for r in range(rows)]
        assert [value - layout.offset for value in integers_from_words(packed)] == expected
        unpacked = layout.unpack(packed, len(values))
        assert unpacked.shape == (3 * rows, -(-width // 64))
        assert integers_from_words(unpacked, signed=True) == values


def test_h24_an_encoding_too_wide_for_the_key() -> None:
    with pytest.raises(LayoutMismatchError, match="too wide for a 256-bit key"):
        SlotLayout.for_key(FixedPoint(112, 2**100, 2**60), 256)
    assert SlotLayout.for_key(FixedPoint(112, 2**100, 2**40), 256).slots == 1


def test_h24_the_layout_is_refused_before_anything_is_encrypted(
    public_key: PublicKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_key._source, "encrypt", lambda *_: pytest.fail("encrypted"))
    capacity = 1 << 510  # a slot of 511 bits is the widest that fits n
    fits, too_wide = FixedPoint(0, capacity - 1, 1), FixedPoint(0, capacity, 1)
    assert SlotLayout.for_key(fits, 512).slots == 1
    for refused in (too_wide, FixedPoint(0, capacity // 256 + 1, 256), FixedPoint(0, 1 << 5000, 1)):
        with pytest.raises(LayoutMismatchError, match="too wide for a 512-bit key; use fewer fraction_bits"):
            public_key.encrypt([1], packed=True, encoding=refused)
        with pytest.raises(LayoutMismatchError, match="too wide"):
            public_key.from_ciphertexts([1], packed=True, encoding=refused)


@pytest.mark.parametrize("max_terms", [1, 3, 255])
@pytest.mark.parametrize("encoding", [(40, 2**15), (20, 8), (8, 3.7), (0, 1)])
def test_h25_exactly_max_terms_fit(
    keypair: tuple[PublicKey, PrivateKey], encoding: tuple[int, float], max_terms: int
) -> None:
    public_key, private_key = keypair
    fixed = FixedPoint(*encoding, max_terms)
    slots = SlotLayout.for_key(fixed, public_key.key_length).slots
    edge = fixed.unit / 2**fixed.fraction_bits
    x = np.full(2 * slots, edge)
    x[::2] *= -1
    c = public_key.encrypt(x, packed=True, encoding=fixed)
    total = c * max_terms
    expected = x * max_terms
    assert private_key.decrypt(total).tolist() == expected.tolist()
    assert private_key.decrypt(-total).tolist() == (-expected).tolist()
    for one_more in (lambda: total + c, lambda: total + x, lambda: c * (max_terms + 1), lambda: total - c):
        with pytest.raises(PlaintextOverflowError, match=f"max_terms = {max_terms}"):
            one_more()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(st.integers(-(2**55), 2**55), min_size=9, max_size=9), min_size=1, max_size=6))
def test_h26_sums_of_slots_equal_int64(keypair: tuple[PublicKey, PrivateKey], rows: list[list[int]]) -> None:
    public_key, private_key = keypair
    arrays = np.array(rows, dtype=np.int64)
    total = public_key.encrypt(arrays[0], packed=True)
    for row in arrays[1:]:
        total = total + public_key.encrypt(row, packed=True)
    decrypted = private_key.decrypt(total)
    assert decrypted.dtype == np.int64
    assert decrypted.tolist() == arrays.sum(axis=0).tolist()


@pytest.mark.parametrize(
    "values", [[-1] * 14, [1, -1] * 7, [0, 0, 0, -1, 0, 0, 0], [-(2**55)] * 7, [2**55, -(2**55)] * 7]
)
def test_h26_negative_slots(keypair: tuple[PublicKey, PrivateKey], values: list[int]) -> None:
    public_key, private_key = keypair
    assert private_key.decrypt(public_key.encrypt(values, packed=True)).tolist() == values


@pytest.mark.parametrize(
    "encoding",
    [
        FixedPoint(0, 100, 5),
        FixedPoint(0, 127, 1),
        FixedPoint(0, 1, 1),
        FixedPoint(0, 2**70, 3),
        FixedPoint(0, 2**40, 2**40),
    ],
    ids=repr,
)
@pytest.mark.parametrize("pattern", [[-1], [1, -1], [0, 0, -1, 0], [-1, 0]], ids=str)
def test_h26_signs_in_slots_of_every_width(
    keypair: tuple[PublicKey, PrivateKey], encoding: FixedPoint, pattern: list[int]
) -> None:
    """Slots of 10, 8, 2, 73 and 82 bits: a borrow from slot to slot would show."""
    public_key, private_key = keypair
    count = 2 * SlotLayout.for_key(encoding, 512).slots + 1
    unit = np.array((pattern * count)[:count])
    for size in (1, encoding.unit if encoding.unit < 2**62 else 2**62):
        values = unit * size
        c = public_key.encrypt(values, packed=True, encoding=encoding)
        assert private_key.decrypt(c).tolist() == values.tolist()
        assert private_key.decrypt(-c).tolist() == (-values).tolist()
        if encoding.max_terms >= 3:
            assert private_key.decrypt(c + c + values).tolist() == [3 * value for value in values.tolist()]


@pytest.mark.parametrize("width", [2, 8, 27, 59, 63, 64, 73])
@pytest.mark.parametrize("rows", [1, 2])
def test_h27_h29_plaintexts_with_something_beyond_their_values(width: int, rows: int) -> None:
    """In the padding of the last of them, and above its slots."""
    slots = 512 // width
    layout, count = SlotLayout(width, slots, 1), (rows - 1) * slots + 2
    words = layout.pack(words_from_integers([-1, 1] * count, width // 64 + 1, signed=True)[:count])
    wider = np.concatenate([words, np.zeros((rows, 2), dtype=np.uint64)], axis=1)
    assert integers_from_words(layout.unpack(wider, count), signed=True) == ([-1, 1] * count)[:count]
    for bit in (2 * width, slots * width - 1, slots * width, 64 * wider.shape[1] - 1):
        bad = wider.copy()
        bad[-1, bit // 64] ^= np.uint64(1 << bit % 64)
        with pytest.raises(CorruptedAggregateError):
            layout.unpack(bad, count)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 14, 15])
def test_h27_padding_is_dropped(keypair: tuple[PublicKey, PrivateKey], count: int) -> None:
    public_key, private_key = keypair
    x = np.arange(count) - 3.5
    c = public_key.encrypt(x, packed=True)
    assert c.n_ciphertexts == -(-count // 7)
    assert private_key.decrypt(c).tolist() == x.tolist()


def test_h27_h29_corrupted_aggregates(keypair: tuple[PublicKey, PrivateKey]) -> None:
    public_key, private_key = keypair
    encoding = FixedPoint(0, 100, 10)
    layout = SlotLayout.for_key(encoding, public_key.key_length)
    n, width = public_key.n, layout.width
    used = layout.width * layout.slots

    def decrypt(plaintext: int, count: int) -> list[float]:
        ciphertext = (1 + plaintext % n * n) * pow(3, n, n * n) % (n * n)
        array = public_key.from_ciphertexts([ciphertext], shape=(count,), encoding=encoding, packed=True, terms=2)
        return private_key.decrypt(array).tolist()

    assert decrypt(200 - (200 << width), 2) == [200.0, -200.0]
    for plaintext, count in (
        (201, 2),  # beyond the bound of two terms
        (-201, 2),
        (1 << (2 * width), 2),  # padding
        (1 << used, layout.slots),  # above the top slot
        (1 << (used + 16), layout.slots),
        (n // 2, layout.slots),
        (-(1 << used), layout.slots),
    ):
        with pytest.raises(CorruptedAggregateError, match="corrupted aggregate"):
            decrypt(plaintext, count)


@pytest.mark.parametrize("bit", [448, 455, 456, 510])
def test_h29_residues_above_the_top_byte_of_aligned_slots(keypair: tuple[PublicKey, PrivateKey], bit: int) -> None:
    public_key, private_key = keypair
    assert SlotLayout.for_key(FixedPoint(), public_key.key_length).slots * 64 == 448
    ciphertext = (1 + (1 << bit) * public_key.n) * pow(3, public_key.n, public_key.n**2) % public_key.n**2
    array = public_key.from_ciphertexts([ciphertext], shape=(7,), packed=True)
    with pytest.raises(CorruptedAggregateError):
        private_key.decrypt(array)


def test_h29_one_bad_slot_and_nothing_is_returned(keypair: tuple[PublicKey, PrivateKey]) -> None:
    public_key, private_key = keypair
    encoding = FixedPoint(0, 100, 10)
    c = public_key.encrypt(np.full(500, 100), packed=True, encoding=encoding)
    doubled = (c + c).ciphertexts()
    for claimed in (1, 2):
        array = public_key.from_ciphertexts(
            [*c.ciphertexts()[:-1], doubled[-1]], shape=(500,), encoding=encoding, packed=True, terms=claimed
        )
        if claimed == 2:
            assert private_key.decrypt(array)[-1] == 200
        else:
            with pytest.raises(CorruptedAggregateError) as caught:
                private_key.decrypt(array)
            assert str(caught.value) == "corrupted aggregate: a value or the padding is outside its bound"
            assert caught.value.args == (str(caught.value),)
    assert private_key.decrypt(c).tolist() == [100] * 500


def test_h28_different_layouts_do_not_add(public_key: PublicKey) -> None:
    base = public_key.encrypt(np.zeros(7), packed=True)
    for other in (
        public_key.encrypt(np.zeros(7), packed=True, encoding=FixedPoint(20, 8)),
        public_key.encrypt(np.zeros(7), packed=True, encoding=FixedPoint(36, 2**19)),
        public_key.encrypt(np.zeros(7)),
    ):
        with pytest.raises(LayoutMismatchError):
            base + other
        with pytest.raises(LayoutMismatchError):
            other - base
    with pytest.raises(ValueError, match="broadcast"):
        base + public_key.encrypt(np.zeros(8), packed=True)


def test_h28_packed_arrays_of_different_layout_scale_or_key_do_not_add(
    public_key: PublicKey, other_keypair: tuple[PublicKey, PrivateKey]
) -> None:
    base = public_key.encrypt(np.zeros(7), packed=True)
    for max_terms in (254, 2**20):
        with pytest.raises(LayoutMismatchError, match="slot layouts"):
            base + public_key.encrypt(np.zeros(7), packed=True, encoding=FixedPoint(max_terms=max_terms))
    other_scale = public_key.encrypt(np.zeros(7), packed=True, encoding=FixedPoint(36, 2**19))
    assert other_scale.layout == base.layout
    with pytest.raises(LayoutMismatchError, match="different scale"):
        base + other_scale
    with pytest.raises(KeyMismatchError, match="different keys"):
        base + other_keypair[0].encrypt(np.zeros(7), packed=True)


@pytest.mark.parametrize(
    ("width", "slots", "capacity"),
    [
        *((0, 1, 1), (1, 1, 1), (-64, 1, 1), (5000, 1, 1), (2**64, 1, 1), (64, 0, 1), (64, 2**64, 1), (64, -1, 1)),
        *((64, 32769, 1), (8, 2, 128), (8, 2, 0), (8, 2, -1), (8, 2, 2**64)),
    ],
)
def test_h30_hostile_layouts(width: int, slots: int, capacity: int) -> None:
    with pytest.raises(LayoutMismatchError):
        SlotLayout(width, slots, capacity)


@pytest.mark.parametrize(("width", "slots", "capacity"), [(2, 1, 1), (4096, 32768, 2**4095 - 1), (8, 2, 127)])
def test_h30_the_last_layouts_that_are_good(width: int, slots: int, capacity: int) -> None:
    layout = SlotLayout(width, slots, capacity)
    assert (layout.width, layout.slots, layout.capacity) == (width, slots, capacity)
    for beyond in ((width, slots, capacity + 1), (4097, slots, capacity), (width, 32769, capacity), (1, slots, 1)):
        with pytest.raises(LayoutMismatchError):
            SlotLayout(*beyond)


_WIDTHS, _SLOTS = "a slot must be 2 to 4096 bits wide, not ", "a plaintext must have 1 to 32768 slots, not "


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        *(((width, 1, 1), f"{_WIDTHS}{width}") for width in (-64, 0, 1, 4097, 2**64)),
        *(((64, slots, 1), f"{_SLOTS}{slots}") for slots in (-1, 0, 32769, 2**64)),
        *(((8, 2, capacity), "the capacity does not fit a slot of 8 bits") for capacity in (-1, 0, 128, 2**64)),
    ],
)
def test_h30_what_errors_of_layouts_say(arguments: tuple[int, int, int], told: str) -> None:
    with pytest.raises(LayoutMismatchError) as caught:
        SlotLayout(*arguments)
    assert str(caught.value) == told


@pytest.mark.parametrize("name", ["width", "slots", "capacity"])
def test_h30_layouts_take_integers_only(name: str) -> None:
    for bad in (True, 1.0, "1", None):
        with pytest.raises(TypeError, match=f"{name} must be an int, not {type(bad).__name__}"):
            SlotLayout(**{"width": 8, "slots": 2, "capacity": 100, name: bad})  # type: ignore[arg-type]


def test_h24_the_widest_slots_for_keys_of_any_length() -> None:
    assert SlotLayout.for_key(FixedPoint(0, 2**4095 - 1, 1), 8192) == SlotLayout(4096, 1, 2**4095 - 1)
    with pytest.raises(LayoutMismatchError, match="slots of 4097 bits"):
        SlotLayout.for_key(FixedPoint(0, 2**4095, 1), 8192)
    for length, slots in ((16, 1), (17, 2)):
        assert SlotLayout.for_key(FixedPoint(0, 127, 1), length) == SlotLayout(8, slots, 127)


@pytest.mark.parametrize(("width", "slots"), [(64, 7), (16, 5), (13, 5), (1024, 2), (130, 3)])
def test_rows_are_packed_in_blocks_of_bounded_memory(width: int, slots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = SlotLayout(width, slots, min(2**62, 2 ** (width - 1) - 1))
    values = [(-1) ** i * (i * 2**40 % layout.capacity) for i in range(4 * slots - 1)]
    words = words_from_integers(values, 1, signed=True)
    whole, rows, packed = layout.pack(words), [], SlotLayout._pack_rows
    assert whole.shape == (layout.plaintexts(len(values)), -(-width * slots // 64))
    monkeypatch.setattr("vecphe.plaintext.packing._BITS_AT_ONCE", 2 * width * slots)
    monkeypatch.setattr(
        SlotLayout, "_pack_rows", lambda self, part, count: rows.append(count) or packed(self, part, count)
    )
    assert layout.pack(words).tolist() == whole.tolist()
    assert rows == ([] if width == 64 else [2, 2])  # 64 bits go without
    assert integers_from_words(layout.unpack(whole, len(values)), signed=True) == values


def test_a_block_of_rows_has_two_megabits() -> None:
    assert SlotLayout(64, 2**14, 1)._rows_at_once == 2
    assert SlotLayout(64, 2**14 + 1, 1)._rows_at_once == 1
    assert SlotLayout(4096, 2**14, 1)._rows_at_once == 1


def test_h30_a_layout_wider_than_the_key() -> None:
    with pytest.raises(LayoutMismatchError, match="do not fit a 512-bit key"):
        SlotLayout(64, 8, 100).check_key_length(512)
    SlotLayout(64, 7, 100).check_key_length(512)
    SlotLayout(511, 1, 100).check_key_length(512)
    with pytest.raises(LayoutMismatchError, match="1 slot of 512 bits does not fit a 512-bit key"):
        SlotLayout(512, 1, 100).check_key_length(512)
    with pytest.raises(TypeError, match="width must be an int, not float"):
        SlotLayout(64.0, 7, 100)  # type: ignore[arg-type]
