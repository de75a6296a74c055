"""Scaling inside the protocol, models that leave, and scales of packed arrays: rows 20 to 64."""

from tests.mutants.model import Mutant

PROTOCOL, SCALING, TRAINED = "federated/protocol.py", "federated/scaling.py", "federated/trained.py"
SCALED, MODELS = "federated/test_scaling.py", "federated/test_trained.py"
ARRAY, SCALE = "array/encrypted_array.py", "array/test_packed_scale.py"
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
        PROTOCOL,
        "        if self.losses[-1] > 2 * self.losses[0] + self.tol:\n",
        "        if False:\n",
        (f"{SCALED}::test_h50_a_loss_that_grows_ends_the_run",),
    ),
    Mutant(
        (36,),
        TRAINED,
        "    if unknown := sorted(content.keys() - set(fields)):\n",
        "    if unknown := []:\n",
        (HOSTILE,),
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
