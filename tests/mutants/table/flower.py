"""The protocol between machines: rows 48 to 55 again, and what a relay can do."""

from tests.mutants.model import Mutant

COORDINATOR, HOLDER, HOSPITAL = "flower/coordinator.py", "flower/holder.py", "flower/hospital.py"
MODEL = "flower/model.py"
MEMORY, PLAN, ROSTER = "flower/memory.py", "flower/plan.py", "flower/roster.py"
SEALING, SETTINGS, SUPERNODE = "flower/sealing.py", "flower/settings.py", "flower/supernode.py"
PROTOCOL, PARTS = "flower/test_protocol.py", "flower/test_parts.py"
OVER = "flower/test_over_flower.py"
OTHER_PRIVATE = f"{PROTOCOL}::test_h51_another_private_key_is_refused_before_a_round"
SERVER_LIMITS = f"{PROTOCOL}::test_h51_what_the_server_does_not_allow_is_refused"
OWNER = f"{PARTS}::test_h54_a_memory_is_one_partys_in_each_run"
BUNDLE = f"{OVER}::test_h54_only_the_pinned_bundle_is_run"
RELAY = f"{PROTOCOL}::test_h54_a_relay_that_changes_a_hop_is_caught"
BAD_UPDATE = f"{PROTOCOL}::test_h50_a_client_with_a_bad_update_sends_nothing_and_is_named"
PLACE = f"{PARTS}::test_h54_an_envelope_of_another_place_is_refused"
PLACE_SEALED = f"{PARTS}::test_h54_the_place_is_sealed_too"
REPEAT = f"{PROTOCOL}::test_h54_a_repeat_gets_the_stored_answer"
DIFFERENT = f"{PROTOCOL}::test_h54_another_sum_in_the_same_attempt_is_refused"
OLD_ROUND = f"{PROTOCOL}::test_h54_a_message_of_an_old_round_is_refused"
OLD_ATTEMPT = f"{PROTOCOL}::test_h54_a_message_of_an_old_attempt_is_refused"
RESTART = f"{PROTOCOL}::test_h55_a_round_is_restarted_with_fresh_encryptions_of_the_same_update"
SECOND_SUM = f"{PROTOCOL}::test_h55_a_second_sum_of_a_round_is_not_decrypted"
BEFORE = f"{PROTOCOL}::test_h55_the_decision_is_recorded_before_anything_is_decrypted"
BEFORE_STAR = f"{PROTOCOL}::test_h55_so_it_is_by_the_holder_of_a_star"
SINGLE = f"{PROTOCOL}::test_h53_the_holder_refuses_a_single_contribution"

MUTANTS = [
    # Who takes part
    Mutant(
        (48,),
        ROSTER,
        "        check_client_count(len(self.members))\n",
        "",
        (f"{PROTOCOL}::test_h48_a_roster_of_two_clients_is_refused",),
    ),
    Mutant(
        (48,),
        ROSTER,
        'for what in ("name", "signing", "sealing"):',
        'for what in ("name", "sealing"):',
        (f"{PARTS}::test_h48_a_party_that_stands_there_twice_is_refused",),
    ),
    Mutant(
        (48,),
        HOSPITAL,
        "    if len(roster.members) < settings.min_clients:\n",
        "    if False:\n",
        (f"{PROTOCOL}::test_h48_a_party_may_ask_for_more_clients_than_three",),
    ),
    Mutant(
        (48,),
        SETTINGS,
        '(("min_clients", 3), ("max_rounds", 1))',
        '(("min_clients", 2), ("max_rounds", 1))',
        (f"{PARTS}::test_h48_settings_that_cannot_be_are_refused",),
    ),
    Mutant(
        (54,),
        HOSPITAL,
        "    if identity.member not in roster.parties:\n",
        "    if False:\n",
        (f"{PROTOCOL}::test_h54_keys_that_the_relay_swapped_are_caught",),
    ),
    # What a client sends
    Mutant((50,), HOSPITAL, "        if not np.isfinite(flat).all():\n", "        if False:\n", (BAD_UPDATE,)),
    Mutant(
        (50, 51),
        HOSPITAL,
        "        if np.any(np.abs(flat) > plan.clip):\n",
        "        if False:\n",
        (BAD_UPDATE,),
    ),
    Mutant(
        (51,),
        HOSPITAL,
        "        if tuple(array.shape for array in arrays) != plan.shapes:\n",
        "        if False:\n",
        (BAD_UPDATE,),
    ),
    Mutant(
        (50,),
        HOSPITAL,
        "its training raised {type(error).__name__}; its log says more",
        "its training raised {type(error).__name__}: {error}; its log says more",
        (f"{PROTOCOL}::test_h50_what_a_training_says_does_not_reach_the_server",),
    ),
    Mutant(
        (51,),
        PLAN,
        "        if key.fingerprint != roster.key:\n",
        "        if False:\n",
        (f"{PROTOCOL}::test_h51_a_public_key_that_changes_is_refused",),
    ),
    Mutant(
        (51,),
        MEMORY,
        "            if agreed != plan:\n",
        "            if False:\n",
        (f"{PROTOCOL}::test_h51_a_plan_that_changes_is_refused",),
    ),
    Mutant(
        (51,),
        HOSPITAL,
        "        if content_digest(request.arrays, request.config) != model:\n",
        "        if False:\n",
        (f"{PROTOCOL}::test_h51_a_model_that_was_changed_on_its_way_is_refused",),
    ),
    Mutant(
        (51,),
        HOSPITAL,
        "    if settings.models and plan.model not in settings.models:\n",
        "    if False:\n",
        (f"{PROTOCOL}::test_h51_what_a_party_does_not_allow_is_refused",),
    ),
    Mutant(
        (51,),
        HOLDER,
        "    if private_key.public_key.fingerprint != roster.key:\n",
        "    if False:\n",
        (OTHER_PRIVATE,),
    ),
    Mutant(
        (51,),
        HOSPITAL,
        "            own_private_key(self.settings, self.roster, self.name)  #",
        "            pass  #",
        (OTHER_PRIVATE,),
    ),
    Mutant(
        (46,),
        "flower/simulation.py",
        '{"VECPHE_ENGINE": config.engine}',
        "{}",
        (f"{OVER}::test_workers_engine_and_rounds_of_a_run_over_flower_are_those_that_were_asked_for",),
    ),
    Mutant(
        (50,),
        "flower/simulation.py",
        '    check_descent(job.models(), [*history], "lower eta")\n',
        "",
        (
            f"{OVER}::test_h50_a_run_over_flower_that_goes_up_is_an_error",
            f"{OVER}::test_h50_a_run_over_flower_that_never_moves_is_an_error",
        ),
    ),
    # Who sees what
    Mutant(
        (52,),
        COORDINATOR,
        "vector.to_message(rerandomize=False)",
        "(vector + vector).to_message(rerandomize=False)",
        (f"{PROTOCOL}::test_h52_the_sum_for_the_holder_is_sent_as_it_was_added",),
    ),
    Mutant(
        (52,),
        HOSPITAL,
        "        to_server = last or self.roster.topology ==",
        "        to_server = True or self.roster.topology ==",
        (f"{PROTOCOL}::test_h52_the_server_of_a_ring_opens_only_what_the_last_client_releases",),
    ),
    Mutant(
        (52,),
        HOSPITAL,
        '        hops = seal_all("hop", header, sums, self._identity, receiver)\n',
        '        hops = seal_all("hop", header, sums, self._identity, None)\n',
        (f"{PROTOCOL}::test_h52_no_ciphertext_of_a_ring_is_in_the_clear",),
    ),
    Mutant(
        (53,),
        HOLDER,
        "    if found != [(roster.run, number, member.id, member.name) for member in roster.members[:upto]]:\n",
        "    if False:\n",
        (f"{PROTOCOL}::test_h53_a_sum_without_a_client_is_refused_by_the_holder",),
    ),
    Mutant(
        (53,),
        HOSPITAL,
        "        if self._me != self.roster.holder:\n",
        "        if False:\n",
        (f"{PROTOCOL}::test_h53_clients_do_not_decrypt",),
    ),
    # What a relay can do
    Mutant(
        (54,),
        SEALING,
        "        sender.verify_key().verify(signature, _SIGNED + content)\n",
        "        sender.verify_key()\n",
        (RELAY,),
    ),
    Mutant(
        (54,),
        SEALING,
        "        if type(found[name]) is not type(value) or found[name] != value:\n",
        "        if False:\n",
        (PLACE,),
    ),
    Mutant(
        (54,),
        SEALING,
        "return _SEALED + json.dumps([kind, *asdict(self).values()], ensure_ascii=False).encode()",
        "return _SEALED",
        (PLACE_SEALED,),
    ),
    Mutant((54,), SEALING, "    if len(envelopes) != chunks:\n", "    if len(envelopes) < chunks:\n", (RELAY,)),
    Mutant(
        (54,),
        COORDINATOR,
        "reply.parts[1], party, None) != nonce:",
        "reply.parts[1], party, None) == b'':",
        (f"{PROTOCOL}::test_h54_a_hello_of_before_proves_nothing",),
    ),
    Mutant(
        (54,),
        HOSPITAL,
        '        kept = self._memory.answer(number, attempt, "task", asked)\n',
        "        kept = None\n",
        (REPEAT,),
    ),
    Mutant((54,), MEMORY, "        if row != (request,):\n", "        if False:\n", (DIFFERENT,)),
    Mutant((54,), MEMORY, "        if number < last:\n", "        if False:\n", (OLD_ROUND,)),
    Mutant((54,), MEMORY, "        if number == last and attempt < before:\n", "        if False:\n", (OLD_ATTEMPT,)),
    Mutant(
        (54,),
        MEMORY,
        '            lock.execute("BEGIN EXCLUSIVE")\n',
        "",
        (f"{PARTS}::test_h54_a_repeat_waits_for_the_answer",),
    ),
    Mutant(
        (54,),
        SUPERNODE,
        '        return hashlib.sha256(fab.content).hexdigest() == trusted_entities["pinned"]\n',
        "        return True\n",
        (BUNDLE,),
    ),
    Mutant((54,), MEMORY, "            if owner != party:\n", "            if False:\n", (OWNER,)),
    Mutant(
        (54,),
        HOSPITAL,
        "self._memory.agree(self.roster.digest, data, self._me.id)",
        "self._memory.agree(self.roster.digest, data)",
        (f"{PROTOCOL}::test_h54_two_parties_with_one_memory_are_told",),
    ),
    Mutant((51,), COORDINATOR, "        check_allowed(settings, plan, self._identity.name)\n", "", (SERVER_LIMITS,)),
    Mutant(
        (51,),
        MODEL,
        "        if not name.isprintable() or name in named:\n",
        "        if False:\n",
        (f"{PROTOCOL}::test_h51_a_model_that_cannot_be_sent_or_kept_is_refused",),
    ),
    Mutant(
        (52,),
        HOSPITAL,
        "    if settings.key is not None and identity.member != roster.holder:\n",
        "    if False:\n",
        (f"{PROTOCOL}::test_h52_nobody_but_the_holder_may_have_the_private_key",),
    ),
    Mutant(
        (53,),
        HOSPITAL,
        """        self._check_number(number, plan)
        expected = Header""",
        "        expected = Header",
        (f"{PROTOCOL}::test_h53_the_holder_opens_no_sum_beyond_the_plan_or_its_own_limit",),
    ),
    Mutant(
        (36,),
        ROSTER,
        "    if other in _KINDS and other != kind:\n",
        "    if False:\n",
        ("cli/test_roster.py::test_h36_another_file_of_vecphe_is_told_as_what_it_is",),
    ),
    # What is decrypted, and how often
    Mutant(
        (55,),
        COORDINATOR,
        "number = self._memory.round_of(asked, max(self._memory.decided, self._done))",
        "number = max(self._memory.decided, self._done) + 1",
        (f"{PROTOCOL}::test_h55_another_model_after_a_round_that_was_lost_is_a_new_round",),
    ),
    Mutant(
        (55,),
        COORDINATOR,
        'in self._ask_again(requests, 0).items():\n                self._opened("ended"',
        'in self._ask(requests, 0).items():\n                self._opened("ended"',
        (f"{PROTOCOL}::test_h55_an_end_that_is_lost_on_its_way_is_told_again",),
    ),
    Mutant((55,), HOLDER, "        memory.decide(number, attempt)  #", "        #", (BEFORE, BEFORE_STAR, SECOND_SUM)),
    Mutant(
        (55,),
        HOSPITAL,
        "        self._memory.keep_update(number, model, weight,",
        "        print(number, model, weight,",
        (RESTART,),
    ),
    Mutant(
        (55,),
        MEMORY,
        "        if row[0] != model:\n",
        "        if False:\n",
        (f"{PROTOCOL}::test_h55_another_model_in_the_same_round_is_refused",),
    ),
    Mutant(
        (55,),
        COORDINATOR,
        "            if kept is not None:\n                self._done",
        "            if kept == b'':\n                self._done",
        (f"{PROTOCOL}::test_h55_a_mean_that_was_not_saved_is_not_decrypted_again",),
    ),
    Mutant(
        (55,),
        COORDINATOR,
        "self._done, self.steps = (0, 0) if saved is None else saved[:2]",
        "self._done, self.steps = 0, 0",
        (f"{PROTOCOL}::test_h55_a_server_that_was_restarted_goes_on_from_what_it_saved",),
    ),
    Mutant(
        (29,),
        HOLDER,
        'raise ProtocolError(f"the sum of round {number} could not be decrypted; the round is spent") from None',
        "raise",
        (f"{PROTOCOL}::test_h29_what_is_wrong_with_a_sum_is_told_to_nobody",),
    ),
]
