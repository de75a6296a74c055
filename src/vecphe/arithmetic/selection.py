"""Which engine computes: a priority list, a self-test before use, a race, and the VECPHE_ENGINE override."""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Callable
from functools import cache, lru_cache
from multiprocessing.process import parent_process
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from vecphe.arithmetic.cuda import CudaEngine
from vecphe.arithmetic.cuda_device import why_no_device
from vecphe.arithmetic.engine import AnyRing, Engine, engine_name
from vecphe.arithmetic.gmp import GmpEngine
from vecphe.arithmetic.race import race
from vecphe.arithmetic.words import words_from_integers
from vecphe.errors import EngineFallbackWarning, EngineUnavailableError, InvalidCiphertextError

__all__ = [
    "active_engine",
    "available_engines",
    "engine_for",
    "engine_named",
    "engine_or_default",
    "race_result",
    "ring_of",
    "self_test",
    "why_not_used",
]

_NOT_BUILT = (
    "the native kernel was not built: install a C++ compiler (GCC or Clang) and install vecphe from its sources again "
    "(`pip install --force-reinstall .`); VECPHE_REQUIRE_NATIVE=1 makes a failing build show why"
)


class _Candidate(NamedTuple):
    """An engine that may run here: `why_not` gives the reason if it cannot."""

    why_not: Callable[[], str | None]
    make: Callable[[], Engine]
    by_name_only: bool = False
    races: bool = False  # with gmp: which of the two is faster differs, or is not known


@cache
def _native() -> ModuleType | None:
    try:
        from vecphe.arithmetic import native
    except ImportError:
        return None
    return native


def _native_candidate(target: str) -> _Candidate:
    def why_not() -> str | None:
        native = _native()
        if native is None:
            return _NOT_BUILT
        reason: str | None = dict(native.supported_targets()).get(target, _not_compiled_in(target))
        return reason

    def make() -> Engine:
        native = _native()
        if native is None:
            raise EngineUnavailableError(_NOT_BUILT)
        engine: Engine = native.NativeEngine(target)
        return engine

    return _Candidate(why_not, make, races=target in _RACING)


# Targets that users can ask for on every machine, with the names that systems have for their kind of CPU; where the
# kernel was built, it says what else there is.
_X86, _ARM = ("x86-64", "AMD64", "x86_64"), ("AArch64", "aarch64", "arm64", "ARM64")
_KNOWN_TARGETS = {"ifma512": _X86, "ifma256": _X86, "fma512": _X86, "fma256": _X86, "neon": _ARM}
_RACING = ("neon",)
_PORTABLE = "portable"


def _not_compiled_in(target: str) -> str:
    names = _KNOWN_TARGETS.get(target, ())
    if names and platform.machine() not in names:
        return f"not compiled in: it is for {names[0]}, and this is {platform.machine() or 'another kind of CPU'}"
    return "not compiled in: the compiler cannot make it"


def _candidates() -> dict[str, _Candidate]:
    """In order of preference. The portable target exists to check the others; gmp is faster."""
    native = _native()
    compiled = [name for name, _ in native.supported_targets() if name != _PORTABLE] if native else []
    engines = {engine_name(target): _native_candidate(target) for target in dict.fromkeys([*compiled, *_KNOWN_TARGETS])}
    return {
        **engines,
        "gmp": _Candidate(lambda: None, GmpEngine),
        _PORTABLE: _native_candidate(_PORTABLE),
        "cuda": _Candidate(why_no_device, CudaEngine, by_name_only=True),
    }


_ENGINES: dict[str, _Candidate] = {}


def _engines() -> dict[str, _Candidate]:
    """The candidates; the native module is imported when they are first asked for."""
    if not _ENGINES:
        _ENGINES.update(_candidates())
    return _ENGINES


def available_engines() -> list[tuple[str, str | None]]:
    """Engines in order of preference, each with the reason why it does not run here, or None if it can.

    Returns
    -------
    list of (str, str or None)
    """
    return [(name, candidate.why_not()) for name, candidate in _engines().items()]


def engine_named(name: str) -> Engine:
    """The engine of that name, after its self-test.

    Raises
    ------
    EngineUnavailableError
        If there is no such engine, it does not run on this machine, or its self-test failed.
    """
    if name not in _engines():
        raise EngineUnavailableError(f"no engine is called {name!r}; choose one of {', '.join(_engines())}")
    if why_not := _engines()[name].why_not():
        raise EngineUnavailableError(f"engine {name!r} does not run here: {why_not}")
    return _tested(name)


@cache
def _passes(name: str) -> Engine | None:
    engine = _engines()[name].make()
    return engine if self_test(engine) else None


def _tested(name: str) -> Engine:
    engine = _passes(name)
    if engine is None:
        raise EngineUnavailableError(f"engine {name!r} failed its self-test on this machine; do not use it")
    return engine


def why_not_used() -> dict[str, str]:
    """Each engine but the active one, with the reason why it is not used.

    Returns
    -------
    dict of str to str
        In order of preference.
    """
    active, chosen = active_engine().name, os.environ.get("VECPHE_ENGINE")
    reasons = {}
    for name, why_not in available_engines():
        if name == active:
            continue
        if why_not is None and _engines()[name].by_name_only:
            why_not = _not_asked_for(name)
        if why_not is None and _passes(name) is None:
            why_not = "its self-test failed on this machine"
        reasons[name] = why_not or (f"VECPHE_ENGINE={chosen} asks for another" if chosen else f"{active} is faster")
    return reasons


def race_result() -> dict[str, float]:
    """Seconds that a product took on the engines that have raced to be the default one.

    Returns
    -------
    dict of str to float
        By the names of the engines; nothing where none have: where speeds are known, VECPHE_ENGINE names one, or fewer
        than two pass their self-tests.
    """
    racing = [name for name, each in _engines().items() if each.races and each.why_not() is None and _passes(name)]
    return {} if os.environ.get("VECPHE_ENGINE") or not racing else _race(racing[0])


@cache
def _race(name: str) -> dict[str, float]:
    engines = [engine for engine in (_passes(name), _passes("gmp")) if engine is not None]
    return race(engines) if len(engines) > 1 else {}


def _not_asked_for(name: str) -> str:
    try:
        facts = _engines()[name].make().describe()
    except EngineUnavailableError as error:
        return str(error)
    asked = f"used only where engine={name!r} or VECPHE_ENGINE asks"
    return f"{facts['target']} is there, but is {asked}; it pays {facts['pays']}"


def _warn(message: str) -> None:
    if parent_process() is None:
        warnings.warn(message, EngineFallbackWarning, stacklevel=4)


def _has_fast_target() -> bool:
    """Whether a kernel that was built would be faster than gmp on this CPU, as far as the system tells."""
    if platform.machine() not in _X86:
        return platform.machine() in _ARM
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    except OSError:  # not Linux
        return True
    return {"avx2", "fma"} <= {*flags}


@cache
def _fastest() -> Engine:
    """The first engine that runs and computes right, or gmp where that wins; warns once where one should be there.

    Not in each worker again: the process that has started them says it for all.
    """
    for name, candidate in _engines().items():
        if candidate.by_name_only:
            continue
        why_not = candidate.why_not()
        if why_not is None:
            try:
                engine = _tested(name)
            except EngineUnavailableError as error:
                _warn(f"{error}; going on with the next one")
                continue
            seconds = _race(name) if candidate.races else {}
            return _tested(min(seconds, key=seconds.__getitem__)) if seconds else engine
        elif why_not == _NOT_BUILT and name == "ifma" and _has_fast_target():
            _warn(f"computing with gmpy2, many times slower: {why_not}")
    raise EngineUnavailableError("no engine passed its self-test on this machine")


def active_engine() -> Engine:
    """The engine named by VECPHE_ENGINE, else the fastest that runs here."""
    name = os.environ.get("VECPHE_ENGINE")
    try:
        return engine_named(name) if name else _fastest()
    except EngineUnavailableError as error:
        if not name:
            raise
        raise EngineUnavailableError(f"VECPHE_ENGINE: {error}; unset it for the fastest that runs") from None


def engine_for(n: int, name: str | None = None) -> Engine:
    """The engine that computes modulo n.

    Parameters
    ----------
    n : int
    name : str, optional
        By default the active engine, or gmp where n is too long for it.

    Raises
    ------
    TypeError
        If `name` is no string.
    EngineUnavailableError
        If there is no such engine, it does not run on this machine, its self-test failed, or n is too long for it.
    """
    if name is not None and not isinstance(name, str):
        raise TypeError(f"engine must be the name of one, not {type(name).__name__}: one of {', '.join(_engines())}")
    engine = active_engine() if name is None else engine_named(name)
    if n.bit_length() <= engine.max_key_length:
        return engine
    if name is not None:
        raise EngineUnavailableError(
            f"engine {name!r} computes with keys of up to {engine.max_key_length} bits, not {n.bit_length()}; "
            "leave the engine away, and one is chosen that can"
        )
    return engine_named("gmp")


def engine_or_default(n: int, name: str | None) -> Engine:
    """As `engine_for`, for what another machine may have sent: what does not run here is replaced, with a warning."""
    try:
        return engine_for(n, name)
    except EngineUnavailableError as error:
        if name is None:
            raise
        engine = engine_for(n)
        _warn(f"{error}; computing with {engine.name}")
        return engine


_rings: WeakValueDictionary[tuple[Engine, int], AnyRing] = WeakValueDictionary()


@lru_cache(maxsize=32)
def ring_of(engine: Engine, n: int) -> AnyRing:
    """The ring Z/n^2 on an engine, one as long as any object of a key uses it; the last few are kept."""
    return _rings.setdefault((engine, n), engine.ring(n))


def self_test(engine: Engine) -> bool:
    """Known answers: those of the engine, and a round trip through every operation of a small key."""
    try:
        return engine.known_answers() and _small_key_answers(engine)
    except InvalidCiphertextError:  # a decryptor that finds its own result wrong
        return False


def _small_key_answers(engine: Engine) -> bool:
    p, q = 1_000_003, 1_000_033
    n = p * q
    ring = engine.ring(n)
    randomizer = pow(123_456_789, n, n * n)
    base = ring.fixed_base(randomizer, 64, 4)
    exponents = words_from_integers([0, 1, 2**64 - 1], 1)
    plaintexts = words_from_integers([0, 41, n - 1], 1)
    encrypted = ring.multiply_plain(base.power_secret(exponents), plaintexts, 0)
    expected = [
        (1 + m * n) * pow(randomizer, int(a), n * n) % (n * n)
        for m, a in zip((0, 41, n - 1), exponents[:, 0], strict=True)
    ]
    doubled = ring.multiply(encrypted, encrypted)
    decrypted = engine.decryptor(p, q).decrypt(ring, doubled, 5)
    return ring.store(encrypted) == expected and np.array_equal(
        decrypted,
        words_from_integers([5, 87, 3], 1),  # 2 * (n - 1) + 5 = 3 mod n
    )
