"""The drop-in for phe: where it does not do as phe does, and its pool of randomizers."""

from tests.mutants.model import Mutant

PUBLIC, PRIVATE, ENCODING, POOL = "phe/public.py", "phe/private.py", "phe/encoded.py", "phe/pool.py"
COMMANDS, READY = "phe/command_line.py", "randomness/ready.py"
DEVIATIONS = "phe/test_deviations.py::"
ROOT = f"{DEVIATIONS}test_h23_r_value_is_a_root_mod_n"
UNIFORM = f"{DEVIATIONS}test_h31_h32_what_is_no_ciphertext_is_refused_with_one_text"
PRIVACY = f"{DEVIATIONS}test_h14_private_keys_show_no_secrets_and_stay_in_the_process"
PICKLED = f"{DEVIATIONS}test_pickled_numbers_are_rerandomised"
OTHER_KEY = f"{DEVIATIONS}test_a_number_encoded_for_another_key"
RANDOM = "phe/test_pool.py::test_every_way_to_encrypt_is_random"
FORKED = "phe/test_pool.py::test_h57_a_child_uses_none_of_its_parents"
HANDED_OUT = "phe/test_pool.py::test_it_hands_out_what_was_drawn_once_each"
PHEUTIL = "phe/test_command_line.py::"
BAD_NUMBERS = f"{PHEUTIL}test_h37_h63_bad_ciphertext_files"
NO_NUMBER = f"{PHEUTIL}test_h66_what_is_no_number"
OWNER = f"{PHEUTIL}test_h59_h67_new_private_keys_are_for_the_owner_alone"

MUTANTS = [
    Mutant(
        (1,),
        "phe/key_generation.py",
        "if not LEAST_LENGTH <= n_length <= GREATEST_KEY_LENGTH:",
        "if n_length > GREATEST_KEY_LENGTH:",
        (f"{DEVIATIONS}test_h01_lengths_that_no_key_has",),
    ),
    Mutant(
        (2,),
        PUBLIC,
        "if length < SECURE_KEY_LENGTH and not _warned:",
        "if length < SECURE_KEY_LENGTH:",
        ("phe/test_keys.py::test_h02_one_warning_a_process",),
    ),
    Mutant((3,), PUBLIC, "isinstance(n, (bool, np.bool_)) or not", "not", (f"{DEVIATIONS}test_h03_n_is_an_int",)),
    Mutant(
        (3, 6),
        PUBLIC,
        "if not 8 < self.n < 1 << GREATEST_KEY_LENGTH or self.n % 2 == 0:",
        "if self.n < 9:",
        (f"{DEVIATIONS}test_h03_h06_an_n_that_cannot_be_computed_with_can_be_held",),
    ),
    Mutant(
        (7,),
        PRIVATE,
        "if p < 2 or p * q != n:",
        "if False:",
        (f"{DEVIATIONS}test_h07_private_numbers_of_another_key",),
    ),
    Mutant(
        (8, 9, 10),
        PRIVATE,
        "check_private_numbers(public_key._numbers, p, q)",
        "PrivateNumbers(public_key._numbers, p, q)",
        (f"{DEVIATIONS}test_h08_h09_h10_private_numbers_are_examined",),
    ),
    Mutant(
        (13,),
        PRIVATE,
        "        if not isinstance(private_key, PaillierPrivateKey):\n",
        "        if False:\n",
        (f"{DEVIATIONS}test_h13_a_public_key_is_no_private_one",),
    ),
    Mutant(
        (14,),
        PRIVATE,
        "        return f\"<PaillierPrivateKey for {getattr(self, 'public_key', 'no key yet')!r}>\"\n",
        '        return f"<PaillierPrivateKey {self.p}>"\n',
        (PRIVACY,),
    ),
    Mutant(
        (14,),
        PRIVATE,
        "    def __reduce__(self) -> NoReturn:\n",
        "    def __reduce__(self):\n        return PaillierPrivateKey, (self.public_key, self.p, self.q)\n",
        (PRIVACY,),
    ),
    Mutant(
        (14,),
        ENCODING,
        'f"the number does not fit: at',
        'f"the number {scalar} does not fit: at',
        (f"{DEVIATIONS}test_no_message_holds_a_plaintext",),
    ),
    Mutant(
        (15,),
        PUBLIC,
        "return isinstance(other, PaillierPublicKey) and self.n == other.n",
        "return self.n == other.n",
        (f"{DEVIATIONS}test_h15_keys_compare_with_anything",),
    ),
    Mutant(
        (19,),
        ENCODING,
        "up = 2 * remainder > denominator or (2 * remainder == denominator and quotient % 2 == 1)",
        "up = 2 * remainder >= denominator",
        ("phe/test_against_phe.py::test_halves_round_to_even",),
    ),
    Mutant(
        (20,),
        ENCODING,
        "if abs(mantissa) > public_key.max_int:",
        "if abs(mantissa) >= public_key.max_int:",
        ("phe/test_keys.py::test_max_int_can_be_changed",),
    ),
    Mutant(
        (21,),
        ENCODING,
        "        if self.encoding >= n - greatest:\n",
        "        if self.encoding >= n - 2 * greatest:\n",
        ("phe/test_against_phe.py::test_decoding_anywhere_in_the_range",),
    ),
    Mutant(
        (23,),
        PUBLIC,
        "randomizer = textbook_randomizers(self._ring, [r_value])",
        "randomizer = textbook_randomizers(self._ring, [r_value % self._n])",
        (ROOT,),
    ),
    Mutant(
        (23,),
        PUBLIC,
        "randomizer = textbook_randomizers(self._ring, [r_value])",
        "randomizer = self._ring.load([pow(r_value, self._n, self._n**2)])",
        (ROOT,),
    ),
    Mutant(
        (31,),
        PUBLIC,
        "self._ring.checked(self._ring.load([ciphertext]))",
        "self._ring.load([ciphertext])",
        (UNIFORM,),
    ),
    Mutant(
        (31, 32),
        PUBLIC,
        "self._residue = self.public_key._loaded(integer)",
        "self._residue = self.public_key._ring.load([integer % self.public_key.nsquare])",
        (UNIFORM,),
    ),
    Mutant(
        (31,),
        PUBLIC,
        "key._ring.multiply(key._loaded(e_a), key._loaded(e_b))",
        "key._ring.multiply(key._ring.load([e_a]), key._ring.load([e_b]))",
        (UNIFORM,),
    ),
    Mutant(
        (33,),
        PUBLIC,
        "if isinstance(ciphertext, bool) or not isinstance(ciphertext, int):",
        "if not isinstance(ciphertext, int):",
        (f"{DEVIATIONS}test_h33_a_ciphertext_is_an_int",),
    ),
    Mutant(
        (33,),
        ENCODING,
        "isinstance(exponent, (bool, np.bool_)) or not",
        "not",
        (f"{DEVIATIONS}test_exponents_are_ints",),
    ),
    Mutant(
        (34,),
        PUBLIC,
        "        if other.public_key is not key and other.public_key != key:\n",
        "        if False:\n",
        (f"{DEVIATIONS}test_h34_numbers_of_another_key_are_not_added",),
    ),
    Mutant((34,), ENCODING, "    if encoded.public_key != public_key:\n", "    if False:\n", (OTHER_KEY,)),
    Mutant(
        (34,),
        PRIVATE,
        "        if encrypted_number.public_key != self.public_key:\n",
        "        if False:\n",
        ("phe/test_keys.py::test_a_number_given_another_key_is_a_number_of_that_key",),
    ),
    Mutant(
        (37,),
        ENCODING,
        "    if abs(plain) > _GREATEST_EXPONENT:\n",
        "    if plain > _GREATEST_EXPONENT:\n",
        (f"{DEVIATIONS}test_exponents_whose_powers_fill_the_memory",),
    ),
    Mutant((39,), PUBLIC, "if be_secure and not self.__is_obfuscated:", "if False:", (RANDOM, UNIFORM, PICKLED)),
    Mutant((39,), PUBLIC, "if be_secure and not self.__is_obfuscated:", "if be_secure:", (PICKLED,)),
    Mutant(
        (39,),
        PUBLIC,
        "key._ring.multiply(self._valid(), key._pool.take())",
        "key._ring.multiply(self._valid(), key._ring.ones(1))",
        (RANDOM,),
    ),
    Mutant(
        (39,),
        PUBLIC,
        "        obfuscated: bool = False,\n",
        "        obfuscated: bool = True,\n",
        (RANDOM, "phe/test_keys.py::test_arithmetic_leaves_its_operands_alone"),
    ),
    Mutant(
        (39,),
        PUBLIC,
        "return {_CIPHERTEXT: leaving.ciphertext(),",
        "return {_CIPHERTEXT: leaving.ciphertext(False),",
        (PICKLED,),
    ),
    Mutant(
        (39,),
        PUBLIC,
        "_of(self, residue, int(encoding.exponent), encoding.BASE, r_value is None)",
        "_of(self, residue, int(encoding.exponent), encoding.BASE, True)",
        (RANDOM,),
    ),
    Mutant((39,), POOL, "part_of(ring, batch, 1, count)", "part_of(ring, batch, 0, count)", (HANDED_OUT,)),
    Mutant((57,), READY, "            self._stocks = deque()\n", "            pass\n", (FORKED,)),
    Mutant((57,), "system/forks.py", "after_in_child=_in_child", "after_in_parent=_in_child", (FORKED,)),
    Mutant(
        (57,),
        "system/forks.py",
        "        lock._lock = Lock()\n",
        "        pass\n",
        ("system/test_forks.py::test_h57_a_child_forked_under_the_locks_works_and_repeats_nothing",),
    ),
    Mutant((37,), COMMANDS, "not _DIGITS.fullmatch(digits):", "not digits:", (BAD_NUMBERS,)),
    Mutant((37,), COMMANDS, 're.compile(r"[0-9]+")', 're.compile(r"\\d+")', (BAD_NUMBERS,)),
    Mutant(
        (37,), COMMANDS, "if type(exponent) is not int:", "if not isinstance(exponent, (int, float)):", (BAD_NUMBERS,)
    ),
    Mutant((37,), COMMANDS, "if len(data) > _GREATEST_INPUT:", "if False:", (BAD_NUMBERS,)),
    Mutant(
        (37, 38),
        COMMANDS,
        "return str(mpz(value))",
        "return str(value)",
        (f"{PHEUTIL}test_h37_a_small_file_may_decrypt_to_many_digits",),
    ),
    Mutant((59, 67), COMMANDS, "os.O_TRUNC, 0o600)", "os.O_TRUNC, 0o666)", (OWNER,)),
    Mutant((67,), COMMANDS, "if stat.S_ISREG(mode) and mode & (", "if False and mode & (", (OWNER,)),
    Mutant(
        (67,),
        COMMANDS,
        '_say("Encrypting")',
        '_say(f"Encrypting {plaintext}")',
        (f"{PHEUTIL}test_what_is_being_done_is_said_without_the_number",),
    ),
    Mutant((66,), COMMANDS, "    if not math.isfinite(number):\n", "    if False:\n", (NO_NUMBER,)),
    Mutant(
        (66,),
        COMMANDS,
        "        number = float(text)\n",
        '        number = float(text.replace(",", "."))\n',
        (NO_NUMBER,),
    ),
    Mutant(
        (63,),
        COMMANDS,
        "        except VecpheError as error:\n",
        "        except UnicodeDecodeError as error:\n",
        (BAD_NUMBERS, f"{PHEUTIL}test_h12_h63_bad_key_files", f"{PHEUTIL}test_h13_the_wrong_half_of_a_key"),
    ),
    Mutant(
        (64,),
        COMMANDS,
        'Output = click.File("w")',
        'Output = click.File("x")',
        (
            f"{PHEUTIL}test_files_are_written_in_place",
            "cli/test_pheutil.py::test_files_are_written_in_place_as_phe_does",
        ),
    ),
    Mutant(
        (68,),
        COMMANDS,
        "        except BrokenPipeError:  # click's own to answer\n            raise\n",
        "",
        ("cli/test_pheutil.py::test_h68_a_reader_that_left_causes_no_traceback",),
    ),
    Mutant(
        (65,),
        "cli/app.py",
        "        fail(error.format_message())\n    except click.Abort:",
        "        print(error.format_message())\n        status = 1\n    except click.Abort:",
        ("cli/test_pheutil.py::test_h63_h65_h66_errors_are_one_line",),
    ),
    Mutant(
        (66,),
        "cli/app.py",
        "ctx.args = list(args)",
        'ctx.args = [arg for arg in args if arg != "--"]',
        ("cli/test_pheutil.py::test_what_one_side_writes_the_other_reads",),
    ),
]
