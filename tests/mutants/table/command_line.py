"""Files, signals and the command line: rows 58 to 60 and 63 to 68."""

from tests.mutants.model import Mutant

FILES, APP = "system/files.py", "cli/app.py"
FAILURE = "system/test_files.py::test_h58_a_failure_leaves_the_old_file"
USAGE = "cli/test_run.py::test_h65_h66_usage_errors"
NO_TABLES = "cli/test_run.py::test_h63_files_that_are_no_tables"
NOTHING_PRIVATE = "cli/test_run.py::test_h67_no_private_number_in_what_is_printed_or_written"
SIGNALS = "cli/signals.py"
COSTS = "test_reader_costs.py::test_h77_keys_arrays_and_results"
PARTS = "test_reader_costs.py::test_h77_the_parts_that_a_form_has_and_one_more"
IMPORTED = "cli/test_signals.py::test_h60_h70_a_signal_while_something_is_imported"
ENDING = "cli/test_signals.py::test_h60_h70_a_signal_while_the_process_ends"
TERMINAL = "cli/test_signals.py::test_h60_h70_a_terminal_that_signals_workers_too"
WRITING = "cli/test_signals.py::test_h58_h70_a_signal_while_a_file_is_written_leaves_the_old_one"
READER_LEFT = "cli/test_process.py::test_h68_a_reader_that_left_causes_no_traceback"

RUNNER = "bench/runner.py"
SIGNALLED = "cli/test_bench.py::test_h60_a_signal_costs_a_case_at_most"
TIMES = "bench/test_matrix.py::test_h65_what_is_no_time_is_refused"
CRASH = "cli/test_bench.py::test_h60_even_a_crash_leaves_what_was_measured"

MUTANTS = [
    Mutant((60,), RUNNER, "                keep(self.results)\n", "", (CRASH,)),
    Mutant((60,), RUNNER, "            _check_same_plan(before.plan, self.results.plan)\n", "", (CRASH,)),
    Mutant((60,), RUNNER, "replace(self.results, records=before.records)", "self.results", (CRASH,)),
    Mutant((60,), RUNNER, "        except KeyboardInterrupt:\n", "        except ZeroDivisionError:\n", (SIGNALLED,)),
    Mutant((65,), "bench/matrix.py", "    if not 1 <= seconds <= 30 * 86_400:\n", "    if not found:\n", (TIMES,)),
    Mutant(
        (58,),
        FILES,
        "            _move(temporary, target, force)\n",
        "            open(target, 'wb').close()\n            _move(temporary, target, force)\n",
        (FAILURE,),
    ),
    Mutant(
        (58,), FILES, "        os.fsync(descriptor)\n    except BaseException:", "    except BaseException:", (FAILURE,)
    ),
    Mutant(
        (58,),
        FILES,
        "        with suppress(FileNotFoundError):\n            os.unlink(temporary)\n        raise\n",
        "        raise\n",
        (FAILURE, "system/test_files.py::test_h58_a_limit_on_the_size_leaves_the_old_key"),
    ),
    Mutant(
        (58,),
        "cli/__init__.py",
        "    except OSError as error:\n",
        "    except FileNotFoundError as error:\n",
        ("cli/test_process.py::test_h58_a_full_disk_is_one_line",),
    ),
    Mutant(
        (59,),
        FILES,
        "0o600 if private or kept is not None else mode, kept)",
        "0o644 if private or kept is not None else mode, kept)",
        ("system/test_files.py::test_h59_the_mode_is_right_from_creation",),
    ),
    Mutant(
        (59,),
        FILES,
        "    directory = os.path.dirname(target)\n    temporary",
        "    directory = os.path.dirname(target)\n    open(target, 'wb').close()\n    temporary",
        ("system/test_files.py::test_h59_kill_while_a_key_is_written",),
    ),
    Mutant(
        (60,),
        "cli/__init__.py",
        "        return signals.tell()\n",
        "        signals.tell()\n        return 1\n",
        ("cli/test_process.py::test_h60_ctrl_c_ends_a_run_with_130",),
    ),
    Mutant(
        (60,),
        "cli/__init__.py",
        "    except KeyboardInterrupt:\n",
        "    except ZeroDivisionError:\n",
        ("cli/test_process.py::test_h60_ctrl_c_ends_a_run_with_130",),
    ),
    Mutant((60, 70), "cli/__init__.py", "    signals.answer_signals()", "    pass", (IMPORTED,)),
    Mutant(
        (60, 70),
        SIGNALS,
        "_State.leaving or _is_importing(frame)",
        "_State.leaving",
        ("cli/test_signals.py::test_h60_h70_an_import_that_would_swallow_the_interruption",),
    ),
    Mutant((60, 70), SIGNALS, "_State.leaving or _is_importing(frame)", "_is_importing(frame)", (ENDING,)),
    Mutant(
        (60,),
        SIGNALS,
        "(signal.SIGINT, signal.SIGHUP) if",
        "(signal.SIGHUP,) if",
        (TERMINAL,),
    ),
    Mutant((70,), SIGNALS, "(signal.SIGINT, signal.SIGHUP) if", "(signal.SIGINT,) if", (TERMINAL,)),
    Mutant((70,), SIGNALS, '"SIGHUP": "hung up"', '"SIGUSR1": "hung up"', (WRITING,)),
    Mutant((70,), SIGNALS, '"SIGTERM": "terminated"', '"SIGUSR1": "terminated"', (WRITING,)),
    Mutant(
        (60,),
        "system/parallel.py",
        "            call.stop()\n",
        "            pass\n",
        ("arithmetic/test_signals.py::test_h78_gmp_work_ends_before_it_is_done",),
    ),
    Mutant(
        (60,),
        "system/parallel.py",
        "_LARGEST_TASK = 16 ",
        "_LARGEST_TASK = 1 << 20 ",
        ("system/test_parallel.py::test_h60_a_call_bounds_its_memory_and_its_time",),
    ),
    Mutant(
        (63,),
        APP,
        "with errors_in_one_line(VecpheError, ValueError, OSError, options=RUN_OPTIONS), warnings",
        "with errors_in_one_line(VecpheError, options=RUN_OPTIONS), warnings",
        (NO_TABLES,),
    ),
    Mutant(
        (63,),
        FILES,
        "    if os.path.isdir(path):\n",
        "    if False:\n",
        ("system/test_files.py::test_h63_directories_and_missing_ones",),
    ),
    Mutant(
        (64,),
        FILES,
        "    if os.path.isfile(path) and not force:\n",
        "    if False:\n",
        ("system/test_files.py::test_h64_a_file_that_exists_is_not_replaced_without_force",),
    ),
    Mutant(
        (64,),
        FILES,
        "    if not force:\n        # A link",
        "    if False:\n        # A link",
        ("system/test_files.py::test_h64_nor_one_that_came_to_exist_since_the_check",),
    ),
    Mutant(
        (65,),
        APP,
        'typer.Option(min=3, help="Number of hospitals, 5 by default.")',
        'typer.Option(help="Number of hospitals, 5 by default.")',
        (USAGE,),
    ),
    Mutant((65,), APP, "        check_key_length(key_length, insecure=insecure)\n", "", (USAGE,)),
    Mutant(
        (65,),
        APP,
        "        print_error(error.format_message())\n        return 2\n",
        "        print_error(error.format_message())\n        return 1\n",
        (USAGE,),
    ),
    Mutant((77,), FILES, "_read_up_to(file, most + 1)", "file.read(most + 1)", (COSTS,)),
    Mutant((77,), "serialization/text.py", "    check_parts(text, _MOST_PARTS,", "    (text, _MOST_PARTS,", (COSTS,)),
    Mutant((77,), "serialization/text.py", "_MOST_PARTS = 64", "_MOST_PARTS = 63", (PARTS,)),
    Mutant((77,), "bench/results_file.py", "    check_parts(data, _MOST_PARTS,", "    (data, _MOST_PARTS,", (PARTS,)),
    Mutant(
        (77,),
        "interop.py",
        "if places > max(_MOST_SHARED, 2 * distinct):",
        "if places > max(_MOST_SHARED, 3 * distinct):",
        ("test_reader_costs.py::test_h77_what_is_shared_within_reason_is_taken",),
    ),
    Mutant(
        (12,),
        "serialization/__init__.py",
        "KEY_FILE_BYTES = 1 << 16",
        "KEY_FILE_BYTES = 2 << 16",
        ("keys/test_ways_in.py::test_h12_the_longest_key_file_and_the_next",),
    ),
    Mutant(
        (12,),
        "serialization/jwk.py",
        "-(-GREATEST_KEY_LENGTH // 6) + 2",
        "-(-GREATEST_KEY_LENGTH // 7) + 2",
        ("keys/test_ways_in.py::test_h12_the_longest_number_of_a_web_key_and_the_next",),
    ),
    Mutant(
        (2,),
        "keys/public_key.py",
        "        path: PathLike,\n        *,\n        insecure: bool = False,\n",
        "        path: PathLike,\n        *,\n        insecure: bool = True,\n",
        ("keys/test_ways_in.py::test_h02_insecure_is_no_default_of_load",),
    ),
    Mutant(
        (59,),
        FILES,
        "stat.S_IMODE(os.stat(path).st_mode) & 0o777",
        "stat.S_IMODE(os.stat(path).st_mode)",
        ("system/test_files.py::test_h59_the_mode_is_right_from_creation",),
    ),
    Mutant(
        (67,),
        "numbers/primes.py",
        "            return min(p, q), max(p, q)\n",
        "            print(min(p, q))\n            return min(p, q), max(p, q)\n",
        (NOTHING_PRIVATE,),
    ),
    Mutant(
        (68,),
        "cli/__init__.py",
        "    except BrokenPipeError:\n        _drop_stdout()\n        return 1\n",
        "",
        (READER_LEFT,),
    ),
    Mutant(
        (68,),
        "cli/__init__.py",
        "        status = run_app()\n        sys.stdout.flush()\n",
        "        status = run_app()\n",
        (READER_LEFT,),
    ),
]
