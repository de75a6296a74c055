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
    Mutant((74,), STRUCTURE, "array.max(initial=0) <= _FLOAT_SAFE", "True", (ROUNDED,)),
    Mutant((74,), STRUCTURE, "array.min(initial=0) >= -_FLOAT_SAFE", "True", (ROUNDED,)),
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
]
