"""Slots: rows 24 to 30."""

from tests.mutants.model import Mutant

PACKING, FORMAT, ARRAY = "plaintext/packing.py", "plaintext/format.py", "array/encrypted_array.py"
TOO_WIDE = "plaintext/test_packing.py::test_h24_the_layout_is_refused_before_anything_is_encrypted"
EXACTLY = "plaintext/test_packing.py::test_h25_exactly_max_terms_fit"
SIGNS = "plaintext/test_packing.py::test_h26_signs_in_slots_of_every_width"
SHIFTED = "plaintext/test_packing.py::test_h26_the_extremes_of_slots_at_every_place_in_a_word"
BEYOND = "plaintext/test_packing.py::test_h27_h29_plaintexts_with_something_beyond_their_values"
NEGATIVE = "plaintext/test_packing.py::test_h26_negative_slots"
CORRUPTED = "plaintext/test_packing.py::test_h27_h29_corrupted_aggregates"
HOSTILE = "plaintext/test_packing.py::test_h30_hostile_layouts"

MUTANTS = [
    Mutant((24,), PACKING, "if slots < 1 or width > _MAX_WIDTH:", "if width > _MAX_WIDTH:", (TOO_WIDE,)),
    Mutant((24,), PACKING, "slots = (key_length - 1) // width", "slots = key_length // width", (TOO_WIDE,)),
    Mutant((24, 25), PACKING, "capacity = encoding.max_terms * encoding.unit", "capacity = encoding.unit", (EXACTLY,)),
    Mutant((25,), PACKING, "width = 1 + capacity.bit_length()", "width = capacity.bit_length()", (EXACTLY,)),
    Mutant(
        (25,),
        "plaintext/format.py",
        "return self.layout.capacity if self.layout",
        "return (1 << self.layout.width - 1) - 1 if self.layout",
        (EXACTLY,),
    ),
    Mutant(
        (25,),
        ARRAY,
        "        if type(other) is int and other == 0:  # what the builtin sum() starts from; costs no term\n"
        "            return self.copy()\n",
        "",
        ("array/test_array.py::test_h25_the_builtin_sum_takes_exactly_max_terms",),
    ),
    Mutant((26,), PACKING, "        digits &= np.uint64(2 * half - 1)\n        by_row", "        by_row", (SIGNS,)),
    Mutant((26,), PACKING, "        digits -= np.uint64(half)\n", "        digits ^= np.uint64(half)\n", (SIGNS,)),
    Mutant(
        (26,),
        PACKING,
        "+ 1] |= by_row[:, at.split] >> at.rest",
        "+ 1] |= by_row[:, at.split] >> at.rest >> 1",
        (SIGNS,),
    ),
    Mutant(
        (26,),
        PACKING,
        "split = np.flatnonzero(shift + width > 64)",
        "split = np.flatnonzero(shift + width > 65)",
        (SHIFTED,),
    ),
    Mutant(
        (26,),
        PACKING,
        "for value in reversed(integers[:, 0].view(np.int64).tolist()):",
        "for value in reversed(integers[:, 0].tolist()):",
        (SHIFTED,),
    ),
    Mutant(
        (27, 29),
        PACKING,
        "if total >> width * count != self.offset >> width * count:",
        "if total >> width * self.slots:",
        (BEYOND,),
    ),
    Mutant(
        (29,),
        PACKING,
        "if total >> width * count != self.offset >> width * count:",
        "if (total ^ self.offset) >> width * count & ((1 << width * (self.slots - count)) - 1):",
        (BEYOND,),
    ),
    Mutant((26,), PACKING, "            digits[:, -1] ^= 0x80\n            data", "            data", (SIGNS,)),
    Mutant((26,), PACKING, "            bits[:, -1] ^= 1\n            data", "            data", (SIGNS,)),
    Mutant((26,), PACKING, "digits[negative, -1] |= np.uint8(0xFF << (self.width % 8) & 0xFF)", "pass", (SIGNS,)),
    Mutant((26,), PACKING, "np.where(negative, np.uint8(0xFF), np.uint8(0))", "np.where(negative, 0, 0)", (SIGNS,)),
    Mutant(
        (26,), PACKING, "sign = (integers[:, -1:].view(np.int64) >> 63)", "sign = (integers[:, -1:] >> 63)", (SIGNS,)
    ),
    Mutant(
        (26,),
        PACKING,
        "words[:count] ^= integers[:, 0]",
        "words[:count] |= integers[:, 0]",
        (NEGATIVE, "plaintext/test_packing.py::test_h26_sums_of_slots_equal_int64"),
    ),
    Mutant(
        (27,),
        PACKING,
        "        if integers[count:].any():\n            raise CorruptedAggregateError\n",
        "",
        (BEYOND,),
    ),
    Mutant(
        (27,),
        PACKING,
        "return integers[:count].view(np.uint64)",
        "return integers.view(np.uint64)",
        ("plaintext/test_packing.py::test_h27_padding_is_dropped",),
    ),
    Mutant(
        (28,),
        ARRAY,
        "if self._format.layout != other._format.layout:",
        "if self.packed != other.packed:",
        ("plaintext/test_packing.py::test_h28_packed_arrays_of_different_layout_scale_or_key_do_not_add",),
    ),
    Mutant(
        (28,),
        ARRAY,
        "if self.packed and self.encoding.fraction_bits != other.encoding.fraction_bits:",
        "if False:",
        ("plaintext/test_packing.py::test_h28_packed_arrays_of_different_layout_scale_or_key_do_not_add",),
    ),
    Mutant(
        (28, 34),
        ARRAY,
        "        if self.fingerprint != other.fingerprint:\n",
        "        if not self.packed and False:\n",
        (
            "plaintext/test_packing.py::test_h28_packed_arrays_of_different_layout_scale_or_key_do_not_add",
            "array/test_array.py::test_h34_arrays_of_another_key",
        ),
    ),
    Mutant(
        (29,),
        PACKING,
        "if data[:, (used + 7) // 8 :].any() or (",
        "if (",
        (BEYOND,),
    ),
    Mutant(
        (29,),
        PACKING,
        "if data[:, (used + 7) // 8 :].any() or (used % 8 and",
        "if data[:, (used + 7) // 8 :].any() or (False and",
        (BEYOND,),
    ),
    Mutant(
        (29,),
        FORMAT,
        "if ((values > bound) | (values < -bound)).any():",
        "if (values > bound).any():",
        (CORRUPTED,),
    ),
    Mutant(
        (29,),
        FORMAT,
        "if ((values > bound) | (values < -bound)).any():",
        "if (values < -bound).any():",
        (CORRUPTED, "plaintext/test_packing.py::test_h29_one_bad_slot_and_nothing_is_returned"),
    ),
    Mutant(
        (29,),
        FORMAT,
        "if words[:, 1:].any() or (words[:, 0] > np.uint64(2 * bound)).any():",
        "if (words[:, 0] > np.uint64(2 * bound)).any():",
        ("array/test_array.py::test_h29_values_beyond_the_bound_are_corrupted",),
    ),
    Mutant(
        (29,),
        FORMAT,
        "if any(value > 2 * bound for value in big):",
        "if any(value > 2 * bound + 1 for value in big):",
        ("array/test_array.py::test_h29_values_beyond_the_bound_are_corrupted",),
    ),
    Mutant(
        (30,), PACKING, "if not 2 <= self.width <= _MAX_WIDTH:", "if not 0 <= self.width <= _MAX_WIDTH:", (HOSTILE,)
    ),
    Mutant((30,), PACKING, "if not 1 <= self.slots <= _MAX_WIDTH * 8:", "if not 1 <= self.slots:", (HOSTILE,)),
    Mutant(
        (30,), PACKING, "if not 1 <= self.capacity < 1 << (self.width - 1):", "if not 1 <= self.capacity:", (HOSTILE,)
    ),
    Mutant(
        (30,),
        PACKING,
        "if self.width * self.slots > key_length - 1:",
        "if self.width * self.slots > key_length:",
        ("plaintext/test_packing.py::test_h30_a_layout_wider_than_the_key",),
    ),
]
