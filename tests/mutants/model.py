"""What a planted fault is, and the table of all of them."""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "SOURCE", "Mutant", "StaleMutantError", "function_names", "load_table"]

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
TESTS = ROOT / "tests"


class StaleMutantError(Exception):
    """The text that a mutant replaces does not stand in the source exactly once."""


@dataclass(frozen=True)
class Mutant:
    """A planted fault, and the tests that must fail on it.

    Attributes
    ----------
    rows : tuple of int
        Rows of the list of hazards that the fault breaks.
    file : str
        Path below src/vecphe.
    old, new : str
        Text that stands there exactly once, however its lines are broken, and what replaces it.
    tests : tuple of str
        ``path::function`` below tests/; of each, at least one case must fail, in the test itself.
    """

    rows: tuple[int, ...]
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """Rows and place, for people."""
        rows = ",".join(map(str, self.rows))
        return f"{rows:>5}  {self.file}: {' '.join(self.new.split())[:60] or 'nothing'}"

    @property
    def node_ids(self) -> tuple[str, ...]:
        """The tests as pytest names them."""
        return tuple(f"tests/{test}" for test in self.tests)

    def mutated(self, source: Path) -> str:
        """Text of the file with the fault; raise StaleMutantError if it cannot be planted."""
        return replaced(source / "vecphe" / self.file, self.file, self.old, self.new)


def replaced(path: Path, name: str, old: str, new: str) -> str:
    """Text of a file with `old` replaced, which stands there once; raise StaleMutantError if it does not."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    places = [place.span() for place in _as_formatted(old).finditer(text)]
    if len(places) != 1:
        raise StaleMutantError(f"{name} holds the text {len(places)} times, not once: {old!r}")
    ((start, stop),) = places
    return text[:start] + new + text[stop:]


def _as_formatted(code: str) -> re.Pattern[str]:
    """Code however its lines are broken: other space between its words, and a comma or none before what closes."""
    core = code.strip()
    before, after = code.split(core) if core else (code, "")
    words = re.findall(r"\w+|[^\w\s]", re.sub(r",(?=\s*[)\]}])", "", core))
    inner = r"\s*".join(rf"(?:,\s*)?\{word}" if word in ")]}" else re.escape(word) for word in words)
    return re.compile(re.escape(before) + inner + re.escape(after))


def load_table(package: str = "tests.mutants.table") -> list[Mutant]:
    """The mutants of all modules of a package, each of which has a list ``MUTANTS``."""
    path = importlib.import_module(package).__path__
    modules = sorted(module.name for module in pkgutil.iter_modules(path, f"{package}."))
    return [mutant for name in modules for mutant in importlib.import_module(name).MUTANTS]


def function_names(path: Path) -> set[str]:
    """Test functions of a file."""
    return set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
