"""JSON and text to files and to stdout, and the places that are looked at before work is done."""

from __future__ import annotations

import io
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecphe.cli.output import check_outputs, check_writable, make_directory, write_json, write_text


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_text("precious")
    return tmp_path


def refused(function: Any, *args: Any) -> str:
    with pytest.raises(ValueError, match=" ") as caught:
        function(*args)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def test_h64_what_is_there_is_refused_unless_forced(here: Path) -> None:
    told = "there exists; use --force to replace it"
    assert refused(check_writable, Path("there"), False) == told
    assert refused(write_text, Path("there"), "new", False) == told
    assert refused(write_json, Path("there"), {}, False) == told
    assert refused(check_outputs, {"--a": None, "--b": Path("there")}, False) == told
    assert Path("there").read_text() == "precious"
    check_writable(Path("there"), True)
    check_outputs({"--b": Path("there")}, True)
    write_text(Path("there"), "Größe\n", True)
    assert Path("there").read_bytes() == "Größe\n".encode()
    for force in (False, True):
        check_writable(Path("new"), force)
        check_writable(Path("-"), force)
    Path("-").touch()  # a file of that name is not what is meant
    check_writable(Path("-"), False)
    assert not Path("new").exists()
    with pytest.raises(OSError, match="nowhere"):
        check_writable(Path("nowhere/new"), True)


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        ({"--a": "-", "--b": "-"}, "--a and --b write to the same place; give each its own"),
        ({"--a": "x", "--b": "y", "--c": "./x"}, "--a and --c write to the same place; give each its own"),
        ({"--a": "link", "--b": "real"}, "--a and --b write to the same place; give each its own"),
        ({"--a": None, "--b": None, "--c": "x"}, ""),
        ({"--a": "-", "--b": "x", "--c": "y"}, ""),
        ({"--a": "-", "--b": "./-"}, "--a and --b write to the same place; give each its own"),
    ],
)
def test_two_options_do_not_name_one_place(here: Path, paths: dict[str, str | None], told: str) -> None:
    os.symlink("real", "link")
    given = {option: None if name is None else Path(name) for option, name in paths.items()}
    if told:
        assert refused(check_outputs, given, False) == told
    else:
        check_outputs(given, False)


def test_the_directory_of_a_report_is_made_where_it_can_be(here: Path) -> None:
    make_directory(Path("new"), "page", False)
    make_directory(Path("new"), "page", False)  # it may be there, and hold other things
    Path("new/other").touch()
    make_directory(Path("new"), "page", False)
    Path("new/page").touch()
    assert refused(make_directory, Path("new"), "page", False) == (
        "--report: new/page exists; use --force to replace it"
    )
    make_directory(Path("new"), "page", True)
    for force in (False, True):
        assert refused(make_directory, Path("there"), "page", force) == "--report: there is not a directory"
        assert refused(make_directory, Path("a/b"), "page", force) == (
            "--report: a does not exist; create this directory first"
        )
    assert not Path("a").exists()


def test_a_directory_that_takes_no_file_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "full", str(path))

    monkeypatch.setattr("vecphe.system.files.check_directory", full)
    with pytest.raises(OSError, match="full"):
        make_directory(Path("new"), "page", False)


CONTENT = {"a": [1.5, math.nan, None, True], "b": {"c": (math.inf, np.float64(-math.inf), 2)}, "d": "é\n"}
TEXT = """\
{
  "a": [
    1.5,
    null,
    null,
    true
  ],
  "b": {
    "c": [
      null,
      null,
      2
    ]
  },
  "d": "\\u00e9\\n"
}
"""


def test_json_is_written_whole(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(Path("new"), CONTENT, False)
    assert Path("new").read_text() == TEXT
    write_json(Path("-"), CONTENT, False)
    assert capsys.readouterr().out == TEXT
    assert json.loads(TEXT)["b"] == {"c": [None, None, 2]}
    assert sorted(os.listdir()) == ["new", "there"]


def test_what_goes_to_stdout_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(io.StringIO):
        flushed = ""

        def flush(self) -> None:
            Slow.flushed = self.getvalue()

    monkeypatch.setattr("sys.stdout", Slow())
    write_text(Path("-"), "a\n", False)
    assert Slow.flushed == "a\n"
