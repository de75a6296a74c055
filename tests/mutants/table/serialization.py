"""What is read from bytes, JSON and files: rows 35 to 38, and others where they meet peers."""

from tests.mutants.model import Mutant

FRAMES, FIELDS, TEXT = "serialization/frames.py", "serialization/fields.py", "serialization/text.py"
SEALED, STORED = "serialization/passphrase.py", "serialization/__init__.py"
HOSTILE = "serialization/test_serialization_hostile.py::"
HEADS = f"{HOSTILE}test_h36_magic_version_kind_and_flags_are_named"
SPELLING = f"{HOSTILE}test_h37_a_value_has_one_spelling_in_json"
FIELD_NAMES = f"{HOSTILE}test_h36_unknown_and_missing_fields_are_named"
COSTS = f"{HOSTILE}test_h35_a_file_cannot_ask_for_any_cost"
BOUNDS = f"{HOSTILE}test_h21_bounds_and_terms_beyond_the_range"
NO_SECRET = f"{HOSTILE}test_h14_no_message_holds_a_secret"
LONG_JSON = "serialization/test_serialization.py::test_h38_8192_bits_through_json"

MUTANTS = [
    Mutant(
        (6,),
        FRAMES,
        "if length > most_bits // 8:",
        "if False:",
        (f"{HOSTILE}test_h06_a_long_n_is_refused_before_any_arithmetic",),
    ),
    Mutant(
        (7,),
        FRAMES,
        "    if p >= q:\n",
        "    if False:\n",
        (f"{HOSTILE}test_h07_h08_bad_private_numbers",),
    ),
    Mutant(
        (13,),
        FRAMES,
        "    if kind not in wanted:\n",
        "    if False:\n",
        (f"{HOSTILE}test_h13_no_kind_passes_for_another",),
    ),
    Mutant(
        (14,),
        FRAMES,
        'f"{name} is longer than {most_bits // 8} bytes"',
        'f"{name} is longer than {most_bits // 8} bytes: {length}"',
        (NO_SECRET,),
    ),
    Mutant((21,), FIELDS, "if fields.packed and fields.terms > fields.max_terms:", "if False:", (BOUNDS,)),
    Mutant(
        (21,),
        FIELDS,
        "if bound.integer > Number.at_least(limit).integer:",
        "if False:",
        (BOUNDS,),
    ),
    Mutant(
        (21,),
        FIELDS,
        "return min(bound.integer, limit)",
        "return bound.integer",
        ("serialization/test_serialization.py::test_a_bound_at_the_limit_stays_there",),
    ),
    Mutant(
        (30,),
        FIELDS,
        "        layout.check_key_length(fields.key_length)\n",
        "",
        (f"{HOSTILE}test_h30_slots_that_do_not_fit_the_key_or_the_encoding",),
    ),
    Mutant(
        (30,),
        FIELDS,
        "if fields.width or fields.slots:",
        "if fields.width:",
        (f"{HOSTILE}test_h30_layouts_of_unpacked_arrays",),
    ),
    Mutant(
        (30,),
        FRAMES,
        "if number.mantissa % 2 == 0 and number != Number(0, 0):",
        "if False:",
        (f"{HOSTILE}test_h30_numbers_that_are_no_bound",),
    ),
    Mutant(
        (30,),
        TEXT,
        "if type(value) is not int or not least <= value <= most:",
        "if not least <= value <= most:",
        (f"{HOSTILE}test_h30_layouts_in_json",),
    ),
    Mutant(
        (31, 32),
        "array/data.py",
        "ring.checked(ring.load_bytes(ciphertexts))",
        "ring.load_bytes(ciphertexts)",
        (f"{HOSTILE}test_h31_h32_bad_ciphertexts_look_all_the_same",),
    ),
    Mutant(
        (33,),
        TEXT,
        "    if not isinstance(value, str):\n        raise SerializationError(malformed)\n",
        "",
        (f"{HOSTILE}test_h33_ciphertexts_of_another_type",),
    ),
    Mutant(
        (34,),
        FIELDS,
        "if fields.fingerprint != numbers.fingerprint:",
        "if fields.key_length != numbers.n.bit_length():",
        ("serialization/test_serialization.py::test_h34_arrays_of_another_key",),
    ),
    Mutant(
        (34,),
        STORED,
        "if PublicNumbers(n).fingerprint != fingerprint:",
        "if False:",
        (f"{HOSTILE}test_the_fingerprint_must_be_that_of_the_key",),
    ),
    Mutant(
        (35,), FRAMES, "        if len(self._rest):\n", "        if False:\n", (f"{HOSTILE}test_h35_trailing_bytes",)
    ),
    Mutant(
        (35,),
        FRAMES,
        "if _checksum(view[:-CHECKSUM_BYTES]) != view[-CHECKSUM_BYTES:]:",
        "if _checksum(view[:-CHECKSUM_BYTES])[:1] != view[-CHECKSUM_BYTES:][:1]:",
        (f"{HOSTILE}test_h35_one_byte_flipped",),
    ),
    Mutant(
        (35,),
        FRAMES,
        "        if length > len(self._rest):\n",
        "        if length > len(self._rest) + 1:\n",
        (f"{HOSTILE}test_h35_truncated_at_every_byte",),
    ),
    Mutant(
        (35,),
        FRAMES,
        "    if not data or not data[-1]:\n",
        "    if not data:\n",
        (f"{HOSTILE}test_h30_numbers_that_are_no_bound",),
    ),
    Mutant(
        (35,),
        FIELDS,
        ">= 1 << 60:",
        ">= 1 << 100:",
        (f"{HOSTILE}test_h35_shapes_whose_product_wraps_around",),
    ),
    Mutant(
        (35,),
        FIELDS,
        "if len(fields.ciphertexts) != wanted:",
        "if len(fields.ciphertexts) < wanted:",
        (f"{HOSTILE}test_h35_length_fields_of_arrays",),
    ),
    Mutant(
        (35,), SEALED, "_LEAST_LOG2_N, _GREATEST_LOG2_N = 10, 20", "_LEAST_LOG2_N, _GREATEST_LOG2_N = 9, 20", (COSTS,)
    ),
    Mutant((35,), SEALED, " or (fields.r, fields.p) != (R, P):", ":", (COSTS,)),
    Mutant(
        (35,),
        SEALED,
        "return frame_head(Kind.SEALED_PRIVATE_KEY, fingerprint) + sealed_parameters(fields)",
        'return b""',
        (f"{HOSTILE}test_everything_under_a_passphrase_is_authenticated",),
    ),
    Mutant(
        (35,),
        TEXT,
        "if frame[-CHECKSUM_BYTES:].hex() != checksum:",
        "if False:",
        (f"{HOSTILE}test_h35_an_edited_field_shows",),
    ),
    Mutant((36,), FRAMES, "    if version != VERSION:\n", "    if version > VERSION:\n", (HEADS,)),
    Mutant((36,), FRAMES, "    if flags & ~(_INTEGER | _PACKED | _NAMED | _DIVIDED):\n", "    if False:\n", (HEADS,)),
    Mutant((36,), FRAMES, "if bytes(view[: len(MAGIC)]) != MAGIC:", "if bytes(view[:7]) != MAGIC[:7]:", (HEADS,)),
    Mutant((36,), TEXT, "if unknown := sorted(content.keys() - fields):", "if unknown := list[str]():", (FIELD_NAMES,)),
    Mutant(
        (36,),
        TEXT,
        "if missing := [field for field in fields if field not in content]:",
        "if missing := list[str]():",
        (FIELD_NAMES,),
    ),
    Mutant((37,), TEXT, 'if len(literal) > _LONGEST_LITERAL or literal == "-0":', 'if literal == "-0":', (SPELLING,)),
    Mutant((37,), TEXT, ' or literal == "-0":', ":", (SPELLING,)),
    Mutant((37,), TEXT, ' or type(content["version"]) is not int:', ":", (SPELLING,)),
    Mutant((37,), TEXT, "parse_float=_refuse", "parse_float=float", (SPELLING,)),
    Mutant(
        (38,),
        TEXT,
        "integer_to_base64url(ciphertext)",
        "str(ciphertext)",
        (LONG_JSON,),
    ),
    Mutant(
        (38,), TEXT, '_big(n, "n", GREATEST_KEY_LENGTH // 8)', '_big(n, "n", GREATEST_KEY_LENGTH // 32)', (LONG_JSON,)
    ),
    Mutant(
        (39,),
        "array/data.py",
        "self._exported = fresh ",
        "self._exported = True ",
        ("serialization/test_serialization.py::test_h39_the_bare_one_never_leaves",),
    ),
    Mutant(
        (39,),
        "array/data.py",
        "fresh = self._exported or self._freshness.spend()",
        "fresh = self._exported",
        ("serialization/test_serialization.py::test_h39_fresh_arrays_cost_nothing",),
    ),
    Mutant(
        (39,),
        "array/data.py",
        "return type(self)._restored, (self._key, self._frame(True, n_jobs=1))",
        "return type(self)._restored, (self._key, self._frame(False, n_jobs=1))",
        ("serialization/test_serialization.py::test_h39_the_bare_one_never_leaves",),
    ),
    Mutant(
        (78,),
        "serialization/frames.py",
        "range(0, len(view), _MOST_AT_ONCE):\n            self._digest.update(view[start : start + _MOST_AT_ONCE])",
        "range(1):\n            self._digest.update(view)",
        ("serialization/test_serialization.py::test_h78_signals_are_answered_while_a_checksum_is_computed",),
    ),
]
