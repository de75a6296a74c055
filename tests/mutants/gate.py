"""Plant regressions, one at a time, and see the gate name the right rows: ``make gate-regressions ARGS=NAME``.

A gate that has never failed may not be able to. Each is planted in a copy, as `replay` does. Without --baseline the
unchanged copy takes one first, as on a pull request; that is two minutes, and the slower product another two for its
build. ``project`` is the example of docs/gate.md on the engine that runs and on gmp: ten checks of it as it is, and
five with a slow-down of 15 %. Exit 1 if a regression is not caught, or a wrong row is named.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.saved import stamped
from tests.mutants.model import ROOT, Mutant, replaced
from tests.mutants.replay import Copies, check_processes, environment

from vecphe.arithmetic import active_engine
from vecphe.bench.results_file import save_file

EXAMPLE = ROOT / "examples" / "gate"
SLOWER = """

from time import perf_counter

_add_up = add_up


def add_up(columns):
    started = perf_counter()
    total = _add_up(columns)
    until = started + 1.15 * (perf_counter() - started)
    while perf_counter() < until:
        pass
    return total
"""
PASSES, CATCHES = 10, 5
# In the middle between as fast and 15 % slower, 7 % from either: at a load of 10 the speeds that processes found of one
# version lay within 3 % of each other, their limits within 1 % of the median. 10 % would leave 3.4 % in all.
SPEEDS = ("--speeds-only", "--tolerance", "0.07")
_CHECK = "if not self.all_units(batch):"


def without_kernel(copy: Path) -> None:
    for module in (copy / "vecphe/arithmetic").glob("_native*"):
        module.unlink()


# 1.5k^2 more multiply-adds, 15 % of the 10k^2 of a product, that no counter sees.
PRODUCT = "        carry_reduced(o + k * kLanes, s, 2, k);\n    }\n\n    static void square("
SLOW_PRODUCT = """\
        carry_reduced(o + k * kLanes, s, 2, k);
        waste(x, y, k);
    }

    static __attribute__((noinline)) void waste(ConstLimbs x, ConstLimbs y, int k) {
        const Tally before = tally;
        Double d;
        const Factors<V> a(x, k), c(y, k);
        clear(d, 0, k);
        for_blocks<V, Whole>(k, [&](auto b, int i) {
            if (Whole) open<b.value>(d, i, k);
            if (4 * i < 3 * k) row_block<false, b.value>(d, a, c, i, k);
        });
        __asm__ __volatile__("" : : "r"(&d) : "memory");
        tally = before;
    }

    static void square("""


def change(path: Path, old: str, new: str) -> None:
    path.write_text(replaced(path, path.name, old, new), encoding="utf-8")


def with_slow_product(copy: Path) -> None:
    build = copy.parent / "build"
    sources = shutil.copytree(ROOT / "src/native", copy.parent / "native")
    change(sources / "generic/pair.h", PRODUCT, SLOW_PRODUCT)
    nanobind = subprocess.check_output([sys.executable, "-m", "nanobind", "--cmake_dir"], text=True).strip()
    defines = [f"-DPython_EXECUTABLE={sys.executable}", f"-Dnanobind_DIR={nanobind}"]
    for command in (["-S", str(sources), "-B", str(build), *defines], ["--build", str(build), "-t", "_native"]):
        subprocess.run(["cmake", *command], check=True, stdout=subprocess.DEVNULL)
    without_kernel(copy)
    shutil.copy(next(build.glob("_native.*.so")), copy / "vecphe/arithmetic")


@dataclass(frozen=True)
class Plant:
    """A regression, the rows that then have to fail, and how those begin that may fail too."""

    name: str
    what: str
    rows: tuple[str, ...] | None  # None: every row
    fault: Mutant | None = None
    spoil: Callable[[Path], None] = lambda copy: None
    options: tuple[str, ...] = ("--counts-only",)
    may: tuple[str, ...] = ()


def fault(file: str, old: str, new: str) -> Mutant:
    return Mutant((), file, old, new, ())


PLANTS = (
    Plant("nothing", "nothing", (), options=()),
    Plant("engine", "no kernel, and `--engine` of the baseline", None, spoil=without_kernel),
    Plant(
        "window",
        "a table window one smaller",
        ("tables for 1000", "encrypt 256", "encrypt 1000 packed", "packed round, 5 clients, 1000 values"),
        fault("randomness/randomizers.py", "return min(fitting, key=", "return -1 + min(fitting, key="),
    ),
    Plant(
        "validation",
        "ciphertexts from outside validated twice",
        ("validate 256", "receive 256"),
        fault("arithmetic/engine.py", _CHECK, f"{_CHECK[:-1]} or not self.all_units(batch):"),
        may=("decrypt", "packed round"),  # decryption by gmp checks as well
    ),
    Plant(
        "packing",
        "packing switched off",
        ("packed round, 5 clients, 1000 values",),
        fault("federated/backends.py", "    packed = True\n", "    packed = False\n"),
    ),
    Plant(
        "product",
        "15 % more multiply-adds in the product kernel, which no counter sees",
        ("speed: product, 2048 bits",),
        spoil=with_slow_product,
        options=(),
        may=("speed: ",),
    ),
)  # fmt: skip


def bench(copy: Path, command: str, baseline: Path, *options: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "VECPHE_ENGINE"}
    return subprocess.run(
        [sys.executable, "-m", "vecphe.cli", "bench", command, str(baseline), *options],
        capture_output=True, text=True, env=inherited | environment(copy), cwd=copy,
    )  # fmt: skip


def answer(result: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    if not result.stdout.startswith("{"):
        raise SystemExit(f"the gate did not answer: {result.stderr}")
    found: list[dict[str, str]] = json.loads(result.stdout)["findings"]
    return found


def complaints(plant: Plant, findings: list[dict[str, str]], status: int) -> list[str]:
    """What is wrong with the gate's answer."""
    rows = {finding["row"] for finding in findings}
    failed = {finding["row"] for finding in findings if finding["status"] == "failed"}
    wanted = rows if plant.rows is None else set(plant.rows)
    surplus = {row for row in failed - wanted if not row.startswith(plant.may)}
    wrong = [f"not caught: {row}" for row in sorted(wanted - failed)]
    wrong += [f"falsely named: {row}" for row in sorted(surplus)]
    return wrong + ([f"exit {status}"] if status != bool(wanted) else [])


def required_engine(baseline: Path) -> str:
    return str(json.loads(baseline.read_text(encoding="utf-8"))["engine"])


def replay(plant: Plant, copies: Copies, baseline: Path) -> dict[str, Any]:
    """What the gate said: whether it was right, and its lines."""
    copy = copies.make(plant.fault)
    plant.spoil(copy)
    engine = ("--engine", required_engine(baseline)) if plant.rows is None else ()
    result = bench(copy, "check", baseline, "--json", *plant.options, *engine)
    findings = answer(result)
    said = [
        f"{finding['status']}: {finding['row']}: {finding['text']}"
        for finding in findings
        if plant.rows is not None and (finding["status"] == "failed" or finding["row"].startswith("speed: "))
    ] or [f"{len(findings)} rows failed, each: {findings[0]['text']}" for _ in range(plant.rows is None)]
    return {
        "name": plant.name,
        "what": plant.what,
        "wrong": complaints(plant, findings, result.returncode),
        "said": said,
    }


def slow_down(project: Path) -> None:
    """Plant a slow-down of 15 % in a copy of the example."""
    with (project / "totals.py").open("a", encoding="utf-8") as file:
        file.write(SLOWER)


def project_checks(engine: str, copies: Copies) -> Iterator[dict[str, Any]]:
    """The example, as it is and slowed down, by its speeds."""
    copy = copies.make()
    project = shutil.copytree(EXAMPLE, copy / "project")
    baseline, options = copy / "baseline.json", ("--rows", str(project / "rows.py"), "--engine", engine)
    if (taken := bench(copy, "baseline", baseline, *options)).returncode:
        raise SystemExit(taken.stderr)
    for what, wanted, times in (("as it is", set(), PASSES), ("15 % slower", {"speed: add_up_columns"}, CATCHES)):
        if wanted:
            slow_down(project)
        wrong, said = [], []
        for _ in range(times):
            findings = answer(bench(copy, "check", baseline, *options, *SPEEDS, "--json"))
            failed = {finding["row"] for finding in findings if finding["status"] == "failed"}
            wrong += [f"{', '.join(failed) or 'nothing'} failed"] if failed != wanted else []
            said += [f"{finding['status']}: {finding['row']}: {finding['text']}" for finding in findings[:1]]
        said.insert(0, f"right in {times - len(wrong)} of {times} checks")
        yield {"name": "project", "what": f"a project on {engine}, {what}", "wrong": wrong, "said": said}


def replays(names: list[str], copies: Copies, baseline: Path | None) -> Iterator[dict[str, Any]]:
    plants = [plant for plant in PLANTS if plant.name in names]
    copy = copies.make()
    check_processes(copy)
    if plants and baseline is None:
        baseline = copy / "baseline.json"
        if (taken := bench(copy, "baseline", baseline)).returncode:
            raise SystemExit(taken.stderr)
    for plant in plants:
        if baseline is not None and (plant.rows is not None or required_engine(baseline) != "gmp"):  # which always runs
            yield replay(plant, copies, baseline.resolve())
    if "project" in names:
        for engine in sorted({active_engine().name, "gmp"}):
            yield from project_checks(engine, copies)


def main() -> int:
    names = [*(plant.name for plant in PLANTS), "project"]
    parser = argparse.ArgumentParser(prog="make gate-regressions", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(names)} (default: all)")
    parser.add_argument("--baseline", type=Path, help="baseline of the unchanged code, taken on this machine")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write what the gate said as JSON")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    replayed = []
    with tempfile.TemporaryDirectory(prefix="vecphe-regressions-") as directory:
        for told in replays(arguments.names or names, Copies(Path(directory)), arguments.baseline):
            print(f"\n{told['what']}: {'; '.join(told['wrong']) or 'as it should be'}")
            print("\n".join(f"  {line}" for line in told["said"]), flush=True)
            replayed.append(told)
    if arguments.save:
        save_file(arguments.save, "vecphe-regressions", stamped(plants=replayed))
    right = sum(not told["wrong"] for told in replayed)
    print(f"\n{right} of {len(replayed)} as they should be")
    return 0 if right == len(replayed) else 1


if __name__ == "__main__":
    sys.exit(main())
