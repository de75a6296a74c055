"""Engines by name, and arrays of two of them: rows 46 and 47."""

from tests.mutants.model import Mutant

SELECTION = "arithmetic/selection.py"
RACE = "arithmetic/test_race.py::"
TESTS = "numbers/test_context.py::"
TOGETHER = f"{TESTS}test_h47_arrays_of_two_engines_together"
REFUSED = f"{TESTS}test_h46_names_that_are_no_engine"
ELSEWHERE = f"{TESTS}test_h46_a_pickle_of_an_engine_that_does_not_run_here"

MUTANTS = [
    Mutant(
        (46,),
        SELECTION,
        '"fma512": _X86, "fma256": _X86, "neon": _ARM}',
        '"neon": _ARM}',
        ("arithmetic/test_selection.py::test_targets_that_are_compiled_in_are_engines",),
    ),
    Mutant(
        (46,),
        SELECTION,
        "if names and platform.machine() not in names:",
        "if names:",
        ("arithmetic/test_selection.py::test_h46_a_target_of_another_kind_of_cpu_says_so",),
    ),
    Mutant(
        (46,),
        SELECTION,
        '_RACING = ("neon",)',
        "_RACING = ()",
        (f"{RACE}test_only_targets_whose_speed_nobody_knows_race",),
    ),
    Mutant(
        (46,),
        SELECTION,
        "_tested(min(seconds,",
        "_tested(max(seconds,",
        (f"{RACE}test_the_faster_one_becomes_the_default_and_they_race_once",),
    ),
    Mutant(
        (46,),
        SELECTION,
        "@cache\ndef _race(",
        "def _race(",
        (f"{RACE}test_the_faster_one_becomes_the_default_and_they_race_once",),
    ),
    Mutant(
        (46,),
        SELECTION,
        "race(engines) if len(engines) > 1 else {}",
        "race(engines)",
        (f"{RACE}test_h46_an_engine_that_fails_its_self_test_does_not_race",),
    ),
    Mutant(
        (46,),
        SELECTION,
        'os.environ.get("VECPHE_ENGINE") or not racing',
        "not racing",
        (f"{RACE}test_h46_an_engine_that_is_asked_for_does_not_race",),
    ),
    Mutant(
        (46,),
        "arithmetic/race.py",
        "best[name] = min(best[name],",
        "best[name] = max(0.0,",
        (f"{RACE}test_the_best_turn_of_each_engine_counts",),
    ),
    Mutant(
        (46,),
        "bench/environment.py",
        "(race_result() and used == active_engine().name)",
        "False",
        (f"{RACE}test_the_faster_one_becomes_the_default_and_they_race_once",),
    ),
    Mutant(
        (46,),
        "bench/environment.py",
        "key=lambda name: runs[name] is not None",
        "key=lambda name: runs[name] is None",
        ("bench/test_runner.py::test_the_warning_names_a_fast_engine_that_would_have_run",),
    ),
    Mutant(
        (46,),
        SELECTION,
        "engine = active_engine() if name is None else engine_named(name)",
        "engine = active_engine()",
        (
            f"{TESTS}test_every_way_to_a_key_takes_an_engine",
            f"{TESTS}test_h46_the_argument_is_stronger_than_the_environment",
            REFUSED,
        ),
    ),
    Mutant(
        (46,),
        SELECTION,
        "    if name is not None:\n        raise EngineUnavailableError(\n",
        "    if False:\n        raise EngineUnavailableError(\n",
        (f"{TESTS}test_h46_a_key_that_is_too_long_for_the_engine_that_was_asked_for",),
    ),
    Mutant(
        (46,),
        SELECTION,
        '        _warn(f"{error}; computing with {engine.name}")\n',
        "",
        (ELSEWHERE,),
    ),
    Mutant(
        (46,),
        "keys/public_key.py",
        "engine_or_default(n, engine))",
        "KeyContext.on(PublicNumbers(n), engine).engine)",
        (ELSEWHERE,),
    ),
    Mutant(
        (46,),
        "keys/public_key.py",
        "(self.n, self.randomizers, self._engine)",
        "(self.n, self.randomizers, None)",
        (f"{TESTS}test_pickles_keep_an_engine_that_was_asked_for", ELSEWHERE),
    ),
    Mutant((46,), "keys/generation.py", "    engine_for(1 << (length - 1), engine)  #", "    #", (REFUSED,)),
    Mutant(
        (46,),
        "keys/generation.py",
        "PublicNumbers(p * q), randomizers, engine)",
        "PublicNumbers(p * q), randomizers)",
        (f"{TESTS}test_every_way_to_a_key_takes_an_engine",),
    ),
    Mutant((46,), "federated/protocol.py", "        engine_for(1, self.engine)  #", "        #", (REFUSED,)),
    Mutant(
        (47,),
        "numbers/context.py",
        "return batch if origin.ring is self.ring else",
        "return batch if origin.numbers == self.numbers else",
        (TOGETHER,),
    ),
    Mutant(
        (47,),
        "array/encrypted_array.py",
        "other._under(self._key)._scaled(finest, divisor)",
        "other._scaled(finest, divisor)",
        (TOGETHER,),
    ),
    Mutant(
        (47,),
        "array/encrypted_array.py",
        "array._under(first._key)._scaled(finest)",
        "array._scaled(finest)",
        (TOGETHER, f"{TESTS}test_h47_assignment_from_another_engine"),
    ),
    Mutant(
        (47,),
        "keys/private_key.py",
        "array._under(self._public_key).residues",
        "array.residues",
        (f"{TESTS}test_h47_decryption_on_another_engine",),
    ),
]
