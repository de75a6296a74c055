"""Which cases to measure, and how long: options from outside, checked before anything runs."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from vecphe.arithmetic import available_engines
from vecphe.bench.environment import Environment
from vecphe.bench.peers import distribution, missing
from vecphe.bench.records import BACKENDS, Case
from vecphe.bench.workloads import naive_module, short_keys
from vecphe.numbers.key_numbers import check_key_length
from vecphe.system.memory import fits_in_memory
from vecphe.system.parallel import effective_jobs

__all__ = ["LEAST_CLIENTS", "USUAL_REPEATS", "Matrix", "check_range", "parse_counts", "parse_names", "parse_seconds"]

LEAST_CLIENTS = 3  # as the protocol
USUAL_REPEATS = 10
_MOST_CLIENTS = 10_000
_MOST_VALUES = 10**9


@dataclass(frozen=True)
class Matrix:
    """Every combination of key lengths, clients and vector lengths, on some backends."""

    key_lengths: tuple[int, ...] = (1024, 2048, 3072)
    clients: tuple[int, ...] = (3, 5, 10)
    values: tuple[int, ...] = (11, 1000)
    backends: tuple[str, ...] = BACKENDS
    engine: str | None = None  # None is the active one
    jobs: int | None = None  # as in joblib
    peers: tuple[str, ...] = ()  # other libraries, of `PEERS`; phe's row is naive's
    repeats: int = USUAL_REPEATS  # samples of a case, and twice as many of a noisy one
    budget: float | None = None  # seconds that all of it may take, keys included: then there are fewer samples
    afterwards: float = 0.0  # of them, those that a report takes on a quiet machine
    # Cap on one sample of the naive side: only so many values, and where one value is too many only so many
    # clients, are encrypted, and times are scaled. It holds unless three clients with a value each take longer.
    naive_seconds: float = 1.0

    @classmethod
    def quick(cls, **changes: object) -> Matrix:
        """A matrix that two cores measure within a minute, its report included."""
        small = {"clients": (3, 5), "values": (11, 100), "naive_seconds": 0.1, "budget": 48.0}
        return cls(**{**small, **changes})  # type: ignore[arg-type]

    def check(self) -> None:
        """Raise InvalidKeyError, TypeError or ValueError, naming the option, for what cannot be measured here."""
        with short_keys():
            for key_length in self.key_lengths:
                check_key_length(key_length, insecure=True)
        check_range("clients", _MOST_CLIENTS, *self.clients, least=LEAST_CLIENTS)
        check_range("values", _MOST_VALUES, *self.values)
        engines = dict(available_engines())
        if self.engine is not None and self.engine not in engines:
            raise ValueError(f"--engine: no engine is called {self.engine!r}; choose one of {', '.join(engines)}")
        effective_jobs(self.jobs)
        for name in self.peers:
            if (how := missing(name)) is not None:
                raise ValueError(f"--peers: {name} is not installed: {how}")
        if self.backends == ("naive",) and naive_module() is None:
            raise ValueError("--backends: naive needs phe: pip install phe")
        self._check_memory()

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of what has a row of its own a case."""
        naive = ["naive"] if {"phe"} & {*self.peers} and "naive" not in self.backends else []
        return (*naive, *self.backends, *(name for name in self.peers if name != "phe"))

    def plan(self) -> dict[str, str]:
        """What is measured and where, as text: samples of two runs may stand in one record where it is the same."""
        lists = {name: getattr(self, name) for name in ("key_lengths", "clients", "values")} | {"rows": self.rows}
        text = {name.replace("_", " "): ", ".join(map(str, entries)) for name, entries in lists.items()}
        here = Environment.current(self.engine)
        versions = {f"version of {name}": version for name, version in here.versions.items()}
        versions |= {f"version of {name}": distribution(name)[1] for name in self.peers}
        facts = {name: str(getattr(here, name)) for name in ("engine", "target", "cpu", "cores", "system")}
        cap = {"jobs": str(effective_jobs(self.jobs)), "seconds of a naive sample": f"{self.naive_seconds:g}"}
        return {**text, **cap, **facts, **versions}

    def _check_memory(self) -> None:
        for case in self.cases:
            # With one ciphertext a value, generously: plaintexts, and four encrypted vectors at a time.
            ciphertext = 3 * (case.key_length // 8) + 200
            needed = 8 * case.clients * case.values + 4 * case.values * ciphertext
            if not fits_in_memory(needed):
                raise ValueError(
                    f"{case} need about {needed / 1e9:.3g} GB, more memory than there is; lower --values or --clients"
                )

    @property
    def cases(self) -> list[Case]:
        """Every combination, in ascending order of key lengths, then of work."""
        cases = {Case(*numbers) for numbers in itertools.product(self.key_lengths, self.clients, self.values)}
        return sorted(cases, key=lambda case: (case.key_length, case.clients * case.values, case))


def check_range(option: str, most: int, *numbers: int, least: int = 1) -> None:
    """Raise ValueError, named after the option of the command line, unless all numbers lie in the range."""
    for number in numbers:
        if not least <= number <= most:
            raise ValueError(f"--{option} must be from {least} to {most}, not {number}")


def parse_counts(option: str, text: str) -> tuple[int, ...]:
    """Positive integers from a list such as ``1024,2048``, sorted, each once; ValueError names what is none."""
    entries = [entry.strip() for entry in text.split(",")]
    for entry in entries:
        if not (entry.isascii() and entry.isdigit() and len(entry) <= 18 and int(entry)):
            raise ValueError(f"{option} takes positive integers with commas between them, not {entry[:40]!r}")
    return tuple(sorted({int(entry) for entry in entries}))


def parse_names(option: str, text: str, known: Sequence[str] = BACKENDS) -> tuple[str, ...]:
    """Known names from a list such as ``naive,packed``, in the order of `known`, each once; ValueError names others."""
    names = [entry.strip() for entry in text.split(",")]
    for name in names:
        if name not in known:
            raise ValueError(f"{option}: {name[:40]!r} is none of {', '.join(known)}")
    return tuple(name for name in known if name in names)


def parse_seconds(option: str, text: str) -> float:
    """Seconds of a time such as ``90s``, ``15m`` or ``1.5h``; ValueError for none, or none from a second to 30 days."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh])", text.strip(), re.ASCII)
    seconds = float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]] if found else math.nan
    if not 1 <= seconds <= 30 * 86_400:
        raise ValueError(f"{option} takes a time from 1s to 720h, such as 90s, 15m or 2h, not {text[:40]!r}")
    return seconds
