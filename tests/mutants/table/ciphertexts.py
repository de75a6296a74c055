"""Ciphertexts: rows 31 to 34, and 39 to 40."""

from tests.mutants.model import Mutant

KEYS, GMP, NATIVE = "keys/public_key.py", "arithmetic/gmp.py", "arithmetic/native.py"
OUTSIDE = "array/test_array.py::test_h31_h32_h33_ciphertexts_from_outside_look_alike_when_rejected"
ANYWHERE = "array/test_array.py::test_h31_h32_h33_one_bad_ciphertext_anywhere_in_a_batch"
LOAD = "arithmetic/test_engines.py::test_h31_h32_h33_load_rejects_what_is_no_residue"
UNITS = "arithmetic/test_engines.py::test_h31_units_are_told_from_zero_divisors"
OTHER_KEY = "array/test_array.py::test_h34_arrays_of_another_key"
TWICE = "array/test_array.py::test_h39_no_randomizer_leaves_twice"
RERANDOMISED = "array/test_array.py::test_h39_what_is_not_fresh_leaves_re_randomised"
FRESH = "array/test_array.py::test_h39_fresh_arrays_leave_as_they_are"
GOLDEN = "test_interop.py::test_h40_golden_numbers_of_phe"

MUTANTS = [
    Mutant((31,), "arithmetic/engine.py", "if not self.all_units(batch):", "if False:", (OUTSIDE, ANYWHERE)),
    Mutant((31,), GMP, "        return bool(gcd(product, n) == 1)\n", "        return bool(product)\n", (UNITS,)),
    Mutant(
        (31,),
        GMP,
        "        for x0 in batch.x0:\n            product",
        "        for x0 in batch.x0[:-1]:\n            product",
        (UNITS,),
    ),
    Mutant((31,), NATIVE, "gcd(math.prod(products), self.n) == 1", "gcd(next(products), self.n) == 1", (UNITS,)),
    Mutant(
        (31,),
        NATIVE,
        "            self._native.decrypt(ring.native, batch, _bytes(offset % ring.n), plaintexts)\n"
        "        except _native.InvalidResidue:\n            raise InvalidCiphertextError from None",
        "            self._native.decrypt(ring.native, batch, _bytes(offset % ring.n), plaintexts)\n"
        "        except _native.InvalidResidue:\n            pass",
        (UNITS, "array/test_array.py::test_h31_a_unit_that_turns_bad_in_memory_is_found_before_decryption"),
    ),
    Mutant(
        (31,),
        "errors.py",
        "        super().__init__(message)\n\n\nclass CorruptedAggregateError",
        "        super().__init__(message.upper())\n\n\nclass CorruptedAggregateError",
        (OUTSIDE, ANYWHERE, LOAD, UNITS),
    ),
    Mutant((32,), GMP, "if not 0 <= value < self._n_squared:", "if not 0 <= value:", (LOAD,)),
    Mutant((32,), GMP, "if not 0 <= value < self._n_squared:", "if not value < self._n_squared:", (LOAD,)),
    Mutant(
        (32,),
        "arithmetic/engine.py",
        'b"".join(int(value).to_bytes(width, "little") for value in values)',
        'b"".join(int(value % self.n_squared).to_bytes(width, "little") for value in values)',
        (LOAD,),
    ),
    Mutant(
        (32,),
        "arithmetic/engine.py",
        "except OverflowError:  # negative, or wider than n^2",
        "except ZeroDivisionError:",
        (LOAD,),
    ),
    Mutant(
        (33,),
        KEYS,
        "if any(isinstance(value, bool) or not isinstance(value, int) for",
        "if any(not isinstance(value, int) for",
        (OUTSIDE,),
    ),
    Mutant(
        (33,),
        KEYS,
        "if any(isinstance(value, bool) or not isinstance(value, int) for value in values):",
        "if any(isinstance(value, bool) for value in values):",
        (OUTSIDE, ANYWHERE),
    ),
    Mutant(
        (33,),
        KEYS,
        "if isinstance(ciphertexts, (str, bytes, bytearray, memoryview, np.ndarray)) or not",
        "if not",
        ("array/test_array.py::test_h33_what_is_no_sequence_of_ciphertexts",),
    ),
    Mutant(
        (34,),
        "keys/private_key.py",
        "if array.fingerprint != self._public_key.fingerprint:",
        "if array.packed:",
        (OTHER_KEY,),
    ),
    Mutant(
        (34,),
        "array/encrypted_array.py",
        "if any(array.fingerprint != first.fingerprint for array in arrays):",
        "if False:",
        (OTHER_KEY,),
    ),
    Mutant(
        (34,),
        "numbers/key_numbers.py",
        'hashlib.sha256(b"vecphe public key\\0" + data)',
        'hashlib.sha256(b"vecphe public key\\0" + data[:1])',
        (OTHER_KEY,),
    ),
    Mutant(
        (34,),
        "interop.py",
        "    if n != public_key.n:\n",
        "    if n.bit_length() != public_key.n.bit_length():\n",
        ("test_interop.py::test_h34_numbers_of_another_key",),
    ),
    Mutant(
        (39,),
        "array/data.py",
        "        if rerandomize and not fresh:\n",
        "        if False:\n",
        (RERANDOMISED, FRESH, TWICE, "test_interop.py::test_h39_what_is_not_fresh_leaves_rerandomised"),
    ),
    Mutant((39,), "array/encrypted_array.py", "np.count_nonzero(taken) == len(flat)", "len(flat)", (TWICE,)),
    Mutant(
        (39,),
        "array/encrypted_array.py",
        "freshness = self._freshness if terms else self._freshness.spoiled()",
        "freshness = self._freshness",
        ("array/test_array.py::test_h39_an_empty_sum_is_not_the_bare_one",),
    ),
    Mutant(
        (39,),
        "randomness/randomizers.py",
        "return ring.multiply(batch, draw(ring.size(batch)))",
        "return ring.multiply(batch, ring.ones(ring.size(batch)))",
        (RERANDOMISED, "array/test_array.py::test_h39_the_array_itself_is_unchanged"),
    ),
    Mutant(
        (40,),
        "interop.py",
        "    exponent = -array.format.fraction_bits // _BITS\n",
        "    exponent = -array.encoding.fraction_bits // 8\n",
        (GOLDEN,),
    ),
    Mutant(
        (40,),
        "interop.py",
        "[1 << shift for shift in shifts])",
        "[1 << max(shifts)] * len(shifts))",
        (GOLDEN,),
    ),
    Mutant(
        (39,),
        "interop.py",
        "array.ciphertexts(rerandomize=rerandomize)",
        "array.ciphertexts(rerandomize=False)",
        ("test_interop.py::test_h39_what_is_not_fresh_leaves_rerandomised",),
    ),
    Mutant((40,), "interop.py", "least = min([0, *exponents])", "least = min([0, *exponents[:1]])", (GOLDEN,)),
    Mutant((40,), "interop.py", "integer=bool(flat) and min(exponents) >= 0", "integer=False", (GOLDEN,)),
    Mutant(
        (40,),
        "interop.py",
        "        bound = encoding.unit\n",
        "        bound = limit\n",
        ("test_interop.py::test_max_abs_gives_room_to_compute_and_is_checked",),
    ),
    Mutant(
        (40,),
        "interop.py",
        "number.ciphertext(False) for",
        "number.ciphertext() for",
        ("test_interop.py::test_reading_does_not_change_their_numbers",),
    ),
    Mutant(
        (33,),
        "interop.py",
        "if isinstance(exponent, bool) or not",
        "if not",
        ("test_interop.py::test_exponents_that_are_no_ints",),
    ),
]
