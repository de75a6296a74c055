"""Where work runs: here, in threads of this process, in other processes or on other machines. Only this knows joblib.

joblib's active backend decides (``joblib.parallel_config``); the engine only hints at threads or processes. In threads
residues stay in the form of their engine. Whatever leaves the process does so as `bytes`: a batch in an engine's own
form cannot leave, and arrays would come to lie in files, where joblib maps them into memory.

joblib is imported when it is first needed: it doubles the time to import vecphe.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from numbers import Integral
from threading import Condition, Event, Thread
from types import FunctionType
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import numpy as np

from vecphe.arithmetic import AnyRing, Cancellation, Engine, engine_for, engine_named, ring_of
from vecphe.errors import EngineUnavailableError, ParallelError
from vecphe.system.clusters import check_dask, cluster_of, in_worker, jobs_on, register_ray, run_on
from vecphe.system.lifetime import end_with

__all__ = [
    "AwayContext",
    "Context",
    "check_jobs",
    "chunk_bounds",
    "effective_jobs",
    "joined",
    "map_chunks",
    "parallel",
    "part_of",
    "place_of",
    "reporting",
    "run_in_threads",
    "run_tasks",
    "watched",
]

Result = TypeVar("Result")
Place: TypeAlias = Literal["threads", "processes", "machines"]

_TASKS_A_JOB = 4  # where there is enough work, so that one slow core does not hold up the rest
_SECONDS_BETWEEN_LOOKS = 0.2  # at the workers of a pool that does not tell when one of them dies
_AT_HOME = frozenset({"joblib", "loky", "multiprocessing", "concurrent", "threading", "contextlib", "builtins"})
_LARGEST_TASK = 16  # times the smallest, which bounds its memory to some megabytes, and the time to an interruption


_advance: ContextVar[Callable[[int], object] | None] = ContextVar("advance", default=None)


@contextmanager
def watched(advance: Callable[[int], object]) -> Iterator[None]:
    """Tell `advance`, from any thread, how many more items of `map_chunks` are done, chunk by chunk.

    Chunks that go to other processes count when all of them are back.
    """
    token = _advance.set(advance)
    try:
        yield
    finally:
        _advance.reset(token)


class Context(Protocol):
    """What a chunk is computed with: the ring of a key, and its engine."""

    @property
    def engine(self) -> Engine:
        """The engine."""

    @property
    def ring(self) -> AnyRing:
        """The ring Z/n^2 on it."""


@dataclass(frozen=True)
class AwayContext:
    """The context in another process, with the number of items that each of the workers will get."""

    engine: Engine
    ring: AnyRing
    share: int


def effective_jobs(n_jobs: int | None, count: int = 1 << 62, least: int = 1) -> int:
    """Number of workers that `n_jobs` means here and now, as joblib counts.

    Parameters
    ----------
    n_jobs : int or None
        None is 1 unless ``joblib.parallel_config`` says otherwise; -1 all cores, -2 all but one. Inside
        another worker of joblib it is 1, whatever it says: there the cores have their work. In tasks and actors of
        Dask and Ray None is 1, and an int means threads or processes of that machine, never the cluster's workers.
    count, least : int
        By default, `count` items of which fewer than `least` do not pay for a task have one worker.

    Raises
    ------
    TypeError
        If it is neither an int nor None.
    ValueError
        If it is 0.
    ParallelError
        If a cluster has no workers.
    """
    check_jobs(n_jobs)
    if n_jobs == 1 or (n_jobs is None and count <= least):
        return 1
    import joblib

    backend, configured = joblib.parallel.get_active_backend()
    cluster = cluster_of(backend)
    if getattr(backend, "nesting_level", None) or ((cluster or n_jobs is None) and in_worker()):
        return 1
    if cluster:
        given = (jobs for jobs in (n_jobs, configured, backend.default_n_jobs) if jobs is not None)
        return jobs_on(cluster, int(next(given)))
    return int(joblib.effective_n_jobs(n_jobs))


def check_jobs(n_jobs: int | None) -> None:
    """Raise TypeError or ValueError for what `n_jobs` cannot be, wherever it would only show later."""
    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral)):
        raise TypeError(f"n_jobs must be an int or None, not {type(n_jobs).__name__}")
    if n_jobs == 0:
        raise ValueError("n_jobs == 0 has no meaning; use 1 for no parallelism or -1 for all cores")


@contextmanager
def parallel(n_jobs: int | None = -1, backend: str | None = None, **options: Any) -> Iterator[None]:
    """Have all that pays for it computed by several workers, as long as the context lasts, in this thread.

    It is ``joblib.parallel_config``, which does as well, and where need be tells joblib of Ray first. What is asked for
    where a function is called (``encrypt(x, n_jobs=1)``) goes before it. Decryption stays on this machine.

    Parameters
    ----------
    n_jobs : int or None
        How many workers; -1 all cores, or all workers of a cluster, -2 all but one.
    backend : {"threading", "loky", "multiprocessing", "dask", "ray"}, optional
        Where: in threads, in processes of this machine, or on the cluster that ``dask.distributed.Client`` or
        ``ray.init`` has connected to. By default what suits the engine, on this machine. Workers see plaintexts.
    **options
        Others of ``joblib.parallel_config``.

    Raises
    ------
    TypeError, ValueError
        For what `n_jobs` or `backend` cannot be, and for Dask without a client.
    ParallelError
        If Dask or Ray is asked for and not installed.

    Examples
    --------
    >>> import vecphe
    >>> public_key, private_key = vecphe.generate_keypair(2048)
    >>> with vecphe.parallel(2):
    ...     total = public_key.encrypt([1.0, 2.0]).sum()
    >>> float(private_key.decrypt(total))
    3.0
    """
    check_jobs(n_jobs)
    import joblib

    if backend == "ray":
        register_ray()
    if backend == "dask":
        check_dask()
    if backend is not None:
        if not isinstance(backend, (str, joblib.parallel.ParallelBackendBase)):
            raise TypeError(f"backend must be the name of one of joblib's, not {type(backend).__name__}")
        options["backend"] = backend
    with joblib.parallel_config(n_jobs=n_jobs, **options):
        yield


def chunk_bounds(count: int, jobs: int, least: int, most: int) -> list[tuple[int, int]]:
    """Cut `count` items into (start, stop) chunks of about equal size, `least` to `most` items each.

    Parameters
    ----------
    count, jobs : int
    least : int
        Fewer items than this do not pay for a task; so few chunks are made that each has them.
    most : int
        Bound on the memory of one task.

    Returns
    -------
    list of (int, int)
        Several chunks a job where there is enough work.
    """
    if count <= least:
        return [(0, count)]
    chunks = max(min(_TASKS_A_JOB * jobs, count // least) if jobs > 1 else 1, -(-count // most))
    edges = [count * i // chunks for i in range(chunks + 1)]
    return list(pairwise(edges))


def map_chunks(
    context: Context,
    function: Callable[..., Any],
    cut: Callable[[int, int], tuple[Any, ...]],
    count: int,
    n_jobs: int | None = None,
    *,
    least: int,
    whole: bool = False,
    away: Callable[..., Any] | None = None,
    private: bool = False,
    carry: bool = True,
) -> list[Any]:
    """``[function(context, *cut(start, stop)), ...]`` for chunks of `count` items, wherever joblib runs them.

    Parameters
    ----------
    context : Context
    function : callable
        Takes a context and what `cut` gives, and returns a batch or words.
    cut : callable
        From the bounds of a chunk to a batch or words, and public arguments of plain Python types.
    count : int
        Number of items.
    n_jobs : int or None
        As in `effective_jobs`.
    least : int
        Fewest items worth a task.
    whole : bool
        One chunk is enough where no workers share the work; by default, chunks bound the memory of each call.
    away : callable, optional
        What to call in another process, with an `AwayContext`; by default `function`. It is pickled.
    private : bool
        Whether `away` holds private numbers: they stay on this machine.
    carry : bool
        Whether the work pays for carrying chunks to another process.

    Returns
    -------
    list of batches or words
        In the order of the items.

    Raises
    ------
    ParallelError
        If a worker dies, or if `n_jobs` asks for workers that private numbers do not go to.
    """
    hint = context.engine.tuning.workers
    stays = private and n_jobs is None and count > least and place_of(_active_backend(hint)) == "machines"
    jobs = 1 if stays else effective_jobs(n_jobs, count, least)
    bounds = chunk_bounds(count, jobs, least, _LARGEST_TASK * least)
    if jobs > 1 and len(bounds) > 1:
        backend = _active_backend(hint)
        place = place_of(backend)
        jobs = min(jobs, len(bounds))
        if private and place == "machines":
            raise ParallelError(
                f"decryption stays on this machine, and tasks of joblib's active backend, {type(backend).__name__}, "
                "could leave it (a cluster library can change joblib's own backends, too); use "
                "joblib.parallel_config(backend='loky') or n_jobs=1 for it"
            )
        if place == "threads":
            tasks = ((stop - start, context, *cut(start, stop)) for start, stop in bounds)
            return run_tasks(reporting(function), tasks, backend, place, jobs)
        if carry:
            target = (away or function, context.engine.name, context.ring.n, -(-count // jobs), place)
            forms = ((*target, *(_carried(context.ring, part) for part in cut(*edges))) for edges in bounds)
            parts = run_tasks(_work, forms, backend, place, jobs)
            if advance := _advance.get():
                advance(count)
            return [_arrived(context.ring, part) for part in parts]
    if whole:
        bounds = [(0, count)]
    call = reporting(function)
    return [call(stop - start, context, *cut(start, stop)) for start, stop in bounds]


def reporting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Called with the number of items before the arguments, which is told to who watches once they are done."""
    advance = _advance.get()

    def call(size: int, *args: Any) -> Any:
        result = function(*args)
        if advance is not None:
            advance(size)
        return result

    return call


def part_of(ring: AnyRing, batch: Any, start: int, stop: int) -> Any:
    """Residues `start` to `stop` of a batch."""
    return batch if stop - start == ring.size(batch) else ring.take(batch, np.arange(start, stop))


def joined(ring: AnyRing, parts: list[Any]) -> Any:
    """The batches of chunks as one."""
    return parts[0] if len(parts) == 1 else ring.concatenate(parts)


# What travels ----------------------------------------------------------------------------------------------------


def _carried(ring: AnyRing, value: Any) -> Any:
    """The form in which a batch, words or a plain argument leaves the process."""
    if isinstance(value, np.ndarray):
        return _Words(value.shape[1], value.astype("<u8", copy=False).tobytes())
    if isinstance(value, (int, list)):
        return value
    return ring.store_bytes(value)


def _arrived(ring: AnyRing, form: Any) -> Any:
    if isinstance(form, _Words):
        return np.frombuffer(form.data, dtype="<u8").reshape(-1, form.width)
    return ring.load_bytes(form) if isinstance(form, bytes) else form


@dataclass(frozen=True, repr=False)
class _Words:
    width: int
    data: bytes


def _work(function: Callable[..., Any], engine_name: str, n: int, share: int, place: Place, *forms: Any) -> Any:
    """One task, in another process."""
    context = _away_context(engine_name, n, share, place)
    return _carried(context.ring, function(context, *(_arrived(context.ring, form) for form in forms)))


def _away_context(engine_name: str, n: int, share: int, place: Place) -> AwayContext:
    """The same engine, unless another machine cannot run it."""
    try:
        engine = engine_named(engine_name)
    except EngineUnavailableError:
        if place == "processes":
            raise
        engine = engine_for(n)
    return AwayContext(engine, ring_of(engine, n), share)


# Where it runs ---------------------------------------------------------------------------------------------------


def _active_backend(hint: Literal["threads", "processes"]) -> Any:
    from joblib.parallel import get_active_backend

    try:
        return get_active_backend(prefer=hint)[0]
    except ValueError:  # the user requires shared memory, which processes do not have
        return get_active_backend()[0]


def place_of(backend: Any) -> Place:
    """Where a joblib backend runs its tasks, by what it is: all that is not known to stay here may leave.

    Cluster libraries register backends of their own, derive them from joblib's, and change joblib's classes for the
    whole process.
    """
    from joblib import parallel

    # The backends that are known, and what each of them gives its tasks to.
    own = "joblib._parallel_backends"
    known: dict[type, tuple[Place, tuple[tuple[str, str], ...]]] = {
        parallel.SequentialBackend: ("threads", ()),
        parallel.ThreadingBackend: ("threads", ((own, "ThreadPool"),)),
        parallel.MultiprocessingBackend: ("processes", ((own, "MemmappingPool"),)),
        parallel.LokyBackend: (
            "processes",
            ((own, "get_memmapping_executor"), ("joblib.executor", "MemmappingExecutor")),
        ),
    }
    place, used = known.get(type(backend), ("machines", ()))
    used = (("joblib", "Parallel"), *used)
    parts = [type(backend), *(getattr(sys.modules.get(module), name, None) for module, name in used)]
    changed = any(callable(getattr(type(backend), name, None)) for name in vars(backend))
    return place if all(map(_is_original, parts)) and not changed else "machines"


def _is_original(part: Any) -> bool:
    """Whether a function, or a class with its bases and all they define, is of joblib or the standard library."""
    if isinstance(part, type):
        definitions = (value for base in part.__mro__[:-1] for value in vars(base).values())
        return all(map(_is_at_home, (*part.__mro__, *definitions)))
    return part is not None and _is_at_home(part)


def _is_at_home(definition: Any) -> bool:
    """Whether all code that a definition stands for is of joblib or the standard library; values that are none are."""
    wrapped = None
    if isinstance(definition, property):
        return all(map(_is_at_home, (definition.fget, definition.fset, definition.fdel)))
    if isinstance(definition, (staticmethod, classmethod)):
        return _is_at_home(definition.__func__)
    if isinstance(definition, FunctionType):
        # Not its __module__: functools.wraps copies that.
        module, wrapped = definition.__globals__.get("__name__"), getattr(definition, "__wrapped__", None)
    elif isinstance(definition, type):
        module = definition.__module__
    elif callable(definition) or hasattr(definition, "__get__"):
        module = type(definition).__module__
    else:
        return True
    return str(module).partition(".")[0] in _AT_HOME and _is_at_home(wrapped)


def run_tasks(
    function: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], backend: Any, place: Place, jobs: int
) -> list[Result]:
    """``[function(*task) for task in tasks]`` on `jobs` workers of a joblib backend.

    Raises
    ------
    ParallelError
        If a worker dies.
    """
    import joblib

    if cluster := cluster_of(backend):
        return run_on(cluster, function, tasks, jobs)
    call = _ThreadCall(function) if place == "threads" else function
    options = _follow_options(backend) if place == "processes" else {}
    if place == "processes" and isinstance(backend, joblib.parallel.MultiprocessingBackend):
        backend = _guarded_kind()(nesting_level=backend.nesting_level, **backend.backend_kwargs)
    try:
        # No array of a megabyte goes through a file, as it would by default.
        run = joblib.Parallel(n_jobs=jobs, backend=backend, max_nbytes=None, **options)
        results: list[Result] = run(joblib.delayed(call)(*task) for task in tasks)
    except (joblib.externals.loky.process_executor.BrokenProcessPool, _WorkerDiedError, EOFError) as error:
        # Not chained: the message of the pool can quote the arguments.
        raise ParallelError(
            f"a worker process died ({type(error).__name__}): out of memory or killed; retry with a lower n_jobs"
        ) from None
    except RuntimeError as error:
        # Python 3.10: joblib cannot end workers that a Ctrl-C found being started, and says that instead.
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if isinstance(call, _ThreadCall):
            call.stop()
    return results


def run_in_threads(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], n_jobs: int | None) -> None:
    """Call ``function(*task)`` for each task on threads; for none where joblib's active backend has something else."""
    backend = _active_backend("threads")
    if place_of(backend) == "threads" and (jobs := min(effective_jobs(n_jobs), len(tasks))) > 1:
        run_tasks(function, tasks, backend, "threads", jobs)


def _follow_options(backend: Any) -> dict[str, Any]:
    """What makes the workers of a pool end with this process, and keeps what the user has them start with."""
    given = getattr(backend, "backend_kwargs", {})
    return {
        "initializer": end_with,
        "initargs": (os.getpid(), given.get("initializer"), given.get("initargs", ())),
    }


class _WorkerDiedError(Exception):
    """A process of a pool of the standard library ended before its task."""


@cache
def _guarded_kind() -> Any:
    """The multiprocessing backend of joblib, which by itself waits forever for the task of a worker that was killed."""
    from joblib.parallel import MultiprocessingBackend

    class GuardedBackend(MultiprocessingBackend):  # type: ignore[misc]
        def configure(self, *args: Any, **options: Any) -> int:
            workers = super().configure(*args, **options)
            self._over = Event()
            Thread(target=_guard, args=(self._pool, self._over), daemon=True, name="vecphe-guard").start()
            return int(workers)

        def terminate(self) -> None:
            self._over.set()
            super().terminate()

    return GuardedBackend


def _guard(pool: Any, over: Event) -> None:
    """Fail what a pool has to do once one of its first workers ends: the pool itself would start another instead."""
    workers = list(pool._pool)
    while not over.wait(_SECONDS_BETWEEN_LOOKS):
        if any(worker.exitcode not in (None, 0) for worker in workers):
            for result in list(pool._cache.values()):
                result._set(0, (False, _WorkerDiedError()))


class _ThreadCall(Generic[Result]):
    """A function whose calls in threads can be waited for.

    After Ctrl-C joblib leaves its threads to themselves; an interpreter that ends while one of them computes in
    native code aborts instead of exiting.
    """

    def __init__(self, function: Callable[..., Result]) -> None:
        self._function = function
        self._cancellation = Cancellation()
        self._changed = Condition()
        self._running = 0
        self._stopped = False

    def __call__(self, *args: Any) -> Result:
        with self._changed:
            if self._stopped:
                raise ParallelError("the batch was interrupted")
            self._running += 1
        try:
            with self._cancellation.observed():
                return self._function(*args)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def stop(self) -> None:
        """Start no further call, and end those that still run."""
        self._cancellation.cancel()
        with self._changed:
            self._stopped = True
            self._changed.wait_for(lambda: self._running == 0)
