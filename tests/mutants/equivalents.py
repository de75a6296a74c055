"""Faults that no test can see, since the program does the same with them: `make mutants-random` passes them over.

Each is named by the function and by the changed line as it stands and as the fault has it, or by what such lines have
in common, and says why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from tests.mutants.operators import Change

__all__ = ["EQUIVALENTS", "KINDS", "Equivalent", "Kind", "is_equivalent"]


@dataclass(frozen=True)
class Equivalent:
    """One fault, and why nothing differs."""

    name: str
    before: str
    after: str
    reason: str

    @property
    def key(self) -> tuple[str, str, str]:
        """As `Change.key`."""
        return self.name, self.before, self.after


@dataclass(frozen=True)
class Kind:
    """Faults of one kind: what matches the pattern becomes one of `others`, which `re.Match.expand` reads."""

    pattern: str
    others: tuple[str, ...]
    reason: str

    def has(self, change: Change) -> bool:
        """Whether the fault is of this kind."""
        return any(
            change.before[: match.start()] + match.expand(other) + change.before[match.end() :] == change.after
            for match in re.finditer(self.pattern, change.before)
            for other in self.others
        )


@dataclass(frozen=True)
class Tuned:
    """Constants of which another value, up to four times as large or small, gives the same results."""

    module: str
    constant: str  # a pattern of what stands before the equals sign
    reason: ClassVar[str] = "only time and memory depend on it, and no test takes time"

    def has(self, change: Change) -> bool:
        """Whether the fault is such another value."""
        was, now = (_value(line, self.constant) for line in (change.before, change.after))
        return change.name.startswith(self.module) and bool(was and now) and 1 / 4 <= now / was <= 4


def _value(line: str, constant: str) -> float:
    """Of ``NAME = arithmetic``, which may be one argument of a call; 0 if it is something else."""
    match = re.fullmatch(rf"(?:{constant}) ?= ?([\d.<>*+-/() ]+?),?(?: #.*)?", line)
    return float(eval(match[1], {})) if match else 0.0


@dataclass(frozen=True)
class Sample:
    """Numbers that a self-test computes with."""

    function: str
    reason: ClassVar[str] = "with other numbers it passes on what is right as well, or never, which every test sees"

    def has(self, change: Change) -> bool:
        """Whether the fault is another number in it."""
        return change.name == self.function and re.fullmatch(rb"\(?-?\d+\)?", change.new) is not None


@dataclass(frozen=True)
class Within:
    """Whatever changes in the lines of a function that match a pattern."""

    function: str
    lines: str
    reason: str

    def has(self, change: Change) -> bool:
        """Whether the fault is in one of them."""
        return change.name == self.function and re.fullmatch(self.lines, change.before) is not None


@dataclass(frozen=True)
class Drawn:
    """How thick a line, how long its dashes and how large a text of a picture is."""

    module: str
    reason: ClassVar[str] = "a matter of taste: the picture says the same"

    def has(self, change: Change) -> bool:
        """Whether nothing else differs, and it can be seen."""
        is_seen = change.new not in (b"(0)", b"0", b"0.0")
        return is_seen and change.name.startswith(self.module) and _undrawn(change.before) == _undrawn(change.after)


_TASTE = re.compile(r",?(linewidth|fontsize)[=:]\(?-?[\d.]+\)?|\(\(?-?\d+\)?,\([-\d,()]+\)\)")


def _undrawn(line: str) -> str:
    return _TASTE.sub("", re.sub(r"[\s'\"]", "", line))


KINDS: list[Kind | Tuned | Sample | Within | Drawn] = [
    Drawn("vecphe.cli.learning"),
    Within("vecphe.bench.plots", r'"(lightphe|tenseal)": .*', "how long dashes are; that they differ is tested"),
    Within(
        "vecphe.bench.counts._counted_functions",
        r'ring = engine\.ring\(15\).*|"fixed_base": type\(.*|"decryptor": type\(.*',
        "it is the classes that matter, which are the same for all numbers",
    ),
    Within(
        "vecphe.arithmetic.gmp._compact",
        r"if len\(values\) < _COMPACT_FROM:|held = .*|del held",
        "which numbers are copied, and beside how many others, decides about memory alone",
    ),
    Kind(r"\.astype\((.*?), copy=False\)", (r".astype(\1)", r".astype(\1, copy=True)"), "a copy holds the same"),
    Within(
        "vecphe.plaintext.packing.SlotLayout.pack",
        "if rows <= step:",
        "in one block or in several, the words are the same",
    ),
    Kind(
        r"\bparts\[0\] if len\(parts\) == 1", (r"parts[(-1)] if len(parts) == 1",), "of one part the first is the last"
    ),
    Kind(r"np\.load\((.*), allow_pickle=False\)", (r"np.load(\1)",), "that is what numpy does by default"),
    Tuned(
        "vecphe.arithmetic.cuda",
        "_GROUPS_TO_FILL|_MOST_DECRYPTED|carry_products|entry_cost|min_window|max_window|table_memory",
    ),
    Tuned("vecphe.arithmetic.", "(?:encrypt|decrypt|multiply)_task|carry_products"),
    Within("vecphe.arithmetic.native", r'"(?:fma\d+|neon)": replace\(.*', Tuned.reason),
    Tuned("vecphe.arithmetic.cuda_kernels", "_MOST_SCRATCH"),
    Tuned("vecphe.arithmetic.race", "_PRODUCTS"),
    Tuned("vecphe.arithmetic.gmp", "_COMPACT_FROM|_MOST_BITS_AT_ONCE|_MOST_SECRET_WORK|_ROWS_OUTSIDE_FROM"),
    Tuned("vecphe.arithmetic.words", "_IN_THREADS_FROM|_THREADS"),
    Tuned("vecphe.array.powers", "_MOST_POWERS"),
    Tuned("vecphe.flower.simulation", "_START"),
    Tuned("vecphe.data.csv_records", "_WIDE"),
    Tuned("vecphe.federated.scaling", "_CHUNK"),
    Tuned("vecphe.plaintext.encoding", "_CHUNK"),
    Tuned("vecphe.plaintext.packing", "_BITS_AT_ONCE"),
    Tuned("vecphe.randomness.randomizers", "_MOST_TABLE_BYTES"),
    Tuned("vecphe.serialization.frames", "_MOST_AT_ONCE"),
    Tuned("vecphe.serialization.stream", "_LEAST_HEADER|_READ_BYTES"),
    Tuned("vecphe.system.files", "_PART_BYTES"),
    Tuned("vecphe.system.memory", "_SMALL"),
    Tuned("vecphe.system.lifetime", "_SECONDS_BETWEEN_LOOKS"),
    Tuned("vecphe.system.parallel", "_SECONDS_BETWEEN_LOOKS|_TASKS_A_JOB|_LARGEST_TASK"),
    *(
        Within(module, f"{constant} = .*", "how long is waited, and how often looked, decides about time alone")
        for module, constant in (
            ("vecphe.arithmetic.race", "_SECONDS"),
            ("vecphe.randomness.ready", "_SECONDS_BETWEEN_LOOKS"),
            ("vecphe.system.clusters", r"_SECONDS_\w+"),
            ("vecphe.system.lifetime", "_SECONDS_BETWEEN_LOOKS"),
            ("vecphe.system.parallel", "_SECONDS_BETWEEN_LOOKS"),
        )
    ),
    Tuned("vecphe.arithmetic.", "entry_cost|full_batch"),
    Tuned("vecphe.arithmetic.engine.Tuning", "full_batch: int|table_memory: int"),
    Tuned("vecphe.array.data", "_BYTES_AT_ONCE"),
    Tuned("vecphe.cli.bench_run", "_REPORT_SECONDS"),
    Tuned("vecphe.cli.over_flower", "_START_SECONDS"),
    Tuned("vecphe.cli.table", "_AT_ONCE"),
    Tuned("vecphe.keys.public_key", "_CIPHERTEXTS_AT_ONCE"),
    Tuned("vecphe.randomness.ready", "_LANES"),
    *(
        Within(module, lines, Sample.reason)
        for module, lines in (
            ("vecphe.arithmetic.native", "_TESTED_LIMBS = .*"),
            ("vecphe.arithmetic.cuda", "_ALL_DIGITS = .*"),
        )
    ),
    Within(
        "vecphe.array.encrypted_array.EncryptedArray",
        "__pandas_priority__ = .*",
        "a DataFrame has 4000, and none of its kind more",
    ),
    Kind(
        r"% FRACTION_STEP or not 0 <= ",
        ("% FRACTION_STEP or not (-1) <= ",),
        "-1 is no multiple of 4, which is asked first",
    ),
    Kind(
        r"\bparts\[0\] if len\(parts\) == 1 else (.*)",
        (r"parts[0] if len(parts) == 0 else \1", r"(parts[0] if False else \1)"),
        "of one part the whole is made as of several",
    ),
    Sample("vecphe.arithmetic.cuda._known_answer"),
    Sample("vecphe.arithmetic.native._known_answer"),
    Sample("vecphe.arithmetic.selection._small_key_answers"),
    Kind(
        r"@lru_cache\(maxsize=(\d+)\)",
        tuple(
            f"@lru_cache({size})" for size in ("", *(f"maxsize={2**i + more}" for i in range(11) for more in (-1, 1)))
        ),
        "what is not remembered is computed again, to the same result",
    ),
    Kind(
        r"\.reshape\((.*?)-1(?=[,)])",
        (r".reshape(\1-2",),
        "numpy takes any negative length, of which there may be one, for the length that is left",
    ),
    Kind(
        r'np\.frombuffer\((.*?), dtype="<f8"\)',
        (r"np.frombuffer(\1)",),
        "that is what numpy does by default on all machines that are supported: their floats are little-endian",
    ),
    Kind(
        r"\bzip\((.*?), strict=True\)",
        (r"zip(\1, strict=False)", r"zip(\1)"),
        "lengths are compared before, or are equal by what was made: the program checks itself",
    ),
    Kind(r"\bzip\((.*?), strict=False\)", (r"zip(\1)",), "that is what zip does by default"),
    Kind(
        r"\bexponents\[:, 0\]",
        ("exponents[:, (-1)]",),
        "the exponents of a self-test have one word: its column is the first and the last",
    ),
]

_FLOAT_SAFE = "_FLOAT_SAFE = 2.0**53 # below it every integer is a float"
_SLOW_WAY = "smaller, the bound sends more floats the exact way, which gives the same of them, only slower"

EQUIVALENTS: list[Equivalent] = [
    Equivalent("vecphe.plaintext.encoding", _FLOAT_SAFE, _FLOAT_SAFE.replace(old, new), _SLOW_WAY)
    for old, new in (("2.0**53", "2.0**52"), ("2.0**53", "1.0**53"), ("2.0**53", "(2.0 * 53)"))
]
_PRIVATE = "@dataclass(frozen=True, slots=True, repr=False)"
EQUIVALENTS += [
    Equivalent(
        "vecphe.numbers.key_numbers.PrivateNumbers",
        _PRIVATE,
        after,
        "the class defines __repr__, which a dataclass keeps",
    )
    for after in (_PRIVATE.replace(", repr=False", ""), _PRIVATE.replace("repr=False", "repr=True"))
]

EQUIVALENTS += [
    Equivalent(
        "vecphe.federated.rounds.Ledger._record",
        "number = contributions[0].round",
        "number = contributions[(-1)].round",
        "distinct_contributions has refused a sum of several rounds",
    ),
    *(
        Equivalent(
            "vecphe.phe.encoded._rounded", "if exponent <= 0:", after, "at exponent 0 both sides are multiplied by 1"
        )
        for after in ("if (exponent < 0):", "if exponent <= (-1):")
    ),
]


def is_equivalent(change: Change) -> bool:
    """Whether a fault is listed, or of a kind that is."""
    return any(known.key == change.key for known in EQUIVALENTS) or any(kind.has(change) for kind in KINDS)


_LOGS = "logs, sums = kernels.device.allocate(count * 2 * k), kernels.device.allocate(count * 2 * k)"
EQUIVALENTS += [
    Equivalent(
        "vecphe.arithmetic.cuda.CudaDecryptor._decrypted",
        _LOGS,
        after,
        "more room than is used, and overwritten likewise",
    )
    for after in (_LOGS.replace("2 * k", "3 * k", 1), "3 * k".join(_LOGS.rsplit("2 * k", 1)))
]
EQUIVALENTS += [
    *(
        Equivalent("vecphe.plaintext.packing._sign_extended", "if missing > 0:", after, "of no words nothing is put on")
        for after in ("if (missing >= 0):", "if missing > (-1):")
    ),
    *(
        Equivalent(
            "vecphe.bench.ratio_rows._phe_encryption",
            "return partial(phe.PaillierPublicKey(m.n).encrypt, 0.7071067811865476)",
            f"return partial(phe.PaillierPublicKey(m.n).encrypt, {other})",
            "phe encrypts any fraction of full length in the same time",
        )
        for other in ("1.7071067811865475", "(-0.2928932188134524)")
    ),
    Equivalent(
        "vecphe.bench.runner._Planned.warms_up",
        "return self.estimate < _WARM_UP_SECONDS",
        "return (self.estimate <= _WARM_UP_SECONDS)",
        "no measured time is the bound to the last bit",
    ),
]
_OF_ALL = "of a federated run all parties have one scaling"
_OF_ONE = "who trains alone has one scaling"
EQUIVALENTS += [
    *(
        Equivalent(
            "vecphe.cli.comparison.Comparison.curves", before, before.replace("scalings[0]", "scalings[(-1)]"), reason
        )
        for before, reason in (
            ('lines["federated"] = self.longest.history, self.longest.scalings[0]', _OF_ALL),
            ("name: (result.history[:, 0], result.scalings[0])", _OF_ONE),
        )
    ),
]

_CAPPED = "if not is_loop(name) or (seconds := self._estimate(name, costs, case)) <= cap:"
_CAPPED_CLIENTS = "if (seconds := self._estimate(name, costs, case)) > cap:"
EQUIVALENTS += [
    Equivalent(
        "vecphe.bench.runner.Runner._capped", before, after, "of what takes just the cap, its share of it is all"
    )
    for before, after in (
        (_CAPPED, "if not is_loop(name) or ((seconds := self._estimate(name, costs, case)) < cap):"),
        (_CAPPED_CLIENTS, "if ((seconds := self._estimate(name, costs, case)) >= cap):"),
    )
]
_SLOWER = 'if verdict_of(1 / high, 1 / low, _LEAST_CHANGE) == "failed":'
_DRIFTED = "if drifts and abs(median := statistics.median(drifts) - 1) > _LEAST_CHANGE:"
EQUIVALENTS += [
    Equivalent(
        "vecphe.bench.compare._verdict",
        _SLOWER,
        _SLOWER.replace("1 / high", "0 / high"),
        "where the upper end has failed the lower one, which is below it, cannot have held",
    ),
    Equivalent(
        "vecphe.bench.compare.differences",
        _DRIFTED,
        "if drifts and (abs((median := (statistics.median(drifts) - 1))) >= _LEAST_CHANGE):",
        "no number less 1 is the bound to the last bit",
    ),
]
_DECIDED = "ledger.decide(chunks[0], len(roster.members))"
EQUIVALENTS += [
    Equivalent(
        "vecphe.flower.holder.open_sum",
        _DECIDED,
        _DECIDED.replace("[0]", "[(-1)]"),
        "all chunks have been found to be of the same contributions",
    ),
]
_BEST = (
    "best = max(ours, key=lambda record: (record.case.clients * record.case.values, record.case, record.speed_up or 0))"
)
EQUIVALENTS += [
    Equivalent(
        "vecphe.bench.tables.times",
        'return f"{ratio:.3g}x" if ratio < 999.5 else f"{ratio:.0f}x"',
        'return f"{ratio:.3g}x" if ratio < 998.5 else f"{ratio:.0f}x"',
        "between the two bounds three digits are all there are before the point",
    ),
    Equivalent(
        "vecphe.bench.tables._figure",
        "if rounded < 10**digits:",
        "if rounded < 9**digits:",
        "between the two bounds so many digits are all there are before the point",
    ),
    Equivalent(
        "vecphe.bench.tables.sentence",
        _BEST,
        _BEST.replace("or 0)", "or (-1))"),
        "every speed-up that is known is above 0",
    ),
]
_EMPTY = "cells = sheet.numbers(names) if names else Cells(np.zeros((0, 0)), np.zeros((0, 0), np.uint8))"
_CALLS = "within = int(_FEWEST * _SAMPLE_SECONDS / _seconds(partial(keys[0]._source.draw, _FEWEST), 3))"
_FLAGS = 'flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()'
EQUIVALENTS += [
    *(
        Equivalent(
            "vecphe.data.parts.part_of",
            _EMPTY,
            _EMPTY.replace("(0, 0)", "|", 2).replace("|", first, 1).replace("|", second),
            "without columns of numbers no row or column of them is asked for",
        )
        for first, second in (("(1, 0)", "(0, 0)"), ("(0, 1)", "(0, 0)"), ("(0, 0)", "(1, 0)"), ("(0, 0)", "(0, 1)"))
    ),
    *(
        Equivalent(
            "vecphe.bench.estimate.calibrate",
            _CALLS,
            _CALLS.replace("3))", f"{times}))"),
            "how often something is timed decides about chance alone",
        )
        for times in (2, 4)
    ),
    Equivalent(
        "vecphe.arithmetic.selection._has_fast_target",
        _FLAGS,
        """flags = Path('/proc/cpuinfo').read_text(errors='replace').split()""",
        "names of flags are ASCII, and whatever else stands there is replaced",
    ),
]

_QUICK = "return values if np.isfinite(values).all() and not _are_tiny(cells, values).any() else None"
_WIDTHS = "if not 0 < width <= _WIDE: # pyarrow takes no empty text"
_EACH = "return tuple(dict.fromkeys(name.strip(SPACES) for name in apart))"
_NAMES = "self.name, self.names, self.notes, self.marks = name, tuple(columns), notes, marks"
_THREADS = "table = file.read(use_threads=False)"
_EPOCH = 'return pa.array(np.where(np.isnat(column), np.datetime64("NaT", "s"), np.datetime64(0, "s")))'
_FAST = "if not any(column.levels for column in columns):"
_FAULTY = "return [name for name in names if name in self.labels or any_fault[self.row_of[name]]]"
_HALVES = "_HALF = 26 # bits of the lower half of a mantissa of 53"
_ENGINE = "engine_for(1, self.engine) # raises for one that does not run"
_PREPARED = "server.pubkey.prepare(len(clients) * options.n_iter, clients[0].weights.size + (options.tol is not None))"
_RULES = "rules = RingRound(_run_of(clients), clients[0].round if clients else 0, names)"
_REALS = "if isinstance(scalar, np.floating) and scalar.dtype.itemsize <= 8:"
_QUOTED = "if b'\"' in body: # pyarrow takes some that do not pair, and counts rows"
_SLOWLY = "the slow way reads what the quick one does, and all else too"
_ONE_LENGTH = "the columns of a file have one length"
EQUIVALENTS += [
    Equivalent("vecphe.data.cells.numbers_of", 'if marks.decimal == ".":', "if False:", _SLOWLY),
    Equivalent("vecphe.data.cells.numbers_of", "if values is not None:", "if False:", _SLOWLY),
    Equivalent("vecphe.data.cells._quickly", _QUICK, "return None", _SLOWLY),
    Equivalent("vecphe.data.cells._quickly", _QUICK, "return (values if False else None)", _SLOWLY),
    Equivalent("vecphe.data.tables._features", _FAST, "if False:", _SLOWLY),
    Equivalent(
        "vecphe.data.parts.Part.faulty",
        _FAULTY,
        "return [name for name in names]",
        "those without a fault are looked at again by all who ask",
    ),
    Equivalent(
        "vecphe.data.parts.part_of",
        "names = [name for name in wanted if name not in labelled]",
        "names = [name for name in wanted]",
        "nobody asks for the numbers of labels",
    ),
    *(
        Equivalent("vecphe.data.csv_records.read_records", _WIDTHS, after, "wide rows are read as narrow ones")
        for after in (
            "if not (0 < width < _WIDE): # pyarrow takes no empty text",
            "if not 1 < width <= _WIDE: # pyarrow takes no empty text",
        )
    ),
    Equivalent(
        "vecphe.data.csv_records.read_records",
        "total = len(columns[0]) + len(ragged)",
        "total = len(columns[(-1)]) + len(ragged)",
        _ONE_LENGTH,
    ),
    Equivalent(
        "vecphe.data.sheets._typed",
        "if not places_of or not len(columns[0]):",
        "if not places_of or not len(columns[(-1)]):",
        _ONE_LENGTH,
    ),
    Equivalent(
        "vecphe.data.sheets.Sheet.__init__",
        _NAMES,
        _NAMES.replace("tuple(columns)", "(columns)"),
        "names are gone through and looked up, which a dictionary can be as well",
    ),
    *(
        Equivalent("vecphe.data.sheets._parquet", _THREADS, after, "threads read the same table")
        for after in ("table = file.read()", "table = file.read(use_threads=True)")
    ),
    *(
        Equivalent(
            "vecphe.data.sheets._arrow",
            _EPOCH,
            _EPOCH.replace("(0", f"({other}"),
            "that it is a time is all that counts, and which one is nothing",
        )
        for other in ("(-1)", "1")
    ),
    Equivalent(
        "vecphe.data.tables.read_table",
        "if options.target in parts[0].labels:",
        "if options.target in parts[(-1)].labels:",
        "the target is of labels in all files or in none",
    ),
    Equivalent(
        "vecphe.data.tables._resolved.each",
        _EACH,
        "return (dict.fromkeys((name.strip(SPACES) for name in apart)))",
        "such names are gone through and looked up, which a dictionary can be as well",
    ),
    Equivalent("vecphe.data.faults._way_of_marks", 'return ""', "return None", "both are no way, and neither is shown"),
    Equivalent(
        "vecphe.data.text.utf8_of",
        "return data if plain else text.encode()",
        "return (data if False else text.encode())",
        "the data are that text",
    ),
    *(
        Equivalent(
            "vecphe.federated.parties.Party.expect",
            "self._encryptor.make_ready(0, 0)",
            f"self._encryptor.make_ready(0, {length})",
            "for no vectors none is made, however long they are",
        )
        for length in ("(-1)", "1")
    ),
    *(
        Equivalent(
            "vecphe.federated.scaling",
            _HALVES,
            _HALVES.replace("26", bits),
            "a mantissa that is cut elsewhere near its middle has the same sums, as exactly",
        )
        for bits in ("25", "27")
    ),
    *(
        Equivalent(
            "vecphe.federated.protocol.ProtocolConfig.__post_init__",
            _ENGINE,
            _ENGINE.replace("1", bits, 1),
            "whether an engine runs does not depend on the length of the key",
        )
        for bits in ("0", "2")
    ),
    Equivalent(
        "vecphe.federated.protocol.federated_learning",
        _PREPARED,
        _PREPARED.replace("clients[0]", "clients[(-1)]"),
        "the rows of all clients have as many features",
    ),
    *(
        Equivalent(
            "vecphe.federated.ring.ring_pass",
            _RULES,
            _RULES.replace("else 0", f"else {number}"),
            "a ring without clients is refused, whatever its round",
        )
        for number in ("(-1)", "1")
    ),
    *(
        Equivalent(
            "vecphe.phe.encoded._plain_scalar",
            _REALS,
            after,
            "a float64 of numpy is one of Python, and no type has 9 bytes",
        )
        for after in (
            _REALS.replace("scalar.dtype.itemsize <= 8", "(scalar.dtype.itemsize < 8)"),
            _REALS.replace("<= 8", "<= 7"),
            _REALS.replace("<= 8", "<= 9"),
        )
    ),
    Equivalent(
        "vecphe.data.faults.check_numbers",
        "if not part.faults(name).any():",
        "if False:",
        "of no fault nothing is told",
    ),
    Equivalent("vecphe.data.csv_records.read_records", _QUOTED, _QUOTED.replace("b'\"' in body", "True"), _SLOWLY),
    Equivalent(
        "vecphe.federated.trained._linear",
        "shape = (n_scores,) if n_scores > 1 else ()",
        "shape = (n_scores,) if n_scores > 2 else ()",
        "there is one score, or three and more: two classes have one",
    ),
    Equivalent(
        "vecphe.federated.data.get_data",
        "n_rows -= n_rows % n_clients if 0 < n_clients <= n_rows else 0",
        "n_rows -= n_rows % n_clients if 1 < n_clients <= n_rows else 0",
        "of one client nothing is left over",
    ),
]

_FINER = "if fields.packed and (finer < 0 or (finer and fields.integer)):"
EQUIVALENTS += [
    Equivalent(
        "vecphe.serialization.fields._check_scale",
        _FINER,
        _FINER.replace("< 0", "< (-1)"),
        "both scales are multiples of 4, and so is their difference",
    ),
]
EQUIVALENTS += [
    Equivalent(
        "vecphe.serialization.frame_with_columns",
        "fields = replace(array_from_body(frame.fingerprint, frame.body), columns=tuple(columns))",
        "fields = replace(array_from_body(frame.fingerprint, frame.body), columns=(columns))",
        "names are written the same from a list",
    ),
]
_LOWEST = "lowest = integers & -integers"
EQUIVALENTS += [
    Equivalent(
        "vecphe.plaintext.encoding.exact_fraction_bits",
        _LOWEST,
        "lowest = (integers | -integers)",
        "it is the lowest one with the other sign, which has the same exponent",
    ),
    Equivalent(
        "vecphe.system.files",
        '_CLOSED_IN_CHILDREN = getattr(os, "O_CLOEXEC", 0)',
        '_CLOSED_IN_CHILDREN = getattr(os, "O_CLOEXEC", 1)',
        "where there is no such flag, files are opened with this one for writing alone",
    ),
    *(
        Equivalent(
            "vecphe.system.forks",
            "_generation = 0",
            f"_generation = {other}",
            "that a child has another is what counts",
        )
        for other in (1, "(-1)")
    ),
]
_ERROR_OF = "float(figures[self.error] or 0.0)"
_CHANGE = f"error, other = (max({_ERROR_OF}, self.least) for figures in (self.federated, before))"
EQUIVALENTS += [
    Equivalent(
        "vecphe.cli.outcome.Outcome._change",
        _CHANGE,
        _CHANGE.replace("figures[self.error] or 0.0", other),
        "a federated model has an error, and one of 0 counts as the least",
    )
    for other in ("(figures[self.error])", "figures[self.error] or (-1.0)")
]
_REGULAR = "_LEAST_REGULAR = 32 # the library's own primes: 3 mod 4 with two top bits set, of which short ones are few"
_SAME_WAY = "where both are alike, the general way gives the same"
_ODD = "if not 8 < self.n < 1 << GREATEST_KEY_LENGTH or self.n % 2 == 0:"
EQUIVALENTS += [
    *(
        Equivalent("vecphe.phe.public._Context.numbers", _ODD, after, "even numbers are refused anyway")
        for after in (
            _ODD.replace("8 <", "7 <"),
            "if not (8 <= self.n < 1 << GREATEST_KEY_LENGTH) or self.n % 2 == 0:",
            "if not (8 < self.n <= 1 << GREATEST_KEY_LENGTH) or self.n % 2 == 0:",
        )
    ),
    Equivalent(
        "vecphe.phe.public",
        'Copied = TypeVar("Copied", bound="PaillierPublicKey | EncryptedNumber")',
        "Copied = TypeVar('Copied')",
        "the bound is for type checkers",
    ),
    Equivalent(
        "vecphe.phe.public.PaillierPublicKey._exact",
        "power = max(-least, greatest, int(UNPACKED.max_abs) - 1).bit_length()",
        "power = max(-least, greatest, int(UNPACKED.max_abs) - 2).bit_length()",
        "both numbers have 64 bits",
    ),
    Equivalent(
        "vecphe.phe.public.EncryptedNumber._plus",
        "if base != encoded.BASE or self.exponent != encoded.exponent:",
        "if True:",
        _SAME_WAY,
    ),
    Equivalent(
        "vecphe.phe.public.EncryptedNumber._plus", "if self.exponent != lower:", "if True:", "a power of 1 is the same"
    ),
    *(
        Equivalent("vecphe.phe.public.EncryptedNumber._add_encrypted", before, after, reason)
        for before, after, reason in (
            ("if base != other._base or lower != other.exponent:", "if True:", _SAME_WAY),
            ("if right._context is not key._context:", "if True:", "of the same context a number is taken as it is"),
            (
                "if other.public_key is not key and other.public_key != key:",
                "if (other.public_key != key):",
                "a key is equal to itself",
            ),
        )
    ),
    Equivalent(
        "vecphe.phe.public.EncryptedNumber.__mul__",
        "return EncryptedNumber._of(self.public_key, residue, exponent, self._base if base is None else base)",
        "return EncryptedNumber._of(self.public_key, residue, exponent, (self._base if False else base))",
        "it is None where none is known, or where the exponent is 0 and a base says nothing",
    ),
    Equivalent(
        "vecphe.phe.command_line._write_private",
        'with open(descriptor, "w", encoding="ascii") as file:',
        "with open(descriptor, 'w') as file:",
        "the JSON of a key is ASCII, which all encodings of a system hold",
    ),
    Equivalent(
        "vecphe.serialization.fields.Number.of",
        "zeros = max((mantissa & -mantissa).bit_length() - 1, 0)",
        "zeros = max(((mantissa | -mantissa)).bit_length() - 1, 0)",
        "it is the lowest one with the other sign, which is as long",
    ),
    *(
        Equivalent(
            "vecphe.serialization.fields._format",
            "format = Format(encoding, fields.scale, 0, layout, fields.integer, fields.terms, fields.divisor)",
            f"format = Format(encoding, fields.scale, {bound}, layout, fields.integer, fields.terms, fields.divisor)",
            "the bound is replaced by that of the fields",
        )
        for bound in ("(-1)", "1")
    ),
    Equivalent(
        "vecphe.serialization.text._columns",
        'return tuple(_data(value, "columns", sys.maxsize).decode().split("\\n"))',
        "return (_data(value, 'columns', sys.maxsize).decode().split('\\n'))",
        "names are written the same from a list",
    ),
    Equivalent(
        "vecphe.serialization.stream.ArrayStream._read_header",
        "wanted = 2 * len(held) # so that all tries together cost no more than the last",
        "wanted = 3 * len(held) # so that all tries together cost no more than the last",
        "how much more is waited for decides about time alone",
    ),
    Equivalent(
        "vecphe.keys.chunks.EncryptedChunks.iter_bytes",
        "self._next = max(self._end, 1)",
        "self._next = max(self._end, 2)",
        "what is behind the end is behind it by one or two",
    ),
    Equivalent(
        "vecphe.keys.public_key.PublicKey.encrypt_many",
        "taken.clear()",
        "pass",
        "the arrays are in the row; it decides about memory alone",
    ),
    *(
        Equivalent(
            "vecphe.keys.public_key.PublicKey.from_ciphertexts",
            "slots = slots_for(packed, (1,) if shape is None else shape)",
            f"slots = slots_for(packed, ({count},) if shape is None else shape)",
            "how many rows there are says nothing of how long each is",
        )
        for count in (0, 2)
    ),
    Equivalent(
        "vecphe.phe.key_generation",
        _REGULAR,
        _REGULAR.replace("32", "31"),
        "31 is odd, and primes for odd lengths are searched for anyway",
    ),
]
