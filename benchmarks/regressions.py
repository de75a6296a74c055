"""Plants regressions in a copy of the package, one at a time, and sees the gate name the right rows.

    python -m benchmarks.regressions [--baseline FILE] [--save FILE] [NAME...]

A gate that has never failed may not be able to. The working tree is not touched: every planted copy lies in a temporary
directory. Without --baseline the unchanged copy takes one first, as on a pull request; that is two minutes, and the
slower product another two for its build. Exit 1 if a regression is not caught, or a wrong row is named.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import vecphe
from benchmarks.saved import provenance, save, stamped, table

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(vecphe.__file__).resolve().parent

# Runs the command of a copy, whatever is installed: editable installs find their package before sys.path is asked.
_RUN = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if "vecphe" not in getattr(finder, "known_source_files", {})]
sys.path.insert(0, sys.argv.pop(1))
import vecphe
assert vecphe.__file__.startswith(sys.path[0]), vecphe.__file__
from vecphe.cli import main
sys.exit(main())
"""


@dataclass(frozen=True)
class Plant:
    """A regression: what to change in a copy, and which rows then have to fail.

    `rows` are all that may fail, or only those that must if `others` may fail as well.
    """

    name: str
    what: str
    rows: tuple[str, ...] | None
    change: Callable[[Path], None] = lambda copy: None
    environment: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ("--counts-only",)
    others: bool = False


def replace(copy: Path, file: str, old: str, new: str) -> None:
    path = copy / "vecphe" / file
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"{file}: the text to change stands there {text.count(old)} times: {old!r}")
    path.write_text(text.replace(old, new), encoding="utf-8")


def smaller_window(copy: Path) -> None:
    with (copy / "vecphe/randomizers.py").open("a", encoding="utf-8") as file:
        file.write(
            "\n_chosen = choose_window\n\n\ndef choose_window(*arguments):\n    return _chosen(*arguments) - 1\n"
        )


def doubled_validation(copy: Path) -> None:
    test = "if not self.all_units(batch):"
    replace(copy, "arithmetic/engine.py", test, f"{test[:-1]} or not self.all_units(batch):")


def packing_off(copy: Path) -> None:
    replace(copy, "federated/backends.py", "    packed = True\n", "    packed = False\n")


def slow_product(copy: Path) -> None:
    build = copy.parent / "build"
    nanobind = run_quietly([sys.executable, "-m", "nanobind", "--cmake_dir"]).strip()
    defines = [f"-DPython_EXECUTABLE={sys.executable}", f"-Dnanobind_DIR={nanobind}", "-DVECPHE_SLOW_PRODUCT=ON"]
    run_quietly(["cmake", "-S", str(ROOT / "src/native"), "-B", str(build), *defines])
    run_quietly(["cmake", "--build", str(build), "--target", "_native"])
    (module,) = build.glob("_native.*.so")
    shutil.copy(module, copy / "vecphe/arithmetic" / module.name)


PLANTS = (
    Plant("nothing", "nothing", (), options=()),
    Plant(
        "engine",
        "`VECPHE_ENGINE=gmp` against the baseline of the native engine",
        None,
        environment={"VECPHE_ENGINE": "gmp"},
        options=(),
    ),
    Plant(
        "window",
        "a table window one smaller",
        ("tables for 1000", "encrypt 256", "encrypt 1000 packed", "packed round, 5 clients, 1000 values"),
        smaller_window,
    ),
    Plant(
        "validation", "ciphertexts from outside validated twice", ("validate 256", "receive 256"), doubled_validation
    ),
    Plant("packing", "packing switched off", ("packed round, 5 clients, 1000 values",), packing_off),
    Plant(
        "product",
        "15 % more multiply-adds in the product kernel, which no counter sees",
        ("speed: product, 2048 bits",),
        slow_product,
        options=(),
        others=True,
    ),
)


def run_quietly(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def planted_copy(directory: Path, plant: Plant) -> Path:
    copy = directory / plant.name / "src"
    shutil.copytree(PACKAGE, copy / "vecphe", ignore=shutil.ignore_patterns("__pycache__"))
    from vecphe.arithmetic import _native

    module = Path(_native.__file__)  # beside the sources, or elsewhere in an editable install
    shutil.copy(module, copy / "vecphe/arithmetic" / module.name)
    plant.change(copy)
    return copy


def gate(copy: Path, baseline: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _RUN, str(copy), "bench", "--check", str(baseline), *options]
    inherited = {name: value for name, value in os.environ.items() if name != "VECPHE_ENGINE"}
    return subprocess.run(command, capture_output=True, text=True, env=inherited | environment, cwd=copy)


def complaints(plant: Plant, report: dict[str, Any], status: int) -> list[str]:
    """What is wrong with the gate's answer."""
    failed = {finding["row"] for finding in report["findings"] if finding["status"] == "failed"}
    wanted = {finding["row"] for finding in report["findings"]} if plant.rows is None else set(plant.rows)
    wrong = [f"not caught: {row}" for row in sorted(wanted - failed)]
    counted = {finding["row"] for finding in report["findings"] if not finding["row"].startswith("speed: ")}
    surplus = (failed - wanted) & counted if plant.others else failed - wanted
    wrong += [f"falsely named: {row}" for row in sorted(surplus)]
    if status != bool(wanted):
        wrong.append(f"exit {status}")
    return wrong


def replay(plant: Plant, directory: Path, baseline: Path) -> dict[str, Any]:
    """What the gate said: whether it was right, and its lines."""
    copy = planted_copy(directory, plant)
    result = gate(copy, baseline, "--json", *plant.options, **plant.environment)
    if not result.stdout.startswith("{"):
        raise SystemExit(f"{plant.name}: the gate did not answer: {result.stderr}")
    report = json.loads(result.stdout)
    wrong = complaints(plant, report, result.returncode)
    print(f"\n{plant.name}: {'; '.join(wrong) or 'as it should be'}")
    said = []
    for finding in report["findings"]:
        speeds = finding["row"].startswith("speed: ") and plant.rows is not None
        if (finding["status"] == "failed" and plant.rows is not None) or speeds:
            said.append(f"{finding['status']}: {finding['row']}: {finding['text']}")
    if plant.rows is None:
        said.append(f"{len(report['findings'])} rows failed, each: {report['findings'][0]['text']}")
    print("\n".join(f"  {line}" for line in said), flush=True)
    return {"name": plant.name, "what": plant.what, "wrong": wrong, "said": said}


def as_table(content: dict[str, Any]) -> list[str]:
    """Markdown lines of a saved replay."""
    rows = [
        [plant["what"], "<br>".join(map(_shortened, plant["said"])), "; ".join(plant["wrong"]) or "yes"]
        for plant in content["plants"]
    ]
    return [
        provenance(content, "make gate-regressions"),
        "",
        *table(["planted", "what the gate says", "as it should be"], rows),
    ]


def _shortened(line: str) -> str:
    """A line of the gate with its first three counts."""
    parts = line.split("; ")
    return "; ".join(parts[:3]) + (f" and {len(parts) - 3} more counts" if len(parts) > 3 else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(plant.name for plant in PLANTS)} (default: all)")
    parser.add_argument("--baseline", type=Path, help="baseline of the unchanged code, taken on this machine")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write what the gate said as JSON")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - {plant.name for plant in PLANTS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    plants = [plant for plant in PLANTS if not arguments.names or plant.name in arguments.names]
    with tempfile.TemporaryDirectory(prefix="vecphe-regressions-") as name:
        directory = Path(name)
        baseline = arguments.baseline
        if baseline is None:
            baseline = directory / "baseline.json"
            unchanged = planted_copy(directory, Plant("unchanged", "nothing", ()))
            result = gate(unchanged, baseline, "baseline")
            print(result.stdout or result.stderr, flush=True)
        replayed = [replay(plant, directory, baseline.resolve()) for plant in plants]
    if arguments.save:
        save(arguments.save, stamped("regressions", plants=replayed))
    right = sum(not plant["wrong"] for plant in replayed)
    print(f"\n{right} of {len(plants)} as they should be")
    return 0 if right == len(plants) else 1


if __name__ == "__main__":
    sys.exit(main())
