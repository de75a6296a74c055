"""Sums by groups, many arrays at once, and arrays in chunks."""

from tests.mutants.model import Mutant

GROUPS, POWERS, FORMAT = "array/groups.py", "array/powers.py", "plaintext/format.py"
OWN = "array/test_groups.py::test_"
REFUSED = OWN + "h41_what_groups_cannot_be"
MOST = OWN + "h25_exactly_max_terms_rows_a_group"
BY_KEYS = "arithmetic/test_engines.py::test_h47_products_by_keys_equal_python"

MANY, STRUCTURE, PARTIES = "array/many.py", "plaintext/structure.py", "federated/parties.py"
SEVERAL = "array/test_many.py::test_"
ROUNDED = SEVERAL + "h74_integers_that_no_float_holds_are_refused_beside_fractions"
OTHERS = SEVERAL + "h28_other_names_or_shapes_are_not_added"

DATA, STREAM, CHUNKS, KEY = "array/data.py", "serialization/stream.py", "keys/chunks.py", "keys/public_key.py"
PIECES = "serialization/test_stream.py::test_"
FLIPPED = PIECES + "h35_one_bit_flipped_anywhere"
CUT_OFF = PIECES + "h35_truncated_at_every_byte_and_bytes_too_many"
PARTS = "keys/test_chunks.py::test_"
ARRIVES = "system/test_parallel.py::test_h43_what_is_asked_for_arrives"
LOOKED_AT = PARTS + "h43_jobs_are_looked_at_before_the_first_part"
ONE_BY_ONE = PARTS + "the_parts_are_the_array"

MUTANTS = [
    Mutant(
        (21, 25),
        GROUPS,
        "    c._check_bound(c.bound * largest)\n",
        "",
        (MOST, OWN + "h21_unpacked_sums_beyond_the_range"),
    ),
    Mutant((21,), GROUPS, "largest = int(sizes.max(initial=0))", "largest = int(sizes.min(initial=1))", (MOST,)),
    Mutant(
        (21,), GROUPS, "terms=c.terms * largest", "terms=c.terms", (OWN + "h21_the_bound_is_that_of_the_largest_group",)
    ),
    Mutant(
        (24,),
        FORMAT,
        "if slots > layout.slots:",
        "if slots > layout.slots + 1:",
        (OWN + "h24_a_row_that_fits_exactly_and_one_value_more",),
    ),
    Mutant(
        (39,),
        GROUPS,
        "c._freshness if sizes.all() else c._freshness.spoiled()",
        "c._freshness",
        (OWN + "h39_a_sum_of_fresh_rows_is_fresh_unless_a_group_is_empty",),
    ),
    Mutant((41,), GROUPS, "outside = (plain < 0) | (plain >= groups)", "outside = plain >= groups", (REFUSED,)),
    Mutant((41,), GROUPS, "(plain >= groups)", "(plain > groups)", (REFUSED,)),
    Mutant((41,), GROUPS, "if plain.shape != (rows,):", "if plain.size != rows:", (REFUSED,)),
    Mutant(
        (72,),
        GROUPS,
        'f"{int(outside.argmax())}"',
        'f"{plain[outside.argmax()]}"',
        (OWN + "h72_no_label_shows_in_an_error",),
    ),
    Mutant((61,), GROUPS, "    check_room(c._ring, groups * max(width, 1))\n", "", (REFUSED,)),
    Mutant(
        (47,), "arithmetic/engine.py", "where = np.full(groups, len(order))", "where = np.full(groups, 0)", (BY_KEYS,)
    ),
    Mutant(
        (47,),
        "arithmetic/engine.py",
        "            sizes = folds + rest\n",
        "            sizes = rest + 1\n",
        (BY_KEYS,),
    ),
    Mutant((47,), "arithmetic/gmp.py", "z0, z1 = [mpz(1)] * groups", "z0, z1 = [mpz(2)] * groups", (BY_KEYS,)),
    Mutant(
        (43,),
        POWERS,
        "return _multiplied(ring, shared(rows,",
        "return joined(ring, shared(rows,",
        (
            "system/test_parallel.py::test_every_operation_gives_the_same_on_every_engine_and_backend",
            OWN + "what_grouped_sums_are_cut_into",
        ),
    ),
    Mutant(
        (43,),
        POWERS,
        "_as_words(keys[inside] - start)",
        "_as_words(keys[inside])",
        (OWN + "what_grouped_sums_are_cut_into",),
    ),
    Mutant(
        (74,),
        STRUCTURE,
        "        return np.concatenate([_as_floats(array, name).ravel() for name, array in arrays.items()])\n",
        "        return np.concatenate([array.ravel().astype(np.float64) for array in arrays.values()])\n",
        (ROUNDED,),
    ),
    Mutant(
        (74,),
        STRUCTURE,
        "return as_plain_array(np.concatenate([array.ravel().astype(object) for array in arrays.values()]))",
        "return np.concatenate([array.ravel() for array in arrays.values()])",
        (SEVERAL + "h74_integers_of_several_types_are_exact",),
    ),
    Mutant(
        (28,),
        STRUCTURE,
        "return sorted(range(len(self.shapes)), key=self.names.__getitem__)",
        "return range(len(self.shapes))",
        (SEVERAL + "dicts_in_another_order_are_added_by_name",),
    ),
    Mutant((28,), STRUCTURE, "for name in (*mine, *theirs):", "for name in mine:", (OTHERS,)),
    Mutant((28,), STRUCTURE, "for name in (*mine, *theirs):", "for name in theirs:", (OTHERS,)),
    Mutant(
        (28,),
        MANY,
        "        self._structure.check_fits(other._structure)\n        return self.like(self.array - other.array)",
        "        return self.like(self.array - other.array)",
        (OTHERS,),
    ),
    Mutant(
        (20,),
        "keys/public_key.py",
        "            checked._check_range(array, name)\n",
        "            pass\n",
        (SEVERAL + "h16_h18_h20_what_is_refused_is_named",),
    ),
    Mutant(
        (42,),
        MANY,
        "        if type(other) is int and other == 0:  # what the builtin sum() starts from\n",
        "        if type(other) is int:\n",
        (SEVERAL + "h42_operands_that_are_none",),
    ),
    Mutant(
        (31,),
        DATA,
        "parts = [ring.checked(ring.load_bytes(part))",
        "parts = [ring.load_bytes(part)",
        (PIECES + "h31_a_ciphertext_that_is_none_in_a_later_piece",),
    ),
    Mutant(
        (35,),
        STREAM,
        "        if self._take(CHECKSUM_BYTES) != self._checksum.value:\n",
        '        if self._take(CHECKSUM_BYTES) == b"":\n',
        (FLIPPED,),
    ),
    Mutant(
        (35,),
        STREAM,
        "yield self._checksum.passed(self._take(part))",
        "yield self._take(part)",
        (PIECES + "pieces_of_any_length_make_the_array",),
    ),
    Mutant((35,), STREAM, "        self._hold(1)\n        if self._held:\n", "        if False:\n", (CUT_OFF,)),
    Mutant((35,), STREAM, "        if len(self._held) < count:\n", "        if False:\n", (CUT_OFF,)),
    Mutant(
        (35,),
        STREAM,
        "                if self._ended:\n                    raise\n",
        "                if len(held) > 4096:\n                    raise\n",
        (PIECES + "h35_a_long_header_in_short_pieces_takes_linear_time",),
    ),
    Mutant(
        (35,),
        STREAM,
        "wanted = 2 * len(held)",
        "wanted = len(held) + 1",
        (PIECES + "h35_a_long_header_in_short_pieces_takes_linear_time",),
    ),
    Mutant(
        (61,),
        DATA,
        "        check_room(ring, stream.n_ciphertexts)\n",
        "",
        (PIECES + "h35_h61_a_header_that_promises_too_much",),
    ),
    Mutant(
        (36,),
        STREAM,
        "checked_head(memoryview(held), Kind.ARRAY)",
        "checked_head(memoryview(held), *Kind)",
        (PIECES + "h34_h36_of_another_key_or_kind",),
    ),
    Mutant(
        (39,),
        DATA,
        "        outgoing = self._outgoing(rerandomize, n_jobs)\n        edges",
        "        outgoing = self._residues\n        edges",
        (PIECES + "h39_what_is_not_fresh_leaves_re_randomised",),
    ),
    Mutant(
        (61,),
        CHUNKS,
        "part = self._values[start:stop] if self._values.ndim else self._values",
        "part = self._values",
        (ONE_BY_ONE,),
    ),
    Mutant(
        (61,),
        KEY,
        "aligned = aligned_values(rows * math.prod(values.shape[1:]), slots)",
        "aligned = values.size",
        (PARTS + "h16_h20_what_is_wrong_is_named_where_it_is",),
    ),
    Mutant(
        (27,),
        CHUNKS,
        "return max(values // slots, 1) * slots",
        "return max(values, 1)",
        (PARTS + "h27_parts_of_a_packed_stream_fill_their_ciphertexts",),
    ),
    Mutant(
        (58,),
        "system/files.py",
        "    pieces = [data] if isinstance(data, bytes) else data\n",
        '    pieces = [data if isinstance(data, bytes) else b"".join(data)]\n    open(path, "wb").close()\n',
        (PARTS + "h58_a_file_beyond_its_limit_leaves_the_old_one",),
    ),
    Mutant(
        (67,),
        CHUNKS,
        "replace_file(path, self._npy(), force=force, mode=0o600)",
        "replace_file(path, self._npy(), force=force)",
        (PARTS + "h17_a_file_that_is_mapped",),
    ),
    Mutant((29,), "keys/private_key.py", "left -= size\n", "pass\n", (ONE_BY_ONE,)),
    Mutant(
        (60,),
        CHUNKS,
        '        encrypted = self._encrypted(part, f"x[{start}:{stop}]")\n        self._next = stop',
        '        self._next = stop\n        encrypted = self._encrypted(part, f"x[{start}:{stop}]")',
        (PARTS + "h60_what_an_error_cuts_off_is_the_next_part_still",),
    ),
    Mutant(
        (60,),
        CHUNKS,
        "        if self._cut_off:",
        "        if False:",
        (PARTS + "h60_a_decryption_that_was_cut_off_does_not_end_as_if_it_were_whole",),
    ),
    Mutant((35,), STREAM, "if piece is _END:", "if piece is None or piece is _END:", (PIECES + "h35_none_is_no_end",)),
    Mutant((43,), KEY, "        check_jobs(n_jobs)\n        kind =", "        kind =", (LOOKED_AT,)),
    Mutant((43,), KEY, "        check_jobs(n_jobs)\n        check_room", "        check_room", (LOOKED_AT,)),
    Mutant((43,), "keys/private_key.py", "        check_jobs(n_jobs)\n", "", (LOOKED_AT,)),
    Mutant(
        (43,), KEY, "ready.add(*self._source.drawn(count, n_jobs))", "ready.add(*self._source.drawn(count))", (ARRIVES,)
    ),
    Mutant(
        (43,), KEY, "self._encrypt(row, True, checked, n_jobs,", "self._encrypt(row, True, checked, None,", (ARRIVES,)
    ),
    Mutant((43,), "keys/private_key.py", "yield self.decrypt(array, n_jobs)", "yield self.decrypt(array)", (ARRIVES,)),
    Mutant((43,), GROUPS, "groups * width, n_jobs)", "groups * width)", (ARRIVES,)),
    Mutant((61,), KEY, "values = np.asarray(values)", "pass", (PARTS + "h61_a_matrix_is_cut_into_parts_too",)),
]
