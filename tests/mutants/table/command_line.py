"""Files, signals and the command line: rows 58 to 60 and 63 to 68."""

from tests.mutants.model import Mutant

FILES, APP, DATA = "files.py", "cli/app.py", "federated/data.py"
FAILURE = "test_files.py::test_h58_a_failure_leaves_the_old_file"
USAGE = "cli/test_run.py::test_h65_h66_usage_errors"
TABLES = "federated/test_data.py::test_h63_h66_what_is_no_table_is_refused"
NO_TABLES = "cli/test_run.py::test_h63_files_that_are_no_tables"
NOTHING_PRIVATE = "cli/test_run.py::test_h67_no_private_number_in_what_is_printed_or_written"
SIGNALS = "cli/signals.py"
IMPORTED = "cli/test_signals.py::test_h60_h70_a_signal_while_something_is_imported"
ENDING = "cli/test_signals.py::test_h60_h70_a_signal_while_the_process_ends"
WRITING = "cli/test_signals.py::test_h58_h70_a_signal_while_a_file_is_written_leaves_the_old_one"
READER_LEFT = "cli/test_process.py::test_h68_a_reader_that_left_causes_no_traceback"

MUTANTS = [
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
        (FAILURE, "test_files.py::test_h58_a_limit_on_the_size_leaves_the_old_key"),
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
        ("test_files.py::test_h59_the_mode_is_right_from_creation",),
    ),
    Mutant(
        (59,),
        FILES,
        "    directory = os.path.dirname(target)\n    temporary",
        "    directory = os.path.dirname(target)\n    open(target, 'wb').close()\n    temporary",
        ("test_files.py::test_h59_kill_while_a_key_is_written",),
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
        (
            "cli/test_process.py::test_h60_ctrl_c_ends_a_run_with_130",
            "cli/test_process.py::test_h60_ctrl_c_in_key_generation",
        ),
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
        "        _State.masked = True\n",
        "        return\n",
        ("cli/test_signals.py::test_h60_ctrl_c_while_workers_start",),
    ),
    Mutant((70,), SIGNALS, '"SIGHUP": "hung up"', '"SIGUSR1": "hung up"', (WRITING,)),
    Mutant((70,), SIGNALS, '"SIGTERM": "terminated"', '"SIGUSR1": "terminated"', (WRITING,)),
    Mutant(
        (60,),
        "parallel.py",
        "            call.stop()\n",
        "            pass\n",
        ("cli/test_process.py::test_h60_ctrl_c_ends_a_batch",),
    ),
    Mutant(
        (60,),
        "parallel.py",
        "_LARGEST_TASK = 16 ",
        "_LARGEST_TASK = 1 << 20 ",
        ("cli/test_process.py::test_h60_ctrl_c_ends_a_batch",),
    ),
    Mutant(
        (63,),
        DATA,
        'with open(path, encoding="utf-8-sig", newline="") as file:',
        'with open(path, encoding="utf-8", newline="") as file:',
        ("federated/test_data.py::test_h63_a_table_is_read",),
    ),
    Mutant((63,), DATA, "        if len(row) != len(header):\n", "        if len(row) < len(header):\n", (TABLES,)),
    Mutant((63,), DATA, "    if not any(header):\n", "    if False:\n", (TABLES,)),
    Mutant(
        (63,),
        APP,
        "with errors_in_one_line(VecpheError, ValueError, OSError), warnings",
        "with errors_in_one_line(VecpheError), warnings",
        (NO_TABLES,),
    ),
    Mutant(
        (63,),
        FILES,
        "    if os.path.isdir(path):\n",
        "    if False:\n",
        ("test_files.py::test_h63_directories_and_missing_ones",),
    ),
    Mutant(
        (64,),
        FILES,
        "    if os.path.isfile(path) and not force:\n",
        "    if False:\n",
        ("test_files.py::test_h64_a_file_that_exists_is_not_replaced_without_force",),
    ),
    Mutant(
        (64,),
        FILES,
        "    if not force:\n        # A link",
        "    if False:\n        # A link",
        ("test_files.py::test_h64_nor_one_that_came_to_exist_since_the_check",),
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
    Mutant((66,), DATA, 'value = float(cell) if "_" not in cell else None', "value = float(cell)", (TABLES,)),
    Mutant((66,), DATA, "    if not math.isfinite(value):\n", "    if False:\n", (TABLES,)),
    Mutant(
        (67,),
        "primes.py",
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
    Mutant((68,), "cli/__init__.py", "        sys.stdout.flush()\n", "", (READER_LEFT,)),
]
