"""What the terminal shows: names as they are, and figures at the edges of their forms."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from vecphe.cli import info, report
from vecphe.cli.report import WIDEST, Terminal, _figure, _log_loss, _share

NAME = "[bold]Ward[/bold] :smile: 42 'x' https://a.b"


@pytest.mark.parametrize("to_stderr", [False, True])
def test_names_are_shown_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], to_stderr: bool
) -> None:
    """On a terminal too, which rich would colour numbers and texts on."""
    for colours in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", colours) if colours else monkeypatch.delenv("FORCE_COLOR", raising=False)
        terminal = Terminal(to_stderr)
        terminal._say(NAME, "x" * 300)
        shown = capsys.readouterr()
        assert (shown.err if to_stderr else shown.out) == f"{NAME}\n{'x' * 300}\n"
        assert (shown.out if to_stderr else shown.err) == ""


def test_a_file_has_no_edge_and_a_terminal_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Terminal()._console.width == WIDEST == 1000
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    assert Terminal()._console.width == 60


def test_a_bar_is_drawn_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Terminal()._bar().disable
    monkeypatch.setenv("FORCE_COLOR", "1")
    bar = Terminal()._bar()
    assert not bar.disable
    assert bar.live.transient
    assert bar.console.stderr
    assert len(bar.columns) == 2


def test_names_stand_left_and_figures_right() -> None:
    table = report._table("T", ["", "a", "b"])
    assert isinstance(table, Table)
    assert [(column.header, column.justify) for column in table.columns] == [
        ("", "left"),
        ("a", "right"),
        ("b", "right"),
    ]
    assert (table.title, table.title_justify) == ("T", "left")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "-"), (0.1, "0.10"), (-0.1, "-0.10"), (0.09999, "0.09999"), (0.0, "0"), (1.005e2, "100.50"),
        (9999999.0, "9999999.00"), (1e7, "1e+07"), (10000000.5, "1e+07"), (-1e7, "-1e+07"), (123456789.0, "1.2346e+08"),
        (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_errors_have_two_digits_where_these_say_enough(value: float | None, told: str) -> None:
    assert _figure(value) == told


def test_shares_and_losses() -> None:
    assert [_share(value) for value in (None, 0.0, 0.12345, 1.0)] == ["-", "0.000", "0.123", "1.000"]
    assert [_log_loss(value) for value in (None, 0.0, 0.12345, 12.0)] == ["-", "0.0000", "0.1235", "12.0000"]


def test_what_is_shown_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(io.StringIO):
        flushed = 0

        def flush(self) -> None:
            type(self).flushed += 1

    monkeypatch.setattr("sys.stdout", Slow())
    terminal = Terminal(to_stderr=True)
    terminal._say("x")
    assert Slow.flushed


def test_strengths_are_those_of_the_standard() -> None:
    """NIST SP 800-57 part 1, table 2."""
    assert info._STRENGTHS == {1024: 80, 2048: 112, 3072: 128, 7680: 192}
    assert info.collect_info()["key_length"] == {
        "default": 3072,
        "strength_bits": {"1024": 80, "2048": 112, "3072": 128, "7680": 192},
    }


def test_strengths_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    info.print_info(info.collect_info())
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "key of 1024 bits: strength 80 bits (insecure)",
        "key of 2048 bits: strength 112 bits",
        "key of 3072 bits: strength 128 bits (default)",
        "key of 7680 bits: strength 192 bits",
    ]
