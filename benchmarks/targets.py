"""The speed targets of the project, measured against phe's loop: ``make bench``.

Prints one line a target with what was measured, and exits with status 1 if one was missed. ``--readme FILE`` writes
the table between the markers of a Markdown file as well.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import phe

import vecphe
from benchmarks.measure import Comparison, compare, compare_times, machine
from vecphe.federated import NaiveBackend, federated_learning, get_data


@dataclass(frozen=True)
class Line:
    """One measured target; `at_most` where smaller is better."""

    name: str
    measured: float
    target: float
    unit: str
    detail: str
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.measured <= self.target if self.at_most else self.measured >= self.target

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        verdict = "met" if self.met else "MISSED"
        return (
            f"{self.name:<52} {self.measured:8.3g} {self.unit:<2} {sign} {self.target:<5g} {verdict:<7} {self.detail}"
        )

    def markdown(self) -> str:
        sign = "<=" if self.at_most else ">="
        verdict = "" if self.met else " (missed)"
        return f"| {self.name} | {self.measured:.3g} {self.unit} | {sign} {self.target:g}{verdict} | {self.detail} |"


def against_phe(name: str, comparison: Comparison, target: float) -> Line:
    detail = f"{comparison.ours * 1e6:.4g} us against {comparison.theirs * 1e6:.4g} us"
    return Line(name, comparison.ratio, target, "x", detail)


def operations() -> Iterator[Line]:
    """Encrypting, adding and decrypting at 2048 bits, per ciphertext."""
    public_key, private_key = vecphe.generate_keypair(2048)
    phe_public = phe.PaillierPublicKey(public_key.n)
    phe_private = phe.PaillierPrivateKey(phe_public, private_key.p, private_key.q)
    x = np.random.default_rng(1).normal(size=256)
    few = x[:8].tolist()
    public_key.prepare(4096)
    c, d = public_key.encrypt(x), public_key.encrypt(x[::-1])
    numbers = [phe_public.encrypt(value, precision=2.0**-112) for value in few]
    assert private_key.decrypt(c + d).tolist() == (x + x[::-1]).tolist()
    assert [phe_private.decrypt(a + b) for a, b in zip(numbers, numbers, strict=True)] == [2 * v for v in few]

    encrypt = compare(lambda: public_key.encrypt(x), lambda: [phe_public.encrypt(v) for v in few], items=(256, 8))
    yield against_phe("encrypt 256 values unpacked, 2048 bits", encrypt, 17)
    add = compare(
        lambda: c + d, lambda: [a + b for a, b in zip(numbers * 32, numbers * 32, strict=True)], items=(256, 256)
    )
    yield against_phe("add 256 ciphertexts, equal exponents", add, 1)
    part = c[:16]
    decrypt = compare(
        lambda: private_key.decrypt(part), lambda: [phe_private.decrypt(v) for v in numbers], items=(16, 8)
    )
    yield against_phe("decrypt (powmod_sec), 2048 bits", decrypt, 0.7)


def first_encryption() -> Iterator[Line]:
    """The very first encryption under a new key, tables and all: parity, 5 % of noise allowed."""
    times = []
    for _ in range(7):
        public_key, _ = vecphe.generate_keypair(2048)
        phe_public = phe.PaillierPublicKey(public_key.n)
        times.append((_once(lambda key=public_key: key.encrypt(1.5)), _once(lambda key=phe_public: key.encrypt(1.5))))  # type: ignore[misc]
    yield against_phe("first encryption under a new key, 2048 bits", compare_times(times), 0.95)


def _once(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def keygen() -> Iterator[Line]:
    median = statistics.median(_once(lambda: vecphe.generate_keypair(2048)) for _ in range(20))
    yield Line("key generation, 2048 bits, median of 20", median, 1, "s", "", at_most=True)


def protocol(key_length: int, target: float) -> Iterator[Line]:
    """A whole run of 5 clients, without making keys and tables, per iteration."""
    data = get_data(5)
    naive_iterations = 4 if key_length == 1024 else 2

    def run(backend: object, iterations: int) -> tuple[float, float, np.ndarray]:
        config = {"n_clients": 5, "key_length": key_length, "n_iter": iterations, "backend": backend, "insecure": True}
        result = federated_learning(*data, config)
        rest = sum(value for phase, value in result.seconds.items() if phase not in ("keygen", "setup"))
        return rest / iterations, result.seconds["setup"], result.history[naive_iterations - 1]

    times, setups = [], []
    for _ in range(5):
        ours, setup, weights = run("packed", 50)
        theirs, _, expected = run(NaiveBackend(phe), naive_iterations)
        np.testing.assert_allclose(weights, expected, rtol=1e-9)
        times.append((ours, theirs))
        setups.append(setup)
    yield against_phe(f"protocol, 5 clients, packed, {key_length} bits", compare_times(times), target)
    if key_length == 2048:
        yield Line("protocol set-up, 2048 bits", statistics.median(setups), 0.25, "s", "", at_most=True)


def jobs() -> Iterator[Line]:
    """Two processes against one, with the pool already running."""
    public_key, private_key = vecphe.generate_keypair(2048)
    x = np.random.default_rng(2).normal(size=4096)
    assert private_key.decrypt(public_key.encrypt(x, n_jobs=2)[:32]).tolist() == x[:32].tolist()
    comparison = compare(
        lambda: public_key.encrypt(x, n_jobs=2), lambda: public_key.encrypt(x, n_jobs=1), items=(4096, 4096), pairs=3
    )
    detail = f"{comparison.ours * 4096:.3g} s against {comparison.theirs * 4096:.3g} s"
    yield Line("encrypt 4096 values with n_jobs=2 against 1", comparison.ratio, 1.7, "x", detail)


MARKERS = ("<!-- targets -->", "<!-- end of targets -->")

GROUPS: dict[str, Callable[[], Iterator[Line]]] = {
    "operations": operations,
    "first": first_encryption,
    "keygen": keygen,
    "protocol-1024": lambda: protocol(1024, 40),
    "protocol-2048": lambda: protocol(2048, 70),
    "jobs": jobs,
}


def write_table(path: Path, lines: list[Line]) -> None:
    """Replace what stands between the markers of a Markdown file."""
    head, rest = path.read_text(encoding="utf-8").split(MARKERS[0])
    tail = rest.split(MARKERS[1])[1]
    table = "\n".join(
        [
            f"Measured by `make bench` on {datetime.date.today()}: {machine()}.\n",
            "| what | measured | target | per item, vecphe against phe |",
            "|---|---|---|---|",
            *(line.markdown() for line in lines),
        ]
    )
    path.write_text(f"{head}{MARKERS[0]}\n{table}\n{MARKERS[1]}{tail}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"which of {', '.join(GROUPS)} (default: all)")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write the table into this file as well")
    arguments = parser.parse_args()
    wanted = arguments.groups or list(GROUPS)
    if unknown := set(wanted) - set(GROUPS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore", vecphe.InsecureKeyWarning)
    print(machine(), flush=True)
    lines = []
    for name in wanted:
        for line in GROUPS[name]():
            print(line, flush=True)
            lines.append(line)
    if arguments.readme:
        write_table(arguments.readme, lines)
    missed = [line.name for line in lines if not line.met]
    if missed:
        print(f"{len(missed)} of {len(lines)} targets missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
