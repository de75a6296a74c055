"""Plaintexts and their encoding: rows 16 to 23."""

from tests.mutants.model import Mutant

ENCODING, ARRAY = "plaintext/encoding.py", "array/encrypted_array.py"
NAN = "plaintext/test_encoding.py::test_h16_nan_and_infinity"
FIRST_INDEX = "plaintext/test_encoding.py::test_h16_the_first_index_is_named_before_anything_is_encrypted"
EXTREMES = "array/test_array.py::test_h17_the_extremes_of_each_type"
ORDERS = "array/test_array.py::test_h17_memory_orders_and_array_likes"
KINDS = "plaintext/test_encoding.py::test_h18_what_is_no_real_number"
EDGE = "plaintext/test_encoding.py::test_h20_max_abs_is_the_last_value_accepted"
BOUNDS = "array/test_array.py::test_h21_bounds_are_checked_before_anything_is_computed"
MORE_BOUNDS = "array/test_array.py::test_h21_differences_and_reshaped_sums_count_too"
HINTS = "array/test_array_hints.py::test_what_an_error_says_to_write_works"
OBJECTS = "array/test_array_operands.py::test_h18_elements_of_object_arrays"
BIG_INTEGERS = "array/test_array_operands.py::test_h20_big_integers_up_to_max_abs"
DEFAULT_HOLDS = "array/test_array_operands.py::test_h20_the_default_encoding_holds_big_integers"
ENVIRONMENT = "plaintext/test_encoding.py::test_h80_the_callers_environment_does_not_matter"
NOTICED = "plaintext/test_encoding.py::test_h80_a_change_of_the_environment_is_noticed"
OTHER_WAYS = "plaintext/test_encoding.py::test_h80_the_ways_of_other_environments_give_the_same"
RINT = "plaintext/test_encoding.py::test_h80_values_are_rounded_by_no_instruction_that_heeds_the_mode"
ROOTS = "randomness/test_randomizers.py::test_h23_bad_roots"

MUTANTS = [
    Mutant((16,), ENCODING, "        _check_finite(array, name)\n", "", (NAN, FIRST_INDEX)),
    Mutant((16,), ENCODING, "finite = np.isfinite(array)", "finite = ~np.isnan(array)", (NAN, FIRST_INDEX)),
    Mutant((16,), ENCODING, "int(np.argmin(finite))", "int(np.flatnonzero(~finite.ravel())[-1])", (NAN,)),
    Mutant((16,), ENCODING, "int(np.argmin(finite))", "int(np.argmax(finite))", (NAN, FIRST_INDEX)),
    Mutant(
        (17,),
        ENCODING,
        "        return array.astype(np.uint64)\n",
        "        return array.astype(np.int64)\n",
        (EXTREMES,),
    ),
    Mutant((17,), ENCODING, 'if kind in "bi":', 'if kind == "i":', ("array/test_array.py::test_h17_dtypes", ORDERS)),
    Mutant(
        (17,),
        ENCODING,
        "        array = array.astype(np.float64)\n",
        "        array = array.astype(np.float32).astype(np.float64)\n",
        ("array/test_array.py::test_floats_come_back_exactly",),
    ),
    Mutant((17,), ENCODING, "        flat = values.ravel()\n", '        flat = values.ravel(order="K")\n', (ORDERS,)),
    Mutant((18,), ENCODING, 'if kind == "f" and size <= 8:', 'if kind == "f":', (KINDS,)),
    Mutant((18,), ENCODING, 'if kind == "f" and size <= 8:', 'if kind in "fc" and size <= 16:', (KINDS,)),
    Mutant((18,), ENCODING, "    if isinstance(values, np.ma.MaskedArray):\n", "    if False:\n", (HINTS,)),
    Mutant((18,), ENCODING, "    if _has_masked(values):\n", "    if False:\n", (KINDS,)),
    Mutant(
        (18,),
        ENCODING,
        "isinstance(value, (*_LISTS, np.ma.MaskedArray)) and _has_masked(value) for",
        "isinstance(value, np.ma.MaskedArray) for",
        (KINDS,),
    ),
    Mutant((18,), ENCODING, "_INTEGERS = (int, np.integer, np.bool_)", "_INTEGERS = (Number, np.bool_)", (OBJECTS,)),
    Mutant((18,), ENCODING, "_FLOATS = (float, np.float16,", "_FLOATS = (float, np.floating,", (OBJECTS,)),
    Mutant(
        (20,),
        ENCODING,
        "np.asarray(np.abs(values) > int(self.max_abs))",
        "np.zeros(values.shape, dtype=np.bool_)",
        (BIG_INTEGERS, DEFAULT_HOLDS),
    ),
    Mutant(
        (20,),
        ENCODING,
        "np.asarray(np.abs(values) > int(self.max_abs))",
        "np.asarray(values > int(self.max_abs))",
        (BIG_INTEGERS,),
    ),
    Mutant(
        (19,),
        ENCODING,
        "integers = np.rint(flat *",
        "integers = np.floor(flat *",
        ("plaintext/test_encoding.py::test_h19_tiny_values_round_to_zero",),
    ),
    Mutant(
        (19, 20),
        ENCODING,
        "        self._check_range(values, name)\n",
        "",
        ("plaintext/test_encoding.py::test_h19_huge_values_are_a_range_error", EDGE),
    ),
    Mutant(
        (19,),
        ENCODING,
        "        scaled = np.rint(np.ldexp(flat, fraction_bits))\n",
        "        scaled = np.floor(np.ldexp(flat, fraction_bits))\n",
        ("plaintext/test_encoding.py::test_h19_tiny_values_round_to_zero",),
    ),
    Mutant(
        (19,),
        ENCODING,
        '        raise PlaintextOverflowError("a decrypted value is too large for a float64") from None',
        "        raise",
        ("plaintext/test_encoding.py::test_h19_extremes_as_plain_operands",),
    ),
    Mutant((20,), ENCODING, "np.abs(values) > min(", "np.abs(values) >= min(", (EDGE,)),
    Mutant(
        (20,),
        ENCODING,
        "outside = (values > min(limit, info.max)) |",
        "outside = (values > min(limit + 1, info.max)) |",
        ("plaintext/test_encoding.py::test_h20_integers_up_to_max_abs",),
    ),
    Mutant(
        (20,),
        ENCODING,
        "outside = (values > min(limit, info.max)) | (values < max(-limit, info.min))",
        "outside = np.abs(values) > limit",
        ("plaintext/test_encoding.py::test_h20_the_least_integers_have_no_magnitude_of_their_own_type",),
    ),
    Mutant(
        (20,),
        ENCODING,
        "min(self.max_abs, sys.float_info.max)",
        "self.max_abs",
        ("plaintext/test_encoding.py::test_h20_a_max_abs_beyond_all_floats",),
    ),
    Mutant(
        (20,),
        ENCODING,
        "return round(Fraction(max_abs) * (1 << fraction_bits))",
        "return max(int(Fraction(max_abs) * (1 << fraction_bits)), 1)",
        (EDGE,),
    ),
    Mutant(
        (21,),
        ARRAY,
        "        self._check_bound(self.bound * self._finer",
        "        (self.bound * self._finer",
        (BOUNDS, MORE_BOUNDS),
    ),
    Mutant((21,), ARRAY, "        self._check_bound(bound)\n        target", "        target", (BOUNDS,)),
    Mutant(
        (21,),
        ARRAY,
        "        self._check_bound(bound)\n        residues = self._broadcast",
        "        residues = self._broadcast",
        (BOUNDS, MORE_BOUNDS),
    ),
    Mutant((21,), ARRAY, "        self._check_bound(self.bound * terms)\n", "", (BOUNDS, MORE_BOUNDS)),
    Mutant(
        (21,),
        ARRAY,
        "        self._check_bound(bound)\n        powers",
        "        powers",
        (MORE_BOUNDS,),
    ),
    Mutant(
        (21,),
        ARRAY,
        "        self._check_bound(bound)\n        if sparse is None:\n",
        "        if sparse is None:\n",
        (BOUNDS, MORE_BOUNDS),
    ),
    Mutant(
        (21,),
        ARRAY,
        "bound = self.bound * max((sum(map(abs, row)) for row in rows), default=0)",
        "bound = self.bound * max((abs(sum(row)) for row in rows), default=0)",
        (MORE_BOUNDS,),
    ),
    Mutant(
        (21,),
        ARRAY,
        "self.bound * max((abs(exponent) for exponent in exponents), default=0)",
        "self.bound * max(exponents, default=0)",
        ("array/test_array.py::test_h21_the_range_is_used_to_its_end", MORE_BOUNDS),
    ),
    Mutant(
        (21,),
        ARRAY,
        "if bound > self._format.limit(",
        "if bound >= self._format.limit(",
        (
            "array/test_array.py::test_h21_the_range_is_used_to_its_end",
            "plaintext/test_packing.py::test_h25_exactly_max_terms_fit",
        ),
    ),
    Mutant(
        (21,),
        ARRAY,
        "            return self._add_encrypted(other, negative=True)\n",
        "            return self._add_encrypted(-other)\n",
        (MORE_BOUNDS,),
    ),
    Mutant(
        (21,),
        "plaintext/format.py",
        "if not packed and bound > n // 3 - 1:",
        "if not packed and bound > n // 3:",
        (BOUNDS,),
    ),
    Mutant(
        (22,),
        "arithmetic/native.py",
        "        if len(batch) == 0:\n            return batch\n",
        "",
        ("array/test_array.py::test_h22_empty_arrays",),
    ),
    Mutant(
        (22,),
        ARRAY,
        "max((sum(map(abs, row)) for row in rows), default=0)",
        "max(sum(map(abs, row)) for row in rows)",
        ("array/test_array.py::test_h22_empty_arrays",),
    ),
    Mutant(
        (22,),
        "plaintext/format.py",
        "integer=self.integer, divisor=self.divisor).reshape(shape)",
        "integer=self.integer, divisor=self.divisor)",
        ("array/test_array.py::test_h22_empty_arrays",),
    ),
    Mutant(
        (23,),
        "randomness/randomizers.py",
        "if any(not 1 <= r < ring.n or math.gcd",
        "if any(not 1 <= r or math.gcd",
        (ROOTS,),
    ),
    Mutant(
        (23,),
        "randomness/randomizers.py",
        " or math.gcd(r, ring.n) != 1 for r in roots):",
        " for r in roots):",
        (ROOTS,),
    ),
    Mutant(
        (80,),
        ENCODING,
        "        if _floats_as_usual():\n            # int64",
        "        if True:\n            # int64",
        (ENVIRONMENT,),
    ),
    Mutant(
        (80,),
        ENCODING,
        "    if _floats_as_usual():\n        with np.errstate",
        "    if True:\n        with np.errstate",
        (ENVIRONMENT,),
    ),
    Mutant((80,), ENCODING, '(flat.dtype.kind != "f" or _floats_as_usual())', "True", (RINT,)),
    Mutant(
        (80,),
        ENCODING,
        "_ONE + _HALF_ULP == _ONE == _ONE - _QUARTER_ULP",
        "_ONE + _HALF_ULP == _ONE",
        (ENVIRONMENT, NOTICED),
    ),
    Mutant(
        (80,),
        ENCODING,
        "_ONE + _HALF_ULP == _ONE == _ONE - _QUARTER_ULP",
        "_ONE == _ONE - _QUARTER_ULP",
        (ENVIRONMENT, NOTICED),
    ),
    Mutant((80,), ENCODING, " and _DENORMAL > 0.0", "", (ENVIRONMENT, NOTICED)),
    Mutant((80,), ENCODING, "(exponent > 0) << 52", "1 << 52", (OTHER_WAYS,)),
    Mutant((80,), ENCODING, "-magnitude if bits >> 63 else magnitude", "magnitude", (OTHER_WAYS,)),
]
