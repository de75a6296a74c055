"""Randomizers made ahead of their use: rows 23, 44, 52, 57, 60 and 61."""

from tests.mutants.model import Mutant

READY, SOURCE, KEY = "randomness/ready.py", "randomness/randomizers.py", "keys/public_key.py"
PARTIES, RING, BACKENDS = "federated/parties.py", "federated/ring.py", "federated/backends.py"
TESTS, RUNS = "randomness/test_ready.py::test_", "federated/test_randomizers.py::test_"
ONCE = f"{TESTS}each_is_handed_out_once_and_in_order"
FORKED = f"{TESTS}h57_a_forked_child_has_none_of_its_parents"
THREADS = f"{TESTS}h44_threads_take_different_ones"
ERROR = f"{TESTS}what_an_error_cuts_off_is_never_used_again"
BOUNDED = f"{TESTS}a_thread_keeps_so_many_ready_and_no_more"
BODY = f"{TESTS}h60_it_ends_with_the_body_however_that_ends"
LEFT = f"{RUNS}what_is_left_is_dropped_however_the_run_ends"
NEEDED = f"{RUNS}each_party_makes_its_own_in_full_batches_and_no_more_than_it_needs"
COPIED = f"{RUNS}a_copy_of_a_party_has_none_of_its_randomizers"
AHEAD = "federated/test_side_by_side.py::test_h52_what_was_encrypted_ahead_is_sent_once_and_in_its_round_alone"

MUTANTS = [
    Mutant(
        (57,),
        READY,
        "if self._generation != generation():\n            self._stocks",
        "if False:\n            self._stocks",
        (FORKED,),
    ),
    Mutant(
        (57,),
        READY,
        "        self._lock = ForkSafeLock()\n",
        "        import threading\n\n        self._lock = threading.Lock()\n",
        (f"{TESTS}h57_a_child_forked_while_another_thread_takes",),
    ),
    Mutant(
        (44,),
        READY,
        "        with self._lock:\n            claims = self._claimed(count)\n",
        "        claims = self._claimed(count)\n",
        (THREADS,),
    ),
    Mutant(
        (23, 39, 44),
        READY,
        "            stock.start = stop\n",
        "            pass\n",
        (
            ONCE,
            ERROR,
            *(
                f"phe/test_pool.py::test_{name}"
                for name in ("it_hands_out_what_was_drawn_once_each", "every_way_to_encrypt_is_random")
            ),
        ),
    ),
    Mutant(
        (23, 60),
        SOURCE,
        "        hidden = reporting(task)(done, ring, lambda _: randomizers, *cut(0, done))\n",
        "        try:\n            hidden = reporting(task)(done, ring, lambda _: randomizers, *cut(0, done))\n"
        "        except BaseException:\n            ready.add(randomizers)\n            raise\n",
        (ERROR,),
    ),
    Mutant(
        (23,),
        SOURCE,
        "lambda start, stop: cut(done + start, done + stop), count - done, n_jobs",
        "cut, count - done, n_jobs",
        (f"{TESTS}encryption_uses_what_is_ready_and_makes_the_rest",),
    ),
    Mutant(
        (57,),
        READY,
        "    def __reduce__(self) -> NoReturn:\n",
        "    def _reduced(self) -> NoReturn:\n",
        (f"{TESTS}they_are_neither_pickled_nor_copied",),
    ),
    Mutant(
        (60,),
        KEY,
        "        try:\n            yield\n        finally:\n            filling.stop()\n",
        "        yield\n        filling.stop()\n",
        (BODY,),
    ),
    Mutant(
        (60,),
        READY,
        "        self._cancellation.cancel()\n",
        "",
        (f"{TESTS}h60_it_ends_within_a_batch",),
    ),
    Mutant((61,), READY, "self._target - len(self._ready)", "self._target", (BOUNDED,)),
    Mutant(
        (61,),
        KEY,
        "        check_room(self._context.ring, count)\n        self._make",
        "        self._make",
        (f"{TESTS}h61_more_than_fits_into_memory",),
    ),
    Mutant(
        (61,),
        KEY,
        "        check_room(self._context.ring, target)\n",
        "",
        (f"{TESTS}h61_more_than_fits_into_memory",),
    ),
    Mutant((52, 61), RING, "                party.expect(left)\n", "                party.expect(rounds)\n", (NEEDED,)),
    Mutant(
        (52,),
        RING,
        "    finally:\n        for party in everyone:\n            party.expect(0)\n",
        "    finally:\n        pass\n",
        (LEFT,),
    ),
    Mutant((52,), PARTIES, "            self._encryptor.make_ready(0, 0)\n", "", (LEFT,)),
    Mutant(
        (52,),
        BACKENDS,
        "        self._ready = ReadyRandomizers(context.ring)\n",
        "        self._ready = key.public_key._ready\n",
        (f"{RUNS}no_two_parties_share_them",),
    ),
    Mutant((52,), PARTIES, '"_encryptor": None, "_ahead": None}', '"_ahead": None}', (COPIED,)),
    # Contributions that threads encrypted before their turn.
    Mutant((52,), PARTIES, '"_encryptor": None, "_ahead": None}', '"_encryptor": None}', (AHEAD,)),
    Mutant((52,), PARTIES, "ahead, self._ahead = self._ahead, None", "ahead = self._ahead", (AHEAD,)),
    Mutant((52,), PARTIES, "ahead is not None and ahead[0] == contribution", "ahead is not None", (AHEAD,)),
    Mutant((52,), PARTIES, "self._to_come, self._ahead = n_rounds, None", "self._to_come = n_rounds", (AHEAD,)),
    Mutant(
        (52,),
        PARTIES,
        "(not n_rounds or self._encryptor.key is not self.pubkey)",
        "not n_rounds",
        (f"{RUNS}a_party_alone_looks_ahead_only_where_it_is_told_to",),
    ),
]
