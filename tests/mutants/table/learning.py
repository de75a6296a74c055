"""Scaling inside the protocol, models that leave, and scales of packed arrays: rows 20 to 64."""

from tests.mutants.model import Mutant

DESCENT = "federated/descent.py"
PROTOCOL, SCALING, TRAINED = "federated/protocol.py", "federated/scaling.py", "federated/trained.py"
SCALED, MODELS = "federated/test_scaling.py", "federated/test_trained.py"
ARRAY, SCALE = "array/encrypted_array.py", "array/test_packed_scale.py"
COMPARISON, CLI = "cli/comparison.py", "cli/test_learning.py"
HOSTILE = f"{MODELS}::test_h36_what_is_no_model_is_refused"
JSON = f"{MODELS}::test_h37_hostile_json_is_refused"
DIGITS = f"{SCALED}::test_digits_of_any_width_add_up_exactly"

MUTANTS = [
    Mutant(
        (52,),
        PROTOCOL,
        "            record=record,\n            broadcast=",
        "            broadcast=",
        (f"{SCALED}::test_h52_the_round_of_the_scaling_is_in_the_transcript_like_any_other",),
    ),
    Mutant(
        (26,),
        SCALING,
        "        return [np.ldexp(digits.astype(np.float64), -self._scale) if self._scale else digits]\n",
        "        return [np.ldexp(digits * 2.0, -self._scale) if self._scale else digits * 2]\n",
        (DIGITS,),
    ),
    Mutant(
        (20,),
        SCALING,
        "        if greatest >= 2.0**_WHOLE_BITS:\n",
        "        if greatest > 2.0**_WHOLE_BITS:\n",
        (f"{SCALED}::test_columns_out_of_range_are_refused_before_a_key_is_made",),
    ),
    Mutant(
        (20,),
        PROTOCOL,
        "    _check_scalable(data, model, options)\n    backend",
        "    backend",
        (f"{SCALED}::test_columns_out_of_range_are_refused_before_a_key_is_made",),
    ),
    Mutant((21,), SCALING, "_EXACT_BITS = 50", "_EXACT_BITS = 61", (DIGITS,)),
    Mutant(
        (21,),
        SCALING,
        "        if self._bits < _LEAST_DIGIT:\n",
        "        if self._bits < 1:\n",
        (f"{SCALED}::test_too_coarse_an_encoding_is_refused",),
    ),
    Mutant(
        (50,),
        DESCENT,
        "        if self.losses[-1] > 2 * self.losses[0] + self._tol:\n",
        "        if False:\n",
        (f"{SCALED}::test_h50_a_loss_that_grows_ends_the_run",),
    ),
    Mutant(
        (36,),
        TRAINED,
        "    if unknown := sorted(content.keys() - fields):\n",
        "    if unknown := []:\n",
        (HOSTILE,),
    ),
    Mutant((36,), TRAINED, "if not all(name and name.isprintable() for name in names):", "if False:", (HOSTILE,)),
    Mutant((36,), TRAINED, "if not np.isfinite(sizes).all():", "if False:", (HOSTILE,)),
    Mutant(
        (36,), TRAINED, "if text.startswith(mark):", "if False:", (f"{MODELS}::test_h36_a_byte_order_mark_is_told",)
    ),
    Mutant(
        (16,),
        TRAINED,
        "if not self.has_means and np.isnan(X).any():",
        "if False:",
        (f"{MODELS}::test_without_means_no_missing_value_is_filled_in",),
    ),
    Mutant(
        (16,),
        "cli/predict.py",
        'if missing == "mean" and not model.has_means:',
        "if False:",
        (f"{CLI}::test_missing_values_are_not_filled_in_where_no_mean_is_known",),
    ),
    Mutant(
        (20,),
        TRAINED,
        "(lost := self._lost_digits()) > _MOST_LOST",
        "(lost := self._lost_digits()) > 99",
        (f"{MODELS}::test_what_scikit_learn_loses_is_told",),
    ),
    Mutant(
        (50,),
        DESCENT,
        "> _GROWN * self._first",
        "> np.inf",
        ("federated/test_guards.py::test_h50_divergence_is_told_with_the_way_out",),
    ),
    Mutant(
        (50,),
        COMPARISON,
        "if absent := _absent(self.shards.schema, X):",
        "if absent := []:",
        (f"{CLI}::test_a_hospital_without_a_column_learns_with_the_others_and_not_alone",),
    ),
    Mutant(
        (50,),
        COMPARISON,
        "except ProtocolError as error:",
        "except ZeroDivisionError as error:",
        (f"{CLI}::test_who_diverges_alone_is_told_where_the_federation_does_not",),
    ),
    Mutant((50,), PROTOCOL, "if stopping.is_over(update):", "if False:", (f"{CLI}::test_all_stop_by_the_same_rule",)),
    Mutant(
        (63,),
        "federated/data.py",
        "number * block + min(number, more)",
        "number * block",
        (f"{CLI}::test_no_row_of_a_file_is_left_out", "federated/test_data.py::test_blocks_hold_all_rows_in_order"),
    ),
    Mutant(
        (63,),
        "data/sheets.py",
        "if problems.used is None or header[number - 1] in problems.used]",
        "]",
        (f"{CLI}::test_columns_that_the_model_does_not_use_may_be_anything",),
    ),
    Mutant(
        (63,),
        "cli/outcome.py",
        "float(figures[self.error] or 0.0), self.least)",
        "float(figures[self.error] or 0.0), 0.0)",
        (f"{CLI}::test_errors_that_are_rounding_are_all_the_same",),
    ),
    Mutant(
        (21,),
        ARRAY,
        "_SPARE_BITS = (8, 4, 2, 1)",
        "_SPARE_BITS = ()",
        ("array/test_array_hints.py::test_what_an_error_says_to_write_works",),
    ),
    Mutant((36,), TRAINED, "<= _ROUNDING * sizes).all():\n", "<= np.inf).all():\n", (HOSTILE,)),
    Mutant((36,), TRAINED, '    if type(content.get("version")) is not int or', "    if", (HOSTILE,)),
    Mutant(
        (37,),
        TRAINED,
        '        object_pairs_hook=without_duplicates("a field stands twice"),\n',
        "",
        (f"{MODELS}::test_h37_a_field_that_stands_twice_is_refused",),
    ),
    Mutant((37,), TRAINED, "        parse_constant=_float,\n", "", (f"{MODELS}::test_h37_numbers_are_finite",)),
    Mutant(
        (35,),
        TRAINED,
        "        data = files.read_file(path, _LONGEST_FILE)\n",
        "        data = files.read_file(path)\n",
        (f"{MODELS}::test_h35_a_file_without_end_is_refused",),
    ),
    Mutant(
        (64,),
        TRAINED,
        'files.replace_file(path, self.to_json().encode("utf-8"), force=force)',
        'files.replace_file(path, self.to_json().encode("utf-8"), force=True)',
        (f"{MODELS}::test_h64_files_are_not_replaced_unless_asked_for",),
    ),
    Mutant(
        (28,),
        ARRAY,
        "        divisor = math.lcm(self._format.divisor, other._format.divisor)\n",
        "        divisor = self._format.divisor\n",
        (f"{SCALE}::test_h28_arrays_of_other_scale_add_where_they_were_encrypted_the_same_way",),
    ),
    Mutant(
        (21,),
        ARRAY,
        "        if total >= GREATEST_DIVISOR:\n",
        "        if False:\n",
        (f"{SCALE}::test_an_integer_divisor_costs_nothing",),
    ),
    Mutant(
        (36,),
        "serialization/frames.py",
        "    if divisor < 2:\n",
        "    if divisor < 0:\n",
        (f"{SCALE}::test_h36_a_divisor_is_written_one_way",),
    ),
    Mutant(
        (51,),
        "federated/backends.py",
        " or not as_encrypted:\n",
        ":\n",
        (f"{SCALE}::test_h51_vectors_of_a_protocol_have_the_scale_of_their_key",),
    ),
]
