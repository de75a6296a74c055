"""Keys: rows 1 to 15."""

from tests.mutants.model import Mutant

NUMBERS = "numbers/key_numbers.py"
CHECKED_N = "numbers/test_numbers.py::test_h03_h04_h05_n_that_is_no_modulus"
OTHER_PRIMES = "numbers/test_numbers.py::test_h07_primes_whose_product_is_another_n"
SHOWN = "test_secrets.py::test_h14_no_private_digits_in_what_objects_show"
FAILING = "test_secrets.py::test_h14_no_private_digits_in_anything_that_fails"

MUTANTS = [
    Mutant(
        (1,),
        NUMBERS,
        "if length % 2 or not LEAST",
        "if not LEAST",
        ("numbers/test_numbers.py::test_h01_bad_key_lengths",),
    ),
    Mutant(
        (1,),
        NUMBERS,
        "or not isinstance(value, Integral):",
        "or not isinstance(value, (Integral, float)):",
        ("numbers/test_numbers.py::test_h01_bad_key_lengths",),
    ),
    Mutant(
        (2,),
        NUMBERS,
        "    if not insecure:\n",
        "    if False:\n",
        ("numbers/test_numbers.py::test_h02_short_keys_need_insecure",),
    ),
    Mutant(
        (2,),
        NUMBERS,
        "    _check_strength(n.bit_length(), insecure)\n",
        "",
        ("numbers/test_numbers.py::test_h02_a_short_n_from_outside_needs_insecure_and_warns_once",),
    ),
    Mutant(
        (2,),
        NUMBERS,
        "InsecureKeyWarning, stacklevel=4)",
        "InsecureKeyWarning, stacklevel=3)",
        (
            "numbers/test_numbers.py::test_h02_short_keys_warn_once",
            "numbers/test_numbers.py::test_h02_a_short_n_from_outside_needs_insecure_and_warns_once",
        ),
    ),
    Mutant(
        (2,),
        NUMBERS,
        "if n.bit_length() < LEAST_KEY_LENGTH:",
        "if n.bit_length() < 8:",
        ("numbers/test_numbers.py::test_h02_below_256_bits_there_is_only_the_door_of_the_tests",),
    ),
    Mutant(
        (3,),
        NUMBERS,
        "if n < 1 or n.bit_length()",
        "if n.bit_length()",
        ("numbers/test_numbers.py::test_h03_what_only_looks_like_a_good_n",),
    ),
    Mutant(
        (3, 5),
        NUMBERS,
        "if n % 2 == 0 or has_small_factor(n):",
        "if False:",
        (CHECKED_N, "numbers/test_numbers.py::test_h03_what_only_looks_like_a_good_n"),
    ),
    Mutant((4,), NUMBERS, "if is_prime(n) or is_power(mpz(n)):", "if is_power(mpz(n)):", (CHECKED_N,)),
    Mutant((5,), NUMBERS, "if is_prime(n) or is_power(mpz(n)):", "if is_prime(n):", (CHECKED_N,)),
    Mutant((5,), "numbers/primes.py", "_SMALL_FACTOR_LIMIT = 1 << 20", "_SMALL_FACTOR_LIMIT = 1 << 19", (CHECKED_N,)),
    Mutant(
        (6,),
        NUMBERS,
        "if n < 1 or n.bit_length() > GREATEST_KEY_LENGTH:",
        "if n < 1:",
        ("numbers/test_numbers.py::test_h06_a_huge_n_is_rejected_before_any_arithmetic",),
    ),
    Mutant((7,), NUMBERS, "if p * q != public.n:", "if False:", (OTHER_PRIMES,)),
    Mutant((7,), NUMBERS, "if p * q != public.n:", "if public.n % p:", (OTHER_PRIMES,)),
    Mutant(
        (7, 10),
        NUMBERS,
        "if abs(p - q) <= 1 <<",
        "if 0 < abs(p - q) <= 1 <<",
        ("numbers/test_numbers.py::test_h07_a_square_is_no_modulus_even_with_its_root_at_hand",),
    ),
    Mutant(
        (8,),
        NUMBERS,
        "if not are_probable_primes((p, q), _IMPORT_ROUNDS):",
        "if not are_probable_primes((p,), _IMPORT_ROUNDS):",
        (
            "numbers/test_numbers.py::test_h08_one_composite_factor_is_enough",
            "numbers/test_numbers.py::test_h08_imported_primes_have_64_rounds_with_bases_of_the_operating_system",
        ),
    ),
    Mutant(
        (8,),
        NUMBERS,
        "_IMPORT_ROUNDS = 64",
        "_IMPORT_ROUNDS = 40",
        ("numbers/test_numbers.py::test_h08_imported_primes_have_64_rounds_with_bases_of_the_operating_system",),
    ),
    Mutant(
        (8,),
        "numbers/primes.py",
        "base = 2 + secrets.randbelow(int(candidate) - 3)",
        "base = 2",
        ("numbers/test_numbers.py::test_h08_imported_primes_have_64_rounds_with_bases_of_the_operating_system",),
    ),
    Mutant(
        (9,),
        NUMBERS,
        "if p.bit_length() != q.bit_length():",
        "if False:",
        ("numbers/test_numbers.py::test_h09_unequal_lengths_and_a_shared_factor_of_phi",),
    ),
    Mutant(
        (10,),
        NUMBERS,
        "p.bit_length() - 100, 2)",
        "p.bit_length() - 110, 2)",
        ("numbers/test_numbers.py::test_h10_primes_may_not_share_their_top_100_bits",),
    ),
    Mutant(
        (10,),
        "numbers/primes.py",
        "if abs(p - q) > least_difference and",
        "if",
        ("numbers/test_numbers.py::test_h10_close_primes_are_not_generated",),
    ),
    Mutant(
        (11,),
        "randomness/randomizers.py",
        "if math.gcd(x, n) != 1 or math.gcd(h * h - 1, n) != 1:",
        "if math.gcd(x, n) != 1:",
        ("numbers/test_numbers.py::test_h11_a_base_that_factors_n_rejects_the_key",),
    ),
    Mutant(
        (11,),
        "randomness/randomizers.py",
        "if math.gcd(x, n) != 1 or math.gcd(h * h - 1, n) != 1:",
        "if math.gcd(h * h - 1, n) != 1:",
        ("numbers/test_numbers.py::test_h11_a_base_that_factors_n_rejects_the_key",),
    ),
    Mutant(
        (13,),
        "keys/private_key.py",
        "        if not isinstance(public_key, PublicKey):\n",
        "        if not hasattr(public_key, '_numbers'):\n",
        ("test_secrets.py::test_h13_keys_in_each_others_place",),
    ),
    Mutant(
        (13,),
        "keys/private_key.py",
        "        if not isinstance(array, EncryptedArray):\n",
        "        if array is None:\n",
        ("array/test_array.py::test_h13_decrypt_takes_only_encrypted_arrays",),
    ),
    Mutant(
        (14,),
        "keys/private_key.py",
        'f"PrivateKey({self._public_key.key_length} bits, ',
        'f"PrivateKey({self.p}, ',
        (SHOWN, "numbers/test_numbers.py::test_h14_private_keys_keep_their_secrets"),
    ),
    Mutant(
        (14,),
        NUMBERS,
        'return "PrivateNumbers(...)"',
        'return f"PrivateNumbers({self.p:x})"',
        (SHOWN, "test_secrets.py::test_h14_private_numbers_have_no_representation"),
    ),
    Mutant((14,), NUMBERS, '"p * q is not the public key\'s n"', 'f"{p} * {q} is not n"', (FAILING,)),
    Mutant((14,), NUMBERS, 'f"{name} must be an int, not {type(value).__name__}"', 'f"{name}: {value!r}"', (FAILING,)),
    Mutant(
        (14,), "plaintext/encoding.py", 'f"the magnitude of {name} at', 'f"{values.flat[-1]} of {name} at', (FAILING,)
    ),
    Mutant(
        (14,),
        "keys/private_key.py",
        "    def __reduce__(self) -> NoReturn:\n",
        "    def __reduce__(self):\n        return PrivateKey, (self._public_key, self.p, self.q)\n",
        ("numbers/test_numbers.py::test_h14_private_keys_keep_their_secrets",),
    ),
    Mutant(
        (15,),
        "keys/public_key.py",
        "return isinstance(other, PublicKey) and self.n == other.n",
        "return self.n == other.n",
        ("numbers/test_numbers.py::test_h15_equality_and_hash",),
    ),
    Mutant(
        (15,),
        "keys/public_key.py",
        "return hash(self._numbers)",
        "return hash((self.n, self._source._drawn))",
        ("numbers/test_numbers.py::test_h15_the_hash_is_that_of_the_numbers_in_every_process",),
    ),
]
