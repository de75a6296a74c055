"""The commands on keys and encrypted files, and the tables that they read: rows 63 to 68."""

from tests.mutants.model import Mutant

CRYPT, STREAMS, TABLE, FILES = "cli/crypt.py", "cli/streams.py", "cli/table.py", "system/files.py"
TESTS = "cli/test_crypt.py::"
OTHER_FILES = f"{TESTS}test_h63_files_that_are_something_else"
OUTPUTS = f"{TESTS}test_h64_outputs_are_not_replaced_unless_forced"
OWNER = f"{TESTS}test_h67_private_keys_are_for_their_owner_alone"
REDIRECTED = f"{TESTS}test_h67_a_private_key_redirected_to_a_file"
TERMINAL = f"{TESTS}test_h67_nothing_binary_and_no_private_key_on_a_terminal"
SUMS = f"{TESTS}test_h28_h34_sums_that_make_no_sense"
MAPPED = "cli/test_streamed_npy.py::test_"
FAILURE = "system/test_files.py::test_h58_a_failure_leaves_the_old_file"

MUTANTS = [
    Mutant(
        (18,),
        TABLE,
        'if dtype.kind not in "biuf" or dtype.itemsize > 8:',
        'if dtype.kind not in "biuf":',
        ("cli/test_table.py::test_h18_npy_of_other_types",),
    ),
    Mutant(
        (61,),
        CRYPT,
        "numbers = mapped_values(source, name) or parse_values(",
        "numbers = parse_values(",
        (f"{MAPPED}h61_a_file_is_mapped_and_looked_at_in_parts",),
    ),
    Mutant(
        (61,),
        TABLE,
        "    for start in range(0, values.size, _AT_ONCE):\n        part = _to_native(flat[start : start + _AT_ONCE])",
        "    for start in (0,):\n        part = _to_native(flat[:])",
        (f"{MAPPED}h61_a_file_is_mapped_and_looked_at_in_parts",),
    ),
    Mutant(
        (16,),
        TABLE,
        'if part.dtype.kind == "f" and not np.isfinite(part).all():',
        "if False:",
        (f"{MAPPED}h16_h20_what_cannot_be_encrypted_is_named_by_its_place",),
    ),
    Mutant(
        (20,),
        TABLE,
        "np.unravel_index(start + found, values.shape)",
        "np.unravel_index(found, values.shape)",
        (f"{MAPPED}h16_h20_what_cannot_be_encrypted_is_named_by_its_place",),
    ),
    Mutant(
        (74,),
        CRYPT,
        "largest = max(map(abs, np.asarray([values.min(), values.max()], dtype=values.dtype).tolist()))",
        "largest = max(map(abs, (values.min(), values.max())))",
        (f"{MAPPED}h74_a_note_about_packing_holds_for_the_least_integer",),
    ),
    Mutant(
        (61,),
        TABLE,
        "        done = (done + len(part)) % width\n",
        "",
        (f"{MAPPED}h61_csv_is_written_part_by_part", "cli/test_table.py::test_h61_csv_of_parts_is_that_of_the_whole"),
    ),
    Mutant(
        (61,),
        CRYPT,
        '        if out != "-" and is_array_file(source):\n',
        '        if form is TableForm.NPY and out != "-" and is_array_file(source):\n',
        (f"{MAPPED}h61_csv_is_written_part_by_part",),
    ),
    Mutant((28,), CRYPT, "            if array.shape != total.shape:\n", "            if False:\n", (SUMS,)),
    Mutant(
        (28, 34),
        CRYPT,
        '                raise ValueError(f"{_shown(source)}: {_why_not(error, total, array)}") from None\n',
        "                raise ValueError(_why_not(error, total, array)) from None\n",
        (SUMS,),
    ),
    Mutant(
        (39,),
        CRYPT,
        "frame_with_columns(total.to_bytes(), columns)",
        "frame_with_columns(total.to_bytes(rerandomize=False), columns)",
        (f"{TESTS}test_h39_a_file_added_to_its_negative_is_rerandomised",),
    ),
    Mutant(
        (58,),
        FILES,
        "        rest = rest[os.write(descriptor, rest) :]\n",
        "        os.write(descriptor, rest)\n        rest = rest[:0]\n",
        (FAILURE,),
    ),
    Mutant(
        (58,),
        FILES,
        "    os.close(descriptor)  # some file systems report a full disk only here\n",
        "    with suppress(OSError):\n        os.close(descriptor)\n",
        (FAILURE,),
    ),
    Mutant(
        (58,),
        FILES,
        "            _write_all(device.fileno(), pieces)\n",
        "            with suppress(OSError):\n                _write_all(device.fileno(), pieces)\n",
        ("system/test_files.py::test_h58_a_full_device", f"{TESTS}test_h58_a_full_disk_is_one_line"),
    ),
    Mutant(
        (59,),
        FILES,
        "0o600 if private or kept is not None else mode, kept)",
        "mode, 0o600 if private else kept)",
        ("system/test_files.py::test_h59_the_mode_is_right_from_creation",),
    ),
    Mutant((59, 67), STREAMS, "force=force, private=True)", "force=force)", (OWNER,)),
    Mutant(
        (60,),
        CRYPT,
        "public_key, private_key = _quietly(generate_keypair, key_length, insecure)",
        "Path(out).touch()\n        public_key, private_key = _quietly(generate_keypair, key_length, insecure)",
        (f"{TESTS}test_h60_ctrl_c_in_key_generation",),
    ),
    Mutant(
        (63, 66),
        CRYPT,
        "_ERRORS = (VecpheError, ValueError, OSError)",
        "_ERRORS = (VecpheError, OSError)",
        (OTHER_FILES,),
    ),
    Mutant(
        (63,),
        STREAMS,
        "    except UnicodeDecodeError:\n        raise SerializationError(",
        "    except ZeroDivisionError:\n        raise SerializationError(",
        (OTHER_FILES,),
    ),
    Mutant(
        (63,),
        TABLE,
        "if size - file.tell() != wanted:",
        "if size - file.tell() < wanted:",
        ("cli/test_table.py::test_h63_damaged_npy",),
    ),
    Mutant(
        (63,),
        CRYPT,
        "        with naming(_shown(source)):\n            facts = facts_of(data)\n",
        "        facts = facts_of(data)\n",
        ("cli/test_inspect.py::test_h63_other_files_are_one_line",),
    ),
    Mutant(
        (64,),
        CRYPT,
        "        check_writable(Path(out), force)\n        public_key = load_public_key(key, insecure, engine)\n"
        "        name",
        "        public_key = load_public_key(key, insecure, engine)\n        name",
        (f"{TESTS}test_h64_an_output_that_exists_stops_before_anything_is_read",),
    ),
    Mutant(
        (64,),
        CRYPT,
        "for path in (out, public_path):",
        "for path in (out,):",
        (f"{TESTS}test_h64_a_public_key_that_exists_stops_keygen_before_it_writes",),
    ),
    Mutant(
        (64,),
        STREAMS,
        "        replace_file(path, data, force=force, mode=mode)\n",
        "        replace_file(path, data, mode=mode)\n",
        (OUTPUTS,),
    ),
    Mutant((65,), CRYPT, '"encoding": form, "n_jobs": jobs}', '"encoding": form}', (f"{TESTS}test_h65_jobs",)),
    Mutant(
        (67,),
        STREAMS,
        "    if stat.S_ISREG(mode) and mode & 0o077:\n        raise",
        "    if False:\n        raise",
        (REDIRECTED,),
    ),
    Mutant(
        (67,),
        STREAMS,
        '    if sys.stdout.isatty():\n        raise ValueError("a private key',
        '    if False:\n        raise ValueError("a private key',
        (TERMINAL,),
    ),
    Mutant((67,), STREAMS, "    if binary and sys.stdout.isatty():\n", "    if False:\n", (TERMINAL,)),
    Mutant(
        (67,),
        STREAMS,
        "    if is_open_to_others(path):\n        print",
        "    if False:\n        print",
        (f"{TESTS}test_h67_a_private_key_that_others_can_read_is_told",),
    ),
    Mutant(
        (67,),
        STREAMS,
        "passphrase = getpass.getpass(prompt)",
        "passphrase = input(prompt)",
        (f"{TESTS}test_h67_a_passphrase_is_asked_for_twice_and_not_shown",),
    ),
    Mutant(
        (67,),
        STREAMS,
        'warnings.simplefilter("error", getpass.GetPassWarning)',
        'warnings.simplefilter("ignore", getpass.GetPassWarning)',
        (f"{TESTS}test_h67_passphrases_that_are_none",),
    ),
    Mutant(
        (67,),
        STREAMS,
        'if passphrase != _ask("The same again: "):',
        'if not _ask("The same again: "):',
        (f"{TESTS}test_h67_passphrases_that_are_wrong_are_not_shown",),
    ),
    Mutant(
        (14, 67),
        STREAMS,
        '        raise ValueError(f"{path}: {error}") from None\n',
        '        raise ValueError(f"{path}: {error} {Path(path).read_bytes()!r}") from None\n',
        (f"{TESTS}test_h14_no_secret_in_errors",),
    ),
    Mutant(
        (68,),
        "cli/failure.py",
        "    except BrokenPipeError:\n        raise\n",
        "",
        (f"{TESTS}test_h68_a_reader_that_left_causes_no_traceback",),
    ),
]
