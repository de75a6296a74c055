"""What holds private keys, what phe's users bring, and the structure of randomness: rows 11, 14, 23, 39, 67, 73, 81."""

from tests.mutants.model import Mutant

PUBLIC, PRIVATE, RANDOMIZERS = "phe/public.py", "phe/private.py", "randomness/randomizers.py"
HELD, NAMES, RANDOM = "keys/test_held_secrets.py::", "phe/test_private_names.py::", "randomness/test_randomness.py::"
BASE = f"{RANDOM}test_h11_a_base_is_the_nth_power_of_a_square"
ROOTS = f"{RANDOM}test_h23_textbook_roots_are_uniform_units"
HALF_BUILT = f"{HELD}test_h81_half_built_objects_have_a_repr"
LOCALS = f"{HELD}test_h81_a_traceback_with_locals_keeps_its_error"
STALE = f"{NAMES}test_h73_what_is_held_is_never_stale_or_empty"
NUMBERS = f"{NAMES}test_h73_private_names_of_numbers"
PUT_IN = f"{NAMES}test_h73_a_ciphertext_can_be_put_in_by_its_private_name"
METHODS = f"{NAMES}test_h73_private_methods"
TRACEBACKS = "system/tracebacks.py"
TAKEN_ALONG = f"{HELD}test_h81_no_error_takes_primes_passphrases_or_values_along"
OPEN = f"{HELD}test_h67_a_private_key_that_others_can_read_is_told"

MUTANTS = [
    Mutant((81,), TRACEBACKS, "            del args, kwargs\n", "", (TAKEN_ALONG,)),
    Mutant((81,), TRACEBACKS, "error.with_traceback(None) from None", "error", (TAKEN_ALONG,)),
    Mutant((81,), "keys/private_key.py", "    @keeps_locals\n    def decrypt(", "    def decrypt(", (TAKEN_ALONG,)),
    *(
        Mutant((81,), "keys/private_key.py", f"    @keeps_locals\n    def {name}(", f"    def {name}(", (TAKEN_ALONG,))
        for name in ("from_bytes", "from_jwk", "from_phe")
    ),
    Mutant((11,), RANDOMIZERS, "        h = x * x % n\n", "        h = x\n", (BASE,)),
    Mutant((11,), RANDOMIZERS, "[h]), [n]))[0]", "[h]), [n - 2]))[0]", (BASE,)),
    Mutant(
        (11,),
        RANDOMIZERS,
        "        x = secrets.randbelow(n - 1) + 1\n",
        "        x = secrets.randbelow(1 << 64) + 1\n",
        (f"{RANDOM}test_h11_the_roots_of_bases_are_uniform_below_n",),
    ),
    Mutant(
        (23,),
        RANDOMIZERS,
        "    root = secrets.randbelow(n - 1) + 1\n    while",
        "    root = secrets.randbelow(1 << 64) + 1\n    while",
        (ROOTS,),
    ),
    Mutant(
        (14,),
        "arithmetic/engine.py",
        '    def __reduce__(self) -> NoReturn:\n        raise TypeError("a decryptor',
        '    def _reduce(self) -> NoReturn:\n        raise TypeError("a decryptor',
        (f"{HELD}test_h14_decryptors_of_all_engines_stay_in_the_process",),
    ),
    Mutant(
        (14,),
        "federated/interface.py",
        "    def __reduce__(self) -> NoReturn:\n",
        "    def _reduce(self) -> NoReturn:\n",
        (f"{HELD}test_h14_the_refusals_say_what_to_do",),
    ),
    Mutant(
        (23,),
        PUBLIC,
        "        elif isinstance(r_value, bool) or not isinstance(r_value, int):\n",
        "        elif not isinstance(r_value, int):\n",
        (f"{NAMES}test_h23_r_value_is_an_int",),
    ),
    Mutant((67,), "keys/private_key.py", "        if is_open_to_others(path):\n", "        if False:\n", (OPEN,)),
    Mutant((67,), "system/files.py", "bool(mode & 0o077)", "bool(mode & 0o007)", (OPEN,)),
    Mutant((73,), PUBLIC, "        if self._integer is None:\n", "        if False:\n", (NUMBERS,)),
    Mutant((73,), PUBLIC, "        self._integer = None\n        self.__is_obf", "        self.__is_obf", (NUMBERS,)),
    Mutant(
        (73,),
        PUBLIC,
        "        self._integer, self._context, self._residue = ciphertext, None, None\n",
        "        self._integer = ciphertext\n",
        (PUT_IN,),
    ),
    Mutant(
        (73,),
        PUBLIC,
        "vars(self).update(n=n, g=n + 1, nsquare=n**2)",
        "vars(self).update(nsquare=n**2)",
        (STALE,),
    ),
    Mutant(
        (73,),
        PUBLIC,
        "        check_encoded(encoded, self.public_key)\n        return self._plus(encoded)\n",
        "        return self._plus(encoded)\n",
        (METHODS,),
    ),
    Mutant(
        (39, 73),
        PUBLIC,
        "        vars(self).update(rest)\n",
        "        vars(self).update(rest)\n        self.__is_obfuscated = True\n",
        (f"{NAMES}test_pickles_of_phe",),
    ),
    Mutant(
        (81,),
        "keys/public_key.py",
        '        if not hasattr(self, "_context"):\n',
        "        if False:\n",
        (HALF_BUILT, LOCALS),
    ),
    Mutant((81,), "array/data.py", '        if not hasattr(self, "_exported"):', "        if False:", (HALF_BUILT,)),
]
