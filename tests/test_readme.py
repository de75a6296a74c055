"""The README's Python examples run, and say what it says they print; so do the commands of their page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from typer.testing import CliRunner

from vecphe.cli.app import app

README = Path(__file__).parents[1] / "README.md"
COMMANDS = README.parent / "docs" / "howto" / "command-line.md"


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 3
    X, y = load_diabetes(return_X_y=True)
    names: dict[str, Any] = {"X": X, "y": y}
    exec(blocks[0], names)
    printed = np.array(capsys.readouterr().out.strip("[]\n").split(), dtype=float)
    assert len(printed) == 3
    assert np.abs(printed).max() < 5e-12
    expression, _, promised = blocks[1].splitlines()[1].partition("#")
    exec(blocks[1].splitlines()[0], names)
    assert repr(eval(expression, names)) == promised.strip()
    exec(blocks[2], names)
    assert names["model"].score(X, y) > 0.2


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = COMMANDS.read_text(encoding="utf-8")
    (block,) = (b for b in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL) if "vecphe keygen" in b)
    monkeypatch.chdir(tmp_path)
    Path("ward1.csv").write_text("age,cost\n50.5,2\n61,-3\n")
    np.save("ward2.npy", np.array([[1, 2.25], [3, 4]]))
    for line in block.splitlines():
        command, *args = shlex.split(line, comments=True)
        assert command == "vecphe"
        result = CliRunner().invoke(app, args)
        assert result.exit_code == 0, result.output
    assert result.stdout == "age,cost\n51.5,4.25\n64.0,1.0\n"


def test_the_links_lead_somewhere() -> None:
    """Those of pages that are made when the site is built are checked there."""
    docs = README.parent / "docs"
    pages = [page for page in sorted(docs.rglob("*.md")) if docs / "generated" not in page.parents]
    assert len(pages) > 20
    for page in [README, *pages]:
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        missing = [
            link
            for link in links
            if "://" not in link and "generated/" not in link and not (page.parent / link).exists()
        ]
        assert not missing, page
    text = README.read_text(encoding="utf-8")
    assert all(f"](docs/{page.name})" in text for page in docs.glob("*.md"))


def test_the_example_is_six_lines() -> None:
    first = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert first is not None
    assert len(first.group(1).splitlines()) == 6
