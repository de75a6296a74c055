"""Where work runs, and for how long workers live: rows 43, 56, 69 to 71, and 84."""

from tests.mutants.model import Mutant

PARALLEL, LIFETIME = "system/parallel.py", "system/lifetime.py"
TESTS = "system/test_parallel.py::test_"
JOBS = f"{TESTS}h43_bad_n_jobs"
WORKER = f"{TESTS}h43_inside_another_worker_no_processes_are_started"
BACKEND = f"{TESTS}h43_the_engine_hints_and_joblib_chooses_the_backend"
SAME = f"{TESTS}every_operation_gives_the_same_on_every_engine_and_backend"
KILLED = f"{TESTS}h56_a_killed_worker_is_a_typed_error_and_the_next_call_works"
SUMS = f"{TESTS}h43_sums_over_any_axes_are_the_same_on_workers"
CHANGED = f"{TESTS}h84_private_numbers_stay_when_a_library_changes_what_is_joblibs"
LOOP = f"{TESTS}h84_private_numbers_stay_when_joblibs_loop_is_changed"
DERIVED = f"{TESTS}h84_what_is_derived_from_a_local_backend_is_not_local"
OBJECT = f"{TESTS}h84_nor_is_one_object_that_was_changed"
CLUSTER = f"{TESTS}a_cluster_gets_bytes_and_no_private_numbers"
OUTLIVES = "system/test_lifetime.py::test_h70_no_worker_outlives_its_parent"
COMMANDS = "system/test_lifetime.py::test_h70_a_command_of_others_ends_with_who_runs_it"
WAYS = "system/test_lifetime.py::test_h70_whether_the_kernel_tells_or_not"

MUTANTS = [
    Mutant(
        (43,),
        "system/parallel.py",
        "if n_jobs is not None and (isinstance(n_jobs, bool) or not",
        "if n_jobs is not None and (not",
        (JOBS,),
    ),
    Mutant(
        (43,),
        "system/parallel.py",
        "(isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral)):",
        "isinstance(n_jobs, bool):",
        (JOBS,),
    ),
    Mutant(
        (43,),
        "system/parallel.py",
        "    return int(joblib.effective_n_jobs(n_jobs))\n",
        "    return n_jobs if n_jobs and n_jobs > 0 else joblib.cpu_count()\n",
        ("system/test_parallel.py::test_h43_n_jobs_counts_as_joblib_does",),
    ),
    Mutant((43,), PARALLEL, "    return list(pairwise(edges))\n", "    return list(pairwise(edges))[::-1]\n", (SAME,)),
    Mutant(
        (43,),
        PARALLEL,
        "return get_active_backend(prefer=hint)[0]",
        'return get_active_backend(prefer="processes")[0]',
        (BACKEND,),
    ),
    Mutant(
        (43,),
        PARALLEL,
        "        return get_active_backend()[0]\n",
        "        raise\n",
        (BACKEND,),
    ),
    Mutant((43,), PARALLEL, "backend=backend, max_nbytes=None", 'backend="loky", max_nbytes=None', (BACKEND, WORKER)),
    Mutant(
        (43,),
        "array/powers.py",
        "        return _multiplied(ring, parts)\n",
        "        return joined(ring, parts)\n",
        (SAME,),
    ),
    Mutant(
        (43,),
        "array/powers.py",
        "    return ring.take(joined(ring, parts), order.ravel())\n",
        "    return joined(ring, parts)\n",
        (SUMS,),
    ),
    Mutant((43,), "array/powers.py", "(slice(None),) * longest", "(slice(None),) * min(longest, 1)", (SUMS,)),
    Mutant(
        (43,),
        "array/powers.py",
        "return _multiplied(ring, _shared(context, _matrix_power, columns,",
        "return joined(ring, _shared(context, _matrix_power, columns,",
        (SAME,),
    ),
    Mutant(
        (43,),
        "array/powers.py",
        "start, stop), exponents[start:stop]",
        "start, stop), exponents[: stop - start]",
        (SAME,),
    ),
    Mutant(
        (43,),
        "array/data.py",
        "self._frame(True, n_jobs=1)",
        "self._frame(True)",
        ("serialization/test_serialization.py::test_dumping_does_not_consult_n_jobs",),
    ),
    Mutant(
        (56,), PARALLEL, "BrokenProcessPool, _WorkerDiedError, EOFError)", "BrokenProcessPool, EOFError)", (KILLED,)
    ),
    Mutant(
        (56,),
        PARALLEL,
        "except (joblib.externals.loky.process_executor.BrokenProcessPool, _Work",
        "except (_Work",
        (KILLED,),
    ),
    Mutant((69,), PARALLEL, ", max_nbytes=None", "", (f"{TESTS}h69_even_a_large_array_would_not_go_through_a_file",)),
    Mutant(
        (69,),
        PARALLEL,
        '        return _Words(value.shape[1], value.astype("<u8", copy=False).tobytes())\n',
        "        return value\n",
        (SAME,),
    ),
    Mutant((70,), PARALLEL, '        "initializer": end_with,\n', '        "initializer": None,\n', (OUTLIVES,)),
    Mutant((70,), LIFETIME, "lambda: os._exit(1))", "lambda: sys.exit(1))", (OUTLIVES,)),
    Mutant(
        (60, 70),
        LIFETIME,
        "    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGHUP})\n",
        "",
        ("system/test_lifetime.py::test_h60_a_command_hears_ctrl_c_though_who_runs_it_has_blocked_it",),
    ),
    Mutant((70,), LIFETIME, "    kill(descendants(os.getpid()))\n", "", (COMMANDS,)),
    Mutant(
        (70,),
        LIFETIME,
        "        signal.signal(number, lambda *_: None)  #",
        "        pass  #",
        ("system/test_lifetime.py::test_h60_a_command_that_is_asked_to_end_may_clean_up",),
    ),
    Mutant(
        (70,),
        LIFETIME,
        "        poll.register(descriptor, select.POLLIN)\n",
        "        poll.register(descriptor, 0)\n",
        (OUTLIVES, WAYS),
    ),
    Mutant(
        (70,),
        LIFETIME,
        "    except ProcessLookupError:\n        return\n    except (Attr",
        "    except ProcessLookupError:\n        time.sleep(60)\n    except (Attr",
        ("system/test_lifetime.py::test_h70_an_owner_that_is_gone_already",),
    ),
    Mutant((70,), LIFETIME, "os.getppid() == parent and _exists(owner)", "os.getppid() == parent", (WAYS,)),
    Mutant(
        (71,),
        PARALLEL,
        "        jobs = min(jobs, len(bounds))\n",
        "",
        (f"{TESTS}h71_no_more_workers_than_tasks", f"{TESTS}h71_two_tasks_start_two_processes"),
    ),
    Mutant((84,), PARALLEL, "known.get(type(backend), ", "known.get(type(backend).__mro__[-3], ", (DERIVED,)),
    Mutant((84,), PARALLEL, "if all(map(_is_original, parts)) and not", "if not", (CHANGED,)),
    Mutant((84,), PARALLEL, "parts)) and not changed else", "parts)) else", (OBJECT,)),
    Mutant((84,), PARALLEL, "_is_at_home, (*part.__mro__, *definitions))", "_is_at_home, part.__mro__)", (CHANGED,)),
    Mutant(
        (84,), PARALLEL, "_is_at_home, (*part.__mro__, *definitions))", "_is_at_home, (part, *definitions))", (CHANGED,)
    ),
    Mutant((84,), PARALLEL, 'definition.__globals__.get("__name__")', "definition.__module__", (CHANGED,)),
    Mutant((84,), PARALLEL, "return _is_at_home(definition.__func__)", "return True", (CHANGED,)),
    Mutant((84,), PARALLEL, "_is_at_home, (definition.fget, def", "_is_at_home, (None, def", (CHANGED,)),
    Mutant((84,), PARALLEL, "module = type(definition).__module__", 'module = "joblib"', (CHANGED,)),
    Mutant((84,), PARALLEL, '(("joblib", "Parallel"), *used)', "used", (LOOP,)),
    Mutant((84,), PARALLEL, '((own, "MemmappingPool"),)', "()", (CHANGED,)),
    Mutant((84,), PARALLEL, ', ("joblib.executor", "MemmappingExecutor")', "", (CHANGED,)),
    Mutant(
        (84,),
        PARALLEL,
        'if private and place == "machines":',
        "if False:",
        (CHANGED, DERIVED, CLUSTER),
    ),
    Mutant((84,), PARALLEL, "    jobs = 1 if stays else effective_jobs(", "    jobs = effective_jobs(", (CLUSTER,)),
    Mutant((84,), "keys/private_key.py", "            private=True,\n", "", (CLUSTER,)),
]
