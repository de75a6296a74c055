"""The protocol and its tables: rows 48 to 55, 62, 75 and 77."""

from tests.mutants.model import Mutant

BACKENDS, INTERFACE, PARTIES = "federated/backends.py", "federated/interface.py", "federated/parties.py"
PROTOCOL, RING, ROUNDS = "federated/protocol.py", "federated/ring.py", "federated/rounds.py"
GUARDS, TESTS = "federated/test_guards.py", "federated/test_rounds.py"
FEW = f"{GUARDS}::test_h48_fewer_than_three_clients_are_refused"
FEW_SERVER = f"{GUARDS}::test_h53_fewer_than_three_clients_are_refused_by_the_server"
UNDERNEATH = f"{TESTS}::test_h75_what_was_computed_underneath_is_refused"
CONTENTS = f"{TESTS}::test_h75_contents_that_were_replaced_are_not_what_the_record_is_about"
TWICE = f"{TESTS}::test_h75_a_contribution_twice_is_refused"
FOUR = f"{TESTS}::test_h75_one_client_four_times_is_refused"
RUN = f"{TESTS}::test_h75_vectors_of_another_run_are_refused"
ROUND = f"{TESTS}::test_h75_vectors_of_other_rounds_are_refused"
LEDGER = f"{TESTS}::test_h75_a_copy_of_the_ledger_decides_no_second_time"
SECOND = f"{TESTS}::test_h75_a_second_sum_of_a_round_is_refused"
MESSAGE = f"{TESTS}::test_h54_a_message_that_is_not_the_next_is_refused_and_counts_nothing"
MEMBERS = f"{TESTS}::test_h55_going_on_with_other_members_needs_consent"
RESTART = f"{TESTS}::test_h55_a_round_is_restarted_with_fresh_encryptions_and_the_same_members"
LOST = f"{TESTS}::test_h55_without_consent_the_run_ends_when_a_client_is_lost_for_good"

MUTANTS = [
    Mutant((75,), ROUNDS, "    def __copy__(self) -> Ledger:", "    def _copied(self) -> Ledger:", (LEDGER,)),
    Mutant(
        (75,),
        ROUNDS,
        "    def __deepcopy__(self, memo: object) -> Ledger:",
        "    def _deeply(self) -> Ledger:",
        (LEDGER,),
    ),
    Mutant((48,), ROUNDS, "_LEAST_CLIENTS = 3", "_LEAST_CLIENTS = 2", (FEW, FEW_SERVER)),
    Mutant(
        (48,),
        PROTOCOL,
        "    check_client_count(options.n_clients, unsafe_few_clients)\n",
        "",
        (f"{GUARDS}::test_h48_they_are_refused_before_a_key_is_made",),
    ),
    Mutant(
        (49,),
        "federated/data.py",
        "    if not block:\n",
        "    if False:\n",
        (f"{GUARDS}::test_h49_more_clients_than_rows",),
    ),
    Mutant(
        (50,),
        PARTIES,
        "            if not np.isfinite(gradient).all():\n",
        "            if False:\n",
        (
            f"{GUARDS}::test_h50_a_client_with_a_gradient_that_is_not_finite_stops",
            f"{GUARDS}::test_h50_it_stops_before_anything_is_encrypted",
        ),
    ),
    Mutant(
        (51,),
        INTERFACE,
        "        if len(self) != len(other):\n",
        "        if len(self) < len(other):\n",
        (f"{GUARDS}::test_h51_wrong_length_is_refused_at_the_hop_naming_both_peers",),
    ),
    Mutant(
        (51,),
        INTERFACE,
        "        if self.key.fingerprint != other.key.fingerprint:\n",
        "        if False:\n",
        (f"{GUARDS}::test_h51_another_key_is_refused_at_the_hop_naming_both_peers",),
    ),
    Mutant(
        (52,),
        BACKENDS,
        "[self.public_key.encrypt(value) for value in",
        "[self.public_key.encrypt(value, r_value=1) for value in",
        ("federated/test_transcript.py::test_h52_an_honest_run_passes",),
    ),
    Mutant(
        (53,),
        ROUNDS,
        "        if total.terms != n_clients:\n",
        "        if total.terms < n_clients:\n",
        (f"{TESTS}::test_h53_more_terms_than_clients_are_refused",),
    ),
    Mutant(
        (53,),
        ROUNDS,
        "        if total.terms != n_clients:\n",
        "        if total.terms > n_clients:\n",
        (f"{GUARDS}::test_h53_a_single_gradient_is_refused",),
    ),
    Mutant(
        (53,),
        ROUNDS,
        "    if not contributions or len(contributions) != total.terms:\n",
        "    if not contributions:\n",
        (f"{TESTS}::test_h53_terms_that_are_changed_are_not_believed", MESSAGE),
    ),
    Mutant(
        (75,),
        INTERFACE,
        "        return record.contributions if same else None\n",
        "        return record.contributions\n",
        (CONTENTS, f"{TESTS}::test_h75_numbers_of_phe_that_were_replaced_are_not_either"),
    ),
    Mutant(
        (75,),
        BACKENDS,
        "return self.array, self.array.residues, self.array.format\n",
        "return self.array, self.array.format\n",
        (CONTENTS,),
    ),
    Mutant(
        (75,),
        INTERFACE,
        '{**self.__dict__, "_record": self.contributions}',
        '{**self.__dict__, "_record": self._record and self._record.contributions}',
        (CONTENTS,),
    ),
    Mutant(
        (75,),
        ROUNDS,
        "        [contribution.party for contribution in contributions],\n",
        "",
        (FOUR,),
    ),
    Mutant(
        (75,),
        ROUNDS,
        "        [contribution.client for contribution in contributions if contribution.client is not None],\n",
        "",
        (FOUR,),
    ),
    Mutant(
        (75,),
        ROUNDS,
        "any(own.party == c.party or (own.client and own.client == c.client) for c in contributions)",
        "any(own.client == c.client for c in contributions)",
        (FOUR,),
    ),
    Mutant(
        (54, 75),
        ROUNDS,
        "any(own.party == c.party or (own.client and own.client == c.client) for c in contributions)",
        "False",
        (TWICE, f"{TESTS}::test_h54_a_sum_that_comes_twice_counts_once"),
    ),
    Mutant(
        (75,),
        ROUNDS,
        "        return (both.pop(),) * 2\n",
        "        return ours + theirs\n",
        (f"{TESTS}::test_h75_doubling_a_sum_does_not_double_its_record",),
    ),
    Mutant((75,), ROUNDS, "            if count > 1:\n", "            if count > 4:\n", (FOUR,)),
    Mutant(
        (54, 75),
        ROUNDS,
        "    if len({(contribution.run, contribution.round) for contribution in contributions}) > 1:\n",
        "    if False:\n",
        (ROUND, RUN),
    ),
    Mutant((54, 75), ROUNDS, "        if contribution.run != run:\n", "        if False:\n", (RUN, MESSAGE)),
    Mutant((54, 75), ROUNDS, "        if contribution.round != number:\n", "        if False:\n", (ROUND, MESSAGE)),
    Mutant(
        (55, 75),
        ROUNDS,
        "        if number <= self._decided:\n",
        "        if number < self._decided:\n",
        (
            SECOND,
            f"{TESTS}::test_h55_of_many_threads_one_decides",
        ),
    ),
    Mutant(
        (75,),
        ROUNDS,
        "        self.run.round = number + 1\n",
        "",
        (f"{TESTS}::test_h75_vectors_of_no_client_belong_to_the_round_that_was_open",),
    ),
    Mutant(
        (75,),
        PARTIES,
        "            self._step(self.compute_gradient(), eta)\n",
        ("            self.gradient_step(self.compute_gradient(), eta)\n"),
        (SECOND,),
    ),
    Mutant((54,), ROUNDS, "        if position < self._sent:\n", "        if False:\n", (MESSAGE,)),
    Mutant((54,), ROUNDS, "        if position > self._sent:\n", "        if False:\n", (MESSAGE,)),
    Mutant((54,), ROUNDS, "        if sender not in self.members:\n", "        if False:\n", (MESSAGE,)),
    Mutant(
        (54,),
        ROUNDS,
        "        if [c.client for c in contributions] != list(self.members[: position + 1]):\n",
        "        if False:\n",
        (MESSAGE,),
    ),
    Mutant(
        (54,),
        RING,
        "            rules.accept(client.name, total)\n",
        "",
        (f"{TESTS}::test_h54_a_client_that_sends_the_sum_of_an_old_round_is_named",),
    ),
    Mutant(
        (55,),
        PARTIES,
        '        self.ledger.decide(vector, n_clients)\n        with self.clock.measure("decrypt"):\n'
        "            return decrypt_vector(self.privkey, vector) / n_clients\n",
        '        with self.clock.measure("decrypt"):\n'
        "            mean = decrypt_vector(self.privkey, vector) / n_clients\n"
        "        self.ledger.decide(vector, n_clients)\n        return mean\n",
        (f"{TESTS}::test_h55_the_decision_is_recorded_before_anything_is_decrypted",),
    ),
    Mutant(
        (55,),
        ROUNDS,
        "        if self._generation != generation():\n",
        "        if False:\n",
        (f"{TESTS}::test_h55_a_forked_process_decides_nothing",),
    ),
    Mutant(
        (75,),
        ROUNDS,
        "        if names and len(names) != len(contributions):\n",
        "        if False:\n",
        (f"{TESTS}::test_h75_vectors_of_no_client_do_not_stand_for_clients",),
    ),
    Mutant((55,), ROUNDS, "        self._check_members(names, len(contributions))\n", "", (MEMBERS,)),
    Mutant(
        (55,),
        ROUNDS,
        "if self._n_clients is None or (names, n_clients) == (self._names, self._n_clients):\n",
        "if self._n_clients is None or names == self._names:\n",
        (f"{TESTS}::test_h55_so_does_another_number_of_vectors_of_no_client",),
    ),
    Mutant(
        (55,),
        ROUNDS,
        "        check_client_count(n_clients, self.unsafe_few_clients)\n        with self._lock:\n",
        "        with self._lock:\n",
        (MEMBERS,),
    ),
    Mutant((55,), RING, "            if not unsafe_drop_clients:\n", "            if False:\n", (LOST,)),
    Mutant(
        (55,), RING, "            if tries <= max_restarts:\n", "            if tries < max_restarts:\n", (RESTART,)
    ),
    Mutant((55,), RING, "            if tries <= max_restarts:\n", "            if tries <= 5:\n", (LOST,)),
    Mutant(
        (75,),
        INTERFACE,
        "        if vector.terms != len(contributions):\n",
        "        if False:\n",
        ("federated/test_wire.py::test_h36_headers_that_are_not_as_specified_are_refused",),
    ),
    Mutant(
        (36,),
        "federated/wire.py",
        "[_client([contribution.party, contribution.client]) for",
        "[[contribution.party, contribution.client] for",
        ("federated/test_wire.py::test_h36_no_name_is_written_that_would_not_be_read",),
    ),
    Mutant(
        (36,),
        "federated/wire.py",
        'header.keys() != {"version", "kind", *fields}',
        'not header.keys() >= {"version", "kind", *fields}',
        ("federated/test_wire.py::test_h36_headers_that_are_not_as_specified_are_refused",),
    ),
    Mutant(
        (75,),
        BACKENDS,
        '            raise LayoutMismatchError("not a vector, or encrypted in another way than this key does")\n'
        "        return _ArrayVector(self, array)\n",
        '            raise LayoutMismatchError("not a vector, or encrypted in another way than this key does")\n'
        "        return _ArrayVector(self, array)._recorded((self.run.contribution(),) * array.terms)\n",
        ("federated/test_wire.py::test_h75_bytes_without_a_record_are_not_decrypted",),
    ),
    Mutant(
        (54,),
        RING,
        "    if number is not None:\n        for client in clients:\n            client.round = number\n",
        "    for client in clients:\n        client.round = number or clients[0].round\n",
        (f"{TESTS}::test_h54_a_client_that_missed_a_mean_is_told",),
    ),
    Mutant(
        (62,),
        "randomness/randomizers.py",
        "table_size(bits, w, key_length) <= _MOST_TABLE_BYTES",
        "True",
        (
            "randomness/test_randomizers.py::test_h62_tables_have_the_documented_size_and_a_cap",
            "randomness/test_randomizers.py::test_h62_the_source_of_a_key_keeps_to_the_cap",
        ),
    ),
    Mutant(
        (62,),
        "randomness/randomizers.py",
        "choose_window(self.context.engine, self._bits, count, self.context.numbers.n.bit_length())",
        "choose_window(self.context.engine, self._bits, count)",
        ("randomness/test_randomizers.py::test_h62_the_source_of_a_key_keeps_to_the_cap",),
    ),
    *(
        Mutant(
            (77,),
            "federated/wire.py",
            f"    if len(text) > _LONGEST_HEADER:\n        raise SerializationError(_TOO_LONG)\n{following}",
            following,
            (f"federated/test_wire.py::test_h77_{test}",),
        )
        for following, test in (
            ("    malformed", "the_longest_header_and_one_byte_more"),
            ("    return", "no_header_is_written_that_would_not_be_read"),
        )
    ),
    Mutant(
        (77,),
        "federated/wire.py",
        "_LONGEST_HEADER = 1 << 20",
        "_LONGEST_HEADER = (1 << 20) - 1",
        ("federated/test_wire.py::test_h77_the_longest_header_and_one_byte_more",),
    ),
    *(
        Mutant(
            (75,), BACKENDS, part, "", (f"{TESTS}::test_h75_numbers_of_phe_that_were_changed_in_place_are_not_either",)
        )
        for part in (", *self.ciphertexts()", ", *(number.exponent for number in self.numbers)")
    ),
]
