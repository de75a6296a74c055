"""Clusters: what goes there, how many tasks at once, and what becomes of them in trouble."""

from tests.mutants.model import Mutant

CLUSTERS, PARALLEL = "system/clusters.py", "system/parallel.py"
TESTS = "system/test_clusters.py::test_"
PRIVATE = f"{TESTS}h84_private_numbers_stay_and_all_else_goes"
SHOWN = f"{TESTS}h14_no_value_in_what_a_cluster_shows_of_its_tasks"
IN_A_WORKER = f"{TESTS}h43_in_a_worker_of_the_cluster_there_is_one"
IN_THEIRS = f"{TESTS}h43_in_a_worker_there_is_one_on_any_backend_unless_the_call_says_more"
COUNTED = f"{TESTS}h43_n_jobs_counts_workers"
TROUBLE = f"{TESTS}h56_trouble_of_the_cluster_is_a_typed_error_and_the_next_call_works"

MUTANTS = [
    # Dask's backend taken for one of this machine, and Ray's.
    Mutant(
        (84,),
        PARALLEL,
        'known.get(type(backend), ("machines", ()))',
        'known.get(type(backend), ("processes" if type(backend).__module__ == "joblib._dask" else "machines", ()))',
        (PRIVATE,),
    ),
    Mutant(
        (84,),
        PARALLEL,
        'and not changed else "machines"',
        'and not changed else "processes" if hasattr(backend, "ray_remote_args") else "machines"',
        (PRIVATE,),
    ),
    Mutant(
        (84,),
        PARALLEL,
        "    jobs = 1 if stays else",
        "    jobs = 1 if stays and effective_jobs(2) else",
        (f"{TESTS}h84_decryption_does_not_ask_a_cluster_that_is_gone",),
    ),
    Mutant(
        (14,),
        CLUSTERS,
        "    def __reduce__(self) -> tuple[Any, ...]:\n        return Parcel",
        "    def __repr__(self) -> str:\n        return repr(self.data)\n\n"
        "    def __reduce__(self) -> tuple[Any, ...]:\n        return Parcel",
        (SHOWN,),
    ),
    Mutant((14,), CLUSTERS, '{"pure": False, **', '{"pure": True, **', (SHOWN,)),
    Mutant((14,), CLUSTERS, "({type(error).__name__}): its", "({error}): its", (TROUBLE,)),
    Mutant(
        (43,),
        PARALLEL,
        'if getattr(backend, "nesting_level", None) or (',
        "if (",
        ("system/test_parallel.py::test_h43_inside_another_worker_there_is_one_job",),
    ),
    *(
        Mutant((43,), PARALLEL, "((cluster or n_jobs is None) and in_worker())", planted, tests)
        for planted, tests in (
            ("False", (IN_A_WORKER, IN_THEIRS)),
            ("(n_jobs is None and in_worker())", (IN_A_WORKER,)),
            ("in_worker()", (IN_THEIRS,)),
        )
    ),
    Mutant((43,), CLUSTERS, "min(n_jobs, workers)", "n_jobs", (COUNTED,)),
    Mutant((43,), CLUSTERS, "workers + 1 + n_jobs if", "workers + n_jobs if", (COUNTED,)),
    Mutant(
        (43,),
        CLUSTERS,
        "    ahead = jobs if jobs <",
        "    ahead = 2 * jobs if jobs <",
        (f"{TESTS}h43_no_more_tasks_at_once_than_jobs",),
    ),
    Mutant(
        (56,),
        CLUSTERS,
        "    except Exception as error:\n        # Not",
        "    except OSError as error:\n        # Not",
        (TROUBLE,),
    ),
    Mutant((56,), CLUSTERS, "    with suppress(Exception):", "    with suppress(OSError):", (TROUBLE,)),
    Mutant(
        (56,),
        CLUSTERS,
        "if not ended and _told(cluster, cluster.workers):",
        "if False:",
        (f"{TESTS}h56_a_cluster_that_works_is_given_all_the_time_it_takes",),
    ),
    Mutant(
        (56,),
        CLUSTERS,
        "elif not given and time.monotonic() > end:",
        "elif not given:",
        (
            f"{TESTS}h56_workers_that_come_in_time_are_waited_for",
            f"{TESTS}h56_results_that_are_lost_are_not_waited_for_for_ever",
        ),
    ),
    Mutant(
        (60,),
        CLUSTERS,
        "            _give_up(cluster, list(running))\n",
        "            pass\n",
        (f"{TESTS}h60_an_interruption_cancels_what_waits",),
    ),
    Mutant(
        (62,),
        "randomness/randomizers.py",
        "@lru_cache(maxsize=4)\ndef _worker_source",
        "def _worker_source",
        (f"{TESTS}h62_a_worker_makes_its_table_once",),
    ),
]
