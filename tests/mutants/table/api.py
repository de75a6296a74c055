"""Arrays and engines: rows 41 to 47."""

from tests.mutants.model import Mutant

ARRAY, GMP, NATIVE, SELECTION = (
    "array/encrypted_array.py",
    "arithmetic/gmp.py",
    "arithmetic/native.py",
    "arithmetic/selection.py",
)
FUNCTIONS = "array/functions.py"
SHAPES = "array/test_array.py::test_h41_shapes"
TYPES = "array/test_array.py::test_h42_products_powers_and_comparisons_are_type_errors"
ENGINES = "arithmetic/test_engines.py::test_h47_product_power_inverse_of_batches_equal_python"
EXPONENTS = "arithmetic/test_engines.py::test_h47_exponents_of_every_length"

LENGTHS = "native/test_boundary.py::test_h79_the_longest_moduli_of_the_engine"
THREADS = "arithmetic/test_signals.py::test_h78_gmp_work_ends_before_it_is_done"
SHORT_CALLS = "arithmetic/test_signals.py::test_h78_no_call_of_gmp_is_long"
CANCELLED = "arithmetic/test_signals.py::test_h78_a_cancelled_thread_ends_and_others_go_on"

MUTANTS = [
    Mutant(
        (41,),
        ARRAY,
        "shape = self._shape if self._shape == other._shape else np.broadcast_shapes(self._shape, other._shape)",
        "shape = self._shape",
        (SHAPES,),
    ),
    Mutant(
        (41,),
        ARRAY,
        "return self._select(lambda indices: np.broadcast_to(indices, shape))",
        "return self._select(lambda indices: np.resize(indices, shape))",
        (SHAPES,),
    ),
    Mutant(
        (42,),
        ARRAY,
        "    def __mul__(self, other: Any) -> EncryptedArray:\n",
        "    def __mul__(self, other: Any) -> EncryptedArray:\n        if isinstance(other, EncryptedArray):\n"
        "            return self + other\n",
        (TYPES,),
    ),
    Mutant(
        (42,),
        ARRAY,
        "        raise TypeError(array_functions.NO_COMPARISON)\n",
        "        return False  # type: ignore\n",
        (TYPES,),
    ),
    Mutant(
        (42,),
        ARRAY,
        'raise TypeError("an encrypted value has no truth value: only the key holder sees it")',
        "return True  # type: ignore",
        (TYPES,),
    ),
    Mutant((42,), ARRAY, "    def __array__(self,", "    def _array(self,", (TYPES,)),
    Mutant((42,), FUNCTIONS, "    if not divisors.all():\n", "    if False:\n", (TYPES,)),
    Mutant(
        (44,),
        "randomness/randomizers.py",
        "        with self._lock:\n            table = self._table\n",
        "        with ForkSafeLock():\n            table = self._table\n",
        ("randomness/test_randomizers.py::test_h44_threads_draw_one_base_and_build_each_table_once",),
    ),
    Mutant(
        (44,),
        "randomness/randomizers.py",
        "table = self._table = self.context.ring.fixed_base(self._base, self._bits, window)",
        "table = self._table = self.context.ring.fixed_base(self._random_base(), self._bits, window)",
        ("randomness/test_randomizers.py::test_h44_threads_draw_one_base_and_build_each_table_once",),
    ),
    Mutant(
        (45,),
        "plaintext/encoding.py",
        "        array = array.astype(np.float64)\n",
        "        array = array.astype(np.float64, copy=False)\n",
        (
            "plaintext/test_encoding.py::test_h45_plain_arrays_are_copies",
            "array/test_array.py::test_h45_the_input_may_change_while_it_is_encrypted",
        ),
    ),
    Mutant(
        (45,),
        "plaintext/encoding.py",
        "        return array.astype(np.int64)\n",
        "        return array.astype(np.int64, copy=False)\n",
        (
            "plaintext/test_encoding.py::test_h45_plain_arrays_are_copies",
            "array/test_array.py::test_h45_the_input_may_change_while_it_is_encrypted",
        ),
    ),
    Mutant(
        (46,),
        SELECTION,
        "    return engine if self_test(engine) else None\n",
        "    return engine\n",
        ("arithmetic/test_selection.py::test_h46_a_failed_self_test_warns_and_falls_back",),
    ),
    Mutant(
        (46,),
        SELECTION,
        "    if name not in _engines():\n",
        '    name = name if name in _engines() else "gmp"\n    if False:\n',
        ("arithmetic/test_selection.py::test_h46_an_unknown_engine_is_an_error",),
    ),
    Mutant(
        (46,),
        SELECTION,
        "    if why_not := _engines()[name].why_not():\n",
        "    if why_not := None:\n",
        ("arithmetic/test_selection.py::test_h46_an_engine_this_cpu_does_not_run_is_an_error",),
    ),
    Mutant(
        (46,),
        SELECTION,
        "    return engine_named(name) if name else _fastest()\n",
        "    return _fastest()\n",
        (
            "arithmetic/test_selection.py::test_h46_the_engine_that_was_asked_for_is_the_one_that_runs",
            "arithmetic/test_selection.py::test_h46_an_unknown_engine_is_an_error",
        ),
    ),
    Mutant(
        (47,),
        GMP,
        "z1 = [-v * (f_divmod(x0 * v, n)[0] + x1 * v) % n for",
        "z1 = [-v * (x1 * v) % n for",
        (ENGINES,),
    ),
    Mutant(
        (47,),
        GMP,
        "            last = first + terms * inner\n",
        "            last = first + (terms - 1) * inner\n",
        (ENGINES,),
    ),
    Mutant((47,), NATIVE, "np.arange(len(prefixes) - _native.LANES, len(prefixes))", "np.arange(8)", (ENGINES,)),
    Mutant((47,), "arithmetic/words.py", "    if bits <= 64:\n", "    if bits <= 65:\n", (EXPONENTS,)),
    Mutant((47,), "arithmetic/words.py", "count=bits,", "count=min(bits, 64),", (EXPONENTS,)),
    Mutant((79,), NATIVE, "    if k > _native.MAX_LIMBS:\n", "    if k > 2 * _native.MAX_LIMBS:\n", (LENGTHS,)),
    Mutant((79,), NATIVE, "    if k > _native.MAX_LIMBS:\n", "    if k > _native.MAX_LIMBS - 1:\n", (LENGTHS,)),
    Mutant((78,), "system/parallel.py", "        self._cancellation.cancel()\n", "", (THREADS,)),
    Mutant((78,), GMP, "_MOST_SECRET_WORK = 1 << 37", "_MOST_SECRET_WORK = 1 << 57", (SHORT_CALLS,)),
    Mutant((78,), GMP, "_MOST_BITS_AT_ONCE = 4096", "_MOST_BITS_AT_ONCE = 1 << 20", (SHORT_CALLS,)),
    Mutant((78,), NATIVE, "told_of_flags.append(_native.watch)\n", "", (CANCELLED,)),
    Mutant((78,), "arithmetic/cancellation.py", "            self._watch(None)\n", "            pass\n", (CANCELLED,)),
]
