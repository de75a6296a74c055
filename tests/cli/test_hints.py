"""What messages about files say to type: pasted into a shell, each ends the problem it stands at."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Run = Callable[..., CompletedProcess[str]]
_WORD = r"""(?:'[^']*'|"[^"]*"|[^\s;()'"])+"""
HINT = re.compile(rf"--(?!features names|drop names|categories names)[a-z]+ {_WORD}(?: --[a-z]+ {_WORD})*")
ROWS = 30


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def hints_of(line: str) -> list[str]:
    """Each way out that a line names."""
    found = HINT.findall(line)
    return [*found, "--missing mean"] if "--missing drop or mean" in line else found


def words(text: str) -> list[str]:
    """What a shell makes of a text."""
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {text}"], capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


ODD = [
    'it\'s "q"',
    "$HOME",
    "a,b",
    "-x",
    "`id`",
    "two  spaces",
    "*",
    "a;b",
    "#c",
    "max_abs=5",
    "--drop",
    "~",
    "ä\\n",
    "!!",
]


def table(separator: str = ",", **columns: Callable[[int], str]) -> str:
    """Text of a file; a column `b` of small integers, and a target."""
    whole = {**columns, "b": lambda row: str(row * row % 7), "y": lambda row: str(3 * row)}
    rows = [list(whole), *([cell(row) for cell in whole.values()] for row in range(ROWS))]
    quoted = (['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows)
    return "\n".join(separator.join(row) for row in quoted)


def letters(row: int) -> str:
    return "pq"[row % 2]


FILES = {
    "odd names": ([table(**dict.fromkeys(ODD, letters))], [], 2 * len(ODD)),
    "thousands or decimals": ([table(a=lambda row: f"{row + 1},573")], [], 2),
    "thousands": ([table(a=lambda row: f"{row + 1},573", c=lambda row: f"{row}.5")], [], 1),
    "decimals": ([table(a=lambda row: f"{row},57", c=lambda row: f"{row},573")], [], 2),
    "German": ([table(";", a=lambda row: f"1.0{row:02},5", c=lambda row: f"{row + 1}.000")], [], 1),
    "German with a comma": ([table(";", a=lambda row: f"1.0{row:02},5", c=lambda row: f"{row},5")],
                            ["--decimal", ","], 1),
    "points after all": ([table(";", a=lambda row: f"{row}.25")], ["--decimal", ","], 1),
    "no thousands after all": ([table(a=lambda row: f"{row},25")], ["--thousands", ","], 1),
    "Swiss": ([table(a=lambda row: f"{row + 1}'573.25")], [], 1),
    "French": ([table(";", a=lambda row: f"{row + 1}\xa0573,25")], [], 1),
    "gaps": ([table(a=lambda row: "" if row % 3 else "7", c=lambda row: "" if row == 4 else "8")], [], 4),
    "dates, words and nothing": (
        [table(a=lambda row: f"2024-01-{row + 1:02}", c=lambda row: f"w{row}", d=letters, e=lambda row: "")], [], 5
    ),
    "too small and too large": ([table(a=lambda row: "1e-400" if row else "1e400", c=lambda row: "inf")],
                                [], 2),
    "another separator": ([table(";", a=str)], ["--sep", ","], 1),
    "another separator unquoted": ([table(";", a=str).replace('"', "")], ["--sep", ","], 1),
    "features of one name": ([table(a=letters, **{"a=q": str})], ["--categories", "a"], 2),
    "files that differ": ([table(a=str), table(c=str), table(**{"d e": str}) + "\n"], [], 3),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_what_a_message_says_to_type_ends_its_problem(main_here: Run, case: str) -> None:
    texts, options, count = FILES[case]
    for number, text in enumerate(texts):
        Path(f"{number}.csv").write_text(text)
    files = [word for number in range(len(texts)) for word in ("--data", f"{number}.csv")]
    command = ["run", "--key-length", "256", "--insecure", "--backend", "packed", "--iterations", "1", *files]
    command += ["--target", "y", *options]

    def told(*more: str) -> list[str]:
        done = main_here(*command, *more)
        assert "Error" not in done.stderr
        return [line.strip() for line in done.stderr.splitlines() if not line.startswith("note:")] * (
            done.returncode != 0
        )

    lines = told()
    problems = {line: found for line in lines if (found := hints_of(line))}
    assert sum(map(len, problems.values())) == count, lines
    for line, found in problems.items():
        for hint in found:
            assert line not in told(*words(hint)), hint
    first = dict.fromkeys(found[0] for found in problems.values())
    assert told(*(word for hint in first for word in words(hint))) == []
