"""What is made of arrays of arrays, and what of it may leave: rows 21, 39 and 76."""

from tests.mutants.model import Mutant

ARRAY, FRESHNESS = "array/encrypted_array.py", "randomness/freshness.py"
BOUND = "array/test_array.py::test_h21_the_bound_follows_the_scale_of_a_plain_summand"
JOINED = "array/test_array.py::test_h21_h39_what_arrays_joined_have_of_their_parts"
PRODUCTS = "array/test_array.py::test_h39_products_are_not_fresh"
STATES = "array/test_array_states.py::test_h21_h39_arrays_made_of_arrays"
FRESH = "array/test_array.py::test_h39_fresh_arrays_leave_as_they_are"
RERANDOMISED = "array/test_array.py::test_h39_what_is_not_fresh_leaves_re_randomised"
OWN_PARTS = "array/test_array.py::test_h39_what_was_made_of_fresh_arrays_is_not_fresh"
FLAT = "randomness/test_freshness.py::test_h76_a_hundred_thousand_additions_into_one_array"
TWICE = "randomness/test_freshness.py::test_h39_a_member_that_enters_twice_hides_nothing"
MET = "randomness/test_freshness.py::test_h39_of_two_families_that_met_both_have_lost"
FREED = "randomness/test_freshness.py::test_h76_what_nothing_names_is_freed"
TOUCHED = "randomness/test_freshness.py::test_h39_a_family_touched_twice_is_not_fresh"
MEMBERS = "randomness/test_freshness.py::test_h39_members_that_leave_one_by_one"
SPENT = "randomness/test_freshness.py::test_h39_a_family_that_left_takes_its_members"
FORKED = "randomness/test_freshness.py::test_h57_families_of_the_parent_hide_nothing_in_a_child"

MUTANTS = [
    Mutant(
        (39,), FRESHNESS, "            for nonce in self.singles:\n                nonce.spend()\n", "", (FRESH, STATES)
    ),
    Mutant(
        (39,),
        FRESHNESS,
        "nonce: 0 if nonce in theirs or nonce.root in theirs else",
        "nonce: 0 if nonce.is_family and nonce in theirs else",
        (OWN_PARTS, STATES),
    ),
    Mutant(
        (39,),
        FRESHNESS,
        "nonce: 0 if nonce in theirs or nonce.root in theirs else",
        "nonce: 0 if nonce in theirs else",
        (TWICE,),
    ),
    Mutant(
        (39,),
        FRESHNESS,
        "max(count - members.get(nonce, 0), 0)",
        "count",
        (TOUCHED,),
    ),
    Mutant(
        (39,),
        FRESHNESS,
        "return Freshness(dict.fromkeys(self._standing(), 0))",
        "return self",
        (OWN_PARTS, RERANDOMISED, STATES),
    ),
    Mutant((39,), FRESHNESS, "                root.lost += 1\n", "                pass\n", (MEMBERS,)),
    Mutant((39,), FRESHNESS, "        family.lost += self.lost\n", "", (MET,)),
    Mutant((39,), FRESHNESS, "            root.lost = root.size\n", "            pass\n", (SPENT,)),
    Mutant((57,), FRESHNESS, " or self._generation != generation()", "", (FORKED,)),
    Mutant(
        (76,),
        FRESHNESS,
        "return Freshness(singles if len(singles) <= _EXACT else _merged(singles))",
        "return Freshness(singles)",
        (FLAT,),
    ),
    Mutant(
        (76,),
        FRESHNESS,
        "        self._family = family\n",
        "        self._family = family\n        family.members = [*getattr(family, 'members', []), self]\n",
        (FREED,),
    ),
    Mutant(
        (39,),
        ARRAY,
        "        Freshness.joined(array._freshness for array in arrays),\n",
        "        Freshness.none(),\n",
        (JOINED,),
    ),
    Mutant(
        (21,),
        ARRAY,
        "bound=max(array.bound for array in arrays)",
        "bound=min(array.bound for array in arrays)",
        (JOINED,),
    ),
    Mutant(
        (21,),
        ARRAY,
        "terms=max(array.terms for array in arrays)",
        "terms=min(array.terms for array in arrays)",
        (JOINED,),
    ),
    Mutant((21,), ARRAY, "terms=left.terms + right.terms", "terms=max(left.terms, right.terms)", (STATES,)),
    Mutant((21,), ARRAY, "bound=self.bound * terms, terms=self.terms * terms", "bound=self.bound * terms", (STATES,)),
    Mutant(
        (21,),
        ARRAY,
        "        bound = (self.bound << (scale - self._format.fraction_bits)) + unit",
        "        bound = self.bound + unit",
        (BOUND,),
    ),
    Mutant(
        (39,),
        ARRAY,
        "return self._derive(powers, None, freshness, fraction_bits=",
        "return self._derive(powers, None, None, fraction_bits=",
        (PRODUCTS,),
    ),
    Mutant(
        (39,),
        ARRAY,
        "return self._derive(self._ring.invert(self._residues), freshness=self._freshness.spoiled())",
        "return self._derive(self._ring.invert(self._residues))",
        (PRODUCTS,),
    ),
    Mutant(
        (39,),
        ARRAY,
        "integer=all(array._format.integer for array in arrays)",
        "integer=any(array._format.integer for array in arrays)",
        (JOINED,),
    ),
]
