"""JSON to a file, whole or not at all, or to stdout."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vecphe import files
from vecphe.files import PathLike

__all__ = ["check_writable", "replace_file", "write_json"]


def check_writable(path: Path, force: bool) -> None:
    """Raise ValueError or OSError now for what would fail after the work is done."""
    if str(path) == "-":
        return
    with _naming_the_option(path):
        files.check_writable(path, force=force)


@contextmanager
def _naming_the_option(path: PathLike) -> Iterator[None]:
    """Say how the command line replaces a file, where the library names its own argument."""
    try:
        yield
    except FileExistsError:
        raise ValueError(f"{path} exists; use --force to replace it") from None


def replace_file(path: PathLike, data: bytes, *, force: bool, private: bool = False) -> None:
    """`vecphe.files.replace_file` for commands: a file that exists is a ValueError that names ``--force``."""
    with _naming_the_option(path):
        files.replace_file(path, data, force=force, private=private)


def write_json(path: Path, content: dict[str, Any], force: bool) -> None:
    """Write JSON to a file, or to stdout if `path` is ``-``; a regular file is replaced whole or left as it is.

    JSON has no infinity and no NaN: such figures become null.
    """
    text = json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        replace_file(path, text.encode(), force=force)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
