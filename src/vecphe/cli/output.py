"""JSON to a file, whole or not at all, or to stdout."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vecphe.system import files

__all__ = ["check_outputs", "check_writable", "make_directory", "write_json", "write_text"]


def check_writable(path: Path, force: bool) -> None:
    """Raise ValueError or OSError now for what would fail after the work is done."""
    if str(path) == "-":
        return
    try:
        files.check_writable(path, force=force)
    except FileExistsError:
        raise ValueError(f"{path} exists; use --force to replace it") from None


def check_outputs(paths: Mapping[str, Path | None], force: bool) -> None:
    """`check_writable` of what options name, where they name anything; two of them must not name the same."""
    given = {option: path for option, path in paths.items() if path is not None}
    seen: dict[str, str] = {}
    for option, path in given.items():
        place = "-" if str(path) == "-" else os.path.realpath(path)
        if place in seen:
            raise ValueError(f"{seen[place]} and {option} write to the same place; give each its own")
        seen[place] = option
        check_writable(path, force)


def make_directory(directory: Path, page: str, force: bool) -> None:
    """Create the directory of a report, whose page must not be there yet unless forced; raise for what would fail."""
    if directory.is_dir():
        if (directory / page).exists() and not force:
            raise ValueError(f"--report: {directory / page} exists; use --force to replace it")
    elif directory.exists():
        raise ValueError(f"--report: {directory} is not a directory")
    elif not directory.parent.is_dir():
        raise ValueError(f"--report: {directory.parent} does not exist; create this directory first")
    directory.mkdir(exist_ok=True)
    files.check_directory(directory)


def write_json(path: Path, content: dict[str, Any], force: bool) -> None:
    """Write JSON to a file, or to stdout if `path` is ``-``; a regular file is replaced whole or left as it is.

    JSON has no infinity and no NaN: such figures become null.
    """
    write_text(path, json.dumps(_finite(content), indent=2, allow_nan=False) + "\n", force)


def write_text(path: Path, text: str, force: bool) -> None:
    """Write text to a file, or to stdout if `path` is ``-``; a regular file is replaced whole or left as it is."""
    if str(path) == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        check_writable(path, force)
        files.replace_file(path, text.encode("utf-8"), force=force)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
