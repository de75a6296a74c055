"""Figures as text, for the terminal, for the report and for papers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vecphe.bench.records import PHASES, Case, Figure, Record, Results
from vecphe.system.plurals import counted

__all__ = ["COLUMNS", "cells", "duration", "figure_text", "label", "latex_table", "sentence", "size", "times"]

_CASE_COLUMNS = ("key bits", "clients", "values", "backend")
COLUMNS = (*_CASE_COLUMNS, *PHASES, "speed-up", "samples", "bytes/value", "memory")
_YEAR = 365.25 * 86_400
_LEAST_MEMORY = 4 << 20  # bytes: less than that the process's peak moves by itself


def label(backend: str) -> str:
    """What a row is called."""
    return "naive (phe)" if backend == "naive" else backend


def cells(record: Record) -> tuple[str, ...]:
    """One row, in the order of `COLUMNS`: medians with 99 % intervals; what is extrapolated starts with a tilde."""
    case, memory = record.case, record.memory
    return (
        *(str(case.key_length), str(case.clients), str(case.values), label(record.backend)),
        *(_cell(record, phase) for phase in PHASES),
        _cell(record, "speed_up"),
        f"{record.n_samples}{', noisy' if record.noisy else ''}",
        _figure(record.bytes_per_value, 4),
        "-" if memory is None else f"< {size(_LEAST_MEMORY)}" if memory < _LEAST_MEMORY else size(memory),
    )


def _cell(record: Record, name: str) -> str:
    if (figure := record.figure(name)) is None:
        return "-"
    if name == "speed_up" and record.backend == "naive":  # by itself
        return "1x"
    about = "~" if record.is_approximate(name) else ""
    return f"{about}{figure_text(figure, in_seconds=name != 'speed_up')}"


def figure_text(figure: Figure, in_seconds: bool) -> str:
    """Such as "12.3 ms (11.9-12.5)": a time, or a ratio, and its interval in the same unit."""
    value, low, high = figure
    text = duration(value) if in_seconds else times(value)
    if not low:  # of too few samples
        return f"{text} (?)"
    factor = _unit(value)[0] if in_seconds else 1.0
    return f"{text} ({_figure(low / factor)}-{_figure(high / factor)})"


def sentence(results: Results) -> str:
    """What came out, for the largest case that was measured; empty without records."""
    ours = [record for record in results.records if record.backend in ("packed", "vectorized")] or [*results.records]
    if not ours:
        return ""
    best = max(ours, key=lambda record: (record.case.clients * record.case.values, record.case, record.speed_up or 0))
    text = (
        f"With keys of {best.case.key_length} bits, a round of {counted(best.case.clients, 'client')} with "
        f"{counted(best.case.values, 'value')} each takes {duration(best.seconds('round'))} {label(best.backend)}"
    )
    if (figure := best.figure("speed_up")) is not None and best.backend != "naive":
        loop = " (extrapolated from fewer values)" if best.reference_extrapolated else ""
        sure = f", 99 % interval {times(figure.low)} to {times(figure.high)}" if figure.low else ""
        text += (
            f", {times(figure.value)} as fast as a loop over phe{loop}: the median of "
            f"{counted(best.n_samples, 'sample')}{sure}"
        )
    e = best.environment
    return f"{text}. Engine {e.engine}, {e.cpu}, {counted(best.jobs, 'worker')}." + (" NOISY." if best.noisy else "")


def latex_table(results: Results) -> str:
    """A table for a paper, in the rules of the package booktabs; how it was measured stands in comments above it."""
    columns = [column for column in COLUMNS if column != "memory"]
    lines = [f"% {text}" for text in (sentence(results), *results.warnings)]
    lines += [
        "% medians with 99 % intervals; ~ extrapolated from fewer values or clients; needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{rrrl{'r' * (len(columns) - 4)}}}",
        "\\toprule",
        _latex_row(columns),
        "\\midrule",
    ]
    before: Case | None = None
    for record in sorted(results.records, key=lambda record: record.case):
        if before not in (None, record.case):
            lines.append("\\addlinespace")
        before = record.case
        lines.append(_latex_row(cells(record)[: len(columns)]))
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


_LATEX = (("_", r"\_"), ("~", r"$\sim$"), ("< ", "$<$"), (" us", r" \textmu s"), ("-", "--"))


def _latex_row(texts: Sequence[str]) -> str:
    row = " & ".join("speed-up" if text == "speed-up" else "" if text == "-" else _in_latex(text) for text in texts)
    return row + r" \\"


def _in_latex(text: str) -> str:
    for plain, written in _LATEX:
        text = text.replace(plain, written)
    return re.sub(r"(?<=\d)x", r"$\\times$", text)


def _unit(seconds: float) -> tuple[float, str]:
    for factor, unit in ((1e-6, "us"), (1e-3, "ms")):
        if seconds < 999.5 * factor:
            return factor, unit
    units = ((6000, 1.0, "s"), (48 * 3600, 3600.0, "h"), (2 * _YEAR, 86_400.0, "days"))
    return next(((factor, unit) for limit, factor, unit in units if seconds < limit), (_YEAR, "years"))


def duration(seconds: float, digits: int = 3) -> str:
    """Seconds with so many digits and a unit, from us to years."""
    factor, unit = _unit(seconds)
    return f"{_figure(seconds / factor, max(digits, 4) if unit == 's' and seconds >= 999.5 else digits)} {unit}"


def size(count: float) -> str:
    """Bytes with three digits and a unit, from B to PiB."""
    for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB")):
        if count < 1000 << (10 * power):
            return f"{_figure(count / (1 << (10 * power)))} {unit}"
    return f"{_figure(count / (1 << 50))} PiB"


def _figure(number: float, digits: int = 3) -> str:
    """So many digits that count, written out: no exponent."""
    rounded = float(f"{number:.{digits}g}")
    if rounded < 10**digits:
        return f"{rounded:.{digits}g}"
    return f"{rounded:,.0f}" if rounded >= 10_000 else f"{rounded:.0f}"


def times(ratio: float) -> str:
    """A ratio with three digits."""
    return f"{ratio:.3g}x" if ratio < 999.5 else f"{ratio:.0f}x"
