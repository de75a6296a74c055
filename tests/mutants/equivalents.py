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
    """Faults of one kind: what matches the pattern becomes one of `others`, which `re.Match.expand` reads.

    Those in functions whose name matches `but_in` are none.
    """

    pattern: str
    others: tuple[str, ...]
    reason: str
    but_in: str = " "

    def has(self, change: Change) -> bool:
        """Whether the fault is of this kind."""
        return not re.fullmatch(self.but_in, change.name) and any(
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
            ("vecphe.system.clusters", r"_SECONDS_\w+"),
            ("vecphe.system.parallel", "_SECONDS_BETWEEN_LOOKS"),
        )
    ),
    Kind(
        r"_SECONDS_BETWEEN_LOOKS = 0\.05",
        ("_SECONDS_BETWEEN_LOOKS = 1.05",),
        "how long is slept between two looks decides about time alone",
    ),
    Tuned("vecphe.arithmetic.", "entry_cost|full_batch"),
    Tuned("vecphe.arithmetic.engine.Tuning", "full_batch: int|table_memory: int"),
    Tuned("vecphe.array.data", "_BYTES_AT_ONCE"),
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
    *(
        Within(f"vecphe.arithmetic.{module}._known_answer", lines, Sample.reason)
        for module, lines in (
            ("cuda", r"values = \[.*"),
            ("native", r"x, y = .*|batch = ring\.load\(.*"),
        )
    ),
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
        r"vecphe\.arithmetic\.gmp\.GmpRing\.(multiply|multiply_plain|power_vartime|power_secret)",  # it checks callers
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
EQUIVALENTS += [
    *(
        Equivalent(
            "vecphe.cli.comparison.Comparison.curves",
            "name: (result.history[:, 0], result.scalings[0])",
            f"name: (result.{after})",
            "who trains alone is the only client",
        )
        for after in ("history[:, 0], result.scalings[(-1)]", "history[:, (-1)], result.scalings[0]")
    ),
    Equivalent(
        "vecphe.cli.learning",
        '_POOLED: dict[str, Any] = {"color": "black", "linestyle": "none", "marker": "o", "markerfacecolor": "none", '
        '"zorder": 4}',
        '_POOLED: dict[str, Any] = {"color": "black", "linestyle": "none", "marker": "o", "markerfacecolor": "none", '
        '"zorder": 5}',
        "it is above all other lines by one or by two",
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
    Equivalent(
        "vecphe.data.tables._check_target",
        "if name not in parts[0].labels:",
        "if name not in parts[(-1)].labels:",
        "the target is of labels in all files or in none",
    ),
    *(
        Equivalent(name, 'return ""', "return None", "both are no way, and neither is shown")
        for name in ("vecphe.data.faults._way_of_marks", "vecphe.data.csv_numbers._marks_needed")
    ),
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
        (
            '_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) '
            "# Windows needs it for bytes as they are"
        ),
        (
            '_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 1) '
            "# Windows needs it for bytes as they are"
        ),
        "where there is no such flag, this one is that for writing alone, which is there already",
    ),
    Equivalent(
        "vecphe.system.files.read_file",
        "data = file.read() if most is None else _read_up_to(file, most + 1)",
        "data = file.read() if most is None else _read_up_to(file, most + 2)",
        "what is longer by two bytes is longer by one",
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
_RUNS = "starts = np.flatnonzero(np.diff(keys[order], prepend=-1))"
_LAST = "return self.take(self.concatenate([batch, self.ones(1)]), where)"
_FOLDED = (
    'order = np.argsort(np.concatenate([np.repeat(runs, folds), np.repeat(runs, rest)]), kind="stable")',
    "order = np.argsort(np.concatenate([np.repeat(runs, folds), np.repeat(runs, rest)]))",
)
_ORDER = (
    'order = np.argsort(keys, kind="stable") # where the residues of the first run are, of the second, ...',
    "order = np.argsort(keys) # where the residues of the first run are, of the second, ...",
)
_OF_64 = "one word holds it: it is the same from either way"
_ONE_LEFT = "of one residue the first is the last"
_UNITS = "return bool(gcd(self.store(self.product(batch, 1, batch.count, 1))[0], self.n) == 1)"
_INVERSE = "inverse = self.load([int(invert(mpz(self.store(levels.pop())[0]), self.n_squared))])"
_PADDED = "padded = np.pad(grid, ((0, 0), (0, missing), (0, 0)))"
_FILLED = "bases = self.concatenate([batch, self.ones(missing)]) if missing else batch"
_ONE = "one = self.constants[2 * self.kernels.k : 4 * self.kernels.k]"
_WRONG = "shift, wrong = ring.kernels.limbs([offset % ring.n]), device.upload(np.zeros(1, np.uint32))"
_LONGEST = "bits = max((entry.bit_length() for row in matrix for entry in row), default=0)"
_NEGATIVE = "if min(integers, default=0) < 0:"
_POWER = "return self._power(batch, words, max(bits, 1))"
_ROWS = "part = self._straus(grid[:, start:stop], max(bits, 1), some)"
_COPIED = 'self.kernels.run("repack", words, self.part(result, start), batch.buffer, max(words, 1), 32, words, 32)'
_HIGH = "high = self.part(level, half) if rest else level.buffer"
_TURN = "batch = ring.load(n * n // (3 * i + 2) for i in range(_PRODUCTS))"
EQUIVALENTS += [
    Equivalent("vecphe.arithmetic." + name, before, after, reason)
    for name, before, after, reason in (
        ("engine.Ring.grouped_product", _RUNS, _RUNS.replace("-1", "-2"), "no key is negative, so none is equal to it"),
        ("engine.Ring.grouped_product", *_FOLDED, "the residues of one key come in any order"),
        ("engine.Ring.grouped_product", *_ORDER, "the residues of one key come in any order"),
        ("engine.Ring.grouped_product", _LAST, _LAST.replace("ones(1)", "ones(2)"), "the first 1 is the one taken"),
        ("words.exponent_words", "if bits <= 64:", "if (bits < 64):", _OF_64),
        ("words.exponent_words", "if bits <= 64:", "if bits <= 63:", _OF_64),
        ("words.exponent_words", _NEGATIVE, _NEGATIVE.replace("=0", "=1"), "none is no negative one"),
        ("cancellation.Cancellation.cancel", "self._flag[0] = 1", "self._flag[(-1)] = 1", "the flag is of one byte"),
        (
            "gmp._compact",
            "copies = [value >> 0 for value in values]",
            "copies = [(value << 0) for value in values]",
            "both give a copy of each value",
        ),
        ("gmp.GmpRing.matrix_power_vartime", _LONGEST, _LONGEST.replace("=0", "=(-1)"), "a power of nothing is 1"),
        ("gmp.GmpRing.matrix_power_vartime", _LONGEST, _LONGEST.replace("=0", "=1"), "a power of nothing is 1"),
        ("cuda.CudaRing.all_units", _UNITS, _UNITS.replace("[0]", "[(-1)]"), _ONE_LEFT),
        ("cuda.CudaRing.invert", _INVERSE, _INVERSE.replace("[0]", "[(-1)]"), _ONE_LEFT),
        ("cuda.CudaRing.ones", _ONE, _ONE.replace("4 *", "5 *"), "what follows the 1 is not read"),
        ("cuda.CudaRing._straus", _PADDED, _PADDED.replace("((0, 0)", "((0, 1)"), "rows that follow are not read"),
        (
            "cuda.CudaRing._straus",
            _FILLED,
            f"bases = ({_FILLED[8:].replace('if missing', 'if True')})",
            "of no rows of ones there is a copy, the same as the batch",
        ),
        (
            "cuda.CudaRing.multiply_plain",
            "if 64 * words.shape[1] >= LIMB_BITS * self._width:",
            "if (64 * words.shape[1] > LIMB_BITS * self._width):",
            "no length is a number of both words and limbs",
        ),
        ("cuda.CudaDecryptor.decrypt", _WRONG, _WRONG.replace("zeros(1", "zeros(2"), "the first word is looked at"),
        (
            "cuda.CudaDecryptor.decrypt",
            "if device.download(wrong)[0]:",
            "if device.download(wrong)[(-1)]:",
            "the flag is a buffer of one word",
        ),
        (
            "cuda_kernels.Kernels.upload_constants",
            "for bias in rows[1 :: len(moduli[0])]:",
            "for bias in rows[1 :: len(moduli[(-1)])]:",
            "all moduli have as many constants",
        ),
        *(
            ("cuda.CudaRing." + name, line, line.replace(old, new), reason)
            for name, line, old, new, reason in (
                ("power_vartime", _POWER, "max(bits, 1)", "max(bits, 2)", "one step takes four bits"),
                ("matrix_power_vartime", _ROWS, "max(bits, 1)", "max(bits, 2)", "one step takes four bits"),
                ("concatenate", _COPIED, "max(words, 1)", "max(words, 0)", "no kernel runs on no words"),
                (
                    "concatenate",
                    _COPIED,
                    "max(words, 1)",
                    "max(words, 2)",
                    "a residue has more words, and none no kernel",
                ),
                ("invert", _HIGH, _HIGH[7:], f"({_HIGH[7:].replace('if rest', 'if True')})", "a level has two or more"),
            )
        ),
        *(
            ("cuda_kernels.Kernels.pieces", "if count == 0:", after, "of none there is no piece in any case")
            for after in ("if False:", "if count == (-1):")
        ),
        *(
            ("cuda_kernels.words32", "if width > rows.shape[1]:", after, "of no words nothing is put on")
            for after in ("if (width >= rows.shape[1]):", "if True:")
        ),
        ("race.race", "if clock() >= end:", "if (clock() > end):", "no clock stands at the end to the last bit"),
        *(
            ("race._turn", _TURN, _TURN.replace("3 * i + 2", other), "it multiplies other numbers of as many bits")
            for other in ("2 * i + 2", "4 * i + 2", "3 * i + 3")
        ),
    )
]
_ALONE = "chunks = max(min(_TASKS_A_JOB * jobs, count // least) if jobs > 1 else 1, -(-count // most))"
_AWAITED = "run_on(cluster, int, [()], 1)"
_LATE = "elif not given and time.monotonic() > end:"
_BASE = "base: int = ring.store(ring.power_vartime(ring.load([h]), [n]))[0]"
EQUIVALENTS += [
    Equivalent("vecphe." + name, before, after, reason)
    for name, before, after, reason in (
        ("system.parallel.chunk_bounds", _ALONE, _ALONE.replace("else 1", "else 0"), "a chunk there is in any case"),
        (
            "system.parallel.map_chunks",
            "jobs = 1 if stays else effective_jobs(n_jobs, count, least)",
            "jobs = 0 if stays else effective_jobs(n_jobs, count, least)",
            "with one or with none the work is done here",
        ),
        (
            "system.parallel._guard",
            "result._set(0, (False, _WorkerDiedError()))",
            "result._set((-1), (False, _WorkerDiedError()))",
            "joblib's results are of one task, whose number nobody reads",
        ),
        (
            "system.parallel._guard",
            "result._set(0, (False, _WorkerDiedError()))",
            "result._set(1, (False, _WorkerDiedError()))",
            "joblib's results are of one task, whose number nobody reads",
        ),
        ("system.clusters._awaited_workers", _AWAITED, _AWAITED.replace("1)", "2)"), "there is one task to be awaited"),
        (
            "system.clusters._collect",
            _LATE,
            _LATE.replace("time.monotonic() > end", "(time.monotonic() >= end)"),
            "no clock stands at the end to the last bit",
        ),
        (
            "randomness.randomizers.RandomizerSource._random_base",
            _BASE,
            _BASE.replace("[0]", "[(-1)]"),
            "one value was drawn, the first and the last",
        ),
        *(
            (
                "randomness.randomizers.RandomizerSource.__init__",
                "self._sized_for = 0",
                f"self._sized_for = {other}",
                "it is read once there is a table, for which it is set",
            )
            for other in ("1", "(-1)")
        ),
    )
]

_HALF = "_ONE, _HALF_ULP, _QUARTER_ULP, _DENORMAL = (math.ldexp(1.0, exponent) for exponent in (0, -53, -54, -1074))"
_AS_USUAL = 'if self.unit < _INT64_SAFE and (flat.dtype.kind != "f" or _floats_as_usual()):'
_MASKED = "return any(isinstance(value, (*_LISTS, np.ma.MaskedArray)) and _has_masked(value) for value in values)"
_BETWEEN = "least, greatest = min(integers, default=0), max(integers, default=0)"
_ROUNDED_UP = "bits = int(np.max(53 - exponents - trailing, initial=0))"
_NEAR_53 = 'elif array.dtype == np.float64 and not hasattr(values, "dtype") and (np.abs(array) >= _FLOAT_SAFE).any():'
_OFFSET = "return ((1 << width * slots) - 1) // ((1 << width) - 1) << (width - 1)"
_IN_WORDS = "in_words = self.width % 8 and self.width < 64"
_WORD_EACH = "if self.width == 64 and integers.shape[1] == 1:"
_ONE_ROW = "if rows == 1 and integers.shape[1] == 1:"
_ONE_WORD = "if len(words) == 1 and self.width <= 64:"
_BITS = "elif self.width < 64:"
_MISSING = "missing = -(-bits // 64) - integers.shape[1]"
_SIGN_OF = "sign = (integers[:, -1:].view(np.int64) >> 63).view(np.uint64)"
_FULL = "words = np.full(rows * self.slots, _SIGN, dtype=np.uint64)"
_FIRST = "first = np.flatnonzero(np.diff(word, prepend=-1))"
_NOT_FINITE = "if np.isfinite(scaled).all():"
_SLOTS = "vecphe.plaintext.packing.SlotLayout."
_PATHS = "all ways to pack give the same words, and differ in time alone"
_OF_NO_ROWS = "of no rows nothing comes besides"
EQUIVALENTS += [
    *(
        Equivalent("vecphe.plaintext.encoding", _HALF, _HALF.replace(old, new), "what is tried rounds the same way")
        for old, new in (("-53", "-54"), ("-54", "-55"), ("-1074", "-1073"), ("(0,", "(1,"), ("1.0", "2.0"))
    ),
    *(
        Equivalent("vecphe.plaintext.encoding." + name, line, after, "the exact way gives the same, only slower")
        for name, line, after in (
            ("decode", "if _floats_as_usual():", "if False:"),
            *(("decode", "if divisor > 1:", after) for after in ("if (divisor >= 1):", "if divisor > 0:", "if True:")),
            ("integers_at_scale", "if _floats_as_usual():", "if False:"),
            ("integers_at_scale", _NOT_FINITE, "if False:"),
            ("FixedPoint._words", _AS_USUAL, "if False:"),
            ("FixedPoint._words", _AS_USUAL, "if self.unit < _INT64_SAFE and ((flat.dtype.kind != 'f')):"),
            ("FixedPoint._words", _AS_USUAL, "if self.unit < _INT64_SAFE and ((_floats_as_usual())):"),
            (
                "FixedPoint._words",
                _AS_USUAL,
                _AS_USUAL.replace('(flat.dtype.kind != "f" or', "((flat.dtype.kind != 'f' and").replace("())", "()))"),
            ),
            ("as_plain_array", _NEAR_53, "elif (array.dtype == np.float64 and (not hasattr(values, 'dtype'))):"),
            ("as_plain_array", _NEAR_53, "elif (array.dtype == np.float64 and (np.abs(array) >= _FLOAT_SAFE).any()):"),
        )
    ),
    Equivalent(
        "vecphe.plaintext.encoding.as_plain_array",
        'if kind == "f" and size <= 8:',
        'if kind == "f" and size <= 9:',
        "there is no float of 9 bytes",
    ),
    Equivalent(
        "vecphe.plaintext.encoding.exact_fraction_bits",
        _ROUNDED_UP,
        _ROUNDED_UP.replace("initial=0", "initial=(-1)"),
        "of 1 less than none the next multiple of 4 is none as well",
    ),
    *(
        Equivalent("vecphe.plaintext.encoding." + name, before, after, reason)
        for name, before, after, reason in (
            (
                "as_plain_array",
                "if type(values) is not np.ndarray:",
                "if True:",
                "what is an array is found to be none of the others",
            ),
            (
                "as_plain_array",
                "if unused is not None:",
                "if True:",
                "numpy takes None for false, and all of the array",
            ),
            (
                "_has_masked",
                _MASKED,
                "return any((_has_masked(value)) for value in values)",
                "of what is neither the same is found, with a call for each",
            ),
        )
    ),
    *(
        Equivalent(
            "vecphe.plaintext.encoding._from_objects", _BETWEEN, after, "of no integers the type is int64 anyway"
        )
        for after in (
            *(_BETWEEN.replace("min(integers, default=0", f"min(integers, default={bound}") for bound in ("(-1)", "1")),
            *(_BETWEEN.replace("max(integers, default=0", f"max(integers, default={bound}") for bound in ("(-1)", "1")),
        )
    ),
    Equivalent(
        "vecphe.plaintext.structure._as_floats",
        'if array.dtype.kind == "f":',
        "if False:",
        "floats are the floats of a list of themselves",
    ),
    *(
        Equivalent(
            "vecphe.plaintext.packing._offset", _OFFSET, after, "what is 1 or 2 more is left over by the quotient"
        )
        for after in (
            _OFFSET.replace("slots) - 1", "slots) - 0"),
            _OFFSET.replace("((1 << width * slots) - 1)", "(((1 << width * slots) + 1))"),
        )
    ),
    *(
        Equivalent(_SLOTS + name, line, after, _PATHS)
        for name, line, after in (
            *(
                ("_unpack_rows", _IN_WORDS, "in_words = " + after)
                for after in (
                    "self.width % 7 and self.width < 64",
                    "self.width % 9 and self.width < 64",
                    "(self.width // 8) and self.width < 64",
                    "(self.width < 64)",
                    "self.width % 8 and (self.width <= 64)",
                    "self.width % 8 and self.width < 63",
                    "self.width % 8 and self.width < 65",
                )
            ),
            ("unpack", _ONE_WORD, "if False:"),
            ("unpack", _ONE_WORD, "if len(words) == 1 and self.width <= 63:"),
            ("unpack", _ONE_WORD, "if len(words) == 1 and (self.width < 64):"),
            ("pack", _WORD_EACH, "if (self.width == 64):"),
            ("pack", _ONE_ROW, "if False:"),
            ("_pack_rows", "if self.width % 8 == 0:", "if False:"),
            ("_pack_rows", "if self.width % 8 == 0:", "if self.width % 8 == (-1):"),
            ("pack", _ONE_ROW, "if rows == 1 and integers.shape[1] == 0:"),
            ("_pack_rows", _BITS, "elif False:"),
            ("_pack_rows", _BITS, "elif (self.width <= 64):"),
            ("_pack_rows", _BITS, "elif self.width < 63:"),
            ("_pack_rows", _BITS, "elif self.width < 65:"),
        )
    ),
    Equivalent(
        _SLOTS + "_unpack_rows",
        "integers: npt.NDArray[Any] = self._unpack_words(words) if in_words else self._unpack_bytes(data)",
        "integers: npt.NDArray[Any] = (self._unpack_words(words) if False else self._unpack_bytes(data))",
        _PATHS,
    ),
    Equivalent(_SLOTS + "pack", _FULL, "words = np.full(rows * self.slots, _SIGN)", "the sign is of that type itself"),
    Equivalent(
        _SLOTS + "pack",
        "words[:count] ^= integers[:, 0]",
        "words[:count] ^= integers[:, (-1)]",
        "there is one column, the first and the last",
    ),
    Equivalent(
        _SLOTS + "_unpack_one",
        "return np.array(values, dtype=np.int64).view(np.uint64).reshape(-1, 1)",
        "return np.array(values).view(np.uint64).reshape(-1, 1)",
        "integers that fit become int64 by themselves, and of none there is nothing to convert",
    ),
    *(
        Equivalent(
            "vecphe.plaintext.packing._places", _FIRST, _FIRST.replace("-1", other), "it is no 0, the first word"
        )
        for other in ("-2", "(1)")
    ),
    Equivalent(
        _SLOTS + "_pack_one",
        "for value in reversed(integers[:, 0].view(np.int64).tolist()):",
        "for value in reversed(integers[:, (-1)].view(np.int64).tolist()):",
        "there is one column, the first and the last",
    ),
    Equivalent(
        _SLOTS + "unpack",
        "for row in range(0, max(len(words), 1), step)",
        "for row in range(0, max(len(words), 2), step)",
        _OF_NO_ROWS,
    ),
    *(
        Equivalent(
            "vecphe.plaintext.packing._sign_extended",
            _MISSING,
            after,
            "what further words repeat of the sign is cut off again",
        )
        for after in (
            _MISSING.replace("64", "63"),
            "missing = (-(-bits // 64) + integers.shape[1])",
            "missing = -((-bits * 64)) - integers.shape[1]",
        )
    ),
    Equivalent(
        _SLOTS + "_unpack_bytes",
        "digits[negative, -1] |= np.uint8(0xFF << (self.width % 8) & 0xFF)",
        "digits[negative, -1] |= np.uint8(0xFF << (self.width % 8) & 254)",
        "these slots have a bit or more in their last byte, which the shift leaves alone",
    ),
    Equivalent(
        "vecphe.plaintext.packing._sign_extended",
        _SIGN_OF,
        _SIGN_OF.replace(">> 63", ">> 64"),
        "numpy shifts by all bits, and more, as by all but the sign",
    ),
]

_SPAN = "array, start, stop = self, min(axes, default=0), max(axes, default=-1) + 1"
_LONGEST = "bits = max((exponent.bit_length() for exponent in exponents), default=0)"
_LONGEST_ENTRY = "bits = max((entry.bit_length() for row in matrix for entry in row), default=0)"
_NONE_AT_ALL = "of no exponents nothing is handed out"
_PARTS = (
    "return parts[0] if len(parts) == 1 else ring.product(ring.concatenate(parts), 1, len(parts), ring.size(parts[0]))"
)
_SHAPE = "shape = self._shape if self._shape == other._shape else np.broadcast_shapes(self._shape, other._shape)"
_PLACES = "places = keys if width == 1 else (keys[:, np.newaxis] * width + np.arange(width)).ravel()"
_DIVIDED = "if divisor > 1: # the integers are those of the values times the divisor"
_KEYS = "return context.ring.grouped_product(batch, keys[:, 0].astype(np.int64), groups)"
_REDUCED = 'return inputs[0].sum(kwargs.get("axis", 0), kwargs.get("keepdims", False))'
_OPPOSITE = "signed = -self if divisor < 0 else self.copy()"
_TIMES_ONE = "of a divisor of 1 the integers are those of the values themselves"
EQUIVALENTS += [
    Equivalent("vecphe.array." + name, before, after, reason)
    for name, before, after, reason in (
        (
            "encrypted_array.EncryptedArray._add_encrypted",
            _SHAPE,
            "shape = (self._shape if False else np.broadcast_shapes(self._shape, other._shape))",
            "equal shapes broadcast to themselves",
        ),
        *(
            ("encrypted_array.EncryptedArray._add_plain", _DIVIDED, _DIVIDED.replace("divisor > 1", after), _TIMES_ONE)
            for after in ("(divisor >= 1)", "True", "divisor > 0")
        ),
        (
            "encrypted_array.EncryptedArray._multiply",
            "if len(exponents) != count:",
            "if True:",
            "as many exponents as there are residues are spread out to themselves",
        ),
        (
            "encrypted_array.EncryptedArray._divided",
            _OPPOSITE,
            _OPPOSITE.replace("< 0", "< 1"),
            "what is divided by is never 0",
        ),
        (
            "functions.apply_ufunc",
            _REDUCED,
            _REDUCED.replace("inputs[0]", "inputs[(-1)]"),
            "there is one array that is reduced",
        ),
        (
            "groups.group_sum",
            _PLACES,
            "places = (keys if False else (keys[:, np.newaxis] * width + np.arange(width)).ravel())",
            "of one ciphertext a row the places are the keys",
        ),
        ("powers._group_products", _KEYS, _KEYS.replace("[:, 0]", "[:, (-1)]"), "keys have one column of words"),
        (
            "encrypted_array.EncryptedArray._divided",
            _OPPOSITE,
            "signed = -self if (divisor <= 0) else self.copy()",
            "what is divided by is never 0",
        ),
        (
            "encrypted_array.EncryptedArray._derive",
            "format = replace(self._format, **changes) if changes else self._format",
            "format = (replace(self._format, **changes) if True else self._format)",
            "a copy of a format is equal to it",
        ),
        *(
            ("encrypted_array.EncryptedArray.sum", _SPAN, _SPAN.replace(*change), "over no axes all stays as it is")
            for change in (("default=-1", "default=(1)"), ("default=-1", "default=-0"), ("default=0", "default=(-1)"))
        ),
        (
            "many.EncryptedArrays.__eq__",
            'return bool(self.array == getattr(other, "array", other)) # which says why not',
            "return bool((self.array != getattr(other, 'array', other))) # which says why not",
            "an array refuses both comparisons, with the same words",
        ),
        *(
            ("powers.elementwise_power", _LONGEST, _LONGEST.replace("default=0", f"default={bits}"), _NONE_AT_ALL)
            for bits in ("(-1)", "1")
        ),
        ("powers.matrix_power", _LONGEST_ENTRY, _LONGEST_ENTRY.replace("=0", "=(-1)"), _NONE_AT_ALL),
        *(
            (
                "powers._multiplied",
                _PARTS,
                _PARTS.replace("size(parts[0])", f"size(parts[{i}])"),
                "parts are of one size",
            )
            for i in ("(-1)", "1")
        ),
        (
            "powers.signed_power",
            "negative = [i for i, exponent in enumerate(exponents) if exponent < 0]",
            "negative = [i for i, exponent in enumerate(exponents) if exponent < 1]",
            "zeros have been taken out before",
        ),
        (
            "powers.signed_power",
            "return ring.take(ring.concatenate([powers, ring.ones(1)]), order)",
            "return ring.take(ring.concatenate([powers, ring.ones(2)]), order)",
            "a second one is not taken",
        ),
    )
]
_WITHIN_A_WORD = "if bound < 1 << 63:"
_OF_ONE_WORD = "if integers.shape[1] == 1: # slots of up to 64 bits, whose bound is below 2^63"
EQUIVALENTS += [
    Equivalent("vecphe.plaintext.format." + name, before, after, "integers of any size are the same, only slower")
    for name, before, after in (
        *(
            ("_debiased", _WITHIN_A_WORD, after)
            for after in ("if False:", "if bound < 1 << 62:", "if bound < 0 << 63:", "if bound < (1 >> 63):")
        ),
        ("_bounded", _OF_ONE_WORD, _OF_ONE_WORD.replace("== 1", "== 0")),
        ("_bounded", _OF_ONE_WORD, "if False: # slots of up to 64 bits, whose bound is below 2^63"),
    )
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

_GREATEST = "greatest = float(np.max(np.abs(values), where=~np.isnan(values), initial=0.0))"
EQUIVALENTS += [
    Equivalent(
        "vecphe.federated.models.LogisticRegression._residuals",
        "if self.n_classes == 2:",
        "if True:",
        "a matrix of ones and zeros is subtracted, which gives the same",
    ),
    Equivalent(
        "vecphe.federated.scaling.check_columns",
        _GREATEST,
        _GREATEST.replace("0.0", "(-1.0)"),
        "a column without a value is neither too large nor too small",
    ),
    Equivalent(
        "vecphe.federated.backends._NaiveVector.to_bytes",
        "def to_bytes(self, *, rerandomize: bool = True) -> bytes:",
        "def to_bytes(self, *, rerandomize: bool = False) -> bytes:",
        "the naive backend does not look at it",
    ),
    Equivalent(
        "vecphe.federated.wire.header_of_contributions",
        "first = contributions[0]",
        "first = contributions[(-1)]",
        "contributions to one round have its run and number, first and last",
    ),
]
_FLAT = "flat = values.reshape(-1) if values.flags.c_contiguous else values.flat"
EQUIVALENTS += [
    Equivalent(
        "vecphe.cli.table.check_values",
        _FLAT,
        "flat = (values.reshape(-1) if False else values.flat)",
        "an iterator over all numbers gives the same parts, more slowly",
    ),
]
EQUIVALENTS += [
    Equivalent(
        "vecphe.bench.intervals.median_bounds",
        "j = next(j for j in range(1, n) if bdtr(j, n, 0.5) > (1 - _CONFIDENCE) / 2)",
        "j = next(j for j in range(1, n) if (bdtr(j, n, 0.5) >= (1 - _CONFIDENCE) / 2))",
        "a multiple of 2^-n is no half of a hundredth",
    ),
]
EQUIVALENTS += [
    Equivalent(
        "vecphe.arithmetic.gmp.GmpDecryptor.decrypt",
        "ring.checked(batch)",
        "pass",
        "Fermat's check finds what is no unit too, after it was computed with",
    ),
]
_COUNTS = "counts = columns[0] if len(columns) == 3 else np.full(len(columns[0]), n, dtype=object)"
EQUIVALENTS += [
    Equivalent(
        "vecphe.federated.scaling.ColumnTotals.apply",
        _COUNTS,
        _COUNTS.replace(", dtype=object", ""),
        "they are multiplied with Python's integers, and are such themselves then",
    ),
]
